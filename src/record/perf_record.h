/* SPDX-License-Identifier: MIT
 *
 * What the kernel writes into a perf_event ring, taken apart. The records are those of the one
 * event that perf_open.c asks for; the layout is linux/perf_event.h's. The bytes are treated as
 * foreign: whatever they say, nothing outside of them is read. */
#ifndef RECORD_PERF_RECORD_H
#define RECORD_PERF_RECORD_H

#include "unwind/unwind.h"

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a sample holds, beyond ip, tid, time, call chain, registers and stack. */
struct perf_format {
    bool read; /* the thread's count */
};

#define PERF_SAMPLE_TYPE                                                                           \
    (PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_CALLCHAIN |                 \
     PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER)

/* The registers of the unwinder, as the kernel's numbers (asm/perf_regs.h). */
extern const uint64_t perf_regs_mask;

/* One record. Pointers lead into the bytes that were given. */
struct perf_record {
    uint32_t type; /* PERF_RECORD_* */
    uint32_t pid, tid;
    uint64_t time_ns; /* CLOCK_MONOTONIC; 0: the record has none */
    union {
        struct {
            uint64_t ip,
                count; /* count: the thread's CPU time in this event, if the format has it */
            const uint64_t *chain; /* as the kernel has it, with PERF_CONTEXT_* in it */
            uint32_t chain_count;
            bool kernel;   /* the thread was in the kernel */
            bool has_regs; /* it has user registers, of a 64-bit program */
            bool narrow;   /* of a 32-bit one */
            struct unwind_regs regs;
            const uint8_t *stack; /* from regs.r[UNWIND_SP] up */
            uint32_t stack_bytes;
        } sample;
        struct {
            uint64_t start, length, offset, inode;
            uint32_t major, minor;
            const char *path; /* NUL-terminated */
        } map;
        struct {
            uint32_t ppid, ptid;
        } fork; /* and exit */
        struct {
            const char *name;
            bool exec;
        } comm;
        struct {
            uint64_t count;
        } lost;
    };
};

/* The size of the record at `bytes` (of which `size` may be read), or 0 if there is no whole one.
 */
uint32_t perf_record_size(const uint8_t *bytes, size_t size);

/* Takes apart the record of `size` bytes, 8-byte aligned. False: it is malformed. A type that is
 * not known is fine and has only its type. */
bool perf_record_parse(const struct perf_format *format, const uint8_t *bytes, uint32_t size,
                       struct perf_record *r);

#endif
