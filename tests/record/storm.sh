#!/bin/sh
# SPDX-License-Identifier: MIT
# No system call fails with EINTR because of us: storm.sh BUILD [SECONDS].
. "$(dirname "$0")/lib.sh"
seconds=${2:-4}

value()
{
    sed -n "s/^$1 //p" "$2"
}

for backend in $backends noclock; do
    record $backend 5000 "$tmp/storm.pb.gz" "$programs/storm" "$seconds" >"$tmp/out"
    same "$backend: exit status" 0 "$?"
    same "$backend: calls that failed with EINTR, of $(value calls "$tmp/out")" 0 \
        "$(value eintr "$tmp/out")"
    same "$backend: errno changed" 0 "$(value errno "$tmp/out")"
    # A storm that was not sampled would prove nothing.
    check "$backend: it was sampled" sh -c "'$strobe' folded '$tmp/storm.pb.gz' | grep -q burn"
done

if "$programs/storm" "$seconds" --control >"$tmp/out"; then
    check "control: a careless profiler does interrupt ($(value eintr "$tmp/out") times)" \
        test "$(value eintr "$tmp/out")" -gt 0
else
    echo "no control: $(cat "$tmp/out")"
fi
finish
