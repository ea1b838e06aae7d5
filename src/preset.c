/* SPDX-License-Identifier: MIT
 *
 * Framework presets. A preset fills an ordinary descriptor and does nothing else; where its value depends on another
 * field it leaves UPS_BY_PRESET, which is resolved when the descriptor is read. What differs between frameworks stands in
 * tables below, a row per preset; docs/semantics tells the sources.
 */
#include <stdbool.h>
#include <string.h>

#include "desc.h"
#include "error.h"

static const char *const names[] = {"torch",   "onnx-7", "onnx-9",   "onnx-10", "onnx-11", "onnx-13", "onnx-18",
                                    "onnx-19", "onnx",   "ort",      "tf",      "tf1",     "tflite",  "caffe",
                                    "opencv",  "pillow", "openvino", "ncnn",    "onednn",  "xnnpack"};

const char *ups_preset_name(int32_t preset)
{
    return preset >= 1 && preset < UPS_PRESETS ? names[preset - 1] : NULL;
}

const char *ups_preset(int32_t i)
{
    return i >= 0 && i < UPS_PRESETS - 1 ? names[i] : NULL;
}

/* ---- what a framework does not have ---- */

static const struct {
    int32_t op, first, last; /* presets first … last */
    const char *sentence;
} lacking[] = {
    {UPS_MAX_UNPOOL, UPS_PRESET_ONNX_7, UPS_PRESET_ONNX_7, "MaxUnpool came with opset 9"},
    {UPS_MAX_UNPOOL, UPS_PRESET_TF, UPS_PRESET_TFLITE,
     "it has no unpooling operator; tf.scatter_nd by tf.nn.max_pool_with_argmax's indices does it, "
     "which is preset torch with index nhwc_batch"},
    {UPS_MAX_UNPOOL, UPS_PRESET_OPENVINO, UPS_PRESET_ONEDNN,
     "it has no unpooling operation; take preset torch or onnx"},
    {UPS_PIXEL_SHUFFLE, UPS_PRESET_CAFFE, UPS_PRESET_CAFFE, "it has no such layer; take preset torch"},
    {UPS_PIXEL_SHUFFLE, UPS_PRESET_ONEDNN, UPS_PRESET_ONEDNN, "its shuffle permutes channels only; take preset torch"},
    {UPS_PIXEL_UNSHUFFLE, UPS_PRESET_CAFFE, UPS_PRESET_CAFFE, "it has no such layer; take preset torch"},
    {UPS_PIXEL_UNSHUFFLE, UPS_PRESET_ONEDNN, UPS_PRESET_ONEDNN,
     "its shuffle permutes channels only; take preset torch"},
    {UPS_RESIZE, UPS_PRESET_CAFFE, UPS_PRESET_CAFFE,
     "it has no interpolation layer; its upsampling is Deconvolution with the bilinear filler: "
     "conv_transpose and ups_fill_weights"},
};

static int32_t check_has(int32_t op, int32_t preset)
{
    bool image_library = preset == UPS_PRESET_OPENCV || preset == UPS_PRESET_PILLOW;
    const int32_t forward = ups_forward_op(op);
    if (image_library && forward != UPS_RESIZE && forward != UPS_REPLICATE && forward != UPS_BED_OF_NAILS)
        return ups_error(UPS_UNSUPPORTED,
                         "preset %s has no %s: it is about image resizing alone; take preset torch or onnx",
                         ups_preset_name(preset), ups_op_word(op));
    for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
        if (lacking[i].op == forward && preset >= lacking[i].first && preset <= lacking[i].last)
            return ups_error(UPS_UNSUPPORTED, "preset %s has no %s: %s", ups_preset_name(preset), ups_op_word(op),
                             lacking[i].sentence);
    return UPS_OK;
}

/* ---- filling ---- */

static void set_axes(int64_t axes[3], int64_t value)
{
    for (int i = 0; i < 3; i++) axes[i] = value;
}

/* Which of the tables' families a preset belongs to: every opset of UPS_PRESET_ONNX pools and unpools alike. */
static bool is_onnx(int32_t preset)
{
    return preset >= UPS_PRESET_ONNX_7 && preset <= UPS_PRESET_ONNX;
}

static bool is_tensorflow(int32_t preset)
{
    return preset == UPS_PRESET_TF || preset == UPS_PRESET_TF1 || preset == UPS_PRESET_TFLITE;
}

