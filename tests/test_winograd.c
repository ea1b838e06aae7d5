/* SPDX-License-Identifier: MIT
 *
 * Algorithm winograd: the identities of its forms, random layers against the formula, one result for every division, and the
 * accuracy that each policy promises.
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
#include "winograd.h"

static const char *tiers[8];
static int tier_count;

/* ---- forms ---- */

/* y = At[(Gw).(Bt x)] is the correlation, up to the rounding of the matrices to float. */
static void test_forms(void **unused)
{
    (void)unused;
    for (int form = 0; form < UPS_MINIMAL_FORMS; form++) {
        const struct ups_minimal *f = &ups_minimal[form];
        assert_int_equal(f->n, f->m + f->r - 1);
        for (int trial = 0; trial < 100; trial++) {
            double x[6], w[3];
            for (int i = 0; i < f->n; i++) x[i] = (double)call_gaussian();
            for (int i = 0; i < f->r; i++) w[i] = (double)call_gaussian();
            for (int i = 0; i < f->m; i++) {
                double y = 0, want = 0;
                for (int k = 0; k < f->r; k++) want += w[k] * x[i + k];
                for (int p = 0; p < f->n; p++) {
                    double u = 0, v = 0;
                    for (int k = 0; k < f->r; k++) u += f->g[p][k] * w[k];
                    for (int k = 0; k < f->n; k++) v += (double)f->bt[p][k] * x[k];
                    y += (double)f->at[i][p] * u * v;
                }
                assert_true(fabs(y - want) < 1e-6);
            }
        }
    }
}

/* ---- random layers ---- */

static int64_t pick(const int64_t *from, int n)
{
    return from[check_between(0, n - 1)];
}

static bool random_layer(struct call *call)
{
    static const int64_t kernels[] = {2, 3, 4, 5, 6}, channels[] = {3, 8, 15, 16, 17, 33, 70},
                         outs[] = {1, 3, 16, 17, 33, 40};
    int32_t rank = (int32_t)check_between(1, 2);
    call_init(call, UPS_CONV_TRANSPOSE, rank);
    ups_conv_transpose_desc *d = &call->desc.conv;
    d->layout = (int32_t)check_between(UPS_CHANNELS_FIRST, UPS_CHANNELS_LAST);
    bool saves = false;
    for (int a = 0; a < rank; a++) {
        d->kernel_shape[a] = call_chance(15) ? 1 : pick(kernels, 5);
        d->strides[a] = check_between(1, 3);
        if (d->strides[a] > d->kernel_shape[a]) d->strides[a] = 1;
        if (d->strides[a] == 1 && call_chance(30)) d->dilations[a] = check_between(2, 4);
        int64_t taps = (d->kernel_shape[a] + d->strides[a] - 1) / d->strides[a];
        if (taps > 3) return false;
        saves |= taps > 1;
        d->pads_begin[a] = check_between(0, d->kernel_shape[a] - 1);
        d->pads_end[a] = check_between(0, d->kernel_shape[a] - 1);
        if (call_chance(40)) d->output_padding[a] = check_between(0, d->strides[a] - 1);
        call->dims[2 + a] = call_chance(20) ? check_between(1, 3) : check_between(3, 21);
    }
    d->group = call_chance(20) ? 2 : 1;
    d->in_channels = d->group * pick(channels, 7);
    d->out_channels = d->group * pick(outs, 6);
    d->weights_layout = (int32_t)check_between(UPS_IOHW, UPS_HWIO);
    d->activation = (int32_t)check_between(UPS_NO_ACTIVATION, UPS_CLIP);
    if (d->activation == UPS_CLIP) d->activation_alpha = -0.5, d->activation_beta = 1.25;
    call->dims[0] = check_between(1, 2);
    call->dims[1] = d->in_channels;
    call->src_margin = (int32_t)check_between(0, 1);
    call->dst_margin = (int32_t)check_between(0, 1);
    return saves;
}

static int64_t count(const struct call *call)
{
    int64_t n = 1;
    for (int i = 0; i < call->desc.head.rank + 2; i++) n *= call->dims[i];
    return n;
}

/* What the contract says of an output: |error| <= c * epsilon * max|x| * sum of |w|, of its output channel. */
enum { ERROR_CONSTANT = 12 };

static void bounds(const struct call *call, const int64_t *out, double *bound)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    int64_t plane = naive_plane(out, d->rank);
    double largest = 0;
    struct call ones = *call;
    float *x = malloc((size_t)count(call) * sizeof *x);
    double *ignored = malloc((size_t)(call->dims[0] * d->out_channels * plane) * sizeof *ignored);
    for (int64_t i = 0; i < count(call); i++) {
        largest = fmax(largest, fabs((double)call->x[i]));
        x[i] = 1;
    }
    /* every magnitude of the formula with ones is the sum of |w| that reach this output; the largest of a channel bounds it */
    ones.desc.conv.activation = UPS_NO_ACTIVATION;
    naive_conv_transpose(&ones.desc.conv, call->dims, x, call->w, call->bias, out, ignored, bound);
    for (int64_t c = 0; c < call->dims[0] * d->out_channels; c++) {
        double most = 0;
        for (int64_t i = 0; i < plane; i++) most = fmax(most, bound[c * plane + i]);
        for (int64_t i = 0; i < plane; i++) bound[c * plane + i] = largest * most;
    }
    free(x);
    free(ignored);
}

