/* SPDX-License-Identifier: MIT
 *
 * Max unpooling. A unit owns whole output planes (channels first) or a block of channels of one image (channels last), so
 * it also owns every source element that may write there: the order of writes, and who counts a bad index, do not depend
 * on the division into parts.
 *
 * Channels first with 2x2 windows at stride 2 first tries the driven-by-output kernel, which writes every output once. It
 * counts the indices that lie in their own window; if one of a plane does not, the plane is done again by the scatter.
 */
#include <limits.h>
#include <string.h>

#include "plan.h"
#include "size.h"

enum { CHANNEL_BLOCK = 16 }; /* channels last: a cache line of floats */

static bool is_2x2s2(const ups_plan *plan)
{
    const ups_unpool_desc *d = &plan->op->desc.unpool;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    return ups_is_first(plan) && d->rank == 2 && d->kernel_shape[0] == 2 && d->kernel_shape[1] == 2 &&
           d->strides[0] == 2 && d->strides[1] == 2 && y->size[1] / 2 == x->size[1] && y->size[2] / 2 == x->size[2] &&
           ups_volume(y->size) < INT32_MAX;
}

static int32_t plan_unpool(ups_plan *plan)
{
    plan->units = plan->y.n * (ups_is_first(plan) ? plan->y.c : ups_ceil_div(plan->y.c, CHANNEL_BLOCK));
    return UPS_OK;
}

static inline int64_t index_at(const void *indices, int32_t dtype, int64_t position)
{
    return dtype == UPS_I64 ? ((const int64_t *)indices)[position] : ((const int32_t *)indices)[position];
}

/* Where a flat position of a plane lies in a view; the divisions are skipped where the plane is one run. */
static int64_t plane_offset(const struct ups_view *v, int64_t position, int64_t dense_stride)
{
    if (dense_stride) return position * dense_stride;
    int64_t w = position % v->size[2], line = position / v->size[2];
    return line / v->size[1] * v->stride[0] + line % v->size[1] * v->stride[1] + w * v->stride[2];
}

/* The stride of flat positions where the plane is one regular run, else 0. */
static int64_t dense_stride(const struct ups_view *v)
{
    int64_t stride = v->size[2] > 1 ? v->stride[2] : v->size[1] > 1 ? v->stride[1] : v->size[0] > 1 ? v->stride[0] : 1;
    bool rows = v->size[1] == 1 || v->stride[1] == stride * v->size[2];
    bool planes = v->size[0] == 1 || v->stride[0] == stride * v->size[2] * v->size[1];
    return rows && planes ? stride : 0;
}

static void bad_index(ups_buffers *b, int64_t position)
{
    if (!b->bad_count++ || position < b->bad_first) b->bad_first = position;
}

/* Zeroes the outputs of channels [c0, c1) of one image. */
static void clear(const struct ups_view *y, float *dst, int64_t n, int64_t c0, int64_t c1, bool first)
{
    for (int64_t d = 0; d < y->size[0]; d++)
        for (int64_t h = 0; h < y->size[1]; h++) {
            if (first)
                for (int64_t c = c0; c < c1; c++)
                    memset(dst + ups_row_offset(y, n, c, d, h), 0, (size_t)y->size[2] * sizeof *dst);
            for (int64_t w = 0; !first && w < y->size[2]; w++)
                memset(dst + ups_row_offset(y, n, c0, d, h) + w * y->stride[2], 0, (size_t)(c1 - c0) * sizeof *dst);
        }
}

/* y = 0; then y[index] = x in row-major order of the source, so that the last of equal indices wins. The position of a
 * source element in its index tensor is plane_start + i*step + c. */
static void scatter(const ups_plan *plan, ups_buffers *b, int64_t n, int64_t c0, int64_t c1)
{
    const struct ups_view *x = &plan->x, *y = &plan->y;
    bool first = ups_is_first(plan);
    int32_t dtype = plan->indices.dtype;
    int64_t elements = ups_volume(x->size), limit = ups_volume(y->size);
    int64_t x_run = dense_stride(x), y_run = dense_stride(y);
    clear(y, b->dst, n, c0, c1, first);
    for (int64_t i = 0; i < elements; i++) {
        int64_t from = n * x->n_stride + plane_offset(x, i, x_run);
        for (int64_t c = c0; c < c1; c++) {
            int64_t at = first ? (n * x->c + c) * elements + i : (n * elements + i) * x->c + c;
            int64_t to = index_at(b->indices_in, dtype, at);
            if (to >= 0 && to < limit)
                b->dst[n * y->n_stride + c * y->c_stride + plane_offset(y, to, y_run)] = b->src[from + c * x->c_stride];
            else
                bad_index(b, (n * x->c + c) * elements + i);
        }
    }
}

/* One plane by the kernel; false if an index lies outside its own window. */
static bool gather_2x2s2(const ups_plan *plan, const ups_buffers *b, int64_t n, int64_t c)
{
    const struct ups_kernels *k = plan->op->kernels;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    bool i64 = plan->indices.dtype == UPS_I64;
    ups_unpool_2x2s2_fn *kernel = i64 ? k->unpool_2x2s2_i64.run : k->unpool_2x2s2_i32.run;
    int64_t columns = x->size[2], width = y->size[2];
    for (int64_t h = 0; h < x->size[1]; h++) {
        int64_t at = ((n * x->c + c) * x->size[1] + h) * columns;
        float *row0 = b->dst + ups_row_offset(y, n, c, 0, 2 * h), *row1 = row0 + y->stride[1];
        const void *index = (const char *)b->indices_in + at * (i64 ? 8 : 4);
        if (kernel(b->src + ups_row_offset(x, n, c, 0, h), index, columns, 2 * h * width, width, row0, row1) != columns)
            return false;
        if (width > 2 * columns) row0[width - 1] = row1[width - 1] = 0;
    }
    if (y->size[1] > 2 * x->size[1])
        memset(b->dst + ups_row_offset(y, n, c, 0, y->size[1] - 1), 0, (size_t)width * sizeof(float));
    return true;
}

static void run_unpool(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    int64_t channels = plan->y.c, blocks = ups_ceil_div(channels, CHANNEL_BLOCK);
    bool fast = is_2x2s2(plan);
    (void)workspace;
    for (int64_t u = first; u < last; u++) {
        if (!ups_is_first(plan)) {
            int64_t c0 = u % blocks * CHANNEL_BLOCK;
            scatter(plan, b, u / blocks, c0, ups_min(c0 + CHANNEL_BLOCK, channels));
        } else if (!fast || !gather_2x2s2(plan, b, u / channels, u % channels))
            scatter(plan, b, u / channels, u % channels, u % channels + 1);
    }
}

static void describe_unpool(const ups_plan *plan, struct ups_report *r)
{
    const struct ups_kernels *k = plan->op->kernels;
    const char *kernel = plan->indices.dtype == UPS_I64 ? k->unpool_2x2s2_i64.name : k->unpool_2x2s2_i32.name;
    if (is_2x2s2(plan))
        ups_report_direct(
            r, "2x2 windows at stride 2: every output once; scatter for planes whose indices leave their windows",
            &kernel, 1);
    else
        ups_report_direct(r, "zero, then an ordered scatter with every index checked", NULL, 0);
}

const struct ups_family ups_unpool_family = {NULL, NULL, plan_unpool, run_unpool, describe_unpool};
