/* SPDX-License-Identifier: MIT
 *
 * The memory that libstrobe shares with the recorder: a pool of chunks into which handlers append
 * records, and a slot for each process. It is a memfd that the recorder creates and allocates in
 * full before the program starts (a sparse one would mean SIGBUS when memory is short), and that
 * every process of the tree maps. The kernel keeps it when a process is killed, so what was
 * committed is never lost.
 *
 * Chunks. A chunk is in exactly one place: on the free list, held by one writer (between pop and
 * push), or full and waiting for the recorder. A writer pops a chunk, appends one record, moves
 * `committed` (release), pushes the chunk back; a chunk without room is marked full instead and the
 * writer pops the next. The recorder reads [consumed, committed) of every chunk at any time
 * (acquire; how far it came only it knows), empties full ones and pushes them. The list is last in,
 * first out: a quiet program touches one chunk. A writer killed while it holds a chunk leaves it to
 * the recorder, which takes it back when the holder's process is gone. Head words carry a tag
 * against ABA.
 *
 *   consumed <= committed <= SHM_CHUNK_DATA;  record sizes are multiples of 8
 *   a record that was not committed does not exist
 *
 * Everything here is lock-free and async-signal-safe; nothing trusts the other side: indexes and
 * sizes are checked against the mapping by whoever reads them (the program may scribble on it).
 */
#ifndef BASE_SHM_H
#define BASE_SHM_H

#include "base/limits.h"
#include "base/waittab.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_MAGIC        0x31656d7362727473ull /* "strbsme1" */
#define SHM_VERSION      6u
#define SHM_CHUNK_BYTES  (32u << 10)
#define SHM_CHUNK_DATA   (SHM_CHUNK_BYTES - 64u)
#define SHM_CHUNKS       512u  /* 16 MiB */
#define SHM_PROCESSES    2048u /* alive, or ended and not yet collected */
#define SHM_PATH_MAX     512u
#define SHM_BUILD_ID_MAX 32u

enum shm_backend {
    SHM_BACKEND_AUTO,    /* find out at start */
    SHM_BACKEND_SIGTRAP, /* perf_event task-clock, synchronous SIGTRAP: kernel time included */
    SHM_BACKEND_SIGNAL,  /* perf_event task-clock, F_SETSIG: only user time is interrupted */
    SHM_BACKEND_TIMER, /* timer_create on the thread's CPU clock: expires on the scheduler's tick */
    SHM_BACKEND_ITIMER, /* setitimer: one for the process, its signal to whoever runs */
    SHM_BACKEND_COUNT
};

/* What is recorded. */
enum shm_kind {
    SHM_KIND_CPU = 1,
    SHM_KIND_HEAP = 2,
    SHM_KIND_BLOCK = 4,
    SHM_KIND_MUTEX = 8,
    SHM_KIND_THREADS = 16, /* where threads are when a process ends */
    SHM_KIND_THREADCREATE = 32,
    SHM_KIND_WALL = 64, /* time off the processor, whose samples weigh microseconds; and CPU time */
};

enum shm_record_type {
    SHM_SAMPLE = 1, /* struct shm_sample */
    SHM_MODULE,     /* struct shm_module */
    SHM_IMAGE,      /* struct shm_image: a process began, by fork or exec */
    SHM_LABELS,     /* struct shm_labels */
    SHM_RECORD_TYPES
};

/* Pseudo program counters: stacks may start (leaf first) with one of these. They are below any
 * address the kernel maps. The recorder turns them into functions of that name. */
enum shm_pseudo {
    SHM_PSEUDO_EXEC = 1,   /* [exec and dynamic linking] */
    SHM_PSEUDO_EXIT,       /* [exit] */
    SHM_PSEUDO_THREAD_END, /* [thread end]: passed points whose signal came too late */
    SHM_PSEUDO_UNRECORDED, /* [processes not recorded] */
    SHM_PSEUDO_UNSAMPLED,  /* [threads not sampled] */
    SHM_PSEUDO_SANDBOXED,  /* [sandboxed, not sampled] */
    SHM_PSEUDO_STOP,       /* [stop]: points whose signal had not come when a live profile ended */
    SHM_PSEUDO_SERVER,     /* [strobe's own server]: the thread of STROBE_HTTP */
    SHM_PSEUDO_UNSEEN,     /* [unlocked elsewhere]: in another process, or inside of libc */
    SHM_PSEUDO_BLOCKED,    /* [blocked]: it is not known where */
    SHM_PSEUDO_READY,      /* [waiting for a processor]: and no sample says where */
    SHM_PSEUDO_HELD,       /* [not unlocked]: a lock that was waited for at the program's end */
    SHM_PSEUDO_COUNT
};

