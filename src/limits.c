/* SPDX-License-Identifier: MIT
 *
 * Descriptors that are strict: what the preset's framework refuses although its meaning is clear. Two tables: legal values of
 * single fields, and rules between fields. docs/semantics tells the sources.
 */
#include <inttypes.h>
#include <stdio.h>

#include "error.h"
#include "fields.h"
#include "shape.h"
#include "size.h"
#include "text.h"

#define OP(op) (1u << UPS_##op)
#define POOLS (OP(MAX_POOL) | OP(AVG_POOL))
#define SHUFFLES (OP(PIXEL_SHUFFLE) | OP(PIXEL_UNSHUFFLE))
#define WINDOWS (POOLS | OP(MAX_UNPOOL))
#define PADDED (WINDOWS | OP(CONV_TRANSPOSE))
#define WORD(word) (1u << UPS_##word)

/* ---- single fields ---- */

/* Presets first … last, operations, field: its legal numbers, or where `words` is not 0 the legal words. low > high: nothing
 * may be given. */
struct limit {
    int32_t first, last;
    uint32_t ops;
    const char *field;
    int64_t low, high;
    uint32_t words;
    const char *why;
};

#define PRESETS(first, last) UPS_PRESET_##first, UPS_PRESET_##last
#define ONLY(preset) PRESETS(preset, preset)
#define NOTHING 1, 0, 0

