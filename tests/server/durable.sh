# SPDX-License-Identifier: MIT
#
# 200 means durable: a server that is killed at any time has lost nothing that it acknowledged, and
# one that is asked to end has stored what it was sent. STROBE_KILLS is how often; by hand 100.
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
            --data-binary "@$cpu" "$api/profiles?service_name=a&time=$((begin + n))") || return
        [ "$code" != 200 ] || echo "$n" >>"$tmp/acknowledged"
    done
}

more_than()
{
    [ "$(wc -l <"$tmp/acknowledged")" -gt "$1" ]
}

# Milliseconds since 1970; yesterday, for what is older than a week is summed up.
begin=$((($(date +%s) - 86400) * 1000))
kills=${STROBE_KILLS:-6}
round=0
while [ "$round" -lt "$kills" ]; do
    round=$((round + 1))
    serve
    before=$(wc -l <"$tmp/acknowledged")
    pushers=
    for k in 0 1 2 3; do
        pusher $((round * 10000 + k)) 2>/dev/null &
        pushers="$pushers $!"
    done
    wait_for 20 more_than "$before" || bad "round $round: nothing was sent"
    sleep "0.$((round * 13 % 7))"
    if [ "$round" = "$kills" ]; then
        kill -TERM "$server"
    else
        kill -KILL "$server"
    fi
    wait "$server" 2>/dev/null
    server=
    for p in $pushers; do
        wait "$p"
    done
done
serve
get 'profiles?query=cpu{service_name="a"}&limit=100000' | tr '{' '\n' |
    sed -n 's/.*"time_ms":\([0-9]*\),.*/\1/p' | sort >"$tmp/there"
while read -r n; do
    echo $((begin + n))
done <"$tmp/acknowledged" | sort >"$tmp/wanted"
sent=$(wc -l <"$tmp/wanted")
same "all $sent acknowledged profiles are there" "" "$(comm -23 "$tmp/wanted" "$tmp/there")"
same "nothing is damaged" 1 "$(get status | grep -c '"damaged":0')"
finish
