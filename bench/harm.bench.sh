#!/bin/sh
# SPDX-License-Identifier: MIT
# harm.bench.sh BUILD [--short]: what the library costs a program besides its samples, beside
# gperftools' libprofiler: the start of /bin/true, C++ exceptions, memory for each thread. Each run
# under a tool stands between two runs without (A B A C A …), and is compared with the mean of its
# neighbours, so that other load meets all alike; the table has the median of the pairs and their
# quartiles. Figures are CPU time, or per CPU time. "empty" is what every profiler inside a program
# takes from it: the signals of libstrobe's clock, to a handler that does nothing.
set -u
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
rounds=${ROUNDS:-40} seconds=${SECONDS_A_RUN:-0.6}
[ "${2:-}" != --short ] || { rounds=5 seconds=0.3; }
programs=$build/tests/programs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ninja -C "$build" tests/programs/cputime tests/programs/stress_throw >/dev/null 2>&1
[ -x "$programs/stress_throw" ] || { echo "tests/programs are not built"; exit 1; }
gcc -O2 -pthread -o "$work/idle_threads" "$here/idle_threads.c" || exit 1
gcc -O2 -shared -fPIC -o "$work/empty.so" "$here/empty_handler.c" || exit 1
gperf=$(ls /usr/lib/*/libprofiler.so.0 2>/dev/null | head -1)

# env_of WHO: its settings, as words for env.
env_of()
{
    case $1 in
    base) echo "A=1" ;;
    idle) echo "LD_PRELOAD=$build/libstrobe.so" ;;
    strobe*) echo "LD_PRELOAD=$build/libstrobe.so STROBE=cpu STROBE_HZ=${1#strobe}" \
        "STROBE_OUT=$work/s.pb.gz" ;;
    empty*) echo "LD_PRELOAD=$work/empty.so STROBE_HZ=${1#empty}" ;;
    gperf*) echo "LD_PRELOAD=$gperf CPUPROFILE=$work/g.prof CPUPROFILE_FREQUENCY=${1#gperf}" ;;
    esac
}

# measure WHAT WHO: one figure.
measure()
{
    # shellcheck disable=SC2046 # words
    case $1 in
    start)
        "$programs/cputime" "$work/cpu" env $(env_of "$2") /bin/true 2>/dev/null
        awk '/^total/ { print $2 / 1e6 }' "$work/cpu"
        ;;
    throw*) env $(env_of "$2") "$programs/stress_throw" "$seconds" "${1#throw}" 2>&1 >/dev/null |
        sed -n 's/.*throws \([0-9.]*\).*/\1/p' ;;
    memory*) env $(env_of "$2") "$work/idle_threads" "${1#memory}" 2>/dev/null ;;
    esac
}

# table WHAT WHO…: each beside `base`.
table()
{
    what=$1
    shift
    : >"$work/runs"
    for _ in $(seq "$rounds"); do
        for who in "$@"; do
            printf 'base %s\n%s %s\n' "$(measure "$what" base)" "$who" \
                "$(measure "$what" "$who")" >>"$work/runs"
        done
    done
    printf 'base %s\n' "$(measure "$what" base)" >>"$work/runs"
    printf '| %-10s | %10s | %10s | %8s | %-15s |\n' '' median difference ratio quartiles
    echo '|---|---|---|---|---|'
    for who in base "$@"; do
        awk -v who="$who" -f "$here/pairs.awk" "$work/runs"
    done
}

with_empty="empty100 empty1000"
if LD_PRELOAD=$work/empty.so true 2>&1 | grep -q perf_event_open; then
    echo "perf_event is not allowed here: the empty handler is left out"
    with_empty=
fi
with_gperf=
[ -z "$gperf" ] || with_gperf="gperf100"
[ -n "$gperf" ] || echo "libprofiler (package libgoogle-perftools4) is left out"
echo "the start of /bin/true under env, ms of CPU"
# shellcheck disable=SC2086
table start idle strobe100 $with_gperf
for n in 1 4; do
    printf '\nC++ exceptions thrown and caught a CPU second, threads: %s\n' $n
    # shellcheck disable=SC2086
    table throw$n idle strobe100 strobe1000 $with_empty $with_gperf
done
for n in 1 201; do
    printf '\nresident memory of a program with %s threads, kB\n' $n
    # shellcheck disable=SC2086
    rounds=3 table memory$n strobe100 $with_gperf
done
