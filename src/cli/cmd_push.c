/* SPDX-License-Identifier: MIT
 *
 * `strobe push`: sends profiles to a server. Files are decoded here first, so that what is wrong
 * with one is said without the server, and its program is known when no service is named. */
#include "base/limits.h"
#include "base/whole.h"
#include "cli/cmd.h"
#include "cli/refuse.h"
#include "server/client.h"
#include "server/ingest.h"
#include "server/labels.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: strobe push [-s SERVICE] [-l NAME=VALUE]... [-k KIND] [--server URL] FILE...\n"
    "\n"
    "Sends profiles to 'strobe serve', and says when they are on its disk.\n"
    "\n"
    "   -s SERVICE     whose profile it is (default: the program's name in the profile)\n"
    "   -l NAME=VALUE  a label of the series, as in env=prod\n"
    "   -k KIND        cpu, heap, block, mutex ... (default: by the profile and the file's name)\n"
    "   --server URL   default $STROBE_SERVER, else http://127.0.0.1:7070\n";

struct push_args {
    const char *service, *kind, *server;
    struct store_label labels[LIMIT_INGEST_LABELS];
    uint32_t label_count;
    char **files;
    int file_count;
};

static int add_label(struct push_args *a, char *text)
{
    struct err e = {0};
    char *equals = strchr(text, '=');
    if (!equals)
        return cli_refuse("push", "-l %s: give NAME=VALUE", text) + 1;
    *equals = 0;
    if (labels_check(text, equals + 1, &e))
        return cli_refuse("push", "-l: %s", e.msg) + 1;
    if (a->label_count == LIMIT_INGEST_LABELS)
        return cli_refuse("push", "%s", "there are too many labels") + 1;
    a->labels[a->label_count++] = (struct store_label){text, equals + 1};
    return 0;
}

/* The value of "-sX", "-s X", "--server=X", "--server X"; NULL if this is another option. *missing
 * if there is none. */
static char *option_value(int argc, char **argv, int *i, const char *name, bool *missing)
{
    char *arg = argv[*i];
    size_t n = strlen(name);
    bool is_long = name[1] == '-';
    if (strncmp(arg, name, n) || (is_long && arg[n] && arg[n] != '='))
        return NULL;
    char *value = arg[n] ? arg + n + (arg[n] == '=') : *i + 1 < argc ? argv[++*i] : NULL;
    *missing = !value || !*value;
    return *missing ? arg : value;
}

static int take_option(struct push_args *a, int argc, char **argv, int *i)
{
    const struct {
        const char *name, **value;
    } options[] = {{"-s", &a->service}, {"-k", &a->kind}, {"--server", &a->server}};
    const char *arg = argv[*i];
    bool missing = false;
    char *value = option_value(argc, argv, i, "-l", &missing);
    if (value && !missing)
        return add_label(a, value);
    for (size_t k = 0; !value && k < 3; k++) {
        value = option_value(argc, argv, i, options[k].name, &missing);
        if (value)
            *options[k].value = value;
    }
    if (missing)
        return cli_refuse("push", "option '%s' needs a value", arg) + 1;
    return value ? 0 : cli_refuse_option("push", arg, usage) + 1;
}

/* 0, or the exit status plus 1. */
static int parse_args(struct push_args *a, int argc, char **argv)
{
    struct err e = {0};
    bool options = true;
    *a = (struct push_args){.files = argv};
    for (int i = 1; i < argc; i++) {
        char *arg = argv[i];
        int rc = 0;
        if (!options || arg[0] != '-' || !arg[1]) {
            a->files[a->file_count++] = arg;
        } else if (!strcmp(arg, "--")) {
            options = false;
        } else if (!strcmp(arg, "-h") || !strcmp(arg, "--help")) {
            fputs(usage, stdout);
            return 1;
        } else {
            rc = take_option(a, argc, argv, &i);
        }
        if (rc)
            return rc;
    }
    if (a->service && labels_check("service_name", a->service, &e))
        return cli_refuse("push", "-s: %s", e.msg) + 1;
    if (!a->file_count)
        return cli_refuse("push", "%s", "no profile is given; make one with 'strobe record'") + 1;
    return 0;
}

static int read_all(const char *path, struct buf *bytes, struct err *e)
{
    int rc = whole_read_file(bytes, path, LIMIT_INGEST_BYTES);
    if (rc == -EFBIG)
        return err_set(e, rc, "it is larger than %u MiB, which a server does not take",
                       LIMIT_INGEST_BYTES >> 20);
    return rc ? err_set(e, rc, "cannot read it: %s", strerror(-rc)) : 0;
}

/* Block and mutex profiles have the same sample types; their files' names tell which it is. */
static bool says_mutex(const char *path)
{
    const char *slash = strrchr(path, '/'), *at = strstr(slash ? slash : path, "mutex");
    return at && !isalpha((unsigned char)at[5]);
}

/* The program: the file of the first mapping, without folders. */
static bool find_program(const struct profile *p, char *name, size_t size)
{
    struct profile_str s =
        p->mapping_count ? profile_string(p, p->mappings[0].file) : (struct profile_str){0};
    uint32_t start = s.len;
    while (start && s.ptr[start - 1] != '/')
        start--;
    snprintf(name, size, "%.*s", (int)(s.len - start), s.ptr + start);
    return !labels_check("service_name", name, NULL);
}

static int push_bytes(const struct push_args *a, const char *path, const struct buf *bytes,
                      struct err *e)
{
    struct profile p;
    char kind[64], program[256];
    int rc = ingest_decode(&p, bytes->data, bytes->len, e);
    if (rc)
        return rc;
    labels_kind(&p, kind, sizeof kind);
    if (!strcmp(kind, "block") && says_mutex(path))
        snprintf(kind, sizeof kind, "mutex");
    struct client_push push = {.server = a->server,
                               .service_name = a->service ? a->service : program,
                               .kind = a->kind ? a->kind : kind,
                               .labels = a->labels,
                               .label_count = a->label_count,
                               .bytes = bytes->data,
                               .size = bytes->len};
    if (!a->service && !find_program(&p, program, sizeof program))
        rc = err_set(e, -EINVAL, "whose profile is it? Its program is not in it: give -s SERVICE");
    if (!rc)
        rc = client_push(&push, e);
    if (rc >= 0)
        printf("strobe push: %s: %s %s{service_name=\"%s\"} on %s, %u samples\n", path,
               rc ? "is already in" : "stored in", push.kind, push.service_name,
               client_server(a->server), p.sample_count);
    profile_free(&p);
    return rc < 0 ? rc : 0;
}

static int push_file(const struct push_args *a, const char *path, struct err *e)
{
    struct arena arena;
    struct buf bytes;
    arena_init(&arena);
    buf_init(&bytes, &arena);
    int rc = read_all(path, &bytes, e);
    if (!rc)
        rc = push_bytes(a, path, &bytes, e);
    arena_free(&arena);
    return rc;
}

int cmd_push(int argc, char **argv)
{
    struct push_args args;
    int failed = 0, rc = parse_args(&args, argc, argv);
    if (rc)
        return rc - 1;
    for (int i = 0; i < args.file_count; i++) {
        struct err e = {0};
        if (push_file(&args, args.files[i], &e)) {
            fprintf(stderr, "strobe push: %s: %s\n", args.files[i], e.msg);
            failed = 1;
        }
    }
    return failed;
}
