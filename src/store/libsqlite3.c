/* SPDX-License-Identifier: MIT
 *
 * The table of SQLite's functions, which late_load fills by name. Only who opens a store loads it;
 * who has one need not know. */
#include "store/libsqlite3.h"

#include "base/late.h"

struct libsqlite3 libsqlite3;

int libsqlite3_load(struct err *e)
{
#define NAME(name) #name,
    static const char *const names[] = {LIBSQLITE3_FUNCTIONS(NAME) NULL};
#undef NAME
    static struct late late = {.file = "libsqlite3.so.0",
                               .package = "libsqlite3-0",
                               .names = names,
                               .table = &libsqlite3,
                               .lock = PTHREAD_MUTEX_INITIALIZER};
    return late_load(&late, e);
}
