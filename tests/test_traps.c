/* SPDX-License-Identifier: MIT
 *
 * Calls that look the same in every framework and are not: a table of traps, a test per row, both columns, with the values
 * the frameworks gave (tests/golden/record_traps.py prints them). A preset names the framework; other fields are set only
 * where the trap is about them. A row that lies along one axis is tried in every rank, on every axis, in both layouts, on
 * every tier this machine runs.
 *
 * Row 26, linear interpolation of bytes (ONNX's reference rounds, ONNX Runtime truncates), is left out: this library's
 * data are f32. Caffe was not run: its values follow from its source.
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

enum { CHANNELS = 3, OTHERS = 2, ROOM = 512 };

static const float x4[] = {0, 10, 20, 30}, x5[] = {0, 10, 20, 30, 40};

#define LINE(...) (const double[]){__VA_ARGS__}, (int)(sizeof((double[]){__VA_ARGS__}) / sizeof(double))
#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

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

static void set(struct call *call, const char *field, const char *value)
{
    call_status(call, ups_desc_set(&call->desc, field, value), UPS_OK);
}

/* A field with a value on the line's axis and another on the others. */
static void set_axis(struct call *call, const struct place *p, const char *field, double value, double others)
{
    char text[128] = "";
    for (int a = 0; a < p->rank; a++)
        snprintf(text + strlen(text), sizeof text - strlen(text), a ? ",%.17g" : "%.17g",
                 a == p->axis ? value : others);
    set(call, field, text);
}

static void set_pads(struct call *call, const struct place *p, int64_t begin, int64_t end)
{
    char text[128] = "";
    for (int a = 0; a < 2 * p->rank; a++)
        snprintf(text + strlen(text), sizeof text - strlen(text), a ? ",%lld" : "%lld",
                 (long long)(a % p->rank != p->axis ? 0
                             : a < p->rank          ? begin
                                                    : end));
    set(call, "pads", text);
}

static void start(struct call *call, const char *op, const char *preset, const char *words, const struct place *p,
                  int64_t n)
{
    char all[256];
    snprintf(all, sizeof all, "rank=%d layout=%s %s", p->rank, p->layout == UPS_CHANNELS_FIRST ? "first" : "last",
             words);
    int32_t status = call_say(call, op, preset, all);
    if (status) fail_msg("%s %s %s: %s", op, preset, all, ups_last_error());
    call->dims[0] = 1;
    call->dims[1] = CHANNELS;
    for (int a = 0; a < p->rank; a++) call->dims[2 + a] = a == p->axis ? n : OTHERS;
}

/* Channels and lines differ by an amount, so that none is taken for another; and by a factor where padding is 0. */
static double offset_of(int64_t c, int64_t line)
{
    return (double)(256 * c + 64 * line);
}

static double factor_of(int64_t c, int64_t line)
{
    return (double)(1 + line + 8 * c);
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

struct how {
    const char *preset, *words;
    double scale; /* 0: sizes alone */
};

/* The recorded values are rounded to f32 themselves; so are coordinates and weights. Two columns differ by far more. */
static const double few_roundings = 1e-6;

static void resize_at(const struct place *p, struct how how, const float *x, int64_t n, const double *want, int64_t m,
                      double tolerance)
{
    struct call call;
    float src[ROOM], exact[ROOM];
    double values[ROOM], bound[ROOM], largest = 0;
    int64_t lines = lines_of(p);
    start(&call, "resize", how.preset, how.words, p, n);
    if (how.scale > 0)
        set_axis(&call, p, "scales", how.scale, 1);
    else
        set_axis(&call, p, "sizes", (double)m, OTHERS);
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)x[i]));
    for (int64_t c = 0; c < CHANNELS; c++)
        for (int64_t l = 0; l < lines; l++) {
            for (int64_t i = 0; i < n; i++) src[c * lines * n + at(p, l, i, n)] = (float)(x[i] + offset_of(c, l));
            for (int64_t o = 0; o < m; o++) {
                int64_t to = c * lines * m + at(p, l, o, m);
                values[to] = want[o] + offset_of(c, l);
                exact[to] = (float)values[to];
                bound[to] = largest + offset_of(c, l);
            }
        }
    call.x = src;
    for (int t = 0; t < tier_count; t++) {
        run_on(&call, tiers[t], UPS_OK);
        check_out(&call, p, m);
        if (tolerance > 0)
            call_near(&call, call.y, values, bound, tolerance, CHANNELS * lines * m);
        else
            call_same(&call, "value", call.y, exact, CHANNELS * lines * m);
        call_close(&call);
    }
}

static void resize(struct how how, const float *x, int64_t n, const double *want, int64_t m, double tolerance)
{
    struct place p = {0};
    while (next_place(&p)) resize_at(&p, how, x, n, want, m, tolerance);
}

static void test_trap_01_bilinear_twice(void **unused)
{
    (void)unused;
    static const struct how half_pixel[] = {
        {"torch", "mode=linear", 0},    /* torch: F.interpolate(x4, size=(2, 8), mode="bilinear") */
        {"torch", "mode=linear", 2},    /* the same, scale_factor=2 */
        {"onnx", "mode=linear", 0},     /* onnx reference: Resize-19, mode linear */
        {"ort", "mode=linear", 2},      /* onnxruntime: the same */
        {"opencv", "mode=linear", 0},   /* cv2.resize(x4, (8, 1), interpolation=INTER_LINEAR) */
        {"pillow", "mode=linear", 0},   /* PIL: x4.resize((8, 1), BILINEAR) */
        {"tf", "mode=linear", 0},       /* tf.image.resize(x4, [1, 8]): raw_ops with half_pixel_centers=True */
        {"openvino", "mode=linear", 0}, /* openvino: Interpolate-11, linear_onnx */
    };
    for (int i = 0; i < COUNT(half_pixel); i++)
        resize(half_pixel[i], x4, 4, LINE(0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30), 0);

    static const struct how asymmetric[] = {
        {"tf1", "mode=linear", 0},     /* tf.raw_ops.ResizeBilinear(x4, [1, 8]) */
        {"onnx-10", "mode=linear", 2}, /* onnxruntime: Resize-10, mode linear, scale 2 */
        {"onnx-9", "mode=linear", 2},  /* onnxruntime: Upsample-9, mode linear, scale 2 */
    };
    for (int i = 0; i < COUNT(asymmetric); i++) resize(asymmetric[i], x4, 4, LINE(0, 5, 10, 15, 20, 25, 30, 30), 0);

    static const struct how corners[] = {
        {"torch", "mode=linear coordinate_transformation_mode=align_corners", 0}, /* torch: align_corners=True */
        {"onnx", "mode=linear coordinate_transformation_mode=align_corners", 0},  /* onnx reference: Resize-19 */
        {"ort", "mode=linear coordinate_transformation_mode=align_corners", 0},   /* onnxruntime: Resize-19 */
        {"tf1", "mode=linear coordinate_transformation_mode=align_corners", 0},   /* tf.raw_ops.ResizeBilinear */
    };
    for (int i = 0; i < COUNT(corners); i++)
        resize(corners[i], x4, 4, LINE(0, 4.285714, 8.571428, 12.857142, 17.142859, 21.42857, 25.714287, 30),
               few_roundings);
}

