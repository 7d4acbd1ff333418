/* SPDX-License-Identifier: MIT
 *
 * The server of STROBE_HTTP: one thread, which sleeps in poll, takes no lock of the program's, and
 * allocates only answers, by mmap. Clients are bounded in number, in what they may send, and in the
 * time they may take: one that is slow or hostile loses its connection, and nobody else notices.
 *
 * The thread blocks all signals, so that none of the program's is delivered to it, and is made by
 * the real pthread_create, so that it is neither sampled nor counted. */
#include "base/sigsafe.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/interpose.h"
#include "runtime/runtime.h"
#include "runtime/tree.h"
#include "runtime/waits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 32, WAITING_MAX = 24, STACK_BYTES = 256 * 1024 };
enum { IDLE_MS = 30000, STALLED_MS = 10000, ANSWER_MS = 120000, REST_MS = 200, READY_MS = 200 };
enum { ANSWERS_BYTES = 64 << 20 }; /* of all clients together */

enum client_state {
    CLIENT_FREE,
    CLIENT_READING,
    CLIENT_ASKING, /* its request is there, and not begun: see begin_one */
    CLIENT_WAITING,
    CLIENT_WRITING
};

struct client {
    enum client_state state;
    int fd;
    bool keep_alive, head_only;
    uint64_t deadline_ns; /* of reading a request; of writing: moved by each byte that moves */
    uint64_t since_ns;    /* it is in its state */
    uint32_t answered;    /* requests */
    size_t received, request_size;
    struct http_answer answer;
    struct buf head;
    size_t sent; /* of head and body together */
    char data[HTTP_REQUEST_MAX];
};

static struct {
    int fd;
    ino_t ino;               /* of the socket behind fd */
    struct client *clients;  /* CLIENTS */
    uint64_t rest_until_ns;  /* no descriptor was to be had: who knocks waits */
    _Atomic bool is_ready;   /* the thread has begun */
    _Atomic bool stops;      /* the thread is to end */
    _Atomic bool is_private; /* the thread's descriptors are not the program's */
    char address[RUNTIME_PATH];
} server = {.fd = -1};

static uint64_t now_ns(void)
{
    return sigsafe_clock_ns(CLOCK_MONOTONIC);
}

/* A client is served from a low number rather than not at all. */
static int move_high(int fd)
{
    int high = runtime_move_high(fd);
    return high < 0 ? fd : high;
}

static void give_time(struct client *c, int ms)
{
    c->deadline_ns = now_ns() + (uint64_t)ms * 1000000;
}

static void enter(struct client *c, enum client_state state)
{
    c->state = state;
    c->since_ns = now_ns();
}

static int count_in(enum client_state state)
{
    int n = 0;
    for (int i = 0; i < CLIENTS; i++)
        n += server.clients[i].state == state;
    return n;
}

static size_t answers_bytes(void)
{
    size_t n = 0;
    for (int i = 0; i < CLIENTS; i++)
        if (server.clients[i].state == CLIENT_WRITING)
            n += server.clients[i].answer.body.len;
    return n;
}

/* ---- one client ---- */

static void drop(struct client *c)
{
    if (c->state == CLIENT_WAITING || c->state == CLIENT_WRITING)
        http_end(&c->answer);
    close(c->fd);
    c->state = CLIENT_FREE;
}

static void answer_ready(struct client *c)
{
    buf_init(&c->head, &c->answer.arena);
    http_write_head(&c->answer, c->keep_alive, &c->head);
    enter(c, CLIENT_WRITING);
    c->sent = 0;
    give_time(c, STALLED_MS);
}

static struct client *oldest_writer(void)
{
    struct client *best = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &server.clients[i];
        if (c->state == CLIENT_WRITING && (!best || c->since_ns < best->since_ns))
            best = c;
    }
    return best;
}

/* The connection ends with it. */
static void refuse(struct client *c, int status)
{
    c->answer = (struct http_answer){.status = status};
    arena_init_nullable(&c->answer.arena);
    buf_init(&c->answer.body, &c->answer.arena);
    http_refuse(&c->answer, status, http_reason(status));
    c->answer.is_pprof_error = c->head_only = c->keep_alive = false;
    c->request_size = c->received;
    answer_ready(c);
}

