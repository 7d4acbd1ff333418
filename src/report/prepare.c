/* SPDX-License-Identifier: MIT
 *
 * One report on one profile (google/pprof internal/driver/driver.go and driver_focus.go). The
 * order matters: labels become frames before filters see them, and the total is summed before the
 * filters unless percentages are relative. */
#include "report/prepare.h"

#include "base/gotext.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILTERS_MAX = 16 };

struct preparing {
    struct prepared *r;
    struct profile *p;
    const struct prepare_request *q;
    const struct settings *s;
};

static void warn_unless(const struct preparing *c, bool matched, const char *option,
                        const char *value)
{
    char line[64];
    if (!*value || matched)
        return;
    snprintf(line, sizeof line, "%s expression matched no samples", option);
    c->q->say.line(c->q->say.arg, line);
}

static int compile(struct regex **out, const char *name, const char *pattern, struct err *e)
{
    *out = NULL;
    if (!*pattern)
        return 0;
    *out = regex_compile(pattern, strlen(pattern), e);
    return *out ? 0 : err_prefix(e, "parsing %s regexp", name);
}

/* ---- filters ---- */

struct filters {
    struct refine_names names;
    struct regex *show_from, *prune_from;
    struct tag_filter *tagfocus, *tagignore;
};

static int make_filters(struct filters *f, const struct preparing *c, struct err *e)
{
    const struct settings *s = c->s;
    int rc = compile(&f->names.focus, "focus", s->focus, e);
    if (!rc)
        rc = compile(&f->names.ignore, "ignore", s->ignore, e);
    if (!rc)
        rc = compile(&f->names.hide, "hide", s->hide, e);
    if (!rc)
        rc = compile(&f->names.show, "show", s->show, e);
    if (!rc)
        rc = compile(&f->show_from, "show_from", s->show_from, e);
    if (!rc)
        rc = tag_filter_make(&f->tagfocus, "tagfocus", s->tagfocus, &c->q->say, e);
    if (!rc)
        rc = tag_filter_make(&f->tagignore, "tagignore", s->tagignore, &c->q->say, e);
    if (!rc)
        rc = compile(&f->prune_from, "prune_from", s->prune_from, e);
    return rc;
}

static void free_filters(struct filters *f)
{
    regex_free(f->names.focus);
    regex_free(f->names.ignore);
    regex_free(f->names.hide);
    regex_free(f->names.show);
    regex_free(f->show_from);
    regex_free(f->prune_from);
    tag_filter_free(f->tagfocus);
    tag_filter_free(f->tagignore);
}

/* One filter of a list, on what those before it have left. */
static int apply_one(const struct preparing *c, const struct prepare_filter *more, struct err *e)
{
    const char *name = more->option->name;
    bool focus = !strcmp(name, "tagfocus");
    if (focus || !strcmp(name, "tagignore")) {
        struct tag_filter *tags;
        int rc = tag_filter_make(&tags, name, more->value, &c->q->say, e);
        if (!rc && tags)
            refine_by_tag(c->p, focus ? tags : NULL, focus ? NULL : tags, &c->r->units);
        tag_filter_free(rc ? NULL : tags);
        return rc;
    }
    struct regex *rx;
    int rc = compile(&rx, name, more->value, e);
    if (rc || !rx)
        return rc;
    struct refine_names names = {
        .focus = strcmp(name, "focus") ? NULL : rx,
        .ignore = strcmp(name, "ignore") ? NULL : rx,
        .hide = strcmp(name, "hide") ? NULL : rx,
        .show = strcmp(name, "show") ? NULL : rx,
    };
    if (!strcmp(name, "show_from"))
        refine_show_from(c->p, rx);
    else
        refine_by_name(c->p, &names);
    regex_free(rx);
    return 0;
}

/* The further filters of the kinds in `kinds`. Samples are dropped before frames are hidden, so
 * that it makes no difference which of several stands in the settings. */
static int apply_more(const struct preparing *c, const char *const kinds[], struct err *e)
{
    int rc = 0;
    for (; *kinds; kinds++)
        for (size_t i = 0; !rc && i < c->q->more_count; i++)
            if (!strcmp(c->q->more[i].option->name, *kinds))
                rc = apply_one(c, &c->q->more[i], e);
    return rc;
}

