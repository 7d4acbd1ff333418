/* SPDX-License-Identifier: MIT
 *
 * /debug/pprof/ in a server of one thread that must not sleep: a loop over sockets.
 *
 *     cc http_sockets.c $(pkg-config --cflags --libs strobe) && ./a.out 8080
 *
 * A profile over some seconds is begun, left alone, and finished when its time has come. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strcasestr */
#endif
#include <strobe/strobe.h>

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 16, REQUEST_MAX = 8192 };

struct client {
    int fd; /* 0: there is none */
    char request[REQUEST_MAX];
    size_t size;
    struct strobe_http_response response;
    long long due_ms; /* the response is to be finished then; 0: it is not being made */
};

static struct client clients[CLIENTS];

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void send_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* it has gone */
        bytes += n;
        size -= (size_t)n;
    }
}

/* One request a connection, for brevity. */
static void hang_up(struct client *c)
{
    close(c->fd);
    c->fd = 0;
}

static void send_response(struct client *c)
{
    struct strobe_http_response *r = &c->response;
    char head[1024];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d -\r\nContent-Length: %zu\r\n", r->status,
                     r->body_size);
    for (size_t i = 0; i < r->header_count; i++)
        n += snprintf(head + n, sizeof head - (size_t)n, "%s: %s\r\n", r->headers[i].name,
                      r->headers[i].value);
    n += snprintf(head + n, sizeof head - (size_t)n, "Connection: close\r\n\r\n");
    send_all(c->fd, head, (size_t)n);
    if (strncmp(c->request, "HEAD ", 5) != 0)
        send_all(c->fd, r->body, r->body_size);
    strobe_http_free(r);
    hang_up(c);
}

static void answer(struct client *c)
{
    char method[16], target[4096];
    const char *body = strstr(c->request, "\r\n\r\n") + 4;
    if (sscanf(c->request, "%15s %4095s", method, target) != 2) {
        hang_up(c);
        return;
    }
    struct strobe_http_request request = {.method = method,
                                          .target = target,
                                          .body = body,
                                          .body_size = c->size - (size_t)(body - c->request)};
    int r = strobe_http_begin(&request, &c->response);
    if (r != 0) {
        const char *mine = strcmp(target, "/") == 0
                               ? "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello\n"
                               : "HTTP/1.1 404 -\r\nConnection: close\r\n\r\nno such page\n";
        send_all(c->fd, mine, strlen(mine));
        hang_up(c);
    } else if (c->response.wait_ms) {
        c->due_ms = now_ms() + c->response.wait_ms;
    } else {
        send_response(c);
    }
}

/* The whole request: its head, and as much of a body as the head says. */
static int is_complete(const struct client *c)
{
    const char *body = strstr(c->request, "\r\n\r\n");
    const char *length = strcasestr(c->request, "\r\nContent-Length:");
    size_t want = length && length < body ? strtoul(length + 17, NULL, 10) : 0;
    return body && c->size - (size_t)(body + 4 - c->request) >= want;
}

static void receive(struct client *c)
{
    ssize_t n = recv(c->fd, c->request + c->size, sizeof c->request - 1 - c->size, 0);
    if (n <= 0) {
        hang_up(c);
        return;
    }
    c->size += (size_t)n;
    c->request[c->size] = 0;
    if (is_complete(c))
        answer(c);
}

static void take_client(int listener)
{
    int fd = accept(listener, NULL, NULL);
    for (int i = 0; fd >= 0 && i < CLIENTS; i++)
        if (!clients[i].fd) {
            clients[i] = (struct client){.fd = fd};
            return;
        }
    if (fd >= 0)
        close(fd);
}

static int list_clients(struct pollfd *list, int *timeout_ms)
{
    long long now = now_ms(), soonest = -1;
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];
        list[i] = (struct pollfd){.fd = c->fd && !c->due_ms ? c->fd : -1, .events = POLLIN};
        if (c->fd && c->due_ms && (soonest < 0 || c->due_ms < soonest))
            soonest = c->due_ms;
    }
    *timeout_ms = soonest < 0 ? -1 : soonest > now ? (int)(soonest - now) : 0;
    return CLIENTS;
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "8080")),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 16) != 0) {
        perror("listen");
        return 1;
    }
    strobe_heap_set_rate(524288);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd list[CLIENTS + 1];
        int timeout_ms, n = list_clients(list, &timeout_ms);
        list[n] = (struct pollfd){.fd = listener, .events = POLLIN};
        if (poll(list, (nfds_t)n + 1, timeout_ms) < 0)
            return 1;
        for (int i = 0; i < n; i++)
            if (clients[i].fd && clients[i].due_ms && now_ms() >= clients[i].due_ms) {
                strobe_http_finish(&clients[i].response);
                send_response(&clients[i]);
            } else if (list[i].revents) {
                receive(&clients[i]);
            }
        if (list[n].revents)
            take_client(listener);
    }
}