static const struct limit limits[] = {
    {ONLY(TORCH), PADDED, "auto_pad", 0, 0, WORD(NOTSET), "it takes explicit padding alone"},
    {ONLY(TORCH), OP(AVG_POOL), "dilations", 1, 1, 0, "AvgPool has no dilation"},
    {ONLY(TORCH), OP(AVG_POOL), "count_include_pad", 0, 1, 0, "it is a flag"},
    {ONLY(TORCH), POOLS, "round", 0, 0, WORD(ROUND_FLOOR) | WORD(ROUND_CEIL_CLIP), "its ceil_mode clips"},
    {ONLY(TORCH), OP(MAX_POOL) | OP(MAX_UNPOOL), "index", 0, 0, WORD(INDEX_PLANE), "its indices count in the plane"},
    {ONLY(TORCH), OP(MAX_POOL) | OP(MAX_UNPOOL), "index_type", 0, 0, WORD(I64), "its indices are int64"},
    {ONLY(TORCH), OP(MAX_UNPOOL), "dtype", 0, 0, WORD(F32), "it unpools no bytes"},
    {ONLY(TORCH), OP(MAX_UNPOOL), "dilations", 1, 1, 0, "MaxUnpool has no dilation"},
    {ONLY(TORCH), SHUFFLES, "rank", 2, 2, 0, "pixel_shuffle is for images"},
    {ONLY(TORCH), SHUFFLES, "shuffle", 0, 0, WORD(CRD), "it has no mode"},
    {ONLY(TORCH), OP(RESIZE), "mode", 0, 0, WORD(MODE_NEAREST) | WORD(MODE_LINEAR) | WORD(MODE_CUBIC) | WORD(MODE_AREA),
     "interpolate has no other"},

    {PRESETS(ONNX_7, ONNX_9), OP(MAX_POOL), "dilations", 1, 1, 0, "dilations came with opset 10"},
    {PRESETS(ONNX_7, ONNX_18), OP(AVG_POOL), "dilations", 1, 1, 0, "dilations came with opset 19"},
    {PRESETS(ONNX_7, ONNX_9), POOLS, "round", 0, 0, WORD(ROUND_FLOOR), "ceil_mode came with opset 10"},
    {PRESETS(ONNX_10, ORT), POOLS, "round", 0, 0, WORD(ROUND_FLOOR) | WORD(ROUND_CEIL_CLIP), "its ceil_mode clips"},
    {PRESETS(ONNX_7, ORT), OP(AVG_POOL), "count_include_pad", 0, 1, 0, "it is a flag"},
    {PRESETS(ONNX_7, XNNPACK), OP(AVG_POOL), "divisor", NOTHING, "only torch has divisor_override"},
    {PRESETS(ONNX_7, ORT), OP(MAX_POOL), "index", 0, 0, WORD(INDEX_TENSOR) | WORD(INDEX_TENSOR_COLUMN),
     "storage_order is 0 or 1"},
    {PRESETS(ONNX_7, ORT), OP(MAX_POOL) | OP(MAX_UNPOOL), "index_type", 0, 0, WORD(I64), "its indices are int64"},
    {PRESETS(ONNX_7, ONNX_11), OP(MAX_POOL), "dtype", 0, 0, WORD(F32), "int8 and uint8 came with opset 12"},
    {PRESETS(ONNX_7, ORT), OP(MAX_UNPOOL), "dtype", 0, 0, WORD(F32), "MaxUnpool takes floats alone"},
    {PRESETS(ONNX_7, ORT), OP(MAX_UNPOOL), "dilations", 1, 1, 0, "MaxUnpool has no dilations"},
    {PRESETS(ONNX_7, ORT), SHUFFLES, "rank", 2, 2, 0, "DepthToSpace and SpaceToDepth are for images"},
    {PRESETS(ONNX_7, ONNX_10), OP(PIXEL_SHUFFLE), "shuffle", 0, 0, WORD(DCR), "mode came with opset 11"},
    {PRESETS(ONNX_7, ONNX_19), OP(PIXEL_UNSHUFFLE), "shuffle", 0, 0, WORD(DCR),
     "SpaceToDepth's mode came with opset 28"},
    {PRESETS(ONNX_7, ONNX_10), OP(RESIZE), "mode", 0, 0, WORD(MODE_NEAREST) | WORD(MODE_LINEAR),
     "cubic came with opset 11"},
    {PRESETS(ONNX_11, ORT), OP(RESIZE), "mode", 0, 0, WORD(MODE_NEAREST) | WORD(MODE_LINEAR) | WORD(MODE_CUBIC),
     "Resize has no other"},
    {PRESETS(ONNX_7, ONNX_10), OP(RESIZE), "coordinate_transformation_mode", 0, 0, WORD(ASYMMETRIC),
     "coordinate_transformation_mode came with opset 11"},
    {ONLY(ONNX_11), OP(RESIZE), "coordinate_transformation_mode", 0, 0,
     WORD(HALF_PIXEL) | WORD(ALIGN_CORNERS) | WORD(ASYMMETRIC) | WORD(PYTORCH_HALF_PIXEL) | WORD(TF_HALF_PIXEL_FOR_NN) |
         WORD(TF_CROP_AND_RESIZE),
     "half_pixel_symmetric came with opset 19"},
    {PRESETS(ONNX_13, ONNX_18), OP(RESIZE), "coordinate_transformation_mode", 0, 0,
     WORD(HALF_PIXEL) | WORD(ALIGN_CORNERS) | WORD(ASYMMETRIC) | WORD(PYTORCH_HALF_PIXEL) | WORD(TF_CROP_AND_RESIZE),
     "half_pixel_symmetric came with opset 19, tf_half_pixel_for_nn went with opset 13"},
    {PRESETS(ONNX_19, ONNX), OP(RESIZE), "coordinate_transformation_mode", 0, 0,
     WORD(HALF_PIXEL) | WORD(ALIGN_CORNERS) | WORD(ASYMMETRIC) | WORD(PYTORCH_HALF_PIXEL) | WORD(HALF_PIXEL_SYMMETRIC) |
         WORD(TF_CROP_AND_RESIZE),
     "tf_half_pixel_for_nn went with opset 13"},
    {PRESETS(ONNX_7, ONNX_10), OP(RESIZE), "sizes", NOTHING, "sizes came with opset 11; give scales"},
    {PRESETS(ONNX_7, ONNX_10), OP(RESIZE), "exclude_outside", 0, 0, 0, "exclude_outside came with opset 11"},
    {PRESETS(ONNX_7, ONNX_13), OP(RESIZE), "antialias", 0, 0, 0, "antialias came with opset 18"},
    {PRESETS(ONNX_7, ONNX_13), OP(RESIZE), "keep_aspect_ratio_policy", 0, 0, WORD(STRETCH),
     "keep_aspect_ratio_policy came with opset 18"},

    {PRESETS(TF, TF1), OP(CONV_TRANSPOSE), "dilations", 1, 1, 0, "its CPU kernels have no dilated conv_transpose"},
    {ONLY(TFLITE), OP(CONV_TRANSPOSE), "dilations", 1, 1, 0, "TRANSPOSE_CONV has no dilation"},
    {PRESETS(TF, TFLITE), OP(CONV_TRANSPOSE), "output_padding", 0, 0, 0, "it takes the output's shape instead"},
    {PRESETS(TF, TF1), OP(CONV_TRANSPOSE) | OP(MAX_POOL), "auto_pad", 0, 0,
     WORD(NOTSET) | WORD(SAME_UPPER) | WORD(VALID), "its SAME puts the odd element at the end"},
    {PRESETS(TF, TF1), OP(AVG_POOL), "auto_pad", 0, 0, WORD(SAME_UPPER) | WORD(VALID), "padding is SAME or VALID"},
    {ONLY(TFLITE), POOLS | OP(CONV_TRANSPOSE), "auto_pad", 0, 0, WORD(SAME_UPPER) | WORD(VALID),
     "padding is SAME or VALID"},
    {PRESETS(TF, TFLITE), POOLS, "round", 0, 0, WORD(ROUND_FLOOR), "it does not round up"},
    {PRESETS(TF, TFLITE), OP(AVG_POOL), "count_include_pad", 0, 0, 0, "padding never counts"},
    {PRESETS(TF, TF1), OP(MAX_POOL), "index", 0, 0, WORD(INDEX_NHWC) | WORD(INDEX_NHWC_BATCH),
     "max_pool_with_argmax has include_batch_in_index alone"},
    {ONLY(TFLITE), POOLS, "rank", 2, 2, 0, "its pools are for images"},
    {ONLY(TFLITE), POOLS, "dilations", 1, 1, 0, "its pools have no dilation"},
    {ONLY(TFLITE), OP(CONV_TRANSPOSE), "group", 1, 1, 0, "TRANSPOSE_CONV has no groups"},
    {PRESETS(TF, TFLITE), SHUFFLES, "rank", 2, 2, 0, "depth_to_space and space_to_depth are for images"},
    {PRESETS(TF, TFLITE), SHUFFLES, "shuffle", 0, 0, WORD(DCR), "it has no mode"},
    {PRESETS(TF, TF1), SHUFFLES, "blocksize", 2, UPS_MAX_LENGTH, 0, "block_size is at least 2"},
    {PRESETS(TF, TFLITE), OP(RESIZE), "rank", 2, 2, 0, "it resizes images"},
    {PRESETS(TF1, TFLITE), OP(RESIZE), "antialias", 0, 0, 0, "its kernels have none"},
    {ONLY(TF1), OP(RESIZE), "mode", 0, 0, WORD(MODE_NEAREST) | WORD(MODE_LINEAR) | WORD(MODE_CUBIC) | WORD(MODE_AREA),
     "its raw kernels have no other"},
    {ONLY(TFLITE), OP(RESIZE), "mode", 0, 0, WORD(MODE_NEAREST) | WORD(MODE_LINEAR), "it has no other operator"},

    {ONLY(CAFFE), PADDED, "auto_pad", 0, 0, WORD(NOTSET), "it takes explicit padding alone"},
    {ONLY(CAFFE), WINDOWS, "rank", 2, 2, 0, "its pooling is for images"},
    {ONLY(CAFFE), OP(MAX_POOL) | OP(MAX_UNPOOL), "dtype", 0, 0, WORD(F32), "its blobs are floats"},
    {ONLY(CAFFE), WINDOWS, "dilations", 1, 1, 0, "its pooling has no dilation"},
    {ONLY(CAFFE), OP(CONV_TRANSPOSE), "output_padding", 0, 0, 0,
     "Deconvolution has none; lengthen the kernel by zeros at its end"},
    {ONLY(CAFFE), OP(CONV_TRANSPOSE), "output_shape", NOTHING, "Deconvolution takes none"},

    {PRESETS(OPENCV, PILLOW), OP(RESIZE), "rank", 2, 2, 0, "it resizes images"},
    {ONLY(OPENCV), OP(RESIZE), "antialias", 0, 0, 0, "it has none; mode area is its way to shrink"},
    {ONLY(OPENCV), OP(RESIZE), "mode", 0, 0,
     WORD(MODE_NEAREST) | WORD(MODE_LINEAR) | WORD(MODE_CUBIC) | WORD(MODE_AREA) | WORD(MODE_LANCZOS),
     "it has no other interpolation"},
    {ONLY(OPENCV), OP(RESIZE), "coordinate_transformation_mode", 0, 0, WORD(HALF_PIXEL) | WORD(ASYMMETRIC),
     "it has no other coordinates"},
    {ONLY(OPENCV), OP(RESIZE), "lanczos_radius", 4, 4, 0, "it has LANCZOS4 alone"},
    {ONLY(PILLOW), OP(RESIZE), "mode", 0, 0,
     WORD(MODE_NEAREST) | WORD(MODE_LINEAR) | WORD(MODE_CUBIC) | WORD(MODE_LANCZOS) | WORD(MODE_BOX) |
         WORD(MODE_HAMMING),
     "it has no other filter"},
    {ONLY(PILLOW), OP(RESIZE), "coordinate_transformation_mode", 0, 0, WORD(HALF_PIXEL), "it has no other coordinates"},
    {ONLY(PILLOW), OP(RESIZE), "lanczos_radius", 3, 3, 0, "its LANCZOS has 3"},

    {ONLY(OPENVINO), POOLS, "round", 0, 0, WORD(ROUND_FLOOR) | WORD(ROUND_CEIL) | WORD(ROUND_CEIL_CLIP),
     "rounding_type is floor, ceil or ceil_torch"},
    {ONLY(OPENVINO), OP(MAX_POOL), "index", 0, 0, WORD(INDEX_PLANE) | WORD(INDEX_TENSOR) | WORD(INDEX_CHANNEL),
     "axis counts from N, C or the plane"},
    {ONLY(OPENVINO), OP(RESIZE), "mode", 0, 0, WORD(MODE_NEAREST) | WORD(MODE_LINEAR) | WORD(MODE_CUBIC),
     "Interpolate has no other"},

    {ONLY(NCNN), POOLS, "dilations", 1, 1, 0, "Pooling has no dilation"},
    {ONLY(NCNN), SHUFFLES, "rank", 2, 2, 0, "PixelShuffle is for images"},
    {ONLY(NCNN), OP(RESIZE), "rank", 1, 2, 0, "Interp does not resize volumes"},
    {ONLY(NCNN), OP(RESIZE), "mode", 0, 0, WORD(MODE_NEAREST) | WORD(MODE_LINEAR) | WORD(MODE_CUBIC),
     "Interp has no other"},
    {ONLY(NCNN), OP(RESIZE), "antialias", 0, 0, 0, "Interp has none"},

    {ONLY(ONEDNN), OP(MAX_POOL), "index", 0, 0, WORD(INDEX_WINDOW), "its workspace counts in the window"},
    {ONLY(ONEDNN), OP(RESIZE), "mode", 0, 0, WORD(MODE_NEAREST) | WORD(MODE_LINEAR), "it has no other resampling"},

    {ONLY(XNNPACK), PADDED | OP(RESIZE), "rank", 2, 2, 0, "its operators are for images"},
    {ONLY(XNNPACK), OP(MAX_POOL) | OP(MAX_UNPOOL), "dtype", 0, 0, WORD(F32),
     "argmax pooling and unpooling take floats"},
    {ONLY(XNNPACK), WINDOWS, "dilations", 1, 1, 0, "argmax and average pooling have no dilation"},
    {ONLY(XNNPACK), OP(RESIZE), "mode", 0, 0, WORD(MODE_LINEAR), "it has bilinear resizing alone"},
    {ONLY(XNNPACK), SHUFFLES, "rank", 2, 2, 0, "its operators are for images"},
};

