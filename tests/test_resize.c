/* SPDX-License-Identifier: MIT
 *
 * Resize on every tier this machine runs, against naive_resize.c: random settings of every field, in both layouts and in
 * parts; and identities that need no reference.
 *
 * Copies must be equal to the bit. Sums may miss the double result by the roundings of the longest sum.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"
#include "naive_resize.h"

static const char *tiers[8];
static int tier_count;

static int64_t cases(int64_t n)
{
    return check_quick() ? n / 30 + 1 : n;
}

static int64_t product(const int64_t *v, int n)
{
    int64_t p = 1;
    for (int i = 0; i < n; i++) p *= v[i];
    return p;
}

static int64_t in_count(const struct call *call)
{
    return product(call->dims, call->desc.head.rank + 2);
}

static void *room(int64_t n, size_t each)
{
    void *memory = calloc((size_t)n + 1, each);
    assert_non_null(memory);
    return memory;
}

/* ---- random calls ---- */

static double random_scale(void)
{
    static const double usual[] = {0.5, 0.6, 1, 1.3, 1.5, 2, 2.3, 2.5, 3, 4, 1.0 / 3};
    return call_chance(70) ? usual[check_between(0, 10)] : 0.2 + (double)check_between(0, 3800) / 1000;
}

/* Every axis short but the last; now and then a tall one, which takes many rows. */
static void random_dims(struct call *call)
{
    static const int64_t channels[] = {1, 2, 3, 5, 8, 17};
    int32_t rank = call->desc.head.rank;
    call->dims[0] = check_between(1, 2);
    call->dims[1] = rank == 3 ? check_between(1, 3) : channels[check_between(0, 5)];
    for (int a = 0; a < rank; a++) call->dims[2 + a] = check_between(1, rank == 3 ? 5 : 9);
    call->dims[rank + 1] = check_between(1, rank == 1 ? 80 : 40);
    if (rank == 2 && call_chance(15)) call->dims[2] = check_between(20, 90);
}

static void random_sizes(struct call *call, int64_t sizes[3])
{
    ups_resize_desc *d = &call->desc.resize;
    bool scales = call_chance(50), sized = !scales || call_chance(30), plan = call_chance(30);
    for (int a = 0; a < d->rank; a++) {
        int64_t n = call->dims[2 + a];
        if (scales) d->scales[a] = random_scale();
        sizes[a] = call_chance(20) ? n : call_chance(30) ? n * check_between(2, 4) : check_between(1, 3 * n);
        if (sized && !plan) d->sizes[a] = sizes[a];
    }
    if (sized && plan) call->sizes = sizes;
    if (!scales && !plan && call_chance(20)) d->keep_aspect_ratio_policy = (int32_t)check_between(1, 3);
    if (call_chance(20)) d->axes = (int32_t)check_between(1, (1 << d->rank) - 1);
    for (int a = 0; a < d->rank && call->sizes; a++)
        if (!(d->axes >> a & 1)) sizes[a] = call->dims[2 + a];
}

static void random_filter(ups_resize_desc *d)
{
    static const double coefficients[] = {-0.75, -0.5, -0.6};
    bool filter = d->mode != UPS_MODE_NEAREST && d->mode != UPS_MODE_AREA;
    d->antialias = filter && call_chance(40);
    d->exclude_outside = call_chance(40);
    d->cubic_coeff_a = coefficients[check_between(0, 2)];
    d->lanczos_radius = call_chance(50) ? 3 : (int32_t)check_between(1, 8);
    d->area_rule = (int32_t)check_between(1, 3);
}

static void random_region(ups_resize_desc *d)
{
    for (int a = 0; a < d->rank; a++) {
        d->roi[a] = (double)check_between(-20, 60) / 100;
        d->roi[3 + a] = (double)check_between(30, 120) / 100;
    }
    d->extrapolation_value = call_gaussian();
}

static void random_resize(struct call *call, int32_t mode, int64_t sizes[3])
{
    ups_resize_desc *d = &call->desc.resize;
    call_init(call, UPS_RESIZE, (int32_t)check_between(1, 3));
    d->layout = call_chance(50) ? UPS_CHANNELS_FIRST : UPS_CHANNELS_LAST;
    if (call_chance(30)) call->src_margin = (int32_t)check_between(1, 5);
    if (call_chance(30)) call->dst_margin = (int32_t)check_between(1, 5);
    if (call_chance(25)) call->parts = (int32_t)check_between(1, 5);
    random_dims(call);
    d->mode = mode;
    d->coordinate_transformation_mode = (int32_t)check_between(1, mode == UPS_MODE_AREA ? 6 : 7);
    d->nearest_mode = (int32_t)check_between(1, 5);
    d->coordinate_arithmetic = (int32_t)check_between(1, 7);
    random_filter(d);
    random_region(d);
    random_sizes(call, sizes);
}

