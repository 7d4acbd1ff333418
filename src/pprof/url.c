/* SPDX-License-Identifier: MIT
 *
 * Takes addresses apart and puts them together again. Only what addresses of profiles have in
 * practice is followed to the letter: the scheme and its absence, ports, queries. */
#include "pprof/url.h"

#include "base/buf.h"
#include "base/gotext.h"
#include "base/sort.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char upper_digits[] = "0123456789ABCDEF";

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void put_escaped(struct buf *out, char c)
{
    unsigned char byte = (unsigned char)c;
    buf_putc(out, '%');
    buf_putc(out, upper_digits[byte >> 4]);
    buf_putc(out, upper_digits[byte & 15]);
}

/* ---- parts ---- */

/* The length of the scheme, 0 if there is none, -1 if a colon stands where one should begin. */
static int scheme_length(const char *s)
{
    for (int i = 0; s[i]; i++) {
        if (isalpha((unsigned char)s[i]))
            continue;
        if (isdigit((unsigned char)s[i]) || strchr("+-.", s[i])) {
            if (i == 0)
                return 0;
            continue;
        }
        return s[i] != ':' ? 0 : i ? i : -1;
    }
    return 0;
}

static bool is_authority(const char *s, size_t n)
{
    const char *host = memrchr(s, '@', n);
    host = host ? host + 1 : s;
    const char *end = s + n, *port = end;
    if (host < end && *host == '[') {
        port = memchr(host, ']', (size_t)(end - host));
        if (!port++)
            return false;
    } else {
        for (const char *c = host; c < end; c++)
            if (*c == ':')
                port = c;
    }
    for (const char *c = host; c < port; c++)
        if (*c == ' ' || *c == '<' || *c == '>' || *c == '"')
            return false;
    if (port < end && *port != ':')
        return false;
    for (const char *c = port + 1; c < end; c++)
        if (!isdigit((unsigned char)*c))
            return false;
    return true;
}

/* The path with all escaped that has to be; NULL if an escape in it is malformed. */
static const char *escape_path(const char *s, struct arena *a)
{
    struct buf out;
    buf_init(&out, a);
    for (; *s; s++) {
        if (*s == '%' && (digit(s[1]) < 0 || digit(s[2]) < 0))
            return NULL;
        if (isalnum((unsigned char)*s) || strchr("-_.~!$&'()*+,;=:@[]/%", *s))
            buf_putc(&out, *s);
        else
            put_escaped(&out, *s);
    }
    return buf_cstr(&out);
}

bool url_parse(struct url *u, const char *text, struct arena *a)
{
    size_t n = strcspn(text, "#");
    char *s = arena_strndup(a, text, n);
    int scheme = scheme_length(s);
    *u = (struct url){"", "", "", "", text[n] ? text + n + 1 : "", false};
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return false;
    if (scheme < 0)
        return false;
    if (scheme > 0) {
        char *name = arena_strndup(a, s, (size_t)scheme);
        for (char *c = name; *c; c++)
            *c = (char)tolower((unsigned char)*c);
        u->scheme = name;
        s += scheme + 1;
    }
    char *query = strchr(s, '?');
    if (query) {
        *query = 0;
        u->has_query = true;
        u->query = query + 1;
    }
    if (*s != '/') {
        if (*u->scheme)
            return true; /* opaque */
        if (memchr(s, ':', strcspn(s, "/")))
            return false;
    }
    if (!strncmp(s, "//", 2) && (*u->scheme || strncmp(s, "///", 3) != 0)) {
        size_t len = strcspn(s + 2, "/");
        if (!is_authority(s + 2, len))
            return false;
        u->authority = arena_strndup(a, s + 2, len);
        s += 2 + len;
    }
    u->path = escape_path(s, a);
    return u->path != NULL;
}

const char *url_text(const struct url *u, struct arena *a)
{
    return arena_printf(a, "%s%s%s%s%s%s%s%s%s", u->scheme, *u->scheme ? ":" : "",
                        *u->authority || *u->scheme ? "//" : "", u->authority, u->path,
                        u->has_query ? "?" : "", u->query, *u->fragment ? "#" : "", u->fragment);
}

/* ---- the query ---- */

struct value {
    const char *key, *value;
    size_t order;
};

