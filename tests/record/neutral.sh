#!/bin/sh
# SPDX-License-Identifier: MIT
# A program cannot tell from what it sees of itself whether it is being recorded.
. "$(dirname "$0")/lib.sh"
unset STROBE_MAX_COST

for backend in perf timer; do
    # What it prints about itself: threads, descriptors, masks, name, arguments, environment.
    "$programs/neutral" one 'two words' >"$tmp/plain"
    record $backend 1000 "$tmp/n.pb.gz" "$programs/neutral" one 'two words' >"$tmp/recorded"
    # STROBE_BACKEND is this test's own way to choose; a user's environment has none.
    sed -i '/^STROBE_BACKEND=/d' "$tmp/plain" "$tmp/recorded"
    check "$backend: it sees itself as it is" diff "$tmp/plain" "$tmp/recorded"
    check "$backend: and it was recorded" sh -c "'$strobe' folded '$tmp/n.pb.gz' | grep -q burn"

    env >"$tmp/plain"
    record $backend 100 "$tmp/n.pb.gz" env >"$tmp/recorded"
    sed -i '/^STROBE_BACKEND=/d; /^_=/d' "$tmp/plain" "$tmp/recorded"
    check "$backend: env prints the same" diff "$tmp/plain" "$tmp/recorded"
done

# Standard input, output, error and arguments with odd bytes pass through untouched.
printf 'a\0b\377\n' >"$tmp/in"
record perf 100 "$tmp/n.pb.gz" cat <"$tmp/in" >"$tmp/out"
check "standard input and output" cmp "$tmp/in" "$tmp/out"
record perf 100 "$tmp/n.pb.gz" printf '%s|' '' ' ' -o -- "$(printf 'x\ny')" >"$tmp/out"
printf '%s|' '' ' ' -o -- "$(printf 'x\ny')" >"$tmp/in"
check "arguments" cmp "$tmp/in" "$tmp/out"
record perf 100 "$tmp/n.pb.gz" sh -c 'echo complaint >&2; exit 3'
same "exit status" 3 "$?"
check "standard error" grep -qx complaint "$tmp/strobe.err"
record perf 100 "$tmp/n.pb.gz" sh -c 'trap "echo caught; exit 5" USR1; kill -USR1 $$; exit 9' \
    >"$tmp/out"
same "a signal the program handles: exit status" 5 "$?"
same "a signal the program handles: output" caught "$(cat "$tmp/out")"
record perf 100 "$tmp/n.pb.gz" sh -c 'kill -USR2 $$'
same "a signal it does not handle" $((128 + 12)) "$?"
for signal in URG TRAP PROF; do
    record perf 1000 "$tmp/n.pb.gz" python3 -c "
import os, signal, sys
seen = []
signal.signal(signal.SIG$signal, lambda s, f: seen.append(s))
for i in range(50):
    os.kill(os.getpid(), signal.SIG$signal)
    sum(range(50000))
sys.exit(len(seen) != 50)"
    same "a program's own SIG$signal arrives each time" 0 "$?"
done
finish
