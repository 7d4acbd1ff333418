/* SPDX-License-Identifier: MIT
 *
 * Writes events. They are flushed one by one, for whoever shows them shows them now. */
#include "cli/suite_event.h"

#include "suite/process.h"

#include <signal.h>
#include <stdio.h>

void suite_event_begin(struct suite_event *v, const char *name)
{
    arena_init(&v->a);
    buf_init(&v->b, &v->a);
    json_init(&v->j, &v->b);
    json_object(&v->j, NULL);
    json_cstr(&v->j, "event", name);
}

void suite_event_send(struct suite_event *v)
{
    json_object_end(&v->j);
    buf_putc(&v->b, '\n');
    size_t n = fwrite(v->b.data, 1, v->b.len, stdout);
    if ((n != v->b.len || fflush(stdout) != 0) && !suite_interrupted)
        suite_interrupted = SIGHUP;
    arena_free(&v->a);
}
