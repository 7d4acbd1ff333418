/* SPDX-License-Identifier: MIT
 *
 * strobe: profiles of native programs, from inside. Link with `pkg-config --cflags --libs strobe`.
 *
 * A program that is linked with libstrobe and asks for nothing pays nothing: no thread, no timer,
 * no socket. The files are pprof profiles (github.com/google/pprof, proto/profile.proto), gzip'ed:
 * `strobe top FILE`, `strobe web FILE` and `pprof FILE` read them.
 *
 *     #include <strobe/strobe.h>
 *
 *     if (strobe_cpu_start("cpu.pb.gz") != 0)
 *         fprintf(stderr, "%s\n", strobe_last_error());
 *     work();
 *     strobe_cpu_stop();
 *
 * The same without code: LD_PRELOAD=libstrobe.so STROBE=cpu STROBE_OUT=cpu.pb.gz ./prog
 * (STROBE=help prints every setting), or `strobe record -- ./prog`.
 *
 * Functions return 0, or a negative errno with a sentence in strobe_last_error(). They may be
 * called from any thread, one at a time; never from a signal handler. */
#ifndef STROBE_STROBE_H
#define STROBE_STROBE_H

#include <stddef.h>

#include <strobe/version.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define STROBE_API __attribute__((visibility("default")))
#else
#define STROBE_API
#endif

/* Takes a part of a finished profile; returns 0, or non-zero to give up (the profile is lost and
 * strobe_cpu_stop() returns -EIO). Called several times, in order, in the thread that stops. */
typedef int (*strobe_write_fn)(void *ctx, const void *bytes, size_t size);

/* Starts the CPU profile of this process: every thread that runs now or is made later, sampled
 * STROBE_HZ times (default 100) a second of its own CPU time. `path` is created at once, so that a
 * bad name fails here; it is written at strobe_cpu_stop(), or when the program ends by exit, _exit,
 * quick_exit or a fatal signal. `%p` in it is replaced by the process id; with it, children made by
 * fork write files of their own.
 * -EALREADY: a CPU profile is running (also when `strobe record` runs the program). */
STROBE_API int strobe_cpu_start(const char *path);

/* The same, to a function. Nothing is written when the program ends without strobe_cpu_stop(). */
STROBE_API int strobe_cpu_start_writer(strobe_write_fn write, void *ctx);

/* Stops and writes. -EINVAL: no profile was started by strobe_cpu_start*. */
STROBE_API int strobe_cpu_stop(void);

/* Samples a second for the next start: 1 to 10,000; 0 goes back to STROBE_HZ or the default. */
STROBE_API int strobe_cpu_set_rate(int hz);

/* ---- a session: profiles of a whole run, in the manner of Go's github.com/pkg/profile ----
 *
 *     int main(void)
 *     {
 *         strobe_start(NULL);              // CPU, into a new folder; says where on stderr
 *         work();
 *         strobe_stop();
 *     }
 *
 * or with options, each of which has the meaning and the values of its variable in the environment
 * (STROBE=help prints them):
 *
 *     struct strobe_options o;
 *     strobe_options_default(&o);
 *     o.kinds = "cpu,heap";
 *     o.path = "profiles";
 *     if (strobe_start(&o) != 0)
 *         fprintf(stderr, "%s\n", strobe_last_error());
 */
struct strobe_options {
    /* What is taken, with commas: cpu, heap (also mem), allocs, mutex, block, threadcreate,
     * goroutine (also threads), wall (also clock). "cpu". */
    const char *kinds;
    /* The folder of the files; it is made if it is not there. NULL: a new one in $TMPDIR. The files
     * are cpu.pprof, mem.pprof, mutex.pprof, block.pprof, threadcreation.pprof, goroutine.pprof and
     * clock.pprof. */
    const char *path;
    /* A pattern for the files instead, as STROBE_OUT: %p is the pid, %e the program, %k the kind.
     */
    const char *out;
    int quiet; /* 1: no messages on stderr */
    /* 0: an interrupt (SIGINT), where the program has no handler for it, says "caught interrupt,
     * stopping profiles", writes cpu, heap and allocs, and ends the program with status 0. 1: it
     * ends the program as ever; those three are written all the same. */
    int no_shutdown_hook;
    int hz; /* samples a second of each thread's CPU time, and of wall, 1 to 10000; 100 */
    unsigned long long heap_rate;  /* bytes allocated to a sample, 1 is every allocation; 4096 */
    int heap_peak;                 /* 1: what is in use is that of the program's peak */
    const char *http;              /* serves /debug/pprof/ at HOST:PORT or unix:PATH; NULL: not */
    const char *max_cost;          /* percent of CPU time that sampling may cost; 0: any; "1" */
    const char *backend;           /* auto, sigtrap, signal, timer, itimer */
    unsigned long long seed;       /* fixes every random choice, for tests; 0: random */
    unsigned long long block_rate; /* ns of waiting to a sample of block; 1 (and 0) is every wait */
    int mutex_fraction;            /* contentions to a sample of mutex; 1 (and 0) is every one */
    /* The waits that block has: "sync", "io" (system calls), or "sync,io". NULL: "sync". */
    const char *block;
    /* Switches of STROBE_DEBUG that can begin while a program runs, which are schedtrace=MS and
     * scheddetail=1, until strobe_stop(); NULL: none. Those that look at allocations have to be
     * there before the first of them: only in the environment. */
    const char *debug;
    void *reserved[4]; /* NULL */
};

