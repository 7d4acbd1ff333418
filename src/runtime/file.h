/* SPDX-License-Identifier: MIT
 *
 * The profile that a process writes itself; see file.c. */
#ifndef RUNTIME_FILE_H
#define RUNTIME_FILE_H

#include "runtime/runtime.h"

enum file_kind {
    FILE_CPU,
    FILE_HEAP,
    FILE_ALLOCS,
    FILE_BLOCK,
    FILE_MUTEX,
    FILE_WALL,
    FILE_THREADS,
    FILE_THREADCREATE,
    FILE_KINDS
};

/* Creates (0600) the file that `pattern` names and keeps it open; negative errno. */
int file_open(enum file_kind kind, const char *pattern);
/* The CPU profile goes to a function instead. */
void file_open_writer(strobe_write_fn write, void *ctx);
/* The CPU profile has only what is sampled from now on, because somebody else had begun. 0 or
 * -ENOMEM. */
int file_rebase_cpu(void);
/* Another kind of profile, which samples CPU time as well, runs beside the one of CPU time. */
void file_note_company(void);
/* What a fatal signal's handler can save, too, and nobody else ends: FILE_THREADS and
 * FILE_THREADCREATE, where they are open. */
void file_end_counts(void);
/* In a forked child: opens the child's own file; false if it has none. */
bool file_begin_child(enum file_kind kind);
/* Before execve: writes what there is so far; file_end writes it again if execve failed. */
void file_save(enum file_kind kind);
/* Nothing will be written: closes the file. */
void file_abandon(enum file_kind kind);
/* The profile cannot be taken: there will be no file. */
void file_refuse(enum file_kind kind);
/* Writes the profile and closes the file, if there is one; in a fatal signal's handler not to a
 * function. 0, or a negative errno: then the file is gone, too, where it could not be whole. */
int file_end(enum file_kind kind, bool in_signal);
/* The same at the end of the program: an error is said on standard error. */
void file_finish(enum file_kind kind, bool in_signal);

#endif
