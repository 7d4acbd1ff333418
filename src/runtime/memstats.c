/* SPDX-License-Identifier: MIT
 *
 * Memory in numbers. glibc is asked by mallinfo2, jemalloc by mallctl; of other allocators only the
 * heap profile knows something. */
#include "runtime/memstats.h"

#include "base/sigsafe.h"
#include "runtime/heap.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef int (*mallctl_fn)(const char *, void *, size_t *, void *, size_t);

static bool is_glibc(void)
{
    return !heap.real.malloc || heap.is_glibc;
}

static mallctl_fn find_mallctl(void)
{
    mallctl_fn f = NULL;
    void *found = is_glibc() ? NULL : dlsym(RTLD_DEFAULT, "mallctl");
    memcpy(&f, &found, sizeof f);
    return f;
}

static uint64_t ask(mallctl_fn f, const char *name)
{
    size_t value = 0, size = sizeof value;
    return f(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

static void read_allocator(struct memstats *m)
{
    mallctl_fn ctl = find_mallctl();
    if (is_glibc()) {
        struct mallinfo2 info = mallinfo2();
        m->live = info.uordblks + info.hblkhd;
        m->held = info.arena + info.hblkhd;
        m->exact = true;
    } else if (ctl) {
        uint64_t epoch = 1;
        size_t size = sizeof epoch;
        ctl("epoch", &epoch, &size, &epoch, size);
        m->live = ask(ctl, "stats.allocated");
        m->held = ask(ctl, "stats.resident");
        m->exact = m->live != 0;
    }
}

/* /proc/self/statm: pages of address space, and of memory. */
static void read_process(struct memstats *m)
{
    char text[128];
    struct rusage usage;
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    char *at = text;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    m->virtual = strtoull(at, &at, 10) * page;
    m->rss = strtoull(at, &at, 10) * page;
    getrusage(RUSAGE_SELF, &usage);
    m->peak_rss = (uint64_t)usage.ru_maxrss * 1024;
}

static void read_profile(struct memstats *m)
{
    struct heaptab_values v;
    for (const struct heaptab_site *s = NULL; (s = sites_next(&heap.sites, s));) {
        heaptab_read(heap.tab, s, false, &v);
        m->allocs += v.alloc_objects;
        m->frees += v.alloc_objects - v.inuse_objects;
        m->alloc_bytes += v.alloc_bytes;
        m->live += m->exact ? 0 : v.inuse_bytes;
    }
    m->own = heap_memory();
    if (!m->exact && m->held < m->live)
        m->held = m->live;
}

void memstats_read(struct memstats *m)
{
    memset(m, 0, sizeof *m);
    read_allocator(m);
    read_process(m);
    read_profile(m);
}

void memstats_put_text(struct buf *out)
{
    struct memstats m;
    memstats_read(&m);
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {
        {"Alloc", m.live},
        {"TotalAlloc", m.alloc_bytes},
        {"Sys", m.rss},
        {"Lookups", 0},
        {"Mallocs", m.allocs},
        {"Frees", m.frees},
        {"HeapAlloc", m.live},
        {"HeapSys", m.held},
        {"HeapIdle", m.held - (m.live < m.held ? m.live : m.held)},
        {"HeapInuse", m.live},
        {"HeapReleased", 0},
        {"HeapObjects", m.allocs - m.frees},
        {"BuckHashSys", m.own},
        {"OtherSys", m.rss - (m.held < m.rss ? m.held : m.rss)},
    };
    buf_puts(out, "\n# runtime.MemStats\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        buf_printf(out, "# %s = %llu\n", lines[i].name, (unsigned long long)lines[i].value);
    buf_printf(out, "# MaxRSS = %llu\n", (unsigned long long)m.peak_rss);
}

void memstats_trim(void)
{
    mallctl_fn ctl = find_mallctl();
    if (is_glibc())
        malloc_trim(0);
    else if (ctl)
        ctl("arena.4096.purge", NULL, NULL, NULL, 0);
}
