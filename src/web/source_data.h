/* SPDX-License-Identifier: MIT
 *
 * The source of functions with what each line costs, for the page: /api/source. Beside the
 * parameters of ask.h:
 *
 *   fn     the function, by its name in full; or
 *   re     a regular expression for functions
 *   asm=1  with the instructions below their lines
 *   source_path, trim_path   as the flags, in place of the command line's
 *
 * Without `asm` functions, lines and values are those of `strobe list`, with it those of pprof's
 * weblist: there a line has what was inlined into it as its own. The answer is JSON:
 *
 *   "total", "unit", "source_path", "trim_path"
 *   "left_out"   functions that match and are too many to be shown
 *   "functions"  [{"name", "file", "flat", "cum", "error": why the file cannot be read, or null,
 *                  "lines": [{"n": number, "s": source or null, "f": flat, "c": cum,
 *                             "i": instructions, if there are}]}]
 *   instruction  {"a": address as text, "t": text, "f", "c", "at": "file:line" of the innermost
 *                frame, "b": 1 where a block begins, "calls": [{"file", "line", "s": source}]} */
#ifndef WEB_SOURCE_DATA_H
#define WEB_SOURCE_DATA_H

#include "web/ask.h"
#include "web/json.h"

/* Answers `x` with the source of what it asks for, or with a sentence and status 400; 404 if no
 * function matches. */
void source_data_serve(struct http_exchange *x, const struct ask *from);

/* The text alone, for a page that counts by itself: "source": {"source_path", "trim_path", "files":
 * {NAME: {"error", "runs": [[number of the first line, [lines]]]}}}, of the functions that cost
 * most, by themselves or with what they call, in any sample type. `x` was asked by nobody. */
int source_data_save(struct http_exchange *x, const struct ask *from, struct json *j,
                     struct err *e);

#endif
