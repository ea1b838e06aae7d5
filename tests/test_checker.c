/* SPDX-License-Identifier: MIT
 *
 * The checks of check_kernels.h, tried on wrong kernels: each must be caught, and by the right means. Most are a right
 * kernel and one mistake that vector code invites. Each runs in a child process, as some of them fault.
 */
#include "check_kernels.h"

#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define RIGHT ups_kernels_scalar

/* A write that the compiler keeps, and a read whose result nobody needs. */
static void put(float *p, float v)
{
    *(volatile float *)p = v;
}

static void touch(const void *p)
{
    (void)*(const volatile char *)p;
}

/* ---- gemm ---- */

static void gemm_last_k(const struct ups_gemm *g)
{
    struct ups_gemm wrong = *g;
    wrong.depth--;
    RIGHT.gemm.run(&wrong);
}

static void gemm_last_row(const struct ups_gemm *g)
{
    struct ups_gemm wrong = *g;
    if (wrong.rows > 1) wrong.rows--;
    RIGHT.gemm.run(&wrong);
}

static void gemm_lanes_swapped(const struct ups_gemm *g)
{
    RIGHT.gemm.run(g);
    for (int64_t i = 0; i < g->rows && g->columns > 1; i++) {
        float *c = g->c + i * g->c_stride;
        const float first = c[0];
        c[0] = c[1];
        c[1] = first;
    }
}

/* The right sums, their terms in another order: the last tap first. */
static void gemm_order(const struct ups_gemm *g)
{
    const float *a_back[4], *b_back[4];
    struct ups_gemm wrong = *g;
    for (int64_t t = 0; t < g->taps; t++) {
        a_back[t] = g->a[g->taps - 1 - t];
        b_back[t] = g->b[g->taps - 1 - t];
    }
    wrong.a = a_back;
    wrong.b = b_back;
    RIGHT.gemm.run(&wrong);
}

/* Leaves what was in c where there are no taps. */
static void gemm_not_cleared(const struct ups_gemm *g)
{
    if (g->taps) RIGHT.gemm.run(g);
}

static void gemm_bias_first(const struct ups_gemm *g)
{
    struct ups_gemm wrong = *g;
    wrong.bias = NULL;
    RIGHT.gemm.run(&wrong);
    if (g->bias) /* the activation before the bias */
        for (int64_t i = 0; i < g->rows; i++)
            for (int64_t j = 0; j < g->columns; j++) {
                const float zero = 0;
                RIGHT.finish.run(&g->c[i * g->c_stride + j], 1, 1, 1, &zero, 0, 1, g->activation);
                g->c[i * g->c_stride + j] += g->bias[j];
            }
}

static void gemm_reads_a_on(const struct ups_gemm *g)
{
    for (int64_t t = 0; t < g->taps; t++) touch(g->a[t] + (g->rows - 1) * g->a_stride + g->depth);
    RIGHT.gemm.run(g);
}

static void gemm_reads_b_on(const struct ups_gemm *g)
{
    const int64_t lanes = RIGHT.lanes, read = (g->columns + lanes - 1) / lanes * lanes;
    for (int64_t t = 0; t < g->taps; t++) touch(g->b[t] + (g->depth - 1) * g->b_stride + read);
    RIGHT.gemm.run(g);
}

/* Clears the gap behind each row, as a kernel does that thinks in whole vectors. */
static void gemm_writes_gaps(const struct ups_gemm *g)
{
    RIGHT.gemm.run(g);
    for (int64_t i = 0; i + 1 < g->rows; i++)
        if (g->c_stride > g->columns) put(g->c + i * g->c_stride + g->columns, 0);
}

/* ---- winograd ---- */

/* The forms of the axes exchanged. */
static void winograd_in_turned(const struct ups_winograd_tile *tile, int64_t tiles, const float *const *x, int64_t n,
                               float *v, int64_t v_stride)
{
    const struct ups_winograd_tile turned = {tile->w, tile->h};
    RIGHT.winograd_in.run(&turned, tiles, x, n, v, v_stride);
}

static void winograd_out_tail(const struct ups_winograd_tile *tile, int64_t tiles, const float *m, int64_t m_stride,
                              int64_t m_step, int64_t n, const float *bias, const struct ups_activation *activation,
                              float *const *y)
{
    if (n > 1) RIGHT.winograd_out.run(tile, tiles, m, m_stride, m_step, n - 1, bias, activation, y);
}

/* ---- finish, axpy, transpose ---- */

