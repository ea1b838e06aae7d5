/* SPDX-License-Identifier: MIT
 *
 * libupsample: the upsampling half of a neural network.
 *
 * Three steps, for every operation:
 *
 *     op    what to compute: parameters, packed weights, algorithm, kernels    immutable, shareable
 *     plan  an op at concrete sizes                                           immutable, cheap, never repacks
 *     run   pointers in, pointers out, workspace from the caller              allocates nothing, any thread
 *
 * Conventions that hold for every function below:
 *
 *   - A function that can fail returns a status (int32_t, UPS_OK is 0). On any other status it has written
 *     nothing except the error text, and *out handles are NULL. UPS_BAD_INDEX alone is reported after the work.
 *   - ups_last_error() explains the last failure on this thread in one sentence: field, value, legal range.
 *   - Spatial arrays are int64_t[3], outermost axis first; rank r uses the first r entries.
 *   - Every struct begins with its own size in bytes, set by the caller (or by the matching init function).
 *     A larger struct than this library knows is accepted when the unknown bytes are zero; a smaller descriptor or
 *     ups_options gets the defaults of the fields it lacks (the other structs have none to give, and are refused).
 *   - Strides count elements. Alignment to the element is enough; less is refused.
 *   - Handles are immutable after creation and may be used from any number of threads at once. The library has
 *     no global mutable state, starts no thread, prints nothing, never aborts.
 */
#ifndef UPSAMPLE_UPSAMPLE_H
#define UPSAMPLE_UPSAMPLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(UPS_BUILDING) && defined(__GNUC__)
#define UPS_API __attribute__((visibility("default")))
#else
#define UPS_API
#endif

typedef struct ups_op ups_op;
typedef struct ups_plan ups_plan;
typedef struct ups_threads ups_threads;

/* Statuses. */
enum {
    UPS_OK = 0,
    UPS_INVALID = 1,     /* an argument is wrong: the sentence names the field, its value, the legal range */
    UPS_UNSUPPORTED = 2, /* legal, but this library, build, machine or policy does not do it; the sentence says which */
    UPS_NO_MEMORY = 3,   /* the allocator returned NULL, or a workspace does not fit the address space */
    UPS_BAD_INDEX = 4    /* ran to the end, but switches pointed outside the output plane; see ups_buffers */
};

/* Operations. The words ("max_pool") are the same in every language and on the command line. */
enum {
    UPS_MAX_POOL = 1,        /* max_pool: ups_pool_desc */
    UPS_AVG_POOL = 2,        /* avg_pool: ups_pool_desc */
    UPS_MAX_UNPOOL = 3,      /* max_unpool: ups_unpool_desc */
    UPS_REPLICATE = 4,       /* replicate: ups_expand_desc */
    UPS_BED_OF_NAILS = 5,    /* bed_of_nails: ups_expand_desc */
    UPS_PIXEL_SHUFFLE = 6,   /* pixel_shuffle: ups_shuffle_desc */
    UPS_PIXEL_UNSHUFFLE = 7, /* pixel_unshuffle: ups_shuffle_desc */
    UPS_RESIZE = 8,          /* resize: ups_resize_desc */
    UPS_CONV_TRANSPOSE = 9,  /* conv_transpose: ups_conv_transpose_desc */
    UPS_CONV_TRANSPOSE_GRAD_INPUT = 10,   /* conv_transpose_grad_input: the forward's ups_conv_transpose_desc */
    UPS_CONV_TRANSPOSE_GRAD_WEIGHTS = 11, /* conv_transpose_grad_weights: likewise */
    UPS_CONV_TRANSPOSE_GRAD_BIAS = 12,    /* conv_transpose_grad_bias: likewise */
    /* Gradients: the forward operation's descriptor, with the op of the gradient; see below, "Gradients". */
    UPS_MAX_POOL_GRAD = 13,        /* max_pool_grad */
    UPS_AVG_POOL_GRAD = 14,        /* avg_pool_grad */
    UPS_MAX_UNPOOL_GRAD = 15,      /* max_unpool_grad */
    UPS_REPLICATE_GRAD = 16,       /* replicate_grad */
    UPS_BED_OF_NAILS_GRAD = 17,    /* bed_of_nails_grad */
    UPS_PIXEL_SHUFFLE_GRAD = 18,   /* pixel_shuffle_grad */
    UPS_PIXEL_UNSHUFFLE_GRAD = 19  /* pixel_unshuffle_grad */
};

/* dtype: UPS_F32; for max_pool and max_unpool also UPS_U8, UPS_S8. index_type: all but UPS_S8. 2 and 3 belong to f16, bf16. */
enum { UPS_F32 = 1, UPS_U8 = 4, UPS_I32 = 5, UPS_I64 = 6, UPS_S8 = 7 };
enum { UPS_CHANNELS_FIRST = 1, UPS_CHANNELS_LAST = 2 };     /* layout: N C spatial, or N spatial C, in memory */

/* auto_pad: pads as given | total T = (m-1)*s + E - n for m = ceil(n/s) windows (never less than 0), the odd element at
 * the end (upper) or at the begin (lower) | none. For conv_transpose see ups_conv_transpose_desc. */
enum { UPS_NOTSET = 1, UPS_SAME_UPPER = 2, UPS_SAME_LOWER = 3, UPS_VALID = 4 };

/* round: how many windows. floor | ceil | ceil, less one when the last window would start beyond n + pb (PyTorch, ONNX) |
 * the same, but only if some pad is not 0 (Caffe). */
enum { UPS_ROUND_FLOOR = 1, UPS_ROUND_CEIL = 2, UPS_ROUND_CEIL_CLIP = 3, UPS_ROUND_CEIL_CAFFE = 4 };

/* nan: the last NaN of a window wins (PyTorch) | the first tap is taken, then greater ones: a NaN wins only in front
 * (ONNX, ORT, XNNPACK) | greater ones than the lowest float: NaN never wins (TensorFlow's max_pool2d, oneDNN, Caffe). */
enum { UPS_NAN_LAST = 1, UPS_NAN_SEED = 2, UPS_NAN_SKIP = 3 };

/* scan: the order in which a window is searched, whose first maximum gives the switch: the last axis runs fastest, or the
 * first axis (XNNPACK). */
