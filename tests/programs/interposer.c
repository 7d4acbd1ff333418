/* SPDX-License-Identifier: MIT
 *
 * Preloaded beside libstrobe: a library that stands before the same functions of libc, as tracers,
 * sanitizers and allocators do, and passes them on. With INTERPOSER set it says at the end what
 * went through it. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int threads, actions, execs;

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&real = next("pthread_create");
    __atomic_fetch_add(&threads, 1, __ATOMIC_RELAXED);
    return real(t, a, f, arg);
}

int sigaction(int sig, const struct sigaction *act, struct sigaction *old)
{
    int (*real)(int, const struct sigaction *, struct sigaction *);
    *(void **)&real = next("sigaction");
    __atomic_fetch_add(&actions, 1, __ATOMIC_RELAXED);
    return real(sig, act, old);
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    int (*real)(const char *, char *const[], char *const[]);
    *(void **)&real = next("execve");
    __atomic_fetch_add(&execs, 1, __ATOMIC_RELAXED);
    return real(path, argv, envp);
}

__attribute__((destructor)) static void report(void)
{
    if (getenv("INTERPOSER"))
        fprintf(stderr, "interposer: %d threads\n", threads);
}
