/* SPDX-License-Identifier: MIT
 *
 * `strobe serve`: the server, in the foreground. Reads flags and configuration, prints the link,
 * and ends on SIGINT or SIGTERM when all that was acknowledged is on disk. */
#include "cli/cmd.h"
#include "cli/refuse.h"
#include "server/server.h"
#include "server/state.h"
#include "web/http.h"

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: strobe serve [-c FILE] [--listen HOST:PORT] [--store sqlite:PATH] [--print-config]\n"
    "\n"
    "Keeps profiles of many programs over time: takes what 'strobe push' sends, scrapes the\n"
    "/debug/pprof of Go programs, runs the suite's programs, and shows all of it. Prints the link\n"
    "to open; the token in it is what writing and starting runs needs. Ends on Ctrl-C.\n"
    "\n"
    "   -c FILE             configuration (YAML): what is scraped, what is kept\n"
    "   --listen HOST:PORT  this machine's addresses only (default 127.0.0.1:7070)\n"
    "   --store sqlite:PATH the store (default strobe.db in the state directory)\n"
    "   --print-config      print the configuration that holds, and end\n";

struct serve_args {
    const char *config, *listen, *store;
    bool print_config;
};

/* Takes "--NAME VALUE" and "--NAME=VALUE", with one dash or two: 1 if it was that option, -1 if its
 * value is missing. */
static int take_option(int argc, char **argv, int *i, const char *name, const char **value)
{
    const char *arg = argv[*i] + 1 + (argv[*i][1] == '-');
    size_t n = strlen(name);
    if (strncmp(arg, name, n) || (arg[n] && arg[n] != '='))
        return 0;
    *value = arg[n] ? arg + n + 1 : *i + 1 < argc ? argv[++*i] : NULL;
    return *value && **value ? 1 : -1;
}

/* 0, or the exit status plus 1. */
static int parse_args(struct serve_args *a, int argc, char **argv)
{
    const struct {
        const char *name, **value;
    } options[] = {{"c", &a->config}, {"listen", &a->listen}, {"store", &a->store}};
    *a = (struct serve_args){0};
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        int taken = 0;
        if (arg[0] != '-' || !arg[1])
            return cli_refuse("serve", "'%s' is one argument too many", arg) + 1;
        if (!strcmp(arg, "-h") || !strcmp(arg, "--help")) {
            fputs(usage, stdout);
            return 1;
        }
        if (!strcmp(arg, "--print-config")) {
            a->print_config = true;
            continue;
        }
        for (size_t k = 0; !taken && k < sizeof options / sizeof *options; k++)
            taken = take_option(argc, argv, &i, options[k].name, options[k].value);
        if (taken < 0)
            return cli_refuse("serve", "option '%s' needs a value", arg) + 1;
        if (!taken)
            return cli_refuse_option("serve", arg, usage) + 1;
    }
    return 0;
}

static int read_config(struct config *c, const struct serve_args *a, struct err *e)
{
    char path[PATH_MAX];
    config_default(c);
    int rc = a->config ? config_read(c, a->config, e) : 0;
    if (rc)
        return rc;
    if (a->listen)
        c->listen = a->listen;
    if (a->store)
        c->store = a->store;
    if (c->store)
        return 0;
    rc = state_file(path, sizeof path, "strobe.db", e);
    if (!rc)
        c->store = arena_printf(&c->arena, "sqlite:%s", path);
    return rc;
}

static void print_config(const struct config *c)
{
    struct arena arena = {0};
    struct buf out;
    buf_init(&out, &arena);
    config_print(c, &out);
    fwrite(out.data, 1, out.len, stdout);
    arena_free(&arena);
}

static int serve(const struct config *c, struct err *e)
{
    struct server *server;
    sigset_t ending;
    int signal_number;
    http_block_ending_signals(&ending);
    int rc = server_start(&server, c, e);
    if (rc)
        return rc;
    fprintf(stderr, "strobe serve: open %s\n", server_link(server));
    sigwait(&ending, &signal_number);
    server_stop(server);
    return 0;
}

int cmd_serve(int argc, char **argv)
{
    struct serve_args args;
    struct config config;
    struct err e = {0};
    int rc = parse_args(&args, argc, argv);
    if (rc)
        return rc - 1;
    rc = read_config(&config, &args, &e);
    if (!rc && args.print_config)
        print_config(&config);
    else if (!rc)
        rc = serve(&config, &e);
    if (rc)
        fprintf(stderr, "strobe serve: %s\n", e.msg);
    config_free(&config);
    return rc ? 2 : 0;
}
