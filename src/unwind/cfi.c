/* SPDX-License-Identifier: MIT
 *
 * Finds and parses FDEs, and runs their instructions up to one address: what a cache miss costs.
 * Nothing is built or kept, so that it can run inside a signal handler at any moment; speed comes
 * from the cache in front of it. Runs in handlers. */
#include "unwind/cfi.h"
#include "unwind/arch.h"
#include "unwind/cursor.h"
#include "unwind/dwarf.h"

/* remember_state may nest this deep; compilers do not nest it at all. */
#define STATES 4
/* Entries visited where .eh_frame_hdr has no usable search table. */
#define LINEAR_ENTRIES 65536

struct machine {
    const struct cfi_fde *fde;
    uintptr_t loc;
    uint32_t depth;
    int brief; /* see cfi_brief_row_at */
    struct cfi_row *row;
    struct cfi_row initial; /* what the CIE's instructions left: DW_CFA_restore goes back to it */
    struct cfi_row saved[STATES];
};

static void copy_column(struct cfi_row *to, const struct cfi_row *from, unsigned i)
{
    to->value[i] = from->value[i];
    to->kind[i] = from->kind[i];
}

static int is_brief_column(uint64_t i)
{
    return i == UNWIND_BP || i == UNWIND_SP || i == UNWIND_PC || i == ARCH_EH_DATA;
}

static void clear_column(struct cfi_row *row, unsigned i)
{
    row->value[i] = 0;
    row->kind[i] = CFI_UNSPECIFIED;
}

static void clear_columns(struct cfi_row *row, int brief)
{
    clear_column(row, UNWIND_BP);
    clear_column(row, UNWIND_SP);
    clear_column(row, UNWIND_PC);
    clear_column(row, ARCH_EH_DATA);
    for (unsigned i = 0; i < UNWIND_REGS && !brief; i++)
        clear_column(row, i);
}

/* `brief`: only what a rule of the cache is made of. */
static void copy_row(struct cfi_row *to, const struct cfi_row *from, int brief)
{
    to->cfa_reg = from->cfa_reg;
    to->cfa_offset = from->cfa_offset;
    to->cfa_expr = from->cfa_expr;
    copy_column(to, from, UNWIND_BP);
    copy_column(to, from, UNWIND_SP);
    copy_column(to, from, UNWIND_PC);
    copy_column(to, from, ARCH_EH_DATA);
    for (unsigned i = 0; i < UNWIND_REGS && !brief; i++)
        copy_column(to, from, i);
}

static uint64_t read_encoded(struct cursor *c, uint8_t encoding, uint64_t data_base)
{
    uint64_t field = (uintptr_t)c->at, v = 0;
    switch (encoding & 0x0f) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8: v = cursor_u64(c); break;
    case DW_EH_PE_uleb128: v = cursor_uleb(c); break;
    case DW_EH_PE_udata2: v = cursor_u16(c); break;
    case DW_EH_PE_udata4: v = cursor_u32(c); break;
    case DW_EH_PE_sleb128: v = (uint64_t)cursor_sleb(c); break;
    case DW_EH_PE_sdata2: v = (uint64_t)(int64_t)(int16_t)cursor_u16(c); break;
    case DW_EH_PE_sdata4: v = (uint64_t)(int64_t)(int32_t)cursor_u32(c); break;
    default: c->bad = 1; return 0;
    }
    switch (encoding & 0xf0) {
    case 0: return v;
    case DW_EH_PE_pcrel: return field + v;
    case DW_EH_PE_datarel: return data_base + v;
    default: c->bad = 1; return 0; /* textrel, funcrel, aligned, indirect: not used for code */
    }
}

/* Reads an entry's length and returns a cursor on what follows; at its CIE pointer or id. */
static int open_entry(const struct span *seg, const uint8_t *at, struct cursor *c)
{
    c->at = at;
    c->end = seg->hi;
    c->bad = at < seg->lo || at > seg->hi;
    uint64_t length = c->bad ? 0 : cursor_u32(c);
    if (c->bad || length == 0xffffffff /* 64-bit DWARF is not used in .eh_frame */)
        return -UNWIND_BAD_CFI;
    if (length == 0)
        return -UNWIND_NO_FDE;
    if ((uint64_t)(c->end - c->at) < length || length < 4)
        return -UNWIND_BAD_CFI;
    c->end = c->at + length;
    return 0;
}

