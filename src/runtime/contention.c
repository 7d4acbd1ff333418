/* SPDX-License-Identifier: MIT
 *
 * Who let others wait: mutex profiles charge a delay to the stack that unlocks, as Go's do
 * (runtime/sema.go, semrelease1). Before a thread waits for a lock it enters itself here, under the
 * lock's address, and in a filter of which an unlock looks at one word; only where that is not zero
 * the unlock looks closer.
 *
 * Of each lock that is waited for there is a slot: how many wait (n), and the sum S of the times
 * since when each of them does. An unlock at time u is charged n*u - S, what all of them have
 * waited since they came or since the last unlock, and S becomes n*u: so whatever a thread has
 * waited is charged once, to the holders in turn. What a thread waited after the last unlock, until
 * it ran and had the lock, is charged to that unlock as well, when the thread leaves; and what it
 * had waited when it gave up (a timed wait), to the next unlock.
 *
 *   sum of all charges = sum of all waits, where each unlock was seen
 *
 * One unlock in `fraction` is sampled, and then counts so often. Its stack is walked after the
 * unlock, so that nobody waits for us: meanwhile leaving threads add to a charge on its stack.
 *
 * The locks of this table are spin locks of some tens of ns. Who does not get one, because its
 * holder was put aside in the middle, sleeps: a thread of high priority must not keep it away. */
#include "runtime/waits.h"

#include "base/sigsafe.h"
#include "runtime/heap.h"
#include "unwind/again.h"

enum { CELL_BITS = 10, SLOTS = 4, SPINS = 100, NAPS = 2000, NAP_NS = 50000 };

struct slot {
    const void *object;     /* NULL: free */
    struct release *latest; /* the last unlock, while its stack is not known yet, or NULL */
    uint64_t since_ns;      /* S */
    uint64_t unlocked_ns;   /* when the last unlock was */
    uint64_t debt_ns, debts;
    uint32_t count; /* n */
    uint32_t site;  /* of the last unlock; 0: it was not sampled */
    uint32_t scale; /* of the last unlock */
};

struct cell {
    _Atomic uint32_t locked;
    struct slot slots[SLOTS];
} __attribute__((aligned(64)));

WAITS_HIDDEN _Atomic uint16_t contention_filter[1 << CONTENTION_BITS];

static struct cell *cells; /* 1 << CELL_BITS */

size_t contention_bytes(void)
{
    return sizeof(struct cell) << CELL_BITS;
}

void contention_use(void *memory)
{
    cells = memory;
}

void contention_forget(void)
{
    for (uint32_t i = 0; i < 1 << CONTENTION_BITS; i++)
        if (atomic_load_explicit(&contention_filter[i], memory_order_relaxed))
            atomic_store_explicit(&contention_filter[i], 0, memory_order_relaxed);
}

/* ---- cells ---- */

static struct cell *cell_of(const void *object)
{
    return &cells[contention_hash(object) >> (CONTENTION_BITS - CELL_BITS)];
}

static bool try_lock(struct cell *c)
{
    return !atomic_load_explicit(&c->locked, memory_order_relaxed) &&
           !atomic_exchange_explicit(&c->locked, 1, memory_order_acquire);
}

/* False: its holder will not come back, it has left us by longjmp perhaps. */
static bool lock(struct cell *c)
{
    struct timespec nap = {.tv_nsec = NAP_NS};
    for (int i = 0; i < SPINS; i++)
        if (try_lock(c))
            return true;
    for (int i = 0; i < NAPS; i++) {
        if (try_lock(c))
            return true;
        sigsafe_syscall4(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &nap, NULL);
    }
    waits_lose();
    return false;
}

static void unlock(struct cell *c)
{
    atomic_store_explicit(&c->locked, 0, memory_order_release);
}

static struct slot *find(struct cell *c, const void *object)
{
    for (int i = 0; i < SLOTS; i++)
        if (c->slots[i].object == object)
            return &c->slots[i];
    return NULL;
}

static void add_interest(const void *object, int n)
{
    atomic_fetch_add(&contention_filter[contention_hash(object)], (uint16_t)n);
}

/* A slot that only has a debt, whose lock may be gone for good, gives way. */
static struct slot *make(struct cell *c, const void *object)
{
    struct slot *s = find(c, NULL);
    for (int i = 0; !s && i < SLOTS; i++)
        if (!c->slots[i].count && !c->slots[i].latest)
            s = &c->slots[i];
    if (!s)
        return NULL;
    if (s->object)
        add_interest(s->object, -1);
    *s = (struct slot){.object = object};
    return s;
}

static void free_if_idle(struct slot *s)
{
    if (!s->count && !s->debts && !s->latest)
        s->object = NULL;
}

/* ---- who waits ---- */

bool contention_enter(const struct wait *w)
{
    struct cell *c = cell_of(w->object);
    if (!lock(c))
        return false;
    struct slot *s = find(c, w->object);
    if (!s)
        s = make(c, w->object);
    if (s) {
        s->count++;
        s->since_ns += w->began_ns;
        add_interest(w->object, 1);
    }
    unlock(c);
    if (!s)
        waits_lose();
    return s != NULL;
}

