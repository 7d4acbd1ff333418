/* SPDX-License-Identifier: MIT
 *
 * SCHED lines in the form of Go's schedtrace and scheddetail, of a native program: P is a processor
 * that it may use, M and G are its threads, one of each a thread. What Go's scheduler has and a
 * kernel has not (spinning threads, run queues of the program's own making, locked goroutines) is
 * left out or 0. Which thread of several that are ready runs is not told: of those that share
 * a processor one is taken to run and the others to wait for it. */
#include "runtime/debug.h"

#include "base/sigsafe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CPUS = 1024, SHOWN = 256, THREADS = 10000 };

struct row {
    uint32_t tid, cpu;
    bool ready, runs;
    char state;
    char name[20], wait[48];
    uint64_t cpu_ns, delay_ns, slices; /* schedstat */
};

struct threads {
    struct row *rows;
    uint32_t count;
    uint32_t waiting[CPUS]; /* of those that are ready, beyond the one that runs */
    uint32_t first[CPUS];   /* index + 1 of that one */
    uint64_t slices[CPUS];
};

static size_t read_file(uint32_t pid, uint32_t tid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/task/%u/%s", pid, tid, name);
    long fd = sigsafe_syscall3(SYS_openat, AT_FDCWD, path, O_RDONLY);
    long n = fd >= 0 ? sigsafe_syscall3(SYS_read, fd, text, size - 1) : 0;
    if (fd >= 0)
        sigsafe_syscall1(SYS_close, fd);
    text[n > 0 ? n : 0] = 0;
    return n > 0 ? (size_t)n : 0;
}

