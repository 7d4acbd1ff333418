/* SPDX-License-Identifier: MIT
 *
 * What the forms of /api/v1/profile share. A form changes the profile as it likes and answers the
 * exchange, or says what is wrong: 0, or an error for api_reply_error. */
#ifndef SERVER_API_PROFILE_H
#define SERVER_API_PROFILE_H

#include "server/api.h"

struct api_answer {
    struct http_exchange *x;
    struct store_query query;
    struct store_merge_info info;
    struct profile *profile; /* merged; of two ranges, what has changed */
    uint64_t base_profiles;  /* of the other range; 0: there is none */
    uint32_t type;           /* the sample type asked for */
};

struct api_format {
    const char *name;
    int (*write)(struct api_answer *a, struct err *e);
};

/* Reports as the command line prints them: api_report.c. */
int api_report_folded(struct api_answer *a, struct err *e);
int api_report_text(struct api_answer *a, struct err *e);
int api_report_dot(struct api_answer *a, struct err *e);
int api_report_graph(struct api_answer *a, struct err *e);
int api_report_source(struct api_answer *a, struct err *e);
int api_report_svg(struct api_answer *a, struct err *e);

#endif