static void finish_tail(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias, int64_t bias_row,
                        int64_t bias_column, const struct ups_activation *activation)
{
    RIGHT.finish.run(c, rows, columns / 4 * 4, c_stride, bias, bias_row, bias_column, activation);
}

/* fmaxf(v, 0): NaN becomes 0. */
static void finish_nan(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias, int64_t bias_row,
                       int64_t bias_column, const struct ups_activation *activation)
{
    RIGHT.finish.run(c, rows, columns, c_stride, bias, bias_row, bias_column, activation);
    for (int64_t i = 0; i < rows && activation->kind == UPS_RELU; i++)
        for (int64_t j = 0; j < columns; j++) c[i * c_stride + j] = fmaxf(c[i * c_stride + j], 0);
}

/* v > 0 ? v : 0: -0 loses its sign. */
static void finish_zero(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias, int64_t bias_row,
                        int64_t bias_column, const struct ups_activation *activation)
{
    RIGHT.finish.run(c, rows, columns, c_stride, bias, bias_row, bias_column, activation);
    for (int64_t i = 0; i < rows && activation->kind == UPS_RELU; i++)
        for (int64_t j = 0; j < columns; j++)
            if (c[i * c_stride + j] == 0) c[i * c_stride + j] = 0;
}

static void finish_bias_wrong_way(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias,
                                  int64_t bias_row, int64_t bias_column, const struct ups_activation *activation)
{
    (void)bias_row, (void)bias_column;
    RIGHT.finish.run(c, rows, columns, c_stride, bias, 0, 0, activation);
}

/* A sigmoid that is off by one bit where it is near 1. */
static void finish_last_bit(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias,
                            int64_t bias_row, int64_t bias_column, const struct ups_activation *activation)
{
    RIGHT.finish.run(c, rows, columns, c_stride, bias, bias_row, bias_column, activation);
    for (int64_t i = 0; i < rows && activation->kind == UPS_SIGMOID; i++)
        for (int64_t j = 0; j < columns; j++)
            if (c[i * c_stride + j] > 0.75f) c[i * c_stride + j] = nextafterf(c[i * c_stride + j], 0);
}

/* tanh from powers that overflow: NaN far from 0, and nothing but cancellation near it. */
static void finish_overflow(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias,
                            int64_t bias_row, int64_t bias_column, const struct ups_activation *activation)
{
    const struct ups_activation none = {UPS_NO_ACTIVATION, 0, 0};
    const int wrong = activation->kind == UPS_TANH;
    RIGHT.finish.run(c, rows, columns, c_stride, bias, bias_row, bias_column, wrong ? &none : activation);
    for (int64_t i = 0; i < rows && wrong; i++)
        for (int64_t j = 0; j < columns; j++) {
            const float e = expf(2 * c[i * c_stride + j]);
            c[i * c_stride + j] = (e - 1) / (e + 1);
        }
}

static void axpy_tail(int64_t n, float a, const float *x, float *y)
{
    RIGHT.axpy.run(n > 1 ? n - 1 : 1, a, x, y);
}

static void axpy_reads_on(int64_t n, float a, const float *x, float *y)
{
    touch(x + n);
    RIGHT.axpy.run(n, a, x, y);
}

static void axpy_reads_before(int64_t n, float a, const float *x, float *y)
{
    touch(x - 1);
    RIGHT.axpy.run(n, a, x, y);
}

/* The memory behind y is read and written back unchanged: only a guard page sees it. */
static void axpy_rewrites_on(int64_t n, float a, const float *x, float *y)
{
    RIGHT.axpy.run(n, a, x, y);
    put(y + n, *(volatile float *)(y + n));
}

/* Two roundings where the tier fuses, or the other way round. */
static void axpy_rounding(int64_t n, float a, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = fmaf(a, x[i], y[i]);
}

static void axpy_input(int64_t n, float a, const float *x, float *y)
{
    RIGHT.axpy.run(n, a, x, y);
    put((float *)(uintptr_t)x, x[0] + 1);
}

static void transpose_lanes(const float *x, int64_t rows, int64_t columns, int64_t x_stride, float *y, int64_t y_stride)
{
    RIGHT.transpose.run(x, rows, columns, x_stride, y, y_stride);
    if (rows > 9) y[8] = x[9 * x_stride];
}

static void transpose_gaps(const float *x, int64_t rows, int64_t columns, int64_t x_stride, float *y, int64_t y_stride)
{
    RIGHT.transpose.run(x, rows, columns, x_stride, y, y_stride);
    if (columns > 1 && y_stride > rows) put(y + rows, 0);
}

