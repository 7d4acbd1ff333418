/* SPDX-License-Identifier: MIT
 *
 * Reads and writes the file of configs.h. */
#ifndef WEB_CONFIGS_FILE_H
#define WEB_CONFIGS_FILE_H

#include "base/arena.h"
#include "base/err.h"
#include "report/settings.h"

struct config {
    const char *name;
    struct settings settings; /* texts are the arena's */
};

struct configs {
    struct arena *arena;
    struct config *items;
    size_t count;
};

/* One more, with all fields false, 0 and "": what the file leaves out is that, and no default.
 * Valid until the next. */
struct config *configs_add(struct configs *c, const char *name);
/* Adds those of the file; one that is not there has none. */
int configs_read(struct configs *c, const char *path, struct err *e);
/* Writes all. Folders that are missing are made, for the user alone; so is a new file. */
int configs_write(const struct configs *c, const char *path, struct err *e);

#endif
