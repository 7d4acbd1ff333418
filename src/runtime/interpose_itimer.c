/* SPDX-License-Identifier: MIT
 *
 * The program's own profiling timer, where ours has taken the process's only one (itimer.c): the
 * program does not see it, and gets it when it sets one. */
#include "runtime/interpose.h"

#include <string.h>
#include <sys/time.h>

/* Not in a child of vfork, which has none of ours. */
static bool hides(int which)
{
    return which == ITIMER_PROF && itimer_is_ours() && runtime_pid() == rt.pid;
}

INTERPOSE int setitimer(__itimer_which_t which, const struct itimerval *to, struct itimerval *old)
{
    REAL(setitimer, int (*)(__itimer_which_t, const struct itimerval *, struct itimerval *));
    bool hidden = hides((int)which);
    /* Stopping a timer that was never set changes nothing. */
    if (hidden && to && (to->it_value.tv_sec || to->it_value.tv_usec)) {
        itimer_give_way();
        hidden = false;
    }
    if (!hidden)
        return real(which, to, old);
    if (old)
        memset(old, 0, sizeof *old);
    return 0;
}

INTERPOSE int getitimer(__itimer_which_t which, struct itimerval *now)
{
    REAL(getitimer, int (*)(__itimer_which_t, struct itimerval *));
    if (!now || !hides((int)which))
        return real(which, now);
    memset(now, 0, sizeof *now);
    return 0;
}
