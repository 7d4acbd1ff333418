/* SPDX-License-Identifier: MIT
 *
 * -symbolize (google/pprof internal/symbolizer): which names, files and lines are looked up where,
 * and how names are shown. The binaries on this machine come first, then the servers that profiles
 * came from; every name, looked up or not, is then demangled as the mode says. */
#include "pprof/pprof_internal.h"
#include "pprof/symbolz.h"

#include "base/gotext.h"
#include "base/map.h"
#include "symbol/demangle.h"
#include "symbol/object.h"
#include "symbol/objdump.h"
#include "symbol/symbol.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

struct mode {
    bool none, local, remote, fast, force, keep_names;
    enum demangle_mode demangle;
};

static bool word_is(const char *word, size_t len, const char *name)
{
    return strlen(name) == len && !strncasecmp(word, name, len);
}

/* One word of the option; false if it is unknown. */
static bool read_word(struct mode *m, const char *word, size_t n)
{
    if (word_is(word, n, "none") || word_is(word, n, "no")) {
        m->none = true;
    } else if (word_is(word, n, "local") || word_is(word, n, "fastlocal")) {
        m->remote = false;
        m->local = true;
        m->fast |= word_is(word, n, "fastlocal");
    } else if (word_is(word, n, "remote")) {
        m->remote = true;
        m->local = false;
    } else if (word_is(word, n, "force")) {
        m->force = true;
    } else {
        bool prefixed = n >= 9 && !strncasecmp(word, "demangle=", 9);
        const char *what = prefixed ? word + 9 : word;
        size_t len = prefixed ? n - 9 : n;
        if (word_is(what, len, "default"))
            return true;
        bool keep = word_is(what, len, "none"), full = word_is(what, len, "full");
        if (!keep && !full && !word_is(what, len, "templates"))
            return false;
        m->keep_names = keep;
        m->demangle = full ? DEMANGLE_FULL : DEMANGLE_TEMPLATES;
        m->force = true;
    }
    return true;
}

static struct mode read_mode(const char *text)
{
    struct mode m = {.local = true, .remote = true, .demangle = DEMANGLE_SHORT};
    for (const char *at = text; *at && !m.none; at += *at == ':') {
        size_t n = strcspn(at, ":");
        if (n && !read_word(&m, at, n)) {
            ui_errorf("ignoring unrecognized symbolization option: %s", text);
            ui_error("expecting -symbolize=[local|fastlocal|remote|none][:force]"
                     "[:demangle=[none|full|templates|default]");
        }
        at += n;
    }
    return m;
}

/* ---- names ---- */

/* Whether the name is a C++ one that was demangled already, and can be simplified. */
static bool looks_demangled(const char *name)
{
    if (strstr(name, ".<") || strstr(name, "])."))
        return false;
    return strpbrk(name, "<>[]") || strstr(name, "::");
}

/* Cuts what stands between `open` and `close`, nested ones with it; on a mismatch only what was cut
 * before it. */
static void cut_nested(char *name, char open, char close)
{
    char both[3] = {open, close, 0};
    int nesting = 0;
    char *first = name, *at = name;
    while ((at = strpbrk(at, both))) {
        if (*at == open) {
            if (++nesting == 1)
                first = at;
            at++;
        } else {
            if (--nesting < 0)
                return;
            at++;
            if (!nesting) {
                memmove(first, at, strlen(at) + 1);
                at = first;
            }
        }
    }
}

static void demangle_function(struct profile *p, struct profile_function *f,
                              enum demangle_mode mode)
{
    struct profile_str name = p->strings[f->name], system = p->strings[f->system_name];
    bool same = name.len == system.len && !memcmp(name.ptr, system.ptr, name.len);
    if (name.len && !same)
        return;
    if (!memchr(system.ptr, '_', system.len) && !memchr(system.ptr, ':', system.len) &&
        !memchr(system.ptr, '<', system.len) && !memchr(system.ptr, '[', system.len) &&
        !memchr(system.ptr, '>', system.len) && !memchr(system.ptr, ']', system.len)) {
        f->name = f->system_name; /* neither mangled nor C++: most names end here */
        return;
    }
    char *text = arena_strndup(&p->arena, system.ptr, system.len);
    const char *demangled = demangle_as(&p->arena, text, mode);
    if (!demangled && text[0] == '_')
        demangled = demangle_as(&p->arena, text + 1, mode); /* as macOS writes them */
    if (!demangled && looks_demangled(text)) {
        if (mode != DEMANGLE_FULL)
            cut_nested(text, '(', ')');
        if (mode == DEMANGLE_SHORT)
            cut_nested(text, '<', '>');
    }
    f->name = profile_intern_cstr(p, demangled ? demangled : text);
}

