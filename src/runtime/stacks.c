/* SPDX-License-Identifier: MIT
 *
 * Stacks of threads that ran before the profile was started: nobody told where they end. The
 * process's writable mappings are read once, when such threads are found; a thread's stack ends
 * with the mapping that its stack pointer lies in. glibc keeps the thread's control block at the
 * top of its stack, so that reading up to the mapping's end stays inside memory that lives as long
 * as the thread. What is not in the map (a later coroutine's stack) is walked on a checked copy. */
#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { STACKS = 8192, MAPS_BYTES = 4096 };

struct line {
    uintptr_t lo, hi;
    int field; /* 0: lo, 1: hi, 2: the permissions, 3: the rest */
    bool writable;
};

static void add_stack(const struct line *l)
{
    if (!l->writable || rt.stack_count == STACKS)
        return;
    rt.stacks[rt.stack_count++] = (struct stack_map){l->lo, l->hi};
}

static uintptr_t add_digit(uintptr_t n, char c)
{
    return n * 16 + (uintptr_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* /proc/self/maps, a character at a time: "7f00-7f10 rw-p …". Its lines are sorted. */
static void read_char(struct line *l, char c)
{
    if (c == '\n') {
        add_stack(l);
        *l = (struct line){0};
    } else if (l->field == 0 && c != '-') {
        l->lo = add_digit(l->lo, c);
    } else if (l->field == 1 && c != ' ') {
        l->hi = add_digit(l->hi, c);
    } else if (l->field < 2) {
        l->field++;
    } else if (l->field == 2) {
        l->writable |= c == 'w';
        l->field += c == ' ';
    }
}

void runtime_map_stacks(void)
{
    if (!rt.stacks) {
        long p = sigsafe_syscall6(SYS_mmap, 0, STACKS * sizeof *rt.stacks, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p < 0)
            return;
        rt.stacks = (struct stack_map *)p;
    }
    long fd = sigsafe_syscall4(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    char text[MAPS_BYTES];
    struct line line = {0};
    long n;
    rt.stack_count = 0;
    while ((n = sigsafe_syscall3(SYS_read, fd, text, sizeof text)) > 0)
        for (long i = 0; i < n; i++)
            read_char(&line, text[i]);
    sigsafe_syscall1(SYS_close, fd);
}

uintptr_t runtime_stack_end(uintptr_t sp)
{
    uint32_t lo = 0, hi = rt.stack_count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (rt.stacks[mid].lo <= sp)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo && sp < rt.stacks[lo - 1].hi ? rt.stacks[lo - 1].hi : 0;
}
