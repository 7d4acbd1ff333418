#!/bin/sh
# SPDX-License-Identifier: MIT
# lock.bench.sh BUILD [--short]: what block and mutex profiles cost: nanoseconds of CPU for a lock
# and its unlock, beside plain glibc, in interleaved rounds. There is no peer: no other profiler of
# native programs has the waits of pthread's locks.
set -u
build=$(cd "$1" && pwd)
pairs=1048576 rounds=9
[ "${2:-}" != --short ] || { pairs=131072 rounds=3; }
work=$build/bench-lock
mkdir -p "$work"
ninja -C "$build" bench/lock_pair >/dev/null 2>&1
pair=$build/bench/lock_pair
library=$build/libstrobe.so

run() # NAME SETTING…: a round
{
    name=$1
    shift
    (cd "$work" && env "$@" "$pair" $pairs 2>/dev/null | tail -1) >>"$work/$name"
}

strobe="LD_PRELOAD=$library STROBE_OUT=$work/p.%k.pb.gz"
round=0
while [ $round -lt $rounds ]; do
    run glibc A=1
    run loaded "LD_PRELOAD=$library"
    # shellcheck disable=SC2086 # two settings
    run on $strobe STROBE=block,mutex
    # shellcheck disable=SC2086
    run every $strobe STROBE=block,mutex STROBE_BLOCK_RATE=1 STROBE_MUTEX_FRACTION=1
    round=$((round + 1))
done

echo "Nanoseconds of CPU for a lock and its unlock: a free mutex, a free read-write lock (read),"
echo "and a mutex that four threads want at once. Least of $rounds interleaved rounds."
echo
printf '%-48s %8s %8s %10s\n' "" mutex rwlock contended
while IFS=: read -r name text; do
    # shellcheck disable=SC2046 # three numbers
    printf '%-48s %8s %8s %10s\n' "$text" $(awk '
        { for (i = 1; i <= 3; i++) if (NR == 1 || $i < least[i]) least[i] = $i }
        END { print least[1], least[2], least[3] }' "$work/$name")
done <<ROWS
glibc:glibc
loaded:libstrobe loaded, nothing on
on:block and mutex on, default rates
every:block and mutex on, every wait recorded
ROWS
rm -rf "$work"
