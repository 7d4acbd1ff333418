/* SPDX-License-Identifier: MIT
 *
 * The C API, and the profile that the environment asks for: both end in the same start. */
#include "base/sigsafe.h"
#include "runtime/file.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/runtime.h"
#include "runtime/say.h"
#include "runtime/tree.h"
#include "runtime/waits.h"
#include "runtime/wall.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char last_error[512] = "no error";
static int asked_hz; /* strobe_cpu_set_rate */

int api_fail(int code, const char *fmt, ...)
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
    atomic_store(&rt.seen_ns, 0);
    atomic_store(&rt.threads_ended, 0);
    rt.kinds |= SHM_KIND_CPU;
    int r = runtime_map();
    if (r == 0) {
        stacktab_clear(rt.table);
        r = runtime_begin(SINK_TABLE);
    }
    if (r < 0)
        file_refuse(FILE_CPU);
    return r;
}

static int begin(const struct strobe_config *c, bool by_call)
{
    threads_lock();
    int r = begin_locked(c, by_call);
    threads_unlock();
    return r;
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
    if (r < 0) {
        file_refuse(FILE_HEAP);
        file_refuse(FILE_ALLOCS);
    }
    return r;
}

static int begin_waits(const struct strobe_config *c, bool block, bool mutex)
{
    int r = 0;
    bool files = c->out_given || !c->http[0];
    if (files && c->kinds & CONFIG_BLOCK)
        r = file_open(FILE_BLOCK, c->out);
    if (r == 0 && files && c->kinds & CONFIG_MUTEX)
        r = file_open(FILE_MUTEX, c->out);
    rt.seed = c->seed;
    waits_set_what(c->block_what);
    if (r == 0)
        r = waits_set_rates(block ? c->block_rate : 0, mutex ? c->mutex_fraction : 0);
    if (r == 0 && files)
        signals_save_at_death();
    if (r < 0) {
        file_refuse(FILE_BLOCK);
        file_refuse(FILE_MUTEX);
    }
    return r;
}

/* Files that are written at the end. */
static int begin_counts(const struct strobe_config *c)
{
    bool files = c->out_given || !c->http[0];
    int r = files && c->kinds & CONFIG_THREADS ? file_open(FILE_THREADS, c->out) : 0;
    if (r == 0 && files && c->kinds & CONFIG_THREADCREATE)
        r = file_open(FILE_THREADCREATE, c->out);
    if (r == 0 && files)
        signals_save_at_death();
    if (r < 0)
        file_refuse(FILE_THREADS);
    return r;
}

/* Who takes the CPU profile: who has not started it does not stop it. Wall time needs the same
 * clocks: who comes second joins what is sampled already, and who goes last ends it. */
enum owner { OWNER_NONE, OWNER_PROGRAM, OWNER_SESSION, OWNER_HTTP };
static enum owner owner;
static bool clock_is_walls; /* the clocks run for wall time, whoever else looks at them */
static uint32_t wall_users;

static bool wall_goes_on; /* the environment asked for it: to the end */

/* CPU time, wall time, or both. */
static void begin_clocks(const struct strobe_config *c)
{
    int r = c->kinds & CONFIG_CPU ? file_open(FILE_CPU, c->out) : 0;
    if (r == 0 && c->kinds & CONFIG_WALL)
        r = file_open(FILE_WALL, c->out);
    if (r == 0)
        r = begin(c, false);
    if (r < 0) {
        file_refuse(FILE_CPU);
        file_refuse(FILE_WALL);
        say_error("time is not profiled", c->out, r);
    }
    r = r == 0 && c->kinds & CONFIG_WALL ? wall_start() : 0;
    wall_goes_on = wall_is_on();
    /* A CPU profile that is asked for later has its own beginning. */
    clock_is_walls = wall_goes_on && !(c->kinds & CONFIG_CPU);
    if (r < 0)
        say_error("time off the processors is not profiled", "no process could be made for it", r);
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
        say_error("nothing is profiled", "STROBE_OUT needs %k in it for several kinds", -EINVAL);
        return;
    }
    if (c->heap_rate && (c->kinds & heap_kinds || (c->http[0] && !c->kinds_given)))
        r = begin_heap(c);
    if (r == -ENOTSUP)
        say_error("the heap is not profiled", "the program brings its own malloc", r);
    else if (r < 0)
        say_error("the heap is not profiled", c->out, r);
    bool all_served = c->http[0] && !c->kinds_given;
    bool block = c->kinds & CONFIG_BLOCK || all_served,
         mutex = c->kinds & CONFIG_MUTEX || all_served;
    r = block || mutex ? begin_waits(c, block, mutex) : 0;
    if (r < 0)
        say_error("waits are not profiled", c->out, r);
    if ((c->http[0] && !c->kinds_given) || c->kinds & CONFIG_THREADCREATE)
        threads_count_creations();
    r = c->kinds & (CONFIG_THREADS | CONFIG_THREADCREATE) ? begin_counts(c) : 0;
    if (r < 0)
        say_error("threads are not profiled", c->out, r);
    if (c->kinds & (CONFIG_CPU | CONFIG_WALL) &&
        !(c->http[0] && c->kinds == CONFIG_ALL_KINDS && !c->out_given))
        begin_clocks(c);
}

