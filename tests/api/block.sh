#!/bin/sh
# SPDX-License-Identifier: MIT
# Block and mutex profiles of a program that knows nothing of them: live, in the forms of Go's
# net/http/pprof, over some seconds, and as files; and turned on and off by the program itself.
. "$(dirname "$0")/../record/lib.sh"
command -v curl >/dev/null || skip "curl is not installed"
library=$build/libstrobe.so
wait=$programs/wait
socket=$tmp/s

get() # PATH FILE
{
    curl -s -o "$2" --unix-socket "$socket" "http://strobe$1"
}

LD_PRELOAD=$library STROBE=block,mutex STROBE_BLOCK_RATE=1 STROBE_MUTEX_FRACTION=1 \
    STROBE_HTTP=unix:$socket "$wait" truth 2000 >/dev/null 2>"$tmp/err" &
program=$!
for _ in $(seq 100); do
    [ ! -S "$socket" ] || break
    sleep 0.1
done
sleep 1
get '/debug/pprof/block?debug=1' "$tmp/block.txt"
get '/debug/pprof/mutex?debug=1' "$tmp/mutex.txt"
same "block: the first lines are Go's" "--- contention:cycles/second=1000000000" \
    "$(head -2 "$tmp/block.txt" | tr -d '\n')"
same "mutex: the first lines are Go's" "--- mutex:cycles/second=1000000000sampling period=1" \
    "$(head -3 "$tmp/mutex.txt" | tr -d '\n')"
check "block: delay, count and a stack" grep -Eq '^[0-9]+ [0-9]+ @( 0x[0-9a-f]+)+$' "$tmp/block.txt"
check "block: names" grep -Eq "^#	0x[0-9a-f]+	+pthread_mutex_lock\+0x" "$tmp/block.txt"
check "mutex: names" grep -Eq "^#	0x[0-9a-f]+	+hold_mutex\+0x" "$tmp/mutex.txt"
check "block: the longest delay first" sh -c \
    "awk '/ @ /{ if (n++ && \$1 > last) exit 1; last = \$1 } END { exit !n }' '$tmp/block.txt'"
for kind in block mutex; do
    get /debug/pprof/$kind "$tmp/$kind.pb.gz"
    get "/debug/pprof/$kind?seconds=1" "$tmp/$kind.delta.pb.gz"
    "$strobe" raw "$tmp/$kind.pb.gz" >"$tmp/raw"
    check "$kind: Go's period and sample types" sh -c "grep -q '^PeriodType: contentions count' \
        '$tmp/raw' && grep -q '^Period: 1$' '$tmp/raw' &&
        grep -q '^contentions/count delay/nanoseconds' '$tmp/raw'"
    "$strobe" raw "$tmp/$kind.delta.pb.gz" >"$tmp/raw"
    check "$kind: a difference says how long it was" grep -q '^Duration: 1' "$tmp/raw"
    check "$kind: one of the waits of a second" sh -c "'$strobe' folded -sample_index=delay \
        '$tmp/$kind.delta.pb.gz' | awk '{ s += \$NF } END { exit s == 0 || s > 5e9 }'"
done
get /debug/pprof/ "$tmp/index"
check "the index counts them" grep -Eq "<td>[1-9][0-9]*</td><td><a href='?block" "$tmp/index"
get /debug/strobe "$tmp/state"
check "memory and losses are told" grep -q '"waits": {"block_rate_ns":1,.*"lost":0' "$tmp/state"
kill $program
wait $program 2>/dev/null

# Waits that have not ended are counted up to now: in all of it, in the difference over a second
# what is of that second, and at the end up to the end.
rm -f "$socket"
LD_PRELOAD=$library STROBE=block,mutex STROBE_MUTEX_FRACTION=1 STROBE_HTTP=unix:$socket \
    "$wait" open 2000 >/dev/null 2>"$tmp/err" &
program=$!
for _ in $(seq 100); do
    [ ! -S "$socket" ] || break
    sleep 0.1
done
delay_of() # FUNCTION FILE
{
    "$strobe" folded -sample_index=delay "$2" | awk -v f=";$1;" '
        index($0, f) { s += $NF } END { printf "%.0f\n", s }'
}
for _ in $(seq 100); do # until all three wait
    get /debug/pprof/block "$tmp/now.pb.gz"
    [ "$(delay_of open_lock "$tmp/now.pb.gz")" = 0 ] ||
        [ "$(delay_of open_cond "$tmp/now.pb.gz")" = 0 ] || break
    sleep 0.1
