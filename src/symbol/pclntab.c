/* SPDX-License-Identifier: MIT
 *
 * Reads Go's function table; see pclntab.h for the versions. All reads go through the few functions
 * at the top, which know where the bytes end. The tables of values by pc are runs of (difference of
 * the value, difference of the pc) and are decoded from the function's start on each question: that
 * is what Go does, too, and whoever asks keeps the answers. */
#include "symbol/pclntab.h"

#include <string.h>

#define MAGIC_GO12  0xfffffffbu
#define MAGIC_GO116 0xfffffffau
#define MAGIC_GO118 0xfffffff0u
#define MAGIC_GO120 0xfffffff1u
#define HEADER      8 /* magic, two zeros, instruction quantum, pointer size */
#define NO_OFFSET   UINT32_MAX
/* Inlined calls of one location that are followed. */
#define DEPTH 128

/* ---- reads ---- */

static bool has(const struct pclntab *t, uint64_t at, uint64_t n)
{
    return at <= t->size && n <= t->size - at;
}

static uint32_t get32(const struct pclntab *t, uint64_t at)
{
    uint32_t v = 0;
    if (has(t, at, sizeof v))
        memcpy(&v, t->data + at, sizeof v);
    return v;
}

static uint64_t get64(const struct pclntab *t, uint64_t at)
{
    uint64_t v = 0;
    if (has(t, at, sizeof v))
        memcpy(&v, t->data + at, sizeof v);
    return v;
}

static uint8_t get8(const struct pclntab *t, uint64_t at)
{
    return has(t, at, 1) ? t->data[at] : 0;
}

/* A NUL-terminated string that is not empty, or NULL. */
static const char *get_string(const struct pclntab *t, uint64_t at)
{
    if (!has(t, at, 2) || !t->data[at] || !memchr(t->data + at, 0, t->size - at))
        return NULL;
    return (const char *)t->data + at;
}

/* False when it does not end in time. */
static bool get_varint(const struct pclntab *t, uint64_t *at, uint32_t *v)
{
    *v = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (!has(t, *at, 1))
            return false;
        uint8_t b = t->data[(*at)++];
        *v |= (uint32_t)(b & 0x7f) << (shift & 31);
        if (!(b & 0x80))
            return true;
    }
    return false;
}

/* ---- the header ---- */

static bool read_header_go12(struct pclntab *t)
{
    uint64_t count = get64(t, HEADER);
    t->funcs = HEADER + 8;
    if (!has(t, t->funcs, 12) || count > (t->size - t->funcs) / 16)
        return false;
    t->func_count = (uint32_t)count;
    t->files = get32(t, t->funcs + count * 16 + 8);
    t->inline_pcdata = 2;
    t->inline_funcdata = 4;
    return true;
}

static bool read_header_go116(struct pclntab *t)
{
    const bool text = t->version >= PCLNTAB_GO118;
    const uint64_t at = HEADER + 16 + (text ? 8 : 0), entry = text ? 8 : 16;
    uint64_t count = get64(t, HEADER);
    if (!has(t, at, 40))
        return false;
    if (text)
        t->text = get64(t, HEADER + 16);
    t->names = get64(t, at);
    t->units = get64(t, at + 8);
    t->files = get64(t, at + 16);
    t->pcs = get64(t, at + 24);
    t->funcs = get64(t, at + 32);
    t->inline_pcdata = 2;
    t->inline_funcdata = 3;
    if (t->names > t->size || t->units > t->size || t->files > t->size || t->pcs > t->size ||
        t->funcs > t->size || count >= (t->size - t->funcs) / entry)
        return false;
    t->func_count = (uint32_t)count;
    return true;
}

