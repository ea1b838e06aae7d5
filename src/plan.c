/* SPDX-License-Identifier: MIT
 *
 * Plans: tensors checked against the op, output sizes, views for the drivers; and what a plan says of itself.
 */
#include "plan.h"

#include <inttypes.h>
#include <string.h>

#include "error.h"
#include "index.h"
#include "shape.h"
#include "size.h"

/* ---- tensors ---- */

static const char *axis_name(int i)
{
    return i == 0 ? "N" : i == 1 ? "C" : "spatial";
}

/* Product of the sizes times the element's bytes must fit the address space. */
static int32_t check_extent(const ups_tensor *t, const char *name)
{
    int64_t elements = 1, last = 0;
    for (int i = 0; i < t->rank + 2; i++) {
        int64_t step = ups_max(t->dims[i] - 1, 0);
        if (!ups_multiply(&elements, ups_max(t->dims[i], 1)) || !ups_multiply(&step, t->strides[i]) ||
            __builtin_add_overflow(last, step, &last) || last > PTRDIFF_MAX / 8 || elements > PTRDIFF_MAX / 8)
            return ups_error(UPS_INVALID,
                             "%s.dims[%d] = %" PRId64 " at stride %" PRId64 " overflows; legal: at most %" PRId64
                             " elements from first to last",
                             name, i, t->dims[i], t->strides[i], (int64_t)PTRDIFF_MAX / 8);
    }
    return UPS_OK;
}

static int32_t check_dims(const ups_tensor *t, const char *name)
{
    for (int i = 0; i < t->rank + 2; i++) {
        int64_t low = i == 0 ? 0 : 1;
        if (t->dims[i] < low || t->dims[i] > UPS_MAX_LENGTH)
            return ups_error(UPS_INVALID, "%s.dims[%d] (%s) = %" PRId64 "; legal: %" PRId64 " to %" PRId64, name, i,
                             axis_name(i), t->dims[i], low, UPS_MAX_LENGTH);
        if (t->strides[i] < 0)
            return ups_error(UPS_INVALID, "%s.strides[%d] (%s) = %" PRId64 "; legal: 0 or more", name, i, axis_name(i),
                             t->strides[i]);
    }
    return UPS_OK;
}

/* The layout's own axis must be contiguous; axes of size 1 do not matter. */
static int32_t check_unit_stride(const ups_tensor *t, const char *name, int32_t layout)
{
    int unit = layout == UPS_CHANNELS_FIRST ? t->rank + 1 : 1;
    if (t->dims[unit] > 1 && t->strides[unit] != 1)
        return ups_error(
            UPS_UNSUPPORTED, "%s.strides[%d] = %" PRId64 "; legal: 1, the %s axis is contiguous in layout %s", name,
            unit, t->strides[unit], unit == 1 ? "C" : "last spatial", layout == UPS_CHANNELS_FIRST ? "first" : "last");
    return UPS_OK;
}

/* Nested strides, each at least the span of the smaller ones, address every element once. */
static int32_t check_disjoint(const ups_tensor *t, const char *name)
{
    bool done[5] = {false};
    int64_t span = 1;
    for (int k = 0; k < t->rank + 2; k++) {
        int next = -1;
        for (int i = 0; i < t->rank + 2; i++)
            if (!done[i] && (next < 0 || t->strides[i] < t->strides[next])) next = i;
        done[next] = true;
        if (t->dims[next] <= 1) continue;
        if (t->strides[next] < span)
            return ups_error(UPS_INVALID,
                             "%s.strides[%d] (%s) = %" PRId64
                             " makes the tensor overlap itself, or its axes do not nest; legal: %" PRId64 " or more",
                             name, next, axis_name(next), t->strides[next], span);
        span = t->strides[next] * (t->dims[next] - 1) + span;
    }
    return UPS_OK;
}

static const char *type_name(int32_t dtype)
{
    return dtype == UPS_U8 ? "U8" : dtype == UPS_S8 ? "S8" : "F32";
}