/* The i-th number of a field. */
static int64_t number_of(const union ups_desc *desc, const struct ups_field *f, int i)
{
    const void *at = (const char *)desc + f->offset;
    bool wide = f->kind == UPS_KIND_LENGTH || f->kind == UPS_KIND_AXES;
    return wide ? ((const int64_t *)at)[i] : *(const int32_t *)at;
}

static void put_range(struct ups_text *t, int64_t low, int64_t high)
{
    if (low > high) ups_put(t, "by_preset");
    if (low <= high) ups_put(t, "%" PRId64, low);
    if (low < high) ups_put(t, " to %" PRId64, high);
}

static void put_words(struct ups_text *t, const struct ups_field *f, uint32_t words)
{
    for (const struct ups_word *w = f->words; w->text; w++)
        if (words & (1u << w->value)) ups_put(t, "%s%s", t->length ? ", " : "", w->text);
}

/* "name[axis] = value, strict, preset torch; legal: …, because …"; axis -1: the name alone. */
static int32_t refuse(const union ups_desc *desc, const char *name, int axis, const char *value, const char *legal,
                      const char *why)
{
    char index[16] = "";
    if (axis >= 0) snprintf(index, sizeof index, "[%d]", axis);
    return ups_error(UPS_INVALID, "%s%s = %s, strict, preset %s; legal: %s, because %s", name, index, value,
                     ups_preset_name(desc->head.preset), legal, why);
}

