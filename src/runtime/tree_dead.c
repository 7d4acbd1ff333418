/* SPDX-License-Identifier: MIT
 *
 * What processes of a tree had counted that are gone. Their slots stay as they are until others
 * need them; who takes one adds what is in it to one sum for all, by stack, so that ten thousand
 * short children take no more memory than the stacks that they have in common, and no more time
 * than a look at what each has counted itself, which is bounded as well.
 *
 * Addresses in the sum are those of the first process that a module was met in. Where another had
 * it elsewhere its addresses are moved there; what was in the way of another is moved out of it.
 * What a process kept of its heap went with it: of that only what it had allocated is added.
 *
 * The sum is in the shared segment: who adds to it may be killed at any instruction, so that a lock
 * says whose it is, and a site counts when it is complete. */
#include "runtime/tree.h"

#include "base/sigsafe.h"
#include "base/waittab.h"
#include "runtime/encode.h"

#include <errno.h>
#include <string.h>

enum { PROBES = 64, CACHE = 256, TIME_NS = 5000000, LOOK_AT_CLOCK = 64, LOCK_TRIES = 2000 };
/* Where modules go whose own place is taken: no process has anything there. */
#define MOVED_TO 0x100000000000ull
#define MOVED_BY 0x10000000ull

struct work {
    const struct tree_process *from;
    const struct tree_grave *to;
    uint64_t until_ns;
    uint32_t looked;
    struct {
        uint64_t pc, to;
        uint32_t epoch;
    } cache[CACHE];
    uint64_t pcs[LIMIT_STACK_DEPTH];
};

/* ---- the lock ---- */

bool tree_dead_lock(struct tree_dead *d)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        uint32_t holder = 0;
        if (atomic_compare_exchange_strong(&d->lock, &holder, rt.pid))
            return true;
        if (holder && sigsafe_syscall2(SYS_kill, holder, 0) == -ESRCH &&
            atomic_compare_exchange_strong(&d->lock, &holder, rt.pid))
            return true;
        sigsafe_syscall0(SYS_sched_yield);
    }
    return false;
}

void tree_dead_unlock(struct tree_dead *d)
{
    atomic_store(&d->lock, 0);
}

/* ---- modules ---- */

static bool is_same_file(const struct module *a, const struct module *b)
{
    return a->offset == b->offset && a->limit - a->start == b->limit - b->start &&
           a->path_len == b->path_len && a->build_id_len == b->build_id_len &&
           a->path_len < sizeof a->path && a->build_id_len <= sizeof a->build_id &&
           !memcmp(a->path, b->path, a->path_len) &&
           !memcmp(a->build_id, b->build_id, a->build_id_len);
}

/* The module of the sum that stands for one of the process; NULL: there is no room. */
static const struct module *find_module(const struct tree_grave *to, const struct module *m)
{
    uint64_t start = m->start;
    uint32_t n = 0;
    for (; n < RUNTIME_MODULES && to->modules[n].limit; n++) {
        const struct module *has = &to->modules[n];
        if (is_same_file(has, m))
            return has;
        if (m->start < has->limit && has->start < m->limit)
            start = MOVED_TO + n * MOVED_BY;
    }
    if (n == RUNTIME_MODULES || (start != m->start && m->limit - m->start > MOVED_BY))
        return NULL;
    struct module *made = &to->modules[n];
    *made = *m;
    made->start = start;
    made->limit = start + (m->limit - m->start);
    made->epoch = 0;
    atomic_store(&made->ready, 1);
    return made;
}

static uint64_t move_pc(struct work *w, uint64_t pc, uint32_t epoch)
{
    uint32_t at = (uint32_t)(pc * 0x9e3779b97f4a7c15ull >> 56) % CACHE;
    if (pc < SHM_PSEUDO_COUNT)
        return pc;
    if (w->cache[at].pc == pc && w->cache[at].epoch == epoch)
        return w->cache[at].to;
    const struct module *m = encode_find_module(w->from->modules, pc, epoch);
    const struct module *to = m ? find_module(w->to, m) : NULL;
    uint64_t moved = to ? pc - m->start + to->start : pc;
    if (!to && encode_find_module(w->to->modules, pc, 0))
        moved = MOVED_TO - 1; /* it was in no module, and must not be taken for another's */
    w->cache[at].pc = pc;
    w->cache[at].epoch = epoch;
    w->cache[at].to = moved;
    return moved;
}

