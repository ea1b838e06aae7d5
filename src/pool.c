/* SPDX-License-Identifier: MIT
 *
 * Max and average pooling. Along each axis the outputs are cut into runs: those whose windows are whole, together, and those
 * that the border cuts, one by one. What remains of a window is a list of source rows and a number of taps along W, the same
 * for a whole block of outputs: rows of a plane (channels first) or pixels of a row (channels last), which is one call of a
 * kernel.
 *
 * Every index convention is a sum of steps (index.h), so the kernels record any of them as they go; only f32 is recorded as
 * i32 first.
 */
#include <limits.h>
#include <string.h>

#include "index.h"
#include "plan.h"
#include "shape.h"
#include "size.h"

/* Outputs per unit, channels first: long rows are dealt to several parts. And those of a block that meets the border, whose
 * source so stays in level 1 and 2 between the border's calls and the others'. */
enum { PIECE = 4096 };
struct pool {
    ups_pool_desc desc; /* of the pooling that is done */
    int64_t size[3];    /* of what is pooled */
    int64_t kernel[3], stride[3], dilation[3], pad[3], end[3];
    int64_t whole[3], cut[3]; /* outputs whole … cut - 1 have whole windows */
    int64_t most;             /* rows of one window */
    int64_t pieces;           /* per output row, channels first */
    bool average, column, bytes;
    int32_t beyond; /* as in struct ups_pool_window */
    bool flat;      /* channels last: neighbouring windows along W are as far apart as neighbouring pixels */
    /* max_pool: the index of a tap is a sum of these steps, along each axis of its position or of its number in the
     * window, the others being 0. */
    int64_t n_step, c_step, position_step[3], tap_step[3];
    const struct ups_kernels *kernels, *recorder; /* recorder: of switches. A byte tells 256 taps apart */
};

/* What one run writes, and by which kernel. */
struct target {
    void *values;
    char *indices; /* NULL: values alone */
    int32_t type;
    int32_t *narrow; /* type f32: i32 stand here first */
    ups_pool_fn *pool;
};

/* A part's own memory. */
struct lists {
    const void **rows; /* of the window */
    int64_t *code;     /* of each */
    int32_t *narrow;
};

/* ---- planning ---- */

/* The gradient of replication is a sum over the copies of an element, that of bed of nails over the one nail: pooling with a
 * divisor of 1, of windows that begin at the offset. */
static ups_pool_desc pool_of(const union ups_desc *desc)
{
    const ups_expand_desc *e = &desc->expand;
    if (ups_forward_op(e->op) == UPS_AVG_POOL || e->op == UPS_MAX_POOL) return desc->pool;
    ups_pool_desc d = {.op = UPS_AVG_POOL, .rank = e->rank, .divisor = 1};
    for (int i = 0; i < e->rank; i++) {
        d.kernel_shape[i] = e->op == UPS_REPLICATE_GRAD ? e->factor[i] : 1;
        d.strides[i] = e->factor[i];
        d.dilations[i] = 1;
    }
    return d;
}

/* x: what is pooled. */
static void plan_axes(const ups_plan *plan, const struct ups_view *x, struct pool *p)
{
    const ups_pool_desc *d = &p->desc;
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
    for (int a = 0; a < 3; a++) {
        p->pad[a] = plan->pad[a];
        p->size[a] = x->size[a];
        int64_t room = x->size[a] + p->pad[a] - (p->kernel[a] - 1) * p->dilation[a]; /* starts below it are whole */
        p->whole[a] = ups_max(0, ups_ceil_div(p->pad[a], p->stride[a]));
        p->cut[a] = ups_max(p->whole[a], ups_ceil_div(room, p->stride[a]));
    }
}

/* Vector kernels count in 32 bits from the index of a line's first window. */
static bool fits_vectors(const ups_plan *plan, const struct pool *p)
{
    const ups_pool_desc *d = &p->desc;
    int64_t reach = ups_is_first(plan) ? 0 : (plan->x.c - 1) * p->c_step;
    for (int a = 0; a < 3; a++) reach += (plan->x.size[a] - 1) * p->position_step[a];
    return reach < INT32_MAX && (!ups_index_is_window(d->index) || ups_index_largest(d, plan->src.dims) < INT32_MAX);
}

