/* SPDX-License-Identifier: MIT
 *
 * Max pooling. Channels first works on pieces of output rows, channels last on output pixels; a window is a list of
 * source rows, or of source pixels, that lie inside the image, in scan order.
 */
#include <limits.h>

#include "plan.h"
#include "size.h"

/* Outputs per unit, channels first: long rows are dealt to several parts. */
enum { PIECE = 4096 };

struct pool {
    int64_t kernel[3], stride[3], dilation[3], pad[3];
    int64_t pieces; /* per output row, channels first */
    bool fast;      /* 2x2 at stride 2 without pads in front: pool_2x2s2 where the window is whole */
};

/* What one run writes, and with which form of the kernels. */
struct target {
    float *values;
    char *indices; /* NULL: values alone */
    int64_t index_bytes;
    ups_pool_row_fn *row;
    ups_pool_2x2s2_fn *two;
    ups_pool_pixel_fn *pixel;
};

static int32_t plan_pool(ups_plan *plan)
{
    const ups_pool_desc *d = &plan->op->desc.pool;
    struct pool *p = plan->state = ups_allocate(&plan->op->memory, sizeof *p);
    if (!p) return UPS_NO_MEMORY;
    ups_axes3(p->kernel, d->kernel_shape, d->rank, 1);
    ups_axes3(p->stride, d->strides, d->rank, 1);
    ups_axes3(p->dilation, d->dilations, d->rank, 1);
    ups_axes3(p->pad, d->pads_begin, d->rank, 0);
    p->pieces = ups_ceil_div(plan->y.size[2], PIECE);
    p->fast = p->kernel[0] == 1 && p->stride[0] == 1 && p->pad[0] == 0 && ups_volume(plan->x.size) < INT32_MAX;
    for (int a = 1; a < 3; a++)
        p->fast = p->fast && p->kernel[a] == 2 && p->stride[a] == 2 && p->dilation[a] == 1 && p->pad[a] == 0;
    int64_t lines = plan->y.n * plan->y.size[0] * plan->y.size[1];
    if (ups_is_first(plan))
        plan->units = lines * plan->y.c * p->pieces;
    else
        plan->units = lines * plan->y.size[2];
    /* the list of rows or pixels of a window: a pointer and a position each */
    int64_t taps = ups_min(p->kernel[0], plan->x.size[0]) * ups_min(p->kernel[1], plan->x.size[1]);
    if (!ups_is_first(plan)) taps *= ups_min(p->kernel[2], plan->x.size[2]);
    plan->part_workspace = ups_taken(ups_bytes(taps, 1, 1, sizeof(float *) + sizeof(int64_t)));
    return UPS_OK;
}

/* Taps t of output o with 0 <= o*stride - pad + t*dilation < size: first <= t < last. */
static void clip_taps(const struct pool *p, int axis, int64_t o, int64_t size, int64_t *first, int64_t *last)
{
    int64_t start = o * p->stride[axis] - p->pad[axis];
    *first = ups_max(0, ups_ceil_div(-start, p->dilation[axis]));
    *last = ups_min(p->kernel[axis], ups_ceil_div(size - start, p->dilation[axis]));
}

/* Lists the source rows (d, h) under the windows of output row (od, oh). */
static int64_t list_rows(const ups_plan *plan, const float *plane, int64_t od, int64_t oh, const float **rows,
                         int64_t *base)
{
    const struct pool *p = plan->state;
    const struct ups_view *x = &plan->x;
    int64_t d0, d1, h0, h1, count = 0;
    clip_taps(p, 0, od, x->size[0], &d0, &d1);
    clip_taps(p, 1, oh, x->size[1], &h0, &h1);
    for (int64_t td = d0; td < d1; td++)
        for (int64_t th = h0; th < h1; th++) {
            int64_t d = od * p->stride[0] - p->pad[0] + td * p->dilation[0];
            int64_t h = oh * p->stride[1] - p->pad[1] + th * p->dilation[1];
            rows[count] = plane + d * x->stride[0] + h * x->stride[1];
            base[count++] = (d * x->size[1] + h) * x->size[2];
        }
    return count;
}

static void *index_at(const struct target *t, int64_t position)
{
    return t->indices ? t->indices + position * t->index_bytes : NULL;
}

/* Outputs first … first + n - 1 of one row, channels first. */
static void pool_piece(const ups_plan *plan, const struct target *t, const float *src, void *workspace, int64_t n,
                       int64_t c, int64_t od, int64_t oh, int64_t first, int64_t count)
{
    const struct pool *p = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    int64_t taps = ups_min(p->kernel[0], x->size[0]) * ups_min(p->kernel[1], x->size[1]);
    const float **rows = workspace;
    int64_t *base = (int64_t *)(rows + taps);
    float *out = t->values + ups_row_offset(y, n, c, od, oh) + first;
    int64_t position = (((n * y->c + c) * y->size[0] + od) * y->size[1] + oh) * y->size[2] + first;
    struct ups_pool_window window = {rows, base, 0, x->size[2], p->kernel[2], p->stride[2], p->dilation[2], p->pad[2]};
    window.count = list_rows(plan, src + n * x->n_stride + c * x->c_stride, od, oh, rows, base);
    int64_t whole = p->fast && window.count == 2 ? ups_min(count, ups_max(0, x->size[2] / 2 - first)) : 0;
    if (whole)
        t->two(rows[0] + 2 * first, rows[1] + 2 * first, whole, base[0] + 2 * first, x->size[2], out,
               index_at(t, position));
    if (whole < count) t->row(&window, first + whole, count - whole, out + whole, index_at(t, position + whole));
}