/* ---- against the formulas ---- */

/* Runs on one tier and checks that it was that tier. */
static void run_on(struct call *call, const char *tier)
{
    call->isa = tier;
    call_status(call, call_run(call), UPS_OK);
    if (strcmp(call_word(call, "isa"), tier) != 0)
        fail_msg("ran on \"%s\"\n  %s", call_word(call, "isa"), call_text(call));
}

/* The same call in the other layout and in other parts gives the same bits. */
static void check_ways(const struct call *call, int64_t n)
{
    struct call other = *call;
    other.desc.head.layout = UPS_CHANNELS_FIRST + UPS_CHANNELS_LAST - call->desc.head.layout;
    other.parts = (int32_t)check_between(1, 7);
    other.y = NULL;
    run_on(&other, call->isa);
    call_same(&other, "other layout and parts", other.y, call->y, n);
    call_close(&other);
}

static void compare_nearest(struct call *call, const int64_t *out)
{
    int64_t n = call->dims[0] * call->dims[1] * product(out, call->desc.head.rank);
    float *y = room(n, sizeof *y);
    naive_nearest(&call->desc.resize, call->dims, call->x, out, y);
    for (int i = 0; i < tier_count; i++) {
        run_on(call, tiers[i]);
        call_same(call, "nearest", call->y, y, n);
        call_close(call);
    }
    free(y);
}

static void compare_sums(struct call *call, const int64_t *out)
{
    int64_t n = call->dims[0] * call->dims[1] * product(out, call->desc.head.rank);
    double *y = room(n, sizeof *y), *bound = room(n, sizeof *bound);
    naive_resize(&call->desc.resize, call->dims, call->x, out, y, bound);
    for (int i = 0; i < tier_count; i++) {
        run_on(call, tiers[i]);
        call_near(call, call->y, y, bound, 1, n);
        check_ways(call, n);
        call_close(call);
    }
    free(y);
    free(bound);
}

static void check_resize(struct call *call)
{
    int64_t out[3];
    bool nearest = call->desc.resize.mode == UPS_MODE_NEAREST;
    float *x = nearest ? call_values(in_count(call)) : call_floats(in_count(call));
    call->x = x;
    if (naive_resize_sizes(&call->desc.resize, call->dims + 2, call->sizes, out))
        (nearest ? compare_nearest : compare_sums)(call, out);
    else
        call_status(call, call_run(call), UPS_INVALID);
    free(x);
}

static void check_mode(int32_t mode, int64_t count)
{
    for (int64_t i = 0; i < cases(count); i++) {
        struct call call;
        int64_t sizes[3];
        random_resize(&call, mode, sizes);
        check_resize(&call);
    }
}

#define MODE(name, mode, count)            \
    static void test_##name(void **unused) \
    {                                      \
        (void)unused;                      \
        check_mode(mode, count);           \
    }
MODE(nearest, UPS_MODE_NEAREST, 2000)
MODE(linear, UPS_MODE_LINEAR, 600)
MODE(cubic, UPS_MODE_CUBIC, 600)
MODE(area, UPS_MODE_AREA, 400)
MODE(lanczos, UPS_MODE_LANCZOS, 400)
MODE(box, UPS_MODE_BOX, 300)
MODE(hamming, UPS_MODE_HAMMING, 300)

/* ---- chosen calls ---- */

/* A 2-D call with sizes, one image and one channel. */
static void sized_call(struct call *call, int32_t mode, int64_t h, int64_t w, int64_t to_h, int64_t to_w)
{
    call_init(call, UPS_RESIZE, 2);
    call->dims[0] = call->dims[1] = 1;
    call->dims[2] = h;
    call->dims[3] = w;
    call->desc.resize.mode = mode;
    call->desc.resize.coordinate_transformation_mode = UPS_HALF_PIXEL;
    call->desc.resize.nearest_mode = UPS_NEAREST_FLOOR;
    call->desc.resize.coordinate_arithmetic = UPS_COORDINATES_F64;
    call->desc.resize.exclude_outside = 0;
    call->desc.resize.cubic_coeff_a = -0.75;
    call->desc.resize.lanczos_radius = 3;
    call->desc.resize.area_rule = UPS_AREA_OVERLAP;
    call->desc.resize.sizes[0] = to_h;
    call->desc.resize.sizes[1] = to_w;
}

