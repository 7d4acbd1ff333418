/* SPDX-License-Identifier: MIT
 *
 * A ring of damaged perf_event records, as the recorder takes it apart. The first byte says whether
 * samples carry a count. */
#include "record/perf_names.h"
#include "record/perf_record.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_perf_record: %s\n", what);
        abort();
    }
}

static int lies_in(const void *p, size_t n, const uint8_t *bytes, size_t size)
{
    const uint8_t *q = p;
    return q >= bytes && n <= size && (size_t)(q - bytes) <= size - n;
}

static void check(const struct perf_record *r, const uint8_t *bytes, size_t size)
{
    if (r->type == PERF_RECORD_SAMPLE) {
        require(lies_in(r->sample.chain, r->sample.chain_count * 8ull, bytes, size),
                "a call chain outside of the record");
        for (uint32_t i = 0; i < r->sample.chain_count; i++)
            (void)*(const volatile uint64_t *)&r->sample.chain[i]; /* a sanitizer sees it */
        require(!r->sample.stack || lies_in(r->sample.stack, r->sample.stack_bytes, bytes, size),
                "a stack outside of the record");
        require(r->sample.stack || !r->sample.stack_bytes, "a stack that is not there");
    }
    if (r->type == PERF_RECORD_MMAP2) {
        require(lies_in(r->map.path, strlen(r->map.path) + 1, bytes, size), "a path outside");
        require(r->map.start + r->map.length >= r->map.start, "a mapping that goes around");
    }
    if (r->type == PERF_RECORD_COMM)
        require(lies_in(r->comm.name, strlen(r->comm.name) + 1, bytes, size), "a name outside");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct perf_names names;
    struct perf_record r;
    if (size < 1)
        return 0;
    struct perf_format format = {data[0] & 1};
    /* Records are aligned to eight bytes, and exact allocations show a sanitizer their end. */
    for (size_t at = 1, n; at < size; at += n) {
        n = perf_record_size(data + at, size - at);
        if (!n)
            break;
        uint8_t *copy = malloc(n);
        memcpy(copy, data + at, n);
        if (perf_record_parse(&format, copy, (uint32_t)n, &r))
            check(&r, copy, n);
        free(copy);
    }
    perf_names_parse(&names, (const char *)data, size, data[0] & 2);
    for (uint32_t i = 0; i < names.count && i < 64; i++)
        require(perf_names_find(&names, names.list[i].start) != NULL, "an entry is not found");
    perf_names_find(&names, 0);
    perf_names_find(&names, UINT64_MAX);
    perf_names_free(&names);
    return 0;
}
