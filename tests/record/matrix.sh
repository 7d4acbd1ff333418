#!/bin/sh
# SPDX-License-Identifier: MIT
# Real programs under `strobe record`, each at each rate on each back end, as a table: the profile's
# nanoseconds against the kernel's count, stacks that reach a root, output the same as without.
# matrix.sh BUILD [SCALE [RATES [BACKENDS [PROGRAMS]]]]; scale 100 is seconds for each program.
. "$(dirname "$0")/lib.sh"
. "$here/../../bench/workloads.sh"
scale=${2:-100} rates=${3:-100 1000} chosen=${4:-$backends} names=${5:-$workload_names}

# run NAME COMMAND-PREFIX…: the workload's command under the prefix, output in $tmp/out.
run()
{
    name=$1
    shift
    count=$#
    while IFS= read -r word; do set -- "$@" "$word"; done <<WORDS
$(workload_command "$name" "$tmp/work")
WORDS
    [ $# -gt "$count" ] || return 1
    if [ "$name" = redis ]; then
        "$@" >"$tmp/out" &
        workload_redis_load "$tmp/work" $((1000 * scale))
        wait $!
    else
        "$@" >"$tmp/out"
    fi
}

# under BACKEND HZ PROFILE: `record` as a prefix for run, with the CPU time it took in $tmp/cpu.
under()
{
    backend=$1 hz=$2 profile=$3
    shift 3
    record "$backend" "$hz" "$profile" "$programs/cputime" "$tmp/cpu" "$@"
}

row()
{
    printf '| %-7s | %-6s | %5s | %8s | %8s | %7s | %8s | %8s | %-6s |\n' "$@"
}

one() # NAME BACKEND HZ: a row of the table
{
    what="$1, $2, $3 Hz"
    if ! run "$1" under "$2" "$3" "$tmp/p.pb.gz"; then
        bad "$what: it failed under strobe"
        cat "$tmp/strobe.err"
        return
    fi
    same=same
    [ "$1" = redis ] || cmp -s "$tmp/out" "$tmp/$1.out" || same=DIFFERS
    # Programs of some threads and children: each may be off by half a period.
    echo "tasks 12" >>"$tmp/cpu"
    good=1
    line=$(near "$2" "$3" "$tmp/p.pb.gz" "$tmp/cpu") || good=0
    rooted "$tmp/p.pb.gz" >/dev/null || good=0
    [ $same = same ] || good=0
    set -- "$1" "$2" "$3" \
        "$(awk '/^total/ { printf "%.3f", $2 / 1e9 }' "$tmp/cpu")" \
        "$(awk '{ s += $NF } END { printf "%.3f", s / 1e9 }' "$tmp/folded")" \
        "$(echo "$line" | sed 's/.*(\([-+0-9.]* %\).*/\1/')" \
        "$(awk '/^samples/ { print $2 }' "$tmp/roots")" \
        "$(awk '/^samples/ { printf "%.2f %%", $2 ? 100 * $4 / $2 : 0 }' "$tmp/roots")" $same
    row "$@"
    [ $good = 1 ] && return
    bad "$what: $line"
    grep -v '^samples' "$tmp/roots"
    cat "$tmp/strobe.err"
}

# shellcheck disable=SC2086 # names are words
workload_make "$tmp/work" "$scale" $names
row program "back end" Hz "CPU s" "profile" "off" samples rooted output
row --- --- ---: ---: ---: ---: ---: ---: ---
for name in $names; do
    if ! command -v "$(workload_needs "$name")" >/dev/null; then
        echo "$name: $(workload_needs "$name") is not installed"
        continue
    fi
    run "$name" env || bad "$name: it fails without strobe"
    mv "$tmp/out" "$tmp/$name.out"
    for backend in $chosen; do
        for hz in $rates; do
            one "$name" "$backend" "$hz"
        done
    done
done
finish
