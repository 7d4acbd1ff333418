/* SPDX-License-Identifier: MIT
 *
 * Requests. What can go wrong on the way is told in the words of Go's net/http, because scripts
 * look for them; what has no counterpart there, in curl's. */
#include "pprof/http.h"

#include "base/gotext.h"
#include "base/libcurl.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define INSECURE "https+insecure://"

enum { REDIRECTS_MAX = 10, GRACE_S = 5 };

struct transfer {
    const struct http_request *request;
    struct http_response *response;
    struct arena *arena;
    CURL *curl;
    char reason[CURL_ERROR_SIZE];
    char status[256]; /* "404 Not Found" */
    bool from_pprof, is_text;
};

static size_t take_bytes(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *x = context;
    size_t n = size * count;
    if (x->response->body.len + n > LIMIT_PROFILE_BYTES)
        return 0;
    buf_append(&x->response->body, bytes, n);
    return n;
}

static bool is_header(const char *line, size_t n, const char *name)
{
    size_t len = strlen(name);
    return n > len && !strncasecmp(line, name, len) && line[len] == ':';
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    struct transfer *x = context;
    size_t n = size * count, end = n;
    while (end && (line[end - 1] == '\r' || line[end - 1] == '\n'))
        end--;
    if (n > 5 && !memcmp(line, "HTTP/", 5)) {
        const char *blank = memchr(line, ' ', end);
        size_t at = blank ? (size_t)(blank - line) + 1 : end;
        snprintf(x->status, sizeof x->status, "%.*s", (int)(end - at), line + at);
        x->from_pprof = x->is_text = false;
    } else if (is_header(line, end, "X-Go-Pprof")) {
        x->from_pprof = end > strlen("X-Go-Pprof: ");
    } else if (is_header(line, end, "Content-Type")) {
        x->is_text = memmem(line, end, "text/plain", 10) != NULL;
    }
    return n;
}

/* ---- certificates ---- */

static const char *open_error(struct transfer *x, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return arena_printf(x->arena, "open %s: %s", path, gotext_errno(errno));
    close(fd);
    return NULL;
}

/* NULL, or what is wrong with them. */
static const char *set_certificates(struct transfer *x)
{
    const struct source *s = x->request->source;
    const char *error;
    if (!*s->tls_cert && *s->tls_key)
        return "-tls_key is specified, so -tls_cert must also be specified";
    if (*s->tls_cert && !*s->tls_key)
        return "-tls_cert is specified, so -tls_key must also be specified";
    if (*s->tls_cert) {
        if ((error = open_error(x, s->tls_cert)) || (error = open_error(x, s->tls_key)))
            return arena_printf(x->arena,
                                "could not load certificate/key pair specified by -tls_cert and "
                                "-tls_key: %s",
                                error);
        curl_easy_setopt(x->curl, CURLOPT_SSLCERT, s->tls_cert);
        curl_easy_setopt(x->curl, CURLOPT_SSLKEY, s->tls_key);
    }
    if (*s->tls_ca) {
        error = open_error(x, s->tls_ca);
        if (error)
            return arena_printf(x->arena, "could not load CA specified by -tls_ca: %s", error);
        curl_easy_setopt(x->curl, CURLOPT_CAINFO, s->tls_ca);
        curl_easy_setopt(x->curl, CURLOPT_CAPATH, NULL);
    }
    return NULL;
}

/* ---- asking ---- */

static bool is_insecure(const char *url)
{
    return !strncmp(url, INSECURE, sizeof INSECURE - 1);
}

/* The part between "//" and the path, without a user's name. */
static const char *host_of(struct transfer *x, bool *has_port)
{
    const char *at = strstr(x->request->url, "//");
    at = at ? at + 2 : x->request->url;
    size_t n = strcspn(at, "/?");
    const char *user = memrchr(at, '@', n);
    if (user) {
        n -= (size_t)(user + 1 - at);
        at = user + 1;
    }
    const char *close = *at == '[' ? memchr(at, ']', n) : at;
    *has_port = close && memchr(close, ':', n - (size_t)(close - at));
    return arena_strndup(x->arena, at, n);
}

