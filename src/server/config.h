/* SPDX-License-Identifier: MIT
 *
 * The configuration of `strobe serve`: YAML in Prometheus' manner.
 *
 *     listen: 127.0.0.1:7070
 *     store: sqlite:/var/lib/strobe/strobe.db
 *     retention: {time: 30d, size: 10GB, downsample_after: 7d}
 *     global: {scrape_interval: 1m, scrape_timeout: 10s}
 *     scrape_configs:
 *       - job_name: prometheus
 *         scrape_interval: 15s
 *         scrape_timeout: 10s            # of one transfer, beyond the seconds it profiles
 *         scheme: http
 *         path_prefix: /debug/pprof
 *         profiles:                      # what is not named here keeps its default
 *           cpu: {seconds: 10}
 *           allocs: {enabled: true}
 *           mutex: false                 # short for {enabled: false}
 *           heap: {path: /heap, delta: true}
 *         static_configs:
 *           - targets: ['localhost:9090']
 *             labels: {env: prod}
 *
 * A key that is not known is an error, and every error names file and line. */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

enum config_kind {
    CONFIG_CPU,
    CONFIG_HEAP,
    CONFIG_ALLOCS,
    CONFIG_BLOCK,
    CONFIG_MUTEX,
    CONFIG_GOROUTINE,
    CONFIG_THREADCREATE,
    CONFIG_KINDS
};

/* The kind as it is stored; the scrape's place below path_prefix is config_paths[kind]. */
extern const char *const config_kind_names[CONFIG_KINDS];
extern const char *const config_paths[CONFIG_KINDS];

struct config_profile {
    bool enabled;
    const char *path; /* below path_prefix: "/heap" */
    int64_t seconds;  /* of cpu, else 0 */
    bool delta;       /* cumulative sample types are differenced */
};

struct config_target {
    const char *address; /* HOST:PORT */
    const struct store_label *labels;
    uint32_t label_count;
};

struct config_job {
    const char *name, *scheme, *path_prefix;
    int64_t interval_ns, timeout_ns;
    struct config_profile profiles[CONFIG_KINDS];
    struct config_target *targets;
    uint32_t target_count;
};

struct config {
    struct arena arena; /* owns the texts that the file gave */
    const char *listen; /* HOST:PORT */
    const char *store;  /* URL; NULL: strobe.db in the state directory */
    int64_t retain_ns, retain_bytes, downsample_ns; /* as in store_options */
    int64_t interval_ns, timeout_ns;                /* of jobs that do not say */
    struct config_job *jobs;
    uint32_t job_count;
};

void config_default(struct config *c);
/* Reads a file over `c` (after config_default). -EINVAL with "FILE:LINE: sentence", or what keeps
 * the file from being read. */
int config_read(struct config *c, const char *path, struct err *e);
/* The same from memory; `name` is for the messages. */
int config_parse(struct config *c, const char *name, const void *text, size_t size, struct err *e);
/* What holds, as YAML that config_parse reads back to the same. */
void config_print(const struct config *c, struct buf *out);
void config_free(struct config *c);

#endif
