/* SPDX-License-Identifier: MIT
 *
 * /debug/pprof/goroutine, and /threads, which is the same: the stacks of all threads. debug=1
 * groups equal ones as Go does; debug=2 is one block a thread, in the form of a Go traceback, with
 * the thread's id, name and what it waits in. The binary profile has the thread's name and state as
 * labels. */
#include "base/gotext.h"
#include "base/sigsafe.h"
#include "runtime/encode.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/labels.h"
#include "runtime/text.h"
#include "runtime/thread_dump.h"

#include <string.h>

static bool same_stack(const struct thread_dump *a, const struct thread_dump *b)
{
    return a->depth == b->depth && a->epoch == b->epoch && a->labels == b->labels &&
           (!a->depth || !memcmp(a->pcs, b->pcs, a->depth * sizeof *a->pcs));
}

/* ---- binary ---- */

static void add_thread(struct profile_build *b, const struct thread_dump *t)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[2 + LIMIT_LABELS] = {
        {.key = profile_intern_cstr(b->p, "state"), .str = profile_intern_cstr(b->p, t->waiting)},
        {.key = profile_intern_cstr(b->p, "thread"), .str = profile_intern_cstr(b->p, t->name)}};
    for (uint32_t i = 0; i < t->depth; i++)
        locations[i] = encode_location(b, t->pcs[i], t->epoch);
    struct profile_build_sample s = {.locations = locations,
                                     .location_count = t->depth,
                                     .values = {1},
                                     .labels = labels,
                                     .label_count = 2 + labels_fill(b->p, t->labels, labels + 2)};
    profile_build_add(b, &s);
}

static int append(void *ctx, const void *bytes, size_t size)
{
    struct buf *out = ctx;
    buf_append(out, bytes, size);
    return out->failed;
}

static void begin_profile(struct profile_build *b, struct profile *p, const char *type)
{
    struct timespec now;
    profile_init(p);
    p->arena.null_on_oom = 1;
    profile_build_count(b, p, type);
    clock_gettime(CLOCK_REALTIME, &now);
    p->time_nanos = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    encode_program(b);
}

static void write_binary(const struct thread_dumps *d, struct buf *out)
{
    struct profile p;
    struct profile_build b;
    begin_profile(&b, &p, "goroutine");
    for (uint32_t i = 0; i < d->count; i++)
        add_thread(&b, &d->list[i]);
    encode_names(&b);
    profile_build_comment(&b, "%u threads, %u stacks not to their root", d->count, d->truncated);
    if (encode_write(&b, append, out) != 0)
        out->failed = 1;
}

/* ---- text ---- */

/* The first of a group of equal stacks, and how many they are. */
struct group {
    const struct thread_dump *first;
    uint32_t count;
};

static uint32_t find_groups(const struct thread_dumps *d, struct group *groups)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->count; i++) {
        uint32_t g = 0;
        while (g < n && !same_stack(groups[g].first, &d->list[i]))
            g++;
        if (g == n)
            groups[n++] = (struct group){&d->list[i], 0};
        groups[g].count++;
    }
    for (uint32_t i = 1; i < n; i++) { /* the largest first; equal ones stay in order */
        struct group x = groups[i];
        uint32_t k = i;
        for (; k && groups[k - 1].count < x.count; k--)
            groups[k] = groups[k - 1];
        groups[k] = x;
    }
    return n;
}

/* Each label in Go's form: `"key":"value"`, or, as in a traceback, `key: "value"`. */
static void put_labels(struct buf *out, uint32_t set, bool traceback)
{
    size_t size = 0, at = 0;
    struct label_text l;
    const char *text = set ? labels_text(set, &size) : NULL;
    for (bool first = true; text && labelset_next(text, size, &at, &l); first = false) {
        buf_puts(out, first && !traceback ? "" : ", ");
        if (traceback)
            buf_puts(out, l.key);
        else
            gotext_quote(out, l.key, strlen(l.key));
        buf_puts(out, traceback ? ": " : ":");
        gotext_quote(out, l.value, strlen(l.value));
    }
}

/* What stands behind the "@", and the frames. */
static void put_stack(struct text_names *names, struct buf *out, const struct thread_dump *t)
{
    for (uint32_t k = 0; k < t->depth; k++)
        buf_printf(out, " 0x%llx", (unsigned long long)t->pcs[k] + (k > 0));
    buf_putc(out, '\n');
    if (t->labels) {
        buf_puts(out, "# labels: {");
        put_labels(out, t->labels, false);
        buf_puts(out, "}\n");
    }
    text_put_frames(names, out, t->pcs, t->depth);
    buf_putc(out, '\n');
}

static void write_groups(const struct thread_dumps *d, struct buf *out)
{
    struct group *groups = arena_array(out->arena, d->count, sizeof *groups);
    struct text_names names;
    if (!groups) {
        out->failed = 1;
        return;
    }
    uint32_t n = find_groups(d, groups);
    text_begin(&names, out->arena);
    buf_printf(out, "goroutine profile: total %u\n", d->count);
    for (uint32_t i = 0; i < n; i++) {
        const struct thread_dump *t = groups[i].first;
        buf_printf(out, "%u @", groups[i].count);
        put_stack(&names, out, t);
    }
    text_end(&names);
}

