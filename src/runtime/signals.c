/* SPDX-License-Identifier: MIT
 *
 * The program's own signals. Our handler stays installed for our signal, whatever the program does:
 * what it sets is kept in a shadow, given back when it asks, and called for signals that are not
 * ours. The signal is never really blocked either, the program only believes so. Where this process
 * writes the profile itself, fatal signals with the default action pass through here as well, so
 * that the profile is written before the program dies of them, as it would have. */
#include "runtime/interpose.h"

#include "base/sigsafe.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { SIGNALS = 65 };

/* Two copies: a handler may read one while the other is written. */
struct shadow {
    _Atomic int owned; /* our handler is installed */
    _Atomic int fatal; /* … whenever the program wants the default action */
    _Atomic int current;
    struct sigaction action[2]; /* what the program believes to be installed */
};

static struct shadow shadows[SIGNALS];
static __thread bool believes_blocked __attribute__((tls_model("initial-exec")));

static const int fatal_signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGABRT,   SIGBUS,
                                    SIGFPE,  SIGSEGV, SIGPIPE, SIGALRM, SIGTERM,   SIGUSR1,
                                    SIGUSR2, SIGXCPU, SIGXFSZ, SIGPROF, SIGVTALRM, SIGSYS};

static int real_sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    REAL(sigaction, int (*)(int, const struct sigaction *, struct sigaction *));
    return real(sig, act, old);
}

static struct sigaction *shadow_action(int sig)
{
    return &shadows[sig].action[atomic_load_explicit(&shadows[sig].current, memory_order_acquire)];
}

static void set_shadow(int sig, const struct sigaction *act)
{
    struct shadow *s = &shadows[sig];
    int next = !atomic_load_explicit(&s->current, memory_order_relaxed);
    s->action[next] = *act;
    atomic_store_explicit(&s->current, next, memory_order_release);
}

/* ---- the program's handlers ---- */

static void raise_default(int sig)
{
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    real_sigaction(sig, &dfl, NULL);
    sigsafe_syscall3(SYS_tgkill, sigsafe_syscall0(SYS_getpid), sigsafe_syscall0(SYS_gettid), sig);
}

void signals_forward(int sig, siginfo_t *si, void *context)
{
    struct sigaction act = *shadow_action(sig);
    if (act.sa_flags & SA_RESETHAND) {
        struct sigaction dfl = {.sa_handler = SIG_DFL};
        set_shadow(sig, &dfl);
    }
    if (act.sa_handler == SIG_IGN || (act.sa_handler == SIG_DFL && sig == SIGURG))
        return;
    if (act.sa_handler == SIG_DFL) {
        raise_default(sig);
        return;
    }
    /* Ours runs with all signals blocked: theirs gets the mask it would have had. */
    uint64_t mask, old;
    memcpy(&mask, &act.sa_mask, sizeof mask);
    memcpy(&old, &((ucontext_t *)context)->uc_sigmask, sizeof old);
    mask |= old | (act.sa_flags & SA_NODEFER ? 0 : 1ull << (sig - 1));
    uint64_t ours;
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, &ours, sizeof mask);
    if (act.sa_flags & SA_SIGINFO)
        act.sa_sigaction(sig, si, context);
    else
        act.sa_handler(sig);
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &ours, NULL, sizeof ours);
}

/* ---- fatal signals ---- */

static void fatal(int sig, siginfo_t *si, void *context)
{
    (void)context;
    int saved = errno;
    runtime_end(true, NULL);
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    real_sigaction(sig, &dfl, NULL);
    /* A fault comes again when the instruction is run again, with its true siginfo; what a process,
     * a timer or the terminal sent does not. */
    bool is_fault = sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE;
    if (!is_fault || si->si_code <= 0)
        raise_default(sig);
    errno = saved;
}

static void own_fatal(int sig)
{
    struct sigaction now;
    if (sig == rt.signo || real_sigaction(sig, NULL, &now) != 0 || now.sa_handler != SIG_DFL)
        return;
    struct sigaction ours = {.sa_sigaction = fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&ours.sa_mask);
    set_shadow(sig, &now);
    if (real_sigaction(sig, &ours, NULL) != 0)
        return;
    atomic_store(&shadows[sig].fatal, 1);
    atomic_store(&shadows[sig].owned, 1);
}

