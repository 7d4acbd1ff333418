/* SPDX-License-Identifier: MIT
 *
 * The state directory: $STATE_DIRECTORY, else $XDG_STATE_HOME/strobe, else ~/.local/state/strobe.
 * In it are strobe.db and the token, which both the server and those who send to it read. */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include "base/err.h"

#include <stddef.h>

enum { STATE_TOKEN_SIZE = 65 }; /* 64 hex digits and NUL */

/* The directory's path; it need not exist. 0, -ENOENT without a home, -ENAMETOOLONG. */
int state_path(char *path, size_t size, struct err *e);
/* The path of `name` in it. */
int state_file(char *path, size_t size, const char *name, struct err *e);
/* Makes the directory, and those above it, where they are missing (mode 0700). */
int state_make(struct err *e);

/* Reads the token: -ENOENT if there is none, -EACCES if it is not the user's alone. */
int state_token_read(char token[STATE_TOKEN_SIZE], struct err *e);
/* Reads it, or makes one (mode 0600) where there is none. */
int state_token_make(char token[STATE_TOKEN_SIZE], struct err *e);

#endif