static const struct pool_row {
    int32_t preset, auto_pad, ceil_mode, count_include_pad, nan, scan, index, index_type;
} pool_rows[] = {
    {UPS_PRESET_TORCH, UPS_NOTSET, 0, 1, UPS_NAN_LAST, UPS_SCAN_ROW_MAJOR, UPS_INDEX_PLANE, UPS_I64},
    {UPS_PRESET_ONNX, UPS_NOTSET, 0, 0, UPS_NAN_SEED, UPS_SCAN_ROW_MAJOR, UPS_INDEX_TENSOR, UPS_I64},
    {UPS_PRESET_TF, UPS_VALID, 0, 0, UPS_NAN_SKIP, UPS_SCAN_ROW_MAJOR, UPS_INDEX_NHWC, UPS_I64},
    {UPS_PRESET_CAFFE, UPS_NOTSET, 1, 1, UPS_NAN_SKIP, UPS_SCAN_ROW_MAJOR, UPS_INDEX_PLANE, UPS_F32},
    {UPS_PRESET_OPENVINO, UPS_NOTSET, 0, 0, UPS_NAN_SKIP, UPS_SCAN_ROW_MAJOR, UPS_INDEX_TENSOR, UPS_I64},
    {UPS_PRESET_NCNN, UPS_NOTSET, 1, 0, UPS_NAN_SKIP, UPS_SCAN_ROW_MAJOR, UPS_INDEX_PLANE, UPS_I32},
    {UPS_PRESET_ONEDNN, UPS_NOTSET, 0, 0, UPS_NAN_SKIP, UPS_SCAN_ROW_MAJOR, UPS_INDEX_WINDOW, UPS_U8},
    {UPS_PRESET_XNNPACK, UPS_NOTSET, 0, 0, UPS_NAN_SEED, UPS_SCAN_COLUMN_MAJOR, UPS_INDEX_WINDOW_COLUMN, UPS_I32},
};

static const struct pool_row *pool_row(int32_t preset)
{
    if (is_onnx(preset) || preset == UPS_PRESET_ORT) preset = UPS_PRESET_ONNX;
    if (is_tensorflow(preset)) preset = UPS_PRESET_TF;
    for (size_t i = 0; i < sizeof pool_rows / sizeof *pool_rows; i++)
        if (pool_rows[i].preset == preset) return &pool_rows[i];
    return pool_rows;
}

static void fill_pool(ups_pool_desc *d)
{
    const struct pool_row *row = pool_row(d->preset);
    set_axes(d->strides, UPS_BY_PRESET);
    set_axes(d->dilations, 1);
    set_axes(d->pads_begin, UPS_BY_PRESET);
    set_axes(d->pads_end, UPS_BY_PRESET);
    d->auto_pad = row->auto_pad;
    d->ceil_mode = row->ceil_mode;
    d->round = UPS_BY_PRESET;
    d->count_include_pad = row->count_include_pad;
    d->divisor = UPS_BY_PRESET;
    d->nan = row->nan;
    d->scan = row->scan;
    d->index = row->index;
    d->index_type = row->index_type;
}

static void fill_unpool(ups_unpool_desc *d)
{
    const struct pool_row *row = pool_row(d->preset);
    set_axes(d->strides, UPS_BY_PRESET);
    set_axes(d->dilations, 1);
    set_axes(d->output_shape, UPS_BY_PRESET);
    d->size_rule = is_onnx(d->preset) || d->preset == UPS_PRESET_ORT ? UPS_UNPOOL_ONNX
                   : d->preset == UPS_PRESET_CAFFE                   ? UPS_UNPOOL_DECONVNET
                                                                     : UPS_UNPOOL_TORCH;
    d->index = row->index;
    d->index_type = row->index_type;
    d->index_space = is_onnx(d->preset) ? UPS_SPACE_INFERRED : UPS_SPACE_OUTPUT;
    d->overlap = UPS_OVERLAP_LAST;
}

static void fill_shuffle(ups_shuffle_desc *d)
{
    bool crd = d->preset == UPS_PRESET_TORCH || d->preset == UPS_PRESET_NCNN;
    d->shuffle = crd ? UPS_CRD : UPS_DCR;
}

