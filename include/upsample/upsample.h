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
    UPS_MAX_POOL = 1,      /* max_pool: ups_pool_desc */
    UPS_MAX_UNPOOL = 3,    /* max_unpool: ups_unpool_desc */
    UPS_REPLICATE = 4,     /* replicate: ups_expand_desc */
    UPS_BED_OF_NAILS = 5,  /* bed_of_nails: ups_expand_desc */
    UPS_RESIZE = 8,        /* resize: ups_resize_desc */
    UPS_CONV_TRANSPOSE = 9 /* conv_transpose: ups_conv_transpose_desc */
};

enum { UPS_F32 = 1, UPS_I32 = 5, UPS_I64 = 6 }; /* dtype, index_type; the gaps belong to f16, bf16, s8, u8 */
enum { UPS_CHANNELS_FIRST = 1, UPS_CHANNELS_LAST = 2 }; /* layout: N C spatial, or N spatial C, in memory */
enum { UPS_INDEX_PLANE = 1 };                           /* index: h*W + w within the plane (torch); 3-D (d*H + h)*W + w */
enum { UPS_MODE_NEAREST = 1, UPS_MODE_LINEAR = 2 };
enum { UPS_HALF_PIXEL = 1, UPS_ALIGN_CORNERS = 2, UPS_ASYMMETRIC = 3 };
enum { UPS_NEAREST_FLOOR = 1, UPS_NEAREST_CEIL = 2, UPS_ROUND_PREFER_FLOOR = 3, UPS_ROUND_PREFER_CEIL = 4 };
enum { UPS_COORDINATES_F64 = 1, UPS_COORDINATES_TORCH = 2 };
enum { UPS_IOHW = 1, UPS_OIHW = 2, UPS_HWOI = 3, UPS_OHWI = 4, UPS_HWIO = 5 };
enum { UPS_NO_ACTIVATION = 1, UPS_RELU = 2, UPS_LEAKY_RELU = 3, UPS_CLIP = 4 };
enum { UPS_POLICY_ACCURATE = 1, UPS_POLICY_FAST = 2, UPS_POLICY_REPRODUCIBLE = 3 };
enum { UPS_TEXT = 1, UPS_JSON = 2 };

/* A field whose value follows from the descriptor's preset and its other fields: resolved when the op is made;
 * ups_desc_get shows the resolved value. */
#define UPS_BY_PRESET (-1)

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
    int32_t dtype;  /* UPS_F32 */                                                                                  \
    int32_t rank;   /* spatial axes, 1 to 3; 2 after init */                                                       \
    int32_t layout; /* UPS_CHANNELS_FIRST after init, or UPS_CHANNELS_LAST */                                      \
    int32_t preset  /* the preset it was started from: resolves UPS_BY_PRESET. Read only. */

typedef struct ups_desc_head {
    UPS_DESC_HEAD;
} ups_desc_head;

/* max_pool: y[o] = max of x[o*s - pb + t*d] over taps t in [0, k) that lie inside the image; padding never wins.
 * Equal values: the first in row-major scan order. NaN wins, and the last NaN of a window gives the index
 * (PyTorch, every dtype and layout). A window of padding alone gives -inf and the index -1.
 * Size: (n + pb + pe - E) / s + 1, rounded down; with ceil_mode up, less one when the last window would start
 * beyond n + pb (PyTorch, ONNX). */
typedef struct ups_pool_desc {
    UPS_DESC_HEAD;
    int64_t kernel_shape[3]; /* k >= 1; no default: 0 after init, which is refused */
    int64_t strides[3];      /* s >= 1; after init UPS_BY_PRESET: torch means kernel_shape */
    int64_t dilations[3];    /* d >= 1; 1 */
    int64_t pads_begin[3];   /* 0 <= pb < E; 0 */
    int64_t pads_end[3];     /* 0 <= pe < E; 0 */
    int32_t ceil_mode;       /* 0 or 1; 0 */
    int32_t index;           /* convention of the recorded switches: UPS_INDEX_PLANE */
    int32_t index_type;      /* UPS_I64 (torch) or UPS_I32 */
} ups_pool_desc;

/* max_unpool: y = 0; then for every input element in row-major order y[index] = x. Values are copied bit by bit
 * and on duplicates the last one wins (PyTorch, ONNX: assignment, not addition). Size: (n-1)*s - pb - pe + k, or
 * the given output_shape, which must lie less than s away from that (PyTorch). An index outside the output plane
 * is never written: see ups_buffers.bad_count. */
typedef struct ups_unpool_desc {
    UPS_DESC_HEAD;
    int64_t kernel_shape[3]; /* k >= 1; no default */
    int64_t strides[3];      /* s >= 1; after init UPS_BY_PRESET: torch means kernel_shape */
    int64_t pads_begin[3];   /* 0 <= pb < k; 0 */
    int64_t pads_end[3];     /* 0 <= pe < k; 0 */
    int64_t output_shape[3]; /* after init UPS_BY_PRESET: the size above */
    int32_t index;           /* UPS_INDEX_PLANE, of the output plane */
    int32_t index_type;      /* type of indices_in: UPS_I64 or UPS_I32 */
} ups_unpool_desc;