/* More rows under an output than a group, and than the cache holds: 300 of 8000 floats. */
static void test_tall_downscale(void **unused)
{
    (void)unused;
    struct call call;
    for (int32_t mode = UPS_MODE_LINEAR; mode <= UPS_MODE_HAMMING; mode++) {
        sized_call(&call, mode, 300, 2, 2, check_quick() ? 100 : 8000);
        call.desc.resize.antialias = mode != UPS_MODE_AREA;
        check_resize(&call);
    }
}

/* One pixel to a million and back: the tables are as long as the longer side, not as their product. */
static void test_extreme_ratios(void **unused)
{
    (void)unused;
    const int64_t most = check_quick() ? 1 << 12 : 1 << 20;
    float *x = call_floats(most);
    for (int32_t mode = UPS_MODE_NEAREST; mode <= UPS_MODE_HAMMING; mode++)
        for (int up = 0; up < 2; up++) {
            struct call call;
            sized_call(&call, mode, 1, up ? 1 : most, 1, up ? most : 1);
            call.desc.resize.antialias = !up && mode != UPS_MODE_NEAREST && mode != UPS_MODE_AREA;
            call.desc.resize.exclude_outside = 1;
            call.x = x;
            run_on(&call, tiers[tier_count - 1]);
            for (int64_t i = 0; i < call_out_count(&call) && up; i++) assert_float_equal(call.y[i], x[0], 1e-6);
            if (!up && mode != UPS_MODE_NEAREST)
                assert_in_range(fabsf(call.y[0]) < 0.1f, 1, 1); /* a mean of gaussians */
            call_close(&call);
        }
    free(x);
}

/* A scale so far from the sizes that no table would end is refused with a sentence. */
static void test_scale_far_from_sizes(void **unused)
{
    (void)unused;
    struct call call;
    float x[4] = {0};
    sized_call(&call, UPS_MODE_CUBIC, 1, 4, 1, 4);
    call.desc.resize.antialias = 1;
    call.desc.resize.scales[0] = call.desc.resize.scales[1] = 1e-12;
    call.x = x;
    call_status(&call, call_run(&call), UPS_UNSUPPORTED);
}

/* A NaN or infinity reaches the outputs it has a weight in, no others: thirds, whose middle output is the pixel itself. */
static void test_nan_stays_where_it_weighs(void **unused)
{
    (void)unused;
    for (int32_t mode = UPS_MODE_LINEAR; mode <= UPS_MODE_HAMMING; mode++)
        for (int t = 0; t < tier_count; t++)
            for (int v = 0; v < 2; v++) {
                float x[9] = {1, 1, 1, 1, v ? NAN : INFINITY, 1, 1, 1, 1};
                struct call call;
                sized_call(&call, mode, 1, 9, 3, 27);
                call.x = x;
                run_on(&call, tiers[t]);
                for (int i = 0; i < 27; i++) {
                    if (i % 3 == 1 && i != 13 && !(call.y[27 + i] == 1))
                        fail_msg("pixel %d\n  %s", i, call_text(&call));
                    if (i == 13 && !(v ? isnan(call.y[40]) : call.y[40] == INFINITY)) fail_msg("%s", call_text(&call));
                }
                call_close(&call);
            }
}

/* Recorded from PyTorch 2.15.0: nearest-exact 2 -> 41 and 4 -> 82 at output 20, which of pixels 0 and 1 by rank. */
static void test_nearest_exact_as_recorded(void **unused)
{
    (void)unused;
    static const float x[] = {0, 1, 2, 3}, recorded[] = {1, 0, 1};
    for (int32_t rank = 1; rank <= 3; rank++)
        for (int64_t n = 2; n <= 4; n += 2)
            for (int t = 0; t < tier_count; t++) {
                struct call call;
                ups_resize_desc *d = &call.desc.resize;
                call_init(&call, UPS_RESIZE, rank);
                d->mode = UPS_MODE_NEAREST;
                d->coordinate_transformation_mode = UPS_HALF_PIXEL;
                d->nearest_mode = UPS_ROUND_PREFER_CEIL;
                for (int a = 0; a < rank; a++) d->sizes[a] = call.dims[2 + a] = 1;
                call.dims[0] = call.dims[1] = 1;
                call.dims[rank + 1] = n;
                d->sizes[rank - 1] = n * 41 / 2;
                call.x = x;
                run_on(&call, tiers[t]);
                call_same(&call, "pixel", &call.y[20], &recorded[rank - 1], 1);
                call_close(&call);
            }
}