bool pclntab_open_bytes(struct pclntab *t, const uint8_t *data, size_t size,
                        const struct pclntab_memory *memory)
{
    *t = (struct pclntab){.data = data, .size = size};
    if (memory)
        t->memory = *memory;
    if (size < HEADER + 8 || size > UINT32_MAX || data[4] || data[5] || data[7] != 8)
        return false;
    t->quantum = data[6];
    if (t->quantum != 1 && t->quantum != 2 && t->quantum != 4)
        return false;
    switch (get32(t, 0)) {
    case MAGIC_GO12: t->version = PCLNTAB_GO12; return read_header_go12(t);
    case MAGIC_GO116: t->version = PCLNTAB_GO116; break;
    case MAGIC_GO118: t->version = PCLNTAB_GO118; break;
    case MAGIC_GO120: t->version = PCLNTAB_GO120; break;
    default: return false;
    }
    return read_header_go116(t);
}

/* ---- functions ---- */

/* The address at which function `i` begins; that of `func_count` is the end of the last. */
static uint64_t entry_of(const struct pclntab *t, uint32_t i)
{
    if (t->version >= PCLNTAB_GO118)
        return t->text + get32(t, t->funcs + 8ull * i);
    return get64(t, t->funcs + 16ull * i);
}

static uint64_t record_of(const struct pclntab *t, uint32_t i)
{
    if (t->version >= PCLNTAB_GO118)
        return t->funcs + get32(t, t->funcs + 8ull * i + 4);
    uint64_t offset = get64(t, t->funcs + 16ull * i + 8);
    if (offset > t->size)
        return t->size;
    return t->version == PCLNTAB_GO12 ? offset : t->funcs + offset;
}

/* Offsets in struct _func. Up to Go 1.17 it begins with a pointer, then with 32 bits. */
struct shape {
    unsigned name, pcsp, pcfile, pcln, pcdata_count, unit, start_line, funcdata_count, size;
};

static struct shape shape_of(const struct pclntab *t)
{
    const unsigned first = t->version >= PCLNTAB_GO118 ? 4 : 8;
    struct shape s = {.name = first,
                      .pcsp = first + 12,
                      .pcfile = first + 16,
                      .pcln = first + 20,
                      .pcdata_count = first + 24};
    unsigned at = first + 28;
    if (t->version >= PCLNTAB_GO116) {
        s.unit = at;
        at += 4;
    }
    if (t->version >= PCLNTAB_GO120) {
        s.start_line = at;
        at += 4;
    }
    s.funcdata_count = at + 3;
    s.size = at + 4;
    return s;
}

bool pclntab_range(const struct pclntab *t, uint64_t *low, uint64_t *high)
{
    *low = entry_of(t, 0);
    *high = entry_of(t, t->func_count);
    return *low < *high;
}

bool pclntab_find(const struct pclntab *t, uint64_t pc, struct pclntab_func *fn)
{
    uint32_t lo = 0, hi = t->func_count;
    if (!hi || pc < entry_of(t, 0) || pc >= entry_of(t, hi))
        return false;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (entry_of(t, mid) <= pc)
            lo = mid;
        else
            hi = mid;
    }
    struct shape s = shape_of(t);
    uint64_t record = record_of(t, lo);
    fn->entry = entry_of(t, lo);
    fn->end = entry_of(t, lo + 1);
    if (!has(t, record, s.size) || pc < fn->entry || pc >= fn->end)
        return false;
    fn->record = (uint32_t)record;
    fn->name = get_string(t, t->names + get32(t, record + s.name));
    fn->start_line = s.start_line ? (int32_t)get32(t, record + s.start_line) : 0;
    return fn->name != NULL;
}

bool pclntab_named(const struct pclntab *t, const char *name, size_t len, struct pclntab_func *fn)
{
    const struct shape s = shape_of(t);
    for (uint32_t i = 0; i < t->func_count; i++) {
        uint64_t at = t->names + get32(t, record_of(t, i) + s.name);
        if (has(t, at, len + 1) && !t->data[at + len] && !memcmp(t->data + at, name, len))
            return pclntab_find(t, entry_of(t, i), fn);
    }
    return false;
}

/* The kind of a function is a byte since Go 1.12; its numbers change with each version. */
static int kind_of(const struct pclntab *t, const struct pclntab_func *fn)
{
    return get8(t, fn->record + shape_of(t).funcdata_count - 3);
}

bool pclntab_is_wrapper(const struct pclntab *t, const struct pclntab_func *fn)
{
    return t->wrapper > 0 && kind_of(t, fn) == t->wrapper;
}

