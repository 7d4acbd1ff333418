#!/bin/sh
# SPDX-License-Identifier: MIT
# harm.bench.sh BUILD [--short]: what the library costs a program besides its samples, beside
# gperftools' libprofiler: the start of /bin/true, C++ exceptions, memory for each thread. Rounds
# take all in turn, so that other load meets each alike; the figures are medians, and CPU time.
set -u
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
rounds=${ROUNDS:-40}
[ "${2:-}" != --short ] || rounds=5
programs=$build/tests/programs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ninja -C "$build" tests/programs/cputime tests/programs/stress_throw >/dev/null 2>&1
[ -x "$programs/stress_throw" ] || { echo "tests/programs are not built"; exit 1; }
gcc -O2 -pthread -o "$work/idle_threads" "$here/idle_threads.c" || exit 1
gperf=$(ls /usr/lib/*/libprofiler.so.0 2>/dev/null | head -1)

# env_of WHO: its settings, as words for env.
env_of()
{
    case $1 in
    base) echo "A=1" ;;
    idle) echo "LD_PRELOAD=$build/libstrobe.so" ;;
    strobe*) echo "LD_PRELOAD=$build/libstrobe.so STROBE=cpu STROBE_HZ=${1#strobe}" \
        "STROBE_OUT=$work/s.pb.gz" ;;
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
    throw) env $(env_of "$2") "$programs/stress_throw" 0.4 2>&1 >/dev/null |
        sed -n 's/.*throws \([0-9.]*\).*/\1/p' ;;
    memory*) env $(env_of "$2") "$work/idle_threads" "${1#memory}" 2>/dev/null ;;
    esac
}

# table WHAT WHO…: medians, and the difference from and the ratio to the first.
table()
{
    what=$1
    shift
    rm -f "$work"/m.*
    for _ in $(seq "$rounds"); do
        for who in "$@"; do
            measure "$what" "$who" >>"$work/m.$who"
        done
    done
    for who in "$@"; do
        sort -n "$work/m.$who" |
            awk -v who="$who" '{ v[NR] = $1 } END { print who, v[int((NR + 1) / 2)] }'
    done | awk 'NR == 1 { base = $2 }
        { printf "| %-12s | %10.2f | %+10.2f | %6.3f |\n", $1, $2, $2 - base, $2 / base }'
}

with_gperf=
[ -z "$gperf" ] || with_gperf="gperf100"
[ -n "$gperf" ] || echo "libprofiler (package libgoogle-perftools4) is left out"
echo "the start of /bin/true under env, ms of CPU: median, more than without, ratio"
# shellcheck disable=SC2086
table start base idle strobe100 $with_gperf
printf '\nC++ exceptions thrown and caught a CPU second, by four threads\n'
# shellcheck disable=SC2086
table throw base idle strobe100 strobe1000 $with_gperf
for n in 1 201; do
    printf '\nresident memory of a program with %s threads, kB\n' $n
    # shellcheck disable=SC2086
    rounds=3 table memory$n base strobe100 $with_gperf
done
