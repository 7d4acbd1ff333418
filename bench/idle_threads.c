/* SPDX-License-Identifier: MIT
 *
 * idle_threads N: N threads that have each used some CPU and now wait; prints the process's
 * resident memory in kB, as the kernel has it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static pthread_barrier_t all_have_run;

static void *run(void *arg)
{
    struct timespec t;
    do
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    while (t.tv_nsec < 15000000);
    pthread_barrier_wait(&all_have_run);
    pause();
    return arg;
}

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1;
    char line[128];
    pthread_t t;
    pthread_barrier_init(&all_have_run, NULL, (unsigned)n + 1);
    for (int i = 0; i < n; i++)
        if (pthread_create(&t, NULL, run, NULL) != 0)
            return 1;
    pthread_barrier_wait(&all_have_run);
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmRSS:", 6) == 0)
            printf("%ld\n", strtol(line + 6, NULL, 10));
    return 0;
}