static void transpose_reads_on(const float *x, int64_t rows, int64_t columns, int64_t x_stride, float *y,
                               int64_t y_stride)
{
    touch(x + (rows - 1) * x_stride + columns);
    RIGHT.transpose.run(x, rows, columns, x_stride, y, y_stride);
}

/* ---- depthwise ---- */

static void rows_whole_cells(const struct ups_depthwise *d, float *y)
{
    struct ups_depthwise whole = *d;
    whole.n = d->n - d->n % d->stride;
    if (whole.n) RIGHT.depthwise_rows.run(&whole, y);
}

/* The taps that meet the last output of a cell do not. */
static void rows_one_output_less(const struct ups_depthwise *d, float *y)
{
    struct ups_depthwise_tap taps[8];
    struct ups_depthwise less = *d;
    less.tap = taps;
    for (int64_t t = 0; t < d->taps; t++) {
        taps[t] = d->tap[t];
        if (taps[t].last == d->stride) taps[t].last--;
    }
    RIGHT.depthwise_rows.run(&less, y);
}

static void rows_backwards(const struct ups_depthwise *d, float *y)
{
    struct ups_depthwise_tap taps[8];
    struct ups_depthwise backwards = *d;
    backwards.tap = taps;
    for (int64_t t = 0; t < d->taps; t++) taps[t] = d->tap[d->taps - 1 - t];
    RIGHT.depthwise_rows.run(&backwards, y);
}

static void rows_read_on(const struct ups_depthwise *d, float *y)
{
    const int64_t cells = (d->n + d->stride - 1) / d->stride;
    for (int64_t t = 0; t < d->taps; t++) touch(d->tap[t].x + (d->rows - 1) * d->x_stride + cells);
    RIGHT.depthwise_rows.run(d, y);
}

static void rows_clear_gaps(const struct ups_depthwise *d, float *y)
{
    RIGHT.depthwise_rows.run(d, y);
    if (d->rows > 1 && d->y_stride > d->n) put(y + d->n, 0);
}

static void pixels_bias_first(const struct ups_depthwise_pixels *d, float *y)
{
    RIGHT.depthwise_pixels.run(d, y);
    if (d->taps < 2 || d->activation->kind != UPS_NO_ACTIVATION) return;
    for (int64_t i = 0; i < d->n * d->channels; i++) {
        const int64_t o = i / d->channels, c = i % d->channels;
        float sum = d->bias[c];
        for (int64_t t = 0; t < d->taps; t++) sum += d->w[t][c] * d->x[t][o * d->x_stride + c];
        y[o * d->y_stride + c] = sum;
    }
}

static void pixels_read_on(const struct ups_depthwise_pixels *d, float *y)
{
    for (int64_t t = 0; t < d->taps; t++) touch(d->w[t] + d->channels);
    RIGHT.depthwise_pixels.run(d, y);
}

/* ---- pooling ---- */

static void pool_same_lines(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    struct ups_pool_window w = *window;
    w.x_stride = 0;
    RIGHT.pool.run(&w, n, y, index);
}

static void pool_narrow(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    RIGHT.pool_i64.run(window, n, y, index);
    for (int64_t i = 0; i < n; i++) ((int64_t *)index)[i] = (int32_t)((int64_t *)index)[i];
}

static void pool_scans_rows(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    struct ups_pool_window w = *window;
    w.scan = UPS_SCAN_ROW_MAJOR;
    RIGHT.pool_i32.run(&w, n, y, index);
}

/* Windows with a rule of the caller's: taken(best, v, nan) says whether a later tap replaces the best so far. */
typedef int taken_fn(float best, float v, int32_t nan);

static void pool_by(taken_fn *taken, const struct ups_pool_window *w, int64_t n, float *y, int32_t *index)
{
    const int column = w->scan == UPS_SCAN_COLUMN_MAJOR;
    for (int64_t o = 0; o < w->lines * n; o++) {
        const int64_t l = o / n, i = o % n;
        const float none = w->nan == UPS_NAN_LAST ? -INFINITY : -FLT_MAX;
        const float *best = &none;
        int64_t at = -1;
        for (int64_t k = 0; k < w->count * w->taps; k++) {
            const int64_t r = column ? k % w->count : k / w->taps, t = column ? k / w->count : k % w->taps;
            const float *v = w->rows[r] + l * w->x_stride + i * w->stride + t * w->dilation;
            if (!(at < 0 && w->nan != UPS_NAN_SKIP) && !taken(*best, *v, w->nan)) continue;
            best = v;
            at = w->base + l * w->line_step + i * w->lane_step + w->code[r] + t * w->tap_step;
        }
        memcpy(&y[l * w->y_stride + i], best, sizeof *y);
        index[l * w->index_stride + i] = (int32_t)at;
    }
}

