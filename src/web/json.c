/* SPDX-License-Identifier: MIT
 *
 * The JSON writer of the web side. It streams into a buffer and keeps one bit of state, since the
 * end of an object or array is always followed by a comma or another end. */
#include "web/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void json_init(struct json *j, struct buf *out)
{
    *j = (struct json){.out = out};
}

/* Length of the UTF-8 sequence at s, 0 if it is none (overlong, surrogate, cut, beyond U+10FFFF).
 */
static size_t utf8_length(const unsigned char *s, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    if (n < 2)
        return n;
    if (n > len)
        return 0;
    uint32_t code = s[0] & (0x7f >> n);
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[n] || code > 0x10ffff || surrogate ? 0 : n;
}

static void quote(struct buf *b, const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    buf_putc(b, '"');
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length(s + i, len - i);
        if (!n) {
            buf_puts(b, "\xef\xbf\xbd");
            i++;
        } else if (s[i] == '"' || s[i] == '\\') {
            buf_putc(b, '\\');
            buf_putc(b, (char)s[i++]);
        } else if (s[i] < 0x20) {
            buf_printf(b, "\\u%04x", s[i++]);
        } else {
            buf_append(b, s + i, n);
            i += n;
        }
    }
    buf_putc(b, '"');
}

static void begin_value(struct json *j, const char *key)
{
    if (j->comma)
        buf_putc(j->out, ',');
    j->comma = true;
    if (key) {
        quote(j->out, key, strlen(key));
        buf_putc(j->out, ':');
    }
}

void json_key(struct json *j, const char *key)
{
    begin_value(j, key);
    j->comma = false;
}

static void open_level(struct json *j, const char *key, char bracket)
{
    begin_value(j, key);
    buf_putc(j->out, bracket);
    j->comma = false;
}

static void close_level(struct json *j, char bracket)
{
    buf_putc(j->out, bracket);
    j->comma = true;
}

void json_object(struct json *j, const char *key)
{
    open_level(j, key, '{');
}

void json_object_end(struct json *j)
{
    close_level(j, '}');
}

void json_array(struct json *j, const char *key)
{
    open_level(j, key, '[');
}

void json_array_end(struct json *j)
{
    close_level(j, ']');
}

void json_string(struct json *j, const char *key, const char *s, size_t len)
{
    begin_value(j, key);
    quote(j->out, s, len);
}

void json_cstr(struct json *j, const char *key, const char *s)
{
    json_string(j, key, s, strlen(s));
}

void json_str(struct json *j, const char *key, struct profile_str s)
{
    json_string(j, key, s.ptr, s.len);
}

void json_int(struct json *j, const char *key, int64_t v)
{
    begin_value(j, key);
    buf_printf(j->out, "%" PRId64, v);
}

void json_double(struct json *j, const char *key, double v)
{
    begin_value(j, key);
    if (!isfinite(v))
        buf_puts(j->out, "null");
    else
        buf_printf(j->out, "%.15g", v);
}

void json_null(struct json *j, const char *key)
{
    begin_value(j, key);
    buf_puts(j->out, "null");
}

/* Whether brackets outside of strings match, strings end, and all is one object or array. */
static bool text_is_whole(const char *s)
{
    char open[64];
    size_t depth = 0;
    bool quoted = false;
    if (*s != '{' && *s != '[')
        return false;
    for (; *s; s++) {
        if (quoted) {
            if (*s == '\\' && s[1])
                s++;
            else if (*s == '"')
                quoted = false;
        } else if (*s == '"') {
            quoted = true;
        } else if (*s == '{' || *s == '[') {
            if (depth == sizeof open)
                return false;
            open[depth++] = *s == '{' ? '}' : ']';
        } else if (*s == '}' || *s == ']') {
            if (open[--depth] != *s)
                return false;
            if (!depth)
                return !s[1 + strspn(s + 1, " \t\r\n")];
        }
    }
    return false;
}

void json_text(struct json *j, const char *key, const char *text)
{
    begin_value(j, key);
    buf_puts(j->out, text_is_whole(text) ? text : "null");
}

void json_bool(struct json *j, const char *key, bool v)
{
    begin_value(j, key);
    buf_puts(j->out, v ? "true" : "false");
}
