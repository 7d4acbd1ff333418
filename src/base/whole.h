/* SPDX-License-Identifier: MIT
 *
 * Files that are read whole. */
#ifndef BASE_WHOLE_H
#define BASE_WHOLE_H

#include "base/buf.h"

#include <stddef.h>

/* Appends what `fd` has from where it stands to its end, in one piece of memory where its size is
 * known. 0, or a negative errno: -EISDIR for a folder, -EFBIG for more than `limit` bytes. What was
 * read stays in `out` in any case, and is never more than the limit. */
int whole_read(struct buf *out, int fd, size_t limit);

/* The same for a file by its name; "-" is standard input. */
int whole_read_file(struct buf *out, const char *path, size_t limit);

#endif