enum { UPS_SCAN_ROW_MAJOR = 1, UPS_SCAN_COLUMN_MAJOR = 2 };

/* index: what a switch says of position (n, c, d, h, w) in a tensor N C D H W (a lower rank lacks the first axes), or of
 * tap (kd, kh, kw) of its window, counted from the window's start before it is cut at the image. */
enum {
    UPS_INDEX_PLANE = 1,         /* (d*H + h)*W + w: PyTorch, Caffe */
    UPS_INDEX_TENSOR = 2,        /* (n*C + c)*D*H*W + plane: ONNX */
    UPS_INDEX_TENSOR_COLUMN = 3, /* (n*C + c)*D*H*W + d + h*D + w*D*H: ONNX, storage_order 1 */
    UPS_INDEX_CHANNEL = 4,       /* c*D*H*W + plane: OpenVINO, axis 1 */
    UPS_INDEX_NHWC = 5,          /* plane*C + c: TensorFlow */
    UPS_INDEX_NHWC_BATCH = 6,    /* (n*D*H*W + plane)*C + c: TensorFlow, include_batch_in_index */
    UPS_INDEX_WINDOW = 7,        /* (kd*KH + kh)*KW + kw: oneDNN's workspace */
    UPS_INDEX_WINDOW_COLUMN = 8  /* kd + kh*KD + kw*KD*KH: XNNPACK */
};

enum { UPS_SPACE_OUTPUT = 1, UPS_SPACE_INFERRED = 2 }; /* index_space: see ups_unpool_desc */
enum { UPS_OVERLAP_LAST = 1, UPS_OVERLAP_FIRST = 2, UPS_OVERLAP_SUM = 3, UPS_OVERLAP_ERROR = 4 }; /* overlap */
enum { UPS_UNPOOL_TORCH = 1, UPS_UNPOOL_ONNX = 2, UPS_UNPOOL_DECONVNET = 3 }; /* ups_unpool_desc.size_rule */
enum { UPS_CRD = 1, UPS_DCR = 2 };                                             /* shuffle */
enum {
    UPS_MODE_NEAREST = 1,
    UPS_MODE_LINEAR = 2,
    UPS_MODE_CUBIC = 3,
    UPS_MODE_AREA = 4,
    UPS_MODE_LANCZOS = 5,
    UPS_MODE_BOX = 6,
    UPS_MODE_HAMMING = 7
};
enum {
    UPS_HALF_PIXEL = 1,
    UPS_ALIGN_CORNERS = 2,
    UPS_ASYMMETRIC = 3,
    UPS_PYTORCH_HALF_PIXEL = 4,
    UPS_HALF_PIXEL_SYMMETRIC = 5,
    UPS_TF_HALF_PIXEL_FOR_NN = 6,
    UPS_TF_CROP_AND_RESIZE = 7
};
enum {
    UPS_NEAREST_FLOOR = 1,
    UPS_NEAREST_CEIL = 2,
    UPS_ROUND_PREFER_FLOOR = 3,
    UPS_ROUND_PREFER_CEIL = 4,
    UPS_NEAREST_SIMPLE = 5
};
enum {
    UPS_COORDINATES_F64 = 1,
    UPS_COORDINATES_TORCH = 2,
    UPS_COORDINATES_ORT = 3,
    UPS_COORDINATES_TF = 4,
    UPS_COORDINATES_F32 = 5,
    UPS_COORDINATES_ACCUMULATED = 6,
    UPS_COORDINATES_OPENCV = 7
};
enum { UPS_AREA_CELLS = 1, UPS_AREA_OVERLAP = 2, UPS_AREA_OVERLAP_OR_LINEAR = 3 }; /* area_rule */
enum { UPS_SIZE_FLOOR = 1, UPS_SIZE_FLOOR_F32 = 2, UPS_SIZE_FLOOR_OPENVINO = 3, UPS_SIZE_ROUND = 4 }; /* size_rounding */
enum { UPS_STRETCH = 1, UPS_NOT_LARGER = 2, UPS_NOT_SMALLER = 3 };                 /* keep_aspect_ratio_policy */
enum {
    UPS_SHAPE_TORCH = 1,
    UPS_SHAPE_ONNX = 2,
    UPS_SHAPE_ORT = 3,
    UPS_SHAPE_TF = 4,
    UPS_SHAPE_OPENVINO = 5
}; /* ups_conv_transpose_desc.shape_rule */
enum { UPS_IOHW = 1, UPS_OIHW = 2, UPS_HWOI = 3, UPS_OHWI = 4, UPS_HWIO = 5 };
enum { UPS_NO_ACTIVATION = 1, UPS_RELU = 2, UPS_LEAKY_RELU = 3, UPS_CLIP = 4, UPS_SIGMOID = 5, UPS_TANH = 6 };
enum { UPS_POLICY_ACCURATE = 1, UPS_POLICY_FAST = 2, UPS_POLICY_REPRODUCIBLE = 3 };
enum { UPS_TEXT = 1, UPS_JSON = 2 };

/* A field whose value follows from the descriptor's preset and its other fields: resolved when the op is made;
 * ups_desc_get shows the resolved value. Of an array, every entry or none. */
#define UPS_BY_PRESET (-1)
#define UPS_REAL_BY_PRESET (-1e30) /* for cubic_coeff_a, where -1 means itself */

/* ------------------------------------------------------------------------------------------------------------
 * Descriptors: what an operation computes
 *
 * Start one with ups_desc_init, never by hand: it fills every field with the preset's meaning. Afterwards 0 never
 * means "default". Either assign the fields, or use ups_desc_set with the same names; a language that does so
 * needs no struct layout at all (ups_desc_size gives the bytes). Length per axis below: n input, m output,
 * k kernel, s stride, d dilation, pb and pe padding at begin and end, E = d*(k-1) + 1.
 * ---------------------------------------------------------------------------------------------------------- */

