/* SPDX-License-Identifier: MIT
 *
 * The gradients of transposed convolution: random layers against the formulas in double, finite differences, the adjoint
 * identity, one result for every division and every tier with fused multiply-adds, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "naive.h"

static const char *tiers[8];
static int tier_count;

/* ---- a layer: the forward's descriptor and sizes, and data ---- */

struct layer {
    ups_conv_transpose_desc desc;
    int64_t dims[5], out[3], out_dims[5]; /* of the input; of the output */
    int64_t inputs, outputs, weights;     /* elements */
    float *x, *w, *g;                     /* input, weights, gradient of the output */
};

static int64_t pick(const int64_t *from, int n)
{
    return from[check_between(0, n - 1)];
}

/* Kernels, strides and pads as they come, and some that do not: dilations beside strides, holes, cut borders, n = 1. */
static bool random_layer(struct layer *l, int64_t most_channels)
{
    static const int64_t channels[] = {1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 40, 70};
    struct call call;
    int count = 0;
    int32_t rank = (int32_t)check_between(1, 3);
    call_init(&call, UPS_CONV_TRANSPOSE, rank);
    ups_conv_transpose_desc *d = &call.desc.conv;
    memset(l, 0, sizeof *l);
    while (count < 12 && channels[count] <= most_channels) count++;
    d->layout = (int32_t)check_between(UPS_CHANNELS_FIRST, UPS_CHANNELS_LAST);
    for (int a = 0; a < rank; a++) {
        d->kernel_shape[a] = check_between(1, 5);
        d->strides[a] = call_chance(10) ? check_between(4, 9) : check_between(1, 3);
        if (call_chance(25)) d->dilations[a] = call_chance(10) ? check_between(9, 30) : check_between(2, 4);
        int64_t extent = (d->kernel_shape[a] - 1) * d->dilations[a] + 1;
        d->pads_begin[a] = check_between(0, call_chance(70) ? extent - 1 : extent + 3);
        d->pads_end[a] = check_between(0, call_chance(70) ? extent - 1 : extent + 3);
        if (call_chance(40))
            d->output_padding[a] =
                check_between(0, (d->strides[a] > d->dilations[a] ? d->strides[a] : d->dilations[a]) - 1);
        l->dims[2 + a] = call_chance(20) ? check_between(1, 2) : check_between(1, rank == 1 ? 90 : rank == 2 ? 19 : 6);
    }
    d->group = call_chance(25) ? check_between(2, 4) : 1;
    d->in_channels = d->group * pick(channels, d->group > 1 ? 3 : count);
    d->out_channels = d->group * pick(channels, d->group > 1 ? 3 : count);
    d->weights_layout = (int32_t)check_between(UPS_IOHW, UPS_HWIO);
    l->desc = *d;
    l->dims[0] = check_between(1, 3);
    l->dims[1] = d->in_channels;
    if (!naive_sizes(d, l->dims + 2, l->out)) return false;
    l->out_dims[0] = l->dims[0];
    l->out_dims[1] = d->out_channels;
    memcpy(l->out_dims + 2, l->out, sizeof l->out);
    l->inputs = naive_count(l->dims, rank);
    l->outputs = naive_count(l->out_dims, rank);
    l->weights = d->in_channels / d->group * d->out_channels * naive_plane(d->kernel_shape, rank);
    return l->outputs * l->weights / d->out_channels < 3000000;
}

static void fill_layer(struct layer *l, float *(*values)(int64_t n))
{
    l->x = values(l->inputs), l->w = call_floats(l->weights), l->g = values(l->outputs);
}

static void free_layer(struct layer *l)
{
    free(l->x), free(l->w), free(l->g);
}

/* The call of one of the gradients; the way of it as it comes. */
static void gradient_call(const struct layer *l, int32_t op, const char *isa, struct call *call)
{
    call_init(call, op, l->desc.rank);
    call->desc.conv = l->desc;
    call->desc.head.op = op;
    bool of_input = op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS || op == UPS_CONV_TRANSPOSE;
    memcpy(call->dims, of_input ? l->dims : l->out_dims, sizeof call->dims);
    call->x = of_input ? l->x : l->g;
    if (op == UPS_CONV_TRANSPOSE_GRAD_INPUT) call->sizes = l->dims + 2;
    if (op == UPS_CONV_TRANSPOSE_GRAD_INPUT || op == UPS_CONV_TRANSPOSE) call->w = l->w;
    if (op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS) call->grad = l->g;
    call->weights_at_run = call->w && call_chance(30);
    call->isa = isa;
    call->src_margin = (int32_t)check_between(0, 1);
    call->dst_margin = (int32_t)check_between(0, 1);
    call->place = (enum check_place)check_between(0, CHECK_PLACES - 1);
}

