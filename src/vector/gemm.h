/* SPDX-License-Identifier: MIT
 *
 * The tile of the matrix products: rows x vectors of outputs, held in registers over the whole sum.
 *
 *            b: one row of the panel
 *          [ vector 0 | vector 1 ]
 *     a0 → [ acc00    | acc01    ]         per k: load the row of b once, broadcast one element of each row of a,
 *     a1 → [ acc10    | acc11    ]         one fused multiply-add per accumulator
 *     …
 *
 * Bias and activation are added while the outputs are still in registers, and they go from there to where they belong. Most of
 * those places are in no near cache, and stores that wait for them would hold up the next tile. So the cache lines are asked for
 * GEMM_LEAVE steps before the sum ends: time for one to arrive, too little for the operands to drive it out of L1 again. clang 19,
 * which is short of a general register in the loop that stops there, asks when the last tap begins.
 */
#if defined(__clang__)
#define GEMM_LEAVE INT64_MAX
#else
#define GEMM_LEAVE ((int64_t)32)
#endif
enum { GEMM_LINE = 16 / VF_LANES }; /* vectors of a cache line */

STEP void gemm_expect(const int64_t rows, const int64_t vectors, const struct ups_gemm *g)
{
    /* clang-format off */
    UNROLL for (int64_t i = 0; i < rows; i++) {
        UNROLL for (int64_t j = 0; j < vectors; j += GEMM_LINE) __builtin_prefetch(g->c + i * g->c_stride + j * VF_LANES, 1, 3);
        __builtin_prefetch(g->c + i * g->c_stride + g->columns - 1, 1, 3);
    }
    /* clang-format on */
}

/* `rows` and `vectors` are constants in every call, so acc is no array in memory: all its loops unroll and each element
 * becomes a register. One pointer serves three rows, [p], [p + a_stride], [p + 2*a_stride]: a pointer for each of 14 rows
 * would not fit the general registers. */
STEP void gemm_tile(const int64_t rows, const int64_t vectors, const struct ups_gemm *g)
{
    vf acc[GEMM_NARROW_ROWS][GEMM_VECTORS];
    const int64_t depth = g->depth, a_stride = g->a_stride, b_stride = g->b_stride;
    /* No pointer arithmetic: they may lead nowhere. */
    const uintptr_t ahead = (uintptr_t)g->ahead * sizeof(float);
    const uintptr_t next_stride = (uintptr_t)(g->next ? g->next_stride : b_stride) * sizeof(float);

    /* clang-format off */
    UNROLL for (int64_t i = 0; i < rows; i++)
        UNROLL for (int64_t j = 0; j < vectors; j++) acc[i][j] = vf_set(0);

    for (int64_t t = 0; t < g->taps; t++) {
        const float *bt = g->b[t], *p[(GEMM_NARROW_ROWS + 2) / 3];
        uintptr_t next = g->next ? (uintptr_t)g->next[t] : (uintptr_t)bt + ahead;
        UNROLL for (int64_t q = 0; q < (rows + 2) / 3; q++) p[q] = g->a[t] + 3 * q * a_stride;

        int64_t k = 0;
        for (int64_t end = t < g->taps - 1 || depth <= GEMM_LEAVE ? depth : depth - GEMM_LEAVE; k < depth; end = depth) {
            if (t == g->taps - 1 && end == depth) gemm_expect(rows, vectors, g);
            _Pragma("GCC unroll 1") for (; k < end; k++) {
                vf bk[GEMM_VECTORS];
                UNROLL for (int64_t j = 0; j < vectors; j++) bk[j] = vf_load(bt + j * VF_LANES, VF_LANES);
                __builtin_prefetch((const float *)next, 0, 2);
                UNROLL for (int64_t i = 0; i < rows; i++) {
                    const vf aik = vf_broadcast(&p[i / 3][i % 3 * a_stride + k]);
                    UNROLL for (int64_t j = 0; j < vectors; j++) acc[i][j] = vf_fma(aik, bk[j], acc[i][j]);
                }
                bt += b_stride;
                next += next_stride;
            }
        }
    }

    /* Of the last vector perhaps only some lanes are columns. */
    const int64_t last = g->columns - (vectors - 1) * VF_LANES;
    if (g->bias) {
        const struct activation act = activation_constants(g->activation);
        UNROLL for (int64_t j = 0; j < vectors; j++) {
            const vf bias = vf_load(g->bias + j * VF_LANES, j < vectors - 1 ? VF_LANES : last);
            UNROLL for (int64_t i = 0; i < rows; i++) acc[i][j] = vf_add(acc[i][j], bias);
        }
        if (g->activation->kind != UPS_NO_ACTIVATION)
            UNROLL for (int64_t i = 0; i < rows; i++)
                UNROLL for (int64_t j = 0; j < vectors; j++) acc[i][j] = activated(acc[i][j], act);
    }
    if (g->add)
        UNROLL for (int64_t i = 0; i < rows; i++)
            UNROLL for (int64_t j = 0; j < vectors; j++)
                acc[i][j] = vf_add(vf_load(g->c + i * g->c_stride + j * VF_LANES, j < vectors - 1 ? VF_LANES : last), acc[i][j]);
    UNROLL for (int64_t i = 0; i < rows; i++)
        UNROLL for (int64_t j = 0; j < vectors; j++)
            vf_store(g->c + i * g->c_stride + j * VF_LANES, j < vectors - 1 ? VF_LANES : last, acc[i][j]);
    /* clang-format on */
}

/* ISA() of the tile's own name; the detour expands GEMM_KERNEL first. */
#define GEMM_NAME(kernel) ISA(kernel)

static void GEMM_NAME(GEMM_KERNEL)(const struct ups_gemm *g)
{
    const int64_t vectors = (g->columns + VF_LANES - 1) / VF_LANES;

    /* clang-format off */
    switch (vectors * 16 + g->rows) {
#define ROWS(v, n) case v * 16 + n: gemm_tile(n, v, g); break;
#define ROWS_TO_6(v) ROWS(v, 1) ROWS(v, 2) ROWS(v, 3) ROWS(v, 4) ROWS(v, 5) ROWS(v, 6)
#define ROWS_TO_8(v) ROWS_TO_6(v) ROWS(v, 7) ROWS(v, 8)
#define ROWS_TO_12(v) ROWS_TO_8(v) ROWS(v, 9) ROWS(v, 10) ROWS(v, 11) ROWS(v, 12)
#define ROWS_TO_14(v) ROWS_TO_12(v) ROWS(v, 13) ROWS(v, 14)
    GEMM_TILES
#undef ROWS
    default: __builtin_unreachable();
    }
    /* clang-format on */
}
