#!/bin/sh
# SPDX-License-Identifier: MIT
# outside.bench.sh BUILD [--short]: what sampling from outside costs a static program, beside `perf
# record --call-graph dwarf`. Runs under a tool and without alternate; the ratios are medians of
# pairs: the program's own CPU time, and that of the whole command with its recorder. "whole" is the
# share of stacks that reach main.
set -u
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
pairs=${PAIRS:-5} rounds=600000
[ "${2:-}" != --short ] || { pairs=2 rounds=150000; }
cputime=$build/tests/programs/cputime
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ninja -C "$build" tests/programs/cputime >/dev/null 2>&1
[ -x "$cputime" ] || { echo "tests/programs/cputime is not built"; exit 1; }
gcc -O2 -static -o "$work/outside" "$here/outside.c" || exit 1

tools="strobe100 strobe1000"
if perf record -q -e task-clock -o /dev/null true >/dev/null 2>&1; then
    tools="$tools perf100 perf1000"
else
    echo "perf record does not run here; it is left out"
fi

# run TOOL: the program's CPU time in $own, the whole command's in $all.
run()
{
    hz=$(echo "$1" | tr -dc 0-9)
    case $1 in
    base) set -- ;;
    strobe*) set -- "$build/strobe" record -q -F "$hz" -o "$work/p.pb.gz" -- ;;
    perf*) set -- perf record -q -e task-clock -F "$hz" --call-graph dwarf,16384 \
        -o "$work/p.perf" -- ;;
    esac
    own=$("$cputime" "$work/cpu" "$@" "$work/outside" $rounds 2>"$work/log" | head -n 1)
    all=$(sed -n 's/^total //p' "$work/cpu")
    [ -n "$own" ] && [ -n "$all" ] || { cat "$work/log"; exit 1; }
}

# whole TOOL: per cent of its last run's stacks that reach main, and the size of its file.
whole()
{
    case $1 in
    strobe*)
        "$build/strobe" folded "$work/p.pb.gz" |
            awk '{ all += $NF } /;main;/ { good += $NF }
                 END { printf "%.1f %%", 100 * good / all }'
        printf ' %d' "$(stat -c %s "$work/p.pb.gz")"
        ;;
    perf*)
        perf script -i "$work/p.perf" -F ip,sym 2>/dev/null |
            awk 'BEGIN { RS = "" } { all++ } / main(\n|$)/ { good++ }
                 END { printf "%.1f %%", 100 * good / all }'
        printf ' %d' "$(stat -c %s "$work/p.perf")"
        ;;
    esac
}

median()
{
    sort -n | awk '{ v[NR] = $1 }
        END { printf "%.3f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

printf '| %-10s | %9s | %13s | %-18s |\n' tool "CPU ratio" "with recorder" "whole, bytes"
echo '| --- | ---: | ---: | --- |'
run base
for tool in $tools; do
    : >"$work/pairs"
    i=0
    while [ $i -lt "$pairs" ]; do
        run base
        base=$own
        run "$tool"
        echo "$base $own $all" | awk '{ print $2 / $1, $3 / $1 }' >>"$work/pairs"
        i=$((i + 1))
    done
    printf '| %-10s | %9s | %13s | %-18s |\n' "$tool" \
        "$(awk '{ print $1 }' "$work/pairs" | median)" \
        "$(awk '{ print $2 }' "$work/pairs" | median)" "$(whole "$tool")"
done
