/* SPDX-License-Identifier: MIT
 *
 * The middle of block and mutex profiles: which of the calls are looked at, what a thread that
 * waits says of itself, and what fork and the program's end do to it. A wait costs two looks at the
 * clock and, where it is sampled, a walk of the stack, after it is over; a call that does not wait
 * never comes here.
 *
 * Sampling is Go's (runtime/mprof.go, blocksampled and saveblockevent): of a wait of d ns one in
 * rate/d is kept and counts rate/d times; those longer than the rate are all kept. */
#include "runtime/waits.h"

#include "base/sigsafe.h"
#include "runtime/file.h"
#include "runtime/heap.h"
#include "runtime/tree.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

enum { PROBES = 64, THREADS = LIMIT_WAITING_THREADS, IO_MIN_NS = 1000 };

/* What is wiped in every child process. */
struct memory {
    _Atomic uint64_t alive;
    _Atomic uint64_t ordinal;            /* of threads, for their generators */
    _Atomic uint64_t used[THREADS / 64]; /* a bit for each entry that was ever claimed */
    struct waits_thread threads[THREADS];
};

/* Bits of `mode`. */
enum { ON_BLOCK = 1, ON_MUTEX = 2, ON_PUBLISH = 4 };

struct waits_state waits = {.what = WAITTAB_SYNC};
WAITS_HIDDEN _Atomic(void *) waits_fast[WAITS_CALL_COUNT];
WAITS_HIDDEN _Atomic(void *) waits_found[WAITS_CALL_COUNT];

static _Atomic uint32_t mode;
WAITS_HIDDEN _Atomic uint32_t waits_look_at_futex;
static struct memory *memory;
static uint64_t seed;
static pthread_key_t key; /* its destructor gives a thread's entry back */
static bool key_made;

static __thread struct waits_thread *self __attribute__((tls_model("initial-exec")));
static __thread uint32_t busy __attribute__((tls_model("initial-exec")));

/* ---- the calls ---- */

/* What glibc has had in an older form as well; elsewhere the version does not exist. */
static bool is_condition(const char *name)
{
    return !__builtin_strncmp(name, "pthread_cond_", 13);
}

static const char *const names[] = {
#define NAME(name) [WAITS_CALL_##name] = #name,
    WAITS_CALLS(NAME, NAME)
#undef NAME
};

static const bool is_io[] = {
#define IS_SYNC(name) [WAITS_CALL_##name] = false,
#define IS_IO(name)   [WAITS_CALL_##name] = true,
    WAITS_CALLS(IS_SYNC, IS_IO)
#undef IS_SYNC
#undef IS_IO
};

WAITS_HIDDEN _Atomic(const _Atomic uint32_t *) waits_sleep_word;

/* poll and its kin, and sleep: calls before which a program holds nothing, as a rule. */
static bool is_sleep(enum waits_call call)
{
    return call >= WAITS_CALL_poll && call <= WAITS_CALL_sleep;
}

static bool is_watched(enum waits_call call)
{
    uint32_t on = atomic_load(&mode);
    if (is_sleep(call) && atomic_load(&waits_sleep_word))
        return true;
    if (is_io[call])
        return (on & ON_PUBLISH) || (on & ON_BLOCK && atomic_load(&waits.what) & WAITTAB_IO);
    return on != 0;
}

/* Either we see that it is watched, or who turns it on sees and takes away what we put there. */
static void open_or_close(enum waits_call call)
{
    atomic_store(&waits_fast[call], atomic_load(&waits_found[call]));
    if (is_watched(call))
        atomic_store(&waits_fast[call], NULL);
}

void *waits_find_real(enum waits_call call)
{
    int saved = errno;
    void *f = is_condition(names[call]) ? dlvsym(RTLD_NEXT, names[call], "GLIBC_2.3.2") : NULL;
    if (!f)
        f = real_function(names[call]);
    atomic_store(&waits_found[call], f);
    open_or_close(call);
    errno = saved;
    return f;
}

/* System calls may be made in signal handlers, where nothing can be looked up: they are known from
 * the start. A libc without one of them has no program that calls it. */
