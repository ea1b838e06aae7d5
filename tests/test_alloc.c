/* SPDX-License-Identifier: MIT
 *
 * Memory: an allocator that fails at every place in turn, and runs that allocate nothing and make no system call.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/seccomp.h>

#include "upsample/upsample.h"

/* ---- every allocation of this program is counted ---- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#    define COUNTED 1
static int allocations;
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
void *malloc(size_t n)
{
    return allocations++, __libc_malloc(n);
}
void *calloc(size_t n, size_t size)
{
    return allocations++, __libc_calloc(n, size);
}
void *realloc(void *p, size_t n)
{
    return allocations++, __libc_realloc(p, n);
}
#else
#    define COUNTED 0
static int allocations;
#endif

/* ---- an allocator that fails at call number `fail_at` ---- */

struct allocator {
    int calls, fail_at, outstanding;
    size_t bytes; /* asked for in all */
};

static void *allocate(void *context, size_t bytes)
{
    struct allocator *a = context;
    if (++a->calls == a->fail_at) return NULL;
    a->outstanding++;
    a->bytes += bytes;
    return malloc(bytes);
}

static void release(void *context, void *memory)
{
    ((struct allocator *)context)->outstanding--;
    free(memory);
}

/* ---- the calls: every operation, conv_transpose by each algorithm and with weights at run ---- */

static const struct {
    int32_t op;
    const char *settings[6][2];
    const char *algorithm;
    uint32_t flags;
} calls[] = {
    {UPS_MAX_POOL, {{"kernel_shape", "2"}}, NULL, 0},
    {UPS_MAX_POOL, {{"kernel_shape", "3"}, {"strides", "1"}, {"pads", "1"}}, NULL, 0},
    {UPS_MAX_UNPOOL, {{"kernel_shape", "2"}}, NULL, 0},
    {UPS_REPLICATE, {{"factor", "2"}}, NULL, 0},
    {UPS_BED_OF_NAILS, {{"factor", "3"}}, NULL, 0},
    {UPS_RESIZE, {{"scales", "2"}, {"mode", "nearest"}}, NULL, 0},
    {UPS_RESIZE, {{"scales", "1.5"}}, NULL, 0},
#define DECONV \
    {{"kernel_shape", "3"}, {"strides", "2"}, {"in_channels", "4"}, {"out_channels", "4"}, {"activation", "relu"}}
#define DEPTHWISE {{"kernel_shape", "3"}, {"strides", "2"}, {"in_channels", "4"}, {"out_channels", "4"}, {"group", "4"}}
    {UPS_CONV_TRANSPOSE, DECONV, "phase", 0},
    {UPS_CONV_TRANSPOSE, DECONV, "planar", 0},
    {UPS_CONV_TRANSPOSE, DECONV, "gemm", 0},
    {UPS_CONV_TRANSPOSE, DECONV, "scatter", 0},
    {UPS_CONV_TRANSPOSE, DEPTHWISE, "depthwise", 0},
    {UPS_CONV_TRANSPOSE, DECONV, "phase", UPS_WEIGHTS_AT_RUN},
    {UPS_CONV_TRANSPOSE, DECONV, "planar", UPS_WEIGHTS_AT_RUN},
    {UPS_CONV_TRANSPOSE, DECONV, "gemm", UPS_WEIGHTS_AT_RUN},
    {UPS_CONV_TRANSPOSE, DECONV, "scatter", UPS_WEIGHTS_AT_RUN},
    {UPS_CONV_TRANSPOSE, DEPTHWISE, "depthwise", UPS_WEIGHTS_AT_RUN},
#define GRADIENT \
    {{"kernel_shape", "3"}, {"strides", "2"}, {"in_channels", "4"}, {"out_channels", "4"}, {"output_padding", "1"}}
    {UPS_CONV_TRANSPOSE_GRAD_INPUT, GRADIENT, NULL, 0},
    {UPS_CONV_TRANSPOSE_GRAD_INPUT, GRADIENT, NULL, UPS_WEIGHTS_AT_RUN},
    {UPS_CONV_TRANSPOSE_GRAD_WEIGHTS, GRADIENT, NULL, 0},
    {UPS_CONV_TRANSPOSE_GRAD_BIAS, GRADIENT, NULL, 0},
};
enum { CALLS = sizeof calls / sizeof *calls };

static float x[2048], y[16384], weights[256], bias[4];
static int64_t indices[16384];
static char workspace[1 << 20];

