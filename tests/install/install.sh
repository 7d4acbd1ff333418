#!/bin/sh
# SPDX-License-Identifier: MIT
# install.sh SOURCE BUILD: what `meson install` puts down is whole: a stranger's program is compiled
# with what pkg-config says, shared and static, and writes a profile that the installed strobe
# reads; the installed `strobe record` finds its library.
set -u
source=$1 build=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
fail()
{
    echo "$*"
    exit 1
}

DESTDIR=$tmp/root meson install -C "$build" --no-rebuild --quiet >"$tmp/log" 2>&1 || {
    cat "$tmp/log"
    fail "meson install failed"
}
strobe=$(find "$tmp/root" -path '*/bin/strobe')
library=$(find "$tmp/root" -name libstrobe.so)
archive=$(find "$tmp/root" -name libstrobe.a)
pc=$(find "$tmp/root" -name strobe.pc)
[ -x "$strobe" ] || fail "bin/strobe is missing"
[ -h "$library" ] || fail "libstrobe.so is missing or no link"
[ -e "$(dirname "$library")/libstrobe.so.0" ] || fail "libstrobe.so.0 is missing"
[ -f "$(dirname "$library")/libstrobe.so.0.1.0" ] || fail "libstrobe.so.0.1.0 is missing"
[ -f "$archive" ] || fail "libstrobe.a is missing"
[ -f "$pc" ] || fail "strobe.pc is missing"
find "$tmp/root" -name strobe.h | grep -q include/strobe/ ||
    fail "include/strobe/strobe.h is missing"
find "$tmp/root" -name 'strobe.1*' | grep -q man1 || echo "no man page: scdoc is not installed"
find "$tmp/root" -name LICENSE | grep -q . || fail "the licence is missing"

unset STROBE STROBE_LIB LD_PRELOAD
export PKG_CONFIG_PATH="${pc%/*}" PKG_CONFIG_SYSROOT_DIR="$tmp/root"
flags=$(pkg-config --cflags --libs strobe) || fail "pkg-config does not know strobe"

# read_profile FILE: the example's hottest function is in it by name.
read_profile()
{
    "$strobe" top "$1" >"$tmp/top" 2>&1 || { cat "$tmp/top"; return 1; }
    grep -q by_digit_sum "$tmp/top" || { cat "$tmp/top"; return 1; }
}

for cc in gcc clang; do
    command -v $cc >/dev/null || continue
    # shellcheck disable=SC2086 # flags are words
    $cc -O1 -g -o "$tmp/shared" "$source/examples/embed.c" $flags ||
        fail "$cc: shared: does not link"
    (cd "$tmp" && LD_LIBRARY_PATH=${library%/*} ./shared) || fail "$cc: shared: does not run"
    read_profile "$tmp/cpu.pb.gz" || fail "$cc: shared: its profile does not show its work"
    rm "$tmp/cpu.pb.gz"

    # The archive alone, with the symbols of a user that would clash with internal ones of ours.
    printf 'int arena_init, buf_puts, profile_encode, ring_push;\n' >"$tmp/clash.c"
    # shellcheck disable=SC2046
    $cc -O1 -g -o "$tmp/static" "$source/examples/embed.c" "$tmp/clash.c" \
        $(pkg-config --cflags strobe) "$archive" || fail "$cc: static: does not link"
    if readelf -d "$tmp/static" | grep -q strobe; then
        fail "$cc: static: needs the shared library"
    fi
    (cd "$tmp" && ./static) || fail "$cc: static: does not run"
    read_profile "$tmp/cpu.pb.gz" || fail "$cc: static: its profile does not show its work"
    rm "$tmp/cpu.pb.gz"
done

"$strobe" record -o "$tmp/r.pb.gz" -- sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done' \
    2>"$tmp/err" || { cat "$tmp/err"; fail "the installed strobe record failed"; }
"$strobe" top "$tmp/r.pb.gz" | grep -q 'flat%' || fail "the installed strobe's profile has no top"
echo "installed, compiled, linked both ways, run, read"