static int right_rule(float best, float v, int32_t nan)
{
    return v > best || (isnan(v) && nan == UPS_NAN_LAST);
}

static int greater_or_equal(float best, float v, int32_t nan)
{
    return v >= best || (isnan(v) && nan == UPS_NAN_LAST);
}

static int nan_never(float best, float v, int32_t nan)
{
    (void)nan;
    return v > best;
}

static int nan_always(float best, float v, int32_t nan)
{
    (void)nan;
    return v > best || isnan(v);
}

static int nan_once(float best, float v, int32_t nan)
{
    return v > best || (isnan(v) && !isnan(best) && nan == UPS_NAN_LAST);
}

/* One comparison, "not less or equal", is true as well when the best is NaN. */
static int not_less_equal(float best, float v, int32_t nan)
{
    return nan == UPS_NAN_LAST ? !(v <= best) : v > best;
}

#define POOL_BY(rule)                                                                              \
    static void pool_##rule(const struct ups_pool_window *window, int64_t n, void *y, void *index) \
    {                                                                                              \
        pool_by(rule, window, n, y, index);                                                        \
    }
POOL_BY(right_rule)
POOL_BY(greater_or_equal)
POOL_BY(nan_never)
POOL_BY(nan_always)
POOL_BY(nan_once)
POOL_BY(not_less_equal)

/* Rows by themselves, then all: a NaN that seeds a lower row hides what is greater beside it. */
static void pool_tree(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    RIGHT.pool_i32.run(window, n, y, index);
    for (int64_t i = 0; i < n && window->nan == UPS_NAN_SEED && window->count > 1 && window->taps > 1; i++)
        if (isnan(window->rows[1][i * window->stride])) y[i] = window->rows[0][i * window->stride];
}

static void pool_lanes_swapped(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    RIGHT.pool_i64.run(window, n, y, index);
    for (int64_t o = 2; o + 3 < n; o += 8) {
        const int64_t third = ((int64_t *)index)[o];
        ((int64_t *)index)[o] = ((int64_t *)index)[o + 2];
        ((int64_t *)index)[o + 2] = third;
    }
}

static void pool_high_of_nothing(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    RIGHT.pool_i64.run(window, n, y, index);
    for (int64_t o = 0; o < n; o++)
        if (((int64_t *)index)[o] == -1) ((int64_t *)index)[o] = UINT32_MAX;
}

static void pool_nothing_is_zero(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    RIGHT.pool_u8.run(window, n, y, index);
    for (int64_t o = 0; o < n; o++)
        if (((uint8_t *)index)[o] == 255) ((uint8_t *)index)[o] = 0;
}

static void pool_lowest_of_nothing(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    RIGHT.pool.run(window, n, y, index);
    for (int64_t i = 0; i < n && window->count == 0; i++) y[i] = -FLT_MAX;
}

static void pool_skip_seeds(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    struct ups_pool_window w = *window;
    if (w.nan == UPS_NAN_SKIP) w.nan = UPS_NAN_SEED;
    RIGHT.pool_i32.run(&w, n, y, index);
}

/* The element beside the last one, as a pair of vectors at stride 2 would read it. */
static void read_on(const struct ups_pool_window *w, int64_t n)
{
    const int64_t last = (w->lines - 1) * w->x_stride + (n - 1) * w->stride + (w->taps - 1) * w->dilation;
    if (w->count && w->taps) touch(w->rows[0] + last + 1);
}

static void pool_reads_on(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    read_on(window, n);
    RIGHT.pool.run(window, n, y, index);
}

static void pool_writes_on(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    RIGHT.pool_i32.run(window, n, y, index);
    ((volatile int32_t *)index)[(window->lines - 1) * window->index_stride + n] = 0;
}

/* Whole vectors, over what stands between two lines. */
static void pool_writes_gaps(const struct ups_pool_window *window, int64_t n, void *values, void *index)
{
    float *y = values;
    RIGHT.pool.run(window, n, y, index);
    if (window->lines > 1 && window->y_stride > n) put(y + n, 0);
}

static void avg_reads_on(const struct ups_pool_window *window, int64_t n, float divisor, float *y)
{
    read_on(window, n);
    RIGHT.avg.run(window, n, divisor, y);
}

static void avg_reciprocal(const struct ups_pool_window *window, int64_t n, float divisor, float *y)
{
    RIGHT.avg.run(window, n, 1, y);
    for (int64_t o = 0; o < n; o++) y[o] *= 1 / divisor;
}

