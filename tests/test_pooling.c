/* SPDX-License-Identifier: MIT
 *
 * Pooling, unpooling, their gradients and those of the fixed patterns, and index conversion over every field, on every tier this
 * machine runs, against naive_pool.c: equal to the bit, however the call is divided into parts.
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
#include "naive_pool.h"

static const char *tiers[8];
static int tier_count;

static int64_t cases(int64_t n)
{
    return check_quick() ? n / 30 + 1 : n;
}

static void *room(int64_t n, size_t each)
{
    void *memory = calloc((size_t)n + 1, each);
    assert_non_null(memory);
    return memory;
}

static int64_t in_count(const struct call *call)
{
    return naive_count(call->dims, call->desc.head.rank);
}

static int64_t out_count(const struct call *call, const int64_t *out)
{
    return call->dims[0] * call->dims[1] * naive_plane(out, call->desc.head.rank);
}

/* ---- random calls ---- */

/* Parts in random order. */
static void shuffle_parts(struct call *call, int32_t order[8])
{
    call->parts = (int32_t)check_between(1, 8);
    for (int32_t i = 0; i < call->parts; i++) {
        int64_t j = check_between(0, i);
        order[i] = order[j];
        order[j] = i;
    }
    call->order = order;
}

static void random_call(struct call *call, int32_t op, int32_t order[8])
{
    int64_t room_left = 3000;
    call_init(call, op, (int32_t)check_between(1, 3));
    int32_t rank = call->desc.head.rank;
    call->desc.head.layout = call_chance(50) ? UPS_CHANNELS_FIRST : UPS_CHANNELS_LAST;
    call->dims[0] = check_between(1, 3);
    call->dims[1] = call_chance(80) ? check_between(1, 5) : check_between(6, 35);
    for (int a = rank + 1; a >= 2; a--) {
        int64_t most = room_left / (call->dims[0] * call->dims[1]) + 1, usual = a == rank + 1 ? 40 : 9;
        call->dims[a] = check_between(1, usual < most ? usual : most);
        room_left /= call->dims[a];
    }
    if (call_chance(30)) call->src_margin = (int32_t)check_between(1, 5);
    if (call_chance(30)) call->dst_margin = (int32_t)check_between(1, 5);
    if (call_chance(50)) shuffle_parts(call, order);
}

static bool is_window(int32_t index)
{
    return index == UPS_INDEX_WINDOW || index == UPS_INDEX_WINDOW_COLUMN;
}

/* The tensors here are far below 2^24 elements, and the windows below 255 taps. */
static int32_t random_type(int32_t index)
{
    static const int32_t types[] = {UPS_I64, UPS_I32, UPS_F32, UPS_U8};
    return types[check_between(0, is_window(index) ? 3 : 2)];
}

static void random_window(ups_pool_desc *d)
{
    bool usual = call_chance(30);
    const bool stepped = !usual && call_chance(60);
    for (int a = 0; a < d->rank; a++) {
        d->kernel_shape[a] = usual ? 2 : check_between(1, 4);
        if (stepped) d->strides[a] = check_between(1, 4);
        if (!usual && call_chance(30)) d->dilations[a] = check_between(1, 3);
    }
    if (call_chance(30))
        d->auto_pad = (int32_t)check_between(UPS_SAME_UPPER, UPS_VALID);
    else if (call_chance(50))
        for (int a = 0; a < d->rank; a++) {
            int64_t extent = d->dilations[a] * (d->kernel_shape[a] - 1) + 1;
            d->pads_begin[a] = check_between(0, extent - 1);
            d->pads_end[a] = check_between(0, extent - 1);
        }
    d->ceil_mode = call_chance(30);
    if (call_chance(60)) d->round = (int32_t)check_between(UPS_ROUND_FLOOR, UPS_ROUND_CEIL_CAFFE);
}

static void random_max_pool(struct call *call, int32_t order[8])
{
    ups_pool_desc *d = &call->desc.pool;
    random_call(call, UPS_MAX_POOL, order);
    random_window(d);
    d->nan = (int32_t)check_between(UPS_NAN_LAST, UPS_NAN_SKIP);
    if (call_chance(40)) d->scan = UPS_SCAN_COLUMN_MAJOR;
    d->index = (int32_t)check_between(UPS_INDEX_PLANE, UPS_INDEX_WINDOW_COLUMN);
    d->index_type = random_type(d->index);
    call->values_only = call_chance(15);
}

/* ---- pooling ---- */

/* The library must refuse what the formulas refuse. */
static void refused(struct call *call)
{
    call_status(call, call_run(call), UPS_INVALID);
}

static void run_on(struct call *call, const char *tier)
{
    call->isa = tier;
    call_status(call, call_run(call), UPS_OK);
    if (strcmp(call_word(call, "isa"), tier) != 0)
        fail_msg("ran on \"%s\"\n  %s", call_word(call, "isa"), call_text(call));
}

static void compare_max_pool(struct call *call, const int64_t *out)
{
    int64_t n = out_count(call, out), *index = room(n, sizeof *index);
    float *y = room(n, sizeof *y);
    naive_max_pool(&call->desc.pool, call->dims, call->x, y, index);
    for (int i = 0; i < tier_count; i++) {
        run_on(call, tiers[i]);
        call_same(call, "maximum", call->y, y, n);
        if (!call->values_only) call_same_index(call, "switch", call->switches, index, n);
        call_close(call);
    }
    free(y);
    free(index);
}

static int32_t random_bytes(void)
{
    return call_chance(50) ? UPS_U8 : UPS_S8;
}

/* Bytes: often channels and rows longer than any vector, and windows of more taps than a byte tells apart. */
static void widen(struct call *call)
{
    const int32_t rank = call->desc.head.rank;
    call->dims[0] = 1;
    for (int a = 2; a < rank + 2; a++)
        if (call->dims[a] > 4) call->dims[a] = check_between(1, 4);
    if (call_chance(50))
        call->dims[1] = check_between(30, 140);
    else
        call->dims[rank + 1] = check_between(40, 300);
}

