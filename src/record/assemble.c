/* SPDX-License-Identifier: MIT
 *
 * The last step of a recording: every process's stacks, in addresses of its own, become one profile
 * in which a function of a library is one function, wherever each process had loaded it. A module's
 * first place of loading is its mapping; addresses of other places are moved there.
 *
 * The comments say how the numbers came about and what is missing from them, because a reader of
 * the profile has nothing else to judge it by. */
#include "record/assemble.h"

#include "base/sigsafe.h"
#include "base/taskclock.h"
#include "profile/build.h"
#include "record/outside.h"
#include "symbol/symbol.h"
#include "unwind/unwind.h"

#include <errno.h>
#include <stdio.h>
#include <strobe/version.h>
#include <string.h>
#include <sys/random.h>

/* What a location is, as far as its place in rooted stacks proves it; named in name_roots. */
enum root_role { ROLE_NONE, ROLE_CALL_MAIN, ROLE_THREAD_START, ROLE_CLONE };

enum { SEEN = 4096, LABELS_MAX = LIMIT_LABELS + 4 /* exe, pid, bytes, state */ };
static const uint64_t END_NS = 20000000; /* more than the end of a process takes, as a rule */

struct seen_pc {
    const struct drain_image *image;
    uint64_t pc;
    uint32_t epoch, location;
};

struct assembly {
    struct recorder *r;
    struct drain *d;
    struct profile *p;
    struct profile_build build;
    uint8_t *roles; /* by location */
    uint32_t role_cap;
    bool labels;         /* several images: samples say which */
    bool is_wall;        /* the profile is of wall time */
    bool *seen_image;    /* it has samples in this profile; */
    uint32_t seen_count; /* so many have */
    uint32_t key_pid, key_exe;
    struct seen_pc *seen; /* SEEN */
};

/* ---- stacks ---- */

static const struct drain_module *find_in(const struct drain_image *m, uint64_t pc, uint32_t epoch)
{
    for (uint32_t i = m->module_count; i-- > 0;) {
        const struct drain_module *x = &m->modules[i];
        if (pc >= x->start && pc < x->limit && x->epoch <= epoch)
            return x;
    }
    return NULL;
}

/* A forked child knows its parent's modules: it noted only those that it met first. */
static const struct drain_module *find_module(const struct drain *d, const struct drain_image *m,
                                              uint64_t pc, uint32_t epoch)
{
    const struct drain_module *x = find_in(m, pc, epoch);
    for (int depth = 0; !x && m->parent != DRAIN_NONE && depth < 1000; depth++) {
        epoch =
            epoch < m->epoch ? epoch : m->epoch; /* what came behind the fork is not the child's */
        m = &d->images[m->parent];
        x = find_in(m, pc, epoch);
    }
    return x && x->path_len ? x : NULL;
}

static uint32_t mapping_of(struct assembly *a, const struct drain_module *x)
{
    struct profile_build_mapping m = {.start = x->start,
                                      .limit = x->limit,
                                      .offset = x->offset,
                                      .file = x->path,
                                      .file_len = x->path_len,
                                      .build_id = x->build_id,
                                      .build_id_len = x->build_id_len};
    return profile_build_mapping(&a->build, &m);
}

/* Code in no file, which has its name from elsewhere or none. */
static uint32_t location_outside(struct assembly *a, const struct drain_image *m, uint64_t pc)
{
    struct drain_module x;
    if (!outside_place(a->r, m, pc, &x))
        return profile_build_location(&a->build, PROFILE_NONE, pc);
    uint32_t known = a->p->location_count;
    uint32_t location = profile_build_location(&a->build, mapping_of(a, &x), pc);
    const char *name = location == known ? outside_name(a->r, m, pc) : NULL;
    if (name)
        profile_build_name(&a->build, location, name, strlen(name));
    return location;
}

static uint32_t find_location(struct assembly *a, const struct drain_image *m, uint64_t pc,
                              uint32_t epoch)
{
    static const char *const pseudo[SHM_PSEUDO_COUNT] = SHM_PSEUDO_NAMES;
    if (pc > 0 && pc < SHM_PSEUDO_COUNT)
        return profile_build_pseudo(&a->build, pseudo[pc]);
    const struct drain_module *x = find_module(a->d, m, pc, epoch);
    uint32_t mapping = PROFILE_NONE;
    if (!x && a->r->outside)
        return location_outside(a, m, pc);
    if (x) {
        mapping = mapping_of(a, x);
        if (mapping != PROFILE_NONE)
            pc = pc - x->start + a->p->mappings[mapping].start;
    }
    return profile_build_location(&a->build, mapping, pc);
}

