/* SPDX-License-Identifier: MIT
 *
 * libstrobe's one state and the functions its files share, grouped by the file that defines them.
 * The rules of every file here: never malloc, never hold a lock that a handler could want, never
 * change errno, and whatever cannot be done is counted, not done badly. */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include "base/image.h"
#include "base/limits.h"
#include "base/shm.h"
#include "base/stacktab.h"
#include "base/taskclock.h"
#include "unwind/unwind.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <strobe/strobe.h>

/* struct thread's timer where the process has one for all threads. */
#define TIMER_SHARED 0x7fffffff

enum { RUNTIME_THREADS = 4096, RUNTIME_MODULES = 1024, RUNTIME_PATH = 512 };

/* Where samples go. */
enum sink {
    SINK_OFF,
    SINK_TABLE, /* counted here; this process writes the profile itself */
    SINK_SHM,   /* `strobe record` drains and writes */
};

/* What we need the kernel for; a sandbox may take it away (sandbox.c). */
enum runtime_need {
    NEED_RETURN = 1, /* from a signal handler */
    NEED_CLOCK = 2,  /* CPU clocks */
    NEED_IDS = 4,    /* getpid, gettid */
    NEED_COPY = 8,   /* copies of stacks whose bounds are unknown */
    NEED_ARM = 16,   /* new clocks for threads, and their end */
    NEED_FILE = 32,  /* writing a profile */
    NEED_DOOR = 64,  /* telling the recorder what it must sample itself */
    NEED_LOOK = 128, /* beginning and ending the process of wall.c */
    NEED_SAY = 256,  /* saying what failed, and removing a file that is not whole */
};

/* A sampled thread. Fields without note belong to the thread itself and to the handler on it. */
struct thread {
    _Atomic uint32_t used;
    _Atomic uint32_t tid;           /* 0: claimed for a thread that has not begun */
    _Atomic uint64_t next_point_ns; /* on the thread's CPU clock: the next sampling point */
    uint64_t origin_ns;             /* where that clock stood when the thread became ours */
    _Atomic uintptr_t stack_hi;     /* end of its stack; 0 = not known yet */
    _Atomic int fd;                 /* its perf_event, or -1 */
    _Atomic(void *) page;           /* a mapping of the event, which keeps it without fd, or NULL */
    uint64_t event_id;              /* the kernel's number of the event behind fd */
    int signal_fd;                  /* what its signals carry in si_fd */
    uint32_t ticks;                 /* signals that came since it was armed */
    uint64_t clock_ns;              /* its CPU clock when that was read last in its handler, and */
    uint64_t clock_ticks;           /* sigsafe_ticks() at its last signal */
    uint32_t unread;                /* signals since clock_ns; */
    uint32_t stride;                /* its points are this many periods apart */
    uint32_t window_signals;        /* of the cost that is being measured: limit_cost */
    uint64_t window_cost_ticks;
    uint32_t trust;                   /* … at most this many, because so far they came on time */
    _Atomic uintptr_t alt_lo, alt_hi; /* its alternate signal stack */
    _Atomic int timer;                /* its kernel timer's id, TIMER_SHARED, or -1 */
    _Atomic bool first;               /* the event still has the length of the first interval */
    _Atomic uintptr_t start;          /* address of its start routine, 0 = unknown */
    _Atomic uint64_t ready_ns;        /* it waited for a processor, and no wall sample has it yet */
};

/* The stack that the last tick of a thread met; tick timers only. */
struct last_stack {
    _Atomic uint32_t ready;
    struct stacktab_key key;
    uint64_t pcs[LIMIT_STACK_DEPTH];
};

struct stack_map {
    uintptr_t lo, hi;
};

struct module {
    _Atomic uint32_t ready;
    uint64_t start, limit, offset; /* executable segment: memory range, file offset */
    uint32_t epoch;                /* of the first sample that can lie in it */
    _Atomic uint32_t seen_unloads; /* rt.unloads when it was last found to be there */
    uint16_t path_len;             /* 0: nobody knows what is there from this epoch on */
    uint8_t build_id_len;
    uint8_t build_id[SHM_BUILD_ID_MAX];
    char path[RUNTIME_PATH];
};