static void test_max_pool_of_bytes(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(6000); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3];
        random_max_pool(&call, order);
        ups_pool_desc *d = &call.desc.pool;
        d->dtype = random_bytes();
        if (call_chance(50)) widen(&call);
        if (call_chance(10)) { /* the usual windows, dense */
            for (int a = 0; a < d->rank; a++) {
                d->dilations[a] = 1;
                d->strides[a] = d->kernel_shape[a] = 2 + i % 2;
                if (d->pads_begin[a] > 1) d->pads_begin[a] = 1;
                if (d->pads_end[a] > 1) d->pads_end[a] = 1;
            }
            d->scan = UPS_SCAN_ROW_MAJOR;
            if (call_chance(50)) d->strides[d->rank - 1] = 2;
        }
        if (call_chance(2) && (!is_window(d->index) || d->index_type != UPS_U8) && d->rank > 1) {
            d->kernel_shape[0] = check_between(14, 18), d->kernel_shape[1] = check_between(14, 18);
            d->pads_begin[0] = d->pads_begin[1] = d->pads_end[0] = d->pads_end[1] = 13;
            d->auto_pad = UPS_NOTSET;
            for (int a = 2; a < d->rank; a++) d->pads_begin[a] = d->pads_end[a] = 0;
            call.dims[2] = call.dims[3] = check_between(14, 30);
            call.dims[1] = check_between(1, 3);
        }
        float *x = call_bytes(in_count(&call), d->dtype);
        call.x = x;
        if (naive_sizes(&call.desc, call.dims + 2, out))
            compare_max_pool(&call, out);
        else
            refused(&call);
        free(x);
    }
}

static void test_max_pool(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(4000); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3];
        random_max_pool(&call, order);
        float *x = call_values(in_count(&call));
        call.x = x;
        if (naive_sizes(&call.desc, call.dims + 2, out))
            compare_max_pool(&call, out);
        else
            refused(&call);
        free(x);
    }
}

/* The NaN of a sum may be any NaN. */
static void same_sum(const struct call *call, const float *want, int64_t n)
{
    int64_t at = check_first_difference(call->y, want, n, 1);
    if (at >= 0)
        fail_msg("sum [%lld]: got %.9g, want %.9g\n  %s", (long long)at, (double)call->y[at], (double)want[at],
                 call_text(call));
}

/* On every tier. */
static void same_sums(struct call *call, const float *want, int64_t n)
{
    for (int i = 0; i < tier_count; i++) {
        run_on(call, tiers[i]);
        same_sum(call, want, n);
        call_close(call);
    }
}

static void compare_avg_pool(struct call *call, const int64_t *out)
{
    int64_t n = out_count(call, out);
    float *y = room(n, sizeof *y);
    naive_avg_pool(&call->desc.pool, call->dims, call->x, y);
    same_sums(call, y, n);
    free(y);
}

static void test_avg_pool(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(3000); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3];
        random_call(&call, UPS_AVG_POOL, order);
        random_window(&call.desc.pool);
        call.desc.pool.count_include_pad = (int32_t)check_between(0, 2);
        if (call_chance(20)) call.desc.pool.divisor = check_between(1, 10);
        float *x = call_values(in_count(&call));
        call.x = x;
        if (naive_sizes(&call.desc, call.dims + 2, out))
            compare_avg_pool(&call, out);
        else
            refused(&call);
        free(x);
    }
}

/* ---- unpooling ---- */

static void random_size(ups_unpool_desc *d, int a, int64_t n)
{
    int64_t s = d->strides[a] == UPS_BY_PRESET ? d->kernel_shape[a] : d->strides[a];
    int64_t size = naive_derived_size(d, a, n);
    switch (d->size_rule) {
    case UPS_UNPOOL_TORCH: size += check_between(1 - s, s - 1); break;
    case UPS_UNPOOL_ONNX: size += check_between(0, 4); break;
    default: size = check_between(1, (size > 1 ? size : 1) + 4); break;
    }
    d->output_shape[a] = size > 1 ? size : 1;
}

static void random_unpool(struct call *call, int32_t order[8])
{
    ups_unpool_desc *d = &call->desc.unpool;
    bool usual = call_chance(40), sized = call_chance(50), tiled = call_chance(40);
    random_call(call, UPS_MAX_UNPOOL, order);
    d->size_rule = (int32_t)check_between(UPS_UNPOOL_TORCH, UPS_UNPOOL_DECONVNET);
    const bool stepped = !usual && call_chance(60);
    for (int a = 0; a < d->rank; a++) {
        d->kernel_shape[a] = usual ? 2 : check_between(1, 4);
        if (stepped) d->strides[a] = check_between(1, 4);
        if (!usual && call_chance(30)) d->dilations[a] = check_between(1, 2);
        if (tiled) d->strides[a] = d->kernel_shape[a], d->dilations[a] = 1;
        int64_t extent = d->dilations[a] * (d->kernel_shape[a] - 1) + 1;
        if (call_chance(20)) d->pads_begin[a] = check_between(0, extent - 1);
        if (call_chance(20)) d->pads_end[a] = check_between(0, extent - 1);
        if (sized) random_size(d, a, call->dims[2 + a]);
    }
    d->index = (int32_t)check_between(UPS_INDEX_PLANE, UPS_INDEX_WINDOW_COLUMN);
    d->index_type = random_type(d->index);
    if (call_chance(40)) d->index_space = UPS_SPACE_INFERRED;
    d->overlap = (int32_t)check_between(UPS_OVERLAP_LAST, UPS_OVERLAP_ERROR);
}

/* Three sizes of what indices address: the window, or a plane. */
static void index_box(const struct call *call, const int64_t *out, int64_t box[3])
{
    const ups_unpool_desc *d = &call->desc.unpool;
    for (int a = 0; a < 3; a++) box[a] = 1;
    for (int a = 0; a < d->rank; a++) {
        int64_t size = d->index_space == UPS_SPACE_INFERRED ? naive_derived_size(d, a, call->dims[2 + a]) : out[a];
        if (is_window(d->index)) size = d->kernel_shape[a];
        box[3 - d->rank + a] = size > 1 ? size : 1;
    }
}

