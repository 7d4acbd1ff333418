/* SPDX-License-Identifier: MIT
 *
 * The ways in which programs make processes and threads, use signals and go through descriptors
 * that have broken profilers: stress CASE [COUNT]. Each case checks itself and prints what it saw,
 * which must be the same under strobe; its CPU goes into burn_cpu, which the profile must have. */
#include "stress.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *self_path;

static int status_of(pid_t pid)
{
    int status;
    MUST(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void *burn_thread(void *s)
{
    burn_cpu(*(double *)s);
    return NULL;
}

/* `n` threads of `s` CPU seconds each, joined. */
static void burn_threads(int n, double s, const pthread_attr_t *attr)
{
    pthread_t *t = calloc((size_t)n, sizeof *t);
    MUST(t);
    for (int i = 0; i < n; i++)
        MUST((errno = pthread_create(&t[i], attr, burn_thread, &s)) == 0);
    for (int i = 0; i < n; i++)
        pthread_join(t[i], NULL);
    free(t);
}

/* ---- processes ---- */

static void case_fork(int count)
{
    (void)count;
    pid_t pid[4];
    for (int i = 0; i < 4; i++) {
        MUST((pid[i] = fork()) >= 0);
        if (pid[i] == 0) {
            burn_cpu(0.06);
            exit(10 + i);
        }
    }
    for (int i = 0; i < 4; i++)
        printf("child %d: %d\n", i, status_of(pid[i]));
}

static int stop;

static void *churn_memory(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        void *p[16];
        for (int i = 0; i < 16; i++)
            p[i] = malloc((size_t)(i * 37 + 1));
        for (int i = 0; i < 16; i++)
            free(p[i]);
    }
    return NULL;
}

/* A thread that holds malloc's lock while another forks: a child that hangs is killed by its alarm
 * and makes the output differ. */
static void case_fork_threads(int count)
{
    pthread_t t[3];
    int n = count ? count : 40, bad = 0;
    for (int i = 0; i < 3; i++)
        MUST(pthread_create(&t[i], NULL, churn_memory, NULL) == 0);
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        MUST(pid >= 0);
        if (pid == 0) {
            alarm(20);
            for (int k = 0; k < 50; k++)
                free(malloc(1000));
            if (i % 10 == 0)
                burn_cpu(0.01);
            _exit(i % 2 ? 5 : 6);
        }
        bad += status_of(pid) != (i % 2 ? 5 : 6);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++)
        pthread_join(t[i], NULL);
    printf("%d children, %d wrong\n", n, bad);
}

static char *const *again(const char *mode)
{
    static char *argv[4];
    argv[0] = self_path;
    argv[1] = (char *)mode;
    argv[2] = NULL;
    return argv;
}

/* What the others start: says how large its environment is. */
static void case_child(int count)
{
    (void)count;
    int n = 0;
    for (char **e = environ; e && *e; e++)
        n += strncmp(*e, "STRESS", 6) == 0 || strncmp(*e, "STROBE", 6) == 0 ||
             strncmp(*e, "LD_", 3) == 0;
    burn_cpu(0.06);
    printf("child sees %d variables that matter\n", n);
}

static void case_exec_empty(int count)
{
    (void)count;
    char *none[] = {NULL};
    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        pid_t pid = fork();
        MUST(pid >= 0);
        if (pid == 0) {
            if (i == 0)
                execve(self_path, again("child"), none);
            else if (i == 1)
                syscall(SYS_execve, self_path, again("child"), none);
            else
                execle(self_path, self_path, "child", (char *)NULL, none);
            _exit(9);
        }
        printf("exec %d: %d\n", i, status_of(pid));
        fflush(stdout);
    }
    burn_cpu(0.03);
    execve(self_path, again("child"), none);
}

/* Over and over into a new image, by libc and by syscall(2): a signal of the old image's clock
 * would kill the new one. COUNT is how many are still to come. */
