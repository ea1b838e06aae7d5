/* SPDX-License-Identifier: MIT
 *
 * Reading a caller's descriptor: any size, by-preset values resolved, every field checked on its own and with the others.
 */
#include "desc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "fields.h"
#include "size.h"

/* ---- reading a descriptor of any size ---- */

/* The head of a caller's descriptor, checked far enough to know which operation and how many bytes it is. */
static int32_t check_head(const void *desc)
{
    if (!desc) return ups_error(UPS_INVALID, "desc = NULL; a descriptor started by ups_desc_init is needed");
    const ups_desc_head *head = desc;
    if (head->size < sizeof *head)
        return ups_error(UPS_INVALID, "desc.size = %" PRIu32 "; legal: %zu or more, as set by ups_desc_init",
                         head->size, sizeof *head);
    if (!ups_find_operation(head->op))
        return ups_error(UPS_INVALID, "desc.op = %" PRId32 " is no operation of this library", head->op);
    if (!ups_preset_name(head->preset))
        return ups_error(UPS_INVALID, "desc.preset = %" PRId32 " is no preset; use ups_desc_init", head->preset);
    if (head->rank < 1 || head->rank > 3)
        return ups_error(UPS_INVALID, "rank = %" PRId32 "; legal: 1 to 3", head->rank);
    return UPS_OK;
}

int32_t ups_desc_copy(union ups_desc *to, const void *from)
{
    int32_t status = check_head(from);
    if (status) return status;
    const ups_desc_head *head = from;
    size_t size = ups_desc_size(head->op);
    status = ups_check_tail("desc", from, head->size, size);
    if (!status) status = ups_preset_fill(to, head->op, ups_preset_name(head->preset));
    if (status) return status;
    /* whole fields: half an array is none */
    memcpy(to, from, sizeof *head);
    for (const struct ups_field *f = ups_find_operation(head->op)->fields; f->name; f++)
        if (f->offset + ups_field_bytes(f) <= head->size)
            memcpy((char *)to + f->offset, (const char *)from + f->offset, ups_field_bytes(f));
    to->head.size = (uint32_t)size;
    return UPS_OK;
}

/* ---- checks ---- */

static int32_t check_range(const char *name, int axis, int64_t value, const struct ups_field *f)
{
    if ((value >= f->low && value <= f->high) || (f->by_preset && value == UPS_BY_PRESET)) return UPS_OK;
    if (axis < 0)
        return ups_error(UPS_INVALID, "%s = %" PRId64 "; legal: %" PRId64 " to %" PRId64, name, value, f->low, f->high);
    return ups_error(UPS_INVALID, "%s[%d] = %" PRId64 "; legal: %" PRId64 " to %" PRId64, name, axis, value, f->low,
                     f->high);
}

static int32_t check_axes(const char *name, const int64_t *values, int32_t rank, const struct ups_field *f)
{
    int32_t status = UPS_OK;
    for (int i = 0; i < rank && !status; i++) status = check_range(name, i, values[i], f);
    return status;
}

static int32_t check_scales(const double *values, int32_t rank, const struct ups_field *f)
{
    for (int i = 0; i < rank; i++)
        if (values[i] != UPS_BY_PRESET && !(values[i] > 0 && isfinite(values[i])))
            return ups_error(UPS_INVALID, "%s[%d] = %g; legal: finite and more than 0", f->name, i, values[i]);
    return UPS_OK;
}

static int32_t check_word(int32_t value, const struct ups_field *f)
{
    char legal[192];
    if (ups_find_word(f, value) || (f->by_preset && value == UPS_BY_PRESET)) return UPS_OK;
    return ups_error(UPS_INVALID, "%s = %" PRId32 "; legal: the constants of %s", f->name, value,
                     ups_legal_words(f, legal, sizeof legal));
}

static int32_t check_activation(const int32_t *kind, const struct ups_field *f)
{
    const ups_conv_transpose_desc *d =
        (const void *)((const char *)kind - offsetof(ups_conv_transpose_desc, activation));
    int32_t status = check_word(*kind, f);
    if (!status && *kind == UPS_LEAKY_RELU && !isfinite((float)d->activation_alpha))
        status = ups_error(UPS_INVALID, "activation_alpha = %g; legal: a finite slope", d->activation_alpha);
    if (!status && *kind == UPS_CLIP && !(d->activation_alpha <= d->activation_beta))
        status = ups_error(UPS_INVALID, "activation clip:%g,%g; legal: low <= high", d->activation_alpha,
                           d->activation_beta);
    return status;
}

