/* SPDX-License-Identifier: MIT
 *
 * Names for the texts of /debug/pprof/. Each file's symbol table is opened once for a text. Where
 * Go prints file and line, the file of the code is printed: lines are in DWARF, which libstrobe
 * does not read. */
#include "runtime/text.h"

#include "runtime/encode.h"
#include "runtime/runtime.h"

#include <stdio.h>
#include <string.h>

enum { TAB = 8, NAME_MAX_BYTES = 512 };

struct text_file {
    bool open;
    const char *path; /* NULL: not used yet */
    struct elfsym symbols;
};

void text_begin(struct text_names *t, struct arena *arena)
{
    t->arena = arena;
    t->modules = rt.modules;
    t->files = arena_zarray(arena, RUNTIME_MODULES, sizeof *t->files);
}

void text_end(struct text_names *t)
{
    for (uint32_t i = 0; t->files && i < RUNTIME_MODULES; i++)
        if (t->files[i].open)
            elfsym_close(&t->files[i].symbols);
    t->files = NULL;
}

/* The file of a module, opened when it is met first. Another process's memory may change: what is
 * used of it later is copied. */
static struct text_file *file_of(struct text_names *t, const struct module *m)
{
    uint32_t i = 0;
    while (i < RUNTIME_MODULES && t->files[i].path && strcmp(t->files[i].path, m->path) != 0)
        i++;
    struct text_file *f = i < RUNTIME_MODULES ? &t->files[i] : NULL;
    if (!f || f->path)
        return f;
    uint32_t id_len = m->build_id_len <= sizeof m->build_id ? m->build_id_len : 0;
    f->path = arena_strndup(t->arena, m->path, strnlen(m->path, sizeof m->path - 1));
    f->open = f->path && elfsym_open(&f->symbols, t->arena, f->path, m->build_id, id_len) == 0;
    return f;
}

/* "name+0x1f", or "" where there is no name; `file` is where it is from, or NULL. Returns where in
 * the file it is. */
static uint64_t name_of(struct text_names *t, uint64_t pc, char *name, const char **file)
{
    const struct module *m = t->files ? encode_find_module(t->modules, pc, UINT32_MAX) : NULL;
    struct text_file *f = m && memchr(m->path, 0, sizeof m->path) ? file_of(t, m) : NULL;
    name[0] = 0;
    *file = NULL;
    if (!f || !f->path)
        return 0;
    *file = f->path;
    uint64_t at = pc - m->start + m->offset;
    const struct elfsym_function *x = f->open ? elfsym_find(&f->symbols, at) : NULL;
    if (x)
        snprintf(name, NAME_MAX_BYTES, "%.480s+0x%llx", x->name,
                 (unsigned long long)(at - x->start));
    return at;
}

/* A cell is followed by at least one tab, and ends where its column does. */
static void put_cell(struct buf *out, const char *text, size_t width)
{
    size_t n = strlen(text);
    buf_append(out, text, n);
    for (size_t at = n; at < width; at = (at / TAB + 1) * TAB)
        buf_putc(out, '\t');
}

static size_t column(size_t widest)
{
    return (widest + 1 + TAB - 1) / TAB * TAB;
}

void text_put_frames(struct text_names *t, struct buf *out, const uint64_t *pcs, uint32_t depth)
{
    char name[NAME_MAX_BYTES], hex[24];
    const char *file;
    size_t wide_hex = 0, wide_name = 0;
    for (uint32_t i = 0; i < depth; i++) {
        size_t h = (size_t)snprintf(hex, sizeof hex, "0x%llx", (unsigned long long)pcs[i]);
        name_of(t, pcs[i], name, &file);
        wide_hex = h > wide_hex ? h : wide_hex;
        wide_name = strlen(name) > wide_name ? strlen(name) : wide_name;
    }
    for (uint32_t i = 0; i < depth; i++) {
        snprintf(hex, sizeof hex, "0x%llx", (unsigned long long)pcs[i]);
        name_of(t, pcs[i], name, &file);
        buf_puts(out, "#\t");
        if (name[0] || file) {
            put_cell(out, hex, column(wide_hex));
            put_cell(out, name[0] ? name : "?", column(wide_name ? wide_name : 1));
            buf_puts(out, file);
        } else {
            buf_puts(out, hex);
        }
        buf_putc(out, '\n');
    }
}

void text_put_call(struct text_names *t, struct buf *out, uint64_t pc)
{
    char name[NAME_MAX_BYTES];
    const char *file;
    uint64_t at = name_of(t, pc, name, &file);
    char *plus = strrchr(name, '+');
    buf_append(out, name, plus ? (size_t)(plus - name) : strlen(name));
    if (!name[0])
        buf_printf(out, "0x%llx", (unsigned long long)pc);
    buf_printf(out, "(...)\n\t%s ", file ? file : "?");
    if (plus)
        buf_printf(out, "%s\n", plus);
    else
        buf_printf(out, "+0x%llx\n", (unsigned long long)at);
}
