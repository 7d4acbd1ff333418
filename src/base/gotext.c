/* SPDX-License-Identifier: MIT
 *
 * Go's text forms of numbers, times, paths and strings. They are here and not where they are
 * printed because the shell, the web pages and the reports need the same ones, and because each is
 * a rule of its own that can be tested alone. */
#include "base/gotext.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A fraction of `unit` nanoseconds' digits, without trailing zeros: 2602 of 1000 is "2.602". */
static void print_fraction(struct buf *out, uint64_t value, uint64_t unit)
{
    buf_printf(out, "%llu", (unsigned long long)(value / unit));
    uint64_t rest = value % unit;
    if (!rest)
        return;
    buf_putc(out, '.');
    while (rest) {
        unit /= 10;
        buf_putc(out, (char)('0' + rest / unit));
        rest %= unit;
    }
}

void gotext_duration(struct buf *out, int64_t nanos)
{
    uint64_t u = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
    if (!u) {
        buf_puts(out, "0s");
        return;
    }
    if (nanos < 0)
        buf_putc(out, '-');
    if (u < 1000) {
        buf_printf(out, "%lluns", (unsigned long long)u);
    } else if (u < 1000000) {
        print_fraction(out, u, 1000);
        buf_puts(out, "µs");
    } else if (u < 1000000000) {
        print_fraction(out, u, 1000000);
        buf_puts(out, "ms");
    } else {
        uint64_t minutes = u / 60000000000;
        if (minutes >= 60)
            buf_printf(out, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes)
            buf_printf(out, "%llum", (unsigned long long)(minutes % 60));
        print_fraction(out, u % 60000000000, 1000000000);
        buf_putc(out, 's');
    }
}

void gotext_time(struct buf *out, int64_t nanos, bool full)
{
    int64_t seconds = nanos / 1000000000, rest = nanos % 1000000000;
    if (rest < 0) {
        rest += 1000000000;
        seconds--;
    }
    time_t t = (time_t)seconds;
    struct tm tm;
    tzset();
    localtime_r(&t, &tm);
    char zone[64], text[64];
    strftime(zone, sizeof zone, "%Z", &tm);
    strftime(text, sizeof text, "%H:%M:%S", &tm);
    buf_printf(out, "%04d-%02d-%02d %s", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, text);
    if (full) {
        if (rest) {
            char fraction[16];
            int n = snprintf(fraction, sizeof fraction, "%09lld", (long long)rest);
            while (fraction[n - 1] == '0')
                n--;
            buf_printf(out, ".%.*s", n, fraction);
        }
        strftime(text, sizeof text, "%z", &tm);
        buf_printf(out, " %s", text);
    }
    buf_printf(out, " %s", zone);
}

const char *gotext_base(const char *s, size_t len, size_t *base_len)
{
    if (!len) {
        *base_len = 1;
        return ".";
    }
    while (len && s[len - 1] == '/')
        len--;
    if (!len) {
        *base_len = 1;
        return "/";
    }
    size_t at = len;
    while (at && s[at - 1] != '/')
        at--;
    *base_len = len - at;
    return s + at;
}

/* Back over the last component of what was written since `floor`. */
static void drop_component(struct buf *out, size_t floor)
{
    while (out->len > floor && out->data[out->len - 1] != '/')
        out->len--;
    if (out->len > floor)
        out->len--;
}

void gotext_clean(struct buf *out, const char *s, size_t len)
{
    if (!len)
        return;
    bool rooted = s[0] == '/';
    size_t start = out->len;
    if (rooted)
        buf_putc(out, '/');
    size_t body = out->len, floor = body; /* ".." may not go back before floor */
    for (size_t at = 0; at < len;) {
        size_t end = at;
        while (end < len && s[end] != '/')
            end++;
        size_t n = end - at;
        if (n == 2 && s[at] == '.' && s[at + 1] == '.') {
            if (out->len > floor) {
                drop_component(out, floor);
            } else if (!rooted) {
                if (out->len > body)
                    buf_putc(out, '/');
                buf_puts(out, "..");
                floor = out->len;
            }
        } else if (n && !(n == 1 && s[at] == '.')) {
            if (out->len > body)
                buf_putc(out, '/');
            buf_append(out, s + at, n);
        }
        at = end + 1;
    }
    if (out->len == start)
        buf_putc(out, '.');
}

