# SPDX-License-Identifier: MIT
#
# What the black-box tests of `strobe serve` share. A test is a script with the build folder as its
# argument: `. "$(dirname "$0")/lib.sh"` first; `serve [OPTION…]` starts a server on a free port,
# with a state directory of its own; `finish` last.
# shellcheck shell=sh
set -u
build=$1
here=$(cd "$(dirname "$0")" && pwd)
strobe=$build/strobe
golden=$here/../golden/profiles
tmp=$(mktemp -d)
server=
fake=
failures=0
export XDG_STATE_HOME="$tmp/state"
unset STATE_DIRECTORY STROBE_SERVER STROBE_TOKEN http_proxy all_proxy

# Ends what this test started, by its number.
end()
{
    [ -z "$1" ] || { kill "$1" && wait "$1"; } 2>/dev/null
}
trap 'end "$server"; end "$fake"; rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM

skip()
{
    echo "$*"
    exit 77
}

command -v curl >/dev/null || skip "there is no curl here"

ok()
{
    echo "ok: $*"
}

bad()
{
    echo "BAD: $*"
    failures=$((failures + 1))
}

# same WHAT WANT GOT
same()
{
    if [ "$2" = "$3" ]; then
        ok "$1"
    else
        bad "$1: wanted '$2', got '$3'"
    fi
}

# has WHAT TEXT PATTERN: a basic regular expression is in the text.
has()
{
    if printf '%s\n' "$2" | grep -q -e "$3"; then
        ok "$1"
    else
        bad "$1: no '$3' in: $(printf '%s' "$2" | head -c 400)"
    fi
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for()
{
    left=$(($1 * 10))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.1
    done
}

link_is_there()
{
    grep -q '#token=' "$tmp/serve.log"
}

serve()
{
    : >"$tmp/serve.log"
    "$strobe" serve --listen 127.0.0.1:0 "$@" 2>"$tmp/serve.log" &
    server=$!
    wait_for 10 link_is_there || { bad "the server starts: $(cat "$tmp/serve.log")"; finish; }
    link=$(sed -n 's/.*open //p' "$tmp/serve.log")
    url=${link%%/#*}
    token=${link##*=}
    api=$url/api/v1
    export STROBE_SERVER="$url"
}

# get PATH [CURL OPTION…]: the body.
get()
{
    path=$1
    shift
    curl -sS -g "$@" "$api/$path"
}

# status PATH [CURL OPTION…]: the status alone; the body in $tmp/body.
status()
{
    path=$1
    shift
    curl -sS -g -o "$tmp/body" -w '%{http_code}' "$@" "$api/$path"
}

# post PATH FILE [CURL OPTION…]: the status of a POST with the token.
post()
{
    path=$1 file=$2
    shift 2
    status "$path" -H "Authorization: Bearer $token" --data-binary "@$file" "$@"
}

finish()
{
    [ "$failures" = 0 ] && exit 0
    echo "$failures failed"
    exit 1
}
