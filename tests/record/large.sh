#!/bin/sh
# SPDX-License-Identifier: MIT
# Systems of many processes under `strobe record`: a compiler over a tree (many short children), a
# web server under load, a database, a browser. What they do is what they do without, the profile
# has the kernel's CPU time, and stacks reach a root. large.sh BUILD [BACKENDS [PROGRAMS [SCALE]]]
. "$(dirname "$0")/lib.sh"
chosen=${2:-$backends} names=${3:-gcc nginx postgres chromium} scale=${4:-10}
work=$tmp/work
mkdir -p "$work"
chmod 755 "$tmp" "$work"
pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1)

# needs NAME: what it is missing, or nothing.
needs()
{
    case $1 in
    gcc) command -v gcc >/dev/null || echo gcc ;;
    nginx) command -v nginx >/dev/null || echo nginx ;;
    postgres) [ -x "$pg/initdb" ] && [ "$(id -u)" = 0 ] || echo "postgresql, and root" ;;
    chromium) command -v chromium >/dev/null || echo chromium ;;
    esac
}

# ---- a tree of C files, compiled one by one ----

make_gcc()
{
    mkdir -p "$work/tree"
    for i in $(seq "$scale"); do
        awk -v n="$i" 'BEGIN {
            print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>"
            for (f = 0; f < 60; f++)
                printf "int f%d_%d(int x)\n{\n    char b[64];\n    for (int i = 0; i < x; i++)\n" \
                    "        x += snprintf(b, sizeof b, \"%%d\", i * %d) ^ (int)strlen(b);\n" \
                    "    return x * %d;\n}\n", n, f, f + 1, n
        }' >"$work/tree/$i.c"
    done
}

run_gcc()
{
    "$@" sh -c 'for f in "$1"/*.c; do gcc -O2 -c "$f" -o "${f%.c}.o" || exit; done
        cd "$1" && cksum *.o' sh "$work/tree"
}

# ---- nginx, two workers ----

make_nginx()
{
    mkdir -p "$work/www" "$work/nginx"
    head -c 20000 /usr/bin/env >"$work/www/file"
    cat >"$work/nginx.conf" <<CONF
daemon off;
worker_processes 2;
user $(id -un);
pid $work/nginx.pid;
error_log stderr error;
events { worker_connections 256; }
http {
    access_log off;
    gzip on;
    gzip_types *;
    gzip_min_length 1;
    keepalive_requests 100000;
    client_body_temp_path $work/nginx/a; proxy_temp_path $work/nginx/b;
    fastcgi_temp_path $work/nginx/c; uwsgi_temp_path $work/nginx/d; scgi_temp_path $work/nginx/e;
    server { listen unix:$work/nginx.sock; root $work/www; location / { try_files /file =404; } }
}
CONF
}

run_nginx()
{
    "$@" nginx -e stderr -c "$work/nginx.conf" &
    server=$!
    for _ in $(seq 100); do
        [ -S "$work/nginx.sock" ] && break
        sleep 0.1
    done
    curl -s --compressed --unix-socket "$work/nginx.sock" "http://x/[1-$((scale * 100))]" | cksum
    kill -QUIT "$(cat "$work/nginx.pid")"
    wait $server
}

# ---- postgresql: a server, its workers, and queries ----

make_postgres()
{
    id postgres >/dev/null 2>&1 || useradd -M postgres
    mkdir -p "$work/pg"
    chown -R postgres "$work/pg"
    as_postgres "$pg/initdb" -D "$work/pg/data" -A trust >/dev/null
}

as_postgres()
{
    setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
}

run_postgres()
{
    # The server refuses to be root; the recorder is who the server is.
    "$@" "$pg/postgres" -D "$work/pg/data" -k "$work/pg" -c listen_addresses= \
        -c logging_collector=off 2>"$tmp/pg.log" &
    server=$!
    for _ in $(seq 100); do
        as_postgres "$pg/pg_isready" -q -h "$work/pg" && break
        sleep 0.1
    done
    as_postgres "$pg/psql" -q -h "$work/pg" postgres <<SQL
drop table if exists t;
create table t as select i as id, (i * 7919) % 100003 as a, 'row ' || i % 500 as b
    from generate_series(1, $((scale * 20000))) i;
create index on t(a);
select count(*), sum(a) from t where a between 1000 and 50000;
select b, count(*), max(a) from t group by b order by 2 desc, 1 limit 5;
select count(*) from t x join t y on x.a = y.id;
SQL
    kill -INT "$(head -1 "$work/pg/data/postmaster.pid")"
    wait $server
}

# ---- a browser that renders a page ----

make_chromium()
{
    cat >"$work/page.html" <<HTML
<body><table id=t></table><script>
let s = 0
for (let i = 0; i < $((scale * 200)); i++) {
    const r = t.insertRow(); for (let k = 0; k < 8; k++) r.insertCell().textContent = i * k
    s = (s * 31 + r.offsetHeight) % 1000003
}
document.title = s
</script>
HTML
}

run_chromium()
{
    rm -rf "$work/chrome"
    "$@" chromium --headless --no-sandbox --disable-gpu --user-data-dir="$work/chrome" \
        --virtual-time-budget=100000 --timeout=60000 --dump-dom "file://$work/page.html" \
        2>/dev/null | cksum
}

# ---- each ----

under()
{
    back=$1 profile=$2
    shift 2
    set -- "$programs/cputime" "${profile%/*}/cpu" "$@"
    set -- "$strobe" record -F 1000 -o "$profile" -- "$@"
    [ "$back" != timer ] || set -- env STROBE_BACKEND=timer "$@"
    [ "$back" != noperf ] || set -- "$programs/noperf" "$@"
    $user "$@" 2>"$tmp/strobe.err"
}

# rooted_enough PROFILE: by the profile's own count, which matrix.sh holds against readelf.
rooted_enough()
{
    "$strobe" raw "$1" | awk '/ samples, .* truncated/ {
        sub(/^Comment: /, "")
        print $1, "samples,", $3, "lost,", $5, "truncated"
        exit !($1 > 0 && $5 <= $1 / 1000)
    }'
}

for name in $names; do
    missing=$(needs "$name")
    [ -z "$missing" ] || {
        echo "$name: needs $missing"
        continue
    }
    "make_$name"
    user=
    [ "$name" != postgres ] || user=as_postgres
    "run_$name" $user env >"$tmp/plain"
    plain=$?
    for backend in $chosen; do
        rm -rf "$tmp/profile"
        install -d -m 777 "$tmp/profile"
        "run_$name" under "$backend" "$tmp/profile/p.pb.gz" >"$tmp/out"
        mv "$tmp/profile/cpu" "$tmp/cpu"
        mv "$tmp/profile/p.pb.gz" "$tmp/large.pb.gz"
        same "$name, $backend: exit status" $plain $?
        check "$name, $backend: output" cmp "$tmp/plain" "$tmp/out"
        echo "tasks 400" >>"$tmp/cpu"
        line=$(near "$backend" 1000 "$tmp/large.pb.gz" "$tmp/cpu")
        same "$name, $backend: CPU time: $line" 0 $?
        missed=$(awk '/processes not recorded/ { m += $NF }
            { all += $NF } END { print int(1000 * m / all) }' "$tmp/folded")
        same "$name, $backend: thousandths of it in processes not recorded" 0 "$missed"
        counts=$(rooted_enough "$tmp/large.pb.gz")
        same "$name, $backend: roots: $counts" 0 $?
        grep '^strobe:' "$tmp/strobe.err"
    done
done
finish
