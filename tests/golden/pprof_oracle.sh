#!/bin/sh
# SPDX-License-Identifier: MIT
# pprof_oracle.sh PROFILE_TOOL PROFILES: what we write is what the real pprof writes and prints.
# Every profile of the folder PROFILES and of $STROBE_TEST_PROFILES alone, then combinations of them
# and of random ones, merged by both: the inflated bytes are compared, then the text of pprof -raw.
set -eu
tool=$1 profiles=$2
pprof=${PPROF:-pprof}
command -v "$pprof" >/dev/null || {
    echo "skipped: the real pprof is not installed (set PPROF to its command)"
    exit 77
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export PPROF_TMPDIR="$dir" HOME="$dir"
compared=0 failed=0 refused=0

complain()
{
    echo "$*"
    failed=$((failed + 1))
}

# compare FILE…: both merge the files, or both refuse to.
compare()
{
    rm -f "$dir/ours" "$dir/theirs"
    ours=0 theirs=0
    "$tool" merge "$dir/ours" "$@" 2>"$dir/ours.err" || ours=$?
    "$pprof" -proto -symbolize=none -output "$dir/theirs" "$@" >"$dir/theirs.err" 2>&1 || theirs=$?
    compared=$((compared + 1))
    if [ "$ours" != 0 ] && [ "$theirs" != 0 ]; then
        refused=$((refused + 1))
        grep -qF "$(cat "$dir/ours.err")" "$dir/theirs.err" ||
            complain "$*: we say: $(cat "$dir/ours.err"); pprof: $(cat "$dir/theirs.err")"
    elif [ "$ours" != "$theirs" ]; then
        complain "$*: ours ends with $ours, pprof with $theirs; $(cat "$dir/ours.err")"
    else
        gzip -dc "$dir/theirs" | cmp -s - "$dir/ours" || complain "$*: other bytes than pprof's"
    fi
}

# The text of pprof -raw before and after our encoder.
compare_raw()
{
    "$tool" merge "$dir/ours" "$1" || complain "$1: not read"
    "$pprof" -raw -symbolize=none "$1" >"$dir/before" 2>/dev/null
    "$pprof" -raw -symbolize=none "$dir/ours" >"$dir/after" 2>/dev/null
    cmp -s "$dir/before" "$dir/after" || complain "$1: pprof -raw prints it differently"
}

i=1
while [ $i -le 42 ]; do
    "$tool" random "$dir/random$i.pb" $i
    i=$((i + 1))
done
for f in "$profiles"/*.pb.gz "${STROBE_TEST_PROFILES:-$profiles}"/*.pb*; do
    "$tool" merge "$dir/ours" "$f" 2>/dev/null || continue # a format that is not profile.proto
    echo "$f" >>"$dir/real"
done
for f in $(sort -u "$dir/real") "$dir/random1.pb" "$dir/random9.pb"; do
    compare "$f"
    compare_raw "$f"
done
# Neighbours, and each with the first; awk's generator has a fixed seed.
awk -v random="$dir/random" '
    { file[NR] = $0 }
    END {
        srand(7)
        for (i = 1; i <= 25; i++)
            print file[int(rand() * NR) + 1], file[int(rand() * NR) + 1]
        for (i = 1; i <= 60; i++) {
            s = ""
            k = int(rand() * 7)
            for (n = 2 + int(rand() * 2); n > 0; n--)
                s = s " " random (i % 2 ? k + 1 + 7 * int(rand() * 6) : 1 + int(rand() * 42)) ".pb"
            print s
        }
    }' "$dir/real" >"$dir/combinations"
while read -r combination; do
    compare $combination
done <"$dir/combinations"
echo "$compared comparisons with pprof, $refused of them refused by both; $failed differ"
[ "$failed" = 0 ]