/* The same addresses come again and again in the stacks of an image. */
static uint32_t location_of(struct assembly *a, const struct drain_image *m, uint64_t pc,
                            uint32_t epoch)
{
    struct seen_pc *seen = &a->seen[(pc ^ pc >> 12) % SEEN];
    if (seen->image != m || seen->pc != pc || seen->epoch != epoch)
        *seen = (struct seen_pc){m, pc, epoch, find_location(a, m, pc, epoch)};
    return seen->location;
}

static void give_role(struct assembly *a, uint32_t location, enum root_role role)
{
    if (location == PROFILE_NONE)
        return;
    if (location >= a->role_cap) {
        uint32_t want = a->role_cap ? a->role_cap : 256;
        while (want <= location)
            want *= 2;
        uint8_t *grown = arena_grow(&a->d->arena, a->roles, a->role_cap, want);
        memset(grown + a->role_cap, 0, want - a->role_cap);
        a->roles = grown;
        a->role_cap = want;
    }
    a->roles[location] = (uint8_t)role;
}

/* The root-most frames of a whole stack are the same in every program: see name_roots. */
static void note_roots(struct assembly *a, const struct drain_stack *s, const uint32_t *locations)
{
    uint32_t n = s->depth;
    if ((s->flags & SHM_STACK_TRUNCATED) || n < 3)
        return;
    if (s->other_thread || (s->flags & SHM_STACK_OTHER)) {
        give_role(a, locations[n - 1], ROLE_CLONE);
        give_role(a, locations[n - 2], ROLE_THREAD_START);
    } else {
        give_role(a, locations[n - 3], ROLE_CALL_MAIN);
    }
}

/* Writes the labels of the program's own, and those that tell processes apart. */
static uint32_t labels_of(struct assembly *a, const struct drain_image *m, uint32_t set,
                          struct profile_label *labels)
{
    char pid[16];
    uint32_t count = 0;
    size_t at = 0;
    struct label_text l;
    const struct drain_labels *own = drain_find_labels(a->d, (uint32_t)(m - a->d->images), set);
    while (own && labelset_next(own->text, own->size, &at, &l))
        labels[count++] = (struct profile_label){.key = profile_intern_cstr(a->p, l.key),
                                                 .str = profile_intern_cstr(a->p, l.value)};
    if (!a->labels)
        return count;
    const char *slash = memrchr(m->exe, '/', m->exe_len);
    const char *exe = slash ? slash + 1 : m->exe;
    int n = snprintf(pid, sizeof pid, "%u", m->pid);
    labels[count++] = (struct profile_label){
        .key = a->key_exe, .str = profile_intern(a->p, exe, (size_t)(m->exe + m->exe_len - exe))};
    labels[count++] =
        (struct profile_label){.key = a->key_pid, .str = profile_intern(a->p, pid, (size_t)n)};
    return count;
}

/* Of wall time the samples weigh microseconds, and stand for as many as there would have been. */
static void weigh(const struct assembly *a, const struct drain_stack *s, int64_t values[2])
{
    int64_t period = a->r->period_ns, ns = (int64_t)s->weight * 1000;
    int64_t n = (ns + period / 2) / period;
    bool is_wall = s->kind == SHM_KIND_WALL;
    values[0] = is_wall ? (n ? n : 1) : (int64_t)s->weight;
    values[1] = is_wall ? ns : s->kind ? 0 : (int64_t)s->weight * period;
}

/* What a thread does, in a profile of wall time; those that wait in a call have the label. */
static uint32_t label_state(struct assembly *a, const struct drain_stack *s, uint32_t count,
                            struct profile_label *labels)
{
    uint32_t key = profile_intern_cstr(a->p, "state");
    for (uint32_t i = 0; i < count; i++)
        if (labels[i].key == key)
            return count;
    labels[count] = (struct profile_label){
        .key = key, .str = profile_intern_cstr(a->p, s->kind ? "ready" : "running")};
    return count + 1;
}

