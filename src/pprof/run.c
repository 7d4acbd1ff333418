/* SPDX-License-Identifier: MIT
 *
 * One command on one profile (google/pprof internal/driver/driver.go and driver_focus.go). The
 * order matters: labels become frames before filters see them, and the total is summed before the
 * filters unless percentages are relative. */
#include "analyze/refine.h"
#include "base/gotext.h"
#include "pprof/output.h"
#include "pprof/pprof_internal.h"
#include "report/report.h"

#include <errno.h>
#include <string.h>

enum { FILTERS_MAX = 16 };

struct run {
    struct profile *p;
    struct settings s;
    struct refine_units units;
    struct arena arena;
    const char *filters[FILTERS_MAX];
    size_t filter_count;
    struct regex *symbol;
    struct object_tools tools;
    struct report report;
};

static void warn_unless(bool matched, const char *option, const char *value)
{
    if (*value && !matched)
        ui_errorf("%s expression matched no samples", option);
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

static int make_filters(struct filters *f, const struct settings *s, struct err *e)
{
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
        rc = tag_filter_make(&f->tagfocus, "tagfocus", s->tagfocus, ui_error, e);
    if (!rc)
        rc = tag_filter_make(&f->tagignore, "tagignore", s->tagignore, ui_error, e);
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

/* -tagshow and -taghide. The expressions are compiled only now: pprof finds their errors last, and
 * still uses the first when the second is wrong. */
static int filter_tags(struct run *r, struct err *e)
{
    struct regex *show, *hide = NULL;
    int rc = compile(&show, "tagshow", r->s.tagshow, e);
    if (!rc)
        rc = compile(&hide, "taghide", r->s.taghide, e);
    if (show || hide) {
        struct refine_matched m = refine_tags(r->p, show, hide);
        warn_unless(m.show || !show, "TagShow", r->s.tagshow);
        warn_unless(m.hide || !hide, "TagHide", r->s.taghide);
    }
    regex_free(show);
    regex_free(hide);
    return rc;
}

static int apply_filters(struct run *r, struct err *e)
{
    struct filters f = {0};
    const struct settings *s = &r->s;
    int rc = make_filters(&f, s, e);
    if (!rc) {
        struct refine_matched m = refine_by_name(r->p, &f.names);
        warn_unless(m.focus, "Focus", s->focus);
        warn_unless(m.ignore, "Ignore", s->ignore);
        warn_unless(m.hide, "Hide", s->hide);
        warn_unless(m.show, "Show", s->show);
        warn_unless(refine_show_from(r->p, f.show_from), "ShowFrom", s->show_from);
        m = refine_by_tag(r->p, f.tagfocus, f.tagignore, &r->units);
        warn_unless(m.focus, "TagFocus", s->tagfocus);
        warn_unless(m.ignore, "TagIgnore", s->tagignore);
        rc = filter_tags(r, e);
    }
    if (!rc && f.prune_from)
        refine_prune_from(r->p, f.prune_from);
    free_filters(&f);
    return rc;
}

static void label_frames(struct run *r)
{
    struct refine_tag_frames frames = {
        .root = r->s.tagroot, .leaf = r->s.tagleaf, .unit = r->s.unit};
    refine_tag_frames(r->p, &frames);
    warn_unless(frames.root_matched, "TagRoot", r->s.tagroot);
    warn_unless(frames.leaf_matched, "TagLeaf", r->s.tagleaf);
}

/* ---- granularity ---- */

static void aggregate(struct run *r)
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
    if (!strcmp(r->s.granularity, "addresses") && !r->s.noinlines)
        return;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(r->s.granularity, table[i].name))
            continue;
        struct refine_detail keep = table[i].detail;
        keep.inlines = !r->s.noinlines;
        keep.column = r->s.showcolumns;
        refine_aggregate(r->p, &keep);
    }
}

/* ---- options of the report ---- */

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

int run_find_index(const struct profile *p, const char *name, uint32_t *index, struct err *e)
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

static void add_filter(struct run *r, const char *name, const char *value)
{
    if (*value)
        r->filters[r->filter_count++] = arena_printf(&r->arena, "%s=%s", name, value);
}