/* -tagshow and -taghide. The expressions are compiled only now: pprof finds their errors last, and
 * still uses the first when the second is wrong. */
static int filter_tags(const struct preparing *c, struct err *e)
{
    struct regex *show, *hide = NULL;
    int rc = compile(&show, "tagshow", c->s->tagshow, e);
    if (!rc)
        rc = compile(&hide, "taghide", c->s->taghide, e);
    if (show || hide) {
        struct refine_matched m = refine_tags(c->p, show, hide);
        warn_unless(c, m.show || !show, "TagShow", c->s->tagshow);
        warn_unless(c, m.hide || !hide, "TagHide", c->s->taghide);
    }
    regex_free(show);
    regex_free(hide);
    return rc;
}

static int filter_stacks(const struct preparing *c, const struct filters *f, struct err *e)
{
    static const char *const before[] = {"focus", "ignore", NULL};
    static const char *const after[] = {"hide", "show", NULL};
    static const char *const cuts[] = {"show_from", NULL};
    const struct settings *s = c->s;
    int rc = apply_more(c, before, e);
    if (rc)
        return rc;
    struct refine_matched m = refine_by_name(c->p, &f->names);
    warn_unless(c, m.focus, "Focus", s->focus);
    warn_unless(c, m.ignore, "Ignore", s->ignore);
    warn_unless(c, m.hide, "Hide", s->hide);
    warn_unless(c, m.show, "Show", s->show);
    rc = apply_more(c, after, e);
    if (rc)
        return rc;
    warn_unless(c, refine_show_from(c->p, f->show_from), "ShowFrom", s->show_from);
    return apply_more(c, cuts, e);
}

static int apply_filters(const struct preparing *c, struct err *e)
{
    static const char *const tags[] = {"tagfocus", "tagignore", NULL};
    struct filters f = {0};
    int rc = make_filters(&f, c, e);
    if (!rc)
        rc = filter_stacks(c, &f, e);
    if (!rc) {
        struct refine_matched m = refine_by_tag(c->p, f.tagfocus, f.tagignore, &c->r->units);
        warn_unless(c, m.focus, "TagFocus", c->s->tagfocus);
        warn_unless(c, m.ignore, "TagIgnore", c->s->tagignore);
        rc = apply_more(c, tags, e);
    }
    if (!rc)
        rc = filter_tags(c, e);
    if (!rc && f.prune_from)
        refine_prune_from(c->p, f.prune_from);
    free_filters(&f);
    return rc;
}

static void label_frames(const struct preparing *c)
{
    struct refine_tag_frames frames = {
        .root = c->s->tagroot, .leaf = c->s->tagleaf, .unit = c->s->unit};
    refine_tag_frames(c->p, &frames);
    warn_unless(c, frames.root_matched, "TagRoot", c->s->tagroot);
    warn_unless(c, frames.leaf_matched, "TagLeaf", c->s->tagleaf);
}

bool prepare_is_whole(const struct prepare_request *q)
{
    const struct settings *s = q->settings;
    const char *const filters[] = {
        s->focus,    s->ignore,    s->hide,    s->show,    s->show_from, s->prune_from,
        s->tagfocus, s->tagignore, s->tagshow, s->taghide, s->tagroot,   s->tagleaf,
    };
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (*filters[i])
            return false;
    return !q->more_count && !s->noinlines;
}

/* ---- granularity ---- */

static void aggregate(const struct preparing *c)
{
    static const struct {
        const char *name;
        struct refine_detail detail;
    } table[] = {
        {"", {.function = true}},
        {"functions", {.function = true}},
        {"filefunctions", {.function = true, .file = true}},
        {"files", {.file = true}},
        {"lines", {.function = true, .file = true, .line = true}},
        {"addresses", {.function = true, .file = true, .line = true, .address = true}},
    };
    if (!strcmp(c->s->granularity, "addresses") && !c->s->noinlines)
        return;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(c->s->granularity, table[i].name))
            continue;
        struct refine_detail keep = table[i].detail;
        keep.inlines = !c->s->noinlines;
        keep.column = c->s->showcolumns;
        refine_aggregate(c->p, &keep);
    }
}

/* ---- sample types ---- */

