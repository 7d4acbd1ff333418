/* SPDX-License-Identifier: MIT
 *
 * The life of a recording. The shared segment is a memfd of this process; programs of the tree open
 * it by its name in /proc, or ask for it at the door, so that none of them inherits a descriptor.
 * The program runs in the recorder's own process group and on its terminal, as if it had been
 * started alone; the recorder only waits, drains and passes signals on. */
#include "record/record.h"

#include "base/sigsafe.h"
#include "base/taskclock.h"
#include "record/assemble.h"
#include "record/drain.h"
#include "record/follow.h"
#include "record/outside.h"
#include "record/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t forward_to; /* the program's pid */

/* ---- open ---- */

static int make_segment(struct recorder *r, struct err *e)
{
    r->shm_fd = memfd_create("strobe", MFD_CLOEXEC);
    if (r->shm_fd < 0)
        return err_set(e, -errno, "cannot make shared memory: %s", strerror(errno));
    fchmod(r->shm_fd, 0600); /* a memfd is everybody's, else */
    int err = posix_fallocate(r->shm_fd, 0, sizeof *r->shm);
    if (err)
        return err_set(e, -err, "cannot allocate %zu MiB of shared memory for samples: %s",
                       sizeof *r->shm >> 20, strerror(err));
    void *p = mmap(NULL, sizeof *r->shm, PROT_READ | PROT_WRITE, MAP_SHARED, r->shm_fd, 0);
    if (p == MAP_FAILED)
        return err_set(e, -errno, "cannot map the samples' shared memory: %s", strerror(errno));
    r->shm = p;
    shm_init(r->shm);
    r->door_fd = door_open(&r->door); /* without it, their names in /proc must do */
    /* Heap profiles lie behind it. They take memory only as far as processes allocate them. */
    if (r->options.kinds & SHM_KIND_HEAP &&
        ftruncate(r->shm_fd, (off_t)shm_heap_offset(SHM_PROCESSES)) != 0)
        return err_set(e, -errno, "cannot make room for heap profiles: %s", strerror(errno));
    if (r->options.kinds & (SHM_KIND_BLOCK | SHM_KIND_MUTEX) &&
        ftruncate(r->shm_fd, (off_t)shm_wait_offset(SHM_PROCESSES)) != 0)
        return err_set(e, -errno, "cannot make room for profiles of waits: %s", strerror(errno));
    return 0;
}

static void configure(struct recorder *r)
{
    struct taskclock clock = taskclock_probe(r->options.backend, true);
    r->period_ns = 1000000000 / r->options.hz;
    r->shm->kinds = r->options.kinds;
    r->shm->heap_rate = r->options.heap_rate;
    r->shm->block_rate = r->options.block_rate;
    r->shm->mutex_fraction = r->options.mutex_fraction;
    r->shm->block_what = r->options.block_what;
    r->shm->hz = (uint32_t)r->options.hz;
    r->shm->period_ns = (uint64_t)r->period_ns;
    r->shm->backend = clock.backend;
    r->shm->exclude_kernel = clock.exclude_kernel;
    r->shm->seed = r->options.seed;
    r->shm->max_cost_ppm = r->options.max_cost_ppm;
    r->shm->interrupt_ns = taskclock_measure_ns();
    r->shm->depth_max = LIMIT_STACK_DEPTH;
    r->shm->recorder_pid = (uint32_t)getpid();
    r->exclude_kernel = r->shm->exclude_kernel || r->shm->backend == SHM_BACKEND_SIGNAL;
    r->method = taskclock_backend_name(r->shm->backend);
}

static int make_drain(struct recorder *r, struct err *e)
{
    r->drain = malloc(sizeof *r->drain);
    if (!r->drain)
        return err_set(e, -ENOMEM, "out of memory");
    if (r->shm) {
        drain_init(r->drain, r->shm);
        r->drain->segment_fd = r->shm_fd;
    } else {
        drain_init_bare(r->drain);
    }
    return 0;
}

/* Processes that run: nothing is looked for, nothing is started. */
static int open_running(struct recorder *r, struct err *e)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)r->options.pids[0]);
    ssize_t n = readlink(path, r->program, sizeof r->program - 1);
    r->program[n > 0 ? n : 0] = 0;
    r->is_go = true;
    for (uint32_t i = 0; i < r->options.pid_count && r->is_go; i++) {
        snprintf(path, sizeof path, "/proc/%d/exe", (int)r->options.pids[i]);
        r->is_go = target_is_go(path);
    }
    r->why_outside = "attached";
    return make_drain(r, e);
}

