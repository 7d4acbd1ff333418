/* SPDX-License-Identifier: MIT
 *
 * Profiles that a program keeps itself, as Go's pprof.NewProfile: each value that is added, by its
 * address, is counted at the stack that added it until it is removed. The stacks lie in a lock-free
 * table; which value has which of them is under a lock of the profile's own, held for a few
 * instructions, or to double the table. */
#include "base/sigsafe.h"
#include "runtime/count_list.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/labels.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { FIRST_BITS = 8, SPINS = 200, NAME_BYTES = 64 };

struct value {
    uintptr_t address; /* 0: free */
    struct stacktab_entry *stack;
};

struct custom {
    struct strobe_profile profile; /* first: what others know */
    char name[NAME_BYTES];
    _Atomic uint32_t locked;
    uint32_t bits; /* 0: no table yet */
    _Atomic uint64_t count;
    struct value *values; /* 2^bits, linear probing, at most half full */
    struct stacktab stacks;
};

/* ---- the lock ---- */

static void lock(struct custom *c)
{
    for (uint32_t i = 0; !heap_try_lock(&c->locked); i++)
        if (i > SPINS)
            sigsafe_syscall0(SYS_sched_yield);
}

static void unlock(struct custom *c)
{
    atomic_store_explicit(&c->locked, 0, memory_order_release);
}

/* ---- values ---- */

static uint32_t home(const struct custom *c, uintptr_t address)
{
    return (uint32_t)((uint64_t)address * 0x9e3779b97f4a7c15ull >> (64 - c->bits));
}

/* The value's place, or that where it would be. */
static struct value *find(const struct custom *c, uintptr_t address)
{
    uint32_t mask = (1u << c->bits) - 1, i = home(c, address);
    while (c->values[i].address && c->values[i].address != address)
        i = (i + 1) & mask;
    return &c->values[i];
}

static bool grow(struct custom *c)
{
    struct custom old = {.bits = c->bits, .values = c->values};
    uint32_t bits = c->bits ? c->bits + 1 : FIRST_BITS;
    long p = bits > LIMIT_CUSTOM_BITS
                 ? -ENOSPC
                 : sigsafe_syscall6(SYS_mmap, 0, (long)(sizeof(struct value) << bits),
                                    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p < 0 && p > -4096)
        return false;
    c->values = (struct value *)p;
    c->bits = bits;
    for (uint32_t i = 0; old.bits && i < 1u << old.bits; i++)
        if (old.values[i].address)
            *find(c, old.values[i].address) = old.values[i];
    if (old.bits)
        sigsafe_syscall2(SYS_munmap, old.values, sizeof(struct value) << old.bits);
    return true;
}

/* Those behind it that would not be found any more move up. */
static void take_out(struct custom *c, struct value *v)
{
    uint32_t mask = (1u << c->bits) - 1, hole = (uint32_t)(v - c->values), i = hole;
    for (;;) {
        i = (i + 1) & mask;
        if (!c->values[i].address)
            break;
        uint32_t at = home(c, c->values[i].address);
        if (((i - at) & mask) >= ((i - hole) & mask)) {
            c->values[hole] = c->values[i];
            hole = i;
        }
    }
    c->values[hole] = (struct value){0};
}

/* ---- as a profile ---- */

static uint64_t count_values(const struct strobe_profile *p)
{
    return atomic_load(&((const struct custom *)p)->count);
}

static int take(const void *what, struct arena *arena, struct count_list *out)
{
    const struct custom *c = what;
    *out = (struct count_list){.name = c->name};
    return count_take_table(&c->stacks, &(struct count_stack){0}, arena, out);
}

static void serve(const struct http_request *r, struct http_answer *a)
{
    http_serve_counts(r, a, take, a->profile);
}

