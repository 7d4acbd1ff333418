/* SPDX-License-Identifier: MIT
 *
 * Symbolizes a profile: sorts its addresses by file, lets workers look them up, and writes what
 * they found back into the profile, by one thread and in the profile's own order, so that the
 * result is the same for any number of threads. */
#include "symbol/symbol.h"

#include "symbol/demangle.h"
#include "symbol/symbol_internal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX    32
#define DEMANGLED_BITS 12

struct job {
    struct profile *p;
    struct symbol_options o;
    struct symbol_stats stats;
    struct arena arena;
    uint32_t *module_of; /* by mapping, PROFILE_NONE: not asked for */
    struct module *modules;
    uint32_t *first_mapping; /* by module */
    uint32_t module_count;
    struct query **by_location; /* NULL: not asked for, or nothing found */
    atomic_uint next;           /* the module that the next free worker takes */
    struct func_map *functions;
    struct demangled {
        uint32_t system_name, name; /* strings */
    } * demangled;                  /* a cache by system_name's hash */
};

void symbol_options_default(struct symbol_options *o)
{
    *o = (struct symbol_options){.lines = true};
}

static bool has_bare_names(const struct profile_mapping *m)
{
    return m->has_functions && !m->has_filenames && !m->has_line_numbers && m->build_id;
}

static bool is_wanted(const struct job *j, const struct profile_location *l)
{
    if (j->o.bare_names)
        return l->mapping != PROFILE_NONE && has_bare_names(&j->p->mappings[l->mapping]);
    if (l->line_count && !j->o.force)
        return false;
    return l->mapping == PROFILE_NONE || j->o.force || !j->p->mappings[l->mapping].has_functions;
}

static char *text(struct job *j, uint32_t string)
{
    struct profile_str s = profile_string(j->p, string);
    return arena_strndup(&j->arena, s.ptr, s.len);
}

/* One module for all mappings of the same file and build id. */
static void find_modules(struct job *j)
{
    struct profile *p = j->p;
    j->module_of = arena_array(&j->arena, p->mapping_count, sizeof *j->module_of);
    j->modules = arena_zarray(&j->arena, p->mapping_count, sizeof *j->modules);
    j->first_mapping = arena_array(&j->arena, p->mapping_count, sizeof *j->first_mapping);
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        const struct profile_mapping *mp = &p->mappings[i];
        uint32_t k = 0;
        while (k < j->module_count && (p->mappings[j->first_mapping[k]].file != mp->file ||
                                       p->mappings[j->first_mapping[k]].build_id != mp->build_id))
            k++;
        j->module_of[i] = k;
        if (k < j->module_count)
            continue;
        struct module *m = &j->modules[j->module_count];
        j->first_mapping[j->module_count++] = i;
        m->file = text(j, mp->file);
        m->build_id = text(j, mp->build_id);
        m->base = strrchr(m->file, '/') ? strrchr(m->file, '/') + 1 : m->file;
        m->places = (struct debug_places){.sysroot = j->o.sysroot ? j->o.sysroot : "",
                                          .debug_dirs = j->o.debug_dirs,
                                          .progress = j->o.progress,
                                          .progress_ctx = j->o.progress_ctx};
        m->lines = j->o.lines;
        if (j->o.open_as)
            m->open_as = j->o.open_as(j->o.open_ctx, m->file, m->build_id);
    }
}

static void find_queries(struct job *j)
{
    struct profile *p = j->p;
    for (int round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < p->location_count; i++) {
            const struct profile_location *l = &p->locations[i];
            if (!is_wanted(j, l))
                continue;
            if (round == 0)
                j->stats.locations++;
            if (l->mapping == PROFILE_NONE)
                continue;
            const struct profile_mapping *mp = &p->mappings[l->mapping];
            struct module *m = &j->modules[j->module_of[l->mapping]];
            if (l->address < mp->start)
                continue;
            if (round == 1) {
                uint64_t offset = l->address - mp->start + mp->offset;
                m->queries[m->query_count] = (struct query){.addr = offset, .location = i};
            }
            m->query_count++;
        }
        for (uint32_t k = 0; round == 0 && k < j->module_count; k++) {
            struct module *m = &j->modules[k];
            m->queries = arena_array(&j->arena, m->query_count, sizeof *m->queries);
            m->asked = m->query_count;
            m->query_count = 0;
        }
    }
}

