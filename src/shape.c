/* SPDX-License-Identifier: MIT
 *
 * Output sizes, and the pads that give them. Lengths are at most 2^31 - 1, so the products below stay inside int64_t.
 */
#include "shape.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>

#include "error.h"
#include "size.h"

/* ---- pooling ---- */

static bool is_same(int32_t auto_pad)
{
    return auto_pad == UPS_SAME_UPPER || auto_pad == UPS_SAME_LOWER;
}

/* One less where the last window would start beyond the image and the padding before it. */
static bool clips(const ups_pool_desc *d)
{
    if (d->round != UPS_ROUND_CEIL_CAFFE) return d->round == UPS_ROUND_CEIL_CLIP;
    for (int a = 0; a < d->rank; a++)
        if (d->pads_begin[a] || d->pads_end[a]) return true;
    return false;
}

/* The last window's end of the padded image, and how many windows there are: less than 1 where not even one fits. */
static int64_t pool_room(const ups_pool_desc *d, int a, int64_t in)
{
    return in + d->pads_begin[a] + d->pads_end[a] - ups_extent(d->kernel_shape[a], d->dilations[a]);
}

static bool rounds_up(const ups_pool_desc *d)
{
    return d->round != UPS_ROUND_FLOOR && d->auto_pad == UPS_NOTSET;
}

static int64_t pool_windows(const ups_pool_desc *d, int a, int64_t in)
{
    int64_t stride = d->strides[a], room = pool_room(d, a, in);
    if (is_same(d->auto_pad)) return ups_ceil_div(in, stride);
    int64_t m = (rounds_up(d) ? ups_ceil_div(room, stride) : ups_floor_div(room, stride)) + 1;
    return rounds_up(d) && clips(d) && (m - 1) * stride >= in + d->pads_begin[a] ? m - 1 : m;
}

static int32_t pool_sizes(const ups_pool_desc *d, int a, int64_t in, struct ups_sizes *sizes)
{
    int64_t m = pool_windows(d, a, in), room = pool_room(d, a, in);
    if (m < 1)
        return ups_error(UPS_INVALID,
                         "in[%d] = %" PRId64 " with its pads is %" PRId64 " shorter than the window; legal: %" PRId64
                         " or more",
                         a, in, -room, rounds_up(d) ? in - room - d->strides[a] + 1 : in - room);
    *sizes = (struct ups_sizes){m, m, m};
    return UPS_OK;
}

/* Pads that the size of the output decides: the odd element at the end, or at the begin. */
static void split_pads(int64_t total, bool more_at_begin, struct ups_pads *pads)
{
    int64_t half = ups_floor_div(total, 2);
    pads->begin = more_at_begin ? total - half : half;
    pads->end = total - pads->begin;
    pads->output = 0;
}

static void pool_pads(const ups_pool_desc *d, int a, int64_t in, int64_t out, struct ups_pads *pads)
{
    if (is_same(d->auto_pad)) {
        int64_t total = (out - 1) * d->strides[a] + ups_extent(d->kernel_shape[a], d->dilations[a]) - in;
        split_pads(ups_max(total, 0), d->auto_pad == UPS_SAME_LOWER, pads);
    } else {
        *pads = (struct ups_pads){d->pads_begin[a], d->pads_end[a], 0};
    }
}

/* ---- unpooling ---- */

int64_t ups_unpool_derived(const ups_unpool_desc *d, int a, int64_t in)
{
    return (in - 1) * d->strides[a] - d->pads_begin[a] - d->pads_end[a] +
           ups_extent(d->kernel_shape[a], d->dilations[a]);
}

static struct ups_sizes unpool_range(const ups_unpool_desc *d, int a, int64_t in)
{
    int64_t stride = d->strides[a], derived = ups_unpool_derived(d, a, in);
    switch (d->size_rule) {
    case UPS_UNPOOL_TORCH: return (struct ups_sizes){ups_max(1, derived - stride + 1), derived, derived + stride - 1};
    case UPS_UNPOOL_ONNX: return (struct ups_sizes){ups_max(1, derived), derived, UPS_MAX_LENGTH};
    default: return (struct ups_sizes){1, ups_max(derived, in * stride - d->pads_begin[a] + 1), UPS_MAX_LENGTH};
    }
}

