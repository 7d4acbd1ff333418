/* SPDX-License-Identifier: MIT
 *
 * Beginnings and ends: of the process, of threads, of children by fork, of images by exec, and of
 * profiling itself. What a handler cannot see is booked here: CPU time before the constructor as
 * [exec and dynamic linking], points whose signal had not come when a thread or the process ended.
 *
 * A child made by fork is a process of its own from its first instruction: its timers and events
 * are the parent's and do not reach it, so it arms its own and takes its own slot. Under vfork and
 * raw clone no handler of ours runs, the pid tells them apart, and nothing here touches the
 * parent's state in their name. */
#include "base/door.h"
#include "base/sigsafe.h"
#include "runtime/debug.h"
#include "runtime/file.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/labels.h"
#include "runtime/runtime.h"
#include "runtime/say.h"
#include "runtime/session.h"
#include "runtime/tree.h"
#include "runtime/waits.h"
#include "runtime/wall.h"
#include "runtime/thread_record.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern void *__libc_stack_end; /* ld.so: the stack pointer at the program's entry */

static uintptr_t main_stack_hi(void)
{
    return ((uintptr_t)__libc_stack_end + 4096) & ~(uintptr_t)4095;
}

/* Of the process's first thread. That of a forked child has the stack of the one that forked: a
 * thread's control block lies above its stack, the main one's below. */
static uintptr_t first_stack_hi(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    return here < (uintptr_t)pthread_self() ? 0 : main_stack_hi();
}

/* ---- begin ---- */

/* Sampling of the calling thread. `stack_hi` 0: it is a thread made by pthread_create. */
static struct thread *begin_self(uint64_t origin_ns, uintptr_t stack_hi)
{
    struct thread *t = rt.kinds & SHM_KIND_CPU ? runtime_thread_claim() : NULL;
    if (!t)
        return NULL;
    t->stack_hi = stack_hi ? stack_hi : (uintptr_t)pthread_self();
    runtime_set_self(t);
    if (!runtime_arm(t, runtime_tid(), origin_ns)) {
        runtime_set_self(NULL);
        runtime_thread_release(t);
        return NULL;
    }
    return t;
}

static void announce_image(uint32_t parent_process, uint32_t parent_image)
{
    struct shm_image r = {.r.type = SHM_IMAGE,
                          .pid = rt.pid,
                          .parent_process = parent_process,
                          .parent_image = parent_image,
                          .backend = rt.clock.backend,
                          .exe_len = (uint16_t)strlen(rt.exe)};
    runtime_emit(&r.r, sizeof r, rt.exe, r.exe_len);
}

/* The slot of this image: the one that waits for it since execve, or a new one. */
static bool take_slot(uint64_t *origin_ns)
{
    rt.process = shm_process_find_execing(rt.shm, rt.pid);
    *origin_ns = rt.process ? atomic_load(&rt.process->cpu_at_exec_ns) : 0;
    if (!rt.process)
        rt.process = shm_process_claim(rt.shm, rt.pid);
    if (!rt.process)
        return false;
    rt.image = atomic_fetch_add(&rt.process->image, 1) + 1;
    if (atomic_load(&rt.stride) > 1) /* inherited by fork */
        atomic_store(&rt.process->stride, rt.stride);
    atomic_store(&rt.process->cpu_at_end_ns, 0);
    return true;
}

static int signal_of(uint32_t backend)
{
    return backend == SHM_BACKEND_SIGTRAP  ? SIGTRAP
           : backend == SHM_BACKEND_ITIMER ? SIGPROF
                                           : SIGURG;
}

