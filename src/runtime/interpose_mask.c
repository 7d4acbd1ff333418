/* SPDX-License-Identifier: MIT
 *
 * The older ways to a signal's mask and action, BSD's and System V's: libc has them on functions of
 * its own, past those that we stand before, so they are made anew here on ours (signals.c). Shells
 * use them between fork and exec, and what is blocked there is blocked in all that they start. */
#include "runtime/interpose.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* they are */

/* The first 32 signals, of which these functions know. */
static int change_low(int how, int mask)
{
    sigset_t set, old;
    uint32_t low = (uint32_t)mask, before;
    sigemptyset(&set);
    memcpy(&set, &low, sizeof low);
    if (sigprocmask(how, &set, &old) != 0)
        return -1;
    memcpy(&before, &old, sizeof before);
    return (int)before;
}

int sigsetmask(int mask);
INTERPOSE int sigsetmask(int mask)
{
    return change_low(SIG_SETMASK, mask);
}

int sigblock(int mask);
INTERPOSE int sigblock(int mask)
{
    return change_low(SIG_BLOCK, mask);
}

int siggetmask(void);
INTERPOSE int siggetmask(void)
{
    return change_low(SIG_BLOCK, 0);
}

static int change_one(int how, int sig, sigset_t *old)
{
    sigset_t set;
    sigemptyset(&set);
    return sigaddset(&set, sig) == 0 ? sigprocmask(how, &set, old) : -1;
}

int sighold(int sig);
INTERPOSE int sighold(int sig)
{
    return change_one(SIG_BLOCK, sig, NULL);
}

int sigrelse(int sig);
INTERPOSE int sigrelse(int sig)
{
    return change_one(SIG_UNBLOCK, sig, NULL);
}

int sigignore(int sig);
INTERPOSE int sigignore(int sig)
{
    struct sigaction act = {.sa_handler = SIG_IGN};
    return sigaction(sig, &act, NULL);
}

/* POSIX.1-2008, sigset(): the action before, or SIG_HOLD where the signal was blocked. */
__sighandler_t sigset(int sig, __sighandler_t handler);
INTERPOSE __sighandler_t sigset(int sig, __sighandler_t handler)
{
    __sighandler_t hold = (__sighandler_t)2; /* SIG_HOLD */
    struct sigaction act = {.sa_handler = handler}, before;
    sigset_t old;
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    bool holds = handler == hold;
    if (sigaction(sig, holds ? NULL : &act, &before) != 0 ||
        change_one(holds ? SIG_BLOCK : SIG_UNBLOCK, sig, &old) != 0)
        return SIG_ERR;
    return sigismember(&old, sig) == 1 ? hold : before.sa_handler;
}
