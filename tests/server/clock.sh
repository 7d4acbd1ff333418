# SPDX-License-Identifier: MIT
#
# clock.sh BUILD: the clock is set back by two hours, and forward again, while the server runs:
# nothing is lost or refused, scraping keeps its pace, and what was stored in either time is there.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "there is no python3 here"
shim=$build/tests/server/libclockshift.so
[ -s "$shim" ] || skip "the clock's shim was not built"
mkdir "$tmp/files"
cp "$golden/kern_cpu.pb.gz" "$tmp/files/profile"
# Texts without a time of their own: strobe's clock says when.
python3 - "$golden/orders_block.pb.gz" "$tmp/untimed" <<'PY'
import gzip, sys


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


data, out, at = gzip.open(sys.argv[1]).read(), b"", 0
while at < len(data):
    begin = at
    key, at = varint(data, at)
    if key & 7 == 0:
        _, at = varint(data, at)
    else:
        size, at = varint(data, at)
        at += size
    if key >> 3 != 9:
        out += data[begin:at]
open(sys.argv[2], "wb").write(out)
PY
cp "$tmp/untimed" "$tmp/files/goroutine"
python3 "$here/target.py" "$tmp/files" >"$tmp/port" &
fake=$!
wait_for 10 test -s "$tmp/port"
cat >"$tmp/strobe.yaml" <<YAML
scrape_configs:
  - job_name: prom
    scrape_interval: 1s
    profiles: {cpu: false, heap: false, block: false, mutex: false, threadcreate: false}
    static_configs: [{targets: ['127.0.0.1:$(cat "$tmp/port")']}]
YAML

# rounds: so many times the target was scraped.
rounds()
{
    grep -c '^end .*/goroutine' "$tmp/files/log"
}
more_rounds()
{
    [ "$(rounds)" -ge "$1" ]
}
# count QUERY FROM UNTIL
count()
{
    get "profiles?query=$1&from=$2&until=$3&limit=1000" | grep -o '"id"' | wc -l
}

echo 0 >"$tmp/shift"
export CLOCKSHIFT="$tmp/shift"
now=$(date +%s)
LD_PRELOAD=$shim
export LD_PRELOAD
serve -c "$tmp/strobe.yaml"
unset LD_PRELOAD
same "a push now" 200 "$(post 'profiles?service_name=a' "$tmp/untimed")"
wait_for 20 more_rounds $(($(rounds) + 2)) || bad "it scrapes"
before=$(rounds)
began=$(date +%s)
echo -7200 >"$tmp/shift"
same "a push two hours ago" 200 "$(post 'profiles?service_name=a' "$tmp/untimed")"
wait_for 20 more_rounds $((before + 4)) || bad "it does not scrape any more"
passed=$(($(date +%s) - began))
[ "$passed" -lt 15 ] || bad "it scrapes slowly: 4 rounds in $passed s"
has "the target is up" "$(get targets)" '"state":"up".*"error":""'
same "the status can be had" 200 "$(status status)"
same "a timeline can be had" 200 "$(status 'timeline?query=goroutine&total=1')"
echo 0 >"$tmp/shift"
same "a push now, again" 200 "$(post 'profiles?service_name=b' "$tmp/untimed")"
before=$(rounds)
wait_for 20 more_rounds $((before + 3)) || bad "it does not scrape any more"
sleep 0.5
ago=$((now - 7200))
same "one push of then" 1 "$(count '{service_name="a"}' $((ago - 60)) $((ago + 600)))"
same "one push of now" 1 "$(count '{service_name="a"}' $((now - 60)) $((now + 600)))"
same "and one more" 1 "$(count '{service_name="b"}' $((now - 60)) $((now + 600)))"
then=$(count 'goroutine{service_name="prom"}' $((ago - 60)) $((ago + 600)))
[ "$then" -ge 3 ] || bad "what was scraped two hours ago is not there: $then"
after=$(count 'goroutine{service_name="prom"}' $((now - 60)) $((now + 600)))
[ "$after" -ge 4 ] || bad "what was scraped now is not there: $after"
kill -TERM "$server"
wait "$server"
same "it ends cleanly" 0 $?
server=
serve
same "all of it is there after a restart" $((then + after)) \
    "$(count 'goroutine{service_name="prom"}' $((ago - 60)) $((now + 600)))"
has "nothing is damaged" "$(get status)" '"damaged":0'
finish
