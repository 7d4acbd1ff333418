#!/bin/sh
# SPDX-License-Identifier: MIT
# What cannot be recorded is said in a sentence, with the status a shell would give, and before the
# program has started where that can be known.
. "$(dirname "$0")/lib.sh"

# refused WHAT STATUS WORDS CMD…: strobe fails with the status and says the words (a pattern).
refused()
{
    what=$1 status=$2 words=$3
    shift 3
    "$@" >"$tmp/out" 2>"$tmp/err"
    same "$what: exit status" "$status" "$?"
    if grep -Eqi "$words" "$tmp/err"; then
        ok "$what: says so"
    else
        bad "$what: said '$(cat "$tmp/err")', which has none of '$words'"
    fi
    if [ -e "$tmp/started" ]; then
        bad "$what: the program was started"
        rm -f "$tmp/started"
    fi
}

refused "no such program" 127 "not found|no such" \
    "$strobe" record -o "$tmp/x.pb.gz" -- no-such-program-anywhere
refused "no such file" 127 "not found|no such" "$strobe" record -o "$tmp/x.pb.gz" -- "$tmp/nothing"
printf 'plain text\n' >"$tmp/text"
refused "not executable" 126 "permission|executable" \
    "$strobe" record -o "$tmp/x.pb.gz" -- "$tmp/text"
refused "a folder" 126 "permission|executable|director" "$strobe" record -o "$tmp/x.pb.gz" -- "$tmp"
refused "no command" 2 "usage|command" "$strobe" record
refused "an unknown option" 2 "option|usage" "$strobe" record --no-such-option -- true
refused "a rate of nothing" 2 "rate|-F|10,?000|Hz" "$strobe" record -F 0 -- touch "$tmp/started"
refused "a rate too high" 2 "rate|-F|10,?000|Hz" "$strobe" record -F 10001 -- touch "$tmp/started"
refused "a rate that is no number" 2 "rate|-F|number" \
    "$strobe" record -F ten -- touch "$tmp/started"

# An output that cannot be written is found before hours of work are lost.
"$strobe" record -o "$tmp/no/such/folder/x.pb.gz" -- touch "$tmp/started" 2>"$tmp/err"
same "output not writable: fails" 1 "$(($? != 0))"
check "output not writable: names it" grep -q no/such/folder "$tmp/err"
check "output not writable: the program was not started" test ! -e "$tmp/started"
"$strobe" record -o "$tmp" -- touch "$tmp/started" 2>"$tmp/err"
same "output is a folder: fails" 1 "$(($? != 0))"
check "output is a folder: the program was not started" test ! -e "$tmp/started"

# Programs that the dynamic linker does not load us into. They run or not, but strobe says why there
# is no profile of theirs.
printf 'int main(void) { return 0; }\n' >"$tmp/static.c"
if gcc -static -o "$tmp/static" "$tmp/static.c" 2>/dev/null; then
    "$strobe" record -o "$tmp/static.pb.gz" -- "$tmp/static" 2>"$tmp/err"
    check "static: says so" grep -Eqi "static" "$tmp/err"
fi
gcc -o "$tmp/setuid" "$tmp/static.c"
if [ "$(id -u)" = 0 ] && chown nobody "$tmp/setuid" && chmod 4755 "$tmp/setuid"; then
    "$strobe" record -o "$tmp/setuid.pb.gz" -- "$tmp/setuid" 2>"$tmp/err"
    check "setuid: says so" grep -Eqi "set-?(user|u)-?id" "$tmp/err"
fi
finish
