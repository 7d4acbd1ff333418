/* SPDX-License-Identifier: MIT
 *
 * Valgrind runs the program on a processor of its own making, to which our signals and events are
 * faults: it dies of the first. So nothing is profiled there. It answers a request that on real
 * processors is a sequence which does nothing (valgrind.h: RUNNING_ON_VALGRIND, number 0x1001). */
#include "runtime/runtime.h"

#include "runtime/say.h"

static bool is_there(void)
{
    uint64_t request[6] = {0x1001}, answer = 0;
#if defined(__x86_64__)
    __asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi\n\t"
                     "xchgq %%rbx, %%rbx"
                     : "+d"(answer)
                     : "a"(request)
                     : "cc", "memory");
#elif defined(__aarch64__)
    register uint64_t x3 __asm__("x3") = answer;
    register uint64_t *x4 __asm__("x4") = request;
    __asm__ volatile("ror x12, x12, #3; ror x12, x12, #13; ror x12, x12, #51\n\t"
                     "ror x12, x12, #61; orr x10, x10, x10"
                     : "+r"(x3)
                     : "r"(x4)
                     : "cc", "memory");
    answer = x3;
#endif
    return answer != 0;
}

bool valgrind_stops(const struct strobe_config *c)
{
    static const char text[] = "libstrobe: nothing is profiled under valgrind\n";
    if (!is_there())
        return false;
    if (!c->record[0] && (c->kinds || c->http[0])) /* a recorder looks from outside */
        say_text(text, sizeof text - 1);
    return true;
}
