/* SPDX-License-Identifier: MIT
 *
 * What each operation means, in plain loops straight from the formulas (docs/semantics, upsample.h), sums in double.
 *
 * Nothing here calls the library or shares a line with it; only the descriptor structs of the public header are used,
 * to carry the parameters. Fields left UPS_BY_PRESET are resolved here by the preset's rule, once more.
 *
 * Tensors are dense arrays in the order N, C, spatial, whatever the layout field says. dims: N, C, then rank sizes.
 * Copies stay float (bit by bit); whatever is summed becomes double.
 */
#ifndef NAIVE_H
#define NAIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "upsample/upsample.h"

/* Output sizes of any descriptor for the input sizes `in`. false: no legal output. */
bool naive_sizes(const void *desc, const int64_t *in, int64_t *out);

/* A transposed convolution along axis a, by shape_rule and auto_pad: from n to the wanted size, or with 0 to its own. What
 * comes of it, as if the pads (negative: zeros) and the output padding had been given. false: no legal size. */
struct naive_fit {
    int64_t m, begin, end, output_padding;
};
bool naive_conv_fit(const ups_conv_transpose_desc *desc, int a, int64_t n, int64_t wanted, struct naive_fit *fit);

/* replicate and bed of nails: which one stands in the descriptor. */
void naive_expand(const ups_expand_desc *desc, const int64_t *dims, const float *x, float *y);

/* The gradient of their input, of size dims, from `gy`, that of the output: sums from 0 in the order of the outputs. */
void naive_expand_grad(const ups_expand_desc *desc, const int64_t *dims, const float *gy, float *gx);

/* pixel_shuffle and pixel_unshuffle: which one stands in the descriptor. naive_shuffle_dims: N, C, spatial of the result. */
void naive_shuffle_dims(const ups_shuffle_desc *desc, const int64_t *dims, int64_t *out);
void naive_shuffle(const ups_shuffle_desc *desc, const int64_t *dims, const float *x, float *y);

/* Scatter form. bias may be NULL. magnitude: sum |x * w| + |bias|, before the activation; sigmoid and tanh, which round on
 * their own, add their result. */
void naive_conv_transpose(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *w,
                          const float *bias, const int64_t *out, double *y, double *magnitude);

/* One output of it, gathered: batch b, channel o, flat position q of the output plane. Before the activation. */
double naive_conv_transpose_at(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *w,
                               const float *bias, const int64_t *out, int64_t b, int64_t o, int64_t q,
                               double *magnitude);

/* Whether every tap that leads to an output meets the image, none its padding. */
bool naive_whole_at(const ups_conv_transpose_desc *desc, const int64_t *dims, const int64_t *out, int64_t q);

/* The policy "reproducible" to the bit: taps in row-major order outer, input channels inner, from 0, bias last, in f32.
 * fused: one fmaf per product; else a product and a sum, each rounded. sigmoid and tanh have bits that no formula tells; they
 * are left to the caller. */
void naive_chain(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *w,
                 const float *bias, const int64_t *out, bool fused, float *y);

/* One output of it with fused steps, without bias and activation. */
float naive_chain_at(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *w,
                     const int64_t *out, int64_t b, int64_t o, int64_t q);

/* Where the weight of global input channel i, global output channel o (of the same group) and flat tap t stands. */
int64_t naive_weight_at(const ups_conv_transpose_desc *desc, int64_t i, int64_t o, int64_t t);

/* Ordinary strided cross-correlation, the adjoint of the transposed convolution of the same descriptor: from the
 * transposed one's output (out sizes) back to its input (dims). */
void naive_conv(const ups_conv_transpose_desc *desc, const int64_t *dims, const double *y, const float *w,
                const int64_t *out, double *x);

/* The gradient of the weights, in their layout, for the gradient g of the output; of the bias it is the sum of each channel. */
void naive_grad_weights(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *g,
                        const int64_t *out, double *w);

/* Elements of a tensor of rank + 2 dims, and of a plane of rank sizes. */
int64_t naive_count(const int64_t *dims, int32_t rank);
int64_t naive_plane(const int64_t *sizes, int32_t rank);

#endif
