/* SPDX-License-Identifier: MIT
 *
 * What the routes of /api/v1 share. docs/api.md says what each of them gives. */
#ifndef SERVER_API_H
#define SERVER_API_H

#include "server/config.h"
#include "store/store.h"
#include "web/http.h"
#include "web/json.h"

struct runner;
struct scraper;

/* What a route finds behind http_exchange.app. */
struct server {
    const struct config *config;
    struct store *store;
    struct scraper *scraper; /* NULL while there are no targets */
    struct runner *runner;
    struct http_server *http;
    char token[65], token_path[4096];
    int64_t started_ns;
};

/* The HTTP status of a store's error. */
int api_status(int rc);
/* Answers with the status and sentence of an error. */
void api_reply_error(struct http_exchange *x, int rc, const struct err *e);
/* An answer that is one JSON object, in the exchange's arena. api_begin opens it, or, where `rc` is
 * an error with its sentence in `e`, answers that and returns NULL; api_end answers 200. */
struct api_object {
    struct err e;
    struct buf b;
    struct json j;
};
struct json *api_begin(struct http_exchange *x, struct api_object *a, int rc);
void api_end(struct http_exchange *x, struct api_object *a);
/* Answers 200 with what was written. */
void api_reply_json(struct http_exchange *x, struct buf *b);

/* Reads `query`, `from` and `until`; without `from` the range is the last hour, or all time if
 * `all_time`. True, or false when an error was answered. */
bool api_read_query(struct http_exchange *x, bool all_time, struct store_query *q);
/* The range of other parameters: both are needed. */
bool api_read_range(struct http_exchange *x, const char *from, const char *until,
                    struct store_query *q);
/* A whole number from 0 to `max`, `*value` staying as it is without the parameter; or a duration.
 */
bool api_read_count(struct http_exchange *x, const char *name, uint32_t max, uint32_t *value);
bool api_read_step(struct http_exchange *x, int64_t *step_ns);

/* Times and durations as milliseconds; 16 hex digits. */
void api_json_ms(struct json *j, const char *key, int64_t ns);
void api_json_series(struct json *j, const char *key, uint64_t series);

/* Routes, by file: api_lists.c, api_runs.c, api_time.c, api_profile.c, api_state.c, api_suite.c. */
void api_series(struct http_exchange *x);
void api_labels(struct http_exchange *x);
void api_label_values(struct http_exchange *x);
void api_profiles(struct http_exchange *x);
void api_runs(struct http_exchange *x);
void api_run(struct http_exchange *x);
void api_timeline(struct http_exchange *x);
void api_top(struct http_exchange *x);
void api_trend(struct http_exchange *x);
void api_profile(struct http_exchange *x);
void api_targets(struct http_exchange *x);
void api_status_of_server(struct http_exchange *x);
void api_suite(struct http_exchange *x);
void api_suite_current(struct http_exchange *x);
void api_suite_start(struct http_exchange *x);
void api_suite_cancel(struct http_exchange *x);

#endif
