/* SPDX-License-Identifier: MIT
 *
 * Framework presets. A preset fills an ordinary descriptor and does nothing else; where its value depends on another
 * field it leaves UPS_BY_PRESET, which is resolved when the descriptor is read.
 */
#include <string.h>

#include "desc.h"
#include "error.h"

static const char *const names[] = {"torch"}; /* a preset's number is its place here, from 1 */

const char *ups_preset_name(int32_t preset)
{
    int32_t count = sizeof names / sizeof *names;
    return preset >= 1 && preset <= count ? names[preset - 1] : NULL;
}

static void set_axes(int64_t axes[3], int64_t value)
{
    for (int i = 0; i < 3; i++) axes[i] = value;
}

static void fill_pool(ups_pool_desc *d)
{
    set_axes(d->strides, UPS_BY_PRESET);
    set_axes(d->dilations, 1);
    d->index = UPS_INDEX_PLANE;
    d->index_type = UPS_I64;
}

static void fill_unpool(ups_unpool_desc *d)
{
    set_axes(d->strides, UPS_BY_PRESET);
    set_axes(d->output_shape, UPS_BY_PRESET);
    d->index = UPS_INDEX_PLANE;
    d->index_type = UPS_I64;
}

static void fill_resize(ups_resize_desc *d)
{
    d->mode = UPS_MODE_LINEAR;
    d->coordinate_transformation_mode = UPS_BY_PRESET;
    d->nearest_mode = UPS_BY_PRESET;
    d->coordinate_arithmetic = UPS_COORDINATES_TORCH;
    set_axes(d->sizes, UPS_BY_PRESET);
    for (int i = 0; i < 3; i++) d->scales[i] = UPS_BY_PRESET;
}

static void fill_conv_transpose(ups_conv_transpose_desc *d)
{
    d->group = 1;
    set_axes(d->strides, 1);
    set_axes(d->dilations, 1);
    d->weights_layout = UPS_IOHW;
    d->activation = UPS_NO_ACTIVATION;
    d->activation_alpha = 0.01;
}

int32_t ups_preset_fill(union ups_desc *desc, int32_t op, const char *preset)
{
    int32_t number = 1;
    while (preset && ups_preset_name(number) && strcmp(ups_preset_name(number), preset)) number++;
    if (!ups_preset_name(number))
        return ups_error(UPS_INVALID, "preset = \"%.40s\" is not known; legal: torch", preset);
    memset(desc, 0, sizeof *desc);
    desc->head.op = op;
    desc->head.dtype = UPS_F32;
    desc->head.rank = 2;
    desc->head.layout = UPS_CHANNELS_FIRST;
    desc->head.preset = number;
    switch (op) {
    case UPS_MAX_POOL: fill_pool(&desc->pool); break;
    case UPS_MAX_UNPOOL: fill_unpool(&desc->unpool); break;
    case UPS_RESIZE: fill_resize(&desc->resize); break;
    case UPS_CONV_TRANSPOSE: fill_conv_transpose(&desc->conv_transpose); break;
    default: break; /* replicate and bed of nails: no field has a default but 0 */
    }
    return UPS_OK;
}

/* torch: a pooling window's stride is its size. */
static void stride_is_kernel(int64_t strides[3], const int64_t kernel[3])
{
    for (int i = 0; i < 3; i++)
        if (strides[i] == UPS_BY_PRESET) strides[i] = kernel[i];
}

void ups_preset_resolve(union ups_desc *desc)
{
    if (desc->head.op == UPS_MAX_POOL) stride_is_kernel(desc->pool.strides, desc->pool.kernel_shape);
    if (desc->head.op == UPS_MAX_UNPOOL) stride_is_kernel(desc->unpool.strides, desc->unpool.kernel_shape);
    if (desc->head.op == UPS_RESIZE) {
        ups_resize_desc *d = &desc->resize;
        if (d->coordinate_transformation_mode == UPS_BY_PRESET)
            d->coordinate_transformation_mode = d->mode == UPS_MODE_NEAREST ? UPS_ASYMMETRIC : UPS_HALF_PIXEL;
        if (d->nearest_mode == UPS_BY_PRESET) d->nearest_mode = UPS_NEAREST_FLOOR;
    }
}
