/* SPDX-License-Identifier: MIT
 *
 * See perf_names.h. Both are texts of lines; a perf map is written by the sampled program, so it is
 * as foreign as any input. JIT compilers put new code where old code was: of two entries that cover
 * an address the later line is right. */
#include "record/perf_names.h"

#include "base/limits.h"
#include "base/sort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Entries that are looked back over for one that covers an address. */
#define LOOK_BACK 64

static int by_start(const void *a, const void *b)
{
    const struct perf_name *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* The kernel's functions: text symbols only. "NAME\t[module]" keeps its module. */
static bool parse_kernel(struct perf_name *n, uint64_t start, char *rest)
{
    char type = *rest;
    if ((type != 't' && type != 'T' && type != 'w' && type != 'W') || rest[1] != ' ' || !start)
        return false;
    *n = (struct perf_name){.start = start, .end = UINT64_MAX, .name = rest + 2};
    char *tab = strchr(rest + 2, '\t');
    if (tab)
        *tab = ' ';
    return rest[2] != 0;
}

static bool parse_jit(struct perf_name *n, uint64_t start, char *rest)
{
    char *end;
    uint64_t size = strtoull(rest, &end, 16);
    if (end == rest || *end != ' ' || !size || size > UINT64_MAX - start)
        return false;
    *n = (struct perf_name){.start = start, .end = start + size, .name = end + 1};
    return end[1] != 0;
}

void perf_names_parse(struct perf_names *n, const char *text, size_t size, bool kernel)
{
    uint32_t cap = 0;
    arena_init(&n->arena);
    n->list = NULL;
    n->count = 0;
    char *copy = arena_strndup(&n->arena, text, size), *next;
    for (char *line = copy; line < copy + size && n->count < UINT32_MAX / 4; line = next) {
        next = line + strcspn(line, "\n");
        *next++ = 0;
        char *rest;
        struct perf_name one;
        uint64_t start = strtoull(line, &rest, 16);
        if (rest == line || *rest != ' ' ||
            !(kernel ? parse_kernel(&one, start, rest + 1) : parse_jit(&one, start, rest + 1)))
            continue;
        if (n->count == cap) {
            uint32_t more = cap ? cap * 2 : 1024;
            n->list = arena_grow(&n->arena, n->list, cap * sizeof *n->list, more * sizeof *n->list);
            cap = more;
        }
        one.order = n->count;
        n->list[n->count++] = one;
    }
    if (n->count)
        sort_list(n->list, n->count, sizeof *n->list, by_start);
}

static void read_all(struct perf_names *n, int fd, bool kernel)
{
    size_t size = 0, cap = 1u << 20;
    char *text = malloc(cap);
    ssize_t got = 1;
    while (text && size < LIMIT_PERF_MAP_BYTES) {
        got = pread(fd, text + size, cap - size, (off_t)size);
        if (got <= 0)
            break;
        size += (size_t)got;
        if (size == cap) {
            char *more = realloc(text, cap * 2);
            if (!more)
                break;
            text = more;
            cap *= 2;
        }
    }
    perf_names_parse(n, text ? text : "", text ? size : 0, kernel);
    free(text);
}

void perf_names_read_kernel(struct perf_names *n)
{
    int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
    *n = (struct perf_names){0};
    if (fd < 0)
        return;
    read_all(n, fd, true);
    close(fd);
}

/* The process's number in its own, innermost pid namespace. */
static uint32_t inner_pid(uint32_t pid)
{
    char path[64], line[256];
    uint32_t inner = pid;
    snprintf(path, sizeof path, "/proc/%u/status", pid);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "NSpid:", 6)) {
            line[strcspn(line, "\n")] = 0;
            char *last = strrchr(line, '\t');
            inner = last ? (uint32_t)strtoul(last + 1, NULL, 10) : pid;
        }
    if (f)
        fclose(f);
    return inner;
}

/* /tmp is everybody's: what another user put there under this name is not the program's. */
static int open_of(const char *path, uid_t owner)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0 &&
        (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || (st.st_uid != owner && st.st_uid != 0))) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int perf_names_open_map(uint32_t pid)
{
    char path[96], self[64];
    struct stat owner;
    snprintf(self, sizeof self, "/proc/%u", pid);
    if (stat(self, &owner) == 0) {
        snprintf(path, sizeof path, "/proc/%u/root/tmp/perf-%u.map", pid, inner_pid(pid));
        return open_of(path, owner.st_uid);
    }
    /* It has ended: what it left, if it was ours and in no container. */
    snprintf(path, sizeof path, "/tmp/perf-%u.map", pid);
    return open_of(path, geteuid());
}

void perf_names_read_map(struct perf_names *n, int fd)
{
    *n = (struct perf_names){0};
    if (fd >= 0)
        read_all(n, fd, false);
}

void perf_names_free(struct perf_names *n)
{
    arena_free(&n->arena);
    *n = (struct perf_names){0};
}

const char *perf_names_find(const struct perf_names *n, uint64_t pc)
{
    uint32_t lo = 0, hi = n->count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (n->list[mid].start <= pc)
            lo = mid + 1;
        else
            hi = mid;
    }
    const struct perf_name *best = NULL;
    for (uint32_t k = 0; k < LOOK_BACK && k < lo; k++) {
        const struct perf_name *x = &n->list[lo - 1 - k];
        if (x->end == UINT64_MAX) /* the kernel's: the nearest one */
            return x->name;
        if (pc < x->end && (!best || x->order > best->order))
            best = x;
    }
    return best ? best->name : NULL;
}
