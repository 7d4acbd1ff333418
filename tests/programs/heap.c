/* SPDX-License-Identifier: MIT
 *
 * Programs for the tests of heap profiles: heap MODE [N]. `truth` allocates known amounts from
 * known functions, objects of one size from each, and prints them, one function a line: its name,
 * objects and bytes allocated, objects and bytes in use at the end. The other modes are the places
 * where allocation profilers break; each prints "ok" when its memory held what it put there. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define KNOWN __attribute__((noinline, noclone, used))

enum { OBJECTS_MAX = 200000 };

static void *kept[OBJECTS_MAX];
static volatile uintptr_t sum;

static void *use(void *p, size_t n)
{
    if (!p) {
        puts("out of memory");
        exit(1);
    }
    memset(p, 1, n);
    return p;
}

/* ---- known amounts ---- */

KNOWN static void *small(size_t n)
{
    void *p = use(malloc(n), n);
    __asm__ volatile("" ::: "memory");
    return p;
}

KNOWN static void *cleared(size_t n)
{
    void *p = calloc(1, n);
    for (size_t i = 0; i < n; i++)
        sum += ((unsigned char *)p)[i];
    return use(p, n);
}

KNOWN static void *aligned(size_t n)
{
    void *p = NULL;
    if (posix_memalign(&p, 64, n) != 0 || (uintptr_t)p % 64)
        exit(1);
    return use(p, n);
}

KNOWN static void *grown(void *p, size_t n)
{
    p = realloc(p, n);
    __asm__ volatile("" ::: "memory");
    return use(p, n);
}

KNOWN static void *duplicated(const char *text)
{
    char *p = strdup(text);
    return use(p, strlen(text) + 1);
}

static void say(const char *name, long objects, long bytes, long live, long live_bytes)
{
    printf("%s %ld %ld %ld %ld\n", name, objects, bytes, live, live_bytes);
}

static int truth(long n)
{
    static char text[100];
    long bytes = 0, live = 0, at = 0;
    for (long i = 0; i < n; i++) { /* every second one stays */
        void *p = small(48);
        bytes += 48;
        if (i % 2) {
            kept[at++] = p;
            live += 48;
        } else {
            free(p);
        }
    }
    say("small", n, bytes, n / 2, live);
    for (long i = 0; i < n; i++)
        free(cleared(1000));
    say("cleared", n, n * 1000, 0, 0);
    for (long i = 0; i < n / 10; i++)
        kept[at++] = aligned(5000);
    say("aligned", n / 10, n / 10 * 5000, n / 10, n / 10 * 5000);
    void *p = NULL;
    bytes = 0;
    for (long i = 1; i <= n / 10; i++) {
        p = grown(p, 1000);
        bytes += 1000;
    }
    say("grown", n / 10, bytes, 1, 1000);
    memset(text, 'x', sizeof text - 1);
    for (long i = 0; i < n / 10; i++)
        kept[at++] = duplicated(text);
    say("duplicated", n / 10, n / 10 * 100, n / 10, n / 10 * 100);
    kept[at] = p;
    return 0;
}

/* ---- every function, with memory that is what it should be ---- */

static int functions(long n)
{
    size_t page = 4096;
    for (long i = 0; i < n; i++) {
        size_t size = (size_t)(i * 37 % 5000) + 1;
        void *list[] = {malloc(size),
                        calloc(size, 3),
                        memalign(256, size),
                        aligned_alloc(64, (size + 63) & ~63u),
                        valloc(size),
                        pvalloc(size),
                        reallocarray(NULL, size, 2),
                        strndup("abcdefghijklmnop", size % 16)};
        if ((uintptr_t)list[2] % 256 || (uintptr_t)list[3] % 64 || (uintptr_t)list[4] % page ||
            (uintptr_t)list[5] % page)
            return puts("not aligned"), 1;
        for (size_t k = 0; k < sizeof list / sizeof *list; k++) {
            size_t room = malloc_usable_size(list[k]);
            if (room < size && k != 7)
                return puts("too small"), 1;
            memset(list[k], (int)k, room);
            list[k] = realloc(list[k], room * 2 + 1);
            for (size_t b = 0; b < room; b++)
                if (((unsigned char *)list[k])[b] != k)
                    return puts("realloc lost something"), 1;
            free(list[k]);
        }
    }
    void *p;
    errno = 0;
    volatile size_t huge = SIZE_MAX / 2;
    if (malloc(huge) || calloc(huge, 4) || reallocarray(NULL, huge, 4) || errno != ENOMEM)
        return puts("no ENOMEM"), 1;
    volatile size_t odd = 24;
    if (posix_memalign(&p, odd, 8) != EINVAL)
        return puts("no EINVAL"), 1;
    free(NULL);
    free(malloc(0));
    free(calloc(0, 8));
    free(realloc(malloc(10), 0));
    puts("ok");
    return 0;
}

