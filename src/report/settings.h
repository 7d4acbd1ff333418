/* SPDX-License-Identifier: MIT
 *
 * The options of a report, as pprof names them: one struct, and one table that says for each field
 * its name everywhere it appears (flag, shell variable, URL parameter, settings file). */
#ifndef REPORT_SETTINGS_H
#define REPORT_SETTINGS_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts are borrowed: from argv, the environment or constants. Never NULL. */
struct settings {
    const char *output;
    bool call_tree, relative_percentages;
    const char *unit;
    bool compact_labels;
    const char *source_path, *trim_path;
    bool intel_syntax, mean;
    const char *sample_index;
    double divide_by;
    bool normalize;
    const char *sort; /* "flat" or "cum" */
    const char *tagroot, *tagleaf;
    bool drop_negative;
    int64_t nodecount; /* -1: the command's default */
    double nodefraction, edgefraction;
    bool trim;
    const char *focus, *ignore, *prune_from, *hide, *show, *show_from;
    const char *tagfocus, *tagignore, *tagshow, *taghide;
    bool noinlines, showcolumns;
    const char *granularity; /* one of the choices, "" for the default */
};

enum option_type { OPTION_BOOL, OPTION_INT, OPTION_FLOAT, OPTION_STRING, OPTION_CHOICE };

struct option_choice {
    const char *name, *help; /* name NULL: end */
};

struct option {
    const char *name;
    enum option_type type;
    size_t offset;   /* in struct settings */
    const char *url; /* parameter in the web's addresses, or NULL; pprof has none for tagroot and
                        tagleaf, which it saves and then forgets */
    bool saved;      /* in the settings file */
    const struct option_choice *choices; /* of OPTION_CHOICE: each is a flag of its own */
    const char *help; /* lines, as pprof has them with or without a last newline; the first alone
                         in the usage text */
};

/* In the order of pprof's configuration; ends with a row whose name is NULL. */
extern const struct option options[];

void settings_default(struct settings *s);

/* The field of a row. */
static inline void *settings_field(struct settings *s, const struct option *o)
{
    return (char *)s + o->offset;
}

/* The row of a name, which may be that of a choice (*choice is set then); NULL if there is none. */
const struct option *settings_find(const char *name, const char **choice);
/* Sets a field from text, as the shell and the web's addresses give it; the text is borrowed.
 * -EINVAL with pprof's words when it does not fit, and nothing is changed. */
int settings_set(struct settings *s, const struct option *o, const char *value, struct err *e);
/* The field as text. */
void settings_get(struct settings *s, const struct option *o, struct buf *out);

/* ---- settings_url.c ---- */

/* Sets the fields that an address has parameters for (applyURL). `get` has the value of one: NULL
 * and "" leave a field as it is. */
int settings_from_url(struct settings *s, const char *(*get)(void *arg, const char *name),
                      void *arg, struct err *e);

/* The parameters of an address in their order; a name may stand there several times. */
struct settings_params {
    struct settings_param {
        const char *name, *value;
        size_t place;
    } * items;
    size_t count, room;
};
void settings_params_add(struct settings_params *q, struct arena *a, const char *name,
                         const char *value);
/* Makes the parameters say what the settings that are saved say; defaults are left out (makeURL).
 * Whether that changed anything. */
bool settings_to_url(struct settings *s, struct settings_params *q, struct arena *a);
/* As a query, sorted by name and escaped as Go's url.Values does it. */
void settings_params_encode(struct settings_params *q, struct buf *out);

#endif
