/* SPDX-License-Identifier: MIT
 *
 * Go's regular expression syntax (regexp/syntax: RE2 with Perl extensions), read by one scan that
 * finds every error Go finds, with Go's text, and writes a PCRE2 pattern of the same meaning.
 *
 * The two dialects look alike and differ in small things: what \s and \v are, whether $ sees a last
 * newline, octal and \x escapes, what may be repeated, that Go has neither lookaround nor back
 * references. So nothing is passed through: every atom is written anew as a self-contained piece
 * with its flags inside, (?i:a), which also makes flag changes between an atom and its operator
 * harmless. Classes are regex_class.c's. */
#include "base/regex_syntax.h"

#include "base/gotext.h"
#include "base/limits.h"
#include "base/regex_scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { REPEAT_MAX = 1000, NO_ATOM = -1 };

/* One open parenthesis, or the whole pattern at depth 0. */
struct level {
    unsigned outer_flags; /* what holds again behind the parenthesis */
    long atom;            /* where the last atom starts in the output, or NO_ATOM */
    bool atom_repeated;
    long atom_weight;  /* product of the counted repetitions inside it */
    long level_weight; /* the largest weight in this level */
    long start;        /* where the group starts in the output */
};

struct parser {
    struct regex_scan scan;
    struct level levels[LIMIT_REGEX_DEPTH + 1];
    int depth;
    /* Where the operator before this one began, when nothing stands between the two. */
    size_t last_repeat;
    bool after_repeat;
};

int regex_scan_error(const struct regex_scan *s, const char *code, size_t from, size_t to)
{
    return err_set(s->err, -EINVAL, "error parsing regexp: %s: `%.*s`", code, (int)(to - from),
                   s->pattern + from);
}

int regex_scan_rune(struct regex_scan *s, uint32_t *rune)
{
    size_t n = gotext_rune(s->pattern + s->at, s->len - s->at, rune);
    if (n == 1 && *rune == 0xfffd)
        return regex_scan_error(s, "invalid UTF-8", s->at, s->len);
    s->at += n;
    return 0;
}

static struct level *top(struct parser *p)
{
    return &p->levels[p->depth];
}

static void begin_atom(struct parser *p, long weight)
{
    struct level *l = top(p);
    l->atom = (long)p->scan.out->len;
    l->atom_repeated = false;
    l->atom_weight = weight;
    if (weight > l->level_weight)
        l->level_weight = weight;
}

static void put_literal(struct parser *p, uint32_t rune)
{
    struct buf *out = p->scan.out;
    begin_atom(p, 1);
    if (rune >= 0xd800 && rune < 0xe000) {
        buf_puts(out, "(?!)"); /* no text contains it, and PCRE2 refuses it */
        return;
    }
    const char *open = p->scan.flags & REGEX_FOLD ? "(?i:" : "";
    if (rune < 0x80 && (isalnum((int)rune) || rune == '_'))
        buf_printf(out, "%s%c", open, (char)rune);
    else
        buf_printf(out, "%s\\x{%x}", open, rune);
    if (*open)
        buf_putc(out, ')');
}

static void put_atom(struct parser *p, const char *text)
{
    begin_atom(p, 1);
    buf_puts(p->scan.out, text);
}

static int open_group(struct parser *p, const char *text, unsigned outer_flags)
{
    if (p->depth == LIMIT_REGEX_DEPTH)
        return regex_scan_error(&p->scan, "expression nests too deeply", 0, p->scan.len);
    p->levels[++p->depth] = (struct level){
        .outer_flags = outer_flags,
        .atom = NO_ATOM,
        .level_weight = 1,
        .start = (long)p->scan.out->len,
    };
    buf_puts(p->scan.out, text);
    return 0;
}

static int close_group(struct parser *p)
{
    if (!p->depth)
        return regex_scan_error(&p->scan, "unexpected )", 0, p->scan.len);
    struct level closed = p->levels[p->depth--];
    p->scan.flags = closed.outer_flags;
    begin_atom(p, closed.level_weight);
    top(p)->atom = closed.start;
    buf_putc(p->scan.out, ')');
    p->scan.at++;
    return 0;
}

/* (?P<name> and (?<name>: a group like any other, once the name is checked. */
static int open_named(struct parser *p, size_t name_at)
{
    struct regex_scan *s = &p->scan;
    const char *end = memchr(s->pattern + s->at, '>', s->len - s->at);
    size_t stop = end ? (size_t)(end - s->pattern) : s->len;
    size_t from = end ? name_at : s->at;
    if (gotext_utf8_valid(s->pattern + from, stop - from) != stop - from)
        return regex_scan_error(s, "invalid UTF-8", from, stop);
    bool ok = end && stop > name_at;
    for (size_t i = name_at; ok && i < stop; i++)
        ok = isalnum((unsigned char)s->pattern[i]) || s->pattern[i] == '_';
    if (!ok)
        return regex_scan_error(s, "invalid named capture", s->at, end ? stop + 1 : s->len);
    s->at = stop + 1;
    return open_group(p, "(?:", s->flags);
}

