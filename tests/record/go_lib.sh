# SPDX-License-Identifier: MIT
#
# What the tests that hold a profile of ours against Go's own share; after lib.sh.
# shellcheck shell=sh
resymbolize=$build/tests/symbol/resymbolize

# shares PROFILE: "FUNCTION SHARE NANOSECONDS" of every function but those of Go's runtime, with
# what it calls.
shares()
{
    "$strobe" folded -sample_index=cpu "$1" | awk '
        { value = $NF; sub(/ [^ ]*$/, ""); n = split($0, f, ";"); sum += value; delete seen
          for (i = 1; i <= n; i++)
              if (f[i] ~ /\./ && f[i] !~ /^(runtime[.\/]|\[|_)/ && !(f[i] in seen)) {
                  seen[f[i]] = 1
                  cum[f[i]] += value
              } }
        END { for (x in cum) print x "\t" cum[x] / sum "\t" sum }'
}

# agree OURS GO: functions with more than 2 % have the same names, and shares that differ by three
# standard errors at most, and by 2 % because Go's profile leaves out what its runtime does beside.
agree()
{
    shares "$1" >"$tmp/ours"
    shares "$2" >"$tmp/theirs"
    awk -F '\t' -v period=10000000 '
        FNR == NR { ours[$1] = $2; n = $3 / period; next }
        { theirs[$1] = $2; m = $3 / period }
        END {
            for (x in theirs) names[x]
            for (x in ours) names[x]
            # The ticks that Go missed, threads being short, may have been of any function.
            kept = m < n ? m / n : 1
            for (x in names) {
                a = ours[x]; b = theirs[x]
                if (a < 0.02 && b < 0.02) continue
                p = (a * n + b * m) / (n + m)
                allowed = 3 * sqrt(p * (1 - p) * (1 / n + 1 / m)) + 0.02
                count++
                if (a < b * kept - allowed || a > b * kept + 1 - kept + allowed) {
                    print x, a, b, allowed
                    bad++
                }
            }
            print count + 0, "functions,", n, "and", m, "samples"
            exit bad > count * 0.02 || count < 5
        }' "$tmp/ours" "$tmp/theirs"
}

# go_rooted PROFILE: all but a thousandth of the time, or one sample of 100 Hz, is in stacks that
# reach the first function of a goroutine or a thread.
go_rooted()
{
    "$strobe" folded -sample_index=cpu "$1" | awk '
        { all += $NF }
        /^runtime\.(goexit|mstart|mstart1|rt0_go)(;| [0-9])/ ||
        /^(runtime\.(mcall|morestack|sigtramp|cgoSigtramp)|__restore_rt)(;| [0-9])/ ||
        /^(_rt0|_start|_dl_start_user|start_thread|clone|\[)/ { good += $NF; next }
        { print substr($0, 1, 200) }
        END { print good / all; exit all - good > all * 0.001 && all - good > 1.1e7 }'
}
