/* SPDX-License-Identifier: MIT
 *
 * The file of named settings. It is read and written whole; a new one takes the old one's place in
 * one step, so that a crash or a full disk leaves the old one. A lock is not taken: pprof takes
 * none. */
#include "web/configs_file.h"

#include "base/gotext.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

struct config *configs_add(struct configs *c, const char *name)
{
    c->items = arena_grow(c->arena, c->items, c->count * sizeof *c->items,
                          (c->count + 1) * sizeof *c->items);
    c->items[c->count] = (struct config){.name = name};
    struct settings *s = &c->items[c->count].settings;
    for (const struct option *o = options; o->name; o++)
        if (o->type == OPTION_STRING || o->type == OPTION_CHOICE)
            *(const char **)settings_field(s, o) = "";
    return &c->items[c->count++];
}

/* ---- reading ---- */

/* The words of Go's encoding/json for a value of the wrong type. */
static int wrong_type(const json_t *v, const char *into, const char *type, struct err *e)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "object",  [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "number", [JSON_REAL] = "number", [JSON_TRUE] = "bool",
        [JSON_FALSE] = "bool",     [JSON_NULL] = "null",
    };
    return err_set(e, -EINVAL,
                   "could not parse settings: json: cannot unmarshal %s into Go %s of "
                   "type %s",
                   names[json_typeof(v)], into, type);
}

/* A key is the field's name in any case. */
static json_t *find_value(json_t *object, const char *name)
{
    json_t *exact = json_object_get(object, name), *v;
    const char *key;
    if (exact)
        return exact;
    json_object_foreach(object, key, v) if (!strcasecmp(key, name)) return v;
    return NULL;
}

/* All numbers are read as real ones: a fraction of 1e20 is written without a point. */
static bool is_whole(const json_t *v)
{
    double number = json_real_value(v);
    return json_is_real(v) && number > -0x1p63 && number < 0x1p63 &&
           number == (double)(int64_t)number;
}

static int read_field(struct configs *c, struct settings *s, const struct option *o, json_t *v,
                      struct err *e)
{
    static const char *const types[] = {[OPTION_BOOL] = "bool",
                                        [OPTION_INT] = "int",
                                        [OPTION_FLOAT] = "float64",
                                        [OPTION_STRING] = "string",
                                        [OPTION_CHOICE] = "string"};
    void *field = settings_field(s, o);
    bool text = o->type == OPTION_STRING || o->type == OPTION_CHOICE;
    if (!v || json_is_null(v))
        return 0;
    if (o->type == OPTION_BOOL && json_is_boolean(v))
        *(bool *)field = json_is_true(v);
    else if (o->type == OPTION_INT && is_whole(v))
        *(int64_t *)field = (int64_t)json_real_value(v);
    else if (o->type == OPTION_FLOAT && json_is_number(v))
        *(double *)field = json_number_value(v);
    else if (text && json_is_string(v))
        *(const char **)field =
            arena_strndup(c->arena, json_string_value(v), json_string_length(v));
    else
        return wrong_type(
            v, arena_printf(c->arena, "struct field namedConfig.configs.config.%s", o->name),
            types[o->type], e);
    return 0;
}

static int read_config(struct configs *c, json_t *object, struct err *e)
{
    json_t *name = json_is_object(object) ? find_value(object, "name") : NULL;
    if (json_is_null(object)) {
        configs_add(c, "");
        return 0;
    }
    if (!json_is_object(object))
        return wrong_type(object, "struct field settings.configs", "driver.namedConfig", e);
    if (name && !json_is_string(name) && !json_is_null(name))
        return wrong_type(name, "struct field namedConfig.configs.name", "string", e);
    struct config *config =
        configs_add(c, json_is_string(name) ? arena_strndup(c->arena, json_string_value(name),
                                                            json_string_length(name))
                                            : "");
    int rc = 0;
    for (const struct option *o = options; !rc && o->name; o++)
        if (o->saved)
            rc = read_field(c, &config->settings, o, find_value(object, o->name), e);
    return rc;
}

int configs_read(struct configs *c, const char *path, struct err *e)
{
    json_error_t why;
    size_t i;
    json_t *element;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_set(e, -errno, "could not read settings: open %s: %s", path,
                       gotext_errno(errno));
    json_t *root = json_loadfd(fd, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, &why);
    close(fd);
    if (!root)
        return err_set(e, -EINVAL, "could not parse settings: line %d: %s", why.line, why.text);
    json_t *list = json_is_object(root) ? find_value(root, "configs") : NULL;
    int rc = 0;
    if (!json_is_object(root) && !json_is_null(root))
        rc = wrong_type(root, "value", "driver.settings", e);
    else if (list && !json_is_array(list) && !json_is_null(list))
        rc = wrong_type(list, "struct field settings.configs", "[]driver.namedConfig", e);
    else
        json_array_foreach(list, i, element) if (!rc) rc = read_config(c, element, e);
    json_decref(root);
    return rc;
}

/* ---- writing ---- */

