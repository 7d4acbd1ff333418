/* SPDX-License-Identifier: MIT
 *
 * Values as Go's standard library prints and reads them: pprof's output and messages are Go's, and
 * ours are the same bytes. Each function names the Go function whose rules it follows. Nothing here
 * is signal-safe; nothing keeps a pointer. */
#ifndef BASE_GOTEXT_H
#define BASE_GOTEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* strconv.Quote (fmt's %q). */
void gotext_quote(struct buf *out, const char *s, size_t len);

/* A float64 as %v prints it: the shortest digits that read back the same; 1e+21, 1e-05. */
void gotext_float(struct buf *out, double v);

/* time.Duration.String: "2.602s", "1m0s", "1.5µs". */
void gotext_duration(struct buf *out, int64_t nanos);

/* time.Unix(0, nanos) in the local zone: with layout "2006-01-02 15:04:05 MST", or, if `full`, as
 * %v prints it: fraction of the second without trailing zeros and the zone's offset. */
void gotext_time(struct buf *out, int64_t nanos, bool full);

/* filepath.Base: the span inside s (or inside a constant for "" and "/"). */
const char *gotext_base(const char *s, size_t len, size_t *base_len);

/* filepath.Clean. `len` 0 gives "". (pprof never cleans an empty path, Go would say ".".) */
void gotext_clean(struct buf *out, const char *s, size_t len);

/* syscall.Errno.Error: "no such file or directory". The text is static or thread-local. */
const char *gotext_errno(int err);

/* The first invalid byte of UTF-8 text, or `len`. Surrogates and overlong forms are invalid. */
size_t gotext_utf8_valid(const char *s, size_t len);

/* utf8.DecodeRune: bytes used (1 for an invalid byte, whose rune is 0xfffd), 0 at the end. */
size_t gotext_rune(const char *s, size_t len, uint32_t *rune);

enum gotext_parse { GOTEXT_OK, GOTEXT_SYNTAX, GOTEXT_RANGE };

/* strconv.ParseInt(s, base, 64); base 0 accepts 0x, 0o, 0b, 0 prefixes and _ between digits, base
 * 10 does not. */
enum gotext_parse gotext_parse_int(const char *s, int base, int64_t *out);
/* strconv.ParseFloat(s, 64). */
enum gotext_parse gotext_parse_float(const char *s, double *out);
/* strconv.ParseBool: 1, t, T, true, TRUE, True and their opposites. */
enum gotext_parse gotext_parse_bool(const char *s, bool *out);

#endif
