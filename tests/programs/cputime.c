/* SPDX-License-Identifier: MIT
 *
 * cputime FILE CMD…: runs a command and writes what the kernel counted for it and all it waited for
 * into FILE: "total NANOSECONDS" (user + system, its own included), "wall NANOSECONDS", "maxrss
 * KILOBYTES". It passes the exit status on as a shell would, and is what profiles are held against.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t cpu_ns(const struct rusage *u)
{
    return ((int64_t)u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000 +
           ((int64_t)u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: cputime FILE CMD…\n");
        return 2;
    }
    int64_t start = wall_ns();
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    int status = 0;
    struct rusage u;
    if (pid < 0 || wait4(pid, &status, 0, &u) != pid) {
        perror("cputime");
        return 2;
    }
    FILE *f = fopen(argv[1], "w");
    if (!f) {
        perror(argv[1]);
        return 2;
    }
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    fprintf(f, "total %lld\nwall %lld\nmaxrss %ld\n", (long long)(cpu_ns(&u) + cpu_ns(&own)),
            (long long)(wall_ns() - start), u.ru_maxrss);
    fclose(f);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
