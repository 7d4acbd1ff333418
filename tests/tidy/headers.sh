#!/bin/sh
# SPDX-License-Identifier: MIT
# headers.sh TREE: each public header compiles alone, and twice, as C99 and as C++ with what
# compilers there are; each internal header compiles alone as our own C.
set -eu
cd "$1"
failed=0
checked=0

alone() # HEADER COMPILER… : one translation unit that is nothing but the header
{
    header=$1
    shift
    checked=$((checked + 1))
    printf '#include "%s"\n#include "%s"\nextern int something;\n' "$header" "$header" |
        "$@" -fsyntax-only - || {
        echo "$header does not compile alone: $*"
        failed=1
    }
}

for header in include/strobe/*.h; do
    for cc in gcc clang; do
        command -v $cc >/dev/null || continue
        alone "${header#include/}" $cc -std=c99 -Wall -Wextra -Wpedantic -Werror -Iinclude -x c
    done
    for cxx in g++ clang++; do
        command -v $cxx >/dev/null || continue
        alone "${header#include/}" $cxx -std=c++11 -Wall -Wextra -Wpedantic -Werror -Iinclude -x c++
    done
done
for header in include/strobe/*.hpp; do
    for cxx in g++ clang++; do
        command -v $cxx >/dev/null || continue
        alone "${header#include/}" $cxx -std=c++11 -Wall -Wextra -Wpedantic -Werror -Iinclude -x c++
    done
done
for header in src/*/*.h; do
    alone "${header#src/}" gcc -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter \
        -Wno-missing-field-initializers -Werror -Iinclude -Isrc -x c
done
echo "$checked compilations"
[ "$checked" -gt 4 ] && exit "$failed"
echo "there were no headers to check"
exit 1
