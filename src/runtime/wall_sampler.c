/* SPDX-License-Identifier: MIT
 *
 * The process that looks at the program's threads, once a period at a random instant of it: the
 * looks must not fall into step with a program that does something ten times a second. It shares
 * the memory, and reads what the kernel says of each thread:
 *
 *   schedstat   how long it has run, how long it was ready and did not, how often it ran
 *   syscall     where it is blocked
 *
 * What of the time between two looks is neither of the first two it was blocked, or woken and not
 * yet run. That time goes to
 * the stack that it is found blocked in, at this look or, if it runs, at the next one that finds it
 * so: a thread's sum is the kernel's, to the nanosecond, and its shares are those of the looks. A
 * thread that has not run since the last look is where it was, for all of that time, exactly, and
 * costs one read of 30 bytes: no stack is walked, and none has to be looked at as often. One that
 * is new was there since an unknown instant after the last listing. If it is found blocked it
 * counts for all of that time, if not for none: right on average, for threads of any length.
 *
 * The cost is bounded (STROBE_MAX_COST): where all threads at each period are too many, each is
 * looked at more seldom, after a random number of periods, and its time is booked then.
 *
 * It runs on the thread-local memory of the thread that made it, which may be gone: raw system
 * calls only, no libc that keeps state. */
#include "runtime/wall.h"

#include "base/sigsafe.h"
#include "runtime/labels.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/kcmp.h>
#include <linux/prctl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS = 16384,
    CHECK_MS = 50,
    STRIDE_MAX = 4096,
    TRIES = 2,
    LAST_MS = 1000,
    LISTING_MAX_MS = 1000,
    TAKEN_WEIGHT = 8
};
static const uint64_t MS = 1000000;
/* So much waiting for a processor is worth asking what it came from. */
static const uint64_t WAITED_NS = 1000000;

/* A thread. */
struct seen {
    uint32_t tid, place;
    int fd;                          /* its schedstat, or -1 */
    uint64_t next;                   /* the period of its next look */
    uint64_t looked_ns;              /* of the last, 0: it is new */
    uint64_t cpu_ns, ready_ns, runs; /* schedstat's, then */
    uint64_t waited_ns;              /* for processors, since split_waited looked at these: */
    uint64_t woken, taken;           /* its switches of either kind */
    int64_t owed_ns;                 /* it was blocked, and no sample has it yet */
    struct stacktab_entry *at;       /* where it was at the last look, if it was blocked */
    struct stacktab_entry *last;     /* where it was found blocked last */
    /* The labels of that, for the next time. */
    uint32_t labels, labels_with_state;
    const char *waiting;
    bool has_ended;
};

enum { MEMORY = THREADS * (2 * sizeof(struct seen) + sizeof(uint32_t)) };

struct sampler {
    struct wall *wall;
    struct wall_place *places; /* one, or those of a tree */
    uint32_t place_count;
    void *memory; /* of these three */
    struct seen *threads, *spare;
    uint32_t *tids;
    uint32_t count;
    uint64_t listed_ns, next_listing;
    uint64_t random;
    uint64_t look_cost_ns, list_cost_ns; /* on average */
    struct seen *current;                /* being looked at */
    bool ended;                          /* the program has, or executes another */
};

_Atomic uint32_t wall_others_look;

static struct wall_place *place_of(const struct sampler *s, const struct seen *t)
{
    return &s->places[t->place];
}

static uint64_t now_ns(void)
{
    return sigsafe_clock_ns(CLOCK_MONOTONIC);
}

