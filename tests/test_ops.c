/* SPDX-License-Identifier: MIT
 *
 * Every operation, on every tier this machine runs, against naive.c: random calls and chosen ones.
 *
 * Copies, pools and switches must be equal to the bit. Sums may miss the double result by a random walk of roundings
 * (call_sum_bound); under the policy "reproducible" they must be one given chain to the bit.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"
#include "kernels.h"
#include "naive.h"
#include "naive_pool.h"

static const char *tiers[8];
static int tier_count;

static int64_t cases(int64_t n)
{
    return check_quick() ? n / 30 + 1 : n;
}

static int64_t pick(const int64_t *from, int n)
{
    return from[check_between(0, n - 1)];
}
#define PICK(...) pick((const int64_t[]){__VA_ARGS__}, (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

/* ---- what every random call has ---- */

/* Sizes: lengths around vector widths on the last axis, small ones elsewhere; channels that fill lanes or do not. */
static void random_dims(struct call *call)
{
    int32_t rank = call->desc.head.rank;
    int64_t widest = check_quick() ? 20 : 40;
    call->dims[0] = check_between(1, 2);
    call->dims[1] = PICK(1, 2, 3, 5, 8, 16, 17, 33);
    for (int a = 0; a < rank; a++) call->dims[2 + a] = check_between(1, rank == 3 ? 5 : 9);
    call->dims[rank + 1] = check_between(1, rank == 1 ? 2 * widest : widest);
    if (rank == 3) call->dims[1] = check_between(1, 5);
}

static void random_call(struct call *call, int32_t op)
{
    call_init(call, op, (int32_t)check_between(1, 3));
    call->desc.head.layout = call_chance(50) ? UPS_CHANNELS_FIRST : UPS_CHANNELS_LAST;
    random_dims(call);
    if (call_chance(30)) call->src_margin = (int32_t)check_between(1, 5);
    if (call_chance(30)) call->dst_margin = (int32_t)check_between(1, 5);
    if (call_chance(25)) call->parts = (int32_t)check_between(1, 5);
}

static int64_t in_count(const struct call *call)
{
    return naive_count(call->dims, call->desc.head.rank);
}

static int64_t out_count(const struct call *call, const int64_t *out)
{
    return call->dims[0] * call->dims[1] * naive_plane(out, call->desc.head.rank);
}

/* Runs on one tier and checks that it was that tier. */
static void run_on(struct call *call, const char *tier)
{
    call->isa = tier;
    call_status(call, call_run(call), UPS_OK);
    if (strcmp(call_word(call, "isa"), tier) != 0)
        fail_msg("ran on \"%s\"\n  %s", call_word(call, "isa"), call_text(call));
}

/* The library must refuse what the formulas refuse. */
static void refused(struct call *call)
{
    call->isa = NULL;
    call_status(call, call_run(call), UPS_INVALID);
}

static void *room(int64_t n, size_t each)
{
    void *memory = calloc((size_t)n + 1, each);
    assert_non_null(memory);
    return memory;
}

/* ---- max_pool ---- */

static void random_pool(struct call *call)
{
    ups_pool_desc *d = &call->desc.pool;
    bool usual = call_chance(40);
    random_call(call, UPS_MAX_POOL);
    const bool stepped = !usual && call_chance(60);
    for (int a = 0; a < d->rank; a++) {
        d->kernel_shape[a] = usual ? 2 : check_between(1, 4);
        if (stepped) d->strides[a] = check_between(1, 4);
        if (call_chance(25) && !usual) d->dilations[a] = check_between(1, 3);
        int64_t extent = d->dilations[a] * (d->kernel_shape[a] - 1) + 1;
        d->pads_begin[a] = call_chance(30) ? check_between(0, extent - 1) : 0;
        d->pads_end[a] = call_chance(30) ? check_between(0, extent - 1) : 0;
    }
    d->ceil_mode = call_chance(30);
    d->index_type = call_chance(50) ? UPS_I32 : UPS_I64;
    call->values_only = call_chance(25);
}

static void check_pool(struct call *call)
{
    int64_t out[3];
    float *x = call_values(in_count(call));
    call->x = x;
    if (naive_sizes(&call->desc, call->dims + 2, out)) {
        int64_t n = out_count(call, out);
        float *y = room(n, sizeof *y);
        int64_t *index = room(n, sizeof *index);
        naive_max_pool(&call->desc.pool, call->dims, x, y, index);
        for (int i = 0; i < tier_count; i++) {
            run_on(call, tiers[i]);
            call_same(call, "maximum", call->y, y, n);
            if (!call->values_only) call_same_index(call, "switch", call->switches, index, n);
            call_close(call);
        }
        free(y);
        free(index);
    } else {
        refused(call);
    }
    free(x);
}

static void test_max_pool(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(1500); i++) {
        struct call call;
        random_pool(&call);
        check_pool(&call);
    }
}

/* ---- max_unpool ---- */

/* Where a source element goes: home, to a random place, or outside. */
static int64_t random_index(const struct call *call, int64_t i, int64_t plane)
{
    int64_t n = naive_plane(call->dims + 2, call->desc.head.rank);
    if (call_chance(60)) return i % n * plane / n;
    return check_between(0, plane - 1);
}

static int64_t bad_index(const struct call *call, int64_t plane)
{
    bool small = call->desc.unpool.index_type == UPS_I32;
    return PICK(-1, plane, plane + 1, small ? INT32_MIN : INT64_MIN, small ? INT32_MAX : INT64_MAX);
}

