/* SPDX-License-Identifier: MIT
 *
 * Folded stacks, as Brendan Gregg's FlameGraph scripts write them: "root;caller;leaf 12" a line. A
 * file is one if every line of it is, and some line has more than one frame. */
#include "profile/import/import_internal.h"

/* "STACK COUNT"; a fraction of a count is cut. */
static bool split(struct text line, struct text *stack, uint64_t *count)
{
    size_t at = line.n, digits = 0;
    uint64_t v = 0, unit = 1;
    bool fraction = false;
    for (; at > 0; at--) {
        char c = line.s[at - 1];
        if (c == '.' && !fraction) {
            fraction = true;
            v = 0;
            unit = 1;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        if (++digits > 18)
            return false;
        v += (uint64_t)(c - '0') * unit;
        unit *= 10;
    }
    if (!digits || !at || (line.s[at - 1] != ' ' && line.s[at - 1] != '\t'))
        return false;
    *stack = text_trim((struct text){line.s, at - 1});
    *count = v;
    return stack->n > 0;
}

static bool is_folded(struct text input)
{
    struct lines l;
    struct text stack;
    uint64_t count;
    bool deep = false, any = false;
    lines_init(&l, input.s, input.n);
    l.limit = 0;
    while (lines_next(&l)) {
        struct text line = text_trim(l.line);
        if (lines_is_comment(line))
            continue;
        if (!split(line, &stack, &count) || memchr(line.s, 0, line.n))
            return false;
        any = true;
        deep |= memchr(stack.s, ';', stack.n) != NULL;
    }
    return any && deep;
}

static void add_stack(struct import *im, struct text stack, uint64_t count)
{
    import_sample(im)->values[0] = (int64_t)count;
    while (stack.n) {
        const char *semicolon = memrchr(stack.s, ';', stack.n);
        size_t first = semicolon ? (size_t)(semicolon - stack.s) + 1 : 0;
        struct text frame = text_from(stack, first);
        if (frame.n)
            import_frame(im, import_line(im, import_function(im, frame, (struct text){"", 0}), 0));
        stack.n = semicolon ? first - 1 : 0;
    }
}

int import_folded(struct import *im)
{
    struct lines l;
    if (!is_folded(im->input))
        return IMPORT_UNKNOWN;
    import_sample_type(im, "samples", "count");
    import_period(im, "samples", "count", 1);
    lines_init(&l, im->input.s, im->input.n);
    l.limit = 0;
    while (lines_next(&l)) {
        struct text stack, line = text_trim(l.line);
        uint64_t count;
        if (!lines_is_comment(line) && split(line, &stack, &count))
            add_stack(im, stack, count);
    }
    return 0;
}