static const int32_t gradients[] = {UPS_CONV_TRANSPOSE_GRAD_INPUT, UPS_CONV_TRANSPOSE_GRAD_WEIGHTS,
                                    UPS_CONV_TRANSPOSE_GRAD_BIAS};

static int64_t result_count(const struct layer *l, int32_t op)
{
    return op == UPS_CONV_TRANSPOSE_GRAD_INPUT     ? l->inputs
           : op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS ? l->weights
                                                   : l->desc.out_channels;
}

/* Terms of a sum, at most. */
static double terms(const struct layer *l, int32_t op)
{
    const ups_conv_transpose_desc *d = &l->desc;
    if (op == UPS_CONV_TRANSPOSE_GRAD_INPUT)
        return (double)(d->out_channels / d->group * naive_plane(d->kernel_shape, d->rank));
    return op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS ? (double)(l->inputs / d->in_channels)
                                                 : (double)(l->outputs / d->out_channels);
}

/* The formula in double. */
static void naive_gradient(const struct layer *l, int32_t op, const float *x, const float *w, const float *g,
                           double *result)
{
    const ups_conv_transpose_desc *d = &l->desc;
    int64_t plane = naive_plane(l->out, d->rank);
    double *wide = malloc((size_t)l->outputs * sizeof *wide);
    for (int64_t i = 0; i < l->outputs; i++) wide[i] = (double)g[i];
    if (op == UPS_CONV_TRANSPOSE_GRAD_INPUT) naive_conv(d, l->dims, wide, w, l->out, result);
    if (op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS) naive_grad_weights(d, l->dims, x, g, l->out, result);
    for (int64_t o = 0; op == UPS_CONV_TRANSPOSE_GRAD_BIAS && o < d->out_channels; o++) {
        result[o] = 0;
        for (int64_t i = 0; i < l->dims[0] * plane; i++)
            result[o] += wide[(i / plane * d->out_channels + o) * plane + i % plane];
    }
    free(wide);
}

static float *magnitudes(const float *v, int64_t n)
{
    float *m = malloc((size_t)n * sizeof *m);
    for (int64_t i = 0; i < n; i++) m[i] = fabsf(v[i]);
    return m;
}

/* ---- random layers ---- */

static int64_t layers_run;

/* Where the formula gives NaN or an infinity so must the library: nothing is multiplied with padding. */
static void check_special(const struct call *call, const double *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        bool same = isnan(want[i]) ? isnan(call->y[i]) : !isinf(want[i]) || (double)call->y[i] == want[i];
        if (!same || (isfinite(want[i]) && fabs(want[i]) < 1e30 && !isfinite(call->y[i])))
            fail_msg("[%lld]: got %g, want %g\n  %s", (long long)i, (double)call->y[i], want[i], call_text(call));
    }
}

static void check_layer(struct layer *l, int32_t op, bool special)
{
    int64_t n = result_count(l, op);
    double *want = malloc((size_t)n * sizeof *want), *bound = malloc((size_t)n * sizeof *bound);
    float *ax = magnitudes(l->x, l->inputs), *aw = magnitudes(l->w, l->weights), *ag = magnitudes(l->g, l->outputs);
    float *first = NULL; /* of a tier that fuses */
    naive_gradient(l, op, l->x, l->w, l->g, want);
    naive_gradient(l, op, ax, aw, ag, bound);
    for (int t = 0; t < tier_count; t++) {
        struct call call, divided;
        gradient_call(l, op, tiers[t], &call);
        call_status(&call, call_run(&call), UPS_OK);
        assert_int_equal(call_out_count(&call), n);
        layers_run++;
        if (special)
            check_special(&call, want, n);
        else
            call_near(&call, call.y, want, bound, ldexp(4 + 3 * sqrt(terms(l, op)), -24), n);
        gradient_call(l, op, tiers[t], &divided);
        divided.parts = (int32_t)check_between(2, 9);
        call_status(&divided, call_run(&divided), UPS_OK);
        if (!special) call_same(&divided, "divided", divided.y, call.y, n);
        if (!special && first) call_same(&call, "as on another tier", call.y, first, n);
        call_close(&divided);
        if (!first && (t > 0 || op == UPS_CONV_TRANSPOSE_GRAD_BIAS)) {
            first = call.y;
            call.y = NULL;
        }
        call_close(&call);
    }
    free(want), free(bound), free(ax), free(aw), free(ag), free(first);
}

