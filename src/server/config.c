/* SPDX-License-Identifier: MIT
 *
 * What may stand in the configuration, as tables; what it means otherwise, as defaults. All checks
 * are made here, so that a configuration which was read can be used without a thought. */
#include "server/config.h"
#include "base/limits.h"
#include "base/yamldoc.h"
#include "server/labels.h"
#include "server/when.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t second = 1000000000;

const char *const config_kind_names[CONFIG_KINDS] = {"cpu",   "heap",      "allocs",      "block",
                                                     "mutex", "goroutine", "threadcreate"};
const char *const config_paths[CONFIG_KINDS] = {"/profile", "/heap",      "/allocs",      "/block",
                                                "/mutex",   "/goroutine", "/threadcreate"};

void config_default(struct config *c)
{
    struct store_options o;
    store_options_default(&o);
    *c = (struct config){.listen = "127.0.0.1:7070",
                         .retain_ns = o.retain_ns,
                         .retain_bytes = o.retain_bytes,
                         .downsample_ns = o.downsample_ns,
                         .interval_ns = 60 * second,
                         .timeout_ns = 10 * second};
}

/* ---- scalars ---- */

static int read_duration(const struct yamldoc_node *n, void *at, struct err *e)
{
    const char *text = NULL;
    struct err why = {0};
    int rc = yamldoc_text(n, &text, e);
    if (!rc && when_duration(text, at, &why))
        rc = yamldoc_error(n, e, "%s", why.msg);
    return rc;
}

static int read_interval(const struct yamldoc_node *n, void *at, struct err *e)
{
    int rc = read_duration(n, at, e);
    int64_t ns = *(int64_t *)at;
    if (!rc && (ns < second / 10 || ns > 86400 * second))
        rc = yamldoc_error(n, e, "%s has to be from 100ms to 1d", n->key);
    return rc;
}

static int read_duration_or_never(const struct yamldoc_node *n, void *at, struct err *e)
{
    if (n->kind != YAMLDOC_SCALAR || strcmp(n->text, "never"))
        return read_duration(n, at, e);
    *(int64_t *)at = -1;
    return 0;
}

static int read_size_or_none(const struct yamldoc_node *n, void *at, struct err *e)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"B", 1},         {"kB", 1e3},       {"KB", 1e3},   {"MB", 1e6},
                 {"GB", 1e9},      {"TB", 1e12},      {"KiB", 1024}, {"MiB", 1 << 20},
                 {"GiB", 1 << 30}, {"TiB", 1ll << 40}};
    const char *text = NULL;
    int rc = yamldoc_text(n, &text, e);
    if (rc)
        return rc;
    if (!strcmp(text, "none")) {
        *(int64_t *)at = -1;
        return 0;
    }
    char *end = NULL;
    double value = *text >= '0' && *text <= '9' ? strtod(text, &end) : -1;
    for (size_t i = 0; value > 0 && i < sizeof units / sizeof *units; i++) {
        if (strcmp(end + strspn(end, " "), units[i].name) || value * units[i].bytes > 1e18)
            continue;
        *(int64_t *)at = (int64_t)(value * units[i].bytes);
        return 0;
    }
    return yamldoc_error(n, e, "'%.64s' is no size: give a number and a unit, as in 10GB, or none",
                         text);
}

/* ---- profiles ---- */

static int read_seconds(const struct yamldoc_node *n, void *at, struct err *e)
{
    int rc = yamldoc_int(n, at, e);
    int64_t seconds = *(int64_t *)at;
    if (!rc && (seconds < 1 || seconds > 3600))
        rc = yamldoc_error(n, e, "seconds has to be from 1 to 3600");
    return rc;
}

static int read_path(const struct yamldoc_node *n, void *at, struct err *e)
{
    const char *s = NULL;
    int rc = yamldoc_text(n, &s, e);
    if (!rc && (*s != '/' || strpbrk(s, "?# \t\r\n")))
        rc = yamldoc_error(n, e, "'%.64s' is no path: it begins with '/', without a query", s);
    if (!rc)
        *(const char **)at = s;
    return rc;
}

static const struct yamldoc_field profile_keys[] = {
    {"enabled", yamldoc_bool, offsetof(struct config_profile, enabled)},
    {"path", read_path, offsetof(struct config_profile, path)},
    {"delta", yamldoc_bool, offsetof(struct config_profile, delta)},
    {NULL},
};

static const struct yamldoc_field cpu_keys[] = {
    {"enabled", yamldoc_bool, offsetof(struct config_profile, enabled)},
    {"path", read_path, offsetof(struct config_profile, path)},
    {"seconds", read_seconds, offsetof(struct config_profile, seconds)},
    {NULL},
};

/* "mutex: false", or a mapping. */
static int read_profile(const struct yamldoc_node *n, void *at, struct err *e)
{
    struct config_profile *p = at;
    if (n->kind == YAMLDOC_SCALAR)
        return yamldoc_bool(n, &p->enabled, e);
    p->enabled = true; /* to name a kind is to want it */
    return yamldoc_fields(n, p->seconds ? cpu_keys : profile_keys, p, e);
}

