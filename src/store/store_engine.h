/* SPDX-License-Identifier: MIT
 *
 * Inside store/: what an engine is. store.c finds it by the URL's scheme and passes every call of
 * store.h on, checked; the functions here mean what those of store.h mean. */
#ifndef STORE_STORE_ENGINE_H
#define STORE_STORE_ENGINE_H

#include "store/store.h"

struct store_engine {
    const char *scheme;
    int (*open)(struct store **out, const char *path, const struct store_options *o, struct err *e);
    void (*close)(struct store *s);
    int (*append)(struct store *s, const struct store_append *a, store_done *done, void *arg,
                  struct err *e);
    int (*list_series)(struct store *s, const struct store_query *q, struct arena *a,
                       struct store_series_list *out, struct err *e);
    int (*list_profiles)(struct store *s, const struct store_query *q, uint32_t limit,
                         struct arena *a, struct store_profile_list *out, struct err *e);
    int (*timeline)(struct store *s, const struct store_query *q,
                    const struct store_timeline_options *o, struct arena *a,
                    struct store_timeline *out, struct err *e);
    int (*top)(struct store *s, const struct store_query *q, const struct store_top_options *o,
               struct arena *a, struct store_top *out, struct err *e);
    int (*trend)(struct store *s, const struct store_query *q, const struct store_trend_options *o,
                 struct arena *a, struct store_trend *out, struct err *e);
    int (*merge)(struct store *s, const struct store_query *q, const struct store_merge_options *o,
                 struct profile *out, struct store_merge_info *info, struct err *e);
    int (*delete_range)(struct store *s, const struct store_query *q, uint64_t *deleted,
                        struct err *e);
    int (*maintain)(struct store *s, int64_t now_ns, struct err *e);
    int (*stats)(struct store *s, struct store_stats *out, struct err *e);
    int (*put_run)(struct store *s, const struct store_run *run, struct err *e);
    int (*list_runs)(struct store *s, const struct store_run_query *q, struct arena *a,
                     struct store_run_list *out, struct err *e);
    int (*delete_run)(struct store *s, const char *id, struct err *e);
    int (*put_setting)(struct store *s, const char *key, const char *value, struct err *e);
    int (*get_setting)(struct store *s, const char *key, struct arena *a, const char **value,
                       struct err *e);
};

/* Every engine's struct begins with this. */
struct store {
    const struct store_engine *engine;
};

extern const struct store_engine store_sqlite;

#endif
