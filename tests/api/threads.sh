#!/bin/sh
# SPDX-License-Identifier: MIT
# /debug/pprof/goroutine: all threads of a program, where they wait and where they run, in Go's
# three forms, without a system call of the program that is interrupted.
. "$(dirname "$0")/../record/lib.sh"
command -v curl >/dev/null || skip "curl is not installed"
cat >"$tmp/waits.c" <<'END'
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore;
static int interrupted;
#define KNOWN __attribute__((noinline, noclone))
KNOWN static void wait_mutex(void) { pthread_mutex_lock(&mutex); __asm__ volatile(""); }
KNOWN static void wait_poll(void)
{
    if (poll(NULL, 0, -1) < 0 && errno == EINTR)
        __atomic_add_fetch(&interrupted, 1, __ATOMIC_SEQ_CST);
    __asm__ volatile("");
}
KNOWN static void wait_semaphore(void)
{
    if (sem_wait(&semaphore) < 0 && errno == EINTR)
        __atomic_add_fetch(&interrupted, 1, __ATOMIC_SEQ_CST);
    __asm__ volatile("");
}
KNOWN static void run(void) { for (;;) __asm__ volatile(""); }
static void *thread(void *kind)
{
    static void (*const all[])(void) = {wait_mutex, wait_poll, wait_semaphore, run};
    all[(long)kind]();
    return NULL;
}
int main(int argc, char **argv)
{
    pthread_t t;
    pthread_attr_t a;
    int n = argc > 1 ? atoi(argv[1]) : 10;
    pthread_attr_init(&a);
    pthread_attr_setstacksize(&a, 65536);
    pthread_mutex_lock(&mutex);
    sem_init(&semaphore, 0, 0);
    for (int i = 0; i < 3 * n; i++)
        if (pthread_create(&t, &a, thread, (void *)(long)(i % 3)))
            return 1;
    pthread_create(&t, NULL, thread, (void *)3);
    puts("ready");
    fflush(stdout);
    getchar();
    printf("%d interrupted\n", interrupted);
    return 0;
}
END

count()
{
    awk -v name="$1" '/ @ / { n = $1 } $0 ~ "\t" name "\\+" { sum += n } END { print sum + 0 }' \
        "$tmp/one"
}

for build_as in "-O2" "-O0" "-O1 -fno-omit-frame-pointer"; do
    # shellcheck disable=SC2086 # flags are words
    gcc $build_as -g -pthread -o "$tmp/waits" "$tmp/waits.c"
    mkfifo "$tmp/in"
    : >"$tmp/out"
    LD_PRELOAD=$build/libstrobe.so STROBE_HTTP=unix:$tmp/socket "$tmp/waits" 100 \
        <"$tmp/in" >"$tmp/out" &
    exec 3>"$tmp/in"
    while ! grep -q ready "$tmp/out"; do sleep 0.1; done
    sleep 0.5
    get()
    {
        curl -s --unix-socket "$tmp/socket" "http://x/debug/pprof/$1" -o "$2"
    }
    get 'goroutine?debug=1' "$tmp/one"
    same "$build_as: all threads" "goroutine profile: total 302" "$(head -1 "$tmp/one")"
    for where in wait_mutex wait_poll wait_semaphore; do
        same "$build_as: $where" 100 "$(count $where)"
    done
    same "$build_as: the one that runs" 1 "$(count run)"
    same "$build_as: main" 1 "$(count main)"
    get 'goroutine?debug=2' "$tmp/two"
    same "$build_as: a block each" 302 "$(grep -c '^goroutine [0-9]* \[' "$tmp/two")"
    same "$build_as: no stack is cut" 0 "$(grep -c 'not found' "$tmp/two")"
    check "$build_as: what they wait in" grep -q '^goroutine [0-9]* \[poll\] {thread: "waits"}:' \
        "$tmp/two"
    get 'threadcreate?debug=1' "$tmp/one"
    same "$build_as: who made them" "threadcreate profile: total 301" "$(head -1 "$tmp/one")"
    same "$build_as: main did" 301 "$(count main)"
    get threadcreate "$tmp/create.pb.gz"
    "$strobe" top "$tmp/create.pb.gz" >"$tmp/top"
    check "$build_as: as a profile" grep -q "301 total" "$tmp/top"
    get threads "$tmp/threads.pb.gz"
    "$strobe" top "$tmp/threads.pb.gz" >"$tmp/top"
    check "$build_as: the profile" grep -q "^Type: goroutine" "$tmp/top"
    check "$build_as: its total" grep -q "302 total" "$tmp/top"
    for _ in 1 2 3 4 5; do get goroutine "$tmp/again.pb.gz"; done
    echo >&3
    exec 3>&-
    wait $!
    same "$build_as: nothing was interrupted" "0 interrupted" "$(tail -1 "$tmp/out")"
    rm -f "$tmp/in" "$tmp/socket"
done
finish
