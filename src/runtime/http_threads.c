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
#include "runtime/tree.h"

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
                                                       .pid = t->pid,
                                                       .modules = t->modules,
                                                       .count = 1};
    }
}

int thread_counts_take(const void *what, struct arena *arena, struct count_list *out)
{
    const uint32_t *pid = what;
    struct thread_dumps d = {.of_tree = pid != NULL, .pid = pid ? *pid : 0};
    int r = thread_dumps_take(&d, arena);
    *out = (struct count_list){
        .name = "goroutine", .says_truncated = true, .of_tree = pid != NULL, .missing = d.says};
    if (r == 0)
        out->list = arena_array(arena, d.count + 1, sizeof *out->list);
    if (r < 0 || !out->list)
        return -ENOMEM;
    list_dumps(&d, out);
    return 0;
}

int thread_creations_take(const void *what, struct arena *arena, struct count_list *out)
{
    const uint32_t *pid = what;
    const struct stacktab *t = threads_creations();
    struct tree_process p;
    struct count_stack like = {.pid = pid && (*pid || tree_had_others()) ? rt.pid : 0};
    *out = (struct count_list){.name = "threadcreate", .of_tree = pid != NULL};
    int r = t && (!pid || tree_wants_self(*pid)) ? count_take_table(t, &like, arena, out) : 0;
    for (uint32_t at = 0; pid && r == 0 && tree_next_ever(&p, *pid, &at);) {
        like = (struct count_stack){.pid = p.pid, .modules = p.modules};
        r = count_take_table(p.creations, &like, arena, out);
    }
    return r;
}

uint64_t http_count_creations(void)
{
    const struct stacktab *t = threads_creations();
    uint64_t n = 0;
    for (uint32_t i = 0; t && (i = stacktab_next(t, i)) < STACKTAB_ENTRIES; i++)
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
        count_put_labels(out, t->labels, t->pid, true);
        buf_puts(out, "}:\n");
        names.modules = t->modules ? t->modules : rt.modules;
        for (uint32_t k = 0; k < t->depth; k++)
            text_put_call(&names, out, t->pcs[k]);
        if (t->flags & SHM_STACK_TRUNCATED)
            buf_puts(out, t->depth ? "...more frames not found\n" : "...no frames found\n");
    }
    text_end(&names);
    if (d->says)
        buf_printf(out, "\n# %s\n", d->says);
}

/* ---- the routes ---- */

void http_serve_threads(const struct http_request *r, struct http_answer *a)
{
    struct thread_dumps d = {.with_waits = true, .of_tree = true};
    uint32_t *pid = arena_alloc(&a->arena, sizeof *pid);
    if (!pid || !http_read_pid(r, a, pid)) {
        a->body.failed |= !pid;
        return;
    }
    d.pid = *pid;
    if (http_seconds_ns(r) || http_number(r, "debug") < 2)
        http_serve_counts(r, a, thread_counts_take, pid);
    else if (thread_dumps_take(&d, &a->arena) != 0)
        http_refuse(a, 500, "out of memory");
    else
        write_each(&d, &a->body);
}

void http_serve_threadcreate(const struct http_request *r, struct http_answer *a)
{
    uint32_t *pid = arena_alloc(&a->arena, sizeof *pid);
    if (!pid || !http_read_pid(r, a, pid))
        a->body.failed |= !pid;
    else if (threads_creations())
        http_serve_counts(r, a, thread_creations_take, pid);
    else
        http_refuse(a, 404, "who makes threads is not recorded: it was turned off by STROBE");
}
