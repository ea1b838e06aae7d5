/* SPDX-License-Identifier: MIT
 *
 * Transposition in square blocks of VF_LANES vectors.
 *
 * Zipping row i with row i + L/2 for all i < L/2 (L lanes) is one perfect shuffle of the block's L*L elements. An
 * element's place, row and lane together, is a number of 2*log2(L) bits, and a shuffle rotates it left by one:
 *
 *     row r2 r1 r0, lane l2 l1 l0   →   row r1 r0 l2, lane l1 l0 r2
 *
 * so log2(L) shuffles exchange row and lane. That is the least number of two-source instructions that can do it.
 */
STEP void transpose_block(const float *x, int64_t rows, int64_t columns, int64_t x_stride, float *y, int64_t y_stride)
{
    vf r[VF_LANES], s[VF_LANES];

    /* clang-format off */
    UNROLL for (int64_t i = 0; i < VF_LANES; i++) r[i] = i < rows ? vf_load(x + i * x_stride, columns) : vf_set(0);
    UNROLL for (int64_t pass = 1; pass < VF_LANES; pass *= 2) {
        UNROLL for (int64_t i = 0; i < VF_LANES / 2; i++) {
            s[2 * i] = vf_zip_low(r[i], r[i + VF_LANES / 2]);
            s[2 * i + 1] = vf_zip_high(r[i], r[i + VF_LANES / 2]);
        }
        UNROLL for (int64_t i = 0; i < VF_LANES; i++) r[i] = s[i];
    }
    UNROLL for (int64_t j = 0; j < VF_LANES; j++)
        if (j < columns) vf_store(y + j * y_stride, rows, r[j]);
    /* clang-format on */
}

static void ISA(transpose)(const float *x, int64_t rows, int64_t columns, int64_t x_stride, float *y, int64_t y_stride)
{
    for (int64_t j = 0; j < columns; j += VF_LANES)
        for (int64_t i = 0; i < rows; i += VF_LANES) {
            const float *from = x + i * x_stride + j;
            float *to = y + j * y_stride + i;
            const int64_t m = rows - i, n = columns - j;
            if (m >= VF_LANES && n >= VF_LANES)
                transpose_block(from, VF_LANES, VF_LANES, x_stride, to, y_stride);
            else
                transpose_block(from, m < VF_LANES ? m : VF_LANES, n < VF_LANES ? n : VF_LANES, x_stride, to, y_stride);
        }
}
