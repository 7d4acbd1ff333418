/* SPDX-License-Identifier: MIT
 *
 * Heap profiles. interpose_malloc.c stands before the program's allocator and counts bytes down in
 * a thread-local word; where the word runs out, the allocation is sampled: heap.c asks the
 * allocator for it in a form that `free` can tell at a glance, heap_stack.c walks the stack,
 * sites.c counts it in the log of base/heaptab.h, heap_live.c remembers the object until it is
 * freed.
 *
 * Rules of these files: they run inside malloc, so they never allocate but by mmap, take no lock
 * that is held over a call, and let what a signal handler allocates meanwhile pass unsampled. */
#ifndef RUNTIME_HEAP_H
#define RUNTIME_HEAP_H

#include "base/buf.h"
#include "base/heaptab.h"
#include "runtime/here.h"
#include "runtime/runtime.h"
#include "runtime/sites.h"

/* A sampled object's address has these bits zero: it begins a page, or it is a chunk that glibc has
 * mapped, which begins 16 bytes behind one. 1 in 128 others looks like that, too. */
#define HEAP_MARK ((uintptr_t)0xfef)
#define HEAP_RATE_LOOK_ALL                                                                         \
    32768 /* below this rate objects are not marked: every free is looked up */

#define HEAP_RATE_NONE UINT64_MAX
#define HEAP_STRIDE    (1ull << 20) /* after so many bytes a thread looks at the rate again */

#define HEAP_HIDDEN    __attribute__((visibility("hidden")))
#define HEAP_LIKELY(x) __builtin_expect(!!(x), 1)

/* What a thread knows. All zero in a new one. */
struct heap_thread {
    uint64_t left;      /* an allocation of n bytes is not sampled while n < left */
    uint64_t rest;      /* the next sampling point is so much further on than `left` says */
    uint64_t rate;      /* at which that point was drawn; 0: none was */
    uint64_t random;    /* state of its generator; 0: not begun */
    uintptr_t stack_hi; /* end of its stack; 0: not known yet */
    const void *last;   /* the object it sampled last, and `left` after that */
    uint64_t last_left;
    bool other;           /* not the process's first thread */
    uint64_t sample_rate; /* between heap_enter and heap_leave: that of the sample */
    uint32_t busy;        /* in here already: a signal handler's allocation passes */
    uint32_t debugging;   /* the same of debug_malloc.c, which lies behind */
};

extern HEAP_HIDDEN __thread struct heap_thread heap_self __attribute__((tls_model("initial-exec")));

/* The allocator behind us. Valid once heap_resolve() has run, which the first slow path does. */
struct heap_real {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    void *(*memalign)(size_t, size_t);
    void (*sdallocx)(void *, size_t, int); /* these three: jemalloc's, or NULL */
    void (*dallocx)(void *, int);
    void *(*rallocx)(void *, size_t, int);
    size_t (*usable_size)(void *);
};

struct heap_state {
    struct heap_real real;
    /* free looks at a pointer p closer where !(p & mask): ~0 is off (NULL only), 0 is all. */
    _Atomic uintptr_t mask;
    _Atomic int on;
    _Atomic uint64_t rate;   /* HEAP_RATE_NONE: nothing more is sampled */
    bool rate_changed;       /* since it is on: sites differ in it */
    bool is_glibc;           /* the allocator behind us is glibc's */
    bool is_debugged;        /* `real` are those of debug_malloc.c */
    bool hooks_new;          /* objects of operator new are sampled that have no mark */
    bool write_peak;         /* files have what was in use at the peak */
    _Atomic uint64_t *alive; /* a word that is 0 in every child process */
    struct heaptab *tab;     /* that of `sites` */
    struct sites sites;
    uint64_t start_mono_ns;
};

extern HEAP_HIDDEN struct heap_state heap;

/* ---- heap.c: control ---- */

/* Begins to sample, one allocation in `rate` bytes on average, into memory of our own, or under a
 * recorder into its segment. 0; -ENOTSUP: malloc or free is the program's own; -EPERM: it is too
 * late, in a sandbox; -ENOMEM. */
int heap_start(uint64_t rate);
/* Changes the rate of what is on. What was sampled keeps its weight. The calling thread follows at
 * once, others within HEAP_STRIDE bytes that they allocate. One at a time. */
void heap_change_rate(uint64_t rate);
bool heap_is_on(void);
/* Bytes to a sample at present, 0: nothing more is sampled. */
uint64_t heap_rate(void);
/* In a forked child, from runtime_forked: begins anew, or ends. */
void heap_forked(bool go_on);
/* At the program's end, once: writes the files that the environment asked for, or notes what it
 * uses of memory for the recorder. `in_signal`: the allocator must not be asked. */
void heap_end(bool in_signal);
/* Before execve: what there is so far. */
void heap_save(void);
/* Notes the time in the log: what lives is as old as that makes it. */
void heap_tell_time(void);

