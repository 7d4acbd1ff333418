#!/bin/sh
# SPDX-License-Identifier: MIT
# handlers.sh TREE BUILD [LIST]: objects whose code runs in a signal handler (LIST, else
# handler-objects.txt beside this script) need only each other and the names that list allows.
set -eu
tree=$1 build=$2
list=${3:-$(dirname "$0")/handler-objects.txt}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Meson puts the object of src/unwind/step.c at src/unwind/libunwind.a.p/step.c.o.
sed -n 's/^\([^# ]*\.c\) *$/\1/p' "$list" | while read -r pattern; do
    found=
    for source in "$tree"/$pattern; do
        name=${source#"$tree"/}
        for object in "$build/$(dirname "$name")"/*.p/"$(basename "$name")".o; do
            [ -f "$object" ] || continue
            found=1
            echo "$object"
        done
    done
    [ -n "$found" ] || echo "handler-objects.txt: no object for $pattern" >>"$tmp/missing"
done >"$tmp/objects"
if [ -s "$tmp/missing" ]; then
    cat "$tmp/missing"
    exit 1
fi
if [ ! -s "$tmp/objects" ]; then
    echo "handler-objects.txt names no source yet"
    exit 77
fi

sed -n 's/^allow \([^ ]*\) ..*/\1/p' "$list" >"$tmp/allowed"
xargs nm --defined-only -g <"$tmp/objects" | awk 'NF == 3 { print $3 }' >>"$tmp/allowed"
failed=0
while read -r object; do
    nm -u "$object" | awk '{ print $2 }' | grep -vxF -f "$tmp/allowed" >"$tmp/bad" || true
    while read -r name; do
        echo "${object#"$build"/}: needs $name, which no handler may call"
        failed=1
    done <"$tmp/bad"
done <"$tmp/objects"
echo "$(wc -l <"$tmp/objects") objects"
exit "$failed"
