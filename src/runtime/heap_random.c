/* SPDX-License-Identifier: MIT
 *
 * Chance and its weights: the distance to the next sampled byte is geometric, and an object's
 * weight is one over the probability that a point falls into it. libm is no part of libstrobe; what
 * is needed of it are two short series, exact to 1e-12. */
#include "runtime/heap.h"

#include "base/sigsafe.h"

/* splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014). */
uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

uint64_t heap_random(struct heap_thread *t)
{
    return random_next(&t->random);
}

/* -ln(m / 2^53) for 1 <= m <= 2^53: the exponent apart, 2 artanh((f-1)/(f+1)) of the rest. */
static double minus_ln(uint64_t m)
{
    int bits = 63 - __builtin_clzll(m);
    double f = (double)m / (double)(1ull << bits); /* in [1, 2) */
    int e = bits - 53;
    if (f > 1.4142135623730951) {
        f /= 2;
        e++;
    }
    double s = (f - 1) / (f + 1), square = s * s, sum = 0;
    for (int k = 15; k > 0; k -= 2)
        sum = sum * square + 1.0 / k;
    return -(2 * s * sum + e * 0.69314718055994530942);
}

uint64_t heap_random_interval(struct heap_thread *t, uint64_t rate)
{
    if (rate <= 1)
        return 0;
    double x = minus_ln((heap_random(t) >> 11) + 1) * (double)rate;
    return x < 9e18 ? (uint64_t)x : 9000000000000000000ull;
}

/* 1 - exp(-x) for 0 <= x < 1/2. */
static double one_minus_exp(double x)
{
    double sum = 0;
    for (int k = 14; k > 0; k--)
        sum = (1 - sum) * x / k;
    return sum;
}

float heap_weight(size_t n, uint64_t rate)
{
    if (rate <= 1)
        return 1;
    double x = ((double)n + 1) / (double)rate;
    if (x > 40)
        return 1;
    int halvings = 0;
    for (; x >= 0.5; x /= 2)
        halvings++;
    double q = one_minus_exp(x);
    for (; halvings; halvings--)
        q = q * (2 - q); /* 1 - (1-q)^2 */
    return (float)(1 / q);
}