static void check_layers(int count, float *(*values)(int64_t n))
{
    for (int i = 0; i < count; i++) {
        struct layer l;
        if (!random_layer(&l, 70)) continue;
        fill_layer(&l, values);
        for (int j = 0; j < 3; j++) check_layer(&l, gradients[j], values != call_floats);
        free_layer(&l);
    }
}

static void test_layers(void **unused)
{
    (void)unused;
    check_layers(check_quick() ? 60 : 1500, call_floats);
    assert_true(layers_run > 100);
}

/* One element in a hundred is an infinity or NaN. */
static float *sparse_specials(int64_t n)
{
    float *v = call_floats(n);
    for (int64_t i = 0; i < n; i++)
        if (call_chance(1)) v[i] = call_chance(50) ? INFINITY : call_chance(50) ? -INFINITY : NAN;
    return v;
}

static void test_special_values(void **unused)
{
    (void)unused;
    check_layers(check_quick() ? 20 : 300, sparse_specials);
}

/* ---- more than one box, unit and strip ---- */

static void said_layer(struct layer *l, const char *words, int64_t images, const int64_t *sizes)
{
    struct call call;
    memset(l, 0, sizeof *l);
    assert_int_equal(call_say(&call, "conv_transpose", "torch", words), UPS_OK);
    l->desc = call.desc.conv;
    int32_t rank = l->desc.rank;
    l->dims[0] = l->out_dims[0] = images;
    l->dims[1] = l->desc.in_channels, l->out_dims[1] = l->desc.out_channels;
    memcpy(l->dims + 2, sizes, (size_t)rank * sizeof *sizes);
    assert_true(naive_sizes(&l->desc, l->dims + 2, l->out));
    memcpy(l->out_dims + 2, l->out, sizeof l->out);
    l->inputs = naive_count(l->dims, rank);
    l->outputs = naive_count(l->out_dims, rank);
    l->weights = l->desc.in_channels / l->desc.group * l->desc.out_channels * naive_plane(l->desc.kernel_shape, rank);
}

static void test_large_layers(void **unused)
{
    static const struct {
        const char *words;
        int64_t images, sizes[3];
    } layers[] = {
        {"rank=1 in_channels=3 out_channels=5 kernel_shape=16 strides=8 pads=4", 1, {3000}},
        {"rank=1 in_channels=2 out_channels=2 kernel_shape=3 dilations=9000", 2, {700}},
        {"rank=1 in_channels=2 out_channels=3 kernel_shape=3 strides=9000 pads=5", 2, {6}},
        {"rank=2 in_channels=96 out_channels=40 kernel_shape=4,4 strides=2,2 pads=1", 2, {20, 36}},
        {"rank=2 in_channels=40 out_channels=96 kernel_shape=3,3 pads=1 layout=last", 3, {17, 18}},
        {"rank=2 in_channels=300 out_channels=70 kernel_shape=2,2 strides=2,2 layout=last", 1, {9, 9}},
        {"rank=2 in_channels=3 out_channels=3 kernel_shape=64,64 strides=32,32", 1, {5, 6}},
        {"rank=2 in_channels=3 out_channels=2 kernel_shape=3,3 dilations=40,50", 1, {70, 30}},
        {"rank=2 in_channels=2 out_channels=3 kernel_shape=2,2 strides=2,2", 3, {200, 5}}, /* 1200 lines of g */
        {"rank=3 in_channels=5 out_channels=9 kernel_shape=3,3,3 strides=2,2,2 pads=1", 2, {9, 10, 11}},
        {"rank=2 in_channels=64 out_channels=64 group=32 kernel_shape=3,3 pads=1 layout=last", 1, {30, 31}},
    };
    (void)unused;
    int count = sizeof layers / sizeof *layers;
    for (int i = 0; i < (check_quick() ? 3 : count); i++) {
        struct layer l;
        said_layer(&l, layers[i].words, layers[i].images, layers[i].sizes);
        fill_layer(&l, call_floats);
        for (int j = 0; j < 3; j++) check_layer(&l, gradients[j], false);
        free_layer(&l);
    }
}

