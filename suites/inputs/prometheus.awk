# SPDX-License-Identifier: MIT
#
# Writes two hours of `series` counters and of a histogram, a sample each 15 seconds from the time
# `from`, as OpenMetrics. Counter i grows by i + 1 with each sample, from its first value i + 1.

BEGIN {
    samples = 480
    print "# TYPE suite_requests counter"
    for (i = 0; i < series; i++)
        for (k = 0; k < samples; k++)
            printf "suite_requests_total{instance=\"host-%d\",zone=\"zone-%d\"} %d %d\n", i, i % 5,
                (k + 1) * (i + 1), from + 15 * k
    print "# TYPE suite_size histogram"
    split("1 10 100 1000 10000 +Inf", le, " ")
    for (i = 0; i < series / 10; i++) {
        for (b = 1; b <= 6; b++)
            for (k = 0; k < samples; k++)
                printf "suite_size_bucket{instance=\"host-%d\",le=\"%s\"} %d %d\n", i, le[b],
                    (k + 1) * b * b, from + 15 * k
    }
    print "# EOF"
}