static int unknown_index(const struct profile *p, const char *name, struct err *e)
{
    struct arena scratch;
    struct buf text;
    arena_init(&scratch);
    buf_init(&text, &scratch);
    buf_puts(&text, "sample_index ");
    gotext_quote(&text, name, strlen(name));
    buf_puts(&text, " must be one of: [");
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        struct profile_str type = p->strings[p->sample_types[i].type];
        buf_puts(&text, i ? " " : "");
        buf_append(&text, type.ptr, type.len);
    }
    err_set(e, -EINVAL, "%s]", buf_cstr(&text));
    arena_free(&scratch);
    return -EINVAL;
}

static uint32_t default_index(const struct profile *p)
{
    struct profile_str dflt = p->strings[p->default_sample_type];
    for (uint32_t i = 0; dflt.len && i < p->sample_type_count; i++) {
        struct profile_str type = p->strings[p->sample_types[i].type];
        if (type.len == dflt.len && !memcmp(type.ptr, dflt.ptr, dflt.len))
            return i;
    }
    return p->sample_type_count - 1;
}

int prepare_find_index(const struct profile *p, const char *name, uint32_t *index, struct err *e)
{
    int64_t number;
    if (!p->sample_type_count)
        return err_set(e, -EINVAL, "profile has no samples");
    if (!*name) {
        *index = default_index(p);
        return 0;
    }
    if (gotext_parse_int(name, 10, &number) == GOTEXT_OK) {
        if (number < 0 || number >= p->sample_type_count)
            return err_set(e, -EINVAL, "sample_index %s is outside the range [0..%u]", name,
                           p->sample_type_count - 1);
        *index = (uint32_t)number;
        return 0;
    }
    const char *short_name = strncmp(name, "inuse_", 6) ? name : name + 6;
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        if (profile_str_is(p->strings[p->sample_types[i].type], name) ||
            profile_str_is(p->strings[p->sample_types[i].type], short_name)) {
            *index = i;
            return 0;
        }
    }
    return unknown_index(p, name, e);
}

/* ---- options of the report ---- */

static void note_filter(const struct preparing *c, const char *name, const char *value)
{
    struct prepared *r = c->r;
    if (*value)
        r->filters[r->filter_count++] = arena_printf(&r->arena, "%s=%s", name, value);
    for (size_t i = 0; i < c->q->more_count; i++)
        if (!strcmp(c->q->more[i].option->name, name))
            r->filters[r->filter_count++] =
                arena_printf(&r->arena, "%s=%s", name, c->q->more[i].value);
}

static void note_filters(const struct preparing *c)
{
    const struct settings *s = c->s;
    c->r->filters =
        arena_zarray(&c->r->arena, FILTERS_MAX + c->q->more_count, sizeof *c->r->filters);
    note_filter(c, "focus", s->focus);
    note_filter(c, "ignore", s->ignore);
    note_filter(c, "hide", s->hide);
    note_filter(c, "show", s->show);
    note_filter(c, "show_from", s->show_from);
    note_filter(c, "tagfocus", s->tagfocus);
    note_filter(c, "tagignore", s->tagignore);
    note_filter(c, "tagshow", s->tagshow);
    note_filter(c, "taghide", s->taghide);
}

static const char *string_text(const struct preparing *c, uint32_t string)
{
    return arena_strndup(&c->r->arena, c->p->strings[string].ptr, c->p->strings[string].len);
}

static int make_options(const struct preparing *c, struct report_options *o, struct err *e)
{
    const struct settings *s = c->s;
    uint32_t index = 0;
    int rc = prepare_find_index(c->p, s->sample_index, &index, e);
    if (rc)
        return rc;
    if (s->divide_by == 0)
        return err_set(e, -EINVAL, "zero divisor specified");
    note_filters(c);
    const char *type = string_text(c, c->p->sample_types[index].type);
    *o = (struct report_options){
        .values = {index, s->mean},
        .sample_type = s->mean ? arena_printf(&c->r->arena, "mean_%s", type) : type,
        .sample_unit = string_text(c, c->p->sample_types[index].unit),
        .unit = s->unit,
        .ratio = 1 / s->divide_by,
        .compact_labels = s->compact_labels,
        .by_cum = !strcmp(s->sort, "cum"),
        .drop_negative = s->drop_negative,
        .escape_all = c->q->escape_all,
        .max_listed = c->q->max_listed,
        .quiet = c->q->quiet,
        .call_tree = s->call_tree,
        .node_count = s->nodecount,
        .node_fraction = s->nodefraction,
        .edge_fraction = s->edgefraction,
        .active_filters = c->r->filters,
        .label_units = &c->r->units,
        .source_path = s->source_path,
        .trim_path = s->trim_path,
        .tools = &c->r->tools,
        .intel_syntax = s->intel_syntax,
    };
    return 0;
}

