#!/bin/sh
# SPDX-License-Identifier: MIT
# /debug/pprof/wall and STROBE=wall: where all threads are all the time, running or waiting, as the
# programs measure it themselves; no system call fails with EINTR; many threads stay cheap; and the
# files of STROBE=threads and threadcreate.
. "$(dirname "$0")/../record/lib.sh"
command -v curl >/dev/null || skip "curl is not installed"
gcc -O1 -g -pthread -o "$tmp/wall" "$(dirname "$0")/../programs/wall.c" || exit 1
library=$build/libstrobe.so

# seconds PROFILE FUNCTION: its time, with what it calls.
seconds()
{
    "$strobe" folded -sample_index=wall "$1" 2>/dev/null |
        awk -v name=";$2;" '{ n = $NF; $NF = ""; sub(/ $/, ";"); if (index(";" $0, name)) s += n }
            END { printf "%.4f\n", s / 1e9 }'
}
all_seconds()
{
    "$strobe" folded -sample_index=wall "$1" | awk '{ s += $NF } END { printf "%.4f\n", s / 1e9 }'
}
# near PROFILE: the program's own figures are in $tmp/figures ("function seconds pieces"). Off by
# less than three standard errors: what is found of a time that comes in n pieces, of which a look
# at each 10 ms finds some, errs by about the root of n pieces of 10 ms, and by one at the ends.
near()
{
    far=
    while read -r name want pieces; do
        got=$(seconds "$1" "$name")
        line="$line $name $got of $want;"
        awk -v a="$got" -v b="$want" -v n="$pieces" 'BEGIN {
            d = a - b; e = 0.02 + 3 * 0.01 * sqrt(n); exit !(d < e && -d < e) }' || far=1
    done <"$tmp/figures"
    echo "$line"
    [ -z "$far" ]
}
to_file()
{
    line=
    STROBE=wall STROBE_OUT=$tmp/w.pb.gz LD_PRELOAD=$library "$tmp/wall" truth >"$tmp/figures"
    near "$tmp/w.pb.gz"
}
by_chance "a file: as the program measures it" to_file
"$strobe" comments "$tmp/w.pb.gz" >"$tmp/comments"
check "it says how it was taken" grep -q 'wall time, 100 Hz' "$tmp/comments"
"$strobe" tags "$tmp/w.pb.gz" >"$tmp/tags"
for state in running poll futex; do
    check "the state $state is a label" grep -q ": $state\$" "$tmp/tags"
done


for build_as in "-O0" "-O2 -fomit-frame-pointer"; do
    # shellcheck disable=SC2086 # flags are words
    gcc $build_as -g -pthread -o "$tmp/built" "$(dirname "$0")/../programs/wall.c"
    STROBE=wall STROBE_OUT=$tmp/b.pb.gz LD_PRELOAD=$library "$tmp/built" truth >"$tmp/figures"
    same "$build_as: no stack is cut" 1 \
        "$("$strobe" comments "$tmp/b.pb.gz" | grep -c ' 0.000 s lost, 0.000 s not to a root')"
done

# ---- live ----

mkfifo "$tmp/in"
# serve ARGS…: the program, with the server; $pid is its.
serve()
{
    : >"$tmp/out"
    STROBE_HTTP=unix:$tmp/socket LD_PRELOAD=$library "$tmp/wall" "$@" <"$tmp/in" >"$tmp/out" &
    pid=$!
    exec 3>"$tmp/in"
    while ! grep -q ready "$tmp/out" && kill -0 $pid; do sleep 0.1; done
}
end()
{
    exec 3>&-
    wait $pid
    same "$1: its status" 0 $?
    same "$1: nothing was interrupted" "0 interrupted" "$(tail -1 "$tmp/out")"
    rm -f "$tmp/socket"
}
get()
{
    curl -s --unix-socket "$tmp/socket" "http://x/debug/pprof/$1" -o "$2" -w '%{http_code}'
}
serve waits 40
get '' "$tmp/index" >/dev/null
check "the index has it" grep -q "<a href='wall?debug=1'>wall</a>" "$tmp/index"
same "a second" 200 "$(get 'wall?seconds=1' "$tmp/h.pb.gz")"
whole()
{
    curl -s --unix-socket "$tmp/socket" 'http://x/debug/pprof/wall?seconds=1' -o "$tmp/h.pb.gz"
    total=$(all_seconds "$tmp/h.pb.gz")
    duration=$("$strobe" raw "$tmp/h.pb.gz" | sed -n 's/^Duration: //p')
    duration=${duration:-1}
    echo "41 threads and one that runs: $total s in a second ($duration)"
    awk -v t="$total" 'BEGIN { exit !(t > 40 && t < 46) }'
}
by_chance "all threads, all the time" whole
same "errors as for others" "400 400 405" "$(get 'wall?seconds=-1' "$tmp/e") $(
    get 'wall?seconds=1&debug=1' "$tmp/e") $(
    curl -s --unix-socket "$tmp/socket" -X DELETE http://x/debug/pprof/wall -o "$tmp/e" \
        -w '%{http_code}')"
