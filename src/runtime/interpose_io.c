/* SPDX-License-Identifier: MIT
 *
 * System calls that can block, for STROBE_BLOCK=io and for who wants to know what a thread waits
 * in. Nothing is tried first: whether a call will block nobody can say, so all of them are timed,
 * and what took less than a microsecond did not wait. Arguments, results and errno pass through as
 * they are, a signal ends a call as it would, and cancellation points remain such.
 *
 * Not seen are calls that libc makes by itself: stdio's, the resolver's. */
#undef _FORTIFY_SOURCE   /* the functions behind its wrappers are what is defined here */
#undef _FILE_OFFSET_BITS /* and each by its own name */

#include "runtime/waits.h"
#include "runtime/wall.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern void _pthread_cleanup_push(struct _pthread_cleanup_buffer *b, void (*f)(void *), void *arg);
extern void _pthread_cleanup_pop(struct _pthread_cleanup_buffer *b, int execute);

/* Those that programs compiled with _FORTIFY_SOURCE call. */
ssize_t __read_chk(int fd, void *to, size_t n, size_t room);
ssize_t __pread_chk(int fd, void *to, size_t n, off_t at, size_t room);
ssize_t __pread64_chk(int fd, void *to, size_t n, off64_t at, size_t room);
ssize_t __recv_chk(int fd, void *to, size_t n, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *to, size_t n, size_t room, int flags, __SOCKADDR_ARG from,
                       socklen_t *restrict size);
int __poll_chk(struct pollfd *fds, nfds_t n, int timeout_ms, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
                size_t room);

#define LIST(...) __VA_ARGS__
#define FD        ((void *)(intptr_t)fd)

/* Defines one of them. `blocks`: whether it may; `params` and `args` as they are declared. */
#define BLOCKING(ret, name, kind, object, blocks, params, args)                                    \
    WAITS_SLOW static ret name##_slowly(const void *caller, LIST params)                           \
    {                                                                                              \
        struct cancellable c = {.caller = caller};                                                 \
        struct _pthread_cleanup_buffer cleanup;                                                    \
        if (kind == WAITS_POLL || kind == WAITS_SLEEP)                                             \
            waits_before_sleep();                                                                  \
        waits_begin(&c.w, kind, object);                                                           \
        if (!c.w.t)                                                                                \
            return WAITS_REAL(name) args;                                                          \
        _pthread_cleanup_push(&cleanup, waits_cancelled, &c);                                      \
        ret r = WAITS_REAL(name) args;                                                             \
        int saved = errno;                                                                         \
        _pthread_cleanup_pop(&cleanup, 0);                                                         \
        waits_leave(&c.w, caller, WAITS_GOT);                                                      \
        errno = saved;                                                                             \
        return r;                                                                                  \
    }                                                                                              \
    INTERPOSE ret name(LIST params)                                                                \
    {                                                                                              \
        bool may_block = (blocks);                                                                 \
        __typeof__(name) *plain = WAITS_FAST(name);                                                \
        if (WAITS_LIKELY(plain))                                                                   \
            return plain args;                                                                     \
        if (!may_block)                                                                            \
            return WAITS_REAL(name) args;                                                          \
        ret r = name##_slowly(WAITS_CALLER, LIST args);                                            \
        WAITS_KEEP_FRAME();                                                                        \
        return r;                                                                                  \
    }                                                                                              \
    _Static_assert(1, "")

/* ---- files, pipes, sockets ---- */

BLOCKING(ssize_t, read, WAITS_IO, FD, true, (int fd, void *to, size_t n), (fd, to, n));
BLOCKING(ssize_t, __read_chk, WAITS_IO, FD, true, (int fd, void *to, size_t n, size_t room),
         (fd, to, n, room));
