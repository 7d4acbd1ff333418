/* SPDX-License-Identifier: MIT
 *
 * What debug information is packed with: whole buffers, bounded; see unpack.c. Any thread. */
#ifndef SYMBOL_UNPACK_H
#define SYMBOL_UNPACK_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* Exactly `out_size` bytes must come out. False: the data is damaged, or of another size. */
bool unpack_zlib(const void *in, size_t in_size, void *out, size_t out_size);
bool unpack_zstd(const void *in, size_t in_size, void *out, size_t out_size);

/* An .xz file of any size below LIMIT_ELF_DEBUGDATA; the result is in `a`. NULL: it is damaged or
 * too large. */
char *unpack_xz(const void *in, size_t in_size, struct arena *a, size_t *out_size);

#endif
