# SPDX-License-Identifier: MIT
#
# Scraping: differences are those of `pprof -base`, a restart starts anew, kinds come one at a time,
# and what goes wrong is said in full. The target is a folder of files (target.py); its profiles are
# a real Go program's where there is one, so that they grow and restart as such do.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "there is no python3 here"
command -v prometheus >/dev/null || skip "there is no prometheus here to scrape"
mkdir "$tmp/files" "$tmp/data"
cat >"$tmp/prometheus.yml" <<'YAML'
global: {scrape_interval: 1s}
scrape_configs: []
YAML
prom=
trap 'end "$server"; end "$fake"; end "$prom"; rm -rf "$tmp"' EXIT

prometheus_is_up()
{
    curl -sf -o /dev/null "http://127.0.0.1:$port/-/ready"
}

start_prometheus()
{
    port=$((20000 + $$ % 20000))
    DEBUG=1 prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/data" \
        --web.listen-address="127.0.0.1:$port" >"$tmp/prometheus.log" 2>&1 &
    prom=$!
    wait_for 30 prometheus_is_up || skip "prometheus does not start here"
}

# take N: its profiles, as generation N.
take()
{
    mkdir "$tmp/$1"
    for k in heap allocs block mutex goroutine threadcreate; do
        curl -sf -o "$tmp/$1/$k" "http://127.0.0.1:$port/debug/pprof/$k"
    done
    for _ in 1 2 3 4 5; do
        curl -sf -o /dev/null "http://127.0.0.1:$port/metrics"
    done
}

start_prometheus
take 1
sleep 1
take 2
end "$prom"
start_prometheus
take 3
sleep 1
take 4
end "$prom"
prom=

python3 "$here/target.py" "$tmp/files" >"$tmp/port" &
fake=$!
wait_for 10 test -s "$tmp/port"
target=127.0.0.1:$(cat "$tmp/port")
cat >"$tmp/strobe.yaml" <<YAML
scrape_configs:
  - job_name: prom
    scrape_interval: 1s
    profiles:
      cpu: {seconds: 1}
    static_configs:
      - targets: ['$target']
        labels: {env: test}
  - job_name: nobody
    scrape_interval: 1s
    profiles: {cpu: {seconds: 1}}
    static_configs: [{targets: ['127.0.0.1:1']}]
YAML

# A round that began after now has ended: its files were read.
rounds()
{
    [ "$(grep -c '^end .*/threadcreate' "$tmp/files/log")" -gt "$1" ]
}

# show N: the target has the profiles of generation N, and has been scraped with them.
show()
{
    for k in heap block mutex goroutine threadcreate; do
        cp "$tmp/$1/$k" "$tmp/files/$k.new" && mv "$tmp/files/$k.new" "$tmp/files/$k"
    done
    done=$(grep -c '^end .*/threadcreate' "$tmp/files/log" 2>/dev/null)
    wait_for 10 rounds $((${done:-0} + 1)) || bad "generation $1 is scraped"
}

cp "$golden/kern_cpu.pb.gz" "$tmp/files/profile"
: >"$tmp/files/log"
for k in heap block mutex goroutine threadcreate; do
    cp "$tmp/1/$k" "$tmp/files/$k"
done
serve -c "$tmp/strobe.yaml"
show 1
show 2
show 3
show 4
sleep 0.3

# table FILE TYPE [BASE]: flat, cum and name of every function, as pprof has them.
table()
{
    pprof -top -nodecount=1000000 -nodefraction=0 -edgefraction=0 -unit="$3" -sample_index="$2" \
        ${4:+-base "$4"} "$1" 2>/dev/null |
        awk 'seen && ($1 + 0 || $4 + 0) {print $1, $4, $6, $7, $8} /flat%/ {seen = 1}' | sort
}

series=$(get 'series?query={service_name="prom"}')
for k in cpu heap block mutex goroutine threadcreate; do
    has "$k is a series" "$series" "\"kind\":\"$k\""
done
has "with its labels" "$series" \
    "\"env\":\"test\",\"instance\":\"$target\",\"service_name\":\"prom\""

