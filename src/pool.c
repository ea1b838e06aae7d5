/* SPDX-License-Identifier: MIT
 *
 * Max and average pooling. Channels first works on pieces of output rows, channels last on output pixels; a window is a
 * list of source rows, or of source pixels, that lie inside the image, in scan order.
 *
 * Every index convention is a sum of steps (index.h), so the kernels record any of them as they go; only what is narrower
 * than i32 is recorded as i32 first.
 */
#include <limits.h>
#include <string.h>

#include "index.h"
#include "plan.h"
#include "shape.h"
#include "size.h"

/* Outputs per unit, channels first: long rows are dealt to several parts. */
enum { PIECE = 4096 };

struct pool {
    int64_t kernel[3], stride[3], dilation[3], pad[3], end[3];
    int64_t most;   /* rows or pixels of one window */
    int64_t pieces; /* per output row, channels first */
    bool average, column;
    bool fast; /* 2x2 at stride 2 without pads in front: pool_2x2s2 where the window is whole */
    /* max_pool: the index of a tap is a sum of these steps, along each axis of its position or of its number in the
     * window, the others being 0. */
    int64_t n_step, c_step, position_step[3], tap_step[3];
};

/* What one run writes, and with which form of the kernels. */
struct target {
    float *values;
    char *indices; /* NULL: values alone */
    int32_t type, recorded;
    void *narrow; /* recorded is not type: i32 stand here first */
    ups_pool_row_fn *row;
    ups_pool_2x2s2_fn *two;
    ups_pool_pixel_fn *pixel;
};

/* A part's own memory. */
struct lists {
    const float **from; /* rows or pixels of the window */
    int64_t *index;     /* of each */
    int32_t *narrow;
    const float *source; /* of the image or plane at hand */
    int64_t base;        /* of its indices */
};

/* ---- planning ---- */

static void plan_axes(const ups_plan *plan, struct pool *p)
{
    const ups_pool_desc *d = &plan->op->desc.pool;
    struct ups_pads pads;
    int64_t end[3];
    ups_axes3(p->kernel, d->kernel_shape, d->rank, 1);
    ups_axes3(p->stride, d->strides, d->rank, 1);
    ups_axes3(p->dilation, d->dilations, d->rank, 1);
    for (int i = 0; i < d->rank; i++) {
        ups_axis_pads(&plan->op->desc, i, plan->src.dims[2 + i], plan->dst.dims[2 + i], &pads);
        end[i] = pads.end;
    }
    ups_axes3(p->end, end, d->rank, 0);
    for (int a = 0; a < 3; a++) p->pad[a] = plan->pad[a];
}

static void plan_indices(const ups_plan *plan, struct pool *p)
{
    const ups_pool_desc *d = &plan->op->desc.pool;
    const struct ups_view *x = &plan->x;
    bool window = ups_index_is_window(d->index);
    struct ups_index_space space = {d->index, x->n, x->c, {x->size[0], x->size[1], x->size[2]}};
    struct ups_index_steps steps = ups_index_steps(&space, window ? p->kernel : x->size);
    p->n_step = steps.n;
    p->c_step = steps.c;
    memcpy(window ? p->tap_step : p->position_step, steps.axis, sizeof steps.axis);
    p->column = d->scan == UPS_SCAN_COLUMN_MAJOR;
    p->fast = !p->column && p->kernel[0] == 1 && p->stride[0] == 1 && p->pad[0] == 0 &&
              ups_index_largest(d, plan->src.dims) < INT32_MAX;
    for (int a = 1; a < 3; a++)
        p->fast = p->fast && p->kernel[a] == 2 && p->stride[a] == 2 && p->dilation[a] == 1 && p->pad[a] == 0;
}

static bool is_narrow(int32_t type)
{
    return type == UPS_U8 || type == UPS_F32;
}

static int32_t plan_pool(ups_plan *plan)
{
    struct pool *p = plan->state = ups_allocate(&plan->op->memory, sizeof *p);
    if (!p) return UPS_NO_MEMORY;
    p->average = plan->op->desc.head.op == UPS_AVG_POOL;
    plan_axes(plan, p);
    if (!p->average) plan_indices(plan, p);
    p->pieces = ups_ceil_div(plan->y.size[2], PIECE);
    int64_t lines = plan->y.n * plan->y.size[0] * plan->y.size[1];
    plan->units = lines * (ups_is_first(plan) ? plan->y.c * p->pieces : plan->y.size[2]);
    p->most = ups_min(p->kernel[0], plan->x.size[0]) * ups_min(p->kernel[1], plan->x.size[1]);
    if (!ups_is_first(plan)) p->most *= ups_min(p->kernel[2], plan->x.size[2]);
    size_t bytes = ups_bytes(p->most, 1, 1, sizeof(float *) + sizeof(int64_t));
    if (!p->average && is_narrow(plan->indices.dtype))
        bytes += ups_bytes(ups_is_first(plan) ? PIECE : plan->y.c, 1, 1, sizeof(int32_t));
    plan->part_workspace = ups_taken(bytes);
    return UPS_OK;
}