/* Fills it with what holds if nothing is changed: the environment's STROBE_HZ, STROBE_HEAP_RATE,
 * STROBE_HEAP_PEAK, STROBE_MAX_COST, STROBE_BACKEND, STROBE_SEED, STROBE_BLOCK_RATE,
 * STROBE_MUTEX_FRACTION and STROBE_BLOCK, else the defaults above. */
STROBE_API void strobe_options_default(struct strobe_options *options);

/* Starts a session; NULL: the defaults. The files are created at once. One session at a time,
 * others may follow. Of several kinds each has the others' cost in it, which is said once. The heap
 * is sampled until the program ends, at the rate of the first session. A session that is not
 * stopped is at exit; by _exit or a fatal signal only cpu, heap and allocs are written. -EALREADY:
 * a session, or a CPU profile, is running. -ENOTSUP: a debug switch cannot begin now, or the
 * program has an allocator of its own. -EINVAL: an option. Else the error of a file. */
STROBE_API int strobe_start(const struct strobe_options *options);

/* Stops the session and writes the files. 0 if none is running. The first error of several. */
STROBE_API int strobe_stop(void);

/* The file of one of the session's kinds, running or last; NULL: it has none. Valid until the next
 * start. */
STROBE_API const char *strobe_path(const char *kind);

/* ---- profiles by name ----
 *
 *     strobe_write(strobe_lookup("goroutine"), write_to_stdout, NULL, 1);
 */
struct strobe_profile;

/* heap, allocs, block, mutex, goroutine (also threads), threadcreate, wall, or one of the program's
 * own; the list is what /debug/pprof/ shows. NULL: there is none of that name. Never freed. */
STROBE_API const struct strobe_profile *strobe_lookup(const char *name);
STROBE_API const char *strobe_profile_name(const struct strobe_profile *profile);
/* How many stacks are in it now: the number in the index. */
STROBE_API unsigned long long strobe_profile_count(const struct strobe_profile *profile);

/* Writes a profile as it is now: `debug` 0 is profile.proto, gzip'ed; 1 the text with names; 2, of
 * goroutine, a block a thread. As GET /debug/pprof/NAME?debug=N answers. `write` is called in this
 * thread. wall is what there is since it was begun, by a session or by STROBE=wall. -EIO: `write`
 * gave up. -ENOTSUP: the profile is not taken in this program, see strobe_last_error(). -EINVAL:
 * profile or write is NULL. */
STROBE_API int strobe_write(const struct strobe_profile *profile, strobe_write_fn write, void *ctx,
                            int debug);

/* From now on the heap is sampled, one allocation in `bytes` on average; 1: every one, 0: none. The
 * first time as early as possible, for what was allocated before is not seen. Later calls change
 * the rate: what was sampled counts as what it stood for then, and is followed until it is freed,
 * also at 0. The calling thread has the new rate at once, others have it within a mebibyte of what
 * they allocate. Any thread. -EINVAL: more than 2^40. -ENOTSUP: the program has an allocator of its
 * own. -EPERM: the first call came after a sandbox that forbids mprotect. */
STROBE_API int strobe_heap_set_rate(unsigned long long bytes);

/* ---- what the program counts and times itself; at /debug/vars ----
 *
 * Any thread, any time; not in signal handlers. Names are copied, of at most 63 bytes; 512 of them.
 */

/* As Go's expvar.Int. -EINVAL: the name is too long, empty or taken (cmdline, memstats, spans,
 * errors), or there are too many. */
STROBE_API int strobe_counter_add(const char *name, long long n);
STROBE_API int strobe_counter_set(const char *name, long long value);

/* A span: how long something takes, in wall time, added up by its name.
 *
 *     struct strobe_span s = strobe_span_begin("checkout");
 *     …
 *     strobe_span_end(&s);
 *
 * It may end in another thread. */
