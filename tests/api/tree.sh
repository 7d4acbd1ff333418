#!/bin/sh
# SPDX-License-Identifier: MIT
# STROBE_HTTP in a server that forks: its endpoint answers for the whole tree, by the label `pid`;
# the children get no thread, and may die at any moment.
. "$(dirname "$0")/../record/lib.sh"
command -v curl >/dev/null || skip "curl is not installed"
library=$build/libstrobe.so

# serve CMD…: starts it under the library at a free port; its process is $server.
serve()
{
    for _ in 1 2 3 4 5; do
        at=127.0.0.1:$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))
        LD_PRELOAD=$library STROBE_HTTP=$at "$@" >"$tmp/out" 2>"$tmp/err" &
        server=$!
        for _ in $(seq 30); do
            curl -s -o /dev/null "http://$at/debug/pprof/" && return
            sleep 0.1
        done
        kill $server
    done
    bad "$1 serves: $(cat "$tmp/err")"
    finish
}

# profile FILE QUERY
profile()
{
    code=$(curl -s -m 30 -o "$1" -w '%{http_code}' "http://$at/debug/pprof/profile?$2")
}

# ms_of PID FILE: CPU time under its label.
ms_of()
{
    "$strobe" top -unit=ms -tagfocus="pid=^$1\$" "$2" 2>/dev/null |
        sed -n 's/.*accounting for \([0-9]*\)ms.*/\1/p' | grep . || echo 0
}

# ticks PID: its CPU time in clock ticks.
ticks()
{
    awk '{ print $14 + $15 }' "/proc/$1/stat"
}

serve sh -c 'burn() { while :; do i=0; while [ $i -lt 2000 ]; do i=$((i + 1)); done; done; }
    burn & a=$!
    burn & b=$!
    echo $a; echo $b
    trap "kill $a $b 2>/dev/null; exit 3" TERM
    while :; do wait; sleep 0.1; done'
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ "$(wc -l <"$tmp/out")" = 2 ] && break
    sleep 0.2
done
first=$(sed -n 1p "$tmp/out") second=$(sed -n 2p "$tmp/out")
before=$(ticks "$first")
profile "$tmp/all.gz" seconds=3
after=$(ticks "$first")
same "the tree's profile" 200 "$code"
truth=$(((after - before) * 1000 / $(getconf CLK_TCK)))
got=$(ms_of "$first" "$tmp/all.gz")
# The two looks at its clock lie around the profile, by what starting curl takes.
check "a child has its CPU time: $got of $truth ms" [ "$got" -gt $((truth / 2 - 50)) ]
check "and not more" [ "$got" -lt $((truth * 11 / 10 + 50)) ]
check "so has the other" [ "$(ms_of "$second" "$tmp/all.gz")" -gt 0 ]
check "by function" sh -c '"$1" folded "$2" | grep -q ";"' - "$strobe" "$tmp/all.gz"
same "a child stays single-threaded" 1 "$(ls "/proc/$first/task" | wc -l)"

profile "$tmp/one.gz" "seconds=1&pid=$second"
same "?pid=N: answered" 200 "$code"
same "?pid=N: only that process" "$second" "$("$strobe" tags "$tmp/one.gz" 2>/dev/null |
    awk 'NR > 1 && NF { print $NF }' | sort -u | tr '\n' ' ' | sed 's/ $//')"
profile "$tmp/none.gz" "seconds=1&pid=1"
same "?pid=N: no such process" 404 "$code"

# A child dies while it is profiled: what it did until then is there.
(sleep 1; kill -9 "$first") &
profile "$tmp/dead.gz" seconds=2
same "a child is killed meanwhile" 200 "$code"
check "and what it did is there" [ "$(ms_of "$first" "$tmp/dead.gz")" -gt 0 ]
kill $server
wait $server
same "the server's own end" 3 $?

# Slots are taken again: more children than there are, one after the other.
serve sh -c 'i=0; while [ $i -lt 300 ]; do (:); i=$((i + 1)); done; echo done
    (while :; do :; done) & a=$!; echo $a; trap "kill $a; exit 0" TERM; wait'
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ "$(wc -l <"$tmp/out")" = 2 ] && break
    sleep 0.3
done
last=$(sed -n 2p "$tmp/out")
profile "$tmp/last.gz" seconds=2
check "after 300 children the next is seen" [ "$(ms_of "$last" "$tmp/last.gz")" -gt 0 ]
kill $server
wait $server 2>/dev/null

