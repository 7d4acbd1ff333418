/* SPDX-License-Identifier: MIT
 *
 * Block and mutex profiles as others read them: profile.proto, and the text of debug=1, both as Go
 * writes them (src/runtime/pprof/pprof.go, writeProfileInternal and printCountCycleProfile). Our
 * clock has 10^9 cycles in a second. */
#include "runtime/waits.h"

#include "runtime/encode.h"
#include "runtime/labels.h"
#include "runtime/text.h"
#include "runtime/tree.h"

#include <errno.h>
#include <time.h>

/* ---- whose ---- */

/* The log of one process. */
struct source {
    const struct heaptab *tab;
    uint64_t bytes;
    enum waittab_profile which;
    const struct module *modules;
    uint32_t pid; /* as a label; 0: none */
    const struct contention_base *base;
    uint64_t base_count;
    struct open_waits open; /* of this process: another's are not known */
};

/* What another process had at the begin of a view. */
struct contention_tree_base {
    uint32_t generation;
    const struct contention_base *base;
    uint64_t count;
};

/* 0 or -ENOMEM. */
static int own_source(const struct contention_view *view, struct arena *arena, struct source *from)
{
    *from = (struct source){.tab = waits.sites.tab,
                            .which = view->which,
                            .modules = rt.modules,
                            .pid = view->tree && (view->pid || tree_had_others()) ? rt.pid : 0,
                            .base = view->base,
                            .base_count = view->base_count};
    return view->which == WAITTAB_BLOCK ? waits_open_take(&from->open, arena) : 0;
}

/* Whether there is another process's log; `*at` begins with 0. */
static bool next_source(const struct contention_view *view, uint32_t *at, struct source *from,
                        uint32_t *slot)
{
    struct tree_process p;
    while (view->tree && tree_next_ever(&p, view->pid, at)) {
        const struct contention_tree_base *b = view->others ? &view->others[p.slot] : NULL;
        bool known = b && b->generation == p.generation;
        if (p.waits->magic != HEAPTAB_MAGIC)
            continue;
        *from = (struct source){.tab = p.waits,
                                .bytes = p.waits_bytes,
                                .which = view->which,
                                .modules = p.modules,
                                .pid = p.pid,
                                .base = known ? b->base : NULL,
                                .base_count = known ? b->count : 0};
        if (slot)
            *slot = p.slot;
        if (b && !known && slot)
            view->others[p.slot].generation = p.generation;
        return true;
    }
    return false;
}

/* The site after s (NULL: the first) of one profile, or NULL. */
static const struct heaptab_site *next_site(const struct source *from, const struct heaptab_site *s)
{
    do
        s = from->tab == waits.sites.tab ? sites_next(&waits.sites, s)
                                         : heaptab_next(from->tab, from->bytes, s);
    while (s && s->size != from->which);
    return s;
}

static uint64_t count(const struct source *from)
{
    uint64_t n = 0;
    for (const struct heaptab_site *s = NULL; (s = next_site(from, s));)
        n++;
    return n;
}

static uint64_t count_own(enum waittab_profile which)
{
    struct source from = {.tab = waits.sites.tab, .which = which};
    return count(&from);
}

uint64_t contention_count_block(void)
{
    return count_own(WAITTAB_BLOCK);
}

uint64_t contention_count_mutex(void)
{
    return count_own(WAITTAB_MUTEX);
}

/* Contentions in HEAPTAB_ONEth. */
static void read_site(const struct heaptab_site *s, struct contention_base *to)
{
    to->site = s;
    to->contentions = atomic_load_explicit(&s->n[WAITTAB_CONTENTIONS], memory_order_relaxed);
    to->delay_ns = atomic_load_explicit(&s->n[WAITTAB_DELAY_NS], memory_order_relaxed);
}

static const struct contention_base *copy_base(const struct source *from, struct arena *arena,
                                               uint64_t *count_of)
{
    uint64_t n = count(from), i = 0;
    uint32_t open_at = 0;
    struct contention_base *base = arena_array(arena, n + 1, sizeof *base);
    for (const struct heaptab_site *s = NULL; base && i < n && (s = next_site(from, s)); i++) {
        read_site(s, &base[i]);
        waits_open_add(&from->open, &open_at, &base[i]);
    }
    *count_of = i;
    return base;
}

