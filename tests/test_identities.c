/* SPDX-License-Identifier: MIT
 *
 * What the operations have to do with each other: identities that hold whatever the numbers, for random shapes on every
 * tier this machine runs.
 *
 * Where two sums must be equal the data are small whole numbers, whose sums are exact in any order.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"
#include "naive.h"

static const char *tiers[8];
static int tier_count;

/* ---- memory that lives until the identity has been checked once ---- */

static void *held[64];
static int held_count;

static void *hold(void *memory)
{
    assert_non_null(memory);
    assert_true(held_count < 64);
    return held[held_count++] = memory;
}

static void release(void)
{
    while (held_count) free(held[--held_count]);
}

static void *room(int64_t n, size_t each)
{
    return hold(calloc((size_t)n + 1, each));
}

static float *floats(int64_t n)
{
    return hold(call_floats(n));
}

static float *integers(int64_t n, int max)
{
    return hold(call_integers(n, max));
}

static double *doubles(const float *x, int64_t n)
{
    double *d = room(n, sizeof *d);
    for (int64_t i = 0; i < n; i++) d[i] = (double)x[i];
    return d;
}

/* ---- comparison ---- */

/* As numbers: a sum may give either zero. */
static void equal(const struct call *call, const float *got, const double *want, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if ((double)got[i] != want[i])
            fail_msg("[%lld of %lld]: got %.9g, want %.9g\n  %s", (long long)i, (long long)n, (double)got[i], want[i],
                     call_text(call));
}

static void equal_floats(const struct call *call, const float *got, const float *want, int64_t n)
{
    equal(call, got, doubles(want, n), n);
}

static void near(const struct call *call, const float *got, const double *want, double allowed, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= allowed))
            fail_msg("[%lld of %lld]: got %.9g, want %.9g within %.3g\n  %s", (long long)i, (long long)n,
                     (double)got[i], want[i], allowed, call_text(call));
}

static void equal_sums(const struct call *call, double got, double want)
{
    if (got != want) fail_msg("sums: %.17g, %.17g\n  %s", got, want, call_text(call));
}

/* ---- calls ---- */

static int64_t in_count(const struct call *call)
{
    return naive_count(call->dims, call->desc.head.rank);
}

static void random_call(struct call *call, int32_t op, int64_t least)
{
    call_init(call, op, (int32_t)check_between(1, 3));
    const int32_t rank = call->desc.head.rank;
    call->desc.head.layout = call_chance(50) ? UPS_CHANNELS_FIRST : UPS_CHANNELS_LAST;
    call->dims[0] = check_between(1, 2);
    call->dims[1] = check_between(1, rank == 3 ? 5 : 18);
    for (int a = 0; a < rank; a++) call->dims[2 + a] = check_between(least, rank == 3 ? least + 4 : least + 7);
    call->dims[rank + 1] = check_between(least, rank == 3 ? 9 : 34);
}

/* Another operation on a tensor of the same rank, layout and sizes. */
static void like(struct call *call, int32_t op, const struct call *other)
{
    call_init(call, op, other->desc.head.rank);
    call->desc.head.layout = other->desc.head.layout;
    memcpy(call->dims, other->dims, sizeof call->dims);
    call->x = other->x;
}

static void run(struct call *call, const char *tier)
{
    call->isa = tier;
    call_status(call, call_run(call), UPS_OK);
    hold(call->y);
    if (call->switches) hold(call->switches);
}

static bool is_depthwise(const struct call *call)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    return d->group == d->in_channels && d->group == d->out_channels;
}

static void random_algorithm(struct call *call)
{
    static const char *const names[] = {NULL, "phase", "planar", "gemm", "scatter", "depthwise"};
    call->algorithm = names[check_between(0, is_depthwise(call) ? 5 : 4)];
    call->policy = (int32_t)check_between(UPS_POLICY_ACCURATE, UPS_POLICY_FAST);
    if (!call->algorithm) call->policy = UPS_POLICY_REPRODUCIBLE; /* winograd transforms even weights of 0 and 1 */
}

/* Sums of gaussians that must be equal to the bit. */
static void reproducible(struct call *call)
{
    static const char *const names[] = {NULL, "phase", "planar", "scatter", "depthwise"};
    call->algorithm = names[check_between(0, is_depthwise(call) ? 4 : 3)];
    call->policy = UPS_POLICY_REPRODUCIBLE;
}

static void random_factors(int64_t *factor, int32_t rank)
{
    for (int a = 0; a < rank; a++) factor[a] = check_between(1, 4);
}

static int64_t weight_count(const ups_conv_transpose_desc *d)
{
    return d->in_channels / d->group * d->out_channels * naive_plane(d->kernel_shape, d->rank);
}

/* A deconvolution from each channel to itself, in any groups, whose windows touch: kernel = stride = factor. */
static void channels_like(struct call *call, const struct call *other, const int64_t *factor)
{
    like(call, UPS_CONV_TRANSPOSE, other);
    ups_conv_transpose_desc *d = &call->desc.conv;
    d->in_channels = d->out_channels = d->group = call->dims[1];
    while (call_chance(50) || d->in_channels % d->group) d->group = check_between(1, d->in_channels);
    memcpy(d->kernel_shape, factor, sizeof d->kernel_shape);
    memcpy(d->strides, factor, sizeof d->strides);
    d->weights_layout = (int32_t)check_between(UPS_IOHW, UPS_HWIO);
    random_algorithm(call);
}

static void fill(struct call *call, int32_t kind)
{
    float *w = floats(weight_count(&call->desc.conv)); /* whose values must not matter */
    call_status(call, ups_fill_weights(&call->desc, kind, w), UPS_OK);
    call->w = w;
}

static void random_axis(ups_conv_transpose_desc *d, int a, bool cropped)
{
    d->kernel_shape[a] = check_between(1, d->rank == 1 ? 7 : 4);
    d->strides[a] = check_between(1, 3);
    if (call_chance(30)) d->dilations[a] = check_between(1, 3);
    d->pads_begin[a] = d->pads_end[a] = 0;
    if (!cropped) return;
    const int64_t extent = d->dilations[a] * (d->kernel_shape[a] - 1) + 1;
    if (call_chance(50)) d->pads_begin[a] = check_between(0, extent);
    if (call_chance(50)) d->pads_end[a] = check_between(0, extent);
    if (call_chance(40)) d->output_padding[a] = check_between(0, d->strides[a] - 1);
}

/* Whole numbers, no bias; returns with call->sizes NULL and *out the legal output size. */
static void random_conv(struct call *call, bool cropped, int64_t out[3])
{
    ups_conv_transpose_desc *d = &call->desc.conv;
    do {
        random_call(call, UPS_CONV_TRANSPOSE, 1);
        d->group = call_chance(30) ? check_between(2, 3) : 1;
        d->in_channels = d->group * check_between(1, 5);
        d->out_channels = d->group * (call_chance(70) ? check_between(1, 5) : check_between(15, 18));
        for (int a = 0; a < d->rank; a++) random_axis(d, a, cropped);
        call->dims[1] = d->in_channels;
    } while (!naive_sizes(d, call->dims + 2, out));
    d->weights_layout = (int32_t)check_between(UPS_IOHW, UPS_HWIO);
    call->x = integers(in_count(call), 4);
    call->w = integers(weight_count(d), 3);
    random_algorithm(call);
}

