#!/bin/sh
# SPDX-License-Identifier: MIT
# Every kind of profile on, and a program that does what breaks profilers, for long: it behaves as
# it does without, nothing is left over, and what could not be had is said. chaos.sh BUILD [TIMES]:
# TIMES 100 is the long run, of 10,000 forks and 100,000 threads.
. "$(dirname "$0")/../record/lib.sh"
command -v curl >/dev/null || skip "curl is not installed"
times=${2:-1}
library=$build/libstrobe.so
chaos=$programs/chaos
alpha=$programs/chaos_alpha.so gamma=$programs/chaos_gamma.so
socket=$tmp/socket
cd "$tmp" || exit 1
mkdir out

# all CMD…: everything on; $with are more settings.
all()
{
    # shellcheck disable=SC2086 # words
    env "LD_PRELOAD=$library" STROBE=all STROBE_HEAP_RATE=1 STROBE_BLOCK=sync,io \
        STROBE_BLOCK_RATE=1 STROBE_MUTEX_FRACTION=1 ${with-} "$@"
}

# ask PATH: an answer of the program that serves.
ask()
{
    curl -s -m 60 --unix-socket "$socket" "http://x/debug/$1"
}

# beside CASE COUNT…: runs it served by HTTP, which is asked for everything all the time; what it
# printed has to be what it prints without.
beside()
{
    label="$how $1 $2"
    "$chaos" "$@" >plain 2>plain.err
    wanted=$?
    pre=
    [ "$how" != noperf ] || pre=$programs/noperf
    with=STROBE_HTTP=unix:$socket
    # shellcheck disable=SC2086
    (all timeout 3600 $pre "$chaos" "$@") >got 2>got.err &
    program=$!
    asked=0
    while kill -0 $program 2>/dev/null; do
        for path in "pprof/heap?debug=1" "pprof/goroutine?debug=2" pprof/block \
            "pprof/mutex?debug=1" pprof/allocs pprof/threadcreate \
            "pprof/profile?seconds=1" strobe; do
            kill -0 $program 2>/dev/null || break
            ask "$path" >answer && asked=$((asked + 1))
        done
    done
    wait $program
    same "$label: status" $wanted $?
    check "$label: output" cmp plain got
    # What it says itself, of memory; a child that was wrong; nothing of ours.
    check "$label: nothing said" sh -c '! grep -v -e ^resident -e ^address -e "same place" got.err'
    rm -f "$socket"
    echo "asked $asked times"
}

for how in perf noperf; do
    beside forks $((100 * times)) "$alpha" "$gamma"
    beside threads $((2000 * times))
    beside generations $((20 * times))
    beside signals $((1000 * times)) "$alpha"
    beside close $((3 * times))
done

# ---- modules that take each other's places ----

# allocated FILE FUNCTION: bytes.
allocated()
{
    "$strobe" top -unit=b -sample_index=alloc_space "$1" |
        awk -v f="$2" '$NF == f { sub("B$", "", $1); print $1 }'
}

with="STROBE=allocs STROBE_OUT=$tmp/out/%k"
(all "$chaos" modules 200 "$alpha" "$gamma") >got 2>got.err
STROBE_HEAP_RATE=1 "$strobe" record -q -e allocs -o out/recorded -- \
    "$chaos" modules 200 "$alpha" "$gamma" >got 2>>got.err
grep 'same place' got.err
for file in allocs recorded; do
    same "$file: what the first one allocated" 100000 "$(allocated out/$file alpha_allocate)"
    same "$file: what the other one allocated" 300000 "$(allocated out/$file gamma_allocate)"
done
# Loading one and the same again makes no stack another one.
with=STROBE_HTTP=unix:$socket
(all "$chaos" forks 60 "$alpha") >got 2>got.err &
program=$!
while kill -0 $program 2>/dev/null && ! ask strobe >state; do
    sleep 0.1
done
wait $program
same "one module again and again: stacks lost" 0 \
    "$(sed -n 's/.*"sites":.*"lost":\([0-9]*\).*live.*/\1/p' state | head -1)"
rm -f "$socket"

# ---- memory ----

# A million allocations from 100,000 stacks: what we hold is bounded, and said.
with=STROBE_HTTP=unix:$socket
(all "$chaos" stacks $((200000 * times)) "$tmp/looked") >got 2>got.err &
program=$!
while ! [ -s got ] && kill -0 $program 2>/dev/null; do
    sleep 0.1
done
ask strobe >state
: >looked
wait $program
same "stacks: status" 0 $?
own=$(sed -n 's/.*"heap": {.*"memory_bytes":\([0-9]*\)}.*/\1/p' state)
check "stacks: own memory is said, and bounded: $own" \
    [ "${own:-999999999}" -lt $(((64 << 20) + (32 << 20))) ]
rm -f "$socket"

