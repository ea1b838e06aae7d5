/* SPDX-License-Identifier: MIT
 *
 * Calls that look the same in every framework and are not: the rows of a table of traps, with the values the frameworks
 * gave. Every row is tried in every rank, on every axis, in both layouts, on every tier this machine runs.
 *
 * Rows, and where they are:
 *
 *      1  bilinear x2                       here     15  average pool, pads counted       needs average pooling
 *      2  bilinear 4 to 2                   here     16  SAME_LOWER average pool          needs average pooling, auto_pad
 *      3  nearest 4 to 3                    here     17  unpool to a larger size          here (torch)
 *      4  nearest 4 to 2                    here     18  duplicate unpool index           here
 *      5  nearest 5 to 3, scale .6          here     19  deconv, output_shape             needs onnx auto_pad
 *      6  bilinear 5 to 6, scale 1.3        here     20  deconv k3 s2 "same"              here
 *      7  align_corners, scale .6           here     21  SAME, output 6 or 5              needs tf's SAME rule
 *         (torch; fractional: needs onnx)            22  deconv k1 s4 SAME                needs tf's and ort's SAME rules
 *      8  bicubic x2                        cubic    23  depth to space                   needs shuffles
 *      9  bicubic to 1                      cubic    24  onnx index in torch's unpool     here
 *     10  max pool [NaN, 1]                 here     25  nearest, scale 1.3, same length  here
 *     11  max pool [1, NaN]                 here     26  linear u8                        needs u8
 *     12  max pool, two NaN                 here     27  unpool size, k = s = 2           here (torch; 5 needs caffe)
 *     13  max pool, tie                     here
 *     14  max pool, ceil                    here
 *
 * Of rows 1 to 14 the columns of antialias (2), tf_half_pixel_for_nn (3, 4), of the other NaN rules (10, 11, 12), of
 * XNNPACK's scan order (13) and of unclipped ceil mode (14) need presets and filters this library does not have. Row 17's
 * onnx column needs the onnx preset, row 20's SAME rules are shown as the pads they amount to.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"

static const char *tiers[8];
static int tier_count;

enum { CHANNELS = 3, OTHERS = 2, ROOM = 256 };

static const float x4[] = {0, 10, 20, 30}, x5[] = {0, 10, 20, 30, 40};

/* ---- a line on one axis of an image: the other axes have length OTHERS, the channels are CHANNELS ---- */

struct place {
    int32_t rank, axis, layout;
};

/* Every rank, axis and layout, one after the other; false past the last. Starts at {0}. */
static bool next_place(struct place *p)
{
    if (p->rank == 0) {
        *p = (struct place){1, 0, UPS_CHANNELS_FIRST};
        return true;
    }
    if (p->layout == UPS_CHANNELS_FIRST) {
        p->layout = UPS_CHANNELS_LAST;
        return true;
    }
    p->layout = UPS_CHANNELS_FIRST;
    if (++p->axis < p->rank) return true;
    p->axis = 0;
    return ++p->rank <= 3;
}

static int64_t inner_of(const struct place *p)
{
    int64_t inner = 1;
    for (int a = p->axis + 1; a < p->rank; a++) inner *= OTHERS;
    return inner;
}

static int64_t lines_of(const struct place *p)
{
    int64_t lines = 1;
    for (int a = 1; a < p->rank; a++) lines *= OTHERS;
    return lines;
}

/* Where element i of line `line` is in its plane, for lines of length n. */
static int64_t at(const struct place *p, int64_t line, int64_t i, int64_t n)
{
    int64_t inner = inner_of(p);
    return (line / inner * n + i) * inner + line % inner;
}

static void start(struct call *call, int32_t op, const struct place *p, int64_t n)
{
    call_init(call, op, p->rank);
    call->desc.head.layout = p->layout;
    call->dims[0] = 1;
    call->dims[1] = CHANNELS;
    for (int a = 0; a < p->rank; a++) call->dims[2 + a] = a == p->axis ? n : OTHERS;
}

/* Channels and lines differ by an amount, so that none is taken for another. */
static double offset_of(int64_t c, int64_t line)
{
    return (double)(256 * c + 64 * line);
}

static void check_out(const struct call *call, const struct place *p, int64_t m)
{
    int64_t want[5] = {1, CHANNELS, OTHERS, OTHERS, OTHERS};
    want[2 + p->axis] = m;
    call_same_index(call, "output size", call->out_dims, want, p->rank + 2);
}

