/* SPDX-License-Identifier: MIT
 *
 * From a list of stacks to a profile or a text; see count_list.h. Equal stacks are found by
 * sorting, so that ten thousand threads in ten thousand places take no longer than they should. */
#include "runtime/count_list.h"

#include "base/gotext.h"
#include "base/sigsafe.h"
#include "runtime/encode.h"
#include "runtime/labels.h"
#include "runtime/text.h"
#include "runtime/tree.h"

#include <errno.h>
#include <string.h>

enum { OWN_LABELS = 3 };

int64_t count_total(const struct count_list *l)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < l->count; i++)
        n += l->list[i].count;
    return n;
}

static bool read_entry(const struct stacktab *t, uint32_t i, struct count_stack *to)
{
    const struct stacktab_entry *e = &t->entries[i];
    bool ready = atomic_load_explicit(&e->ready, memory_order_acquire);
    uint32_t first = e->first, depth = e->key.depth;
    int64_t weight = ready ? (int64_t)atomic_load(&e->weight) : 0;
    if (weight <= 0 || depth > LIMIT_STACK_DEPTH || first > STACKTAB_WORDS - depth)
        return false;
    to->pcs = t->words + first;
    to->depth = depth;
    to->epoch = e->key.epoch;
    to->flags = e->key.flags;
    to->labels = e->key.labels;
    to->count = weight;
    return true;
}

int count_take_table(const struct stacktab *t, const struct count_stack *like, struct arena *arena,
                     struct count_list *out)
{
    uint32_t n = out->count;
    for (uint32_t i = 0; (i = stacktab_next(t, i)) < STACKTAB_ENTRIES; i++)
        n += atomic_load_explicit(&t->entries[i].ready, memory_order_acquire) != 0;
    struct count_stack *list = arena_array(arena, n + 1, sizeof *list);
    if (!list)
        return -ENOMEM;
    if (out->count)
        memcpy(list, out->list, out->count * sizeof *list);
    out->list = list;
    for (uint32_t i = 0; (i = stacktab_next(t, i)) < STACKTAB_ENTRIES && out->count < n; i++) {
        list[out->count] = *like;
        out->count += read_entry(t, i, &list[out->count]);
    }
    return 0;
}

/* ---- order ---- */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* An order in which stacks with equal frames and labels are neighbours. */
static int compare_stacks(const struct count_stack *a, const struct count_stack *b)
{
    int order = compare_numbers(a->depth, b->depth);
    if (!order)
        order = compare_numbers(a->pid, b->pid);
    if (!order)
        order = compare_numbers(a->epoch, b->epoch);
    if (!order)
        order = compare_numbers(a->labels, b->labels);
    return order || !a->depth ? order : memcmp(a->pcs, b->pcs, a->depth * sizeof *a->pcs);
}

static int compare_threads(const struct count_stack *a, const struct count_stack *b)
{
    int order = compare_stacks(a, b);
    if (!order && a->state && b->state)
        order = strcmp(a->state, b->state);
    return order || !a->thread || !b->thread ? order : strcmp(a->thread, b->thread);
}

static int most_frequent_first(const struct count_stack *a, const struct count_stack *b)
{
    return compare_numbers((uint64_t)b->count, (uint64_t)a->count);
}

typedef int (*order_fn)(const struct count_stack *a, const struct count_stack *b);

/* Merge sort, because libc's may allocate; equal ones stay in order. */
static void sort(struct count_stack *list, struct count_stack *spare, uint32_t n, order_fn order)
{
    if (n < 2)
        return;
    uint32_t half = n / 2;
    sort(list, spare, half, order);
    sort(list + half, spare, n - half, order);
    memcpy(spare, list, half * sizeof *list);
    for (uint32_t a = 0, b = half, to = 0; a < half; to++)
        list[to] = b < n && order(&list[b], &spare[a]) < 0 ? list[b++] : spare[a++];
}

/* Adds up neighbours that are equal; those that cancel out are left out. */
static uint32_t fold(struct count_stack *list, uint32_t n, order_fn order)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n;) {
        struct count_stack sum = list[i++];
        for (; i < n && order(&sum, &list[i]) == 0; i++)
            sum.count += list[i].count;
        if (sum.count)
            list[kept++] = sum;
    }
    return kept;
}

int count_subtract(struct count_list *l, const struct count_list *before, struct arena *arena)
{
    uint32_t n = l->count + before->count;
    struct count_stack *all = arena_array(arena, n + 1, sizeof *all);
    struct count_stack *spare = arena_array(arena, n + 1, sizeof *spare);
    if (!all || !spare)
        return -ENOMEM;
    memcpy(all, l->list, l->count * sizeof *all);
    for (uint32_t i = 0; i < before->count; i++) {
        all[l->count + i] = before->list[i];
        all[l->count + i].count = -before->list[i].count;
    }
    sort(all, spare, n, compare_threads);
    l->list = all;
    l->count = fold(all, n, compare_threads);
    return 0;
}

