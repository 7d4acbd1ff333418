# SPDX-License-Identifier: MIT
#
# scrape_real.sh BUILD [SECONDS [INTERVAL]]: prometheus and etcd under load, scraped for so long
# with a restart of each in between, by way of proxies that keep what was answered; then every
# profile that was stored is compared with pprof's on those. By hand: 600 seconds.
. "$(dirname "$0")/lib.sh"
seconds=${2:-30}
interval=${3:-5}
for program in python3 prometheus etcd pprof; do
    command -v $program >/dev/null || skip "there is no $program here"
done
mkdir "$tmp/prometheus" "$tmp/etcd" "$tmp/data"
cat >"$tmp/prometheus.yml" <<'YAML'
global: {scrape_interval: 1s}
scrape_configs: []
YAML
prom=
etcd=
proxies=
load=
trap 'end "$server"; end "$prom"; end "$etcd"; end "$load"; for p in $proxies; do end "$p"; done
    rm -rf "$tmp"' EXIT

# Free ports, chosen by the system.
ports=$(python3 -c 'import socket
s = [socket.socket() for _ in range(3)]
for i in s: i.bind(("127.0.0.1", 0))
print(*(i.getsockname()[1] for i in s))')
prom_port=${ports%% *}
peer_port=${ports##* }
etcd_port=${ports#* }
etcd_port=${etcd_port% *}

start_prom()
{
    DEBUG=1 prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/data" \
        --web.listen-address="127.0.0.1:$prom_port" >"$tmp/prometheus.log" 2>&1 &
    prom=$!
    wait_for 30 curl -sf "http://127.0.0.1:$prom_port/-/ready" || skip "prometheus does not start"
}

start_etcd()
{
    etcd --name t --data-dir "$tmp/etcd.data" --log-level error --enable-pprof \
        --listen-client-urls "http://127.0.0.1:$etcd_port" \
        --advertise-client-urls "http://127.0.0.1:$etcd_port" \
        --listen-peer-urls "http://127.0.0.1:$peer_port" \
        --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" \
        --initial-cluster "t=http://127.0.0.1:$peer_port" >"$tmp/etcd.log" 2>&1 &
    etcd=$!
    wait_for 30 curl -sf "http://127.0.0.1:$etcd_port/health" || skip "etcd does not start"
}

# proxy NAME PORT: its port, in the file NAME.port.
proxy()
{
    python3 "$here/record_proxy.py" "$tmp/$1" "$2" >"$tmp/$1.port" &
    proxies="$proxies $!"
    wait_for 10 test -s "$tmp/$1.port" || { bad "the proxy starts"; finish; }
}

# A little of everything until it is ended; while a program is down its part fails.
loader()
{
    while :; do
        curl -s --parallel --parallel-max 8 \
            "http://127.0.0.1:$prom_port/api/v1/query?query=sum(1)&n=[1-20]" \
            "http://127.0.0.1:$prom_port/metrics?n=[1-5]" >/dev/null 2>&1
        for _ in 1 2 3 4; do
            echo "url = \"http://127.0.0.1:$etcd_port/v3/kv/put\""
            echo 'data = "{\"key\": \"a2V5\", \"value\": \"dmFsdWU=\"}"'
            echo 'output = "/dev/null"'
        done | curl -s --parallel --parallel-max 4 -K - >/dev/null 2>&1
        sleep 0.05
    done
}

seen_down()
{
    [ "$(get targets | grep -o '"state":"down","interval_ms"' | wc -l)" = 2 ]
}

start_prom
start_etcd
proxy prometheus "$prom_port"
proxy etcd "$etcd_port"
loader &
load=$!
cat >"$tmp/strobe.yaml" <<YAML
scrape_configs:
  - job_name: prometheus
    scrape_interval: ${interval}s
    profiles: {cpu: {seconds: 1}}
    static_configs:
      - targets: ['127.0.0.1:$(cat "$tmp/prometheus.port")']
        labels: {env: test, zone: a}
  - job_name: etcd
    scrape_interval: ${interval}s
    profiles: {cpu: {seconds: 1}}
    static_configs:
      - targets: ['127.0.0.1:$(cat "$tmp/etcd.port")']
        labels: {service_name: keys}
YAML
serve -c "$tmp/strobe.yaml"
sleep $((seconds / 2))

end "$prom"
end "$etcd"
prom= etcd=
restart=$(date +%s%N)
wait_for $((3 * interval + 30)) seen_down || bad "nobody sees that they are down: $(get targets)"
has "the last error is said" "$(get targets)" '"state":"down".*"error":"http://127.0.0.1:[0-9]*/'
start_prom
start_etcd
sleep $((seconds / 2))

targets=$(get targets)
for kind in heap mutex; do
    same "both restarts of $kind were seen" 2 \
        "$(printf '%s' "$targets" | sed 's/{"kind"/\n&/g' |
            grep -c "^{\"kind\":\"$kind\",\"state\":\"ok\".*\"restarts\":1")"
done
same "both are up again, without an error" 2 \
    "$(printf '%s' "$targets" | grep -o '"state":"up",[^[]*"error":"","error_ms":null' | wc -l)"
series=$(get 'series?query=heap')
has "labels of one" "$series" '"labels":{"env":"test","instance":"127.0.0.1:'"$(
    cat "$tmp/prometheus.port")"'","service_name":"prometheus","zone":"a"}'
has "and of the other" "$series" '"labels":{"instance":"127.0.0.1:'"$(
    cat "$tmp/etcd.port")"'","service_name":"keys"}'

# Scraping ends, and what is there is looked at.
kill -TERM "$server"
wait "$server"
same "it ends cleanly" 0 $?
server=
end "$load"
load=
for p in $proxies; do
    end "$p"
done
proxies=
serve
for name in prometheus etcd; do
    awk '/^begin/ {if (open++) exit 1} /^end/ {open--}' "$tmp/$name/log" ||
        bad "$name: two kinds were fetched at once"
done
python3 "$here/compare_scrapes.py" "$api" prometheus "$tmp/prometheus" "$restart" ||
    bad "prometheus"
python3 "$here/compare_scrapes.py" "$api" keys "$tmp/etcd" "$restart" || bad "etcd"
has "nothing is damaged" "$(get status)" '"damaged":0'
finish
