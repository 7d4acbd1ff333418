/* SPDX-License-Identifier: MIT
 *
 * Opening. Sizes follow from the rate: a sample takes its stack's full size in the ring, however
 * little was copied, and the ring must hold what comes while the recorder is not scheduled. So the
 * ring is as large as this user may lock, and the stack as large as leaves room for a tenth of a
 * second of samples. A thread's stack ends where its mapping does, so copies are as small as stacks
 * are; Go's stacks lie in a heap, where a copy is always as large as it may be: they are given a
 * budget of bytes a second.
 *
 * An event that also carries the thread's count (kernel 6.13 on) makes weights exact; where it is
 * refused each sample stands for one period. */
#include "record/perf_open.h"

#include "base/limits.h"
#include "record/perf_refusal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE       4096u
#define RING_MIN   (64u << 10)
#define GO_PER_S   (16u << 20)
#define STACK_MIN  8192u
#define ROOM_PER_S 10 /* a tenth of a second of samples fits */

static struct perf_event_attr event_of(const struct perf_rings *p, const struct perf_options *o)
{
    struct perf_event_attr a = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof a,
        .config = PERF_COUNT_SW_TASK_CLOCK,
        .sample_period = p->period_ns,
        .sample_type = PERF_SAMPLE_TYPE | (p->format.read ? PERF_SAMPLE_READ : 0u),
        .disabled = o->on_exec,
        .enable_on_exec = o->on_exec,
        .inherit = 1,
        .exclude_kernel = !p->kernel,
        .exclude_hv = 1,
        .exclude_callchain_kernel = !p->kernel,
        .mmap = 1,
        .mmap2 = 1,
        .comm = 1,
        .comm_exec = 1,
        .task = 1,
        .sample_id_all = 1,
        .watermark = 1,
        .wakeup_watermark = p->ring_bytes / 4,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        .sample_regs_user = perf_regs_mask,
        .sample_stack_user = p->stack_bytes,
    };
    return a;
}

static int open_event(const struct perf_rings *p, const struct perf_options *o, pid_t tid,
                      uint32_t cpu)
{
    struct perf_event_attr a = event_of(p, o);
    long fd = syscall(SYS_perf_event_open, &a, tid, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : (int)fd;
}

/* What is refused is left out, in the order of its worth. Leaves a descriptor or an error. */
static int probe(struct perf_rings *p, const struct perf_options *o, pid_t tid, uint32_t cpu)
{
    int fd = -EINVAL;
    p->kernel = o->kernel;
    for (int kernel = o->kernel; kernel >= 0; kernel--) {
        p->kernel = kernel;
        p->format.read = true;
        fd = open_event(p, o, tid, cpu);
        if (fd == -EINVAL) {
            p->format.read = false;
            fd = open_event(p, o, tid, cpu);
        }
        if (fd != -EACCES && fd != -EPERM)
            break;
    }
    return fd;
}

/* ---- rings ---- */

static bool map_ring(struct perf_ring *r, uint32_t bytes)
{
    void *m = mmap(NULL, PAGE + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    if (m == MAP_FAILED)
        return false;
    r->head = m;
    return true;
}

static void unmap_rings(struct perf_rings *p)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->rings[i].head) {
            munmap(p->rings[i].head, PAGE + p->ring_bytes);
            p->rings[i].head = NULL;
        }
}

static void choose_stack(struct perf_rings *p, const struct perf_options *o)
{
    uint64_t room = (uint64_t)p->ring_bytes * ROOM_PER_S / o->hz;
    room = room < STACK_MIN ? STACK_MIN : room > LIMIT_PERF_STACK ? LIMIT_PERF_STACK : room;
    uint64_t budget = GO_PER_S / o->hz < STACK_MIN ? STACK_MIN : GO_PER_S / o->hz;
    p->stack_bytes = (uint32_t)(o->go && budget < room ? budget : room) & ~7u;
}

/* One size for all rings: the largest that this user may lock. What it is is known only when all
 * are there; the stack's size depends on it, so events are opened anew for each try. */
