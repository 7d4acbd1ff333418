#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that libstrobe must not be loaded into, or must leave alone: of another C library, with a
# sanitizer's runtime that wants to be first, under valgrind, under a debugger. Each does what it
# does without strobe, started by the recorder or by a program that is recorded, and is sampled from
# outside where that is allowed.
. "$(dirname "$0")/lib.sh"
unset STROBE_MAX_COST # the programs look at their environment

cat >"$tmp/work.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
static volatile unsigned sum;
__attribute__((noinline)) static void burn_here(int n)
{
    for (int i = 0; i < n; i++)
        sum = sum * 31 + (unsigned)i;
}
int main(void)
{
    burn_here(60000000);
    char *p = malloc(100);
    p[99] = (char)sum;
    printf("%d %s\n", p[99] == (char)sum, getenv("LD_PRELOAD") ? "preloaded" : "alone");
    free(p);
    return 7;
}
END

# same_run WHAT COMMAND…: alone, recorded, and as the child of a recorded shell.
same_run()
{
    of=$1
    shift
    "$@" >"$tmp/plain" 2>/dev/null
    want=$?
    for pre in "" "$programs/noperf"; do
        # shellcheck disable=SC2086 # one word or none
        $pre "$strobe" record -q -F 1000 -o "$tmp/p.pb.gz" -- sh -c '"$@"; exit $?' sh "$@" \
            >"$tmp/out" 2>"$tmp/err"
        same "$of, from a shell, ${pre:+no }perf_event: status" $want $?
        check "$of, from a shell, ${pre:+no }perf_event: output" cmp "$tmp/plain" "$tmp/out"
    done
    [ -n "${outside:-}" ] || return 0
    if have_perf; then
        "$strobe" record -F 1000 -o "$tmp/p.pb.gz" -- "$@" >"$tmp/out" 2>"$tmp/err"
        same "$of: status" $want $?
        check "$of: output" cmp "$tmp/plain" "$tmp/out"
        check "$of: why it is sampled from outside" grep -q "outside ($outside" "$tmp/err"
        check "$of: its function" sh -c "'$strobe' folded '$tmp/p.pb.gz' | grep -q burn_here"
    fi
    "$programs/noperf" "$strobe" record -o "$tmp/p.pb.gz" -- "$@" >"$tmp/out" 2>"$tmp/err"
    check "$of: refused where perf_event is, and why" grep -q "outside" "$tmp/err"
}

musl-gcc -O1 -g -o "$tmp/musl" "$tmp/work.c" 2>/dev/null && "$tmp/musl" >/dev/null
if [ $? = 7 ]; then
    outside="linked with another C library" same_run "musl" "$tmp/musl"
    "$strobe" record -e heap -o "$tmp/h.pb.gz" -- "$tmp/musl" >"$tmp/out" 2>"$tmp/err"
    check "musl: no heap profile, and why" grep -q "another C library" "$tmp/err"
else
    echo "left out: musl (package musl-tools)"
fi
for sanitizer in address thread; do
    gcc -O1 -g -fsanitize=$sanitizer -o "$tmp/$sanitizer" "$tmp/work.c" 2>/dev/null &&
        "$tmp/$sanitizer" >/dev/null 2>&1
    if [ $? = 7 ]; then
        outside="linked with a sanitizer" same_run "$sanitizer sanitizer" "$tmp/$sanitizer"
    else
        echo "left out: gcc's -fsanitize=$sanitizer"
    fi
done
outside=
gcc -O1 -g -o "$tmp/work" "$tmp/work.c"
if command -v valgrind >/dev/null; then
    same_run valgrind valgrind -q "$tmp/work"
    LD_PRELOAD=$build/libstrobe.so STROBE=all STROBE_OUT=$tmp/v.%k.%p valgrind -q "$tmp/work" \
        >"$tmp/out" 2>"$tmp/err"
    same "valgrind, preloaded: status" 7 $?
    same "valgrind, preloaded: says so" "libstrobe: nothing is profiled under valgrind" \
        "$(cat "$tmp/err")"
else
    echo "left out: valgrind is not installed"
fi
if command -v gdb >/dev/null; then
    cat >"$tmp/in_gdb" <<'END'
gdb -q -batch -nx -ex run -ex 'print $_exitcode' --args "$1" 2>&1 | grep -v 'process [0-9]'
END
    same_run gdb sh "$tmp/in_gdb" "$tmp/work"
    check "gdb: the program ran to its end" grep -q "= 7" "$tmp/out"
else
    echo "left out: gdb is not installed"
fi
if command -v strace >/dev/null; then
    same_run strace strace -o /dev/null -f sh -c '"$1"; exit 7' sh "$tmp/work"
    timeout -k 5 60 "$strobe" record -q -e wall -o "$tmp/p.pb.gz" -- strace -o /dev/null -f \
        "$tmp/work" >"$tmp/out" 2>"$tmp/err"
    same "strace and wall time: it ends" 7 $?
    check "strace and wall time: says so" grep -q "children of every kind" "$tmp/err"
else
    echo "left out: strace is not installed"
fi

# What a program starts has the mask that it would have had: a shell blocks all and unblocks by
# sigsetmask(3), others by siglongjmp; a static child shows what is really blocked.
cat >"$tmp/mask.c" <<'END'
#include <stdio.h>
#include <string.h>
int main(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "SigBlk", 6))
            fputs(line, stdout);
    return 0;
}
END
cat >"$tmp/jump.c" <<'END'
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    static sigjmp_buf back;
    sigset_t all;
    sigfillset(&all);
    if (sigsetjmp(back, 1) == 0) {
        sigprocmask(SIG_BLOCK, &all, NULL);
        siglongjmp(back, 1);
    }
    if (argc > 2)
        sighold(SIGTRAP), sighold(SIGURG), sighold(SIGUSR1);
    return execv(argv[1], argv + 1);
}
END
gcc -O1 -static -o "$tmp/mask" "$tmp/mask.c" && gcc -O1 -o "$tmp/jump" "$tmp/jump.c" 2>/dev/null
same_run "a static child's mask" "$tmp/mask"
same_run "a mask after siglongjmp" "$tmp/jump" "$tmp/mask"
same_run "a mask that is meant" "$tmp/jump" "$tmp/mask" blocked
check "a mask that is meant: all three" grep -q 400210 "$tmp/out"
finish
