/* SPDX-License-Identifier: MIT
 *
 * A small web application: each request for / gets a random string. Its router knows paths and
 * functions, and the routes of /debug/pprof/ are added to it one by one, as those of its own are.
 *
 *     cc random_strings.c $(pkg-config --cflags --libs strobe) -pthread && ./a.out 8080
 *     ab -k -c 8 -n 100000 http://127.0.0.1:8080/
 *     go tool pprof -seconds 5 http://127.0.0.1:8080/debug/pprof/profile */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strcasestr */
#endif
#include <strobe/strobe.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_MAX = 8192, STRING = 10 };

struct request {
    char method[16], target[4096];
    int keep_alive;
    const char *body;
    size_t body_size;
};

/* ---- answers ---- */

static void send_all(FILE *to, const struct request *r, const struct strobe_http_response *a)
{
    fprintf(to, "HTTP/1.%d %d -\r\nContent-Length: %zu\r\nConnection: %s\r\n", r->keep_alive,
            a->status, a->body_size, r->keep_alive ? "keep-alive" : "close");
    for (size_t i = 0; i < a->header_count; i++)
        fprintf(to, "%s: %s\r\n", a->headers[i].name, a->headers[i].value);
    fputs("\r\n", to);
    if (strcmp(r->method, "HEAD") != 0)
        fwrite(a->body, 1, a->body_size, to);
    fflush(to);
}

static void send_text(FILE *to, const struct request *r, int status, const char *text)
{
    struct strobe_http_header type = {"Content-Type", "text/plain; charset=utf-8"};
    struct strobe_http_response a = {.status = status,
                                     .headers = &type,
                                     .header_count = 1,
                                     .body = text,
                                     .body_size = strlen(text)};
    send_all(to, r, &a);
}

static void random_string(FILE *to, const struct request *r)
{
    static _Thread_local unsigned seed;
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    struct strobe_span span = strobe_span_begin("random string");
    char *text = malloc(STRING + 2);
    for (int i = 0; i < STRING; i++)
        text[i] = letters[rand_r(&seed) % (sizeof letters - 1)];
    strcpy(text + STRING, "\n");
    send_text(to, r, 200, text);
    free(text);
    strobe_counter_add("requests", 1);
    strobe_span_end(&span);
}

/* ---- the router ---- */

typedef int (*strobe_route)(const struct strobe_http_request *, struct strobe_http_response *);

struct route {
    const char *path;
    void (*own)(FILE *to, const struct request *r);
    strobe_route strobe;
    const char *profile; /* by its name */
};

static struct route routes[16];
static int route_count;

static void add(struct route route)
{
    routes[route_count++] = route;
}

static void add_routes(void)
{
    add((struct route){"/", .own = random_string});
    add((struct route){"/debug/pprof/", .strobe = strobe_http_index});
    add((struct route){"/debug/pprof/cmdline", .strobe = strobe_http_cmdline});
    add((struct route){"/debug/pprof/profile", .strobe = strobe_http_cpu});
    add((struct route){"/debug/pprof/symbol", .strobe = strobe_http_symbol});
    add((struct route){"/debug/pprof/trace", .strobe = strobe_http_trace});
    add((struct route){"/debug/pprof/heap", .profile = "heap"});
    add((struct route){"/debug/pprof/allocs", .profile = "allocs"});
    add((struct route){"/debug/pprof/goroutine", .profile = "goroutine"});
    add((struct route){"/debug/vars", .strobe = strobe_http_handle});
}

static const struct route *find(const char *target)
{
    size_t n = strcspn(target, "?");
    for (int i = 0; i < route_count; i++)
        if (strlen(routes[i].path) == n && strncmp(routes[i].path, target, n) == 0)
            return &routes[i];
    return NULL;
}

static void answer(FILE *to, const struct request *r)
{
    const struct route *route = find(r->target);
    struct strobe_http_request request = {r->method, r->target, r->body, r->body_size};
    struct strobe_http_response response;
    if (!route) {
        strobe_error("not found", r->target);
        send_text(to, r, 404, "no such page\n");
        return;
    }
    if (route->own) {
        route->own(to, r);
        return;
    }
    int failed = route->strobe ? route->strobe(&request, &response)
                               : strobe_http_profile(route->profile, &request, &response);
    if (failed) {
        send_text(to, r, 500, "out of memory\n");
        return;
    }
    send_all(to, r, &response);
    strobe_http_free(&response);
}

/* ---- connections: a thread each ---- */

/* Reads a request; 0 at the end of the connection. */
static int read_request(FILE *from, struct request *r, char *body)
{
    char line[REQUEST_MAX], version[16];
    size_t length = 0;
    if (!fgets(line, sizeof line, from) ||
        sscanf(line, "%15s %4095s %15s", r->method, r->target, version) != 3)
        return 0;
    r->keep_alive = strcmp(version, "HTTP/1.1") == 0;
    while (fgets(line, sizeof line, from) && strcmp(line, "\r\n") != 0) {
        if (strncasecmp(line, "Content-Length:", 15) == 0)
            length = strtoul(line + 15, NULL, 10);
        if (strncasecmp(line, "Connection:", 11) == 0)
            r->keep_alive = strcasestr(line, "keep-alive") != NULL;
    }
    if (length > REQUEST_MAX || fread(body, 1, length, from) != length)
        return 0;
    r->body = body;
    r->body_size = length;
    return 1;
}

static void *serve(void *connection)
{
    int one = 1, fd = (int)(long)connection;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    FILE *from = fdopen(fd, "r"), *to = fdopen(dup(fd), "w");
    char *body = malloc(REQUEST_MAX);
    struct request r;
    while (from && to && body && read_request(from, &r, body)) {
        answer(to, &r);
        if (!r.keep_alive)
            break;
    }
    free(body);
    if (to)
        fclose(to);
    if (from)
        fclose(from);
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "8080")),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    strobe_heap_set_rate(524288);
    add_routes();
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 64) != 0) {
        perror("listen");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (pthread_create(&thread, NULL, serve, (void *)(long)fd) != 0)
            close(fd);
        else
            pthread_detach(thread);
    }
}