/* The op and plan of a call; the status of the step that failed, the handles of what was made. */
static int32_t open_call(int i, int32_t layout, struct allocator *a, ups_op **op, ups_plan **plan)
{
    union {
        ups_conv_transpose_desc largest;
        char bytes[512];
    } desc;
    ups_options options;
    ups_tensor src;
    bool convolution = calls[i].op == UPS_CONV_TRANSPOSE, at_run = calls[i].flags & UPS_WEIGHTS_AT_RUN;
    bool weighted = convolution || calls[i].op == UPS_CONV_TRANSPOSE_GRAD_INPUT;
    assert_int_equal(ups_desc_init(&desc, ups_desc_size(calls[i].op), calls[i].op, "torch"), UPS_OK);
    assert_int_equal(ups_desc_set(&desc, "layout", layout == UPS_CHANNELS_FIRST ? "first" : "last"), UPS_OK);
    for (int k = 0; k < 6 && calls[i].settings[k][0]; k++)
        assert_int_equal(ups_desc_set(&desc, calls[i].settings[k][0], calls[i].settings[k][1]), UPS_OK);
    ups_options_init(&options, sizeof options);
    options.algorithm = calls[i].algorithm;
    options.flags = calls[i].flags;
    if (a) options.allocate = allocate, options.release = release, options.context = a;
    int32_t status =
        ups_op_create(&desc, weighted && !at_run ? weights : NULL, convolution && !at_run ? bias : NULL, &options, op);
    if (status) {
        assert_null(*op);
        *plan = NULL;
        return status;
    }
    ups_tensor_init(&src, sizeof src, UPS_F32, 2, layout, (int64_t[]){2, 4, 6, 6});
    return ups_plan_create(*op, &src, NULL, NULL, plan);
}

static void fill_buffers(int i, ups_buffers *b)
{
    ups_buffers_init(b, sizeof *b);
    b->src = x;
    b->dst = y;
    if (calls[i].op == UPS_MAX_UNPOOL) b->indices_in = indices;
    if (calls[i].op == UPS_MAX_POOL) b->indices_out = indices + 8192;
    if (calls[i].op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS) b->grad = x;
    if (calls[i].flags & UPS_WEIGHTS_AT_RUN) b->weights = weights;
    if (b->weights && calls[i].op == UPS_CONV_TRANSPOSE) b->bias = bias;
}

static void test_failing_allocator(void **state)
{
    (void)state;
    for (int i = 0; i < CALLS; i++) {
        int32_t status = UPS_NO_MEMORY;
        int k = 1;
        for (; status == UPS_NO_MEMORY; k++) {
            struct allocator a = {.fail_at = k};
            ups_op *op = (ups_op *)&a;
            ups_plan *plan = (ups_plan *)&a;
            status = open_call(i, UPS_CHANNELS_FIRST, &a, &op, &plan);
            assert_true(status == UPS_OK || status == UPS_NO_MEMORY);
            if (status) {
                assert_null(plan);
                assert_true(a.calls == k); /* nothing is tried after the failure */
                assert_true(strstr(ups_last_error(), "memory"));
            }
            ups_op_destroy(op); /* NULL where the op failed; before its plan */
            ups_plan_destroy(plan);
            assert_int_equal(a.outstanding, 0);
            assert_true(k < 100);
        }
        assert_true(k > 2); /* an op and a plan at least */
    }
}

/* Two algorithms are laid out, one of them is dropped for the sizes hinted at. */
static void test_failing_allocator_with_hint(void **state)
{
    static float many[16 * 16 * 9];
    ups_conv_transpose_desc desc;
    ups_options options;
    (void)state;
    ups_desc_init(&desc, sizeof desc, UPS_CONV_TRANSPOSE, NULL);
    desc.in_channels = desc.out_channels = 16;
    desc.kernel_shape[0] = desc.kernel_shape[1] = 3;
    many[1] = many[9] = 1;
    for (int64_t size = 1; size <= 64; size *= 8) {
        int32_t status = UPS_NO_MEMORY;
        for (int k = 1; status == UPS_NO_MEMORY; k++) {
            struct allocator a = {.fail_at = k};
            ups_op *op;
            ups_options_init(&options, sizeof options);
            options.policy = UPS_POLICY_FAST;
            options.size_hint = (const int64_t[]){1, 16, size, size};
            options.allocate = allocate, options.release = release, options.context = &a;
            status = ups_op_create(&desc, many, NULL, &options, &op);
            assert_true(status == UPS_OK ? k > 6 : !op);
            ups_op_destroy(op);
            assert_int_equal(a.outstanding, 0);
            assert_true(k < 100);
        }
        assert_int_equal(status, UPS_OK);
    }
}

