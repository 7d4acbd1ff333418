/* SPDX-License-Identifier: MIT
 *
 * operator new and delete of allocators that bring their own (jemalloc, tcmalloc), and jemalloc's
 * mallocx: they do not come by malloc. libstdc++'s do, and nothing is needed for them. These names
 * are not interposed, because a library that defines them would stand before those of plugins which
 * a C program loads, with nothing behind it, and a program that looks whether there is a mallocx
 * would find one; instead the program's jump slots that lead to the allocator's lead here
 * (runtime/bypass.h), in front of it.
 *
 * Not all calls come here (a later dlopen's do not), and those that free an object know its size.
 * So a sampled object stays what the allocator made it, without our mark, and each free is looked
 * up; one that does not come here is a free that was not seen, and nothing worse.
 *
 * All forms of new have the size first, all of delete the object; what else they have goes on as it
 * came, in registers. An exception of new passes through our frames: nothing is held over it. */
#include "runtime/bypass.h"
#include "runtime/heap.h"
#include "unwind/rawmem.h"

#include <dlfcn.h>
#include <string.h>

#ifndef RAW_SANITIZED

#define CALLER __builtin_return_address(0)

typedef void *new_fn(size_t n, uintptr_t a, uintptr_t b);
typedef void delete_fn(void *p, uintptr_t a, uintptr_t b);

/* The forms by their mangled names (Itanium C++ ABI, 5.1.3): alone, with nothrow, aligned, both. Of
 * mallocx the second argument is flags. */
#define NEWS(NEW)                                                                                  \
    NEW(mallocx)                                                                                   \
    NEW(_Znwm)                                                                                     \
    NEW(_Znam)                                                                                     \
    NEW(_ZnwmRKSt9nothrow_t)                                                                       \
    NEW(_ZnamRKSt9nothrow_t)                                                                       \
    NEW(_ZnwmSt11align_val_t)                                                                      \
    NEW(_ZnamSt11align_val_t) NEW(_ZnwmSt11align_val_tRKSt9nothrow_t)                              \
        NEW(_ZnamSt11align_val_tRKSt9nothrow_t)
#define DELETES(DELETE)                                                                            \
    DELETE(_ZdlPv)                                                                                 \
    DELETE(_ZdaPv)                                                                                 \
    DELETE(_ZdlPvm)                                                                                \
    DELETE(_ZdaPvm)                                                                                \
    DELETE(_ZdlPvRKSt9nothrow_t)                                                                   \
    DELETE(_ZdaPvRKSt9nothrow_t) DELETE(_ZdlPvSt11align_val_t) DELETE(_ZdaPvSt11align_val_t)       \
        DELETE(_ZdlPvmSt11align_val_t) DELETE(_ZdaPvmSt11align_val_t)                              \
            DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t)                                            \
                DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t)

#define ENUM(name) FORM_##name,
enum form { NEWS(ENUM) NEW_FORMS, FIRST_DELETE = NEW_FORMS - 1, DELETES(ENUM) FORMS };
#undef ENUM

static void *behind[FORMS];

static const char *const names[FORMS] = {
#define NAME(name) #name,
    NEWS(NAME) DELETES(NAME)
#undef NAME
};

static __attribute__((noinline, cold)) void *slow_new(new_fn *real, size_t n, uintptr_t a,
                                                      uintptr_t b, const void *caller)
{
    const struct here_caller from = here_from(caller);
    void *p = real(n, a, b);
    if (!heap_enter(n))
        return p;
    heap_sampled(p, n, &from);
    heap_leave();
    return p;
}

static inline __attribute__((always_inline)) void *do_new(enum form form, size_t n, uintptr_t a,
                                                          uintptr_t b)
{
    new_fn *real = (__extension__(new_fn *) behind[form]);
    if (!HEAP_LIKELY(n < heap_self.left))
        return slow_new(real, n, a, b, CALLER);
    heap_self.left -= n + 1;
    return real(n, a, b);
}

static inline __attribute__((always_inline)) void do_delete(enum form form, void *p, uintptr_t a,
                                                            uintptr_t b)
{
    struct heap_object was;
    if (!((uintptr_t)p & atomic_load_explicit(&heap.mask, memory_order_relaxed)))
        heap_forget(p, &was);
    (__extension__(delete_fn *) behind[form])(p, a, b);
}

#define NEW(name)                                                                                  \
    static void *our##name(size_t n, uintptr_t a, uintptr_t b)                                     \
    {                                                                                              \
        return do_new(FORM_##name, n, a, b);                                                       \
    }
#define DELETE(name)                                                                               \
    static void our##name(void *p, uintptr_t a, uintptr_t b)                                       \
    {                                                                                              \
        do_delete(FORM_##name, p, a, b);                                                           \
    }
NEWS(NEW)
DELETES(DELETE)
#undef NEW
#undef DELETE

/* Some end in a function of C, and come to us from there: whether bytes were counted down says so.
 */
static bool counts_by_itself(enum form form)
{
    enum { BYTES = 16, ENOUGH = 1000, ALIGNMENT = 64 };
    static const char nothrow;
    uintptr_t tag = (uintptr_t)&nothrow, first = tag;
    if (form == FORM_mallocx)
        first = 0;
    else if (strstr(names[form], "align_val_t"))
        first = ALIGNMENT;
    uint64_t left = heap_self.left;
    heap_self.left = ENOUGH;
    void *p = (__extension__(new_fn *) behind[form])(BYTES, first, tag);
    bool counted = heap_self.left != ENOUGH;
    heap_self.left = left;
    heap.real.free(p);
    return counted;
}

/* Whether a function that the program's calls lead to is in the allocator's module. */
static bool is_allocators(void *f)
{
    Dl_info its, allocators;
    return f && dladdr(f, &its) && dladdr((void *)heap.real.malloc, &allocators) &&
           its.dli_fbase == allocators.dli_fbase;
}

bool heap_hook_new(void)
{
#define OURS(name) (void *)our##name,
    void *ours[FORMS] = {NEWS(OURS) DELETES(OURS)};
#undef OURS
    struct bypass rows[FORMS];
    size_t count = 0;
    if (heap.is_glibc || heap.is_debugged)
        return false;
    for (size_t i = 0; i < FORMS; i++) {
        behind[i] = dlsym(RTLD_DEFAULT, names[i]);
        if (is_allocators(behind[i]) && !(i < NEW_FORMS && counts_by_itself(i)))
            rows[count++] = (struct bypass){names[i], behind[i], ours[i]};
    }
    if (!count || !bypass_callers(rows, count))
        return false;
    bypass_open(rows, count);
    return true;
}

#else

bool heap_hook_new(void)
{
    return false;
}

#endif
