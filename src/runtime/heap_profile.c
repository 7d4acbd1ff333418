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

#include <errno.h>

uint64_t heap_count(void)
{
    return sites_count(&heap.sites);
}

uint64_t heap_memory(void)
{
    return live_memory() + sites_memory(&heap.sites);
}

/* ---- profile.proto ---- */

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
    return 0;
}

/* What a site had at the begin of the view; both are in the log's order. */
static const struct heap_base *find_base(const struct heap_view *view, uint64_t *at,
                                         const struct heaptab_site *s)
{
    while (*at < view->base_count && view->base[*at].site < s)
        ++*at;
    return *at < view->base_count && view->base[*at].site == s ? &view->base[*at] : NULL;
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
                            const struct heaptab_values *v, bool with_age,
                            struct profile_label *labels)
{
    labels[0] = (struct profile_label){.key = profile_intern_cstr(b->p, "bytes"),
                                       .num = (int64_t)(v->raw_alloc_bytes / v->raw_allocs)};
    uint32_t n = 1 + labels_fill(b->p, s->labels, labels + 1);
    if (with_age && v->raw_inuse)
        labels[n++] = (struct profile_label){.key = profile_intern_cstr(b->p, "age"),
                                             .num_unit = profile_intern_cstr(b->p, "seconds"),
                                             .num = (int64_t)v->age_s};
    return n;
}

static void add_site(struct profile_build *b, const struct heaptab_site *s,
                     const struct heaptab_values *v, const struct heap_base *base, bool with_age)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[2 + LIMIT_LABELS];
    struct profile_build_sample sample = {
        .locations = locations,
        .location_count = s->depth,
        .values = {(int64_t)v->alloc_objects, (int64_t)v->alloc_bytes, (int64_t)v->inuse_objects,
                   (int64_t)v->inuse_bytes},
        .labels = labels,
        .label_count = fill_labels(b, s, v, with_age, labels),
    };
    if (base)
        take_off(sample.values, base);
    if (!sample.values[0] && !sample.values[1] && !sample.values[2] && !sample.values[3])
        return;
    for (uint32_t k = 0; k < s->depth; k++)
        locations[k] = encode_location(b, s->pcs[k], s->epoch);
    profile_build_add(b, &sample);
}

static void add_sites(struct profile_build *b, const struct heap_view *view)
{
    heap_tell_time();
    uint64_t at = 0;
    for (const struct heaptab_site *s = NULL; (s = sites_next(&heap.sites, s));) {
        struct heaptab_values v;
        heaptab_read(heap.tab, s, view->at_peak, &v);
        if (v.raw_allocs)
            add_site(b, s, &v, find_base(view, &at, s), view->ages);
    }
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
    add_sites(&b, view);
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
    put_counts(out, &r->v);
    for (uint32_t i = 0; i < r->site->depth; i++)
        buf_printf(out, " 0x%llx", (unsigned long long)r->site->pcs[i] + 1);
    buf_putc(out, '\n');
    text_put_frames(names, out, r->site->pcs, r->site->depth);
    buf_putc(out, '\n');
}

void heap_write_text(const struct heap_view *view, struct buf *out)
{
    uint64_t n = heap_count(), count = 0;
    struct heaptab_values total = {0};
    struct row *rows = arena_array(out->arena, n + 1, sizeof *rows);
    for (const struct heaptab_site *s = NULL; rows && count < n && (s = sites_next(&heap.sites, s));
         count++) {
        struct heaptab_values *v = &rows[count].v;
        rows[count].site = s;
        heaptab_read(heap.tab, s, view->at_peak, v);
        if (heap.rate_changed)
            scale(v);
        total.raw_inuse += v->raw_inuse;
        total.raw_inuse_bytes += v->raw_inuse_bytes;
        total.raw_allocs += v->raw_allocs;
        total.raw_alloc_bytes += v->raw_alloc_bytes;
    }
    if (!rows) {
        out->failed = 1;
        return;
    }
    sort_rows(rows, count);
    buf_puts(out, "heap profile: ");
    put_counts(out, &total);
    buf_printf(out, " heap/%llu\n", 2ull * (heap.rate_changed ? 1 : heap_rate()));
    struct text_names names;
    text_begin(&names, out->arena);
    for (uint64_t i = 0; i < count; i++)
        put_row(&names, out, &rows[i]);
    text_end(&names);
    memstats_put_text(out);
}
