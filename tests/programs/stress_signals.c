/* SPDX-License-Identifier: MIT
 *
 * Programs that use signals in every way: stress_signals CASE [COUNT]. As in stress.c, what a case
 * prints must be the same under strobe. Counts of timers are printed as "right" where they are what
 * the clock that drives them allows. */
#include "stress.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static _Atomic int seen; /* by handlers of several threads */
static volatile uintptr_t nowhere = 8;

/* Uses most of a small stack, and CPU. */
KEEP static void deep(int levels)
{
    volatile char room[512];
    room[levels & 511] = (char)levels;
    if (levels > 0)
        deep(levels - 1);
    else
        stress_sink += burn_rounds(200000);
    stress_sink += (uint64_t)room[levels & 511];
}

static int levels;

static void handle_deep(int sig)
{
    (void)sig;
    seen++;
    deep(levels);
}

static void *on_alternate(void *size)
{
    size_t n = *(size_t *)size;
    /* A canary on both sides: an overflow must not go unseen. */
    enum { MARK = 64 };
    unsigned char *p = malloc(n + 2 * MARK);
    MUST(p);
    memset(p, 0xa5, n + 2 * MARK);
    stack_t st = {.ss_sp = p + MARK, .ss_size = n}, now;
    MUST(sigaltstack(&st, NULL) == 0);
    for (int i = 0; i < 100; i++)
        MUST(pthread_kill(pthread_self(), SIGUSR1) == 0);
    MUST(sigaltstack(NULL, &now) == 0);
    int same = now.ss_sp == st.ss_sp && now.ss_size == n && now.ss_flags == 0;
    for (int i = 0; i < MARK; i++)
        same &= p[i] == 0xa5 && p[MARK + n + (size_t)i] == 0xa5;
    st.ss_flags = SS_DISABLE;
    MUST(sigaltstack(&st, NULL) == 0);
    free(p);
    return (void *)(uintptr_t)!same;
}

/* COUNT is the size of the alternate stack in KB. */
static void case_altstack(int count)
{
    size_t size = (size_t)count << 10;
    struct sigaction sa = {.sa_handler = handle_deep, .sa_flags = SA_ONSTACK}, old;
    sigaddset(&sa.sa_mask, SIGUSR2);
    MUST(sigaction(SIGUSR1, &sa, NULL) == 0);
    levels = count > 16 ? 80 : 3;
    pthread_t t[2];
    void *bad;
    long wrong = (long)on_alternate(&size);
    for (int i = 0; i < 2; i++)
        MUST(pthread_create(&t[i], NULL, on_alternate, &size) == 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], &bad);
        wrong += (long)bad;
    }
    MUST(sigaction(SIGUSR1, NULL, &old) == 0);
    int mask = 0;
    for (int s = 1; s < 32; s++)
        mask += sigismember(&old.sa_mask, s) == 1;
    printf("%d signals, %ld wrong, %d in the mask\n", seen, wrong, mask);
}

static void *burn_blocked(void *arg)
{
    sigset_t all, now;
    (void)arg;
    sigfillset(&all);
    MUST(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
    burn_cpu(0.08);
    MUST(pthread_sigmask(SIG_SETMASK, NULL, &now) == 0);
    int n = 0;
    for (int s = 1; s < 32; s++)
        n += sigismember(&now, s) == 1;
    return (void *)(uintptr_t)n;
}

/* Blocked by libc, and behind its back. */
static void case_blocked(int count)
{
    pthread_t t[2];
    void *n[2];
    uint64_t all = ~0ull, old;
    (void)count;
    for (int i = 0; i < 2; i++)
        MUST(pthread_create(&t[i], NULL, burn_blocked, NULL) == 0);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], &n[i]);
    printf("blocked: %d and %d\n", (int)(uintptr_t)n[0], (int)(uintptr_t)n[1]);
    burn_blocked(NULL);
    MUST(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof all) == 0);
    burn_cpu(0.05);
    MUST(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old) == 0);
    burn_cpu(0.05);
    printf("and again\n");
}

static void count_signal(int sig)
{
    (void)sig;
    seen++;
}

