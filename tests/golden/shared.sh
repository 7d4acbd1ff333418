#!/bin/sh
# Runs a larger collection of pprof's cases, messages included, where it is: in $STROBE_CASES, or
# beside the checkout. Exits 77 where it is not.
#
# usage: shared.sh STROBE
set -u
strobe=${1:?usage: shared.sh STROBE}
case $strobe in */*) strobe=$(cd "$(dirname "$strobe")" && pwd)/$(basename "$strobe") ;; esac
here=$(cd "$(dirname "$0")" && pwd)
cases=${STROBE_CASES:-$here/../../../shared/pprof}
[ -x "$cases/run.sh" ] || { echo "no collection of cases in $cases: skipped"; exit 77; }
STDERR=1 DIFF=5 "$cases/run.sh" "$strobe pprof" dev
