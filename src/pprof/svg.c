/* SPDX-License-Identifier: MIT
 *
 * The edits are pprof's (internal/driver/svg.go): the size becomes that of the window, the graph is
 * put into a group that is moved and scaled. pprof has the SVGPan library do that; the script here
 * is our own and does the same with today's events: dragging pans, the wheel zooms at the pointer
 * by the same steps. That is the one place where -svg differs from pprof's. */
#include "pprof/svg.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* The comment names the library because scripts look for it to tell a massaged picture. */
static const char script[] =
    "\n// Pans by dragging and zooms by the wheel, in place of SVGPan.\n"
    "\"use strict\";\n"
    "(function () {\n"
    "    const root = document.documentElement, zoomStep = 1.2;\n"
    "    let held = null;\n"
    "    function view() { /* it comes behind this script */\n"
    "        return document.getElementById(\"viewport\") || root.querySelector(\"g\");\n"
    "    }\n"
    "    function matrix() {\n"
    "        const all = view().transform.baseVal.consolidate();\n"
    "        return all ? all.matrix : root.createSVGMatrix();\n"
    "    }\n"
    "    function place(event) {\n"
    "        const p = root.createSVGPoint();\n"
    "        p.x = event.clientX;\n"
    "        p.y = event.clientY;\n"
    "        return p.matrixTransform(root.getScreenCTM().inverse());\n"
    "    }\n"
    "    function move(m) {\n"
    "        view().setAttribute(\"transform\", \"matrix(\" +\n"
    "            [m.a, m.b, m.c, m.d, m.e, m.f].join(\",\") + \")\");\n"
    "    }\n"
    "    root.addEventListener(\"wheel\", function (event) {\n"
    "        const lines = event.deltaMode === 1 ? 40 : event.deltaMode === 2 ? 800 : 1;\n"
    "        const z = Math.pow(zoomStep, -event.deltaY * lines / 360), m = matrix();\n"
    "        const p = place(event).matrixTransform(m.inverse());\n"
    "        move(m.translate(p.x, p.y).scale(z).translate(-p.x, -p.y));\n"
    "        event.preventDefault();\n"
    "    }, {passive: false});\n"
    "    root.addEventListener(\"mousedown\", function (event) {\n"
    "        if (event.button !== 0)\n"
    "            return;\n"
    "        held = {at: place(event), m: matrix()};\n"
    "        event.preventDefault();\n"
    "    });\n"
    "    root.addEventListener(\"mousemove\", function (event) {\n"
    "        if (!held)\n"
    "            return;\n"
    "        const p = place(event), by = root.createSVGMatrix();\n"
    "        move(by.translate(p.x - held.at.x, p.y - held.at.y).multiply(held.m));\n"
    "        event.preventDefault();\n"
    "    });\n"
    "    window.addEventListener(\"mouseup\", function () { held = null; });\n"
    "})();\n";

struct text {
    const char *s;
    size_t len;
};

static bool starts(struct text t, size_t at, const char *word)
{
    size_t n = strlen(word);
    return at <= t.len && t.len - at >= n && !memcmp(t.s + at, word, n);
}

static size_t skip_space(struct text t, size_t at)
{
    while (at < t.len && strchr("\t\n\f\r ", t.s[at]))
        at++;
    return at;
}

/* `name="value"` with a value that is not empty; 0 if it is not there. */
static size_t skip_attribute(struct text t, size_t at, const char *name)
{
    at = skip_space(t, at);
    if (!starts(t, at, name))
        return 0;
    at += strlen(name);
    if (!starts(t, at, "=\""))
        return 0;
    size_t value = at + 2;
    const char *end = memchr(t.s + value, '"', t.len - value);
    return end && end > t.s + value ? (size_t)(end - t.s) + 1 : 0;
}

/* <svg with width, height and viewBox: where it is, and what follows it. */
static bool find_size(struct text t, size_t *from, size_t *to)
{
    for (size_t i = 0; i < t.len; i++) {
        if (!starts(t, i, "<svg"))
            continue;
        size_t at = skip_attribute(t, i + 4, "width");
        at = at ? skip_attribute(t, at, "height") : 0;
        at = at ? skip_attribute(t, at, "viewBox") : 0;
        if (at) {
            *from = i;
            *to = at;
            return true;
        }
    }
    return false;
}

/* The first <g id="graphN"; t.len if there is none. */
static size_t find_graph(struct text t)
{
    static const char head[] = "<g id=\"graph";
    for (size_t i = 0; i < t.len; i++) {
        size_t at = i + strlen(head);
        if (starts(t, i, head) && at + 1 < t.len && isdigit((unsigned char)t.s[at]) &&
            t.s[at + 1] == '"')
            return i;
    }
    return t.len;
}

static size_t find_close(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (starts(t, i, "</svg>"))
            return i;
    return t.len;
}

void svg_massage(struct buf *out, const char *svg, size_t len)
{
    struct arena scratch;
    struct buf quoted;
    arena_init(&scratch);
    buf_init(&quoted, &scratch);
    for (size_t i = 0; i < len; i++) {
        bool bare = svg[i] == '&' && i + 1 < len && svg[i + 1] == ';'; /* dot lets some slip */
        buf_puts(&quoted, bare ? "&amp;" : "");
        if (!bare)
            buf_putc(&quoted, svg[i]);
    }
    struct text t = {quoted.data, quoted.len};
    size_t from = 0, to = 0;
    if (find_size(t, &from, &to)) {
        buf_append(out, t.s, from);
        buf_puts(out, "<svg width=\"100%\" height=\"100%\"");
        t = (struct text){t.s + to, t.len - to};
    }
    size_t graph = find_graph(t), close = find_close(t);
    if (graph < close) {
        buf_append(out, t.s, graph);
        buf_puts(out, "<script type=\"text/ecmascript\"><![CDATA[");
        buf_puts(out, script);
        buf_puts(out, "]]></script>"
                      "<g id=\"viewport\" transform=\"scale(0.5,0.5) translate(0,0)\">");
        buf_append(out, t.s + graph, close - graph);
    } else {
        buf_append(out, t.s, close);
    }
    if (close < t.len)
        buf_puts(out, "</g>");
    buf_append(out, t.s + close, t.len - close);
    arena_free(&scratch);
}