/* CPU timers of its own: SIGPROF by setitimer and a timer on its thread's clock. */
static void case_own_timers(int count)
{
    struct sigaction sa = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 20000}, {0, 20000}}, none = {{0, 0}, {0, 0}};
    (void)count;
    MUST(sigaction(SIGPROF, &sa, NULL) == 0);
    MUST(setitimer(ITIMER_PROF, &every, NULL) == 0);
    double start = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
    burn_cpu(0.4);
    double used = cpu_s(CLOCK_PROCESS_CPUTIME_ID) - start;
    MUST(setitimer(ITIMER_PROF, &none, NULL) == 0);
    /* The kernel counts this timer's time by whole ticks, of whoever runs when one comes. */
    double ticks = used / 0.02;
    printf("SIGPROF %s\n", seen > ticks * 0.3 && seen < ticks * 3 ? "right" : "wrong");
    seen = 0;
    struct sigevent ev = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGURG};
    struct itimerspec spec = {{0, 20000000}, {0, 20000000}};
    timer_t timer;
    MUST(sigaction(SIGURG, &sa, NULL) == 0);
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &ev, &timer) != 0) {
        printf("there are no timers\n");
        return;
    }
    MUST(timer_settime(timer, 0, &spec, NULL) == 0);
    burn_cpu(0.4);
    timer_delete(timer);
    printf("SIGURG %s\n", seen > 12 && seen <= 21 ? "right" : "wrong");
}

/* The signals that a profiler would take, waited for in each way. */
static void wait_for(int sig)
{
    sigset_t set, old, pending;
    siginfo_t si;
    struct timespec soon = {5, 0};
    sigemptyset(&set);
    sigaddset(&set, sig);
    MUST(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    kill(getpid(), sig);
    burn_cpu(0.03);
    sigpending(&pending);
    printf("%d pending: %d\n", sig, sigismember(&pending, sig));
    printf("sigtimedwait: %d\n", sigtimedwait(&set, &si, &soon));
    union sigval value = {.sival_int = 42};
    MUST(sigqueue(getpid(), sig, value) == 0);
    burn_cpu(0.03);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo info = {0};
    int n = (int)read(fd, &info, sizeof info);
    printf("signalfd: %s %d %d\n", n == (int)sizeof info ? "read" : "nothing", (int)info.ssi_signo,
           info.ssi_int);
    close(fd);
    MUST(raise(sig) == 0);
    burn_cpu(0.03);
    seen = 0;
    MUST(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    printf("handled: %d\n", seen);
}

static void case_own_signals(int count)
{
    struct sigaction sa = {.sa_handler = count_signal};
    (void)count;
    MUST(sigaction(SIGURG, &sa, NULL) == 0 && sigaction(SIGTRAP, &sa, NULL) == 0);
    wait_for(SIGURG);
    wait_for(SIGTRAP);
}

static sigjmp_buf back;

static void jump_out(int sig)
{
    siglongjmp(back, sig);
}

/* Out of handlers, by siglongjmp: faults and what comes from outside. */
static void case_jumps(int count)
{
    struct sigaction sa = {.sa_handler = jump_out};
    volatile int jumps = 0;
    (void)count;
    MUST(sigaction(SIGSEGV, &sa, NULL) == 0 && sigaction(SIGALRM, &sa, NULL) == 0);
    for (int i = 0; i < 200; i++) {
        int sig = sigsetjmp(back, 1);
        jumps = jumps + (sig != 0);
        if (sig == 0 && i % 2)
            *(volatile int *)nowhere = 1;
        if (sig == 0)
            raise(SIGALRM);
        stress_sink += burn_rounds(100000);
    }
    burn_cpu(0.05);
    printf("%d jumps\n", jumps);
}

/* exec with a signal pending and blocked: the new image unblocks it. */
static void case_pending_exec(int count)
{
    sigset_t all;
    char *argv[] = {(char *)"stress_signals", (char *)"unblock", NULL};
    (void)count;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    burn_cpu(0.05);
    fflush(stdout);
    execv("/proc/self/exe", argv);
}

/* Between fork and exec all handlers are reset, by number: nothing may come that then kills. */
static void case_reset(int count)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } none = {0};
    int bad = 0;
    (void)count;
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        MUST(pid >= 0);
        if (pid == 0) {
            for (int s = 1; s < 65; s++)
                syscall(SYS_rt_sigaction, s, &none, NULL, sizeof none.mask);
            burn_cpu(0.005);
            _exit(0);
        }
        int status = 1;
        MUST(waitpid(pid, &status, 0) == pid);
        bad += status != 0;
    }
    printf("%d children died\n", bad);
}

static void case_unblock(int count)
{
    sigset_t none, old;
    (void)count;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, &old);
    int n = 0;
    for (int s = 1; s < 32; s++)
        n += sigismember(&old, s) == 1;
    burn_cpu(0.05);
    printf("%d were blocked\n", n);
}

static const struct {
    const char *name;
    void (*run)(int count);
} cases[] = {
    {"altstack", case_altstack},     {"blocked", case_blocked},
    {"own_timers", case_own_timers}, {"own_signals", case_own_signals},
    {"jumps", case_jumps},           {"pending_exec", case_pending_exec},
    {"unblock", case_unblock},       {"reset", case_reset},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run(argc > 2 ? atoi(argv[2]) : 0);
            return 0;
        }
    fprintf(stderr, "usage: stress_signals CASE [COUNT]\n");
    return 2;
}