static struct lists lists_in(const struct pool *p, void *workspace)
{
    const float **from = workspace;
    int64_t *index = (int64_t *)(from + p->most);
    return (struct lists){from, index, (int32_t *)(index + p->most), NULL, 0};
}

/* ---- windows ---- */

/* Taps t of output o with 0 <= o*stride - pad + t*dilation < size: first <= t < last. Most windows are whole, and cost no
 * division. */
static void clip_taps(const struct pool *p, int axis, int64_t o, int64_t size, int64_t *first, int64_t *last)
{
    int64_t start = o * p->stride[axis] - p->pad[axis], taps = p->kernel[axis], dilation = p->dilation[axis];
    *first = start >= 0 ? 0 : ups_ceil_div(-start, dilation);
    *last = start + (taps - 1) * dilation < size ? taps : ups_ceil_div(size - start, dilation);
}

/* What an average divides by counts along each axis. */
static int64_t counted_taps(const ups_plan *plan, int axis, int64_t o)
{
    const struct pool *p = plan->state;
    int32_t rule = plan->op->desc.pool.count_include_pad;
    int64_t first, last, size = plan->x.size[axis];
    if (rule == 2) return p->kernel[axis];
    clip_taps(p, axis, o, rule ? size + p->end[axis] : size, &first, &last);
    return ups_max(0, rule ? last : last - first);
}

static float divisor_of(const ups_plan *plan, const int64_t o[3])
{
    double divisor = (double)plan->op->desc.pool.divisor;
    if (divisor == UPS_BY_PRESET) {
        divisor = 1;
        for (int a = 0; a < 3; a++) divisor *= (double)counted_taps(plan, a, o[a]);
    }
    return divisor ? (float)divisor : 1; /* of no taps the sum is 0 */
}

/* Where tap t of output o lies along an axis. */
static int64_t position_of(const struct pool *p, int axis, int64_t o, int64_t t)
{
    return o * p->stride[axis] - p->pad[axis] + t * p->dilation[axis];
}

static int64_t index_along(const struct pool *p, int axis, int64_t at, int64_t t)
{
    return at * p->position_step[axis] + t * p->tap_step[axis];
}

/* Appends the source row at taps (td, th). */
static int64_t add_row(const ups_plan *plan, const struct lists *to, int64_t count, const int64_t o[3], int64_t td,
                       int64_t th)
{
    const struct pool *p = plan->state;
    int64_t d = position_of(p, 0, o[0], td), h = position_of(p, 1, o[1], th);
    to->from[count] = to->source + d * plan->x.stride[0] + h * plan->x.stride[1];
    to->index[count] = to->base + index_along(p, 0, d, td) + index_along(p, 1, h, th);
    return count + 1;
}

/* Lists the source rows (d, h) under the windows of output row (od, oh), in scan order. */
static int64_t list_rows(const ups_plan *plan, const struct lists *to, const int64_t o[3])
{
    const struct pool *p = plan->state;
    int64_t d0, d1, h0, h1, count = 0;
    clip_taps(p, 0, o[0], plan->x.size[0], &d0, &d1);
    clip_taps(p, 1, o[1], plan->x.size[1], &h0, &h1);
    for (int64_t td = d0; td < d1 && !p->column; td++)
        for (int64_t th = h0; th < h1; th++) count = add_row(plan, to, count, o, td, th);
    for (int64_t th = h0; th < h1 && p->column; th++)
        for (int64_t td = d0; td < d1; td++) count = add_row(plan, to, count, o, td, th);
    return count;
}

