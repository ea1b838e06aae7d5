/* SPDX-License-Identifier: MIT
 *
 * The kernels: what each one computes, and the table that holds one of each per tier.
 *
 * A kernel has three homes: its definition in plain loops in scalar.c, its vector text in vector/<family>.h (compiled
 * once per tier by x86/avx2.c, x86/avx512.c, arm/neon.c), and a line in each table. Tables are const and complete: what a
 * tier has nothing better for it borrows in the open from the tier below (avx512 from avx2, avx2 and neon from scalar);
 * the suffix of the name tells whose it is.
 *
 * Rules for all of them. Lengths are >= 1 unless said, any alignment of the element, nothing is read or written outside
 * what the contract names, not even transiently; inputs and outputs do not overlap. They allocate nothing and validate
 * nothing. "Bit-equal" means the same bits on every tier; where it is not said, tiers may fuse multiply and add.
 */
#ifndef UPS_KERNELS_H
#define UPS_KERNELS_H

#include <stdint.h>

#include "upsample/upsample.h" /* UPS_RELU and its like */

/* ---- transposed convolution ---- */

/* The tile of every matrix product here. Rows are pixels, columns are output channels (times phases):
 *
 *     c[i*c_stride + j] = sum over t, then k, of a[t][i*a_stride + k] * b[t][k*nr + j]
 *
 * for i < rows <= mr and all j < nr, each output one chain from 0 in exactly that order: fused multiply-adds on the
 * vector tiers, separate multiply and add in scalar.c. a and b: one pointer per tap, so that taps which
 * meet only padding are left out; b[t]: depth packed rows of nr; c: whole rows of nr. taps may be 0. */
typedef void ups_gemm_fn(int64_t rows, int64_t taps, int64_t depth, const float *const *a, int64_t a_stride,
                         const float *const *b, float *c, int64_t c_stride);

/* kind is the descriptor's activation. relu: v < 0 ? 0 : v. leaky: v < 0 ? v*alpha : v. clip: to [alpha, beta].
 * NaN stays NaN in all of them; a zero keeps its sign. */
struct ups_activation {
    int32_t kind;
    float alpha, beta;
};

/* c[i*c_stride + j] = act(c[i*c_stride + j] + bias[i*bias_row + j*bias_column]), i < rows, j < columns. Of bias_row and
 * bias_column one is 1 and the other 0. Bit-equal. */
typedef void ups_finish_fn(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias,
                           int64_t bias_row, int64_t bias_column, const struct ups_activation *activation);

/* y[i] = a*x[i] + y[i], i < n; fused on the vector tiers. */
typedef void ups_axpy_fn(int64_t n, float a, const float *x, float *y);

/* y[j*y_stride + i] = x[i*x_stride + j], i < rows, j < columns. Bit-equal. */
typedef void ups_transpose_fn(const float *x, int64_t rows, int64_t columns, int64_t x_stride, float *y, int64_t y_stride);

/* ---- pooling ----
 * One kernel for both layouts. Channels first: lines are rows of outputs, lanes the outputs of one. Channels last: lines
 * are pixels, lanes their channels. Output (l, i), l < lines, i < n, is y[l*y_stride + i]; its taps are
 *
 *     rows[r][l*x_stride + i*stride + t*dilation]        r < count, t < taps
 *
 * all inside the image: windows that the border cuts are calls of their own, with fewer taps. count or taps may be 0. */
struct ups_pool_window {
    const float *const *rows;
    const int64_t *code; /* max_pool: of each row */
    int64_t count, taps, stride, dilation;
    int64_t lines, x_stride, y_stride, index_stride;
    int64_t base, line_step, lane_step, tap_step;
    int32_t nan, scan;
    int32_t beyond; /* max_pool: 1 where results will not stay in the caches: whole lines then go past them */
};

/* Max pooling: values only (index NULL), or with u8, i32 or i64 switches. Scan row_major: r outer, t inner; column_major:
 * t outer, r inner. `nan` is the descriptor's rule. last: the first tap is taken, then each with v > best or v NaN. seed:
 * the first tap, then each with v > best. skip: each with v > best, from the lowest float. So the first of equal values
 * wins, and -0 and +0 are equal. index[l*index_stride + i] is
 *
 *     base + l*line_step + i*lane_step + code[r] + t*tap_step
 *
 * of the tap taken. The last three together are 0 or more and, but for scalar.c, below 2^31. Where nothing is taken the value
 * is -inf (last) or the lowest float, the index -1 (u8: 255). Bit-equal, index and value. */
typedef void ups_pool_fn(const struct ups_pool_window *window, int64_t n, float *y, void *index);

/* Average pooling: the sum of the taps, from 0, one addition each, r outer, t inner; then one division. Bit-equal. */
typedef void ups_avg_fn(const struct ups_pool_window *window, int64_t n, float divisor, float *y);

/* ---- rows in which each element has `factor` places: max unpooling, replication, bed of nails ----
 * quotient[p] = p/factor and remainder[p] = p % factor for p < 16*factor, factor <= UPS_MOST_FACTOR; scalar.c reads neither and
 * takes any factor, and unpooling by 1 needs neither. */
#define UPS_MOST_FACTOR 16
struct ups_spread {
    int64_t factor;
    const int32_t *quotient, *remainder;
};

