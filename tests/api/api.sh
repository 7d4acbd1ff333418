#!/bin/sh
# SPDX-License-Identifier: MIT
# A program that uses the C API gets what <strobe/strobe.h> promises, with every sampling clock.
. "$(dirname "$0")/../record/lib.sh"
use=$build/tests/api/use

# percent NAME PROFILE: the share of CPU time in stacks with that function.
percent()
{
    folded "$2" | awk -v name="$1" '
        { total += $NF; if (index($0, name)) in_it += $NF }
        END { printf "%d\n", total ? 100 * in_it / total : -1 }'
}

# share NAME LOW HIGH PROFILE: it is between the two.
share()
{
    got=$(percent "$1" "$4")
    if [ "$got" -ge "$2" ] && [ "$got" -le "$3" ]; then
        ok "$what: $1 has $got %"
    else
        bad "$what: $1 has $got %, not $2 to $3"
        "$strobe" folded "$4" | sed 's/^/    /' | head
    fi
}

use()
{
    what="$backend: $1"
    check "$what" timeout 60 "$use" "$@"
}

for backend in auto timer; do
    export STROBE_BACKEND=$backend
    p=$tmp/$backend.pb.gz
    use file "$p"
    share burn_one 12 54 "$p"
    share burn_two 46 88 "$p"
    use writer "$p"
    share burn_one 12 54 "$p"
    share burn_two 46 88 "$p"
    use failing "$p"
    share burn_two 46 88 "$p"
    use twice "$p"
    share burn_one 70 100 "$p"
    use badly "$tmp"
    use threads "$p"
    for name in burn_old burn_new burn_c11; do
        share $name 12 54 "$p"
    done
    use again "$p"
    share burn_two 46 88 "$p"
    use errno "$p"
    use load "$p"
    mkdir "$tmp/$backend"
    use elsewhere "$tmp/$backend"
    share burn_one 70 100 "$tmp/$backend/relative.pb.gz"

    pids=$(timeout 60 "$use" fork "$tmp/$backend/fork.%p.pb.gz") || bad "$backend: fork"
    what="$backend: fork"
    same "$what: files" 2 "$(ls "$tmp/$backend" | grep -c fork)"
    share burn_one 12 54 "$tmp/$backend/fork.${pids% *}.pb.gz"
    share burn_two 46 88 "$tmp/$backend/fork.${pids% *}.pb.gz"
    share burn_child 70 100 "$tmp/$backend/fork.${pids#* }.pb.gz"
    share burn_one 0 5 "$tmp/$backend/fork.${pids#* }.pb.gz"
    # Without %p the file is the parent's alone.
    timeout 60 "$use" fork "$p" >/dev/null || bad "$backend: fork without %p"
    what="$backend: fork without %p"
    share burn_child 0 0 "$p"
    share burn_two 46 88 "$p"

    # SIGALRM comes from the kernel, not from a process.
    for end in exit:7 _exit:7 _Exit:7 quick_exit:7 abort:134 segv:139 term:143 alarm:142 reset:143 \
        system:130; do
        what="$backend: ${end%:*}"
        rm -f "$p"
        sh -c '"$@"; exit $?' sh timeout 60 "$use" end "$p" "${end%:*}" >/dev/null 2>&1
        same "$what: status" "${end#*:}" "$?"
        share burn_one 60 100 "$p"
    done
done
unset STROBE_BACKEND

# Linked and unused: nothing but standard streams.
check "unused: no thread, no timer, no descriptor, no handler" \
    "$use" nothing "$(($(ls /proc/self/fd | wc -l) - 1))"
STROBE_HZ=250 timeout 60 "$use" twice "$tmp/hz.pb.gz"
check "the rate can be set from outside" \
    sh -c "'$strobe' raw '$tmp/hz.pb.gz' | grep -q 'strobe.*250 Hz'"
timeout 60 "$strobe" record -o "$tmp/r.pb.gz" -- "$use" twice "$tmp/x.pb.gz" >"$tmp/out" 2>&1
check "under strobe record a start is refused" grep -q "strobe record" "$tmp/out"
finish