/* As Go writes strings: also what HTML would read, and line ends of JavaScript, is escaped. */
static void put_string(struct buf *out, const char *text)
{
    static const char characters[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
    size_t len = strlen(text), used;
    uint32_t rune;
    buf_putc(out, '"');
    for (; (used = gotext_rune(text, len, &rune)) > 0; text += used, len -= used) {
        const char *short_form = rune && rune < 128 ? strchr(characters, (int)rune) : NULL;
        if (short_form)
            buf_printf(out, "\\%c", letters[short_form - characters]);
        else if (rune < ' ' || (rune < 128 && strchr("<>&", (int)rune)) || rune == 0x2028 ||
                 rune == 0x2029)
            buf_printf(out, "\\u%04x", rune);
        else if (rune == 0xfffd && used == 1)
            buf_puts(out, "\\ufffd"); /* no UTF-8 */
        else
            buf_append(out, text, used);
    }
    buf_putc(out, '"');
}

/* Go's encoding/json: an exponent below 1e-6 and from 1e21 on only, without a leading zero. */
static void put_number(struct buf *out, double v)
{
    struct arena scratch;
    struct buf text;
    arena_init(&scratch);
    buf_init(&text, &scratch);
    gotext_float(&text, v);
    const char *s = buf_cstr(&text), *exponent = strstr(s, "e-0");
    if (exponent && (v >= 1e-6 || v <= -1e-6)) {
        int digits = (int)strcspn(strchr(s, '.') ? strchr(s, '.') + 1 : "e", "e");
        buf_printf(out, "%.*f", digits + atoi(exponent + 2), v);
    } else if (exponent) {
        buf_printf(out, "%.*se-%s", (int)(exponent - s), s, exponent + 3);
    } else {
        buf_puts(out, s);
    }
    arena_free(&scratch);
}

/* Nothing for what is false, 0 or empty. */
static void put_field(struct buf *out, struct settings *s, const struct option *o)
{
    void *field = settings_field(s, o);
    const char *text =
        o->type == OPTION_STRING || o->type == OPTION_CHOICE ? *(const char **)field : "";
    bool empty = o->type == OPTION_BOOL    ? !*(bool *)field
                 : o->type == OPTION_INT   ? !*(int64_t *)field
                 : o->type == OPTION_FLOAT ? *(double *)field == 0
                                           : !*text;
    if (empty)
        return;
    buf_printf(out, ",\n      \"%s\": ", o->name);
    if (o->type == OPTION_BOOL)
        buf_puts(out, "true");
    else if (o->type == OPTION_INT)
        buf_printf(out, "%" PRId64, *(int64_t *)field);
    else if (o->type == OPTION_FLOAT)
        put_number(out, *(double *)field);
    else
        put_string(out, text);
}

static void encode(const struct configs *c, struct buf *out)
{
    buf_puts(out, "{\n  \"configs\": [");
    for (size_t i = 0; i < c->count; i++) {
        buf_puts(out, i ? ",\n    {\n      \"name\": " : "\n    {\n      \"name\": ");
        put_string(out, c->items[i].name);
        for (const struct option *o = options; o->name; o++)
            if (o->saved)
                put_field(out, &c->items[i].settings, o);
        buf_puts(out, "\n    }");
    }
    buf_puts(out, c->count ? "\n  ]\n}" : "]\n}");
}

static int make_folders(const char *path, struct err *e)
{
    char folder[PATH_MAX];
    size_t len = strlen(path);
    if (len >= sizeof folder)
        return err_set(e, -ENAMETOOLONG, "failed to create settings directory: mkdir %s: %s", path,
                       gotext_errno(ENAMETOOLONG));
    for (size_t i = 1; i < len; i++) {
        if (path[i] != '/')
            continue;
        memcpy(folder, path, i);
        folder[i] = 0;
        if (mkdir(folder, 0700) && errno != EEXIST)
            return err_set(e, -errno, "failed to create settings directory: mkdir %s: %s", folder,
                           gotext_errno(errno));
    }
    return 0;
}

static int write_file(int fd, const struct buf *text)
{
    for (size_t at = 0; at < text->len;) {
        ssize_t n = write(fd, text->data + at, text->len - at);
        if (n < 0 && errno != EINTR)
            return -1;
        at += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd);
}

/* A link stays one: what it points to is replaced. A new file is the user's alone. */
int configs_write(const struct configs *c, const char *path, struct err *e)
{
    char target[PATH_MAX];
    struct stat before;
    struct buf text;
    int rc = make_folders(path, e);
    if (rc)
        return rc;
    if (!realpath(path, target))
        snprintf(target, sizeof target, "%s", path);
    bool exists = !stat(target, &before);
    char *name = arena_printf(c->arena, "%s.XXXXXX", target);
    buf_init(&text, c->arena);
    encode(c, &text);
    int fd = mkostemp(name, O_CLOEXEC);
    bool ok = fd >= 0 && (!exists || !fchmod(fd, before.st_mode & 0777)) && !write_file(fd, &text);
    if (fd >= 0 && close(fd))
        ok = false;
    if (ok && !rename(name, target))
        return 0;
    rc = err_set(e, -errno, "failed to write settings: open %s: %s", path, gotext_errno(errno));
    if (fd >= 0)
        unlink(name);
    return rc;
}
