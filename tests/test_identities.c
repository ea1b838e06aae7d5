/* SPDX-License-Identifier: MIT
 *
 * Identities between the operations, as properties of random calls on every tier. Where equality is demanded the data are
 * small whole numbers, whose sums are exact in any order. The convolutions they need are plain loops here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

static const char *tiers[8];
static int tier_count;
enum { ROUNDS = 12 };

/* A random image: N, C, H, W. */
struct image {
    int64_t n, c, h, w;
    float *x;
};

static int64_t size_of(const struct image *i)
{
    return i->n * i->c * i->h * i->w;
}

static struct image integers(int64_t c)
{
    struct image i = {check_between(1, 2), c, check_between(1, 9), check_between(1, 21), NULL};
    i.x = call_integers(size_of(&i), 8);
    return i;
}

static void start(struct call *call, int32_t op, const struct image *i, int tier)
{
    call_init(call, op, 2);
    call->desc.head.layout = (int32_t)check_between(1, 2);
    call->dims[0] = i->n, call->dims[1] = i->c, call->dims[2] = i->h, call->dims[3] = i->w;
    call->x = i->x;
    call->isa = tiers[tier];
}

static void set(struct call *call, const char *name, int64_t a, int64_t b)
{
    char value[64];
    snprintf(value, sizeof value, "%lld,%lld", (long long)a, (long long)b);
    assert_int_equal(ups_desc_set(&call->desc, name, value), UPS_OK);
}

static void run(struct call *call)
{
    call_status(call, call_run(call), UPS_OK);
}

static void expand(struct call *call, int32_t op, const struct image *i, int tier, const int64_t r[2],
                   const int64_t at[2])
{
    start(call, op, i, tier);
    set(call, "factor", r[0], r[1]);
    if (at) set(call, "offset", at[0], at[1]);
    run(call);
}

/* A depthwise transposed convolution with one kernel for every channel. */
static float *depthwise(struct call *call, const struct image *i, int tier, const int64_t k[2], const int64_t s[2],
                        const float *kernel)
{
    float *w = malloc((size_t)(i->c * k[0] * k[1]) * sizeof *w);
    for (int64_t c = 0; c < i->c; c++) memcpy(w + c * k[0] * k[1], kernel, (size_t)(k[0] * k[1]) * sizeof *w);
    start(call, UPS_CONV_TRANSPOSE, i, tier);
    call->desc.conv.in_channels = call->desc.conv.out_channels = call->desc.conv.group = i->c;
    set(call, "kernel_shape", k[0], k[1]);
    set(call, "strides", s[0], s[1]);
    call->w = w;
    call->policy = UPS_POLICY_REPRODUCIBLE;
    return w;
}

/* 1, 2: a kernel of ones is replication, a delta is a bed of nails. 3: the bed, convolved with ones, is replication. */
static void test_replication_and_nails_are_deconvolutions(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * tier_count; round++) {
        struct image i = integers(check_between(1, 5));
        const int64_t r[2] = {check_between(1, 4), check_between(1, 4)},
                      at[2] = {check_between(0, r[0] - 1), check_between(0, r[1] - 1)};
        float ones[16], delta[16] = {0};
        struct call replicate, nails, a, b;
        for (int k = 0; k < 16; k++) ones[k] = 1;
        delta[at[0] * r[1] + at[1]] = 1;
        int tier = round % tier_count;
        expand(&replicate, UPS_REPLICATE, &i, tier, r, NULL);
        expand(&nails, UPS_BED_OF_NAILS, &i, tier, r, at);
        float *wa = depthwise(&a, &i, tier, r, r, ones), *wb = depthwise(&b, &i, tier, r, r, delta);
        run(&a);
        run(&b);
        int64_t n = call_out_count(&replicate), width = i.w * r[1], height = i.h * r[0];
        call_same(&a, "deconvolution with ones", a.y, replicate.y, n);
        for (int64_t k = 0; k < n; k++) /* -0 of a product with 0 equals 0 */
            assert_true(b.y[k] == nails.y[k]);
        for (int64_t k = 0; k < n; k++) {
            int64_t h = k / width % height, w = k % width;
            float sum = 0; /* the window that covers (h, w) and ends with the nail of its cell */
            for (int64_t dh = 0; dh < r[0]; dh++)
                for (int64_t dw = 0; dw < r[1]; dw++)
                    sum += nails.y[k + (h / r[0] * r[0] + dh - h) * width + (w / r[1] * r[1] + dw - w)];
            assert_true(sum == replicate.y[k]);
        }
        call_close(&replicate), call_close(&nails), call_close(&a), call_close(&b);
        free(wa), free(wb), free(i.x);
    }
}