# Every kind, of all processes, by the label pid; one of them by ?pid=.
forks=$build/tests/api/forks
STROBE_HEAP_RATE=1 STROBE_MUTEX_FRACTION=1 STROBE_BLOCK_RATE=1
export STROBE_HEAP_RATE STROBE_MUTEX_FRACTION STROBE_BLOCK_RATE
serve "$forks" 2
first=$(sed -n 1p "$tmp/out") second=$(sed -n 2p "$tmp/out")

# get FILE QUERY
get()
{
    code=$(curl -s -m 30 -o "$1" -w '%{http_code}' "http://$at/debug/pprof/$2")
}

# value KIND TYPE PID FUNCTION: what its stacks with that function in them have, as raw prints it.
value()
{
    "$strobe" top -cum -unit=b "-sample_index=$2" "-tagfocus=pid=^$3\$" \
        "$tmp/$1.gz" 2>/dev/null | awk -v f="$4" '$NF == f { sub("[bB]$", "", $4); print $4; exit }'
}

# until KIND TYPE PID FUNCTION WANT: asks again until it is so, for ten seconds.
until_is()
{
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        get "$tmp/$1.gz" "$1"
        [ "$(value "$1" "$2" "$3" "$4")" = "$5" ] && break
        sleep 0.5
    done
    same "$1: $4 of a child" "$5" "$(value "$1" "$2" "$3" "$4")"
}

until_is heap inuse_space "$second" allocate_known 2000000
same "heap: of the other" 1000000 "$(value heap inuse_space "$first" allocate_known)"
until_is allocs alloc_objects "$first" allocate_known 100
until_is threadcreate threadcreate "$first" child 3
until_is goroutine goroutine "$second" contend 2
until_is goroutine goroutine "$first" compute 1
for kind in block mutex; do
    get "$tmp/$kind.gz" "$kind?seconds=1"
    same "$kind over a second: answered" 200 "$code"
    for pid in $first $second; do
        "$strobe" folded "-tagfocus=pid=^$pid\$" "$tmp/$kind.gz" >"$tmp/folded" 2>/dev/null
        check "$kind: a child's waits" grep -q contend "$tmp/folded"
    done
done
for kind in heap allocs block mutex goroutine threadcreate; do
    get "$tmp/one" "$kind?pid=$second"
    same "$kind?pid=N: answered" 200 "$code"
    same "$kind?pid=N: only that one" "$second" "$("$strobe" traces "$tmp/one" 2>/dev/null |
        sed -n 's/^ *pid: *//p' | sort -u | tr '\n' ' ' | sed 's/ $//')"
    get "$tmp/none" "$kind?pid=1"
    same "$kind?pid=N: no such process" 404 "$code"
    get "$tmp/text" "$kind?debug=1"
    check "$kind?debug=1 has the children" grep -q "pid[\": ]*$first" "$tmp/text"
done
get "$tmp/text" "goroutine?debug=2"
check "debug=2: the children's threads" grep -q "^goroutine $first .*pid: \"$first\"" "$tmp/text"

# A process that is stopped, and one that was killed and is not waited for: neither keeps anyone
# waiting.
kill -STOP "$first"
get "$tmp/goroutine.gz" "goroutine"
same "a stopped process: answered" 200 "$code"
# One of its two may have been stopped between two waits.
check "and it has its threads" [ "$(value goroutine goroutine "$first" contend)" -ge 1 ]
kill -CONT "$first"
kill -STOP $server # it waits for its children: one that dies is left as it is
kill -9 "$second"
kill -CONT $server
get "$tmp/heap.gz" heap
check "a process that was killed is not in the heap" \
    [ -z "$(value heap inuse_space "$second" allocate_known)" ]
kill "$first"
wait $server
unset STROBE_HEAP_RATE STROBE_MUTEX_FRACTION STROBE_BLOCK_RATE

