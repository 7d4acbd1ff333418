/* SPDX-License-Identifier: MIT
 *
 * The kinds threads and threadcreate under a recorder. Who makes threads is told as it happens, so
 * that a SIGKILL loses nothing. Where threads are is a moment's picture, as with Go's profile: it
 * is taken when the process ends, by itself or by a signal that may be handled. What they wait in,
 * and their names, go along as labels. */
#include "runtime/thread_record.h"

#include "base/sigsafe.h"
#include "runtime/heap.h"
#include "runtime/labels.h"
#include "runtime/thread_dump.h"

static bool wants(enum shm_kind kind)
{
    return rt.shm && rt.kinds & kind && atomic_load(&rt.sink) == SINK_SHM;
}

static void tell(struct shm_sample *s, const uint64_t *pcs)
{
    s->r.type = SHM_SAMPLE;
    s->weight = 1;
    if (!runtime_emit(&s->r, sizeof *s, pcs, s->depth * 8u))
        atomic_fetch_add_explicit(&rt.process->counts_lost, 1, memory_order_relaxed);
}

bool thread_record_wants_creations(void)
{
    return wants(SHM_KIND_THREADCREATE);
}

static bool is_nobodys(uint64_t pc)
{
    (void)pc;
    return false;
}

void thread_record_creation(const void *caller)
{
    uint64_t pcs[LIMIT_STACK_DEPTH];
    uint32_t n = heap_walk(NULL, is_nobodys, pcs, LIMIT_STACK_DEPTH), first = 0;
    while (first < n && pcs[first] != (uint64_t)(uintptr_t)caller - 1)
        first++;
    first = first < n ? first : 0;
    struct shm_sample s = {.kind = SHM_KIND_THREADCREATE,
                           .tid = runtime_tid(),
                           .depth = (uint16_t)(n - first),
                           .labels = labels_here()};
    tell(&s, pcs + first);
}

void thread_record_end(void)
{
    struct arena arena;
    struct thread_dumps d = {0};
    static _Atomic uint32_t told; /* the process that has */
    if (!wants(SHM_KIND_THREADS) || atomic_exchange(&told, rt.pid) == rt.pid)
        return;
    arena_init_nullable(&arena);
    if (thread_dumps_take(&d, &arena) != 0)
        atomic_fetch_add_explicit(&rt.process->counts_lost, 1, memory_order_relaxed);
    for (uint32_t i = 0; i < d.count; i++) {
        const struct thread_dump *t = &d.list[i];
        struct shm_sample s = {.kind = SHM_KIND_THREADS,
                               .tid = t->tid,
                               .flags = (uint16_t)t->flags,
                               .depth = (uint16_t)t->depth,
                               .labels = labels_extend(t->labels, "state", t->waiting)};
        s.labels = labels_extend(s.labels, "thread", t->name);
        tell(&s, t->pcs);
    }
    arena_free(&arena);
}
