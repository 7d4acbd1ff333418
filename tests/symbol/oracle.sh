#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Binaries as google/pprof sees them, where it and llvm-symbolizer are installed: names, files,
# lines, columns and inlined frames of random addresses, and listings of source and code, have to be
# the same text.
#
# usage: oracle.sh STROBE SEED BINARY…
set -u
strobe=${1:?usage: oracle.sh STROBE SEED BINARY…} seed=$2
shift 2
for tool in pprof llvm-symbolizer llvm-nm llvm-objdump readelf; do
    command -v $tool >/dev/null || { echo "no $tool: skipped"; exit 77; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export HOME="$scratch" XDG_CONFIG_HOME="$scratch" TZ=UTC LC_ALL=C.UTF-8 NO_COLOR=1
unset PPROF_BINARY_PATH PPROF_TOOLS DEBUGINFOD_URLS
cd "$scratch" || exit 1

# A heap profile in gperftools' text with 300 addresses of the file's code.
make_profile() # BINARY
{
    type=$(readelf -hW "$1" | awk '/Type:/ {print $2}')
    readelf -lW "$1" | awk -v seed="$seed" -v file="$1" -v type="$type" '
        function number(s,   i, v) {
            v = 0
            for (i = 3; i <= length(s); i++)
                v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
            return v
        }
        $1 == "LOAD" && / R E / {
            srand(seed)
            base = type == "EXEC" ? 0 : 4194304
            offset = number($2); address = number($3); size = number($5)
            print "heap profile: 1: 1 [1: 1] @ heapprofile"
            for (i = 0; i < 300; i++)
                printf "1: 1 [1: 1] @ 0x%x\n", base + address + int(rand() * size)
            start = base + address; start -= start % 4096
            end = base + address + size + 4095; end -= end % 4096
            print "MAPPED_LIBRARIES:"
            printf "%x-%x r-xp %08x 00:00 0 %s\n", start, end, offset - offset % 4096, file
            exit
        }' >profile
}

same() # ARGUMENTS…
{
    pprof "$@" profile >want 2>&1 </dev/null
    want=$?
    "$strobe" pprof "$@" profile >got 2>&1 </dev/null
    got=$?
    # weblist's style and script are ours.
    sed -i '/<style/,/<\/head>/d' want got
    n=$((n + 1))
    [ $want = $got ] && cmp -s want got && return
    bad=$((bad + 1))
    echo "$binary: $*: status $got, pprof $want"
    diff want got | head -6
}

n=0 bad=0
for binary in "$@"; do
    make_profile "$binary"
    same -raw
    same -raw -symbolize=fastlocal
    same -raw -tools=/nonexistent
    same -top -addresses
    same -list=.
    same -disasm='^[a-m]'
    same -weblist='^main$' -output=/dev/fd/1
done
echo "$n command lines, $bad differ"
[ $bad = 0 ]
