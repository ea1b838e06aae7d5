/* SPDX-License-Identifier: MIT
 *
 * The vector texts in AVX-512, and the table of the tier.
 */
#include "../kernels.h"
#include "vec_avx512.h"

#include "../vector/lanes.h"
#include "../vector/sigmoid.h"
#include "../vector/finish.h"
#include "../vector/gemm.h"
#include "../vector/winograd.h"
#include "../vector/axpy.h"
#include "../vector/transpose.h"
#include "../vector/depthwise.h"
#include "../vector/pool.h"
#include "../vector/unpool.h"
#include "../vector/expand.h"
#include "../vector/resize.h"

const struct ups_kernels ups_kernels_avx512 = {
    .isa = "avx512",
    .lanes = VF_LANES,
    .nr = GEMM_VECTORS * VF_LANES,
    .mr = {GEMM_NARROW_ROWS, GEMM_ROWS},
    .gemm = UPS_KERNEL(gemm_14x32_avx512),
    .winograd_in = UPS_KERNEL(winograd_in_avx512),
    .winograd_out = UPS_KERNEL(winograd_out_avx512),
    .finish = UPS_KERNEL(finish_avx512),
    .axpy = UPS_KERNEL(axpy_avx512),
    .transpose = UPS_KERNEL(transpose_avx512),
    .depthwise_rows = UPS_KERNEL(depthwise_rows_avx512),
    .depthwise_pixels = UPS_KERNEL(depthwise_pixels_avx512),
    .pool_row = UPS_KERNEL(pool_row_scalar),
    .pool_row_i32 = UPS_KERNEL(pool_row_i32_scalar),
    .pool_row_i64 = UPS_KERNEL(pool_row_i64_scalar),
    .pool_2x2s2 = UPS_KERNEL(pool_2x2s2_avx512),
    .pool_2x2s2_i32 = UPS_KERNEL(pool_2x2s2_i32_avx512),
    .pool_2x2s2_i64 = UPS_KERNEL(pool_2x2s2_i64_avx512),
    .pool_pixel = UPS_KERNEL(pool_pixel_avx512),
    .pool_pixel_i32 = UPS_KERNEL(pool_pixel_i32_avx512),
    .pool_pixel_i64 = UPS_KERNEL(pool_pixel_i64_avx512),
    .avg_row = UPS_KERNEL(avg_row_avx512),
    .avg_pixel = UPS_KERNEL(avg_pixel_avx512),
    .unpool_2x2s2_i32 = UPS_KERNEL(unpool_2x2s2_i32_avx512),
    .unpool_2x2s2_i64 = UPS_KERNEL(unpool_2x2s2_i64_avx512),
    .replicate = UPS_KERNEL(replicate_scalar),
    .replicate_x2 = UPS_KERNEL(replicate_x2_avx512),
    .nails = UPS_KERNEL(nails_scalar),
    .nearest_row = UPS_KERNEL(nearest_row_avx512),
    .filter_row = UPS_KERNEL(filter_row_avx512),
    .filter_rows = UPS_KERNEL(filter_rows_avx512),
    .filter_pixels = UPS_KERNEL(filter_pixels_avx512),
};
