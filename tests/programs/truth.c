/* SPDX-License-Identifier: MIT
 *
 * A program that knows where its CPU time went. Its one body is built many ways (meson.build); each
 * mode burns CPU in functions whose shares it measures itself on the thread's own CPU clock, and
 * prints as "truth FUNCTION NANOSECONDS". A profile of it must say the same. It may use nothing of
 * strobe: what is tested is a program that does not know of it.
 *
 * usage: truth MODE MILLISECONDS [COUNT], the modes are in the table at the end. */
#include <alloca.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A function that stays one: not inlined, not cloned, not merged with one like it; and a call of it
 * that is made each time, because OPAQUE may do anything. */
#define OPAQUE() __asm__ volatile("" ::: "memory")
#if defined(__clang__)
#define KEEP __attribute__((noinline))
#else
#define KEEP __attribute__((noipa))
#endif

enum { FUNCTIONS = 3, SLICE_ROUNDS = 40000, DEPTH = 300 };

static const char *const names[FUNCTIONS] = {"burn_one", "burn_two", "burn_four"};

/* Where threads and children add up what they did; shared with children. */
struct truth {
    int64_t ns[FUNCTIONS];
    int64_t mode_ns; /* of the one function that the mode is about */
    uint64_t sink;
};

static struct truth *truth;

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t thread_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static void add(int64_t *sum, int64_t ns)
{
    __atomic_fetch_add(sum, ns, __ATOMIC_RELAXED);
}

static void swallow(uint64_t x)
{
    __atomic_fetch_add(&truth->sink, x, __ATOMIC_RELAXED);
}

static uint64_t scramble(uint64_t x, uint64_t odd)
{
    x ^= x >> 29;
    return x * odd + 1;
}

KEEP static uint64_t burn_one(uint64_t rounds)
{
    OPAQUE();
    uint64_t x = 1;
    for (uint64_t i = 0; i < rounds; i++)
        x = scramble(x, 0x9e3779b97f4a7c15);
    return x;
}

KEEP static uint64_t burn_two(uint64_t rounds)
{
    OPAQUE();
    uint64_t x = 2;
    for (uint64_t i = 0; i < rounds; i++)
        x = scramble(x, 0xbf58476d1ce4e5b9);
    return x;
}

KEEP static uint64_t burn_four(uint64_t rounds)
{
    OPAQUE();
    uint64_t x = 4;
    for (uint64_t i = 0; i < rounds; i++)
        x = scramble(x, 0x94d049bb133111eb);
    return x;
}

static uint64_t (*const burners[FUNCTIONS])(uint64_t) = {burn_one, burn_two, burn_four};

/* CPU in the ratio 1:2:4 until the calling thread has used `ns` of it. The rounds' lengths vary by
 * chance, so that no period of ours can beat with the sampler's. */
KEEP static uint64_t burn_in_ratio(int64_t ns)
{
    OPAQUE();
    int64_t now = thread_ns(), end = now + ns;
    uint64_t x = (uint64_t)now;
    while (now < end) {
        x = scramble(x, 0x9e3779b97f4a7c15);
        uint64_t rounds = SLICE_ROUNDS / 2 + (x >> 32) % SLICE_ROUNDS;
        for (int i = 0; i < FUNCTIONS; i++) {
            x ^= burners[i](rounds << i);
            int64_t then = now;
            now = thread_ns();
            add(&truth->ns[i], now - then);
        }
    }
    return x;
}

/* ---- modes ---------------------------------------------------------------------------------- */

static void mode_ratio(int64_t ns, int count)
{
    (void)count;
    swallow(burn_in_ratio(ns));
}

KEEP static uint64_t descend(int depth, int64_t ns)
{
    uint64_t x = depth > 1 ? descend(depth - 1, ns) : burn_in_ratio(ns);
    return scramble(x, (uint64_t)depth); /* after the call, so that this frame stays */
}

static void mode_recursion(int64_t ns, int count)
{
    (void)count;
    swallow(descend(DEPTH, ns));
}

/* A frame whose size no table knows: it can be unwound only through a saved frame pointer. */
KEEP static uint64_t with_alloca(size_t size, int64_t ns)
{
    volatile char *p = alloca(size);
    p[0] = p[size - 1] = 1;
    uint64_t x = burn_in_ratio(ns);
    return x + (uint64_t)p[0] + (uint64_t)p[size - 1];
}

