/* SPDX-License-Identifier: MIT
 *
 * Labels that come from outside: which are taken. */
#ifndef SERVER_LABELS_H
#define SERVER_LABELS_H

#include "base/err.h"
#include "profile/profile.h"

/* A name is a letter or '_', then letters, digits, '_', '.' and '-'; both are UTF-8 without control
 * characters and at most LIMIT_LABEL_BYTES long; the value is not empty. pid and tid would make a
 * series of every process and are refused. 0 or -EINVAL. */
int labels_check(const char *name, const char *value, struct err *e);

/* The kind of a profile by its sample types: "cpu", "heap", "allocs", "block", "goroutine",
 * "threadcreate", "wall", else the name of its default sample type. mutex and block profiles have
 * the same types and are "block". The text is static or in the profile, whose strings have no NUL;
 * it is copied to `kind`. */
void labels_kind(const struct profile *p, char *kind, size_t size);

#endif
