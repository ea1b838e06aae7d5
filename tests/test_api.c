/* SPDX-License-Identifier: MIT
 *
 * The interface itself: every wrong argument gives a status and a sentence that names the field, its value and the legal
 * range, and writes nothing; text in and out of descriptors; sizes; handles in any order.
 *
 * The tables below hold one wrong value each. The rig is a legal call of an operation that they spoil.
 */
#define _GNU_SOURCE
#include <float.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"
#include "desc.h"
#include "naive.h"

enum { PATTERN = 0xA5 };

/* ---- the rig: a legal call of an operation, rank 2, C = 2 (8 for pixel_shuffle), 4x4 ---- */

struct rig {
    union desc desc;
    ups_options options;
    ups_tensor src, dst;
    ups_op *op;
    ups_plan *plan;
    ups_buffers buffers;
    void *workspace;
    size_t workspace_bytes;
    /* A few elements more than needed, for pointers that are moved. */
    _Alignas(64) float x[160], w[64], bias[8], y[256];
    int64_t index_in[64], index_out[64];
};

static bool reads_indices(int32_t op)
{
    return op == UPS_MAX_UNPOOL || op == UPS_MAX_POOL_GRAD || op == UPS_MAX_UNPOOL_GRAD;
}

static void good_desc(union desc *desc, int32_t op)
{
    const int32_t forward = ups_forward_op(op);
    assert_int_equal(ups_desc_init(desc, sizeof *desc, op, "torch"), UPS_OK);
    desc->head.size = (uint32_t)ups_desc_size(op);
    if (forward == UPS_MAX_POOL || forward == UPS_AVG_POOL || forward == UPS_CONV_TRANSPOSE)
        assert_int_equal(ups_desc_set(desc, "pads", "0"), UPS_OK);
    if (op == UPS_MAX_POOL_GRAD || op == UPS_AVG_POOL_GRAD) /* with more than 1, several inputs give the size */
        assert_int_equal(ups_desc_set(desc, "strides", "1"), UPS_OK);
    switch (forward) {
    case UPS_MAX_POOL:
    case UPS_AVG_POOL: desc->pool.kernel_shape[0] = desc->pool.kernel_shape[1] = 2; break;
    case UPS_MAX_UNPOOL: desc->unpool.kernel_shape[0] = desc->unpool.kernel_shape[1] = 2; break;
    case UPS_PIXEL_SHUFFLE:
    case UPS_PIXEL_UNSHUFFLE: desc->shuffle.blocksize = 2; break;
    case UPS_RESIZE: desc->resize.scales[0] = desc->resize.scales[1] = 2; break;
    case UPS_CONV_TRANSPOSE:
        desc->conv.in_channels = desc->conv.out_channels = 2;
        desc->conv.kernel_shape[0] = desc->conv.kernel_shape[1] = 2;
        desc->conv.strides[0] = desc->conv.strides[1] = 2;
        break;
    default: desc->expand.factor[0] = desc->expand.factor[1] = 2; break;
    }
}

static const float *rig_weights(const struct rig *rig)
{
    int32_t op = rig->desc.head.op;
    bool takes = op == UPS_CONV_TRANSPOSE || op == UPS_CONV_TRANSPOSE_GRAD_INPUT;
    return !takes || rig->options.flags & UPS_WEIGHTS_AT_RUN ? NULL : rig->w;
}

static int32_t rig_op(struct rig *rig)
{
    rig->op = (ups_op *)rig; /* anything but NULL */
    return ups_op_create(&rig->desc, rig_weights(rig),
                         rig->desc.head.op == UPS_CONV_TRANSPOSE && rig_weights(rig) ? rig->bias : NULL, &rig->options,
                         &rig->op);
}

static void rig_start(struct rig *rig, int32_t op)
{
    memset(rig, 0, sizeof *rig);
    good_desc(&rig->desc, op);
    assert_int_equal(ups_options_init(&rig->options, sizeof rig->options), UPS_OK);
    for (int i = 0; i < 160; i++) rig->x[i] = (float)(i % 7);
    memcpy(rig->w, rig->x, sizeof rig->w);
    const int64_t dims[] = {1, op == UPS_PIXEL_SHUFFLE || op == UPS_PIXEL_UNSHUFFLE_GRAD ? 8 : 2, 4, 4};
    assert_int_equal(ups_tensor_init(&rig->src, sizeof rig->src, UPS_F32, 2, UPS_CHANNELS_FIRST, dims), UPS_OK);
    rig->dst.size = sizeof rig->dst;
}

static void rig_buffers(struct rig *rig)
{
    assert_int_equal(ups_buffers_init(&rig->buffers, sizeof rig->buffers), UPS_OK);
    rig->buffers.src = rig->x;
    rig->buffers.dst = rig->y;
    if (reads_indices(rig->desc.head.op)) rig->buffers.indices_in = rig->index_in;
    if (rig->desc.head.op == UPS_MAX_POOL) rig->buffers.indices_out = rig->index_out;
    if (rig->desc.head.op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS) rig->buffers.grad = rig->x;
    if (!(rig->options.flags & UPS_WEIGHTS_AT_RUN)) return;
    rig->buffers.weights = rig->w;
    rig->buffers.bias = rig->bias;
}

static void rig_plan(struct rig *rig)
{
    assert_int_equal(ups_plan_create(rig->op, &rig->src, NULL, NULL, &rig->plan), UPS_OK);
    assert_int_equal(ups_plan_tensor(rig->plan, UPS_ROLE_DST, &rig->dst), UPS_OK);
    rig->workspace_bytes = ups_plan_workspace(rig->plan, 1);
    rig->workspace = malloc(rig->workspace_bytes + 1);
    memset(rig->y, PATTERN, sizeof rig->y);
    memset(rig->index_out, PATTERN, sizeof rig->index_out);
    rig_buffers(rig);
}

static void rig_make_with(struct rig *rig, int32_t op, uint32_t flags)
{
    rig_start(rig, op);
    rig->options.flags = flags;
    if (rig_op(rig) != UPS_OK) fail_msg("%s: %s", ups_op_word(op), ups_last_error());
    rig_plan(rig);
}

static void rig_make(struct rig *rig, int32_t op)
{
    rig_make_with(rig, op, 0);
}

static void rig_free(struct rig *rig)
{
    ups_plan_destroy(rig->plan);
    ups_op_destroy(rig->op);
    free(rig->workspace);
}

static bool untouched(const void *memory, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (((const unsigned char *)memory)[i] != PATTERN) return false;
    return true;
}

static void nothing_written(const struct rig *rig, const char *what)
{
    if (!untouched(rig->y, sizeof rig->y)) fail_msg("%s: dst was written", what);
    if (!untouched(rig->index_out, sizeof rig->index_out)) fail_msg("%s: indices_out was written", what);
}

/* ---- what a sentence must say ---- */

static void says(const char *what, const char *needed)
{
    if (needed && !strstr(ups_last_error(), needed))
        fail_msg("%s: the sentence \"%s\" does not say \"%s\"", what, ups_last_error(), needed);
}

/* The field, its value, and behind the word "legal" the range. */
static void explains(const char *what, const char *field, const char *value, const char *range)
{
    says(what, field);
    says(what, value);
    const char *legal = strstr(ups_last_error(), "legal");
    if (range && (!legal || !strstr(legal, range)))
        fail_msg("%s: the sentence \"%s\" does not say that \"%s\" is legal", what, ups_last_error(), range);
}

static void is_status(const char *what, int32_t got, int32_t want)
{
    if (got != want)
        fail_msg("%s: status %d (%s), not %d; \"%s\"", what, got, ups_status_string(got), want, ups_last_error());
}

/* ---- nothing wrong ---- */

static void test_no_error_yet(void **unused)
{
    (void)unused;
    assert_string_equal(ups_last_error(), "");
}

static void test_legal_calls_work(void **unused)
{
    (void)unused;
    for (int i = 0; i < CALL_OPS; i++) {
        struct rig rig;
        rig_make(&rig, call_ops[i]);
        is_status(ups_op_word(call_ops[i]), ups_run(rig.plan, &rig.buffers, rig.workspace, rig.workspace_bytes),
                  UPS_OK);
        assert_false(untouched(rig.y, 64));
        rig_free(&rig);
    }
    struct rig rig;
    rig_make_with(&rig, UPS_CONV_TRANSPOSE, UPS_WEIGHTS_AT_RUN);
    is_status("at run", ups_run(rig.plan, &rig.buffers, rig.workspace, rig.workspace_bytes), UPS_OK);
    rig_free(&rig);
}

static void test_constants_of_the_library(void **unused)
{
    (void)unused;
    assert_string_equal(ups_version(), "0.1.0");
    for (int32_t status = -1; status < 8; status++) assert_non_null(ups_status_string(status));
    assert_string_not_equal(ups_status_string(UPS_INVALID), ups_status_string(UPS_UNSUPPORTED));
    for (int i = 0; i < CALL_OPS; i++) {
        const char *word = ups_op_word(call_ops[i]);
        assert_non_null(word);
        assert_int_equal(ups_op_code(word), call_ops[i]);
        assert_true(ups_desc_size(call_ops[i]) >= sizeof(ups_desc_head));
    }
    assert_int_equal(ups_op_code("max_pool"), UPS_MAX_POOL);
    assert_int_equal(ups_op_code("conv_transpose"), UPS_CONV_TRANSPOSE);
    assert_int_equal(ups_op_code("no_such_op"), 0);
    assert_int_equal(ups_op_code(""), 0);
    assert_null(ups_op_word(0));
    assert_null(ups_op_word(99));
    assert_null(ups_op_word(INT32_MAX));
    assert_int_equal(ups_desc_size(77), 0);
    assert_int_equal(ups_desc_size(UPS_MAX_POOL), sizeof(ups_pool_desc));
    assert_int_equal(ups_desc_size(UPS_CONV_TRANSPOSE), sizeof(ups_conv_transpose_desc));
}

/* ---- wrong descriptor fields ---- */

struct bad_field {
    const char *field;
    int32_t op;
    size_t offset, bytes; /* 4: int32, 8: int64, 0: double */
    int64_t value;
    double real;
    const char *range;
};

#define HEAD(field, value, range) {#field, UPS_MAX_POOL, offsetof(ups_desc_head, field), 4, value, 0, range}
#define I32(op, type, field, value, range) {#field, op, offsetof(type, field), 4, value, 0, range}
#define I64(op, type, field, value, range) {#field, op, offsetof(type, field), 8, value, 0, range}
#define AT(op, type, field, i, value, range) {#field "[" #i "]", op, offsetof(type, field) + 8 * i, 8, value, 0, range}
#define REAL(op, type, name, field, i, value) {name, op, offsetof(type, field) + 8 * i, 0, 0, value, ""}
#define POOL(field, i, value, range) AT(UPS_MAX_POOL, ups_pool_desc, field, i, value, range)
#define UNPOOL(field, i, value, range) AT(UPS_MAX_UNPOOL, ups_unpool_desc, field, i, value, range)
#define EXPAND(op, field, i, value, range) AT(op, ups_expand_desc, field, i, value, range)
#define SIZES(i, value, range) AT(UPS_RESIZE, ups_resize_desc, sizes, i, value, range)
#define CONV(field, i, value, range) AT(UPS_CONV_TRANSPOSE, ups_conv_transpose_desc, field, i, value, range)
#define SCALAR(field, value, range) I64(UPS_CONV_TRANSPOSE, ups_conv_transpose_desc, field, value, range)

static const struct bad_field bad_fields[] = {
    HEAD(dtype, 0, "f32"),
    HEAD(dtype, UPS_I64, "f32"),
    HEAD(rank, 0, "1 to 3"),
    HEAD(rank, 4, "1 to 3"),
    HEAD(rank, -1, "1 to 3"),
    HEAD(layout, 0, "first"),
    HEAD(layout, 3, "last"),
    HEAD(preset, 0, NULL),
    HEAD(preset, 99, NULL),
    HEAD(op, 0, NULL),
    HEAD(op, 99, NULL),
    HEAD(strict, 2, "0 to 1"),
    HEAD(strict, -1, "0 to 1"),
    HEAD(reserved, 1, "0"),
    POOL(kernel_shape, 0, 0, "1 to"),
    POOL(kernel_shape, 1, -1, "1 to"),
    POOL(kernel_shape, 0, INT64_MAX, "1 to"),
    POOL(strides, 0, 0, "1 to"),
    POOL(strides, 1, -2, "1 to"),
    POOL(strides, 1, INT64_MAX, "1 to"),
    POOL(strides, 1, INT64_MIN, "1 to"),
    POOL(dilations, 0, 0, "1 to"),
    POOL(dilations, 1, INT64_MAX, "1 to"),
    POOL(pads_begin, 0, -2, "0 to"),
    POOL(pads_begin, 1, 2, "0 to 1"),
    POOL(pads_begin, 1, INT64_MAX, "0 to"),
    POOL(pads_end, 0, -2, "0 to"),
    POOL(pads_end, 1, 2, "0 to 1"),
    I32(UPS_MAX_POOL, ups_pool_desc, ceil_mode, 2, "0 to 1"),
    I32(UPS_MAX_POOL, ups_pool_desc, ceil_mode, -1, "0 to 1"),
    I32(UPS_MAX_POOL, ups_pool_desc, index, 0, "plane"),
    I32(UPS_MAX_POOL, ups_pool_desc, index, 9, "plane"),
    I32(UPS_MAX_POOL, ups_pool_desc, index_type, 2, "i64"),
    I32(UPS_MAX_POOL, ups_pool_desc, auto_pad, 0, "notset"),
    I32(UPS_MAX_POOL, ups_pool_desc, auto_pad, 5, "same_upper"),
    I32(UPS_MAX_POOL, ups_pool_desc, round, 0, "floor"),
    I32(UPS_MAX_POOL, ups_pool_desc, round, 5, "ceil"),
    I32(UPS_MAX_POOL, ups_pool_desc, nan, 4, "last"),
    I32(UPS_MAX_POOL, ups_pool_desc, scan, 0, "row_major"),
    I32(UPS_AVG_POOL, ups_pool_desc, count_include_pad, 3, "window"),
    I64(UPS_AVG_POOL, ups_pool_desc, divisor, 0, "1 to"),
    I64(UPS_AVG_POOL, ups_pool_desc, divisor, INT64_MIN, "1 to"),
    I32(UPS_MAX_POOL, ups_pool_desc, index_type, 0, "i32"),
    UNPOOL(kernel_shape, 0, 0, "1 to"),
    UNPOOL(strides, 0, 0, "1 to"),
    UNPOOL(pads_begin, 0, 2, "0 to 1"),
    UNPOOL(pads_end, 1, -1, "0 to"),
    UNPOOL(output_shape, 0, 0, "1 to"),
    UNPOOL(output_shape, 1, -2, "1 to"),
    UNPOOL(dilations, 0, 0, "1 to"),
    I32(UPS_MAX_UNPOOL, ups_unpool_desc, index, 9, "plane"),
    I32(UPS_MAX_UNPOOL, ups_unpool_desc, index_type, 3, "i64"),
    I32(UPS_MAX_UNPOOL, ups_unpool_desc, size_rule, 4, "deconvnet"),
    I32(UPS_MAX_UNPOOL, ups_unpool_desc, index_space, 0, "output"),
    I32(UPS_MAX_UNPOOL, ups_unpool_desc, overlap, 5, "error"),
    EXPAND(UPS_REPLICATE, factor, 0, 0, "1 to"),
    EXPAND(UPS_REPLICATE, factor, 1, INT64_MAX, "1 to"),
    EXPAND(UPS_REPLICATE, offset, 0, 1, "0"),
    EXPAND(UPS_BED_OF_NAILS, factor, 1, -1, "1 to"),
    EXPAND(UPS_BED_OF_NAILS, offset, 0, 2, "0 to 1"),
    EXPAND(UPS_BED_OF_NAILS, offset, 1, -1, "0 to"),
    I64(UPS_PIXEL_SHUFFLE, ups_shuffle_desc, blocksize, 0, "1 to"),
    I64(UPS_PIXEL_UNSHUFFLE, ups_shuffle_desc, blocksize, INT64_MAX, "1 to"),
    I32(UPS_PIXEL_SHUFFLE, ups_shuffle_desc, shuffle, 3, "CRD"),
    I32(UPS_RESIZE, ups_resize_desc, mode, 0, "nearest"),
    I32(UPS_RESIZE, ups_resize_desc, mode, 8, "lanczos"),
    I32(UPS_RESIZE, ups_resize_desc, mode, -1, "linear"),
    I32(UPS_RESIZE, ups_resize_desc, coordinate_transformation_mode, 0, "half_pixel"),
    I32(UPS_RESIZE, ups_resize_desc, coordinate_transformation_mode, 8, "asymmetric"),
    I32(UPS_RESIZE, ups_resize_desc, nearest_mode, 6, "floor"),
    I32(UPS_RESIZE, ups_resize_desc, coordinate_arithmetic, 0, "torch"),
    I32(UPS_RESIZE, ups_resize_desc, coordinate_arithmetic, 8, "f64"),
    I32(UPS_RESIZE, ups_resize_desc, antialias, 2, "0 to 1"),
    I32(UPS_RESIZE, ups_resize_desc, exclude_outside, -2, "0 to 1"),
    I32(UPS_RESIZE, ups_resize_desc, lanczos_radius, 9, "1 to 8"),
    I32(UPS_RESIZE, ups_resize_desc, area_rule, 4, "cells"),
    I32(UPS_RESIZE, ups_resize_desc, keep_aspect_ratio_policy, 0, "stretch"),
    I32(UPS_RESIZE, ups_resize_desc, size_rounding, 5, "floor_openvino"),
    I32(UPS_RESIZE, ups_resize_desc, axes, 0, "1 to 3"),
    I32(UPS_RESIZE, ups_resize_desc, axes, 4, "1 to 3"),
    REAL(UPS_RESIZE, ups_resize_desc, "cubic_coeff_a", cubic_coeff_a, 0, NAN),
    REAL(UPS_RESIZE, ups_resize_desc, "roi", roi, 3, INFINITY),
    REAL(UPS_RESIZE, ups_resize_desc, "extrapolation_value", extrapolation_value, 0, NAN),
    SIZES(0, 0, "1 to"),
    SIZES(1, -2, "1 to"),
    SIZES(1, INT64_MAX, "1 to"),
    REAL(UPS_RESIZE, ups_resize_desc, "scales[0]", scales, 0, 0.0),
    REAL(UPS_RESIZE, ups_resize_desc, "scales[1]", scales, 1, -2.0),
    REAL(UPS_RESIZE, ups_resize_desc, "scales[0]", scales, 0, NAN),
    REAL(UPS_RESIZE, ups_resize_desc, "scales[0]", scales, 0, INFINITY),
    SCALAR(in_channels, 0, "1 to"),
    SCALAR(in_channels, -4, "1 to"),
    SCALAR(in_channels, INT64_MAX, "1 to"),
    SCALAR(out_channels, 0, "1 to"),
    SCALAR(out_channels, INT64_MIN, "1 to"),
    SCALAR(group, 0, "1 to"),
    SCALAR(group, 3, "group"),
    CONV(kernel_shape, 0, 0, "1 to"),
    CONV(kernel_shape, 1, INT64_MAX, "1 to"),
    CONV(strides, 0, 0, "1 to"),
    CONV(strides, 1, -1, "1 to"),
    CONV(dilations, 0, 0, "1 to"),
    CONV(pads_begin, 0, -1, "UPS_BY_PRESET"),
    CONV(pads_begin, 0, -2, "0 to"),
    CONV(pads_begin, 0, INT64_MAX, "0 to"),
    CONV(pads_end, 1, -1, "UPS_BY_PRESET"),
    CONV(output_padding, 0, -1, "0 to"),
    CONV(output_padding, 1, 2, "0 to 1"),
    CONV(output_shape, 0, 0, "1 to"),
    CONV(output_shape, 1, -2, "1 to"),
    I32(UPS_CONV_TRANSPOSE, ups_conv_transpose_desc, auto_pad, 5, "valid"),
    I32(UPS_CONV_TRANSPOSE, ups_conv_transpose_desc, shape_rule, 0, "torch"),
    I32(UPS_CONV_TRANSPOSE, ups_conv_transpose_desc, shape_rule, 6, "openvino"),
    I32(UPS_CONV_TRANSPOSE, ups_conv_transpose_desc, weights_layout, 0, "IOHW"),
    I32(UPS_CONV_TRANSPOSE, ups_conv_transpose_desc, weights_layout, 6, "HWIO"),
    I32(UPS_CONV_TRANSPOSE, ups_conv_transpose_desc, activation, 0, "relu"),
    I32(UPS_CONV_TRANSPOSE, ups_conv_transpose_desc, activation, 7, "tanh"),
};

