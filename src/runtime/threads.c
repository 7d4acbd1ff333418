/* SPDX-License-Identifier: MIT
 *
 * Threads made while a profile runs. pthread_create and thrd_create pass through here: the new
 * thread arms its own clock before its start routine, and a key's destructor ends it, also by
 * pthread_exit and cancellation. While nothing is profiled a call costs one branch.
 *
 * Threads with small stacks get an alternate one for our handler: the kernel alone writes up to 12
 * KB (AVX-512, AMX) before the first instruction of ours. */
#include "base/sigsafe.h"
#include "runtime/heap.h"
#include "runtime/interpose.h"
#include "runtime/labels.h"
#include "runtime/thread_record.h"
#include "runtime/runtime.h"
#include "runtime/tree.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <threads.h>

enum { SMALL_STACK = 64 << 10, ALTSTACK = 48 << 10, GUARD = 4096, PLAIN_HANDOVERS = 1024 };

static pthread_key_t key;
static bool key_made;
static __thread char *altstack __attribute__((tls_model("initial-exec")));
static __thread stack_t altstack_is __attribute__((tls_model("initial-exec")));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void threads_lock(void)
{
    pthread_mutex_lock(&lock);
}

void threads_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

static void free_altstack(void)
{
    if (!altstack || (atomic_load(&rt.denied) & NEED_ARM))
        return;
    stack_t off = {.ss_flags = SS_DISABLE}, now;
    /* The program may have put its own there since; then that one stays. */
    if (signals_altstack(NULL, &now) == 0 && now.ss_sp == altstack + GUARD)
        signals_altstack(&off, NULL);
    munmap(altstack, ALTSTACK + GUARD);
    altstack = NULL;
}

static void end_thread(void *p)
{
    runtime_thread_end(p);
    free_altstack();
}

void threads_init(void)
{
    key_made = pthread_key_create(&key, end_thread) == 0;
}