static int64_t bad_index(int32_t type, int64_t limit)
{
    int64_t any = check_between(0, 4);
    if (type == UPS_U8) return any < 2 ? -1 : limit + any - 2;
    if (type == UPS_F32) return any < 2 ? -1 - any : limit + any - 2;
    int64_t extreme = type == UPS_I32 ? (any == 3 ? INT32_MIN : INT32_MAX) : (any == 3 ? INT64_MIN : INT64_MAX);
    return any < 2 ? -1 : any == 2 ? limit : extreme;
}

/* A place of element i's own window, clipped to the box; for a window convention any tap of it. */
static void own_place(const struct call *call, int64_t i, const int64_t box[3], int64_t at[3])
{
    const ups_unpool_desc *d = &call->desc.unpool;
    for (int a = 2; a >= 0; a--) {
        const int b = a - (3 - d->rank);
        const int64_t size = b < 0 ? 1 : call->dims[2 + b], o = i % size;
        const int64_t t = check_between(0, b < 0 ? 0 : d->kernel_shape[b] - 1);
        i /= size;
        at[a] = b < 0 || is_window(d->index) ? t : o * d->strides[b] - d->pads_begin[b] + t * d->dilations[b];
        if (at[a] < 0) at[a] = 0;
        if (at[a] >= box[a]) at[a] = box[a] - 1;
    }
}

/* Mostly into the own plane: in the own window, near home, or anywhere, so that some meet. With strays, into any plane; with bad ones,
 * nowhere. */
static int64_t *random_indices(const struct call *call, const int64_t *out)
{
    const ups_unpool_desc *d = &call->desc.unpool;
    int64_t count = in_count(call), plane = naive_plane(call->dims + 2, d->rank), box[3], at[3];
    int64_t *index = room(count, sizeof *index);
    const bool own = call_chance(50);
    const int rare = own ? 1 : 10;
    int strays = call_chance(30) ? rare : 0, bads = call_chance(30) ? rare : 0, homes = (int)check_between(0, 100);
    index_box(call, out, box);
    for (int64_t i = 0; i < count; i++) {
        int64_t n = i / plane / call->dims[1], c = i / plane % call->dims[1], volume = box[0] * box[1] * box[2];
        int64_t place = call_chance(homes) ? i % plane * volume / plane : check_between(0, volume - 1);
        at[0] = place / box[2] / box[1], at[1] = place / box[2] % box[1], at[2] = place % box[2];
        if (own) own_place(call, i % plane, box, at);
        if (call_chance(strays)) n = check_between(0, call->dims[0] - 1), c = check_between(0, call->dims[1] - 1);
        index[i] = is_window(d->index) ? naive_tap_index(d->index, at, box)
                                       : naive_index(d->index, n, c, call->dims[1], at, box);
        int64_t limit = is_window(d->index) || d->index == UPS_INDEX_PLANE ? volume
                        : d->index == UPS_INDEX_CHANNEL || d->index == UPS_INDEX_NHWC
                            ? volume * call->dims[1]
                            : volume * call->dims[1] * call->dims[0];
        if (call_chance(bads)) index[i] = bad_index(d->index_type, limit);
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
        if (call->desc.unpool.overlap == UPS_OVERLAP_SUM)
            same_sum(call, y, n);
        else
            call_same(call, "unpooled", call->y, y, n);
        call_same_index(call, "bad_count", &call->bad_count, &bad, 1);
        call_same_index(call, "bad_first", &call->bad_first, &first, 1);
        call_close(call);
    }
    free(y);
}

/* x becomes the function's. */
static void check_unpool(struct call *call, float *x)
{
    int64_t out[3];
    bool legal = naive_sizes(&call->desc, call->dims + 2, out);
    for (int a = 0; a < 3 && !legal; a++) out[a] = 1;
    int64_t *index = random_indices(call, out);
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
    for (int64_t i = 0; i < cases(6000); i++) {
        struct call call;
        int32_t order[8];
        random_unpool(&call, order);
        check_unpool(&call, call_values(in_count(&call)));
    }
}

static void test_max_unpool_of_bytes(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(6000); i++) {
        struct call call;
        int32_t order[8];
        random_unpool(&call, order);
        call.desc.head.dtype = random_bytes();
        if (call.desc.unpool.overlap == UPS_OVERLAP_SUM) call.desc.unpool.overlap = UPS_OVERLAP_LAST;
        if (call.desc.unpool.output_shape[0] == UPS_BY_PRESET && call_chance(40)) widen(&call);
        check_unpool(&call, call_bytes(in_count(&call), call.desc.head.dtype));
    }
}

/* Bytes where they have no meaning are refused in words. */
static void test_refused_bytes(void **unused)
{
    (void)unused;
    struct call call;
    const float x[4] = {1, 2, 3, 4};
    for (int i = 0; i < CALL_OPS; i++) {
        call_init(&call, call_ops[i], 2);
        call.desc.head.dtype = UPS_S8;
        if (call_ops[i] == UPS_MAX_POOL || call_ops[i] == UPS_MAX_UNPOOL) continue;
        ups_op *op = NULL;
        call_status(&call, ups_op_create(&call.desc, NULL, NULL, NULL, &op), UPS_UNSUPPORTED);
        assert_non_null(strstr(ups_last_error(), "s8"));
        assert_null(op);
    }
    assert_int_equal(call_say(&call, "max_unpool", NULL, "dtype=u8 kernel_shape=2 overlap=sum"), UPS_OK);
    ups_op *op;
    call_status(&call, ups_op_create(&call.desc, NULL, NULL, NULL, &op), UPS_UNSUPPORTED);
    assert_non_null(strstr(ups_last_error(), "overlap"));
    /* source and destination are of the op's type */
    assert_int_equal(call_say(&call, "max_pool", NULL, "dtype=u8 kernel_shape=2"), UPS_OK);
    memcpy(call.dims, (int64_t[]){1, 1, 2, 2}, 4 * sizeof *call.dims);
    call.x = x;
    call_status(&call, call_open(&call), UPS_OK);
    for (int32_t type = UPS_F32; type <= UPS_S8; type++) {
        ups_tensor other = call.src.shape, dst = call.dst.shape;
        ups_plan *plan;
        other.dtype = type;
        call_status(&call, ups_plan_create(call.op, &other, NULL, NULL, &plan), type == UPS_U8 ? UPS_OK : UPS_INVALID);
        if (type == UPS_S8) assert_non_null(strstr(ups_last_error(), "UPS_U8"));
        ups_plan_destroy(plan);
        dst.dtype = type;
        call_status(&call, ups_plan_create(call.op, &call.src.shape, &dst, NULL, &plan),
                    type == UPS_U8 ? UPS_OK : UPS_INVALID);
        ups_plan_destroy(plan);
    }
    call_shut(&call);
    call_close(&call);
}

