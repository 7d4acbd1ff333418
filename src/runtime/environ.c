/* SPDX-License-Identifier: MIT
 *
 * The program must not see that it is profiled: its environment is the one it would have had. The
 * constructor takes STROBE* and our entry of LD_PRELOAD out of `environ` in place, and the exec
 * interposers put them back for the programs it starts. The restoring half runs between vfork and
 * exec: it only writes to memory that the caller gives. */
#include "runtime/runtime.h"

#include <string.h>
#include <unistd.h>

enum { HIDDEN_MAX = 16 };

static char *hidden[HIDDEN_MAX]; /* "STROBE_HZ=100": the strings of the original environment */
static size_t hidden_count;
static bool hidden_preload; /* our library was in LD_PRELOAD */

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

void environ_measure(char *const envp[], size_t *pointers, size_t *bytes)
{
    *pointers = *bytes = 0;
    if (!hidden_preload || access(rt.lib, R_OK) != 0)
        return;
    size_t n = 0;
    for (; envp && envp[n]; n++)
        if (strncmp(envp[n], "LD_PRELOAD=", 11) == 0)
            *bytes = strlen(envp[n]);
    *pointers = n + hidden_count + 2;
    *bytes += sizeof "LD_PRELOAD=:" + strlen(rt.lib);
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
        out[n++] = hidden[i];
    char *at = stpcpy(stpcpy(text, "LD_PRELOAD="), rt.lib);
    if (*theirs)
        stpcpy(stpcpy(at, ":"), theirs);
    out[n++] = text;
    out[n] = NULL;
}