static void *work(void *arg)
{
    struct job *j = arg;
    for (;;) {
        unsigned i = atomic_fetch_add(&j->next, 1);
        if (i >= j->module_count)
            return NULL;
        if (j->modules[i].query_count)
            module_symbolize(&j->modules[i]);
    }
}

static unsigned processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : (unsigned)CPU_COUNT(&set);
}

static void run(struct job *j)
{
    pthread_t threads[THREADS_MAX];
    unsigned want = j->o.threads ? j->o.threads : processors(), busy = 0, started = 0;
    for (uint32_t k = 0; k < j->module_count; k++)
        busy += j->modules[k].query_count > 0;
    if (want > busy)
        want = busy;
    if (want > THREADS_MAX)
        want = THREADS_MAX;
    elf_version(EV_CURRENT);
    /* This thread works as well; that a thread cannot be had only makes it slower. */
    while (started + 1 < want && !pthread_create(&threads[started], NULL, work, j))
        started++;
    work(j);
    while (started)
        pthread_join(threads[--started], NULL);
}

/* ---- writing back ---- */

/* Functions by content, open addressing; the profile's own ones are in it from the start. */
struct func_map {
    uint32_t *slots; /* function index + 1, 0: free */
    uint32_t mask;
    uint64_t last_id;
    size_t capacity; /* of p->functions */
    struct profile_function *last;
};

static uint64_t hash_function(const struct profile_function *f)
{
    uint64_t h = f->system_name * 0x9e3779b97f4a7c15ull ^ f->file * 0xc2b2ae3d27d4eb4full;
    h ^= (uint64_t)f->start_line * 0x165667b19e3779f9ull ^ f->name;
    return h ^ h >> 29;
}

static uint32_t *find_slot(const struct profile *p, struct func_map *map,
                           const struct profile_function *f)
{
    for (uint64_t h = hash_function(f);; h++) {
        uint32_t *slot = &map->slots[h & map->mask];
        const struct profile_function *o = *slot ? &p->functions[*slot - 1] : NULL;
        if (!o || (o->system_name == f->system_name && o->file == f->file &&
                   o->start_line == f->start_line && o->name == f->name))
            return slot;
    }
}

static uint32_t intern_function(struct job *j, struct profile_function f)
{
    struct profile *p = j->p;
    uint32_t *slot = find_slot(p, j->functions, &f);
    if (*slot)
        return *slot - 1;
    f.id = ++j->functions->last_id;
    p->functions[p->function_count] = f;
    *slot = ++p->function_count;
    return *slot - 1;
}

/* Room for `more` functions, and the table of those that are there. */
static void make_room(struct job *j, uint32_t more)
{
    struct profile *p = j->p;
    struct func_map *map = j->functions;
    uint64_t size = 64;
    while (size < 2 * ((uint64_t)p->function_count + more))
        size *= 2;
    map->slots = arena_zarray(&j->arena, size, sizeof *map->slots);
    map->mask = (uint32_t)(size - 1);
    p->functions = arena_grow(&p->arena, p->functions, p->function_count * sizeof *p->functions,
                              ((size_t)p->function_count + more) * sizeof *p->functions);
    for (uint32_t i = 0; i < p->function_count; i++) {
        uint32_t *slot = find_slot(p, map, &p->functions[i]);
        if (!*slot)
            *slot = i + 1;
        if (p->functions[i].id > map->last_id)
            map->last_id = p->functions[i].id;
    }
}

/* Demangling costs more than all else that is done with a name, and names repeat. */
static uint32_t shown_name(struct job *j, uint32_t system_name, const char *name)
{
    struct demangled *slot = &j->demangled[system_name * 2654435761u >> (32 - DEMANGLED_BITS)];
    if (slot->system_name != system_name || !system_name) {
        slot->system_name = system_name;
        slot->name = profile_intern_cstr(j->p, demangle(&j->arena, name));
    }
    return slot->name;
}

static void add_line(struct job *j, const char *name, const struct frame *f)
{
    struct profile *p = j->p;
    struct profile_function fn = {.start_line = f->start_line};
    fn.system_name = profile_intern_cstr(p, name);
    fn.name = shown_name(j, fn.system_name, name);
    fn.file = f->file ? profile_intern_cstr(p, f->file) : 0;
    p->lines[p->line_count++] = (struct profile_line){f->line, 0, intern_function(j, fn)};
}

