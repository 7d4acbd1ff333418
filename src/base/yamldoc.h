/* SPDX-License-Identifier: MIT
 *
 * YAML for what people write: configuration and definitions. A document is read into nodes that
 * know their line, and a table of fields brings a mapping into a struct, so that a key which nobody
 * knows, a missing one and a value of the wrong form are errors that name file and line.
 *
 *     static const struct yamldoc_field fields[] = {
 *         {"name", yamldoc_text, offsetof(struct thing, name), .required = true},
 *         {"every", yamldoc_duration_ms, offsetof(struct thing, every_ms)},
 *         {NULL},
 *     };
 *     err = yamldoc_read_file(&doc, path, arena, e) ?: yamldoc_fields(doc.root, fields, &thing, e);
 *
 * Aliases, tags and several documents in one file are refused: they have no use here, and aliases
 * let a small file become a huge one. JSON is YAML and is read as well. */
#ifndef BASE_YAMLDOC_H
#define BASE_YAMLDOC_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum yamldoc_kind {
    YAMLDOC_SCALAR,
    YAMLDOC_LIST,
    YAMLDOC_MAP,
};

struct yamldoc_node {
    enum yamldoc_kind kind;
    bool plain;       /* of a scalar: written without quotes, so that it may be null */
    uint32_t line;    /* from 1 */
    const char *text; /* of a scalar: NUL-terminated, without a NUL inside */
    const char *key;  /* in a map: the name of this value; else NULL */
    struct yamldoc_node *first, *last; /* of a list or map, in the order of the file */
    struct yamldoc_node *next;         /* sibling */
    uint32_t count;                    /* children */
    const struct yamldoc *doc;
};

struct yamldoc {
    const char *name; /* of the file, for errors */
    struct arena *arena;
    struct yamldoc_node *root; /* an empty file is an empty map */
};

/* `name` is for errors, and is copied. `doc` must not move while its nodes are used. */
void yamldoc_init(struct yamldoc *doc, const char *name, struct arena *a);
/* Reads a document into the arena. -EINVAL with "NAME:LINE: what is wrong" for what is no YAML, a
 * key that stands twice, and what is refused; -EFBIG for a limit of base/limits.h. */
int yamldoc_read(struct yamldoc *doc, const char *text, size_t size, struct err *e);
/* Both; errors of the system too, when the file cannot be read. */
int yamldoc_read_file(struct yamldoc *doc, const char *path, struct arena *a, struct err *e);

/* Always returns -EINVAL: "NAME:LINE: " and the sentence. */
int yamldoc_error(const struct yamldoc_node *n, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The value of a key, or NULL; NULL also if `map` is NULL or no map. */
const struct yamldoc_node *yamldoc_get(const struct yamldoc_node *map, const char *key);
/* Its text, or NULL where there is none or it is no scalar. */
const char *yamldoc_get_text(const struct yamldoc_node *map, const char *key);

/* Brings a value to where `at` points. 0, or an error with its place. */
typedef int yamldoc_reader(const struct yamldoc_node *n, void *at, struct err *e);

struct yamldoc_field {
    const char *key;
    yamldoc_reader *read;
    size_t offset; /* in the object; what has no key in the file is left as it is */
    bool required;
};

/* Reads a map into `object`. The last field's key is NULL. */
int yamldoc_fields(const struct yamldoc_node *map, const struct yamldoc_field *fields, void *object,
                   struct err *e);

/* Readers: */
int yamldoc_text(const struct yamldoc_node *n, void *at, struct err *e);  /* const char * */
int yamldoc_texts(const struct yamldoc_node *n, void *at, struct err *e); /* struct yamldoc_list */
int yamldoc_bool(const struct yamldoc_node *n, void *at, struct err *e);  /* bool */
int yamldoc_int(const struct yamldoc_node *n, void *at, struct err *e);   /* int64_t, >= 0 */
int yamldoc_node(const struct yamldoc_node *n, void *at, struct err *e);  /* const node *: itself */
/* int64_t from "1.5s", "200ms", "10m", "6h", "30d", "2w", "1y"; the unit must stand. */
int yamldoc_duration_ms(const struct yamldoc_node *n, void *at, struct err *e);

struct yamldoc_list {
    const char **texts; /* NULL at the end */
    uint32_t count;
};

#endif
