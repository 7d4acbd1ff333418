/* SPDX-License-Identifier: MIT
 *
 * STROBE_DEBUG: Go's debug switches for native programs. Two kinds of them:
 *
 * What looks at single objects (alloctrace, efence, clobberfree, invalidptr) stands between our
 * malloc and the program's allocator: the table heap.real is filled with functions of
 * debug_malloc.c, so that a program without such a switch pays nothing. It begins with the first
 * allocation of the process, before any constructor, because a pointer that is not known cannot be
 * judged.
 *
 * What prints a line from time to time (heaptrace, schedtrace, scavtrace) does so in a process of
 * its own, which is started here (debug_trace.c) and reads what it needs in /proc and in a page of
 * counters: the program gets no thread, no signal, and lines also come when all of it is blocked.
 *
 * All texts go to standard error, each by one write, and only while descriptor 2 is the file that
 * it was at the start. */
#ifndef RUNTIME_DEBUG_H
#define RUNTIME_DEBUG_H

#include "base/buf.h"
#include "runtime/heap.h"
#include "runtime/runtime.h"
#include "runtime/text.h"

struct debug_switches {
    bool alloctrace, efence, clobberfree, invalidptr; /* debug_malloc.c */
    uint32_t heaptrace_ms, heapdetail;                /* debug_trace.c … */
    uint32_t schedtrace_ms, scheddetail, scavtrace;
};

extern HEAP_HIDDEN struct debug_switches debug;

/* ---- debug_options.c ---- */

/* "efence=1,schedtrace=1000". 0, or -EINVAL, and the name or value that is wrong in `bad`. */
int debug_parse(const char *text, struct debug_switches *to, char *bad, size_t bad_size);
/* Reads STROBE_DEBUG where the kernel put it: at the first allocation, or before the constructor
 * hides it. Not under AT_SECURE. */
void debug_read_early(void);

/* ---- debug_malloc.c ---- */

/* Fills `real` with functions that do what the switches ask for, and go on to those that were
 * there. Once, before the first allocation returns. */
void debug_malloc_begin(struct heap_real *real);
/* Bytes that the program may use of an object, by who knows best. */
size_t debug_usable_size(void *p, size_t (*real)(void *));
/* At the program's end: what it wrote to memory that it had freed. */
void debug_malloc_end(void);

/* ---- debug_objects.c: every object that is live, and some that were. Under debug_lock. ---- */

enum debug_state {
    DEBUG_NONE,
    DEBUG_LIVE,
    DEBUG_FREED, /* its memory is kept, and nobody else's */
    DEBUG_GONE,  /* its memory may be another's by now */
};

struct debug_object {
    uint64_t address, size;
    void *block; /* what the allocator behind us gave; NULL: it has pages of its own */
    uint32_t alloc_stack, free_stack, alloc_tid, free_tid;
    enum debug_state state;
};

void debug_lock(void);
void debug_unlock(void);
/* In a forked child, whose parent held it or not. */
void debug_lock_forget(void);

/* The entry of an address, or NULL. Valid until the next debug_object_put. */
struct debug_object *debug_object_find(uint64_t address);
/* An entry for a new object at the address, or NULL: there is no room. */
struct debug_object *debug_object_put(uint64_t address);
/* The object that an address lies in, or next to: live ones first. NULL: none. */
const struct debug_object *debug_object_around(uint64_t address);

/* ---- debug_fence.c ---- */

/* Memory of n bytes that ends at a page that may not be touched, zero; NULL: none, take other. */
void *fence_take(size_t n, size_t alignment);
/* From now on nobody may touch it. Returns how many bytes behind its end were written, of the few
 * that alignment leaves there. */
uint32_t fence_give(const struct debug_object *o);
/* How far around an object the pages are its own. */
void fence_bounds(const struct debug_object *o, uint64_t *lo, uint64_t *hi);

/* ---- debug_stack.c ---- */

/* Keeps the calling thread's stack, from the program's call of our interposer on. A number, or 0:
 * there was no room. */
uint32_t debug_stack_here(void);
/* The same of a signal's context, into `pcs` of room for DEBUG_FRAMES; how many. */
enum { DEBUG_FRAMES = 64 };
uint32_t debug_stack_of(const void *context, uint64_t *pcs);
/* "goroutine 12 [running]:" and two lines a frame, as in Go's tracebacks. */
void debug_put_stack(struct buf *out, const char *head, uint32_t tid, uint32_t stack);
void debug_put_frames(struct buf *out, const uint64_t *pcs, uint32_t depth);
uint64_t debug_stack_memory(void);

/* ---- debug_report.c ---- */

/* A text begins, and is written. Under debug_lock: symbol tables stay open in between. */
void debug_text_begin(struct buf *out, struct arena *arena);
void debug_text_end(struct buf *out, struct arena *arena);
/* To standard error, as say_text, but all of it. */
void debug_write(const char *text, size_t n);
/* An object was misused: says "WHAT ADDRESS WHY", with its stacks (o NULL: it has none) and the one
 * that found it, and aborts. Called with debug_lock held. */
void debug_die(const char *what, const char *why, uint64_t address, const struct debug_object *o);
/* A fault in the program: says what is known of it. From the handler. */
void debug_fault(int sig, const siginfo_t *si, const void *context);

/* ---- debug_trace.c ---- */

/* Counters that the process which prints reads. */
struct debug_counters {
    _Atomic uint32_t ending, done; /* the program ends; the last line is out */
    _Atomic uint32_t execing;      /* it may be another program now */
    _Atomic uint32_t want_info;    /* the next call of the allocator shall fill `info` */
    _Atomic uint64_t allocs, frees, bytes, live, peak, ticks, longest;
    struct {
        _Atomic uint64_t held, used, top, mapped; /* of mallinfo2 */
    } info;
};

extern HEAP_HIDDEN struct debug_counters *debug_counters; /* NULL: nothing is counted */

/* Maps the counters, if a switch wants them; before the first allocation, or in the constructor. */
void debug_trace_map(void);
/* Starts the process that prints, if a switch wants one. In the constructor. */
void debug_trace_begin(void);
/* The program ends: the last line, and the process is gone. */
void debug_trace_end(void);
/* The program is about to become another by execve, or could not. */
void debug_trace_exec(bool begins);
/* A session's: of `switches` those that can begin now, unless the environment's are there; and
 * their end. */
void debug_trace_start(const struct debug_switches *switches);
void debug_trace_stop(void);
/* In a forked child, which has counters of its own and nobody who prints them. */
void debug_trace_forked(void);
bool debug_trace_is_alive(void);

/* ---- debug_sched.c: in the process that prints ---- */

/* SCHED lines for process `pid`, `ms` after its start. */
void debug_put_sched(struct buf *out, uint32_t pid, uint64_t ms);
/* How many processors it may use, and how many threads it has. */
uint32_t debug_count_processors(uint32_t pid);
uint32_t debug_count_threads(uint32_t pid);

#endif