static int64_t conv_out_count(const struct call *call, const int64_t *out)
{
    return call->dims[0] * call->desc.conv.out_channels * naive_plane(out, call->desc.head.rank);
}

/* ---- 1, 2, 3: fixed patterns are transposed convolutions ---- */

static void expand_random(struct call *call, int32_t op)
{
    random_call(call, op, 1);
    random_factors(call->desc.expand.factor, call->desc.head.rank);
    call->x = floats(in_count(call));
}

/* Zeros between the elements, then the kernel at stride 1: one tap too far at the end of each axis. */
static void stuffed_like(struct call *call, const struct call *deconv, const struct call *nails)
{
    *call = *deconv;
    memcpy(call->dims, nails->out_dims, sizeof call->dims);
    call->x = nails->y;
    call->y = NULL;
    for (int a = 0; a < call->desc.head.rank; a++) {
        call->desc.conv.pads_begin[a] = 0;
        call->desc.conv.pads_end[a] = deconv->desc.conv.strides[a] - 1;
        call->desc.conv.strides[a] = 1;
    }
}

static void nails_like(struct call *nails, const struct call *call, const int64_t *factor)
{
    like(nails, UPS_BED_OF_NAILS, call);
    memcpy(nails->desc.expand.factor, factor, sizeof nails->desc.expand.factor);
}

static void times_transposed(const struct call *deconv, const int64_t *out, double *want);

/* The same output in three ways: as a transposed convolution, as the convolution of the stuffed input, as C transposed. */
static void check_as_deconv(const struct call *call, int32_t kind, const char *tier)
{
    struct call deconv, nails, stuffed;
    const int64_t *factor = call->desc.expand.factor, n = call_out_count(call);
    channels_like(&deconv, call, factor);
    if (call_chance(30)) reproducible(&deconv);
    fill(&deconv, kind);
    run(&deconv, tier);
    equal_floats(&deconv, deconv.y, call->y, n);
    nails_like(&nails, call, factor);
    run(&nails, tier);
    stuffed_like(&stuffed, &deconv, &nails);
    run(&stuffed, tier);
    equal_floats(&stuffed, stuffed.y, call->y, n);
    if (n > 2000) return;
    double *want = room(n, sizeof *want);
    times_transposed(&deconv, call->out_dims + 2, want);
    equal(call, call->y, want, n);
}

static void replicate_is_deconv(const char *tier)
{
    struct call replicate;
    expand_random(&replicate, UPS_REPLICATE);
    run(&replicate, tier);
    check_as_deconv(&replicate, UPS_FILL_REPLICATE, tier);
}

static void nails_are_deconv(const char *tier)
{
    struct call nails;
    expand_random(&nails, UPS_BED_OF_NAILS);
    run(&nails, tier);
    check_as_deconv(&nails, UPS_FILL_BED_OF_NAILS, tier);
}

/* Weights that lead from no channel to another are one chain of their own; one weight more, and they are dense. */
static void diagonal_is_depthwise(const char *tier)
{
    struct call replicate, deconv, chain;
    expand_random(&replicate, UPS_REPLICATE);
    replicate.dims[1] = check_between(2, 18);
    replicate.x = floats(in_count(&replicate));
    channels_like(&deconv, &replicate, replicate.desc.expand.factor);
    ups_conv_transpose_desc *d = &deconv.desc.conv;
    d->group = 1;
    for (int a = 0; a < d->rank; a++) random_axis(d, a, false);
    float *w = room(weight_count(d), sizeof *w);
    int64_t taps = naive_plane(d->kernel_shape, d->rank), one = check_between(0, d->in_channels - 1);
    const float *values = floats(d->in_channels * taps);
    for (int64_t c = 0; c < d->in_channels; c++)
        for (int64_t t = 0; t < taps; t++) w[naive_weight_at(d, c, c, t)] = values[c * taps + t];
    for (int dense = 0; dense < 2; dense++) {
        if (dense) w[naive_weight_at(d, one, (one + 1) % d->in_channels, check_between(0, taps - 1))] = 1e-3F;
        deconv.w = w, deconv.algorithm = NULL, deconv.policy = UPS_POLICY_ACCURATE;
        chain = deconv;
        run(&deconv, tier);
        if ((call_word(&deconv, "structure")[0] == 0) != dense) fail_msg("structure missed\n  %s", call_text(&deconv));
        chain.policy = UPS_POLICY_REPRODUCIBLE;
        run(&chain, tier);
        assert_string_equal(call_word(&chain, "structure"), "");
        if (!dense) equal_floats(&deconv, deconv.y, chain.y, call_out_count(&chain));
    }
}

static void delta_is_bed_of_nails(const char *tier)
{
    struct call nails, deconv;
    expand_random(&nails, UPS_BED_OF_NAILS);
    ups_expand_desc *d = &nails.desc.expand;
    int64_t tap = 0;
    for (int a = 0; a < d->rank; a++) {
        d->offset[a] = check_between(0, d->factor[a] - 1);
        tap = tap * d->factor[a] + d->offset[a];
    }
    run(&nails, tier);
    channels_like(&deconv, &nails, d->factor);
    ups_conv_transpose_desc *c = &deconv.desc.conv;
    float *w = room(weight_count(c), sizeof *w);
    for (int64_t i = 0; i < c->in_channels; i++) w[naive_weight_at(c, i, i, tap)] = 1;
    deconv.w = w;
    run(&deconv, tier);
    equal_floats(&deconv, deconv.y, nails.y, call_out_count(&nails));
}

/* A pad moves the nails: a kernel of 1 is shorter than the stride, so n*s outputs need zeros on both sides. */
static void pads_move_nails(const char *tier)
{
    struct call nails, deconv;
    expand_random(&nails, UPS_BED_OF_NAILS);
    ups_expand_desc *d = &nails.desc.expand;
    channels_like(&deconv, &nails, d->factor);
    ups_conv_transpose_desc *c = &deconv.desc.conv;
    c->shape_rule = UPS_SHAPE_ONNX;
    c->auto_pad = call_chance(50) ? UPS_SAME_UPPER : UPS_SAME_LOWER;
    const bool more = c->auto_pad == UPS_SAME_UPPER;
    for (int a = 0; a < d->rank; a++) {
        c->kernel_shape[a] = 1;
        d->offset[a] = (d->factor[a] - 1 + more) / 2;
    }
    run(&nails, tier);
    fill(&deconv, UPS_FILL_BED_OF_NAILS);
    run(&deconv, tier);
    assert_memory_equal(deconv.out_dims, nails.out_dims, sizeof nails.out_dims);
    equal_floats(&deconv, deconv.y, nails.y, call_out_count(&nails));
}