static bool is_sampled(uint32_t *scale)
{
    uint32_t fraction = atomic_load_explicit(&waits.mutex_fraction, memory_order_relaxed);
    struct waits_thread *t = fraction > 1 ? waits_self() : NULL;
    *scale = fraction;
    return fraction == 1 || (t && random_next(&t->random) % fraction == 0);
}

static void count_pseudo(uint64_t pc, uint64_t contentions, uint64_t delay_ns)
{
    struct heap_stack stack = {.pcs = &pc, .depth = 1, .hash = unwind_hash(&pc, 1)};
    uint32_t scale;
    if (is_sampled(&scale))
        waits_count(sites_find(&waits.sites, &stack, WAITTAB_MUTEX),
                    contentions * HEAPTAB_ONE * scale, delay_ns * scale);
}

/* Nobody was seen to unlock: it was done in another process, or where libc's own code calls it. */
static void count_unseen(uint64_t delay_ns)
{
    count_pseudo(SHM_PSEUDO_UNSEEN, 1, delay_ns);
}

/* Takes a thread out of its slot; its part of the delay goes to the debt or to the unlock before.
 * True: to neither, and it is still to be counted. */
static bool settle(struct slot *s, uint64_t began_ns, uint64_t now_ns, bool got)
{
    bool unlocked = s->unlocked_ns > began_ns;
    uint64_t start_ns = unlocked ? s->unlocked_ns : began_ns;
    uint64_t late_ns = now_ns > start_ns ? now_ns - start_ns : 0;
    s->count--;
    s->since_ns -= start_ns;
    if (!got) {
        if (!s->debts++)
            add_interest(s->object, 1);
        s->debt_ns += late_ns;
        return false;
    }
    if (unlocked && s->latest) {
        s->latest->delay_ns += late_ns;
        s->latest->contentions++;
    } else if (unlocked && s->site) {
        waits_count(s->site, (uint64_t)HEAPTAB_ONE * s->scale, late_ns * s->scale);
    }
    return !unlocked;
}

void contention_leave(const struct wait *w, uint64_t now_ns, bool got)
{
    struct cell *c = cell_of(w->object);
    bool unseen = false;
    if (!lock(c))
        return;
    struct slot *s = find(c, w->object);
    if (s && s->count) {
        unseen = settle(s, w->began_ns, now_ns, got);
        add_interest(w->object, -1);
        free_if_idle(s);
    }
    unlock(c);
    if (unseen)
        count_unseen(now_ns - w->began_ns);
}

/* ---- who unlocks ---- */

static void charge(struct slot *s, uint64_t now_ns, struct release *r)
{
    r->delay_ns = s->count * now_ns - s->since_ns + s->debt_ns;
    r->contentions = s->debts;
    s->since_ns = s->count * now_ns;
    s->unlocked_ns = now_ns;
    if (s->debts)
        add_interest(s->object, -1);
    s->debts = s->debt_ns = 0;
    s->site = 0;
}

bool contention_begin(const void *object, struct release *r)
{
    bool sampled = false;
    r->object = NULL;
    if (waits_busy())
        return false;
    struct cell *c = cell_of(object);
    if (lock(c)) {
        struct slot *s = find(c, object);
        if (s) {
            sampled = is_sampled(&r->scale);
            charge(s, waits_now_ns(), r);
            s->latest = sampled ? r : NULL;
            free_if_idle(s);
        }
        unlock(c);
    }
    waits_unbusy();
    r->object = sampled ? object : NULL;
    return sampled;
}

void contention_end(struct release *r, const void *caller)
{
    if (waits_busy())
        return;
    uint32_t site = sites_here(&waits.sites, WAITTAB_MUTEX, caller, true);
    struct cell *c = cell_of(r->object);
    if (lock(c)) {
        struct slot *s = find(c, r->object);
        if (s && s->latest == r) {
            s->latest = NULL;
            s->site = site;
            s->scale = r->scale;
            free_if_idle(s);
        }
        unlock(c);
    }
    if (r->delay_ns || r->contentions)
        waits_count(site, r->contentions * HEAPTAB_ONE * r->scale, r->delay_ns * r->scale);
    waits_unbusy();
}

/* ---- the end ---- */

/* What is counted here is not charged to an unlock that may still come. */
static void count_open(struct slot *s, uint64_t now_ns)
{
    uint64_t delay_ns = s->count * now_ns - s->since_ns + s->debt_ns;
    if (s->count || s->debts)
        count_pseudo(SHM_PSEUDO_HELD, s->count + s->debts, delay_ns);
    s->since_ns = s->count * now_ns;
    s->debts = s->debt_ns = 0;
}

void contention_count_open(uint64_t now_ns)
{
    for (uint32_t i = 0; cells && i < 1 << CELL_BITS; i++) {
        if (!lock(&cells[i]))
            continue;
        for (int k = 0; k < SLOTS; k++)
            if (cells[i].slots[k].object)
                count_open(&cells[i].slots[k], now_ns);
        unlock(&cells[i]);
    }
}