static void spoil(union desc *desc, const struct bad_field *bad)
{
    char *at = (char *)desc + bad->offset;
    int32_t small = (int32_t)bad->value;
    if (bad->bytes == 4)
        memcpy(at, &small, 4);
    else if (bad->bytes == 8)
        memcpy(at, &bad->value, 8);
    else
        memcpy(at, &bad->real, 8);
}

static const char *value_text(const struct bad_field *bad)
{
    static char text[32];
    if (bad->bytes)
        snprintf(text, sizeof text, "%lld", (long long)bad->value);
    else
        snprintf(text, sizeof text, "%g", bad->real);
    return text;
}

static void test_bad_descriptor_fields(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof bad_fields / sizeof *bad_fields; i++) {
        const struct bad_field *bad = &bad_fields[i];
        struct rig rig;
        char what[128];
        int64_t in[] = {4, 4}, low[3] = {-7, -7, -7}, high[3] = {-7, -7, -7};
        rig_start(&rig, bad->op);
        spoil(&rig.desc, bad);
        snprintf(what, sizeof what, "%s %s = %s", ups_op_word(bad->op), bad->field, value_text(bad));
        is_status(what, rig_op(&rig), UPS_INVALID);
        assert_null(rig.op);
        explains(what, strcmp(bad->field, "group") ? bad->field : "group", value_text(bad), bad->range);
        is_status(what, ups_shape(&rig.desc, in, low, NULL, high), UPS_INVALID);
        assert_true(low[0] == -7 && low[1] == -7 && high[0] == -7 && high[1] == -7);
    }
}

/* Two fields that do not go together. */
static void test_bad_activations(void **unused)
{
    (void)unused;
    static const struct {
        int32_t kind;
        double alpha, beta;
    } bad[] = {{UPS_CLIP, 2, 1},
               {UPS_CLIP, NAN, 1},
               {UPS_CLIP, 0, NAN},
               {UPS_LEAKY_RELU, NAN, 0},
               {UPS_LEAKY_RELU, INFINITY, 0}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct rig rig;
        rig_start(&rig, UPS_CONV_TRANSPOSE);
        rig.desc.conv.activation = bad[i].kind;
        rig.desc.conv.activation_alpha = bad[i].alpha;
        rig.desc.conv.activation_beta = bad[i].beta;
        is_status("activation", rig_op(&rig), UPS_INVALID);
        assert_null(rig.op);
        explains("activation", "activation", NULL, "");
    }
}

/* ---- sizes of structs ---- */

static void test_descriptor_sizes(void **unused)
{
    (void)unused;
    struct {
        union desc desc;
        unsigned char tail[64];
    } big;
    struct rig rig;
    for (int i = 0; i < CALL_OPS; i++) {
        rig_start(&rig, call_ops[i]);
        memset(&big, 0, sizeof big);
        size_t known = ups_desc_size(call_ops[i]);
        memcpy(&big, &rig.desc, known);
        memset((char *)&big + known, 0, sizeof big - known);

        big.desc.head.size = (uint32_t)(known + 24); /* from a later header, its new fields unused */
        is_status("zero tail", ups_op_create(&big, rig_weights(&rig), NULL, NULL, &rig.op), UPS_OK);
        ups_op_destroy(rig.op);

        ((unsigned char *)&big)[known + 23] = 1; /* or used */
        is_status("used tail", ups_op_create(&big, rig_weights(&rig), NULL, NULL, &rig.op), UPS_INVALID);
        assert_null(rig.op);
        says("used tail", "size");
        ((unsigned char *)&big)[known + 23] = 0;
        ((unsigned char *)&big)[known + 24] = 1; /* beyond its size: not looked at */
        is_status("behind the tail", ups_op_create(&big, rig_weights(&rig), NULL, NULL, &rig.op), UPS_OK);
        ups_op_destroy(rig.op);

        for (uint32_t size = 0; size < sizeof(ups_desc_head); size += 4) {
            big.desc.head.size = size;
            is_status("cut head", ups_op_create(&big, rig_weights(&rig), NULL, NULL, &rig.op), UPS_INVALID);
            assert_null(rig.op);
            says("cut head", "size");
        }
    }
}

/* From an earlier header: the fields that are missing have their defaults, whatever the bytes behind say. */
static void test_smaller_descriptors(void **unused)
{
    (void)unused;
    struct rig rig;
    char text[64];
    rig_start(&rig, UPS_CONV_TRANSPOSE);
    rig.desc.conv.activation = 77;
    rig.desc.conv.output_padding[0] = -5;
    rig.desc.conv.size = offsetof(ups_conv_transpose_desc, output_padding);
    is_status("smaller", rig_op(&rig), UPS_OK);
    ups_op_destroy(rig.op);
    assert_int_equal(ups_desc_get(&rig.desc, "activation", text, sizeof text), 4);
    assert_string_equal(text, "none");

    rig_start(&rig, UPS_MAX_POOL);
    rig.desc.pool.index_type = 77;
    rig.desc.pool.size = offsetof(ups_pool_desc, index_type);
    is_status("smaller", rig_op(&rig), UPS_OK);
    ups_op_destroy(rig.op);
}

static void test_desc_init(void **unused)
{
    (void)unused;
    union desc desc, before;
    memset(&desc, PATTERN, sizeof desc);
    before = desc;
    is_status("unknown op", ups_desc_init(&desc, sizeof desc, 99, NULL), UPS_INVALID);
    says("unknown op", "99");
    is_status("unknown preset", ups_desc_init(&desc, sizeof desc, UPS_RESIZE, "tensorflux"), UPS_INVALID);
    explains("unknown preset", "preset", "tensorflux", "torch");
    is_status("no room", ups_desc_init(&desc, sizeof(ups_desc_head) - 1, UPS_RESIZE, NULL), UPS_INVALID);
    explains("no room", "size", "31", "");
    assert_memory_equal(&desc, &before, sizeof desc);
    is_status("null", ups_desc_init(NULL, sizeof desc, UPS_RESIZE, NULL), UPS_INVALID);
    says("null", "NULL");
    for (int i = 0; i < CALL_OPS; i++) {
        is_status("init", ups_desc_init(&desc, ups_desc_size(call_ops[i]), call_ops[i], NULL), UPS_OK);
        assert_int_equal(desc.head.size, ups_desc_size(call_ops[i]));
        assert_int_equal(desc.head.op, call_ops[i]);
        assert_int_equal(desc.head.rank, 2);
        assert_int_equal(desc.head.dtype, UPS_F32);
        assert_int_equal(desc.head.layout, UPS_CHANNELS_FIRST);
    }
    assert_true(desc.conv.activation_alpha == 0.01 && desc.conv.activation_beta == 0 && desc.conv.group == 1);
    struct {
        ups_expand_desc desc;
        char tail[16];
    } larger;
    memset(&larger, PATTERN, sizeof larger);
    is_status("larger", ups_desc_init(&larger, sizeof larger, UPS_REPLICATE, NULL), UPS_OK);
    assert_int_equal(larger.desc.size, sizeof larger);
    for (int i = 0; i < 16; i++) assert_int_equal(larger.tail[i], 0);
}

/* What init leaves is refused as long as the fields without a default are not set. */
static void test_no_default_where_none_makes_sense(void **unused)
{
    (void)unused;
    static const char *const needed[] = {NULL,     "kernel_shape", "kernel_shape", "kernel_shape", "factor",
                                         "factor", "blocksize",    "blocksize",    NULL,           "in_channels"};
    for (int i = 0; i < CALL_OPS; i++) {
        union desc desc;
        ups_op *op;
        float w[4] = {0};
        const char *field = needed[ups_forward_op(call_ops[i])];
        if (!field) continue;
        ups_desc_init(&desc, sizeof desc, call_ops[i], NULL);
        is_status("after init",
                  ups_op_create(&desc, ups_forward_op(call_ops[i]) == UPS_CONV_TRANSPOSE ? w : NULL, NULL, NULL, &op),
                  UPS_INVALID);
        assert_null(op);
        explains("after init", field, "0", "1");
    }
}

/* ---- wrong arguments of ups_op_create ---- */

static void *give(void *context, size_t bytes)
{
    (void)context;
    return malloc(bytes);
}

static void misaligned_weights(struct rig *rig, const float **w, const float **bias)
{
    (void)rig;
    (void)bias;
    *w = (const float *)((const char *)*w + 1);
}

static void misaligned_bias(struct rig *rig, const float **w, const float **bias)
{
    (void)rig;
    (void)w;
    *bias = (const float *)((const char *)*bias + 2);
}

static void no_weights(struct rig *rig, const float **w, const float **bias)
{
    (void)rig;
    (void)bias;
    *w = NULL;
}

static void weights_twice(struct rig *rig, const float **w, const float **bias)
{
    (void)w;
    (void)bias;
    rig->options.flags = UPS_WEIGHTS_AT_RUN;
}

static void bias_twice(struct rig *rig, const float **w, const float **bias)
{
    (void)bias;
    *w = NULL;
    rig->options.flags = UPS_WEIGHTS_AT_RUN;
}

static void unknown_flag(struct rig *rig, const float **w, const float **bias)
{
    (void)w;
    (void)bias;
    rig->options.flags = 64;
}

static void policy_0(struct rig *rig, const float **w, const float **bias)
{
    (void)w;
    (void)bias;
    rig->options.policy = 0;
}

static void policy_4(struct rig *rig, const float **w, const float **bias)
{
    (void)w;
    (void)bias;
    rig->options.policy = 4;
}

static void unknown_algorithm(struct rig *rig, const float **w, const float **bias)
{
    (void)w;
    (void)bias;
    rig->options.algorithm = "abacus";
}

static void unknown_isa(struct rig *rig, const float **w, const float **bias)
{
    (void)w;
    (void)bias;
    rig->options.max_isa = "mmx";
}

static void half_an_allocator(struct rig *rig, const float **w, const float **bias)
{
    (void)w;
    (void)bias;
    rig->options.allocate = give;
}

static void options_without_size(struct rig *rig, const float **w, const float **bias)
{
    (void)w;
    (void)bias;
    rig->options.size = 0;
}

static void reserved_option(struct rig *rig, const float **w, const float **bias)
{
    (void)w;
    (void)bias;
    rig->options.reserved = 1;
}

static const struct {
    const char *name;
    void (*spoil)(struct rig *rig, const float **w, const float **bias);
    const char *field, *value, *range;
} bad_ops[] = {
    {"misaligned weights", misaligned_weights, "weights", NULL, "4"},
    {"misaligned bias", misaligned_bias, "bias", NULL, "4"},
    {"no weights", no_weights, "weights", "NULL", ""},
    {"weights twice", weights_twice, "weights", "UPS_WEIGHTS_AT_RUN", "NULL"},
    {"bias twice", bias_twice, "bias", "UPS_WEIGHTS_AT_RUN", "NULL"},
    {"unknown flag", unknown_flag, "flags", "0x40", "UPS_WEIGHTS_AT_RUN"},
    {"policy 0", policy_0, "policy", "0", "1"},
    {"policy 4", policy_4, "policy", "4", "3"},
    {"unknown algorithm", unknown_algorithm, "algorithm", "abacus", "phase"},
    {"unknown isa", unknown_isa, "max_isa", "mmx", "scalar"},
    {"half an allocator", half_an_allocator, "release", "NULL", ""},
    {"options without a size", options_without_size, "size", "0", ""},
    {"reserved field of the options", reserved_option, "reserved", "1", "0"},
};

static void test_bad_op_arguments(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof bad_ops / sizeof *bad_ops; i++) {
        struct rig rig;
        rig_start(&rig, UPS_CONV_TRANSPOSE);
        const float *w = rig.w, *bias = rig.bias;
        bad_ops[i].spoil(&rig, &w, &bias);
        rig.op = (ups_op *)&rig;
        is_status(bad_ops[i].name, ups_op_create(&rig.desc, w, bias, &rig.options, &rig.op), UPS_INVALID);
        assert_null(rig.op);
        explains(bad_ops[i].name, bad_ops[i].field, bad_ops[i].value, bad_ops[i].range);
    }
}

static void test_bad_op_arguments_without_weights(void **unused)
{
    (void)unused;
    for (int i = 0; i < CALL_OPS; i++) {
        struct rig rig;
        if (call_ops[i] == UPS_CONV_TRANSPOSE || call_ops[i] == UPS_CONV_TRANSPOSE_GRAD_INPUT) continue;
        rig_start(&rig, call_ops[i]);
        is_status("weights", ups_op_create(&rig.desc, rig.w, NULL, NULL, &rig.op), UPS_INVALID);
        assert_null(rig.op);
        says("weights", "weights");
        is_status("bias", ups_op_create(&rig.desc, NULL, rig.bias, NULL, &rig.op), UPS_INVALID);
        assert_null(rig.op);
        says("bias", "bias");
        rig.options.algorithm = "phase";
        is_status("algorithm", rig_op(&rig), UPS_INVALID);
        assert_null(rig.op);
        explains("algorithm", "algorithm", "phase", "auto");
        rig.options.algorithm = NULL;
        rig.options.flags = UPS_WEIGHTS_AT_RUN;
        is_status("flag", rig_op(&rig), UPS_INVALID);
        assert_null(rig.op);
        says("flag", "UPS_WEIGHTS_AT_RUN");
    }
    struct rig rig;
    rig_start(&rig, UPS_MAX_POOL);
    is_status("null desc", ups_op_create(NULL, NULL, NULL, NULL, &rig.op), UPS_INVALID);
    assert_null(rig.op);
    says("null desc", "desc");
    is_status("null op", ups_op_create(&rig.desc, NULL, NULL, NULL, NULL), UPS_INVALID);
    says("null op", "op");
}