static void case_exec_chain(int count)
{
    char next[16];
    if (count <= 0) {
        burn_cpu(0.05);
        printf("the chain has ended\n");
        return;
    }
    burn_cpu(0.0003);
    snprintf(next, sizeof next, "%d", count - 1);
    char *argv[] = {self_path, (char *)"exec_chain", next, NULL};
    if (count % 2)
        execv(self_path, argv);
    syscall(SYS_execve, self_path, argv, environ);
    MUST(!"exec");
}

/* Children that go into a new image past libc, as programs without one do it. */
static void case_asm_exec(int count)
{
    int n = count ? count : 40, bad = 0;
    char *argv[] = {(char *)"true", NULL};
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        MUST(pid >= 0);
        if (pid == 0) {
            burn_cpu(0.0005 * (i % 8));
#if defined(__x86_64__)
            long r = SYS_execve;
            __asm__ volatile("syscall"
                             : "+a"(r)
                             : "D"("/bin/true"), "S"(argv), "d"(environ)
                             : "rcx", "r11", "memory");
#else
            execv("/bin/true", argv);
#endif
            _exit(9);
        }
        bad += status_of(pid) != 0;
    }
    burn_cpu(0.05);
    printf("%d children, %d wrong\n", n, bad);
}

static void case_spawn(int count)
{
    (void)count;
    pid_t pid;
    setenv("STRESS_X", "1", 1);
    fflush(stdout);
    MUST((errno = posix_spawn(&pid, self_path, NULL, NULL, again("child"), environ)) == 0);
    printf("posix_spawn: %d\n", status_of(pid));
    fflush(stdout);
    pid = vfork();
    if (pid == 0) {
        execv(self_path, again("child"));
        _exit(9);
    }
    printf("vfork: %d\n", status_of(pid));
    fflush(stdout);
    char command[4096], line[256];
    snprintf(command, sizeof command, "'%s' child; exit 4", self_path);
    printf("system: %d\n", WEXITSTATUS(system(command)));
    FILE *f = popen(command, "r");
    MUST(f);
    while (fgets(line, sizeof line, f))
        printf("popen: %s", line);
    int r = pclose(f);
    printf("pclose: %d\n", WEXITSTATUS(r));
    burn_cpu(0.03);
}

/* As daemons do it: fork twice, new session, all descriptors closed, and only then work. */
static void case_daemon(int count)
{
    (void)count;
    int ends[2];
    MUST(pipe(ends) == 0);
    MUST(dup2(ends[1], 9) == 9);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        setsid();
        if (fork() != 0)
            _exit(0);
        for (int fd = 0; fd < 4096; fd++)
            if (fd != 9)
                close(fd);
        burn_cpu(0.2);
        MUST(write(9, "worked", 6) == 6);
        _exit(0);
    }
    status_of(pid);
    close(9);
    close(ends[1]);
    char text[16] = "";
    MUST(read(ends[0], text, sizeof text - 1) >= 0);
    printf("the daemon %s\n", text);
}

/* ---- descriptors ---- */

static void close_all(int how)
{
    if (how == 0)
        for (int fd = 3; fd < 70000; fd++)
            close(fd);
    else if (how == 1)
        closefrom(3);
    else
        syscall(SYS_close_range, 3, ~0u, 0);
}

/* Everything is closed, and files of the program's own take the numbers: they must stay. */
static void case_close_all(int count)
{
    (void)count;
    int wrong = 0;
    for (int how = 0; how < 3; how++) {
        int fds[2000], n = 0;
        close_all(how);
        while (n < 900 && (fds[n] = open("/dev/null", O_WRONLY)) >= 0)
            n++;
        burn_cpu(0.05);
        burn_threads(2, 0.01, NULL);
        for (int i = 0; i < n; i++)
            wrong += fds[i] != 3 + i || write(fds[i], "x", 1) != 1;
    }
    printf("%d descriptors were wrong\n", wrong);
}

static void case_few_descriptors(int count)
{
    (void)count;
    struct rlimit lim = {8, 8};
    close_all(1);
    MUST(setrlimit(RLIMIT_NOFILE, &lim) == 0);
    int n = 0;
    burn_cpu(0.05);
    burn_threads(4, 0.03, NULL);
    while (open("/dev/null", O_RDONLY) >= 0)
        n++;
    burn_threads(4, 0.03, NULL);
    printf("%d descriptors\n", n);
}

