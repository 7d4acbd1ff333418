/* SPDX-License-Identifier: MIT
 *
 * A server that forks: each child allocates known amounts from a function of known name, has two
 * threads that contend for a lock, and waits; the first has a thread that computes, too. Prints the
 * children's pids. `forks N`; ends when they have. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile unsigned long turns;
static void *volatile kept;

__attribute__((noinline)) static void allocate_known(size_t bytes)
{
    kept = malloc(bytes);
    memset(kept, 1, 16);
}

__attribute__((noinline)) static void *contend(void *unused)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        usleep(2000);
        pthread_mutex_unlock(&lock);
        usleep(10);
    }
    return unused;
}

__attribute__((noinline)) static void *compute(void *unused)
{
    for (;;)
        turns++;
    return unused;
}

/* Child i keeps 100 objects of (i + 1) * 10,000 bytes. */
__attribute__((noinline)) static void child(int i)
{
    pthread_t t;
    for (int k = 0; k < 100; k++)
        allocate_known((size_t)(i + 1) * 10000);
    pthread_create(&t, NULL, contend, NULL);
    pthread_create(&t, NULL, contend, NULL);
    if (i == 0)
        pthread_create(&t, NULL, compute, NULL);
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 2;
    for (int i = 0; i < n; i++) {
        pid_t pid = fork();
        if (pid == 0)
            child(i);
        printf("%d\n", (int)pid);
        fflush(stdout);
    }
    while (wait(NULL) > 0)
        continue;
    return 0;
}
