/* SPDX-License-Identifier: MIT
 *
 * /debug/pprof/ in a server of libmicrohttpd:
 *
 *     cc http_mhd.c $(pkg-config --cflags --libs strobe libmicrohttpd) && ./a.out 8080
 *     go tool pprof http://127.0.0.1:8080/debug/pprof/heap */
#include <strobe/strobe.h>

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status,
                                 const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(size_t)text, MHD_RESPMEM_PERSISTENT);
    enum MHD_Result sent = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return sent;
}

static enum MHD_Result send_answer(struct MHD_Connection *connection,
                                   struct strobe_http_response *answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->body_size, (void *)(size_t)answer->body, MHD_RESPMEM_MUST_COPY);
    for (size_t i = 0; i < answer->header_count; i++)
        MHD_add_response_header(response, answer->headers[i].name, answer->headers[i].value);
    enum MHD_Result sent = MHD_queue_response(connection, (unsigned)answer->status, response);
    MHD_destroy_response(response);
    strobe_http_free(answer);
    return sent;
}

/* libmicrohttpd calls at first without a body, then with its parts, then once more. */
struct body {
    char bytes[16384];
    size_t size;
};

static void free_body(void *unused, struct MHD_Connection *connection, void **context,
                      enum MHD_RequestTerminationCode why)
{
    (void)unused, (void)connection, (void)why;
    free(*context);
}

/* The path and the query as they came: libmicrohttpd hands out the path decoded. */
static void *keep_target(void *unused, const char *target, struct MHD_Connection *connection)
{
    (void)unused, (void)connection;
    struct body *body = calloc(1, sizeof *body + strlen(target) + 1);
    return body ? strcpy((char *)(body + 1), target), body : NULL;
}

static enum MHD_Result answer(void *unused, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **context)
{
    (void)unused, (void)version;
    struct body *body = *context;
    if (!body)
        return MHD_NO;
    if (*upload_size) {
        size_t room = sizeof body->bytes - body->size;
        size_t n = *upload_size < room ? *upload_size : room;
        memcpy(body->bytes + body->size, upload, n);
        body->size += n;
        *upload_size = 0;
        return MHD_YES;
    }
    struct strobe_http_request request = {.method = method,
                                          .target = (const char *)(body + 1),
                                          .body = body->bytes,
                                          .body_size = body->size};
    struct strobe_http_response response;
    if (strobe_http_handle(&request, &response) == 0)
        return send_answer(connection, &response);
    if (strcmp(path, "/") == 0)
        return send_text(connection, MHD_HTTP_OK, "hello\n");
    return send_text(connection, MHD_HTTP_NOT_FOUND, "no such page\n");
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argc > 1 ? argv[1] : "8080")),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    strobe_heap_set_rate(524288); /* first of all: what is allocated before is not seen */
    /* A thread a connection: a profile over some seconds keeps only its own waiting. */
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer,
        NULL, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_URI_LOG_CALLBACK, keep_target, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, free_body, NULL, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "cannot listen at port %s\n", argc > 1 ? argv[1] : "8080");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    getchar(); /* until the end of its input */
    MHD_stop_daemon(daemon);
    return 0;
}
