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

/* What a size of the output means along one axis; a negative pad adds zeros. */
struct ups_pads {
    int64_t begin, end, output;
};

/* One axis of one operation; `in`: all spatial sizes, each >= 1. */
int32_t ups_axis_sizes(const union ups_desc *desc, int axis, const int64_t *in, struct ups_sizes *sizes);

/* Every axis: the asked sizes checked, or the standard ones where `asked` is NULL. */
int32_t ups_output_sizes(const union ups_desc *desc, const int64_t *in, const int64_t *asked, int64_t *out);

/* The pads of one axis for an output size that ups_output_sizes has settled. */
void ups_axis_pads(const union ups_desc *desc, int axis, int64_t in, int64_t out, struct ups_pads *pads);

/* The scale of keep_aspect_ratio_policy not_larger and not_smaller, on all axes. */
double ups_aspect_scale(const ups_resize_desc *desc, const int64_t *in);

/* The length that index_space inferred means. */
int64_t ups_unpool_derived(const ups_unpool_desc *desc, int axis, int64_t in);

#endif
