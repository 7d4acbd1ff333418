/* SPDX-License-Identifier: MIT
 *
 * Matching. PCRE2's just-in-time code does nearly all of it; a pattern that makes it backtrack past
 * its limit is matched again by PCRE2's automaton, which cannot. Translation from Go's syntax is
 * regex_syntax.c's. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/regex.h"

#include "base/gotext.h"
#include "base/regex_syntax.h"

#include <errno.h>
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    MATCH_LIMIT = 1000000, /* backtracking steps before the automaton takes over */
    DFA_WORKSPACE = 65536, /* its states, in ints */
};

struct regex {
    pcre2_code *code;
    pcre2_match_data *data;
    pcre2_match_context *context;
    int *workspace; /* of the automaton, made when first needed */
    char *pattern;
    struct arena scratch; /* a subject with its invalid bytes replaced */
};

static int compile_code(struct regex *re, const struct buf *translated, struct err *e)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    if (context)
        pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    int number = 0;
    PCRE2_SIZE offset = 0;
    re->code = pcre2_compile((PCRE2_SPTR)(translated->len ? translated->data : ""), translated->len,
                             PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_DOLLAR_ENDONLY |
                                 PCRE2_ALT_CIRCUMFLEX | PCRE2_NO_AUTO_CAPTURE,
                             &number, &offset, context);
    pcre2_compile_context_free(context);
    if (!re->code) {
        PCRE2_UCHAR text[160];
        pcre2_get_error_message(number, text, sizeof text);
        /* Go's own text for what is too big for an engine; PCRE2's reason behind it. */
        return err_set(e, -EINVAL, "error parsing regexp: expression too large: `%s` (%s)",
                       re->pattern, (char *)text);
    }
    pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
    re->data = pcre2_match_data_create(1, NULL);
    re->context = pcre2_match_context_create(NULL);
    if (!re->data || !re->context)
        return err_set(e, -ENOMEM, "out of memory for the regular expression `%s`", re->pattern);
    pcre2_set_match_limit(re->context, MATCH_LIMIT);
    return 0;
}

struct regex *regex_compile(const char *pattern, size_t len, struct err *e)
{
    struct regex *re = calloc(1, sizeof *re);
    if (re)
        re->pattern = strndup(pattern, len);
    if (!re || !re->pattern) {
        free(re);
        err_set(e, -ENOMEM, "out of memory for a regular expression of %zu bytes", len);
        return NULL;
    }
    arena_init(&re->scratch);
    struct buf translated;
    buf_init(&translated, &re->scratch);
    int rc = regex_translate(pattern, len, &translated, e);
    if (!rc)
        rc = compile_code(re, &translated, e);
    if (rc) {
        regex_free(re);
        return NULL;
    }
    arena_free(&re->scratch);
    return re;
}

void regex_free(struct regex *re)
{
    if (!re)
        return;
    pcre2_code_free(re->code);
    pcre2_match_data_free(re->data);
    pcre2_match_context_free(re->context);
    arena_free(&re->scratch);
    free(re->workspace);
    free(re->pattern);
    free(re);
}

static bool matches_by_automaton(struct regex *re, const char *s, size_t len)
{
    if (!re->workspace)
        re->workspace = malloc(DFA_WORKSPACE * sizeof *re->workspace);
    if (!re->workspace)
        return false;
    int rc =
        pcre2_dfa_match(re->code, (PCRE2_SPTR)s, len, 0, PCRE2_NO_UTF_CHECK | PCRE2_DFA_SHORTEST,
                        re->data, NULL, re->workspace, DFA_WORKSPACE);
    return rc >= 0;
}

static bool matches_valid(struct regex *re, const char *s, size_t len)
{
    int rc =
        pcre2_match(re->code, (PCRE2_SPTR)s, len, 0, PCRE2_NO_UTF_CHECK, re->data, re->context);
    if (rc >= 0)
        return true;
    if (rc == PCRE2_ERROR_NOMATCH)
        return false;
    return matches_by_automaton(re, s, len);
}

bool regex_matches(struct regex *re, const char *s, size_t len)
{
    if (!s)
        s = "";
    size_t valid = gotext_utf8_valid(s, len);
    if (valid == len)
        return matches_valid(re, s, len);
    struct buf copy;
    buf_init(&copy, &re->scratch);
    while (len) {
        buf_append(&copy, s, valid);
        s += valid;
        len -= valid;
        if (len) {
            buf_puts(&copy, "\xef\xbf\xbd");
            s++;
            len--;
        }
        valid = gotext_utf8_valid(s, len);
    }
    bool found = matches_valid(re, copy.data, copy.len);
    arena_free(&re->scratch);
    return found;
}

const char *regex_pattern(const struct regex *re)
{
    return re->pattern;
}