static int32_t read_tensor(ups_tensor *to, const ups_tensor *from, const char *name, const union ups_desc *desc)
{
    if (from->size < sizeof *from)
        return ups_error(UPS_INVALID, "%s.size = %" PRIu32 "; legal: sizeof(ups_tensor) = %zu", name, from->size,
                         sizeof *from);
    int32_t status = ups_check_tail(name, from, from->size, sizeof *from);
    if (status) return status;
    *to = *from;
    to->size = sizeof *to;
    if (to->reserved) return ups_error(UPS_INVALID, "%s.reserved = %" PRId32 "; legal: 0", name, to->reserved);
    if (to->dtype != desc->head.dtype)
        return ups_error(UPS_INVALID, "%s.dtype = %" PRId32 "; legal: UPS_%s = %" PRId32 ", the op's", name, to->dtype,
                         type_name(desc->head.dtype), desc->head.dtype);
    if (to->rank != desc->head.rank)
        return ups_error(UPS_INVALID, "%s.rank = %" PRId32 "; legal: %" PRId32 ", the op's", name, to->rank,
                         desc->head.rank);
    status = check_dims(to, name);
    if (!status) status = check_extent(to, name);
    return status ? status : check_unit_stride(to, name, desc->head.layout);
}

int32_t ups_tensor_init(ups_tensor *tensor, size_t size, int32_t dtype, int32_t rank, int32_t layout,
                        const int64_t *dims)
{
    if (!tensor || !dims) return ups_error(UPS_INVALID, "%s = NULL", tensor ? "dims" : "tensor");
    if (size < sizeof *tensor || size > UINT32_MAX)
        return ups_error(UPS_INVALID, "size = %zu; legal: sizeof(ups_tensor) = %zu", size, sizeof *tensor);
    if (rank < 1 || rank > 3) return ups_error(UPS_INVALID, "rank = %" PRId32 "; legal: 1 to 3", rank);
    if (layout != UPS_CHANNELS_FIRST && layout != UPS_CHANNELS_LAST)
        return ups_error(UPS_INVALID, "layout = %" PRId32 "; legal: UPS_CHANNELS_FIRST 1, UPS_CHANNELS_LAST 2", layout);
    if (dtype != UPS_F32 && (dtype < UPS_U8 || dtype > UPS_S8))
        return ups_error(UPS_INVALID, "dtype = %" PRId32 "; legal: UPS_F32 1, UPS_U8 4, UPS_I32 5, UPS_I64 6, UPS_S8 7",
                         dtype);
    ups_tensor t = {.size = (uint32_t)size, .dtype = dtype, .rank = rank};
    int64_t stride = 1;
    for (int k = rank + 1; k >= 0; k--) {
        /* from the innermost axis out: C stands last in memory in channels last */
        int i = layout == UPS_CHANNELS_FIRST || k == 0 ? k : k == rank + 1 ? 1 : k + 1;
        if (dims[i] < (i == 0 ? 0 : 1) || dims[i] > UPS_MAX_LENGTH)
            return ups_error(UPS_INVALID, "dims[%d] (%s) = %" PRId64 "; legal: %d to %" PRId64, i, axis_name(i),
                             dims[i], i > 0, UPS_MAX_LENGTH);
        t.dims[i] = dims[i];
        t.strides[i] = stride;
        if (!ups_multiply(&stride, ups_max(dims[i], 1)) || stride > PTRDIFF_MAX / 8)
            return ups_error(UPS_INVALID,
                             "dims[%d] = %" PRId64 " overflows; legal: at most %" PRId64 " elements in all", i, dims[i],
                             (int64_t)PTRDIFF_MAX / 8);
    }
    memset(tensor, 0, size);
    *tensor = t;
    return UPS_OK;
}

/* An axis of size 1 may have any stride: there a dense tensor's, so that whoever multiplies it need not ask. */
static struct ups_view view_of(const ups_tensor *t, int32_t layout)
{
    ups_tensor dense = {.size = sizeof dense};
    ups_tensor_init(&dense, sizeof dense, t->dtype, t->rank, layout, t->dims);
    for (int i = 0; i < t->rank + 2; i++)
        if (t->dims[i] > 1) dense.strides[i] = t->strides[i];
    struct ups_view v = {.n = t->dims[0], .c = t->dims[1], .n_stride = dense.strides[0], .c_stride = dense.strides[1]};
    ups_axes3(v.size, t->dims + 2, t->rank, 1);
    ups_axes3(v.stride, dense.strides + 2, t->rank, 0);
    return v;
}

/* ---- planning ---- */

/* Channels of a shuffle's block; a product too large stays too large. */
static int64_t block_channels(const ups_shuffle_desc *d)
{
    int64_t cell = 1;
    for (int i = 0; i < d->rank; i++) cell = ups_min(cell * d->blocksize, UPS_MAX_LENGTH);
    return cell;
}

