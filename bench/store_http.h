/* SPDX-License-Identifier: MIT
 *
 * bench_store's other half: the load of store_load.h through `strobe serve`. */
#ifndef BENCH_STORE_HTTP_H
#define BENCH_STORE_HTTP_H

#include <stdbool.h>
#include <stdint.h>

struct store_http_result {
    uint64_t profiles, refused, resident_bytes;
    double cpu_s, wall_s;
};

/* Pushes `seconds` of the load, a request each, to a server started in `dir`; times are those of
 * the second half. */
void store_http(struct store_http_result *out, const char *strobe, const char *dir, int seconds,
                bool gzip);

#endif
