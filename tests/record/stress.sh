#!/bin/sh
# SPDX-License-Identifier: MIT
# What has broken profilers: each program behaves exactly as without strobe, and has its profile.
# stress.sh BUILD [TIMES [BACKENDS [CASE…]]]; each case runs TIMES times on each back end. Ends with
# a table: runs, runs that differed, profiles that were off, stacks that did not reach a root.
. "$(dirname "$0")/lib.sh"
unset STROBE_MAX_COST # the programs look at their environment
times=${2:-1} chosen=${3:-$backends}
[ $# -le 3 ] && set --
[ $# = 0 ] || shift 3

# NAME | what must be in the profile | tasks (threads and processes) | command.
# "-" in the second column: there is no profile of it, but what it does is the same.
cases()
{
    cat <<CASES
fork|burn_cpu|5|stress fork
fork with threads|churn_memory|44|stress fork_threads
exec with empty environment|burn_cpu|8|stress exec_empty
exec chain|burn_cpu|32|stress exec_chain 30
posix_spawn, vfork, system, popen|burn_cpu|9|stress spawn
daemon that closes all|burn_cpu|any|stress daemon
close loop, closefrom, close_range|burn_cpu|7|stress close_all
8 descriptors|burn_cpu|9|stress few_descriptors
16 KB threads|burn_cpu|41|stress small_stacks
200 threads|burn_cpu|201|stress many_threads
thread churn|burn_cpu|2001|stress churn
raw clone thread|burn_cpu|2|stress raw_clone
thread older than main|burn_cpu|2|stress early_thread
cancel, pthread_exit|burn_cpu|22|stress thread_ends
rights dropped|burn_cpu|6|stress drop_rights
rights dropped, then exec|case_child|2|stress drop_and_exec
chroot|burn_cpu|4|stress chroot
seccomp: errno|burn_cpu|1|stress seccomp 0
seccomp: kill|burn_cpu|1|stress seccomp 1
seccomp(2): kill|burn_cpu|1|stress seccomp 2
seccomp, all threads: kill|burn_cpu|1|stress seccomp 3
seccomp: strict|burn_cpu|1|stress seccomp_strict
_exit|burn_cpu|1|stress end 0
quick_exit|burn_cpu|1|stress end 1
abort|burn_cpu|1|stress end 2
_Exit|burn_cpu|1|stress end 3
exit_group by syscall(2)|burn_cpu|1|stress end 4
fault|burn_cpu|1|stress end 16
handlers on 64 KB|burn_rounds|3|stress_signals altstack 64
handlers on 8 KB|on_alternate|3|stress_signals altstack 8
all signals blocked|burn_cpu|3|stress_signals blocked
own SIGPROF and timers|burn_cpu|1|stress_signals own_timers
own SIGURG and SIGTRAP|burn_cpu|1|stress_signals own_signals
siglongjmp|burn_rounds|1|stress_signals jumps
exec with signals blocked|burn_cpu|2|stress_signals pending_exec
handlers reset by number|burn_cpu|21|stress_signals reset
C++ throw|fall|5|stress_throw 0.4
coroutines|coroutine|1|stress_code coroutines
longjmp|descend|1|stress_code longjmp
vdso|case_vdso|1|stress_code vdso
PLT, callbacks, tail calls|case_calls|1|stress_code calls
noreturn tail|ends_in_call|1|stress_code noreturn
JIT with frame pointers|case_jit|1|stress_code jit
dlopen storm|plugin_burn|3|stress_code dlopen $programs/stress_plugin.so
CET: calls|case_calls|1|stress_code_cet calls
CET: coroutines|coroutine|1|stress_code_cet coroutines
CET: longjmp|descend|1|stress_code_cet longjmp
no .eh_frame: calls|case_calls|1|stress_code_bare calls
no .eh_frame: noreturn|never_returns|1|stress_code_bare noreturn
no .eh_frame: JIT|case_jit|1|stress_code_bare jit
setuid|-|1|setuid fork
$(for s in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 23 24 25 26 27 29 30 31 34 64; do
        echo "death by $s|burn_cpu|1|stress die $s"
    done)
CASES
}

# A setuid program of another user, which the system loads no library into.
make_setuid()
{
    chmod 755 "$tmp"
    cp "$programs/stress" "$tmp/setuid" && chown nobody "$tmp/setuid" 2>/dev/null &&
        chmod 4755 "$tmp/setuid"
}

# command WORD…: the words with the program's place before the first.
run_case()
{
    program=$1
    shift
    case $program in
    setuid) set -- sh -c '"$@"; exit $?' sh "$tmp/setuid" "$@" ;; # from a shell: as a child
    *) set -- "$programs/$program" "$@" ;;
    esac
    timeout 60 ${prefix:+$prefix} "$@"
}