__attribute__((constructor)) static void find_system_calls(void)
{
    for (int i = 0; i < WAITS_CALL_COUNT; i++) {
        void *f = is_io[i] && !atomic_load(&waits_found[i]) ? dlsym(RTLD_NEXT, names[i]) : NULL;
        if (!f)
            continue;
        atomic_store(&waits_found[i], f);
        open_or_close(i);
    }
}

static void set_mode(uint32_t on)
{
    atomic_store(&mode, on);
    atomic_store(&waits_look_at_futex, on);
    for (int i = 0; i < WAITS_CALL_COUNT; i++)
        open_or_close(i);
}

/* ---- threads ---- */

static void end_thread(void *p)
{
    struct waits_thread *t = p;
    self = NULL;
    atomic_store(&t->kind, WAITS_NOT);
    atomic_store(&t->tid, 0);
}

static uint32_t first_probe(uint32_t tid)
{
    return tid * 2654435761u;
}

static struct waits_thread *entry_of(uint32_t tid)
{
    uint32_t at = first_probe(tid);
    for (uint32_t i = 0; memory && i < PROBES; i++) {
        struct waits_thread *t = &memory->threads[(at + i) % THREADS];
        if (atomic_load_explicit(&t->tid, memory_order_acquire) == tid)
            return t;
    }
    return NULL;
}

const struct waits_thread *waits_next_entry(uint32_t *i)
{
    for (; memory && *i < THREADS; ++*i) {
        uint64_t bits = atomic_load_explicit(&memory->used[*i / 64], memory_order_acquire);
        if (!(bits >> *i % 64))
            *i |= 63;
        else if (bits >> *i % 64 & 1)
            return &memory->threads[(*i)++];
    }
    return NULL;
}

static bool take_entry(struct waits_thread *t, uint32_t owner, uint32_t tid)
{
    if (owner && sigsafe_syscall3(SYS_tgkill, rt.pid, owner, 0) != -ESRCH)
        return false;
    return atomic_compare_exchange_strong(&t->tid, &owner, tid);
}

/* An entry that was left by a thread that ended past us is taken where no other is free. */
static struct waits_thread *claim(uint32_t tid)
{
    uint32_t at = first_probe(tid);
    struct waits_thread *t = entry_of(tid); /* a thread of that number was here before */
    for (int leftover = 0; !t && leftover < 2; leftover++)
        for (uint32_t i = 0; !t && i < PROBES; i++) {
            struct waits_thread *x = &memory->threads[(at + i) % THREADS];
            uint32_t owner = atomic_load(&x->tid);
            if ((!owner || leftover) && take_entry(x, owner, tid))
                t = x;
        }
    if (!t)
        return NULL;
    uint32_t index = (uint32_t)(t - memory->threads);
    atomic_fetch_or(&memory->used[index / 64], 1ull << index % 64);
    atomic_store(&t->kind, WAITS_NOT);
    t->user_depth = 0;
    t->random = seed ^ (atomic_fetch_add(&memory->ordinal, 1) + 1) * 0x9e3779b97f4a7c15ull;
    random_next(&t->random);
    return t;
}

struct waits_thread *waits_self(void)
{
    if (self)
        return self;
    if (atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_IDS)
        return NULL;
    self = claim(runtime_tid());
    if (self && key_made)
        pthread_setspecific(key, self);
    return self;
}

bool waits_busy(void)
{
    if (busy || !memory)
        return true;
    busy = 1;
    if (!WAITS_LIKELY(atomic_load_explicit(&memory->alive, memory_order_relaxed)))
        runtime_forked(); /* a child that was made behind our back: this is the first it does */
    if (atomic_load_explicit(&memory->alive, memory_order_relaxed))
        return false;
    busy = 0;
    return true;
}

void waits_unbusy(void)
{
    busy = 0;
}

void waits_exclude_self(void)
{
    busy = 1;
}

/* ---- what a thread says of itself ---- */

