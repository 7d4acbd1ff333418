/* SPDX-License-Identifier: MIT
 *
 * /debug/pprof/wall: wall time over some seconds, 30 if it is not said, as /debug/pprof/profile is
 * asked; or, where it is sampled all the time and no seconds are given, all since its start.
 * Several may be asked for at once: each gets the difference over its own time. */
#include "base/sigsafe.h"
#include "runtime/http.h"
#include "runtime/wall.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { SECONDS_DEFAULT = 30, SECONDS_MAX = 86400 };

static int append(void *ctx, const void *bytes, size_t size)
{
    struct buf *out = ctx;
    buf_append(out, bytes, size);
    return out->failed;
}

static void write_profile(const struct wall_base *base, struct http_answer *a)
{
    if (wall_write(base, append, &a->body) != 0)
        a->body.failed = 1;
}

static void finish(struct http_answer *a)
{
    struct wall_base *base = a->state;
    wall_catch_up();
    wall_others_catch_up();
    write_profile(base, a);
    wall_drop_base(base);
    wall_others_stop();
    api_wall_stop();
}

static void begin(struct http_answer *a, long seconds, uint32_t pid)
{
    struct wall_base *base = arena_alloc(&a->arena, sizeof *base);
    char why[600];
    int r = base ? api_wall_start(NULL) : -ENOMEM;
    if (r < 0) {
        snprintf(why, sizeof why, "Could not enable wall profiling: %s",
                 base ? strobe_last_error() : "out of memory");
        http_refuse(a, 500, why);
        return;
    }
    wall_others_start();
    wall_take_base(base, pid);
    a->state = base;
    a->until_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) + (uint64_t)seconds * 1000000000;
    a->finish = finish;
}

void http_serve_wall(const struct http_request *r, struct http_answer *a)
{
    long seconds = http_number(r, "seconds");
    uint32_t pid;
    if (!http_read_pid(r, a, &pid))
        return;
    a->type = http_binary_type;
    a->filename = "wall";
    if (seconds <= 0 && wall_is_on() && !pid)
        write_profile(NULL, a);
    else
        begin(a,
              seconds <= 0            ? SECONDS_DEFAULT
              : seconds > SECONDS_MAX ? SECONDS_MAX
                                      : seconds,
              pid);
}

int http_set_wall(uint64_t rate)
{
    if (rate)
        return api_wall_start(NULL);
    api_wall_stop();
    return 0;
}