/* What is no whole number is no index. */
static void test_odd_floats(void **unused)
{
    static const float odd[] = {0.5f, NAN, INFINITY, -INFINITY, -1, 3e9f, 1, -0.0f};
    (void)unused;
    ups_unpool_desc desc;
    ups_op *op;
    ups_plan *plan;
    ups_tensor src;
    ups_buffers b;
    float x[8], y[32];
    assert_int_equal(ups_desc_init(&desc, sizeof desc, UPS_MAX_UNPOOL, NULL), UPS_OK);
    desc.rank = 1;
    desc.kernel_shape[0] = 4;
    desc.index_type = UPS_F32;
    for (int i = 0; i < 8; i++) x[i] = (float)(10 + i);
    assert_int_equal(ups_op_create(&desc, NULL, NULL, NULL, &op), UPS_OK);
    assert_int_equal(ups_tensor_init(&src, sizeof src, UPS_F32, 1, UPS_CHANNELS_FIRST, (const int64_t[]){1, 1, 8}),
                     UPS_OK);
    assert_int_equal(ups_plan_create(op, &src, NULL, NULL, &plan), UPS_OK);
    ups_buffers_init(&b, sizeof b);
    b.src = x, b.dst = y, b.indices_in = odd;
    assert_int_equal(ups_run(plan, &b, NULL, 0), UPS_BAD_INDEX);
    assert_int_equal(b.bad_count, 6);
    assert_int_equal(b.bad_first, 0);
    assert_true(y[0] == 17 && y[1] == 16);
    for (int i = 2; i < 32; i++) assert_true(y[i] == 0);
    ups_plan_destroy(plan);
    ups_op_destroy(op);
}

/* ---- conversion ---- */

static size_t index_bytes(int32_t type)
{
    return type == UPS_I64 ? 8 : type == UPS_U8 ? 1 : 4;
}

/* Dense N, C, spatial to the layout's order in memory of the type, and back. */
static int64_t memory_place(const struct call *call, const int64_t *out, int64_t i)
{
    int64_t plane = naive_plane(out, call->desc.head.rank), c = i / plane % call->dims[1];
    if (call->desc.head.layout == UPS_CHANNELS_FIRST) return i;
    return (i / plane / call->dims[1] * plane + i % plane) * call->dims[1] + c;
}

static void convert(const struct call *call, const int64_t *out, const ups_pool_desc *d, const int64_t *from,
                    int32_t to_index, int32_t to_type, int64_t *to, int32_t want, int64_t bad, int64_t bad_at)
{
    int64_t n = out_count(call, out), count = -7, first = -7;
    struct block a = {0}, b = {0};
    block_make(&a, (size_t)n * index_bytes(d->index_type), index_bytes(d->index_type), CHECK_AT_END);
    block_make(&b, (size_t)n * index_bytes(to_type), index_bytes(to_type), CHECK_AT_END);
    for (int64_t i = 0; i < n; i++) call_put_index(d->index_type, a.data, memory_place(call, out, i), from[i]);
    block_keep(&a);
    call_status(call, ups_convert_indices(d, call->dims, a.data, to_index, to_type, b.data, &count, &first), want);
    for (int64_t i = 0; i < n; i++) to[i] = call_get_index(to_type, b.data, memory_place(call, out, i));
    call_same_index(call, "converted: bad_count", &count, &bad, 1);
    call_same_index(call, "converted: bad_first", &first, &bad_at, 1);
    block_free(&a);
    block_free(&b);
}

/* To every convention, in a random type; and back, where nothing is bad. */
static void compare_conversions(const struct call *call, const int64_t *out, const int64_t *index)
{
    const ups_pool_desc *d = &call->desc.pool;
    int64_t n = out_count(call, out), first, *want = room(n, 8), *got = room(n, 8), *back = room(n, 8);
    for (int32_t to = UPS_INDEX_PLANE; to <= UPS_INDEX_WINDOW_COLUMN; to++) {
        ups_pool_desc other = *d;
        other.index = to;
        other.index_type = random_type(to);
        int64_t bad = naive_convert(d, call->dims, index, to, want, &first);
        convert(call, out, d, index, to, other.index_type, got, bad ? UPS_BAD_INDEX : UPS_OK, bad, first);
        call_same_index(call, "converted", got, want, n);
        if (bad) continue;
        convert(call, out, &other, got, d->index, d->index_type, back, UPS_OK, 0, -1);
        call_same_index(call, "and back", back, index, n);
    }
    free(want);
    free(got);
    free(back);
}

static void test_conversion(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(1500); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3];
        random_max_pool(&call, order);
        if (!naive_sizes(&call.desc, call.dims + 2, out) || in_count(&call) > 600) continue;
        float *x = call_values(in_count(&call)), *y = room(out_count(&call, out), sizeof *y);
        int64_t *index = room(out_count(&call, out), sizeof *index);
        naive_max_pool(&call.desc.pool, call.dims, x, y, index);
        for (int64_t k = 0; k < out_count(&call, out) && call.values_only; k++)
            if (call_chance(20)) index[k] = check_between(-1, call.desc.pool.index_type == UPS_U8 ? 254 : 700);
        compare_conversions(&call, out, index);
        free(x);
        free(y);
        free(index);
    }
}