# What goes to the background is served by what is left of it, at the same address.
daemons=$build/tests/api/daemons
ask() { curl -s -m 5 $unix "http://$at/debug/$1"; }
for how in once twice libc exec; do
    for kind in tcp unix; do
        at=127.0.0.1:$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 20000)) unix=
        address=$at
        [ $kind = unix ] && address=unix:$tmp/socket unix="--unix-socket $tmp/socket"
        rm -f "$tmp/pid"
        LD_PRELOAD=$library STROBE_HEAP_RATE=1 STROBE_HTTP=$address "$daemons" $how "$tmp/pid"
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            [ -s "$tmp/pid" ] && ask strobe >"$tmp/state" && break
            sleep 0.2
        done
        left=$(cat "$tmp/pid")
        same "$how, $kind: who is left serves" "$left" \
            "$(sed -n 's/^"pid": \([0-9]*\),/\1/p' "$tmp/state")"
        ask pprof/heap >"$tmp/heap.gz"
        same "$how, $kind: its heap" 5000000B "$("$strobe" top -unit=b -sample_index=inuse_space \
            "$tmp/heap.gz" 2>/dev/null | awk '$NF == "keep_known" { print $1 }')"
        kill "$left"
    done
done

# A child that has become another program is in the tree.
unix=
rm -f "$tmp/pid"
STROBE_HEAP_RATE=1
export STROBE_HEAP_RATE
serve "$daemons" child "$tmp/pid"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s "$tmp/pid" ] && break
    sleep 0.2
done
child=$(cat "$tmp/pid")
until_is heap inuse_space "$child" keep_known 5000000
until_is goroutine goroutine "$child" serve 1
same "an exec'ed child stays single-threaded" 1 "$(ls "/proc/$child/task" | wc -l)"
kill "$child"
wait $server
unset STROBE_HEAP_RATE

nginx=$(command -v nginx || echo /usr/sbin/nginx)
if [ -x "$nginx" ]; then
    port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 20000))
    cat >"$tmp/nginx.conf" <<END_CONF
daemon off; worker_processes 2; pid $tmp/nginx.pid; error_log $tmp/nginx.err;
events { worker_connections 100; }
http { access_log off; client_body_temp_path $tmp/n1; proxy_temp_path $tmp/n2;
    fastcgi_temp_path $tmp/n3; uwsgi_temp_path $tmp/n4; scgi_temp_path $tmp/n5;
    server { listen 127.0.0.1:$port; location / { return 200 "hello\n"; } } }
END_CONF
    serve "$nginx" -c "$tmp/nginx.conf"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(curl -s "http://127.0.0.1:$port/")" = hello ] && break
        sleep 0.2
    done
    (
        i=0
        while [ $i -lt 40 ] && kill -0 $server 2>/dev/null; do
            curl -s -o /dev/null "http://127.0.0.1:$port/[1-500]"
            i=$((i + 1))
        done
    ) &
    load=$!
    profile "$tmp/nginx.gz" seconds=3
    kill $load 2>/dev/null
    "$strobe" tags "$tmp/nginx.gz" >"$tmp/tags" 2>/dev/null
    check "nginx: its workers' work is there" sh -c '"$1" folded "$2" | grep -q ngx_' - \
        "$strobe" "$tmp/nginx.gz"
    check "nginx: by pid" grep -q " pid: Total" "$tmp/tags"
    kill -QUIT $server
    wait $server
    same "nginx: ends as ever" 0 $?

    # In the background, as most run it; its workers change their user, which all threads take part
    # in.
    sed -i 's/^daemon off/daemon on/' "$tmp/nginx.conf"
    LD_PRELOAD=$library STROBE=all STROBE_HTTP=$at timeout 20 "$nginx" -c "$tmp/nginx.conf"
    same "nginx, daemon on: starts" 0 $?
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        [ "$(curl -s -m 5 "http://127.0.0.1:$port/")" = hello ] &&
            [ "$(ask pprof/goroutine?debug=2 | grep -o 'pid: "[0-9]*"' | sort -u | wc -l)" = 3 ] &&
            break
        sleep 0.3
    done
    same "nginx, daemon on: answers" hello "$(curl -s -m 5 "http://127.0.0.1:$port/")"
    same "nginx, daemon on: its three processes" 3 \
        "$(ask pprof/goroutine?debug=2 | grep -o 'pid: "[0-9]*"' | sort -u | wc -l)"
    master=$(cat "$tmp/nginx.pid")
    kill -QUIT "$master"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 "$master" 2>/dev/null || break
        sleep 0.3
    done
    check "nginx, daemon on: ends" sh -c "! kill -0 $master 2>/dev/null"
else
    echo "skipped: nginx is not installed"
fi
finish