/* Looks whether a request is there in full. */
static void try_request(struct client *c)
{
    struct http_request r = {.method = ""};
    long size = http_read_request(c->data, c->received, &r);
    if (size < 0)
        refuse(c, (int)-size);
    else if (size)
        enter(c, CLIENT_ASKING);
}

/* Begins to answer. */
static void begin(struct client *c)
{
    struct http_request r = {.method = ""};
    c->request_size = (size_t)http_read_request(c->data, c->received, &r);
    c->keep_alive = r.keep_alive;
    c->head_only = !strcmp(r.method, "HEAD");
    c->answered++;
    /* Answers that nobody fetches take the program's memory: the oldest make room. */
    while (answers_bytes() > ANSWERS_BYTES)
        drop(oldest_writer());
    http_begin(&r, &c->answer);
    enter(c, CLIENT_WAITING);
    if (c->answer.until_ns && count_in(CLIENT_WAITING) > WAITING_MAX) {
        http_end(&c->answer);
        refuse(c, 503);
    } else if (!c->answer.until_ns) {
        answer_ready(c);
    }
}

/* One request a round, of the client that has had the fewest: who sends a hundred at once, each of
 * which takes time, keeps nobody else waiting for longer than one of them takes. */
static void begin_one(void)
{
    struct client *best = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &server.clients[i];
        if (c->state == CLIENT_ASKING &&
            (!best || c->answered < best->answered ||
             (c->answered == best->answered && c->since_ns < best->since_ns)))
            best = c;
    }
    if (best)
        begin(best);
}

static void receive(struct client *c)
{
    ssize_t n = recv(c->fd, c->data + c->received, sizeof c->data - c->received, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->received += (size_t)n;
    try_request(c);
}

/* What is behind the request that was answered is the next one. */
static void next_request(struct client *c)
{
    http_end(&c->answer);
    c->received -= c->request_size;
    memmove(c->data, c->data + c->request_size, c->received);
    enter(c, CLIENT_READING);
    give_time(c, IDLE_MS);
    try_request(c);
}

static void transmit(struct client *c)
{
    size_t head = c->head.len, body = c->head_only ? 0 : c->answer.body.len;
    while (c->sent < head + body) {
        bool in_head = c->sent < head;
        const char *at = in_head ? c->head.data + c->sent : c->answer.body.data + (c->sent - head);
        size_t left = in_head ? head - c->sent : head + body - c->sent;
        ssize_t n = send(c->fd, at, left, MSG_NOSIGNAL | (in_head && body ? MSG_MORE : 0));
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            drop(c);
            return;
        }
        c->sent += (size_t)n;
        give_time(c, STALLED_MS);
    }
    if (c->head.failed || !c->keep_alive)
        drop(c);
    else
        next_request(c);
}

static void complete(struct client *c)
{
    http_finish(&c->answer);
    answer_ready(c);
    transmit(c);
}

/* A client that waits has ended its side: it has gone, or it only says that it asks for no more,
 * which cannot be told apart before something is sent. As Go's server does, what there is so far is
 * sent; if it has gone, that ends the matter, too. */
static void look_after_waiting(struct client *c)
{
    char byte;
    ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        drop(c);
    } else if (n == 0) {
        c->keep_alive = false;
        complete(c);
    }
}

/* ---- all of them ---- */

/* Whose place a new client gets: a free one, else that of the client that has been silent longest,
 * or that has not taken its answer for longest. Those who wait for a profile keep theirs. */
static struct client *find_place(void)
{
    struct client *best = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &server.clients[i];
        if (c->state == CLIENT_FREE)
            return c;
        if (c->state != CLIENT_WAITING && (!best || c->since_ns < best->since_ns))
            best = c;
    }
    if (best)
        drop(best);
    return best;
}

static void accept_client(void)
{
    int fd = accept4(server.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            server.rest_until_ns = now_ns() + (uint64_t)REST_MS * 1000000;
        return;
    }
    fd = move_high(fd);
    struct client *c = find_place();
    if (!c) {
        close(fd);
        return;
    }
    enter(c, CLIENT_READING);
    c->fd = fd;
    c->received = c->answered = 0;
    give_time(c, STALLED_MS);
}

