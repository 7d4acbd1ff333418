/* SPDX-License-Identifier: MIT
 *
 * What `strobe suite run --progress json` says on its standard output: one JSON object a line.
 * docs/suite.md has the events. */
#ifndef CLI_SUITE_EVENT_H
#define CLI_SUITE_EVENT_H

#include "web/json.h"

struct suite_event {
    struct arena a;
    struct buf b;
    struct json j; /* the object is open: add to it */
};

/* Begins {"event": NAME. */
void suite_event_begin(struct suite_event *v, const char *name);
/* Ends the object and writes it out at once. Where nobody reads any more the suite is interrupted,
 * as by SIGHUP: who started it is gone. */
void suite_event_send(struct suite_event *v);

#endif
