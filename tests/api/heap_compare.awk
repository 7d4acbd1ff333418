# SPDX-License-Identifier: MIT
# Compares what a program says it allocated (first file: function, then objects and bytes allocated,
# objects and bytes in use, and the rate, if it is another) with profiles of it in the folded form
# of one sample type each, whose lines are "stack value". -v column=2…5 which it is; runs: how many
# profiles were added; rate.
#
# At rate 1 the numbers are the same. Otherwise an object of s bytes is seen with probability
# q = 1 - exp(-(s+1)/rate) and weighs 1/q, so that N of them have the variance N (1-q)/q; the mean
# of `runs` profiles must be within three standard errors. All objects of a function have one size.
FNR == NR {
    want[$1] = $column
    objects[$1] = column <= 3 ? $2 : $4
    mean[$1] = $2 ? $3 / $2 : 0
    at[$1] = NF > 5 ? $6 : rate
    next
}
{
    value = $NF
    for (name in want)
        if ($0 ~ "(^|;)" name "(;| )")
            got[name] += value
}
END {
    for (name in want) {
        estimate = got[name] / runs
        q = at[name] > 1 ? 1 - exp(-(mean[name] + 1) / at[name]) : 1
        error = sqrt(objects[name] * (1 - q) / q / runs)
        if (column == 3 || column == 5)
            error *= mean[name]
        off = estimate - want[name]
        bad = off > 3 * error + 1e-6 || -off > 3 * error + 1e-6
        printf "%s %s: %.1f, wanted %d, %.2f standard errors, %.3f %%\n", bad ? "BAD" : "ok", name,
            estimate, want[name], error ? off / error : 0, want[name] ? 100 * off / want[name] : 0
        failed += bad
    }
    exit failed > 0
}