struct runtime {
    _Atomic int sink;            /* enum sink */
    _Atomic int ended;           /* the exit hook ran: handlers do nothing any more */
    _Atomic uint32_t kinds;      /* enum shm_kind: the clocks run only for SHM_KIND_CPU */
    _Atomic uint32_t denied;     /* enum runtime_need: what a sandbox forbids */
    uint32_t pid;                /* of the process that this state describes */
    _Atomic uint32_t server_tid; /* the thread of STROBE_HTTP, which is not sampled; 0: none */
    _Atomic uint32_t looker_tid; /* that of wall_others.c, likewise */
    _Atomic uint64_t looker_ns;  /* CPU time that it has used before */
    int signo;                   /* SIGTRAP or SIGURG */
    struct taskclock clock;      /* back end of new threads */
    uint64_t period_ns;
    uint64_t seed;                       /* 0: random */
    uint32_t max_cost_ppm, interrupt_ns; /* as in struct shm */
    _Atomic uint32_t stride;             /* of new threads, and of all at their next signal */
    _Atomic uint64_t cost_ns;            /* CPU time that signals and handlers took, all threads */
    uint64_t process_origin_ns;          /* the process's CPU clock when its sampling began */
    bool started_by_call;                /* strobe_cpu_start, not the environment or a recorder */
    _Atomic uint32_t thread_ordinal;
    _Atomic uint64_t seen_ns;       /* without a recorder, as shm_process.seen_ns */
    _Atomic uint32_t threads_ended; /* those that are in it */
    _Atomic uint32_t threads_high;  /* entries of `threads` ever used */
    _Atomic uint32_t epoch;         /* of the module list: read behind a walk, see modules.c */
    _Atomic uint32_t unloads;       /* calls of dlclose */
    _Atomic uint32_t module_count;
    _Atomic uint64_t threads_lost, truncated_points, depth_points, sampled_points;

    struct shm *shm; /* SINK_SHM */
    struct shm_process *process;
    uint32_t image;

    struct stacktab *table;      /* SINK_TABLE */
    struct stacktab *wall_table; /* of wall time, in ns (wall.h), or NULL */
    struct tree_gate *gate; /* of the tree that this child counts for (tree.c); shut: it does not */
    struct tree_answers *answers; /* then: where threads are asked for their stacks */

    /* A module may be unmapped only while no other thread walks: see dlclose in interpose_exit.c.
     */
    _Atomic uint32_t walkers;     /* handlers at work */
    _Atomic uint32_t closers;     /* dlclose at work */
    _Atomic uint32_t closing_tid; /* the last of them */

    _Atomic uint64_t ticks_a_period; /* of sigsafe_ticks(), the least seen; 0 = not known */
    struct unwind_cache *cache;
    struct stack_map *stacks; /* writable mappings when threads were found that ran already */
    uint32_t stack_count;
    struct thread *threads;  /* RUNTIME_THREADS */
    struct last_stack *last; /* RUNTIME_THREADS */
    struct module *modules;  /* RUNTIME_MODULES */

    char exe[RUNTIME_PATH]; /* /proc/self/exe at start */
    char cwd[RUNTIME_PATH];
    char lib[RUNTIME_PATH]; /* this library's file, for LD_PRELOAD of children; "" if linked */
    int64_t start_time_ns;  /* wall clock */
    uint64_t start_mono_ns;
};

extern struct runtime rt;

/* ---- state.c ---- */
/* Maps the tables. 0 or negative errno; may be called again. */
int runtime_map(void);
/* The calling thread's entry, or NULL. Not for handlers. */
struct thread *runtime_self(void);
void runtime_set_self(struct thread *t);

/* Makes the table of modules anew, where libc has no search for handlers. Inside our dlclose. */
void runtime_find_modules(void);

/* ---- handler.c (signal-safe) ---- */
void runtime_handler(int sig, siginfo_t *si, void *context);
/* Waits until no handler of another thread is at work; bounded, because a thread may be stopped in
 * one. Not for handlers. */
void runtime_wait_for_handlers(void);
/* In a forked child: the handlers that were at work in the parent's other threads do not exist. */
void runtime_handlers_forget(void);
/* How many sampling points of `t` have passed by `now_ns` on its CPU clock; moves the next one. */
uint64_t runtime_points_passed(struct thread *t, uint64_t now_ns);
/* Writes the stack that the thread's last tick met; false if there is none. */
bool runtime_sample_last(struct thread *t, uint64_t points);
/* Writes one sample of the calling thread's stack as it is now, from the frame on that our
 * interposer or hook returns to at `caller`, under a pseudo frame. */