get 'wall?seconds=2' "$tmp/h2.pb.gz" >"$tmp/code2" &
other=$!
same "two at once: one" 200 "$(get 'wall?seconds=1' "$tmp/h1.pb.gz")"
wait $other
same "two at once: the other" 200 "$(cat "$tmp/code2")"
same "CPU time afterwards" 200 "$(get 'profile?seconds=1' "$tmp/c.pb.gz")"
check "nobody looks any more" sh -c '! pgrep -P "$1" strobe-wall' - $pid
if command -v pprof >/dev/null && pprof -top "$tmp/h1.pb.gz" >/dev/null 2>&1; then
    pprof -top "$tmp/h1.pb.gz" 2>/dev/null | sed -n '/flat%/,$p' >"$tmp/oracle"
    "$strobe" pprof -top "$tmp/h1.pb.gz" 2>/dev/null | sed -n '/flat%/,$p' >"$tmp/ours"
    check "pprof shows the same" cmp "$tmp/oracle" "$tmp/ours"
fi
end live
# A program that is killed over it leaves nobody behind.
serve waits 3
get 'wall?seconds=20' "$tmp/e" >/dev/null &
asks=$!
while ! pgrep -P $pid strobe-wall >"$tmp/looks"; do sleep 0.05; done
kill -9 $pid
wait $pid $asks 2>/dev/null
exec 3>&-
rm -f "$tmp/socket"
gone()
{
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        grep -q strobe-wall "/proc/$(cat "$tmp/looks")/comm" 2>/dev/null || return 0
        grep -q '^State:.Z' "/proc/$(cat "$tmp/looks")/status" && return 0
        sleep 0.2
    done
    return 1
}
check "who looks is gone with the program" gone

# ---- many threads ----

unset STROBE_MAX_COST # the cost is bounded
serve waits 1000
many()
{
    curl -s --unix-socket "$tmp/socket" 'http://x/debug/pprof/wall?seconds=2' -o "$tmp/m.pb.gz"
    total=$(all_seconds "$tmp/m.pb.gz")
    echo "1,001 threads: $total s in two"
    awk -v t="$total" 'BEGIN { exit !(t > 1980 && t < 2300) }'
}
by_chance "1,000 threads, with less than a look each period" many
"$strobe" comments "$tmp/m.pb.gz" >"$tmp/comments"
check "and it says so" grep -q 'each thread was looked at once in [0-9]* periods' "$tmp/comments"
end "1,000 threads"
export STROBE_MAX_COST=0

# ---- at the end ----

STROBE=threads,threadcreate STROBE_OUT=$tmp/e.%k.pb.gz LD_PRELOAD=$library \
    "$tmp/wall" ends 20 >/dev/null
cum()
{
    "$strobe" top -cum "$1" 2>/dev/null | awk -v name="$2" '$NF == name { print $4 }'
}
same "STROBE=threads: those that wait" 20 "$(cum "$tmp/e.threads.pb.gz" wait_here)"
same "STROBE=threadcreate: who made them" 20 "$(cum "$tmp/e.threadcreate.pb.gz" make)"
"$strobe" tags "$tmp/e.threads.pb.gz" >"$tmp/tags"
check "their state and name are labels" grep -q ': poll$' "$tmp/tags"
finish
