/* SPDX-License-Identifier: MIT
 *
 * See outside.h. The recorder only reads: rings, /proc, files. What is sampled is not stopped, not
 * traced and not signalled, and notices nothing but the time that its samples take.
 *
 * Threads of a running process are opened one by one while it goes on making new ones. A thread
 * that is made by one that was opened inherits the events, which its FORK record says; one that
 * appears without such a record is opened, until no new ones appear. */
#include "record/outside.h"

#include "base/sigsafe.h"
#include "record/perf_account.h"
#include "record/perf_names.h"
#include "record/perf_open.h"
#include "record/perf_usage.h"
#include "record/perf_walk.h"
#include "record/target.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Longer than a record takes from its time stamp to its place in the ring, with the processor lent
 * to another virtual machine meanwhile. */
#define SLACK_NS 20000000ull
#define ROUNDS   100 /* of looking for new threads */

struct jit {
    uint32_t pid;
    struct perf_names names;
    char path[32]; /* "[perf-PID.map]" */
};

struct outside {
    struct perf_rings rings;
    struct perf_options options;
    struct perf_spaces spaces;
    struct perf_account account;
    struct perf_usage usage; /* of attached processes */
    int *pidfds;             /* of attached processes; -1: it has ended */
    uint64_t points;         /* of those that have come from here */
    uint64_t *pcs;           /* LIMIT_STACK_DEPTH */
    struct perf_names kernel;
    bool kernel_read;
    struct jit *jits;
    uint32_t jit_count;
};

/* ---- records ---- */

static void take_sample(struct outside *o, struct drain *d, const struct perf_record *r,
                        uint32_t ring)
{
    struct perf_process *p = perf_space_find(&o->spaces, r->pid);
    struct perf_walk w = {.pcs = o->pcs};
    if (!p)
        p = perf_space_read(&o->spaces, r->pid);
    struct perf_thread *t = perf_account_thread(&o->account, r->pid, r->tid);
    uint64_t weight = perf_account_sample(&o->account, t, ring, r->sample.count);
    if (d->shm && drain_is_recorded(d, r->pid)) {
        t->foreign = true;
        return;
    }
    d->samples++;
    if (!weight)
        return;
    perf_walk(p, r, &w);
    struct drain_stack stack = {.weight = weight,
                                .pcs = w.pcs,
                                .depth = w.depth,
                                .flags = w.flags,
                                .reason = w.reason,
                                .other_thread = r->pid != r->tid};
    uint32_t image = perf_space_image(p), at = DRAIN_NONE;
    stack.epoch = p->epoch;
    if (image == DRAIN_NONE)
        d->lost_points += weight;
    else
        at = drain_add_stack(d, image, &stack);
    if (at != DRAIN_NONE) {
        t->image = image;
        t->stack = at;
    }
}

static void take_record(struct outside *o, struct drain *d, const struct perf_record *r,
                        uint32_t ring)
{
    switch (r->type) {
    case PERF_RECORD_SAMPLE: take_sample(o, d, r, ring); return;
    case PERF_RECORD_LOST: d->lost_points += r->lost.count; return;
    case PERF_RECORD_FORK: perf_account_begin(&o->account, r->pid, r->tid); break;
    case PERF_RECORD_EXIT: perf_account_end(&o->account, r->tid); break;
    default: break;
    }
    perf_space_follow(&o->spaces, r);
}

static void read_rings(struct recorder *r, uint64_t until_ns)
{
    struct outside *o = r->outside;
    const struct perf_record *record;
    uint64_t before = r->drain->points;
    uint32_t ring;
    perf_begin(&o->rings);
    while ((record = perf_next(&o->rings, until_ns, &ring)))
        take_record(o, r->drain, record, ring);
    r->drain->malformed += o->rings.malformed;
    o->rings.malformed = 0;
    o->points += r->drain->points - before;
}

/* ---- opening ---- */

static int begin(struct recorder *r, pid_t tid, struct err *e)
{
    struct outside *o = calloc(1, sizeof *o);
    if (o)
        o->pcs = malloc(LIMIT_STACK_DEPTH * sizeof *o->pcs);
    if (!o || !o->pcs) {
        free(o);
        return err_set(e, -ENOMEM, "out of memory");
    }
    o->options = (struct perf_options){.hz = (uint32_t)r->options.hz,
                                       .kernel = !r->options.no_kernel,
                                       .on_exec = !r->options.pid_count && !r->shm,
                                       .go = r->is_go};
    int err = perf_open(&o->rings, tid, &o->options, e);
    if (err < 0) {
        free(o->pcs);
        free(o);
        return err;
    }
    r->outside = o;
    if (!r->shm)
        r->exclude_kernel = !o->rings.kernel;
    perf_spaces_init(&o->spaces, r->drain);
    perf_account_init(&o->account, r->drain, o->rings.period_ns, o->rings.count, r->options.seed);
    o->account.counted = o->rings.format.read;
    return 0;
}

