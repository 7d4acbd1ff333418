/* SPDX-License-Identifier: MIT
 *
 * Paths as Go's net/url and net/http see them: one is kept escaped for cleaning and matching, and
 * decoded for the handlers. Decoded paths may hold any byte, also 0, so that they have lengths. */
#include "web/mux.h"
#include "base/buf.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

struct text {
    const char *bytes;
    size_t size;
};

static bool text_is(struct text t, const char *s)
{
    return t.size == strlen(s) && !memcmp(t.bytes, s, t.size);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* False for an escape that is none. */
static bool unescape(const char *s, size_t n, struct arena *a, struct text *out)
{
    char *bytes = arena_alloc(a, n + 1);
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '%') {
            bytes[size++] = s[i];
            continue;
        }
        int high = i + 2 < n ? hex_digit(s[i + 1]) : -1, low = i + 2 < n ? hex_digit(s[i + 2]) : -1;
        if (high < 0 || low < 0)
            return false;
        bytes[size++] = (char)(high << 4 | low);
        i += 2;
    }
    bytes[size] = 0;
    *out = (struct text){bytes, size};
    return true;
}

static bool is_plain(unsigned char c)
{
    return isalnum(c) || (c && strchr("-_.~$&+,/:;=@", c));
}

/* As Go writes a path into an address. */
static const char *escape(struct text path, struct arena *a)
{
    struct buf out;
    buf_init(&out, a);
    for (size_t i = 0; i < path.size; i++) {
        unsigned char c = (unsigned char)path.bytes[i];
        if (is_plain(c))
            buf_putc(&out, (char)c);
        else
            buf_printf(&out, "%%%02X", c);
    }
    return buf_cstr(&out);
}

/* Whether what was sent may stand as it is (net/url, validEncoded). */
static bool is_encoded(const char *raw)
{
    for (; *raw; raw++)
        if (!is_plain((unsigned char)*raw) && !strchr("!'()*[]%", *raw))
            return false;
    return true;
}

/* cleanPath: no empty part, no "." and no ".."; a last '/' stays. */
static char *clean(const char *path, struct arena *a)
{
    size_t len = strlen(path), n = 0;
    char *out = arena_alloc(a, len + 2);
    for (const char *part = path; *part;) {
        size_t size = strcspn(part, "/");
        if (size == 2 && !memcmp(part, "..", 2)) {
            while (n && out[--n] != '/')
                ;
        } else if (size && !(size == 1 && *part == '.')) {
            out[n++] = '/';
            memcpy(out + n, part, size);
            n += size;
        }
        part += size + (part[size] == '/');
    }
    if (!n || (len && path[len - 1] == '/'))
        out[n++] = '/';
    out[n] = 0;
    return out;
}

/* Control characters and blanks end a request before any handler sees it. */
static bool can_be_sent(const char *raw)
{
    for (const char *c = raw; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 127)
            return false;
    return *raw == '/' || !*raw;
}

/* What is behind "/ui", by the path decoded and, where the two differ, by the one that was sent. */
static struct mux_place strip_prefix(struct text decoded, const char *raw, struct arena *a)
{
    bool differ = strcmp(escape(decoded, a), raw) != 0;
    bool has = decoded.size >= 3 && !memcmp(decoded.bytes, "/ui", 3);
    bool holds_zero = strlen(decoded.bytes) != decoded.size;
    if (!has || (differ && strncmp(raw, "/ui", 3) != 0) || holds_zero || decoded.bytes[3] != '/')
        return (struct mux_place){MUX_NOTHING, ""};
    return (struct mux_place){MUX_UI, decoded.bytes + 4};
}

struct mux_place mux_find(const char *raw, struct arena *a)
{
    struct text decoded, first;
    if (!can_be_sent(raw) || !unescape(raw, strlen(raw), a, &decoded))
        return (struct mux_place){MUX_BAD, ""};
    const char *escaped = is_encoded(raw) ? raw : escape(decoded, a);
    const char *path = clean(escaped, a);
    size_t n = strcspn(path + 1, "/");
    bool below_ui = unescape(path + 1, n, a, &first) && text_is(first, "ui");
    if (below_ui && !path[1 + n]) {
        struct text to = {clean(decoded.bytes, a), 0};
        to.size = strlen(to.bytes);
        return (struct mux_place){MUX_REDIRECT, arena_printf(a, "%s/", escape(to, a))};
    }
    if (strcmp(path, escaped) != 0)
        return (struct mux_place){MUX_REDIRECT, escape((struct text){path, strlen(path)}, a)};
    return below_ui ? strip_prefix(decoded, raw, a) : (struct mux_place){MUX_OTHER, ""};
}