# under BACKEND: the prefix that records; its own words in $tmp/strobe.err.
under()
{
    set -- "$1" "$strobe record -F 1000 -o $tmp/p.pb.gz -- $programs/cputime $tmp/cpu"
    set -- "$1" "env STROBE_MAX_COST=0 $2"
    case $1 in
    timer) echo "env STROBE_BACKEND=timer $2" ;;
    noperf) echo "$programs/noperf $2" ;;
    noclock) echo "$programs/noperf --timers $2" ;;
    *) echo "$2" ;;
    esac
}

# One recorded run of the case: its status, output and profile against what they should be.
one()
{
    rm -f "$tmp/p.pb.gz" "$tmp/cpu"
    prefix=$(under "$backend") run_case "$@" >"$tmp/out" 2>"$tmp/strobe.err"
    status=$?
    if [ $status != "$plain_status" ] || ! cmp -s "$tmp/out" "$tmp/plain"; then
        differed=$((differed + 1))
        echo "$label: status $status, not $plain_status" | tee -a "$tmp/reasons"
        diff "$tmp/plain" "$tmp/out" | head -5
        grep -v '^strobe:' "$tmp/strobe.err" | head -5
        return
    fi
    [ "$function" != - ] || return
    # Besides its own: cputime, and what no sample stands for.
    if [ "$tasks" = any ]; then
        echo "tasks any" >>"$tmp/cpu"
    else
        echo "tasks $((tasks + 3))" >>"$tmp/cpu"
    fi
    # What nobody waits for is not in the kernel's sum.
    [ "$tasks" != any ] || sed 's/^total .*/total 205000000/; s/any/20/' -i "$tmp/cpu"
    line=$(near "$backend" 1000 "$tmp/p.pb.gz" "$tmp/cpu") && grep -q "$function" "$tmp/folded" || {
        off=$((off + 1))
        echo "$label: profile: $line, $(grep -c "$function" "$tmp/folded") stacks with $function" |
            tee -a "$tmp/reasons"
        head -3 "$tmp/strobe.err"
    }
    "$strobe" raw "$tmp/p.pb.gz" |
        awk '/ samples, .* lost, .* truncated/ {
            sub(/^Comment: /, "")
            print $1, $3, $5
            exit
        }' >"$tmp/counts"
    read -r n lost truncated <"$tmp/counts" || n=0 lost=0 truncated=0
    samples=$((samples + n)) all_lost=$((all_lost + lost)) cut=$((cut + truncated))
}

# wanted LABEL PATTERN…: no pattern, or one that is part of the label.
wanted()
{
    [ $# -gt 1 ] || return 0
    whole=$1
    shift
    for part in "$@"; do
        case $whole in *"$part"*) return 0 ;; esac
    done
    return 1
}

row()
{
    printf '| %-34s | %-6s | %5s | %8s | %4s | %8s | %5s | %9s |\n' "$@"
}

row case "back end" runs differed off samples lost truncated
row --- --- ---: ---: ---: ---: ---: ---:
make_setuid || echo "setuid is left out: this needs root"
cases >"$tmp/cases"
while IFS='|' read -r label function tasks words <&3; do
    wanted "$label" "$@" || continue
    case $words in
    setuid*) [ -u "$tmp/setuid" ] || continue ;;
    *drop_and_exec)
        setpriv --reuid 65534 --clear-groups test -r "$build/libstrobe.so" 2>/dev/null || {
            echo "$label: left out: not everybody may read $build"
            continue
        }
        ;;
    esac
    for backend in $chosen; do
        prefix=
        case $backend in
        noperf) prefix=$programs/noperf ;;
        noclock) prefix="$programs/noperf --timers" ;;
        esac
        # shellcheck disable=SC2086 # the words are a command
        run_case $words >"$tmp/plain" 2>/dev/null
        plain_status=$?
        [ $plain_status != 77 ] || {
            echo "$label: $(cat "$tmp/plain")"
            continue
        }
        : >"$tmp/reasons"
        differed=0 off=0 samples=0 all_lost=0 cut=0 i=0 runs=$times
        while [ $i -lt $runs ]; do
            i=$((i + 1))
            # shellcheck disable=SC2086
            one $words
            # One that is off among few may be by chance: two more must not be.
            [ $i != "$times" ] || [ $off != 1 ] || [ "$times" -ge 50 ] || runs=$((times + 2))
        done
        row "$label" "$backend" $runs $differed $off $samples $all_lost $cut
        # A run in 370 may be outside of three standard errors; one stack in a thousand has no root.
        if [ $differed -gt 0 ] || [ $off -gt $((runs / 50 + (runs > times))) ] ||
            [ $((cut * 1000)) -gt $((samples + 1000)) ]; then
            bad "$label, $backend: $differed differed, $off off, $cut of $samples cut"
            sed 's/^/BAD: /' "$tmp/reasons" | tail -4
        fi
    done
done 3<"$tmp/cases"
finish
