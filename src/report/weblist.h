/* SPDX-License-Identifier: MIT
 *
 * Source and code of functions side by side: what weblist prints, as plain structs
 * (internal/report/source.go, MakeWebList). Texts live until weblist_free, values are raw. */
#ifndef REPORT_WEBLIST_H
#define REPORT_WEBLIST_H

#include "analyze/source.h"
#include "report/report.h"

/* A call that was inlined into a line. */
struct weblist_call {
    const char *file; /* as the binary has it */
    int64_t line;
};

/* An instruction, shown below a source line: that of the function of interest it was inlined into.
 */
struct weblist_inst {
    uint64_t address; /* in the file */
    const char *text; /* "" when there is no binary: then only the calls are shown */
    const char *file; /* of the innermost frame */
    int64_t line, flat, cum;
    bool starts_block;
    const struct weblist_call *calls; /* outermost first */
    uint32_t call_count;
};

struct weblist_line {
    struct profile_str source;
    int64_t number, flat, cum;
    const struct weblist_inst *insts;
    uint32_t inst_count;
};

struct weblist_function {
    const char *name, *file;
    int64_t flat, cum;
    struct weblist_line *lines;
    uint32_t line_count;
};

struct weblist {
    struct source_reader reader;
    struct weblist_function *functions; /* in the order of files and lines */
    uint32_t function_count;
    struct object **binaries; /* names and files are theirs */
    uint32_t binary_count;
};

/* At most `max_files` files, the heaviest first; with -1 all by name, with 0 it is only found out
 * whether there are any. -ENOENT when no function
 * matches the report's expression (which may be NULL: all). */
int weblist_make(struct weblist *w, struct report *r, int64_t max_files, struct err *e);
void weblist_free(struct weblist *w);

#endif
