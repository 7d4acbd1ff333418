/* SPDX-License-Identifier: MIT
 *
 * Queries of any bytes: `cpu{service_name="api",env=~"prod.*"}`. Reading neither crashes nor hangs,
 * and an error has a sentence. */
#include "store/store.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct store_query q = {0};
    struct err e = {0};
    const char *text = arena_strndup(&arena, (const char *)data, size);
    if (store_query_parse(&q, text, &arena, &e) && !e.msg[0])
        abort();
    for (uint32_t i = 0; i < q.match_count; i++)
        if (!q.matches[i].name || !q.matches[i].value)
            abort();
    arena_free(&arena);
    return 0;
}