#define KIND(name, kind)                                                                           \
    {                                                                                              \
        name, read_profile, (kind) * sizeof(struct config_profile)                                 \
    }
static const struct yamldoc_field kind_keys[] = {
    KIND("cpu", CONFIG_CPU),
    KIND("heap", CONFIG_HEAP),
    KIND("allocs", CONFIG_ALLOCS),
    KIND("block", CONFIG_BLOCK),
    KIND("mutex", CONFIG_MUTEX),
    KIND("goroutine", CONFIG_GOROUTINE),
    KIND("threads", CONFIG_GOROUTINE),
    KIND("threadcreate", CONFIG_THREADCREATE),
    {NULL},
};

static int read_profiles(const struct yamldoc_node *n, void *at, struct err *e)
{
    return yamldoc_fields(n, kind_keys, at, e);
}

/* ---- targets ---- */

struct static_config {
    struct yamldoc_list addresses;
    const struct yamldoc_node *labels;
};

static int read_addresses(const struct yamldoc_node *n, void *at, struct err *e)
{
    const struct yamldoc_list *list = at;
    int rc = yamldoc_texts(n, at, e);
    if (rc)
        return rc;
    if (!list->count)
        return yamldoc_error(n, e, "a static config needs targets");
    for (const struct yamldoc_node *i = n->first; i; i = i->next)
        if (!*i->text || strpbrk(i->text, "/?#@ \t\r\n"))
            return yamldoc_error(i, e,
                                 "'%.100s' is no target: give HOST:PORT, and the path as "
                                 "path_prefix",
                                 i->text);
    return 0;
}

static const struct yamldoc_field static_keys[] = {
    {"targets", read_addresses, offsetof(struct static_config, addresses), .required = true},
    {"labels", yamldoc_node, offsetof(struct static_config, labels)},
    {NULL},
};

static int read_labels(const struct yamldoc_node *map, struct config_target *t, struct err *e)
{
    if (!map)
        return 0;
    if (map->kind != YAMLDOC_MAP)
        return yamldoc_error(map, e, "labels has to be names and values (NAME: VALUE)");
    if (map->count > LIMIT_INGEST_LABELS)
        return yamldoc_error(map, e, "more than %d labels", LIMIT_INGEST_LABELS);
    struct store_label *labels = arena_array(map->doc->arena, map->count, sizeof *labels);
    for (const struct yamldoc_node *n = map->first; n; n = n->next) {
        struct err why = {0};
        struct store_label *l = &labels[t->label_count++];
        int rc = yamldoc_text(n, &l->value, e);
        if (rc)
            return rc;
        l->name = n->key;
        if (labels_check(l->name, l->value, &why))
            return yamldoc_error(n, e, "%s", why.msg);
    }
    t->labels = labels;
    return 0;
}

static int add_targets(const struct yamldoc_node *n, struct config_job *j, struct err *e)
{
    struct static_config s = {0};
    struct config_target common = {0};
    int rc = yamldoc_fields(n, static_keys, &s, e);
    if (!rc)
        rc = read_labels(s.labels, &common, e);
    if (rc)
        return rc;
    if (s.addresses.count > LIMIT_TARGETS || j->target_count + s.addresses.count > LIMIT_TARGETS)
        return yamldoc_error(n, e, "more than %d targets", LIMIT_TARGETS);
    j->targets = arena_grow(n->doc->arena, j->targets, j->target_count * sizeof *j->targets,
                            (j->target_count + s.addresses.count) * sizeof *j->targets);
    for (uint32_t i = 0; i < s.addresses.count; i++) {
        common.address = s.addresses.texts[i];
        j->targets[j->target_count++] = common;
    }
    return 0;
}

static int need_list(const struct yamldoc_node *n, struct err *e)
{
    return n->kind == YAMLDOC_LIST
               ? 0
               : yamldoc_error(n, e, "%s has to be a list, of lines that begin with '- '", n->key);
}

static int read_static_configs(const struct yamldoc_node *n, void *at, struct err *e)
{
    int rc = need_list(n, e);
    for (const struct yamldoc_node *i = n->first; !rc && i; i = i->next)
        rc = add_targets(i, at, e);
    return rc;
}

/* ---- jobs ---- */

static int read_scheme(const struct yamldoc_node *n, void *at, struct err *e)
{
    int rc = yamldoc_text(n, at, e);
    if (!rc && strcmp(n->text, "http") && strcmp(n->text, "https"))
        rc = yamldoc_error(n, e, "scheme has to be http or https");
    return rc;
}

