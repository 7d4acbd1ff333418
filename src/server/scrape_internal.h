/* SPDX-License-Identifier: MIT
 *
 * What the scraper knows of its targets. Private to scrape.c and scrape_state.c. */
#ifndef SERVER_SCRAPE_INTERNAL_H
#define SERVER_SCRAPE_INTERNAL_H

#include "base/libcurl.h"
#include "server/delta.h"
#include "server/scrape.h"

#include <pthread.h>
#include <stdatomic.h>

enum kind_state { KIND_NEW, KIND_WAITING, KIND_OK, KIND_ABSENT, KIND_FAILED };
enum target_state { TARGET_NEW, TARGET_UP, TARGET_DOWN };

struct kind {
    struct delta delta;     /* the scraper's thread only */
    uint64_t base_at_fetch; /* of its target's fetches: when delta's base was taken */
    /* shown, under the lock: */
    enum kind_state state;
    int64_t last_ns, duration_ns;
    uint64_t bytes, stored, restarts;
    char error[512];
};

struct target {
    struct scraper *scraper;
    const struct config_job *job;
    const char *instance, *service_name, *url; /* url without the kind's path */
    const struct store_label *labels;          /* without service_name */
    uint32_t label_count;

    /* the transfer that runs, and the round it is part of; the scraper's thread only */
    CURL *easy;
    char *body;
    size_t body_size, body_cap;
    bool too_large;
    char curl_error[CURL_ERROR_SIZE];
    int turn;       /* -1: between rounds; else an index into the order of kinds */
    int64_t due_ns; /* monotonic */
    int64_t round_start_ns, kind_start_ns;
    unsigned answered, absent; /* kinds in this round */
    uint64_t fetches;          /* so far */
    uint64_t restart_at_fetch; /* the one that showed the last restart; 0: there was none */
    char round_error[512];

    struct kind kinds[CONFIG_KINDS];
    /* shown, under the lock: */
    enum target_state state;
    int64_t last_ns, duration_ns, next_ns, error_ns; /* wall clock; 0: none */
    char error[512];
};

struct scraper {
    const struct config *config;
    struct store *store;
    struct arena arena;
    struct target *targets;
    uint32_t target_count;
    CURLM *multi;
    unsigned running; /* transfers */
    pthread_t thread;
    atomic_bool stop;
    pthread_mutex_t lock; /* of what is shown */
    atomic_uint storing;  /* appends whose answer has not come */
};

#endif