static void test_trap_02_bilinear_half(void **unused)
{
    (void)unused;
    /* torch bilinear; ONNX reference and onnxruntime Resize-19 linear; cv2 INTER_LINEAR: size 2 */
    resize((struct how){"torch", "mode=linear", 0}, x4, 4, LINE(5, 25), 0);
    resize((struct how){"torch", "mode=linear", .5}, x4, 4, LINE(5, 25), 0);
    resize((struct how){"onnx", "mode=linear", 0}, x4, 4, LINE(5, 25), 0);
    resize((struct how){"ort", "mode=linear", 0}, x4, 4, LINE(5, 25), 0);
    resize((struct how){"opencv", "mode=linear", 0}, x4, 4, LINE(5, 25), 0);

    static const struct how stretched[] = {
        {"pillow", "mode=linear", 0},                             /* PIL: x4.resize((2, 1), BILINEAR) */
        {"torch", "mode=linear antialias=1", 0},                  /* torch: bilinear, antialias=True */
        {"tf", "mode=linear antialias=1", 0},                     /* tf.image.resize(x4, [1, 2], antialias=True) */
        {"onnx", "mode=linear antialias=1 exclude_outside=1", 0}, /* onnx reference, with both attributes */
        {"ort", "mode=linear antialias=1 exclude_outside=1", 0},  /* onnxruntime, with both attributes */
    };
    for (int i = 0; i < COUNT(stretched); i++) resize(stretched[i], x4, 4, LINE(7.142857, 22.857143), few_roundings);

    /* onnx reference and onnxruntime: Resize-19, antialias=1 alone */
    resize((struct how){"onnx", "mode=linear antialias=1", 0}, x4, 4, LINE(6.25, 23.75), few_roundings);
    resize((struct how){"ort", "mode=linear antialias=1", 0}, x4, 4, LINE(6.25, 23.75), few_roundings);
}

#define NEAREST_EXACT "mode=nearest coordinate_transformation_mode=half_pixel nearest_mode=round_prefer_ceil"
#define NEAREST_CORNERS "mode=nearest coordinate_transformation_mode=align_corners"

static void test_trap_03_nearest_four_to_three(void **unused)
{
    (void)unused;
    resize((struct how){"torch", "mode=nearest", 0}, x4, 4, LINE(0, 10, 20), 0);  /* torch: mode="nearest", size 3 */
    resize((struct how){"tf1", "mode=nearest", 0}, x4, 4, LINE(0, 10, 20), 0);    /* tf.raw_ops.ResizeNearestNeighbor */
    resize((struct how){"opencv", "mode=nearest", 0}, x4, 4, LINE(0, 10, 20), 0); /* cv2 INTER_NEAREST */
    resize((struct how){"torch", NEAREST_EXACT, 0}, x4, 4, LINE(0, 20, 30), 0);   /* torch: mode="nearest-exact" */
    resize((struct how){"tf", "mode=nearest", 0}, x4, 4, LINE(0, 20, 30), 0);     /* tf: half_pixel_centers=True */
    resize((struct how){"tf1", NEAREST_CORNERS, 0}, x4, 4, LINE(0, 20, 30), 0);   /* tf: align_corners=True */
    resize((struct how){"pillow", "mode=nearest", 0}, x4, 4, LINE(0, 20, 30), 0); /* PIL NEAREST */
    resize((struct how){"opencv", "mode=nearest coordinate_transformation_mode=half_pixel", 0}, x4, 4, LINE(0, 20, 30),
           0);                                                                  /* cv2 INTER_NEAREST_EXACT */
    resize((struct how){"onnx", "mode=nearest", 0}, x4, 4, LINE(0, 10, 30), 0); /* onnx reference: Resize-19 */
    resize((struct how){"ort", "mode=nearest", 0}, x4, 4, LINE(0, 10, 30), 0);  /* onnxruntime: Resize-19 */
}

static void test_trap_04_nearest_four_to_two(void **unused)
{
    (void)unused;
    static const double scales[] = {0, .5};
    for (int i = 0; i < 2; i++) {
        double s = scales[i];
        resize((struct how){"torch", "mode=nearest", s}, x4, 4, LINE(0, 20), 0);  /* torch: mode="nearest", size 2 */
        resize((struct how){"onnx", "mode=nearest", s}, x4, 4, LINE(0, 20), 0);   /* onnx reference: Resize-19 */
        resize((struct how){"ort", "mode=nearest", s}, x4, 4, LINE(0, 20), 0);    /* onnxruntime: Resize-19 */
        resize((struct how){"tf1", "mode=nearest", s}, x4, 4, LINE(0, 20), 0);    /* tf.raw_ops.ResizeNearestNeighbor */
        resize((struct how){"opencv", "mode=nearest", s}, x4, 4, LINE(0, 20), 0); /* cv2 INTER_NEAREST */
        resize((struct how){"torch", NEAREST_EXACT, s}, x4, 4, LINE(10, 30), 0);  /* torch: mode="nearest-exact" */
        resize((struct how){"pillow", "mode=nearest", s}, x4, 4, LINE(10, 30), 0); /* PIL NEAREST */
        resize((struct how){"tf", "mode=nearest", s}, x4, 4, LINE(10, 30), 0);     /* tf: half_pixel_centers=True */
        resize((struct how){"tf1", NEAREST_CORNERS, s}, x4, 4, LINE(0, 30), 0);    /* tf: align_corners=True */
    }
}

static void test_trap_05_nearest_five_to_three(void **unused)
{
    (void)unused;
    resize((struct how){"torch", "mode=nearest", .6}, x5, 5, LINE(0, 10, 30), 0); /* torch: nearest, scale_factor .6 */
    static const char asymmetric[] = "mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor";
    resize((struct how){"onnx", asymmetric, .6}, x5, 5, LINE(0, 10, 30), 0);        /* onnx reference: Resize-19 */
    resize((struct how){"ort", asymmetric, .6}, x5, 5, LINE(0, 10, 30), 0);         /* onnxruntime: Resize-19 */
    resize((struct how){"onnx-10", "mode=nearest", .6}, x5, 5, LINE(0, 20, 40), 0); /* onnxruntime: Resize-10 */
    resize((struct how){"onnx-11", "mode=nearest", .6}, x5, 5, LINE(0, 20, 40), 0); /* onnx reference: Resize-11 */
    resize((struct how){"ort", "mode=nearest", .6}, x5, 5, LINE(0, 20, 40), 0);     /* onnxruntime: Resize-11 */
}

