/* SPDX-License-Identifier: MIT
 *
 * Libraries that few verbs need, loaded by the first of them that does. libcurl and libmicrohttpd
 * bring some thirty others along, which cost a process that reads one small profile three quarters
 * of its time, so the program is not linked to them. A header of ours stands in for each library's
 * own (base/libcurl.h, web/microhttpd.h): it includes that, has a table with a field for each
 * function that is used, typed by the library's own declaration, and lets the functions' names mean
 * the table's fields, as sqlite3ext.h does. Callers look as if they were linked. */
#ifndef BASE_LATE_H
#define BASE_LATE_H

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct late {
    const char *file;         /* the library by its soname */
    const char *package;      /* of Debian, for the error */
    const char *const *names; /* of its functions; NULL behind the last */
    void *table;              /* as many pointers to functions, in the same order */
    bool (*begin)(void);      /* what the library wants called first, once; may be NULL */
    pthread_mutex_t lock;     /* PTHREAD_MUTEX_INITIALIZER; guards `loaded` */
    bool loaded;
};

/* Loads the library, unless it is, and fills its table. 0, or -ELIBACC with a sentence that names
 * the package. For any thread; the table may be used by whoever knows that this returned 0. The
 * library stays until the process ends. */
int late_load(struct late *l, struct err *e);

#endif
