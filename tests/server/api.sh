# SPDX-License-Identifier: MIT
#
# What `strobe serve` takes, gives and refuses.
. "$(dirname "$0")/lib.sh"
serve
cpu=$golden/kern_cpu.pb.gz
block=$golden/orders_block.pb.gz

# ---- it keeps its secrets ----
same "the token is the user's alone" 600 "$(stat -c %a "$tmp/state/strobe/token")"
same "so is the store" 600 "$(stat -c %a "$tmp/state/strobe/strobe.db")"
same "a POST without the token is refused" 401 \
    "$(status 'profiles?service_name=a' --data-binary "@$cpu")"
has "and told where it is" "$(cat "$tmp/body")" "state/strobe/token"
same "a wrong token is refused" 401 \
    "$(status 'profiles?service_name=a' --data-binary "@$cpu" \
        -H "Authorization: Bearer ${token%?}")"
same "a foreign Host is refused" 403 "$(status series -H 'Host: evil.example')"
same "a foreign Origin is refused" 403 "$(status series -H 'Origin: http://evil.example')"
same "also with the token" 403 \
    "$(post 'profiles?service_name=a' "$cpu" -H 'Origin: http://127.0.0.1:1')"
same "the null Origin is foreign" 403 "$(post 'profiles?service_name=a' "$cpu" -H 'Origin: null')"
same "the page's own Origin is not" 200 \
    "$(post 'profiles?service_name=own' "$cpu" -H "Origin: $url")"
headers=$(curl -sS -o /dev/null -D - "$api/series")
has "no type is guessed" "$headers" 'nosniff'
has "no foreign script runs" "$headers" "Content-Security-Policy: default-src 'none'"
same "GET changes nothing: a PUT is refused" 405 "$(status series -X PUT)"
same "series takes no POST" 405 "$(post series "$cpu")"
same "what is not there is 404" 404 "$(status nothing)"
same "in words" '{"error":"there is nothing at /api/v1/nothing"}' "$(cat "$tmp/body")"
refused=$("$strobe" serve --listen 0.0.0.0:0 2>&1)
same "other addresses are refused" 2 $?
has "with what to do" "$refused" "ssh -L"
refused=$("$strobe" serve --listen 127.0.0.1:0 2>&1)
same "a store has one server" 2 $?
has "and says whose it is" "$refused" "strobe serve"

# ---- it takes profiles ----
same "a profile is stored" 200 \
    "$(post 'profiles?service_name=api&label=env=prod&time=now-10m' "$cpu")"
has "once" "$(cat "$tmp/body")" '"stored":true'
same "the same again is fine" 200 "$(post 'profiles?service_name=twice&time=1795000000' "$cpu")"
same "and again" 200 "$(post 'profiles?service_name=twice&time=1795000000' "$cpu")"
has "and is not stored" "$(cat "$tmp/body")" '"stored":false'
gzip -dc "$cpu" >"$tmp/plain"
same "plain" 200 "$(post 'profiles?service_name=plain&time=now-1m' "$tmp/plain")"
same "chunked" 200 "$(post 'profiles?service_name=chunked&time=now-1m' "$cpu" \
    -H 'Transfer-Encoding: chunked')"
gzip -c "$cpu" >"$tmp/twice.gz"
same "with Content-Encoding" 200 \
    "$(post 'profiles?service_name=encoded&time=now-1m' "$tmp/twice.gz" \
    -H 'Content-Encoding: gzip')"
totals=$(get 'profiles?query=cpu' | tr '{' '\n' | grep -o '"total":[0-9]*' | sort -u)
same "all of them are the same profile" 1 "$(echo "$totals" | wc -l)"
same "kinds are found" 200 "$(post 'profiles?service_name=orders&time=now-1m' "$block")"
has "from the sample types" "$(get 'series?query=block')" '"kind":"block"'
same "and can be given" 200 "$(post 'profiles?service_name=orders&kind=mutex&time=now-1m' "$block")"
has "as here" "$(get 'series?query=mutex')" '"kind":"mutex"'

# ---- and refuses others ----
: >"$tmp/empty"
echo 'this is no profile' >"$tmp/text"
head -c 200 "$cpu" >"$tmp/cut"
head -c 34000000 /dev/zero >"$tmp/zero"
gzip -c "$tmp/zero" >"$tmp/zero.gz"
head -c 300000000 /dev/zero | gzip -9 >"$tmp/bomb.gz"
same "an empty body" 400 "$(post 'profiles?service_name=a' "$tmp/empty")"
same "text" 400 "$(post 'profiles?service_name=a' "$tmp/text")"
same "half a profile" 400 "$(post 'profiles?service_name=a' "$tmp/cut")"
has "with pprof's words" "$(cat "$tmp/body")" 'decompressing profile: unexpected EOF'
same "zeros" 400 "$(post 'profiles?service_name=a' "$tmp/zero.gz")"
same "a bomb" 413 "$(post 'profiles?service_name=a' "$tmp/bomb.gz")"
has "with the limit" "$(cat "$tmp/body")" '128 MiB'
same "too large a body" 413 "$(post 'profiles?service_name=a' "$tmp/zero" -H 'Expect:')"
same "too large a body in chunks" 413 "$(post 'profiles?service_name=a' "$tmp/zero" \
    -H 'Expect:' -H 'Transfer-Encoding: chunked')"
