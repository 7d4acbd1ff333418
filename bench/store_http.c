/* SPDX-License-Identifier: MIT
 *
 * The same load through HTTP: a `strobe serve` of its own, on a store and a state directory that
 * are thrown away, and as many connections as keep it busy. What is measured is the CPU time of the
 * server's process; that of the clients is not counted. */
#include "store_http.h"
#include "store_load.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 48, BATCH = 2000 };

struct body {
    char *bytes;
    size_t size;
};

struct client {
    pid_t pid;
    char token[128];
    uint16_t port;
    struct body bodies[BATCH];
    uint32_t count;
    atomic_uint next, refused;
};

static void give_up(const char *what)
{
    fprintf(stderr, "bench_store: %s\n", what);
    exit(1);
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Starts the server; its link names the port, its state directory has the token. */
static void start_server(struct client *c, const char *strobe, const char *dir)
{
    int fds[2];
    char line[512] = "", path[256], store[256], *at;
    if (pipe(fds) != 0)
        give_up("no pipe");
    c->pid = fork();
    if (c->pid == 0) {
        setenv("XDG_STATE_HOME", dir, 1);
        dup2(fds[1], 2);
        snprintf(store, sizeof store, "sqlite:%s/http.db", dir);
        execl(strobe, strobe, "serve", "--listen", "127.0.0.1:0", "--store", store, NULL);
        _exit(127);
    }
    close(fds[1]);
    FILE *says = fdopen(fds[0], "r");
    if (!says || !fgets(line, sizeof line, says) || !(at = strstr(line, "http://")) ||
        sscanf(at, "http://127.0.0.1:%hu", &c->port) != 1)
        give_up("strobe serve does not start");
    snprintf(path, sizeof path, "%s/strobe/token", dir);
    FILE *f = fopen(path, "r");
    if (!f || !fgets(c->token, sizeof c->token, f))
        give_up("strobe serve leaves no token");
    c->token[strcspn(c->token, "\n")] = 0;
    fclose(f);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        give_up("strobe serve cannot be reached");
    return fd;
}

/* Reads one reply: its head and as many bytes as it announces. */
static bool read_reply(int fd)
{
    char text[4096];
    size_t n = 0, want = sizeof text - 1;
    while (n < want) {
        ssize_t got = read(fd, text + n, want - n);
        if (got <= 0)
            give_up("the server closed a connection");
        n += (size_t)got;
        text[n] = 0;
        char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end && length)
            want = (size_t)(end + 4 - text) + strtoul(length + 15, NULL, 10);
    }
    return strncmp(text, "HTTP/1.1 200", 12) == 0;
}

static void *send_bodies(void *arg)
{
    struct client *c = arg;
    int fd = connect_to(c->port);
    for (uint32_t i; (i = atomic_fetch_add(&c->next, 1)) < c->count;) {
        const struct body *b = &c->bodies[i];
        if (write(fd, b->bytes, b->size) != (ssize_t)b->size)
            give_up("a request could not be sent");
        if (!read_reply(fd))
            c->refused++;
    }
    close(fd);
    return NULL;
}

/* A whole request, head and body, for the profile of a series at a second. */
static void make_body(struct client *c, struct load *l, uint32_t series, int64_t time_s, bool gzip)
{
    struct profile p;
    struct arena a;
    struct buf body;
    struct err e;
    char head[1024];
    arena_init(&a);
    buf_init(&body, &a);
    load_profile(l, series, &p);
    if ((gzip ? profile_encode_gzip(&p, &body, &e) : profile_encode(&p, &body)) != 0)
        give_up("a profile could not be encoded");
    int n = snprintf(head, sizeof head,
                     "POST /api/v1/profiles?service_name=service-%u&kind=cpu&label=pod=pod-%u"
                     "&time=%lld HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer %s\r\n"
                     "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n",
                     series / LOAD_PODS, series % LOAD_PODS, (long long)time_s, c->port, c->token,
                     body.len);
    struct body *b = &c->bodies[c->count++];
    b->size = (size_t)n + body.len;
    b->bytes = malloc(b->size);
    if (!b->bytes)
        give_up("out of memory");
    memcpy(b->bytes, head, (size_t)n);
    memcpy(b->bytes + n, body.data, body.len);
    profile_free(&p);
    arena_free(&a);
}

static void send_batch(struct client *c)
{
    pthread_t threads[CONNECTIONS];
    c->next = 0;
    for (int i = 0; i < CONNECTIONS; i++)
        if (pthread_create(&threads[i], NULL, send_bodies, c) != 0)
            give_up("no thread could be started");
    for (int i = 0; i < CONNECTIONS; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < c->count; i++)
        free(c->bodies[i].bytes);
    c->count = 0;
}

static uint64_t resident_bytes(pid_t pid)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib << 10;
}

void store_http(struct store_http_result *out, const char *strobe, const char *dir, int seconds,
                bool gzip)
{
    static struct client c;
    struct load *l = load_make();
    clockid_t clock;
    c = (struct client){0};
    *out = (struct store_http_result){0};
    start_server(&c, strobe, dir);
    if (clock_getcpuclockid(c.pid, &clock) != 0)
        give_up("the server's CPU time is not known");
    int64_t now_s = (int64_t)time(NULL);
    for (int t = 0; t < seconds; t++) {
        for (uint32_t i = 0; i < LOAD_SERIES; i++)
            make_body(&c, l, i, now_s - seconds + t, gzip);
        if (c.count + LOAD_SERIES <= BATCH && t + 1 < seconds)
            continue;
        bool counts = t >= seconds / 2; /* until then most stacks are new, as never again */
        out->profiles += counts ? c.count : 0;
        double cpu = seconds_of(clock), wall = seconds_of(CLOCK_MONOTONIC);
        send_batch(&c);
        out->cpu_s += counts ? seconds_of(clock) - cpu : 0;
        out->wall_s += counts ? seconds_of(CLOCK_MONOTONIC) - wall : 0;
    }
    out->refused = c.refused;
    out->resident_bytes = resident_bytes(c.pid);
    kill(c.pid, SIGTERM);
    waitpid(c.pid, NULL, 0);
    load_free(l);
}