static unsigned flag_of(uint32_t c)
{
    return c == 'i' ? REGEX_FOLD : c == 'm' ? REGEX_MULTILINE : c == 's' ? REGEX_DOT_NL : 0;
}

/* At "(?": a named group, a plain group, flags, or a group with flags. */
static int parse_perl_group(struct parser *p)
{
    struct regex_scan *s = &p->scan;
    size_t start = s->at, left = s->len - s->at;
    const char *t = s->pattern + s->at;
    if (left > 4 && t[2] == 'P' && t[3] == '<')
        return open_named(p, start + 4);
    if (left > 3 && t[2] == '<')
        return open_named(p, start + 3);
    unsigned flags = s->flags;
    bool negate = false, saw_flag = false;
    s->at += 2;
    while (s->at < s->len) {
        uint32_t c;
        int rc = regex_scan_rune(s, &c);
        if (rc)
            return rc;
        if (flag_of(c) || c == 'U') {
            flags = negate ? flags & ~flag_of(c) : flags | flag_of(c);
            saw_flag = true;
        } else if (c == '-' && !negate) {
            negate = true;
            saw_flag = false;
        } else if ((c == ':' || c == ')') && (!negate || saw_flag)) {
            unsigned outer = s->flags;
            s->flags = flags;
            return c == ':' ? open_group(p, "(?:", outer) : 0;
        } else {
            break;
        }
    }
    return regex_scan_error(s, "invalid or unsupported Perl syntax", start, s->at);
}

/* parseInt of regexp/syntax: false if there is no number; -1 if it is too big. */
static bool scan_int(struct regex_scan *s, size_t *at, long *value)
{
    const char *t = s->pattern;
    if (*at >= s->len || !isdigit((unsigned char)t[*at]))
        return false;
    if (t[*at] == '0' && *at + 1 < s->len && isdigit((unsigned char)t[*at + 1]))
        return false;
    for (*value = 0; *at < s->len && isdigit((unsigned char)t[*at]); ++*at)
        if (*value >= 0)
            *value = *value >= 100000000 ? -1 : *value * 10 + (t[*at] - '0');
    return true;
}

/* {n}, {n,} (max -1) or {n,m} at `*at`, which is moved behind it; false if it is no repetition and
 * the brace a literal. Numbers out of reach give min -1. */
static bool scan_counts(struct regex_scan *s, size_t *at, long *min, long *max)
{
    size_t i = *at + 1;
    if (!scan_int(s, &i, min) || i >= s->len)
        return false;
    *max = *min;
    if (s->pattern[i] == ',') {
        if (++i >= s->len)
            return false;
        if (s->pattern[i] == '}')
            *max = -1;
        else if (!scan_int(s, &i, max))
            return false;
        else if (*max < 0)
            *min = -1;
    }
    if (i >= s->len || s->pattern[i] != '}')
        return false;
    *at = i + 1;
    return true;
}

/* Repeats the last atom: `text` is the operator as PCRE2 writes it, the pattern's own runs from
 * `before` to `after`. `count` is the larger count of {n,m}, 1 for the others. */
static int repeat(struct parser *p, size_t before, size_t after, const char *text, long count)
{
    struct regex_scan *s = &p->scan;
    if (after < s->len && s->pattern[after] == '?')
        after++;
    if (p->after_repeat)
        return regex_scan_error(s, "invalid nested repetition operator", p->last_repeat, after);
    struct level *l = top(p);
    if (l->atom == NO_ATOM)
        return regex_scan_error(s, "missing argument to repetition operator", before, after);
    if (count > 1 && l->atom_weight * count > REPEAT_MAX)
        return regex_scan_error(s, "invalid repeat count", before, after);
    l->atom_weight = count ? l->atom_weight * count : 0;
    if (l->atom_weight > l->level_weight)
        l->level_weight = l->atom_weight;
    if (l->atom_repeated) {
        buf_puts(s->out, "(?:)"); /* room for the brackets round what is repeated again */
        char *atom = s->out->data + l->atom;
        memmove(atom + 3, atom, s->out->len - (size_t)l->atom - 4);
        memcpy(atom, "(?:", 3);
    }
    buf_puts(s->out, text);
    l->atom_repeated = true;
    p->after_repeat = true;
    p->last_repeat = before;
    s->at = after;
    return 0;
}