int outside_open_child(struct recorder *r, pid_t pid, struct err *e)
{
    int err = begin(r, pid, e);
    if (err < 0)
        return err;
    struct outside *o = r->outside;
    perf_space_add(&o->spaces, (uint32_t)pid);
    struct perf_thread *t = perf_account_thread(&o->account, (uint32_t)pid, (uint32_t)pid);
    t->base_ns = perf_account_cpu_ns((uint32_t)pid, (uint32_t)pid);
    return 0;
}

static int open_thread(struct recorder *r, uint32_t pid, uint32_t tid, struct err *e)
{
    struct outside *o = r->outside;
    int err = perf_open_thread(&o->rings, (pid_t)tid, &o->options, e);
    if (err < 0)
        return err == -ESRCH ? 0 : err;
    /* Was it made by a thread that was opened before, which it took its events from? */
    read_rings(r, UINT64_MAX);
    if (perf_account_knows(&o->account, tid)) {
        perf_close_last(&o->rings);
        return 0;
    }
    struct perf_thread *t = perf_account_thread(&o->account, pid, tid);
    t->base_ns = perf_account_cpu_ns(pid, tid);
    return 1;
}

/* Opens the threads that are not known yet. How many, or an error. */
static int open_new_threads(struct recorder *r, uint32_t pid, struct err *e)
{
    char path[64];
    int opened = 0, err = 0;
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *d = opendir(path);
    for (struct dirent *x; d && err >= 0 && (x = readdir(d));) {
        uint32_t tid = (uint32_t)strtoul(x->d_name, NULL, 10);
        if (!tid || perf_account_knows(&r->outside->account, tid))
            continue;
        err = open_thread(r, pid, tid, e);
        opened += err > 0;
    }
    if (d)
        closedir(d);
    return err < 0 ? err : opened;
}

/* All its threads; the one that perf_open opened is known already. */
static int open_threads(struct recorder *r, uint32_t pid, struct err *e)
{
    for (int round = 0, n = 1; n > 0 && round < ROUNDS; round++) {
        n = open_new_threads(r, pid, e);
        if (n < 0)
            return n;
    }
    if (!perf_space_find(&r->outside->spaces, pid))
        perf_space_read(&r->outside->spaces, pid);
    return 0;
}

static int attach_process(struct recorder *r, uint32_t i, struct err *e)
{
    struct outside *o = r->outside;
    uint32_t pid = (uint32_t)r->options.pids[i];
    o->pidfds[i] = (int)syscall(SYS_pidfd_open, pid, 0);
    if (o->pidfds[i] < 0 && errno == ESRCH)
        return err_set(e, -ESRCH, "process %u has ended", pid);
    if (i == 0) { /* perf_open has opened its first thread */
        struct perf_thread *t = perf_account_thread(&o->account, pid, pid);
        t->base_ns = perf_account_cpu_ns(pid, pid);
    }
    return open_threads(r, pid, e);
}

/* The events of processes that have ended stay open, for their children may live on in them. Half
 * of the descriptors are left to what the recorder does else. */
static bool has_room(const struct outside *o)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) || o->rings.fd_count < limit.rlim_cur / 2;
}

int outside_follow(struct recorder *r, uint32_t pid, struct err *e)
{
    if (r->outside && !has_room(r->outside))
        return err_set(e, -EMFILE,
                       "%u events are open already, which is half of what may be: raise the limit "
                       "with ulimit -n",
                       r->outside->rings.fd_count);
    if (!r->outside) {
        char path[32];
        snprintf(path, sizeof path, "/proc/%u/exe", pid);
        r->is_go = target_is_go(path);
        int err = begin(r, (pid_t)pid, e);
        if (err < 0)
            return err;
        struct perf_thread *t = perf_account_thread(&r->outside->account, pid, pid);
        t->base_ns = perf_account_cpu_ns(pid, pid);
    }
    return open_threads(r, pid, e);
}

int outside_attach(struct recorder *r, struct err *e)
{
    int err = begin(r, r->options.pids[0], e);
    if (err < 0)
        return err;
    r->outside->pidfds = malloc(r->options.pid_count * sizeof *r->outside->pidfds);
    struct outside *o = r->outside;
    if (!o->pidfds || perf_usage_init(&o->usage, r->options.pids, r->options.pid_count) < 0)
        return err_set(e, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < r->options.pid_count; i++)
        r->outside->pidfds[i] = -1;
    for (uint32_t i = 0; i < r->options.pid_count && err == 0; i++) {
        err = attach_process(r, i, e);
        if (err == -ESRCH && i >= r->options.pids_asked)
            err = 0; /* a child that has ended */
    }
    if (err == 0)
        perf_usage_look(&o->usage, &o->rings);
    return err;
}

/* ---- running ---- */