/* Sizes that once went wrong. */
static void test_regressions(void **unused)
{
    (void)unused;
    static const int64_t sizes[][4] = {{128, 147, 160, 160}, {129, 147, 160, 160}, {10, 10, 192, 108}, {2, 4, 1, 2}};
    for (size_t i = 0; i < (check_quick() ? 1 : sizeof sizes / sizeof *sizes); i++)
        for (int32_t arithmetic = UPS_COORDINATES_F64; arithmetic <= UPS_COORDINATES_OPENCV; arithmetic++)
            for (int32_t rule = UPS_HALF_PIXEL; rule <= UPS_ASYMMETRIC; rule++)
                for (int32_t mode = UPS_MODE_NEAREST; mode <= UPS_MODE_LINEAR; mode++) {
                    struct call call;
                    sized_call(&call, mode, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3]);
                    call.desc.resize.coordinate_transformation_mode = rule;
                    call.desc.resize.coordinate_arithmetic = arithmetic;
                    check_resize(&call);
                }
}

/* ---- identities ---- */

/* Weights of an output sum to 1: a constant stays what it is. */
static void test_constants(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(1500); i++) {
        struct call call;
        int64_t sizes[3];
        random_resize(&call, (int32_t)check_between(UPS_MODE_NEAREST, UPS_MODE_HAMMING), sizes);
        call.desc.resize.extrapolation_value = 3;
        int64_t n = in_count(&call), out[3];
        if (!naive_resize_sizes(&call.desc.resize, call.dims + 2, call.sizes, out)) continue;
        float *x = room(n, sizeof *x);
        for (int64_t k = 0; k < n; k++) x[k] = 3;
        call.x = x;
        run_on(&call, tiers[check_between(0, tier_count - 1)]);
        for (int64_t k = 0; k < call_out_count(&call); k++)
            if (!(fabsf(call.y[k] - 3) < 2e-5f)) fail_msg("%.9g\n  %s", (double)call.y[k], call_text(&call));
        call_close(&call);
        free(x);
    }
}

/* Halves: linear, area by cells and by overlap, box and the antialiased box are one mean. */
static void test_halving_is_one_mean(void **unused)
{
    (void)unused;
    for (int t = 0; t < tier_count; t++) {
        float *x = call_integers(12 * 34, 100), *want = NULL;
        for (int i = 0; i < 5; i++) {
            struct call call;
            sized_call(&call, i == 0 ? UPS_MODE_LINEAR : i < 3 ? UPS_MODE_AREA : UPS_MODE_BOX, 12, 34, 6, 17);
            call.desc.resize.area_rule = i == 1 ? UPS_AREA_CELLS : UPS_AREA_OVERLAP_OR_LINEAR;
            call.desc.resize.antialias = i >= 3;
            call.desc.resize.exclude_outside = i == 4;
            call.x = x;
            run_on(&call, tiers[t]);
            if (want) call_same(&call, "mean", call.y, want, 6 * 17);
            if (want) call_close(&call);
            if (!want) want = call.y;
        }
        free(want);
        free(x);
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
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_cubic),
        cmocka_unit_test(test_area),
        cmocka_unit_test(test_lanczos),
        cmocka_unit_test(test_box),
        cmocka_unit_test(test_hamming),
        cmocka_unit_test(test_tall_downscale),
        cmocka_unit_test(test_extreme_ratios),
        cmocka_unit_test(test_scale_far_from_sizes),
        cmocka_unit_test(test_nan_stays_where_it_weighs),
        cmocka_unit_test(test_nearest_exact_as_recorded),
        cmocka_unit_test(test_regressions),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_halving_is_one_mean),
        cmocka_unit_test(test_something_was_checked),
    };
    check_random(); /* prints the seed */
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests_name("resize", tests, NULL, NULL);
}
