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

/* Why the last call failed: a sentence, valid until the next call. Never NULL. */
STROBE_API const char *strobe_last_error(void);

/* The version of the library that is loaded; the header's is STROBE_VERSION. */
STROBE_API const char *strobe_version(void);

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

#ifdef __cplusplus
}
#endif

#endif
