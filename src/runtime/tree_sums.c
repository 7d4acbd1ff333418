/* SPDX-License-Identifier: MIT
 *
 * What the index and /debug/strobe say of the tree's other processes: sums of what their slots
 * have. Only looked at when a page is asked for. */
#include "runtime/tree.h"

#include "base/waittab.h"
#include "runtime/thread_look.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static uint64_t count_threads(uint32_t pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t n = dir >= 0 ? thread_look_list(dir, NULL, 0) : 0;
    if (dir >= 0)
        close(dir);
    return n;
}

static void add_heap(struct tree_sums *to, const struct tree_process *p)
{
    uint64_t size = p->heap_bytes;
    if (p->heap->magic != HEAPTAB_MAGIC)
        return;
    for (const struct heaptab_site *s = NULL; (s = heaptab_next(p->heap, size, s));)
        to->heap_sites++;
    to->heap_lost += atomic_load(&p->heap->lost);
    to->heap_truncated += atomic_load(&p->heap->truncated);
    to->heap_live_bytes += p->has_ended ? 0 : atomic_load(&p->heap->live_bytes);
    to->memory_bytes += sizeof *p->heap + atomic_load(&p->heap->used);
}

static void add_waits(struct tree_sums *to, const struct tree_process *p)
{
    uint64_t size = p->waits_bytes;
    if (p->waits->magic != HEAPTAB_MAGIC)
        return;
    for (const struct heaptab_site *s = NULL; (s = heaptab_next(p->waits, size, s));) {
        to->block_stacks += s->size == WAITTAB_BLOCK;
        to->mutex_stacks += s->size == WAITTAB_MUTEX;
    }
    to->waits_lost += atomic_load(&p->waits->lost);
    to->waits_truncated += atomic_load(&p->waits->truncated);
    to->memory_bytes += sizeof *p->waits + atomic_load(&p->waits->used);
}

static void add_creations(struct tree_sums *to, const struct stacktab *t)
{
    for (uint32_t i = 0; (i = stacktab_next(t, i)) < STACKTAB_ENTRIES; i++)
        if (atomic_load_explicit(&t->entries[i].ready, memory_order_acquire))
            to->creations += atomic_load(&t->entries[i].weight);
    to->memory_bytes += atomic_load(&t->used_words) * sizeof *t->words;
}

void tree_sum(struct tree_sums *to)
{
    struct tree_process p;
    *to = (struct tree_sums){0};
    for (uint32_t at = 0; tree_next_ever(&p, 0, &at);) {
        to->processes += !p.has_ended;
        to->ended += p.has_ended && p.pid != TREE_ENDED;
        to->threads += p.has_ended ? 0 : count_threads(p.pid);
        to->memory_bytes += atomic_load(&p.cpu->used_words) * sizeof *p.cpu->words;
        add_heap(to, &p);
        add_waits(to, &p);
        add_creations(to, p.creations);
    }
    to->ended += tree_count_buried();
}
