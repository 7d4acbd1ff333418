/* SPDX-License-Identifier: MIT
 *
 * Writes JSON into a buffer, piece by piece: commas and quotes are its business, order and nesting
 * the caller's. A key of NULL is for elements of arrays. Bytes which are not UTF-8 become U+FFFD,
 * so that any profile's names make valid JSON. */
#ifndef WEB_JSON_H
#define WEB_JSON_H

#include "base/buf.h"
#include "profile/profile.h"

#include <stdbool.h>

struct json {
    struct buf *out;
    bool comma; /* a value was written at this level */
};

void json_init(struct json *j, struct buf *out);
/* Begins a value whose writer knows no key: the next call is with NULL. */
void json_key(struct json *j, const char *key);
void json_object(struct json *j, const char *key);
void json_object_end(struct json *j);
void json_array(struct json *j, const char *key);
void json_array_end(struct json *j);
void json_string(struct json *j, const char *key, const char *s, size_t len);
void json_cstr(struct json *j, const char *key, const char *s);
void json_str(struct json *j, const char *key, struct profile_str s);
/* Readers of JSON take numbers for doubles: beyond 2^53 they see the nearest one. */
void json_int(struct json *j, const char *key, int64_t v);
/* Not a number becomes null; whole numbers have no fraction. */
void json_double(struct json *j, const char *key, double v);
void json_null(struct json *j, const char *key);
/* A value that is JSON already, as far as its brackets tell: else null. */
void json_text(struct json *j, const char *key, const char *text);
void json_bool(struct json *j, const char *key, bool v);

#endif