/* Runs on one tier, and it was that tier. */
static void run_on(struct call *call, const char *tier, int32_t want)
{
    call->isa = tier;
    call_status(call, call_run(call), want);
    if (strcmp(call_word(call, "isa"), tier) != 0)
        fail_msg("ran on \"%s\"\n  %s", call_word(call, "isa"), call_text(call));
}

/* ---- resize ---- */

enum { F64 = UPS_COORDINATES_F64, TORCH = UPS_COORDINATES_TORCH };
enum {
    FLOOR = UPS_NEAREST_FLOOR,
    CEIL = UPS_NEAREST_CEIL,
    PREFER_FLOOR = UPS_ROUND_PREFER_FLOOR,
    PREFER_CEIL = UPS_ROUND_PREFER_CEIL
};

struct how {
    int32_t mode, coordinates, nearest, arithmetic;
    double scale; /* 0: sizes alone */
};

static struct how linear(int32_t coordinates, int32_t arithmetic, double scale)
{
    return (struct how){UPS_MODE_LINEAR, coordinates, FLOOR, arithmetic, scale};
}

static struct how nearest(int32_t coordinates, int32_t rounding, int32_t arithmetic, double scale)
{
    return (struct how){UPS_MODE_NEAREST, coordinates, rounding, arithmetic, scale};
}

static void describe_resize(struct call *call, const struct how *how, const struct place *p, int64_t m)
{
    ups_resize_desc *d = &call->desc.resize;
    d->mode = how->mode;
    d->coordinate_transformation_mode = how->coordinates;
    if (how->mode == UPS_MODE_NEAREST) d->nearest_mode = how->nearest;
    d->coordinate_arithmetic = how->arithmetic;
    for (int a = 0; a < p->rank; a++) {
        if (how->scale > 0)
            d->scales[a] = a == p->axis ? how->scale : 1;
        else
            d->sizes[a] = a == p->axis ? m : OTHERS;
    }
}

/* Exact with tolerance 0. */
static void resize_at(const struct place *p, struct how how, const float *x, int64_t n, const double *want, int64_t m,
                      double tolerance)
{
    struct call call;
    float src[ROOM], exact[ROOM];
    double values[ROOM], bound[ROOM];
    int64_t lines = lines_of(p);
    start(&call, UPS_RESIZE, p, n);
    describe_resize(&call, &how, p, m);
    for (int64_t c = 0; c < CHANNELS; c++)
        for (int64_t l = 0; l < lines; l++) {
            for (int64_t i = 0; i < n; i++) src[c * lines * n + at(p, l, i, n)] = (float)(x[i] + offset_of(c, l));
            for (int64_t o = 0; o < m; o++) values[c * lines * m + at(p, l, o, m)] = want[o] + offset_of(c, l);
        }
    int64_t count = CHANNELS * lines * m;
    for (int64_t i = 0; i < count; i++) {
        exact[i] = (float)values[i];
        bound[i] = 1;
    }
    call.x = src;
    for (int t = 0; t < tier_count; t++) {
        run_on(&call, tiers[t], UPS_OK);
        check_out(&call, p, m);
        if (tolerance > 0)
            call_near(&call, call.y, values, bound, tolerance, count);
        else
            call_same(&call, "value", call.y, exact, count);
        call_close(&call);
    }
}

static void resize(struct how how, const float *x, int64_t n, const double *want, int64_t m, double tolerance)
{
    struct place p = {0};
    while (next_place(&p)) resize_at(&p, how, x, n, want, m, tolerance);
}

#define LINE(...) (const double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double))

/* A few roundings of values below 1024, and of coordinates below 8 times slopes below 16: far below the difference of
 * any two columns. */
static const double few_roundings = 1e-3;

static void trap_01_bilinear_twice(void **unused)
{
    (void)unused;
    double corners[8];
    for (int o = 0; o < 8; o++) corners[o] = 30.0 * o / 7; /* 0, 4.29, 8.57, …, 30 */
    static const double scales[] = {0, 2};
    for (int32_t arithmetic = F64; arithmetic <= TORCH; arithmetic++)
        for (int i = 0; i < 2; i++) {
            resize(linear(UPS_HALF_PIXEL, arithmetic, scales[i]), x4, 4, LINE(0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30), 0);
            resize(linear(UPS_ASYMMETRIC, arithmetic, scales[i]), x4, 4, LINE(0, 5, 10, 15, 20, 25, 30, 30), 0);
            resize(linear(UPS_ALIGN_CORNERS, arithmetic, scales[i]), x4, 4, corners, 8, few_roundings);
        }
}