static int parse_counted(struct parser *p)
{
    struct regex_scan *s = &p->scan;
    size_t before = s->at, after = s->at;
    long min, max;
    if (!scan_counts(s, &after, &min, &max)) {
        put_literal(p, '{');
        s->at++;
        p->after_repeat = false;
        return 0;
    }
    if (min < 0 || min > REPEAT_MAX || max > REPEAT_MAX || (max >= 0 && min > max))
        return regex_scan_error(s, "invalid repeat count", before, after);
    char text[32];
    if (max < 0)
        snprintf(text, sizeof text, "{%ld,}", min);
    else
        snprintf(text, sizeof text, "{%ld,%ld}", min, max);
    long count = max < 0 ? (min ? min : 1) : max;
    return repeat(p, before, after, text, count);
}

static int parse_quoted(struct parser *p)
{
    struct regex_scan *s = &p->scan;
    s->at += 2;
    const char *end = memmem(s->pattern + s->at, s->len - s->at, "\\E", 2);
    struct regex_scan inside = *s;
    inside.len = end ? (size_t)(end - s->pattern) : s->len;
    while (inside.at < inside.len) {
        uint32_t c;
        int rc = regex_scan_rune(&inside, &c);
        if (rc)
            return rc;
        put_literal(p, c);
    }
    s->at = end ? inside.len + 2 : s->len;
    return 0;
}

static int parse_escape(struct parser *p)
{
    struct regex_scan *s = &p->scan;
    char c = s->at + 1 < s->len ? s->pattern[s->at + 1] : 0;
    /* Assertions stand in brackets, so that they can be repeated, as Go allows. */
    const char *assertion = c == 'A'   ? "(?:\\A)"
                            : c == 'b' ? "(?:\\b)"
                            : c == 'B' ? "(?:\\B)"
                            : c == 'z' ? "(?:\\z)"
                                       : NULL;
    if (assertion) {
        put_atom(p, assertion);
        s->at += 2;
        return 0;
    }
    if (c == 'C')
        return regex_scan_error(s, "invalid escape sequence", s->at, s->at + 2);
    if (c == 'Q')
        return parse_quoted(p);
    if (c && strchr("pPdDsSwW", c)) {
        begin_atom(p, 1);
        return regex_class_escape(s);
    }
    uint32_t rune;
    int rc = regex_scan_escape(s, &rune);
    if (!rc)
        put_literal(p, rune);
    return rc;
}

static int parse_plain(struct parser *p, char c)
{
    struct regex_scan *s = &p->scan;
    bool multiline = s->flags & REGEX_MULTILINE;
    uint32_t rune;
    int rc;
    switch (c) {
    case '|':
        buf_putc(s->out, '|');
        top(p)->atom = NO_ATOM;
        break;
    case '^': put_atom(p, multiline ? "(?m:^)" : "(?:\\A)"); break;
    case '$': put_atom(p, multiline ? "(?m:$)" : "(?:\\z)"); break;
    case '.': put_atom(p, s->flags & REGEX_DOT_NL ? "(?s:.)" : "[^\\x{a}]"); break;
    default:
        rc = regex_scan_rune(s, &rune);
        if (!rc)
            put_literal(p, rune);
        return rc;
    }
    s->at++;
    return 0;
}

static int parse_next(struct parser *p)
{
    struct regex_scan *s = &p->scan;
    char c = s->pattern[s->at];
    if (c == '*' || c == '+' || c == '?') {
        char text[2] = {c, 0};
        return repeat(p, s->at, s->at + 1, text, 1);
    }
    if (c == '{')
        return parse_counted(p);
    p->after_repeat = false;
    switch (c) {
    case '(':
        if (s->at + 1 < s->len && s->pattern[s->at + 1] == '?')
            return parse_perl_group(p);
        s->at++;
        return open_group(p, "(?:", s->flags);
    case ')': return close_group(p);
    case '[': begin_atom(p, 1); return regex_class(s);
    case '\\': return parse_escape(p);
    default: return parse_plain(p, c);
    }
}

int regex_translate(const char *pattern, size_t len, struct buf *out, struct err *e)
{
    struct parser p = {.scan = {.pattern = pattern, .len = len, .out = out, .err = e}};
    p.levels[0] = (struct level){.atom = NO_ATOM, .level_weight = 1};
    while (p.scan.at < len) {
        int rc = parse_next(&p);
        if (rc)
            return rc;
    }
    if (p.depth)
        return regex_scan_error(&p.scan, "missing closing )", 0, len);
    return 0;
}
