/* SPDX-License-Identifier: MIT
 *
 * Processes that the suite starts, what they use, and the ports they listen on. Each is in a
 * process group of its own, so that a terminal's Ctrl-C reaches only us, and dies with us. Nothing
 * here may be used in a process that has children of its own: suite_kill_all takes all of them. */
#ifndef SUITE_PROCESS_H
#define SUITE_PROCESS_H

#include "base/err.h"
#include "suite/definition.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Set by SIGINT, SIGTERM and SIGHUP after suite_catch_signals: everything ends soon. */
extern volatile sig_atomic_t suite_interrupted;

/* Catches those, ignores SIGPIPE, and makes orphans of our children ours. */
void suite_catch_signals(void);

struct suite_spawn {
    const char *const *argv;      /* found by PATH */
    const struct suite_vars *env; /* added to ours */
    const char *folder;           /* where it runs */
    const char *out, *log;        /* files its output and its errors are appended to */
};

/* Starts a process. 0, or an error: it could not be executed. */
int suite_spawn(const struct suite_spawn *s, pid_t *pid, struct err *e);
/* For a child that does not exec: its group, its death with us. */
void suite_become_child(pid_t parent);

/* True if it has ended; then *status is as from wait. */
bool suite_ended(pid_t pid, int *status);
/* SIGTERM to its group, SIGKILL after `grace_ms`; returns when it is gone. */
void suite_stop(pid_t pid, int grace_ms, int *status);
/* Kills everything that descends from us, orphans too. */
void suite_kill_all(void);

/* `count` different free ports of 127.0.0.1. */
int suite_free_ports(uint16_t *ports, uint32_t count, struct err *e);

struct suite_use {
    int64_t cpu_ns;    /* used so far */
    int64_t rss_bytes; /* now */
};

/* What a process and its descendants use; without the process itself if `below`. */
struct suite_use suite_use_of(pid_t pid, bool below);
/* The most memory the process had (VmHWM), 0 if it is not known. */
int64_t suite_peak_bytes(pid_t pid);

int64_t suite_now_ns(clockid_t clock);

#endif
