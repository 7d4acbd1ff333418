/* SPDX-License-Identifier: MIT
 *
 * Walks of one stack again and again, as when every allocation is recorded: what the last walk
 * found is kept, and the next one ends where it meets a frame of it in the same state.
 *
 * A frame's state is its return address, stack pointer and frame pointer. Where the rules of all
 * frames above are simple (those that have nothing but these three in them), the state and the
 * words of the stack that are read from there on say all of the rest of the walk. So a frame is
 * taken over only if its state is the same, and each word that was read above it is read once more
 * and is what it was: no reads but those that a walk would do, in the same order. What is not
 * simple is not kept; then a whole walk is needed.
 *
 * Most code uses the frame pointer as any other register: it is saved, and is different each time,
 * but no frame above is found by it. There it is not live, and what it was does not matter.
 *
 * Async-signal-safe, as unwind.h is; a memo belongs to one walk at a time. */
#ifndef UNWIND_AGAIN_H
#define UNWIND_AGAIN_H

#include "base/limits.h"
#include "unwind/unwind.h"

#include <stdint.h>

#define UNWIND_KNOWN_WORDS 64

/* The frame of a caller, at the return from the function that it called. */
struct unwind_return {
    uint64_t ra, sp, bp;
};

struct unwind_memo_frame {
    uint64_t ra, sp, bp;
    uint64_t slot;    /* where bp was saved by the frame below, which left it alone if 0 */
    uint32_t is_used; /* the frame's rule has bp in it */
    uint32_t is_live; /* this frame's or one's above, up to where it is restored from the stack */
};

/* Frames [0, count) are those of the last walk, root first; a walk collects new ones at the end of
 * the array. hashes[i] is unwind_hash() of frames [0, i]. All zero: empty. */
struct unwind_memo {
    uint64_t salt; /* of the cache, when it was walked */
    uint64_t hi;   /* end of the stack */
    uint32_t count;
    struct unwind_memo_frame frames[2 * LIMIT_STACK_DEPTH];
    uint64_t hashes[LIMIT_STACK_DEPTH];
};

/* Walks from `from` to the root. `bounds` hold from->sp and have no copy. Returns the number of
 * frames, which the memo has then, or 0 if a whole walk is needed (and the memo is empty). */
uint32_t unwind_walk_again(struct unwind_cache *cache, const struct unwind_return *from,
                           const struct unwind_bounds *bounds, struct unwind_memo *memo);

/* A stack that was met before, by the state of its leaf: the words that the walk read, and what was
 * in them. All zero: none. */
struct unwind_known {
    struct unwind_return leaf;
    uint64_t salt, hi; /* as in the memo */
    uint64_t hash;
    uint32_t depth, count, is_bp_live;
    uint32_t offset[UNWIND_KNOWN_WORDS]; /* from leaf.sp on, in the order of the walk */
    uint64_t word[UNWIND_KNOWN_WORDS];
};

/* Would a walk from `from` find this stack, every word of it? Then its frames are `depth`, and
 * their unwind_hash() is `hash`. */
int unwind_is_known(struct unwind_cache *cache, const struct unwind_known *known,
                    const struct unwind_return *from, const struct unwind_bounds *bounds);
/* Keeps what unwind_walk_again() has just found from there, if there is room for its words. */
void unwind_know(struct unwind_known *known, const struct unwind_memo *memo);

/* The unwind_hash() of what the last walk found, which was something. */
static inline uint64_t unwind_memo_hash(const struct unwind_memo *memo)
{
    return memo->hashes[memo->count - 1];
}

/* A hash of a stack that grows with it, from the root on: start with UNWIND_HASH. */
#define UNWIND_HASH 0x9e3779b97f4a7c15ull

static inline uint64_t unwind_hash_add(uint64_t hash, uint64_t pc)
{
    hash = (hash ^ pc) * 0x9e3779b97f4a7c15ull;
    return hash ^ hash >> 29;
}

/* Of a list, leaf first. */
static inline uint64_t unwind_hash(const uint64_t *pcs, uint32_t depth)
{
    uint64_t hash = UNWIND_HASH;
    while (depth-- > 0)
        hash = unwind_hash_add(hash, pcs[depth]);
    return hash;
}

#endif
