/* SPDX-License-Identifier: MIT
 *
 * JSON of profiles (RFC 8259): the values of a text in the order in which they stand there, 16
 * bytes each, that point into it. Traces have tens of millions of values, of which few are asked
 * for, so nothing is copied, converted or hashed before it is. More is taken than the RFC allows
 * where profilers write more: numbers of any size, lone surrogates, control characters in strings,
 * and a list at the top whose end was not written any more, as in a trace of a program that died.
 */
#ifndef PROFILE_IMPORT_JSONDOC_H
#define PROFILE_IMPORT_JSONDOC_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jsondoc_kind {
    JSONDOC_NULL,
    JSONDOC_FALSE,
    JSONDOC_TRUE,
    JSONDOC_NUMBER,
    JSONDOC_STRING,
    JSONDOC_ARRAY,
    JSONDOC_OBJECT,
};

/* A list's values follow it, an object's as key, value, key, value …; each is `skip` values long,
 * itself included:  first child = v + 1,  what follows v = v + v->skip. */
struct jsondoc {
    const char *s; /* a string's bytes between its quotes, a number's digits */
    uint32_t skip;
    uint32_t kind : 3, n : 29; /* n: bytes at s */
};

/* The value in `text`, in `arena`; `text` has to outlive it. NULL with the reason and its place in
 * `e` (-EPROTO). */
const struct jsondoc *jsondoc_parse(struct arena *arena, const char *text, size_t size,
                                    struct err *e);

static inline bool jsondoc_is(const struct jsondoc *v, enum jsondoc_kind kind)
{
    return v && v->kind == kind;
}

/* The first value of a list, and the one after `at`; NULL at the end, and when it is no list. */
static inline const struct jsondoc *jsondoc_first(const struct jsondoc *list)
{
    return jsondoc_is(list, JSONDOC_ARRAY) && list->skip > 1 ? list + 1 : NULL;
}
static inline const struct jsondoc *jsondoc_next(const struct jsondoc *list,
                                                 const struct jsondoc *at)
{
    at += at->skip;
    return at < list + list->skip ? at : NULL;
}

/* The value of a key; NULL where there is none, and when it is no object. */
const struct jsondoc *jsondoc_get(const struct jsondoc *object, const char *key);
/* Whether a string, or a key, is `word` (without escapes). */
bool jsondoc_equals(const struct jsondoc *string, const char *word);
/* The number of values in a list; 0 when it is none. */
uint32_t jsondoc_count(const struct jsondoc *list);

/* A number times ten to the `scale`, rounded to nearest (halves away from zero), in decimal, so
 * that fractions of the input are exact; false when it is no number or does not fit. */
bool jsondoc_decimal(const struct jsondoc *v, int scale, int64_t *out);
/* The same without a scale; `missing` when it is no number or does not fit. */
int64_t jsondoc_integer(const struct jsondoc *v, int64_t missing);

/* The bytes of a string, or a number as it is written; {NULL, 0} for everything else. Escapes are
 * resolved in `arena`; what is no character comes out as U+FFFD. */
struct jsondoc_text {
    const char *s;
    size_t n;
};
struct jsondoc_text jsondoc_text(const struct jsondoc *v, struct arena *arena);

#endif