static void write_state(struct waits_thread *t, enum waits_kind kind, uint64_t since_ns,
                        uintptr_t object, const uint64_t r[WAITS_REGISTERS])
{
    uint32_t turn = atomic_load_explicit(&t->turn, memory_order_relaxed);
    atomic_store_explicit(&t->turn, turn + 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&t->since_ns, since_ns, memory_order_relaxed);
    atomic_store_explicit(&t->object, object, memory_order_relaxed);
    for (int i = 0; i < WAITS_REGISTERS; i++)
        atomic_store_explicit(&t->r[i], r[i], memory_order_relaxed);
    atomic_store_explicit(&t->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&t->turn, turn + 2, memory_order_release);
}

static void read_state(const struct waits_thread *t, struct waits_copy *c)
{
    c->kind = atomic_load_explicit(&t->kind, memory_order_relaxed);
    c->since_ns = atomic_load_explicit(&t->since_ns, memory_order_relaxed);
    c->object = atomic_load_explicit(&t->object, memory_order_relaxed);
    for (int i = 0; i < WAITS_REGISTERS; i++)
        c->r[i] = atomic_load_explicit(&t->r[i], memory_order_relaxed);
}

bool waits_read(uint32_t tid, struct waits_copy *copy, uint32_t *turn)
{
    const struct waits_thread *t = entry_of(tid);
    for (int tries = 0; t && tries < 3; tries++) {
        uint32_t before = atomic_load_explicit(&t->turn, memory_order_acquire);
        read_state(t, copy);
        atomic_thread_fence(memory_order_acquire);
        if (before % 2 || atomic_load_explicit(&t->turn, memory_order_relaxed) != before)
            continue;
        if (turn)
            *turn = before;
        return copy->kind != WAITS_NOT;
    }
    return false;
}

bool waits_still(uint32_t tid, uint32_t turn)
{
    const struct waits_thread *t = entry_of(tid);
    atomic_thread_fence(memory_order_acquire);
    return t && atomic_load_explicit(&t->turn, memory_order_relaxed) == turn;
}

const char *waits_kind_name(enum waits_kind kind)
{
    static const char *const text[WAITS_KINDS] = {
        [WAITS_NOT] = "running",   [WAITS_MUTEX] = "mutex",   [WAITS_RWLOCK] = "rwlock",
        [WAITS_COND] = "cond",     [WAITS_SEM] = "semaphore", [WAITS_BARRIER] = "barrier",
        [WAITS_JOIN] = "join",     [WAITS_ONCE] = "once",     [WAITS_FUTEX] = "futex",
        [WAITS_IO] = "IO wait",    [WAITS_POLL] = "poll",     [WAITS_SLEEP] = "sleep",
        [WAITS_CHILD] = "waitpid", [WAITS_SIGNAL] = "signal", [WAITS_USER] = "blocked",
    };
    return kind < WAITS_KINDS ? text[kind] : "blocked";
}

/* ---- a wait ---- */

uint64_t waits_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Of threads that have no entry, or found no room, or a lock whose holder is gone. */
void waits_lose(void)
{
    if (waits.sites.tab)
        atomic_fetch_add_explicit(&waits.sites.tab->lost, 1, memory_order_relaxed);
}

uint64_t waits_lost(void)
{
    return waits.sites.tab ? atomic_load(&waits.sites.tab->lost) : 0;
}

void waits_count(uint32_t site, uint64_t contentions, uint64_t delay_ns)
{
    if (!site) {
        waits_lose();
        return;
    }
    struct heaptab_site *s = sites_get(&waits.sites, site);
    heap_add(&s->n[WAITTAB_SAMPLES], 1);
    heap_add(&s->n[WAITTAB_CONTENTIONS], contentions);
    heap_add(&s->n[WAITTAB_DELAY_NS], delay_ns);
}

/* A wait in which a signal handler waits, whose stack pointer is `sp` (0: not known). */
static void keep_outer(struct wait *w, uint64_t sp)
{
    struct waits_copy outer;
    w->outer_kind = atomic_load_explicit(&w->t->kind, memory_order_relaxed);
    if (w->outer_kind == WAITS_NOT)
        return;
    read_state(w->t, &outer);
    if (outer.r[WAITS_SP] && sp > outer.r[WAITS_SP]) { /* it was left by longjmp */
        w->outer_kind = WAITS_NOT;
        return;
    }
    w->outer_since_ns = outer.since_ns;
    w->outer_object = outer.object;
    __builtin_memcpy(w->outer_r, outer.r, sizeof w->outer_r);
}