/* The first fields of every descriptor. */
#define UPS_DESC_HEAD                                                                                              \
    uint32_t size;  /* of the whole descriptor, in bytes */                                                        \
    int32_t op;     /* UPS_MAX_POOL …: set by ups_desc_init, not to be changed */                                  \
    int32_t dtype;  /* of src and dst: UPS_F32 after init; max_pool, max_unpool: or UPS_U8, UPS_S8 */              \
    int32_t rank;   /* spatial axes, 1 to 3; 2 after init */                                                       \
    int32_t layout; /* UPS_CHANNELS_FIRST after init, or UPS_CHANNELS_LAST */                                      \
    int32_t preset; /* the preset it was started from: resolves UPS_BY_PRESET. Read only. */                       \
    int32_t strict; /* 1: also refuse what that framework refuses; 0 */                                            \
    int32_t reserved /* 0 */

typedef struct ups_desc_head {
    UPS_DESC_HEAD;
} ups_desc_head;

/* max_pool: y[o] = max of x[o*s - pb + t*d] over taps t in [0, k) that lie inside the image; padding never wins. Equal
 * values (-0 and +0 are equal): the first in scan order. A window of padding alone gives -inf (nan last) or the lowest
 * float, and the index -1 (u8: 255), and so does a window in which nothing is taken (nan skip).
 * Of bytes, dtype u8 or s8: the same values come out, nothing is rescaled, so scale and zero point stay what they are. `nan` has
 * no say: the first tap is taken, then greater ones; a window of padding alone gives 0 (u8) or -128 (s8).
 * avg_pool: the sum of those taps in row-major order, in f32, divided once, by the number of
 *     count_include_pad 0: taps inside the image;
 *     1: taps before n + pe, so head padding counts, tail padding up to the pad, what rounding up adds does not;
 *     window: all taps of the window (ncnn with its padding counted).
 * or by `divisor` where that is given (PyTorch's divisor_override). No tap counted: 0.
 * Size: (n + pb + pe - E)/s + 1 rounded as `round` says; with auto_pad same ceil(n/s); with auto_pad valid floor, no pads.
 * Sources: PyTorch max_pool, avg_pool; ONNX MaxPool, AveragePool; Caffe PoolingLayer; oneDNN pooling. */
typedef struct ups_pool_desc {
    UPS_DESC_HEAD;
    int64_t kernel_shape[3];   /* k >= 1; no default: 0 after init, which is refused */
    int64_t strides[3];        /* s >= 1; after init UPS_BY_PRESET: kernel_shape for torch, tf, xnnpack; else 1 */
    int64_t dilations[3];      /* d >= 1; 1 */
    int64_t pads_begin[3];     /* 0 <= pb < E; after init UPS_BY_PRESET: by auto_pad, 0 for notset. With another */
    int64_t pads_end[3];       /* auto_pad only UPS_BY_PRESET is legal. */
    int32_t auto_pad;          /* UPS_NOTSET; UPS_SAME_UPPER, UPS_SAME_LOWER, UPS_VALID */
    int32_t ceil_mode;         /* 0 or 1: what `round` follows while it is UPS_BY_PRESET; 1 for caffe and ncnn, else 0 */
    int32_t round;             /* UPS_BY_PRESET: ceil_mode 0 floor; 1 ceil_clip, caffe ceil_caffe, ncnn and openvino ceil */
    int32_t count_include_pad; /* avg_pool: 0, 1, or 2 for "window" */
    int64_t divisor;           /* avg_pool: >= 1; after init UPS_BY_PRESET: the count above */
    int32_t nan;               /* max_pool: UPS_NAN_LAST (torch), … */
    int32_t scan;              /* max_pool: UPS_SCAN_ROW_MAJOR, … */
    int32_t index;             /* max_pool: convention of the recorded switches: UPS_INDEX_PLANE (torch), … */
    int32_t index_type;        /* max_pool: UPS_I64 (torch), UPS_I32; UPS_U8 for the window conventions, up to 255 taps;
                                  UPS_F32 (Caffe's masks), for indices below 2^24. Where one would not fit a run takes no
                                  indices_out */
} ups_pool_desc;

/* max_unpool: y = 0; then for every input element in row-major order (N C spatial) y[index] = x. Values are copied bit by
 * bit, and 0 is the number 0, of bytes too, whatever their zero point. An index outside the output is never written: see
 * ups_buffers.bad_count.
 * overlap: of several elements for one place the last stays (PyTorch, ONNX: assignment, not addition) | the first | their
 * sum, in that order | the first, and each further one is reported like a bad index.
 * Size by size_rule: torch (n-1)*s - pb - pe + E, or output_shape less than s away from it; onnx the same, or any
 * output_shape not smaller; deconvnet max(that, n*s - pb + 1), or any output_shape.
 * index_space: where the output is not of the derived size (n-1)*s - pb - pe + E, an index addresses the output | the
 * derived shape, whose block then stands at the origin of the output (the text of ONNX). */
typedef struct ups_unpool_desc {
    UPS_DESC_HEAD;
    int64_t kernel_shape[3]; /* k >= 1; no default */
    int64_t strides[3];      /* s >= 1; after init UPS_BY_PRESET, as for pooling */
    int64_t dilations[3];    /* d >= 1; 1. Of the window conventions; E = d*(k-1) + 1 */
    int64_t pads_begin[3];   /* 0 <= pb < E; 0 */
    int64_t pads_end[3];     /* 0 <= pe < E; 0 */
    int64_t output_shape[3]; /* after init UPS_BY_PRESET: the size above */
    int32_t size_rule;       /* UPS_UNPOOL_TORCH, … */
    int32_t index;           /* UPS_INDEX_PLANE (torch), … */
    int32_t index_type;      /* type of indices_in: UPS_I64, UPS_I32, UPS_U8 (window conventions), UPS_F32 */
    int32_t index_space;     /* UPS_SPACE_OUTPUT, UPS_SPACE_INFERRED */
    int32_t overlap;         /* UPS_OVERLAP_LAST, … */
} ups_unpool_desc;

/* replicate: y[o] = x[o / factor]. bed_of_nails: y[o*factor + offset] = x[o], every other element 0. m = n*factor. */
typedef struct ups_expand_desc {
    UPS_DESC_HEAD;
    int64_t factor[3]; /* >= 1; no default */
    int64_t offset[3]; /* bed_of_nails: 0 <= offset < factor; 0. replicate: 0 */
} ups_expand_desc;

