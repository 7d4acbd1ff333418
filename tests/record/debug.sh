#!/bin/sh
# SPDX-License-Identifier: MIT
# STROBE_DEBUG: each switch by a program that does the wrong thing, and by programs that do not;
# what is printed is in the form that docs/debug.md shows.
. "$(dirname "$0")/lib.sh"
misuse=$programs/misuse
library=$build/libstrobe.so

# under SWITCHES CMD…: output in $tmp/out, errors in $tmp/err; the status.
under()
{
    switches=$1
    shift
    timeout 120 env "LD_PRELOAD=$library" "STROBE_DEBUG=$switches" sh -c 'exec "$@"' - "$@" \
        >"$tmp/out" 2>"$tmp/err"
}

# caught SWITCHES HOW STATUS SENTENCE FUNCTION…: it dies, with the sentence and these functions,
# each in a stack of its own, in this order.
caught()
{
    switches=$1 how=$2 status=$3 sentence=$4
    shift 4
    under "$switches" "$misuse" "$how"
    same "$switches: $how: status" "$status" $?
    check "$switches: $how: says what" grep -q "$sentence" "$tmp/err"
    same "$switches: $how: stacks of" "$*" "$(awk '/goroutine/ { getline; sub(/\(.*/, "")
        printf "%s%s", sep, $0; sep = " " }' "$tmp/err")"
    check "$switches: $how: up to main" grep -q '^main(\.\.\.)$' "$tmp/err"
}

caught efence=1 read-freed 139 "freed memory was used (a read)" read_it drop make
caught efence=1 write-freed 139 "freed memory was used (a write)" write_it drop make
caught efence=1 overflow 139 "memory behind an object's end was used (a write)" write_it make
caught efence=1 read-behind 139 "memory behind an object's end was used (a read)" read_it make
caught efence=1 by-one 134 "a write behind an object's end" drop make
caught efence=1 twice 134 "free of a bad pointer, 0x.*: it was freed already" drop drop make
caught clobberfree=1 overflow 134 "a write behind an object's end" drop make
caught clobberfree=1 by-one 134 "a write behind an object's end" drop make
caught clobberfree=1 follow 139 "an address that was read from freed memory" follow drop make
caught gcdead=1 twice 134 "it was freed already" drop drop make
caught invalidptr=1 twice 134 "it was freed already" drop drop make
caught invalidptr=1 inside 134 "no object begins there" drop make
caught invalidptr=1 stack 134 "it points into the stack" drop
caught invalidptr=1 data 134 "it points into a mapped file" drop
under clobberfree=1 "$misuse" write-freed
same "clobberfree: a write to freed memory: status" 134 $?
check "clobberfree: a write to freed memory is found" grep -q "a write to freed memory" "$tmp/err"
check "clobberfree: by which stack it was freed" sh -c \
    "grep -A1 '^freed by' $tmp/err | grep -q drop"

# What is right stays right: the same output, nothing said.
for switches in efence=1 clobberfree=1 invalidptr=1 efence=1,clobberfree=1,invalidptr=1; do
    for how in "churn 3000 3" "fork 20"; do
        # shellcheck disable=SC2086 # a word and a number
        under $switches "$misuse" $how
        same "$switches: $how" "0 survived 0" "$? $(cat "$tmp/out") $(wc -c <"$tmp/err")"
    done
done
under efence=1 "$misuse" live 40000
same "efence: more objects than mappings" "0 survived" "$? $(cat "$tmp/out")"
same "efence: says so once" 1 "$(grep -c "vm.max_map_count" "$tmp/err")"
(ulimit -v 2000000 && under efence=1 "$misuse" live 2000)
same "efence: little address space" "0 survived" "$? $(cat "$tmp/out")"

# Traces.
for name in alloctrace allocfreetrace; do
    under $name=1 "$misuse"
    check "$name: an allocation" grep -Eq '^tracealloc\(0x[0-9a-f]+, 0x21, malloc\)$' "$tmp/err"
    check "$name: its stack" sh -c \
        "grep -A2 '0x21, malloc' $tmp/err | grep -q '^make(\.\.\.)'"
