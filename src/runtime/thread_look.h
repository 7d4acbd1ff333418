/* SPDX-License-Identifier: MIT
 *
 * Where one thread of this process is, found out without stopping it; see thread_look.c. */
#ifndef RUNTIME_THREAD_LOOK_H
#define RUNTIME_THREAD_LOOK_H

#include "runtime/runtime.h"

enum { THREAD_LOOK_COPY = 256 << 10, THREAD_LOOK_RED_ZONE = 128 };

/* What is needed for one look after the other. */
struct thread_look {
    uint32_t self; /* the process that looks, which has the memory, too; or another, … */
    struct unwind_cache *cache; /* … whose modules this one knows; NULL: our own */
    bool is_same;               /* the last stack is that of one moment */
    unsigned char *copy;        /* THREAD_LOOK_COPY */
    uint64_t pcs[LIMIT_STACK_DEPTH];
};

enum thread_state {
    THREAD_UNKNOWN, /* we may not know, or it is gone */
    THREAD_RUNNING, /* on a processor, or ready for one */
    THREAD_BLOCKED,
    THREAD_ENDED, /* the process's first, while others go on */
};

/* A file of the thread in `dir`, a descriptor of a folder /proc/PID/task; -1: our own. */
long thread_look_open(int dir, uint32_t tid, const char *file);
/* Reads it as a string; its length, 0 if it cannot be read. */
size_t thread_look_read(int dir, uint32_t tid, const char *file, char *text, size_t size);
/* A number at `*at`, which moves behind it; in hex with or without 0x. */
uint64_t thread_look_parse(const char **at, unsigned base);
/* Of a blocked one: a word for what it waits in, and its stack pointer and program counter. */
enum thread_state thread_look_state(int dir, uint32_t tid, const char **waiting,
                                    struct unwind_regs *regs);
/* The threads of the process but the server's, in the order of their numbers; how many there are,
 * of which at most `max` are written. */
uint32_t thread_look_list(int dir, uint32_t *tids, uint32_t max);
/* Copies up to `want` bytes at `from` to l->copy, as far as there is memory; how many. */
size_t thread_look_copy(struct thread_look *l, uint64_t from, size_t want);
/* Walks the stack of a thread that is blocked with these registers, on a copy; to->pcs is l->pcs.
 * `same` says, when the copy is made, whether the thread has not run since the registers were
 * read: else l->is_same is false, and there is no stack. */
void thread_look_unwind(struct thread_look *l, const struct unwind_regs *regs,
                        bool (*same)(void *ctx), void *ctx, struct unwind_trace *to);

#endif
