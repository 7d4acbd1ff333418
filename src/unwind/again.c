/* SPDX-License-Identifier: MIT
 *
 * Walks of the same stack again (see the header for why what is taken over is right). Frames of the
 * last walk lie in order of their stack pointers, so that the walk goes along them as it goes up.
 * Runs in handlers. */
#include "unwind/again.h"
#include "unwind/cache.h"
#include "unwind/rawmem.h"

#define MIN_PC 4096 /* as in walk.c */

enum { FRAMES = 2 * LIMIT_STACK_DEPTH };

/* A walk under way: frames [0, old) of the last one may be met yet, those of this one are
 * [first, FRAMES), and the one it is at is `at`. */
struct again {
    struct unwind_memo *memo;
    struct unwind_memo_frame at;
    uint32_t old, first;
};

/* Would a step from below still arrive in the frame? */
static inline int is_unchanged(const struct unwind_memo_frame *f)
{
    return raw_load(f->sp - 8) == f->ra && (!f->is_live || !f->slot || raw_load(f->slot) == f->bp);
}

static inline int push(struct again *a, const struct unwind_memo_frame *f)
{
    if (unlikely(a->first == a->old))
        return 0;
    struct unwind_memo_frame *to = &a->memo->frames[--a->first];
    to->ra = f->ra;
    to->sp = f->sp;
    to->bp = f->bp;
    to->slot = f->slot;
    to->is_used = f->is_used;
    return 1;
}

static inline int is_at(const struct again *a, const struct unwind_memo_frame *f)
{
    return f->sp == a->at.sp && f->ra == a->at.ra && (!f->is_live || f->bp == a->at.bp);
}

/* The walk is in the state of frame old - 1: takes over what is unchanged above. 1: all of it; else
 * the walk is at the last of those, and 0, or -1 where there is no room. */
static inline int take_over(struct again *a)
{
    struct unwind_memo_frame *const frames = a->memo->frames;
    uint32_t same = a->old - 1, i;
    for (i = same; i > 0 && is_unchanged(&frames[i - 1]); i--)
        continue;
    if (likely(i == 0)) {
        frames[same].slot = a->at.slot;
        return 1;
    }
    for (uint32_t k = same; k > i; k--) {
        a->old = k;
        a->at.is_used = frames[k].is_used;
        if (!push(a, &a->at))
            return -1;
        /* What was not live may be by what is above now: it is read as in a walk. */
        const struct unwind_memo_frame *next = &frames[k - 1];
        a->at.ra = next->ra;
        a->at.sp = next->sp;
        a->at.slot = next->slot;
        if (next->slot)
            a->at.bp = raw_load(next->slot);
    }
    a->old = i;
    return 0;
}

/* The rule of the frame; what is in no slot of its own is another's business, the whole walk's. */
static inline uint64_t rule_of(struct unwind_cache *cache, uint64_t salt, uint64_t ra)
{
    uint64_t rule = cache_get(cache, salt, ra);
    return likely(rule != RULE_NONE) ? rule : cache_get_second(cache, salt, ra);
}

/* From one frame to the next: 0 where that is not simple. */
static inline int step(struct unwind_memo_frame *f, uint64_t rule, uint64_t hi)
{
    uint64_t cfa = (rule_kind(rule) == RULE_SP ? f->sp : f->bp) + (uint64_t)rule_offset(rule);
    uint64_t base = rule_bp_kind(rule) == BP_BP ? f->bp : cfa;
    int saved = rule_bp_kind(rule) != BP_SAME;
    uint64_t slot = saved ? base + (uint64_t)rule_bp_bytes(rule) : cfa - 8;
    if (unlikely(cfa - 8 < f->sp || cfa > hi || cfa < 8 || slot < f->sp || slot > cfa - 8))
        return 0;
    uint64_t word = raw_load(slot);
    f->bp = saved ? word : f->bp;
    f->slot = saved ? slot : 0;
    f->ra = raw_load(cfa - 8);
    f->sp = cfa;
    return f->ra >= MIN_PC;
}

