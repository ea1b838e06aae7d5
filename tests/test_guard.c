/* SPDX-License-Identifier: MIT
 *
 * Nothing outside the tensors is read or written.
 *
 * Source, destination, weights, bias, indices and a workspace of exactly the bytes asked for each end at a page that cannot
 * be accessed, then each begin at one; a fault prints the call and kills the test. Slices of larger tensors must leave what
 * lies around them as it was. Data are small whole numbers, so that the results of all these ways are the same to the bit.
 */
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "call.h"
#include "naive.h"

static const char *tiers[8];
static int tier_count;
static const char *algorithms[1 + 8]; /* NULL, and all there are */
static int algorithm_count;

/* ---- what is running when memory faults ---- */

static char running[2304];

static void on_fault(int signal_number)
{
    ssize_t ignored = write(STDERR_FILENO, running, strlen(running));
    (void)ignored;
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* cmocka has handlers of its own while a test runs, so this is called in each. */
static void watch(void)
{
    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
}

static void announce(const struct call *call)
{
    snprintf(running, sizeof running, "\nfault in: %s\n", call_text(call));
}

/* ---- the calls ---- */

enum { DEPTHWISE = -1 };

struct variant {
    int32_t op;
    int64_t k, s, d, pb, pe, more;  /* window; more: output padding, or ceil_mode */
    int32_t mode, transform, round; /* resize */
    int64_t up, down;               /* its output is n*up/down; factor of replicate and bed of nails is up */
    int64_t group;
    int32_t index_type, dtype; /* dtype 0: f32 */
    bool values_only, bad, at_run, bias;
};

#define POOL .op = UPS_MAX_POOL
#define UNPOOL .op = UPS_MAX_UNPOOL
#define NEAREST .op = UPS_RESIZE, .mode = UPS_MODE_NEAREST
#define LINEAR .op = UPS_RESIZE, .mode = UPS_MODE_LINEAR
#define CONV .op = UPS_CONV_TRANSPOSE

static const struct variant pools[] = {
    {POOL, .k = 2, .s = 2, .d = 1, .index_type = UPS_I64},
    {POOL, .k = 2, .s = 2, .d = 1, .index_type = UPS_I32},
    {POOL, .k = 2, .s = 2, .d = 1, .more = 1, .index_type = UPS_I32, .values_only = true},
    {POOL, .k = 3, .s = 2, .d = 1, .pb = 1, .pe = 1, .index_type = UPS_I64},
    {POOL, .k = 3, .s = 2, .d = 1, .pb = 1, .pe = 1, .index_type = UPS_I32, .values_only = true},
    {POOL, .k = 3, .s = 1, .d = 2, .pb = 2, .pe = 3, .index_type = UPS_I32},
    {POOL, .k = 3, .s = 3, .d = 1, .more = 1, .index_type = UPS_I64},
    {POOL, .k = 2, .s = 2, .d = 1, .index_type = UPS_I64, .dtype = UPS_U8},
    {POOL, .k = 2, .s = 2, .d = 1, .more = 1, .index_type = UPS_I32, .dtype = UPS_S8, .values_only = true},
    {POOL, .k = 3, .s = 2, .d = 1, .pb = 1, .pe = 1, .index_type = UPS_I32, .dtype = UPS_S8},
    {POOL, .k = 3, .s = 1, .d = 2, .pb = 2, .pe = 3, .index_type = UPS_I32, .dtype = UPS_U8},
    {POOL, .k = 3, .s = 3, .d = 1, .more = 1, .index_type = UPS_I64, .dtype = UPS_S8},
};

static const struct variant unpools[] = {
    {UNPOOL, .k = 2, .s = 2, .index_type = UPS_I64},
    {UNPOOL, .k = 2, .s = 2, .index_type = UPS_I32},
    {UNPOOL, .k = 3, .s = 2, .pb = 1, .pe = 1, .index_type = UPS_I64},
    {UNPOOL, .k = 2, .s = 2, .index_type = UPS_I64, .bad = true},
    {UNPOOL, .k = 3, .s = 1, .index_type = UPS_I32, .bad = true},
    {UNPOOL, .k = 2, .s = 2, .index_type = UPS_I64, .dtype = UPS_S8},
    {UNPOOL, .k = 4, .s = 4, .index_type = UPS_I32, .dtype = UPS_S8},
    {UNPOOL, .k = 3, .s = 2, .pb = 1, .pe = 1, .index_type = UPS_I64, .dtype = UPS_S8},
    {UNPOOL, .k = 2, .s = 2, .index_type = UPS_I64, .dtype = UPS_S8, .bad = true},
};

static const struct variant expansions[] = {
    {.op = UPS_REPLICATE, .up = 1},    {.op = UPS_REPLICATE, .up = 2},    {.op = UPS_REPLICATE, .up = 3},
    {.op = UPS_REPLICATE, .up = 5},    {.op = UPS_BED_OF_NAILS, .up = 1}, {.op = UPS_BED_OF_NAILS, .up = 2},
    {.op = UPS_BED_OF_NAILS, .up = 3}, {.op = UPS_BED_OF_NAILS, .up = 5},
};

static const struct variant resizes[] = {
    {NEAREST, .up = 2, .down = 1, .transform = UPS_ASYMMETRIC, .round = UPS_NEAREST_FLOOR},
    {NEAREST, .up = 3, .down = 2, .transform = UPS_HALF_PIXEL, .round = UPS_ROUND_PREFER_CEIL},
    {NEAREST, .up = 1, .down = 2, .transform = UPS_ALIGN_CORNERS, .round = UPS_NEAREST_CEIL},
    {LINEAR, .up = 2, .down = 1, .transform = UPS_HALF_PIXEL},
    {LINEAR, .up = 2, .down = 1, .transform = UPS_ALIGN_CORNERS},
    {LINEAR, .up = 7, .down = 3, .transform = UPS_ASYMMETRIC},
    {LINEAR, .up = 1, .down = 1, .transform = UPS_HALF_PIXEL},
    {LINEAR, .up = 2, .down = 5, .transform = UPS_HALF_PIXEL},
};

static const struct variant convs[] = {
    {CONV, .k = 2, .s = 2, .d = 1, .group = 1},
    {CONV, .k = 2, .s = 2, .d = 1, .group = 1, .at_run = true, .bias = true},
    {CONV, .k = 3, .s = 1, .d = 1, .pb = 1, .pe = 1, .group = 1, .bias = true},
    {CONV, .k = 3, .s = 2, .d = 1, .pb = 1, .pe = 1, .more = 1, .group = 1, .bias = true},
    {CONV, .k = 4, .s = 2, .d = 1, .pb = 1, .pe = 1, .group = 1, .at_run = true},
    {CONV, .k = 2, .s = 3, .d = 1, .group = 1, .bias = true},
    {CONV, .k = 2, .s = 2, .d = 3, .pb = 2, .group = 1, .bias = true, .at_run = true},
    {CONV, .k = 4, .s = 2, .d = 1, .pb = 1, .pe = 1, .group = DEPTHWISE, .bias = true},
    {CONV, .k = 3, .s = 2, .d = 1, .group = DEPTHWISE, .at_run = true},
};

#define FILL(field, value) \
    for (int fill_axis = 0; fill_axis < 3; fill_axis++) (field)[fill_axis] = (value)

static void describe_pool(struct call *call, const struct variant *v)
{
    ups_pool_desc *d = &call->desc.pool;
    FILL(d->kernel_shape, v->k);
    FILL(d->strides, v->s);
    FILL(d->dilations, v->d);
    FILL(d->pads_begin, v->pb);
    FILL(d->pads_end, v->pe);
    d->ceil_mode = (int32_t)v->more;
    if (v->dtype) d->dtype = v->dtype;
    d->index_type = v->index_type;
    call->values_only = v->values_only;
}

static void describe_unpool(struct call *call, const struct variant *v)
{
    ups_unpool_desc *d = &call->desc.unpool;
    FILL(d->kernel_shape, v->k);
    FILL(d->strides, v->s);
    FILL(d->pads_begin, v->pb);
    FILL(d->pads_end, v->pe);
    d->index_type = v->index_type;
    if (v->dtype) d->dtype = v->dtype;
}

static void describe_resize(struct call *call, const struct variant *v)
{
    ups_resize_desc *d = &call->desc.resize;
    d->mode = v->mode;
    d->coordinate_transformation_mode = v->transform;
    if (v->round) d->nearest_mode = v->round;
    for (int a = 0; a < d->rank; a++) {
        int64_t m = call->dims[2 + a] * v->up / v->down;
        d->sizes[a] = m ? m : 1;
    }
}

static void describe_conv(struct call *call, const struct variant *v, int64_t out_channels)
{
    ups_conv_transpose_desc *d = &call->desc.conv;
    d->in_channels = call->dims[1];
    d->group = v->group == DEPTHWISE ? d->in_channels : v->group;
    d->out_channels = v->group == DEPTHWISE ? d->in_channels : out_channels;
    FILL(d->kernel_shape, v->k);
    FILL(d->strides, v->s);
    FILL(d->dilations, v->d);
    FILL(d->pads_begin, v->pb);
    FILL(d->pads_end, v->pe);
    FILL(d->output_padding, v->more);
    call->weights_at_run = v->at_run;
}

static void describe(struct call *call, const struct variant *v, int64_t out_channels)
{
    switch (v->op) {
    case UPS_MAX_POOL: describe_pool(call, v); break;
    case UPS_MAX_UNPOOL: describe_unpool(call, v); break;
    case UPS_RESIZE: describe_resize(call, v); break;
    case UPS_CONV_TRANSPOSE: describe_conv(call, v, out_channels); break;
    default: FILL(call->desc.expand.factor, v->up);
    }
    if (v->op == UPS_BED_OF_NAILS) FILL(call->desc.expand.offset, v->up - 1);
}

/* ---- their data ---- */

struct data {
    float *x, *w, *bias;
    int64_t *index;
};

static int64_t *switches(const struct call *call, bool bad, int64_t plane)
{
    const bool small = call->desc.unpool.index_type == UPS_I32;
    const int64_t outside[] = {-1, plane, plane + 1, small ? INT32_MIN : INT64_MIN, small ? INT32_MAX : INT64_MAX};
    const int64_t n = naive_count(call->dims, call->desc.head.rank);
    int64_t *index = malloc((size_t)n * sizeof *index);
    assert_non_null(index);
    for (int64_t i = 0; i < n; i++) index[i] = check_between(0, plane - 1);
    for (int64_t i = 0; bad && i < n; i += check_between(1, 4)) index[i] = outside[check_between(0, 4)];
    for (int64_t i = 0; !bad && i < n; i += 7) index[i] = call_chance(50) ? 0 : plane - 1;
    return index;
}

static struct data make_data(struct call *call, const struct variant *v, int64_t plane)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    struct data data = {.x = call_integers(naive_count(call->dims, call->desc.head.rank), 4)};
    if (v->op == UPS_CONV_TRANSPOSE) {
        data.w = call_integers(d->in_channels / d->group * d->out_channels * naive_plane(d->kernel_shape, d->rank), 3);
        if (v->bias) data.bias = call_integers(d->out_channels, 9);
    }
    if (v->op == UPS_MAX_UNPOOL) data.index = switches(call, v->bad, plane);
    call->x = data.x;
    call->w = data.w;
    call->bias = data.bias;
    call->index = data.index;
    return data;
}