static void demangle_all(struct profile *p, const struct mode *m)
{
    for (uint32_t i = 0; i < p->function_count; i++) {
        struct profile_function *f = &p->functions[i];
        if (m->force && p->strings[f->name].len && p->strings[f->system_name].len)
            f->name = f->system_name;
        if (!m->keep_names)
            demangle_function(p, f, m->demangle);
    }
}

/* ---- local ---- */

/* The functions that were added, by content: those the profile had are not looked at, as in pprof.
 */
struct added {
    struct profile *p;
    struct arena arena;
    struct map map;
    uint32_t function_cap, line_cap;
};

static uint32_t add_function(struct added *a, const struct object_frame *frame)
{
    struct profile *p = a->p;
    struct profile_function f = {.start_line = frame->start_line};
    f.name = f.system_name = profile_intern_cstr(p, frame->name);
    f.file = profile_intern_cstr(p, frame->file);
    uint64_t hash = hash_mix(hash_mix(f.name, f.file), (uint64_t)f.start_line);
    struct map_probe at = map_find(&a->map, hash);
    uint32_t i;
    while ((i = map_next(&a->map, &at)) != MAP_NONE)
        if (p->functions[i].name == f.name && p->functions[i].file == f.file &&
            p->functions[i].start_line == f.start_line)
            return i;
    if (p->function_count >= a->function_cap) {
        a->function_cap = 2 * p->function_count + 64;
        p->functions = arena_grow(&p->arena, p->functions, p->function_count * sizeof f,
                                  a->function_cap * sizeof f);
    }
    i = p->function_count++;
    f.id = p->function_count;
    p->functions[i] = f;
    map_put(&a->map, hash, i);
    return i;
}

static void set_lines(struct added *a, struct profile_mapping *m, struct profile_location *l,
                      const struct object_frames *frames)
{
    struct profile *p = a->p;
    if (p->line_count + frames->count > a->line_cap) {
        a->line_cap = 2 * (p->line_count + frames->count) + 64;
        p->lines = arena_grow(&p->arena, p->lines, p->line_count * sizeof *p->lines,
                              a->line_cap * sizeof *p->lines);
    }
    l->line_first = p->line_count;
    l->line_count = frames->count;
    l->is_folded = false;
    for (uint32_t i = 0; i < frames->count; i++) {
        const struct object_frame *f = &frames->frames[i];
        m->has_functions |= *f->name != 0;
        m->has_filenames |= *f->file != 0;
        m->has_line_numbers |= f->line != 0;
        p->lines[p->line_count++] = (struct profile_line){f->line, f->column, add_function(a, f)};
    }
    m->has_inline_frames = true;
}

static bool starts(struct profile_str s, const char *prefix)
{
    return s.len >= strlen(prefix) && !memcmp(s.ptr, prefix, strlen(prefix));
}

/* Mapping.Unsymbolizable */
static bool is_system(struct profile_str file)
{
    size_t len;
    const char *base = gotext_base(file.ptr, file.len, &len);
    struct profile_str name = {base, (uint32_t)len};
    return starts(name, "[") || starts(name, "linux-vdso") || starts(file, "/dev/dri/") ||
           (file.len == 6 && starts(file, "//anon")) || starts(file, "/memfd:");
}

static bool is_http(struct profile_str file)
{
    return starts(file, "http://") || starts(file, "https://") || starts(file, "https+insecure://");
}

/* The locations of one mapping. */
struct batch {
    struct profile_mapping *mapping;
    const uint32_t *locations;
    uint32_t count;
};

static void symbolize_batch(struct added *a, const struct batch *b, struct object *o,
                            enum object_detail detail)
{
    uint32_t count = b->count;
    struct profile *p = a->p;
    uint64_t *addresses = arena_array(&a->arena, count, sizeof *addresses);
    struct object_frames *frames = arena_array(&a->arena, count, sizeof *frames);
    for (uint32_t i = 0; i < count; i++)
        addresses[i] = p->locations[b->locations[i]].address;
    object_look_up(o, addresses, count, detail, frames);
    for (uint32_t i = 0; i < count; i++)
        if (frames[i].count)
            set_lines(a, b->mapping, &p->locations[b->locations[i]], &frames[i]);
}

