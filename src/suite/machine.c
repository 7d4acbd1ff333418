/* SPDX-License-Identifier: MIT
 *
 * The do's and don'ts of profiling that can be read off a machine: it should be idle, at a fixed
 * frequency, and not a guest on one that others share. None stops a run; all are said and kept. */
#include "suite/machine.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 250 };

static bool read_line(const char *path, char *out, size_t size)
{
    FILE *f = fopen(path, "re");
    bool ok = f && fgets(out, (int)size, f);
    if (f)
        fclose(f);
    if (!ok)
        out[0] = 0;
    out[strcspn(out, "\n")] = 0;
    return ok;
}

/* Ticks since boot: all, and those in which nothing ran. */
static bool read_ticks(long long *all, long long *idle)
{
    char line[512];
    long long t[8] = {0};
    if (!read_line("/proc/stat", line, sizeof line) ||
        sscanf(line, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &t[0], &t[1], &t[2], &t[3],
               &t[4], &t[5], &t[6], &t[7]) < 5)
        return false;
    *idle = t[3] + t[4];
    *all = 0;
    for (int i = 0; i < 8; i++)
        *all += t[i];
    return true;
}

static double look_busy(void)
{
    long long all[2], idle[2];
    struct timespec wait = {.tv_nsec = LOOK_MS * 1000000L};
    if (!read_ticks(&all[0], &idle[0]))
        return -1;
    nanosleep(&wait, NULL);
    if (!read_ticks(&all[1], &idle[1]) || all[1] <= all[0])
        return -1;
    return 1 - (double)(idle[1] - idle[0]) / (double)(all[1] - all[0]);
}

static void look_cpu(struct suite_machine *m)
{
    char line[4096];
    FILE *f = fopen("/proc/cpuinfo", "re");
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        char *value = strchr(line, ':');
        line[strcspn(line, "\n")] = 0;
        if (!value || !value[1])
            continue;
        if (!strncmp(line, "model name", 10) && !*m->cpu)
            snprintf(m->cpu, sizeof m->cpu, "%.*s", (int)sizeof m->cpu - 1, value + 2);
        if (!strncmp(line, "flags", 5) && strstr(value, " hypervisor"))
            m->is_virtual = true;
    }
    fclose(f);
}

void suite_look_at_machine(struct suite_machine *m)
{
    struct utsname u;
    *m = (struct suite_machine){.cpus = (int)sysconf(_SC_NPROCESSORS_ONLN)};
    look_cpu(m);
    read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", m->governor,
              sizeof m->governor);
    if (uname(&u) == 0)
        snprintf(m->kernel, sizeof m->kernel, "%s", u.release);
    m->busy = look_busy();
}

void suite_machine_warnings(const struct suite_machine *m, const char *prefix, struct buf *out)
{
    if (m->busy > 0.1)
        buf_printf(out, "%sthe machine is not idle: %.0f %% of its CPU time is in use\n", prefix,
                   100 * m->busy);
    if (m->is_virtual)
        buf_printf(out,
                   "%sthis is a virtual machine: its neighbours cannot be seen, and are felt\n",
                   prefix);
    if (*m->governor && strcmp(m->governor, "performance"))
        buf_printf(out, "%sthe CPU's frequency is not fixed (governor \"%s\")\n", prefix,
                   m->governor);
}
