/* SPDX-License-Identifier: MIT
 *
 * The chunk pool and the process slots of the shared segment: the lock-free half that handlers
 * and the recorder both run. Called from signal handlers: atomics only, no libc. Indexes that come
 * from the segment are masked before use, because a program may scribble over shared memory. */
#include "base/shm.h"

static void push(struct shm *s, uint32_t index)
{
    uint64_t head = atomic_load_explicit(&s->free_head, memory_order_relaxed), want;
    do {
        atomic_store_explicit(&s->chunks[index].next, (uint32_t)head, memory_order_relaxed);
        want = ((head >> 32) + 1) << 32 | (index + 1);
    } while (!atomic_compare_exchange_weak_explicit(&s->free_head, &head, want,
                                                    memory_order_acq_rel, memory_order_relaxed));
}

static struct shm_chunk *pop(struct shm *s)
{
    uint64_t head = atomic_load_explicit(&s->free_head, memory_order_acquire), want;
    uint32_t index;
    do {
        index = (uint32_t)head;
        if (index == 0 || index > SHM_CHUNKS)
            return NULL;
        uint32_t next = atomic_load_explicit(&s->chunks[index - 1].next, memory_order_relaxed);
        want = ((head >> 32) + 1) << 32 | next;
    } while (!atomic_compare_exchange_weak_explicit(&s->free_head, &head, want,
                                                    memory_order_acq_rel, memory_order_acquire));
    return &s->chunks[index - 1];
}

void shm_init(struct shm *s)
{
    s->magic = SHM_MAGIC;
    s->version = SHM_VERSION;
    s->size_bytes = sizeof *s;
    for (uint32_t i = SHM_CHUNKS; i-- > 0;)
        push(s, i);
}

bool shm_valid(const struct shm *s, size_t size)
{
    return size >= sizeof *s && s->magic == SHM_MAGIC && s->version == SHM_VERSION &&
           s->size_bytes == sizeof *s && s->period_ns > 0;
}

struct shm_chunk *shm_chunk_take(struct shm *s, uint32_t bytes, uint32_t pid)
{
    for (;;) {
        struct shm_chunk *c = pop(s);
        if (!c)
            return NULL;
        atomic_store_explicit(&c->holder, pid, memory_order_relaxed);
        uint32_t used = atomic_load_explicit(&c->committed, memory_order_relaxed);
        if (used <= SHM_CHUNK_DATA && bytes <= SHM_CHUNK_DATA - used)
            return c;
        atomic_store_explicit(&c->full, 1, memory_order_release);
    }
}

void shm_chunk_put(struct shm *s, struct shm_chunk *c, uint32_t bytes)
{
    uint32_t used = atomic_load_explicit(&c->committed, memory_order_relaxed);
    atomic_store_explicit(&c->committed, used + bytes, memory_order_release);
    atomic_store_explicit(&c->holder, 0, memory_order_release);
    push(s, (uint32_t)(c - s->chunks));
}

void shm_chunk_recycle(struct shm *s, struct shm_chunk *c)
{
    atomic_store_explicit(&c->committed, 0, memory_order_relaxed);
    atomic_store_explicit(&c->holder, 0, memory_order_relaxed);
    atomic_store_explicit(&c->full, 0, memory_order_release);
    push(s, (uint32_t)(c - s->chunks));
}

struct shm_process *shm_process_claim(struct shm *s, uint32_t pid)
{
    for (uint32_t i = 0; i < SHM_PROCESSES; i++) {
        struct shm_process *p = &s->processes[i];
        uint32_t expected = SHM_FREE;
        if (atomic_load_explicit(&p->state, memory_order_relaxed) != SHM_FREE ||
            !atomic_compare_exchange_strong(&p->state, &expected, SHM_CLAIMED))
            continue;
        atomic_store(&p->pid, pid);
        uint32_t high = atomic_load(&s->processes_high);
        while (high < i + 1 && !atomic_compare_exchange_weak(&s->processes_high, &high, i + 1))
            ;
        return p;
    }
    atomic_fetch_add(&s->processes_lost, 1);
    return NULL;
}

struct shm_process *shm_process_find_execing(struct shm *s, uint32_t pid)
{
    uint32_t high = atomic_load(&s->processes_high);
    for (uint32_t i = 0; i < high && i < SHM_PROCESSES; i++)
        if (atomic_load(&s->processes[i].pid) == pid &&
            atomic_load(&s->processes[i].state) == SHM_EXECING)
            return &s->processes[i];
    return NULL;
}