static short wanted(const struct client *c)
{
    static const short events[] = {
        [CLIENT_READING] = POLLIN, [CLIENT_WAITING] = POLLRDHUP, [CLIENT_WRITING] = POLLOUT};
    return c->state == CLIENT_ASKING ? 0 : events[c->state];
}

/* Fills the list for poll, and says how long it may sleep. */
static int list_clients(struct pollfd *list, struct client **of, int *timeout_ms)
{
    uint64_t now = now_ns(), rest = server.rest_until_ns;
    uint64_t soonest = rest > now ? rest : UINT64_MAX;
    int n = 0;
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &server.clients[i];
        if (c->state == CLIENT_FREE)
            continue;
        uint64_t due = c->state == CLIENT_WAITING  ? c->answer.until_ns
                       : c->state == CLIENT_ASKING ? 0
                                                   : c->deadline_ns;
        soonest = due < soonest ? due : soonest;
        of[n] = c;
        list[n++] = (struct pollfd){.fd = c->fd, .events = wanted(c)};
    }
    *timeout_ms = soonest == UINT64_MAX ? -1
                  : soonest <= now      ? 0
                                        : (int)((soonest - now) / 1000000 + 1);
    return n;
}

/* One that takes a byte of its answer now and then is not there for ever, either. */
static bool is_late(const struct client *c, uint64_t now)
{
    if (c->state == CLIENT_WRITING && now > c->since_ns + (uint64_t)ANSWER_MS * 1000000)
        return true;
    return (c->state == CLIENT_READING || c->state == CLIENT_WRITING) && now >= c->deadline_ns;
}

static void serve_client(struct client *c, short events)
{
    uint64_t now = now_ns();
    if (c->state == CLIENT_WAITING) {
        if (now >= c->answer.until_ns) {
            complete(c);
        } else if (events) {
            look_after_waiting(c);
        }
        return;
    }
    if (c->state == CLIENT_READING && events)
        receive(c);
    if (c->state == CLIENT_WRITING && (events || !c->sent))
        transmit(c);
    if (is_late(c, now))
        drop(c);
}

static void begin_thread(void)
{
    heap_self.busy = 1; /* what this thread allocates is not the program's */
    atomic_store(&rt.server_tid, (uint32_t)sigsafe_syscall0(SYS_gettid));
    waits_exclude_self();
}

static void part_descriptors(void);

static void *serve(void *unused)
{
    (void)unused;
    struct pollfd list[CLIENTS + 1];
    struct client *of[CLIENTS];
    begin_thread();
    part_descriptors();
    tree_served();
    atomic_store(&server.is_ready, true);
    for (;;) {
        int timeout_ms, n = list_clients(list, of, &timeout_ms);
        bool rests = now_ns() < server.rest_until_ns;
        list[n] = (struct pollfd){.fd = server.fd, .events = rests ? 0 : POLLIN};
        int r = poll(list, (nfds_t)n + 1, timeout_ms);
        if (r < 0 && errno != EINTR)
            return NULL;
        for (int i = 0; i < n; i++)
            serve_client(of[i], r > 0 ? list[i].revents : 0);
        if (atomic_load(&server.stops))
            return NULL;
        if (r > 0 && list[n].revents & (POLLERR | POLLNVAL | POLLHUP))
            return NULL; /* the program has closed our socket, or we are to stop */
        if (r > 0 && list[n].revents & POLLIN)
            accept_client();
        begin_one();
    }
}

/* ---- the start ---- */

/* "PORT", ":PORT", "HOST:PORT", "[HOST]:PORT"; names other than localhost are not looked up. */
static int parse_tcp(const char *address, struct sockaddr_storage *to, socklen_t *size)
{
    char host[64] = "127.0.0.1";
    const char *colon = strrchr(address, ':'), *port = colon ? colon + 1 : address;
    size_t n = colon ? (size_t)(colon - address) : 0;
    if (n && address[0] == '[' && address[n - 1] == ']') {
        address++;
        n -= 2;
    }
    if (n >= sizeof host)
        return -EINVAL;
    if (n && !(n == 9 && !memcmp(address, "localhost", 9))) {
        memcpy(host, address, n);
        host[n] = 0;
    }
    char *end;
    long number = strtol(port, &end, 10);
    if (!*port || *end || number < 0 || number > 65535)
        return -EINVAL;
    memset(to, 0, sizeof *to);
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)number);
        *size = sizeof *v4;
    } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)number);
        *size = sizeof *v6;
    } else {
        return -EINVAL;
    }
    return 0;
}