/* Opens the mapping's binary; NULL, and maybe a message, if it is not to be had. */
static struct object *open_binary(struct added *a, const struct profile_mapping *m, bool *missing)
{
    struct profile *p = a->p;
    struct profile_str file = p->strings[m->file], id = p->strings[m->build_id];
    const char *path = arena_strndup(&a->arena, file.ptr, file.len);
    size_t len;
    const char *base = gotext_base(file.ptr, file.len, &len);
    const char *name = id.len ? arena_printf(&a->arena, "%.*s (build ID %.*s)", (int)len, base,
                                             (int)id.len, id.ptr)
                              : arena_printf(&a->arena, "%.*s", (int)len, base);
    struct object_mapping mapping = {m->start, m->limit, m->offset, NULL};
    struct object *o;
    struct err e = {0};
    if (object_open(&o, path, &mapping, &e)) {
        ui_errorf("Local symbolization failed for %s: %s", name, e.msg);
        *missing = true;
        return NULL;
    }
    const char *found = object_build_id(o);
    if (id.len && *found && (strlen(found) != id.len || memcmp(found, id.ptr, id.len) != 0)) {
        ui_errorf("Local symbolization failed for %s: build ID mismatch", name);
        object_close(o);
        return NULL;
    }
    return o;
}

/* Whether the mapping's binary is to be asked at all. */
static bool is_wanted(const struct profile *p, uint32_t i, bool force, bool *missing)
{
    const struct profile_mapping *m = &p->mappings[i];
    struct profile_str file = p->strings[m->file];
    if (!force && (m->has_functions || m->has_filenames || m->has_line_numbers))
        return false;
    if (!file.len) {
        if (i == 0)
            ui_error("Main binary filename not available.");
        else
            *missing = true;
        return false;
    }
    return !is_system(file) && (p->strings[m->build_id].len || !is_http(file));
}

/* first[m] .. first[m + 1] are the locations of mapping m, in their order. */
static uint32_t *group_locations(struct added *a, uint32_t **grouped)
{
    const struct profile *p = a->p;
    uint32_t *first = arena_zarray(&a->arena, p->mapping_count + 2, sizeof *first);
    *grouped = arena_array(&a->arena, p->location_count, sizeof **grouped);
    for (uint32_t i = 0; i < p->location_count; i++)
        if (p->locations[i].mapping != PROFILE_NONE)
            first[p->locations[i].mapping + 2]++;
    for (uint32_t i = 2; i < p->mapping_count + 2; i++)
        first[i] += first[i - 1];
    for (uint32_t i = 0; i < p->location_count; i++)
        if (p->locations[i].mapping != PROFILE_NONE)
            (*grouped)[first[p->locations[i].mapping + 1]++] = i;
    return first;
}

/* Nothing is missed then; pprof says so all the same of profiles without a binary. */
static bool all_named(const struct profile *p, const uint32_t *locations, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!p->locations[locations[i]].line_count)
            return false;
    return true;
}

static void symbolize_locally(struct profile *p, const struct source *s, const struct mode *mode)
{
    struct added a = {.p = p, .function_cap = p->function_count, .line_cap = p->line_count};
    struct object_tools tools;
    bool missing = false;
    uint32_t *grouped, *first = group_locations(&a, &grouped);
    map_init(&a.map, &a.arena, 0);
    object_tools_find(&tools, s->tools, &a.arena);
    for (uint32_t i = 0; i < p->mapping_count; i++) {
        uint32_t count = first[i + 1] - first[i];
        if (!count || (!s->exact && !mode->force && all_named(p, grouped + first[i], count)) ||
            !is_wanted(p, i, mode->force, &missing))
            continue;
        struct object *o = open_binary(&a, &p->mappings[i], &missing);
        if (!o)
            continue;
        struct batch batch = {&p->mappings[i], grouped + first[i], count};
        symbolize_batch(&a, &batch, o, mode->fast ? tools.names : tools.lines);
        if (object_not_fetched(o))
            ui_error(object_not_fetched(o));
        object_close(o);
    }
    if (missing)
        ui_error("Some binary filenames not available. Symbolization may be incomplete.\n"
                 "Try setting PPROF_BINARY_PATH to the search path for local binaries.");
    arena_free(&a.arena);
}

/* What a live native program has said of itself has names where its dynamic symbols have them, and
 * no lines. pprof leaves it at that; whoever has the same binaries can know more. */
static int complete_names(struct profile *p, struct err *e)
{
    struct symbol_options o;
    symbol_options_default(&o);
    o.bare_names = true;
    return symbol_profile(p, &o, NULL, e);
}

int symbolize(struct profile *p, const struct source *s, struct symbolz *origins, struct err *e)
{
    struct mode mode = read_mode(s->symbolize);
    if (mode.none)
        return 0;
    int rc = mode.local && !s->exact ? complete_names(p, e) : 0;
    if (rc)
        return rc;
    if (mode.local)
        symbolize_locally(p, s, &mode);
    rc = mode.remote ? symbolz(origins, p, s, mode.force, e) : 0;
    if (rc)
        return rc;
    demangle_all(p, &mode);
    return 0;
}