static void trap_02_bilinear_half(void **unused)
{
    (void)unused;
    for (int32_t arithmetic = F64; arithmetic <= TORCH; arithmetic++) {
        resize(linear(UPS_HALF_PIXEL, arithmetic, 0), x4, 4, LINE(5, 25), 0);
        resize(linear(UPS_HALF_PIXEL, arithmetic, .5), x4, 4, LINE(5, 25), 0);
    }
}

static void trap_03_nearest_four_to_three(void **unused)
{
    (void)unused;
    resize(nearest(UPS_BY_PRESET, UPS_BY_PRESET, TORCH, 0), x4, 4, LINE(0, 10, 20), 0); /* torch */
    resize(nearest(UPS_ASYMMETRIC, FLOOR, TORCH, 0), x4, 4, LINE(0, 10, 20), 0);
    resize(nearest(UPS_HALF_PIXEL, PREFER_CEIL, TORCH, 0), x4, 4, LINE(0, 20, 30), 0);  /* torch nearest-exact */
    resize(nearest(UPS_ALIGN_CORNERS, PREFER_CEIL, TORCH, 0), x4, 4, LINE(0, 20, 30), 0); /* tf align_corners */
    resize(nearest(UPS_HALF_PIXEL, PREFER_FLOOR, F64, 0), x4, 4, LINE(0, 10, 30), 0);   /* onnx default */
}

static void trap_04_nearest_four_to_two(void **unused)
{
    (void)unused;
    static const double scales[] = {0, .5};
    for (int i = 0; i < 2; i++) {
        resize(nearest(UPS_BY_PRESET, UPS_BY_PRESET, TORCH, scales[i]), x4, 4, LINE(0, 20), 0); /* torch */
        resize(nearest(UPS_HALF_PIXEL, PREFER_FLOOR, F64, scales[i]), x4, 4, LINE(0, 20), 0);   /* onnx default */
        resize(nearest(UPS_HALF_PIXEL, PREFER_CEIL, TORCH, scales[i]), x4, 4, LINE(10, 30), 0); /* torch nearest-exact */
        resize(nearest(UPS_ALIGN_CORNERS, PREFER_CEIL, TORCH, scales[i]), x4, 4, LINE(0, 30), 0); /* tf align_corners */
    }
}

static void trap_05_nearest_five_to_three(void **unused)
{
    (void)unused;
    static const double scales[] = {0, .6};
    for (int i = 0; i < 2; i++) {
        resize(nearest(UPS_BY_PRESET, UPS_BY_PRESET, TORCH, scales[i]), x5, 5, LINE(0, 10, 30), 0); /* torch */
        resize(nearest(UPS_ASYMMETRIC, FLOOR, F64, scales[i]), x5, 5, LINE(0, 10, 30), 0);
        resize(nearest(UPS_ASYMMETRIC, CEIL, F64, scales[i]), x5, 5, LINE(0, 20, 40), 0); /* Resize-10 shrinking */
        resize(nearest(UPS_HALF_PIXEL, PREFER_FLOOR, F64, scales[i]), x5, 5, LINE(0, 20, 40), 0); /* Resize-11 default */
    }
}

/* 10*x, x within the image: the line at coordinate (o + 0.5)/sc - 0.5. */
static void slope(double *want, double sc)
{
    for (int o = 0; o < 6; o++) want[o] = 10 * fmin(fmax((o + 0.5) / sc - 0.5, 0), 4);
}

static void trap_06_bilinear_scale_or_sizes(void **unused)
{
    (void)unused;
    double scaled[6], sized[6];
    slope(scaled, 1.3);
    slope(sized, 6 / 5.0);
    static const double table_scaled[] = {0, 6.54, 14.2, 37.3}, table_sized[] = {0, 7.5, 15.8, 40};
    static const int where[] = {0, 1, 2, 5};
    for (int i = 0; i < 4; i++) { /* the formula gives what the frameworks gave */
        assert_true(fabs(scaled[where[i]] - table_scaled[i]) < .05);
        assert_true(fabs(sized[where[i]] - table_sized[i]) < .05);
    }
    for (int32_t arithmetic = F64; arithmetic <= TORCH; arithmetic++) {
        resize(linear(UPS_HALF_PIXEL, arithmetic, 1.3), x5, 5, scaled, 6, few_roundings);
        resize(linear(UPS_HALF_PIXEL, arithmetic, 0), x5, 5, sized, 6, few_roundings);
    }
}

