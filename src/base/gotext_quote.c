/* SPDX-License-Identifier: MIT
 *
 * Go's quoted strings, and the UTF-8 that they are made of. Apart from the other texts because
 * libstrobe quotes, too, and is to have nothing of theirs. */
#include "base/gotext.h"

#include <string.h>

size_t gotext_rune(const char *s, size_t len, uint32_t *rune)
{
    const unsigned char *b = (const unsigned char *)s;
    *rune = 0xfffd;
    if (!len)
        return 0;
    if (b[0] < 0x80) {
        *rune = b[0];
        return 1;
    }
    size_t n = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
    if (b[0] < 0xc2 || b[0] > 0xf4 || len < n)
        return 1;
    uint32_t r = b[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return 1;
        r = r << 6 | (b[i] & 0x3f);
    }
    if ((n == 3 && r < 0x800) || (n == 4 && (r < 0x10000 || r > 0x10ffff)) ||
        (r >= 0xd800 && r < 0xe000))
        return 1;
    *rune = r;
    return n;
}

size_t gotext_utf8_valid(const char *s, size_t len)
{
    size_t at = 0;
    while (at < len) {
        if ((unsigned char)s[at] < 0x80) {
            at++;
            continue;
        }
        uint32_t rune;
        size_t n = gotext_rune(s + at, len - at, &rune);
        if (n == 1)
            return at;
        at += n;
    }
    return len;
}

/* What strconv.IsPrint says, as far as it matters for names: control and format characters,
 * surrogates, separators and private use are not printable. */
static bool is_print(uint32_t r)
{
    if (r < 0x20 || r == 0x7f || (r >= 0x80 && r <= 0xa0) || r == 0xad)
        return false;
    if ((r >= 0x2000 && r <= 0x200f) || (r >= 0x2028 && r <= 0x202f) || r == 0x205f ||
        (r >= 0x2060 && r <= 0x206f) || r == 0x3000 || r == 0xfeff || r == 0x1680)
        return false;
    return !(r >= 0xe000 && r <= 0xf8ff) && r < 0xe0000 && (r & 0xfffe) != 0xfffe;
}

static void quote_rune(struct buf *out, uint32_t r, const char *s, size_t n)
{
    static const char names[] = "\aa\bb\ff\nn\rr\tt\vv";
    if (r == '"' || r == '\\') {
        buf_printf(out, "\\%c", (char)r);
    } else if (is_print(r)) {
        buf_append(out, s, n);
    } else if (r && r < 0x20 && strchr(names, (int)r)) {
        buf_printf(out, "\\%c", strchr(names, (int)r)[1]);
    } else if (r < 0x20 || r == 0x7f) {
        buf_printf(out, "\\x%02x", r);
    } else {
        buf_printf(out, r > 0xffff ? "\\U%08x" : "\\u%04x", r);
    }
}

void gotext_quote(struct buf *out, const char *s, size_t len)
{
    buf_putc(out, '"');
    for (size_t at = 0; at < len;) {
        uint32_t r;
        size_t n = gotext_rune(s + at, len - at, &r);
        if (n == 1 && r == 0xfffd)
            buf_printf(out, "\\x%02x", (unsigned char)s[at]);
        else
            quote_rune(out, r, s + at, n);
        at += n;
    }
    buf_putc(out, '"');
}
