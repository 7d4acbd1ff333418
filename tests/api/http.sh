#!/bin/sh
# SPDX-License-Identifier: MIT
# STROBE_HTTP in a program that knows nothing of it: the paths, headers, status codes and texts of
# Go's net/http/pprof, live CPU profiles, and clients that do not behave.
. "$(dirname "$0")/../record/lib.sh"
tests=$(cd "$(dirname "$0")" && pwd)
command -v curl >/dev/null || skip "curl is not installed"
library=$build/libstrobe.so

# A program with work to do that goes on until it is told to end; on a free port, or a socket.
start()
{
    for _ in 1 2 3 4 5; do
        port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))
        address=${1:-127.0.0.1:$port}
        reach=http://$address
        [ -z "${1:-}" ] || reach="--unix-socket ${1#unix:} http://socket"
        LD_PRELOAD=$library STROBE_HTTP=$address sh -c '
            trap "exit 3" TERM
            while :; do i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; done' \
            >/dev/null 2>"$tmp/err" &
        program=$!
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            # shellcheck disable=SC2086 # a socket's option and its file
            curl -s -o /dev/null $reach/debug/pprof/ && return 0
            sleep 0.1
        done
        kill $program
        wait $program 2>/dev/null
    done
    bad "the program serves: $(cat "$tmp/err")"
    finish
}

# get PATH [OPTION…]: the answer's head and body are in $tmp/head and $tmp/body; $code.
get()
{
    path=$1
    shift
    code=$(curl -s -D "$tmp/head" -o "$tmp/body" -w '%{http_code}' "$@" "http://$address$path")
    tr -d '\r' <"$tmp/head" >"$tmp/headers"
}
header()
{
    check "$path: header $1" grep -qix "$1" "$tmp/headers"
}

start
get /debug/pprof/
same "the index" 200 "$code"
header "Content-Type: text/html; charset=utf-8"
header "X-Content-Type-Options: nosniff"
for name in $(sed -n "s/.*<a href='\([^'?]*\).*/\1/p" "$tmp/body" |
    grep -Ev '^(profile|trace)$'); do
    get "/debug/pprof/$name"
    same "what the index links: $name" 200 "$code"
done
get /debug/pprof
same "without its slash" 307 "$code"
header "Location: /debug/pprof/"
get /debug/pprof/cmdline
same "the command line" "sh -c" "$(tr '\0' ' ' <"$tmp/body" | head -1 | cut -c1-5)"
get /debug/vars
same "expvar" 200 "$code"
header "Content-Type: application/json; charset=utf-8"
if command -v python3 >/dev/null; then
    check "expvar is JSON, with the command line and memory" python3 -c '
import json, sys
v = json.load(open(sys.argv[1]))
assert v["cmdline"][0] == "sh" and v["memstats"]["HeapAlloc"] > 0, v' "$tmp/body"
    get /debug/strobe
    check "so is what libstrobe says of itself" python3 -c '
import json, sys
v = json.load(open(sys.argv[1]))
assert v["threads"] == 1 and v["heap"]["rate_bytes"] == 524288 and v["cpu"] is None, v' "$tmp/body"
fi
get /debug/pprof/nosuch
same "no such profile" "404 Unknown profile" "$code $(cat "$tmp/body")"
header "X-Go-Pprof: 1"
get /debug/pprof/trace
same "no execution trace yet: it says so" "501 Could not enable tracing" \
    "$code $(cut -c1-24 "$tmp/body")"
header "X-Go-Pprof: 1"
get /other
same "another path" 404 "$code"
get /debug/pprof/profile -X POST
same "a POST" 405 "$code"
same "HEAD" "200 0" "$(curl -sI -o /dev/null -w '%{http_code} %{size_download}' \
    "http://$address/debug/pprof/cmdline")"

# A live profile, while another is refused; then the next one is taken.
curl -s -o "$tmp/cpu.pb.gz" "http://$address/debug/pprof/profile?seconds=2" &
first=$!
sleep 0.7
get "/debug/pprof/profile?seconds=1"
same "a second profile at once" 500 "$code"
check "which says why" grep -q "Could not enable CPU profiling: cpu profiling already in use" \
    "$tmp/body"
