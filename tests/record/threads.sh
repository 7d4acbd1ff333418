#!/bin/sh
# SPDX-License-Identifier: MIT
# Threads and children count in proportion, however many there are and however short they live.
# threads.sh BUILD [full]
. "$(dirname "$0")/lib.sh"
truth=$programs/truth-gcc-O2-nofp-pie
children=200 briefs=2000
[ "${2:-}" != full ] || { children=2000 briefs=20000; }

for backend in $backends; do
    if [ $backend = perf ] && ! have_perf; then
        echo "perf: this kernel refuses perf_event"
        continue
    fi
    measured "$backend: 2 threads" $backend 100 "$truth" threads 3000 2
    measured "$backend: 200 threads" $backend 100 "$truth" threads 3000 200
    check "$backend: 200 threads: stacks reach a root" rooted "$tmp/measured.pb.gz"
    measured "$backend: $briefs threads of 3 ms" $backend 100 \
        "$truth" brief-threads $((briefs * 3)) $briefs
    measured "$backend: $children children of 3 ms" $backend 100 \
        "$truth" brief-children $((children * 3)) $children
done
finish