static void test_trap_06_bilinear_scale_or_sizes(void **unused)
{
    (void)unused;
    /* torch: bilinear, scale_factor 1.3; onnx reference and onnxruntime: Resize-19 linear, scales 1.3 */
    static const char *const presets[] = {"torch", "onnx", "ort"};
    for (int i = 0; i < 3; i++)
        resize((struct how){presets[i], "mode=linear", 1.3}, x5, 5,
               LINE(0, 6.5384617, 14.23077, 21.923077, 29.615387, 37.307693), few_roundings);
    /* torch: the same with recompute_scale_factor=True; onnx reference and onnxruntime: sizes 6 */
    for (int i = 0; i < 3; i++)
        resize((struct how){presets[i], "mode=linear", 0}, x5, 5, LINE(0, 7.5, 15.833332, 24.166666, 32.5, 40),
               few_roundings);
}

static void test_trap_07_align_corners_with_a_scale(void **unused)
{
    (void)unused;
    static const float x6[] = {0, 1, 2, 3, 4, 5};
    static const char words[] = "mode=linear coordinate_transformation_mode=align_corners";
    resize((struct how){"ort", words, .6}, x6, 6, LINE(0, 2.5, 5), 0); /* onnxruntime: Resize-19 */
    resize((struct how){"onnx", words, .6}, x6, 6, LINE(0, 1.9230769, 3.8461537), few_roundings); /* onnx reference */
}

static void test_trap_08_bicubic_twice(void **unused)
{
    (void)unused;
    static const float x3[] = {90, 0, 0};
    static const struct how repeated[] = {
        {"torch", "mode=cubic", 0},  /* torch: mode="bicubic", size 6 */
        {"onnx", "mode=cubic", 0},   /* onnx reference: Resize-19, mode cubic */
        {"ort", "mode=cubic", 0},    /* onnxruntime: the same */
        {"opencv", "mode=cubic", 0}, /* cv2 INTER_CUBIC */
    };
    for (int i = 0; i < COUNT(repeated); i++)
        resize(repeated[i], x3, 3, LINE(99.4921875, 69.609375, 20.390625, -9.4921875, -3.1640625, 0), few_roundings);

    /* onnx reference and onnxruntime: exclude_outside=1 */
    static const char *const both[] = {"onnx", "ort"};
    for (int i = 0; i < 2; i++)
        resize((struct how){both[i], "mode=cubic exclude_outside=1", 0}, x3, 3,
               LINE(102.27273, 71.55477, 22.754717, -9.169811, -2.8621907, 0), few_roundings);

    static const struct how half[] = {
        {"pillow", "mode=cubic", 0},            /* PIL: resize((6, 1), BICUBIC) */
        {"torch", "mode=cubic antialias=1", 0}, /* torch: bicubic, antialias=True */
        {"tf", "mode=cubic", 0},                /* tf.raw_ops.ResizeBicubic, half_pixel_centers=True */
    };
    for (int i = 0; i < COUNT(half); i++)
        resize(half[i], x3, 3, LINE(97.94118, 72.91971, 19.923664, -6.183206, -1.9708029, 0), few_roundings);

    /* tf.raw_ops.ResizeBicubic without half_pixel_centers */
    resize((struct how){"tf1", "mode=cubic", 0}, x3, 3, LINE(90, 45, 0, -8.4375, 0, 0), few_roundings);
}

static void test_trap_09_bicubic_to_one(void **unused)
{
    (void)unused;
    resize((struct how){"torch", "mode=cubic", 0}, x4, 4, LINE(15), few_roundings); /* torch: bicubic, size 1 */
    /* onnxruntime, and the text of ONNX. (ONNX's reference takes x = -0.5 instead of 0 and gives -0.9375.) */
    static const char words[] = "mode=cubic coordinate_transformation_mode=pytorch_half_pixel";
    resize((struct how){"ort", words, 0}, x4, 4, LINE(0), few_roundings);
    resize((struct how){"onnx", words, 0}, x4, 4, LINE(0), few_roundings);
}

static void test_trap_25_nearest_same_length(void **unused)
{
    (void)unused;
    static const float x3[] = {0, 1, 2};
    struct place p = {0};
    while (next_place(&p)) {
        /* torch: F.interpolate(x, scale_factor=(1, 1.3), mode="nearest"); in 1-D and 3-D 0, 0, 1 */
        struct how torch = {"torch", "mode=nearest", 1.3};
        if (p.rank == 2)
            resize_at(&p, torch, x3, 3, LINE(0, 1, 2), 0);
        else
            resize_at(&p, torch, x3, 3, LINE(0, 0, 1), 0);
        /* the same formula without the exception, and the exception of linear, in every rank */
        resize_at(
            &p, (struct how){"onnx", "mode=nearest coordinate_transformation_mode=asymmetric nearest_mode=floor", 1.3},
            x3, 3, LINE(0, 0, 1), 0);
        resize_at(&p, (struct how){"torch", "mode=linear", 1.3}, x3, 3, LINE(0, 1, 2), 0);
    }
}

/* ---- pooling ---- */

struct window {
    const char *preset, *words;
    int64_t kernel, stride, pad_begin, pad_end; /* pad_begin -1: by auto_pad */
};

static void start_pool(struct call *call, const char *op, struct window w, const struct place *p, int64_t n)
{
    start(call, op, w.preset, w.words, p, n);
    set_axis(call, p, "kernel_shape", (double)w.kernel, 1);
    set_axis(call, p, "strides", (double)w.stride, 1);
    if (w.pad_begin >= 0 && call->desc.pool.auto_pad == UPS_NOTSET) set_pads(call, p, w.pad_begin, w.pad_end);
}

/* What a switch says of place `where` of channel c's plane, whose size is `plane`; of tap t for the window's conventions. */
static int64_t said(const struct call *call, int64_t c, int64_t where, int64_t plane, int64_t t)
{
    switch (call->desc.pool.index) {
    case UPS_INDEX_TENSOR:
    case UPS_INDEX_CHANNEL: return c * plane + where;
    case UPS_INDEX_NHWC:
    case UPS_INDEX_NHWC_BATCH: return where * CHANNELS + c;
    case UPS_INDEX_WINDOW:
    case UPS_INDEX_WINDOW_COLUMN: return t;
    default: return where;
    }
}

