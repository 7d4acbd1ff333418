/* SPDX-License-Identifier: MIT
 *
 * The only code a signal handler of ours may call: raw system calls and byte loops, all inline, so
 * that a handler's object file has no undefined symbol but those on tests/tidy's allow list. No
 * errno, no TLS, no locks, no libc. (vdso calls are left out on purpose: CLOCK_THREAD_CPUTIME_ID is
 * a system call anyway.) */
#ifndef BASE_SIGSAFE_H
#define BASE_SIGSAFE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>

/* Returns the kernel's value: negative errno on failure. */
static inline long sigsafe_syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long ret;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
#else
#error "strobe knows x86-64 and aarch64"
#endif
}

#define sigsafe_syscall0(nr)          sigsafe_syscall6(nr, 0, 0, 0, 0, 0, 0)
#define sigsafe_syscall1(nr, a)       sigsafe_syscall6(nr, (long)(a), 0, 0, 0, 0, 0)
#define sigsafe_syscall2(nr, a, b)    sigsafe_syscall6(nr, (long)(a), (long)(b), 0, 0, 0, 0)
#define sigsafe_syscall3(nr, a, b, c) sigsafe_syscall6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define sigsafe_syscall4(nr, a, b, c, d)                                                           \
    sigsafe_syscall6(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* A counter that runs at a constant rate, the same on all CPUs of nearly all machines: for telling
 * roughly how much time has passed, never for a result. */
static inline uint64_t sigsafe_ticks(void)
{
#if defined(__x86_64__)
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
#else
    uint64_t t;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
    return t;
#endif
}

/* 0 if the clock cannot be read. */
static inline uint64_t sigsafe_clock_ns(int clock)
{
    struct timespec ts;
    if (sigsafe_syscall2(SYS_clock_gettime, clock, &ts) < 0)
        return 0;
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Plain loops; the volatile-free asm barrier keeps compilers from turning them into mem* calls. */
static inline void sigsafe_copy(void *to, const void *from, size_t n)
{
    unsigned char *d = to;
    const unsigned char *s = from;
    for (size_t i = 0; i < n; i++) {
        d[i] = s[i];
        __asm__ volatile("" ::: "memory");
    }
}

static inline void sigsafe_zero(void *to, size_t n)
{
    unsigned char *d = to;
    for (size_t i = 0; i < n; i++) {
        d[i] = 0;
        __asm__ volatile("" ::: "memory");
    }
}

static inline size_t sigsafe_strnlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n])
        n++;
    return n;
}

#endif
