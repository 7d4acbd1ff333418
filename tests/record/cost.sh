#!/bin/sh
# SPDX-License-Identifier: MIT
# Where sampling costs more than is allowed, the rate is lowered, that is said, and the numbers stay
# right: cost.sh BUILD.
. "$(dirname "$0")/lib.sh"
truth=$programs/truth-gcc-O2-nofp-pie
comments()
{
    "$strobe" raw "$tmp/measured.pb.gz" | sed -n 's/^Comment: //p'
}

STROBE_MAX_COST=2% measured "no more than 2 %: any rate" perf 100 "$truth" ratio 300
check "at 100 Hz nothing is lowered" sh -c "! '$strobe' raw '$tmp/measured.pb.gz' | grep -q lowered"
if ! have_perf; then
    echo "no perf_event here: ticks come anyway, and no rate is lowered"
    finish
fi

# A budget that no machine keeps: the lowest rate, a 64th.
STROBE_MAX_COST=0.01 measured "0.01 %, asked for 10000 Hz" perf 150 "$truth" ratio 3000
STROBE_MAX_COST=0.01 record perf 10000 "$tmp/measured.pb.gz" "$truth" ratio 3000 >"$tmp/truth"
check "0.01 %: the summary says so" grep -q 'rate was lowered' "$tmp/strobe.err"
comments >"$tmp/comments"
check "0.01 %: a comment says so" grep -q 'rate lowered' "$tmp/comments"
line=$(near perf 150 "$tmp/measured.pb.gz" "$tmp/truth")
same "0.01 %: time and shares ($line)" 0 $?
interrupts=$(comments | sed -n 's/.*effective \([0-9]*\).*/\1/p')
check "0.01 %: $interrupts signals a second" test "${interrupts:-10000}" -lt 5000

STROBE_MAX_COST=0 record perf 10000 "$tmp/measured.pb.gz" "$truth" ratio 300 >"$tmp/truth"
interrupts=$(comments | sed -n 's/.*effective \([0-9]*\).*/\1/p')
check "no limit: $interrupts signals a second" test "${interrupts:-0}" -gt 5000
STROBE_MAX_COST=lots "$strobe" record -o "$tmp/x.pb.gz" -- true 2>"$tmp/err"
same "nonsense is refused" 2 $?
check "and named" grep -q STROBE_MAX_COST=lots "$tmp/err"
finish
