/* SPDX-License-Identifier: MIT
 *
 * One pass over the text. While a list or an object is open its `skip` holds the place of the one
 * around it, so that nesting needs neither recursion nor a stack: no depth of the input is too
 * much. */
#include "profile/import/jsondoc.h"

#include "base/limits.h"

#include <errno.h>
#include <string.h>

enum { STRING_MAX = (1 << 29) - 1 };

struct parser {
    const char *text, *at, *end;
    struct arena *arena;
    struct jsondoc *values;
    uint32_t count, cap;
    uint32_t open; /* the innermost list or object; OUTSIDE: none */
    struct err *e;
};

#define OUTSIDE UINT32_MAX

static int fail(struct parser *p, const char *what)
{
    return err_set(p->e, -EPROTO, "malformed JSON: %s at byte %zu", what,
                   (size_t)(p->at - p->text));
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
}

static int add(struct parser *p, enum jsondoc_kind kind, const char *s, size_t n)
{
    if (p->count == LIMIT_JSON_VALUES)
        return fail(p, "more values than are read");
    if (n > STRING_MAX)
        return fail(p, "a string larger than 512 MiB");
    if (p->count == p->cap) {
        uint32_t more = p->cap ? 2 * p->cap : 1024;
        p->values =
            arena_grow(p->arena, p->values, p->cap * sizeof *p->values, more * sizeof *p->values);
        p->cap = more;
    }
    p->values[p->count++] =
        (struct jsondoc){.s = s, .skip = 1, .kind = kind & 7u, .n = (uint32_t)n & STRING_MAX};
    return 0;
}

/* Behind the opening quote. */
static int read_string(struct parser *p)
{
    const char *from = p->at;
    for (;;) {
        const char *quote = memchr(p->at, '"', (size_t)(p->end - p->at));
        const char *back = quote ? memchr(p->at, '\\', (size_t)(quote - p->at)) : NULL;
        if (!quote || (back && p->end - back < 2))
            return fail(p, "a string without an end");
        p->at = back ? back + 2 : quote + 1;
        if (!back)
            return add(p, JSONDOC_STRING, from, (size_t)(quote - from));
    }
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool skip_digits(struct parser *p)
{
    const char *from = p->at;
    while (p->at < p->end && is_digit(*p->at))
        p->at++;
    return p->at > from;
}

static int read_number(struct parser *p)
{
    const char *from = p->at;
    p->at += *p->at == '-';
    bool good = skip_digits(p);
    if (good && p->at < p->end && *p->at == '.') {
        p->at++;
        good = skip_digits(p);
    }
    if (good && p->at < p->end && (*p->at | 0x20) == 'e') {
        p->at++;
        p->at += p->at < p->end && (*p->at == '+' || *p->at == '-');
        good = skip_digits(p);
    }
    return good ? add(p, JSONDOC_NUMBER, from, (size_t)(p->at - from)) : fail(p, "an odd number");
}

static int read_word(struct parser *p)
{
    static const struct {
        const char *word;
        enum jsondoc_kind kind;
    } words[] = {{"null", JSONDOC_NULL}, {"true", JSONDOC_TRUE}, {"false", JSONDOC_FALSE}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].word);
        if ((size_t)(p->end - p->at) >= n && !memcmp(p->at, words[i].word, n)) {
            p->at += n;
            return add(p, words[i].kind, p->at - n, n);
        }
    }
    return fail(p, "something that is no value");
}

static int open_container(struct parser *p, enum jsondoc_kind kind)
{
    int rc = add(p, kind, p->at++, 0);
    if (rc)
        return rc;
    p->values[p->count - 1].skip = p->open;
    p->open = p->count - 1;
    return 0;
}

static void close_container(struct parser *p)
{
    struct jsondoc *v = &p->values[p->open];
    uint32_t outer = v->skip;
    v->skip = p->count - p->open;
    p->open = outer;
}

static int read_value(struct parser *p)
{
    switch (p->at < p->end ? *p->at : 0) {
    case '{': return open_container(p, JSONDOC_OBJECT);
    case '[': return open_container(p, JSONDOC_ARRAY);
    case '"': p->at++; return read_string(p);
    case '-': return read_number(p);
    default: return p->at < p->end && is_digit(*p->at) ? read_number(p) : read_word(p);
    }
}

static int read_key(struct parser *p)
{
    if (p->at == p->end || *p->at != '"')
        return fail(p, "no key");
    p->at++;
    int rc = read_string(p);
    skip_space(p);
    if (!rc && (p->at == p->end || *p->at != ':'))
        rc = fail(p, "no ':'");
    p->at++;
    skip_space(p);
    return rc;
}

/* Whether the text ends here inside of the list at the top. */
static bool is_cut(const struct parser *p)
{
    return p->at == p->end && p->open == 0 && p->values[0].kind == JSONDOC_ARRAY;
}

/* What stands after a value, or after an opening bracket (`fresh`): ends of lists and objects, and
 * the comma before another value. */
static int read_between(struct parser *p, bool fresh)
{
    for (;; fresh = false) {
        skip_space(p);
        if (p->open == OUTSIDE)
            return 0;
        if (is_cut(p)) {
            close_container(p);
            return 0;
        }
        bool object = p->values[p->open].kind == JSONDOC_OBJECT;
        if (p->at < p->end && *p->at == (object ? '}' : ']')) {
            p->at++;
            close_container(p);
            continue;
        }
        if (!fresh) {
            if (p->at == p->end || *p->at != ',')
                return fail(p, object ? "no ',' or '}'" : "no ',' or ']'");
            p->at++;
            skip_space(p);
            if (is_cut(p))
                continue;
        }
        return object ? read_key(p) : 0;
    }
}