static void random_unpool(struct call *call, int64_t sizes[3])
{
    ups_unpool_desc *d = &call->desc.unpool;
    bool usual = call_chance(50);
    random_call(call, UPS_MAX_UNPOOL);
    const bool stepped = !usual && call_chance(60);
    for (int a = 0; a < d->rank; a++) {
        d->kernel_shape[a] = usual ? 2 : check_between(1, 4);
        if (stepped) d->strides[a] = check_between(1, 4);
        if (call_chance(20)) d->pads_begin[a] = check_between(0, d->kernel_shape[a] - 1);
        if (call_chance(20)) d->pads_end[a] = check_between(0, d->kernel_shape[a] - 1);
    }
    d->index_type = call_chance(50) ? UPS_I32 : UPS_I64;
    if (!call_chance(30) || !naive_sizes(d, call->dims + 2, sizes)) return;
    for (int a = 0; a < d->rank; a++) {
        int64_t s = d->strides[a] == UPS_BY_PRESET ? d->kernel_shape[a] : d->strides[a];
        sizes[a] += check_between(1 - s, s - 1);
        if (sizes[a] < 1) sizes[a] = 1;
    }
    if (call_chance(50))
        call->sizes = sizes;
    else
        memcpy(d->output_shape, sizes, sizeof d->output_shape);
}

/* The switches of what a pooling of the same window would have given, or arbitrary ones. */
static int64_t *random_indices(const struct call *call, int64_t plane)
{
    int64_t n = in_count(call), *index = room(n, sizeof *index);
    bool bad = call_chance(20);
    for (int64_t i = 0; i < n; i++) {
        index[i] = random_index(call, i, plane);
        if (bad && call_chance(10)) index[i] = bad_index(call, plane);
    }
    return index;
}

static void compare_unpool(struct call *call, const int64_t *out)
{
    int64_t n = out_count(call, out), first;
    float *y = room(n, sizeof *y);
    int64_t bad = naive_max_unpool(&call->desc.unpool, call->dims, call->x, call->index, out, y, &first);
    for (int i = 0; i < tier_count; i++) {
        call->isa = tiers[i];
        call_status(call, call_run(call), bad ? UPS_BAD_INDEX : UPS_OK);
        call_same(call, "unpooled", call->y, y, n);
        call_same_index(call, "bad_count", &call->bad_count, &bad, 1);
        call_same_index(call, "bad_first", &call->bad_first, &first, 1);
        call_close(call);
    }
    free(y);
}

static void check_unpool(struct call *call)
{
    int64_t out[3];
    bool legal = naive_sizes(&call->desc, call->dims + 2, out);
    if (call->sizes) memcpy(out, call->sizes, sizeof out);
    float *x = call_values(in_count(call));
    int64_t *index = random_indices(call, legal ? naive_plane(out, call->desc.head.rank) : 1);
    call->x = x;
    call->index = index;
    if (legal)
        compare_unpool(call, out);
    else
        refused(call);
    free(x);
    free(index);
}

static void test_max_unpool(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(1500); i++) {
        struct call call;
        int64_t sizes[3];
        random_unpool(&call, sizes);
        check_unpool(&call);
    }
}

/* A pooling without pads and dilation, whose switches unpooling takes back; false: the image is too small for it. */
static bool random_pool_to_undo(struct call *pool)
{
    int64_t out[3];
    random_pool(pool);
    pool->values_only = false;
    for (int a = 0; a < pool->desc.head.rank; a++) {
        pool->desc.pool.pads_begin[a] = pool->desc.pool.pads_end[a] = 0;
        pool->desc.pool.dilations[a] = 1;
    }
    return naive_sizes(&pool->desc, pool->dims + 2, out);
}

static void unpool_of(struct call *unpool, const struct call *pool)
{
    call_init(unpool, UPS_MAX_UNPOOL, pool->desc.head.rank);
    unpool->desc.head.layout = pool->desc.head.layout;
    unpool->desc.unpool.index_type = pool->desc.pool.index_type;
    memcpy(unpool->desc.unpool.kernel_shape, pool->desc.pool.kernel_shape, sizeof pool->desc.pool.kernel_shape);
    memcpy(unpool->desc.unpool.strides, pool->desc.pool.strides, sizeof pool->desc.pool.strides);
    memcpy(unpool->desc.unpool.output_shape, pool->dims + 2, sizeof unpool->desc.unpool.output_shape);
    memcpy(unpool->dims, pool->out_dims, sizeof unpool->dims);
    unpool->x = pool->y;
    unpool->index = pool->switches;
}

/* Pool and unpool together, as a network does: the library's own switches, any tier's with any other's. */
static void test_unpool_of_pool(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(300); i++) {
        struct call pool, unpool;
        int64_t first;
        if (!random_pool_to_undo(&pool)) continue;
        int64_t n = in_count(&pool);
        float *x = call_floats(n), *y = room(n, sizeof *y);
        pool.x = x;
        run_on(&pool, tiers[check_between(0, tier_count - 1)]);
        unpool_of(&unpool, &pool);
        assert_int_equal(
            naive_max_unpool(&unpool.desc.unpool, unpool.dims, pool.y, pool.switches, pool.dims + 2, y, &first), 0);
        run_on(&unpool, tiers[check_between(0, tier_count - 1)]);
        call_same(&unpool, "unpooled", unpool.y, y, n);
        call_close(&unpool);
        call_close(&pool);
        free(x);
        free(y);
    }
}

/* ---- replicate, bed_of_nails ---- */

static void check_expand(int32_t op)
{
    struct call call;
    ups_expand_desc *d = &call.desc.expand;
    random_call(&call, op);
    for (int a = 0; a < d->rank; a++) {
        d->factor[a] = call_chance(40) ? 2 : call_chance(90) ? check_between(1, 4) : check_between(5, 17);
        if (op == UPS_BED_OF_NAILS) d->offset[a] = check_between(0, d->factor[a] - 1);
    }
    int64_t out[3];
    assert_true(naive_sizes(d, call.dims + 2, out));
    int64_t n = out_count(&call, out);
    float *x = call_values(in_count(&call)), *y = room(n, sizeof *y);
    call.x = x;
    naive_expand(d, call.dims, x, y);
    for (int i = 0; i < tier_count; i++) {
        run_on(&call, tiers[i]);
        call_same(&call, "expanded", call.y, y, n);
        call_close(&call);
    }
    free(x);
    free(y);
}

static void test_expand(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(400); i++) {
        check_expand(UPS_REPLICATE);
        check_expand(UPS_BED_OF_NAILS);
    }
}