static int parse_augmentation(struct cursor *c, const uint8_t *name, struct cfi_cie *cie)
{
    uint64_t length = cursor_uleb(c);
    if ((uint64_t)(c->end - c->at) < length)
        return -UNWIND_BAD_CFI;
    struct cursor data = {c->at, c->at + length, 0};
    c->at += length;
    for (; *name; name++) {
        switch (*name) {
        case 'R': cie->encoding = cursor_u8(&data); break;
        case 'L': cursor_u8(&data); break;
        case 'P': {
            uint8_t encoding = cursor_u8(&data);
            read_encoded(&data, encoding & 0x0f, 0);
            break;
        }
        case 'S': cie->is_signal = 1; break;
        case 'B': break;   /* aarch64: return addresses are signed with the B key */
        default: return 0; /* what follows is unknown, but its length is */
        }
    }
    return data.bad ? -UNWIND_BAD_CFI : 0;
}

static int parse_cie(const struct span *seg, const uint8_t *at, struct cfi_cie *cie)
{
    struct cursor c;
    int ret = open_entry(seg, at, &c);
    if (ret < 0)
        return -UNWIND_BAD_CFI;
    uint32_t id = cursor_u32(&c);
    uint8_t version = cursor_u8(&c);
    const uint8_t *augmentation = c.at;
    while (cursor_u8(&c))
        continue;
    if (c.bad || id != 0 || (version != 1 && version != 3 && version != 4))
        return -UNWIND_BAD_CFI;
    if (version == 4)
        cursor_skip(&c, 2); /* address and segment selector sizes */
    cie->code_align = cursor_uleb(&c);
    cie->data_align = cursor_sleb(&c);
    uint64_t ra = version == 1 ? cursor_u8(&c) : cursor_uleb(&c);
    cie->encoding = DW_EH_PE_absptr;
    cie->is_signal = 0;
    cie->is_augmented = *augmentation == 'z';
    if (cie->is_augmented)
        ret = parse_augmentation(&c, augmentation + 1, cie);
    else if (*augmentation)
        return -UNWIND_BAD_CFI;
    if (ret < 0 || c.bad || ra >= UNWIND_REGS)
        return -UNWIND_BAD_CFI;
    cie->ra_column = (uint32_t)ra;
    cie->ops.lo = c.at;
    cie->ops.hi = c.end;
    return 0;
}

static void copy_cie(struct cfi_cie *to, const struct cfi_cie *from)
{
    to->ops.lo = from->ops.lo;
    to->ops.hi = from->ops.hi;
    to->code_align = from->code_align;
    to->data_align = from->data_align;
    to->ra_column = from->ra_column;
    to->encoding = from->encoding;
    to->is_signal = from->is_signal;
    to->is_augmented = from->is_augmented;
}

/* As cfi_parse; with a table, its CIE is taken if it is the one, or else replaced. */
static int parse_fde(struct cfi_table *table, const struct span *seg, const uint8_t *at,
                     struct cfi_fde *fde)
{
    struct cursor c;
    int ret = open_entry(seg, at, &c);
    if (ret < 0)
        return ret;
    const uint8_t *field = c.at;
    uint32_t back = cursor_u32(&c);
    if (back == 0)
        return -UNWIND_NO_FDE;
    if (back > (uint64_t)(field - seg->lo))
        return -UNWIND_BAD_CFI;
    if (table && table->cie_at == field - back) {
        copy_cie(&fde->cie, &table->cie);
    } else {
        ret = parse_cie(seg, field - back, &fde->cie);
        if (ret < 0)
            return ret;
        if (table) {
            copy_cie(&table->cie, &fde->cie);
            table->cie_at = field - back;
        }
    }
    fde->seg.lo = seg->lo;
    fde->seg.hi = seg->hi;
    fde->start = read_encoded(&c, fde->cie.encoding, 0);
    fde->end = fde->start + read_encoded(&c, fde->cie.encoding & 0x0f, 0);
    if (fde->cie.is_augmented)
        cursor_skip(&c, cursor_uleb(&c));
    if (c.bad || fde->end < fde->start)
        return -UNWIND_BAD_CFI;
    fde->ops.lo = c.at;
    fde->ops.hi = c.end;
    return 0;
}

