/* SPDX-License-Identifier: MIT
 *
 * The vector texts in NEON, and the table of the tier.
 */
#include "../kernels.h"
#include "vec_neon.h"

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

const struct ups_kernels ups_kernels_neon = {
    .isa = "neon",
    .lanes = VF_LANES,
    .nr = GEMM_VECTORS * VF_LANES,
    .mr = {GEMM_NARROW_ROWS, GEMM_NARROW_ROWS, GEMM_ROWS},
    .gemm = UPS_KERNEL(gemm_8x12_neon),
    .winograd_in = UPS_KERNEL(winograd_in_neon),
    .winograd_out = UPS_KERNEL(winograd_out_neon),
    .finish = UPS_KERNEL(finish_neon),
    .axpy = UPS_KERNEL(axpy_neon),
    .transpose = UPS_KERNEL(transpose_neon),
    .depthwise_rows = UPS_KERNEL(depthwise_rows_neon),
    .depthwise_pixels = UPS_KERNEL(depthwise_pixels_neon),
    .pool_row = UPS_KERNEL(pool_row_scalar),
    .pool_row_i32 = UPS_KERNEL(pool_row_i32_scalar),
    .pool_row_i64 = UPS_KERNEL(pool_row_i64_scalar),
    .pool_2x2s2 = UPS_KERNEL(pool_2x2s2_neon),
    .pool_2x2s2_i32 = UPS_KERNEL(pool_2x2s2_i32_neon),
    .pool_2x2s2_i64 = UPS_KERNEL(pool_2x2s2_i64_neon),
    .pool_pixel = UPS_KERNEL(pool_pixel_neon),
    .pool_pixel_i32 = UPS_KERNEL(pool_pixel_i32_neon),
    .pool_pixel_i64 = UPS_KERNEL(pool_pixel_i64_neon),
    .avg_row = UPS_KERNEL(avg_row_neon),
    .avg_pixel = UPS_KERNEL(avg_pixel_neon),
    .unpool_2x2s2_i32 = UPS_KERNEL(unpool_2x2s2_i32_neon),
    .unpool_2x2s2_i64 = UPS_KERNEL(unpool_2x2s2_i64_neon),
    .replicate = UPS_KERNEL(replicate_scalar),
    .replicate_x2 = UPS_KERNEL(replicate_x2_neon),
    .nails = UPS_KERNEL(nails_scalar),
    .nearest_row = UPS_KERNEL(nearest_row_neon),
    .filter_row = UPS_KERNEL(filter_row_neon),
    .filter_rows = UPS_KERNEL(filter_rows_neon),
    .filter_pixels = UPS_KERNEL(filter_pixels_neon),
};
