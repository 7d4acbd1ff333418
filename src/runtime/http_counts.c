/* SPDX-License-Identifier: MIT
 *
 * Profiles that count, as Go's net/http/pprof answers them: binary, debug=1, or with seconds=N what
 * has come and gone in N seconds. */
#include "base/sigsafe.h"
#include "runtime/count_list.h"
#include "runtime/http.h"

#include <stdio.h>

/* What is needed when the seconds are over. */
struct delta {
    count_take_fn take;
    const void *what;
    struct count_list before;
    uint64_t begun_ns;
};

static void write_binary(const struct count_list *l, struct http_answer *a)
{
    if (count_write(l, http_append, &a->body) != 0)
        a->body.failed = 1;
}

static void finish_delta(struct http_answer *a)
{
    const struct delta *d = a->state;
    struct count_list now;
    int r = d->take(d->what, &a->arena, &now);
    if (r == 0)
        r = count_subtract(&now, &d->before, &a->arena);
    if (r < 0) {
        a->body.failed = 1;
        return;
    }
    now.duration_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) - d->begun_ns;
    write_binary(&now, a);
}

/* An attachment's name: "threadcreate-delta". */
static const char *name_file(struct http_answer *a, const char *name, const char *suffix)
{
    struct buf text;
    buf_init(&text, &a->arena);
    buf_printf(&text, "%s%s", name, suffix);
    return buf_cstr(&text);
}

static void begin_delta(struct http_answer *a, uint64_t ns, const struct delta *how)
{
    struct delta *d = arena_alloc(&a->arena, sizeof *d);
    if (d)
        *d = *how;
    if (!d || d->take(d->what, &a->arena, &d->before) != 0) {
        http_refuse(a, 500, "out of memory");
        return;
    }
    d->begun_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    a->type = http_binary_type;
    a->filename = name_file(a, d->before.name, "-delta");
    a->state = d;
    a->until_ns = d->begun_ns + ns;
    a->finish = finish_delta;
}

void http_serve_counts(const struct http_request *r, struct http_answer *a, count_take_fn take,
                       const void *what)
{
    uint64_t ns = http_seconds_ns(r);
    struct count_list l;
    if (ns) {
        struct delta how = {.take = take, .what = what};
        begin_delta(a, ns, &how);
        return;
    }
    if (take(what, &a->arena, &l) != 0) {
        http_refuse(a, 500, "out of memory");
    } else if (http_number(r, "debug")) {
        count_write_text(&l, &a->body);
    } else {
        a->type = http_binary_type;
        a->filename = name_file(a, l.name, "");
        write_binary(&l, a);
    }
}