static void plan_indices(const ups_plan *plan, struct pool *p)
{
    const ups_pool_desc *d = &p->desc;
    const struct ups_view *x = &plan->x;
    bool window = ups_index_is_window(d->index);
    struct ups_index_space space = {d->index, x->n, x->c, {x->size[0], x->size[1], x->size[2]}};
    struct ups_index_steps steps = ups_index_steps(&space, window ? p->kernel : x->size);
    p->n_step = window ? 0 : steps.n;
    p->c_step = window ? 0 : steps.c;
    memcpy(window ? p->tap_step : p->position_step, steps.axis, sizeof steps.axis);
    p->column = d->scan == UPS_SCAN_COLUMN_MAJOR;
    int64_t taps = ups_min(p->kernel[2], x->size[2]);
    const bool few = ups_multiply(&taps, p->most) && taps <= 256;
    if (!fits_vectors(plan, p)) p->kernels = &ups_kernels_scalar;
    p->recorder = p->bytes && !few ? &ups_kernels_scalar : p->kernels;
}

/* What goes past the caches: nothing where all of it stays in them; else switches, which are wanted last; else values too. For
 * 64x360x480 with i64 switches that is 2.0 ms against 2.7 (Zen 4, 32 MiB of last cache). u8 codes never do: a quarter of a line. */
static void plan_beyond(const ups_plan *plan, struct pool *p)
{
    const double images = (double)(plan->x.n * plan->x.c), to = (double)ups_volume(plan->y.size);
    const double values = images * ((double)ups_volume(plan->x.size) + to) * (double)plan->element;
    const double each = p->average ? 0 : (double)ups_type_bytes(plan->indices.dtype);
    const bool beyond = ups_beyond_caches(plan, values + images * to * each);
    p->beyond = !beyond ? 0 : each > 1 && !ups_beyond_caches(plan, values) ? 1 : 2;
}

static int32_t plan_pool(ups_plan *plan)
{
    const struct ups_view *x = &plan->x, *y = &plan->y;
    struct pool *p = plan->state = ups_allocate(&plan->op->memory, sizeof *p);
    if (!p) return UPS_NO_MEMORY;
    p->desc = pool_of(&plan->op->desc);
    p->average = p->desc.op == UPS_AVG_POOL;
    p->bytes = plan->element == 1;
    p->kernels = plan->op->kernels;
    plan_axes(plan, x, p);
    p->most = ups_min(p->kernel[0], x->size[0]) * ups_min(p->kernel[1], x->size[1]);
    if (!p->average) plan_indices(plan, p);
    plan_beyond(plan, p);
    bool first = ups_is_first(plan), narrow = plan->indices.dtype == UPS_F32;
    p->pieces = ups_ceil_div(y->size[2], PIECE);
    p->flat = !first && p->stride[2] == 1 && x->stride[2] == x->c && y->stride[2] == y->c;
    plan->units = y->n * y->size[0] * y->size[1] * (first ? y->c * p->pieces : y->size[2]);
    size_t bytes = ups_bytes(p->most, 1, 1, sizeof(void *) + sizeof(int64_t));
    if (!p->average && narrow) bytes += ups_bytes(first ? PIECE : y->c, 1, 1, sizeof(int32_t));
    plan->part_workspace = ups_taken(bytes);
    return UPS_OK;
}

static struct lists lists_in(const struct pool *p, void *workspace)
{
    const void **rows = workspace;
    int64_t *code = (int64_t *)(rows + p->most);
    return (struct lists){rows, code, (int32_t *)(code + p->most)};
}

/* ---- windows ---- */

/* Outputs o … o + n - 1 along an axis, whose taps first … last - 1 lie inside the source. */
struct run {
    int64_t o, n, first, last;
};

/* Taps t of output o with 0 <= o*stride - pad + t*dilation < size: first <= t < last, none: first == last. */
static struct run clipped(const struct pool *p, int axis, int64_t o)
{
    const int64_t size = p->size[axis];
    int64_t start = o * p->stride[axis] - p->pad[axis], taps = p->kernel[axis], dilation = p->dilation[axis];
    int64_t first = start >= 0 ? 0 : ups_ceil_div(-start, dilation);
    int64_t last = start + (taps - 1) * dilation < size ? taps : ups_ceil_div(size - start, dilation);
    return (struct run){o, 1, first, ups_max(first, last)};
}