/* The framework's own default. */
static int32_t default_mode(int32_t preset)
{
    switch (preset) {
    case UPS_PRESET_TF:
    case UPS_PRESET_TF1:
    case UPS_PRESET_TFLITE:
    case UPS_PRESET_OPENCV:
    case UPS_PRESET_XNNPACK: return UPS_MODE_LINEAR;
    case UPS_PRESET_PILLOW: return UPS_MODE_CUBIC;
    default: return UPS_MODE_NEAREST;
    }
}

static int32_t size_rounding(int32_t preset)
{
    switch (preset) {
    case UPS_PRESET_ORT:
    case UPS_PRESET_NCNN: return UPS_SIZE_FLOOR_F32;
    case UPS_PRESET_OPENVINO: return UPS_SIZE_FLOOR_OPENVINO;
    case UPS_PRESET_OPENCV: return UPS_SIZE_ROUND;
    default: return UPS_SIZE_FLOOR;
    }
}

static void fill_resize(ups_resize_desc *d)
{
    d->mode = default_mode(d->preset);
    d->coordinate_transformation_mode = UPS_BY_PRESET;
    d->nearest_mode = UPS_BY_PRESET;
    d->coordinate_arithmetic = UPS_BY_PRESET;
    set_axes(d->sizes, UPS_BY_PRESET);
    for (int i = 0; i < 3; i++) d->scales[i] = UPS_BY_PRESET;
    d->antialias = UPS_BY_PRESET;
    d->size_rounding = size_rounding(d->preset);
    d->exclude_outside = UPS_BY_PRESET;
    d->cubic_coeff_a = UPS_REAL_BY_PRESET;
    d->lanczos_radius = UPS_BY_PRESET;
    d->area_rule = UPS_BY_PRESET;
    d->keep_aspect_ratio_policy = UPS_STRETCH;
    d->axes = 7;
    for (int i = 3; i < 6; i++) d->roi[i] = 1;
}

static int32_t shape_rule(int32_t preset)
{
    if (is_onnx(preset) || preset == UPS_PRESET_NCNN) return UPS_SHAPE_ONNX;
    if (is_tensorflow(preset)) return UPS_SHAPE_TF;
    return preset == UPS_PRESET_ORT        ? UPS_SHAPE_ORT
           : preset == UPS_PRESET_OPENVINO ? UPS_SHAPE_OPENVINO
                                           : UPS_SHAPE_TORCH;
}

static int32_t weights_layout(int32_t preset)
{
    switch (preset) {
    case UPS_PRESET_NCNN:
    case UPS_PRESET_ONEDNN: return UPS_OIHW;
    case UPS_PRESET_TF:
    case UPS_PRESET_TF1: return UPS_HWOI;
    case UPS_PRESET_TFLITE:
    case UPS_PRESET_XNNPACK: return UPS_OHWI;
    default: return UPS_IOHW;
    }
}

static void fill_conv_transpose(ups_conv_transpose_desc *d)
{
    d->group = 1;
    set_axes(d->strides, 1);
    set_axes(d->dilations, 1);
    set_axes(d->pads_begin, UPS_BY_PRESET);
    set_axes(d->pads_end, UPS_BY_PRESET);
    set_axes(d->output_shape, UPS_BY_PRESET);
    d->auto_pad = is_tensorflow(d->preset) ? UPS_SAME_UPPER : UPS_NOTSET;
    d->shape_rule = shape_rule(d->preset);
    d->weights_layout = weights_layout(d->preset);
    d->activation = UPS_NO_ACTIVATION;
    d->activation_alpha = 0.01;
}

int32_t ups_preset_fill(union ups_desc *desc, int32_t op, const char *preset)
{
    int32_t number = UPS_PRESET_TORCH;
    while (preset && ups_preset_name(number) && strcmp(ups_preset_name(number), preset)) number++;
    if (!ups_preset_name(number))
        return ups_error(
            UPS_INVALID,
            "preset = \"%.40s\" is not known; legal: torch, onnx-7, onnx-9, onnx-10, onnx-11, onnx-13, onnx-18, "
            "onnx-19 (for another opset the last before it), onnx, ort, tf, tf1, tflite, caffe, opencv, pillow, "
            "openvino, ncnn, onednn, xnnpack",
            preset);
    int32_t status = check_has(op, number);
    if (status) return status;
    memset(desc, 0, sizeof *desc);
    desc->head.op = op;
    desc->head.dtype = UPS_F32;
    desc->head.rank = 2;
    desc->head.layout = UPS_CHANNELS_FIRST;
    desc->head.preset = number;
    switch (ups_forward_op(op)) {
    case UPS_MAX_POOL:
    case UPS_AVG_POOL: fill_pool(&desc->pool); break;
    case UPS_MAX_UNPOOL: fill_unpool(&desc->unpool); break;
    case UPS_PIXEL_SHUFFLE:
    case UPS_PIXEL_UNSHUFFLE: fill_shuffle(&desc->shuffle); break;
    case UPS_RESIZE: fill_resize(&desc->resize); break;
    case UPS_CONV_TRANSPOSE: fill_conv_transpose(&desc->conv_transpose); break;
    default: break; /* replicate and bed of nails: no field has a default but 0 */
    }
    return UPS_OK;
}