static void set_proxy(struct transfer *x)
{
    bool has_port;
    const char *host = host_of(x, &has_port), *proxy = getenv("HTTP_PROXY");
    /* Go asks no proxy for this machine, and knows the name in capitals as well. */
    if (!strncmp(host, "localhost", 9) || !strncmp(host, "127.", 4) || !strncmp(host, "[::1]", 5))
        curl_easy_setopt(x->curl, CURLOPT_NOPROXY, "*");
    else if (proxy && *proxy && !getenv("http_proxy") && !strncmp(x->request->url, "http://", 7))
        curl_easy_setopt(x->curl, CURLOPT_PROXY, proxy);
}

static void set_request(struct transfer *x)
{
    const struct http_request *r = x->request;
    CURL *c = x->curl;
    const char *url = r->url;
    if (is_insecure(url)) {
        url = arena_printf(x->arena, "https://%s", url + sizeof INSECURE - 1);
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)REDIRECTS_MAX);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(c, CURLOPT_USERAGENT, "strobe");
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->reason);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, x);
    if (r->timeout_s > 0)
        curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)(r->timeout_s + GRACE_S));
    if (r->post) {
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->post);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->post_size);
    }
    set_proxy(x);
}

/* ---- what went wrong ---- */

/* "ADDRESS:PORT" of what was to be connected to, as Go's dialer names it: the first address. */
static const char *peer_of(struct transfer *x)
{
    bool has_port;
    const char *host = host_of(x, &has_port);
    const char *port = has_port ? strrchr(host, ':') + 1 : NULL;
    size_t n = has_port ? (size_t)(port - 1 - host) : strlen(host);
    if (!port || !*port)
        port = strncmp(x->request->url, "http://", 7) ? "443" : "80";
    bool bracketed = *host == '[';
    const char *name = arena_strndup(x->arena, host + bracketed, n - 2 * (size_t)bracketed);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    char text[NI_MAXHOST];
    if (getaddrinfo(name, NULL, &hints, &list))
        return arena_printf(x->arena, "%s:%s", host, port);
    bool six = list->ai_family == AF_INET6;
    if (getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST))
        snprintf(text, sizeof text, "%s", name);
    freeaddrinfo(list);
    return arena_printf(x->arena, six ? "[%s]:%s" : "%s:%s", text, port);
}

static const char *lookup_error(struct transfer *x)
{
    bool has_port;
    const char *host = host_of(x, &has_port);
    size_t n = has_port ? (size_t)(strrchr(host, ':') - host) : strlen(host);
    char line[256], server[128] = "127.0.0.1";
    FILE *f = fopen("/etc/resolv.conf", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "nameserver %127s", server) == 1)
            break;
    if (f)
        fclose(f);
    return arena_printf(x->arena, "dial tcp: lookup %.*s on %s%s%s:53: no such host", (int)n, host,
                        strchr(server, ':') ? "[" : "", server, strchr(server, ':') ? "]" : "");
}

/* A connection that broke, by both ends' addresses. */
static const char *read_error(struct transfer *x, long os)
{
    const char *local = NULL, *peer = NULL;
    long local_port = 0, peer_port = 0;
    curl_easy_getinfo(x->curl, CURLINFO_LOCAL_IP, &local);
    curl_easy_getinfo(x->curl, CURLINFO_LOCAL_PORT, &local_port);
    curl_easy_getinfo(x->curl, CURLINFO_PRIMARY_IP, &peer);
    curl_easy_getinfo(x->curl, CURLINFO_PRIMARY_PORT, &peer_port);
    if (!local || !peer || !*local || !os)
        return arena_strdup(x->arena, x->reason);
    bool six = strchr(peer, ':') != NULL;
    return arena_printf(x->arena,
                        six ? "read tcp [%s]:%ld->[%s]:%ld: read: %s"
                            : "read tcp %s:%ld->%s:%ld: read: %s",
                        local, local_port, peer, peer_port, gotext_errno((int)os));
}

static const char *verify_error(struct transfer *x)
{
    bool has_port;
    const char *host = host_of(x, &has_port);
    size_t n = strcspn(host, ":");
    if (!strstr(x->reason, "subject name"))
        return "tls: failed to verify certificate: x509: certificate signed by unknown authority";
    if (strspn(host, "0123456789.") == n)
        return arena_printf(x->arena,
                            "tls: failed to verify certificate: x509: cannot validate certificate "
                            "for %.*s because it doesn't contain any IP SANs",
                            (int)n, host);
    return arena_strdup(x->arena, x->reason);
}

