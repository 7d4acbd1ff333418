/* SPDX-License-Identifier: MIT
 *
 * What `perf script` prints: a line for a sample (program, ids, time, event), a line for each frame
 * from the leaf on ("address symbol+0x12 (file)"), an empty line. Each event is a sample type
 * beside the number of samples; those of clocks are nanoseconds. Frames that perf could not name
 * keep their address and their file. */
#include "profile/import/import_internal.h"

#include "base/gotext.h"

static const struct import_pattern head = {
    "\\A(\\S.*?)\\s+(-?[0-9]+)(?:/(-?[0-9]+))?\\s+(?:\\[[0-9]+\\]\\s+)?([0-9]+\\.[0-9]+):\\s+"
    "(?:([0-9]+)\\s+)?([^\\s:][^\\s]*):",
    18};
static const struct import_pattern frame = {
    "\\A([0-9a-f]+)\\s+(.+) \\(([^()]*(?:\\(.*\\))?[^()]*)\\)\\z", 19};

struct reader {
    struct import *im;
    char *events[IMPORT_VALUES_MAX]; /* events[0] is the number of samples */
    int64_t first_ns, last_ns;
};

/* "cycles:u" is "cycles"; clocks tell nanoseconds. */
static const char *event_name(struct import *im, struct text event)
{
    const char *colon = memchr(event.s, ':', event.n);
    bool modifier = colon && event.n - (size_t)(colon - event.s) <= 4;
    size_t n = modifier ? (size_t)(colon - event.s) : event.n;
    const char *name = arena_strndup(&im->scratch, event.s, n);
    return !strcmp(name, "cpu-clock") || !strcmp(name, "task-clock") ? "cpu" : name;
}

/* The event's place among the values; 0 when there are too many. */
static uint32_t value_of(struct reader *r, const char *name)
{
    struct profile *p = r->im->p;
    for (uint32_t i = 1; i < p->sample_type_count; i++)
        if (!strcmp(r->events[i], name))
            return i;
    if (p->sample_type_count == IMPORT_VALUES_MAX)
        return 0;
    uint32_t i = p->sample_type_count;
    r->events[i] = arena_strdup(&r->im->scratch, name);
    import_sample_type(r->im, name, strcmp(name, "cpu") ? "count" : "nanoseconds");
    return i;
}

/* "1234.567890" seconds. */
static int64_t read_time(struct text t)
{
    int64_t ns = 0, unit = 0;
    for (size_t i = 0; i < t.n && ns < INT64_MAX / 20; i++) {
        if (t.s[i] == '.') {
            unit = 1;
        } else if (unit < 1000000000) {
            ns = ns * 10 + (t.s[i] - '0');
            unit *= 10;
        }
    }
    for (unit = unit ? unit : 1; unit < 1000000000 && ns < INT64_MAX / 20; unit *= 10)
        ns *= 10;
    return ns;
}

static void begin_sample(struct reader *r, struct text g[])
{
    struct import *im = r->im;
    int64_t count = 1, pid, tid, ns = read_time(g[4]);
    import_int(im, g[5], 10, &count);
    if (!g[5].n)
        count = 1;
    uint32_t value = value_of(r, event_name(im, g[6]));
    struct import_sample *s = import_sample(im);
    s->values[0] = 1;
    if (value)
        s->values[value] = count;
    if (!r->first_ns || ns < r->first_ns)
        r->first_ns = ns;
    if (ns > r->last_ns)
        r->last_ns = ns;
    import_label(im, "comm", g[1]);
    if (import_int(im, g[2], 10, &pid))
        import_number(im, g[3].n ? "pid" : "tid", pid);
    if (g[3].n && import_int(im, g[3], 10, &tid))
        import_number(im, "tid", tid);
}

/* "main+0x12" is main. */
static struct text without_offset(struct text symbol)
{
    for (size_t i = symbol.n; i-- > 3;)
        if (symbol.s[i - 2] == '+' && symbol.s[i - 1] == '0' && symbol.s[i] == 'x')
            return (struct text){symbol.s, i - 2};
    return symbol;
}

static uint32_t mapping_of(struct import *im, struct text file)
{
    struct profile *p = im->p;
    uint32_t name = import_string(im, file);
    for (uint32_t i = 0; i < p->mapping_count; i++)
        if (p->mappings[i].file == name)
            return i;
    import_mapping(im, &(struct profile_mapping){.file = name});
    return p->mapping_count - 1;
}

static void add_frame(struct import *im, struct text g[])
{
    uint64_t address = 0;
    import_hex(g[1], &address);
    uint32_t mapping = text_is(g[3], "inlined") ? PROFILE_NONE : mapping_of(im, g[3]);
    uint32_t location;
    struct text symbol = without_offset(g[2]);
    if (text_is(symbol, "[unknown]")) {
        location = import_location(im, address);
        if (im->locations[location].mapping == PROFILE_NONE)
            im->locations[location].mapping = mapping;
    } else {
        uint32_t function = import_function(im, symbol, (struct text){"", 0});
        location = import_line_in(im, function, 0, mapping);
        if (mapping != PROFILE_NONE)
            im->p->mappings[mapping].has_functions = true;
    }
    import_frame(im, location);
}

/* Whether the first lines are a sample and a frame of it. */
static bool is_perf_script(struct import *im)
{
    struct text g[IMPORT_GROUPS_MAX];
    struct lines l;
    lines_init(&l, im->input.s, im->input.n);
    for (bool headed = false; lines_next(&l);) {
        struct text line = text_trim(l.line);
        if (lines_is_comment(line))
            continue;
        if (headed)
            return import_match(im, &frame, line, g);
        headed = line.s == l.line.s || l.line.s[0] == ' ';
        if (!headed || !import_match(im, &head, line, g))
            return false;
    }
    return false;
}

int import_perf_script(struct import *im)
{
    struct reader r = {.im = im};
    struct text g[IMPORT_GROUPS_MAX];
    struct lines l;
    if (!is_perf_script(im))
        return IMPORT_UNKNOWN;
    import_sample_type(im, "samples", "count");
    import_period(im, "samples", "count", 1);
    lines_init(&l, im->input.s, im->input.n);
    l.limit = 0;
    bool open = false; /* frames may follow */
    while (lines_next(&l)) {
        struct text line = text_trim(l.line);
        if (!line.n) {
            open = false;
        } else if (!open && line.s[0] != '#' && import_match(im, &head, line, g)) {
            begin_sample(&r, g);
            open = true;
        } else if (open && import_match(im, &frame, line, g)) {
            add_frame(im, g);
        }
    }
    im->p->duration_nanos = r.last_ns - r.first_ns;
    return 0;
}
