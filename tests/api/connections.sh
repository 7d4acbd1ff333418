#!/bin/sh
# SPDX-License-Identifier: MIT
# A server with a thousand connections, a thread each: its threads as pprof shows goroutines, again
# and again while it works, without a call of it that is interrupted; what has come and gone in some
# seconds; and for how many minutes threads wait.
. "$(dirname "$0")/../record/lib.sh"
command -v curl >/dev/null || skip "curl is not installed"

# One thread that waits for as long as the rest of this script takes, and a minute at least.
mkfifo "$tmp/idle"
LD_PRELOAD=$build/libstrobe.so STROBE_HTTP=unix:$tmp/idle.socket "$programs/connections" 3 \
    <"$tmp/idle" >"$tmp/idle.out" &
idle=$!
exec 4>"$tmp/idle"
while ! grep -q ready "$tmp/idle.out"; do sleep 0.1; done
waits_since=$(date +%s)

mkfifo "$tmp/in"
: >"$tmp/out"
LD_PRELOAD=$build/libstrobe.so STROBE_HTTP=unix:$tmp/socket "$programs/connections" 1000 \
    <"$tmp/in" >"$tmp/out" &
server=$!
exec 3>"$tmp/in"
while ! grep -q ready "$tmp/out"; do sleep 0.1; done
sleep 0.5
samples()
{
    "$strobe" raw "$1" | sed -n '/^Samples:/,/^Locations/p' | grep -c ':.*1'
}
get()
{
    curl -s --unix-socket "$tmp/socket" "http://x/debug/pprof/$1" -o "$2" -w '%{http_code}'
}

get goroutine "$tmp/g.pb.gz" >/dev/null
"$strobe" top "$tmp/g.pb.gz" >"$tmp/top" 2>&1
"$strobe" top -lines "$tmp/g.pb.gz" >"$tmp/lines" 2>&1
check "with lines, where its binary is" grep -q ' .*/connections\.c:[1-9]' "$tmp/lines"
check "the total is theirs, main's and the one that accepts" grep -q '1002 total' "$tmp/top"
check "the first line is the wait" sh -c "
    sed -n '/flat%/{n;p}' '$tmp/top' | grep -Eq '^ *1000 99.80% 99.80% +1000 99.80% .*poll'"
check "the handler has them all" grep -Eq \
    '^ *0 +0% +[0-9.]+% +1000 99.80%  handle_connection' "$tmp/top"
if command -v pprof >/dev/null; then
    pprof -top "$tmp/g.pb.gz" 2>/dev/null | sed -n '/flat%/,$p' >"$tmp/oracle"
    "$strobe" pprof -top "$tmp/g.pb.gz" 2>/dev/null | sed -n '/flat%/,$p' >"$tmp/ours"
    check "pprof shows the same" cmp "$tmp/oracle" "$tmp/ours"
fi

# It goes on working while it is looked at.
for _ in 1 2 3 4 5 6 7 8 9 10; do echo; done >&3 &
asks=$!
for i in 1 2 3 4 5 6; do
    ms=$(curl -s --unix-socket "$tmp/socket" -o "$tmp/two" -w '%{time_total}' \
        'http://x/debug/pprof/goroutine?debug=2')
    same "look $i: a block for each thread (${ms} s)" 1002 \
        "$(grep -c '^goroutine [0-9]* \[' "$tmp/two")"
done
wait $asks
while [ "$(grep -c asked "$tmp/out")" -lt 10 ]; do sleep 0.1; done
same "no stack is cut" 0 "$(grep -c 'not found' "$tmp/two")"

# Differences.
same "seconds with debug" 400 "$(get 'goroutine?seconds=1&debug=1' "$tmp/body")"
same "seconds that are none" 400 "$(get 'goroutine?seconds=x' "$tmp/body")"
sleep 0.5
same "seconds" 200 "$(get 'goroutine?seconds=1' "$tmp/d.pb.gz")"
same "nothing has come or gone" 0 "$(samples "$tmp/d.pb.gz")"
same "of who made threads" 200 "$(get 'threadcreate?seconds=1' "$tmp/d.pb.gz")"
same "nobody did" 0 "$(samples "$tmp/d.pb.gz")"
exec 3>&-
wait $server
same "no call was interrupted" "0 interrupted, 0 wrong, 11000 answered" "$(tail -1 "$tmp/out")"

# Threads that come and go.
cat >"$tmp/come.c" <<'END'
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void *stay(void *arg) { for (;;) pause(); return arg; }
static void *leave(void *arg) { sleep(2); return arg; }
int main(void)
{
    pthread_t t;
    for (int i = 0; i < 3; i++) pthread_create(&t, NULL, leave, NULL);
    puts("ready"); fflush(stdout);
    sleep(2);
    for (int i = 0; i < 5; i++) pthread_create(&t, NULL, stay, NULL);
    return getchar() == 0;
}
END
gcc -O1 -g -pthread -o "$tmp/come" "$tmp/come.c"
mkfifo "$tmp/come.in"
: >"$tmp/out"
LD_PRELOAD=$build/libstrobe.so STROBE_HTTP=unix:$tmp/come.socket "$tmp/come" <"$tmp/come.in" \
    >"$tmp/out" &
exec 3>"$tmp/come.in"
while ! grep -q ready "$tmp/out"; do sleep 0.1; done
sleep 0.5
curl -s --unix-socket "$tmp/come.socket" 'http://x/debug/pprof/goroutine?seconds=4' \
    -o "$tmp/d.pb.gz" -D "$tmp/head" &
delta=$!
curl -s --unix-socket "$tmp/come.socket" 'http://x/debug/pprof/threadcreate?seconds=4' \
    -o "$tmp/c.pb.gz"
wait $delta
check "the file's name" grep -q 'filename="goroutine-delta"' "$tmp/head"
"$strobe" top -cum "$tmp/d.pb.gz" >"$tmp/top" 2>&1
check "five have come" grep -Eq '^ .* 5 .* stay$' "$tmp/top"
check "three have gone" grep -Eq '^ .* -3 .* leave$' "$tmp/top"
"$strobe" top -cum "$tmp/c.pb.gz" >"$tmp/top" 2>&1
check "five were made" grep -q '5 total' "$tmp/top"
exec 3>&-
wait $!

# Minutes, which are counted from when the scheduler last ran a thread: the clocks of two processors
# may be seconds apart.
left=$((waits_since + 64 - $(date +%s)))
[ $left -le 0 ] || sleep $left
for _ in 1 2 3 4 5 6 7 8; do
    curl -s --unix-socket "$tmp/idle.socket" 'http://x/debug/pprof/goroutine?debug=2' -o "$tmp/two"
    seconds=$(($(date +%s) - waits_since))
    ! grep -q '\[poll, [1-9][0-9]* minutes\]' "$tmp/two" || break
    sleep 5
done
exec 4>&-
wait $idle
if grep -q exec_start /proc/self/sched 2>/dev/null; then
    same "handlers wait" 3 \
        "$(grep -Ec '^goroutine [0-9]* \[poll(, [0-9]+ minutes)?\]' "$tmp/two")"
    check "for $seconds s" grep -q '\[poll, [1-9][0-9]* minutes\]' "$tmp/two"
else
    echo "the kernel does not say when a thread ran last: no minutes"
fi
finish