/* ---- threads ---- */

static void *churn(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    unsigned char *mine[64] = {0};
    size_t size[64] = {0};
    for (int i = 0; i < 20000; i++) {
        unsigned k = (unsigned)rand_r(&seed) % 64;
        for (size_t b = 0; b < size[k]; b += 64)
            if (mine[k][b] != (unsigned char)k)
                abort();
        free(mine[k]);
        size[k] = (unsigned)rand_r(&seed) % (i % 100 ? 500 : 300000);
        mine[k] = malloc(size[k]);
        if (!mine[k])
            abort();
        memset(mine[k], (int)k, size[k]);
    }
    for (int k = 0; k < 64; k++)
        free(mine[k]);
    return NULL;
}

static int threads(long n)
{
    pthread_t t[64];
    for (long i = 0; i < n && i < 64; i++)
        pthread_create(&t[i], NULL, churn, (void *)(i + 1));
    for (long i = 0; i < n && i < 64; i++)
        pthread_join(t[i], NULL);
    puts("ok");
    return 0;
}

static void *one(void *arg)
{
    free(small(100));
    return arg;
}

/* Many short threads, with the smallest stacks. */
static int short_threads(long n)
{
    pthread_attr_t a;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 16384);
    for (long i = 0; i < n; i++) {
        pthread_t t;
        if (pthread_create(&t, &a, one, NULL) != 0 || pthread_join(t, NULL) != 0)
            return puts("no thread"), 1;
    }
    puts("ok");
    return 0;
}

/* ---- fork ---- */

static _Atomic int stop;

static void *load(void *arg)
{
    while (!stop)
        free(malloc((uintptr_t)arg));
    return NULL;
}

static int fork_under_load(long n)
{
    pthread_t t[2];
    for (long i = 0; i < 2; i++)
        pthread_create(&t[i], NULL, load, (void *)(100 + i * 1000));
    long bad = 0;
    for (long i = 0; i < n; i++) {
        void *mine = malloc(1000);
        pid_t pid = fork();
        if (pid == 0) {
            free(mine);
            free(malloc((size_t)i));
            _exit(7);
        }
        int status = 0;
        waitpid(pid, &status, 0);
        bad += !WIFEXITED(status) || WEXITSTATUS(status) != 7;
        free(mine);
    }
    stop = 1;
    for (long i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    puts(bad ? "children died" : "ok");
    return bad != 0;
}

/* A child that goes on: what it allocates is its own. */
static int child(long n)
{
    kept[0] = small(1 << 20);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        free(kept[0]);
        for (long i = 0; i < n; i++)
            kept[i] = cleared(1000);
        exit(0);
    }
    waitpid(pid, NULL, 0);
    puts("ok");
    return 0;
}

/* ---- no memory ---- */

static int limited(long n)
{
    struct rlimit l = {(rlim_t)n << 20, (rlim_t)n << 20};
    long at = 0;
    setrlimit(RLIMIT_AS, &l);
    while (at < OBJECTS_MAX && (kept[at] = malloc(10000)))
        at++;
    for (long i = 0; i < at; i++)
        free(kept[i]);
    puts(at > 10 ? "ok" : "nothing was to be had");
    return 0;
}

/* ---- the end without an end ---- */

static int killed(long n)
{
    for (long i = 0; i < n; i++)
        kept[i] = small(1000);
    puts("ok");
    fflush(stdout);
    kill(getpid(), SIGKILL);
    return 0;
}

/* Allocates in a handler while the program allocates: not allowed, and done everywhere. */
static void handler(int sig)
{
    (void)sig;
    sum += (uintptr_t)malloc(0) & 1;
}

static int temporary(long n)
{
    signal(SIGUSR1, handler);
    for (long i = 0; i < n; i++)
        free(small(100));
    raise(SIGUSR1);
    puts("ok");
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(long n);
    } modes[] = {{"truth", truth},         {"functions", functions},  {"threads", threads},
                 {"short", short_threads}, {"fork", fork_under_load}, {"child", child},
                 {"limited", limited},     {"killed", killed},        {"temporary", temporary}};
    long n = argc > 2 ? atol(argv[2]) : 1;
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(argv[1], modes[i].name) && n > 0 && n <= OBJECTS_MAX)
            return modes[i].run(n);
    fputs("usage: heap MODE [N]\n", stderr);
    return 2;
}
