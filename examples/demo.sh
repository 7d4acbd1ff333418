#!/bin/sh
# SPDX-License-Identifier: MIT
# demo.sh BUILD: records Debian's sqlite3 and zstd at real work, prints where their time went, and
# shows it in the browser. Without a terminal it says where the page was and what was measured, and
# ends. Everything it makes is in BUILD/demo.
set -eu
build=$1
here=$(dirname "$0")
strobe=$build/strobe
work=$build/demo
. "$here/../bench/workloads.sh"

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

# What text there is on this machine, and generated text for the rest.
demo_text()
{
    {
        find /usr/include /usr/share/doc /usr/share/perl /usr/lib/python3 -type f \
            -name '*.[ch]' -o -name '*.p[lmy]' -o -name copyright 2>/dev/null |
            LC_ALL=C sort | tr '\n' '\0' | xargs -0 cat 2>/dev/null
        workload_text 60000000
    } | head -c 60000000
}

if [ ! -s "$work/work.sql" ] || [ ! -s "$work/text" ]; then
    say "making a script of a million inserts for sqlite3, and 60 MB of text for zstd"
    workload_make "$work" 100 sqlite
    demo_text >"$work/text"
fi

say "sqlite3: a million inserts, an index, an update, queries"
shown "$strobe" record -o "$work/sqlite.pb.gz" -- sqlite3 :memory: ".read $work/work.sql"

say "zstd: two threads"
shown "$strobe" record -o "$work/zstd.pb.gz" -- zstd -12 -T2 -q -f -o "$work/text.zst" "$work/text"
rm -f "$work/text.zst"

say "the hottest functions of both"
shown "$strobe" top -nodecount=10 "$work/sqlite.pb.gz"
echo
shown "$strobe" top -nodecount=10 "$work/zstd.pb.gz"

say "the same in the browser"
if [ -t 0 ]; then
    printf '$ strobe web sqlite.pb.gz\n'
    exec "$strobe" web "$work/sqlite.pb.gz"
fi
# Nobody is there to look: start the page, see that it answers, and say what there was.
"$strobe" web -no_browser "$work/sqlite.pb.gz" >"$work/web.log" 2>&1 &
server=$!
trap 'kill $server 2>/dev/null' EXIT
for _ in 1 2 3 4 5 6 7 8 9 10; do
    address=$(sed -n 's,.*\(http://[^ ]*\).*,\1,p' "$work/web.log" | head -1)
    [ -z "$address" ] || break
    sleep 0.3
done
[ -n "$address" ] || {
    cat "$work/web.log" >&2
    echo "the page did not start" >&2
    exit 1
}
echo "the page was served at $address"
echo "measured: sqlite3 and zstd; the profiles are $work/sqlite.pb.gz and $work/zstd.pb.gz"
