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
#include "../vector/expand.h"
#include "../vector/unpool.h"
#include "../vector/pool_bytes.h"
#include "../vector/unpool_bytes.h"
#include "../vector/overlap.h"
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
    .pool = UPS_KERNEL(pool_avx512),
    .pool_u8 = UPS_KERNEL(pool_u8_avx512),
    .pool_i32 = UPS_KERNEL(pool_i32_avx512),
    .pool_i64 = UPS_KERNEL(pool_i64_avx512),
    .pool_bytes = UPS_KERNEL(pool_bytes_avx512),
    .pool_bytes_u8 = UPS_KERNEL(pool_bytes_u8_avx512),
    .pool_bytes_i32 = UPS_KERNEL(pool_bytes_i32_avx512),
    .pool_bytes_i64 = UPS_KERNEL(pool_bytes_i64_avx512),
    .avg = UPS_KERNEL(avg_avx512),
    .unpool_u8 = UPS_KERNEL(unpool_u8_avx512),
    .unpool_i32 = UPS_KERNEL(unpool_i32_avx512),
    .unpool_i64 = UPS_KERNEL(unpool_i64_avx512),
    .unpool_bytes_u8 = UPS_KERNEL(unpool_bytes_u8_avx512),
    .unpool_bytes_i32 = UPS_KERNEL(unpool_bytes_i32_avx512),
    .unpool_bytes_i64 = UPS_KERNEL(unpool_bytes_i64_avx512),
    .overlap_u8 = UPS_KERNEL(overlap_u8_avx512),
    .replicate = UPS_KERNEL(replicate_avx512),
    .replicate_x2 = UPS_KERNEL(replicate_x2_avx512),
    .nails = UPS_KERNEL(nails_avx512),
    .nearest_row = UPS_KERNEL(nearest_row_avx512),
    .filter_row = UPS_KERNEL(filter_row_avx512),
    .filter_rows = UPS_KERNEL(filter_rows_avx512),
    .filter_pixels = UPS_KERNEL(filter_pixels_avx512),
};
