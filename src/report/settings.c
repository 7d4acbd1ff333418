/* SPDX-License-Identifier: MIT
 *
 * The table of options (google/pprof internal/driver/config.go and commands.go). */
#include "report/settings.h"

#include "base/gotext.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#define FIELD(f) offsetof(struct settings, f)

static const struct option_choice sorts[] = {
    {"cum", "Sort entries based on cumulative weight\n"},
    {"flat", "Sort entries based on own weight\n"},
    {NULL, NULL},
};

static const struct option_choice granularities[] = {
    {"functions", "Aggregate at the function level.\n"
                  "Ignores the filename where the function was defined.\n"},
    {"filefunctions", "Aggregate at the function level.\n"
                      "Takes into account the filename where the function was defined.\n"},
    {"files", "Aggregate at the file level."},
    {"lines", "Aggregate at the source code line level."},
    {"addresses", "Aggregate at the address level.\n"
                  "Includes functions' addresses in the output.\n"},
    {NULL, NULL},
};

const struct option options[] = {
    {"output", OPTION_STRING, FIELD(output), NULL, false, NULL,
     "Output filename for file-based outputs\n"},
    {"call_tree", OPTION_BOOL, FIELD(call_tree), "calltree", true, NULL,
     "Create a context-sensitive call tree\n"
     "Treat locations reached through different paths as separate.\n"},
    {"relative_percentages", OPTION_BOOL, FIELD(relative_percentages), "rel", true, NULL,
     "Show percentages relative to focused subgraph\n"
     "If unset, percentages are relative to full graph before focusing\n"
     "to facilitate comparison with original graph.\n"},
    {"unit", OPTION_STRING, FIELD(unit), "unit", true, NULL,
     "Measurement units to display\n"
     "Scale the sample values to this unit.\n"
     "For time-based profiles, use seconds, milliseconds, nanoseconds, etc.\n"
     "For memory profiles, use megabytes, kilobytes, bytes, etc.\n"
     "Using auto will scale each value independently to the most natural unit.\n"},
    {"compact_labels", OPTION_BOOL, FIELD(compact_labels), "compact", true, NULL,
     "Show minimal headers"},
    {"source_path", OPTION_STRING, FIELD(source_path), NULL, false, NULL,
     "Search path for source files"},
    {"trim_path", OPTION_STRING, FIELD(trim_path), NULL, false, NULL,
     "Path to trim from source paths before search"},
    {"intel_syntax", OPTION_BOOL, FIELD(intel_syntax), "intel", true, NULL,
     "Show assembly in Intel syntax\n"
     "Only applicable to commands `disasm` and `weblist`\n"},
    {"mean", OPTION_BOOL, FIELD(mean), "mean", true, NULL,
     "Average sample value over first value (count)\n"
     "For memory profiles, report average memory per allocation.\n"
     "For time-based profiles, report average time per event.\n"},
    {"sample_index", OPTION_STRING, FIELD(sample_index), "si", false, NULL,
     "Sample value to report (0-based index or name)\n"
     "Profiles contain multiple values per sample.\n"
     "Use sample_index=i to select the ith value (starting at 0).\n"},
    {"divide_by", OPTION_FLOAT, FIELD(divide_by), NULL, false, NULL,
     "Ratio to divide all samples before visualization\n"
     "Divide all samples values by a constant, eg the number of processors or jobs.\n"},
    {"normalize", OPTION_BOOL, FIELD(normalize), "norm", true, NULL,
     "Scales profile based on the base profile.\n"},
    {"sort", OPTION_CHOICE, FIELD(sort), "sort", true, sorts, ""},
    {"tagroot", OPTION_STRING, FIELD(tagroot), "tagroot", true, NULL,
     "Adds pseudo stack frames for labels key/value pairs at the callstack root.\n"
     "A comma-separated list of label keys.\n"
     "The first key creates frames at the new root.\n"},
    {"tagleaf", OPTION_STRING, FIELD(tagleaf), "tagleaf", true, NULL,
     "Adds pseudo stack frames for labels key/value pairs at the callstack leaf.\n"
     "A comma-separated list of label keys.\n"
     "The last key creates frames at the new leaf.\n"},
    {"drop_negative", OPTION_BOOL, FIELD(drop_negative), "dropneg", true, NULL,
     "Ignore negative differences\n"
     "Do not show any locations with values <0.\n"},
    {"nodecount", OPTION_INT, FIELD(nodecount), "n", true, NULL,
     "Max number of nodes to show\n"
     "Uses heuristics to limit the number of locations to be displayed.\n"
     "On graphs, dotted edges represent paths through nodes that have been removed.\n"},
    {"nodefraction", OPTION_FLOAT, FIELD(nodefraction), "nf", true, NULL,
     "Hide nodes below <f>*total"},
    {"edgefraction", OPTION_FLOAT, FIELD(edgefraction), "ef", true, NULL,
     "Hide edges below <f>*total"},
    {"trim", OPTION_BOOL, FIELD(trim), "trim", true, NULL,
     "Honor nodefraction/edgefraction/nodecount defaults\n"
     "Set to false to get the full profile, without any trimming.\n"},
    {"focus", OPTION_STRING, FIELD(focus), "f", true, NULL,
     "Restricts to samples going through a node matching regexp\n"
     "Discard samples that do not include a node matching this regexp.\n"
     "Matching includes the function name, filename or object name.\n"},
    {"ignore", OPTION_STRING, FIELD(ignore), "i", true, NULL,
     "Skips paths going through any nodes matching regexp\n"
     "If set, discard samples that include a node matching this regexp.\n"
     "Matching includes the function name, filename or object name.\n"},
    {"prune_from", OPTION_STRING, FIELD(prune_from), "prunefrom", true, NULL,
     "Drops any functions below the matched frame.\n"
     "If set, any frames matching the specified regexp and any frames\n"
     "below it will be dropped from each sample.\n"},
    {"hide", OPTION_STRING, FIELD(hide), "h", true, NULL,
     "Skips nodes matching regexp\n"
     "Discard nodes that match this location.\n"
     "Other nodes from samples that include this location will be shown.\n"
     "Matching includes the function name, filename or object name.\n"},
    {"show", OPTION_STRING, FIELD(show), "s", true, NULL,
     "Only show nodes matching regexp\n"
     "If set, only show nodes that match this location.\n"
     "Matching includes the function name, filename or object name.\n"},
    {"show_from", OPTION_STRING, FIELD(show_from), "sf", true, NULL,
     "Drops functions above the highest matched frame.\n"
     "If set, all frames above the highest match are dropped from every sample.\n"
     "Matching includes the function name, filename or object name.\n"},
    {"tagfocus", OPTION_STRING, FIELD(tagfocus), "tf", true, NULL,
     "Restricts to samples with tags in range or matched by regexp\n"
     "Use name=value syntax to limit the matching to a specific tag.\n"
     "Numeric tag filter examples: 1kb, 1kb:10kb, memory=32mb:\n"
     "String tag filter examples: foo, foo.*bar, mytag=foo.*bar\n"},
    {"tagignore", OPTION_STRING, FIELD(tagignore), "ti", true, NULL,
     "Discard samples with tags in range or matched by regexp\n"
     "Use name=value syntax to limit the matching to a specific tag.\n"
     "Numeric tag filter examples: 1kb, 1kb:10kb, memory=32mb:\n"
     "String tag filter examples: foo, foo.*bar, mytag=foo.*bar\n"},
    {"tagshow", OPTION_STRING, FIELD(tagshow), "ts", true, NULL,
     "Only consider tags matching this regexp\n"
     "Discard tags that do not match this regexp\n"},
    {"taghide", OPTION_STRING, FIELD(taghide), "th", true, NULL,
     "Skip tags matching this regexp\n"
     "Discard tags that match this regexp\n"},
    {"noinlines", OPTION_BOOL, FIELD(noinlines), "noinlines", true, NULL,
     "Ignore inlines.\n"
     "Attributes inlined functions to their first out-of-line caller.\n"},
    {"showcolumns", OPTION_BOOL, FIELD(showcolumns), "showcolumns", true, NULL,
     "Show column numbers at the source code line level.\n"},
    {"granularity", OPTION_CHOICE, FIELD(granularity), "g", true, granularities, ""},
    {NULL, OPTION_BOOL, 0, NULL, false, NULL, NULL},
};