#define SHM_PSEUDO_NAMES                                                                           \
    {                                                                                              \
        [SHM_PSEUDO_EXEC] = "[exec and dynamic linking]", [SHM_PSEUDO_EXIT] = "[exit]",            \
        [SHM_PSEUDO_THREAD_END] = "[thread end]",                                                  \
        [SHM_PSEUDO_UNRECORDED] = "[processes not recorded]",                                      \
        [SHM_PSEUDO_UNSAMPLED] = "[threads not sampled]",                                          \
        [SHM_PSEUDO_SANDBOXED] = "[sandboxed, not sampled]", [SHM_PSEUDO_STOP] = "[stop]",         \
        [SHM_PSEUDO_SERVER] = "[strobe's own server]",                                             \
        [SHM_PSEUDO_UNSEEN] = "[unlocked elsewhere]", [SHM_PSEUDO_BLOCKED] = "[blocked]",          \
        [SHM_PSEUDO_READY] = "[waiting for a processor]", [SHM_PSEUDO_HELD] = "[not unlocked]",    \
    }

enum shm_sample_flags {
    SHM_STACK_TRUNCATED = 1, /* the walk ended before the thread's root */
    SHM_STACK_DEPTH = 2,     /* deeper than the limit: leaf-most frames are missing */
    SHM_STACK_OTHER = 4,     /* of heap profiles: not the process's first thread */
};

struct shm_record {
    uint32_t size;    /* of the whole record, multiple of 8 */
    uint16_t type;    /* enum shm_record_type */
    uint16_t process; /* slot */
    uint32_t image;   /* the slot's image count when it was written */
    uint32_t epoch;   /* of the process's module list: raised when an address range is reused */
};

struct shm_sample {
    struct shm_record r;
    uint32_t tid;
    uint32_t weight; /* sampling points this stack stands for, >= 1; or what the kind says */
    uint16_t flags;  /* enum shm_sample_flags */
    uint16_t depth;
    uint32_t reason; /* why truncated: the unwinder's code */
    uint32_t labels; /* of the thread: the number of a set of this image, or one it was forked from;
                        0: none */
    uint32_t kind;   /* enum shm_kind; 0: CPU time */
    uint64_t pcs[];  /* leaf first; callers as return address - 1 */
};

/* A set of labels (base/labeltab.h) under the number that samples have of it. */
struct shm_labels {
    struct shm_record r;
    uint32_t number, text_len;
    char text[];
};

struct shm_module {
    struct shm_record r;
    uint64_t start, limit, offset; /* of the executable segment: memory range and file offset */
    uint16_t path_len;
    uint8_t build_id_len;
    uint8_t pad[5];
    uint8_t build_id[SHM_BUILD_ID_MAX];
    char path[]; /* path_len bytes, no NUL */
};

struct shm_image {
    struct shm_record r;
    uint32_t pid;
    uint32_t parent_process; /* slot of the process this one was forked from, or UINT32_MAX */
    uint32_t parent_image;
    uint32_t backend; /* enum shm_backend in use */
    uint16_t exe_len;
    uint8_t pad[6];
    char exe[]; /* path of the executable, no NUL */
};

enum shm_process_state {
    SHM_FREE,
    SHM_CLAIMED, /* being filled */
    SHM_EXECING, /* between execve's call and the new image's constructor */
    SHM_LIVE,
    SHM_ENDED, /* its exit hook ran */
};

struct shm_process {
    _Atomic uint32_t state; /* enum shm_process_state */
    _Atomic uint32_t pid;
    _Atomic uint32_t image;          /* counts executions in this slot; never goes back */
    _Atomic uint32_t threads_lost;   /* threads that could not be sampled */
    _Atomic uint64_t cpu_at_exec_ns; /* CPU clock of the thread that called execve, then */
    _Atomic uint64_t cpu_at_end_ns;  /* process CPU clock when the exit hook ran, 0 = it did not */
    _Atomic uint64_t booked_points;  /* sum of weights written */
    _Atomic uint64_t
        seen_ns; /* CPU time of its threads, as their clocks showed it when they ended */
    _Atomic uint64_t lost_samples, lost_points; /* no chunk was free */
    _Atomic uint64_t labels_lost;               /* sets that could not be kept */
    _Atomic uint64_t counts_lost;               /* samples of other kinds than CPU time */
    _Atomic uint64_t wall_lost_ns;              /* wall time in no sample */
    _Atomic uint32_t helper; /* a process that writes for this one, and to the end of it; 0: none */
    _Atomic uint64_t helper_ns; /* CPU time of our own processes, which are its children */
    _Atomic uint32_t wall_stride, wall_blind; /* struct wall's */
    _Atomic uint32_t sandboxed;               /* the program forbade sampling: it ended there */
    _Atomic uint32_t stride;  /* points to a sample: > 1 where the rate was lowered */
    _Atomic uint64_t cost_ns; /* CPU time of our own in the sampled threads */
    /* Memory at the process's end, in bytes; 0: it was killed, or has no heap profile. */
    _Atomic uint64_t rss_bytes, live_bytes, held_bytes, own_bytes;
};