/* Each row by itself first: another order of the same sum. */
static void avg_by_rows(const struct ups_pool_window *window, int64_t n, float divisor, float *y)
{
    RIGHT.avg.run(window, n, divisor, y);
    for (int64_t o = 0; o < n; o++) {
        float sum = 0;
        for (int64_t r = 0; r < window->count; r++) {
            float row = 0;
            for (int64_t t = 0; t < window->taps; t++)
                row += window->rows[r][o * window->stride + t * window->dilation];
            sum += row;
        }
        y[o] = sum / divisor;
    }
}

static void avg_from_first(const struct ups_pool_window *window, int64_t n, float divisor, float *y)
{
    RIGHT.avg.run(window, n, divisor, y);
    for (int64_t i = 0; i < n && window->count * window->taps == 1; i++)
        y[i] = window->rows[0][i * window->stride] / divisor; /* -0 stays -0 */
}

static void avg_nothing(const struct ups_pool_window *window, int64_t n, float divisor, float *y)
{
    RIGHT.avg.run(window, n, window->count && window->taps ? divisor : 0, y);
}

/* ---- max unpooling ---- */

static int64_t unpool_keeps(const struct ups_unpool_window *w, const void *inputs, const void *index, void *outputs)
{
    const float *x = inputs;
    float *y = outputs;
    float before = y[0];
    int64_t found = RIGHT.unpool_i32.run(w, x, index, y);
    if (y[0] == 0) memcpy(y, &before, sizeof before);
    return found;
}

static int64_t unpool_counts_all(const struct ups_unpool_window *w, const void *inputs, const void *index,
                                 void *outputs)
{
    const float *x = inputs;
    float *y = outputs;
    RIGHT.unpool_i32.run(w, x, index, y);
    return w->lines * w->n;
}

static int64_t unpool_low_half(const struct ups_unpool_window *w, const void *inputs, const void *index, void *outputs)
{
    const float *x = inputs;
    float *y = outputs;
    int64_t low[256];
    const int64_t count = (w->lines - 1) * w->index_stride + w->n;
    for (int64_t o = 0; o < count; o++) low[o] = (w->base >> 32 << 32) + (uint32_t)((const int64_t *)index)[o];
    return RIGHT.unpool_i64.run(w, x, low, y);
}

static int64_t unpool_same_rows(const struct ups_unpool_window *w, const void *inputs, const void *index, void *outputs)
{
    const float *x = inputs;
    float *y = outputs;
    struct ups_unpool_window other = *w;
    other.row_step = 0;
    return RIGHT.unpool_u8.run(&other, x, index, y);
}

static int64_t unpool_reads_on(const struct ups_unpool_window *w, const void *inputs, const void *index, void *outputs)
{
    const float *x = inputs;
    float *y = outputs;
    touch(x + (w->lines - 1) * w->x_stride + w->n);
    return RIGHT.unpool_u8.run(w, x, index, y);
}

/* ---- bytes ---- */

static void bytes_unsigned(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    struct ups_pool_window other = *window;
    other.flip = 0;
    RIGHT.pool_bytes.run(&other, n, y, index);
}

static void bytes_by_columns(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    struct ups_pool_window other = *window;
    other.scan = UPS_SCAN_COLUMN_MAJOR;
    RIGHT.pool_bytes_i32.run(&other, n, y, index);
}

/* What a byte tells apart, of taps that are more. */
static void bytes_many_taps(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    struct ups_pool_window other = *window;
    if (other.count * other.taps > 128) other.count = 128 / other.taps;
    RIGHT.pool_bytes_i64.run(&other, n, y, index);
}

static void bytes_nothing_is_zero(const struct ups_pool_window *window, int64_t n, void *y, void *index)
{
    RIGHT.pool_bytes_u8.run(window, n, y, index);
    for (int64_t o = 0; o < n; o++)
        if (((uint8_t *)index)[o] == 255) ((uint8_t *)index)[o] = 0;
}

static int64_t unpool_bytes_counts_all(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    RIGHT.unpool_bytes_i32.run(w, x, index, y);
    return w->lines * w->n;
}

static int64_t unpool_bytes_low_half(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    int64_t low[2 * 1200]; /* as check_any_unpool has them at most */
    const int64_t count = (w->lines - 1) * w->index_stride + w->n;
    for (int64_t o = 0; o < count; o++) low[o] = (w->base >> 32 << 32) + (uint32_t)((const int64_t *)index)[o];
    return RIGHT.unpool_bytes_i64.run(w, x, low, y);
}

