# SPDX-License-Identifier: MIT
#
# For the tests of `strobe suite`: a folder of definitions and a state of its own, and a server that
# is nowhere, so that nothing of the user's is read or written. Tests that need a program which is
# not installed skip.
strobe=$1/strobe
source=$2
here=$(mktemp -d)
mkdir "$here/suites" "$here/tmp" "$here/state"
export STROBE_SUITES="$here/suites" TMPDIR="$here/tmp" STATE_DIRECTORY="$here/state"
unset STROBE_SERVER
trap 'rm -rf "$here"' EXIT
if command -v curl >/dev/null && curl -s -o /dev/null http://127.0.0.1:7070/; then
    echo "a server answers at port 7070, where these tests want none: skipped"
    exit 77
fi

fail()
{
    echo "FAIL: $*" >&2
    [ ! -s "$here/out" ] || cat "$here/out" >&2
    exit 1
}

# suite ARG…: runs it, output in $here/out, status in $status.
suite()
{
    status=0
    "$strobe" suite "$@" >"$here/out" 2>&1 || status=$?
}

says()
{
    grep -q -e "$1" "$here/out" || fail "it does not say: $1"
}

needs()
{
    for program in "$@"; do
        command -v "$program" >/dev/null || {
            echo "skipped: $program is not installed"
            exit 77
        }
    done
}

# No folder, no process with our folder in its environment or arguments.
nothing_is_left()
{
    [ -z "$(ls -A "$here/tmp")" ] || fail "folders are left: $(ls -A "$here/tmp")"
    for p in /proc/[0-9]*; do
        [ "${p#/proc/}" != $$ ] || continue
        if cat "$p/cmdline" 2>/dev/null | tr '\0' '\n' | grep -q "$here/tmp/strobe-suite" ||
            readlink "$p/cwd" 2>/dev/null | grep -q "^$here/tmp/strobe-suite"; then
            fail "a process is left: $(tr '\0' ' ' <"$p/cmdline")"
        fi
    done
}

# definition NAME: standard input is what stands behind the keys that all need.
definition()
{
    {
        printf 'name: %s\nsummary: a test\nlanguage: C\ninstall: [pack-a, pack-b]\n' "$1"
        cat
    } >"$here/suites/$1.yaml"
}
