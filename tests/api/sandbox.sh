#!/bin/sh
# SPDX-License-Identifier: MIT
# Programs that lock themselves in behave as without strobe, whatever of it they have: a filter that
# kills must not meet a system call of ours, least of all at the end.
. "$(dirname "$0")/../record/lib.sh"
unset STROBE_MAX_COST # the programs look at their environment

while read -r settings; do
    for case in "seccomp 0" "seccomp 1" "seccomp 2" "seccomp 3" seccomp_strict; do
        # shellcheck disable=SC2086 # words
        timeout 60 "$programs/stress" $case >"$tmp/plain" 2>&1
        want=$?
        # shellcheck disable=SC2086
        timeout 60 env LD_PRELOAD="$build/libstrobe.so" $settings "$programs/stress" $case \
            >"$tmp/out" 2>"$tmp/err"
        same "$settings: $case: status" $want $?
        check "$settings: $case: output" cmp "$tmp/plain" "$tmp/out"
    done
done <<END
STROBE_HZ=100
STROBE=cpu STROBE_OUT=$tmp/p-%k
STROBE=heap STROBE_OUT=$tmp/p-%k
STROBE=block,mutex STROBE_OUT=$tmp/p-%k
STROBE=wall STROBE_OUT=$tmp/p-%k
STROBE=threads,threadcreate STROBE_OUT=$tmp/p-%k
STROBE=all STROBE_OUT=$tmp/p-%k
STROBE_HTTP=127.0.0.1:0
STROBE=all STROBE_OUT=$tmp/p-%k STROBE_HTTP=127.0.0.1:0
STROBE_DEBUG=heaptrace=100,schedtrace=100
END
for kind in cpu heap block mutex wall; do
    check "$kind: what came before is in a profile" "$strobe" pprof -raw "$tmp/p-$kind"
done
# The heap's first rate takes mprotect: where that is forbidden it is refused, and nothing is tried.
cat >"$tmp/late.c" <<'END'
#include <strobe/strobe.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
int main(void)
{
    struct sock_filter f[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    struct sock_fprog p = {4, f};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) != 0)
        return 77;
    free(malloc(3));
    return strobe_heap_set_rate(1) == -1 ? 5 : 1;
}
END
gcc -w -I"$here/../../include" -o "$tmp/late" "$tmp/late.c" -L"$build" -lstrobe -Wl,-rpath,"$build"
"$tmp/late"
same "a heap rate after a sandbox that kills for mprotect" 5 $?
# Rights that are a thread's own: libc ends a process whose threads differ in them.
if [ "$(id -u)" = 0 ] &&
    setpriv --reuid 65534 --clear-groups test -r "$build/libstrobe.so" 2>/dev/null; then
    port=$((20000 + $$ % 20000))
    STROBE_HTTP=127.0.0.1:$port LD_PRELOAD=$build/libstrobe.so setpriv --reuid=65534 --regid=65534 \
        --clear-groups sh -c 'id -u; curl -s "$1"' sh "127.0.0.1:$port/debug/pprof/cmdline" \
        >"$tmp/out" 2>"$tmp/err"
    same "rights dropped by capabilities: status" 0 $?
    same "rights dropped by capabilities: done" 65534 "$(head -1 "$tmp/out")"
    check "rights dropped by capabilities: what is executed next is served" grep -qa curl "$tmp/out"
else
    echo "left out: dropping rights takes root, setpriv, and a build that everybody may read"
fi
finish