/* want: which element of the line each output takes; -1 none, which gives the lowest float. */
static void pool_at(const struct place *p, struct window w, const char *index_type, const float *x, int64_t n,
                    const int64_t *want, int64_t m)
{
    struct call call;
    float src[ROOM], values[ROOM];
    int64_t index[ROOM], lines = lines_of(p);
    start_pool(&call, "max_pool", w, p, n);
    if (index_type) set(&call, "index_type", index_type);
    for (int64_t c = 0; c < CHANNELS; c++)
        for (int64_t l = 0; l < lines; l++) {
            float *plane = src + c * lines * n;
            for (int64_t i = 0; i < n; i++)
                plane[at(p, l, i, n)] = isnan(x[i]) ? x[i] : (float)(x[i] + offset_of(c, l));
            for (int64_t o = 0; o < m; o++) {
                int64_t to = c * lines * m + at(p, l, o, m), from = at(p, l, want[o], n);
                int64_t tap = want[o] - (o * w.stride - (w.pad_begin > 0 ? w.pad_begin : 0));
                index[to] = want[o] < 0 ? -1 : said(&call, c, from, lines * n, tap);
                values[to] = want[o] < 0 ? -3.4028234663852886e38f : plane[from];
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

static void pool(struct window w, const float *x, int64_t n, const int64_t *want, int64_t m)
{
    struct place p = {0};
    while (next_place(&p)) {
        pool_at(&p, w, NULL, x, n, want, m);
        pool_at(&p, w, "i64", x, n, want, m);
        pool_at(&p, w, "i32", x, n, want, m);
        pool_at(&p, w, "f32", x, n, want, m);
    }
}

#define TAKES(...) (const int64_t[]){__VA_ARGS__}, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static void test_trap_10_nan_first(void **unused)
{
    (void)unused;
    static const float x[] = {NAN, 1};
    /* torch: F.max_pool1d(x, 2, return_indices=True): NaN, 0 */
    pool((struct window){"torch", "", 2, 2, 0, 0}, x, 2, TAKES(0));
    /* onnx reference and onnxruntime: MaxPool-12 with Indices; tf.nn.max_pool_with_argmax; xnnpack argmax pooling: NaN, 0.
     * (onnxruntime without Indices gives 1, by another kernel.) */
    pool((struct window){"onnx", "", 2, 2, 0, 0}, x, 2, TAKES(0));
    pool((struct window){"ort", "", 2, 2, 0, 0}, x, 2, TAKES(0));
    pool((struct window){"tf", "nan=seed", 2, 2, 0, 0}, x, 2, TAKES(0));
    pool((struct window){"xnnpack", "", 2, 2, 0, 0}, x, 2, TAKES(0));
    /* tf.nn.max_pool2d; openvino MaxPool-14: 1 */
    pool((struct window){"tf", "", 2, 2, 0, 0}, x, 2, TAKES(1));
    pool((struct window){"openvino", "", 2, 2, 0, 0}, x, 2, TAKES(1));
}

static void test_trap_11_nan_last(void **unused)
{
    (void)unused;
    static const float x[] = {1, NAN};
    /* torch: F.max_pool1d(x, 2, return_indices=True): NaN, 1 */
    pool((struct window){"torch", "", 2, 2, 0, 0}, x, 2, TAKES(1));
    /* the others as in row 10: 1, 0. (onnxruntime without Indices gives NaN.) */
    pool((struct window){"onnx", "", 2, 2, 0, 0}, x, 2, TAKES(0));
    pool((struct window){"ort", "", 2, 2, 0, 0}, x, 2, TAKES(0));
    pool((struct window){"tf", "nan=seed", 2, 2, 0, 0}, x, 2, TAKES(0));
    pool((struct window){"xnnpack", "", 2, 2, 0, 0}, x, 2, TAKES(0));
    pool((struct window){"tf", "", 2, 2, 0, 0}, x, 2, TAKES(0));
    pool((struct window){"openvino", "", 2, 2, 0, 0}, x, 2, TAKES(0));
}

static void test_trap_12_two_nans(void **unused)
{
    (void)unused;
    static const float x[] = {3, NAN, NAN, 1};
    /* torch: F.max_pool1d(x, 4, return_indices=True): NaN, 2 */
    pool((struct window){"torch", "", 4, 4, 0, 0}, x, 4, TAKES(2));
    /* onnx reference, onnxruntime, tf.nn.max_pool_with_argmax, tf.nn.max_pool2d: 3, 0 */
    pool((struct window){"onnx", "", 4, 4, 0, 0}, x, 4, TAKES(0));
    pool((struct window){"ort", "", 4, 4, 0, 0}, x, 4, TAKES(0));
    pool((struct window){"tf", "nan=seed", 4, 4, 0, 0}, x, 4, TAKES(0));
    pool((struct window){"tf", "", 4, 4, 0, 0}, x, 4, TAKES(0));
}

static void test_trap_13_tie(void **unused)
{
    (void)unused;
    float x[CHANNELS * 4];
    for (int c = 0; c < CHANNELS; c++) memcpy(x + 4 * c, (const float[]){1, 3, 3, 1}, 4 * sizeof *x);
    static const struct {
        const char *preset, *index;
        int64_t want[CHANNELS];
    } rows[] = {
        {"torch", "plane", {1, 1, 1}}, /* torch: F.max_pool2d([1 3; 3 1], 2, return_indices=True): (0, 1) */
        {"onnx", "tensor", {1, 5, 9}}, /* onnx reference: MaxPool-12 with Indices */
        {"ort", "tensor", {1, 5, 9}},  /* onnxruntime: the same */
        {"tf", "nhwc", {3, 4, 5}},     /* tf.nn.max_pool_with_argmax */
        {"onednn", "window", {1, 1, 1}},
        {"xnnpack", "window_column", {1, 1, 1}}, /* xnn_create_argmax_pooling2d_nhwc_f32: (1, 0), its number is 1 too */
        {"xnnpack", "plane", {2, 2, 2}},
    };
    for (int32_t layout = UPS_CHANNELS_FIRST; layout <= UPS_CHANNELS_LAST; layout++)
        for (int i = 0; i < COUNT(rows); i++)
            for (int t = 0; t < tier_count; t++) {
                struct call call;
                int32_t status = call_say(&call, "max_pool", rows[i].preset, "kernel_shape=2 strides=2");
                call_status(&call, status, UPS_OK);
                set(&call, "index_type", "i32");
                set(&call, "index", rows[i].index);
                call.desc.head.layout = layout;
                memcpy(call.dims, (const int64_t[]){1, CHANNELS, 2, 2}, 4 * sizeof *call.dims);
                call.x = x;
                run_on(&call, tiers[t], UPS_OK);
                call_same(&call, "maximum", call.y, (const float[]){3, 3, 3}, CHANNELS);
                call_same_index(&call, "switch", call.switches, rows[i].want, CHANNELS);
                call_close(&call);
            }
    static const float line[] = {1, 3, 3, 1}; /* on a line everyone takes the first */
    static const char *const presets[] = {"torch", "onnx", "ort", "tf", "openvino", "xnnpack"};
    for (int i = 0; i < COUNT(presets); i++) pool((struct window){presets[i], "", 4, 4, 0, 0}, line, 4, TAKES(1));
}

static void test_trap_14_ceil_mode(void **unused)
{
    (void)unused;
    /* torch: F.max_pool1d(x5, 1, 3, 0, ceil_mode=True): 0, 30; onnx reference, onnxruntime: MaxPool-12 ceil_mode=1;
     * openvino: MaxPool-14, rounding ceil_torch */
    pool((struct window){"torch", "ceil_mode=1", 1, 3, 0, 0}, x5, 5, TAKES(0, 3));
    pool((struct window){"onnx", "ceil_mode=1", 1, 3, 0, 0}, x5, 5, TAKES(0, 3));
    pool((struct window){"ort", "ceil_mode=1", 1, 3, 0, 0}, x5, 5, TAKES(0, 3));
    pool((struct window){"openvino", "round=ceil_clip", 1, 3, 0, 0}, x5, 5, TAKES(0, 3));
    /* openvino: rounding ceil; ncnn: Pooling pad_mode 0: 0, 30, -3.4028235e38. Caffe (not run) */
    pool((struct window){"openvino", "ceil_mode=1", 1, 3, 0, 0}, x5, 5, TAKES(0, 3, -1));
    pool((struct window){"ncnn", "", 1, 3, 0, 0}, x5, 5, TAKES(0, 3, -1));
    pool((struct window){"caffe", "", 1, 3, 0, 0}, x5, 5, TAKES(0, 3, -1));
}

static void average_at(const struct place *p, struct window w, const float *x, int64_t n, const double *want, int64_t m)
{
    struct call call;
    float src[ROOM], values[ROOM];
    int64_t lines = lines_of(p);
    start_pool(&call, "avg_pool", w, p, n);
    for (int64_t c = 0; c < CHANNELS; c++)
        for (int64_t l = 0; l < lines; l++) {
            for (int64_t i = 0; i < n; i++) src[c * lines * n + at(p, l, i, n)] = (float)(x[i] * factor_of(c, l));
            for (int64_t o = 0; o < m; o++) values[c * lines * m + at(p, l, o, m)] = (float)(want[o] * factor_of(c, l));
        }
    call.x = src;
    for (int t = 0; t < tier_count; t++) {
        run_on(&call, tiers[t], UPS_OK);
        check_out(&call, p, m);
        call_same(&call, "average", call.y, values, CHANNELS * lines * m);
        call_close(&call);
    }
}

static void average(struct window w, const float *x, int64_t n, const double *want, int64_t m)
{
    struct place p = {0};
    while (next_place(&p)) average_at(&p, w, x, n, want, m);
}

static void test_trap_15_average_of_a_ceil_window(void **unused)
{
    (void)unused;
    static const float x[] = {1, 2, 3, 4, 5};
    /* torch: F.avg_pool1d(x, 3, 3, 1, ceil_mode=True); onnx reference, onnxruntime: AveragePool-19, count_include_pad=1;
     * openvino: AvgPool-14, exclude-pad false, ceil_torch: 1, 4 */
    average((struct window){"torch", "ceil_mode=1", 3, 3, 1, 1}, x, 5, LINE(1, 4));
    average((struct window){"onnx", "ceil_mode=1 count_include_pad=1", 3, 3, 1, 1}, x, 5, LINE(1, 4));
    average((struct window){"ort", "ceil_mode=1 count_include_pad=1", 3, 3, 1, 1}, x, 5, LINE(1, 4));
    average((struct window){"openvino", "round=ceil_clip count_include_pad=1", 3, 3, 1, 1}, x, 5, LINE(1, 4));
    /* ncnn: Pooling, avgpool_count_include_pad=1; openvino: rounding ceil: 1, 4, 0 */
    average((struct window){"ncnn", "count_include_pad=window", 3, 3, 1, 1}, x, 5, LINE(1, 4, 0));
    average((struct window){"openvino", "ceil_mode=1 count_include_pad=1", 3, 3, 1, 1}, x, 5, LINE(1, 4, 0));
    /* openvino: exclude-pad true, ceil_torch: 1.5, 4. (With rounding ceil both give 0/0 = NaN for the third window, which is
     * 0 here.) */
    average((struct window){"openvino", "round=ceil_clip", 3, 3, 1, 1}, x, 5, LINE(1.5, 4));
    average((struct window){"openvino", "ceil_mode=1", 3, 3, 1, 1}, x, 5, LINE(1.5, 4, 0));
    average((struct window){"ncnn", "", 3, 3, 1, 1}, x, 5, LINE(1.5, 4, 0));
}

static void test_trap_16_same_lower(void **unused)
{
    (void)unused;
    static const float x[] = {1, 2, 3, 4, 5, 6, 7};
    /* onnx reference, onnxruntime: AveragePool-19, auto_pad SAME_LOWER */
    average((struct window){"onnx", "auto_pad=same_lower", 2, 2, -1, -1}, x, 7, LINE(1, 2.5, 4.5, 6.5));
    average((struct window){"ort", "auto_pad=same_lower", 2, 2, -1, -1}, x, 7, LINE(1, 2.5, 4.5, 6.5));
    /* the same, SAME_UPPER; tf.nn.avg_pool2d(x, [1, 2], [1, 2], "SAME") */
    average((struct window){"onnx", "auto_pad=same_upper", 2, 2, -1, -1}, x, 7, LINE(1.5, 3.5, 5.5, 7));
    average((struct window){"ort", "auto_pad=same_upper", 2, 2, -1, -1}, x, 7, LINE(1.5, 3.5, 5.5, 7));
    average((struct window){"tf", "auto_pad=same_upper", 2, 2, -1, -1}, x, 7, LINE(1.5, 3.5, 5.5, 7));
}

/* ---- max_unpool ---- */

static const float four[] = {1, 2, 3, 4};

static void start_unpool(struct call *call, const char *preset, const char *words, int32_t layout, int64_t batch,
                         int64_t channels)
{
    call_status(call, call_say(call, "max_unpool", preset, "kernel_shape=2 strides=2"), UPS_OK);
    if (*words) {
        char field[64];
        const char *equals = strchr(words, '=');
        snprintf(field, sizeof field, "%.*s", (int)(equals - words), words);
        set(call, field, equals + 1);
    }
    call->desc.head.layout = layout;
    memcpy(call->dims, (const int64_t[]){batch, channels, 2, 2}, 4 * sizeof *call->dims);
}

/* x to `index` in an image of side `side`; 4 is the default and asked for by nobody. */
static void unpool_to(const char *preset, const char *words, int64_t side, const int64_t *index, const float *want)
{
    for (int i = 0; i < 4; i++)
        for (int t = 0; t < tier_count; t++) {
            struct call call;
            int64_t sizes[3] = {side, side, 0};
            bool in_plan = i & 1;
            start_unpool(&call, preset, words, i & 2 ? UPS_CHANNELS_LAST : UPS_CHANNELS_FIRST, 1, 1);
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

static void test_trap_17_unpool_to_a_larger_size(void **unused)
{
    (void)unused;
    static const int64_t index[] = {0, 5, 10, 15};
    float natural[16] = {0}, column[25] = {0}, diagonal[25] = {0};
    for (int i = 0; i < 4; i++) {
        natural[5 * i] = four[i];  /* (i, i) */
        diagonal[6 * i] = four[i]; /* (i, i) */
        column[5 * i] = four[i];   /* (i, 0): index 5 is row 1, column 0 */
    }
    /* torch: F.max_unpool2d(x, index, 2, output_size=(5, 5)); onnxruntime: MaxUnpool-11, output_shape 1,1,5,5 */
    unpool_to("torch", "", 4, index, natural);
    unpool_to("torch", "", 5, index, column);
    unpool_to("ort", "", 4, index, natural);
    unpool_to("ort", "", 5, index, column);
    /* onnx reference: MaxUnpool-11, output_shape 1,1,5,5 */
    unpool_to("onnx", "", 4, index, natural);
    unpool_to("onnx", "", 5, index, diagonal);
}

static void test_trap_18_last_of_duplicates_wins(void **unused)
{
    (void)unused;
    /* torch: F.max_unpool2d; onnx reference, onnxruntime: MaxUnpool-11; index 6 four times: 4 */
    static const char *const presets[] = {"torch", "onnx", "ort"};
    for (int i = 0; i < 3; i++) {
        unpool_to(presets[i], "", 4, (const int64_t[]){6, 6, 6, 6}, (const float[16]){[6] = 4});
        unpool_to(presets[i], "", 4, (const int64_t[]){6, 9, 9, 6}, (const float[16]){[6] = 4, [9] = 3});
    }
    /* tf.scatter_nd([[6]] * 4, x, [16]): 10 */
    unpool_to("torch", "overlap=sum", 4, (const int64_t[]){6, 6, 6, 6}, (const float[16]){[6] = 10});
    unpool_to("torch", "overlap=sum", 4, (const int64_t[]){6, 9, 9, 6}, (const float[16]){[6] = 5, [9] = 5});
    unpool_to("torch", "overlap=first", 4, (const int64_t[]){6, 9, 9, 6}, (const float[16]){[6] = 1, [9] = 2});
    struct place p = {0};
    while (next_place(&p)) { /* eight elements of a line meet in two places: the last ones of each */
        struct call call;
        float src[ROOM], want[ROOM] = {0};
        int64_t index[ROOM], lines = lines_of(&p), n = 8, m = 16;
        start(&call, "max_unpool", "torch", "", &p, n);
        set_axis(&call, &p, "kernel_shape", 2, 1);
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

/* 2 x 3 planes of 4 x 4 with their maxima at the same places. torch numbers them from each plane's own start; onnxruntime,
 * and the text of ONNX, from the tensor's: good in torch's unpool for the first plane, for every other "Found an invalid max
 * index". */
static void test_trap_24_indices_start_anew_in_each_plane(void **unused)
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
            flat_index[4 * p + i] = 16 * p + home[i];
        }
    float only_first[PLANES * 16] = {0};
    memcpy(only_first, x, 16 * sizeof *x);
    static const char *const presets[] = {"torch", "onnx", "ort"};
    for (int i = 0; i < 6; i++)
        for (int t = 0; t < tier_count; t++) {
            struct call call;
            int32_t layout = i & 1 ? UPS_CHANNELS_LAST : UPS_CHANNELS_FIRST;
            const char *preset = presets[i / 2];
            const int64_t *own = i / 2 ? flat_index : plane_index;
            call_status(&call, call_say(&call, "max_pool", preset, "kernel_shape=2 strides=2"), UPS_OK);
            call.desc.head.layout = layout;
            memcpy(call.dims, (const int64_t[]){2, CHANNELS, 4, 4}, 4 * sizeof *call.dims);
            call.x = x;
            run_on(&call, tiers[t], UPS_OK);
            call_same(&call, "maximum", call.y, maxima, PLANES * 4);
            call_same_index(&call, "switch", call.switches, own, PLANES * 4);
            call_close(&call);

            start_unpool(&call, preset, "", layout, 2, CHANNELS);
            call.x = maxima;
            call.index = own;
            run_on(&call, tiers[t], UPS_OK);
            call_same(&call, "unpooled", call.y, x, PLANES * 16);
            call_close(&call);
            if (i / 2) continue;

            call.index = flat_index;
            run_on(&call, tiers[t], UPS_BAD_INDEX);
            call_same(&call, "unpooled", call.y, only_first, PLANES * 16);
            call_same_index(&call, "bad_count", &call.bad_count, (const int64_t[]){(PLANES - 1) * 4}, 1);
            call_same_index(&call, "bad_first", &call.bad_first, (const int64_t[]){4}, 1);
            call_close(&call);
        }
    struct call call; /* and what to do about it */
    int64_t converted[PLANES * 4], bad_count, bad_first;
    call_status(&call, call_say(&call, "max_pool", "onnx", "kernel_shape=2 strides=2"), UPS_OK);
    call_status(&call,
                ups_convert_indices(&call.desc, (const int64_t[]){2, CHANNELS, 4, 4}, flat_index, UPS_INDEX_PLANE,
                                    UPS_I64, converted, &bad_count, &bad_first),
                UPS_OK);
    call_same_index(&call, "converted", converted, plane_index, PLANES * 4);
}

static void test_trap_27_unpool_size(void **unused)
{
    (void)unused;
    /* torch: F.max_unpool1d of 2 elements, k = s = 2: 4. DeconvNet's Caffe (not run): 5 */
    static const struct {
        const char *preset;
        int64_t want;
    } rows[] = {{"torch", 4}, {"onnx", 4}, {"ort", 4}, {"caffe", 5}};
    for (int i = 0; i < COUNT(rows); i++) {
        struct call call;
        int64_t standard[3];
        call_status(&call, call_say(&call, "max_unpool", rows[i].preset, "kernel_shape=2 strides=2"), UPS_OK);
        call_status(&call, ups_shape(&call.desc, (const int64_t[]){2, 2}, NULL, standard, NULL), UPS_OK);
        call_same_index(&call, "size", standard, (const int64_t[]){rows[i].want, rows[i].want}, 2);
    }
    unpool_to("torch", "", 4, (const int64_t[]){0, 2, 8, 10}, (const float[16]){[0] = 1, [2] = 2, [8] = 3, [10] = 4});
    unpool_to("caffe", "", 5, (const int64_t[]){0, 2, 10, 24}, (const float[25]){[0] = 1, [2] = 2, [10] = 3, [24] = 4});
}

/* ---- conv_transpose: three ones under the kernel 1, 2, …, k ---- */

struct deconv {
    const char *preset, *words;
    int64_t kernel, stride, pad_begin, pad_end; /* pad_begin -1: the pads follow */
    int64_t output_padding, size;               /* size 0: none is wanted */
};

static int ran_by_name;

/* Where weight (c, c, t) is, of CHANNELS in groups of one, or in one group. */
static int64_t weight_at(const struct call *call, int64_t c, int64_t t)
{
    int64_t inner = CHANNELS / call->desc.conv.group, own = inner > 1 ? c : 0, k = 1;
    for (int a = 0; a < call->desc.head.rank; a++) k *= call->desc.conv.kernel_shape[a];
    switch (call->desc.conv.weights_layout) {
    case UPS_HWOI:
    case UPS_HWIO: return (t * CHANNELS + c) * inner + own;
    case UPS_OHWI: return (c * k + t) * inner + own;
    default: return (c * inner + own) * k + t;
    }
}

/* Channels apart, as groups of one or as one group with zeros. */
static void deconv_at(const struct place *p, struct deconv how, bool depthwise, bool in_plan, const char *algorithm,
                      const double *want, int64_t m)
{
    struct call call;
    float src[ROOM], values[ROOM], w[CHANNELS * CHANNELS * 4] = {0};
    int64_t lines = lines_of(p), n = 3, sizes[3] = {OTHERS, OTHERS, OTHERS};
    start(&call, "conv_transpose", how.preset, how.words, p, n);
    set(&call, "in_channels", "3");
    set(&call, "out_channels", "3");
    set(&call, "group", depthwise ? "3" : "1");
    set_axis(&call, p, "kernel_shape", (double)how.kernel, 1);
    set_axis(&call, p, "strides", (double)how.stride, 1);
    set_axis(&call, p, "output_padding", (double)how.output_padding, 0);
    if (how.pad_begin >= 0) set_pads(&call, p, how.pad_begin, how.pad_end);
    sizes[p->axis] = how.size;
    if (how.size && in_plan) call.sizes = sizes;
    if (how.size && !in_plan) set_axis(&call, p, "output_shape", (double)how.size, OTHERS);
    for (int64_t c = 0; c < CHANNELS; c++) {
        for (int k = 0; k < how.kernel; k++) w[weight_at(&call, c, k)] = (float)(k + 1);
        for (int64_t l = 0; l < lines; l++) {
            for (int64_t i = 0; i < n; i++) src[c * lines * n + at(p, l, i, n)] = (float)factor_of(c, l);
            for (int64_t o = 0; o < m; o++) values[c * lines * m + at(p, l, o, m)] = (float)(factor_of(c, l) * want[o]);
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

static void deconv(struct deconv how, const double *want, int64_t m)
{
    static const char *algorithms[] = {NULL, "phase", "planar", "gemm", "scatter", "depthwise"};
    struct place p = {0};
    while (next_place(&p))
        for (int i = 0; i < 24; i++)
            if (how.size || !(i & 2)) deconv_at(&p, how, i & 1, i & 2, algorithms[i / 4], want, m);
}

static void test_trap_19_output_shape(void **unused)
{
    (void)unused;
    /* onnxruntime: ConvTranspose-11, k 4, s 2, output_shape 7, auto_pad NOTSET and SAME_LOWER; onnx reference: SAME_LOWER */
    deconv((struct deconv){"ort", "", 4, 2, -1, -1, 0, 7}, LINE(2, 4, 6, 4, 6, 3, 4));
    deconv((struct deconv){"onnx", "", 4, 2, -1, -1, 0, 7}, LINE(2, 4, 6, 4, 6, 3, 4));
    deconv((struct deconv){"onnx", "auto_pad=same_lower", 4, 2, -1, -1, 0, 7}, LINE(2, 4, 6, 4, 6, 3, 4));
    /* openvino: ConvolutionBackpropData, output_shape 7, same_upper */
    deconv((struct deconv){"openvino", "auto_pad=same_upper", 4, 2, -1, -1, 0, 7}, LINE(2, 4, 6, 4, 6, 3, 4));
    /* onnx reference, onnxruntime: SAME_UPPER; openvino: explicit, same_lower, valid */
    deconv((struct deconv){"onnx", "auto_pad=same_upper", 4, 2, -1, -1, 0, 7}, LINE(1, 2, 4, 6, 4, 6, 3));
    deconv((struct deconv){"ort", "auto_pad=same_upper", 4, 2, -1, -1, 0, 7}, LINE(1, 2, 4, 6, 4, 6, 3));
    deconv((struct deconv){"openvino", "", 4, 2, -1, -1, 0, 7}, LINE(1, 2, 4, 6, 4, 6, 3));
    deconv((struct deconv){"openvino", "auto_pad=same_lower", 4, 2, -1, -1, 0, 7}, LINE(1, 2, 4, 6, 4, 6, 3));
    deconv((struct deconv){"openvino", "auto_pad=valid", 4, 2, -1, -1, 0, 7}, LINE(1, 2, 4, 6, 4, 6, 3));
}

static void test_trap_20_deconv_same(void **unused)
{
    (void)unused;
    /* tf.nn.conv2d_transpose, k 3, s 2, SAME, output 6; onnx reference, onnxruntime: ConvTranspose-11 SAME_UPPER */
    deconv((struct deconv){"tf", "", 3, 2, -1, -1, 0, 6}, LINE(1, 2, 4, 2, 4, 2));
    deconv((struct deconv){"tf", "", 3, 2, -1, -1, 0, 0}, LINE(1, 2, 4, 2, 4, 2));
    deconv((struct deconv){"onnx", "auto_pad=same_upper", 3, 2, -1, -1, 0, 0}, LINE(1, 2, 4, 2, 4, 2));
    deconv((struct deconv){"ort", "auto_pad=same_upper", 3, 2, -1, -1, 0, 0}, LINE(1, 2, 4, 2, 4, 2));
    /* torch: F.conv_transpose1d, padding 1, output_padding 1, or the size asked for; the two again: SAME_LOWER */
    deconv((struct deconv){"torch", "", 3, 2, 1, 1, 1, 0}, LINE(2, 4, 2, 4, 2, 3));
    deconv((struct deconv){"torch", "", 3, 2, 1, 1, 0, 6}, LINE(2, 4, 2, 4, 2, 3));
    deconv((struct deconv){"onnx", "auto_pad=same_lower", 3, 2, -1, -1, 0, 0}, LINE(2, 4, 2, 4, 2, 3));
    deconv((struct deconv){"ort", "auto_pad=same_lower", 3, 2, -1, -1, 0, 0}, LINE(2, 4, 2, 4, 2, 3));
    /* the whole, of which those are cuts; and with an element no tap reaches */
    deconv((struct deconv){"torch", "", 3, 2, 0, 0, 0, 0}, LINE(1, 2, 4, 2, 4, 2, 3));
    deconv((struct deconv){"torch", "", 3, 2, 0, 0, 1, 0}, LINE(1, 2, 4, 2, 4, 2, 3, 0));
    assert_true(ran_by_name > 0);
}

static void test_trap_21_another_size_moves_the_first(void **unused)
{
    (void)unused;
    /* tf.nn.conv2d_transpose, k 3, s 2, SAME, output 6 and 5 */
    deconv((struct deconv){"tf", "", 3, 2, -1, -1, 0, 6}, LINE(1, 2, 4, 2, 4, 2));
    deconv((struct deconv){"tf", "", 3, 2, -1, -1, 0, 5}, LINE(2, 4, 2, 4, 2));
}

static void test_trap_22_kernel_shorter_than_stride(void **unused)
{
    (void)unused;
    /* tf.nn.conv2d_transpose, k 1, s 4, SAME, output 12; keras.layers.Conv1DTranspose(1, 1, 4, "same") */
    deconv((struct deconv){"tf", "", 1, 4, -1, -1, 0, 12}, LINE(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0));
    deconv((struct deconv){"tf", "", 1, 4, -1, -1, 0, 0}, LINE(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0));
    /* onnxruntime: ConvTranspose-11 SAME_UPPER; torch without pads */
    deconv((struct deconv){"ort", "auto_pad=same_upper", 1, 4, -1, -1, 0, 0}, LINE(1, 0, 0, 0, 1, 0, 0, 0, 1));
    deconv((struct deconv){"torch", "", 1, 4, 0, 0, 0, 0}, LINE(1, 0, 0, 0, 1, 0, 0, 0, 1));
    /* onnx reference: the same; its pads are negative, -2 and -1 */
    deconv((struct deconv){"onnx", "auto_pad=same_upper", 1, 4, -1, -1, 0, 0},
           LINE(0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0));
}

/* ---- pixel_shuffle ---- */

static void test_trap_23_depth_to_space(void **unused)
{
    (void)unused;
    static const float x[] = {0, 1, 2, 3, 4, 5, 6, 7}, crd[] = {0, 1, 2, 3, 4, 5, 6, 7},
                       dcr[] = {0, 2, 4, 6, 1, 3, 5, 7};
    static const struct {
        const char *preset, *words;
        const float *want;
    } rows[] = {
        {"torch", "blocksize=2", crd},            /* torch: F.pixel_shuffle(x, 2) */
        {"onnx", "blocksize=2 shuffle=CRD", crd}, /* onnx reference: DepthToSpace-13, mode CRD */
        {"ort", "blocksize=2 shuffle=CRD", crd},  /* onnxruntime: the same */
        {"onnx", "blocksize=2", dcr},             /* onnx reference: DepthToSpace-13 */
        {"ort", "blocksize=2", dcr},              /* onnxruntime: the same */
        {"tf", "blocksize=2", dcr},               /* tf.nn.depth_to_space(x, 2) */
    };
    for (int i = 0; i < 2 * COUNT(rows); i++)
        for (int t = 0; t < tier_count; t++) {
            struct call call;
            call_status(&call, call_say(&call, "pixel_shuffle", rows[i / 2].preset, rows[i / 2].words), UPS_OK);
            call.desc.head.layout = i & 1 ? UPS_CHANNELS_LAST : UPS_CHANNELS_FIRST;
            memcpy(call.dims, (const int64_t[]){1, 8, 1, 1}, 4 * sizeof *call.dims);
            call.x = x;
            run_on(&call, tiers[t], UPS_OK);
            call_same_index(&call, "output size", call.out_dims, (const int64_t[]){1, 2, 2, 2}, 4);
            call_same(&call, "value", call.y, rows[i / 2].want, 8);
            call_close(&call);
        }
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
        cmocka_unit_test(test_trap_01_bilinear_twice),
        cmocka_unit_test(test_trap_02_bilinear_half),
        cmocka_unit_test(test_trap_03_nearest_four_to_three),
        cmocka_unit_test(test_trap_04_nearest_four_to_two),
        cmocka_unit_test(test_trap_05_nearest_five_to_three),
        cmocka_unit_test(test_trap_06_bilinear_scale_or_sizes),
        cmocka_unit_test(test_trap_07_align_corners_with_a_scale),
        cmocka_unit_test(test_trap_08_bicubic_twice),
        cmocka_unit_test(test_trap_09_bicubic_to_one),
        cmocka_unit_test(test_trap_10_nan_first),
        cmocka_unit_test(test_trap_11_nan_last),
        cmocka_unit_test(test_trap_12_two_nans),
        cmocka_unit_test(test_trap_13_tie),
        cmocka_unit_test(test_trap_14_ceil_mode),
        cmocka_unit_test(test_trap_15_average_of_a_ceil_window),
        cmocka_unit_test(test_trap_16_same_lower),
        cmocka_unit_test(test_trap_17_unpool_to_a_larger_size),
        cmocka_unit_test(test_trap_18_last_of_duplicates_wins),
        cmocka_unit_test(test_trap_19_output_shape),
        cmocka_unit_test(test_trap_20_deconv_same),
        cmocka_unit_test(test_trap_21_another_size_moves_the_first),
        cmocka_unit_test(test_trap_22_kernel_shorter_than_stride),
        cmocka_unit_test(test_trap_23_depth_to_space),
        cmocka_unit_test(test_trap_24_indices_start_anew_in_each_plane),
        cmocka_unit_test(test_trap_25_nearest_same_length),
        cmocka_unit_test(test_trap_27_unpool_size),
        cmocka_unit_test(test_something_was_checked),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests_name("traps", tests, NULL, NULL);
}
