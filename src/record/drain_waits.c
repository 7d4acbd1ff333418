/* SPDX-License-Identifier: MIT
 *
 * The profiles of waits of recorded processes, read as drain_heap.c reads those of heaps: once,
 * when the process has ended, from its region of the segment, with every bound checked and
 * everything copied. */
#include "record/drain.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

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

void drain_waits(struct drain *d, uint32_t slot)
{
    off_t at = (off_t)shm_wait_offset(slot);
    if (!(d->shm->kinds & (SHM_KIND_BLOCK | SHM_KIND_MUTEX)) || d->segment_fd < 0)
        return;
    const struct heaptab *t = mmap(NULL, WAITTAB_BYTES, PROT_READ, MAP_SHARED, d->segment_fd, at);
    if (t == MAP_FAILED)
        return;
    if (t->magic == HEAPTAB_MAGIC) {
        for (const struct heaptab_site *s = NULL; (s = heaptab_next(t, WAITTAB_BYTES, s));)
            keep_site(d, slot, s);
        d->waits_lost += atomic_load(&t->lost);
        d->waits_truncated += atomic_load(&t->truncated);
    }
    munmap((void *)t, WAITTAB_BYTES);
    fallocate(d->segment_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, (off_t)WAITTAB_BYTES);
}