static int64_t unpool_bytes_stale(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    uint8_t *last = (uint8_t *)y + w->width - 1, before = *last;
    int64_t found = RIGHT.unpool_bytes_u8.run(w, x, index, y);
    if (!*last) *last = before;
    return found;
}

/* The first of several stays. */
static int64_t overlap_first(const struct ups_overlap *o, float *y)
{
    struct ups_overlap_source back[16];
    struct ups_overlap other = *o;
    for (int64_t t = 0; t < o->count[0]; t++) back[t] = o->source[o->count[0] - 1 - t];
    for (int64_t t = 0; t < o->count[1]; t++) back[o->count[0] + t] = o->source[o->count[0] + o->count[1] - 1 - t];
    other.source = back;
    return RIGHT.overlap_u8.run(&other, y);
}

static int64_t overlap_counts_all(const struct ups_overlap *o, float *y)
{
    RIGHT.overlap_u8.run(o, y);
    return o->lines * o->width;
}

/* ---- replication, nails, resize ---- */

static void replicate_short(const float *x, int64_t n, const struct ups_spread *spread, float *y)
{
    RIGHT.replicate.run(x, n > 1 ? n - 1 : n, spread, y);
}

static void replicate_x2_writes_on(const float *x, int64_t n, float *y)
{
    RIGHT.replicate_x2.run(x, n, y);
    put(y + 2 * n, x[n - 1]);
}

static void replicate_x2_reads_on(const float *x, int64_t n, float *y)
{
    touch(x + n);
    RIGHT.replicate_x2.run(x, n, y);
}

static void nails_not_cleared(const float *x, int64_t n, const struct ups_spread *spread, int64_t offset, float *y)
{
    for (int64_t i = 0; i < n; i++) y[i * spread->factor + offset] = x[i];
}

static void nails_at_zero(const float *x, int64_t n, const struct ups_spread *spread, int64_t offset, float *y)
{
    (void)offset;
    RIGHT.nails.run(x, n, spread, 0, y);
}

static void nearest_reads_zero(const float *x, const int32_t *index, int64_t n, float *y)
{
    touch(x);
    RIGHT.nearest_row.run(x, index, n, y);
}

static void nearest_reads_index_on(const float *x, const int32_t *index, int64_t n, float *y)
{
    touch(index + n);
    RIGHT.nearest_row.run(x, index, n, y);
}

static void filter_row_from_zero(const float *x, const int32_t *index, const float *weight, int64_t taps, int64_t n,
                                 float *y)
{
    RIGHT.filter_row.run(x, index, weight, taps, n, y);
    for (int64_t i = 0; i < n; i++) y[i] += 0; /* as if the sum had begun with +0: -0 is lost */
}

static void filter_row_weights(const float *x, const int32_t *index, const float *weight, int64_t taps, int64_t n,
                               float *y)
{
    RIGHT.filter_row.run(x, index, weight, taps > 1 ? taps - 1 : taps, n, y);
}

static void filter_rows_backwards(const float *const *rows, const float *weight, int64_t taps, int64_t n, float *y)
{
    const float *rows_back[16];
    float weight_back[16];
    for (int64_t t = 0; t < taps; t++) {
        rows_back[t] = rows[taps - 1 - t];
        weight_back[t] = weight[taps - 1 - t];
    }
    RIGHT.filter_rows.run(rows_back, weight_back, taps, n, y);
}

static void filter_pixels_dense(const float *x, int64_t x_stride, const int32_t *index, const float *weight,
                                int64_t taps, int64_t n, int64_t channels, float *y, int64_t y_stride)
{
    (void)x_stride;
    RIGHT.filter_pixels.run(x, channels, index, weight, taps, n, channels, y, y_stride);
}

static void filter_pixels_read_on(const float *x, int64_t x_stride, const int32_t *index, const float *weight,
                                  int64_t taps, int64_t n, int64_t channels, float *y, int64_t y_stride)
{
    for (int64_t i = 0; i < taps * n; i++) touch(x + index[i] * x_stride + channels);
    RIGHT.filter_pixels.run(x, x_stride, index, weight, taps, n, channels, y, y_stride);
}

/* ---- the wrong kernels, and how each is caught ---- */

enum outcome { PASSES, FAILS, FAULTS };

static const char *const outcomes[] = {"passes", "fails its check", "faults"};