/* What ups_convert_indices refuses, before it writes. */
static void test_conversion_refusals(void **unused)
{
    (void)unused;
    ups_pool_desc d;
    int64_t from[4] = {0, 1, 2, 3}, to[4] = {-9, -9, -9, -9}, dims[4] = {1, 1, 4, 4}, wide[4] = {1, 1, 4, 5000000};
    assert_int_equal(ups_desc_init(&d, sizeof d, UPS_MAX_POOL, NULL), UPS_OK);
    d.kernel_shape[0] = d.kernel_shape[1] = 2;
    d.pads_begin[0] = d.pads_begin[1] = d.pads_end[0] = d.pads_end[1] = 0;
    assert_int_equal(ups_convert_indices(NULL, dims, from, 2, UPS_I64, to, NULL, NULL), UPS_INVALID);
    assert_int_equal(ups_convert_indices(&d, NULL, from, 2, UPS_I64, to, NULL, NULL), UPS_INVALID);
    assert_int_equal(ups_convert_indices(&d, dims, NULL, 2, UPS_I64, to, NULL, NULL), UPS_INVALID);
    assert_int_equal(ups_convert_indices(&d, dims, from, 2, UPS_I64, NULL, NULL, NULL), UPS_INVALID);
    assert_int_equal(ups_convert_indices(&d, dims, from, 9, UPS_I64, to, NULL, NULL), UPS_INVALID);
    assert_int_equal(ups_convert_indices(&d, dims, from, 2, 3, to, NULL, NULL), UPS_INVALID);
    assert_int_equal(ups_convert_indices(&d, dims, from, UPS_INDEX_TENSOR, UPS_U8, to, NULL, NULL), UPS_INVALID);
    assert_int_equal(ups_convert_indices(&d, dims, from, 2, UPS_I64, from, NULL, NULL), UPS_INVALID);
    assert_int_equal(ups_convert_indices(&d, dims, from, 2, UPS_I32, (char *)to + 2, NULL, NULL), UPS_INVALID);
    assert_int_equal(ups_convert_indices(&d, wide, from, UPS_INDEX_PLANE, UPS_F32, to, NULL, NULL), UPS_INVALID);
    assert_non_null(strstr(ups_last_error(), "f32"));
    for (int i = 0; i < 4; i++) assert_int_equal(to[i], -9);
    dims[0] = 0;
    assert_int_equal(ups_convert_indices(&d, dims, NULL, 2, UPS_I64, NULL, NULL, NULL), UPS_OK);
}

/* ---- gradients ----
 * A gradient's call is the forward one, with the op changed, from the size of its output back to that of its input. */

/* `forward`: dims of the forward input; out: sizes of its output. */
static void turn_around(struct call *call, const int64_t *out, int64_t forward[5])
{
    memcpy(forward, call->dims, 5 * sizeof *forward);
    memcpy(call->dims + 2, out, (size_t)call->desc.head.rank * sizeof *out);
    call->desc.head.op += UPS_MAX_POOL_GRAD - UPS_MAX_POOL;
    call->sizes = forward + 2;
}

static void test_max_pool_grad(void **unused)
{
    (void)unused;
    int64_t nothing_taken = 0;
    for (int64_t i = 0; i < cases(4000); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3], dims[5], zero = 0, none = -1;
        random_max_pool(&call, order);
        if (!naive_sizes(&call.desc, call.dims + 2, out)) continue;
        int64_t n = in_count(&call), m = out_count(&call, out), *index = room(m, sizeof *index);
        float *x = call_values(n), *gy = call_values(m), *y = room(m, sizeof *y), *gx = room(n, sizeof *gx);
        naive_max_pool(&call.desc.pool, call.dims, x, y, index);
        naive_max_pool_grad(&call.desc.pool, call.dims, x, gy, gx);
        for (int64_t k = 0; k < m; k++) nothing_taken += index[k] < 0;
        turn_around(&call, out, dims);
        call.x = gy, call.index = index;
        for (int t = 0; t < tier_count; t++) {
            run_on(&call, tiers[t]);
            same_sum(&call, gx, n);
            call_same_index(&call, "bad_count", &call.bad_count, &zero, 1);
            call_same_index(&call, "bad_first", &call.bad_first, &none, 1);
            call_close(&call);
        }
        free(x), free(gy), free(y), free(gx), free(index);
    }
    assert_true(nothing_taken > 0);
}

static void test_avg_pool_grad(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(4000); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3], dims[5];
        random_call(&call, UPS_AVG_POOL, order);
        random_window(&call.desc.pool);
        call.desc.pool.count_include_pad = (int32_t)check_between(0, 2);
        if (call_chance(20)) call.desc.pool.divisor = check_between(1, 10);
        if (!naive_sizes(&call.desc, call.dims + 2, out)) continue;
        float *gy = call_values(out_count(&call, out)), *gx = room(in_count(&call), sizeof *gx);
        naive_avg_pool_grad(&call.desc.pool, call.dims, gy, gx);
        turn_around(&call, out, dims);
        call.x = gy;
        same_sums(&call, gx, naive_count(dims, call.desc.head.rank));
        free(gy), free(gx);
    }
}

static void test_max_unpool_grad(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(4000); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3], dims[5], first;
        random_unpool(&call, order);
        if (!naive_sizes(&call.desc, call.dims + 2, out) || out_count(&call, out) > 20000) continue;
        int64_t n = in_count(&call), *index = random_indices(&call, out);
        float *x = call_values(out_count(&call, out)), *y = room(n, sizeof *y);
        int64_t bad = naive_max_unpool_grad(&call.desc.unpool, call.dims, x, index, out, y, &first);
        turn_around(&call, out, dims);
        call.x = x, call.index = index;
        for (int t = 0; t < tier_count; t++) {
            call.isa = tiers[t];
            call_status(&call, call_run(&call), bad ? UPS_BAD_INDEX : UPS_OK);
            call_same(&call, "gradient", call.y, y, n);
            call_same_index(&call, "bad_count", &call.bad_count, &bad, 1);
            call_same_index(&call, "bad_first", &call.bad_first, &first, 1);
            call_close(&call);
        }
        free(x), free(y), free(index);
    }
}

