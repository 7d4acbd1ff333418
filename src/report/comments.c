/* SPDX-License-Identifier: MIT
 *
 * comments: the profile's comments, a line each, those that begin with "#" as well. */
#include "report/report.h"

int report_comments(struct report *r, struct out *out, struct err *e)
{
    const struct profile *p = r->p;
    for (uint32_t i = 0; i < p->comment_count; i++) {
        struct profile_str comment = p->strings[p->comments[i]];
        out_write(out, comment.ptr, comment.len);
        out_putc(out, '\n');
    }
    return 0;
}
