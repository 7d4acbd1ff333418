/* SPDX-License-Identifier: MIT
 *
 * strobe_error: errors that the program meets, counted by kind and by the stack that met them. They
 * are a profile (`errors`, with the kind as a label) and a list at /debug/vars with the last
 * message and when. Bounded: KINDS kinds, and STACKTAB_ENTRIES stacks of each; what does not fit is
 * counted under no stack, or under the kind "other". */
#include "runtime/vars.h"

#include "base/sigsafe.h"
#include "runtime/encode.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/text.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { KINDS = 64, NAME_BYTES = 64, MESSAGE_BYTES = 256 };

struct kind {
    char name[NAME_BYTES];
    char message[MESSAGE_BYTES]; /* the last one, cut */
    uint64_t count;
    int64_t first_ms, last_ms;
    struct stacktab *stacks; /* mapped with the kind; NULL: memory was out */
};

static struct kind kinds[KINDS];
static _Atomic uint32_t kind_count;
static _Atomic uint32_t lock; /* the process that holds it: a child of fork takes a dead one's */

static void take_lock(void)
{
    uint32_t holder = 0;
    while (!atomic_compare_exchange_weak(&lock, &holder, runtime_pid())) {
        if (holder && holder != runtime_pid() &&
            atomic_compare_exchange_strong(&lock, &holder, runtime_pid()))
            return;
        holder = 0;
        sigsafe_syscall0(SYS_sched_yield);
    }
}

static void copy_text(char *to, size_t size, const char *from)
{
    size_t n = strnlen(from, size - 1);
    while (n && n == size - 1 && (from[n] & 0xc0) == 0x80)
        n--; /* no half a character */
    memcpy(to, from, n);
    to[n] = 0;
}

static struct kind *make_kind(uint32_t at, const char *name)
{
    struct kind *k = &kinds[at];
    void *stacks = mmap(NULL, sizeof *k->stacks, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    copy_text(k->name, sizeof k->name, name);
    k->stacks = stacks == MAP_FAILED ? NULL : stacks;
    atomic_store(&kind_count, at + 1);
    return k;
}

static struct kind *find_kind(const char *name)
{
    char cut[NAME_BYTES];
    uint32_t n = atomic_load(&kind_count);
    copy_text(cut, sizeof cut, name);
    for (uint32_t i = 0; i < n; i++)
        if (!strcmp(kinds[i].name, cut))
            return &kinds[i];
    return n == KINDS ? &kinds[KINDS - 1] : make_kind(n, n == KINDS - 1 ? "other" : cut);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the profile ---- */

static uint64_t count_stacks(const struct strobe_profile *p)
{
    (void)p;
    uint64_t n = 0;
    for (uint32_t i = 0; i < atomic_load(&kind_count); i++)
        n += kinds[i].count;
    return n;
}

static void add_kind(struct profile_build *b, const struct kind *k)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label label = {.key = profile_intern_cstr(b->p, "kind"),
                                  .str = profile_intern_cstr(b->p, k->name)};
    for (uint32_t i = 0; k->stacks && i < STACKTAB_ENTRIES; i++) {
        const struct stacktab_entry *e = &k->stacks->entries[i];
        if (!atomic_load_explicit(&e->ready, memory_order_acquire))
            continue;
        for (uint32_t f = 0; f < e->key.depth; f++)
            locations[f] = encode_location(b, k->stacks->words[e->first + f], e->key.epoch);
        struct profile_build_sample s = {.locations = locations,
                                         .location_count = e->key.depth,
                                         .values = {(int64_t)atomic_load(&e->weight)},
                                         .labels = &label,
                                         .label_count = 1};
        profile_build_add(b, &s);
    }
}

static void write_binary(struct buf *out)
{
    struct profile p;
    struct profile_build b;
    profile_init(&p);
    p.arena.null_on_oom = 1;
    profile_build_count(&b, &p, "errors");
    p.time_nanos = now_ms() * 1000000;
    encode_program(&b);
    for (uint32_t i = 0; i < atomic_load(&kind_count); i++)
        add_kind(&b, &kinds[i]);
    encode_names(&b);
    if (encode_write(&b, http_append, out) != 0)
        out->failed = 1;
}

static void put_stacks(struct text_names *names, struct buf *out, const struct kind *k)
{
    for (uint32_t i = 0; k->stacks && i < STACKTAB_ENTRIES; i++) {
        const struct stacktab_entry *e = &k->stacks->entries[i];
        if (!atomic_load_explicit(&e->ready, memory_order_acquire))
            continue;
        const uint64_t *pcs = k->stacks->words + e->first;
        buf_printf(out, "%llu @", (unsigned long long)atomic_load(&e->weight));
        for (uint32_t f = 0; f < e->key.depth; f++)
            buf_printf(out, " 0x%llx", (unsigned long long)pcs[f] + 1);
        buf_puts(out, "\n# labels: {\"kind\":");
        http_put_string(out, k->name, strlen(k->name));
        buf_puts(out, "}\n");
        text_put_frames(names, out, pcs, e->key.depth);
        buf_putc(out, '\n');
    }
}

static void serve(const struct http_request *r, struct http_answer *a)
{
    if (!http_number(r, "debug")) {
        a->type = http_binary_type;
        a->filename = "errors";
        write_binary(&a->body);
        return;
    }
    struct text_names names;
    text_begin(&names, &a->arena);
    buf_printf(&a->body, "errors profile: total %llu\n", (unsigned long long)count_stacks(NULL));
    for (uint32_t i = 0; i < atomic_load(&kind_count); i++)
        put_stacks(&names, &a->body, &kinds[i]);
    text_end(&names);
}

static struct strobe_profile profile = {
    .name = "errors",
    .about = "Stack traces that led to errors which the program has reported",
    .count = count_stacks,
    .serve = serve,
};

/* ---- counting ---- */

__attribute__((noinline)) void strobe_error(const char *name, const char *message)
{
    static _Atomic int is_listed;
    if (!name || !*name)
        return;
    int saved = errno;
    if (runtime_map() == 0 && !atomic_exchange(&is_listed, 1))
        profiles_add(&profile);
    take_lock();
    struct kind *k = find_kind(name);
    k->last_ms = now_ms();
    k->first_ms = k->count ? k->first_ms : k->last_ms;
    k->count++;
    copy_text(k->message, sizeof k->message, message ? message : "");
    struct stacktab *stacks = k->stacks;
    atomic_store(&lock, 0);
    if (stacks && rt.cache)
        heap_count_here(stacks, __builtin_return_address(0));
    errno = saved;
}

void errors_put(struct buf *out)
{
    take_lock();
    for (uint32_t i = 0; i < atomic_load(&kind_count); i++) {
        const struct kind *k = &kinds[i];
        buf_puts(out, i ? ", " : ",\n\"errors\": {");
        http_put_string(out, k->name, strlen(k->name));
        buf_printf(out, ": {\"count\": %llu, \"first_ms\": %lld, \"last_ms\": %lld, \"message\": ",
                   (unsigned long long)k->count, (long long)k->first_ms, (long long)k->last_ms);
        http_put_string(out, k->message, strlen(k->message));
        buf_putc(out, '}');
    }
    if (atomic_load(&kind_count))
        buf_putc(out, '}');
    atomic_store(&lock, 0);
}