/* ---- binary ---- */

static void add_stack(struct profile_build *b, const struct count_stack *s)
{
    uint32_t locations[LIMIT_STACK_DEPTH], n = 0;
    struct profile_label labels[OWN_LABELS + LIMIT_LABELS];
    if (s->state)
        labels[n++] = (struct profile_label){.key = profile_intern_cstr(b->p, "state"),
                                             .str = profile_intern_cstr(b->p, s->state)};
    if (s->thread)
        labels[n++] = (struct profile_label){.key = profile_intern_cstr(b->p, "thread"),
                                             .str = profile_intern_cstr(b->p, s->thread)};
    if (s->pid)
        tree_label(b, s->pid, &labels[n++]);
    n += labels_fill(b->p, s->labels, labels + n);
    const struct module *modules = s->modules ? s->modules : rt.modules;
    for (uint32_t i = 0; i < s->depth; i++)
        locations[i] = encode_location_in(b, modules, s->pcs[i], s->epoch);
    struct profile_build_sample sample = {.locations = locations,
                                          .location_count = s->depth,
                                          .values = {s->count},
                                          .labels = labels,
                                          .label_count = n};
    profile_build_add(b, &sample);
}

static void say_truncated(struct profile_build *b, const struct count_list *l)
{
    uint64_t truncated = 0;
    for (uint32_t i = 0; i < l->count; i++)
        truncated += (l->list[i].flags & SHM_STACK_TRUNCATED) != 0;
    profile_build_comment(b, "%u threads, %llu stacks not to their root", l->count,
                          (unsigned long long)truncated);
}

int count_write(const struct count_list *l, strobe_write_fn write, void *ctx)
{
    struct profile p;
    struct profile_build b;
    struct timespec now;
    profile_init(&p);
    p.arena.null_on_oom = 1;
    profile_build_count(&b, &p, l->name);
    clock_gettime(CLOCK_REALTIME, &now);
    p.time_nanos = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - (int64_t)l->duration_ns;
    p.duration_nanos = (int64_t)l->duration_ns;
    encode_program(&b);
    for (uint32_t i = 0; i < l->count; i++)
        add_stack(&b, &l->list[i]);
    encode_names(&b);
    if (l->missing)
        profile_build_comment(&b, "%s", l->missing);
    if (l->of_tree)
        tree_say_missing(&b);
    if (l->says_truncated && !l->duration_ns)
        say_truncated(&b, l);
    return encode_write(&b, write, ctx);
}

/* ---- text ---- */

void count_put_labels(struct buf *out, uint32_t set, uint32_t pid, bool traceback)
{
    size_t size = 0, at = 0;
    struct label_text l;
    const char *text = set ? labels_text(set, &size) : NULL;
    if (pid == TREE_ENDED)
        buf_puts(out, "\"pid\":\"ended\"");
    else if (pid)
        buf_printf(out, traceback ? ", pid: \"%u\"" : "\"pid\":\"%u\"", pid);
    for (bool first = !pid; text && labelset_next(text, size, &at, &l); first = false) {
        buf_puts(out, first && !traceback ? "" : ", ");
        if (traceback)
            buf_puts(out, l.key);
        else
            gotext_quote(out, l.key, strlen(l.key));
        buf_puts(out, traceback ? ": " : ":");
        gotext_quote(out, l.value, strlen(l.value));
    }
}

static void put_stack(struct text_names *names, struct buf *out, const struct count_stack *s)
{
    buf_printf(out, "%lld @", (long long)s->count);
    for (uint32_t k = 0; k < s->depth; k++)
        buf_printf(out, " 0x%llx", (unsigned long long)s->pcs[k] + (k > 0));
    buf_putc(out, '\n');
    if (s->labels || s->pid) {
        buf_puts(out, "# labels: {");
        count_put_labels(out, s->labels, s->pid, false);
        buf_puts(out, "}\n");
    }
    names->modules = s->modules ? s->modules : rt.modules;
    text_put_frames(names, out, s->pcs, s->depth);
    buf_putc(out, '\n');
}

void count_write_text(const struct count_list *l, struct buf *out)
{
    struct text_names names;
    struct count_stack *list = arena_array(out->arena, l->count + 1, sizeof *list);
    struct count_stack *spare = arena_array(out->arena, l->count + 1, sizeof *spare);
    if (!list || !spare) {
        out->failed = 1;
        return;
    }
    memcpy(list, l->list, l->count * sizeof *list);
    sort(list, spare, l->count, compare_stacks);
    uint32_t n = fold(list, l->count, compare_stacks);
    sort(list, spare, n, most_frequent_first);
    text_begin(&names, out->arena);
    buf_printf(out, "%s profile: total %lld\n", l->name, (long long)count_total(l));
    for (uint32_t i = 0; i < n; i++)
        put_stack(&names, out, &list[i]);
    text_end(&names);
}
