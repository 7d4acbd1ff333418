#!/bin/sh
# SPDX-License-Identifier: MIT
# strobe_start as <strobe/strobe.h> and Go's pkg/profile have it: modes, files, messages, the hook;
# profiles by name, counters, spans, errors, mounted routes; and the C++ guards.
. "$(dirname "$0")/../record/lib.sh"
session=$build/tests/api/session
root=$(cd "$(dirname "$0")/../.." && pwd)

# use WAY [PATH]: what it says on stderr is in $tmp/err, without the time.
use()
{
    timeout 60 "$session" "$@" >"$tmp/out" 2>"$tmp/stamped"
    status=$?
    stamp='^[0-9]{4}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} profile: '
    grep -Ev "$stamp" "$tmp/stamped" >"$tmp/err.other"
    sed -E "s,$stamp,," "$tmp/stamped" >"$tmp/err"
    same "$1: status" "${want:-0}" $status
    [ $status = "${want:-0}" ] || sed 's/^/    /' "$tmp/out"
    same "$1: nothing else on stderr" "" "$(cat "$tmp/err.other")"
}
said()
{
    same "$1" "$2" "$(cat "$tmp/err")"
}
burns()
{
    check "$1" sh -c '"$1" folded "$2" | grep -q burn' - "$strobe" "$2"
}

mkdir "$tmp/tmp"
TMPDIR=$tmp/tmp use nothing
file=$(cat "$tmp/out")
check "without options: a new folder in TMPDIR" sh -c 'case $1 in "$2"/tmp/profile*/cpu.pprof) ;;
    *) false ;; esac' - "$file" "$tmp"
said "without options: what it says" "cpu profiling enabled, $file
cpu profiling disabled, $file"
burns "without options: the profile" "$file"

use path "$tmp/a/b"
burns "path: folders are made, a second session writes" "$tmp/a/b/cpu.pprof"

use several "$tmp/s"
same "several: said once in two sessions" 1 "$(grep -c 'observe each other' "$tmp/err")"
head -5 "$tmp/err" >"$tmp/first" && mv "$tmp/first" "$tmp/err"
said "several: what it says" "cpu profiling enabled, $tmp/s/cpu.pprof
memory profiling enabled (rate 1), $tmp/s/mem.pprof
thread creation profiling enabled, $tmp/s/threadcreation.pprof
goroutine profiling enabled, $tmp/s/goroutine.pprof
several kinds at once: they observe each other, and each has the others' cost in it"
burns "several: cpu" "$tmp/s/cpu.pprof"
same "several: memory" "200" "$("$strobe" folded -sample_index=alloc_objects "$tmp/s/mem.pprof" |
    awk '/;keep / { n += $NF } END { print n }')"
for name in threadcreation goroutine; do
    check "several: $name" "$strobe" top "$tmp/s/$name.pprof"
done

mkdir "$tmp/o"
use out "$tmp/o"
same "out: names" "x.cpu.gz x.heap.gz" "$(ls "$tmp/o" | tr '\n' ' ' | sed 's/ $//')"
check "out: the rate" sh -c '"$1" comments "$2" | grep -q "500 Hz"' - "$strobe" "$tmp/o/x.cpu.gz"
use quiet "$tmp/q"
said "quiet: nothing" ""
same "quiet: files" "cpu.pprof mem.pprof" "$(ls "$tmp/q" | tr '\n' ' ' | sed 's/ $//')"
use badly "$tmp/b"
want=7 use end "$tmp/e"
burns "not stopped: cpu is written at exit" "$tmp/e/cpu.pprof"
check "not stopped: so is goroutine" "$strobe" top "$tmp/e/goroutine.pprof"
use interrupt "$tmp/i"
said "interrupt: what it says" "cpu profiling enabled, $tmp/i/cpu.pprof
caught interrupt, stopping profiles
cpu profiling disabled, $tmp/i/cpu.pprof"
burns "interrupt: the profile" "$tmp/i/cpu.pprof"
# timeout hands a signal's end on as 128 + its number.
want=130 use no_hook "$tmp/n"
said "no_shutdown_hook: nothing of an interrupt" "cpu profiling enabled, $tmp/n/cpu.pprof"
use fork "$tmp/f"
burns "fork: the session stays the parent's" "$tmp/f/cpu.pprof"
STROBE_HZ=250 use path "$tmp/h"
check "the environment's rate is the default" \
    sh -c '"$1" comments "$2" | grep -q "250 Hz"' - "$strobe" "$tmp/h/cpu.pprof"

# Each option has its effect.
comments()
{
    "$strobe" comments "$1" 2>&1 | tr '\n' ' '
}
# sums PROFILE SAMPLE_TYPE: all of it.
sums()
{
    "$strobe" folded -sample_index="$2" "$1" | awk '{ n += $NF } END { print n + 0 }'
}
use backend "$tmp/backend"
check "backend" sh -c 'case $1 in *timer*) ;; *) false ;; esac' - \
    "$(comments "$tmp/backend/cpu.pprof")"
