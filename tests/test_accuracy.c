/* SPDX-License-Identifier: MIT
 *
 * The rounding of every algorithm of transposed convolution, on layers of the sizes that networks have, against the sum in
 * double and against one fused chain. As a test a few layers, held to the limits that the header states; as
 *
 *     test_accuracy LAYERS
 *
 * the table of docs/transposed-convolution.md. UPS_TEST_SEED repeats its layers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"
#include "naive.h"

static const char *tiers[8];
static int tier_count;

/* ---- layers ---- */

/* What upsampling layers of networks look like; "depthwise" and "few" say what their channels are. */
static const struct family {
    const char *words;
    int32_t rank;
    enum { ANY, FEW_OUT, DEPTHWISE } channels;
} families[] = {
    {"kernel_shape=2,2 strides=2,2", 2, ANY},
    {"kernel_shape=3,3 strides=2,2 pads=1,1,1,1 output_padding=1,1", 2, ANY},
    {"kernel_shape=4,4 strides=2,2 pads=1,1,1,1", 2, ANY},
    {"kernel_shape=4,4 strides=2,2 pads=1,1,1,1", 2, FEW_OUT},
    {"kernel_shape=5,5 strides=2,2 pads=2,2,2,2 output_padding=1,1", 2, ANY},
    {"kernel_shape=6,6 strides=2,2 pads=2,2,2,2", 2, ANY},
    {"kernel_shape=9,9 strides=3,3 pads=4,4,4,4 output_padding=2,2", 2, FEW_OUT},
    {"kernel_shape=4,4 strides=4,4", 2, ANY},
    {"kernel_shape=16,16 strides=8,8 pads=4,4,4,4", 2, FEW_OUT},
    {"kernel_shape=3,3 pads=1,1,1,1", 2, ANY},
    {"kernel_shape=3,3 dilations=2,2 pads=2,2,2,2", 2, ANY},
    {"kernel_shape=4,4 strides=2,2 pads=1,1,1,1", 2, DEPTHWISE},
    {"kernel_shape=16 strides=8 pads=4,4", 1, ANY},
    {"kernel_shape=4 strides=2 pads=1,1", 1, ANY},
    {"kernel_shape=2,2,2 strides=2,2,2", 3, ANY},
    {"kernel_shape=3,3,3 strides=2,2,2 pads=1,1,1,1,1,1 output_padding=1,1,1", 3, ANY},
};
enum { FAMILIES = sizeof families / sizeof *families };

static int64_t pick(const int64_t *from, int n)
{
    return from[check_between(0, n - 1)];
}
#define PICK(...) pick((const int64_t[]){__VA_ARGS__}, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

/* The product of a layer's sizes is held to `most` multiply-adds: channels stay, the map gives way. */
static void random_layer(struct call *call, const struct family *f, double most)
{
    char words[300];
    int64_t in = check_quick() ? PICK(16, 32, 48, 64) : PICK(16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024),
            out = PICK(8, 16, 32, 48, 64, 96, 128, 256), group = 1;
    if (f->channels == FEW_OUT) out = PICK(1, 2, 3, 4, 21);
    if (f->channels == DEPTHWISE) out = group = in;
    snprintf(words, sizeof words, "rank=%d in_channels=%lld out_channels=%lld group=%lld layout=%s %s", f->rank,
             (long long)in, (long long)out, (long long)group, call_chance(50) ? "first" : "last", f->words);
    assert_int_equal(call_say(call, "conv_transpose", "torch", words), UPS_OK);
    const ups_conv_transpose_desc *d = &call->desc.conv;
    call->dims[0] = 1, call->dims[1] = in;
    double work = (double)(in / group * out * naive_plane(d->kernel_shape, f->rank));
    for (int a = 0; a < f->rank; a++)
        call->dims[2 + a] = f->rank == 1   ? PICK(50, 100, 800, 3200)
                            : f->rank == 2 ? PICK(7, 14, 16, 28, 32, 56, 64)
                                           : PICK(4, 8, 16);
    for (int a = 0; work * (double)naive_plane(call->dims + 2, f->rank) > most && call->dims[2 + a] > 4;
         a = (a + 1) % f->rank)
        call->dims[2 + a] = (call->dims[2 + a] + 1) / 2;
}

enum values { GAUSSIAN, NON_NEGATIVE, ONE_PIXEL, ZEROS, VALUES };

static float *pixels(int64_t n, enum values values)
{
    float *x = call_floats(n);
    for (int64_t i = 0; values == NON_NEGATIVE && i < n; i++) x[i] = fabsf(x[i]);
    for (int64_t i = 0; values == ZEROS && i < n; i++)
        if (i / 7 % 2) x[i] = 0;
    if (values == ONE_PIXEL) x[check_between(0, n - 1)] *= 1000;
    return x;
}

