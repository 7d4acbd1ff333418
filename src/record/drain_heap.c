/* SPDX-License-Identifier: MIT
 *
 * The heap profiles of recorded processes: the log that each wrote into its region of the segment
 * is read once, when the process has ended, however it ended, and its memory is given back. What is
 * read is checked (heaptab_next) and copied at once, because a child that was forked past us may
 * still have it mapped. */
#include "record/drain.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

/* The site as a whole, so that nobody can change it between the check and the use. */
static void keep_site(struct drain *d, uint32_t slot, const struct heaptab *t,
                      const struct heaptab_site *s)
{
    if (d->heap_count >= LIMIT_RECORD_STACKS) {
        d->heap_lost++;
        return;
    }
    uint32_t depth = s->depth <= LIMIT_STACK_DEPTH ? s->depth : LIMIT_STACK_DEPTH;
    struct drain_site site = {.image = drain_image_of(d, slot, s->image),
                              .epoch = s->epoch,
                              .depth = depth,
                              .flags = s->flags,
                              .reason = s->reason,
                              .labels = s->labels};
    heaptab_read(t, s, false, &site.now);
    heaptab_read(t, s, true, &site.peak);
    if (site.image == DRAIN_NONE || !site.now.raw_allocs)
        return;
    uint64_t *pcs = arena_alloc(&d->arena, depth * sizeof *pcs);
    memcpy(pcs, s->pcs, depth * sizeof *pcs);
    site.pcs = pcs;
    if (d->heap_count == d->heap_cap) {
        uint32_t want = d->heap_cap ? d->heap_cap * 2 : 1024;
        d->heap_sites =
            arena_grow(&d->arena, d->heap_sites, d->heap_cap * sizeof site, want * sizeof site);
        d->heap_cap = want;
    }
    d->heap_sites[d->heap_count++] = site;
}

void drain_log(struct drain *d, uint32_t slot, const struct drain_region *where,
               void (*read)(struct drain *d, uint32_t slot, const struct heaptab *t))
{
    if (d->segment_fd < 0)
        return;
    struct heaptab *t =
        mmap(NULL, where->bytes, PROT_READ, MAP_SHARED, d->segment_fd, (off_t)where->at);
    if (t == MAP_FAILED)
        return;
    if (t->magic == HEAPTAB_MAGIC)
        read(d, slot, t);
    munmap(t, where->bytes);
    fallocate(d->segment_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)where->at,
              (off_t)where->bytes);
}

static void add_memory(struct drain *d, struct shm_process *p, uint64_t peak)
{
    struct drain_memory *m = &d->memory;
    uint64_t rss = atomic_exchange(&p->rss_bytes, 0);
    m->peak_bytes = peak > m->peak_bytes ? peak : m->peak_bytes;
    m->live_bytes += atomic_exchange(&p->live_bytes, 0);
    m->held_bytes += atomic_exchange(&p->held_bytes, 0);
    m->own_bytes += atomic_exchange(&p->own_bytes, 0);
    m->rss_bytes += rss;
    m->processes += rss != 0;
}

static void read_log(struct drain *d, uint32_t slot, const struct heaptab *t)
{
    for (const struct heaptab_site *s = NULL; (s = heaptab_next(t, HEAPTAB_BYTES, s));)
        keep_site(d, slot, t, s);
    d->heap_lost += atomic_load(&t->lost);
    d->heap_truncated += atomic_load(&t->truncated);
    add_memory(d, &d->shm->processes[slot], atomic_load(&t->peak_bytes));
}

void drain_heap(struct drain *d, uint32_t slot)
{
    if (d->shm->kinds & SHM_KIND_HEAP)
        drain_log(d, slot, &(struct drain_region){shm_heap_offset(slot), HEAPTAB_BYTES}, read_log);
}