BLOCKING(ssize_t, write, WAITS_IO, FD, true, (int fd, const void *from, size_t n), (fd, from, n));
BLOCKING(ssize_t, readv, WAITS_IO, FD, true, (int fd, const struct iovec *v, int n), (fd, v, n));
BLOCKING(ssize_t, writev, WAITS_IO, FD, true, (int fd, const struct iovec *v, int n), (fd, v, n));
BLOCKING(ssize_t, pread, WAITS_IO, FD, true, (int fd, void *to, size_t n, off_t at),
         (fd, to, n, at));
BLOCKING(ssize_t, pread64, WAITS_IO, FD, true, (int fd, void *to, size_t n, off64_t at),
         (fd, to, n, at));
BLOCKING(ssize_t, __pread_chk, WAITS_IO, FD, true,
         (int fd, void *to, size_t n, off_t at, size_t room), (fd, to, n, at, room));
BLOCKING(ssize_t, __pread64_chk, WAITS_IO, FD, true,
         (int fd, void *to, size_t n, off64_t at, size_t room), (fd, to, n, at, room));
BLOCKING(ssize_t, pwrite, WAITS_IO, FD, true, (int fd, const void *from, size_t n, off_t at),
         (fd, from, n, at));
BLOCKING(ssize_t, pwrite64, WAITS_IO, FD, true, (int fd, const void *from, size_t n, off64_t at),
         (fd, from, n, at));
BLOCKING(int, fsync, WAITS_IO, FD, true, (int fd), (fd));
BLOCKING(int, fdatasync, WAITS_IO, FD, true, (int fd), (fd));
BLOCKING(int, flock, WAITS_IO, FD, !(operation & LOCK_NB), (int fd, int operation),
         (fd, operation));

BLOCKING(int, accept, WAITS_IO, FD, true, (int fd, __SOCKADDR_ARG a, socklen_t *restrict size),
         (fd, a, size));
BLOCKING(int, accept4, WAITS_IO, FD, true,
         (int fd, __SOCKADDR_ARG a, socklen_t *restrict size, int flags), (fd, a, size, flags));
BLOCKING(int, connect, WAITS_IO, FD, true, (int fd, __CONST_SOCKADDR_ARG a, socklen_t size),
         (fd, a, size));
BLOCKING(ssize_t, recv, WAITS_IO, FD, true, (int fd, void *to, size_t n, int flags),
         (fd, to, n, flags));
BLOCKING(ssize_t, __recv_chk, WAITS_IO, FD, true,
         (int fd, void *to, size_t n, size_t room, int flags), (fd, to, n, room, flags));
BLOCKING(ssize_t, recvfrom, WAITS_IO, FD, true,
         (int fd, void *restrict to, size_t n, int flags, __SOCKADDR_ARG from,
          socklen_t *restrict size),
         (fd, to, n, flags, from, size));
BLOCKING(ssize_t, __recvfrom_chk, WAITS_IO, FD, true,
         (int fd, void *to, size_t n, size_t room, int flags, __SOCKADDR_ARG from,
          socklen_t *restrict size),
         (fd, to, n, room, flags, from, size));
BLOCKING(ssize_t, recvmsg, WAITS_IO, FD, true, (int fd, struct msghdr *m, int flags),
         (fd, m, flags));
BLOCKING(int, recvmmsg, WAITS_IO, FD, true,
         (int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout),
         (fd, m, n, flags, timeout));
BLOCKING(ssize_t, send, WAITS_IO, FD, true, (int fd, const void *from, size_t n, int flags),
         (fd, from, n, flags));
BLOCKING(ssize_t, sendto, WAITS_IO, FD, true,
         (int fd, const void *from, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t size),
         (fd, from, n, flags, to, size));
BLOCKING(ssize_t, sendmsg, WAITS_IO, FD, true, (int fd, const struct msghdr *m, int flags),
         (fd, m, flags));
BLOCKING(int, sendmmsg, WAITS_IO, FD, true, (int fd, struct mmsghdr *m, unsigned n, int flags),
         (fd, m, n, flags));

/* ---- several of them ---- */

BLOCKING(int, poll, WAITS_POLL, fds, timeout_ms != 0,
         (struct pollfd * fds, nfds_t n, int timeout_ms), (fds, n, timeout_ms));
