/* SPDX-License-Identifier: MIT
 *
 * The table of formats, and what happens around each: which is tried when, what a profile needs
 * when its samples are there. */
#include "profile/import/import_internal.h"

#include "profile/profile_internal.h"

#include <errno.h>

struct format {
    const char *name;
    int (*read)(struct import *im);
    bool is_legacy; /* pprof's */
    bool drops;     /* frames of the profiler itself, by pprof's lists */
};

/* pprof's in its order (parseLegacy), then ours, the loosest last. A row may only say that it does
 * not know the bytes before it has told of an error. */
static const struct format formats[] = {
    {"legacy_cpu", import_legacy_cpu, true, true},
    {"legacy_heap", import_legacy_heap, true, true},
    {"legacy_count", import_legacy_count, true, true},
    {"legacy_thread", import_legacy_thread, true, true},
    {"legacy_contention", import_legacy_contention, true, true},
    {"legacy_java", import_legacy_java, true, true},
    {"jemalloc", import_jemalloc, false, true},
    {"heaptrack", import_heaptrack, false, true},
    {"firefox", import_firefox, false, false},
    {"speedscope", import_speedscope, false, false},
    {"chrome_trace", import_chrome_trace, false, false},
    {"cpuprofile", import_cpuprofile, false, false},
    {"callgrind", import_callgrind, false, false},
    {"perf_script", import_perf_script, false, false},
    {"folded", import_folded, false, false},
};

/* ---- frames that legacy profiles drop: legacy_profile.go, addLegacyFrameInfo ---- */

static const char heap_drop[] =
    "calloc|cfree|malloc|free|memalign|do_memalign|(__)?posix_memalign|pvalloc|valloc|realloc|"
    "tcmalloc::.*|tc_calloc|tc_cfree|tc_malloc|tc_free|tc_memalign|tc_posix_memalign|tc_pvalloc|"
    "tc_valloc|tc_realloc|tc_new|tc_delete|tc_newarray|tc_deletearray|tc_new_nothrow|"
    "tc_newarray_nothrow|malloc_zone_malloc|malloc_zone_calloc|malloc_zone_valloc|"
    "malloc_zone_realloc|malloc_zone_memalign|malloc_zone_free|runtime\\..*|BaseArena::.*|"
    "(::)?do_malloc_no_errno|(::)?do_malloc_pages|(::)?do_malloc|DoSampledAllocation|"
    "MallocedMemBlock::MallocedMemBlock|_M_allocate|__builtin_(vec_)?delete|"
    "__builtin_(vec_)?new|__gnu_cxx::new_allocator::allocate|__libc_malloc|"
    "__malloc_alloc_template::allocate|allocate|cpp_alloc|operator new(\\[\\])?|"
    "simple_alloc::allocate";
static const char heap_keep[] = "runtime\\.panic|runtime\\.reflectcall|runtime\\.call[0-9]*";
static const char lock_drop[] =
    "RecordLockProfileData|(base::)?RecordLockProfileData.*|(base::)?SubmitMutexProfileData.*|"
    "(base::)?SubmitSpinLockProfileData.*|(base::Mutex::)?AwaitCommon.*|(base::Mutex::)?Unlock.*|"
    "(base::Mutex::)?UnlockSlow.*|(base::Mutex::)?ReaderUnlock.*|(base::MutexLock::)?~MutexLock.*|"
    "(Mutex::)?AwaitCommon.*|(Mutex::)?Unlock.*|(Mutex::)?UnlockSlow.*|(Mutex::)?ReaderUnlock.*|"
    "(MutexLock::)?~MutexLock.*|(SpinLock::)?Unlock.*|(SpinLock::)?SlowUnlock.*|"
    "(SpinLockHolder::)?~SpinLockHolder.*";
static const char cpu_drop[] =
    "ProfileData::Add|ProfileData::prof_handler|CpuProfiler::prof_handler|__pthread_sighandler|"
    "__restore";

static const struct {
    const char *types[IMPORT_VALUES_MAX];
    const char *drop, *keep;
} frame_lists[] = {
    {{"allocations", "size"}, heap_drop, heap_keep},
    {{"objects", "space"}, heap_drop, heap_keep},
    {{"inuse_objects", "inuse_space"}, heap_drop, heap_keep},
    {{"alloc_objects", "alloc_space"}, heap_drop, heap_keep},
    {{"alloc_objects", "alloc_space", "inuse_objects", "inuse_space"}, heap_drop, heap_keep},
    {{"contentions", "delay"}, lock_drop, ""},
    {{NULL}, cpu_drop, ""},
};

static bool has_types(const struct profile *p, const char *const *types)
{
    uint32_t i = 0;
    for (; i < p->sample_type_count && i < IMPORT_VALUES_MAX && types[i]; i++) {
        struct profile_str type = p->strings[p->sample_types[i].type];
        if (!text_is((struct text){type.ptr, type.len}, types[i]))
            return false;
    }
    return i == p->sample_type_count && (i == IMPORT_VALUES_MAX || !types[i]);
}

static void add_frame_lists(struct profile *p)
{
    size_t i = 0;
    while (frame_lists[i].types[0] && !has_types(p, frame_lists[i].types))
        i++;
    p->drop_frames = profile_intern_cstr(p, frame_lists[i].drop);
    p->keep_frames = profile_intern_cstr(p, frame_lists[i].keep);
}

