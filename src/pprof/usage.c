/* SPDX-License-Identifier: MIT
 *
 * The usage text of the drop-in, from the tables of commands and options; fixed text only where
 * there is no table (google/pprof internal/driver/cli.go). */
#include "report/command.h"
#include "base/sort.h"
#include "pprof/pprof_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char head[] =
    "usage:\n\n"
    "Produce output in the specified format.\n\n"
    "   pprof <format> [options] [binary] <source> ...\n\n"
    "Omit the format to get an interactive shell whose commands can be used\n"
    "to generate various views of a profile\n\n"
    "   pprof [options] [binary] <source> ...\n\n"
    "Omit the format and provide the \"-http\" flag to get an interactive web\n"
    "interface at the specified host:port that can be used to navigate through\n"
    "various views of a profile.\n\n"
    "   pprof -http [host]:[port] [options] [binary] <source> ...\n\n"
    "Details:\n";

static const char sources[] =
    "\n\n"
    "  Source options:\n"
    "    -seconds              Duration for time-based profile collection\n"
    "    -timeout              Timeout in seconds for profile collection\n"
    "    -buildid              Override build id for main binary\n"
    "    -add_comment          Free-form annotation to add to the profile\n"
    "                          Displayed on some reports or with pprof -comments\n"
    "    -diff_base source     Source of base profile for comparison\n"
    "    -base source          Source of base profile for profile subtraction\n"
    "    profile.pb.gz         Profile in compressed protobuf format\n"
    "    legacy_profile        Profile in legacy pprof format\n"
    "    http://host/profile   URL for profile handler to retrieve\n"
    "    -symbolize=           Controls source of symbol information\n"
    "      none                  Do not attempt symbolization\n"
    "      local                 Examine only local binaries\n"
    "      fastlocal             Only get function names from local binaries\n"
    "      remote                Do not examine local binaries\n"
    "      force                 Force re-symbolization\n"
    "    Binary                  Local path or build id of binary for symbolization\n"
    "    -tls_cert             TLS client certificate file for fetching profile and symbols\n"
    "    -tls_key              TLS private key file for fetching profile and symbols\n"
    "    -tls_ca               TLS CA certs file for fetching profile and symbols";

static const char misc[] =
    "\n\n"
    "  Misc options:\n"
    "   -http              Provide web interface at host:port.\n"
    "                      Host is optional and 'localhost' by default.\n"
    "                      Port is optional and a randomly available port by default.\n"
    "   -no_browser        Skip opening a browser for the interactive web UI.\n"
    "   -tools             Search path for object tools\n"
    "   -all_frames        Ignore drop_frames and keep_frames regexps in the profile\n"
    "                      Rarely needed, mainly used for debugging pprof itself\n"
    "\n"
    "  Legacy convenience options:\n"
    "   -inuse_space           Same as -sample_index=inuse_space\n"
    "   -inuse_objects         Same as -sample_index=inuse_objects\n"
    "   -alloc_space           Same as -sample_index=alloc_space\n"
    "   -alloc_objects         Same as -sample_index=alloc_objects\n"
    "   -total_delay           Same as -sample_index=delay\n"
    "   -contentions           Same as -sample_index=contentions\n"
    "   -mean_delay            Same as -mean -sample_index=delay\n"
    "\n"
    "  Environment Variables:\n"
    "   PPROF_TMPDIR       Location for saved profiles (default $HOME/pprof)\n"
    "   PPROF_TOOLS        Search path for object-level tools\n"
    "   PPROF_BINARY_PATH  Search path for local binary files\n"
    "                      default: $HOME/pprof/binaries\n"
    "                      searches $buildid/$name, $buildid/*, $path/$buildid,\n"
    "                      ${buildid:0:2}/${buildid:2}.debug, $name, $path,\n"
    "                      ${name}.debug, $dir/.debug/${name}.debug,\n"
    "                      usr/lib/debug/$dir/${name}.debug\n"
    "   * On Windows, %USERPROFILE% is used instead of $HOME\n";

static void print_row(struct buf *out, const char *before, const char *name, const char *help)
{
    char flag[64];
    snprintf(flag, sizeof flag, "%s%s", before, name);
    buf_printf(out, "    %-16s %.*s", flag, (int)strcspn(help, "\n"), help);
}

static int by_name(const void *a, const void *b)
{
    const struct option *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void print_options(struct buf *out, const char *dash)
{
    const struct option *sorted[64];
    size_t count = 0;
    for (const struct option *o = options; o->name; o++)
        if (o->type != OPTION_CHOICE)
            sorted[count++] = o;
    sort_list(sorted, count, sizeof *sorted, by_name);
    buf_puts(out, "  Options:\n");
    for (size_t i = 0; i < count; i++) {
        print_row(out, dash, sorted[i]->name, sorted[i]->help);
        buf_putc(out, '\n');
    }
}

static void print_group(struct buf *out, const char *dash, const struct option *o)
{
    print_row(out, "", o->name, "");
    for (const struct option_choice *c = o->choices; c->name; c++) {
        buf_puts(out, "\n  ");
        print_row(out, dash, c->name, c->help);
    }
}

static void print_groups(struct buf *out, const char *dash)
{
    const struct option *groups[8];
    size_t count = 0;
    buf_puts(out, "\n  Option groups (only set one per group):\n");
    for (const struct option *o = options; o->name; o++)
        if (o->type == OPTION_CHOICE)
            groups[count++] = o;
    sort_list(groups, count, sizeof *groups, by_name);
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_putc(out, '\n');
        print_group(out, dash, groups[i]);
    }
}

static void print_commands(struct buf *out, const char *dash)
{
    for (const struct command *c = commands; c->name; c++) {
        if (c->hidden)
            continue;
        print_row(out, dash, c->name, c->description);
        buf_putc(out, '\n');
    }
}

void pprof_usage(struct buf *out)
{
    buf_puts(out, head);
    buf_puts(out, "  Output formats (select at most one):\n");
    print_commands(out, "-");
    buf_putc(out, '\n');
    print_options(out, "-");
    print_groups(out, "-");
    buf_puts(out, sources);
    buf_puts(out, misc);
}

void pprof_shell_usage(struct buf *out)
{
    buf_puts(out, "  Commands:\n");
    print_commands(out, "");
    print_row(out, "", "o/options", "List options and their current values");
    buf_putc(out, '\n');
    print_row(out, "", "q/quit/exit/^D", "Exit pprof");
    buf_puts(out, "\n\n");
    print_options(out, "");
    print_groups(out, "");
}