static void run_first(const ups_plan *plan, const struct target *t, const float *src, void *workspace, int64_t first,
                      int64_t last)
{
    const struct pool *p = plan->state;
    const struct ups_view *y = &plan->y;
    for (int64_t u = first; u < last; u++) {
        int64_t piece = u % p->pieces, line = u / p->pieces;
        int64_t oh = line % y->size[1], od = line / y->size[1] % y->size[0], plane = line / y->size[1] / y->size[0];
        int64_t start = piece * PIECE;
        pool_piece(plan, t, src, workspace, plane / y->c, plane % y->c, od, oh, start,
                   ups_min(PIECE, y->size[2] - start));
    }
}

/* Lists the source pixels under one window; each is a run of channels. */
static int64_t list_pixels(const ups_plan *plan, const float *image, const int64_t o[3], const float **tap,
                           int64_t *position)
{
    const struct pool *p = plan->state;
    const struct ups_view *x = &plan->x;
    int64_t t0[3], t1[3], at[3], count = 0;
    for (int a = 0; a < 3; a++) clip_taps(p, a, o[a], x->size[a], &t0[a], &t1[a]);
    for (int64_t td = t0[0]; td < t1[0]; td++)
        for (int64_t th = t0[1]; th < t1[1]; th++)
            for (int64_t tw = t0[2]; tw < t1[2]; tw++) {
                const int64_t t[3] = {td, th, tw};
                for (int a = 0; a < 3; a++) at[a] = o[a] * p->stride[a] - p->pad[a] + t[a] * p->dilation[a];
                tap[count] = image + at[0] * x->stride[0] + at[1] * x->stride[1] + at[2] * x->stride[2];
                position[count++] = (at[0] * x->size[1] + at[1]) * x->size[2] + at[2];
            }
    return count;
}

static void run_last(const ups_plan *plan, const struct target *t, const float *src, void *workspace, int64_t first,
                     int64_t last)
{
    const struct pool *p = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    int64_t most = 1;
    for (int a = 0; a < 3; a++) most *= ups_min(p->kernel[a], x->size[a]);
    const float **tap = workspace;
    int64_t *position = (int64_t *)(tap + most);
    for (int64_t u = first; u < last; u++) {
        int64_t line = u / y->size[2];
        const int64_t o[3] = {line / y->size[1] % y->size[0], line % y->size[1], u % y->size[2]};
        int64_t n = line / y->size[1] / y->size[0];
        int64_t count = list_pixels(plan, src + n * x->n_stride, o, tap, position);
        t->pixel(tap, position, count, y->c, t->values + ups_row_offset(y, n, 0, o[0], o[1]) + o[2] * y->stride[2],
                 index_at(t, u * y->c));
    }
}

static void run_pool(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct ups_kernels *k = plan->op->kernels;
    struct target t = {b->dst, b->indices_out, 0, k->pool_row.run, k->pool_2x2s2.run, k->pool_pixel.run};
    if (t.indices && plan->indices.dtype == UPS_I32)
        t = (struct target){
            b->dst, b->indices_out, 4, k->pool_row_i32.run, k->pool_2x2s2_i32.run, k->pool_pixel_i32.run};
    else if (t.indices)
        t = (struct target){
            b->dst, b->indices_out, 8, k->pool_row_i64.run, k->pool_2x2s2_i64.run, k->pool_pixel_i64.run};
    if (ups_is_first(plan))
        run_first(plan, &t, b->src, workspace, first, last);
    else
        run_last(plan, &t, b->src, workspace, first, last);
}

static void describe_pool(const ups_plan *plan, struct ups_report *r)
{
    const struct ups_kernels *k = plan->op->kernels;
    const struct pool *p = plan->state;
    bool i32 = plan->indices.dtype == UPS_I32;
    const char *pixel[] = {k->pool_pixel.name, i32 ? k->pool_pixel_i32.name : k->pool_pixel_i64.name};
    const char *row[] = {k->pool_row.name, i32 ? k->pool_row_i32.name : k->pool_row_i64.name, k->pool_2x2s2.name,
                         i32 ? k->pool_2x2s2_i32.name : k->pool_2x2s2_i64.name};
    const char *reason = "the only one; each output is computed once from its window";
    if (ups_is_first(plan))
        ups_report_direct(r, reason, row, p->fast ? 4 : 2);
    else
        ups_report_direct(r, reason, pixel, 2);
}

const struct ups_family ups_pool_family = {NULL, NULL, plan_pool, run_pool, describe_pool};
