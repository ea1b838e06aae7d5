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

/* Few rows that lie side by side in y need not go by blocks: zipping row i with row i + n/2 for all i below that rotates the
 * numbers of row and lane as above, here until the row is the low part of the place, and whole vectors are stored. */
enum { INTERLEAVED = 8 }; /* at most */

STEP void interleave(const int64_t n, vf *r)
{
    vf s[INTERLEAVED];

    if (n == 3) {
        vf_zip_thirds(r);
        return;
    }
    /* clang-format off */
    UNROLL for (int64_t pass = 1; pass < n; pass *= 2) {
        UNROLL for (int64_t i = 0; i < n / 2; i++) {
            s[2 * i] = vf_zip_low(r[i], r[i + n / 2]);
            s[2 * i + 1] = vf_zip_high(r[i], r[i + n / 2]);
        }
        UNROLL for (int64_t i = 0; i < n; i++) r[i] = s[i];
    }
    /* clang-format on */
}

STEP void transpose_step(const int64_t rows, const float *x, int64_t x_stride, float *y, int64_t lanes)
{
    vf r[INTERLEAVED];
    int64_t left = lanes * rows;

    /* clang-format off */
    UNROLL for (int64_t i = 0; i < rows; i++) r[i] = vf_load(x + i * x_stride, lanes);
    interleave(rows, r);
    UNROLL for (int64_t i = 0; i < rows; i++, left -= VF_LANES)
        if (left > 0) vf_store(y + i * VF_LANES, left < VF_LANES ? left : VF_LANES, r[i]);
    /* clang-format on */
}

STEP void transpose_few(const int64_t rows, const float *x, int64_t columns, int64_t x_stride, float *y)
{
    for (; columns >= VF_LANES; columns -= VF_LANES, x += VF_LANES, y += VF_LANES * rows)
        transpose_step(rows, x, x_stride, y, VF_LANES);
    if (columns) transpose_step(rows, x, x_stride, y, columns);
}

static void ISA(transpose)(const float *x, int64_t rows, int64_t columns, int64_t x_stride, float *y, int64_t y_stride)
{
    if (rows == y_stride) switch (rows) {
        case 2: transpose_few(2, x, columns, x_stride, y); return;
        case 3: transpose_few(3, x, columns, x_stride, y); return;
        case 4: transpose_few(4, x, columns, x_stride, y); return;
        default: break;
        }
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
