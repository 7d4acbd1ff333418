/* SPDX-License-Identifier: MIT
 *
 * See drain.h. A record is copied out of the segment before it is looked at, because the program
 * could change it between a check and a use; its stack is copied into the arena only when it is
 * new: memory grows with distinct stacks, not with time. Images are told apart by slot and image
 * count, so that a slot can be used again while its former owner's records are still unread. */
#include "record/drain.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { HELPER_LOOK_MS = 2, HELPER_MAX_MS = 300 };

struct drain_slot {
    int pidfd;        /* of its process, or -1 */
    uint32_t pid;     /* that pidfd was opened for */
    bool dead;        /* seen to be dead; one more read, then the slot is given back */
    bool followed;    /* the image that it executed is sampled another way … */
    uint64_t others;  /* … and that many of its booked points are those samples' */
    uint32_t settled; /* 1 + the image count behind which nobody is waited for */
};

void drain_init(struct drain *d, struct shm *s)
{
    memset(d, 0, sizeof *d);
    d->shm = s;
    d->segment_fd = -1;
    arena_init(&d->arena);
    map_init(&d->image_map, &d->arena, 64);
    map_init(&d->label_map, &d->arena, 16);
    d->slots = arena_zarray(&d->arena, SHM_PROCESSES, sizeof *d->slots);
    d->consumed = arena_zarray(&d->arena, SHM_CHUNKS, sizeof *d->consumed);
    d->record = arena_alloc(&d->arena, SHM_CHUNK_DATA);
    for (uint32_t i = 0; i < SHM_PROCESSES; i++)
        d->slots[i].pidfd = -1;
}

void drain_init_bare(struct drain *d)
{
    memset(d, 0, sizeof *d);
    d->segment_fd = -1;
    arena_init(&d->arena);
}

void drain_free(struct drain *d)
{
    for (uint32_t i = 0; d->slots && i < SHM_PROCESSES; i++)
        if (d->slots[i].pidfd >= 0)
            close(d->slots[i].pidfd);
    arena_free(&d->arena);
}

/* Doubles an array in the arena when it is full. */
static void *grow(struct drain *d, void *array, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return array;
    uint32_t want = *cap ? *cap * 2 : 16;
    void *grown = arena_grow(&d->arena, array, *cap * size, want * size);
    *cap = want;
    return grown;
}

/* ---- images ---- */

static uint32_t new_image(struct drain *d, const struct drain_image *first)
{
    d->images = grow(d, d->images, d->image_count, &d->image_cap, sizeof *d->images);
    struct drain_image *m = &d->images[d->image_count];
    *m = *first;
    map_init(&m->stack_map, &d->arena, 16);
    return d->image_count++;
}

uint32_t drain_find_image(const struct drain *d, uint32_t slot, uint32_t image)
{
    struct map_probe at = map_find(&d->image_map, hash_mix(hash_mix(1, slot), image));
    for (uint32_t i; (i = map_next(&d->image_map, &at)) != MAP_NONE;)
        if (d->images[i].slot == slot && d->images[i].image == image)
            return i;
    return DRAIN_NONE;
}

uint32_t drain_image_of(struct drain *d, uint32_t slot, uint32_t image)
{
    uint32_t found = drain_find_image(d, slot, image);
    if (found != DRAIN_NONE || d->image_count >= LIMIT_RECORD_IMAGES)
        return found;
    struct drain_image first = {.slot = slot,
                                .image = image,
                                .parent = DRAIN_NONE,
                                .parent_slot = DRAIN_NONE,
                                .epoch = UINT32_MAX,
                                .exe = "",
                                .pid = atomic_load(&d->shm->processes[slot].pid)};
    map_put(&d->image_map, hash_mix(hash_mix(1, slot), image), d->image_count);
    return new_image(d, &first);
}

uint32_t drain_new_image(struct drain *d, uint32_t pid, const char *exe)
{
    if (d->image_count >= LIMIT_RECORD_IMAGES)
        return DRAIN_NONE;
    struct drain_image first = {.parent = DRAIN_NONE,
                                .parent_slot = DRAIN_NONE,
                                .epoch = UINT32_MAX,
                                .announced = true,
                                .exe = exe,
                                .exe_len = (uint32_t)strlen(exe),
                                .pid = pid};
    return new_image(d, &first);
}

void drain_add_module(struct drain *d, uint32_t image, const struct drain_module *module)
{
    struct drain_image *m = &d->images[image];
    if (m->module_count >= LIMIT_RECORD_MODULES)
        return;
    m->modules = grow(d, m->modules, m->module_count, &m->module_cap, sizeof *m->modules);
    m->modules[m->module_count++] = *module;
}