/* Switches that all point to one place of their windows. */
static void unpool_is_nails(const char *tier)
{
    struct call nails, unpool;
    expand_random(&nails, UPS_BED_OF_NAILS);
    ups_expand_desc *d = &nails.desc.expand;
    for (int a = 0; a < d->rank; a++) d->offset[a] = check_between(0, d->factor[a] - 1);
    run(&nails, tier);
    like(&unpool, UPS_MAX_UNPOOL, &nails);
    memcpy(unpool.desc.unpool.kernel_shape, d->factor, sizeof d->factor);
    const int64_t n = in_count(&nails), plane = naive_plane(nails.dims + 2, d->rank);
    int64_t *index = room(n, sizeof *index);
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = i % plane, scale = 1;
        for (int a = d->rank - 1; a >= 0; a--) {
            index[i] += (rest % nails.dims[2 + a] * d->factor[a] + d->offset[a]) * scale;
            rest /= nails.dims[2 + a];
            scale *= nails.out_dims[2 + a];
        }
    }
    unpool.index = index;
    run(&unpool, tier);
    call_same(&unpool, "unpooled", unpool.y, nails.y, call_out_count(&nails));
}

/* The convolution reaches back over factor - 1 elements: that is its padding. */
static void convolved_nails_are_replicate(const char *tier)
{
    struct call nails, replicate, box;
    expand_random(&nails, UPS_BED_OF_NAILS);
    like(&replicate, UPS_REPLICATE, &nails);
    memcpy(replicate.desc.expand.factor, nails.desc.expand.factor, sizeof nails.desc.expand.factor);
    run(&nails, tier);
    run(&replicate, tier);
    channels_like(&box, &nails, nails.desc.expand.factor);
    fill(&box, UPS_FILL_REPLICATE);
    ups_conv_transpose_desc *d = &box.desc.conv;
    for (int a = 0; a < d->rank; a++) {
        d->strides[a] = 1;
        d->pads_begin[a] = d->kernel_shape[a] - 1;
        d->pads_end[a] = 0;
    }
    const int64_t n = call_out_count(&nails);
    double *want = room(n, sizeof *want);
    naive_conv(d, nails.out_dims, doubles(nails.y, n), box.w, nails.out_dims + 2, want);
    equal(&replicate, replicate.y, want, n);
}

/* ---- 4: the bilinear filler ---- */

/* Caffe's: a tent of half width s, for one axis. */
static double tent(int64_t s, int64_t t)
{
    const double center = (double)(2 * s - 1 - s % 2) / (double)(2 * s);
    return 1 - fabs((double)t / (double)s - center);
}

static void check_bilinear_filler(const struct call *call, const int64_t *s)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    float *want = room(weight_count(d), sizeof *want);
    for (int64_t i = 0; i < d->in_channels; i++)
        for (int64_t t = 0; t < naive_plane(d->kernel_shape, d->rank); t++) {
            double product = 1;
            int64_t rest = t;
            for (int a = d->rank - 1; a >= 0; a--) {
                product *= tent(s[a], rest % d->kernel_shape[a]);
                rest /= d->kernel_shape[a];
            }
            want[naive_weight_at(d, i, i, t)] = (float)product;
        }
    near(call, call->w, doubles(want, weight_count(d)), 1e-7, weight_count(d));
}

static bool interior(int64_t position, const int64_t *m, const int64_t *s, int32_t rank)
{
    for (int a = rank - 1; a >= 0; a--) {
        const int64_t o = position % m[a], margin = s[a] - s[a] / 2;
        if (o < margin || o >= m[a] - margin) return false;
        position /= m[a];
    }
    return true;
}

static void filler_is_bilinear_resize(const char *tier)
{
    struct call resize, deconv;
    int64_t s[3];
    random_call(&resize, UPS_RESIZE, 2);
    const int32_t rank = resize.desc.head.rank;
    ups_resize_desc *r = &resize.desc.resize;
    random_factors(s, rank);
    r->mode = UPS_MODE_LINEAR;
    r->coordinate_transformation_mode = UPS_HALF_PIXEL;
    if (call_chance(50)) r->coordinate_arithmetic = UPS_COORDINATES_F64;
    for (int a = 0; a < rank; a++) r->scales[a] = (double)s[a];
    resize.x = floats(in_count(&resize));
    run(&resize, tier);
    channels_like(&deconv, &resize, s);
    ups_conv_transpose_desc *d = &deconv.desc.conv;
    for (int a = 0; a < rank; a++) {
        d->kernel_shape[a] = 2 * s[a] - s[a] % 2;
        d->pads_begin[a] = d->pads_end[a] = s[a] / 2; /* ceil((s-1)/2) */
    }
    fill(&deconv, UPS_FILL_BILINEAR);
    check_bilinear_filler(&deconv, s);
    run(&deconv, tier);
    assert_memory_equal(deconv.out_dims, resize.out_dims, sizeof deconv.out_dims);
    const int64_t n = call_out_count(&resize);
    const double *want = doubles(resize.y, n);
    for (int64_t i = 0; i < n; i++)
        if (interior(i, resize.out_dims + 2, s, rank)) near(&deconv, deconv.y + i, want + i, 2e-5, 1);
}

/* ---- 5, 6 and C^T: what a transposed convolution is ---- */

static double dot(const double *a, const float *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * (double)b[i];
    return sum;
}

static void deconv_is_adjoint(const char *tier)
{
    struct call deconv;
    int64_t out[3];
    random_conv(&deconv, true, out);
    run(&deconv, tier);
    const int64_t n = in_count(&deconv), m = conv_out_count(&deconv, out);
    double *x = doubles(integers(m, 4), m), *conv = room(n, sizeof *conv);
    naive_conv(&deconv.desc.conv, deconv.dims, x, deconv.w, out, conv);
    equal_sums(&deconv, dot(x, deconv.y, m), dot(conv, deconv.x, n));
}

static int64_t begin_pad(const struct call *call, int a, int64_t m)
{
    struct naive_fit fit;
    assert_true(naive_conv_fit(&call->desc.conv, a, call->dims[2 + a], m, &fit));
    return fit.begin;
}

/* Element u of an axis with s - 1 zeros between its n elements: its index, or -1 for a zero. */
static int64_t unstuffed(int64_t u, int64_t n, int64_t s)
{
    return u < 0 || u % s || u / s >= n ? -1 : u / s;
}

