/* SPDX-License-Identifier: MIT
 *
 * The kind of a profile, for people: what pprof calls it, told by its sample types, and those. It
 * explains errors only; what can be merged is decided in profile/merge_header.c. */
#include "pprof/kinds.h"

#include <errno.h>

/* By a sample type that only this kind has. */
static const struct {
    const char *type, *kind;
} kinds[] = {
    {"cpu", "CPU"},          {"wall", "wall clock"},           {"inuse_space", "heap"},
    {"alloc_space", "heap"}, {"delay", "block or mutex"},      {"goroutine", "threads"},
    {"threads", "threads"},  {"threadcreate", "threadcreate"},
};

static const char *kind_of(const struct profile *p)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (uint32_t i = 0; i < p->sample_type_count; i++)
            if (profile_str_is(p->strings[p->sample_types[i].type], kinds[k].type))
                return kinds[k].kind;
    return NULL;
}

/* "cpu.pb.gz is a CPU profile (samples, cpu)". */
static void describe(const struct kinds_file *f, struct buf *out)
{
    const char *kind = kind_of(f->p);
    buf_printf(out, "%.120s %s%s%s", f->name ? f->name : "one of them", kind ? "is a " : "",
               kind ? kind : "has other values", kind ? " profile" : "");
    for (uint32_t i = 0; i < f->p->sample_type_count && i < 4; i++) {
        struct profile_str type = f->p->strings[f->p->sample_types[i].type];
        int len = type.len < 24 ? (int)type.len : 24;
        buf_printf(out, "%s%.*s", i ? ", " : " (", len, type.ptr);
    }
    if (f->p->sample_type_count)
        buf_puts(out, f->p->sample_type_count > 4 ? " ...)" : ")");
}

static bool has_type(const struct profile *p, struct profile_str type)
{
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        struct profile_str s = p->strings[p->sample_types[i].type];
        if (s.len == type.len && !memcmp(s.ptr, type.ptr, s.len))
            return true;
    }
    return false;
}

static bool have_common(const struct profile *a, const struct profile *b)
{
    for (uint32_t i = 0; i < a->sample_type_count; i++)
        if (has_type(b, a->strings[a->sample_types[i].type]))
            return true;
    return false;
}

bool kinds_differ(const struct kinds_file *files, uint32_t count, const char *verb, struct err *e)
{
    for (uint32_t i = 1; i < count; i++) {
        if (have_common(files[0].p, files[i].p))
            continue;
        struct arena scratch;
        struct buf text;
        arena_init(&scratch);
        buf_init(&text, &scratch);
        describe(&files[0], &text);
        buf_puts(&text, ", ");
        describe(&files[i], &text);
        err_set(e, -EINVAL, "%s: these have nothing that can be %s; give profiles of one kind",
                buf_cstr(&text), verb);
        arena_free(&scratch);
        return true;
    }
    return false;
}
