/* SPDX-License-Identifier: MIT */
#include "fields.h"

#include <stdio.h>
#include <string.h>

#include "size.h"

/* ---- words ---- */

#define WORDS(name) static const struct ups_word name[]
#define LAST_WORD {NULL, 0, NULL}

WORDS(dtype_words) = {{"f32", UPS_F32, "32-bit floats"}, LAST_WORD};
WORDS(pooled_dtype_words) = {{"f32", UPS_F32, "32-bit floats"},
                             {"u8", UPS_U8, "unsigned bytes, for max_pool and max_unpool"},
                             {"s8", UPS_S8, "signed bytes, for max_pool and max_unpool"},
                             LAST_WORD};
WORDS(layout_words) = {{"first", UPS_CHANNELS_FIRST, "N C spatial in memory"},
                       {"last", UPS_CHANNELS_LAST, "N spatial C in memory"},
                       LAST_WORD};
WORDS(auto_pad_words) = {{"notset", UPS_NOTSET, "pads as given"},
                         {"same_upper", UPS_SAME_UPPER, "pads for ceil(n/s) windows, the odd element at the end"},
                         {"same_lower", UPS_SAME_LOWER, "pads for ceil(n/s) windows, the odd element at the begin"},
                         {"valid", UPS_VALID, "no pads, whole windows only"},
                         LAST_WORD};
WORDS(deconv_auto_pad_words) = {
    {"notset", UPS_NOTSET, "pads as given, or by shape_rule from the wanted size"},
    {"same_upper", UPS_SAME_UPPER, "pads for m = n*s or the wanted size, split by shape_rule for upper"},
    {"same_lower", UPS_SAME_LOWER, "pads for m = n*s or the wanted size, split by shape_rule for lower"},
    {"valid", UPS_VALID, "no pads, or by shape_rule from the wanted size"},
    LAST_WORD};
WORDS(round_words) = {
    {"floor", UPS_ROUND_FLOOR, "a last window that is not whole is left out"},
    {"ceil", UPS_ROUND_CEIL, "a last window that is not whole counts, even one that lies outside altogether"},
    {"ceil_clip", UPS_ROUND_CEIL_CLIP, "a last window that is not whole counts if it starts before n + pads_begin"},
    {"ceil_caffe", UPS_ROUND_CEIL_CAFFE, "as ceil_clip where some pad is not 0, else as ceil"},
    LAST_WORD};
WORDS(count_words) = {{"0", 0, "taps inside the image"},
                      {"1", 1, "taps before n + pads_end: padding counts, what rounding up adds does not"},
                      {"window", 2, "every tap of the window"},
                      LAST_WORD};
WORDS(nan_words) = {{"last", UPS_NAN_LAST, "a NaN wins, the last one of a window"},
                    {"seed", UPS_NAN_SEED, "a NaN wins only as the first tap of a window"},
                    {"skip", UPS_NAN_SKIP, "a NaN never wins"},
                    LAST_WORD};
WORDS(scan_words) = {{"row_major", UPS_SCAN_ROW_MAJOR, "the last axis of a window runs fastest"},
                     {"column_major", UPS_SCAN_COLUMN_MAJOR, "the first axis of a window runs fastest"},
                     LAST_WORD};
WORDS(index_words) = {{"plane", UPS_INDEX_PLANE, "h*W + w"},
                      {"tensor", UPS_INDEX_TENSOR, "((n*C + c)*H + h)*W + w"},
                      {"tensor_column", UPS_INDEX_TENSOR_COLUMN, "(n*C + c)*H*W + h + w*H"},
                      {"channel", UPS_INDEX_CHANNEL, "(c*H + h)*W + w"},
                      {"nhwc", UPS_INDEX_NHWC, "(h*W + w)*C + c"},
                      {"nhwc_batch", UPS_INDEX_NHWC_BATCH, "((n*H + h)*W + w)*C + c"},
                      {"window", UPS_INDEX_WINDOW, "kh*KW + kw, from the window's own start"},
                      {"window_column", UPS_INDEX_WINDOW_COLUMN, "kh + kw*KH, from the window's own start"},
                      LAST_WORD};
WORDS(index_type_words) = {{"i64", UPS_I64, "64-bit integers"},
                           {"i32", UPS_I32, "32-bit integers"},
                           {"u8", UPS_U8, "bytes, for the window conventions"},
                           {"f32", UPS_F32, "floats, exact below 2^24"},
                           LAST_WORD};