/* Sizes that fit each field but not the machine. */
static void test_too_large_to_pack(void **unused)
{
    (void)unused;
    struct rig rig;
    rig_start(&rig, UPS_CONV_TRANSPOSE);
    rig.desc.conv.in_channels = rig.desc.conv.out_channels = 2147483647;
    rig.desc.conv.kernel_shape[0] = rig.desc.conv.kernel_shape[1] = 2147483647;
    rig.options.flags = UPS_WEIGHTS_AT_RUN;
    int32_t status = rig_op(&rig);
    if (status == UPS_OK) { /* nothing to pack yet: then the plan must say so */
        ups_tensor src = rig.src;
        src.dims[1] = 2147483647;
        status = ups_plan_create(rig.op, &src, NULL, NULL, &rig.plan);
        assert_null(rig.plan);
        ups_op_destroy(rig.op);
    } else {
        assert_null(rig.op);
    }
    if (status != UPS_NO_MEMORY && status != UPS_INVALID) fail_msg("status %d: %s", status, ups_last_error());
    assert_true(strlen(ups_last_error()) > 10);
}

static void test_options(void **unused)
{
    (void)unused;
    struct {
        ups_options options;
        char tail[16];
    } big;
    struct rig rig;
    char error[64], tiny[8];
    rig_start(&rig, UPS_MAX_POOL);
    is_status("init", ups_options_init(&big.options, sizeof big), UPS_OK);
    assert_int_equal(big.options.policy, UPS_POLICY_ACCURATE);
    assert_int_equal(big.options.size, sizeof big);
    is_status("zero tail", ups_op_create(&rig.desc, NULL, NULL, &big.options, &rig.op), UPS_OK);
    ups_op_destroy(rig.op);
    big.tail[15] = 1;
    is_status("used tail", ups_op_create(&rig.desc, NULL, NULL, &big.options, &rig.op), UPS_INVALID);
    assert_null(rig.op);
    says("used tail", "size");

    rig.options.size = offsetof(ups_options, max_isa); /* an earlier, smaller one */
    rig.options.max_isa = "mmx";
    is_status("smaller", rig_op(&rig), UPS_OK);
    ups_op_destroy(rig.op);
    is_status("null", ups_options_init(NULL, sizeof rig.options), UPS_INVALID);
    is_status("no room", ups_options_init(&rig.options, 2), UPS_INVALID);

    /* The sentence also goes to the caller's own text, cut where that ends. */
    rig_start(&rig, UPS_MAX_POOL);
    memset(error, PATTERN, sizeof error);
    rig.options.error = error;
    rig.options.error_capacity = sizeof error;
    is_status("good", rig_op(&rig), UPS_OK);
    ups_op_destroy(rig.op);
    rig.desc.pool.strides[0] = 0;
    is_status("bad", rig_op(&rig), UPS_INVALID);
    assert_memory_equal(error, ups_last_error(), strlen(error));
    assert_non_null(strstr(error, "strides[0] = 0"));
    memset(tiny, PATTERN, sizeof tiny);
    rig.options.error = tiny;
    rig.options.error_capacity = 5;
    is_status("bad", rig_op(&rig), UPS_INVALID);
    assert_int_equal(strlen(tiny), 4);
    assert_memory_equal(tiny, ups_last_error(), 4);
    assert_true(untouched(tiny + 5, 3));
}

/* ---- wrong tensors ---- */

struct bad_tensor {
    const char *name;
    int role; /* UPS_ROLE_SRC or UPS_ROLE_DST */
    int what; /* 'd' dims, 's' strides, or the field */
    int at;
    int64_t value;
    int32_t status;
    const char *field, *range;
};

enum { SIZE = 1, DTYPE, RANK, DIMS, STRIDES, RESERVED };

static const struct bad_tensor bad_tensors[] = {
    {"size", UPS_ROLE_SRC, SIZE, 0, 0, UPS_INVALID, "src.size", ""},
    {"cut", UPS_ROLE_SRC, SIZE, 0, 12, UPS_INVALID, "src.size", ""},
    {"dtype", UPS_ROLE_SRC, DTYPE, 0, UPS_I64, UPS_INVALID, "src.dtype", "1"},
    {"dtype", UPS_ROLE_DST, DTYPE, 0, 0, UPS_INVALID, "dst.dtype", "1"},
    {"rank", UPS_ROLE_SRC, RANK, 0, 1, UPS_INVALID, "src.rank", "2"},
    {"rank", UPS_ROLE_SRC, RANK, 0, 3, UPS_INVALID, "src.rank", "2"},
    {"rank", UPS_ROLE_SRC, RANK, 0, -1, UPS_INVALID, "src.rank", "2"},
    {"rank", UPS_ROLE_DST, RANK, 0, 400, UPS_INVALID, "dst.rank", "2"},
    {"reserved", UPS_ROLE_SRC, RESERVED, 0, 1, UPS_INVALID, "reserved", "0"},
    {"N", UPS_ROLE_SRC, DIMS, 0, -1, UPS_INVALID, "src.dims[0]", "0 to"},
    {"N", UPS_ROLE_SRC, DIMS, 0, INT64_MAX, UPS_INVALID, "src.dims[0]", "0 to"},
    {"C", UPS_ROLE_SRC, DIMS, 1, 0, UPS_INVALID, "src.dims[1]", "1 to"},
    {"C", UPS_ROLE_SRC, DIMS, 1, -3, UPS_INVALID, "src.dims[1]", "1 to"},
    {"H", UPS_ROLE_SRC, DIMS, 2, 0, UPS_INVALID, "src.dims[2]", "1 to"},
    {"H", UPS_ROLE_SRC, DIMS, 2, INT64_MIN, UPS_INVALID, "src.dims[2]", "1 to"},
    {"W", UPS_ROLE_SRC, DIMS, 3, 0, UPS_INVALID, "src.dims[3]", "1 to"},
    {"W", UPS_ROLE_SRC, DIMS, 3, INT64_MAX, UPS_INVALID, "src.dims[3]", "1 to"},
    {"stride", UPS_ROLE_SRC, STRIDES, 1, -1, UPS_INVALID, "src.strides[1]", "0 or more"},
    {"stride", UPS_ROLE_SRC, STRIDES, 2, INT64_MIN, UPS_INVALID, "src.strides[2]", "0 or more"},
    {"far stride", UPS_ROLE_SRC, STRIDES, 1, INT64_MAX, UPS_INVALID, "src.dims[1]", ""},
    {"far stride", UPS_ROLE_SRC, STRIDES, 2, INT64_MAX, UPS_INVALID, "src.dims[2]", ""},
    {"unit stride", UPS_ROLE_SRC, STRIDES, 3, 2, UPS_UNSUPPORTED, "src.strides[3]", "1"},
    {"unit stride", UPS_ROLE_SRC, STRIDES, 3, 0, UPS_UNSUPPORTED, "src.strides[3]", "1"},
    {"N", UPS_ROLE_DST, DIMS, 0, 2, UPS_INVALID, "dst.dims[0]", "1"},
    {"C", UPS_ROLE_DST, DIMS, 1, 1, UPS_INVALID, "dst.dims[1]", ""},
    {"C", UPS_ROLE_DST, DIMS, 1, 0, UPS_INVALID, "dst.dims[1]", ""},
    {"H", UPS_ROLE_DST, DIMS, 2, -1, UPS_INVALID, "dst.dims[2]", ""},
    {"W", UPS_ROLE_DST, DIMS, 3, INT64_MAX, UPS_INVALID, "dst.dims[3]", ""},
    {"overlap of channels", UPS_ROLE_DST, STRIDES, 1, 0, UPS_INVALID, "dst.strides", ""},
    {"overlap of channels", UPS_ROLE_DST, STRIDES, 1, 1, UPS_INVALID, "dst.strides", ""},
    {"overlap of rows", UPS_ROLE_DST, STRIDES, 2, 0, UPS_INVALID, "dst.strides", ""},
    {"overlap of rows", UPS_ROLE_DST, STRIDES, 2, 1, UPS_INVALID, "dst.strides", ""},
    {"unit stride", UPS_ROLE_DST, STRIDES, 3, 2, UPS_UNSUPPORTED, "dst.strides[3]", "1"},
    {"negative", UPS_ROLE_DST, STRIDES, 2, -8, UPS_INVALID, "dst.strides[2]", "0 or more"},
};

static void spoil_tensor(ups_tensor *t, const struct bad_tensor *bad)
{
    switch (bad->what) {
    case SIZE: t->size = (uint32_t)bad->value; break;
    case DTYPE: t->dtype = (int32_t)bad->value; break;
    case RANK: t->rank = (int32_t)bad->value; break;
    case RESERVED: t->reserved = (int32_t)bad->value; break;
    case DIMS: t->dims[bad->at] = bad->value; break;
    default: t->strides[bad->at] = bad->value; break;
    }
}

static void test_bad_tensors(void **unused)
{
    (void)unused;
    for (int k = 0; k < CALL_OPS; k++)
        for (size_t i = 0; i < sizeof bad_tensors / sizeof *bad_tensors; i++) {
            const struct bad_tensor *bad = &bad_tensors[i];
            struct rig rig;
            char what[128], value[32];
            bool sum = call_ops[k] == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS || call_ops[k] == UPS_CONV_TRANSPOSE_GRAD_BIAS;
            if (sum && bad->role == UPS_ROLE_DST) continue; /* whose destination is no image */
            rig_make(&rig, call_ops[k]);
            ups_tensor src = rig.src, dst = rig.dst;
            spoil_tensor(bad->role == UPS_ROLE_SRC ? &src : &dst, bad);
            ups_plan *plan = rig.plan;
            snprintf(what, sizeof what, "%s %s: %s = %lld", ups_op_word(call_ops[k]), bad->name, bad->field,
                     (long long)bad->value);
            is_status(what, ups_plan_create(rig.op, &src, bad->role == UPS_ROLE_DST ? &dst : NULL, NULL, &plan),
                      bad->status);
            assert_null(plan);
            snprintf(value, sizeof value, "%lld", (long long)bad->value);
            bool sizes_first = strstr(ups_last_error(), "out_sizes"); /* a dst's sizes are asked for as out_sizes */
            if (bad->role == UPS_ROLE_DST && bad->what == DIMS && sizes_first)
                explains(what, "out_sizes", value, "");
            else
                explains(what, bad->field, value, bad->range);
            rig_free(&rig);
        }
}

static void test_bad_plan_arguments(void **unused)
{
    (void)unused;
    struct rig rig;
    rig_make(&rig, UPS_CONV_TRANSPOSE);
    ups_plan *plan = rig.plan;
    is_status("null op", ups_plan_create(NULL, &rig.src, NULL, NULL, &plan), UPS_INVALID);
    assert_null(plan);
    says("null op", "op");
    plan = rig.plan;
    is_status("null src", ups_plan_create(rig.op, NULL, NULL, NULL, &plan), UPS_INVALID);
    assert_null(plan);
    says("null src", "src");
    is_status("null plan", ups_plan_create(rig.op, &rig.src, NULL, NULL, NULL), UPS_INVALID);
    says("null plan", "plan");
    ups_tensor src = rig.src;
    src.dims[1] = 3;
    is_status("channels", ups_plan_create(rig.op, &src, NULL, NULL, &plan), UPS_INVALID);
    explains("channels", "src.dims[1]", "3", "2");
    rig_free(&rig);
}