/* ---- pixel_shuffle, pixel_unshuffle ---- */

static void check_shuffle(int32_t op)
{
    struct call call;
    random_call(&call, op);
    ups_shuffle_desc *d = &call.desc.shuffle;
    int64_t out[5] = {0};
    d->blocksize = call_chance(50) ? 2 : check_between(1, d->rank == 3 ? 3 : 5);
    d->shuffle = call_chance(50) ? UPS_CRD : UPS_DCR;
    for (int a = 0; a < d->rank; a++) {
        if (op == UPS_PIXEL_SHUFFLE) call.dims[1] *= d->blocksize;
        if (op == UPS_PIXEL_UNSHUFFLE) call.dims[2 + a] *= d->blocksize;
    }
    naive_shuffle_dims(d, call.dims, out);
    int64_t n = in_count(&call);
    float *x = call_values(n), *y = room(n, sizeof *y);
    call.x = x;
    naive_shuffle(d, call.dims, x, y);
    for (int i = 0; i < tier_count; i++) {
        run_on(&call, tiers[i]);
        call_same_index(&call, "dims", call.out_dims, out, d->rank + 2);
        call_same(&call, "shuffled", call.y, y, n);
        call_close(&call);
    }
    free(x);
    free(y);
}

static void test_shuffle(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(400); i++) {
        check_shuffle(UPS_PIXEL_SHUFFLE);
        check_shuffle(UPS_PIXEL_UNSHUFFLE);
    }
}

/* ---- conv_transpose ---- */

/* NULL, "auto", and all there are; how often each one ran. */
static const char *algorithms[2 + 8] = {NULL, "auto"};
static int algorithm_count;
static int64_t ran[2 + 8];
enum { FORCED = 2 };

static void random_activation(ups_conv_transpose_desc *d)
{
    d->activation = (int32_t)check_between(UPS_NO_ACTIVATION, UPS_TANH);
    if (d->activation == UPS_LEAKY_RELU && call_chance(50)) d->activation_alpha = 0.1;
    if (d->activation == UPS_CLIP) {
        d->activation_alpha = -0.5;
        d->activation_beta = 1.25;
    }
}

static void random_conv_axis(ups_conv_transpose_desc *d, int a)
{
    d->kernel_shape[a] = check_between(1, d->rank == 1 ? 7 : d->rank == 2 ? 4 : 3);
    d->strides[a] = call_chance(15) ? check_between(1, 9) : check_between(1, 3);
    if (call_chance(25)) d->dilations[a] = check_between(1, 4);
    int64_t extent = d->dilations[a] * (d->kernel_shape[a] - 1) + 1;
    d->pads_begin[a] = call_chance(50) ? check_between(0, extent) : 0;
    d->pads_end[a] = call_chance(50) ? check_between(0, extent) : 0;
    int64_t most = d->strides[a] > d->dilations[a] ? d->strides[a] : d->dilations[a];
    if (call_chance(40)) d->output_padding[a] = check_between(0, most - 1);
}

/* Pads by another rule, from a size that may need zeros on either side, or that the rule refuses. */
static void random_shape_rule(struct call *call)
{
    ups_conv_transpose_desc *d = &call->desc.conv;
    bool wanted = call_chance(60), given;
    d->shape_rule = (int32_t)check_between(UPS_SHAPE_TORCH, UPS_SHAPE_OPENVINO);
    d->auto_pad = (int32_t)check_between(UPS_NOTSET, UPS_VALID);
    given = d->auto_pad == UPS_NOTSET && call_chance(50);
    for (int a = 0; a < d->rank; a++) {
        int64_t n = call->dims[2 + a], s = d->strides[a];
        if (!given) d->pads_begin[a] = d->pads_end[a] = UPS_BY_PRESET;
        if (wanted)
            d->output_shape[a] = call_chance(70) ? n * s - check_between(0, s - 1) : check_between(1, n * s + 9);
    }
}

static void random_conv(struct call *call)
{
    ups_conv_transpose_desc *d = &call->desc.conv;
    random_call(call, UPS_CONV_TRANSPOSE);
    int32_t rank = d->rank;
    d->group = call_chance(30) ? check_between(2, 4) : 1;
    int64_t most = d->group > 1 ? 5 : 1;
    d->in_channels = d->group * (call_chance(80) ? check_between(1, 9) : most * check_between(1, 8));
    d->out_channels = d->group * (call_chance(70) ? check_between(1, 9) : PICK(15, 16, 17, 32, 33, 65));
    for (int a = 0; a < rank; a++) random_conv_axis(d, a);
    if (rank == 3 || d->out_channels > 30) call->dims[rank + 1] = check_between(1, 9);
    call->dims[1] = d->in_channels;
    if (call_chance(40)) random_shape_rule(call);
    d->weights_layout = (int32_t)check_between(UPS_IOHW, UPS_HWIO);
    random_activation(d);
    call->weights_at_run = call_chance(25);
}

static int64_t weight_count(const ups_conv_transpose_desc *d)
{
    return d->in_channels / d->group * d->out_channels * naive_plane(d->kernel_shape, d->rank);
}

static int64_t conv_out_count(const struct call *call, const int64_t *out)
{
    return call->dims[0] * call->desc.conv.out_channels * naive_plane(out, call->desc.head.rank);
}

/* Runs the j-th algorithm and checks that it was that one; false: it does not take the call. */
static bool run_algorithm(struct call *call, int j, const char *tier)
{
    call->algorithm = algorithms[j];
    call->isa = tier;
    int32_t status = call_run(call);
    if (status == UPS_UNSUPPORTED && call_may_refuse(call)) return false;
    call_status(call, status, UPS_OK);
    if (strcmp(call_word(call, "isa"), tier) != 0 ||
        (j >= FORCED && strcmp(call_word(call, "algorithm"), algorithms[j]) != 0))
        fail_msg("\"%s\" ran\n  %s", call_word(call, "algorithm"), call_text(call));
    ran[j]++;
    return true;
}

