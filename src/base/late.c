/* SPDX-License-Identifier: MIT
 *
 * Loading of libraries when they are needed. A failure is not remembered: a server that is told to
 * try again may find the package installed. */
#include "base/late.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* The name that is missing, or NULL. */
static const char *fill(const struct late *l, void *library)
{
    for (size_t i = 0; l->names[i]; i++) {
        void *function = dlsym(library, l->names[i]);
        if (!function)
            return l->names[i];
        memcpy((char *)l->table + i * sizeof function, &function, sizeof function);
    }
    return NULL;
}

static int load(struct late *l, struct err *e)
{
    void *library = dlopen(l->file, RTLD_LAZY | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        return err_set(e, -ELIBACC, "%s cannot be loaded (%s): install the package %s", l->file,
                       why ? why : "no reason given", l->package);
    }
    const char *missing = fill(l, library);
    if (missing)
        return err_set(e, -ELIBACC, "%s is too old and has no %s: upgrade the package %s", l->file,
                       missing, l->package);
    if (l->begin && !l->begin())
        return err_set(e, -ELIBACC, "%s cannot be started: see whether the package %s is intact",
                       l->file, l->package);
    l->loaded = true;
    return 0;
}

int late_load(struct late *l, struct err *e)
{
    pthread_mutex_lock(&l->lock);
    int rc = l->loaded ? 0 : load(l, e);
    pthread_mutex_unlock(&l->lock);
    return rc;
}
