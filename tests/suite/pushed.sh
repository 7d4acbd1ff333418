# SPDX-License-Identifier: MIT
# pushed.sh BUILD SOURCE: a server that runs sees a run come in, and has its profile when it ended.
set -eu
. "$2/tests/suite/lib.sh"
needs awk curl

definition good <<'END'
needs: [awk]
command: [awk, "BEGIN { for (i = 0; i < 3000000; i++) s += i % 7; print 1 }"]
verify: sleep 1; grep -q 1 out
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
END

"$strobe" serve --listen 127.0.0.1:0 >"$here/serve" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null; wait; rm -rf "$here"' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 0.3
    STROBE_SERVER=$(sed -n 's,.*\(http://[^/]*\)/.*,\1,p' "$here/serve" | head -1)
    [ -z "$STROBE_SERVER" ] || break
done
[ -n "$STROBE_SERVER" ] || fail "the server did not start: $(cat "$here/serve")"
export STROBE_SERVER

"$strobe" suite run good --as p1 >"$here/out" 2>&1 &
run=$!
seen=
while kill -0 $run 2>/dev/null; do
    curl -s "$STROBE_SERVER/api/v1/runs" | grep -q '"status":"running"' && seen=1
    sleep 0.2
done
wait $run || fail "the run failed"
[ -n "$seen" ] || fail "the server was not told that it ran"
curl -s "$STROBE_SERVER/api/v1/runs?id=p1.good.short.cpu.1" >"$here/out"
says '"status":"passed"'
says '"rounds":1'
says '"at_ms":\['
id=$(sed -n 's/.*"profiles":\["\([^"]*\)"\].*/\1/p' "$here/out")
[ -n "$id" ] || fail "the run has no profile"
curl -s "$STROBE_SERVER/api/v1/profile?id=$id&format=folded" >"$here/folded"
grep -q ' [0-9][0-9]*$' "$here/folded" || fail "the profile has no stacks"

STROBE_SERVER=http://127.0.0.1:9
suite run good --as p2
[ $status = 1 ] || fail "a server that is not there: $status"
says 'STROBE_SERVER: .*nobody answers there'
