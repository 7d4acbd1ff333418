/* SPDX-License-Identifier: MIT
 *
 * allocators HOW [PLUGIN]: allocates, goes on to another life as HOW says, and allocates in both.
 * The objects hold what was put there, or it says which did not. Built with the C library's
 * allocator, with jemalloc's further calls (JEMALLOC) and with an allocator of its own that has
 * only the four classic functions (OWN). With a plugin, objects are also made there and freed here,
 * and the other way round. `by_parent` and `by_child` are where each side allocates. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KNOWN __attribute__((noipa))

enum { OBJECTS = 400, ROUNDS = 40 };

extern char **environ;
static void *(*plugin_make)(size_t n) = NULL;
static void (*plugin_drop)(void *p) = NULL;
static volatile int broken;

#ifdef JEMALLOC
void *mallocx(size_t n, int flags);
void *rallocx(void *p, size_t n, int flags);
size_t xallocx(void *p, size_t n, size_t extra, int flags);
size_t sallocx(const void *p, int flags);
size_t nallocx(size_t n, int flags);
void dallocx(void *p, int flags);
void sdallocx(void *p, size_t n, int flags);
#endif

#ifdef OWN
/* An arena that is given out once; what is freed is marked, and what it never gave is noticed. */
struct head {
    size_t bytes;
    uint64_t mark;
};
static unsigned char arena[256 << 20] __attribute__((aligned(16)));
static size_t arena_used;
static const uint64_t LIVE = 0x6c697665, FREED = 0x6672656564;

void *malloc(size_t n)
{
    size_t whole = (sizeof(struct head) + n + 15) & ~(size_t)15;
    size_t at = arena_used;
    while (!__atomic_compare_exchange_n(&arena_used, &at, at + whole, 0, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST))
        ;
    if (at + whole > sizeof arena)
        return NULL;
    struct head *h = (struct head *)(arena + at);
    *h = (struct head){n, LIVE};
    return h + 1;
}

void free(void *p)
{
    struct head *h = (struct head *)p - 1;
    if (!p)
        return;
    if ((unsigned char *)p < arena || (unsigned char *)p >= arena + sizeof arena ||
        h->mark != LIVE) {
        static const char text[] = "an object that is not mine\n";
        (void)!write(1, text, sizeof text - 1);
        _exit(3);
    }
    h->mark = FREED;
}

void *calloc(size_t n, size_t size)
{
    return malloc(n * size); /* the arena is zero */
}

void *realloc(void *p, size_t n)
{
    void *q = malloc(n);
    size_t had = p ? ((struct head *)p - 1)->bytes : 0;
    if (q && p)
        memcpy(q, p, had < n ? had : n);
    free(p);
    return q;
}
#endif

static void fill(unsigned char *p, size_t n)
{
    for (size_t i = 0; p && i < n; i++)
        p[i] = (unsigned char)(n + i);
}

static void look(const unsigned char *p, size_t n, const char *what)
{
    for (size_t i = 0; p && i < n; i++)
        if (p[i] != (unsigned char)(n + i)) {
            broken = 1;
            (void)!write(1, what, strlen(what));
            return;
        }
}

/* One object by one of the ways there are; all are freed by one of the ways, too. */
static unsigned char *make(int i, size_t n)
{
    if (plugin_make && i % 5 == 4)
        return plugin_make(n);
#ifdef JEMALLOC
    if (i % 4 == 1)
        return mallocx(n, 0);
    if (i % 4 == 2)
        return rallocx(malloc(n / 2 + 1), n, 0);
#endif
    return i % 3 ? malloc(n) : realloc(malloc(n / 2 + 1), n);
}

static void drop(int i, unsigned char *p, size_t n)
{
    (void)n;
    if (plugin_drop && i % 3 == 2) {
        plugin_drop(p);
        return;
    }
#ifdef JEMALLOC
    if (p && sallocx(p, 0) < n)
        broken = 1;
    if (p && i % 5 == 1) {
        sdallocx(p, n, 0);
        return;
    }
    if (p && i % 5 == 2) {
        dallocx(p, 0);
        return;
    }
    if (p && i % 5 == 3)
        xallocx(p, n, 0, 0);
#endif
    free(p);
}