wait $first
"$strobe" top "$tmp/cpu.pb.gz" >"$tmp/top" 2>&1
check "the profile" grep -q "^Type: cpu" "$tmp/top"
ms=$("$strobe" top -unit=ms "$tmp/cpu.pb.gz" | sed -n 's/.*Total samples = \([0-9]*\).*ms.*/\1/p')
check "has work of these two seconds in it" [ "${ms:-0}" -gt 100 ] # others work here too
check "and not more" [ "${ms:-0}" -lt 2500 ]
get "/debug/pprof/profile?seconds=1"
same "the next profile" 200 "$code"
header "Content-Type: application/octet-stream"
header 'Content-Disposition: attachment; filename="profile"'

# A client that goes away while it waits lets the next one have its turn.
timeout 0.5 curl -s -o /dev/null "http://$address/debug/pprof/profile?seconds=30"
sleep 0.3
get "/debug/pprof/profile?seconds=1"
same "after a client has gone" 200 "$code"

# Names of addresses.
text=$(awk '$2 ~ /x/ && /sh$/ { print substr($1, 1, index($1, "-") - 1); exit }' \
    "/proc/$program/maps")
get "/debug/pprof/symbol"
same "symbols are there" "num_symbols: 1" "$(cat "$tmp/body")"
get /debug/pprof/symbol -d "0x$text+0x1"
same "symbols by POST" 200 "$code"

# Silent clients take no place for ever, nobody's second request is lost, a head without end ends.
if command -v python3 >/dev/null; then
    python3 - "$address" <<'END' || bad "clients that do not behave"
import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
def connect():
    s = socket.create_connection((host, int(port)))
    s.settimeout(10)
    return s
silent = [connect() for _ in range(10)]
s = connect()
s.sendall(b"GET /debug/pprof/cmdline HTTP/1.1\r\n\r\n" * 2)
got = b""
while got.count(b"HTTP/1.1 200 OK") < 2:
    part = s.recv(65536)
    assert part, got
    got += part
s = connect()
s.sendall(b"GET /" + b"a" * 20000)
assert s.recv(100).startswith(b"HTTP/1.1 413"), "413"
s = connect()
for byte in b"GET /debug/pprof/cmdline HTTP/1.0\r\n\r\n":
    s.sendall(bytes([byte]))
assert s.recv(100).startswith(b"HTTP/1.1 200")
many = [connect() for _ in range(100)]
for s in silent + many:
    s.close()
END
    check "clients that mean harm" timeout 200 python3 "$tests/http_hostile.py" "$address" $program
fi
kill $program
wait $program
same "the program's own end" 3 $?

# A socket of the file system, its user's alone, and taken over from a process that is gone.
start "unix:$tmp/socket"
same "the socket's mode" 600 "$(stat -c %a "$tmp/socket")"
get /debug/pprof/ --unix-socket "$tmp/socket"
kill -9 $program
wait $program 2>/dev/null
start "unix:$tmp/socket"
code=$(curl -s -o /dev/null -w '%{http_code}' --unix-socket "$tmp/socket" http://x/debug/pprof/)
same "by a socket" 200 "$code"
kill $program
wait $program

# A child inherits the address: its parent answers there, and the child says nothing of it.
cat >"$tmp/parent.sh" <<'END'
/bin/true
sh -c '/bin/true; echo child' && echo parent
END
said=$(LD_PRELOAD=$library STROBE_HTTP=unix:$tmp/family sh "$tmp/parent.sh" 2>&1 | tr '\n' ' ')
same "children with the same address" "child parent " "$said"

# An address that is none is told of, and the program runs.
LD_PRELOAD=$library STROBE_HTTP=nowhere:1:2 sh -c 'exit 4' 2>"$tmp/err"
same "a wrong address: status" 4 $?
check "a wrong address is told of" grep -q "is not served" "$tmp/err"
finish
