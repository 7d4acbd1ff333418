/* SPDX-License-Identifier: MIT
 *
 * The families of units a profile can be in, one row a unit. Everything a report prints as a number
 * with a unit goes through unit_scale, so that header and rows cannot disagree.
 *
 * Scaling is double arithmetic in the order pprof does it (times the unit's factor, then divided by
 * the target's), because the last printed digit depends on it. */
#include "analyze/unit.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name, *aliases; /* aliases: blank separated, lower case, singular */
    double factor;
};

struct family {
    const struct unit *units;
    size_t count;
    struct unit fallback;
};

static const struct unit memory[] = {
    {"B", "b byte", 1},
    {"kB", "kb kbyte kilobyte", 1024.0},
    {"MB", "mb mbyte megabyte", 1048576.0},
    {"GB", "gb gbyte gigabyte", 1073741824.0},
    {"TB", "tb tbyte terabyte", 1099511627776.0},
    {"PB", "pb pbyte petabyte", 1125899906842624.0},
};

static const struct unit duration[] = {
    {"ns", "ns nanosecond", 1},
    {"us", "μs us microsecond", 1e3},
    {"ms", "ms millisecond", 1e6},
    {"s", "s sec second", 1e9},
    {"hrs", "hour hr", 3600e9},
};

static const struct unit compute[] = {
    {"n*GCU", "nanogcu", 1e-9}, {"u*GCU", "microgcu", 1e-6}, {"m*GCU", "milligcu", 1e-3},
    {"GCU", "gcu", 1},          {"k*GCU", "kilogcu", 1e3},   {"M*GCU", "megagcu", 1e6},
    {"G*GCU", "gigagcu", 1e9},  {"T*GCU", "teragcu", 1e12},  {"P*GCU", "petagcu", 1e15},
};

static const struct family families[] = {
    {memory, sizeof memory / sizeof *memory, {"B", "", 1}},
    {duration, sizeof duration / sizeof *duration, {"s", "", 1e9}},
    {compute, sizeof compute / sizeof *compute, {"GCU", "", 1}},
};

static bool has_alias(const char *aliases, const char *word, size_t len)
{
    for (const char *at = aliases; *at;) {
        size_t n = strcspn(at, " ");
        if (n == len && !memcmp(at, word, n))
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

static const struct unit *find_unit(const struct family *f, const char *name)
{
    char word[24];
    size_t n = strlen(name);
    if (n >= sizeof word)
        return NULL;
    size_t characters = 0; /* "μs" is no plural */
    for (size_t i = 0; i <= n; i++) {
        word[i] = (char)tolower((unsigned char)name[i]);
        characters += i < n && ((unsigned char)name[i] & 0xc0) != 0x80;
    }
    if (characters > 2 && word[n - 1] == 's')
        n--;
    for (size_t i = 0; i < f->count; i++)
        if (has_alias(f->units[i].aliases, word, n))
            return &f->units[i];
    return NULL;
}

static struct unit_scaled convert(const struct family *f, double value, const char *to)
{
    const struct unit *target = NULL;
    if (!strcmp(to, "minimum") || !strcmp(to, "auto")) {
        double factor = 0;
        for (size_t i = 0; i < f->count; i++) {
            const struct unit *u = &f->units[i];
            if (u->factor >= factor && value / u->factor >= 1.0) {
                factor = u->factor;
                target = u;
            }
        }
    } else {
        target = find_unit(f, to);
    }
    if (!target)
        target = &f->fallback;
    return (struct unit_scaled){value / target->factor, target->name};
}

struct unit_scaled unit_scale(int64_t value, const char *from, const char *to)
{
    if (value < 0 && value != INT64_MIN) {
        struct unit_scaled s = unit_scale(-value, from, to);
        s.value = -s.value;
        return s;
    }
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const struct unit *u = find_unit(&families[i], from);
        if (u)
            return convert(&families[i], (double)value * u->factor, to);
    }
    static const char *const silent[] = {"count", "sample", "unit", "minimum", "auto"};
    for (size_t i = 0; i < sizeof silent / sizeof *silent; i++)
        if (!strcmp(to, silent[i]))
            to = "";
    return (struct unit_scaled){(double)value, to};
}

void unit_label(struct buf *out, int64_t value, const char *from, const char *to)
{
    struct unit_scaled s = unit_scale(value, from, to);
    char text[400];
    int n = snprintf(text, sizeof text, "%.2f", s.value);
    if (n > 3 && !strcmp(text + n - 3, ".00"))
        text[n - 3] = 0;
    if (!strcmp(text, "0") || !strcmp(text, "-0")) {
        buf_putc(out, '0');
        return;
    }
    buf_puts(out, text);
    buf_puts(out, s.unit);
}

const char *unit_percent(char text[UNIT_PERCENT_SIZE], int64_t value, int64_t total)
{
    double ratio = total ? fabs((double)value / (double)total) * 100 : 0;
    if (ratio >= 99.95 && ratio <= 100.05)
        return strcpy(text, "  100%");
    snprintf(text, UNIT_PERCENT_SIZE, ratio >= 1.0 ? "%5.2f%%" : "%5.2g%%", ratio);
    return text;
}