/* Walks to the root, or to where all that is left was taken over; 0 where it cannot. */
static int walk(struct again *a, struct unwind_cache *cache, uint64_t salt, uint64_t hi)
{
    const struct unwind_memo_frame *const frames = a->memo->frames;
    for (;;) {
        while (a->old && frames[a->old - 1].sp < a->at.sp)
            a->old--;
        if (a->old && is_at(a, &frames[a->old - 1])) {
            int end = take_over(a);
            if (end)
                return end > 0;
        }
        uint64_t rule = rule_of(cache, salt, a->at.ra);
        a->at.is_used = rule_kind(rule) == RULE_BP || rule_bp_kind(rule) == BP_BP;
        if (!push(a, &a->at))
            return 0;
        if (rule_kind(rule) == RULE_ROOT) {
            a->old = 0;
            return 1;
        }
        if (unlikely((rule_kind(rule) != RULE_SP && rule_kind(rule) != RULE_BP) ||
                     !step(&a->at, rule, hi)))
            return 0;
    }
}

/* The new frames follow those that stay. */
static uint32_t settle(struct again *a)
{
    struct unwind_memo *memo = a->memo;
    uint32_t kept = a->old, count = kept + FRAMES - a->first;
    if (count > LIMIT_STACK_DEPTH)
        return 0;
    uint64_t hash = kept ? memo->hashes[kept - 1] : UNWIND_HASH;
    uint32_t is_live = kept ? memo->frames[kept - 1].is_live : 0;
    uint64_t slot = kept ? memo->frames[kept - 1].slot : 0;
    for (uint32_t i = kept, from = a->first; i < count; i++, from++) {
        struct unwind_memo_frame *f = &memo->frames[i];
        *f = memo->frames[from];
        f->is_live = is_live = f->is_used || (!slot && is_live);
        slot = f->slot;
        hash = unwind_hash_add(hash, f->ra - 1);
        memo->hashes[i] = hash;
    }
    memo->count = count;
    return count;
}

uint32_t unwind_walk_again(struct unwind_cache *cache, const struct unwind_return *from,
                           const struct unwind_bounds *bounds, struct unwind_memo *memo)
{
    const uint64_t salt = cache_salt(cache);
    struct again a;
    a.memo = memo;
    a.at.ra = from->ra;
    a.at.sp = from->sp;
    a.at.bp = from->bp;
    a.at.slot = 0;
    a.at.is_used = a.at.is_live = 0;
    a.first = FRAMES;
    a.old = memo->salt == salt && memo->hi == bounds->hi ? memo->count : 0;
    memo->salt = salt;
    memo->hi = bounds->hi;
    memo->count = 0; /* until the walk is at its end */
    return walk(&a, cache, salt, bounds->hi) ? settle(&a) : 0;
}

/* The words are read in the order of a walk, none before the one that led to it was seen to be the
 * same. */
int unwind_is_known(struct unwind_cache *cache, const struct unwind_known *known,
                    const struct unwind_return *from, const struct unwind_bounds *bounds)
{
    const uint64_t sp = from->sp;
    if (known->leaf.ra != from->ra || known->leaf.sp != sp ||
        (known->is_bp_live && known->leaf.bp != from->bp) || known->salt != cache_salt(cache) ||
        known->hi != bounds->hi)
        return 0;
    for (uint32_t i = 0; i < known->count; i++)
        if (unlikely(raw_load(sp + known->offset[i]) != known->word[i]))
            return 0;
    return 1;
}

static void know_word(struct unwind_known *known, uint64_t at, uint64_t word)
{
    known->offset[known->count] = (uint32_t)(at - known->leaf.sp);
    known->word[known->count++] = word;
}

void unwind_know(struct unwind_known *known, const struct unwind_memo *memo)
{
    const struct unwind_memo_frame *f = &memo->frames[memo->count - 1];
    known->salt = 0; /* of no cache, as long as there are words missing */
    known->count = 0;
    known->leaf.ra = f->ra;
    known->leaf.sp = f->sp;
    known->leaf.bp = f->bp;
    known->is_bp_live = f->is_live;
    if (memo->hi - f->sp > UINT32_MAX)
        return;
    while (f-- > memo->frames) {
        if (known->count + 2 > UNWIND_KNOWN_WORDS)
            return;
        know_word(known, f->sp - 8, f->ra);
        if (f->slot && f->is_live)
            know_word(known, f->slot, f->bp);
    }
    known->hash = memo->hashes[memo->count - 1];
    known->depth = memo->count;
    known->hi = memo->hi;
    known->salt = memo->salt;
}