#define WRONG_LIST(X)                                   \
    X(gemm, gemm_last_k, FAILS)                         \
    X(gemm, gemm_last_row, FAILS)                       \
    X(gemm, gemm_lanes_swapped, FAILS)                  \
    X(gemm, gemm_order, FAILS)                          \
    X(gemm, gemm_not_cleared, FAILS)                    \
    X(gemm, gemm_bias_first, FAILS)                     \
    X(gemm, gemm_writes_gaps, FAILS)                    \
    X(gemm, gemm_reads_a_on, FAULTS)                    \
    X(gemm, gemm_reads_b_on, FAULTS)                    \
    X(winograd_in, winograd_in_turned, FAILS)           \
    X(winograd_out, winograd_out_tail, FAILS)           \
    X(finish, finish_tail, FAILS)                       \
    X(finish, finish_nan, FAILS)                        \
    X(finish, finish_zero, FAILS)                       \
    X(finish, finish_bias_wrong_way, FAILS)             \
    X(finish, finish_last_bit, FAILS)                   \
    X(finish, finish_overflow, FAILS)                   \
    X(axpy, axpy_tail, FAILS)                           \
    X(axpy, axpy_rounding, FAILS)                       \
    X(axpy, axpy_input, FAILS)                          \
    X(axpy, axpy_reads_on, FAULTS)                      \
    X(axpy, axpy_reads_before, FAULTS)                  \
    X(axpy, axpy_rewrites_on, FAULTS)                   \
    X(transpose, transpose_lanes, FAILS)                \
    X(transpose, transpose_gaps, FAILS)                 \
    X(transpose, transpose_reads_on, FAULTS)            \
    X(depthwise_rows, rows_whole_cells, FAILS)          \
    X(depthwise_rows, rows_one_output_less, FAILS)      \
    X(depthwise_rows, rows_backwards, FAILS)            \
    X(depthwise_rows, rows_clear_gaps, FAILS)           \
    X(depthwise_rows, rows_read_on, FAULTS)             \
    X(depthwise_pixels, pixels_bias_first, FAILS)       \
    X(depthwise_pixels, pixels_read_on, FAULTS)         \
    X(pool, pool_same_lines, FAILS)                     \
    X(pool_i64, pool_narrow, FAILS)                     \
    X(pool_i32, pool_scans_rows, FAILS)                 \
    X(pool_i32, pool_right_rule, PASSES)                \
    X(pool_i32, pool_greater_or_equal, FAILS)           \
    X(pool_i32, pool_nan_never, FAILS)                  \
    X(pool_i32, pool_nan_always, FAILS)                 \
    X(pool_i32, pool_nan_once, FAILS)                   \
    X(pool_i32, pool_not_less_equal, FAILS)             \
    X(pool_i32, pool_tree, FAILS)                       \
    X(pool_i64, pool_lanes_swapped, FAILS)              \
    X(pool_i64, pool_high_of_nothing, FAILS)            \
    X(pool_u8, pool_nothing_is_zero, FAILS)             \
    X(pool, pool_lowest_of_nothing, FAILS)              \
    X(pool_i32, pool_skip_seeds, FAILS)                 \
    X(pool, pool_reads_on, FAULTS)                      \
    X(pool_i32, pool_writes_on, FAULTS)                 \
    X(pool, pool_writes_gaps, FAILS)                    \
    X(avg, avg_reads_on, FAULTS)                        \
    X(avg, avg_reciprocal, FAILS)                       \
    X(avg, avg_by_rows, FAILS)                          \
    X(avg, avg_from_first, FAILS)                       \
    X(avg, avg_nothing, FAILS)                          \
    X(unpool_i32, unpool_keeps, FAILS)                  \
    X(unpool_i32, unpool_counts_all, FAILS)             \
    X(unpool_i64, unpool_low_half, FAILS)               \
    X(unpool_u8, unpool_same_rows, FAILS)               \
    X(unpool_u8, unpool_reads_on, FAULTS)               \
    X(pool_bytes, bytes_unsigned, FAILS)                \
    X(pool_bytes_i32, bytes_by_columns, FAILS)          \
    X(pool_bytes_i64, bytes_many_taps, FAILS)           \
    X(unpool_bytes_u8, unpool_bytes_stale, FAILS)       \
    X(pool_bytes_u8, bytes_nothing_is_zero, FAILS)      \
    X(unpool_bytes_i32, unpool_bytes_counts_all, FAILS) \
    X(unpool_bytes_i64, unpool_bytes_low_half, FAILS)   \
    X(overlap_u8, overlap_first, FAILS)                 \
    X(overlap_u8, overlap_counts_all, FAILS)            \
    X(replicate, replicate_short, FAILS)                \
    X(replicate_x2, replicate_x2_writes_on, FAULTS)     \
    X(replicate_x2, replicate_x2_reads_on, FAULTS)      \
    X(nails, nails_not_cleared, FAILS)                  \
    X(nails, nails_at_zero, FAILS)                      \
    X(nearest_row, nearest_reads_zero, FAULTS)          \
    X(nearest_row, nearest_reads_index_on, FAULTS)      \
    X(filter_row, filter_row_from_zero, FAILS)          \
    X(filter_row, filter_row_weights, FAILS)            \
    X(filter_rows, filter_rows_backwards, FAILS)        \
    X(filter_pixels, filter_pixels_dense, FAILS)        \
    X(filter_pixels, filter_pixels_read_on, FAULTS)