/* Asked sizes that an operation cannot give. 4x4 in; conv k2 s2: 8 or 9; pool: 2; unpool: 7 to 9; others: 8. */
static void test_bad_out_sizes(void **unused)
{
    (void)unused;
    static const struct {
        int32_t op;
        int64_t good, bad[6];
        const char *range;
    } rows[] = {
        {UPS_MAX_POOL, 2, {0, -1, 1, 3, INT64_MAX, INT64_MIN}, "2"},
        {UPS_MAX_UNPOOL, 9, {0, -1, 6, 10, INT64_MAX, INT64_MIN}, "7 to 9"},
        {UPS_PIXEL_SHUFFLE, 8, {0, -1, 7, 9, INT64_MAX, INT64_MIN}, "8"},
        {UPS_PIXEL_UNSHUFFLE, 2, {0, -1, 1, 3, INT64_MAX, INT64_MIN}, "2"},
        {UPS_REPLICATE, 8, {0, -1, 7, 9, INT64_MAX, INT64_MIN}, "8"},
        {UPS_BED_OF_NAILS, 8, {0, -1, 7, 9, INT64_MAX, INT64_MIN}, "8"},
        {UPS_RESIZE, 8, {0, -1, -8, INT64_MIN, INT64_MAX, INT64_MAX}, "1 to"},
        {UPS_CONV_TRANSPOSE, 9, {0, -1, 7, 10, INT64_MAX, INT64_MIN}, "8 to 9"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig rig;
        rig_make(&rig, rows[i].op);
        ups_plan *plan;
        int64_t sizes[2] = {rows[i].good, rows[i].good};
        is_status("good size", ups_plan_create(rig.op, &rig.src, NULL, sizes, &plan), UPS_OK);
        ups_plan_destroy(plan);
        for (int k = 0; k < 6; k++) {
            char value[32];
            sizes[1] = rows[i].bad[k];
            snprintf(value, sizeof value, "%lld", (long long)sizes[1]);
            is_status(value, ups_plan_create(rig.op, &rig.src, NULL, sizes, &plan), UPS_INVALID);
            assert_null(plan);
            explains(value, "out_sizes[1]", value, rows[i].range);
        }
        sizes[0] = sizes[1] = rows[i].good; /* given twice, and not the same */
        ups_tensor dst = rig.dst;
        dst.dims[3] = rows[i].good == 8 ? 7 : 5;
        is_status("dst against sizes", ups_plan_create(rig.op, &rig.src, &dst, sizes, &plan), UPS_INVALID);
        assert_null(plan);
        says("dst against sizes", "dst");
        rig_free(&rig);
    }
}

/* Inputs too small for the window, outputs cropped to nothing, outputs too large. */
static void test_no_legal_output(void **unused)
{
    (void)unused;
    static const struct {
        int32_t op;
        const char *field, *value;
        int64_t in;
    } rows[] = {
        {UPS_MAX_POOL, "kernel_shape", "5", 4},
        {UPS_MAX_POOL, "dilations", "4", 4},
        {UPS_CONV_TRANSPOSE, "pads", "4", 4},
        {UPS_CONV_TRANSPOSE, "pads", "5", 4},
        {UPS_RESIZE, "scales", "0.2", 4},
        {UPS_RESIZE, "scales", "1e18", 4},
        {UPS_REPLICATE, "factor", "2147483647", 4},
        {UPS_CONV_TRANSPOSE, "strides", "2147483647", 4},
        {UPS_MAX_UNPOOL, "strides", "2147483647", 4},
        {UPS_CONV_TRANSPOSE, "dilations", "2147483647", 4},
        {UPS_BED_OF_NAILS, "factor", "1073741824", 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rig rig;
        char what[64];
        snprintf(what, sizeof what, "%s %s = %s", ups_op_word(rows[i].op), rows[i].field, rows[i].value);
        rig_start(&rig, rows[i].op);
        is_status(what, ups_desc_set(&rig.desc, rows[i].field, rows[i].value), UPS_OK);
        is_status(what, rig_op(&rig), UPS_OK);
        rig.plan = (ups_plan *)&rig;
        is_status(what, ups_plan_create(rig.op, &rig.src, NULL, NULL, &rig.plan), UPS_INVALID);
        assert_null(rig.plan);
        explains(what, "4", NULL, "");
        ups_op_destroy(rig.op);
    }
    struct rig rig; /* neither sizes nor scales */
    rig_start(&rig, UPS_RESIZE);
    rig.desc.resize.scales[0] = rig.desc.resize.scales[1] = UPS_BY_PRESET;
    is_status("no sizes", rig_op(&rig), UPS_OK);
    is_status("no sizes", ups_plan_create(rig.op, &rig.src, NULL, NULL, &rig.plan), UPS_INVALID);
    assert_null(rig.plan);
    says("no sizes", "sizes");
    ups_op_destroy(rig.op);
}

/* Legal lengths whose product is not; planes that i32 switches cannot count. */
static void test_overflowing_products(void **unused)
{
    (void)unused;
    for (int i = 0; i < CALL_OPS; i++) {
        struct rig rig;
        ups_plan *plan = NULL;
        rig_make(&rig, call_ops[i]);
        ups_tensor src = rig.src;
        src.dims[0] = src.dims[2] = src.dims[3] = 2147483646;
        src.strides[2] = src.dims[3];
        is_status("product", ups_plan_create(rig.op, &src, NULL, NULL, &plan), UPS_INVALID);
        assert_null(plan);
        explains("product", "src.dims", NULL, "");
        rig_free(&rig);
    }
    for (int32_t type = UPS_I32; type <= UPS_I64; type++) {
        struct rig rig;
        ups_plan *plan = NULL;
        const int64_t dims[] = {1, 1, 65536, 65536};
        rig_start(&rig, UPS_MAX_POOL);
        rig.desc.pool.index_type = type;
        is_status("op", rig_op(&rig), UPS_OK);
        assert_int_equal(ups_tensor_init(&rig.src, sizeof rig.src, UPS_F32, 2, UPS_CHANNELS_FIRST, dims), UPS_OK);
        ups_tensor indices = {.size = sizeof indices};
        is_status("values", ups_plan_create(rig.op, &rig.src, NULL, NULL, &plan), UPS_OK);
        int32_t status = ups_plan_tensor(plan, UPS_ROLE_INDICES, &indices);
        is_status("switches of 2^32 elements", status, type == UPS_I64 ? UPS_OK : UPS_INVALID);
        ups_plan_destroy(plan);
        ups_op_destroy(rig.op);
    }
}

static void test_tensor_init(void **unused)
{
    (void)unused;
    ups_tensor t, before;
    const int64_t dims[] = {2, 3, 4, 5, 6}, big[] = {1, 2147483647, 2147483647, 2147483647, 2};
    memset(&t, PATTERN, sizeof t);
    before = t;
    is_status("rank", ups_tensor_init(&t, sizeof t, UPS_F32, 4, UPS_CHANNELS_FIRST, dims), UPS_INVALID);
    explains("rank", "rank", "4", "1 to 3");
    is_status("rank", ups_tensor_init(&t, sizeof t, UPS_F32, 0, UPS_CHANNELS_FIRST, dims), UPS_INVALID);
    is_status("layout", ups_tensor_init(&t, sizeof t, UPS_F32, 2, 9, dims), UPS_INVALID);
    explains("layout", "layout", "9", "2");
    is_status("dtype", ups_tensor_init(&t, sizeof t, 3, 2, UPS_CHANNELS_FIRST, dims), UPS_INVALID);
    explains("dtype", "dtype", "3", "1");
    is_status("size", ups_tensor_init(&t, 8, UPS_F32, 2, UPS_CHANNELS_FIRST, dims), UPS_INVALID);
    is_status("dims", ups_tensor_init(&t, sizeof t, UPS_F32, 2, UPS_CHANNELS_FIRST, NULL), UPS_INVALID);
    is_status("large", ups_tensor_init(&t, sizeof t, UPS_F32, 3, UPS_CHANNELS_FIRST, big), UPS_INVALID);
    is_status("zero", ups_tensor_init(&t, sizeof t, UPS_F32, 1, UPS_CHANNELS_FIRST, (int64_t[]){1, 0, 3}), UPS_INVALID);
    explains("zero", "dims[1]", "0", "1 to");
    is_status("negative", ups_tensor_init(&t, sizeof t, UPS_F32, 1, UPS_CHANNELS_FIRST, (int64_t[]){-1, 1, 3}),
              UPS_INVALID);
    assert_memory_equal(&t, &before, sizeof t);
    is_status("null", ups_tensor_init(NULL, sizeof t, UPS_F32, 2, UPS_CHANNELS_FIRST, dims), UPS_INVALID);

    is_status("first", ups_tensor_init(&t, sizeof t, UPS_F32, 3, UPS_CHANNELS_FIRST, dims), UPS_OK);
    assert_memory_equal(t.dims, dims, sizeof dims);
    assert_memory_equal(t.strides, ((int64_t[]){360, 120, 30, 6, 1}), sizeof dims);
    is_status("last", ups_tensor_init(&t, sizeof t, UPS_I64, 3, UPS_CHANNELS_LAST, dims), UPS_OK);
    assert_memory_equal(t.strides, ((int64_t[]){360, 1, 90, 18, 3}), sizeof dims);
    is_status("none", ups_tensor_init(&t, sizeof t, UPS_F32, 1, UPS_CHANNELS_LAST, (int64_t[]){0, 4, 5}), UPS_OK);
    assert_int_equal(t.dims[0], 0);
}

static void test_plan_tensor(void **unused)
{
    (void)unused;
    for (int i = 0; i < CALL_OPS; i++) {
        struct rig rig;
        ups_tensor t = {.size = sizeof t}, before;
        bool indices = call_ops[i] == UPS_MAX_POOL || reads_indices(call_ops[i]);
        rig_make(&rig, call_ops[i]);
        is_status("src", ups_plan_tensor(rig.plan, UPS_ROLE_SRC, &t), UPS_OK);
        assert_memory_equal(t.dims, rig.src.dims, 4 * sizeof *t.dims);
        assert_memory_equal(t.strides, rig.src.strides, 4 * sizeof *t.strides);
        t = (ups_tensor){.size = sizeof t};
        before = t;
        is_status("indices", ups_plan_tensor(rig.plan, UPS_ROLE_INDICES, &t), indices ? UPS_OK : UPS_INVALID);
        if (indices) {
            assert_int_equal(t.dtype, UPS_I64);
            assert_int_equal(t.dims[3], call_ops[i] == UPS_MAX_POOL || call_ops[i] == UPS_MAX_UNPOOL_GRAD ? 2 : 4);
        } else {
            assert_memory_equal(&t, &before, sizeof t);
        }
        before = t;
        is_status("role", ups_plan_tensor(rig.plan, 99, &t), UPS_INVALID);
        explains("role", "role", "99", "1");
        is_status("role", ups_plan_tensor(rig.plan, 0, &t), UPS_INVALID);
        is_status("null", ups_plan_tensor(NULL, UPS_ROLE_SRC, &t), UPS_INVALID);
        is_status("null", ups_plan_tensor(rig.plan, UPS_ROLE_SRC, NULL), UPS_INVALID);
        assert_memory_equal(&t, &before, sizeof t);
        t.size = 3;
        is_status("size", ups_plan_tensor(rig.plan, UPS_ROLE_SRC, &t), UPS_INVALID);
        says("size", "size");
        rig_free(&rig);
    }
}

/* ---- wrong buffers ---- */

enum { SRC = 1, DST, IN, OUT, W, BIAS };

static const void **pointer_of(ups_buffers *b, int which)
{
    switch (which) {
    case SRC: return (const void **)&b->src;
    case DST: return (const void **)&b->dst;
    case IN: return &b->indices_in;
    case OUT: return (const void **)&b->indices_out;
    case W: return (const void **)&b->weights;
    default: return (const void **)&b->bias;
    }
}

static const char *const pointer_names[] = {"", "src", "dst", "indices_in", "indices_out", "weights", "bias"};

struct bad_buffer {
    int32_t op;
    bool at_run;
    int which, to;   /* to 0: NULL; else: the other pointer's memory */
    ptrdiff_t bytes; /* away from there */
    const char *range;
};

static const struct bad_buffer bad_buffers[] = {
    /* NULL */
    {UPS_MAX_POOL, false, SRC, 0, 0, ""},
    {UPS_MAX_POOL, false, DST, 0, 0, ""},
    {UPS_MAX_UNPOOL, false, IN, 0, 0, ""},
    {UPS_REPLICATE, false, SRC, 0, 0, ""},
    {UPS_RESIZE, false, DST, 0, 0, ""},
    {UPS_CONV_TRANSPOSE, false, SRC, 0, 0, ""},
    {UPS_CONV_TRANSPOSE, true, W, 0, 0, ""},
    /* misaligned */
    {UPS_MAX_POOL, false, SRC, SRC, 1, "4"},
    {UPS_MAX_POOL, false, DST, DST, 2, "4"},
    {UPS_MAX_POOL, false, OUT, OUT, 4, "8"},
    {UPS_MAX_UNPOOL, false, IN, IN, 4, "8"},
    {UPS_BED_OF_NAILS, false, SRC, SRC, 3, "4"},
    {UPS_CONV_TRANSPOSE, true, W, W, 1, "4"},
    {UPS_CONV_TRANSPOSE, true, BIAS, BIAS, 2, "4"},
    /* not for this operation */
    {UPS_MAX_POOL, false, IN, IN, 0, "NULL"},
    {UPS_MAX_UNPOOL, false, OUT, OUT, 0, "NULL"},
    {UPS_REPLICATE, false, OUT, OUT, 0, "NULL"},
    {UPS_RESIZE, false, W, W, 0, "NULL"},
    {UPS_CONV_TRANSPOSE, false, W, W, 0, "NULL"},
    {UPS_CONV_TRANSPOSE, false, BIAS, BIAS, 0, "NULL"},
    /* input over output: the same, one element into it from either side */
    {UPS_MAX_POOL, false, SRC, DST, 0, ""},
    {UPS_MAX_POOL, false, SRC, DST, 28, ""},
    {UPS_MAX_UNPOOL, false, SRC, DST, 508, ""},
    {UPS_REPLICATE, false, SRC, DST, 508, ""},
    {UPS_RESIZE, false, SRC, DST, 4, ""},
    {UPS_CONV_TRANSPOSE, false, SRC, DST, 508, ""},
    {UPS_CONV_TRANSPOSE, true, W, DST, 508, ""},
    {UPS_CONV_TRANSPOSE, true, BIAS, DST, 508, ""},
    {UPS_MAX_UNPOOL, false, IN, DST, 504, ""},
    {UPS_MAX_POOL, false, OUT, DST, 0, ""},
    {UPS_MAX_POOL, false, OUT, SRC, 0, ""},
};

/* Where the rig keeps the memory of a pointer. */
static char *home(struct rig *rig, int which)
{
    switch (which) {
    case SRC: return (char *)rig->x;
    case DST: return (char *)rig->y;
    case IN: return (char *)rig->index_in;
    case OUT: return (char *)rig->index_out;
    case W: return (char *)rig->w;
    default: return (char *)rig->bias;
    }
}

static void test_bad_buffers(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof bad_buffers / sizeof *bad_buffers; i++) {
        const struct bad_buffer *bad = &bad_buffers[i];
        struct rig rig;
        char what[96];
        rig_make_with(&rig, bad->op, bad->at_run ? UPS_WEIGHTS_AT_RUN : 0);
        float x[64];
        memcpy(x, rig.x, sizeof x);
        *pointer_of(&rig.buffers, bad->which) = bad->to ? home(&rig, bad->to) + bad->bytes : NULL;
        snprintf(what, sizeof what, "%s buffers.%s = %s + %td", ups_op_word(bad->op), pointer_names[bad->which],
                 bad->to ? pointer_names[bad->to] : "NULL", bad->bytes);
        is_status(what, ups_run(rig.plan, &rig.buffers, rig.workspace, rig.workspace_bytes), UPS_INVALID);
        explains(what, pointer_names[bad->which], bad->to ? NULL : "NULL", bad->range);
        is_status(what, ups_run_part(rig.plan, &rig.buffers, rig.workspace, rig.workspace_bytes, 0, 1), UPS_INVALID);
        nothing_written(&rig, what);
        assert_memory_equal(x, rig.x, sizeof x);
        rig_free(&rig);
    }
}

/* Side by side is not overlapping. */
static void test_neighbours_are_legal(void **unused)
{
    (void)unused;
    struct rig rig;
    rig_make(&rig, UPS_REPLICATE); /* 128 floats out, 32 in */
    rig.buffers.src = rig.y + 128;
    memcpy(rig.y + 128, rig.x, 32 * sizeof *rig.x);
    is_status("src behind dst", ups_run(rig.plan, &rig.buffers, rig.workspace, rig.workspace_bytes), UPS_OK);
    rig.buffers.src = rig.y;
    rig.buffers.dst = rig.y + 32;
    is_status("src before dst", ups_run(rig.plan, &rig.buffers, rig.workspace, rig.workspace_bytes), UPS_OK);
    rig_free(&rig);
}

static void test_bad_run_arguments(void **unused)
{
    (void)unused;
    for (int i = 0; i < CALL_OPS; i++) {
        struct rig rig;
        rig_make(&rig, call_ops[i]);
        const struct {
            int32_t part, parts;
            const char *field;
        } bad[] = {{-1, 2, "part = -1"},
                   {2, 2, "part = 2"},
                   {0, 0, "parts = 0"},
                   {0, -1, "parts = -1"},
                   {INT32_MAX, 3, "part = 2147483647"}};
        size_t bytes = ups_plan_workspace(rig.plan, 4);
        void *workspace = malloc(bytes + 1);
        for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
            is_status(bad[k].field, ups_run_part(rig.plan, &rig.buffers, workspace, bytes, bad[k].part, bad[k].parts),
                      UPS_INVALID);
            explains(bad[k].field, bad[k].field, NULL, "");
        }
        free(workspace);
        is_status("null plan", ups_run(NULL, &rig.buffers, rig.workspace, rig.workspace_bytes), UPS_INVALID);
        says("null plan", "plan");
        is_status("null buffers", ups_run(rig.plan, NULL, rig.workspace, rig.workspace_bytes), UPS_INVALID);
        says("null buffers", "buffers");
        ups_buffers buffers = rig.buffers;
        buffers.size = 8;
        is_status("size", ups_run(rig.plan, &buffers, rig.workspace, rig.workspace_bytes), UPS_INVALID);
        explains("size", "buffers.size", "8", "");
        buffers = rig.buffers;
        buffers.reserved = 1;
        is_status("reserved", ups_run(rig.plan, &buffers, rig.workspace, rig.workspace_bytes), UPS_INVALID);
        explains("reserved", "reserved", "1", "0");
        nothing_written(&rig, ups_op_word(call_ops[i]));
        rig_free(&rig);
    }
}

static void test_bad_workspace(void **unused)
{
    (void)unused;
    int seen = 0;
    static const char *const algorithms[] = {"auto", "phase", "planar", "gemm", "scatter"};
    for (int i = 0; i < CALL_OPS; i++)
        for (int k = 0; k < (call_ops[i] == UPS_CONV_TRANSPOSE ? 5 : 1); k++) {
            struct rig rig;
            char value[32], range[32];
            rig_start(&rig, call_ops[i]);
            rig.options.algorithm = algorithms[k];
            is_status("op", rig_op(&rig), UPS_OK);
            rig_plan(&rig);
            size_t bytes = rig.workspace_bytes;
            assert_true(ups_plan_workspace(rig.plan, 2) >= bytes);
            if (bytes) {
                seen++;
                snprintf(value, sizeof value, "%zu", bytes - 1);
                snprintf(range, sizeof range, "%zu", bytes);
                is_status("small", ups_run(rig.plan, &rig.buffers, rig.workspace, bytes - 1), UPS_INVALID);
                explains("small", "workspace", value, range);
                is_status("none", ups_run(rig.plan, &rig.buffers, NULL, bytes), UPS_INVALID);
                explains("none", "workspace", NULL, range);
                is_status("over dst", ups_run(rig.plan, &rig.buffers, rig.y, bytes), UPS_INVALID);
                says("over dst", "workspace");
                is_status("over src", ups_run(rig.plan, &rig.buffers, rig.x, bytes), UPS_INVALID);
                says("over src", "workspace");
                nothing_written(&rig, "workspace");
            } else {
                is_status("none needed", ups_run(rig.plan, &rig.buffers, NULL, 0), UPS_OK);
            }
            rig_free(&rig);
        }
    assert_true(seen > 0);
    assert_int_equal(ups_plan_workspace(NULL, 1), 0);
}

/* ---- parallel ---- */

static void nobody(void *context, int32_t count, void (*task)(void *, int32_t), void *task_context)
{
    (void)context;
    (void)count;
    (void)task;
    (void)task_context;
    fail_msg("parallel_for was called");
}

static void test_bad_parallel(void **unused)
{
    (void)unused;
    struct rig rig;
    rig_make(&rig, UPS_MAX_POOL);
    ups_parallel good = {sizeof good, 2, nobody, NULL}, bad = good;
    size_t bytes = ups_plan_workspace(rig.plan, 2);
    void *workspace = malloc(bytes + 1);
    is_status("null", ups_run_parallel(rig.plan, &rig.buffers, workspace, bytes, NULL), UPS_INVALID);
    says("null", "parallel");
    bad.parallel_for = NULL;
    is_status("no loop", ups_run_parallel(rig.plan, &rig.buffers, workspace, bytes, &bad), UPS_INVALID);
    says("no loop", "parallel_for");
    static const int32_t parts[] = {0, -1, 1025, INT32_MAX};
    for (int i = 0; i < 4; i++) {
        bad = good;
        bad.parts = parts[i];
        is_status("parts", ups_run_parallel(rig.plan, &rig.buffers, workspace, bytes, &bad), UPS_INVALID);
        explains("parts", "parts", NULL, "1 to 1024");
    }
    bad = good;
    bad.size = 4;
    is_status("size", ups_run_parallel(rig.plan, &rig.buffers, workspace, bytes, &bad), UPS_INVALID);
    says("size", "size");
    rig.buffers.src = NULL;
    is_status("src", ups_run_parallel(rig.plan, &rig.buffers, workspace, bytes, &good), UPS_INVALID);
    nothing_written(&rig, "parallel");
    free(workspace);
    rig_free(&rig);

    ups_threads *threads = (ups_threads *)&rig;
    is_status("none", ups_threads_create(0, &threads) == UPS_OK ? UPS_OK : UPS_INVALID, UPS_INVALID);
    assert_null(threads);
    is_status("many", ups_threads_create(1025, &threads) == UPS_OK ? UPS_OK : UPS_INVALID, UPS_INVALID);
    assert_null(threads);
    assert_int_not_equal(ups_threads_create(1, NULL), UPS_OK);
    assert_null(ups_threads_parallel(NULL));
    ups_threads_destroy(NULL);
}

