#!/bin/sh
# SPDX-License-Identifier: MIT
# matrix.sh STEP SOURCE COMPILER: builds SOURCE in many ways with COMPILER and steps through each
# build. One that the compiler cannot make is named and left out.
set -u
step=$1 source=$2 compiler=$3
command -v "$compiler" >/dev/null || { echo "no $compiler here"; exit 77; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
status=77
while read -r flags; do
    # shellcheck disable=SC2086
    if ! "$compiler" -w $flags "$source" -o "$tmp/frames" 2>"$tmp/why"; then
        echo "$compiler $flags: left out: $(head -1 "$tmp/why")"
        continue
    fi
    "$step" "$tmp/frames" >"$tmp/out"
    ret=$?
    echo "$compiler $flags: $(cat "$tmp/out")"
    [ $ret = 77 ] && exit 77
    [ $status = 77 ] && status=0
    [ $ret = 0 ] || status=1
done <<'END'
-O0
-O1
-O2
-O3
-Os
-O2 -fno-omit-frame-pointer
-O2 -no-pie
-O2 -static -Wl,--eh-frame-hdr
-O2 -fcf-protection=none -fstack-protector-all
-O3 -flto
-O3 -mavx2 -fstack-clash-protection
-O2 -fno-plt -Wl,-z,now
END
exit $status
