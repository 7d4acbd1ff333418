/* SPDX-License-Identifier: MIT
 *
 * Call frame information: from an address to its FDE, from an FDE to the row of rules which holds
 * at an address, and DWARF expressions. Sources: DWARF 5 section 6.4; Linux Standard Base core,
 * "Exception Frames" (.eh_frame, .eh_frame_hdr, pointer encodings). Handler-safe; every read lies
 * inside the segment that holds the information, all loops are bounded by it.
 *
 * Functions return 0 or a negative enum unwind_reason. */
#ifndef UNWIND_CFI_H
#define UNWIND_CFI_H

#include "unwind/module.h"
#include "unwind/unwind.h"

#include <stdint.h>

/* What many FDEs have in common. */
struct cfi_cie {
    struct span ops; /* call frame instructions */
    uint64_t code_align;
    int64_t data_align;
    uint32_t ra_column;
    uint8_t encoding; /* of code addresses, DW_EH_PE_* */
    uint8_t is_signal;
    uint8_t is_augmented; /* its FDEs have augmentation data */
};

/* An FDE together with its CIE. */
struct cfi_fde {
    struct span seg;      /* the mapped segment the entry lies in */
    uintptr_t start, end; /* code it describes */
    struct span ops;      /* call frame instructions */
    struct cfi_cie cie;
};

/* A module's search table, as its .eh_frame_hdr says, and the CIE that was parsed last. It holds as
 * long as the module does. */
struct cfi_table {
    struct unwind_module module;
    struct span seg; /* the mapped segment that .eh_frame_hdr lies in */
    uintptr_t hdr, eh_frame;
    const void *entries; /* pairs of int32 (code, FDE) as offsets from hdr; NULL: no usable ones */
    uint64_t count;
    const uint8_t *cie_at; /* NULL: none yet */
    struct cfi_cie cie;
};

enum cfi_kind {
    CFI_UNSPECIFIED, /* no rule was given: unchanged */
    CFI_SAME,
    CFI_UNDEFINED,
    CFI_OFFSET,     /* at CFA + value */
    CFI_VAL_OFFSET, /* is CFA + value */
    CFI_REGISTER,   /* in register `value` */
    CFI_EXPR,       /* at the address that the expression yields */
    CFI_VAL_EXPR    /* is what the expression yields */
};

/* The rules at one address. An expression is given as the offset of its length (ULEB128) from
 * seg.lo of the FDE. Small on purpose: several of them lie on the stack of a signal handler. */
struct cfi_row {
    uintptr_t start, end; /* the row holds from here up to there */
    uint32_t cfa_reg;     /* CFI_CFA_EXPR: the CFA is what cfa_expr yields */
    int32_t cfa_offset, cfa_expr;
    int32_t value[UNWIND_REGS];
    uint8_t kind[UNWIND_REGS]; /* enum cfi_kind */
};

#define CFI_CFA_EXPR 0xffffffffu

/* Reads the module's .eh_frame_hdr. -UNWIND_NO_FDE if there is none. */
int cfi_open(const struct unwind_module *module, struct cfi_table *table);

/* Finds the FDE of `pc`. -UNWIND_NO_FDE if nothing covers it. */
int cfi_search(struct cfi_table *table, uintptr_t pc, struct cfi_fde *fde);

/* Both, for one address. */
int cfi_find(const struct unwind_module *module, uintptr_t pc, struct cfi_fde *fde);

/* Parses the FDE at `at`, which lies inside `seg`. -UNWIND_NO_FDE if this is a CIE or terminator.
 */
int cfi_parse(const struct span *seg, const uint8_t *at, struct cfi_fde *fde);

/* The row at `pc`, which lies in [fde->start, fde->end). */
int cfi_row_at(const struct cfi_fde *fde, uintptr_t pc, struct cfi_row *row);

/* The same, but of the columns only the frame pointer's, the stack pointer's and UNWIND_PC are
 * right: what a rule of the cache is made of, in half the time. */
int cfi_brief_row_at(const struct cfi_fde *fde, uintptr_t pc, struct cfi_row *row);

/* The bytes of the expression at `offset` of a row of `fde`. */
int cfi_expression(const struct cfi_fde *fde, int32_t offset, struct span *expr);

/* Evaluates an expression. `initial` is pushed first if not NULL (the CFA). Memory is read inside
 * `bounds` only. */
int cfi_evaluate(const struct span *expr, const struct unwind_regs *regs,
                 const struct unwind_bounds *bounds, const uint64_t *initial, uint64_t *result);

#endif
