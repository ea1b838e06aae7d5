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

#include <stdbool.h>
#include <stdint.h>

#include "winograd.h"

#include "upsample/upsample.h" /* UPS_RELU and its like */

/* ---- transposed convolution ---- */

/* kind is the descriptor's activation. relu: v < 0 ? 0 : v. leaky: v < 0 ? v*alpha : v. clip: to [alpha, beta].
 * sigmoid: 1/(1 + e^-v) and tanh, both within 2 ulp for every float, subnormal results included; infinities give their
 * limits. NaN stays NaN in all of them; a zero keeps its sign but for sigmoid, where it gives 1/2. */
struct ups_activation {
    int32_t kind;
    float alpha, beta;
};

/* On these stand sigmoid, 1/(1 + e^-v), and tanh, 1 - 2/(e^2v + 1). Every tier rounds the same products and sums in the same
 * order, none of them fused: so they are bit-equal, and cheap without FMA. For t in [-20, 104]
 *
 *     e^t = 2^n * (1 + p),  n = t/ln 2 rounded,  r = t - n*ln 2,  p = e^r - 1 = r + r^2*(C2 + C3*r + … + C6*r^4)
 *
 * ROUND rounds to an integer when added, and leaves n + 63 in the low bits: shifted to the exponent they are 2^n in units of
 * 2^-64, in which no power overflows and no quotient is subnormal before its last rounding. SHIFT moves r from around 0 to
 * [ln 0.75, ln 1.5], where p is in [-0.25, 0.5] and its rounding weighs the least in 1 + p. LN2_HIGH has 15 bits, so that
 * n*LN2_HIGH is exact and so is t less it; what n*LN2_LOW takes off is added to p late, with its small terms.
 *
 * Up to TANH_SMALL, where tanh is a half and the difference would begin to cancel, with u = v^2
 *
 *     tanh v = v + v*(0 + u*(C0 + C1*u + … + C4*u^4))
 *
 * Both polynomials have the least relative error of e^r and of tanh (Remez' exchange; each coefficient was rounded to float
 * and those after it fitted again): 2^-28 and 2^-29. The rest of the 2 ulp is rounding. */
#define UPS_EXP_UNIT 0x1p-64f
#define UPS_EXP_LOG2E 0x1.715476p0f
#define UPS_EXP_SHIFT 0.085f
#define UPS_EXP_ROUND (0x1.8p23f + 63)
#define UPS_EXP_LN2_HIGH 0x1.62e4p-1f
#define UPS_EXP_LN2_LOW 0x1.7f7d1cp-20f
#define UPS_EXP_C2 0x1.000006p-1f
#define UPS_EXP_C3 0x1.5554cp-3f
#define UPS_EXP_C4 0x1.5544d6p-5f
#define UPS_EXP_C5 0x1.12074p-7f
#define UPS_EXP_C6 0x1.7e3b4ap-10f
#define UPS_TANH_SMALL 0.55f
#define UPS_TANH_C0 -0x1.55554cp-2f
#define UPS_TANH_C1 0x1.110d6ap-3f
#define UPS_TANH_C2 -0x1.b931fcp-5f
#define UPS_TANH_C3 0x1.598278p-6f
#define UPS_TANH_C4 -0x1.9c94b8p-8f

/* The tile of every matrix product here. Rows are pixels, columns are output channels (times phases):
 *
 *     c[i*c_stride + j] = sum over t, then k, of a[t][i*a_stride + k] * b[t][k*b_stride + j]
 *
 * each output one chain from 0 in exactly that order: fused multiply-adds on the vector tiers, separate multiply and add
 * in scalar.c; then, unless bias is NULL, act(sum + bias[j]). a and b: one pointer per tap, so that taps which meet only
 * padding are left out; taps may be 0. Rows of b are read in whole vectors: `columns` rounded up to the tier's lanes.
 * Exactly `columns` columns of c and of bias are touched. With v vectors of columns rows is at most mr[v - 1].
 * activation: none, relu, leaky_relu or clip. With `add` and no bias the sum is added to what c holds: a chain broken in two.
 * Beside row k of b[t] the cache line `ahead` floats behind its begin is prefetched, or with `next` what lies at
 * next[t] + k*next_stride; neither need exist. So are the lines of c, towards the end of the sum. */
