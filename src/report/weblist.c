/* SPDX-License-Identifier: MIT
 *
 * weblist: source and code as a page that needs nothing else (driver's html/source.html). Elements,
 * classes, columns and escapes are pprof's, so that what reads its pages reads ours; the style and
 * the script are our own. A click on a source line shows its instructions. */
#include "report/weblist.h"

#include "analyze/unit.h"
#include "base/gotext.h"

#include <stdio.h>
#include <string.h>

static const char head[] = "<!DOCTYPE html>\n<html>\n<head>\n  <meta charset=\"utf-8\">\n  <title>";

static const char style_and_script[] =
    "</title>\n  \n"
    "  <style type=\"text/css\">\n"
    "body { font-family: sans-serif; }\n"
    ".legend {\n"
    "  font-size: 1.25em;\n"
    "}\n"
    ".line, .nop, .unimportant { color: #888; }\n"
    ".inlinesrc { color: #006; }\n"
    ".livesrc { cursor: pointer; }\n"
    ".livesrc:hover { background: #eee; }\n"
    ".asm { color: #060; display: none; }\n"
    ".asm.open { display: block; }\n"
    "</style>\n"
    "  <script type=\"text/javascript\">\n"
    "function pprof_toggle_asm(event) {\n"
    "  const code = event.target.nextElementSibling;\n"
    "  if (code && code.classList.contains(\"asm\")) code.classList.toggle(\"open\");\n"
    "}\n"
    "</script>\n"
    "</head>\n<body>\n\n";

enum { CODE_WIDTH = 80, INDENT = 4 };

struct printer {
    struct report *r;
    struct out *out;
    struct weblist list;
};

/* html/template's escapes. */
static void put_escaped(struct out *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (s[i]) {
        case 0: out_puts(out, "\xef\xbf\xbd"); break;
        case '"': out_puts(out, "&#34;"); break;
        case '&': out_puts(out, "&amp;"); break;
        case '\'': out_puts(out, "&#39;"); break;
        case '+': out_puts(out, "&#43;"); break;
        case '<': out_puts(out, "&lt;"); break;
        case '>': out_puts(out, "&gt;"); break;
        default: out_putc(out, s[i]); break;
        }
    }
}

static void put_text(struct out *out, const char *s)
{
    put_escaped(out, s, strlen(s));
}

/* ---- the head ---- */

static const char *label_of(struct buf *labels, const char *name, size_t *n)
{
    const char *at = labels->data, *end = at + labels->len;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *stop = newline ? newline : end;
        size_t len = strlen(name);
        if ((size_t)(stop - at) >= len && !memcmp(at, name, len)) {
            *n = (size_t)(stop - at) - len;
            return at + len;
        }
        at = stop + 1;
    }
    *n = 7;
    return "unknown";
}

static void print_head(struct printer *w)
{
    struct buf labels;
    size_t n;
    buf_init(&labels, &w->r->arena);
    report_profile_labels(w->r, &labels);
    out_puts(w->out, head);
    const char *text = label_of(&labels, "File: ", &n);
    put_escaped(w->out, text, n);
    out_putc(w->out, ' ');
    text = label_of(&labels, "Type: ", &n);
    put_escaped(w->out, text, n);
    out_puts(w->out, style_and_script);
    out_puts(w->out, "<div class=\"legend\">");
    for (size_t i = 0, end; i < labels.len; i = end + 1) {
        const char *newline = memchr(labels.data + i, '\n', labels.len - i);
        end = newline ? (size_t)(newline - labels.data) : labels.len;
        out_puts(w->out, i ? "<br>\n" : "");
        put_escaped(w->out, labels.data + i, end - i);
    }
    out_puts(w->out, "<br>Total: ");
    put_text(w->out, report_value(w->r, w->r->total));
    out_puts(w->out, "</div>");
}

/* ---- lines ---- */

static void put_value(struct printer *w, int64_t value, bool dot)
{
    const char *text = value || !dot ? report_value(w->r, value) : ".";
    struct buf padded;
    buf_init(&padded, &w->r->arena);
    for (size_t n = strlen(text); n < 10; n++)
        buf_putc(&padded, ' ');
    buf_puts(&padded, text);
    put_escaped(w->out, padded.data, padded.len);
}

/* The column at which a line's text begins. */
static size_t indentation(struct profile_str line)
{
    size_t column = 0;
    for (uint32_t i = 0; i < line.len && (line.ptr[i] == ' ' || line.ptr[i] == '\t'); i++) {
        column++;
        while (line.ptr[i] == '\t' && column % 8)
            column++;
    }
    return column;
}

/* `indent` blanks and the text, to a width of 80; a tab is as many blanks as it takes. */
static void put_padded(struct printer *w, size_t indent, const char *s, size_t n)
{
    size_t column = indent, used;
    uint32_t rune;
    out_spaces(w->out, indent);
    for (; (used = gotext_rune(s, n, &rune)) > 0; s += used, n -= used) {
        column++;
        if (*s != '\t') {
            put_escaped(w->out, s, used);
            continue;
        }
        out_putc(w->out, ' ');
        for (; column % 8; column++)
            out_putc(w->out, ' ');
    }
    if (column < CODE_WIDTH)
        out_spaces(w->out, CODE_WIDTH - column);
}

