#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sources on servers: what is asked of them, what is said on the way, where copies go, and what is
# said when it goes wrong. The texts are those of google/pprof.
#
# usage: fetch.sh STROBE SERVER.PY PROFILE
set -u
strobe=${1:?usage: fetch.sh STROBE SERVER.PY PROFILE} server=$2 profile=$3
command -v python3 >/dev/null || { echo "no python3: skipped"; exit 77; }
scratch=$(mktemp -d)
python3 "$server" "$profile" >"$scratch/log" 2>"$scratch/server.err" &
pid=$!
trap 'kill $pid 2>/dev/null; rm -rf "$scratch"' EXIT
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY PPROF_BINARY_PATH PPROF_TOOLS
export HOME="$scratch/home" PPROF_TMPDIR="$scratch/saved" TZ=UTC NO_COLOR=1
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s "$scratch/log" ] && break
    sleep 0.25
done
port=$(head -1 "$scratch/log")
[ -n "$port" ] || { echo "the server did not start: $(cat "$scratch/server.err")"; exit 1; }
at=127.0.0.1:$port
bad=0

run() # ARGUMENTS…: prints to out and err, ends in $status
{
    "$strobe" pprof "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    status=$?
}

expect() # WHAT STATUS FILE LINE: the file has the line
{
    if [ "$status" != "$2" ]; then
        echo "$1: status $status, expected $2"
        bad=$((bad + 1))
    elif ! grep -qxF -- "$4" "$scratch/$3"; then
        printf '%s: no line "%s" in\n%s\n' "$1" "$4" "$(head -20 "$scratch/$3")"
        bad=$((bad + 1))
    fi
}

"$strobe" pprof -top "$profile" >"$scratch/want" 2>/dev/null
run -top "$at/debug/pprof/heap"
expect 'an address without http:// is one' 0 err \
    "Fetching profile over HTTP from http://$at/debug/pprof/heap"
expect 'a copy is kept' 0 err \
    "Saved profile in $scratch/saved/$(ls "$scratch/saved" | head -1)"
cmp -s "$scratch/want" "$scratch/out" || { echo 'a fetched profile prints differently'; bad=1; }
ls "$scratch/saved" | grep -q '^pprof\..*\.001\.pb\.gz$' ||
    { echo "unexpected name of the copy: $(ls "$scratch/saved")"; bad=$((bad + 1)); }
"$strobe" pprof -top "$scratch"/saved/*.001.pb.gz >"$scratch/got" 2>/dev/null
cmp -s "$scratch/want" "$scratch/got" || { echo 'the copy is another profile'; bad=$((bad + 1)); }

run -top -seconds=3 "http://$at/query?b=x%20y&a"
expect 'the duration is said' 0 err 'Please wait... (3s)'
grep -qxF 'query a=&b=x+y&seconds=3' "$scratch/log" ||
    { echo "the query is not as Go writes it: $(cat "$scratch/log")"; bad=$((bad + 1)); }

run -top "http://$at/moved"
expect 'redirections are followed' 0 out "$(tail -1 "$scratch/want")"

run -top "$at/nothing"
expect 'the status is told' 2 err "$at/nothing: server response: 404 Not Found"
expect 'nothing could be read' 2 err 'pprof: failed to fetch any source profiles'
run -top "$at/busy"
expect "the server's reason is told" 2 err \
    "$at/busy: server response: 500 Internal Server Error - already in use"
run -top "$at/cut"
expect 'half a profile is none' 2 err "$at/cut: unexpected EOF"
run -top 127.0.0.1:1/x
expect 'nobody listens' 2 err "127.0.0.1:1/x: http fetch: Get \"http://127.0.0.1:1/x\": dial tcp \
127.0.0.1:1: connect: connection refused"
run -top -tls_key=x "$at/debug/pprof/heap"
expect 'a key needs a certificate' 2 err "$at/debug/pprof/heap: http fetch: Get \
\"http://$at/debug/pprof/heap\": -tls_key is specified, so -tls_cert must also be specified"

run -top "$at/nothing" "$at/debug/pprof/heap"
expect 'what can be read is' 0 err 'Fetched 1 source profiles out of 2'

run -top "$at/debug/pprof/legacy"
expect 'names come from the server' 0 out \
    '       64B 80.00% 80.00%        64B 80.00%  name_403000'
grep -qxF 'posted /debug/pprof/symbol 0x401000+0x402000+0x403000' "$scratch/log" ||
    { echo 'addresses were not asked for at /debug/pprof/symbol'; bad=$((bad + 1)); }
run -top "$at/other/heap"
grep -q '^posted /other/symbolz ' "$scratch/log" ||
    { echo 'addresses were not asked for at /symbolz'; bad=$((bad + 1)); }
asked=$(grep -c '^posted' "$scratch/log")
run -top -symbolize=local "$at/debug/pprof/legacy"
[ "$asked" = "$(grep -c '^posted' "$scratch/log")" ] ||
    { echo '-symbolize=local asked the server'; bad=$((bad + 1)); }

# Four sources and a base, which the server gives when all five are asked for at the same time.
u=$at/together
run -top "-base=$u" "$u" "$u" "$u" "$u"
[ $status = 0 ] && ! grep -q 'server response' "$scratch/err" ||
    { echo 'sources are fetched one after another'; cat "$scratch/err"; bad=$((bad + 1)); }

echo "$bad wrong"
[ $bad = 0 ]
