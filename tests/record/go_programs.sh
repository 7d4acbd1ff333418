#!/bin/sh
# SPDX-License-Identifier: MIT
# Go programs as Debian ships them, large and with everything in them: hugo builds a site,
# prometheus answers queries, and each makes its own CPU profile of the same seconds. Stacks reach
# their roots, and names, lines and shares are Go's.
. "$(dirname "$0")/lib.sh"
. "$here/go_lib.sh"
"$strobe" record -q -d 0.1 -o "$tmp/probe.pb.gz" -p $$ 2>"$tmp/strobe.err" ||
    skip "perf_event is refused here: $(cat "$tmp/strobe.err")"
tried=0

# held WHAT OURS THEIRS: what holds for both programs.
held()
{
    tried=$((tried + 1))
    check "$1: stacks reach a root" go_rooted "$2"
    check "$1: Go's own profile agrees" agree "$2" "$3"
    "$resymbolize" "$3" >"$tmp/lines"
    check "$1: names and lines are Go's" \
        awk '/^locations/ { exit !($2 > 100 && $4 >= $2 * 0.99) }' "$tmp/lines"
}

build_site()
{
    mkdir -p "$tmp/site/layouts/_default" "$tmp/site/content/posts"
    echo 'title = "A site"' >"$tmp/site/config.toml"
    echo '<h1>{{ .Title }}</h1>{{ .Content }}' >"$tmp/site/layouts/_default/single.html"
    cp "$tmp/site/layouts/_default/single.html" "$tmp/site/layouts/_default/list.html"
    awk -v dir="$tmp/site/content/posts" 'BEGIN {
        srand(1)
        for (i = 0; i < 600; i++) {
            file = dir "/p" i ".md"
            printf "---\ntitle: Post %d\n---\n", i >file
            for (k = 0; k < 6; k++) {
                printf "## Part %d\n\n", k >file
                for (w = 0; w < 120; w++)
                    printf "word%d ", int(rand() * 5000) >file
                printf "\n\n```go\nfunc main() { println(%d) }\n```\n\n", k >file
            }
            close(file)
        } }'
}

if command -v hugo >/dev/null; then
    build_site
    cd "$tmp/site" || exit 1
    record perf 100 "$tmp/hugo.pb.gz" hugo --quiet -d "$tmp/public" --profile-cpu "$tmp/hugo.own"
    same "hugo: exit status" 0 "$?"
    cd "$tmp" || exit 1
    held hugo "$tmp/hugo.pb.gz" "$tmp/hugo.own"
fi

if command -v prometheus >/dev/null && command -v curl >/dev/null; then
    port=$((20000 + $$ % 20000))
    cat >"$tmp/prometheus.yml" <<END
global: {scrape_interval: 1s}
scrape_configs: [{job_name: p, static_configs: [{targets: ["127.0.0.1:$port"]}]}]
END
    prometheus --config.file="$tmp/prometheus.yml" --storage.tsdb.path="$tmp/data" \
        --web.listen-address=127.0.0.1:$port >"$tmp/prometheus.log" 2>&1 &
    target=$!
    at=http://127.0.0.1:$port
    for _ in $(seq 100); do
        curl -s -o "$tmp/metrics" "$at/-/ready" && break
        sleep 0.2
    done
    (for _ in $(seq 5000); do
        curl -s -G -o /dev/null --data-urlencode 'match[]={__name__=~".+"}' "$at/federate" \
            --next -s -o /dev/null "$at/metrics" || break
    done) &
    load=$!
    curl -s -o "$tmp/prometheus.own" "$at/debug/pprof/profile?seconds=12" &
    own=$!
    "$strobe" record -F 100 -d 12 -o "$tmp/prometheus.pb.gz" -p $target 2>"$tmp/strobe.err"
    same "prometheus: exit status" 0 "$?"
    wait $own
    kill $target $load
    wait $target $load 2>/dev/null
    held prometheus "$tmp/prometheus.pb.gz" "$tmp/prometheus.own"
fi
[ $tried -gt 0 ] || skip "neither hugo nor prometheus is installed"
finish
