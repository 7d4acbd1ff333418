/* SPDX-License-Identifier: MIT
 *
 * What there is: series, labels and their values, profiles. */
#include "base/limits.h"
#include "server/api.h"

#include <string.h>

static const char *mode_name(enum store_mode m)
{
    return m == STORE_LEVEL ? "level" : "rate";
}

static void write_series(struct json *j, const struct store_series *s)
{
    json_object(j, NULL);
    api_json_series(j, "id", s->id);
    json_cstr(j, "kind", s->kind);
    json_cstr(j, "service_name", s->service_name);
    json_object(j, "labels");
    for (uint32_t i = 0; i < s->label_count; i++)
        json_cstr(j, s->labels[i].name, s->labels[i].value);
    json_object_end(j);
    json_array(j, "types");
    for (uint32_t i = 0; i < s->type_count; i++) {
        json_object(j, NULL);
        json_cstr(j, "type", s->types[i].name);
        json_cstr(j, "unit", s->types[i].unit);
        json_cstr(j, "mode", mode_name(s->types[i].mode));
        json_object_end(j);
    }
    json_array_end(j);
    json_int(j, "default_type", s->default_type);
    api_json_ms(j, "first_ms", s->first_ns);
    api_json_ms(j, "last_ms", s->last_ns);
    json_int(j, "profiles", (int64_t)s->profile_count);
    json_object_end(j);
}

void api_series(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_query q;
    struct store_series_list list;
    struct api_object a = {0};
    if (!api_read_query(x, true, &q))
        return;
    int rc = store_list_series(s->store, &q, x->arena, &list, &a.e);
    struct json *j = api_begin(x, &a, rc);
    if (!j)
        return;
    json_array(j, "series");
    for (uint32_t i = 0; i < list.count; i++)
        write_series(j, &list.series[i]);
    json_array_end(j);
    api_end(x, &a);
}

/* {"KEY": ["name", …]} */
static void reply_names(struct http_exchange *x, const char *key, const struct store_names *n)
{
    struct api_object a = {0};
    struct json *j = api_begin(x, &a, 0);
    json_array(j, key);
    for (uint32_t i = 0; i < n->count; i++)
        json_cstr(j, NULL, n->names[i]);
    json_array_end(j);
    api_end(x, &a);
}

void api_labels(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_query q;
    struct store_names names;
    struct err e = {0};
    if (!api_read_query(x, true, &q))
        return;
    int rc = store_list_labels(s->store, &q, x->arena, &names, &e);
    if (rc)
        api_reply_error(x, rc, &e);
    else
        reply_names(x, "labels", &names);
}

/* /api/v1/labels/NAME/values */
void api_label_values(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_query q;
    struct store_names names;
    struct err e = {0};
    const char *name = x->path + strlen("/api/v1/labels/"), *slash = strrchr(name, '/');
    if (!slash || slash == name || strcmp(slash, "/values")) {
        http_reply_error(x, 404, "there is nothing here; did you mean /api/v1/labels/NAME/values?");
        return;
    }
    name = arena_strndup(x->arena, name, (size_t)(slash - name));
    if (!api_read_query(x, true, &q))
        return;
    int rc = store_list_values(s->store, &q, name, x->arena, &names, &e);
    if (rc)
        api_reply_error(x, rc, &e);
    else
        reply_names(x, "values", &names);
}

static void write_profile(struct json *j, const struct store_profile *p)
{
    char id[STORE_ID_TEXT_MAX];
    store_id_format(p->id, id);
    json_object(j, NULL);
    json_cstr(j, "id", id);
    api_json_series(j, "series", p->id.series);
    api_json_ms(j, "time_ms", p->time_ns);
    api_json_ms(j, "duration_ms", p->duration_ns);
    json_int(j, "period", p->period);
    json_int(j, "samples", p->sample_count);
    if (p->lost_samples < 0)
        json_null(j, "lost");
    else
        json_int(j, "lost", p->lost_samples);
    json_int(j, "total", p->total);
    json_bool(j, "only_sum", p->only_sum);
    json_object_end(j);
}

void api_profiles(struct http_exchange *x)
{
    struct server *s = x->app;
    struct store_query q;
    struct store_profile_list list;
    struct api_object a = {0};
    uint32_t limit = 1000;
    if (!api_read_query(x, true, &q) || !api_read_count(x, "limit", 100000, &limit))
        return;
    int rc = store_list_profiles(s->store, &q, limit, x->arena, &list, &a.e);
    struct json *j = api_begin(x, &a, rc);
    if (!j)
        return;
    json_array(j, "profiles");
    for (uint32_t i = 0; i < list.count; i++)
        write_profile(j, &list.profiles[i]);
    json_array_end(j);
    json_bool(j, "more", list.more);
    json_int(j, "damaged", (int64_t)list.damaged);
    api_end(x, &a);
}
