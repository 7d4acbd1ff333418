/* SPDX-License-Identifier: MIT
 *
 * The profile that a process writes itself: from the table of stacks to a gzip'ed profile.proto, at
 * strobe_cpu_stop, at exit, or in the handler of a fatal signal. Its memory is mapped, not
 * malloc'ed, its output goes out by raw writes, and the file was opened at the start, on a high
 * descriptor, so that neither chdir nor a lost permission can spoil the end. */
#include "runtime/file.h"

#include "base/deflate.h"
#include "base/elfsym.h"
#include "base/sigsafe.h"
#include "profile/build.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the profile goes. */
static struct {
    strobe_write_fn write; /* NULL: to the file */
    void *ctx;
    int fd;
    bool per_process; /* the pattern has %p: children write files of their own */
    char pattern[RUNTIME_PATH];
    char dir[RUNTIME_PATH]; /* that a relative pattern is relative to: where the profile started */
    char path[RUNTIME_PATH * 2]; /* absolute */
    dev_t dev;                   /* of the file, to know it by */
    ino_t ino;
} target = {.fd = -1};

/* ---- the file ---- */

static int open_target(void)
{
    int fd = open(target.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int high = runtime_move_high(fd);
    if (high >= 0)
        fd = high;
    struct stat st;
    if (fstat(fd, &st) != 0) {
        int r = -errno;
        close(fd);
        return r;
    }
    target.dev = st.st_dev;
    target.ino = st.st_ino;
    target.fd = fd;
    return 0;
}

/* The program may have closed all descriptors, and have got the number for a file of its own. */
static bool is_still_open(void)
{
    struct stat st;
    return target.fd >= 0 && fstat(target.fd, &st) == 0 && st.st_dev == target.dev &&
           st.st_ino == target.ino;
}

static void close_target(void)
{
    if (is_still_open())
        close(target.fd);
    target.fd = -1;
}

static int open_pattern(void)
{
    char name[RUNTIME_PATH];
    if (options_expand(name, sizeof name, target.pattern) < 0)
        return -ENAMETOOLONG;
    char *at = target.path;
    if (name[0] != '/')
        at = stpcpy(stpcpy(at, target.dir), "/");
    strcpy(at, name);
    return open_target();
}

int file_open(const char *pattern)
{
    if (strlen(pattern) >= sizeof target.pattern)
        return -ENAMETOOLONG;
    if (pattern[0] != '/' && !getcwd(target.dir, sizeof target.dir))
        return errno == ERANGE ? -ENAMETOOLONG : -errno;
    strcpy(target.pattern, pattern);
    target.per_process = strstr(pattern, "%p") != NULL;
    target.write = NULL;
    return open_pattern();
}

void file_abandon(void)
{
    close_target();
    target.write = NULL;
}

void file_open_writer(strobe_write_fn write, void *ctx)
{
    target.write = write;
    target.ctx = ctx;
    target.per_process = false;
}

bool file_begin_child(void)
{
    if (!target.per_process)
        return false;
    close_target();
    stacktab_clear(rt.table);
    return open_pattern() == 0;
}

static int write_to_file(void *ctx, const void *bytes, size_t size)
{
    (void)ctx;
    const char *p = bytes;
    while (size) {
        long n = sigsafe_syscall3(SYS_write, target.fd, p, size);
        if (n == -EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

/* ---- the profile ---- */

/* The module that `pc` was in at `epoch`: of those that cover it the youngest not after it. */
static uint32_t find_module(uint64_t pc, uint32_t epoch)
{
    uint32_t n = atomic_load(&rt.module_count), best = RUNTIME_MODULES;
    for (uint32_t i = 0; i < n && i < RUNTIME_MODULES; i++) {
        const struct module *m = &rt.modules[i];
        if (atomic_load_explicit(&m->ready, memory_order_acquire) && pc >= m->start &&
            pc < m->limit && m->epoch <= epoch)
            best = i;
    }
    return best;
}

static uint32_t location_of(struct profile_build *b, uint64_t pc, uint32_t epoch)
{
    static const char *const pseudo[SHM_PSEUDO_COUNT] = SHM_PSEUDO_NAMES;
    if (pc > 0 && pc < SHM_PSEUDO_COUNT)
        return profile_build_pseudo(b, pseudo[pc]);
    uint32_t i = find_module(pc, epoch), mapping = PROFILE_NONE;
    if (i < RUNTIME_MODULES) {
        const struct module *m = &rt.modules[i];
        struct profile_build_mapping to = {.start = m->start,
                                           .limit = m->limit,
                                           .offset = m->offset,
                                           .file = m->path,
                                           .file_len = m->path_len,
                                           .build_id = m->build_id,
                                           .build_id_len = m->build_id_len};
        mapping = profile_build_mapping(b, &to);
        if (mapping != PROFILE_NONE) /* loaded elsewhere before: one mapping, its addresses */
            pc = pc - m->start + b->p->mappings[mapping].start;
    }
    return profile_build_location(b, mapping, pc);
}

static void add_stacks(struct profile_build *b)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++) {
        struct stacktab_entry *e = &rt.table->entries[i];
        if (!atomic_load_explicit(&e->ready, memory_order_acquire))
            continue;
        uint64_t weight = atomic_load(&e->weight);
        const uint64_t *pcs = rt.table->words + e->first;
        for (uint32_t k = 0; k < e->key.depth; k++)
            locations[k] = location_of(b, pcs[k], e->key.epoch);
        struct profile_build_sample s = {
            .locations = locations,
            .location_count = e->key.depth,
            .values = {(int64_t)weight, (int64_t)(weight * rt.period_ns)},
        };
        profile_build_add(b, &s);
    }
}

/* Mapping by mapping, so that one symbol table is open at a time. */
static void name_functions(struct profile_build *b)
{
    struct profile *p = b->p;
    for (uint32_t m = 0; m < p->mapping_count; m++) {
        struct arena arena;
        struct elfsym symbols;
        struct profile_mapping *map = &p->mappings[m];
        struct profile_str file = p->strings[map->file];
        arena_init_nullable(&arena);
        char *path = arena_strndup(&arena, file.ptr, file.len);
        const struct module *from = NULL;
        for (uint32_t i = 0; i < atomic_load(&rt.module_count) && i < RUNTIME_MODULES; i++)
            if (rt.modules[i].start == map->start && rt.modules[i].offset == map->offset)
                from = &rt.modules[i];
        if (path && from &&
            elfsym_open(&symbols, &arena, path, from->build_id, from->build_id_len) == 0) {
            for (uint32_t i = 0; i < p->location_count; i++) {
                struct profile_location *l = &p->locations[i];
                const struct elfsym_function *f =
                    l->mapping == m ? elfsym_find(&symbols, l->address - map->start + map->offset)
                                    : NULL;
                if (f) {
                    profile_build_name(b, i, f->name, strlen(f->name));
                    map->has_functions = true;
                }
            }
            elfsym_close(&symbols);
        }
        arena_free(&arena);
    }
}

static void add_comments(struct profile_build *b)
{
    uint64_t lost = stacktab_lost(rt.table);
    profile_build_comment(b, "strobe " STROBE_VERSION ": %llu Hz by %s%s",
                          (unsigned long long)(1000000000 / rt.period_ns),
                          taskclock_backend_name(rt.clock.backend),
                          rt.clock.exclude_kernel ? ", kernel time not interrupted" : "");
    profile_build_comment(b, "%llu samples, %llu lost, %llu truncated, %llu cut at %d frames",
                          (unsigned long long)atomic_load(&rt.sampled_points),
                          (unsigned long long)lost,
                          (unsigned long long)atomic_load(&rt.truncated_points),
                          (unsigned long long)atomic_load(&rt.depth_points), LIMIT_STACK_DEPTH);
    if (atomic_load(&rt.stride) > 1)
        profile_build_comment(b, "rate lowered to %llu Hz: sampling cost more than is allowed",
                              (unsigned long long)(1000000000 / rt.period_ns / rt.stride));
    if (atomic_load(&rt.denied))
        profile_build_comment(b, "the program entered a seccomp sandbox: %s",
                              rt.denied & (NEED_RETURN | NEED_FILE | NEED_CLOCK)
                                  ? "sampling ended there"
                                  : "threads made since then may be missing");
    profile_build_comment(
        b, "# CPU time by the system: %.3f s",
        (double)(sigsafe_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - rt.process_origin_ns) / 1e9);
    if (atomic_load(&rt.cost_ns))
        profile_build_comment(b, "# cost of sampling: %.3f s", (double)rt.cost_ns / 1e9);
    if (atomic_load(&rt.threads_lost))
        profile_build_comment(b, "%llu threads could not be sampled",
                              (unsigned long long)atomic_load(&rt.threads_lost));
}

static int write_profile(strobe_write_fn write, void *ctx)
{
    struct profile p;
    struct profile_build b;
    struct arena arena;
    struct buf plain;
    profile_init(&p);
    p.arena.null_on_oom = 1;
    arena_init_nullable(&arena);
    profile_build_cpu(&b, &p, (int64_t)rt.period_ns);
    p.time_nanos = rt.start_time_ns;
    p.duration_nanos = (int64_t)(sigsafe_clock_ns(CLOCK_MONOTONIC) - rt.start_mono_ns);
    add_stacks(&b);
    name_functions(&b);
    add_comments(&b);
    buf_init(&plain, &arena);
    int r = profile_build_finish(&b);
    if (r == 0)
        r = profile_encode(&p, &plain);
    struct deflate *packer = arena_alloc(&arena, sizeof *packer);
    if (r == 0)
        r = !packer ? -ENOMEM
            : deflate_gzip(packer, plain.data, plain.len, write, ctx) != 0
                ? -EIO /* the writer gave up */
                : 0;
    profile_free(&p);
    arena_free(&arena);
    return r;
}

void file_save(void)
{
    if (target.write || target.fd < 0 || (!is_still_open() && open_target() != 0))
        return;
    write_profile(write_to_file, NULL);
    /* Should execve fail, the next writing starts anew. */
    sigsafe_syscall2(SYS_ftruncate, target.fd, sigsafe_syscall3(SYS_lseek, target.fd, 0, SEEK_CUR));
    sigsafe_syscall3(SYS_lseek, target.fd, 0, SEEK_SET);
}

int file_end(bool in_signal)
{
    int r = 0;
    if (target.write)
        r = in_signal ? 0 : write_profile(target.write, target.ctx);
    else if (target.fd >= 0)
        r = is_still_open() || open_target() == 0 ? write_profile(write_to_file, NULL) : -EIO;
    file_abandon();
    return r;
}