struct shm_chunk {
    _Atomic uint32_t next;      /* free list: index + 1 of the next, 0 = end */
    _Atomic uint32_t committed; /* bytes of data that are valid */
    _Atomic uint32_t full;      /* 1: waits for the recorder */
    _Atomic uint32_t holder;    /* pid of the writer that popped it, 0 = none */
    uint32_t pad[12];
    unsigned char data[SHM_CHUNK_DATA];
};

struct shm {
    uint64_t magic;
    uint32_t version, size_bytes;
    uint32_t hz, backend; /* backend: what the recorder's self-test chose */
    uint64_t period_ns;
    uint64_t seed; /* 0: from the kernel; else every phase follows from it */
    uint32_t depth_max;
    uint32_t recorder_pid;
    uint32_t exclude_kernel;    /* perf refuses kernel time to this user */
    uint32_t max_cost_ppm;      /* of its CPU time that sampling may cost a program; 0: whatever */
    uint32_t interrupt_ns;      /* what one signal costs besides its handler, as measured */
    uint32_t kinds;             /* enum shm_kind */
    uint64_t heap_rate;         /* bytes between two samples of allocations */
    uint64_t block_rate;        /* ns of waiting to a sample */
    uint32_t mutex_fraction;    /* contentions to a sample */
    uint32_t block_what;        /* enum waittab_what */
    _Atomic uint64_t free_head; /* tag << 32 | index + 1 */
    _Atomic uint32_t processes_lost; /* no slot was free */
    _Atomic uint32_t processes_high; /* slots ever used */
    _Atomic uint32_t stop;           /* the recorder wants no more samples */
    _Atomic uint32_t ordinal;        /* of processes, for the seed */
    struct shm_process processes[SHM_PROCESSES];
    struct shm_chunk chunks[SHM_CHUNKS];
};

_Static_assert(sizeof(struct shm_chunk) == SHM_CHUNK_BYTES, "chunks are contiguous");
_Static_assert(sizeof(struct shm_sample) + LIMIT_STACK_DEPTH * 8 <= SHM_CHUNK_DATA, "one fits");

/* Fills freshly zeroed memory of sizeof(struct shm): all chunks free. The recorder calls it. */
void shm_init(struct shm *s);
/* Whether `s`, of which `size` bytes are mapped, is a segment this version can use. */
bool shm_valid(const struct shm *s, size_t size);

/* Takes a chunk with room for `bytes`, for the process `pid`, or NULL: the sample is lost. */
struct shm_chunk *shm_chunk_take(struct shm *s, uint32_t bytes, uint32_t pid);
/* Commits the record of `bytes` (0: nothing) that was written at data + committed, and puts the
 * chunk back. */
void shm_chunk_put(struct shm *s, struct shm_chunk *c, uint32_t bytes);
/* The recorder: empties a chunk that is full or whose holder is gone and frees it. */
void shm_chunk_recycle(struct shm *s, struct shm_chunk *c);

/* Claims a free process slot for `pid`; NULL (and counted) when there is none. State CLAIMED. */
struct shm_process *shm_process_claim(struct shm *s, uint32_t pid);
/* The slot that waits in state EXECING for the image of `pid`, or NULL. */
struct shm_process *shm_process_find_execing(struct shm *s, uint32_t pid);

/* Where in the segment's file the heap profile of a slot is: a struct heaptab of HEAPTAB_BYTES,
 * which the process allocates as far as it needs. Only where SHM_KIND_HEAP is recorded. */
static inline uint64_t shm_heap_offset(uint32_t slot)
{
    return ((sizeof(struct shm) + 4095) & ~4095ull) + slot * HEAPTAB_BYTES;
}

/* The same for waits: WAITTAB_BYTES, where SHM_KIND_BLOCK or SHM_KIND_MUTEX is recorded. */
static inline uint64_t shm_wait_offset(uint32_t slot)
{
    return shm_heap_offset(SHM_PROCESSES) + slot * WAITTAB_BYTES;
}

static inline uint32_t shm_process_index(const struct shm *s, const struct shm_process *p)
{
    return (uint32_t)(p - s->processes);
}

#endif