/* The stacks of one kind; 0: of CPU time. */
static void add_image(struct assembly *a, const struct drain_image *m, uint32_t kind)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[LABELS_MAX];
    uint32_t set = 0, label_count = labels_of(a, m, set, labels);
    for (uint32_t i = 0; i < m->stack_count; i++) {
        const struct drain_stack *s = &m->stacks[i];
        if (s->kind != kind)
            continue;
        if (s->labels != set)
            label_count = labels_of(a, m, set = s->labels, labels);
        for (uint32_t k = 0; k < s->depth; k++)
            locations[k] = location_of(a, m, s->pcs[k], s->epoch);
        note_roots(a, s, locations);
        struct profile_build_sample sample = {
            .locations = locations,
            .location_count = s->depth,
            .labels = labels,
            .label_count = a->is_wall ? label_state(a, s, label_count, labels) : label_count,
        };
        weigh(a, s, sample.values);
        profile_build_add(&a->build, &sample);
    }
}

static void link_parents(struct drain *d)
{
    for (uint32_t i = 0; i < d->image_count; i++) {
        struct drain_image *m = &d->images[i];
        uint32_t k = m->parent_slot == DRAIN_NONE
                         ? DRAIN_NONE
                         : drain_find_image(d, m->parent_slot, m->parent_image);
        m->parent = k == i ? DRAIN_NONE : k;
    }
}

/* The first mapping of a profile is its program ("File:" in reports): that of the last image which
 * the recorder's own child became. */
static void add_program_first(struct assembly *a)
{
    const struct drain_image *program = NULL;
    for (uint32_t i = 0; i < a->d->image_count; i++)
        if (a->d->images[i].pid == (uint32_t)a->r->pid && a->seen_image && a->seen_image[i])
            program = &a->d->images[i];
    for (uint32_t i = 0; program && i < program->module_count; i++) {
        const struct drain_module *x = &program->modules[i];
        if (x->path_len == program->exe_len && memcmp(x->path, program->exe, x->path_len) == 0) {
            mapping_of(a, x);
            return;
        }
    }
}

/* ---- what no sample stands for ---- */

static uint64_t usage_ns(const struct rusage *u)
{
    return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000u;
}

static uint64_t random_below(uint64_t limit, uint64_t seed)
{
    uint64_t r = seed * 0x9e3779b97f4a7c15ull;
    if (!seed && getrandom(&r, sizeof r, GRND_NONBLOCK) != (ssize_t)sizeof r)
        r = sigsafe_clock_ns(CLOCK_MONOTONIC);
    return r % limit;
}

static void add_pseudo(struct assembly *a, uint32_t which, uint64_t points)
{
    static const char *const pseudo[SHM_PSEUDO_COUNT] = SHM_PSEUDO_NAMES;
    int64_t period = a->r->period_ns;
    if (!points)
        return;
    uint32_t location = profile_build_pseudo(&a->build, pseudo[which]);
    struct profile_build_sample sample = {
        .locations = &location,
        .location_count = 1,
        .values = {(int64_t)points, (int64_t)points * period},
    };
    profile_build_add(&a->build, &sample);
    a->d->points += points;
}

/* The system's CPU time minus what the processes had measured in their exit hooks (or, killed, had
 * sampled): their ends, and programs that were not recorded. In whole points, at a random phase.
 * What is the program's own is told from its children's by its clock; and children that used more
 * than their ends can take have started programs that nobody announced. */
static void add_remainder(struct assembly *a)
{
    struct recorder *r = a->r;
    struct drain *d = a->d;
    uint64_t period = (uint64_t)r->period_ns, phase = random_below(period, r->options.seed);
    uint64_t known = d->cpu_ended_ns + d->points_killed * period;
    uint64_t total = usage_ns(&r->result.usage);
    if (total <= known || r->options.pid_count)
        return;
    uint64_t left = total - known;
    uint64_t own =
        r->root_ns > d->root_known_ns && d->root_known_ns ? r->root_ns - d->root_known_ns : 0;
    own = own < left ? own : left;
    uint64_t own_points = (own + phase) / period;
    uint64_t points = (left + phase) / period - own_points; /* the children's */
    bool unrecorded =
        r->shm && (d->unrecorded || r->result.followed || left - own > d->ended * END_NS);
    uint32_t end = d->sandboxed ? SHM_PSEUDO_SANDBOXED : SHM_PSEUDO_EXIT;
    add_pseudo(a, end, own_points + (unrecorded ? 0 : points));
    add_pseudo(a, SHM_PSEUDO_UNRECORDED, unrecorded ? points : 0);
    if (unrecorded)
        r->result.unrecorded_ns = points * period;
}