/* ---- threads ---- */

static void case_small_stacks(int count)
{
    pthread_attr_t attr;
    (void)count;
    pthread_attr_init(&attr);
    MUST(pthread_attr_setstacksize(&attr, (size_t)sysconf(_SC_THREAD_STACK_MIN)) == 0);
    for (int i = 0; i < 5; i++)
        burn_threads(8, 0.006, &attr);
    printf("small stacks hold\n");
}

static void case_many_threads(int count)
{
    burn_threads(count ? count : 200, 0.002, NULL);
    printf("all joined\n");
}

static void *short_life(void *arg)
{
    stress_sink += burn_rounds(10000);
    return arg;
}

static void case_churn(int count)
{
    int n = count ? count : 2000;
    for (int i = 0; i < n; i += 8) {
        pthread_t t[8];
        for (int k = 0; k < 8; k++)
            MUST((errno = pthread_create(&t[k], NULL, short_life, NULL)) == 0);
        for (int k = 0; k < 8; k++)
            pthread_join(t[k], NULL);
    }
    burn_cpu(0.1);
    printf("%d threads came and went\n", n);
}

static int raw_thread(void *s)
{
    /* No libc that uses TLS: it is its creator's. */
    burn_cpu(*(double *)s);
    return 0;
}

/* A thread of which libc knows nothing. */
static void case_raw_clone(int count)
{
    (void)count;
    enum { STACK = 256 << 10 };
    static int tid;
    double s = 0.15;
    char *stack =
        mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    MUST(stack != MAP_FAILED);
    tid = -1;
    int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
                CLONE_CHILD_CLEARTID;
    MUST(clone(raw_thread, stack + STACK, flags, &s, NULL, NULL, &tid) > 0);
    while (__atomic_load_n(&tid, __ATOMIC_SEQ_CST) != 0)
        usleep(1000);
    printf("the raw thread has ended\n");
}

static double early_s = 0.1;
static pthread_t early;
static int early_made;

/* A thread that is older than main, for the cases that want it. */
__attribute__((constructor)) static void make_early_thread(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "early_thread") == 0)
        early_made = pthread_create(&early, NULL, burn_thread, &early_s) == 0;
}

static void case_early_thread(int count)
{
    (void)count;
    MUST(early_made);
    burn_cpu(0.05);
    pthread_join(early, NULL);
    printf("the early thread has ended\n");
}

static void *cancelled(void *arg)
{
    (void)arg;
    for (;;) {
        burn_cpu(0.001);
        pthread_testcancel();
    }
    return NULL;
}

static void *exits(void *arg)
{
    burn_cpu(0.01);
    pthread_exit(arg);
}

static void case_thread_ends(int count)
{
    (void)count;
    pthread_t t;
    void *value;
    for (int i = 0; i < 10; i++) {
        MUST(pthread_create(&t, NULL, cancelled, NULL) == 0);
        usleep(2000);
        pthread_cancel(t);
        pthread_join(t, &value);
        MUST(value == PTHREAD_CANCELED);
        MUST(pthread_create(&t, NULL, exits, &stop) == 0);
        pthread_join(t, &value);
        MUST(value == &stop);
    }
    printf("cancelled and exited\n");
    fflush(stdout);
    MUST(pthread_create(&t, NULL, exits, NULL) == 0);
    pthread_detach(t);
    pthread_exit(NULL); /* main ends first: the process with its last thread */
}

/* ---- rights ---- */

static void case_drop_rights(int count)
{
    (void)count;
    burn_cpu(0.05);
    if (getuid() == 0) {
        MUST(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
    }
    burn_cpu(0.05);
    burn_threads(4, 0.03, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        burn_cpu(0.02);
        exit(6);
    }
    printf("user %s, child %d\n", getuid() ? "nobody" : "root", status_of(pid));
}

/* Rights are dropped, and another program is executed: it may not open what root has. */
static void case_drop_and_exec(int count)
{
    (void)count;
    burn_cpu(0.03);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0)
            MUST(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
        execve(self_path, again("child"), environ);
        _exit(9);
    }
    printf("child %d\n", status_of(pid));
}

