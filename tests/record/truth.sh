#!/bin/sh
# SPDX-License-Identifier: MIT
# However a program is compiled, its profile says where its time went, and every stack reaches a
# root.
. "$(dirname "$0")/lib.sh"

for program in "$programs"/truth-*; do
    name=${program##*/truth-}
    case $name in
    *stripped) totals_only=1 measured "$name" perf 1000 "$program" ratio 400 ;; # no names left
    gcc-* | clang-*) measured "$name" perf 1000 "$program" ratio 400 ;;
    *) measured "$name" perf 1000 "$program" 600 ;; # C++ and Rust
    esac
    check "$name: stacks reach a root" rooted "$tmp/measured.pb.gz"
done

for program in "$programs"/truth-*-O[02]-* "$programs"/truth-*-lto; do
    name=${program##*/truth-}
    measured "$name, 300 deep" perf 1000 "$program" recursion 200
    check "$name, 300 deep: stacks reach a root" rooted "$tmp/measured.pb.gz"
    # Every sample of a burner lies under all of the 300 frames, none lost and none twice.
    folded "$tmp/measured.pb.gz" |
        awk '/burn_(one|two|four)/ { n = gsub(/;descend/, ""); if (n != 300) wrong++; all++ }
             END { print wrong + 0, (all > 0 ? "some" : "none") }' >"$tmp/depths"
    same "$name, 300 deep: frames" "0 some" "$(cat "$tmp/depths")"

    measured "$name, alloca" perf 1000 "$program" alloca 200
    check "$name, alloca: stacks reach a root" rooted "$tmp/measured.pb.gz"
    folded "$tmp/measured.pb.gz" |
        awk '/burn_(one|two|four)/ { if (!/with_alloca/) wrong++; all++ }
             END { print wrong + 0, (all > 0 ? "some" : "none") }' >"$tmp/depths"
    same "$name, alloca: the frame is there" "0 some" "$(cat "$tmp/depths")"

    measured "$name, tail calls" perf 1000 "$program" tail 200
    check "$name, tail calls: stacks reach a root" rooted "$tmp/measured.pb.gz"
done

# Shortly before an unwinder goes on in a handler, what it had saved is the handler's: one sample in
# 750 of who throws all the time. They lead to the root as well.
if have_perf; then
    record perf 10000 "$tmp/thrown.pb.gz" "$programs/stress_throw" 2 >/dev/null
    "$strobe" raw "$tmp/thrown.pb.gz" >"$tmp/raw"
    check "exceptions: stacks reach a root" awk '/ samples, .* truncated/ {
        print; exit !($2 > 5000 && $6 * 3000 < $2) }' "$tmp/raw"
fi
finish
