/* SPDX-License-Identifier: MIT
 *
 * Messages beside a report. They go to standard error, as standard output is the report's. */
#include "pprof/pprof_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void ui_print(const char *line)
{
    size_t len = strlen(line);
    fprintf(stderr, "%s%s", line, len && line[len - 1] == '\n' ? "" : "\n");
}

void ui_error(const char *line)
{
    const char *no_color = getenv("NO_COLOR");
    bool color = isatty(STDERR_FILENO) && !(no_color && *no_color);
    size_t len = strlen(line);
    const char *newline = len && line[len - 1] == '\n' ? "" : "\n";
    fprintf(stderr, "%s%s%s%s", color ? "\033[0;31m" : "", line, newline, color ? "\033[0m" : "");
}

void ui_errorf(const char *fmt, ...)
{
    struct arena scratch;
    struct buf text;
    char line[1024];
    va_list ap;
    arena_init(&scratch);
    buf_init(&text, &scratch);
    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof line) {
        char *at = buf_reserve(&text, (size_t)n + 1);
        va_start(ap, fmt);
        vsnprintf(at, (size_t)n + 1, fmt, ap);
        va_end(ap);
        ui_error(at);
    } else {
        ui_error(line);
    }
    arena_free(&scratch);
}
