/* SPDX-License-Identifier: MIT
 *
 * Waits: block profiles (who waited, where, how long) and mutex profiles (who let others wait).
 * interpose_pthread.c, interpose_wait.c and interpose_io.c stand before the calls that can block.
 * What does not block goes on after one try; what blocks begins and ends a wait here: waits.c
 * publishes it for whoever wants to know what a thread waits for, takes the time and counts the
 * stack in a log (sites.h); contention.c charges the delay to who unlocks.
 *
 * Rules of these files: no allocation but by mmap, no lock of libc's, errno stays; a signal handler
 * that comes in the middle finds `busy` set, and its own waits pass uncounted. What a thread does
 * inside of a wait (a handler that waits) nests. */
#ifndef RUNTIME_WAITS_H
#define RUNTIME_WAITS_H

#include "base/buf.h"
#include "base/waittab.h"
#include "runtime/here.h"
#include "runtime/interpose.h"
#include "runtime/sites.h"

#include <linux/futex.h>

#define WAITS_HIDDEN    __attribute__((visibility("hidden")))
#define WAITS_LIKELY(x) __builtin_expect(!!(x), 1)
#define WAITS_ALONE     __attribute__((noinline)) /* in no other function */
#define WAITS_SLOW      WAITS_ALONE
#define WAITS_CALLER    __builtin_return_address(0)
/* The frame of the interposer, whose name is the leaf of the stack, is still there after a call. */
#define WAITS_KEEP_FRAME() __asm__ volatile("" ::: "memory")

/* ---- the calls ---- */

/* Every function that is interposed or tried: SYNC(name), or IO(name). */
#define WAITS_CALLS(SYNC, IO)                                                                      \
    SYNC(pthread_mutex_lock)                                                                       \
    SYNC(pthread_mutex_trylock)                                                                    \
    SYNC(pthread_mutex_timedlock)                                                                  \
    SYNC(pthread_mutex_clocklock)                                                                  \
    SYNC(pthread_mutex_unlock)                                                                     \
    SYNC(pthread_rwlock_rdlock)                                                                    \
    SYNC(pthread_rwlock_tryrdlock)                                                                 \
    SYNC(pthread_rwlock_timedrdlock)                                                               \
    SYNC(pthread_rwlock_clockrdlock)                                                               \
    SYNC(pthread_rwlock_wrlock)                                                                    \
    SYNC(pthread_rwlock_trywrlock)                                                                 \
    SYNC(pthread_rwlock_timedwrlock)                                                               \
    SYNC(pthread_rwlock_clockwrlock)                                                               \
    SYNC(pthread_rwlock_unlock)                                                                    \
    SYNC(pthread_cond_wait)                                                                        \
    SYNC(pthread_cond_timedwait)                                                                   \
    SYNC(pthread_cond_clockwait)                                                                   \
    SYNC(pthread_barrier_wait)                                                                     \
    SYNC(pthread_join)                                                                             \
    SYNC(pthread_tryjoin_np)                                                                       \
    SYNC(pthread_timedjoin_np)                                                                     \
    SYNC(pthread_clockjoin_np)                                                                     \
    SYNC(sem_wait)                                                                                 \
    SYNC(sem_trywait)                                                                              \
    SYNC(sem_timedwait)                                                                            \
    SYNC(sem_clockwait)                                                                            \
    SYNC(pthread_once)                                                                             \
    SYNC(mtx_lock)                                                                                 \
    SYNC(mtx_trylock)                                                                              \
    SYNC(mtx_timedlock)                                                                            \
    SYNC(mtx_unlock)                                                                               \
    SYNC(cnd_wait)                                                                                 \
    SYNC(cnd_timedwait)                                                                            \
    SYNC(thrd_join)                                                                                \
    SYNC(call_once)                                                                                \
    IO(read)                                                                                       \
    IO(__read_chk)                                                                                 \
    IO(write)                                                                                      \
    IO(readv)                                                                                      \
    IO(writev)                                                                                     \
    IO(pread)                                                                                      \
    IO(pread64)                                                                                    \
    IO(__pread_chk)                                                                                \
    IO(__pread64_chk)                                                                              \
    IO(pwrite)                                                                                     \
    IO(pwrite64)                                                                                   \
    IO(fsync)                                                                                      \
    IO(fdatasync)                                                                                  \
    IO(flock)                                                                                      \
    IO(accept)                                                                                     \
    IO(accept4)                                                                                    \
    IO(connect)                                                                                    \
    IO(recv)                                                                                       \
    IO(__recv_chk)                                                                                 \
    IO(recvfrom)                                                                                   \
    IO(__recvfrom_chk)                                                                             \
    IO(recvmsg)                                                                                    \
    IO(recvmmsg)                                                                                   \
    IO(send)                                                                                       \
    IO(sendto)                                                                                     \
    IO(sendmsg)                                                                                    \
    IO(sendmmsg)                                                                                   \
    IO(poll)                                                                                       \
    IO(__poll_chk)                                                                                 \
    IO(ppoll)                                                                                      \
    IO(__ppoll_chk)                                                                                \
    IO(select)                                                                                     \
    IO(pselect)                                                                                    \
    IO(epoll_wait)                                                                                 \
    IO(epoll_pwait)                                                                                \
    IO(epoll_pwait2)                                                                               \
    IO(nanosleep)                                                                                  \
    IO(clock_nanosleep)                                                                            \
    IO(usleep)                                                                                     \
    IO(sleep)                                                                                      \
    IO(wait)                                                                                       \
    IO(waitpid)                                                                                    \
    IO(wait3)                                                                                      \
    IO(wait4)                                                                                      \
    IO(waitid)                                                                                     \
    IO(sigwait)                                                                                    \
    IO(sigwaitinfo)                                                                                \
    IO(sigtimedwait)                                                                               \
    IO(sigsuspend)

