#!/bin/sh
# SPDX-License-Identifier: MIT
# `strobe record -e block,mutex`: at rate 1, waits are what the program measured itself, by stack,
# for every call that can wait, and what lock holders let others wait is all that was waited.
. "$(dirname "$0")/lib.sh"
wait=$programs/wait

both() # MODE N…: records it with everything, into $tmp/{block,mutex}.pb.gz; its words in $tmp/truth
{
    "$strobe" record -e block,mutex --block-rate 1 --mutex-fraction 1 -o "$tmp/%k.pb.gz" \
        -- "$wait" "$@" >"$tmp/truth" 2>"$tmp/err"
}

sum() # KIND TYPE [PATTERN]: of the stacks with the pattern
{
    "$strobe" folded -sample_index="$2" "$tmp/$1.pb.gz" |
        awk -v pattern="${3:-.}" '$0 ~ pattern { s += $NF } END { printf "%d", s }'
}

near() # A B PERCENT
{
    awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN { d = a - b; if (d < 0) d = -d
        if (d > b * p / 100) { print a " is not " b; exit 1 } }'
}

both truth 5
same "truth: status" 0 $?
for kind in block mutex; do
    "$strobe" folded -sample_index=delay "$tmp/$kind.pb.gz" >"$tmp/delays"
    check "$kind: delays are within 2 % of what was measured" awk -v column=4 -v profile=$kind \
        -v percent=2 -f "$here/wait_compare.awk" "$tmp/truth" "$tmp/delays"
done
"$strobe" folded -sample_index=contentions "$tmp/mutex.pb.gz" >"$tmp/counts"
check "mutex: every contention is there" awk -v column=3 -v profile=mutex -v percent=0 \
    -f "$here/wait_compare.awk" "$tmp/truth" "$tmp/counts"
"$strobe" folded -sample_index=delay "$tmp/block.pb.gz" >"$tmp/delays"
check "the leaf is what it waited in" grep -q ";wait_sem_clock;sem_clockwait " "$tmp/delays"
check "the summary says how well it is known" grep -q "every one recorded, .* 0 lost" "$tmp/err"

# Who holds the lock long is charged: unless somebody else is stopped while he has it.
crowd()
{
    both crowd 16 || return 1
    waited=$(sed -n 's/^crowd //p' "$tmp/truth")
    blocked=$(sum block delay 'quick|slow')
    charged=$(sum mutex delay)
    long=$(sum mutex delay ';slow;')
    echo "waited $waited, in block $blocked, in mutex $charged, to who holds it long $long"
    near "$blocked" "$waited" 2 && near "$charged" "$waited" 2 &&
        [ $((long * 10)) -gt $((waited * 9)) ]
}
by_chance "many threads: their waits, and who is charged" crowd

# What locks of every kind answer, and what happens to who waits, is as it is without us.
stress=$programs/wait_stress
for mode in "kinds 2" "forks 100" "churn 2000" "leave 10"; do
    # shellcheck disable=SC2086 # a mode and its number
    "$stress" $mode >"$tmp/plain"
    # shellcheck disable=SC2086
    "$strobe" record -q -e block,mutex --block-rate 1 --mutex-fraction 1 --block sync,io \
        -o "$tmp/%k.pb.gz" -- "$stress" $mode >"$tmp/out" 2>"$tmp/err"
    same "$mode: status" 0 $?
    check "$mode: what it prints" cmp "$tmp/plain" "$tmp/out"
    check "$mode: nothing is said" test ! -s "$tmp/err"
done
"$strobe" record -q -e block --block-rate 1 --block sync,io -o "$tmp/c.pb.gz" -- "$stress" \
    cancelled 2 >"$tmp/truth"
same "cancelled waits: status" 0 $?
"$strobe" folded -sample_index=delay "$tmp/c.pb.gz" >"$tmp/delays"
while read -r _ name _ ns; do
    got=$(awk -v name=";$name;" 'index($0, name) { s += $NF } END { printf "%d", s }' "$tmp/delays")
    # The program measures from a moment of the wait on, until after its end.
    check "$name: it is counted" test "$got" -gt $((ns / 2))
done <"$tmp/truth"

# Sampled, the sum is right on average: over seeds, within three standard errors.
runs=20
for seed in $(seq $runs); do
    STROBE_SEED=$seed "$strobe" record -q -e block --block-rate 3000000 -o "$tmp/s.pb.gz" \
        -- "$wait" sampled 100 | sed -n 's/^block short_wait //p' >"$tmp/one"
    "$strobe" folded -sample_index=delay "$tmp/s.pb.gz" |
        awk '/;short_wait;/ { s += $NF } END { printf "%d ", s }' >>"$tmp/estimates"
    "$strobe" folded -sample_index=contentions "$tmp/s.pb.gz" |
        awk '/;short_wait;/ { s += $NF } END { printf "%d ", s }' >>"$tmp/estimates"
    cat "$tmp/one" >>"$tmp/estimates"
done
cat >"$tmp/unbiased.awk" <<'AWK'
{ d = $1 / $4 - 1; c = $2 / $3 - 1; sd += d; sdd += d * d; sc += c; scc += c * c }
function off(s, ss, name,    error) {
    error = sqrt((ss - s * s / NR) / (NR - 1) / NR)
    printf "%s: off by %.3f, standard error %.3f\n", name, s / NR, error
    return s / NR > 3 * error + 0.02 || s / NR < -3 * error - 0.02
}
END { exit NR < 10 || off(sd, sdd, "delay") || off(sc, scc, "contentions") }
AWK
check "sampled: unbiased" awk -f "$tmp/unbiased.awk" "$tmp/estimates"

"$strobe" record -e block -o "$tmp/x.pb.gz" --block nosuch -- true 2>"$tmp/err"
same "no such waits: refused" 2 $?

# Real programs with threads.
seq 1 200000 >"$tmp/text"
try()
{
    name=$1
    shift
    command -v "$1" >/dev/null || { echo "skipped: $1 is not installed"; return; }
    "$@" >"$tmp/plain" 2>"$tmp/plain.err" </dev/null
    wanted=$?
    for what in sync sync,io; do
        "$strobe" record -q -e block,mutex --block-rate 1 --mutex-fraction 1 --block $what \
            -o "$tmp/r.%k.pb.gz" -- "$@" >"$tmp/out" 2>"$tmp/out.err" </dev/null
        same "$name, $what: status" "$wanted" $?
        check "$name, $what: output" cmp "$tmp/plain" "$tmp/out"
        check "$name, $what: errors" cmp "$tmp/plain.err" "$tmp/out.err"
    done
}
try zstd zstd -T2 -9 -c "$tmp/text"
try xz xz -T2 -1 -c "$tmp/text"
try sqlite3 sqlite3 :memory: \
    "with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
     select sum(length(hex(zeroblob(x % 100)))), group_concat(x % 7) from c;"
try python3 python3 -c "import threading, queue
q, r, lock = queue.Queue(), [], threading.Lock()
def work():
    while (x := q.get()) is not None:
        with lock: r.append(x * x)
t = [threading.Thread(target=work) for _ in range(4)]
[x.start() for x in t]; [q.put(i) for i in range(2000)]; [q.put(None) for _ in t]
[x.join() for x in t]; print(sum(r), len(r))"
try git git --no-pager log -n 1 --stat
finish
