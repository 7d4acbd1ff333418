/* SPDX-License-Identifier: MIT
 *
 * Turns a profile's flame (analyze/flame.h) into the bytes the page reads. Only forms change here;
 * what the numbers mean is decided in analyze. */
#include "web/body.h"
#include "analyze/refine.h"
#include "web/columns.h"
#include "web/labels.h"

#include <string.h>
#include <strings.h>

/* Gives strings numbers in order of first use. Equal strings from different places of a profile may
 * be sent twice; the frames' tables are small beside the tree. */
struct string_list {
    struct json *j;
    int32_t count;
    struct profile_str last; /* frames of one file or module mostly stand together */
    int32_t last_number;
};

static int32_t list_string(struct string_list *l, struct profile_str s)
{
    if (l->count && s.ptr == l->last.ptr && s.len == l->last.len)
        return l->last_number;
    json_str(l->j, NULL, s);
    l->last = s;
    l->last_number = l->count;
    return l->count++;
}

/* Where the profile's kind is explained, if that is a link to elsewhere; else "". */
static struct profile_str doc_url(const struct profile *p)
{
    struct profile_str url = profile_string(p, p->doc_url);
    bool absolute = (url.len > 7 && !strncasecmp(url.ptr, "http://", 7)) ||
                    (url.len > 8 && !strncasecmp(url.ptr, "https://", 8));
    return absolute ? url : (struct profile_str){"", 0};
}

static void write_facts(struct json *j, const struct profile *p, const struct body_options *o,
                        const struct flame *f)
{
    json_cstr(j, "title", o->title);
    json_array(j, "sample_types");
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        json_object(j, NULL);
        json_str(j, "type", profile_string(p, p->sample_types[i].type));
        json_str(j, "unit", profile_string(p, p->sample_types[i].unit));
        json_object_end(j);
    }
    json_array_end(j);
    json_object(j, "period_type");
    json_str(j, "type", profile_string(p, p->period_type.type));
    json_str(j, "unit", profile_string(p, p->period_type.unit));
    json_object_end(j);
    json_int(j, "period", p->period);
    json_int(j, "time_nanos", p->time_nanos);
    json_int(j, "duration_nanos", p->duration_nanos);
    json_array(j, "comments");
    for (uint32_t i = 0; i < p->comment_count; i++)
        json_str(j, NULL, profile_string(p, p->comments[i]));
    json_array_end(j);
    json_str(j, "doc_url", doc_url(p));
    json_int(j, "sample_count", o->sample_count);
    json_int(j, "total", o->total);
    if (o->flame.mean)
        json_int(j, "mean_total", o->mean_total);
    json_int(j, "left", f->total);
    json_int(j, "left_out", f->left_out_count);
    json_int(j, "lineless", f->lineless > INT64_MAX ? INT64_MAX : (int64_t)f->lineless);
    json_array(j, "given");
    for (size_t i = 0; o->given && i < o->given->count; i++) {
        json_array(j, NULL);
        json_cstr(j, NULL, o->given->items[i].name);
        json_cstr(j, NULL, o->given->items[i].value);
        json_array_end(j);
    }
    json_array_end(j);
}

static void write_divisors(const struct flame *f, struct columns *c)
{
    double *flat = columns_f64(c, "function_flat_div", f->function_count);
    double *cum = columns_f64(c, "function_cum_div", f->function_count);
    for (uint32_t i = 0; i < f->function_count; i++) {
        flat[i] = (double)f->functions[i].flat_div;
        cum[i] = (double)f->functions[i].cum_div;
    }
}