static int take_param(const struct preparing *c, struct report_options *o, struct err *e)
{
    struct prepared *r = c->r;
    const char *param = c->q->param;
    object_tools_find(&r->tools, c->q->tools ? c->q->tools : "", &r->arena);
    if (c->q->symbolize && strcasestr(c->q->symbolize, "fastlocal"))
        r->tools.lines = r->tools.names; /* pprof's tools stay fast for its listings */
    o->symbol = r->symbol = regex_compile(param, strlen(param), e);
    return r->symbol ? 0 : err_prefix(e, "parsing argument regexp %s", param);
}

static void begin(struct preparing *c, struct prepared *r, struct profile *p,
                  const struct prepare_request *q)
{
    *r = (struct prepared){.settings = *q->settings};
    *c = (struct preparing){r, p, q, &r->settings};
    refine_units_make(&r->units, p, &q->say);
}

int prepare_report(struct prepared *r, struct profile *p, const struct prepare_request *q,
                   struct err *e)
{
    struct preparing c;
    struct report_options o;
    begin(&c, r, p, q);
    if (q->command)
        command_override(q->command, &r->settings);
    label_frames(&c);
    int rc = r->settings.relative_percentages ? apply_filters(&c, e) : 0;
    if (!rc)
        rc = make_options(&c, &o, e);
    if (!rc && q->param)
        rc = take_param(&c, &o, e);
    if (rc)
        return rc;
    report_begin(&r->report, p, &o);
    if (!r->settings.relative_percentages)
        rc = apply_filters(&c, e);
    if (!rc)
        aggregate(&c);
    return rc;
}

static int check_filters(const struct preparing *c, struct err *e)
{
    struct filters f = {0};
    struct regex *rx = NULL;
    int rc = make_filters(&f, c, e);
    free_filters(&f);
    for (size_t i = 0; !rc && i < c->q->more_count; i++) {
        const struct prepare_filter *more = &c->q->more[i];
        struct tag_filter *tags = NULL;
        if (!strncmp(more->option->name, "tag", 3))
            rc = tag_filter_make(&tags, more->option->name, more->value, &c->q->say, e);
        else
            rc = compile(&rx, more->option->name, more->value, e);
        tag_filter_free(tags);
        regex_free(rx);
        rx = NULL;
    }
    if (!rc)
        rc = compile(&rx, "tagshow", c->s->tagshow, e);
    regex_free(rx);
    rx = NULL;
    if (!rc)
        rc = compile(&rx, "taghide", c->s->taghide, e);
    regex_free(rx);
    return rc;
}

int prepare_check(const struct profile *p, const struct prepare_request *q, struct err *e)
{
    struct preparing c = {.q = q, .s = q->settings};
    uint32_t index;
    int rc = c.s->relative_percentages ? check_filters(&c, e) : 0;
    if (!rc)
        rc = prepare_find_index(p, c.s->sample_index, &index, e);
    if (!rc && c.s->divide_by == 0)
        rc = err_set(e, -EINVAL, "zero divisor specified");
    if (!rc && !c.s->relative_percentages)
        rc = check_filters(&c, e);
    return rc;
}

int prepare_plain(struct prepared *r, struct profile *p, const struct prepare_request *q,
                  struct err *e)
{
    struct preparing c;
    struct report_options o;
    begin(&c, r, p, q);
    int rc = make_options(&c, &o, e);
    if (!rc)
        report_begin(&r->report, p, &o);
    return rc;
}

void prepare_end(struct prepared *r)
{
    report_end(&r->report);
    regex_free(r->symbol);
    refine_units_free(&r->units);
    arena_free(&r->arena);
}
