/* SPDX-License-Identifier: MIT */
#include "index.h"

#include <inttypes.h>

#include "error.h"
#include "fields.h"
#include "plan.h"
#include "shape.h"
#include "size.h"

int32_t ups_index_check(const union ups_desc *desc)
{
    bool pool = desc->head.op == UPS_MAX_POOL;
    int32_t index = pool ? desc->pool.index : desc->unpool.index;
    int32_t type = pool ? desc->pool.index_type : desc->unpool.index_type;
    const int64_t *kernel = pool ? desc->pool.kernel_shape : desc->unpool.kernel_shape;
    int64_t taps = 1;
    if (type != UPS_U8) return UPS_OK;
    if (!ups_index_is_window(index))
        return ups_error(UPS_INVALID, "index_type = u8 beside index = %s; legal: window, window_column",
                         ups_field_word(desc->head.op, "index", index));
    for (int i = 0; i < desc->head.rank; i++)
        if (!ups_multiply(&taps, kernel[i]) || taps > 255)
            return ups_error(UPS_INVALID,
                             "index_type = u8 beside a window of more than 255 taps; legal: i32, i64, f32");
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

/* ---- conversion ---- */

/* One call of ups_convert_indices. */
struct conversion {
    struct ups_index_space from;
    struct ups_index_steps steps; /* to */
    bool to_window;
    int64_t kernel[3], stride[3], dilation[3], pad[3];
    int64_t n, c, out[3]; /* of the index arrays */
    bool first;           /* channels first */
};

/* The position at which an index of window o of (n, c) points; false: none of its plane, or its window. */
static bool position_of(const struct conversion *v, int64_t n, int64_t c, const int64_t o[3], int64_t index,
                        int64_t at[3])
{
    int64_t tap[3], own_n = n, own_c = c, plane;
    const int64_t *size = v->from.size;
    if (ups_index_is_window(v->from.convention)) {
        if (!ups_index_tap(v->from.convention, v->kernel, index, tap)) return false;
        for (int a = 0; a < 3; a++) at[a] = o[a] * v->stride[a] - v->pad[a] + tap[a] * v->dilation[a];
        for (int a = 0; a < 3; a++)
            if (at[a] < 0 || at[a] >= size[a]) return false;
        return true;
    }
    if (!ups_index_decode(&v->from, index, &n, &c, &plane) || n != own_n || c != own_c) return false;
    at[0] = plane / size[2] / size[1];
    at[1] = plane / size[2] % size[1];
    at[2] = plane % size[2];
    return true;
}

/* The other way; -1: the position is not in the window. */
static int64_t index_of(const struct conversion *v, int64_t n, int64_t c, const int64_t o[3], const int64_t at[3])
{
    int64_t index = n * v->steps.n + c * v->steps.c;
    for (int a = 0; a < 3; a++) {
        int64_t from_start = at[a] - (o[a] * v->stride[a] - v->pad[a]), tap = from_start / v->dilation[a];
        if (v->to_window && (from_start < 0 || from_start % v->dilation[a] || tap >= v->kernel[a])) return -1;
        index += (v->to_window ? tap : at[a]) * v->steps.axis[a];
    }
    return index;
}

/* Window q of (n, c): its index converted, -1 for a bad one. */
static int64_t convert_one(const struct conversion *v, int64_t n, int64_t c, int64_t q, int64_t index)
{
    const int64_t o[3] = {q / v->out[2] / v->out[1], q / v->out[2] % v->out[1], q % v->out[2]};
    int64_t at[3];
    return position_of(v, n, c, o, index, at) ? index_of(v, n, c, o, at) : -1;
}

static void plan_conversion(struct conversion *v, const ups_pool_desc *d, const int64_t *dims, const int64_t *out,
                            int32_t to_index)
{
    int32_t rank = d->rank;
    int64_t pad[3];
    struct ups_pads pads;
    for (int a = 0; a < rank; a++) {
        ups_axis_pads((const union ups_desc *)d, a, dims[2 + a], out[a], &pads);
        pad[a] = pads.begin;
    }
    *v = (struct conversion){.n = dims[0], .c = dims[1], .first = d->layout == UPS_CHANNELS_FIRST};
    ups_axes3(v->kernel, d->kernel_shape, rank, 1);
    ups_axes3(v->stride, d->strides, rank, 1);
    ups_axes3(v->dilation, d->dilations, rank, 1);
    ups_axes3(v->pad, pad, rank, 0);
    ups_axes3(v->out, out, rank, 1);
    v->from = (struct ups_index_space){d->index, dims[0], dims[1], {0}};
    ups_axes3(v->from.size, dims + 2, rank, 1);
    struct ups_index_space to = v->from;
    to.convention = to_index;
    v->to_window = ups_index_is_window(to_index);
    v->steps = ups_index_steps(&to, v->to_window ? v->kernel : to.size);
}

int32_t ups_index_check_largest(const ups_pool_desc *d, const int64_t *dims)
{
    int64_t largest = ups_index_largest(d, dims), most = ups_index_most(d->index_type);
    if (largest <= most) return UPS_OK;
    return ups_error(
        UPS_INVALID, "index_type = %s cannot hold index %" PRId64 " (%s); legal: indices up to %" PRId64 ", or i64",
        ups_field_word(d->op, "index_type", d->index_type), largest, ups_field_word(d->op, "index", d->index), most);
}

/* A convention and a type, as if the descriptor had them. */
static int32_t check_indices(const union ups_desc *desc, const int64_t *dims, int32_t index, int32_t type)
{
    union ups_desc own = *desc;
    own.pool.index = index;
    own.pool.index_type = type;
    int32_t status = ups_desc_check_field(&own, ups_find_field(UPS_MAX_POOL, "index"));
    if (!status) status = ups_desc_check_field(&own, ups_find_field(UPS_MAX_POOL, "index_type"));
    if (!status) status = ups_index_check(&own);
    return status ? status : ups_index_check_largest(&own.pool, dims);
}

static int32_t check_array(const char *name, const void *array, size_t element)
{
    if (!array) return ups_error(UPS_INVALID, "%s = NULL; an array of the pooled tensor's shape is needed", name);
    if ((uintptr_t)array % element)
        return ups_error(UPS_INVALID, "%s = %p is misaligned; legal: a multiple of %zu", name, array, element);
    return UPS_OK;
}

static int32_t check_arrays(const void *from, size_t from_bytes, const void *to, size_t to_bytes, int64_t count)
{
    uintptr_t x = (uintptr_t)from, y = (uintptr_t)to;
    if (!count) return UPS_OK;
    int32_t status = check_array("indices", from, from_bytes);
    if (!status) status = check_array("converted", to, to_bytes);
    if (!status && x < y + (size_t)count * to_bytes && y < x + (size_t)count * from_bytes)
        status = ups_error(UPS_INVALID, "indices at %p and converted at %p overlap; legal: separate memory", from, to);
    return status;
}

int32_t ups_convert_indices(const void *desc, const int64_t *dims, const void *indices, int32_t to_index,
                            int32_t to_index_type, void *converted, int64_t *bad_count, int64_t *bad_first)
{
    union ups_desc own;
    ups_tensor image, pooled;
    struct conversion v;
    int64_t out[5], bad = 0, first = -1;
    int32_t status = ups_desc_read(&own, desc);
    if (!status && own.head.op != UPS_MAX_POOL)
        status = ups_error(UPS_INVALID, "%s records no indices; legal: max_pool", ups_op_word(own.head.op));
    /* the tensors' own checks: sizes, and products that fit */
    if (!status) status = ups_tensor_init(&image, sizeof image, UPS_F32, own.head.rank, own.head.layout, dims);
    if (!status) status = ups_output_sizes(&own, dims + 2, NULL, out + 2);
    if (status) return status;
    out[0] = dims[0], out[1] = dims[1];
    status = ups_tensor_init(&pooled, sizeof pooled, UPS_I64, own.head.rank, own.head.layout, out);
    if (!status) status = check_indices(&own, dims, own.pool.index, own.pool.index_type);
    if (!status) status = check_indices(&own, dims, to_index, to_index_type);
    if (status) return status;
    plan_conversion(&v, &own.pool, dims, out + 2, to_index);
    int64_t windows = v.out[0] * v.out[1] * v.out[2];
    status = check_arrays(indices, ups_index_bytes(own.pool.index_type), converted, ups_index_bytes(to_index_type),
                          v.n * v.c * windows);
    if (status) return status;
    for (int64_t plane = 0; plane < v.n * v.c; plane++)
        for (int64_t q = 0; q < windows; q++) {
            int64_t n = plane / v.c, c = plane % v.c;
            int64_t place = v.first ? plane * windows + q : (n * windows + q) * v.c + c;
            int64_t index = convert_one(&v, n, c, q, ups_index_load(indices, own.pool.index_type, place));
            ups_index_store(converted, to_index_type, place, index);
            if (index < 0 && !bad++) first = plane * windows + q;
        }
    if (bad_count) *bad_count = bad;
    if (bad_first) *bad_first = first;
    if (!bad) return UPS_OK;
    return ups_error(UPS_BAD_INDEX,
                     "%" PRId64 " indices point outside the image, or their windows, and became -1, the first at "
                     "position %" PRId64,
                     bad, first);
}
