#!/bin/sh
# SPDX-License-Identifier: MIT
# The examples that mount /debug/pprof/ in servers of their own: each answers at all of its routes,
# as STROBE_HTTP's server does, and goes on with its own work.
. "$(dirname "$0")/../record/lib.sh"
command -v curl >/dev/null || skip "curl is not installed"

mkfifo "$tmp/in"
exec 9<>"$tmp/in" # libmicrohttpd's example ends with its input

# start NAME: on a free port; its process is $server.
start()
{
    for _ in 1 2 3 4 5; do
        port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))
        "$build/tests/api/$1" $port <&9 >"$tmp/out" 2>"$tmp/err" &
        server=$!
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            grep -q ready "$tmp/out" && return
            sleep 0.1
        done
        kill $server 2>/dev/null
    done
    bad "$1 starts: $(cat "$tmp/err")"
    finish
}

get()
{
    path=$1
    shift
    curl -s -m 20 -D "$tmp/head" -o "$tmp/body" -w '%{http_code}' "$@" \
        "http://127.0.0.1:$port$path"
}

stop()
{
    kill $server
    wait $server 2>/dev/null
}

for name in http_mhd http_sockets random_strings; do
    [ -x "$build/tests/api/$name" ] || { echo "skipped: $name was not built"; continue; }
    start $name
    same "$name: its own page" 200 "$(get /)"
    same "$name: not found" 404 "$(get /nosuch)"
    for path in "" heap allocs goroutine cmdline symbol "heap?debug=1" "goroutine?debug=2"; do
        same "$name: /debug/pprof/$path" 200 "$(get "/debug/pprof/$path")"
    done
    same "$name: HEAD" 200 "$(get /debug/pprof/heap -I)"
    same "$name: trace" 501 "$(get /debug/pprof/trace)"
    same "$name: a body" 200 "$(get /debug/pprof/symbol -d 0x1+0x2)"
    same "$name: what the body asked" "num_symbols: 1" "$(cat "$tmp/body")"
    same "$name: a method that is none" 405 "$(get /debug/pprof/heap -X PUT)"
    same "$name: /debug/vars" 200 "$(get /debug/vars)"
    get "/debug/pprof/profile?seconds=2" >"$tmp/code" &
    waiting=$!
    sleep 0.3
    same "$name: while a profile is taken" 200 \
        "$(curl -s -m 20 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/")"
    wait $waiting
    same "$name: the profile" 200 "$(cat "$tmp/code")"
    check "$name: it is one" "$strobe" top "$tmp/body"
    check "$name: its header" grep -qi 'content-disposition: attachment; filename="profile"' \
        "$tmp/head"
    [ $name = random_strings ] || stop
done

# The small web application under load, profiled through the route that was added to its router.
if [ -x "$build/tests/api/random_strings" ]; then
    get "/debug/pprof/profile?seconds=3" >"$tmp/code" &
    waiting=$!
    if command -v ab >/dev/null; then
        timeout 120 ab -k -c 8 -n 100000 "http://127.0.0.1:$port/" >"$tmp/ab" 2>&1
        check "ab: 100000 requests" grep "^Complete requests: *100000" "$tmp/ab"
        check "ab: none failed" grep "^Failed requests: *0" "$tmp/ab"
    else
        echo "skipped: ab is not installed"
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            get / >/dev/null
        done
    fi
    if command -v hey >/dev/null; then
        timeout 60 hey -m POST -c 8 -n 2000 "http://127.0.0.1:$port/" >"$tmp/hey" 2>&1
        check "hey: 2000 requests" grep "200.*2000 responses" "$tmp/hey"
    else
        echo "skipped: hey is not installed"
    fi
    wait $waiting
    mv "$tmp/body" "$tmp/load.pb.gz"
    if command -v ab >/dev/null; then
        check "the profile under load has its function" sh -c \
            '"$1" folded "$2" | grep -q random_string' - "$strobe" "$tmp/load.pb.gz"
    fi
    get /debug/vars >/dev/null
    check "its counter and span" grep -q '"random string": {"count": [1-9]' "$tmp/body"
    check "its errors" grep -q '"not found": {"count": 1' "$tmp/body"
    stop
fi
finish
