/* SPDX-License-Identifier: MIT
 *
 * Block and mutex profiles as others read them: profile.proto, and the text of debug=1, both as Go
 * writes them (src/runtime/pprof/pprof.go, writeProfileInternal and printCountCycleProfile). Our
 * clock has 10^9 cycles in a second. */
#include "runtime/waits.h"

#include "runtime/encode.h"
#include "runtime/labels.h"
#include "runtime/text.h"

#include <errno.h>
#include <time.h>

/* The site after s (NULL: the first) of one profile, or NULL. */
static const struct heaptab_site *next_site(enum waittab_profile which,
                                            const struct heaptab_site *s)
{
    do
        s = sites_next(&waits.sites, s);
    while (s && s->size != which);
    return s;
}

static uint64_t count(enum waittab_profile which)
{
    uint64_t n = 0;
    for (const struct heaptab_site *s = NULL; (s = next_site(which, s));)
        n++;
    return n;
}

uint64_t contention_count_block(void)
{
    return count(WAITTAB_BLOCK);
}

uint64_t contention_count_mutex(void)
{
    return count(WAITTAB_MUTEX);
}

/* Contentions in HEAPTAB_ONEth. */
static void read_site(const struct heaptab_site *s, struct contention_base *to)
{
    to->site = s;
    to->contentions = atomic_load_explicit(&s->n[WAITTAB_CONTENTIONS], memory_order_relaxed);
    to->delay_ns = atomic_load_explicit(&s->n[WAITTAB_DELAY_NS], memory_order_relaxed);
}

int contention_begin_delta(struct contention_view *view, struct arena *arena)
{
    struct open_waits open = {0};
    uint32_t at = 0;
    if (view->which == WAITTAB_BLOCK && waits_open_take(&open, arena) != 0)
        return -ENOMEM;
    uint64_t n = count(view->which), i = 0;
    struct contention_base *base = arena_array(arena, n + 1, sizeof *base);
    if (!base)
        return -ENOMEM;
    for (const struct heaptab_site *s = NULL; i < n && (s = next_site(view->which, s)); i++) {
        read_site(s, &base[i]);
        waits_open_add(&open, &at, &base[i]);
    }
    view->base = base;
    view->base_count = i;
    view->base_mono_ns = waits_now_ns();
    return 0;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0; /* a wait that just ended may have been looked at twice */
}

/* The sites and what they have, with what is waited for now, less what they had at the begin of the
 * view; those with nothing are left out. NULL: no memory. */
static struct contention_base *list_sites(const struct contention_view *view, struct arena *arena,
                                          uint64_t *n)
{
    struct open_waits open = {0};
    uint32_t open_at = 0;
    *n = 0;
    if (view->which == WAITTAB_BLOCK && waits_open_take(&open, arena) != 0)
        return NULL;
    uint64_t max = count(view->which), at = 0;
    struct contention_base *rows = arena_array(arena, max + 1, sizeof *rows);
    for (const struct heaptab_site *s = NULL;
         rows && *n < max && (s = next_site(view->which, s));) {
        struct contention_base *row = &rows[*n];
        read_site(s, row);
        waits_open_add(&open, &open_at, row);
        while (at < view->base_count && view->base[at].site < s)
            at++;
        if (at < view->base_count && view->base[at].site == s) {
            row->contentions = less(row->contentions, view->base[at].contentions);
            row->delay_ns = less(row->delay_ns, view->base[at].delay_ns);
        }
        *n += row->contentions || row->delay_ns;
    }
    return rows;
}

static int64_t whole(uint64_t contentions)
{
    return (int64_t)((contentions + HEAPTAB_ONE / 2) / HEAPTAB_ONE);
}

/* ---- profile.proto ---- */

