/* SPDX-License-Identifier: MIT
 *
 * What a command prints, over HTTP. Drawings and files are left to the routes that make them. */
#include "web/text_data.h"

#include <string.h>

void text_data_serve(struct http_exchange *x, const struct ask *from)
{
    const char *name = http_query(x, "report"), *param = http_query(x, "re");
    const struct command *c = name ? command_find(name) : NULL;
    struct err e = {0};
    struct buf text;
    if (!c || c->suffix || (c->has_param && !param)) {
        http_reply_error(x, c ? 400 : 404,
                         "no text: 'report' has to name a report that is text, "
                         "'re' the regular expression if it takes one");
        return;
    }
    struct ask_options o = {
        .command = name, .param = c->has_param ? param : NULL, .max_listed = ASK_LISTED};
    if (!strcmp(name, "peek"))
        o.granularity = "lines"; /* as in pprof's page */
    if (ask_text(x, from, &o, &text, &e))
        http_reply_error(x, 400, "%s", e.msg);
    else
        http_reply(x, 200, "text/plain; charset=utf-8", text.data, text.len);
}
