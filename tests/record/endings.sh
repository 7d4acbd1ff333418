#!/bin/sh
# SPDX-License-Identifier: MIT
# However a program ends, its exit status is its own and its profile has what it did until then.
. "$(dirname "$0")/lib.sh"

# has_work PROFILE MS: at least this much CPU is in it, and in main.
has_work()
{
    folded "$1" | tee "$tmp/work" |
        awk -v ms="$2" '/main/ { sum += $NF } END { exit !(sum >= ms * 1e6 * 0.95) }' || {
        cat "$tmp/work" "$tmp/strobe.err"
        return 1
    }
}

# hang_until_done PROFILE: starts the program that must be killed; its pid is in $tmp/pid.
hang_until_done()
{
    rm -f "$tmp/pid" "$tmp/out"
    "$strobe" record -F 100 -o "$1" -- \
        sh -c 'echo $$ >"$1"; exec "$2" 300 hang' sh "$tmp/pid" "$programs/ending" \
        >"$tmp/out" 2>"$tmp/strobe.err" &
    recorder=$!
    while ! grep -q done "$tmp/out" 2>/dev/null && kill -0 $recorder 2>/dev/null; do
        sleep 0.1
    done
}

for backend in perf noperf; do
    for how in return exit _exit quick_exit abort segv term kill; do
        "$programs/ending" 300 $how >"$tmp/plain" 2>/dev/null
        wanted=$?
        record $backend 100 "$tmp/$how.pb.gz" "$programs/ending" 300 $how >"$tmp/out"
        same "$backend: $how: exit status" "$wanted" "$?"
        same "$backend: $how: output" "$(cat "$tmp/plain")" "$(cat "$tmp/out")"
        check "$backend: $how: the profile has its work" has_work "$tmp/$how.pb.gz" 270
    done
done

for signal in TERM:143 KILL:137; do
    hang_until_done "$tmp/hang.pb.gz"
    kill -"${signal%:*}" "$(cat "$tmp/pid")"
    wait $recorder
    same "killed by ${signal%:*}: exit status" "${signal#*:}" "$?"
    check "killed by ${signal%:*}: the profile has its work" has_work "$tmp/hang.pb.gz" 270
done

# A supervisor knows strobe's pid only: what it sends there is for the program.
hang_until_done "$tmp/hang.pb.gz"
kill -TERM $recorder
wait $recorder
same "strobe gets TERM: exit status" 143 "$?"
check "strobe gets TERM: the profile has its work" has_work "$tmp/hang.pb.gz" 270
check "strobe gets TERM: the program is gone" sh -c "! kill -0 $(cat "$tmp/pid") 2>/dev/null"
# The child may be through its execve before the recorder has looked again: with both of them on one
# busy CPU it often is.
sh -c 'while :; do :; done' &
busy=$!
started=0
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
    taskset -c 0 "$strobe" record -q -o "$tmp/quick.pb.gz" -- true && started=$((started + 1))
done
kill $busy
same "25 of 25 short programs are recorded" 25 $started

finish
