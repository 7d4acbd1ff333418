/* SPDX-License-Identifier: MIT
 *
 * Source files, found and read as google/pprof does it (internal/report/source.go). Profiles hold
 * the names that files had where the program was built; they are looked for here. */
#ifndef ANALYZE_SOURCE_H
#define ANALYZE_SOURCE_H

#include "base/map.h"
#include "profile/profile.h"

/* trimPath: what is left of a file's name without the prefixes in `trim_path`, or, when that is
 * empty, without what stands before the last part of a directory of `search_path`. Both are lists
 * with ":". The result points into `file`. */
struct profile_str source_trim_path(struct profile_str file, const char *trim_path,
                                    const char *search_path);

struct source_reader {
    struct arena *arena;
    const char *search_path, *trim_path;
    struct source_file *files;
    uint32_t file_count, file_cap;
    struct map by_name;
};

/* `search_path` "" is the current directory. Everything is kept in `arena`. 0, or a negative errno
 * when there is no current directory. */
int source_reader_init(struct source_reader *r, struct arena *arena, const char *search_path,
                       const char *trim_path, struct err *e);

/* Line `number`, without its end, of the file that a profile names so; false when there is none. */
bool source_line(struct source_reader *r, struct profile_str file, int64_t number,
                 struct profile_str *line);

/* Why the file could not be opened, in pprof's words; NULL when it was. */
const char *source_error(struct source_reader *r, struct profile_str file);

/* The same, and NULL too as long as no line of the file was asked for. */
const char *source_known_error(const struct source_reader *r, struct profile_str file);

#endif
