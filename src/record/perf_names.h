/* SPDX-License-Identifier: MIT
 *
 * Names of code that is in no file: the kernel's (/proc/kallsyms) and what JIT compilers list in
 * /tmp/perf-PID.map. Read when a recording ends, as perf does. */
#ifndef RECORD_PERF_NAMES_H
#define RECORD_PERF_NAMES_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct perf_name {
    uint64_t start, end; /* end UINT64_MAX: up to the next */
    const char *name;    /* in the text it was read from, NUL-terminated */
    uint32_t order;      /* later lines replace earlier ones */
};

struct perf_names {
    struct arena arena;
    struct perf_name *list; /* sorted by start */
    uint32_t count;
};

/* Whether an address is the kernel's. */
static inline bool perf_is_kernel(uint64_t pc)
{
    return pc >> 63;
}

/* Takes apart a text in the form of /proc/kallsyms ("START TYPE NAME", hexadecimal), or of a perf
 * map ("START SIZE NAME"). The text is copied. Lines that are neither are passed over. */
void perf_names_parse(struct perf_names *n, const char *text, size_t size, bool kernel);
/* The kernel's; empty where the system hides addresses (kernel.kptr_restrict). */
void perf_names_read_kernel(struct perf_names *n);
/* Of a process, as it is itself called in its own namespace, from its own /tmp. A copy that was
 * opened before the process ended may be given (-1: none). */
void perf_names_read_map(struct perf_names *n, int fd);
/* Opens that file, if the process has one that belongs to it or to root; -1: it has not. */
int perf_names_open_map(uint32_t pid);
void perf_names_free(struct perf_names *n);

/* The name of an address, or NULL. */
const char *perf_names_find(const struct perf_names *n, uint64_t pc);

#endif
