/* SPDX-License-Identifier: MIT
 *
 * The program's own signals. Our handler stays installed for our signal, whatever the program does:
 * what it sets is kept in a shadow, given back when it asks, and called for signals that are not
 * ours. The signal is never really blocked either, the program only believes so. Where this process
 * writes the profile itself, fatal signals with the default action pass through here as well, so
 * that the profile is written before the program dies of them, as it would have. */
#include "runtime/debug.h"
#include "runtime/interpose.h"

#include "base/sigsafe.h"
#include "runtime/session.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef TRAP_PERF
#define TRAP_PERF 6 /* asm-generic/siginfo.h */
#endif

enum { SIGNALS = 65 };

/* Two copies: a handler may read one while the other is written. */
struct shadow {
    _Atomic int owned;  /* our handler is installed */
    _Atomic int fatal;  /* … whenever the program wants the default action */
    _Atomic int joined; /* our signal was added to its handler's mask: see join_handlers */
    _Atomic int current;
    struct sigaction action[2]; /* what the program believes to be installed */
};

static struct shadow shadows[SIGNALS];
static __thread bool believes_blocked __attribute__((tls_model("initial-exec")));
static __thread bool held __attribute__((tls_model("initial-exec"))); /* see hold_back */
/* A signal that the program blocked together with ours; 0: it blocked ours alone. */
static __thread int with_ours __attribute__((tls_model("initial-exec")));

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

/* Blocks or unblocks our signal in the calling thread, really. */
static void really(int how)
{
    uint64_t bit = 1ull << (rt.signo - 1);
    sigsafe_syscall4(SYS_rt_sigprocmask, how, &bit, NULL, sizeof bit);
}

/* Masks change past us, too: by siglongjmp, setcontext, a number. Where what was blocked with our
 * signal is not blocked any more, ours would not be, either. */
static bool is_still_blocked(void)
{
    uint64_t mask;
    if (believes_blocked && with_ours &&
        sigsafe_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof mask) == 0 &&
        !(mask >> (with_ours - 1) & 1))
        believes_blocked = false;
    return believes_blocked;
}

/* The program changes its mask so. */
static void note_mask(int how, const sigset_t *set)
{
    bool asked = sigismember(set, rt.signo) == 1;
    int other = 0;
    if (how == SIG_UNBLOCK) {
        believes_blocked = believes_blocked && !asked;
        if (with_ours && sigismember(set, with_ours) == 1)
            with_ours = 0;
        return;
    }
    for (int sig = 1; asked && !other && sig < SIGNALS; sig++)
        if (sig != rt.signo && sig != SIGKILL && sig != SIGSTOP && sigismember(set, sig) == 1)
            other = sig;
    if (how == SIG_SETMASK || asked) {
        believes_blocked = asked;
        with_ours = other;
    }
}

/* The program sent itself our signal while it blocks it, and may wait for it with sigwait or
 * signalfd: so from now on it is blocked indeed, and this one pending again. Samples of ours, which
 * the program would take for its own, are put off until it unblocks: the points stay. */
static void hold_back(int sig, siginfo_t *si, ucontext_t *context)
{
    struct thread *t = runtime_self();
    uint64_t bit = 1ull << (sig - 1), mask;
    struct timespec now = {0, 0};
    siginfo_t dropped;
    if (t)
        runtime_disarm(t);
    itimer_stop();
    held = true;
    while (sigsafe_syscall4(SYS_rt_sigtimedwait, &bit, &dropped, &now, sizeof bit) == sig)
        continue; /* a tick of ours would swallow the signal: one can be pending */
    memcpy(&mask, &context->uc_sigmask, sizeof mask);
    mask |= bit;
    memcpy(&context->uc_sigmask, &mask, sizeof mask);
    if (si->si_code == SI_TKILL)
        sigsafe_syscall4(SYS_rt_tgsigqueueinfo, runtime_pid(), runtime_tid(), sig, si);
    else
        sigsafe_syscall3(SYS_rt_sigqueueinfo, runtime_pid(), sig, si);
}

