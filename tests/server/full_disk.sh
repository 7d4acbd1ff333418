# SPDX-License-Identifier: MIT
#
# A disk that is full (a small tmpfs): what cannot be kept is refused with a sentence, what was
# acknowledged stays and can be read, and with room again all goes on without a restart.
. "$(dirname "$0")/lib.sh"
cpu=$golden/kern_cpu.pb.gz
mkdir "$tmp/small" "$tmp/suites"
mount -t tmpfs -o size=3m tmpfs "$tmp/small" 2>/dev/null ||
    skip "no file system can be mounted here"
trap 'end "$server"; umount "$tmp/small"; rm -rf "$tmp"' EXIT

# push_until_full: numbers of those that were acknowledged, one a line, in $tmp/sent.
push_until_full()
{
    left=2000
    while [ "$left" -gt 0 ]; do
        left=$((left - 1))
        n=$((n + 1))
        code=$(post "profiles?service_name=s$n" "$cpu")
        [ "$code" = 200 ] || return 0
        echo "s$n" >>"$tmp/sent"
    done
    bad "it never became full"
}

# Names of all services that are there.
there()
{
    get 'labels/service_name/values' | tr ',' '\n' | sed -n 's/.*"\(s[0-9]*\)".*/\1/p' | sort
}

all_there()
{
    same "$1: all that was acknowledged is there" "$(sort "$tmp/sent")" "$(there)"
}

fill()
{
    dd if=/dev/zero of="$tmp/small/fill" bs=1k 2>/dev/null
}

n=0
: >"$tmp/sent"
dd if=/dev/zero of="$tmp/small/fill" bs=1k count=1500 2>/dev/null
serve --store "sqlite:$tmp/small/strobe.db"
push_until_full
same "a full disk is 507" 507 "$code"
has "with a sentence" "$(cat "$tmp/body")" \
    '{"error":"storing: the disk of .*/small/strobe.db is full; .*make room"}'
all_there "full"
has "the status counts it" "$(get status)" '"failed":1,.*"damaged":0'
same "a timeline can be had" 200 "$(status 'timeline?query=cpu&total=1')"
same "a profile can be had" 200 "$(status 'profile?query=cpu&from=0')"
out=$("$strobe" push -s x "$cpu" 2>&1)
same "strobe push fails" 1 $?
has "in the same words" "$out" 'refused it: storing: the disk of .* is full'
run()
{
    echo "{\"id\": \"r$1\", \"program\": \"p\", \"input\": \"i\", \"kind\": \"k\"," \
        '"status": "passed", "started_ms": 1}' >"$tmp/run"
    post runs "$tmp/run"
}
fill # what a profile did not fit into may be room enough for some runs, in the file itself, too
runs=0 code=200
while [ "$code" = 200 ] && [ $runs -lt 2000 ]; do
    runs=$((runs + 1))
    code=$(run $runs)
done
same "runs are not kept either" 507 "$code"

rm "$tmp/small/fill"
same "with room again the next is stored" 200 "$(post 'profiles?service_name=s0' "$cpu")"
echo s0 >>"$tmp/sent"
same "and the run" 200 "$(run $runs)"
all_there "with room again"

# Killed while it is full, and started with room.
dd if=/dev/zero of="$tmp/small/fill" bs=1k count=700 2>/dev/null
push_until_full
same "full once more" 507 "$code"
kill -KILL "$server"
wait "$server" 2>/dev/null
server=
fill
out=$("$strobe" serve --listen 127.0.0.1:0 --store "sqlite:$tmp/small/new.db" 2>&1)
same "no server starts on a full disk" 2 $?
has "and says why" "$out" 'strobe serve: .*/small/new.db is full'
out=$(STATE_DIRECTORY="$tmp/small/state" "$strobe" serve --listen 127.0.0.1:0 2>&1)
same "not without room for a token" 2 $?
has "and says why" "$out" 'strobe serve: .*No space left on device'

# The suite, where no server runs: the run is told as not stored.
if command -v awk >/dev/null; then
    cat >"$tmp/suites/good.yaml" <<'YAML'
name: good
summary: a test
language: C
install: [pack-a]
needs: [awk]
command: [awk, "BEGIN { print 1 }"]
verify: grep -q 1 out
inputs: {short: {duration: 1s}}
kinds: {cpu: {record: true}}
YAML
    unset STROBE_SERVER
    rm "$tmp/small/fill"
    mkdir -p "$tmp/small/state"
    fill
    out=$(STROBE_SUITES="$tmp/suites" STATE_DIRECTORY="$tmp/small/state" "$strobe" suite run 2>&1)
    same "a run that cannot be kept fails" 1 $?
    has "and says why" "$out" 'strobe suite: .*\(No space left on device\|is full\)'
fi

rm -r "$tmp/small/fill" "$tmp/small/state"
rm -f "$tmp/small/new.db"*
serve --store "sqlite:$tmp/small/strobe.db"
all_there "started again"
has "nothing is damaged" "$(get status)" '"damaged":0'
same "one more" 200 "$(post 'profiles?service_name=s0' "$golden/orders_labels.pb.gz")"
kill -TERM "$server"
wait "$server"
same "it ends cleanly" 0 $?
server=
finish
