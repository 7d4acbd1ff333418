/* SPDX-License-Identifier: MIT
 *
 * The profiles of waits of recorded processes, read as drain_heap.c reads those of heaps: once,
 * when the process has ended, from its region of the segment, with every bound checked and
 * everything copied. */
#include "record/drain.h"

#include <string.h>

static void keep_site(struct drain *d, uint32_t slot, const struct heaptab_site *s)
{
    uint32_t depth = s->depth <= LIMIT_STACK_DEPTH ? s->depth : LIMIT_STACK_DEPTH;
    struct drain_wait wait = {.which = s->size == WAITTAB_MUTEX ? WAITTAB_MUTEX : WAITTAB_BLOCK,
                              .image = drain_image_of(d, slot, s->image),
                              .epoch = s->epoch,
                              .depth = depth,
                              .flags = s->flags,
                              .reason = s->reason,
                              .labels = s->labels,
                              .contentions = atomic_load(&s->n[WAITTAB_CONTENTIONS]),
                              .delay_ns = atomic_load(&s->n[WAITTAB_DELAY_NS]),
                              .samples = atomic_load(&s->n[WAITTAB_SAMPLES])};
    if (d->wait_count >= LIMIT_RECORD_STACKS) {
        d->waits_lost++;
        return;
    }
    if (wait.image == DRAIN_NONE || (!wait.contentions && !wait.delay_ns))
        return;
    uint64_t *pcs = arena_alloc(&d->arena, depth * sizeof *pcs);
    memcpy(pcs, s->pcs, depth * sizeof *pcs);
    wait.pcs = pcs;
    if (d->wait_count == d->wait_cap) {
        uint32_t want = d->wait_cap ? d->wait_cap * 2 : 256;
        d->waits = arena_grow(&d->arena, d->waits, d->wait_cap * sizeof wait, want * sizeof wait);
        d->wait_cap = want;
    }
    d->waits[d->wait_count++] = wait;
}

static void read_log(struct drain *d, uint32_t slot, const struct heaptab *t)
{
    for (const struct heaptab_site *s = NULL; (s = heaptab_next(t, WAITTAB_BYTES, s));)
        keep_site(d, slot, s);
    d->waits_lost += atomic_load(&t->lost);
    d->waits_truncated += atomic_load(&t->truncated);
}

void drain_waits(struct drain *d, uint32_t slot)
{
    if (d->shm->kinds & (SHM_KIND_BLOCK | SHM_KIND_MUTEX))
        drain_log(d, slot, &(struct drain_region){shm_wait_offset(slot), WAITTAB_BYTES}, read_log);
}