int cfi_parse(const struct span *seg, const uint8_t *at, struct cfi_fde *fde)
{
    return parse_fde(NULL, seg, at, fde);
}

static int find_linear(const struct span *seg, const uint8_t *at, uintptr_t pc, struct cfi_fde *fde)
{
    for (int i = 0; i < LINEAR_ENTRIES; i++) {
        struct cursor c;
        int ret = open_entry(seg, at, &c);
        if (ret < 0)
            return ret;
        if (cfi_parse(seg, at, fde) == 0 && pc >= fde->start && pc < fde->end)
            return 0;
        at = c.end;
    }
    return -UNWIND_NO_FDE;
}

/* The index of the last entry whose code starts at or before `key`; -1 if there is none, -2 if the
 * table turns out not to be sorted. Entries are pairs of int32: code, FDE. Each turn is without a
 * branch on what it read, half of which would be mispredicted; what a prediction would have begun
 * to load ahead is asked for instead. */
static int64_t search_table(const raw_u32 *table, uint64_t count, int64_t key)
{
    const raw_u32 *base = table;
    int64_t lo_loc = INT64_MIN, hi_loc = INT64_MAX;
    int unsorted = 0;
    while (count > 1) {
        uint64_t half = count / 2;
        count -= half;
        __builtin_prefetch(base + 2 * (count / 2));
        __builtin_prefetch(base + 2 * (half + count / 2));
        int64_t loc = (int32_t)base[2 * half];
        unsorted |= (loc < lo_loc) | (loc > hi_loc);
        int before = loc <= key;
        base = before ? base + 2 * half : base;
        lo_loc = before ? loc : lo_loc;
        hi_loc = before ? hi_loc : loc;
    }
    if (unlikely(unsorted))
        return -2;
    return count && (int32_t)*base <= key ? (base - table) / 2 : -1;
}

static int parse_hit(struct cfi_table *table, uintptr_t at, struct cfi_fde *fde)
{
    struct span other;
    if (at >= (uintptr_t)table->seg.lo && at < (uintptr_t)table->seg.hi)
        return parse_fde(table, &table->seg, (const uint8_t *)at, fde);
    if (!module_segment(&table->module, at, &other))
        return -UNWIND_BAD_CFI;
    return parse_fde(table, &other, (const uint8_t *)at, fde);
}

int cfi_open(const struct unwind_module *module, struct cfi_table *table)
{
    uintptr_t hdr = (uintptr_t)module->eh_frame_hdr;
    table->module.start = module->start;
    table->module.end = module->end;
    table->module.eh_frame_hdr = module->eh_frame_hdr;
    table->module.link_map = module->link_map;
    table->module.bias = module->bias;
    table->module.made_bytes = module->made_bytes;
    table->hdr = hdr;
    table->entries = NULL;
    table->count = 0;
    table->cie_at = NULL;
    table->seg.lo = (const uint8_t *)hdr;
    table->seg.hi = table->seg.lo + module->made_bytes;
    if (!hdr || (!module->made_bytes && !module_segment(module, hdr, &table->seg)))
        return -UNWIND_NO_FDE;
    struct cursor c = {(const uint8_t *)hdr, table->seg.hi, 0};
    uint32_t head = cursor_u32(&c); /* version, encodings of: .eh_frame, count, table */
    uint8_t table_encoding = head >> 24;
    if (c.bad || (head & 0xff) != 1)
        return -UNWIND_BAD_CFI;
    table->eh_frame = read_encoded(&c, (head >> 8) & 0xff, hdr);
    if (c.bad)
        return -UNWIND_BAD_CFI;
    if (((head >> 16) & 0xff) != DW_EH_PE_omit &&
        table_encoding == (DW_EH_PE_datarel | DW_EH_PE_sdata4)) {
        uint64_t count = read_encoded(&c, (head >> 16) & 0xff, hdr);
        uint64_t room = (uint64_t)(c.end - c.at) / 8;
        table->entries = c.at;
        table->count = count < room ? count : room;
    }
    return 0;
}

