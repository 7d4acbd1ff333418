/* SPDX-License-Identifier: MIT
 *
 * Reading HTTP requests (RFC 9112). What could be understood in two ways is refused: a client that
 * sends it is broken or hostile, and the host program's time is not ours to spend on it. Bodies
 * must have a length; chunks are not taken, as no client of /debug/ sends them. */
#include "runtime/http_message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Decodes %XX, and "+" if `plus`. False: it does not fit, or is not valid. */
static bool decode(char *out, size_t out_size, const char *in, size_t size, bool plus)
{
    size_t len = 0;
    for (size_t i = 0; i < size; i++) {
        char c = in[i] == '+' && plus ? ' ' : in[i];
        if (c == '%') {
            int high = i + 2 < size ? hex_digit(in[i + 1]) : -1;
            int low = i + 2 < size ? hex_digit(in[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (!c || len + 1 >= out_size)
            return false;
        out[len++] = c;
    }
    out[len] = 0;
    return true;
}

bool http_set_target(struct http_request *r, const char *target, size_t size)
{
    const char *mark = memchr(target, '?', size);
    size_t path = mark ? (size_t)(mark - target) : size;
    size_t query = mark ? size - path - 1 : 0;
    if (!size || target[0] != '/' || query >= sizeof r->query)
        return false;
    if (query)
        memcpy(r->query, mark + 1, query);
    r->query[query] = 0;
    return decode(r->path, sizeof r->path, target, path, false);
}

/* As Go's url.ParseQuery: names are encoded, too, and a pair that is broken is passed over. */
bool http_parameter(const struct http_request *r, const char *name, char *value, size_t size)
{
    char key[32];
    size_t len;
    for (const char *at = r->query; *at; at += len + (at[len] == '&')) {
        len = strcspn(at, "&");
        const char *equals = memchr(at, '=', len);
        size_t n = equals ? (size_t)(equals - at) : len, skip = n + (equals != NULL);
        if (!memchr(at, ';', len) && decode(key, sizeof key, at, n, true) && !strcmp(key, name) &&
            decode(value, size, at + skip, len - skip, true))
            return true;
    }
    return false;
}

bool http_integer(const struct http_request *r, const char *name, long *value)
{
    char text[32], *end;
    if (!http_parameter(r, name, text, sizeof text))
        return false;
    const char *digits = text + (*text == '+' || *text == '-');
    errno = 0;
    *value = strtol(text, &end, 10);
    return *digits >= '0' && *digits <= '9' && !*end && !errno;
}

/* ---- a request from a socket ---- */

static bool name_is(const char *line, size_t size, const char *name)
{
    size_t n = strlen(name);
    return size == n && !strncasecmp(line, name, n);
}

static bool has_word(const char *value, size_t size, const char *word)
{
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= size; i++)
        if (!strncasecmp(value + i, word, n))
            return true;
    return false;
}

/* "GET /path HTTP/1.1". */
static int read_request_line(const char *line, size_t size, struct http_request *r)
{
    const char *first = memchr(line, ' ', size);
    const char *last = memrchr(line, ' ', size);
    size_t method = first ? (size_t)(first - line) : 0;
    if (!method || first == last)
        return -400;
    for (size_t i = 0; i < method; i++)
        if (!is_token(line[i]))
            return -400;
    size_t version = (size_t)(line + size - last - 1);
    if (version != 8 || memcmp(last + 1, "HTTP/", 5))
        return -400;
    if (memcmp(last + 6, "1.", 2))
        return -505;
    if (method >= sizeof r->method)
        return -501;
    memcpy(r->method, line, method);
    r->method[method] = 0;
    r->keep_alive = last[8] != '0';
    size_t target = (size_t)(last - first - 1);
    if (target >= HTTP_TARGET_MAX)
        return -414;
    return http_set_target(r, first + 1, target) ? 0 : -400;
}

static int read_length(const char *value, size_t size, size_t *length)
{
    *length = 0;
    for (size_t i = 0; i < size; i++) {
        if (value[i] < '0' || value[i] > '9')
            return -400;
        *length = *length * 10 + (size_t)(value[i] - '0');
        if (*length > HTTP_REQUEST_MAX)
            return -413;
    }
    return size ? 0 : -400;
}

struct headers {
    size_t length;
    bool has_length;
};

static int read_header(const char *line, size_t size, struct headers *h, struct http_request *r)
{
    const char *colon = memchr(line, ':', size);
    size_t name = colon ? (size_t)(colon - line) : 0;
    if (!name || line[name - 1] == ' ')
        return -400;
    const char *value = colon + 1, *end = line + size;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    size_t n = (size_t)(end - value);
    if (name_is(line, name, "content-length")) {
        size_t length;
        int status = read_length(value, n, &length);
        if (status || (h->has_length && length != h->length))
            return status ? status : -400;
        h->length = length;
        h->has_length = true;
    } else if (name_is(line, name, "transfer-encoding")) {
        return -411;
    } else if (name_is(line, name, "connection")) {
        if (has_word(value, n, "close"))
            r->keep_alive = false;
        else if (has_word(value, n, "keep-alive"))
            r->keep_alive = true;
    }
    return 0;
}

long http_read_request(const char *data, size_t size, struct http_request *r)
{
    struct headers h = {0};
    size_t at = 0;
    for (int line = 0;; line++) {
        const char *end = memchr(data + at, '\n', size - at);
        if (!end)
            return size >= HTTP_REQUEST_MAX ? -413 : 0;
        size_t len = (size_t)(end - data) - at, next = at + len + 1;
        if (len && data[at + len - 1] == '\r')
            len--;
        if (memchr(data + at, 0, len))
            return -400;
        if (!len && line)
            break;
        int status = line ? read_header(data + at, len, &h, r) : read_request_line(data, len, r);
        if (status)
            return status;
        at = next;
    }
    at += data[at] == '\r' ? 2 : 1;
    if (at + h.length > HTTP_REQUEST_MAX)
        return -413;
    if (size - at < h.length)
        return 0;
    r->body = data + at;
    r->body_size = h.length;
    return (long)(at + h.length);
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {307, "Temporary Redirect"},
        {400, "Bad Request"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}
