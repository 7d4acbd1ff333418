# SPDX-License-Identifier: MIT
#
# What the black-box tests of `strobe record` share. A test is a script with the build folder as its
# argument: `. "$(dirname "$0")/lib.sh"` first. It calls `ok`, `bad` or `check`, and `finish` last.
# shellcheck shell=sh
set -u
build=$1
here=$(cd "$(dirname "$0")" && pwd)
strobe=$build/strobe
programs=$build/tests/programs
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT TERM
failures=0
unset STROBE STROBE_OUT STROBE_HZ STROBE_BACKEND LD_PRELOAD
# A loaded machine makes sampling dearer; the rates that tests ask for shall hold all the same.
export STROBE_MAX_COST=0

skip()
{
    echo "$*"
    exit 77
}

[ -x "$strobe" ] && "$strobe" help 2>&1 | grep -q 'record' || skip "this build has no strobe record"

ok()
{
    echo "ok: $*"
}

bad()
{
    echo "BAD: $*"
    failures=$((failures + 1))
}

# check WHAT COMMAND…: the command succeeds.
check()
{
    what=$1
    shift
    if "$@" >"$tmp/check.out" 2>&1; then
        ok "$what"
    else
        bad "$what"
        sed 's/^/    /' "$tmp/check.out" | head -20
    fi
}

# by_chance WHAT FUNCTION [ARG…]: the function measures and judges, with a line on what it found. An
# honest figure is outside of three standard errors once in 370 times, and a machine that others
# use as well may stop us anywhere: what is wrong is wrong three times.
by_chance()
{
    what=$1
    shift
    for attempt in 1 2 3; do
        if line=$("$@"); then
            ok "$what: $line"
            return 0
        fi
        [ $attempt = 3 ] || echo "again: $what: $line"
    done
    bad "$what: $line"
    return 1
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

finish()
{
    echo "$failures failures"
    [ "$failures" = 0 ]
    exit
}

# perf_event, timer and noperf are the ways a back end is chosen: what the kernel gives, the option
# for tests, and a kernel that refuses perf_event to the recorder and all it starts. noclock is one
# that refuses timers, too.
backends="perf timer noperf"

have_perf()
{
    "$programs/storm" 0 --control >/dev/null 2>&1
}

# record BACKEND HZ PROFILE CMD…: runs it, with strobe's own words in $tmp/strobe.err.
record()
{
    backend=$1 hz=$2 profile=$3
    shift 3
    case $backend in
    timer) STROBE_BACKEND=timer "$strobe" record -F "$hz" -o "$profile" -- "$@" ;;
    noclock) "$programs/noperf" --timers "$strobe" record -F "$hz" -o "$profile" -- "$@" ;;
    noperf) "$programs/noperf" "$strobe" record -F "$hz" -o "$profile" -- "$@" ;;
    *) "$strobe" record -F "$hz" -o "$profile" -- "$@" ;;
    esac 2>"$tmp/strobe.err"
}

# Samples a second that a back end can get: timers expire on the scheduler's tick, of 100 to 1000
# Hz.
tick_hz()
{
    if [ "$1" = perf ] && have_perf; then
        echo 10000
    else
        echo 100
    fi
}

folded()
{
    "$strobe" folded -sample_index=cpu "$1"
}

# near BACKEND HZ PROFILE TRUTH: the profile's nanoseconds and shares are the truth's.
near()
{
    folded "$3" >"$tmp/folded" || return 1
    awk -v hz="$2" -v tick_hz="$(tick_hz "$1")" -v totals_only="${totals_only:-0}" \
        -f "$here/compare.awk" "$4" "$tmp/folded"
}

# rooted PROFILE: at least 99.9 % of the samples reach a root.
rooted()
{
    "$strobe" raw "$1" | awk -f "$here/roots.awk" >"$tmp/roots" || return 1
    cat "$tmp/roots"
    awk '/^samples/ { exit !($2 > 0 && $4 >= $2 * 0.999) }' "$tmp/roots"
}

# measured WHAT BACKEND HZ CMD…: records the command, whose output is its truth, and compares.
measured()
{
    what=$1
    shift
    by_chance "$what" measure "$@"
}

measure()
{
    backend=$1 hz=$2
    shift 2
    if record "$backend" "$hz" "$tmp/measured.pb.gz" "$@" >"$tmp/truth"; then
        near "$backend" "$hz" "$tmp/measured.pb.gz" "$tmp/truth"
    else
        echo "the program failed under strobe: $(head -5 "$tmp/strobe.err")"
        return 1
    fi
}
