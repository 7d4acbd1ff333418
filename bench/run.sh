#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh BUILD [--short] [NAME…]: runs all of bench/, or what is named, and prints tables. Each
# figure stands beside the peer's of the same run, as a ratio; nothing here passes or fails.
set -u
build=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
short=
names=
for argument in "$@"; do
    case $argument in
    --short) short=--short ;;
    -*)
        echo "usage: ./dev bench [--short] [NAME…]" >&2
        exit 2
        ;;
    *) names="$names $argument" ;;
    esac
done

printf '# %s, %s CPUs, Linux %s, %s\n' "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)" \
    "$(nproc)" "$(uname -r)" "$(date -u +%Y-%m-%d)"
for bench in "$here"/*.bench.sh "$build"/bench/bench_*; do
    [ -f "$bench" ] && [ -x "$bench" ] || continue
    name=$(basename "$bench" .bench.sh)
    name=${name#bench_}
    case " $names " in
    "  " | *" $name "*) ;;
    *) continue ;;
    esac
    printf '\n## %s\n\n' "$name"
    case $bench in
    *.sh) sh "$bench" "$build" $short ;;
    *) "$bench" $short ;;
    esac
done
