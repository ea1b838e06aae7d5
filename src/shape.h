/* SPDX-License-Identifier: MIT
 *
 * Output sizes: pure functions of a checked descriptor and the input size.
 */
#ifndef UPS_SHAPE_H
#define UPS_SHAPE_H

#include "desc.h"

/* The sizes that may be asked for along one axis, and the one taken when none is. */
struct ups_sizes {
    int64_t smallest, standard, largest;
};

/* One axis of one operation; `in` >= 1. */
int32_t ups_axis_sizes(const union ups_desc *desc, int axis, int64_t in, struct ups_sizes *sizes);

/* Every axis: the asked sizes checked, or the standard ones where `asked` is NULL. */
int32_t ups_output_sizes(const union ups_desc *desc, const int64_t *in, const int64_t *asked, int64_t *out);

#endif
