# SPDX-License-Identifier: MIT
#
# Reads lines "WHO FIGURE" of runs in turn, each WHO between two of `base`; prints the row of `who`:
# the median of its figures, and of the pairs with the mean of the two neighbours the median
# difference, the median ratio and the ratio's quartiles.

function median(v, n, share) # v[1..n], sorted here; share 0.5 is the median
{
    for (i = 2; i <= n; i++)
        for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
            swap = v[j]
            v[j] = v[j - 1]
            v[j - 1] = swap
        }
    at = 1 + (n - 1) * share
    low = int(at)
    return v[low] + (low < n ? (at - low) * (v[low + 1] - v[low]) : 0)
}

NF == 2 { name[++runs] = $1; figure[runs] = $2 }

END {
    for (run = 1; run <= runs; run++) {
        if (name[run] != who)
            continue
        value[++n] = figure[run]
        if (who == "base" || name[run - 1] != "base" || name[run + 1] != "base")
            continue
        mean = (figure[run - 1] + figure[run + 1]) / 2
        ratio[++pairs] = figure[run] / mean
        difference[pairs] = figure[run] - mean
    }
    if (who == "base" && n)
        printf "| %-10s | %10.2f | %10s | %8s | %-15s |\n", who, median(value, n, 0.5), "", "", ""
    else if (pairs)
        printf "| %-10s | %10.2f | %+10.2f | %8.4f | %.4f, %.4f |\n", who,
            median(value, n, 0.5), median(difference, pairs, 0.5), median(ratio, pairs, 0.5),
            median(ratio, pairs, 0.25), median(ratio, pairs, 0.75)
}
