/* SPDX-License-Identifier: MIT
 *
 * libstrobe's state and its memory. Everything is mapped once, before the first sample, and touched
 * only as far as it is used: a program with ten threads and twenty modules pays for those. The one
 * thread-local word is for code outside of handlers; handlers find their thread by the signal. */
#include "runtime/modtable.h"
#include "runtime/runtime.h"

#include "base/sigsafe.h"

#include <errno.h>
#include <link.h>
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

/* Without /proc: what the loader says, which may not be asked in handlers. */
static int add_loaded(struct dl_phdr_info *info, size_t size, void *to)
{
    struct unwind_module m = {.start = UINTPTR_MAX};
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        uintptr_t lo = info->dlpi_addr + ph->p_vaddr;
        if (ph->p_type == PT_GNU_EH_FRAME)
            m.eh_frame_hdr = (const void *)lo;
        if (ph->p_type != PT_LOAD)
            continue;
        m.start = lo < m.start ? lo & ~(uintptr_t)4095 : m.start;
        m.end = lo + ph->p_memsz > m.end ? lo + ph->p_memsz : m.end;
    }
    const char *name = info->dlpi_name && *info->dlpi_name ? info->dlpi_name : rt.exe;
    modtable_add(to, &m, name);
    return 0;
}

static void ask_loader(struct modtable *to)
{
    dl_iterate_phdr(add_loaded, to);
}

void runtime_find_modules(void)
{
    if (!unwind_needs_modules(rt.cache))
        return;
    runtime_wait_for_handlers();
    modtable_fill(ask_loader);
}

static void begin_module_table(void)
{
    void *memory = map_zeroed(MODTABLE_COUNT * sizeof(struct modtable));
    if (!memory || !modtable_init(memory))
        return;
    runtime_find_modules();
    if (!rt.started_by_call)
        modtable_keep();
}

int runtime_map(void)
{
    bool cpu = rt.kinds & SHM_KIND_CPU; /* address space may be short: what is not needed waits */
    if (!rt.threads && cpu)
        rt.threads = map_zeroed(sizeof(struct thread) * RUNTIME_THREADS);
    if (!rt.last && cpu)
        rt.last = map_zeroed(sizeof(struct last_stack) * RUNTIME_THREADS);
    if (!rt.modules)
        rt.modules = map_zeroed(sizeof(struct module) * RUNTIME_MODULES);
    if (!rt.table && !rt.shm && cpu)
        rt.table = map_zeroed(sizeof(struct stacktab));
    if (!rt.cache) {
        void *memory = map_zeroed(unwind_cache_size());
        struct unwind_config config;
        unwind_config_default(&config);
        config.module_seen = runtime_note_module;
        config.find_bounds = runtime_find_bounds;
        rt.cache = memory ? unwind_cache_init(memory, &config) : NULL;
        if (rt.cache && unwind_needs_modules(rt.cache))
            begin_module_table();
    }
    if (!rt.modules || !rt.cache)
        return -ENOMEM;
    return !cpu || (rt.threads && rt.last && (rt.table || rt.shm)) ? 0 : -ENOMEM;
}