static int32_t unpool_sizes(const ups_unpool_desc *d, int a, int64_t in, struct ups_sizes *sizes)
{
    int64_t given = d->output_shape[a], derived = ups_unpool_derived(d, a, in);
    const char *rule = ups_field_word(d->op, "size_rule", d->size_rule);
    *sizes = unpool_range(d, a, in);
    if (sizes->largest < sizes->smallest)
        return ups_error(UPS_INVALID,
                         "the output of in[%d] = %" PRId64 " would be %" PRId64
                         " by size_rule %s; legal: more than the pads take",
                         a, in, derived, rule);
    if (given == UPS_BY_PRESET) return UPS_OK;
    if (given < sizes->smallest || given > sizes->largest)
        return ups_error(UPS_INVALID,
                         "output_shape[%d] = %" PRId64 "; legal for in[%d] = %" PRId64 " by size_rule %s: %" PRId64
                         " to %" PRId64,
                         a, given, a, in, rule, sizes->smallest, sizes->largest);
    sizes->standard = given;
    return UPS_OK;
}

/* ---- transposed convolution ---- */

/* Its lengths along one axis. */
struct deconv {
    int64_t stride, extent, slack;  /* slack: the most output padding, and one */
    int64_t full;                   /* without any pads */
    int64_t output_padding, wanted; /* wanted: UPS_BY_PRESET for none */
    bool given;                     /* the pads are the caller's */
    int64_t begin, end;             /* then */
};

static struct deconv deconv_of(const ups_conv_transpose_desc *d, int a, int64_t in)
{
    struct deconv c = {.stride = d->strides[a], .extent = ups_extent(d->kernel_shape[a], d->dilations[a])};
    c.slack = ups_max(c.stride, d->dilations[a]);
    c.full = (in - 1) * c.stride + c.extent;
    c.output_padding = d->output_padding[a];
    c.wanted = d->output_shape[a];
    bool replaced = d->shape_rule == UPS_SHAPE_ONNX || d->shape_rule == UPS_SHAPE_ORT; /* by those of the wanted size */
    c.given = d->pads_begin[a] != UPS_BY_PRESET && (!replaced || c.wanted == UPS_BY_PRESET);
    if (c.given) c.begin = d->pads_begin[a], c.end = d->pads_end[a];
    return c;
}

/* Every rule's legal sizes, and the one without a wanted size. */
static void deconv_range(const ups_conv_transpose_desc *d, const struct deconv *c, int64_t in, struct ups_sizes *sizes)
{
    int64_t natural = c->full - c->begin - c->end, multiple = in * c->stride;
    bool same = is_same(d->auto_pad), notset = d->auto_pad == UPS_NOTSET;
    switch (d->shape_rule) {
    case UPS_SHAPE_TORCH:
        if (same) natural = multiple - c->output_padding;
        *sizes = (struct ups_sizes){ups_max(1, natural), natural + c->output_padding, natural + c->slack - 1};
        return;
    case UPS_SHAPE_TF:
        if (same)
            *sizes = (struct ups_sizes){multiple - c->stride + 1, multiple, multiple};
        else if (notset)
            *sizes = (struct ups_sizes){ups_max(1, natural), natural + c->output_padding, natural + c->slack - 1};
        else
            *sizes = (struct ups_sizes){natural, natural + ups_max(c->stride - c->extent, 0), natural + c->stride - 1};
        return;
    default: break;
    }
    bool openvino = d->shape_rule == UPS_SHAPE_OPENVINO; /* its auto_pad counts only where a size is wanted */
    int64_t standard = same && !openvino ? multiple : natural + c->output_padding;
    if (d->shape_rule == UPS_SHAPE_ORT) standard = ups_min(standard, c->full + c->output_padding);
    if (c->given && !openvino)
        *sizes = (struct ups_sizes){standard, standard, standard};
    else if (d->shape_rule == UPS_SHAPE_ORT)
        *sizes = (struct ups_sizes){1, standard, c->full + c->output_padding};
    else
        *sizes = (struct ups_sizes){1, standard, UPS_MAX_LENGTH};
}

