/* SPDX-License-Identifier: MIT
 *
 * A matrix tile of 36 accumulators, which fits no tier's registers below AVX-512: scan_spills must complain of it.
 */
#include "kernels.h"
#ifdef __aarch64__
#    include "arm/vec_neon.h"
#else
#    include "x86/vec_avx2.h"
#endif

#undef GEMM_VECTORS
#undef GEMM_TILES
#define GEMM_VECTORS 3
#define GEMM_TILES ROWS(3, 12)

#include "vector/lanes.h"
#include "vector/sigmoid.h"
#include "vector/finish.h"
#include "vector/gemm.h"

ups_gemm_fn *const spilling = GEMM_NAME(GEMM_KERNEL);
ups_finish_fn *const used = ISA(finish); /* no warning */
