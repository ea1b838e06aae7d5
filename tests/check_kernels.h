/* SPDX-License-Identifier: MIT
 *
 * How each kernel is checked: check_<member>(run, table), for test_kernels.c and test_checker.c, which include this
 * once each. Of the table only the tile (mr, nr) and the tier's name matter; run is any function of the type. Each
 * gives NULL or a sentence about the first case that failed.
 *
 * The reference is a formula of this file, written another way than scalar.c (a window's taps are collected and then
 * judged; sums use fmaf where a vector tier fuses), so the scalar tier is tested like the others, and every tier must
 * give the formula's own bits. Arithmetic may differ in the payload of a NaN only. The bits of sigmoid and tanh are scalar.c's,
 * and near the double precision of libm.
 *
 * All operands, small pointer tables included, stand in guarded memory. After the call each must hold what the formula
 * says, to the last gap between rows; for an input that is what it held before.
 */
#ifndef UPS_CHECK_KERNELS_H
#define UPS_CHECK_KERNELS_H

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kernels.h"

/* ---- operands ---- */

struct operand {
    struct check_memory memory;
    void *want; /* what the memory must hold after the call */
    size_t element;
    int any_nan;
};

static struct operand operands[48];
static int operand_count;

/* The trials of one kernel: every length around the vector widths, at each place, with each kind of values (when quick,
 * one kind each in turn). */
struct trial {
    int64_t n;
    enum check_place place;
    enum check_fill fill;
    int number;
};

static int next_trial(struct trial *t)
{
    static const int64_t long_ones[] = {47, 48, 49, 63, 64, 65};
    enum { SHORT = 35, LENGTHS = SHORT + sizeof long_ones / sizeof *long_ones };
    const int fills = check_quick() ? 1 : CHECK_FILLS;
    const int i = t->number++, length = i / (CHECK_PLACES * fills);

    if (length == LENGTHS) return 0;
    t->n = length < SHORT ? length + 1 : long_ones[length - SHORT];
    t->place = (enum check_place)(i / fills % CHECK_PLACES);
    t->fill = (enum check_fill)((fills == 1 ? i / CHECK_PLACES + i : i) % CHECK_FILLS);
    operand_count = 0;
    return 1;
}

static void *operand(const struct trial *t, int64_t n, size_t element)
{
    struct operand *o = &operands[operand_count++];

    if (operand_count > (int)(sizeof operands / sizeof *operands)) abort();
    o->element = element;
    o->any_nan = 0;
    return check_place(&o->memory, (size_t)n * element, element, t->place);
}

/* An input: n values of the trial's kind. */
static float *values(const struct trial *t, int64_t n)
{
    float *p = operand(t, n, sizeof *p);
    check_fill(p, n, t->fill);
    return p;
}

/* An output, full of canaries. */
static float *result(const struct trial *t, int64_t n)
{
    return operand(t, n, sizeof(float));
}

/* Says that the last operand is computed, not copied. */
static void computed(void)
{
    operands[operand_count - 1].any_nan = 1;
}

static const float **pointers(const struct trial *t, int64_t n)
{
    return operand(t, n, sizeof(float *));
}

/* All operands are as the call shall find them. */
static void ready(void)
{
    for (int i = 0; i < operand_count; i++) {
        struct operand *o = &operands[i];
        o->want = realloc(o->want, o->memory.bytes + 1);
        if (!o->want) abort();
        memcpy(o->want, o->memory.data, o->memory.bytes);
    }
}

/* Where the formula writes what the call shall leave at p. */
static void *want(const void *p)
{
    for (int i = 0; i < operand_count; i++)
        if (operands[i].memory.data == p) return operands[i].want;
    abort();
}

/* ---- verdict ---- */

static char complaint[400];

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static const char *
complain(const struct trial *t, const char *format, ...)
{
    static const char *const places[] = {"at end", "at start", "in middle"};
    static const char *const fills[] = {"plain", "ties", "special"};
    va_list list;
    int length = snprintf(complaint, sizeof complaint, "n=%lld, %s, %s values: ", (long long)t->n, places[t->place],
                          fills[t->fill]);

    va_start(list, format);
    vsnprintf(complaint + length, sizeof complaint - (size_t)length, format, list);
    va_end(list);
    return complaint;
}

static const char *verdict(const struct trial *t)
{
    for (int i = 0; i < operand_count; i++) {
        const struct operand *o = &operands[i];
        const size_t n = o->memory.bytes / o->element;
        if (!check_margins(&o->memory)) return complain(t, "operand %d: written outside", i);
        if (!memcmp(o->memory.data, o->want, o->memory.bytes)) continue;
        if (o->element == sizeof(float)) {
            const float *got = (const float *)(const void *)o->memory.data, *w = o->want;
            const int64_t at = check_first_difference(got, w, (int64_t)n, o->any_nan);
            if (at < 0) continue;
            return complain(t, "operand %d, element %lld of %zu: %.9g (%08x), not %.9g (%08x)", i, (long long)at, n,
                            (double)got[at], check_bits(got[at]), (double)w[at], check_bits(w[at]));
        }
        return complain(t, "operand %d of %zu elements of %zu bytes differs", i, n, o->element);
    }
    return NULL;
}

