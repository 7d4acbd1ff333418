#!/bin/sh
# SPDX-License-Identifier: MIT
# What a system may withhold: clocks, libc's search for modules, memory for an allocator of one's
# own. The program is the same, and its profile is right or says what it lacks.
. "$(dirname "$0")/lib.sh"
unset STROBE_MAX_COST # the programs look at their environment

# run SETTING… -- CASE…: records a stress program, beside a run of it without strobe.
run()
{
    settings=STROBE_MAX_COST=0
    while [ "$1" != -- ]; do
        settings="$settings $1"
        shift
    done
    shift
    program=$programs/$1
    shift
    # shellcheck disable=SC2086 # settings are words
    $plainly timeout 60 env $theirs "$program" "$@" >"$tmp/plain" 2>/dev/null
    plain=$?
    rm -f "$tmp/p.pb.gz"
    # shellcheck disable=SC2086
    $under timeout 60 env $settings $theirs "$strobe" record -F 1000 -o "$tmp/p.pb.gz" -- \
        "$programs/cputime" "$tmp/cpu" "$program" "$@" >"$tmp/out" 2>"$tmp/strobe.err"
    same "$what: exit status" $plain $?
    check "$what: output" cmp "$tmp/plain" "$tmp/out"
}

# holds FUNCTION TASKS: the profile has the kernel's CPU time, and the function.
holds()
{
    echo "tasks $(($2 + 3))" >>"$tmp/cpu"
    line=$(near timer 1000 "$tmp/p.pb.gz" "$tmp/cpu")
    same "$what: CPU time: $line" 0 $?
    check "$what: has $1" grep -q "$1" "$tmp/folded"
}

plainly= under= theirs=

# Neither perf_event nor timers: one timer for the process.
for case in "burn_cpu|5|stress fork" "burn_cpu|9|stress spawn" "burn_cpu|32|stress exec_chain 30" \
    "burn_cpu|201|stress many_threads" "case_jit|1|stress_code jit" \
    "threads not sampled|1|stress_signals own_timers"; do
    what="no clock: ${case##*|}" plainly="$programs/noperf --timers" under=$plainly
    # shellcheck disable=SC2046 # words
    run -- ${case##*|}
    rest=${case#*|}
    holds "${case%%|*}" "${rest%%|*}"
done
check "no clock: said" sh -c "'$strobe' raw '$tmp/p.pb.gz' | grep -q 'one profiling timer'"

# An image that is started by machine code, past libc: no event of ours may be left for it. SIGTRAP
# is, and kills; so the manual names the clocks which go with such programs.
plainly= under=
for backend in signal timer; do
    what="exec past libc, $backend" && run STROBE_BACKEND=$backend -- stress asm_exec 40
done

# No signal may be queued, which timers need and perf_event does not.
plainly= under="prlimit --sigpending=0"
what="no pending signals" && run STROBE_BACKEND=timer -- stress fork && holds burn_cpu 5

# A container without /proc: the segment is asked for, names of programs are what they were called.
if [ "$(id -u)" = 0 ] && unshare -m umount -l /proc 2>/dev/null; then
    cat >"$tmp/noproc" <<'SH'
umount -l /proc || exit 77
exec "$@"
SH
    for case in "burn_cpu|5|stress fork" "burn_cpu|9|stress spawn" \
        "burn_cpu|201|stress many_threads"; do
        what="no /proc: ${case##*|}" under="unshare -m sh $tmp/noproc"
        # shellcheck disable=SC2046
        run -- ${case##*|}
        rest=${case#*|}
        holds "${case%%|*}" "${rest%%|*}"
        check "$what: nothing unrecorded" sh -c "! grep -q 'not recorded' '$tmp/folded'"
    done
    unshare -m sh "$tmp/noproc" env LD_PRELOAD="$build/libstrobe.so" STROBE=cpu STROBE_HZ=1000 \
        "STROBE_OUT=$tmp/alone.pb.gz" "$programs/stress" child >/dev/null
    check "no /proc, preloaded: has burn_cpu" sh -c \
        "'$strobe' folded '$tmp/alone.pb.gz' | grep -q 'main;.*burn_cpu'"
else
    echo "no /proc: needs root"
fi

# glibc before 2.35: the table of modules.
under=
for case in "case_calls|1|stress_code calls" "case_vdso|1|stress_code vdso" \
    "burn_cpu|5|stress fork" "plugin_burn|3|stress_code dlopen $programs/stress_plugin.so"; do
    for backend in auto timer; do
        what="no search for modules, $backend: ${case##*|}"
        theirs="LD_PRELOAD=$programs/no_find_object.so"
        # shellcheck disable=SC2046
        run STROBE_BACKEND=$backend -- ${case##*|}
        rest=${case#*|}
        holds "${case%%|*}" "${rest%%|*}"
        "$strobe" raw "$tmp/p.pb.gz" | awk '/ samples, .* truncated/ {
            sub(/^Comment: /, ""); print $1, $5; exit }' >"$tmp/counts"
        read -r samples cut <"$tmp/counts"
        # What dlopen brings is looked for in the handler that meets it, but not while another is at
        # work: in a storm of them, one stack in ten may come too early.
        case $case in *dlopen*) most=$((samples / 10)) ;; *) most=1 ;; esac
        check "$what: $cut of $samples truncated" test "$cut" -le $most
    done
done
finish