/* 4: the bilinear filler of factor s is half-pixel bilinear resize, but for the border. */
static void test_bilinear_filler_is_resize_inside(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * tier_count; round++) {
        struct image i = integers(2);
        int64_t s = check_between(1, 4), k = 2 * s - s % 2, m0 = s - s / 2;
        double f = ceil((double)k / 2), c = (double)(k - 1) / 2 / f; /* symmetric about its middle */
        float kernel[64];
        for (int64_t t = 0; t < k * k; t++)
            kernel[t] = (float)((1 - fabs((double)(t / k) / f - c)) * (1 - fabs((double)(t % k) / f - c)));
        struct call a, b;
        const int64_t kk[2] = {k, k}, ss[2] = {s, s};
        float *w = depthwise(&a, &i, round % tier_count, kk, ss, kernel);
        assert_int_equal(ups_desc_set(&a.desc, "pads", (const char *[]){"0", "0", "1", "1", "2"}[s]),
                         UPS_OK); /* ceil((s - 1)/2) */
        run(&a);
        start(&b, UPS_RESIZE, &i, round % tier_count);
        set(&b, "sizes", i.h * s, i.w * s);
        run(&b);
        assert_int_equal(a.out_dims[2], i.h * s);
        assert_int_equal(a.out_dims[3], i.w * s);
        for (int64_t o = 0; o < call_out_count(&b); o++) {
            int64_t x = o % (i.w * s), y = o / (i.w * s) % (i.h * s);
            if (x >= m0 && x < i.w * s - m0 && y >= m0 && y < i.h * s - m0)
                assert_true(fabs((double)a.y[o] - (double)b.y[o]) < 1e-4);
        }
        call_close(&a), call_close(&b);
        free(w), free(i.x);
    }
}

/* A dense transposed convolution on whole numbers: returns the weights [ci][co][kh][kw]. */
static float *dense(struct call *call, const struct image *i, int tier, int64_t out, int64_t k, int64_t s, int64_t d)
{
    static const char *const algorithms[] = {NULL, "phase", "gemm", "scatter"};
    float *w = call_integers(i->c * out * k * k, 3);
    start(call, UPS_CONV_TRANSPOSE, i, tier);
    call->desc.conv.in_channels = i->c;
    call->desc.conv.out_channels = out;
    set(call, "kernel_shape", k, k);
    set(call, "strides", s, s);
    set(call, "dilations", d, d);
    call->w = w;
    call->algorithm = algorithms[check_between(0, 3)];
    run(call);
    return w;
}