/* ---- heap.c: the slow paths. `caller` is where the interposer returns to. ---- */

/* Whether an allocation of n bytes is to be sampled; then heap_leave follows. Else it was counted
 * down. Only called where n >= left. */
bool heap_enter(size_t n);
void heap_leave(void);
/* Memory whose address is marked, or NULL. `zero`: cleared. */
void *heap_take(size_t n, size_t alignment, bool zero);
/* Counts the object p (NULL: nothing). */
void heap_sampled(void *p, size_t n, const struct here_caller *caller);
/* Counts an object under a number that stands for its address. False: it was lost. */
bool heap_count_object(uint64_t address, size_t n, const struct here_caller *caller);
/* p is about to be freed: true if it was sampled. What was known of it is in `was`. */
struct heap_object {
    uint64_t address, size;
    uint32_t site, born_s;
};
bool heap_forget(void *p, struct heap_object *was);
/* The same for realloc, which may fail: heap_remember takes it back, heap_freed counts it. */
bool heap_take_out(void *p, struct heap_object *was);
void heap_remember(const struct heap_object *was);
void heap_freed(const struct heap_object *was);

/* ---- interpose_malloc.c ---- */

/* Do malloc and free of this program both come here? */
bool heap_is_ours(void);
/* Memory of before we knew the allocator is about: every free must be looked at. */
bool heap_always_look(void);
/* While the heap is not sampled, allocations go past us (runtime/bypass.h). In the constructor,
 * when it is known that it is not. */
void heap_bypass(void);
/* They come to us again: before sampling begins. False: a sandbox forbids what that takes. */
bool heap_end_bypass(void);

/* ---- heap_new.c ---- */

/* If the allocator has operators new and delete of its own, and the program calls them, its calls
 * come to us from now on; then true, and every free must be looked at. Once. */
bool heap_hook_new(void);

/* ---- heap_live.c ---- */

/* 0, or -ENOMEM. What was known of the address before goes to `old` (its address is 0: nothing):
 * its free was not seen. */
int live_put(const struct heap_object *o, struct heap_object *old);
bool live_take(uint64_t address, struct heap_object *was);
/* False: it is not there. */
bool live_may_have(uint64_t address);
/* Whether there is a filter, as there is at first, or live_may_have is always true. The calling
 * thread must be busy. */
void live_set_filter(bool on);
/* The address will be put soon. */
void live_prefetch(uint64_t address);
void live_clear(void);
/* Bytes of memory it has mapped. */
uint64_t live_memory(void);

/* ---- heap_stack.c ---- */

/* Maps what makes walks shorter, if that is to be had. Once; before the first sample. */
void heap_stack_prepare(void);

/* Counts the calling thread's stack, from the frame on that our interposer returns to, in a table
 * of its own. For a site of it see sites_here. */
void heap_count_here(struct stacktab *to, const void *caller);
void heap_stacks_forget(void);
/* Walks from `regs`, or, NULL, from the first frame on above the caller that is not ours. Writes
 * the leaf-most frames, at most `max`; how many. */
uint32_t heap_walk(const struct unwind_regs *regs, bool (*is_ours)(uint64_t pc), uint64_t *pcs,
                   uint32_t max);

/* ---- heap_random.c ---- */

/* The next number of a generator whose state is one word. */
uint64_t random_next(uint64_t *state);
uint64_t heap_random(struct heap_thread *t);
/* Bytes until the next sampling point. */
uint64_t heap_random_interval(struct heap_thread *t, uint64_t rate);
/* What a sampled object of n bytes stands for. */
float heap_weight(size_t n, uint64_t rate);

/* ---- heap_profile.c ---- */

/* A site's values at some time. */
struct heap_base {
    const struct heaptab_site *site;
    struct heaptab_values v;
};

struct heap_view {
    bool allocs;  /* alloc_space is the default sample type */
    bool at_peak; /* in-use values are those of the peak */
    bool ages;    /* samples of what lives have its mean age as a label: two of them differ */
    /* What is taken off: see heap_begin_delta. NULL: nothing. */
    const struct heap_base *base;
    uint64_t base_count;
    uint64_t base_mono_ns;
    bool tree;                     /* of all processes of the tree, or, … */
    uint32_t pid;                  /* … not 0, of that one */
    struct heap_tree_base *others; /* what is taken off of theirs: TREE_SLOTS, or NULL */
};
/* From now on the view is of the difference to now, whose values are kept in `arena`. 0 or
 * -ENOMEM. */
int heap_begin_delta(struct heap_view *view, struct arena *arena);
/* Writes a gzip'ed profile. 0, -EIO (the writer gave up) or -ENOMEM. */
int heap_write(const struct heap_view *view, strobe_write_fn write, void *ctx);
/* The text of Go's debug=1. */
void heap_write_text(const struct heap_view *view, struct buf *out);
/* Bytes that all of this takes. */
uint64_t heap_memory(void);
/* How many sites there are. */
uint64_t heap_count(void);

#endif