/* pixel_shuffle: channels into space by blocksize b on every axis: C' = C/b^rank, m = n*b,
 *     CRD  y[c, h*b + i, w*b + j] = x[(c*b + i)*b + j, h, w]     (PyTorch, ONNX mode CRD)
 *     DCR  y[c, h*b + i, w*b + j] = x[(i*b + j)*C' + c, h, w]    (ONNX's default, TensorFlow's depth_to_space)
 * pixel_unshuffle is the inverse: C' = C*b^rank, m = n/b. */
typedef struct ups_shuffle_desc {
    UPS_DESC_HEAD;
    int64_t blocksize; /* b >= 1; no default */
    int32_t shuffle;   /* UPS_CRD (torch), UPS_DCR */
    int32_t reserved2; /* 0 */
} ups_shuffle_desc;

/* resize: separable interpolation. With x(o) the source coordinate of output o, sc the scale (output / input), L = sc*n:
 *
 *     half_pixel            x = (o + 0.5)/sc - 0.5
 *     pytorch_half_pixel    the same, 0 when m = 1 (arithmetic torch: without that exception)
 *     half_pixel_symmetric  x = n/2*(1 - m/L) + (o + 0.5)/sc - 0.5
 *     align_corners         x = o*(n-1)/(L-1), 0 when L = 1 (arithmetic ort, torch, tf, f32: m for L)
 *     asymmetric            x = o/sc
 *     tf_half_pixel_for_nn  x = (o + 0.5)/sc
 *     tf_crop_and_resize    x = r0*(n-1) + o*(r1-r0)*(n-1)/(L-1), (r0+r1)/2*(n-1) when L = 1 (m for L as above).
 *                           r0, r1 of roi. Outside [0, n-1] on any axis the output is extrapolation_value
 *
 * nearest takes x[clamp(r(x))], r: floor, ceil, round_prefer_floor ceil(x - 0.5), round_prefer_ceil floor(x + 0.5), simple:
 * ceil if sc < 1, else floor (Resize-10, Upsample). The other modes weight the pixels i around x by F((i - x)*q), q = 1;
 * antialias: q = min(sc, 1) stretches F when it shrinks (arithmetic torch: about (o + 0.5)/sc - 0.5 whatever the coordinates,
 * of align_corners only the ratio). F:
 *
 *     linear   1 - |t|                                                                         |t| < 1
 *     cubic    |t| <= 1: (a+2)|t|^3 - (a+3)|t|^2 + 1;  else a|t|^3 - 5a|t|^2 + 8a|t| - 4a      |t| < 2
 *     lanczos  sinc(t) sinc(t/radius)                                                          |t| < radius
 *     box      1                                                                        -0.5 < t <= 0.5
 *     hamming  sinc(t) (0.54 + 0.46 cos(pi t))                                                 |t| < 1
 *
 * sinc(t) = sin(pi t)/(pi t). Weights of a row are divided by their sum where it is not 1 by construction. Pixels outside
 * the image repeat the border; with exclude_outside they weigh 0 and the rest is divided by its sum
 * (where that is 0 the nearest pixel counts).
 * area: cells, the mean of pixels floor(o*n/m) up to ceil((o+1)*n/m) (PyTorch's adaptive average); overlap, each pixel
 * weighs the length it shares with [o*n/m, (o+1)*n/m); overlap_or_linear, overlap, of o/sc where scales are given, unless
 * an axis grows, then OpenCV's linear
 * variant on both.
 *
 * sizes and scales are two fields: sizes gives m; scales, when given, enters the formula as sc. Without sizes
 * m by size_rounding: floor(n*scale) in double; floor_f32 in f32; floor_openvino in f32 with 1e-6 added to the scale; round to
 * the nearest, halves to even. Without scales sc = m/n. Sizes given to ups_plan_create stand in for sizes.
 * keep_aspect_ratio_policy not_larger, not_smaller: sc is the min, max of sizes/n over the axes, m = floor(sc*n + 0.5).
 *
 * coordinate_arithmetic, how x is computed and rounded; for nearest it decides which pixel is taken:
 *     f64          the formulas above in double (ONNX)
 *     torch        ratios rounded to f32, formulas in f32, and PyTorch's copies: linear, and antialias, on an axis with
 *                  n = m; nearest floor/asymmetric with n = m or m = 2n in 2-D outputs of height + width <= 128
 *                  (its kernel for larger ones has no copies; it also takes that for memory channels last, which is
 *                  not followed)
 *     ort          the formulas in f32 as written, m for L, ties of nearest within 1e-6; a copy where no size changes,
 *                  and of an axis with n = m where the scale is 1 or with antialias
 *     tf           f32, ratio first; cubic's fraction rounded to 1/1024; a copy where no size changes
 *     f32          the formulas in f32 (OpenVINO, oneDNN); a copy of each axis that keeps its length
 *     accumulated  nearest: a running sum in double of steps n/m from half a step (Pillow, OpenCV NEAREST_EXACT), which
 *                  the other fields of nearest have no say in; else f64
 *     opencv       nearest: floor(o * (1/(m/n))) in double (OpenCV NEAREST); else f64. Both copy where no size changes */
typedef struct ups_resize_desc {
    UPS_DESC_HEAD;
    int32_t mode;                           /* UPS_MODE_NEAREST, …; after init the framework's own default */
    int32_t coordinate_transformation_mode; /* after init UPS_BY_PRESET: by preset and mode */
    int32_t nearest_mode;                   /* after init UPS_BY_PRESET */
    int32_t coordinate_arithmetic;          /* after init UPS_BY_PRESET */
    int64_t sizes[3];                       /* m >= 1; after init UPS_BY_PRESET: from scales or from the plan */
    double scales[3];                       /* sc > 0; after init UPS_BY_PRESET: from sizes */
    int32_t antialias;                      /* 0 or 1, not for nearest and area; after init UPS_BY_PRESET: 1 for pillow's filters */
    int32_t exclude_outside;                /* 0 or 1; after init UPS_BY_PRESET: by preset, mode and antialias */
    double cubic_coeff_a;                   /* after init UPS_REAL_BY_PRESET: by preset and antialias */
    int32_t lanczos_radius;                 /* 1 to 8; after init UPS_BY_PRESET: 4 for opencv, else 3 */
    int32_t area_rule;                      /* after init UPS_BY_PRESET: torch cells, opencv overlap_or_linear, else overlap */
    int32_t keep_aspect_ratio_policy;       /* UPS_STRETCH, UPS_NOT_LARGER, UPS_NOT_SMALLER; needs sizes */
    int32_t size_rounding;                  /* floor; ort, ncnn floor_f32; openvino floor_openvino; opencv round */
    int32_t axes;                           /* which spatial axes are resized, bit i for axis i; 7. The others keep their
                                               length: sizes and scales are ignored there. As text "0,1" */
    double roi[6];                          /* tf_crop_and_resize: rank begins, from roi[0], rank ends, from roi[3], as
                                               parts of n - 1; 0 and 1 */
    double extrapolation_value;             /* 0 */
} ups_resize_desc;

