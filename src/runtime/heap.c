/* SPDX-License-Identifier: MIT
 *
 * The middle of the heap profile: whether it is on, what happens to a sampled object from its
 * allocation to its end, and what fork and the program's end do to it. The fast paths are in
 * interpose_malloc.c; nothing here runs for an object that is not sampled, but where an address
 * happens to look like that of one.
 *
 * An object is in the table of live ones before it is counted, and out of it before it is freed:
 * two threads never have an address at once, and what is counted as allocated is counted as freed.
 */
#include "runtime/heap.h"

#include "base/sigsafe.h"
#include "runtime/file.h"
#include "runtime/memstats.h"
#include "runtime/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAPPED_FROM = 128 << 10, PAGE = 4096 };

struct heap_state heap;
HEAP_HIDDEN __thread struct heap_thread heap_self __attribute__((tls_model("initial-exec")));

static _Atomic uint32_t thread_ordinal;
static uint64_t seed;

/* ---- begin ---- */

static void *map_private(uint64_t bytes)
{
    long p = sigsafe_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

static int map_table(void)
{
    bool many = atomic_load(&heap.rate) < HEAP_RATE_LOOK_ALL;
    uint64_t at = rt.shm ? shm_heap_offset(shm_process_index(rt.shm, rt.process)) : 0;
    uint64_t lent_bytes;
    void *lent = tree_heap_log(&lent_bytes);
    int r = 0;
    if (lent)
        sites_use(&heap.sites, lent, lent_bytes);
    else if (at || many)
        r = sites_map(&heap.sites, HEAPTAB_BYTES, at);
    else
        r = sites_map_reserved(&heap.sites, HEAPTAB_BYTES / 16, HEAPTAB_BYTES);
    heap.tab = heap.sites.tab;
    if (heap.tab)
        atomic_store(&heap.tab->live_bytes, 0);
    return r;
}

static int make_alive(void)
{
    if (!heap.alive)
        heap.alive = map_private(PAGE);
    if (!heap.alive)
        return -ENOMEM;
    sigsafe_syscall3(SYS_madvise, heap.alive, PAGE, MADV_WIPEONFORK);
    atomic_store(heap.alive, 1);
    return 0;
}

static void turn_on(void)
{
    heap_self.left = heap_self.random = heap_self.rate = heap_self.rest = 0;
    heap.start_mono_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    bool all = atomic_load(&heap.rate) < HEAP_RATE_LOOK_ALL || heap_always_look() || heap.hooks_new;
    atomic_store(&heap.mask, all ? 0 : HEAP_MARK);
    atomic_store(&heap.on, 1);
}

static void turn_off(void)
{
    atomic_store(&heap.on, 0);
    atomic_store(&heap.mask, heap_always_look() ? 0 : ~(uintptr_t)0);
}

/* At rate 1 all that is freed was sampled, as a rule. */
static void set_filter(void)
{
    uint32_t was = heap_self.busy;
    heap_self.busy = 1;
    live_set_filter(atomic_load(&heap.rate) > 1);
    heap_self.busy = was;
}

int heap_start(uint64_t rate)
{
    if (!heap_end_bypass())
        return -EPERM;
    if (!heap_is_ours())
        return -ENOTSUP;
    int r = runtime_map();
    heap_stack_prepare();
    atomic_store(&heap.rate, rate ? rate : 1);
    if (r == 0)
        r = make_alive();
    if (r == 0 && !heap.tab)
        r = map_table();
    if (r < 0)
        return r;
    seed = rt.seed;
    if (!seed && sigsafe_syscall3(SYS_getrandom, &seed, sizeof seed, 1 /* GRND_NONBLOCK */) < 0)
        seed = sigsafe_ticks();
    heap.hooks_new = heap.hooks_new || heap_hook_new();
    set_filter();
    turn_on();
    return 0;
}

uint64_t heap_rate(void)
{
    uint64_t rate = atomic_load(&heap.rate);
    return rate == HEAP_RATE_NONE ? 0 : rate;
}

/* The mask goes to 0 before anything is sampled without a mark, and never back: then objects are
 * about that have none. */
void heap_change_rate(uint64_t rate)
{
    if (rate == atomic_load(&heap.rate))
        return;
    if (rate < HEAP_RATE_LOOK_ALL) {
        sites_widen(&heap.sites);
        atomic_store(&heap.mask, 0);
    }
    heap.rate_changed = true;
    atomic_store(&heap.rate, rate);
    set_filter();
    heap_self.left = heap_self.rest = heap_self.rate = 0; /* no memory: the next is drawn anew */
}

bool heap_is_on(void)
{
    return atomic_load_explicit(&heap.on, memory_order_relaxed);
}

/* ---- fork ---- */

void heap_forked(bool go_on)
{
    if (!heap.tab)
        return;
    bool was_on = heap_is_on();
    heap_self.busy = 1;
    turn_off();
    live_clear();
    sites_clear(&heap.sites);
    heap_stacks_forget();
    heap.tab = NULL;
    if (was_on && go_on && make_alive() == 0 && map_table() == 0) {
        seed ^= heap_random(&heap_self) | 1;
        turn_on();
    }
    heap_self.busy = 0;
}

/* In a child that was made behind our back, too: then this is the first that happens in it. */
static inline bool is_alive(void)
{
    if (HEAP_LIKELY(atomic_load_explicit(heap.alive, memory_order_relaxed)))
        return true;
    runtime_forked();
    if (atomic_load(heap.alive))
        return heap_is_on();
    turn_off();
    return false;
}

/* ---- a sampled object ---- */

static void begin_thread(struct heap_thread *t)
{
    uint64_t ordinal = atomic_fetch_add_explicit(&thread_ordinal, 1, memory_order_relaxed);
    t->random = seed ^ (ordinal + 1) * 0x9e3779b97f4a7c15ull;
    heap_random(t);
    t->random |= !t->random;
}

static void set_distance(struct heap_thread *t, uint64_t bytes)
{
    t->left = bytes < HEAP_STRIDE ? bytes : HEAP_STRIDE;
    t->rest = bytes - t->left;
}

static void draw(struct heap_thread *t)
{
    t->rate = atomic_load_explicit(&heap.rate, memory_order_relaxed);
    set_distance(t, heap_random_interval(t, t->rate));
}

/* An object of n bytes that the next sampling point is not in. It belongs to the rate at which that
 * was drawn; behind it the distance may be drawn anew, because it has no memory. */
static void pass(struct heap_thread *t, size_t n)
{
    t->last = NULL;
    if (t->rate == atomic_load_explicit(&heap.rate, memory_order_relaxed))
        set_distance(t, t->left + t->rest - n - 1);
    else
        draw(t);
}

/* Then there is nothing to draw, and nothing is left. */
static inline bool is_at_rate_1(void)
{
    return atomic_load_explicit(&heap.rate, memory_order_relaxed) == 1 && heap_is_on() &&
           is_alive();
}

bool heap_enter(size_t n)
{
    struct heap_thread *t = &heap_self;
    if (t->busy)
        return false;
    if (HEAP_LIKELY(t->rate == 1 && is_at_rate_1())) {
        t->sample_rate = 1;
        t->busy = 1;
        return true;
    }
    if (!heap_is_on()) {
        t->busy = 1; /* what beginning allocates is not the program's */
        runtime_start();
        t->busy = 0;
    }
    if (!heap_is_on() || !is_alive()) {
        t->left = HEAP_STRIDE; /* then we look again */
        t->rate = 0;
        return false;
    }
    if (!t->random)
        begin_thread(t);
    if (!t->rate)
        draw(t);
    if (n < t->left + t->rest) {
        pass(t, n);
        return false;
    }
    t->sample_rate = t->rate;
    draw(t);
    t->busy = 1;
    return true;
}

void heap_leave(void)
{
    heap_self.busy = 0;
}

static bool is_marked(const void *p)
{
    return !((uintptr_t)p & atomic_load_explicit(&heap.mask, memory_order_relaxed));
}

/* As the program would have got it. */
static void *take_plain(size_t n, size_t alignment, bool zero)
{
    if (zero)
        return heap.real.calloc(1, n);
    return alignment > 16 ? heap.real.memalign(alignment, n) : heap.real.malloc(n);
}

void *heap_take(size_t n, size_t alignment, bool zero)
{
    void *plain = NULL;
    if (!atomic_load_explicit(&heap.mask, memory_order_relaxed))
        return take_plain(n, alignment, zero);
    if (n >= MAPPED_FROM) { /* glibc maps such, as a rule, and what it maps is marked */
        plain = take_plain(n, alignment, zero);
        if (!plain || is_marked(plain))
            return plain;
    }
    int saved = errno;
    void *p = heap.real.memalign(alignment > PAGE ? alignment : PAGE, n);
    if (!p) {
        errno = saved;
        return plain ? plain : take_plain(n, alignment, zero);
    }
    if (zero)
        memset(p, 0, n);
    if (plain)
        heap.real.free(plain);
    return p;
}

static uint64_t weighted_objects(float weight)
{
    return (uint64_t)((double)weight * HEAPTAB_ONE + 0.5);
}

/* Before a site's numbers change: what they were at the last peak is kept, if that was since. */
static inline void keep_peak(struct heaptab_site *s)
{
    uint64_t id = atomic_load_explicit(&heap.tab->peak_id, memory_order_relaxed);
    if (atomic_load_explicit(&s->peak_id, memory_order_relaxed) == id)
        return;
    uint64_t objects, bytes;
    heaptab_live(s, &objects, &bytes);
    atomic_store_explicit(&s->peak_objects, objects, memory_order_relaxed);
    atomic_store_explicit(&s->peak_bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&s->peak_id, id, memory_order_relaxed);
}

/* Adds an object to a site's counters, of which `first` is the first of the weighted pair and `raw`
 * of the others. At rate 1 these are the same, and only one pair is kept. */
static inline uint64_t count(struct heaptab_site *s, const struct heap_object *o,
                             enum heaptab_counter first, enum heaptab_counter raw)
{
    heap_add(&s->n[raw], 1);
    heap_add(&s->n[raw + 1], o->size);
    if (s->rate == 1)
        return o->size;
    float weight = heap_weight(o->size, s->rate);
    uint64_t bytes = (uint64_t)((double)weight * (double)o->size + 0.5);
    heap_add(&s->n[first], weighted_objects(weight));
    heap_add(&s->n[first + 1], bytes);
    return bytes;
}

/* Seconds since the start, as far as 16 bits tell them (heap_live.c): to the second for nine hours,
 * to the minute for 24 days. */
enum { AGE_FINE = 1 << 15, AGE_COARSE_BITS = 6 };

static uint32_t age_clock_s(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
    uint64_t s = (uint64_t)ts.tv_sec - heap.start_mono_ns / 1000000000;
    atomic_store_explicit(&heap.tab->clock_s, s, memory_order_relaxed);
    if (s < AGE_FINE)
        return (uint32_t)s;
    uint64_t coarse = AGE_FINE + ((s - AGE_FINE) >> AGE_COARSE_BITS);
    return coarse < UINT16_MAX ? (uint32_t)coarse : UINT16_MAX;
}

static uint64_t seconds_of(uint32_t born)
{
    return born < AGE_FINE ? born : AGE_FINE + ((uint64_t)(born - AGE_FINE) << AGE_COARSE_BITS);
}

void heap_tell_time(void)
{
    if (heap.tab)
        age_clock_s();
}

static void count_alloc(const struct heap_object *o)
{
    struct heaptab_site *s = sites_get(&heap.sites, o->site);
    keep_peak(s);
    uint64_t bytes = count(s, o, HEAPTAB_ALLOC_OBJECTS, HEAPTAB_RAW_ALLOCS);
    if (o->born_s)
        heap_add(&s->n[HEAPTAB_RAW_ALLOC_BORN], seconds_of(o->born_s));
    uint64_t live = heap_add(&heap.tab->live_bytes, bytes) + bytes;
    uint64_t peak = atomic_load_explicit(&heap.tab->peak_bytes, memory_order_relaxed);
    while (live > peak && live < 1ull << 63)
        if (atomic_compare_exchange_weak(&heap.tab->peak_bytes, &peak, live)) {
            heap_add(&heap.tab->peak_id, 1);
            break;
        }
}

void heap_freed(const struct heap_object *o)
{
    struct heap_thread *t = &heap_self;
    struct heaptab_site *s = sites_get(&heap.sites, o->site);
    keep_peak(s);
    uint64_t bytes = count(s, o, HEAPTAB_FREE_OBJECTS, HEAPTAB_RAW_FREES);
    if (o->born_s)
        heap_add(&s->n[HEAPTAB_RAW_FREE_BORN], seconds_of(o->born_s));
    if ((uintptr_t)t->last == o->address && t->last_left == t->left)
        heap_add(&s->n[HEAPTAB_TEMPORARY],
                 s->rate == 1 ? HEAPTAB_ONE : weighted_objects(heap_weight(o->size, s->rate)));
    heap_add(&heap.tab->live_bytes, -bytes);
}

static void lose(void)
{
    atomic_fetch_add_explicit(&heap.tab->lost, 1, memory_order_relaxed);
}

bool heap_count_object(uint64_t address, size_t n, const struct here_caller *caller)
{
    struct heap_object o = {.address = address, .size = n}, stale;
    live_prefetch(address); /* the walk takes as long as memory does */
    o.site = sites_here_at_rate(&heap.sites, n, caller, heap_self.sample_rate);
    o.born_s = age_clock_s();
    if (!o.site || live_put(&o, &stale) != 0) {
        lose();
        return false;
    }
    heap_self.last = NULL;
    if (stale.address) /* it was freed where we do not see it */
        heap_freed(&stale);
    count_alloc(&o);
    heap_self.last = (const void *)(uintptr_t)address;
    heap_self.last_left = heap_self.left;
    return true;
}

void heap_sampled(void *p, size_t n, const struct here_caller *caller)
{
    if (p && is_marked(p))
        heap_count_object((uint64_t)(uintptr_t)p, n, caller);
    else if (p)
        lose();
}

bool heap_take_out(void *p, struct heap_object *was)
{
    struct heap_thread *t = &heap_self;
    if (!p || !live_may_have((uintptr_t)p) || t->busy || !heap_is_on() || !is_alive())
        return false;
    t->busy = 1;
    bool known = live_take((uintptr_t)p, was);
    t->busy = 0;
    return known;
}

bool heap_forget(void *p, struct heap_object *was)
{
    if (!heap_take_out(p, was))
        return false;
    heap_freed(was);
    return true;
}

void heap_remember(const struct heap_object *was)
{
    struct heap_object stale;
    heap_self.busy = 1;
    if (live_put(was, &stale) != 0)
        heap_freed(was);
    heap_self.busy = 0;
}

/* ---- the end ---- */

/* For the recorder's account of what was resident. */
static void note_memory(void)
{
    struct memstats m;
    memstats_read(&m);
    atomic_store(&rt.process->rss_bytes, m.rss);
    atomic_store(&rt.process->live_bytes, m.live);
    atomic_store(&rt.process->held_bytes, m.held);
    atomic_store(&rt.process->own_bytes, m.own);
}

void heap_end(bool in_signal)
{
    static _Atomic int done;
    if (!heap_is_on() || runtime_pid() != rt.pid || atomic_exchange(&done, 1))
        return;
    heap_tell_time();
    heap_self.busy++; /* what we allocate from here on is not the program's */
    if (rt.shm && !in_signal)
        note_memory();
    file_finish(FILE_HEAP, in_signal);
    file_finish(FILE_ALLOCS, in_signal);
    heap_self.busy--;
}

void heap_save(void)
{
    if (!heap_is_on() || runtime_pid() != rt.pid)
        return;
    file_save(FILE_HEAP);
    file_save(FILE_ALLOCS);
}
