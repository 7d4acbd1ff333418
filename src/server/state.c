/* SPDX-License-Identifier: MIT
 *
 * Finds and makes the state directory and its token. A token that others of this machine could read
 * or have written is refused, not repaired: who could read it may have it. */
#include "server/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *variable(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

int state_path(char *path, size_t size, struct err *e)
{
    const char *base = variable("STATE_DIRECTORY"), *end = "";
    int n;
    if (base) {
        /* systemd lists several with ":"; the first is ours. */
        n = snprintf(path, size, "%.*s", (int)strcspn(base, ":"), base);
    } else {
        base = variable("XDG_STATE_HOME");
        end = "/strobe";
        if (!base) {
            base = variable("HOME");
            end = "/.local/state/strobe";
        }
        if (!base)
            return err_set(e, -ENOENT,
                           "there is no state directory: set HOME, XDG_STATE_HOME or "
                           "STATE_DIRECTORY");
        n = snprintf(path, size, "%s%s", base, end);
    }
    if (n < 0 || (size_t)n >= size)
        return err_set(e, -ENAMETOOLONG, "the state directory's name is too long");
    return 0;
}

int state_file(char *path, size_t size, const char *name, struct err *e)
{
    int r = state_path(path, size, e);
    if (r)
        return r;
    size_t len = strlen(path);
    int n = snprintf(path + len, size - len, "/%s", name);
    if (n < 0 || (size_t)n >= size - len)
        return err_set(e, -ENAMETOOLONG, "the state directory's name is too long");
    return 0;
}

int state_make(struct err *e)
{
    char path[PATH_MAX];
    int r = state_path(path, sizeof path, e);
    if (r)
        return r;
    for (char *at = path + 1;; at++) {
        if (*at && *at != '/')
            continue;
        char was = *at;
        *at = 0;
        if (mkdir(path, 0700) && errno != EEXIST)
            return err_set(e, -errno, "cannot make the state directory %s: %s", path,
                           strerror(errno));
        *at = was;
        if (!was)
            return 0;
    }
}

int state_token_read(char token[STATE_TOKEN_SIZE], struct err *e)
{
    char path[PATH_MAX];
    int r = state_file(path, sizeof path, "token", e);
    if (r)
        return r;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return err_set(e, -errno, "cannot read the token %s: %s", path, strerror(errno));
    struct stat st;
    ssize_t n = fstat(fd, &st) ? -1 : read(fd, token, STATE_TOKEN_SIZE - 1);
    close(fd);
    if (n < 0 || !S_ISREG(st.st_mode))
        return err_set(e, -EIO, "cannot read the token %s: it is no file", path);
    if (st.st_uid != geteuid() || (st.st_mode & 077))
        return err_set(e, -EACCES,
                       "the token %s may be known to others: it has to be yours, with mode 0600; "
                       "delete it, and strobe serve makes a new one",
                       path);
    token[n] = 0;
    if (strspn(token, "0123456789abcdef") != STATE_TOKEN_SIZE - 1)
        return err_set(e, -EINVAL,
                       "the token %s is not one of strobe's: delete it, and strobe serve makes a "
                       "new one",
                       path);
    return 0;
}

static int write_token(const char *path, const char *token, struct err *e)
{
    char draft[PATH_MAX + 16];
    snprintf(draft, sizeof draft, "%s.XXXXXX", path);
    int fd = mkostemp(draft, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return err_set(e, -errno, "cannot write the token %s: %s", path, strerror(errno));
    ssize_t n = write(fd, token, STATE_TOKEN_SIZE - 1);
    int failed = n != STATE_TOKEN_SIZE - 1 || fsync(fd);
    close(fd);
    /* link, not rename: of two servers that start at once, the first one's stays. */
    if (!failed && link(draft, path) && errno != EEXIST)
        failed = 1;
    int code = errno;
    unlink(draft);
    return failed ? err_set(e, -EIO, "cannot write the token %s: %s", path, strerror(code)) : 0;
}

int state_token_make(char token[STATE_TOKEN_SIZE], struct err *e)
{
    int r = state_token_read(token, e);
    if (r != -ENOENT)
        return r;
    char path[PATH_MAX];
    unsigned char bytes[(STATE_TOKEN_SIZE - 1) / 2];
    r = state_file(path, sizeof path, "token", e);
    if (r)
        return r;
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set(e, -EIO, "the system gives no random bytes: %s", strerror(errno));
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(token + 2 * i, 3, "%02x", bytes[i]);
    r = write_token(path, token, e);
    return r ? r : state_token_read(token, e);
}