/* The name is in parentheses, and may have some itself. */
static bool read_stat(uint32_t pid, struct row *r)
{
    char text[512];
    read_file(pid, r->tid, "stat", text, sizeof text);
    char *name = strchr(text, '('), *end = strrchr(text, ')');
    if (!name || !end || end - name > (long)sizeof r->name)
        return false;
    memcpy(r->name, name + 1, (size_t)(end - name - 1));
    r->name[end - name - 1] = 0;
    r->state = end[2];
    char *at = end + 2;
    for (int field = 3; field < 39 && at; field++) { /* proc(5): the 39th is the processor */
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    r->cpu = at ? (uint32_t)strtoul(at, NULL, 10) % CPUS : 0;
    r->ready = r->state == 'R';
    return true;
}

static void read_row(uint32_t pid, struct row *r)
{
    char text[128], *at;
    if (read_file(pid, r->tid, "schedstat", text, sizeof text)) {
        r->cpu_ns = strtoull(text, &at, 10);
        r->delay_ns = strtoull(at, &at, 10);
        r->slices = strtoull(at, NULL, 10);
    }
    if (!r->ready && read_file(pid, r->tid, "wchan", r->wait, sizeof r->wait) &&
        !strcmp(r->wait, "0"))
        r->wait[0] = 0;
}

struct dirent64_raw { /* getdents64(2) */
    uint64_t ino;
    int64_t off;
    unsigned short reclen;
    unsigned char type;
    char name[];
};

static void add_thread(struct threads *t, uint32_t pid, const char *name, bool detail)
{
    struct row *r = &t->rows[t->count];
    if (name[0] < '0' || name[0] > '9' || t->count == THREADS)
        return;
    memset(r, 0, sizeof *r);
    r->tid = (uint32_t)strtoul(name, NULL, 10);
    if (!read_stat(pid, r))
        return;
    if (detail)
        read_row(pid, r);
    t->slices[r->cpu] += r->slices;
    if (r->ready && !t->first[r->cpu]) {
        r->runs = true;
        t->first[r->cpu] = t->count + 1;
    } else if (r->ready) {
        t->waiting[r->cpu]++;
    }
    t->count++;
}

static void read_threads(struct threads *t, uint32_t pid, bool detail)
{
    char path[32];
    uint64_t dents[1024];
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    long fd = sigsafe_syscall3(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY), n;
    while (fd >= 0 && (n = sigsafe_syscall3(SYS_getdents64, fd, dents, sizeof dents)) > 0)
        for (long at = 0; at < n;) {
            const struct dirent64_raw *d = (const void *)((char *)dents + at);
            add_thread(t, pid, d->name, detail);
            at += d->reclen;
        }
    if (fd >= 0)
        sigsafe_syscall1(SYS_close, fd);
}

/* ---- lines ---- */

static void put_processors(struct buf *out, const struct threads *t, const uint64_t *allowed)
{
    for (uint32_t i = 0; i < CPUS; i++) {
        if (!(allowed[i / 64] >> (i % 64) & 1))
            continue;
        buf_printf(out, "  P%u: status=%d schedtick=%llu m=", i, t->first[i] ? 1 : 0,
                   (unsigned long long)t->slices[i]);
        if (t->first[i])
            buf_printf(out, "%u", t->rows[t->first[i] - 1].tid);
        else
            buf_puts(out, "-1");
        buf_printf(out, " runqsize=%u\n", t->waiting[i]);
    }
}

static const char *status_of(const struct row *r)
{
    return r->runs ? "2" : r->ready ? "1" : r->state == 'D' ? "3" : r->state == 'Z' ? "6" : "4";
}

static void put_details(struct buf *out, const struct threads *t)
{
    uint32_t shown = t->count < SHOWN ? t->count : SHOWN;
    for (uint32_t i = 0; i < shown; i++) {
        const struct row *r = &t->rows[i];
        buf_printf(out, "  M%u: p=%d curg=%u blocked=%s schedtick=%llu cpu=%.3fms delay=%.3fms\n",
                   r->tid, r->runs ? (int)r->cpu : -1, r->tid, r->ready ? "false" : "true",
                   (unsigned long long)r->slices, (double)r->cpu_ns / 1e6,
                   (double)r->delay_ns / 1e6);
    }
    for (uint32_t i = 0; i < shown; i++) {
        const struct row *r = &t->rows[i];
        buf_printf(out, "  G%u: status=%s(%s) m=%u name=%s\n", r->tid, status_of(r), r->wait,
                   r->tid, r->name);
    }
    if (shown < t->count)
        buf_printf(out, "  ...%u additional threads elided...\n", t->count - shown);
}

void debug_put_sched(struct buf *out, uint32_t pid, uint64_t ms)
{
    struct threads *t = arena_zalloc(out->arena, sizeof *t);
    uint64_t allowed[CPUS / 64] = {0};
    uint32_t procs = 0, idle = 0, blocked = 0, queue = 0;
    if (!t || !(t->rows = arena_array(out->arena, THREADS, sizeof *t->rows)))
        return;
    sigsafe_syscall3(SYS_sched_getaffinity, pid, sizeof allowed, allowed);
    read_threads(t, pid, debug.scheddetail);
    for (uint32_t i = 0; i < CPUS; i++) {
        bool may = allowed[i / 64] >> (i % 64) & 1;
        procs += may;
        idle += may && !t->first[i];
        queue += t->waiting[i];
    }
    for (uint32_t i = 0; i < t->count; i++)
        blocked += !t->rows[i].ready;
    buf_printf(out,
               "SCHED %llums: gomaxprocs=%u idleprocs=%u threads=%u spinningthreads=0 "
               "idlethreads=%u runqueue=%u [",
               (unsigned long long)ms, procs, idle, t->count, blocked, queue);
    for (uint32_t i = 0, n = 0; i < CPUS; i++)
        if (allowed[i / 64] >> (i % 64) & 1)
            buf_printf(out, "%s%u", n++ ? " " : "", t->waiting[i]);
    buf_puts(out, "]\n");
    if (debug.scheddetail) {
        put_processors(out, t, allowed);
        put_details(out, t);
    }
}

uint32_t debug_count_processors(uint32_t pid)
{
    uint64_t allowed[CPUS / 64] = {0};
    uint32_t n = 0;
    sigsafe_syscall3(SYS_sched_getaffinity, pid, sizeof allowed, allowed);
    for (uint32_t i = 0; i < CPUS / 64; i++)
        n += (uint32_t)__builtin_popcountll(allowed[i]);
    return n ? n : 1;
}

uint32_t debug_count_threads(uint32_t pid)
{
    char text[512], path[32];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    long fd = sigsafe_syscall3(SYS_openat, AT_FDCWD, path, O_RDONLY);
    long n = fd >= 0 ? sigsafe_syscall3(SYS_read, fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        sigsafe_syscall1(SYS_close, fd);
    text[n > 0 ? n : 0] = 0;
    char *at = strrchr(text, ')');
    for (int field = 2; field < 20 && at; field++) { /* proc(5): the 20th is num_threads */
        at = strchr(at, ' ');
        at = at ? at + 1 : NULL;
    }
    return at ? (uint32_t)strtoul(at, NULL, 10) : 0;
}
