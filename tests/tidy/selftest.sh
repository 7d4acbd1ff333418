#!/bin/sh
# SPDX-License-Identifier: MIT
# selftest.sh: the rules of sources.awk find what they are for, and nothing in a tree that is clean.
# Each case puts one offence into a clean tree and wants exactly that one report.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0

clean_tree()
{
    rm -rf "$tmp/tree" "$tmp/tables"
    mkdir -p "$tmp/tree/src/base" "$tmp/tree/src/profile" "$tmp/tables"
    cp "$here/layers.txt" "$tmp/tables/"
    : >"$tmp/tables/exceptions.txt"
    good_c >"$tmp/tree/src/profile/good.c"
}

good_c()
{
    cat <<'C'
/* SPDX-License-Identifier: MIT
 *
 * A file as it should be: it says what it owns, why, and what it may not do. */
#include "profile/profile.h"
#include "base/arena.h"

#include <stdio.h>

static const char name[] = "/tmp/strobe.XXXXXX";

static int five(int a, int (*b)(int, int), struct arena *c, const char *d, long e)
{
    return a + b(1, 2) + !c + !d + (int)e + !name[0];
}
C
}

# expect RULE: the tree is reported once, and for RULE. RULE "none" wants silence.
expect()
{
    status=0
    sh "$here/sources.sh" "$tmp/tree" "$tmp/tables" >"$tmp/out" || status=$?
    rules=$(sed -n 's/^[^:]*:[0-9]*: \([a-z]*\): .*/\1/p; s/^\(address\): .*/\1/p' "$tmp/out")
    if [ "$1" = none ]; then
        [ "$status" = 0 ] && [ ! -s "$tmp/out" ] && return
    else
        [ "$status" = 1 ] && [ "$rules" = "$1" ] && return
    fi
    echo "$2: wanted the report '$1', got status $status and:"
    sed 's/^/    /' "$tmp/out"
    failed=1
}

bad="$tmp/tree/src/base/bad.c"
head='/* SPDX-License-Identifier: MIT
 *
 * Enough of an opening for a file that has one offence and no more than one. */'

lines() # COUNT: that many statements
{
    awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "    use(" i ");" }'
}

clean_tree
expect none "a clean tree"

clean_tree
printf '%s\n#include "profile/profile.h"\n' "$head" >"$bad"
expect layers "base includes profile"

clean_tree
mkdir -p "$tmp/tree/src/runtime"
printf '%s\n#include "profile/decode.h"\n' "$head" >"$tmp/tree/src/runtime/bad.c"
expect layers "runtime includes the decoder"

clean_tree
printf '%s\n#include "arena.h"\n' "$head" >"$bad"
expect layers "an include without its folder"

clean_tree
mkdir -p "$tmp/tree/src/newfolder"
printf '%s\nint x;\n' "$head" >"$tmp/tree/src/newfolder/bad.c"
expect layers "a folder that has no layer"

clean_tree
{ printf '%s\nvoid f(void)\n{\n' "$head"; lines 68; echo '}'; } >"$bad"
expect function "a function of 71 lines"

clean_tree
{ printf '%s\nvoid f(void)\n{\n' "$head"; lines 67; echo '}'; } >"$bad"
expect none "a function of 70 lines"

clean_tree
{ printf '%s\nvoid f(void)\n{\n' "$head"; lines 68; echo '}'; } >"$bad"
echo 'function src/base/bad.c:f the reason is written here' >"$tmp/tables/exceptions.txt"
expect none "a function that is excused"

clean_tree
echo 'function src/base/bad.c:f the reason is written here' >"$tmp/tables/exceptions.txt"
expect exceptions "an excuse for nothing"

clean_tree
printf '%s\nint f(int a, int b,\n      int c, int (*d)(int, int), int e, int g)\n{\n}\n' "$head" \
    >"$bad"
expect parameters "six parameters"

clean_tree
{ echo "$head"; awk 'BEGIN { for (i = 0; i < 798; i++) print "int v" i ";" }'; } >"$bad"
expect lines "801 lines"

clean_tree
{ echo "$head"; awk 'BEGIN { printf "int v;"; for (i = 0; i < 95; i++) printf " "; print "/" }'; } |
    sed 's,/$,;,' >"$bad"
expect columns "a line of 102 columns"

clean_tree
{
    echo "$head"
    awk 'BEGIN { printf "/* "; for (i = 0; i < 90; i++) printf "\303\244"; print " */" }'
} >"$bad"
expect none "a line whose 96 characters are 186 bytes"

clean_tree
printf '%s\nint v; \n' "$head" >"$bad"
expect space "space at the end of a line"

clean_tree
printf '%s\n\tint v;\n' "$head" >"$bad"
expect space "a tab"

clean_tree
printf '/* Enough of an opening for a file that has one offence and no more. */\n' >"$bad"
expect licence "no licence"

clean_tree
printf '/* SPDX-License-Identifier: MIT */\nint v;\n' >"$bad"
expect opening "no opening paragraph"

clean_tree
printf '%s\n/* %s: later */\n' "$head" "TO""DO" >"$bad"
expect unfinished "something left to do"

clean_tree
printf '%s\nconst char *p = "/ho''me/somebody/strobe";\n' "$head" >"$bad"
expect address "a path of one machine"

clean_tree
mkdir -p "$tmp/tree/web"
printf '{ "resolv''ed": "https://example.org/x.tgz" }\n' >"$tmp/tree/web/package-lock.json"
expect address "a lock file with addresses"

[ "$failed" = 0 ] && echo "all rules find what they are for"
exit "$failed"
