/* SPDX-License-Identifier: MIT
 *
 * Descriptors inside the library: one union, presets, limits.
 */
#ifndef UPS_DESC_H
#define UPS_DESC_H

#include <stdbool.h>

#include "upsample/upsample.h"

union ups_desc {
    ups_desc_head head;
    ups_pool_desc pool;
    ups_unpool_desc unpool;
    ups_expand_desc expand;
    ups_shuffle_desc shuffle;
    ups_resize_desc resize;
    ups_conv_transpose_desc conv_transpose;
};

/* The operation whose fields, presets and limits another one has: of a gradient the forward one, else itself. */
static inline int32_t ups_forward_op(int32_t op)
{
    if (op >= UPS_CONV_TRANSPOSE_GRAD_INPUT && op <= UPS_CONV_TRANSPOSE_GRAD_BIAS) return UPS_CONV_TRANSPOSE;
    return op >= UPS_MAX_POOL_GRAD && op <= UPS_PIXEL_UNSHUFFLE_GRAD ? op - UPS_MAX_POOL_GRAD + UPS_MAX_POOL : op;
}

/* Whether it takes the gradient of the forward output, src, to that of the forward input, dst. */
static inline bool ups_is_grad(int32_t op)
{
    return op == UPS_CONV_TRANSPOSE_GRAD_INPUT || (op >= UPS_MAX_POOL_GRAD && op <= UPS_PIXEL_UNSHUFFLE_GRAD);
}

/* The operation whose sizes and loops it has: the gradient of either shuffle is the other one. */
static inline int32_t ups_runs_as(int32_t op)
{
    return op == UPS_PIXEL_SHUFFLE_GRAD ? UPS_PIXEL_UNSHUFFLE : op == UPS_PIXEL_UNSHUFFLE_GRAD ? UPS_PIXEL_SHUFFLE : op;
}

/* Whether it reads switches. */
static inline bool ups_reads_indices(int32_t op)
{
    return op == UPS_MAX_UNPOOL || op == UPS_MAX_POOL_GRAD || op == UPS_MAX_UNPOOL_GRAD;
}

/* Whether a mode of resize weighs pixels by a filter: nearest and area do not. */
static inline bool ups_mode_filters(int32_t mode)
{
    return mode != UPS_MODE_NEAREST && mode != UPS_MODE_AREA;
}

/* The word of an enum field's value, "?" if it has none. */
const char *ups_field_word(int32_t op, const char *field, int32_t value);

/* Copies a caller's descriptor of any known or future size, resolves what follows from its preset, and checks every
 * field on its own and with the others. The result is what ops and shapes work on. */
int32_t ups_desc_read(union ups_desc *to, const void *from);

/* Only the copy, in the library's own size: fields the caller lacks get their defaults, unknown bytes must be zero. */
int32_t ups_desc_copy(union ups_desc *to, const void *from);

/* One field on its own: its legal range. */
struct ups_field;
int32_t ups_desc_check_field(const union ups_desc *desc, const struct ups_field *field);

/* index.c: whether convention and type of the indices go together. */
int32_t ups_index_check(const union ups_desc *desc);

/* limits.c: what the preset's framework refuses besides, for descriptors that are strict. `in` and `out`: spatial sizes. */
int32_t ups_limits_desc(const union ups_desc *desc);
int32_t ups_limits_sizes(const union ups_desc *desc, const int64_t *in, const int64_t *out);

/* The numbers of presets: what a descriptor's preset field holds. */
enum {
    UPS_PRESET_TORCH = 1,
    UPS_PRESET_ONNX_7,
    UPS_PRESET_ONNX_9,
    UPS_PRESET_ONNX_10,
    UPS_PRESET_ONNX_11,
    UPS_PRESET_ONNX_13,
    UPS_PRESET_ONNX_18,
    UPS_PRESET_ONNX_19,
    UPS_PRESET_ONNX,
    UPS_PRESET_ORT,
    UPS_PRESET_TF,
    UPS_PRESET_TF1,
    UPS_PRESET_TFLITE,
    UPS_PRESET_CAFFE,
    UPS_PRESET_OPENCV,
    UPS_PRESET_PILLOW,
    UPS_PRESET_OPENVINO,
    UPS_PRESET_NCNN,
    UPS_PRESET_ONEDNN,
    UPS_PRESET_XNNPACK,
    UPS_PRESETS /* one more than the last */
};

/* preset.c: fills a descriptor of an operation with a preset's meaning; UPS_INVALID for an unknown preset. */
int32_t ups_preset_fill(union ups_desc *desc, int32_t op, const char *preset);
/* Replaces UPS_BY_PRESET wherever the other fields of the descriptor decide it. */
void ups_preset_resolve(union ups_desc *desc);
/* The name of a preset's number, NULL if there is none. */
const char *ups_preset_name(int32_t preset);

#endif