static void write_names(struct json *j, const struct flame *f, struct columns *c)
{
    struct string_list list = {.j = j};
    json_array(j, "strings");
    int32_t *name = columns_i32(c, "function_name", f->function_count);
    double *flat = columns_f64(c, "function_flat", f->function_count);
    double *cum = columns_f64(c, "function_cum", f->function_count);
    for (uint32_t i = 0; i < f->function_count; i++) {
        name[i] = list_string(&list, f->functions[i].name);
        flat[i] = (double)f->functions[i].flat;
        cum[i] = (double)f->functions[i].cum;
    }
    if (f->node_div)
        write_divisors(f, c);
    int32_t *function = columns_i32(c, "frame_function", f->frame_count);
    int32_t *line = columns_i32(c, "frame_line", f->frame_count);
    int32_t *inlined = columns_i32(c, "frame_inlined", f->frame_count);
    for (uint32_t i = 0; i < f->frame_count; i++) {
        int64_t l = f->frames[i].line;
        function[i] = (int32_t)f->frames[i].function;
        line[i] = l > 0 && l <= INT32_MAX ? (int32_t)l : 0;
        inlined[i] = f->frames[i].inlined;
    }
    int32_t *file = columns_i32(c, "frame_file", f->frame_count);
    for (uint32_t i = 0; i < f->frame_count; i++)
        file[i] = list_string(&list, f->frames[i].file);
    int32_t *module = columns_i32(c, "frame_module", f->frame_count);
    for (uint32_t i = 0; i < f->frame_count; i++)
        module[i] = list_string(&list, f->frames[i].module);
    json_array_end(j);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

/* Sampled values are multiples of a period, so that most fit into 32 bits as such. */
struct scale {
    uint64_t unit; /* > 0 */
    bool fits;     /* all values do */
};

static struct scale find_scale(const struct flame *f)
{
    uint64_t unit = 0, max = 0;
    for (uint32_t i = 0; i < f->node_count; i++) {
        uint64_t self = magnitude(f->node_self[i]), weight = f->node_weight ? f->node_weight[i] : 0;
        max = self > max ? self : max;
        max = weight > max ? weight : max;
        if (unit != 1)
            unit = common_divisor(common_divisor(self, weight), unit);
    }
    unit = unit ? unit : 1;
    bool fits = max / unit <= INT32_MAX;
    return (struct scale){fits ? unit : 1, fits};
}

static void write_doubles(struct columns *c, const char *name, const int64_t *values, uint32_t n)
{
    double *column = values ? columns_f64(c, name, n) : NULL;
    for (uint32_t i = 0; column && i < n; i++)
        column[i] = (double)values[i];
}

static void write_tree(struct json *j, const struct flame *f, struct columns *c)
{
    int32_t *parent = columns_i32(c, "node_parent", f->node_count);
    int32_t *frame = columns_i32(c, "node_frame", f->node_count);
    for (uint32_t i = 0; i < f->node_count; i++) {
        uint32_t n = f->node_frame[i];
        parent[i] = (int32_t)f->node_parent[i];
        frame[i] = n == FLAME_NONE ? -1 : n == FLAME_LEFT_OUT ? -2 : (int32_t)n;
    }
    struct scale scale = find_scale(f);
    json_int(j, "self_unit", (int64_t)scale.unit);
    uint32_t n = f->node_count;
    write_doubles(c, "node_div", f->node_div, n);
    if (scale.fits) {
        int32_t *self = columns_i32(c, "node_self", n);
        for (uint32_t i = 0; i < n; i++)
            self[i] = (int32_t)(f->node_self[i] / (int64_t)scale.unit);
        int32_t *weight = f->node_weight ? columns_i32(c, "node_weight", n) : NULL;
        for (uint32_t i = 0; weight && i < n; i++)
            weight[i] = (int32_t)(f->node_weight[i] / scale.unit);
        return;
    }
    write_doubles(c, "node_self", f->node_self, n);
    double *weight = f->node_weight ? columns_f64(c, "node_weight", n) : NULL;
    for (uint32_t i = 0; weight && i < n; i++)
        weight[i] = (double)f->node_weight[i];
}

/* ---- the side before, of a difference ---- */

static int64_t *value_of(struct profile *p, uint32_t sample, uint32_t type)
{
    return &p->values[(size_t)sample * p->sample_type_count + type];
}

/* The sample type that says how often a stack was met, or PROFILE_NONE. */
static uint32_t find_count(const struct profile *p)
{
    for (uint32_t i = 0; i < p->sample_type_count; i++)
        if (profile_str_is(profile_string(p, p->sample_types[i].unit), "count") &&
            (profile_str_is(profile_string(p, p->sample_types[i].type), "samples") ||
             profile_str_is(profile_string(p, p->sample_types[i].type), "sample")))
            return i;
    return PROFILE_NONE;
}

/* The functions of `p` counted with other values, in their order. */
static void add_columns(struct profile *p, const struct body_options *o, const char *flat_name,
                        const char *cum_name, struct columns *c)
{
    struct flame f;
    struct flame_options all = o->flame;
    all.node_limit = 1;
    all.walk = FLAME_FROM_ROOT;
    flame_build_walk(&f, p, &all);
    double *flat = columns_f64(c, flat_name, f.function_count);
    double *cum = columns_f64(c, cum_name, f.function_count);
    for (uint32_t i = 0; i < f.function_count; i++) {
        flat[i] = (double)f.functions[i].flat;
        cum[i] = (double)f.functions[i].cum;
    }
    flame_free(&f);
}

/* Sampling makes of n hits n plus or minus sqrt(n) (report/diff.c). The variance of a stack of
 * value v and n hits is v^2 / n; it is counted in parts of the total, so that sums fit. */
static void write_noise(struct profile *p, const struct body_options *o, struct json *j,
                        struct columns *c)
{
    uint32_t type = o->flame.type, count = find_count(p);
    double parts = 1e9 / (o->total ? (double)o->total : 1);
    if (count == PROFILE_NONE)
        return;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        double v = (double)*value_of(p, i, type) * parts, n = (double)*value_of(p, i, count);
        double variance = n != 0 ? v * v / (n < 0 ? -n : n) : 0;
        *value_of(p, i, type) = variance < 1e15 ? (int64_t)variance : (int64_t)1e15;
    }
    json_double(j, "variance_unit", 1 / (parts * parts));
    add_columns(p, o, "function_flat_variance", "function_cum_variance", c);
}

