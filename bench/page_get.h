/* SPDX-License-Identifier: MIT
 *
 * The little of HTTP that it takes to fetch a page from a server on this machine, for benchmarks:
 * what costs is to be the server. */
#ifndef BENCH_PAGE_GET_H
#define BENCH_PAGE_GET_H

#include <stdbool.h>
#include <stdint.h>

/* A port that nobody listens on just now; 0 when there is none. */
uint16_t page_free_port(void);
/* Waits, ten minutes at most, until somebody listens. */
bool page_wait(uint16_t port);
/* The bytes of the answer to GET, its head included; 0 when it is none, or not "200 OK". */
uint64_t page_get(uint16_t port, const char *path);

#endif
