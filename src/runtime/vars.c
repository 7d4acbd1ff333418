/* SPDX-License-Identifier: MIT
 *
 * Counters and spans of the program's own, at /debug/vars. A table of fixed size without locks: a
 * name's row is made once and never goes, so that counting is one addition. What finds no room is
 * not counted; the number of such calls is. */
#include "runtime/vars.h"

#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

enum { ROWS = 512, NAME_BYTES = 64 };
enum row_state { ROW_FREE, ROW_BEING_MADE, ROW_READY };
enum row_kind { ROW_COUNTER, ROW_SPAN };

struct row {
    _Atomic uint32_t state; /* enum row_state */
    enum row_kind kind;
    char name[NAME_BYTES];
    _Atomic int64_t value; /* of a counter; of a span: how many have ended */
    _Atomic int64_t running;
    _Atomic uint64_t total_ns, max_ns;
};

static struct row rows[ROWS];
static _Atomic uint64_t lost;

static uint32_t hash_of(const char *name, enum row_kind kind)
{
    uint32_t h = 2166136261u + kind; /* FNV-1a */
    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return h;
}

/* The row is the name's, once it is made. */
static bool is_row_of(struct row *row, const char *name, enum row_kind kind)
{
    while (atomic_load_explicit(&row->state, memory_order_acquire) == ROW_BEING_MADE)
        sched_yield();
    return row->kind == kind && !strcmp(row->name, name);
}

static struct row *find_row(const char *name, enum row_kind kind)
{
    size_t n = name ? strlen(name) : 0;
    if (!n || n >= NAME_BYTES)
        return NULL;
    uint32_t first = hash_of(name, kind);
    for (uint32_t i = 0; i < ROWS; i++) {
        struct row *row = &rows[(first + i) % ROWS];
        uint32_t expected = ROW_FREE;
        if (atomic_compare_exchange_strong(&row->state, &expected, ROW_BEING_MADE)) {
            row->kind = kind;
            memcpy(row->name, name, n + 1);
            atomic_store_explicit(&row->state, ROW_READY, memory_order_release);
            return row;
        }
        if (is_row_of(row, name, kind))
            return row;
    }
    return NULL;
}

/* ---- counters ---- */

static struct row *find_counter(const char *name)
{
    static const char *const taken[] = {"cmdline", "memstats", "spans", "errors"};
    for (size_t i = 0; name && i < sizeof taken / sizeof *taken; i++)
        if (!strcmp(name, taken[i]))
            name = NULL;
    struct row *row = find_row(name, ROW_COUNTER);
    if (!row)
        atomic_fetch_add(&lost, 1);
    return row;
}

int strobe_counter_add(const char *name, long long n)
{
    struct row *row = find_counter(name);
    if (row)
        atomic_fetch_add_explicit(&row->value, n, memory_order_relaxed);
    return row ? 0 : -EINVAL;
}

int strobe_counter_set(const char *name, long long value)
{
    struct row *row = find_counter(name);
    if (row)
        atomic_store_explicit(&row->value, value, memory_order_relaxed);
    return row ? 0 : -EINVAL;
}

/* ---- spans ---- */

struct strobe_span strobe_span_begin(const char *name)
{
    struct row *row = find_row(name, ROW_SPAN);
    if (row)
        atomic_fetch_add_explicit(&row->running, 1, memory_order_relaxed);
    else
        atomic_fetch_add(&lost, 1);
    return (struct strobe_span){row, sigsafe_clock_ns(CLOCK_MONOTONIC)};
}

unsigned long long strobe_span_end(struct strobe_span *span)
{
    struct row *row = span->row;
    uint64_t ns = sigsafe_clock_ns(CLOCK_MONOTONIC) - span->since_ns;
    span->row = NULL; /* a second end is none */
    if (!row)
        return 0;
    atomic_fetch_add_explicit(&row->value, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->running, -1, memory_order_relaxed);
    atomic_fetch_add_explicit(&row->total_ns, ns, memory_order_relaxed);
    uint64_t max = atomic_load_explicit(&row->max_ns, memory_order_relaxed);
    while (ns > max && !atomic_compare_exchange_weak(&row->max_ns, &max, ns))
        continue;
    return ns;
}

/* ---- at /debug/vars ---- */

static void put_span(struct buf *out, struct row *row)
{
    http_put_string(out, row->name, strlen(row->name));
    buf_printf(out, ": {\"count\": %lld, \"running\": %lld, \"total_ns\": %llu, \"max_ns\": %llu}",
               (long long)atomic_load(&row->value), (long long)atomic_load(&row->running),
               (unsigned long long)atomic_load(&row->total_ns),
               (unsigned long long)atomic_load(&row->max_ns));
}

void vars_put(struct buf *out)
{
    uint32_t spans = 0;
    for (uint32_t i = 0; i < ROWS; i++)
        if (atomic_load(&rows[i].state) == ROW_READY && rows[i].kind == ROW_COUNTER) {
            buf_puts(out, ",\n");
            http_put_string(out, rows[i].name, strlen(rows[i].name));
            buf_printf(out, ": %lld", (long long)atomic_load(&rows[i].value));
        }
    for (uint32_t i = 0; i < ROWS; i++)
        if (atomic_load(&rows[i].state) == ROW_READY && rows[i].kind == ROW_SPAN) {
            buf_puts(out, spans++ ? ", " : ",\n\"spans\": {");
            put_span(out, &rows[i]);
        }
    if (spans)
        buf_putc(out, '}');
    if (atomic_load(&lost))
        buf_printf(out, ",\n\"strobe_vars_lost\": %llu", (unsigned long long)atomic_load(&lost));
}