void outside_wait(struct recorder *r, int ms)
{
    struct outside *o = r->outside;
    if (r->options.pid_count)
        perf_wait(&o->rings, ms, o->pidfds, r->options.pid_count);
    else
        perf_wait(&o->rings, ms, &r->pidfd, 1);
    outside_read(r);
    if (r->options.pid_count)
        perf_usage_look(&o->usage, &o->rings);
}

void outside_read(struct recorder *r)
{
    read_rings(r, sigsafe_clock_ns(CLOCK_MONOTONIC) - SLACK_NS);
}

bool outside_has_target(struct recorder *r)
{
    struct outside *o = r->outside;
    bool any = false;
    for (uint32_t i = 0; i < r->options.pid_count; i++) {
        struct pollfd p = {.fd = o->pidfds[i], .events = POLLIN};
        if (p.fd < 0)
            continue;
        if (poll(&p, 1, 0) == 1) {
            close(p.fd);
            o->pidfds[i] = -1;
        } else {
            any = true;
        }
    }
    return any;
}

void outside_stop(struct recorder *r)
{
    struct outside *o = r->outside;
    perf_account_stop(&o->account);
    if (r->options.pid_count)
        perf_usage_look(&o->usage, &o->rings);
    perf_disable(&o->rings);
    read_rings(r, UINT64_MAX);
    if (r->options.pid_count)
        perf_usage_get(&o->usage, perf_count(&o->rings), &r->result.usage);
}

static uint64_t usage_ns(const struct rusage *u)
{
    return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000u;
}

void outside_finish(struct recorder *r)
{
    struct outside *o = r->outside;
    bool whole = !r->options.pid_count && !r->shm; /* the system's count is of what is sampled */
    uint64_t before = r->drain->points;
    o->account.shared = r->shm != NULL;
    perf_account_finish(&o->account, whole ? usage_ns(&r->result.usage) : perf_count(&o->rings),
                        whole);
    r->drain->points_killed += o->points + r->drain->points - before;
    perf_release(&o->rings); /* binaries have to be opened now */
}

void outside_close(struct recorder *r)
{
    struct outside *o = r->outside;
    if (!o)
        return;
    for (uint32_t i = 0; o->pidfds && i < r->options.pid_count; i++)
        if (o->pidfds[i] >= 0)
            close(o->pidfds[i]);
    for (uint32_t i = 0; i < o->jit_count; i++)
        perf_names_free(&o->jits[i].names);
    perf_names_free(&o->kernel);
    perf_spaces_free(&o->spaces);
    perf_close(&o->rings);
    perf_usage_free(&o->usage);
    free(o->jits);
    free(o->pidfds);
    free(o->pcs);
    free(o);
    r->outside = NULL;
}

/* ---- names ---- */

static struct jit *jit_of(struct outside *o, uint32_t pid)
{
    for (uint32_t i = 0; i < o->jit_count; i++)
        if (o->jits[i].pid == pid)
            return &o->jits[i];
    struct jit *grown = realloc(o->jits, (o->jit_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    o->jits = grown;
    struct jit *j = &o->jits[o->jit_count++];
    *j = (struct jit){.pid = pid};
    snprintf(j->path, sizeof j->path, "[perf-%u.map]", pid);
    int fd = perf_names_open_map(pid);
    perf_names_read_map(&j->names, fd);
    if (fd >= 0)
        close(fd);
    return j;
}

bool outside_place(struct recorder *r, const struct drain_image *m, uint64_t pc,
                   struct drain_module *out)
{
    static const char kernel[] = "[kernel.kallsyms]";
    if (perf_is_kernel(pc)) {
        *out = (struct drain_module){.start = 1ull << 63,
                                     .limit = UINT64_MAX,
                                     .path = kernel,
                                     .path_len = sizeof kernel - 1};
        return true;
    }
    struct jit *j = jit_of(r->outside, m->pid);
    if (!j || !j->names.count)
        return false;
    *out = (struct drain_module){
        .start = 1, .limit = 1ull << 47, .path = j->path, .path_len = (uint32_t)strlen(j->path)};
    return true;
}

const char *outside_name(struct recorder *r, const struct drain_image *m, uint64_t pc)
{
    struct outside *o = r->outside;
    if (perf_is_kernel(pc)) {
        if (!o->kernel_read)
            perf_names_read_kernel(&o->kernel);
        o->kernel_read = true;
        const char *name = perf_names_find(&o->kernel, pc);
        return name ? name : "[kernel]";
    }
    struct jit *j = jit_of(o, m->pid);
    return j ? perf_names_find(&j->names, pc) : NULL;
}

const char *outside_open_as(void *recorder, const char *file, const char *build_id)
{
    struct recorder *r = recorder;
    return perf_image_open_as(&r->outside->spaces.images, file, build_id);
}

uint32_t outside_stack_bytes(const struct recorder *r)
{
    return r->outside->rings.stack_bytes;
}
