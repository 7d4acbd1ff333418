/* SPDX-License-Identifier: MIT
 *
 * Reads, checks and opens loopback addresses. Names are not resolved: what a resolver says about
 * "localhost" is not this program's to trust. */
#include "web/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Fills `a` from a host without brackets and port; false if it is none of this machine. */
static bool parse_host(struct address *a, const char *host)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a->sock;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a->sock;
    memset(a, 0, sizeof *a);
    if (!*host || !strcasecmp(host, "localhost") || !strcasecmp(host, "localhost."))
        host = "127.0.0.1";
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        a->sock_len = sizeof *v4;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        a->sock_len = sizeof *v6;
        return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    }
    return false;
}

/* Cuts "host:port", "[host]:port", "host" into parts; *port is NULL without one. */
static bool split(char *text, char **host, char **port)
{
    *host = text;
    *port = NULL;
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return false;
        *host = text + 1;
        *port = end[1] ? end + 2 : NULL;
        *end = 0;
        return true;
    }
    char *colon = strchr(text, ':');
    if (colon) {
        *colon = 0;
        *port = colon + 1;
    }
    return !*port || !strchr(*port, ':');
}

static bool parse_port(const char *text, uint16_t *port)
{
    char *end;
    if (strspn(text, "0123456789") != strlen(text))
        return false;
    unsigned long v = strtoul(text, &end, 10);
    *port = (uint16_t)v;
    return v <= UINT16_MAX;
}

int address_parse(struct address *a, const char *text, struct err *e)
{
    char copy[128], *host, *port;
    uint16_t number = 0;
    int n = snprintf(copy, sizeof copy, "%s", text);
    if (n < 0 || (size_t)n >= sizeof copy || !split(copy, &host, &port) || !port ||
        !parse_port(port, &number))
        return err_set(e, -EINVAL, "'%.64s' is no address: give HOST:PORT, as in localhost:8080",
                       text);
    if (!parse_host(a, host))
        return err_set(e, -EINVAL,
                       "'%s' is not an address of this machine alone: use localhost, 127.0.0.1 or "
                       "[::1]; to read the page from elsewhere, forward the port with ssh -L",
                       host);
    if (a->sock.ss_family == AF_INET)
        ((struct sockaddr_in *)&a->sock)->sin_port = htons(number);
    else
        ((struct sockaddr_in6 *)&a->sock)->sin6_port = htons(number);
    return 0;
}

bool address_host_is_loopback(const char *text)
{
    char copy[128], *host, *port;
    uint16_t number;
    struct address a;
    int n = snprintf(copy, sizeof copy, "%s", text);
    if (n <= 0 || (size_t)n >= sizeof copy || !split(copy, &host, &port) || !*host)
        return false;
    return (!port || parse_port(port, &number)) && parse_host(&a, host);
}

/* The host of "host:port", without brackets, in `copy`; NULL if it is something else. */
static const char *host_of(char copy[256], const char *text)
{
    char *host, *port;
    uint16_t number;
    int n = snprintf(copy, 256, "%s", text);
    bool fits = n > 0 && n < 256 && split(copy, &host, &port) && *host;
    return fits && (!port || parse_port(port, &number)) ? host : NULL;
}

bool address_host_is(const char *text, const char *name)
{
    char copy[256];
    const char *host = host_of(copy, text);
    return host && !strcasecmp(host, name);
}

bool address_host_is_literal(const char *text)
{
    char copy[256];
    struct in6_addr a;
    const char *host = host_of(copy, text);
    return host && (inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1);
}

static void print_url(const struct sockaddr_storage *sock, char *url, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (sock->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)sock;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(url, size, "http://%s:%u", host, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sock;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(url, size, "http://[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

int address_listen(const struct address *a, char *url, size_t url_size, struct err *e)
{
    print_url(&a->sock, url, url_size);
    int fd = socket(a->sock.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_storage bound;
    socklen_t bound_len = sizeof bound;
    if (fd < 0 || bind(fd, (const struct sockaddr *)&a->sock, a->sock_len) || listen(fd, 64) ||
        getsockname(fd, (struct sockaddr *)&bound, &bound_len)) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        return err_set(e, -code, "cannot listen on %s: %s%s", url, strerror(code),
                       code == EADDRINUSE ? "; take another port, or 0 for a free one" : "");
    }
    print_url(&bound, url, url_size);
    return fd;
}

void address_close(int fd)
{
    close(fd);
}
