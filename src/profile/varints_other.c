/* SPDX-License-Identifier: MIT
 *
 * The choice of how to read varints, for processors that have no file of their own here: there is
 * none, they have the one for all. */
#include "profile/varints.h"

const struct varints *varints_best(void)
{
    return &varints_any;
}