/* The source element under tap t of output q in the stride-1 convolution of the stuffed input, or -1. */
static int64_t stuffed_source(const struct call *call, const int64_t *out, int64_t q, int64_t t)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    int64_t at = 0, scale = 1;
    for (int a = d->rank - 1; a >= 0; a--) {
        const int64_t k = d->kernel_shape[a], n = call->dims[2 + a], extent = d->dilations[a] * (k - 1) + 1;
        const int64_t u = q % out[a] + t % k * d->dilations[a] - (extent - 1 - begin_pad(call, a, out[a]));
        const int64_t from = unstuffed(u, n, d->strides[a]);
        if (from < 0) return -1;
        at += from * scale;
        scale *= n;
        q /= out[a];
        t /= k;
    }
    return at;
}

/* Taps in row-major order, flipped on every axis: the last one first. */
static double stuffed_output(const struct call *call, const int64_t *out, int64_t b, int64_t o, int64_t q)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    const int64_t taps = naive_plane(d->kernel_shape, d->rank), plane = naive_plane(call->dims + 2, d->rank);
    const int64_t per_group = d->in_channels / d->group, first = o / (d->out_channels / d->group) * per_group;
    double sum = 0;
    for (int64_t t = 0; t < taps; t++) {
        const int64_t from = stuffed_source(call, out, q, t);
        if (from < 0) continue;
        for (int64_t i = first; i < first + per_group; i++)
            sum += (double)call->x[(b * d->in_channels + i) * plane + from] *
                   (double)call->w[naive_weight_at(d, i, o, taps - 1 - t)];
    }
    return sum;
}

static void deconv_is_conv_of_stuffed(const char *tier)
{
    struct call deconv;
    int64_t out[3];
    random_conv(&deconv, true, out);
    run(&deconv, tier);
    const int64_t O = deconv.desc.conv.out_channels, plane = naive_plane(out, deconv.desc.head.rank);
    double *want = room(conv_out_count(&deconv, out), sizeof *want);
    for (int64_t b = 0; b < deconv.dims[0]; b++)
        for (int64_t o = 0; o < O; o++)
            for (int64_t q = 0; q < plane; q++) want[(b * O + o) * plane + q] = stuffed_output(&deconv, out, b, o, q);
    equal(&deconv, deconv.y, want, conv_out_count(&deconv, out));
}

/* Where the convolution that reads a plane of size out reads for its output p at tap t; -1: in the padding. */
static int64_t conv_reads(const struct call *call, const int64_t *out, int64_t p, int64_t t)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    int64_t at = 0, scale = 1;
    for (int a = d->rank - 1; a >= 0; a--) {
        const int64_t n = call->dims[2 + a], k = d->kernel_shape[a];
        const int64_t q = p % n * d->strides[a] - begin_pad(call, a, out[a]) + t % k * d->dilations[a];
        if (q < 0 || q >= out[a]) return -1;
        at += q * scale;
        scale *= out[a];
        p /= n;
        t /= k;
    }
    return at;
}

/* C: a row for each output (i, p) of the convolution, a column for each of its inputs (o, q). */
static double *conv_matrix(const struct call *call, const int64_t *out)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    const int64_t P = naive_plane(call->dims + 2, d->rank), Q = naive_plane(out, d->rank);
    const int64_t taps = naive_plane(d->kernel_shape, d->rank), columns = d->out_channels * Q;
    double *matrix = room(d->in_channels * P * columns, sizeof *matrix);
    for (int64_t i = 0; i < d->in_channels; i++)
        for (int64_t o = 0; o < d->out_channels; o++) {
            if (i / (d->in_channels / d->group) != o / (d->out_channels / d->group)) continue;
            for (int64_t p = 0; p < P; p++)
                for (int64_t t = 0; t < taps; t++) {
                    const int64_t q = conv_reads(call, out, p, t);
                    if (q >= 0)
                        matrix[(i * P + p) * columns + o * Q + q] += (double)call->w[naive_weight_at(d, i, o, t)];
                }
        }
    return matrix;
}

static void small_conv(struct call *call, int64_t out[3])
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    do {
        release();
        random_conv(call, true, out);
        for (int a = 0; a < d->rank; a++) call->dims[2 + a] = check_between(1, d->rank == 1 ? 12 : 5);
    } while (d->rank == 3 || !naive_sizes(d, call->dims + 2, out));
    call->x = integers(in_count(call), 4);
}

/* want = C^T x, for each image. */
static void times_transposed(const struct call *deconv, const int64_t *out, double *want)
{
    const int64_t N = deconv->dims[0], rows = in_count(deconv) / N, columns = conv_out_count(deconv, out) / N;
    const double *matrix = conv_matrix(deconv, out);
    for (int64_t b = 0; b < N; b++)
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < columns; c++)
                want[b * columns + c] += matrix[r * columns + c] * (double)deconv->x[b * rows + r];
}

static void deconv_is_transposed_matrix(const char *tier)
{
    struct call deconv;
    int64_t out[3];
    small_conv(&deconv, out);
    run(&deconv, tier);
    double *want = room(conv_out_count(&deconv, out), sizeof *want);
    times_transposed(&deconv, out, want);
    equal(&deconv, deconv.y, want, conv_out_count(&deconv, out));
}

/* By the library's own zero insertion: zeros do not change a chain. */
static void deconv_is_deconv_of_nails(const char *tier)
{
    struct call deconv, nails, stuffed;
    int64_t out[3];
    random_conv(&deconv, false, out);
    reproducible(&deconv);
    deconv.x = floats(in_count(&deconv));
    deconv.w = floats(weight_count(&deconv.desc.conv));
    run(&deconv, tier);
    nails_like(&nails, &deconv, deconv.desc.conv.strides);
    run(&nails, tier);
    stuffed_like(&stuffed, &deconv, &nails);
    reproducible(&stuffed);
    run(&stuffed, tier);
    call_same(&stuffed, "value", stuffed.y, deconv.y, call_out_count(&deconv));
}

/* ---- 7: sub-pixel convolution ---- */

/* Tap t of the kernel divides into a tap of the shorter kernel and a phase, which becomes the cell of a CRD shuffle. */
static int64_t phase_of(const ups_conv_transpose_desc *d, int64_t t, int64_t s, int64_t *tap)
{
    int64_t cell = 0, cells = 1, scale = 1;
    *tap = 0;
    for (int a = d->rank - 1; a >= 0; a--) {
        const int64_t at = t % d->kernel_shape[a];
        *tap += at / s * scale;
        cell += at % s * cells;
        scale *= d->kernel_shape[a] / s;
        cells *= s;
        t /= d->kernel_shape[a];
    }
    return cell;
}