/* ---- an empty batch ---- */

static void test_empty_batch(void **unused)
{
    (void)unused;
    for (int i = 0; i < CALL_OPS; i++) {
        struct rig rig;
        ups_plan *plan;
        ups_buffers none;
        bool sum = call_ops[i] == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS || call_ops[i] == UPS_CONV_TRANSPOSE_GRAD_BIAS;
        if (sum) continue; /* over no image: zeros */
        rig_make(&rig, call_ops[i]);
        ups_tensor src = rig.src, t = {.size = sizeof t};
        src.dims[0] = 0;
        is_status("plan", ups_plan_create(rig.op, &src, NULL, NULL, &plan), UPS_OK);
        is_status("dst", ups_plan_tensor(plan, UPS_ROLE_DST, &t), UPS_OK);
        assert_int_equal(t.dims[0], 0);
        assert_int_equal(t.dims[3], rig.dst.dims[3]);
        ups_buffers_init(&none, sizeof none);
        is_status("run", ups_run(plan, &none, NULL, 0), UPS_OK);
        assert_int_equal(none.bad_count, 0);
        is_status("run", ups_run(plan, &rig.buffers, rig.workspace, rig.workspace_bytes), UPS_OK);
        nothing_written(&rig, "empty batch");
        ups_plan_destroy(plan);
        rig_free(&rig);
    }
}

/* A source may repeat itself: strides of 0. */
static void test_broadcast_source(void **unused)
{
    (void)unused;
    struct rig rig;
    rig_make(&rig, UPS_REPLICATE);
    ups_tensor src = rig.src;
    src.strides[1] = 0;
    src.strides[2] = 0;
    ups_plan *plan;
    is_status("plan", ups_plan_create(rig.op, &src, NULL, NULL, &plan), UPS_OK);
    is_status("run", ups_run(plan, &rig.buffers, rig.workspace, rig.workspace_bytes), UPS_OK);
    for (int i = 0; i < 128; i++) assert_true(rig.y[i] == rig.x[i % 8 / 2]);
    ups_plan_destroy(plan);
    rig_free(&rig);
}

/* The strides of an axis of size 1 mean nothing. */
static void test_strides_of_single_axes(void **unused)
{
    (void)unused;
    struct rig rig;
    rig_make(&rig, UPS_REPLICATE);
    ups_tensor src;
    ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_FIRST, (int64_t[]){1, 1, 4, 1});
    src.strides[0] = INT64_MAX;
    src.strides[1] = 0;
    src.strides[3] = 12345;
    ups_plan *plan;
    is_status("plan", ups_plan_create(rig.op, &src, NULL, NULL, &plan), UPS_OK);
    is_status("run", ups_run(plan, &rig.buffers, rig.workspace, rig.workspace_bytes), UPS_OK);
    for (int i = 0; i < 16; i++) assert_true(rig.y[i] == rig.x[i / 4]);
    ups_plan_destroy(plan);
    rig_free(&rig);
}

/* ---- handles ---- */

static void test_destroy_in_any_order(void **unused)
{
    (void)unused;
    ups_op_destroy(NULL);
    ups_plan_destroy(NULL);
    for (int i = 0; i < CALL_OPS; i++)
        for (int order = 0; order < 2; order++) {
            struct rig rig;
            ups_plan *second;
            rig_make(&rig, call_ops[i]);
            is_status("second", ups_plan_create(rig.op, &rig.src, NULL, NULL, &second), UPS_OK);
            memset(rig.w, 0x7f, sizeof rig.w); /* the op does not need the caller's weights any more */
            if (order == 0) {
                ups_op_destroy(rig.op);
                rig.op = NULL;
            }
            ups_plan_destroy(second);
            is_status("run", ups_run(rig.plan, &rig.buffers, rig.workspace, rig.workspace_bytes), UPS_OK);
            for (int k = 0; k < 32; k++) assert_true(rig.y[k] < 1e6f);
            rig_free(&rig);
        }
}

/* ---- descriptors as text ---- */

struct setting {
    int32_t op;
    const char *field, *value, *back; /* back NULL: the same */
};

static const struct setting settings[] = {
    {UPS_MAX_POOL, "dtype", "f32", NULL},
    {UPS_MAX_POOL, "rank", "3", NULL},
    {UPS_MAX_POOL, "layout", "last", NULL},
    {UPS_MAX_POOL, "kernel_shape", "3,5", NULL},
    {UPS_MAX_POOL, "kernel_shape", "3", "3,3"},
    {UPS_MAX_POOL, "strides", "2,1", NULL},
    {UPS_MAX_POOL, "strides", "by_preset", "2,2"}, /* resolved: the kernel's */
    {UPS_MAX_POOL, "dilations", "2147483647,1", NULL},
    {UPS_MAX_POOL, "pads", "1,0,0,1", NULL},
    {UPS_MAX_POOL, "pads", "1", "1,1,1,1"},
    {UPS_MAX_POOL, "ceil_mode", "1", NULL},
    {UPS_MAX_POOL, "strict", "1", NULL},
    {UPS_MAX_POOL, "auto_pad", "same_lower", NULL},
    {UPS_MAX_POOL, "pads", "by_preset", "0,0,0,0"},
    {UPS_MAX_POOL, "round", "ceil_caffe", NULL},
    {UPS_MAX_POOL, "round", "by_preset", "floor"},
    {UPS_MAX_POOL, "nan", "skip", NULL},
    {UPS_MAX_POOL, "scan", "column_major", NULL},
    {UPS_MAX_POOL, "index", "plane", NULL},
    {UPS_MAX_POOL, "index", "tensor_column", NULL},
    {UPS_MAX_POOL, "index", "nhwc_batch", NULL},
    {UPS_MAX_POOL, "index", "window_column", NULL},
    {UPS_MAX_POOL, "index_type", "i32", NULL},
    {UPS_MAX_POOL, "index_type", "u8", NULL},
    {UPS_MAX_POOL, "index_type", "f32", NULL},
    {UPS_AVG_POOL, "count_include_pad", "0", NULL},
    {UPS_AVG_POOL, "count_include_pad", "window", NULL},
    {UPS_AVG_POOL, "divisor", "7", NULL},
    {UPS_AVG_POOL, "divisor", "by_preset", NULL},
    {UPS_MAX_UNPOOL, "kernel_shape", "2,4", NULL},
    {UPS_MAX_UNPOOL, "strides", "3,3", NULL},
    {UPS_MAX_UNPOOL, "pads", "0,1,1,0", NULL},
    {UPS_MAX_UNPOOL, "output_shape", "7,9", NULL},
    {UPS_MAX_UNPOOL, "output_shape", "by_preset", NULL},
    {UPS_MAX_UNPOOL, "index_type", "i64", NULL},
    {UPS_MAX_UNPOOL, "dilations", "2,1", NULL},
    {UPS_MAX_UNPOOL, "size_rule", "deconvnet", NULL},
    {UPS_MAX_UNPOOL, "index_space", "inferred", NULL},
    {UPS_MAX_UNPOOL, "overlap", "sum", NULL},
    {UPS_PIXEL_SHUFFLE, "blocksize", "3", NULL},
    {UPS_PIXEL_UNSHUFFLE, "shuffle", "DCR", NULL},
    {UPS_REPLICATE, "factor", "2,3", NULL},
    {UPS_BED_OF_NAILS, "factor", "4", "4,4"},
    {UPS_BED_OF_NAILS, "offset", "1,0", NULL},
    {UPS_RESIZE, "mode", "nearest", NULL},
    {UPS_RESIZE, "coordinate_transformation_mode", "align_corners", NULL},
    {UPS_RESIZE, "coordinate_transformation_mode", "tf_crop_and_resize", NULL},
    {UPS_RESIZE, "coordinate_transformation_mode", "by_preset", "asymmetric"}, /* nearest, by torch */
    {UPS_RESIZE, "mode", "hamming", NULL},
    {UPS_RESIZE, "antialias", "1", NULL},
    {UPS_RESIZE, "antialias", "by_preset", "0"},
    {UPS_RESIZE, "size_rounding", "round", NULL},
    {UPS_RESIZE, "exclude_outside", "1", NULL},
    {UPS_RESIZE, "exclude_outside", "by_preset", "0"},
    {UPS_RESIZE, "cubic_coeff_a", "-0.5", NULL},
    {UPS_RESIZE, "cubic_coeff_a", "by_preset", "-0.75"},
    {UPS_RESIZE, "lanczos_radius", "4", NULL},
    {UPS_RESIZE, "area_rule", "overlap_or_linear", NULL},
    {UPS_RESIZE, "keep_aspect_ratio_policy", "not_smaller", NULL},
    {UPS_RESIZE, "axes", "1", NULL},
    {UPS_RESIZE, "axes", "0,1", NULL},
    {UPS_RESIZE, "roi", "0,0.25,1,0.5", NULL},
    {UPS_RESIZE, "extrapolation_value", "2.5", NULL},
    {UPS_RESIZE, "nearest_mode", "round_prefer_ceil", NULL},
    {UPS_RESIZE, "nearest_mode", "by_preset", "floor"},
    {UPS_RESIZE, "coordinate_arithmetic", "f64", NULL},
    {UPS_RESIZE, "sizes", "64,33", NULL},
    {UPS_RESIZE, "sizes", "by_preset", NULL},
    {UPS_RESIZE, "scales", "2,0.5", NULL},
    {UPS_RESIZE, "scales", "1.5", "1.5,1.5"},
    {UPS_RESIZE, "scales", "by_preset", NULL},
    {UPS_CONV_TRANSPOSE, "in_channels", "1026", NULL},
    {UPS_CONV_TRANSPOSE, "out_channels", "12", NULL},
    {UPS_CONV_TRANSPOSE, "group", "2", NULL},
    {UPS_CONV_TRANSPOSE, "kernel_shape", "4,4", NULL},
    {UPS_CONV_TRANSPOSE, "strides", "2,2", NULL},
    {UPS_CONV_TRANSPOSE, "dilations", "3,1", NULL},
    {UPS_CONV_TRANSPOSE, "pads", "4,2,4,2", NULL},
    {UPS_CONV_TRANSPOSE, "output_padding", "1,1", NULL},
    {UPS_CONV_TRANSPOSE, "pads", "by_preset", "0,0,0,0"},
    {UPS_CONV_TRANSPOSE, "output_shape", "8,9", NULL},
    {UPS_CONV_TRANSPOSE, "output_shape", "by_preset", NULL},
    {UPS_CONV_TRANSPOSE, "auto_pad", "same_upper", NULL},
    {UPS_CONV_TRANSPOSE, "auto_pad", "valid", NULL},
    {UPS_CONV_TRANSPOSE, "shape_rule", "openvino", NULL},
    {UPS_CONV_TRANSPOSE, "weights_layout", "OIHW", NULL},
    {UPS_CONV_TRANSPOSE, "weights_layout", "HWOI", NULL},
    {UPS_CONV_TRANSPOSE, "weights_layout", "OHWI", NULL},
    {UPS_CONV_TRANSPOSE, "weights_layout", "HWIO", NULL},
    {UPS_CONV_TRANSPOSE, "weights_layout", "IOHW", NULL},
    {UPS_CONV_TRANSPOSE, "activation", "none", NULL},
    {UPS_CONV_TRANSPOSE, "activation", "relu", NULL},
    {UPS_CONV_TRANSPOSE, "activation", "leaky_relu:0.1", NULL},
    {UPS_CONV_TRANSPOSE, "activation", "leaky_relu", "leaky_relu:0.01"},
    {UPS_CONV_TRANSPOSE, "activation", "clip:0,6", NULL},
    {UPS_CONV_TRANSPOSE, "activation", "sigmoid", NULL},
    {UPS_CONV_TRANSPOSE, "activation", "tanh", NULL},
    {UPS_CONV_TRANSPOSE, "activation", "clip:-1.5,2.25", NULL},
};

static void test_set_and_get(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const struct setting *s = &settings[i];
        const char *back = s->back ? s->back : s->value;
        union desc desc, again;
        char text[64], what[128];
        good_desc(&desc, s->op);
        snprintf(what, sizeof what, "%s %s=%s", ups_op_word(s->op), s->field, s->value);
        is_status(what, ups_desc_set(&desc, s->field, s->value), UPS_OK);
        int64_t length = ups_desc_get(&desc, s->field, text, sizeof text);
        if (length != (int64_t)strlen(back) || strcmp(text, back) != 0)
            fail_msg("%s: reads \"%s\" (%lld), not \"%s\"", what, text, (long long)length, back);
        good_desc(&again, s->op); /* and what was read sets the same */
        is_status(what, ups_desc_set(&again, s->field, text), UPS_OK);
        ups_desc_get(&again, s->field, text, sizeof text);
        assert_string_equal(text, back);
    }
}

/* Every field of every operation can be read and set to what was read; the walk ends. */
static void test_every_field(void **unused)
{
    (void)unused;
    for (int i = 0; i < CALL_OPS; i++) {
        int count = 0;
        union desc desc;
        good_desc(&desc, call_ops[i]);
        for (const char *field; (field = ups_desc_field(call_ops[i], count)); count++) {
            char text[128];
            union desc again = desc;
            int64_t length = ups_desc_get(&desc, field, text, sizeof text);
            assert_true(length > 0 && length < 128 && length == (int64_t)strlen(text));
            is_status(field, ups_desc_set(&again, field, text), UPS_OK);
            char other[128];
            ups_desc_get(&again, field, other, sizeof other);
            assert_string_equal(text, other);
        }
        assert_true(count >= 5 && count < 30);
        assert_null(ups_desc_field(call_ops[i], count + 1000));
        assert_null(ups_desc_field(call_ops[i], -1));
    }
    assert_null(ups_desc_field(99, 0));
}

/* Every field of the structs above has a name, and setting it moves the field it names. */
static void test_set_moves_the_field(void **unused)
{
    (void)unused;
    union desc d;
    good_desc(&d, UPS_CONV_TRANSPOSE);
    ups_desc_set(&d, "pads", "1,2,3,4");
    assert_memory_equal(d.conv.pads_begin, ((int64_t[]){1, 2}), 16);
    assert_memory_equal(d.conv.pads_end, ((int64_t[]){3, 4}), 16);
    ups_desc_set(&d, "activation", "clip:-1,2.5");
    assert_true(d.conv.activation == UPS_CLIP && d.conv.activation_alpha == -1 && d.conv.activation_beta == 2.5);
    ups_desc_set(&d, "weights_layout", "HWOI");
    assert_int_equal(d.conv.weights_layout, UPS_HWOI);
    ups_desc_set(&d, "layout", "last");
    assert_int_equal(d.conv.layout, UPS_CHANNELS_LAST);
    ups_desc_set(&d, "group", "2");
    assert_int_equal(d.conv.group, 2);
    good_desc(&d, UPS_RESIZE);
    ups_desc_set(&d, "scales", "0.25,3");
    assert_true(d.resize.scales[0] == 0.25 && d.resize.scales[1] == 3);
    ups_desc_set(&d, "sizes", "by_preset");
    assert_int_equal(d.resize.sizes[0], UPS_BY_PRESET);
    ups_desc_set(&d, "mode", "nearest");
    assert_int_equal(d.resize.mode, UPS_MODE_NEAREST);
    good_desc(&d, UPS_MAX_POOL);
    ups_desc_set(&d, "ceil_mode", "1");
    ups_desc_set(&d, "index_type", "i32");
    assert_true(d.pool.ceil_mode == 1 && d.pool.index_type == UPS_I32);
    ups_desc_set(&d, "rank", "3");
    ups_desc_set(&d, "dilations", "4,5,6");
    assert_memory_equal(d.pool.dilations, ((int64_t[]){4, 5, 6}), 24);
}

