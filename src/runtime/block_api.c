/* SPDX-License-Identifier: MIT
 *
 * What programs say of waits themselves: rates at run time, as Go's runtime.SetBlockProfileRate and
 * SetMutexProfileFraction, and the begin and end of waits for locks of their own making. */
#include "runtime/waits.h"

#include <limits.h>

int waits_set_block_rate(uint64_t rate_ns)
{
    return waits_set_rates(rate_ns, atomic_load(&waits.mutex_fraction));
}

int waits_set_mutex_fraction(uint64_t fraction)
{
    uint32_t n = fraction < INT_MAX ? (uint32_t)fraction : INT_MAX;
    return waits_set_rates(atomic_load(&waits.block_rate), n);
}

int strobe_set_block_rate(long long rate_ns)
{
    return waits_set_block_rate(rate_ns > 0 ? (uint64_t)rate_ns : 0);
}

int strobe_set_mutex_fraction(int fraction)
{
    int before = (int)atomic_load(&waits.mutex_fraction);
    if (fraction < 0)
        return before;
    int r = waits_set_mutex_fraction((uint64_t)fraction);
    return r < 0 ? r : before;
}

/* The wait that is open in this thread at some depth; NULL: there is none, or it is too deep. */
static struct wait *open_wait(struct waits_thread *t, uint32_t depth)
{
    return t && depth < WAITS_USER_DEPTH ? &t->user[depth] : NULL;
}

void strobe_block_begin(const char *kind)
{
    if (!waits_are_on() || waits_busy())
        return;
    struct waits_thread *t = waits_self();
    struct wait *w = t ? open_wait(t, t->user_depth++) : NULL;
    waits_unbusy();
    if (w)
        waits_enter(w, WAITS_USER, kind, NULL);
}

void strobe_block_end(void)
{
    if (waits_busy())
        return;
    struct waits_thread *t = waits_self();
    struct wait *w = t && t->user_depth ? open_wait(t, --t->user_depth) : NULL;
    waits_unbusy();
    if (w)
        waits_leave(w, WAITS_CALLER, WAITS_GOT);
    WAITS_KEEP_FRAME();
}
