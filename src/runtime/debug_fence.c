/* SPDX-License-Identifier: MIT
 *
 * efence: each object on pages of its own, which end where it ends, before a page that nobody may
 * touch; when it is freed, its pages become such pages, too, and are never used again. So reading
 * or writing behind an object, or after its end, faults at the instruction that does it.
 *
 * The pages come from a large reservation without access. An object makes two mappings of it, the
 * system allows vm.max_map_count, and the program needs some itself: so only live objects may
 * count. The pages of a freed one are mapped anew, without access, because only a mapping that was
 * never written merges with its neighbours. Near the limit a sample of the objects is guarded, and
 * that is said once.
 *
 * Alignment leaves up to 15 bytes between an object's end and the guard; they are filled, and
 * looked at when it is freed. */
#include "runtime/debug.h"

#include "base/sigsafe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, ALIGNMENT = 16, FILL = 0xa5, LIMIT_DEFAULT = 65530, SAMPLE = 16 };

static struct {
    uint64_t at, end;     /* what is left of the reservation */
    uint64_t live, limit; /* objects with pages of their own, and how many there may be */
    uint64_t asked;       /* since a sample is guarded */
    bool said;
} fence;

static long reserve(uint64_t bytes)
{
    return sigsafe_syscall6(SYS_mmap, 0, (long)bytes, PROT_NONE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* Room for `bytes`, which has to be large, in a reservation as large as is to be had. */
static bool make_room(uint64_t bytes)
{
    static uint64_t step = 1ull << 40;
    if (fence.at + bytes <= fence.end)
        return true;
    for (; step >= 1 << 20; step /= 16) {
        long p = bytes <= step ? reserve(step) : -1;
        if (p >= 0 || p < -4095) {
            fence.at = (uint64_t)p + PAGE;
            fence.end = (uint64_t)p + step;
            return fence.at + bytes <= fence.end;
        }
    }
    return false;
}

/* Half of the mappings that are left when the program has 2,000, two an object. */
static uint64_t find_limit(void)
{
    char text[32] = "";
    long fd = sigsafe_syscall3(SYS_openat, AT_FDCWD, "/proc/sys/vm/max_map_count", O_RDONLY);
    if (fd >= 0) {
        sigsafe_syscall3(SYS_read, fd, text, sizeof text - 1);
        sigsafe_syscall1(SYS_close, fd);
    }
    uint64_t n = strtoull(text, NULL, 10);
    n = n ? n : LIMIT_DEFAULT;
    return (n > 4000 ? n - 2000 : n / 2) / 2;
}

static void say_limit(const char *why)
{
    char text[256];
    if (fence.said)
        return;
    fence.said = true;
    int n = snprintf(text, sizeof text,
                     "libstrobe: efence: %llu objects have pages of their own, and %s: while there "
                     "are so many, one new object in %d is guarded\n",
                     (unsigned long long)fence.live, why, SAMPLE);
    debug_write(text, n > 0 ? (size_t)n : 0);
}

/* Whether this object shall be guarded. */
static bool chosen(void)
{
    if (!fence.limit)
        fence.limit = find_limit();
    if (fence.live < fence.limit / 4 * 3)
        return true;
    say_limit("vm.max_map_count allows few more");
    return fence.live < fence.limit && fence.asked++ % SAMPLE == 0;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) & ~(to - 1);
}

void *fence_take(size_t n, size_t alignment)
{
    alignment = alignment > ALIGNMENT ? alignment : ALIGNMENT;
    if (n > 1ull << 40 || alignment > 1ull << 30 || !chosen())
        return NULL;
    uint64_t room = round_up(n ? n : 1, alignment), bytes = round_up(room, PAGE);
    uint64_t slack = alignment > PAGE ? alignment : 0;
    if (!make_room(bytes + PAGE + slack)) {
        say_limit("no address space is left");
        return NULL;
    }
    uint64_t end = fence.at + bytes;
    if (slack)
        end = round_up(fence.at, alignment) + bytes;
    uint64_t address = end - room;
    uint64_t from = address & ~(uint64_t)(PAGE - 1);
    if (sigsafe_syscall3(SYS_mprotect, from, end - from, PROT_READ | PROT_WRITE) < 0) {
        fence.limit = fence.live < 64 ? 64 : fence.live;
        say_limit("the system gives no more");
        return NULL;
    }
    fence.at = end + PAGE;
    fence.live++;
    memset((void *)(address + n), FILL, end - address - n);
    return (void *)address;
}

void fence_bounds(const struct debug_object *o, uint64_t *lo, uint64_t *hi)
{
    *lo = (o->address & ~(uint64_t)(PAGE - 1)) - PAGE;
    *hi = round_up(o->address + (o->size ? o->size : 1), PAGE) + PAGE;
}

uint32_t fence_give(const struct debug_object *o)
{
    uint64_t lo, hi;
    uint32_t written = 0;
    fence_bounds(o, &lo, &hi);
    lo += PAGE;
    hi -= PAGE;
    for (const unsigned char *p = (void *)(o->address + o->size); p < (unsigned char *)hi; p++)
        if (*p != FILL)
            written = (uint32_t)(p - (unsigned char *)o->address - o->size) + 1;
    sigsafe_syscall6(SYS_mmap, (long)lo, (long)(hi - lo), PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    fence.live--;
    return written;
}
