/* SPDX-License-Identifier: MIT
 *
 * The switches of STROBE_DEBUG by name: one row each, and one for each of Go's names. They are read
 * twice: at the first allocation, from the environment as the kernel laid it down, because by the
 * time of the constructor there are objects that nobody would know; and with all other settings,
 * where what is wrong is said. */
#include "runtime/debug.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

struct debug_switches debug;

extern void *__libc_stack_end; /* where argc is */

enum kind {
    FLAG,     /* 0 or 1 */
    NUMBER,   /* the same, in a number */
    INTERVAL, /* ms; 1 is a second */
    MS,
    GCTRACE, /* 2 and more: with detail */
};

enum { MS_MAX = 86400000, SECOND_MS = 1000 };

static const struct row {
    const char *name;
    enum kind kind;
    size_t offset;
} rows[] = {
    {"alloctrace", FLAG, offsetof(struct debug_switches, alloctrace)},
    {"allocfreetrace", FLAG, offsetof(struct debug_switches, alloctrace)},
    {"heaptrace", INTERVAL, offsetof(struct debug_switches, heaptrace_ms)},
    {"gctrace", GCTRACE, offsetof(struct debug_switches, heaptrace_ms)},
    {"schedtrace", MS, offsetof(struct debug_switches, schedtrace_ms)},
    {"scheddetail", NUMBER, offsetof(struct debug_switches, scheddetail)},
    {"efence", FLAG, offsetof(struct debug_switches, efence)},
    {"clobberfree", FLAG, offsetof(struct debug_switches, clobberfree)},
    {"gcdead", FLAG, offsetof(struct debug_switches, clobberfree)},
    {"invalidptr", FLAG, offsetof(struct debug_switches, invalidptr)},
    {"scavtrace", NUMBER, offsetof(struct debug_switches, scavtrace)},
    {"scavenge", NUMBER, offsetof(struct debug_switches, scavtrace)},
};

static int set(struct debug_switches *to, const struct row *r, unsigned long n)
{
    void *at = (char *)to + r->offset;
    uint32_t number = (uint32_t)n;
    if (n > ((r->kind == FLAG || r->kind == NUMBER) ? 1 : MS_MAX))
        return -EINVAL;
    if (r->kind == FLAG) {
        *(bool *)at = n == 1;
        return 0;
    }
    if (r->kind == GCTRACE) {
        to->heapdetail = n > 1;
        number = n ? SECOND_MS : 0;
    } else if (r->kind == INTERVAL && n == 1) {
        number = SECOND_MS;
    }
    memcpy(at, &number, sizeof number);
    return 0;
}

/* One "name=number" of n bytes. */
static int parse_one(struct debug_switches *to, const char *text, size_t n)
{
    char one[64], *end;
    if (n >= sizeof one)
        return -EINVAL;
    memcpy(one, text, n);
    one[n] = 0;
    char *value = strchr(one, '=');
    if (!value || value[1] < '0' || value[1] > '9')
        return -EINVAL;
    *value++ = 0;
    unsigned long number = strtoul(value, &end, 10);
    for (size_t i = 0; !*end && i < sizeof rows / sizeof *rows; i++)
        if (!strcmp(rows[i].name, one))
            return set(to, &rows[i], number);
    return -EINVAL;
}

int debug_parse(const char *text, struct debug_switches *to, char *bad, size_t bad_size)
{
    struct debug_switches found = {0};
    int saved = errno;
    for (size_t n; *text; text += n + (text[n] == ',')) {
        n = strcspn(text, ",");
        if (n && parse_one(&found, text, n) < 0) {
            if (bad_size)
                snprintf(bad, bad_size, "%.*s", (int)(n < 100 ? n : 100), text);
            errno = saved;
            return -EINVAL;
        }
    }
    if (found.scheddetail && !found.schedtrace_ms)
        found.schedtrace_ms = SECOND_MS;
    *to = found;
    errno = saved;
    return 0;
}

void debug_read_early(void)
{
    static const char name[] = "STROBE_DEBUG=";
    static bool done;
    char **at = (char **)__libc_stack_end + 1; /* arguments, NULL, environment, NULL */
    if (done || !__libc_stack_end || getauxval(AT_SECURE))
        return;
    done = true;
    while (*at)
        at++;
    for (at++; *at; at++)
        if (!strncmp(*at, name, sizeof name - 1))
            debug_parse(*at + sizeof name - 1, &debug, NULL, 0);
}
