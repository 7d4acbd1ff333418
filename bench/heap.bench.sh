#!/bin/sh
# SPDX-License-Identifier: MIT
# heap.bench.sh BUILD [--short]: what heap profiles cost, beside tcmalloc's sampler, jemalloc's
# profiler and heaptrack, as far as they are installed. First nanoseconds for one malloc and its
# free (a sampler beside its own allocator without it), then CPU time of real programs with every
# allocation recorded, as a ratio to the program alone.
set -u
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
pairs=524288 pair_rounds=9 rounds=5 scale=20
[ "${2:-}" != --short ] || { pairs=131072 pair_rounds=3 rounds=3 scale=10; }
. "$here/workloads.sh"
work=$build/bench-heap
mkdir -p "$work"
ninja -C "$build" tests/programs/cputime bench/heap_pair >/dev/null 2>&1
pair=$build/bench/heap_pair cputime=$build/tests/programs/cputime
library=$build/libstrobe.so

find_library()
{
    find /usr/lib -name "$1" 2>/dev/null | head -1
}
jemalloc=$(find_library libjemalloc.so.2) tcmalloc=$(find_library libtcmalloc.so.4)

# pairs ROW COUNT SETTING…: a round of heap_pair, kept in a file of the row's.
pairs()
{
    file=$work/pairs.$1 count=$2
    shift 2
    (cd "$work" && env "$@" "$pair" "$count" 2>/dev/null | tail -1) >>"$file"
}

strobe="LD_PRELOAD=$library STROBE_OUT=$work/p.%k.pb.gz"
one_round()
{
    pairs glibc $pairs A=1
    pairs loaded $pairs "LD_PRELOAD=$library"
    # shellcheck disable=SC2086 # settings are words
    pairs 512K $pairs $strobe STROBE=heap
    # shellcheck disable=SC2086
    pairs 4K $pairs $strobe STROBE=heap STROBE_HEAP_RATE=4096
    # shellcheck disable=SC2086
    pairs every $((pairs / 8)) $strobe STROBE=heap STROBE_HEAP_RATE=1
    if command -v heaptrack >/dev/null; then
        (cd "$work" && heaptrack -r -o "$work/h" "$pair" $((pairs / 64)) 2>/dev/null |
            grep -E '^[0-9.]+ [0-9.]+ [0-9.]+ [0-9.]+$') >>"$work/pairs.heaptrack"
    fi
    if [ -n "$jemalloc" ]; then
        pairs je $pairs "LD_PRELOAD=$jemalloc"
        pairs je-prof $pairs "LD_PRELOAD=$jemalloc" \
            "MALLOC_CONF=prof:true,lg_prof_sample:19,prof_prefix:$work/je"
        pairs je-512K $pairs STROBE=heap "STROBE_OUT=$work/p.pb.gz" "LD_PRELOAD=$library $jemalloc"
    fi
    if [ -n "$tcmalloc" ]; then
        pairs tc $pairs "LD_PRELOAD=$tcmalloc"
        pairs tc-sampler $pairs "LD_PRELOAD=$tcmalloc" TCMALLOC_SAMPLE_PARAMETER=524288
        pairs tc-512K $pairs STROBE=heap "STROBE_OUT=$work/p.pb.gz" "LD_PRELOAD=$library $tcmalloc"
    fi
}

round=0
while [ $round -lt $pair_rounds ]; do
    one_round
    round=$((round + 1))
done
[ -z "$tcmalloc" ] || # slow: once
    pairs tc-every $((pairs / 64)) "LD_PRELOAD=$tcmalloc" "HEAPPROFILE=$work/tc"

echo "Nanoseconds of CPU for a malloc and its free: one at a time (16 B), 1024 at a time (16 B and"
echo "1 KiB), and 1024 at a time (16 B) by four threads. Least of $pair_rounds interleaved rounds."
echo
printf '%-44s %8s %8s %8s %8s\n' "" "16 B" "batch" "1 KiB" "4 thr."
while IFS=: read -r row text; do
    [ -s "$work/pairs.$row" ] || continue
    # shellcheck disable=SC2046 # four numbers
    printf '%-44s %8s %8s %8s %8s\n' "$text" $(awk '
        { for (i = 1; i <= 4; i++) if (NR == 1 || $i < least[i]) least[i] = $i }
        END { print least[1], least[2], least[3], least[4] }' "$work/pairs.$row")
done <<ROWS
glibc:glibc
loaded:glibc, libstrobe loaded, nothing on
512K:glibc, strobe, a sample in 512 KiB
4K:glibc, strobe, a sample in 4 KiB
every:glibc, strobe, every allocation
heaptrack:glibc, heaptrack (every allocation)
je:jemalloc
je-prof:jemalloc prof, a sample in 512 KiB
je-512K:jemalloc, strobe, a sample in 512 KiB
tc:tcmalloc
tc-sampler:tcmalloc sampler, a sample in 512 KiB
tc-512K:tcmalloc, strobe, a sample in 512 KiB
tc-every:tcmalloc HEAPPROFILE (every allocation)
ROWS

# cpu CMD…: user and system time of a command, in milliseconds.
cpu()
{
    "$cputime" "$work/cpu" "$@" >/dev/null 2>&1 </dev/null
    sed -n 's/^total //p' "$work/cpu"
}

under() # TOOL CMD…
{
    tool=$1
    shift
    case $tool in
    alone) cpu "$@" ;;
    strobe512K) cpu "$build/strobe" record -q -e heap -o "$work/p.pb.gz" -- "$@" ;;
    strobe1) cpu "$build/strobe" record -q -e heap --heap-rate 1 -o "$work/p.pb.gz" -- "$@" ;;
    heaptrack) cpu heaptrack -r -o "$work/h" "$@" ;;
    esac
}

echo
echo "CPU time of real programs, the recorder's included, as a ratio to the program alone: medians"
echo "of $rounds. strobe also reads and names what it recorded."
echo
tools="strobe512K strobe1"
! command -v heaptrack >/dev/null || tools="$tools heaptrack"
printf '%-10s %12s' program "alone ms"
for tool in $tools; do printf ' %12s' "$tool"; done
echo
for name in sqlite lua python; do
    command -v "$(workload_needs $name)" >/dev/null || continue
    workload_make "$work" $scale $name
    for tool in alone $tools; do : >"$work/$name.$tool"; done
    round=0
    while [ $round -lt $rounds ]; do
        for tool in alone $tools; do
            set --
            while IFS= read -r word; do set -- "$@" "$word"; done <<WORDS
$(workload_command $name "$work")
WORDS
            under "$tool" "$@" >>"$work/$name.$tool"
        done
        round=$((round + 1))
    done
    for tool in alone $tools; do
        sort -n "$work/$name.$tool" | sed -n "$((rounds / 2 + 1))p"
    done | awk -v name=$name 'NR == 1 { alone = $1; printf "%-10s %12.0f", name, $1 / 1e6; next }
        { printf " %12.2f", $1 / alone } END { print "" }'
done
rm -rf "$work"
