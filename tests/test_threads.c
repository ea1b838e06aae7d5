/* SPDX-License-Identifier: MIT
 *
 * A run divided: the same bits for 1 to 7 parts in any order, one after the other, on threads of ours, and on the pool.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

static const char *tiers[8];
static int tier_count;

/* Small calls of every operation, in every rank and layout; variant counts the algorithms of conv_transpose. */
static const char *const algorithms[] = {"phase", "planar", "gemm", "scatter"};
static const int32_t operations[] = {UPS_MAX_POOL,     UPS_MAX_UNPOOL, UPS_REPLICATE,
                                     UPS_BED_OF_NAILS, UPS_RESIZE,     UPS_CONV_TRANSPOSE};
enum { VARIANTS = 9 }; /* six operations, conv_transpose in four algorithms */

struct arrays {
    float *x, *w, *bias;
    int64_t *index;
};

static int64_t count_of(const struct call *call)
{
    int64_t n = 1;
    for (int i = 0; i < call->desc.head.rank + 2; i++) n *= call->dims[i];
    return n;
}

static void set(struct call *call, const char *name, const char *value)
{
    assert_int_equal(ups_desc_set(&call->desc, name, value), UPS_OK);
}

static void fill_index(const struct call *call, struct arrays *a, int bad)
{
    int64_t n = count_of(call), plane = 1;
    a->index = malloc((size_t)n * sizeof *a->index);
    for (int i = 0; i < call->desc.head.rank; i++) plane *= 2 * call->dims[2 + i];
    for (int64_t i = 0; i < n; i++)
        a->index[i] = bad && i % 7 == 3 ? plane + i : (i * 5) % plane; /* many duplicates: order matters */
}

static void make(struct call *call, struct arrays *a, int variant, int32_t rank, int32_t layout)
{
    int32_t op = operations[variant < 5 ? variant : 5];
    const int64_t dims[5] = {2, 5, 7, 6, 5};
    memset(a, 0, sizeof *a);
    call_init(call, op, rank);
    call->desc.head.layout = layout;
    memcpy(call->dims, dims, sizeof dims);
    if (op == UPS_MAX_POOL || op == UPS_MAX_UNPOOL || op == UPS_CONV_TRANSPOSE)
        set(call, "kernel_shape", op == UPS_CONV_TRANSPOSE ? "3" : "2");
    if (op == UPS_REPLICATE || op == UPS_BED_OF_NAILS) set(call, "factor", "2");
    if (op == UPS_RESIZE) set(call, "scales", "1.7");
    if (op == UPS_CONV_TRANSPOSE) {
        set(call, "in_channels", "5");
        set(call, "out_channels", "6");
        set(call, "strides", "2");
        set(call, "pads", "1");
        call->algorithm = algorithms[variant - 5];
        a->w = call_floats(5 * 6 * 27);
        a->bias = call_floats(6);
    }
    a->x = call_floats(count_of(call));
    if (op == UPS_MAX_UNPOOL) fill_index(call, a, 1);
    call->x = a->x, call->w = a->w, call->bias = a->bias, call->index = a->index;
}

static void drop(struct arrays *a)
{
    free(a->x), free(a->w), free(a->bias), free(a->index);
}

/* Every variant, rank and layout; `body` gets a call whose outputs are to be compared with those of ups_run. */
static void for_all(void (*body)(struct call *call, const struct call *whole))
{
    for (int variant = 0; variant < VARIANTS; variant++)
        for (int32_t rank = 1; rank <= 3; rank++)
            for (int32_t layout = UPS_CHANNELS_FIRST; layout <= UPS_CHANNELS_LAST; layout++)
                for (int t = 0; t < tier_count; t++) {
                    struct call whole, call;
                    struct arrays a;
                    make(&whole, &a, variant, rank, layout);
                    whole.isa = tiers[t];
                    call = whole;
                    int32_t status = call_run(&whole);
                    assert_int_equal(status, whole.desc.head.op == UPS_MAX_UNPOOL ? UPS_BAD_INDEX : UPS_OK);
                    body(&call, &whole);
                    call_close(&whole);
                    drop(&a);
                }
}

static void compare(struct call *call, const struct call *whole)
{
    call_same(call, "divided", call->y, whole->y, call_out_count(whole));
    if (whole->switches) call_same_index(call, "divided", call->switches, whole->switches, call_out_count(whole));
}

