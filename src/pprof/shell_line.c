/* SPDX-License-Identifier: MIT
 *
 * The words of a command in the shell (google/pprof internal/driver/interactive.go,
 * parseCommandLine): numbers, files and regular expressions that hold for this command only. */
#include "pprof/shell.h"

#include "base/gotext.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* unicode.IsSpace. */
static bool is_space(uint32_t rune)
{
    static const uint32_t others[] = {0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000};
    if ((rune >= 9 && rune <= 13) || rune == ' ' || (rune >= 0x2000 && rune <= 0x200a))
        return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (rune == others[i])
            return true;
    return false;
}

static size_t skip(const char *s, size_t len, size_t at, bool space)
{
    uint32_t rune;
    while (at < len) {
        size_t n = gotext_rune(s + at, len - at, &rune);
        if (is_space(rune) != space)
            break;
        at += n;
    }
    return at;
}

char *shell_trim(struct shell *sh, const char *s, size_t len)
{
    size_t from = skip(s, len, 0, true), end = from;
    for (size_t at = from; at < len;) {
        end = skip(s, len, at, false);
        at = skip(s, len, end, true);
    }
    return arena_strndup(&sh->arena, s + from, end - from);
}

char **shell_split(struct shell *sh, const char *line, size_t *count)
{
    size_t len = strlen(line), cap = len / 2 + 2;
    char **words = arena_array(&sh->arena, cap, sizeof *words);
    *count = 0;
    for (size_t at = skip(line, len, 0, true); at < len;) {
        size_t end = skip(line, len, at, false);
        words[(*count)++] = arena_strndup(&sh->arena, line + at, end - at);
        at = skip(line, len, end, true);
    }
    words[*count] = NULL;
    return words;
}

/* ---- commands ---- */

static const struct command *find_command(const char *name)
{
    const struct command *c = command_find(name);
    return c && !c->hidden ? c : NULL;
}

/* "top10" is "top 10"; *digits is then what follows the name. */
static const struct command *find_with_digits(struct shell *sh, char **name, const char **digits)
{
    const struct command *c = find_command(*name);
    size_t len = strlen(*name), end = len;
    while (end && isdigit((unsigned char)(*name)[end - 1]))
        end--;
    if (c || !end || end == len)
        return c;
    *digits = *name + end;
    *name = arena_strndup(&sh->arena, *name, end);
    return find_command(*name);
}

static int unknown_command(const char *name, const char *value, struct err *e)
{
    const char *choice;
    const struct option *o = settings_find(name, &choice);
    if (o && (choice || !o->choices))
        return err_set(e, -EINVAL, "did you mean: %s=%s", name, value ? value : "<val>");
    struct arena scratch;
    struct buf quoted;
    arena_init(&scratch);
    buf_init(&quoted, &scratch);
    gotext_quote(&quoted, name, strlen(name));
    err_set(e, -EINVAL, "unrecognized command: %s", buf_cstr(&quoted));
    arena_free(&scratch);
    return -EINVAL;
}

/* a|b, or what there is of them. */
static const char *either(struct shell *sh, const char *a, const char *b)
{
    return *a && *b ? arena_printf(&sh->arena, "%s|%s", a, b) : *a ? a : b;
}

struct expressions {
    const char *focus, *ignore;
};

/* One word behind the command; *next may be taken as the file of ">". */
static int read_word(struct shell *sh, struct settings *s, char ***at, struct expressions *x,
                     struct err *e)
{
    const char *word = *(*at)++;
    int64_t number;
    if (gotext_parse_int(word, 10, &number) == GOTEXT_OK && number >= INT32_MIN &&
        number <= INT32_MAX) {
        s->nodecount = number;
    } else if (*word == '>') {
        s->output = word + 1;
        if (!*s->output && !**at)
            return err_set(e, -EINVAL, "unexpected end of line after >");
        if (!*s->output)
            s->output = *(*at)++;
    } else if (!strcmp(word, "-cum") || !strcmp(word, "--cum")) {
        s->sort = "cum";
    } else if (*word == '-') {
        x->ignore = either(sh, x->ignore, word + 1);
    } else {
        x->focus = either(sh, x->focus, word);
    }
    return 0;
}

int shell_parse(struct shell *sh, char **words, size_t count, struct request *r, struct err *e)
{
    char *name = words[0], **at = words + 1;
    const char *digits = NULL;
    const struct command *c = find_with_digits(sh, &name, &digits);
    if (!c)
        return unknown_command(name, digits ? digits : *at, e);
    if (digits)
        *--at = (char *)digits; /* in the place of the command's word */
    *r = sh->request;
    r->command = c;
    r->in_shell = true;
    r->param = NULL;
    if (c->has_param) {
        if (!*at)
            return err_set(e, -EINVAL, "command %s requires an argument", name);
        r->param = *at++;
    }
    struct settings *s = &r->settings;
    struct expressions x = {"", ""};
    while (*at) {
        int rc = read_word(sh, s, &at, &x, e);
        if (rc)
            return rc;
    }
    bool tags = !strcmp(name, "tags"), top = !strcmp(name, "top") || !strcmp(name, "text");
    if (*x.focus)
        *(tags ? &s->tagfocus : &s->focus) = x.focus;
    if (*x.ignore)
        *(tags ? &s->tagignore : &s->ignore) = x.ignore;
    if (s->nodecount == -1 && top)
        s->nodecount = 10;
    return 0;
}
