#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Malformed profiles on the command line: cut off, and with a bit turned over. strobe pprof says
# what pprof says, and ends as it does, where it is installed; everywhere a profile that cannot be
# read is refused in a sentence, and strobe ends by itself. tests/unit/test_malformed.c looks at
# many more places, without the command line.
#
# usage: malformed.sh STROBE FILE-OR-FOLDER...
set -u
strobe=${1:?usage: malformed.sh STROBE FILE-OR-FOLDER...}
shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME="$scratch" XDG_CONFIG_HOME="$scratch" TZ=UTC LC_ALL=C.UTF-8 NO_COLOR=1
export PPROF_TMPDIR="$scratch"
unset PPROF_BINARY_PATH PPROF_TOOLS DEBUGINFOD_URLS
command -v pprof >/dev/null && has_pprof=1 || has_pprof=
bad=0 n=0

# broken NAME: the profile in $scratch/p, which NAME says what happened to.
broken()
{
    n=$((n + 1))
    timeout 60 "$strobe" pprof -raw -symbolize=none "$scratch/p" >"$scratch/out" 2>"$scratch/err"
    status=$?
    case $status in
    0) ;;
    2)
        grep -q "^pprof: .*[a-z] [a-z]" "$scratch/err" ||
            complain "$1" "no sentence: $(cat "$scratch/err")"
        ;;
    *) complain "$1" "ends with $status: $(head -3 "$scratch/err")" ;;
    esac
    # The short verbs read more formats.
    timeout 60 "$strobe" tags -symbolize=none "$scratch/p" >/dev/null 2>"$scratch/words"
    case $? in
    0) ;;
    2) [ -s "$scratch/words" ] || complain "$1" "strobe tags refuses it without a word" ;;
    *) complain "$1" "strobe tags ends oddly: $(head -3 "$scratch/words")" ;;
    esac
    [ -n "$has_pprof" ] || return 0
    pprof -raw -symbolize=none "$scratch/p" >"$scratch/out.pprof" 2>"$scratch/err.pprof"
    [ $? = $status ] && cmp -s "$scratch/out" "$scratch/out.pprof" &&
        cmp -s "$scratch/err" "$scratch/err.pprof" && return 0
    complain "$1" "pprof says otherwise:"
    diff "$scratch/err.pprof" "$scratch/err" | head -4
    diff "$scratch/out.pprof" "$scratch/out" | head -4
}

complain()
{
    bad=$((bad + 1))
    echo "$1: $2"
}

# flip FILE OFFSET BIT: the file with one bit turned over, in $scratch/p.
flip()
{
    cp "$1" "$scratch/p" && chmod u+w "$scratch/p"
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    mask=$((1 << $3))
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\$(printf %o $((byte ^ mask)))" |
        dd of="$scratch/p" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

for given; do
    [ -d "$given" ] && set -- "$given"/* || set -- "$given"
    for file; do
        size=$(wc -c <"$file")
        [ "$size" -gt 8 ] || continue
        name=${file##*/}
        for part in 1 4; do
            head -c $((size * part / 5)) "$file" >"$scratch/p"
            broken "$name, $part fifths of it"
        done
        for part in 1 5 9; do
            at=$((size * part / 10))
            flip "$file" $at $((part % 7))
            broken "$name, byte $at"
        done
    done
done
echo "$n malformed profiles, $bad wrong${has_pprof:+, each beside pprof}"
[ $n -gt 0 ] && [ $bad = 0 ]