int runtime_begin(enum sink sink)
{
    uint64_t origin = 0;
    bool at_start = sink == SINK_SHM || !rt.started_by_call;
    rt.pid = runtime_pid();
    rt.signo = signal_of(rt.clock.backend);
    if (sink == SINK_SHM && !take_slot(&origin))
        return -ENOSPC;
    int r = rt.kinds & SHM_KIND_CPU ? signals_install(sink == SINK_TABLE && !rt.gate) : 0;
    if (r < 0)
        return r;
    if (sink == SINK_SHM && rt.kinds & SHM_KIND_THREADS)
        signals_save_at_death(); /* it is then that they are looked at */
    if (rt.shm) {
        announce_image(UINT32_MAX, 0);
        atomic_store(&rt.process->state, SHM_LIVE);
    }
    rt.stack_count = 0;
    atomic_store(&rt.stride, 1);
    atomic_store(&rt.cost_ns, 0);
    atomic_store(&rt.ended, 0);
    atomic_store(&rt.sink, sink);
    uint32_t tid = runtime_tid();
    if (!rt.shm && at_start)
        origin = rt.process_origin_ns = environ_exec_ns();
    if (!at_start)
        origin = sigsafe_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    struct thread *t = begin_self(origin, tid == rt.pid ? first_stack_hi() : 0);
    uint64_t before = t ? runtime_points_passed(t, sigsafe_clock_ns(CLOCK_THREAD_CPUTIME_ID)) : 0;
    if (before && at_start) {
        uint64_t pc = SHM_PSEUDO_EXEC;
        runtime_sample_pcs(tid, before, &pc, 1);
    }
    if (rt.kinds & SHM_KIND_CPU)
        runtime_arm_others();
    return 0;
}

/* ---- fork ---- */

static void drop_threads(void)
{
    uint32_t high = atomic_load(&rt.threads_high);
    itimer_forget();
    for (uint32_t i = 0; i < high; i++) {
        struct thread *t = &rt.threads[i];
        t->page = NULL;    /* mappings of events are not inherited, */
        t->timer = -1;     /* nor are POSIX timers; */
        runtime_disarm(t); /* descriptors are */
        runtime_thread_release(t);
    }
}

/* The other profiles go on in a child that a recorder sees, or that has files of its own. */
static void forked_tables(void)
{
    static const enum file_kind counts[] = {FILE_THREADS, FILE_THREADCREATE};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        if (!file_begin_child(counts[i]))
            file_abandon(counts[i]);
    bool heap_file = file_begin_child(FILE_HEAP), allocs_file = file_begin_child(FILE_ALLOCS);
    bool block_file = file_begin_child(FILE_BLOCK), mutex_file = file_begin_child(FILE_MUTEX);
    bool in_tree = tree_is_member();
    heap_forked(rt.shm || heap_file || allocs_file || in_tree);
    waits_forked(rt.shm || block_file || mutex_file || in_tree);
    threads_creations_forked();
}

/* Those of CPU time and wall time: whether the child has one. */
static bool begin_own_files(void)
{
    bool cpu = file_begin_child(FILE_CPU), also_wall = file_begin_child(FILE_WALL);
    if (!cpu)
        file_abandon(FILE_CPU);
    if (!also_wall)
        file_abandon(FILE_WALL);
    return cpu || also_wall;
}

/* The child's CPU clock starts at 0. */
void runtime_forked(void)
{
    if (runtime_pid() == rt.pid)
        return;
    debug_lock_forget();
    debug_trace_forked();
    http_server_forget();
    threads_forget();
    custom_profiles_forked();
    if (!runtime_is_sampling()) {
        rt.pid = runtime_pid();
        wall_forked(false);
        tree_enter();
        labels_forked();
        forked_tables();
        tree_join();
        tree_consider_heir(false);
        return;
    }
    struct thread *old = runtime_self();
    uintptr_t stack_hi = old ? old->stack_hi : 0;
    uint32_t parent = rt.process ? shm_process_index(rt.shm, rt.process) : 0, image = rt.image;
    drop_threads();
    runtime_handlers_forget();
    runtime_set_self(NULL);
    rt.pid = runtime_pid();
    tree_enter();
    labels_forked();
    atomic_store(&rt.sampled_points, 0);
    atomic_store(&rt.truncated_points, 0);
    atomic_store(&rt.depth_points, 0);
    atomic_store(&rt.threads_lost, 0);
    atomic_store(&rt.seen_ns, 0);
    atomic_store(&rt.threads_ended, 0);
    bool own_file = !rt.shm && begin_own_files();
    if (rt.shm) {
        uint64_t origin;
        if (!take_slot(&origin)) {
            atomic_store(&rt.sink, SINK_OFF);
            wall_forked(false);
            heap_forked(false);
            waits_forked(false);
            return;
        }
        announce_image(parent, image);
        atomic_store(&rt.process->state, SHM_LIVE);
    } else if (!own_file) {
        atomic_store(&rt.sink, SINK_OFF);
        wall_forked(false);
        forked_tables();
        tree_join();
        tree_consider_heir(false);
        return;
    } else {
        stacktab_clear(rt.table);
    }
    forked_tables();
    begin_self(0, stack_hi);
    wall_forked(true);
}

