/* SPDX-License-Identifier: MIT
 *
 * A refusal that only says "permission denied" costs its reader an hour. There are four reasons,
 * and each has another way out: the process is somebody else's; the kernel's setting; a filter of
 * system calls, as containers have it; no more descriptors or locked memory. */
#include "record/perf_refusal.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SETTING "/proc/sys/kernel/perf_event_paranoid"

static long read_number(const char *path, long otherwise)
{
    FILE *f = fopen(path, "re");
    long v = otherwise;
    if (f) {
        if (fscanf(f, "%ld", &v) != 1)
            v = otherwise;
        fclose(f);
    }
    return v;
}

/* The value of a line "Name:\tN…" in /proc/TID/status, or -1. */
static long status_of(pid_t tid, const char *name)
{
    char path[64], line[256];
    long v = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    FILE *f = fopen(path, "re");
    while (f && v < 0 && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            v = strtol(line + strlen(name) + 1, NULL, 10);
    if (f)
        fclose(f);
    return v;
}

static const char *user_name(long uid, char *buffer, size_t size)
{
    struct passwd *p = getpwuid((uid_t)uid);
    if (p)
        return p->pw_name;
    snprintf(buffer, size, "user %ld", uid);
    return buffer;
}

static const char *self_path(char *buffer, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", buffer, size - 1);
    buffer[n > 0 ? n : 0] = 0;
    return n > 0 ? buffer : "strobe";
}

static int denied(pid_t tid, int code, struct err *e)
{
    char self[PATH_MAX], name[32];
    long owner = status_of(tid, "Uid"), paranoid = read_number(SETTING, 2);
    if (geteuid() != 0 && owner >= 0 && owner != (long)geteuid())
        return err_set(e, code,
                       "process %d belongs to %s, and you may sample your own only: sudo strobe "
                       "record …",
                       (int)tid, user_name(owner, name, sizeof name));
    if (geteuid() != 0 && paranoid > 2)
        return err_set(e, code,
                       "the kernel does not let you use perf_event (kernel.perf_event_paranoid is "
                       "%ld): sudo sysctl kernel.perf_event_paranoid=2, or sudo setcap "
                       "cap_perfmon,cap_sys_ptrace=ep %s, or sudo strobe record …",
                       paranoid, self_path(self, sizeof self));
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) > 0)
        return err_set(e, code,
                       "a seccomp filter, as containers have it, refuses perf_event_open here: "
                       "start the container with --cap-add PERFMON --security-opt "
                       "seccomp=unconfined, or run strobe record -p PID outside of it");
    if (geteuid() != 0)
        return err_set(e, code,
                       "process %d does not let itself be looked at (it has rights that you have "
                       "not, or made itself undumpable): sudo strobe record …",
                       (int)tid);
    return err_set(e, code,
                   "perf_event_open is refused although you are root: a security module or a "
                   "container without CAP_PERFMON does it (docker run --cap-add PERFMON)");
}

int perf_refusal(pid_t tid, int code, struct err *e)
{
    switch (-code) {
    case EACCES:
    case EPERM: return denied(tid, code, e);
    case ESRCH: return err_set(e, code, "process %d has ended, or there never was one", (int)tid);
    case EMFILE:
    case ENFILE:
        return err_set(e, code,
                       "too many open files: one is needed for each thread and processor; raise "
                       "the limit with ulimit -n");
    case ENOSYS:
    case ENOENT:
    case EOPNOTSUPP:
        return err_set(e, code,
                       "this kernel was built without perf_event: only programs that "
                       "libstrobe can be loaded into can be recorded");
    default: return err_set(e, code, "perf_event_open: %s", strerror(-code));
    }
}
