#!/bin/sh
# SPDX-License-Identifier: MIT
# The heap profile where it is hard: every allocation function there is, without bias over many
# seeds; pools, constructors and age; forks, threads and modules that come and go while it is on;
# no memory, no disk, no standard error. Loops are short; STROBE_FULL=1 runs them in full.
. "$(dirname "$0")/lib.sh"
heap=$programs/heap every=$programs/heap_every
library=$build/libstrobe.so
full=${STROBE_FULL:-0}

# few SHORT FULL: how often.
few()
{
    if [ "$full" = 1 ]; then echo "$2"; else echo "$1"; fi
}

preload()
{
    rate=$1 file=$2
    shift 2
    timeout 3000 env "LD_PRELOAD=$library" STROBE=heap "STROBE_HEAP_RATE=$rate" \
        "STROBE_OUT=$file" "$@"
}

# exact FILE: each of the four sample types is $tmp/truth.
exact()
{
    column=2
    for type in alloc_objects alloc_space inuse_objects inuse_space; do
        "$strobe" folded -sample_index=$type "$1" >"$tmp/folded" || return 1
        awk -v rate=1 -v runs=1 -v column=$column -f "$here/../api/heap_compare.awk" \
            "$tmp/truth" "$tmp/folded" || return 1
        column=$((column + 1))
    done
}

"$every" 50 leak >"$tmp/truth"
preload 1 "$tmp/e.pb.gz" "$every" 50 leak >/dev/null
check "rate 1: every function is exact" exact "$tmp/e.pb.gz"
"$every" 50 >"$tmp/truth"
preload 1 "$tmp/e.pb.gz" "$every" 50 >/dev/null
check "rate 1: all that was freed is gone" exact "$tmp/e.pb.gz"

# Bias: the mean of the seeds, for each function and for all. Within four standard errors of chance;
# over the full number of seeds also within 1 %.
seeds=$(few 6 100) objects=$(few 2000 60000)
"$every" "$objects" >"$tmp/truth"
seed=1
: >"$tmp/sums"
while [ "$seed" -le "$seeds" ]; do
    STROBE_SEED=$seed preload 4096 "$tmp/b.pb.gz" "$every" "$objects" >/dev/null
    "$strobe" folded -sample_index=alloc_space "$tmp/b.pb.gz" >>"$tmp/sums"
    seed=$((seed + 1))
done
awk -v seeds="$seeds" -v full="$full" '
    FNR == NR { want[$1] = $3; count[$1] = $2; next }
    { for (name in want) if (index($0, ";" name " ") || index($0, ";" name ";")) got[name] += $NF }
    END {
        for (name in want) {
            mean = want[name] / count[name]
            q = 1 - exp(-(mean + 1) / 4096)
            error = mean * sqrt(count[name] * (1 - q) / q / seeds)
            off = got[name] / seeds - want[name]
            bad = off > 4 * error || -off > 4 * error
            bad = bad || (full && (off > want[name] / 100 || -off > want[name] / 100))
            printf "%s %s: %+.3f %% (one standard error: %.3f %%)\n", bad ? "BAD" : "ok", name,
                100 * off / want[name], 100 * error / want[name]
            all += off; sum += want[name]; failed += bad
        }
        printf "all: %+.4f %%\n", 100 * all / sum
        exit failed > 0
    }' "$tmp/truth" "$tmp/sums" >"$tmp/bias"
same "no bias over $seeds seeds" 0 $?
cat "$tmp/bias"

# What is allocated before our constructor; pools; age.
cat >"$tmp/early.c" <<'END'
#include <stdlib.h>
char *early[1000];
__attribute__((noipa)) void early_make(void)
{
    for (int i = 0; i < 1000; i++)
        early[i] = malloc(100);
}
__attribute__((constructor)) static void begin(void) { early_make(); }
END
cat >"$tmp/pool.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <strobe/strobe.h>
#include <unistd.h>
extern char *early[];
static char slab[100 * 64];
__attribute__((noipa)) static void *take(int i)
{
    strobe_alloc(slab + i * 64, 64, "nodes");
    return slab + i * 64;
}
__attribute__((noipa)) static char *block(void) { return malloc(640); }
int main(void)
{
    for (int i = 0; i < 100; i++)
        take(i);
    for (int i = 0; i < 40; i++)
        strobe_free(slab + i * 64);
    strobe_free(NULL);
    strobe_free(early[0]);
    char *b = block();
    strobe_alloc(b, 64, "inside");
    sleep(2);
    char *young = malloc(12345);
    return young == b;
}
END
gcc -shared -fPIC -O1 -o "$tmp/libearly.so" "$tmp/early.c"
gcc -O1 -fno-builtin -I"$here/../../include" -o "$tmp/pool" "$tmp/pool.c" -L"$tmp" -learly \
    -L"$build" -lstrobe -Wl,-rpath,"$tmp:$build"