static void trap_07_align_corners_with_a_scale(void **unused)
{
    (void)unused;
    static const float x6[] = {0, 1, 2, 3, 4, 5};
    resize(linear(UPS_ALIGN_CORNERS, TORCH, .6), x6, 6, LINE(0, 2.5, 5), 0);
}

static void trap_25_nearest_same_length(void **unused)
{
    (void)unused;
    static const float x3[] = {0, 1, 2};
    struct place p = {0};
    while (next_place(&p)) {
        struct how torch = nearest(UPS_BY_PRESET, UPS_BY_PRESET, TORCH, 1.3);
        if (p.rank == 2)
            resize_at(&p, torch, x3, 3, LINE(0, 1, 2), 0);
        else
            resize_at(&p, torch, x3, 3, LINE(0, 0, 1), 0);
        resize_at(&p, nearest(UPS_ASYMMETRIC, FLOOR, F64, 1.3), x3, 3, LINE(0, 0, 1), 0); /* no exception */
        resize_at(&p, linear(UPS_HALF_PIXEL, TORCH, 1.3), x3, 3, LINE(0, 1, 2), 0);       /* linear: in every rank */
    }
}

/* ---- max_pool ---- */

struct window {
    int64_t kernel, stride;
    int32_t ceil_mode;
};

static void pool_at(const struct place *p, struct window w, int32_t index_type, const float *x, int64_t n,
                    const int64_t *want, int64_t m)
{
    struct call call;
    float src[ROOM], values[ROOM];
    int64_t index[ROOM], lines = lines_of(p);
    start(&call, UPS_MAX_POOL, p, n);
    for (int a = 0; a < p->rank; a++) {
        call.desc.pool.kernel_shape[a] = a == p->axis ? w.kernel : 1;
        call.desc.pool.strides[a] = a == p->axis ? w.stride : 1;
    }
    call.desc.pool.ceil_mode = w.ceil_mode;
    call.desc.pool.index_type = index_type;
    for (int64_t c = 0; c < CHANNELS; c++)
        for (int64_t l = 0; l < lines; l++) {
            float *plane = src + c * lines * n;
            for (int64_t i = 0; i < n; i++)
                plane[at(p, l, i, n)] = isnan(x[i]) ? x[i] : (float)(x[i] + offset_of(c, l));
            for (int64_t o = 0; o < m; o++) {
                int64_t to = c * lines * m + at(p, l, o, m);
                index[to] = at(p, l, want[o], n);
                values[to] = plane[index[to]];
            }
        }
    call.x = src;
    for (int t = 0; t < tier_count; t++)
        for (int only = 0; only < 2; only++) {
            call.values_only = only;
            run_on(&call, tiers[t], UPS_OK);
            check_out(&call, p, m);
            call_same(&call, "maximum", call.y, values, CHANNELS * lines * m);
            if (!only) call_same_index(&call, "switch", call.switches, index, CHANNELS * lines * m);
            call_close(&call);
        }
}

/* want: which element of the line each output takes. */
static void pool(struct window w, const float *x, int64_t n, const int64_t *want, int64_t m)
{
    struct place p = {0};
    while (next_place(&p)) {
        pool_at(&p, w, UPS_I64, x, n, want, m);
        pool_at(&p, w, UPS_I32, x, n, want, m);
    }
}

static void trap_10_nan_first(void **unused)
{
    (void)unused;
    pool((struct window){2, 2, 0}, (const float[]){NAN, 1}, 2, (const int64_t[]){0}, 1);
}

static void trap_11_nan_last(void **unused)
{
    (void)unused;
    pool((struct window){2, 2, 0}, (const float[]){1, NAN}, 2, (const int64_t[]){1}, 1);
}

static void trap_12_two_nans(void **unused)
{
    (void)unused;
    pool((struct window){4, 4, 0}, (const float[]){3, NAN, NAN, 1}, 4, (const int64_t[]){2}, 1);
}

