/* SPDX-License-Identifier: MIT
 *
 * Character classes and escapes of Go's regular expressions, written as PCRE2 classes of explicit
 * ranges. Go's groups (\d, [:alpha:] …) are ASCII, but with (?i) they are folded by Unicode before
 * they are negated: s brings U+017F and k brings U+212A with it. Negating by hand keeps that. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/regex_scan.h"

#include "base/gotext.h"

#include <ctype.h>
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

enum { RUNE_MAX = 0x10ffff, LONG_S = 0x17f, KELVIN = 0x212a };

/* Pairs lo, hi of ASCII ranges. */
static const struct group {
    const char *name, *ranges;
} groups[] = {
    {"d", "09"},
    {"s", "\t\n\f\r  "},
    {"w", "09AZ__az"},
    {"alnum", "09AZaz"},
    {"alpha", "AZaz"},
    {"ascii", NULL},
    {"blank", "\t\t  "},
    {"cntrl", NULL},
    {"digit", "09"},
    {"graph", "!~"},
    {"lower", "az"},
    {"print", " ~"},
    {"punct", "!/:@[`{~"},
    {"space", "\t\r  "},
    {"upper", "AZ"},
    {"word", "09AZ__az"},
    {"xdigit", "09AFaf"},
};

static const struct group *find_group(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (strlen(groups[i].name) == len && !memcmp(groups[i].name, name, len))
            return &groups[i];
    return NULL;
}

static void put_range(struct buf *out, uint32_t lo, uint32_t hi)
{
    if (lo < 0xd800 && hi >= 0xd800) {
        put_range(out, lo, 0xd7ff);
        lo = 0xd800;
    }
    if (lo >= 0xd800 && lo < 0xe000)
        lo = 0xe000; /* no text contains a surrogate, and PCRE2 refuses them */
    if (lo > hi || (hi >= 0xd800 && hi < 0xe000))
        return;
    if (lo == hi)
        buf_printf(out, "\\x{%x}", lo);
    else
        buf_printf(out, "\\x{%x}-\\x{%x}", lo, hi);
}

static void fill_group(const struct group *g, bool set[128])
{
    memset(set, 0, 128);
    if (!strcmp(g->name, "ascii"))
        memset(set, 1, 128);
    if (!strcmp(g->name, "cntrl")) {
        memset(set, 1, 32);
        set[127] = true;
    }
    for (const char *r = g->ranges; r && *r; r += 2)
        memset(set + r[0], 1, (size_t)(r[1] - r[0]) + 1);
}

/* The group's members, or all other runes, as ranges inside an open class. */
static void put_group(struct regex_scan *s, const struct group *g, bool negated)
{
    bool set[128];
    fill_group(g, set);
    bool fold = s->flags & REGEX_FOLD;
    for (int c = 'a'; fold && c <= 'z'; c++)
        set[c] = set[c - 32] = set[c] || set[c - 32];
    for (uint32_t lo = 0; lo < 128;) {
        uint32_t hi = lo;
        while (hi < 128 && set[hi] == set[lo])
            hi++;
        if (set[lo] != negated)
            put_range(s->out, lo, hi - 1);
        lo = hi;
    }
    if (!negated)
        return;
    uint32_t from = 128;
    if (fold && set['s']) {
        put_range(s->out, from, LONG_S - 1);
        from = LONG_S + 1;
    }
    if (fold && set['k']) {
        put_range(s->out, from, KELVIN - 1);
        from = KELVIN + 1;
    }
    put_range(s->out, from, RUNE_MAX);
}

static bool is_category(const char *name, size_t len)
{
    static const char *const minor[] = {"Ccfnos", "Lultmo", "Mnce", "Ndlo",
                                        "Pcdseifo", "Smcko", "Zslp"};
    for (size_t i = 0; i < sizeof minor / sizeof *minor; i++)
        if (len && name[0] == minor[i][0] &&
            (len == 1 || (len == 2 && strchr(minor[i] + 1, name[1]))))
            return true;
    return false;
}

static bool compiles(const char *pattern)
{
    int number;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF,
                                     &number, &offset, NULL);
    pcre2_code_free(code);
    return code;
}

/* \pN or \p{Name}: the same names in both dialects, but that Go knows scripts only by script, not
 * by script extension. */