static int32_t check_number(const union ups_desc *desc, const char *name, int axis, int64_t value, int64_t low,
                            int64_t high, const char *why)
{
    char number[24], legal[64];
    if (value >= low && value <= high) return UPS_OK;
    snprintf(number, sizeof number, "%" PRId64, value);
    put_range(&(struct ups_text){legal, sizeof legal, 0}, low, high);
    return refuse(desc, name, axis, number, legal, why);
}

static int32_t check_limit(const union ups_desc *desc, const struct limit *l)
{
    const struct ups_field *f = ups_find_field(desc->head.op, l->field);
    if (!f || ups_is_by_preset(f, desc)) return UPS_OK;
    int32_t status = UPS_OK, count = f->kind == UPS_KIND_AXES ? desc->head.rank : 1;
    if (l->words) {
        char legal[160];
        int32_t word = (int32_t)number_of(desc, f, 0);
        if (l->words >> word & 1) return UPS_OK;
        put_words(&(struct ups_text){legal, sizeof legal, 0}, f, l->words);
        return refuse(desc, f->name, -1, ups_find_word(f, word)->text, legal, l->why);
    }
    for (int i = 0; i < count && !status; i++)
        status = check_number(desc, f->name, f->kind == UPS_KIND_AXES ? i : -1, number_of(desc, f, i), l->low, l->high,
                              l->why);
    return status;
}