/* conv_transpose, with group = G:
 *
 *     full[co, o*s + t*d] += sum over ci of x[ci, o] * w[ci, co, t]         y[q] = act(full[q + pb] + bias[co])
 *
 * m = s*(n-1) + E - pb - pe + output_padding. The kernel is not flipped; positions no tap reaches are act(bias).
 * Input channels g*I/G…, output channels g*O/G… belong to group g. Weights are taken as finite: a product with a zero
 * outside the image may be computed or not.
 *
 * A wanted size (output_shape, or sizes given to ups_plan_create) and auto_pad decide pads or output padding by shape_rule.
 * With T = s*(n-1) + output_padding + E - m:
 *     torch     pads stay, the size chooses the output padding, 0 <= op < max(s, d). auto_pad as onnx without a wanted size
 *     onnx      pb = floor(T/2) for same_upper, T - floor(T/2) for all others, notset too. Any m. same: m = n*s if not given
 *     ort       as onnx with T = max(T, 0), then same without a wanted size gives m = s*(n-1) + output_padding + E; m may
 *               not exceed that; explicit pads are used where no size is wanted
 *     tf        same: m in ((n-1)*s, n*s], pb = floor(max(T, 0)/2). valid: m in [(n-1)*s + E, n*s + E - 1], pb = 0. Not
 *               given: n*s, (n-1)*s + max(E, s). notset: pads stay
 *     openvino  with a wanted size, T = max(T, 0): pb = T - floor(T/2) for same_upper, floor(T/2) for same_lower; else pb
 *               stays and the end is cut. Without one auto_pad has no say
 * ups_solve_pads tells the result. valid without a wanted size: no pads. Pads that are given fix the size (under onnx and ort
 * but for output_shape, which replaces them): the plan may then ask for no other.
 *
 * Its gradients take the forward's descriptor under their own op. With g the gradient of the output, of the output's shape:
 *
 *     conv_transpose_grad_input    dx[ci, i] = sum over t, co of g[co, i*s + t*d - pb] * w[ci, co, t]
 *     conv_transpose_grad_weights  dw[ci, co, t] = sum over n, i of x[n, ci, i] * g[n, co, i*s + t*d - pb]
 *     conv_transpose_grad_bias     db[co] = sum over n, q of g[n, co, q]
 *
 * where only positions inside g count; co and ci of one group. grad_input is the plain strided convolution, without bias:
 * PyTorch's conv2d from out_channels to in_channels, whose weights [I, O/G, k…] IOHW is. The activation must be none: where the
 * forward has one, its own derivative comes first, and what it gives is g.
 *     grad_input    src is g, of out_channels; dst is dx, of in_channels. Takes weights as the forward does, no bias. Sizes:
 *                   those whose output may be g's by shape_rule. Where several may be, out_sizes or dst say which; without
 *                   them the one that has it as its standard size
 *     grad_weights  planned like the forward: src is x, and what is given as dst describes g, with its sizes, read from
 *                   ups_buffers.grad (strides of 0 are fine but along the contiguous axis). UPS_ROLE_DST is dw, dense in
 *                   weights_layout: dims are the channels that the layout names first, the others of one group, the kernel
 *     grad_bias     src is g; dst is [1, O, 1…]
 * The last two are sums over the batch, zeros for N = 0. All give the same bits for every number of parts, and, under every
 * policy, on every tier that fuses multiply and add: grad_input as one chain over t in row-major order, then co; grad_weights in
 * chains over up to 512 positions i, added in order; grad_bias adds up to 512 lines in float, their places in double.
 * Workspace per part: grad_weights takes a few MiB, the others as much as L2 holds or less, and with UPS_WEIGHTS_AT_RUN the
 * packed weights.
 * Source: the definition as derivatives; PyTorch's convolution_backward. */
typedef struct ups_conv_transpose_desc {
    UPS_DESC_HEAD;
    int64_t in_channels;       /* I >= 1; no default; a multiple of group */
    int64_t out_channels;      /* O >= 1; no default; a multiple of group */
    int64_t group;             /* G >= 1; 1 */
    int64_t kernel_shape[3];   /* k >= 1; no default */
    int64_t strides[3];        /* s >= 1; 1 */
    int64_t dilations[3];      /* d >= 1; 1 */
    int64_t pads_begin[3];     /* pb >= 0; after init UPS_BY_PRESET: by auto_pad and output_shape, 0 for notset without a */
    int64_t pads_end[3];       /* wanted size. Given ones are legal only with notset */
    int64_t output_padding[3]; /* 0 <= op < max(s, d) (PyTorch); 0 */
    int64_t output_shape[3];   /* >= 1; after init UPS_BY_PRESET: none wanted */
    int32_t auto_pad;          /* UPS_NOTSET (tf: UPS_SAME_UPPER) */
    int32_t shape_rule;        /* UPS_SHAPE_TORCH, … */
    int32_t weights_layout;    /* UPS_IOHW whatever the activations' layout: [I, O/G, k…] dense; OIHW [O, I/G, k…], HWOI
                                  [k…, O, I/G], OHWI [O, k…, I/G], HWIO [k…, I, O/G]: of I and O the one named first counts
                                  all channels, the other those of one group. ncnn, onednn OIHW; tf HWOI; tflite, xnnpack OHWI */
    int32_t activation;        /* UPS_NO_ACTIVATION; UPS_RELU; UPS_LEAKY_RELU: v < 0 ? v*alpha : v; UPS_CLIP to [alpha, beta];
                                * UPS_SIGMOID: 1/(1 + e^-v); UPS_TANH. The last two within 2 ulp, the same bits on every tier */
    double activation_alpha;   /* leaky relu's slope (0.01 after init), or clip's lower end */
    double activation_beta;    /* clip's upper end (0 after init) */
} ups_conv_transpose_desc;

