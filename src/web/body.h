/* SPDX-License-Identifier: MIT
 *
 * The profile body: what /api/profile answers, in the format of columns.h. Its facts:
 *
 *   "title"         names of the files
 *   "sample_types"  [{"type", "unit"}],  "type": the index of the one this body is about
 *   "period_type", "period", "time_nanos", "duration_nanos", "comments", "sample_count"
 *   "doc_url"       of the profile's kind; "" unless it is http or https
 *   "total"         what percentages are of: of the profile before it was refined,  "left": of what
 *                   is left of it
 *   "mean_total"    the same of means: only where these are asked for
 *   "lineless"      sum of |value| of the samples with frames that have no line information, which
 *                   functions have and boxes have not
 *   "given"         [[parameter, value]]: what the command line says where the address does not
 *   "left_out"      boxes of callees too light to be sent
 *   "labels"        see labels.h, of what is left
 *   "self_unit"     what node_self and node_weight are multiples of
 *   "strings"       every name once; columns refer to it
 *
 * and its columns, which are the tables of analyze/flame.h:
 *
 *   function_name i32, function_flat f64, function_cum f64
 *   frame_function, frame_file, frame_module (strings), frame_line, frame_inlined (0, 1): i32
 *   node_parent i32, node_frame i32 (-1 a root that is no function, -2 left out), node_self i32 or
 * f64, and node_weight, of the same type, where values are negative
 *
 * Where means are asked for, values stay sums, which have to add up and by which pprof sorts, and
 * function_flat_div, function_cum_div and node_div (f64) are what divides them, as integers.
 *
 * Of a difference, but not of means (samples with pprof::base) also "sides": {"before", "after":
 * totals of both, "variance_unit": where samples are counted}, and by function function_flat_before
 * and function_cum_before, as they were subtracted (negative), function_flat_variance and
 * function_cum_variance, of the change by the noise of sampling, in variance_unit: all f64 */
#ifndef WEB_BODY_H
#define WEB_BODY_H

#include "analyze/flame.h"
#include "base/buf.h"
#include "profile/profile.h"
#include "report/settings.h"

struct body_options {
    const char *title;
    struct flame_options flame;
    int64_t mean_total;                  /* of flame.mean */
    int64_t total;                       /* of the profile before it was refined, */
    uint32_t sample_count;               /* as is this */
    const struct settings_params *given; /* what the command line says, as parameters; or NULL */
};

/* Appends the body of `p`, refined or not, to `out`. */
void body_write(const struct profile *p, const struct body_options *o, struct buf *out);

#endif
