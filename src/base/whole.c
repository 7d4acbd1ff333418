/* SPDX-License-Identifier: MIT
 *
 * Reading to the end. The size that the system tells is a hint and no more: files grow, and those
 * of /proc have none. Never a mapping: a file that is cut while it is looked at would end the
 * program. */
#include "base/whole.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STEP = 1 << 16 };

int whole_read(struct buf *out, int fd, size_t limit)
{
    struct stat st;
    size_t room = STEP, start = out->len;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size <= limit)
        room = (size_t)st.st_size + 1; /* the byte more sees the end without another round */
    for (;; room = STEP) {
        char *at = buf_reserve(out, room);
        if (!at)
            return -ENOMEM;
        ssize_t n = read(fd, at, out->cap - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        out->len += (size_t)n;
        if (out->len - start > limit) {
            out->len = start + limit;
            return -EFBIG;
        }
    }
}

int whole_read_file(struct buf *out, const char *path, size_t limit)
{
    int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
    if (fd < 0)
        return -errno;
    int rc = whole_read(out, fd, limit);
    if (fd != STDIN_FILENO)
        close(fd);
    return rc;
}
