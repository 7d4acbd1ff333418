/* SPDX-License-Identifier: MIT
 *
 * The other side of ingest.c. The token opens the server to whoever has it, so that it never leaves
 * the machine by itself. */
#include "server/client.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/libcurl.h"
#include "server/state.h"
#include "strobe/version.h"
#include "web/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct exchange {
    struct arena arena;
    CURL *curl;
    struct curl_slist *headers;
    struct buf answer;
    char curl_error[CURL_ERROR_SIZE];
};

enum { ANSWER_MAX = 1 << 16, TIMEOUT_S = 120, CONNECT_S = 10 };

static const char *variable(const char *name)
{
    const char *v = getenv(name);
    return v && *v ? v : NULL;
}

const char *client_server(const char *flag)
{
    const char *v = flag && *flag ? flag : variable("STROBE_SERVER");
    return v ? v : "http://127.0.0.1:7070";
}

static size_t take_bytes(char *bytes, size_t size, size_t count, void *arg)
{
    struct buf *b = arg;
    size_t n = size * count;
    if (b->len + n > ANSWER_MAX)
        return 0;
    buf_append(b, bytes, n);
    return n;
}

static void add_parameter(struct exchange *x, struct buf *url, const char *name, const char *value)
{
    char *escaped = curl_easy_escape(x->curl, value, 0);
    buf_printf(url, "%c%s=%s", strchr(buf_cstr(url), '?') ? '&' : '?', name,
               escaped ? escaped : "");
    curl_free(escaped);
}

/* The server's URL without a page and its fragment: the printed link is fine, too. */
static int make_url(struct exchange *x, const struct client_push *p, struct buf *url, struct err *e)
{
    const char *server = client_server(p->server);
    if (strncmp(server, "http://", 7) && strncmp(server, "https://", 8))
        return err_set(e, -EINVAL, "'%.200s' is no server: give a URL, http://HOST:PORT", server);
    size_t len = strcspn(server, "?#");
    while (len && server[len - 1] == '/')
        len--;
    buf_append(url, server, len);
    buf_puts(url, "/api/v1/profiles");
    add_parameter(x, url, "service_name", p->service_name);
    if (p->kind)
        add_parameter(x, url, "kind", p->kind);
    for (uint32_t i = 0; i < p->label_count; i++)
        add_parameter(x, url, "label",
                      arena_printf(&x->arena, "%s=%s", p->labels[i].name, p->labels[i].value));
    return 0;
}

static bool is_local(const char *server)
{
    char name[256];
    const char *host = strstr(server, "://");
    if (!host)
        return false;
    host += 3;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(host, "/?#"), host);
    return address_host_is_loopback(name);
}

int client_token(const char *server, char *token, size_t size, struct err *e)
{
    char own[STATE_TOKEN_SIZE] = "";
    const char *set = variable("STROBE_TOKEN");
    *token = 0;
    if (!set && is_local(server)) {
        int rc = state_token_read(own, e);
        if (rc)
            return rc == -ENOENT ? 0 : rc;
        set = own;
    }
    snprintf(token, size, "%s", set ? set : "");
    return 0;
}

static int add_token(struct exchange *x, const char *server, struct err *e)
{
    char token[512];
    int rc = client_token(server, token, sizeof token, e);
    if (rc)
        return rc;
    if (*token)
        x->headers = curl_slist_append(x->headers,
                                       arena_printf(&x->arena, "Authorization: Bearer %s", token));
    return 0;
}

static void set_up(struct exchange *x, const struct client_push *p, const char *url)
{
    CURL *c = x->curl;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, p->bytes);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)p->size);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, x->headers);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &x->answer);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->curl_error);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "strobe/" STROBE_VERSION);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
}

/* The sentence in {"error": "sentence"}, unescaped as far as our own writer escapes. */
static const char *read_error(struct exchange *x)
{
    static const char start[] = "{\"error\":\"";
    const char *text = buf_cstr(&x->answer);
    struct buf out;
    buf_init(&out, &x->arena);
    if (strncmp(text, start, sizeof start - 1))
        return "";
    for (text += sizeof start - 1; *text && *text != '"'; text++) {
        if (*text == '\\' && text[1])
            text++;
        buf_putc(&out, *text);
    }
    return buf_cstr(&out);
}

static int judge(struct exchange *x, CURLcode code, const char *server, struct err *e)
{
    long status = 0;
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        return err_set(
            e, -ECONNREFUSED,
            "no server answers at %.200s: start one with 'strobe serve', or name another "
            "with --server or STROBE_SERVER",
            server);
    curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK && status < 400)
        return err_set(e, -EIO, "%.200s: %s", server,
                       x->curl_error[0] ? x->curl_error : curl_easy_strerror(code));
    const char *text = buf_cstr(&x->answer);
    if (status == 200 && strstr(text, "\"stored\":"))
        return strstr(text, "\"stored\":false") ? 1 : 0;
    const char *sentence = read_error(x);
    if (*sentence)
        return err_set(e, -EIO, "%.200s refused it: %s", server, sentence);
    return err_set(e, -EIO, "%.200s answered %ld, and not as strobe serve does: is it one?", server,
                   status);
}

int client_push(const struct client_push *p, struct err *e)
{
    struct exchange x = {0};
    struct buf url;
    const char *server = client_server(p->server);
    int rc = libcurl_load(e);
    if (rc)
        return rc;
    if (!(x.curl = curl_easy_init()))
        return err_set(e, -ENOMEM, "out of memory");
    buf_init(&url, &x.arena);
    buf_init(&x.answer, &x.arena);
    x.headers = curl_slist_append(NULL, "Content-Type: application/octet-stream");
    rc = make_url(&x, p, &url, e);
    if (!rc)
        rc = add_token(&x, server, e);
    if (!rc) {
        set_up(&x, p, buf_cstr(&url));
        rc = judge(&x, curl_easy_perform(x.curl), server, e);
    }
    curl_slist_free_all(x.headers);
    curl_easy_cleanup(x.curl);
    arena_free(&x.arena);
    return rc;
}