/* 200 lengths through one op of 1026 * 1024 weights: a plan never packs, so it asks for next to no memory. */
static void test_new_sizes_never_repack(void **state)
{
    static float many[1026 * 1024];
    struct allocator a = {0};
    ups_conv_transpose_desc desc;
    ups_options options;
    ups_op *op;
    (void)state;
    ups_desc_init(&desc, sizeof desc, UPS_CONV_TRANSPOSE, NULL);
    desc.rank = 1;
    desc.in_channels = 1026, desc.out_channels = 1;
    desc.kernel_shape[0] = 1024, desc.strides[0] = 256;
    ups_options_init(&options, sizeof options);
    options.allocate = allocate, options.release = release, options.context = &a;
    assert_int_equal(ups_op_create(&desc, many, NULL, &options, &op), UPS_OK);
    assert_true(a.bytes >= sizeof many);
    for (int64_t length = 1; length <= 200; length++) {
        ups_tensor src;
        ups_plan *plan;
        size_t before = a.bytes;
        ups_tensor_init(&src, sizeof src, UPS_F32, 1, UPS_CHANNELS_FIRST, (int64_t[]){1, 1026, length});
        assert_int_equal(ups_plan_create(op, &src, NULL, NULL, &plan), UPS_OK);
        assert_true(a.bytes - before < 4096);
        ups_plan_destroy(plan);
    }
    ups_op_destroy(op);
    assert_int_equal(a.outstanding, 0);
}

/* Every call in both layouts, opened: `body` gets its plan and buffers. */
static void each_call(void (*body)(const ups_plan *plan, ups_buffers *b))
{
    for (int i = 0; i < CALLS; i++)
        for (int32_t layout = UPS_CHANNELS_FIRST; layout <= UPS_CHANNELS_LAST; layout++) {
            ups_op *op;
            ups_plan *plan;
            ups_buffers b;
            assert_int_equal(open_call(i, layout, NULL, &op, &plan), UPS_OK);
            fill_buffers(i, &b);
            body(plan, &b);
            ups_plan_destroy(plan);
            ups_op_destroy(op);
        }
}

static void allocates_nothing(const ups_plan *plan, ups_buffers *b)
{
    assert_true(ups_plan_workspace(plan, 3) <= sizeof workspace);
    int before = allocations;
    int32_t status = ups_run(plan, b, workspace, sizeof workspace);
    for (int32_t part = 0; part < 3; part++) status |= ups_run_part(plan, b, workspace, sizeof workspace, part, 3);
    assert_int_equal(allocations, before);
    assert_int_equal(status, UPS_OK);
}

static void test_run_allocates_nothing(void **state)
{
    (void)state;
    each_call(allocates_nothing);
    if (COUNTED) {
        int before = allocations;
        free(malloc(1));
        assert_int_equal(allocations, before + 1); /* the counter counts */
    } else
        print_message("a sanitizer owns malloc in this build: allocations are not counted\n");
}

/* ---- no system call: the child may only read, write, exit and return from signals ---- */

/* Runs call i in strict mode and leaves with its status, or with `stray` makes a forbidden system call first. */
static void strict_child(const ups_plan *plan, ups_buffers *b, bool stray)
{
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)) _exit(99);
    if (stray) syscall(SYS_getppid);
    syscall(SYS_exit, ups_run(plan, b, workspace, sizeof workspace));
}

static int strict_status(const ups_plan *plan, ups_buffers *b, bool stray)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) strict_child(plan, b, stray);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void makes_no_system_call(const ups_plan *plan, ups_buffers *b)
{
    int status = strict_status(plan, b, false);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), UPS_OK);
    status = strict_status(plan, b, true);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* a system call would have been seen */
}

static void test_run_makes_no_system_call(void **state)
{
    (void)state;
    each_call(makes_no_system_call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failing_allocator),        cmocka_unit_test(test_failing_allocator_with_hint),
        cmocka_unit_test(test_new_sizes_never_repack),   cmocka_unit_test(test_run_allocates_nothing),
        cmocka_unit_test(test_run_makes_no_system_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
