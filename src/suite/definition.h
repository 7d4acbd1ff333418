/* SPDX-License-Identifier: MIT
 *
 * What a program of the suite is: suites/NAME.yaml, read. docs/suite.md is the manual of the keys.
 *
 * A program is either a command that runs to its end under the recorder (`command`), or a server
 * that is started (`start`), loaded in rounds for a while (`load`) and stopped. Words of commands,
 * addresses and variables may name others as $NAME or ${NAME}: WORK (a folder that is the run's
 * own), SUITES (the folder of the definitions), INPUT, SECONDS, each name in `ports`, and what the
 * input sets. Scripts (`prepare`, `load`, `verify`) are for sh, run in WORK with -eu, and have the
 * same names in their environment. */
#ifndef SUITE_DEFINITION_H
#define SUITE_DEFINITION_H

#include "base/arena.h"
#include "base/err.h"
#include "base/yamldoc.h"

#include <stdbool.h>
#include <stdint.h>

struct suite_var {
    const char *name, *value;
};

struct suite_vars {
    struct suite_var *vars;
    uint32_t count;
};

struct suite_kind {
    const char *name;
    const char *url;       /* where a server gives it; NULL: by the recorder */
    bool during;           /* asked for while there is load: it measures as long as that takes */
    bool record;           /* by the recorder */
    struct suite_vars env; /* the program's, for this kind only */
};

struct suite_input {
    const char *name;
    int64_t duration_ms; /* of a server's load; a command takes the time it takes */
    int64_t rounds;      /* of load, at least */
    struct suite_vars set;
};

struct suite_program {
    const char *name, *summary, *language;
    struct yamldoc_list install; /* Debian's packages */
    struct yamldoc_list needs;   /* programs that must be in PATH */
    struct yamldoc_list ports;   /* names of variables: free ports of the loopback address */
    struct yamldoc_list command, start;
    const char *ready; /* an address that answers 200 when the server has started */
    const char *prepare, *load, *verify;
    struct suite_kind *kinds;
    uint32_t kind_count;
    struct suite_input *inputs;
    uint32_t input_count;
    struct suite_vars lacks; /* kinds that it does not give: name and the sentence why */
    struct yamldoc doc;
};

struct suite_programs {
    struct suite_program **programs; /* by name */
    uint32_t count;
};

/* The folder of the definitions: $STROBE_SUITES, else beside the program that runs (in a build
 * folder), else where they are installed. In the arena; NULL if there is none. */
const char *suite_folder(struct arena *a, struct err *e);
/* Reads one definition. Everything is in the arena. */
int suite_read(const char *path, struct arena *a, struct suite_program **out, struct err *e);
/* Reads all of a folder. */
int suite_read_folder(const char *folder, struct arena *a, struct suite_programs *out,
                      struct err *e);

const struct suite_kind *suite_find_kind(const struct suite_program *p, const char *name);
const struct suite_input *suite_find_input(const struct suite_program *p, const char *name);

/* The first program of `needs` that is not in PATH, or NULL. */
const char *suite_missing(const struct suite_program *p);

/* Puts the values of variables for $NAME and ${NAME}; $$ is a dollar. -EINVAL names the one that is
 * not there. */
int suite_expand(const char *text, const struct suite_vars *vars, struct arena *a, const char **out,
                 struct err *e);

#endif
