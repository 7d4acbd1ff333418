/* SPDX-License-Identifier: MIT
 *
 * Which labels the samples of a profile carry, for a page that offers them as filters. */
#ifndef WEB_LABELS_H
#define WEB_LABELS_H

#include "profile/profile.h"
#include "web/json.h"

/* Writes "labels": [{"key", "values": [{"value", "sum"}]}] into the open object of `j`: the text
 * labels by key, the values with the largest sums of |value| of sample type `type` first. At most
 * LIMIT_PAGE_LABEL_KEYS keys of LIMIT_PAGE_LABEL_VALUES values; a key with more says how many it
 * has in "count". */
void labels_write(struct json *j, const struct profile *p, uint32_t type);

#endif
