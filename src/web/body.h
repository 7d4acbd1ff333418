/* SPDX-License-Identifier: MIT
 *
 * The profile body: what /api/profile answers, in the format of columns.h. Its facts:
 *
 *   "title"         names of the files
 *   "sample_types"  [{"type", "unit"}],  "type": the index of the one this body is about
 *   "period_type", "period", "time_nanos", "duration_nanos", "comments", "sample_count"
 *   "total"         what percentages are of,  "left_out": boxes of callees too light to be sent
 *   "self_unit"     what node_self and node_weight are multiples of
 *   "strings"       every name once; columns refer to it
 *
 * and its columns, which are the tables of analyze/flame.h:
 *
 *   function_name i32, function_flat f64, function_cum f64
 *   frame_function, frame_file, frame_module (strings), frame_line, frame_inlined (0, 1): i32
 *   node_parent i32, node_frame i32 (-1 the root, -2 left out), node_self i32 or f64, and
 *   node_weight, of the same type, where values are negative */
#ifndef WEB_BODY_H
#define WEB_BODY_H

#include "base/buf.h"
#include "profile/profile.h"

/* Appends the body of sample type `type` to `out`. */
void body_write(const struct profile *p, const char *title, uint32_t type, struct buf *out);

#endif