int record_open(struct recorder *r, const struct record_options *o, struct err *e)
{
    memset(r, 0, sizeof *r);
    r->options = *o;
    r->shm_fd = r->pidfd = r->door_fd = -1;
    r->options.kinds |= !o->kinds || o->kinds & SHM_KIND_WALL ? SHM_KIND_CPU : 0;
    r->period_ns = 1000000000 / o->hz;
    r->method = "perf_event task-clock, from outside";
    if (o->pid_count)
        return open_running(r, e);
    struct target_kind kind = {0};
    int err = target_find(r->program, sizeof r->program, o->argv[0], e);
    if (err == 0)
        err = target_check(r->program, &kind, e);
    r->why_outside = kind.why_outside;
    r->is_go = kind.is_go;
    if (err == 0 && r->why_outside && r->options.kinds != SHM_KIND_CPU)
        return err_set(e, -ENOTSUP,
                       "%s is %s: only its CPU profile (-e cpu) can be had, from outside",
                       r->program, r->why_outside);
    if (err == 0 && r->why_outside)
        return make_drain(r, e);
    if (err == 0)
        err = target_library(r->library, sizeof r->library, e);
    if (err == 0)
        err = make_segment(r, e);
    if (err < 0)
        return err;
    configure(r);
    return make_drain(r, e);
}

/* ---- start ---- */

static void forward(int sig)
{
    if (forward_to)
        kill(forward_to, sig);
}

/* A static or Go child is sampled from the next look on. */
enum { LOOK_MS = 25 };
static const uint64_t EXPECT_NS = 20000000; /* from the announcement to the end of its execve */