/* ---- what a gradient is ---- */

/* The loss sum y*g, in double. */
static double loss(const struct layer *l, const float *bias)
{
    double *y = malloc((size_t)l->outputs * sizeof *y), *size = malloc((size_t)l->outputs * sizeof *size), sum = 0;
    naive_conv_transpose(&l->desc, l->dims, l->x, l->w, bias, l->out, y, size);
    for (int64_t i = 0; i < l->outputs; i++) sum += y[i] * (double)l->g[i];
    free(y), free(size);
    return sum;
}

/* Central differences of the loss with one element of x, w or the bias moved: it is linear in each, so they are exact. */
static void test_finite_differences(void **unused)
{
    (void)unused;
    for (int i = 0; i < (check_quick() ? 10 : 100); i++) {
        struct layer l;
        if (!random_layer(&l, 5) || l.outputs > 2000) continue;
        fill_layer(&l, call_floats);
        float *bias = call_floats(l.desc.out_channels);
        float *moved[] = {l.x, l.w, bias};
        for (int j = 0; j < 3; j++) {
            struct call call;
            gradient_call(&l, gradients[j], tiers[tier_count - 1], &call);
            call_status(&call, call_run(&call), UPS_OK);
            for (int k = 0; k < 5; k++) {
                int64_t at = check_between(0, result_count(&l, gradients[j]) - 1);
                float was = moved[j][at];
                moved[j][at] = was + 1;
                double above = loss(&l, bias), up = (double)moved[j][at];
                moved[j][at] = was - 1;
                double slope = (above - loss(&l, bias)) / (up - (double)moved[j][at]);
                moved[j][at] = was;
                if (!(fabs(slope - (double)call.y[at]) <= 1e-4 * (fabs(slope) + sqrt((double)l.outputs))))
                    fail_msg("[%lld]: got %g, slope %g\n  %s", (long long)at, (double)call.y[at], slope,
                             call_text(&call));
            }
            call_close(&call);
        }
        free_layer(&l);
        free(bias);
    }
}

static double dot(const float *a, const float *b, int64_t n, double *size)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
        *size += fabs((double)a[i] * (double)b[i]);
    }
    return sum;
}

/* <conv_transpose(x), g> = <x, grad_input(g)> = <w, grad_weights(x, g)>, all by the library. */
static void test_adjoint(void **unused)
{
    (void)unused;
    for (int i = 0; i < (check_quick() ? 20 : 400); i++) {
        struct layer l;
        if (!random_layer(&l, 40)) continue;
        fill_layer(&l, call_floats);
        struct call y, x, w;
        const char *isa = tiers[check_between(0, tier_count - 1)];
        gradient_call(&l, UPS_CONV_TRANSPOSE, isa, &y);
        y.algorithm = "phase";
        gradient_call(&l, UPS_CONV_TRANSPOSE_GRAD_INPUT, isa, &x);
        gradient_call(&l, UPS_CONV_TRANSPOSE_GRAD_WEIGHTS, isa, &w);
        call_status(&y, call_run(&y), UPS_OK);
        call_status(&x, call_run(&x), UPS_OK);
        call_status(&w, call_run(&w), UPS_OK);
        double size = 0;
        double by_output = dot(y.y, l.g, l.outputs, &size), by_input = dot(x.y, l.x, l.inputs, &size);
        double by_weights = dot(w.y, l.w, l.weights, &size);
        if (!(fabs(by_output - by_input) <= 1e-5 * size && fabs(by_output - by_weights) <= 1e-5 * size))
            fail_msg("%g, %g, %g\n  %s", by_output, by_input, by_weights, call_text(&y));
        call_close(&y), call_close(&x), call_close(&w);
        free_layer(&l);
    }
}

/* ---- sizes ---- */

