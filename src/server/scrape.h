/* SPDX-License-Identifier: MIT
 *
 * The scraper: fetches the profiles of targets on a thread of its own. The kinds of one target are
 * fetched one after the other, never two at once; targets are independent. */
#ifndef SERVER_SCRAPE_H
#define SERVER_SCRAPE_H

#include "server/config.h"
#include "store/store.h"
#include "web/json.h"

struct scraper;

/* Starts to scrape the targets of `c`, which must outlive the scraper, as must the store. */
int scrape_start(struct scraper **out, const struct config *c, struct store *s, struct err *e);
/* Breaks off what is being fetched, and returns when what was fetched is stored. NULL is fine. */
void scrape_stop(struct scraper *s);

/* Writes the elements of "targets" (docs/api.md) into the open array of `j`. Any thread. */
void scrape_write_targets(struct scraper *s, struct json *j);

#endif
