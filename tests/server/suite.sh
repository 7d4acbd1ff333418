# SPDX-License-Identifier: MIT
#
# The suite by the API: what there is, a run that is started, watched and stopped by POST, its graph
# and its profile, and that nothing is left of a run when the server ends or is killed.
. "$(dirname "$0")/lib.sh"
command -v awk >/dev/null || skip "there is no awk here"
mkdir "$tmp/suites" "$tmp/work"
export STROBE_SUITES="$tmp/suites" TMPDIR="$tmp/work"

definition()
{
    {
        printf 'name: %s\nsummary: a test\nlanguage: C\ninstall: [pack-a]\n' "$1"
        cat
    } >"$tmp/suites/$1.yaml"
}

definition good <<'YAML'
needs: [awk]
command: [awk, "BEGIN { for (i = 0; i < 15000000; i++) s += i % 7; print 1 }"]
verify: grep -q 1 out
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
lacks: {heap: "because of \"a reason\""}
YAML
definition bad <<'YAML'
needs: [awk]
command: [awk, "BEGIN { print \"no luck\" >\"/dev/stderr\"; exit 3 }"]
verify: "true"
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
YAML
definition slow <<'YAML'
needs: [sh]
prepare: echo "trap '' TERM; (setsid sleep 300 &) ; while :; do sleep 1; done" >stay.sh
command: [sh, "$WORK/stay.sh"]
verify: "true"
inputs: {long: {duration: 1s}}
kinds: {cpu: {record: true}}
YAML
definition absent <<'YAML'
needs: [no-such-program-here]
command: [no-such-program-here]
verify: "true"
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
YAML

# ask BODY: POST …/suite/runs; the status, the body in $tmp/body.
ask()
{
    printf '%s' "$1" >"$tmp/ask"
    post suite/runs "$tmp/ask"
}

# told PATTERN: the current state of the suite has it.
told()
{
    get suite/runs/current | grep -q -e "$1"
}

# Processes that work in a folder of a run, or know it by name.
left_over()
{
    [ -z "$(ls -A "$tmp/work")" ] || return 0
    for p in /proc/[0-9]*; do
        readlink "$p/cwd" 2>/dev/null | grep -q "^$tmp/work/strobe-suite" && return 0
    done
    return 1
}

nothing_left()
{
    ! left_over
}

# A state directory that is a relative path, and a token of another server's in the environment.
mkdir "$tmp/cwd"
cd "$tmp/cwd" || exit 1
export STATE_DIRECTORY=state STROBE_TOKEN=of-another-server
serve

# ---- what there is ----
same "the suite is listed" 200 "$(status suite)"
body=$(cat "$tmp/body")
has "a program" "$body" '"name":"good","title":"a test","language":"C","installed":true'
has "why it has no heap" "$body" '"lacks":\[{"name":"heap","view":"memory","why":"because of \\"a'
has "and so has no memory view" "$body" '"memory":"because of \\"a reason\\""'
has "what is not installed" "$body" '"installed":false,"missing":"no-such-program-here"'
has "how it would be" "$body" '"install":"apt-get install pack-a"'
has "nothing has been run" "$(get suite/runs/current)" '"state":"none","result":null.*"now":null'

# ---- starting ----
same "no token" 401 "$(status suite/runs -X POST -d '{}')"
same "a foreign page" 403 "$(status suite/runs -X POST -d '{}' -H 'Origin: http://evil.example' \
    -H "Authorization: Bearer $token")"
same "GET starts nothing" 405 "$(status suite/runs)"
same "an unknown program" 400 "$(ask '{"program": "nobody"}')"
has "is named" "$(cat "$tmp/body")" "there is no program 'nobody'; 'strobe suite list' lists"
same "an unknown kind" 400 "$(ask '{"program": "good", "kind": "heap"}')"
same "an option for a name" 400 "$(ask '{"program": "--no-push"}')"
same "an unknown key" 400 "$(ask '{"programme": "good"}')"
same "no JSON" 400 "$(ask '{"program": ')"
same "nothing that is installed" 422 "$(ask '{"program": "absent"}')"
has "says what to install" "$(cat "$tmp/body")" 'apt-get install pack-a'
has "still nothing has been run" "$(get suite/runs/current)" '"state":"none"'
same "nothing to cancel" 409 "$(post suite/runs/cancel /dev/null)"

same "a run is started" 202 "$(ask '{"program": "good", "kind": "cpu"}')"
has "it runs" "$(cat "$tmp/body")" '"state":"running".*"total":1.*"program":"good"'
same "only one at a time" 409 "$(ask '{}')"
has "which one is said" "$(cat "$tmp/body")" 'a run is going on: good short'
# Watched by long polls until it has ended: each answer is a newer one.
rev=0
: >"$tmp/watched"
for _ in $(seq 100); do
    get "suite/runs/current?rev=$rev" >"$tmp/now"
    new=$(sed 's/.*"rev":\([0-9]*\),.*/\1/' "$tmp/now")
    [ "$new" -gt "$rev" ] || bad "a long poll of $rev gave $new"
    rev=$new
    cat "$tmp/now" >>"$tmp/watched"
    grep -q '"state":"ended"' "$tmp/now" && break