static int parse_address(const char *address, struct sockaddr_storage *to, socklen_t *size)
{
    struct sockaddr_un *local = (struct sockaddr_un *)to;
    if (strncmp(address, "unix:", 5) != 0)
        return parse_tcp(address, to, size);
    const char *path = address + 5;
    if (!*path || strlen(path) >= sizeof local->sun_path)
        return -EINVAL;
    memset(to, 0, sizeof *to);
    local->sun_family = AF_UNIX;
    strcpy(local->sun_path, path);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
    return 0;
}

/* A socket left by a process that is gone refuses connections: its name is free. */
static bool is_stale(const struct sockaddr_storage *to, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool stale =
        fd >= 0 && connect(fd, (const struct sockaddr *)to, size) < 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return stale;
}

static int listen_on(const char *address)
{
    struct sockaddr_storage to;
    socklen_t size;
    int one = 1, r = parse_address(address, &to, &size);
    if (r < 0)
        return r;
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    fd = move_high(fd);
    if (to.ss_family == AF_UNIX) {
        const struct sockaddr_un *local = (const struct sockaddr_un *)&to;
        if (is_stale(&to, size))
            unlink(local->sun_path);
        fchmod(fd, 0600); /* its user's alone: bind makes the file like that */
    } else {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    }
    r = bind(fd, (struct sockaddr *)&to, size) < 0 || listen(fd, 16) < 0 ? -errno : fd;
    if (r < 0)
        close(fd);
    return r;
}

/* From here on the thread has a table of descriptors of its own: a program that closes all of its
 * files, as daemons do, does not meet ours, and clients take none of its numbers. What is the
 * program's is closed in our copy at once. Where that is forbidden, they share one table. */
static void part_descriptors(void)
{
    unsigned keep[2] = {(unsigned)server.fd, (unsigned)tree_descriptor()}, from = 0;
    if (unshare(CLONE_FILES) != 0)
        return;
    server.is_private = true;
    if (keep[1] < keep[0]) {
        unsigned first = keep[1];
        keep[1] = keep[0];
        keep[0] = first;
    }
    for (int i = 0; i < 2; i++) {
        if (keep[i] > INT32_MAX)
            break;
        if (keep[i] > from)
            sigsafe_syscall3(SYS_close_range, from, keep[i] - 1, 0);
        from = keep[i] + 1;
    }
    sigsafe_syscall3(SYS_close_range, from, ~0u, 0);
}

/* libc's own function refuses its own signals. */
static void sigdelset_raw(sigset_t *set, int sig)
{
    unsigned char *bytes = (unsigned char *)set;
    bytes[(sig - 1) / 8] &= (unsigned char)~(1u << ((sig - 1) % 8));
}

int http_start_thread(void *(*run)(void *))
{
    static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, old;
    *(void **)&create = real_function("pthread_create");
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    memset(&all, 0xff, sizeof all);
    /* But for the two of libc's own: setuid waits until each thread has had one. */
    sigdelset_raw(&all, 32);
    sigdelset_raw(&all, 33);
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, 8);
    int r = create(&thread, &attributes, run, NULL);
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, 8);
    pthread_attr_destroy(&attributes);
    return -r;
}

