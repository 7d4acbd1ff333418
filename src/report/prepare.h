/* SPDX-License-Identifier: MIT
 *
 * The one way from settings to a report: what flags, the shell, or an address ask for is done to
 * a profile, in the order in which pprof does it (google/pprof internal/driver/driver.go,
 * generateRawReport). Everything that shows numbers goes through here, so that they are the same
 * numbers everywhere. */
#ifndef REPORT_PREPARE_H
#define REPORT_PREPARE_H

#include "report/command.h"
#include "report/report.h"
#include "report/settings.h"

/* A filter beside the one of its kind in the settings: where there are several, a sample has to
 * pass all of them. */
struct prepare_filter {
    const struct option *option; /* focus, ignore, hide, show, show_from, tagfocus or tagignore */
    const char *value;
};

struct prepare_request {
    const struct settings *settings;
    const struct command *command; /* its overrides are applied; NULL: none */
    const char *param;             /* the command's regular expression, or NULL */
    const struct prepare_filter *more;
    size_t more_count;
    const char *tools;     /* of reports with a param: as -tools */
    const char *symbolize; /* likewise, as -symbolize: "fastlocal" holds for listings too */
    bool escape_all;       /* see report_options */
    int64_t max_listed;    /* likewise */
    bool quiet;            /* likewise */
    struct refine_say say; /* gets warnings: filters that match nothing, units that differ */
};

struct prepared {
    struct report report;     /* report_begin is done; to be given to a report_kind's print */
    struct settings settings; /* after the command's overrides */
    struct refine_units units;
    struct object_tools tools;
    struct regex *symbol;
    const char **filters; /* "focus=x", NULL at the end */
    size_t filter_count;
    struct arena arena;
};

/* Refines and aggregates `p`, in place, and begins the report. The request's texts are borrowed
 * until prepare_end, which has to be called on errors too. Errors have pprof's words. */
int prepare_report(struct prepared *r, struct profile *p, const struct prepare_request *q,
                   struct err *e);
void prepare_end(struct prepared *r);

/* The errors that prepare_report would have, without touching the profile: cheap for any size. */
int prepare_check(const struct profile *p, const struct prepare_request *q, struct err *e);

/* Begins the report of the profile as it is, without refining it: what the shell greets with. */
int prepare_plain(struct prepared *r, struct profile *p, const struct prepare_request *q,
                  struct err *e);

/* Whether settings (after overrides) and `more` leave samples and frames as they are: no filter, no
 * label as frame, no inlining undone. Granularity is not looked at. */
bool prepare_is_whole(const struct prepare_request *q);

/* SampleIndexByName: the sample type of a number or a name, "" for the default. */
int prepare_find_index(const struct profile *p, const char *name, uint32_t *index, struct err *e);

#endif