WORDS(size_rule_words) = {
    {"torch", UPS_UNPOOL_TORCH, "(n-1)*s - pads + k, or an output_shape less than a stride away"},
    {"onnx", UPS_UNPOOL_ONNX, "(n-1)*s - pads + k, or an output_shape that is not smaller"},
    {"deconvnet", UPS_UNPOOL_DECONVNET, "the larger of (n-1)*s - pads + k and n*s - pad + 1, or any output_shape"},
    LAST_WORD};
WORDS(space_words) = {
    {"output", UPS_SPACE_OUTPUT, "indices address the output"},
    {"inferred", UPS_SPACE_INFERRED, "indices address the derived shape, placed at the origin of the output"},
    LAST_WORD};
WORDS(overlap_words) = {{"last", UPS_OVERLAP_LAST, "the last of several elements for one place stays"},
                        {"first", UPS_OVERLAP_FIRST, "the first of several elements for one place stays"},
                        {"sum", UPS_OVERLAP_SUM, "several elements for one place are added"},
                        {"error", UPS_OVERLAP_ERROR, "a second element for one place is reported as a bad index"},
                        LAST_WORD};
WORDS(shuffle_words) = {{"CRD", UPS_CRD, "channel (c*b + i)*b + j goes to c, block place i, j"},
                        {"DCR", UPS_DCR, "channel (i*b + j)*C' + c goes to c, block place i, j"},
                        LAST_WORD};
WORDS(mode_words) = {{"nearest", UPS_MODE_NEAREST, "one pixel"},
                     {"linear", UPS_MODE_LINEAR, "two pixels per axis, by distance"},
                     {"cubic", UPS_MODE_CUBIC, "four pixels per axis, Keys's cubic"},
                     {"area", UPS_MODE_AREA, "the mean over the output pixel's area"},
                     {"lanczos", UPS_MODE_LANCZOS, "2*lanczos_radius pixels per axis, windowed sinc"},
                     {"box", UPS_MODE_BOX, "pixels within half a pixel, equally"},
                     {"hamming", UPS_MODE_HAMMING, "two pixels per axis, Hamming-windowed sinc"},
                     LAST_WORD};
WORDS(coordinate_words) = {
    {"half_pixel", UPS_HALF_PIXEL, "x = (o + 0.5)/scale - 0.5"},
    {"align_corners", UPS_ALIGN_CORNERS, "x = o*(n-1)/(m-1): corner pixels fall on corner pixels"},
    {"asymmetric", UPS_ASYMMETRIC, "x = o/scale"},
    {"pytorch_half_pixel", UPS_PYTORCH_HALF_PIXEL, "x = (o + 0.5)/scale - 0.5, but 0 for an output of length 1"},
    {"half_pixel_symmetric", UPS_HALF_PIXEL_SYMMETRIC, "half_pixel about the middle, for scales that do not divide"},
    {"tf_half_pixel_for_nn", UPS_TF_HALF_PIXEL_FOR_NN, "x = (o + 0.5)/scale"},
    {"tf_crop_and_resize", UPS_TF_CROP_AND_RESIZE, "corners of roi fall on corner pixels"},
    LAST_WORD};
WORDS(nearest_words) = {{"floor", UPS_NEAREST_FLOOR, "floor(x)"},
                        {"ceil", UPS_NEAREST_CEIL, "ceil(x)"},
                        {"round_prefer_floor", UPS_ROUND_PREFER_FLOOR, "ceil(x - 0.5): ties go down"},
                        {"round_prefer_ceil", UPS_ROUND_PREFER_CEIL, "floor(x + 0.5): ties go up"},
                        {"simple", UPS_NEAREST_SIMPLE, "ceil(x) where the scale is below 1, else floor(x)"},
                        LAST_WORD};
WORDS(arithmetic_words) = {
    {"f64", UPS_COORDINATES_F64, "formulas in double"},
    {"torch", UPS_COORDINATES_TORCH, "PyTorch's f32 operations, and its copies where a length does not change"},
    {"ort", UPS_COORDINATES_ORT, "ONNX Runtime's f32 operations; ties within 1e-6; a copy where no size changes"},
    {"tf", UPS_COORDINATES_TF, "TensorFlow's f32 operations; cubic weights from a table of 1024 steps"},
    {"f32", UPS_COORDINATES_F32, "formulas in f32"},
    {"accumulated", UPS_COORDINATES_ACCUMULATED, "nearest by a running sum in double"},
    {"opencv", UPS_COORDINATES_OPENCV, "nearest by floor(o * (1/(m/n))) in double"},
    LAST_WORD};
