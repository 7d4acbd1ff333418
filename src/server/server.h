/* SPDX-License-Identifier: MIT
 *
 * `strobe serve` as a whole: the store, the scraper and the routes, started and ended in order. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "server/config.h"

struct server;

/* Opens the store, listens, begins to scrape. `c` must outlive the server. Nothing is left running
 * or locked after an error. */
int server_start(struct server **out, const struct config *c, struct err *e);
/* "http://127.0.0.1:7070/#token=…"; valid until server_stop. */
const char *server_link(const struct server *s);
/* Takes no more, answers what has come in, and closes the store. NULL is fine. */
void server_stop(struct server *s);

#endif