for kib in 30000 40000 60000 80000 100000 120000 150000 200000 300000; do
    (ulimit -v $kib && exec "$chaos" memory 70) >plain 2>plain.err
    wanted=$?
    rm -rf out
    mkdir out
    with=STROBE_OUT=$tmp/out/%k
    (ulimit -v $kib && all "$chaos" memory 70) >got 2>got.err
    same "$kib KiB: status" $wanted $?
    check "$kib KiB: output" cmp plain got
    check "$kib KiB: profiles, or what is missing is said" sh -c \
        '[ "$(ls out | wc -l)" = 7 ] ||
            grep -q -e "Cannot allocate memory" -e "cannot be preloaded" got.err'
    check "$kib KiB: what is there is whole" sh -c 'for f in out/*; do
        [ ! -e "$f" ] || gzip -t <"$f" || exit 1; done'
done

# ---- files ----

# No file is left that is not whole.
whole()
{
    for file in out/*; do
        [ ! -e "$file" ] || gzip -t <"$file" || return 1
    done
}

# refused WHAT KIND: what the program said and left, whose status was 7.
refused()
{
    same "$1: status" 7 "$(cat status)"
    check "$1: said" grep -q "^libstrobe: the $2 profile is not written: " got.err
    check "$1: only whole files" whole
}

rm -rf out
mkdir out
with="STROBE_OUT=/dev/full STROBE=heap"
all "$chaos" exit 7 2>got.err
echo $? >status
refused /dev/full heap
with=STROBE_OUT=$tmp/out/%k
# Behind a pipe, because a file for what is said would have the same limit.
{
    (ulimit -f 0 && all "$chaos" exit 7)
    echo $? >status
} 2>&1 | cat >got.err
refused "limit of size" block
with=STROBE_OUT=$tmp/none/%k
all "$chaos" exit 7 2>got.err
same "no folder: status" 7 $?
check "no folder: said" grep -q '^libstrobe: the heap is not profiled: .*No such file' got.err

if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
    cat >small.sh <<'SH'
mount -t tmpfs -o size=64k none out || exit 77
head -c "$1" /dev/zero >out/fill
shift
"$@"
echo $? >status
rm out/fill
cp out/* copies
SH
    mkdir copies
    unshare -m sh small.sh 49152 env "LD_PRELOAD=$library" STROBE=all STROBE_HEAP_RATE=1 \
        "STROBE_OUT=$tmp/out/%k" "$chaos" stacks 30000 >got 2>got.err
    same "full disk: status" 0 "$(cat status)"
    check "full disk: said" grep -q 'heap profile is not written: .*No space left' got.err
    rm -rf out && mv copies out
    check "full disk: only whole files" whole
    check "full disk: what is small is there" test -s out/threads
    mkdir copies
    unshare -m sh small.sh 65536 "$strobe" record -e heap -o out/x -- "$chaos" stacks 300000 \
        >got 2>got.err
    same "record to a full disk: status" 1 "$(cat status)"
    check "record to a full disk: said" grep -qi 'no space left' got.err
    check "record to a full disk: no file" test ! -e copies/x
else
    echo "skipped: a full disk needs root"
fi

# ---- descriptors 0 to 2 ----

# What the program's own files have, which may stand at these numbers.
sentences()
{
    sed -n 2p "$1"
    cat "$(sed -n 1p "$1")"/*
    rm -r "$(sed -n 1p "$1")"
}

for closed in '2>&-' '>&-' '<&- >&- 2>&-'; do
    rm -f plain got
    sh -c "\"\$@\" $closed" sh "$chaos" files 6 "$tmp/plain"
    # shellcheck disable=SC2086 # words
    for where in "$tmp/out/%k" "$tmp/none/%k" /dev/full; do
        rm -f got
        with="STROBE_OUT=$where STROBE_HTTP=unix:$socket"
        [ "$where" != /dev/full ] || with="$with STROBE=heap"
        sh -c "\"\$@\" $closed" sh env "LD_PRELOAD=$library" STROBE=all STROBE_HEAP_RATE=1 $with \
            "$chaos" files 6 "$tmp/got"
        same "closed $closed: status" 0 $?
        [ -f plain.text ] || sentences plain >plain.text
        sentences got >got.text
        check "closed $closed: its files are its own" cmp plain.text got.text
    done
done

# A standard error that nobody reads: the pipe is full, or has no other end.
cat >pipe.py <<'PY'
import os, subprocess, sys
r, w = os.pipe()
os.set_blocking(w, False)
try:
    while True:
        os.write(w, b"x")
except BlockingIOError:
    pass
os.set_blocking(w, True)
full = subprocess.run(sys.argv[1:], stderr=w, timeout=60).returncode
os.close(r)
print(full, subprocess.run(sys.argv[1:], stderr=w, timeout=60).returncode)
PY
if command -v python3 >/dev/null; then
    same "nobody reads what is said" "7 7" "$(python3 pipe.py env "LD_PRELOAD=$library" STROBE=all \
        "STROBE_OUT=$tmp/none/%k" "$chaos" exit 7)"
    same "nobody reads what is said at the end" "7 7" "$(python3 pipe.py env \
        "LD_PRELOAD=$library" STROBE=heap STROBE_OUT=/dev/full "$chaos" exit 7)"
fi
finish