static const char *explain(struct transfer *x, CURLcode code)
{
    long os = 0;
    curl_easy_getinfo(x->curl, CURLINFO_OS_ERRNO, &os);
    const char *url = x->request->url;
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return "net/http: request canceled (Client.Timeout exceeded while awaiting headers)";
    case CURLE_COULDNT_RESOLVE_HOST: return lookup_error(x);
    case CURLE_COULDNT_CONNECT:
        return arena_printf(x->arena, "dial tcp %s: connect: %s", peer_of(x),
                            gotext_errno(os ? (int)os : ECONNREFUSED));
    case CURLE_GOT_NOTHING: return "EOF";
    case CURLE_PEER_FAILED_VERIFICATION: return verify_error(x);
    case CURLE_RECV_ERROR:
        /* Over TLS the reason stands in the text. */
        if (strncmp(url, "https", 5) != 0)
            return read_error(x, os ? os : ECONNRESET);
        break;
    case CURLE_SSL_CONNECT_ERROR:
        if (strstr(x->reason, "wrong version number") || strstr(x->reason, "packet length"))
            return "http: server gave HTTP response to HTTPS client";
        break;
    case CURLE_UNSUPPORTED_PROTOCOL:
        return arena_printf(x->arena, "unsupported protocol scheme \"%.*s\"",
                            (int)strcspn(url, ":"), url);
    case CURLE_TOO_MANY_REDIRECTS: return "stopped after 10 redirects";
    default: break;
    }
    return x->reason[0] ? arena_strdup(x->arena, x->reason) : curl_easy_strerror(code);
}

/* The server's own words, where it is a pprof server that says why. */
static int refuse_status(struct transfer *x, struct err *e)
{
    const struct buf *body = &x->response->body;
    if (x->from_pprof && x->is_text)
        return err_set(e, -EREMOTEIO, "server response: %s - %.*s", x->status, (int)body->len,
                       body->data ? body->data : "");
    return err_set(e, -EREMOTEIO, "server response: %s", x->status);
}

static int fail(struct transfer *x, const char *reason, struct err *e)
{
    struct buf quoted;
    buf_init(&quoted, x->arena);
    gotext_quote(&quoted, x->request->url, strlen(x->request->url));
    return err_set(e, -EHOSTUNREACH, "%s %s: %s", x->request->post ? "Post" : "Get",
                   buf_cstr(&quoted), reason);
}

static int judge(struct transfer *x, CURLcode code, struct err *e)
{
    long status = 0;
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    bool answered = status >= 200 && code != CURLE_TOO_MANY_REDIRECTS;
    if (code != CURLE_OK && !answered)
        return fail(x, explain(x, code), e);
    if (status != 200)
        return refuse_status(x, e);
    if (code == CURLE_OPERATION_TIMEDOUT)
        x->response->body_error = "net/http: request canceled (Client.Timeout or context "
                                  "cancellation while reading body)";
    else if (code == CURLE_PARTIAL_FILE)
        x->response->body_error = "unexpected EOF";
    else if (code != CURLE_OK)
        x->response->body_error = explain(x, code);
    return 0;
}

int http_do(const struct http_request *request, struct http_response *response, struct err *e)
{
    struct transfer x = {.request = request, .response = response, .arena = response->body.arena};
    struct err missing;
    response->body_error = NULL;
    if (libcurl_load(&missing))
        return fail(&x, missing.msg, e);
    x.curl = curl_easy_init();
    if (!x.curl)
        return fail(&x, "libcurl cannot be started", e);
    struct curl_slist *headers =
        request->post ? curl_slist_append(NULL, "Content-Type: application/octet-stream") : NULL;
    set_request(&x);
    curl_easy_setopt(x.curl, CURLOPT_HTTPHEADER, headers);
    const char *error = set_certificates(&x);
    int rc = error ? fail(&x, error, e) : judge(&x, curl_easy_perform(x.curl), e);
    curl_slist_free_all(headers);
    curl_easy_cleanup(x.curl);
    return rc;
}
