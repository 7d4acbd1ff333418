/* SPDX-License-Identifier: MIT
 *
 * The table of commands (google/pprof internal/driver/commands.go and, for the overrides,
 * driver.go). */
#include "report/command.h"

#include <string.h>

enum { WHOLE = COMMAND_NO_TRIM | COMMAND_ADDRESSES };

/* What `help` says of commands with the same arguments. */
#define REPORT_LINES                                                                               \
    "\nInclude up to n samples\n"                                                                  \
    "Include samples matching focus_regex, and exclude ignore_regex."
#define LISTING_LINES                                                                              \
    "\nInclude functions matching func_regex, or including the address specified.\n"               \
    "Include samples matching focus_regex, and exclude ignore_regex."
#define TO_FILE_LINE "\nOptionally save the report on the file f"
#define REPORT(name) name " [n] [focus_regex]* [-ignore_regex]*" REPORT_LINES
#define REPORT_TO_FILE(name)                                                                       \
    name " [n] [focus_regex]* [-ignore_regex]* >f" REPORT_LINES TO_FILE_LINE
#define SORTED_REPORT(name)                                                                        \
    name " [n] [focus_regex]* [-ignore_regex]* [-cum] >f" REPORT_LINES                             \
         "\n-cum sorts the output by cumulative weight" TO_FILE_LINE
#define LISTING(name) name "<func_regex|address> [-focus_regex]* [-ignore_regex]*" LISTING_LINES
#define LISTING_TO_FILE(name)                                                                      \
    name "<func_regex|address> [-focus_regex]* [-ignore_regex]* >f" LISTING_LINES TO_FILE_LINE

const struct command commands[] = {
    {.name = "callgrind",
     .report = "callgrind",
     .overrides = WHOLE,
     .suffix = "callgraph.out",
     .description = "Outputs a graph in callgrind format",
     .help = REPORT_TO_FILE("callgrind")},
    {.name = "comments", .report = "comments", .description = "Output all profile comments"},
    {.name = "diff",
     .report = "diff",
     .overrides = COMMAND_TEN_NODES,
     .hidden = true,
     .description = "Outputs what changed since a base"},
    {.name = "disasm",
     .report = "disasm",
     .overrides = WHOLE | COMMAND_NO_INLINES,
     .has_param = true,
     .description = "Output assembly listings annotated with samples",
     .help = LISTING_TO_FILE("disasm")},
    {.name = "dot",
     .report = "dot",
     .description = "Outputs a graph in DOT format",
     .help = REPORT_TO_FILE("dot")},
    {.name = "eog",
     .report = "dot",
     .dot = "svg",
     .suffix = "svg",
     .viewer = "eog",
     .description = "Visualize graph through eog",
     .help = REPORT("eog")},
    {.name = "evince",
     .report = "dot",
     .dot = "pdf",
     .suffix = "pdf",
     .viewer = "evince",
     .description = "Visualize graph through evince",
     .help = REPORT("evince")},
    {.name = "folded",
     .report = "folded",
     .hidden = true,
     .description = "Outputs one line a stack for flame graph tools"},
    {.name = "gif",
     .report = "dot",
     .dot = "gif",
     .suffix = "gif",
     .description = "Outputs a graph image in GIF format",
     .help = REPORT_TO_FILE("gif")},
    {.name = "gv",
     .report = "dot",
     .dot = "ps",
     .suffix = "ps",
     .viewer = "gv --noantialias",
     .description = "Visualize graph through gv",
     .help = REPORT("gv")},
    {.name = "kcachegrind",
     .report = "callgrind",
     .overrides = WHOLE,
     .suffix = "grind",
     .viewer = "kcachegrind",
     .description = "Visualize report in KCachegrind",
     .help = REPORT("kcachegrind")},
    {.name = "list",
     .report = "list",
     .overrides = COMMAND_NO_TRIM | COMMAND_LINES,
     .has_param = true,
     .description = "Output annotated source for functions matching regexp",
     .help = LISTING("list")},
    {.name = "pdf",
     .report = "dot",
     .dot = "pdf",
     .suffix = "pdf",
     .description = "Outputs a graph in PDF format",
     .help = REPORT_TO_FILE("pdf")},
    {.name = "peek",
     .report = "peek",
     .overrides = COMMAND_NO_TRIM,
     .has_param = true,
     .description = "Output callers/callees of functions matching regexp",
     .help = "peek func_regex\nDisplay callers and callees of functions matching func_regex."},
    {.name = "png",
     .report = "dot",
     .dot = "png",
     .suffix = "png",
     .description = "Outputs a graph image in PNG format",
     .help = REPORT_TO_FILE("png")},
    {.name = "proto",
     .report = "proto",
     .overrides = WHOLE,
     .suffix = "pb.gz",
     .description = "Outputs the profile in compressed protobuf format"},
    {.name = "ps",
     .report = "dot",
     .dot = "ps",
     .suffix = "ps",
     .description = "Outputs a graph in PS format",
     .help = REPORT_TO_FILE("ps")},
    {.name = "raw",
     .report = "raw",
     .overrides = WHOLE,
     .description = "Outputs a text representation of the raw profile"},
    {.name = "svg",
     .report = "dot",
     .dot = "massaged",
     .suffix = "svg",
     .description = "Outputs a graph in SVG format",
     .help = REPORT_TO_FILE("svg")},
    {.name = "tags",
     .report = "tags",
     .description = "Outputs all tags in the profile",
     .help = "tags [tag_regex]* [-ignore_regex]* [>file]\n"
             "List tags with key:value matching tag_regex and exclude ignore_regex."},
    {.name = "text",
     .report = "text",
     .overrides = COMMAND_ALL_NODES,
     .description = "Outputs top entries in text form",
     .help = SORTED_REPORT("text")},
    {.name = "top",
     .report = "text",
     .overrides = COMMAND_ALL_NODES,
     .description = "Outputs top entries in text form",
     .help = SORTED_REPORT("top")},
    {.name = "topproto",
     .report = "topproto",
     .overrides = COMMAND_ALL_NODES,
     .suffix = "pb.gz",
     .description = "Outputs top entries in compressed protobuf format"},
    {.name = "traces",
     .report = "traces",
     .description = "Outputs all profile samples in text form"},
    {.name = "tree",
     .report = "tree",
     .description = "Outputs a text rendering of call graph",
     .help = SORTED_REPORT("tree")},
    {.name = "web",
     .report = "dot",
     .dot = "massaged",
     .suffix = "svg",
     .viewer = "web",
     .description = "Visualize graph through web browser",
     .help = REPORT("web")},
    {.name = "weblist",
     .report = "weblist",
     .overrides = WHOLE | COMMAND_INLINES,
     .has_param = true,
     .suffix = "html",
     .viewer = "web",
     .description = "Display annotated source in a web browser",
     .help = LISTING("weblist")},
    {.name = NULL},
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
