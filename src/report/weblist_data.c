/* SPDX-License-Identifier: MIT
 *
 * Which source lines and which instructions weblist shows. Functions of interest are those of
 * samples that match; around the addresses of their samples the binaries are disassembled, and each
 * instruction is put below the line of the function of interest that it belongs to, with the calls
 * that were inlined there. pprof visits addresses of equal weight in any order; here it is theirs.
 */
#include "report/weblist.h"

#include "base/gotext.h"
#include "base/sort.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPAND = 500, RANGES_MAX = 25, NEIGHBORHOOD = 32, MERGE_LINES = 20, MARGIN = 5 };

/* An address with samples, and whether it is of interest. */
struct place {
    uint64_t address;
    int64_t flat, cum;
    bool wanted;
    uint32_t location;
};

struct inst {
    uint64_t address, object_address;
    uint32_t length;
    const char *text, *file;
    int64_t line, flat, cum;
};

/* An instruction below a source line. */
struct entry {
    uint32_t file; /* in files */
    int64_t line;
    uint32_t order; /* of arrival */
    uint64_t address;
    const char *function;
    const struct weblist_call *calls;
    uint32_t call_count;
};

struct range {
    uint64_t begin, end;
    uint32_t mapping;
    struct object *object;
    int64_t score;
};

struct binary {
    uint32_t file;         /* string of the profile */
    struct object *object; /* NULL: cannot be opened */
};

struct maker {
    struct report *r;
    struct arena *a;
    struct source_reader *reader;
    struct names names; /* of functions and files */
    bool *interest;     /* by name */
    uint32_t *pretty;   /* name to show for a linker's name, by name; 0: itself */
    uint32_t name_cap;
    struct place *places;
    uint32_t place_count, place_cap;
    struct map by_address;
    struct inst *insts;
    uint32_t inst_count, inst_cap;
    struct map inst_by_address;
    struct entry *entries;
    uint32_t entry_count, entry_cap;
    uint32_t *files; /* names */
    uint32_t file_count, file_cap;
    struct binary *binaries;
    uint32_t binary_count;
    uint64_t next_made;   /* for locations without an address */
    uint64_t *made;       /* by location; 0: none yet */
    int8_t *matched;      /* by function: -1 not known yet */
    int8_t *matched_file; /* by mapping */
};

static void *grow(struct arena *a, void *array, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap)
        return array;
    uint32_t more = *cap ? 2 * *cap : 64;
    array = arena_grow(a, array, *cap * size, more * size);
    *cap = more;
    return array;
}

static uint32_t name_of(struct maker *m, const char *s, size_t n)
{
    uint32_t name = names_intern(&m->names, s, n);
    if (name >= m->name_cap) {
        uint32_t more = 2 * name + 64;
        m->interest = arena_grow(m->a, m->interest, m->name_cap, more);
        m->pretty =
            arena_grow(m->a, m->pretty, m->name_cap * sizeof *m->pretty, more * sizeof *m->pretty);
        memset(m->interest + m->name_cap, 0, more - m->name_cap);
        memset(m->pretty + m->name_cap, 0, (more - m->name_cap) * sizeof *m->pretty);
        m->name_cap = more;
    }
    return name;
}

static uint32_t string_name(struct maker *m, uint32_t string)
{
    struct profile_str s = m->r->p->strings[string];
    return name_of(m, s.ptr, s.len);
}

/* ---- samples ---- */

static struct place *place_at(struct maker *m, uint64_t address)
{
    uint64_t hash = hash_mix(0, address);
    struct map_probe at = map_find(&m->by_address, hash);
    uint32_t i;
    while ((i = map_next(&m->by_address, &at)) != MAP_NONE)
        if (m->places[i].address == address)
            return &m->places[i];
    m->places = grow(m->a, m->places, m->place_count, &m->place_cap, sizeof *m->places);
    map_put(&m->by_address, hash, m->place_count);
    m->places[m->place_count] = (struct place){.address = address};
    return &m->places[m->place_count++];
}

static bool string_matches(const struct maker *m, uint32_t string)
{
    struct profile_str s = m->r->p->strings[string];
    return regex_matches(m->r->o.symbol, s.ptr, s.len);
}

