/* SPDX-License-Identifier: MIT
 *
 * The text is cut into lines and cells first, then blocks of lines are found column by column, from
 * the left: a block of the next column lies within one of this. Labels can hold what has a meaning
 * to tabwriter (newlines, vertical tabs, its escape byte 0xff), and it has it here, too. */
#include "report/tabwriter.h"

#include "base/arena.h"
#include "base/gotext.h"

enum { ESCAPE = 0xff, PADDING = 1 };

struct cell {
    const char *text;
    size_t len, width; /* in runes */
};

struct line {
    size_t first, count; /* cells; the last has no tab behind it */
};

struct writer {
    struct out *out;
    struct arena arena;
    struct cell *cells;
    struct line *lines;
    size_t cell_count, line_count;
    size_t *widths; /* of the columns to the left of the block in work */
    size_t column;
};

static size_t count_runes(const char *s, size_t len)
{
    size_t n = 0;
    uint32_t rune;
    for (size_t at = 0; at < len; n++)
        at += gotext_rune(s + at, len - at, &rune);
    return n;
}

static void end_cell(struct writer *w, const char *from, const char *to, size_t uncounted)
{
    size_t len = (size_t)(to - from), width = count_runes(from, len);
    w->cells[w->cell_count++] = (struct cell){from, len, width > uncounted ? width - uncounted : 0};
    w->lines[w->line_count].count++;
}

static void end_line(struct writer *w)
{
    w->lines[++w->line_count] = (struct line){w->cell_count, 0};
}

static void cut(struct writer *w, const char *text, size_t len)
{
    const char *from = text;
    size_t uncounted = 0; /* escape bytes of this cell */
    bool escaped = false;
    for (const char *s = text; s < text + len; s++) {
        if ((unsigned char)*s == ESCAPE) {
            uncounted += escaped ? 2 : 0;
            escaped = !escaped;
        }
        if (escaped || (*s != '\t' && *s != '\v' && *s != '\n' && *s != '\f'))
            continue;
        end_cell(w, from, s, uncounted);
        if (*s == '\n' || *s == '\f')
            end_line(w);
        from = s + 1;
        uncounted = 0;
    }
    end_cell(w, from, text + len, uncounted);
}

static void put_lines(struct writer *w, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++) {
        const struct line *l = &w->lines[i];
        for (size_t k = 0; k < l->count; k++) {
            const struct cell *c = &w->cells[l->first + k];
            if (k < w->column && w->widths[k] > c->width)
                out_spaces(w->out, w->widths[k] - c->width);
            out_write(w->out, c->text, c->len);
        }
        if (i != w->line_count)
            out_putc(w->out, '\n');
    }
}

/* Whether the line has a cell in the column in work. */
static bool has_cell(const struct writer *w, size_t line)
{
    return w->column + 1 < w->lines[line].count;
}

/* Prints lines; recursion is as deep as there are tabs in a line, which are counted. */
static void format(struct writer *w, size_t first, size_t last)
{
    for (size_t i = first; i < last; i++) {
        if (!has_cell(w, i))
            continue;
        put_lines(w, first, i);
        first = i;
        size_t width = 0;
        for (; i < last && has_cell(w, i); i++) {
            size_t wanted = w->cells[w->lines[i].first + w->column].width + PADDING;
            width = wanted > width ? wanted : width;
        }
        w->widths[w->column++] = width;
        format(w, first, i);
        w->column--;
        first = i;
    }
    put_lines(w, first, last);
}

void tabwriter_print(struct out *out, const char *text, size_t len)
{
    struct writer w = {.out = out};
    size_t tabs = 1, lines = 2;
    for (size_t i = 0; i < len; i++) {
        tabs += text[i] == '\t' || text[i] == '\v';
        lines += text[i] == '\n' || text[i] == '\f';
    }
    arena_init(&w.arena);
    w.cells = arena_array(&w.arena, tabs + lines, sizeof *w.cells);
    w.lines = arena_array(&w.arena, lines, sizeof *w.lines);
    w.widths = arena_array(&w.arena, tabs, sizeof *w.widths);
    w.lines[0] = (struct line){0, 0};
    cut(&w, text, len);
    format(&w, 0, w.line_count + 1);
    arena_free(&w.arena);
}