/* The operation of a word ("max_pool"), 0 if there is none; and the word of an operation, NULL if there is none. */
UPS_API int32_t ups_op_code(const char *word);
UPS_API const char *ups_op_word(int32_t op);

/* Bytes of the descriptor of an operation; 0 for an operation this library does not know. */
UPS_API size_t ups_desc_size(int32_t op);

/* Starts a descriptor of `size` bytes (ups_desc_size(op), or sizeof the struct). preset NULL means "torch"; the others:
 * onnx-7 onnx-9 onnx-10 onnx-11 onnx-13 onnx-18 onnx-19 (the operators as of that opset), onnx (the newest), ort, tf, tf1
 * (TensorFlow 1's raw kernels), tflite, caffe, opencv, pillow, openvino, ncnn, onednn, xnnpack. UPS_INVALID: unknown op,
 * unknown preset, size less than the head's. UPS_UNSUPPORTED: that framework has no such operation; the sentence says what
 * it has instead. replicate and bed_of_nails are no framework's, and the same under every preset. */
UPS_API int32_t ups_desc_init(void *desc, size_t size, int32_t op, const char *preset);

/* Sets one field from text: integers and words as named above; arrays "2,2" with one value per axis, or one value for
 * every axis; pads "1,1,2,2" all begins, then all ends (or one value); activation "relu", "leaky_relu:0.1",
 * "clip:0,6"; "by_preset" where the field allows it. Set rank before arrays. Names are the fields' (ONNX's where ONNX
 * has the attribute), except: pads for both pad arrays, activation for all three. UPS_INVALID leaves desc as it was. */
UPS_API int32_t ups_desc_set(void *desc, const char *name, const char *value);

/* Writes a field as the text ups_desc_set takes, by-preset values resolved. Returns the length the whole text needs
 * (without its NUL), like snprintf; capacity 0 asks only. -1: no such field. */
UPS_API int64_t ups_desc_get(const void *desc, const char *name, char *text, size_t capacity);

/* The i-th field name of an operation, NULL past the last. The i-th preset's name, from 0, NULL past the last. */
UPS_API const char *ups_desc_field(int32_t op, int32_t i);
UPS_API const char *ups_preset(int32_t i);

/* What a field means: legal values, each with its meaning, and what frameworks call it; UPS_TEXT, or UPS_JSON: one object
 * with name, legal, meaning, by_preset (true where it may be), known_as (a list of {framework, name}) and, for words, words
 * (a list of {word, meaning}). Returns the length needed, as snprintf. -1: no such operation or field. */
UPS_API int64_t ups_desc_explain(int32_t op, const char *name, int32_t format, char *text, size_t capacity);

/* In which fields two descriptors of one operation and rank differ, by-preset values resolved: a line for each, with both
 * values, what they mean, and what the field decides. "" when they compute the same. Fields are not checked. Length needed,
 * as snprintf; -1 after an error: different operations or ranks. */
UPS_API int64_t ups_desc_difference(const void *a, const void *b, char *text, size_t capacity);

/* Output sizes for an input size (spatial, rank entries), without an op: the smallest and largest size that may be
 * asked for, and the one taken when none is asked for (0: none is legal without asking). Any of the outputs may be NULL.
 * resize without sizes and scales: standard is 0, every size from 1 is legal. */
UPS_API int32_t ups_shape(const void *desc, const int64_t *in, int64_t *smallest, int64_t *standard, int64_t *largest);

/* The pads (rank begins, then rank ends; a negative one adds zeros) and output padding (rank; NULL allowed, and for
 * pooling) with which an operation takes `in` to `want` under its descriptor's auto_pad, output_shape and shape_rule: what a
 * framework that knows only explicit pads has to be told. want NULL: the standard size. conv_transpose, pooling, max_unpool.
 * max_unpool: its pads do not depend on the size. UPS_INVALID: no pads give that size; the sentence says which are legal. */
UPS_API int32_t ups_solve_pads(const void *desc, const int64_t *in, const int64_t *want, int64_t *pads,
                               int64_t *output_padding);

/* Switches of a max_pool descriptor, for an input of `dims` (N, C, spatial), from its index convention and type to others:
 * arrays dense in the descriptor's layout, shaped as the pooled tensor, not overlapping. An index that points outside the
 * image (or its window, for a window convention) becomes -1 (u8: 255), is counted in *bad_count, and *bad_first is the
 * smallest position of one in N, C, spatial order, -1 if none; the status is then UPS_BAD_INDEX. Both may be NULL.
 * UPS_INVALID: a type that cannot hold the convention's largest index. */
UPS_API int32_t ups_convert_indices(const void *desc, const int64_t *dims, const void *indices, int32_t to_index,
                                    int32_t to_index_type, void *converted, int64_t *bad_count, int64_t *bad_first);

/* Weights with which a conv_transpose descriptor (in_channels = out_channels, any group and weights_layout) is upsampling,
 * each channel from itself. `weights` receives in_channels * out_channels/group * kernel values.
 *     UPS_FILL_BILINEAR      product over axes of 1 - |t/f - c|, f = ceil(k/2), c = (2f - 1 - f%2)/(2f): Caffe's filler. For
 *                            factor s take k = 2s - s%2, pads ceil((s-1)/2) begin and end: m = n*s, in the interior
 *                            half-pixel linear
 *     UPS_FILL_REPLICATE     1 for taps below the stride (k >= s): replication
 *     UPS_FILL_BED_OF_NAILS  1 at tap 0: bed of nails; a pad moves it */
enum { UPS_FILL_BILINEAR = 1, UPS_FILL_REPLICATE = 2, UPS_FILL_BED_OF_NAILS = 3 };
UPS_API int32_t ups_fill_weights(const void *desc, int32_t kind, float *weights);

