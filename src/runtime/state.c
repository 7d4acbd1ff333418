/* SPDX-License-Identifier: MIT
 *
 * libstrobe's state and its memory. Everything is mapped once, before the first sample, and touched
 * only as far as it is used: a program with ten threads and twenty modules pays for those. The one
 * thread-local word is for code outside of handlers; handlers find their thread by the signal. */
#include "runtime/runtime.h"

#include "base/sigsafe.h"

#include <errno.h>
#include <sys/mman.h>

struct runtime rt;

static __thread struct thread *self __attribute__((tls_model("initial-exec")));

struct thread *runtime_self(void)
{
    return self;
}

void runtime_set_self(struct thread *t)
{
    self = t;
}

uint32_t runtime_pid(void)
{
    if (atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_IDS)
        return rt.pid;
    return (uint32_t)sigsafe_syscall0(SYS_getpid);
}

uint32_t runtime_tid(void)
{
    if (atomic_load_explicit(&rt.denied, memory_order_relaxed) & NEED_IDS)
        return self ? self->tid : rt.pid;
    return (uint32_t)sigsafe_syscall0(SYS_gettid);
}

bool runtime_is_sampling(void)
{
    return atomic_load(&rt.sink) != SINK_OFF && !atomic_load(&rt.ended);
}

static void *map_zeroed(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

int runtime_map(void)
{
    if (!rt.threads)
        rt.threads = map_zeroed(sizeof(struct thread) * RUNTIME_THREADS);
    if (!rt.last)
        rt.last = map_zeroed(sizeof(struct last_stack) * RUNTIME_THREADS);
    if (!rt.modules)
        rt.modules = map_zeroed(sizeof(struct module) * RUNTIME_MODULES);
    if (!rt.table && !rt.shm)
        rt.table = map_zeroed(sizeof(struct stacktab));
    if (!rt.cache) {
        void *memory = map_zeroed(unwind_cache_size());
        struct unwind_config config;
        unwind_config_default(&config);
        config.module_seen = runtime_note_module;
        config.find_bounds = runtime_find_bounds;
        rt.cache = memory ? unwind_cache_init(memory, &config) : NULL;
    }
    return rt.threads && rt.last && rt.modules && rt.cache && (rt.table || rt.shm) ? 0 : -ENOMEM;
}