static int64_t channels_out(const union ups_desc *desc, int64_t in)
{
    switch (ups_runs_as(desc->head.op)) {
    case UPS_CONV_TRANSPOSE:
    case UPS_CONV_TRANSPOSE_GRAD_WEIGHTS:
    case UPS_CONV_TRANSPOSE_GRAD_BIAS: return desc->conv_transpose.out_channels;
    case UPS_CONV_TRANSPOSE_GRAD_INPUT: return desc->conv_transpose.in_channels;
    case UPS_PIXEL_SHUFFLE: return in / block_channels(&desc->shuffle);
    case UPS_PIXEL_UNSHUFFLE: return in * block_channels(&desc->shuffle);
    default: return in;
    }
}

static int32_t check_channels(const union ups_desc *desc, const ups_tensor *src)
{
    int32_t op = desc->head.op;
    bool of_input = op == UPS_CONV_TRANSPOSE || op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS;
    int64_t wanted = of_input ? desc->conv_transpose.in_channels : desc->conv_transpose.out_channels;
    if (ups_forward_op(op) == UPS_CONV_TRANSPOSE && src->dims[1] != wanted)
        return ups_error(UPS_INVALID, "src.dims[1] (C) = %" PRId64 "; legal: %s_channels = %" PRId64, src->dims[1],
                         of_input ? "in" : "out", wanted);
    int64_t cell = 1;
    for (int i = 0; i < desc->head.rank && ups_runs_as(desc->head.op) == UPS_PIXEL_SHUFFLE; i++)
        if (!ups_multiply(&cell, desc->shuffle.blocksize) || src->dims[1] % cell)
            return ups_error(UPS_INVALID,
                             "src.dims[1] (C) = %" PRId64 "; legal: a multiple of blocksize^rank = %" PRId64
                             "^%" PRId32,
                             src->dims[1], desc->shuffle.blocksize, desc->head.rank);
    return UPS_OK;
}

static int32_t check_channels_out(const union ups_desc *desc, int64_t channels)
{
    bool unshuffle = ups_runs_as(desc->head.op) == UPS_PIXEL_UNSHUFFLE;
    if (!unshuffle || (channels < UPS_MAX_LENGTH && block_channels(&desc->shuffle) < UPS_MAX_LENGTH)) return UPS_OK;
    return ups_error(UPS_INVALID,
                     "blocksize = %" PRId64 " makes too many channels of %" PRId32 " axes; legal: fewer than %" PRId64
                     " channels of output",
                     desc->shuffle.blocksize, desc->head.rank, UPS_MAX_LENGTH);
}

/* conv_transpose_grad_weights: what was placed as the destination is the gradient of the output, which is read; the
 * destination has the weights' axes, in place of N and C the channels that their layout names first, and the others. */
static int32_t place_weights(ups_plan *p)
{
    const ups_conv_transpose_desc *d = &p->op->desc.conv_transpose;
    bool in_first = d->weights_layout == UPS_IOHW || d->weights_layout == UPS_HWIO;
    bool behind = d->weights_layout == UPS_HWOI || d->weights_layout == UPS_HWIO; /* the kernel's axes come first */
    int64_t dims[5] = {in_first ? d->in_channels : d->out_channels,
                       (in_first ? d->out_channels : d->in_channels) / d->group};
    memcpy(dims + 2, d->kernel_shape, sizeof d->kernel_shape);
    p->grad = p->dst;
    int32_t layout = d->weights_layout == UPS_OHWI ? UPS_CHANNELS_LAST : UPS_CHANNELS_FIRST;
    int32_t status = ups_tensor_init(&p->dst, sizeof p->dst, UPS_F32, d->rank, layout, dims);
    for (int i = d->rank + 1; !status && behind && i >= 0; i--)
        p->dst.strides[i] = i == 1             ? 1
                            : i == 0           ? dims[1]
                            : i == d->rank + 1 ? dims[0] * dims[1]
                                               : p->dst.strides[i + 1] * dims[i + 1];
    return status;
}

