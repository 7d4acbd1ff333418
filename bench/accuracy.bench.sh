#!/bin/sh
# SPDX-License-Identifier: MIT
# accuracy.bench.sh BUILD [--short]: what share of a program's CPU time a CPU profile at 1000 Hz
# accounts for, and of how many samples the stack reaches the thread's first function; strobe beside
# gperftools' libprofiler and `perf record --call-graph dwarf`, on Debian's own binaries, which have
# no frame pointers. CPU time is the program's as wait4 tells it; a sample of perf's weighs a
# period.
set -u
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
. "$here/workloads.sh"
scale=${SCALE:-40} names=${PROGRAMS:-sqlite lua python}
[ "${2:-}" != --short ] || scale=10
cputime=$build/tests/programs/cputime
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ninja -C "$build" tests/programs/cputime >/dev/null 2>&1
[ -x "$cputime" ] || { echo "tests/programs/cputime is not built"; exit 1; }
libprofiler=$(find /usr/lib -name 'libprofiler.so.0' 2>/dev/null | head -1)
tools=strobe
[ -z "$libprofiler" ] || tools="$tools gperf"
if perf record -q -e cpu-clock -o /dev/null true >/dev/null 2>&1; then tools="$tools perf"; fi

# under TOOL CMD…: runs it, the program itself (not the tool) under cputime.
under()
{
    tool=$1
    shift
    case $tool in
    strobe) STROBE_MAX_COST=100 "$build/strobe" record -F 1000 -o "$work/strobe.prof" -- \
        "$cputime" "$work/cpu" "$@" ;;
    gperf) "$cputime" "$work/cpu" env LD_PRELOAD="$libprofiler" CPUPROFILE="$work/gperf.prof" \
        CPUPROFILE_FREQUENCY=1000 "$@" ;;
    perf) perf record -q -e cpu-clock -F 1000 --call-graph dwarf -o "$work/perf.data" -- \
        "$cputime" "$work/cpu" "$@" ;;
    esac >/dev/null 2>"$work/tool.log" || {
        cat "$work/tool.log"
        return 1
    }
}

# stacks TOOL BINARY: lines "COUNT NANOSECONDS ROOT ADDRESS", one a stack.
stacks()
{
    case $1 in
    perf) perf script --no-inline -F comm,ip,sym -i "$work/perf.data" 2>/dev/null |
        awk 'NF == 0 { if (n) print 1, 1000000, root; n = 0; next } n++ { root = $2 " " $1 }' ;;
    *) "$build/strobe" pprof -raw "$2" "$work/$1.prof" 2>/dev/null | awk '
        /^Samples:/ { part = 1; next }
        /^Locations/ { part = 2; next }
        /^Mappings/ { part = 3 }
        part == 1 && $2 ~ /:$/ { stack[++n] = $NF; count[n] = $1; ns[n] = $2 + 0 }
        part == 2 && $1 ~ /^[0-9]+:$/ { name[$1 + 0] = ($3 ~ /^M=/ ? $4 : $3) " " $2 }
        END { for (i = 1; i <= n; i++) print count[i], ns[i], name[stack[i]] }' ;;
    esac
}

# From the lines of stacks: the table's row. Stripped programs have no name for _start: it is what
# begins at the entry point, whose last three digits the loader keeps.
row() # PROGRAM TOOL BINARY
{
    entry=$(readelf -h "$3" | sed -n 's/.*Entry point.*: *0x//p')
    awk -v program="$1" -v tool="$2" -v entry="$entry" \
        -v cpu="$(sed -n 's/^total //p' "$work/cpu")" '
        function last_digits(hex,    v, i) {
            for (i = length(hex) - 2; i <= length(hex); i++)
                v = v * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
            return v
        }
        BEGIN {
            root = "^(_start|__libc_start_main|__libc_start_call_main|clone3?|__clone3?|" \
                "start_thread|_dl_start_user|\\[exec|\\[exit)"
            first = last_digits(entry)
        }
        {
            samples += $1
            ns += $2
            inside = (last_digits($4) - first + 4096) % 4096
            if ($3 ~ root || ($3 ~ /^(:0:0|\[unknown\])$/ && inside < 48))
                rooted += $1
        }
        END {
            printf "| %-7s | %-6s | %6.2f | %11.4f | %15.1f | %11.2f %% |\n", program, tool,
                cpu / 1e9, ns / cpu, samples / (cpu / 1e9), 100 * rooted / (samples ? samples : 1)
        }'
}

# shellcheck disable=SC2086 # names are words
workload_make "$work" "$scale" $names
printf '| %-7s | %-6s | %6s | %11s | %15s | %13s |\n' program tool "CPU s" "ns / CPU ns" \
    "samples / CPU s" "to the root"
echo '| --- | --- | ---: | ---: | ---: | ---: |'
for name in $names; do
    binary=$(command -v "$(workload_needs "$name")") || continue
    for tool in $tools; do
        set --
        while IFS= read -r word; do set -- "$@" "$word"; done <<WORDS
$(workload_command "$name" "$work")
WORDS
        rm -f "$work"/*.prof
        under "$tool" "$@" || continue
        stacks "$tool" "$binary" | row "$name" "$tool" "$binary"
    done
done