static void give_altstack(void)
{
    char *p =
        mmap(NULL, ALTSTACK + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return;
    stack_t st = {.ss_sp = p + GUARD, .ss_size = ALTSTACK};
    if (mprotect(p, GUARD, PROT_NONE) != 0 || signals_altstack(&st, NULL) != 0) {
        munmap(p, ALTSTACK + GUARD);
        return;
    }
    altstack = p;
    altstack_is = st;
}

const stack_t *threads_altstack(void)
{
    return altstack ? &altstack_is : NULL;
}

/* What the new thread takes over from its creator, which waits for nothing: freed by the thread. */
struct handover {
    _Atomic uint32_t *used; /* of a plain one, or NULL */
    struct thread *t;       /* NULL: it is not sampled */
    uint32_t labels;
    union {
        void *(*posix)(void *);
        int (*c11)(void *);
    } start;
    void *arg;
    bool small_stack;
    bool blocked; /* the creator believes to have blocked our signal */
};

/* Handovers live in the thread entry's own slot of a static table: no allocation. Those of threads
 * that are not sampled, but inherit labels, are taken from a few that begin soon. */
static struct handover handovers[RUNTIME_THREADS];
static struct handover plain[PLAIN_HANDOVERS];
static _Atomic uint32_t plain_used[PLAIN_HANDOVERS];

static struct handover *hand_over_labels(void *arg)
{
    uint32_t labels = labels_here();
    for (uint32_t i = 0; labels && i < PLAIN_HANDOVERS; i++)
        if (!atomic_load_explicit(&plain_used[i], memory_order_relaxed) &&
            !atomic_exchange_explicit(&plain_used[i], 1, memory_order_acquire)) {
            plain[i] = (struct handover){.used = &plain_used[i], .labels = labels, .arg = arg};
            return &plain[i];
        }
    return NULL;
}

void threads_forget(void)
{
    pthread_mutex_init(&lock, NULL);
    for (uint32_t i = 0; i < PLAIN_HANDOVERS; i++)
        if (atomic_load_explicit(&plain_used[i], memory_order_relaxed)) /* touch no other */
            atomic_store_explicit(&plain_used[i], 0, memory_order_relaxed);
}

static void give_back(struct handover *h)
{
    if (h->t)
        runtime_thread_release(h->t);
    else
        atomic_store_explicit(h->used, 0, memory_order_release);
}

/* NULL: its thread is not sampled, or cannot be. */
static struct handover *hand_over_sampled(void *arg)
{
    if (!key_made || !(rt.kinds & SHM_KIND_CPU) ||
        atomic_load_explicit(&rt.sink, memory_order_acquire) == SINK_OFF ||
        (atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_ARM))
        return NULL;
    struct thread *t = runtime_thread_claim();
    if (!t)
        return NULL;
    struct handover *h = &handovers[t - rt.threads];
    *h = (struct handover){
        .t = t, .labels = labels_here(), .arg = arg, .blocked = signals_believed_blocked()};
    return h;
}

static struct handover *hand_over(void *arg)
{
    struct handover *h = hand_over_sampled(arg);
    return h ? h : hand_over_labels(arg);
}

/* Under the lock. Profiling may have stopped since the handover, or stopped and started again; then
 * this thread was there already for who started it, and has an entry that is armed. */
static void arm_self(struct handover *h)
{
    uint32_t tid = runtime_tid();
    struct thread *t = runtime_thread_of(tid);
    bool armed = t != NULL;
    if (armed)
        runtime_thread_release(h->t);
    else
        t = h->t;
    t->stack_hi = (uintptr_t)pthread_self(); /* glibc keeps the thread's control block above it */
    t->start = (uintptr_t)h->start.posix;
    if (atomic_load(&rt.sink) != SINK_OFF && pthread_setspecific(key, t) == 0 &&
        (armed || runtime_arm(t, tid, 0)))
        runtime_set_self(t);
    else if (!armed)
        runtime_thread_release(t);
}

static struct handover begin_thread(struct handover *h)
{
    struct handover mine = *h;
    labels_begin_thread(mine.labels);
    if (!mine.t) {
        give_back(h);
        return mine;
    }
    if (mine.small_stack)
        give_altstack();
    signals_begin_thread(mine.blocked);
    threads_lock();
    arm_self(&mine);
    threads_unlock();
    return mine;
}

static void *run_posix(void *p)
{
    struct handover h = begin_thread(p);
    return h.start.posix(h.arg);
}

static int run_c11(void *p)
{
    struct handover h = begin_thread(p);
    return h.start.c11(h.arg);
}

/* ---- threads that libc does not know ---- */

/* Shares its creator's thread-local storage, perhaps: nothing here may touch it. */
static int run_raw(void *p)
{
    struct handover h = *(struct handover *)p;
    struct label_slot *labels = labels_begin_raw(runtime_tid(), h.labels);
    bool armed = atomic_load(&rt.sink) != SINK_OFF && runtime_arm(h.t, runtime_tid(), 0);
    if (!armed)
        runtime_thread_release(h.t);
    int r = h.start.c11(h.arg);
    if (armed)
        runtime_raw_thread_end(h.t);
    if (labels)
        label_slots_give_back(labels);
    return r;
}

struct thread *threads_adopt(int (**fn)(void *), void **arg, void *stack)
{
    struct handover *h = hand_over_sampled(*arg);
    if (!h)
        return NULL;
    h->start.c11 = *fn;
    h->t->stack_hi = (uintptr_t)stack;
    h->t->start = (uintptr_t)*fn;
    *fn = run_raw;
    *arg = h;
    return h->t;
}

/* ---- who makes threads ---- */

static struct stacktab *creations;

int threads_count_creations(void)
{
    int r = runtime_map();
    creations = tree_creations();
    if (creations)
        return r;
    long p = sigsafe_syscall6(SYS_mmap, 0, sizeof *creations, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (r < 0 || (p < 0 && p > -4096))
        return -ENOMEM;
    creations = (struct stacktab *)p;
    return 0;
}

void threads_creations_forked(void)
{
    struct stacktab *in_tree = creations ? tree_creations() : NULL;
    if (in_tree || tree_is_shared(creations))
        creations = in_tree;
}

struct stacktab *threads_creations(void)
{
    return creations;
}

/* A thread was made, or not (`r`), by who called our interposer. */
static int count_creation(int r, const void *caller)
{
    if (__builtin_expect(creations != NULL, 0) && r == 0)
        heap_count_here(creations, caller);
    if (__builtin_expect(thread_record_wants_creations(), 0) && r == 0)
        thread_record_creation(caller);
    return r;
}

/* ---- interposers ---- */

INTERPOSE int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
                             void *arg)
{
    REAL(pthread_create, int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *));
    struct handover *h = hand_over(arg);
    if (!h)
        return count_creation(real(thread, attr, start, arg), __builtin_return_address(0));
    size_t size = 0;
    h->small_stack = attr && pthread_attr_getstacksize(attr, &size) == 0 && size < SMALL_STACK;
    h->start.posix = start;
    struct handover mine = *h; /* which the thread may have given back already */
    int r = real(thread, attr, run_posix, h);
    if (r != 0)
        give_back(&mine);
    return count_creation(r, __builtin_return_address(0));
}

INTERPOSE int thrd_create(thrd_t *thread, thrd_start_t start, void *arg)
{
    REAL(thrd_create, int (*)(thrd_t *, thrd_start_t, void *));
    struct handover *h = hand_over(arg);
    if (!h)
        return count_creation(real(thread, start, arg), __builtin_return_address(0));
    h->start.c11 = start;
    struct handover mine = *h;
    int r = real(thread, run_c11, h);
    if (r != thrd_success)
        give_back(&mine);
    return count_creation(r, __builtin_return_address(0));
}
