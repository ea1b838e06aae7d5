/* SPDX-License-Identifier: MIT
 *
 * What each kernel means, in plain loops. The other tiers are measured against these, so they are
 * written to be read, and share no text with the vector kernels. The contracts are in kernels.h.
 */
#include "kernels.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* ---- transposed convolution ---- */

/* 1 + e^t for t in [-20, 104], in units of UPS_EXP_UNIT: power + unit, power*part and what the former lost are exact, so the
 * sum is rounded once. NaN comes through in part. */
static float one_plus_exp(float t)
{
    float rounded = t * UPS_EXP_LOG2E - UPS_EXP_SHIFT + UPS_EXP_ROUND, n = rounded - UPS_EXP_ROUND;
    float high = t - n * UPS_EXP_LN2_HIGH, low = n * UPS_EXP_LN2_LOW, r = high - low, power;
    float q = (((UPS_EXP_C6 * r + UPS_EXP_C5) * r + UPS_EXP_C4) * r + UPS_EXP_C3) * r + UPS_EXP_C2;
    float part = r * r * q - low + high;
    uint32_t bits;

    memcpy(&bits, &rounded, sizeof bits);
    bits <<= 23;
    memcpy(&power, &bits, sizeof power);
    float sum = power + UPS_EXP_UNIT, lost = UPS_EXP_UNIT - (sum - power);
    return power * part + lost + sum;
}

/* Above 20 it rounds to 1, below -104 to 0. */
static float sigmoid(float v)
{
    return UPS_EXP_UNIT / one_plus_exp(v > 20 ? -20 : v < -104 ? 104 : -v);
}

/* Above 10 it rounds to 1. u*q is -0 for a zero, whose sign the sum would lose; + 0 makes that +0. */
static float hyperbolic_tangent(float v)
{
    float size = v < 0 ? -v : v, u = v * v;
    if (size > UPS_TANH_SMALL) {
        float y = 1 - 2 * UPS_EXP_UNIT / one_plus_exp(size > 10 ? 20 : 2 * size);
        return v < 0 ? -y : y;
    }
    float q = (((UPS_TANH_C4 * u + UPS_TANH_C3) * u + UPS_TANH_C2) * u + UPS_TANH_C1) * u + UPS_TANH_C0;
    return (u * q + 0) * v + v;
}

/* Every comparison is false for NaN, which so comes through; -0 < 0 is false too. */
static float activate(float v, const struct ups_activation *activation)
{
    float alpha = activation->alpha, beta = activation->beta;

    switch (activation->kind) {
    case UPS_RELU: return v < 0 ? 0 : v;
    case UPS_LEAKY_RELU: return v < 0 ? v * alpha : v;
    case UPS_CLIP: return v < alpha ? alpha : v > beta ? beta : v;
    case UPS_SIGMOID: return sigmoid(v);
    case UPS_TANH: return hyperbolic_tangent(v);
    default: return v;
    }
}

enum { MR = 4, NR = 8 };

/* One row at a time: the whole sum of a row of outputs stays in registers. */
static void ups_gemm_4x8_scalar(const struct ups_gemm *g)
{
    for (int64_t i = 0; i < g->rows; i++) {
        float sum[NR] = {0};
        for (int64_t t = 0; t < g->taps; t++)
            for (int64_t k = 0; k < g->depth; k++)
                for (int64_t j = 0; j < NR; j++) sum[j] += g->a[t][i * g->a_stride + k] * g->b[t][k * g->b_stride + j];
        for (int64_t j = 0; j < g->columns; j++) {
            float *c = &g->c[i * g->c_stride + j];
            *c = g->bias ? activate(sum[j] + g->bias[j], g->activation) : g->add ? *c + sum[j] : sum[j];
        }
    }
}

/* One row of a matrix times n values, `stride` apart. */
static float minimal_row(const float *row, int n, const float *x, int64_t stride)
{
    float sum = 0;
    bool first = true;
    for (int j = 0; j < n; j++) {
        if (row[j] == 0) continue;
        sum = first ? row[j] * x[j * stride] : row[j] * x[j * stride] + sum;
        first = false;
    }
    return sum;
}

static void ups_winograd_in_scalar(const struct ups_winograd_tile *tile, int64_t tiles, const float *const *x,
                                   int64_t n, float *v, int64_t v_stride)
{
    const struct ups_minimal *h = &ups_minimal[tile->h], *w = &ups_minimal[tile->w];

    for (int64_t t = 0; t < tiles; t++, x += h->n * w->n)
        for (int64_t c = 0; c < n; c++, v++) {
            float pixel[UPS_MINIMAL_MOST], half[UPS_MINIMAL_MOST * UPS_MINIMAL_MOST];
            for (int i = 0; i < h->n; i++) {
                for (int j = 0; j < w->n; j++) pixel[j] = x[i * w->n + j][c];
                for (int q = 0; q < w->n; q++) half[i * w->n + q] = minimal_row(w->bt[q], w->n, pixel, 1);
            }
            for (int p = 0; p < h->n; p++)
                for (int q = 0; q < w->n; q++)
                    v[(p * w->n + q) * v_stride] = minimal_row(h->bt[p], h->n, &half[q], w->n);
        }
}