/* ---- names ---- */

static bool is_made_up(const struct profile *p, struct profile_str name)
{
    return memmem(name.ptr, name.len, "!0x", 3) != NULL;
}

static bool in_libc(const struct profile *p, const struct profile_location *l)
{
    if (l->mapping == PROFILE_NONE)
        return false;
    struct profile_str file = p->strings[p->mappings[l->mapping].file];
    return file.len > 10 && memcmp(file.ptr + file.len - 10, "/libc.so.6", 10) == 0;
}

/* Distributions strip libc of the names of its first frames, but where they stand proves what they
 * are: the outermost frame of a pthread is clone3's child side and the next one start_thread
 * (glibc, nptl/pthread_create.c), and what stands between __libc_start_main and main is
 * __libc_start_call_main (sysdeps/nptl/libc_start_call_main.h). Only frames in libc.so.6 that have
 * no name are named so. */
static void name_roots(struct assembly *a)
{
    static const char *const names[] = {[ROLE_CALL_MAIN] = "__libc_start_call_main",
                                        [ROLE_THREAD_START] = "start_thread",
                                        [ROLE_CLONE] = "clone3"};
    struct profile *p = a->p;
    for (uint32_t i = 0; i < p->location_count && i < a->role_cap; i++) {
        const struct profile_location *l = &p->locations[i];
        if (!a->roles[i] || l->line_count != 1 || !in_libc(p, l))
            continue;
        struct profile_function *f = &p->functions[p->lines[l->line_first].function];
        if (is_made_up(p, p->strings[f->name]))
            f->name = f->system_name = profile_intern_cstr(p, names[a->roles[i]]);
    }
}

/* ---- comments ---- */

static void add_reasons(struct assembly *a)
{
    for (uint32_t i = 0; i < UNWIND_REASON_COUNT && i < 16; i++)
        if (a->d->reasons[i] && a->r->outside && i == UNWIND_BOUNDS)
            profile_build_comment(&a->build,
                                  "# truncated: below the copied %u bytes of stack: %llu",
                                  outside_stack_bytes(a->r), (unsigned long long)a->d->reasons[i]);
        else if (a->d->reasons[i])
            profile_build_comment(&a->build, "# truncated: %s: %llu",
                                  unwind_reason_text((enum unwind_reason)i),
                                  (unsigned long long)a->d->reasons[i]);
}

static void add_comments(struct assembly *a)
{
    struct profile_build *b = &a->build;
    struct recorder *r = a->r;
    const struct record_result *x = &r->result;
    double cpu_s = (double)usage_ns(&x->usage) / 1e9;
    profile_build_comment(b, "strobe " STROBE_VERSION ": %d Hz by %s%s, effective %.1f Hz",
                          r->options.hz, r->method,
                          r->exclude_kernel ? " (kernel time weighs on the next user frame)" : "",
                          cpu_s > 0 ? (double)x->interrupts / cpu_s : 0.0);
    profile_build_comment(b, "%llu samples, %llu lost, %llu truncated, %llu cut at %d frames",
                          (unsigned long long)x->points, (unsigned long long)x->lost_points,
                          (unsigned long long)x->truncated_points,
                          (unsigned long long)x->depth_points, LIMIT_STACK_DEPTH);
    if (x->unrecorded)
        profile_build_comment(b, "%u processes could not be recorded, %.2f s of CPU time",
                              x->unrecorded, (double)x->unrecorded_ns / 1e9);
    if (x->followed)
        profile_build_comment(b, "%u static or Go processes were sampled from outside",
                              x->followed);
    if (x->threads_lost)
        profile_build_comment(b, "%llu threads could not be sampled",
                              (unsigned long long)x->threads_lost);
    if (x->slowed)
        profile_build_comment(b,
                              "rate lowered to %.4g Hz in %u processes: sampling cost more than "
                              "%.4g %% of their CPU time",
                              (double)r->options.hz / x->stride, x->slowed,
                              r->options.max_cost_ppm / 1e4);
    if (x->sandboxed)
        profile_build_comment(b, "%u processes forbade sampling by seccomp: it ended there",
                              x->sandboxed);
    if (x->still_running)
        profile_build_comment(b, "%u processes were still running at the end", x->still_running);
    profile_build_comment(
        b, "# CPU time by the system: %.3f s user, %.3f s system",
        (double)x->usage.ru_utime.tv_sec + (double)x->usage.ru_utime.tv_usec / 1e6,
        (double)x->usage.ru_stime.tv_sec + (double)x->usage.ru_stime.tv_usec / 1e6);
    if (x->cost_ns && cpu_s > 0)
        profile_build_comment(b, "# cost of sampling: %.3f s, %.2f %% of the CPU time",
                              (double)x->cost_ns / 1e9, (double)x->cost_ns / 1e7 / cpu_s);
    if (a->d->labels_lost)
        profile_build_comment(b, "%llu times a label could not be kept: there are too many",
                              (unsigned long long)a->d->labels_lost);
    if (a->d->malformed)
        profile_build_comment(b, "# %llu records were damaged",
                              (unsigned long long)a->d->malformed);
    add_reasons(a);
}