/* Once more in parts, one after the other from any one on: the same bits. */
static void compare_divided(const struct call *whole, struct call call, int64_t n)
{
    int32_t order[9], from;
    call.algorithm = whole->algorithm;
    call.isa = whole->isa;
    call.parts = (int32_t)check_between(2, 9);
    from = (int32_t)check_between(0, call.parts - 1);
    for (int32_t i = 0; i < call.parts; i++) order[i] = (i + from) % call.parts;
    call.order = order;
    call_status(&call, call_run(&call), UPS_OK);
    call_same(&call, "divided", call.y, whole->y, n);
    call_close(&call);
}

static bool ran_winograd(const struct call *call)
{
    return strcmp(call_word(call, "algorithm"), "winograd") == 0;
}

/* Of winograd the error is relative to the neighbourhood, not to an output's own terms: test_winograd holds it to that. Here it
 * must be near. */
static double conv_bound(const struct call *call)
{
    return (ran_winograd(call) ? 32 : 1) * call_sum_bound(&call->desc.conv);
}

static void compare_conv(struct call *call, const int64_t *out)
{
    int64_t n = conv_out_count(call, out);
    double *y = room(n, sizeof *y), *magnitude = room(n, sizeof *magnitude);
    double *near = room(n, sizeof *near), most = 0;
    naive_conv_transpose(&call->desc.conv, call->dims, call->x, call->w, call->bias, out, y, magnitude);
    for (int64_t i = 0; i < n; i++) most = fmax(most, magnitude[i]);
    for (int64_t i = 0; i < n; i++) near[i] = most;
    for (int i = 0; i < tier_count; i++)
        for (int j = 0; j < algorithm_count; j++) {
            if (j < FORCED && call_chance(check_quick() ? 50 : 80)) continue;
            call->policy = call_chance(50) ? UPS_POLICY_ACCURATE : UPS_POLICY_FAST;
            const struct call before = *call;
            if (!run_algorithm(call, j, tiers[i])) continue;
            call_near(call, call->y, y, ran_winograd(call) ? near : magnitude, conv_bound(call), n);
            if (call_chance(20)) compare_divided(call, before, n);
            call_close(call);
        }
    free(y);
    free(near);
    free(magnitude);
}

/* Up to 3000 outputs of a large call, each gathered in double. */
static void compare_sampled(struct call *call, const int64_t *out)
{
    enum { SAMPLES = 3000 };
    int64_t plane = naive_plane(out, call->desc.head.rank), O = call->desc.conv.out_channels;
    int64_t n = conv_out_count(call, out), step = n / SAMPLES + 1;
    for (int i = 0; i < tier_count; i++)
        for (int j = 1; j < algorithm_count; j++) {
            if (!run_algorithm(call, j, tiers[i])) continue;
            for (int64_t at = 0; at < n; at += step) {
                double magnitude,
                    y = naive_conv_transpose_at(&call->desc.conv, call->dims, call->x, call->w, call->bias, out,
                                                at / plane / O, at / plane % O, at % plane, &magnitude);
                if (ran_winograd(call)) magnitude = fmax(magnitude, (double)call->desc.conv.in_channels);
                call_near(call, &call->y[at], &y, &magnitude, conv_bound(call), 1);
            }
            call_close(call);
        }
}

static void check_conv(struct call *call, void (*compare)(struct call *, const int64_t *))
{
    int64_t out[3];
    ups_conv_transpose_desc *d = &call->desc.conv;
    float *x = call_floats(in_count(call)), *w = call_floats(weight_count(d)), *bias = call_floats(d->out_channels);
    call->x = x;
    call->w = w;
    call->bias = call_chance(70) ? bias : NULL;
    if (naive_sizes(d, call->dims + 2, out))
        compare(call, out);
    else
        refused(call);
    free(x);
    free(w);
    free(bias);
}

static void test_conv_transpose(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(3000); i++) {
        struct call call;
        random_conv(&call);
        check_conv(&call, compare_conv);
    }
}

/* Lines longer than what is computed at a time, with rows that fill much of a cache: several boxes, pieces and strips. */
static void test_conv_transpose_large(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(40); i++) {
        struct call call;
        ups_conv_transpose_desc *d = &call.desc.conv;
        random_conv(&call);
        d->group = 1;
        d->activation = UPS_NO_ACTIVATION; /* compare_sampled knows none */
        call.dims[0] = 1;
        call.dims[1] = d->in_channels = PICK(40, 300, 700);
        d->out_channels = PICK(1, 3, 18, 70);
        memcpy(call.dims + 2, (int64_t[]){check_between(1, 3), check_between(1, 3), 1}, 3 * sizeof *call.dims);
        call.dims[d->rank + 1] = check_between(100, 400);
        for (int a = 0; a < d->rank; a++) d->output_shape[a] = UPS_BY_PRESET;
        if (d->rank == 1 && call_chance(50)) d->kernel_shape[0] = check_between(20, 90);
        if (d->rank == 1 && call_chance(50)) d->strides[0] = check_between(10, 40);
        check_conv(&call, compare_sampled);
    }
}

/* ---- Inf and NaN in the source ---- */

/* They reach the outputs that the formula says, and no other: nothing beside the image is read and multiplied by zero, and no
 * product is left out because a weight is zero. */
static void compare_specials(struct call *call, const int64_t *out)
{
    int64_t n = conv_out_count(call, out);
    double *y = room(n, sizeof *y), *magnitude = room(n, sizeof *magnitude);
    float *chain = room(n, sizeof *chain);
    naive_conv_transpose(&call->desc.conv, call->dims, call->x, call->w, call->bias, out, y, magnitude);
    naive_chain(&call->desc.conv, call->dims, call->x, call->w, call->bias, out, true, chain);
    for (int i = 0; i < tier_count; i++)
        for (int j = FORCED; j < algorithm_count; j++) {
            if (strcmp(algorithms[j], "winograd") == 0) continue; /* spreads them over a tile, as documented */
            if (!run_algorithm(call, j, tiers[i])) continue;
            for (int64_t at = 0; at < n; at++)
                if (isfinite(magnitude[at]))
                    call_near(call, &call->y[at], &y[at], &magnitude[at], call_sum_bound(&call->desc.conv), 1);
                else if (call->y[at] != chain[at] && !(isnan(call->y[at]) && isnan(chain[at])))
                    fail_msg("value [%lld of %lld]: got %g, want %g\n  %s", (long long)at, (long long)n,
                             (double)call->y[at], (double)chain[at], call_text(call));
            call_close(call);
        }
    free(y);
    free(magnitude);
    free(chain);
}

