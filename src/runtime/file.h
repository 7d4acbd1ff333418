/* SPDX-License-Identifier: MIT
 *
 * The profile that a process writes itself; see file.c. */
#ifndef RUNTIME_FILE_H
#define RUNTIME_FILE_H

#include "runtime/runtime.h"

/* Creates (0600) the file that `pattern` names and keeps it open; negative errno. */
int file_open(const char *pattern);
/* The profile goes to a function instead. */
void file_open_writer(strobe_write_fn write, void *ctx);
/* In a forked child: clears the counts and opens the child's own file; false if it has none. */
bool file_begin_child(void);
/* Before execve: writes what there is so far; file_end writes it again if execve failed. */
void file_save(void);
/* Nothing will be written: closes the file. */
void file_abandon(void);
/* Writes the profile and closes the file; in a fatal signal's handler not to a function. 0, -EIO or
 * -ENOMEM. */
int file_end(bool in_signal);

#endif