static void add_symbol_comments(struct assembly *a, const struct symbol_stats *stats)
{
    struct record_result *x = &a->r->result;
    for (uint32_t i = 0; i < stats->module_count; i++) {
        const struct symbol_module *m = &stats->modules[i];
        if (m->reason)
            profile_build_comment(&a->build, "# no symbols: %s", m->reason);
        if (m->without_split)
            profile_build_comment(&a->build,
                                  "# no inlined frames of %u units of %s: %s is not there",
                                  m->without_split, m->file, m->split_name);
        if (!m->not_fetched)
            continue;
        profile_build_comment(&a->build, "# no debug file of %s: %s", m->file, m->not_fetched);
        if (!x->why_not_fetched[0])
            snprintf(x->why_not_fetched, sizeof x->why_not_fetched, "%s", m->not_fetched);
    }
    if (stats->by_unwind_entry + stats->without_name)
        profile_build_comment(&a->build, "# %u of %u locations have no symbol",
                              stats->by_unwind_entry + stats->without_name, stats->locations);
}

static int name_all(struct assembly *a, struct symbol_stats *stats, struct err *e)
{
    struct symbol_options options;
    symbol_options_default(&options);
    options.debug_dirs = a->r->options.debug_dirs;
    options.progress = a->r->options.fetching;
    options.progress_ctx = a->r->options.fetching_ctx;
    if (a->r->outside) {
        options.open_as = outside_open_as;
        options.open_ctx = a->r;
    }
    int err = symbol_profile(a->p, &options, stats, e);
    if (err == 0)
        name_roots(a);
    return err;
}

/* Which images have stacks of a kind, and how many. */
static uint32_t see_stacks(struct assembly *a, uint32_t kind)
{
    uint32_t n = 0;
    a->seen_image = arena_zarray(&a->d->arena, a->d->image_count + 1, sizeof *a->seen_image);
    for (uint32_t i = 0; i < a->d->image_count; i++) {
        const struct drain_image *m = &a->d->images[i];
        for (uint32_t k = 0; k < m->stack_count && !a->seen_image[i]; k++)
            a->seen_image[i] = m->stacks[k].kind == kind;
        n += a->seen_image[i];
    }
    return n;
}

int assemble_counts(struct recorder *r, enum shm_kind kind, struct profile *p, struct err *e)
{
    struct assembly a = {.r = r, .d = r->drain, .p = p};
    struct symbol_stats stats = {0};
    bool threads = kind == SHM_KIND_THREADS;
    profile_init(p);
    profile_build_count(&a.build, p, threads ? "goroutine" : "threadcreate");
    a.seen = arena_zarray(&a.d->arena, SEEN, sizeof *a.seen);
    link_parents(a.d);
    a.labels = see_stacks(&a, kind) > 1;
    a.key_pid = profile_intern_cstr(p, "pid");
    a.key_exe = profile_intern_cstr(p, "exe");
    add_program_first(&a);
    for (uint32_t i = 0; i < a.d->image_count; i++)
        add_image(&a, &a.d->images[i], kind);
    p->time_nanos = r->start_time_ns;
    p->duration_nanos = (int64_t)r->result.elapsed_ns;
    int err = name_all(&a, &stats, e);
    if (err < 0)
        return err;
    profile_build_comment(&a.build, "strobe " STROBE_VERSION ": %s",
                          threads ? "where threads were when their process ended"
                                  : "who made threads");
    if (a.d->counts_lost)
        profile_build_comment(&a.build, "%llu samples lost", (unsigned long long)a.d->counts_lost);
    add_symbol_comments(&a, &stats);
    err = profile_build_finish(&a.build);
    return err < 0 ? err_set(e, err, "out of memory while making the profile") : 0;
}