/* replicate: y[o] = x[o / factor]. bed_of_nails: y[o*factor + offset] = x[o], every other element 0. m = n*factor. */
typedef struct ups_expand_desc {
    UPS_DESC_HEAD;
    int64_t factor[3]; /* >= 1; no default */
    int64_t offset[3]; /* bed_of_nails: 0 <= offset < factor; 0. replicate: 0 */
} ups_expand_desc;

/* resize: separable interpolation. With x(o) the source coordinate of output o and sc the scale (output / input):
 *
 *     half_pixel     x = (o + 0.5)/sc - 0.5
 *     align_corners  x = o*(n-1)/(m-1), 0 when m = 1
 *     asymmetric     x = o/sc
 *
 * nearest takes x[clamp(round(x(o)))] with nearest_mode floor, ceil, round_prefer_floor ceil(x - 0.5),
 * round_prefer_ceil floor(x + 0.5); linear blends the two neighbours, border pixels repeat.
 * sizes and scales are two fields: sizes gives m; scales, when given, enters the formula as sc. Without sizes
 * m = floor(n*scale); without scales sc = m/n. Sizes given to ups_plan_create stand in for sizes.
 * coordinate_arithmetic torch: ratios rounded to f32, formulas in f32, linear clamped at 0 before it is split, and
 * PyTorch's copies: linear on an axis with n = m; nearest floor/asymmetric in 2-D with n = m or m = 2n. */
typedef struct ups_resize_desc {
    UPS_DESC_HEAD;
    int32_t mode;                           /* UPS_MODE_LINEAR, or UPS_MODE_NEAREST */
    int32_t coordinate_transformation_mode; /* after init UPS_BY_PRESET: torch means asymmetric for nearest, half_pixel for linear */
    int32_t nearest_mode;                   /* after init UPS_BY_PRESET: torch means floor */
    int32_t coordinate_arithmetic;          /* UPS_COORDINATES_TORCH (torch), UPS_COORDINATES_F64 (the formulas above in double) */
    int64_t sizes[3];                       /* m >= 1; after init UPS_BY_PRESET: from scales or from the plan */
    double scales[3];                       /* sc > 0; after init UPS_BY_PRESET: from sizes */
} ups_resize_desc;

/* conv_transpose, with group = G:
 *
 *     full[co, o*s + t*d] += sum over ci of x[ci, o] * w[ci, co, t]         y[q] = act(full[q + pb] + bias[co])
 *
 * m = s*(n-1) + E - pb - pe + output_padding. The kernel is not flipped; positions no tap reaches are act(bias).
 * Input channels g*I/G…, output channels g*O/G… belong to group g. Sizes given to ups_plan_create choose the output
 * padding (PyTorch's output_size). Weights are taken as finite: a product with a zero outside the image may be
 * computed or not. */
typedef struct ups_conv_transpose_desc {
    UPS_DESC_HEAD;
    int64_t in_channels;       /* I >= 1; no default; a multiple of group */
    int64_t out_channels;      /* O >= 1; no default; a multiple of group */
    int64_t group;             /* G >= 1; 1 */
    int64_t kernel_shape[3];   /* k >= 1; no default */
    int64_t strides[3];        /* s >= 1; 1 */
    int64_t dilations[3];      /* d >= 1; 1 */
    int64_t pads_begin[3];     /* pb >= 0; 0 */
    int64_t pads_end[3];       /* pe >= 0; 0 */
    int64_t output_padding[3]; /* 0 <= op < max(s, d) (PyTorch); 0 */
    int32_t weights_layout;    /* UPS_IOHW whatever the activations' layout: [I, O/G, k…] dense; OIHW [O, I/G, k…], HWOI
                                  [k…, O, I/G], OHWI [O, k…, I/G], HWIO [k…, I, O/G]: of I and O the one named first counts
                                  all channels, the other those of one group */
    int32_t activation;        /* UPS_NO_ACTIVATION; UPS_RELU; UPS_LEAKY_RELU: v < 0 ? v*alpha : v; UPS_CLIP to [alpha, beta] */
    double activation_alpha;   /* leaky relu's slope (0.01 after init), or clip's lower end */
    double activation_beta;    /* clip's upper end (0 after init) */
} ups_conv_transpose_desc;

/* The operation of a word ("max_pool"), 0 if there is none; and the word of an operation, NULL if there is none. */
UPS_API int32_t ups_op_code(const char *word);
UPS_API const char *ups_op_word(int32_t op);

/* Bytes of the descriptor of an operation; 0 for an operation this library does not know. */
UPS_API size_t ups_desc_size(int32_t op);

/* Starts a descriptor of `size` bytes (ups_desc_size(op), or sizeof the struct). preset NULL means "torch", the only
 * one so far. UPS_INVALID: unknown op, unknown preset, size less than the head's. */
UPS_API int32_t ups_desc_init(void *desc, size_t size, int32_t op, const char *preset);

