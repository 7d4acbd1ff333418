#!/bin/sh
# Runs the cases of cases.txt on the profiles beside it and compares what is printed with expected/.
#
# usage: cases.sh STROBE        compare
#        cases.sh STROBE renew  write expected/ anew: by the real pprof, our own reports by STROBE
set -u
strobe=${1:?usage: cases.sh STROBE [renew]}
case $strobe in */*) strobe=$(cd "$(dirname "$strobe")" && pwd)/$(basename "$strobe") ;; esac
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME="$scratch" XDG_CONFIG_HOME="$scratch" TZ=UTC LC_ALL=C.UTF-8 NO_COLOR=1
unset PPROF_BINARY_PATH PPROF_TOOLS DEBUGINFOD_URLS
cd "$here/profiles" || exit 1

n=0 bad=0
while read -r name arguments; do
    case $name in '#'* | '') continue ;; esac
    command="\"$strobe\" pprof"
    if [ "${2:-}" = renew ]; then
        case $name in own*) ;; *) command=pprof ;; esac
        eval "$command $arguments" >"$here/expected/$name" 2>&1 </dev/null
        echo "status $?" >>"$here/expected/$name"
        continue
    fi
    eval "$command $arguments" >"$scratch/got" 2>&1 </dev/null
    echo "status $?" >>"$scratch/got"
    n=$((n + 1))
    if ! cmp -s "$here/expected/$name" "$scratch/got"; then
        bad=$((bad + 1))
        echo "$name differs: strobe pprof $arguments"
        diff "$here/expected/$name" "$scratch/got" | head -10
    fi
done <"$here/cases.txt"
echo "$n cases, $bad differ"
[ $bad = 0 ]