/* ---- formulas ---- */

/* a*b + c as the tier computes it. The volatile product keeps a compiler from fusing what shall not be. */
static float multiply_add(const struct ups_kernels *table, float a, float b, float c)
{
    volatile float product = a * b;
    return strcmp(table->isa, "scalar") == 0 ? product + c : fmaf(a, b, c);
}

/* A window's taps in scan order, and what they come to by a rule for NaN. */
struct window {
    int32_t nan;
    int64_t count;
    uint32_t v[64];
    int64_t at[64];
};

static void add_tap(struct window *w, float v, int64_t at)
{
    w->v[w->count] = check_bits(v);
    w->at[w->count++] = at;
}

static float bits_to_float(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static int32_t some_rule(void)
{
    return (int32_t)check_between(UPS_NAN_LAST, UPS_NAN_SKIP);
}

/* The tap that wins, -1 for none: the last NaN, or the NaN in front, where the rule lets them; else the first of the
 * greatest, which for skip must be above the lowest float. */
static int64_t winner(const struct window *w)
{
    float greatest = -INFINITY;
    int64_t at = -1;

    for (int64_t t = w->count - 1; t >= 0 && w->nan == UPS_NAN_LAST; t--)
        if (isnan(bits_to_float(w->v[t]))) return t;
    if (w->nan == UPS_NAN_SEED && w->count && isnan(bits_to_float(w->v[0]))) return 0;
    for (int64_t t = 0; t < w->count; t++)
        if (bits_to_float(w->v[t]) > greatest) greatest = bits_to_float(w->v[t]);
    for (int64_t t = w->count - 1; t >= 0; t--)
        if (bits_to_float(w->v[t]) == greatest) at = t;
    return w->nan == UPS_NAN_SKIP && !(greatest > -FLT_MAX) ? -1 : at;
}

/* Bits in y and not a float: a signalling NaN passes through no register that might quiet it. */
static void judge(const struct window *w, float *y, void *index, size_t index_bytes, int64_t i)
{
    int64_t at = winner(w);
    uint32_t bits = w->nan == UPS_NAN_LAST ? 0xff800000 : 0xff7fffff; /* -inf, lowest */

    if (at >= 0) {
        bits = w->v[at];
        at = w->at[at];
    }
    memcpy(&y[i], &bits, sizeof bits);
    if (index_bytes == 4) ((int32_t *)index)[i] = (int32_t)at;
    if (index_bytes == 8) ((int64_t *)index)[i] = at;
}

/* ---- transposed convolution ---- */

static int is_curve(const struct ups_activation *activation)
{
    return activation->kind == UPS_SIGMOID || activation->kind == UPS_TANH;
}

static float activated(float v, const struct ups_activation *activation)
{
    static const float none = -0.0f; /* v + -0 is v, whatever its sign */
    volatile float scaled = v * activation->alpha;

    if (isnan(v)) return v;
    if (is_curve(activation)) ups_kernels_scalar.finish.run(&v, 1, 1, 1, &none, 1, 0, activation);
    if (activation->kind == UPS_RELU) return v == 0 || v > 0 ? v : 0;
    if (activation->kind == UPS_LEAKY_RELU) return v == 0 || v > 0 ? v : scaled;
    if (activation->kind == UPS_CLIP && v > activation->beta) return activation->beta;
    if (activation->kind == UPS_CLIP && v < activation->alpha) return activation->alpha;
    return v;
}

static const char *check_gemm(ups_gemm_fn *run, const struct ups_kernels *table)
{
    static const int64_t taps_depth[][2] = {{1, 1}, {1, 4}, {2, 3}, {3, 5}, {0, 1}};
    static const struct ups_activation activations[] = {
        {UPS_NO_ACTIVATION, 0, 0}, {UPS_RELU, 0, 0}, {UPS_LEAKY_RELU, 0.1f, 0}, {UPS_CLIP, -1, 1.5f}};
    const int64_t lanes = table->lanes;
    struct trial t = {0};

    for (int64_t columns = 1; columns <= table->nr; columns++)
        for (int64_t r = 0; r < table->mr[(columns - 1) / lanes]; r++) {
            const int64_t s = check_between(0, 4), taps = taps_depth[s][0], depth = taps_depth[s][1], rows = r + 1;
            const int64_t a_stride = s % 2 ? depth + check_between(0, 3) : check_between(1, depth);
            const int64_t read = (columns + lanes - 1) / lanes * lanes, b_stride = read + check_between(0, 2);
            const int64_t c_stride = columns + check_between(0, 3), bias = check_between(0, 2), add = !bias && s > 1;

            operand_count = 0;
            t.n = rows;
            t.place = (enum check_place)((rows + columns) % CHECK_PLACES);
            t.fill = s == 1 ? CHECK_SPECIAL : CHECK_PLAIN;
            const float **a = pointers(&t, taps), **b = pointers(&t, taps);
            for (int64_t tap = 0; tap < taps; tap++) {
                a[tap] = values(&t, (rows - 1) * a_stride + depth);
                b[tap] = values(&t, (depth - 1) * b_stride + read);
            }
            const float *added = bias ? values(&t, columns) : NULL;
            float *c = add ? values(&t, (rows - 1) * c_stride + columns) : result(&t, (rows - 1) * c_stride + columns);
            const struct ups_gemm g = {.rows = rows,
                                       .columns = columns,
                                       .taps = taps,
                                       .depth = depth,
                                       .a = a,
                                       .b = b,
                                       .a_stride = a_stride,
                                       .b_stride = b_stride,
                                       .ahead = check_between(-9, 9) * columns,
                                       .add = add,
                                       .c = c,
                                       .c_stride = c_stride,
                                       .bias = added,
                                       .activation = &activations[check_between(0, 3)]};
            computed();
            ready();

            float *w = want(c);
            for (int64_t i = 0; i < rows; i++)
                for (int64_t j = 0; j < columns; j++) {
                    float sum = 0;
                    for (int64_t tap = 0; tap < taps; tap++)
                        for (int64_t k = 0; k < depth; k++)
                            sum = multiply_add(table, a[tap][i * a_stride + k], b[tap][k * b_stride + j], sum);
                    w[i * c_stride + j] = added ? activated(sum + added[j], g.activation)
                                          : add ? c[i * c_stride + j] + sum
                                                : sum;
                }
            run(&g);
            const char *failure = verdict(&t);
            if (failure) return failure;
        }
    return NULL;
}

/* A matrix of a form times values `stride` apart: nonzero coefficients in order. */
static float minimal_sum(const struct ups_kernels *table, const float *row, int n, const float *x, int stride)
{
    float sum = 0;
    int first = 1;
    for (int j = 0; j < n; j++) {
        volatile float product = row[j] * x[j * stride];
        if (row[j] == 0) continue;
        sum = first ? product : multiply_add(table, row[j], x[j * stride], sum);
        first = 0;
    }
    return sum;
}

static const char *check_winograd_in(ups_winograd_in_fn *run, const struct ups_kernels *table)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const struct ups_winograd_tile tile = {(enum ups_minimal_form)check_between(0, UPS_MINIMAL_FORMS - 1),
                                               (enum ups_minimal_form)check_between(0, UPS_MINIMAL_FORMS - 1)};
        const struct ups_minimal *fh = &ups_minimal[tile.h], *fw = &ups_minimal[tile.w];
        const int64_t points = fh->n * fw->n, stride = t.n + check_between(0, 3);
        const float **x = pointers(&t, points);
        for (int64_t i = 0; i < points; i++) x[i] = values(&t, t.n);
        float *v = result(&t, (points - 1) * stride + t.n);
        computed();
        ready();

        float *w = want(v);
        for (int64_t c = 0; c < t.n; c++) {
            float half[36], row[6];
            for (int i = 0; i < fh->n; i++)
                for (int q = 0; q < fw->n; q++) {
                    for (int j = 0; j < fw->n; j++) row[j] = x[i * fw->n + j][c];
                    half[i * fw->n + q] = minimal_sum(table, fw->bt[q], fw->n, row, 1);
                }
            for (int p = 0; p < fh->n; p++)
                for (int q = 0; q < fw->n; q++)
                    w[(p * fw->n + q) * stride + c] = minimal_sum(table, fh->bt[p], fh->n, &half[q], fw->n);
        }
        run(&tile, x, t.n, v, stride);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_winograd_out(ups_winograd_out_fn *run, const struct ups_kernels *table)
{
    static const struct ups_activation activations[] = {{UPS_NO_ACTIVATION, 0, 0}, {UPS_LEAKY_RELU, 0.1f, 0}};

    for (struct trial t = {0}; next_trial(&t);) {
        const struct ups_winograd_tile tile = {(enum ups_minimal_form)check_between(0, UPS_MINIMAL_FORMS - 1),
                                               (enum ups_minimal_form)check_between(0, UPS_MINIMAL_FORMS - 1)};
        const struct ups_minimal *fh = &ups_minimal[tile.h], *fw = &ups_minimal[tile.w];
        const struct ups_activation *activation = &activations[check_between(0, 1)];
        const int64_t points = fh->n * fw->n, outputs = fh->m * fw->m, stride = t.n + check_between(0, 3);
        const float *m = values(&t, (points - 1) * stride + t.n), *bias = values(&t, t.n);
        float **y = operand(&t, outputs, sizeof *y);
        for (int64_t i = 0; i < outputs; i++) {
            y[i] = check_between(0, 3) ? result(&t, t.n) : NULL;
            if (y[i]) computed();
        }
        ready();

        for (int64_t c = 0; c < t.n; c++) {
            float half[36], column[6];
            for (int i = 0; i < fh->m; i++)
                for (int q = 0; q < fw->n; q++) {
                    for (int j = 0; j < fh->n; j++) column[j] = m[(j * fw->n + q) * stride + c];
                    half[i * fw->n + q] = minimal_sum(table, fh->at[i], fh->n, column, 1);
                }
            for (int i = 0; i < fh->m; i++)
                for (int j = 0; j < fw->m; j++)
                    if (y[i * fw->m + j])
                        ((float *)want(y[i * fw->m + j]))[c] =
                            activated(minimal_sum(table, fw->at[j], fw->n, &half[i * fw->n], 1) + bias[c], activation);
        }
        run(&tile, m, stride, t.n, bias, activation, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

/* A curve at special values, and at floats from all over their 2^32 bit patterns: 2 ulp of the function at most, of subnormal results too; limits,
 * the sign of tanh and NaN are exact, and nothing is above 1. */
static const char *check_curve(ups_finish_fn *run, const struct ups_activation *activation)
{
    enum { AT_ONCE = 1024, SPECIAL = 32 };
    static const float none = -0.0f;
    const uint64_t step = check_quick() ? 262139 : 4093;
    float v[AT_ONCE], y[AT_ONCE];

    for (uint64_t bits = (uint64_t)check_between(0, 4092); bits < (uint64_t)1 << 32;) {
        for (int i = 0; i < AT_ONCE; i++, bits += step)
            v[i] = bits_to_float((uint32_t)bits); /* the last ones are the first again */
        check_fill(v, SPECIAL, CHECK_SPECIAL);
        memcpy(y, v, sizeof y);
        run(y, 1, AT_ONCE, AT_ONCE, &none, 1, 0, activation);
        for (int i = 0; i < AT_ONCE; i++) {
            const double x = (double)v[i], want = activation->kind == UPS_TANH ? tanh(x) : 1 / (1 + exp(-x));
            const double ulp = ldexp(1, (want == 0 ? -126 : (int)fmax(ilogb(want), -126)) - 23);
            const int sign = activation->kind == UPS_TANH && !signbit(v[i]) != !signbit(y[i]);
            if (isnan(v[i]) ? isnan(y[i])
                            : fabs((double)y[i] - want) <= (isinf(v[i]) ? 0 : 2 * ulp) && fabsf(y[i]) <= 1 && !sign)
                continue;
            snprintf(complaint, sizeof complaint, "activation %d of %.9g (%08x): %.9g (%08x), %.3g ulp from %.12g",
                     activation->kind, x, check_bits(v[i]), (double)y[i], check_bits(y[i]), ((double)y[i] - want) / ulp,
                     want);
            return complaint;
        }
    }
    return NULL;
}

static const char *check_finish(ups_finish_fn *run, const struct ups_kernels *table)
{
    static const struct ups_activation activations[] = {
        {UPS_NO_ACTIVATION, 0, 0}, {UPS_RELU, 0, 0},       {UPS_LEAKY_RELU, 0.1f, 0}, {UPS_LEAKY_RELU, -2, 0},
        {UPS_CLIP, 0, 1.5f},       {UPS_CLIP, -1, -0.25f}, {UPS_SIGMOID, 0, 0},       {UPS_TANH, 0, 0},
    };
    enum { ACTIVATIONS = sizeof activations / sizeof *activations };
    (void)table;

    for (struct trial t = {0}; next_trial(&t);)
        for (int a = 0; a < ACTIVATIONS; a++) {
            const int64_t rows = check_between(1, 3), columns = t.n, stride = columns + check_between(0, 2);
            const int64_t along_row = check_between(0, 1);
            operand_count = 0;
            const float *bias = values(&t, along_row ? rows : columns);
            float *c = values(&t, (rows - 1) * stride + columns);
            computed();
            ready();

            float *w = want(c);
            for (int64_t i = 0; i < rows; i++)
                for (int64_t j = 0; j < columns; j++)
                    w[i * stride + j] = activated(c[i * stride + j] + bias[along_row ? i : j], &activations[a]);
            run(c, rows, columns, stride, bias, along_row, !along_row, &activations[a]);
            if (verdict(&t)) return complaint;
        }
    for (int a = 0; a < ACTIVATIONS; a++)
        if (is_curve(&activations[a]) && check_curve(run, &activations[a])) return complaint;
    return NULL;
}

static const char *check_axpy(ups_axpy_fn *run, const struct ups_kernels *table)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const float *x = values(&t, t.n);
        float a, *y = values(&t, t.n);
        computed();
        check_fill(&a, 1, t.fill);
        ready();

        float *w = want(y);
        for (int64_t i = 0; i < t.n; i++) w[i] = multiply_add(table, a, x[i], y[i]);
        run(t.n, a, x, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_transpose(ups_transpose_fn *run, const struct ups_kernels *table)
{
    (void)table;

    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t other = check_between(1, 20), wide = check_between(0, 1);
        const int64_t rows = wide ? other : t.n, columns = wide ? t.n : other;
        const int64_t x_stride = columns + check_between(0, 2), y_stride = rows + check_between(0, 2);
        const float *x = values(&t, (rows - 1) * x_stride + columns);
        float *y = result(&t, (columns - 1) * y_stride + rows);
        ready();

        float *w = want(y);
        for (int64_t j = 0; j < columns; j++)
            for (int64_t i = 0; i < rows; i++) memcpy(&w[j * y_stride + i], &x[i * x_stride + j], sizeof *w);
        run(x, rows, columns, x_stride, y, y_stride);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static struct ups_activation some_activation(void)
{
    static const struct ups_activation some[] = {
        {UPS_NO_ACTIVATION, 0, 0}, {UPS_RELU, 0, 0}, {UPS_LEAKY_RELU, 0.1f, 0}, {UPS_CLIP, -1, 1.5f}};
    return some[check_between(0, 3)];
}

/* Taps with any range of the outputs of a cell. Cells from one to beyond every tile, rows one behind the other or apart. */
static const char *check_depthwise_rows(ups_depthwise_rows_fn *run, const struct ups_kernels *table)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const struct ups_activation activation = some_activation();
        const int64_t s = check_random() & 1 ? check_between(1, 4) : check_between(1, 70);
        const int64_t n = check_random() & 1 ? t.n : t.n * s - check_between(0, s - 1), cells = (n + s - 1) / s;
        struct ups_depthwise d = {.taps = check_between(0, 7),
                                  .stride = s,
                                  .rows = check_between(1, 3),
                                  .n = n,
                                  .x_stride = cells + check_between(0, 2),
                                  .y_stride = n + check_between(0, 2),
                                  .activation = &activation};
        struct ups_depthwise_tap *tap = operand(&t, d.taps, sizeof *tap);
        for (int64_t i = 0; i < d.taps; i++) {
            tap[i].first = check_between(0, 2) ? 0 : check_between(0, s - 1);
            tap[i].last = check_between(0, 2) ? s : check_between(tap[i].first + 1, s);
            tap[i].x = values(&t, (d.rows - 1) * d.x_stride + cells);
            tap[i].w = values(&t, tap[i].last - tap[i].first);
        }
        d.tap = tap;
        check_fill(&d.bias, 1, t.fill);
        float *y = result(&t, (d.rows - 1) * d.y_stride + n);
        computed();
        ready();

        float *w = want(y);
        for (int64_t r = 0; r < d.rows; r++)
            for (int64_t i = 0; i < cells; i++)
                for (int64_t p = 0; p < s && i * s + p < n; p++) {
                    float sum = 0;
                    for (int64_t k = 0; k < d.taps; k++)
                        if (p >= tap[k].first && p < tap[k].last)
                            sum = multiply_add(table, tap[k].w[p - tap[k].first], tap[k].x[r * d.x_stride + i], sum);
                    w[r * d.y_stride + i * s + p] = activated(sum + d.bias, &activation);
                }
        run(&d, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_depthwise_pixels(ups_depthwise_pixels_fn *run, const struct ups_kernels *table)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const struct ups_activation activation = some_activation();
        const int64_t channels = t.n;
        struct ups_depthwise_pixels d = {.taps = check_between(0, 7),
                                         .n = check_between(1, 20),
                                         .channels = channels,
                                         .x_stride = channels + check_between(0, 2),
                                         .y_stride = channels + check_between(0, 2),
                                         .activation = &activation};
        const float **x = pointers(&t, d.taps), **weights = pointers(&t, d.taps), *bias = values(&t, channels);
        for (int64_t i = 0; i < d.taps; i++) {
            x[i] = values(&t, (d.n - 1) * d.x_stride + channels);
            weights[i] = values(&t, channels);
        }
        d.x = x;
        d.w = weights;
        d.bias = bias;
        float *y = result(&t, (d.n - 1) * d.y_stride + channels);
        computed();
        ready();

        float *w = want(y);
        for (int64_t i = 0; i < d.n * channels; i++) {
            const int64_t o = i / channels, c = i % channels;
            float sum = 0;
            for (int64_t k = 0; k < d.taps; k++)
                sum = multiply_add(table, weights[k][c], x[k][o * d.x_stride + c], sum);
            w[o * d.y_stride + c] = activated(sum + bias[c], &activation);
        }
        run(&d, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

/* ---- max pooling ---- */

static void *switches(const struct trial *t, int64_t n, size_t index_bytes)
{
    return index_bytes ? operand(t, n, index_bytes) : NULL;
}

static const char *check_pool_rows(ups_pool_row_fn *run, size_t index_bytes)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const int usual = check_between(0, 1);
        struct ups_pool_window window = {
            .count = check_between(0, 3),
            .width = check_between(1, 2 * t.n + 3),
            .taps = check_between(1, 4),
            .stride = check_between(1, 3),
            .dilation = check_between(1, 2),
            .pad = check_between(0, 4),
            .position_step = usual ? 1 : check_between(0, 9),
            .tap_step = usual ? 0 : check_between(0, 9),
            .nan = usual ? UPS_NAN_LAST : some_rule(),
            .scan = usual ? UPS_SCAN_ROW_MAJOR : (int32_t)check_between(UPS_SCAN_ROW_MAJOR, UPS_SCAN_COLUMN_MAJOR),
        };
        const int64_t first = check_between(0, 3), n = t.number == 1 ? 0 : t.n;
        const int column = window.scan == UPS_SCAN_COLUMN_MAJOR;
        const float **rows = pointers(&t, window.count);
        int64_t *base = operand(&t, window.count, sizeof *base);
        for (int64_t r = 0; r < window.count; r++) {
            rows[r] = values(&t, window.width);
            base[r] = check_between(0, 1000) + (index_bytes == 8 ? (int64_t)check_random() << 8 : 0);
        }
        window.rows = rows;
        window.base = base;
        float *y = result(&t, n);
        void *index = switches(&t, n, index_bytes);
        ready();

        for (int64_t o = first; o < first + n; o++) {
            struct window w = {.nan = window.nan};
            for (int64_t i = 0; i < window.count * window.taps; i++) {
                const int64_t r = column ? i % window.count : i / window.taps;
                const int64_t tap = column ? i / window.count : i % window.taps;
                const int64_t p = o * window.stride - window.pad + tap * window.dilation;
                if (p >= 0 && p < window.width)
                    add_tap(&w, rows[r][p], base[r] + p * window.position_step + tap * window.tap_step);
            }
            judge(&w, want(y), index ? want(index) : NULL, index_bytes, o - first);
        }
        run(&window, first, n, y, index);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

/* Steps of a plane, or any, with the last index at most 2^31 - 1. */
static struct ups_pool_quad some_quad(int64_t n)
{
    struct ups_pool_quad q = {.step = 2, .right = 1, .below = 2 * n + check_between(0, 5)};
    if (check_random() & 1) {
        q.step = check_between(0, 1000);
        q.right = check_between(0, 1000);
        q.below = check_between(0, 100000);
    }
    const int64_t last = INT32_MAX - (n - 1) * q.step - q.right - q.below;
    const int64_t bases[] = {0, last, check_between(0, 100000)};
    q.base = bases[check_between(0, 2)];
    return q;
}

static const char *check_pool_pairs(ups_pool_2x2s2_fn *run, size_t index_bytes)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const struct ups_pool_quad q = some_quad(t.n);
        const int32_t nan = some_rule();
        const float *row0 = values(&t, 2 * t.n), *row1 = values(&t, 2 * t.n);
        float *y = result(&t, t.n);
        void *index = switches(&t, t.n, index_bytes);
        ready();

        for (int64_t o = 0; o < t.n; o++) {
            struct window w = {.nan = nan};
            for (int64_t tap = 0; tap < 4; tap++)
                add_tap(&w, (tap < 2 ? row0 : row1)[2 * o + tap % 2],
                        q.base + o * q.step + tap / 2 * q.below + tap % 2 * q.right);
            judge(&w, want(y), index ? want(index) : NULL, index_bytes, o);
        }
        run(row0, row1, t.n, nan, &q, y, index);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_pool_pixels(ups_pool_pixel_fn *run, size_t index_bytes)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t count = check_between(0, 9);
        const int32_t nan = some_rule();
        const float **tap = pointers(&t, count);
        int64_t *position = operand(&t, count, sizeof *position);
        for (int64_t i = 0; i < count; i++) {
            tap[i] = values(&t, t.n);
            position[i] =
                index_bytes == 8 ? (int64_t)check_random() << check_between(0, 20) : (int64_t)(check_random() >> 1);
        }
        float *y = result(&t, t.n);
        void *index = switches(&t, t.n, index_bytes);
        ready();

        for (int64_t c = 0; c < t.n; c++) {
            struct window w = {.nan = nan};
            for (int64_t i = 0; i < count; i++) add_tap(&w, tap[i][c], position[i]);
            judge(&w, want(y), index ? want(index) : NULL, index_bytes, c);
        }
        run(tap, position, count, t.n, nan, y, index);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

#define CHECK_POOL(member, type, check, index_bytes)                              \
    static const char *check_##member(type *run, const struct ups_kernels *table) \
    {                                                                             \
        (void)table;                                                              \
        return check(run, index_bytes);                                           \
    }
CHECK_POOL(pool_row, ups_pool_row_fn, check_pool_rows, 0)
CHECK_POOL(pool_row_i32, ups_pool_row_fn, check_pool_rows, 4)
CHECK_POOL(pool_row_i64, ups_pool_row_fn, check_pool_rows, 8)
CHECK_POOL(pool_2x2s2, ups_pool_2x2s2_fn, check_pool_pairs, 0)
CHECK_POOL(pool_2x2s2_i32, ups_pool_2x2s2_fn, check_pool_pairs, 4)
CHECK_POOL(pool_2x2s2_i64, ups_pool_2x2s2_fn, check_pool_pairs, 8)
CHECK_POOL(pool_pixel, ups_pool_pixel_fn, check_pool_pixels, 0)
CHECK_POOL(pool_pixel_i32, ups_pool_pixel_fn, check_pool_pixels, 4)
CHECK_POOL(pool_pixel_i64, ups_pool_pixel_fn, check_pool_pixels, 8)

/* ---- average pooling ---- */

/* The rows end with the last tap. */
static const char *check_avg_row(ups_avg_row_fn *run, const struct ups_kernels *table)
{
    (void)table;

    for (struct trial t = {0}; next_trial(&t);) {
        struct ups_avg_window window = {
            .count = check_between(0, 3),
            .start = check_between(0, 3),
            .taps = check_between(0, 4),
            .stride = check_between(1, 4),
            .dilation = check_between(1, 3),
        };
        const int64_t n = t.number == 1 ? 0 : t.n;
        const int64_t reach = n && window.taps ? (n - 1) * window.stride + (window.taps - 1) * window.dilation + 1 : 0;
        const float **rows = pointers(&t, window.count), divisor = (float)check_between(1, 12);
        for (int64_t r = 0; r < window.count; r++) rows[r] = values(&t, window.start + reach);
        window.rows = rows;
        float *y = result(&t, n);
        computed();
        ready();

        float *w = want(y);
        for (int64_t o = 0; o < n; o++) {
            w[o] = 0;
            for (int64_t i = 0; i < window.count * window.taps; i++)
                w[o] += rows[i / window.taps][window.start + o * window.stride + i % window.taps * window.dilation];
            w[o] /= divisor;
        }
        run(&window, n, divisor, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_avg_pixel(ups_avg_pixel_fn *run, const struct ups_kernels *table)
{
    (void)table;

    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t count = check_between(0, 9);
        const float **tap = pointers(&t, count), divisor = (float)check_between(1, 12);
        for (int64_t i = 0; i < count; i++) tap[i] = values(&t, t.n);
        float *y = result(&t, t.n);
        computed();
        ready();

        float *w = want(y);
        for (int64_t c = 0; c < t.n; c++) {
            w[c] = 0;
            for (int64_t i = 0; i < count; i++) w[c] += tap[i][c];
            w[c] /= divisor;
        }
        run(tap, count, t.n, divisor, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

/* ---- max unpooling ---- */

/* Two of three switches name one of their own four; the others a neighbour's, nothing, or a number whose low half would
 * do. */
static int64_t some_switch(int64_t own, int64_t width, size_t index_bytes)
{
    const int64_t right = own + check_between(0, 1) + (check_random() & 1 ? width : 0);

    switch (check_between(0, 8)) {
    case 0: return right + 2;
    case 1: return check_random() & 1 ? -1 : INT32_MIN;
    case 2: return index_bytes == 8 ? right + ((int64_t)check_between(1, 3) << 32) : right - 2;
    default: return right;
    }
}

static const char *check_unpool(ups_unpool_2x2s2_fn *run, size_t index_bytes)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t width = 2 * t.n + check_between(0, 5);
        const int64_t last = INT32_MAX - width - 2 * t.n + 1;
        const int64_t bases[] = {0, last, check_between(0, 100000)}, base = bases[check_between(0, 2)];
        const float *x = values(&t, t.n);
        void *index = operand(&t, t.n, index_bytes);
        float *row[2] = {result(&t, 2 * t.n), result(&t, 2 * t.n)};
        int64_t found = 0;

        for (int64_t o = 0; o < t.n; o++) {
            const int64_t at = some_switch(base + 2 * o, width, index_bytes);
            if (index_bytes == 4) ((int32_t *)index)[o] = (int32_t)at;
            if (index_bytes == 8) ((int64_t *)index)[o] = at;
        }
        ready();
        for (int r = 0; r < 2; r++) memset(want(row[r]), 0, sizeof(float) * 2 * (size_t)t.n);
        for (int64_t o = 0; o < t.n; o++) {
            const int64_t at = index_bytes == 4 ? ((int32_t *)index)[o] : ((int64_t *)index)[o];
            for (int64_t tap = 0; tap < 4; tap++)
                if (at == base + 2 * o + tap / 2 * width + tap % 2) {
                    memcpy((float *)want(row[tap / 2]) + 2 * o + tap % 2, &x[o], sizeof *x);
                    found++;
                }
        }
        const int64_t got = run(x, index, t.n, base, width, row[0], row[1]);
        if (verdict(&t)) return complaint;
        if (got != found) return complain(&t, "returns %lld, not %lld", (long long)got, (long long)found);
    }
    return NULL;
}

CHECK_POOL(unpool_2x2s2_i32, ups_unpool_2x2s2_fn, check_unpool, 4)
CHECK_POOL(unpool_2x2s2_i64, ups_unpool_2x2s2_fn, check_unpool, 8)

/* ---- replication and bed of nails ---- */

static const char *check_replicate(ups_replicate_fn *run, const struct ups_kernels *table)
{
    (void)table;

    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t factor = check_between(1, 5);
        const float *x = values(&t, t.n);
        float *y = result(&t, t.n * factor);
        ready();

        float *w = want(y);
        for (int64_t i = 0; i < t.n * factor; i++) memcpy(&w[i], &x[i / factor], sizeof *w);
        run(x, t.n, factor, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_replicate_x2(ups_replicate_x2_fn *run, const struct ups_kernels *table)
{
    (void)table;

    for (struct trial t = {0}; next_trial(&t);) {
        const float *x = values(&t, t.n);
        float *y = result(&t, 2 * t.n);
        ready();

        float *w = want(y);
        for (int64_t i = 0; i < 2 * t.n; i++) memcpy(&w[i], &x[i / 2], sizeof *w);
        run(x, t.n, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_nails(ups_nails_fn *run, const struct ups_kernels *table)
{
    (void)table;

    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t factor = check_between(1, 4), offset = check_between(0, factor - 1);
        const float *x = values(&t, t.n);
        float *y = result(&t, t.n * factor);
        ready();

        float *w = want(y);
        for (int64_t i = 0; i < t.n * factor; i++) {
            w[i] = 0;
            if (i % factor == offset) memcpy(&w[i], &x[i / factor], sizeof *w);
        }
        run(x, t.n, factor, offset, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

/* ---- resize ---- */

/* A source of `size` elements whose lowest index is `first`: what lies below that is not there. */
static const float *source(const struct trial *t, int64_t size, int64_t first)
{
    return (const float *)((uintptr_t)values(t, size) - (uintptr_t)first * sizeof(float));
}

static int32_t *indices(const struct trial *t, int64_t n, int64_t first, int64_t last)
{
    int32_t *p = operand(t, n, sizeof *p);
    for (int64_t i = 0; i < n; i++) p[i] = (int32_t)check_between(first, last);
    return p;
}

static const char *check_nearest_row(ups_nearest_row_fn *run, const struct ups_kernels *table)
{
    (void)table;

    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t size = check_between(1, 20), first = check_between(0, 2);
        const float *x = source(&t, size, first);
        const int32_t *index = indices(&t, t.n, first, first + size - 1);
        float *y = result(&t, t.n);
        ready();

        float *w = want(y);
        for (int64_t o = 0; o < t.n; o++) memcpy(&w[o], x + index[o], sizeof *w);
        run(x, index, t.n, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_filter_row(ups_filter_row_fn *run, const struct ups_kernels *table)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t taps = check_between(1, 9), size = check_between(1, 20), first = check_between(0, 2);
        const float *x = source(&t, size, first), *weight = values(&t, taps * t.n);
        const int32_t *index = indices(&t, taps * t.n, first, first + size - 1);
        float *y = result(&t, t.n);
        computed();
        ready();

        float *w = want(y);
        for (int64_t i = 0; i < taps * t.n; i++) {
            const float v = x[index[i]];
            w[i % t.n] = i < t.n ? weight[i] * v : multiply_add(table, weight[i], v, w[i % t.n]);
        }
        run(x, index, weight, taps, t.n, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_filter_rows(ups_filter_rows_fn *run, const struct ups_kernels *table)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t taps = check_between(1, 16);
        const float **rows = pointers(&t, taps), *weight = values(&t, taps);
        for (int64_t i = 0; i < taps; i++) rows[i] = values(&t, t.n);
        float *y = result(&t, t.n);
        computed();
        ready();

        float *w = want(y);
        for (int64_t tap = 0; tap < taps; tap++)
            for (int64_t i = 0; i < t.n; i++)
                w[i] = tap ? multiply_add(table, weight[tap], rows[tap][i], w[i]) : weight[0] * rows[0][i];
        run(rows, weight, taps, t.n, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

static const char *check_filter_pixels(ups_filter_pixels_fn *run, const struct ups_kernels *table)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t channels = t.n, taps = check_between(1, 9), n = check_between(1, 3), pixels = check_between(1, 5);
        const int64_t stride = channels + check_between(0, 2), y_stride = channels + check_between(0, 2);
        const float *x = values(&t, (pixels - 1) * stride + channels), *weight = values(&t, taps * n);
        const int32_t *index = indices(&t, taps * n, 0, pixels - 1);
        float *y = result(&t, (n - 1) * y_stride + channels);
        computed();
        ready();

        for (int64_t i = 0; i < taps * n; i++) {
            const float *pixel = x + index[i] * stride;
            float *w = (float *)want(y) + i % n * y_stride;
            for (int64_t c = 0; c < channels; c++)
                w[c] = i < n ? weight[i] * pixel[c] : multiply_add(table, weight[i], pixel[c], w[c]);
        }
        run(x, stride, index, weight, taps, n, channels, y, y_stride);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

#endif
