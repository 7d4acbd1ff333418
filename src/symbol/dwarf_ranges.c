/* SPDX-License-Identifier: MIT
 *
 * The code ranges of an entry (2.17): a pair of addresses, a list in .debug_ranges (DWARF 3, 4), or
 * one in .debug_rnglists (DWARF 5, 7.25). */
#include "symbol/dwarf_reader.h"

#include <dwarf.h>

static bool is_address(const struct value *v)
{
    return v->form == DW_FORM_addr || v->form == DW_FORM_addrx || v->form == DW_FORM_addrx1 ||
           v->form == DW_FORM_addrx2 || v->form == DW_FORM_addrx3 || v->form == DW_FORM_addrx4 ||
           v->form == DW_FORM_GNU_addr_index;
}

static void begin_list(struct range_list *r, const struct value *ranges)
{
    struct unit *u = r->unit;
    uint64_t offset = ranges->number;
    r->base = u->low_pc;
    if (u->version < 5) {
        r->kind = RANGE_DWARF4;
        if (u->skeleton) {
            u = u->skeleton;
            offset += u->ranges_base;
        }
        r->at = dwarf_cursor(u->dwarf, DWARF_RANGES, offset);
        return;
    }
    r->kind = RANGE_DWARF5;
    if (ranges->form == DW_FORM_rnglistx) {
        if (offset >= UINT32_MAX)
            return;
        struct cursor c =
            dwarf_cursor(u->dwarf, DWARF_RNGLISTS, u->rnglists_base + offset * u->offset_size);
        offset = u->rnglists_base + cursor_uint(&c, u->offset_size);
    } else {
        offset += u->lists_offset;
    }
    r->at = dwarf_cursor(u->dwarf, DWARF_RNGLISTS, offset);
}

void range_list_begin(struct range_list *r, struct unit *u, const struct value *low,
                      const struct value *high, const struct value *ranges)
{
    *r = (struct range_list){.unit = u, .at = {.bad = true}};
    if (ranges->form) {
        begin_list(r, ranges);
    } else if (low->form && high->form) {
        r->kind = RANGE_PAIR;
        r->low = unit_address(u, low);
        r->high = is_address(high) ? unit_address(u, high) : r->low + high->number;
    }
}

static bool next_dwarf4(struct range_list *r, uint64_t *low, uint64_t *high)
{
    unsigned size = r->unit->address_size;
    uint64_t max = size == 8 ? UINT64_MAX : UINT32_MAX;
    for (;;) {
        uint64_t a = cursor_uint(&r->at, size), b = cursor_uint(&r->at, size);
        if (r->at.bad || (!a && !b))
            return false;
        if (a == max) {
            r->base = b;
            continue;
        }
        *low = r->base + a;
        *high = r->base + b;
        return true;
    }
}

static uint64_t indexed(struct range_list *r)
{
    struct value v = {.form = DW_FORM_addrx, .number = cursor_uleb(&r->at)};
    return unit_address(r->unit, &v);
}

static bool next_dwarf5(struct range_list *r, uint64_t *low, uint64_t *high)
{
    struct cursor *c = &r->at;
    unsigned size = r->unit->address_size;
    while (!c->bad) {
        switch (cursor_uint(c, 1)) {
        case DW_RLE_base_addressx: r->base = indexed(r); continue;
        case DW_RLE_base_address: r->base = cursor_uint(c, size); continue;
        case DW_RLE_startx_endx:
            *low = indexed(r);
            *high = indexed(r);
            break;
        case DW_RLE_startx_length:
            *low = indexed(r);
            *high = *low + cursor_uleb(c);
            break;
        case DW_RLE_offset_pair:
            *low = r->base + cursor_uleb(c);
            *high = r->base + cursor_uleb(c);
            break;
        case DW_RLE_start_end:
            *low = cursor_uint(c, size);
            *high = cursor_uint(c, size);
            break;
        case DW_RLE_start_length:
            *low = cursor_uint(c, size);
            *high = *low + cursor_uleb(c);
            break;
        default: return false;
        }
        return !c->bad;
    }
    return false;
}

bool range_list_next(struct range_list *r, uint64_t *low, uint64_t *high)
{
    switch (r->kind) {
    case RANGE_PAIR:
        *low = r->low;
        *high = r->high;
        r->kind = RANGE_END;
        return true;
    case RANGE_DWARF4: return next_dwarf4(r, low, high);
    case RANGE_DWARF5: return next_dwarf5(r, low, high);
    default: return false;
    }
}
