/* SPDX-License-Identifier: MIT
 *
 * A malformed table of Go's functions. The first eight bytes are the address of the inlined calls'
 * data, which lie in the input as well; then comes the table. Every function in it, and addresses
 * inside and outside, are looked up. */
#include "symbol/pclntab.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAMES 16

struct input {
    const uint8_t *data;
    size_t size;
};

/* Every address is one in the input. */
static const uint8_t *at(const void *ctx, uint64_t vaddr, size_t *size)
{
    const struct input *in = ctx;
    if (vaddr >= in->size)
        return NULL;
    *size = in->size - (size_t)vaddr;
    return in->data + vaddr;
}

static void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_pclntab: %s\n", what);
        abort();
    }
}

static void look_up(const struct pclntab *t, uint64_t pc)
{
    struct pclntab_func fn;
    struct pclntab_frame frames[FRAMES];
    int32_t delta;
    if (!pclntab_find(t, pc, &fn))
        return;
    require(pc >= fn.entry && pc < fn.end, "a function that does not cover the address");
    require(fn.name[0] != 0, "a function without a name");
    uint32_t n = pclntab_frames(t, &fn, pc, frames, FRAMES);
    require(n >= 1 && n <= FRAMES, "a number of frames out of range");
    for (uint32_t i = 0; i < n; i++) {
        require(frames[i].name != NULL, "a frame without a name");
        require(strlen(frames[i].name) < t->size, "a name that is not in the table");
        require(!frames[i].file || strlen(frames[i].file) < t->size, "a file that is not there");
    }
    require(frames[n - 1].name == fn.name || n == FRAMES, "the last frame is another function");
    if (pclntab_sp_delta(t, &fn, pc, &delta))
        require(delta >= 0, "a frame below its callee");
    pclntab_edge(&fn);
    pclntab_is_wrapper(t, &fn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pclntab t;
    struct pclntab_func fn;
    uint64_t gofunc, low, high;
    if (size < 8)
        return 0;
    memcpy(&gofunc, data, sizeof gofunc);
    /* An exact allocation, so that a sanitizer knows where it ends. */
    struct input in = {malloc(size - 8), size - 8};
    memcpy((uint8_t *)in.data, data + 8, in.size);
    struct pclntab_memory memory = {at, &in};
    if (pclntab_open_bytes(&t, in.data, in.size, &memory)) {
        t.gofunc = gofunc;
        pclntab_learn(&t);
        pclntab_named(&t, "main.main", 9, &fn);
        if (pclntab_range(&t, &low, &high))
            for (uint64_t i = 0; i < 64; i++)
                look_up(&t, low + (high - low) / 64 * i + i);
        look_up(&t, 0);
        look_up(&t, UINT64_MAX);
    }
    free((uint8_t *)in.data);
    return 0;
}
