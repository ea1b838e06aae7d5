/* SPDX-License-Identifier: MIT
 *
 * Recorded switches from one index convention and type to another.
 */
#include <inttypes.h>

#include "error.h"
#include "fields.h"
#include "index.h"
#include "plan.h"
#include "shape.h"
#include "size.h"

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

/* Returns how many are bad, and the position of the first. */
static int64_t convert_all(const struct conversion *v, const ups_pool_desc *d, const void *indices, int32_t to_type,
                           void *converted, int64_t *first)
{
    int64_t windows = v->out[0] * v->out[1] * v->out[2], bad = 0;
    for (int64_t plane = 0; plane < v->n * v->c; plane++)
        for (int64_t q = 0; q < windows; q++) {
            int64_t n = plane / v->c, c = plane % v->c;
            int64_t place = v->first ? plane * windows + q : (n * windows + q) * v->c + c;
            int64_t index = convert_one(v, n, c, q, ups_index_load(indices, d->index_type, place));
            ups_index_store(converted, to_type, place, index);
            if (index < 0 && !bad++) *first = plane * windows + q;
        }
    return bad;
}

int32_t ups_convert_indices(const void *desc, const int64_t *dims, const void *indices, int32_t to_index,
                            int32_t to_index_type, void *converted, int64_t *bad_count, int64_t *bad_first)
{
    union ups_desc own;
    ups_tensor image, pooled;
    struct conversion v;
    int64_t out[5], first = -1;
    int32_t status = ups_desc_read(&own, desc);
    if (!status && own.head.op != UPS_MAX_POOL)
        status = ups_error(UPS_INVALID, "%s records no indices; legal: max_pool", ups_op_word(own.head.op));
    /* the tensors' own checks: sizes, and products that fit */
    if (!status) status = ups_tensor_init(&image, sizeof image, own.head.dtype, own.head.rank, own.head.layout, dims);
    if (!status) status = ups_output_sizes(&own, dims + 2, NULL, out + 2);
    if (status) return status;
    out[0] = dims[0], out[1] = dims[1];
    status = ups_tensor_init(&pooled, sizeof pooled, UPS_I64, own.head.rank, own.head.layout, out);
    if (!status) status = check_indices(&own, dims, own.pool.index, own.pool.index_type);
    if (!status) status = check_indices(&own, dims, to_index, to_index_type);
    if (status) return status;
    plan_conversion(&v, &own.pool, dims, out + 2, to_index);
    int64_t windows = v.out[0] * v.out[1] * v.out[2];
    status = check_arrays(indices, ups_type_bytes(own.pool.index_type), converted, ups_type_bytes(to_index_type),
                          v.n * v.c * windows);
    if (status) return status;
    int64_t bad = convert_all(&v, &own.pool, indices, to_index_type, converted, &first);
    if (bad_count) *bad_count = bad;
    if (bad_first) *bad_first = first;
    if (!bad) return UPS_OK;
    return ups_error(UPS_BAD_INDEX,
                     "%" PRId64 " indices point outside the image, or their windows, and became -1, the first at "
                     "position %" PRId64,
                     bad, first);
}
