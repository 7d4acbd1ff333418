/* SPDX-License-Identifier: MIT
 *
 * The table of libmicrohttpd's functions, which late_load fills by name. It is apart from http.c,
 * so that nothing there can tell how the library came into the process. */
#include "web/libmicrohttpd.h"

#include "base/late.h"

struct libmicrohttpd libmicrohttpd;

int libmicrohttpd_load(struct err *e)
{
#define NAME(name) #name,
    static const char *const names[] = {LIBMICROHTTPD_FUNCTIONS(NAME) NULL};
#undef NAME
    static struct late late = {.file = "libmicrohttpd.so.12",
                               .package = "libmicrohttpd12",
                               .names = names,
                               .table = &libmicrohttpd,
                               .lock = PTHREAD_MUTEX_INITIALIZER};
    return late_load(&late, e);
}
