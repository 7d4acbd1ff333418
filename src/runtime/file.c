/* SPDX-License-Identifier: MIT
 *
 * The profile that a process writes itself: from the table of stacks to a gzip'ed profile.proto, at
 * strobe_cpu_stop, at exit, or in the handler of a fatal signal. Its memory is mapped, not
 * malloc'ed, its output goes out by raw writes, and the file was opened at the start, on a high
 * descriptor, so that neither chdir nor a lost permission can spoil the end. */
#include "runtime/file.h"

#include "base/sigsafe.h"
#include "runtime/encode.h"
#include "runtime/heap.h"
#include "runtime/say.h"
#include "runtime/tree.h"
#include "runtime/labels.h"
#include "runtime/thread_counts.h"
#include "runtime/waits.h"
#include "runtime/wall.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where a profile goes. */
struct target {
    strobe_write_fn write; /* NULL: to the file */
    void *ctx;
    int fd;           /* + 1; 0: there is none */
    bool per_process; /* the pattern has %p: children write files of their own */
    char pattern[RUNTIME_PATH];
    char dir[RUNTIME_PATH]; /* that a relative pattern is relative to: where the profile started */
    char path[RUNTIME_PATH * 2]; /* absolute */
    long error;                  /* of writing it, a negative errno */
    dev_t dev;                   /* of the file, to know it by */
    ino_t ino;
};

static struct target targets[FILE_KINDS];
static const char *const kind_names[FILE_KINDS] = {
    [FILE_CPU] = "cpu",         [FILE_HEAP] = "heap",
    [FILE_ALLOCS] = "allocs",   [FILE_BLOCK] = "block",
    [FILE_MUTEX] = "mutex",     [FILE_WALL] = "wall",
    [FILE_THREADS] = "threads", [FILE_THREADCREATE] = "threadcreate"};

/* What there was when it began, where sampling had begun before. */
static struct {
    uint64_t *weights; /* STACKTAB_ENTRIES; NULL: nothing */
    int64_t time_ns;
    uint64_t mono_ns, process_ns, samples;
    bool has_company;
} base;

static void drop_base(void)
{
    if (base.weights)
        munmap(base.weights, STACKTAB_ENTRIES * sizeof *base.weights);
    base.weights = NULL;
    base.has_company = false;
}

/* ---- the file ---- */

static int open_target(struct target *t)
{
    int fd = open(t->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
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
    t->dev = st.st_dev;
    t->ino = st.st_ino;
    t->fd = fd + 1;
    return 0;
}

/* The program may have closed all descriptors, and have got the number for a file of its own. */
static bool is_still_open(const struct target *t)
{
    struct stat st;
    return t->fd && fstat(t->fd - 1, &st) == 0 && st.st_dev == t->dev && st.st_ino == t->ino;
}

static void close_target(struct target *t)
{
    if (is_still_open(t))
        close(t->fd - 1);
    t->fd = 0;
}

static int open_pattern(enum file_kind kind)
{
    struct target *t = &targets[kind];
    char name[RUNTIME_PATH];
    if (options_expand(name, sizeof name, t->pattern, kind_names[kind]) < 0)
        return -ENAMETOOLONG;
    char *at = t->path;
    if (name[0] != '/')
        at = stpcpy(stpcpy(at, t->dir), "/");
    strcpy(at, name);
    return open_target(t);
}

int file_open(enum file_kind kind, const char *pattern)
{
    struct target *t = &targets[kind];
    if (strlen(pattern) >= sizeof t->pattern)
        return -ENAMETOOLONG;
    if (pattern[0] != '/' && !getcwd(t->dir, sizeof t->dir))
        return errno == ERANGE ? -ENAMETOOLONG : -errno;
    strcpy(t->pattern, pattern);
    t->per_process = strstr(pattern, "%p") != NULL;
    t->write = NULL;
    return open_pattern(kind);
}

void file_abandon(enum file_kind kind)
{
    close_target(&targets[kind]);
    targets[kind].write = NULL;
    if (kind == FILE_CPU)
        drop_base();
}

void file_open_writer(strobe_write_fn write, void *ctx)
{
    targets[FILE_CPU] = (struct target){.write = write, .ctx = ctx};
}

bool file_begin_child(enum file_kind kind)
{
    struct target *t = &targets[kind];
    if (!t->per_process || !t->fd)
        return false;
    close_target(t);
    return open_pattern(kind) == 0;
}

static int write_to_file(void *ctx, const void *bytes, size_t size)
{
    struct target *t = ctx;
    const char *p = bytes;
    while (size) {
        long n = sigsafe_syscall3(SYS_write, t->fd - 1, p, size);
        if (n == -EINTR)
            continue;
        if (n <= 0) {
            t->error = n ? n : -EIO;
            return -1;
        }
        p += n;
        size -= (size_t)n;
    }
    return 0;
}

/* ---- the profile of CPU time ---- */

int file_rebase_cpu(void)
{
    struct timespec now;
    size_t bytes = STACKTAB_ENTRIES * sizeof *base.weights;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return -ENOMEM;
    drop_base();
    base.weights = p;
    for (uint32_t i = 0; i < STACKTAB_ENTRIES; i++)
        base.weights[i] = atomic_load(&rt.table->entries[i].weight);
    clock_gettime(CLOCK_REALTIME, &now);
    base.time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
    base.mono_ns = sigsafe_clock_ns(CLOCK_MONOTONIC);
    base.process_ns = sigsafe_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    base.samples = atomic_load(&rt.sampled_points);
    return 0;
}

void file_note_company(void)
{
    base.has_company = true;
}

static void add_stacks(struct profile_build *b)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[LIMIT_LABELS + 1];
    bool in_tree = tree_is_asked();
    for (uint32_t i = 0; tree_wants(rt.pid) && i < STACKTAB_ENTRIES; i++) {
        struct stacktab_entry *e = &rt.table->entries[i];
        if (!atomic_load_explicit(&e->ready, memory_order_acquire))
            continue;
        uint64_t weight = atomic_load(&e->weight) - (base.weights ? base.weights[i] : 0);
        if (base.weights && !weight)
            continue;
        const uint64_t *pcs = rt.table->words + e->first;
        for (uint32_t k = 0; k < e->key.depth; k++)
            locations[k] = encode_location(b, pcs[k], e->key.epoch);
        struct profile_build_sample s = {
            .locations = locations,
            .location_count = e->key.depth,
            .values = {(int64_t)weight, (int64_t)(weight * rt.period_ns)},
            .labels = labels,
            .label_count = labels_fill(b->p, e->key.labels, labels),
        };
        if (in_tree)
            tree_label(b, rt.pid, &labels[s.label_count++]);
        profile_build_add(b, &s);
    }
}

