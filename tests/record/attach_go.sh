#!/bin/sh
# SPDX-License-Identifier: MIT
# Go programs: whole stacks, and the names and shares that Go's own profile of the same run has.
. "$(dirname "$0")/lib.sh"
resymbolize=$build/tests/symbol/resymbolize
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

# shares PROFILE: "FUNCTION FLAT CUM NANOSECONDS" by function of the program's own package.
shares()
{
    "$strobe" folded -sample_index=cpu "$1" | awk '
        { value = $NF; sub(/ [^ ]*$/, ""); n = split($0, f, ";"); sum += value; delete seen
          for (i = 1; i <= n; i++)
              if (f[i] ~ /^(main\.|sort\.|fmt\.|slices\.|crypto\/)/ && !(f[i] in seen)) {
                  seen[f[i]] = 1
                  cum[f[i]] += value
              } }
        END { for (x in cum) print x, cum[x] / sum, sum }'
}

# agree OURS GO: functions with more than 2 % have the same names, and shares that differ by three
# standard errors at most, and by 2 % because Go's profile leaves out what its runtime does beside.
agree()
{
    shares "$1" >"$tmp/ours"
    shares "$2" >"$tmp/theirs"
    awk -v period=10000000 '
        FNR == NR { ours[$1] = $2; n = $3 / period; next }
        { theirs[$1] = $2; m = $3 / period }
        END {
            for (x in theirs) names[x]
            for (x in ours) names[x]
            for (x in names) {
                a = ours[x]; b = theirs[x]
                if (a < 0.02 && b < 0.02) continue
                p = (a * n + b * m) / (n + m)
                allowed = 3 * sqrt(p * (1 - p) * (1 / n + 1 / m)) + 0.02
                count++
                if ((a - b) ^ 2 > allowed ^ 2) { print x, a, b, allowed; bad++ }
            }
            print count + 0, "functions"
            exit bad > 0 || count < 5
        }' "$tmp/ours" "$tmp/theirs"
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
    "$strobe" folded -sample_index=cpu "$tmp/go.pb.gz" | awk '
        { all += $NF
          if (/^runtime\.(goexit|mstart|rt0_go|mcall|morestack|sigtramp)(;| [0-9])/ ||
              /^(_rt0|_start|start_thread|clone|\[)/) good += $NF; else print }
        END { print good / all; exit good < all * 0.995 }' >"$tmp/roots"
    same "$how: stacks reach a root" 0 "$?"
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
