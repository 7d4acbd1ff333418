/* SPDX-License-Identifier: MIT
 *
 * How an interposer is written: INTERPOSE before a definition that takes the place of libc's, and
 * REAL(name, type) in it for the one behind. */
#ifndef RUNTIME_INTERPOSE_H
#define RUNTIME_INTERPOSE_H

#include "runtime/runtime.h"

#define INTERPOSE __attribute__((visibility("default")))

/* Declares `real`, of the function pointer type that follows the name. Relaxed: every thread finds
 * the same. */
#define REAL(name, ...)                                                                            \
    static _Atomic(void *) real_address;                                                           \
    void *found = atomic_load_explicit(&real_address, memory_order_relaxed);                       \
    if (__builtin_expect(!found, 0)) {                                                             \
        found = real_function(#name);                                                              \
        atomic_store_explicit(&real_address, found, memory_order_relaxed);                         \
    }                                                                                              \
    __extension__ __typeof__(__VA_ARGS__) real = (__typeof__(__VA_ARGS__))found

#endif