static uint64_t own_ns(void)
{
    return sigsafe_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* splitmix64 */
static uint64_t random_below(struct sampler *s, uint64_t limit)
{
    uint64_t z = s->random += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return (z ^ (z >> 31)) % limit;
}

/* ---- booking ---- */

static void book(struct sampler *s, struct stacktab_entry *e, uint64_t ns)
{
    uint32_t i = (uint32_t)(e - s->wall->table.entries);
    atomic_fetch_add_explicit(&e->weight, ns, memory_order_relaxed);
    if (e->key.flags & SHM_STACK_TRUNCATED)
        atomic_fetch_add_explicit(&s->wall->truncated_ns, ns, memory_order_relaxed);
    if (!s->wall->is_dirty[i]) {
        s->wall->is_dirty[i] = 1;
        s->wall->dirty[s->wall->dirty_count++] = (uint16_t)i;
    }
}

static struct stacktab_entry *find_pseudo(const struct sampler *s, const struct seen *t,
                                          uint64_t pc, uint32_t labels)
{
    struct stacktab_key key = {.depth = 1, .labels = labels, .epoch = place_of(s, t)->epoch};
    return stacktab_add(&s->wall->table, &key, &pc, 0);
}

static void book_owed(struct sampler *s, struct seen *t, struct stacktab_entry *e)
{
    if (t->owed_ns <= 0)
        return;
    if (e)
        book(s, e, (uint64_t)t->owed_ns);
    else
        atomic_fetch_add_explicit(&s->wall->lost_ns, (uint64_t)t->owed_ns, memory_order_relaxed);
    t->owed_ns = 0;
}

/* The labels that its process has given it. */
static uint32_t own_labels(const struct sampler *s, const struct seen *t)
{
    const struct wall_place *p = place_of(s, t);
    return p->labels ? labels_in(p->labels, t->tid) : p->epoch ? 0 : labels_of(t->tid);
}

static uint32_t labels_with_state(const struct sampler *s, struct seen *t, const char *waiting)
{
    uint32_t labels = own_labels(s, t);
    if (!t->labels_with_state || labels != t->labels || waiting != t->waiting) {
        t->labels = labels;
        t->waiting = waiting;
        t->labels_with_state = labels_extend(labels, "state", waiting);
    }
    return t->labels_with_state;
}

/* It was not seen where it was blocked, and is not looked at any more. */
static void settle(struct sampler *s, struct seen *t)
{
    t->owed_ns += (int64_t)t->waited_ns;
    t->waited_ns = 0;
    if (t->owed_ns > 0 && !t->last)
        atomic_fetch_add_explicit(&s->wall->unseen_ns, (uint64_t)t->owed_ns, memory_order_relaxed);
    book_owed(s, t,
              t->last ? t->last
                      : find_pseudo(s, t, SHM_PSEUDO_BLOCKED, labels_with_state(s, t, "blocked")));
}

static void book_ready(struct sampler *s, const struct seen *t, uint64_t ns)
{
    struct thread *sampled =
        rt.threads && !place_of(s, t)->epoch ? runtime_thread_of(t->tid) : NULL;
    struct stacktab_entry *e;
    if (!ns)
        return;
    if (sampled)
        atomic_fetch_add_explicit(&sampled->ready_ns, ns, memory_order_relaxed);
    else if ((e = find_pseudo(s, t, SHM_PSEUDO_READY, own_labels(s, t))))
        book(s, e, ns);
}

/* ---- one thread ---- */

struct schedstat {
    uint64_t cpu_ns, ready_ns, runs;
};

static bool read_schedstat(const struct sampler *s, struct seen *t, struct schedstat *to)
{
    char text[96];
    long n;
    if (t->fd < 0) {
        long fd = thread_look_open(place_of(s, t)->dir, t->tid, "schedstat");
        t->fd = fd >= 0 ? (int)fd : -1;
    }
    if (t->fd >= 0) {
        n = sigsafe_syscall4(SYS_pread64, t->fd, text, sizeof text - 1, 0);
        text[n > 0 ? n : 0] = 0;
    } else {
        n = (long)thread_look_read(place_of(s, t)->dir, t->tid, "schedstat", text, sizeof text);
    }
    const char *at = text;
    if (n <= 0)
        return false;
    to->cpu_ns = thread_look_parse(&at, 10);
    at += *at == ' ';
    to->ready_ns = thread_look_parse(&at, 10);
    at += *at == ' ';
    to->runs = thread_look_parse(&at, 10);
    return true;
}

static uint64_t find_number(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    at = at ? at + strlen(name) : "";
    return thread_look_parse(&at, 10);
}

/* A thread waits for a processor when it is woken, which is still its wait, and when another took
 * it the processor in the middle of something. Each of its switches is
 * one or the other; who is woken mostly runs at once, and who was interrupted waits for a slice of
 * each of the others. */
static void split_waited(struct sampler *s, struct seen *t)
{
    char text[3072];
    uint64_t woken = 0, taken = 0;
    if (thread_look_read(place_of(s, t)->dir, t->tid, "status", text, sizeof text)) {
        woken = find_number(text, "\nvoluntary_ctxt_switches:\t");
        taken = find_number(text, "nonvoluntary_ctxt_switches:\t");
    }
    uint64_t new_woken = woken - t->woken, new_taken = (taken - t->taken) * TAKEN_WEIGHT;
    uint64_t all = new_woken + new_taken;
    uint64_t taken_ns = all ? t->waited_ns * new_taken / all : 0;
    t->woken = woken;
    t->taken = taken;
    t->owed_ns += (int64_t)(t->waited_ns - taken_ns);
    t->waited_ns = 0;
    book_ready(s, t, taken_ns);
}

/* What of the time up to now it was blocked. `as_it_was`: it is no news that it waited before. */
static void account(struct sampler *s, struct seen *t, const struct schedstat *now, uint64_t at_ns,
                    bool as_it_was)
{
    uint64_t ran_ns = now->cpu_ns - t->cpu_ns, ready_ns = now->ready_ns - t->ready_ns;
    if (t->looked_ns)
        t->owed_ns += (int64_t)(at_ns - t->looked_ns) - (int64_t)(ran_ns + ready_ns);
    t->waited_ns += as_it_was ? 0 : ready_ns;
    if (t->waited_ns >= WAITED_NS)
        split_waited(s, t);
    t->cpu_ns = now->cpu_ns;
    t->ready_ns = now->ready_ns;
    t->runs = now->runs;
    t->looked_ns = at_ns;
}

static bool has_not_run(void *ctx)
{
    struct sampler *s = ctx;
    struct schedstat now;
    return read_schedstat(s, s->current, &now) && now.runs == s->current->runs;
}

/* The stack of a thread that has run since it was looked at: where it is blocked now; NULL: it
 * runs. */
static struct stacktab_entry *find_stack(struct sampler *s, struct seen *t)
{
    struct unwind_regs regs;
    struct unwind_trace to;
    const char *waiting;
    enum thread_state state = thread_look_state(place_of(s, t)->dir, t->tid, &waiting, &regs);
    struct schedstat now;
    t->has_ended = state == THREAD_ENDED;
    if (state == THREAD_ENDED || (state == THREAD_UNKNOWN && !read_schedstat(s, t, &now)))
        return NULL;
    if (state == THREAD_UNKNOWN)
        atomic_store_explicit(&s->wall->blind, WALL_NO_SYSCALL, memory_order_relaxed);
    if (state == THREAD_UNKNOWN)
        return find_pseudo(s, t, SHM_PSEUDO_BLOCKED, labels_with_state(s, t, "blocked"));
    if (state == THREAD_RUNNING)
        return NULL;
    struct wall_place *p = place_of(s, t);
    s->current = t;
    if (p->cache) {
        s->wall->look.self = p->pid;
        s->wall->look.cache = p->cache;
    }
    thread_look_unwind(&s->wall->look, &regs, has_not_run, s, &to);
    if (!s->wall->look.is_same)
        return NULL;
    struct stacktab_key key = {
        .epoch = p->epoch ? p->epoch : atomic_load(&rt.epoch),
        .depth = (uint16_t)to.depth,
        .flags = to.end == UNWIND_ROOT    ? 0
                 : to.end == UNWIND_DEPTH ? SHM_STACK_DEPTH
                                          : SHM_STACK_TRUNCATED,
        .reason = to.end == UNWIND_TRUNCATED ? to.reason : 0,
        .labels = labels_with_state(s, t, waiting),
    };
    p->truncated += key.flags == SHM_STACK_TRUNCATED;
    return stacktab_add(&s->wall->table, &key, s->wall->look.pcs, 0);
}

/* false: it is gone. */
static bool look(struct sampler *s, struct seen *t, bool at_start)
{
    struct schedstat now;
    bool is_new = !t->looked_ns;
    for (int i = 0; i < TRIES; i++) {
        uint64_t at_ns = now_ns();
        if (!read_schedstat(s, t, &now))
            return false;
        bool stayed = t->at && now.runs == t->runs;
        account(s, t, &now, at_ns, is_new && at_start);
        if (t->tid == atomic_load(&s->wall->ender)) { /* it waits for us */
            settle(s, t);
            return true;
        }
        if (!stayed)
            t->at = find_stack(s, t);
        if (t->has_ended) { /* since, at some time */
            t->owed_ns = 0;
            return false;
        }
        if (t->at)
            break;
    }
    atomic_fetch_add_explicit(&s->wall->looks, 1, memory_order_relaxed);
    if (is_new)
        t->owed_ns = t->at ? (int64_t)(t->looked_ns - s->listed_ns) : 0;
    if (t->at) {
        t->last = t->at;
        book_owed(s, t, t->at);
    }
    return true;
}

/* ---- all of them ---- */

static void forget(struct sampler *s, struct seen *t)
{
    settle(s, t);
    if (t->fd >= 0)
        sigsafe_syscall1(SYS_close, t->fd);
}

static uint64_t next_look(struct sampler *s, uint64_t period)
{
    uint32_t stride = atomic_load(&s->wall->stride);
    return period + 1 + (stride > 1 ? random_below(s, 2 * stride - 1) : 0);
}

/* Of the threads that were, and those that are kept, how many are done. */
struct merge {
    uint32_t was, kept;
};

static bool is_before(const struct seen *t, uint32_t place, uint32_t tid)
{
    return t->place < place || (t->place == place && t->tid < tid);
}

/* Merges those that are there with those that were: both are in the order of their numbers. */
static void list_place(struct sampler *s, uint32_t place, uint64_t period, bool at_start,
                       struct merge *m)
{
    int dir = s->places[place].dir;
    uint32_t n = dir >= 0 ? thread_look_list(dir, s->tids, THREADS) : 0;
    n = n < THREADS ? n : THREADS;
    for (uint32_t i = 0; i < n && m->kept < THREADS; i++) {
        struct seen *to = &s->spare[m->kept], *was = &s->threads[m->was];
        for (; m->was < s->count && is_before(was, place, s->tids[i]); was++, m->was++)
            forget(s, was);
        if (m->was < s->count && was->place == place && was->tid == s->tids[i]) {
            *to = *was;
            m->was++;
            m->kept++;
            continue;
        }
        *to = (struct seen){.tid = s->tids[i], .place = place, .fd = -1};
        to->next = next_look(s, period);
        if (look(s, to, at_start))
            m->kept++;
        else if (to->fd >= 0)
            sigsafe_syscall1(SYS_close, to->fd);
    }
    s->places[place].threads = n;
}

static void list(struct sampler *s, uint64_t period, bool at_start)
{
    struct merge m = {0, 0};
    if (s->wall->refresh)
        s->wall->refresh(s->places);
    uint64_t listed_ns = now_ns();
    for (uint32_t i = 0; i < s->place_count; i++)
        list_place(s, i, period, at_start, &m);
    for (; m.was < s->count; m.was++)
        forget(s, &s->threads[m.was]);
    struct seen *old = s->threads;
    s->threads = s->spare;
    s->spare = old;
    s->count = m.kept;
    s->listed_ns = listed_ns;
}

/* Looks at those whose turn it is; the period in which the next one has it. */
static uint64_t look_around(struct sampler *s, uint64_t period, bool all)
{
    uint64_t next = s->next_listing, until_ns = now_ns() + LAST_MS * MS;
    for (uint32_t i = 0; i < s->count; i++) {
        struct seen *t = &s->threads[i];
        if (all || t->next <= period) {
            t->next = next_look(s, period);
            if (!look(s, t, false) || (all && now_ns() > until_ns))
                t->next = UINT64_MAX; /* the next listing does not have it */
        }
        next = t->next < next ? t->next : next;
    }
    return next;
}

static void average(uint64_t *to, uint64_t ns)
{
    *to = *to ? (*to * 7 + ns) / 8 : ns;
}

/* Where others look as well, half of it is theirs. */
static uint64_t allowed_ns(const struct sampler *s)
{
    return s->wall->period_ns / 1000 * rt.max_cost_ppm / 1000 /
           (1 + atomic_load(&wall_others_look));
}

/* Listing them may take a quarter of that. */
static uint64_t listing_stride(const struct sampler *s)
{
    uint64_t allowed = allowed_ns(s) / 4;
    uint64_t stride = allowed ? s->list_cost_ns / allowed : 0;
    uint64_t most = LISTING_MAX_MS * MS / s->wall->period_ns;
    return stride < 1 || most < 1 ? 1 : stride < most ? stride : most;
}

/* As many periods to a look at each as keep the cost below what is allowed. */
static void set_stride(const struct sampler *s)
{
    uint64_t cycle = s->list_cost_ns + s->count * s->look_cost_ns, allowed = allowed_ns(s);
    uint64_t stride = allowed ? (cycle + allowed - 1) / allowed : 1;
    stride = stride < 1 ? 1 : stride > STRIDE_MAX ? STRIDE_MAX : stride;
    atomic_store(&s->wall->stride, (uint32_t)stride);
}

static uint64_t round_of_looks(struct sampler *s, uint64_t period)
{
    uint64_t before = own_ns(), looks = atomic_load(&s->wall->looks);
    if (period >= s->next_listing) {
        list(s, period, false);
        if (looks == atomic_load(&s->wall->looks))
            average(&s->list_cost_ns, own_ns() - before);
        s->next_listing = period + listing_stride(s);
        before = own_ns();
        looks = atomic_load(&s->wall->looks);
    }
    uint64_t next = look_around(s, period, false);
    looks = atomic_load(&s->wall->looks) - looks;
    if (looks)
        average(&s->look_cost_ns, (own_ns() - before) / looks);
    set_stride(s);
    return next;
}

/* ---- to the recorder ---- */

/* A record holds an hour and more, of all threads in one place. */
static bool tell(struct sampler *s, struct stacktab_entry *e, uint64_t *told)
{
    uint64_t us = (atomic_load_explicit(&e->weight, memory_order_relaxed) - *told) / 1000;
    while (us) {
        struct shm_sample to = {.r = {.type = SHM_SAMPLE, .epoch = e->key.epoch},
                                .tid = s->wall->pid,
                                .weight = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us,
                                .flags = e->key.flags,
                                .depth = e->key.depth,
                                .reason = e->key.reason,
                                .labels = e->key.labels,
                                .kind = SHM_KIND_WALL};
        const uint64_t *pcs = s->wall->table.words + e->first;
        if (!runtime_emit(&to.r, sizeof to, pcs, e->key.depth * 8u))
            return false;
        *told += (uint64_t)to.weight * 1000;
        us -= to.weight;
    }
    return true;
}

/* What could not be told stays, for the next time. */
static void flush(struct sampler *s)
{
    uint32_t kept = 0;
    if (!rt.shm || s->wall != wall)
        return;
    for (uint32_t i = 0; i < s->wall->dirty_count; i++) {
        uint16_t at = s->wall->dirty[i];
        struct stacktab_entry *e = &s->wall->table.entries[at];
        bool ready = atomic_load_explicit(&e->ready, memory_order_acquire);
        s->wall->is_dirty[at] = ready && !tell(s, e, &s->wall->emitted[at]);
        if (s->wall->is_dirty[at])
            s->wall->dirty[kept++] = at;
    }
    s->wall->dirty_count = kept;
    atomic_store(&rt.process->wall_stride, atomic_load(&s->wall->stride));
    atomic_store(&rt.process->wall_blind, atomic_load(&s->wall->blind));
    atomic_store(&rt.process->wall_lost_ns, atomic_load(&s->wall->lost_ns));
}

/* ---- the process ---- */

/* Still the same process, and the same program in it? */
static bool has_left(uint32_t tid)
{
    return sigsafe_syscall6(SYS_kcmp, (long)wall->look.self, (long)tid, KCMP_VM, 0, 0, 0) > 0;
}

/* Its first thread may have ended, and has no memory then. */
static bool is_over(const struct sampler *s)
{
    if (s->wall->refresh) /* a thread, which ends with its process */
        return false;
    if ((uint32_t)sigsafe_syscall0(SYS_getppid) != s->wall->pid)
        return true;
    bool left = has_left(s->wall->pid);
    for (uint32_t i = 0; left && i < s->count; i++)
        left = has_left(s->threads[i].tid);
    return left;
}

static uint64_t period_now(const struct sampler *s)
{
    return (now_ns() - s->wall->began_ns) / s->wall->period_ns;
}

static void look_at_all(struct sampler *s)
{
    list(s, period_now(s), false);
    look_around(s, period_now(s), true);
}

static void catch_up(struct sampler *s)
{
    uint32_t asked = WALL_CATCH_UP;
    look_at_all(s);
    atomic_compare_exchange_strong(&s->wall->command, &asked, WALL_GO_ON);
    sigsafe_syscall6(SYS_futex, (long)&s->wall->command, FUTEX_WAKE, 1, 0, 0, 0);
}

/* Until then, or its end; false: it is over. */
static bool sleep_until(struct sampler *s, uint64_t due_ns)
{
    for (;;) {
        uint64_t now = now_ns(), ns = due_ns > now ? due_ns - now : 0;
        s->ended = is_over(s);
        if (s->ended || atomic_load(&s->wall->command) == WALL_END)
            return false;
        if (atomic_load(&s->wall->command) == WALL_CATCH_UP)
            catch_up(s);
        if (!ns)
            return true;
        flush(s);
        ns = ns < CHECK_MS * MS ? ns : CHECK_MS * MS;
        struct timespec ts = {0, (long)ns};
        sigsafe_syscall6(SYS_futex, (long)&s->wall->command, FUTEX_WAIT, WALL_GO_ON, (long)&ts, 0,
                         0);
    }
}

/* The program's folder of threads, by its number in this /proc, which may be another namespace's:
 * proc(5), /proc/PID/stat, the fourth field is the parent. */
static int open_folder(void)
{
    char text[512], path[64] = "/proc/", digits[24];
    long fd = sigsafe_syscall4(SYS_openat, AT_FDCWD, "/proc/self/stat", O_RDONLY, 0);
    long n = fd >= 0 ? sigsafe_syscall3(SYS_read, fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        sigsafe_syscall1(SYS_close, fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strrchr(text, ')');
    if (!at || strlen(at) < 5)
        return -1;
    at += 4; /* ") S " */
    size_t len = 0;
    while (len < sizeof digits - 1 && at[len] >= '0' && at[len] <= '9')
        len++;
    memcpy(digits, at, len);
    digits[len] = 0;
    strcpy(stpcpy(stpcpy(path, "/proc/"), digits), "/task");
    return (int)sigsafe_syscall4(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
}

/* Its limits are its own: more descriptors for itself, and no core of the program's memory. */
static void set_limits(void)
{
    struct rlimit files, core = {0, 0};
    if (sigsafe_syscall4(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, &files) == 0) {
        files.rlim_cur = files.rlim_max < THREADS ? files.rlim_max : THREADS;
        sigsafe_syscall4(SYS_prlimit64, 0, RLIMIT_NOFILE, &files, NULL);
    }
    sigsafe_syscall4(SYS_prlimit64, 0, RLIMIT_CORE, &core, NULL);
}

static void close_all(void)
{
    if (sigsafe_syscall3(SYS_close_range, 0, ~0u, 0) < 0)
        for (int fd = 0; fd < 4096; fd++)
            sigsafe_syscall1(SYS_close, fd);
}

static void leave_everything(void)
{
    sigsafe_syscall2(SYS_prctl, PR_SET_NAME, "strobe-wall");
    sigsafe_syscall0(SYS_setsid);
    close_all();
    set_limits();
}

static bool prepare(struct sampler *s)
{
    long p = sigsafe_syscall6(SYS_mmap, 0, MEMORY, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p < 0 && p > -4096)
        return false;
    s->memory = (void *)p;
    s->threads = s->memory;
    s->spare = s->threads + THREADS;
    s->tids = (uint32_t *)(s->spare + THREADS);
    s->random = rt.seed ? rt.seed ^ s->wall->pid : 0;
    if (!rt.seed && sigsafe_syscall3(SYS_getrandom, &s->random, 8, 1 /* GRND_NONBLOCK */) != 8)
        s->random = now_ns();
    s->wall->look.self = (uint32_t)sigsafe_syscall0(SYS_getpid);
    s->wall->look.copy = s->wall->copy;
    return true;
}

static void run(struct sampler *s)
{
    uint64_t period = 0, next;
    s->listed_ns = now_ns();
    list(s, period, true);
    s->next_listing = 1;
    do {
        next = period ? round_of_looks(s, period) : 1;
        next = next > period ? next : period + 1;
        uint64_t due =
            s->wall->began_ns + next * s->wall->period_ns + random_below(s, s->wall->period_ns);
        if (!sleep_until(s, due))
            break;
        period = period_now(s);
    } while (!s->ended);
    if (!s->ended)
        look_at_all(s);
    for (uint32_t i = 0; i < s->count; i++)
        forget(s, &s->threads[i]);
    flush(s);
}

void wall_look_at(struct wall *w, struct wall_place *places, uint32_t count)
{
    struct sampler s = {.wall = w, .places = places, .place_count = count};
    if (!prepare(&s))
        return;
    run(&s);
    sigsafe_syscall2(SYS_munmap, s.memory, MEMORY);
}

int wall_run(void *unused)
{
    struct wall_place here = {.dir = -1};
    (void)unused;
    leave_everything();
    here.dir = open_folder();
    here.pid = wall->pid;
    if (here.dir < 0)
        atomic_store(&wall->blind, WALL_NO_PROC);
    else
        wall_look_at(wall, &here, 1);
    close_all(); /* files of a process in /proc that are open make its end slow */
    uint64_t own = own_ns();
    atomic_store(&wall->own_ns, own);
    if (rt.process) {
        atomic_fetch_add(&rt.process->helper_ns, own);
        atomic_store(&rt.process->helper, 0);
    }
    sigsafe_syscall1(SYS_exit_group, 0);
    return 0;
}
