/* SPDX-License-Identifier: MIT
 *
 * Malformed call frame information: the input is mapped as a module whose first byte is its
 * .eh_frame_hdr, and looked at from a stack that is part of the input, too. Lookups, rows,
 * expressions and whole walks must end, inside the bounds; a sanitizer sees it if they do not. */
#include "unwind/cfi.h"
#include "unwind/unwind.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STACK 512
#define MAX   64

static void require(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fuzz_eh_frame: %s\n", what);
        abort();
    }
}

static void look_up(const struct unwind_module *module, uintptr_t pc,
                    const struct unwind_regs *regs, const struct unwind_bounds *bounds)
{
    struct cfi_fde fde;
    struct cfi_row row;
    struct span expr;
    uint64_t value;
    if (cfi_find(module, pc, &fde) < 0)
        return;
    require(pc >= fde.start && pc < fde.end, "an FDE that does not cover the address");
    if (cfi_row_at(&fde, pc, &row) < 0)
        return;
    require(row.cfa_reg == CFI_CFA_EXPR || row.cfa_reg < UNWIND_REGS, "a CFA of no register");
    if (row.cfa_reg == CFI_CFA_EXPR && cfi_expression(&fde, row.cfa_expr, &expr) == 0) {
        require(expr.lo >= fde.seg.lo && expr.hi <= fde.seg.hi, "an expression outside");
        cfi_evaluate(&expr, regs, bounds, NULL, &value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct unwind_cache *cache;
    if (size < STACK + 64)
        return 0;
    if (!cache)
        cache = aligned_alloc(64, (unwind_cache_size() + 63) / 64 * 64);
    memset(cache, 0, unwind_cache_size());

    /* Exact allocations, so that a sanitizer knows where they end. */
    size_t image_size = size - STACK;
    uint8_t *image = malloc(image_size), *stack = malloc(STACK);
    uint64_t pcs[MAX];
    memcpy(image, data + STACK, image_size);
    memcpy(stack, data, STACK);
    struct unwind_module module = {(uintptr_t)image, (uintptr_t)image + image_size, image, NULL};
    struct unwind_modules modules = {1, &module};
    struct unwind_config config = {.no_find_object = 1};
    unwind_cache_init(cache, &config);
    unwind_set_modules(cache, &modules);

    struct unwind_bounds bounds = {(uintptr_t)stack, (uintptr_t)stack + STACK, NULL};
    struct unwind_regs regs;
    for (size_t offset = 0; offset < image_size; offset += image_size / 16 + 1) {
        for (int i = 0; i < UNWIND_REGS; i++)
            regs.r[i] = (uintptr_t)stack + 16u * (unsigned)i;
        regs.r[UNWIND_PC] = (uintptr_t)image + offset;
        regs.r[UNWIND_SP] = (uintptr_t)stack;
        look_up(&module, regs.r[UNWIND_PC], &regs, &bounds);
        struct unwind_trace trace = {.pcs = pcs, .max = MAX};
        unwind_walk(cache, &regs, &bounds, &trace);
        require(trace.depth <= MAX && trace.depth >= 1, "a depth out of range");
        require(trace.end != UNWIND_TRUNCATED || trace.reason != UNWIND_NONE, "no reason");
    }
    free(image);
    free(stack);
    return 0;
}