static void deconv_is_sub_pixel(const char *tier)
{
    struct call deconv, narrow, shuffle;
    int64_t out[3];
    random_conv(&deconv, false, out);
    ups_conv_transpose_desc *d = &deconv.desc.conv, *e = &narrow.desc.conv;
    const int64_t s = check_between(1, 3);
    int64_t cells = 1, tap;
    for (int a = 0; a < d->rank; a++, cells *= s) {
        d->strides[a] = s;
        d->kernel_shape[a] = s * check_between(1, 2);
        d->dilations[a] = 1;
    }
    deconv.w = floats(weight_count(d));
    deconv.x = floats(in_count(&deconv));
    reproducible(&deconv);
    narrow = deconv;
    e->out_channels *= cells;
    for (int a = 0; a < d->rank; a++) {
        e->strides[a] = 1;
        e->kernel_shape[a] /= s;
    }
    reproducible(&narrow);
    float *w = room(weight_count(e), sizeof *w);
    for (int64_t i = 0; i < d->in_channels; i++)
        for (int64_t o = 0; o < d->out_channels; o++) {
            if (i / (d->in_channels / d->group) != o / (d->out_channels / d->group)) continue;
            for (int64_t t = 0; t < naive_plane(d->kernel_shape, d->rank); t++) {
                const int64_t cell = phase_of(d, t, s, &tap);
                w[naive_weight_at(e, i, o * cells + cell, tap)] = deconv.w[naive_weight_at(d, i, o, t)];
            }
        }
    narrow.w = w;
    run(&deconv, tier);
    run(&narrow, tier);
    like(&shuffle, UPS_PIXEL_SHUFFLE, &deconv);
    shuffle.desc.shuffle.blocksize = s;
    memcpy(shuffle.dims, narrow.out_dims, sizeof shuffle.dims);
    shuffle.x = narrow.y;
    run(&shuffle, tier);
    assert_memory_equal(shuffle.out_dims, deconv.out_dims, sizeof deconv.out_dims);
    call_same(&shuffle, "value", shuffle.y, deconv.y, call_out_count(&deconv));
}

/* ---- pads ---- */

/* What ups_solve_pads says, told to a framework that knows only explicit pads, is the same operation. */
static void solved_pads_reproduce(const char *tier)
{
    struct call deconv, told;
    ups_conv_transpose_desc *d = &deconv.desc.conv, *e = &told.desc.conv;
    int64_t out[3], pads[6], more[3];
    bool tellable = true;
    random_conv(&deconv, false, out);
    d->shape_rule = (int32_t)check_between(UPS_SHAPE_TORCH, UPS_SHAPE_OPENVINO);
    d->auto_pad = (int32_t)check_between(UPS_NOTSET, UPS_VALID);
    for (int a = 0; a < d->rank; a++) {
        const int64_t n = deconv.dims[2 + a], s = d->strides[a];
        d->pads_begin[a] = d->pads_end[a] = UPS_BY_PRESET;
        if (d->shape_rule != UPS_SHAPE_TORCH && d->auto_pad != UPS_VALID)
            d->output_shape[a] = n * s - check_between(0, s - 1);
    }
    reproducible(&deconv);
    told = deconv;
    if (ups_solve_pads(d, deconv.dims + 2, NULL, pads, more) != UPS_OK) return;
    e->shape_rule = UPS_SHAPE_TORCH;
    e->auto_pad = UPS_NOTSET;
    for (int a = 0; a < d->rank; a++) {
        e->pads_begin[a] = pads[a];
        e->pads_end[a] = pads[d->rank + a];
        e->output_padding[a] = more[a];
        e->output_shape[a] = UPS_BY_PRESET;
        const int64_t most = e->strides[a] > e->dilations[a] ? e->strides[a] : e->dilations[a];
        tellable = tellable && pads[a] >= 0 && pads[d->rank + a] >= 0 && more[a] < most;
    }
    run(&deconv, tier);
    if (!tellable) return;
    run(&told, tier);
    assert_memory_equal(told.out_dims, deconv.out_dims, sizeof told.out_dims);
    call_same(&told, "value", told.y, deconv.y, call_out_count(&deconv));
}

/* ---- 8: pool and unpool ---- */

static void disjoint_pool(struct call *pool)
{
    int64_t out[3];
    do {
        random_call(pool, UPS_MAX_POOL, 2);
        random_factors(pool->desc.pool.kernel_shape, pool->desc.head.rank);
        pool->desc.pool.index_type = call_chance(50) ? UPS_I32 : UPS_I64;
    } while (!naive_sizes(&pool->desc, pool->dims + 2, out));
}

static float *positive(int64_t n)
{
    float *x = floats(n);
    for (int64_t i = 0; i < n; i++) x[i] = fabsf(x[i]) + 0.125f;
    return x;
}

static void unpool_of(struct call *unpool, const struct call *pool)
{
    ups_unpool_desc *d = &unpool->desc.unpool;
    like(unpool, UPS_MAX_UNPOOL, pool);
    d->index_type = pool->desc.pool.index_type;
    memcpy(d->kernel_shape, pool->desc.pool.kernel_shape, sizeof d->kernel_shape);
    memcpy(d->output_shape, pool->dims + 2, sizeof d->output_shape);
    memcpy(unpool->dims, pool->out_dims, sizeof unpool->dims);
    unpool->x = pool->y;
    unpool->index = pool->switches;
}

/* Flat window of a position of the pooled image, -1 where no window reaches. */
static int64_t window_of(const struct call *pool, int64_t position)
{
    int64_t window = 0, scale = 1;
    for (int a = pool->desc.head.rank - 1; a >= 0; a--) {
        const int64_t o = position % pool->dims[2 + a] / pool->desc.pool.kernel_shape[a];
        if (o >= pool->out_dims[2 + a]) return -1;
        window += o * scale;
        scale *= pool->out_dims[2 + a];
        position /= pool->dims[2 + a];
    }
    return window;
}

/* Every non-zero stands where the image has the same value; each window has exactly one. */
static void one_in_each_window(const struct call *pool, const struct call *unpool)
{
    const int32_t rank = pool->desc.head.rank;
    const int64_t plane = naive_plane(pool->dims + 2, rank), windows = naive_plane(pool->out_dims + 2, rank);
    int64_t *found = room(call_out_count(pool), sizeof *found);
    for (int64_t i = 0; i < in_count(pool); i++) {
        if (unpool->y[i] == 0) continue;
        const int64_t window = window_of(pool, i % plane);
        if (window < 0 || unpool->y[i] != pool->x[i]) fail_msg("a maximum is misplaced\n  %s", call_text(unpool));
        found[i / plane * windows + window]++;
    }
    for (int64_t i = 0; i < call_out_count(pool); i++)
        if (found[i] != 1) fail_msg("%lld non-zeros in a window\n  %s", (long long)found[i], call_text(unpool));
}

static void unpool_keeps_maxima(const char *tier)
{
    struct call pool, unpool, again;
    disjoint_pool(&pool);
    pool.x = positive(in_count(&pool));
    run(&pool, tier);
    unpool_of(&unpool, &pool);
    run(&unpool, tier);
    one_in_each_window(&pool, &unpool);
    like(&again, UPS_MAX_POOL, &pool);
    again.desc = pool.desc;
    again.x = unpool.y;
    run(&again, tier);
    call_same(&again, "pool(unpool(pool))", again.y, pool.y, call_out_count(&pool));
    call_same_index(&again, "its switch", again.switches, pool.switches, call_out_count(&pool));
}