WORDS(size_rounding_words) = {{"floor", UPS_SIZE_FLOOR, "floor(n*scale) in double"},
                              {"floor_f32", UPS_SIZE_FLOOR_F32, "floor(n*scale) in f32"},
                              {"floor_openvino", UPS_SIZE_FLOOR_OPENVINO, "floor(n*(scale + 1e-6)) in f32"},
                              {"round", UPS_SIZE_ROUND, "n*scale to the nearest, halves to even"},
                              LAST_WORD};
WORDS(area_words) = {
    {"cells", UPS_AREA_CELLS, "means of whole pixels from floor(o*n/m) to ceil((o+1)*n/m)"},
    {"overlap", UPS_AREA_OVERLAP, "means weighted by the length that each pixel shares with the output pixel"},
    {"overlap_or_linear", UPS_AREA_OVERLAP_OR_LINEAR, "overlap, or OpenCV's linear variant when an axis grows"},
    LAST_WORD};
WORDS(aspect_words) = {{"stretch", UPS_STRETCH, "each axis to its own size"},
                       {"not_larger", UPS_NOT_LARGER, "one scale for all axes, no output larger than sizes"},
                       {"not_smaller", UPS_NOT_SMALLER, "one scale for all axes, no output smaller than sizes"},
                       LAST_WORD};
WORDS(shape_rule_words) = {
    {"torch", UPS_SHAPE_TORCH, "a wanted size chooses the output padding"},
    {"onnx", UPS_SHAPE_ONNX,
     "a wanted size chooses the pads: the odd element is cut at the end for same_upper, else at the begin"},
    {"ort", UPS_SHAPE_ORT,
     "as onnx, never adding padding: without a wanted size, kernels shorter than the stride give less than n*s"},
    {"tf", UPS_SHAPE_TF,
     "the size must be one that the forward convolution takes back to n; the odd element is cut at the end"},
    {"openvino", UPS_SHAPE_OPENVINO,
     "a wanted size cuts the odd element at the begin for same_upper, at the end for same_lower, else the end alone"},
    LAST_WORD};
WORDS(weights_words) = {{"IOHW", UPS_IOHW, "[I, O/group, kernel]"}, {"OIHW", UPS_OIHW, "[O, I/group, kernel]"},
                        {"HWOI", UPS_HWOI, "[kernel, O, I/group]"}, {"OHWI", UPS_OHWI, "[O, kernel, I/group]"},
                        {"HWIO", UPS_HWIO, "[kernel, I, O/group]"}, LAST_WORD};
WORDS(activation_words) = {{"none", UPS_NO_ACTIVATION, "the sum as it is"},
                           {"relu", UPS_RELU, "v < 0 ? 0 : v"},
                           {"leaky_relu", UPS_LEAKY_RELU, "v < 0 ? v*slope : v, written leaky_relu:slope"},
                           {"clip", UPS_CLIP, "v within [low, high], written clip:low,high"},
                           {"sigmoid", UPS_SIGMOID, "1/(1 + e^-v)"},
                           {"tanh", UPS_TANH, "the hyperbolic tangent of v"},
                           LAST_WORD};

/* ---- fields ---- */

