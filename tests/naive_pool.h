/* SPDX-License-Identifier: MIT
 *
 * Pooling, unpooling and their indices from the text of upsample.h, as naive.h is for the rest: dense arrays in the order
 * N, C, spatial, indices as int64_t whatever their type.
 */
#ifndef NAIVE_POOL_H
#define NAIVE_POOL_H

#include <stdint.h>

#include "upsample/upsample.h"

/* The size of axis `a` of the output, 0 or less if there is none. */
int64_t naive_pool_size(const ups_pool_desc *desc, int a, int64_t n);
int64_t naive_unpool_size(const ups_unpool_desc *desc, int a, int64_t n);

void naive_max_pool(const ups_pool_desc *desc, const int64_t *dims, const float *x, float *y, int64_t *index);
void naive_avg_pool(const ups_pool_desc *desc, const int64_t *dims, const float *x, float *y);

/* Gradients of the input, of size dims, from `gy`, that of the output, added in the order of the outputs. */
void naive_max_pool_grad(const ups_pool_desc *desc, const int64_t *dims, const float *x, const float *gy, float *gx);
void naive_avg_pool_grad(const ups_pool_desc *desc, const int64_t *dims, const float *gy, float *gx);

/* The index of position `at` of (n, c) in a tensor of `channels` planes of three sizes each; of a tap of a window. */
int64_t naive_index(int32_t convention, int64_t n, int64_t c, int64_t channels, const int64_t at[3],
                    const int64_t size[3]);
int64_t naive_tap_index(int32_t convention, const int64_t tap[3], const int64_t kernel[3]);

/* The size that index_space inferred means. */
int64_t naive_derived_size(const ups_unpool_desc *desc, int a, int64_t n);

/* Both return how many indices are bad; *first is the smallest source position of one, else -1. */
int64_t naive_max_unpool(const ups_unpool_desc *desc, const int64_t *dims, const float *x, const int64_t *index,
                         const int64_t *out, float *y, int64_t *first);
/* x: of the output's size, y: of the input's, dims. */
int64_t naive_max_unpool_grad(const ups_unpool_desc *desc, const int64_t *dims, const float *x, const int64_t *index,
                              const int64_t *out, float *y, int64_t *first);
int64_t naive_convert(const ups_pool_desc *desc, const int64_t *dims, const int64_t *index, int32_t to_index,
                      int64_t *converted, int64_t *first);

#endif
