/* SPDX-License-Identifier: MIT
 *
 * /debug/vars, in the form of Go's expvar: the command line and numbers of memory under the names
 * of runtime.MemStats; and /debug/strobe, what libstrobe knows of itself: what it samples, what it
 * lost, what it takes. */
#include "base/sigsafe.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/memstats.h"
#include "runtime/runtime.h"
#include "runtime/thread_dump.h"
#include "runtime/tree.h"
#include "runtime/vars.h"
#include "runtime/waits.h"

#include <string.h>

static const char json_type[] = "application/json; charset=utf-8";

void http_put_string(struct buf *out, const char *s, size_t n)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < ' ' || c == 127)
            buf_printf(out, "\\u%04x", c);
        else
            buf_putc(out, (char)c);
    }
    buf_putc(out, '"');
}

static void put_number(struct buf *out, const char *name, uint64_t value, const char *after)
{
    buf_printf(out, "\"%s\":%llu%s", name, (unsigned long long)value, after);
}

static void put_cmdline(struct buf *out)
{
    struct buf line;
    buf_init(&line, out->arena);
    http_read_file("/proc/self/cmdline", &line);
    buf_puts(out, "\"cmdline\": [");
    for (size_t at = 0; at < line.len;) {
        size_t n = strnlen(line.data + at, line.len - at);
        if (at)
            buf_putc(out, ',');
        http_put_string(out, line.data + at, n);
        at += n + 1;
    }
    buf_puts(out, "]");
}

void http_serve_vars(const struct http_request *r, struct http_answer *a)
{
    (void)r;
    struct memstats m;
    struct buf *out = &a->body;
    memstats_read(&m);
    uint64_t idle = m.held > m.live ? m.held - m.live : 0;
    a->type = json_type;
    buf_puts(out, "{\n");
    put_cmdline(out);
    buf_puts(out, ",\n\"memstats\": {");
    put_number(out, "Alloc", m.live, ",");
    put_number(out, "TotalAlloc", m.alloc_bytes, ",");
    put_number(out, "Sys", m.rss, ",");
    put_number(out, "Mallocs", m.allocs, ",");
    put_number(out, "Frees", m.frees, ",");
    put_number(out, "HeapAlloc", m.live, ",");
    put_number(out, "HeapSys", m.held, ",");
    put_number(out, "HeapIdle", idle, ",");
    put_number(out, "HeapInuse", m.live, ",");
    put_number(out, "HeapObjects", m.allocs - m.frees, ",");
    put_number(out, "BuckHashSys", m.own, ",");
    put_number(out, "MaxRSS", m.peak_rss, "}");
    vars_put(out);
    errors_put(out);
    buf_puts(out, "\n}\n");
}

static void put_heap(struct buf *out)
{
    if (!heap_is_on()) {
        buf_puts(out, "null");
        return;
    }
    buf_putc(out, '{');
    put_number(out, "rate_bytes", heap_rate(), ",");
    put_number(out, "sites", heap_count(), ",");
    put_number(out, "lost", atomic_load(&heap.tab->lost), ",");
    put_number(out, "truncated", atomic_load(&heap.tab->truncated), ",");
    put_number(out, "live_bytes", atomic_load(&heap.tab->live_bytes), ",");
    put_number(out, "peak_bytes", atomic_load(&heap.tab->peak_bytes), ",");
    put_number(out, "memory_bytes", heap_memory(), "}");
}

static void put_cpu(struct buf *out)
{
    uint64_t samples = atomic_load(&rt.sampled_points), cost = atomic_load(&rt.cost_ns);
    if (!runtime_is_sampling() || !(rt.kinds & SHM_KIND_CPU)) {
        buf_puts(out, "null");
        return;
    }
    buf_printf(out, "{\"backend\":\"%s\",", taskclock_backend_name(rt.clock.backend));
    put_number(out, "hz", 1000000000 / rt.period_ns, ",");
    put_number(out, "samples", samples, ",");
    put_number(out, "lost", rt.table ? stacktab_lost(rt.table) : 0, ",");
    put_number(out, "truncated", atomic_load(&rt.truncated_points), ",");
    put_number(out, "threads_lost", atomic_load(&rt.threads_lost), ",");
    put_number(out, "cost_ns", cost, ",");
    put_number(out, "cost_ns_per_sample", samples ? cost / samples : 0, "}");
}

static void put_waits(struct buf *out)
{
    if (!waits_has_log()) {
        buf_puts(out, "null");
        return;
    }
    buf_putc(out, '{');
    put_number(out, "block_rate_ns", atomic_load(&waits.block_rate), ",");
    put_number(out, "mutex_fraction", atomic_load(&waits.mutex_fraction), ",");
    put_number(out, "block_stacks", contention_count_block(), ",");
    put_number(out, "mutex_stacks", contention_count_mutex(), ",");
    put_number(out, "lost", waits_lost(), ",");
    put_number(out, "truncated", atomic_load(&waits.sites.tab->truncated), ",");
    put_number(out, "memory_bytes", sites_memory(&waits.sites), "}");
}

/* What all other processes of the tree have, where there are any, or were. */
static void put_tree(struct buf *out)
{
    struct tree_sums s;
    tree_sum(&s);
    if (!s.processes && !s.ended) {
        buf_puts(out, "null");
        return;
    }
    buf_putc(out, '{');
    put_number(out, "other_processes", s.processes, ",");
    put_number(out, "ended_processes", s.ended, ",");
    put_number(out, "threads", s.threads, ",");
    put_number(out, "threads_made", s.creations, ",");
    buf_puts(out, "\"heap\":{");
    put_number(out, "sites", s.heap_sites, ",");
    put_number(out, "lost", s.heap_lost, ",");
    put_number(out, "truncated", s.heap_truncated, ",");
    put_number(out, "live_bytes", s.heap_live_bytes, "},");
    buf_puts(out, "\"waits\":{");
    put_number(out, "block_stacks", s.block_stacks, ",");
    put_number(out, "mutex_stacks", s.mutex_stacks, ",");
    put_number(out, "lost", s.waits_lost, ",");
    put_number(out, "truncated", s.waits_truncated, "},");
    put_number(out, "memory_bytes", s.memory_bytes, "}");
}

void http_serve_state(const struct http_request *r, struct http_answer *a)
{
    (void)r;
    struct buf *out = &a->body;
    a->type = json_type;
    buf_puts(out, "{\n\"version\": \"" STROBE_VERSION "\",\n\"program\": ");
    http_put_string(out, rt.exe, strlen(rt.exe));
    buf_printf(out, ",\n\"pid\": %u,\n\"threads\": %llu,\n\"modules\": %u,\n\"cpu\": ", rt.pid,
               (unsigned long long)thread_dumps_count(), atomic_load(&rt.module_count));
    put_cpu(out);
    buf_puts(out, ",\n\"heap\": ");
    put_heap(out);
    buf_puts(out, ",\n\"waits\": ");
    put_waits(out);
    buf_puts(out, ",\n\"tree\": ");
    put_tree(out);
    buf_puts(out, "\n}\n");
}
