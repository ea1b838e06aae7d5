/* SPDX-License-Identifier: MIT
 *
 * Max and average pooling. Channels first works on pieces of output rows, channels last on output pixels; a window is a
 * list of source rows, or of source pixels, that lie inside the image, in scan order.
 *
 * Every index convention is a sum of steps (index.h), so the kernels record any of them as they go; only what is narrower
 * than i32 is recorded as i32 first.
 */
#include <limits.h>

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
    /* max_pool: */
    struct ups_index_steps steps;
    int64_t position_step, tap_step; /* along W, of steps.axis[2]: one of the two is 0 */
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
    p->steps = ups_index_steps(&space, window ? p->kernel : x->size);
    p->position_step = window ? 0 : p->steps.axis[2];
    p->tap_step = window ? p->steps.axis[2] : 0;
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
    return (struct lists){from, index, (int32_t *)(index + p->most)};
}

/* ---- windows ---- */

/* Taps t of output o with 0 <= o*stride - pad + t*dilation < size: first <= t < last. */
static void clip_taps(const struct pool *p, int axis, int64_t o, int64_t size, int64_t *first, int64_t *last)
{
    int64_t start = o * p->stride[axis] - p->pad[axis];
    *first = ups_max(0, ups_ceil_div(-start, p->dilation[axis]));
    *last = ups_min(p->kernel[axis], ups_ceil_div(size - start, p->dilation[axis]));
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

/* Of the tap t at position `at`, along an axis. */
static int64_t index_along(const ups_plan *plan, int axis, int64_t at, int64_t t)
{
    const struct pool *p = plan->state;
    return (ups_index_is_window(plan->op->desc.pool.index) ? t : at) * p->steps.axis[axis];
}

/* Lists the source rows (d, h) under the windows of output row (od, oh) of (n, c); the axis that runs fastest in scan
 * order is the inner loop. */
static int64_t list_rows(const ups_plan *plan, const float *src, int64_t n, int64_t c, const int64_t o[3],
                         const struct lists *to)
{
    const struct pool *p = plan->state;
    const struct ups_view *x = &plan->x;
    int outer = p->column, inner = !p->column;
    int64_t t0[2], t1[2], t[2], at[2], count = 0;
    for (int a = 0; a < 2; a++) clip_taps(p, a, o[a], x->size[a], &t0[a], &t1[a]);
    for (t[outer] = t0[outer]; t[outer] < t1[outer]; t[outer]++)
        for (t[inner] = t0[inner]; t[inner] < t1[inner]; t[inner]++) {
            for (int a = 0; a < 2; a++) at[a] = o[a] * p->stride[a] - p->pad[a] + t[a] * p->dilation[a];
            to->from[count] = src + ups_row_offset(x, n, c, at[0], at[1]);
            to->index[count++] =
                n * p->steps.n + c * p->steps.c + index_along(plan, 0, at[0], t[0]) + index_along(plan, 1, at[1], t[1]);
        }
    return count;
}

/* Lists the source pixels under one window; each is a run of channels, its index that of channel 0. */
static int64_t list_pixels(const ups_plan *plan, const float *src, int64_t n, const int64_t o[3],
                           const struct lists *to)
{
    const struct pool *p = plan->state;
    const struct ups_view *x = &plan->x;
    int outer = p->column ? 2 : 0, inner = 2 - outer;
    int64_t t0[3], t1[3], t[3], count = 0;
    for (int a = 0; a < 3; a++) clip_taps(p, a, o[a], x->size[a], &t0[a], &t1[a]);
    for (t[outer] = t0[outer]; t[outer] < t1[outer]; t[outer]++)
        for (t[1] = t0[1]; t[1] < t1[1]; t[1]++)
            for (t[inner] = t0[inner]; t[inner] < t1[inner]; t[inner]++) {
                int64_t from = n * x->n_stride, index = n * p->steps.n;
                for (int a = 0; a < 3; a++) {
                    int64_t at = o[a] * p->stride[a] - p->pad[a] + t[a] * p->dilation[a];
                    from += at * x->stride[a];
                    index += index_along(plan, a, at, t[a]);
                }
                to->from[count] = src + from;
                to->index[count++] = index;
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
    for (int64_t i = 0; i < n && narrow; i++) ups_index_store(t->indices, t->type, position + i, narrow[i]);
}

/* ---- running ---- */

static void max_piece(const ups_plan *plan, const struct target *t, const struct lists *lists, int64_t count,
                      int64_t first, int64_t n, float *y, int64_t position)
{
    const struct pool *p = plan->state;
    const ups_pool_desc *d = &plan->op->desc.pool;
    struct ups_pool_window window = {.rows = lists->from,
                                     .base = lists->index,
                                     .count = count,
                                     .width = plan->x.size[2],
                                     .taps = p->kernel[2],
                                     .stride = p->stride[2],
                                     .dilation = p->dilation[2],
                                     .pad = p->pad[2],
                                     .position_step = p->position_step,
                                     .tap_step = p->tap_step,
                                     .nan = d->nan,
                                     .scan = d->scan};
    int64_t whole = p->fast && count == 2 ? ups_min(n, ups_max(0, window.width / 2 - first)) : 0;
    char *record = record_at(t, position);
    if (whole) {
        const float *const *rows = lists->from;
        struct ups_pool_quad quad = {lists->index[0] + 2 * first * p->position_step, 2 * p->position_step,
                                     p->position_step + p->tap_step, lists->index[1] - lists->index[0]};
        t->two(rows[0] + 2 * first, rows[1] + 2 * first, whole, d->nan, &quad, y, record);
    }
    if (record) record += whole * (int64_t)ups_index_bytes(t->recorded);
    if (whole < n) t->row(&window, first + whole, n - whole, y + whole, record);
    hand_over(t, position, n);
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

static void run_first(const ups_plan *plan, const struct target *t, const float *src, const struct lists *lists,
                      int64_t first, int64_t last)
{
    const struct pool *p = plan->state;
    const struct ups_view *y = &plan->y;
    for (int64_t u = first; u < last; u++) {
        int64_t line = u / p->pieces, plane = line / y->size[1] / y->size[0], n = plane / y->c, c = plane % y->c;
        int64_t o[3] = {line / y->size[1] % y->size[0], line % y->size[1], u % p->pieces * PIECE};
        int64_t length = ups_min(PIECE, y->size[2] - o[2]), count = list_rows(plan, src, n, c, o, lists);
        float *to = t->values + ups_row_offset(y, n, c, o[0], o[1]) + o[2];
        if (p->average)
            average_piece(plan, lists, count, o, length, to);
        else
            max_piece(plan, t, lists, count, o[2], length, to, line * y->size[2] + o[2]);
    }
}

static void run_last(const ups_plan *plan, const struct target *t, const float *src, const struct lists *lists,
                     int64_t first, int64_t last)
{
    const struct pool *p = plan->state;
    const struct ups_view *y = &plan->y;
    for (int64_t u = first; u < last; u++) {
        int64_t line = u / y->size[2], n = line / y->size[1] / y->size[0];
        const int64_t o[3] = {line / y->size[1] % y->size[0], line % y->size[1], u % y->size[2]};
        int64_t count = list_pixels(plan, src, n, o, lists);
        float *to = t->values + ups_row_offset(y, n, 0, o[0], o[1]) + o[2] * y->stride[2];
        if (p->average) {
            plan->op->kernels->avg_pixel.run(lists->from, count, y->c, divisor_of(plan, o), to);
            continue;
        }
        void *record = record_at(t, u * y->c);
        t->pixel(lists->from, lists->index, count, y->c, plan->op->desc.pool.nan, to, record);
        if (record && p->steps.c) add_channels(t, record, p->steps.c, y->c);
        hand_over(t, u * y->c, y->c);
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
    (ups_is_first(plan) ? run_first : run_last)(plan, &t, b->src, &lists, first, last);
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