static void trap_13_tie(void **unused)
{
    (void)unused;
    float x[CHANNELS * 4];
    for (int c = 0; c < CHANNELS; c++) memcpy(x + 4 * c, (const float[]){1, 3, 3, 1}, 4 * sizeof *x);
    for (int32_t layout = UPS_CHANNELS_FIRST; layout <= UPS_CHANNELS_LAST; layout++)
        for (int t = 0; t < tier_count; t++) {
            struct call call;
            call_init(&call, UPS_MAX_POOL, 2);
            call.desc.head.layout = layout;
            memcpy(call.dims, (const int64_t[]){1, CHANNELS, 2, 2}, 4 * sizeof *call.dims);
            call.desc.pool.kernel_shape[0] = call.desc.pool.kernel_shape[1] = 2;
            call.x = x;
            run_on(&call, tiers[t], UPS_OK);
            call_same(&call, "maximum", call.y, (const float[]){3, 3, 3}, CHANNELS);
            call_same_index(&call, "switch", call.switches, (const int64_t[]){1, 1, 1}, CHANNELS); /* (0, 1) */
            call_close(&call);
        }
    pool((struct window){4, 4, 0}, (const float[]){1, 3, 3, 1}, 4, (const int64_t[]){1}, 1);
}

static void trap_14_ceil_mode(void **unused)
{
    (void)unused;
    pool((struct window){1, 3, 1}, x5, 5, (const int64_t[]){0, 3}, 2);
}

/* ---- max_unpool ---- */

static const float four[] = {1, 2, 3, 4};

static void start_unpool(struct call *call, int32_t layout, int64_t batch, int64_t channels)
{
    call_init(call, UPS_MAX_UNPOOL, 2);
    call->desc.head.layout = layout;
    memcpy(call->dims, (const int64_t[]){batch, channels, 2, 2}, 4 * sizeof *call->dims);
    call->desc.unpool.kernel_shape[0] = call->desc.unpool.kernel_shape[1] = 2;
}

/* x to `index` in an image of side `side`; 4 is the default and asked for by nobody. */
static void unpool_to(int64_t side, bool in_plan, const int64_t *index, const float *want)
{
    for (int32_t layout = UPS_CHANNELS_FIRST; layout <= UPS_CHANNELS_LAST; layout++)
        for (int t = 0; t < tier_count; t++) {
            struct call call;
            int64_t sizes[3] = {side, side, 0};
            start_unpool(&call, layout, 1, 1);
            if (side != 4 && in_plan) call.sizes = sizes;
            if (side != 4 && !in_plan) call.desc.unpool.output_shape[0] = call.desc.unpool.output_shape[1] = side;
            call.x = four;
            call.index = index;
            run_on(&call, tiers[t], UPS_OK);
            call_same_index(&call, "output size", call.out_dims, (const int64_t[]){1, 1, side, side}, 4);
            call_same(&call, "unpooled", call.y, want, side * side);
            call_close(&call);
        }
}

static void trap_17_unpool_to_a_larger_size(void **unused)
{
    (void)unused;
    static const int64_t index[] = {0, 5, 10, 15};
    float natural[16] = {0}, larger[25] = {0};
    for (int i = 0; i < 4; i++) {
        natural[5 * i] = four[i]; /* (i, i) */
        larger[5 * i] = four[i];  /* (i, 0): index 5 is row 1, column 0 */
    }
    unpool_to(4, false, index, natural);
    unpool_to(5, false, index, larger);
    unpool_to(5, true, index, larger);
}

static void trap_18_last_of_duplicates_wins(void **unused)
{
    (void)unused;
    unpool_to(4, false, (const int64_t[]){6, 6, 6, 6}, (const float[16]){[6] = 4});
    unpool_to(4, false, (const int64_t[]){6, 9, 9, 6}, (const float[16]){[6] = 4, [9] = 3});
    struct place p = {0};
    while (next_place(&p)) { /* eight elements of a line meet in two places: the last ones of each */
        struct call call;
        float src[ROOM], want[ROOM] = {0};
        int64_t index[ROOM], lines = lines_of(&p), n = 8, m = 16;
        start(&call, UPS_MAX_UNPOOL, &p, n);
        for (int a = 0; a < p.rank; a++) call.desc.unpool.kernel_shape[a] = a == p.axis ? 2 : 1;
        for (int64_t c = 0; c < CHANNELS; c++)
            for (int64_t l = 0; l < lines; l++)
                for (int64_t i = 0; i < n; i++) { /* along a line the scan goes up on every axis */
                    int64_t from = c * lines * n + at(&p, l, i, n), to = at(&p, l, i % 2 ? 11 : 4, m);
                    src[from] = (float)(1 + i + offset_of(c, l));
                    index[from] = to;
                    want[c * lines * m + to] = src[from];
                }
        call.x = src;
        call.index = index;
        for (int t = 0; t < tier_count; t++) {
            run_on(&call, tiers[t], UPS_OK);
            call_same(&call, "unpooled", call.y, want, CHANNELS * lines * m);
            call_close(&call);
        }
    }
}