const char *gotext_errno(int err)
{
    static _Thread_local char text[128];
    snprintf(text, sizeof text, "%s", strerror(err));
    /* Go's table is glibc's with a small first letter, but for words that are names. */
    if (isupper((unsigned char)text[0]) && islower((unsigned char)text[1]))
        text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

void gotext_float(struct buf *out, double v)
{
    char text[32];
    if (isnan(v) || isinf(v)) {
        buf_puts(out, isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf");
        return;
    }
    int digits = 1;
    for (; digits < 17; digits++) {
        snprintf(text, sizeof text, "%.*e", digits - 1, v);
        if (strtod(text, NULL) == v)
            break;
    }
    snprintf(text, sizeof text, "%.*e", digits - 1, v);
    int exponent = atoi(strchr(text, 'e') + 1);
    if (v != 0 && (exponent < -4 || exponent >= 21)) {
        buf_puts(out, text);
        return;
    }
    int decimals = digits - 1 - exponent;
    buf_printf(out, "%.*f", decimals > 0 ? decimals : 0, v);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z')
        return c - 'A' + 10;
    return 99;
}

/* strconv's underscoreOK: an underscore only between digits, or after the base prefix. */
static bool underscores_ok(const char *s)
{
    char before = '^';
    bool hex = false;
    if (s[0] == '-' || s[0] == '+')
        s++;
    if (s[0] == '0' && s[1] && strchr("bBoOxX", s[1])) {
        hex = s[1] == 'x' || s[1] == 'X';
        s += 2;
        before = '0';
    }
    for (; *s; s++) {
        if (isdigit((unsigned char)*s) || (hex && isxdigit((unsigned char)*s))) {
            before = '0';
        } else if (*s == '_') {
            if (before != '0')
                return false;
            before = '_';
        } else {
            if (before == '_')
                return false;
            before = '!';
        }
    }
    return before != '_';
}

enum gotext_parse gotext_parse_int(const char *s, int base, int64_t *out)
{
    const char *whole = s;
    bool negative = *s == '-', any = false, underscore = false, over = false, prefixed = !base;
    if (*s == '-' || *s == '+')
        s++;
    if (!base) {
        base = 10;
        if (s[0] == '0') {
            int c = tolower((unsigned char)s[1]);
            base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
            if (c == 'x' || c == 'b' || c == 'o')
                s += 2;
            else
                s += 1, any = true;
        }
    }
    uint64_t value = 0;
    for (; *s; s++) {
        if (*s == '_' && prefixed) {
            underscore = true;
            continue;
        }
        int d = digit_value(*s);
        if (d >= base)
            return GOTEXT_SYNTAX;
        any = true;
        if (__builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)d, &value))
            over = true;
    }
    if (!any || (underscore && !underscores_ok(whole)))
        return GOTEXT_SYNTAX;
    uint64_t limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    if (over || value > limit) {
        *out = negative ? INT64_MIN : INT64_MAX;
        return GOTEXT_RANGE;
    }
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return GOTEXT_OK;
}

/* Digits, a point, an exponent: what both Go and strtod read the same way. Underscores are Go's
 * only with a base prefix, which for floats means hexadecimal. */
static bool float_syntax(const char *s)
{
    if (*s == '+' || *s == '-')
        s++;
    if (!strcasecmp(s, "inf") || !strcasecmp(s, "infinity") || !strcasecmp(s, "nan"))
        return true;
    bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X'), digits = false, exponent = false;
    if (hex)
        s += 2;
    for (bool point = false;; s++) {
        if (*s == '.' && !point)
            point = true;
        else if (hex ? isxdigit((unsigned char)*s) : isdigit((unsigned char)*s))
            digits = true;
        else
            break;
    }
    if (digits && (hex ? *s == 'p' || *s == 'P' : *s == 'e' || *s == 'E')) {
        exponent = true;
        s++;
        if (*s == '+' || *s == '-')
            s++;
        if (!isdigit((unsigned char)*s))
            return false;
        while (isdigit((unsigned char)*s))
            s++;
    }
    return digits && !*s && (!hex || exponent);
}

enum gotext_parse gotext_parse_float(const char *s, double *out)
{
    if (!float_syntax(s) || ((*s == '+' || *s == '-') && !strcasecmp(s + 1, "nan")))
        return GOTEXT_SYNTAX;
    *out = strtod(s, NULL);
    bool named = isalpha((unsigned char)s[strspn(s, "+-")]);
    return isinf(*out) && !named ? GOTEXT_RANGE : GOTEXT_OK;
}

enum gotext_parse gotext_parse_bool(const char *s, bool *out)
{
    static const char *const words[] = {"1", "t", "T", "true",  "TRUE",  "True",
                                        "0", "f", "F", "false", "FALSE", "False"};
    for (int i = 0; i < 12; i++) {
        if (!strcmp(s, words[i])) {
            *out = i < 6;
            return GOTEXT_OK;
        }
    }
    return GOTEXT_SYNTAX;
}
