#!/bin/sh
# SPDX-License-Identifier: MIT
# libstrobe preloaded into programs that know nothing of it: profiles where they are asked for, the
# same program otherwise.
. "$(dirname "$0")/../record/lib.sh"
unset STROBE_MAX_COST # the programs look at their environment
library=$build/libstrobe.so
ending=$programs/ending

# preload SETTING… -- CMD…: runs the command with the settings; its output is in $tmp/out, err.
preload()
{
    settings="LD_PRELOAD=$library"
    while [ "$1" != -- ]; do
        settings="$settings $1"
        shift
    done
    shift
    # shellcheck disable=SC2086 # settings are words
    timeout 60 env $settings "$@" >"$tmp/out" 2>"$tmp/err"
}

for backend in auto timer; do
    for how in return exit _exit quick_exit abort segv term; do
        rm -f "$tmp/p.pb.gz"
        timeout 60 "$ending" 1 $how >/dev/null 2>&1
        want=$?
        preload STROBE=cpu STROBE_HZ=1000 STROBE_BACKEND=$backend "STROBE_OUT=$tmp/p.pb.gz" \
            -- "$ending" 100 $how
        same "$backend: $how: status" $want $?
        same "$backend: $how: output" "done" "$(cat "$tmp/out")"
        "$strobe" top "$tmp/p.pb.gz" >"$tmp/top" 2>&1
        check "$backend: $how: profile" grep -q burn_until "$tmp/top"
    done
    preload STROBE=cpu "STROBE_OUT=$tmp/no.pb.gz" "STROBE_BACKEND=$backend" -- "$ending" 50 kill
    same "$backend: killed: status" 137 $?
done