static int open_rings(struct perf_rings *p, const struct perf_options *o, pid_t tid)
{
    for (p->ring_bytes = LIMIT_PERF_RING; p->ring_bytes >= RING_MIN; p->ring_bytes /= 2) {
        int err = 0;
        choose_stack(p, o);
        for (uint32_t i = 0; i < p->count && err == 0; i++) {
            struct perf_ring *r = &p->rings[i];
            r->fd = open_event(p, o, tid, r->cpu);
            if (r->fd == -ENODEV || r->fd == -ENXIO) { /* the processor is not there, or off */
                r->fd = -1;
                continue;
            }
            if (r->fd < 0)
                err = r->fd;
            else if (!map_ring(r, p->ring_bytes))
                err = -EPERM;
        }
        if (err == 0)
            return 0;
        unmap_rings(p);
        for (uint32_t i = 0; i < p->count; i++) {
            if (p->rings[i].fd >= 0)
                close(p->rings[i].fd);
            p->rings[i].fd = -1;
        }
        if (err != -EPERM)
            return err;
    }
    return -EPERM;
}

static void raise_file_limit(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

static void note_fd(struct perf_rings *p, int fd)
{
    if (p->fd_count == p->fd_cap) {
        p->fd_cap = p->fd_cap ? p->fd_cap * 2 : 64;
        p->fds = realloc(p->fds, p->fd_cap * sizeof *p->fds);
        if (!p->fds)
            abort();
    }
    p->fds[p->fd_count++] = fd;
}

int perf_open(struct perf_rings *p, pid_t tid, const struct perf_options *o, struct err *e)
{
    long cpus = sysconf(_SC_NPROCESSORS_CONF);
    memset(p, 0, sizeof *p);
    raise_file_limit();
    p->period_ns = 1000000000u / o->hz;
    p->ring_bytes = LIMIT_PERF_RING;
    p->count = cpus > 0 ? (uint32_t)cpus : 1;
    p->rings = calloc(p->count, sizeof *p->rings);
    if (!p->rings)
        return err_set(e, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < p->count; i++) {
        p->rings[i].fd = -1;
        p->rings[i].cpu = i;
        p->rings[i].copy = malloc(LIMIT_PERF_RECORD);
    }
    choose_stack(p, o);
    int err = -ENODEV;
    for (uint32_t i = 0; i < p->count && (err == -ENODEV || err == -ENXIO); i++)
        err = probe(p, o, tid, i);
    if (err >= 0) {
        close(err);
        err = open_rings(p, o, tid);
    }
    for (uint32_t i = 0; i < p->count; i++)
        if (p->rings[i].fd >= 0)
            note_fd(p, p->rings[i].fd);
    if (err < 0) {
        perf_close(p);
        return perf_refusal(tid, err, e);
    }
    return 0;
}

int perf_open_thread(struct perf_rings *p, pid_t tid, const struct perf_options *o, struct err *e)
{
    uint32_t before = p->fd_count;
    for (uint32_t i = 0; i < p->count; i++) {
        if (p->rings[i].fd < 0)
            continue;
        int fd = open_event(p, o, tid, p->rings[i].cpu);
        if (fd == -ENODEV || fd == -ENXIO)
            continue;
        if (fd >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, p->rings[i].fd) != 0) {
            int error = errno;
            close(fd);
            fd = -error;
        }
        if (fd < 0) {
            while (p->fd_count > before)
                close(p->fds[--p->fd_count]);
            return perf_refusal(tid, fd, e);
        }
        note_fd(p, fd);
    }
    return 0;
}

void perf_close_last(struct perf_rings *p)
{
    for (uint32_t i = 0; i < p->count && p->fd_count; i++)
        if (p->rings[i].fd >= 0)
            close(p->fds[--p->fd_count]);
}

void perf_close(struct perf_rings *p)
{
    unmap_rings(p);
    for (uint32_t i = 0; i < p->fd_count; i++)
        close(p->fds[i]);
    for (uint32_t i = 0; i < p->count && p->rings; i++)
        free(p->rings[i].copy);
    free(p->rings);
    free(p->fds);
    memset(p, 0, sizeof *p);
}

void perf_disable(struct perf_rings *p)
{
    for (uint32_t i = 0; i < p->fd_count; i++)
        ioctl(p->fds[i], PERF_EVENT_IOC_DISABLE, 0);
}

void perf_release(struct perf_rings *p)
{
    while (p->fd_count)
        close(p->fds[--p->fd_count]);
    for (uint32_t i = 0; i < p->count; i++)
        p->rings[i].fd = -1;
}

uint64_t perf_count(const struct perf_rings *p)
{
    uint64_t sum = 0, one;
    for (uint32_t i = 0; i < p->fd_count; i++)
        if (read(p->fds[i], &one, sizeof one) == (ssize_t)sizeof one)
            sum += one;
    return sum;
}
