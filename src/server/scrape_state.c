/* SPDX-License-Identifier: MIT
 *
 * How scraping goes, written for /api/v1/targets. It reads what scrape.c shows under its lock, and
 * touches nothing else of a target: transfers go on meanwhile. */
#include "server/api.h"
#include "server/scrape_internal.h"

static const char *const kind_states[] = {"new", "waiting", "ok", "absent", "failed"};
static const char *const target_states[] = {"new", "up", "down"};

static void write_time(struct json *j, const char *key, int64_t ns)
{
    if (ns)
        api_json_ms(j, key, ns);
    else
        json_null(j, key);
}

static void write_kind(struct json *j, const char *name, const struct kind *k)
{
    json_object(j, NULL);
    json_cstr(j, "kind", name);
    json_cstr(j, "state", kind_states[k->state]);
    write_time(j, "last_ms", k->last_ns);
    api_json_ms(j, "duration_ms", k->duration_ns);
    json_int(j, "bytes", (int64_t)k->bytes);
    json_int(j, "stored", (int64_t)k->stored);
    json_int(j, "restarts", (int64_t)k->restarts);
    json_cstr(j, "error", k->error);
    json_object_end(j);
}

static void write_target(struct json *j, const struct target *t)
{
    json_object(j, NULL);
    json_cstr(j, "job", t->job->name);
    json_cstr(j, "url", t->url);
    json_cstr(j, "service_name", t->service_name);
    json_cstr(j, "instance", t->instance);
    json_object(j, "labels");
    for (uint32_t i = 0; i < t->label_count; i++)
        json_cstr(j, t->labels[i].name, t->labels[i].value);
    json_object_end(j);
    json_cstr(j, "state", target_states[t->state]);
    api_json_ms(j, "interval_ms", t->job->interval_ns);
    write_time(j, "last_ms", t->last_ns);
    api_json_ms(j, "duration_ms", t->duration_ns);
    write_time(j, "next_ms", t->next_ns);
    json_cstr(j, "error", t->error);
    write_time(j, "error_ms", t->error_ns);
    json_array(j, "kinds");
    for (int k = 0; k < CONFIG_KINDS; k++)
        if (t->job->profiles[k].enabled)
            write_kind(j, config_kind_names[k], &t->kinds[k]);
    json_array_end(j);
    json_object_end(j);
}

void scrape_write_targets(struct scraper *s, struct json *j)
{
    pthread_mutex_lock(&s->lock);
    for (uint32_t i = 0; i < s->target_count; i++)
        write_target(j, &s->targets[i]);
    pthread_mutex_unlock(&s->lock);
}
