/* SPDX-License-Identifier: MIT
 *
 * What each kernel means, in plain loops. The other tiers are measured against these, so they are
 * written to be read, and share no text with the vector kernels. The contracts are in kernels.h.
 */
#include "kernels.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

/* ---- transposed convolution ---- */

enum { MR = 4, NR = 8 };

/* One row at a time: the whole sum of a row of outputs stays in registers. */
static void ups_gemm_4x8_scalar(int64_t rows, int64_t taps, int64_t depth, const float *const *a, int64_t a_stride,
                                const float *const *b, float *c, int64_t c_stride)
{
    for (int64_t i = 0; i < rows; i++) {
        float sum[NR] = {0};
        for (int64_t t = 0; t < taps; t++)
            for (int64_t k = 0; k < depth; k++)
                for (int64_t j = 0; j < NR; j++) sum[j] += a[t][i * a_stride + k] * b[t][k * NR + j];
        for (int64_t j = 0; j < NR; j++) c[i * c_stride + j] = sum[j];
    }
}

/* Every comparison is false for NaN, which so comes through; -0 < 0 is false too. */
static float activate(float v, const struct ups_activation *activation)
{
    float alpha = activation->alpha, beta = activation->beta;

    switch (activation->kind) {
    case UPS_RELU: return v < 0 ? 0 : v;
    case UPS_LEAKY_RELU: return v < 0 ? v * alpha : v;
    case UPS_CLIP: return v < alpha ? alpha : v > beta ? beta : v;
    default: return v;
    }
}

static void ups_finish_scalar(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias,
                              int64_t bias_row, int64_t bias_column, const struct ups_activation *activation)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float *v = &c[i * c_stride + j];
            *v = activate(*v + bias[i * bias_row + j * bias_column], activation);
        }
}

static void ups_axpy_scalar(int64_t n, float a, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = a * x[i] + y[i];
}

static void ups_transpose_scalar(const float *x, int64_t rows, int64_t columns, int64_t x_stride, float *y,
                                 int64_t y_stride)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) y[j * y_stride + i] = x[i * x_stride + j];
}

/* ---- max pooling ---- */

/* The maximum so far and where it was; at is -1 as long as there is none. */
struct best {
    float value;
    int64_t at;
};

static inline struct best none(int32_t nan)
{
    return (struct best){nan == UPS_NAN_LAST ? -INFINITY : -FLT_MAX, -1};
}

/* But for skip the first tap is taken whatever it is, so a window of -inf has the index of its first. */
static inline struct best best_of(struct best best, float v, int64_t at, int32_t nan)
{
    bool seeds = nan != UPS_NAN_SKIP && best.at < 0, last = nan == UPS_NAN_LAST && v != v;
    if (seeds || v > best.value || last) return (struct best){v, at};
    return best;
}

/* The switches of a kernel: none, or of a type. */
enum form { VALUES, U8, I32, I64 };

static void put(struct best best, int64_t at, float *y, void *index, enum form form)
{
    *y = best.value;
    if (form == U8) ((uint8_t *)index)[at] = (uint8_t)best.at; /* -1 is 255 */
    if (form == I32) ((int32_t *)index)[at] = (int32_t)best.at;
    if (form == I64) ((int64_t *)index)[at] = best.at;
}

static inline void pool(const struct ups_pool_window *window, int64_t n, float *y, void *index, enum form form)
{
    const struct ups_pool_window w = *window;
    const bool column = w.scan == UPS_SCAN_COLUMN_MAJOR;
    const int64_t slow = column ? w.taps : w.count, fast = column ? w.count : w.taps;

    for (int64_t l = 0; l < w.lines; l++)
        for (int64_t i = 0; i < n; i++) {
            struct best best = none(w.nan);
            for (int64_t s = 0; s < slow; s++)
                for (int64_t f = 0; f < fast; f++) {
                    int64_t r = column ? f : s, t = column ? s : f;
                    float v = w.rows[r][l * w.x_stride + i * w.stride + t * w.dilation];
                    int64_t at = w.base + l * w.line_step + i * w.lane_step + w.code[r] + t * w.tap_step;
                    best = best_of(best, v, at, w.nan);
                }
            put(best, l * w.index_stride + i, &y[l * w.y_stride + i], index, form);
        }
}

static void ups_pool_scalar(const struct ups_pool_window *window, int64_t n, float *y, void *index)
{
    pool(window, n, y, index, VALUES);
}

static void ups_pool_u8_scalar(const struct ups_pool_window *window, int64_t n, float *y, void *index)
{
    pool(window, n, y, index, U8);
}

static void ups_pool_i32_scalar(const struct ups_pool_window *window, int64_t n, float *y, void *index)
{
    pool(window, n, y, index, I32);
}

static void ups_pool_i64_scalar(const struct ups_pool_window *window, int64_t n, float *y, void *index)
{
    pool(window, n, y, index, I64);
}

/* ---- average pooling ---- */

static void ups_avg_scalar(const struct ups_pool_window *w, int64_t n, float divisor, float *y)
{
    for (int64_t l = 0; l < w->lines; l++)
        for (int64_t i = 0; i < n; i++) {
            float sum = 0;
            for (int64_t r = 0; r < w->count; r++)
                for (int64_t t = 0; t < w->taps; t++)
                    sum += w->rows[r][l * w->x_stride + i * w->stride + t * w->dilation];
            y[l * w->y_stride + i] = sum / divisor;
        }
}