/* reflect's calls go through runtime.call32 and its like, which are wrappers in every version. */
void pclntab_learn(struct pclntab *t)
{
    static const char known[] = "runtime.call32";
    struct pclntab_func fn;
    t->wrapper = pclntab_named(t, known, sizeof known - 1, &fn) ? kind_of(t, &fn) : -1;
}

/* The value at `pc` of the table that begins at `offset` of the values (0: there is none). */
static bool value_at(const struct pclntab *t, const struct pclntab_func *fn, uint32_t offset,
                     uint64_t pc, int32_t *value)
{
    uint64_t at = t->pcs + offset, here = fn->entry;
    uint32_t v = UINT32_MAX, up, ahead;
    if (!offset)
        return false;
    for (bool first = true; get_varint(t, &at, &up) && (up || first); first = false) {
        v += (up >> 1) ^ -(up & 1);
        if (!get_varint(t, &at, &ahead))
            return false;
        here += (uint64_t)ahead * t->quantum;
        if (pc < here) {
            *value = (int32_t)v;
            return true;
        }
        if (!ahead && !first) /* a run of nothing: no table of Go's has one */
            return false;
    }
    return false;
}

bool pclntab_sp_delta(const struct pclntab *t, const struct pclntab_func *fn, uint64_t pc,
                      int32_t *delta)
{
    return value_at(t, fn, get32(t, fn->record + shape_of(t).pcsp), pc, delta) && *delta >= 0;
}

/* ---- lines ---- */

static const char *file_name(const struct pclntab *t, const struct pclntab_func *fn, int32_t number)
{
    if (number < 0)
        return NULL;
    if (t->version == PCLNTAB_GO12) {
        if (!number || (uint32_t)number >= get32(t, t->files))
            return NULL;
        return get_string(t, get32(t, t->files + 4ull * (uint32_t)number));
    }
    uint64_t unit = get32(t, fn->record + shape_of(t).unit);
    uint64_t at = t->units + 4 * (unit + (uint32_t)number);
    uint32_t offset = has(t, at, 4) ? get32(t, at) : NO_OFFSET;
    return offset == NO_OFFSET ? NULL : get_string(t, t->files + offset);
}

static void set_line(const struct pclntab *t, const struct pclntab_func *fn, uint64_t pc,
                     struct pclntab_frame *frame)
{
    struct shape s = shape_of(t);
    int32_t value;
    frame->file = NULL;
    frame->line = 0;
    if (value_at(t, fn, get32(t, fn->record + s.pcfile), pc, &value))
        frame->file = file_name(t, fn, value);
    if (value_at(t, fn, get32(t, fn->record + s.pcln), pc, &value) && value > 0)
        frame->line = value;
}

/* ---- inlined calls ---- */

struct inlined {
    const uint8_t *tree; /* NULL: none */
    size_t entries, stride;
    uint32_t pcdata; /* offset of the values that say which entry a pc is in */
    unsigned name, parent_pc, start_line;
};

/* Up to Go 1.11 the number of funcdata is a word of its own where later a byte at its end is. */
static unsigned funcdata_count(const struct pclntab *t, const struct pclntab_func *fn,
                               const struct shape *s)
{
    return get8(t, fn->record + s->funcdata_count);
}

static bool find_inlined(const struct pclntab *t, const struct pclntab_func *fn, struct inlined *in)
{
    struct shape s = shape_of(t);
    uint64_t count = get32(t, fn->record + s.pcdata_count), at = fn->record + s.size, where;
    size_t size = 0;
    if (!t->memory.at || count <= t->inline_pcdata || count > 64 ||
        funcdata_count(t, fn, &s) <= t->inline_funcdata)
        return false;
    in->pcdata = get32(t, at + 4 * t->inline_pcdata);
    at += 4 * count;
    if (t->version >= PCLNTAB_GO118) {
        uint32_t offset = get32(t, at + 4 * t->inline_funcdata);
        if (!t->gofunc || offset == NO_OFFSET || !has(t, at, 4 * t->inline_funcdata + 4))
            return false;
        where = t->gofunc + offset;
    } else {
        where = get64(t, ((at + 7) & ~7ull) + 8 * t->inline_funcdata);
    }
    in->tree = in->pcdata && where ? t->memory.at(t->memory.ctx, where, &size) : NULL;
    bool late = t->version >= PCLNTAB_GO120;
    in->stride = late ? 16 : 20;
    in->name = late ? 4 : 12;
    in->parent_pc = late ? 8 : 16;
    in->start_line = late ? 12 : 0;
    in->entries = size / in->stride;
    return in->tree && in->entries;
}

