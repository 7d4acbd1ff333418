/* SPDX-License-Identifier: MIT
 *
 * Reads times. Every form is tried by its first characters, and what is no time at all says which
 * forms there are; nothing is guessed. Results stay within int64_t. */
#include "server/when.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const int64_t second = 1000000000;

static const struct unit {
    const char *name;
    int64_t ns;
} units[] = {
    {"y", 365 * 86400 * 1000000000ll},
    {"w", 7 * 86400 * 1000000000ll},
    {"d", 86400 * 1000000000ll},
    {"h", 3600 * 1000000000ll},
    {"ms", 1000000},
    {"m", 60 * 1000000000ll},
    {"s", 1000000000},
};

/* The unit at `s`: the longest run of letters there has to be its name. */
static const struct unit *find_unit(const char *s, size_t *len)
{
    *len = 0;
    while (isalpha((unsigned char)s[*len]))
        ++*len;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == *len && !strncmp(units[i].name, s, *len))
            return &units[i];
    return NULL;
}

static bool read_duration(const char *s, int64_t *ns)
{
    int64_t sum = 0, last = INT64_MAX;
    if (!strcmp(s, "0")) {
        *ns = 0;
        return true;
    }
    while (*s) {
        int64_t n = 0;
        size_t len;
        if (!isdigit((unsigned char)*s))
            return false;
        for (; isdigit((unsigned char)*s); s++)
            if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *s - '0', &n))
                return false;
        const struct unit *u = find_unit(s, &len);
        if (!u || u->ns >= last || __builtin_mul_overflow(n, u->ns, &n) ||
            __builtin_add_overflow(sum, n, &sum))
            return false;
        last = u->ns;
        s += len;
    }
    *ns = sum;
    return last != INT64_MAX;
}

int when_duration(const char *text, int64_t *ns, struct err *e)
{
    if (read_duration(text, ns))
        return 0;
    return err_set(e, -EINVAL,
                   "'%.64s' is no duration: give a number and a unit, as in 15s, 1h30m or 7d",
                   text);
}

/* "now-6h", "-6h", "now". */
static bool read_relative(const char *s, int64_t now, int64_t *ns)
{
    int64_t d = 0;
    if (!strncmp(s, "now", 3))
        s += 3;
    else if (*s != '-')
        return false;
    if (!*s) {
        *ns = now;
        return true;
    }
    if ((*s != '-' && *s != '+') || !read_duration(s + 1, &d))
        return false;
    return !__builtin_add_overflow(now, *s == '-' ? -d : d, ns);
}

static bool read_number(const char *s, int64_t *ns)
{
    int64_t n = 0, fraction = 0, scale = second;
    size_t digits = strspn(s, "0123456789");
    if (!digits)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, s[i] - '0', &n))
            return false;
    int64_t unit = digits >= 18 ? 1 : digits >= 15 ? 1000 : digits >= 12 ? 1000000 : second;
    s += digits;
    if (*s == '.') {
        while (isdigit((unsigned char)*++s))
            if (scale > 1) {
                scale /= 10;
                fraction += (*s - '0') * scale;
            }
    }
    fraction = (int64_t)((__int128)fraction * unit / second);
    return !*s && !__builtin_mul_overflow(n, unit, &n) && !__builtin_add_overflow(n, fraction, ns);
}

/* "2026-11-21T12:00:00.5+01:00"; the time of day may be missing, and "T" a blank. */
static bool read_rfc3339(const char *s, int64_t *ns)
{
    struct tm tm = {0};
    int64_t fraction = 0, scale = second, offset = 0;
    const char *p = strptime(s, "%Y-%m-%d", &tm);
    if (!p || p - s != 10)
        return false;
    if (*p) {
        const char *time = p + 1;
        p = strchr("Tt ", *p) ? strptime(time, "%H:%M:%S", &tm) : NULL;
        if (!p || p - time != 8)
            return false;
        if (*p == '.')
            while (isdigit((unsigned char)*++p))
                if (scale > 1) {
                    scale /= 10;
                    fraction += (*p - '0') * scale;
                }
        struct tm zone = {0};
        if (*p == 'Z' || *p == 'z') {
            p++;
        } else {
            /* A '+' that was not escaped in a URL has become a blank. */
            int sign = *p == '-' ? -1 : *p == '+' || *p == ' ' ? 1 : 0;
            const char *start = p + 1;
            p = sign ? strptime(start, "%H:%M", &zone) : NULL;
            if (!p || p - start != 5)
                return false;
            offset = sign * (zone.tm_hour * 60 + zone.tm_min) * (int64_t)60;
        }
    }
    int64_t seconds = timegm(&tm) - offset;
    return !*p && !__builtin_mul_overflow(seconds, second, ns) &&
           !__builtin_add_overflow(*ns, fraction, ns);
}

int when_parse(const char *text, int64_t now_ns, int64_t *ns, struct err *e)
{
    if (read_relative(text, now_ns, ns) || read_number(text, ns) || read_rfc3339(text, ns))
        return 0;
    return err_set(e, -EINVAL,
                   "'%.64s' is no time: give RFC 3339 (2026-11-21T12:00:00Z), seconds since 1970, "
                   "or now-6h",
                   text);
}

int64_t when_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * second + t.tv_nsec;
}
