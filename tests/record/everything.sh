#!/bin/sh
# SPDX-License-Identifier: MIT
# Real programs with every kind of profile on (STROBE=all, every allocation): they print what they
# print without, and end as they do. STROBE_FULL=1 gives them more to do.
. "$(dirname "$0")/lib.sh"
library=$build/libstrobe.so
scale=1
[ "${STROBE_FULL:-0}" != 1 ] || scale=20
cd "$tmp" || exit 1

# all CMD…: for `timeout`, and for a shell that becomes it: signals then reach the server itself.
all()
{
    exec env "LD_PRELOAD=$library" STROBE=all STROBE_HEAP_RATE="${rate:-1}" \
        "STROBE_OUT=$tmp/out.%e.%p.%k.pb.gz" "$@"
}

# stop SIGNAL: the server, which gets 30 seconds; its status.
stop()
{
    kill "-$1" "$server"
    (sleep 30; kill -KILL "$server" 2>/dev/null) >/dev/null 2>&1 &
    guard=$!
    wait "$server"
    ended=$?
    kill $guard 2>/dev/null
    return $ended
}

# The profiles are there, can be read, and have samples.
profiles()
{
    name=$1
    for kind in $2; do
        found=0
        for file in "$tmp"/out.*."$kind".pb.gz; do
            [ ! -s "$file" ] || found=$((found + $("$strobe" raw "$file" | grep -c '^ *[0-9]')))
        done
        check "$name: a profile of kind $kind" test "$found" -gt 0
    done
    rm -f "$tmp"/out.*.pb.gz
}

try()
{
    name=$1
    shift
    command -v "$1" >/dev/null || { echo "skipped: $1 is not installed"; return; }
    timeout 600 "$@" >plain 2>plain.err </dev/null
    wanted=$?
    (all timeout 600 "$@") >got 2>got.err </dev/null
    same "$name: status" "$wanted" $?
    check "$name: output" cmp plain got
    check "$name: errors" cmp plain.err got.err
    profiles "$name" heap
}

printf 'int main(void) { return 0; }\n' >m.c
seq 1 $((100000 * scale)) >text
try sqlite3 sqlite3 :memory: \
    "create table t(a, b); with recursive c(x) as (select 1 union all select x + 1 from c where x <
     $((20000 * scale))) insert into t select x, hex(x * 77) from c; create index i on t(b);
     select count(*), sum(length(b)), max(b) from t where b in (select b from t where a % 3 = 0);"
try zstd zstd -T2 -9 -c text
git init -q .
git -c user.name=a -c user.email=a@example.org commit -q --allow-empty -m one
try git git --no-pager log --format=%s
try gcc gcc -O2 -S -o - m.c
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
try "$(basename "$(readlink -f "${python:-python3}")")" "${python:-python3}" -c "
import json, hashlib, threading
out = []
def work(n):
    out.append(hashlib.sha1(json.dumps([{str(k): [k] * 20 for k in range(500)}
        for _ in range(5 * $scale)]).encode()).hexdigest())
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(out))"

# ---- servers ----

wait_for()
{
    i=0
    while ! "$@" >/dev/null 2>&1; do
        i=$((i + 1))
        [ $i -lt 200 ] || return 1
        sleep 0.05
    done
}

redis()
{
    for how in plain all; do
        rm -f redis.sock dump.rdb
        run=exec
        [ $how = plain ] || run=all
        $run redis-server --port 0 --unixsocket "$tmp/redis.sock" --io-threads 4 --save '' \
            --io-threads-do-reads yes --dir "$tmp" >redis.log 2>&1 &
        server=$!
        wait_for redis-cli -s redis.sock ping || { bad "redis ($how) does not start"; return; }
        redis-benchmark -s redis.sock -q -n $((5000 * scale)) -c 20 -P 8 -t set,get,lpush,sadd \
            >/dev/null 2>&1
        redis-cli -s redis.sock flushall >/dev/null
        { seq 1 500 | awk '{ print "SET k" $1 " v" $1 * 7; print "LPUSH l " $1 }'
          printf 'LRANGE l 0 -1\nMGET k1 k100 k500\nDBSIZE\nDEBUG DIGEST\n'; } |
            redis-cli -s redis.sock >"redis.$how"
        redis-cli -s redis.sock shutdown nosave
        wait $server
        same "redis-server ($how): status" 0 $?
    done
    check "redis-server, four io threads: answers" cmp redis.plain redis.all
    profiles redis-server "cpu"
}

