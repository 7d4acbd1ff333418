#!/bin/sh
# SPDX-License-Identifier: MIT
# A tree of processes, besides what tree.sh looks at: wall time and labels of all of them, CPU and
# wall time at once, what children had counted that have ended, what the pages say of all, and who
# serves when the server was killed.
. "$(dirname "$0")/../record/lib.sh"
command -v curl >/dev/null || skip "curl is not installed"
library=$build/libstrobe.so children=$build/tests/api/children
STROBE_HEAP_RATE=1 STROBE_MUTEX_FRACTION=1 STROBE_BLOCK_RATE=1
export STROBE_HEAP_RATE STROBE_MUTEX_FRACTION STROBE_BLOCK_RATE

# serve HOW…: children HOW… at a socket; returns when it is ready. Its process is $server.
serve()
{
    rm -f "$tmp/socket" "$tmp/out"
    STROBE_HTTP=unix:$tmp/socket LD_PRELOAD=$library "$children" "$@" >"$tmp/out" 2>"$tmp/err" &
    server=$!
    while ! grep -q ready "$tmp/out" 2>/dev/null && kill -0 $server; do sleep 0.1; done
    members=$(grep -v ready "$tmp/out")
}
end()
{
    # shellcheck disable=SC2086 # several
    kill $server $members 2>/dev/null
    wait $server 2>/dev/null
}

# get FILE PATH: its status is $code.
get()
{
    code=$(curl -s -m 40 --unix-socket "$tmp/socket" -o "$1" -w '%{http_code}' "http://x/debug/$2")
}

# value KIND TYPE FUNCTION [FLAG]: what is cumulative under a function.
value()
{
    # shellcheck disable=SC2086 # no flag is no word
    "$strobe" top -cum -unit=b "-sample_index=$2" ${4:+$4} "$tmp/$1.gz" 2>/dev/null |
        awk -v f="$3" '$NF == f { sub("[bB]$", "", $4); print $4; exit }'
}

# ---- what has ended ----

serve short 200
for kind in allocs heap threadcreate mutex; do
    get "$tmp/$kind.gz" pprof/$kind
    same "$kind: answered" 200 "$code"
done
same "what all 200 allocated" 2000 "$(value allocs alloc_objects allocate_known)"
same "in bytes" 20000000 "$(value allocs alloc_space allocate_known)"
same "nothing of it is in use" "" "$(value heap inuse_space allocate_known)"
same "the threads that they made" 200 "$(value threadcreate threadcreate short_child)"
check "some are in the sum" [ "$(value allocs alloc_objects allocate_known \
    -tagfocus=pid=ended)" -ge 500 ]
# On a busy machine some of them do not meet at the lock.
check "their waits" [ "$(value mutex contentions contend)" -ge 100 ]
get "$tmp/text" "pprof/allocs?debug=1"
check "debug=1 has the sum" grep -q '^# pid: ended' "$tmp/text"
get "$tmp/state" strobe
check "/debug/strobe counts them" grep -q '"ended_processes":200,' "$tmp/state"
end

# ---- wall time and labels ----

serve waits 3
# All of their threads, all the time: seven for two seconds.
all_of_it()
{
    get "$tmp/wall.gz" "pprof/wall?seconds=2"
    seconds=$("$strobe" raw "$tmp/wall.gz" | sed -n 's/^Duration: //p')
    total=$("$strobe" folded -sample_index=wall "$tmp/wall.gz" |
        awk '{ s += $NF } END { print s / 1e9 }')
    echo "four processes, seven threads: $total s (in $seconds)"
    awk -v t="$total" 'BEGIN { exit !(t > 13.5 && t < 15) }'
}
by_chance "wall: all processes' threads, all the time" all_of_it
for pid in $members $server; do
    got=$("$strobe" folded -sample_index=wall "-tagfocus=pid=^$pid\$" "$tmp/wall.gz" 2>/dev/null |
        awk '{ s += $NF } END { printf "%d\n", s / 1e9 + 0.5 }')
    check "wall: $pid has its own: $got s" [ "$got" -ge 2 ]
