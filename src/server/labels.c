/* SPDX-License-Identifier: MIT
 *
 * What a label may be, and what a profile is called. Names are those that Pyroscope's and
 * OpenTelemetry's clients send (with dots), and Prometheus' (without). */
#include "server/labels.h"
#include "base/gotext.h"
#include "base/limits.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool name_is_good(const char *s)
{
    if (!isalpha((unsigned char)*s) && *s != '_')
        return false;
    for (; *s; s++)
        if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
            return false;
    return true;
}

static bool text_is_good(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return false;
    return gotext_utf8_valid(s, len) == len;
}

int labels_check(const char *name, const char *value, struct err *e)
{
    size_t name_len = strlen(name), len = strlen(value);
    if (name_len > LIMIT_LABEL_BYTES || len > LIMIT_LABEL_BYTES)
        return err_set(e, -EINVAL, "the label '%.64s' is longer than %d bytes", name,
                       LIMIT_LABEL_BYTES);
    if (!name_is_good(name))
        return err_set(e, -EINVAL,
                       "'%.64s' is no name of a label: a letter or '_', then letters, digits, "
                       "'_', '.' and '-'",
                       name);
    if (!strcmp(name, "pid") || !strcmp(name, "tid"))
        return err_set(e, -EINVAL, "'%s' cannot be a label of a series: each process would be one",
                       name);
    if (!len)
        return err_set(e, -EINVAL, "the label '%.64s' has no value", name);
    if (!text_is_good(value, len))
        return err_set(e, -EINVAL,
                       "the value of label '%.64s' is not UTF-8 or has control characters", name);
    return 0;
}

static bool has_type(const struct profile *p, const char *name)
{
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        struct profile_str s = profile_string(p, p->sample_types[i].type);
        if (profile_str_is(s, name))
            return true;
    }
    return false;
}

void labels_kind(const struct profile *p, char *kind, size_t size)
{
    static const struct {
        const char *type, *kind;
    } rows[] = {
        {"cpu", "cpu"},
        {"inuse_space", "heap"},
        {"inuse_objects", "heap"},
        {"alloc_space", "heap"},
        {"contentions", "block"},
        {"delay", "block"},
        {"wall", "wall"},
        {"goroutine", "goroutine"},
        {"goroutines", "goroutine"},
        {"threadcreate", "threadcreate"},
    };
    struct profile_str normal = profile_string(p, p->default_sample_type);
    if (normal.len == 11 && !memcmp(normal.ptr, "alloc_space", 11)) {
        snprintf(kind, size, "allocs");
        return;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (has_type(p, rows[i].type)) {
            snprintf(kind, size, "%s", rows[i].kind);
            return;
        }
    uint32_t last = p->sample_type_count - 1;
    struct profile_str s = p->sample_type_count ? profile_string(p, p->sample_types[last].type)
                                                : (struct profile_str){"unknown", 7};
    snprintf(kind, size, "%.*s", (int)(s.len < size ? s.len : size - 1), s.ptr);
}