static const struct setting bad_settings[] = {
    /* back: what the sentence must hold besides field and value */
    {UPS_MAX_POOL, "no_such_field", "1", "max_pool"},
    {UPS_MAX_POOL, "factor", "2", "max_pool"},
    {UPS_MAX_POOL, "", "2", ""},
    {UPS_MAX_POOL, "kernel_shape", "", "legal"},
    {UPS_MAX_POOL, "kernel_shape", "0,2", "1 to"},
    {UPS_MAX_POOL, "kernel_shape", "2,-1", "1 to"},
    {UPS_MAX_POOL, "kernel_shape", "2,2,2", "2"},
    {UPS_MAX_POOL, "kernel_shape", "2,", "legal"},
    {UPS_MAX_POOL, "kernel_shape", ",2", "legal"},
    {UPS_MAX_POOL, "kernel_shape", "two", "legal"},
    {UPS_MAX_POOL, "kernel_shape", "2.5", "legal"},
    {UPS_MAX_POOL, "kernel_shape", "2 x", "legal"},
    {UPS_MAX_POOL, "kernel_shape", "99999999999999999999", "legal"},
    {UPS_MAX_POOL, "kernel_shape", "by_preset", "legal"},
    {UPS_MAX_POOL, "pads", "1,1", "4"},
    {UPS_MAX_POOL, "pads", "-1", "0 to"},
    {UPS_MAX_POOL, "ceil_mode", "2", "0 to 1"},
    {UPS_MAX_POOL, "ceil_mode", "4294967297", "0 to 1"},
    {UPS_MAX_POOL, "rank", "4", "1 to 3"},
    {UPS_MAX_POOL, "rank", "", "legal"},
    {UPS_MAX_POOL, "layout", "middle", "first"},
    {UPS_MAX_POOL, "index_type", "i16", "i64"},
    {UPS_MAX_POOL, "index", "row", "plane"},
    {UPS_MAX_POOL, "auto_pad", "same", "same_upper"},
    {UPS_MAX_POOL, "nan", "by_preset", "last"},
    {UPS_MAX_POOL, "count_include_pad", "1", "max_pool"},
    {UPS_AVG_POOL, "count_include_pad", "all", "window"},
    {UPS_AVG_POOL, "index", "plane", "avg_pool"},
    {UPS_PIXEL_SHUFFLE, "shuffle", "rows", "CRD"},
    {UPS_PIXEL_SHUFFLE, "blocksize", "2,2", "legal"},
    {UPS_RESIZE, "mode", "spline", "linear"},
    {UPS_RESIZE, "axes", "2", "legal"},
    {UPS_RESIZE, "axes", "", "legal"},
    {UPS_RESIZE, "roi", "0,1", "legal"},
    {UPS_RESIZE, "roi", "0,0,1,nan", "legal"},
    {UPS_RESIZE, "cubic_coeff_a", "inf", "legal"},
    {UPS_RESIZE, "lanczos_radius", "0", "1 to 8"},
    {UPS_CONV_TRANSPOSE, "shape_rule", "keras", "torch"},
    {UPS_CONV_TRANSPOSE, "output_shape", "0", "1 to"},
    {UPS_RESIZE, "mode", "by_preset", "linear"},
    {UPS_RESIZE, "nearest_mode", "ceiling", "ceil"},
    {UPS_RESIZE, "scales", "0", "0"},
    {UPS_RESIZE, "scales", "-1,2", "0"}, /* the word by_preset stands for the whole array */
    {UPS_RESIZE, "sizes", "-1,7", "by_preset"},
    {UPS_RESIZE, "scales", "nan", "0"},
    {UPS_RESIZE, "scales", "inf", "0"},
    {UPS_RESIZE, "scales", "1,2,3", "legal"},
    {UPS_RESIZE, "scales", "1,", "legal"},
    {UPS_CONV_TRANSPOSE, "group", "0", "1 to"},
    {UPS_CONV_TRANSPOSE, "in_channels", "3,3", "legal"},
    {UPS_CONV_TRANSPOSE, "weights_layout", "IHWO", "IOHW"},
    {UPS_CONV_TRANSPOSE, "activation", "gelu", "relu"},
    {UPS_CONV_TRANSPOSE, "activation", "clip", "legal"},
    {UPS_CONV_TRANSPOSE, "activation", "clip:1", "legal"},
    {UPS_CONV_TRANSPOSE, "activation", "clip:2,1", "legal"},
    {UPS_CONV_TRANSPOSE, "activation", "clip:0,6,7", "legal"},
    {UPS_CONV_TRANSPOSE, "activation", "relu:1", "legal"},
    {UPS_CONV_TRANSPOSE, "activation", "tanh:1", "legal"},
    {UPS_CONV_TRANSPOSE, "activation", "leaky_relu:", "legal"},
    {UPS_CONV_TRANSPOSE, "activation", "leaky_relu:x", "legal"},
};

static void test_bad_settings(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof bad_settings / sizeof *bad_settings; i++) {
        const struct setting *s = &bad_settings[i];
        union desc desc, before;
        char what[128];
        good_desc(&desc, s->op);
        before = desc;
        snprintf(what, sizeof what, "%s %s=\"%s\"", ups_op_word(s->op), s->field, s->value);
        is_status(what, ups_desc_set(&desc, s->field, s->value), UPS_INVALID);
        says(what, s->field);
        says(what, s->back);
        assert_memory_equal(&desc, &before, sizeof desc);
    }
    union desc desc;
    char text[8];
    good_desc(&desc, UPS_MAX_POOL);
    is_status("null desc", ups_desc_set(NULL, "rank", "1"), UPS_INVALID);
    is_status("null name", ups_desc_set(&desc, NULL, "1"), UPS_INVALID);
    is_status("null value", ups_desc_set(&desc, "rank", NULL), UPS_INVALID);
    assert_int_equal(ups_desc_get(&desc, "factor", text, sizeof text), -1);
    assert_int_equal(ups_desc_get(&desc, NULL, text, sizeof text), -1);
    assert_int_equal(ups_desc_get(NULL, "rank", text, sizeof text), -1);
}

static void test_get_is_like_snprintf(void **unused)
{
    (void)unused;
    union desc desc;
    char text[32];
    good_desc(&desc, UPS_MAX_POOL);
    ups_desc_set(&desc, "kernel_shape", "12,345");
    assert_int_equal(ups_desc_get(&desc, "kernel_shape", NULL, 0), 6);
    for (size_t capacity = 0; capacity < 10; capacity++) {
        memset(text, PATTERN, sizeof text);
        assert_int_equal(ups_desc_get(&desc, "kernel_shape", text, capacity), 6);
        size_t written = capacity < 7 ? capacity : 7;
        assert_true(untouched(text + written, sizeof text - written));
        if (!capacity) continue;
        assert_int_equal(strlen(text), written - 1);
        assert_memory_equal(text, "12,345", written - 1);
    }
}

/* By-preset values follow the fields they depend on. */
static void test_by_preset(void **unused)
{
    (void)unused;
    union desc desc;
    char text[64];
    good_desc(&desc, UPS_RESIZE);
    static const struct {
        const char *mode, *transform;
    } rows[] = {{"nearest", "asymmetric"}, {"linear", "half_pixel"}};
    for (int i = 0; i < 2; i++) {
        ups_desc_set(&desc, "mode", rows[i].mode);
        ups_desc_get(&desc, "coordinate_transformation_mode", text, sizeof text);
        assert_string_equal(text, rows[i].transform);
        assert_int_equal(desc.resize.coordinate_transformation_mode, UPS_BY_PRESET);
    }
    ups_desc_get(&desc, "nearest_mode", text, sizeof text);
    assert_string_equal(text, "floor");
    ups_desc_get(&desc, "coordinate_arithmetic", text, sizeof text);
    assert_string_equal(text, "torch");
    good_desc(&desc, UPS_MAX_UNPOOL);
    ups_desc_set(&desc, "kernel_shape", "3,5");
    ups_desc_get(&desc, "strides", text, sizeof text);
    assert_string_equal(text, "3,5");
}

/* ---- sizes ---- */

struct shape {
    int32_t op;
    const char *fields; /* name=value, separated by blanks */
    int64_t in, low, standard, high;
};

#define ANY INT64_MAX

static const struct shape shapes[] = {
    {UPS_MAX_POOL, "kernel_shape=2", 7, 3, 3, 3},
    {UPS_MAX_POOL, "kernel_shape=2 ceil_mode=1", 7, 4, 4, 4},
    {UPS_MAX_POOL, "kernel_shape=1 strides=3 ceil_mode=1", 5, 2, 2, 2},
    {UPS_MAX_POOL, "kernel_shape=3 strides=2 pads=1", 8, 4, 4, 4},
    {UPS_MAX_POOL, "kernel_shape=3 strides=2 pads=1 ceil_mode=1", 8, 5, 5, 5},
    {UPS_MAX_POOL, "kernel_shape=2 strides=1 dilations=3 pads=1", 2, 1, 1, 1},
    {UPS_MAX_POOL, "kernel_shape=3 strides=3 ceil_mode=1", 2, 1, 1, 1}, /* shorter than the window, rounded up */
    {UPS_MAX_UNPOOL, "kernel_shape=2", 4, 7, 8, 9},
    {UPS_MAX_UNPOOL, "kernel_shape=2 output_shape=9", 4, 7, 9, 9},
    {UPS_MAX_UNPOOL, "kernel_shape=3 strides=2 pads=1", 4, 6, 7, 8},
    {UPS_MAX_UNPOOL, "kernel_shape=2 strides=5", 1, 1, 2, 6},
    {UPS_REPLICATE, "factor=3", 5, 15, 15, 15},
    {UPS_BED_OF_NAILS, "factor=2 offset=1", 5, 10, 10, 10},
    {UPS_RESIZE, "", 5, 1, 0, ANY},
    {UPS_RESIZE, "scales=2.3", 4, 1, 9, ANY},
    {UPS_RESIZE, "scales=0.6", 5, 1, 3, ANY},
    {UPS_RESIZE, "sizes=7", 4, 1, 7, ANY},
    {UPS_RESIZE, "sizes=7 scales=2", 4, 1, 7, ANY},
    {UPS_CONV_TRANSPOSE, "in_channels=1 out_channels=1 kernel_shape=4 strides=2 pads=1", 8, 16, 16, 17},
    {UPS_CONV_TRANSPOSE, "in_channels=1 out_channels=1 kernel_shape=3 strides=2 pads=1 output_padding=1", 3, 5, 6, 6},
    {UPS_CONV_TRANSPOSE, "in_channels=1 out_channels=1 kernel_shape=3 dilations=3", 5, 11, 11, 13},
};

static void set_all(union desc *desc, const char *fields)
{
    char copy[256], *rest = copy;
    snprintf(copy, sizeof copy, "%s", fields);
    for (char *word; (word = strsep(&rest, " ")) && *word;) {
        char *value = strchr(word, '=');
        *value++ = 0;
        is_status(fields, ups_desc_set(desc, word, value), UPS_OK);
    }
}

static void check_shape(const struct shape *s, int32_t rank)
{
    union desc desc;
    int64_t in[3], low[3] = {-7, -7, -7}, standard[3] = {-7, -7, -7}, high[3] = {-7, -7, -7};
    ups_desc_init(&desc, sizeof desc, s->op, NULL);
    desc.head.rank = rank;
    set_all(&desc, s->fields);
    for (int a = 0; a < 3; a++) in[a] = s->in;
    is_status(s->fields, ups_shape(&desc, in, low, standard, high), UPS_OK);
    for (int a = 0; a < 3; a++) {
        if (a >= rank) {
            assert_true(low[a] == -7 && standard[a] == -7 && high[a] == -7);
            continue;
        }
        bool any = s->high == ANY && high[a] >= 2147483647;
        if (low[a] != s->low || standard[a] != s->standard || (high[a] != s->high && !any))
            fail_msg("%s %s, in %lld: %lld, %lld, %lld; not %lld, %lld, %lld", ups_op_word(s->op), s->fields,
                     (long long)s->in, (long long)low[a], (long long)standard[a], (long long)high[a], (long long)s->low,
                     (long long)s->standard, (long long)s->high);
    }
    is_status("nothing asked", ups_shape(&desc, in, NULL, NULL, NULL), UPS_OK);
    is_status("one asked", ups_shape(&desc, in, NULL, standard, NULL), UPS_OK);
}

static void test_shape(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int32_t rank = 1; rank <= 3; rank++) check_shape(&shapes[i], rank);
}

static void test_bad_shape(void **unused)
{
    (void)unused;
    union desc desc;
    int64_t out[3] = {-7, -7, -7};
    static const int64_t bad[] = {0, -1, INT64_MIN, INT64_MAX};
    good_desc(&desc, UPS_CONV_TRANSPOSE);
    for (int i = 0; i < 4; i++) {
        int64_t in[2] = {4, bad[i]};
        char value[32];
        snprintf(value, sizeof value, "%lld", (long long)bad[i]);
        is_status(value, ups_shape(&desc, in, out, out, out), UPS_INVALID);
        explains(value, "in[1]", value, "1 to");
    }
    is_status("null in", ups_shape(&desc, NULL, out, out, out), UPS_INVALID);
    is_status("null desc", ups_shape(NULL, (int64_t[]){4, 4}, out, out, out), UPS_INVALID);
    good_desc(&desc, UPS_MAX_POOL);
    is_status("window", ups_shape(&desc, (int64_t[]){4, 1}, out, out, out), UPS_INVALID);
    explains("window", "in[1]", "1", "2");
    for (int a = 0; a < 3; a++) assert_true(out[a] == -7);
}

/* ---- strict: what the preset's framework refuses ---- */

struct refusal {
    const char *preset;
    int32_t op;
    const char *fields;                /* name=value, separated by blanks */
    const char *field, *value, *range; /* what the sentence says */
};

