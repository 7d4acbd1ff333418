/* SPDX-License-Identifier: MIT
 *
 * /debug/pprof/block and /debug/pprof/mutex, as Go's net/http/pprof answers them: binary or
 * debug=1, with seconds=N the difference over N seconds. Where they are not taken they are empty,
 * as in Go. */
#include "runtime/http.h"
#include "runtime/waits.h"

static void write_binary(const struct contention_view *view, struct http_answer *a)
{
    if (contention_write(view, http_append, &a->body) != 0)
        a->body.failed = 1;
}

static void finish_delta(struct http_answer *a)
{
    write_binary(a->state, a);
}

static void begin_delta(struct http_answer *a, uint64_t ns, const struct contention_view *what)
{
    struct contention_view *view = arena_zalloc(&a->arena, sizeof *view);
    if (view)
        *view = *what;
    if (!view || contention_begin_delta(view, &a->arena) != 0) {
        http_refuse(a, 500, "out of memory");
        return;
    }
    a->type = http_binary_type;
    a->filename = what->which == WAITTAB_BLOCK ? "block-delta" : "mutex-delta";
    a->state = view;
    a->until_ns = waits_now_ns() + ns;
    a->finish = finish_delta;
}

static void serve(const struct http_request *r, struct http_answer *a, enum waittab_profile which)
{
    uint64_t ns = http_seconds_ns(r);
    struct contention_view view = {.which = which, .tree = true};
    if (!http_read_pid(r, a, &view.pid))
        return;
    if (ns) {
        begin_delta(a, ns, &view);
    } else if (http_number(r, "debug")) {
        contention_write_text(&view, &a->body);
    } else {
        a->type = http_binary_type;
        a->filename = which == WAITTAB_BLOCK ? "block" : "mutex";
        write_binary(&view, a);
    }
}

void http_serve_block(const struct http_request *r, struct http_answer *a)
{
    serve(r, a, WAITTAB_BLOCK);
}

void http_serve_mutex(const struct http_request *r, struct http_answer *a)
{
    serve(r, a, WAITTAB_MUTEX);
}