int cfi_search(struct cfi_table *table, uintptr_t pc, struct cfi_fde *fde)
{
    const raw_u32 *entries = table->entries;
    const uintptr_t hdr = table->hdr;
    int64_t index = entries ? search_table(entries, table->count, (int64_t)(pc - hdr)) : -2;
    if (index == -2) {
        struct span other;
        if (!module_segment(&table->module, table->eh_frame, &other))
            return -UNWIND_BAD_CFI;
        return find_linear(&other, (const uint8_t *)table->eh_frame, pc, fde);
    }
    /* Empty FDEs may share their start with the one that counts. */
    int ret = -UNWIND_NO_FDE;
    for (int tries = 0; tries < 4 && index >= 0; tries++, index--) {
        ret = parse_hit(table, hdr + (uint64_t)(int64_t)(int32_t)entries[2 * index + 1], fde);
        if (ret == 0 && pc >= fde->start && pc < fde->end)
            return 0;
        if (ret < 0 || fde->start != fde->end)
            break;
    }
    return ret < 0 ? ret : -UNWIND_NO_FDE;
}

int cfi_find(const struct unwind_module *module, uintptr_t pc, struct cfi_fde *fde)
{
    struct cfi_table table;
    int ret = cfi_open(module, &table);
    return ret < 0 ? ret : cfi_search(&table, pc, fde);
}

/* ---- call frame instructions ---- */

static int set_value(int32_t *slot, int64_t v)
{
    *slot = (int32_t)v;
    return *slot == v ? 0 : -UNWIND_BAD_CFI;
}

static int set_cfa(struct cfi_row *row, uint64_t reg, int64_t value)
{
    if (reg >= UNWIND_REGS)
        return -UNWIND_BAD_CFI;
    row->cfa_reg = (uint32_t)reg;
    return set_value(&row->cfa_offset, value);
}

/* Columns beyond ours (vector registers, pseudo registers) are read over. */
static int set_rule(struct cfi_row *row, uint64_t reg, enum cfi_kind kind, int64_t value)
{
    if (reg >= UNWIND_REGS)
        return 0;
    row->kind[reg] = (uint8_t)kind;
    return set_value(&row->value[reg], value);
}

static int restore_rule(struct machine *m, uint64_t reg)
{
    if (reg >= UNWIND_REGS || (m->brief && !is_brief_column(reg)))
        return 0;
    m->row->kind[reg] = m->initial.kind[reg];
    m->row->value[reg] = m->initial.value[reg];
    return 0;
}

/* Remembers where the expression is and skips it. */
static int64_t skip_expression(struct machine *m, struct cursor *c)
{
    int64_t at = c->at - m->fde->seg.lo;
    cursor_skip(c, cursor_uleb(c));
    return at;
}

static int run_cfa_op(struct machine *m, uint8_t op, struct cursor *c)
{
    struct cfi_row *row = m->row;
    int64_t factor = m->fde->cie.data_align;
    uint64_t reg;
    switch (op) {
    case DW_CFA_def_cfa_sf:
        reg = cursor_uleb(c);
        return set_cfa(row, reg, (int64_t)((uint64_t)cursor_sleb(c) * (uint64_t)factor));
    case DW_CFA_def_cfa_offset: return set_value(&row->cfa_offset, (int64_t)cursor_uleb(c));
    case DW_CFA_def_cfa_offset_sf:
        return set_value(&row->cfa_offset, (int64_t)((uint64_t)cursor_sleb(c) * (uint64_t)factor));
    case DW_CFA_def_cfa_expression:
        row->cfa_reg = CFI_CFA_EXPR;
        return set_value(&row->cfa_expr, skip_expression(m, c));
    default: return -UNWIND_BAD_CFI;
    }
}

