/* SPDX-License-Identifier: MIT
 *
 * The labels that a program gives its threads. Adding one makes a new set from the thread's own,
 * looks up its number, and writes that to the thread's two words: no lock, no allocation, so that
 * the program's signal handlers may do it as well. A recorder is told each set's text before any
 * sample has its number. */
#include "runtime/labels.h"

#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

/* What a thread knows of its own labels. */
struct mine {
    struct label_slot *slot; /* the thread's, if that has `tid` in it */
    uint32_t tid, set;
};

static __thread struct mine mine __attribute__((tls_model("initial-exec")));
static _Atomic(struct labeltab *) sets;
static bool is_shared; /* with other processes, which may write anything there */
static pthread_key_t key;
static bool key_made;
static _Atomic uint64_t without_memory; /* sets that could not be kept for that */

/* ---- memory ---- */

static void *map_zeroed(size_t size)
{
    long p = sigsafe_syscall6(SYS_mmap, 0, (long)size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

static void make_slots(void)
{
    size_t size = LABEL_SLOTS * sizeof(struct label_slot);
    struct label_slot *memory = label_slots_exist() ? NULL : map_zeroed(size);
    if (!memory)
        return;
    sigsafe_syscall3(SYS_madvise, memory, size, MADV_WIPEONFORK);
    if (!label_slots_begin(memory))
        sigsafe_syscall2(SYS_munmap, memory, size);
}

/* NULL: there is no memory. */
static struct labeltab *table(void)
{
    struct labeltab *t = atomic_load_explicit(&sets, memory_order_acquire), *none = NULL;
    if (t)
        return t;
    make_slots();
    t = map_zeroed(sizeof *t);
    if (t && !atomic_compare_exchange_strong(&sets, &none, t)) {
        sigsafe_syscall2(SYS_munmap, t, sizeof *t);
        t = none;
    }
    return t;
}

void labels_share(struct labeltab *t)
{
    struct labeltab *none = NULL;
    make_slots();
    is_shared = atomic_compare_exchange_strong(&sets, &none, t);
}

/* ---- the thread's own set ---- */

uint32_t labels_here(void)
{
    return mine.set;
}

static void take_slot(void)
{
    mine.tid = runtime_tid();
    mine.slot = label_slots_take(mine.tid);
    if (mine.slot && mine.tid != rt.pid && (!key_made || pthread_setspecific(key, &mine))) {
        label_slots_give_back(mine.slot); /* nobody would, when the thread ends */
        mine.slot = NULL;
    }
}

static void put(uint32_t set)
{
    bool has_slot =
        mine.slot && atomic_load_explicit(&mine.slot->tid, memory_order_relaxed) == mine.tid;
    mine.set = set;
    if (!has_slot && set)
        take_slot();
    if (mine.slot && (has_slot || set))
        atomic_store_explicit(&mine.slot->set, set, memory_order_relaxed);
}

static void end_thread(void *p)
{
    (void)p;
    struct label_slot *s = mine.slot;
    mine.slot = NULL;
    if (s && atomic_load_explicit(&s->tid, memory_order_relaxed) == mine.tid)
        label_slots_give_back(s);
}

void labels_init(void)
{
    key_made = pthread_key_create(&key, end_thread) == 0;
}

void labels_begin_thread(uint32_t set)
{
    if (set)
        put(set);
}

struct label_slot *labels_begin_raw(uint32_t tid, uint32_t set)
{
    struct label_slot *s = set ? label_slots_take(tid) : NULL;
    if (s)
        atomic_store_explicit(&s->set, set, memory_order_relaxed);
    return s;
}

void labels_move(struct label_slot *memory)
{
    size_t size = LABEL_SLOTS * sizeof *memory;
    mine.slot = NULL;
    if (!memory && (memory = map_zeroed(size)))
        sigsafe_syscall3(SYS_madvise, memory, size, MADV_WIPEONFORK);
    label_slots_move(memory);
}

void labels_forked(void)
{
    if (mine.set)
        put(mine.set);
}

/* ---- sets ---- */

/* Once for each image that a recorder sees; should there be no room, with the next use. */
static void tell_recorder(struct labeltab *t, uint32_t set)
{
    struct labeltab_entry *e = &t->entries[set - 1];
    if (!rt.shm || atomic_load_explicit(&e->image, memory_order_relaxed) == rt.image)
        return;
    struct shm_labels r = {.r.type = SHM_LABELS, .number = set, .text_len = e->size};
    if (runtime_emit(&r.r, sizeof r, t->text + e->first, e->size))
        atomic_store_explicit(&e->image, rt.image, memory_order_relaxed);
}

static void lose(void)
{
    atomic_fetch_add_explicit(&without_memory, 1, memory_order_relaxed);
    if (rt.process)
        atomic_fetch_add_explicit(&rt.process->labels_lost, 1, memory_order_relaxed);
}

const char *labels_text(uint32_t set, size_t *size)
{
    const struct labeltab *t = atomic_load_explicit(&sets, memory_order_acquire);
    const char *text = t ? labeltab_get(t, set, size) : NULL;
    bool fits = text && text >= t->text && *size <= LABELTAB_BYTES &&
                (size_t)(text - t->text) <= LABELTAB_BYTES - *size;
    return text && (!is_shared || (fits && labelset_check(text, *size))) ? text : NULL;
}

uint64_t labels_lost(void)
{
    return atomic_load(&without_memory);
}

uint32_t labels_fill(struct profile *p, uint32_t set, struct profile_label *out)
{
    size_t size = 0, at = 0;
    uint32_t n = 0;
    struct label_text l;
    const char *text = set ? labels_text(set, &size) : NULL;
    while (text && n < LIMIT_LABELS && labelset_next(text, size, &at, &l))
        out[n++] = (struct profile_label){.key = profile_intern_cstr(p, l.key),
                                          .str = profile_intern_cstr(p, l.value)};
    return n;
}

/* ---- the API ---- */

/* The set `before` with a label changed; `before` where that cannot be kept. */
static uint32_t change(uint32_t before, const char *label, const char *value)
{
    char text[LIMIT_LABELS_BYTES];
    size_t size = 0;
    struct labeltab *t = table();
    const char *was = before ? labels_text(before, &size) : "";
    int n = t ? labelset_with(text, was ? was : "", was ? size : 0, label, value) : -1;
    uint32_t set = n > 0 ? labeltab_add(t, text, (size_t)n) : 0;
    if (n < 0 || (n > 0 && !set)) {
        lose();
        return before;
    }
    if (set)
        tell_recorder(t, set);
    return set;
}

uint32_t labels_extend(uint32_t set, const char *label, const char *value)
{
    return change(set, label, value);
}

unsigned strobe_label_push(const char *label, const char *value)
{
    uint32_t before = mine.set;
    if (label && *label && (value || before))
        put(change(before, label, value));
    return before;
}

void strobe_label_pop(unsigned before)
{
    strobe_labels_set(before);
}

unsigned strobe_labels_get(void)
{
    return mine.set;
}

void strobe_labels_set(unsigned labels)
{
    size_t size;
    if (labels == mine.set || (labels && !labels_text(labels, &size)))
        return;
    if (labels)
        tell_recorder(atomic_load_explicit(&sets, memory_order_acquire), labels);
    put(labels);
}

const char *strobe_label(const char *label)
{
    size_t size = 0, at = 0;
    struct label_text l;
    const char *text = label && mine.set ? labels_text(mine.set, &size) : NULL;
    while (text && labelset_next(text, size, &at, &l))
        if (!strcmp(l.key, label))
            return l.value;
    return NULL;
}