/* ---- 11, 12: constants and linearity ---- */

static void random_linear(struct call *call)
{
    ups_resize_desc *d = &call->desc.resize;
    random_call(call, UPS_RESIZE, 1);
    d->mode = UPS_MODE_LINEAR;
    d->coordinate_transformation_mode = (int32_t)check_between(UPS_HALF_PIXEL, UPS_ASYMMETRIC);
    if (call_chance(50)) d->coordinate_arithmetic = UPS_COORDINATES_F64;
    for (int a = 0; a < d->rank; a++) d->sizes[a] = check_between(1, 3 * call->dims[2 + a]);
}

static void resize_keeps_constants(const char *tier)
{
    struct call resize;
    random_linear(&resize);
    const int64_t n = in_count(&resize);
    float *x = room(n, sizeof *x);
    const float v = call_gaussian();
    for (int64_t i = 0; i < n; i++) x[i] = v;
    resize.x = x;
    run(&resize, tier);
    double *want = room(call_out_count(&resize), sizeof *want);
    for (int64_t i = 0; i < call_out_count(&resize); i++) want[i] = (double)v;
    near(&resize, resize.y, want, 1e-6 * fabs((double)v), call_out_count(&resize));
}

/* One call on x, on another x and on 3x - 2 times the other; the combination wanted of the third. */
static double *combined(struct call *call, const char *tier)
{
    struct call other = *call, both = *call;
    const int64_t n = in_count(call);
    float *x = integers(n, 4), *sum = room(n, sizeof *sum);
    for (int64_t i = 0; i < n; i++) sum[i] = 3 * call->x[i] - 2 * x[i];
    other.x = x;
    both.x = sum;
    run(call, tier);
    run(&other, tier);
    run(&both, tier);
    double *want = room(call_out_count(call), sizeof *want);
    for (int64_t i = 0; i < call_out_count(call); i++) want[i] = 3 * (double)call->y[i] - 2 * (double)other.y[i];
    *call = both;
    return want;
}

static void deconv_is_linear(const char *tier)
{
    struct call deconv;
    int64_t out[3];
    random_conv(&deconv, true, out);
    const double *want = combined(&deconv, tier);
    equal(&deconv, deconv.y, want, call_out_count(&deconv));
}

static void resize_is_linear(const char *tier)
{
    struct call resize;
    random_linear(&resize);
    resize.x = integers(in_count(&resize), 4);
    const double *want = combined(&resize, tier);
    near(&resize, resize.y, want, 4e-5, call_out_count(&resize));
}

/* ---- 13: translation ---- */

/* Elements between neighbours of an axis in a dense tensor. */
static int64_t step_of(const int64_t *dims, int32_t rank, int axis)
{
    int64_t step = 1;
    for (int a = rank - 1; a > axis; a--) step *= dims[2 + a];
    return step;
}

/* x moved by `by` along a spatial axis; zeros come in. */
static float *moved(const float *x, const int64_t *dims, int32_t rank, int axis, int64_t by)
{
    const int64_t n = naive_count(dims, rank), step = step_of(dims, rank, axis);
    float *to = room(n, sizeof *to);
    for (int64_t i = 0; i < n; i++)
        if (i / step % dims[2 + axis] >= by) to[i] = x[i - by * step];
    return to;
}

/* The last slice along the axis is cleared, so that nothing falls off: then moving x by 1 moves the output by `by`. */
static void check_translation(struct call *call, const char *tier, int axis, int64_t by)
{
    const int32_t rank = call->desc.head.rank;
    const int64_t n = in_count(call), step = step_of(call->dims, rank, axis);
    float *x = room(n, sizeof *x);
    for (int64_t i = 0; i < n; i++)
        if (i / step % call->dims[2 + axis] + 1 < call->dims[2 + axis]) x[i] = call->x[i];
    struct call after = *call;
    call->x = x;
    after.x = moved(x, call->dims, rank, axis, 1);
    run(call, tier);
    run(&after, tier);
    equal_floats(&after, after.y, moved(call->y, call->out_dims, rank, axis, by), call_out_count(call));
}

static void deconv_translates(const char *tier)
{
    struct call deconv;
    int64_t out[3];
    random_conv(&deconv, false, out);
    const int axis = (int)check_between(0, deconv.desc.head.rank - 1);
    check_translation(&deconv, tier, axis, deconv.desc.conv.strides[axis]);
}

static void replicate_translates(const char *tier)
{
    struct call replicate;
    expand_random(&replicate, UPS_REPLICATE);
    const int axis = (int)check_between(0, replicate.desc.head.rank - 1);
    check_translation(&replicate, tier, axis, replicate.desc.expand.factor[axis]);
}

/* Moving the image by a stride moves the windows by one: without pads, in all but the first and last window. */
static void pool_translates(const char *tier)
{
    struct call pool, after;
    int64_t out[3];
    disjoint_pool(&pool);
    const int32_t rank = pool.desc.head.rank;
    const int axis = (int)check_between(0, rank - 1);
    pool.x = floats(in_count(&pool));
    after = pool;
    after.x = moved(pool.x, pool.dims, rank, axis, pool.desc.pool.kernel_shape[axis]);
    assert_true(naive_sizes(&pool.desc, pool.dims + 2, out));
    run(&pool, tier);
    run(&after, tier);
    const int64_t n = call_out_count(&pool), step = step_of(pool.out_dims, rank, axis);
    for (int64_t i = 0; i < n; i++)
        if (i / step % pool.out_dims[2 + axis] >= 1) call_same(&after, "maximum", &after.y[i], &pool.y[i - step], 1);
}

/* ---- 14: shuffles ---- */

static void random_shuffle(struct call *call, int32_t op)
{
    random_call(call, op, 1);
    ups_shuffle_desc *d = &call->desc.shuffle;
    d->blocksize = check_between(1, d->rank == 3 ? 2 : 4);
    d->shuffle = call_chance(50) ? UPS_CRD : UPS_DCR;
    for (int a = 0; a < d->rank; a++) {
        if (op == UPS_PIXEL_SHUFFLE) call->dims[1] *= d->blocksize;
        if (op == UPS_PIXEL_UNSHUFFLE) call->dims[2 + a] *= d->blocksize;
    }
    call->x = hold(call_values(in_count(call)));
}

static void shuffles_undo_each_other(const char *tier)
{
    for (int32_t op = UPS_PIXEL_SHUFFLE; op <= UPS_PIXEL_UNSHUFFLE; op++) {
        struct call there, back;
        random_shuffle(&there, op);
        run(&there, tier);
        like(&back, UPS_PIXEL_SHUFFLE + UPS_PIXEL_UNSHUFFLE - op, &there);
        back.desc.shuffle.blocksize = there.desc.shuffle.blocksize;
        back.desc.shuffle.shuffle = there.desc.shuffle.shuffle;
        memcpy(back.dims, there.out_dims, sizeof back.dims);
        back.x = there.y;
        run(&back, tier);
        assert_memory_equal(back.out_dims, there.dims, sizeof back.out_dims);
        call_same(&back, "there and back", back.y, there.x, in_count(&there));
    }
}

