/* SPDX-License-Identifier: MIT
 *
 * Locks: mutexes, read-write locks, and C11's mutexes. A lock is tried first, which costs what
 * taking it does; only where that finds it taken a wait begins. Every other answer of the try is
 * the caller's: a robust mutex whose owner died is taken then (EOWNERDEAD), an error-checking one
 * of our own says EBUSY and gets its EDEADLK from the real call, in which it waits for nothing.
 *
 * Spin locks stay as they are: who spins runs, and is in the CPU profile. */
#include "runtime/bypass.h"
#include "runtime/waits.h"

#include <errno.h>
#include <pthread.h>
#include <threads.h>

#define LIKELY WAITS_LIKELY

/* glibc's own names, which old binaries ask for: a jump, so that stacks show the common name. */
#define ALSO(name, type)                                                                           \
    INTERPOSE int __##name(type *object);                                                          \
    INTERPOSE int __##name(type *object)                                                           \
    {                                                                                              \
        return name(object);                                                                       \
    }                                                                                              \
    _Static_assert(1, "")

static enum waits_outcome outcome_of(int r)
{
    return r == 0 || r == EOWNERDEAD ? WAITS_GOT : r == ETIMEDOUT ? WAITS_GAVE_UP : WAITS_FAILED;
}

static enum waits_outcome outcome_of_c11(int r)
{
    return r == thrd_success ? WAITS_GOT : r == thrd_timedout ? WAITS_GAVE_UP : WAITS_FAILED;
}

/* The body of the slow way: the wait around one call. */
#define WAIT_AROUND(kind, object, call, outcome)                                                   \
    struct wait w;                                                                                 \
    waits_begin(&w, kind, object);                                                                 \
    int r = call;                                                                                  \
    waits_leave(&w, caller, outcome(r));                                                           \
    return r

/* ---- mutexes ---- */

WAITS_SLOW static int lock_slowly(pthread_mutex_t *m, const void *caller)
{
    WAIT_AROUND(WAITS_MUTEX, m, WAITS_REAL(pthread_mutex_lock)(m), outcome_of);
}

