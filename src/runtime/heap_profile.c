/* SPDX-License-Identifier: MIT
 *
 * Heap profiles as others read them: profile.proto, with the size of objects as the numeric label
 * `bytes`, and the text of Go's debug=1 (src/runtime/pprof/pprof.go, writeHeapInternal), which has
 * samples as they were taken and leaves their scaling to the reader. */
#include "runtime/heap.h"

#include "base/sigsafe.h"
#include "runtime/encode.h"
#include "runtime/labels.h"
#include "runtime/memstats.h"
#include "runtime/text.h"
#include "runtime/tree.h"

#include <errno.h>

uint64_t heap_count(void)
{
    return sites_count(&heap.sites);
}

uint64_t heap_memory(void)
{
    return live_memory() + sites_memory(&heap.sites);
}

/* ---- whose ---- */

/* The log of one process. */
struct source {
    const struct heaptab *tab;
    uint64_t bytes;
    const struct module *modules;
    uint32_t pid; /* as a label; 0: none */
    bool with_age, at_peak;
    bool has_ended; /* nothing of it is in use */
    const struct heap_base *base;
    uint64_t base_count;
};

/* What another process had at the begin of a view. */
struct heap_tree_base {
    uint32_t generation;
    const struct heap_base *base;
    uint64_t count;
};

static struct source own_source(const struct heap_view *view)
{
    return (struct source){.tab = heap.tab,
                           .modules = rt.modules,
                           .pid = view->tree && (view->pid || tree_had_others()) ? rt.pid : 0,
                           .with_age = view->ages,
                           .at_peak = view->at_peak,
                           .base = view->base,
                           .base_count = view->base_count};
}

static bool is_log(const struct tree_process *p)
{
    return p->heap->magic == HEAPTAB_MAGIC;
}

static struct source source_of(const struct heap_view *view, const struct tree_process *p)
{
    const struct heap_tree_base *b = view->others ? &view->others[p->slot] : NULL;
    bool known = b && b->generation == p->generation;
    return (struct source){.tab = p->heap,
                           .bytes = p->heap_bytes,
                           .modules = p->modules,
                           .pid = p->pid,
                           .with_age = view->ages,
                           .at_peak = view->at_peak,
                           .has_ended = p->has_ended,
                           .base = known ? b->base : NULL,
                           .base_count = known ? b->count : 0};
}

/* Whether there is another process's log; `*at` begins with 0. */
static bool next_source(const struct heap_view *view, uint32_t *at, struct source *from)
{
    struct tree_process p;
    while (view->tree && tree_next_ever(&p, view->pid, at))
        if (is_log(&p)) {
            *from = source_of(view, &p);
            return true;
        }
    return false;
}

static const struct heaptab_site *next_site(const struct source *from, const struct heaptab_site *s)
{
    return from->tab == heap.tab ? sites_next(&heap.sites, s)
                                 : heaptab_next(from->tab, from->bytes, s);
}

/* What a process kept that has ended is not in use any more. */
static void empty(struct heaptab_values *v)
{
    v->inuse_objects = v->inuse_bytes = v->raw_inuse = v->raw_inuse_bytes = v->age_s = 0;
}

static void read_site(const struct source *from, const struct heaptab_site *s,
                      struct heaptab_values *v)
{
    heaptab_read(from->tab, s, from->at_peak && !from->has_ended, v);
    if (from->has_ended)
        empty(v);
}

/* ---- profile.proto ---- */

static int begin_other(struct heap_tree_base *to, const struct tree_process *p, struct arena *arena)
{
    uint64_t n = 0, i = 0;
    const struct heaptab_site *s = NULL;
    while ((s = heaptab_next(p->heap, p->heap_bytes, s)))
        n++;
    struct heap_base *base = arena_array(arena, n + 1, sizeof *base);
    if (!base)
        return -ENOMEM;
    for (s = NULL; i < n && (s = heaptab_next(p->heap, p->heap_bytes, s)); i++) {
        base[i].site = s;
        heaptab_read(p->heap, s, false, &base[i].v);
        if (p->has_ended)
            empty(&base[i].v);
    }
    *to = (struct heap_tree_base){.generation = p->generation, .base = base, .count = i};
    return 0;
}

static int begin_others(struct heap_view *view, struct arena *arena)
{
    struct tree_process p;
    int r = 0;
    view->others = arena_zarray(arena, TREE_PLACES, sizeof *view->others);
    tree_begin_delta();
    for (uint32_t at = 0; view->others && r == 0 && tree_next_ever(&p, view->pid, &at);)
        r = is_log(&p) ? begin_other(&view->others[p.slot], &p, arena) : 0;
    return view->others ? r : -ENOMEM;
}

int heap_begin_delta(struct heap_view *view, struct arena *arena)
{
    uint64_t n = heap_count(), i = 0;
    struct heap_base *base = arena_array(arena, n + 1, sizeof *base);
    if (!base)
        return -ENOMEM;
    for (const struct heaptab_site *s = NULL; i < n && (s = sites_next(&heap.sites, s)); i++) {
        base[i].site = s;
        heaptab_read(heap.tab, s, false, &base[i].v);
    }
    view->base = base;
    view->base_count = i;
    view->base_mono_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    return view->tree ? begin_others(view, arena) : 0;
}

