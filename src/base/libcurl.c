/* SPDX-License-Identifier: MIT
 *
 * The table of libcurl's functions, and the two that take an argument of any type. Those are
 * functions of the names that curl.h's type-checking macros call, and hand the argument on as the
 * type that libcurl will read it as: it stands in the option's number. */
#include "base/libcurl.h"

#include "base/late.h"

#include <stdarg.h>

struct libcurl libcurl;

static bool begin(void)
{
    return libcurl.curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

int libcurl_load(struct err *e)
{
#define NAME(name) #name,
    static const char *const names[] = {LIBCURL_FUNCTIONS(NAME) "curl_easy_setopt",
                                        "curl_easy_getinfo", NULL};
#undef NAME
    static struct late late = {.file = "libcurl.so.4",
                               .package = "libcurl4",
                               .names = names,
                               .table = &libcurl,
                               .begin = begin,
                               .lock = PTHREAD_MUTEX_INITIALIZER};
    return late_load(&late, e);
}

CURLcode(curl_easy_setopt)(CURL *curl, CURLoption option, ...)
{
    CURLcode code;
    va_list args;
    va_start(args, option);
    if (option >= CURLOPTTYPE_OFF_T && option < CURLOPTTYPE_BLOB)
        code = libcurl.setopt(curl, option, va_arg(args, curl_off_t));
    else if (option < CURLOPTTYPE_OBJECTPOINT)
        code = libcurl.setopt(curl, option, va_arg(args, long));
    else
        code = libcurl.setopt(curl, option, va_arg(args, void *));
    va_end(args);
    return code;
}

CURLcode(curl_easy_getinfo)(CURL *curl, CURLINFO info, ...)
{
    va_list args;
    va_start(args, info);
    CURLcode code = libcurl.getinfo(curl, info, va_arg(args, void *));
    va_end(args);
    return code;
}