/* ---- fields with one another ---- */

struct window {
    const int64_t *kernel, *strides, *dilations, *begin, *end;
};

static struct window window_of(const union ups_desc *desc)
{
    const ups_pool_desc *p = &desc->pool;
    const ups_unpool_desc *u = &desc->unpool;
    const ups_conv_transpose_desc *c = &desc->conv_transpose;
    switch (ups_forward_op(desc->head.op)) {
    case UPS_MAX_UNPOOL: return (struct window){u->kernel_shape, u->strides, u->dilations, u->pads_begin, u->pads_end};
    case UPS_CONV_TRANSPOSE:
        return (struct window){c->kernel_shape, c->strides, c->dilations, c->pads_begin, c->pads_end};
    default: return (struct window){p->kernel_shape, p->strides, p->dilations, p->pads_begin, p->pads_end};
    }
}

static int32_t symmetric_pads(const union ups_desc *desc, int a)
{
    struct window w = window_of(desc);
    return check_number(desc, "pads_end", a, w.end[a], w.begin[a], w.begin[a], "padding is the same at both ends");
}

static int32_t half_pads(const union ups_desc *desc, int a)
{
    struct window w = window_of(desc);
    int64_t extent = ups_extent(w.kernel[a], w.dilations[a]);
    return check_number(desc, "pads_begin", a, w.begin[a], 0, extent / 2, "padding is at most half the window");
}

