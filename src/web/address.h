/* SPDX-License-Identifier: MIT
 *
 * Addresses of this machine, for servers that may not be reached from another one. */
#ifndef WEB_ADDRESS_H
#define WEB_ADDRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
    struct sockaddr_storage sock;
    socklen_t sock_len;
};

/* HOST:PORT with pprof's rules: the colon must be there, an empty host is localhost (127.0.0.1),
 * an empty port or 0 a free one. Hosts: localhost, 127.x.y.z, [::1]. Returns 0 or -EINVAL. */
int address_parse(struct address *a, const char *text, struct err *e);

/* Whether a Host header, with or without port, names this machine: one of the hosts above. */
bool address_host_is_loopback(const char *host);

/* Whether a Host header names `name`, or an address in numbers. */
bool address_host_is(const char *host, const char *name);
bool address_host_is_literal(const char *host);

/* A listening socket, and its address as a URL without a path. Returns the descriptor or a negative
 * errno with a sentence. */
int address_listen(const struct address *a, char *url, size_t url_size, struct err *e);
void address_close(int fd);

#endif