int signals_install(bool with_fatal)
{
    struct sigaction ours = {.sa_sigaction = runtime_handler,
                             .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct sigaction old;
    sigfillset(&ours.sa_mask);
    if (!atomic_load(&shadows[rt.signo].owned)) {
        if (real_sigaction(rt.signo, NULL, &old) != 0)
            return -errno;
        set_shadow(rt.signo, &old);
    }
    if (real_sigaction(rt.signo, &ours, NULL) != 0)
        return -errno;
    atomic_store(&shadows[rt.signo].owned, 1);
    /* The signal may have been blocked by whoever started us. */
    uint64_t bit = 1ull << (rt.signo - 1);
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit, NULL, sizeof bit);
    for (size_t i = 0; with_fatal && i < sizeof fatal_signals / sizeof *fatal_signals; i++)
        own_fatal(fatal_signals[i]);
    return 0;
}

/* ---- interposers ---- */

static bool is_owned(int sig)
{
    return sig > 0 && sig < SIGNALS &&
           atomic_load_explicit(&shadows[sig].owned, memory_order_acquire);
}

/* Between vfork and exec the memory is the parent's, but the signals are the child's own. */
static bool in_vfork_child(void)
{
    return sigsafe_syscall0(SYS_getpid) != (long)rt.pid;
}

INTERPOSE int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    if (!is_owned(sig)) {
        int r = real_sigaction(sig, act, old);
        if (r == 0 && act && act->sa_handler == SIG_DFL && atomic_load(&shadows[sig].fatal) &&
            !in_vfork_child())
            own_fatal(sig);
        return r;
    }
    struct sigaction before = *shadow_action(sig);
    if (in_vfork_child()) {
        int r = act ? real_sigaction(sig, act, NULL) : 0;
        if (r == 0 && old)
            *old = before;
        return r;
    }
    if (act && sig != rt.signo && act->sa_handler != SIG_DFL) {
        int r = real_sigaction(sig, act, NULL);
        if (r != 0)
            return r;
        atomic_store(&shadows[sig].owned, 0); /* theirs now: it is not fatal any more */
    } else if (act) {
        set_shadow(sig, act);
    }
    if (old)
        *old = before;
    return 0;
}

INTERPOSE __sighandler_t signal(int sig, __sighandler_t handler)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    return sigaction(sig, &act, &old) == 0 ? old.sa_handler : SIG_ERR;
}

bool signals_believed_blocked(void)
{
    return believes_blocked;
}

void signals_believe_blocked(bool blocked)
{
    believes_blocked = blocked;
}

/* What the program asks of its mask, without our signal; what it is told, with it. */
static int change_mask(int how, const sigset_t *set, sigset_t *old,
                       int (*real)(int, const sigset_t *, sigset_t *))
{
    sigset_t mine;
    bool believed = believes_blocked;
    if (!rt.signo || !is_owned(rt.signo))
        return real(how, set, old);
    if (set) {
        bool asked = sigismember(set, rt.signo) == 1;
        mine = *set;
        if (how == SIG_BLOCK || how == SIG_SETMASK)
            sigdelset(&mine, rt.signo);
        if (how == SIG_SETMASK)
            believes_blocked = asked;
        else if (asked)
            believes_blocked = how == SIG_BLOCK;
        set = &mine;
    }
    int r = real(how, set, old);
    if (r != 0)
        believes_blocked = believed;
    else if (old && believed)
        sigaddset(old, rt.signo);
    return r;
}

INTERPOSE int pthread_sigmask(int how, const sigset_t *set, sigset_t *old)
{
    REAL(pthread_sigmask, int (*)(int, const sigset_t *, sigset_t *));
    return change_mask(how, set, old, real);
}

INTERPOSE int sigprocmask(int how, const sigset_t *set, sigset_t *old)
{
    REAL(sigprocmask, int (*)(int, const sigset_t *, sigset_t *));
    return change_mask(how, set, old, real);
}
