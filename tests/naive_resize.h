/* SPDX-License-Identifier: MIT
 *
 * Resize straight from the header's formulas: the weight of every pixel for every output, in double. As naive.h says: nothing
 * here calls the library; tensors are dense, N, C, spatial. Every field of the descriptor is set, none is by preset.
 */
#ifndef NAIVE_RESIZE_H
#define NAIVE_RESIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "upsample/upsample.h"

/* Output sizes for the input sizes `in`; asked: the plan's, or NULL. false: no legal output. */
bool naive_resize_sizes(const ups_resize_desc *desc, const int64_t *in, const int64_t *asked, int64_t *out);

/* Nearest, to the bit. */
void naive_nearest(const ups_resize_desc *desc, const int64_t *dims, const float *x, const int64_t *out, float *y);

/* Any mode. bound receives sum |weight * x| of each output times the roundings of the longest sum: what f32 may miss it by. */
void naive_resize(const ups_resize_desc *desc, const int64_t *dims, const float *x, const int64_t *out, double *y,
                  double *bound);

#endif