/* ---- what is known of some outputs of a layer ---- */

struct sample {
    int64_t at;      /* in the dense result */
    double sum, own; /* in double: the sum, and that of the magnitudes of its terms */
    double filter;   /* sum of |w| of the phase and output channel that has most, over this one's phases */
    float chain;
    bool whole; /* every tap meets the image: at its border a chain is shorter, winograd's is not */
};

/* The sum of |w| that reaches the outputs of a channel, of its phase that has most. */
static double filter_of(const ups_conv_transpose_desc *d, const float *w, int64_t o)
{
    enum { PHASES = 64 };
    double of[PHASES] = {0}, most = 0;
    int64_t g = o / (d->out_channels / d->group), each = d->in_channels / d->group;
    for (int64_t t = 0; t < naive_plane(d->kernel_shape, d->rank); t++) {
        int64_t phase = 0, rest = t, stride = 1;
        for (int a = d->rank - 1; a >= 0; a--) {
            phase +=
                rest % d->kernel_shape[a] % d->strides[a] * stride; /* of layers without dilation or without stride */
            stride *= d->strides[a];
            rest /= d->kernel_shape[a];
        }
        assert_true(phase < PHASES);
        for (int64_t i = g * each; i < (g + 1) * each; i++) of[phase] += fabs((double)w[naive_weight_at(d, i, o, t)]);
    }
    for (int i = 0; i < PHASES; i++) most = fmax(most, of[i]);
    return most;
}

static void take_samples(const struct call *call, const int64_t *out, struct sample *samples, int64_t n)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    int64_t plane = naive_plane(out, d->rank);
    for (int64_t i = 0; i < n; i++) {
        struct sample *s = &samples[i];
        int64_t o = check_between(0, d->out_channels - 1), q = check_between(0, plane - 1);
        s->whole = naive_whole_at(d, call->dims, out, q);
        for (int tries = 0; i % 2 && !s->whole && tries < 20; tries++) {
            q = check_between(0, plane - 1);
            s->whole = naive_whole_at(d, call->dims, out, q);
        }
        s->at = o * plane + q;
        s->sum = naive_conv_transpose_at(d, call->dims, call->x, call->w, NULL, out, 0, o, q, &s->own);
        s->chain = naive_chain_at(d, call->dims, call->x, call->w, out, 0, o, q);
        s->filter = filter_of(d, call->w, o);
    }
}

/* ---- the table ---- */

struct row {
    const char *algorithm;
    int32_t policy;
    double limit; /* of its factor */
    int64_t layers, outputs;
    int64_t factors[2];         /* of how many layers, of gaussian and of non-negative pixels */
    double squares[2], most[2]; /* of the layers' factors: the sum of their squares, and the largest */
    double own, filter;         /* the largest error: in 2^-24 of its own terms; of max|x| times the filter */
};

enum { ROWS = 7, ENOUGH = 200 }; /* outputs of a layer that make a factor, within some per cent */

static struct row table[8][ROWS];

/* scalar rounds products and sums, but nothing is promised of its winograd, which it takes only where it is told to. */
static void start_table(void)
{
    static const char *const algorithms[ROWS] = {"phase", "planar",   "scatter", "depthwise",
                                                 "gemm",  "winograd", "winograd"};
    for (int t = 0; t < tier_count; t++)
        for (int i = 0; i < ROWS; i++) {
            bool fast = i == ROWS - 1, scalar = strcmp(tiers[t], "scalar") == 0;
            table[t][i] = (struct row){.algorithm = algorithms[i],
                                       .policy = fast ? UPS_POLICY_FAST : UPS_POLICY_ACCURATE,
                                       .limit = fast     ? 2
                                                : scalar ? 1.5
                                                         : 1};
        }
}

static void judge(struct row *row, const struct call *call, enum values values, const struct sample *samples, int64_t n,
                  double largest)
{
    double error2 = 0, chain2 = 0;
    int64_t whole = 0;
    for (int64_t i = 0; i < n; i++) {
        const struct sample *s = &samples[i];
        double error = (double)call->y[s->at] - s->sum, chain = (double)s->chain - s->sum;
        if (s->whole) error2 += error * error, chain2 += chain * chain, whole++;
        if (s->own > 0) row->own = fmax(row->own, ldexp(fabs(error) / s->own, 24));
        row->filter = fmax(row->filter, ldexp(fabs(error) / (largest * s->filter), 24));
    }
    row->layers++, row->outputs += n;
    if (values > NON_NEGATIVE) return;
    if (whole < ENOUGH || !(chain2 > 0)) return;
    row->factors[values]++;
    row->squares[values] += error2 / chain2;
    row->most[values] = fmax(row->most[values], sqrt(error2 / chain2));
}