struct strobe_span {
    void *row; /* libstrobe's; NULL: it has ended, or there was no room */
    unsigned long long since_ns;
};
STROBE_API struct strobe_span strobe_span_begin(const char *name);
/* Its nanoseconds; 0 if it had ended already. */
STROBE_API unsigned long long strobe_span_end(struct strobe_span *span);

/* Counts an error by its kind ("timeout", "EPIPE") and by the stack it is called from: the profile
 * `errors`, and at /debug/vars with the last message and when. `message` may be NULL. 64 kinds; the
 * 64th is "other". errno stays. */
STROBE_API void strobe_error(const char *kind, const char *message);

/* ---- /debug/pprof/ in the program's own server ----
 *
 *     struct strobe_http_request request = {.method = "GET", .target =
 * "/debug/pprof/heap?debug=1"}; struct strobe_http_response response; if
 * (strobe_http_handle(&request, &response) == 0) { send(response.status, response.headers,
 * response.body); strobe_http_free(&response); } else … a path of the program's own
 *
 * examples/ has it in libmicrohttpd, in a loop over sockets, and in the router of a web
 * application.
 */
struct strobe_http_request {
    const char *method; /* NULL: "GET" */
    const char *target; /* path and query as they were asked for; it is decoded here */
    const void *body;   /* of a POST */
    size_t body_size;
};

struct strobe_http_header {
    const char *name, *value;
};

/* All of it is libstrobe's until strobe_http_free. For HEAD the server leaves the body out. */
struct strobe_http_response {
    int status;
    const struct strobe_http_header *headers; /* without Content-Length and Connection */
    size_t header_count;
    const void *body;
    size_t body_size;
    int wait_ms; /* strobe_http_begin only: strobe_http_finish is due then */
    void *state; /* libstrobe's */
};

/* Answers as the server of STROBE_HTTP does. A profile over some seconds takes them: the calling
 * thread sleeps. -ENOENT: the path is not /debug/pprof…, /debug/vars or /debug/strobe, and is left
 * to the program. -EINVAL: the target is no path. -ENOMEM. Then there is nothing to free. */
STROBE_API int strobe_http_handle(const struct strobe_http_request *request,
                                  struct strobe_http_response *response);

/* For servers that must not sleep: begins to answer. wait_ms 0: it is done. Else come back in that
 * time (earlier: the profile is shorter) and call strobe_http_finish, which completes `response`.
 * strobe_http_free instead gives the profile up. */
STROBE_API int strobe_http_begin(const struct strobe_http_request *request,
                                 struct strobe_http_response *response);
STROBE_API void strobe_http_finish(struct strobe_http_response *response);
STROBE_API void strobe_http_free(struct strobe_http_response *response);

/* One route each, under whatever path the program's router has it; only the query is read. cpu is
 * Go's "profile"; `name` is a profile's, or that of one of the other routes. */
STROBE_API int strobe_http_index(const struct strobe_http_request *request,
                                 struct strobe_http_response *response);
STROBE_API int strobe_http_cmdline(const struct strobe_http_request *request,
                                   struct strobe_http_response *response);
STROBE_API int strobe_http_cpu(const struct strobe_http_request *request,
                               struct strobe_http_response *response);
STROBE_API int strobe_http_symbol(const struct strobe_http_request *request,
                                  struct strobe_http_response *response);
STROBE_API int strobe_http_trace(const struct strobe_http_request *request,
                                 struct strobe_http_response *response);
STROBE_API int strobe_http_profile(const char *name, const struct strobe_http_request *request,
                                   struct strobe_http_response *response);

/* ---- this library ---- */

/* Why the last call failed: a sentence, valid until the next call. Never NULL. */
STROBE_API const char *strobe_last_error(void);

/* The version of the library that is loaded; the header's is STROBE_VERSION. */
STROBE_API const char *strobe_version(void);

/* ---- profiles of your own ----
 *
 * What a program has open, or at work, by the stacks that began it: connections, files, jobs. As
 * Go's pprof.NewProfile:
 *
 *     static struct strobe_profile *connections;
 *     connections = strobe_profile_new("connections");
 *     strobe_profile_add(connections, c, 0);               c is opened …
 *     strobe_profile_remove(connections, c);               … and closed
 *
 * Each stands in the index of /debug/pprof/ and answers at /debug/pprof/NAME. Its samples have the
 * labels of the threads that added them. Any number of threads may add and remove at once; not in
 * signal handlers. strobe_profile_count() counts the values. */

/* Makes an empty one, for the life of the process. NULL: there is one of this name, strobe's own
 * ones (heap, goroutine …) included, or it is not a name (1 to 63 bytes, no blanks, none of
 * /?#&%<>"'), or there is no memory. */
STROBE_API struct strobe_profile *strobe_profile_new(const char *name);

