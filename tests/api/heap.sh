#!/bin/sh
# SPDX-License-Identifier: MIT
# Heap profiles of programs that know what they allocate: exact at rate 1, unbiased at others; and
# programs which do what breaks allocation profilers.
. "$(dirname "$0")/../record/lib.sh"
library=$build/libstrobe.so
heap=$programs/heap
runs=${2:-100}

# preload RATE FILE CMD…
preload()
{
    rate=$1 file=$2
    shift 2
    timeout 120 env "LD_PRELOAD=$library" STROBE=heap "STROBE_HEAP_RATE=$rate" \
        "STROBE_OUT=$file" "$@"
}

# near RATE RUNS FILE…: each of the four sample types is the program's own count.
near()
{
    rate=$1 count=$2
    shift 2
    column=2
    for type in alloc_objects alloc_space inuse_objects inuse_space; do
        "$strobe" folded -sample_index=$type "$@" >"$tmp/folded" || return 1
        awk -v rate="$rate" -v runs="$count" -v column=$column \
            -f "$(dirname "$0")/heap_compare.awk" "$tmp/truth" "$tmp/folded" || return 1
        column=$((column + 1))
    done
}

"$heap" truth 10000 >"$tmp/truth"
preload 1 "$tmp/one.pb.gz" "$heap" truth 10000 >"$tmp/out"
same "rate 1: the program's output" "$(cat "$tmp/truth")" "$(cat "$tmp/out")"
check "rate 1: exact" near 1 1 "$tmp/one.pb.gz"
check "rate 1: every stack reaches its root" \
    sh -c '"$1" comments "$2" | grep -q " 0 truncated"' - "$strobe" "$tmp/one.pb.gz"

for rate in 4096 65536; do
    seed=1
    while [ $seed -le "$runs" ]; do
        STROBE_SEED=$seed preload $rate "$tmp/r$seed.pb.gz" "$heap" truth 2000 >"$tmp/truth"
        seed=$((seed + 1))
    done
    check "rate $rate: unbiased over $runs runs" near $rate "$runs" "$tmp"/r[0-9]*.pb.gz
    rm -f "$tmp"/r[0-9]*.pb.gz
done

# At one rate after the other, as the program wishes: each sample weighs by that of its time.
changes=$((runs < 30 ? runs : 30)) seed=1
while [ $seed -le $changes ]; do
    STROBE_SEED=$seed timeout 60 "$build/tests/api/use_heap" "$tmp/r$seed.pb.gz" >"$tmp/truth"
    same "rates that change: status" 0 $?
    seed=$((seed + 1))
done
check "rates that change: unbiased over $changes runs" near 1 $changes "$tmp"/r[0-9]*.pb.gz
"$strobe" folded -sample_index=alloc_objects "$tmp"/r*.pb.gz >"$tmp/folded"
check "rates that change: nothing of before, nor of rate 0" \
    sh -c '! grep -Eq ";(before|none)(;| )" "$1"' - "$tmp/folded"
check "rates that change: it says so" \
    sh -c '"$1" comments "$2" | grep -q "at other rates before"' - "$strobe" "$tmp/r1.pb.gz"
rm -f "$tmp"/r[0-9]*.pb.gz

# The label is the size of the objects, as in Go's profiles.
"$strobe" tags "$tmp/one.pb.gz" >"$tmp/tags" 2>&1
check "sizes are labels" grep -q "bytes: Total" "$tmp/tags"

# What breaks allocation profilers, at each way of looking objects up.
for rate in 1 4096 40000 524288; do
    for mode in "functions 300" "threads 8" "short 500" "fork 200" "child 100" "limited 400" \
        "temporary 1000"; do
        # shellcheck disable=SC2086 # mode is a mode and a number
        preload $rate "$tmp/%p.pb.gz" "$heap" $mode >"$tmp/out" 2>"$tmp/err"
        same "rate $rate: $mode" "0 ok" "$? $(tail -1 "$tmp/out")"
        rm -f "$tmp"/[0-9]*.pb.gz
    done
done