static bool read_image(struct drain *d, const struct shm_record *r, uint32_t i)
{
    const struct shm_image *s = (const struct shm_image *)r;
    if (r->size < sizeof *s || s->exe_len > r->size - sizeof *s)
        return false;
    struct drain_image *m = &d->images[i];
    m->announced = true;
    m->epoch = r->epoch;
    m->pid = s->pid;
    m->parent_slot = s->parent_process < SHM_PROCESSES ? s->parent_process : DRAIN_NONE;
    m->parent_image = s->parent_image;
    m->exe = arena_strndup(&d->arena, s->exe, s->exe_len);
    m->exe_len = s->exe_len;
    return true;
}

static bool read_module(struct drain *d, const struct shm_record *r, uint32_t i)
{
    const struct shm_module *s = (const struct shm_module *)r;
    if (r->size < sizeof *s || s->path_len > r->size - sizeof *s ||
        s->build_id_len > SHM_BUILD_ID_MAX || s->limit <= s->start ||
        d->images[i].module_count >= LIMIT_RECORD_MODULES)
        return false;
    uint8_t *id = arena_alloc(&d->arena, SHM_BUILD_ID_MAX);
    memcpy(id, s->build_id, s->build_id_len);
    struct drain_module module = {
        .start = s->start,
        .limit = s->limit,
        .offset = s->offset,
        .epoch = r->epoch,
        .path = arena_strndup(&d->arena, s->path, s->path_len),
        .path_len = s->path_len,
        .build_id = id,
        .build_id_len = s->build_id_len,
    };
    drain_add_module(d, i, &module);
    return true;
}

/* ---- labels ---- */

static uint64_t hash_label(uint32_t image, uint32_t number)
{
    return hash_mix(hash_mix(2, image), number);
}

static const struct drain_labels *find_labels(const struct drain *d, uint32_t image,
                                              uint32_t number)
{
    struct map_probe at = map_find(&d->label_map, hash_label(image, number));
    for (uint32_t i; (i = map_next(&d->label_map, &at)) != MAP_NONE;)
        if (d->labels[i].image == image && d->labels[i].number == number)
            return &d->labels[i];
    return NULL;
}

/* What a forked child has not told anew is its parent's, and is older than the fork. */
const struct drain_labels *drain_find_labels(const struct drain *d, uint32_t image, uint32_t number)
{
    const struct drain_labels *l = NULL;
    for (int depth = 0; d->shm && number && image != DRAIN_NONE && !l && depth < 1000; depth++) {
        l = find_labels(d, image, number);
        image = d->images[image].parent;
    }
    return l;
}

static bool read_labels(struct drain *d, const struct shm_record *r, uint32_t i)
{
    const struct shm_labels *s = (const struct shm_labels *)r;
    if (r->size < sizeof *s || s->text_len > r->size - sizeof *s ||
        !labelset_check(s->text, s->text_len))
        return false;
    if (find_labels(d, i, s->number))
        return true;
    if (d->label_count >= LIMIT_RECORD_LABELS) {
        d->labels_lost++;
        return true;
    }
    d->labels = grow(d, d->labels, d->label_count, &d->label_cap, sizeof *d->labels);
    char *text = arena_alloc(&d->arena, s->text_len + 1);
    memcpy(text, s->text, s->text_len);
    map_put(&d->label_map, hash_label(i, s->number), d->label_count);
    d->labels[d->label_count++] =
        (struct drain_labels){.image = i, .number = s->number, .size = s->text_len, .text = text};
    return true;
}

/* ---- samples ---- */

static uint64_t hash_stack(const struct drain_stack *s)
{
    uint64_t h =
        hash_mix((uint64_t)s->depth << 17 | (uint64_t)s->flags << 1 | s->other_thread, s->epoch);
    for (uint32_t i = 0; i < s->depth; i++)
        h = hash_mix(h, s->pcs[i]);
    return hash_mix(h, (uint64_t)s->labels << 32 | s->kind << 8 | s->reason);
}

static bool same_stack(const struct drain_stack *a, const struct drain_stack *b)
{
    return a->depth == b->depth && a->flags == b->flags && a->epoch == b->epoch &&
           a->reason == b->reason && a->labels == b->labels && a->kind == b->kind &&
           a->other_thread == b->other_thread &&
           memcmp(a->pcs, b->pcs, b->depth * sizeof *b->pcs) == 0;
}