static bool function_matches(struct maker *m, uint32_t function)
{
    const struct profile_function *f = &m->r->p->functions[function];
    if (m->matched[function] < 0)
        m->matched[function] = string_matches(m, f->name) || string_matches(m, f->system_name) ||
                               string_matches(m, f->file);
    return m->matched[function];
}

static bool mapping_matches(struct maker *m, uint32_t mapping)
{
    if (mapping == PROFILE_NONE)
        return false;
    if (m->matched_file[mapping] < 0)
        m->matched_file[mapping] = string_matches(m, m->r->p->mappings[mapping].file);
    return m->matched_file[mapping];
}

static void mark(struct maker *m, struct place *at, uint32_t location, uint32_t function)
{
    const struct profile_function *f = &m->r->p->functions[function];
    uint32_t name = string_name(m, f->name), system = string_name(m, f->system_name);
    m->interest[name] = m->interest[system] = true;
    if (!at->wanted) {
        at->wanted = true;
        at->location = location;
    }
}

static uint64_t address_of(struct maker *m, uint32_t location)
{
    uint64_t address = m->r->p->locations[location].address;
    if (address)
        return address;
    if (!m->made[location])
        m->made[location] = m->next_made++;
    return m->made[location];
}

static void add_location(struct maker *m, uint32_t location, int64_t value, bool leaf,
                         const uint64_t *only)
{
    const struct profile *p = m->r->p;
    const struct profile_location *l = &p->locations[location];
    const struct profile_line *lines = p->lines + l->line_first;
    for (uint32_t k = 0; k < l->line_count; k++) {
        const struct profile_function *f = &p->functions[lines[k].function];
        uint32_t system = string_name(m, f->system_name), name = string_name(m, f->name);
        m->pretty[system] = name;
    }
    struct place *at = place_at(m, address_of(m, location));
    at->cum += value;
    at->flat += leaf ? value : 0;
    if (!m->r->o.symbol || (only && at->address == *only)) {
        if (l->line_count)
            mark(m, at, location, lines[l->line_count - 1].function);
        return;
    }
    bool file = mapping_matches(m, l->mapping);
    for (uint32_t k = 0; k < l->line_count; k++)
        if ((k == 0 && file) || function_matches(m, lines[k].function))
            mark(m, at, location, lines[k].function);
}

static void add_samples(struct maker *m)
{
    const struct profile *p = m->r->p;
    struct graph_values v = m->r->o.values;
    uint64_t address = 0;
    const char *pattern = m->r->o.symbol ? regex_pattern(m->r->o.symbol) : "";
    char *end;
    errno = 0;
    address = strtoull(pattern, &end, 0);
    bool only = *pattern >= '0' && *pattern <= '9' && !*end && !errno;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        const int64_t *values = p->values + (size_t)i * p->sample_type_count;
        int64_t value = graph_mean(values[v.index], v.mean ? values[0] : 0);
        uint64_t first = profile_loc_first(p, i);
        for (uint64_t k = p->sample_loc_end[i]; k-- > first;)
            add_location(m, p->loc_refs[k], value, k == first, only ? &address : NULL);
    }
}

/* ---- instructions ---- */

static struct object *binary_of(struct maker *m, uint32_t mapping)
{
    const struct profile *p = m->r->p;
    if (mapping == PROFILE_NONE)
        return NULL;
    const struct profile_mapping *mp = &p->mappings[mapping];
    for (uint32_t i = 0; i < m->binary_count; i++)
        if (m->binaries[i].file == mp->file)
            return m->binaries[i].object;
    struct profile_str file = p->strings[mp->file];
    struct object_mapping om = {mp->start, mp->limit, mp->offset, NULL};
    struct object *o = NULL;
    if (object_open(&o, arena_strndup(m->a, file.ptr, file.len), &om, NULL))
        o = NULL;
    m->binaries[m->binary_count++] = (struct binary){mp->file, o};
    return o;
}

static struct inst *find_inst(const struct maker *m, uint64_t address)
{
    struct map_probe at = map_find(&m->inst_by_address, hash_mix(0, address));
    uint32_t i;
    while ((i = map_next(&m->inst_by_address, &at)) != MAP_NONE)
        if (m->insts[i].address == address)
            return &m->insts[i];
    return NULL;
}