done
"$strobe" folded -tagfocus=job=reader "$tmp/wall.gz" >"$tmp/folded" 2>/dev/null
check "wall: by a child's labels" grep -q 'read_silent;' "$tmp/folded"
"$strobe" folded "$tmp/wall.gz" >"$tmp/folded" 2>/dev/null
check "wall: from the root on" grep -q 'main;waiting_child;' "$tmp/folded"
first=$(echo "$members" | head -1)
get "$tmp/one.gz" "pprof/wall?seconds=1&pid=$first"
same "wall?pid=N: only that one" "$first" "$("$strobe" traces "$tmp/one.gz" 2>/dev/null |
    sed -n 's/^ *pid: *//p' | sort -u | tr '\n' ' ' | sed 's/ $//')"
get "$tmp/none" "pprof/wall?seconds=1&pid=1"
same "wall?pid=N: no such process" 404 "$code"
if command -v pprof >/dev/null && pprof -top "$tmp/wall.gz" >/dev/null 2>&1; then
    pprof -top "$tmp/wall.gz" 2>/dev/null | sed -n '/flat%/,$p' >"$tmp/oracle"
    "$strobe" pprof -top "$tmp/wall.gz" 2>/dev/null | sed -n '/flat%/,$p' >"$tmp/ours"
    check "wall: pprof shows the same" cmp "$tmp/oracle" "$tmp/ours"
fi
same "a child has no thread of ours" 2 "$(ls "/proc/$first/task" | wc -l)"
get "$tmp/text" "pprof/goroutine?debug=2"
check "labels of a child's threads" grep -q "pid: \"$first\", job: \"reader\"" "$tmp/text"

# ---- two kinds at once ----

get "$tmp/during.gz" "pprof/wall?seconds=2" &
other=$!
while ! pgrep -P $server strobe-wall >/dev/null; do sleep 0.05; done
get "$tmp/cpu.gz" "pprof/profile?seconds=1"
same "CPU time while wall time is taken" 200 "$code"
"$strobe" comments "$tmp/cpu.gz" >"$tmp/comments"
same "and it says so, once" 1 "$(grep -c 'they observe each other' "$tmp/comments")"
get "$tmp/cpu.gz" "pprof/profile?seconds=2" # longer than the other
same "CPU time when wall time ends first" 200 "$code"
wait $other
"$strobe" comments "$tmp/during.gz" >"$tmp/comments"
same "the other says so, too" 1 "$(grep -c 'they observe each other' "$tmp/comments")"
get "$tmp/cpu.gz" "pprof/profile?seconds=1"
"$strobe" comments "$tmp/cpu.gz" >"$tmp/comments"
same "alone it does not" 0 "$(grep -c 'they observe each other' "$tmp/comments")"

# ---- the pages ----

get "$tmp/state" strobe
check "/debug/strobe: how many" grep -q '"other_processes":3,"ended_processes":0,"threads":6,' \
    "$tmp/state"
get "$tmp/index" pprof/
check "the index counts all threads" grep -q '<td>7</td><td><a href=.goroutine' "$tmp/index"
check "and says of how many processes" grep -q '^of 4 processes' "$tmp/index"
end

# ---- who serves ----

serve workers 3
for turn in first second third; do
    # Who was killed answers nobody; the next serves when it has passed a sleep.
    get "$tmp/state" strobe
    serving=$(sed -n 's/^"pid": \([0-9]*\),/\1/p' "$tmp/state")
    kill -9 "$serving"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
        get "$tmp/state" strobe
        next=$(sed -n 's/^"pid": \([0-9]*\),/\1/p' "$tmp/state")
        [ "$code" = 200 ] && [ "$next" != "$serving" ] && break
        sleep 0.3
    done
    check "the $turn server was killed: $next serves" [ -n "$next" -a "$next" != "$serving" ]
done
get "$tmp/allocs.gz" pprof/allocs
same "it has what all three had counted" 300 "$(value allocs alloc_objects allocate_known)"
get "$tmp/cpu.gz" "pprof/profile?seconds=1"
same "and takes CPU time" 200 "$code"
end
finish
