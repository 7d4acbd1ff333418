/* SPDX-License-Identifier: MIT
 *
 * The C API, and the profile that the environment asks for: both end in the same start. */
#include "base/sigsafe.h"
#include "runtime/file.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char last_error[512] = "no error";
static int asked_hz; /* strobe_cpu_set_rate */

static int fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(last_error, sizeof last_error, fmt, ap);
    va_end(ap);
    return code;
}

/* Under threads_lock: threads that are being made read the settings. */
static int begin_locked(const struct strobe_config *c, bool by_call)
{
    struct timespec now;
    rt.period_ns = 1000000000ull / (uint64_t)c->hz;
    rt.seed = c->seed;
    rt.started_by_call = by_call;
    rt.process_origin_ns = by_call ? sigsafe_clock_ns(CLOCK_PROCESS_CPUTIME_ID) : 0;
    rt.max_cost_ppm = c->max_cost_ppm;
    rt.interrupt_ns = TASKCLOCK_INTERRUPT_NS;
    rt.clock = taskclock_probe(c->backend, false);
    clock_gettime(CLOCK_REALTIME, &now);
    rt.start_time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    rt.start_mono_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    atomic_store(&rt.sampled_points, 0);
    atomic_store(&rt.truncated_points, 0);
    atomic_store(&rt.depth_points, 0);
    atomic_store(&rt.threads_lost, 0);
    rt.kinds |= SHM_KIND_CPU;
    int r = runtime_map();
    if (r == 0) {
        stacktab_clear(rt.table);
        r = runtime_begin(SINK_TABLE);
    }
    if (r < 0)
        file_abandon(FILE_CPU);
    return r;
}

static int begin(const struct strobe_config *c, bool by_call)
{
    threads_lock();
    int r = begin_locked(c, by_call);
    threads_unlock();
    return r;
}

/* On standard error, where someone may read it. */
static void say(const char *what, const char *which, int error)
{
    char text[RUNTIME_PATH + 256];
    int n = snprintf(text, sizeof text, "libstrobe: %s: %s: %s\n", what, which, strerror(-error));
    if (n > 0 && write(STDERR_FILENO, text, (size_t)n) < 0)
        return; /* a closed stderr: there is nobody to tell */
}

static int begin_heap(const struct strobe_config *c)
{
    int r = 0;
    bool files = c->out_given || !c->http[0];
    if (files && c->kinds & CONFIG_HEAP)
        r = file_open(FILE_HEAP, c->out);
    if (r == 0 && files && c->kinds & CONFIG_ALLOCS)
        r = file_open(FILE_ALLOCS, c->out);
    rt.seed = c->seed;
    heap.write_peak = c->heap_peak;
    if (r == 0)
        r = heap_start(c->heap_rate);
    if (r == 0 && files)
        signals_save_at_death();
    return r;
}

/* Several kinds, one file name: that they would overwrite each other is said before it happens. */
static bool names_collide(const struct strobe_config *c)
{
    return (c->kinds & (c->kinds - 1)) && !strstr(c->out, "%k");
}

void runtime_begin_from_environment(const struct strobe_config *c)
{
    /* Served profiles are taken when they are asked for, and the heap's is always there. */
    bool served = c->http[0] && !c->out_given;
    uint32_t heap_kinds = CONFIG_HEAP | CONFIG_ALLOCS;
    int r = 0;
    if (c->kinds && !served && names_collide(c)) {
        say("nothing is profiled", "STROBE_OUT needs %k in it for several kinds", -EINVAL);
        return;
    }
    if (c->heap_rate && (c->kinds & heap_kinds || (c->http[0] && !c->kinds_given)))
        r = begin_heap(c);
    if (r == -ENOTSUP)
        say("the heap is not profiled", "the program brings its own malloc", r);
    else if (r < 0)
        say("the heap is not profiled", c->out, r);
    if (c->http[0] && (!c->kinds_given || c->kinds == CONFIG_ALL_KINDS))
        threads_count_creations();
    if (!(c->kinds & CONFIG_CPU) || (c->http[0] && c->kinds == CONFIG_ALL_KINDS && !c->out_given))
        return;
    r = file_open(FILE_CPU, c->out);
    if (r == 0)
        r = begin(c, false);
    if (r < 0)
        say("nothing is profiled", c->out, r);
}

void runtime_serve(const struct strobe_config *c)
{
    int r = c->http[0] ? http_server_start(c->http) : 0;
    if (c->http[0] && r == 0)
        environ_note_served();
    /* A child has its parent's address: that one answers there, and nothing is to be said. */
    if (r < 0 && !(r == -EADDRINUSE && c->served))
        say("/debug/pprof/ is not served", c->http, r);
}

/* What a start by code has in common: one at a time, settings from the environment. */
static int ready(struct strobe_config *c)
{
    if (atomic_load(&rt.sink) == SINK_SHM)
        return fail(-EALREADY, "the CPU profile is being taken by `strobe record`");
    if (atomic_load(&rt.sink) != SINK_OFF)
        return fail(-EALREADY, "the CPU profile is running already; call strobe_cpu_stop first");
    if (options_read(c) != 0)
        return fail(-EINVAL, "a STROBE_ variable in the environment is not valid");
    if (asked_hz)
        c->hz = asked_hz;
    return 0;
}

int strobe_cpu_start(const char *path)
{
    struct strobe_config c;
    if (!path || !*path)
        return fail(-EINVAL, "strobe_cpu_start: no file name was given");
    int r = ready(&c);
    if (r < 0)
        return r;
    r = file_open(FILE_CPU, path);
    if (r < 0)
        return fail(r, "cannot create the profile %s: %s", path, strerror(-r));
    r = begin(&c, true);
    if (r < 0)
        return fail(r, "cannot start sampling: %s", strerror(-r));
    return 0;
}

int strobe_cpu_start_writer(strobe_write_fn write_fn, void *ctx)
{
    struct strobe_config c;
    if (!write_fn)
        return fail(-EINVAL, "strobe_cpu_start_writer: no function was given");
    int r = ready(&c);
    if (r < 0)
        return r;
    file_open_writer(write_fn, ctx);
    r = begin(&c, true);
    return r < 0 ? fail(r, "cannot start sampling: %s", strerror(-r)) : 0;
}

int strobe_cpu_stop(void)
{
    if (atomic_load(&rt.sink) != SINK_TABLE || !rt.started_by_call)
        return fail(-EINVAL, "strobe_cpu_stop: no CPU profile was started by this program");
    runtime_pause(__builtin_return_address(0));
    int r = file_end(FILE_CPU, false);
    if (r < 0)
        return fail(r, "the profile could not be written: %s", strerror(-r));
    return 0;
}

int strobe_cpu_set_rate(int hz)
{
    if (hz < 0 || hz > LIMIT_HZ_MAX)
        return fail(-EINVAL, "a rate of %d Hz is not between %d and %d", hz, LIMIT_HZ_MIN,
                    LIMIT_HZ_MAX);
    asked_hz = hz;
    return 0;
}

const char *strobe_last_error(void)
{
    return last_error;
}

const char *strobe_version(void)
{
    return STROBE_VERSION;
}