done
has "its steps were seen" "$(cat "$tmp/watched")" '"step":"running"'
has "its CPU use was seen" "$(cat "$tmp/watched")" '"cpu_percent":[1-9]'
has "it has passed" "$(cat "$tmp/now")" '"state":"ended","result":"passed","error":""'
has "with what it said" "$(cat "$tmp/now")" '"lines":\[.*good short cpu *passed'
same "a rev that is none" 400 "$(status 'suite/runs/current?rev=x')"

# ---- what is left of it ----
id=$(sed 's/.*"runs":\[{"id":"\([^"]*\)".*/\1/' "$tmp/now")
has "a list without its columns" "$(get 'runs?brief=1')" "\"id\":\"$id\".*\"verified\":true"
same "really" "" "$(get 'runs?brief=1' | grep '"use"')"
has "by batch" "$(get "runs?batch=${id%%.*}")" "\"id\":\"$id\""
same "and no other batch" '{"runs":[]}' "$(get 'runs?batch=2')"
run=$(get "runs/$id")
has "a run" "$run" '"run":{"id":"'"$id"'".*"status":"passed"'
has "with its profile" "$run" \
    '"details":\[{"id":"[^"]*","kind":"cpu","series":"[0-9a-f]*","service_name":"good","query":"cpu'
has "its phases" "$run" '"phases":\[.*{"name":"running","at_ms":[0-9]*}'
has "its graph" "$run" '"graph":{"at_ms":\[[0-9].*"cpu_percent":\[[0-9].*"rss_bytes":\[[1-9]'
if command -v python3 >/dev/null; then
    printf '%s' "$run" >"$tmp/run"
    same "whose columns are equally long, and plausible" ok "$(python3 - "$tmp/run" <<'PY'
import json, sys
g = json.load(open(sys.argv[1]))["run"]["graph"]
n = len(g["at_ms"])
ok = n == len(g["cpu_percent"]) == len(g["rss_bytes"]) and g["at_ms"] == sorted(g["at_ms"])
print("ok" if ok and 10 < max(g["cpu_percent"]) < 400 and n <= 600 else g)
PY
)"
fi
pid=$(printf '%s' "$run" | sed 's/.*"details":\[{"id":"\([^"]*\)".*/\1/')
has "which is there" "$(get "profile?id=$pid&format=folded")" ' [1-9][0-9]*$'
same "no such run" 404 "$(status runs/nobody)"

same "a run that fails" 202 "$(ask '{"program": "bad"}')"
wait_for 60 told '"state":"ended"' || bad "it ends"
has "has its error in full" "$(get suite/runs/current)" \
    '"result":"failed".*"state":"failed","error":"the program failed; its log ends with: no luck"'
has "in the list, too" "$(get 'runs?brief=1&program=bad')" '"status":"failed".*no luck'

# ---- stopping ----
same "a long one" 202 "$(ask '{"program": "slow", "input": "all"}')"
wait_for 60 told '"step":"running"' || bad "it runs"
same "is cancelled" 202 "$(post suite/runs/cancel /dev/null)"
has "and stopping" "$(cat "$tmp/body")" '"state":"stopping"'
wait_for 60 told '"state":"ended","result":"stopped"' || bad "it ends: $(get suite/runs/current)"
wait_for 5 nothing_left || bad "something is left of it"
has "the run is kept as stopped" "$(get 'runs?brief=1&program=slow')" '"status":"stopped"'

same "another" 202 "$(ask '{"program": "slow", "input": "long"}')"
wait_for 60 told '"step":"running"' || bad "it runs"
get 'suite/runs/current?rev=0' >/dev/null
kill -TERM "$server"
wait "$server"
same "the server ends, and the run with it" 0 $?
server=
nothing_left || bad "something is left of it"
serve
has "its end was stored" "$(get 'runs?brief=1&program=slow&limit=1')" '"status":"stopped"'

same "a third" 202 "$(ask '{"program": "slow", "input": "long"}')"
wait_for 60 told '"step":"running"' || bad "it runs"
kill -KILL "$server"
wait "$server" 2>/dev/null
server=
wait_for 15 nothing_left || bad "a server that was killed leaves something: $(ls "$tmp/work")"
ok "a server that is killed leaves nothing"

# ---- definitions that cannot be read ----
serve
echo 'nmae: x' >>"$tmp/suites/good.yaml"
same "a bad definition" 500 "$(status suite)"
has "is named with its line" "$(cat "$tmp/body")" 'good.yaml:11: there is no key .nmae. here'
same "nothing is started" 500 "$(ask '{}')"
finish