/* DRAIN_NONE: there are too many already, and it is lost. */
static uint32_t add_stack(struct drain *d, struct drain_image *m, const struct drain_stack *s)
{
    uint64_t hash = hash_stack(s);
    struct map_probe at = map_find(&m->stack_map, hash);
    for (uint32_t i; (i = map_next(&m->stack_map, &at)) != MAP_NONE;)
        if (same_stack(&m->stacks[i], s)) {
            m->stacks[i].weight += s->weight;
            return i;
        }
    if (d->stack_count >= LIMIT_RECORD_STACKS) {
        d->lost_points += s->weight;
        return DRAIN_NONE;
    }
    d->stack_count++;
    m->stacks = grow(d, m->stacks, m->stack_count, &m->stack_cap, sizeof *m->stacks);
    uint64_t *pcs = arena_alloc(&d->arena, s->depth * sizeof *pcs);
    memcpy(pcs, s->pcs, s->depth * sizeof *pcs);
    map_put(&m->stack_map, hash, m->stack_count);
    struct drain_stack *added = &m->stacks[m->stack_count];
    *added = *s;
    added->hash = hash;
    added->pcs = pcs;
    return m->stack_count++;
}

uint32_t drain_add_stack(struct drain *d, uint32_t image, const struct drain_stack *s)
{
    uint32_t at = add_stack(d, &d->images[image], s);
    if (at == DRAIN_NONE)
        return at;
    d->points += s->weight;
    if (s->flags & SHM_STACK_TRUNCATED) {
        d->truncated_points += s->weight;
        d->reasons[s->reason < 16 ? s->reason : 0] += s->weight;
    }
    if (s->flags & SHM_STACK_DEPTH)
        d->depth_points += s->weight;
    return at;
}

static bool read_sample(struct drain *d, const struct shm_record *r, uint32_t i)
{
    const struct shm_sample *s = (const struct shm_sample *)r;
    if (r->size < sizeof *s || s->depth > LIMIT_STACK_DEPTH ||
        s->depth * sizeof *s->pcs > r->size - sizeof *s || !s->weight)
        return false;
    struct drain_stack stack = {.weight = s->weight,
                                .pcs = s->pcs,
                                .depth = s->depth,
                                .flags = s->flags,
                                .reason = s->reason,
                                .labels = s->labels,
                                .kind = s->kind,
                                .epoch = r->epoch,
                                .other_thread = s->tid != d->images[i].pid};
    if (s->kind) {
        d->counts_lost += add_stack(d, &d->images[i], &stack) == DRAIN_NONE;
        return true;
    }
    d->samples += drain_add_stack(d, i, &stack) != DRAIN_NONE;
    return true;
}

/* ---- chunks ---- */

static bool read_record(struct drain *d, const struct shm_record *r)
{
    if (r->process >= SHM_PROCESSES || r->type < SHM_SAMPLE || r->type >= SHM_RECORD_TYPES)
        return false;
    uint32_t i = drain_image_of(d, r->process, r->image);
    if (i == DRAIN_NONE)
        return false;
    switch (r->type) {
    case SHM_SAMPLE: return read_sample(d, r, i);
    case SHM_MODULE: return read_module(d, r, i);
    case SHM_LABELS: return read_labels(d, r, i);
    default: return read_image(d, r, i);
    }
}

/* The record at `from`, of which `left` bytes are committed, as a copy that nobody can change any
 * more; NULL if there is none. */
static const struct shm_record *copy_record(struct drain *d, const unsigned char *from,
                                            uint32_t left)
{
    struct shm_record head;
    if (left < sizeof head)
        return NULL;
    memcpy(&head, from, sizeof head);
    if (head.size < sizeof head || head.size % 8 || head.size > left)
        return NULL;
    memcpy(d->record, from, head.size);
    d->record->size = head.size;
    return d->record;
}

static void recycle(struct drain *d, uint32_t i)
{
    d->consumed[i] = 0;
    shm_chunk_recycle(d->shm, &d->shm->chunks[i]);
}

/* Returns whether the chunk was full; then it was emptied and given back. */
static bool read_chunk(struct drain *d, uint32_t i)
{
    struct shm_chunk *c = &d->shm->chunks[i];
    bool full = atomic_load_explicit(&c->full, memory_order_acquire);
    uint32_t end = atomic_load_explicit(&c->committed, memory_order_acquire);
    if (end > SHM_CHUNK_DATA)
        end = SHM_CHUNK_DATA;
    for (uint32_t at = d->consumed[i]; at < end; d->consumed[i] = at) {
        const struct shm_record *r = copy_record(d, c->data + at, end - at);
        if (r && read_record(d, r)) {
            at += r->size;
        } else {
            d->malformed++;
            at = end;
        }
    }
    if (full)
        recycle(d, i);
    return full;
}