int http_server_start(const char *address)
{
    int fd = listen_on(address);
    if (fd < 0)
        return fd;
    size_t bytes = CLIENTS * sizeof(struct client);
    void *clients = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct stat st;
    snprintf(server.address, sizeof server.address, "%s", address);
    atomic_store(&server.stops, false);
    atomic_store(&server.is_private, false);
    server.ino = fstat(fd, &st) == 0 ? st.st_ino : 0;
    server.fd = fd;
    server.clients = clients;
    atomic_store(&server.is_ready, false);
    int r = clients == MAP_FAILED ? -errno : http_start_thread(serve);
    /* A child that the program starts at once is told where the segment is. */
    uint64_t until = now_ns() + READY_MS * 1000000ull;
    while (r == 0 && !atomic_load(&server.is_ready) && now_ns() < until)
        sigsafe_syscall0(SYS_sched_yield);
    if (r < 0) {
        close(fd);
        server.fd = -1;
    }
    return r;
}

/* The program may have closed our socket, and have another file at that number. */
static bool is_socket_ours(void)
{
    struct stat st;
    return server.fd >= 0 && fstat(server.fd, &st) == 0 && st.st_ino == server.ino;
}

/* A thread that has the socket in a table of its own is woken by a client. */
static void knock(void)
{
    struct sockaddr_storage to;
    socklen_t size;
    int fd = parse_address(server.address, &to, &size) == 0
                 ? socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
                 : -1;
    if (fd >= 0) {
        connect(fd, (struct sockaddr *)&to, size);
        close(fd);
    }
}

void http_server_stop(void)
{
    uint32_t tid = atomic_exchange(&rt.server_tid, 0);
    bool is_ours = is_socket_ours();
    if (!tid || (!is_ours && !atomic_load(&server.is_private)))
        return;
    atomic_store(&server.stops, true);
    if (is_ours)
        shutdown(server.fd, SHUT_RDWR);
    else
        knock();
    while (sigsafe_syscall3(SYS_tgkill, runtime_pid(), tid, 0) == 0)
        sigsafe_syscall0(SYS_sched_yield);
    if (is_ours)
        close(server.fd);
    for (int i = 0; server.clients && i < CLIENTS; i++)
        if (server.clients[i].state != CLIENT_FREE && !atomic_load(&server.is_private))
            drop(&server.clients[i]);
    server.fd = -1;
}

void http_server_forget(void)
{
    if (is_socket_ours())
        close(server.fd);
    for (int i = 0; server.fd >= 0 && !atomic_load(&server.is_private) && i < CLIENTS; i++)
        if (server.clients[i].state != CLIENT_FREE)
            close(server.clients[i].fd);
    server.fd = -1;
    atomic_store(&rt.server_tid, 0);
}

/* ---- in place of another process ---- */

enum { HEIR_LOOK_MS = 100, HEIR_TRIES = 40, HEIR_TRY_MS = 50 };

/* The address is free as soon as the process is gone, but for its last connections. */
static bool listen_again(void)
{
    struct timespec some = {0, HEIR_TRY_MS * 1000000};
    for (int i = 0; i < HEIR_TRIES && !atomic_load(&server.stops); i++) {
        server.fd = listen_on(server.address);
        if (server.fd >= 0)
            return true;
        if (server.fd != -EADDRINUSE)
            return false;
        nanosleep(&some, NULL);
    }
    return false;
}

static void *inherit(void *unused)
{
    struct stat st;
    begin_thread();
    bool has_claimed = tree_wait_for_server(&server.stops);
    bool serves = has_claimed && listen_again();
    if (!serves) {
        if (has_claimed)
            tree_not_served();
        server.fd = -1;
        munmap(server.clients, CLIENTS * sizeof(struct client));
        server.clients = NULL;
        atomic_store(&rt.server_tid, 0);
        return NULL;
    }
    server.ino = fstat(server.fd, &st) == 0 ? st.st_ino : 0;
    return serve(unused);
}

void http_server_inherit(const char *address)
{
    size_t bytes = CLIENTS * sizeof(struct client);
    if (atomic_load(&rt.server_tid) || server.fd >= 0)
        return;
    void *clients = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (clients == MAP_FAILED)
        return;
    snprintf(server.address, sizeof server.address, "%s", address);
    atomic_store(&server.stops, false);
    atomic_store(&server.is_private, false);
    server.clients = clients;
    atomic_store(&rt.server_tid, 1); /* until the thread says which it is */
    if (http_start_thread(inherit) < 0) {
        munmap(clients, bytes);
        atomic_store(&rt.server_tid, 0);
    }
}
