/* SPDX-License-Identifier: MIT
 *
 * Everything at once, for a long time: chaos CASE COUNT [FILE…]. What the stress programs do to one
 * kind of profile, with all of them on: processes made while other threads allocate, lock, load,
 * throw and wait; threads by the thousand; memory and descriptors that are not to be had. Each case
 * checks itself and prints what it saw, which must be the same under strobe. */
#include "stress.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int stop;
static char *const *files; /* the arguments behind COUNT */
static int file_count;

static int is_running(void)
{
    return !__atomic_load_n(&stop, __ATOMIC_RELAXED);
}

/* ---- what other threads do meanwhile ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

KEEP static void *churn_memory(void *arg)
{
    unsigned seed = 7;
    (void)arg;
    while (is_running()) {
        void *p[64];
        for (int i = 0; i < 64; i++) {
            seed = seed * 1103515245 + 12345;
            p[i] = malloc(seed >> 16 & 4095);
            if (i % 16 == 0)
                p[i] = realloc(p[i], 10000);
        }
        for (int i = 0; i < 64; i++)
            free(p[i]);
    }
    return NULL;
}

KEEP static void *churn_locks(void *arg)
{
    (void)arg;
    while (is_running()) {
        struct timespec t;
        pthread_mutex_lock(&mutex);
        clock_gettime(CLOCK_REALTIME, &t);
        t.tv_nsec += t.tv_nsec < 999000000 ? 100000 : 0;
        pthread_cond_timedwait(&condition, &mutex, &t);
        pthread_mutex_unlock(&mutex);
        pthread_cond_broadcast(&condition);
    }
    return NULL;
}

static void leave(void *arg)
{
    (*(volatile int *)arg)++;
}

/* Ends by unwinding, as an exception does. */
KEEP static void *ends_thrown(void *arg)
{
    volatile int left = 0;
    pthread_cleanup_push(leave, (void *)&left);
    free(malloc(100));
    pthread_exit(arg);
    pthread_cleanup_pop(1);
    return NULL;
}

KEEP static void *churn_threads(void *arg)
{
    (void)arg;
    while (is_running()) {
        pthread_t t;
        if (pthread_create(&t, NULL, ends_thrown, NULL) == 0)
            pthread_join(t, NULL);
    }
    return NULL;
}

KEEP static void *churn_modules(void *arg)
{
    (void)arg;
    for (int i = 0; is_running() && file_count; i++) {
        void *handle = dlopen(files[i % file_count], RTLD_NOW);
        void (*run)(uint64_t) = NULL;
        if (handle)
            *(void **)&run = dlsym(handle, "plugin_run");
        if (run)
            run(20000);
        if (handle)
            dlclose(handle);
    }
    return NULL;
}

static void start(pthread_t *t, void *(*run)(void *))
{
    MUST((errno = pthread_create(t, NULL, run, NULL)) == 0);
}

/* ---- processes ---- */