#define WAITS_ENUM(name) WAITS_CALL_##name,
enum waits_call { WAITS_CALLS(WAITS_ENUM, WAITS_ENUM) WAITS_CALL_COUNT };
#undef WAITS_ENUM

/* The functions behind our interposers, as they become known; and the same where nothing is to be
 * done but to call them: one load and one branch are all that a call costs then. */
extern WAITS_HIDDEN _Atomic(void *) waits_fast[WAITS_CALL_COUNT];
extern WAITS_HIDDEN _Atomic(void *) waits_found[WAITS_CALL_COUNT];

void *waits_find_real(enum waits_call call);
/* Read by assembly: raw futex waits are timed. */
extern WAITS_HIDDEN _Atomic uint32_t waits_look_at_futex;

static inline void *waits_real(enum waits_call call)
{
    void *f = atomic_load_explicit(&waits_found[call], memory_order_relaxed);
    return WAITS_LIKELY(f) ? f : waits_find_real(call);
}

#define WAITS_FAST(name)                                                                           \
    (__extension__(__typeof__(name) *)                                                             \
         atomic_load_explicit(&waits_fast[WAITS_CALL_##name], memory_order_relaxed))
#define WAITS_REAL(name) (__extension__(__typeof__(name) *) waits_real(WAITS_CALL_##name))

/* Who is about to sleep looks at this word first, where there is one: tree_heir.c. */
extern WAITS_HIDDEN _Atomic(const _Atomic uint32_t *) waits_sleep_word;
void waits_watch_sleeps(const _Atomic uint32_t *word);
void tree_take_over(void);

static inline void waits_before_sleep(void)
{
    const _Atomic uint32_t *word = atomic_load_explicit(&waits_sleep_word, memory_order_relaxed);
    if (word && atomic_load_explicit(word, memory_order_relaxed) & FUTEX_OWNER_DIED)
        tree_take_over();
}

/* ---- waits.c: a wait ---- */

enum waits_kind {
    WAITS_NOT,
    WAITS_MUTEX,
    WAITS_RWLOCK,
    WAITS_COND,
    WAITS_SEM,
    WAITS_BARRIER,
    WAITS_JOIN,
    WAITS_ONCE,
    WAITS_FUTEX,
    WAITS_IO,     /* read, write, accept, connect, recv, send … */
    WAITS_POLL,   /* poll, select, epoll_wait */
    WAITS_SLEEP,  /* nanosleep … */
    WAITS_CHILD,  /* wait, waitpid … */
    WAITS_SIGNAL, /* sigwait, sigsuspend */
    WAITS_USER,   /* between strobe_block_begin and strobe_block_end */
    WAITS_KINDS
};

/* Registers that an unwind of a waiting thread begins with. */
enum waits_register {
    WAITS_SP,
    WAITS_PC,
    WAITS_RBX,
    WAITS_RBP,
    WAITS_R12,
    WAITS_R13,
    WAITS_R14,
    WAITS_R15,
    WAITS_REGISTERS
};

/* Of strobe_block_begin, those that are counted. */
enum { WAITS_USER_DEPTH = 4 };

struct waits_thread;

/* On the stack of who waits. */
struct wait {
    struct waits_thread *t; /* NULL: nobody counts it */
    enum waits_kind kind, outer_kind;
    const void *object;
    uintptr_t outer_object;
    uint64_t began_ns, outer_since_ns, outer_r[WAITS_REGISTERS];
    bool registered; /* with contention.c */
    bool by_frame;   /* `caller` is where our frame returns to, not the interposer's */
};

/* What a thread says of itself. */
struct waits_thread {
    _Atomic uint32_t tid;  /* 0: free */
    _Atomic uint32_t kind; /* enum waits_kind */
    _Atomic uint32_t turn; /* odd while the rest is being written, and another one in each wait */
    uint32_t user_depth;
    _Atomic uint64_t since_ns;           /* CLOCK_MONOTONIC */
    _Atomic uintptr_t object;            /* what it waits for; of WAITS_USER a name */
    _Atomic uint64_t r[WAITS_REGISTERS]; /* sp 0: not known */
    uint64_t random;                     /* state of its generator */
    struct wait user[WAITS_USER_DEPTH];  /* strobe_block_begin's that are open */
};

/* A consistent copy of the above. */
struct waits_copy {
    enum waits_kind kind;
    uint64_t since_ns;
    uintptr_t object;
    uint64_t r[WAITS_REGISTERS];
};

/* What the thread waits for; false: it is in none of our calls. Any thread may ask. The stack at
 * copy->r is that of the interposer, and stays as it is while `turn` does: *turn (if not NULL) is
 * for waits_still. */
bool waits_read(uint32_t tid, struct waits_copy *copy, uint32_t *turn);
/* Whether that same wait goes on. */
bool waits_still(uint32_t tid, uint32_t turn);
/* "mutex", "cond" … as in Go's thread states. */
const char *waits_kind_name(enum waits_kind kind);
/* From now on (or no more) waits are published also where none is profiled. 0 or -ENOMEM. */
int waits_publish(bool on);
/* Does anybody look at waits? */
bool waits_are_watched(void);

enum waits_outcome { WAITS_GOT, WAITS_GAVE_UP, WAITS_FAILED };

void waits_enter(struct wait *w, enum waits_kind kind, const void *object,
                 const struct unwind_regs *regs);
/* Ends it, and counts it for who called our interposer; what failed at once was no wait. */
void waits_leave(struct wait *w, const void *caller, enum waits_outcome outcome);

/* In the frame that calls what blocks. */
static inline __attribute__((always_inline)) void waits_begin(struct wait *w, enum waits_kind kind,
                                                              const void *object)
{
    struct unwind_regs regs;
    here_registers(&regs);
    waits_enter(w, kind, object, &regs);
}

/* A wait that may be cancelled: then it is counted as well. The list of handlers is the one that
 * longjmp out of a signal handler also cuts. */
struct cancellable {
    struct wait w;
    const void *caller;
    struct _pthread_cleanup_buffer *cleanup;
};

void waits_cancelled(void *cancellable);

/* ---- waits.c: control ---- */

struct waits_state {
    struct sites sites;
    _Atomic uint64_t block_rate;     /* ns; 0: off */
    _Atomic uint32_t mutex_fraction; /* 0: off */
    _Atomic uint32_t what;           /* enum waittab_what */
    uint64_t start_mono_ns;
    bool ended; /* nothing more is counted */
};

extern WAITS_HIDDEN struct waits_state waits;

/* Whether waits are looked at. */
bool waits_are_on(void);
/* Whether a profile is on, or was: then there is a log. */
bool waits_has_log(void);
/* Rates; 0 is off. 0 or -ENOMEM. Not for handlers; one at a time. */
int waits_set_rates(uint64_t block_rate_ns, uint32_t mutex_fraction);
/* One of them alone. */
int waits_set_block_rate(uint64_t rate_ns);
int waits_set_mutex_fraction(uint64_t fraction);
/* enum waittab_what. */
void waits_set_what(uint32_t what);
/* The calling thread is none of the program's. */
void waits_exclude_self(void);
/* In a forked child, from runtime_forked: begins anew, or ends. */
void waits_forked(bool go_on);
/* At the program's end, once: writes the files that the environment asked for. */
void waits_end(bool in_signal);
/* Before execve: what there is so far. */
void waits_save(void);

/* Whether bookkeeping of this thread is interrupted, or it is none of the program's; else it is
 * from now on until waits_unbusy. */
bool waits_busy(void);
void waits_unbusy(void);
/* The calling thread's entry, or NULL. Inside of waits_busy. */
struct waits_thread *waits_self(void);
/* The entries that threads have (tid is not 0) or had, from *i on, which is 0 at first; NULL: there
 * are no more. */
const struct waits_thread *waits_next_entry(uint32_t *i);
/* Whether waits of a kind are in the block profile, of so many ns. */
bool waits_are_wanted(enum waits_kind kind, uint64_t delay_ns);
uint64_t waits_now_ns(void);
/* A wait could not be counted. */
void waits_lose(void);
uint64_t waits_lost(void);
/* Adds to a site, in parts of HEAPTAB_ONE; site 0: it is lost. */
void waits_count(uint32_t site, uint64_t contentions, uint64_t delay_ns);

/* ---- contention.c ---- */

/* One byte that is not 0 where somebody may be waiting for an object of this hash. */
enum { CONTENTION_BITS = 12 };
extern WAITS_HIDDEN _Atomic uint16_t contention_filter[1 << CONTENTION_BITS];

static inline uint32_t contention_hash(const void *object)
{
    return (uint32_t)(((uintptr_t)object >> 3) * 0x9e3779b97f4a7c15ull >> (64 - CONTENTION_BITS));
}

/* To be asked before an unlock, which costs no more than this where nobody waits. */
static inline bool contention_is_waited_for(const void *object)
{
    return atomic_load_explicit(&contention_filter[contention_hash(object)],
                                memory_order_relaxed) != 0;
}

/* On the stack of who unlocks. */
struct release {
    const void *object;
    uint64_t delay_ns, contentions;
    uint32_t scale; /* each counts so often */
};

/* Who waits, waits no more. `got`: has the lock. Inside of waits_busy. */
bool contention_enter(const struct wait *w);
void contention_leave(const struct wait *w, uint64_t now_ns, bool got);
/* The caller is about to unlock. True: contention_end follows, after it or before. */
bool contention_begin(const void *object, struct release *r);
void contention_end(struct release *r, const void *caller);
/* At the end of all counting: what threads have waited for locks that were not let go. */
void contention_count_open(uint64_t now_ns);
/* Memory for its table; NULL until then. In a forked child it is empty. */
size_t contention_bytes(void);
void contention_use(void *memory);
void contention_forget(void);

/* ---- contention_profile.c ---- */

struct contention_base {
    const struct heaptab_site *site;
    uint64_t contentions, delay_ns;
    const struct module *modules; /* of its process */
    uint32_t pid;                 /* as a label; 0: none */
};

/* ---- waits_bypass.c ---- */

#define WAITS_LOCKS(LOCK)                                                                          \
    LOCK(pthread_mutex_lock)                                                                       \
    LOCK(pthread_mutex_unlock)                                                                     \
    LOCK(pthread_rwlock_rdlock)                                                                    \
    LOCK(pthread_rwlock_wrlock)                                                                    \
    LOCK(pthread_rwlock_unlock)

/* Our own of these; in interpose_pthread.c. */
extern WAITS_HIDDEN const char *const waits_our_locks[];

/* Locks go past us from now on. In the constructor, if nobody looks at waits. */
void waits_bypass(void);
/* They come to us again: before somebody looks. False: a sandbox forbids what that takes. */
bool waits_end_bypass(void);

/* ---- waits_open.c: those that have not ended ---- */

struct open_wait {
    uint32_t site, tid, turn;
    uint64_t delay_ns; /* so far */
};

struct open_waits {
    struct open_wait *list; /* by site */
    uint32_t count;
};

/* The waits for the block profile that go on now, in the arena; their sites are in the log. 0 or
 * -ENOMEM. */
int waits_open_take(struct open_waits *open, struct arena *arena);
/* Adds those of to->site to it which go on still: what `to` says does not have them. Sites come in
 * the log's order, *at is 0 before the first. */
void waits_open_add(const struct open_waits *open, uint32_t *at, struct contention_base *to);
/* At the end of all counting: what goes on counts up to now. */
void waits_open_count(void);

struct contention_tree_base;

struct contention_view {
    enum waittab_profile which;
    const struct contention_base *base; /* taken off; NULL: nothing */
    uint64_t base_count, base_mono_ns;
    bool tree;                           /* of all processes of the tree, or, … */
    uint32_t pid;                        /* … not 0, of that one */
    struct contention_tree_base *others; /* what is taken off of theirs: TREE_SLOTS, or NULL */
};

int contention_begin_delta(struct contention_view *view, struct arena *arena);
int contention_write(const struct contention_view *view, strobe_write_fn write, void *ctx);
/* The text of Go's debug=1. */
void contention_write_text(const struct contention_view *view, struct buf *out);
/* How many stacks there are. */
uint64_t contention_count_block(void);
uint64_t contention_count_mutex(void);

#endif
