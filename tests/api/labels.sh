#!/bin/sh
# SPDX-License-Identifier: MIT
# Labels: CPU time and memory by label are what the program measured itself, on every back end, in a
# program that is killed, in its threads and children, and from inside; the lists of threads show
# them as Go's do.
. "$(dirname "$0")/../record/lib.sh"
labels=$build/tests/api/labels

# by_label PROFILE KEY: "VALUE amount" a line, in nanoseconds or bytes; $column: of which value.
by_label()
{
    "$strobe" raw "$1" | awk -v key="$2" -v column="${column:-2}" '
        /^Samples:/ { on = 1; next } /^Locations/ { on = 0 }
        !on { next }
        $1 ~ /^[0-9]+$/ || $1 ~ /^-/ { n = $column; sub(/:.*/, "", n); value = "plain" }
        match($0, key ":\\[[^]]*\\]") {
            value = substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 3)
            sum[value] += n; sum["plain"] -= n
        }
        $1 ~ /^[0-9]+$/ || $1 ~ /^-/ { sum["plain"] += n }
        END { for (v in sum) print v, sum[v] }'
}

# agree TRUTH: what is in $tmp/by is within three standard errors of it: with sampling points at
# random phases, half a period for each of some 420 pieces that a label is worked at, added in
# quadrature, and 1 % for what lies between the program's clock and ours.
agree()
{
    awk -v hz="$2" 'NR == FNR { truth[$1] += $2; next }
        { got[$1] = $2 / 1e9 }
        END { for (k in truth) {
                if (k == "plain") continue # the start and the end are there, too
                seen++
                off = got[k] - truth[k]; if (off < 0) off = -off
                print k ": " got[k] " s of " truth[k]
                wrong += off > 3 * sqrt(420) / hz / 2 + truth[k] / 100 }
              exit wrong || seen != 3 }' "$1" "$tmp/by"
}

cpu_by_label() # BACKEND HZ [kill]
{
    # shellcheck disable=SC2086 # an empty argument is none
    record "$1" "$2" "$tmp/p.pb.gz" "$labels" ${3:-} >"$tmp/truth"
    by_label "$tmp/p.pb.gz" kind >"$tmp/by"
    agree "$tmp/truth" "$2"
}

for backend in $backends; do
    hz=1000
    [ "$(tick_hz "$backend")" -ge 1000 ] || hz=100
    for how in "" kill; do
        by_chance "$backend${how:+, killed}: CPU time by label" cpu_by_label "$backend" $hz $how
    done
    by_label "$tmp/p.pb.gz" piece >"$tmp/by"
    check "$backend: a label inside a label" grep -q '^odd [1-9]' "$tmp/by"
done
"$strobe" tags "$tmp/p.pb.gz" >"$tmp/out" 2>&1
check "strobe tags lists them" grep -q '^ kind: Total' "$tmp/out"
"$strobe" top -tagfocus=kind=inherited "$tmp/p.pb.gz" >"$tmp/out" 2>&1
check "-tagfocus shows the thread's" grep -q ' inherit$' "$tmp/out"
check "and nothing else's" sh -c "! grep -q ' work\$' $tmp/out"

# From inside, without a recorder. %p: the child has a file of its own.
cpu_from_inside()
{
    rm -f "$tmp"/in.*
    LD_LIBRARY_PATH=$build STROBE=cpu STROBE_HZ=1000 STROBE_OUT=$tmp/in.%p.pb.gz "$labels" \
        >"$tmp/truth"
    for file in "$tmp"/in.*; do by_label "$file" kind; done |
        awk '{ n[$1] += $2 } END { for (k in n) print k, n[k] }' >"$tmp/by"
    agree "$tmp/truth" "$1"
}
hz=1000
have_perf || hz=100
by_chance "from inside: CPU time by label" cpu_from_inside $hz
same "a file for each process" 2 "$(find "$tmp" -name 'in.*' | wc -l)"

# Memory. One sample in 64 KiB, so that 64 MB are a thousand: 3 standard errors are under 10 %.
memory_by_label() # COLUMN BYTES: of the profile's values, and how many the first label has
{
    LD_LIBRARY_PATH=$build "$strobe" record -q -e heap --heap-rate 65536 -o "$tmp/h.pb.gz" -- \
        "$labels" heap
    column=$1 by_label "$tmp/h.pb.gz" owner >"$tmp/by"
    awk -v full="$2" '
        { want = $1 == "one" ? full : $1 == "two" ? 2 * full : $1 == "three" ? 3 * full : 0 }
        want { seen++; off = $2 / want - 1; limit = 3 * sqrt(65536 / want) * 1.05
               printf "%s %+.1f %% (%.1f %% allowed) ", $1, off * 100, limit * 100
               wrong += off > limit || off < -limit }
        END { exit wrong || seen != 3 }' "$tmp/by"
}
by_chance "allocated, by label" memory_by_label 2 67108864
by_chance "in use, by label" memory_by_label 4 16777216

# Live: threads that had their labels before anybody asked.
if command -v curl >/dev/null; then
    mkfifo "$tmp/in"
    : >"$tmp/out"
    LD_LIBRARY_PATH=$build STROBE_HTTP=unix:$tmp/socket "$labels" serve 10 <"$tmp/in" >"$tmp/out" &
    exec 3>"$tmp/in"
    while ! grep -q ready "$tmp/out"; do sleep 0.1; done
    sleep 0.3
    curl -s --unix-socket "$tmp/socket" "http://x/debug/pprof/goroutine?debug=1" -o "$tmp/one"
    same "debug=1 groups by labels" 2 \
        "$(grep -c '^# labels: {"group":"g[01]", "say \\"hi\\"":"a\\nb"}$' "$tmp/one")"
    same "five threads each" 2 "$(grep -c '^5 @ ' "$tmp/one")"
    curl -s --unix-socket "$tmp/socket" "http://x/debug/pprof/goroutine?debug=2" -o "$tmp/two"
    same "debug=2 has them in each block" 5 "$(grep -c \
        '^goroutine [0-9]* \[.*\] {thread: "labels", group: "g1", say "hi": "a\\nb"}:$' "$tmp/two")"
    curl -s --unix-socket "$tmp/socket" "http://x/debug/pprof/goroutine" -o "$tmp/t.pb.gz"
    "$strobe" tags "$tmp/t.pb.gz" >"$tmp/tags" 2>&1
    check "so has the profile" grep -q '5 (.*): g0$' "$tmp/tags"
    echo >&3
    exec 3>&-
    wait $!
else
    echo "curl is not installed: no live profile"
fi
finish
