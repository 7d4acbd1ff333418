/* SPDX-License-Identifier: MIT
 *
 * Where the page is served (google/pprof internal/driver/webui.go, getHostAndPort; Go's net,
 * SplitHostPort and Listen). Other addresses than this machine's own are the user's to choose here:
 * pprof's users serve pages from containers. */
#include "pprof/listen.h"

#include "base/gotext.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int refuse(const char *address, const char *why, struct err *e)
{
    return err_set(e, -EINVAL, "could not split http address: address %s: %s", address, why);
}

/* SplitHostPort. */
static int split(struct listen *l, const char *address, struct err *e)
{
    const char *colon = strrchr(address, ':'), *host = address, *end = colon;
    const char *rest = address, *port_brackets = address; /* where brackets may not be */
    if (!colon)
        return refuse(address, "missing port in address", e);
    if (*address == '[') {
        end = strchr(address, ']');
        if (!end)
            return refuse(address, "missing ']' in address", e);
        if (!end[1])
            return refuse(address, "missing port in address", e);
        if (end + 1 != colon)
            return refuse(address,
                          end[1] == ':' ? "too many colons in address" : "missing port in address",
                          e);
        host = address + 1;
        rest = address + 1;
        port_brackets = end + 1;
    } else if (memchr(address, ':', (size_t)(colon - address))) {
        return refuse(address, "too many colons in address", e);
    }
    if (strchr(rest, '['))
        return refuse(address, "unexpected '[' in address", e);
    if (strchr(port_brackets, ']'))
        return refuse(address, "unexpected ']' in address", e);
    if ((size_t)(end - host) >= sizeof l->host || strlen(colon) >= sizeof l->port)
        return refuse(address, "too long", e);
    snprintf(l->host, sizeof l->host, "%.*s", (int)(end - host), host);
    snprintf(l->port, sizeof l->port, "%s", colon + 1);
    return 0;
}

/* JoinHostPort. */
static void set_url(struct listen *l)
{
    bool brackets = strpbrk(l->host, ":%");
    snprintf(l->url, sizeof l->url, "http://%s%s%s:%s", brackets ? "[" : "", l->host,
             brackets ? "]" : "", l->port);
}

int listen_parse(struct listen *l, const char *address, struct err *e)
{
    int64_t number = 0;
    *l = (struct listen){.fd = -1};
    int rc = split(l, address, e);
    if (rc)
        return rc;
    if (!*l->host)
        snprintf(l->host, sizeof l->host, "localhost");
    enum gotext_parse parsed = *l->port ? gotext_parse_int(l->port, 10, &number) : GOTEXT_OK;
    if (parsed != GOTEXT_OK) {
        struct arena scratch;
        struct buf quoted;
        arena_init(&scratch);
        buf_init(&quoted, &scratch);
        gotext_quote(&quoted, l->port, strlen(l->port));
        rc = err_set(e, -EINVAL, "invalid port number: strconv.Atoi: parsing %s: %s",
                     buf_cstr(&quoted),
                     parsed == GOTEXT_RANGE ? "value out of range" : "invalid syntax");
        arena_free(&scratch);
        return rc;
    }
    if (*l->port)
        snprintf(l->port, sizeof l->port, "%lld", (long long)number); /* "+80" is 80 */
    set_url(l);
    return 0;
}

/* An IPv4 address before others, as Go prefers it for names. */
static const struct addrinfo *choose(const struct addrinfo *list)
{
    for (const struct addrinfo *a = list; a; a = a->ai_next)
        if (a->ai_family == AF_INET)
            return a;
    return list;
}

static int open_socket(struct listen *l, const struct addrinfo *a, struct err *e)
{
    int on = 1;
    socklen_t len = sizeof(struct sockaddr_storage);
    struct sockaddr_storage bound;
    char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
    int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    l->fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd >= 0)
        setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (l->fd >= 0 && !bind(l->fd, a->ai_addr, a->ai_addrlen) && !listen(l->fd, 64) &&
        !getsockname(l->fd, (struct sockaddr *)&bound, &len)) {
        getnameinfo((struct sockaddr *)&bound, len, host, sizeof host, port, sizeof port, flags);
        snprintf(l->port, sizeof l->port, "%s", port);
        set_url(l);
        return 0;
    }
    int code = errno;
    getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, port, sizeof port, flags);
    bool brackets = strchr(host, ':');
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    return err_set(e, -code, "listen tcp %s%s%s:%s: bind: %s", brackets ? "[" : "", host,
                   brackets ? "]" : "", port, gotext_errno(code));
}

int listen_open(struct listen *l, struct err *e)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *list;
    int64_t number = 0;
    if (*l->port && (gotext_parse_int(l->port, 10, &number) || number < 0 || number > UINT16_MAX))
        return err_set(e, -EINVAL, "listen tcp: address %s: invalid port", l->port);
    if (getaddrinfo(l->host, *l->port ? l->port : "0", &hints, &list))
        return err_set(e, -ENOENT, "%slisten tcp: lookup %s: no such host",
                       *l->port ? "" : "could not generate random port: ", l->host);
    int rc = open_socket(l, choose(list), e);
    freeaddrinfo(list);
    if (rc && !*l->port)
        return err_prefix(e, "could not generate random port");
    return rc;
}