/* Max unpooling of windows side by side, from u8, i32 or i64 switches, driven by the outputs. Line l < lines of inputs,
 * x[l*x_stride + i] with its switch index[l*index_stride + i], i < n, fills `rows` rows of width <= n*factor outputs:
 *
 *     y[l*y_stride + r*row_stride + p] = x[p/factor] where its switch is the name of this output, else 0
 *     name = base + l*line_step + r*row_step + p*step + (p % factor)*tap_step
 *
 * Names of a call are 0 or more, agree above their low 32 bits, and fit the type (u8: below 255). Returns how many outputs
 * have an input. Bit-equal. */
struct ups_unpool_window {
    struct ups_spread spread;
    int64_t lines, rows, n, width;
    int64_t beyond; /* 1 where results will not stay in the caches: whole lines then go past them */
    int64_t at_once; /* how many rows to write side by side, a divisor of rows: what is fastest depends on the size of it all */
    int64_t x_stride, index_stride, y_stride, row_stride;
    int64_t base, line_step, row_step, step, tap_step;
};
typedef int64_t ups_unpool_fn(const struct ups_unpool_window *window, const float *x, const void *index, float *y);

/* y[p] = x[p/factor], p < n*factor. Bit-equal. */
typedef void ups_replicate_fn(const float *x, int64_t n, const struct ups_spread *spread, float *y);
/* y[i] = x[i/2], i < 2n. Bit-equal. */
typedef void ups_replicate_x2_fn(const float *x, int64_t n, float *y);
/* y[i*factor + offset] = x[i], the rest of the n*factor elements 0. Bit-equal. */
typedef void ups_nails_fn(const float *x, int64_t n, const struct ups_spread *spread, int64_t offset, float *y);

/* ---- resize ----
 * Tables are tap-major: index[t*n + o], weight[t*n + o] for tap t of output o. Any number of taps, from 1; sums run over t
 * upwards, starting from the product of tap 0. An index may come up several times. */

/* y[o] = x[index[o]], o < n. Bit-equal. */
typedef void ups_nearest_row_fn(const float *x, const int32_t *index, int64_t n, float *y);

/* The pass along W, channels first: y[o] = sum of weight[t*n + o] * x[index[t*n + o]], t < taps. */
typedef void ups_filter_row_fn(const float *x, const int32_t *index, const float *weight, int64_t taps, int64_t n, float *y);

/* The passes along H and D, both layouts: y[i] = sum of weight[t] * rows[t][i], t < taps, i < n. Rows may be the same. */
typedef void ups_filter_rows_fn(const float *const *rows, const float *weight, int64_t taps, int64_t n, float *y);

/* The pass along W, channels last: y[o*y_stride + c] = sum of weight[t*n + o] * x[index[t*n + o]*x_stride + c]. */
typedef void ups_filter_pixels_fn(const float *x, int64_t x_stride, const int32_t *index, const float *weight, int64_t taps,
                                  int64_t n, int64_t channels, float *y, int64_t y_stride);

/* Every kernel of a table: X(function type, member). Tests, describe and the tables' check walk this list. */
#define UPS_KERNEL_LIST(X)                    \
    X(ups_gemm_fn, gemm)                      \
    X(ups_finish_fn, finish)                  \
    X(ups_axpy_fn, axpy)                      \
    X(ups_transpose_fn, transpose)            \
    X(ups_pool_fn, pool)                      \
    X(ups_pool_fn, pool_u8)                   \
    X(ups_pool_fn, pool_i32)                  \
    X(ups_pool_fn, pool_i64)                  \
    X(ups_avg_fn, avg)                        \
    X(ups_unpool_fn, unpool_u8)               \
    X(ups_unpool_fn, unpool_i32)              \
    X(ups_unpool_fn, unpool_i64)              \
    X(ups_replicate_fn, replicate)            \
    X(ups_replicate_x2_fn, replicate_x2)      \
    X(ups_nails_fn, nails)                    \
    X(ups_nearest_row_fn, nearest_row)        \
    X(ups_filter_row_fn, filter_row)          \
    X(ups_filter_rows_fn, filter_rows)        \
    X(ups_filter_pixels_fn, filter_pixels)

struct ups_kernels {
    const char *isa; /* "scalar", "avx2", "avx512", "neon" */
    /* The gemm tile: up to mr rows, nr columns; panels of b are nr wide, so packed weights belong to one tile. */
    int32_t mr, nr;
#define UPS_KERNEL_MEMBER(type, member) \
    struct {                            \
        type *run;                      \
        const char *name;               \
    } member;
    UPS_KERNEL_LIST(UPS_KERNEL_MEMBER)
#undef UPS_KERNEL_MEMBER
};

/* A line of a table. The name is member_isa, the gemm's with its tile: gemm_14x32_avx512; the function is the same with
 * ups_ before it. */
#define UPS_KERNEL(name) {ups_##name, #name}

extern const struct ups_kernels ups_kernels_scalar;
extern const struct ups_kernels ups_kernels_avx2;
extern const struct ups_kernels ups_kernels_avx512;
extern const struct ups_kernels ups_kernels_neon;

/* The largest tile of any tier: what a driver reserves for one. */
#define UPS_MAX_MR 16
#define UPS_MAX_NR 64

#endif