static int32_t conv_transpose_sizes(const ups_conv_transpose_desc *d, int a, int64_t in, struct ups_sizes *sizes)
{
    struct deconv c = deconv_of(d, a, in);
    deconv_range(d, &c, in, sizes);
    if (c.wanted == UPS_BY_PRESET) return UPS_OK;
    if (c.wanted < sizes->smallest || c.wanted > sizes->largest)
        return ups_error(
            UPS_INVALID,
            "output_shape[%d] = %" PRId64 "; legal for in[%d] = %" PRId64 " by shape_rule %s: %" PRId64 " to %" PRId64,
            a, c.wanted, a, in, ups_field_word(d->op, "shape_rule", d->shape_rule), sizes->smallest, sizes->largest);
    sizes->standard = c.wanted;
    return UPS_OK;
}

static void conv_transpose_pads(const ups_conv_transpose_desc *d, int a, int64_t in, int64_t out, struct ups_pads *pads)
{
    struct deconv c = deconv_of(d, a, in);
    bool upper = d->auto_pad == UPS_SAME_UPPER, same = is_same(d->auto_pad);
    int64_t total = c.full + c.output_padding - out; /* T */
    *pads = (struct ups_pads){c.begin, c.end, c.output_padding};
    if (d->shape_rule == UPS_SHAPE_OPENVINO) {
        if (same) split_pads(ups_max(total, 0), upper, pads);
        pads->end = total - pads->begin;
        pads->output = c.output_padding;
        return;
    }
    if (c.given) {
        pads->output = out - (c.full - c.begin - c.end);
        return;
    }
    switch (d->shape_rule) {
    case UPS_SHAPE_TORCH: /* output padding for what is wanted; the pads as without a wanted size */
        if (same) split_pads(c.full + c.output_padding - in * c.stride, !upper, pads);
        pads->output = out - (c.full - pads->begin - pads->end);
        return;
    case UPS_SHAPE_TF:
        if (same) split_pads(ups_max(total, 0), false, pads);
        pads->output = out - (c.full - pads->begin - pads->end);
        return;
    default: split_pads(total, !upper, pads); break;
    }
    pads->output = c.output_padding;
}

/* ---- resize ---- */

/* The one scale of keep_aspect_ratio_policy: the least or largest of sizes/in over the axes. */
double ups_aspect_scale(const ups_resize_desc *d, const int64_t *in)
{
    double scale = 0;
    for (int a = 0; a < d->rank; a++) {
        double own = (double)d->sizes[a] / (double)in[a];
        if (!(d->axes & (1 << a))) continue;
        if (scale == 0 || (d->keep_aspect_ratio_policy == UPS_NOT_LARGER ? own < scale : own > scale)) scale = own;
    }
    return scale;
}

static double scaled_size(const ups_resize_desc *d, int a, int64_t in)
{
    float scale = (float)d->scales[a];
    switch (d->size_rounding) {
    case UPS_SIZE_FLOOR_F32: return (double)floorf((float)in * scale);
    case UPS_SIZE_FLOOR_OPENVINO: return (double)floorf((float)in * (scale + 1e-6f));
    case UPS_SIZE_ROUND: return rint((double)in * d->scales[a]);
    default: return floor((double)in * d->scales[a]);
    }
}

/* Any size may be asked for; sizes, then scales, give the standard one. 0: neither is set. */
static int32_t resize_sizes(const ups_resize_desc *d, int a, const int64_t *in, struct ups_sizes *sizes)
{
    *sizes = (struct ups_sizes){1, 0, UPS_MAX_LENGTH};
    double most = (double)UPS_MAX_LENGTH + 1; /* 0 and too many: refused where it is taken */
    if (!(d->axes & (1 << a)))
        sizes->smallest = sizes->standard = sizes->largest = in[a];
    else if (d->keep_aspect_ratio_policy != UPS_STRETCH)
        sizes->smallest = sizes->standard = sizes->largest =
            (int64_t)fmin(floor(ups_aspect_scale(d, in) * (double)in[a] + 0.5), most);
    else if (d->sizes[a] != UPS_BY_PRESET)
        sizes->standard = d->sizes[a];
    else if (d->scales[a] != UPS_BY_PRESET)
        sizes->standard = (int64_t)fmin(scaled_size(d, a, in[a]), most);
    return UPS_OK;
}