/* ---- max unpooling ---- */

static inline int64_t unpool(const struct ups_unpool_window *w, const float *x, const void *index, float *y,
                             enum form form)
{
    int64_t found = 0;

    for (int64_t l = 0; l < w->lines; l++)
        for (int64_t r = 0; r < w->rows; r++)
            for (int64_t p = 0; p < w->width; p++) {
                int64_t i = p / w->spread.factor, at = l * w->index_stride + i;
                int64_t tap = p % w->spread.factor * w->tap_step;
                int64_t name = w->base + l * w->line_step + r * w->row_step + p * w->step + tap;
                int64_t says = form == U8    ? ((const uint8_t *)index)[at]
                               : form == I32 ? ((const int32_t *)index)[at]
                                             : ((const int64_t *)index)[at];
                y[l * w->y_stride + r * w->row_stride + p] = says == name ? x[l * w->x_stride + i] : 0;
                found += says == name;
            }
    return found;
}

static int64_t ups_unpool_u8_scalar(const struct ups_unpool_window *w, const float *x, const void *index, float *y)
{
    return unpool(w, x, index, y, U8);
}

static int64_t ups_unpool_i32_scalar(const struct ups_unpool_window *w, const float *x, const void *index, float *y)
{
    return unpool(w, x, index, y, I32);
}

static int64_t ups_unpool_i64_scalar(const struct ups_unpool_window *w, const float *x, const void *index, float *y)
{
    return unpool(w, x, index, y, I64);
}

/* ---- replication and bed of nails ---- */

static void ups_replicate_scalar(const float *x, int64_t n, const struct ups_spread *spread, float *y)
{
    const int64_t factor = spread->factor;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < factor; j++) y[i * factor + j] = x[i];
}

static void ups_replicate_x2_scalar(const float *x, int64_t n, float *y)
{
    for (int64_t i = 0; i < n; i++) y[2 * i] = y[2 * i + 1] = x[i];
}

static void ups_nails_scalar(const float *x, int64_t n, const struct ups_spread *spread, int64_t offset, float *y)
{
    const int64_t factor = spread->factor;
    for (int64_t i = 0; i < n * factor; i++) y[i] = 0;
    for (int64_t i = 0; i < n; i++) y[i * factor + offset] = x[i];
}

/* ---- resize ---- */

static void ups_nearest_row_scalar(const float *x, const int32_t *index, int64_t n, float *y)
{
    for (int64_t o = 0; o < n; o++) y[o] = x[index[o]];
}

static void ups_filter_row_scalar(const float *x, const int32_t *index, const float *weight, int64_t taps, int64_t n,
                                  float *y)
{
    for (int64_t o = 0; o < n; o++) {
        float sum = weight[o] * x[index[o]];
        for (int64_t t = 1; t < taps; t++) sum += weight[t * n + o] * x[index[t * n + o]];
        y[o] = sum;
    }
}

static void ups_filter_rows_scalar(const float *const *rows, const float *weight, int64_t taps, int64_t n, float *y)
{
    for (int64_t i = 0; i < n; i++) {
        float sum = weight[0] * rows[0][i];
        for (int64_t t = 1; t < taps; t++) sum += weight[t] * rows[t][i];
        y[i] = sum;
    }
}

static void ups_filter_pixels_scalar(const float *x, int64_t x_stride, const int32_t *index, const float *weight,
                                     int64_t taps, int64_t n, int64_t channels, float *y, int64_t y_stride)
{
    for (int64_t o = 0; o < n; o++)
        for (int64_t c = 0; c < channels; c++) {
            float sum = weight[o] * x[index[o] * x_stride + c];
            for (int64_t t = 1; t < taps; t++) sum += weight[t * n + o] * x[index[t * n + o] * x_stride + c];
            y[o * y_stride + c] = sum;
        }
}

const struct ups_kernels ups_kernels_scalar = {
    .isa = "scalar",
    .mr = MR,
    .nr = NR,
    .gemm = UPS_KERNEL(gemm_4x8_scalar),
    .finish = UPS_KERNEL(finish_scalar),
    .axpy = UPS_KERNEL(axpy_scalar),
    .transpose = UPS_KERNEL(transpose_scalar),
    .pool = UPS_KERNEL(pool_scalar),
    .pool_u8 = UPS_KERNEL(pool_u8_scalar),
    .pool_i32 = UPS_KERNEL(pool_i32_scalar),
    .pool_i64 = UPS_KERNEL(pool_i64_scalar),
    .avg = UPS_KERNEL(avg_scalar),
    .unpool_u8 = UPS_KERNEL(unpool_u8_scalar),
    .unpool_i32 = UPS_KERNEL(unpool_i32_scalar),
    .unpool_i64 = UPS_KERNEL(unpool_i64_scalar),
    .replicate = UPS_KERNEL(replicate_scalar),
    .replicate_x2 = UPS_KERNEL(replicate_x2_scalar),
    .nails = UPS_KERNEL(nails_scalar),
    .nearest_row = UPS_KERNEL(nearest_row_scalar),
    .filter_row = UPS_KERNEL(filter_row_scalar),
    .filter_rows = UPS_KERNEL(filter_rows_scalar),
    .filter_pixels = UPS_KERNEL(filter_pixels_scalar),
};
