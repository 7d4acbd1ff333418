/* SPDX-License-Identifier: MIT
 *
 * Another process's modules, read from outside, so that its stacks can be walked and named: its
 * files are mapped here as they are there. Nothing of that process runs for it. */
#ifndef RUNTIME_FOREIGN_H
#define RUNTIME_FOREIGN_H

#include "base/arena.h"
#include "runtime/runtime.h"

/* Copies of files, for all processes that are looked at in one go. */
struct foreign_files {
    struct foreign_file *list;
    uint32_t count;
};

struct foreign {
    uint32_t pid;
    const struct module *known;
    const struct label_slot *label_slots; /* the caller's to set: of its threads, or NULL */
    char *maps;                           /* /proc/PID/maps, in the arena */
    struct module *modules; /* executable segments, as struct runtime's; ends with empty ones */
    uint32_t module_count;
    struct unwind_module *objects; /* for the unwinder, by address */
    struct unwind_modules table;
    struct unwind_cache *cache;
};

/* Reads what process `pid` has mapped; `known`: its own list of modules, whose names are taken
 * where they are of the same places, or NULL. Memory is the arena's, but for the cache and the
 * files. 0, -EACCES (or what open says), or -ENOMEM. */
int foreign_open(struct foreign *f, uint32_t pid, const struct module *known,
                 struct foreign_files *files, struct arena *arena);
/* A number for what of it can be run, and where: processes with the same one have the same modules.
 * 0 or as above. */
int foreign_hash(uint32_t pid, struct arena *arena, uint64_t *hash);
void foreign_close(struct foreign *f);
void foreign_files_close(struct foreign_files *files);

#endif
