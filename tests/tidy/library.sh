#!/bin/sh
# SPDX-License-Identifier: MIT
# library.sh LIBRARY [ARCHIVE]: libstrobe needs only libc, exports only what its user or an
# interposer needs, and takes little of the space every thread shares.
set -eu
library=$1 archive=${2:-}
interposed=$(dirname "$0")/interposed.txt
failed=0

complain()
{
    echo "$*"
    failed=1
}

# Names that are neither ours nor another library's that we stand before.
foreign()
{
    sed 's/@.*//' | grep -v '^strobe_' | grep -vxF -f "$interposed" || true
}

for needed in $(readelf -dW "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
    case $needed in
    libc.so.* | ld-linux*.so.*) ;;
    *) complain "$library needs $needed; it may need libc only" ;;
    esac
done
for name in $(nm -D --defined-only "$library" | awk '$2 != "A" { print $3 }' | foreign); do
    complain "$library exports $name, which is neither strobe_* nor in interposed.txt"
done
nm -D --defined-only "$library" | grep -q ' strobe_' || complain "$library exports no strobe_*"
if readelf -dW "$library" | grep -q TEXTREL; then
    complain "$library has text relocations"
fi
# dlopen gives libraries a small reserve of static thread-local space: 256 bytes are our share.
tls=$(readelf -lW "$library" | awk '$1 == "TLS" { print $6 }')
if [ $((${tls:-0})) -gt 256 ]; then
    complain "$library has $((tls)) bytes of static TLS; 256 are the limit"
fi
if [ -n "$archive" ]; then
    for name in $(nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' | foreign); do
        complain "$archive defines $name, which could clash with a user's"
    done
fi
[ "$failed" = 0 ] && echo "$library: libc only, strobe_* and interposed names only"
exit "$failed"
