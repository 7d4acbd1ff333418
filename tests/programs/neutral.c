/* SPDX-License-Identifier: MIT
 *
 * Prints what a program can see of itself and what a profiler could have changed: threads, free
 * descriptors, signal masks, name, arguments, environment, and whether what only a single-threaded
 * process may do still works. Its output under strobe must be its output without. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void print_lines_of(const char *path, const char *const *keys)
{
    char line[512];
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        for (const char *const *k = keys; *k; k++)
            if (strncmp(line, *k, strlen(*k)) == 0)
                fputs(line, stdout);
    if (f)
        fclose(f);
}

static void print_bytes_of(const char *path)
{
    char bytes[4096];
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n; i++)
        putchar(bytes[i] ? bytes[i] : ' ');
    putchar('\n');
    close(fd);
}

static void burn(void)
{
    struct timespec t;
    do {
        for (volatile int i = 0; i < 100000; i++)
            continue;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    } while (t.tv_sec == 0 && t.tv_nsec < 300000000);
}

/* Signals whose disposition is not the default; the profiler's own must not be among them. */
static void print_handlers(void)
{
    for (int s = 1; s < SIGRTMIN; s++) {
        struct sigaction action;
        if (sigaction(s, NULL, &action) == 0 && action.sa_handler != SIG_DFL)
            printf("signal %d is %s\n", s, action.sa_handler == SIG_IGN ? "ignored" : "handled");
    }
}

int main(int argc, char **argv)
{
    static const char *const status[] = {"Name:", "Threads:", "SigBlk:", "SigIgn:", NULL};
    burn();
    print_lines_of("/proc/self/status", status);
    print_bytes_of("/proc/self/cmdline");
    print_bytes_of("/proc/self/comm");
    printf("arguments %d, first free descriptor %d\n", argc, open("/dev/null", O_RDONLY));
    print_handlers();
    for (char **e = environ; *e; e++)
        puts(*e);
    if (unshare(CLONE_NEWUSER) == 0)
        puts("a user namespace of its own");
    else
        printf("no user namespace: %s\n", strerror(errno));
    printf("%s %s\n", argv[0], prctl(PR_GET_DUMPABLE) ? "dumpable" : "not dumpable");
    return 0;
}