static void test_specials(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(1000); i++) {
        struct call call;
        int64_t out[3];
        random_conv(&call);
        ups_conv_transpose_desc *d = &call.desc.conv;
        if (d->activation > UPS_CLIP) d->activation = UPS_NO_ACTIVATION; /* naive_chain knows no curves */
        if (!naive_sizes(d, call.dims + 2, out)) continue;
        int64_t inputs = in_count(&call), weights = weight_count(d);
        float *x = call_floats(inputs), *w = call_floats(weights), *bias = call_floats(d->out_channels);
        for (int64_t k = 0; k <= inputs / 100; k++)
            x[check_between(0, inputs - 1)] = (const float[]){NAN, INFINITY, -INFINITY}[check_between(0, 2)];
        for (int64_t k = 0; k < weights; k++)
            if (call_chance(10)) w[k] = 0;
        call.x = x;
        call.w = w;
        call.bias = bias;
        compare_specials(&call, out);
        free(x);
        free(w);
        free(bias);
    }
}

/* Sizes asked of the plan choose the output padding. */
static void test_conv_transpose_sizes(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(150); i++) {
        struct call call, same;
        random_conv(&call);
        ups_conv_transpose_desc *d = &call.desc.conv;
        int64_t sizes[3];
        d->shape_rule = UPS_SHAPE_TORCH;
        for (int a = 0; a < d->rank; a++) {
            d->output_padding[a] = check_between(0, d->strides[a] - 1);
            d->output_shape[a] = UPS_BY_PRESET;
        }
        if (d->auto_pad != UPS_NOTSET || !naive_sizes(d, call.dims + 2, sizes)) continue;
        float *x = call_floats(in_count(&call)), *w = call_floats(weight_count(d));
        call.x = x;
        call.w = w;
        same = call;
        same.sizes = sizes;
        memset(same.desc.conv.output_padding, 0, sizeof same.desc.conv.output_padding);
        call_status(&call, call_run(&call), UPS_OK);
        call_status(&same, call_run(&same), UPS_OK);
        call_same(&same, "value", same.y, call.y, conv_out_count(&call, sizes));
        call_close(&call);
        call_close(&same);
        free(x);
        free(w);
    }
}

/* The same weights in another layout, the same bits in the result. */
static void test_weight_layouts(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(60); i++) {
        struct call call;
        random_conv(&call);
        ups_conv_transpose_desc *d = &call.desc.conv, other;
        int64_t out[3], taps = naive_plane(d->kernel_shape, d->rank);
        if (!naive_sizes(d, call.dims + 2, out)) continue;
        d->weights_layout = UPS_IOHW;
        float *x = call_floats(in_count(&call)), *w = call_floats(weight_count(d));
        float *moved = room(weight_count(d), sizeof *moved);
        call.x = x;
        call.w = w;
        call_status(&call, call_run(&call), UPS_OK);
        for (int32_t layout = UPS_OIHW; layout <= UPS_HWIO; layout++) {
            struct call again = call;
            other = *d;
            other.weights_layout = layout;
            for (int64_t c = 0; c < d->in_channels; c++)
                for (int64_t o = 0; o < d->out_channels; o++)
                    for (int64_t t = 0; t < taps; t++)
                        if (c / (d->in_channels / d->group) == o / (d->out_channels / d->group))
                            moved[naive_weight_at(&other, c, o, t)] = w[naive_weight_at(d, c, o, t)];
            again.desc.conv.weights_layout = layout;
            again.w = moved;
            again.y = NULL;
            call_status(&again, call_run(&again), UPS_OK);
            call_same(&again, "value", again.y, call.y, conv_out_count(&call, out));
            call_close(&again);
        }
        call_close(&call);
        free(x);
        free(w);
        free(moved);
    }
}

/* ---- the policy "reproducible" ---- */

/* naive_chain, and the scalar kernel for the activations that it leaves out: theirs are the bits of every tier. */
static void chain(const struct call *call, const int64_t *out, bool fused, float *y)
{
    static const float none = -0.0f;
    const struct ups_activation curve = {call->desc.conv.activation, 0, 0};
    int64_t n = conv_out_count(call, out);
    naive_chain(&call->desc.conv, call->dims, call->x, call->w, call->bias, out, fused, y);
    if (curve.kind == UPS_SIGMOID || curve.kind == UPS_TANH)
        ups_kernels_scalar.finish.run(y, 1, n, n, &none, 1, 0, &curve);
}

/* That very chain, on every tier, by every algorithm the policy admits; phase is always one. */
static void compare_chain(struct call *call, const int64_t *out)
{
    int64_t n = conv_out_count(call, out);
    float *fused = room(n, sizeof *fused), *apart = room(n, sizeof *apart);
    chain(call, out, true, fused);
    chain(call, out, false, apart);
    call->policy = UPS_POLICY_REPRODUCIBLE;
    for (int i = 0; i < tier_count; i++)
        for (int j = 0; j < algorithm_count; j++) {
            call->algorithm = algorithms[j];
            call->isa = tiers[i];
            int32_t status = call_run(call);
            if (j >= FORCED && strcmp(algorithms[j], "phase") != 0 && status == UPS_UNSUPPORTED) continue;
            call_status(call, status, UPS_OK);
            call_same(call, "chain", call->y, strcmp(tiers[i], "scalar") == 0 ? apart : fused, n);
            call_close(call);
        }
    free(fused);
    free(apart);
}

static void test_reproducible(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(300); i++) {
        struct call call;
        random_conv(&call);
        check_conv(&call, compare_chain);
    }
}

