/* SPDX-License-Identifier: MIT
 *
 * Everything a report prints as a number with a unit goes through unit_scale, so that header and
 * rows cannot disagree. Which units there are says profile/unit.c.
 *
 * Scaling is double arithmetic in the order pprof does it (times the unit's factor, then divided by
 * the target's), because the last printed digit depends on it. */
#include "analyze/unit.h"

#include "profile/unit.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct unit find_unit(const char *name)
{
    return unit_find((struct profile_str){name, (uint32_t)strlen(name)});
}

struct unit_scaled unit_scale(int64_t value, const char *from, const char *to)
{
    if (value < 0 && value != INT64_MIN) {
        struct unit_scaled s = unit_scale(-value, from, to);
        s.value = -s.value;
        return s;
    }
    struct unit u = find_unit(from);
    if (u.family != UNIT_NONE) {
        double base = (double)value * u.factor;
        bool largest = !strcmp(to, "minimum") || !strcmp(to, "auto");
        struct unit target =
            largest ? unit_largest(u.family, base) : unit_of_family(find_unit(to), u.family);
        return (struct unit_scaled){base / target.factor, target.canonical};
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
