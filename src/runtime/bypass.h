/* SPDX-License-Identifier: MIT
 *
 * While nothing looks at a function that we stand before, the program's calls of it go past us: the
 * places that its modules jump through lead to the function behind us, and such a call costs what
 * it costs without us. When somebody begins to look, they lead to us again. */
#ifndef RUNTIME_BYPASS_H
#define RUNTIME_BYPASS_H

#include <stdbool.h>
#include <stddef.h>

struct bypass {
    const char *name;
    void *ours, *behind;
};

/* Our own function as our_NAME, in the file that defines it, at its end: the address of NAME may be
 * that of a stub of the program's. The symbol is the assembler's alone. */
#define BYPASS_OURS(name)                                                                          \
    __asm__(".set .Lour_" #name ", " #name);                                                       \
    extern const char our_##name[] __asm__(".Lour_" #name) __attribute__((visibility("hidden")))

/* Whether the program's calls of f, a function that was looked up in the global scope, come to this
 * library. */
bool bypass_is_ours(void *f);
/* Notes which modules were loaded with the program, if that is not done yet. As early as possible,
 * before any dlopen; inside of one is early enough, since it allocates before it adds a module. */
void bypass_note_start(void);
/* From now on calls go past us, as far as they can: those of modules that were loaded with the
 * program. Each row's name, looked up in the global scope, must be ours. Not for handlers. */
void bypass_open(const struct bypass *rows, size_t count);
/* The same, if each row has a function behind it and each name is ours; whether it is so. */
bool bypass_open_ours(const struct bypass *rows, size_t count);
/* How many places there are in modules of the start that call them, without the functions' own. */
size_t bypass_callers(const struct bypass *rows, size_t count);
/* All calls come through us, but those of threads that are just about to jump. Not for handlers. */
void bypass_close(const struct bypass *rows, size_t count);

#endif
