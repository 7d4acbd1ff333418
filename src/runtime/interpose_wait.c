/* SPDX-License-Identifier: MIT
 *
 * Conditions, semaphores, barriers, ends of threads, and initialisation by somebody else. Where a
 * call can find what it wants at once it is tried first; conditions always wait.
 *
 * What POSIX calls a cancellation point is one here: a thread that is cancelled in a wait has its
 * handlers run as it would, and ours among them, by which the wait is counted and over. */
#include "runtime/waits.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <threads.h>

#define LIKELY WAITS_LIKELY

/* Of glibc, for code that is not unwound by exceptions: the list that longjmp knows as well. */
extern void _pthread_cleanup_push(struct _pthread_cleanup_buffer *b, void (*f)(void *), void *arg);
extern void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *b, int execute);

/* What a thread that may be cancelled puts around a call. */
#define WAIT_CANCELLABLY(kind, object, call, outcome)                                              \
    struct cancellable c = {.caller = caller};                                                     \
    struct _pthread_cleanup_buffer cleanup;                                                        \
    waits_begin(&c.w, kind, object);                                                               \
    if (!c.w.t)                                                                                    \
        return call;                                                                               \
    _pthread_cleanup_push(&cleanup, waits_cancelled, &c);                                          \
    int r = call;                                                                                  \
    _pthread_cleanup_pop(&cleanup, 0);                                                             \
    waits_leave(&c.w, caller, outcome);                                                            \
    return r

static enum waits_outcome outcome_of(int r)
{
    return r == 0 ? WAITS_GOT : r == ETIMEDOUT ? WAITS_GAVE_UP : WAITS_FAILED;
}

/* ---- conditions ---- */

/* A wait for a condition lets go of its mutex: what others waited for that is charged here, before
 * it, because the stack cannot be walked while we wait. */
static void let_go(const void *mutex, const void *caller)
{
    struct release release;
    if (contention_is_waited_for(mutex) && contention_begin(mutex, &release))
        contention_end(&release, caller);
}

WAITS_SLOW static int cond_wait_slowly(pthread_cond_t *cond, pthread_mutex_t *m, const void *caller)
{
    let_go(m, caller);
    WAIT_CANCELLABLY(WAITS_COND, cond, WAITS_REAL(pthread_cond_wait)(cond, m), outcome_of(r));
}