void runtime_serve(const struct strobe_config *c)
{
    if (c->http[0] && tree_is_member()) {
        if (!runtime_is_sampling())
            tree_join();
        tree_consider_heir(true);
        return;
    }
    if (c->http[0] && !rt.shm)
        tree_create(c);
    int r = c->http[0] ? http_server_start(c->http) : 0;
    if (c->http[0] && r == 0)
        environ_note_served("1"); /* until the segment's name is known */
    if (r < 0)
        tree_drop();
    /* A daemon whose first process is on its way out. */
    if (r == -EADDRINUSE && c->session && (uint32_t)getsid(0) != c->session) {
        http_server_inherit(c->http);
        return;
    }
    /* A child has its parent's address: that one answers there, and nothing is to be said. */
    if (r < 0 && !(r == -EADDRINUSE && c->served))
        say_error("/debug/pprof/ is not served", c->http, r);
}

/* ---- the CPU profile that code starts ---- */

/* The program, a session and the HTTP thread may start and stop at once: held while they do. The
 * word is the holder's process, so that a child of fork does not wait for a thread of its parent.
 */
static _Atomic uint32_t lock;

static void take_lock(void)
{
    uint32_t holder = 0, mine = runtime_pid();
    while (!atomic_compare_exchange_strong(&lock, &holder, mine)) {
        if (holder && holder != mine && atomic_compare_exchange_strong(&lock, &holder, mine))
            return;
        holder = 0;
        sigsafe_syscall0(SYS_sched_yield);
    }
}

static int leave_lock(int r)
{
    atomic_store(&lock, 0);
    return r;
}

/* 0: the CPU profile is to be had. */
static int is_running(void)
{
    if (atomic_load(&rt.sink) == SINK_SHM)
        return api_fail(-EALREADY, "the CPU profile is being taken by `strobe record`");
    tree_leave();                            /* what the program asks for itself comes first */
    if (atomic_load(&rt.sink) == SINK_OFF) { /* also in a child of fork */
        owner = OWNER_NONE;
        clock_is_walls = false;
        return 0;
    }
    if (owner == OWNER_HTTP)
        return api_fail(-EALREADY, "a CPU profile is being taken over HTTP; try when it has ended");
    if (clock_is_walls && owner == OWNER_NONE)
        return 0;
    return api_fail(-EALREADY, "the CPU profile is running already; call strobe_cpu_stop first");
}

/* To a file, or to a function. Under the lock. */
static int start_cpu(enum owner who, const struct strobe_config *c, const char *path)
{
    bool joins = clock_is_walls && atomic_load(&rt.sink) == SINK_TABLE;
    int r = path ? file_open(FILE_CPU, path) : 0;
    if (r < 0)
        return api_fail(r, "cannot create the profile %s: %s", path, strerror(-r));
    owner = who;
    r = joins ? file_rebase_cpu() : begin(c, true);
    if (r < 0)
        owner = OWNER_NONE;
    if (joins && r < 0)
        file_abandon(FILE_CPU);
    else if (joins)
        file_note_company();
    return r < 0 ? api_fail(r, "cannot start sampling: %s", strerror(-r)) : 0;
}

static int read_config(struct strobe_config *c)
{
    if (options_read(c) != 0)
        return api_fail(-EINVAL, "a STROBE_ variable in the environment is not valid");
    if (asked_hz)
        c->hz = asked_hz;
    return 0;
}

static int start_writer(enum owner who, strobe_write_fn write_fn, void *ctx)
{
    struct strobe_config c;
    take_lock();
    int r = is_running();
    if (r == 0)
        r = read_config(&c);
    if (r == 0) {
        file_open_writer(write_fn, ctx);
        r = start_cpu(who, &c, NULL);
    }
    return leave_lock(r);
}

__attribute__((noinline)) static int stop_cpu(enum owner who, const void *caller)
{
    take_lock();
    if (atomic_load(&rt.sink) != SINK_TABLE || owner != who)
        return leave_lock(
            api_fail(-EINVAL, "strobe_cpu_stop: no CPU profile was started by this program"));
    if (!clock_is_walls)
        runtime_pause(caller);
    owner = OWNER_NONE;
    int r = file_end(FILE_CPU, false);
    if (r < 0)
        api_fail(r, "the profile could not be written: %s", strerror(-r));
    return leave_lock(r);
}

