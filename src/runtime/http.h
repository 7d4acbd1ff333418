/* SPDX-License-Identifier: MIT
 *
 * /debug/pprof/ inside the program: what is answered (http_routes.c) and the server of STROBE_HTTP
 * (http_server.c). An answer that takes time is begun, left alone until `until_ns`, and finished:
 * nobody waits in between, so that one thread serves all clients. */
#ifndef RUNTIME_HTTP_H
#define RUNTIME_HTTP_H

#include "runtime/http_message.h"

#include <stdint.h>

struct http_answer;
struct tree_sums;

/* A profile that has a name: what strobe_lookup gives, and what stands in the index. */
struct strobe_profile {
    const char *name, *about;
    uint64_t (*count)(const struct strobe_profile *p); /* of its stacks */
    /* The same of the tree's other processes; NULL: they have none. */
    uint64_t (*count_others)(const struct tree_sums *sums);
    /* /debug/pprof/NAME, with its parameters; the profile is a->profile. */
    void (*serve)(const struct http_request *r, struct http_answer *a);
    /* Turns it on with a rate in its own unit, or off with 0; NULL: it has none. 0 or negative
     * errno. */
    int (*set_rate)(uint64_t rate);
    bool has_delta; /* knows seconds=N */
    /* One that is of a time, and not of a moment: whether it is being taken; NULL: it is not so. */
    bool (*is_on)(void);
    struct strobe_profile *next;
};

struct http_answer {
    int status;
    const struct strobe_profile *profile;
    const char *type;     /* Content-Type */
    const char *filename; /* of an attachment, or NULL */
    const char *location; /* of a 301, or NULL */
    const char *allow;    /* of a 405, or NULL */
    bool is_pprof_error;  /* X-Go-Pprof: pprof shows the body as the reason */
    struct arena arena;
    struct buf body;
    uint64_t until_ns; /* CLOCK_MONOTONIC: http_finish is due then; 0: it is complete */
    void (*finish)(struct http_answer *a);
    void *state; /* of who finishes it, in the arena */
};

extern const char http_binary_type[];

/* ---- profiles.c ---- */
/* Adds a profile for good; its name must not be there yet. Lock-free. */
void profiles_add(struct strobe_profile *p);
/* The profile of that name, or NULL. */
const struct strobe_profile *profiles_find(const char *name);
/* The one whose name follows that of p (NULL: the first) in the order of bytes, or NULL. */
const struct strobe_profile *profiles_next(const struct strobe_profile *p);

/* ---- http_routes.c ---- */
/* A parameter as Go's Atoi reads it, whose errors are dropped: what is no number is 0. */
long http_number(const struct http_request *r, const char *name);

/* The time that `seconds` asks for, at most a day; 0: it asks for none. A profile is served only
 * after a `seconds` that Go would refuse, or that goes with `debug`, was refused. */
uint64_t http_seconds_ns(const struct http_request *r);
/* A strobe_write_fn: appends to the struct buf that is its context. */
int http_append(void *ctx, const void *bytes, size_t size);
/* ?pid=N: one process of the tree alone; 0: it is not there. False: there is no such process, and
 * that is the answer. */
bool http_read_pid(const struct http_request *r, struct http_answer *a, uint32_t *pid);

/* Appends a file of /proc; nothing where it cannot be read. */
void http_read_file(const char *path, struct buf *out);

/* ---- http_vars.c ---- */
void http_serve_vars(const struct http_request *r, struct http_answer *a);
void http_serve_state(const struct http_request *r, struct http_answer *a);

/* ---- http_threads.c ---- */
void http_serve_threads(const struct http_request *r, struct http_answer *a);
void http_serve_threadcreate(const struct http_request *r, struct http_answer *a);
uint64_t http_count_creations(void);

/* ---- http_block.c ---- */
void http_serve_block(const struct http_request *r, struct http_answer *a);
void http_serve_mutex(const struct http_request *r, struct http_answer *a);

/* ---- http_wall.c ---- */
void http_serve_wall(const struct http_request *r, struct http_answer *a);
/* strobe_profile's set_rate. */
int http_set_wall(uint64_t rate);

/* ---- http_heap.c ---- */
void http_serve_heap(const struct http_request *r, struct http_answer *a);
void http_serve_allocs(const struct http_request *r, struct http_answer *a);

/* Answers, or begins to. `a` needs no initialisation. Ends with http_end. */
void http_begin(const struct http_request *r, struct http_answer *a);
/* The same for one route under /debug/pprof/, whatever the request's path is: a profile's name,
 * "cmdline", "profile", "symbol", "trace", or "" for the index. */
void http_begin_named(const char *name, const struct http_request *r, struct http_answer *a);
/* Whether a path is one that is answered here, if only with a refusal. */
bool http_is_ours(const char *path);
/* Completes an answer whose time has come. */
void http_finish(struct http_answer *a);
/* Frees it; one that was begun and not finished is given up. */
void http_end(struct http_answer *a);
/* Writes an error as Go's net/http/pprof does. */
void http_refuse(struct http_answer *a, int status, const char *why);
/* The status line and headers, for `body_size` bytes of body. */
void http_write_head(const struct http_answer *a, bool keep_alive, struct buf *out);

/* Listens on HOST:PORT (no host: loopback), or unix:PATH, and starts the one thread that serves.
 * 0 or negative errno. */
int http_server_start(const char *address);
/* A thread that waits until the process that serves `address` for the tree is gone (tree.h), and
 * then serves there; it ends if that one stays. Nothing where this process serves already. */
void http_server_inherit(const char *address);
/* A thread of ours, as the server's is: detached, deaf to the program's signals, neither sampled
 * nor counted. 0 or negative errno. */
int http_start_thread(void *(*run)(void *));
/* Ends the server, and returns when its thread is gone; clients lose their connections. */
void http_server_stop(void);
/* In a forked child: the socket and the thread are the parent's. */
void http_server_forget(void);

#endif