/* ------------------------------------------------------------------------------------------------------------
 * Gradients
 *
 * Each takes the forward operation's descriptor, the same struct with the same fields (ups_desc_init with the gradient's op,
 * or a copy whose op is changed to it). src is the gradient of the forward output, dst becomes that of the forward input. The
 * size of dst is the forward input's: where several inputs give an output of src's size (every stride above 1 of pooling) it
 * has to be asked for, as out_sizes or by dst; ups_shape tells the range, and the standard size where there is one. Sums have
 * the order said here on every tier and for every number of parts, in f32: the same bits everywhere.
 *
 * max_pool_grad         indices_in: the switches that the pooling recorded, in the descriptor's convention and type. Each
 *                       src[o] is added to the place its switch names, in the order of o; what nothing is added to is 0, and
 *                       what one is added to is a copy of it. -1 (u8: 255) adds nothing. nan and scan have spoken through the
 *                       switches. UPS_INVALID where the type cannot hold the largest index
 * avg_pool_grad         dst[i] = sum, from 0, of src[o] / what the forward operation divided by, over the windows o with a tap
 *                       at i, in the order of o
 * max_unpool_grad       indices_in: the forward operation's. dst[i] = src[index[i]], a copy, under every rule for overlap: also
 *                       where the forward operation let another element have the place (as PyTorch does; under `sum` it is the
 *                       gradient). 0 where the index is bad
 * replicate_grad        dst[i] = sum, from 0, of src over the copies of i, in their order
 * bed_of_nails_grad     dst[i] = 0 + src[i*factor + offset]
 * pixel_shuffle_grad    is pixel_unshuffle, and the other way round
 * ---------------------------------------------------------------------------------------------------------- */

/* ------------------------------------------------------------------------------------------------------------
 * Tensors
 * ---------------------------------------------------------------------------------------------------------- */

/* Always N, C, spatial… whatever the order in memory; rank + 2 entries count. Strides in elements, >= 0. Unit stride:
 * the last spatial axis (channels first) or C (channels last); the others are free, so a slice of a larger tensor
 * works without a copy. Axes of size 1 take any stride. Anything else is refused with a sentence. */
typedef struct ups_tensor {
    uint32_t size;
    int32_t dtype;
    int32_t rank; /* spatial axes */
    int32_t reserved; /* 0 */
    int64_t dims[5];
    int64_t strides[5];
} ups_tensor;

/* Fills a dense tensor of the given layout. dims: N, C, spatial (rank + 2 entries). */
UPS_API int32_t ups_tensor_init(ups_tensor *tensor, size_t size, int32_t dtype, int32_t rank, int32_t layout,
                                const int64_t *dims);

/* ------------------------------------------------------------------------------------------------------------
 * Making an op
 * ---------------------------------------------------------------------------------------------------------- */

enum { UPS_WEIGHTS_AT_RUN = 1 }; /* options.flags: conv_transpose takes weights and bias with each run, and packs them there */

/* Accuracy is a contract. An algorithm's factor is its rms error against exact arithmetic over that of one fused
 * chain (taps in row-major order outer, input channels inner, from 0, bias last), of outputs whose taps all meet the image: where
 * some meet padding the chain is shorter, and winograd's tile is not.
 *   accurate      factor <= 1 (within 5 % measuring noise). The default.
 *   fast          factor <= 2.
 *   reproducible  that chain in that order: the same bits on avx2, avx512 and neon for every map size, batch and
 *                 division into parts; scalar multiplies and adds without contraction, factor <= 1.5.
 * Under the first two, low bits may differ between tiers, machines and map sizes, and algorithm winograd may run. Its error
 * is relative to the largest input of a tile (up to 6x6 pixels), not to an output's own terms:
 * |error| <= 12 * 2^-24 * max|x| * (sum of |w| of the output channel), and Inf or NaN may reach every output of a tile. The
 * other algorithms keep both local. Weights of one group that lead from no channel to another (the bilinear filters of FCN heads,
 * all that ups_fill_weights makes) are found when they are packed and run as a group for each channel, unless an algorithm was
 * asked for by name: there 0 * Inf of another channel is not formed. Under every policy, the same bits for every number of
 * parts. An algorithm that was asked for by name and that the policy excludes is UPS_UNSUPPORTED; "gemm" with one or two input
 * channels in a group has a factor of 1.25, and accurate takes it only by name. */
typedef struct ups_options {
    uint32_t size;
    uint32_t flags;        /* UPS_WEIGHTS_AT_RUN or 0 */
    int32_t policy;        /* UPS_POLICY_ACCURATE */
    int32_t reserved;      /* 0 */
    const char *max_isa;   /* NULL, or "scalar" "avx2" "avx512" "neon": no tier above it. The environment variable
                              UPSAMPLE_MAX_ISA caps every op of the process the same way; an unknown word is an error */
    const char *algorithm; /* NULL or "auto": the op chooses. conv_transpose: "phase", "planar", "gemm", "scatter"; "depthwise" for
                              groups of one input and one output channel; "winograd" where phases have 2 or 3 taps along an axis */
    /* Memory for ops and plans; both NULL: malloc, with large pages asked for behind 4 MiB and more, and free. allocate returns at
     * least 16-byte aligned memory or NULL. */
    void *(*allocate)(void *context, size_t bytes);
    void (*release)(void *context, void *memory);
    void *context;
    char *error; /* receives the sentence of a failure of ups_op_create, for callers that cannot read thread-local text */
    size_t error_capacity;
    uint64_t pack_budget; /* conv_transpose: bytes that weights for the algorithm winograd may take besides the plain ones, whose
                             1.6 to 6.25 fold they are; 64 MiB. Above, and with 0, they are not packed */
    const int64_t *size_hint; /* conv_transpose: NULL, or the dims of the src that most plans will have (N, C, spatial: rank + 2
                                 entries). Weights are then packed only for the algorithm that is best there; plans of other
                                 sizes run with it too. Read by ups_op_create alone. Sizes that no plan can have are refused */
} ups_options;

UPS_API int32_t ups_options_init(ups_options *options, size_t size);

