/* SPDX-License-Identifier: MIT
 *
 * Names, files, lines and inlined calls of Go's functions as Go's own profiles have them, from the
 * table that its runtime uses (pclntab.h). It knows more than ELF symbols and DWARF, which are
 * often stripped, and is right where they disagree, so it comes first and last. */
#include "symbol/pclntab.h"
#include "symbol/symbol_internal.h"

#include "base/limits.h"

static void name_query(struct module *m, const struct pclntab *t, const struct pclntab_func *fn,
                       struct query *q)
{
    struct pclntab_frame found[LIMIT_INLINE_DEPTH];
    uint32_t n = pclntab_frames(t, fn, q->addr, found, m->lines ? LIMIT_INLINE_DEPTH : 1);
    if (n > 1 && pclntab_is_wrapper(t, fn)) /* as Go: only what was inlined into it is shown */
        n--;
    q->frames = arena_zarray(&m->arena, n, sizeof *q->frames);
    q->frame_count = m->lines ? n : 0;
    for (uint32_t i = 0; i < n; i++)
        q->frames[i] = (struct frame){.name = found[i].name,
                                      .file = found[i].file,
                                      .line = found[i].line,
                                      .start_line = found[i].start_line};
    q->name = q->frames[n - 1].name;
    q->kind = NAME_REAL;
    q->entry = fn->entry;
}

bool go_name(struct module *m)
{
    struct pclntab t;
    struct pclntab_func fn;
    uint32_t named = 0;
    if (!pclntab_open(&t, &m->elf))
        return false;
    for (uint32_t k = 0; k < m->query_count; k++)
        if (pclntab_find(&t, m->queries[k].addr, &fn)) {
            name_query(m, &t, &fn, &m->queries[k]);
            named++;
        }
    return named == m->query_count;
}