void waits_enter(struct wait *w, enum waits_kind kind, const void *object,
                 const struct unwind_regs *regs)
{
    uint32_t on = atomic_load_explicit(&mode, memory_order_relaxed);
    w->t = NULL;
    w->by_frame = false;
    if (!on || waits_busy())
        return;
    w->t = waits_self();
    if (w->t) {
        uint64_t r[WAITS_REGISTERS] = {0};
#if defined(__x86_64__)
        static const uint8_t from[WAITS_REGISTERS] = {7, 16, 3, 6, 12, 13, 14, 15};
        for (int i = 0; regs && i < WAITS_REGISTERS; i++)
            r[i] = regs->r[from[i]];
#else
        (void)regs;
#endif
        w->kind = kind;
        w->object = object;
        w->began_ns = waits_now_ns();
        keep_outer(w, r[WAITS_SP]);
        write_state(w->t, kind, w->began_ns, (uintptr_t)object, r);
        w->registered =
            on & ON_MUTEX && (kind == WAITS_MUTEX || kind == WAITS_RWLOCK) && contention_enter(w);
    } else {
        waits_lose();
    }
    waits_unbusy();
}

/* Counts a wait of `delay_ns` for the calling thread's stack, if it is sampled. */
static void count_block(struct waits_thread *t, uint64_t delay_ns, const void *caller, bool own)
{
    uint64_t rate = atomic_load_explicit(&waits.block_rate, memory_order_relaxed);
    uint64_t count = HEAPTAB_ONE;
    delay_ns += !delay_ns;
    if (!rate)
        return;
    if (delay_ns < rate) {
        if (random_next(&t->random) % rate >= delay_ns)
            return;
        count = (HEAPTAB_ONE * rate + delay_ns / 2) / delay_ns;
        delay_ns = rate;
    }
    waits_count(sites_here(&waits.sites, WAITTAB_BLOCK, caller, own), count, delay_ns);
}

/* A system call of less than a microsecond did not wait. */
bool waits_are_wanted(enum waits_kind kind, uint64_t delay_ns)
{
    bool io = kind >= WAITS_IO && kind <= WAITS_SIGNAL;
    uint32_t what = atomic_load_explicit(&waits.what, memory_order_relaxed);
    return !(io && delay_ns < IO_MIN_NS) && what & (io ? WAITTAB_IO : WAITTAB_SYNC);
}

/* What is waited for inside of a home-made lock is part of that. */
static bool is_wanted(const struct wait *w, uint64_t delay_ns)
{
    return w->outer_kind != WAITS_USER && waits_are_wanted(w->kind, delay_ns);
}

void waits_leave(struct wait *w, const void *caller, enum waits_outcome outcome)
{
    static const uint64_t nowhere[WAITS_REGISTERS];
    struct waits_thread *t = w->t;
    if (!t)
        return;
    uint64_t now_ns = waits_now_ns();
    busy = 1;
    if (t == self) { /* else this is a child of fork, in which nobody waits for anything */
        bool nested = w->outer_kind != WAITS_NOT;
        write_state(t, w->outer_kind, nested ? w->outer_since_ns : 0, nested ? w->outer_object : 0,
                    nested ? w->outer_r : nowhere);
        if (w->registered)
            contention_leave(w, now_ns, outcome == WAITS_GOT);
        if (outcome != WAITS_FAILED && atomic_load(&mode) & ON_BLOCK &&
            is_wanted(w, now_ns - w->began_ns))
            count_block(t, now_ns - w->began_ns, caller, !w->by_frame);
    }
    busy = 0;
}

void waits_cancelled(void *p)
{
    struct cancellable *c = p;
    waits_leave(&c->w, c->caller, WAITS_GAVE_UP);
}

/* ---- control ---- */