/* Each channel b^rank times in a row, shuffled CRD, or all channels b^rank times over, shuffled DCR. */
static void shuffled_copies_are_replicate(const char *tier)
{
    struct call replicate;
    expand_random(&replicate, UPS_REPLICATE);
    const int32_t rank = replicate.desc.head.rank;
    const int64_t b = check_between(1, rank == 3 ? 2 : 3), C = replicate.dims[1];
    const int64_t plane = naive_plane(replicate.dims + 2, rank);
    int64_t cells = 1;
    for (int a = 0; a < rank; a++, cells *= b) replicate.desc.expand.factor[a] = b;
    run(&replicate, tier);
    for (int32_t order = UPS_CRD; order <= UPS_DCR; order++) {
        struct call shuffle;
        like(&shuffle, UPS_PIXEL_SHUFFLE, &replicate);
        shuffle.desc.shuffle.blocksize = b;
        shuffle.desc.shuffle.shuffle = order;
        shuffle.dims[1] = C * cells;
        float *x = room(shuffle.dims[0] * shuffle.dims[1] * plane, sizeof *x);
        for (int64_t p = 0; p < shuffle.dims[0] * C * cells; p++) {
            const int64_t c = p % (C * cells), from = p / (C * cells) * C + (order == UPS_CRD ? c / cells : c % C);
            memcpy(x + p * plane, replicate.x + from * plane, (size_t)plane * sizeof *x);
        }
        shuffle.x = x;
        run(&shuffle, tier);
        call_same(&shuffle, "replicated", shuffle.y, replicate.y, call_out_count(&replicate));
    }
}

/* ---- 15, 16: resizing by whole factors ---- */

static void nearest_like(struct call *call, const struct call *replicate, int32_t transform, int32_t round)
{
    like(call, UPS_RESIZE, replicate);
    ups_resize_desc *d = &call->desc.resize;
    d->mode = UPS_MODE_NEAREST;
    d->coordinate_transformation_mode = transform;
    d->nearest_mode = round;
    d->coordinate_arithmetic = UPS_COORDINATES_F64;
    const bool scaled = call_chance(50);
    for (int a = 0; a < d->rank; a++) {
        if (scaled) d->scales[a] = (double)replicate->desc.expand.factor[a];
        if (!scaled) d->sizes[a] = replicate->desc.expand.factor[a] * replicate->dims[2 + a];
    }
}

static void nearest_is_replicate(const char *tier)
{
    static const int32_t modes[][2] = {{UPS_ASYMMETRIC, UPS_NEAREST_FLOOR},
                                       {UPS_HALF_PIXEL, UPS_ROUND_PREFER_FLOOR},
                                       {UPS_HALF_PIXEL, UPS_ROUND_PREFER_CEIL}};
    struct call replicate, nearest;
    expand_random(&replicate, UPS_REPLICATE);
    run(&replicate, tier);
    for (int i = 0; i < 3; i++) {
        nearest_like(&nearest, &replicate, modes[i][0], modes[i][1]);
        run(&nearest, tier);
        assert_memory_equal(nearest.out_dims, replicate.out_dims, sizeof nearest.out_dims);
        call_same(&nearest, "nearest", nearest.y, replicate.y, call_out_count(&replicate));
    }
}

static void half_pixel_floor_is_not(const char *tier)
{
    struct call replicate, nearest;
    random_call(&replicate, UPS_REPLICATE, 2);
    const int32_t rank = replicate.desc.head.rank;
    const int64_t n = in_count(&replicate);
    for (int a = 0; a < rank; a++) replicate.desc.expand.factor[a] = check_between(2, 4);
    float *x = room(n, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)i;
    replicate.x = x;
    run(&replicate, tier);
    nearest_like(&nearest, &replicate, UPS_HALF_PIXEL, UPS_NEAREST_FLOOR);
    run(&nearest, tier);
    if (check_first_difference(nearest.y, replicate.y, call_out_count(&replicate), 0) < 0)
        fail_msg("half_pixel with floor gave replicate\n  %s", call_text(&nearest));
}

/* The mean of the 2^rank elements under a position of the halved image. */
static double mean_of_two(const struct call *call, int64_t position)
{
    const int32_t rank = call->desc.head.rank;
    const int64_t channel = position / naive_plane(call->out_dims + 2, rank);
    double sum = 0;
    for (int corner = 0; corner < 1 << rank; corner++) {
        int64_t at = channel * naive_plane(call->dims + 2, rank), rest = position, scale = 1;
        for (int a = rank - 1; a >= 0; a--) {
            at += (2 * (rest % call->out_dims[2 + a]) + (corner >> a & 1)) * scale;
            rest /= call->out_dims[2 + a];
            scale *= call->dims[2 + a];
        }
        sum += (double)call->x[at];
    }
    return ldexp(sum, -rank);
}

static void halving_is_mean(const char *tier)
{
    struct call resize;
    random_call(&resize, UPS_RESIZE, 1);
    ups_resize_desc *d = &resize.desc.resize;
    d->mode = UPS_MODE_LINEAR;
    d->coordinate_transformation_mode = UPS_HALF_PIXEL;
    if (call_chance(50)) d->coordinate_arithmetic = UPS_COORDINATES_F64;
    for (int a = 0; a < d->rank; a++) {
        d->sizes[a] = resize.dims[2 + a];
        resize.dims[2 + a] *= 2;
    }
    resize.x = integers(in_count(&resize), 100);
    run(&resize, tier);
    const int64_t m = call_out_count(&resize);
    double *want = room(m, sizeof *want);
    for (int64_t i = 0; i < m; i++) want[i] = mean_of_two(&resize, i);
    equal(&resize, resize.y, want, m);
}

/* ---- 17: the sum of everything ---- */

static double sum_of(const float *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i];
    return sum;
}

static double weights_of_input(const ups_conv_transpose_desc *d, const float *w, int64_t i)
{
    const int64_t per_group = d->out_channels / d->group, first = i / (d->in_channels / d->group) * per_group;
    double sum = 0;
    for (int64_t o = first; o < first + per_group; o++)
        for (int64_t t = 0; t < naive_plane(d->kernel_shape, d->rank); t++)
            sum += (double)w[naive_weight_at(d, i, o, t)];
    return sum;
}

static void full_deconv_sums(const char *tier)
{
    struct call deconv;
    int64_t out[3];
    random_conv(&deconv, false, out);
    run(&deconv, tier);
    const ups_conv_transpose_desc *d = &deconv.desc.conv;
    const int64_t plane = naive_plane(deconv.dims + 2, d->rank);
    double want = 0;
    for (int64_t c = 0; c < deconv.dims[0] * d->in_channels; c++)
        want += sum_of(deconv.x + c * plane, plane) * weights_of_input(d, deconv.w, c % d->in_channels);
    equal_sums(&deconv, sum_of(deconv.y, call_out_count(&deconv)), want);
}