/* 5: <conv(v), x> = <v, deconv(x)> for any v. 17: the sum of a full deconvolution is the product of the sums. */
static void test_adjoint_and_sum(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * tier_count; round++) {
        struct image i = integers(check_between(1, 4));
        int64_t out = check_between(1, 5), k = check_between(1, 4), s = check_between(1, 3), d = check_between(1, 2);
        struct call a;
        float *w = dense(&a, &i, round % tier_count, out, k, s, d);
        int64_t oh = a.out_dims[2], ow = a.out_dims[3], count = call_out_count(&a);
        float *v = call_integers(count, 3);
        double left = 0, right = 0, sum = 0, sums = 0;
        for (int64_t o = 0; o < count; o++) right += (double)v[o] * (double)a.y[o], sum += (double)a.y[o];
        for (int64_t n = 0; n < i.n; n++)
            for (int64_t ci = 0; ci < i.c; ci++) {
                double total = 0, weights = 0;
                for (int64_t p = 0; p < i.h * i.w; p++) {
                    double x = (double)i.x[(n * i.c + ci) * i.h * i.w + p], dot = 0;
                    for (int64_t co = 0; co < out; co++)
                        for (int64_t t = 0; t < k * k; t++)
                            dot +=
                                (double)w[(ci * out + co) * k * k + t] *
                                (double)
                                    v[((n * out + co) * oh + p / i.w * s + t / k * d) * ow + p % i.w * s + t % k * d];
                    left += x * dot;
                    total += x;
                }
                for (int64_t t = 0; t < out * k * k; t++) weights += (double)w[ci * out * k * k + t];
                sums += total * weights;
            }
        assert_true(left == right);
        assert_true(sum == sums);
        call_close(&a);
        free(w), free(v), free(i.x);
    }
}

/* 6: a deconvolution is a convolution at stride 1 of the input with zeros between, kernel flipped, pad E - 1. */
static void test_zero_insertion(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * tier_count; round++) {
        struct image i = integers(check_between(1, 3));
        int64_t out = check_between(1, 3), k = check_between(1, 4), s = check_between(1, 3), d = check_between(1, 2);
        struct call a;
        float *w = dense(&a, &i, round % tier_count, out, k, s, d);
        for (int64_t o = 0; o < call_out_count(&a); o++) {
            int64_t ox = o % a.out_dims[3], oy = o / a.out_dims[3] % a.out_dims[2],
                    plane = o / a.out_dims[3] / a.out_dims[2];
            double sum = 0;
            for (int64_t ci = 0; ci < i.c; ci++)
                for (int64_t u = 0; u < k * k;
                     u++) { /* tap u of the flipped kernel reads the stuffed image at o + u*d - (E - 1) */
                    int64_t y = oy + u / k * d - d * (k - 1), x = ox + u % k * d - d * (k - 1);
                    bool real = y >= 0 && x >= 0 && y % s == 0 && x % s == 0 && y / s < i.h && x / s < i.w;
                    if (real)
                        sum += (double)w[(ci * out + plane % out) * k * k + (k * k - 1 - u)] *
                               (double)i.x[((plane / out * i.c + ci) * i.h + y / s) * i.w + x / s];
                }
            assert_true(sum == (double)a.y[o]);
        }
        call_close(&a);
        free(w), free(i.x);
    }
}

static void pool(struct call *call, const struct image *i, int tier, int64_t k, int64_t s)
{
    start(call, UPS_MAX_POOL, i, tier);
    set(call, "kernel_shape", k, k);
    set(call, "strides", s, s);
    run(call);
}

/* 8: unpooling keeps every maximum where it was, one to a window, and pooling again gives the same. 18: indices do not
 * change with positive scaling, values commute with it. */
static void test_pool_and_unpool(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * tier_count; round++) {
        int tier = round % tier_count;
        int64_t k = check_between(1, 3);
        struct image i = {1, check_between(1, 18), k * check_between(1, 6), k * check_between(1, 12), NULL};
        struct call a, b, c, scaled;
        i.x = call_integers(size_of(&i), 50);
        for (int64_t p = 0; p < size_of(&i); p++) i.x[p] = fabsf(i.x[p]) + 1;
        pool(&a, &i, tier, k, k);
        struct image small = {1, i.c, i.h / k, i.w / k, a.y}, large = {1, i.c, i.h, i.w, NULL};
        start(&b, UPS_MAX_UNPOOL, &small, tier);
        set(&b, "kernel_shape", k, k);
        b.index = a.switches;
        run(&b);
        large.x = b.y;
        pool(&c, &large, tier, k, k);
        call_same(&c, "pooled again", c.y, a.y, call_out_count(&a));
        call_same_index(&c, "pooled again", c.switches, a.switches, call_out_count(&a));
        int64_t kept = 0;
        for (int64_t p = 0; p < size_of(&i); p++) {
            kept += b.y[p] != 0;
            assert_true(b.y[p] == 0 || b.y[p] == i.x[p]);
        }
        assert_int_equal(kept, call_out_count(&a));
        for (int64_t p = 0; p < size_of(&i); p++) i.x[p] *= 4;
        pool(&scaled, &i, tier, k, k);
        call_same_index(&scaled, "scaled", scaled.switches, a.switches, call_out_count(&a));
        for (int64_t p = 0; p < call_out_count(&a); p++) assert_true(scaled.y[p] == 4 * a.y[p]);
        call_close(&a), call_close(&b), call_close(&c), call_close(&scaled);
        free(i.x);
    }
}

