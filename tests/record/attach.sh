#!/bin/sh
# SPDX-License-Identifier: MIT
# Sampled from outside by perf_event: programs that no library can be loaded into, and programs that
# run already. The same truth as with the library; nothing of what is sampled is changed.
. "$(dirname "$0")/lib.sh"
source=$here/../programs/truth.c
dynamic=$programs/truth-gcc-O2-nofp-pie
"$strobe" record -q -d 0.1 -o "$tmp/probe.pb.gz" -p $$ 2>"$tmp/strobe.err" ||
    skip "perf_event is refused here: $(cat "$tmp/strobe.err")"

comments()
{
    "$strobe" pprof -comments "$1" 2>/dev/null
}

# whole PROFILE: one stack in a thousand is truncated, with three standard errors more, none lost.
whole()
{
    comments "$1" | tee "$tmp/comments" |
        awk '/ samples, / { n = $1 / 1000; exit !($3 == 0 && $5 <= n + 3 * sqrt(n)) }' || {
        cat "$tmp/comments"
        return 1
    }
}

# wait_for FILE: until the program says that it has begun.
wait_for()
{
    for _ in $(seq 200); do
        [ -s "$1" ] && return 0
        sleep 0.05
    done
    return 1
}

# ---- statically linked ----

build_static()
{
    name=$1
    shift
    if ! "$@" -D_GNU_SOURCE -g -pthread "$source" -o "$tmp/$name" 2>"$tmp/log"; then
        echo "not here: $name: $(head -n 1 "$tmp/log")"
        return 1
    fi
    return 0
}

try_static()
{
    build_static "$@" || return
    measured "$name" perf 1000 "$tmp/$name" ratio 400
    check "$name: whole stacks" whole "$tmp/measured.pb.gz"
    check "$name: says how" grep -q 'from outside (statically linked)' "$tmp/strobe.err"
}

try_static static gcc -O2 -static
try_static static-table gcc -O2 -static -Wl,--eh-frame-hdr
try_static static-pie gcc -O2 -static-pie
try_static static-clang clang -O2 -static
try_static static-musl musl-gcc -O2 -static
if build_static static-deep gcc -O2 -static -no-pie; then
    measured "static: threads" perf 1000 "$tmp/static-deep" threads 600 4
    check "static: threads: whole stacks" whole "$tmp/measured.pb.gz"
    measured "static: 300 deep" perf 1000 "$tmp/static-deep" recursion 200
    check "static: 300 deep: whole stacks" whole "$tmp/measured.pb.gz"
    measured "static: children" perf 1000 "$tmp/static-deep" brief-children 400 20
    check "static: children are labelled" sh -c \
        "'$strobe' pprof -tags '$tmp/measured.pb.gz' 2>/dev/null | grep -q 'pid:'"
    strip -s "$tmp/static-deep"
    totals_only=1 measured "static: stripped" perf 1000 "$tmp/static-deep" ratio 400
fi
if build_static static-exits gcc -O2 -static; then
    printf 'int main(int c, char **v) { return c > 1 ? *(volatile int *)0 : 7; }\n' >"$tmp/exits.c"
    gcc -static -o "$tmp/exits" "$tmp/exits.c"
    record perf 100 "$tmp/exits.pb.gz" "$tmp/exits"
    same "static: exit status" 7 "$?"
    record perf 100 "$tmp/exits.pb.gz" "$tmp/exits" crash
    same "static: death by signal" 139 "$?"
fi

# ---- running programs ----

# attached MODE MS [COUNT]: samples a program of known ratio from just after its start on.
attached()
{
    "$dynamic" "$@" >"$tmp/truth" &
    target=$!
    "$strobe" record -F 1000 -o "$tmp/attached.pb.gz" -p $target 2>"$tmp/strobe.err"
    ours=$?
    wait $target
    theirs=$?
    # It began some time before, so only the shares are those of its whole life.
    sum=$(folded "$tmp/attached.pb.gz" | awk '{ s += $NF } END { print s + 0 }')
    factor=$(awk -v sum="$sum" '$1 == "total" { print sum / $2 }' "$tmp/truth")
    awk -v f="$factor" '{ $NF = $1 == "tasks" ? $NF : int($NF * f); print }' "$tmp/truth" \
        >"$tmp/scaled"
    near perf 1000 "$tmp/attached.pb.gz" "$tmp/scaled" && [ $ours = 0 ] && [ $theirs = 0 ]
}

