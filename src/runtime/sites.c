/* SPDX-License-Identifier: MIT
 *
 * Finds the site of a stack and a number in a log of base/heaptab.h, and gives that its memory. The
 * index is read without a lock; who adds a site takes one, which is held for as long as it takes to
 * copy a stack, or to double the index. Indexes that were replaced stay mapped, because somebody
 * may read them: together they are no larger than the one in use. */
#include "runtime/sites.h"

#include "base/sigsafe.h"
#include "runtime/runtime.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { FIRST_BITS = 10, SPINS = 200, CLASSES_BITS = 3 };

/* A slot: the upper half of a site's hash, and its number. */
struct sites_index {
    uint32_t bits;
    _Atomic uint64_t slots[];
};

static void lock(struct sites *in)
{
    for (uint32_t i = 0; !heap_try_lock(&in->locked); i++)
        if (i > SPINS)
            sigsafe_syscall0(SYS_sched_yield);
}

static void unlock(struct sites *in)
{
    atomic_store_explicit(&in->locked, 0, memory_order_release);
}

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9e3779b97f4a7c15ull;
    return h ^ h >> 29;
}

static uint64_t hash_stack(const struct heap_stack *s, uint64_t size)
{
    uint64_t rest = mix(s->depth ^ s->rate << 16, (uint64_t)s->labels << 32 | s->flags);
    return mix(mix(mix(s->hash, rest), s->epoch), size);
}

/* The number of the site, 0 if it is not there; `free_slot` is where its slot would be. */
static uint32_t look(const struct sites *in, struct sites_index *x, uint64_t hash, uint64_t size,
                     uint32_t *free_slot)
{
    uint32_t mask = (1u << x->bits) - 1;
    for (uint32_t i = (uint32_t)hash & mask;; i = (i + 1) & mask) {
        uint64_t slot = atomic_load_explicit(&x->slots[i], memory_order_acquire);
        if (!slot) {
            *free_slot = i;
            return 0;
        }
        if ((slot ^ hash) >> 32)
            continue;
        const struct heaptab_site *s = sites_get(in, (uint32_t)slot);
        if (s->hash == hash && s->size == size)
            return (uint32_t)slot;
    }
}

static struct sites_index *make_index(struct sites *in, uint32_t bits)
{
    size_t bytes = sizeof(struct sites_index) + (sizeof(uint64_t) << bits);
    long p = sigsafe_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p < 0 && p > -4096)
        return NULL;
    struct sites_index *x = (struct sites_index *)p;
    x->bits = bits;
    in->mapped += bytes;
    return x;
}

/* Under the lock: the index to add to, which has room. NULL: no memory. */
static struct sites_index *roomy_index(struct sites *in)
{
    struct sites_index *old = atomic_load_explicit(&in->current, memory_order_relaxed);
    if (old && in->count < 1u << (old->bits - 1))
        return old;
    struct sites_index *x = make_index(in, old ? old->bits + 1 : FIRST_BITS);
    if (!x)
        return NULL;
    for (uint32_t i = 0; old && i < 1u << old->bits; i++) {
        uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
        uint32_t at;
        if (slot && !look(in, x, sites_get(in, (uint32_t)slot)->hash, UINT64_MAX, &at))
            atomic_store_explicit(&x->slots[at], slot, memory_order_relaxed);
    }
    atomic_store_explicit(&in->current, x, memory_order_release);
    return x;
}

static uint32_t append(struct sites *in, const struct heap_stack *s, uint64_t hash, uint64_t size)
{
    struct heaptab_site *to = heaptab_append(in->tab, s->depth);
    if (!to)
        return 0;
    to->image = rt.image;
    to->epoch = s->epoch;
    to->flags = (uint16_t)s->flags;
    to->reason = s->reason;
    to->labels = s->labels;
    to->hash = hash;
    to->size = size;
    to->rate = s->rate;
    /* What was live at any peak before now: nothing. */
    atomic_store_explicit(&to->peak_id, atomic_load(&in->tab->peak_id), memory_order_relaxed);
    for (uint32_t i = 0; i < s->depth; i++)
        to->pcs[i] = s->pcs[i];
    atomic_store_explicit(&to->ready, 1, memory_order_release);
    in->count++;
    return (uint32_t)(((unsigned char *)to - in->tab->data) / 8) + 1;
}

static uint32_t add(struct sites *in, const struct heap_stack *s, uint64_t hash, uint64_t size)
{
    uint32_t number = 0, at;
    lock(in);
    struct sites_index *x = roomy_index(in);
    if (x)
        number = look(in, x, hash, size, &at);
    if (x && !number) {
        number = append(in, s, hash, size);
        if (number)
            atomic_store_explicit(&x->slots[at], (hash & ~0xffffffffull) | number,
                                  memory_order_release);
    }
    unlock(in);
    return number;
}

/* Where half of the log is full, sizes are put together, eight classes to a power of two. */
static uint64_t class_of(uint64_t size)
{
    int bits = 64 - __builtin_clzll(size | 1), low = bits - CLASSES_BITS - 1;
    return low > 0 ? ((size >> low) + 1) << low : size;
}