static int64_t layers_run;

enum spikes { NONE, ONE_PIXEL, ZEROS };

static void check_layer(struct call *call, enum spikes spikes)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    int64_t out[3];
    int64_t weights = d->in_channels / d->group * d->out_channels * naive_plane(d->kernel_shape, d->rank);
    if (!naive_sizes(d, call->dims + 2, out)) return;
    int64_t n = call->dims[0] * d->out_channels * naive_plane(out, d->rank);
    float *x = call_floats(count(call)), *w = call_floats(weights), *bias = call_floats(d->out_channels);
    if (spikes == ONE_PIXEL) x[check_between(0, count(call) - 1)] *= 1000;
    for (int64_t i = 0; spikes == ZEROS && i < count(call); i++)
        if (i / 7 % 2) x[i] = 0;
    double *y = malloc((size_t)n * sizeof *y), *bound = malloc((size_t)n * sizeof *bound);
    call->x = x, call->w = w, call->bias = bias;
    naive_conv_transpose(d, call->dims, x, w, bias, out, y, bound);
    bounds(call, out, bound);
    call->algorithm = "winograd";
    for (int t = 0; t < tier_count; t++)
        for (int32_t policy = UPS_POLICY_ACCURATE; policy <= UPS_POLICY_FAST; policy++) {
            call->isa = tiers[t];
            call->policy = policy;
            int32_t status = call_run(call);
            if (status == UPS_UNSUPPORTED && d->in_channels / d->group < 64) continue; /* no form is accurate enough */
            call_status(call, status, UPS_OK);
            layers_run++;
            assert_string_equal(call_word(call, "algorithm"), "winograd");
            call_near(call, call->y, y, bound, ERROR_CONSTANT * ldexp(1, -24), n);
            struct call divided = *call;
            divided.parts = (int32_t)check_between(2, 7);
            call_run(&divided);
            call_same(call, "divided", divided.y, call->y, n);
            call_close(&divided);
            call_close(call);
        }
    free(x), free(w), free(bias), free(y), free(bound);
}

static void test_layers(void **unused)
{
    (void)unused;
    for (int i = 0; i < (check_quick() ? 60 : 600); i++) {
        struct call call;
        if (random_layer(&call)) check_layer(&call, (enum spikes)check_between(NONE, ZEROS));
    }
    assert_true(layers_run > 50);
}

/* ---- the size hint ---- */

static const char *algorithm_at(struct call *call, int64_t size, const int64_t *hint)
{
    static char word[32];
    call->dims[2] = call->dims[3] = size;
    call->size_hint = hint;
    call_status(call, call_run(call), UPS_OK);
    snprintf(word, sizeof word, "%s", call_word(call, "algorithm"));
    call_close(call);
    return word;
}

/* Without a hint a plan takes what is best at its sizes, with one what is best at those. */
static void test_size_hint(void **unused)
{
    (void)unused;
    struct call call;
    const int64_t small[] = {1, 64, 1, 1}, large[] = {1, 64, 40, 40}, other[] = {1, 63, 40, 40},
                  none[] = {1, 64, 40, -1};
    assert_int_equal(call_say(&call, "conv_transpose", "torch",
                              "rank=2 in_channels=64 out_channels=64 kernel_shape=3,3 pads=1,1,1,1"),
                     UPS_OK);
    call.dims[0] = 1, call.dims[1] = 64;
    float *x = call_floats(64 * 1600), *w = call_floats(64 * 64 * 9);
    call.x = x, call.w = w;
    call.isa = tiers[tier_count - 1];
    const char *large_one = tier_count > 1 ? "winograd" : "phase"; /* the scalar tier does not take it by itself */
    assert_string_equal(algorithm_at(&call, 1, NULL), "phase");
    assert_string_equal(algorithm_at(&call, 40, NULL), large_one);
    for (int64_t size = 1; size <= 40; size += 39) {
        assert_string_equal(algorithm_at(&call, size, small), "phase");
        assert_string_equal(algorithm_at(&call, size, large), large_one);
    }
    call.size_hint = other;
    call_status(&call, call_run(&call), UPS_INVALID);
    assert_non_null(strstr(ups_last_error(), "options.size_hint as src: src.dims[1] (C) = 63"));
    call.size_hint = none;
    call_status(&call, call_run(&call), UPS_INVALID);
    assert_non_null(strstr(ups_last_error(), "options.size_hint as src"));
    free(x), free(w);
}

/* ---- the accuracy contract ---- */

struct network {
    const char *words;
    int64_t size;
    int32_t rank;
};