static void mode_alloca(int64_t ns, int count)
{
    (void)count;
    for (size_t i = 1; i <= 20; i++)
        swallow(with_alloca(i * 1000, ns / 20));
}

/* From -O2 on, these are jumps: the caller's frame is gone when the next one runs. */
KEEP static uint64_t tail_third(int64_t ns)
{
    return burn_in_ratio(ns) + 1;
}

KEEP static uint64_t tail_second(int64_t ns)
{
    return tail_third(ns);
}

KEEP static uint64_t tail_first(int64_t ns)
{
    return tail_second(ns);
}

static void mode_tail(int64_t ns, int count)
{
    (void)count;
    swallow(tail_first(ns));
}

static void must(int failed, const char *what)
{
    if (failed) {
        fprintf(stderr, "truth: %s failed\n", what);
        exit(3);
    }
}

static void *thread_body(void *ns)
{
    swallow(burn_in_ratio(*(int64_t *)ns));
    return NULL;
}

static void mode_threads(int64_t ns, int count)
{
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    must(!threads, "calloc");
    int64_t each = ns / count;
    for (int i = 0; i < count; i++)
        must(pthread_create(&threads[i], NULL, thread_body, &each), "pthread_create");
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

/* Work so short that it must be counted in proportion: most of it ends before its first sample. */
KEEP static uint64_t burn_briefly(int64_t ns)
{
    uint64_t x = 0;
    int64_t start = thread_ns(), now = start;
    while (now - start < ns) {
        x ^= burn_one(SLICE_ROUNDS / 4);
        now = thread_ns();
    }
    add(&truth->mode_ns, now - start);
    return x;
}

static void *brief_body(void *ns)
{
    swallow(burn_briefly(*(int64_t *)ns));
    return NULL;
}

enum { AT_ONCE = 4 };

static void mode_brief_threads(int64_t ns, int count)
{
    pthread_t threads[AT_ONCE];
    int64_t each = ns / count;
    for (int done = 0; done < count; done += AT_ONCE) {
        int n = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (int i = 0; i < n; i++)
            must(pthread_create(&threads[i], NULL, brief_body, &each), "pthread_create");
        for (int i = 0; i < n; i++)
            pthread_join(threads[i], NULL);
    }
}

static void mode_brief_children(int64_t ns, int count)
{
    int64_t each = ns / count;
    for (int done = 0; done < count; done += AT_ONCE) {
        int n = count - done < AT_ONCE ? count - done : AT_ONCE;
        for (int i = 0; i < n; i++) {
            pid_t pid = fork();
            must(pid < 0, "fork");
            if (pid == 0) {
                swallow(burn_briefly(each));
                _exit(0);
            }
        }
        for (int i = 0; i < n; i++)
            must(wait(NULL) < 0, "wait");
    }
}

/* ---- main ----------------------------------------------------------------------------------- */

static const struct mode {
    const char *name;
    void (*run)(int64_t ns, int count);
    const char *function; /* the one it is about, NULL: the three of the ratio */
} modes[] = {
    {"ratio", mode_ratio, NULL},
    {"recursion", mode_recursion, NULL},
    {"alloca", mode_alloca, NULL},
    {"tail", mode_tail, NULL},
    {"threads", mode_threads, NULL},
    {"brief-threads", mode_brief_threads, "burn_briefly"},
    {"brief-children", mode_brief_children, "burn_briefly"},
};

static int64_t children_ns(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return ((int64_t)u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000000 +
           ((int64_t)u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static void print_truth(const struct mode *mode)
{
    for (int i = 0; i < FUNCTIONS && !mode->function; i++)
        printf("truth %s %lld\n", names[i], (long long)truth->ns[i]);
    if (mode->function)
        printf("truth %s %lld\n", mode->function, (long long)truth->mode_ns);
    printf("total %lld\n", (long long)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) + children_ns()));
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: truth MODE MILLISECONDS [COUNT]\n");
        return 2;
    }
    truth = mmap(NULL, sizeof *truth, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    must(truth == MAP_FAILED, "mmap");
    int count = argc > 3 ? atoi(argv[3]) : 0;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(argv[1], modes[i].name) == 0) {
            modes[i].run(atoll(argv[2]) * 1000000, count);
            printf("tasks %d\n", count + 1);
            print_truth(&modes[i]);
            return 0;
        }
    fprintf(stderr, "truth: there is no mode %s\n", argv[1]);
    return 2;
}
