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

static struct operand operands[3 * 36 + 2]; /* the pixels of three tiles */
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

static void add_tap(struct window *w, const float *v, int64_t at)
{
    memcpy(&w->v[w->count], v, sizeof *v);
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
    if (index_bytes == 1) ((uint8_t *)index)[i] = (uint8_t)at;
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
            const int64_t s = (r + columns) % 5, taps = taps_depth[s][0], depth = taps_depth[s][1], rows = r + 1;
            const int64_t a_stride = s % 2 ? depth + check_between(0, 3) : check_between(1, depth);
            const int64_t read = (columns + lanes - 1) / lanes * lanes, b_stride = read + check_between(0, 2);
            const int64_t c_stride = columns + check_between(0, 3), bias = s == 4 ? 1 : check_between(0, 2),
                          add = !bias && s > 1;

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
        const int64_t points = fh->n * fw->n, tiles = check_between(1, 3), stride = tiles * t.n + check_between(0, 3);
        const float **x = pointers(&t, tiles * points);
        for (int64_t i = 0; i < tiles * points; i++) x[i] = values(&t, t.n);
        float *v = result(&t, (points - 1) * stride + tiles * t.n);
        computed();
        ready();

        float *w = want(v);
        for (int64_t at = 0; at < tiles * t.n; at++) {
            const float **pixel = x + at / t.n * points;
            float half[36], row[6];
            for (int i = 0; i < fh->n; i++)
                for (int q = 0; q < fw->n; q++) {
                    for (int j = 0; j < fw->n; j++) row[j] = pixel[i * fw->n + j][at % t.n];
                    half[i * fw->n + q] = minimal_sum(table, fw->bt[q], fw->n, row, 1);
                }
            for (int p = 0; p < fh->n; p++)
                for (int q = 0; q < fw->n; q++)
                    w[(p * fw->n + q) * stride + at] = minimal_sum(table, fh->bt[p], fh->n, &half[q], fw->n);
        }
        run(&tile, tiles, x, t.n, v, stride);
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
        const int64_t points = fh->n * fw->n, outputs = fh->m * fw->m, tiles = check_between(1, 3);
        const int64_t step = t.n + check_between(0, 3), stride = tiles * step + check_between(0, 3);
        const float *m = values(&t, (points - 1) * stride + tiles * step), *bias = values(&t, t.n);
        float **y = operand(&t, tiles * outputs, sizeof *y);
        for (int64_t i = 0; i < tiles * outputs; i++) {
            y[i] = check_between(0, 3) ? result(&t, t.n) : NULL;
            if (y[i]) computed();
        }
        ready();

        for (int64_t at = 0; at < tiles * t.n; at++) {
            const int64_t tile_at = at / t.n, c = at % t.n;
            float **to = y + tile_at * outputs;
            float half[36], column[6];
            for (int i = 0; i < fh->m; i++)
                for (int q = 0; q < fw->n; q++) {
                    for (int j = 0; j < fh->n; j++) column[j] = m[(j * fw->n + q) * stride + tile_at * step + c];
                    half[i * fw->n + q] = minimal_sum(table, fh->at[i], fh->n, column, 1);
                }
            for (int i = 0; i < fh->m; i++)
                for (int j = 0; j < fw->m; j++)
                    if (to[i * fw->m + j])
                        ((float *)want(to[i * fw->m + j]))[c] =
                            activated(minimal_sum(table, fw->at[j], fw->n, &half[i * fw->n], 1) + bias[c], activation);
        }
        run(&tile, tiles, m, stride, step, t.n, bias, activation, y);
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

/* Taps with any range of the outputs of a cell; one in four is the list of k4 s2, three neighbours in two rows, of which mostly the
 * second lies in front of the first. Cells from one to beyond every tile, rows one behind the other or apart. */
static const char *check_depthwise_rows(ups_depthwise_rows_fn *run, const struct ups_kernels *table)
{
    for (struct trial t = {0}; next_trial(&t);) {
        const struct ups_activation activation = some_activation();
        const int quad = check_between(0, 3) == 0, shared = quad && check_between(0, 3);
        const int64_t s = quad ? 2 : check_random() & 1 ? check_between(1, 4) : check_between(1, 70);
        const int64_t n = check_random() & 1 ? t.n : t.n * s - check_between(0, s - 1), cells = (n + s - 1) / s;
        struct ups_depthwise d = {.taps = quad ? 6 : check_between(0, 7),
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
            if (quad) {
                tap[i].first = i % 3 == 0;
                tap[i].last = i % 3 == 2 ? 1 : 2;
            }
            tap[i].x =
                shared && i >= 3 ? tap[i - 3].x - d.x_stride : values(&t, (d.rows - 1 + shared) * d.x_stride + cells);
            if (shared && i < 3) tap[i].x += d.x_stride;
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

/* Taps apart, or two that are neighbouring pixels. */
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
        for (int64_t i = 0; i < d.taps; i++) weights[i] = values(&t, channels);
        for (int64_t i = 0; i < d.taps; i++) {
            const int64_t more = i + 1 < d.taps && check_random() & 1;
            const float *first = values(&t, (d.n - 1 + more) * d.x_stride + channels);
            x[i] = first + more * d.x_stride;
            if (more) x[++i] = first;
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

/* ---- pooling ---- */

/* Half of them the usual windows, square and dense. */
static struct ups_pool_window some_window(int64_t n)
{
    const int usual = check_between(0, 1);
    struct ups_pool_window w = {
        .count = check_between(0, 3),
        .taps = check_between(0, 4),
        .stride = check_between(1, 4),
        .dilation = check_between(1, 2),
        .lines = check_between(1, 3),
        .nan = some_rule(),
        .scan = (int32_t)check_between(UPS_SCAN_ROW_MAJOR, UPS_SCAN_COLUMN_MAJOR),
    };
    if (usual) {
        w.count = w.taps = check_between(2, 3);
        w.stride = check_between(1, 3);
        w.dilation = 1;
        w.scan = UPS_SCAN_ROW_MAJOR;
    }
    w.x_stride = check_between(0, 5);
    w.beyond = check_between(0, 2);
    w.y_stride = n + (check_between(0, 1) ? (64 - n % 64) % 64 : check_between(0, 2)); /* whole cache lines, or not */
    w.index_stride = n + (check_between(0, 1) ? (64 - n % 64) % 64 : check_between(0, 2));
    return w;
}

/* Its rows, each ending with the last tap. */
static const float **window_rows(const struct trial *t, struct ups_pool_window *w)
{
    const int64_t width = (w->lines - 1) * w->x_stride + (t->n - 1) * w->stride + (w->taps - 1) * w->dilation + 1;
    const float **rows = pointers(t, w->count);

    for (int64_t r = 0; r < w->count; r++) rows[r] = values(t, w->taps ? width : 0);
    w->rows = rows;
    return rows;
}

static float tap_of(const struct ups_pool_window *w, int64_t l, int64_t i, int64_t r, int64_t tap)
{
    return w->rows[r][l * w->x_stride + i * w->stride + tap * w->dilation];
}

/* Steps so that the last index is within the type: for i32 often 2^31 - 1, for i64 far beyond. */
static void some_steps(struct ups_pool_window *w, int64_t n, int64_t *code, size_t index_bytes)
{
    const int small = index_bytes == 1;
    int64_t last = 0;

    w->lane_step = small ? check_between(0, 1) : check_between(0, 100);
    w->line_step = small ? check_between(0, 1) : check_between(0, 1000);
    w->tap_step = small ? check_between(0, 9) : check_between(0, 100);
    for (int64_t r = 0; r < w->count; r++) {
        code[r] = small ? check_between(0, 99) : check_between(0, 100000);
        if (code[r] > last) last = code[r];
    }
    last += (n - 1) * w->lane_step + (w->lines - 1) * w->line_step + (w->taps ? w->taps - 1 : 0) * w->tap_step;
    w->base = check_between(0, 3);
    if (index_bytes == 4 && check_random() & 1) w->base = INT32_MAX - last;
    if (index_bytes == 8) w->base = (int64_t)check_random() << check_between(0, 20);
}

static const char *check_pools(ups_pool_fn *run, size_t index_bytes)
{
    for (struct trial t = {0}; next_trial(&t);) {
        struct ups_pool_window window = some_window(t.n);
        const int column = window.scan == UPS_SCAN_COLUMN_MAJOR;
        const float **rows = window_rows(&t, &window);
        int64_t *code = operand(&t, window.count, sizeof *code);
        some_steps(&window, t.n, code, index_bytes);
        window.code = code;
        float *y = result(&t, (window.lines - 1) * window.y_stride + t.n);
        void *index = index_bytes ? operand(&t, (window.lines - 1) * window.index_stride + t.n, index_bytes) : NULL;
        ready();

        for (int64_t o = 0; o < window.lines * t.n; o++) {
            const int64_t l = o / t.n, i = o % t.n, place = l * window.index_stride + i;
            struct window w = {.nan = window.nan};
            for (int64_t k = 0; k < window.count * window.taps; k++) {
                const int64_t r = column ? k % window.count : k / window.taps;
                const int64_t tap = column ? k / window.count : k % window.taps;
                add_tap(&w, rows[r] + l * window.x_stride + i * window.stride + tap * window.dilation,
                        window.base + l * window.line_step + i * window.lane_step + code[r] + tap * window.tap_step);
            }
            judge(&w, (float *)want(y) + l * window.y_stride + i,
                  index ? (char *)want(index) + place * (int64_t)index_bytes : NULL, index_bytes, 0);
        }
        run(&window, t.n, y, index);
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
CHECK_POOL(pool, ups_pool_fn, check_pools, 0)
CHECK_POOL(pool_u8, ups_pool_fn, check_pools, 1)
CHECK_POOL(pool_i32, ups_pool_fn, check_pools, 4)
CHECK_POOL(pool_i64, ups_pool_fn, check_pools, 8)

/* Bytes: any, a few in the middle, or the ends of both signs. */
static uint8_t some_byte(const struct trial *t)
{
    static const uint8_t ends[] = {0, 1, 127, 128, 129, 254, 255};

    if (t->fill == CHECK_PLAIN) return (uint8_t)check_between(0, 255);
    if (t->fill == CHECK_TIES) return (uint8_t)check_between(126, 129);
    return ends[check_between(0, 6)];
}

static uint8_t *byte_values(const struct trial *t, int64_t n)
{
    uint8_t *p = operand(t, n, sizeof *p);
    for (int64_t i = 0; i < n; i++) p[i] = some_byte(t);
    return p;
}

static const char *check_byte_pools(ups_pool_fn *run, size_t index_bytes)
{
    for (struct trial t = {0}; next_trial(&t);) {
        struct ups_pool_window window = some_window(t.n);
        const int column = window.scan == UPS_SCAN_COLUMN_MAJOR;
        if (check_between(0, 9) == 0) window.count = check_between(6, 16), window.taps = 16;
        const int64_t width =
            (window.lines - 1) * window.x_stride + (t.n - 1) * window.stride + (window.taps - 1) * window.dilation + 1;
        const uint8_t **rows = operand(&t, window.count, sizeof *rows);
        for (int64_t r = 0; r < window.count; r++) rows[r] = byte_values(&t, window.taps ? width : 0);
        int64_t *code = operand(&t, window.count, sizeof *code);
        some_steps(&window, t.n, code, index_bytes);
        if (index_bytes == 1) window.lane_step = window.line_step = 0;
        window.byte_rows = rows;
        window.code = code;
        window.flip = check_between(0, 1) ? 0x80 : 0;
        uint8_t *y = operand(&t, (window.lines - 1) * window.y_stride + t.n, 1);
        char *index = index_bytes ? operand(&t, (window.lines - 1) * window.index_stride + t.n, index_bytes) : NULL;
        ready();

        for (int64_t o = 0; o < window.lines * t.n; o++) {
            const int64_t l = o / t.n, i = o % t.n, place = l * window.index_stride + i;
            const int low = window.flip ? -128 : 0;
            int64_t at = -1;
            int best = low - 1;
            for (int64_t k = window.count * window.taps; k-- > 0;) { /* from behind: an equal one replaces it */
                const int64_t r = column ? k % window.count : k / window.taps;
                const int64_t tap = column ? k / window.count : k % window.taps;
                const uint8_t byte = rows[r][l * window.x_stride + i * window.stride + tap * window.dilation];
                const int v = window.flip && byte > 127 ? byte - 256 : byte;
                if (v < best) continue;
                best = v;
                at = window.base + l * window.line_step + i * window.lane_step + code[r] + tap * window.tap_step;
            }
            *((uint8_t *)want(y) + l * window.y_stride + i) = (uint8_t)(best < low ? low : best);
            if (index_bytes == 1) ((uint8_t *)want(index))[place] = (uint8_t)at;
            if (index_bytes == 4) ((int32_t *)want(index))[place] = (int32_t)at;
            if (index_bytes == 8) ((int64_t *)want(index))[place] = at;
        }
        run(&window, t.n, y, index);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

CHECK_POOL(pool_bytes, ups_pool_fn, check_byte_pools, 0)
CHECK_POOL(pool_bytes_u8, ups_pool_fn, check_byte_pools, 1)
CHECK_POOL(pool_bytes_i32, ups_pool_fn, check_byte_pools, 4)
CHECK_POOL(pool_bytes_i64, ups_pool_fn, check_byte_pools, 8)

static const char *check_avg(ups_avg_fn *run, const struct ups_kernels *table)
{
    (void)table;

    for (struct trial t = {0}; next_trial(&t);) {
        struct ups_pool_window window = some_window(t.n);
        const float divisor = (float)check_between(1, 12);
        window_rows(&t, &window);
        float *y = result(&t, (window.lines - 1) * window.y_stride + t.n);
        computed();
        ready();

        for (int64_t o = 0; o < window.lines * t.n; o++) {
            const int64_t l = o / t.n, i = o % t.n;
            float *w = (float *)want(y) + l * window.y_stride + i;
            *w = 0;
            for (int64_t k = 0; k < window.count * window.taps; k++)
                *w += tap_of(&window, l, i, k / window.taps, k % window.taps);
            *w /= divisor;
        }
        run(&window, t.n, divisor, y);
        if (verdict(&t)) return complaint;
    }
    return NULL;
}

/* ---- max unpooling ---- */

/* Its tables in guarded memory. */
static struct ups_spread some_spread(const struct trial *t, int64_t factor)
{
    int32_t *quotient = operand(t, 16 * factor, sizeof *quotient),
            *remainder = operand(t, 16 * factor, sizeof *quotient);

    for (int64_t p = 0; p < 16 * factor; p++) {
        quotient[p] = (int32_t)(p / factor);
        remainder[p] = (int32_t)(p % factor);
    }
    return (struct ups_spread){factor, quotient, remainder};
}

static int64_t some_factor(const struct trial *t)
{
    return t->number % 5 ? check_between(1, 5) : check_between(6, UPS_MOST_FACTOR);
}

/* The name of output p of row r of line l. */
static int64_t name_of(const struct ups_unpool_window *w, int64_t l, int64_t r, int64_t p)
{
    return w->base + l * w->line_step + r * w->row_step + p * w->step + p % w->spread.factor * w->tap_step;
}

/* Two of three switches name an output of their window; the others a neighbour, nothing, or a number whose low half would
 * do. */
static int64_t some_switch(const struct ups_unpool_window *w, int64_t l, int64_t i, size_t index_bytes)
{
    const int64_t p = i * w->spread.factor + check_between(0, w->spread.factor - 1);
    const int64_t right = p < w->width ? name_of(w, l, check_between(0, w->rows - 1), p) : w->base;

    switch (check_between(0, 8)) {
    case 0: return right + 2;
    case 1: return check_random() & 1 ? -1 : INT32_MIN;
    case 2: return index_bytes == 8 ? right + ((int64_t)check_between(1, 3) << 32) : right - 2;
    default: return right;
    }
}

/* Positions of a plane, codes of a window, or channels with steps of their own. */
static struct ups_unpool_window some_unpool(const struct trial *t, size_t index_bytes)
{
    const int codes = index_bytes == 1 || check_between(0, 1);
    const int64_t factor = index_bytes == 1 ? check_between(1, 9) : some_factor(t);
    struct ups_unpool_window w = {
        .spread = some_spread(t, factor), .lines = check_between(1, 2), .rows = check_between(1, 3), .n = t->n};

    w.at_once = check_random() & 1 ? 1 : w.rows;
    w.width = w.n * factor - check_between(0, factor - 1);
    w.x_stride = w.n + check_between(0, 2);
    w.index_stride = w.n + check_between(0, 2);
    w.beyond = check_between(0, 1);
    w.row_stride = w.width + (w.beyond ? (16 - w.width % 16) % 16 : check_between(0, 2));
    w.y_stride = w.rows * w.row_stride + (w.beyond ? 0 : check_between(0, 2));
    w.row_step = codes ? factor : w.width + check_between(0, 3);
    w.step = codes ? 0 : check_between(0, 2);
    w.tap_step = codes;
    w.line_step = codes ? 0 : w.rows * w.row_step;
    const int64_t reach = w.lines * w.line_step + w.rows * w.row_step + w.width * w.step + factor;
    w.base = check_between(0, 3);
    if (index_bytes >= 4 && check_random() & 1) w.base = INT32_MAX - reach;
    if (index_bytes == 8 && check_random() & 1) w.base += (int64_t)check_between(1, 1000) << 32;
    return w;
}

static const char *check_any_unpool(ups_unpool_fn *run, size_t index_bytes, size_t element)
{
    for (struct trial t = {0}; next_trial(&t);) {
        if (element == 1 && check_between(0, 9) == 0)
            t.n = check_between(500, 1100); /* kernels of bytes go in blocks */
        struct ups_unpool_window w = some_unpool(&t, index_bytes);
        if (element == 1 && t.n < 70) {
            if (index_bytes > 1 && check_between(0, 9) == 0)
                w.rows = check_between(16, 60); /* and number so many rows at a time */
            if (w.beyond) w.row_stride = (w.width + 63) / 64 * 64;
            w.y_stride = w.rows * w.row_stride;
            w.at_once = 1;
            if (w.tap_step) w.base = check_between(0, 3);
        }
        if (element == 1 && w.tap_step == 0) { /* no two outputs of an input have one name */
            w.step = check_between(1, 2);
            w.row_step = w.width * w.step;
            w.line_step = w.rows * w.row_step;
            w.base = w.base < 4 || w.base > INT32_MAX ? w.base : INT32_MAX - w.lines * w.line_step;
        }
        const int64_t inputs = (w.lines - 1) * w.x_stride + w.n;
        const char *x = element == 1 ? (const char *)byte_values(&t, inputs) : (const char *)values(&t, inputs);
        const int64_t count = (w.lines - 1) * w.index_stride + w.n;
        char *index = operand(&t, count, index_bytes);
        char *y = operand(&t, (w.lines - 1) * w.y_stride + (w.rows - 1) * w.row_stride + w.width, element);
        int64_t found = 0, says[2 * 1200] = {0};

        for (int64_t at = 0; at < count; at++) {
            const int64_t l = at / w.index_stride, i = at % w.index_stride;
            int64_t name = i < w.n ? some_switch(&w, l, i, index_bytes) : -1;
            if (index_bytes == 1) ((uint8_t *)index)[at] = (uint8_t)name, name = (uint8_t)name;
            if (index_bytes == 4) ((int32_t *)(void *)index)[at] = (int32_t)name;
            if (index_bytes == 8) ((int64_t *)(void *)index)[at] = name;
            says[at] = name;
        }
        ready();
        for (int64_t o = 0; o < w.lines * w.rows * w.width; o++) {
            const int64_t l = o / w.width / w.rows, r = o / w.width % w.rows, p = o % w.width;
            const int64_t i = p / w.spread.factor;
            const int named = says[l * w.index_stride + i] == name_of(&w, l, r, p);
            char *to = (char *)want(y) + (l * w.y_stride + r * w.row_stride + p) * (int64_t)element;
            memset(to, 0, element);
            if (named) memcpy(to, x + (l * w.x_stride + i) * (int64_t)element, element);
            found += named;
        }
        const int64_t got = run(&w, x, index, y);
        if (verdict(&t)) return complaint;
        if (got != found) return complain(&t, "returns %lld, not %lld", (long long)got, (long long)found);
    }
    return NULL;
}

static const char *check_unpool(ups_unpool_fn *run, size_t index_bytes)
{
    return check_any_unpool(run, index_bytes, sizeof(float));
}

static const char *check_byte_unpool(ups_unpool_fn *run, size_t index_bytes)
{
    return check_any_unpool(run, index_bytes, 1);
}

CHECK_POOL(unpool_bytes_u8, ups_unpool_fn, check_byte_unpool, 1)
CHECK_POOL(unpool_bytes_i32, ups_unpool_fn, check_byte_unpool, 4)
CHECK_POOL(unpool_bytes_i64, ups_unpool_fn, check_byte_unpool, 8)

CHECK_POOL(unpool_u8, ups_unpool_fn, check_unpool, 1)
CHECK_POOL(unpool_i32, ups_unpool_fn, check_unpool, 4)
CHECK_POOL(unpool_i64, ups_unpool_fn, check_unpool, 8)

/* ---- max unpooling where windows overlap ---- */

/* A source's inputs and codes, two of three its own; the last line of both ends where the memory does. */
static struct ups_overlap_source some_source(const struct trial *t, const struct ups_overlap *o)
{
    const int64_t count = (o->lines - 1) * o->code_stride + o->n;
    uint8_t *code = operand(t, count, 1);
    struct ups_overlap_source s = {values(t, (o->lines - 1) * o->x_stride + o->n), code, check_between(-20, 20),
                                   check_between(0, 3)};

    if (check_random() & 1) s.shift = check_between(-1, 1);
    for (int64_t at = 0; at < count; at++) code[at] = (uint8_t)(check_between(0, 2) ? s.name : check_between(-1, 4));
    return s;
}

static const char *check_overlap_u8(ups_overlap_fn *run, const struct ups_kernels *table)
{
    (void)table;
    for (struct trial t = {0}; next_trial(&t);) {
        struct ups_overlap o = {.factor = check_between(1, 2), .lines = check_between(1, 3), .n = t.n};
        struct ups_overlap_source source[15];
        const int64_t few[3] = {1, 2, 4};
        o.count[0] = check_random() & 1 ? few[check_between(0, 2)] : check_between(0, 5);
        if (o.factor == 2) o.count[1] = check_random() & 1 ? 2 * o.count[0] : check_between(0, 5);
        o.width = check_between(1, o.n * o.factor + 3);
        o.x_stride = o.n + check_between(0, 2);
        o.code_stride = o.n + check_between(0, 2);
        o.y_stride = o.width + check_between(0, 2);
        for (int64_t s = 0; s < o.count[0] + o.count[1]; s++) source[s] = some_source(&t, &o);
        o.source = source;
        float *y = result(&t, (o.lines - 1) * o.y_stride + o.width);
        int64_t found = 0;
        ready();
        for (int64_t q = 0; q < o.lines * o.width; q++) {
            const int64_t l = q / o.width, place = q % o.width, e = place % o.factor;
            float *to = (float *)want(y) + l * o.y_stride + place;
            *to = 0;
            for (int64_t k = 0; k < o.count[e]; k++) {
                const struct ups_overlap_source *s = &source[e * o.count[0] + k];
                const int64_t i = place / o.factor + s->shift;
                if (i < 0 || i >= o.n || s->code[l * o.code_stride + i] != s->name) continue;
                memcpy(to, &s->x[l * o.x_stride + i], sizeof *to);
                found++;
            }
        }
        const int64_t got = run(&o, y);
        if (verdict(&t)) return complaint;
        if (got != found) return complain(&t, "returns %lld, not %lld", (long long)got, (long long)found);
    }
    return NULL;
}

/* ---- replication and bed of nails ---- */

static const char *check_replicate(ups_replicate_fn *run, const struct ups_kernels *table)
{
    (void)table;

    for (struct trial t = {0}; next_trial(&t);) {
        const int64_t factor = some_factor(&t);
        const struct ups_spread spread = some_spread(&t, factor);
        const float *x = values(&t, t.n);
        float *y = result(&t, t.n * factor);
        ready();

        float *w = want(y);
        for (int64_t i = 0; i < t.n * factor; i++) memcpy(&w[i], &x[i / factor], sizeof *w);
        run(x, t.n, &spread, y);
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
        const int64_t factor = some_factor(&t), offset = check_between(0, factor - 1);
        const struct ups_spread spread = some_spread(&t, factor);
        const float *x = values(&t, t.n);
        float *y = result(&t, t.n * factor);
        ready();

        float *w = want(y);
        for (int64_t i = 0; i < t.n * factor; i++) {
            w[i] = 0;
            if (i % factor == offset) memcpy(&w[i], &x[i / factor], sizeof *w);
        }
        run(x, t.n, &spread, offset, y);
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
