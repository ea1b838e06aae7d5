/* SPDX-License-Identifier: MIT
 *
 * Pooling, unpooling and index conversion over every field, on every tier this machine runs, against naive_pool.c: equal to
 * the bit, however the call is divided into parts.
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

static void compare_avg_pool(struct call *call, const int64_t *out)
{
    int64_t n = out_count(call, out);
    float *y = room(n, sizeof *y);
    naive_avg_pool(&call->desc.pool, call->dims, call->x, y);
    for (int i = 0; i < tier_count; i++) {
        run_on(call, tiers[i]);
        same_sum(call, y, n);
        call_close(call);
    }
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

static void test_max_unpool(void **unused)
{
    (void)unused;
    for (int64_t i = 0; i < cases(6000); i++) {
        struct call call;
        int32_t order[8];
        int64_t out[3];
        random_unpool(&call, order);
        bool legal = naive_sizes(&call.desc, call.dims + 2, out);
        for (int a = 0; a < 3 && !legal; a++) out[a] = 1;
        float *x = call_values(in_count(&call));
        int64_t *index = random_indices(&call, out);
        call.x = x;
        call.index = index;
        if (legal)
            compare_unpool(&call, out);
        else
            refused(&call);
        free(x);
        free(index);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_pool),   cmocka_unit_test(test_avg_pool),
        cmocka_unit_test(test_max_unpool), cmocka_unit_test(test_odd_floats),
        cmocka_unit_test(test_conversion), cmocka_unit_test(test_conversion_refusals),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
