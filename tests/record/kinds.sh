#!/bin/sh
# SPDX-License-Identifier: MIT
# `strobe record -e threads` and -e threadcreate: where all threads were when the program ended, in
# whatever way, and who made them; exit statuses stay as they are.
. "$(dirname "$0")/lib.sh"
cat >"$tmp/ends.c" <<'END'
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#define KNOWN __attribute__((noinline, noclone))
KNOWN static void *wait_here(void *a) { poll(0, 0, -1); return a; }
KNOWN static void *run_here(void *a) { for (;;) __asm__ volatile(""); return a; }
KNOWN static void make(volatile int n)
{
    pthread_t t;
    for (volatile int i = 0; i < n; i++)
        pthread_create(&t, NULL, wait_here, NULL);
}
int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    pthread_t t;
    make(20);
    pthread_create(&t, NULL, run_here, NULL);
    usleep(200000);
    if (!strcmp(how, "exit")) return 3;
    if (!strcmp(how, "_exit")) _exit(4);
    if (!strcmp(how, "segv")) *(volatile int *)8 = 1;
    if (!strcmp(how, "term")) kill(getpid(), SIGTERM);
    if (!strcmp(how, "abort")) abort();
    if (!strcmp(how, "kill")) kill(getpid(), SIGKILL);
    if (!strcmp(how, "fork")) {
        if (fork() == 0) { make(5); usleep(100000); exit(0); }
        wait(NULL);
        return 0;
    }
    return 9;
}
END
gcc -O1 -g -pthread -o "$tmp/ends" "$tmp/ends.c"

# cum PROFILE FUNCTION: its number.
cum()
{
    "$strobe" top -cum "$1" 2>/dev/null | awk -v name="$2" '$NF == name { print $4 }'
}

for how in kill:137 exit:3 _exit:4 segv:139 term:143 abort:134; do
    word=${how%:*}
    "$strobe" record -q -e threads,threadcreate -o "$tmp/e.%k.pb.gz" -- "$tmp/ends" "$word" \
        2>"$tmp/err"
    same "$word: its exit status" "${how#*:}" "$?"
    same "$word: who made threads" 20 "$(cum "$tmp/e.threadcreate.pb.gz" make)"
    same "$word: and main one more" 21 "$(cum "$tmp/e.threadcreate.pb.gz" main)"
    [ "$word" = kill ] && continue # nobody can look then
    same "$word: those that wait" 20 "$(cum "$tmp/e.threads.pb.gz" wait_here)"
    same "$word: the one that runs" 1 "$(cum "$tmp/e.threads.pb.gz" run_here)"
    [ "$word" = exit ] && continue # main has returned
    same "$word: main" 1 "$(cum "$tmp/e.threads.pb.gz" main)"
done
"$strobe" record -e threads -o "$tmp/k.pb.gz" -- "$tmp/ends" kill 2>"$tmp/err"
check "of one that was killed there are none, and it says so" \
    grep -q 'was killed by signal 9 before' "$tmp/err"
"$strobe" tags "$tmp/e.threads.pb.gz" >"$tmp/tags" 2>&1
check "what they wait in is a label" grep -q '20 (.*): poll$' "$tmp/tags"
check "so is their name" grep -q '22 (.*): ends$' "$tmp/tags"
"$strobe" record -q -e goroutine,cpu,threadcreate -o "$tmp/f.%k.pb.gz" -- "$tmp/ends" fork
same "a child's threads, beside its parent's" 25 "$(cum "$tmp/f.goroutine.pb.gz" wait_here)"
same "and who made them" 26 "$(cum "$tmp/f.threadcreate.pb.gz" main)"
check "CPU time is beside them" [ "$(cum "$tmp/f.cpu.pb.gz" run_here | tr -d a-z)" != 0 ]
same "and they are not in it" "" "$(cum "$tmp/f.cpu.pb.gz" wait_here)"
finish
