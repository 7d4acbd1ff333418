#!/bin/sh
# SPDX-License-Identifier: MIT
# `strobe record -e wall`: all threads' time, running or waiting, of real programs, alone and beside
# other kinds; exit statuses and output stay, however a program ends.
. "$(dirname "$0")/lib.sh"
gcc -O1 -g -pthread -o "$tmp/wall" "$here/../programs/wall.c" || exit 1

total()
{
    "$strobe" folded -sample_index="$2" "$1" | awk '{ s += $NF } END { printf "%.3f\n", s / 1e9 }'
}
has()
{
    check "$1" sh -c '"$1" folded "$2" | grep -q "$3"' - "$strobe" "$2" "$3"
}

# One thread: its wall time is that of the recording, but for the ends.
one()
{
    "$strobe" record -q -e wall -o "$tmp/one.pb.gz" -- "$@"
    got=$(total "$tmp/one.pb.gz" wall)
    took=$("$strobe" top "$tmp/one.pb.gz" 2>&1 |
        sed -n 's/^Duration: \([0-9.]*\)\(m*s\).*/\1 \2/p' |
        awk '{ print $2 == "ms" ? $1 / 1000 : $1 }')
    echo "$got s of $took"
    awk -v a="$got" -v b="$took" 'BEGIN { exit !(a < b + 0.03 && a > b * 0.93 - 0.05) }'
}
by_chance "one thread that waits" one perl -e 'select(undef, undef, undef, 0.7)'
by_chance "one that runs" one perl -e '1 for 1 .. 15000000'
by_chance "one that a signal kills" one perl -e 'select(undef, undef, undef, 0.5); kill 9, $$'

"$strobe" record -q -e cpu,wall,heap,threads -o "$tmp/k.%k.pb.gz" -- "$tmp/wall" truth >"$tmp/out"
same "several kinds: status" 0 $?
same "several kinds: output" 4 "$(grep -c . "$tmp/out")"
for name in sleep_here sleep_there burn lock_here; do
    has "wall has $name" "$tmp/k.wall.pb.gz" $name
done
has "cpu beside it has burn" "$tmp/k.cpu.pb.gz" burn
for kind in heap threads; do
    check "$kind" "$strobe" raw "$tmp/k.$kind.pb.gz"
done

status_of()
{
    "$strobe" record -q -e wall -o "$tmp/s.pb.gz" -- "$@" 2>/dev/null
    echo $?
}
same "exit" 3 "$(status_of sh -c 'exit 3')"
same "a signal" 143 "$(status_of sh -c 'kill -TERM $$')"
same "exec" 4 "$(status_of sh -c 'exec sh -c "sleep 0.2; exit 4"')"
has "exec: the image after" "$tmp/s.pb.gz" "wait"
same "a command that is not there, then another" 0 "$(status_of sh -c 'nosuchcommand; sleep 0.2')"
same "children" 0 \
    "$(status_of sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.0$i) & done; wait')"
"$strobe" tags "$tmp/s.pb.gz" >"$tmp/tags"
check "children have labels" grep -q ' pid: Total' "$tmp/tags"

# ---- real programs ----

if command -v python3 >/dev/null; then
    cat >"$tmp/p.py" <<'PY'
import threading, time
t = threading.Thread(target=time.sleep, args=(0.5,))
t.start()
print(sum(i * i for i in range(500000)))
t.join()
PY
    python3 "$tmp/p.py" >"$tmp/plain"
    "$strobe" record -q -e wall -o "$tmp/p.pb.gz" -- python3 "$tmp/p.py" >"$tmp/out"
    check "python3: output" cmp "$tmp/plain" "$tmp/out"
    has "python3: it sleeps" "$tmp/p.pb.gz" nanosleep
fi
if command -v sqlite3 >/dev/null; then
    sql="create table t(x); insert into t select value from generate_series(1,200000);
        select sum(x) from t;"
    sqlite3 :memory: "$sql" >"$tmp/plain" 2>&1
    "$strobe" record -q -e wall,cpu -o "$tmp/q.%k.pb.gz" -- sqlite3 :memory: "$sql" >"$tmp/out" 2>&1
    check "sqlite3: output" cmp "$tmp/plain" "$tmp/out"
    check "sqlite3: a profile" "$strobe" top "$tmp/q.wall.pb.gz"
fi
if command -v zstd >/dev/null; then
    head -c 20000000 /dev/urandom >"$tmp/data"
    "$strobe" record -q -e wall -o "$tmp/z.pb.gz" -- zstd -T2 -q -f "$tmp/data" -o "$tmp/data.zst"
    same "zstd: status" 0 $?
    check "zstd: output" sh -c 'zstd -dqc "$1.zst" | cmp - "$1"' - "$tmp/data"
    has "zstd: its workers wait for work" "$tmp/z.pb.gz" cond_wait
fi
"$strobe" record -q -e wall -p $$ -d 1 2>"$tmp/err"
same "of processes that run there is none: status" 2 $?
check "and it says so" grep -q 'only the CPU profile' "$tmp/err"
finish