/* Adds a value, known by its address, at the stack of the caller, without its `skip` innermost
 * frames. 0; -EEXIST: it is in it already; -ENOSPC: there is no room; -EINVAL: value is NULL, or p
 * is not a profile of the program's own. */
STROBE_API int strobe_profile_add(struct strobe_profile *p, const void *value, int skip);

/* Takes a value out again; does nothing where it is not in it. */
STROBE_API void strobe_profile_remove(struct strobe_profile *p, const void *value);

/* ---- labels ----
 *
 * Keys and values that say what the calling thread works at. Samples of CPU time and of the heap,
 * and the thread in the list of threads, carry them: `strobe tags` adds up by them, and -tagfocus
 * route=/search shows only that.
 *
 *     unsigned before = strobe_label_push("route", "/search");
 *     search();
 *     strobe_label_pop(before);
 *
 * Labels nest; the innermost value of a key counts. Threads made meanwhile begin with the labels of
 * the thread that makes them. Unlike the functions above these may be called by any number of
 * threads at once, and from signal handlers; they take no lock and allocate nothing. They are cheap
 * (a look-up in a table), and a program that never calls them pays nothing.
 *
 * At most 32 labels and 1 KB of text at a time, values up to 255 bytes (longer ones are cut), and
 * some 60,000 different sets of labels in a process's life: a value for each request is too much,
 * one for each kind of request is what labels are for. A label that cannot be kept is left out, and
 * the profile's comments say how often that was. */

/* Adds a label to the calling thread, or changes its value; value NULL: takes it off. Returns what
 * strobe_label_pop() is to be given. */
STROBE_API unsigned strobe_label_push(const char *key, const char *value);

/* Goes back to the labels as they were before that push. */
STROBE_API void strobe_label_pop(unsigned before);

/* All labels of the calling thread as one number, for another thread of this process that goes on
 * with the same work: it calls strobe_labels_set() with it. 0: no labels. */
STROBE_API unsigned strobe_labels_get(void);
STROBE_API void strobe_labels_set(unsigned labels);

/* The value that the calling thread has for a key, or NULL. It stays valid. */
STROBE_API const char *strobe_label(const char *key);

#if defined(__GNUC__) && !defined(__cplusplus)
static inline void strobe_label_leave(const unsigned *before)
{
    strobe_label_pop(*before);
}
#define STROBE_LABEL_NAME2(line) strobe_label_at_##line
#define STROBE_LABEL_NAME(line)  STROBE_LABEL_NAME2(line)
/* A label until the end of the enclosing block, however that is left. */
#define STROBE_LABEL(key, value)                                                                   \
    __attribute__((cleanup(strobe_label_leave), unused)) const unsigned STROBE_LABEL_NAME(         \
        __LINE__) = strobe_label_push(key, value)
#endif

/* ---- waits: the profiles block and mutex ---- */

/* How much waiting there is to a sample of the block profile, in ns: 1 is every wait, 0 ends it. As
 * STROBE_BLOCK_RATE, but at run time, and also where nothing was profiled before; what has been
 * counted stays. -ENOMEM. */
STROBE_API int strobe_set_block_rate(long long rate_ns);

/* One in how many contentions the mutex profile has: 1 is every one, 0 ends it; a negative number
 * changes nothing. Returns what it was before, or -ENOMEM. */
STROBE_API int strobe_set_mutex_fraction(int fraction);

/* Around a wait for a lock of the program's own making: it is in the block profile as one wait,
 * whatever the thread does in between to wait. `kind` says what is waited for, in the stacks of
 * threads, and must stay valid meanwhile; NULL: nothing is said. Pairs nest; more than four in one
 * another are counted for the outer four. */
STROBE_API void strobe_block_begin(const char *kind);
STROBE_API void strobe_block_end(void);

/* ---- pools ----
 *
 * Objects that the program makes of memory it has already, in pools, arenas, slabs: with these two
 * calls they are in the heap profile like those of malloc, under their own stacks and with the
 * label `pool`. The memory that the pool got is in it, too, under the stack that got it.
 *
 *     struct node *n = take_from_slab();
 *     strobe_alloc(n, sizeof *n, "nodes");
 *     ...
 *     strobe_free(n);
 *     give_back_to_slab(n);
 *
 * Any thread; not from signal handlers. While no heap profile is taken a call costs a branch, else
 * as much as one of malloc's. */

/* `size` bytes at p are an object of the pool from now on, until strobe_free(p). */
STROBE_API void strobe_alloc(const void *p, size_t size, const char *pool);
/* NULL, and what was never given to strobe_alloc, is fine. */
STROBE_API void strobe_free(const void *p);

#ifdef __cplusplus
}
#endif

#endif