nginx_conf()
{
    mkdir -p www logs
    seq 1 20000 >www/a.txt
    cat <<END
worker_processes 2; pid $tmp/nginx.pid; error_log $tmp/logs/error.log; daemon off;
user root; events { worker_connections 256; }
http { access_log off; client_body_temp_path $tmp/t1; proxy_temp_path $tmp/t2;
fastcgi_temp_path $tmp/t3; uwsgi_temp_path $tmp/t4; scgi_temp_path $tmp/t5; gzip on;
gzip_types text/plain; default_type text/plain;
server { listen unix:$tmp/nginx.sock; root $tmp/www; } }
END
}

nginx_runs()
{
    chmod 755 "$tmp"
    nginx_conf >nginx.conf
    for how in plain all; do
        rm -f nginx.sock
        run=exec
        [ $how = plain ] || run=all
        $run nginx -c "$tmp/nginx.conf" >nginx.log 2>&1 &
        server=$!
        wait_for curl -sf --unix-socket nginx.sock http://x/a.txt ||
            { bad "nginx ($how) does not start"; cat nginx.log logs/error.log; return; }
        i=0
        : >"nginx.$how"
        while [ $i -lt $((20 * scale)) ]; do
            curl -s --compressed --unix-socket nginx.sock http://x/a.txt | cksum >>"nginx.$how"
            curl -s -o /dev/null -w '%{http_code}\n' --unix-socket nginx.sock http://x/none \
                >>"nginx.$how"
            i=$((i + 1))
        done
        stop QUIT
        same "nginx ($how): status" 0 $?
    done
    check "nginx, two workers: answers" cmp nginx.plain nginx.all
    profiles nginx "heap"
}

if command -v redis-server >/dev/null; then redis; else echo "skipped: no redis-server"; fi
if command -v nginx >/dev/null && command -v curl >/dev/null; then
    nginx_runs
else
    echo "skipped: no nginx or no curl"
fi

# PostgreSQL: its own initdb, a load by its own clients, and a dump that is compared.
pg=$(find /usr/lib/postgresql -name initdb 2>/dev/null | sort | tail -1)
pg=${pg%/initdb}
as=
[ "$(id -u)" != 0 ] || as="setpriv --reuid=postgres --regid=postgres --clear-groups"
postgres()
{
    mkdir -p pgrun
    chmod 777 "$tmp" pgrun
    for how in plain all; do
        run=exec
        [ $how = plain ] || run=all
        rm -rf pgdata
        $as "$pg/initdb" -D "$tmp/pgdata" --no-sync -A trust -U me >/dev/null 2>&1
        $run $as "$pg/postgres" -D "$tmp/pgdata" -k "$tmp/pgrun" -h '' -F >pg.log 2>&1 &
        server=$!
        wait_for psql -h "$tmp/pgrun" -U me -d postgres -c 'select 1' ||
            { bad "postgres ($how) does not start"; cat pg.log; return; }
        psql -q -h "$tmp/pgrun" -U me -d postgres >"pg.$how" 2>&1 <<END
create table t as select x as a, md5(x::text) as b from generate_series(1, $((5000 * scale))) x;
create index on t(b);
select count(*), max(b), sum(length(b)) from t where b in (select b from t where a % 3 = 0);
select string_agg(b, ',' order by b) from (select b from t order by b limit 20) s;
END
        pg_dump -h "$tmp/pgrun" -U me postgres 2>&1 | grep -v 'restrict' >>"pg.$how"
        stop INT
        same "postgres ($how): status" 0 $?
    done
    check "postgres: answers and dump" cmp pg.plain pg.all
    profiles postgres "heap"
}
if [ -n "$pg" ] && id postgres >/dev/null 2>&1 && command -v psql >/dev/null; then
    postgres
else
    echo "skipped: no PostgreSQL"
fi
finish
