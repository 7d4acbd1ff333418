/* SPDX-License-Identifier: MIT
 *
 * What is done to the SVG that dot writes: it fills the window, and a script in it pans and zooms.
 */
#ifndef PPROF_SVG_H
#define PPROF_SVG_H

#include "base/buf.h"

void svg_massage(struct buf *out, const char *svg, size_t len);

#endif