by_chance "attached" attached ratio 1500
check "attached: stacks reach a root" rooted "$tmp/attached.pb.gz"
by_chance "attached: threads that come and go" attached threads 1500 6
check "attached: threads: stacks reach a root" rooted "$tmp/attached.pb.gz"

# The CPU time that the samples stand for is what the system says, however busy the machine is. Its
# clock may be a tick of the scheduler behind, and the recorder be kept waiting between the two.
"$dynamic" ratio 60000 >/dev/null &
target=$!
sleep 0.2
"$strobe" record -F 1000 -d 1.5 -o "$tmp/a.pb.gz" -p $target 2>"$tmp/strobe.err"
same "for a time: exit status" 0 "$?"
check "for a time: the program goes on" kill -0 $target
check "for a time: CPU time as the system has it" sh -c "
    sum=\$('$strobe' folded '$tmp/a.pb.gz' | awk '{ s += \$NF } END { print s / 1e9 }')
    '$strobe' pprof -comments '$tmp/a.pb.gz' | awk -v sum=\$sum '/CPU time by the system/ {
        t = \$7 + \$10; print sum, t; exit !(sum > t * 0.98 - 0.03 && sum < t * 1.02 + 0.03) }'"

# Ctrl-C ends the sampling, and not the program.
"$strobe" record -F 100 -o "$tmp/b.pb.gz" -p $target 2>"$tmp/strobe.err" &
recorder=$!
sleep 1
kill -INT $recorder
wait $recorder
same "SIGINT: exit status" 0 "$?"
check "SIGINT: the program goes on" kill -0 $target
check "SIGINT: the profile is there" sh -c "'$strobe' folded '$tmp/b.pb.gz' | grep -q burn_"

# Two at once, told apart by labels; one whose file was replaced meanwhile keeps its names.
cp "$dynamic" "$tmp/gone"
"$tmp/gone" ratio 60000 >/dev/null &
second=$!
sleep 0.3
rm "$tmp/gone"
"$strobe" record -F 500 -d 1.5 -o "$tmp/c.pb.gz" -p $target,$second 2>"$tmp/strobe.err"
for pid in $target $second; do
    "$strobe" pprof -traces -tagfocus="pid=^$pid\$" "$tmp/c.pb.gz" >"$tmp/traces" 2>&1
    check "two: the one with pid $pid has names" grep -q burn_four "$tmp/traces"
done
kill $target $second
wait $target $second 2>/dev/null

# Children that an attached process starts are followed.
sh -c 'while :; do "$0" ratio 200 >/dev/null; done' "$dynamic" &
target=$!
sleep 0.3
"$strobe" record -F 500 -d 2 -o "$tmp/d.pb.gz" -p $target 2>"$tmp/strobe.err"
check "children of an attached process" sh -c "'$strobe' folded '$tmp/d.pb.gz' | grep -q burn_four"
kill $target
wait $target 2>/dev/null

# So are those that run when it is, and theirs.
sh -c 'sh -c "\"$0\" ratio 60000 >/dev/null & wait" "$0" & echo $! >"$1"; wait' "$dynamic" \
    "$tmp/child" &
target=$!
wait_for "$tmp/child"
name=$(basename "$dynamic" | cut -c-15)
until grep -q "($name)" /proc/[0-9]*/stat 2>/dev/null; do sleep 0.05; done
"$strobe" record -F 500 -d 1 -o "$tmp/f.pb.gz" -p $target 2>"$tmp/strobe.err"
check "descendants that run already" sh -c "'$strobe' folded '$tmp/f.pb.gz' | grep -q burn_four"
kill $target "$(cat "$tmp/child")" "$(pgrep -P "$(cat "$tmp/child")")"
wait $target 2>/dev/null

# ---- code that is in no file ----

if command -v node >/dev/null; then
    printf 'function spinning(n) { let x = 0; for (let i = 0; i < n; i++) x = (x * 31 + i) | 0;
        return x; }\nfor (;;) spinning(1e6);\n' >"$tmp/spin.js"
    (cd "$tmp" && exec node --perf-basic-prof spin.js) &
    target=$!
    sleep 1.5
    "$strobe" record -F 500 -d 1.5 -o "$tmp/e.pb.gz" -p $target 2>"$tmp/strobe.err"
    kill $target
    wait $target 2>/dev/null
    rm -f "/tmp/perf-$target.map"
    check "a perf map's names" sh -c "'$strobe' folded '$tmp/e.pb.gz' | grep -q spinning"
fi
finish