static void in_parts(struct call *call, const struct call *whole)
{
    struct call start = *call;
    for (int32_t parts = 1; parts <= 7; parts++) {
        int32_t order[7];
        for (int32_t i = 0; i < parts; i++) order[i] = i;
        for (int32_t i = parts - 1; i > 0; i--) {
            int32_t j = (int32_t)check_between(0, i), swap = order[i];
            order[i] = order[j], order[j] = swap;
        }
        *call = start;
        call->parts = parts;
        call->order = order;
        call_run(call);
        compare(call, whole);
        assert_int_equal(call->bad_count, whole->bad_count);
        assert_int_equal(call->bad_first, whole->bad_first);
        call_close(call);
    }
}

static void test_parts_in_any_order(void **state)
{
    (void)state;
    for_all(in_parts);
}

/* ---- parallel_for of our own: a thread for each task ---- */

struct job {
    void (*task)(void *context, int32_t i);
    void *context;
    int32_t i;
};

static void *work(void *argument)
{
    struct job *job = argument;
    job->task(job->context, job->i);
    return NULL;
}

static void own_parallel_for(void *context, int32_t count, void (*task)(void *context, int32_t i), void *task_context)
{
    pthread_t threads[8];
    struct job jobs[8];
    assert_true(count <= 8);
    ++*(int *)context;
    for (int32_t i = 0; i < count; i++) {
        jobs[i] = (struct job){task, task_context, i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    }
    for (int32_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static void run_on(struct call *call, const struct call *whole, const ups_parallel *parallel)
{
    ups_buffers buffers;
    assert_int_equal(call_open(call), UPS_OK);
    size_t bytes = ups_plan_workspace(call->plan, parallel->parts);
    void *workspace = malloc(bytes + 1);
    call_buffers(call, &buffers);
    int32_t status = ups_run_parallel(call->plan, &buffers, workspace, bytes, parallel);
    assert_int_equal(status, whole->bad_count ? UPS_BAD_INDEX : UPS_OK);
    assert_int_equal(buffers.bad_count, whole->bad_count);
    assert_int_equal(buffers.bad_first, whole->bad_first);
    call_read(call);
    call_shut(call);
    compare(call, whole);
    call_close(call);
    free(workspace);
}

static void on_own_threads(struct call *call, const struct call *whole)
{
    int calls = 0;
    ups_parallel parallel = {sizeof parallel, 5, own_parallel_for, &calls};
    run_on(call, whole, &parallel);
    assert_int_equal(calls, 1);
}

static void test_own_parallel_for(void **state)
{
    (void)state;
    for_all(on_own_threads);
}

static ups_threads *pool;

static void on_pool(struct call *call, const struct call *whole)
{
    run_on(call, whole, ups_threads_parallel(pool));
}

static void test_pool(void **state)
{
    const int32_t counts[] = {1, 2, 4};
    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ups_threads_create(counts[i], &pool), UPS_OK);
        assert_int_equal(ups_threads_parallel(pool)->parts, counts[i]);
        for_all(on_pool);
        ups_threads_destroy(pool);
    }
    assert_int_equal(ups_threads_create(0, &pool), UPS_INVALID);
    assert_null(pool);
}

/* ---- ops made by many threads at once: the dispatch is lazy ---- */

static void *create_many(void *argument)
{
    ups_pool_desc desc;
    int *failures = argument;
    for (int i = 0; i < 200; i++) {
        ups_op *op;
        if (ups_desc_init(&desc, sizeof desc, UPS_MAX_POOL, NULL) || ups_desc_set(&desc, "kernel_shape", "2") ||
            ups_op_create(&desc, NULL, NULL, NULL, &op))
            ++*failures;
        else
            ups_op_destroy(op);
    }
    return NULL;
}

static void test_concurrent_creation(void **state)
{
    pthread_t threads[8];
    int failures[8] = {0};
    (void)state;
    for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, create_many, &failures[i]), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failures[i], 0);
    }
}

static void test_something_was_checked(void **state)
{
    (void)state;
    assert_true(call_checked() > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concurrent_creation),   cmocka_unit_test(test_parts_in_any_order),
        cmocka_unit_test(test_own_parallel_for),      cmocka_unit_test(test_pool),
        cmocka_unit_test(test_something_was_checked),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
