#!/bin/sh
# SPDX-License-Identifier: MIT
# archive.sh OUTPUT PRIVATE_DIR ARCHIVE…: makes libstrobe.a of the first archive and what it needs
# of the others: one object, in which only what the shared library exports is global, so that our
# internal names can never clash with a user's.
set -eu
output=$1 dir=$2 first=$3
shift 3
mkdir -p "$dir"
# Meson's archives are thin: they name objects of the build folder, where ld runs.
ld -r -o "$dir/strobe.o" --whole-archive "$first" --no-whole-archive --start-group "$@" --end-group
objcopy --localize-hidden "$dir/strobe.o"
rm -f "$output"
ar crs "$output" "$dir/strobe.o"