static void add_comments(struct profile_build *b)
{
    uint64_t lost = stacktab_lost(rt.table);
    profile_build_comment(b, "strobe " STROBE_VERSION ": %llu Hz by %s%s",
                          (unsigned long long)(1000000000 / rt.period_ns),
                          taskclock_backend_name(rt.clock.backend),
                          rt.clock.exclude_kernel ? ", kernel time not interrupted" : "");
    profile_build_comment(
        b, "%llu samples, %llu lost, %llu truncated, %llu cut at %d frames",
        (unsigned long long)(atomic_load(&rt.sampled_points) - (base.weights ? base.samples : 0)),
        (unsigned long long)lost, (unsigned long long)atomic_load(&rt.truncated_points),
        (unsigned long long)atomic_load(&rt.depth_points), LIMIT_STACK_DEPTH);
    if (atomic_load(&rt.stride) > 1)
        profile_build_comment(b, "rate lowered to %llu Hz: sampling cost more than is allowed",
                              (unsigned long long)(1000000000 / rt.period_ns / rt.stride));
    if (atomic_load(&rt.denied) & ~(uint32_t)(NEED_LOOK | NEED_SAY))
        profile_build_comment(b, "the program entered a seccomp sandbox: %s",
                              rt.denied & (NEED_RETURN | NEED_FILE | NEED_CLOCK)
                                  ? "sampling ended there"
                                  : "threads made since then may be missing");
    profile_build_comment(b, "# CPU time by the system: %.3f s",
                          (double)(sigsafe_clock_ns(CLOCK_PROCESS_CPUTIME_ID) -
                                   (base.weights ? base.process_ns : rt.process_origin_ns)) /
                              1e9);
    if (atomic_load(&rt.cost_ns))
        profile_build_comment(b, "# cost of sampling: %.3f s", (double)rt.cost_ns / 1e9);
    if (base.has_company)
        profile_build_comment(b, "wall time was sampled at the same time: they observe each other, "
                                 "and each has the other's cost in it");
    if (labels_lost())
        profile_build_comment(b, "%llu times a label could not be kept: there are too many",
                              (unsigned long long)labels_lost());
    if (atomic_load(&rt.threads_lost))
        profile_build_comment(b, "%llu threads could not be sampled",
                              (unsigned long long)atomic_load(&rt.threads_lost));
}

static int write_cpu(strobe_write_fn write, void *ctx)
{
    struct profile p;
    struct profile_build b;
    profile_init(&p);
    p.arena.null_on_oom = 1;
    profile_build_cpu(&b, &p, (int64_t)rt.period_ns);
    p.time_nanos = base.weights ? base.time_ns : rt.start_time_ns;
    p.duration_nanos = (int64_t)(sigsafe_clock_ns(CLOCK_MONOTONIC) -
                                 (base.weights ? base.mono_ns : rt.start_mono_ns));
    encode_program(&b);
    if (tree_is_asked())
        tree_program(&b);
    add_stacks(&b);
    tree_add_profile(&b);
    encode_names(&b);
    add_comments(&b);
    return encode_write(&b, write, ctx);
}

/* ---- saving ---- */