void settings_default(struct settings *s)
{
    *s = (struct settings){
        .output = "",
        .unit = "minimum",
        .source_path = "",
        .trim_path = "",
        .sample_index = "",
        .divide_by = 1,
        .sort = "flat",
        .tagroot = "",
        .tagleaf = "",
        .nodecount = -1,
        .nodefraction = 0.005,
        .edgefraction = 0.001,
        .trim = true,
        .focus = "",
        .ignore = "",
        .prune_from = "",
        .hide = "",
        .show = "",
        .show_from = "",
        .tagfocus = "",
        .tagignore = "",
        .tagshow = "",
        .taghide = "",
        .granularity = "",
    };
}

const struct option *settings_find(const char *name, const char **choice)
{
    *choice = NULL;
    for (const struct option *o = options; o->name; o++) {
        if (!strcmp(o->name, name))
            return o;
        for (const struct option_choice *c = o->choices; c && c->name; c++) {
            if (!strcmp(c->name, name)) {
                *choice = c->name;
                return o;
            }
        }
    }
    return NULL;
}

/* strconv's errors. */
static int number_error(const char *function, const char *value, enum gotext_parse rc,
                        struct err *e)
{
    struct arena scratch;
    struct buf quoted;
    arena_init(&scratch);
    buf_init(&quoted, &scratch);
    gotext_quote(&quoted, value, strlen(value));
    err_set(e, -EINVAL, "strconv.%s: parsing %s: %s", function, buf_cstr(&quoted),
            rc == GOTEXT_RANGE ? "value out of range" : "invalid syntax");
    arena_free(&scratch);
    return -EINVAL;
}