/* 2 x 3 planes of 4 x 4 with their maxima at the same places. */
static void trap_24_indices_start_anew_in_each_plane(void **unused)
{
    (void)unused;
    enum { PLANES = 2 * CHANNELS };
    static const int64_t home[4] = {5, 2, 12, 11};
    float x[PLANES * 16] = {0}, maxima[PLANES * 4];
    int64_t plane_index[PLANES * 4], flat_index[PLANES * 4];
    for (int p = 0; p < PLANES; p++)
        for (int i = 0; i < 4; i++) {
            x[16 * p + home[i]] = maxima[4 * p + i] = (float)(1 + 4 * p + i);
            plane_index[4 * p + i] = home[i];
            flat_index[4 * p + i] = 16 * p + home[i]; /* onnx */
        }
    float only_first[PLANES * 16] = {0};
    memcpy(only_first, x, 16 * sizeof *x);
    for (int32_t layout = UPS_CHANNELS_FIRST; layout <= UPS_CHANNELS_LAST; layout++)
        for (int t = 0; t < tier_count; t++) {
            struct call call;
            call_init(&call, UPS_MAX_POOL, 2);
            call.desc.head.layout = layout;
            memcpy(call.dims, (const int64_t[]){2, CHANNELS, 4, 4}, 4 * sizeof *call.dims);
            call.desc.pool.kernel_shape[0] = call.desc.pool.kernel_shape[1] = 2;
            call.x = x;
            run_on(&call, tiers[t], UPS_OK);
            call_same(&call, "maximum", call.y, maxima, PLANES * 4);
            call_same_index(&call, "switch", call.switches, plane_index, PLANES * 4);
            call_close(&call);

            start_unpool(&call, layout, 2, CHANNELS);
            call.x = maxima;
            call.index = plane_index;
            run_on(&call, tiers[t], UPS_OK);
            call_same(&call, "unpooled", call.y, x, PLANES * 16);
            call_close(&call);

            call.index = flat_index; /* good in the first plane, outside in all others */
            run_on(&call, tiers[t], UPS_BAD_INDEX);
            call_same(&call, "unpooled", call.y, only_first, PLANES * 16);
            call_same_index(&call, "bad_count", &call.bad_count, (const int64_t[]){(PLANES - 1) * 4}, 1);
            call_same_index(&call, "bad_first", &call.bad_first, (const int64_t[]){4}, 1);
            call_close(&call);
        }
}

static void trap_27_unpool_size(void **unused)
{
    (void)unused;
    ups_unpool_desc desc;
    int64_t standard[3];
    assert_int_equal(ups_desc_init(&desc, sizeof desc, UPS_MAX_UNPOOL, "torch"), UPS_OK);
    desc.kernel_shape[0] = desc.kernel_shape[1] = 2;
    assert_int_equal(ups_shape(&desc, (const int64_t[]){2, 2}, NULL, standard, NULL), UPS_OK);
    assert_int_equal(standard[0], 4);
    assert_int_equal(standard[1], 4);
    unpool_to(4, false, (const int64_t[]){0, 2, 8, 10}, (const float[16]){[0] = 1, [2] = 2, [8] = 3, [10] = 4});
}

/* ---- conv_transpose ---- */

struct cut {
    int64_t pad_begin, pad_end, output_padding;
};

static int ran_by_name;