static void work(void)
{
    static unsigned char *kept[OBJECTS];
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < OBJECTS; i++) {
            size_t n = (size_t)(16 + (i * 37 + round * 11) % 600);
            fill(kept[i] = make(i, n), n);
        }
        for (int i = 0; i < OBJECTS; i++) {
            size_t n = (size_t)(16 + (i * 37 + round * 11) % 600);
            look(kept[i], n, "an object has changed\n");
            drop(i + round, kept[i], n);
        }
    }
}

KNOWN static void by_parent(void)
{
    work();
    __asm__ volatile("" ::: "memory");
}

KNOWN static void by_child(void)
{
    work();
    __asm__ volatile("" ::: "memory");
}

/* ---- the other life ---- */

static int wait_for(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    by_parent();
    return status || broken;
}

static int child(pid_t pid)
{
    if (pid < 0)
        return 2;
    if (pid > 0)
        return wait_for(pid);
    by_child();
    exit(broken);
}

static int spawned(char **argv, int by_vfork)
{
    char *again[] = {argv[0], "child", argv[2], NULL};
    pid_t pid = -1;
    if (!by_vfork) {
        if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, again, environ) != 0)
            return 2;
    } else if ((pid = vfork()) == 0) {
        execve("/proc/self/exe", again, environ);
        _exit(127);
    }
    return wait_for(pid);
}

/* Until nothing is left, and back again; what cannot be had is NULL, and nothing else happens. */
static int limited(void)
{
    struct rlimit limit = {0, 0};
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld", &pages) != 1)
        return 2;
    fclose(f);
    for (long more = 0; more < 64; more += 7) {
        limit.rlim_cur = (rlim_t)(pages * 4096 + more * 65536);
        limit.rlim_max = RLIM_INFINITY;
        setrlimit(RLIMIT_AS, &limit);
        by_parent();
        static void *large[512];
        int n = 0;
        while (n < 512 && (large[n] = malloc(200000)))
            n++;
        while (n > 0)
            free(large[--n]);
    }
    by_parent();
    return broken;
}

static int filtered(int how)
{
    struct sock_filter refuse[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_brk, 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_mmap, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_munmap, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_madvise, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_write, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, how ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof refuse / sizeof *refuse, refuse};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
        return 2;
    by_parent();
    (void)!write(1, "filtered\n", 9);
    _exit(broken);
}

/* Only read, write, _exit and sigreturn are left, so that memory must be there already. */
static int strict(void)
{
    by_parent();
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
        return 2;
    for (int i = 0; i < 1000; i++)
        free(malloc(100));
    (void)!write(1, "strict\n", 7);
    syscall(SYS_exit, broken);
    return 2;
}

static int live_on(char **argv)
{
    const char *how = argv[1];
    if (!strcmp(how, "fork"))
        return child(fork());
    if (!strcmp(how, "_Fork"))
        return child(_Fork());
    if (!strcmp(how, "clone"))
        return child((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
    if (!strcmp(how, "vfork") || !strcmp(how, "spawn"))
        return spawned(argv, how[0] == 'v');
    if (!strcmp(how, "child")) {
        by_child();
        return broken;
    }
    if (!strcmp(how, "limit"))
        return limited();
    if (!strcmp(how, "filter") || !strcmp(how, "kill"))
        return filtered(how[0] == 'k');
    return !strcmp(how, "strict") ? strict() : wait_for(-1);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    if (argc > 2 && argv[2]) {
        void *plugin = dlopen(argv[2], RTLD_NOW | RTLD_DEEPBIND);
        if (!plugin) {
            puts(dlerror());
            return 2;
        }
        *(void **)&plugin_make = dlsym(plugin, "plugin_make");
        *(void **)&plugin_drop = dlsym(plugin, "plugin_drop");
    }
    by_parent();
    int failed = live_on(argv);
    puts(failed ? "failed" : "ok");
    return failed;
}