/* ---- resolving ---- */

/* The window's stride: its size, or 1. */
static void resolve_strides(int32_t preset, int64_t strides[3], const int64_t kernel[3])
{
    bool kernels = preset == UPS_PRESET_TORCH || preset == UPS_PRESET_XNNPACK || is_tensorflow(preset);
    for (int i = 0; i < 3; i++)
        if (strides[i] == UPS_BY_PRESET) strides[i] = kernels ? kernel[i] : 1;
}

/* Pads that nobody gave and no rule chooses are 0. */
static void resolve_pads(int64_t begin[3], int64_t end[3])
{
    for (int i = 0; i < 3; i++) {
        if (begin[i] == UPS_BY_PRESET) begin[i] = 0;
        if (end[i] == UPS_BY_PRESET) end[i] = 0;
    }
}

static int32_t ceil_rule(int32_t preset)
{
    return preset == UPS_PRESET_CAFFE                                   ? UPS_ROUND_CEIL_CAFFE
           : preset == UPS_PRESET_NCNN || preset == UPS_PRESET_OPENVINO ? UPS_ROUND_CEIL
                                                                        : UPS_ROUND_CEIL_CLIP;
}

static void resolve_pool(ups_pool_desc *d)
{
    resolve_strides(d->preset, d->strides, d->kernel_shape);
    if (d->auto_pad == UPS_NOTSET || d->auto_pad == UPS_VALID) resolve_pads(d->pads_begin, d->pads_end);
    if (d->round == UPS_BY_PRESET) d->round = d->ceil_mode ? ceil_rule(d->preset) : UPS_ROUND_FLOOR;
}

/* Where an output samples the input. */
static int32_t coordinate_rule(const ups_resize_desc *d)
{
    bool nearest = d->mode == UPS_MODE_NEAREST;
    switch (d->preset) {
    case UPS_PRESET_TORCH:
    case UPS_PRESET_OPENCV:
    case UPS_PRESET_NCNN: return nearest ? UPS_ASYMMETRIC : UPS_HALF_PIXEL;
    case UPS_PRESET_ONNX_7:
    case UPS_PRESET_ONNX_9:
    case UPS_PRESET_ONNX_10:
    case UPS_PRESET_TF1: return UPS_ASYMMETRIC;
    case UPS_PRESET_TF:
    case UPS_PRESET_TFLITE: return nearest ? UPS_TF_HALF_PIXEL_FOR_NN : UPS_HALF_PIXEL;
    default: return UPS_HALF_PIXEL;
    }
}

static int32_t nearest_rule(const ups_resize_desc *d)
{
    switch (d->preset) {
    case UPS_PRESET_ONNX_7:
    case UPS_PRESET_ONNX_9:
    case UPS_PRESET_ONNX_10: return UPS_NEAREST_SIMPLE;
    case UPS_PRESET_ONNX_11:
    case UPS_PRESET_ONNX_13:
    case UPS_PRESET_ONNX_18:
    case UPS_PRESET_ONNX_19:
    case UPS_PRESET_ONNX:
    case UPS_PRESET_ORT:
    case UPS_PRESET_OPENVINO: return UPS_ROUND_PREFER_FLOOR;
    case UPS_PRESET_ONEDNN: return UPS_ROUND_PREFER_CEIL;
    case UPS_PRESET_TF:
    case UPS_PRESET_TF1:
    case UPS_PRESET_TFLITE:
        return d->coordinate_transformation_mode == UPS_ALIGN_CORNERS ? UPS_ROUND_PREFER_CEIL : UPS_NEAREST_FLOOR;
    default: return UPS_NEAREST_FLOOR;
    }
}

