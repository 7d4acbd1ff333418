/* SPDX-License-Identifier: MIT
 *
 * The functions behind our interposers. Each is looked up at its first use, which may be before our
 * constructor (another library's constructor makes a thread) and must work then. */
#include "runtime/runtime.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *real_function(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);
    if (!f) { /* nothing sane can follow: the program would call a null pointer */
        static const char text[] = "libstrobe: libc has no function ";
        if (write(STDERR_FILENO, text, sizeof text - 1) < 0 ||
            write(STDERR_FILENO, name, strlen(name)) < 0)
            abort();
        abort();
    }
    return f;
}

void real_library_path(char *out, size_t size)
{
    Dl_info info;
    out[0] = 0;
    if (!dladdr((void *)real_library_path, &info) || !info.dli_fname)
        return;
    if (info.dli_fname[0] != '/' || strlen(info.dli_fname) >= size)
        return;
    strcpy(out, info.dli_fname);
}