static void write_sides(struct json *j, const struct profile *p, const struct body_options *o,
                        struct columns *c)
{
    uint32_t type = o->flame.type;
    int64_t before = 0, after = 0;
    for (uint32_t i = 0; i < p->sample_count; i++) {
        int64_t v = p->values[(size_t)i * p->sample_type_count + type];
        *(refine_is_base(p, i) ? &before : &after) += v;
    }
    if (!before)
        return;
    json_object(j, "sides");
    json_int(j, "before", -before);
    json_int(j, "after", after);
    struct profile side;
    profile_copy(&side, p);
    for (uint32_t i = 0; i < side.sample_count; i++)
        if (!refine_is_base(&side, i))
            *value_of(&side, i, type) = 0;
    add_columns(&side, o, "function_flat_before", "function_cum_before", c);
    profile_free(&side);
    profile_copy(&side, p);
    write_noise(&side, o, j, c);
    profile_free(&side);
    json_object_end(j);
}

void body_write(const struct profile *p, const struct body_options *o, struct buf *out)
{
    struct flame f;
    flame_build_walk(&f, p, &o->flame);
    struct arena scratch;
    arena_init(&scratch);
    struct buf text;
    buf_init(&text, &scratch);
    struct json j;
    json_init(&j, &text);
    struct columns c;
    columns_init(&c, &scratch);
    json_object(&j, NULL);
    write_facts(&j, p, o, &f);
    json_int(&j, "type", o->flame.type);
    labels_write(&j, p, o->flame.type);
    write_names(&j, &f, &c);
    write_tree(&j, &f, &c);
    if (f.node_weight && !o->flame.mean)
        write_sides(&j, p, o, &c);
    columns_describe(&c, &j);
    json_object_end(&j);
    columns_write(&c, &text, out);
    arena_free(&scratch);
    flame_free(&f);
}