/* depthwise takes its own layers; winograd has not everywhere a form, or one that is exact enough; the header makes gemm an
 * exception where a group has one or two input channels. */
static bool skips(const struct row *row, const struct call *call, int32_t status)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    if (strcmp(row->algorithm, "gemm") == 0) return d->in_channels / d->group < 3;
    return status == UPS_UNSUPPORTED &&
           (strcmp(row->algorithm, "depthwise") == 0 || strcmp(row->algorithm, "winograd") == 0);
}

static void run_layer(const struct family *family, enum values values, double most)
{
    struct call call;
    int64_t out[3];
    random_layer(&call, family, most);
    const ups_conv_transpose_desc *d = &call.desc.conv;
    assert_true(naive_sizes(d, call.dims + 2, out));
    int64_t inputs = naive_count(call.dims, d->rank),
            terms = d->in_channels / d->group * naive_plane(d->kernel_shape, d->rank);
    int64_t n = check_quick() ? 500 : (int64_t)fmin(4000, fmax(1500, 3e6 / (double)terms));
    float *x = pixels(inputs, values), *w = call_floats(terms * d->out_channels);
    struct sample *samples = malloc((size_t)n * sizeof *samples);
    double largest = 0;
    for (int64_t i = 0; i < inputs; i++) largest = fmax(largest, fabs((double)x[i]));
    call.x = x, call.w = w;
    take_samples(&call, out, samples, n);
    for (int t = 0; t < tier_count; t++)
        for (int i = 0; i < ROWS; i++) {
            struct row *row = &table[t][i];
            call.isa = tiers[t];
            call.algorithm = row->algorithm;
            call.policy = row->policy;
            int32_t status = call_run(&call);
            if (skips(row, &call, status)) {
                call_close(&call);
                continue;
            }
            call_status(&call, status, UPS_OK);
            judge(row, &call, values, samples, n, largest);
            call_close(&call);
        }
    free(x), free(w), free(samples);
}

/* Root of the mean square over layers. */
static double factor(const struct row *row, enum values values)
{
    return row->factors[values] ? sqrt(row->squares[values] / (double)row->factors[values]) : 0;
}

static void print_table(void)
{
    printf("| tier | algorithm | policy | layers | outputs | gaussian, rms | most | non-negative, rms | most | of its "
           "terms | of "
           "the largest pixel |\n| --- | --- | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n");
    for (int t = 0; t < tier_count; t++)
        for (int i = 0; i < ROWS; i++) {
            const struct row *r = &table[t][i];
            printf("| %s | %s | %s | %lld | %lld | %.2f | %.2f | %.2f | %.2f | %.3g | %.2g |\n", tiers[t], r->algorithm,
                   r->policy == UPS_POLICY_FAST ? "fast" : "accurate", (long long)r->layers, (long long)r->outputs,
                   factor(r, GAUSSIAN), r->most[GAUSSIAN], factor(r, NON_NEGATIVE), r->most[NON_NEGATIVE], r->own,
                   r->filter);
        }
}

static int64_t layers;

/* The direct kernels' promise is by an output's own terms, winograd's by the largest pixel. What a factor may be above its
 * limit is the noise of so few outputs of a layer. */
static void test_errors(void **unused)
{
    (void)unused;
    start_table();
    for (int64_t i = 0; i < layers; i++) { /* first each family once, with values that make a factor */
        enum values values = i < FAMILIES ? GAUSSIAN : (enum values)check_between(0, VALUES - 1);
        run_layer(&families[i % FAMILIES], values, check_quick() ? 2e6 : 4e7);
    }
    print_table();
    for (int t = 0; t < tier_count; t++)
        for (int i = 0; i < ROWS; i++) {
            const struct row *r = &table[t][i];
            for (enum values v = GAUSSIAN; v <= NON_NEGATIVE; v++)
                if (r->most[v] > (check_quick() ? 1.3 : 1.15) * r->limit)
                    fail_msg("%s %s: factor %.3f of %.2f", tiers[t], r->algorithm, r->most[v], r->limit);
            if (r->factors[GAUSSIAN] + r->factors[NON_NEGATIVE] == 0)
                fail_msg("%s %s: no factor", tiers[t], r->algorithm);
            if (r->filter > 12)
                fail_msg("%s %s: an error of %.2g units of max|x| times the filter", tiers[t], r->algorithm, r->filter);
        }
}

int main(int count, char **words)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_errors)};
    layers = count > 1 ? atoll(words[1]) : check_quick() ? 2 * FAMILIES : 4 * FAMILIES;
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests_name("accuracy", tests, NULL, NULL);
}