/* ---- ends ---- */

static const uint64_t THREAD_END_NS = 300000; /* more than the kernel needs for one, as a rule */

/* The caller's entry: a thread made by clone(2) may share its creator's thread-local storage. */
static struct thread *current_thread(void)
{
    struct thread *t = runtime_self();
    uint32_t tid = runtime_tid();
    return t && t->tid == tid ? t : runtime_thread_of(tid);
}

static uint64_t own_clock(void)
{
    return atomic_load(&rt.denied) & NEED_CLOCK ? 0 : sigsafe_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

static _Atomic uint64_t *seen_ns(void)
{
    return rt.process ? &rt.process->seen_ns : &rt.seen_ns;
}

/* The thread's clock shows `now_ns`: what it used up to now is seen. */
static void see(struct thread *t, uint64_t now_ns)
{
    if (now_ns > t->origin_ns)
        atomic_fetch_add(seen_ns(), now_ns - t->origin_ns);
    t->origin_ns = now_ns;
}

/* Points that passed while the program had the process's only timer belong to no stack. */
static bool book_unclocked(struct thread *t, uint64_t points)
{
    uint64_t pc = SHM_PSEUDO_UNSAMPLED;
    if (points && itimer_is_theirs())
        runtime_sample_pcs(t->tid, points, &pc, 1);
    return itimer_is_theirs();
}

static void end_thread(struct thread *t)
{
    if (runtime_pid() != rt.pid || !atomic_load(&t->used) || t->tid != runtime_tid())
        return; /* profiling was stopped meanwhile: the entry is another thread's or nobody's */
    if (runtime_is_sampling()) {
        uint64_t now_ns = own_clock(), points = runtime_points_passed(t, now_ns);
        if (points && !book_unclocked(t, points) && !runtime_sample_last(t, points))
            runtime_sample_thread_end(t, points);
        runtime_sample_ready(t);
        see(t, now_ns);
        atomic_fetch_add(&rt.threads_ended, 1);
    }
    runtime_disarm(t);
    runtime_thread_release(t);
}

void runtime_thread_end(struct thread *t)
{
    runtime_set_self(NULL);
    threads_lock();
    end_thread(t);
    threads_unlock();
}

void runtime_raw_thread_end(struct thread *t)
{
    end_thread(t);
}

/* Points of the other threads whose signals had not come. */
static void book_other_threads(const struct thread *self, enum shm_pseudo pseudo)
{
    uint32_t high = atomic_load(&rt.threads_high);
    for (uint32_t i = 0; i < high; i++) {
        struct thread *t = &rt.threads[i];
        if (t == self || !atomic_load(&t->used) || !t->tid)
            continue;
        uint64_t now_ns = sigsafe_clock_ns(taskclock_of_thread(t->tid)), pc = pseudo;
        uint64_t points = runtime_points_passed(t, now_ns);
        see(t, now_ns);
        if (points && !book_unclocked(t, points) && !runtime_sample_last(t, points))
            runtime_sample_pcs(t->tid, points, &pc, 1);
    }
}

static void book_self(struct thread *self, const void *caller, enum shm_pseudo pseudo)
{
    uint64_t now_ns = self ? own_clock() : 0;
    uint64_t points = self ? runtime_points_passed(self, now_ns) : 0;
    if (self)
        see(self, now_ns);
    if (points && !book_unclocked(self, points) && !runtime_sample_last(self, points))
        runtime_sample_here(self, points, caller, pseudo);
}

/* Our own server's thread is not sampled, but it is the process's time. */
static void book_server(void)
{
    uint32_t tid = atomic_load(&rt.server_tid);
    uint64_t pc = SHM_PSEUDO_SERVER;
    uint64_t ns =
        (tid ? sigsafe_clock_ns(taskclock_of_thread(tid)) : 0) + atomic_load(&rt.looker_ns);
    uint64_t points = runtime_points_of(ns);
    atomic_fetch_add(seen_ns(), ns);
    if (points)
        runtime_sample_pcs(tid, points, &pc, 1);
}

/* CPU time of the process that was in no thread's clock when we read that: what the kernel needs to
 * end a thread, after its last look; and threads that were made, or ended, past us. */
static void book_unseen(uint64_t process_ns)
{
    uint64_t seen = atomic_load(seen_ns()) + rt.process_origin_ns;
    uint64_t ends_ns = (atomic_load(&rt.threads_ended) + 1) * THREAD_END_NS;
    if (process_ns <= seen)
        return;
    uint64_t ns = process_ns - seen, points = runtime_points_of(ns);
    uint64_t pc = ns <= ends_ns ? SHM_PSEUDO_THREAD_END : SHM_PSEUDO_UNSAMPLED;
    if (points)
        runtime_sample_pcs(0, points, &pc, 1);
}

void runtime_end(bool in_signal, const void *caller)
{
    tree_end();
    heap_end(in_signal);
    if (!in_signal)
        debug_malloc_end();
    debug_trace_end();
    waits_end(in_signal);
    if (runtime_pid() == rt.pid)
        file_end_counts();
    if (!runtime_is_sampling() || runtime_pid() != rt.pid)
        return;
    wall_stop();
    struct thread *self = current_thread();
    bool has_clock = !(atomic_load(&rt.denied) & NEED_CLOCK);
    book_self(self, caller, SHM_PSEUDO_EXIT);
    if (atomic_exchange(&rt.ended, 1))
        return;
    thread_record_end();
    if (!in_signal)
        runtime_wait_for_handlers(); /* each thread's last stack is read next */
    if (has_clock && rt.kinds & SHM_KIND_CPU && !rt.gate) {
        book_other_threads(self, SHM_PSEUDO_EXIT);
        if (!rt.started_by_call)
            book_server();
        book_unseen(sigsafe_clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    }
    if (rt.shm) {
        atomic_store(&rt.process->cpu_at_end_ns,
                     has_clock ? sigsafe_clock_ns(CLOCK_PROCESS_CPUTIME_ID) : 0);
        atomic_store(&rt.process->state, SHM_ENDED);
    } else {
        file_finish(FILE_CPU, in_signal);
        file_finish(FILE_WALL, in_signal);
    }
}

void runtime_give_up(void)
{
    struct thread *self = current_thread();
    book_self(self, NULL, SHM_PSEUDO_EXIT);
    if (atomic_exchange(&rt.ended, 1))
        return;
    runtime_wait_for_handlers();
    book_other_threads(self, SHM_PSEUDO_EXIT);
    runtime_disarm_all();
    if (rt.shm)
        atomic_store(&rt.process->sandboxed, 1);
    else {
        file_finish(FILE_CPU, false);
        file_finish(FILE_WALL, false);
    }
}

void runtime_pause(const void *caller)
{
    struct thread *self = current_thread();
    threads_lock();
    book_self(self, caller, SHM_PSEUDO_STOP);
    atomic_store(&rt.sink, SINK_OFF);
    runtime_wait_for_handlers();
    book_other_threads(self, SHM_PSEUDO_STOP);
    runtime_disarm_all();
    uint32_t high = atomic_load(&rt.threads_high);
    for (uint32_t i = 0; i < high; i++)
        if (rt.threads[i].tid) /* the others are threads' that have not begun: they release them */
            runtime_thread_release(&rt.threads[i]);
    runtime_set_self(NULL);
    threads_unlock();
}

/* ---- exec ---- */

/* The door of the recorder, which looks from time to time only; name[0] is 0: there is none. */
static struct door door;

static void knock(enum image_kind image)
{
    int saved = errno;
    if (image != IMAGE_LOADS && door.name[0] && !(atomic_load(&rt.denied) & NEED_DOOR))
        door_knock(&door);
    errno = saved;
}

static struct shm_process *announce_exec(uint32_t pid, uint64_t cpu_ns)
{
    struct shm_process *p = pid == rt.pid ? rt.process : shm_process_claim(rt.shm, pid);
    if (!p)
        return NULL;
    atomic_store(&p->cpu_at_exec_ns, cpu_ns);
    atomic_store(&p->state, SHM_EXECING);
    return p;
}

void runtime_spawned(pid_t pid, enum image_kind image)
{
    if (image == IMAGE_LOADS || !rt.shm || !runtime_is_sampling())
        return;
    announce_exec((uint32_t)pid, 0);
    knock(image);
}

struct shm_process *runtime_exec_begin(const void *caller, enum image_kind image)
{
    heap_save();
    debug_trace_exec(true);
    waits_save();
    tree_exec(true);
    if (runtime_pid() == rt.pid) { /* not a child of vfork */
        file_save(FILE_THREADS);
        file_save(FILE_THREADCREATE);
    }
    if (!runtime_is_sampling())
        return NULL;
    uint32_t pid = runtime_pid();
    struct thread *self = pid == rt.pid ? current_thread() : NULL;
    if (pid == rt.pid) {
        /* An event that overflows inside execve would send its SIGTRAP to the new image, which has
         * no handler for it and would die. */
        if (self)
            runtime_disarm(self);
        itimer_stop(); /* it would go on in the new image */
    }
    if (rt.kinds & SHM_KIND_CPU)
        signals_for_exec(
            true); /* not before: what is blocked then stays pending in the new image */
    if (pid == rt.pid)
        book_self(self, caller, SHM_PSEUDO_EXEC);
    wall_exec(true);
    if (!rt.shm && pid == rt.pid) {
        file_save(FILE_CPU);
        file_save(FILE_WALL);
        environ_note_exec(own_clock());
    }
    if (!rt.shm)
        return NULL;
    /* A child of vfork has booked nothing yet. */
    struct shm_process *p = announce_exec(pid, pid == rt.pid ? own_clock() : 0);
    knock(image);
    return p;
}

void runtime_exec_failed(struct shm_process *p)
{
    tree_exec(false);
    debug_trace_exec(false);
    if (!runtime_is_sampling())
        return;
    if (rt.kinds & SHM_KIND_CPU)
        signals_for_exec(false);
    environ_note_exec(0);
    wall_exec(false);
    if (p)
        atomic_store(&p->state, p == rt.process ? SHM_LIVE : SHM_FREE);
    struct thread *self = runtime_pid() == rt.pid ? current_thread() : NULL;
    if (self && !runtime_arm(self, runtime_tid(), 0))
        runtime_disarm(self);
}

/* The tracer would stop us at each SIGTRAP. */
void runtime_traced(void)
{
    bool is_ours = runtime_is_sampling() && runtime_pid() == rt.pid; /* not a child of vfork */
    struct thread *self = is_ours ? current_thread() : NULL;
    if (self && rt.clock.backend == SHM_BACKEND_SIGTRAP)
        runtime_disarm(self);
}

/* ---- the constructor ---- */

/* Which file the segment is, to know it again. */
static dev_t segment_dev;
static ino_t segment_ino;

/* The descriptor, or -1, closed: it is another file. */
static int same_segment(int fd)
{
    struct stat st;
    if (fd < 0 || !rt.shm ||
        (fstat(fd, &st) == 0 && st.st_dev == segment_dev && st.st_ino == segment_ino))
        return fd;
    close(fd);
    return -1;
}

/* By its name in /proc, else by asking: another user may not open it, and /proc may be missing, or
 * be that of another namespace, with other processes under the numbers. */
int runtime_open_segment(const char *where, bool ask)
{
    char text[DOOR_TEXT];
    if (!where || strlen(where) >= sizeof text)
        return -EINVAL;
    strcpy(text, where);
    int can_ask = door_parse(&door, text);
    int fd = ask ? -1 : same_segment(open(text, O_RDWR | O_CLOEXEC));
    return fd < 0 && can_ask == 0 ? same_segment(door_ask(&door)) : fd;
}

/* Takes the descriptor. */
static int map_segment(int fd)
{
    if (fd < 0)
        return -ENOENT;
    struct stat st;
    void *p = MAP_FAILED;
    if (fstat(fd, &st) == 0 && (size_t)st.st_size >= sizeof(struct shm))
        p = mmap(NULL, sizeof(struct shm), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return -EINVAL;
    if (!shm_valid(p, sizeof(struct shm))) {
        munmap(p, sizeof(struct shm));
        return -EINVAL;
    }
    segment_dev = st.st_dev;
    segment_ino = st.st_ino;
    rt.shm = p;
    return 0;
}

static int map_recorder(const char *where)
{
    int r = map_segment(runtime_open_segment(where, false));
    return r < 0 ? map_segment(runtime_open_segment(where, true)) : r;
}

static int begin_under_recorder(const struct strobe_config *c)
{
    int r = map_recorder(c->record);
    if (r < 0)
        return r;
    rt.period_ns = rt.shm->period_ns;
    rt.clock.backend = rt.shm->backend;
    rt.clock.exclude_kernel = rt.shm->exclude_kernel != 0;
    if (rt.clock.backend == SHM_BACKEND_SIGTRAP && taskclock_is_traced())
        rt.clock = (struct taskclock){SHM_BACKEND_SIGNAL, true};
    rt.max_cost_ppm = rt.shm->max_cost_ppm;
    rt.interrupt_ns = rt.shm->interrupt_ns;
    rt.seed =
        rt.shm->seed ? rt.shm->seed ^ (uint64_t)atomic_fetch_add(&rt.shm->ordinal, 1) << 32 : 0;
    rt.kinds = rt.shm->kinds;
    r = runtime_map();
    if (r == 0)
        r = runtime_begin(SINK_SHM);
    if (r == 0 && rt.kinds & SHM_KIND_HEAP)
        r = heap_start(rt.shm->heap_rate);
    waits_set_what(rt.shm->block_what);
    if (r == 0)
        r = waits_set_rates(rt.kinds & SHM_KIND_BLOCK ? rt.shm->block_rate : 0,
                            rt.kinds & SHM_KIND_MUTEX ? rt.shm->mutex_fraction : 0);
    if (r == 0 && rt.kinds & SHM_KIND_WALL && wall_start() < 0)
        atomic_store(&rt.process->wall_blind, WALL_ALONE);
    return r;
}

void runtime_read_names(void)
{
    if (!getcwd(rt.cwd, sizeof rt.cwd))
        rt.cwd[0] = 0;
    ssize_t n = readlink("/proc/self/exe", rt.exe, sizeof rt.exe - 1);
    rt.exe[n > 0 ? n : 0] = 0;
    const char *name = (const char *)getauxval(AT_EXECFN);
    if (!rt.exe[0] && name && strlen(name) + strlen(rt.cwd) + 2 <= sizeof rt.exe)
        stpcpy(stpcpy(stpcpy(rt.exe, *name == '/' ? "" : rt.cwd), *name == '/' ? "" : "/"), name);
    real_library_path(rt.lib, sizeof rt.lib);
}

static struct strobe_config config;
static bool configured; /* the settings are valid, and can have an effect here */

static void begin(void)
{
    rt.pid = runtime_pid();
    say_begin();
    runtime_read_names();
    debug_read_early();
    environ_hide();
    configured = options_read(&config) == 0 && !valgrind_stops(&config);
    if (!configured)
        return;
    if (config.http[0] && config.tree[0] && !config.record[0])
        tree_attach(&config);
    pthread_atfork(NULL, NULL, runtime_forked);
    threads_init();
    labels_init(); /* keys end in the order in which they were made: labels last */
    debug_trace_begin();
    if (debug.efence || debug.clobberfree)
        signals_see_faults();
    if (config.record[0])
        begin_under_recorder(&config);
    else
        runtime_begin_from_environment(&config);
}

void runtime_start(void)
{
    static _Atomic int started;
    int saved = errno;
    if (!environ || getauxval(AT_SECURE) || atomic_exchange(&started, 1))
        return;
    begin();
    errno = saved;
}

__attribute__((constructor)) static void start(void)
{
    int saved = errno;
    runtime_start();
    if (configured)
        runtime_serve(&config);
    if (configured) {
        heap_bypass();
        waits_bypass();
    }
    errno = saved;
}

__attribute__((destructor)) static void finish(void)
{
    int saved = errno;
    session_end();
    runtime_end(false, __builtin_return_address(0));
    errno = saved;
}
