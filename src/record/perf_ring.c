/* SPDX-License-Identifier: MIT
 *
 * Reading the rings, all of them as one stream in the order of time, because what maps a library on
 * one processor must be known before the sample in it on another. A record may appear on one ring
 * after later ones were seen on others; a reader who asks only for what is older than his clock by
 * more than a record takes to be written gets them in order, and nothing needs to be kept. */
#include "record/perf_open.h"

#include "base/limits.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define PAGE       4096u
#define HUNG_UP_MS 20

static struct perf_event_mmap_page *control(const struct perf_ring *r)
{
    return (struct perf_event_mmap_page *)r->head;
}

void perf_wait(struct perf_rings *p, int ms, const int *more, uint32_t more_count)
{
    struct pollfd *fds = calloc(p->count + more_count + 1, sizeof *fds);
    uint32_t n = 0;
    if (!fds)
        return;
    /* An event whose thread and heirs are gone hangs up for good: others that write to its ring
     * wake nobody then, so it is looked at often instead. */
    for (uint32_t i = 0; i < p->count; i++) {
        struct pollfd one = {.fd = p->rings[i].fd, .events = POLLIN};
        if (one.fd < 0)
            continue;
        if (poll(&one, 1, 0) <= 0 || !(one.revents & POLLHUP))
            fds[n++] = (struct pollfd){.fd = one.fd, .events = POLLIN};
        else if (ms > HUNG_UP_MS)
            ms = HUNG_UP_MS;
    }
    for (uint32_t i = 0; i < more_count; i++)
        fds[n++] = (struct pollfd){.fd = more[i], .events = POLLIN};
    poll(fds, n, ms);
    free(fds);
}

void perf_begin(struct perf_rings *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        struct perf_ring *r = &p->rings[i];
        if (r->head)
            r->end = __atomic_load_n(&control(r)->data_head, __ATOMIC_ACQUIRE);
    }
}

static void give_back(struct perf_ring *r)
{
    __atomic_store_n(&control(r)->data_tail, r->tail, __ATOMIC_RELEASE);
}

/* The `n` bytes at `at`, in one piece. */
static const uint8_t *bytes_at(const struct perf_rings *p, struct perf_ring *r, uint64_t at,
                               uint32_t n)
{
    const uint8_t *data = r->head + PAGE;
    uint32_t from = (uint32_t)(at & (p->ring_bytes - 1)), first = p->ring_bytes - from;
    if (n <= first)
        return data + from;
    memcpy(r->copy, data + from, first);
    memcpy(r->copy + first, data, n - first);
    return r->copy;
}

static bool peek(struct perf_rings *p, struct perf_ring *r)
{
    while (!r->peeked && r->head && r->tail < r->end) {
        uint64_t left = r->end - r->tail;
        uint32_t look = left < LIMIT_PERF_RECORD ? (uint32_t)left : LIMIT_PERF_RECORD - 8;
        uint32_t size = look >= 8 ? perf_record_size(bytes_at(p, r, r->tail, 8), look) : 0;
        if (!size) { /* nothing that follows can be told apart any more */
            p->malformed++;
            r->tail = r->end;
            give_back(r);
            return false;
        }
        r->next_size = size;
        r->peeked = perf_record_parse(&p->format, bytes_at(p, r, r->tail, size), size, &r->next);
        if (!r->peeked) {
            p->malformed++;
            r->tail += size;
            r->next_size = 0;
            give_back(r);
        }
    }
    return r->peeked;
}

const struct perf_record *perf_next(struct perf_rings *p, uint64_t until_ns, uint32_t *ring)
{
    struct perf_ring *first = NULL;
    for (uint32_t i = 0; i < p->count; i++) {
        struct perf_ring *r = &p->rings[i];
        if (r->next_size && !r->peeked) { /* the caller is done with what it was given */
            r->tail += r->next_size;
            r->next_size = 0;
            give_back(r);
        }
        if (peek(p, r) && (!first || r->next.time_ns < first->next.time_ns))
            first = r;
    }
    if (!first || first->next.time_ns > until_ns)
        return NULL;
    first->peeked = false;
    *ring = (uint32_t)(first - p->rings);
    return &first->next;
}