static const uint64_t *move_stack(struct work *w, const uint64_t *pcs, uint32_t depth,
                                  uint32_t epoch)
{
    for (uint32_t i = 0; i < depth; i++)
        w->pcs[i] = move_pc(w, pcs[i], epoch);
    return w->pcs;
}

/* ---- sites ---- */

static uint64_t hash_site(const struct heaptab_site *s, const uint64_t *pcs)
{
    uint64_t h = s->size ^ s->rate << 24 ^ (uint64_t)s->labels << 48 ^ s->depth;
    for (uint32_t i = 0; i < s->depth; i++) {
        h = (h ^ pcs[i]) * 0x9e3779b97f4a7c15ull;
        h ^= h >> 29;
    }
    return h;
}

static bool is_same_site(const struct heaptab_site *a, const struct heaptab_site *b,
                         const uint64_t *pcs)
{
    return a->size == b->size && a->rate == b->rate && a->labels == b->labels &&
           a->depth == b->depth && !memcmp(a->pcs, pcs, b->depth * sizeof *pcs);
}

/* What the log says of itself may be anything. */
static bool has_room(const struct heaptab *t, uint64_t bytes, uint32_t depth)
{
    uint64_t used = atomic_load(&t->used), most = bytes - sizeof *t;
    return used % 8 == 0 && used < most && atomic_load(&t->room) <= most &&
           atomic_load(&t->size) <= most &&
           most - used >= sizeof(struct heaptab_site) + depth * sizeof(uint64_t);
}

static struct heaptab_site *append(struct heaptab *t, uint64_t bytes, const struct heaptab_site *s,
                                   const uint64_t *pcs)
{
    struct heaptab_site *to = has_room(t, bytes, s->depth) ? heaptab_append(t, s->depth) : NULL;
    if (!to)
        return NULL;
    to->flags = s->flags;
    to->reason = s->reason;
    to->labels = s->labels;
    to->hash = hash_site(s, pcs);
    to->size = s->size;
    to->rate = s->rate;
    memcpy(to->pcs, pcs, s->depth * sizeof *pcs);
    atomic_store_explicit(&to->ready, 1, memory_order_release);
    return to;
}

/* What the index says may be anything: the site must be one, in the log. */
static struct heaptab_site *site_at(struct heaptab *t, uint64_t bytes, uint32_t number)
{
    uint64_t at = (uint64_t)(number - 1) * 8, used = atomic_load(&t->used);
    struct heaptab_site *s = (struct heaptab_site *)(t->data + at);
    if (used > bytes - sizeof *t || at >= used || used - at < sizeof *s ||
        s->depth > LIMIT_STACK_DEPTH || used - at < sizeof *s + s->depth * sizeof *s->pcs)
        return NULL;
    return s;
}

