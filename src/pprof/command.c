/* SPDX-License-Identifier: MIT
 *
 * The table of commands (google/pprof internal/driver/commands.go and, for the overrides,
 * driver.go). */
#include "pprof/command.h"

#include <string.h>

enum { WHOLE = COMMAND_NO_TRIM | COMMAND_ADDRESSES };

const struct command commands[] = {
    {"callgrind", "callgrind", WHOLE, false, false, "Outputs a graph in callgrind format"},
    {"comments", "comments", 0, false, false, "Output all profile comments"},
    {"diff", "diff", COMMAND_TEN_NODES, false, true, "Outputs what changed since a base"},
    {"disasm", "disasm", WHOLE | COMMAND_NO_INLINES, true, false,
     "Output assembly listings annotated with samples"},
    {"dot", "dot", 0, false, false, "Outputs a graph in DOT format"},
    {"eog", "eog", 0, false, false, "Visualize graph through eog"},
    {"evince", "evince", 0, false, false, "Visualize graph through evince"},
    {"folded", "folded", 0, false, true, "Outputs one line a stack for flame graph tools"},
    {"gif", "gif", 0, false, false, "Outputs a graph image in GIF format"},
    {"gv", "gv", 0, false, false, "Visualize graph through gv"},
    {"kcachegrind", "kcachegrind", WHOLE, false, false, "Visualize report in KCachegrind"},
    {"list", "list", COMMAND_NO_TRIM | COMMAND_LINES, true, false,
     "Output annotated source for functions matching regexp"},
    {"pdf", "pdf", 0, false, false, "Outputs a graph in PDF format"},
    {"peek", "peek", COMMAND_NO_TRIM, true, false,
     "Output callers/callees of functions matching regexp"},
    {"png", "png", 0, false, false, "Outputs a graph image in PNG format"},
    {"proto", "proto", WHOLE, false, false, "Outputs the profile in compressed protobuf format"},
    {"ps", "ps", 0, false, false, "Outputs a graph in PS format"},
    {"raw", "raw", WHOLE, false, false, "Outputs a text representation of the raw profile"},
    {"svg", "svg", 0, false, false, "Outputs a graph in SVG format"},
    {"tags", "tags", 0, false, false, "Outputs all tags in the profile"},
    {"text", "text", COMMAND_ALL_NODES, false, false, "Outputs top entries in text form"},
    {"top", "text", COMMAND_ALL_NODES, false, false, "Outputs top entries in text form"},
    {"topproto", "topproto", COMMAND_ALL_NODES, false, false,
     "Outputs top entries in compressed protobuf format"},
    {"traces", "traces", 0, false, false, "Outputs all profile samples in text form"},
    {"tree", "tree", 0, false, false, "Outputs a text rendering of call graph"},
    {"web", "web", 0, false, false, "Visualize graph through web browser"},
    {"weblist", "weblist", WHOLE | COMMAND_INLINES, true, false,
     "Display annotated source in a web browser"},
    {NULL, NULL, 0, false, false, NULL},
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

void command_override(const struct command *c, struct settings *s)
{
    if (c->overrides & COMMAND_ADDRESSES)
        s->granularity = "addresses";
    if (c->overrides & COMMAND_LINES)
        s->granularity = "lines";
    if (c->overrides & COMMAND_NO_INLINES)
        s->noinlines = true;
    if (c->overrides & COMMAND_INLINES)
        s->noinlines = false;
    if (s->nodecount == -1)
        s->nodecount = c->overrides & COMMAND_ALL_NODES   ? 0
                       : c->overrides & COMMAND_TEN_NODES ? 10
                                                          : 80;
    if (!s->trim || (c->overrides & COMMAND_NO_TRIM)) {
        s->nodecount = 0;
        s->nodefraction = 0;
        s->edgefraction = 0;
    }
}