static int put_property(struct regex_scan *s)
{
    size_t start = s->at;
    bool negated = s->pattern[s->at + 1] == 'P';
    s->at += 2;
    size_t name = s->at, end;
    uint32_t c;
    int rc = regex_scan_rune(s, &c);
    if (rc)
        return rc;
    end = s->at;
    if (c == '{') {
        const char *brace = memchr(s->pattern + s->at, '}', s->len - s->at);
        size_t stop = brace ? (size_t)(brace - s->pattern) : s->len;
        size_t bad = gotext_utf8_valid(s->pattern + start, stop - start);
        if (bad != stop - start)
            return regex_scan_error(s, "invalid UTF-8", start, stop);
        if (!brace)
            return regex_scan_error(s, "invalid character class range", start, s->len);
        name++;
        end = stop;
        s->at = stop + 1;
    }
    if (name < end && s->pattern[name] == '^') {
        negated = !negated;
        name++;
    }
    char text[96];
    int n = (int)(end - name);
    const char *prefix = is_category(s->pattern + name, end - name) ? "" : "sc:";
    if (n == 3 && !memcmp(s->pattern + name, "Any", 3))
        prefix = "";
    bool ok = n > 0 && n < 40;
    for (int i = 0; ok && i < n; i++)
        ok = isalpha((unsigned char)s->pattern[name + (size_t)i]) ||
             s->pattern[name + (size_t)i] == '_';
    /* With (?i) a letter of one case stands for all; PCRE2 10.42 takes the class as it is. */
    bool cased = n == 2 && s->pattern[name] == 'L' && strchr("ult", s->pattern[name + 1]);
    if (cased && (s->flags & REGEX_FOLD))
        snprintf(text, sizeof text, "\\%c{L&}", negated ? 'P' : 'p');
    else
        snprintf(text, sizeof text, "\\%c{%s%.*s}", negated ? 'P' : 'p', prefix, ok ? n : 0,
                 s->pattern + name);
    if (!ok || !compiles(text))
        return regex_scan_error(s, "invalid character class range", start, s->at);
    buf_puts(s->out, text);
    return 0;
}

/* \p…, \d and their like inside an open class. */
static int put_class_escape(struct regex_scan *s)
{
    char c = s->pattern[s->at + 1];
    if (c == 'p' || c == 'P')
        return put_property(s);
    char name[2] = {(char)tolower(c), 0};
    put_group(s, find_group(name, 1), isupper((unsigned char)c));
    s->at += 2;
    return 0;
}

int regex_class_escape(struct regex_scan *s)
{
    buf_puts(s->out, s->flags & REGEX_FOLD ? "(?i:[" : "[");
    int rc = put_class_escape(s);
    buf_puts(s->out, s->flags & REGEX_FOLD ? "])" : "]");
    return rc;
}

static int unhex(uint32_t c)
{
    if (c >= 0x80 || !isxdigit((int)c))
        return -1;
    return isdigit((int)c) ? (int)c - '0' : tolower((int)c) - 'a' + 10;
}

/* Behind \x: two digits, or any number in braces. -1 if it is neither. */
static int scan_hex(struct regex_scan *s, uint32_t *rune, bool *ok)
{
    uint32_t c, low;
    *ok = false;
    *rune = 0;
    if (s->at == s->len)
        return 0;
    int rc = regex_scan_rune(s, &c);
    if (rc || c != '{') {
        rc = rc ? rc : regex_scan_rune(s, &low);
        *ok = !rc && unhex(c) >= 0 && unhex(low) >= 0;
        if (*ok)
            *rune = (uint32_t)(unhex(c) * 16 + unhex(low));
        return rc;
    }
    for (int digits = 0; s->at < s->len; digits++) {
        rc = regex_scan_rune(s, &c);
        if (rc)
            return rc;
        if (c == '}') {
            *ok = digits > 0;
            return 0;
        }
        if (unhex(c) < 0)
            return 0;
        *rune = *rune * 16 + (uint32_t)unhex(c);
        if (*rune > RUNE_MAX)
            return 0;
    }
    return 0;
}