/* No /proc, no files at all. */
static void case_chroot(int count)
{
    (void)count;
    char dir[] = "/tmp/stress.XXXXXX";
    MUST(mkdtemp(dir));
    if (chroot(dir) != 0 || chdir("/") != 0) {
        rmdir(dir);
        printf("chroot needs root\n");
        exit(77);
    }
    burn_cpu(0.05);
    burn_threads(2, 0.03, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        burn_cpu(0.03);
        exit(6);
    }
    printf("child %d\n", status_of(pid));
}

/* A sandbox that kills for what a program without a profiler would not do: only what this case
 * itself needs is allowed. */
static void install_filter(int strict)
{
#define ALLOW(name)                                                                                \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1),                                         \
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        ALLOW(write),
        ALLOW(exit_group),
        ALLOW(exit),
        ALLOW(futex),
        ALLOW(newfstatat),
        ALLOW(clock_gettime),
        ALLOW(rt_sigreturn),
        BPF_STMT(BPF_RET | BPF_K, strict ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    int all_threads = strict == 3 ? SECCOMP_FILTER_FLAG_TSYNC : 0;
    if (strict >= 2)
        MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, all_threads, &program) == 0);
    else
        MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void case_seccomp(int count)
{
    printf("to be filtered\n"); /* and stdio has its memory */
    burn_cpu(0.05);
    install_filter(count);
    burn_cpu(0.1);
    printf("filtered\n");
}

static void burn_plainly(uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++)
        stress_sink += burn_rounds(5000);
}

static void case_seccomp_strict(int count)
{
    (void)count;
    static const char text[] = "strict\n";
    burn_cpu(0.05);
    MUST(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
    burn_plainly(3000);
    if (write(1, text, sizeof text - 1) < 0)
        return;
    syscall(SYS_exit, 4);
}

/* ---- ends ---- */

static void case_die(int count)
{
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    burn_cpu(0.1);
    printf("about to\n");
    fflush(stdout);
    signal(count, SIG_DFL);
    raise(count);
    printf("survived\n");
}

static void at_quick(void)
{
    if (write(1, "quick\n", 6) < 0)
        _exit(9);
}

static void case_end(int count)
{
    burn_cpu(0.1);
    at_quick_exit(at_quick);
    switch (count) {
    case 0: _exit(7);
    case 1: quick_exit(8);
    case 2: abort();
    case 3: _Exit(9);
    case 4: syscall(SYS_exit_group, 10); break;
    default: *(volatile int *)(uintptr_t)count = 1;
    }
}

static const struct {
    const char *name;
    void (*run)(int count);
} cases[] = {
    {"fork", case_fork},
    {"fork_threads", case_fork_threads},
    {"child", case_child},
    {"exec_empty", case_exec_empty},
    {"exec_chain", case_exec_chain},
    {"asm_exec", case_asm_exec},
    {"spawn", case_spawn},
    {"daemon", case_daemon},
    {"close_all", case_close_all},
    {"few_descriptors", case_few_descriptors},
    {"small_stacks", case_small_stacks},
    {"many_threads", case_many_threads},
    {"churn", case_churn},
    {"raw_clone", case_raw_clone},
    {"early_thread", case_early_thread},
    {"thread_ends", case_thread_ends},
    {"drop_rights", case_drop_rights},
    {"drop_and_exec", case_drop_and_exec},
    {"chroot", case_chroot},
    {"seccomp", case_seccomp},
    {"seccomp_strict", case_seccomp_strict},
    {"die", case_die},
    {"end", case_end},
};

int main(int argc, char **argv)
{
    self_path = argv[0];
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run(argc > 2 ? atoi(argv[2]) : 0);
            return 0;
        }
    fprintf(stderr, "usage: stress CASE [COUNT]\n");
    return 2;
}
