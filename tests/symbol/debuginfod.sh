#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Debug files from servers: what is asked of them, where copies go, and that every way in which a
# server can fail ends soon, with a sentence, and with the names that are here.
#
# usage: debuginfod.sh FRAMES SERVER.PY BODY.C
set -u
frames=${1:?usage: debuginfod.sh FRAMES SERVER.PY BODY.C} server=$2 body=$3
command -v python3 >/dev/null || { echo "no python3: skipped"; exit 77; }
dir=$(mktemp -d) || exit 1
mkdir "$dir/files"
python3 "$server" "$dir/files" >"$dir/log" 2>"$dir/server.err" &
pid=$!
trap 'kill $pid 2>/dev/null; rm -rf "$dir"' EXIT
cd "$dir" || exit 1
unset STROBE_DEBUG_DIR XDG_CACHE_HOME DEBUGINFOD_URLS DEBUGINFOD_CACHE_PATH DEBUGINFOD_PROGRESS
unset DEBUGINFOD_TIMEOUT DEBUGINFOD_MAXTIME DEBUGINFOD_MAXSIZE http_proxy HTTP_PROXY
export HOME="$dir/home" NO_PROXY='*'
mkdir "$HOME"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s log ] && break
    sleep 0.25
done
port=$(head -n 1 log)
[ -n "$port" ] || { echo "the server did not start: $(cat server.err)"; exit 1; }
at=http://127.0.0.1:$port
bad=0

wrong()
{
    echo "FAILED: $1"
    bad=$((bad + 1))
}

# look: frames of the stripped program; what the server was asked meanwhile is in asked.
look()
{
    before=$(wc -l <log)
    "$frames" "$dir/program" >got 2>err
    tail -n +$((before + 1)) log >asked
}

gcc -O2 -g -Wl,--build-id "$body" -o program || exit 1
"$frames" "$dir/program" >want 2>err
id=$(readelf -n program | awk '/Build ID/ {print $3}')
objcopy --only-keep-debug program "files/$id.debuginfo"
cp program whole
strip program
"$frames" "$dir/program" >without 2>err
cmp -s want without && wrong 'the stripped program has lost nothing'

look
[ -s asked ] && wrong 'a server is asked that nobody named'
export DEBUGINFOD_URLS="$at"
look
cmp -s want got || wrong "from a server it is not the same: $(cat err)"
[ "$(cat asked)" = "GET /buildid/$id/debuginfo" ] || wrong "another question: $(cat asked)"
cached=$HOME/.cache/debuginfod_client/$id/debuginfo
cmp -s "files/$id.debuginfo" "$cached" || wrong 'the copy is not where elfutils has it'
look
cmp -s want got || wrong 'from the cache it is not the same'
[ -s asked ] && wrong 'what is in the cache is asked for again'
if command -v debuginfod-find >/dev/null; then
    [ "$(debuginfod-find debuginfo "$id")" = "$cached" ] ||
        wrong "elfutils' client does not find what we put into the cache"
    DEBUGINFOD_CACHE_PATH=$dir/theirs debuginfod-find debuginfo "$id" >/dev/null
    DEBUGINFOD_CACHE_PATH=$dir/theirs look
    cmp -s want got || wrong "what elfutils' client put into the cache is not used"
    [ -s asked ] && wrong "what elfutils' client put into the cache is asked for again"
fi

XDG_CACHE_HOME=$dir/xdg DEBUGINFOD_URLS="$at/none/ $at/" look
cmp -s want got || wrong 'the second server is not asked'
[ -s "$dir/xdg/debuginfod_client/$id/debuginfo" ] || wrong 'XDG_CACHE_HOME is not where the copy is'

# A file that nobody has is asked for once in ten minutes.
export DEBUGINFOD_CACHE_PATH="$dir/miss"
mv "files/$id.debuginfo" away
look
cmp -s without got || wrong 'a file that is not there changes the names'
grep -q 'not fetched' err && wrong 'that no server has a file is told as a failure'
mv away "files/$id.debuginfo"
look
[ -s asked ] && wrong 'a miss is not remembered'
touch -d '1 hour ago' "$dir/miss/$id/debuginfo"
look
cmp -s want got || wrong 'a miss is remembered for ever'

# A file that is another's, and the ways in which servers fail.
fails() # NAME URL WORDS
{
    export DEBUGINFOD_CACHE_PATH="$dir/cache.$1"
    start=$(date +%s)
    DEBUGINFOD_URLS=$2 DEBUGINFOD_TIMEOUT=2 timeout 60 "$frames" "$dir/program" >got 2>err ||
        wrong "$1: status $?"
    [ $(($(date +%s) - start)) -lt 50 ] || wrong "$1: it takes for ever"
    cmp -s without got || wrong "$1: other names"
    grep -q "not fetched: .*$3" err || wrong "$1: it is not said: $(cat err)"
    find "$dir/cache.$1" -type f | grep -q . && wrong "$1: something is left in the cache"
}
fails refused "http://127.0.0.1:1" "127.0.0.1:1: "
fails silent "$at/slow/" "DEBUGINFOD_TIMEOUT"
fails broken "$at/broken/" "$at/broken/"
fails busy "$at/busy/" "503"
fails unknown "gopher://127.0.0.1:$port" "gopher"
DEBUGINFOD_MAXSIZE=100 fails large "$at" "$at: Maximum file size exceeded"
mkdir "$dir/file" && : >"$dir/file/not-a-folder"
export DEBUGINFOD_CACHE_PATH="$dir/file/not-a-folder"
DEBUGINFOD_URLS=$at "$frames" "$dir/program" >got 2>err
grep -q 'not fetched: .*cannot be written' err || wrong "a cache that cannot be: $(cat err)"

export DEBUGINFOD_CACHE_PATH="$dir/progress"
DEBUGINFOD_PROGRESS=1 look
cmp -s want got || wrong 'with progress shown it is not the same'
grep -q 'Downloading debug information of program' err || wrong "no progress: $(cat err)"

# The debug file of another build is not believed.
gcc -O1 -g -DOTHER -Wl,--build-id "$body" -o other &&
    objcopy --only-keep-debug other "files/$id.debuginfo"
export DEBUGINFOD_CACHE_PATH="$dir/wrong"
look
cmp -s without got || wrong 'the debug file of another build is believed'
echo "$bad wrong"
[ $bad = 0 ]