/* Lists the source pixels under one window, in scan order: each is a run of channels, its index that of channel 0. */
static int64_t list_pixels(const ups_plan *plan, const struct lists *to, const int64_t o[3])
{
    const struct pool *p = plan->state;
    const int outer = p->column ? 2 : 0, inner = 2 - outer;
    const int64_t *stride = plan->x.stride;
    int64_t t0[3], t1[3], count = 0;
    for (int a = 0; a < 3; a++) clip_taps(p, a, o[a], plan->x.size[a], &t0[a], &t1[a]);
    for (int64_t slow = t0[outer]; slow < t1[outer]; slow++)
        for (int64_t middle = t0[1]; middle < t1[1]; middle++) {
            int64_t at_o = position_of(p, outer, o[outer], slow), at_m = position_of(p, 1, o[1], middle);
            const float *from = to->source + at_o * stride[outer] + at_m * stride[1];
            int64_t index = to->base + index_along(p, outer, at_o, slow) + index_along(p, 1, at_m, middle);
            for (int64_t fast = t0[inner]; fast < t1[inner]; fast++) {
                int64_t at = position_of(p, inner, o[inner], fast);
                to->from[count] = from + at * stride[inner];
                to->index[count++] = index + index_along(p, inner, at, fast);
            }
        }
    return count;
}

/* ---- indices ---- */

/* Where a kernel records the indices that belong at a position of the index tensor. */
static void *record_at(const struct target *t, int64_t position)
{
    if (!t->indices || t->narrow) return t->narrow;
    return t->indices + position * (int64_t)ups_index_bytes(t->type);
}

/* Adds a step from one channel to the next to the indices of a pixel. */
static void add_channels(const struct target *t, void *recorded, int64_t step, int64_t n)
{
    int32_t *i32 = recorded;
    int64_t *i64 = recorded;
    for (int64_t c = 0; c < n && t->recorded == UPS_I32; c++) i32[c] += i32[c] < 0 ? 0 : (int32_t)(c * step);
    for (int64_t c = 0; c < n && t->recorded == UPS_I64; c++) i64[c] += i64[c] < 0 ? 0 : c * step;
}

/* Brings what was recorded into the type of the index tensor. */
static void hand_over(const struct target *t, int64_t position, int64_t n)
{
    const int32_t *narrow = t->narrow;
    for (int64_t i = 0; i < n; i++) ups_index_store(t->indices, t->type, position + i, narrow[i]);
}

/* ---- running ---- */

static void max_piece(const ups_plan *plan, const struct target *t, const struct lists *lists, int64_t count,
                      int64_t first, int64_t n, float *y, int64_t position)
{
    const struct pool *p = plan->state;
    const ups_pool_desc *d = &plan->op->desc.pool;
    const float *const *rows = lists->from;
    const int64_t *base = lists->index, width = plan->x.size[2], step = p->position_step[2];
    int64_t whole = p->fast && count == 2 ? ups_min(n, ups_max(0, width / 2 - first)) : 0;
    char *record = record_at(t, position);
    if (whole) {
        struct ups_pool_quad quad = {base[0] + 2 * first * step, 2 * step, step + p->tap_step[2], base[1] - base[0]};
        t->two(rows[0] + 2 * first, rows[1] + 2 * first, whole, d->nan, &quad, y, record);
    }
    if (whole < n) {
        struct ups_pool_window window = {.rows = rows,
                                         .base = base,
                                         .count = count,
                                         .width = width,
                                         .taps = p->kernel[2],
                                         .stride = p->stride[2],
                                         .dilation = p->dilation[2],
                                         .pad = p->pad[2],
                                         .position_step = step,
                                         .tap_step = p->tap_step[2],
                                         .nan = d->nan,
                                         .scan = d->scan};
        if (record) record += whole * (int64_t)ups_index_bytes(t->recorded);
        t->row(&window, first + whole, n - whole, y + whole, record);
    }
    if (t->narrow) hand_over(t, position, n);
}

/* Outputs whose windows are whole along W go to the kernel at once, the others one by one with their taps cut. */
static void average_piece(const ups_plan *plan, const struct lists *lists, int64_t count, int64_t o[3], int64_t n,
                          float *y)
{
    const struct pool *p = plan->state;
    ups_avg_row_fn *run = plan->op->kernels->avg_row.run;
    int64_t stride = p->stride[2], dilation = p->dilation[2], last = o[2] + n, t0, t1;
    int64_t room = plan->x.size[2] + p->pad[2] - (p->kernel[2] - 1) * dilation; /* starts below it are whole */
    int64_t whole_first = ups_ceil_div(p->pad[2], stride), whole_last = ups_min(last, ups_ceil_div(room, stride));
    while (o[2] < last) {
        bool whole = o[2] >= whole_first && o[2] < whole_last;
        int64_t run_n = whole ? whole_last - o[2] : 1;
        clip_taps(p, 2, o[2], plan->x.size[2], &t0, &t1);
        struct ups_avg_window window = {.rows = lists->from,
                                        .count = count,
                                        .start = o[2] * stride - p->pad[2] + t0 * dilation,
                                        .taps = ups_max(0, t1 - t0),
                                        .stride = stride,
                                        .dilation = dilation};
        run(&window, run_n, divisor_of(plan, o), y);
        y += run_n;
        o[2] += run_n;
    }
}

