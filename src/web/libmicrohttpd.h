/* SPDX-License-Identifier: MIT
 *
 * libmicrohttpd, which is loaded when it is first needed (base/late.h): by what serves a page.
 * Include this and not <microhttpd.h>, and call libmicrohttpd_load before anything else. */
#ifndef WEB_LIBMICROHTTPD_H
#define WEB_LIBMICROHTTPD_H

#include "base/err.h"

#include <microhttpd.h>

/* 0, or a sentence that names the package. */
int libmicrohttpd_load(struct err *e);

#define LIBMICROHTTPD_FUNCTIONS(F)                                                                 \
    F(MHD_add_response_header)                                                                     \
    F(MHD_create_response_from_buffer_with_free_callback_cls)                                      \
    F(MHD_destroy_response)                                                                        \
    F(MHD_get_connection_values)                                                                   \
    F(MHD_lookup_connection_value)                                                                 \
    F(MHD_queue_response)                                                                          \
    F(MHD_quiesce_daemon)                                                                          \
    F(MHD_start_daemon)                                                                            \
    F(MHD_stop_daemon)

struct libmicrohttpd {
#define LIBMICROHTTPD_FIELD(name) __typeof__(name) *name;
    LIBMICROHTTPD_FUNCTIONS(LIBMICROHTTPD_FIELD)
#undef LIBMICROHTTPD_FIELD
};
extern struct libmicrohttpd libmicrohttpd;

#define MHD_add_response_header libmicrohttpd.MHD_add_response_header
#define MHD_create_response_from_buffer_with_free_callback_cls                                     \
    libmicrohttpd.MHD_create_response_from_buffer_with_free_callback_cls
#define MHD_destroy_response        libmicrohttpd.MHD_destroy_response
#define MHD_get_connection_values   libmicrohttpd.MHD_get_connection_values
#define MHD_lookup_connection_value libmicrohttpd.MHD_lookup_connection_value
#define MHD_queue_response          libmicrohttpd.MHD_queue_response
#define MHD_quiesce_daemon          libmicrohttpd.MHD_quiesce_daemon
#define MHD_start_daemon            libmicrohttpd.MHD_start_daemon
#define MHD_stop_daemon             libmicrohttpd.MHD_stop_daemon

#endif