has "with the limit" "$(cat "$tmp/body")" '32 MiB'
same "an encoding that is not read" 415 "$(post 'profiles?service_name=a' "$cpu" \
    -H 'Content-Encoding: br')"
same "no service" 400 "$(post profiles "$cpu")"
same "a label without a value" 400 "$(post 'profiles?service_name=a&label=x' "$cpu")"
same "a process as a label" 400 "$(post 'profiles?service_name=a&label=pid=1' "$cpu")"
same "a label twice" 400 "$(post 'profiles?service_name=a&label=x=1&label=x=2' "$cpu")"
same "a parameter that nobody knows" 400 "$(post 'profiles?service_name=a&servce=b' "$cpu")"
same "no such time" 400 "$(post 'profiles?service_name=a&time=yesterday' "$cpu")"

# ---- it gives them back ----
"$strobe" folded "$cpu" >"$tmp/want"
get 'profile?query=cpu{service_name="api"}&format=folded' >"$tmp/got"
same "folded is what strobe folded prints" "$(cat "$tmp/want")" "$(cat "$tmp/got")"
get 'profile?query=cpu{service_name="api"}' >"$tmp/got.pb.gz"
same "pprof has the same stacks" "$(cat "$tmp/want")" "$("$strobe" folded "$tmp/got.pb.gz")"
has "the type can be chosen" "$(get 'profile?query=cpu/samples{service_name="api"}&format=json')" \
    '"type":"samples","unit":"count"'
total=$(get 'profile?query=cpu{service_name="api"}&format=json' |
    sed 's/.*"tree":.*"root","self":0,"total":\([0-9]*\).*/\1/')
same "the tree adds up" "$(awk '{s += $NF} END {printf "%d", s}' "$tmp/want")" "$total"
same "columns begin as columns do" strobeC1 \
    "$(get 'profile?query=cpu{service_name="api"}&format=columns' | head -c 8)"
id=$(get 'profiles?query=cpu{service_name="api"}' | sed 's/.*"id":"\([^"]*\)".*/\1/')
same "one can be had by its id" \
    "$(cat "$tmp/want")" "$(get "profile?query=cpu&id=$id&format=folded")"
has "it says what was merged" \
    "$(curl -sS -g -o /dev/null -D - "$api/profile?query=cpu{service_name=\"api\"}")" \
    'X-Strobe-Profiles: 1'
has "labels" "$(get 'labels')" '"env"'
has "values of one" "$(get 'labels/env/values')" '{"values":\["prod"\]}'
has "series by expression" "$(get 'series?query=cpu{env=~"pr.*"}')" '"service_name":"api"'
has "or by what is not there" "$(get 'series?query={env!="prod"}')" '"service_name":"plain"'
has "a timeline" \
    "$(get 'timeline?query=cpu&total=1&step=1m&from=now-30m')" '"mode":"rate".*"buckets":3[01]'
has "top" "$(get 'top?query=cpu{service_name="api"}&limit=1')" '"functions":\[{"name":'
name=$(get 'top?query=cpu{service_name="api"}&limit=1' | sed 's/.*"name":"\([^"]*\)".*/\1/')
has "a trend" "$(curl -sS -G "$api/trend" --data-urlencode 'query=cpu{service_name="api"}' \
    --data-urlencode "function=$name")" '"points":\[{"time_ms":'
has "no targets" "$(get targets)" '{"targets":\[\]}'
has "no runs" "$(get runs)" '{"runs":\[\]}'
has "its status" "$(get status)" '"version":"[0-9]'

# ---- questions that are none ----
for q in 'cpu{' 'cpu{a=}' 'cpu{a="b"' 'cpu{a=~"("}' '{{' 'cpu}' '"' 'cpu{a="b",,}'; do
    same "the query $q" 400 "$(curl -sS -G -o "$tmp/body" -w '%{http_code}' "$api/series" \
        --data-urlencode "query=$q")"
done
same "no such time" 400 "$(status 'timeline?from=soon')"
same "no such step" 400 "$(status 'timeline?step=often')"
same "too many buckets" 400 "$(status 'timeline?from=0&step=1s')"
same "an empty range" 400 "$(status 'timeline?from=now&until=now-1h')"
same "no such format" 400 "$(status "profile?format=gif")"
same "no such id" 400 "$(status 'profile?id=x')"
same "nothing matches" 404 "$(status 'profile?query=cpu{service_name="nobody"}')"
same "no such sample type" 404 "$(status 'profile?query=cpu/bytes{service_name="api"}')"
same "whose trend" 400 "$(status 'trend?query=cpu')"
same "no such label path" 404 "$(status 'labels/env/value')"

# ---- push ----
out=$("$strobe" push -s shop -l env=test "$cpu" "$block" 2>&1)
same "push sends files" 0 $?
has "and says where to" "$out" 'stored in block{service_name="shop"}'
out=$("$strobe" push -s shop "$cpu" "$tmp/text" 2>&1)
same "a bad file is an error" 1 $?
has "that names it" "$out" "$tmp/text: .*malformed\|$tmp/text: parsing profile"
has "and the others are sent" "$out" 'stored in cpu\|already in cpu'
out=$("$strobe" push --server http://127.0.0.1:1 -s a "$cpu" 2>&1)
same "no server is an error" 1 $?
has "with what to do" "$out" "strobe serve"

# ---- it ends ----
kill -TERM "$server"
wait "$server"
same "it ends cleanly" 0 $?
server=
finish