static int run_register_op(struct machine *m, uint8_t op, struct cursor *c)
{
    struct cfi_row *row = m->row;
    uint64_t factor = (uint64_t)m->fde->cie.data_align;
    uint64_t reg = cursor_uleb(c);
    switch (op) {
    case DW_CFA_offset_extended:
        return set_rule(row, reg, CFI_OFFSET, (int64_t)(cursor_uleb(c) * factor));
    case DW_CFA_offset_extended_sf:
        return set_rule(row, reg, CFI_OFFSET, (int64_t)((uint64_t)cursor_sleb(c) * factor));
    case DW_CFA_GNU_negative_offset_extended:
        return set_rule(row, reg, CFI_OFFSET, -(int64_t)(cursor_uleb(c) * factor));
    case DW_CFA_val_offset:
        return set_rule(row, reg, CFI_VAL_OFFSET, (int64_t)(cursor_uleb(c) * factor));
    case DW_CFA_val_offset_sf:
        return set_rule(row, reg, CFI_VAL_OFFSET, (int64_t)((uint64_t)cursor_sleb(c) * factor));
    case DW_CFA_restore_extended: return restore_rule(m, reg);
    case DW_CFA_undefined: return set_rule(row, reg, CFI_UNDEFINED, 0);
    case DW_CFA_same_value: return set_rule(row, reg, CFI_SAME, 0);
    case DW_CFA_register: return set_rule(row, reg, CFI_REGISTER, (int64_t)cursor_uleb(c));
    case DW_CFA_expression: return set_rule(row, reg, CFI_EXPR, skip_expression(m, c));
    case DW_CFA_val_expression: return set_rule(row, reg, CFI_VAL_EXPR, skip_expression(m, c));
    default: return -UNWIND_BAD_CFI;
    }
}

/* Runs one instruction. Advances of the location are left to the caller: returns 1 and the new
 * location for those. */
static int run_op(struct machine *m, struct cursor *c, uintptr_t *loc)
{
    uint64_t reg, align = m->fde->cie.code_align;
    struct cfi_row *row = m->row;
    uint8_t op = cursor_u8(c);
    switch (op & 0xc0) {
    case DW_CFA_offset:
        return set_rule(row, op & 0x3f, CFI_OFFSET,
                        (int64_t)(cursor_uleb(c) * (uint64_t)m->fde->cie.data_align));
    case DW_CFA_restore: return restore_rule(m, op & 0x3f);
    }
    switch (op) {
    case DW_CFA_set_loc: *loc = read_encoded(c, m->fde->cie.encoding, 0); return 1;
    case DW_CFA_advance_loc1: *loc = m->loc + cursor_u8(c) * align; return 1;
    case DW_CFA_advance_loc2: *loc = m->loc + cursor_u16(c) * align; return 1;
    case DW_CFA_advance_loc4: *loc = m->loc + cursor_u32(c) * align; return 1;
    case DW_CFA_GNU_window_save: return 0; /* aarch64: toggles the signing of the return address */
    case DW_CFA_GNU_args_size: cursor_uleb(c); return 0;
    case DW_CFA_def_cfa: reg = cursor_uleb(c); return set_cfa(row, reg, (int64_t)cursor_uleb(c));
    case DW_CFA_def_cfa_register: return set_cfa(row, cursor_uleb(c), row->cfa_offset);
    case DW_CFA_remember_state:
        if (m->depth == STATES)
            return -UNWIND_BAD_CFI;
        copy_row(&m->saved[m->depth++], row, m->brief);
        return 0;
    case DW_CFA_restore_state:
        if (m->depth == 0)
            return -UNWIND_BAD_CFI;
        copy_row(row, &m->saved[--m->depth], m->brief);
        return 0;
    case DW_CFA_def_cfa_sf:
    case DW_CFA_def_cfa_offset:
    case DW_CFA_def_cfa_offset_sf:
    case DW_CFA_def_cfa_expression: return run_cfa_op(m, op, c);
    default: return run_register_op(m, op, c);
    }
}