INTERPOSE WAITS_ALONE int pthread_mutex_lock(pthread_mutex_t *m)
{
    __typeof__(pthread_mutex_lock) *plain = WAITS_FAST(pthread_mutex_lock);
    if (LIKELY(plain))
        return plain(m);
    int r = WAITS_REAL(pthread_mutex_trylock)(m);
    if (LIKELY(r != EBUSY))
        return r;
    r = lock_slowly(m, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}
ALSO(pthread_mutex_lock, pthread_mutex_t);

WAITS_SLOW static int timedlock_slowly(pthread_mutex_t *m, const struct timespec *until,
                                       const void *caller)
{
    WAIT_AROUND(WAITS_MUTEX, m, WAITS_REAL(pthread_mutex_timedlock)(m, until), outcome_of);
}

INTERPOSE int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *until)
{
    __typeof__(pthread_mutex_timedlock) *plain = WAITS_FAST(pthread_mutex_timedlock);
    if (LIKELY(plain))
        return plain(m, until);
    int r = WAITS_REAL(pthread_mutex_trylock)(m);
    if (LIKELY(r != EBUSY))
        return r;
    r = timedlock_slowly(m, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int clocklock_slowly(pthread_mutex_t *m, clockid_t clock,
                                       const struct timespec *until, const void *caller)
{
    WAIT_AROUND(WAITS_MUTEX, m, WAITS_REAL(pthread_mutex_clocklock)(m, clock, until), outcome_of);
}

/* A clock that cannot be waited by is an error also of a lock that is free. */
INTERPOSE int pthread_mutex_clocklock(pthread_mutex_t *m, clockid_t clock,
                                      const struct timespec *until)
{
    __typeof__(pthread_mutex_clocklock) *plain = WAITS_FAST(pthread_mutex_clocklock);
    if (LIKELY(plain))
        return plain(m, clock, until);
    bool known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
    int r = known ? WAITS_REAL(pthread_mutex_trylock)(m) : EBUSY;
    if (LIKELY(r != EBUSY))
        return r;
    r = clocklock_slowly(m, clock, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

/* An inner unlock of a recursive mutex lets nobody in. */
static bool is_inner(const pthread_mutex_t *m)
{
    return (m->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP && m->__data.__count > 1;
}

WAITS_SLOW static int unlock_slowly(pthread_mutex_t *m, const void *caller)
{
    struct release release;
    bool charged = !is_inner(m) && contention_begin(m, &release);
    int r = WAITS_REAL(pthread_mutex_unlock)(m);
    if (charged)
        contention_end(&release, caller);
    return r;
}

INTERPOSE WAITS_ALONE int pthread_mutex_unlock(pthread_mutex_t *m)
{
    __typeof__(pthread_mutex_unlock) *plain = WAITS_FAST(pthread_mutex_unlock);
    if (LIKELY(plain))
        return plain(m);
    if (LIKELY(!contention_is_waited_for(m)))
        return WAITS_REAL(pthread_mutex_unlock)(m);
    int r = unlock_slowly(m, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}
ALSO(pthread_mutex_unlock, pthread_mutex_t);

/* ---- C11 ---- */

WAITS_SLOW static int mtx_lock_slowly(mtx_t *m, const void *caller)
{
    WAIT_AROUND(WAITS_MUTEX, m, WAITS_REAL(mtx_lock)(m), outcome_of_c11);
}

INTERPOSE int mtx_lock(mtx_t *m)
{
    __typeof__(mtx_lock) *plain = WAITS_FAST(mtx_lock);
    if (LIKELY(plain))
        return plain(m);
    int r = WAITS_REAL(mtx_trylock)(m);
    if (LIKELY(r != thrd_busy))
        return r;
    r = mtx_lock_slowly(m, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int mtx_timedlock_slowly(mtx_t *m, const struct timespec *until,
                                           const void *caller)
{
    WAIT_AROUND(WAITS_MUTEX, m, WAITS_REAL(mtx_timedlock)(m, until), outcome_of_c11);
}

INTERPOSE int mtx_timedlock(mtx_t *restrict m, const struct timespec *restrict until)
{
    __typeof__(mtx_timedlock) *plain = WAITS_FAST(mtx_timedlock);
    if (LIKELY(plain))
        return plain(m, until);
    int r = WAITS_REAL(mtx_trylock)(m);
    if (LIKELY(r != thrd_busy))
        return r;
    r = mtx_timedlock_slowly(m, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int mtx_unlock_slowly(mtx_t *m, const void *caller)
{
    struct release release;
    bool charged = !is_inner((pthread_mutex_t *)m) && contention_begin(m, &release);
    int r = WAITS_REAL(mtx_unlock)(m);
    if (charged)
        contention_end(&release, caller);
    return r;
}

INTERPOSE int mtx_unlock(mtx_t *m)
{
    __typeof__(mtx_unlock) *plain = WAITS_FAST(mtx_unlock);
    if (LIKELY(plain))
        return plain(m);
    if (LIKELY(!contention_is_waited_for(m)))
        return WAITS_REAL(mtx_unlock)(m);
    int r = mtx_unlock_slowly(m, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

/* ---- read-write locks ---- */

WAITS_SLOW static int rdlock_slowly(pthread_rwlock_t *l, const void *caller)
{
    WAIT_AROUND(WAITS_RWLOCK, l, WAITS_REAL(pthread_rwlock_rdlock)(l), outcome_of);
}

INTERPOSE WAITS_ALONE int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
    __typeof__(pthread_rwlock_rdlock) *plain = WAITS_FAST(pthread_rwlock_rdlock);
    if (LIKELY(plain))
        return plain(l);
    int r = WAITS_REAL(pthread_rwlock_tryrdlock)(l);
    if (LIKELY(r != EBUSY))
        return r;
    r = rdlock_slowly(l, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}
ALSO(pthread_rwlock_rdlock, pthread_rwlock_t);

WAITS_SLOW static int wrlock_slowly(pthread_rwlock_t *l, const void *caller)
{
    WAIT_AROUND(WAITS_RWLOCK, l, WAITS_REAL(pthread_rwlock_wrlock)(l), outcome_of);
}

INTERPOSE WAITS_ALONE int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
    __typeof__(pthread_rwlock_wrlock) *plain = WAITS_FAST(pthread_rwlock_wrlock);
    if (LIKELY(plain))
        return plain(l);
    int r = WAITS_REAL(pthread_rwlock_trywrlock)(l);
    if (LIKELY(r != EBUSY))
        return r;
    r = wrlock_slowly(l, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}
ALSO(pthread_rwlock_wrlock, pthread_rwlock_t);

/* The timed ones look at their arguments first, and a lock that is free does not make good what is
 * wrong with them: they are tried only where nothing is. */
static bool is_valid(clockid_t clock, const struct timespec *until)
{
    return (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) && until->tv_nsec >= 0 &&
           until->tv_nsec < 1000000000;
}

WAITS_SLOW static int timedrdlock_slowly(pthread_rwlock_t *l, const struct timespec *until,
                                         const void *caller)
{
    WAIT_AROUND(WAITS_RWLOCK, l, WAITS_REAL(pthread_rwlock_timedrdlock)(l, until), outcome_of);
}

INTERPOSE int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict l,
                                         const struct timespec *restrict until)
{
    __typeof__(pthread_rwlock_timedrdlock) *plain = WAITS_FAST(pthread_rwlock_timedrdlock);
    if (LIKELY(plain))
        return plain(l, until);
    int r = is_valid(CLOCK_REALTIME, until) ? WAITS_REAL(pthread_rwlock_tryrdlock)(l) : EBUSY;
    if (LIKELY(r != EBUSY))
        return r;
    r = timedrdlock_slowly(l, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int timedwrlock_slowly(pthread_rwlock_t *l, const struct timespec *until,
                                         const void *caller)
{
    WAIT_AROUND(WAITS_RWLOCK, l, WAITS_REAL(pthread_rwlock_timedwrlock)(l, until), outcome_of);
}

INTERPOSE int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict l,
                                         const struct timespec *restrict until)
{
    __typeof__(pthread_rwlock_timedwrlock) *plain = WAITS_FAST(pthread_rwlock_timedwrlock);
    if (LIKELY(plain))
        return plain(l, until);
    int r = is_valid(CLOCK_REALTIME, until) ? WAITS_REAL(pthread_rwlock_trywrlock)(l) : EBUSY;
    if (LIKELY(r != EBUSY))
        return r;
    r = timedwrlock_slowly(l, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int clockrdlock_slowly(pthread_rwlock_t *l, clockid_t clock,
                                         const struct timespec *until, const void *caller)
{
    WAIT_AROUND(WAITS_RWLOCK, l, WAITS_REAL(pthread_rwlock_clockrdlock)(l, clock, until),
                outcome_of);
}

INTERPOSE int pthread_rwlock_clockrdlock(pthread_rwlock_t *restrict l, clockid_t clock,
                                         const struct timespec *restrict until)
{
    __typeof__(pthread_rwlock_clockrdlock) *plain = WAITS_FAST(pthread_rwlock_clockrdlock);
    if (LIKELY(plain))
        return plain(l, clock, until);
    int r = is_valid(clock, until) ? WAITS_REAL(pthread_rwlock_tryrdlock)(l) : EBUSY;
    if (LIKELY(r != EBUSY))
        return r;
    r = clockrdlock_slowly(l, clock, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int clockwrlock_slowly(pthread_rwlock_t *l, clockid_t clock,
                                         const struct timespec *until, const void *caller)
{
    WAIT_AROUND(WAITS_RWLOCK, l, WAITS_REAL(pthread_rwlock_clockwrlock)(l, clock, until),
                outcome_of);
}

INTERPOSE int pthread_rwlock_clockwrlock(pthread_rwlock_t *restrict l, clockid_t clock,
                                         const struct timespec *restrict until)
{
    __typeof__(pthread_rwlock_clockwrlock) *plain = WAITS_FAST(pthread_rwlock_clockwrlock);
    if (LIKELY(plain))
        return plain(l, clock, until);
    int r = is_valid(clock, until) ? WAITS_REAL(pthread_rwlock_trywrlock)(l) : EBUSY;
    if (LIKELY(r != EBUSY))
        return r;
    r = clockwrlock_slowly(l, clock, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int rwlock_unlock_slowly(pthread_rwlock_t *l, const void *caller)
{
    struct release release;
    bool charged = contention_begin(l, &release);
    int r = WAITS_REAL(pthread_rwlock_unlock)(l);
    if (charged)
        contention_end(&release, caller);
    return r;
}

INTERPOSE WAITS_ALONE int pthread_rwlock_unlock(pthread_rwlock_t *l)
{
    __typeof__(pthread_rwlock_unlock) *plain = WAITS_FAST(pthread_rwlock_unlock);
    if (LIKELY(plain))
        return plain(l);
    if (LIKELY(!contention_is_waited_for(l)))
        return WAITS_REAL(pthread_rwlock_unlock)(l);
    int r = rwlock_unlock_slowly(l, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}
ALSO(pthread_rwlock_unlock, pthread_rwlock_t);

/* ---- for the way past us (waits_bypass.c) ---- */

BYPASS_OURS(pthread_mutex_lock);
BYPASS_OURS(pthread_mutex_unlock);
BYPASS_OURS(pthread_rwlock_rdlock);
BYPASS_OURS(pthread_rwlock_wrlock);
BYPASS_OURS(pthread_rwlock_unlock);

#define ROW(name) our_##name,
WAITS_HIDDEN const char *const waits_our_locks[] = {WAITS_LOCKS(ROW)};
#undef ROW
