/* SPDX-License-Identifier: MIT
 *
 * The suite in words, for machines and pages: what programs there are, what is installed, which
 * kinds of profiles they give and how, and why others are missing. docs/suite.md has the keys. */
#ifndef SUITE_DESCRIBE_H
#define SUITE_DESCRIBE_H

#include "suite/definition.h"
#include "web/json.h"

/* {"programs": […], "inputs": […], "kinds": […]} */
void suite_describe(const struct suite_programs *all, struct arena *a, struct json *j);

/* "zstd is not installed: apt-get install zstd", or NULL when nothing is missing. */
const char *suite_describe_missing(const struct suite_program *p, struct arena *a);

#endif
