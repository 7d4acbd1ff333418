#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Debug information in every place that distributions and compilers put it. One library of several
# units is built, and what the symbolizer says of its code while all is in it, is what it has to say
# wherever the parts have gone: names, files, lines and inlined frames, byte for byte.
#
# usage: separate.sh FRAMES SOURCE-ROOT COMPILER
set -u
frames=${1:?usage: separate.sh FRAMES SOURCE-ROOT COMPILER} root=$2 compiler=$3
command -v "$compiler" >/dev/null || { echo "no $compiler: skipped"; exit 77; }
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
unset DEBUGINFOD_URLS STROBE_DEBUG_DIR
export HOME="$dir/home"
sources="dwarf_line dwarf_ranges"
ran=0 bad=0 link=

have() { command -v "$1" >/dev/null 2>&1 || { echo "not here: $1"; return 1; }; }

# build FLAG…: lib.so, of units that are compiled one by one as a project's are.
build()
{
    rm -rf lib.so ./*.o ./*.dwo ./*.dwp .debug debugdir
    for s in $sources; do
        "$compiler" -O2 -fPIC -D_GNU_SOURCE -I"$root/src" -I"$root/include" "$@" \
            -c "$root/src/symbol/$s.c" -o "$s.o" 2>log || {
            echo "not here: $compiler $*: $(head -n 1 log)"
            return 1
        }
    done
    what="$compiler $*"
    # shellcheck disable=SC2086 # several flags
    "$compiler" -shared ${link:--Wl,--build-id} ./*.o -o lib.so 2>log ||
        { echo "not here: $what: $(head -n 1 log)"; return 1; }
}

# keep: what is there now is what has to be found later.
keep()
{
    "$frames" "$dir/lib.so" >want 2>log || { cat log; bad=$((bad + 1)); }
    # Or the comparison would prove little.
    awk '/^locations/ {ok = $6 > $2 * 0.6 && $8 > $2 * 0.1} END {exit !ok}' log ||
        { echo "$what: too little is known of it: $(cat log)"; bad=$((bad + 1)); }
}

# same WAY: finds the same again.
same()
{
    ran=$((ran + 1))
    "$frames" "$dir/lib.so" >got 2>log
    if [ -n "${names_only:-}" ]; then # padding that no symbol covers has a guess for a name
        awk 'NR == FNR {if (/!/) skip[$1] = 1; next} !($1 in skip)' want got >got.names
        grep -v '!' want >want.names
        cmp -s want.names got.names && return
    fi
    cmp -s want got && return
    echo "FAILED: $what, $1: $(diff want got | grep -c '^>') addresses differ"
    diff want got | head -n 4 | cut -c 1-300
    cat log
    bad=$((bad + 1))
}

# differs WAY: the control; without the file there must be less.
differs()
{
    "$frames" "$dir/lib.so" >got 2>log
    cmp -s want got || return
    echo "FAILED: $what, $1: it is not looked at"
    bad=$((bad + 1))
}

id_of() { readelf -n "$1" | awk '/Build ID/ {print $3}'; }

# below DIR: the path of lib.so's debug file by its build id.
by_id()
{
    id=$(id_of lib.so)
    mkdir -p "$1/.build-id/$(echo "$id" | cut -c 1-2)"
    echo "$1/.build-id/$(echo "$id" | cut -c 1-2)/$(echo "$id" | cut -c 3-).debug"
}

split_off()
{
    objcopy --only-keep-debug lib.so lib.debug
    objcopy --strip-all --add-gnu-debuglink=lib.debug lib.so
}

in_debug_files()
{
    build "$@" || return
    keep
    split_off
    same 'linked, beside it'
    mkdir .debug && mv lib.debug .debug/
    same 'linked, in .debug'
    mkdir -p "debugdir$dir" && mv .debug/lib.debug "debugdir$dir/"
    differs 'nowhere'
    export STROBE_DEBUG_DIR="$dir/nothing:$dir/debugdir"
    same 'linked, below a directory of ours'
    [ -n "$(id_of lib.so)" ] || { unset STROBE_DEBUG_DIR; return; }
    mv "debugdir$dir/lib.debug" "$(by_id debugdir)"
    same 'by build id, below a directory of ours'
    unset STROBE_DEBUG_DIR
}

compressed()
{
    build -g || return
    keep
    cp lib.so plain.so
    for how in zlib zlib-gnu zlib-gabi zstd; do
        cp plain.so lib.so
        objcopy --compress-debug-sections=$how lib.so 2>log ||
            { echo "not here: $how: $(head -n 1 log)"; continue; }
        readelf -SW lib.so | grep -qE 'zdebug_info|debug_info.* C ' || {
            echo "not here: objcopy left it as it was for $how"
            continue
        }
        same "compressed by $how"
        split_off
        same "compressed by $how, and split off"
    done
}

# The recipe of gdb's manual, "MiniDebugInfo": names only.
mini()
{
    have xz || return
    build -fno-asynchronous-unwind-tables || return
    "$frames" "$dir/lib.so" >want 2>log
    what="$compiler, .gnu_debugdata"
    nm -D lib.so --format=posix --defined-only | awk '{print $1}' | sort >dynsyms
    nm lib.so --format=posix --defined-only | awk '$2 ~ /[TtD]/ {print $1}' | sort >funcsyms
    comm -13 dynsyms funcsyms >keepsyms
    objcopy --only-keep-debug lib.so mini
    objcopy -S --remove-section .gdb_index --remove-section .comment --keep-symbols=keepsyms mini
    strip --strip-all -R .comment lib.so
    differs 'stripped'
    rm -f mini.xz
    xz mini
    objcopy --add-section .gnu_debugdata=mini.xz lib.so
    names_only=1 same 'unpacked'
    names_only=
}

# What several files have in common is moved into one more. It is not the same DWARF afterwards, so
# what dwz left is compared with itself.
common()
{
    have dwz || return
    for form in '' --dwarf-5; do
        build -g "$@" || return
        keep
        cp lib.so second.so
        # shellcheck disable=SC2086 # may be nothing
        dwz $form -m common.debug lib.so second.so 2>log ||
            { echo "not here: dwz $form: $(head -n 1 log)"; continue; }
        readelf -SW lib.so | grep -qE 'debugaltlink|debug_sup' ||
            { echo "dwz $form moved nothing"; bad=$((bad + 1)); }
        same "dwz $form"
        mkdir -p debugdir
        mv common.debug debugdir/
        differs "dwz $form, without the common file"
        id=$(id_of debugdir/common.debug)
        if [ -n "$id" ]; then
            first=$(echo "$id" | cut -c 1-2)
            mkdir -p "debugdir/.build-id/$first"
            cp debugdir/common.debug "debugdir/.build-id/$first/$(echo "$id" | cut -c 3-).debug"
            STROBE_DEBUG_DIR="$dir/debugdir" same "dwz $form, common file by build id"
        fi
        mv debugdir/common.debug .
        split_off
        mkdir -p elsewhere "$dir/debugdir/.build-id"
        mv lib.debug elsewhere/
        mv common.debug elsewhere/
        ln -s "$dir/elsewhere/lib.debug" "$(by_id debugdir)"
        STROBE_DEBUG_DIR="$dir/debugdir" same "dwz $form, split off, by a symbolic link"
        rm -rf debugdir elsewhere
    done
}

# The skeletons' own units say the same as whole ones.
in_split_units()
{
    for flags in '-gdwarf-4' '-gdwarf-5' '-gdwarf-5 -gz' '-gdwarf-4 -fdebug-types-section' \
        '-gdwarf-5 -fdebug-types-section'; do
        # shellcheck disable=SC2086 # several flags
        build $flags || continue
        keep
        # shellcheck disable=SC2086
        build $flags -gsplit-dwarf || continue
        same '.dwo files'
        mkdir away && mv ./*.dwo away/
        differs 'no .dwo files'
        for tool in dwp llvm-dwp; do
            have $tool || continue
            mv away/*.dwo .
            # Both of Debian 12 are overcharged by some of these: they die, or go on for ever.
            timeout 10 $tool -e lib.so -o lib.so.dwp 2>log || {
                echo "not here: $tool: $what: $(head -n 1 log)"
                rm -f lib.so.dwp
            }
            mv ./*.dwo away/
            [ -s lib.so.dwp ] || continue
            same "$tool's package"
            rm -f lib.so.dwp
        done
        rm -rf away
    done
    [ "$compiler" = clang ] && build -gdwarf-5 && keep && build -gdwarf-5 -gsplit-dwarf=single &&
        same 'in the object files'
}

in_debug_files -g
link=-Wl,--build-id=none
in_debug_files -gdwarf-4
link=
compressed
mini
common
in_split_units
echo "$ran ways, $bad wrong"
[ $ran -gt 15 ] && [ $bad = 0 ]
