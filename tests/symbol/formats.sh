#!/bin/sh
# SPDX-License-Identifier: MIT
# formats.sh CHECKER SOURCES LANGUAGE: builds one body in many ways; the checker looks at each.
set -u
checker=$1 sources=$2 language=$3
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
failed=0 ran=0

have() { command -v "$1" >/dev/null 2>&1; }

# check MODE NAME
check() {
    ran=$((ran + 1))
    "$checker" "$1" "$dir/$2" 2>"$dir/log" || {
        echo "FAILED: $1 of: $what"
        cat "$dir/log"
        failed=1
    }
}

# try MODE COMPILER FLAG…: what a compiler does not know is passed over, said aloud.
try() {
    mode=$1
    shift
    what=$*
    if ! "$@" "$sources/$body" -o "$dir/program" 2>"$dir/log"; then
        echo "not here: $what: $(head -n 1 "$dir/log")"
        return
    fi
    check "$mode" program
}

# As distributions do: the program stripped, its symbols in a file of their own.
separate() {
    what="$*, separate debug file"
    "$@" "$sources/$body" -o "$dir/program" || return
    objcopy --only-keep-debug "$dir/program" "$dir/program.debug"
    strip "$dir/program"
    objcopy --add-gnu-debuglink="$dir/program.debug" "$dir/program"
    check lines program
    what="$*, in .debug"
    mkdir -p "$dir/.debug"
    mv "$dir/program.debug" "$dir/.debug/"
    check lines program
    # Another build's debug file under the right name is not believed.
    what="$*, wrong debug file"
    "$@" -DOTHER -Wl,--build-id=0x1234567890 "$sources/$body" -o "$dir/other"
    objcopy --only-keep-debug "$dir/other" "$dir/.debug/program.debug"
    check stripped program
    rm -r "$dir/.debug"
}

matrix() {
    for level in -O0 -O1 -O2 -O3; do
        try lines "$1" $level -g
    done
    for flags in '-gdwarf-2' '-gdwarf-3' '-gdwarf-4' '-gdwarf-5' '-g -gz' '-g -gdwarf64' \
        '-g -no-pie -fno-pie' '-g -static' '-g -static-pie' '-g -flto' '-g -fuse-ld=gold' \
        '-g -fuse-ld=lld' '-g -ffunction-sections -Wl,--gc-sections' \
        '-g -Wl,-z,noseparate-code' '-g -Wl,-z,max-page-size=0x200000' '-g -fdebug-types-section' \
        '-g -fcf-protection' '-g -mcmodel=large'; do
        # shellcheck disable=SC2086 # several flags
        try lines "$1" -O2 $flags
    done
    try names "$1" -O2
    try names "$1" -O2 -no-pie -fno-pie
    try lines "$1" -O2 -g -gsplit-dwarf
    try stripped "$1" -O2 -s
    try stripped "$1" -O2 -s -no-pie -fno-pie
    try stripped "$1" -O2 -s -static
    try stripped "$1" -O2 -s -Wl,-z,noseparate-code
    separate "$1" -O2 -g
    separate "$1" -O2 -g -Wl,--build-id=none
    if have dwz; then
        what="$1 and dwz"
        "$1" -O2 -g "$sources/$body" -o "$dir/program" && dwz "$dir/program" && check lines program
    fi
}

cd "$dir" || exit 1
case $language in
c) body=body.c compilers='gcc clang' ;;
c++) body=body_cc.cc compilers='g++ clang++' ;;
rust) body=body_rs.rs compilers=rustc ;;
esac
for compiler in $compilers; do
    have "$compiler" || continue
    if [ "$language" = rust ]; then
        for flags in '' '-g' '-O' '-O -g' '-g -C symbol-mangling-version=v0' \
            '-C strip=debuginfo'; do
            # shellcheck disable=SC2086 # several flags
            try names rustc $flags
        done
    else
        matrix "$compiler"
    fi
done
[ $ran -gt 0 ] || {
    echo "no compiler for $language here"
    exit 77
}
echo "$ran programs"
exit $failed
