/* SPDX-License-Identifier: MIT
 *
 * Sending a profile to a running `strobe serve`. */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct client_push {
    const char *server;              /* URL; NULL: STROBE_SERVER, else http://127.0.0.1:7070 */
    const char *service_name, *kind; /* kind NULL: by the sample types */
    const struct store_label *labels;
    uint32_t label_count;
    const void *bytes; /* the profile, gzip'ed or plain */
    size_t size;
};

/* Returns when the profile is on the server's disk: 0, or 1 when it was there already. The token is
 * $STROBE_TOKEN, else the state directory's, which is sent to this machine's addresses only.
 * -ECONNREFUSED when no server answers, else what is wrong, in the server's words. */
int client_push(const struct client_push *p, struct err *e);

/* The token for `server`: $STROBE_TOKEN, else the state directory's for this machine's addresses;
 * "" where there is none. An error if it may not be used. */
int client_token(const char *server, char *token, size_t size, struct err *e);

/* The URL that holds, for messages. */
const char *client_server(const char *flag);

#endif
