/* SPDX-License-Identifier: MIT
 *
 * The C library at work, to be stepped through: assembly, lazy binding, threads, the loader, the
 * vdso. */
#include <dlfcn.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile size_t sink;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local char scratch[64];

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void strings(void)
{
    static char a[5000], b[5000];
    for (size_t n = 0; n < sizeof a; n = n * 2 + 1) {
        memset(a, 'x', n);
        memcpy(b, a, n);
        memmove(b + 1, b, n);
        a[n] = '\0';
        sink += strlen(a) + (size_t)memcmp(a, b, n) + (strchr(a, 'y') != NULL) +
                (memchr(a, 'y', n) != NULL) + (size_t)strcmp(a, b) + strspn(a, "x");
    }
    char *words[] = {"pear", "apple", "fig", "quince", "date"};
    qsort(words, 5, sizeof *words, compare);
    snprintf(a, sizeof a, "%s %d %.17g %p %-20s|", words[0], 42, 1.0 / 3, (void *)words, "left");
    sink += (size_t)atoi("123") + (size_t)strtod("2.5e3", NULL);
    regex_t re;
    if (regcomp(&re, "^a.*(b|c)+$", REG_EXTENDED) == 0) {
        sink += (size_t)regexec(&re, "axxbcb", 0, NULL, 0);
        regfree(&re);
    }
}

static void memory(void)
{
    void *p[64];
    for (size_t i = 0; i < 64; i++)
        p[i] = malloc(i * i * 40 + 1);
    for (size_t i = 0; i < 64; i += 2)
        free(p[i]);
    for (size_t i = 1; i < 64; i += 2)
        free(realloc(p[i], i * 9));
    free(calloc(1000, 200));
}

static void say_once(void)
{
    sink++;
}

static void *thread(void *arg)
{
    pthread_once(&once, say_once);
    pthread_mutex_lock(&lock);
    snprintf(scratch, sizeof scratch, "%zu", sink++);
    pthread_mutex_unlock(&lock);
    return strdup(scratch);
}

static void threads(void)
{
    pthread_t t[2];
    void *result;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&t[i], NULL, thread, NULL) != 0)
            exit(77);
    for (int i = 0; i < 2; i++) {
        pthread_join(t[i], &result);
        free(result);
    }
}

static void modules(void)
{
    void *m = dlopen("libz.so.1", RTLD_LAZY);
    unsigned long (*crc)(unsigned long, const void *, unsigned) = NULL;
    if (m)
        *(void **)&crc = dlsym(m, "crc32");
    if (crc)
        sink += crc(0, "some text", 9);
    if (m)
        dlclose(m);
}

static void at_exit(void)
{
    sink++;
}

int main(void)
{
    struct timespec ts;
    struct timeval tv;
    atexit(at_exit);
    setlocale(LC_ALL, "");
    strings();
    memory();
    for (int i = 0; i < 3; i++) {
        clock_gettime(CLOCK_MONOTONIC, &ts);
        gettimeofday(&tv, NULL);
    }
    time_t now = ts.tv_sec;
    struct tm tm;
    localtime_r(&now, &tm);
    sink += (size_t)(sin((double)tv.tv_usec) * 10 + pow(1.5, (double)ts.tv_nsec / 1e9));
    threads();
    modules();
    printf("%zu\n", sink);
    return system("true");
}