/* What a site had at the begin of the view; both are in the log's order. */
static const struct heap_base *find_base(const struct source *from, uint64_t *at,
                                         const struct heaptab_site *s)
{
    while (*at < from->base_count && from->base[*at].site < s)
        ++*at;
    return *at < from->base_count && from->base[*at].site == s ? &from->base[*at] : NULL;
}

static void take_off(int64_t values[4], const struct heap_base *base)
{
    values[0] -= (int64_t)base->v.alloc_objects;
    values[1] -= (int64_t)base->v.alloc_bytes;
    values[2] -= (int64_t)base->v.inuse_objects;
    values[3] -= (int64_t)base->v.inuse_bytes;
}

/* Objects' size, what the program has labelled, and, where it is asked for, the age of what lives.
 */
static uint32_t fill_labels(struct profile_build *b, const struct heaptab_site *s,
                            const struct heaptab_values *v, const struct source *from,
                            struct profile_label *labels)
{
    labels[0] = (struct profile_label){.key = profile_intern_cstr(b->p, "bytes"),
                                       .num = (int64_t)(v->raw_alloc_bytes / v->raw_allocs)};
    uint32_t n = 1 + labels_fill(b->p, s->labels, labels + 1);
    if (from->pid)
        tree_label(b, from->pid, &labels[n++]);
    if (from->with_age && v->raw_inuse)
        labels[n++] = (struct profile_label){.key = profile_intern_cstr(b->p, "age"),
                                             .num_unit = profile_intern_cstr(b->p, "seconds"),
                                             .num = (int64_t)v->age_s};
    return n;
}

static void add_site(struct profile_build *b, const struct heaptab_site *s,
                     const struct heaptab_values *v, const struct heap_base *base,
                     const struct source *from)
{
    uint32_t locations[LIMIT_STACK_DEPTH], depth = s->depth;
    struct profile_label labels[3 + LIMIT_LABELS];
    struct profile_build_sample sample = {
        .locations = locations,
        .location_count = depth,
        .values = {(int64_t)v->alloc_objects, (int64_t)v->alloc_bytes, (int64_t)v->inuse_objects,
                   (int64_t)v->inuse_bytes},
        .labels = labels,
        .label_count = fill_labels(b, s, v, from, labels),
    };
    if (base)
        take_off(sample.values, base);
    if (!sample.values[0] && !sample.values[1] && !sample.values[2] && !sample.values[3])
        return;
    if (depth > LIMIT_STACK_DEPTH) /* another process has changed it */
        return;
    for (uint32_t k = 0; k < depth; k++)
        locations[k] = encode_location_in(b, from->modules, s->pcs[k], s->epoch);
    profile_build_add(b, &sample);
}

static void add_sites(struct profile_build *b, const struct source *from)
{
    uint64_t at = 0;
    for (const struct heaptab_site *s = NULL; (s = next_site(from, s));) {
        struct heaptab_values v;
        read_site(from, s, &v);
        if (v.raw_allocs)
            add_site(b, s, &v, find_base(from, &at, s), from);
    }
}

static void add_processes(struct profile_build *b, const struct heap_view *view)
{
    struct source from;
    uint32_t at = 0;
    heap_tell_time();
    if (!view->tree || tree_wants_self(view->pid)) {
        from = own_source(view);
        add_sites(b, &from);
    }
    while (next_source(view, &at, &from))
        add_sites(b, &from);
    if (view->tree)
        tree_say_missing(b);
}

static void add_comments(struct profile_build *b, const struct heap_view *view)
{
    uint64_t lost = atomic_load(&heap.tab->lost), truncated = atomic_load(&heap.tab->truncated);
    profile_build_comment(b, "strobe " STROBE_VERSION ": heap, a sample in %llu bytes%s%s",
                          (unsigned long long)heap_rate(),
                          heap.rate_changed ? "; at other rates before: samples weigh by theirs"
                                            : "",
                          view->at_peak ? "; in use: at the peak" : "");
    profile_build_comment(b, "%llu samples lost, %llu truncated", (unsigned long long)lost,
                          (unsigned long long)truncated);
    profile_build_comment(b, "# peak in use: %llu bytes",
                          (unsigned long long)atomic_load(&heap.tab->peak_bytes));
    profile_build_comment(b, "# memory of the heap profile: %llu bytes",
                          (unsigned long long)heap_memory());
}

/* Now, as Go's; of a difference how long it was. */
static void set_times(struct profile *p, const struct heap_view *view)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    p->time_nanos = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (view->base)
        p->duration_nanos = (int64_t)(sigsafe_clock_ns(CLOCK_MONOTONIC) - view->base_mono_ns);
}

