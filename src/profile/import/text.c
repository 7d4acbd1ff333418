/* SPDX-License-Identifier: MIT
 *
 * Text of the input: lines, numbers and matches, by the rules of the Go functions that pprof's
 * readers use, because which lines they take decides what is in the profile. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "profile/import/import_internal.h"

#include "base/gotext.h"

#include <pcre2.h>
#include <stdlib.h>

enum { GO_LINE_MAX = 64 * 1024 }; /* bufio.MaxScanTokenSize */

bool text_contains(struct text t, const char *word)
{
    return t.n && memmem(t.s, t.n, word, strlen(word));
}

/* unicode.IsSpace */
static bool is_space(uint32_t rune)
{
    switch (rune) {
    case '\t':
    case '\n':
    case '\v':
    case '\f':
    case '\r':
    case ' ':
    case 0x85:
    case 0xa0:
    case 0x1680:
    case 0x2028:
    case 0x2029:
    case 0x202f:
    case 0x205f:
    case 0x3000: return true;
    default: return rune >= 0x2000 && rune <= 0x200a;
    }
}

/* The last character of a text, and how many bytes it has. */
static size_t last_rune(struct text t, uint32_t *rune)
{
    size_t n = 1;
    while (n < 4 && n < t.n && ((unsigned char)t.s[t.n - n] & 0xc0) == 0x80)
        n++;
    if (gotext_rune(t.s + t.n - n, n, rune) == n)
        return n;
    *rune = 0xfffd;
    return 1;
}

struct text text_trim(struct text t)
{
    uint32_t rune;
    size_t n;
    while (t.n && (n = gotext_rune(t.s, t.n, &rune)) > 0 && is_space(rune))
        t = text_from(t, n);
    while (t.n && (n = last_rune(t, &rune)) > 0 && is_space(rune))
        t.n -= n;
    return t;
}

bool text_cut(struct text t, char delimiter, struct text *before, struct text *rest)
{
    const char *at = t.n ? memchr(t.s, delimiter, t.n) : NULL;
    if (!at)
        return false;
    size_t n = (size_t)(at - t.s);
    *rest = text_from(t, n + 1);
    *before = (struct text){t.s, n};
    return true;
}

bool import_int(struct import *im, struct text t, int base, int64_t *out)
{
    char *number = arena_strndup(&im->scratch, t.s ? t.s : "", t.n);
    enum gotext_parse rc =
        memchr(number, 0, t.n) ? GOTEXT_SYNTAX : gotext_parse_int(number, base, out);
    if (rc == GOTEXT_OK)
        return true;
    struct buf reason;
    buf_init(&reason, &im->scratch);
    buf_puts(&reason, "strconv.ParseInt: parsing ");
    gotext_quote(&reason, number, t.n);
    buf_puts(&reason, rc == GOTEXT_RANGE ? ": value out of range" : ": invalid syntax");
    im->number_error = buf_cstr(&reason);
    return false;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

bool import_hex(struct text t, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < t.n; i++) {
        int digit = hex_digit(t.s[i]);
        if (digit < 0 || v >> 60)
            return false;
        v = v << 4 | (unsigned)digit;
    }
    *out = v;
    return t.n > 0;
}

/* ---- lines ---- */

void lines_init(struct lines *l, const char *bytes, size_t size)
{
    *l = (struct lines){.at = bytes, .end = bytes + size, .limit = GO_LINE_MAX};
}

bool lines_next(struct lines *l)
{
    size_t left = (size_t)(l->end - l->at);
    l->line = (struct text){NULL, 0};
    if (!left || l->too_long)
        return false;
    const char *newline = memchr(l->at, '\n', left);
    size_t n = newline ? (size_t)(newline - l->at) : left;
    if (l->limit && n >= l->limit) {
        l->too_long = true;
        return false;
    }
    l->line = (struct text){l->at, n};
    l->at += n + (newline != NULL);
    if (l->line.n && l->line.s[l->line.n - 1] == '\r')
        l->line.n--;
    return true;
}

bool lines_is_comment(struct text line)
{
    line = text_trim(line);
    return !line.n || line.s[0] == '#';
}

/* ---- expressions ---- */

struct compiled {
    pcre2_code *code;
    pcre2_match_data *data;
};

static struct compiled *compile(struct import *im, const struct import_pattern *pattern)
{
    struct compiled *c = im->patterns[pattern->number];
    if (c)
        return c;
    int number;
    PCRE2_SIZE offset;
    c = arena_zalloc(&im->scratch, sizeof *c);
    c->code = pcre2_compile((PCRE2_SPTR)pattern->text, PCRE2_ZERO_TERMINATED, PCRE2_DOLLAR_ENDONLY,
                            &number, &offset, NULL);
    c->data = pcre2_match_data_create(IMPORT_GROUPS_MAX, NULL);
    if (!c->code || !c->data)
        abort(); /* a mistake in a constant of ours, or no memory at all */
    pcre2_jit_compile(c->code, PCRE2_JIT_COMPLETE);
    im->patterns[pattern->number] = c;
    return c;
}

bool import_match(struct import *im, const struct import_pattern *pattern, struct text t,
                  struct text group[IMPORT_GROUPS_MAX])
{
    struct compiled *c = compile(im, pattern);
    int count = pcre2_match(c->code, (PCRE2_SPTR)(t.s ? t.s : ""), t.n, 0, 0, c->data, NULL);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(c->data);
    for (int i = 0; count > 0 && i < IMPORT_GROUPS_MAX; i++) {
        bool there = i < count && at[2 * i] != PCRE2_UNSET;
        group[i] = there ? (struct text){t.s + at[2 * i], at[2 * i + 1] - at[2 * i]}
                         : (struct text){NULL, 0};
    }
    return count > 0;
}

void import_end(struct import *im)
{
    for (size_t i = 0; i < IMPORT_PATTERNS_MAX; i++) {
        struct compiled *c = im->patterns[i];
        if (!c)
            continue;
        pcre2_code_free(c->code);
        pcre2_match_data_free(c->data);
    }
    arena_free(&im->scratch);
}
