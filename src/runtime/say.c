/* SPDX-License-Identifier: MIT
 *
 * The one way in which libstrobe says something. It is a guest: its sentence goes to the standard
 * error that the program began with and nowhere else (a program may close it, and get the number
 * for a file of its own), never keeps the program waiting for a reader, and never sends it SIGPIPE.
 * A sentence that cannot be said is dropped. No malloc, as at the end the allocator may be locked.
 */
#include "runtime/say.h"

#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static dev_t dev;
static ino_t ino;
static bool known;

enum { LINE = 1400 }; /* two names of files, and a sentence; less than PIPE_BUF */

/* glibc 2.32: the text without a search for a translation. */
extern const char *strerrordesc_np(int error) __attribute__((weak));

void say_begin(void)
{
    struct stat st;
    int saved = errno;
    known = fstat(STDERR_FILENO, &st) == 0;
    dev = st.st_dev;
    ino = st.st_ino;
    errno = saved;
}

bool say_can(void)
{
    struct stat st;
    return known && fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void say_quiet_begin(struct say_quiet *q)
{
    uint64_t both = 1ull << (SIGPIPE - 1) | 1ull << (SIGXFSZ - 1);
    q->is_on = !(atomic_load(&rt.denied) & (NEED_ARM | NEED_SAY)) &&
               sigsafe_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &both, &q->mask, sizeof both) == 0;
}

/* The signal went to the thread that wrote. Where the program blocks it, one of its own may be
 * pending, and stays. */
void say_quiet_end(const struct say_quiet *q, long error)
{
    int sig = error == -EPIPE ? SIGPIPE : error == -EFBIG ? SIGXFSZ : 0;
    uint64_t ours = sig ? 1ull << (sig - 1) & ~q->mask : 0;
    struct timespec now = {0, 0};
    if (!q->is_on)
        return;
    if (ours)
        sigsafe_syscall4(SYS_rt_sigtimedwait, &ours, NULL, &now, sizeof ours);
    sigsafe_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &q->mask, NULL, sizeof q->mask);
}

/* A pipe that can be written to takes PIPE_BUF bytes at once. */
void say_text(const char *text, size_t n)
{
    struct pollfd to = {.fd = STDERR_FILENO, .events = POLLOUT};
    struct timespec now = {0, 0};
    struct say_quiet quiet;
    long r = 0;
    if (atomic_load(&rt.denied) & (NEED_SAY | NEED_FILE))
        return;
    int saved = errno;
    say_quiet_begin(&quiet);
    if (say_can() && sigsafe_syscall6(SYS_ppoll, (long)&to, 1, (long)&now, 0, 0, 0) == 1 &&
        to.revents == POLLOUT)
        r = sigsafe_syscall3(SYS_write, STDERR_FILENO, text, n);
    say_quiet_end(&quiet, r);
    errno = saved;
}

static void append(char *line, size_t size, const char *s)
{
    size_t at = strlen(line), n = strlen(s);
    n = n < size - at - 1 ? n : size - at - 1;
    memcpy(line + at, s, n);
    line[at + n] = 0;
}

void say_error(const char *what, const char *which, int error)
{
    char line[LINE] = "libstrobe: ";
    const char *why = strerrordesc_np ? strerrordesc_np(-error) : NULL;
    append(line, LINE - 1, what);
    append(line, LINE - 1, ": ");
    append(line, LINE - 1, which);
    append(line, LINE - 1, ": ");
    append(line, LINE - 1, why ? why : "the system refused");
    append(line, LINE, "\n");
    say_text(line, strlen(line));
}