INTERPOSE int pthread_cond_wait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict m)
{
    __typeof__(pthread_cond_wait) *plain = WAITS_FAST(pthread_cond_wait);
    if (LIKELY(plain))
        return plain(cond, m);
    int r = cond_wait_slowly(cond, m, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int cond_timedwait_slowly(pthread_cond_t *cond, pthread_mutex_t *m,
                                            const struct timespec *until, const void *caller)
{
    let_go(m, caller);
    WAIT_CANCELLABLY(WAITS_COND, cond, WAITS_REAL(pthread_cond_timedwait)(cond, m, until),
                     outcome_of(r));
}

INTERPOSE int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict m,
                                     const struct timespec *restrict until)
{
    __typeof__(pthread_cond_timedwait) *plain = WAITS_FAST(pthread_cond_timedwait);
    if (LIKELY(plain))
        return plain(cond, m, until);
    int r = cond_timedwait_slowly(cond, m, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int cond_clockwait_slowly(pthread_cond_t *cond, pthread_mutex_t *m,
                                            clockid_t clock, const struct timespec *until,
                                            const void *caller)
{
    let_go(m, caller);
    WAIT_CANCELLABLY(WAITS_COND, cond, WAITS_REAL(pthread_cond_clockwait)(cond, m, clock, until),
                     outcome_of(r));
}

INTERPOSE int pthread_cond_clockwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict m,
                                     clockid_t clock, const struct timespec *restrict until)
{
    __typeof__(pthread_cond_clockwait) *plain = WAITS_FAST(pthread_cond_clockwait);
    if (LIKELY(plain))
        return plain(cond, m, clock, until);
    int r = cond_clockwait_slowly(cond, m, clock, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

static enum waits_outcome outcome_of_c11(int r)
{
    return r == thrd_success ? WAITS_GOT : r == thrd_timedout ? WAITS_GAVE_UP : WAITS_FAILED;
}

WAITS_SLOW static int cnd_wait_slowly(cnd_t *cond, mtx_t *m, const void *caller)
{
    let_go(m, caller);
    WAIT_CANCELLABLY(WAITS_COND, cond, WAITS_REAL(cnd_wait)(cond, m), outcome_of_c11(r));
}

INTERPOSE int cnd_wait(cnd_t *cond, mtx_t *m)
{
    __typeof__(cnd_wait) *plain = WAITS_FAST(cnd_wait);
    if (LIKELY(plain))
        return plain(cond, m);
    int r = cnd_wait_slowly(cond, m, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int cnd_timedwait_slowly(cnd_t *cond, mtx_t *m, const struct timespec *until,
                                           const void *caller)
{
    let_go(m, caller);
    WAIT_CANCELLABLY(WAITS_COND, cond, WAITS_REAL(cnd_timedwait)(cond, m, until),
                     outcome_of_c11(r));
}

INTERPOSE int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict m,
                            const struct timespec *restrict until)
{
    __typeof__(cnd_timedwait) *plain = WAITS_FAST(cnd_timedwait);
    if (LIKELY(plain))
        return plain(cond, m, until);
    int r = cnd_timedwait_slowly(cond, m, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

/* ---- semaphores ---- */

/* A try that fails says why in errno, which the program is not to see. */
static bool take_semaphore(sem_t *s)
{
    int saved = errno;
    bool got = WAITS_REAL(sem_trywait)(s) == 0;
    errno = saved;
    return got;
}

/* A signal ends it, too, without error of the program's. */
static enum waits_outcome outcome_of_sem(int r)
{
    return r == 0 ? WAITS_GOT : errno == ETIMEDOUT || errno == EINTR ? WAITS_GAVE_UP : WAITS_FAILED;
}

WAITS_SLOW static int sem_wait_slowly(sem_t *s, const void *caller)
{
    WAIT_CANCELLABLY(WAITS_SEM, s, WAITS_REAL(sem_wait)(s), outcome_of_sem(r));
}

INTERPOSE int sem_wait(sem_t *s)
{
    __typeof__(sem_wait) *plain = WAITS_FAST(sem_wait);
    if (LIKELY(plain))
        return plain(s);
    pthread_testcancel(); /* as sem_wait does, also where it does not wait */
    if (LIKELY(take_semaphore(s)))
        return 0;
    int r = sem_wait_slowly(s, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

static bool is_time(const struct timespec *until)
{
    return until->tv_nsec >= 0 && until->tv_nsec < 1000000000;
}

WAITS_SLOW static int sem_timedwait_slowly(sem_t *s, const struct timespec *until,
                                           const void *caller)
{
    WAIT_CANCELLABLY(WAITS_SEM, s, WAITS_REAL(sem_timedwait)(s, until), outcome_of_sem(r));
}

INTERPOSE int sem_timedwait(sem_t *restrict s, const struct timespec *restrict until)
{
    __typeof__(sem_timedwait) *plain = WAITS_FAST(sem_timedwait);
    if (LIKELY(plain))
        return plain(s, until);
    pthread_testcancel();
    if (LIKELY(is_time(until) && take_semaphore(s)))
        return 0;
    int r = sem_timedwait_slowly(s, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int sem_clockwait_slowly(sem_t *s, clockid_t clock, const struct timespec *until,
                                           const void *caller)
{
    WAIT_CANCELLABLY(WAITS_SEM, s, WAITS_REAL(sem_clockwait)(s, clock, until), outcome_of_sem(r));
}

INTERPOSE int sem_clockwait(sem_t *restrict s, clockid_t clock,
                            const struct timespec *restrict until)
{
    __typeof__(sem_clockwait) *plain = WAITS_FAST(sem_clockwait);
    if (LIKELY(plain))
        return plain(s, clock, until);
    pthread_testcancel();
    bool known = clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC;
    if (LIKELY(known && is_time(until) && take_semaphore(s)))
        return 0;
    int r = sem_clockwait_slowly(s, clock, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

/* ---- barriers ---- */

/* Who comes last waits for nobody. */
static enum waits_outcome outcome_of_barrier(int r)
{
    return r == 0 ? WAITS_GOT : WAITS_FAILED;
}

WAITS_SLOW static int barrier_wait_slowly(pthread_barrier_t *b, const void *caller)
{
    struct wait w;
    waits_begin(&w, WAITS_BARRIER, b);
    int r = WAITS_REAL(pthread_barrier_wait)(b);
    waits_leave(&w, caller, outcome_of_barrier(r));
    return r;
}

INTERPOSE int pthread_barrier_wait(pthread_barrier_t *b)
{
    __typeof__(pthread_barrier_wait) *plain = WAITS_FAST(pthread_barrier_wait);
    if (LIKELY(plain))
        return plain(b);
    int r = barrier_wait_slowly(b, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

/* ---- ends of threads ---- */

WAITS_SLOW static int join_slowly(pthread_t thread, void **result, const void *caller)
{
    WAIT_CANCELLABLY(WAITS_JOIN, (void *)thread, WAITS_REAL(pthread_join)(thread, result),
                     outcome_of(r));
}

INTERPOSE int pthread_join(pthread_t thread, void **result)
{
    __typeof__(pthread_join) *plain = WAITS_FAST(pthread_join);
    if (LIKELY(plain))
        return plain(thread, result);
    int r = WAITS_REAL(pthread_tryjoin_np)(thread, result);
    if (r != EBUSY)
        return r;
    r = join_slowly(thread, result, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int timedjoin_slowly(pthread_t thread, void **result,
                                       const struct timespec *until, const void *caller)
{
    WAIT_CANCELLABLY(WAITS_JOIN, (void *)thread,
                     WAITS_REAL(pthread_timedjoin_np)(thread, result, until), outcome_of(r));
}

INTERPOSE int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *until)
{
    __typeof__(pthread_timedjoin_np) *plain = WAITS_FAST(pthread_timedjoin_np);
    if (LIKELY(plain))
        return plain(thread, result, until);
    int r = WAITS_REAL(pthread_tryjoin_np)(thread, result);
    if (r != EBUSY)
        return r;
    r = timedjoin_slowly(thread, result, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int clockjoin_slowly(pthread_t thread, void **result, clockid_t clock,
                                       const struct timespec *until, const void *caller)
{
    WAIT_CANCELLABLY(WAITS_JOIN, (void *)thread,
                     WAITS_REAL(pthread_clockjoin_np)(thread, result, clock, until), outcome_of(r));
}

/* A clock that it does not know is an error also of a thread that has ended: it is not tried. */
INTERPOSE int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock,
                                   const struct timespec *until)
{
    __typeof__(pthread_clockjoin_np) *plain = WAITS_FAST(pthread_clockjoin_np);
    if (LIKELY(plain))
        return plain(thread, result, clock, until);
    int r = clockjoin_slowly(thread, result, clock, until, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

WAITS_SLOW static int thrd_join_slowly(thrd_t thread, int *result, const void *caller)
{
    WAIT_CANCELLABLY(WAITS_JOIN, (void *)thread, WAITS_REAL(thrd_join)(thread, result),
                     outcome_of_c11(r));
}

INTERPOSE int thrd_join(thrd_t thread, int *result)
{
    __typeof__(thrd_join) *plain = WAITS_FAST(thrd_join);
    void *value = NULL;
    if (LIKELY(plain))
        return plain(thread, result);
    if (WAITS_REAL(pthread_tryjoin_np)(thread, &value) == 0) {
        if (result)
            *result = (int)(uintptr_t)value;
        return thrd_success;
    }
    int r = thrd_join_slowly(thread, result, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

/* ---- once ---- */

/* Who finds that nobody has begun runs the function himself, and does not wait. */
struct once {
    void (*run)(void);
    struct wait w;
};

static __thread struct once *once __attribute__((tls_model("initial-exec")));

static void run_once(void)
{
    struct once *o = once; /* not to be read again: the function may come here itself */
    waits_leave(&o->w, NULL, WAITS_FAILED);
    o->w.t = NULL;
    o->run();
}

WAITS_SLOW static int once_slowly(pthread_once_t *control, void (*run)(void), const void *caller)
{
    struct once o = {.run = run}, *outer = once;
    once = &o;
    waits_begin(&o.w, WAITS_ONCE, control);
    int r = WAITS_REAL(pthread_once)(control, run_once);
    once = outer;
    waits_leave(&o.w, caller, WAITS_GOT);
    return r;
}

/* 2: it has been done (glibc, nptl/pthread_once.c). Another libc's number costs a wait of no time.
 */
static bool is_done(const void *control)
{
    return atomic_load_explicit((_Atomic int *)control, memory_order_acquire) == 2;
}

INTERPOSE WAITS_ALONE int pthread_once(pthread_once_t *control, void (*run)(void))
{
    __typeof__(pthread_once) *plain = WAITS_FAST(pthread_once);
    if (LIKELY(plain))
        return plain(control, run);
    if (LIKELY(is_done(control)))
        return WAITS_REAL(pthread_once)(control, run);
    int r = once_slowly(control, run, WAITS_CALLER);
    WAITS_KEEP_FRAME();
    return r;
}

/* glibc's own name, which old binaries ask for. */
int __pthread_once(pthread_once_t *control, void (*run)(void));

INTERPOSE int __pthread_once(pthread_once_t *control, void (*run)(void))
{
    return pthread_once(control, run);
}

WAITS_SLOW static void call_once_slowly(once_flag *flag, void (*run)(void), const void *caller)
{
    struct once o = {.run = run}, *outer = once;
    once = &o;
    waits_begin(&o.w, WAITS_ONCE, flag);
    WAITS_REAL(call_once)(flag, run_once);
    once = outer;
    waits_leave(&o.w, caller, WAITS_GOT);
}

INTERPOSE void call_once(once_flag *flag, void (*run)(void))
{
    __typeof__(call_once) *plain = WAITS_FAST(call_once);
    if (LIKELY(plain)) {
        plain(flag, run);
    } else if (LIKELY(is_done(flag))) {
        WAITS_REAL(call_once)(flag, run);
    } else {
        call_once_slowly(flag, run, WAITS_CALLER);
        WAITS_KEEP_FRAME();
    }
}
