/* SPDX-License-Identifier: MIT
 *
 * Forked servers: the endpoints of the process that serves STROBE_HTTP answer for its children,
 * too.
 *
 * It maps a shared segment before it forks: a slot for each process, and in that all that a process
 * counts: tables of stacks, logs of the heap and of waits, the list of its modules. A child takes a
 * slot and lets its tables lie there; its own sampling clock, its interposers and its handler are
 * what they always are, so that it gets no thread, no socket and nothing to wait for. Who answers
 * reads: no process is asked for anything, so that none can keep others waiting, and what one has
 * counted is there when it dies at any instruction.
 *
 * Who answers trusts nothing in a slot: indexes and lengths are checked, as a program that runs
 * wild may write there. Slots of others are mapped without access, for reading once they are read,
 * so that what locks all of its memory does not fill them. A slot of a process that is gone is
 * taken again only when there is no unused one. */
#include "runtime/tree.h"

#include "base/sigsafe.h"
#include "base/waittab.h"
#include "runtime/file.h"
#include "runtime/heap.h"
#include "runtime/labels.h"
#include "runtime/waits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, NS_A_TICK = 10000000 };

enum slot_state { SLOT_LIVES, SLOT_EXECS, SLOT_ENDED };

/* One process's part of the segment; begins at a page. Its logs follow. */
struct region {
    struct stacktab cpu, creations;
    struct module modules[RUNTIME_MODULES];
    struct tree_answers answers;
    struct label_slot label_slots[LABEL_SLOTS];
};

struct slot {
    _Atomic uint32_t pid;        /* 0: unused */
    _Atomic uint32_t generation; /* of its processes */
    _Atomic uint32_t state;      /* enum slot_state */
    _Atomic uint64_t joined_ns;  /* CLOCK_BOOTTIME: a process that began later is another one */
    _Atomic uint64_t ended_ns;   /* likewise; 0: it was killed, or lives */
};

struct tree {
    char version[32];
    uint64_t bytes;
    struct tree_server server;
    struct tree_gate gate;
    _Atomic uint32_t missed;      /* processes that found no slot */
    _Atomic uint32_t overwritten; /* that ended, and whose slot was taken, during a CPU profile */
    _Atomic uint32_t turn;        /* where to begin the search for one to take */
    uint64_t heap_bytes, waits_bytes, region_bytes;
    struct slot slots[TREE_PLACES]; /* the last: for those that are gone */
    struct tree_dead dead;
    struct labeltab labels;
};

/* Behind the last slot: a length that is changed while it is used leads no farther. */
enum { HEAD_BYTES = (sizeof(struct tree) + PAGE - 1) / PAGE * PAGE, TAIL_BYTES = 4 * PAGE };

static struct tree *tree;
static int descriptor = -1; /* of the segment, and which file that is */
static ino_t descriptor_ino;
static struct slot *own;              /* this process's, or NULL */
static _Atomic bool is_shut;          /* children do not join any more */
static bool is_readable[TREE_PLACES]; /* by this process and its children */

struct tree_gate *tree_gate;

static struct region *region_of(const struct slot *s)
{
    return (struct region *)((char *)tree + HEAD_BYTES +
                             (size_t)(s - tree->slots) * tree->region_bytes);
}

/* ---- the segment ---- */

