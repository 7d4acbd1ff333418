# SPDX-License-Identifier: MIT
# runs.sh BUILD SOURCE: runs pass and fail for the right reasons, and leave nothing behind.
set -eu
. "$2/tests/suite/lib.sh"
needs awk

definition good <<'END'
needs: [awk]
prepare: echo "$N" >answer
command: [awk, "BEGIN { for (i = 0; i < 3000000; i++) s += i % 7; print $N }"]
verify: cmp answer out
inputs: {short: {duration: 1s, set: {N: "41"}}, long: {duration: 2s, set: {N: "42"}}}
kinds: {cpu: {record: true}}
END
definition wrong <<'END'
needs: [awk]
command: [awk, "BEGIN { print 1 }"]
verify: |
  echo "this is not two" >&2; grep -q 2 out
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
END
definition fails <<'END'
needs: [awk]
command: [awk, "BEGIN { print \"no luck\" >\"/dev/stderr\"; exit 3 }"]
verify: "true"
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
END
definition absent <<'END'
needs: [no-such-program-here]
command: [no-such-program-here]
verify: "true"
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
END
definition dies <<'END'
needs: [sh]
ports: [PORT]
start: [sh, -c, "echo cannot listen >&2; exit 1"]
ready: http://127.0.0.1:$PORT/
load: "true"
verify: "true"
inputs: {short: {duration: 1s}}
kinds: {cpu: {url: "http://127.0.0.1:$PORT/"}}
END

suite list
[ $status = 0 ] || fail "list: $status"
says '^good  *a test'
says 'no-such-program-here is not installed: apt-get install pack-a pack-b'
suite list --json
says '"name":"absent",.*"installed":false,"missing":"no-such-program-here"'
says '"name":"good",.*"kinds":\[{"name":"cpu","view":"cpu","how":"by the recorder'
says '"name":"good",.*"views":{"cpu":null,"memory":".*"}'

suite run good --input all -n 2 --as b1
[ $status = 0 ] || fail "good runs: $status"
says 'b1: 4 passed, 0 failed'
nothing_is_left
"$strobe" raw "$here/state/suite/b1.good.long.cpu.2/profile.pb.gz" | grep -q 'cpu/nanoseconds' ||
    fail "the profile cannot be read"

[ -s "$here/state/strobe.db" ] || fail "no server runs, and the store was not written"
suite run good --as b0 --no-push
[ $status = 0 ] || fail "good runs: $status"
says "'strobe suite show b0' shows them\$"

suite show b1.good.short.cpu.1
says 'output verified, exit status 0'
says '^memory .*MB$'
says 'flat%'
suite compare b1 b1
says 'good short cpu'
says '+0.0 %  p = 1.000  effect +0.00  n = 2, 2'

suite run good --as b1
[ $status = 1 ] || fail "a batch that is there: $status"
says 'there is a run b1.good.short.cpu.1 already'

suite run wrong --as b2
[ $status = 1 ] || fail "a wrong output passes: $status"
says 'failed: the output is not right.*this is not two'
suite run fails --as b3
says 'failed: the program failed.*no luck'
suite show b3.fails.short.cpu.1
says 'exit status 3'
suite run dies --as b4
says 'failed: the server ended by itself.*cannot listen'
suite run absent good --as b5
[ $status = 0 ] || fail "a program that is not installed fails the others: $status"
says 'absent is skipped: no-such-program-here is not installed: apt-get install pack-a pack-b'
says '1 passed, 0 failed, 1 skipped'
suite run absent --as b6
[ $status = 1 ] || fail "nothing was run: $status"
nothing_is_left

# ---- for programs ----
"$strobe" suite run good absent fails --as j1 --no-push --progress json >"$here/events" \
    2>"$here/out" && fail "a failed run is no failure"
says 'absent is skipped'
says 'good short cpu  *passed'
cp "$here/events" "$here/out"
[ "$(head -1 "$here/out" | cut -c 1-16)" = '{"event":"plan",' ] || fail "no plan comes first"
says '"runs":\[{"id":"j1.fails.short.cpu.1",.*{"id":"j1.good.short.cpu.1",.*"expected_ms":[0-9]'
says '"skipped":\[{"program":"absent","why":".*apt-get install pack-a pack-b"}\]'
says '{"event":"begin","id":"j1.good.short.cpu.1"}'
says '"id":"j1.good.short.cpu.1","step":"running"'
says '{"event":"end","id":"j1.good.short.cpu.1","status":"passed","error":""}'
says '"event":"end","id":"j1.fails.short.cpu.1","status":"failed","error":"the program.*no luck'
says '{"event":"done","passed":1,"failed":1,"skipped":1,"not_stored":0,"stopped":false,"error":""}'
[ "$(tail -1 "$here/out" | cut -c 1-16)" = '{"event":"done",' ] || fail "done is not the last"
if command -v python3 >/dev/null; then
    python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)' <"$here/events" || fail "a line is no JSON"
fi
definition slow <<'END'
needs: [sleep]
command: [sleep, "100"]
verify: "true"
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
END
# Who reads goes away, and the run ends.
"$strobe" suite run slow --as j2 --no-push --progress json 2>"$here/out" | head -3 >"$here/events"
nothing_is_left
suite show j2
says '^stopped at'

suite run nobody
[ $status = 2 ] || fail "an unknown program: $status"
says "no program 'nobody'"
suite run good --input huge
[ $status = 2 ] || fail "an unknown input: $status"
suite show b9
[ $status = 1 ] || fail "an unknown batch: $status"
echo 'nmae: x' >>"$here/suites/good.yaml"
suite list
[ $status = 1 ] || fail "a definition with an unknown key: $status"
says "good.yaml:11: there is no key 'nmae' here"
