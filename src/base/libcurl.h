/* SPDX-License-Identifier: MIT
 *
 * libcurl, which is loaded when it is first needed (base/late.h). Include this and not
 * <curl/curl.h>, and call libcurl_load before anything else; it has called curl_global_init. */
#ifndef BASE_LIBCURL_H
#define BASE_LIBCURL_H

#include "base/err.h"

#include <curl/curl.h>

/* 0, or a sentence that names the package. */
int libcurl_load(struct err *e);

/* All that strobe calls, but curl_easy_setopt and curl_easy_getinfo: curl.h makes those macros that
 * check the types of their arguments, and libcurl.c has the functions behind them. */
#define LIBCURL_FUNCTIONS(F)                                                                       \
    F(curl_easy_cleanup)                                                                           \
    F(curl_easy_escape)                                                                            \
    F(curl_easy_init)                                                                              \
    F(curl_easy_perform)                                                                           \
    F(curl_easy_strerror)                                                                          \
    F(curl_free)                                                                                   \
    F(curl_global_init)                                                                            \
    F(curl_multi_add_handle)                                                                       \
    F(curl_multi_cleanup)                                                                          \
    F(curl_multi_info_read)                                                                        \
    F(curl_multi_init)                                                                             \
    F(curl_multi_perform)                                                                          \
    F(curl_multi_poll)                                                                             \
    F(curl_multi_remove_handle)                                                                    \
    F(curl_multi_wakeup)                                                                           \
    F(curl_slist_append)                                                                           \
    F(curl_slist_free_all)

struct libcurl {
#define LIBCURL_FIELD(name) __typeof__(name) *name;
    LIBCURL_FUNCTIONS(LIBCURL_FIELD)
#undef LIBCURL_FIELD
    CURLcode (*setopt)(CURL *, CURLoption, ...);
    CURLcode (*getinfo)(CURL *, CURLINFO, ...);
};
extern struct libcurl libcurl;

#define curl_easy_cleanup        libcurl.curl_easy_cleanup
#define curl_easy_escape         libcurl.curl_easy_escape
#define curl_easy_init           libcurl.curl_easy_init
#define curl_easy_perform        libcurl.curl_easy_perform
#define curl_easy_strerror       libcurl.curl_easy_strerror
#define curl_free                libcurl.curl_free
#define curl_multi_add_handle    libcurl.curl_multi_add_handle
#define curl_multi_cleanup       libcurl.curl_multi_cleanup
#define curl_multi_info_read     libcurl.curl_multi_info_read
#define curl_multi_init          libcurl.curl_multi_init
#define curl_multi_perform       libcurl.curl_multi_perform
#define curl_multi_poll          libcurl.curl_multi_poll
#define curl_multi_remove_handle libcurl.curl_multi_remove_handle
#define curl_multi_wakeup        libcurl.curl_multi_wakeup
#define curl_slist_append        libcurl.curl_slist_append
#define curl_slist_free_all      libcurl.curl_slist_free_all

#endif