/* A row computed within a large image, a large batch and many parts is the row computed alone. */
static void test_reproducible_whatever_the_size(void **unused)
{
    (void)unused;
    enum { I = 19, O = 21, LONG = 61, SHORT = 13, BATCH = 3 };
    float *x = call_floats(BATCH * I * LONG), *w = call_floats(I * O * 5);
    for (int t = 0; t < tier_count; t++) {
        struct call all;
        call_init(&all, UPS_CONV_TRANSPOSE, 1);
        all.desc.conv.in_channels = I;
        all.desc.conv.out_channels = O;
        all.desc.conv.kernel_shape[0] = 5;
        all.desc.conv.strides[0] = 2;
        all.policy = UPS_POLICY_REPRODUCIBLE;
        memcpy(all.dims, (int64_t[]){BATCH, I, LONG}, 3 * sizeof *all.dims);
        all.x = x;
        all.w = w;
        struct call one = all;
        all.parts = 7;
        run_on(&all, tiers[t]);
        float *part = room(I * SHORT, sizeof *part), *want = room(O * 2 * SHORT, sizeof *want);
        for (int b = 0; b < BATCH; b++)
            for (int at = 0; at + SHORT <= LONG; at += 11) {
                for (int c = 0; c < I; c++) memcpy(part + c * SHORT, x + (b * I + c) * LONG + at, SHORT * sizeof *x);
                one.x = part;
                one.dims[0] = 1;
                one.dims[2] = SHORT;
                run_on(&one, tiers[t]);
                int64_t m = one.out_dims[2], inner = m - 8, M = all.out_dims[2];
                for (int o = 0; o < O; o++) {
                    const float *whole = all.y + (b * O + o) * M + 2 * at + 4;
                    call_same(&one, "inner value", one.y + o * m + 4, whole, inner);
                }
                call_close(&one);
            }
        call_close(&all);
        free(part);
        free(want);
    }
    free(x);
    free(w);
}

/* ---- chosen calls: shapes that broke other libraries (users.md, section 9) ---- */

struct regression {
    const char *name;
    int32_t rank, layout, slow;
    int64_t batch, I, O, G;
    int64_t n[3], k[3], s[3], d[3], pb[3], pe[3], op[3], m[3];
};

#define FIRST UPS_CHANNELS_FIRST
#define LAST UPS_CHANNELS_LAST
#define ONES {1, 1, 1}

static const struct regression regressions[] = {
    /* name, rank, layout, slow, N I O G, n, k, s, d, pb, pe, op, m */
    {"R1", 1, FIRST, 2, 1, 1026, 1, 1, {224}, {1024}, {256}, ONES, {0}, {0}, {0}, {58112}},
    {"R1 small", 1, FIRST, 0, 1, 34, 1, 1, {9}, {32}, {8}, ONES, {0}, {0}, {0}, {96}},
    {"R1 small, last", 1, LAST, 0, 1, 34, 1, 1, {9}, {32}, {8}, ONES, {0}, {0}, {0}, {96}},
    {"R2 small", 1, FIRST, 1, 2, 258, 1, 1, {35}, {256}, {64}, ONES, {0}, {0}, {0}, {2432}},
    {"R4 small", 1, FIRST, 1, 1, 64, 32, 1, {1000}, {4}, {2}, ONES, {1}, {1}, {0}, {2000}},
    {"R6 depthwise", 1, FIRST, 1, 16, 512, 512, 512, {32}, {6}, {3}, ONES, {2}, {2}, {1}, {96}},
    {"R6 depthwise, last", 1, LAST, 1, 4, 512, 512, 512, {32}, {6}, {3}, ONES, {2}, {2}, {1}, {96}},
    {"R6 grouped", 1, FIRST, 1, 2, 64, 64, 4, {32}, {6}, {3}, ONES, {2}, {2}, {1}, {96}},
    {"R6 dense", 1, FIRST, 1, 1, 64, 64, 1, {32}, {6}, {3}, ONES, {2}, {2}, {1}, {96}},
    {"R7 small", 2, FIRST, 1, 1, 3, 3, 3, {12, 48}, {32, 1}, {16, 1}, ONES, {0}, {0}, {0}, {208, 48}},
    {"R8 small", 3, LAST, 1, 1, 32, 1, 1, {5, 8, 16}, {3, 3, 3}, {1, 2, 2}, ONES, {0}, {0}, {0}, {7, 17, 33}},
    {"R9 small", 2, FIRST, 1, 1, 16, 4, 1, {10, 10}, {5, 5}, {64, 64}, ONES, {0}, {0}, {0}, {581, 581}},
    {"R9 small, last", 2, LAST, 1, 1, 16, 4, 1, {4, 4}, {5, 5}, {64, 64}, ONES, {0}, {0}, {0}, {197, 197}},
    {"R10", 2, FIRST, 1, 1, 4, 3, 1, {127, 127}, {3, 3}, {2, 2}, ONES, {1, 1}, {1, 1}, {1, 1}, {254, 254}},
    {"R10, last", 2, LAST, 1, 1, 4, 3, 1, {127, 127}, {3, 3}, {2, 2}, ONES, {1, 1}, {1, 1}, {0}, {253, 253}},
    {"R11 small", 2, LAST, 1, 2, 16, 16, 1, {20, 20}, {3, 3}, {1, 1}, ONES, {0}, {0}, {0}, {22, 22}},
    {"R13", 2, FIRST, 1, 1, 2, 3, 1, {50, 50}, {3, 5}, {2, 1}, {3, 1}, {4, 2}, {4, 2}, {0}, {97, 50}},
    {"R13, last", 2, LAST, 1, 1, 2, 3, 1, {50, 50}, {3, 5}, {2, 1}, {3, 1}, {4, 2}, {4, 2}, {0}, {97, 50}},
    {"R14", 1, FIRST, 0, 1, 3, 2, 1, {5}, {2}, {1}, {2}, {3}, {3}, {1}, {2}},
    {"R14, last", 2, LAST, 0, 1, 3, 2, 1, {5, 9}, {2, 2}, {1, 1}, {2, 2}, {3, 3}, {3, 3}, {1, 1}, {2, 6}},
    {"R15", 2, LAST, 0, 1, 1, 7, 1, {6, 5}, {3, 3}, {2, 2}, ONES, {1, 1}, {1, 1}, {0}, {11, 9}},
    {"R15 the other way", 2, LAST, 0, 2, 7, 1, 1, {6, 5}, {3, 3}, {2, 2}, ONES, {1, 1}, {1, 1}, {0}, {11, 9}},
    {"1x1 image", 2, FIRST, 0, 2, 5, 6, 1, {1, 1}, {4, 4}, {2, 2}, ONES, {1, 1}, {1, 1}, {0}, {2, 2}},
    {"cropped to one", 2, FIRST, 0, 1, 5, 6, 1, {2, 2}, {4, 4}, {2, 2}, ONES, {5, 0}, {0, 5}, {0}, {1, 1}},
    {"all taps cropped", 1, FIRST, 0, 1, 2, 2, 1, {1}, {1}, {5}, ONES, {1}, {0}, {4}, {4}},
};