static bool is_blocked_in(const ucontext_t *context, int sig)
{
    uint64_t mask;
    memcpy(&mask, &context->uc_sigmask, sizeof mask);
    return mask >> (sig - 1) & 1;
}

void signals_forward(int sig, siginfo_t *si, void *context)
{
    /* One that comes though it is blocked indeed comes because sigsuspend or ppoll let it. */
    if (believes_blocked && si->si_code <= 0 && !is_blocked_in(context, sig)) {
        hold_back(sig, si, context);
        return;
    }
    struct sigaction act = *shadow_action(sig);
    if (act.sa_flags & SA_RESETHAND) {
        struct sigaction dfl = {.sa_handler = SIG_DFL};
        set_shadow(sig, &dfl);
    }
    /* One of a clock of ours may have been pending since the image before this one. */
    bool harmless = sig == SIGURG || (sig == SIGTRAP && si->si_code == TRAP_PERF);
    if (act.sa_handler == SIG_IGN || (act.sa_handler == SIG_DFL && harmless))
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
    int saved = errno;
    debug_fault(sig, si, context);
    bool interrupted = session_catch(sig);
    runtime_end(true, NULL);
    if (interrupted)
        session_caught();
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

void signals_see_faults(void)
{
    own_fatal(SIGSEGV);
    own_fatal(SIGBUS);
}

void signals_save_at_death(void)
{
    for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
        if (!atomic_load(&shadows[fatal_signals[i]].owned))
            own_fatal(fatal_signals[i]);
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
    /* The signal may have been blocked by whoever started us; the program goes on to believe so. */
    uint64_t mask = 0;
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, sizeof mask);
    believes_blocked = mask >> (rt.signo - 1) & 1;
    really(SIG_UNBLOCK);
    if (with_fatal)
        signals_save_at_death();
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
    return runtime_pid() != rt.pid;
}

/* ---- small alternate stacks ---- */

/* The kernel's frame for a signal is 3.5 to 12 KB: two, and a handler between, do not fit on a
 * stack of 8 KB. Where the program has one smaller than this, our signal waits until its handlers
 * on that stack have returned: it joins their masks, and is not shown there. */
enum { ROOMY_ALTSTACK = 32 << 10 };

static _Atomic int has_small_altstack;

static bool runs_handler(const struct sigaction *act)
{
    return (act->sa_flags & SA_ONSTACK) && act->sa_handler != SIG_DFL && act->sa_handler != SIG_IGN;
}

/* Sets an action that is the program's own, with our signal in its mask where that is needed. */
static int set_joined(int sig, const struct sigaction *act, struct sigaction *old)
{
    struct sigaction mine, before;
    bool join = act && rt.signo && atomic_load(&has_small_altstack) && runs_handler(act) &&
                !sigismember(&act->sa_mask, rt.signo);
    if (join) {
        mine = *act;
        sigaddset(&mine.sa_mask, rt.signo);
    }
    bool known = sig > 0 && sig < SIGNALS;
    bool joined = known && atomic_load(&shadows[sig].joined);
    int r = real_sigaction(sig, join ? &mine : act, old ? &before : NULL);
    if (r != 0)
        return r;
    if (act && known)
        atomic_store(&shadows[sig].joined, join);
    if (old) {
        *old = before;
        if (joined)
            sigdelset(&old->sa_mask, rt.signo);
    }
    return 0;
}

__attribute__((unused)) static void join_handlers(void)
{
    if (atomic_exchange(&has_small_altstack, 1))
        return;
    for (int sig = 1; sig < SIGNALS; sig++) {
        struct sigaction now;
        if (sig != rt.signo && real_sigaction(sig, NULL, &now) == 0 && runs_handler(&now) &&
            now.sa_sigaction != fatal)
            set_joined(sig, &now, NULL);
    }
}