BLOCKING(int, __poll_chk, WAITS_POLL, fds, timeout_ms != 0,
         (struct pollfd * fds, nfds_t n, int timeout_ms, size_t room), (fds, n, timeout_ms, room));
BLOCKING(int, ppoll, WAITS_POLL, fds, true,
         (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
         (fds, n, timeout, mask));
BLOCKING(int, __ppoll_chk, WAITS_POLL, fds, true,
         (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
          size_t room),
         (fds, n, timeout, mask, room));
BLOCKING(int, select, WAITS_POLL, r0, true,
         (int n, fd_set *restrict r0, fd_set *restrict w, fd_set *restrict e,
          struct timeval *restrict timeout),
         (n, r0, w, e, timeout));
BLOCKING(int, pselect, WAITS_POLL, r0, true,
         (int n, fd_set *restrict r0, fd_set *restrict w, fd_set *restrict e,
          const struct timespec *restrict timeout, const sigset_t *restrict mask),
         (n, r0, w, e, timeout, mask));
BLOCKING(int, epoll_wait, WAITS_POLL, FD, timeout_ms != 0,
         (int fd, struct epoll_event *to, int n, int timeout_ms), (fd, to, n, timeout_ms));
BLOCKING(int, epoll_pwait, WAITS_POLL, FD, timeout_ms != 0,
         (int fd, struct epoll_event *to, int n, int timeout_ms, const sigset_t *mask),
         (fd, to, n, timeout_ms, mask));
BLOCKING(int, epoll_pwait2, WAITS_POLL, FD, true,
         (int fd, struct epoll_event *to, int n, const struct timespec *timeout,
          const sigset_t *mask),
         (fd, to, n, timeout, mask));

/* ---- time, children, signals ---- */

BLOCKING(int, nanosleep, WAITS_SLEEP, NULL, true,
         (const struct timespec *time, struct timespec *left), (time, left));
BLOCKING(int, clock_nanosleep, WAITS_SLEEP, NULL, true,
         (clockid_t clock, int flags, const struct timespec *time, struct timespec *left),
         (clock, flags, time, left));
BLOCKING(int, usleep, WAITS_SLEEP, NULL, true, (useconds_t us), (us));
BLOCKING(unsigned, sleep, WAITS_SLEEP, NULL, true, (unsigned s), (s));

/* Who looks at wall time is a child, for which a program would wait in vain that waits for children
 * of every kind. */
static bool may_wait(int options)
{
    if (options & (__WALL | __WCLONE))
        wall_give_way();
    return !(options & WNOHANG);
}

BLOCKING(pid_t, wait, WAITS_CHILD, NULL, true, (int *status), (status));
BLOCKING(pid_t, waitpid, WAITS_CHILD, NULL, may_wait(options),
         (pid_t pid, int *status, int options), (pid, status, options));
BLOCKING(pid_t, wait3, WAITS_CHILD, NULL, may_wait(options),
         (int *status, int options, struct rusage *usage), (status, options, usage));
BLOCKING(pid_t, wait4, WAITS_CHILD, NULL, may_wait(options),
         (pid_t pid, int *status, int options, struct rusage *usage),
         (pid, status, options, usage));
BLOCKING(int, waitid, WAITS_CHILD, NULL, may_wait(options),
         (idtype_t type, id_t id, siginfo_t *info, int options), (type, id, info, options));

BLOCKING(int, sigwait, WAITS_SIGNAL, NULL, true, (const sigset_t *set, int *sig), (set, sig));
BLOCKING(int, sigwaitinfo, WAITS_SIGNAL, NULL, true, (const sigset_t *set, siginfo_t *info),
         (set, info));
BLOCKING(int, sigtimedwait, WAITS_SIGNAL, NULL, true,
         (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
         (set, info, timeout));
BLOCKING(int, sigsuspend, WAITS_SIGNAL, NULL, true, (const sigset_t *mask), (mask));