if case $(comments "$tmp/a/b/cpu.pprof") in *perf_event*) ;; *) false ;; esac; then
    use max_cost "$tmp/cost"
    check "max_cost" sh -c 'case $1 in *"rate lowered"*) ;; *) false ;; esac' - \
        "$(comments "$tmp/cost/cpu.pprof")"
fi
use heap_peak "$tmp/peak"
same "heap_peak: one of a hundred was in use" 100000 "$(sums "$tmp/peak/mem.pprof" inuse_space)"
for seed in 5 5 6; do
    STROBE_SEED=$seed use seed "$tmp/seed" >/dev/null
    sums "$tmp/seed/mem.pprof" alloc_space >>"$tmp/seeds"
done
same "seed: the same twice, and another" 2 "$(sort -u "$tmp/seeds" | wc -l)"
for way in waits older; do # older: 0, which is their default
    use $way "$tmp/$way"
    check "$way: block_rate: every wait" sh -c '"$1" folded "$2" | grep -q "want_it;.*_lock"' - \
        "$strobe" "$tmp/$way/block.pprof"
    same "$way: mutex_fraction: every contention" 1 "$(sums "$tmp/$way/mutex.pprof" contentions)"
done
check "block: locks, unless it is said" sh -c '! "$1" folded "$2" | grep -q "poll"' - \
    "$strobe" "$tmp/waits/block.pprof"
use block "$tmp/block"
check "block: system calls" sh -c '"$1" folded "$2" | grep -q "poll"' - \
    "$strobe" "$tmp/block/block.pprof"
check "block: and no locks" sh -c '! "$1" folded "$2" | grep -q "mutex_lock"' - \
    "$strobe" "$tmp/block/block.pprof"
use rates "$tmp/rates"
same "block_rate and mutex_fraction: next to none" "0 0" \
    "$(sums "$tmp/rates/block.pprof" contentions) $(sums "$tmp/rates/mutex.pprof" contentions)"
"$session" debug "$tmp/debug" 2>"$tmp/err"
same "debug: status" 0 $?
check "debug: lines" grep -q '^SCHED [0-9]*ms: gomaxprocs=' "$tmp/err"
same "debug: none after the end" stopped "$(tail -1 "$tmp/err")"
if command -v curl >/dev/null; then
    mkfifo "$tmp/in"
    : >"$tmp/out"
    mkdir "$tmp/http"
    "$session" http "$tmp/http" <"$tmp/in" >"$tmp/out" 2>/dev/null &
    exec 3>"$tmp/in"
    while ! grep -q ready "$tmp/out" && kill -0 $!; do sleep 0.1; done
    check "http" curl -sf --unix-socket "$tmp/http/socket" http://x/debug/pprof/cmdline \
        -o "$tmp/body"
    exec 3>&-
    wait $!
    same "http: status" 0 $?
fi
mkdir "$tmp/wall"
use wall "$tmp/wall"
for file in clock.pprof both.wall; do
    check "wall: $file: it slept" sh -c '"$1" folded "$2" | grep -q sleep_here' - "$strobe" \
        "$tmp/wall/$file"
    burns "wall: $file: and burned" "$tmp/wall/$file"
done
check "wall: cpu beside it" sh -c '! "$1" folded "$2" | grep -q sleep_here' - "$strobe" \
    "$tmp/wall/both.cpu"

use lookup
use mounted
use vars
if command -v python3 >/dev/null; then
    check "/debug/vars is JSON" python3 -c 'import json, sys; json.load(open(sys.argv[1]))' \
        "$tmp/out"
fi

if command -v g++ >/dev/null; then
    cat >"$tmp/guards.cc" <<'END_CC'
#include <strobe/strobe.hpp>
#include <cstdio>
int main(int argc, char **argv)
{
    strobe::options o;
    o.path = argv[argc - 1];
    o.quiet = 1;
    {
        strobe::session session(o);
        strobe::span span("outer");
        try {
            strobe::session second(o);
            return 1;
        } catch (const strobe::error &e) {
            if (e.code() >= 0 || !*e.what())
                return 2;
        }
        try {
            strobe::write("nosuch");
            return 3;
        } catch (const strobe::error &) {
        }
    }
    if (strobe::write("goroutine", 1).compare(0, 24, "goroutine profile: total") != 0)
        return 4;
    strobe::cpu_profile cpu(std::string(o.path) + "/guard.pprof");
    return 0;
}
END_CC
    check "C++ guards compile" g++ -std=c++11 -Wall -Wextra -Werror -I"$root/include" \
        "$tmp/guards.cc" -o "$tmp/guards" "$build/libstrobe.so" "-Wl,-rpath,$build"
    check "C++ guards" "$tmp/guards" "$tmp/cc"
    same "C++ guards: files" "cpu.pprof guard.pprof" "$(ls "$tmp/cc" | tr '\n' ' ' | sed 's/ $//')"
fi
finish
