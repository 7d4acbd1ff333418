# SPDX-License-Identifier: MIT
#
# Real programs at real work, none of ours: the inputs of the tests, the demo and bench/, made on
# the spot. `. workloads.sh`, then `workload_make DIR SCALE NAME…` once and `workload_command NAME
# DIR` as often as wanted. SCALE 100 is a run of some seconds for each, 10 a tenth of it. Output
# goes to standard output and is the same each time.

workload_names="sqlite zstd lua python xz git redis"

workload_needs() # NAME: the command it needs
{
    case $1 in
    sqlite) echo sqlite3 ;;
    lua) echo lua5.4 ;;
    python) echo /usr/bin/python3 ;;
    redis) echo redis-server ;;
    *) echo "$1" ;;
    esac
}

# Words in an order that repeats as text does, from a generator and not from this machine's files,
# so that every run anywhere has the same input.
workload_text() # BYTES
{
    awk -v bytes="$1" 'BEGIN {
        srand(20)
        split("the of and to in a is that for it as was with be by on not he i this are or his " \
            "from at which but have an had they you were their one all we can her has there " \
            "been if more when will would who so no said function return value string length " \
            "index pointer", word)
        while (written < bytes) {
            line = ""
            for (i = 0; i < 12; i++)
                line = line " " word[1 + int(60 * rand() * rand())] \
                    (rand() < 0.1 ? int(1e5 * rand()) : "")
            print line
            written += length(line) + 1
        }
    }'
}

# workload_make DIR SCALE NAME…: the inputs of the named workloads.
workload_make()
{
    dir=$1 scale=$2
    shift 2
    mkdir -p "$dir"
    for name in "$@"; do
        case $name in
        sqlite) workload_sql $((10000 * scale)) >"$dir/work.sql" ;;
        zstd) workload_text $((500000 * scale)) >"$dir/text" ;;
        xz) workload_text $((40000 * scale)) >"$dir/less" ;;
        lua) workload_lua $((8 * scale)) >"$dir/work.lua" ;;
        python) workload_python $((2 * scale)) >"$dir/work.py" ;;
        git) workload_git "$dir/repository" $((40000 * scale)) ;;
        esac
    done
}

workload_sql() # ROWS: as many inserts, an index, an update and some queries
{
    echo 'create table t(id integer primary key, a integer, b text, c real); begin;'
    awk -v rows="$1" 'BEGIN {
        for (i = 1; i <= rows; i++)
            printf "insert into t values(%d, %d, \047row %d\047, %d.5);\n", i,
                (i * 7919) % 100003, i % 5000, i / 3
    }'
    cat <<'SQL'
commit;
create index t_a on t(a, b);
select count(*), sum(a), round(avg(c)) from t where a between 1000 and 50000;
select b, count(*), max(a) from t group by b order by 2 desc, 1 limit 5;
update t set c = c * 2 where a % 3 = 0;
select a % 100, round(sum(c)) from t group by 1 order by 2 desc limit 3;
SQL
}

workload_lua() # ROUNDS: trees, tables, strings, a sort with the default order, patterns
{
    cat <<LUA
local function tree(d) if d == 0 then return {} end return {tree(d - 1), tree(d - 1)} end
local function count(t) if not t[1] then return 1 end return 1 + count(t[1]) + count(t[2]) end
local total = 0
for i = 1, $1 do
  total = total + count(tree(10))
  local words = {}
  for j = 1, 2000 do words[j] = string.format("%05d:%s", (j * 7919) % 2003, ("x"):rep(j % 17)) end
  table.sort(words)
  for w in table.concat(words, " "):gmatch("%d+") do total = total + #w end
end
print(total)
LUA
}

workload_python() # ROUNDS: JSON there and back, dictionaries, sorting
{
    cat <<PY
import json
total = 0
for i in range($1):
    rows = [{"id": j, "name": "row %d" % (j % 50), "values": list(range(j % 20))}
            for j in range(1000)]
    text = json.dumps(rows, sort_keys=True)
    back = json.loads(text)
    total += sum(sum(row["values"]) for row in back) + len(text)
    total += len(sorted(text.split(), key=len))
print(total)
PY
}

workload_git() # DIR BYTES: a repository with a history of texts
{
    rm -rf "$1"
    mkdir -p "$1"
    (
        cd "$1" && git init -q . && git config gc.auto 0
        git config user.name strobe && git config user.email strobe@localhost
        workload_text "$2" >../history
        for i in 1 2 3 4 5 6 7 8; do
            mkdir -p "part$i"
            split -b 20000 -a 3 ../history "part$i/" && sed -i "s/the/the$i/" part"$i"/*
            git add . && git commit -qm "part $i" --date='2020-01-01 00:00'
        done
    ) >/dev/null
}

# The command of a workload as words on standard output, one a line.
workload_command() # NAME DIR
{
    case $1 in
    sqlite) printf '%s\n' sqlite3 :memory: ".read $2/work.sql" ;;
    zstd) printf '%s\n' zstd -12 -T2 -q -c "$2/text" ;;
    lua) printf '%s\n' lua5.4 "$2/work.lua" ;;
    python) printf '%s\n' /usr/bin/python3 "$2/work.py" ;;
    xz) printf '%s\n' xz -6 -T1 -c "$2/less" ;;
    git) printf '%s\n' git -C "$2/repository" repack -adfq --window=50 --depth=50 ;;
    redis) printf '%s\n' redis-server --port 0 --unixsocket "$2/redis.sock" --save '' \
        --appendonly no --io-threads 2 --loglevel warning ;;
    esac
}

# The load of redis, from outside of what is recorded; the server ends when it is told to.
workload_redis_load() # DIR REQUESTS
{
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        redis-cli -s "$1/redis.sock" ping >/dev/null 2>&1 && break
        sleep 0.1
    done
    redis-benchmark -s "$1/redis.sock" -t set,get,lpush -n "$2" -c 50 -P 8 -d 64 -r 100000 -q \
        >"$1/redis.log" 2>&1
    redis-cli -s "$1/redis.sock" shutdown nosave >/dev/null 2>&1
}