static void regression_call(struct call *call, const struct regression *r)
{
    call_init(call, UPS_CONV_TRANSPOSE, r->rank);
    ups_conv_transpose_desc *d = &call->desc.conv;
    d->layout = r->layout;
    d->in_channels = r->I;
    d->out_channels = r->O;
    d->group = r->G;
    memcpy(d->kernel_shape, r->k, sizeof r->k);
    memcpy(d->strides, r->s, sizeof r->s);
    memcpy(d->dilations, r->d, sizeof r->d);
    memcpy(d->pads_begin, r->pb, sizeof r->pb);
    memcpy(d->pads_end, r->pe, sizeof r->pe);
    memcpy(d->output_padding, r->op, sizeof r->op);
    call->dims[0] = r->batch;
    call->dims[1] = r->I;
    memcpy(call->dims + 2, r->n, sizeof r->n);
}

static void test_regressions(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof regressions / sizeof *regressions; i++) {
        const struct regression *r = &regressions[i];
        if (check_quick() && r->slow) continue;
        struct call call;
        int64_t out[3];
        regression_call(&call, r);
        assert_true(naive_sizes(&call.desc, call.dims + 2, out));
        for (int a = 0; a < r->rank; a++)
            if (out[a] != r->m[a]) fail_msg("%s: size %lld, not %lld", r->name, (long long)out[a], (long long)r->m[a]);
        check_conv(&call, r->slow ? compare_sampled : compare_conv);
        if (!r->slow) check_conv(&call, compare_chain);
    }
}

/* R12, by hand: groups = 2, 2x2 input, k3 s1. Group 0 sees ones, group 1 tens; each kernel is a single one. */
static void test_regression_R12(void **unused)
{
    (void)unused;
    const float x[8] = {1, 2, 3, 4, 10, 20, 30, 40};
    float w[18] = {0}, want[32] = {0};
    w[0] = 1;      /* group 0: the top left tap */
    w[9 + 8] = -1; /* group 1: the bottom right one, negated */
    const int at0[4] = {0, 1, 4, 5}, at1[4] = {10, 11, 14, 15};
    for (int i = 0; i < 4; i++) {
        want[at0[i]] = x[i];
        want[16 + at1[i]] = -x[4 + i];
    }
    for (int t = 0; t < tier_count; t++)
        for (int j = 0; j < algorithm_count; j++)
            for (int32_t layout = FIRST; layout <= LAST; layout++) {
                struct call call;
                call_init(&call, UPS_CONV_TRANSPOSE, 2);
                ups_conv_transpose_desc *d = &call.desc.conv;
                d->layout = layout;
                d->in_channels = d->out_channels = d->group = 2;
                d->kernel_shape[0] = d->kernel_shape[1] = 3;
                memcpy(call.dims, (int64_t[]){1, 2, 2, 2}, 4 * sizeof *call.dims);
                call.x = x;
                call.w = w;
                if (!run_algorithm(&call, j, tiers[t])) continue;
                for (int i = 0; i < 32; i++) assert_float_equal(call.y[i], want[i], 0);
                call_same_index(&call, "height", &call.out_dims[2], &(int64_t){4}, 1);
                call_close(&call);
            }
}

/* R16: 3-D max pool 3x6x5 k3 p1 ceil; R17: unpool with duplicate and foreign indices; R22. */
static void test_regressions_without_sums(void **unused)
{
    (void)unused;
    struct call call;
    call_init(&call, UPS_MAX_POOL, 3);
    for (int a = 0; a < 3; a++) {
        call.desc.pool.kernel_shape[a] = 3;
        call.desc.pool.pads_begin[a] = call.desc.pool.pads_end[a] = 1;
    }
    call.desc.pool.ceil_mode = 1;
    memcpy(call.dims, (int64_t[]){1, 2, 3, 6, 5}, sizeof call.dims);
    check_pool(&call);
}

/* ---- the accuracy contract ---- */

/* 1-D, k = 8, s = 2: four taps of I channels per output; interior outputs only, all in channel planes of length M. */
enum { FACTOR_O = 16, FACTOR_K = 8, FACTOR_S = 2, FACTOR_L = 3200 };

struct exact {
    int64_t I;
    float *x, *w;  /* dense; IOHW */
    double *y;     /* the sum in double */
    double chain2; /* sum of squared errors of the fused chain */
};

/* Output q takes taps q%2, q%2 + 2, …: w[i][o][t] * x[i][(q - t)/2]. */
static void one_output(struct exact *e, int64_t o, int64_t q, int64_t m)
{
    float chain = 0;
    double sum = 0;
    for (int64_t t = q % FACTOR_S; t < FACTOR_K; t += FACTOR_S) {
        int64_t p = (q - t) / FACTOR_S;
        if (q < t || p >= FACTOR_L) continue;
        for (int64_t i = 0; i < e->I; i++) {
            float x = e->x[i * FACTOR_L + p], w = e->w[(i * FACTOR_O + o) * FACTOR_K + t];
            chain = fmaf(x, w, chain);
            sum += (double)x * (double)w;
        }
    }
    e->y[o * m + q] = sum;
    e->chain2 += ((double)chain - sum) * ((double)chain - sum);
}

