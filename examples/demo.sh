#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh BUILD [stop]: what strobe does, on real programs. Records Debian's zstd and prints where
# its time went; starts the dashboard; has the suite run four programs (prometheus, etcd, sqlite3,
# zstd) on their short inputs and send what it finds to the dashboard; and prints what leads in each
# view. The dashboard is left running, so that it can be looked at: `stop` ends it. Everything it
# makes is in BUILD/demo, the store as well: nothing of the user's own state is touched.
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
strobe=$build/strobe
work=$build/demo
. "$here/../bench/workloads.sh"
export STATE_DIRECTORY="$work/state"

say()
{
    printf '\n== %s\n' "$*"
}

# shown COMMAND…: runs it, and shows it as it would be typed.
shown()
{
    printf '$ %s\n' "$*" | sed "s,$build/,,; s,$work/,,g"
    "$@"
}

# Ends the dashboard of an earlier demo, if it is still there and still that.
stop()
{
    [ -s "$work/serve.pid" ] || return 0
    server=$(cat "$work/serve.pid")
    rm -f "$work/serve.pid"
    exe=$(readlink "/proc/$server/exe" 2>/dev/null || true)
    [ "${exe% (deleted)}" = "$strobe" ] || return 0 # deleted: built anew since
    kill "$server"
    while kill -0 "$server" 2>/dev/null; do
        sleep 0.1
    done
    echo "the dashboard of the last demo was ended"
}

# Starts the dashboard with a session of its own: a Ctrl-C here is not meant for it. It takes
# another port where 7070 is in use.
start()
{
    for listen in 127.0.0.1:7070 127.0.0.1:0; do
        setsid "$strobe" serve --listen "$listen" >"$work/serve.log" 2>&1 </dev/null &
        server=$!
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            link=$(sed -n 's,.*\(http://[^ ]*\).*,\1,p' "$work/serve.log" | head -1)
            [ -z "$link" ] || break 2
            kill -0 "$server" 2>/dev/null || break
            sleep 0.1
        done
    done
    [ -n "$link" ] || {
        cat "$work/serve.log" >&2
        echo "the dashboard did not start" >&2
        exit 1
    }
    echo "$server" >"$work/serve.pid"
    STROBE_SERVER=${link%%/#*}
    export STROBE_SERVER
}

# leads VIEW QUERY PROGRAM: the function with most of it, in one line.
leads()
{
    query=$(printf '%s{service_name="%s"}' "$2" "$3" | sed 's/{/%7B/; s/}/%7D/; s/"/%22/g')
    if curl -sf -o "$work/leads.pb.gz" "$STROBE_SERVER/api/v1/profile?query=$query"; then
        "$strobe" top -nodecount=1 -sample_index="${2##*/}" "$work/leads.pb.gz" 2>/dev/null |
            awk -v view="$1" -v query="$2" -v program="$3" '
                head {
                    flat = $1; share = $2
                    sub(/^ *[^ ]+ +[^ ]+ +[^ ]+ +[^ ]+ +[^ ]+ +/, "")
                    printf "%-8s%-22s%-12s%10s%9s  %s\n", view, query, program, flat, share, $0
                }
                / flat% / { head = 1 }'
    else
        printf '%-8s%-22s%-12s%10s\n' "$1" "$2" "$3" "nothing"
    fi
    rm -f "$work/leads.pb.gz"
}

mkdir -p "$work"
stop
[ "${2:-}" != stop ] || exit 0

[ -s "$work/text" ] || workload_make "$work" 100 zstd
say "a program as it is: Debian's zstd, its two threads recorded"
shown "$strobe" record -o "$work/zstd.pb.gz" -- zstd -9 -T2 -q -f -o "$work/text.zst" "$work/text"
rm -f "$work/text.zst"
shown "$strobe" top -nodecount=8 "$work/zstd.pb.gz"

say "the dashboard, which keeps profiles over time"
rm -rf "$work/state"
printf '$ strobe serve\n'
start
echo "it runs at $STROBE_SERVER"

say "four real programs, run and profiled by the suite"
shown "$strobe" suite run --input short

say "what leads in each view of the dashboard"
for program in prometheus etcd sqlite3 zstd; do
    leads CPU cpu/cpu "$program"
done
for program in prometheus etcd; do
    leads Memory heap/inuse_space "$program"
    leads Memory allocs/alloc_space "$program"
done
leads Time block/delay prometheus
for program in prometheus etcd; do
    leads Time mutex/delay "$program"
done

say "to look at"
cat <<END
the dashboard   $link
one profile     strobe web $work/zstd.pb.gz
the end of it   ./dev demo stop
END
if [ -t 0 ] && [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v xdg-open >/dev/null; then
    xdg-open "$link" >/dev/null 2>&1 || true
fi
