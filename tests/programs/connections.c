/* SPDX-License-Identifier: MIT
 *
 * A server with a thread for each connection, and its N clients in the same process: each handler
 * answers one request and waits for the next one, in poll. Says "ready" when all wait; a line on
 * standard input makes all clients ask once more ("asked"), the end of it ends the program, which
 * then says how many calls were interrupted and how many answers were wrong.
 *
 *     connections N */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

static atomic_int interrupted, answered;

NOINLINE static int wait_for_request(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n;
    while ((n = poll(&p, 1, -1)) < 0 && errno == EINTR)
        interrupted++;
    __asm__ volatile("");
    return n;
}

NOINLINE static void *handle_connection(void *arg)
{
    int fd = (int)(long)arg;
    char c;
    while (wait_for_request(fd) > 0 && read(fd, &c, 1) == 1) {
        answered++; /* before the client can know */
        if (write(fd, &c, 1) != 1)
            break;
    }
    close(fd);
    return NULL;
}

NOINLINE static void *accept_all(void *arg)
{
    int listener = (int)(long)arg;
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 16384);
    pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    for (;;) {
        pthread_t t;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0 && errno == EINTR)
            interrupted++;
        if (fd >= 0 && pthread_create(&t, &a, handle_connection, (void *)(long)fd) != 0)
            close(fd);
    }
    return NULL;
}

static int ask(const int *clients, int n)
{
    int wrong = 0;
    for (int i = 0; i < n; i++) {
        char c = (char)i, back = 0;
        wrong += write(clients[i], &c, 1) != 1 || read(clients[i], &back, 1) != 1 || back != c;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1000, *clients = calloc((size_t)n, sizeof *clients);
    int listener = socket(AF_INET, SOCK_STREAM, 0), wrong = 0;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    struct rlimit files;
    pthread_t t;
    char line[64];
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (!clients || bind(listener, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(listener, 4096) != 0 || getsockname(listener, (struct sockaddr *)&at, &size) != 0 ||
        pthread_create(&t, NULL, accept_all, (void *)(long)listener) != 0)
        return 1;
    for (int i = 0; i < n; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(clients[i], (struct sockaddr *)&at, sizeof at) != 0)
            return 1;
    }
    wrong += ask(clients, n);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        wrong += ask(clients, n);
        puts("asked");
        fflush(stdout);
    }
    printf("%d interrupted, %d wrong, %d answered\n", interrupted, wrong, answered);
    return 0;
}
