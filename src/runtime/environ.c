/* SPDX-License-Identifier: MIT
 *
 * The program must not see that it is profiled: its environment is the one it would have had. The
 * constructor takes STROBE* and our entry of LD_PRELOAD out of `environ` in place, and the exec
 * interposers put them back for the programs it starts. The restoring half runs between vfork and
 * exec: it only writes to memory that the caller gives. */
#include "runtime/runtime.h"
#include "runtime/tree.h"

#include "base/sigsafe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HIDDEN_MAX = 16 };

static char *hidden[HIDDEN_MAX]; /* "STROBE_HZ=100": the strings of the original environment */
static size_t hidden_count;
static bool hidden_preload; /* our library was in LD_PRELOAD */

/* Without a recorder, what tells the next image of this process how much of the CPU clock is in the
 * profile of this one: the pid and nanoseconds. */
#define EXEC_NOTE "STROBE_EXEC="
static char exec_note[sizeof EXEC_NOTE + 32];

static char *put_number(char *to, uint64_t n)
{
    char digits[24];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    memcpy(to, digits + at, sizeof digits - at);
    return to + sizeof digits - at;
}

void environ_note_exec(uint64_t cpu_ns)
{
    exec_note[0] = 0;
    if (!cpu_ns)
        return;
    char *at = put_number(stpcpy(exec_note, EXEC_NOTE), rt.pid);
    *at++ = ':';
    *put_number(at, cpu_ns) = 0;
}

uint64_t environ_exec_ns(void)
{
    const char *note = environ_get("STROBE_EXEC");
    char *end;
    if (!note || strtoull(note, &end, 10) != rt.pid || *end != ':')
        return 0;
    return strtoull(end + 1, NULL, 10);
}

/* Tells children that somebody above them serves at the address that they inherit. */
#define SERVED_NOTE "STROBE_SERVED="
static char served_note[sizeof SERVED_NOTE + 64];

void environ_note_served(const char *where)
{
    char *at = stpcpy(served_note, SERVED_NOTE);
    size_t n = strlen(where) < 64 ? strlen(where) : 0;
    memcpy(at, where, n);
    at[n] = 0;
}

static bool is_ours(const char *entry)
{
    return strncmp(entry, "STROBE=", 7) == 0 || strncmp(entry, "STROBE_", 7) == 0;
}

/* An entry names our library by its path, or by a bare file name that the loader searched. */
static bool is_our_library(const char *entry, size_t n)
{
    const char *base = strrchr(rt.lib, '/');
    if (strlen(rt.lib) == n && memcmp(entry, rt.lib, n) == 0)
        return true;
    return base && n >= sizeof "libstrobe.so" - 1 && !memchr(entry, '/', n) &&
           strncmp(base + 1, entry, n) == 0;
}

/* Removes the entry that is our library from the value "a:b" in place; true if it was there. */
static bool cut_preload(char *value)
{
    for (char *at = value; *at;) {
        size_t n = strcspn(at, ": ");
        if (n && is_our_library(at, n)) {
            char *rest = at + n + (at[n] != 0);
            if (!*rest && at != value)
                at--; /* the separator before it */
            memmove(at, rest, strlen(rest) + 1);
            return true;
        }
        at += n + (at[n] != 0);
    }
    return false;
}

static bool is_preloaded(void)
{
    for (char **e = environ; *e; e++)
        if (strncmp(*e, "LD_PRELOAD=", 11) == 0)
            return cut_preload(*e + 11);
    return false;
}

void environ_hide(void)
{
    if (!environ)
        return;
    hidden_preload = is_preloaded();
    char **to = environ;
    for (char **from = environ; *from; from++) {
        bool ours = is_ours(*from) && hidden_count < HIDDEN_MAX;
        if (ours)
            hidden[hidden_count++] = *from;
        /* A program that is linked with us inherits its settings in the usual way. */
        if (hidden_preload && (ours || strcmp(*from, "LD_PRELOAD=") == 0))
            continue;
        *to++ = *from;
    }
    *to = NULL;
}

const char *environ_get(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < hidden_count; i++)
        if (strncmp(hidden[i], name, n) == 0 && hidden[i][n] == '=')
            return hidden[i] + n + 1;
    return NULL;
}

/* Opens what an exec function would: `file` with a slash, or the first in PATH. */
static long open_program(const char *file)
{
    const char *path = "/bin:/usr/bin", *end;
    if (strchr(file, '/'))
        return sigsafe_syscall4(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
    for (char **e = environ; e && *e; e++)
        if (strncmp(*e, "PATH=", 5) == 0)
            path = *e + 5;
    for (const char *p = path;; p = end + 1) {
        char full[RUNTIME_PATH];
        end = strchrnul(p, ':');
        size_t n = (size_t)(end - p), file_bytes = strlen(file) + 1;
        if (n + 1 + file_bytes <= sizeof full) {
            memcpy(full, p, n);
            full[n] = '/';
            memcpy(full + n + (n > 0), file, file_bytes);
            long fd = sigsafe_syscall4(SYS_openat, AT_FDCWD, full, O_RDONLY | O_CLOEXEC, 0);
            if (fd >= 0)
                return fd;
        }
        if (!*end)
            return -ENOENT;
    }
}

enum image_kind environ_image_of(const char *file)
{
    long fd = open_program(file);
    if (fd < 0)
        return IMAGE_LOADS;
    enum image_kind image = image_of_fd((int)fd);
    sigsafe_syscall1(SYS_close, fd);
    return image;
}

void environ_measure(char *const envp[], size_t *pointers, size_t *bytes)
{
    *pointers = *bytes = 0;
    tree_note();
    if (!hidden_preload || access(rt.lib, R_OK) != 0)
        return;
    size_t n = 0;
    for (; envp && envp[n]; n++)
        if (strncmp(envp[n], "LD_PRELOAD=", 11) == 0)
            *bytes = strlen(envp[n]);
    *pointers = n + hidden_count + 4;
    *bytes += sizeof "LD_PRELOAD=:" + strlen(rt.lib) + sizeof exec_note;
}

void environ_restore(char *const envp[], char **out, char *text)
{
    const char *theirs = "";
    size_t n = 0;
    for (size_t i = 0; envp && envp[i]; i++) {
        if (strncmp(envp[i], "LD_PRELOAD=", 11) == 0)
            theirs = envp[i] + 11;
        else if (!is_ours(envp[i]))
            out[n++] = envp[i];
    }
    for (size_t i = 0; i < hidden_count; i++)
        if (strncmp(hidden[i], EXEC_NOTE, sizeof EXEC_NOTE - 1) != 0 &&
            (!served_note[0] || strncmp(hidden[i], SERVED_NOTE, sizeof SERVED_NOTE - 1) != 0))
            out[n++] = hidden[i];
    if (served_note[0])
        out[n++] = served_note;
    char *at = stpcpy(stpcpy(text, "LD_PRELOAD="), rt.lib);
    if (*theirs)
        at = stpcpy(stpcpy(at, ":"), theirs);
    out[n++] = text;
    if (exec_note[0]) {
        strcpy(at + 1, exec_note);
        out[n++] = at + 1;
    }
    out[n] = NULL;
}
