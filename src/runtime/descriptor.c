/* SPDX-License-Identifier: MIT
 *
 * Where libstrobe's own descriptors stand. Programs expect the lowest free number, size tables by
 * the highest, and close ranges: so ours move up, close-on-exec, below the limit and below the 1024
 * that select(2) can name, and no farther. Raw system calls, because clocks are also set in
 * handlers. */
#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { TABLE_MAX = 1024, ROOM = 256 };

int runtime_move_high(int fd)
{
    struct rlimit lim = {0};
    long base = 3;
    if (sigsafe_syscall2(SYS_getrlimit, RLIMIT_NOFILE, &lim) == 0) {
        base = lim.rlim_cur > TABLE_MAX ? TABLE_MAX : (long)lim.rlim_cur;
        base = base > 2 * ROOM ? base - ROOM : base / 2;
    }
    long moved = sigsafe_syscall3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, base);
    if (moved < 0 && fd < 3) /* as low as must be: a program's output goes by these numbers */
        moved = sigsafe_syscall3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
    if (moved >= 0)
        sigsafe_syscall1(SYS_close, fd);
    return (int)moved;
}