/* The site of the sum; NULL: there is no room. */
static struct heaptab_site *find_site(struct heaptab *t, uint64_t bytes, uint32_t *index,
                                      const struct heaptab_site *s, const uint64_t *pcs)
{
    uint64_t hash = hash_site(s, pcs);
    for (uint32_t i = 0; i < PROBES; i++) {
        uint32_t *slot = &index[(hash + i) % TREE_DEAD_INDEX];
        struct heaptab_site *has = *slot ? site_at(t, bytes, *slot) : NULL;
        if (has && has->hash == hash && is_same_site(has, s, pcs))
            return has;
        if (*slot)
            continue;
        struct heaptab_site *made = append(t, bytes, s, pcs);
        if (made)
            *slot = (uint32_t)(((unsigned char *)made - t->data) / 8) + 1;
        return made;
    }
    return NULL;
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

static uint64_t get(const struct heaptab_site *s, int counter)
{
    return atomic_load_explicit(&s->n[counter], memory_order_relaxed);
}

/* All of it was freed when the process ended. */
static void add_heap(struct heaptab_site *to, const struct heaptab_site *s)
{
    static const struct {
        int alloc, free;
    } pairs[] = {{HEAPTAB_ALLOC_OBJECTS, HEAPTAB_FREE_OBJECTS},
                 {HEAPTAB_ALLOC_BYTES, HEAPTAB_FREE_BYTES},
                 {HEAPTAB_RAW_ALLOCS, HEAPTAB_RAW_FREES},
                 {HEAPTAB_RAW_ALLOC_BYTES, HEAPTAB_RAW_FREE_BYTES}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        uint64_t n = get(s, pairs[i].alloc);
        add(&to->n[pairs[i].alloc], n);
        add(&to->n[pairs[i].free], n);
    }
    add(&to->n[HEAPTAB_TEMPORARY], get(s, HEAPTAB_TEMPORARY));
}

static void add_waits(struct heaptab_site *to, const struct heaptab_site *s)
{
    add(&to->n[WAITTAB_CONTENTIONS], get(s, WAITTAB_CONTENTIONS));
    add(&to->n[WAITTAB_DELAY_NS], get(s, WAITTAB_DELAY_NS));
    add(&to->n[WAITTAB_SAMPLES], get(s, WAITTAB_SAMPLES));
}

/* A child that is being forked waits for this. */
static bool has_time(struct work *w)
{
    return ++w->looked % LOOK_AT_CLOCK || sigsafe_clock_ns(CLOCK_MONOTONIC) < w->until_ns;
}

/* False: not all of it. */
static bool add_log(struct work *w, struct tree_dead *d, bool of_waits)
{
    const struct heaptab *from = of_waits ? w->from->waits : w->from->heap;
    uint64_t from_bytes = of_waits ? w->from->waits_bytes : w->from->heap_bytes;
    struct heaptab *t = of_waits ? w->to->waits : w->to->heap;
    uint64_t bytes = of_waits ? w->to->waits_bytes : w->to->heap_bytes;
    uint32_t *index = of_waits ? d->waits_index : d->heap_index;
    if (from->magic != HEAPTAB_MAGIC)
        return true;
    if (t->magic != HEAPTAB_MAGIC)
        heaptab_init(t, bytes, sizeof *t);
    for (const struct heaptab_site *s = NULL; (s = heaptab_next(from, from_bytes, s));) {
        if (!has_time(w))
            return false;
        const uint64_t *pcs = move_stack(w, s->pcs, s->depth, s->epoch);
        struct heaptab_site *to = find_site(t, bytes, index, s, pcs);
        if (!to)
            add(&t->lost, 1);
        else if (of_waits)
            add_waits(to, s);
        else
            add_heap(to, s);
    }
    add(&t->lost, atomic_load(&from->lost));
    return true;
}

/* ---- tables of stacks ---- */

static bool add_table(struct work *w, const struct stacktab *from, struct stacktab *to)
{
    for (uint32_t i = 0; (i = stacktab_next(from, i)) < STACKTAB_ENTRIES; i++) {
        const struct stacktab_entry *e = &from->entries[i];
        bool ready = atomic_load_explicit(&e->ready, memory_order_acquire);
        uint64_t weight = ready ? atomic_load(&e->weight) : 0;
        uint32_t first = e->first, depth = e->key.depth;
        if (!weight || depth > LIMIT_STACK_DEPTH || first > STACKTAB_WORDS - depth)
            continue;
        if (!has_time(w))
            return false;
        struct stacktab_key key = e->key;
        const uint64_t *pcs = move_stack(w, from->words + first, depth, key.epoch);
        key.epoch = 0;
        key.depth = (uint16_t)depth;
        stacktab_add(to, &key, pcs, weight);
    }
    return true;
}

void tree_bury(struct tree_dead *d, const struct tree_process *from, const struct tree_grave *to,
               bool with_cpu)
{
    struct work w = {
        .from = from, .to = to, .until_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) + TIME_NS};
    atomic_fetch_add(&d->processes, 1);
    bool all = add_log(&w, d, false);
    all = add_log(&w, d, true) && all;
    all = add_table(&w, from->creations, to->creations) && all;
    if (with_cpu)
        all = add_table(&w, from->cpu, to->cpu) && all;
    if (!all)
        atomic_fetch_add(&d->cut, 1);
}
