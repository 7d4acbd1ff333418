#!/bin/sh
# SPDX-License-Identifier: MIT
# Whose allocator it is, times how a process goes on: the C library's, jemalloc with its calls that
# know sizes, a program's own that has only the four classic functions, and a plugin that calls past
# all (RTLD_DEEPBIND); each through every kind of fork, exec, lack of memory, a full /dev/shm and
# filters of system calls. Nothing differs from the run without strobe, no process writes into
# another's profile, and what the profile says of allocations is right or it says why it cannot.
. "$(dirname "$0")/lib.sh"
unset STROBE_MAX_COST # the programs look at their environment
library=$build/libstrobe.so
source=$here/../programs/allocators.c
flags="-D_GNU_SOURCE -O2 -g -Wall -Wextra -fno-builtin"

cat >"$tmp/plugin.c" <<'END'
#include <stdlib.h>
void *plugin_make(size_t n);
void plugin_drop(void *p);
__attribute__((noipa)) void *plugin_make(size_t n) { return malloc(n); }
__attribute__((noipa)) void plugin_drop(void *p) { free(p); }
END
# shellcheck disable=SC2086 # flags are words
gcc $flags -shared -fPIC -o "$tmp/plugin.so" "$tmp/plugin.c" &&
    gcc $flags -o "$tmp/glibc" "$source" && gcc $flags -DOWN -o "$tmp/own" "$source" ||
    skip "gcc does not compile the programs"
cp "$tmp/glibc" "$tmp/plugged"
kinds="glibc plugged own"
jemalloc=$(ls /usr/lib/*/libjemalloc.so.2 2>/dev/null | head -1)
if [ -n "$jemalloc" ]; then
    # shellcheck disable=SC2086
    gcc $flags -DJEMALLOC -o "$tmp/jemalloc" "$source" "$jemalloc" && kinds="$kinds jemalloc"
else
    echo "left out: jemalloc (package libjemalloc2)"
fi

# A /dev/shm of its own that is full, for one command.
full_shm()
{
    unshare -m sh -c 'mount -t tmpfs -o size=16k none /dev/shm || exit 77
        cat /dev/zero >/dev/shm/full 2>/dev/null
        exec "$@"' sh "$@"
}

# run HOW PROGRAM…
run()
{
    how=$1
    shift
    case $how in
    shm) full_shm timeout 60 "$@" fork ;;
    *) timeout 60 "$@" "$how" ;;
    esac
}

# objects FUNCTION FILE…: how many it allocated.
objects()
{
    name=$1
    shift
    "$strobe" folded -sample_index=alloc_objects "$@" 2>/dev/null |
        awk -v f=";$name(;| )" '$0 ~ f { s += $NF } END { print s + 0 }'
}

# What one round of by_parent or by_child allocates where libstrobe can see it.
objects_of()
{
    case $1 in
    glibc) echo 21360 ;;
    plugged) echo 17080 ;; # without the plugin's
    jemalloc) echo 22720 ;;
    esac
}

# wanted HOW N: the objects of parent and child in each process's profile, sorted.
wanted()
{
    case $1 in
    fork | _Fork | clone | shm) printf '0 %d\n%d 0\n' "$2" $((2 * $2)) ;;
    vfork | spawn) printf '%d %d\n%d 0\n' "$2" "$2" $((2 * $2)) ;;
    filter | kill) echo "$2 0" ;; # what came before the filter
    strict) echo "$((2 * $2)) 0" ;;
    esac
}

# profiles KIND: those numbers.
profiles()
{
    for file in "$tmp/out.d/$1".heap.*; do
        echo "$(objects by_parent "$file") $(objects by_child "$file")"
    done | sort -n
}

hows="fork _Fork clone vfork spawn limit shm filter kill strict"
unshare -m true 2>/dev/null || {
    hows=$(echo "$hows" | sed 's/ shm//')
    echo "left out: a full /dev/shm, which takes the right to mount"
}
for kind in $kinds; do
    program=$tmp/$kind
    if [ "$kind" = plugged ]; then # the plugin's name comes behind how
        program=$tmp/with_plugin
        printf '#!/bin/sh\nexec "%s" "$1" "%s"\n' "$tmp/plugged" "$tmp/plugin.so" >"$program"
        chmod 755 "$program"
    fi
    for how in $hows; do
        run "$how" "$program" >"$tmp/plain" 2>&1
        want=$?
        for rate in 1 4096; do
            rm -rf "$tmp/out.d" && mkdir "$tmp/out.d"
            what="$kind, $how, rate $rate"
            run "$how" env "LD_PRELOAD=$library" STROBE=cpu,heap,block,mutex \
                "STROBE_HEAP_RATE=$rate" "STROBE_OUT=$tmp/out.d/%e.%k.%p" "$program" >"$tmp/out" \
                2>"$tmp/err"
            same "$what: status" $want $?
            check "$what: output" cmp "$tmp/plain" "$tmp/out"
            case $kind:$rate:$how in
            own:*) check "$what: says why" grep -q "brings its own malloc" "$tmp/err" ;;
            *:limit) ;; # what was to be had is in it, or not
            *:1:*)
                same "$what: each process's allocations in its own profile" \
                    "$(wanted "$how" "$(objects_of "$kind")")" "$(profiles "$kind")"
                ;;
            esac
        done
    done
done
finish