static void free_data(struct data *data)
{
    free(data->x);
    free(data->w);
    free(data->bias);
    free(data->index);
}

/* ---- running them ---- */

/* call.h's workspace begins at an odd address, one byte after its block; here it is the whole block. */
static void exact_workspace(struct call *call)
{
    block_free(&call->workspace);
    if (!call->work_bytes) return;
    block_make(&call->workspace, call->work_bytes, 1, call->place);
    call->work = call->workspace.data;
}

static int32_t run_parts(struct call *call)
{
    int32_t worst = UPS_OK;
    ups_buffers buffers;
    call_buffers(call, &buffers);
    if (!call->parts) return ups_run(call->plan, &buffers, call->work, call->work_bytes);
    for (int32_t i = 0; i < call->parts; i++) {
        call_buffers(call, &buffers);
        int32_t status = ups_run_part(call->plan, &buffers, call->work, call->work_bytes, i, call->parts);
        if (status != UPS_OK) worst = status;
    }
    return worst;
}

/* The number of bad indices of a run depends on the data alone: bad ones must be reported, none otherwise.
 * false: an algorithm that does not take the call. */
static bool run(struct call *call, bool bad)
{
    announce(call);
    int32_t status = call_open(call);
    if (status == UPS_UNSUPPORTED && call_may_refuse(call)) return false;
    call_status(call, status, UPS_OK);
    exact_workspace(call);
    call_status(call, run_parts(call), bad ? UPS_BAD_INDEX : UPS_OK);
    call_read(call);
    call_shut(call);
    return true;
}