void custom_profiles_forked(void)
{
    for (const struct strobe_profile *p = NULL; (p = profiles_next(p));) {
        struct custom *c = (struct custom *)p;
        if (p->serve != serve || !atomic_load(&c->locked))
            continue;
        /* Somebody who does not exist here was at work on it: nobody knows how far. */
        if (c->bits)
            memset(c->values, 0, sizeof(struct value) << c->bits);
        for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++)
            atomic_store(&c->stacks.entries[i].weight, 0);
        atomic_store(&c->count, 0);
        unlock(c);
    }
}

/* ---- the API ---- */

static bool is_name(const char *name)
{
    static const char taken[] = " cmdline profile symbol trace ";
    char word[NAME_BYTES + 2];
    size_t n = name ? strlen(name) : 0;
    if (!n || n >= NAME_BYTES)
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] <= ' ' || strchr("/?#&%<>\"'\x7f", name[i]))
            return false;
    word[0] = ' ';
    strcpy(stpcpy(word + 1, name), " ");
    return !strstr(taken, word) && !profiles_find(name);
}

struct strobe_profile *strobe_profile_new(const char *name)
{
    if (!is_name(name) || runtime_map() < 0)
        return NULL;
    long p = sigsafe_syscall6(SYS_mmap, 0, sizeof(struct custom), PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p < 0 && p > -4096)
        return NULL;
    struct custom *c = (struct custom *)p;
    strcpy(c->name, name);
    c->profile = (struct strobe_profile){.name = c->name,
                                         .about = "A profile that the program keeps itself",
                                         .count = count_values,
                                         .serve = serve};
    profiles_add(&c->profile);
    return &c->profile;
}

static bool is_nobodys(uint64_t pc)
{
    (void)pc;
    return false;
}

/* Counts the stack whose innermost frame returns to `caller`, but for `skip` frames of it. */
static struct stacktab_entry *count_stack(struct custom *c, const void *caller, uint32_t skip)
{
    uint64_t pcs[LIMIT_STACK_DEPTH];
    uint32_t n = heap_walk(NULL, is_nobodys, pcs, LIMIT_STACK_DEPTH), first = 0;
    while (first < n && pcs[first] != (uint64_t)(uintptr_t)caller - 1)
        first++;
    first = first < n ? first : 0;
    first = skip < n - first ? first + skip : n;
    struct stacktab_key key = {.depth = (uint16_t)(n - first),
                               .labels = labels_here(),
                               .epoch = atomic_load_explicit(&rt.epoch, memory_order_relaxed)};
    return stacktab_add(&c->stacks, &key, pcs + first, 1);
}

static void uncount(struct stacktab_entry *e)
{
    atomic_fetch_sub_explicit(&e->weight, 1, memory_order_relaxed);
}

int strobe_profile_add(struct strobe_profile *p, const void *value, int skip)
{
    struct custom *c = (struct custom *)p;
    if (!p || p->serve != serve || !value || skip < 0)
        return -EINVAL;
    struct stacktab_entry *stack = count_stack(c, __builtin_return_address(0), (uint32_t)skip);
    if (!stack)
        return -ENOSPC;
    int r = 0;
    lock(c);
    uint64_t count = atomic_load(&c->count);
    if ((!c->bits || count >= 1u << (c->bits - 1)) && !grow(c))
        r = -ENOSPC;
    struct value *v = r == 0 ? find(c, (uintptr_t)value) : NULL;
    if (v && v->address) {
        r = -EEXIST;
    } else if (v) {
        *v = (struct value){(uintptr_t)value, stack};
        atomic_store(&c->count, count + 1);
    }
    unlock(c);
    if (r < 0)
        uncount(stack);
    return r;
}

void strobe_profile_remove(struct strobe_profile *p, const void *value)
{
    struct custom *c = (struct custom *)p;
    if (!p || p->serve != serve || !value)
        return;
    lock(c);
    struct value *v = c->bits ? find(c, (uintptr_t)value) : NULL;
    if (v && v->address) {
        uncount(v->stack);
        take_out(c, v);
        atomic_fetch_sub(&c->count, 1);
    }
    unlock(c);
}