/* ---- 18: pool and increasing maps ---- */

static void random_pool(struct call *pool)
{
    ups_pool_desc *d = &pool->desc.pool;
    int64_t out[3];
    do {
        random_call(pool, UPS_MAX_POOL, 1);
        for (int a = 0; a < d->rank; a++) {
            d->kernel_shape[a] = check_between(1, 4);
            d->strides[a] = check_between(1, 4);
            d->dilations[a] = call_chance(25) ? check_between(1, 3) : 1;
            const int64_t extent = d->dilations[a] * (d->kernel_shape[a] - 1) + 1;
            d->pads_begin[a] = call_chance(30) ? check_between(0, extent - 1) : 0;
            d->pads_end[a] = call_chance(30) ? check_between(0, extent - 1) : 0;
        }
        d->ceil_mode = call_chance(30);
        d->index_type = call_chance(50) ? UPS_I32 : UPS_I64;
    } while (!naive_sizes(d, pool->dims + 2, out));
}

static float cube(float v)
{
    return v * v * v;
}

static float scale_and_shift(float v)
{
    return 3 * v + 7;
}

static void pool_commutes(const char *tier)
{
    float (*const maps[])(float) = {cube, scale_and_shift};
    struct call pool;
    random_pool(&pool);
    const int64_t n = in_count(&pool);
    pool.x = integers(n, call_chance(50) ? 3 : 100);
    struct call mapped = pool;
    float (*map)(float) = maps[check_between(0, 1)];
    float *x = room(n, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = map(pool.x[i]);
    mapped.x = x;
    run(&pool, tier);
    run(&mapped, tier);
    const int64_t m = call_out_count(&pool);
    float *want = room(m, sizeof *want);
    for (int64_t i = 0; i < m; i++) want[i] = map(pool.y[i]);
    call_same(&mapped, "maximum of mapped values", mapped.y, want, m);
    call_same_index(&mapped, "switch of mapped values", mapped.switches, pool.switches, m);
}

/* ---- 19: layouts ---- */

/* Both layouts, from and to dense arrays: equal to the bit. */
static void both_layouts(struct call *call, const char *tier)
{
    struct call last = *call;
    call->desc.head.layout = UPS_CHANNELS_FIRST;
    last.desc.head.layout = UPS_CHANNELS_LAST;
    run(call, tier);
    run(&last, tier);
    const int64_t n = call_out_count(call);
    assert_memory_equal(call->out_dims, last.out_dims, sizeof last.out_dims);
    call_same(&last, "channels last", last.y, call->y, n);
    if (call->switches) call_same_index(&last, "channels last", last.switches, call->switches, n);
}

static void layouts_of_pool_and_unpool(const char *tier)
{
    struct call pool, unpool;
    random_pool(&pool);
    pool.x = hold(call_values(in_count(&pool)));
    both_layouts(&pool, tier);
    disjoint_pool(&pool);
    pool.x = hold(call_values(in_count(&pool)));
    run(&pool, tier);
    unpool_of(&unpool, &pool);
    both_layouts(&unpool, tier);
}

static void layouts_of_expansions(const char *tier)
{
    for (int32_t op = UPS_REPLICATE; op <= UPS_BED_OF_NAILS; op++) {
        struct call expand;
        expand_random(&expand, op);
        expand.x = hold(call_values(in_count(&expand)));
        both_layouts(&expand, tier);
    }
}

static void layouts_of_shuffles(const char *tier)
{
    for (int32_t op = UPS_PIXEL_SHUFFLE; op <= UPS_PIXEL_UNSHUFFLE; op++) {
        struct call shuffle;
        random_shuffle(&shuffle, op);
        both_layouts(&shuffle, tier);
    }
}

static void layouts_of_nearest(const char *tier)
{
    struct call nearest;
    random_linear(&nearest);
    nearest.desc.resize.mode = UPS_MODE_NEAREST;
    nearest.desc.resize.nearest_mode = (int32_t)check_between(UPS_NEAREST_FLOOR, UPS_ROUND_PREFER_CEIL);
    nearest.x = hold(call_values(in_count(&nearest)));
    both_layouts(&nearest, tier);
}

static void layouts_of_deconv(const char *tier)
{
    struct call deconv;
    int64_t out[3];
    random_conv(&deconv, true, out);
    reproducible(&deconv);
    deconv.x = floats(in_count(&deconv));
    deconv.w = floats(weight_count(&deconv.desc.conv));
    if (call_chance(50)) deconv.bias = floats(deconv.desc.conv.out_channels);
    both_layouts(&deconv, tier);
}

/* ---- all of them ---- */

static void repeat(void (*identity)(const char *tier))
{
    const int cases = check_quick() ? 8 : 150;
    for (int t = 0; t < tier_count; t++)
        for (int i = 0; i < cases; i++) {
            release();
            identity(tiers[t]);
        }
    release();
}

#define IDENTITIES(X)                \
    X(replicate_is_deconv)           \
    X(nails_are_deconv)              \
    X(diagonal_is_depthwise)         \
    X(delta_is_bed_of_nails)         \
    X(pads_move_nails)               \
    X(unpool_is_nails)               \
    X(convolved_nails_are_replicate) \
    X(filler_is_bilinear_resize)     \
    X(deconv_is_adjoint)             \
    X(deconv_is_conv_of_stuffed)     \
    X(deconv_is_transposed_matrix)   \
    X(deconv_is_deconv_of_nails)     \
    X(deconv_is_sub_pixel)           \
    X(solved_pads_reproduce)         \
    X(unpool_keeps_maxima)           \
    X(resize_keeps_constants)        \
    X(deconv_is_linear)              \
    X(resize_is_linear)              \
    X(deconv_translates)             \
    X(replicate_translates)          \
    X(pool_translates)               \
    X(shuffles_undo_each_other)      \
    X(shuffled_copies_are_replicate) \
    X(nearest_is_replicate)          \
    X(half_pixel_floor_is_not)       \
    X(halving_is_mean)               \
    X(full_deconv_sums)              \
    X(pool_commutes)                 \
    X(layouts_of_pool_and_unpool)    \
    X(layouts_of_expansions)         \
    X(layouts_of_shuffles)           \
    X(layouts_of_nearest)            \
    X(layouts_of_deconv)

#define DEFINE(name)                       \
    static void test_##name(void **unused) \
    {                                      \
        (void)unused;                      \
        repeat(name);                      \
    }
IDENTITIES(DEFINE)

#define LIST(name) cmocka_unit_test(test_##name),

int main(void)
{
    const struct CMUnitTest tests[] = {IDENTITIES(LIST)};
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
