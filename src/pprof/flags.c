/* SPDX-License-Identifier: MIT
 *
 * Go's flag package (flag.FlagSet.parseOne), with its error texts. */
#include "pprof/flags.h"

#include "base/buf.h"
#include "base/gotext.h"

#include <errno.h>
#include <string.h>

static const char *const reasons[] = {"", "parse error", "value out of range"};

static enum gotext_parse set_value(const struct flag *f, const char *value)
{
    switch (f->type) {
    case OPTION_BOOL: return gotext_parse_bool(value, f->target);
    case OPTION_INT: return gotext_parse_int(value, 0, f->target);
    case OPTION_FLOAT: return gotext_parse_float(value, f->target);
    default: *(const char **)f->target = value; return GOTEXT_OK;
    }
}

static enum flags_result set_flag(const struct flag *f, const char *value, struct err *e)
{
    enum gotext_parse rc = set_value(f, value);
    if (rc == GOTEXT_OK)
        return FLAGS_OK;
    struct arena scratch;
    struct buf quoted;
    arena_init(&scratch);
    buf_init(&quoted, &scratch);
    gotext_quote(&quoted, value, strlen(value));
    if (f->type == OPTION_BOOL)
        err_set(e, -EINVAL, "invalid boolean value %s for -%s: %s", buf_cstr(&quoted), f->name,
                reasons[rc]);
    else
        err_set(e, -EINVAL, "invalid value %s for flag -%s: %s", buf_cstr(&quoted), f->name,
                reasons[rc]);
    arena_free(&scratch);
    return FLAGS_ERROR;
}

static const struct flag *find_flag(const struct flag *flags, const char *name, size_t len)
{
    for (; flags->name; flags++)
        if (strlen(flags->name) == len && !memcmp(flags->name, name, len))
            return flags;
    return NULL;
}

static bool is_word(const char *name, size_t len, const char *word)
{
    return strlen(word) == len && !memcmp(name, word, len);
}

enum flags_result flags_parse(const struct flag *flags, char **argv, int argc, int *at,
                              struct err *e)
{
    while (*at < argc) {
        char *s = argv[*at];
        if (s[0] != '-' || !s[1])
            return FLAGS_OK;
        ++*at;
        char *name = s + 1 + (s[1] == '-');
        if (s[1] == '-' && !s[2])
            return FLAGS_OK;
        if (!*name || *name == '-' || *name == '=') {
            err_set(e, -EINVAL, "bad flag syntax: %s", s);
            return FLAGS_ERROR;
        }
        char *equals = strchr(name + 1, '=');
        size_t len = equals ? (size_t)(equals - name) : strlen(name);
        const struct flag *f = find_flag(flags, name, len);
        if (!f && (is_word(name, len, "h") || is_word(name, len, "help")))
            return FLAGS_HELP;
        if (!f) {
            err_set(e, -ENOENT, "flag provided but not defined: -%.*s", (int)len, name);
            return FLAGS_ERROR;
        }
        const char *value = equals ? equals + 1 : f->type == OPTION_BOOL ? "true" : NULL;
        if (!value && *at < argc)
            value = argv[(*at)++];
        if (!value) {
            err_set(e, -EINVAL, "flag needs an argument: -%.*s", (int)len, name);
            return FLAGS_ERROR;
        }
        if (set_flag(f, value, e) != FLAGS_OK)
            return FLAGS_ERROR;
    }
    return FLAGS_OK;
}
