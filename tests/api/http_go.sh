#!/bin/sh
# SPDX-License-Identifier: MIT
# Every path under /debug/ beside a real Go server's: the same status codes, headers and texts,
# where there is a Go to ask; and `go tool pprof` as the client of each.
. "$(dirname "$0")/../record/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
command -v curl >/dev/null || skip "curl is not installed"
command -v go >/dev/null || skip "go is not installed"
library=$build/libstrobe.so
GOCACHE=$tmp/cache go build -o "$tmp/server" "$(dirname "$0")/http_go.go" ||
    skip "go builds no program here"
rm -rf "$tmp/cache"

"$tmp/server" >"$tmp/go.address" 2>"$tmp/go.err" &
theirs=$!
trap 'kill $theirs $ours 2>/dev/null; rm -rf "$tmp"' EXIT
ours=
for _ in 1 2 3 4 5; do
    ours_at=127.0.0.1:$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))
    LD_PRELOAD=$library STROBE_HTTP=$ours_at STROBE=all STROBE_HEAP_RATE=1 \
        sh -c 'while :; do i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; sleep 0.01; done' \
        2>"$tmp/err" &
    ours=$!
    sleep 0.5
    curl -s -o /dev/null "http://$ours_at/debug/pprof/" && break
    kill $ours
done
theirs_at=$(head -1 "$tmp/go.address")

if command -v python3 >/dev/null; then
    check "what both answer" timeout 200 python3 "$here/http_go.py" "$ours_at" "$theirs_at"
    tail -1 "$tmp/check.out"
fi

# The same client, the same commands, both kinds of servers.
for at in "$ours_at" "$theirs_at"; do
    for kind in heap allocs goroutine threadcreate; do
        check "go tool pprof of $at: $kind" \
            sh -c 'PPROF_TMPDIR="$3" timeout 60 go tool pprof -top "http://$1/debug/pprof/$2" 2>&1 |
                tee /dev/stderr | grep -q "^Type: "' - "$at" "$kind" "$tmp"
    done
    check "go tool pprof of $at: profile" \
        sh -c 'PPROF_TMPDIR="$2" timeout 60 go tool pprof -top -seconds 1 \
            "http://$1/debug/pprof/profile" 2>&1 | tee /dev/stderr |
            grep -q "^Type: cpu"' - "$at" "$tmp"
done
finish