static const int forwarded[] = {SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
static const int ignored[] = {SIGINT, SIGQUIT};
enum {
    FORWARDED = sizeof forwarded / sizeof *forwarded,
    IGNORED = sizeof ignored / sizeof *ignored
};

struct dispositions {
    struct sigaction forwarded[FORWARDED], ignored[IGNORED];
};

/* The terminal sends SIGINT and SIGQUIT to the program as well: what it does then is its own. What
 * was ignored already (nohup) stays ignored. */
static void take_signals(struct dispositions *old)
{
    struct sigaction pass = {.sa_handler = forward, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (int i = 0; i < FORWARDED; i++) {
        sigaction(forwarded[i], &pass, &old->forwarded[i]);
        if (old->forwarded[i].sa_handler == SIG_IGN)
            sigaction(forwarded[i], &old->forwarded[i], NULL);
    }
    for (int i = 0; i < IGNORED; i++)
        sigaction(ignored[i], &ignore, &old->ignored[i]);
}

static void give_back_signals(const struct dispositions *old)
{
    for (int i = 0; i < FORWARDED; i++)
        sigaction(forwarded[i], &old->forwarded[i], NULL);
    for (int i = 0; i < IGNORED; i++)
        sigaction(ignored[i], &old->ignored[i], NULL);
}

static void set_environment(const struct recorder *r)
{
    char preload[sizeof r->library + 4096], segment[DOOR_TEXT];
    const char *theirs = getenv("LD_PRELOAD");
    snprintf(preload, sizeof preload, "%s%s%s", r->library, theirs && *theirs ? ":" : "",
             theirs ? theirs : "");
    snprintf(segment, sizeof segment, "/proc/%d/fd/%d%s%s%s%s", (int)getppid(), r->shm_fd,
             r->door_fd >= 0 ? " " : "", r->door.name, r->door_fd >= 0 ? " " : "", r->door.token);
    setenv("LD_PRELOAD", preload, 1);
    setenv("STROBE_RECORD", segment, 1);
    /* Settings of a profile of its own would be in the way. */
    unsetenv("STROBE");
    unsetenv("STROBE_OUT");
}

/* Pipes between the recorder and its child before the program: what execve said, and, where it is
 * sampled from outside, that it may begin. */
struct gates {
    int status[2], start[2];
};

static void announce_exec(const struct recorder *r)
{
    struct shm_process *p = shm_process_claim(r->shm, (uint32_t)getpid());
    set_environment(r);
    if (p) {
        atomic_store(&p->cpu_at_exec_ns, 0); /* what it used so far counts as exec's, too */
        atomic_store(&p->state, SHM_EXECING);
    }
}

/* In the child: never returns. */
static void run_program(const struct recorder *r, const struct dispositions *old,
                        const struct gates *g)
{
    char go;
    if (read(g->start[0], &go, 1) != 1) /* the recorder could not open us, or is gone */
        _exit(126);
    if (r->shm)
        announce_exec(r);
    give_back_signals(old);
    execv(r->program, r->options.argv);
    if (errno == ENOEXEC) { /* a script without #!: a shell would run it */
        size_t n = 0;
        while (r->options.argv[n])
            n++;
        char **argv = calloc(n + 2, sizeof *argv);
        if (argv) {
            argv[0] = (char *)"/bin/sh";
            argv[1] = (char *)r->program;
            memcpy(argv + 2, r->options.argv + 1, n * sizeof *argv);
            execv(argv[0], argv);
        }
    }
    int error = errno;
    if (write(g->status[1], &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

static int make_gates(struct gates *g, struct err *e)
{
    if (pipe2(g->status, O_CLOEXEC) != 0)
        return err_set(e, -errno, "cannot make a pipe: %s", strerror(errno));
    if (pipe2(g->start, O_CLOEXEC) == 0)
        return 0;
    int error = errno;
    close(g->status[0]);
    close(g->status[1]);
    return err_set(e, -error, "cannot make a pipe: %s", strerror(error));
}

/* Lets the child go on to its execve, and returns what that says: 0 or an errno. Our end for
 * reading is still open, so that writing is no SIGPIPE where the child was killed meanwhile. */
static int let_go(struct gates *g)
{
    int error = 0;
    if (write(g->start[1], "", 1) != 1)
        error = errno;
    close(g->start[0]);
    close(g->start[1]);
    ssize_t n = read(g->status[0], &error, sizeof error); /* ends with execve */
    close(g->status[0]);
    return n == (ssize_t)sizeof error ? error : 0;
}

/* The child was not let go, or could not execute: nothing of it remains. */
static void give_up(struct recorder *r, const struct dispositions *old)
{
    waitpid(r->pid, NULL, 0);
    forward_to = 0;
    give_back_signals(old);
}

static int start_child(struct recorder *r, struct err *e)
{
    struct dispositions old;
    struct gates g;
    int err = make_gates(&g, e);
    if (err < 0)
        return err;
    fflush(NULL);
    take_signals(&old);
    r->pid = fork();
    if (r->pid == 0) {
        close(g.status[0]);
        close(g.start[1]);
        run_program(r, &old, &g);
    }
    int error = errno;
    close(g.status[1]);
    if (r->pid < 0) {
        close(g.status[0]);
        close(g.start[0]);
        close(g.start[1]);
        give_back_signals(&old);
        return err_set(e, -error, "cannot start a process: %s", strerror(error));
    }
    forward_to = r->pid;
    err = r->shm ? 0 : outside_open_child(r, r->pid, e);
    if (err < 0) {
        close(g.start[0]);
        close(g.start[1]);
        close(g.status[0]);
        give_up(r, &old);
        err_prefix(e, "%s is %s, so it is sampled from outside, but", r->program, r->why_outside);
        return err == -EACCES ? -EPERM : err;
    }
    error = let_go(&g);
    if (error) {
        give_up(r, &old);
        int code = error == ENOENT ? -ENOENT : error == EACCES ? -EACCES : -ENOEXEC;
        return err_set(e, code, "%s: %s", r->program,
                       error == ENOENT ? "not found, or its interpreter is not" : strerror(error));
    }
    r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    r->drain->root_pid = (uint32_t)r->pid;
    return 0;
}

static volatile sig_atomic_t stop_asked;

static void ask_stop(int sig)
{
    (void)sig;
    stop_asked = 1;
}

/* Ctrl-C ends the sampling of a process that runs, and not the process. */
static int start_attached(struct recorder *r, struct err *e)
{
    struct sigaction stop = {.sa_handler = ask_stop};
    int err = outside_attach(r, e);
    r->pid = r->options.pids[0];
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &stop, NULL);
    return err == -EACCES ? -EPERM : err;
}

int record_start(struct recorder *r, struct err *e)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    r->start_time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    r->start_mono_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    return r->options.pid_count ? start_attached(r, e) : start_child(r, e);
}

/* ---- run ---- */

/* What the program itself used, without its children: to be asked before it is waited for. */
static void note_root_usage(struct recorder *r)
{
    siginfo_t ended = {0};
    struct timespec t;
    clockid_t clock;
    if (waitid(P_PID, (id_t)r->pid, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid &&
        clock_getcpuclockid(r->pid, &clock) == 0 && clock_gettime(clock, &t) == 0)
        r->root_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool program_ended(struct recorder *r)
{
    note_root_usage(r);
    pid_t got = wait4(r->pid, &r->result.wait_status, WNOHANG, &r->result.usage);
    return got == r->pid || (got < 0 && errno == ECHILD);
}

/* At most `ms`, and not past the end that was asked for. */
static int until_end(const struct recorder *r, int ms)
{
    double left_ms = r->options.seconds * 1e3 - (double)r->progress.elapsed_ns / 1e6;
    if (!r->options.pid_count || r->options.seconds <= 0 || left_ms >= ms)
        return ms;
    return left_ms > 1 ? (int)left_ms : 1;
}

static void wait_and_drain(struct recorder *r, int ms)
{
    struct pollfd p[2] = {{.fd = r->pidfd, .events = POLLIN}, {.fd = r->door_fd, .events = POLLIN}};
    if (r->outside && !r->shm) {
        outside_wait(r, ms);
        return;
    }
    uint64_t now_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    int look_ms = now_ns < r->expect_until_ns ? 1 : LOOK_MS;
    poll(p, 2, ms > look_ms ? look_ms : ms);
    if (r->door_fd >= 0 && door_answer(&r->door, r->door_fd, r->shm_fd))
        r->expect_until_ns = now_ns + EXPECT_NS; /* somebody is about to execute a static program */
    follow_look(r);
    if (r->outside)
        outside_read(r);
    drain_read(r->drain);
    drain_reap(r->drain);
}

static bool is_over(struct recorder *r)
{
    if (!r->options.pid_count)
        return program_ended(r);
    return stop_asked || !outside_has_target(r) ||
           (r->options.seconds > 0 && (double)r->progress.elapsed_ns >= r->options.seconds * 1e9);
}

bool record_wait(struct recorder *r, int ms)
{
    if (r->ended)
        return false;
    wait_and_drain(r, until_end(r, ms));
    r->progress = (struct record_progress){
        .elapsed_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) - r->start_mono_ns,
        .samples = r->drain->points,
        .lost = drain_lost(r->drain),
    };
    if (!is_over(r))
        return true;
    r->ended = true;
    forward_to = 0;
    r->result.elapsed_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) - r->start_mono_ns;
    if (r->outside) {
        outside_stop(r);
        outside_finish(r);
    }
    if (r->shm)
        r->result.still_running = drain_end(r->drain);
    return false;
}

int record_finish(struct recorder *r, struct profile *p, struct err *e)
{
    return assemble_profile(r, p, e);
}

int record_finish_waits(struct recorder *r, enum waittab_profile which, struct profile *p,
                        struct record_wait_result *result, struct err *e)
{
    return assemble_waits(r, which, p, result, e);
}

int record_finish_heap(struct recorder *r, const struct record_heap *how, struct profile *p,
                       struct record_heap_result *result, struct err *e)
{
    return assemble_heap(r, how, p, result, e);
}

int record_finish_wall(struct recorder *r, struct profile *p, struct err *e)
{
    return assemble_wall(r, p, e);
}

int record_finish_counts(struct recorder *r, enum shm_kind kind, struct profile *p, struct err *e)
{
    return assemble_counts(r, kind, p, e);
}

void record_close(struct recorder *r)
{
    outside_close(r);
    if (r->drain) {
        drain_free(r->drain);
        free(r->drain);
    }
    if (r->shm)
        munmap(r->shm, sizeof *r->shm);
    if (r->shm_fd >= 0)
        close(r->shm_fd);
    if (r->door_fd >= 0)
        close(r->door_fd);
    if (r->pidfd >= 0)
        close(r->pidfd);
    memset(r, 0, sizeof *r);
    r->shm_fd = r->pidfd = r->door_fd = -1;
}
