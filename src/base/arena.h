/* SPDX-License-Identifier: MIT
 *
 * Bump allocation on mmap'ed chunks. One arena per profile, request or report: everything in it is
 * freed at once. Never calls malloc, so libstrobe may use it inside a program whose allocator it
 * watches, and in a fatal-signal path. An arena belongs to one thread at a time. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *head;  /* newest first */
    struct arena_chunk *spare; /* given by arena_inherit, not in use yet, or NULL */
    char *at, *end;            /* free part of the newest chunk; at <= end */
    size_t mapped_bytes;       /* sum of all chunks' sizes */
    int null_on_oom;           /* 1: return NULL when memory is out (runtime); 0: say so, exit 2 */
};

/* All-zero is a valid empty arena that exits with a message when memory is out. */
void arena_init(struct arena *a);
/* The same, but out of memory returns NULL from every function: for code inside a host program. */
void arena_init_nullable(struct arena *a);
/* Unmaps everything; the arena is empty and usable again. */
void arena_free(struct arena *a);

/* From now on up to `keep_bytes` of chunks that arenas give up are kept for those that come: for
 * programs that make many arenas alike, from any number of threads. What is more goes back to the
 * system. Returns what held before. Any thread. */
size_t arena_recycle(size_t keep_bytes);
/* Whether a chunk of `bytes` would be kept at all: not if it is more than a quarter of what is. */
int arena_keeps(size_t bytes);

/* `size` bytes aligned to `align` (a power of two <= 4096), uninitialised or zeroed; 0 is fine. */
void *arena_alloc_aligned(struct arena *a, size_t size, size_t align);
void *arena_alloc(struct arena *a, size_t size); /* 16-byte aligned */
void *arena_zalloc(struct arena *a, size_t size);
/* n * size with overflow checked (overflow counts as out of memory). */
void *arena_array(struct arena *a, size_t n, size_t size);
void *arena_zarray(struct arena *a, size_t n, size_t size);
/* Grows an array that was allocated here from `old` to `size` bytes: in place when it is the last
 * allocation and the chunk has room, else by copy. `p` may be NULL with old = 0. */
void *arena_grow(struct arena *a, void *p, size_t old, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n); /* n bytes + NUL */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Empties `from` and keeps its largest piece of memory for a large allocation in `a` to come:
 * memory that is in the cache and need not be zeroed by the system again. What no allocation has
 * used is given back by arena_drop_spare, or goes with `a`. */
void arena_inherit(struct arena *a, struct arena *from);
void arena_drop_spare(struct arena *a);

/* Moves all memory of `from` into `a`; `from` is empty afterwards. Pointers stay valid. */
void arena_adopt(struct arena *a, struct arena *from);

#endif
