/* SPDX-License-Identifier: MIT
 *
 * -symbolize (google/pprof internal/symbolizer). Names that are in the profile are demangled and
 * simplified as pprof does with every profile it reads. Looking names up in binaries belongs here
 * too, where pprof does it, and is not in this version: a profile keeps the addresses it has. */
#include "pprof/pprof_internal.h"
#include "symbol/demangle.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

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

static void demangle_function(struct profile *p, struct profile_function *f)
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
    const char *demangled = demangle(&p->arena, text);
    if (demangled == text && text[0] == '_') {
        const char *without = demangle(&p->arena, text + 1); /* as macOS writes them */
        demangled = without == text + 1 ? text : without;
    }
    if (demangled == text && looks_demangled(text)) {
        cut_nested(text, '(', ')');
        cut_nested(text, '<', '>');
    }
    f->name = profile_intern_cstr(p, demangled);
}

static bool word_is(const char *word, size_t len, const char *name)
{
    return strlen(name) == len && !strncasecmp(word, name, len);
}

/* Modes that need binaries. Any demangle mode but the default forces new symbols, too. */
static bool needs_binaries(const char *word, size_t len)
{
    static const char *const words[] = {"local",         "fastlocal",     "remote",
                                        "force",         "demangle=none", "demangle=full",
                                        "demangle=templates"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (word_is(word, len, words[i]))
            return true;
    return false;
}

int symbolize(struct profile *p, const char *mode, struct err *e)
{
    for (const char *at = mode; *at; at += *at == ':') {
        size_t n = strcspn(at, ":");
        if (word_is(at, n, "none") || word_is(at, n, "no"))
            return 0;
        if (needs_binaries(at, n))
            return err_set(e, -ENOTSUP,
                           "-symbolize=%.*s is not in this version; leave it out, or use "
                           "-symbolize=none",
                           (int)n, at);
        if (n && !word_is(at, n, "demangle=default")) {
            ui_errorf("ignoring unrecognized symbolization option: %s", mode);
            ui_error("expecting -symbolize=[local|fastlocal|remote|none][:force]"
                     "[:demangle=[none|full|templates|default]");
        }
        at += n;
    }
    for (uint32_t i = 0; i < p->function_count; i++)
        demangle_function(p, &p->functions[i]);
    return 0;
}