static int wait_for(pid_t pid)
{
    int status;
    MUST(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* A child that hangs is killed by its alarm, and counted as wrong. */
KEEP static void be_child(int i)
{
    alarm(60);
    for (int k = 0; k < 20; k++)
        free(malloc((size_t)k * 100 + 1));
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    pthread_mutex_unlock(&own);
    if (i % 32 == 2 && fork() == 0)
        _exit(0);
    if (i % 16 == 3) {
        execl("/proc/self/exe", "chaos", "exit", "7", NULL);
        _exit(99);
    }
    if (i % 16 == 4 && !file_count) /* else the loader's lock may be a thread's that is not here */
        exit(7);
    if (i % 16 == 5)
        raise(SIGTERM);
    _exit(7);
}

static void case_forks(int count)
{
    enum { THREADS = 5 };
    static void *(*const runs[THREADS])(void *) = {churn_memory, churn_memory, churn_locks,
                                                   churn_threads, churn_modules};
    pthread_t t[THREADS];
    int wrong = 0;
    for (int i = 0; i < THREADS; i++)
        start(&t[i], runs[i]);
    for (int i = 0; i < count; i++) {
        fflush(stdout);
        pid_t pid = fork();
        MUST(pid >= 0);
        if (pid == 0)
            be_child(i);
        int status = wait_for(pid);
        if (status != (i % 16 == 5 ? 128 + SIGTERM : 7)) {
            fprintf(stderr, "chaos: child %d: status %d\n", i, status);
            wrong++;
        }
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    printf("%d children, %d wrong\n", count, wrong);
}

/* Each process forks the next, and ends: what one leaves behind, all that come after it have. */
static void case_generations(int count)
{
    int pipes[2];
    char byte;
    MUST(pipe(pipes) == 0);
    fflush(stdout);
    pid_t first = fork();
    MUST(first >= 0);
    for (int i = 0; first == 0 && i < count; i++) {
        alarm(60);
        for (int k = 0; k < 50; k++)
            free(malloc(1000));
        pid_t pid = fork();
        MUST(pid >= 0);
        if (pid)
            _exit(0);
    }
    if (first == 0) {
        struct rlimit limit;
        FILE *f = fopen("/proc/self/statm", "r");
        long pages = 0;
        MUST(f && fscanf(f, "%ld", &pages) == 1);
        getrlimit(RLIMIT_AS, &limit);
        fprintf(stderr, "address space of the last: %ld MiB\n", pages / 256);
        MUST(write(pipes[1], "x", 1) == 1);
        _exit(0);
    }
    close(pipes[1]);
    wait_for(first);
    long n = read(pipes[0], &byte, 1);
    printf("%d generations, the last %s\n", count, n == 1 ? "ended well" : "is missing");
}

/* ---- threads ---- */

static unsigned (*push)(const char *, const char *);
static void (*pop)(unsigned);

static void find_labels(void)
{
    *(void **)&push = dlsym(RTLD_DEFAULT, "strobe_label_push");
    *(void **)&pop = dlsym(RTLD_DEFAULT, "strobe_label_pop");
}

KEEP static void *live_shortly(void *arg)
{
    char value[16];
    long i = (long)arg;
    snprintf(value, sizeof value, "%ld", i % 50);
    unsigned before = push ? push("batch", value) : 0;
    void *p = malloc((size_t)(i % 1000) + 1);
    pthread_mutex_lock(&mutex);
    stress_sink += burn_rounds(200);
    pthread_mutex_unlock(&mutex);
    if (i % 64 == 0)
        usleep(100);
    free(p);
    if (pop)
        pop(before);
    if (i % 7 == 0)
        pthread_exit(NULL);
    return NULL;
}

static int count_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 4096; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static long resident_kib(void)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    MUST(f && fscanf(f, "%ld %ld", &pages, &resident) == 2);
    fclose(f);
    return resident * 4;
}

static void case_threads(int count)
{
    enum { AT_ONCE = 16 };
    pthread_t t[AT_ONCE];
    int before = 0, made = 0;
    long kib = 0;
    find_labels();
    while (made < count) {
        for (long i = 0; i < AT_ONCE; i++)
            MUST((errno = pthread_create(&t[i], NULL, live_shortly, (void *)(made + i))) == 0);
        for (int i = 0; i < AT_ONCE; i++)
            pthread_join(t[i], NULL);
        made += AT_ONCE;
        if (made == count / 10 / AT_ONCE * AT_ONCE) {
            before = count_descriptors();
            kib = resident_kib();
        }
    }
    fprintf(stderr, "resident: %ld KiB after a tenth, %ld KiB at the end\n", kib, resident_kib());
    /* A clock that looks at a thread may have one for a moment. */
    for (int i = 0; count_descriptors() > before && i < 500; i++)
        usleep(10000);
    printf("%d threads, %s descriptors\n", made, count_descriptors() > before ? "more" : "no more");
}

/* ---- memory ---- */

KEEP static void *at_depth(unsigned path, int depth, size_t size);

#define TURN(n)                                                                                    \
    KEEP static void *turn_##n(unsigned path, int depth, size_t size)                              \
    {                                                                                              \
        void *p = at_depth(path / 10, depth - 1, size);                                            \
        stress_sink += n;                                                                          \
        return p;                                                                                  \
    }                                                                                              \
    _Static_assert(1, "")
TURN(0);
TURN(1);
TURN(2);
TURN(3);
TURN(4);
TURN(5);
TURN(6);
TURN(7);
TURN(8);
TURN(9);

/* Ten ways at each step: `depth` 5 is 100,000 stacks. */
KEEP static void *at_depth(unsigned path, int depth, size_t size)
{
    static void *(*const turns[])(unsigned, int, size_t) = {turn_0, turn_1, turn_2, turn_3, turn_4,
                                                            turn_5, turn_6, turn_7, turn_8, turn_9};
    void *p = depth ? turns[path % 10](path, depth, size) : malloc(size);
    stress_sink++;
    return p;
}

/* `count` allocations from 100,000 stacks, each of which is freed again but for the last. */
static void case_stacks(int count)
{
    enum { KEPT = 1000 };
    static void *kept[KEPT];
    long kib = 0;
    for (int i = 0; i < count; i++) {
        void **to = &kept[(unsigned)i * 7919u % KEPT];
        free(*to);
        *to = at_depth((unsigned)i * 2654435761u % 100000, 5, (size_t)i % 300 + 1);
        MUST(*to);
        if (i == count / 2)
            kib = resident_kib();
    }
    fprintf(stderr, "resident: %ld KiB half way, %ld KiB at the end\n", kib, resident_kib());
    printf("%d allocations\n", count);
    fflush(stdout);
    if (file_count) /* until somebody has looked */
        for (int i = 0; access(files[0], F_OK) != 0 && i < 6000; i++)
            usleep(10000);
}

static void *use_some(void *arg)
{
    void *p = malloc(5000);
    (void)arg;
    stress_sink += burn_rounds(1000);
    free(p);
    return NULL;
}

/* A program that gets along with what memory there is: what it prints does not depend on that. */
static void case_short_of_memory(int count)
{
    int wrong = 0;
    for (int i = 0; i < count; i++) {
        size_t n = (size_t)1 << (i % 22);
        char *p = malloc(n);
        if (!p)
            continue;
        memset(p, i, n);
        char *q = realloc(p, n * 2);
        p = q ? q : p;
        wrong += p[n - 1] != (char)i;
        free(p);
        pthread_t t;
        if (i % 16 == 0 && pthread_create(&t, NULL, use_some, NULL) == 0)
            pthread_join(t, NULL);
        if (i % 64 == 1) {
            fflush(stdout);
            pid_t pid = fork();
            if (pid == 0)
                _exit(use_some(NULL) != NULL);
            wrong += pid > 0 && wait_for(pid) != 0;
        }
    }
    printf("%d rounds, %d wrong\n", count, wrong);
}

/* ---- modules ---- */

/* One after the other at the same place. */
static void case_modules(int count)
{
    void *places[2] = {NULL, NULL};
    int same = 0;
    for (int i = 0; i < count; i++) {
        void (*run)(uint64_t);
        void *handle = dlopen(files[i % file_count], RTLD_NOW);
        MUST(handle);
        *(void **)&run = dlsym(handle, "plugin_run");
        MUST(run);
        run(i % file_count ? 30000 : 10000);
        places[i % 2] = *(void **)&run;
        same += i && places[0] == places[1];
        dlclose(handle);
    }
    fprintf(stderr, "%d of %d times at the same place\n", same, count);
    printf("%d times loaded\n", count);
}

/* ---- descriptors ---- */

/* Its files have what it wrote, and nothing else, whatever numbers they have. */
static void case_files(int count)
{
    char path[] = "/tmp/chaos.XXXXXX", name[64];
    int wrong = 0;
    MUST(mkdtemp(path));
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s/%d", path, i);
        int fd = open(name, O_RDWR | O_CREAT, 0600);
        MUST(fd >= 0);
        wrong += write(fd, "mine", 4) != 4;
    }
    burn_cpu(0.05);
    free(malloc(3000000));
    int out = open(files[0], O_WRONLY | O_CREAT | O_APPEND, 0600);
    for (int i = 0; i < count; i++) {
        struct stat st;
        snprintf(name, sizeof name, "%s/%d", path, i);
        wrong += stat(name, &st) != 0 || st.st_size != 4;
    }
    MUST(dprintf(out, "%s\n", path) > 0 && dprintf(out, "%d files, %d wrong\n", count, wrong) > 0);
    close(out);
    /* They stay until after the end: what is written then, is seen by who looks. */
}

static void case_close_loop(int count)
{
    int wrong = 0;
    for (int i = 0; i < count; i++) {
        for (int fd = 3; fd < 2048; fd++)
            close(fd);
        int fd = open("/dev/null", O_WRONLY);
        wrong += fd != 3;
        free(malloc(100000));
        burn_cpu(0.002);
    }
    printf("%d times all closed, %d wrong\n", count, wrong);
    fflush(stdout);
    if (file_count)
        for (int i = 0; access(files[0], F_OK) != 0 && i < 6000; i++)
            usleep(10000);
}

/* ---- signals ---- */

static volatile sig_atomic_t ticks;

static void on_signal(int sig)
{
    (void)sig;
    int saved = errno;
    ticks++;
    errno = saved;
}

static void case_signals(int count)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 1000}, {0, 1000}};
    pthread_t t[4];
    int failed = 0;
    sigaction(SIGALRM, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    sigaction(SIGURG, &act, NULL);
    MUST(setitimer(ITIMER_REAL, &every, NULL) == 0);
    start(&t[0], churn_memory);
    start(&t[1], churn_locks);
    start(&t[2], churn_threads);
    start(&t[3], churn_modules);
    for (int i = 0; i < count; i++) {
        pthread_kill(t[i % 4], i % 2 ? SIGUSR1 : SIGURG);
        struct stat st;
        failed += stat("/", &st) != 0;
        if (i % 8 == 0)
            usleep(100);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    printf("%d signals, %d failed, handled: %s\n", count, failed, ticks ? "yes" : "no");
}

static void case_exit(int count)
{
    free(malloc(100));
    _exit(count);
}

static const struct {
    const char *name;
    void (*run)(int count);
} cases[] = {
    {"forks", case_forks},     {"generations", case_generations}, {"threads", case_threads},
    {"stacks", case_stacks},   {"memory", case_short_of_memory},  {"files", case_files},
    {"modules", case_modules}, {"close", case_close_loop},        {"signals", case_signals},
    {"exit", case_exit},
};

int main(int argc, char **argv)
{
    files = argv + 3;
    file_count = argc > 3 ? argc - 3 : 0;
    for (size_t i = 0; argc > 2 && i < sizeof cases / sizeof *cases; i++)
        if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run(atoi(argv[2]));
            return 0;
        }
    fprintf(stderr, "usage: chaos CASE COUNT [FILE…]\n");
    return 2;
}