/* Prologues and epilogues: `advance; CFA offset` once a push or pop, mostly followed by `register
 * saved at`, all with operands of a byte. Taken as words, they are as good as a loop without
 * branches, where one instruction at a time is a mispredicted jump for each. Returns 1 at the end
 * of the row. */
static int run_pushes(struct machine *m, struct cursor *c, uintptr_t pc)
{
    const uint32_t advance_and_offset = DW_CFA_advance_loc | DW_CFA_def_cfa_offset << 8;
    struct cfi_row *row = m->row;
    while (c->end - c->at >= 5) {
        uint32_t word = *(const raw_u32 *)c->at;
        if ((word & 0x80ffc0) != advance_and_offset)
            break;
        uintptr_t loc = m->loc + (word & 0x3f) * m->fde->cie.code_align;
        if (loc > pc) {
            row->end = loc;
            return 1;
        }
        m->loc = loc;
        row->cfa_offset = (int32_t)(word >> 16 & 0x7f);
        c->at += 3;
        word = *(const raw_u16 *)c->at;
        if ((word & 0x80c0) == DW_CFA_offset && (word & 0x3f) < UNWIND_REGS) {
            int64_t value = (int64_t)((word >> 8) * (uint64_t)m->fde->cie.data_align);
            if (value != (int32_t)value)
                break;
            row->kind[word & 0x3f] = CFI_OFFSET;
            row->value[word & 0x3f] = (int32_t)value;
            c->at += 2;
        }
    }
    return 0;
}

static int run_ops(struct machine *m, const struct span *ops, uintptr_t pc)
{
    struct cursor c = {ops->lo, ops->hi, 0};
    while (c.at < c.end) {
        uintptr_t loc = 0;
        if ((*c.at & 0xc0) == DW_CFA_advance_loc) { /* every second one */
            if (run_pushes(m, &c, pc))
                return 0;
            if (c.at == c.end || (*c.at & 0xc0) != DW_CFA_advance_loc)
                continue;
            loc = m->loc + (*c.at++ & 0x3f) * m->fde->cie.code_align;
        } else if (*c.at == DW_CFA_nop) { /* several at the end of most */
            c.at++;
            continue;
        } else {
            int ret = run_op(m, &c, &loc);
            if (ret < 0 || c.bad)
                return -UNWIND_BAD_CFI;
            if (ret == 0)
                continue;
        }
        if (loc > pc) {
            m->row->end = loc;
            return 0;
        }
        m->loc = loc;
    }
    return 0;
}

static int row_at(const struct cfi_fde *fde, uintptr_t pc, struct cfi_row *row, int brief)
{
    struct machine m;
    m.fde = fde;
    m.loc = fde->start;
    m.depth = 0;
    m.row = row;
    m.brief = brief;
    row->cfa_reg = UNWIND_REGS; /* none was given yet */
    row->cfa_offset = row->cfa_expr = 0;
    clear_columns(row, brief);
    clear_columns(&m.initial, brief);
    int ret = run_ops(&m, &fde->cie.ops, UINTPTR_MAX);
    if (ret < 0)
        return ret;
    copy_row(&m.initial, row, brief);
    m.loc = fde->start;
    m.depth = 0;
    row->end = fde->end;
    ret = run_ops(&m, &fde->ops, pc);
    row->start = m.loc;
    if (ret == 0 && row->cfa_reg == UNWIND_REGS)
        return -UNWIND_BAD_CFI;
    return ret;
}

int cfi_row_at(const struct cfi_fde *fde, uintptr_t pc, struct cfi_row *row)
{
    return row_at(fde, pc, row, 0);
}

int cfi_brief_row_at(const struct cfi_fde *fde, uintptr_t pc, struct cfi_row *row)
{
    return row_at(fde, pc, row, 1);
}

int cfi_expression(const struct cfi_fde *fde, int32_t offset, struct span *expr)
{
    struct cursor c = {fde->seg.lo + offset, fde->seg.hi, 0};
    uint64_t length = cursor_uleb(&c);
    if (c.bad || (uint64_t)(c.end - c.at) < length)
        return -UNWIND_BAD_CFI;
    expr->lo = c.at;
    expr->hi = c.at + length;
    return 0;
}
