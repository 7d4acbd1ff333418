/* SPDX-License-Identifier: MIT
 *
 * Requests to the server inside the program, of any bytes: what is read lies in what was sent, a
 * request that is complete stays it when more follows, and no text is without its end. */
#include "runtime/http_message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_request r, again;
    const char *text = (const char *)data;
    if (size > HTTP_REQUEST_MAX)
        size = HTTP_REQUEST_MAX;
    memset(&r, 0, sizeof r);
    memset(&again, 0, sizeof again);
    long n = http_read_request(text, size, &r);
    if (n <= 0)
        return 0;
    char value[64];
    if ((size_t)n > size || r.body + r.body_size != text + n || !memchr(r.path, 0, sizeof r.path) ||
        !memchr(r.query, 0, sizeof r.query) || r.path[0] != '/')
        abort();
    if (http_parameter(&r, "seconds", value, sizeof value) && !memchr(value, 0, sizeof value))
        abort();
    if (http_read_request(text, (size_t)n, &again) != n)
        abort();
    return 0;
}