/* More words than a flag takes, as pprof always had it in its shell. */
static int set_bool(bool *target, const char *value, struct err *e)
{
    static const char *const words[2][6] = {{"false", "f", "no", "n", "0", NULL},
                                            {"true", "t", "yes", "y", "1", ""}};
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 6; k++) {
            if (words[i][k] && !strcasecmp(words[i][k], value)) {
                *target = i;
                return 0;
            }
        }
    }
    return err_set(e, -EINVAL, "illegal value \"%s\" for bool variable", value);
}

static int set_choice(const char **target, const struct option *o, const char *value, struct err *e)
{
    for (const struct option_choice *c = o->choices; c->name; c++) {
        if (!strcmp(c->name, value)) {
            *target = c->name;
            return 0;
        }
    }
    struct arena scratch;
    struct buf quoted;
    arena_init(&scratch);
    buf_init(&quoted, &scratch);
    gotext_quote(&quoted, value, strlen(value));
    err_set(e, -EINVAL, "invalid \"%s\" value %s", o->name, buf_cstr(&quoted));
    arena_free(&scratch);
    return -EINVAL;
}

int settings_set(struct settings *s, const struct option *o, const char *value, struct err *e)
{
    void *target = settings_field(s, o);
    enum gotext_parse rc;
    switch (o->type) {
    case OPTION_BOOL: return set_bool(target, value, e);
    case OPTION_CHOICE: return set_choice(target, o, value, e);
    case OPTION_STRING: *(const char **)target = value; return 0;
    case OPTION_INT: {
        int64_t n;
        rc = gotext_parse_int(value, 10, &n);
        if (rc != GOTEXT_OK)
            return number_error("Atoi", value, rc, e);
        *(int64_t *)target = n;
        return 0;
    }
    case OPTION_FLOAT: {
        double x;
        rc = gotext_parse_float(value, &x);
        if (rc != GOTEXT_OK)
            return number_error("ParseFloat", value, rc, e);
        *(double *)target = x;
        return 0;
    }
    }
    return 0;
}

void settings_get(struct settings *s, const struct option *o, struct buf *out)
{
    void *field = settings_field(s, o);
    switch (o->type) {
    case OPTION_BOOL: buf_puts(out, *(bool *)field ? "true" : "false"); return;
    case OPTION_INT: buf_printf(out, "%lld", (long long)*(int64_t *)field); return;
    case OPTION_FLOAT: gotext_float(out, *(double *)field); return;
    case OPTION_STRING:
    case OPTION_CHOICE: buf_puts(out, *(const char **)field); return;
    }
}
