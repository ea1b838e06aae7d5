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

/* A type that holds indices up to `largest`; u8 besides only for windows. */
static int32_t random_type(int32_t index, int64_t largest)
{
    static const int32_t types[] = {UPS_I64, UPS_I32, UPS_F32, UPS_U8};
    bool window = index == UPS_INDEX_WINDOW || index == UPS_INDEX_WINDOW_COLUMN;
    (void)largest; /* tests are far below 2^24, and windows below 255 taps */
    return types[check_between(0, window ? 3 : 2)];
}

static void random_window(ups_pool_desc *d)
{
    bool usual = call_chance(30);
    for (int a = 0; a < d->rank; a++) {
        d->kernel_shape[a] = usual ? 2 : check_between(1, 4);
        if (!usual && call_chance(70)) d->strides[a] = check_between(1, 4);
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
    d->index_type = random_type(d->index, 0);
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

/* An average's NaN may be any NaN. */
static void same_average(const struct call *call, const float *want, int64_t n)
{
    int64_t at = check_first_difference(call->y, want, n, 1);
    if (at >= 0)
        fail_msg("average [%lld]: got %.9g, want %.9g\n  %s", (long long)at, (double)call->y[at], (double)want[at],
                 call_text(call));
}

static void compare_avg_pool(struct call *call, const int64_t *out)
{
    int64_t n = out_count(call, out);
    float *y = room(n, sizeof *y);
    naive_avg_pool(&call->desc.pool, call->dims, call->x, y);
    for (int i = 0; i < tier_count; i++) {
        run_on(call, tiers[i]);
        same_average(call, y, n);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_avg_pool),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