/* Real kinds of layers, with maps so large that 10^5 outputs count. */
static const struct network networks[] = {
    {"kernel_shape=3,3 pads=1,1,1,1", 60, 2},
    {"kernel_shape=4,4 strides=2,2 pads=1,1,1,1", 30, 2},
    {"kernel_shape=3,3 strides=2,2 pads=1,1,1,1 output_padding=1,1", 30, 2},
    {"kernel_shape=16 strides=8 pads=4,4", 400, 1},
    {"kernel_shape=3,3 dilations=2,2 pads=2,2,2,2", 60, 2},
};
enum { NETWORKS = sizeof networks / sizeof *networks, OUT = 32 };

/* One chain in the order of the reference, and the sum in double, of a dense first-layout result. */
static double chain_error(const struct call *call, const int64_t *out, double *y)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    int64_t rank = d->rank, C = d->in_channels, kh = rank == 2 ? d->kernel_shape[0] : 1, kw = d->kernel_shape[rank - 1];
    int64_t sh = rank == 2 ? d->strides[0] : 1, sw = d->strides[rank - 1], dh = rank == 2 ? d->dilations[0] : 1;
    int64_t dw = d->dilations[rank - 1], ph = rank == 2 ? d->pads_begin[0] : 0, pw = d->pads_begin[rank - 1];
    int64_t H = rank == 2 ? call->dims[2] : 1, W = call->dims[rank + 1], oh = rank == 2 ? out[0] : 1,
            ow = out[rank - 1];
    double error2 = 0;
    for (int64_t o = 0; o < d->out_channels; o++)
        for (int64_t p = 0; p < oh; p++)
            for (int64_t q = 0; q < ow; q++) {
                float chain = 0;
                double sum = 0;
                for (int64_t a = 0; a < kh; a++)
                    for (int64_t b = 0; b < kw; b++) {
                        int64_t i = p + ph - a * dh, j = q + pw - b * dw;
                        if (i < 0 || j < 0 || i % sh || j % sw || i / sh >= H || j / sw >= W) continue;
                        for (int64_t c = 0; c < C; c++) {
                            float x = call->x[(c * H + i / sh) * W + j / sw];
                            float w = call->w[((c * d->out_channels + o) * kh + a) * kw + b];
                            chain = fmaf(x, w, chain);
                            sum += (double)x * (double)w;
                        }
                    }
                y[(o * oh + p) * ow + q] = sum;
                error2 += ((double)chain - sum) * ((double)chain - sum);
            }
    return error2;
}

static void check_contract(const struct network *network, int64_t channels, bool positive)
{
    struct call call;
    char words[200];
    int64_t out[3];
    snprintf(words, sizeof words, "rank=%d in_channels=%lld out_channels=%d %s", network->rank, (long long)channels,
             OUT, network->words);
    assert_int_equal(call_say(&call, "conv_transpose", "torch", words), UPS_OK);
    call.dims[0] = 1, call.dims[1] = channels;
    for (int a = 0; a < network->rank; a++) call.dims[2 + a] = network->size;
    assert_true(naive_sizes(&call.desc.conv, call.dims + 2, out));
    int64_t n = OUT * naive_plane(out, network->rank);
    assert_true(n >= 100000);
    float *x = call_floats(count(&call));
    float *w = call_floats(channels * OUT * naive_plane(call.desc.conv.kernel_shape, network->rank));
    for (int64_t i = 0; positive && i < count(&call); i++) x[i] = fabsf(x[i]);
    double *y = malloc((size_t)n * sizeof *y);
    call.x = x, call.w = w;
    double chain2 = chain_error(&call, out, y);
    for (int t = 1; t < tier_count; t++)
        for (int32_t policy = UPS_POLICY_ACCURATE; policy <= UPS_POLICY_FAST; policy++) {
            double error2 = 0, most = policy == UPS_POLICY_FAST ? 2 : 1;
            call.isa = tiers[t];
            call.algorithm = "winograd";
            call.policy = policy;
            if (call_run(&call) != UPS_OK) {
                printf("factor %-8s %3lld channels, %-66s %s: no form\n",
                       policy == UPS_POLICY_FAST ? "fast" : "accurate", (long long)channels, network->words,
                       positive ? "non-negative" : "gaussian    ");
                continue;
            }
            for (int64_t i = 0; i < n; i++) error2 += ((double)call.y[i] - y[i]) * ((double)call.y[i] - y[i]);
            double factor = sqrt(error2 / chain2);
            printf("factor %-8s %3lld channels, %-66s %s: %.3f  %s\n", policy == UPS_POLICY_FAST ? "fast" : "accurate",
                   (long long)channels, network->words, positive ? "non-negative" : "gaussian    ", factor,
                   call_word(&call, "form"));
            if (!(factor <= 1.05 * most)) fail_msg("factor %.3f is above %.2f\n  %s", factor, most, call_text(&call));
            call_close(&call);
        }
    free(x), free(w), free(y);
}

static void test_accuracy_contract(void **unused)
{
    static const int64_t channels[] = {16, 64, 128, 256, 512};
    (void)unused;
    if (check_quick()) return; /* 10^5 outputs are the point of it */
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < NETWORKS; j++)
            for (int positive = 0; positive < 2; positive++) check_contract(&networks[j], channels[i], positive);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_size_hint),
        cmocka_unit_test(test_accuracy_contract),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests_name("winograd", tests, NULL, NULL);
}