static void add_wall_comments(struct assembly *a)
{
    struct recorder *r = a->r;
    const struct record_result *x = &r->result;
    struct profile_build *b = &a->build;
    profile_build_comment(b, "strobe " STROBE_VERSION ": wall time, %d Hz; on a processor by %s",
                          r->options.hz, r->method);
    profile_build_comment(
        b, "%llu samples of CPU time lost, %llu truncated; %.3f s of the rest lost",
        (unsigned long long)a->d->lost_points, (unsigned long long)a->d->truncated_points,
        (double)x->wall_lost_ns / 1e9);
    if (x->wall_stride > 1)
        profile_build_comment(b,
                              "each thread was looked at once in up to %u periods: more would have "
                              "cost more than is allowed",
                              x->wall_stride);
    if (x->wall_blind)
        profile_build_comment(b,
                              "%u processes' threads could not be looked at, or not where they "
                              "are blocked",
                              x->wall_blind);
    if (a->d->unrecorded)
        profile_build_comment(b, "%u processes could not be recorded", a->d->unrecorded);
}

/* CPU time is a part of it: what no library saw of that, and ends of processes, are left out. */
int assemble_wall(struct recorder *r, struct profile *p, struct err *e)
{
    struct assembly a = {.r = r, .d = r->drain, .p = p, .is_wall = true};
    struct symbol_stats stats = {0};
    profile_init(p);
    profile_build_wall(&a.build, p, r->period_ns);
    a.seen = arena_zarray(&a.d->arena, SEEN, sizeof *a.seen);
    link_parents(a.d);
    a.labels = see_stacks(&a, 0) > 1;
    a.key_pid = profile_intern_cstr(p, "pid");
    a.key_exe = profile_intern_cstr(p, "exe");
    add_program_first(&a);
    for (uint32_t i = 0; i < a.d->image_count; i++) {
        add_image(&a, &a.d->images[i], 0);
        add_image(&a, &a.d->images[i], SHM_KIND_WALL);
    }
    for (uint32_t i = 0; i < p->sample_count; i++)
        r->result.wall_ns += (uint64_t)p->values[2 * i + 1];
    r->result.wall_lost_ns = a.d->wall_lost_ns;
    r->result.wall_stride = a.d->wall_stride;
    r->result.wall_blind = a.d->wall_blind;
    p->time_nanos = r->start_time_ns;
    p->duration_nanos = (int64_t)r->result.elapsed_ns;
    int err = name_all(&a, &stats, e);
    if (err < 0)
        return err;
    add_wall_comments(&a);
    add_symbol_comments(&a, &stats);
    err = profile_build_finish(&a.build);
    return err < 0 ? err_set(e, err, "out of memory while making the profile") : 0;
}

int assemble_profile(struct recorder *r, struct profile *p, struct err *e)
{
    struct assembly a = {.r = r, .d = r->drain, .p = p};
    struct record_result *x = &r->result;
    profile_init(p);
    profile_build_cpu(&a.build, p, r->period_ns);
    a.seen = arena_zarray(&a.d->arena, SEEN, sizeof *a.seen);
    link_parents(a.d);
    x->processes = see_stacks(&a, 0);
    a.labels = x->processes > 1;
    a.key_pid = profile_intern_cstr(p, "pid");
    a.key_exe = profile_intern_cstr(p, "exe");
    add_program_first(&a);
    for (uint32_t i = 0; i < a.d->image_count; i++)
        add_image(&a, &a.d->images[i], 0);
    x->unrecorded = a.d->unrecorded;
    add_remainder(&a);
    x->points = a.d->points;
    x->interrupts = a.d->samples;
    x->lost_points = a.d->lost_points;
    x->truncated_points = a.d->truncated_points;
    x->depth_points = a.d->depth_points;
    x->threads_lost = a.d->threads_lost;
    x->cost_ns = a.d->cost_ns;
    x->slowed = a.d->slowed;
    x->stride = a.d->stride;
    x->sandboxed = a.d->sandboxed;
    p->time_nanos = r->start_time_ns;
    p->duration_nanos = (int64_t)x->elapsed_ns;
    struct symbol_stats stats = {0};
    int err = name_all(&a, &stats, e);
    if (err < 0)
        return err;
    x->unnamed = stats.by_unwind_entry + stats.without_name;
    add_comments(&a);
    add_symbol_comments(&a, &stats);
    err = profile_build_finish(&a.build);
    return err < 0 ? err_set(e, err, "out of memory while making the profile") : 0;
}