void runtime_sample_here(struct thread *t, uint64_t points, const void *caller,
                         enum shm_pseudo pseudo);
/* Writes [thread end] under the thread's start routine. The caller is the thread, at its end. */
void runtime_sample_thread_end(struct thread *t, uint64_t points);
/* The end of a thread: what it waited for processors since its last sample, in wall time. */
void runtime_sample_ready(struct thread *t);
/* Writes a stack given by its program counters. */
void runtime_sample_pcs(uint32_t tid, uint64_t points, const uint64_t *pcs, uint32_t depth);
/* Appends a record (r.process and r.image are filled in here, and r.epoch where it is 0) followed
 * by `tail`; false: there was no room. */
bool runtime_emit(struct shm_record *r, uint32_t head_bytes, const void *tail, uint32_t tail_bytes);

/* Where the calling thread's alternate signal stack lies; size 0: it has none. */
void runtime_note_altstack(struct thread *t, const void *base, size_t size);

/* The unwinder's hook: the stack of the calling thread, when a frame leads back to it. */
int runtime_find_bounds(void *ctx, uintptr_t sp, struct unwind_bounds *bounds);

/* ---- modules.c (signal-safe) ---- */
/* The unwinder's hook: notes the module of a program counter seen for the first time. */
void runtime_note_module(void *ctx, const struct unwind_module *m);
/* After dlclose: modules are looked for again when they are met. */
void runtime_modules_changed(void);

/* ---- stacks.c ---- */
/* Notes where the stacks of threads lie that were not made by our pthread_create. Not for handlers.
 */
void runtime_map_stacks(void);
/* The end of the stack that `sp` lies in, by that map; 0 if it is not known. Signal-safe. */
uintptr_t runtime_stack_end(uintptr_t sp);

/* ---- descriptor.c (signal-safe) ---- */
/* Moves a descriptor of ours out of the range that the program's own take, close-on-exec. Returns
 * it, or a negative errno, and `fd` stands where it stood. */
int runtime_move_high(int fd);

/* ---- itimer.c (signal-safe) ---- */
/* The process's one profiling timer: starts it, unless it runs. False: it is the program's, or the
 * kernel has none. */
bool itimer_start(void);
void itimer_stop(void);
/* In a forked child, which inherits none. */
void itimer_forget(void);
/* Whether the program has taken it: its signals are not ours any more. */
bool itimer_is_theirs(void);
/* Whether it runs for us in the process of rt.pid. */
bool itimer_is_ours(void);
/* The program sets it: threads go on without a clock (counted). */
void itimer_give_way(void);

/* ---- sampler.c ---- */
/* A free entry for a new thread, or NULL (counted). */
struct thread *runtime_thread_claim(void);
void runtime_thread_release(struct thread *t);
/* The entry of a thread that is armed, or NULL. Under threads_lock. */
struct thread *runtime_thread_of(uint32_t tid);
/* Starts the clock of thread `tid`, whose CPU clock stood at `origin_ns` when it became ours:
 * points lie at origin + phase + k * period. Points that have passed already stay for the first
 * signal. Falls back to a timer; false if the thread cannot be sampled (counted). */
bool runtime_arm(struct thread *t, uint32_t tid, uint64_t origin_ns);
/* Points in a time that no clock of ours counted: rounded at random, and without a system call, for
 * it is too late for those. */
uint64_t runtime_points_of(uint64_t ns);
void runtime_disarm(struct thread *t);
/* How much of its CPU time a tick timer lets pass between two signals. */
uint64_t runtime_tick_ns(void);
/* What a handler does with its thread's clock at each signal: the first interval is over, or it is
 * time to let go of the descriptor. Signal-safe. */
void runtime_tend_clock(struct thread *t);
/* Adds what a signal has cost, and lowers the process's rate where that is more than is allowed.
 * Signal-safe. */
void runtime_count_cost(struct thread *t, uint64_t handler_ticks);
/* Another interval for the thread that runs this in its handler: rt.stride was raised. */
void runtime_slow_down(struct thread *t);
/* Arms the threads that exist already, the caller's aside. */
void runtime_arm_others(void);
void runtime_disarm_all(void);

/* ---- lifecycle.c ---- */
/* Reads the settings and begins what they ask for, but for the server: in our constructor, or when
 * a constructor before it allocates, so that this is counted, too. Does nothing before libc itself
 * is ready, and the second time. */