static void add_comments(struct profile_build *b, const struct contention_view *view)
{
    unsigned long long rate = atomic_load(&waits.block_rate);
    unsigned fraction = atomic_load(&waits.mutex_fraction);
    if (view->which == WAITTAB_BLOCK && rate)
        profile_build_comment(
            b, "strobe " STROBE_VERSION ": block, a sample in %llu ns of %s", rate,
            atomic_load(&waits.what) & WAITTAB_IO ? "waiting, system calls too" : "waiting");
    else if (view->which == WAITTAB_MUTEX && fraction)
        profile_build_comment(b, "strobe " STROBE_VERSION ": mutex, one in %u contentions",
                              fraction);
    else
        profile_build_comment(b, "strobe " STROBE_VERSION
                                 ": not profiled: STROBE=block,mutex and their rates turn it on");
    if (waits.sites.tab)
        profile_build_comment(b, "%llu waits lost, %llu stacks truncated",
                              (unsigned long long)waits_lost(),
                              (unsigned long long)atomic_load(&waits.sites.tab->truncated));
    profile_build_comment(b, "# memory of the profiles of waits: %llu bytes",
                          (unsigned long long)sites_memory(&waits.sites));
}

static void add_row(struct profile_build *b, const struct contention_base *row)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[LIMIT_LABELS];
    struct profile_build_sample sample = {
        .locations = locations,
        .location_count = row->site->depth,
        .values = {whole(row->contentions), (int64_t)row->delay_ns},
        .labels = labels,
        .label_count = labels_fill(b->p, row->site->labels, labels),
    };
    for (uint32_t k = 0; k < row->site->depth; k++)
        locations[k] = encode_location(b, row->site->pcs[k], row->site->epoch);
    profile_build_add(b, &sample);
}

int contention_write(const struct contention_view *view, strobe_write_fn write, void *ctx)
{
    struct profile p;
    struct profile_build b;
    struct timespec now;
    uint64_t n;
    profile_init(&p);
    p.arena.null_on_oom = 1;
    profile_build_contention(&b, &p);
    clock_gettime(CLOCK_REALTIME, &now);
    p.time_nanos = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    if (view->base)
        p.duration_nanos = (int64_t)(waits_now_ns() - view->base_mono_ns);
    struct contention_base *rows = list_sites(view, &p.arena, &n);
    if (rows) {
        encode_program(&b);
        for (uint64_t i = 0; i < n; i++)
            add_row(&b, &rows[i]);
        encode_names(&b);
        add_comments(&b, view);
    } else {
        b.failed = 1;
    }
    return encode_write(&b, write, ctx);
}

/* ---- text ---- */

/* As Go sorts: the longest delay first. In place, because qsort would allocate. */
static void sort_rows(struct contention_base *rows, uint64_t n)
{
    for (uint64_t gap = n / 2; gap; gap = gap == 2 ? 1 : gap * 5 / 11)
        for (uint64_t i = gap; i < n; i++) {
            struct contention_base x = rows[i];
            uint64_t k = i;
            for (; k >= gap && rows[k - gap].delay_ns < x.delay_ns; k -= gap)
                rows[k] = rows[k - gap];
            rows[k] = x;
        }
}

void contention_write_text(const struct contention_view *view, struct buf *out)
{
    struct text_names names;
    uint64_t n;
    struct contention_base *rows = list_sites(view, out->arena, &n);
    if (!rows) {
        out->failed = 1;
        return;
    }
    sort_rows(rows, n);
    buf_printf(out, "--- %s:\ncycles/second=1000000000\n",
               view->which == WAITTAB_BLOCK ? "contention" : "mutex");
    if (view->which == WAITTAB_MUTEX)
        buf_printf(out, "sampling period=%u\n", atomic_load(&waits.mutex_fraction));
    text_begin(&names, out->arena);
    for (uint64_t i = 0; i < n; i++) {
        const struct heaptab_site *s = rows[i].site;
        buf_printf(out, "%llu %lld @", (unsigned long long)rows[i].delay_ns,
                   (long long)whole(rows[i].contentions));
        for (uint32_t k = 0; k < s->depth; k++)
            buf_printf(out, " 0x%llx", (unsigned long long)s->pcs[k] + 1);
        buf_putc(out, '\n');
        text_put_frames(&names, out, s->pcs, s->depth);
        buf_putc(out, '\n');
    }
    text_end(&names);
}