# A forked child has a profile of its own, in which is what it allocated.
preload 1 "$tmp/c.%p.pb.gz" "$heap" child 100 >/dev/null
same "two processes, two profiles" 2 "$(ls "$tmp"/c.*.pb.gz | wc -l)"
for file in "$tmp"/c.*.pb.gz; do
    "$strobe" folded -sample_index=inuse_objects "$file"
done | awk '/;small /{s += $NF} /;cleared /{c += $NF} END {print s+0, c+0}' >"$tmp/both"
same "and each has its own" "1 100" "$(cat "$tmp/both")"

# The profile of the peak: what was in use then, not what is left at the end.
STROBE_HEAP_PEAK=1 preload 1 "$tmp/peak.pb.gz" "$heap" threads 1 >/dev/null
peak=$("$strobe" folded -sample_index=inuse_space "$tmp/peak.pb.gz" |
    awk '{s += $NF} END {print s}')
said=$("$strobe" comments "$tmp/peak.pb.gz" | sed -n 's/^# peak in use: \([0-9]*\) bytes/\1/p')
same "the peak's profile adds up to the peak" "$said" "$peak"

# A program with an allocator of its own is left alone, and told.
cat >"$tmp/own.c" <<'END'
#include <stddef.h>
static char memory[1 << 20];
static size_t used;
void *malloc(size_t n) { void *p = memory + used; used += (n + 31) & ~15ul; return p; }
void *calloc(size_t n, size_t k) { return malloc(n * k); }
void *realloc(void *p, size_t n) { char *q = malloc(n); for (size_t i = 0; p && i < n; i++)
    q[i] = ((char *)p)[i]; return q; }
void free(void *p) { (void)p; }
int main(void) { free(malloc(10)); return 5; }
END
gcc -w -rdynamic -fno-builtin -o "$tmp/own" "$tmp/own.c"
preload 1 "$tmp/own.pb.gz" "$tmp/own" 2>"$tmp/err"
same "its own allocator: status" 5 $?
check "its own allocator: told" grep -q "brings its own malloc" "$tmp/err"

# Other allocators underneath: jemalloc and tcmalloc, and their calls with sizes.
for other in libjemalloc.so.2 libtcmalloc.so.4; do
    path=$(ldconfig -p | awk -v n=$other '$1 == n { print $NF; exit }')
    [ -n "$path" ] || { echo "skipped: $other is not installed"; continue; }
    for rate in 1 40000 524288; do
        for mode in "functions 100" "threads 4" "fork 50"; do
            # shellcheck disable=SC2086
            timeout 60 env "LD_PRELOAD=$library $path" STROBE=heap STROBE_HEAP_RATE=$rate \
                "STROBE_OUT=$tmp/j.%p.pb.gz" "$heap" $mode >"$tmp/out" 2>"$tmp/err"
            same "$other, rate $rate: $mode" "0 ok" "$? $(tail -1 "$tmp/out")"
            rm -f "$tmp"/j.*.pb.gz
        done
    done
done

# Operators new and delete: libstdc++'s, and those that other allocators bring, each counted once.
if command -v g++ >/dev/null; then
    g++ -std=c++17 -O1 -o "$tmp/new" "$here/use_new.cc" 2>"$tmp/err" || bad "use_new compiles"
    for other in libc.so.6 libjemalloc.so.2 libtcmalloc.so.4; do
        path=$(ldconfig -p | awk -v n=$other '$1 == n { print $NF; exit }')
        [ -n "$path" ] || { echo "skipped: $other is not installed"; continue; }
        for rate in 1 4096 524288; do
            timeout 60 env "LD_PRELOAD=$library $path" STROBE=heap STROBE_HEAP_RATE=$rate \
                STROBE_SEED=1 "STROBE_OUT=$tmp/new.pb.gz" "$tmp/new" >"$tmp/truth"
            same "operator new, $other, rate $rate: status" 0 $?
            [ $rate -gt 4096 ] || check "operator new, $other, rate $rate" \
                near $rate 1 "$tmp/new.pb.gz"
        done
    done
else
    echo "skipped: g++ is not installed"
fi
finish
