#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that a recorded program starts, and into which the library cannot come: they are sampled
# from outside, and no time is counted twice or lost where one kind starts the other.
. "$(dirname "$0")/lib.sh"
"$strobe" record -q -d 0.1 -o "$tmp/probe.pb.gz" -p $$ 2>"$tmp/strobe.err" ||
    skip "perf_event is refused here: $(cat "$tmp/strobe.err")"
gcc -O2 -static -D_GNU_SOURCE -g -pthread "$here/../programs/truth.c" -o "$tmp/still" \
    2>"$tmp/log" ||
    skip "no static libc here: $(head -n 1 "$tmp/log")"
dynamic=$programs/truth-gcc-O2-nofp-pie
cat >"$tmp/runner.c" <<'END'
/* runner (fork|exec) PROGRAM ARG…: works for a while, then becomes or starts a program. */
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
__attribute__((noinline)) static void before(void)
{
    while (clock() < CLOCKS_PER_SEC / 2)
        ;
}
int main(int argc, char **argv)
{
    before();
    if (!strcmp(argv[1], "exec") || !fork())
        execv(argv[2], argv + 2);
    return wait(0) < 0;
}
END
gcc -O1 -static -o "$tmp/runner" "$tmp/runner.c" || exit 1

# whole WHAT: the profile's time is the system's. What passes before the first look has no name: a
# tenth of a second on a machine that has much to do.
whole()
{
    sum=$(folded "$tmp/f.pb.gz" | awk '{ s += $NF } END { print s / 1e9 }')
    check "$1: all of the CPU time, and once" sh -c "'$strobe' pprof -comments '$tmp/f.pb.gz' |
        awk -v sum=$sum '/CPU time by the system/ { t = \$7 + \$10; print sum, t
            exit !(sum > t * 0.98 - 0.02 && sum < t * 1.02 + 0.02) }'"
    folded "$tmp/f.pb.gz" | awk '{ s += $NF } /^\[processes not recorded/ { n += $NF }
        END { print n / s; exit n > s * 0.25 + 1e8 }' >"$tmp/part"
    same "$1: the first look comes soon" 0 "$?"
}

# nearly_whole WHAT MS CHILDREN: their names are known but for some milliseconds a child. The
# recorder is woken when one begins; how soon it runs is the scheduler's affair.
nearly_whole()
{
    folded "$tmp/f.pb.gz" | awk -v ms="$2" -v children="$3" '/burn_|scramble/ { n += $NF }
        END { print n / 1e6; exit n < (ms * 0.9 - 15 * children) * 1e6 }' >"$tmp/part"
    same "$1: of $2 ms in $3 children ($(cat "$tmp/part") seen)" 0 "$?"
}

has()
{
    check "$1: $2 is there" sh -c "'$strobe' folded '$tmp/f.pb.gz' | grep -q '$2'"
}

record perf 1000 "$tmp/f.pb.gz" sh -c "$tmp/still ratio 600"
whole "static"
has "static" burn_four
check "static: stacks reach a root" rooted "$tmp/f.pb.gz"
check "static: it is said" grep -q '1 static or Go processes' "$tmp/strobe.err"
check "static: nothing is missing" sh -c "! grep -q 'could not be recorded' '$tmp/strobe.err'"

printf 'all:\n\t%s ratio 300\n' "$tmp/still" >"$tmp/Makefile"
record perf 1000 "$tmp/f.pb.gz" make -s -C "$tmp"
whole "posix_spawn"
nearly_whole "posix_spawn" 300 1
record perf 1000 "$tmp/f.pb.gz" sh -c "for i in 1 2 3 4 5; do $tmp/still ratio 60; done"
whole "short ones"
nearly_whole "short ones" 300 5
gcc -O1 -xc -o "$tmp/silent" - <<'END' || exit 1
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    static char *none[] = {0};
    long ret = SYS_execve;
    if (!fork()) /* by its own machine code: nobody sees it */
        __asm__ volatile("syscall" : "+a"(ret) : "D"(argv[1]), "S"(argv + 1), "d"(none)
                         : "rcx", "r11", "memory");
    return wait(0) < 0;
}
END
record timer 100 "$tmp/f.pb.gz" "$tmp/silent" "$tmp/still" ratio 300
check "a process nobody announced is no end of another" sh -c "'$strobe' folded '$tmp/f.pb.gz' |
    awk '/^\[exit/ { e = \$NF } /^\[processes not recorded/ { n = \$NF }
        END { exit !(n > 250e6 && e < 50e6) }'"

record perf 1000 "$tmp/f.pb.gz" sh -c "$tmp/still threads 400 4"
whole "static, threads"
record perf 1000 "$tmp/f.pb.gz" sh -c "$tmp/runner fork $dynamic ratio 600"
whole "a dynamic child of a static one"
has "a dynamic child of a static one" burn_four
has "a dynamic child of a static one" before
record perf 1000 "$tmp/f.pb.gz" sh -c "$tmp/runner exec $dynamic ratio 600; $dynamic ratio 100"
whole "static becomes dynamic"
has "static becomes dynamic" burn_four
has "static becomes dynamic" before

go=$(command -v go || ls /usr/lib/go-*/bin/go 2>/dev/null | tail -n 1)
if [ -n "$go" ] && cp "$here/../programs/work_go.go" "$tmp/work.go" &&
    (cd "$tmp" && HOME=$tmp GOCACHE=$tmp/cache GO111MODULE=off GOENV=off GOFLAGS='' \
        GOTOOLCHAIN=local CGO_ENABLED=0 "$go" build -o "$tmp/work" work.go) 2>"$tmp/log"; then
    record perf 1000 "$tmp/f.pb.gz" sh -c "$tmp/work - 1500"
    whole "Go"
    has "Go" main.grow
fi

# Where it is refused: how many, how much, and why.
record noperf 100 "$tmp/f.pb.gz" sh -c "$tmp/still ratio 300"
check "refused: how much" grep -Eq 'could not be recorded.* [0-9.]+ s of CPU' "$tmp/strobe.err"
check "refused: why" grep -Eq 'from outside either.*(seccomp|PERFMON|paranoid)' "$tmp/strobe.err"
check "refused: it is in the profile" sh -c \
    "'$strobe' folded '$tmp/f.pb.gz' | grep -q 'processes not recorded'"
finish
