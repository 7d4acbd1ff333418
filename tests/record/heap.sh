#!/bin/sh
# SPDX-License-Identifier: MIT
# `strobe record -e heap`: exact at rate 1 for programs that know what they allocate, also when they
# are killed; real programs do under it what they do without; children are in it; and what is said
# at the end is true.
. "$(dirname "$0")/lib.sh"
heap=$programs/heap

"$heap" truth 5000 >"$tmp/truth"
"$strobe" record -e heap --heap-rate 1 -o "$tmp/p.pb.gz" -- "$heap" truth 5000 \
    >"$tmp/out" 2>"$tmp/err"
same "the program's output" "$(cat "$tmp/truth")" "$(cat "$tmp/out")"
column=2
for type in alloc_objects alloc_space inuse_objects inuse_space; do
    "$strobe" folded -sample_index=$type "$tmp/p.pb.gz" >"$tmp/folded"
    check "rate 1: $type is exact" awk -v rate=1 -v runs=1 -v column=$column \
        -f "$here/../api/heap_compare.awk" "$tmp/truth" "$tmp/folded"
    column=$((column + 1))
done
check "the summary: everything was seen" \
    grep -q "every one recorded, 0 lost, 0 truncated" "$tmp/err"
check "the summary: what is resident" grep -q "^strobe: resident at the end .* live + " "$tmp/err"
check "the summary: the largest" grep -q " aligned$" "$tmp/err"

"$strobe" record -e heap --heap-rate=1 -o "$tmp/k.pb.gz" -- "$heap" killed 500 >/dev/null \
    2>"$tmp/err"
same "killed: status" 137 $?
n=$("$strobe" folded -sample_index=inuse_objects "$tmp/k.pb.gz" |
    awk '/;small /{ s += $NF } END { print s + 0 }')
same "killed: nothing is lost" 500 "$n"

STROBE_HEAP_RATE=1 "$strobe" record -e heap -o "$tmp/c.pb.gz" -- "$heap" child 100 >/dev/null 2>&1
"$strobe" folded -sample_index=inuse_objects "$tmp/c.pb.gz" |
    awk '/;small /{ s += $NF } /;cleared /{ c += $NF } END { print s + 0, c + 0 }' >"$tmp/both"
same "a child is in it, with what it allocated itself" "1 100" "$(cat "$tmp/both")"
"$strobe" tags "$tmp/c.pb.gz" >"$tmp/tags"
check "processes are labels" grep -q "pid: Total" "$tmp/tags"

"$strobe" record -e heap --heap-rate 1 --peak -o "$tmp/t.pb.gz" -- "$heap" temporary 2000 \
    >/dev/null 2>"$tmp/err"
check "temporary objects are told" grep -Eq "(9[0-9]|100) % of them temporary" "$tmp/err"

"$strobe" record -e cpu,heap,allocs -o "$tmp/m.%k.pb.gz" -- "$heap" threads 4 >/dev/null \
    2>"$tmp/err"
for kind in cpu heap allocs; do
    check "several kinds: $kind" test -s "$tmp/m.$kind.pb.gz"
done
check "several kinds: their cost is told" grep -q "one at a time" "$tmp/err"
"$strobe" top "$tmp/m.allocs.pb.gz" >"$tmp/top"
check "allocs shows all allocations" grep -q "^Type: alloc_space" "$tmp/top"

"$strobe" record -e cpu,heap -o "$tmp/one.pb.gz" -- true 2>"$tmp/err"
same "several kinds, one file: refused" 2 $?
"$strobe" record -e nosuch -- true 2>"$tmp/err"
same "no such kind: refused" 2 $?
check "no such kind: which there are" grep -q "cpu, heap, allocs" "$tmp/err"

# Real programs, at every rate that takes another way.
printf 'int main(void) { return 0; }\n' >"$tmp/m.c"
seq 1 100000 >"$tmp/text"
try()
{
    name=$1
    shift
    command -v "$1" >/dev/null || { echo "skipped: $1 is not installed"; return; }
    "$@" >"$tmp/plain" 2>"$tmp/plain.err" </dev/null
    wanted=$?
    for rate in 1 40000 524288; do
        "$strobe" record -q -e heap --heap-rate $rate -o "$tmp/r.pb.gz" -- "$@" \
            >"$tmp/out" 2>"$tmp/out.err" </dev/null
        same "$name at rate $rate: status" "$wanted" $?
        check "$name at rate $rate: output" cmp "$tmp/plain" "$tmp/out"
        check "$name at rate $rate: errors" cmp "$tmp/plain.err" "$tmp/out.err"
    done
}
try sqlite3 sqlite3 :memory: \
    "with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
     select sum(length(hex(zeroblob(x % 100)))), group_concat(x % 7) from c;"
try zstd zstd -T2 -9 -c "$tmp/text"
try gcc gcc -O2 -S -o - "$tmp/m.c"
try python3 python3 -c "import json
print(len(json.dumps([{str(k): [k] * 20 for k in range(500)} for _ in range(20)])))"
try git git --no-pager log -n 1 --stat
finish
