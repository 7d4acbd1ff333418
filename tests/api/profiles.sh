#!/bin/sh
# SPDX-License-Identifier: MIT
# Profiles that a program keeps itself: in the index, as text in Go's form, and as a profile that
# strobe and pprof read.
. "$(dirname "$0")/../record/lib.sh"
command -v curl >/dev/null || skip "curl is not installed"
mkfifo "$tmp/in"
: >"$tmp/out"
LD_LIBRARY_PATH=$build STROBE_HTTP=unix:$tmp/socket "$build/tests/api/profiles" <"$tmp/in" \
    >"$tmp/out" &
program=$!
exec 3>"$tmp/in"
while ! grep -q ready "$tmp/out" && kill -0 $program; do sleep 0.1; done
get()
{
    curl -s --unix-socket "$tmp/socket" "http://x/debug/pprof/$1" -o "$2" -w '%{http_code}'
}

get '' "$tmp/index" >/dev/null
check "the index has it" grep -q "<td>7</td><td><a href='files?debug=1'>files</a>" "$tmp/index"
same "debug=1" 200 "$(get 'files?debug=1' "$tmp/text")"
same "its first line" "files profile: total 7" "$(head -1 "$tmp/text")"
same "its groups" "3 @ 2 @ 2 @" "$(sed -n 's/^\([0-9]* @\).*/\1/p' "$tmp/text" | tr '\n' ' ' |
    sed 's/ $//')"
check "the labels of who added" grep -q '^# labels: {"kind":"special"}$' "$tmp/text"
same "the innermost frame is who adds" open_file \
    "$(sed -n '/^3 @/{n;s/.*\t\([a-z_]*\)+.*/\1/p}' "$tmp/text")"
same "or its caller" open_special \
    "$(sed -n '/^# labels/{n;s/.*\t\([a-z_]*\)+.*/\1/p}' "$tmp/text")"
same "binary" 200 "$(get files "$tmp/p.pb.gz")"
"$strobe" top "$tmp/p.pb.gz" >"$tmp/top" 2>&1
check "its type" grep -q '^Type: files$' "$tmp/top"
check "its total" grep -q '7 total' "$tmp/top"
if command -v pprof >/dev/null; then
    pprof -top "$tmp/p.pb.gz" 2>/dev/null | sed -n '/flat%/,$p' >"$tmp/oracle"
    "$strobe" pprof -top "$tmp/p.pb.gz" 2>/dev/null | sed -n '/flat%/,$p' >"$tmp/ours"
    check "pprof shows the same" cmp "$tmp/oracle" "$tmp/ours"
fi
same "no difference over time, as in Go" 400 "$(get 'files?seconds=1' "$tmp/body")"
get 'jobs?debug=1' "$tmp/text" >/dev/null
same "many of many threads" "jobs profile: total 36000" "$(head -1 "$tmp/text")"
exec 3>&-
wait $program
same "what the program saw itself" "0 ready" "$? $(tr '\n' ' ' <"$tmp/out" | sed 's/ $//')"
finish
