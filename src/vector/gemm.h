/* SPDX-License-Identifier: MIT
 *
 * The tile of the matrix products: GEMM_ROWS x GEMM_VECTORS vectors of outputs, held in registers over the whole sum.
 *
 *            b: one row of the panel
 *          [ vector 0 | vector 1 ]
 *     a0 → [ acc00    | acc01    ]         per k: load the row of b once, broadcast one element of each row of a,
 *     a1 → [ acc10    | acc11    ]         one fused multiply-add per accumulator
 *     …
 */

/* `rows` is a constant in every call, so acc is no array in memory: all its loops unroll and each element becomes a
 * register. One pointer serves three rows, [p], [p + a_stride], [p + 2*a_stride]: a pointer for each of 14 rows would
 * not fit the general registers. */
STEP void gemm_rows(const int64_t rows, int64_t taps, int64_t depth, const float *const *a, int64_t a_stride,
                    const float *const *b, float *c, int64_t c_stride)
{
    vf acc[GEMM_ROWS][GEMM_VECTORS];

    /* clang-format off */
    UNROLL for (int64_t i = 0; i < rows; i++)
        UNROLL for (int64_t j = 0; j < GEMM_VECTORS; j++) acc[i][j] = vf_set(0);

    for (int64_t t = 0; t < taps; t++) {
        const float *bt = b[t], *p[(GEMM_ROWS + 2) / 3];
        UNROLL for (int64_t q = 0; q < (rows + 2) / 3; q++) p[q] = a[t] + 3 * q * a_stride;

        _Pragma("GCC unroll 1") for (int64_t k = 0; k < depth; k++) {
            vf bk[GEMM_VECTORS];
            UNROLL for (int64_t j = 0; j < GEMM_VECTORS; j++) bk[j] = vf_load(bt + j * VF_LANES, VF_LANES);
            UNROLL for (int64_t i = 0; i < rows; i++) {
                const vf aik = vf_broadcast(&p[i / 3][i % 3 * a_stride + k]);
                UNROLL for (int64_t j = 0; j < GEMM_VECTORS; j++) acc[i][j] = vf_fma(aik, bk[j], acc[i][j]);
            }
            bt += GEMM_VECTORS * VF_LANES;
        }
    }

    UNROLL for (int64_t i = 0; i < rows; i++)
        UNROLL for (int64_t j = 0; j < GEMM_VECTORS; j++)
            vf_store(c + i * c_stride + j * VF_LANES, VF_LANES, acc[i][j]);
    /* clang-format on */
}

/* ISA() of the tile's own name; the detour expands GEMM_KERNEL first. */
#define GEMM_NAME(kernel) ISA(kernel)

static void GEMM_NAME(GEMM_KERNEL)(int64_t rows, int64_t taps, int64_t depth, const float *const *a, int64_t a_stride,
                                   const float *const *b, float *c, int64_t c_stride)
{
    /* clang-format off */
    switch (rows) {
#define ROWS(n) case n: gemm_rows(n, taps, depth, a, a_stride, b, c, c_stride); break;
    ROWS(1) ROWS(2) ROWS(3) ROWS(4) ROWS(5) ROWS(6)
#if GEMM_ROWS >= 8
    ROWS(7) ROWS(8)
#endif
#if GEMM_ROWS >= 14
    ROWS(9) ROWS(10) ROWS(11) ROWS(12) ROWS(13) ROWS(14)
#endif
#undef ROWS
    }
    /* clang-format on */
}