static void run_first(const ups_plan *plan, const struct target *t, const float *src, struct lists lists, int64_t first,
                      int64_t last)
{
    const struct pool *p = plan->state;
    const struct ups_view *y = &plan->y;
    for (int64_t u = first; u < last; u++) {
        int64_t line = u / p->pieces, plane = line / y->size[1] / y->size[0], n = plane / y->c, c = plane % y->c;
        int64_t o[3] = {line / y->size[1] % y->size[0], line % y->size[1], u % p->pieces * PIECE};
        lists.source = src + n * plan->x.n_stride + c * plan->x.c_stride;
        lists.base = n * p->n_step + c * p->c_step;
        int64_t length = ups_min(PIECE, y->size[2] - o[2]), count = list_rows(plan, &lists, o);
        float *to = t->values + ups_row_offset(y, n, c, o[0], o[1]) + o[2];
        if (p->average)
            average_piece(plan, &lists, count, o, length, to);
        else
            max_piece(plan, t, &lists, count, o[2], length, to, line * y->size[2] + o[2]);
    }
}

static void run_last(const ups_plan *plan, const struct target *t, const float *src, struct lists lists, int64_t first,
                     int64_t last)
{
    const struct pool *p = plan->state;
    const struct ups_view *y = &plan->y;
    for (int64_t u = first; u < last; u++) {
        int64_t line = u / y->size[2], n = line / y->size[1] / y->size[0];
        const int64_t o[3] = {line / y->size[1] % y->size[0], line % y->size[1], u % y->size[2]};
        lists.source = src + n * plan->x.n_stride;
        lists.base = n * p->n_step;
        int64_t count = list_pixels(plan, &lists, o);
        float *to = t->values + ups_row_offset(y, n, 0, o[0], o[1]) + o[2] * y->stride[2];
        if (p->average) {
            plan->op->kernels->avg_pixel.run(lists.from, count, y->c, divisor_of(plan, o), to);
            continue;
        }
        void *record = record_at(t, u * y->c);
        t->pixel(lists.from, lists.index, count, y->c, plan->op->desc.pool.nan, to, record);
        if (record && p->c_step) add_channels(t, record, p->c_step, y->c);
        if (t->narrow) hand_over(t, u * y->c, y->c);
    }
}

static void run_pool(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct ups_kernels *k = plan->op->kernels;
    struct lists lists = lists_in(plan->state, workspace);
    int32_t type = plan->indices.dtype;
    struct target t = {.values = b->dst, .row = k->pool_row.run, .two = k->pool_2x2s2.run, .pixel = k->pool_pixel.run};
    if (b->indices_out) {
        bool i64 = type == UPS_I64;
        t.indices = b->indices_out;
        t.type = type;
        t.recorded = i64 ? UPS_I64 : UPS_I32;
        t.narrow = is_narrow(type) ? lists.narrow : NULL;
        t.row = i64 ? k->pool_row_i64.run : k->pool_row_i32.run;
        t.two = i64 ? k->pool_2x2s2_i64.run : k->pool_2x2s2_i32.run;
        t.pixel = i64 ? k->pool_pixel_i64.run : k->pool_pixel_i32.run;
    }
    (ups_is_first(plan) ? run_first : run_last)(plan, &t, b->src, lists, first, last);
}

static void describe_pool(const ups_plan *plan, struct ups_report *r)
{
    const struct ups_kernels *k = plan->op->kernels;
    const struct pool *p = plan->state;
    bool i64 = plan->indices.dtype == UPS_I64;
    const char *average = ups_is_first(plan) ? k->avg_row.name : k->avg_pixel.name;
    const char *pixel[] = {k->pool_pixel.name, i64 ? k->pool_pixel_i64.name : k->pool_pixel_i32.name};
    const char *row[] = {k->pool_row.name, i64 ? k->pool_row_i64.name : k->pool_row_i32.name, k->pool_2x2s2.name,
                         i64 ? k->pool_2x2s2_i64.name : k->pool_2x2s2_i32.name};
    const char *reason = "the only one; each output is computed once from its window";
    if (p->average)
        ups_report_direct(r, reason, &average, 1);
    else if (ups_is_first(plan))
        ups_report_direct(r, reason, row, p->fast ? 4 : 2);
    else
        ups_report_direct(r, reason, pixel, 2);
}

const struct ups_family ups_pool_family = {NULL, NULL, plan_pool, run_pool, describe_pool};
