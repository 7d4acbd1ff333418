# SPDX-License-Identifier: MIT
# wait_compare.awk -v column=3 (contentions) or 4 (delay) -v profile=block -v percent=2
# TRUTH FOLDED: fails where a function's sum in a folded profile is not what the program says.
FNR == NR {
    if ($1 == profile)
        want[$2] += $column
    next
}
{
    n = split($0, word, " ")
    value = word[n]
    n = split(substr($0, 1, length($0) - length(value) - 1), frame, ";")
    for (i = 1; i <= n; i++)
        if (frame[i] in want)
            have[frame[i]] += value
}
END {
    for (name in want) {
        off = have[name] - want[name]
        if (off < 0)
            off = -off
        if (!want[name] || off > want[name] * percent / 100) {
            printf "%s: %d, and the program says %d\n", name, have[name], want[name]
            failed = 1
        }
        count++
    }
    exit failed || !count
}