static struct profile_str trim(struct profile_str s)
{
    while (s.len && strchr(" \t\r\n\v\f", *s.ptr))
        s.ptr++, s.len--;
    while (s.len && strchr(" \t\r\n\v\f", s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static void put_file_line(struct printer *w, const char *file, int64_t line, bool twice)
{
    size_t n;
    const char *base = gotext_base(file, strlen(file), &n);
    struct buf text;
    buf_init(&text, &w->r->arena);
    for (size_t i = 0; i < n; i++) {
        /* pprof escapes an instruction's file for itself, and its template does it again. */
        const char *escape = !twice            ? NULL
                             : base[i] == '&'  ? "&amp;"
                             : base[i] == '<'  ? "&lt;"
                             : base[i] == '>'  ? "&gt;"
                             : base[i] == '"'  ? "&#34;"
                             : base[i] == '\'' ? "&#39;"
                                               : NULL;
        if (escape)
            buf_puts(&text, escape);
        else
            buf_putc(&text, base[i]);
    }
    buf_printf(&text, ":%lld", (long long)line);
    out_puts(w->out, "<span class=unimportant>");
    put_escaped(w->out, text.data, text.len);
    out_puts(w->out, "</span>\n");
}

static void print_calls(struct printer *w, const struct weblist_inst *inst,
                        const struct weblist_inst *before, size_t indent)
{
    const struct weblist_call *known = before ? before->calls : NULL;
    uint32_t known_count = before ? before->call_count : 0;
    for (uint32_t i = 0; i < inst->call_count; i++) {
        const struct weblist_call *c = &inst->calls[i];
        if (i < known_count && known[i].line == c->line && !strcmp(known[i].file, c->file))
            continue;
        known_count = 0;
        struct profile_str line = {"", 0}, file = {c->file, (uint32_t)strlen(c->file)};
        source_line(&w->list.reader, file, c->line, &line);
        line = trim(line);
        out_spaces(w->out, 42);
        out_puts(w->out, "<span class=inlinesrc>");
        put_padded(w, indent + INDENT + (size_t)INDENT * i, line.ptr, line.len);
        out_puts(w->out, "</span> ");
        put_file_line(w, *c->file ? c->file : ".", c->line, false);
    }
}

static void print_inst(struct printer *w, const struct weblist_inst *inst, size_t indent)
{
    char address[24];
    if (!*inst->text)
        return;
    out_spaces(w->out, 10);
    put_value(w, inst->flat, true);
    out_putc(w->out, ' ');
    put_value(w, inst->cum, true);
    snprintf(address, sizeof address, " %8llx: ", (unsigned long long)inst->address);
    out_puts(w->out, address);
    put_padded(w, indent + INDENT + (size_t)INDENT * inst->call_count, inst->text,
               strlen(inst->text));
    out_putc(w->out, ' ');
    if (*inst->file)
        put_file_line(w, inst->file, inst->line, true);
    else
        out_puts(w->out, "<span class=unimportant></span>\n");
}

static void print_line(struct printer *w, const struct weblist_line *line)
{
    bool code = false;
    for (uint32_t i = 0; i < line->inst_count; i++)
        code |= *line->insts[i].text || line->insts[i].call_count;
    out_printf(w->out, "\n<span class=line> %6lld</span> <span class=%s>  ",
               (long long)line->number,
               !line->inst_count ? "nop"
               : code            ? "livesrc"
                                 : "deadsrc");
    put_value(w, line->flat, true);
    out_putc(w->out, ' ');
    put_value(w, line->cum, true);
    out_spaces(w->out, 11);
    put_escaped(w->out, line->source.ptr, line->source.len);
    out_puts(w->out, " </span>");
    if (!code)
        return;
    size_t indent = indentation(line->source);
    out_puts(w->out, "<span class=asm>");
    for (uint32_t i = 0; i < line->inst_count; i++) {
        const struct weblist_inst *inst = &line->insts[i];
        if (inst->starts_block && i) {
            out_spaces(w->out, 37);
            out_puts(w->out, "⋮\n");
        }
        print_calls(w, inst, i ? inst - 1 : NULL, indent);
        print_inst(w, inst, indent);
    }
    out_puts(w->out, "</span>");
}

static void print_function(struct printer *w, const struct weblist_function *f)
{
    char percent[UNIT_PERCENT_SIZE];
    out_puts(w->out, "<h2>");
    put_text(w->out, f->name);
    out_puts(w->out, "</h2><p class=\"filename\">");
    put_text(w->out, f->file);
    out_puts(w->out, "</p>\n<pre onClick=\"pprof_toggle_asm(event)\">\n  Total:  ");
    put_value(w, f->flat, false);
    out_putc(w->out, ' ');
    put_value(w, f->cum, false);
    out_printf(w->out, " (flat, cum) %s", unit_percent(percent, f->cum, w->r->total));
    for (uint32_t i = 0; i < f->line_count; i++)
        print_line(w, &f->lines[i]);
    out_puts(w->out, "\n</pre>\n");
}

int report_weblist(struct report *r, struct out *out, struct err *e)
{
    struct printer w = {.r = r, .out = out};
    int rc = weblist_make(&w.list, r, -1, e);
    if (!rc) {
        print_head(&w);
        for (uint32_t i = 0; i < w.list.function_count; i++)
            print_function(&w, &w.list.functions[i]);
        out_puts(out, "\n</body>\n</html>\n");
    }
    weblist_free(&w.list);
    return rc;
}
