/* SPDX-License-Identifier: MIT
 *
 * Output sizes. Lengths are at most 2^31 - 1, so the products below stay inside int64_t.
 */
#include "shape.h"

#include <inttypes.h>
#include <math.h>

#include "error.h"
#include "size.h"

/* Windows over n elements (PyTorch, ONNX): rounded down, or up less a window that would start in the tail padding. */
static int32_t pool_sizes(const ups_pool_desc *d, int a, int64_t in, struct ups_sizes *sizes)
{
    int64_t stride = d->strides[a];
    int64_t room = in + d->pads_begin[a] + d->pads_end[a] - (d->dilations[a] * (d->kernel_shape[a] - 1) + 1);
    int64_t m = (d->ceil_mode ? ups_ceil_div(room, stride) : ups_floor_div(room, stride)) + 1;
    if (d->ceil_mode && (m - 1) * stride >= in + d->pads_begin[a]) m--;
    if (m < 1)
        return ups_error(UPS_INVALID,
                         "in[%d] = %" PRId64 " with its pads is %" PRId64 " shorter than the window; legal: %" PRId64
                         " or more",
                         a, in, -room, d->ceil_mode ? in - room - stride + 1 : in - room);
    sizes->smallest = sizes->standard = sizes->largest = m;
    return UPS_OK;
}

/* The inverse of a window is known up to its stride (PyTorch): less than a stride either way. */
static int32_t unpool_sizes(const ups_unpool_desc *d, int a, int64_t in, struct ups_sizes *sizes)
{
    int64_t natural = (in - 1) * d->strides[a] - d->pads_begin[a] - d->pads_end[a] + d->kernel_shape[a];
    int64_t given = d->output_shape[a];
    sizes->smallest = ups_max(1, natural - d->strides[a] + 1);
    sizes->largest = natural + d->strides[a] - 1;
    sizes->standard = given == UPS_BY_PRESET ? natural : given;
    if (given != UPS_BY_PRESET && (given < sizes->smallest || given > sizes->largest))
        return ups_error(UPS_INVALID,
                         "output_shape[%d] = %" PRId64 "; legal for in[%d] = %" PRId64 ": %" PRId64 " to %" PRId64, a,
                         given, a, in, sizes->smallest, sizes->largest);
    return UPS_OK;
}

static int32_t conv_transpose_sizes(const ups_conv_transpose_desc *d, int a, int64_t in, struct ups_sizes *sizes)
{
    int64_t natural =
        (in - 1) * d->strides[a] + d->dilations[a] * (d->kernel_shape[a] - 1) + 1 - d->pads_begin[a] - d->pads_end[a];
    sizes->smallest = ups_max(1, natural);
    sizes->standard = natural + d->output_padding[a];
    sizes->largest = natural + ups_max(d->strides[a], d->dilations[a]) - 1;
    return UPS_OK;
}

/* Any size may be asked for; sizes, then scales, give the standard one. 0: neither is set. */
static int32_t resize_sizes(const ups_resize_desc *d, int a, int64_t in, struct ups_sizes *sizes)
{
    double scaled = floor((double)in * d->scales[a]);
    sizes->smallest = 1;
    sizes->largest = UPS_MAX_LENGTH;
    sizes->standard = 0;
    if (d->sizes[a] != UPS_BY_PRESET)
        sizes->standard = d->sizes[a];
    else if (d->scales[a] != UPS_BY_PRESET)
        sizes->standard =
            (int64_t)fmin(scaled, (double)UPS_MAX_LENGTH + 1); /* 0 and too many: refused where it is taken */
    return UPS_OK;
}

int32_t ups_axis_sizes(const union ups_desc *desc, int axis, int64_t in, struct ups_sizes *sizes)
{
    switch (desc->head.op) {
    case UPS_MAX_POOL: return pool_sizes(&desc->pool, axis, in, sizes);
    case UPS_MAX_UNPOOL: return unpool_sizes(&desc->unpool, axis, in, sizes);
    case UPS_RESIZE: return resize_sizes(&desc->resize, axis, in, sizes);
    case UPS_CONV_TRANSPOSE: return conv_transpose_sizes(&desc->conv_transpose, axis, in, sizes);
    default: sizes->smallest = sizes->standard = sizes->largest = in * desc->expand.factor[axis]; return UPS_OK;
    }
}

/* The size of one axis: the asked one within the legal range, or the standard one. */
static int32_t settle(const union ups_desc *desc, int a, int64_t in, const int64_t *asked, int64_t *out)
{
    struct ups_sizes s = {0, 0, 0};
    int32_t status = ups_axis_sizes(desc, a, in, &s);
    if (status) return status;
    int64_t most = ups_min(s.largest, UPS_MAX_LENGTH);
    if (asked && (asked[a] < s.smallest || asked[a] > most))
        return ups_error(UPS_INVALID,
                         "out_sizes[%d] = %" PRId64 "; legal for in[%d] = %" PRId64 ": %" PRId64 " to %" PRId64, a,
                         asked[a], a, in, s.smallest, most);
    *out = asked ? asked[a] : s.standard;
    if (*out == 0 && desc->head.op == UPS_RESIZE && desc->resize.scales[a] == UPS_BY_PRESET)
        return ups_error(UPS_INVALID,
                         "sizes[%d] and scales[%d] are both unset and no out_sizes are given; one of them is needed", a,
                         a);
    if (*out < 1 || *out > UPS_MAX_LENGTH)
        return ups_error(UPS_INVALID,
                         "the output size along axis %d would be %" PRId64 " for in[%d] = %" PRId64
                         "; legal: 1 to %" PRId64,
                         a, *out, a, in, UPS_MAX_LENGTH);
    return UPS_OK;
}

int32_t ups_output_sizes(const union ups_desc *desc, const int64_t *in, const int64_t *asked, int64_t *out)
{
    int32_t status = UPS_OK;
    for (int a = 0; a < desc->head.rank && !status; a++) status = settle(desc, a, in[a], asked, &out[a]);
    return status;
}

int32_t ups_shape(const void *desc, const int64_t *in, int64_t *smallest, int64_t *standard, int64_t *largest)
{
    union ups_desc own;
    struct ups_sizes s[3];
    int32_t status = ups_desc_read(&own, desc);
    if (status) return status;
    if (!in) return ups_error(UPS_INVALID, "in = NULL; the input's spatial sizes are needed");
    for (int a = 0; a < own.head.rank; a++) {
        if (in[a] < 1 || in[a] > UPS_MAX_LENGTH)
            return ups_error(UPS_INVALID, "in[%d] = %" PRId64 "; legal: 1 to %" PRId64, a, in[a], UPS_MAX_LENGTH);
        status = ups_axis_sizes(&own, a, in[a], &s[a]);
        if (status) return status;
        if (s[a].largest < 1 || s[a].smallest > UPS_MAX_LENGTH)
            return ups_error(UPS_INVALID,
                             "no output size along axis %d is legal for in[%d] = %" PRId64 ": at most %" PRId64
                             " of 1 to %" PRId64,
                             a, a, in[a], s[a].largest, UPS_MAX_LENGTH);
    }
    for (int a = 0; a < own.head.rank; a++) {
        if (smallest) smallest[a] = s[a].smallest;
        if (standard) standard[a] = s[a].standard >= 1 && s[a].standard <= UPS_MAX_LENGTH ? s[a].standard : 0;
        if (largest) largest[a] = ups_min(s[a].largest, UPS_MAX_LENGTH);
    }
    return UPS_OK;
}
