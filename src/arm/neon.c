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
#include "../vector/expand.h"
#include "../vector/unpool.h"
#include "../vector/pool_bytes.h"
#include "../vector/unpool_bytes.h"
#include "../vector/overlap.h"
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
    .pool = UPS_KERNEL(pool_neon),
    .pool_u8 = UPS_KERNEL(pool_u8_neon),
    .pool_i32 = UPS_KERNEL(pool_i32_neon),
    .pool_i64 = UPS_KERNEL(pool_i64_neon),
    .pool_bytes = UPS_KERNEL(pool_bytes_neon),
    .pool_bytes_u8 = UPS_KERNEL(pool_bytes_u8_neon),
    .pool_bytes_i32 = UPS_KERNEL(pool_bytes_i32_neon),
    .pool_bytes_i64 = UPS_KERNEL(pool_bytes_i64_neon),
    .avg = UPS_KERNEL(avg_neon),
    .unpool_u8 = UPS_KERNEL(unpool_u8_neon),
    .unpool_i32 = UPS_KERNEL(unpool_i32_neon),
    .unpool_i64 = UPS_KERNEL(unpool_i64_neon),
    .unpool_bytes_u8 = UPS_KERNEL(unpool_bytes_u8_neon),
    .unpool_bytes_i32 = UPS_KERNEL(unpool_bytes_i32_neon),
    .unpool_bytes_i64 = UPS_KERNEL(unpool_bytes_i64_neon),
    .overlap_u8 = UPS_KERNEL(overlap_u8_neon),
    .replicate = UPS_KERNEL(replicate_neon),
    .replicate_x2 = UPS_KERNEL(replicate_x2_neon),
    .nails = UPS_KERNEL(nails_neon),
    .nearest_row = UPS_KERNEL(nearest_row_neon),
    .filter_row = UPS_KERNEL(filter_row_neon),
    .filter_rows = UPS_KERNEL(filter_rows_neon),
    .filter_pixels = UPS_KERNEL(filter_pixels_neon),
};