done
sleep 1
for try in 1 2 3; do
    get '/debug/pprof/block?seconds=1' "$tmp/open.pb.gz"
    ns=$("$strobe" raw "$tmp/open.pb.gz" | sed -n 's/^Duration: \([0-9.]*\).*/\1/p' | head -1)
    echo "$(delay_of open_lock "$tmp/open.pb.gz") $(delay_of open_cond "$tmp/open.pb.gz") $ns" |
        awk '{ s = $3 * 1e9
            exit !($1 > 0.9 * s && $1 < 1.1 * s && $2 > 1.8 * s && $2 < 2.2 * s) }' && break
    [ $try -lt 3 ] || bad "open waits: $(delay_of open_lock "$tmp/open.pb.gz") ns in $ns s"
done
get /debug/pprof/block "$tmp/later.pb.gz"
check "open waits: later readings have more" [ "$(delay_of open_lock "$tmp/later.pb.gz")" -gt \
    "$(delay_of open_lock "$tmp/now.pb.gz")" ]
"$strobe" folded -sample_index=contentions "$tmp/later.pb.gz" | grep open_ >"$tmp/counts"
same "open waits: each is one" "2 1" "$(awk '/open_cond/ { c += $NF } /open_lock/ { l += $NF }
    END { print c, l }' "$tmp/counts")"
kill $program
wait $program 2>/dev/null
for way in preload record; do
    rm -f "$tmp"/f.*.pb.gz
    set -- "$wait" open 20
    if [ $way = record ]; then
        "$strobe" record -q -e block,mutex --mutex-fraction 1 -o "$tmp/f.%k.pb.gz" -- "$@"
    else
        LD_PRELOAD=$library STROBE=block,mutex STROBE_MUTEX_FRACTION=1 \
            STROBE_OUT="$tmp/f.%k.pb.gz" "$@"
    fi >"$tmp/truth"
    "$strobe" folded -sample_index=delay "$tmp/f.block.pb.gz" >"$tmp/delays"
    check "open waits: $way: up to the end" awk -v column=4 -v profile=block -v percent=5 \
        -f "$here/../record/wait_compare.awk" "$tmp/truth" "$tmp/delays"
    "$strobe" folded -sample_index=delay "$tmp/f.mutex.pb.gz" >"$tmp/delays"
    check "open waits: $way: the lock was not unlocked" awk 'FNR == NR { if (/open_lock/) want = $4
        next } /not unlocked/ { have += $NF } END { exit !(have > 0.95 * want &&
        have < 1.05 * want) }' "$tmp/truth" "$tmp/delays"
done

# As files, with what a killed one leaves under a recorder.
(cd "$tmp" && LD_PRELOAD=$library STROBE=block,mutex STROBE_BLOCK_RATE=1 STROBE_MUTEX_FRACTION=1 \
    STROBE_OUT=f.%k.pb.gz "$wait" truth 2 >"$tmp/truth")
for kind in block mutex; do
    "$strobe" folded -sample_index=delay "$tmp/f.$kind.pb.gz" >"$tmp/delays"
    check "a file: $kind is what was measured" awk -v column=4 -v profile=$kind -v percent=2 \
        -f "$here/../record/wait_compare.awk" "$tmp/truth" "$tmp/delays"
done
"$strobe" record -q -e block,mutex --block-rate 1 --mutex-fraction 1 -o "$tmp/k.%k.pb.gz" -- \
    sh -c '"$0" truth 1 | cat; kill -9 $$' "$wait" >"$tmp/truth"
same "killed: status" 137 $?
for kind in block mutex; do
    "$strobe" folded -sample_index=delay "$tmp/k.$kind.pb.gz" >"$tmp/delays"
    check "killed: $kind is there" awk -v column=4 -v profile=$kind -v percent=2 \
        -f "$here/../record/wait_compare.awk" "$tmp/truth" "$tmp/delays"
done

STROBE=block,mutex STROBE_OUT=$tmp/one.pb.gz LD_PRELOAD=$library env true 2>"$tmp/err"
check "several kinds, one file: refused" grep -q "needs %k" "$tmp/err"
STROBE_BLOCK=nosuch LD_PRELOAD=$library env true 2>"$tmp/err"
check "no such waits: refused" grep -q "STROBE_BLOCK=nosuch is not valid" "$tmp/err"


# The program's own calls: on and off, a lock of its own making, futexes by number.
"$build/tests/api/use_block" "$tmp/u.pb.gz" >"$tmp/truth"
same "by call: status" 0 $?
"$strobe" folded -sample_index=delay "$tmp/u.pb.gz" >"$tmp/delays"
"$strobe" folded -sample_index=contentions "$tmp/u.pb.gz" >"$tmp/counts"
check "by call: delays" awk -v column=4 -v profile=block -v percent=2 \
    -f "$here/../record/wait_compare.awk" "$tmp/truth" "$tmp/delays"
check "by call: contentions, what is inside of one is part of it" awk -v column=3 -v profile=block \
    -v percent=0 -f "$here/../record/wait_compare.awk" "$tmp/truth" "$tmp/counts"
check "by call: nothing of before and after" sh -c "! grep -Eq ';(before|after);' '$tmp/counts'"
finish
