/* SPDX-License-Identifier: MIT
 *
 * What is said of a wrong command line. A verb's help is the only list of its options
 * (cmd_complete.c reads it as well), so the nearest one is looked for there. */
#include "cli/refuse.h"

#include "base/nearest.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

static int end(const char *verb)
{
    fprintf(stderr, "See 'strobe help %s'.\n", verb);
    return 2;
}

int cli_refuse(const char *verb, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "strobe %s: ", verb);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return end(verb);
}

/* The next "-x" or "--word" in a help text, behind a blank or a bracket; NULL at the end. */
static const char *next_option(const char *at, size_t *len)
{
    for (char before = '\n'; *at; before = *at++) {
        if (*at != '-' || !strchr(" [(\n", before))
            continue;
        *len = strspn(at, letters);
        if (*len > 1 && at[*len - 1] != '-')
            return at;
    }
    return NULL;
}

/* "HZ" of "-F HZ" and "--server=URL": whether it is the word. */
static bool has_value(const char *behind, const char *word, size_t len)
{
    size_t n =
        *behind == ' ' || *behind == '=' ? strspn(behind + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") : 0;
    return n > 1 && n == len && !strncasecmp(behind + 1, word, len);
}

int cli_refuse_option(const char *verb, const char *option, const char *usage)
{
    const char *word = option + strspn(option, "-"), *by_value = NULL;
    size_t len, word_len = strcspn(word, "="), value_len = 0;
    struct nearest near = nearest_to(word, word_len);
    for (const char *at = usage; (at = next_option(at, &len)); at += len) {
        size_t dashes = strspn(at, "-");
        nearest_see(&near, at + dashes, len - dashes);
        if (!by_value && has_value(at + len, word, word_len)) {
            by_value = at;
            value_len = len;
        }
    }
    fprintf(stderr, "strobe %s: there is no option '%.*s'", verb, (int)strcspn(option, "="),
            option);
    if (near.best) /* its dashes stand before it */
        for (near.best--, near.best_len++; near.best[-1] == '-'; near.best--)
            near.best_len++;
    else
        near.best = by_value, near.best_len = value_len;
    if (near.best)
        fprintf(stderr, ": did you mean %.*s?\n", (int)near.best_len, near.best);
    else
        fputs("\n", stderr);
    return end(verb);
}
