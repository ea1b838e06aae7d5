/* SPDX-License-Identifier: MIT */
#include "index.h"

#include <inttypes.h>

#include "error.h"
#include "size.h"

int32_t ups_index_check(const union ups_desc *desc)
{
    bool pool = ups_forward_op(desc->head.op) == UPS_MAX_POOL;
    int32_t index = pool ? desc->pool.index : desc->unpool.index;
    int32_t type = pool ? desc->pool.index_type : desc->unpool.index_type;
    if (type == UPS_U8 && !ups_index_is_window(index))
        return ups_error(UPS_INVALID, "index_type = u8 beside index = %s; legal: window, window_column",
                         ups_field_word(desc->head.op, "index", index));
    return UPS_OK;
}

int64_t ups_index_most(int32_t type)
{
    switch (type) {
    case UPS_U8: return 254;
    case UPS_F32: return (INT64_C(1) << 24) - 1;
    case UPS_I32: return INT32_MAX;
    default: return INT64_MAX - 1;
    }
}

struct ups_index_steps ups_index_steps(const struct ups_index_space *s, const int64_t size[3])
{
    struct ups_index_steps row = {0, 0, {size[1] * size[2], size[2], 1}};
    struct ups_index_steps column = {0, 0, {1, size[0], size[0] * size[1]}};
    struct ups_index_steps *steps = &row;
    switch (s->convention) {
    case UPS_INDEX_PLANE:
    case UPS_INDEX_WINDOW: return row;
    case UPS_INDEX_WINDOW_COLUMN: return column;
    case UPS_INDEX_NHWC:
    case UPS_INDEX_NHWC_BATCH:
        row.c = 1;
        for (int a = 0; a < 3; a++) row.axis[a] *= s->c;
        break;
    case UPS_INDEX_TENSOR_COLUMN: steps = &column; /* fall through */
    default: steps->c = size[0] * size[1] * size[2]; break;
    }
    if (s->convention != UPS_INDEX_CHANNEL && s->convention != UPS_INDEX_NHWC)
        steps->n = size[0] * size[1] * size[2] * s->c;
    return *steps;
}

/* Axis 0 fastest to axis 2 fastest. */
static int64_t row_major(const int64_t size[3], int64_t column)
{
    int64_t d = column % size[0], line = column / size[0];
    return (d * size[1] + line % size[1]) * size[2] + line / size[1];
}

bool ups_index_decode(const struct ups_index_space *s, int64_t index, int64_t *n, int64_t *c, int64_t *plane)
{
    int64_t elements = s->size[0] * s->size[1] * s->size[2];
    if (index < 0 || elements == 0) return false;
    switch (s->convention) {
    case UPS_INDEX_TENSOR:
    case UPS_INDEX_TENSOR_COLUMN:
        *n = index / elements / s->c;
        *c = index / elements % s->c;
        *plane = index % elements;
        if (s->convention == UPS_INDEX_TENSOR_COLUMN) *plane = row_major(s->size, *plane);
        return *n < s->n;
    case UPS_INDEX_CHANNEL:
        *c = index / elements;
        *plane = index % elements;
        return *c < s->c;
    case UPS_INDEX_NHWC:
        *c = index % s->c;
        *plane = index / s->c;
        return *plane < elements;
    case UPS_INDEX_NHWC_BATCH:
        *c = index % s->c;
        *plane = index / s->c % elements;
        *n = index / s->c / elements;
        return *n < s->n;
    default: *plane = index; return index < elements;
    }
}

bool ups_index_tap(int32_t convention, const int64_t kernel[3], int64_t index, int64_t tap[3])
{
    bool column = convention == UPS_INDEX_WINDOW_COLUMN;
    int fast = column ? 0 : 2, slow = 2 - fast;
    if (index < 0) return false;
    tap[fast] = index % kernel[fast];
    tap[1] = index / kernel[fast] % kernel[1];
    tap[slow] = index / kernel[fast] / kernel[1];
    return tap[slow] < kernel[slow];
}

int64_t ups_index_largest(const ups_pool_desc *desc, const int64_t *dims)
{
    int64_t plane = 1, taps = 1;
    bool fits = true;
    for (int i = 0; i < desc->rank; i++) {
        plane *= dims[2 + i]; /* fits: the tensor does */
        fits = fits && ups_multiply(&taps, desc->kernel_shape[i]);
    }
    switch (desc->index) {
    case UPS_INDEX_PLANE: return plane - 1;
    case UPS_INDEX_CHANNEL:
    case UPS_INDEX_NHWC: return plane * dims[1] - 1;
    case UPS_INDEX_WINDOW:
    case UPS_INDEX_WINDOW_COLUMN: return fits ? taps - 1 : INT64_MAX;
    default: return plane * dims[1] * ups_max(dims[0], 1) - 1;
    }
}

int32_t ups_index_check_largest(const ups_pool_desc *d, const int64_t *dims)
{
    int64_t largest = ups_index_largest(d, dims), most = ups_index_most(d->index_type);
    if (largest <= most) return UPS_OK;
    return ups_error(
        UPS_INVALID, "index_type = %s cannot hold index %" PRId64 " (%s); legal: indices up to %" PRId64 ", or i64",
        ups_field_word(d->op, "index_type", d->index_type), largest, ups_field_word(d->op, "index", d->index), most);
}