static void resize(struct call *call, const struct image *i, int tier, int32_t mode, int32_t transform, int32_t round,
                   int64_t h, int64_t w)
{
    start(call, UPS_RESIZE, i, tier);
    call->desc.resize.mode = mode;
    call->desc.resize.coordinate_transformation_mode = transform;
    call->desc.resize.nearest_mode = round;
    call->desc.resize.coordinate_arithmetic = UPS_COORDINATES_F64;
    set(call, "sizes", h, w);
    run(call);
}

/* 15: nearest by a whole factor is replication for asymmetric/floor and half_pixel/round_prefer_*, not for half_pixel/floor. */
static void test_nearest_is_replication(void **state)
{
    static const int32_t rules[][2] = {{UPS_ASYMMETRIC, UPS_NEAREST_FLOOR},
                                       {UPS_HALF_PIXEL, UPS_ROUND_PREFER_FLOOR},
                                       {UPS_HALF_PIXEL, UPS_ROUND_PREFER_CEIL},
                                       {UPS_HALF_PIXEL, UPS_NEAREST_FLOOR}};
    (void)state;
    for (int round = 0; round < ROUNDS * tier_count; round++) {
        struct image i = integers(3);
        const int64_t r[2] = {check_between(2, 4), check_between(2, 4)};
        struct call a, b;
        for (int64_t p = 0; p < size_of(&i); p++) i.x[p] = (float)p; /* every pixel its own value */
        expand(&a, UPS_REPLICATE, &i, round % tier_count, r, NULL);
        for (int rule = 0; rule < 4; rule++) {
            resize(&b, &i, round % tier_count, UPS_MODE_NEAREST, rules[rule][0], rules[rule][1], i.h * r[0],
                   i.w * r[1]);
            bool equal = !memcmp(a.y, b.y, (size_t)call_out_count(&a) * sizeof *a.y);
            assert_true(equal == (rule < 3 || i.h * i.w == 1));
            call_close(&b);
        }
        call_close(&a);
        free(i.x);
    }
}

/* 11: constants stay constant. 16: half-pixel bilinear to half the size is the mean of 2x2. */
static void test_linear(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * tier_count; round++) {
        struct image i = {1, 3, 2 * check_between(1, 6), 2 * check_between(1, 12), NULL};
        struct call a;
        i.x = call_integers(size_of(&i), 8);
        resize(&a, &i, round % tier_count, UPS_MODE_LINEAR, UPS_HALF_PIXEL, UPS_NEAREST_FLOOR, i.h / 2, i.w / 2);
        for (int64_t o = 0; o < call_out_count(&a); o++) {
            const float *p =
                i.x + (o / (i.w / 2) / (i.h / 2) * i.h + o / (i.w / 2) % (i.h / 2) * 2) * i.w + o % (i.w / 2) * 2;
            assert_true((p[0] + p[1] + p[i.w] + p[i.w + 1]) / 4 == a.y[o]);
        }
        call_close(&a);
        for (int64_t p = 0; p < size_of(&i); p++) i.x[p] = 0.7f;
        resize(&a, &i, round % tier_count, UPS_MODE_LINEAR, (int32_t)check_between(1, 3), UPS_NEAREST_FLOOR,
               check_between(1, 30), check_between(1, 30));
        for (int64_t o = 0; o < call_out_count(&a); o++) assert_true(fabsf(a.y[o] - 0.7f) < 1e-6f);
        call_close(&a);
        free(i.x);
    }
}