static int32_t check_real(double value, const struct ups_field *f)
{
    if (isfinite(value)) return UPS_OK;
    return ups_error(UPS_INVALID, "%s = %g; legal: a finite number", f->name, value);
}

static int32_t check_roi(const double *values, int32_t rank, const struct ups_field *f)
{
    int32_t status = UPS_OK;
    for (int i = 0; i < rank && !status; i++) status = check_real(values[i], f);
    for (int i = 0; i < rank && !status; i++) status = check_real(values[3 + i], f);
    return status;
}

/* A bit of at least one of the rank axes. */
static int32_t check_subset(int32_t bits, int32_t rank, const struct ups_field *f)
{
    if (bits >= 0 && bits <= 7 && (bits & ((1 << rank) - 1))) return UPS_OK;
    return ups_error(UPS_INVALID, "%s = %" PRId32 "; legal: bit i for axis i, 1 to %d", f->name, bits, (1 << rank) - 1);
}

int32_t ups_desc_check_field(const union ups_desc *desc, const struct ups_field *f)
{
    const void *at = (const char *)desc + f->offset;
    const int64_t *values = at;
    int32_t rank = desc->head.rank;
    int32_t status;
    switch (f->kind) {
    case UPS_KIND_NUMBER: return check_range(f->name, -1, *(const int32_t *)at, f);
    case UPS_KIND_LENGTH: return check_range(f->name, -1, *values, f);
    case UPS_KIND_WORD: return check_word(*(const int32_t *)at, f);
    case UPS_KIND_AXES: return check_axes(f->name, values, rank, f);
    case UPS_KIND_PADS:
        status = check_axes("pads_begin", values, rank, f);
        return status ? status : check_axes("pads_end", values + 3, rank, f);
    case UPS_KIND_SCALES: return check_scales(at, rank, f);
    case UPS_KIND_REAL: return check_real(*(const double *)at, f);
    case UPS_KIND_ROI: return check_roi(at, rank, f);
    case UPS_KIND_SUBSET: return check_subset(*(const int32_t *)at, rank, f);
    case UPS_KIND_ACTIVATION: return check_activation(at, f);
    }
    return UPS_OK;
}

/* Padding narrower than the window. */
static int32_t check_window(int32_t rank, const int64_t *kernel, const int64_t *dilation, const int64_t *begin,
                            const int64_t *end)
{
    for (int i = 0; i < rank; i++) {
        int64_t extent = ups_extent(kernel[i], dilation[i]);
        if (begin[i] >= extent || end[i] >= extent)
            return ups_error(UPS_INVALID, "%s[%d] = %" PRId64 "; legal: 0 to %" PRId64 ", less than the window",
                             begin[i] >= extent ? "pads_begin" : "pads_end", i, begin[i] >= extent ? begin[i] : end[i],
                             extent - 1);
    }
    return UPS_OK;
}

static int32_t check_auto_pad(const union ups_desc *desc, int32_t auto_pad, const int64_t *begin)
{
    if (auto_pad == UPS_NOTSET || auto_pad == UPS_VALID || begin[0] == UPS_BY_PRESET) return UPS_OK;
    return ups_error(UPS_INVALID,
                     "pads_begin[0] = %" PRId64 " beside auto_pad = %s; legal: by_preset, or auto_pad notset", begin[0],
                     ups_field_word(desc->head.op, "auto_pad", auto_pad));
}

static int32_t check_pool(const union ups_desc *desc)
{
    const ups_pool_desc *d = &desc->pool;
    int32_t status = check_auto_pad(desc, d->auto_pad, d->pads_begin);
    for (int i = 0; i < d->rank && !status && d->auto_pad == UPS_VALID; i++)
        if (d->pads_begin[i] || d->pads_end[i])
            status =
                ups_error(UPS_INVALID, "pads of axis %d = %" PRId64 ",%" PRId64 " beside auto_pad = valid; legal: 0", i,
                          d->pads_begin[i], d->pads_end[i]);
    if (!status) status = check_window(d->rank, d->kernel_shape, d->dilations, d->pads_begin, d->pads_end);
    return status || ups_forward_op(d->op) == UPS_AVG_POOL ? status : ups_index_check(desc);
}