static const struct yamldoc_field job_keys[] = {
    {"job_name", yamldoc_text, offsetof(struct config_job, name), .required = true},
    {"scrape_interval", read_interval, offsetof(struct config_job, interval_ns)},
    {"scrape_timeout", read_interval, offsetof(struct config_job, timeout_ns)},
    {"scheme", read_scheme, offsetof(struct config_job, scheme)},
    {"path_prefix", read_path, offsetof(struct config_job, path_prefix)},
    {"profiles", read_profiles, offsetof(struct config_job, profiles)},
    {"static_configs", read_static_configs, 0},
    {NULL},
};

static void default_job(const struct config *c, struct config_job *j)
{
    *j = (struct config_job){.scheme = "http",
                             .path_prefix = "/debug/pprof",
                             .interval_ns = c->interval_ns,
                             .timeout_ns = c->timeout_ns};
    for (int k = 0; k < CONFIG_KINDS; k++)
        j->profiles[k] = (struct config_profile){
            .enabled = k != CONFIG_ALLOCS, /* heap has the same samples */
            .path = config_paths[k],
            .delta = k != CONFIG_CPU && k != CONFIG_GOROUTINE && k != CONFIG_THREADCREATE,
        };
    j->profiles[CONFIG_CPU].seconds = 10;
}

static int check_job(const struct yamldoc_node *n, const struct config *c, struct err *e)
{
    const struct config_job *j = &c->jobs[c->job_count];
    const struct config_profile *cpu = &j->profiles[CONFIG_CPU];
    struct err why = {0};
    if (labels_check("service_name", j->name, &why))
        return yamldoc_error(n, e, "job_name: %s", why.msg);
    for (uint32_t i = 0; i < c->job_count; i++)
        if (!strcmp(c->jobs[i].name, j->name))
            return yamldoc_error(n, e, "there are two jobs of the name '%.64s'", j->name);
    if (cpu->enabled && cpu->seconds * second > j->interval_ns)
        return yamldoc_error(n, e,
                             "job '%.64s': %" PRId64 " seconds of cpu do not fit into its "
                             "scrape_interval: set profiles: {cpu: {seconds: N}}",
                             j->name, cpu->seconds);
    return 0;
}

static int read_jobs(const struct yamldoc_node *list, void *at, struct err *e)
{
    struct config *c = at;
    uint32_t targets = 0;
    int rc = need_list(list, e);
    if (rc)
        return rc;
    c->jobs = arena_array(list->doc->arena, list->count, sizeof *c->jobs);
    for (const struct yamldoc_node *n = list->first; n; n = n->next) {
        struct config_job *j = &c->jobs[c->job_count];
        default_job(c, j);
        rc = yamldoc_fields(n, job_keys, j, e);
        if (!rc)
            rc = check_job(n, c, e);
        if (rc)
            return rc;
        c->job_count++;
        targets += j->target_count;
        if (targets > LIMIT_TARGETS)
            return yamldoc_error(n, e, "more than %d targets", LIMIT_TARGETS);
    }
    return 0;
}

/* ---- the whole ---- */

static const struct yamldoc_field global_keys[] = {
    {"scrape_interval", read_interval, offsetof(struct config, interval_ns)},
    {"scrape_timeout", read_interval, offsetof(struct config, timeout_ns)},
    {NULL},
};

static const struct yamldoc_field retention_keys[] = {
    {"time", read_duration_or_never, offsetof(struct config, retain_ns)},
    {"size", read_size_or_none, offsetof(struct config, retain_bytes)},
    {"downsample_after", read_duration_or_never, offsetof(struct config, downsample_ns)},
    {NULL},
};

static int read_global(const struct yamldoc_node *n, void *at, struct err *e)
{
    return yamldoc_fields(n, global_keys, at, e);
}

static int read_retention(const struct yamldoc_node *n, void *at, struct err *e)
{
    return yamldoc_fields(n, retention_keys, at, e);
}

static const struct yamldoc_field keys[] = {
    {"listen", yamldoc_text, offsetof(struct config, listen)},
    {"store", yamldoc_text, offsetof(struct config, store)},
    {"retention", read_retention, 0},
    {"global", read_global, 0},
    {"scrape_configs", read_jobs, 0},
    {NULL},
};

/* Jobs take what they do not say from `global`, wherever that stands. */
static int read_document(struct config *c, const struct yamldoc *doc, struct err *e)
{
    const struct yamldoc_node *global = yamldoc_get(doc->root, "global");
    int rc = global ? read_global(global, c, e) : 0;
    return rc ? rc : yamldoc_fields(doc->root, keys, c, e);
}

int config_parse(struct config *c, const char *name, const void *text, size_t size, struct err *e)
{
    struct yamldoc doc;
    yamldoc_init(&doc, name, &c->arena);
    int rc = yamldoc_read(&doc, text, size, e);
    return rc ? rc : read_document(c, &doc, e);
}

int config_read(struct config *c, const char *path, struct err *e)
{
    struct yamldoc doc;
    int rc = yamldoc_read_file(&doc, path, &c->arena, e);
    return rc ? rc : read_document(c, &doc, e);
}

void config_free(struct config *c)
{
    arena_free(&c->arena);
}
