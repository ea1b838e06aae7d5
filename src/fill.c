/* SPDX-License-Identifier: MIT
 *
 * Weights with which a transposed convolution is upsampling: the same separable kernel from each channel to itself, 0 between
 * different ones.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "deconv.h"
#include "error.h"

/* Caffe's filler: a tent of half width f = ceil(k/2) around the middle of the kernel. */
static double tent(int64_t k, int64_t t)
{
    int64_t f = ups_ceil_div(k, 2);
    double center = (double)(2 * f - 1 - f % 2) / (double)(2 * f);
    return 1 - fabs((double)t / (double)f - center);
}

static double weight(int32_t kind, const struct ups_deconv_axis *a, int64_t t)
{
    switch (kind) {
    case UPS_FILL_BILINEAR: return tent(a->k, t);
    case UPS_FILL_REPLICATE: return t < a->s;
    default: return t == 0;
    }
}

/* The kernel of one channel; `to`: its tap 0. */
static void fill_kernel(const struct ups_deconv *d, int32_t kind, float *to)
{
    const struct ups_deconv_axis *a = d->axis;
    for (int64_t i = 0; i < a[0].k; i++)
        for (int64_t j = 0; j < a[1].k; j++)
            for (int64_t k = 0; k < a[2].k; k++)
                to[i * d->w.tap[0] + j * d->w.tap[1] + k * d->w.tap[2]] =
                    (float)(weight(kind, &a[0], i) * weight(kind, &a[1], j) * weight(kind, &a[2], k));
}

static int32_t check_fill(const union ups_desc *desc, int32_t kind, const float *weights)
{
    const ups_conv_transpose_desc *d = &desc->conv_transpose;
    if (d->op != UPS_CONV_TRANSPOSE)
        return ups_error(UPS_INVALID, "desc.op = %s has no weights; legal: conv_transpose", ups_op_word(d->op));
    if (kind < UPS_FILL_BILINEAR || kind > UPS_FILL_BED_OF_NAILS)
        return ups_error(
            UPS_INVALID,
            "kind = %" PRId32 "; legal: UPS_FILL_BILINEAR 1, UPS_FILL_REPLICATE 2, UPS_FILL_BED_OF_NAILS 3", kind);
    if (!weights || (uintptr_t)weights % sizeof *weights)
        return ups_error(UPS_INVALID,
                         "weights = %p; legal: an array of in_channels * out_channels/group * kernel floats",
                         (const void *)weights);
    if (d->in_channels != d->out_channels)
        return ups_error(UPS_INVALID,
                         "out_channels = %" PRId64 "; legal: in_channels = %" PRId64 ", each channel comes from itself",
                         d->out_channels, d->in_channels);
    for (int i = 0; i < d->rank && kind == UPS_FILL_REPLICATE; i++) {
        if (d->kernel_shape[i] < d->strides[i])
            return ups_error(UPS_INVALID,
                             "kernel_shape[%d] = %" PRId64 "; legal for replication: strides[%d] = %" PRId64 " or more",
                             i, d->kernel_shape[i], i, d->strides[i]);
        if (d->dilations[i] > 1 && d->strides[i] > 1)
            return ups_error(UPS_INVALID, "dilations[%d] = %" PRId64 "; legal for replication by %" PRId64 ": 1", i,
                             d->dilations[i], d->strides[i]);
    }
    return UPS_OK;
}

int32_t ups_fill_weights(const void *desc, int32_t kind, float *weights)
{
    union ups_desc own;
    struct ups_deconv d = {0};
    int32_t status = ups_desc_read(&own, desc);
    if (!status) status = check_fill(&own, kind, weights);
    if (!status) status = ups_deconv_geometry(&d, &own.conv_transpose);
    if (status) return status;
    int64_t taps = d.axis[0].k * d.axis[1].k * d.axis[2].k;
    memset(weights, 0, (size_t)(d.groups * d.in * d.out * taps) * sizeof *weights);
    for (int64_t g = 0; g < d.groups; g++)
        for (int64_t i = 0; i < d.in; i++) fill_kernel(&d, kind, weights + g * d.w.group + i * (d.w.in + d.w.out));
    return UPS_OK;
}
