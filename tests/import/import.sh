#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Profiles in other formats than profile.proto: what strobe reads of each, as -raw prints it. Those
# of formats that google/pprof reads were printed by it, so that both read the same.
#
# usage: import.sh STROBE SAMPLES        compare SAMPLES/NAME with expected/NAME
#        import.sh STROBE SAMPLES renew  write expected/: by pprof what it reads, else by STROBE
set -u
strobe=${1:?usage: import.sh STROBE SAMPLES [renew]} samples=${2:?}
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME="$scratch" XDG_CONFIG_HOME="$scratch" TZ=UTC LC_ALL=C.UTF-8 NO_COLOR=1
unset PPROF_BINARY_PATH PPROF_TOOLS DEBUGINFOD_URLS
cd "$samples" || exit 1

if [ "${3:-}" = renew ]; then
    for name in *; do
        pprof -raw -symbolize=none "$name" >"$scratch/got" 2>/dev/null ||
            "$strobe" raw -symbolize=none "$name" >"$scratch/got" || continue
        cp "$scratch/got" "$here/expected/$name"
    done
    exit 0
fi
n=0 bad=0
for expected in "$here"/expected/*; do
    name=${expected##*/}
    n=$((n + 1))
    if ! "$strobe" raw -symbolize=none "$name" >"$scratch/got" 2>&1; then
        bad=$((bad + 1))
        echo "$name cannot be read: $(cat "$scratch/got")"
    elif ! cmp -s "$expected" "$scratch/got"; then
        bad=$((bad + 1))
        echo "$name is read differently:"
        diff "$expected" "$scratch/got" | head -10
    fi
done
# Compressed they are the same.
for name in chrome_trace firefox folded heap_go; do
    gzip -c "$name" >"$scratch/$name.gz"
    "$strobe" raw -symbolize=none "$scratch/$name.gz" >"$scratch/got" 2>&1
    if ! cmp -s "$here/expected/$name" "$scratch/got"; then
        bad=$((bad + 1))
        echo "$name is read differently when it is compressed"
    fi
done
# What pprof cannot read, its command line cannot either.
for name in folded perf_script jemalloc cpuprofile callgrind heaptrack chrome_trace speedscope \
    firefox; do
    if "$strobe" pprof -raw "$name" >"$scratch/got" 2>&1 ||
        ! grep -q "^$name: parsing profile: unrecognized profile format$" "$scratch/got"; then
        bad=$((bad + 1))
        echo "strobe pprof does not refuse $name: $(head -2 "$scratch/got")"
    fi
done
echo "$n formats, $bad wrong"
[ $n -gt 0 ] && [ $bad = 0 ]