/* The sizes of the input that may be asked for are those whose outputs may have the size; every shape rule, by trial. */
static void test_sizes(void **unused)
{
    static const char *const presets[] = {"torch", "onnx", "ort", "tf", "openvino"};
    enum { MOST = 80 };
    int64_t solved = 0;
    (void)unused;
    for (int trial = 0; trial < (check_quick() ? 500 : 20000); trial++) {
        ups_conv_transpose_desc d, forward;
        struct naive_fit fit;
        ups_desc_init(&forward, sizeof forward, UPS_CONV_TRANSPOSE, presets[check_between(0, 4)]);
        forward.rank = 1;
        forward.in_channels = forward.out_channels = 1;
        forward.kernel_shape[0] = check_between(1, 5);
        forward.strides[0] = check_between(1, 4);
        forward.dilations[0] = check_between(1, 4);
        forward.auto_pad = (int32_t)check_between(UPS_NOTSET, UPS_VALID);
        if (forward.auto_pad == UPS_NOTSET && call_chance(70))
            forward.pads_begin[0] = check_between(0, 4), forward.pads_end[0] = check_between(0, 4);
        int64_t slack = forward.strides[0] > forward.dilations[0] ? forward.strides[0] : forward.dilations[0];
        if (call_chance(30)) forward.output_padding[0] = check_between(0, slack - 1);
        d = forward;
        d.op = UPS_CONV_TRANSPOSE_GRAD_INPUT;
        int64_t m = check_between(1, 40), least = 0, most = 0, smallest, standard, largest, own = 0;
        for (int64_t n = 1; n <= MOST; n++) {
            if (naive_conv_fit(&forward, 0, n, 0, &fit) && fit.m == m) own = n;
            if (!naive_conv_fit(&forward, 0, n, m, &fit) || fit.m != m) continue;
            if (!least) least = n;
            most = n;
        }
        int32_t status = ups_shape(&d, &m, &smallest, &standard, &largest);
        char text[256];
        snprintf(text, sizeof text, "preset %s k=%d s=%d d=%d pads=%d,%d op=%d auto_pad=%d m=%d: %d to %d, own %d",
                 ups_preset(forward.preset - 1), (int)forward.kernel_shape[0], (int)forward.strides[0],
                 (int)forward.dilations[0], (int)forward.pads_begin[0], (int)forward.pads_end[0],
                 (int)forward.output_padding[0], forward.auto_pad, (int)m, (int)least, (int)most, (int)own);
        if (least ? status != UPS_OK : status != UPS_INVALID) fail_msg("status %d: %s", status, text);
        if (!least) continue;
        int64_t wanted = least == most ? least : own;
        if (smallest != least || (largest < MOST ? largest : MOST) != most || standard != wanted)
            fail_msg("got %d, %d, %d: %s", (int)smallest, (int)standard, (int)largest, text);
        solved++;
    }
    assert_true(solved > 100);
}

/* ---- the rest of the interface ---- */

/* Without an image the sums are zeros, and the gradient of the input has no element. */
static void test_no_images(void **unused)
{
    (void)unused;
    for (int j = 0; j < 3; j++) {
        struct layer l;
        struct call call;
        said_layer(&l, "rank=2 in_channels=3 out_channels=2 kernel_shape=3,3", 1, (int64_t[]){4, 5});
        fill_layer(&l, call_floats);
        l.dims[0] = l.out_dims[0] = 0;
        gradient_call(&l, gradients[j], NULL, &call);
        call_status(&call, call_run(&call), UPS_OK);
        assert_int_equal(call_out_count(&call), j ? result_count(&l, gradients[j]) : 0);
        for (int64_t i = 0; i < call_out_count(&call); i++) assert_int_equal(check_bits(call.y[i]), 0);
        call_close(&call);
        free_layer(&l);
    }
}

static void refused(int32_t got, int32_t want, const char *a, const char *b)
{
    const char *text = ups_last_error();
    if (got != want || !strstr(text, a) || !strstr(text, b))
        fail_msg("status %d, want %d; \"%s\" lacks \"%s\" or \"%s\"", got, want, text, a, b);
}