/* Where threads are now, or who made them. */
static int write_counts(enum file_kind kind, strobe_write_fn write, void *ctx)
{
    struct arena arena;
    struct count_list l;
    arena_init_nullable(&arena);
    int r = kind == FILE_THREADS ? thread_counts_take(NULL, &arena, &l)
                                 : thread_creations_take(NULL, &arena, &l);
    r = r < 0 ? r : count_write(&l, write, ctx);
    arena_free(&arena);
    return r;
}

static int write_kind(enum file_kind kind, strobe_write_fn write, void *ctx)
{
    struct heap_view view = {
        .allocs = kind == FILE_ALLOCS, .at_peak = heap.write_peak, .ages = !heap.write_peak};
    struct contention_view waited = {.which = kind == FILE_MUTEX ? WAITTAB_MUTEX : WAITTAB_BLOCK};
    if (kind == FILE_BLOCK || kind == FILE_MUTEX)
        return contention_write(&waited, write, ctx);
    if (kind == FILE_WALL)
        return wall_write(NULL, write, ctx);
    if (kind == FILE_THREADS || kind == FILE_THREADCREATE)
        return write_counts(kind, write, ctx);
    return kind == FILE_CPU ? write_cpu(write, ctx) : heap_write(&view, write, ctx);
}

/* A program at its limit of address space has none left for its profile, either: what the system
 * would allow beyond that is taken for as long as it is written. */
static bool widen(struct rlimit *was)
{
    struct rlimit wide;
    if (atomic_load(&rt.denied) || sigsafe_syscall2(SYS_getrlimit, RLIMIT_AS, was) != 0)
        return false;
    wide = (struct rlimit){was->rlim_max, was->rlim_max};
    return was->rlim_cur != was->rlim_max && sigsafe_syscall2(SYS_setrlimit, RLIMIT_AS, &wide) == 0;
}

/* A file that is not whole would be taken for a profile: it goes, unless the name is another's. */
static void discard(struct target *t)
{
    struct stat st;
    sigsafe_syscall2(SYS_ftruncate, t->fd - 1, 0);
    sigsafe_syscall3(SYS_lseek, t->fd - 1, 0, SEEK_SET);
    if (!(atomic_load(&rt.denied) & (NEED_FILE | NEED_SAY)) && stat(t->path, &st) == 0 &&
        S_ISREG(st.st_mode) && st.st_dev == t->dev && st.st_ino == t->ino)
        sigsafe_syscall1(SYS_unlink, t->path);
}

/* 0, or a negative errno: then there is no file. */
static int write_whole(enum file_kind kind)
{
    struct target *t = &targets[kind];
    struct rlimit was;
    struct say_quiet quiet;
    if (!is_still_open(t) && open_target(t) != 0)
        return -EIO;
    t->error = 0;
    say_quiet_begin(&quiet);
    bool is_wide = widen(&was);
    int r = write_kind(kind, write_to_file, t);
    if (is_wide)
        sigsafe_syscall2(SYS_setrlimit, RLIMIT_AS, &was);
    say_quiet_end(&quiet, t->error);
    r = r < 0 && t->error ? (int)t->error : r;
    if (r < 0)
        discard(t);
    return r;
}

void file_save(enum file_kind kind)
{
    struct target *t = &targets[kind];
    if (t->write || !t->fd || write_whole(kind) < 0)
        return;
    int fd = t->fd - 1;
    /* Should execve fail, the next writing starts anew. */
    sigsafe_syscall2(SYS_ftruncate, fd, sigsafe_syscall3(SYS_lseek, fd, 0, SEEK_CUR));
    sigsafe_syscall3(SYS_lseek, fd, 0, SEEK_SET);
}

void file_end_counts(void)
{
    for (int i = 0; i < FILE_KINDS; i++)
        if ((i == FILE_THREADS || i == FILE_THREADCREATE) && targets[i].fd)
            file_finish((enum file_kind)i, true);
}

int file_end(enum file_kind kind, bool in_signal)
{
    struct target *t = &targets[kind];
    int r = 0;
    if (t->write)
        r = in_signal ? 0 : write_kind(kind, t->write, t->ctx);
    else if (t->fd)
        r = write_whole(kind);
    file_abandon(kind);
    return r;
}

void file_refuse(enum file_kind kind)
{
    if (is_still_open(&targets[kind]))
        discard(&targets[kind]);
    file_abandon(kind);
}

void file_finish(enum file_kind kind, bool in_signal)
{
    static const char *const what[FILE_KINDS] = {
        [FILE_CPU] = "the cpu profile is not written",
        [FILE_HEAP] = "the heap profile is not written",
        [FILE_ALLOCS] = "the allocs profile is not written",
        [FILE_BLOCK] = "the block profile is not written",
        [FILE_MUTEX] = "the mutex profile is not written",
        [FILE_WALL] = "the wall profile is not written",
        [FILE_THREADS] = "the threads profile is not written",
        [FILE_THREADCREATE] = "the threadcreate profile is not written"};
    int r = file_end(kind, in_signal);
    if (r < 0)
        say_error(what[kind], targets[kind].path, r);
}
