#!/bin/sh
# SPDX-License-Identifier: MIT
# Go programs: whole stacks, and the names and shares that Go's own profile of the same run has.
. "$(dirname "$0")/lib.sh"
. "$here/go_lib.sh"
go=$(command -v go || ls /usr/lib/go-*/bin/go 2>/dev/null | tail -n 1)
[ -n "$go" ] || skip "no Go compiler here"
"$strobe" record -q -d 0.1 -o "$tmp/probe.pb.gz" -p $$ 2>"$tmp/strobe.err" ||
    skip "perf_event is refused here: $(cat "$tmp/strobe.err")"
cp "$here/../programs/work_go.go" "$tmp/work.go"
cgo=0

build_go()
{
    (cd "$tmp" && HOME=$tmp GOCACHE=$tmp/cache GO111MODULE=off GOENV=off GOFLAGS='' \
        GOTOOLCHAIN=local CGO_ENABLED=$cgo "$go" build "$@" -o "$tmp/work" work.go) 2>"$tmp/log" ||
        {
            echo "not here: $*: $(head -n 1 "$tmp/log")"
            return 1
        }
}

for how in static stripped pie cgo; do
    cgo=0
    case $how in
    static) build_go ;;
    stripped) build_go -ldflags=-s ;;
    pie) build_go -buildmode=pie ;;
    cgo) cgo=1 && build_go -ldflags=-linkmode=external ;;
    esac || continue
    record perf 100 "$tmp/go.pb.gz" "$tmp/work" - 2000
    same "$how: exit status" 0 "$?"
    check "$how: says how" grep -q 'from outside (a Go program)' "$tmp/strobe.err"
    check "$how: stacks reach a root" go_rooted "$tmp/go.pb.gz"
    record perf 100 "$tmp/go.pb.gz" "$tmp/work" "$tmp/own.prof" 4000
    check "$how: Go's own profile agrees" agree "$tmp/go.pb.gz" "$tmp/own.prof"
    "$resymbolize" "$tmp/own.prof" >"$tmp/lines"
    check "$how: names and lines are Go's" \
        awk '/^locations/ { exit !($2 > 20 && $4 >= $2 * 0.98) }' "$tmp/lines"
done

"$tmp/work" - 60000 &
target=$!
sleep 0.5
"$strobe" record -F 200 -d 2 -o "$tmp/p.pb.gz" -p $target 2>"$tmp/strobe.err"
check "attached: names" sh -c "'$strobe' folded '$tmp/p.pb.gz' | grep -q 'main.grow'"
kill $target
finish