int signals_altstack(const stack_t *st, stack_t *old)
{
    REAL(sigaltstack, int (*)(const stack_t *, stack_t *));
    int r = real(st, old);
    struct thread *t = runtime_self();
    if (r == 0 && st && t)
        runtime_note_altstack(t, st->ss_sp, st->ss_flags & SS_DISABLE ? 0 : st->ss_size);
    return r;
}

/* Threads with small stacks have one of ours, of which the program does not know.
 * ThreadSanitizer sets its own before code that it instruments can run, so there it is libc's. */
#ifndef __SANITIZE_THREAD__
INTERPOSE int sigaltstack(const stack_t *st, stack_t *old)
{
    const stack_t *ours = threads_altstack();
    stack_t before;
    int r = signals_altstack(st, &before);
    if (r != 0)
        return r;
    if (st && !(st->ss_flags & SS_DISABLE) && st->ss_size < ROOMY_ALTSTACK && rt.signo)
        join_handlers();
    if (st && (st->ss_flags & SS_DISABLE) && ours)
        signals_altstack(ours, NULL);
    if (old)
        *old = ours && before.ss_sp == ours->ss_sp ? (stack_t){.ss_flags = SS_DISABLE} : before;
    return 0;
}
#endif

INTERPOSE int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    if (!is_owned(sig)) {
        int r = set_joined(sig, act, old);
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

/* What signal() is in programs that ask for System V or for no extensions, and its other names. */
static __sighandler_t set_once(int sig, __sighandler_t handler)
{
    struct sigaction act = {.sa_handler = handler, .sa_flags = SA_RESETHAND | SA_NODEFER}, old;
    if (handler == SIG_ERR) {
        errno = EINVAL;
        return SIG_ERR;
    }
    return sigaction(sig, &act, &old) == 0 ? old.sa_handler : SIG_ERR;
}

__sighandler_t __sysv_signal(int sig, __sighandler_t handler);

INTERPOSE __sighandler_t __sysv_signal(int sig, __sighandler_t handler)
{
    return set_once(sig, handler);
}

INTERPOSE __sighandler_t sysv_signal(int sig, __sighandler_t handler)
{
    return set_once(sig, handler);
}

__sighandler_t bsd_signal(int sig, __sighandler_t handler);

INTERPOSE __sighandler_t bsd_signal(int sig, __sighandler_t handler)
{
    return signal(sig, handler);
}

INTERPOSE __sighandler_t ssignal(int sig, __sighandler_t handler)
{
    return signal(sig, handler);
}

/* Between the last moment of an image and a new one, or around a child's start: what the program
 * believes to be blocked must be, because the new image inherits it. */
void signals_for_exec(bool begin)
{
    bool blocked = begin ? is_still_blocked() : believes_blocked;
    if (blocked && !held && rt.signo)
        really(begin ? SIG_BLOCK : SIG_UNBLOCK);
}

/* A new thread inherits the real mask of its creator. */
void signals_begin_thread(bool blocked)
{
    believes_blocked = blocked;
    if (blocked)
        really(SIG_UNBLOCK);
}

bool signals_believed_blocked(void)
{
    return is_still_blocked();
}

/* What the program asks of its mask, without our signal; what it is told, with it. */
static int change_mask(int how, const sigset_t *set, sigset_t *old,
                       int (*real)(int, const sigset_t *, sigset_t *))
{
    sigset_t mine;
    if (!rt.signo || !is_owned(rt.signo))
        return real(how, set, old);
    bool believed = is_still_blocked();
    int believed_with = with_ours;
    if (set) {
        mine = *set;
        if (!held && (how == SIG_BLOCK || how == SIG_SETMASK))
            sigdelset(&mine, rt.signo);
        note_mask(how, set);
        set = &mine;
    }
    bool was_held = held;
    if (held && !believes_blocked)
        held = false;
    int r = real(how, set, old);
    if (was_held && !held && runtime_is_sampling() && runtime_self())
        runtime_arm(runtime_self(), runtime_tid(), 0);
    if (r != 0) {
        believes_blocked = believed;
        with_ours = believed_with;
    } else if (old && believed)
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