static const struct refusal refusals[] = {
    {"torch", UPS_CONV_TRANSPOSE, "auto_pad=same_upper", "auto_pad", "same_upper", "notset"},
    {"torch", UPS_AVG_POOL, "dilations=2", "dilations[0]", "2", "1"},
    {"torch", UPS_AVG_POOL, "count_include_pad=window", "count_include_pad", "2", "0 to 1"},
    {"torch", UPS_MAX_POOL, "round=ceil", "round", "ceil", "ceil_clip"},
    {"torch", UPS_MAX_POOL, "index=tensor", "index", "tensor", "plane"},
    {"torch", UPS_MAX_UNPOOL, "index_type=i32", "index_type", "i32", "i64"},
    {"torch", UPS_MAX_UNPOOL, "dilations=2", "dilations[0]", "2", "1"},
    {"torch", UPS_PIXEL_SHUFFLE, "rank=3", "rank", "3", "2"},
    {"torch", UPS_PIXEL_UNSHUFFLE, "shuffle=DCR", "shuffle", "DCR", "CRD"},
    {"torch", UPS_RESIZE, "mode=lanczos", "mode", "lanczos", "cubic"},
    {"torch", UPS_MAX_POOL, "pads=1,0,0,0", "pads_end[0]", "0", "1"},
    {"torch", UPS_MAX_POOL, "kernel_shape=3 pads=2", "pads_begin[0]", "2", "0 to 1"},
    {"torch", UPS_CONV_TRANSPOSE, "pads=1,0,0,0", "pads_end[0]", "0", "1"},
    {"torch", UPS_RESIZE, "rank=3 mode=cubic", "rank", "3", "2"},
    {"torch", UPS_RESIZE, "rank=1 mode=linear antialias=1", "rank", "1", "2"},
    {"torch", UPS_RESIZE, "coordinate_transformation_mode=align_corners", "mode", "align_corners", "asymmetric"},
    {"torch", UPS_RESIZE, "mode=linear coordinate_transformation_mode=asymmetric", "mode", "asymmetric", "half_pixel"},
    {"onnx-9", UPS_MAX_POOL, "dilations=1,2", "dilations[1]", "2", "1"},
    {"onnx-18", UPS_AVG_POOL, "dilations=2", "dilations[0]", "2", "1"},
    {"onnx-9", UPS_AVG_POOL, "ceil_mode=1", "round", "ceil_clip", "floor"},
    {"onnx-10", UPS_AVG_POOL, "round=ceil", "round", "ceil", "ceil_clip"},
    {"onnx", UPS_AVG_POOL, "count_include_pad=window", "count_include_pad", "2", "0 to 1"},
    {"onnx", UPS_AVG_POOL, "divisor=4", "divisor", "4", "by_preset"},
    {"onnx", UPS_MAX_POOL, "index=plane", "index", "plane", "tensor_column"},
    {"ort", UPS_MAX_POOL, "index_type=i32", "index_type", "i32", "i64"},
    {"onnx", UPS_MAX_UNPOOL, "dilations=2", "dilations[0]", "2", "1"},
    {"onnx", UPS_PIXEL_SHUFFLE, "rank=1", "rank", "1", "2"},
    {"onnx-10", UPS_PIXEL_SHUFFLE, "shuffle=CRD", "shuffle", "CRD", "DCR"},
    {"onnx-19", UPS_PIXEL_UNSHUFFLE, "shuffle=CRD", "shuffle", "CRD", "DCR"},
    {"onnx-10", UPS_RESIZE, "mode=cubic", "mode", "cubic", "linear"},
    {"onnx-11", UPS_RESIZE, "mode=lanczos", "mode", "lanczos", "cubic"},
    {"onnx-10", UPS_RESIZE, "coordinate_transformation_mode=half_pixel", "coordinate", "half_pixel", "asymmetric"},
    {"onnx-11", UPS_RESIZE, "coordinate_transformation_mode=half_pixel_symmetric", "coordinate", "half_pixel_symmetric",
     "tf_half_pixel_for_nn"},
    {"onnx-18", UPS_RESIZE, "coordinate_transformation_mode=half_pixel_symmetric", "coordinate", "half_pixel_symmetric",
     "tf_crop_and_resize"},
    {"onnx-19", UPS_RESIZE, "coordinate_transformation_mode=tf_half_pixel_for_nn", "coordinate", "tf_half_pixel_for_nn",
     "half_pixel_symmetric"},
    {"onnx-9", UPS_RESIZE, "sizes=8", "sizes[0]", "8", "by_preset"},
    {"onnx-10", UPS_RESIZE, "mode=linear exclude_outside=1", "exclude_outside", "1", "0"},
    {"onnx-13", UPS_RESIZE, "mode=linear antialias=1", "antialias", "1", "0"},
    {"onnx-13", UPS_RESIZE, "sizes=8 scales=by_preset keep_aspect_ratio_policy=not_larger", "keep_aspect_ratio_policy",
     "not_larger", "stretch"},
    {"onnx-13", UPS_RESIZE, "axes=1", "axes", "2", "3"},
    {"ort", UPS_MAX_POOL, "dilations=2 pads=2", "pads_begin[0]", "2", "1"},
    {"ort", UPS_CONV_TRANSPOSE, "dilations=3 output_padding=2", "output_padding[0]", "2", "0 to 1"},
    {"ort", UPS_RESIZE, "rank=3 mode=cubic", "rank", "3", "2"},
    {"tf", UPS_CONV_TRANSPOSE, "dilations=2", "dilations[0]", "2", "1"},
    {"tflite", UPS_CONV_TRANSPOSE, "dilations=2", "dilations[0]", "2", "1"},
    {"tf1", UPS_CONV_TRANSPOSE, "output_padding=1", "output_padding[0]", "1", "0"},
    {"tf", UPS_CONV_TRANSPOSE, "auto_pad=same_lower", "auto_pad", "same_lower", "same_upper"},
    {"tf", UPS_AVG_POOL, "auto_pad=notset", "auto_pad", "notset", "valid"},
    {"tflite", UPS_CONV_TRANSPOSE, "auto_pad=notset", "auto_pad", "notset", "valid"},
    {"tf", UPS_MAX_POOL, "auto_pad=notset ceil_mode=1", "round", "ceil_clip", "floor"},
    {"tf", UPS_AVG_POOL, "count_include_pad=1", "count_include_pad", "1", "0"},
    {"tf", UPS_MAX_POOL, "index=plane", "index", "plane", "nhwc_batch"},
    {"tflite", UPS_MAX_POOL, "rank=1", "rank", "1", "2"},
    {"tflite", UPS_AVG_POOL, "dilations=2", "dilations[0]", "2", "1"},
    {"tflite", UPS_CONV_TRANSPOSE, "group=2", "group", "2", "1"},
    {"tf", UPS_PIXEL_UNSHUFFLE, "rank=3", "rank", "3", "2"},
    {"tf", UPS_PIXEL_SHUFFLE, "shuffle=CRD", "shuffle", "CRD", "DCR"},
    {"tf", UPS_PIXEL_SHUFFLE, "blocksize=1", "blocksize", "1", "2 to"},
    {"tf", UPS_RESIZE, "rank=3", "rank", "3", "2"},
    {"tf1", UPS_RESIZE, "antialias=1", "antialias", "1", "0"},
    {"tf1", UPS_RESIZE, "mode=lanczos", "mode", "lanczos", "area"},
    {"tflite", UPS_RESIZE, "mode=cubic", "mode", "cubic", "linear"},
    {"caffe", UPS_MAX_POOL, "auto_pad=same_upper", "auto_pad", "same_upper", "notset"},
    {"caffe", UPS_AVG_POOL, "rank=3", "rank", "3", "2"},
    {"caffe", UPS_MAX_POOL, "dilations=2", "dilations[0]", "2", "1"},
    {"caffe", UPS_CONV_TRANSPOSE, "output_padding=1", "output_padding[0]", "1", "0"},
    {"caffe", UPS_CONV_TRANSPOSE, "output_shape=9", "output_shape[0]", "9", "by_preset"},
    {"caffe", UPS_CONV_TRANSPOSE, "pads=1,0,0,0", "pads_end[0]", "0", "1"},
    {"opencv", UPS_RESIZE, "rank=3", "rank", "3", "2"},
    {"pillow", UPS_RESIZE, "rank=1", "rank", "1", "2"},
    {"opencv", UPS_RESIZE, "antialias=1", "antialias", "1", "0"},
    {"opencv", UPS_RESIZE, "mode=hamming", "mode", "hamming", "lanczos"},
    {"opencv", UPS_RESIZE, "coordinate_transformation_mode=align_corners", "coordinate", "align_corners", "half_pixel"},
    {"opencv", UPS_RESIZE, "mode=lanczos lanczos_radius=3", "lanczos_radius", "3", "4"},
    {"pillow", UPS_RESIZE, "mode=area antialias=0", "mode", "area", "hamming"},
    {"pillow", UPS_RESIZE, "antialias=0", "antialias", "0", "1"},
    {"pillow", UPS_RESIZE, "coordinate_transformation_mode=align_corners", "coordinate", "align_corners", "half_pixel"},
    {"pillow", UPS_RESIZE, "mode=lanczos lanczos_radius=4", "lanczos_radius", "4", "3"},
    {"pillow", UPS_RESIZE, "scales=1.5", "scales[0]", "1.5", "by_preset"},
    {"tflite", UPS_RESIZE, "scales=2", "scales[0]", "2", "by_preset"},
    {"xnnpack", UPS_RESIZE, "scales=2", "scales[0]", "2", "by_preset"},
    {"openvino", UPS_MAX_POOL, "round=ceil_caffe", "round", "ceil_caffe", "ceil_clip"},
    {"openvino", UPS_MAX_POOL, "index=nhwc", "index", "nhwc", "channel"},
    {"openvino", UPS_RESIZE, "mode=area", "mode", "area", "cubic"},
    {"ncnn", UPS_MAX_POOL, "dilations=2", "dilations[0]", "2", "1"},
    {"ncnn", UPS_PIXEL_SHUFFLE, "rank=3", "rank", "3", "2"},
    {"ncnn", UPS_RESIZE, "rank=3", "rank", "3", "1 to 2"},
    {"ncnn", UPS_RESIZE, "mode=box", "mode", "box", "cubic"},
    {"ncnn", UPS_RESIZE, "mode=linear antialias=1", "antialias", "1", "0"},
    {"onednn", UPS_MAX_POOL, "index=plane index_type=i32", "index", "plane", "window"},
    {"onednn", UPS_RESIZE, "mode=cubic", "mode", "cubic", "linear"},
    {"xnnpack", UPS_CONV_TRANSPOSE, "rank=1", "rank", "1", "2"},
    {"xnnpack", UPS_AVG_POOL, "dilations=2", "dilations[0]", "2", "1"},
    {"xnnpack", UPS_MAX_POOL, "strides=1", "strides[0]", "1", "2"},
    {"xnnpack", UPS_RESIZE, "mode=cubic", "mode", "cubic", "linear"},
    {"xnnpack", UPS_PIXEL_SHUFFLE, "rank=3", "rank", "3", "2"},
};

/* An operation as a preset has it, with what has no default. */
static int32_t start_preset(union desc *desc, int32_t op, const char *preset)
{
    int32_t status = ups_desc_init(desc, sizeof *desc, op, preset);
    if (status) return status;
    desc->head.size = (uint32_t)ups_desc_size(op);
    const char *const fields[] = {"kernel_shape", "factor", "blocksize", "in_channels", "out_channels"};
    desc->head.rank = 3; /* room for every rank */
    for (int i = 0; i < 5; i++) ups_desc_set(desc, fields[i], "2");
    if (op == UPS_CONV_TRANSPOSE) ups_desc_set(desc, "strides", "2");
    desc->head.rank = 2;
    return UPS_OK;
}

static void test_strict(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        const struct refusal *r = &refusals[i];
        union desc desc;
        char what[160];
        int64_t in[3] = {4, 4, 4};
        snprintf(what, sizeof what, "strict %s %s %s", r->preset, ups_op_word(r->op), r->fields);
        is_status(what, start_preset(&desc, r->op, r->preset), UPS_OK);
        set_all(&desc, r->fields);
        is_status(what, ups_shape(&desc, in, NULL, NULL, NULL), UPS_OK);
        desc.head.strict = 1;
        is_status(what, ups_shape(&desc, in, NULL, NULL, NULL), UPS_INVALID);
        explains(what, r->field, r->value, r->range);
        says(what, r->preset);
    }
}

/* What init gives is what the framework takes. */
static void test_strict_defaults(void **unused)
{
    (void)unused;
    for (int i = 0; ups_preset(i); i++)
        for (int k = 0; k < CALL_OPS; k++) {
            union desc desc;
            char what[64];
            int64_t in[3] = {4, 4, 4};
            snprintf(what, sizeof what, "%s %s", ups_preset(i), ups_op_word(call_ops[k]));
            int32_t status = start_preset(&desc, call_ops[k], ups_preset(i));
            if (status == UPS_UNSUPPORTED) continue;
            is_status(what, status, UPS_OK);
            desc.head.strict = 1;
            is_status(what, ups_shape(&desc, in, NULL, NULL, NULL), UPS_OK);
        }
}

/* Sizes that a framework refuses: 4x4(x4) in. */
/* Fields in which two presets, each with the same fields set, are said to differ; "": they compute the same. */
static void test_difference(void **unused)
{
    (void)unused;
    static const struct {
        int32_t op;
        const char *fields, *a, *b, *more_of_b, *differ;
    } rows[] = {
        {UPS_RESIZE, "mode=nearest", "torch", "torch", "", ""},
        {UPS_RESIZE, "mode=nearest", "torch", "torch", "layout=last", "layout "},
        {UPS_RESIZE, "mode=nearest coordinate_arithmetic=f64 size_rounding=floor", "torch", "onnx", "",
         "coordinate_transformation_mode nearest_mode "},
        {UPS_RESIZE, "mode=linear coordinate_arithmetic=f64", "torch", "onnx", "", ""},
        {UPS_RESIZE, "mode=linear coordinate_arithmetic=f64", "torch", "opencv", "", "size_rounding "},
        {UPS_RESIZE, "mode=linear coordinate_arithmetic=f64 sizes=5", "torch", "opencv", "", ""},
        {UPS_RESIZE, "mode=cubic coordinate_arithmetic=f64", "torch", "tf", "", "exclude_outside cubic_coeff_a "},
        {UPS_RESIZE, "mode=linear", "torch", "torch", "antialias=1", "antialias exclude_outside "},
        {UPS_RESIZE, "mode=nearest", "pillow", "pillow", "nearest_mode=ceil", ""},
        {UPS_RESIZE, "mode=area coordinate_arithmetic=f64", "torch", "opencv", "", "area_rule size_rounding "},
        {UPS_RESIZE, "mode=lanczos coordinate_arithmetic=f64 size_rounding=floor", "torch", "opencv", "",
         "lanczos_radius "},
        {UPS_RESIZE, "mode=linear", "torch", "torch", "roi=0,0,0.5,0.5", ""},
        {UPS_RESIZE, "mode=linear coordinate_transformation_mode=tf_crop_and_resize", "torch", "torch",
         "roi=0,0,0.5,0.5 extrapolation_value=3", "roi extrapolation_value "},
        {UPS_MAX_POOL, "kernel_shape=2 strides=2", "torch", "onnx", "", "nan index "},
        {UPS_MAX_POOL, "kernel_shape=2", "torch", "torch", "ceil_mode=1", "round "},
        {UPS_MAX_POOL, "kernel_shape=2 auto_pad=same_upper", "torch", "torch", "ceil_mode=1", ""},
        {UPS_AVG_POOL, "kernel_shape=2", "torch", "torch", "count_include_pad=0", "count_include_pad "},
        {UPS_AVG_POOL, "kernel_shape=2 divisor=3", "torch", "torch", "count_include_pad=0", ""},
        {UPS_MAX_POOL_GRAD, "kernel_shape=2", "torch", "torch", "nan=skip scan=column_major index_type=i32",
         "index_type "},
        {UPS_MAX_POOL, "kernel_shape=2", "torch", "torch", "nan=skip scan=column_major", "nan scan "},
        {UPS_CONV_TRANSPOSE, "kernel_shape=2 pads=0", "onnx", "openvino", "", "shape_rule "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        union desc a, b;
        char text[4096], names[256] = "";
        assert_int_equal(ups_desc_init(&a, sizeof a, rows[i].op, rows[i].a), UPS_OK);
        assert_int_equal(ups_desc_init(&b, sizeof b, rows[i].op, rows[i].b), UPS_OK);
        set_all(&a, rows[i].fields);
        set_all(&b, rows[i].fields);
        set_all(&b, rows[i].more_of_b);
        int64_t length = ups_desc_difference(&a, &b, text, sizeof text);
        assert_int_equal(length, strlen(text));
        for (const char *line = text; *line; line = strchr(line, '\n') + 1)
            snprintf(names + strlen(names), sizeof names - strlen(names), "%.*s ", (int)strcspn(line, ":"), line);
        if (strcmp(names, rows[i].differ) != 0) fail_msg("row %zu: \"%s\", not \"%s\"", i, names, rows[i].differ);
    }
}

/* Where no index type was meant, values are pooled all the same. */
static void test_values_whatever_the_index_type(void **unused)
{
    (void)unused;
    float x[400] = {0}, y = 1, mask[2];
    const int64_t dims[] = {1, 1, 20, 20};
    ups_pool_desc d;
    ups_tensor src, indices = {.size = sizeof indices};
    ups_buffers b;
    ups_op *op;
    ups_plan *plan;
    char work[4096];
    ups_desc_init(&d, sizeof d, UPS_MAX_POOL, "onednn");
    ups_desc_set(&d, "kernel_shape", "20");
    ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_FIRST, dims);
    is_status("op", ups_op_create(&d, NULL, NULL, NULL, &op), UPS_OK);
    is_status("plan", ups_plan_create(op, &src, NULL, NULL, &plan), UPS_OK);
    is_status("indices", ups_plan_tensor(plan, UPS_ROLE_INDICES, &indices), UPS_INVALID);
    ups_buffers_init(&b, sizeof b);
    b.src = x, b.dst = &y, b.indices_out = mask;
    is_status("with indices", ups_run(plan, &b, work, sizeof work), UPS_INVALID);
    assert_non_null(strstr(ups_last_error(), "u8"));
    assert_true(y == 1);
    b.indices_out = NULL;
    is_status("values", ups_run(plan, &b, work, sizeof work), UPS_OK);
    assert_true(y == 0);
    ups_plan_destroy(plan);
    ups_op_destroy(op);
}