static void add_inst(struct maker *m, const struct inst *inst)
{
    struct inst *there = find_inst(m, inst->address);
    if (there) {
        *there = *inst;
        return;
    }
    m->insts = grow(m->a, m->insts, m->inst_count, &m->inst_cap, sizeof *m->insts);
    map_put(&m->inst_by_address, hash_mix(0, inst->address), m->inst_count);
    m->insts[m->inst_count++] = *inst;
}

/* canonicalizeFileName */
static uint32_t file_name(struct maker *m, const char *file)
{
    struct buf clean;
    static const char cwd[] = "/proc/self/cwd/";
    if (!strncmp(file, cwd, sizeof cwd - 1))
        file += sizeof cwd - 1;
    if (!strncmp(file, "./", 2))
        file += 2;
    buf_init(&clean, m->a);
    gotext_clean(&clean, file, strlen(file));
    if (!clean.len)
        buf_putc(&clean, '.');
    return name_of(m, clean.data, clean.len);
}

static uint32_t file_index(struct maker *m, uint32_t name)
{
    for (uint32_t i = m->file_count; i-- > 0;)
        if (m->files[i] == name)
            return i;
    m->files = grow(m->a, m->files, m->file_count, &m->file_cap, sizeof *m->files);
    m->files[m->file_count] = name;
    return m->file_count++;
}

/* Puts the instruction below the lines of those of its frames that are of interest. */
static void add_stack(struct maker *m, uint64_t address, const struct object_frame *frames,
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t function = name_of(m, frames[i].name, strlen(frames[i].name));
        if (!m->interest[function])
            continue;
        struct weblist_call *calls = arena_array(m->a, i, sizeof *calls);
        for (uint32_t k = 0; k < i; k++)
            calls[k] = (struct weblist_call){frames[i - 1 - k].file, frames[i - 1 - k].line};
        m->entries = grow(m->a, m->entries, m->entry_count, &m->entry_cap, sizeof *m->entries);
        m->entries[m->entry_count] = (struct entry){file_index(m, file_name(m, frames[i].file)),
                                                    frames[i].line,
                                                    m->entry_count,
                                                    address,
                                                    frames[i].name,
                                                    calls,
                                                    i};
        m->entry_count++;
    }
}

static const char *string_text(struct maker *m, uint32_t string)
{
    struct profile_str s = m->r->p->strings[string];
    return arena_strndup(m->a, s.ptr, s.len);
}

/* An address without a binary has the frames of the profile, and no text. */
static void add_without_binary(struct maker *m, const struct place *at)
{
    const struct profile *p = m->r->p;
    const struct profile_location *l = &p->locations[at->location];
    struct object_frame *frames = arena_zarray(m->a, l->line_count, sizeof *frames);
    for (uint32_t i = 0; i < l->line_count; i++) {
        const struct profile_line *line = &p->lines[l->line_first + i];
        const struct profile_function *f = &p->functions[line->function];
        frames[i] = (struct object_frame){string_text(m, f->name), string_text(m, f->file),
                                          line->line, 0, 0};
    }
    add_inst(m, &(struct inst){.address = at->address,
                               .object_address = at->address,
                               .length = 1,
                               .text = "",
                               .file = l->line_count ? frames[0].file : "",
                               .line = l->line_count ? frames[0].line : 0});
    add_stack(m, at->address, frames, l->line_count);
}

static void add_insts(struct maker *m, const struct range *range, uint64_t base,
                      const struct object_code *code)
{
    const struct object_inst *insts = code->insts;
    uint32_t count = code->count;
    uint64_t *addresses = arena_array(m->a, count, sizeof *addresses);
    struct object_frames *found = arena_array(m->a, count, sizeof *found);
    const struct object_frames *last = NULL;
    uint64_t last_address = 0, most = 0;
    for (uint32_t i = 0; i < count; i++)
        addresses[i] = insts[i].address + base;
    object_look_up(range->object, addresses, count, m->r->o.tools->lines, found);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t address = addresses[i];
        if (address <= most)
            continue;
        most = address;
        bool next = i + 1 < count && insts[i + 1].address > insts[i].address;
        const struct object_frames *f = &found[i];
        add_inst(m, &(struct inst){
                        .address = address,
                        .object_address = insts[i].address,
                        .length = next ? (uint32_t)(insts[i + 1].address - insts[i].address) : 1,
                        .text = insts[i].text,
                        .file = f->count ? f->frames[0].file : "",
                        .line = f->count ? f->frames[0].line : 0});
        /* One without a line belongs to what is just before it. */
        if (f->count && f->frames[0].line) {
            last = f;
            last_address = address;
        } else if (last && address - last_address <= NEIGHBORHOOD) {
            f = last;
        }
        add_stack(m, address, f->frames, f->count);
    }
}