/* ---- the heap ---- */

static void add_site(struct assembly *a, const struct drain_site *s, bool peak)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[LABELS_MAX];
    const struct drain_image *m = &a->d->images[s->image];
    const struct heaptab_values *v = peak ? &s->peak : &s->now;
    uint32_t label_count = labels_of(a, m, s->labels, labels);
    labels[label_count++] =
        (struct profile_label){.key = profile_intern_cstr(a->p, "bytes"),
                               .num = (int64_t)(v->raw_alloc_bytes / v->raw_allocs)};
    if (v->raw_inuse && !peak)
        labels[label_count++] =
            (struct profile_label){.key = profile_intern_cstr(a->p, "age"),
                                   .num_unit = profile_intern_cstr(a->p, "seconds"),
                                   .num = (int64_t)v->age_s};
    for (uint32_t k = 0; k < s->depth; k++)
        locations[k] = location_of(a, m, s->pcs[k], s->epoch);
    struct drain_stack stack = {.depth = s->depth, .flags = s->flags};
    note_roots(a, &stack, locations);
    struct profile_build_sample sample = {
        .locations = locations,
        .location_count = s->depth,
        .values = {(int64_t)v->alloc_objects, (int64_t)v->alloc_bytes, (int64_t)v->inuse_objects,
                   (int64_t)v->inuse_bytes},
        .labels = labels,
        .label_count = label_count,
    };
    profile_build_add(&a->build, &sample);
}

static void add_up(const struct drain *d, struct record_heap_result *x)
{
    *x = (struct record_heap_result){.peak_bytes = d->memory.peak_bytes,
                                     .lost = d->heap_lost,
                                     .truncated = d->heap_truncated,
                                     .processes = d->memory.processes,
                                     .rss_bytes = d->memory.rss_bytes,
                                     .live_bytes = d->memory.live_bytes,
                                     .held_bytes = d->memory.held_bytes,
                                     .own_bytes = d->memory.own_bytes};
    for (uint32_t i = 0; i < d->heap_count; i++) {
        const struct heaptab_values *v = &d->heap_sites[i].now;
        x->alloc_objects += v->alloc_objects;
        x->alloc_bytes += v->alloc_bytes;
        x->inuse_objects += v->inuse_objects;
        x->inuse_bytes += v->inuse_bytes;
        x->temporary_objects += v->temporary;
    }
}

static void add_heap_comments(struct assembly *a, const struct record_heap *how,
                              const struct record_heap_result *x)
{
    struct profile_build *b = &a->build;
    profile_build_comment(b, "strobe " STROBE_VERSION ": heap, a sample in %llu bytes%s",
                          (unsigned long long)a->r->options.heap_rate,
                          how->peak ? "; in use: at the peak" : "");
    profile_build_comment(b, "%llu samples lost, %llu truncated", (unsigned long long)x->lost,
                          (unsigned long long)x->truncated);
    profile_build_comment(b, "# peak in use: %llu bytes", (unsigned long long)x->peak_bytes);
    if (a->d->unrecorded)
        profile_build_comment(b, "%u processes could not be recorded", a->d->unrecorded);
}

/* An image has samples. */
static void see_image(struct assembly *a, uint32_t image)
{
    if (!a->seen_image)
        a->seen_image = arena_zarray(&a->d->arena, a->d->image_count + 1, sizeof *a->seen_image);
    a->labels |= a->seen_count && !a->seen_image[image]; /* it is not the only one */
    a->seen_count += !a->seen_image[image];
    a->seen_image[image] = true;
}

/* What all profiles begin with that are not of CPU time. */
static void begin_tables(struct assembly *a)
{
    a->seen = arena_zarray(&a->d->arena, SEEN, sizeof *a->seen);
    link_parents(a->d);
    a->key_pid = profile_intern_cstr(a->p, "pid");
    a->key_exe = profile_intern_cstr(a->p, "exe");
    add_program_first(a);
}