int heap_write(const struct heap_view *view, strobe_write_fn write, void *ctx)
{
    struct profile p;
    struct profile_build b;
    profile_init(&p);
    p.arena.null_on_oom = 1;
    profile_build_heap(&b, &p, (int64_t)heap_rate());
    set_times(&p, view);
    if (view->allocs)
        p.default_sample_type = profile_intern_cstr(&p, "alloc_space");
    encode_program(&b);
    add_processes(&b, view);
    encode_names(&b);
    add_comments(&b, view);
    return encode_write(&b, write, ctx);
}

/* ---- text ---- */

/* A reader scales samples by the one rate that is told. Where there were several, they are told as
 * scaled, at rate 1. */
static void scale(struct heaptab_values *v)
{
    v->raw_inuse = v->inuse_objects;
    v->raw_inuse_bytes = v->inuse_bytes;
    v->raw_allocs = v->alloc_objects;
    v->raw_alloc_bytes = v->alloc_bytes;
}

struct row {
    const struct heaptab_site *site;
    const struct module *modules;
    uint32_t pid;
    struct heaptab_values v;
};

/* As Go sorts: what is in use most comes first. */
static int compare_rows(const struct row *x, const struct row *y)
{
    if (x->v.raw_inuse_bytes != y->v.raw_inuse_bytes)
        return x->v.raw_inuse_bytes < y->v.raw_inuse_bytes ? 1 : -1;
    return x->site < y->site ? -1 : x->site > y->site;
}

/* In place: qsort would allocate. */
static void sort_rows(struct row *rows, uint64_t n)
{
    for (uint64_t gap = n / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (uint64_t i = gap; i < n; i++) {
            struct row x = rows[i];
            uint64_t k = i;
            for (; k >= gap && compare_rows(&rows[k - gap], &x) > 0; k -= gap)
                rows[k] = rows[k - gap];
            rows[k] = x;
        }
}

static void put_counts(struct buf *out, const struct heaptab_values *v)
{
    buf_printf(out, "%llu: %llu [%llu: %llu] @", (unsigned long long)v->raw_inuse,
               (unsigned long long)v->raw_inuse_bytes, (unsigned long long)v->raw_allocs,
               (unsigned long long)v->raw_alloc_bytes);
}

static void put_row(struct text_names *names, struct buf *out, const struct row *r)
{
    uint32_t depth = r->site->depth <= LIMIT_STACK_DEPTH ? r->site->depth : 0;
    put_counts(out, &r->v);
    for (uint32_t i = 0; i < depth; i++)
        buf_printf(out, " 0x%llx", (unsigned long long)r->site->pcs[i] + 1);
    buf_putc(out, '\n');
    if (r->pid)
        buf_printf(out, r->pid == TREE_ENDED ? "# pid: ended\n" : "# pid: %u\n", r->pid);
    names->modules = r->modules;
    text_put_frames(names, out, r->site->pcs, depth);
    buf_putc(out, '\n');
}

struct rows {
    struct row *list;
    uint64_t count, room;
    struct heaptab_values total;
};

static uint64_t count_rows(const struct heap_view *view)
{
    struct source from;
    uint64_t n = heap_count();
    for (uint32_t at = 0; next_source(view, &at, &from);)
        for (const struct heaptab_site *s = NULL; (s = next_site(&from, s));)
            n++;
    return n;
}

static void list_rows(struct rows *to, const struct source *from)
{
    for (const struct heaptab_site *s = NULL; to->count < to->room && (s = next_site(from, s));) {
        struct row *r = &to->list[to->count++];
        *r = (struct row){.site = s, .modules = from->modules, .pid = from->pid};
        read_site(from, s, &r->v);
        if (heap.rate_changed)
            scale(&r->v);
        to->total.raw_inuse += r->v.raw_inuse;
        to->total.raw_inuse_bytes += r->v.raw_inuse_bytes;
        to->total.raw_allocs += r->v.raw_allocs;
        to->total.raw_alloc_bytes += r->v.raw_alloc_bytes;
    }
}

void heap_write_text(const struct heap_view *view, struct buf *out)
{
    struct source from;
    struct rows rows = {.room = count_rows(view)};
    uint32_t at = 0;
    rows.list = arena_array(out->arena, rows.room + 1, sizeof *rows.list);
    if (!rows.list) {
        out->failed = 1;
        return;
    }
    if (!view->tree || tree_wants_self(view->pid)) {
        from = own_source(view);
        list_rows(&rows, &from);
    }
    while (next_source(view, &at, &from))
        list_rows(&rows, &from);
    sort_rows(rows.list, rows.count);
    buf_puts(out, "heap profile: ");
    put_counts(out, &rows.total);
    buf_printf(out, " heap/%llu\n", 2ull * (heap.rate_changed ? 1 : heap_rate()));
    struct text_names names;
    text_begin(&names, out->arena);
    for (uint64_t i = 0; i < rows.count; i++)
        put_row(&names, out, &rows.list[i]);
    text_end(&names);
    memstats_put_text(out);
}