/* The gradient of a sum is one number seen everywhere: all its strides are 0. */
static void test_broadcast_gradient(void **unused)
{
    struct layer l;
    struct call call;
    ups_op *op;
    ups_plan *plan;
    ups_buffers buffers;
    (void)unused;
    said_layer(&l, "rank=2 in_channels=3 out_channels=1 kernel_shape=3,3 strides=2,2", 2, (int64_t[]){4, 1});
    fill_layer(&l, call_floats);
    for (int64_t i = 0; i < l.outputs; i++) l.g[i] = 0.5f;
    gradient_call(&l, UPS_CONV_TRANSPOSE_GRAD_WEIGHTS, NULL, &call);
    call_status(&call, call_run(&call), UPS_OK);
    call.desc.head.layout = UPS_CHANNELS_LAST; /* C = 1: any stride will do */
    ups_tensor src, grad = {.size = sizeof grad, .dtype = UPS_F32, .rank = 2};
    ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_LAST, l.dims);
    memcpy(grad.dims, l.out_dims, sizeof grad.dims);
    float half = 0.5f, *x = malloc((size_t)l.inputs * sizeof *x), *w = malloc((size_t)l.weights * sizeof *w);
    for (int64_t i = 0; i < l.inputs; i++) x[i] = l.x[i / 12 * 12 + i % 3 * 4 + i % 12 / 3];
    assert_int_equal(ups_op_create(&call.desc, NULL, NULL, NULL, &op), UPS_OK);
    assert_int_equal(ups_plan_create(op, &src, &grad, NULL, &plan), UPS_OK);
    ups_buffers_init(&buffers, sizeof buffers);
    buffers.src = x, buffers.grad = &half, buffers.dst = w;
    size_t bytes = ups_plan_workspace(plan, 1);
    void *work = malloc(bytes);
    assert_int_equal(ups_run(plan, &buffers, work, bytes), UPS_OK);
    call_same(&call, "broadcast", w, call.y, l.weights);
    ups_plan_destroy(plan);
    grad.dims[2] += 5;
    refused(ups_plan_create(op, &src, &grad, NULL, &plan), UPS_INVALID, "out_sizes[0] = 14", "9 to 10");
    grad.dims[2] -= 5, grad.dims[1] = 2, grad.strides[1] = 1;
    refused(ups_plan_create(op, &src, &grad, NULL, &plan), UPS_INVALID, "dst.dims[1] (C) = 2", "legal: 1");
    grad.strides[1] = 3;
    refused(ups_plan_create(op, &src, &grad, NULL, &plan), UPS_UNSUPPORTED, "dst.strides[1] = 3", "legal: 1");
    ups_op_destroy(op);
    free(work), free(x), free(w);
    call_close(&call);
    free_layer(&l);
}

/* The tensor of the weights has their layout's axes and strides. */
static void test_weight_tensor(void **unused)
{
    static const struct {
        const char *layout;
        int64_t dims[4], strides[4];
    } rows[] = {
        {"IOHW", {6, 2, 3, 5}, {30, 15, 5, 1}}, {"OIHW", {4, 3, 3, 5}, {45, 15, 5, 1}},
        {"HWOI", {4, 3, 3, 5}, {3, 1, 60, 12}}, {"OHWI", {4, 3, 3, 5}, {45, 1, 15, 3}},
        {"HWIO", {6, 2, 3, 5}, {2, 1, 60, 12}},
    };
    (void)unused;
    for (int i = 0; i < 5; i++) {
        char words[160];
        struct layer l;
        struct call call;
        snprintf(words, sizeof words, "rank=2 in_channels=6 out_channels=4 group=2 kernel_shape=3,5 weights_layout=%s",
                 rows[i].layout);
        said_layer(&l, words, 1, (int64_t[]){2, 2});
        fill_layer(&l, call_floats);
        gradient_call(&l, UPS_CONV_TRANSPOSE_GRAD_WEIGHTS, NULL, &call);
        call_status(&call, call_open(&call), UPS_OK);
        ups_tensor t = {.size = sizeof t};
        assert_int_equal(ups_plan_tensor(call.plan, UPS_ROLE_DST, &t), UPS_OK);
        assert_memory_equal(t.dims, rows[i].dims, sizeof rows[i].dims);
        assert_memory_equal(t.strides, rows[i].strides, sizeof rows[i].strides);
        assert_int_equal(ups_plan_tensor(call.plan, UPS_ROLE_GRAD, &t), UPS_OK);
        assert_memory_equal(t.dims, ((int64_t[]){1, 4, 4, 6}), 4 * sizeof *t.dims);
        call_shut(&call);
        call_close(&call);
        free_layer(&l);
    }
}