/* The run from output o on, at most up to `end`. */
static struct run run_from(const struct pool *p, int axis, int64_t o, int64_t end)
{
    if (o < p->whole[axis] || o >= p->cut[axis]) return clipped(p, axis, o);
    return (struct run){o, ups_min(end, p->cut[axis]) - o, 0, p->kernel[axis]};
}

/* What an average divides by counts along each axis: the taps inside, or (rule 1) those up to the end of the pads. */
static int64_t counted_taps(const struct pool *p, int axis, const struct run *run)
{
    int32_t rule = p->desc.count_include_pad;
    int64_t start = run->o * p->stride[axis] - p->pad[axis], end = p->size[axis] + p->end[axis];
    if (rule == 0) return run->last - run->first;
    if (rule == 2) return p->kernel[axis];
    return ups_max(0, ups_min(p->kernel[axis], ups_ceil_div(end - start, p->dilation[axis])));
}

static float divisor_of(const struct pool *p, const struct run run[3])
{
    double divisor = (double)p->desc.divisor;
    if (divisor == UPS_BY_PRESET) {
        divisor = 1;
        for (int a = 0; a < 3; a++) divisor *= (double)counted_taps(p, a, &run[a]);
    }
    return divisor ? (float)divisor : 1; /* of no taps the sum is 0 */
}

/* Where tap t of output o lies along an axis. */
static int64_t position_of(const struct pool *p, int axis, int64_t o, int64_t t)
{
    return o * p->stride[axis] - p->pad[axis] + t * p->dilation[axis];
}

/* The index of the window's first tap. */
static int64_t base_of(const struct pool *p, const struct run run[3])
{
    int64_t base = 0;
    for (int a = 0; a < 3; a++)
        base += position_of(p, a, run[a].o, run[a].first) * p->position_step[a] + run[a].first * p->tap_step[a];
    return base;
}

/* Lists the source rows under the first windows of a block in scan order, from their first tap along W on; returns how
 * many. */
static int64_t list_rows(const ups_plan *plan, const struct lists *to, const void *source, const struct run run[3])
{
    const struct pool *p = plan->state;
    const int outer = p->column, inner = !outer;
    const int64_t *stride = plan->x.stride;
    int64_t step[2], code[2], count = 0;
    for (int a = 0; a < 2; a++) {
        step[a] = p->dilation[a] * stride[a];
        code[a] = p->dilation[a] * p->position_step[a] + p->tap_step[a];
    }
    int64_t start = 0;
    for (int a = 0; a < 3; a++) start += position_of(p, a, run[a].o, run[a].first) * stride[a];
    for (int64_t i = 0; i < run[outer].last - run[outer].first; i++)
        for (int64_t j = 0; j < run[inner].last - run[inner].first; j++) {
            to->rows[count] = ups_behind(plan, source, start + i * step[outer] + j * step[inner]);
            to->code[count++] = i * code[outer] + j * code[inner];
        }
    return count;
}

/* ---- running ---- */

/* Where a block of outputs comes from and goes. */
struct block {
    const void *source; /* the image or plane */
    int64_t base;       /* of its indices */
    void *to;           /* the first output */
    int64_t place;      /* its place in the index tensor */
};

/* One call of a kernel. */
static void run_block(const ups_plan *plan, const struct target *t, const struct lists *lists, const struct block *b,
                      const struct run run[3])
{
    const struct pool *p = plan->state;
    const int64_t *stride = plan->x.stride;
    const bool first = ups_is_first(plan);
    const int line = first ? 1 : 2;
    int64_t n = first ? run[2].n : plan->y.c;
    struct ups_pool_window window = {.rows = (const void *)lists->rows,
                                     .code = lists->code,
                                     .count = list_rows(plan, lists, b->source, run),
                                     .taps = run[2].last - run[2].first,
                                     .stride = first ? p->stride[2] * stride[2] : 1,
                                     .dilation = p->dilation[2] * stride[2],
                                     .lines = run[line].n,
                                     .x_stride = p->stride[line] * stride[line],
                                     .y_stride = plan->y.stride[line],
                                     .index_stride = first ? plan->y.size[2] : n};
    if (p->flat && !t->indices) {
        n *= window.lines;
        window.lines = 1;
    }
    if (p->average) {
        p->kernels->avg.run(&window, n, divisor_of(p, run), b->to);
        return;
    }
    window.base = b->base + base_of(p, run);
    window.line_step = p->stride[line] * p->position_step[line];
    window.lane_step = first ? p->stride[2] * p->position_step[2] : p->c_step;
    window.tap_step = p->dilation[2] * p->position_step[2] + p->tap_step[2];
    window.nan = p->desc.nan;
    window.flip = plan->src.dtype == UPS_S8 ? 0x80 : 0;
    window.scan = p->desc.scan;
    window.beyond = p->beyond;
    void *index = t->narrow;
    if (!t->narrow && t->indices) index = t->indices + b->place * (int64_t)ups_type_bytes(t->type);
    t->pool(&window, n, b->to, index);
    for (int64_t i = 0; t->narrow && i < n; i++) ups_index_store(t->indices, t->type, b->place + i, t->narrow[i]);
}