/* Sets one field from text: integers and words as named above; arrays "2,2" with one value per axis, or one value for
 * every axis; pads "1,1,2,2" all begins, then all ends (or one value); activation "relu", "leaky_relu:0.1",
 * "clip:0,6"; "by_preset" where the field allows it. Set rank before arrays. Names are the fields' (ONNX's where ONNX
 * has the attribute), except: pads for both pad arrays, activation for all three. UPS_INVALID leaves desc as it was. */
UPS_API int32_t ups_desc_set(void *desc, const char *name, const char *value);

/* Writes a field as the text ups_desc_set takes, by-preset values resolved. Returns the length the whole text needs
 * (without its NUL), like snprintf; capacity 0 asks only. -1: no such field. */
UPS_API int64_t ups_desc_get(const void *desc, const char *name, char *text, size_t capacity);

/* The i-th field name of an operation, NULL past the last. */
UPS_API const char *ups_desc_field(int32_t op, int32_t i);

/* Output sizes for an input size (spatial, rank entries), without an op: the smallest and largest size that may be
 * asked for, and the one taken when none is asked for (0: none is legal without asking). Any of the outputs may be NULL. resize without sizes and
 * scales: defaults are 0, every size from 1 is legal. */
UPS_API int32_t ups_shape(const void *desc, const int64_t *in, int64_t *smallest, int64_t *standard, int64_t *largest);

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
 * chain (taps in row-major order outer, input channels inner, from 0, bias last).
 *   accurate      factor <= 1 (within 5 % measuring noise). The default.
 *   fast          factor <= 2.
 *   reproducible  that chain in that order: the same bits on avx2, avx512 and neon for every map size, batch and
 *                 division into parts; scalar multiplies and adds without contraction, factor <= 1.5.
 * Under the first two, low bits may differ between tiers and machines. Under every policy, the same bits for every
 * number of parts. An algorithm that was asked for by name and that the policy excludes is UPS_UNSUPPORTED. */
typedef struct ups_options {
    uint32_t size;
    uint32_t flags;        /* UPS_WEIGHTS_AT_RUN or 0 */
    int32_t policy;        /* UPS_POLICY_ACCURATE */
    int32_t reserved;      /* 0 */
    const char *max_isa;   /* NULL, or "scalar" "avx2" "avx512" "neon": no tier above it. The environment variable
                              UPSAMPLE_MAX_ISA caps every op of the process the same way; an unknown word is an error */
    const char *algorithm; /* NULL or "auto": the op chooses. conv_transpose: "phase", "gemm", "scatter" */
    /* Memory for ops and plans; both NULL: malloc and free. allocate returns at least 16-byte aligned memory or NULL. */
    void *(*allocate)(void *context, size_t bytes);
    void (*release)(void *context, void *memory);
    void *context;
    char *error; /* receives the sentence of a failure of ups_op_create, for callers that cannot read thread-local text */
    size_t error_capacity;
} ups_options;

UPS_API int32_t ups_options_init(ups_options *options, size_t size);

/* Makes an op: validates, chooses kernels and algorithm, copies and packs weights; the caller's arrays are not needed
 * afterwards. options NULL means the defaults. weights: conv_transpose's f32 array in weights_layout; bias: out_channels
 * values or NULL for none; both NULL for the other operations and with UPS_WEIGHTS_AT_RUN. Costs at most 1 ms plus a few
 * times the copying of the packed weights, whatever the shape; no autotuning. */
UPS_API int32_t ups_op_create(const void *desc, const float *weights, const float *bias, const ups_options *options,
                              ups_op **op);
UPS_API void ups_op_destroy(ups_op *op); /* NULL is fine. Plans keep what they need: destroy in any order. */

/* ------------------------------------------------------------------------------------------------------------
 * Planning
 * ---------------------------------------------------------------------------------------------------------- */

/* An op at concrete sizes. src: required, in the op's layout. dst: NULL means dense in the op's layout. out_sizes
 * (spatial, rank entries): NULL means the descriptor's. With dst given its sizes must be the plan's (out_sizes NULL:
 * they are asked for as out_sizes). A destination must not overlap itself. N = 0 is legal and does nothing; any other
 * size of 0 is an error. Costs microseconds; no packing. */
UPS_API int32_t ups_plan_create(ups_op *op, const ups_tensor *src, const ups_tensor *dst, const int64_t *out_sizes,
                                ups_plan **plan);
UPS_API void ups_plan_destroy(ups_plan *plan);

enum { UPS_ROLE_SRC = 1, UPS_ROLE_DST = 2, UPS_ROLE_INDICES = 3 };

/* Shape and strides of a tensor of the plan; tensor->size must be set. Indices are dense in the op's layout, shaped as
 * the pooled tensor. UPS_INVALID: the operation has no such tensor. */
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
    const float *src;
    float *dst;
    const void *indices_in; /* max_unpool: index_type values */
    void *indices_out;      /* max_pool: receives the switches, or NULL: values alone */
    const float *weights;   /* only with UPS_WEIGHTS_AT_RUN */
    const float *bias;
    int64_t bad_count;      /* out, max_unpool: how many indices were outside the output plane, and skipped */
    int64_t bad_first;      /* out: the smallest position of one, counting source elements in N, C, spatial order; -1 */
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
