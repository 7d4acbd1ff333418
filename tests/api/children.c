/* SPDX-License-Identifier: MIT
 *
 * A server whose children are many and short, and one that stays.
 *
 *   children short N HOW   N children, one after the other: each allocates 10 objects of 10,000
 * bytes from a function of known name, makes a thread, and both take a lock three times; HOW is
 * exit or _exit children waits N       N children that stay: each sleeps in `nap`, and has a thread
 * that reads what never comes, with the label job=reader children workers N     N children that
 * wait in poll, 20 times a second
 *
 * Each prints "ready" when they are there, or done, and the pids of those that stay. */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strobe/strobe.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile kept;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int silent[2];

__attribute__((noinline)) static void allocate_known(size_t bytes)
{
    kept = malloc(bytes);
    memset(kept, 1, 16);
}

__attribute__((noinline)) static void *contend(void *unused)
{
    for (int i = 0; i < 3; i++) {
        pthread_mutex_lock(&lock);
        usleep(200);
        pthread_mutex_unlock(&lock);
    }
    return unused;
}

__attribute__((noinline)) static void short_child(void)
{
    pthread_t t;
    for (int i = 0; i < 10; i++)
        allocate_known(10000);
    pthread_create(&t, NULL, contend, NULL);
    contend(NULL);
    pthread_join(t, NULL);
}

__attribute__((noinline)) static void nap(void)
{
    usleep(20000);
}

__attribute__((noinline)) static void *read_silent(void *unused)
{
    char c;
    strobe_label_push("job", "reader");
    while (read(silent[0], &c, 1) >= 0)
        continue;
    return unused;
}

__attribute__((noinline)) static void waiting_child(void)
{
    pthread_t t;
    pthread_create(&t, NULL, read_silent, NULL);
    for (;;)
        nap();
}

__attribute__((noinline)) static void work(void)
{
    for (int i = 0; i < 100; i++)
        allocate_known(1000);
    for (;;)
        poll(NULL, 0, 50);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int n = argc > 2 ? atoi(argv[2]) : 1;
    if (pipe(silent) != 0)
        return 1;
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0 && !strcmp(what, "short")) {
            short_child();
            if (i % 2)
                _exit(0);
            exit(0);
        }
        if (pid == 0 && !strcmp(what, "waits"))
            waiting_child();
        if (pid == 0)
            work();
        if (!strcmp(what, "short"))
            waitpid(pid, NULL, 0);
        else
            printf("%d\n", (int)pid);
    }
    printf("ready\n");
    fflush(stdout);
    for (;;)
        nap();
}