/* By-preset pads (-1) follow auto_pad. */
static int32_t pads_within_kernel(const union ups_desc *desc, int a)
{
    struct window w = window_of(desc);
    const char *why = "padding is smaller than the kernel";
    int32_t status = check_number(desc, "pads_begin", a, w.begin[a], UPS_BY_PRESET, w.kernel[a] - 1, why);
    return status ? status : check_number(desc, "pads_end", a, w.end[a], UPS_BY_PRESET, w.kernel[a] - 1, why);
}

static int32_t output_padding_within_stride(const union ups_desc *desc, int a)
{
    const ups_conv_transpose_desc *d = &desc->conv_transpose;
    return check_number(desc, "output_padding", a, d->output_padding[a], 0, d->strides[a] - 1,
                        "output padding is smaller than the stride, dilated or not");
}

static int32_t disjoint_windows(const union ups_desc *desc, int a)
{
    struct window w = window_of(desc);
    return check_number(desc, "strides", a, w.strides[a], w.kernel[a], w.kernel[a], "its windows never overlap");
}

static int32_t every_axis(const union ups_desc *desc, int a)
{
    int32_t all = (1 << desc->head.rank) - 1;
    return a ? UPS_OK : check_number(desc, "axes", -1, desc->resize.axes & all, all, all, "axes came with opset 18");
}

static int32_t sizes_alone(const union ups_desc *desc, int a)
{
    char scale[32];
    if (desc->resize.scales[a] == UPS_BY_PRESET) return UPS_OK;
    snprintf(scale, sizeof scale, "%g", desc->resize.scales[a]);
    return refuse(desc, "scales", a, scale, "by_preset", "it takes sizes alone");
}

static int32_t cubic_of_images(const union ups_desc *desc, int a)
{
    if (a || desc->resize.mode != UPS_MODE_CUBIC) return UPS_OK;
    return check_number(desc, "rank", -1, desc->head.rank, 2, 2, "mode cubic is for images");
}

static int32_t antialias_of_images(const union ups_desc *desc, int a)
{
    if (a || !desc->resize.antialias) return UPS_OK;
    return check_number(desc, "rank", -1, desc->head.rank, 2, 2, "antialias is for images");
}

static int32_t filters_widen(const union ups_desc *desc, int a)
{
    if (a || !ups_mode_filters(desc->resize.mode)) return UPS_OK;
    return check_number(desc, "antialias", -1, desc->resize.antialias, 1, 1, "its filters always widen");
}

static int32_t torch_coordinates(const union ups_desc *desc, int a)
{
    const ups_resize_desc *d = &desc->resize;
    int32_t mode = d->coordinate_transformation_mode;
    bool nearest = d->mode == UPS_MODE_NEAREST;
    bool exact = mode == UPS_HALF_PIXEL && d->nearest_mode == UPS_ROUND_PREFER_CEIL;
    bool plain = mode == UPS_ASYMMETRIC && d->nearest_mode == UPS_NEAREST_FLOOR;
    if (a || (nearest ? exact || plain : mode == UPS_HALF_PIXEL || mode == UPS_ALIGN_CORNERS)) return UPS_OK;
    return refuse(
        desc, "coordinate_transformation_mode", -1, ups_field_word(d->op, "coordinate_transformation_mode", mode),
        nearest ? "asymmetric with nearest_mode floor, half_pixel with round_prefer_ceil" : "half_pixel, align_corners",
        nearest ? "it has nearest and nearest-exact" : "align_corners is a flag");
}