void runtime_start(void);
/* Notes what the program, its folder and this library are called. */
void runtime_read_names(void);
/* Begins sampling into `sink`; the tables are mapped and the options are in rt. */
int runtime_begin(enum sink sink);
/* The exit hook: books what is still open, ends the slot or writes the profile. Once. `caller`:
 * where the hook returns to in the program, for the stack of what is booked. */
void runtime_end(bool in_signal, const void *caller);
/* The recorder's segment as a descriptor, by what the environment says of where it is; `ask`: not
 * by its name. -1 or negative errno. */
int runtime_open_segment(const char *where, bool ask);
/* Ends sampling and goes on: strobe_cpu_stop. */
void runtime_pause(const void *caller);
void runtime_thread_end(struct thread *t);
/* The same for a thread that libc does not know: nothing thread-local is touched. */
void runtime_raw_thread_end(struct thread *t);
/* The caller is about to execve: undone by runtime_exec_failed. */
struct shm_process *runtime_exec_begin(const void *caller, enum image_kind image);
/* posix_spawn has made a process that executes `image`. */
void runtime_spawned(pid_t pid, enum image_kind image);
void runtime_exec_failed(struct shm_process *p);

/* Whether samples are being taken in this process. */
bool runtime_is_sampling(void);
/* In a child that was made by fork, _Fork or clone without CLONE_VM; does nothing elsewhere. */
void runtime_forked(void);
/* The calling process is about to be traced, and to execute a program: it is not sampled until
 * then.
 */
void runtime_traced(void);
/* Sampling ends here for good, because the program forbids it; the profile says so. */
void runtime_give_up(void);
/* The caller's process and thread, from the kernel where that is allowed. */
uint32_t runtime_pid(void);
uint32_t runtime_tid(void);

/* ---- sandbox.c ---- */
struct sock_fprog;
/* enum runtime_need: what this filter would not let us do. */
uint32_t sandbox_denies(const struct sock_fprog *p);
/* Would it let the thread of STROBE_HTTP go on? */
bool sandbox_lets_serve(const struct sock_fprog *p);
/* The program is about to install a seccomp filter, or strict mode, for the caller's thread or all.
 */
void sandbox_begins(bool strict, const struct sock_fprog *p, bool all_threads);

/* ---- custom_profiles.c ---- */
/* In a forked child: what another thread was at work on is emptied. */
void custom_profiles_forked(void);

/* ---- threads.c ---- */
/* The alternate stack that the calling thread has of us, or NULL. */
const stack_t *threads_altstack(void);
/* A thread that clone(2) makes: replaces its function and argument by ours, which sample it. NULL:
 * it is left alone. `stack` is where its stack ends. */
struct thread *threads_adopt(int (**fn)(void *), void **arg, void *stack);
/* From now on the stacks that make threads are counted. 0 or -ENOMEM. */
int threads_count_creations(void);
/* Those stacks, or NULL: they are not counted. */
struct stacktab *threads_creations(void);
/* In a forked child: they are counted in its slot of the tree, or not. */
void threads_creations_forked(void);
/* Makes the key whose destructor ends a thread. */
void threads_init(void);
/* Held while profiling starts or stops, and while a thread begins or ends, so that each thread is
 * armed by one side or the other and not by both. Never taken in a handler. */
void threads_lock(void);
void threads_unlock(void);
/* In a forked child: whoever held it does not exist. */
void threads_forget(void);

/* ---- environ.c ---- */
/* Takes STROBE* and our LD_PRELOAD out of environ and remembers them for children. */
void environ_hide(void);
/* How many pointers, and bytes of text, environ_restore needs for `envp`; 0 pointers: pass envp. */
void environ_measure(char *const envp[], size_t *pointers, size_t *bytes);
/* Writes envp with what children need put back. Safe after vfork. */
void environ_restore(char *const envp[], char **out, char *text);
/* `file` as for execvp. Safe after vfork. */
enum image_kind environ_image_of(const char *file);
/* Without a recorder: the CPU time of this process that is in profiles of its images so far, for
 * the next image; 0: execve failed. */
void environ_note_exec(uint64_t cpu_ns);
/* The address in the environment is served: children that inherit it need not. `where` is the
 * segment of the tree (tree.h), or "1": there is none. */