/* Rows o[1] … o[1] + lines - 1 of one plane or image, outputs o[2] … end - 1 of each; b is of the first. Narrow indices
 * come a line at a time. */
static void run_lines(const ups_plan *plan, const struct target *t, const struct lists *lists, const struct block *b,
                      const int64_t o[3], int64_t lines, int64_t end)
{
    const struct pool *p = plan->state;
    const struct ups_view *y = &plan->y;
    const int64_t channels = ups_is_first(plan) ? 1 : y->c;
    struct run run[3];
    run[0] = run_from(p, 0, o[0], o[0] + 1);
    for (int64_t h = o[1]; h < o[1] + lines; h += run[1].n) {
        run[1] = run_from(p, 1, h, t->narrow ? h + 1 : o[1] + lines);
        for (int64_t w = o[2]; w < end; w += run[2].n) {
            run[2] = run_from(p, 2, w, t->narrow && !ups_is_first(plan) ? w + 1 : end);
            const int64_t down = h - o[1], right = w - o[2];
            const struct block at = {b->source, b->base,
                                     (void *)ups_behind(plan, b->to, down * y->stride[1] + right * y->stride[2]),
                                     b->place + (down * y->size[2] + right) * channels};
            run_block(plan, t, lists, &at, run);
        }
    }
}

/* How many of the units u … last - 1 are rows of one plane that can be treated together. */
static int64_t rows_from(const ups_plan *plan, int64_t u, int64_t last)
{
    const struct pool *p = plan->state;
    int64_t width = plan->y.size[2], most = plan->y.size[1] - u / p->pieces % plan->y.size[1];
    bool border = p->whole[2] > 0 || p->cut[2] < width;
    if (p->pieces > 1) return 1;
    if (border) most = ups_min(most, ups_max(1, PIECE / width));
    return ups_min(most, last - u);
}

static void run_first(const ups_plan *plan, const struct target *t, const void *src, const struct lists *lists,
                      int64_t first, int64_t last)
{
    const struct pool *p = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    for (int64_t u = first, rows; u < last; u += rows) {
        struct ups_row r = ups_row_of(y, true, u / p->pieces);
        const int64_t o[3] = {r.d, r.h, u % p->pieces * PIECE};
        const struct block b = {ups_behind(plan, src, r.n * x->n_stride + r.c * x->c_stride),
                                r.n * p->n_step + r.c * p->c_step,
                                (void *)ups_behind(plan, t->values, ups_row_offset(y, r.n, r.c, r.d, r.h) + o[2]),
                                u / p->pieces * y->size[2] + o[2]};
        rows = rows_from(plan, u, last);
        run_lines(plan, t, lists, &b, o, rows, ups_min(o[2] + PIECE, y->size[2]));
    }
}

static void run_last(const ups_plan *plan, const struct target *t, const void *src, const struct lists *lists,
                     int64_t first, int64_t last)
{
    const struct pool *p = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    for (int64_t u = first, pixels; u < last; u += pixels) {
        struct ups_row r = ups_row_of(y, false, u / y->size[2]);
        const int64_t o[3] = {r.d, r.h, u % y->size[2]};
        const struct block b = {
            ups_behind(plan, src, r.n * x->n_stride), r.n * p->n_step,
            (void *)ups_behind(plan, t->values, ups_row_offset(y, r.n, 0, r.d, r.h) + o[2] * y->stride[2]), u * y->c};
        pixels = ups_min(last - u, y->size[2] - o[2]);
        run_lines(plan, t, lists, &b, o, 1, o[2] + pixels);
    }
}