static void *map_private(uint64_t bytes)
{
    long p = sigsafe_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

/* The tables, once. */
static int make_memory(void)
{
    size_t contention = (contention_bytes() + 4095) & ~(size_t)4095;
    if (memory && atomic_load(&memory->alive))
        return 0;
    struct memory *m = memory ? memory : map_private(sizeof *m + 4096 + contention);
    if (!m)
        return -ENOMEM;
    if (!memory) {
        sigsafe_syscall3(SYS_madvise, m, sizeof *m + 4096 + contention, MADV_WIPEONFORK);
        contention_use((char *)m + ((sizeof *m + 4095) & ~(size_t)4095));
        key_made = pthread_key_create(&key, end_thread) == 0;
    }
    seed = rt.seed ? rt.seed ^ 0x5bd1e995 : 0;
    if (!seed && sigsafe_syscall3(SYS_getrandom, &seed, sizeof seed, 1 /* GRND_NONBLOCK */) < 0)
        seed = sigsafe_ticks();
    atomic_store(&m->alive, 1);
    memory = m;
    return 0;
}

static int make_log(void)
{
    uint64_t at = rt.shm && rt.kinds & (SHM_KIND_BLOCK | SHM_KIND_MUTEX)
                      ? shm_wait_offset(shm_process_index(rt.shm, rt.process))
                      : 0;
    uint64_t lent_bytes;
    void *lent = tree_waits_log(&lent_bytes);
    int r = waits.sites.tab ? 0 : runtime_map();
    if (r == 0 && !waits.sites.tab) {
        waits.start_mono_ns = waits_now_ns();
        if (lent)
            sites_use(&waits.sites, lent, lent_bytes);
        else
            r = sites_map(&waits.sites, WAITTAB_BYTES, at);
    }
    return r;
}

void waits_watch_sleeps(const _Atomic uint32_t *word)
{
    atomic_store(&waits_sleep_word, word);
    for (int i = 0; i < WAITS_CALL_COUNT; i++)
        if (is_sleep(i))
            open_or_close(i);
}

bool waits_are_on(void)
{
    return atomic_load_explicit(&mode, memory_order_relaxed) != 0;
}

bool waits_has_log(void)
{
    return waits.sites.tab != NULL;
}

bool waits_are_watched(void)
{
    return atomic_load(&mode) != 0;
}

static int turn(uint32_t on)
{
    int r = !on ? 0 : waits_end_bypass() ? make_memory() : -EPERM;
    if (r == 0 && on & (ON_BLOCK | ON_MUTEX))
        r = make_log();
    set_mode(r == 0 ? on : 0);
    return r;
}

int waits_set_rates(uint64_t block_rate_ns, uint32_t mutex_fraction)
{
    atomic_store(&waits.block_rate, block_rate_ns);
    atomic_store(&waits.mutex_fraction, mutex_fraction);
    return turn((atomic_load(&mode) & ON_PUBLISH) | (block_rate_ns ? ON_BLOCK : 0) |
                (mutex_fraction ? ON_MUTEX : 0));
}

void waits_set_what(uint32_t what)
{
    atomic_store(&waits.what, what);
    set_mode(atomic_load(&mode));
}

int waits_publish(bool on)
{
    uint32_t now = atomic_load(&mode) & (ON_BLOCK | ON_MUTEX);
    return turn(now | (on ? ON_PUBLISH : 0));
}

/* ---- fork, exec, the end ---- */

void waits_forked(bool go_on)
{
    uint32_t on = atomic_load(&mode), was_busy = busy;
    if (!memory)
        return;
    busy = 1;
    self = NULL;
    atomic_store(&mode, 0);
    contention_forget();
    sites_clear(&waits.sites);
    if (!go_on)
        on &= ON_PUBLISH;
    turn(on);
    busy = was_busy;
}

void waits_end(bool in_signal)
{
    static _Atomic int done;
    if (!waits_has_log() || runtime_pid() != rt.pid || atomic_exchange(&done, 1))
        return;
    set_mode(0); /* what ends from here on has been counted */
    waits_open_count();
    waits.ended = true;
    file_finish(FILE_BLOCK, in_signal);
    file_finish(FILE_MUTEX, in_signal);
}

void waits_save(void)
{
    if (!waits_has_log() || runtime_pid() != rt.pid)
        return;
    file_save(FILE_BLOCK);
    file_save(FILE_MUTEX);
}