int regex_scan_escape(struct regex_scan *s, uint32_t *rune)
{
    size_t start = s->at++;
    if (s->at == s->len)
        return regex_scan_error(s, "trailing backslash at end of expression", 0, 0);
    uint32_t c;
    int rc = regex_scan_rune(s, &c);
    if (rc)
        return rc;
    static const char controls[] = "a\af\fn\nr\rt\tv\v";
    const char *control = c && c < 0x80 ? strchr("afnrtv", (int)c) : NULL;
    bool octal_next = s->at < s->len && s->pattern[s->at] >= '0' && s->pattern[s->at] <= '7';
    if (c < 0x80 && !isalnum((int)c)) {
        *rune = c;
        return 0;
    }
    if (control) {
        *rune = (unsigned char)strchr(controls, (int)c)[1];
        return 0;
    }
    if (c == '0' || (c >= '1' && c <= '7' && octal_next)) {
        *rune = c - '0';
        for (int i = 1; i < 3 && s->at < s->len; i++) {
            char digit = s->pattern[s->at];
            if (digit < '0' || digit > '7')
                break;
            *rune = *rune * 8 + (uint32_t)(digit - '0');
            s->at++;
        }
        return 0;
    }
    bool ok = false;
    if (c == 'x')
        rc = scan_hex(s, rune, &ok);
    if (rc || ok)
        return rc;
    return regex_scan_error(s, "invalid escape sequence", start, s->at);
}

/* One end of a range, or a single character. `open` is where the class began. */
static int scan_class_rune(struct regex_scan *s, size_t open, uint32_t *rune)
{
    if (s->at == s->len)
        return regex_scan_error(s, "missing closing ]", open, s->len);
    return s->pattern[s->at] == '\\' ? regex_scan_escape(s, rune) : regex_scan_rune(s, rune);
}

/* [:name:] at `at`: 1 if it was one and is written, 0 if not. */
static int scan_named(struct regex_scan *s)
{
    const char *t = s->pattern + s->at;
    size_t left = s->len - s->at;
    const char *end = left > 2 && t[0] == '[' && t[1] == ':' ? memmem(t + 2, left - 2, ":]", 2)
                                                             : NULL;
    if (!end)
        return 0;
    bool negated = t[2] == '^';
    const char *name = t + 2 + negated;
    const struct group *g = end > name ? find_group(name, (size_t)(end - name)) : NULL;
    if (!g || g < &groups[3])
        return regex_scan_error(s, "invalid character class range", s->at,
                                s->at + (size_t)(end - t) + 2);
    put_group(s, g, negated);
    s->at += (size_t)(end - t) + 2;
    return 1;
}

static int scan_class_item(struct regex_scan *s, size_t open)
{
    int rc = scan_named(s);
    if (rc)
        return rc < 0 ? rc : 0;
    const char *t = s->pattern + s->at;
    size_t left = s->len - s->at, start = s->at;
    if (left >= 2 && t[0] == '\\' && t[1] && strchr("pPdDsSwW", t[1]))
        return put_class_escape(s);
    uint32_t lo, hi;
    rc = scan_class_rune(s, open, &lo);
    if (rc)
        return rc;
    hi = lo;
    if (s->len - s->at >= 2 && s->pattern[s->at] == '-' && s->pattern[s->at + 1] != ']') {
        s->at++;
        rc = scan_class_rune(s, open, &hi);
        if (rc)
            return rc;
        if (hi < lo)
            return regex_scan_error(s, "invalid character class range", start, s->at);
    }
    put_range(s->out, lo, hi);
    return 0;
}

int regex_class(struct regex_scan *s)
{
    size_t open = s->at++;
    bool fold = s->flags & REGEX_FOLD;
    bool negated = s->at < s->len && s->pattern[s->at] == '^';
    s->at += negated;
    buf_puts(s->out, fold ? "(?i:[" : "[");
    size_t sign = s->out->len;
    if (negated)
        buf_putc(s->out, '^');
    size_t body = s->out->len;
    for (bool first = true; first || s->at == s->len || s->pattern[s->at] != ']'; first = false) {
        int rc = scan_class_item(s, open);
        if (rc)
            return rc;
    }
    s->at++;
    if (s->out->len == body) { /* only surrogates: nothing, or anything */
        s->out->len = sign;
        buf_puts(s->out, negated ? "\\x{0}-\\x{10ffff}" : "^\\x{0}-\\x{10ffff}");
    }
    buf_puts(s->out, fold ? "])" : "]");
    return 0;
}