int strobe_cpu_start(const char *path)
{
    struct strobe_config c;
    if (!path || !*path)
        return api_fail(-EINVAL, "strobe_cpu_start: no file name was given");
    take_lock();
    int r = is_running();
    if (r == 0)
        r = read_config(&c);
    return leave_lock(r == 0 ? start_cpu(OWNER_PROGRAM, &c, path) : r);
}

int strobe_cpu_start_writer(strobe_write_fn write_fn, void *ctx)
{
    if (!write_fn)
        return api_fail(-EINVAL, "strobe_cpu_start_writer: no function was given");
    return start_writer(OWNER_PROGRAM, write_fn, ctx);
}

int strobe_cpu_stop(void)
{
    return stop_cpu(OWNER_PROGRAM, __builtin_return_address(0));
}

int api_cpu_start(const struct strobe_config *c, const char *path)
{
    take_lock();
    int r = is_running();
    return leave_lock(r == 0 ? start_cpu(OWNER_SESSION, c, path) : r);
}

int api_cpu_stop(void)
{
    return stop_cpu(OWNER_SESSION, __builtin_return_address(0));
}

int api_http_cpu_start(strobe_write_fn write_fn, void *ctx)
{
    return start_writer(OWNER_HTTP, write_fn, ctx);
}

int api_http_cpu_stop(void)
{
    return stop_cpu(OWNER_HTTP, __builtin_return_address(0));
}

/* ---- wall time ---- */

/* Without it nobody takes wall time: the clocks go where nobody else needs them. */
static void release_clock(const void *caller)
{
    if (wall_goes_on)
        return;
    if (clock_is_walls && owner == OWNER_NONE && atomic_load(&rt.sink) == SINK_TABLE)
        runtime_pause(caller);
    clock_is_walls = false;
}

static int start_wall(const struct strobe_config *given)
{
    struct strobe_config c;
    int r = 0;
    if (atomic_load(&rt.sink) == SINK_SHM)
        return api_fail(-EALREADY, "the program is being recorded by `strobe record`");
    tree_leave();
    if (!wall_is_on()) /* also in a child of fork */
        wall_users = 0;
    if (!given)
        r = read_config(&c);
    bool begins = atomic_load(&rt.sink) == SINK_OFF;
    if (r == 0 && begins) {
        owner = OWNER_NONE;
        file_abandon(FILE_CPU);
        r = begin(given ? given : &c, true);
        if (r < 0)
            api_fail(r, "cannot start sampling: %s", strerror(-r));
    } else if (r == 0 && (owner != OWNER_NONE || !clock_is_walls)) {
        file_note_company();
    }
    if (r == 0 && (begins || owner != OWNER_NONE))
        clock_is_walls = true; /* also where the CPU profile ends first */
    if (r == 0 && !wall_is_on() && (r = wall_start()) < 0) {
        release_clock(NULL);
        api_fail(r, "no process could be made that looks at the threads: %s",
                 r == -EPERM ? "the program is in a sandbox" : strerror(-r));
    }
    wall_users += r == 0;
    return r;
}

int api_wall_start(const struct strobe_config *c)
{
    take_lock();
    return leave_lock(start_wall(c));
}

void api_wall_stop(void)
{
    take_lock();
    bool last = wall_users && --wall_users == 0;
    if (last && !wall_goes_on) {
        wall_stop();
        release_clock(__builtin_return_address(0));
    }
    leave_lock(0);
}

bool api_cpu_is_taken(void)
{
    return atomic_load(&rt.sink) == SINK_TABLE && owner != OWNER_NONE;
}

int strobe_cpu_set_rate(int hz)
{
    if (hz < 0 || hz > LIMIT_HZ_MAX)
        return api_fail(-EINVAL, "a rate of %d Hz is not between %d and %d", hz, LIMIT_HZ_MIN,
                        LIMIT_HZ_MAX);
    asked_hz = hz;
    return 0;
}

int strobe_heap_set_rate(unsigned long long bytes)
{
    if (bytes > 1ull << 40)
        return api_fail(-EINVAL, "strobe_heap_set_rate: %llu is not between 0 and 2^40", bytes);
    take_lock();
    int r = 0;
    if (heap_is_on())
        heap_change_rate(bytes ? bytes : HEAP_RATE_NONE);
    else if (bytes)
        r = heap_start(bytes);
    if (r < 0)
        api_fail(r, "the heap cannot be profiled: %s",
                 r == -ENOTSUP ? "the program brings its own malloc" : strerror(-r));
    return leave_lock(r);
}

const char *strobe_last_error(void)
{
    return last_error;
}

const char *strobe_version(void)
{
    return STROBE_VERSION;
}
