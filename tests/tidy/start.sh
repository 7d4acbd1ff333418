#!/bin/sh
# SPDX-License-Identifier: MIT
#
# start.sh STROBE: what the program is linked to, which every start of it pays for. libcurl and
# libmicrohttpd bring some thirty others along; they, SQLite and libedit are loaded by the verbs
# that use them (src/base/late.h); so nothing may link to them, not by way of another either.
set -eu
strobe=$1
bad=0

command -v ldd >/dev/null || { echo "SKIP: no ldd here" && exit 77; }
libraries=$(ldd "$strobe" | sed -n 's/^[[:space:]]*\([^ ]*\.so[^ ]*\).*/\1/p')
for late in libcurl libmicrohttpd libgnutls libssl libsqlite3 libedit; do
  echo "$libraries" | grep -q "^$late\.so" || continue
  echo "BAD: $strobe is linked to $late, which few verbs need: see src/base/late.h" && bad=1
done
# The tool's own, libc's, and what those bring along. One more should be a decision.
count=$(echo "$libraries" | wc -l)
[ "$count" -le 14 ] || { echo "BAD: $count libraries for each start:" $libraries && bad=1; }
exit $bad
