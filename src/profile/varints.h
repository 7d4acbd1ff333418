/* SPDX-License-Identifier: MIT
 *
 * Packed ids, which are most of a profile's bytes, read many at a time. Private to profile/. */
#ifndef PROFILE_VARINTS_H
#define PROFILE_VARINTS_H

#include "profile/wire.h"

enum { VARINTS_MARGIN = 72 };

struct varints {
    /* Reads the varints of `w`, each of one to four bytes, and writes each less one (an id is from
     * 1 on; 0 becomes the largest number) to `out`; *largest becomes the largest written, if that
     * is larger. Returns their number; -1 if one is longer or cut, or if `w` is within
     * VARINTS_MARGIN bytes of the end of the input. */
    int64_t (*read)(struct wire w, const uint8_t *input_end, uint32_t *out, uint32_t *largest);
    /* How many varints end in `w`: how many complete ones it holds. */
    uint64_t (*count)(struct wire w, const uint8_t *input_end);
};

extern const struct varints varints_any;  /* for any processor */
const struct varints *varints_best(void); /* the fastest for this one */

#endif