cd "$tmp" || exit 1
rm -f ./*.pb.gz
preload STROBE=cpu -- "$ending" 50 return
check "without STROBE_OUT: the file has the program's name" sh -c 'ls ending.[0-9]*.cpu.pb.gz'
preload STROBE=cpu "STROBE_OUT=$tmp/%e-%k-%%-%x.pb.gz" -- "$ending" 50 return
check "names are expanded" test -s "$tmp/ending-cpu-%-%x.pb.gz"

# What is asked wrongly is said once, and the program runs.
preload STROBE=help -- "$ending" 1 return
same "help: the program runs" 7 $?
for name in STROBE STROBE_HZ STROBE_OUT STROBE_BACKEND STROBE_SEED; do
    check "help: has $name" grep -q "^  $name " "$tmp/err"
done
same "help: not on standard output" "done" "$(cat "$tmp/out")"
for wrong in STROBE=bogus STROBE= STROBE_HZ=abc STROBE_HZ=0 STROBE_HZ=10001 STROBE_HZ=-5 \
    STROBE_HZ=100x STROBE_HZ= STROBE_BACKEND=nothing STROBE_SEED=x STROBE_OUT=; do
    rm -f "$tmp/w.pb.gz"
    preload STROBE=cpu "STROBE_OUT=$tmp/w.pb.gz" $wrong -- "$ending" 1 return
    same "$wrong: the program runs" 7 $?
    same "$wrong: its output" "done" "$(cat "$tmp/out")"
    same "$wrong: one sentence" 1 "$(wc -l <"$tmp/err")"
    check "$wrong: named" grep -q "^libstrobe: $wrong is not valid" "$tmp/err"
    check "$wrong: no profile" test ! -e "$tmp/w.pb.gz"
done
preload STROBE=cpu STROBE_OUT=/no/such/folder/x -- "$ending" 1 return
same "unwritable: the program runs" 7 $?
check "unwritable: said" grep -q /no/such/folder/x "$tmp/err"

# The environment of the program and of its children, and the profiles of these.
preload STROBE=cpu "STROBE_OUT=$tmp/e.%p.pb.gz" A=1 -- sh -c 'env; echo; env | grep -c STROBE'
check "the program does not see STROBE" sh -c "! grep -q '^STROBE' '$tmp/out'"
check "nor LD_PRELOAD" sh -c "! grep -q '^LD_PRELOAD' '$tmp/out'"
rm -f "$tmp"/e.*
preload STROBE=cpu "STROBE_OUT=$tmp/e.%e.%p.pb.gz" -- sh -c "'$ending' 50 return; '$ending' 50 exit"
same "children write profiles of their own" 2 "$(ls "$tmp" | grep -c '^e.ending')"
for f in "$tmp"/e.ending.*; do
    check "a child's profile" sh -c "'$strobe' top '$f' | grep -q burn_until"
done
# A profile is its owner's alone, whatever the umask; so is the recorder's memory, without a name.
(
    umask 0
    preload STROBE=cpu "STROBE_OUT=$tmp/mode.pb.gz" -- "$ending" 50 return
    "$strobe" record -o "$tmp/recorded.pb.gz" -- sh -c 'ls -l /proc/$PPID/fd/ >"$1"; stat -Lc %a \
        $(ls -d /proc/$PPID/fd/* | while read -r f; do
            case $(readlink $f) in /memfd:*) echo $f ;; esac; done) >"$2"' sh \
        "$tmp/fds" "$tmp/modes" 2>/dev/null
)
same "preloaded: mode of the profile" 600 "$(stat -c %a "$tmp/mode.pb.gz")"
same "recorded: mode of the profile" 600 "$(stat -c %a "$tmp/recorded.pb.gz")"
same "recorded: mode of the segment" 600 "$(sort -u "$tmp/modes")"
check "recorded: the segment has no name in a file system" grep -q 'memfd:' "$tmp/fds"

# Beside other libraries that stand before the same functions, in either order.
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -1)
for other in "$programs/interposer.so" $jemalloc; do
    for chain in "$library:$other" "$other:$library"; do
        for row in "burn_cpu|stress churn 400" "burn_cpu|stress fork_threads 20" \
            "burn_cpu|stress spawn" "burn_cpu|stress_signals own_signals" \
            "fall|stress_throw 0.2"; do
            case=${row#*|}
            # shellcheck disable=SC2086 # words
            timeout 60 env LD_PRELOAD="$other" "$programs/"$case >"$tmp/want" 2>/dev/null
            want=$?
            rm -f "$tmp"/chain.*
            # shellcheck disable=SC2086
            timeout 60 env LD_PRELOAD="$chain" STROBE=cpu STROBE_HZ=1000 \
                "STROBE_OUT=$tmp/chain.%p.pb.gz" "$programs/"$case >"$tmp/out" 2>"$tmp/err"
            got=$?
            what="$(basename "${chain%:*}") before $(basename "${chain#*:}"): $case"
            same "$what: status" $want $got
            check "$what: output" cmp "$tmp/want" "$tmp/out"
            check "$what: profile" sh -c "'$strobe' folded '$tmp'/chain.* | grep -q ${row%%|*}"
        done
        env INTERPOSER=1 LD_PRELOAD="$chain" STROBE=cpu "STROBE_OUT=$tmp/chain.pb.gz" \
            "$programs/stress" many_threads 20 >/dev/null 2>"$tmp/err"
        case $other in *interposer.so)
            same "$chain: what goes through it" "interposer: 20 threads" "$(cat "$tmp/err")" ;;
        esac
    done
    rm -f "$tmp"/chain.*
    LD_PRELOAD=$other "$strobe" record -F 1000 -o "$tmp/chain.pb.gz" -- "$programs/stress" spawn \
        >"$tmp/out" 2>/dev/null
    LD_PRELOAD=$other "$programs/stress" spawn >"$tmp/want"
    check "recorded with $(basename "$other"): output" cmp "$tmp/want" "$tmp/out"
    check "recorded with $(basename "$other"): profile" sh -c \
        "'$strobe' folded '$tmp/chain.pb.gz' | grep -q burn_cpu"
done
[ -n "$jemalloc" ] || echo "left out: jemalloc (package libjemalloc2)"

# Nothing asked for: nothing done.
preload -- sh -c 'echo "$LD_PRELOAD"; ls /proc/self/fd | wc -l; cat /proc/self/timers'
sh -c 'echo "$LD_PRELOAD"; ls /proc/self/fd | wc -l; cat /proc/self/timers' >"$tmp/want"
check "preloaded and idle: as without" cmp "$tmp/want" "$tmp/out"
finish