static void test_errors(void **unused)
{
    ups_conv_transpose_desc d;
    ups_op *op;
    ups_plan *plan;
    ups_options options;
    ups_tensor src, t = {.size = sizeof t};
    ups_buffers buffers;
    float v[4096] = {0};
    (void)unused;
    for (int j = 0; j < 3; j++) {
        bool weights = gradients[j] == UPS_CONV_TRANSPOSE_GRAD_INPUT;
        ups_desc_init(&d, sizeof d, gradients[j], NULL);
        ups_desc_set(&d, "in_channels", "3"), ups_desc_set(&d, "out_channels", "2");
        ups_desc_set(&d, "kernel_shape", "3,3"), ups_desc_set(&d, "strides", "2,2");
        ups_desc_set(&d, "activation", "relu");
        refused(ups_op_create(&d, weights ? v : NULL, NULL, NULL, &op), UPS_INVALID, "activation = relu", "none");
        ups_desc_set(&d, "activation", "none");
        refused(ups_op_create(&d, weights ? NULL : v, NULL, NULL, &op), UPS_INVALID, "weights",
                weights ? "array" : "none");
        refused(ups_op_create(&d, weights ? v : NULL, v, NULL, &op), UPS_INVALID, "bias", "none");
        ups_options_init(&options, sizeof options);
        options.algorithm = "phase";
        refused(ups_op_create(&d, weights ? v : NULL, NULL, &options, &op), UPS_INVALID, "algorithm = \"phase\"",
                "direct");
        options.algorithm = "direct";
        options.flags = UPS_WEIGHTS_AT_RUN;
        if (!weights)
            refused(ups_op_create(&d, NULL, NULL, &options, &op), UPS_INVALID, "UPS_WEIGHTS_AT_RUN", "no weights");
        options.flags = 0;
        assert_int_equal(ups_op_create(&d, weights ? v : NULL, NULL, &options, &op), UPS_OK);
        bool of_input = gradients[j] == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS;
        ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_FIRST, (int64_t[]){1, 5, 4, 4});
        refused(ups_plan_create(op, &src, NULL, NULL, &plan), UPS_INVALID, "src.dims[1] (C) = 5",
                of_input ? "in_channels = 3" : "out_channels = 2");
        ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_FIRST, (int64_t[]){1, of_input ? 3 : 2, 9, 9});
        if (weights)
            refused(ups_plan_create(op, &src, NULL, (int64_t[]){4, 5}, &plan), UPS_INVALID, "out_sizes[1] = 5",
                    "4 to 4");
        if (of_input)
            refused(ups_plan_create(op, &src, NULL, (int64_t[]){19, 99}, &plan), UPS_INVALID, "out_sizes[1] = 99",
                    "20");
        assert_int_equal(ups_plan_create(op, &src, NULL, NULL, &plan), UPS_OK);
        if (!of_input)
            refused(ups_plan_tensor(plan, UPS_ROLE_GRAD, &t), UPS_INVALID, "UPS_ROLE_GRAD", "no grad tensor");
        refused(ups_plan_tensor(plan, 5, &t), UPS_INVALID, "role = 5", "UPS_ROLE_GRAD 4");
        static float big[4096], work[1 << 20];
        ups_buffers_init(&buffers, sizeof buffers);
        buffers.src = v, buffers.dst = big, buffers.grad = of_input ? NULL : v;
        refused(ups_run(plan, &buffers, work, sizeof work), UPS_INVALID, "buffers.grad",
                of_input ? "NULL" : "takes none");
        buffers.grad = of_input ? big + 7 : NULL;
        if (of_input) refused(ups_run(plan, &buffers, work, sizeof work), UPS_INVALID, "grad", "overlap");
        ups_plan_destroy(plan);
        ups_op_destroy(op);
    }
    /* no pads given, ONNX: any size of the input may have had this output */
    ups_desc_init(&d, sizeof d, UPS_CONV_TRANSPOSE_GRAD_INPUT, "onnx");
    ups_desc_set(&d, "in_channels", "1"), ups_desc_set(&d, "out_channels", "1");
    ups_desc_set(&d, "kernel_shape", "3,3"), ups_desc_set(&d, "strides", "2,2");
    assert_int_equal(ups_op_create(&d, v, NULL, NULL, &op), UPS_OK);
    ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_FIRST, (int64_t[]){1, 1, 8, 9});
    refused(ups_plan_create(op, &src, NULL, NULL, &plan), UPS_INVALID, "out_sizes = NULL", "in[0] = 8");
    assert_int_equal(ups_plan_create(op, &src, NULL, (int64_t[]){4, 4}, &plan), UPS_OK);
    ups_plan_destroy(plan);
    ups_op_destroy(op);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_large_layers),  cmocka_unit_test(test_finite_differences),
        cmocka_unit_test(test_adjoint),       cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_no_images),     cmocka_unit_test(test_broadcast_gradient),
        cmocka_unit_test(test_weight_tensor), cmocka_unit_test(test_errors),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests_name("gradients", tests, NULL, NULL);
}