/* ---- shuffles ---- */

static int32_t shuffle_sizes(const ups_shuffle_desc *d, int a, int64_t in, struct ups_sizes *sizes)
{
    bool widens = ups_runs_as(d->op) == UPS_PIXEL_SHUFFLE;
    int64_t m = widens ? in * d->blocksize : in / d->blocksize;
    if (!widens && in % d->blocksize)
        return ups_error(UPS_INVALID, "in[%d] = %" PRId64 "; legal: a multiple of blocksize = %" PRId64, a, in,
                         d->blocksize);
    *sizes = (struct ups_sizes){m, m, m};
    return UPS_OK;
}

/* ---- gradients: from the output's size back to the input's ---- */

/* What the forward operation makes of an input. */
static struct ups_sizes forward_range(const union ups_desc *desc, int a, int64_t in)
{
    struct ups_sizes s;
    switch (ups_forward_op(desc->head.op)) {
    case UPS_MAX_UNPOOL: return unpool_range(&desc->unpool, a, in);
    case UPS_CONV_TRANSPOSE: {
        struct deconv c = deconv_of(&desc->conv_transpose, a, in);
        deconv_range(&desc->conv_transpose, &c, in, &s);
        return s;
    }
    default: s.smallest = s.standard = s.largest = pool_windows(&desc->pool, a, in); return s;
    }
}

enum bound { SMALLEST, STANDARD, LARGEST };

/* The first input whose smallest, standard or largest output is m or more. None of them falls as the input grows. */
static int64_t first_input(const union ups_desc *desc, int a, enum bound bound, int64_t m)
{
    int64_t below = 0, reached = UPS_MAX_LENGTH + 1;
    while (reached - below > 1) {
        int64_t in = below + (reached - below) / 2;
        struct ups_sizes s = forward_range(desc, a, in);
        *((bound == SMALLEST ? s.smallest : bound == STANDARD ? s.standard : s.largest) >= m ? &reached : &below) = in;
    }
    return reached;
}

/* What an input must be, for the sentence of an output that none has. */
static int32_t no_input(const union ups_desc *desc, int a, int64_t m)
{
    const ups_conv_transpose_desc *d = &desc->conv_transpose;
    const char *forward = ups_op_word(ups_forward_op(desc->head.op));
    if (ups_forward_op(d->op) != UPS_CONV_TRANSPOSE)
        return ups_error(UPS_INVALID, "in[%d] = %" PRId64 "; legal: a size that %s gives for some input", a, m,
                         forward);
    return ups_error(UPS_INVALID,
                     "in[%d] = %" PRId64 "; legal: what %s gives for some input by shape_rule %s, stride %" PRId64, a,
                     m, forward, ups_field_word(d->op, "shape_rule", d->shape_rule), d->strides[a]);
}

/* The inputs whose outputs may have size m are a run. The standard one is the only one there is, or else the only one whose
 * standard output that is, unless another output is wanted. */
static int32_t input_sizes(const union ups_desc *desc, int a, int64_t m, struct ups_sizes *sizes)
{
    bool wanted =
        desc->head.op == UPS_CONV_TRANSPOSE_GRAD_INPUT && desc->conv_transpose.output_shape[a] != UPS_BY_PRESET;
    int64_t standard = first_input(desc, a, STANDARD, m), next = first_input(desc, a, STANDARD, m + 1);
    *sizes = (struct ups_sizes){first_input(desc, a, LARGEST, m), 0, first_input(desc, a, SMALLEST, m + 1) - 1};
    if (sizes->smallest > sizes->largest) return no_input(desc, a, m);
    if (sizes->smallest == sizes->largest)
        sizes->standard = sizes->smallest;
    else if (next - standard == 1 && !wanted)
        sizes->standard = standard;
    return UPS_OK;
}

static int32_t expand_grad_sizes(const ups_expand_desc *d, int a, int64_t in, struct ups_sizes *sizes)
{
    int64_t n = in / d->factor[a];
    if (in % d->factor[a])
        return ups_error(UPS_INVALID, "in[%d] = %" PRId64 "; legal: a multiple of factor[%d] = %" PRId64, a, in, a,
                         d->factor[a]);
    *sizes = (struct ups_sizes){n, n, n};
    return UPS_OK;
}

