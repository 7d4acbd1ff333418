/* SPDX-License-Identifier: MIT
 *
 * The life of a recording. The shared segment is a memfd of this process; programs of the tree open
 * it by its name in /proc, so that none of them inherits a descriptor. The program runs in the
 * recorder's own process group and on its terminal, as if it had been started alone; the recorder
 * only waits, drains and passes signals on. */
#include "record/record.h"

#include "base/sigsafe.h"
#include "base/taskclock.h"
#include "record/assemble.h"
#include "record/drain.h"
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
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t forward_to; /* the program's pid */

/* ---- open ---- */

static int make_segment(struct recorder *r, struct err *e)
{
    r->shm_fd = memfd_create("strobe", MFD_CLOEXEC);
    if (r->shm_fd < 0)
        return err_set(e, -errno, "cannot make shared memory: %s", strerror(errno));
    int err = posix_fallocate(r->shm_fd, 0, sizeof *r->shm);
    if (err)
        return err_set(e, -err, "cannot allocate %zu MiB of shared memory for samples: %s",
                       sizeof *r->shm >> 20, strerror(err));
    void *p = mmap(NULL, sizeof *r->shm, PROT_READ | PROT_WRITE, MAP_SHARED, r->shm_fd, 0);
    if (p == MAP_FAILED)
        return err_set(e, -errno, "cannot map the samples' shared memory: %s", strerror(errno));
    r->shm = p;
    shm_init(r->shm);
    return 0;
}

static void configure(struct recorder *r)
{
    struct taskclock clock = taskclock_probe(r->options.backend, true);
    r->period_ns = 1000000000 / r->options.hz;
    r->shm->hz = (uint32_t)r->options.hz;
    r->shm->period_ns = (uint64_t)r->period_ns;
    r->shm->backend = clock.backend;
    r->shm->exclude_kernel = clock.exclude_kernel;
    r->shm->seed = r->options.seed;
    r->shm->depth_max = LIMIT_STACK_DEPTH;
    r->shm->recorder_pid = (uint32_t)getpid();
}

int record_open(struct recorder *r, const struct record_options *o, struct err *e)
{
    memset(r, 0, sizeof *r);
    r->options = *o;
    r->shm_fd = r->pidfd = -1;
    int err = target_find(r->program, sizeof r->program, o->argv[0], e);
    if (err == 0)
        err = target_check(r->program, e);
    if (err == 0)
        err = target_library(r->library, sizeof r->library, e);
    if (err == 0)
        err = make_segment(r, e);
    if (err < 0)
        return err;
    configure(r);
    r->drain = malloc(sizeof *r->drain);
    if (!r->drain)
        return err_set(e, -ENOMEM, "out of memory");
    drain_init(r->drain, r->shm);
    return 0;
}

/* ---- start ---- */

static void forward(int sig)
{
    if (forward_to)
        kill(forward_to, sig);
}

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
    char preload[sizeof r->library + 4096], segment[64];
    const char *theirs = getenv("LD_PRELOAD");
    snprintf(preload, sizeof preload, "%s%s%s", r->library, theirs && *theirs ? ":" : "",
             theirs ? theirs : "");
    snprintf(segment, sizeof segment, "/proc/%d/fd/%d", (int)getppid(), r->shm_fd);
    setenv("LD_PRELOAD", preload, 1);
    setenv("STROBE_RECORD", segment, 1);
    /* Settings of a profile of its own would be in the way. */
    unsetenv("STROBE");
    unsetenv("STROBE_OUT");
}

/* In the child: never returns. */
static void run_program(const struct recorder *r, const struct dispositions *old, int status_fd)
{
    struct shm_process *p = shm_process_claim(r->shm, (uint32_t)getpid());
    set_environment(r);
    give_back_signals(old);
    if (p) {
        atomic_store(&p->cpu_at_exec_ns, 0); /* what it used so far counts as exec's, too */
        atomic_store(&p->state, SHM_EXECING);
    }
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
    if (write(status_fd, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

int record_start(struct recorder *r, struct err *e)
{
    int status[2], error = 0;
    struct dispositions old;
    if (pipe2(status, O_CLOEXEC) != 0)
        return err_set(e, -errno, "cannot make a pipe: %s", strerror(errno));
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    r->start_time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    r->start_mono_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    fflush(NULL);
    take_signals(&old);
    r->pid = fork();
    if (r->pid == 0) {
        close(status[0]);
        run_program(r, &old, status[1]);
    }
    close(status[1]);
    if (r->pid < 0) {
        error = errno;
        close(status[0]);
        give_back_signals(&old);
        return err_set(e, -error, "cannot start a process: %s", strerror(error));
    }
    forward_to = r->pid;
    ssize_t n = read(status[0], &error, sizeof error); /* ends with execve */
    close(status[0]);
    if (n == (ssize_t)sizeof error) {
        waitpid(r->pid, NULL, 0);
        forward_to = 0;
        give_back_signals(&old);
        int code = error == ENOENT ? -ENOENT : error == EACCES ? -EACCES : -ENOEXEC;
        return err_set(e, code, "%s: %s", r->program,
                       error == ENOENT ? "not found, or its interpreter is not" : strerror(error));
    }
    r->pidfd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    return 0;
}

/* ---- run ---- */

static bool program_ended(struct recorder *r)
{
    pid_t got = wait4(r->pid, &r->result.wait_status, WNOHANG, &r->result.usage);
    return got == r->pid || (got < 0 && errno == ECHILD);
}

bool record_wait(struct recorder *r, int ms)
{
    if (r->ended)
        return false;
    struct pollfd p = {.fd = r->pidfd, .events = POLLIN};
    if (r->pidfd >= 0)
        poll(&p, 1, ms);
    else
        usleep((useconds_t)(ms < 20 ? ms : 20) * 1000);
    drain_read(r->drain);
    drain_reap(r->drain);
    r->progress = (struct record_progress){
        .elapsed_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) - r->start_mono_ns,
        .samples = r->drain->points,
        .lost = drain_lost(r->drain),
    };
    if (!program_ended(r))
        return true;
    r->ended = true;
    forward_to = 0;
    r->result.elapsed_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) - r->start_mono_ns;
    r->result.still_running = drain_end(r->drain);
    return false;
}

int record_finish(struct recorder *r, struct profile *p, struct err *e)
{
    return assemble_profile(r, p, e);
}

void record_close(struct recorder *r)
{
    if (r->drain) {
        drain_free(r->drain);
        free(r->drain);
    }
    if (r->shm)
        munmap(r->shm, sizeof *r->shm);
    if (r->shm_fd >= 0)
        close(r->shm_fd);
    if (r->pidfd >= 0)
        close(r->pidfd);
    memset(r, 0, sizeof *r);
    r->shm_fd = r->pidfd = -1;
}