# Equal profiles are stored once, and their differences are empty: what is left has samples.
compare()
{
    kind=$1 type=$2 unit=$3 from=$4 to=$5
    table "$tmp/$to/$kind" "$type" "$unit" "$tmp/$from/$kind" >"$tmp/want"
    found=no
    for id in $(get "profiles?query=$kind{service_name=\"prom\"}&limit=1000" | tr '{' '\n' |
        sed -n 's/.*"id":"\([^"]*\)".*/\1/p'); do
        get "profile?id=$id" >"$tmp/got.pb.gz"
        table "$tmp/got.pb.gz" "$type" "$unit" >"$tmp/got" 2>/dev/null
        cmp -s "$tmp/want" "$tmp/got" && found=yes && break
    done
    count=$(wc -l <"$tmp/want")
    same "$kind/$type from $from to $to is pprof -base's ($count functions)" yes "$found"
}

if command -v pprof >/dev/null; then
    for pair in '1 2' '3 4'; do
        # shellcheck disable=SC2086
        set -- $pair
        compare heap alloc_space B "$1" "$2"
        compare heap alloc_objects count "$1" "$2"
        compare mutex delay ns "$1" "$2"
        compare block contentions count "$1" "$2"
    done
else
    echo "there is no pprof here: its differences were not compared"
fi

# Nothing is negative, and no difference reaches over the restart.
for q in heap/alloc_space block/delay mutex/contentions; do
    get "profile?query=$q{service_name=\"prom\"}&format=folded" >"$tmp/folded"
    same "$q has no negative value" "" "$(awk '$NF < 0' "$tmp/folded")"
done
has "the restart was seen" "$(get targets)" '"kind":"heap","state":"ok".*"restarts":1'

# A restart that only the heap shows, for the other kinds have grown beyond what they were: nothing
# of them reaches over it either.
restarts()
{
    get targets | sed 's/{"kind"/\n&/g' |
        sed -n "s/^{\"kind\":\"$1\".*\"restarts\":\([0-9]*\).*/\1/p" | head -1
}
mkdir "$tmp/5" "$tmp/6"
cp "$tmp"/3/* "$tmp/5"
cp "$tmp/4/heap" "$tmp/5/heap"
cp "$tmp"/4/* "$tmp/6"
cp "$tmp/3/heap" "$tmp/6/heap"
for k in block mutex; do
    eval "before_$k=\$(restarts $k)"
done
show 5
show 6
sleep 0.3
same "block saw both restarts" $((before_block + 2)) "$(restarts block)"
same "mutex saw both restarts" $((before_mutex + 2)) "$(restarts mutex)"

# ---- one at a time ----
awk '/^begin/ {open++; if (open > 1) {print "two at once: " $0; exit}} /^end/ {open--}' \
    "$tmp/files/log" >"$tmp/overlap"
same "never two kinds at once" "" "$(cat "$tmp/overlap")"
has "cpu by seconds" "$(cat "$tmp/files/log")" 'begin /debug/pprof/profile?seconds=1$'

# ---- what goes wrong ----
targets=$(get targets | sed 's/{"job"/\n&/g')
has "up" "$targets" '"job":"prom".*"state":"up"'
has "down, in words" "$targets" \
    '"job":"nobody".*"state":"down".*http://127.0.0.1:1/debug/pprof/heap: .*[Cc]onnect'
rm "$tmp/files/mutex"
echo 'no profile' >"$tmp/files/goroutine"
echo 500 >"$tmp/files/block.status"
echo 'block is broken today' >"$tmp/files/block"
done=$(grep -c '^end .*/threadcreate' "$tmp/files/log")
wait_for 10 rounds $((done + 1))
sleep 0.3
targets=$(get targets | sed 's/{"kind"/\n&/g')
has "what is not there is absent" "$targets" '"kind":"mutex","state":"absent"'
has "what is no profile has failed" "$targets" \
    '"kind":"goroutine","state":"failed".*parsing profile'
has "an error is quoted" "$targets" '"kind":"block".*answered 500: block is broken today'
has "and the target is up" "$targets" '"state":"up"'
kill -TERM "$server"
wait "$server"
same "it ends cleanly" 0 $?
server=
finish
