# SPDX-License-Identifier: MIT
#
# 200 means durable: a server that is killed at any time has lost nothing that it acknowledged, and
# one that is asked to end has stored what it was sent.
. "$(dirname "$0")/lib.sh"
cpu=$golden/kern_cpu.pb.gz
sent=0
# Numbers of the profiles that were acknowledged, one a line.
: >"$tmp/acknowledged"

pusher()
{
    n=$1
    while :; do
        n=$((n + 4))
        code=$(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $token" \
            --data-binary "@$cpu" "$api/profiles?service_name=a&time=$((1790000000 + n))") || return
        [ "$code" != 200 ] || echo "$n" >>"$tmp/acknowledged"
    done
}

for round in 1 2 3 4 5 6; do
    serve
    before=$(wc -l <"$tmp/acknowledged")
    pushers=
    for k in 0 1 2 3; do
        pusher $((round * 10000 + k)) 2>/dev/null &
        pushers="$pushers $!"
    done
    sleep "0.$((round * 13 % 7 + 3))"
    if [ "$round" = 6 ]; then
        kill -TERM "$server"
    else
        kill -KILL "$server"
    fi
    wait "$server" 2>/dev/null
    server=
    for p in $pushers; do
        wait "$p"
    done
    [ "$(wc -l <"$tmp/acknowledged")" -gt "$before" ] || bad "round $round: nothing was sent"
done
serve
get 'profiles?query=cpu{service_name="a"}&limit=100000' | tr '{' '\n' |
    sed -n 's/.*"time_ms":\([0-9]*\)000,.*/\1/p' | sort >"$tmp/there"
while read -r n; do
    echo $((1790000000 + n))
done <"$tmp/acknowledged" | sort >"$tmp/wanted"
sent=$(wc -l <"$tmp/wanted")
same "all $sent acknowledged profiles are there" "" "$(comm -23 "$tmp/wanted" "$tmp/there")"
same "nothing is damaged" 1 "$(get status | grep -c '"damaged":0')"
finish