static const char *string_text(struct run *r, uint32_t string)
{
    return arena_strndup(&r->arena, r->p->strings[string].ptr, r->p->strings[string].len);
}

static int make_options(struct run *r, struct report_options *o, struct err *e)
{
    const struct settings *s = &r->s;
    uint32_t index = 0;
    int rc = run_find_index(r->p, s->sample_index, &index, e);
    if (rc)
        return rc;
    if (s->divide_by == 0)
        return err_set(e, -EINVAL, "zero divisor specified");
    add_filter(r, "focus", s->focus);
    add_filter(r, "ignore", s->ignore);
    add_filter(r, "hide", s->hide);
    add_filter(r, "show", s->show);
    add_filter(r, "show_from", s->show_from);
    add_filter(r, "tagfocus", s->tagfocus);
    add_filter(r, "tagignore", s->tagignore);
    add_filter(r, "tagshow", s->tagshow);
    add_filter(r, "taghide", s->taghide);
    const char *type = string_text(r, r->p->sample_types[index].type);
    *o = (struct report_options){
        .values = {index, s->mean},
        .sample_type = s->mean ? arena_printf(&r->arena, "mean_%s", type) : type,
        .sample_unit = string_text(r, r->p->sample_types[index].unit),
        .unit = s->unit,
        .ratio = 1 / s->divide_by,
        .compact_labels = s->compact_labels,
        .by_cum = !strcmp(s->sort, "cum"),
        .drop_negative = s->drop_negative,
        .call_tree = s->call_tree,
        .node_count = s->nodecount,
        .node_fraction = s->nodefraction,
        .edge_fraction = s->edgefraction,
        .active_filters = r->filters,
        .label_units = &r->units,
        .source_path = s->source_path,
        .trim_path = s->trim_path,
        .symbol = r->symbol,
        .tools = &r->tools,
        .intel_syntax = s->intel_syntax,
    };
    return 0;
}

static int run_steps(struct run *r, const struct request *request, struct err *e)
{
    struct report_options o;
    const char *param = request->param;
    command_override(request->command, &r->s);
    label_frames(r);
    int rc = r->s.relative_percentages ? apply_filters(r, e) : 0;
    if (!rc)
        rc = make_options(r, &o, e);
    if (!rc && param) {
        object_tools_find(&r->tools, request->source.tools, &r->arena);
        if (strcasestr(request->source.symbolize, "fastlocal"))
            r->tools.lines = r->tools.names; /* pprof's tools stay fast for its listings */
        o.symbol = r->symbol = regex_compile(param, strlen(param), e);
        if (!r->symbol)
            rc = err_prefix(e, "parsing argument regexp %s", param);
    }
    if (rc)
        return rc;
    report_begin(&r->report, r->p, &o);
    if (!r->s.relative_percentages)
        rc = apply_filters(r, e);
    if (!rc) {
        struct output output = {r->s.output, request->in_shell};
        aggregate(r);
        rc = output_report(&r->report, request->command, &output, e);
    }
    report_end(&r->report);
    return rc;
}

int run_command(struct profile *p, const struct request *request, struct err *e)
{
    struct run r = {.p = p, .s = request->settings};
    refine_units_make(&r.units, p, ui_error);
    int rc = run_steps(&r, request, e);
    regex_free(r.symbol);
    refine_units_free(&r.units);
    arena_free(&r.arena);
    return rc;
}

void run_greet(struct profile *p, const struct settings *s)
{
    struct run r = {.p = p, .s = *s};
    struct report_options o;
    struct err ignored = {0};
    refine_units_make(&r.units, p, ui_error);
    if (!make_options(&r, &o, &ignored)) {
        struct buf labels;
        report_begin(&r.report, p, &o);
        buf_init(&labels, &r.arena);
        report_profile_labels(&r.report, &labels);
        ui_print(buf_cstr(&labels));
        if (!r.report.total && p->sample_type_count > 1)
            ui_print("No samples were found with the default sample value type.\n"
                     "Try \"sample_index\" command to analyze different sample values.");
        report_end(&r.report);
    }
    ui_print("Entering interactive mode (type \"help\" for commands, \"o\" for options)");
    refine_units_free(&r.units);
    arena_free(&r.arena);
}