int assemble_heap(struct recorder *r, const struct record_heap *how, struct profile *p,
                  struct record_heap_result *result, struct err *e)
{
    struct assembly a = {.r = r, .d = r->drain, .p = p};
    struct symbol_stats stats = {0};
    profile_init(p);
    profile_build_heap(&a.build, p, (int64_t)r->options.heap_rate);
    for (uint32_t i = 0; i < a.d->heap_count; i++)
        see_image(&a, a.d->heap_sites[i].image);
    begin_tables(&a);
    for (uint32_t i = 0; i < a.d->heap_count; i++)
        add_site(&a, &a.d->heap_sites[i], how->peak);
    add_up(a.d, result);
    p->time_nanos = r->start_time_ns;
    p->duration_nanos = (int64_t)r->result.elapsed_ns;
    if (how->allocs)
        p->default_sample_type = profile_intern_cstr(p, "alloc_space");
    int err = name_all(&a, &stats, e);
    if (err < 0)
        return err;
    add_heap_comments(&a, how, result);
    add_symbol_comments(&a, &stats);
    err = profile_build_finish(&a.build);
    return err < 0 ? err_set(e, err, "out of memory while making the profile") : 0;
}

/* ---- waits ---- */

static void add_wait(struct assembly *a, const struct drain_wait *w)
{
    uint32_t locations[LIMIT_STACK_DEPTH];
    struct profile_label labels[LABELS_MAX];
    const struct drain_image *m = &a->d->images[w->image];
    uint32_t label_count = labels_of(a, m, w->labels, labels);
    for (uint32_t k = 0; k < w->depth; k++)
        locations[k] = location_of(a, m, w->pcs[k], w->epoch);
    struct drain_stack stack = {.depth = w->depth, .flags = w->flags};
    note_roots(a, &stack, locations);
    struct profile_build_sample sample = {
        .locations = locations,
        .location_count = w->depth,
        .values = {(int64_t)((w->contentions + HEAPTAB_ONE / 2) / HEAPTAB_ONE),
                   (int64_t)w->delay_ns},
        .labels = labels,
        .label_count = label_count,
    };
    profile_build_add(&a->build, &sample);
}

static void add_wait_comments(struct assembly *a, enum waittab_profile which,
                              const struct record_wait_result *x)
{
    const struct record_options *o = &a->r->options;
    if (which == WAITTAB_BLOCK)
        profile_build_comment(&a->build,
                              "strobe " STROBE_VERSION ": block, a sample in %llu ns of waiting%s",
                              (unsigned long long)o->block_rate,
                              o->block_what & WAITTAB_IO ? ", system calls too" : "");
    else
        profile_build_comment(&a->build, "strobe " STROBE_VERSION ": mutex, one in %u contentions",
                              o->mutex_fraction);
    profile_build_comment(&a->build, "%llu waits lost, %llu stacks truncated",
                          (unsigned long long)x->lost, (unsigned long long)x->truncated);
    if (a->d->unrecorded)
        profile_build_comment(&a->build, "%u processes could not be recorded", a->d->unrecorded);
}

int assemble_waits(struct recorder *r, enum waittab_profile which, struct profile *p,
                   struct record_wait_result *result, struct err *e)
{
    struct assembly a = {.r = r, .d = r->drain, .p = p};
    struct symbol_stats stats = {0};
    uint64_t contentions = 0;
    profile_init(p);
    profile_build_contention(&a.build, p);
    for (uint32_t i = 0; i < a.d->wait_count; i++)
        if (a.d->waits[i].which == which)
            see_image(&a, a.d->waits[i].image);
    begin_tables(&a);
    *result =
        (struct record_wait_result){.lost = a.d->waits_lost, .truncated = a.d->waits_truncated};
    for (uint32_t i = 0; i < a.d->wait_count; i++) {
        const struct drain_wait *w = &a.d->waits[i];
        if (w->which != which)
            continue;
        add_wait(&a, w);
        contentions += w->contentions;
        result->delay_ns += w->delay_ns;
        result->samples += w->samples;
    }
    result->contentions = (contentions + HEAPTAB_ONE / 2) / HEAPTAB_ONE;
    p->time_nanos = r->start_time_ns;
    p->duration_nanos = (int64_t)r->result.elapsed_ns;
    int err = name_all(&a, &stats, e);
    if (err < 0)
        return err;
    add_wait_comments(&a, which, result);
    add_symbol_comments(&a, &stats);
    err = profile_build_finish(&a.build);
    return err < 0 ? err_set(e, err, "out of memory while making the profile") : 0;
}