/* Makes an op: validates, chooses kernels and algorithm, copies and packs weights; the caller's arrays are not needed
 * afterwards. options NULL means the defaults. weights: the f32 array of conv_transpose and conv_transpose_grad_input, in
 * weights_layout; bias: conv_transpose's out_channels values or NULL for none; both NULL for the other operations and with
 * UPS_WEIGHTS_AT_RUN. Costs at most 1 ms plus a few
 * times the copying of the packed weights, whatever the shape; no autotuning. */
UPS_API int32_t ups_op_create(const void *desc, const float *weights, const float *bias, const ups_options *options,
                              ups_op **op);
UPS_API void ups_op_destroy(ups_op *op); /* NULL is fine. Plans keep what they need: destroy in any order. */

/* ------------------------------------------------------------------------------------------------------------
 * Planning
 * ---------------------------------------------------------------------------------------------------------- */

/* An op at concrete sizes. src: required, in the op's layout. dst: NULL means dense in the op's layout. out_sizes
 * (spatial, rank entries): NULL means the descriptor's. With dst given its sizes must be the plan's (out_sizes NULL:
 * they are asked for as out_sizes). A destination must not overlap itself. N = 0 is legal and does nothing, but that a sum
 * over the batch becomes 0; any other size of 0 is an error. Costs microseconds, and for resize what its tables take: their
 * taps times the output's lengths; no packing. */
UPS_API int32_t ups_plan_create(ups_op *op, const ups_tensor *src, const ups_tensor *dst, const int64_t *out_sizes,
                                ups_plan **plan);
UPS_API void ups_plan_destroy(ups_plan *plan);

enum { UPS_ROLE_SRC = 1, UPS_ROLE_DST = 2, UPS_ROLE_INDICES = 3, UPS_ROLE_GRAD = 4 };

/* Shape and strides of a tensor of the plan; tensor->size must be set. Indices are dense in the op's layout, shaped as
 * the pooled tensor. GRAD: the gradient that conv_transpose_grad_weights reads. UPS_INVALID: the operation has no such tensor. */
UPS_API int32_t ups_plan_tensor(const ups_plan *plan, int32_t role, ups_tensor *tensor);

/* Bytes of workspace for a run in `parts` parts (>= 1); any alignment. 0 means NULL will do. */
UPS_API size_t ups_plan_workspace(const ups_plan *plan, int32_t parts);

/* What was decided: op, sizes, algorithm and why, the refused ones and why, ISA, kernels, tile, workspace, packed bytes,
 * multiply-adds. UPS_TEXT or UPS_JSON (one object). Length needed, as snprintf. */
UPS_API int64_t ups_plan_describe(const ups_plan *plan, int32_t format, char *text, size_t capacity);

/* ------------------------------------------------------------------------------------------------------------
 * Running
 * ---------------------------------------------------------------------------------------------------------- */

/* Pointers of one call; what an operation does not use is NULL. No input may overlap an output (judged by the memory
 * from first to last element). Workspace may be read and written freely; nothing else is touched. */
typedef struct ups_buffers {
    uint32_t size;
    uint32_t reserved; /* 0 */
    const void *src; /* elements of the op's dtype */
    void *dst;
    const void *indices_in; /* max_unpool and its gradient, max_pool_grad: index_type values */
    void *indices_out;      /* max_pool: receives the switches, or NULL: values alone */
    const float *weights;   /* only with UPS_WEIGHTS_AT_RUN */
    const float *bias;
    int64_t bad_count;      /* out, where there are indices_in: how many were outside what they address (overlap error: or on a
                               place that is taken), and skipped */
    int64_t bad_first;      /* out: the smallest position of one, counting its elements in N, C, spatial order; -1 */
    const float *grad;      /* conv_transpose_grad_weights: the gradient of the output */
} ups_buffers;

UPS_API int32_t ups_buffers_init(ups_buffers *buffers, size_t size);

/* The whole plan on the calling thread. Allocates nothing, makes no system call. */
UPS_API int32_t ups_run(const ups_plan *plan, ups_buffers *buffers, void *workspace, size_t workspace_bytes);

/* One of `parts` shares, 0 <= part < parts: in any order, on any thread, at the same time or not, no barrier. Each part
 * writes its own outputs, uses its own slice of the same workspace, and needs its own ups_buffers. The results do not
 * depend on the division. A bad index is counted by exactly one part. */
UPS_API int32_t ups_run_part(const ups_plan *plan, ups_buffers *buffers, void *workspace, size_t workspace_bytes,
                             int32_t part, int32_t parts);

/* The caller's threads: parallel_for must call task(task_context, i) once for each i in [0, count) and return when all
 * have returned. */
typedef struct ups_parallel {
    uint32_t size;
    int32_t parts; /* how many shares to make, 1 to 1024 */
    void (*parallel_for)(void *context, int32_t count, void (*task)(void *task_context, int32_t i), void *task_context);
    void *context;
} ups_parallel;

/* ups_run on them; workspace for parallel->parts parts. */
UPS_API int32_t ups_run_parallel(const ups_plan *plan, ups_buffers *buffers, void *workspace, size_t workspace_bytes,
                                 const ups_parallel *parallel);

/* A pool of `count` threads (1 to 1024) on pthreadpool, for those who have none of their own; the calling thread is one
 * of them. UPS_UNSUPPORTED: built without pthreadpool. Runs on one pool are serialised by it. */
UPS_API int32_t ups_threads_create(int32_t count, ups_threads **threads);
UPS_API const ups_parallel *ups_threads_parallel(const ups_threads *threads); /* owned by the pool */
UPS_API void ups_threads_destroy(ups_threads *threads);

/* ------------------------------------------------------------------------------------------------------------
 * Asking
 * ---------------------------------------------------------------------------------------------------------- */

UPS_API const char *ups_version(void);                     /* "0.1.0" */
UPS_API const char *ups_status_string(int32_t status);     /* never NULL */
UPS_API const char *ups_last_error(void);                  /* this thread's last failure; "" if none. Never NULL */
UPS_API const char *ups_isa_name(int32_t i);               /* the i-th tier compiled in, lowest first; NULL past the last */

/* CPU, caches, tiers compiled, detected and allowed (and why not), build. Length needed, as snprintf. */
UPS_API int64_t ups_cpu_info(int32_t format, char *text, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
