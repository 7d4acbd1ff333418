# SPDX-License-Identifier: MIT
#
# Holds a profile against the truth: first file "total NS", "tasks N", "truth FUNCTION NS"; second
# what `strobe folded` prints (root;…;leaf NS). Variables: hz; tick_hz, the most samples a second
# that the back end can have got; totals_only, to leave the functions' shares out. Prints one line,
# and ends with 1 if a figure is outside of 1 % or three standard errors, the larger of both.
#
# The total of a task's samples is off by a part of one period at each of its ends, evenly spread: a
# standard deviation of at most half a period. A share is a binomial of the samples there were.
FNR == NR {
    if ($1 == "total")
        total = $2
    if ($1 == "tasks")
        tasks = $2
    if ($1 == "truth" && !totals_only) {
        order[++functions] = $2
        truth[$2] = $3
    }
    next
}

{
    value = $NF
    sub(/ [^ ]*$/, "")
    sum += value
    if (/\[thread end\]$|\[exit\]$/)
        unseen += value
    for (i = 1; i <= functions; i++)
        if (index($0, order[i]))
            got[order[i]] += value
}

function percent(x) {
    return sprintf("%.2f %%", 100 * x)
}

function larger(a, b) {
    return a > b ? a : b
}

function smaller(a, b) {
    return a < b ? a : b
}

END {
    if (!total || !sum) {
        print "there is nothing to compare: " total + 0 " ns of truth, " sum + 0 " ns of profile"
        exit 1
    }
    period = 1e9 / hz
    samples = sum / 1e9 * (hz < tick_hz ? hz : tick_hz)
    allowed = larger(0.01, 3 * sqrt(tasks ? tasks : 1) * period / 2 / total)
    bad = (sum / total - 1)^2 > allowed^2
    line = sprintf("%.0f of %.0f ms (%+.2f %%, %s allowed)", sum / 1e6, total / 1e6,
        100 * (sum / total - 1), percent(allowed))
    for (i = 1; i <= functions; i++) {
        f = order[i]
        want = truth[f] / total
        have = got[f] / sum
        allowed = larger(0.01, 3 * sqrt(want * (1 - want) / samples))
        # A point that no signal has followed when its thread ends is there, as [thread end] or
        # [exit], and may have been any function's: where ticks are longer than threads live; and
        # where the kernel's clock interrupt comes late, tenths of a millisecond a thread on a busy
        # virtual machine.
        least = want - (tick_hz <= 1000 ? unseen : smaller(unseen, tasks * 4e5)) / sum
        if (have > want + allowed || have < least - allowed)
            bad = 1
        line = line sprintf(", %s %s of %s", f, percent(have), percent(want))
    }
    print line
    exit bad
}