struct ups_gemm {
    int64_t rows, columns, taps, depth;
    const float *const *a, *const *b;
    int64_t a_stride, b_stride, ahead;
    const float *const *next;
    int64_t next_stride;
    bool add;
    float *c;
    int64_t c_stride;
    const float *bias;
    const struct ups_activation *activation;
};
typedef void ups_gemm_fn(const struct ups_gemm *g);

/* The transforms of the minimal algorithms of winograd.h in two dimensions: form h along H, w along W, for `tiles` tiles and all
 * channels alike. Sums run over the nonzero coefficients in order, the first product alone, then fused on the vector tiers.
 *
 * in: of tile t, x[(t*n_h + i)*n_w + j] points at pixel (i, j), n channels; v[(p*n_w + q)*v_stride + t*n + c] = first along W,
 * then along H, Bt.
 * out: m as v is, with m_step from tile to tile. y[(t*m_h + i)*m_w + j] points at output (i, j), NULL: not wanted; first along H,
 * then along W, At; then act(sum + bias[c]), activation as for the gemm tile. */
struct ups_winograd_tile {
    enum ups_minimal_form h, w;
};
typedef void ups_winograd_in_fn(const struct ups_winograd_tile *tile, int64_t tiles, const float *const *x, int64_t n, float *v,
                                int64_t v_stride);
typedef void ups_winograd_out_fn(const struct ups_winograd_tile *tile, int64_t tiles, const float *m, int64_t m_stride,
                                 int64_t m_step, int64_t n, const float *bias, const struct ups_activation *activation,
                                 float *const *y);

/* c[i*c_stride + j] = act(c[i*c_stride + j] + bias[i*bias_row + j*bias_column]), i < rows, j < columns. Of bias_row and
 * bias_column one is 1 and the other 0. Bit-equal. */
typedef void ups_finish_fn(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias,
                           int64_t bias_row, int64_t bias_column, const struct ups_activation *activation);

/* y[i] = a*x[i] + y[i], i < n; fused on the vector tiers. */
typedef void ups_axpy_fn(int64_t n, float a, const float *x, float *y);

/* y[j*y_stride + i] = x[i*x_stride + j], i < rows, j < columns. Bit-equal. */
typedef void ups_transpose_fn(const float *x, int64_t rows, int64_t columns, int64_t x_stride, float *y, int64_t y_stride);

/* One input channel and one output channel, channels first: `rows` output rows, of which each lies y_stride behind the one
 * before and has n outputs, `stride` to a cell. Output o is y[o], o = i*stride + p, of cell i:
 *
 *     y[o] = act(sum over the taps with first <= p < last of w[p - first] * x[i], plus bias)
 *
 * one chain from 0 in the order of the taps, fused on the vector tiers, bit-equal among these. x: what the tap brings to
 * cell 0 of the first row, of every further row x_stride behind; x[i] is read if cell i has an output. taps may be 0. */
struct ups_depthwise_tap {
    const float *x, *w;
    int64_t first, last;
};
struct ups_depthwise {
    const struct ups_depthwise_tap *tap;
    int64_t taps, stride, rows, n, x_stride, y_stride;
    float bias;
    const struct ups_activation *activation;
};
typedef void ups_depthwise_rows_fn(const struct ups_depthwise *d, float *y);

/* The same channels last, n pixels of one phase with all their channels:
 *
 *     y[o*y_stride + c] = act(sum over t < taps of w[t][c] * x[t][o*x_stride + c], plus bias[c]) */
struct ups_depthwise_pixels {
    const float *const *x, *const *w;
    int64_t taps, n, channels, x_stride, y_stride;
    const float *bias;
    const struct ups_activation *activation;
};
typedef void ups_depthwise_pixels_fn(const struct ups_depthwise_pixels *d, float *y);

/* ---- pooling ----
 * One kernel for both layouts. Channels first: lines are rows of outputs, lanes the outputs of one. Channels last: lines
 * are pixels, lanes their channels. Output (l, i), l < lines, i < n, is y[l*y_stride + i]; its taps are
 *
 *     rows[r][l*x_stride + i*stride + t*dilation]        r < count, t < taps
 *
 * all inside the image: windows that the border cuts are calls of their own, with fewer taps. count or taps may be 0. */