bool pclntab_in_inlined(const struct pclntab *t, const struct pclntab_func *fn, uint64_t pc)
{
    struct inlined in;
    int32_t index;
    return find_inlined(t, fn, &in) && value_at(t, fn, in.pcdata, pc, &index) && index >= 0;
}

static uint32_t word(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

uint32_t pclntab_frames(const struct pclntab *t, const struct pclntab_func *fn, uint64_t pc,
                        struct pclntab_frame *frames, uint32_t max)
{
    struct inlined in;
    uint32_t n = 0;
    if (max > DEPTH)
        max = DEPTH;
    for (bool any = find_inlined(t, fn, &in); any && n + 1 < max; n++) {
        int32_t index;
        if (!value_at(t, fn, in.pcdata, pc, &index) || index < 0 || (size_t)index >= in.entries)
            break;
        const uint8_t *call = in.tree + (size_t)index * in.stride;
        const char *name = get_string(t, t->names + word(call + in.name));
        uint64_t parent = fn->entry + word(call + in.parent_pc);
        if (!name || parent < fn->entry || parent >= fn->end)
            break;
        frames[n].name = name;
        frames[n].start_line = in.start_line ? (int32_t)word(call + in.start_line) : 0;
        set_line(t, fn, pc, &frames[n]);
        if (parent == pc) { /* it would go round */
            n++;
            break;
        }
        pc = parent;
    }
    frames[n].name = fn->name;
    frames[n].start_line = fn->start_line;
    set_line(t, fn, pc, &frames[n]);
    return n + 1;
}

/* ---- the ends of stacks ---- */

/* By name, because the flags which say so came with Go 1.17. mcall and morestack give up the
 * goroutine that called them: what they call is on the thread's own stack and never returns. */
enum pclntab_edge pclntab_edge(const struct pclntab_func *fn)
{
    static const struct {
        const char *name;
        enum pclntab_edge edge;
    } known[] = {
        {"runtime.goexit", PCLNTAB_TOP},
        {"runtime.mstart", PCLNTAB_TOP},
        {"runtime.rt0_go", PCLNTAB_TOP},
        {"runtime.mcall", PCLNTAB_TOP},
        {"runtime.morestack", PCLNTAB_TOP},
        {"runtime.sigtramp", PCLNTAB_TOP},
        {"runtime.cgoSigtramp", PCLNTAB_TOP},
        {"runtime.sigreturn", PCLNTAB_TOP},
        {"runtime.systemstack", PCLNTAB_SWITCH},
        {"runtime.asmcgocall", PCLNTAB_SWITCH},
        {"runtime.nanotime1", PCLNTAB_SWITCH},
        {"runtime.walltime", PCLNTAB_SWITCH},
        {"runtime.walltime1", PCLNTAB_SWITCH},
        {"runtime.nanotime", PCLNTAB_SWITCH},
        {"runtime.cgocallback", PCLNTAB_SWITCH},
        {"runtime.gogo", PCLNTAB_SWITCH},
        {"runtime.cgocallback_gofunc", PCLNTAB_SWITCH},
        {"time.now", PCLNTAB_SWITCH},
        {"runtime.sigreturn__sigaction", PCLNTAB_TOP},
    };
    if (!strncmp(fn->name, "_rt0_", 5))
        return PCLNTAB_TOP;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i].name);
        if (!strncmp(fn->name, known[i].name, n) && (!fn->name[n] || fn->name[n] == '.'))
            return known[i].edge; /* "runtime.mcall.abi0" is the same */
    }
    return PCLNTAB_CALLED;
}
