#!/bin/sh
# SPDX-License-Identifier: MIT
# Calls that libstrobe stands before answer as libc's own: the same program with it and without.
. "$(dirname "$0")/../record/lib.sh"
shell=$build/tests/api/shell

# run NAME SETTING…: the program in a folder of its own, everything it says in $tmp/NAME.out.
run()
{
    name=$1
    shift
    mkdir "$tmp/$name"
    (cd "$tmp/$name" && timeout 120 env "$@" "$shell" >"$tmp/$name.out" 2>&1)
    same "$name: status" 0 $?
}

run plain A=1
check "the program says something" test "$(wc -l <"$tmp/plain.out")" -gt 200
run idle A=1 "LD_PRELOAD=$build/libstrobe.so"
check "preloaded and idle: the same" diff "$tmp/plain.out" "$tmp/idle.out"
for backend in auto timer; do
    run $backend "LD_PRELOAD=$build/libstrobe.so" STROBE=cpu STROBE_HZ=5000 \
        STROBE_BACKEND=$backend "STROBE_OUT=$tmp/p.%e.%p"
    check "$backend: the same" diff "$tmp/plain.out" "$tmp/$backend.out"
done
check "shells and their programs were profiled" sh -c "ls '$tmp' | grep -q 'p.dash'"
mkdir "$tmp/record"
(cd "$tmp/record" && timeout 120 "$strobe" record -F 1000 -o "$tmp/r.pb.gz" -- "$shell" \
    >"$tmp/record.out" 2>"$tmp/record.err")
same "record: status" 0 $?
(mkdir "$tmp/again" && cd "$tmp/again" && timeout 120 "$shell" >"$tmp/again.out" 2>/dev/null)
check "record: the same" diff "$tmp/again.out" "$tmp/record.out"
finish
