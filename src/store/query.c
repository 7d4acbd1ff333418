/* SPDX-License-Identifier: MIT
 *
 * Queries: their text, and whether a series matches. The syntax is PromQL's selector with the kind,
 * or kind/type, in the metric's place. */
#include "store/query.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/regex.h"

#include <errno.h>
#include <string.h>

/* ---- text ---- */

struct parser {
    const char *start, *at;
    struct arena *a;
    struct err *e;
};

static int expected(struct parser *p, const char *what)
{
    return err_set(p->e, -EINVAL, "the query \"%.200s\" has no %s at column %d", p->start, what,
                   (int)(p->at - p->start) + 1);
}

static void blanks(struct parser *p)
{
    p->at += strspn(p->at, " \t\r\n");
}

static bool take(struct parser *p, const char *token)
{
    size_t n = strlen(token);
    if (strncmp(p->at, token, n) != 0)
        return false;
    p->at += n;
    return true;
}

/* What may stand in a kind, a type or a label's name: anything that is not syntax. */
static const char *word(struct parser *p)
{
    size_t n = strcspn(p->at, " \t\r\n{}=!~,/\"\\");
    const char *w = arena_strndup(p->a, p->at, n);
    p->at += n;
    return n ? w : NULL;
}

static int quoted(struct parser *p, const char **value)
{
    struct buf out;
    buf_init(&out, p->a);
    if (!take(p, "\""))
        return expected(p, "value in quotes");
    while (*p->at && *p->at != '"') {
        char c = *p->at++;
        if (c == '\\') {
            char escaped = *p->at;
            if (!escaped || !strchr("\\\"nt", escaped))
                return expected(p, "\\\\, \\\", \\n or \\t");
            p->at++;
            c = escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
        }
        buf_putc(&out, c);
    }
    if (!take(p, "\""))
        return expected(p, "closing quote");
    *value = buf_cstr(&out);
    return 0;
}

static int match(struct parser *p, struct store_match *m)
{
    blanks(p);
    m->name = word(p);
    if (!m->name)
        return expected(p, "label name");
    blanks(p);
    if (take(p, "=~"))
        m->op = STORE_MATCH;
    else if (take(p, "!~"))
        m->op = STORE_NOT_MATCH;
    else if (take(p, "!="))
        m->op = STORE_NOT_EQUAL;
    else if (take(p, "="))
        m->op = STORE_EQUAL;
    else
        return expected(p, "=, !=, =~ or !~");
    blanks(p);
    int rc = quoted(p, &m->value);
    blanks(p);
    return rc;
}

static int matches(struct parser *p, struct store_query *q)
{
    struct store_match *list = arena_array(p->a, LIMIT_STORE_LABELS, sizeof *list);
    q->matches = list;
    blanks(p);
    while (!take(p, "}")) {
        if (q->match_count == LIMIT_STORE_LABELS)
            return err_set(p->e, -EFBIG, "a query has at most %d matches", LIMIT_STORE_LABELS);
        int rc = match(p, &list[q->match_count]);
        if (rc != 0)
            return rc;
        q->match_count++;
        if (!take(p, ",") && *p->at != '}')
            return expected(p, ", or }");
        blanks(p);
    }
    return 0;
}

int store_query_parse(struct store_query *q, const char *text, struct arena *a, struct err *e)
{
    struct parser p = {text, text, a, e};
    int rc = 0;
    q->matches = NULL;
    q->match_count = 0;
    q->type = NULL;
    blanks(&p);
    q->kind = word(&p);
    if (q->kind && take(&p, "/") && !(q->type = word(&p)))
        return expected(&p, "sample type");
    blanks(&p);
    if (take(&p, "{"))
        rc = matches(&p, q);
    blanks(&p);
    return rc == 0 && *p.at ? expected(&p, "end") : rc;
}

/* ---- matching ---- */

int matcher_make(struct matcher *m, const struct store_query *q, struct arena *a, struct err *e)
{
    *m = (struct matcher){q, arena_zarray(a, q->match_count, sizeof *m->regexes)};
    for (uint32_t i = 0; i < q->match_count; i++) {
        const struct store_match *one = &q->matches[i];
        if (one->op != STORE_MATCH && one->op != STORE_NOT_MATCH)
            continue;
        /* Compiled as it stands first, so that errors quote what the user wrote. */
        struct regex *plain = regex_compile(one->value, strlen(one->value), e);
        if (!plain)
            return err_prefix(e, "the match of label %s", one->name), -EINVAL;
        regex_free(plain);
        const char *whole = arena_printf(a, "\\A(?:%s)\\z", one->value);
        m->regexes[i] = regex_compile(whole, strlen(whole), e);
        if (!m->regexes[i])
            return -EINVAL;
    }
    return 0;
}

void matcher_free(struct matcher *m)
{
    for (uint32_t i = 0; m->q && i < m->q->match_count; i++)
        regex_free(m->regexes[i]);
    m->q = NULL;
}

static const char *label_value(const struct store_label *labels, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(labels[i].name, name) == 0)
            return labels[i].value;
    return "";
}

bool matcher_matches(const struct matcher *m, const char *kind, const struct store_label *labels,
                     uint32_t label_count)
{
    const struct store_query *q = m->q;
    bool threads =
        q->kind && (strcmp(q->kind, "threads") == 0 || strcmp(q->kind, "goroutine") == 0);
    if (threads && (strcmp(kind, "threads") == 0 || strcmp(kind, "goroutine") == 0))
        threads = true; /* one kind with two names */
    else if (q->kind && strcmp(q->kind, kind) != 0)
        return false;
    for (uint32_t i = 0; i < q->match_count; i++) {
        const char *value = label_value(labels, label_count, q->matches[i].name);
        enum store_op op = q->matches[i].op;
        bool same = m->regexes[i] ? regex_matches(m->regexes[i], value, strlen(value))
                                  : strcmp(value, q->matches[i].value) == 0;
        if (same != (op == STORE_EQUAL || op == STORE_MATCH))
            return false;
    }
    return true;
}