/* Asked once for every axis. */
static const struct {
    int32_t first, last;
    uint32_t ops;
    int32_t (*check)(const union ups_desc *desc, int axis);
} rules[] = {
    /* clang-format off */
    {ONLY(TORCH), PADDED, symmetric_pads},
    {ONLY(TORCH), POOLS, half_pads},
    {ONLY(TORCH), OP(RESIZE), cubic_of_images},
    {ONLY(TORCH), OP(RESIZE), antialias_of_images},
    {ONLY(TORCH), OP(RESIZE), torch_coordinates},
    {PRESETS(ONNX_7, ONNX_13), OP(RESIZE), every_axis},
    {PRESETS(TF, TFLITE), OP(RESIZE), sizes_alone},
    {ONLY(PILLOW), OP(RESIZE), sizes_alone},
    {ONLY(PILLOW), OP(RESIZE), filters_widen},
    {ONLY(XNNPACK), OP(RESIZE), sizes_alone},
    {ONLY(ORT), POOLS, pads_within_kernel},
    {ONLY(ORT), OP(CONV_TRANSPOSE), output_padding_within_stride},
    {ONLY(ORT), OP(RESIZE), cubic_of_images},
    {ONLY(CAFFE), PADDED, symmetric_pads},
    {ONLY(XNNPACK), OP(MAX_POOL) | OP(MAX_UNPOOL), disjoint_windows},
    /* clang-format on */
};

static bool meant(const union ups_desc *desc, int32_t first, int32_t last, uint32_t ops)
{
    return desc->head.preset >= first && desc->head.preset <= last && (ops >> ups_forward_op(desc->head.op) & 1);
}

int32_t ups_limits_desc(const union ups_desc *desc)
{
    int32_t status = UPS_OK;
    for (size_t i = 0; i < sizeof limits / sizeof *limits && !status; i++)
        if (meant(desc, limits[i].first, limits[i].last, limits[i].ops)) status = check_limit(desc, &limits[i]);
    for (size_t i = 0; i < sizeof rules / sizeof *rules && !status; i++)
        for (int a = 0; a < desc->head.rank && !status; a++)
            if (meant(desc, rules[i].first, rules[i].last, rules[i].ops)) status = rules[i].check(desc, a);
    return status;
}

/* ---- sizes ---- */

/* PyTorch's 3-D average pool, whatever its padding. */
static int32_t whole_window(const union ups_desc *desc, int a, int64_t in)
{
    struct window w = window_of(desc);
    int64_t extent = ups_extent(w.kernel[a], w.dilations[a]);
    if (desc->head.rank < 3) return UPS_OK;
    return check_number(desc, "in", a, in, extent, UPS_MAX_LENGTH,
                        "a 3-D average pool wants a whole window in the image");
}

/* PyTorch's output_size, where it is not what output_padding gives. */
static int32_t output_size_within_stride(const union ups_desc *desc, int a, int64_t in, int64_t out)
{
    const ups_conv_transpose_desc *d = &desc->conv_transpose;
    struct ups_pads pads;
    ups_axis_pads(desc, a, in, out, &pads);
    int64_t least = out - pads.output;
    if (pads.output == d->output_padding[a]) return UPS_OK;
    return check_number(desc, "out_sizes", a, out, least, least + d->strides[a] - 1,
                        "output_size reaches less than a stride");
}

int32_t ups_limits_sizes(const union ups_desc *desc, const int64_t *in, const int64_t *out)
{
    int32_t status = UPS_OK;
    for (int a = 0; a < desc->head.rank && !status; a++) {
        if (meant(desc, ONLY(TORCH), OP(AVG_POOL))) status = whole_window(desc, a, in[a]);
        if (meant(desc, ONLY(TORCH), OP(CONV_TRANSPOSE))) status = output_size_within_stride(desc, a, in[a], out[a]);
        if (meant(desc, PRESETS(ONNX_7, ONNX_9), OP(RESIZE)))
            status = check_number(desc, "out_sizes", a, out[a], in[a], UPS_MAX_LENGTH, "Upsample does not shrink");
    }
    return status;
}
