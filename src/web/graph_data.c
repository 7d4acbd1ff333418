/* SPDX-License-Identifier: MIT
 *
 * Hands the page a trimmed graph twice over: as data, for what one wants to know of a node, and as
 * the text that Graphviz lays out. The layout is made here if dot is installed, because it is many
 * times faster than in the browser; else the page makes it from the same text. */
#include "web/graph_data.h"
#include "base/limits.h"
#include "web/exec.h"
#include "web/json.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Boxes are as wide as their texts in the page's font, and all can be read. */
static const struct dot_style style = {.bare = true, .font = "Helvetica", .least_size = 10};

struct answer {
    struct http_exchange *x;
    bool draws;
    struct json j;
    struct buf text, dot;
};

/* One drawing at a time: it may need as much memory and time as its limits are. */
static pthread_mutex_t drawing = PTHREAD_MUTEX_INITIALIZER;

static void write_legend(struct json *j, struct report *r, const struct graph_trimmed *t)
{
    struct buf lines;
    buf_init(&lines, &r->arena);
    report_labels(r, &lines, t, true);
    json_array(j, "legend");
    for (size_t i = 0, end; i < lines.len; i = end + 1) {
        const char *newline = memchr(lines.data + i, '\n', lines.len - i);
        end = newline ? (size_t)(newline - lines.data) : lines.len;
        bool shown = !strncmp(lines.data + i, "Showing ", 8);
        bool dropped = !strncmp(lines.data + i, "Dropped ", 8);
        if (shown || dropped)
            json_string(j, NULL, lines.data + i, end - i);
    }
    json_array_end(j);
}

static void write_nodes(struct json *j, struct report *r, const struct graph_trimmed *t)
{
    const struct graph *g = &t->graph;
    struct buf name;
    buf_init(&name, &r->arena);
    json_array(j, "nodes");
    for (uint32_t i = 0; i < g->shown_count; i++) {
        uint32_t node = g->shown[i];
        struct names_item function = t->frames.names.items[t->frames.infos[node].name];
        name.len = 0;
        graph_node_name(&t->frames, node, &name);
        json_object(j, NULL);
        json_string(j, "name", name.data, name.len);
        json_string(j, "function", function.ptr, function.len);
        json_int(j, "flat", graph_flat(g, node));
        json_int(j, "cum", graph_cum(g, node));
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_edges(struct json *j, struct report *r, const struct graph_trimmed *t)
{
    const struct graph *g = &t->graph;
    uint32_t *number = arena_zarray(&r->arena, t->frames.node_count, sizeof *number);
    for (uint32_t i = 0; i < g->shown_count; i++)
        number[g->shown[i]] = i + 1;
    json_array(j, "edges");
    for (uint32_t i = 0; i < g->shown_count; i++) {
        for (uint32_t k = g->first_out[g->shown[i]]; k != GRAPH_NONE; k = g->edges[k].next_out) {
            const struct graph_edge *edge = &g->edges[k];
            if (edge->removed || !number[edge->dest])
                continue;
            json_object(j, NULL);
            json_int(j, "from", i + 1);
            json_int(j, "to", number[edge->dest]);
            json_int(j, "weight", graph_mean(edge->weight, edge->weight_div));
            json_bool(j, "inlined", edge->inlined);
            json_bool(j, "residual", edge->residual);
            json_object_end(j);
        }
    }
    json_array_end(j);
}

/* "svg", and "svg_error". That dot is not there is nothing wrong: the page can do without. */
static void write_drawing(struct answer *a)
{
    static const char *const argv[] = {"dot", "-Tsvg", NULL};
    struct exec_job job = {.argv = argv,
                           .input = a->dot.data,
                           .input_size = a->dot.len,
                           .timeout_ms = LIMIT_DOT_MS,
                           .output_max = LIMIT_DOT_OUTPUT,
                           .memory_max = LIMIT_DOT_MEMORY};
    struct exec_output out;
    struct err e = {0};
    pthread_mutex_lock(&drawing);
    int rc = exec_run(&job, a->x->arena, &out, &e);
    pthread_mutex_unlock(&drawing);
    if (!rc && !out.status) {
        json_string(&a->j, "svg", out.bytes, out.size);
        return;
    }
    json_null(&a->j, "svg");
    if (!rc)
        json_cstr(&a->j, "svg_error",
                  *out.said                 ? out.said
                  : WIFSIGNALED(out.status) ? strsignal(WTERMSIG(out.status))
                                            : "dot could not draw the call graph");
    else if (rc != -ENOENT)
        json_cstr(&a->j, "svg_error", e.msg);
}

static int write_graph(struct report *r, void *arg, struct err *e)
{
    struct answer *a = arg;
    struct graph_trimmed t;
    struct out *out = malloc(sizeof *out);
    if (!out)
        return err_set(e, -ENOMEM, "out of memory");
    if (r->o.node_count <= 0 || r->o.node_count > LIMIT_DOT_NODES)
        r->o.node_count = LIMIT_DOT_NODES;
    report_graph_drawn(r, &t);
    out_init_text(out, &a->dot);
    report_dot_graph(r, out, &t, &style);
    int rc = out_finish(out);
    free(out);
    json_object(&a->j, NULL);
    json_cstr(&a->j, "unit", r->o.sample_unit);
    json_int(&a->j, "total", r->total);
    write_legend(&a->j, r, &t);
    write_nodes(&a->j, r, &t);
    write_edges(&a->j, r, &t);
    json_string(&a->j, "dot", a->dot.data, a->dot.len);
    graph_trimmed_free(&t);
    return rc ? err_set(e, rc, "the graph could not be written") : 0;
}

void graph_data_serve(struct http_exchange *x, const struct ask *from)
{
    struct answer a = {.x = x};
    const char *draws = http_query(x, "svg");
    const struct ask_options o = {.command = "svg", .escape_all = true};
    struct err e = {0};
    a.draws = draws && !strcmp(draws, "1");
    buf_init(&a.text, x->arena);
    buf_init(&a.dot, x->arena);
    json_init(&a.j, &a.text);
    if (ask_report(x, from, &o, &(struct ask_use){write_graph, &a}, &e)) {
        http_reply_error(x, 400, "%s", e.msg);
        return;
    }
    if (a.draws)
        write_drawing(&a);
    else
        json_null(&a.j, "svg");
    json_object_end(&a.j);
    http_reply(x, 200, "application/json", a.text.data, a.text.len);
}
