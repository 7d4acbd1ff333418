/* SPDX-License-Identifier: MIT
 *
 * Reports that are text, as the page shows them: /api/text.
 *
 *   report  the command: peek, disasm, top, traces, tags, raw …
 *   re      its regular expression, if it takes one
 *
 * and the parameters of ask.h. */
#ifndef WEB_TEXT_DATA_H
#define WEB_TEXT_DATA_H

#include "web/ask.h"

/* Answers `x` with what the command prints; 404 if there is none of that name, 400 with a sentence
 * for what it cannot print. */
void text_data_serve(struct http_exchange *x, const struct ask *from);

#endif
