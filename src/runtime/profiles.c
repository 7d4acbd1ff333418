/* SPDX-License-Identifier: MIT
 *
 * Profiles by name: the table of those that libstrobe takes itself, and the list of those that the
 * program has added. The index, /debug/pprof/NAME, strobe_lookup and strobe_write all ask here, so
 * that a new kind is one row. */
#include "base/sigsafe.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/thread_dump.h"
#include "runtime/tree.h"
#include "runtime/waits.h"
#include "runtime/wall.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static uint64_t count_sites(const struct strobe_profile *p)
{
    (void)p;
    return heap_is_on() ? heap_count() : 0;
}

static uint64_t count_threads(const struct strobe_profile *p)
{
    (void)p;
    return thread_dumps_count();
}

static uint64_t count_creations(const struct strobe_profile *p)
{
    (void)p;
    return http_count_creations();
}

/* Those before are not known; from now on all are. */
static int begin_creations(uint64_t rate)
{
    return rate ? threads_count_creations() : 0;
}

static uint64_t count_block(const struct strobe_profile *p)
{
    (void)p;
    return contention_count_block();
}

static uint64_t count_mutex(const struct strobe_profile *p)
{
    (void)p;
    return contention_count_mutex();
}

static uint64_t count_wall(const struct strobe_profile *p)
{
    (void)p;
    return wall_is_on() ? wall_count() : 0;
}

static uint64_t others_sites(const struct tree_sums *s)
{
    return s->heap_sites;
}

static uint64_t others_threads(const struct tree_sums *s)
{
    return s->threads;
}

static uint64_t others_creations(const struct tree_sums *s)
{
    return s->creations;
}

static uint64_t others_block(const struct tree_sums *s)
{
    return s->block_stacks;
}

static uint64_t others_mutex(const struct tree_sums *s)
{
    return s->mutex_stacks;
}

static struct strobe_profile builtin[] = {
    {.name = "allocs",
     .about = "A sampling of all past memory allocations",
     .count = count_sites,
     .count_others = others_sites,
     .serve = http_serve_allocs,
     .has_delta = true},
    {.name = "block",
     .about = "Stack traces that led to blocking on synchronization primitives",
     .count = count_block,
     .count_others = others_block,
     .serve = http_serve_block,
     .set_rate = waits_set_block_rate,
     .has_delta = true},
    {.name = "goroutine",
     .about = "Stack traces of all current threads. Use debug=2 as a query parameter to export in "
              "the same format as an unrecovered panic.",
     .count = count_threads,
     .count_others = others_threads,
     .serve = http_serve_threads,
     .has_delta = true},
    {.name = "heap",
     .about = "A sampling of memory allocations of live objects. You can specify the gc GET "
              "parameter to give free memory back to the system before taking the heap sample.",
     .count = count_sites,
     .count_others = others_sites,
     .serve = http_serve_heap,
     .has_delta = true},
    {.name = "mutex",
     .about = "Stack traces of holders of contended mutexes",
     .count = count_mutex,
     .count_others = others_mutex,
     .serve = http_serve_mutex,
     .set_rate = waits_set_mutex_fraction,
     .has_delta = true},
    {.name = "threadcreate",
     .about = "Stack traces that led to the creation of new OS threads",
     .count = count_creations,
     .count_others = others_creations,
     .serve = http_serve_threadcreate,
     .set_rate = begin_creations,
     .has_delta = true},
    {.name = "wall",
     .about = "Wall-clock profile: where all threads spend their time, running or waiting. You can "
              "specify the duration in the seconds GET parameter.",
     .count = count_wall,
     .serve = http_serve_wall,
     .set_rate = http_set_wall,
     .is_on = wall_is_on,
     .has_delta = true},
};
enum { BUILTIN = sizeof builtin / sizeof *builtin };

static struct strobe_profile *_Atomic added;

void profiles_add(struct strobe_profile *p)
{
    p->next = atomic_load(&added);
    while (!atomic_compare_exchange_weak(&added, &p->next, p))
        continue;
}

const struct strobe_profile *profiles_find(const char *name)
{
    if (!strcmp(name, "threads")) /* our word for it */
        name = "goroutine";
    for (size_t i = 0; i < BUILTIN; i++)
        if (!strcmp(builtin[i].name, name))
            return &builtin[i];
    for (const struct strobe_profile *p = atomic_load(&added); p; p = p->next)
        if (!strcmp(p->name, name))
            return p;
    return NULL;
}

const struct strobe_profile *profiles_next(const struct strobe_profile *after)
{
    const struct strobe_profile *best = NULL;
    const struct strobe_profile *p = atomic_load(&added);
    for (size_t i = 0; i < BUILTIN || p;) {
        const struct strobe_profile *at = i < BUILTIN ? &builtin[i++] : p;
        if (at == p)
            p = p->next;
        if ((!after || strcmp(at->name, after->name) > 0) &&
            (!best || strcmp(at->name, best->name) < 0))
            best = at;
    }
    return best;
}

/* ---- the API ---- */

const struct strobe_profile *strobe_lookup(const char *name)
{
    return name ? profiles_find(name) : NULL;
}

const char *strobe_profile_name(const struct strobe_profile *profile)
{
    return profile ? profile->name : NULL;
}

unsigned long long strobe_profile_count(const struct strobe_profile *profile)
{
    return profile ? profile->count(profile) : 0;
}

/* As a request for it is answered. */
int strobe_write(const struct strobe_profile *profile, strobe_write_fn write, void *ctx, int debug)
{
    struct http_request request = {.method = "GET"};
    struct http_answer answer;
    if (!profile || !write)
        return api_fail(-EINVAL, "strobe_write: %s was given",
                        profile ? "no function" : "no profile of a known name");
    snprintf(request.query, sizeof request.query, "debug=%d", debug);
    if (profile->is_on && !profile->is_on())
        return api_fail(-ENOTSUP,
                        "strobe_write: %s profiles are of a time: begin it with "
                        "strobe_start",
                        profile->name);
    http_begin_named(profile->name, &request, &answer);
    http_finish(&answer); /* out of memory is found there */
    int r = 0;
    if (answer.status != 200)
        r = api_fail(answer.status == 500 ? -ENOMEM : -ENOTSUP, "%.*s",
                     (int)(answer.body.len ? answer.body.len - 1 : 0), answer.body.data);
    else if (write(ctx, answer.body.data, answer.body.len) != 0)
        r = api_fail(-EIO, "strobe_write: the function that was given has given up");
    http_end(&answer);
    return r;
}
