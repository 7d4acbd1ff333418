/* SPDX-License-Identifier: MIT
 *
 * Varints by BMI2 and AVX2: one instruction finds the ends in 32 bytes, one (pext) takes the seven
 * bits of each byte together. On processors that do pext in microcode (AMD's before Zen 3) that
 * would be slower than without. */
#include "profile/varints.h"

#include <immintrin.h>
#include <stdbool.h>

#define WITH_BMI2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

WITH_BMI2 static inline uint64_t ends_of(const uint8_t *p)
{
    __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p);
    __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
    return ~((uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32 |
             (uint32_t)_mm256_movemask_epi8(low));
}

WITH_BMI2 static int64_t read_bmi2(struct wire w, const uint8_t *input_end, uint32_t *out,
                                   uint32_t *largest)
{
    uint32_t *to = out, worst = *largest;
    const uint8_t *start = w.at;
    if (input_end - w.end < VARINTS_MARGIN)
        return -1;
    for (const uint8_t *block = w.at; block < w.end; block += 64) {
        uint64_t ends = ends_of(block);
        if (w.end - block < 64)
            ends = _bzhi_u64(ends, (unsigned)(w.end - block));
        for (; ends; ends = _blsr_u64(ends)) {
            const uint8_t *next = block + _tzcnt_u64(ends) + 1;
            unsigned length = (unsigned)(next - start);
            if (length > 4)
                return -1;
            uint32_t v = _bzhi_u32((uint32_t)wire_load(start), 8 * length);
            v = _pext_u32(v, 0x7f7f7f7f) - 1;
            worst = v > worst ? v : worst;
            *to++ = v;
            start = next;
        }
    }
    *largest = worst;
    return start == w.end ? to - out : -1;
}

WITH_BMI2 static uint64_t count_bmi2(struct wire w, const uint8_t *input_end)
{
    uint64_t n = 0;
    if (input_end - w.end < VARINTS_MARGIN)
        return wire_count_varints(w);
    for (; w.end - w.at > 64; w.at += 64)
        n += (uint64_t)_mm_popcnt_u64(ends_of(w.at));
    uint64_t last = ends_of(w.at);
    if (w.end - w.at < 64)
        last = _bzhi_u64(last, (unsigned)(w.end - w.at));
    return n + (uint64_t)_mm_popcnt_u64(last);
}

const struct varints *varints_best(void)
{
    static const struct varints by_bmi2 = {read_bmi2, count_bmi2};
    bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
               __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    bool slow = __builtin_cpu_is("znver1") || __builtin_cpu_is("znver2");
    return has && !slow ? &by_bmi2 : &varints_any;
}
