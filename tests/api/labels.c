/* SPDX-License-Identifier: MIT
 *
 * A program that labels what it does, and says how much CPU time each label got: "VALUE seconds" a
 * line for the label `kind`. labels.sh compares that with what profiles say.
 *
 *     labels            works in main, in a thread that inherits, in a child process; then exits
 *     labels kill       the same, and is killed at the end
 *     labels heap       allocates 64, 128 and 192 MB under three labels, keeps a quarter of each
 *     labels serve N    N threads wait under labels, one a group; ends with its standard input */
#include <strobe/strobe.h>

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))

enum { KINDS = 4 };
static const char *const kinds[KINDS] = {"plain", "alpha", "beta", "inherited"};
static double spent[KINDS];

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

NOINLINE static void burn(int kind, double seconds)
{
    double begin = cpu_s(), now;
    while ((now = cpu_s()) < begin + seconds)
        for (volatile int i = 0; i < 1000; i++)
            ;
    spent[kind] += now - begin;
}

static void *inherit(void *arg)
{
    (void)arg;
    burn(3, 0.4);
    return NULL;
}

/* Short pieces, so that a sample that is late would be found under the next label. */
static void work(void)
{
    for (int i = 0; i < 60; i++) {
        unsigned none = strobe_label_push("kind", "alpha");
        burn(1, 0.005);
        unsigned alpha = strobe_label_push("kind", "beta");
        strobe_label_push("piece", i % 2 ? "odd" : "even");
        burn(2, 0.010);
        strobe_label_pop(alpha);
        burn(1, 0.005);
        strobe_label_pop(none);
        burn(0, 0.003);
    }
}

static void print_spent(void)
{
    for (int i = 0; i < KINDS; i++)
        printf("%s %.4f\n", kinds[i], spent[i]);
    fflush(stdout);
}

static int run(bool killed)
{
    pthread_t t;
    work();
    unsigned before = strobe_label_push("kind", "inherited");
    if (pthread_create(&t, NULL, inherit, NULL))
        return 1;
    strobe_label_pop(before);
    pthread_join(t, NULL);
    print_spent();
    memset(spent, 0, sizeof spent);
    before = strobe_label_push("kind", "beta");
    pid_t pid = fork();
    if (pid == 0) {
        burn(2, 0.3); /* with what it had when it was forked */
        print_spent();
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    strobe_label_pop(before);
    if (killed)
        kill(getpid(), SIGKILL);
    return 0;
}

static int allocate(void)
{
    static const char *const names[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++) {
        STROBE_LABEL("owner", names[i]);
        for (int k = 0; k < (i + 1) * 65536; k++) {
            char *p = malloc(1024);
            if (!p)
                return 1;
            if (k % 4)
                free(p);
        }
    }
    return 0;
}

NOINLINE static void *wait_here(void *arg)
{
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

static int serve(int n)
{
    for (int i = 0; i < n; i++) {
        char text[16];
        pthread_t t;
        snprintf(text, sizeof text, "g%d", i % 2);
        STROBE_LABEL("group", text);
        STROBE_LABEL("say \"hi\"", "a\nb");
        if (pthread_create(&t, NULL, wait_here, NULL))
            return 1;
    }
    puts("ready");
    fflush(stdout);
    return getchar() == EOF;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    return !strcmp(mode, "heap")    ? allocate()
           : !strcmp(mode, "serve") ? serve(atoi(argv[2]))
                                    : run(!strcmp(mode, "kill"));
}