done
under allocfreetrace=1 "$misuse" twice
check "alloctrace: a free" grep -Eq '^tracefree\(0x[0-9a-f]+, 0x[0-9a-f]+\)$' "$tmp/err"

heap_line='^heap [0-9]+ @[0-9.]+s [0-9]+%: [0-9.]+\+[0-9.]+ ms malloc, '
heap_line="$heap_line"'[0-9.]+->[0-9.]+->[0-9.]+ MB, [0-9.]+ MB peak, '
heap_line="$heap_line"'[0-9]+ allocs/s, [0-9]+ frees/s, [0-9.]+ MB/s, '
heap_line="$heap_line"'[0-9.]+ MB resident, [0-9]+ T$'
sched_line='^SCHED [0-9]+ms: gomaxprocs=[0-9]+ idleprocs=[0-9]+ threads=[0-9]+ '
sched_line="$sched_line"'spinningthreads=0 idlethreads=[0-9]+ runqueue=[0-9]+ \[[0-9 ]+\]$'
under heaptrace=20 "$misuse" churn 30000
check "heaptrace: lines" grep -Eq "$heap_line" "$tmp/err"
same "heaptrace: nothing else" 0 "$(grep -Evc "$heap_line" "$tmp/err")"
check "heaptrace: what lives at the end" sh -c \
    "tail -1 $tmp/err | grep -q -- '->0.0 MB,'"
under gctrace=2 "$misuse" churn 3000
check "gctrace=2: with detail" grep -q "MB got from the system" "$tmp/err"
under scavenge=1 "$misuse" churn 3000
check "scavtrace: as Go's" grep -Eq '^scav [0-9]+ KiB work, [0-9]+ KiB total, [0-9]+% util$' \
    "$tmp/err"
under schedtrace=100 "$misuse" idle 1000
check "schedtrace: lines while all of it waits" test "$(grep -Ec "$sched_line" "$tmp/err")" -ge 3
check "schedtrace: one thread, which waits" grep -q " threads=1 .* idlethreads=1 " "$tmp/err"
under schedtrace=50,scheddetail=1 "$misuse" churn 20000 2
check "scheddetail: three threads" grep -q " threads=3 " "$tmp/err"
for line in '^  P[0-9]+: status=[01] schedtick=[0-9]+ m=-?[0-9]+ runqsize=[0-9]+$' \
    '^  M[0-9]+: p=-?[0-9]+ curg=[0-9]+ blocked=(true|false) schedtick=[0-9]+ ' \
    '^  G[0-9]+: status=[0-9]\([a-z_0-9.]*\) m=[0-9]+ name=misuse$'; do
    check "scheddetail: $line" grep -Eq "$line" "$tmp/err"
done
same "no thread is added" "Threads:	1" "$(env "LD_PRELOAD=$library" \
    STROBE_DEBUG=heaptrace=1,schedtrace=1000 grep '^Threads' /proc/self/status 2>/dev/null)"
(exec 2>&-; env "LD_PRELOAD=$library" STROBE_DEBUG=heaptrace=10,alloctrace=1 "$misuse" churn 100 \
    >"$tmp/out")
same "closed stderr" "0 survived" "$? $(cat "$tmp/out")"
under heaptrace=10 sh -c "i=0; while [ \$i -lt 100000 ]; do i=\$((i + 1)); done
    exec $misuse churn 3000"
same "exec: the traces go on" "0 survived" "$? $(cat "$tmp/out")"
check "exec: those of both images" test "$(grep -c '^heap 1 ' "$tmp/err")" -ge 2

# What there is not.
for bad in efnce=1 efence efence=2 efence=x "heaptrace=1,nosuch=1"; do
    under "$bad" "$misuse"
    same "$bad: the program runs" "0 survived" "$? $(cat "$tmp/out")"
    check "$bad: is an error" grep -q "STROBE_DEBUG: there is no switch ${bad##*,}" "$tmp/err"
done
finish