static void test_expand_grad(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(2000); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3], dims[5];
        random_call(&call, call_chance(50) ? UPS_REPLICATE : UPS_BED_OF_NAILS, order);
        for (int a = 0; a < call.desc.head.rank; a++) {
            call.desc.expand.factor[a] = check_between(1, 4);
            if (call.desc.head.op == UPS_BED_OF_NAILS)
                call.desc.expand.offset[a] = check_between(0, call.desc.expand.factor[a] - 1);
        }
        assert_true(naive_sizes(&call.desc, call.dims + 2, out));
        float *gy = call_values(out_count(&call, out)), *gx = room(in_count(&call), sizeof *gx);
        turn_around(&call, out, dims);
        if (call_chance(50)) call.sizes = NULL; /* there is but one */
        naive_expand_grad(&call.desc.expand, dims, gy, gx);
        call.x = gy;
        same_sums(&call, gx, naive_count(dims, call.desc.head.rank));
        free(gy), free(gx);
    }
}

static void test_shuffle_grad(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(1000); i++) {
        struct call call;
        int32_t order[8];
        random_call(&call, call_chance(50) ? UPS_PIXEL_SHUFFLE_GRAD : UPS_PIXEL_UNSHUFFLE_GRAD, order);
        ups_shuffle_desc *d = &call.desc.shuffle, inverse;
        d->blocksize = check_between(1, 3);
        d->shuffle = call_chance(50) ? UPS_CRD : UPS_DCR;
        for (int a = 0; a < d->rank; a++) call.dims[d->op == UPS_PIXEL_SHUFFLE_GRAD ? 2 + a : 1] *= d->blocksize;
        inverse = *d;
        inverse.op = d->op == UPS_PIXEL_SHUFFLE_GRAD ? UPS_PIXEL_UNSHUFFLE : UPS_PIXEL_SHUFFLE;
        int64_t n = in_count(&call);
        float *x = call_values(n), *y = room(n, sizeof *y);
        naive_shuffle(&inverse, call.dims, x, y);
        call.x = x;
        for (int t = 0; t < tier_count; t++) {
            run_on(&call, tiers[t]);
            call_same(&call, "gradient", call.y, y, n);
            call_close(&call);
        }
        free(x), free(y);
    }
}

/* The forward operation by its formula. */
static void forward(const union desc *desc, const int64_t *dims, const int64_t *out, const float *x,
                    const int64_t *index, float *y)
{
    int64_t m = dims[0] * dims[1] * naive_plane(out, desc->head.rank), first, *switches = room(m, sizeof *switches);
    switch (desc->head.op) {
    case UPS_MAX_POOL: naive_max_pool(&desc->pool, dims, x, y, switches); break;
    case UPS_AVG_POOL: naive_avg_pool(&desc->pool, dims, x, y); break;
    case UPS_MAX_UNPOOL: naive_max_unpool(&desc->unpool, dims, x, index, out, y, &first); break;
    case UPS_PIXEL_SHUFFLE:
    case UPS_PIXEL_UNSHUFFLE: naive_shuffle(&desc->shuffle, dims, x, y); break;
    default: naive_expand(&desc->expand, dims, x, y); break;
    }
    free(switches);
}

/* d/dx[i] of sum gy*forward(x), central, with a step that changes no maximum of whole numbers. */
static double slope(const union desc *desc, const int64_t *dims, const int64_t *out, int64_t m, float *x, int64_t i,
                    const int64_t *index, const float *gy)
{
    const float at = x[i], step = 0.25f;
    float *y = room(m, sizeof *y);
    double sum = 0;
    for (int side = -1; side <= 1; side += 2) {
        x[i] = at + (float)side * step;
        forward(desc, dims, out, x, index, y);
        for (int64_t k = 0; k < m; k++) sum += side * (double)gy[k] * (double)y[k];
    }
    x[i] = at;
    free(y);
    return sum / (2.0 * (double)step);
}

/* A random forward call of op without padding windows, whose gradient is asked for. false: it has no output. */
static bool random_forward(struct call *call, int32_t op, int32_t order[8], int64_t out[3])
{
    random_call(call, op, order);
    call->dims[0] = 1, call->dims[1] = 2;
    for (int a = 0; a < call->desc.head.rank; a++)
        if (call->dims[2 + a] > 6) call->dims[2 + a] = 6;
    ups_expand_desc *e = &call->desc.expand;
    if (op == UPS_MAX_POOL || op == UPS_AVG_POOL) random_window(&call->desc.pool);
    for (int a = 0; a < e->rank; a++) {
        if (op == UPS_MAX_UNPOOL) call->desc.unpool.kernel_shape[a] = call->desc.unpool.strides[a] = 2;
        if (op == UPS_REPLICATE || op == UPS_BED_OF_NAILS) e->factor[a] = check_between(1, 3);
        if (op == UPS_BED_OF_NAILS) e->offset[a] = check_between(0, e->factor[a] - 1);
        if (op == UPS_PIXEL_SHUFFLE) call->dims[1] *= 2;
        if (op == UPS_PIXEL_UNSHUFFLE) call->dims[2 + a] *= 2;
    }
    if (op != UPS_PIXEL_SHUFFLE && op != UPS_PIXEL_UNSHUFFLE) return naive_sizes(&call->desc, call->dims + 2, out);
    int64_t dims[5];
    call->desc.shuffle.blocksize = 2;
    naive_shuffle_dims(&call->desc.shuffle, call->dims, dims);
    memcpy(out, dims + 2, 3 * sizeof *out);
    return true;
}

/* Switches of the forward pooling; for unpooling places that differ, each in its own window. */
static int64_t *forward_switches(const struct call *call, const int64_t *out, const float *x, int64_t m)
{
    int64_t *index = room(in_count(call) + m, sizeof *index), box[3], at[3];
    float *y = room(m, sizeof *y);
    if (call->desc.head.op == UPS_MAX_POOL) naive_max_pool(&call->desc.pool, call->dims, x, y, index);
    for (int64_t i = 0; i < in_count(call) && call->desc.head.op == UPS_MAX_UNPOOL; i++) {
        index_box(call, out, box);
        own_place(call, i % naive_plane(call->dims + 2, call->desc.head.rank), box, at);
        index[i] = naive_index(UPS_INDEX_PLANE, 0, 0, 1, at, box);
    }
    free(y);
    return index;
}