/* ---- any operation ---- */

int32_t ups_axis_sizes(const union ups_desc *desc, int axis, const int64_t *in, struct ups_sizes *sizes)
{
    int64_t m;
    switch (ups_runs_as(desc->head.op)) {
    case UPS_MAX_POOL:
    case UPS_AVG_POOL: return pool_sizes(&desc->pool, axis, in[axis], sizes);
    case UPS_MAX_UNPOOL: return unpool_sizes(&desc->unpool, axis, in[axis], sizes);
    case UPS_PIXEL_SHUFFLE:
    case UPS_PIXEL_UNSHUFFLE: return shuffle_sizes(&desc->shuffle, axis, in[axis], sizes);
    case UPS_RESIZE: return resize_sizes(&desc->resize, axis, in, sizes);
    case UPS_CONV_TRANSPOSE:
    case UPS_CONV_TRANSPOSE_GRAD_WEIGHTS: return conv_transpose_sizes(&desc->conv_transpose, axis, in[axis], sizes);
    case UPS_CONV_TRANSPOSE_GRAD_BIAS: *sizes = (struct ups_sizes){1, 1, 1}; return UPS_OK;
    case UPS_CONV_TRANSPOSE_GRAD_INPUT:
    case UPS_MAX_POOL_GRAD:
    case UPS_AVG_POOL_GRAD:
    case UPS_MAX_UNPOOL_GRAD: return input_sizes(desc, axis, in[axis], sizes);
    case UPS_REPLICATE_GRAD:
    case UPS_BED_OF_NAILS_GRAD: return expand_grad_sizes(&desc->expand, axis, in[axis], sizes);
    default:
        m = in[axis] * desc->expand.factor[axis];
        *sizes = (struct ups_sizes){m, m, m};
        return UPS_OK;
    }
}

void ups_axis_pads(const union ups_desc *desc, int axis, int64_t in, int64_t out, struct ups_pads *pads)
{
    *pads = (struct ups_pads){0, 0, 0};
    switch (desc->head.op) {
    case UPS_MAX_POOL:
    case UPS_AVG_POOL: pool_pads(&desc->pool, axis, in, out, pads); break;
    case UPS_MAX_POOL_GRAD:
    case UPS_AVG_POOL_GRAD: pool_pads(&desc->pool, axis, out, in, pads); break;
    case UPS_BED_OF_NAILS_GRAD: pads->begin = -desc->expand.offset[axis]; break;
    case UPS_MAX_UNPOOL:
    case UPS_MAX_UNPOOL_GRAD:
        *pads = (struct ups_pads){desc->unpool.pads_begin[axis], desc->unpool.pads_end[axis], 0};
        break;
    case UPS_CONV_TRANSPOSE:
    case UPS_CONV_TRANSPOSE_GRAD_WEIGHTS: conv_transpose_pads(&desc->conv_transpose, axis, in, out, pads); break;
    case UPS_CONV_TRANSPOSE_GRAD_INPUT: conv_transpose_pads(&desc->conv_transpose, axis, out, in, pads); break;
    default: break;
    }
}

/* The size of one axis: the asked one within the legal range, or the standard one. */
static int32_t settle(const union ups_desc *desc, int a, const int64_t *in, const int64_t *asked, int64_t *out)
{
    struct ups_sizes s = {0, 0, 0};
    int32_t status = ups_axis_sizes(desc, a, in, &s);
    if (status) return status;
    int64_t most = ups_min(s.largest, UPS_MAX_LENGTH);
    if (asked && (asked[a] < s.smallest || asked[a] > most))
        return ups_error(UPS_INVALID,
                         "out_sizes[%d] = %" PRId64 "; legal for in[%d] = %" PRId64 ": %" PRId64 " to %" PRId64, a,
                         asked[a], a, in[a], s.smallest, most);
    *out = asked ? asked[a] : s.standard;
    if (*out == 0 && desc->head.op == UPS_RESIZE && desc->resize.scales[a] == UPS_BY_PRESET)
        return ups_error(UPS_INVALID,
                         "sizes[%d] and scales[%d] are both unset and no out_sizes are given; one of them is needed", a,
                         a);
    if (*out == 0 && ups_is_grad(desc->head.op))
        return ups_error(UPS_INVALID,
                         "out_sizes = NULL, but in[%d] = %" PRId64 " comes of inputs of several sizes; legal: %" PRId64
                         " to %" PRId64,
                         a, in[a], s.smallest, most);
    if (*out < 1 || *out > UPS_MAX_LENGTH)
        return ups_error(UPS_INVALID,
                         "the output size along axis %d would be %" PRId64 " for in[%d] = %" PRId64
                         "; legal: 1 to %" PRId64,
                         a, *out, a, in[a], UPS_MAX_LENGTH);
    return UPS_OK;
}