const struct jsondoc *jsondoc_parse(struct arena *arena, const char *text, size_t size,
                                    struct err *e)
{
    struct parser p = {.text = text, .at = text, .end = text + size, .arena = arena, .e = e};
    p.open = OUTSIDE;
    skip_space(&p);
    do {
        uint32_t open = p.open;
        if (read_value(&p) || read_between(&p, p.open != open))
            return NULL;
    } while (p.open != OUTSIDE);
    if (p.at != p.end) {
        fail(&p, "something after the end");
        return NULL;
    }
    return p.values;
}

/* ---- asking ---- */

bool jsondoc_equals(const struct jsondoc *string, const char *word)
{
    return jsondoc_is(string, JSONDOC_STRING) && string->n == strlen(word) &&
           !memcmp(string->s, word, string->n);
}

const struct jsondoc *jsondoc_get(const struct jsondoc *object, const char *key)
{
    if (!jsondoc_is(object, JSONDOC_OBJECT))
        return NULL;
    const struct jsondoc *end = object + object->skip;
    for (const struct jsondoc *at = object + 1; at < end; at += 1 + at[1].skip)
        if (jsondoc_equals(at, key))
            return at + 1;
    return NULL;
}

uint32_t jsondoc_count(const struct jsondoc *list)
{
    uint32_t n = 0;
    for (const struct jsondoc *v = jsondoc_first(list); v; v = jsondoc_next(list, v))
        n++;
    return n;
}

/* The digits of a number and the power of ten that the last of them stands for. */
struct decimal {
    uint64_t digits;
    int64_t power;
    bool negative, round_up;
};

static struct decimal take_apart(const struct jsondoc *v)
{
    struct decimal d = {0};
    bool point = false, full = false;
    uint32_t i = 0;
    if (v->s[0] == '-') {
        d.negative = true;
        i++;
    }
    for (; i < v->n && (v->s[i] | 0x20) != 'e'; i++) {
        if (v->s[i] == '.') {
            point = true;
        } else if (full || d.digits > (UINT64_MAX - 9) / 10) {
            d.round_up = full ? d.round_up : v->s[i] >= '5';
            full = true;
            d.power += !point;
        } else {
            d.digits = d.digits * 10 + (uint64_t)(v->s[i] - '0');
            d.power -= point;
        }
    }
    int64_t exponent = 0;
    bool down = i + 1 < v->n && v->s[i + 1] == '-';
    for (i++; i < v->n; i++)
        if (is_digit(v->s[i]) && exponent < 100000)
            exponent = exponent * 10 + (v->s[i] - '0');
    d.power += down ? -exponent : exponent;
    return d;
}

bool jsondoc_decimal(const struct jsondoc *v, int scale, int64_t *out)
{
    if (!jsondoc_is(v, JSONDOC_NUMBER))
        return false;
    struct decimal d = take_apart(v);
    d.power += scale;
    for (; d.power > 0 && d.digits && d.digits <= INT64_MAX / 10; d.power--)
        d.digits *= 10;
    if (d.power > 0 && d.digits)
        return false;
    for (; d.power < 0 && d.digits; d.power++) {
        d.round_up = d.digits % 10 >= 5;
        d.digits /= 10;
    }
    d.digits += d.power == 0 && d.round_up;
    if (d.digits > INT64_MAX)
        return false;
    *out = d.negative ? -(int64_t)d.digits : (int64_t)d.digits;
    return true;
}

int64_t jsondoc_integer(const struct jsondoc *v, int64_t missing)
{
    int64_t n;
    return jsondoc_decimal(v, 0, &n) ? n : missing;
}

/* ---- strings ---- */

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits at `s`, or -1. */
static int32_t hex4(const char *s, const char *end)
{
    int32_t v = 0;
    if (end - s < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(s[i]);
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

/* The character of "\uXXXX" at `s`, behind the 'u'; two of them when they are a pair. Advances. */
static uint32_t unescape_unicode(const char **s, const char *end)
{
    int32_t high = hex4(*s, end);
    if (high < 0)
        return 0xfffd;
    *s += 4;
    if (high < 0xd800 || high > 0xdfff)
        return (uint32_t)high;
    int32_t low = end - *s >= 6 && (*s)[0] == '\\' && (*s)[1] == 'u' ? hex4(*s + 2, end) : -1;
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff)
        return 0xfffd;
    *s += 6;
    return 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
}

struct jsondoc_text jsondoc_text(const struct jsondoc *v, struct arena *arena)
{
    static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (!jsondoc_is(v, JSONDOC_STRING) && !jsondoc_is(v, JSONDOC_NUMBER))
        return (struct jsondoc_text){NULL, 0};
    if (v->kind == JSONDOC_NUMBER || !memchr(v->s, '\\', v->n))
        return (struct jsondoc_text){v->s, v->n};
    /* Only an escape that is cut off is shorter than what stands for it. */
    char *text = arena_alloc(arena, 2ul * v->n), *out = text;
    for (const char *s = v->s, *end = s + v->n; s < end;) {
        if (*s != '\\' || s + 1 == end) {
            *out++ = *s++;
            continue;
        }
        char c = s[1];
        const char *known = c ? strchr(escapes, c) : NULL;
        s += 2;
        if (known)
            *out++ = meant[known - escapes];
        else if (c == 'u')
            out = put_utf8(out, unescape_unicode(&s, end));
        else
            *out++ = c;
    }
    return (struct jsondoc_text){text, (size_t)(out - text)};
}