/* The kernel for switches of a type, or for none. */
static ups_pool_fn *kernel_for(const struct pool *p, bool switches, int32_t type, const char **name)
{
    const struct ups_kernels *k = switches ? p->recorder : p->kernels;
    const bool u8 = switches && type == UPS_U8, i64 = switches && type == UPS_I64;
    if (p->bytes) {
        *name = u8         ? k->pool_bytes_u8.name
                : i64      ? k->pool_bytes_i64.name
                : switches ? k->pool_bytes_i32.name
                           : k->pool_bytes.name;
        return u8         ? k->pool_bytes_u8.run
               : i64      ? k->pool_bytes_i64.run
               : switches ? k->pool_bytes_i32.run
                          : k->pool_bytes.run;
    }
    *name = u8 ? k->pool_u8.name : i64 ? k->pool_i64.name : switches ? k->pool_i32.name : k->pool.name;
    return u8 ? k->pool_u8.run : i64 ? k->pool_i64.run : switches ? k->pool_i32.run : k->pool.run;
}

static void run_pool(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct pool *p = plan->state;
    const struct lists lists = lists_in(p, workspace);
    const char *name;
    struct target t = {.values = b->dst, .indices = b->indices_out, .type = plan->indices.dtype};
    if (t.indices && t.type == UPS_F32) t.narrow = lists.narrow;
    t.pool = kernel_for(p, t.indices != NULL, t.type, &name);
    (ups_is_first(plan) ? run_first : run_last)(plan, &t, b->src, &lists, first, last);
}

static void describe_pool(const ups_plan *plan, struct ups_report *r)
{
    const struct pool *p = plan->state;
    const char *names[2] = {p->kernels->avg.name};
    if (!p->average) {
        kernel_for(p, false, 0, &names[0]);
        kernel_for(p, true, plan->indices.dtype, &names[1]);
    }
    ups_report_direct(r, "the only one; each output is computed once from its window", names, p->average ? 1 : 2);
}

const struct ups_family ups_pool_family = {NULL, NULL, plan_pool, run_pool, describe_pool};

/* ---- the gradient of average pooling ----
 * The unit is a row of the input's gradient, of one channel (channels first) or of all: the sum, from 0, over the windows that
 * cover an element, in row-major order, of their outputs' gradients by their divisors. A row of windows that covers it is
 * divided into the workspace and added tap by tap from the last on, or window by window where these are fewer: either way an
 * element meets its windows from left to right. */

static int32_t plan_avg_grad(ups_plan *plan)
{
    const struct ups_view *x = &plan->x, *y = &plan->y;
    struct pool *p = plan->state = ups_allocate(&plan->op->memory, sizeof *p);
    if (!p) return UPS_NO_MEMORY;
    p->desc = plan->op->desc.pool;
    p->kernels = plan->op->kernels;
    plan_axes(plan, y, p);
    const int64_t channels = ups_is_first(plan) ? y->c : 1;
    plan->units = y->n * channels * y->size[0] * y->size[1];
    plan->part_workspace = ups_taken(ups_bytes(x->size[2], y->c / channels, 1, sizeof(float)));
    return UPS_OK;
}

/* Windows first … last - 1 reach over position i of an axis; of those the ones cover it that have a tap there. */
static void windows_over(const struct pool *p, int axis, int64_t i, int64_t windows, int64_t *first, int64_t *last)
{
    const int64_t reach = i + p->pad[axis], extent = ups_extent(p->kernel[axis], p->dilation[axis]);
    *first = ups_max(0, ups_ceil_div(reach - extent + 1, p->stride[axis]));
    *last = ups_min(windows, ups_floor_div(reach, p->stride[axis]) + 1);
}

static bool covers(const struct pool *p, int axis, int64_t o, int64_t i)
{
    return (i + p->pad[axis] - o * p->stride[axis]) % p->dilation[axis] == 0;
}