/* Distinct whole numbers: a small step makes no other the greatest. */
static float *distinct(int64_t n)
{
    float *x = room(n, sizeof *x);
    for (int64_t i = 0; i < n; i++) {
        int64_t j = check_between(0, i);
        x[i] = x[j], x[j] = (float)i;
    }
    return x;
}

static void test_slopes(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(600); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3], dims[5];
        if (!random_forward(&call, (int32_t)(UPS_MAX_POOL + i % 7), order, out)) continue;
        union desc desc = call.desc;
        const int64_t n = in_count(&call), most = 4096;
        int64_t channels = call.dims[1], m;
        if (desc.head.op == UPS_PIXEL_SHUFFLE || desc.head.op == UPS_PIXEL_UNSHUFFLE)
            channels = n / naive_plane(out, desc.head.rank);
        m = channels * naive_plane(out, desc.head.rank);
        if (m > most) continue;
        float *x = distinct(n), *gy = call_integers(m, 9);
        int64_t *index = forward_switches(&call, out, x, m);
        turn_around(&call, out, dims);
        call.dims[1] = channels;
        call.x = gy, call.index = index;
        call_status(&call, call_run(&call), UPS_OK);
        for (int k = 0; k < 20; k++) {
            const int64_t at = check_between(0, n - 1);
            const double want = slope(&desc, dims, out, m, x, at, index, gy);
            if (fabs((double)call.y[at] - want) > 1e-3 * (1 + fabs(want)))
                fail_msg("gradient [%lld]: got %g, the slope is %g\n  %s", (long long)at, (double)call.y[at], want,
                         call_text(&call));
        }
        call_close(&call);
        free(x), free(gy), free(index);
    }
}

/* Which sizes of the forward input may be asked for, and which is taken. */
static void test_grad_sizes(void **unused)
{
    (void)unused;
    static const struct {
        const char *op, *words;
        int64_t in, smallest, standard, largest;
    } rows[] = {
        {"max_pool_grad", "kernel_shape=2", 4, 8, 0, 9},
        {"max_pool_grad", "kernel_shape=2 ceil_mode=1", 4, 7, 0, 8},
        {"max_pool_grad", "kernel_shape=3 strides=1 pads=1", 4, 4, 4, 4},
        {"avg_pool_grad", "kernel_shape=3 strides=2 pads=1", 4, 7, 0, 8},
        {"avg_pool_grad", "kernel_shape=3 strides=2 auto_pad=same_upper", 4, 7, 0, 8},
        {"avg_pool_grad", "kernel_shape=5 strides=1", 1, 5, 5, 5},
        {"max_unpool_grad", "kernel_shape=2", 8, 4, 4, 4},
        {"max_unpool_grad", "kernel_shape=2", 9, 4, 0, 5},
        {"max_unpool_grad", "kernel_shape=2 size_rule=onnx", 8, 1, 4, 4},
        {"max_unpool_grad", "kernel_shape=2 size_rule=onnx", 9, 1, 0, 4},
        {"max_unpool_grad", "kernel_shape=2 size_rule=deconvnet", 9, 1, 4, 2147483647},
        {"replicate_grad", "factor=3", 9, 3, 3, 3},
        {"bed_of_nails_grad", "factor=3 offset=2", 9, 3, 3, 3},
        {"pixel_shuffle_grad", "blocksize=2", 6, 3, 3, 3},
        {"pixel_unshuffle_grad", "blocksize=2", 3, 6, 6, 6},
    };
    static const struct {
        const char *op, *words, *text;
        int64_t in;
    } refusals[] = {
        {"max_pool_grad", "kernel_shape=3 strides=1 pads=2", "a size that max_pool gives for some input", 1},
        {"max_unpool_grad", "kernel_shape=3 size_rule=onnx", "a size that max_unpool gives for some input", 1},
        {"replicate_grad", "factor=3", "a multiple of factor[0] = 3", 8},
        {"bed_of_nails_grad", "factor=3", "a multiple of factor[0] = 3", 8},
        {"pixel_shuffle_grad", "blocksize=2", "a multiple of blocksize = 2", 7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call call;
        int64_t in[3] = {rows[i].in, rows[i].in, rows[i].in}, got[3][3];
        assert_int_equal(call_say(&call, rows[i].op, NULL, rows[i].words), UPS_OK);
        assert_int_equal(ups_shape(&call.desc, in, got[0], got[1], got[2]), UPS_OK);
        if (got[0][1] != rows[i].smallest || got[1][1] != rows[i].standard || got[2][1] != rows[i].largest)
            fail_msg("%s %s of %lld: %lld, %lld, %lld", rows[i].op, rows[i].words, (long long)rows[i].in,
                     (long long)got[0][1], (long long)got[1][1], (long long)got[2][1]);
    }
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct call call;
        int64_t in[3] = {refusals[i].in, refusals[i].in, refusals[i].in};
        assert_int_equal(call_say(&call, refusals[i].op, NULL, refusals[i].words), UPS_OK);
        assert_int_equal(ups_shape(&call.desc, in, NULL, NULL, NULL), UPS_INVALID);
        if (!strstr(ups_last_error(), refusals[i].text)) fail_msg("%s: %s", refusals[i].op, ups_last_error());
    }
}

/* Where several inputs give this size, a plan wants to be told which. */
static void test_grad_size_asked(void **unused)
{
    (void)unused;
    struct call call;
    float gy[16] = {0};
    int64_t sizes[2] = {9, 8};
    assert_int_equal(call_say(&call, "avg_pool_grad", NULL, "kernel_shape=2"), UPS_OK);
    call.dims[0] = call.dims[1] = 1, call.dims[2] = call.dims[3] = 4;
    call.x = gy;
    call_status(&call, call_run(&call), UPS_INVALID);
    assert_non_null(
        strstr(ups_last_error(), "out_sizes = NULL, but in[0] = 4 comes of inputs of several sizes; legal: 8 to 9"));
    call.sizes = sizes;
    call_status(&call, call_run(&call), UPS_OK);
    assert_int_equal(call.out_dims[2], 9);
    call_close(&call);
    sizes[1] = 10;
    call_status(&call, call_run(&call), UPS_INVALID);
    assert_non_null(strstr(ups_last_error(), "out_sizes[1] = 10; legal for in[1] = 4: 8 to 9"));
}

