/* SPDX-License-Identifier: MIT
 *
 * The table of units. Names are compared as google/pprof does it (measurement.go, sniffUnit):
 * lowered, and singular. Factors are doubles because pprof computes in doubles, and its results are
 * compared with ours to the last digit. */
#include "profile/unit.h"

#include <string.h>

static const struct {
    const char *name;
    struct unit unit;
} units[] = {
    {"b", {UNIT_MEMORY, 1, "B"}},
    {"byte", {UNIT_MEMORY, 1, "B"}},
    {"kb", {UNIT_MEMORY, 1ull << 10, "kB"}},
    {"kbyte", {UNIT_MEMORY, 1ull << 10, "kB"}},
    {"kilobyte", {UNIT_MEMORY, 1ull << 10, "kB"}},
    {"mb", {UNIT_MEMORY, 1ull << 20, "MB"}},
    {"mbyte", {UNIT_MEMORY, 1ull << 20, "MB"}},
    {"megabyte", {UNIT_MEMORY, 1ull << 20, "MB"}},
    {"gb", {UNIT_MEMORY, 1ull << 30, "GB"}},
    {"gbyte", {UNIT_MEMORY, 1ull << 30, "GB"}},
    {"gigabyte", {UNIT_MEMORY, 1ull << 30, "GB"}},
    {"tb", {UNIT_MEMORY, 1ull << 40, "TB"}},
    {"tbyte", {UNIT_MEMORY, 1ull << 40, "TB"}},
    {"terabyte", {UNIT_MEMORY, 1ull << 40, "TB"}},
    {"pb", {UNIT_MEMORY, 1ull << 50, "PB"}},
    {"pbyte", {UNIT_MEMORY, 1ull << 50, "PB"}},
    {"petabyte", {UNIT_MEMORY, 1ull << 50, "PB"}},
    {"ns", {UNIT_TIME, 1, "ns"}},
    {"nanosecond", {UNIT_TIME, 1, "ns"}},
    {"μs", {UNIT_TIME, 1e3, "us"}},
    {"us", {UNIT_TIME, 1e3, "us"}},
    {"microsecond", {UNIT_TIME, 1e3, "us"}},
    {"ms", {UNIT_TIME, 1e6, "ms"}},
    {"millisecond", {UNIT_TIME, 1e6, "ms"}},
    {"s", {UNIT_TIME, 1e9, "s"}},
    {"sec", {UNIT_TIME, 1e9, "s"}},
    {"second", {UNIT_TIME, 1e9, "s"}},
    {"hour", {UNIT_TIME, 3600e9, "hrs"}},
    {"hr", {UNIT_TIME, 3600e9, "hrs"}},
    {"nanogcu", {UNIT_GCU, 1e-9, "n*GCU"}},
    {"microgcu", {UNIT_GCU, 1e-6, "u*GCU"}},
    {"milligcu", {UNIT_GCU, 1e-3, "m*GCU"}},
    {"gcu", {UNIT_GCU, 1, "GCU"}},
    {"kilogcu", {UNIT_GCU, 1e3, "k*GCU"}},
    {"megagcu", {UNIT_GCU, 1e6, "M*GCU"}},
    {"gigagcu", {UNIT_GCU, 1e9, "G*GCU"}},
    {"teragcu", {UNIT_GCU, 1e12, "T*GCU"}},
    {"petagcu", {UNIT_GCU, 1e15, "P*GCU"}},
};

static const struct unit defaults[] = {[UNIT_NONE] = {UNIT_NONE, 1, ""},
                                       [UNIT_MEMORY] = {UNIT_MEMORY, 1, "B"},
                                       [UNIT_TIME] = {UNIT_TIME, 1e9, "s"},
                                       [UNIT_GCU] = {UNIT_GCU, 1, "GCU"}};

struct unit unit_find(struct profile_str name)
{
    char text[16]; /* longer than every name */
    size_t n = name.len, characters = 0;
    if (n == 0 || n >= sizeof text)
        return defaults[UNIT_NONE];
    for (size_t i = 0; i < n; i++) {
        char c = name.ptr[i];
        text[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        characters += ((unsigned char)c & 0xc0) != 0x80; /* "μs" is two, and no plural */
    }
    if (characters > 2 && text[n - 1] == 's')
        n--;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strlen(units[i].name) == n && memcmp(units[i].name, text, n) == 0)
            return units[i].unit;
    return defaults[UNIT_NONE];
}

struct unit unit_of_family(struct unit wanted, enum unit_family family)
{
    return wanted.family == family ? wanted : defaults[family];
}

struct unit unit_largest(enum unit_family family, double value)
{
    struct unit largest = defaults[family];
    double factor = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct unit u = units[i].unit;
        if (u.family == family && u.factor > factor && value / u.factor >= 1.0) {
            largest = u;
            factor = u.factor;
        }
    }
    return largest;
}

double unit_convert(int64_t value, struct unit from, struct unit to)
{
    if (from.family == UNIT_NONE)
        return (double)value;
    return (double)value * from.factor / unit_of_family(to, from.family).factor;
}