/* A blend of two neighbours may be rounded otherwise by another kernel; all the rest is exact. */
static void same_as(const struct call *got, const struct call *want)
{
    const int64_t n = call_out_count(want);
    if (want->desc.head.op == UPS_RESIZE && want->desc.resize.mode == UPS_MODE_LINEAR) {
        for (int64_t i = 0; i < n; i++)
            if (!(fabsf(got->y[i] - want->y[i]) <= 1e-4f)) fail_msg("other values\n  %s", call_text(got));
        return;
    }
    for (int64_t i = 0; i < n; i++)
        if (!(got->y[i] == want->y[i]) && check_bits(got->y[i]) != check_bits(want->y[i]))
            fail_msg("other values: %.9g, %.9g\n  %s", (double)got->y[i], (double)want->y[i], call_text(got));
    if (want->switches) call_same_index(got, "switch", got->switches, want->switches, n);
}

struct way {
    enum check_place place;
    int32_t src_margin, dst_margin, parts;
};

static const struct way dense_ways[] = {{CHECK_AT_END, 0, 0, 0}, {CHECK_AT_START, 0, 0, 0}, {CHECK_AT_END, 0, 0, 3}};

static const struct way slice_ways[] = {
    {CHECK_IN_MIDDLE, 0, 0, 0}, {CHECK_AT_END, 0, 1, 0},   {CHECK_AT_START, 3, 0, 0},
    {CHECK_AT_END, 5, 3, 0},    {CHECK_AT_START, 1, 5, 0}, {CHECK_IN_MIDDLE, 19, 17, 2},
};

