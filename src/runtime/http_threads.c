/* SPDX-License-Identifier: MIT
 *
 * /debug/pprof/goroutine, and /threads, which is the same: the stacks of all threads; and
 * /debug/pprof/threadcreate: the stacks that made threads. debug=2 of the former is one block a
 * thread, in the form of a Go traceback, with the thread's id, name and what it waits in. The
 * binary profile has the thread's name and state as labels. */
#include "runtime/thread_counts.h"

#include "base/gotext.h"
#include "runtime/http.h"
#include "runtime/text.h"
#include "runtime/thread_dump.h"

#include <errno.h>
#include <string.h>

/* ---- sources ---- */

static void list_dumps(const struct thread_dumps *d, struct count_list *out)
{
    for (uint32_t i = 0; i < d->count; i++) {
        const struct thread_dump *t = &d->list[i];
        out->list[out->count++] = (struct count_stack){.pcs = t->pcs,
                                                       .depth = t->depth,
                                                       .epoch = t->epoch,
                                                       .flags = t->flags,
                                                       .labels = t->labels,
                                                       .state = t->waiting,
                                                       .thread = t->name,
                                                       .count = 1};
    }
}

int thread_counts_take(const void *what, struct arena *arena, struct count_list *out)
{
    (void)what;
    struct thread_dumps d = {0};
    int r = thread_dumps_take(&d, arena);
    *out = (struct count_list){.name = "goroutine", .says_truncated = true};
    if (r == 0)
        out->list = arena_array(arena, d.count + 1, sizeof *out->list);
    if (r < 0 || !out->list)
        return -ENOMEM;
    list_dumps(&d, out);
    return 0;
}

int thread_creations_take(const void *what, struct arena *arena, struct count_list *out)
{
    (void)what;
    const struct stacktab *t = threads_creations();
    *out = (struct count_list){.name = "threadcreate"};
    return t ? count_take_table(t, arena, out) : 0;
}

uint64_t http_count_creations(void)
{
    const struct stacktab *t = threads_creations();
    uint64_t n = 0;
    for (uint32_t i = 0; t && i < STACKTAB_ENTRIES; i++)
        if (atomic_load_explicit(&t->entries[i].ready, memory_order_acquire))
            n += atomic_load(&t->entries[i].weight);
    return n;
}

/* ---- debug=2 ---- */

/* In the form of Go's traceback: "goroutine 7 [select]:", then two lines a frame. */
static void write_each(const struct thread_dumps *d, struct buf *out)
{
    struct text_names names;
    text_begin(&names, out->arena);
    for (uint32_t i = 0; i < d->count; i++) {
        const struct thread_dump *t = &d->list[i];
        uint64_t minutes = t->waited_ns / 60000000000;
        buf_printf(out, "%sgoroutine %u [%s", i ? "\n" : "", t->tid, t->waiting);
        if (minutes)
            buf_printf(out, ", %llu minutes", (unsigned long long)minutes);
        buf_puts(out, "] {thread: ");
        gotext_quote(out, t->name, strlen(t->name));
        count_put_labels(out, t->labels, true);
        buf_puts(out, "}:\n");
        for (uint32_t k = 0; k < t->depth; k++)
            text_put_call(&names, out, t->pcs[k]);
        if (t->flags & SHM_STACK_TRUNCATED)
            buf_puts(out, t->depth ? "...more frames not found\n" : "...no frames found\n");
    }
    text_end(&names);
}

/* ---- the routes ---- */

void http_serve_threads(const struct http_request *r, struct http_answer *a)
{
    struct thread_dumps d = {.with_waits = true};
    if (http_seconds_ns(r) || http_number(r, "debug") < 2)
        http_serve_counts(r, a, thread_counts_take, NULL);
    else if (thread_dumps_take(&d, &a->arena) != 0)
        http_refuse(a, 500, "out of memory");
    else
        write_each(&d, &a->body);
}

void http_serve_threadcreate(const struct http_request *r, struct http_answer *a)
{
    if (threads_creations())
        http_serve_counts(r, a, thread_creations_take, NULL);
    else
        http_refuse(a, 404, "who makes threads is not recorded: it was turned off by STROBE");
}