static uint64_t size_in(const struct sites *in, uint64_t size)
{
    bool many = atomic_load_explicit(&in->tab->used, memory_order_relaxed) >
                atomic_load_explicit(&in->tab->size, memory_order_relaxed) / 2;
    return many ? class_of(size) : size;
}

uint32_t sites_look(struct sites *in, const struct heap_stack *s, uint64_t size)
{
    uint32_t at;
    struct sites_index *x = atomic_load_explicit(&in->current, memory_order_acquire);
    size = size_in(in, size);
    return x ? look(in, x, hash_stack(s, size), size, &at) : 0;
}

uint32_t sites_find(struct sites *in, const struct heap_stack *s, uint64_t size)
{
    uint32_t number = sites_look(in, s, size);
    size = size_in(in, size);
    return number ? number : add(in, s, hash_stack(s, size), size);
}

/* ---- memory ---- */

static void *map_private(uint64_t bytes)
{
    long p = sigsafe_syscall6(SYS_mmap, 0, (long)bytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p < 0 && p > -4096 ? NULL : (void *)p;
}

/* A region in the recorder's segment. An image that ran in this slot before has left its sites
 * there: ours follow. */
static void *map_region(uint64_t *bytes, uint64_t at)
{
    int saved = errno;
    int fd = runtime_open_segment(environ_get("STROBE_RECORD"), false);
    errno = saved;
    long p = -1;
    if (fd < 0)
        return NULL;
    if (sigsafe_syscall4(SYS_fallocate, fd, 0, at, HEAPTAB_GROW) == 0)
        for (; p < 0 && *bytes >= HEAPTAB_GROW; *bytes /= 2)
            p = sigsafe_syscall6(SYS_mmap, 0, (long)*bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                                 (long)at);
    sigsafe_syscall1(SYS_close, fd);
    *bytes *= 2;
    return p < 0 ? NULL : (void *)p;
}

int sites_map(struct sites *in, uint64_t bytes, uint64_t offset)
{
    struct heaptab *t = offset ? map_region(&bytes, offset) : map_private(bytes);
    if (!t)
        return -ENOMEM;
    if (t->magic != HEAPTAB_MAGIC)
        heaptab_init(t, bytes, offset ? HEAPTAB_GROW : bytes);
    in->tab = t;
    in->tab_bytes = bytes;
    return 0;
}

/* Inaccessible memory is nobody's but in address space. */
static void *reserve(uint64_t bytes, uint64_t reserved)
{
    struct rlimit limit;
    if (sigsafe_syscall2(SYS_getrlimit, RLIMIT_AS, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY)
        return NULL;
    long p = sigsafe_syscall6(SYS_mmap, 0, (long)reserved, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p < 0 && p > -4096)
        return NULL;
    if (sigsafe_syscall3(SYS_mprotect, p, bytes, PROT_READ | PROT_WRITE) == 0)
        return (void *)p;
    sigsafe_syscall2(SYS_munmap, p, reserved);
    return NULL;
}

int sites_map_reserved(struct sites *in, uint64_t bytes, uint64_t reserved)
{
    struct heaptab *t = reserve(bytes, reserved);
    if (!t)
        return sites_map(in, bytes, 0);
    heaptab_init(t, bytes, bytes);
    in->tab = t;
    in->tab_bytes = reserved;
    return 0;
}

void sites_widen(struct sites *in)
{
    if (sizeof *in->tab + atomic_load(&in->tab->room) < in->tab_bytes &&
        sizeof *in->tab + atomic_load(&in->tab->size) < in->tab_bytes &&
        sigsafe_syscall3(SYS_mprotect, in->tab, in->tab_bytes, PROT_READ | PROT_WRITE) == 0)
        heaptab_widen(in->tab, in->tab_bytes);
}

void sites_use(struct sites *in, void *memory, uint64_t bytes)
{
    heaptab_init(memory, bytes, bytes);
    in->tab = memory;
    in->tab_bytes = bytes;
    in->is_lent = true;
}

void sites_clear(struct sites *in)
{
    struct sites_index *x = atomic_load(&in->current);
    if (x)
        sigsafe_syscall2(SYS_munmap, x, sizeof(struct sites_index) + (sizeof(uint64_t) << x->bits));
    if (in->tab && !in->is_lent)
        sigsafe_syscall2(SYS_munmap, in->tab, in->tab_bytes);
    in->is_lent = false;
    atomic_store(&in->current, NULL);
    in->tab = NULL;
    in->count = 0;
    in->mapped = 0;
    unlock(in);
}

/* Under a recorder the log may have sites of an earlier image. */
const struct heaptab_site *sites_next(const struct sites *in, const struct heaptab_site *s)
{
    if (!in->tab)
        return NULL;
    do
        s = heaptab_next(in->tab, in->tab_bytes, s);
    while (s && s->image != rt.image);
    return s;
}

uint64_t sites_count(const struct sites *in)
{
    uint64_t n = 0;
    for (const struct heaptab_site *s = NULL; (s = sites_next(in, s));)
        n++;
    return n;
}

uint64_t sites_memory(const struct sites *in)
{
    return in->mapped + (in->tab ? atomic_load(&in->tab->used) + sizeof *in->tab : 0);
}