static int32_t check_unpool(const union ups_desc *desc)
{
    const ups_unpool_desc *d = &desc->unpool;
    int32_t status = check_window(d->rank, d->kernel_shape, d->dilations, d->pads_begin, d->pads_end);
    return status ? status : ups_index_check(desc);
}

static int32_t check_expand(const ups_expand_desc *d)
{
    for (int i = 0; i < d->rank; i++) {
        int64_t high = ups_forward_op(d->op) == UPS_REPLICATE ? 0 : d->factor[i] - 1;
        if (d->offset[i] > high)
            return ups_error(UPS_INVALID, "offset[%d] = %" PRId64 "; legal for %s: 0 to %" PRId64, i, d->offset[i],
                             ups_op_word(d->op), high);
    }
    return UPS_OK;
}

static int32_t check_resize(const ups_resize_desc *d)
{
    if (d->antialias && !ups_mode_filters(d->mode))
        return ups_error(UPS_INVALID, "antialias = 1 beside mode = %s; legal: 0, the mode has no filter to widen",
                         ups_field_word(d->op, "mode", d->mode));
    if (d->keep_aspect_ratio_policy != UPS_STRETCH && d->sizes[0] == UPS_BY_PRESET)
        return ups_error(UPS_INVALID,
                         "sizes is by_preset beside keep_aspect_ratio_policy = %s; legal: sizes to keep within",
                         ups_field_word(d->op, "keep_aspect_ratio_policy", d->keep_aspect_ratio_policy));
    if (d->keep_aspect_ratio_policy != UPS_STRETCH && d->scales[0] != UPS_BY_PRESET)
        return ups_error(UPS_INVALID, "scales[0] = %g beside keep_aspect_ratio_policy = %s; legal: by_preset",
                         d->scales[0], ups_field_word(d->op, "keep_aspect_ratio_policy", d->keep_aspect_ratio_policy));
    if (d->mode == UPS_MODE_AREA && d->coordinate_transformation_mode == UPS_TF_CROP_AND_RESIZE)
        return ups_error(UPS_INVALID,
                         "coordinate_transformation_mode = tf_crop_and_resize beside mode = area; legal: another, "
                         "area has no coordinates");
    return UPS_OK;
}

static int32_t check_conv_transpose(const union ups_desc *desc)
{
    const ups_conv_transpose_desc *d = &desc->conv_transpose;
    if (d->op != UPS_CONV_TRANSPOSE && d->activation != UPS_NO_ACTIVATION)
        return ups_error(UPS_INVALID, "activation = %s beside op %s; legal: none, the gradient starts before it",
                         ups_field_word(d->op, "activation", d->activation), ups_op_word(d->op));
    if (d->in_channels % d->group)
        return ups_error(UPS_INVALID, "in_channels = %" PRId64 "; legal: a multiple of group = %" PRId64,
                         d->in_channels, d->group);
    if (d->out_channels % d->group)
        return ups_error(UPS_INVALID, "out_channels = %" PRId64 "; legal: a multiple of group = %" PRId64,
                         d->out_channels, d->group);
    for (int i = 0; i < d->rank; i++) {
        int64_t high = ups_max(d->strides[i], d->dilations[i]) - 1;
        if (d->output_padding[i] > high)
            return ups_error(UPS_INVALID,
                             "output_padding[%d] = %" PRId64 "; legal: 0 to %" PRId64 ", less than stride or dilation",
                             i, d->output_padding[i], high);
    }
    if (d->auto_pad == UPS_VALID && d->pads_begin[0] != UPS_BY_PRESET)
        return ups_error(UPS_INVALID, "pads_begin[0] = %" PRId64 " beside auto_pad = valid; legal: by_preset",
                         d->pads_begin[0]);
    return check_auto_pad(desc, d->auto_pad, d->pads_begin);
}