/* A function for each, so that no pointer loses its type. */
#define TRY(member, wrong, outcome)           \
    static const char *try_##wrong(void)      \
    {                                         \
        return check_##member(wrong, &RIGHT); \
    }
WRONG_LIST(TRY)

static const struct wrong {
    const char *name;
    const char *(*check)(void);
    enum outcome outcome;
} wrongs[] = {
#define WRONG(member, wrong, outcome) {#wrong, try_##wrong, outcome},
    WRONG_LIST(WRONG)};

enum { WRONGS = sizeof wrongs / sizeof *wrongs };

/* Some faults need a rare case, a window of one tap that holds -0: then the check finds them in one of a few rounds. */
static enum outcome check_in_rounds(const struct wrong *wrong)
{
    for (int round = 0; round < 8; round++)
        if (wrong->check()) return FAILS;
    return PASSES;
}

/* A write one past the end is seen by the canaries or, when the data ends at the guard page, faults: which comes first
 * is the order of the places, and the end comes first. */
static void test_wrong(void **state)
{
    const struct wrong *wrong = *state;
    int status = 0;

    fflush(NULL);
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL); /* cmocka and the sanitizers have handlers of their own */
        _exit(check_in_rounds(wrong));
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child);

    const enum outcome got = WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? FAULTS
                             : WIFEXITED(status)                                ? (enum outcome)WEXITSTATUS(status)
                                                                                : PASSES;
    if (got != wrong->outcome) fail_msg("%s %s, but %s", wrong->name, outcomes[got], outcomes[wrong->outcome]);
}

/* Canaries before and behind the data, one byte of each changed. */
static void test_margins(void **state)
{
    struct check_memory memory = {0};
    (void)state;

    for (int place = 0; place < CHECK_PLACES; place++) {
        unsigned char *p = check_place(&memory, 20, 4, (enum check_place)place);
        assert_true(check_margins(&memory));
        p[0] ^= 1, p[19] ^= 1;
        assert_true(check_margins(&memory));
        if (place != CHECK_AT_END) {
            p[20] ^= 1;
            assert_false(check_margins(&memory));
            p[20] ^= 1;
        }
        if (place != CHECK_AT_START) {
            p[-1] ^= 1;
            assert_false(check_margins(&memory));
        }
    }
}

static void test_comparison(void **state)
{
    const float nan = bits_to_float(0x7fc00000), other_nan = bits_to_float(0xffc00001);
    const float a[] = {1, -0.0f, nan}, b[] = {1, -0.0f, other_nan}, c[] = {1, 0, nan};
    const double exact[] = {1.5, 0, NAN}, missing[] = {1, 0, 3};
    int64_t where;
    (void)state;

    assert_int_equal(check_first_difference(a, a, 3, 0), -1);
    assert_int_equal(check_first_difference(a, b, 3, 0), 2);
    assert_int_equal(check_first_difference(a, b, 3, 1), -1);
    assert_int_equal(check_first_difference(a, c, 3, 1), 1);
    assert_true(check_max_error(a, exact, 3, &where) == 0.5 && where == 0);
    assert_true(isinf(check_max_error(a, missing, 3, &where)) && where == 2);
}

int main(void)
{
    static struct CMUnitTest units[WRONGS + 2];

    unsetenv("UPS_TEST_QUICK"); /* few cases would let a wrong kernel through by chance */
    for (int i = 0; i < WRONGS; i++)
        units[i] = (struct CMUnitTest){wrongs[i].name, test_wrong, NULL, NULL, (void *)(uintptr_t)&wrongs[i]};
    units[WRONGS] = (struct CMUnitTest)cmocka_unit_test(test_margins);
    units[WRONGS + 1] = (struct CMUnitTest)cmocka_unit_test(test_comparison);
    check_random(); /* prints the seed before the children inherit it */
    return _cmocka_run_group_tests("checker", units, sizeof units / sizeof *units, NULL, NULL);
}