static size_t round_up(size_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static bool is_limited(int resource)
{
    struct rlimit limit;
    return getrlimit(resource, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY;
}

/* A file without a name, of which processes that are not forked can get hold; -1: there is none. */
static int make_file(size_t bytes)
{
    int fd = is_limited(RLIMIT_FSIZE) ? -1 : memfd_create("strobe", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    int high = runtime_move_high(fd);
    fd = high >= 0 ? high : fd;
    if (ftruncate(fd, (off_t)bytes) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Nothing of it may be read or written yet but what all share. */
static struct tree *map_file(int fd, size_t bytes)
{
    int flags = MAP_SHARED | MAP_NORESERVE | (fd < 0 ? MAP_ANONYMOUS : 0);
    char *p = mmap(NULL, bytes, PROT_NONE, flags, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, bytes, MADV_DONTDUMP);
    if (mprotect(p, HEAD_BYTES, PROT_READ | PROT_WRITE) == 0 &&
        mprotect(p + bytes - TAIL_BYTES, TAIL_BYTES, PROT_READ) == 0)
        return (struct tree *)p;
    munmap(p, bytes);
    return NULL;
}

static void note_descriptor(int fd)
{
    struct stat st;
    descriptor = fd >= 0 && fstat(fd, &st) == 0 ? fd : -1;
    descriptor_ino = descriptor >= 0 ? st.st_ino : 0;
}

int tree_descriptor(void)
{
    struct stat st;
    return descriptor >= 0 && fstat(descriptor, &st) == 0 && st.st_ino == descriptor_ino
               ? descriptor
               : -1;
}

void tree_create(const struct strobe_config *c)
{
    if (tree || is_limited(RLIMIT_AS))
        return; /* what little there is, is the program's */
    uint64_t heap_bytes = HEAPTAB_BYTES / (c->heap_rate < HEAP_RATE_LOOK_ALL ? 4 : 16);
    uint64_t waits_bytes = WAITTAB_BYTES / 4;
    uint64_t region_bytes = round_up(sizeof(struct region)) + heap_bytes + waits_bytes;
    size_t bytes = HEAD_BYTES + TREE_PLACES * region_bytes + TAIL_BYTES;
    int fd = make_file(bytes);
    tree = map_file(fd, bytes);
    if (!tree) {
        if (fd >= 0)
            close(fd);
        return;
    }
    note_descriptor(fd);
    strcpy(tree->version, STROBE_VERSION);
    tree->bytes = bytes;
    strcpy(tree->server.address, c->http);
    tree->server.session = (uint32_t)getsid(0);
    atomic_store(&tree->server.pid, rt.pid);
    tree->heap_bytes = heap_bytes;
    tree->waits_bytes = waits_bytes;
    tree->region_bytes = region_bytes;
    tree_gate = &tree->gate;
    tree_gate->period_ns = 1000000000ull / (uint64_t)c->hz;
    tree_gate->clock = taskclock_probe(c->backend, false);
    labels_share(&tree->labels);
}

void tree_drop(void)
{
    if (!tree || own)
        return;
    int fd = tree_descriptor();
    if (fd >= 0)
        close(fd);
    descriptor = -1;
    is_shut = true; /* the labels stay where they are */
}

/* Whether a file is such a segment, of this version and for this address. */
static bool is_segment(const struct tree *t, uint64_t bytes, const struct strobe_config *c)
{
    return !memcmp(t->version, STROBE_VERSION, sizeof STROBE_VERSION) && t->bytes == bytes &&
           t->region_bytes == round_up(sizeof(struct region)) + t->heap_bytes + t->waits_bytes &&
           bytes == HEAD_BYTES + TREE_PLACES * t->region_bytes + TAIL_BYTES &&
           !strncmp(t->server.address, c->http, sizeof t->server.address);
}

void tree_attach(const struct strobe_config *c)
{
    struct stat st;
    int fd = c->tree[0] == '/' && !is_limited(RLIMIT_AS) ? open(c->tree, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    int high = runtime_move_high(fd);
    fd = high >= 0 ? high : fd;
    size_t bytes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
    struct tree *t = bytes > HEAD_BYTES + TAIL_BYTES ? map_file(fd, bytes) : NULL;
    if (!t || !is_segment(t, bytes, c)) {
        if (t)
            munmap(t, bytes);
        close(fd);
        return;
    }
    tree = t;
    tree_gate = &tree->gate;
    note_descriptor(fd);
    labels_share(&tree->labels);
    for (int i = 0; i < TREE_SLOTS; i++) /* of the program that it was */
        if (atomic_load(&tree->slots[i].pid) == rt.pid)
            atomic_store(&tree->slots[i].state, SLOT_ENDED);
    tree_enter();
}

struct tree_server *tree_server(void)
{
    return tree ? &tree->server : NULL;
}

/* ---- members ---- */

static bool is_gone(uint32_t pid)
{
    return sigsafe_syscall2(SYS_kill, pid, 0) == -ESRCH;
}

static bool is_free(const struct slot *s, uint32_t pid, int pass)
{
    if (pass == 0)
        return !pid;
    return pid && (pid == rt.pid || atomic_load(&s->state) == SLOT_ENDED || is_gone(pid));
}

static char *log_of(const struct slot *s, bool of_waits)
{
    return (char *)region_of(s) + round_up(sizeof(struct region)) +
           (of_waits ? tree->heap_bytes : 0);
}

static void describe(struct tree_process *p, const struct slot *s)
{
    struct region *r = region_of(s);
    *p = (struct tree_process){
        .pid = atomic_load(&s->pid),
        .slot = (uint32_t)(s - tree->slots),
        .generation = atomic_load(&s->generation),
        .modules = r->modules,
        .heap = (const struct heaptab *)log_of(s, false),
        .waits = (const struct heaptab *)log_of(s, true),
        .heap_bytes = tree->heap_bytes,
        .waits_bytes = tree->waits_bytes,
        .cpu = &r->cpu,
        .creations = &r->creations,
        .answers = &r->answers,
        .label_slots = r->label_slots,
    };
}

/* What the process that had the slot has counted goes to the sum. The sum is mapped for as long as
 * that takes: what locks all of its memory would fill it. */
static void bury(const struct slot *s)
{
    struct slot *grave = &tree->slots[TREE_SLOTS];
    struct region *r = region_of(grave);
    struct tree_process from;
    struct tree_grave to = {.modules = r->modules,
                            .heap = (struct heaptab *)log_of(grave, false),
                            .waits = (struct heaptab *)log_of(grave, true),
                            .heap_bytes = tree->heap_bytes,
                            .waits_bytes = tree->waits_bytes,
                            .cpu = &r->cpu,
                            .creations = &r->creations};
    uint64_t joined_ns = atomic_load(&s->joined_ns);
    uint64_t ended_ns = atomic_load(&s->ended_ns), opened_ns = atomic_load(&tree->gate.opened_ns);
    bool counts = atomic_load(&tree->gate.counts) && (!ended_ns || ended_ns > opened_ns);
    bool young = joined_ns > opened_ns;
    if (mprotect(r, tree->region_bytes, PROT_READ | PROT_WRITE) != 0 ||
        !tree_dead_lock(&tree->dead)) {
        atomic_fetch_add(&tree->dead.skipped, 1);
        return;
    }
    describe(&from, s);
    atomic_store(&grave->pid, TREE_ENDED);
    tree_bury(&tree->dead, &from, &to, counts && young);
    if (counts && !young && stacktab_next(from.cpu, 0) < STACKTAB_ENTRIES)
        atomic_fetch_add(&tree->overwritten, 1);
    if (joined_ns < atomic_load(&tree->dead.delta_ns))
        atomic_fetch_add(&tree->dead.old, 1);
    tree_dead_unlock(&tree->dead);
    mprotect(r, tree->region_bytes, PROT_NONE);
    is_readable[TREE_SLOTS] = false;
}

/* Shared memory reads as zeros again only when its pages are taken out. */
static void empty(const struct slot *s, struct region *r)
{
    bury(s);
    madvise(r, tree->region_bytes, MADV_REMOVE);
}

/* An unused slot, else one whose process is gone. */
static struct slot *claim(void)
{
    uint32_t first = atomic_fetch_add(&tree->turn, 1);
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < TREE_SLOTS; i++) {
            struct slot *s = &tree->slots[(first + i) % TREE_SLOTS];
            uint32_t pid = atomic_load(&s->pid);
            if (!is_free(s, pid, pass) || !atomic_compare_exchange_strong(&s->pid, &pid, rt.pid))
                continue;
            atomic_store(&s->state, SLOT_ENDED);
            struct region *r = region_of(s);
            if (mprotect(r, tree->region_bytes, PROT_READ | PROT_WRITE) != 0)
                continue;
            if (pid)
                empty(s, r);
            atomic_fetch_add(&s->generation, 1);
            atomic_store(&s->joined_ns, sigsafe_clock_ns(CLOCK_BOOTTIME));
            atomic_store(&s->ended_ns, 0);
            atomic_store(&s->state, SLOT_LIVES);
            return s;
        }
    atomic_fetch_add(&tree->missed, 1);
    return NULL;
}

/* What the cache of rules knows already is not noted again: the list goes on where it is. */
static void move_modules(struct module *to)
{
    uint32_t n = atomic_load(&rt.module_count);
    for (uint32_t i = 0; rt.modules && i < n && i < RUNTIME_MODULES; i++)
        to[i] = rt.modules[i];
    rt.modules = to;
}

bool tree_is_shared(const void *p)
{
    const char *at = p, *first = (const char *)tree;
    return tree && at >= first && at < first + HEAD_BYTES + TREE_PLACES * tree->region_bytes;
}

/* Without a slot of its own: what it had of its parent's is the parent's. */
static void keep_out(void)
{
    size_t bytes = sizeof(struct module) * RUNTIME_MODULES;
    if (!tree_is_shared(rt.modules))
        return;
    labels_move(NULL);
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p != MAP_FAILED)
        move_modules(p);
}

void tree_enter(void)
{
    bool may = tree && !rt.shm && !atomic_load(&is_shut);
    own = NULL;
    if (!tree)
        return;
    if (rt.gate)
        rt.table = NULL; /* its parent's */
    rt.gate = NULL;
    own = may ? claim() : NULL;
    if (own) {
        move_modules(region_of(own)->modules);
        labels_move(region_of(own)->label_slots);
        waits_watch_sleeps(&tree->server.thread);
    } else {
        keep_out();
    }
}

bool tree_is_member(void)
{
    return own != NULL;
}

void tree_join(void)
{
    if (!own)
        return;
    threads_forget();
    runtime_handlers_forget();
    file_abandon(FILE_CPU);
    rt.table = &region_of(own)->cpu;
    rt.answers = &region_of(own)->answers;
    rt.kinds |= SHM_KIND_CPU;
    rt.clock = tree_gate->clock;
    rt.period_ns = tree_gate->period_ns;
    rt.interrupt_ns = TASKCLOCK_INTERRUPT_NS;
    rt.started_by_call = true;
    rt.gate = tree_gate;
    if (runtime_map() == 0 && runtime_begin(SINK_TABLE) == 0)
        return;
    atomic_store(&rt.sink, SINK_OFF);
    tree_leave();
}

void tree_shut(void)
{
    atomic_store(&is_shut, true);
}

/* The slot stays: the list of modules is in it, and the logs. */
void tree_leave(void)
{
    if (!rt.gate)
        return;
    if (runtime_is_sampling())
        runtime_pause(NULL);
    rt.gate = NULL;
    rt.table = NULL; /* the next profile maps its own */
}

void tree_end(void)
{
    if (!own || atomic_load(&own->pid) != runtime_pid())
        return;
    atomic_store(&own->ended_ns, sigsafe_clock_ns(CLOCK_BOOTTIME));
    atomic_store(&own->state, SLOT_ENDED);
}

void tree_exec(bool begins)
{
    if (own && atomic_load(&own->pid) == runtime_pid())
        atomic_store(&own->state, begins ? SLOT_EXECS : SLOT_LIVES);
}

void *tree_heap_log(uint64_t *bytes)
{
    *bytes = own ? tree->heap_bytes : 0;
    return own ? log_of(own, false) : NULL;
}

void *tree_waits_log(uint64_t *bytes)
{
    *bytes = own ? tree->waits_bytes : 0;
    return own ? log_of(own, true) : NULL;
}

struct stacktab *tree_creations(void)
{
    return own ? &region_of(own)->creations : NULL;
}

/* ---- answering ---- */

/* proc(5), /proc/PID/stat: (3) state, (22) starttime, in ticks since boot. */
static bool is_living(const struct slot *s, uint32_t pid)
{
    char path[32], text[1024];
    if (atomic_load(&s->state) == SLOT_ENDED || is_gone(pid))
        return false;
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *at = strrchr(text, ')');
    if (!at)
        return true; /* without /proc: it is there */
    if (at[1] == ' ' && (at[2] == 'Z' || at[2] == 'X'))
        return false;
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t begun_ns = at ? strtoull(at, NULL, 10) * (1000000000 / hz) : 0;
    return begun_ns <= atomic_load(&s->joined_ns) + NS_A_TICK;
}

bool tree_at(struct tree_process *p, uint32_t i)
{
    if (!tree || i >= TREE_PLACES)
        return false;
    const struct slot *s = &tree->slots[i];
    if (!atomic_load(&s->pid))
        return false;
    if (!is_readable[i] && s != own)
        is_readable[i] = mprotect(region_of(s), tree->region_bytes, PROT_READ) == 0;
    if (!is_readable[i] && s != own)
        return false;
    describe(p, s);
    return true;
}

uint32_t tree_generation(uint32_t slot)
{
    return tree ? atomic_load(&tree->slots[slot].generation) : 0;
}

bool tree_lives(uint32_t slot)
{
    const struct slot *s = tree ? &tree->slots[slot] : NULL;
    uint32_t pid = s ? atomic_load(&s->pid) : 0;
    return pid && pid != rt.pid && atomic_load(&s->state) == SLOT_LIVES && is_living(s, pid);
}

bool tree_next(struct tree_process *p, uint32_t only, uint32_t *at)
{
    for (; tree && *at < TREE_SLOTS; ++*at) {
        const struct slot *s = &tree->slots[*at];
        uint32_t pid = atomic_load(&s->pid);
        if (!pid || (only && pid != only) || !tree_lives(*at) || !tree_at(p, *at))
            continue;
        ++*at;
        return true;
    }
    return false;
}

/* Of this process's own slots only those count that an earlier program of it had. */
bool tree_next_ever(struct tree_process *p, uint32_t only, uint32_t *at)
{
    for (; tree && *at < TREE_SLOTS; ++*at) {
        const struct slot *s = &tree->slots[*at];
        uint32_t pid = atomic_load(&s->pid), state = atomic_load(&s->state);
        bool lives = tree_lives(*at);
        if (!pid || (only && pid != only) || s == own || !tree_at(p, *at) ||
            (pid == rt.pid && state != SLOT_ENDED))
            continue;
        p->has_ended = !lives;
        ++*at;
        return true;
    }
    if (!tree || only || *at != TREE_SLOTS || !tree_at(p, TREE_SLOTS))
        return false;
    p->has_ended = true;
    ++*at;
    return true;
}

bool tree_had_others(void)
{
    struct tree_process p;
    uint32_t at = 0;
    return tree_next_ever(&p, 0, &at);
}

uint32_t tree_count_buried(void)
{
    return tree ? atomic_load(&tree->dead.processes) : 0;
}

void tree_begin_delta(void)
{
    if (tree)
        atomic_store(&tree->dead.delta_ns, sigsafe_clock_ns(CLOCK_BOOTTIME));
}

uint32_t tree_count(void)
{
    struct tree_process p;
    uint32_t n = 0;
    for (uint32_t at = 0; tree_next(&p, 0, &at);)
        n++;
    return n;
}

bool tree_has(uint32_t pid)
{
    struct tree_process p;
    uint32_t at = 0;
    return pid == rt.pid || (pid && tree_next(&p, pid, &at));
}

void tree_say_missing(struct profile_build *b)
{
    uint32_t other = 0;
    for (int i = 0; tree && i < TREE_SLOTS; i++)
        other += atomic_load(&tree->slots[i].state) == SLOT_EXECS &&
                 is_living(&tree->slots[i], atomic_load(&tree->slots[i].pid));
    if (other)
        profile_build_comment(b, "%u processes are missing: programs without libstrobe", other);
    uint32_t overwritten = tree ? atomic_exchange(&tree->overwritten, 0) : 0;
    if (overwritten)
        profile_build_comment(
            b, "%u processes are missing: they ended, and others took their place", overwritten);
    uint32_t cut = tree ? atomic_load(&tree->dead.cut) : 0;
    uint32_t skipped = tree ? atomic_load(&tree->dead.skipped) : 0;
    if (cut)
        profile_build_comment(b, "%u processes that have ended are not in it in full", cut);
    if (skipped)
        profile_build_comment(b, "%u processes that have ended are not in it", skipped);
    uint32_t old = tree ? atomic_exchange(&tree->dead.old, 0) : 0;
    if (old)
        profile_build_comment(b,
                              "a difference that was taken meanwhile has all that %u processes "
                              "had counted which have ended",
                              old);
    if (tree && atomic_load(&tree->missed))
        profile_build_comment(b, "%u processes are missing: more than %d at once",
                              atomic_load(&tree->missed), TREE_SLOTS);
}

void tree_label(struct profile_build *b, uint32_t pid, struct profile_label *out)
{
    char text[16];
    snprintf(text, sizeof text, pid == TREE_ENDED ? "ended" : "%u", pid);
    *out = (struct profile_label){.key = profile_intern_cstr(b->p, "pid"),
                                  .str = profile_intern_cstr(b->p, text)};
}
