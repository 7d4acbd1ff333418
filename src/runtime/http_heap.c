/* SPDX-License-Identifier: MIT
 *
 * /debug/pprof/heap and /debug/pprof/allocs, as Go's net/http/pprof answers them: binary or
 * debug=1, with gc=1 after giving free memory back to the system, with seconds=N the difference
 * over N seconds. What Go's has not: peak=1, what was in use at the program's peak; age=1, how old
 * what lives is, as a label (samples with labels that differ are not added up by their reader, so
 * that it has to be asked for). */
#include "base/sigsafe.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/memstats.h"

#include <string.h>

static void write_binary(const struct heap_view *view, struct http_answer *a)
{
    if (heap_write(view, http_append, &a->body) != 0)
        a->body.failed = 1;
}

/* ---- the difference over some seconds ---- */

static void finish_delta(struct http_answer *a)
{
    write_binary(a->state, a);
}

static void begin_delta(struct http_answer *a, uint64_t ns, const struct heap_view *what)
{
    struct heap_view *view = arena_zalloc(&a->arena, sizeof *view);
    if (view)
        *view = (struct heap_view){.allocs = what->allocs, .tree = what->tree, .pid = what->pid};
    if (!view || heap_begin_delta(view, &a->arena) != 0) {
        http_refuse(a, 500, "out of memory");
        return;
    }
    a->type = http_binary_type;
    a->filename = what->allocs ? "allocs-delta" : "heap-delta";
    a->state = view;
    a->until_ns = sigsafe_clock_ns(CLOCK_MONOTONIC) + ns;
    a->finish = finish_delta;
}

/* ---- now ---- */

static void serve(const struct http_request *r, struct http_answer *a, bool allocs)
{
    uint64_t ns = http_seconds_ns(r);
    struct heap_view view = {.allocs = allocs,
                             .at_peak = http_number(r, "peak") > 0,
                             .ages = http_number(r, "age") > 0,
                             .tree = true};
    if (!heap_is_on()) {
        http_refuse(a, 404,
                    "the heap is not profiled: it was turned off by STROBE or "
                    "STROBE_HEAP_RATE, or the program brings its own malloc");
        return;
    }
    if (!http_read_pid(r, a, &view.pid))
        return;
    if (ns) {
        begin_delta(a, ns, &view);
        return;
    }
    if (!allocs && http_number(r, "gc") > 0)
        memstats_trim();
    if (http_number(r, "debug")) {
        heap_write_text(&view, &a->body);
        return;
    }
    a->type = http_binary_type;
    a->filename = allocs ? "allocs" : "heap";
    write_binary(&view, a);
}

void http_serve_heap(const struct http_request *r, struct http_answer *a)
{
    serve(r, a, false);
}

void http_serve_allocs(const struct http_request *r, struct http_answer *a)
{
    serve(r, a, true);
}