struct ways {
    const struct way *way;
    int count;
};

static void run_ways(struct call *call, const struct ways *ways, bool bad)
{
    struct call first = *call;
    for (int i = 0; i < ways->count; i++) {
        struct call one = *call;
        one.place = ways->way[i].place;
        one.src_margin = ways->way[i].src_margin;
        one.dst_margin = ways->way[i].dst_margin;
        one.parts = ways->way[i].parts;
        if (!run(&one, bad)) return;
        if (i == 0) {
            first = one;
            continue;
        }
        same_as(&one, &first);
        call_close(&one);
    }
    call_close(&first);
}

static void run_algorithms(struct call *call, const struct ways *ways, bool bad)
{
    const int count = call->desc.head.op == UPS_CONV_TRANSPOSE ? algorithm_count : 1;
    for (int t = 0; t < tier_count; t++)
        for (int i = 0; i < count; i++) {
            call->isa = tiers[t];
            call->algorithm = algorithms[i];
            run_ways(call, ways, bad);
        }
}

static bool any_bad(const struct call *call, int64_t plane)
{
    const int64_t n = naive_count(call->dims, call->desc.head.rank);
    for (int64_t i = 0; call->index && i < n; i++)
        if (call->index[i] < 0 || call->index[i] >= plane) return true;
    return false;
}

static void run_variant(const struct variant *v, int32_t rank, int32_t layout, int64_t width, int64_t channels,
                        int64_t out_channels, const struct ways *ways)
{
    struct call call;
    int64_t out[3];
    call_init(&call, v->op, rank);
    call.desc.head.layout = layout;
    memcpy(call.dims, (int64_t[]){2, channels, 3, 3, 3}, sizeof call.dims);
    if (rank == 3) call.dims[2] = 2;
    call.dims[1 + rank] = width;
    describe(&call, v, out_channels);
    if (!naive_sizes(&call.desc, call.dims + 2, out)) return;
    const int64_t plane = naive_plane(out, rank);
    struct data data = make_data(&call, v, plane);
    run_algorithms(&call, ways, any_bad(&call, plane));
    free_data(&data);
}

static void sweep_one(const struct variant *v, int32_t rank, int32_t layout, const struct ways *ways)
{
    static const int64_t channels[] = {1, 3, 5, 16, 33};
    const int64_t step = check_quick() ? 5 : rank == 2 ? 1 : 3;
    for (int64_t width = 1; width <= 20; width += step)
        for (int c = 0; c < 5; c++) {
            if (rank == 3 && channels[c] > 16) continue;
            run_variant(v, rank, layout, width, channels[c], channels[(c + width) % 5], ways);
        }
}

static void sweep(const struct variant *variants, size_t count, const struct ways *ways)
{
    watch();
    for (size_t i = 0; i < count; i++)
        for (int32_t rank = 1; rank <= 3; rank++)
            for (int32_t layout = UPS_CHANNELS_FIRST; layout <= UPS_CHANNELS_LAST; layout++)
                sweep_one(&variants[i], rank, layout, ways);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))
static const struct ways dense = {dense_ways, COUNT(dense_ways)};
static const struct ways slices = {slice_ways, COUNT(slice_ways)};

#define TESTS(variants)                                 \
    static void test_##variants##_dense(void **unused)  \
    {                                                   \
        (void)unused;                                   \
        sweep(variants, COUNT(variants), &dense);       \
    }                                                   \
    static void test_##variants##_slices(void **unused) \
    {                                                   \
        (void)unused;                                   \
        sweep(variants, COUNT(variants), &slices);      \
    }

TESTS(pools)
TESTS(unpools)
TESTS(expansions)
TESTS(resizes)
TESTS(convs)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pools_dense),      cmocka_unit_test(test_pools_slices),
        cmocka_unit_test(test_unpools_dense),    cmocka_unit_test(test_unpools_slices),
        cmocka_unit_test(test_expansions_dense), cmocka_unit_test(test_expansions_slices),
        cmocka_unit_test(test_resizes_dense),    cmocka_unit_test(test_resizes_slices),
        cmocka_unit_test(test_convs_dense),      cmocka_unit_test(test_convs_slices),
    };
    tier_count = call_tiers(tiers);
    algorithm_count = 1 + call_algorithms(algorithms + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