static void write_location(struct job *j, struct profile_location *l, const struct query *q)
{
    struct profile *p = j->p;
    struct profile_mapping *mp = &p->mappings[l->mapping];
    static const struct frame unknown;
    l->line_first = p->line_count;
    for (uint32_t i = 0; i + 1 < q->frame_count; i++)
        add_line(j, q->frames[i].name ? q->frames[i].name : "??", &q->frames[i]);
    add_line(j, q->name, q->frame_count ? &q->frames[q->frame_count - 1] : &unknown);
    l->line_count = p->line_count - l->line_first;
    mp->has_functions = true;
    mp->has_inline_frames |= q->frame_count > 1;
    for (uint32_t i = 0; i < q->frame_count; i++) {
        mp->has_filenames |= q->frames[i].file != NULL;
        mp->has_line_numbers |= q->frames[i].line != 0;
    }
}

static void count_query(struct job *j, struct symbol_module *s, const struct query *q)
{
    bool line = q->frame_count && q->frames[0].line;
    j->stats.with_function += q->kind == NAME_REAL;
    j->stats.by_unwind_entry += q->kind == NAME_GROUP;
    j->stats.with_line += line;
    j->stats.with_inlines += q->frame_count > 1;
    s->with_function += q->kind == NAME_REAL;
    s->with_line += line;
}

/* Counts, and says by location which query answers it. Returns the number of lines to come. */
static uint64_t collect(struct job *j)
{
    struct profile *p = j->p;
    uint64_t lines = 0;
    j->by_location = arena_zarray(&j->arena, p->location_count, sizeof *j->by_location);
    j->stats.modules = arena_zarray(&p->arena, j->module_count, sizeof *j->stats.modules);
    for (uint32_t k = 0; k < j->module_count; k++) {
        struct module *m = &j->modules[k];
        if (!m->asked)
            continue;
        struct symbol_module *s = &j->stats.modules[j->stats.module_count++];
        s->file = arena_strdup(&p->arena, m->file);
        s->reason = m->reason ? arena_strdup(&p->arena, m->reason) : NULL;
        s->debug = m->debug ? arena_strdup(&p->arena, m->debug) : NULL;
        s->not_fetched = m->not_fetched ? arena_strdup(&p->arena, m->not_fetched) : NULL;
        s->without_split = m->no_split;
        s->split_name = m->no_split ? arena_strdup(&p->arena, m->no_split_name) : NULL;
        s->locations = m->asked;
        for (uint32_t i = 0; !m->reason && i < m->query_count; i++) {
            struct query *q = &m->queries[i];
            count_query(j, s, q);
            j->by_location[q->location] = q;
            lines += q->frame_count ? q->frame_count : 1;
        }
    }
    j->stats.without_name = j->stats.locations - j->stats.with_function - j->stats.by_unwind_entry;
    return lines;
}

static int write_back(struct job *j, struct err *e)
{
    struct profile *p = j->p;
    uint64_t more = collect(j);
    if (more + p->line_count + p->function_count >= UINT32_MAX / 4)
        return err_set(e, -EOVERFLOW, "The profile would have too many lines.");
    make_room(j, (uint32_t)more);
    j->demangled = arena_zarray(&j->arena, 1u << DEMANGLED_BITS, sizeof *j->demangled);
    p->lines = arena_grow(&p->arena, p->lines, p->line_count * sizeof *p->lines,
                          (p->line_count + more) * sizeof *p->lines);
    for (uint32_t i = 0; i < p->location_count; i++) {
        if (j->by_location[i])
            write_location(j, &p->locations[i], j->by_location[i]);
    }
    return 0;
}

int symbol_profile(struct profile *p, const struct symbol_options *o, struct symbol_stats *stats,
                   struct err *e)
{
    struct func_map functions = {0};
    struct job j = {.p = p, .functions = &functions};
    symbol_options_default(&j.o);
    if (o)
        j.o = *o;
    find_modules(&j);
    find_queries(&j);
    run(&j);
    int rc = write_back(&j, e);
    for (uint32_t k = 0; k < j.module_count; k++)
        module_close(&j.modules[k]);
    if (stats)
        *stats = j.stats;
    arena_free(&j.arena);
    return rc;
}
