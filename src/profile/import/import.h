/* SPDX-License-Identifier: MIT
 *
 * Profiles in formats other than profile.proto, recognised by their content. Those that
 * google/pprof reads as well (profile/legacy_profile.go and legacy_java_profile.go) come out as it
 * reads them; the others come after them, so that no file which pprof reads is read in another way.
 */
#ifndef PROFILE_IMPORT_IMPORT_H
#define PROFILE_IMPORT_IMPORT_H

#include "profile/profile.h"

/* Reads `size` inflated bytes into the initialised, empty `p`; they are not referenced afterwards.
 * 0, or a negative errno with `p` empty and the reason in `e`: -ENOMSG when no format knows the
 * bytes (then `e` is untouched), -EPROTO when one does and they are malformed, in pprof's words
 * where it has them; p->is_foreign says, then as well, whether it is a format that pprof reads. */
int import_profile(struct profile *p, const char *bytes, size_t size, struct err *e);

/* The same of one format only, by its name ("firefox"): that of its file. NULL: any of them. */
int import_profile_as(struct profile *p, const char *format, const char *bytes, size_t size,
                      struct err *e);
/* The names, in the order in which they are tried; NULL behind the last. */
const char *import_format_name(size_t i);

#endif
