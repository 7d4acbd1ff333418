/* SPDX-License-Identifier: MIT
 *
 * See perf_record.h. A cursor with sticky failure, as everywhere where bytes are foreign. */
#include "record/perf_record.h"

#include <string.h>

#if defined(__x86_64__)
/* By the kernel's numbers (AX BX CX DX SI DI BP SP IP, then R8 to R15 from 16 on), in DWARF's. */
static const uint8_t dwarf_of[UNWIND_REGS] = {0, 3, 2,  1,  4,  5,  6,  7, 16,
                                              8, 9, 10, 11, 12, 13, 14, 15};
const uint64_t perf_regs_mask = 0xff01ff;
#else
#error "registers of this machine are not known"
#endif

struct reader {
    const uint8_t *at;
    size_t left;
    bool bad;
};

static const void *take(struct reader *r, uint64_t n)
{
    const uint8_t *p = r->at;
    if (r->bad || n > r->left) {
        r->bad = true;
        return NULL;
    }
    r->at += n;
    r->left -= n;
    return p;
}

static uint64_t take64(struct reader *r)
{
    uint64_t v = 0;
    const void *p = take(r, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t take32(struct reader *r)
{
    uint32_t v = 0;
    const void *p = take(r, sizeof v);
    if (p)
        memcpy(&v, p, sizeof v);
    return v;
}

uint32_t perf_record_size(const uint8_t *bytes, size_t size)
{
    struct perf_event_header h;
    if (size < sizeof h)
        return 0;
    memcpy(&h, bytes, sizeof h);
    return h.size >= sizeof h && h.size % 8 == 0 && h.size <= size ? h.size : 0;
}

static void take_regs(struct reader *in, struct perf_record *r)
{
    uint64_t abi = take64(in);
    if (abi == PERF_SAMPLE_REGS_ABI_NONE)
        return;
    for (int i = 0; i < UNWIND_REGS; i++)
        r->sample.regs.r[dwarf_of[i]] = take64(in);
    r->sample.has_regs = abi == PERF_SAMPLE_REGS_ABI_64;
    r->sample.narrow = abi == PERF_SAMPLE_REGS_ABI_32;
}

static void take_stack(struct reader *in, struct perf_record *r)
{
    uint64_t size = take64(in);
    if (!size)
        return;
    r->sample.stack = take(in, size);
    uint64_t valid = take64(in);
    r->sample.stack_bytes = (uint32_t)(valid < size ? valid : size);
}

static void parse_sample(const struct perf_format *format, struct reader *in, uint16_t misc,
                         struct perf_record *r)
{
    r->sample.kernel = (misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL;
    r->sample.ip = take64(in);
    r->pid = take32(in);
    r->tid = take32(in);
    r->time_ns = take64(in);
    if (format->read)
        r->sample.count = take64(in);
    uint64_t count = take64(in);
    if (count > in->left / 8) {
        in->bad = true;
        return;
    }
    r->sample.chain = take(in, count * 8);
    r->sample.chain_count = (uint32_t)count;
    take_regs(in, r);
    take_stack(in, r);
}

/* Up to the NUL, which must come. */
static const char *take_text(struct reader *in)
{
    const char *p = (const char *)in->at;
    size_t n = strnlen(p, in->left);
    return n < in->left ? take(in, n + 1) : take(in, in->left + 1);
}

static void parse_map(struct reader *in, struct perf_record *r)
{
    r->pid = take32(in);
    r->tid = take32(in);
    r->map.start = take64(in);
    r->map.length = take64(in);
    r->map.offset = take64(in);
    r->map.major = take32(in);
    r->map.minor = take32(in);
    r->map.inode = take64(in);
    take64(in); /* generation of the inode */
    take64(in); /* protection and flags */
    r->map.path = take_text(in);
    if (r->map.length > UINT64_MAX - r->map.start)
        in->bad = true;
}

static void parse_task(struct reader *in, struct perf_record *r)
{
    r->pid = take32(in);
    r->fork.ppid = take32(in);
    r->tid = take32(in);
    r->fork.ptid = take32(in);
    take64(in); /* a time, which stands at the end as well */
}

bool perf_record_parse(const struct perf_format *format, const uint8_t *bytes, uint32_t size,
                       struct perf_record *r)
{
    struct perf_event_header h;
    struct reader in = {bytes, size, false};
    memset(r, 0, sizeof *r);
    const void *head = take(&in, sizeof h);
    if (!head)
        return false;
    memcpy(&h, head, sizeof h);
    r->type = h.type;
    if (h.type == PERF_RECORD_SAMPLE) {
        parse_sample(format, &in, h.misc, r);
        return !in.bad;
    }
    /* All others end with pid, tid and time of whoever caused them (sample_id_all). */
    struct reader tail = {bytes + size - 8, 8, size < sizeof h + 16};
    r->time_ns = take64(&tail);
    if (tail.bad)
        return false;
    in.left -= 16;
    switch (h.type) {
    case PERF_RECORD_MMAP2: parse_map(&in, r); break;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT: parse_task(&in, r); break;
    case PERF_RECORD_COMM:
        r->pid = take32(&in);
        r->tid = take32(&in);
        r->comm.name = take_text(&in);
        r->comm.exec = h.misc & PERF_RECORD_MISC_COMM_EXEC;
        break;
    case PERF_RECORD_LOST:
        take64(&in); /* which event */
        r->lost.count = take64(&in);
        break;
    case PERF_RECORD_LOST_SAMPLES: r->lost.count = take64(&in); break;
    default: break;
    }
    return !in.bad;
}
