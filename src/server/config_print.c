/* SPDX-License-Identifier: MIT
 *
 * The configuration that holds, as YAML. Texts are always quoted, with YAML's escapes, so that they
 * read back as they were. */
#include "server/config.h"
#include "base/gotext.h"

#include <inttypes.h>
#include <string.h>

/* YAML takes no control characters, and folds or drops some others. */
static bool needs_escape(uint32_t rune)
{
    return rune < ' ' || (rune >= 0x7f && rune < 0xa1) || rune == 0x2028 || rune == 0x2029 ||
           rune >= 0xe000;
}

static void print_text(struct buf *out, const char *s)
{
    uint32_t rune;
    buf_putc(out, '"');
    for (size_t left = strlen(s), n; (n = gotext_rune(s, left, &rune)); s += n, left -= n) {
        if (*s == '"' || *s == '\\')
            buf_putc(out, '\\');
        if (needs_escape(rune))
            buf_printf(out, "\\U%08" PRIx32, rune);
        else
            buf_append(out, s, n);
    }
    buf_putc(out, '"');
}

/* In the largest unit that divides it. */
static void print_duration(struct buf *out, int64_t ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"d", 86400000000000},
                 {"h", 3600000000000},
                 {"m", 60000000000},
                 {"s", 1000000000},
                 {"ms", 1000000}};
    if (ns < 0) {
        buf_puts(out, "never");
        return;
    }
    size_t i = 0;
    while (i < 4 && (ns % units[i].ns || !ns))
        i++;
    buf_printf(out, "%" PRId64 "%s", ns / units[i].ns, units[i].name);
}

static void print_key(struct buf *out, const char *key, const char *value)
{
    buf_puts(out, key);
    print_text(out, value);
    buf_putc(out, '\n');
}

static void print_target(struct buf *out, const struct config_target *t)
{
    buf_puts(out, "      - targets: [");
    print_text(out, t->address);
    buf_puts(out, "]\n");
    if (!t->label_count)
        return;
    buf_puts(out, "        labels:\n");
    for (uint32_t i = 0; i < t->label_count; i++) {
        buf_printf(out, "          %s: ", t->labels[i].name);
        print_text(out, t->labels[i].value);
        buf_putc(out, '\n');
    }
}

static void print_job(struct buf *out, const struct config_job *j)
{
    print_key(out, "  - job_name: ", j->name);
    buf_puts(out, "    scrape_interval: ");
    print_duration(out, j->interval_ns);
    buf_puts(out, "\n    scrape_timeout: ");
    print_duration(out, j->timeout_ns);
    buf_putc(out, '\n');
    print_key(out, "    scheme: ", j->scheme);
    print_key(out, "    path_prefix: ", j->path_prefix);
    buf_puts(out, "    profiles:\n");
    for (int k = 0; k < CONFIG_KINDS; k++) {
        const struct config_profile *p = &j->profiles[k];
        buf_printf(out, "      %s: {enabled: %s, path: ", config_kind_names[k],
                   p->enabled ? "true" : "false");
        print_text(out, p->path);
        if (k == CONFIG_CPU)
            buf_printf(out, ", seconds: %" PRId64 "}\n", p->seconds);
        else
            buf_printf(out, ", delta: %s}\n", p->delta ? "true" : "false");
    }
    if (j->target_count)
        buf_puts(out, "    static_configs:\n");
    for (uint32_t i = 0; i < j->target_count; i++)
        print_target(out, &j->targets[i]);
}

void config_print(const struct config *c, struct buf *out)
{
    print_key(out, "listen: ", c->listen);
    if (c->store)
        print_key(out, "store: ", c->store);
    buf_puts(out, "retention:\n  time: ");
    print_duration(out, c->retain_ns);
    if (c->retain_bytes < 0)
        buf_puts(out, "\n  size: none");
    else
        buf_printf(out, "\n  size: %" PRId64 "B", c->retain_bytes);
    buf_puts(out, "\n  downsample_after: ");
    print_duration(out, c->downsample_ns);
    buf_puts(out, "\nglobal:\n  scrape_interval: ");
    print_duration(out, c->interval_ns);
    buf_puts(out, "\n  scrape_timeout: ");
    print_duration(out, c->timeout_ns);
    buf_putc(out, '\n');
    if (c->job_count)
        buf_puts(out, "scrape_configs:\n");
    for (uint32_t i = 0; i < c->job_count; i++)
        print_job(out, &c->jobs[i]);
}
