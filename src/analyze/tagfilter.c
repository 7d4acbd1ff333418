/* SPDX-License-Identifier: MIT
 *
 * -tagfocus and -tagignore (google/pprof internal/driver/driver_focus.go). A value is a range of
 * numbers, "32kb", ":64kb", "4mb:", "1kb:2kb", or regular expressions separated by commas; both may
 * follow "key=". Numbers never match expressions, nor texts ranges. */
#include "analyze/match.h"
#include "analyze/refine.h"
#include "analyze/samples.h"
#include "analyze/unit.h"
#include "base/gotext.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

struct tag_range {
    bool set, has_low, has_high;
    double low, high;
    const char *unit; /* that both ends and every value are scaled to */
};

struct tag_filter {
    struct arena arena;
    const char *key; /* NULL: any */
    struct tag_range range;
    struct regex **rx;
    uint32_t rx_count;
};

/* A signed number with the letters behind it, as the first match of
 * [+-]?[[:digit:]]+[[:alpha:]]* at or after `at`. */
struct quantity {
    size_t from, unit, to;
};

static bool find_quantity(const char *s, size_t at, struct quantity *q)
{
    for (; s[at]; at++) {
        size_t digits = at + (s[at] == '+' || s[at] == '-');
        if (!isdigit((unsigned char)s[digits]))
            continue;
        q->from = at;
        q->unit = digits + strspn(s + digits, "0123456789");
        q->to = q->unit;
        while (isalpha((unsigned char)s[q->to]))
            q->to++;
        return true;
    }
    return false;
}

/* Scales the quantity to `to`, or to its own unit if that is NULL. */
static int scale_quantity(struct tag_filter *f, const char *s, const struct quantity *q,
                          const char *to, struct unit_scaled *out)
{
    char *number = arena_strndup(&f->arena, s + q->from, q->unit - q->from);
    char *unit = arena_strndup(&f->arena, s + q->unit, q->to - q->unit);
    int64_t value;
    if (gotext_parse_int(number, 10, &value) != GOTEXT_OK)
        return -ERANGE;
    *out = unit_scale(value, unit, to ? to : unit);
    return 0;
}

static int parse_range(struct tag_filter *f, const char *s, struct err *e)
{
    struct quantity a, b;
    struct unit_scaled low, high;
    if (!find_quantity(s, 0, &a))
        return 0;
    if (scale_quantity(f, s, &a, NULL, &low))
        return err_set(e, -ERANGE, "failed to parse int %.*s: value out of range",
                       (int)(a.unit - a.from), s + a.from);
    struct tag_range *r = &f->range;
    *r = (struct tag_range){.low = low.value, .high = low.value, .unit = low.unit};
    size_t len = strlen(s);
    if (!find_quantity(s, a.to, &b)) {
        bool whole = a.from == 0 && a.to == len;
        bool from = a.from == 0 && a.to + 1 == len && s[a.to] == ':';
        bool upto = a.from == 1 && a.to == len && s[0] == ':';
        r->has_low = whole || from;
        r->has_high = whole || upto;
        r->set = whole || from || upto;
        return 0;
    }
    if (a.from || s[a.to] != ':' || b.from != a.to + 1 || b.to != len)
        return 0;
    if (scale_quantity(f, s, &b, r->unit, &high))
        return err_set(e, -ERANGE, "failed to parse int %.*s: value out of range",
                       (int)(b.unit - b.from), s + b.from);
    r->high = high.value;
    r->has_low = r->has_high = r->set = !strcmp(high.unit, r->unit);
    return 0;
}

static int compile_list(struct tag_filter *f, const char *option, const char *list, struct err *e)
{
    uint32_t count = 1;
    for (const char *c = list; *c; c++)
        count += *c == ',';
    f->rx = arena_zarray(&f->arena, count, sizeof *f->rx);
    for (; f->rx_count < count; f->rx_count++) {
        size_t n = strcspn(list, ",");
        f->rx[f->rx_count] = regex_compile(list, n, e);
        if (!f->rx[f->rx_count])
            return err_prefix(e, "parsing %s regexp", option);
        list += n + 1;
    }
    return 0;
}

int tag_filter_make(struct tag_filter **out, const char *option, const char *value,
                    const struct refine_say *say, struct err *e)
{
    *out = NULL;
    if (!*value)
        return 0;
    struct tag_filter *f = calloc(1, sizeof *f);
    if (!f)
        return err_set(e, -ENOMEM, "out of memory for the option %s", option);
    const char *equals = strchr(value, '=');
    if (equals) {
        f->key = arena_strndup(&f->arena, value, (size_t)(equals - value));
        value = equals + 1;
        if (!*f->key)
            f->key = NULL;
    }
    int rc = parse_range(f, value, e);
    if (!rc && f->range.set)
        say->line(say->arg, arena_printf(&f->arena, "%s:Interpreted '%s' as range, not regexp",
                                         option, value));
    else if (!rc)
        rc = compile_list(f, option, value, e);
    if (rc)
        tag_filter_free(f);
    else
        *out = f;
    return rc;
}

