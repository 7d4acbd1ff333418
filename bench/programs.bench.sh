#!/bin/sh
# SPDX-License-Identifier: MIT
# programs.bench.sh BUILD [--short]: what CPU sampling costs real programs, beside gperftools'
# libprofiler and `perf record`. Every run under a tool stands between two runs without (A B A B …);
# the ratio is user + system CPU over the mean of its two neighbours, and the table has the median
# of the pairs and their quartiles. "recorder" is the CPU of the whole command: with what the tool
# itself spent on reading, naming and writing.
set -u

# under TOOL CMD…: the command under the tool, which is told to write into $work.
under()
{
    tool=$1
    shift
    hz=$(echo "$tool" | tr -dc 0-9)
    case $tool in
    base) "$@" ;;
    strobe*) "$build/strobe" record -F "$hz" -o "$work/p.pb.gz" -- "$@" 2>"$work/tool.log" ;;
    gperf*)
        env LD_PRELOAD="$libprofiler" CPUPROFILE="$work/p.gperf" CPUPROFILE_FREQUENCY="$hz" \
            "$@" 2>"$work/tool.log"
        ;;
    perf*) perf record -q -e cpu-clock -F "$hz" --call-graph dwarf -o "$work/p.perf" -- "$@" \
        2>"$work/tool.log" ;;
    esac
}

if [ "$1" = --under ]; then # this script once more, so that `cputime` has a command to measure
    build=$2 work=$3
    shift 3
    under "$@"
    exit
fi

build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
. "$here/workloads.sh"
pairs=${PAIRS:-5} scale=${SCALE:-60} names=${PROGRAMS:-$workload_names}
[ "${2:-}" != --short ] || { pairs=2 scale=20; }
cputime=$build/tests/programs/cputime
work=$build/bench-programs
mkdir -p "$work"
ninja -C "$build" tests/programs/cputime >/dev/null 2>&1
[ -x "$cputime" ] || { echo "tests/programs/cputime is not built"; exit 1; }

libprofiler=$(find /usr/lib -name 'libprofiler.so.0' 2>/dev/null | head -1)
export libprofiler
tools="strobe100 strobe1000"
[ -z "$libprofiler" ] || tools="$tools gperf100 gperf1000"
if perf record -q -e cpu-clock -o /dev/null true >/dev/null 2>&1; then
    tools="$tools perf100 perf1000"
else
    echo "perf record does not run here; it is left out"
fi

# run NAME TOOL: once; the program's CPU nanoseconds in $own, the whole command's in $all.
run()
{
    run_name=$1 run_tool=$2
    set -- "$cputime" "$work/inner"
    while IFS= read -r word; do set -- "$@" "$word"; done <<WORDS
$(workload_command "$run_name" "$work")
WORDS
    set -- "$cputime" "$work/outer" sh "$0" --under "$build" "$work" "$run_tool" "$@"
    if [ "$run_name" = redis ]; then
        "$@" >/dev/null &
        workload_redis_load "$work" $((1000 * scale))
        wait $!
    else
        "$@" >/dev/null
    fi || {
        echo "$run_name under $run_tool failed"
        cat "$work/tool.log"
        return 1
    }
    own=$(sed -n 's/^total //p' "$work/inner")
    all=$(sed -n 's/^total //p' "$work/outer")
}

quartiles() # FILE COLUMN
{
    sort -n -k "$2" "$1" | awk -v c="$2" '{ v[NR] = $c }
        function at(q,    p, i) {
            p = 1 + (NR - 1) * q
            i = int(p)
            return v[i] + (p - i) * (v[i < NR ? i + 1 : i] - v[i])
        }
        END { printf "%.4f (%.4f-%.4f)", at(0.5), at(0.25), at(0.75) }'
}

# shellcheck disable=SC2086 # names are words
workload_make "$work" "$scale" $names
tools=${TOOLS:-$tools}
printf '| %-7s | %-10s | %-24s | %-24s | %7s | %2s |\n' program tool "CPU ratio (quartiles)" \
    "with its recorder" "CPU s" n
echo '| --- | --- | --- | --- | ---: | ---: |'
for name in $names; do
    command -v "$(workload_needs "$name")" >/dev/null || continue
    run "$name" base || continue # warms the caches; not counted
    for tool in $tools; do : >"$work/$tool.pairs"; done
    run "$name" base || continue
    before=$own
    i=0
    while [ $i -lt "$pairs" ]; do
        for tool in $tools; do
            run "$name" "$tool" || continue 3
            tool_own=$own tool_all=$all
            run "$name" base || continue 3
            echo "$before $own $tool_own $tool_all" |
                awk '{ base = ($1 + $2) / 2; print $3 / base, $4 / base, base / 1e9 }' \
                    >>"$work/$tool.pairs"
            before=$own
        done
        i=$((i + 1))
    done
    for tool in $tools; do
        printf '| %-7s | %-10s | %-24s | %-24s | %7s | %2d |\n' "$name" "$tool" \
            "$(quartiles "$work/$tool.pairs" 1)" "$(quartiles "$work/$tool.pairs" 2)" \
            "$(awk '{ s += $3 } END { printf "%.2f", s / NR }' "$work/$tool.pairs")" "$pairs"
    done
done
rm -rf "$work"