int32_t ups_output_sizes(const union ups_desc *desc, const int64_t *in, const int64_t *asked, int64_t *out)
{
    int32_t status = UPS_OK;
    for (int a = 0; a < desc->head.rank && !status; a++) status = settle(desc, a, in, asked, &out[a]);
    return status;
}

static int32_t check_in(int32_t rank, const int64_t *in)
{
    if (!in) return ups_error(UPS_INVALID, "in = NULL; the input's spatial sizes are needed");
    for (int a = 0; a < rank; a++)
        if (in[a] < 1 || in[a] > UPS_MAX_LENGTH)
            return ups_error(UPS_INVALID, "in[%d] = %" PRId64 "; legal: 1 to %" PRId64, a, in[a], UPS_MAX_LENGTH);
    return UPS_OK;
}

int32_t ups_shape(const void *desc, const int64_t *in, int64_t *smallest, int64_t *standard, int64_t *largest)
{
    union ups_desc own;
    struct ups_sizes s[3];
    int32_t status = ups_desc_read(&own, desc);
    if (status) return status;
    if ((status = check_in(own.head.rank, in))) return status;
    for (int a = 0; a < own.head.rank; a++) {
        status = ups_axis_sizes(&own, a, in, &s[a]);
        if (status) return status;
        if (s[a].largest < 1 || s[a].smallest > UPS_MAX_LENGTH)
            return ups_error(UPS_INVALID,
                             "in[%d] = %" PRId64 " gives output sizes of %" PRId64 " to %" PRId64
                             "; legal: 1 to %" PRId64,
                             a, in[a], s[a].smallest, s[a].largest, UPS_MAX_LENGTH);
    }
    for (int a = 0; a < own.head.rank; a++) {
        if (smallest) smallest[a] = s[a].smallest;
        if (standard) standard[a] = s[a].standard >= 1 && s[a].standard <= UPS_MAX_LENGTH ? s[a].standard : 0;
        if (largest) largest[a] = ups_min(s[a].largest, UPS_MAX_LENGTH);
    }
    return UPS_OK;
}

int32_t ups_solve_pads(const void *desc, const int64_t *in, const int64_t *want, int64_t *pads, int64_t *output_padding)
{
    union ups_desc own;
    int64_t out[3];
    struct ups_pads solved[3];
    int32_t status = ups_desc_read(&own, desc);
    if (status) return status;
    int32_t op = own.head.op, rank = own.head.rank;
    if (op != UPS_MAX_POOL && op != UPS_AVG_POOL && op != UPS_MAX_UNPOOL && op != UPS_CONV_TRANSPOSE)
        return ups_error(UPS_INVALID, "%s has no pads; legal: conv_transpose, max_pool, avg_pool, max_unpool",
                         ups_op_word(op));
    if (!pads) return ups_error(UPS_INVALID, "pads = NULL; room for %" PRId32 " values is needed", 2 * rank);
    status = check_in(rank, in);
    if (!status) status = ups_output_sizes(&own, in, want, out);
    if (status) return status;
    for (int a = 0; a < rank; a++) ups_axis_pads(&own, a, in[a], out[a], &solved[a]);
    for (int a = 0; a < rank; a++) {
        pads[a] = solved[a].begin;
        pads[rank + a] = solved[a].end;
        if (output_padding) output_padding[a] = solved[a].output;
    }
    return UPS_OK;
}