"$strobe" record -q -e heap --heap-rate 1 -o "$tmp/p.pb.gz" -- "$tmp/pool"
same "pools: status" 0 $?
objects()
{
    "$strobe" folded -sample_index="$1" "$tmp/p.pb.gz" |
        awk -v f="$2" '$0 ~ "(^|;)" f " " { s += $NF } END { print s + 0 }'
}
same "before our constructor: counted" 1000 "$(objects inuse_objects early_make)"
same "pools: allocated" 100 "$(objects alloc_objects take)"
same "pools: in use" 60 "$(objects inuse_objects take)"
same "pools: the memory that they got" 1 "$(objects inuse_objects block)"
"$strobe" tags "$tmp/p.pb.gz" >"$tmp/tags" 2>&1
check "pools: their names are labels" grep -q "nodes" "$tmp/tags"
check "pools: inside an object of malloc's" grep -q "inside" "$tmp/tags"
"$strobe" traces -sample_index=inuse_objects "$tmp/p.pb.gz" >"$tmp/traces" 2>&1
check "age: two seconds" sh -c "grep -B3 early_make $tmp/traces | grep -Eq 'age: +[23]s'"
check "age: none yet" sh -c "grep -B2 'bytes: *12.06kB' $tmp/traces | grep -Eq 'age: +0'"

# What comes and goes.
n=$(few 300 10000)
preload 1 "$tmp/f.%p.pb.gz" "$heap" fork "$n" >"$tmp/out" 2>"$tmp/err"
same "fork in the middle of allocation, $n times" "0 ok" "$? $(tail -1 "$tmp/out")"
# Of many children on a busy machine a few have the number of one that has gone, and its file.
written=$(ls "$tmp" | grep -c '^f\..*\.pb\.gz$')
check "fork: a profile each: $written" test "$written" -gt $((n - n / 10))
find "$tmp" -name 'f.*.pb.gz' -delete
"$strobe" record -q -e heap --heap-rate 1 -o "$tmp/f.pb.gz" -- "$heap" fork "$(few 100 3000)" \
    >"$tmp/out" 2>"$tmp/err"
same "fork under strobe record" "0 ok" "$? $(tail -1 "$tmp/out")"
n=$(few 2000 100000)
for rate in 1 524288; do
    preload $rate "$tmp/t.pb.gz" "$heap" short "$n" >"$tmp/out" 2>"$tmp/err"
    same "$n short threads, rate $rate" "0 ok" "$? $(tail -1 "$tmp/out")"
done
preload 1 "$tmp/t.pb.gz" "$heap" short "$n" >/dev/null
same "and each allocation is there" "$n" "$("$strobe" folded -sample_index=alloc_objects \
    "$tmp/t.pb.gz" | awk '/;small /{ s += $NF } END { print s + 0 }')"
n=$(few 100 10000)
preload 1 "$tmp/d.pb.gz" "$every" "$n" plugin "$programs/stress_plugin.so" >"$tmp/out"
same "dlopen and dlclose, $n times" "0 ok" "$? $(tail -1 "$tmp/out")"
same "and what was allocated in between" "$n" "$("$strobe" folded -sample_index=alloc_objects \
    "$tmp/d.pb.gz" | awk '/;by_malloc /{ s += $NF } END { print s + 0 }')"

# Our own memory does not grow with what was allocated and freed.
own()
{
    preload 1 "$tmp/o.pb.gz" "$every" "$1" >/dev/null
    "$strobe" comments "$tmp/o.pb.gz" | sed -n 's/^# memory of the heap profile: \([0-9]*\) .*/\1/p'
}
few_own=$(own 100) many_own=$(own 50000)
echo "own memory: $few_own bytes after 2,200 allocations, $many_own after 1,100,000"
# Which pages of its tables are touched depends on addresses; a byte each would be a million.
check "own memory is bounded" test "$many_own" -le $((few_own + 65536))

# Nothing to be had.
for rate in 1 524288; do
    preload $rate "$tmp/l.pb.gz" "$heap" limited 300 >"$tmp/out" 2>"$tmp/err"
    same "out of memory, rate $rate" "0 ok" "$? $(tail -1 "$tmp/out")"
    preload $rate /dev/full "$heap" threads 2 >"$tmp/out" 2>"$tmp/err"
    same "full disk, rate $rate" "0 ok" "$? $(tail -1 "$tmp/out")"
    (exec 2>&-; preload $rate "$tmp/s.pb.gz" "$heap" threads 2 >"$tmp/out")
    same "closed stderr, rate $rate" "0 ok" "$? $(tail -1 "$tmp/out")"
    (exec 2>&-; preload $rate /nosuch/s.pb.gz "$heap" threads 2 >"$tmp/out")
    same "closed stderr and a bad name, rate $rate" "0 ok" "$? $(tail -1 "$tmp/out")"
done
finish