/* url.QueryUnescape; NULL if malformed. */
static const char *unescape(const char *s, size_t n, struct arena *a)
{
    struct buf out;
    buf_init(&out, a);
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '%') {
            if (i + 2 >= n || digit(s[i + 1]) < 0 || digit(s[i + 2]) < 0)
                return NULL;
            buf_putc(&out, (char)(digit(s[i + 1]) << 4 | digit(s[i + 2])));
            i += 2;
        } else {
            buf_putc(&out, s[i] == '+' ? ' ' : s[i]);
        }
    }
    return buf_cstr(&out);
}

static void escape(struct buf *out, const char *s)
{
    for (; *s; s++) {
        if (isalnum((unsigned char)*s) || strchr("-_.~", *s))
            buf_putc(out, *s);
        else if (*s == ' ')
            buf_putc(out, '+');
        else
            put_escaped(out, *s);
    }
}

static int by_key(const void *a, const void *b)
{
    const struct value *x = a, *y = b;
    int order = strcmp(x->key, y->key);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static size_t read_query(const char *query, struct value *values, struct arena *a)
{
    size_t count = 0;
    for (const char *at = query; *at; at += *at == '&') {
        size_t n = strcspn(at, "&"), key = strcspn(at, "=&");
        if (n && !memchr(at, ';', n)) {
            struct value v = {unescape(at, key, a), "", count};
            if (key < n)
                v.value = unescape(at + key + 1, n - key - 1, a);
            if (v.key && v.value)
                values[count++] = v;
        }
        at += n;
    }
    return count;
}

const char *url_of_source(const char *source, int64_t seconds, int64_t *timeout_s, struct arena *a)
{
    struct url u;
    bool good = url_parse(&u, source, a);
    if (!good || (!*u.authority && *u.scheme && strcmp(u.scheme, "file") != 0))
        good = url_parse(&u, arena_printf(a, "http://%s", source), a);
    if (!good || !*u.authority)
        return NULL;
    struct value *values = arena_array(a, strlen(u.query) + 2, sizeof *values);
    size_t count = read_query(u.query, values, a);
    int64_t duration = seconds;
    bool set = false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(values[i].key, "seconds") != 0)
            continue;
        if (seconds > 0 && set)
            values[i].key = NULL; /* one replaces all there are */
        else if (seconds > 0)
            values[i].value = arena_printf(a, "%lld", (long long)seconds);
        else if (!set && gotext_parse_int(values[i].value, 10, &duration) != GOTEXT_OK)
            duration = 0;
        set = true;
    }
    if (seconds > 0 && !set) {
        const char *text = arena_printf(a, "%lld", (long long)seconds);
        values[count] = (struct value){"seconds", text, count};
        count++;
    }
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (values[i].key)
            values[kept++] = values[i];
    sort_list(values, kept, sizeof *values, by_key);
    struct buf query;
    buf_init(&query, a);
    for (size_t i = 0; i < kept; i++) {
        buf_puts(&query, i ? "&" : "");
        escape(&query, values[i].key);
        buf_putc(&query, '=');
        escape(&query, values[i].value);
    }
    u.has_query = kept > 0 || (u.has_query && !*u.query);
    u.query = buf_cstr(&query);
    if (*timeout_s <= 0)
        *timeout_s = duration > 0 ? duration + duration / 2 : 60;
    return url_text(&u, a);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), len = strlen(end);
    return n >= len && !strcmp(s + n - len, end);
}

const char *url_of_symbols(const char *source, struct arena *a)
{
    static const char *const gperftools[] = {"/pprof/heap", "/pprof/growth", "/pprof/profile",
                                             "/pprof/pmuprofile", "/pprof/contention"};
    struct url u;
    struct buf path;
    if (!url_parse(&u, source, a) || !*u.authority)
        return NULL;
    bool short_name = strstr(u.path, "/debug/pprof/") != NULL;
    for (size_t i = 0; i < sizeof gperftools / sizeof *gperftools; i++)
        short_name |= ends_with(u.path, gperftools[i]);
    const char *text = arena_printf(a, "%s/../%s", u.path, short_name ? "symbol" : "symbolz");
    buf_init(&path, a);
    gotext_clean(&path, text, strlen(text));
    u.path = buf_cstr(&path);
    u.has_query = false;
    u.query = "";
    return url_text(&u, a);
}
