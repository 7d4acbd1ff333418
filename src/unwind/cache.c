/* SPDX-License-Identifier: MIT
 *
 * The cache's life outside of walks: set-up, flush, the table of modules, and the configuration.
 * All but unwind_config_default() runs in handlers. */
#include "unwind/cache.h"

/* Weak: glibc has it since 2.35. Taking its address makes the loader resolve it at load time, so
 * that a handler never enters lazy binding. */
extern int find_object(void *pc, void *result) __asm__("_dl_find_object") __attribute__((weak));

size_t unwind_cache_size(void)
{
    return sizeof(struct unwind_cache);
}

/* Another library may stand before glibc's, and know nothing. */
static int finds_us(void)
{
    uint64_t result[16]; /* struct dl_find_object has 12 words */
    return find_object && find_object((void *)(uintptr_t)finds_us, result) == 0;
}

int unwind_needs_modules(const struct unwind_cache *cache)
{
    return !cache->source.find_object;
}

struct unwind_cache *unwind_cache_init(void *zeroed, const struct unwind_config *config)
{
    struct unwind_cache *cache = zeroed;
    if (config) {
        cache->config.ctx = config->ctx;
        cache->config.module_seen = config->module_seen;
        cache->config.find_bounds = config->find_bounds;
        cache->config.is_code = config->is_code;
        cache->config.find_frame = config->find_frame;
        cache->config.entry = config->entry;
        cache->config.interp_entry = config->interp_entry;
        cache->config.no_find_object = config->no_find_object;
        cache->source.program_start = config->program_start;
        cache->source.program_end = config->program_end;
    }
    cache->source.find_object = cache->config.no_find_object || !finds_us() ? NULL : find_object;
    atomic_store_explicit(&cache->generation, 1, memory_order_release);
    return cache;
}

void unwind_cache_flush(struct unwind_cache *cache)
{
    atomic_fetch_add_explicit(&cache->generation, 1, memory_order_acq_rel);
}

void unwind_set_modules(struct unwind_cache *cache, const struct unwind_modules *modules)
{
    __atomic_store_n(&cache->source.table, modules, __ATOMIC_RELEASE);
}

const char *unwind_reason_text(enum unwind_reason reason)
{
    static const char *const texts[UNWIND_REASON_COUNT] = {
        [UNWIND_NONE] = "reached the root",
        [UNWIND_NO_MODULE] = "code outside of all modules, no frame pointer",
        [UNWIND_NO_FDE] = "no call frame information, no frame pointer",
        [UNWIND_BAD_CFI] = "malformed call frame information",
        [UNWIND_BAD_CFA] = "frame below its callee",
        [UNWIND_BOUNDS] = "outside of the known stack",
        [UNWIND_ZERO_PC] = "no return address",
        [UNWIND_STEPS] = "too many frames",
        [UNWIND_STACK] = "continues on another stack",
    };
    return (unsigned)reason < UNWIND_REASON_COUNT ? texts[reason] : "unknown";
}
