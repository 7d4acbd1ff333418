/* SPDX-License-Identifier: MIT
 *
 * Configurations and times of any bytes: reading neither crashes nor hangs, an error has a
 * sentence, and what was read prints to what reads back to the same print. */
#include "server/config.h"
#include "server/when.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_times(const char *text)
{
    int64_t ns;
    when_duration(text, &ns, NULL);
    when_parse(text, 1795262400000000000, &ns, NULL);
}

/* The print of what was printed is the same print. */
static void check_print(const struct config *c)
{
    struct config again;
    struct buf first, second;
    struct err e = {0};
    config_default(&again);
    buf_init(&first, &again.arena);
    buf_init(&second, &again.arena);
    config_print(c, &first);
    if (config_parse(&again, "printed", first.data, first.len, &e))
        abort();
    config_print(&again, &second);
    if (first.len != second.len || memcmp(first.data, second.data, first.len))
        abort();
    config_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config c;
    struct err e = {0};
    config_default(&c);
    int rc = config_parse(&c, "fuzz", data, size, &e);
    if (rc && !e.msg[0])
        abort();
    if (!rc)
        check_print(&c);
    check_times(arena_strndup(&c.arena, (const char *)data, size < 64 ? size : 64));
    config_free(&c);
    return 0;
}