static void disassemble(struct maker *m, const struct range *range)
{
    struct profile_str file = m->r->p->strings[m->r->p->mappings[range->mapping].file];
    struct object_range o = {arena_strndup(m->a, file.ptr, file.len), 0, 0, m->r->o.intel_syntax};
    if (!object_address(range->object, range->begin, &o.start) ||
        !object_address(range->object, range->end, &o.end)) {
        fprintf(stderr, "Failed to compute objdump address for range start %llx\n",
                (unsigned long long)range->begin);
        return;
    }
    struct object_code code;
    if (!object_disassemble(m->r->o.tools, &o, m->a, &code, NULL))
        add_insts(m, range, range->begin - o.start, &code);
}

static int by_address(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->address > y->address) - (x->address < y->address);
}

static int by_score(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Addresses near each other are disassembled together; without a binary they are taken as they are.
 */
static uint32_t find_ranges(struct maker *m, struct place *wanted, uint32_t count,
                            struct range *ranges)
{
    uint32_t range_count = 0;
    struct place *with = arena_array(m->a, count, sizeof *with);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++)
        if (binary_of(m, m->r->p->locations[wanted[i].location].mapping))
            with[n++] = wanted[i];
    for (uint32_t i = 0; i < n;) {
        struct range *g = &ranges[range_count++];
        *g =
            (struct range){.begin = with[i].address, .end = with[i].address, .score = with[i].flat};
        g->mapping = m->r->p->locations[with[i].location].mapping;
        g->object = binary_of(m, g->mapping);
        const struct profile_mapping *mp = &m->r->p->mappings[g->mapping];
        for (i++; i < n && with[i].address <= g->end + 2 * EXPAND && with[i].address < mp->limit;
             i++) {
            g->end = with[i].address;
            g->score += with[i].flat;
        }
        g->begin = mp->start - g->begin >= EXPAND ? g->begin - EXPAND : mp->start;
        /* pprof steps out of the mapping here, and then shows nothing of its first functions. */
        if (m->r->o.code_within && g->begin < mp->start)
            g->begin = mp->start;
        g->end = mp->limit - g->end >= EXPAND ? g->end + EXPAND : mp->limit;
    }
    return range_count;
}

static void add_code(struct maker *m)
{
    struct place *wanted = arena_array(m->a, m->place_count, sizeof *wanted);
    struct range *ranges = arena_array(m->a, m->place_count, sizeof *ranges);
    uint32_t count = 0;
    for (uint32_t i = 0; i < m->place_count; i++)
        if (m->places[i].wanted)
            wanted[count++] = m->places[i];
    sort_list(wanted, count, sizeof *wanted, by_address);
    uint32_t range_count = find_ranges(m, wanted, count, ranges);
    for (uint32_t i = 0; i < count; i++)
        if (!binary_of(m, m->r->p->locations[wanted[i].location].mapping))
            add_without_binary(m, &wanted[i]);
    sort_list(ranges, range_count, sizeof *ranges, by_score);
    for (uint32_t i = 0; i < range_count && i < RANGES_MAX; i++)
        disassemble(m, &ranges[i]);
}

/* Samples inside of an instruction are the instruction's. */
static void add_weights(struct maker *m)
{
    for (uint32_t i = 0; i < m->inst_count; i++) {
        struct inst *inst = &m->insts[i];
        for (uint64_t at = inst->address; at < inst->address + inst->length; at++) {
            struct map_probe probe = map_find(&m->by_address, hash_mix(0, at));
            uint32_t k;
            while ((k = map_next(&m->by_address, &probe)) != MAP_NONE) {
                if (m->places[k].address != at)
                    continue;
                inst->flat += m->places[k].flat;
                inst->cum += m->places[k].cum;
            }
        }
    }
}

/* ---- the listing ---- */

/* The lines first .. end of one file, in `entries` from `entry` on. */
struct part {
    uint32_t name;
    int64_t begin, end, flat, cum;
};

static const char *name_text(struct maker *m, uint32_t name)
{
    return arena_strndup(m->a, m->names.items[name].ptr, m->names.items[name].len);
}

