// SPDX-License-Identifier: MIT
//
// heap_every N: allocates N objects of each size by each function that there is, from a function of
// ours that is named after it, frees them, and prints what a heap profile must say: function,
// objects and bytes allocated, objects and bytes in use. With `leak` as second argument nothing is
// freed; with `plugin FILE` the file is loaded and unloaded N times meanwhile.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <malloc.h>
#include <new>

namespace {

enum : size_t { BYTES = 96, ALIGNMENT = 64 };

struct alignas(ALIGNMENT) wide {
    char bytes[BYTES / ALIGNMENT * ALIGNMENT + ALIGNMENT];
};
static_assert(sizeof(wide) == 128, "its size is printed");

bool leaks;
volatile unsigned sum;

} // namespace

#define KNOWN extern "C" __attribute__((noipa, used)) void

// NAME(how it is allocated)(how it is freed)
#define WAY(name, type, take, give)                                                                \
    KNOWN by_##name(void)                                                                          \
    {                                                                                              \
        type *p = static_cast<type *>(take);                                                       \
        *reinterpret_cast<volatile char *>(p) = 1;                                                 \
        sum = sum + 1;                                                                             \
        if (!leaks)                                                                                \
            give;                                                                                  \
        asm volatile("" ::: "memory");                                                             \
    }

static void *take_posix(void)
{
    void *p = nullptr;
    return posix_memalign(&p, 256, BYTES) == 0 ? p : nullptr;
}

static const char *text()
{
    static char s[BYTES];
    if (!s[0])
        memset(s, 'x', BYTES - 1);
    return s;
}

typedef char raw;
static const std::align_val_t al{ALIGNMENT};

WAY(malloc, raw, malloc(BYTES), free(p))
WAY(calloc, raw, calloc(8, BYTES / 8), free(p))
WAY(realloc, raw, realloc(nullptr, BYTES), free(p))
WAY(reallocarray, raw, reallocarray(nullptr, 8, BYTES / 8), free(p))
WAY(posix_memalign, raw, take_posix(), free(p))
WAY(aligned_alloc, raw, aligned_alloc(32, BYTES), free(p))
WAY(memalign, raw, memalign(128, BYTES), free(p))
WAY(valloc, raw, valloc(BYTES), free(p))
WAY(pvalloc, raw, pvalloc(BYTES), free(p))
WAY(strdup, raw, strdup(text()), free(p))
WAY(strndup, raw, strndup(text(), BYTES - 1), free(p))
WAY(new, raw, ::operator new(BYTES), ::operator delete(p))
WAY(new_sized, raw, ::operator new(BYTES), ::operator delete(p, size_t(BYTES)))
WAY(new_nothrow, raw, ::operator new(BYTES, std::nothrow),
    ::operator delete(p, std::nothrow))
WAY(new_aligned, raw, ::operator new(BYTES, al), ::operator delete(p, al))
WAY(new_aligned_sized, raw, ::operator new(BYTES, al), ::operator delete(p, size_t(BYTES), al))
WAY(new_aligned_nothrow, raw, ::operator new(BYTES, al, std::nothrow),
    ::operator delete(p, al, std::nothrow))
WAY(new_array, raw, ::operator new[](BYTES), ::operator delete[](p))
WAY(new_array_sized, raw, ::operator new[](BYTES), ::operator delete[](p, size_t(BYTES)))
WAY(new_array_nothrow, raw, ::operator new[](BYTES, std::nothrow),
    ::operator delete[](p, std::nothrow))
WAY(new_array_aligned, raw, ::operator new[](BYTES, al), ::operator delete[](p, al))
WAY(new_wide, wide, new wide, delete p)

static const struct {
    const char *name;
    void (*run)(void);
    size_t bytes;
} ways[] = {
    {"by_malloc", by_malloc, BYTES},
    {"by_calloc", by_calloc, BYTES},
    {"by_realloc", by_realloc, BYTES},
    {"by_reallocarray", by_reallocarray, BYTES},
    {"by_posix_memalign", by_posix_memalign, BYTES},
    {"by_aligned_alloc", by_aligned_alloc, BYTES},
    {"by_memalign", by_memalign, BYTES},
    {"by_valloc", by_valloc, BYTES},
    {"by_pvalloc", by_pvalloc, 4096},
    {"by_strdup", by_strdup, BYTES},
    {"by_strndup", by_strndup, BYTES},
    {"by_new", by_new, BYTES},
    {"by_new_sized", by_new_sized, BYTES},
    {"by_new_nothrow", by_new_nothrow, BYTES},
    {"by_new_aligned", by_new_aligned, BYTES / ALIGNMENT * ALIGNMENT + ALIGNMENT},
    {"by_new_aligned_sized", by_new_aligned_sized, BYTES / ALIGNMENT * ALIGNMENT + ALIGNMENT},
    {"by_new_aligned_nothrow", by_new_aligned_nothrow, BYTES / ALIGNMENT * ALIGNMENT + ALIGNMENT},
    {"by_new_array", by_new_array, BYTES},
    {"by_new_array_sized", by_new_array_sized, BYTES},
    {"by_new_array_nothrow", by_new_array_nothrow, BYTES},
    {"by_new_array_aligned", by_new_array_aligned, BYTES / ALIGNMENT * ALIGNMENT + ALIGNMENT},
    {"by_new_wide", by_new_wide, sizeof(wide)},
};

static int load_often(long n, const char *file)
{
    for (long i = 0; i < n; i++) {
        void *h = dlopen(file, RTLD_NOW);
        if (!h)
            return puts(dlerror()), 1;
        by_malloc();
        by_new();
        if (dlclose(h) != 0)
            return puts("dlclose failed"), 1;
    }
    puts("ok");
    return 0;
}

int main(int argc, char **argv)
{
    long n = argc > 1 ? atol(argv[1]) : 0;
    if (argc > 3 && !strcmp(argv[2], "plugin"))
        return load_often(n, argv[3]);
    leaks = argc > 2;
    for (long i = 0; i < n; i++)
        for (const auto &way : ways)
            way.run();
    for (const auto &way : ways)
        printf("%s %ld %ld %ld %ld\n", way.name, n, n * (long)way.bytes, leaks ? n : 0,
               leaks ? n * (long)way.bytes : 0);
    return 0;
}