/* The destination: the caller's, checked against the sizes, or a dense one. */
static int32_t place_destination(ups_plan *p, const ups_tensor *dst, const int64_t *out_sizes)
{
    const union ups_desc *desc = &p->op->desc;
    int32_t rank = desc->head.rank, status = UPS_OK;
    bool sum = desc->head.op == UPS_CONV_TRANSPOSE_GRAD_BIAS; /* over the batch too */
    int64_t dims[5] = {sum ? 1 : p->src.dims[0], channels_out(desc, p->src.dims[1])};
    const int64_t *asked = out_sizes || !dst ? out_sizes : p->dst.dims + 2;
    if (dst) status = read_tensor(&p->dst, dst, "dst", desc);
    if (!status) status = ups_output_sizes(desc, p->src.dims + 2, asked, dims + 2);
    if (!status) status = check_channels_out(desc, dims[1]);
    const int64_t *forward[2] = {p->src.dims + 2, dims + 2}; /* sizes of its input and output */
    bool grad = ups_is_grad(desc->head.op);
    if (!status && desc->head.strict) status = ups_limits_sizes(desc, forward[grad], forward[!grad]);
    if (status) return status;
    if (!dst) return ups_tensor_init(&p->dst, sizeof p->dst, desc->head.dtype, rank, desc->head.layout, dims);
    for (int i = 0; i < rank + 2; i++)
        if (p->dst.dims[i] != dims[i])
            return ups_error(UPS_INVALID, "dst.dims[%d] (%s) = %" PRId64 "; legal: %" PRId64, i, axis_name(i),
                             p->dst.dims[i], dims[i]);
    return desc->head.op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS ? UPS_OK : check_disjoint(&p->dst, "dst");
}

/* The begin pads, which may depend on the sizes. */
static void place_pads(ups_plan *p)
{
    const union ups_desc *desc = &p->op->desc;
    struct ups_pads pads;
    int32_t rank = desc->head.rank;
    for (int i = 0; i < rank; i++) {
        ups_axis_pads(desc, i, p->src.dims[2 + i], p->dst.dims[2 + i], &pads);
        p->pad[3 - rank + i] = pads.begin;
    }
}

/* The index tensor, shaped as the pooled one: of pooling its output, of unpooling its input, of their gradients what stands
 * for these. None where the type cannot hold what the pooling would record, so that the gradient has nothing to read. */
static int32_t place_indices(ups_plan *p)
{
    const union ups_desc *desc = &p->op->desc;
    int32_t op = desc->head.op;
    bool pool = ups_forward_op(op) == UPS_MAX_POOL, after = op == UPS_MAX_POOL || op == UPS_MAX_UNPOOL_GRAD;
    int32_t type = pool ? desc->pool.index_type : desc->unpool.index_type;
    const int64_t *unpooled = after ? p->src.dims : p->dst.dims;
    if (op != UPS_MAX_POOL && !ups_reads_indices(op)) return UPS_OK;
    if (pool && ups_index_largest(&desc->pool, unpooled) > ups_index_most(type))
        return after ? UPS_OK : ups_index_check_largest(&desc->pool, unpooled); /* values alone */
    return ups_tensor_init(&p->indices, sizeof p->indices, type, desc->head.rank, desc->head.layout,
                           after ? p->dst.dims : p->src.dims);
}

static int32_t place_tensors(ups_plan *p, const ups_tensor *src, const ups_tensor *dst, const int64_t *out_sizes)
{
    const union ups_desc *desc = &p->op->desc;
    int32_t status = read_tensor(&p->src, src, "src", desc);
    if (!status) status = check_channels(desc, &p->src);
    if (!status) status = place_destination(p, dst, out_sizes);
    if (status) return status;
    place_pads(p);
    status = place_indices(p);
    if (status) return status;
    p->element = ups_type_bytes(p->src.dtype);
    p->x = view_of(&p->src, desc->head.layout);
    p->y = view_of(&p->dst, desc->head.layout);
    return desc->head.op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS ? place_weights(p) : UPS_OK;
}

int32_t ups_plan_create(ups_op *op, const ups_tensor *src, const ups_tensor *dst, const int64_t *out_sizes,
                        ups_plan **plan)
{
    if (!plan) return ups_error(UPS_INVALID, "plan = NULL; the address of a handle is needed");
    *plan = NULL;
    if (!op || !src) return ups_error(UPS_INVALID, "%s = NULL", op ? "src" : "op");
    ups_plan *p = ups_allocate(&op->memory, sizeof *p);
    if (!p) return UPS_NO_MEMORY;
    p->op = op;
    int32_t status = place_tensors(p, src, dst, out_sizes);
    if (!status) status = op->family->plan(p);
    if (!status && p->part_workspace >= UPS_TOO_MANY_BYTES)
        status = ups_error(UPS_NO_MEMORY,
                           "the workspace for these sizes does not fit the address space; legal: less than %zu bytes",
                           (size_t)UPS_TOO_MANY_BYTES);
    if (status) {
        ups_release(&op->memory, p->state);
        ups_release(&op->memory, p);
        return status;
    }
    bool sum = op->family == &ups_grad_weights_family || op->family == &ups_grad_bias_family;
    if (p->src.dims[0] == 0 && !sum) p->units = 0;
    atomic_fetch_add_explicit(&op->references, 1, memory_order_relaxed);
    *plan = p;
    return UPS_OK;
}

