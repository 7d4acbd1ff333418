#!/bin/sh
# SPDX-License-Identifier: MIT
# Where perf_event is refused, strobe says so with what would allow it, and starts nothing.
. "$(dirname "$0")/lib.sh"

# refused WHAT STATUS WORDS CMD…
refused()
{
    what=$1 status=$2 words=$3
    shift 3
    "$@" >"$tmp/out" 2>"$tmp/err"
    same "$what: exit status" "$status" "$?"
    if grep -Eq "$words" "$tmp/err"; then
        ok "$what: says so"
    else
        bad "$what: said '$(cat "$tmp/err")', which has none of '$words'"
    fi
}

printf '#include <stdio.h>\nint main(void) { puts("started"); return 0; }\n' >"$tmp/static.c"
gcc -static -o "$tmp/static" "$tmp/static.c" || skip "no static libc here"
refused "a static program" 126 'statically linked.*(seccomp|PERFMON|perf_event_paranoid)' \
    "$programs/noperf" "$strobe" record -o "$tmp/x.pb.gz" -- "$tmp/static"
check "a static program: it was not started" test ! -s "$tmp/out"
sleep 60 &
target=$!
refused "a running program" 126 'seccomp|PERFMON|perf_event_paranoid' \
    "$programs/noperf" "$strobe" record -d 1 -o "$tmp/x.pb.gz" -p $target
check "a running program: it is left alone" kill -0 $target
kill $target
wait $target 2>/dev/null
check "no profile was written" test ! -e "$tmp/x.pb.gz"
# A dynamic one is recorded all the same, by the library.
check "a dynamic program is recorded" \
    "$programs/noperf" "$strobe" record -q -o "$tmp/y.pb.gz" -- true

refused "no such process" 1 'has ended' "$strobe" record -d 1 -o "$tmp/x.pb.gz" -p $target
refused "not a number" 2 'process ids are numbers' "$strobe" record -p one
refused "two commands" 2 'or a program is started' "$strobe" record -p 1 -- true
refused "a time without processes" 2 'run already' "$strobe" record -d 3 -- true
refused "no time" 2 'seconds' "$strobe" record -d 0 -p 1

# Kernel frames: who may not have them is told how to, who has the capability alone has them; and a
# stricter setting, shown to us in a mount namespace of our own, is named with the command that
# changes it.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
    cp "$strobe" "$programs/noperf" "$tmp/"
    chmod 755 "$tmp" "$tmp/strobe" "$tmp/noperf" "$tmp/static"
    mkdir -m 777 "$tmp/nobody.d"
    if [ "$(cat /proc/sys/kernel/perf_event_paranoid)" = 2 ]; then
        # shellcheck disable=SC2086 # a command
        refused "kernel frames" 0 'kernel.perf_event_paranoid=1.*setcap' \
            $nobody "$tmp/strobe" record -o "$tmp/nobody.d/k.pb.gz" -- "$tmp/static"
        # shellcheck disable=SC2086
        refused "kernel frames by capability" 0 'statically linked.$' \
            $nobody --inh-caps=+perfmon --ambient-caps=+perfmon \
            "$tmp/strobe" record -o "$tmp/nobody.d/k.pb.gz" -- "$tmp/static"
        # shellcheck disable=SC2086
        refused "none wanted" 0 'without the kernel.s frames$' \
            $nobody "$tmp/strobe" record --no-kernel -o "$tmp/nobody.d/k.pb.gz" -- "$tmp/static"
    fi
    echo 4 >"$tmp/paranoid"
    setting=/proc/sys/kernel/perf_event_paranoid
    if unshare -m mount --bind "$tmp/paranoid" $setting 2>/dev/null; then
        refused "a strict setting" 126 'paranoid is 4.: sudo sysctl kernel.perf_event_paranoid=2' \
            unshare -m sh -c "mount --bind '$tmp/paranoid' $setting
                exec $nobody '$tmp/noperf' '$tmp/strobe' record -o '$tmp/nobody.d/s.pb.gz' \
                    -- '$tmp/static'"
    fi
fi

# Another user's process. Root may have any; nobody may have none of ours.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    mkdir -m 777 "$tmp/out.d"
    refused "another user's process" 126 'belongs to root.*sudo|perf_event_paranoid' \
        setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$tmp/strobe" record -d 1 -o "$tmp/out.d/x.pb.gz" -p $$
fi
finish