static void ups_winograd_out_scalar(const struct ups_winograd_tile *tile, int64_t tiles, const float *m,
                                    int64_t m_stride, int64_t m_step, int64_t n, const float *bias,
                                    const struct ups_activation *activation, float *const *y)
{
    const struct ups_minimal *h = &ups_minimal[tile->h], *w = &ups_minimal[tile->w];

    for (int64_t t = 0; t < tiles; t++, m += m_step, y += h->m * w->m)
        for (int64_t c = 0; c < n; c++) {
            float half[UPS_MINIMAL_MOST * UPS_MINIMAL_MOST];
            for (int i = 0; i < h->m; i++)
                for (int q = 0; q < w->n; q++)
                    half[i * w->n + q] = minimal_row(h->at[i], h->n, &m[q * m_stride + c], w->n * m_stride);
            for (int i = 0; i < h->m; i++)
                for (int j = 0; j < w->m; j++)
                    if (y[i * w->m + j])
                        y[i * w->m + j][c] =
                            activate(minimal_row(w->at[j], w->n, &half[i * w->n], 1) + bias[c], activation);
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

static void ups_depthwise_rows_scalar(const struct ups_depthwise *d, float *y)
{
    for (int64_t r = 0; r < d->rows; r++)
        for (int64_t o = 0; o < d->n; o++) {
            int64_t i = o / d->stride, p = o % d->stride;
            float sum = 0;
            for (const struct ups_depthwise_tap *t = d->tap; t < d->tap + d->taps; t++)
                if (t->first <= p && p < t->last) sum += t->w[p - t->first] * t->x[r * d->x_stride + i];
            y[r * d->y_stride + o] = activate(sum + d->bias, d->activation);
        }
}

static void ups_depthwise_pixels_scalar(const struct ups_depthwise_pixels *d, float *y)
{
    for (int64_t o = 0; o < d->n; o++)
        for (int64_t c = 0; c < d->channels; c++) {
            float sum = 0;
            for (int64_t t = 0; t < d->taps; t++) sum += d->w[t][c] * d->x[t][o * d->x_stride + c];
            y[o * d->y_stride + c] = activate(sum + d->bias[c], d->activation);
        }
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

static void ups_pool_scalar(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    pool(window, n, y, index, VALUES);
}

static void ups_pool_u8_scalar(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    pool(window, n, y, index, U8);
}

static void ups_pool_i32_scalar(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    pool(window, n, y, index, I32);
}

static void ups_pool_i64_scalar(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    pool(window, n, y, index, I64);
}

/* Bytes: signed ones compare as x ^ flip does. */
static inline void pool_bytes(const struct ups_pool_window *window, int64_t n, uint8_t *y, void *index, enum form form)
{
    const struct ups_pool_window w = *window;
    const bool column = w.scan == UPS_SCAN_COLUMN_MAJOR;
    const int64_t slow = column ? w.taps : w.count, fast = column ? w.count : w.taps;

    for (int64_t l = 0; l < w.lines; l++)
        for (int64_t i = 0; i < n; i++) {
            const int64_t place = l * w.index_stride + i;
            int64_t at = -1;
            uint8_t best = 0;
            for (int64_t s = 0; s < slow; s++)
                for (int64_t f = 0; f < fast; f++) {
                    int64_t r = column ? f : s, t = column ? s : f;
                    uint8_t v = (uint8_t)(w.byte_rows[r][l * w.x_stride + i * w.stride + t * w.dilation] ^ w.flip);
                    if (at >= 0 && v <= best) continue;
                    best = v;
                    at = w.base + l * w.line_step + i * w.lane_step + w.code[r] + t * w.tap_step;
                }
            y[l * w.y_stride + i] = (uint8_t)(best ^ w.flip);
            if (form == U8) ((uint8_t *)index)[place] = (uint8_t)at;
            if (form == I32) ((int32_t *)index)[place] = (int32_t)at;
            if (form == I64) ((int64_t *)index)[place] = at;
        }
}

static void ups_pool_bytes_scalar(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    pool_bytes(window, n, y, index, VALUES);
}

static void ups_pool_bytes_u8_scalar(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    pool_bytes(window, n, y, index, U8);
}

static void ups_pool_bytes_i32_scalar(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    pool_bytes(window, n, y, index, I32);
}

static void ups_pool_bytes_i64_scalar(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    pool_bytes(window, n, y, index, I64);
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

/* Elements of `size` bytes, zeros of which are zeros. */
static inline int64_t unpool(const struct ups_unpool_window *w, const char *x, const void *index, char *y,
                             enum form form, size_t size)
{
    static const char zero[sizeof(float)];
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
                const char *from = says == name ? x + (size_t)(l * w->x_stride + i) * size : zero;
                memcpy(y + (size_t)(l * w->y_stride + r * w->row_stride + p) * size, from, size);
                found += says == name;
            }
    return found;
}

static int64_t ups_unpool_u8_scalar(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool(w, x, index, y, U8, sizeof(float));
}

static int64_t ups_unpool_i32_scalar(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool(w, x, index, y, I32, sizeof(float));
}

static int64_t ups_unpool_i64_scalar(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool(w, x, index, y, I64, sizeof(float));
}

static int64_t ups_unpool_bytes_u8_scalar(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool(w, x, index, y, U8, sizeof(uint8_t));
}

static int64_t ups_unpool_bytes_i32_scalar(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool(w, x, index, y, I32, sizeof(uint8_t));
}

static int64_t ups_unpool_bytes_i64_scalar(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool(w, x, index, y, I64, sizeof(uint8_t));
}

static int64_t ups_overlap_u8_scalar(const struct ups_overlap *o, float *y)
{
    int64_t found = 0;

    for (int64_t l = 0; l < o->lines; l++)
        for (int64_t q = 0; q < o->width; q++) {
            const int64_t p = q / o->factor, phase = q % o->factor, first = phase ? o->count[0] : 0;
            float *to = &y[l * o->y_stride + q];
            *to = 0;
            for (int64_t t = first; t < first + o->count[phase]; t++) {
                const struct ups_overlap_source *s = &o->source[t];
                const int64_t i = p + s->shift;
                if (i < 0 || i >= o->n || s->code[l * o->code_stride + i] != s->name) continue;
                *to = s->x[l * o->x_stride + i];
                found++;
            }
        }
    return found;
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
    .lanes = NR,
    .nr = NR,
    .mr = {MR},
    .gemm = UPS_KERNEL(gemm_4x8_scalar),
    .winograd_in = UPS_KERNEL(winograd_in_scalar),
    .winograd_out = UPS_KERNEL(winograd_out_scalar),
    .finish = UPS_KERNEL(finish_scalar),
    .axpy = UPS_KERNEL(axpy_scalar),
    .transpose = UPS_KERNEL(transpose_scalar),
    .depthwise_rows = UPS_KERNEL(depthwise_rows_scalar),
    .depthwise_pixels = UPS_KERNEL(depthwise_pixels_scalar),
    .pool = UPS_KERNEL(pool_scalar),
    .pool_u8 = UPS_KERNEL(pool_u8_scalar),
    .pool_i32 = UPS_KERNEL(pool_i32_scalar),
    .pool_i64 = UPS_KERNEL(pool_i64_scalar),
    .pool_bytes = UPS_KERNEL(pool_bytes_scalar),
    .pool_bytes_u8 = UPS_KERNEL(pool_bytes_u8_scalar),
    .pool_bytes_i32 = UPS_KERNEL(pool_bytes_i32_scalar),
    .pool_bytes_i64 = UPS_KERNEL(pool_bytes_i64_scalar),
    .avg = UPS_KERNEL(avg_scalar),
    .unpool_u8 = UPS_KERNEL(unpool_u8_scalar),
    .unpool_i32 = UPS_KERNEL(unpool_i32_scalar),
    .unpool_i64 = UPS_KERNEL(unpool_i64_scalar),
    .unpool_bytes_u8 = UPS_KERNEL(unpool_bytes_u8_scalar),
    .unpool_bytes_i32 = UPS_KERNEL(unpool_bytes_i32_scalar),
    .unpool_bytes_i64 = UPS_KERNEL(unpool_bytes_i64_scalar),
    .overlap_u8 = UPS_KERNEL(overlap_u8_scalar),
    .replicate = UPS_KERNEL(replicate_scalar),
    .replicate_x2 = UPS_KERNEL(replicate_x2_scalar),
    .nails = UPS_KERNEL(nails_scalar),
    .nearest_row = UPS_KERNEL(nearest_row_scalar),
    .filter_row = UPS_KERNEL(filter_row_scalar),
    .filter_rows = UPS_KERNEL(filter_rows_scalar),
    .filter_pixels = UPS_KERNEL(filter_pixels_scalar),
};