void ups_plan_destroy(ups_plan *plan)
{
    if (!plan) return;
    ups_op *op = plan->op;
    ups_release(&op->memory, plan->state);
    ups_release(&op->memory, plan);
    ups_op_release(op);
}

/* ---- asking ---- */

int32_t ups_plan_tensor(const ups_plan *plan, int32_t role, ups_tensor *tensor)
{
    if (!plan || !tensor) return ups_error(UPS_INVALID, "%s = NULL", plan ? "tensor" : "plan");
    const ups_tensor *const tensors[] = {NULL, &plan->src, &plan->dst, &plan->indices, &plan->grad};
    if (role < UPS_ROLE_SRC || role > UPS_ROLE_GRAD)
        return ups_error(
            UPS_INVALID,
            "role = %" PRId32 "; legal: UPS_ROLE_SRC 1, UPS_ROLE_DST 2, UPS_ROLE_INDICES 3, UPS_ROLE_GRAD 4", role);
    const ups_tensor *t = tensors[role];
    if (!t->size && role == UPS_ROLE_INDICES && plan->op->desc.head.op == UPS_MAX_POOL)
        return ups_index_check_largest(&plan->op->desc.pool, plan->src.dims);
    if (!t->size)
        return ups_error(UPS_INVALID, "role = UPS_ROLE_%s; %s has no %s tensor",
                         role == UPS_ROLE_GRAD ? "GRAD" : "INDICES", ups_op_word(plan->op->desc.head.op),
                         role == UPS_ROLE_GRAD ? "grad" : "index");
    if (tensor->size < sizeof *tensor)
        return ups_error(UPS_INVALID, "tensor.size = %" PRIu32 "; legal: sizeof(ups_tensor) = %zu", tensor->size,
                         sizeof *tensor);
    uint32_t size = tensor->size;
    memset(tensor, 0, size);
    *tensor = *t;
    tensor->size = size;
    return UPS_OK;
}

size_t ups_plan_workspace(const ups_plan *plan, int32_t parts)
{
    if (!plan || parts < 1 || !plan->part_workspace) return 0;
    if (plan->part_workspace > (SIZE_MAX - UPS_ALIGNMENT) / (size_t)parts) return SIZE_MAX;
    return plan->part_workspace * (size_t)parts + UPS_ALIGNMENT; /* any alignment: room to round up */
}

static const char *const policies[] = {"?", "accurate", "fast", "reproducible"};

int64_t ups_plan_describe(const ups_plan *plan, int32_t format, char *text, size_t capacity)
{
    struct ups_report r;
    if (!plan || (format != UPS_TEXT && format != UPS_JSON)) {
        ups_error(UPS_INVALID,
                  plan ? "format = %" PRId32 "; legal: UPS_TEXT 1, UPS_JSON 2" : "plan = NULL (format %" PRId32 ")",
                  format);
        return -1;
    }
    const union ups_desc *desc = &plan->op->desc;
    int axes = desc->head.rank + 2;
    ups_report_begin(&r, format, text, capacity);
    ups_report_string(&r, "op", ups_op_word(desc->head.op));
    ups_report_string(&r, "preset", ups_preset_name(desc->head.preset));
    ups_report_string(&r, "dtype", ups_field_word(desc->head.op, "dtype", desc->head.dtype));
    ups_report_string(&r, "layout", ups_field_word(desc->head.op, "layout", desc->head.layout));
    ups_report_numbers(&r, "src", plan->src.dims, axes);
    ups_report_numbers(&r, "dst", plan->dst.dims, axes);
    ups_report_string(&r, "isa", plan->op->kernels->isa);
    ups_report_string(&r, "policy", policies[plan->op->policy]);
    plan->op->family->describe(plan, &r);
    ups_report_number(&r, "units", plan->units);
    ups_report_number(&r, "workspace_bytes", (int64_t)ups_plan_workspace(plan, 1));
    return ups_report_end(&r);
}
