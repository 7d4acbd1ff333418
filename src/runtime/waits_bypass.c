/* SPDX-License-Identifier: MIT
 *
 * The way past us of the locks that are taken most, while nobody looks at waits (runtime/bypass.h).
 * Where somebody begins to, they come to us again; a lock that was taken meanwhile is one that was
 * taken before. */
#include "runtime/bypass.h"
#include "runtime/runtime.h"
#include "runtime/waits.h"
#include "unwind/rawmem.h"

#ifndef RAW_SANITIZED

#define COUNT(name) +1
enum { BYPASSED = 0 WAITS_LOCKS(COUNT) };
#undef COUNT

static bool is_bypassed;

static void fill(struct bypass rows[BYPASSED])
{
    size_t i = 0;
#define ROW(name)                                                                                  \
    rows[i] = (struct bypass){#name, (void *)(uintptr_t)waits_our_locks[i],                        \
                              waits_real(WAITS_CALL_##name)};                                      \
    i++;
    WAITS_LOCKS(ROW)
#undef ROW
}

void waits_bypass(void)
{
    struct bypass rows[BYPASSED];
    if (waits_are_watched())
        return;
    fill(rows);
    is_bypassed = bypass_open_ours(rows, BYPASSED);
}

bool waits_end_bypass(void)
{
    struct bypass rows[BYPASSED];
    if (!is_bypassed)
        return true;
    if (atomic_load(&rt.denied) & NEED_ARM) /* it takes mprotect */
        return false;
    is_bypassed = false;
    fill(rows);
    bypass_close(rows, BYPASSED);
    return true;
}

#else

void waits_bypass(void)
{
}

bool waits_end_bypass(void)
{
    return true;
}

#endif
