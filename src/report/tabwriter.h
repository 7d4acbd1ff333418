/* SPDX-License-Identifier: MIT
 *
 * Columns as Go's text/tabwriter lays them out with AlignRight and a padding of one blank. */
#ifndef REPORT_TABWRITER_H
#define REPORT_TABWRITER_H

#include "report/out.h"

/* Writes `text`, whose cells end in tabs: a column is a run of lines that have a cell there, and as
 * wide as the widest of them and one. What follows a line's last tab is no cell. */
void tabwriter_print(struct out *out, const char *text, size_t len);

#endif