void tag_filter_free(struct tag_filter *f)
{
    if (!f)
        return;
    for (uint32_t i = 0; i < f->rx_count; i++)
        regex_free(f->rx[i]);
    arena_free(&f->arena);
    free(f);
}

/* One filter at work on one profile. */
struct tag_match {
    const struct tag_filter *f;
    struct profile *p;
    const struct refine_units *units;
    struct match *rx;     /* by expression, over values; with a key only */
    uint8_t *key_wanted;  /* by string: 0 not asked, 1 no, 2 yes */
    const char **unit_of; /* by key's string: its unit, when asked once */
};

static void begin_match(struct tag_match *m, struct profile *p, const struct tag_filter *f,
                        const struct refine_units *units)
{
    *m = (struct tag_match){.f = f, .p = p, .units = units};
    if (!f)
        return;
    m->key_wanted = arena_zarray(&p->arena, p->string_count, 1);
    m->unit_of = arena_zarray(&p->arena, p->string_count, sizeof *m->unit_of);
    m->rx = arena_zarray(&p->arena, f->rx_count, sizeof *m->rx);
    for (uint32_t i = 0; i < f->rx_count; i++)
        match_init(&m->rx[i], p, f->rx[i]);
}

static bool key_wanted(struct tag_match *m, uint32_t string)
{
    if (!m->f->key)
        return true;
    uint8_t *v = &m->key_wanted[string];
    if (!*v) {
        struct profile_str s = m->p->strings[string];
        *v = profile_str_is(s, m->f->key) ? 2 : 1;
    }
    return *v == 2;
}

static bool in_range(struct tag_match *m, const struct profile_label *l)
{
    const struct tag_range *r = &m->f->range;
    const char **unit = &m->unit_of[l->key];
    if (!*unit)
        *unit = refine_unit(m->units, m->p->strings[l->key].ptr, m->p->strings[l->key].len);
    struct unit_scaled s = unit_scale(l->num, *unit, r->unit);
    return !strcmp(s.unit, r->unit) && !(r->has_low && s.value < r->low) &&
           !(r->has_high && s.value > r->high);
}

/* Without key the text matched is "key:value". */
static bool label_matches(struct tag_match *m, const struct profile_label *l, uint32_t rx)
{
    if (m->f->key)
        return match_string(&m->rx[rx], l->str);
    struct profile_str key = m->p->strings[l->key], value = m->p->strings[l->str];
    char small[256], *text = small;
    size_t len = (size_t)key.len + 1 + value.len;
    if (len > sizeof small)
        text = malloc(len);
    if (!text)
        return false;
    memcpy(text, key.ptr, key.len);
    text[key.len] = ':';
    memcpy(text + key.len + 1, value.ptr, value.len);
    bool found = regex_matches(m->f->rx[rx], text, len);
    if (text != small)
        free(text);
    return found;
}

static bool any_label(struct tag_match *m, uint64_t first, uint64_t last, uint32_t rx)
{
    for (uint64_t k = first; k < last; k++) {
        const struct profile_label *l = &m->p->labels[k];
        if (l->str && key_wanted(m, l->key) && label_matches(m, l, rx))
            return true;
    }
    return false;
}

/* A range needs one label inside it. Of expressions, one is enough with a key; without, all have to
 * match some label. */
static bool sample_matches(struct tag_match *m, uint64_t first, uint64_t last)
{
    if (m->f->range.set) {
        for (uint64_t k = first; k < last; k++) {
            const struct profile_label *l = &m->p->labels[k];
            if (!l->str && key_wanted(m, l->key) && in_range(m, l))
                return true;
        }
        return false;
    }
    bool any = m->f->key;
    for (uint32_t i = 0; i < m->f->rx_count; i++)
        if (any_label(m, first, last, i) == any)
            return any;
    return !any;
}

struct refine_matched refine_by_tag(struct profile *p, struct tag_filter *focus,
                                    struct tag_filter *ignore, const struct refine_units *units)
{
    struct refine_matched found = {0};
    if (!focus && !ignore)
        return found;
    struct tag_match m_focus, m_ignore;
    begin_match(&m_focus, p, focus, units);
    begin_match(&m_ignore, p, ignore, units);
    struct samples_edit e;
    samples_begin(&e, p);
    while (samples_next(&e)) {
        bool focused = !focus || sample_matches(&m_focus, e.label_first, e.label_last);
        bool ignored = ignore && sample_matches(&m_ignore, e.label_first, e.label_last);
        found.focus |= focused;
        found.ignore |= ignored;
        if (!focused || ignored)
            continue;
        samples_push_locs(&e, e.loc_first, e.loc_last);
        samples_push_labels(&e, e.label_first, e.label_last);
        samples_commit(&e);
    }
    samples_end(&e);
    return found;
}