static void make_exact(struct exact *e, int64_t I, bool positive, int64_t m)
{
    e->I = I;
    e->x = call_floats(I * FACTOR_L);
    e->w = call_floats(I * FACTOR_O * FACTOR_K);
    e->y = room(FACTOR_O * m, sizeof *e->y);
    e->chain2 = 0;
    for (int64_t i = 0; i < I * FACTOR_L && positive; i++) e->x[i] = fabsf(e->x[i]);
    for (int64_t o = 0; o < FACTOR_O; o++)
        for (int64_t q = 0; q < m; q++) one_output(e, o, q, m);
}

static double factor_of(struct call *call, const struct exact *e)
{
    double error2 = 0;
    for (int64_t i = 0; i < call_out_count(call); i++) {
        double error = (double)call->y[i] - e->y[i];
        error2 += error * error;
    }
    return sqrt(error2 / e->chain2);
}

static void factor_call(struct call *call, const struct exact *e, int32_t layout)
{
    call_init(call, UPS_CONV_TRANSPOSE, 1);
    call->desc.head.layout = layout;
    call->desc.conv.in_channels = e->I;
    call->desc.conv.out_channels = FACTOR_O;
    call->desc.conv.kernel_shape[0] = FACTOR_K;
    call->desc.conv.strides[0] = FACTOR_S;
    memcpy(call->dims, (int64_t[]){1, e->I, FACTOR_L}, 3 * sizeof *call->dims);
    call->x = e->x;
    call->w = e->w;
}

static void check_factors(const struct exact *e, bool positive)
{
    for (int t = 0; t < tier_count; t++)
        for (int j = FORCED; j < algorithm_count; j++) {
            struct call call;
            factor_call(&call, e, t % 2 ? FIRST : LAST);
            if (!run_algorithm(&call, j, tiers[t])) continue;
            double factor = factor_of(&call, e), most = strcmp(tiers[t], "scalar") == 0 ? 1.5 : 1.05;
            printf("factor %-7s %-7s %4lld channels, %s: %.3f\n", tiers[t], algorithms[j], (long long)e->I,
                   positive ? "non-negative" : "gaussian", factor);
            if (!(factor <= most)) fail_msg("factor %.3f is above %.2f\n  %s", factor, most, call_text(&call));
            call_close(&call);
        }
}

static void test_accuracy_contract(void **unused)
{
    (void)unused;
    static const int64_t channels[] = {3, 32, 256};
    if (check_quick()) return; /* 10^5 outputs are the point of it */
    int64_t m = FACTOR_S * (FACTOR_L - 1) + FACTOR_K;
    assert_true(FACTOR_O * m >= 100000);
    for (int i = 0; i < 3; i++)
        for (int positive = 0; positive < 2; positive++) {
            struct exact e;
            make_exact(&e, channels[i], positive, m);
            check_factors(&e, positive);
            free(e.x);
            free(e.w);
            free(e.y);
        }
}

/* ---- empty batches ---- */

static void test_batch_of_none(void **unused)
{
    (void)unused;
    static const struct {
        int32_t op;
        const char *field;
    } ops[] = {{UPS_MAX_POOL, "kernel_shape"}, {UPS_MAX_UNPOOL, "kernel_shape"},    {UPS_REPLICATE, "factor"},
               {UPS_BED_OF_NAILS, "factor"},   {UPS_PIXEL_SHUFFLE, "blocksize"},    {UPS_PIXEL_UNSHUFFLE, "blocksize"},
               {UPS_RESIZE, "scales"},         {UPS_CONV_TRANSPOSE, "kernel_shape"}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (int32_t layout = FIRST; layout <= LAST; layout++) {
            struct call call;
            float none = 0, w[16] = {0};
            call_init(&call, ops[i].op, 2);
            call.desc.head.layout = layout;
            assert_int_equal(ups_desc_set(&call.desc, ops[i].field, "2"), UPS_OK);
            memcpy(call.dims, (int64_t[]){0, 4, 4, 4}, 4 * sizeof *call.dims);
            if (ops[i].op == UPS_CONV_TRANSPOSE)
                call.desc.conv.in_channels = call.desc.conv.out_channels = call.desc.conv.group = 4;
            call.x = &none;
            call.w = w;
            call.index = &(int64_t){0};
            call_status(&call, call_run(&call), UPS_OK);
            call_same_index(&call, "batch", &call.out_dims[0], &(int64_t){0}, 1);
            call_close(&call);
        }
}

static void test_something_was_checked(void **unused)
{
    (void)unused;
    for (int j = FORCED; j < algorithm_count; j++) {
        printf("%-9s ran %lld times\n", algorithms[j], (long long)ran[j]);
        assert_true(ran[j] > 0);
    }
    printf("%lld values compared on %d tiers\n", (long long)call_checked(), tier_count);
    assert_true(call_checked() > 10000);
    assert_true(tier_count >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_max_unpool),
        cmocka_unit_test(test_unpool_of_pool),
        cmocka_unit_test(test_expand),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_conv_transpose),
        cmocka_unit_test(test_conv_transpose_large),
        cmocka_unit_test(test_specials),
        cmocka_unit_test(test_conv_transpose_sizes),
        cmocka_unit_test(test_weight_layouts),
        cmocka_unit_test(test_reproducible),
        cmocka_unit_test(test_reproducible_whatever_the_size),
        cmocka_unit_test(test_regressions),
        cmocka_unit_test(test_regression_R12),
        cmocka_unit_test(test_regressions_without_sums),
        cmocka_unit_test(test_accuracy_contract),
        cmocka_unit_test(test_batch_of_none),
        cmocka_unit_test(test_something_was_checked),
    };
    check_random(); /* prints the seed */
    tier_count = call_tiers(tiers);
    algorithm_count = FORCED + call_algorithms(algorithms + FORCED);
    return cmocka_run_group_tests_name("ops", tests, NULL, NULL);
}
