/* SPDX-License-Identifier: MIT
 *
 * The shared segment as the recorder reads it, when the program on the other side scribbles over
 * it: whatever stands there, reading ends, nothing is read or written outside of it, and a profile
 * comes out that its own checks accept. The input is a list of things the program may do: records
 * (well-formed in part, so that more than the first check is reached), counters, slots, and bytes
 * anywhere; between them the recorder looks. No path in a record has a slash: the fuzzer shall not
 * open this machine's files. */
#include "record/assemble.h"
#include "record/drain.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at, *end;
};

static uint64_t take(struct input *in, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes && in->at < in->end; i++)
        v |= (uint64_t)*in->at++ << (8 * i);
    return v;
}

static void copy_without_slashes(unsigned char *to, struct input *in, size_t n)
{
    for (size_t i = 0; i < n && in->at < in->end; i++) {
        uint8_t b = *in->at++;
        to[i] = b == '/' ? '_' : b;
    }
}

static struct shm_chunk *some_chunk(struct shm *s, struct input *in)
{
    return &s->chunks[take(in, 1) % 8];
}

/* A record whose head is sound: type, slot and image from the input, and a size that covers what
 * follows. */
static void add_record(struct shm *s, struct input *in)
{
    struct shm_chunk *c = some_chunk(s, in);
    uint32_t used = c->committed % SHM_CHUNK_DATA & ~7u;
    struct shm_record r = {.type = (uint16_t)(take(in, 1) % 5), .process = (uint16_t)take(in, 1)};
    r.image = (uint32_t)take(in, 1) % 4;
    r.epoch = (uint32_t)take(in, 1) % 4;
    uint32_t body = (uint32_t)take(in, 2) % 1024;
    r.size = (uint32_t)(sizeof r + body + 7) & ~7u;
    if (r.size > SHM_CHUNK_DATA - used)
        return;
    memset(c->data + used, 0, r.size);
    memcpy(c->data + used, &r, sizeof r);
    copy_without_slashes(c->data + used + sizeof r, in, body);
    c->committed = used + r.size;
}

static void set_slot(struct shm *s, struct input *in)
{
    struct shm_process *p = &s->processes[take(in, 1)];
    p->state = (uint32_t)take(in, 1) % 6;
    p->pid = 0x7f000000u + (uint32_t)take(in, 1); /* of nobody */
    p->cpu_at_end_ns = take(in, 8);
    p->booked_points = take(in, 8);
    p->lost_points = take(in, 8);
    s->processes_high = (uint32_t)take(in, 4);
}

static void act(struct shm *s, struct drain *d, struct input *in)
{
    struct shm_chunk *c;
    switch (take(in, 1) % 8) {
    case 0:
    case 1:
    case 2: add_record(s, in); break;
    case 3:
        c = some_chunk(s, in);
        c->committed = (uint32_t)take(in, 4);
        c->full = (uint32_t)take(in, 1) % 2;
        c->holder = 0x7f000000u + (uint32_t)take(in, 1);
        break;
    case 4: set_slot(s, in); break;
    case 5: drain_read(d); break;
    case 6: drain_reap(d); break;
    default: {
        size_t at = take(in, 4) % (sizeof *s - 64), n = take(in, 1) % 64;
        if (at >= offsetof(struct shm, free_head)) /* what is before is the recorder's own copy */
            copy_without_slashes((unsigned char *)s + at, in, n);
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct shm *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        abort();
    shm_init(s);
    s->period_ns = 10000000;
    s->hz = 100;
    struct drain d;
    struct input in = {data, data + size};
    drain_init(&d, s);
    while (in.at < in.end)
        act(s, &d, &in);
    drain_read(&d);
    drain_end(&d);

    struct recorder r = {.shm = s, .period_ns = 10000000, .drain = &d, .pid = 0x7f000000};
    struct profile p;
    struct err e;
    r.options.hz = 100;
    r.options.seed = 1;
    if (assemble_profile(&r, &p, &e) == 0 && profile_check(&p, &e) != 0)
        abort();
    profile_free(&p);
    drain_free(&d);
    munmap(s, sizeof *s);
    return 0;
}