static int32_t arithmetic_rule(const ups_resize_desc *d)
{
    switch (d->preset) {
    case UPS_PRESET_TORCH: return UPS_COORDINATES_TORCH;
    case UPS_PRESET_NCNN: /* PyTorch's, but its nearest copies only what keeps all lengths, and does not replicate */
        return d->mode == UPS_MODE_NEAREST ? UPS_COORDINATES_TF : UPS_COORDINATES_TORCH;
    case UPS_PRESET_ORT: return UPS_COORDINATES_ORT;
    case UPS_PRESET_TF:
    case UPS_PRESET_TF1:
    case UPS_PRESET_TFLITE: return UPS_COORDINATES_TF;
    case UPS_PRESET_OPENVINO:
    case UPS_PRESET_ONEDNN:
    case UPS_PRESET_XNNPACK: return UPS_COORDINATES_F32;
    case UPS_PRESET_PILLOW: return UPS_COORDINATES_ACCUMULATED;
    case UPS_PRESET_OPENCV:
        return d->coordinate_transformation_mode == UPS_ASYMMETRIC ? UPS_COORDINATES_OPENCV
                                                                   : UPS_COORDINATES_ACCUMULATED;
    default: return UPS_COORDINATES_F64;
    }
}

/* TensorFlow's cubic cuts at the border with half-pixel centres, and its lanczos always. */
static bool tensorflow_cuts(const ups_resize_desc *d)
{
    if (d->antialias || d->mode == UPS_MODE_LANCZOS) return true;
    return d->mode == UPS_MODE_CUBIC && d->coordinate_transformation_mode == UPS_HALF_PIXEL;
}

static bool cuts(const ups_resize_desc *d)
{
    if (is_tensorflow(d->preset)) return tensorflow_cuts(d);
    return d->preset == UPS_PRESET_PILLOW || (d->preset == UPS_PRESET_TORCH && d->antialias);
}

static double cubic_coefficient(const ups_resize_desc *d)
{
    return cuts(d) ? -0.5 : -0.75;
}

static void resolve_resize(ups_resize_desc *d)
{
    if (d->antialias == UPS_BY_PRESET) d->antialias = ups_mode_filters(d->mode) && d->preset == UPS_PRESET_PILLOW;
    if (d->coordinate_transformation_mode == UPS_BY_PRESET) d->coordinate_transformation_mode = coordinate_rule(d);
    if (d->nearest_mode == UPS_BY_PRESET) d->nearest_mode = nearest_rule(d);
    if (d->coordinate_arithmetic == UPS_BY_PRESET) d->coordinate_arithmetic = arithmetic_rule(d);
    if (d->cubic_coeff_a == UPS_REAL_BY_PRESET) d->cubic_coeff_a = cubic_coefficient(d);
    if (d->exclude_outside == UPS_BY_PRESET) d->exclude_outside = cuts(d);
    if (d->lanczos_radius == UPS_BY_PRESET) d->lanczos_radius = d->preset == UPS_PRESET_OPENCV ? 4 : 3;
    if (d->area_rule == UPS_BY_PRESET)
        d->area_rule = d->preset == UPS_PRESET_TORCH    ? UPS_AREA_CELLS
                       : d->preset == UPS_PRESET_OPENCV ? UPS_AREA_OVERLAP_OR_LINEAR
                                                        : UPS_AREA_OVERLAP;
}

/* The other rules leave pads to the wanted size, which the plan may bring; mixed arrays are left to the checks. */
static void resolve_conv_transpose(ups_conv_transpose_desc *d)
{
    if (d->auto_pad != UPS_NOTSET || (d->shape_rule != UPS_SHAPE_TORCH && d->shape_rule != UPS_SHAPE_TF)) return;
    for (int i = 0; i < d->rank; i++)
        if (d->pads_begin[i] != UPS_BY_PRESET || d->pads_end[i] != UPS_BY_PRESET) return;
    resolve_pads(d->pads_begin, d->pads_end);
}

void ups_preset_resolve(union ups_desc *desc)
{
    switch (ups_forward_op(desc->head.op)) {
    case UPS_MAX_POOL:
    case UPS_AVG_POOL: resolve_pool(&desc->pool); break;
    case UPS_MAX_UNPOOL: resolve_strides(desc->head.preset, desc->unpool.strides, desc->unpool.kernel_shape); break;
    case UPS_RESIZE: resolve_resize(&desc->resize); break;
    case UPS_CONV_TRANSPOSE: resolve_conv_transpose(&desc->conv_transpose); break;
    default: break;
    }
}