static void test_strict_sizes(void **unused)
{
    (void)unused;
    static const struct {
        const char *preset;
        int32_t op;
        const char *fields;
        int64_t size; /* asked; 0: none */
        const char *field;
    } rows[] = {
        {"torch", UPS_AVG_POOL, "rank=3 kernel_shape=5 pads=2 strides=1", 0, "in[0] = 4"},
        {"torch", UPS_CONV_TRANSPOSE, "dilations=4", 13, "out_sizes[0] = 13"},
        {"onnx-9", UPS_RESIZE, "scales=0.5", 0, "out_sizes[0] = 2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int32_t strict = 0; strict < 2; strict++) {
            union desc desc;
            ups_op *op;
            ups_plan *plan;
            ups_tensor src;
            const int64_t dims[] = {1, 2, 4, 4, 4}, sizes[] = {rows[i].size, rows[i].size, rows[i].size};
            float w[64] = {0};
            start_preset(&desc, rows[i].op, rows[i].preset);
            set_all(&desc, rows[i].fields);
            desc.head.strict = strict;
            is_status(rows[i].field, ups_op_create(&desc, rows[i].op == UPS_CONV_TRANSPOSE ? w : NULL, NULL, NULL, &op),
                      UPS_OK);
            ups_tensor_init(&src, sizeof src, UPS_F32, desc.head.rank, UPS_CHANNELS_FIRST, dims);
            is_status(rows[i].field, ups_plan_create(op, &src, NULL, rows[i].size ? sizes : NULL, &plan),
                      strict ? UPS_INVALID : UPS_OK);
            if (strict) explains(rows[i].field, rows[i].field, rows[i].preset, "");
            ups_plan_destroy(plan);
            ups_op_destroy(op);
        }
}

/* ---- pads ---- */

/* One axis by one rule: the library's sizes and pads against naive.c's. */
static void check_fit(const union desc *desc, int64_t n)
{
    struct naive_fit fit;
    int64_t low, standard, high, pads[2], more;
    const ups_conv_transpose_desc *d = &desc->conv;
    char what[192];
    snprintf(what, sizeof what, "rule %d auto_pad %d n %lld k %lld s %lld d %lld op %lld pads %lld,%lld shape %lld",
             d->shape_rule, d->auto_pad, (long long)n, (long long)d->kernel_shape[0], (long long)d->strides[0],
             (long long)d->dilations[0], (long long)d->output_padding[0], (long long)d->pads_begin[0],
             (long long)d->pads_end[0], (long long)d->output_shape[0]);
    bool legal = naive_conv_fit(d, 0, n, 0, &fit);
    int32_t status = ups_shape(desc, &n, &low, &standard, &high);
    if (legal) {
        is_status(what, status, UPS_OK);
        if (standard != fit.m) fail_msg("%s: size %lld, not %lld", what, (long long)standard, (long long)fit.m);
    } else if (status == UPS_OK && standard != 0) {
        fail_msg("%s: size %lld, should be refused", what, (long long)standard);
    }
    for (int64_t m = -1; m < 16; m++) { /* -1: none asked */
        bool fits = naive_conv_fit(d, 0, n, m == -1 ? 0 : m, &fit) && m != 0;
        bool ranged = status == UPS_OK && (m == -1 ? standard > 0 : m >= low && m <= high);
        if (fits != ranged) fail_msg("%s: size %lld is %s", what, (long long)m, ranged ? "not refused" : "refused");
        is_status(what, ups_solve_pads(desc, &n, m == -1 ? NULL : &m, pads, &more), fits ? UPS_OK : UPS_INVALID);
        if (fits && (pads[0] != fit.begin || pads[1] != fit.end || more != fit.output_padding))
            fail_msg("%s: to %lld by %lld,%lld,%lld, not %lld,%lld,%lld", what, (long long)m, (long long)pads[0],
                     (long long)pads[1], (long long)more, (long long)fit.begin, (long long)fit.end,
                     (long long)fit.output_padding);
        /* explicit pads: s*(n-1) + E - pb - pe + op is the size */
        int64_t extent = d->dilations[0] * (d->kernel_shape[0] - 1) + 1;
        if (fits) assert_int_equal(d->strides[0] * (n - 1) + extent - pads[0] - pads[1] + more, fit.m);
    }
}

static void test_shape_rules(void **unused)
{
    (void)unused;
    union desc desc;
    ups_desc_init(&desc, sizeof desc, UPS_CONV_TRANSPOSE, NULL);
    ups_conv_transpose_desc *d = &desc.conv;
    d->rank = 1;
    d->in_channels = d->out_channels = 1;
    for (d->shape_rule = UPS_SHAPE_TORCH; d->shape_rule <= UPS_SHAPE_OPENVINO; d->shape_rule++)
        for (d->auto_pad = UPS_NOTSET; d->auto_pad <= UPS_VALID; d->auto_pad++)
            for (int i = 0; i < (check_quick() ? 300 : 3000); i++) {
                bool given = d->auto_pad == UPS_NOTSET && call_chance(60);
                d->kernel_shape[0] = check_between(1, 4);
                d->strides[0] = check_between(1, 4);
                d->dilations[0] = call_chance(60) ? 1 : check_between(1, 5);
                int64_t most = d->strides[0] > d->dilations[0] ? d->strides[0] : d->dilations[0];
                d->output_padding[0] = call_chance(50) ? 0 : check_between(0, most - 1);
                d->pads_begin[0] = given ? check_between(0, 4) : UPS_BY_PRESET;
                d->pads_end[0] = given ? check_between(0, 4) : UPS_BY_PRESET;
                d->output_shape[0] = call_chance(50) ? UPS_BY_PRESET : check_between(1, 14);
                check_fit(&desc, check_between(1, 4));
            }
}

/* Pooling: the pads of SAME, with which an explicit pooling has as many windows. */
static void test_solved_pool_pads(void **unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        union desc desc;
        int64_t n = check_between(1, 12), pads[2], m, again;
        ups_desc_init(&desc, sizeof desc, UPS_MAX_POOL, "tf");
        ups_pool_desc *d = &desc.pool;
        d->rank = 1;
        d->kernel_shape[0] = check_between(1, 5);
        d->strides[0] = check_between(1, 5);
        d->auto_pad = call_chance(50) ? UPS_SAME_UPPER : UPS_SAME_LOWER;
        is_status("same", ups_shape(d, &n, NULL, &m, NULL), UPS_OK);
        is_status("same", ups_solve_pads(d, &n, NULL, pads, NULL), UPS_OK);
        assert_int_equal(m, (n + d->strides[0] - 1) / d->strides[0]);
        int64_t odd = d->auto_pad == UPS_SAME_UPPER ? pads[1] - pads[0] : pads[0] - pads[1];
        assert_true(pads[0] >= 0 && pads[1] >= 0 && (odd == 0 || odd == 1));
        d->auto_pad = UPS_NOTSET;
        d->pads_begin[0] = pads[0];
        d->pads_end[0] = pads[1];
        is_status("explicit", ups_shape(d, &n, NULL, &again, NULL), UPS_OK);
        assert_int_equal(again, m);
    }
}

static void test_bad_solve_pads(void **unused)
{
    (void)unused;
    union desc desc;
    int64_t in[2] = {4, 4}, want[2] = {8, 99}, pads[4] = {-7, -7, -7, -7}, more[2] = {-7, -7};
    good_desc(&desc, UPS_CONV_TRANSPOSE);
    is_status("want", ups_solve_pads(&desc, in, want, pads, more), UPS_INVALID);
    explains("want", "[1]", "99", "8 to 9");
    is_status("null pads", ups_solve_pads(&desc, in, NULL, NULL, more), UPS_INVALID);
    says("null pads", "pads");
    is_status("null in", ups_solve_pads(&desc, NULL, NULL, pads, more), UPS_INVALID);
    says("null in", "in");
    is_status("null desc", ups_solve_pads(NULL, in, NULL, pads, more), UPS_INVALID);
    good_desc(&desc, UPS_RESIZE);
    is_status("resize", ups_solve_pads(&desc, in, NULL, pads, more), UPS_INVALID);
    explains("resize", "resize", NULL, "conv_transpose");
    for (int i = 0; i < 4; i++) assert_int_equal(pads[i], -7);
    assert_true(more[0] == -7 && more[1] == -7);
    good_desc(&desc, UPS_CONV_TRANSPOSE);
    is_status("no output padding", ups_solve_pads(&desc, in, NULL, pads, NULL), UPS_OK);
}

/* ---- weights that upsample ---- */

static void test_bad_fills(void **unused)
{
    (void)unused;
    static const struct {
        int32_t op;
        const char *fields;
        int32_t kind;
        bool null;
        const char *field, *value, *range;
    } rows[] = {
        {UPS_MAX_POOL, "rank=2", UPS_FILL_BILINEAR, false, "op", "max_pool", "conv_transpose"},
        {UPS_CONV_TRANSPOSE, "rank=2", 0, false, "kind", "0", "UPS_FILL_BILINEAR"},
        {UPS_CONV_TRANSPOSE, "rank=2", 4, false, "kind", "4", "UPS_FILL_BED_OF_NAILS"},
        {UPS_CONV_TRANSPOSE, "rank=2", UPS_FILL_BILINEAR, true, "weights", "nil", "array"},
        {UPS_CONV_TRANSPOSE, "out_channels=4", UPS_FILL_BILINEAR, false, "out_channels", "4", "2"},
        {UPS_CONV_TRANSPOSE, "strides=2,3", UPS_FILL_REPLICATE, false, "kernel_shape[1]", "2", "3"},
        {UPS_CONV_TRANSPOSE, "dilations=2", UPS_FILL_REPLICATE, false, "dilations[0]", "2", "1"},
        {UPS_CONV_TRANSPOSE, "group=2", 3, false, NULL, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        union desc desc;
        float w[64], before[64];
        good_desc(&desc, rows[i].op);
        set_all(&desc, rows[i].fields);
        memset(w, PATTERN, sizeof w);
        memcpy(before, w, sizeof w);
        int32_t status = ups_fill_weights(&desc, rows[i].kind, rows[i].null ? NULL : w);
        is_status(rows[i].fields, status, rows[i].field ? UPS_INVALID : UPS_OK);
        if (!rows[i].field) continue;
        explains(rows[i].fields, rows[i].field, rows[i].value, rows[i].range);
        assert_memory_equal(w, before, sizeof w);
    }
    is_status("null desc", ups_fill_weights(NULL, UPS_FILL_BILINEAR, (float[1]){0}), UPS_INVALID);
}

/* By hand: factor 2, kernel 4, channels in groups of two; one channel of three taps. */
static void test_fills(void **unused)
{
    (void)unused;
    union desc desc;
    float w[16];
    ups_desc_init(&desc, sizeof desc, UPS_CONV_TRANSPOSE, NULL);
    desc.head.rank = 1;
    set_all(&desc, "in_channels=2 out_channels=2 kernel_shape=4 strides=2");
    is_status("bilinear", ups_fill_weights(&desc, UPS_FILL_BILINEAR, w), UPS_OK);
    assert_memory_equal(w, ((float[]){.25f, .75f, .75f, .25f, 0, 0, 0, 0, 0, 0, 0, 0, .25f, .75f, .75f, .25f}),
                        sizeof w);
    set_all(&desc, "weights_layout=OHWI");
    is_status("replicate", ups_fill_weights(&desc, UPS_FILL_REPLICATE, w), UPS_OK);
    assert_memory_equal(w, ((float[]){1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0}), sizeof w);
    set_all(&desc, "weights_layout=HWOI group=2");
    is_status("nails", ups_fill_weights(&desc, UPS_FILL_BED_OF_NAILS, w), UPS_OK);
    assert_memory_equal(w, ((float[]){1, 1, 0, 0, 0, 0, 0, 0}), 8 * sizeof *w);
    set_all(&desc, "in_channels=1 out_channels=1 group=1 kernel_shape=3");
    is_status("odd", ups_fill_weights(&desc, UPS_FILL_BILINEAR, w), UPS_OK);
    assert_memory_equal(w, ((float[]){.25f, .75f, .75f}), 3 * sizeof *w);
}

/* Small and large lengths at random: a status, never a crash (the sanitizers watch the arithmetic). */
static void test_random_lengths(void **unused)
{
    (void)unused;
    static const char *const lengths[] = {"1",     "2",     "3",          "7",          "1000",
                                          "65536", "46341", "1073741824", "2147483646", "2147483647"};
    for (int n = 0; n < (check_quick() ? 300 : 20000); n++) {
        union desc desc;
        int32_t op = call_ops[check_between(0, CALL_OPS - 1)];
        ups_desc_init(&desc, sizeof desc, op, NULL);
        for (int i = 0; ups_desc_field(op, i); i++)
            if (i >= 3 && call_chance(70)) ups_desc_set(&desc, ups_desc_field(op, i), lengths[check_between(0, 9)]);
        int64_t in[2], low[2], standard[2], high[2];
        for (int a = 0; a < 2; a++) in[a] = strtoll(lengths[check_between(0, 9)], NULL, 10);
        if (ups_shape(&desc, in, low, standard, high) != UPS_OK) continue;
        for (int a = 0; a < 2; a++) assert_true(low[a] >= 1 && high[a] >= low[a]);
    }
}

/* ---- what a plan and the machine say of themselves ---- */

static int64_t plan_text(const void *plan, int32_t format, char *text, size_t capacity)
{
    return ups_plan_describe(plan, format, text, capacity);
}

static int64_t cpu_text(const void *unused, int32_t format, char *text, size_t capacity)
{
    (void)unused;
    return ups_cpu_info(format, text, capacity);
}

/* Length, cut and NUL as snprintf; the same text every time. */
static void like_snprintf(const void *of, int64_t (*say)(const void *, int32_t, char *, size_t), int32_t format)
{
    int64_t length = say(of, format, NULL, 0);
    assert_true(length > 20);
    size_t room = (size_t)length + 32;
    char *whole = malloc(room), *text = malloc(room);
    memset(whole, PATTERN, room);
    assert_int_equal(say(of, format, whole, room), length);
    assert_int_equal(strlen(whole), length);
    assert_true(untouched(whole + length + 1, 31));
    const size_t capacities[] = {0, 1, 2, 20, (size_t)length / 2, (size_t)length, (size_t)length + 1};
    for (int i = 0; i < 7; i++) {
        memset(text, PATTERN, room);
        assert_int_equal(say(of, format, text, capacities[i]), length);
        assert_true(untouched(text + capacities[i], room - capacities[i]));
        if (!capacities[i]) continue;
        assert_int_equal(strlen(text), capacities[i] - 1);
        assert_memory_equal(text, whole, capacities[i] - 1);
    }
    free(whole);
    free(text);
}

static void has_keys(const char *text, const char *const *keys)
{
    for (; *keys; keys++)
        if (!strstr(text, *keys)) fail_msg("no \"%s\" in %s", *keys, text);
}

static void test_describe(void **unused)
{
    (void)unused;
    static const char *const every[] = {"\"op\"",     "\"isa\"",       "\"src\"",     "\"dst\"", "\"workspace_bytes\"",
                                        "\"policy\"", "\"algorithm\"", "\"kernels\"", NULL};
    static const char *const conv[] = {"\"reason\"", "\"refused\"", "\"tile\"", "\"macs\"", "\"packed_bytes\"", NULL};
    for (int i = 0; i < CALL_OPS; i++) {
        struct rig rig;
        char json[8192];
        rig_make(&rig, call_ops[i]);
        like_snprintf(rig.plan, plan_text, UPS_TEXT);
        like_snprintf(rig.plan, plan_text, UPS_JSON);
        ups_plan_describe(rig.plan, UPS_JSON, json, sizeof json);
        assert_true(json[0] == '{' && json[strlen(json) - 1] == '}');
        has_keys(json, every);
        has_keys(json, (const char *const[]){ups_op_word(call_ops[i]), NULL});
        if (ups_forward_op(call_ops[i]) == UPS_CONV_TRANSPOSE) has_keys(json, conv);
        assert_true(ups_plan_describe(rig.plan, 3, json, sizeof json) < 0);
        assert_true(ups_plan_describe(NULL, UPS_JSON, json, sizeof json) < 0);
        rig_free(&rig);
    }
}

static void test_cpu_info(void **unused)
{
    (void)unused;
    char json[8192];
    like_snprintf(NULL, cpu_text, UPS_TEXT);
    like_snprintf(NULL, cpu_text, UPS_JSON);
    ups_cpu_info(UPS_JSON, json, sizeof json);
    assert_true(json[0] == '{' && json[strlen(json) - 1] == '}');
    has_keys(json, (const char *const[]){"\"isa\"", "scalar", "\"compiled\"", "\"detected\"", NULL});
    assert_true(ups_cpu_info(0, json, sizeof json) < 0);
}

static void test_buffers_init(void **unused)
{
    (void)unused;
    ups_buffers b, before;
    memset(&b, PATTERN, sizeof b);
    before = b;
    is_status("size", ups_buffers_init(&b, 4), UPS_INVALID);
    assert_memory_equal(&b, &before, sizeof b);
    is_status("null", ups_buffers_init(NULL, sizeof b), UPS_INVALID);
    is_status("good", ups_buffers_init(&b, sizeof b), UPS_OK);
    assert_true(b.size == sizeof b && !b.src && !b.dst && !b.bias && b.bad_count == 0 && b.bad_first == -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_error_yet),
        cmocka_unit_test(test_legal_calls_work),
        cmocka_unit_test(test_constants_of_the_library),
        cmocka_unit_test(test_bad_descriptor_fields),
        cmocka_unit_test(test_bad_activations),
        cmocka_unit_test(test_descriptor_sizes),
        cmocka_unit_test(test_smaller_descriptors),
        cmocka_unit_test(test_desc_init),
        cmocka_unit_test(test_no_default_where_none_makes_sense),
        cmocka_unit_test(test_bad_op_arguments),
        cmocka_unit_test(test_bad_op_arguments_without_weights),
        cmocka_unit_test(test_too_large_to_pack),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_bad_tensors),
        cmocka_unit_test(test_bad_plan_arguments),
        cmocka_unit_test(test_bad_out_sizes),
        cmocka_unit_test(test_no_legal_output),
        cmocka_unit_test(test_overflowing_products),
        cmocka_unit_test(test_tensor_init),
        cmocka_unit_test(test_plan_tensor),
        cmocka_unit_test(test_bad_buffers),
        cmocka_unit_test(test_neighbours_are_legal),
        cmocka_unit_test(test_bad_run_arguments),
        cmocka_unit_test(test_bad_workspace),
        cmocka_unit_test(test_bad_parallel),
        cmocka_unit_test(test_empty_batch),
        cmocka_unit_test(test_broadcast_source),
        cmocka_unit_test(test_strides_of_single_axes),
        cmocka_unit_test(test_destroy_in_any_order),
        cmocka_unit_test(test_set_and_get),
        cmocka_unit_test(test_every_field),
        cmocka_unit_test(test_set_moves_the_field),
        cmocka_unit_test(test_bad_settings),
        cmocka_unit_test(test_get_is_like_snprintf),
        cmocka_unit_test(test_by_preset),
        cmocka_unit_test(test_shape),
        cmocka_unit_test(test_bad_shape),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_strict_defaults),
        cmocka_unit_test(test_difference),
        cmocka_unit_test(test_values_whatever_the_index_type),
        cmocka_unit_test(test_strict_sizes),
        cmocka_unit_test(test_shape_rules),
        cmocka_unit_test(test_solved_pool_pads),
        cmocka_unit_test(test_bad_solve_pads),
        cmocka_unit_test(test_bad_fills),
        cmocka_unit_test(test_fills),
        cmocka_unit_test(test_random_lengths),
        cmocka_unit_test(test_describe),
        cmocka_unit_test(test_cpu_info),
        cmocka_unit_test(test_buffers_init),
    };
    check_random(); /* prints the seed */
    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