struct ups_pool_window {
    union {
        const float *const *rows;
        const uint8_t *const *byte_rows; /* of pool_bytes */
    };
    const int64_t *code; /* max_pool: of each row */
    int64_t count, taps, stride, dilation;
    int64_t lines, x_stride, y_stride, index_stride;
    int64_t base, line_step, lane_step, tap_step;
    int32_t nan, scan;
    int32_t flip;   /* pool_bytes: 0x80 where bytes are signed, else 0 */
    int32_t beyond; /* max_pool: whole lines go past the caches, which would not keep them: 1 of i32 and i64 switches, 2 of values too */
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
typedef void ups_pool_fn(const struct ups_pool_window *window, int64_t n, void *y, void *index);

/* Of bytes (pool_bytes, byte_rows, y): the same without NaN. The first tap is taken, then each with v ^ flip > best ^ flip; where
 * there is none, the value is the lowest, 0 ^ flip. u8 switches: line_step and lane_step are 0. Switches of any type: but for
 * scalar.c count*taps <= 256. */

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
typedef int64_t ups_unpool_fn(const struct ups_unpool_window *window, const void *x, const void *index, void *y);

/* Of bytes (unpool_bytes): the same, where the outputs of one input have different names; with u8 switches line_step and step
 * are 0. */

/* Max unpooling where windows overlap, the last of several inputs staying, from u8 codes, driven by the outputs. Of line l < lines
 * output p*factor + e < width, e < factor, is y[l*y_stride + p*factor + e]. From 0 it becomes, of one of phase e's sources after
 * the other, with i = p + shift, 0 <= i < n,
 *
 *     x[l*x_stride + i]   where   code[l*code_stride + i] == name
 *
 * Sources of phase 0 come first, count[0] of them, then count[1] of phase 1. factor is 1 or 2. Returns how many pairs of an
 * output and a source agree. Bit-equal. */
struct ups_overlap_source {
    const float *x;
    const uint8_t *code;
    int64_t shift, name;
};
struct ups_overlap {
    const struct ups_overlap_source *source;
    int64_t count[2], factor, lines, n, width, x_stride, code_stride, y_stride;
};
typedef int64_t ups_overlap_fn(const struct ups_overlap *o, float *y);

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
    X(ups_winograd_in_fn, winograd_in)        \
    X(ups_winograd_out_fn, winograd_out)      \
    X(ups_finish_fn, finish)                  \
    X(ups_axpy_fn, axpy)                      \
    X(ups_transpose_fn, transpose)            \
    X(ups_depthwise_rows_fn, depthwise_rows)  \
    X(ups_depthwise_pixels_fn, depthwise_pixels) \
    X(ups_pool_fn, pool)                      \
    X(ups_pool_fn, pool_u8)                   \
    X(ups_pool_fn, pool_i32)                  \
    X(ups_pool_fn, pool_i64)                  \
    X(ups_pool_fn, pool_bytes)                \
    X(ups_pool_fn, pool_bytes_u8)             \
    X(ups_pool_fn, pool_bytes_i32)            \
    X(ups_pool_fn, pool_bytes_i64)            \
    X(ups_avg_fn, avg)                        \
    X(ups_unpool_fn, unpool_u8)               \
    X(ups_unpool_fn, unpool_i32)              \
    X(ups_unpool_fn, unpool_i64)              \
    X(ups_unpool_fn, unpool_bytes_u8)         \
    X(ups_unpool_fn, unpool_bytes_i32)        \
    X(ups_unpool_fn, unpool_bytes_i64)        \
    X(ups_overlap_fn, overlap_u8)             \
    X(ups_replicate_fn, replicate)            \
    X(ups_replicate_x2_fn, replicate_x2)      \
    X(ups_nails_fn, nails)                    \
    X(ups_nearest_row_fn, nearest_row)        \
    X(ups_filter_row_fn, filter_row)          \
    X(ups_filter_rows_fn, filter_rows)        \
    X(ups_filter_pixels_fn, filter_pixels)

/* The largest tile of any tier: what a driver reserves for one. */
#define UPS_MAX_MR 16
#define UPS_MAX_NR 64
#define UPS_MAX_VECTORS 3

struct ups_kernels {
    const char *isa; /* "scalar", "avx2", "avx512", "neon" */
    /* The gemm tile: nr columns are whole vectors of `lanes`; mr[v - 1] rows where v vectors of columns are computed. */
    int32_t lanes, nr, mr[UPS_MAX_VECTORS];
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


#endif