/* Fields with one another. */
static int32_t check_together(const union ups_desc *desc)
{
    switch (ups_forward_op(desc->head.op)) {
    case UPS_MAX_POOL:
    case UPS_AVG_POOL: return check_pool(desc);
    case UPS_MAX_UNPOOL: return check_unpool(desc);
    case UPS_REPLICATE:
    case UPS_BED_OF_NAILS: return check_expand(&desc->expand);
    case UPS_RESIZE: return check_resize(&desc->resize);
    case UPS_CONV_TRANSPOSE: return check_conv_transpose(desc);
    default: return UPS_OK;
    }
}

/* The i-th value of an array that may be UPS_BY_PRESET, as a real. */
static double array_value(const union ups_desc *desc, const struct ups_field *f, int i)
{
    const void *at = (const char *)desc + f->offset;
    return f->kind == UPS_KIND_SCALES ? ((const double *)at)[i] : (double)((const int64_t *)at)[i];
}

/* UPS_BY_PRESET stands for a whole array, of pads for both. */
static int32_t check_whole_arrays(const union ups_desc *desc)
{
    for (const struct ups_field *f = ups_find_operation(desc->head.op)->fields; f->name; f++) {
        bool pads = f->kind == UPS_KIND_PADS, array = pads || f->kind == UPS_KIND_AXES || f->kind == UPS_KIND_SCALES;
        bool first = array && array_value(desc, f, 0) == UPS_BY_PRESET;
        for (int i = 0; f->by_preset && array && i < (pads ? 6 : 3); i++) {
            double value = array_value(desc, f, i);
            if (i % 3 >= desc->head.rank || (value == UPS_BY_PRESET) == first) continue;
            return ups_error(UPS_INVALID,
                             "%s%s[%d] = %g beside %s%s[0] = %g; legal: UPS_BY_PRESET (-1) in every entry or in none",
                             f->name, pads ? i < 3 ? "_begin" : "_end" : "", i % 3, value, f->name,
                             pads ? "_begin" : "", array_value(desc, f, 0));
        }
    }
    return UPS_OK;
}

/* Bytes are for the operations that choose and copy. */
static int32_t check_dtype(const union ups_desc *desc)
{
    const int32_t op = desc->head.op, dtype = desc->head.dtype;
    const char *word = dtype == UPS_U8 ? "u8" : "s8";
    if ((dtype != UPS_U8 && dtype != UPS_S8) || op == UPS_MAX_POOL) return UPS_OK;
    if (op != UPS_MAX_UNPOOL)
        return ups_error(UPS_UNSUPPORTED, "dtype = %s beside op %s; legal: f32, bytes are for max_pool and max_unpool",
                         word, ups_op_word(op));
    if (desc->unpool.overlap == UPS_OVERLAP_SUM)
        return ups_error(UPS_UNSUPPORTED,
                         "overlap = sum beside dtype = %s; legal: last, first, error, since sums of bytes "
                         "leave their range",
                         word);
    return UPS_OK;
}

int32_t ups_desc_read(union ups_desc *to, const void *from)
{
    int32_t status = ups_desc_copy(to, from);
    if (status) return status;
    if (to->head.reserved) return ups_error(UPS_INVALID, "desc.reserved = %" PRId32 "; legal: 0", to->head.reserved);
    status = check_dtype(to);
    for (const struct ups_field *f = ups_find_operation(to->head.op)->fields; f->name && !status; f++)
        status = ups_desc_check_field(to, f);
    if (!status) status = check_whole_arrays(to);
    if (status) return status;
    ups_preset_resolve(to);
    status = check_together(to);
    return status || !to->head.strict ? status : ups_limits_desc(to);
}

int32_t ups_desc_init(void *desc, size_t size, int32_t op, const char *preset)
{
    union ups_desc own;
    size_t known = ups_desc_size(op);
    if (!known) return ups_error(UPS_INVALID, "op = %" PRId32 " is no operation of this library", op);
    if (!desc) return ups_error(UPS_INVALID, "desc = NULL; %zu bytes are needed for %s", known, ups_op_word(op));
    if (size < sizeof(ups_desc_head) || size > UINT32_MAX)
        return ups_error(UPS_INVALID, "size = %zu; legal: %zu (ups_desc_size) for %s", size, known, ups_op_word(op));
    int32_t status = ups_preset_fill(&own, op, preset);
    if (status) return status;
    memset(desc, 0, size);
    memcpy(desc, &own, size < known ? size : known);
    ((ups_desc_head *)desc)->size = (uint32_t)size;
    return UPS_OK;
}
