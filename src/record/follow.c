/* SPDX-License-Identifier: MIT
 *
 * A recorded program starts others, and some of them are static or Go's: `sh -c ./server`, a build
 * with a Go compiler in it. The library announces every execve in shared memory, and what
 * posix_spawn has started where the library cannot follow; it knocks when the image is such a one,
 * so that we look within a millisecond. Where the library does not come to life behind it, and
 * /proc says that the new image has no place for it, the process is opened from outside, as one
 * that runs already. What it used before the recorder looked is in the remainder, [processes not
 * recorded]. Where such a program starts one that has the library again, that one speaks for itself
 * (drain_is_recorded), and samples of it from outside are dropped. */
#include "record/follow.h"

#include "record/drain.h"
#include "record/outside.h"
#include "record/target.h"

#include <errno.h>
#include <stdio.h>

/* Whether the process has to be sampled from outside; -1: it cannot be. */
static int is_wanted(uint32_t pid)
{
    char path[32];
    struct target_kind kind;
    struct err e = {0};
    snprintf(path, sizeof path, "/proc/%u/exe", pid);
    int err = target_check(path, &kind, &e);
    return err < 0 ? -1 : kind.why_outside != NULL;
}

void follow_look(struct recorder *r)
{
    struct record_result *x = &r->result;
    uint32_t pid;
    for (uint32_t i = 0; (i = drain_executing(r->drain, i, &pid)) != DRAIN_NONE; i++) {
        struct err e = {0};
        int wanted = x->why_not_followed[0] ? 0 : is_wanted(pid);
        if (wanted == 0)
            continue;
        int err = wanted < 0 ? 0 : outside_follow(r, pid, &e);
        if (err == -ESRCH) /* it has ended meanwhile */
            continue;
        if (err < 0) {
            snprintf(x->why_not_followed, sizeof x->why_not_followed, "%s", e.msg);
            continue;
        }
        drain_settle(r->drain, i, wanted > 0);
        x->followed += wanted > 0;
    }
}