/* Every wrong index is counted and skipped; -1 is none, for that is what pooling records where it takes nothing. */
static void test_grad_bad_indices(void **unused)
{
    (void)unused;
    struct call call;
    float gy[4] = {1, 2, 3, 4};
    int64_t index[4] = {16, -1, 0, -2}, sizes[2] = {4, 4};
    assert_int_equal(call_say(&call, "max_pool_grad", NULL, "kernel_shape=2"), UPS_OK);
    call.dims[0] = call.dims[1] = 1, call.dims[2] = call.dims[3] = 2;
    call.x = gy, call.index = index, call.sizes = sizes;
    call_status(&call, call_run(&call), UPS_BAD_INDEX);
    assert_int_equal(call.bad_count, 2);
    assert_int_equal(call.bad_first, 0);
    for (int i = 0; i < 16; i++) assert_true(call.y[i] == (i == 0 ? 3.0f : 0.0f));
    call_close(&call);
}

/* The type must hold what the pooling recorded. */
static void test_grad_narrow_type(void **unused)
{
    (void)unused;
    struct call call;
    float *gy = room(4096 * 4096, sizeof *gy);
    int64_t sizes[2] = {4097, 4097};
    assert_int_equal(call_say(&call, "max_pool_grad", "caffe", "kernel_shape=2 strides=1"), UPS_OK);
    call.dims[0] = call.dims[1] = 1, call.dims[2] = call.dims[3] = 4096;
    call.x = gy, call.sizes = sizes;
    call_status(&call, call_run(&call), UPS_INVALID);
    assert_non_null(strstr(ups_last_error(), "index_type = f32 cannot hold"));
    free(gy);
}

/* ---- the pair: one byte for each switch, from pooling to unpooling and to the gradient ---- */

/* Unpools or differentiates by the switches of a pooling call, whose output is x, as docs/semantics/max_unpool.md says. */
static void mirror(const struct call *pool, bool grad, const int64_t *index, const float *x, struct call *call)
{
    const ups_pool_desc *d = &pool->desc.pool;
    call_init(call, grad ? UPS_MAX_POOL_GRAD : UPS_MAX_UNPOOL, d->rank);
    call->desc.head.layout = d->layout;
    ups_unpool_desc *u = &call->desc.unpool;
    int64_t pads[6];
    if (grad) {
        call->desc.pool = *d;
        call->desc.head.op = UPS_MAX_POOL_GRAD;
    } else {
        assert_int_equal(ups_solve_pads(d, pool->dims + 2, NULL, pads, NULL), UPS_OK);
        memcpy(u->kernel_shape, d->kernel_shape, sizeof u->kernel_shape);
        memcpy(u->strides, d->strides, sizeof u->strides);
        memcpy(u->dilations, d->dilations, sizeof u->dilations);
        memcpy(u->pads_begin, pads, (size_t)d->rank * sizeof *pads);
        memcpy(u->pads_end, pads + d->rank, (size_t)d->rank * sizeof *pads);
        u->size_rule = UPS_UNPOOL_DECONVNET; /* any size */
        u->index = d->index;
        u->index_type = d->index_type;
    }
    memcpy(call->dims, pool->out_dims, sizeof call->dims);
    call->sizes = pool->dims + 2;
    call->x = x;
    call->index = index;
    call->isa = pool->isa;
}

static void test_pair(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(1000); i++) {
        struct call bytes, wide;
        int32_t order[8];
        int64_t out[3];
        random_max_pool(&bytes, order);
        if (!naive_sizes(&bytes.desc, bytes.dims + 2, out)) continue;
        bytes.values_only = false;
        bytes.desc.pool.nan = UPS_NAN_LAST; /* a switch for every window with a tap inside */
        bytes.desc.pool.index = UPS_INDEX_WINDOW, bytes.desc.pool.index_type = UPS_U8;
        float *x = call_values(in_count(&bytes));
        bytes.x = x;
        wide = bytes;
        wide.desc.pool.index = UPS_INDEX_PLANE, wide.desc.pool.index_type = UPS_I64;
        for (int t = 0; t < 2 * tier_count; t++) {
            struct call narrow, other;
            run_on(&bytes, tiers[t / 2]);
            run_on(&wide, tiers[t / 2]);
            int64_t n = in_count(&bytes);
            mirror(&bytes, t % 2, bytes.switches, bytes.y, &narrow);
            mirror(&wide, t % 2, wide.switches, wide.y, &other);
            const int32_t status = call_run(&narrow);
            call_status(&other, call_run(&other), status); /* a window of padding alone has no place */
            call_same(&narrow, t % 2 ? "gradient" : "unpooled", narrow.y, other.y, n);
            call_same_index(&narrow, "bad_count", &narrow.bad_count, &other.bad_count, 1);
            call_close(&narrow), call_close(&other), call_close(&bytes), call_close(&wide);
        }
        free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_max_pool_of_bytes),
        cmocka_unit_test(test_max_unpool_of_bytes),
        cmocka_unit_test(test_refused_bytes),
        cmocka_unit_test(test_avg_pool),
        cmocka_unit_test(test_max_unpool),
        cmocka_unit_test(test_odd_floats),
        cmocka_unit_test(test_conversion),
        cmocka_unit_test(test_conversion_refusals),
        cmocka_unit_test(test_max_pool_grad),
        cmocka_unit_test(test_avg_pool_grad),
        cmocka_unit_test(test_max_unpool_grad),
        cmocka_unit_test(test_expand_grad),
        cmocka_unit_test(test_shuffle_grad),
        cmocka_unit_test(test_slopes),
        cmocka_unit_test(test_grad_sizes),
        cmocka_unit_test(test_grad_size_asked),
        cmocka_unit_test(test_grad_bad_indices),
        cmocka_unit_test(test_grad_narrow_type),
        cmocka_unit_test(test_pair),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