/* In the form of Go's traceback: "goroutine 7 [select]:", then two lines a frame. */
static void write_each(const struct thread_dumps *d, struct buf *out)
{
    struct text_names names;
    text_begin(&names, out->arena);
    for (uint32_t i = 0; i < d->count; i++) {
        const struct thread_dump *t = &d->list[i];
        buf_printf(out, "%sgoroutine %u [%s] {thread: ", i ? "\n" : "", t->tid, t->waiting);
        gotext_quote(out, t->name, strlen(t->name));
        put_labels(out, t->labels, true);
        buf_puts(out, "}:\n");
        for (uint32_t k = 0; k < t->depth; k++)
            text_put_call(&names, out, t->pcs[k]);
        if (t->flags & SHM_STACK_TRUNCATED)
            buf_puts(out, t->depth ? "...more frames not found\n" : "...no frames found\n");
    }
    text_end(&names);
}

/* ---- the route ---- */

void http_serve_threads(const struct http_request *r, struct http_answer *a)
{
    char text[32];
    struct thread_dumps d;
    if (http_parameter(r, "seconds", text, sizeof text) && text[0]) {
        http_refuse(a, 501, "a difference over some seconds of threads is not there yet");
        return;
    }
    if (thread_dumps_take(&d, &a->arena) != 0) {
        http_refuse(a, 500, "out of memory");
        return;
    }
    long debug = http_number(r, "debug");
    if (debug >= 2) {
        write_each(&d, &a->body);
    } else if (debug) {
        write_groups(&d, &a->body);
    } else {
        a->type = http_binary_type;
        a->filename = "goroutine";
        write_binary(&d, &a->body);
    }
}

/* ---- who made the threads ---- */

uint64_t http_count_creations(void)
{
    const struct stacktab *t = threads_creations();
    uint64_t n = 0;
    for (uint32_t i = 0; t && i < STACKTAB_ENTRIES; i++)
        if (atomic_load_explicit(&t->entries[i].ready, memory_order_acquire))
            n += atomic_load(&t->entries[i].weight);
    return n;
}

/* The entries of the table as dumps, for the writers above; `weights` beside them. */
static struct thread_dump *list_creations(const struct stacktab *t, struct arena *arena,
                                          uint32_t *count, uint64_t **weights)
{
    struct thread_dump *list = arena_zarray(arena, STACKTAB_ENTRIES, sizeof *list);
    *weights = arena_array(arena, STACKTAB_ENTRIES, sizeof **weights);
    *count = 0;
    for (uint32_t i = 0; list && *weights && i < STACKTAB_ENTRIES; i++) {
        const struct stacktab_entry *e = &t->entries[i];
        if (!atomic_load_explicit(&e->ready, memory_order_acquire))
            continue;
        (*weights)[*count] = atomic_load(&e->weight);
        list[(*count)++] = (struct thread_dump){.depth = e->key.depth,
                                                .epoch = e->key.epoch,
                                                .flags = e->key.flags,
                                                .labels = e->key.labels,
                                                .pcs = (uint64_t *)t->words + e->first};
    }
    return *weights ? list : NULL;
}

static void write_creations_text(const struct thread_dump *list, uint32_t count,
                                 const uint64_t *weights, struct buf *out)
{
    struct text_names names;
    text_begin(&names, out->arena);
    buf_printf(out, "threadcreate profile: total %llu\n",
               (unsigned long long)http_count_creations());
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "%llu @", (unsigned long long)weights[i]);
        put_stack(&names, out, &list[i]);
    }
    text_end(&names);
}

static void write_creations(const struct thread_dump *list, uint32_t count, const uint64_t *weights,
                            struct buf *out)
{
    struct profile p;
    struct profile_build b;
    uint32_t locations[LIMIT_STACK_DEPTH];
    begin_profile(&b, &p, "threadcreate");
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < list[i].depth; k++)
            locations[k] = encode_location(&b, list[i].pcs[k], list[i].epoch);
        struct profile_label labels[LIMIT_LABELS];
        struct profile_build_sample s = {.locations = locations,
                                         .location_count = list[i].depth,
                                         .values = {(int64_t)weights[i]},
                                         .labels = labels,
                                         .label_count = labels_fill(b.p, list[i].labels, labels)};
        profile_build_add(&b, &s);
    }
    encode_names(&b);
    if (encode_write(&b, append, out) != 0)
        out->failed = 1;
}

void http_serve_threadcreate(const struct http_request *r, struct http_answer *a)
{
    const struct stacktab *t = threads_creations();
    uint32_t count;
    uint64_t *weights;
    char text[32];
    if (!t) {
        http_refuse(a, 404, "who makes threads is not recorded: it was turned off by STROBE");
        return;
    }
    if (http_parameter(r, "seconds", text, sizeof text) && text[0]) {
        http_refuse(a, 501, "a difference over some seconds of threads is not there yet");
        return;
    }
    struct thread_dump *list = list_creations(t, &a->arena, &count, &weights);
    if (!list) {
        http_refuse(a, 500, "out of memory");
    } else if (http_number(r, "debug")) {
        write_creations_text(list, count, weights, &a->body);
    } else {
        a->type = http_binary_type;
        a->filename = "threadcreate";
        write_creations(list, count, weights, &a->body);
    }
}