/* A row of windows, each output's gradient by its divisor. */
static void divide_row(const ups_plan *plan, const float *src, struct run run[3], float *quotient)
{
    const struct pool *p = plan->state;
    const int64_t windows = plan->x.size[2], lanes = ups_is_first(plan) ? 1 : plan->x.c, step = plan->x.stride[2];
    for (int64_t o = 0; o < windows; o += run[2].n) {
        run[2] = run_from(p, 2, o, windows);
        const float divisor = divisor_of(p, run);
        const int64_t rows = step == lanes ? 1 : run[2].n, n = run[2].n / rows * lanes;
        for (int64_t k = 0; k < rows; k++)
            for (int64_t i = 0; i < n; i++) quotient[(o + k) * lanes + i] = src[(o + k) * step + i] / divisor;
    }
}

/* Window o's quotient on all its taps. */
static void add_window(const ups_plan *plan, int64_t o, const float *quotient, float *dst)
{
    const struct pool *p = plan->state;
    const int64_t lanes = ups_is_first(plan) ? 1 : plan->y.c;
    const struct run run = clipped(p, 2, o);
    for (int64_t t = run.first; t < run.last; t++)
        p->kernels->axpy.run(lanes, 1, quotient + o * lanes, dst + position_of(p, 2, o, t) * plan->y.stride[2]);
}

/* y[o*stride - pad + t*dilation] += quotient[o] wherever that is inside. */
static void add_tap(const ups_plan *plan, int64_t t, const float *quotient, float *dst)
{
    const struct pool *p = plan->state;
    const int64_t lanes = ups_is_first(plan) ? 1 : plan->y.c, at = t * p->dilation[2] - p->pad[2];
    const int64_t first = ups_max(0, ups_ceil_div(-at, p->stride[2]));
    const int64_t last = ups_min(plan->x.size[2], ups_ceil_div(p->size[2] - at, p->stride[2]));
    const int64_t n = last - first;
    if (n <= 0) return;
    const int64_t stride = n > 1 ? p->stride[2] * plan->y.stride[2] : lanes;
    const float *x = quotient + first * lanes;
    float *y = dst + (first * p->stride[2] + at) * plan->y.stride[2];
    if (stride == lanes)
        p->kernels->axpy.run(n * lanes, 1, x, y); /* 1*x is x: one rounding, fused or not */
    else if (lanes > 1)
        for (int64_t o = 0; o < n; o++) p->kernels->axpy.run(lanes, 1, x + o * lanes, y + o * stride);
    else
        for (int64_t o = 0; o < n; o++) y[o * stride] += x[o];
}

static void run_avg_grad(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct pool *p = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    const bool planes = ups_is_first(plan);
    for (int64_t u = first; u < last; u++) {
        const struct ups_row r = ups_row_of(y, planes, u);
        float *dst = (float *)b->dst + ups_row_offset(y, r.n, r.c, r.d, r.h);
        int64_t d0, d1, h0, h1;
        for (int64_t w = 0; w < (planes ? 1 : y->size[2]); w++)
            memset(dst + w * y->stride[2], 0, (size_t)(planes ? y->size[2] : y->c) * sizeof *dst);
        windows_over(p, 0, r.d, x->size[0], &d0, &d1);
        windows_over(p, 1, r.h, x->size[1], &h0, &h1);
        for (int64_t d = d0; d < d1; d++)
            for (int64_t h = h0; h < h1; h++) {
                struct run run[3] = {clipped(p, 0, d), clipped(p, 1, h)};
                if (!covers(p, 0, d, r.d) || !covers(p, 1, h, r.h)) continue;
                divide_row(plan, (const float *)b->src + ups_row_offset(x, r.n, r.c, d, h), run, workspace);
                if (p->kernel[2] > x->size[2])
                    for (int64_t o = 0; o < x->size[2]; o++) add_window(plan, o, workspace, dst);
                else
                    for (int64_t t = p->kernel[2]; t-- > 0;) add_tap(plan, t, workspace, dst);
            }
    }
}

static void describe_avg_grad(const ups_plan *plan, struct ups_report *r)
{
    const struct pool *p = plan->state;
    ups_report_direct(r, "the only one; each row is the sum of the windows over it", &p->kernels->axpy.name,
                      !ups_is_first(plan) || p->stride[2] == 1);
}

const struct ups_family ups_avg_grad_family = {NULL, NULL, plan_avg_grad, run_avg_grad, describe_avg_grad};