void drain_read(struct drain *d)
{
    for (uint32_t i = 0; i < SHM_CHUNKS; i++)
        read_chunk(d, i);
}

/* ---- slots ---- */

static int open_pidfd(uint32_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool is_dead(struct drain_slot *s, uint32_t pid)
{
    if (s->pid != pid || s->pidfd < 0) {
        if (s->pidfd >= 0)
            close(s->pidfd);
        s->pid = pid;
        s->pidfd = open_pidfd(pid);
        if (s->pidfd < 0)
            return errno == ESRCH || kill((pid_t)pid, 0) != 0;
    }
    struct pollfd p = {.fd = s->pidfd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* A writer that was killed between taking a chunk and putting it back still holds it. */
static void recover_chunks(struct drain *d, uint32_t pid)
{
    for (uint32_t i = 0; i < SHM_CHUNKS; i++) {
        struct shm_chunk *c = &d->shm->chunks[i];
        if (atomic_load_explicit(&c->holder, memory_order_acquire) != pid)
            continue;
        if (!read_chunk(d, i)) /* twice on the free list, it would have two writers */
            recycle(d, i);
    }
}

/* Adds a slot's counters to the totals; `ended`: it will not change any more. */
static void collect(struct drain *d, struct shm_process *p)
{
    struct drain_slot *s = &d->slots[shm_process_index(d->shm, p)];
    uint32_t state = atomic_load(&p->state);
    uint64_t at_end = atomic_exchange(&p->cpu_at_end_ns, 0);
    atomic_store(&p->helper, 0);
    uint64_t helper_ns = atomic_exchange(&p->helper_ns, 0);
    uint64_t booked = atomic_exchange(&p->booked_points, 0);
    atomic_store(&p->seen_ns, 0);
    d->lost_points += atomic_exchange(&p->lost_points, 0);
    d->threads_lost += atomic_exchange(&p->threads_lost, 0);
    d->cost_ns += atomic_exchange(&p->cost_ns, 0);
    d->labels_lost += atomic_exchange(&p->labels_lost, 0);
    d->counts_lost += atomic_exchange(&p->counts_lost, 0);
    d->sandboxed += atomic_exchange(&p->sandboxed, 0) != 0;
    uint32_t stride = atomic_exchange(&p->stride, 0);
    d->slowed += stride > 1;
    d->stride = stride > d->stride ? stride : d->stride;
    atomic_store(&p->lost_samples, 0);
    d->wall_lost_ns += atomic_exchange(&p->wall_lost_ns, 0);
    d->wall_blind += atomic_exchange(&p->wall_blind, 0) != 0;
    uint32_t wall_stride = atomic_exchange(&p->wall_stride, 0);
    d->wall_stride = wall_stride > d->wall_stride ? wall_stride : d->wall_stride;
    if (state == SHM_EXECING && !(s->followed && s->settled == atomic_load(&p->image) + 1))
        d->unrecorded++;
    uint64_t others_ns = s->others * d->shm->period_ns;
    if (at_end && state == SHM_ENDED) {
        d->cpu_ended_ns += (at_end > others_ns ? at_end - others_ns : 0) + helper_ns;
        d->ended++;
    } else {
        d->points_killed += booked > s->others ? booked - s->others : 0;
    }
    if (atomic_load(&p->pid) == d->root_pid)
        d->root_known_ns += at_end && state == SHM_ENDED ? at_end : booked * d->shm->period_ns;
    s->others = 0;
}

/* The process that looks at its threads outlives a killed one by some milliseconds, and tells what
 * it knows. */
static bool is_being_told(const struct shm_process *p)
{
    uint32_t helper = atomic_load(&p->helper);
    return helper && kill((pid_t)helper, 0) == 0;
}

static void wait_for_helpers(const struct drain *d)
{
    uint32_t high = atomic_load(&d->shm->processes_high);
    struct timespec some = {0, HELPER_LOOK_MS * 1000000};
    for (uint32_t i = 0, ms = 0; i < high && i < SHM_PROCESSES && ms < HELPER_MAX_MS;)
        if (is_being_told(&d->shm->processes[i]) &&
            is_dead(&d->slots[i], atomic_load(&d->shm->processes[i].pid))) {
            nanosleep(&some, NULL);
            ms += HELPER_LOOK_MS;
        } else {
            i++;
        }
}

void drain_reap(struct drain *d)
{
    uint32_t high = atomic_load(&d->shm->processes_high);
    for (uint32_t i = 0; i < high && i < SHM_PROCESSES; i++) {
        struct shm_process *p = &d->shm->processes[i];
        struct drain_slot *s = &d->slots[i];
        uint32_t state = atomic_load(&p->state);
        if (state == SHM_FREE || state == SHM_CLAIMED)
            continue;
        if (s->dead && is_being_told(p))
            continue;
        if (s->dead) { /* what it committed before was read since */
            recover_chunks(d, s->pid);
            drain_heap(d, i);
            drain_waits(d, i);
            collect(d, p);
            close(s->pidfd);
            *s = (struct drain_slot){.pidfd = -1};
            atomic_store(&p->state, SHM_FREE);
        } else {
            s->dead = is_dead(s, atomic_load(&p->pid));
        }
    }
}

uint32_t drain_end(struct drain *d)
{
    uint32_t high = atomic_load(&d->shm->processes_high), running = 0;
    wait_for_helpers(d);
    atomic_store(&d->shm->stop, 1);
    drain_reap(d);
    drain_read(d);
    for (uint32_t i = 0; i < high && i < SHM_PROCESSES; i++) {
        struct shm_process *p = &d->shm->processes[i];
        if (atomic_load(&p->state) == SHM_FREE)
            continue;
        uint32_t pid = atomic_load(&p->pid);
        if (is_dead(&d->slots[i], pid))
            recover_chunks(d, pid);
        else
            running++;
        drain_heap(d, i);
        drain_waits(d, i);
        collect(d, p);
    }
    d->unrecorded += atomic_load(&d->shm->processes_lost);
    return running;
}

/* Should the library come to life there after all, by another execve, then what the process used
 * up to now is in samples already: it may neither book it nor miss it. */
static void renew(struct drain *d, struct shm_process *p, uint32_t pid)
{
    struct drain_slot *s = &d->slots[shm_process_index(d->shm, p)];
    struct timespec t;
    clockid_t clock;
    if (clock_getcpuclockid((pid_t)pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
        return;
    uint64_t ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    uint64_t period_ns = *(volatile uint64_t *)&d->shm->period_ns; /* the program may write there */
    uint64_t points = period_ns ? ns / period_ns : 0, booked = atomic_load(&p->booked_points);
    atomic_store(&p->cpu_at_exec_ns, ns);
    atomic_store(&p->seen_ns, ns);
    if (points > booked) {
        atomic_store(&p->booked_points, points);
        s->others += points - booked;
    }
}

uint32_t drain_executing(struct drain *d, uint32_t from, uint32_t *pid)
{
    uint32_t high = atomic_load(&d->shm->processes_high);
    for (uint32_t i = from; i < high && i < SHM_PROCESSES; i++) {
        struct shm_process *p = &d->shm->processes[i];
        const struct drain_slot *s = &d->slots[i];
        if (atomic_load(&p->state) != SHM_EXECING || s->dead)
            continue;
        *pid = atomic_load(&p->pid);
        if (s->settled != atomic_load(&p->image) + 1)
            return i;
        if (s->followed)
            renew(d, p, *pid);
    }
    return DRAIN_NONE;
}

void drain_settle(struct drain *d, uint32_t slot, bool followed)
{
    d->slots[slot].followed = followed;
    d->slots[slot].settled = atomic_load(&d->shm->processes[slot].image) + 1;
}

bool drain_is_recorded(const struct drain *d, uint32_t pid)
{
    uint32_t high = d->shm ? atomic_load(&d->shm->processes_high) : 0;
    for (uint32_t i = 0; i < high && i < SHM_PROCESSES; i++) {
        const struct shm_process *p = &d->shm->processes[i];
        uint32_t state = atomic_load(&p->state);
        if (atomic_load(&p->pid) == pid && (state == SHM_LIVE || state == SHM_ENDED))
            return true;
    }
    return false;
}

uint64_t drain_lost(const struct drain *d)
{
    uint64_t lost = d->lost_points;
    if (!d->shm)
        return lost;
    uint32_t high = atomic_load(&d->shm->processes_high);
    for (uint32_t i = 0; i < high && i < SHM_PROCESSES; i++)
        lost += atomic_load(&d->shm->processes[i].lost_points);
    return lost;
}
