/* SPDX-License-Identifier: MIT
 *
 * While nothing looks at a function that we stand before, the program's calls of it go past us: the
 * places that its modules jump through lead to the function behind us, and such a call costs what
 * it costs without us. When somebody begins to look, they lead to us again. */
#ifndef RUNTIME_BYPASS_H
#define RUNTIME_BYPASS_H

#include <stddef.h>

struct bypass {
    const char *name;
    void *ours, *behind;
};

/* Notes which modules were loaded with the program, if that is not done yet. As early as possible,
 * before any dlopen; inside of one is early enough, since it allocates before it adds a module. */
void bypass_note_start(void);
/* From now on calls go past us, as far as they can: those of modules that were loaded with the
 * program. Each row's name, looked up in the global scope, must be ours. Not for handlers. */
void bypass_open(const struct bypass *rows, size_t count);
/* How many places there are in modules of the start that call them, without the functions' own. */
size_t bypass_callers(const struct bypass *rows, size_t count);
/* All calls come through us, but those of threads that are just about to jump. Not for handlers. */
void bypass_close(const struct bypass *rows, size_t count);

#endif