/* 12, 13: deconvolution is linear, and moving the input by one moves the output by the stride. */
static void test_linearity_and_translation(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * tier_count; round++) {
        struct image i = integers(2), moved = i, sum = i;
        int64_t s = check_between(1, 3), k = check_between(1, 4), plane = i.h * i.w;
        struct call a, b, c;
        moved.x = calloc((size_t)size_of(&i), sizeof(float));
        sum.x = malloc((size_t)size_of(&i) * sizeof(float));
        for (int64_t p = 0; p < size_of(&i); p++)
            if (p % plane % i.w == i.w - 1) i.x[p] = 0; /* nothing falls off the edge */
        for (int64_t p = 1; p < size_of(&i); p++) moved.x[p] = p % i.w ? i.x[p - 1] : 0;
        for (int64_t p = 0; p < size_of(&i); p++) sum.x[p] = i.x[p] - 2 * moved.x[p];
        float *w = dense(&a, &i, round % tier_count, 3, k, s, 1);
        b = a, c = a;
        b.x = moved.x, c.x = sum.x;
        run(&b);
        run(&c);
        int64_t width = a.out_dims[3];
        for (int64_t o = 0; o < call_out_count(&a); o++) {
            assert_true(c.y[o] == a.y[o] - 2 * b.y[o]);
            assert_true(b.y[o] == (o % width >= s ? a.y[o - s] : 0));
        }
        call_close(&a), call_close(&b), call_close(&c);
        free(w), free(i.x), free(moved.x), free(sum.x);
    }
}

/* 19: both layouts agree bit for bit, values and indices. */
static void test_layouts_agree(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS * tier_count; round++) {
        struct image i = {2, check_between(1, 19), check_between(3, 9), check_between(3, 20), NULL};
        struct call call[2];
        int op = round % 4;
        i.x = call_floats(size_of(&i));
        float *w = call_floats(i.c * 7 * 9);
        for (int l = 0; l < 2; l++) {
            struct call *c = &call[l];
            start(c, op < 2 ? UPS_MAX_POOL : op == 2 ? UPS_RESIZE : UPS_CONV_TRANSPOSE, &i, round / 4 % tier_count);
            c->desc.head.layout = l ? UPS_CHANNELS_LAST : UPS_CHANNELS_FIRST;
            if (op != 2) set(c, "kernel_shape", op == 0 ? 2 : 3, op == 0 ? 2 : 3);
            if (op == 2) c->desc.resize.mode = UPS_MODE_NEAREST, set(c, "sizes", 2 * i.h + 1, 3 * i.w / 2);
            if (op == 3) {
                c->desc.conv.in_channels = i.c, c->desc.conv.out_channels = 7;
                set(c, "strides", 2, 2);
                c->w = w;
                c->policy = UPS_POLICY_REPRODUCIBLE;
            }
            run(c);
        }
        call_same(&call[1], "channels last", call[1].y, call[0].y, call_out_count(&call[0]));
        if (op < 2)
            call_same_index(&call[1], "channels last", call[1].switches, call[0].switches, call_out_count(&call[0]));
        call_close(&call[0]), call_close(&call[1]);
        free(w), free(i.x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replication_and_nails_are_deconvolutions),
        cmocka_unit_test(test_bilinear_filler_is_resize_inside),
        cmocka_unit_test(test_adjoint_and_sum),
        cmocka_unit_test(test_zero_insertion),
        cmocka_unit_test(test_pool_and_unpool),
        cmocka_unit_test(test_nearest_is_replication),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_linearity_and_translation),
        cmocka_unit_test(test_layouts_agree),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