static uint32_t shown_name(struct maker *m, const char *function)
{
    uint32_t name = name_of(m, function, strlen(function));
    return m->pretty[name] ? m->pretty[name] : name;
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->file != y->file)
        return x->file < y->file ? -1 : 1;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Lines near each other of one function are one part; then parts are widened. */
static uint32_t find_parts(struct maker *m, const struct entry *e, uint32_t count,
                           struct part *parts)
{
    uint32_t n = 0;
    for (uint32_t i = 0, next; i < count; i = next) {
        struct part part = {shown_name(m, e[i].function), e[i].line, e[i].line + 1, 0, 0};
        for (next = i; next < count && e[next].line == e[i].line; next++) {
            const struct inst *inst = find_inst(m, e[next].address);
            part.flat += inst->flat;
            part.cum += inst->cum;
        }
        struct part *last = n ? &parts[n - 1] : NULL;
        if (last && part.begin - last->end < MERGE_LINES && last->name == part.name) {
            last->end = part.end;
            last->flat += part.flat;
            last->cum += part.cum;
        } else {
            parts[n++] = part;
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        struct part *part = &parts[i];
        if (i == 0) {
            /* Line 0 is for code without lines, and not one of the source. */
            if (part->begin > MARGIN)
                part->begin -= MARGIN;
            else if (part->begin > 1)
                part->begin = 1;
            continue;
        }
        int64_t half = (part->begin - parts[i - 1].end) / 2;
        half = half < MARGIN ? half : MARGIN;
        parts[i - 1].end += half;
        part->begin -= half;
    }
    if (n)
        parts[n - 1].end += MARGIN;
    return n;
}

/* The instructions of one line. */
static void make_line(struct maker *m, struct weblist_line *line, const struct entry *e,
                      uint32_t count)
{
    struct weblist_inst *insts = arena_array(m->a, count, sizeof *insts);
    uint64_t end = 0; /* of the one before */
    for (uint32_t i = 0; i < count; i++) {
        const struct inst *inst = find_inst(m, e[i].address);
        insts[i] = (struct weblist_inst){inst->object_address, inst->text, inst->file,
                                         inst->line,           inst->flat, inst->cum,
                                         inst->address != end, e[i].calls, e[i].call_count};
        end = inst->address + inst->length;
        line->flat += inst->flat;
        line->cum += inst->cum;
    }
    line->insts = insts;
    line->inst_count = count;
}

static void make_function(struct maker *m, struct weblist_function *f, const struct part *part,
                          const struct entry *e, uint32_t count)
{
    struct names_item file = {f->file, (uint32_t)strlen(f->file)};
    uint32_t cap = 0, at = 0;
    while (at < count && e[at].line < part->begin)
        at++;
    for (int64_t number = part->begin; number < part->end; number++) {
        uint32_t first = at;
        struct weblist_line line = {.number = number};
        while (at < count && e[at].line == number)
            at++;
        if (!source_line(m->reader, (struct profile_str){file.ptr, file.len}, number,
                         &line.source)) {
            static const char unknown[] = "<instructions with unknown line numbers>";
            if (at == first)
                continue;
            line.source = number ? (struct profile_str){"???", 3}
                                 : (struct profile_str){unknown, sizeof unknown - 1};
        }
        make_line(m, &line, e + first, at - first);
        f->lines = grow(m->a, f->lines, f->line_count, &cap, sizeof *f->lines);
        f->lines[f->line_count++] = line;
    }
}

struct file_order {
    uint32_t file, first, count;
    int64_t flat;
    struct names_item name;
};

static int by_file_name(const void *a, const void *b)
{
    struct names_item x = ((const struct file_order *)a)->name;
    struct names_item y = ((const struct file_order *)b)->name;
    int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return order ? order : (x.len > y.len) - (x.len < y.len);
}

static int by_file_weight(const void *a, const void *b)
{
    const struct file_order *x = a, *y = b;
    if (x->flat != y->flat)
        return x->flat > y->flat ? -1 : 1;
    return by_file_name(a, b);
}

static int by_entry_address(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Each address once, however many of the file's lines show it. */
static int64_t file_weight(struct maker *m, const struct entry *e, uint32_t count)
{
    uint64_t *addresses = arena_array(m->a, count, sizeof *addresses);
    int64_t flat = 0;
    for (uint32_t i = 0; i < count; i++)
        addresses[i] = e[i].address;
    sort_list(addresses, count, sizeof *addresses, by_entry_address);
    for (uint32_t i = 0; i < count; i++)
        if (!i || addresses[i] != addresses[i - 1])
            flat += find_inst(m, addresses[i])->flat;
    return flat;
}

static void make_file(struct maker *m, struct weblist *w, const struct file_order *file,
                      uint32_t *cap)
{
    const struct entry *e = m->entries + file->first;
    struct part *parts = arena_array(m->a, file->count, sizeof *parts);
    uint32_t count = find_parts(m, e, file->count, parts);
    for (uint32_t i = 0; i < count; i++) {
        if (!parts[i].cum)
            continue;
        w->functions = grow(m->a, w->functions, w->function_count, cap, sizeof *w->functions);
        struct weblist_function *f = &w->functions[w->function_count++];
        *f = (struct weblist_function){name_text(m, parts[i].name),
                                       name_text(m, m->files[file->file]),
                                       parts[i].flat,
                                       parts[i].cum,
                                       NULL,
                                       0};
        make_function(m, f, &parts[i], e, file->count);
    }
}

static void make_listing(struct maker *m, struct weblist *w, int64_t max_files)
{
    struct file_order *files = arena_zarray(m->a, m->file_count, sizeof *files);
    uint32_t cap = 0;
    sort_list(m->entries, m->entry_count, sizeof *m->entries, by_place);
    for (uint32_t i = 0; i < m->entry_count; i++) {
        struct file_order *f = &files[m->entries[i].file];
        f->first = f->count ? f->first : i;
        f->count++;
    }
    for (uint32_t i = 0; i < m->file_count; i++) {
        files[i].file = i;
        files[i].name = m->names.items[m->files[i]];
        files[i].flat = file_weight(m, m->entries + files[i].first, files[i].count);
    }
    sort_list(files, m->file_count, sizeof *files, max_files < 0 ? by_file_name : by_file_weight);
    for (uint32_t i = 0; i < m->file_count && (max_files < 0 || i < max_files); i++)
        make_file(m, w, &files[i], &cap);
}

static void begin(struct maker *m, struct weblist *w, struct report *r)
{
    const struct profile *p = r->p;
    *m = (struct maker){.r = r, .a = &r->arena, .reader = &w->reader, .next_made = 1};
    names_init(&m->names, m->a);
    map_init(&m->by_address, m->a, 0);
    map_init(&m->inst_by_address, m->a, 0);
    m->made = arena_zarray(m->a, p->location_count, sizeof *m->made);
    m->matched = arena_array(m->a, p->function_count, 1);
    m->matched_file = arena_array(m->a, p->mapping_count, 1);
    m->binaries = arena_array(m->a, p->mapping_count, sizeof *m->binaries);
    memset(m->matched, -1, p->function_count);
    memset(m->matched_file, -1, p->mapping_count);
    for (uint32_t i = 0; i < p->mapping_count; i++)
        if (p->mappings[i].limit > m->next_made)
            m->next_made = p->mappings[i].limit;
}

int weblist_make(struct weblist *w, struct report *r, int64_t max_files, struct err *e)
{
    struct maker m;
    *w = (struct weblist){.functions = NULL};
    int rc = source_reader_init(&w->reader, &r->arena, r->o.source_path, r->o.trim_path, e);
    if (rc)
        return rc;
    begin(&m, w, r);
    add_samples(&m);
    bool any = false;
    for (uint32_t i = 0; i < m.name_cap; i++)
        any |= m.interest[i];
    if (!any)
        return err_set(e, -ENOENT, "no matches found for regexp: %s",
                       r->o.symbol ? regex_pattern(r->o.symbol) : "");
    if (!max_files)
        return 0;
    add_code(&m);
    add_weights(&m);
    make_listing(&m, w, max_files);
    w->binaries = arena_array(m.a, m.binary_count, sizeof *w->binaries);
    for (uint32_t i = 0; i < m.binary_count; i++)
        w->binaries[w->binary_count++] = m.binaries[i].object;
    return 0;
}

void weblist_free(struct weblist *w)
{
    for (uint32_t i = 0; i < w->binary_count; i++)
        object_close(w->binaries[i]);
    w->binary_count = 0;
}