#define FIELD(type, name, kind, low, high, by_preset, words, meaning, known_as) \
    {#name, UPS_KIND_##kind, offsetof(type, name), low, high, by_preset, words, meaning, known_as}
#define AXES(type, name, low, by_preset, meaning, known_as) \
    FIELD(type, name, AXES, low, UPS_MAX_LENGTH, by_preset, NULL, meaning, known_as)
#define LENGTH(type, name, by_preset, meaning, known_as) \
    FIELD(type, name, LENGTH, 1, UPS_MAX_LENGTH, by_preset, NULL, meaning, known_as)
#define NUMBER(type, name, low, high, by_preset, meaning, known_as) \
    FIELD(type, name, NUMBER, low, high, by_preset, NULL, meaning, known_as)
#define WORD(type, name, words, by_preset, meaning, known_as) \
    FIELD(type, name, WORD, 0, 0, by_preset, words, meaning, known_as)
#define PADS(type, by_preset, known_as)                                   \
    {"pads",                                                              \
     UPS_KIND_PADS,                                                       \
     offsetof(type, pads_begin),                                          \
     0,                                                                   \
     UPS_MAX_LENGTH,                                                      \
     by_preset,                                                           \
     NULL,                                                                \
     "padding at the begin of every axis, then at the end of every axis", \
     known_as}
#define HEAD HEAD_OF(dtype_words)
#define HEAD_OF(words)                                                                                     \
    WORD(ups_desc_head, dtype, words, false, "the type of the elements", NULL),                            \
        NUMBER(ups_desc_head, rank, 1, 3, false, "spatial axes", NULL),                                    \
        WORD(ups_desc_head, layout, layout_words, false, "the order of axes in memory", "tf data_format"), \
        NUMBER(ups_desc_head, strict, 0, 1, false, "1: refuse also what the preset's framework refuses", NULL)
#define LAST_FIELD {NULL, UPS_KIND_NUMBER, 0, 0, 0, false, NULL, NULL, NULL}

#define WINDOW_NAMES \
    "torch kernel_size; tf ksize; tflite filter_width, filter_height; caffe kernel_size; ncnn kernel_w, kernel_h"

#define POOL_WINDOW                                                                                                   \
    AXES(ups_pool_desc, kernel_shape, 1, false, "the window", WINDOW_NAMES),                                          \
        AXES(ups_pool_desc, strides, 1, true, "steps between windows",                                                \
             "torch stride; caffe stride; ncnn stride_w, stride_h"),                                                  \
        AXES(ups_pool_desc, dilations, 1, false, "steps between the taps of a window", "torch dilation"),             \
        PADS(ups_pool_desc, true, "torch padding; caffe pad; ncnn pad_left, pad_top; openvino pads_begin, pads_end"), \
        WORD(ups_pool_desc, auto_pad, auto_pad_words, false, "who chooses the pads",                                  \
             "tf padding; ncnn pad_mode 2, 3"),                                                                       \
        NUMBER(ups_pool_desc, ceil_mode, 0, 1, false,                                                                 \
               "whether the number of windows is rounded up, while round is by_preset",                               \
               "ncnn pad_mode 0; openvino rounding_type; caffe round_mode"),                                          \
        WORD(ups_pool_desc, round, round_words, true, "which windows at the end of an axis count",                    \
             "openvino rounding_type")

#define MAX_POOL                                                                                     \
    POOL_WINDOW, WORD(ups_pool_desc, nan, nan_words, false, "what a NaN in a window does", NULL),    \
        WORD(ups_pool_desc, scan, scan_words, false, "which of equal values gives the index", NULL), \
        WORD(ups_pool_desc, index, index_words, false, "what the recorded index says",               \
             "onnx storage_order; openvino axis; tf include_batch_in_index"),                        \
        WORD(ups_pool_desc, index_type, index_type_words, false, "the type of the recorded index",   \
             "openvino index_element_type; tf output_dtype"),                                        \
        LAST_FIELD

static const struct ups_field max_pool_fields[] = {HEAD_OF(pooled_dtype_words), MAX_POOL};
static const struct ups_field max_pool_grad_fields[] = {HEAD, MAX_POOL};

static const struct ups_field avg_pool_fields[] = {
    HEAD,
    POOL_WINDOW,
    WORD(ups_pool_desc, count_include_pad, count_words, false, "which taps the sum is divided by",
         "openvino exclude-pad; ncnn avgpool_count_include_pad"),
    LENGTH(ups_pool_desc, divisor, true, "what the sum is divided by instead of the number of taps",
           "torch divisor_override"),
    LAST_FIELD,
};

#define MAX_UNPOOL                                                                                                    \
    AXES(ups_unpool_desc, kernel_shape, 1, false, "the window of the pooling", WINDOW_NAMES),                         \
        AXES(ups_unpool_desc, strides, 1, true, "steps between its windows", "torch stride"),                         \
        AXES(ups_unpool_desc, dilations, 1, false, "steps between the taps of its window", NULL),                     \
        PADS(ups_unpool_desc, false, "torch padding"),                                                                \
        AXES(ups_unpool_desc, output_shape, 1, true, "the output's size",                                             \
             "torch output_size; caffe upsample_h, upsample_w"),                                                      \
        WORD(ups_unpool_desc, size_rule, size_rule_words, false,                                                      \
             "the output's size where none is given, and which may be given", NULL),                                  \
        WORD(ups_unpool_desc, index, index_words, false, "what an index says", NULL),                                 \
        WORD(ups_unpool_desc, index_type, index_type_words, false, "the type of the indices", NULL),                  \
        WORD(ups_unpool_desc, index_space, space_words, false, "which shape an index addresses when a size is given", \
             NULL),                                                                                                   \
        WORD(ups_unpool_desc, overlap, overlap_words, false, "what happens when several elements go to one place",    \
             NULL),                                                                                                   \
        LAST_FIELD

static const struct ups_field unpool_fields[] = {HEAD_OF(pooled_dtype_words), MAX_UNPOOL};
static const struct ups_field unpool_grad_fields[] = {HEAD, MAX_UNPOOL};

static const struct ups_field expand_fields[] = {
    HEAD,
    AXES(ups_expand_desc, factor, 1, false, "output elements per input element", "torch scale_factor; caffe scale"),
    AXES(ups_expand_desc, offset, 0, false, "the place of the input element among them, for bed_of_nails", NULL),
    LAST_FIELD,
};

static const struct ups_field shuffle_fields[] = {
    HEAD,
    LENGTH(ups_shuffle_desc, blocksize, false, "the factor on every spatial axis",
           "torch upscale_factor, downscale_factor; tf block_size; openvino block_size; ncnn upscale_factor"),
    WORD(ups_shuffle_desc, shuffle, shuffle_words, false, "which channel goes to which place of a block",
         "onnx mode; openvino mode; ncnn mode"),
    LAST_FIELD,
};

static const struct ups_field resize_fields[] = {
    HEAD,
    WORD(ups_resize_desc, mode, mode_words, false, "the filter",
         "tf method; opencv interpolation; pillow resample; ncnn resize_type; onednn algorithm"),
    WORD(ups_resize_desc, coordinate_transformation_mode, coordinate_words, true, "where an output samples the input",
         "torch align_corners; tf align_corners, half_pixel_centers; tflite align_corners, half_pixel_centers; ncnn "
         "align_corner"),
    WORD(ups_resize_desc, nearest_mode, nearest_words, true, "which pixel nearest takes",
         "torch nearest-exact is round_prefer_ceil with half_pixel"),
    WORD(ups_resize_desc, coordinate_arithmetic, arithmetic_words, true,
         "how coordinates are rounded, which decides ties of nearest and the last bits of other filters", NULL),
    AXES(ups_resize_desc, sizes, 1, true, "output lengths", "torch size; opencv dsize; openvino sizes"),
    {"scales", UPS_KIND_SCALES, offsetof(ups_resize_desc, scales), 0, 0, true, NULL,
     "output over input length, as it enters the coordinates",
     "torch scale_factor; opencv fx, fy; ncnn height_scale, width_scale"},
    NUMBER(ups_resize_desc, antialias, 0, 1, true, "whether the filter widens when it shrinks", NULL),
    NUMBER(ups_resize_desc, exclude_outside, 0, 1, true,
           "whether pixels outside the image weigh nothing instead of repeating the border", NULL),
    FIELD(ups_resize_desc, cubic_coeff_a, REAL, 0, 0, true, NULL, "the cubic's parameter a", "openvino cube_coeff"),
    NUMBER(ups_resize_desc, lanczos_radius, 1, 8, true, "half the pixels of lanczos",
           "tf lanczos3, lanczos5; opencv LANCZOS4; pillow LANCZOS is 3"),
    WORD(ups_resize_desc, area_rule, area_words, true, "how area weighs pixels that it covers in part", NULL),
    WORD(ups_resize_desc, keep_aspect_ratio_policy, aspect_words, false, "whether sizes stretch the picture", NULL),
    WORD(ups_resize_desc, size_rounding, size_rounding_words, false, "which size a scale gives", NULL),
    FIELD(ups_resize_desc, axes, SUBSET, 0, 0, false, NULL, "the spatial axes that are resized, from 0",
          "onnx axes count N and C too: 2 is 0 here"),
    FIELD(ups_resize_desc, roi, ROI, 0, 0, false, NULL,
          "begins, then ends of the region for tf_crop_and_resize, as parts of n - 1", "tf boxes"),
    FIELD(ups_resize_desc, extrapolation_value, REAL, 0, 0, false, NULL,
          "the output for coordinates outside the image, for tf_crop_and_resize", NULL),
    LAST_FIELD,
};

static const struct ups_field conv_transpose_fields[] = {
    HEAD,
    LENGTH(ups_conv_transpose_desc, in_channels, false, "channels of the input", NULL),
    LENGTH(ups_conv_transpose_desc, out_channels, false, "channels of the output",
           "tf filters; caffe num_output; ncnn num_output"),
    LENGTH(ups_conv_transpose_desc, group, false, "independent groups of channels", "torch groups"),
    AXES(ups_conv_transpose_desc, kernel_shape, 1, false, "the kernel",
         "torch kernel_size; caffe kernel_size; ncnn kernel_w, kernel_h"),
    AXES(ups_conv_transpose_desc, strides, 1, false, "output elements per input element",
         "torch stride; caffe stride; ncnn stride_w, stride_h"),
    AXES(ups_conv_transpose_desc, dilations, 1, false, "steps between the taps of the kernel",
         "torch dilation; caffe dilation; ncnn dilation_w, dilation_h"),
    PADS(ups_conv_transpose_desc, true,
         "torch padding; caffe pad; ncnn pad_left, pad_right, pad_top, pad_bottom; openvino pads_begin, pads_end"),
    AXES(ups_conv_transpose_desc, output_padding, 0, false, "elements more at the end of an axis",
         "ncnn output_pad_right, output_pad_bottom; xnnpack adjustment_height, adjustment_width"),
    AXES(ups_conv_transpose_desc, output_shape, 1, true, "the wanted size",
         "torch output_size; ncnn output_w, output_h"),
    WORD(ups_conv_transpose_desc, auto_pad, deconv_auto_pad_words, false, "who chooses the pads",
         "tf padding; ncnn pad_left -233, -234"),
    WORD(ups_conv_transpose_desc, shape_rule, shape_rule_words, false, "how a wanted size becomes pads", NULL),
    WORD(ups_conv_transpose_desc, weights_layout, weights_words, false, "the order of the weights' axes", NULL),
    {"activation", UPS_KIND_ACTIVATION, offsetof(ups_conv_transpose_desc, activation), 0, 0, false, activation_words,
     "a function of each output, after the bias", "ncnn activation_type, activation_params"},
    LAST_FIELD,
};

static const struct ups_operation operations[] = {
    {UPS_MAX_POOL, "max_pool", sizeof(ups_pool_desc), max_pool_fields},
    {UPS_AVG_POOL, "avg_pool", sizeof(ups_pool_desc), avg_pool_fields},
    {UPS_MAX_UNPOOL, "max_unpool", sizeof(ups_unpool_desc), unpool_fields},
    {UPS_REPLICATE, "replicate", sizeof(ups_expand_desc), expand_fields},
    {UPS_BED_OF_NAILS, "bed_of_nails", sizeof(ups_expand_desc), expand_fields},
    {UPS_PIXEL_SHUFFLE, "pixel_shuffle", sizeof(ups_shuffle_desc), shuffle_fields},
    {UPS_PIXEL_UNSHUFFLE, "pixel_unshuffle", sizeof(ups_shuffle_desc), shuffle_fields},
    {UPS_RESIZE, "resize", sizeof(ups_resize_desc), resize_fields},
    {UPS_CONV_TRANSPOSE, "conv_transpose", sizeof(ups_conv_transpose_desc), conv_transpose_fields},
    {UPS_CONV_TRANSPOSE_GRAD_INPUT, "conv_transpose_grad_input", sizeof(ups_conv_transpose_desc),
     conv_transpose_fields},
    {UPS_CONV_TRANSPOSE_GRAD_WEIGHTS, "conv_transpose_grad_weights", sizeof(ups_conv_transpose_desc),
     conv_transpose_fields},
    {UPS_CONV_TRANSPOSE_GRAD_BIAS, "conv_transpose_grad_bias", sizeof(ups_conv_transpose_desc), conv_transpose_fields},
    {UPS_MAX_POOL_GRAD, "max_pool_grad", sizeof(ups_pool_desc), max_pool_grad_fields},
    {UPS_AVG_POOL_GRAD, "avg_pool_grad", sizeof(ups_pool_desc), avg_pool_fields},
    {UPS_MAX_UNPOOL_GRAD, "max_unpool_grad", sizeof(ups_unpool_desc), unpool_grad_fields},
    {UPS_REPLICATE_GRAD, "replicate_grad", sizeof(ups_expand_desc), expand_fields},
    {UPS_BED_OF_NAILS_GRAD, "bed_of_nails_grad", sizeof(ups_expand_desc), expand_fields},
    {UPS_PIXEL_SHUFFLE_GRAD, "pixel_shuffle_grad", sizeof(ups_shuffle_desc), shuffle_fields},
    {UPS_PIXEL_UNSHUFFLE_GRAD, "pixel_unshuffle_grad", sizeof(ups_shuffle_desc), shuffle_fields},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

/* ---- looking things up ---- */

const struct ups_operation *ups_find_operation(int32_t op)
{
    for (int i = 0; i < OPERATIONS; i++)
        if (operations[i].op == op) return &operations[i];
    return NULL;
}

const struct ups_field *ups_find_field(int32_t op, const char *name)
{
    const struct ups_operation *o = ups_find_operation(op);
    for (const struct ups_field *f = o ? o->fields : NULL; f && f->name; f++)
        if (!strcmp(f->name, name)) return f;
    return NULL;
}

const struct ups_word *ups_find_word(const struct ups_field *field, int32_t value)
{
    for (const struct ups_word *w = field->words; w && w->text; w++)
        if (w->value == value) return w;
    return NULL;
}

const char *ups_field_word(int32_t op, const char *field, int32_t value)
{
    const struct ups_field *f = ups_find_field(op, field);
    const struct ups_word *word = f ? ups_find_word(f, value) : NULL;
    return word ? word->text : "?";
}

const char *ups_legal_words(const struct ups_field *field, char *text, size_t capacity)
{
    size_t length = 0;
    for (const struct ups_word *w = field->words; w->text && length < capacity; w++)
        length += (size_t)snprintf(text + length, capacity - length, "%s%s", w == field->words ? "" : ", ", w->text);
    return text;
}

size_t ups_field_bytes(const struct ups_field *field)
{
    switch (field->kind) {
    case UPS_KIND_LENGTH: return sizeof(int64_t);
    case UPS_KIND_AXES: return 3 * sizeof(int64_t);
    case UPS_KIND_PADS: return 6 * sizeof(int64_t);
    case UPS_KIND_REAL: return sizeof(double);
    case UPS_KIND_SCALES: return 3 * sizeof(double);
    case UPS_KIND_ROI: return 6 * sizeof(double);
    case UPS_KIND_ACTIVATION: return sizeof(ups_conv_transpose_desc) - offsetof(ups_conv_transpose_desc, activation);
    default: return sizeof(int32_t);
    }
}

bool ups_is_by_preset(const struct ups_field *field, const union ups_desc *desc)
{
    const void *at = (const char *)desc + field->offset;
    if (!field->by_preset) return false;
    switch (field->kind) {
    case UPS_KIND_LENGTH:
    case UPS_KIND_AXES:
    case UPS_KIND_PADS: return *(const int64_t *)at == UPS_BY_PRESET;
    case UPS_KIND_SCALES: return *(const double *)at == UPS_BY_PRESET;
    case UPS_KIND_REAL: return *(const double *)at == UPS_REAL_BY_PRESET;
    default: return *(const int32_t *)at == UPS_BY_PRESET;
    }
}

int32_t ups_op_code(const char *word)
{
    for (int i = 0; word && i < OPERATIONS; i++)
        if (!strcmp(operations[i].word, word)) return operations[i].op;
    return 0;
}

const char *ups_op_word(int32_t op)
{
    const struct ups_operation *o = ups_find_operation(op);
    return o ? o->word : NULL;
}

size_t ups_desc_size(int32_t op)
{
    const struct ups_operation *o = ups_find_operation(op);
    return o ? o->size : 0;
}

const char *ups_desc_field(int32_t op, int32_t i)
{
    const struct ups_operation *o = ups_find_operation(op);
    for (int32_t k = 0; o && o->fields[k].name; k++)
        if (k == i) return o->fields[k].name;
    return NULL;
}
