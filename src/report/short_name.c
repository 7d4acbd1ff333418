/* SPDX-License-Identifier: MIT
 *
 * pprof's rules are regular expressions; here they are written out, because what they capture is
 * wanted. Each recogniser says the expression it stands for. "\w" is [0-9A-Za-z_], "." is anything
 * but a newline, "$" the end of the text. */
#include "report/short_name.h"

#include <stdbool.h>
#include <string.h>

struct span {
    const char *s;
    size_t len;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_word(char c)
{
    return is_digit(c) || is_lower(c) || is_upper(c) || c == '_';
}

static char at(struct span s, size_t i)
{
    return i < s.len ? s.s[i] : 0;
}

static bool has(struct span s, size_t i, const char *text)
{
    size_t n = strlen(text);
    return i <= s.len && s.len - i >= n && !memcmp(s.s + i, text, n);
}

static size_t skip_word(struct span s, size_t i)
{
    while (i < s.len && is_word(s.s[i]))
        i++;
    return i;
}

/* ^(.*?)/v(?:[2-9]|[1-9][0-9]+)([./].*)$ : where "/vN" is; false when it is not there. */
static bool find_version(struct span s, size_t *from, size_t *to)
{
    if (!s.len || memchr(s.s, '\n', s.len))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!has(s, i, "/v") || !is_digit(at(s, i + 2)) || at(s, i + 2) == '0')
            continue;
        size_t end = i + 2;
        while (is_digit(at(s, end)))
            end++;
        bool one = end == i + 3 && at(s, i + 2) == '1';
        if (!one && (at(s, end) == '.' || at(s, end) == '/')) {
            *from = i;
            *to = end;
            return true;
        }
    }
    return false;
}

/* [^.]+\..+ from i on. */
static bool match_dotted(struct span s, size_t i, struct span *out)
{
    const char *dot = i < s.len ? memchr(s.s + i, '.', s.len - i) : NULL;
    if (!dot || dot == s.s + i)
        return false;
    size_t end = (size_t)(dot - s.s) + 1, first = end;
    while (end < s.len && s.s[end] != '\n')
        end++;
    *out = (struct span){s.s + i, end - i};
    return end > first;
}

/* ^(?:[\w\-\.]+\/)+([^.]+\..+) : the longest path that leaves something to capture. */
static bool match_go(struct span s, struct span *out)
{
    bool found = false;
    for (size_t i = 0, start = 0; i < s.len; i++) {
        if (s.s[i] == '/') {
            if (i == start)
                return found;
            start = i + 1;
            struct span rest;
            if (match_dotted(s, start, &rest)) {
                *out = rest;
                found = true;
            }
        } else if (!is_word(s.s[i]) && s.s[i] != '-' && s.s[i] != '.') {
            return found;
        }
    }
    return found;
}

static size_t skip_java_word(struct span s, size_t i)
{
    while (i < s.len && (is_word(s.s[i]) || s.s[i] == '$'))
        i++;
    return i;
}

/* ^(?:[a-z]\w*\.)*([A-Z][\w\$]*\.(?:<init>|[a-z][\w\$]*(?:\$\d+)?))(?:(?:\()|$) */
static bool match_java(struct span s, struct span *out)
{
    size_t i = 0;
    while (is_lower(at(s, i))) {
        i = skip_word(s, i);
        if (at(s, i) != '.')
            return false;
        i++;
    }
    size_t start = i;
    if (!is_upper(at(s, i)))
        return false;
    i = skip_java_word(s, i);
    if (at(s, i++) != '.')
        return false;
    if (has(s, i, "<init>"))
        i += strlen("<init>");
    else if (is_lower(at(s, i)))
        i = skip_java_word(s, i);
    else
        return false;
    *out = (struct span){s.s + start, i - start};
    return i == s.len || s.s[i] == '(';
}

/* _*[A-Z]\w*::~?[_a-zA-Z]\w*(?:<.*>)? from i on. */
static bool match_method(struct span s, size_t i, struct span *out)
{
    size_t start = i;
    while (at(s, i) == '_')
        i++;
    if (!is_upper(at(s, i)))
        return false;
    i = skip_word(s, i);
    if (!has(s, i, "::"))
        return false;
    i += 2;
    i += at(s, i) == '~';
    if (!is_word(at(s, i)) || is_digit(at(s, i)))
        return false;
    i = skip_word(s, i);
    if (at(s, i) == '<')
        for (size_t k = i + 1; k < s.len && s.s[k] != '\n'; k++)
            i = s.s[k] == '>' ? k + 1 : i;
    *out = (struct span){s.s + start, i - start};
    return true;
}

/* ^(?:[_a-zA-Z]\w*::)+ and a method: the longest namespace before one. */
static bool match_cpp(struct span s, struct span *out)
{
    bool found = false;
    for (size_t i = 0; is_word(at(s, i)) && !is_digit(at(s, i));) {
        i = skip_word(s, i);
        if (!has(s, i, "::"))
            break;
        i += 2;
        struct span method;
        if (match_method(s, i, &method)) {
            *out = method;
            found = true;
        }
    }
    return found;
}

void short_name(struct buf *out, const char *name, size_t len)
{
    static const char anonymous[] = "(anonymous namespace)::";
    struct span s = {name, len};
    size_t from, to, skip = strlen(anonymous);
    if (has(s, 0, anonymous))
        s = (struct span){s.s + skip, s.len - skip};
    struct arena scratch;
    arena_init(&scratch);
    if (find_version(s, &from, &to)) {
        char *joined = arena_alloc(&scratch, s.len);
        memcpy(joined, s.s, from);
        memcpy(joined + from, s.s + to, s.len - to);
        s = (struct span){joined, s.len - (to - from)};
    }
    struct span short_one;
    if (match_go(s, &short_one) || match_java(s, &short_one) || match_cpp(s, &short_one))
        s = short_one;
    buf_append(out, s.s, s.len);
    arena_free(&scratch);
}