/* Three ones under the kernel 1, 2, 3 with stride 2; channels apart, as groups of one or as one group with zeros. */
static void deconv_at(const struct place *p, struct cut cut, bool depthwise, const char *algorithm, const double *want,
                      int64_t m)
{
    struct call call;
    float src[ROOM], values[ROOM], w[CHANNELS * CHANNELS * 3] = {0};
    int64_t lines = lines_of(p), n = 3;
    start(&call, UPS_CONV_TRANSPOSE, p, n);
    ups_conv_transpose_desc *d = &call.desc.conv;
    d->in_channels = d->out_channels = CHANNELS;
    d->group = depthwise ? CHANNELS : 1;
    for (int a = 0; a < p->rank; a++) d->kernel_shape[a] = a == p->axis ? 3 : 1;
    d->strides[p->axis] = 2;
    for (int a = 0; a < p->rank; a++) d->pads_begin[a] = d->pads_end[a] = 0;
    d->pads_begin[p->axis] = cut.pad_begin;
    d->pads_end[p->axis] = cut.pad_end;
    d->output_padding[p->axis] = cut.output_padding;
    for (int64_t c = 0; c < CHANNELS; c++) {
        for (int k = 0; k < 3; k++) w[(depthwise ? c : c * CHANNELS + c) * 3 + k] = (float)(k + 1);
        for (int64_t l = 0; l < lines; l++) {
            double one = (double)(1 + l + 8 * c);
            for (int64_t i = 0; i < n; i++) src[c * lines * n + at(p, l, i, n)] = (float)one;
            for (int64_t o = 0; o < m; o++) values[c * lines * m + at(p, l, o, m)] = (float)(one * want[o]);
        }
    }
    call.x = src;
    call.w = w;
    call.algorithm = algorithm;
    for (int t = 0; t < tier_count; t++) {
        call.isa = tiers[t];
        int32_t status = call_run(&call);
        if (algorithm && status == UPS_UNSUPPORTED) continue; /* not every shape has every algorithm */
        call_status(&call, status, UPS_OK);
        assert_string_equal(call_word(&call, "isa"), tiers[t]);
        check_out(&call, p, m);
        call_same(&call, "value", call.y, values, CHANNELS * lines * m);
        call_close(&call);
        if (algorithm) ran_by_name++;
    }
}

static void deconv(struct cut cut, const double *want, int64_t m)
{
    static const char *algorithms[] = {NULL, "phase", "gemm", "scatter"};
    struct place p = {0};
    while (next_place(&p))
        for (int i = 0; i < 4; i++) {
            deconv_at(&p, cut, true, algorithms[i], want, m);
            deconv_at(&p, cut, false, algorithms[i], want, m);
        }
}

static void trap_20_deconv_same(void **unused)
{
    (void)unused;
    deconv((struct cut){1, 1, 1}, LINE(2, 4, 2, 4, 2, 3));       /* torch p1 op1 */
    deconv((struct cut){1, 0, 0}, LINE(2, 4, 2, 4, 2, 3));       /* SAME_LOWER */
    deconv((struct cut){0, 1, 0}, LINE(1, 2, 4, 2, 4, 2));       /* SAME_UPPER, tf */
    deconv((struct cut){0, 0, 0}, LINE(1, 2, 4, 2, 4, 2, 3));    /* all of it */
    deconv((struct cut){0, 0, 1}, LINE(1, 2, 4, 2, 4, 2, 3, 0)); /* and an element no tap reaches */
    deconv((struct cut){1, 1, 0}, LINE(2, 4, 2, 4, 2));          /* torch p1 */
    assert_true(ran_by_name > 0);
}

static void test_something_was_checked(void **unused)
{
    (void)unused;
    printf("%lld values compared on %d tiers\n", (long long)call_checked(), tier_count);
    assert_true(call_checked() > 10000);
    assert_true(tier_count >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trap_01_bilinear_twice),
        cmocka_unit_test(trap_02_bilinear_half),
        cmocka_unit_test(trap_03_nearest_four_to_three),
        cmocka_unit_test(trap_04_nearest_four_to_two),
        cmocka_unit_test(trap_05_nearest_five_to_three),
        cmocka_unit_test(trap_06_bilinear_scale_or_sizes),
        cmocka_unit_test(trap_07_align_corners_with_a_scale),
        cmocka_unit_test(trap_10_nan_first),
        cmocka_unit_test(trap_11_nan_last),
        cmocka_unit_test(trap_12_two_nans),
        cmocka_unit_test(trap_13_tie),
        cmocka_unit_test(trap_14_ceil_mode),
        cmocka_unit_test(trap_17_unpool_to_a_larger_size),
        cmocka_unit_test(trap_18_last_of_duplicates_wins),
        cmocka_unit_test(trap_20_deconv_same),
        cmocka_unit_test(trap_24_indices_start_anew_in_each_plane),
        cmocka_unit_test(trap_25_nearest_same_length),
        cmocka_unit_test(trap_27_unpool_size),
        cmocka_unit_test(test_something_was_checked),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests_name("traps", tests, NULL, NULL);
}