void environ_note_served(const char *where);
/* What the image before noted, or 0. */
uint64_t environ_exec_ns(void);
/* A hidden variable's value, or NULL. */
const char *environ_get(const char *name);

/* ---- valgrind.c ---- */
struct strobe_config;
/* Whether this process runs under valgrind, where nothing is profiled; it says so, once, if
 * something was asked for. */
bool valgrind_stops(const struct strobe_config *c);

/* ---- options.c ---- */
enum config_kind {
    CONFIG_CPU = 1,
    CONFIG_HEAP = 2,
    CONFIG_ALLOCS = 4, /* the heap profile, seen as all that was ever allocated */
    CONFIG_BLOCK = 8,
    CONFIG_MUTEX = 16,
    CONFIG_WALL = 32,
    CONFIG_THREADS = 64, /* where they are at the end */
    CONFIG_THREADCREATE = 128,
    CONFIG_ALL_KINDS = CONFIG_CPU | CONFIG_HEAP | CONFIG_BLOCK | CONFIG_MUTEX | CONFIG_WALL |
                       CONFIG_THREADS | CONFIG_THREADCREATE,
};

struct strobe_config {
    uint32_t kinds; /* enum config_kind */
    bool kinds_given, out_given, heap_peak, served;
    int hz;
    uint64_t heap_rate;
    uint64_t block_rate; /* ns */
    uint32_t mutex_fraction;
    uint32_t block_what; /* enum waittab_what */
    enum shm_backend backend;
    uint64_t seed;
    uint32_t max_cost_ppm;
    char out[RUNTIME_PATH];    /* file name pattern */
    char http[RUNTIME_PATH];   /* where /debug/pprof/ is served, or "" */
    char record[RUNTIME_PATH]; /* the recorder's segment, or "" */
    char tree[64];             /* the segment of who serves `http` already, or "" */
    uint32_t session;          /* that this began in; 0: not known */
};
/* Reads the environment. 0, or -EINVAL after saying why on stderr. 1: help was printed. */
int options_read(struct strobe_config *c);
/* "sync", "io", or both; enum waittab_what. -EINVAL. */
int options_parse_block(const char *text, uint32_t *what);
/* Replaces %p, %e, and %k by `kind`. -ENAMETOOLONG. */
int options_expand(char *out, size_t size, const char *pattern, const char *kind);

/* ---- api.c ---- */
/* Sets strobe_last_error; returns `code`. */
int api_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The CPU profile of strobe_start's session, and of a request: as strobe_cpu_start and its kin, but
 * each is stopped only by who has started it. */
int api_cpu_start(const struct strobe_config *c, const char *path);
int api_cpu_stop(void);
int api_http_cpu_start(strobe_write_fn write_fn, void *ctx);
int api_http_cpu_stop(void);
/* Wall time: begins to be sampled, and CPU time with it if it is not; NULL: with the environment's
 * settings. Counted: it ends with the last of those who began it. */
int api_wall_start(const struct strobe_config *c);
void api_wall_stop(void);
/* Whether somebody takes a CPU profile by a call or over HTTP. */
bool api_cpu_is_taken(void);
/* Begins the profile that the environment asks for, if any. */
void runtime_begin_from_environment(const struct strobe_config *c);
/* Starts the server that the environment asks for, if any. */
void runtime_serve(const struct strobe_config *c);

/* ---- signals.c ---- */
/* Installs our handler for rt.signo and, if `fatal`, those that save the profile when a signal
 * ends the program. */
int signals_install(bool fatal);
/* Calls what the program itself has installed for a signal that was not ours. */
void signals_forward(int sig, siginfo_t *si, void *context);
/* Whether the calling thread believes that rt.signo is blocked; a new one inherits it. */
bool signals_believed_blocked(void);
/* In a new thread: what its creator believed. */
void signals_begin_thread(bool blocked);
/* Saves the profile when a signal ends the program. */
void signals_save_at_death(void);
/* Faults that nobody handles come to debug_fault first. */
void signals_see_faults(void);
/* Before and after (if it failed, or made a child) a call that starts a new image. */
void signals_for_exec(bool begin);
/* sigaltstack(2), noted for the unwinder. */
int signals_altstack(const stack_t *st, stack_t *old);

/* ---- real.c ---- */
/* The next definition of one of the functions we interpose; never NULL for libc's own. */
void *real_function(const char *name);
/* The file this code was loaded from. */
void real_library_path(char *out, size_t size);

#endif