int contention_begin_delta(struct contention_view *view, struct arena *arena)
{
    struct source from;
    uint32_t slot;
    if (own_source(view, arena, &from) != 0)
        return -ENOMEM;
    view->base = copy_base(&from, arena, &view->base_count);
    view->base_mono_ns = waits_now_ns();
    if (!view->tree || !view->base)
        return view->base ? 0 : -ENOMEM;
    view->others = arena_zarray(arena, TREE_PLACES, sizeof *view->others);
    tree_begin_delta();
    for (uint32_t at = 0; view->others && next_source(view, &at, &from, &slot);) {
        struct contention_tree_base *b = &view->others[slot];
        b->base = copy_base(&from, arena, &b->count);
        if (!b->base)
            return -ENOMEM;
    }
    return view->others ? 0 : -ENOMEM;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0; /* a wait that just ended may have been looked at twice */
}

/* Appends a process's sites and what they have, with what is waited for now, less what they had at
 * the begin of the view; those with nothing are left out. */
static uint64_t list_source(const struct source *from, struct contention_base *rows, uint64_t max)
{
    uint64_t n = 0, at = 0;
    uint32_t open_at = 0;
    for (const struct heaptab_site *s = NULL; n < max && (s = next_site(from, s));) {
        struct contention_base *row = &rows[n];
        read_site(s, row);
        waits_open_add(&from->open, &open_at, row);
        row->modules = from->modules;
        row->pid = from->pid;
        while (at < from->base_count && from->base[at].site < s)
            at++;
        if (at < from->base_count && from->base[at].site == s) {
            row->contentions = less(row->contentions, from->base[at].contentions);
            row->delay_ns = less(row->delay_ns, from->base[at].delay_ns);
        }
        n += row->contentions || row->delay_ns;
    }
    return n;
}

/* NULL: no memory. */
static struct contention_base *list_sites(const struct contention_view *view, struct arena *arena,
                                          uint64_t *n)
{
    struct source own, from;
    bool with_own = !view->tree || tree_wants_self(view->pid);
    *n = 0;
    if (own_source(view, arena, &own) != 0)
        return NULL;
    uint64_t max = with_own ? count(&own) : 0;
    for (uint32_t at = 0; next_source(view, &at, &from, NULL);)
        max += count(&from);
    struct contention_base *rows = arena_array(arena, max + 1, sizeof *rows);
    *n = rows && with_own ? list_source(&own, rows, max) : 0;
    for (uint32_t at = 0; rows && next_source(view, &at, &from, NULL);)
        *n += list_source(&from, rows + *n, max - *n);
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
    uint32_t locations[LIMIT_STACK_DEPTH], depth = row->site->depth;
    struct profile_label labels[LIMIT_LABELS + 1];
    struct profile_build_sample sample = {
        .locations = locations,
        .location_count = depth,
        .values = {whole(row->contentions), (int64_t)row->delay_ns},
        .labels = labels,
        .label_count = labels_fill(b->p, row->site->labels, labels),
    };
    if (depth > LIMIT_STACK_DEPTH) /* another process has changed it */
        return;
    if (row->pid)
        tree_label(b, row->pid, &labels[sample.label_count++]);
    for (uint32_t k = 0; k < depth; k++)
        locations[k] = encode_location_in(b, row->modules, row->site->pcs[k], row->site->epoch);
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
        if (view->tree)
            tree_say_missing(&b);
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
        uint32_t depth = s->depth <= LIMIT_STACK_DEPTH ? s->depth : 0;
        for (uint32_t k = 0; k < depth; k++)
            buf_printf(out, " 0x%llx", (unsigned long long)s->pcs[k] + 1);
        buf_putc(out, '\n');
        if (rows[i].pid)
            buf_printf(out, rows[i].pid == TREE_ENDED ? "# pid: ended\n" : "# pid: %u\n",
                       rows[i].pid);
        names.modules = rows[i].modules;
        text_put_frames(&names, out, s->pcs, depth);
        buf_putc(out, '\n');
    }
    text_end(&names);
}
