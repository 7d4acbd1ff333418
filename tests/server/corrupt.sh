# SPDX-License-Identifier: MIT
#
# A store that is damaged: what can be read is served and the rest is said, in the answer or with a
# status of its own; what is no store is refused with a sentence. No file of the user's is replaced
# or emptied, and nothing crashes. STROBE_PAGES is about how many pages are tried.
. "$(dirname "$0")/lib.sh"
command -v python3 >/dev/null || skip "there is no python3 here"
cpu=$golden/kern_cpu.pb.gz
services=4

# try FILE: starts a server on a copy; 0 if it serves. Its exit status is in $status otherwise.
try()
{
    rm -f "$tmp/try.db"*
    cp "$1" "$tmp/try.db"
    : >"$tmp/serve.log"
    "$strobe" serve --listen 127.0.0.1:0 --store "sqlite:$tmp/try.db" 2>"$tmp/serve.log" &
    server=$!
    for _ in $(seq 200); do
        link_is_there && break
        kill -0 "$server" 2>/dev/null || break
        sleep 0.05
    done
    if link_is_there; then
        url=$(sed -n 's,.*open \(.*\)/#.*,\1,p' "$tmp/serve.log")
        token=$(sed -n 's/.*#token=//p' "$tmp/serve.log")
        api=$url/api/v1
        return 0
    fi
    wait "$server"
    status=$?
    server=
    return 1
}

# refused WHAT FILE PATTERN: no server, a sentence, and the file as it was.
refused()
{
    if try "$2"; then
        bad "$1: it serves"
        end "$server"
        server=
        return
    fi
    same "$1 is refused" 2 "$status"
    has "$1: with a sentence" "$(cat "$tmp/serve.log")" "^strobe serve: .*$3"
    same "$1 is left as it was" same "$(cmp "$2" "$tmp/try.db" && echo same)"
}

serve --store "sqlite:$tmp/good.db"
for i in $(seq $services); do
    for file in "$cpu" "$golden/orders_labels.pb.gz"; do
        [ "$(post "profiles?service_name=s$i" "$file")" = 200 ] || bad "a push: $(cat "$tmp/body")"
    done
done
kill -TERM "$server"
wait "$server"
server=

# ---- what is no store ----
head -c 20000 "$cpu" >"$tmp/profile.db"
refused "a profile" "$tmp/profile.db" 'try.db'
echo 'strobe' >"$tmp/text.db"
refused "a text" "$tmp/text.db" 'try.db'
(head -c 100 /dev/zero | tr '\0' 'x'; tail -c +101 "$tmp/good.db") >"$tmp/head.db"
refused "a store without its head" "$tmp/head.db" 'try.db'
python3 - "$tmp/foreign.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE mine(x)")
db.execute("INSERT INTO mine VALUES('precious')")
db.commit()
PY
refused "another program's database" "$tmp/foreign.db" 'try.db'
mkdir "$tmp/folder"
out=$("$strobe" serve --listen 127.0.0.1:0 --store "sqlite:$tmp/folder" 2>&1)
same "a folder is refused" 2 $?
has "with a sentence" "$out" "^strobe serve: .*$tmp/folder"

# ---- one page after the other ----
pages=$(($(wc -c <"$tmp/good.db") / 4096))
served=0 refusals=0 whole=0 said=0
step=$((pages / ${STROBE_PAGES:-6} + 1))
for page in $(seq 1 $step $((pages - 1))); do
    cp "$tmp/good.db" "$tmp/bad.db"
    head -c 4096 /dev/urandom | dd of="$tmp/bad.db" bs=4096 seek="$page" conv=notrunc 2>/dev/null
    if ! try "$tmp/bad.db"; then
        refusals=$((refusals + 1))
        [ "$status" = 2 ] || bad "page $page: it ends with $status: $(cat "$tmp/serve.log")"
        grep -q "^strobe serve: .*try.db" "$tmp/serve.log" ||
            bad "page $page: no sentence: $(cat "$tmp/serve.log")"
        cmp -s "$tmp/bad.db" "$tmp/try.db" || bad "page $page: the file was changed"
        continue
    fi
    served=$((served + 1))
    trouble=
    for i in $(seq $services); do
        for path in "profile?query=cpu{service_name=\"s$i\"}&from=0&format=folded" \
            "profiles?query=cpu{service_name=\"s$i\"}" \
            "top?query=cpu{service_name=\"s$i\"}&from=now-1y"; do
            code=$(status "$path")
            case $code in
            200) grep -q '"damaged":[1-9]' "$tmp/body" && trouble=yes ;;
            404 | 500) trouble=yes
                grep -q '^{"error":"..*"}$' "$tmp/body" || bad "page $page: $path: no sentence" ;;
            *) bad "page $page: $path: $code" ;;
            esac
        done
    done
    get status >"$tmp/body"
    grep -q '"damaged":[1-9]' "$tmp/body" && trouble=yes
    case $trouble in
    yes) said=$((said + 1)) ;;
    *) whole=$((whole + 1)) ;;
    esac
    kill -TERM "$server"
    wait "$server"
    code=$?
    [ "$code" = 0 ] || bad "page $page: it ends with $code: $(cat "$tmp/serve.log")"
    server=
    [ "$(wc -c <"$tmp/try.db")" -ge "$((pages * 4096 / 2))" ] || bad "page $page: emptied"
done
ok "of $((served + refusals)) damaged pages $refusals were refused, $said said, $whole not needed"
[ "$served" -gt 0 ] || bad "none was served"

# ---- cut short ----
head -c $((pages / 2 * 4096)) "$tmp/good.db" >"$tmp/half.db"
if try "$tmp/half.db"; then
    code=$(status 'profile?query=cpu&from=0')
    [ "$code" = 200 ] || [ "$code" = 500 ] || [ "$code" = 404 ] || bad "half a store: $code"
    kill -TERM "$server"
    wait "$server"
    same "half a store: it ends cleanly" 0 $?
    server=
else
    same "half a store is refused" 2 "$status"
    has "with a sentence" "$(cat "$tmp/serve.log")" '^strobe serve: .*try.db'
fi
finish