/* ---- JSON ---- */

int import_json(struct import *im, const char *mark, const struct jsondoc **root)
{
    struct import_shared *shared = im->shared;
    size_t at = 0;
    while (at < im->input.n && strchr(" \t\r\n", im->input.s[at]) && im->input.s[at])
        at++;
    if (at == im->input.n || (im->input.s[at] != '{' && im->input.s[at] != '[') ||
        !text_contains(im->input, mark))
        return IMPORT_UNKNOWN;
    if (!shared->json && !shared->json_error.code)
        shared->json = jsondoc_parse(&shared->arena, im->input.s, im->input.n, &shared->json_error);
    *root = shared->json;
    return *root ? 0 : err_set(im->e, -EPROTO, "%s", shared->json_error.msg);
}

/* ---- from the samples to the profile's arrays ---- */

static int finish(struct import *im)
{
    struct profile *p = im->p;
    uint32_t types = p->sample_type_count;
    if (im->has_too_many)
        return import_fail(im, "the stacks of the profile have more than %u frames together",
                           LIMIT_PROFILE_FRAMES);
    if (!p->strings)
        profile_intern(p, "", 0);
    p->locations = arena_array(&p->arena, im->location_count, sizeof *p->locations);
    p->location_count = im->location_count;
    if (im->location_count)
        memcpy(p->locations, im->locations, im->location_count * sizeof *p->locations);
    p->sample_loc_end = arena_array(&p->arena, im->sample_count, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_array(&p->arena, im->sample_count, sizeof *p->sample_label_end);
    p->values = arena_array(&p->arena, (size_t)im->sample_count * types, sizeof *p->values);
    p->loc_refs = arena_array(&p->arena, im->ref_count, sizeof *p->loc_refs);
    p->labels = arena_array(&p->arena, im->label_count, sizeof *p->labels);
    for (uint32_t i = 0; i < im->sample_count; i++) {
        const struct import_sample *s = &im->samples[i];
        for (uint32_t k = 0; k < s->ref_count; k++)
            p->loc_refs[p->loc_ref_count++] = im->refs[s->ref_first + k];
        p->sample_loc_end[i] = p->loc_ref_count;
        struct profile_label *labels = p->labels + p->label_count;
        for (uint32_t k = 0; k < s->label_count; k++)
            p->labels[p->label_count++] = im->labels[s->label_first + k];
        if (profile_sort_labels(p, labels, s->label_count, &im->scratch))
            return -ENOMEM;
        p->sample_label_end[i] = p->label_count;
        memcpy(p->values + (size_t)i * types, s->values, types * sizeof *p->values);
    }
    p->sample_count = im->sample_count;
    return profile_check(p, im->e);
}

static void begin(struct import *im, struct profile *p, struct text input, struct err *e)
{
    *im = (struct import){.p = p, .input = input, .e = e};
    map_init(&im->by_address, &im->scratch, 0);
    map_init(&im->by_function, &im->scratch, 0);
    map_init(&im->by_line, &im->scratch, 0);
}

/* A line that pprof's scanner cannot hold stops its formats, but not ours. */
static bool goes_on(int rc)
{
    return rc == IMPORT_UNKNOWN || rc == IMPORT_LINE_TOO_LONG;
}

/* `only` is the name of the one format that is tried, or NULL. */
static int read_any(struct profile *p, struct text input, const char *only, struct err *e)
{
    struct import_shared shared = {0};
    int rc = IMPORT_UNKNOWN, legacy = IMPORT_UNKNOWN;
    for (size_t i = 0; i < sizeof formats / sizeof *formats && goes_on(rc); i++) {
        if (formats[i].is_legacy && legacy == IMPORT_LINE_TOO_LONG)
            continue;
        if (only && strcmp(only, formats[i].name) != 0)
            continue;
        struct import im;
        begin(&im, p, input, e);
        im.shared = &shared;
        rc = formats[i].read(&im);
        if (rc == 0 && formats[i].drops)
            add_frame_lists(p);
        if (rc == 0)
            rc = finish(&im);
        import_end(&im);
        if (rc != 0)
            profile_free(p);
        p->is_foreign = !formats[i].is_legacy && !goes_on(rc);
        if (formats[i].is_legacy)
            legacy = rc;
    }
    arena_free(&shared.arena);
    if (rc == IMPORT_LINE_TOO_LONG || (rc == IMPORT_UNKNOWN && legacy == IMPORT_LINE_TOO_LONG))
        return err_set(e, -EPROTO, "bufio.Scanner: token too long");
    return rc;
}

const char *import_format_name(size_t i)
{
    return i < sizeof formats / sizeof *formats ? formats[i].name : NULL;
}

int import_profile(struct profile *p, const char *bytes, size_t size, struct err *e)
{
    return import_profile_as(p, NULL, bytes, size, e);
}

int import_profile_as(struct profile *p, const char *format, const char *bytes, size_t size,
                      struct err *e)
{
    struct import outer;
    begin(&outer, p, (struct text){bytes, size}, e);
    int rc = import_unpack(&outer);
    if (rc == 0)
        rc = read_any(p, outer.input, format, e);
    import_end(&outer);
    return rc;
}
