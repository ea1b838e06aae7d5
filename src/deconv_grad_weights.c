/* SPDX-License-Identifier: MIT
 *
 * The gradient of a transposed convolution with respect to its weights:
 *
 *     dw[ci, co, t] = sum over images n, pixels i of x[n, ci, i] * g[n, co, s*i + t*d - pad]
 *
 * For each tap a matrix product over the tile: rows are input channels, depth is pixels, lanes are output channels. Both
 * operands are packed, a box of pixels at a time: x as [channel][pixel], once for many units, and the lines of g that a row of
 * the kernel brings to the box as [pixel][panel of channels], where a tap along W begins at its own pixel and steps s of them.
 * A tap takes the pixels that it brings inside the output, no others: nothing is multiplied with padding.
 *
 * A sum is one chain over the pixels of a box, boxes are added in order. Boxes follow from the sizes alone: every tier of FMA and
 * every division gives the same bits.
 */
#include <string.h>

#include "deconv.h"

enum {
    BOX_PIXELS = 512,  /* enough to pay for loading and storing the sums of a tile */
    BOX_REACH = 16384, /* pixels of g that a row of the kernel may bring to a box */
    SUMS = 1 << 19,    /* floats of sums that are kept at a time */
    ENOUGH_UNITS = 16, /* for any number of parts in use */
    LEAST_TILES = 4,   /* of a unit: g is packed for each */
    ROW_SKEW = 16      /* floats between the rows of x: at powers of two they would share few sets of the cache */
};

/* A unit is one group, one panel of output channels, some rows (td, th) of the kernel, one chunk of input channels; the last
 * fastest. */
struct division {
    struct ups_deconv deconv;
    int64_t panels;
    int64_t rows, row_blocks;    /* of the kernel in a unit; units of them */
    int64_t chunk, chunks;       /* input channels of a unit; units of them */
    int64_t together;            /* taps along W that one packing of g serves: all or 1 */
    int64_t lines, width, reach; /* of a box; pixels of g that a line of it reaches */
    int64_t x_stride;            /* from channel to channel of the packed x */
    size_t sums;                 /* floats of a unit's sums, [channel of the chunk][tap of its rows][column] */
    int64_t at_once;             /* units that are computed together, with x packed once */
};

/* ---- plan ---- */

static void divide_weights(struct division *v, const struct ups_kernels *k)
{
    const struct ups_deconv *d = &v->deconv;
    int64_t row = d->axis[2].k * k->nr, height = ups_tile_height(k, ups_min(d->out, k->nr)), rows;
    int64_t least = LEAST_TILES * height;
    rows = d->axis[0].k * d->axis[1].k;
    v->panels = ups_ceil_div(d->out, k->nr);
    v->rows = ups_max(1, ups_min(rows, SUMS / (row * ups_min(least, d->in))));
    v->row_blocks = ups_ceil_div(rows, v->rows);
    v->chunk = ups_max(height, ups_min(d->in, SUMS / (row * v->rows)) / height * height);
    while (d->groups * v->panels * v->row_blocks * ups_ceil_div(d->in, v->chunk) < ENOUGH_UNITS && v->chunk > least)
        v->chunk = ups_round_up(v->chunk / 2, height);
    v->chunk = ups_min(v->chunk, d->in);
    v->chunks = ups_ceil_div(d->in, v->chunk);
    v->sums = (size_t)(row * v->rows * v->chunk);
    int64_t units = d->groups * v->panels * v->row_blocks * v->chunks;
    v->at_once = ups_max(1, ups_min(SUMS / (int64_t)v->sums, units));
}

/* Boxes do not depend on the tier: chains are broken at their ends. */
static void divide_pixels(struct division *v, const struct ups_view *x, const struct ups_view *y)
{
    const struct ups_deconv_axis *w = &v->deconv.axis[2];
    int64_t lines = x->n * x->size[0] * x->size[1];
    int64_t most = ups_min(x->size[2], ups_min(BOX_PIXELS, BOX_REACH / w->s + 1));
    v->width = ups_ceil_div(x->size[2], ups_ceil_div(x->size[2], most));
    v->together = (w->k - 1) * w->d <= BOX_REACH ? w->k : 1;
    v->reach = ups_min(y->size[2], (v->width - 1) * w->s + (v->together - 1) * w->d + 1);
    v->lines = ups_max(1, ups_min(ups_min(lines, BOX_PIXELS / v->width), 2 * BOX_REACH / v->reach));
    v->x_stride = v->lines * v->width + ROW_SKEW;
}

/* A line of g that the current row of the kernel brings to line `line` of the box. */
struct source {
    const float *row;
    int64_t line;
};

static size_t workspace(const struct division *v, const struct ups_kernels *k)
{
    return ups_taken(ups_bytes((int64_t)v->sums, v->at_once, 1, sizeof(float))) +
           ups_taken(ups_bytes(v->deconv.in, v->x_stride, 1, sizeof(float))) +
           ups_taken(ups_bytes(v->lines, v->reach, k->nr, sizeof(float))) +
           ups_taken(ups_bytes(v->chunks, 1, 1, sizeof(int64_t))) + 2 * ups_taken(v->lines * sizeof(float *)) +
           ups_taken(v->lines * sizeof(struct source));
}

static int32_t plan_grad_weights(ups_plan *plan)
{
    const struct ups_kernels *k = plan->op->kernels;
    struct division *v = plan->state = ups_allocate(&plan->op->memory, sizeof *v);
    if (!v) return UPS_NO_MEMORY;
    v->deconv = *plan->op->deconv;
    for (int a = 0; a < 3; a++) v->deconv.axis[a].pad = plan->pad[a];
    divide_weights(v, k);
    divide_pixels(v, &plan->x, &plan->y);
    plan->units = v->deconv.groups * v->panels * v->row_blocks * v->chunks;
    plan->part_workspace = ups_taken(workspace(v, k));
    return UPS_OK;
}

/* ---- run ---- */

struct product {
    const ups_plan *plan;
    const struct division *v;
    const struct ups_kernels *k;
    const float *src, *grad;
    float *dst;
    int64_t line, lines, w0, width; /* the box: of the lines (n, d, h) of x in a row, pixels of each */
    float *x;                       /* [channel][line][pixel] */
    int64_t *x_group;               /* of each chunk of x: the group it is packed for, -1 none */
    float *g;                       /* [source][pixel][column], pixels g_first … g_last - 1 */
    int64_t g_tag, g_first, g_last; /* what it is packed for, -1 nothing */
    struct source *source;
    int64_t sources;
    const float **a, **b;
    /* the unit */
    int64_t group, column, columns, row, rows, first, channels;
};

static void take_unit(struct product *q, int64_t unit)
{
    const struct division *v = q->v;
    int64_t block = unit / v->chunks % v->row_blocks, panel = unit / v->chunks / v->row_blocks;
    q->first = unit % v->chunks * v->chunk;
    q->channels = ups_min(v->chunk, v->deconv.in - q->first);
    q->row = block * v->rows;
    q->rows = ups_min(v->rows, v->deconv.axis[0].k * v->deconv.axis[1].k - q->row);
    q->group = panel / v->panels;
    q->column = panel % v->panels * q->k->nr;
    q->columns = ups_min(q->k->nr, v->deconv.out - q->column);
}

static void place_of(const struct ups_view *x, int64_t line, int64_t *n, int64_t *d, int64_t *h)
{
    *h = line % x->size[1];
    *d = line / x->size[1] % x->size[0];
    *n = line / x->size[1] / x->size[0];
}

/* How many lines of x from h on, at most `most`, lie behind one another in memory without a gap. */
static int64_t run_of(const struct product *q, int64_t h, int64_t most)
{
    const struct ups_view *x = &q->plan->x;
    return x->stride[1] == q->width * x->stride[2] ? ups_min(most, x->size[1] - h) : 1;
}

/* The unit's channels of x, of the box. */
static void pack_x(struct product *q)
{
    const struct ups_view *x = &q->plan->x;
    const struct division *v = q->v;
    int64_t n, d, h, run, *tag = &q->x_group[q->first / v->chunk];
    if (*tag == q->group) return;
    *tag = q->group;
    for (int64_t i = 0; i < q->lines; i += run) {
        place_of(x, q->line + i, &n, &d, &h);
        run = run_of(q, h, q->lines - i);
        const float *row =
            q->src + ups_row_offset(x, n, q->group * v->deconv.in + q->first, d, h) + q->w0 * x->stride[2];
        float *to = q->x + q->first * v->x_stride + i * q->width;
        if (!ups_is_first(q->plan))
            q->k->transpose.run(row, run * q->width, q->channels, x->stride[2], to, v->x_stride);
        for (int64_t c = 0; ups_is_first(q->plan) && c < q->channels; c++)
            memcpy(to + c * v->x_stride, row + c * x->c_stride, (size_t)(run * q->width) * sizeof *to);
    }
}

/* The lines of g that a row of the kernel brings to lines of the box. */
static void find_sources(struct product *q, int64_t kernel_row)
{
    const struct ups_deconv_axis *a = q->v->deconv.axis;
    const struct ups_view *x = &q->plan->x, *y = &q->plan->y;
    int64_t n, d, h, td = kernel_row / a[1].k, th = kernel_row % a[1].k;
    q->sources = 0;
    for (int64_t i = 0; i < q->lines; i++) {
        place_of(x, q->line + i, &n, &d, &h);
        int64_t od = d * a[0].s + td * a[0].d - a[0].pad, oh = h * a[1].s + th * a[1].d - a[1].pad;
        if (od < 0 || od >= y->size[0] || oh < 0 || oh >= y->size[1]) continue;
        const float *row = q->grad + ups_row_offset(y, n, q->group * q->v->deconv.out + q->column, od, oh);
        q->source[q->sources++] = (struct source){row, i};
    }
}

/* Those lines, as far as taps [t, end) along W reach. Lanes beyond the columns are zeros. */
static void pack_g(struct product *q, int64_t kernel_row, int64_t t, int64_t end)
{
    const struct ups_deconv_axis *w = &q->v->deconv.axis[2];
    const struct ups_view *y = &q->plan->y;
    int64_t stride = ups_round_up(q->columns, q->k->lanes);
    int64_t panel = q->group * q->v->panels + q->column / q->k->nr;
    int64_t tag = (panel * q->v->deconv.axis[0].k * q->v->deconv.axis[1].k + kernel_row) * w->k + t;
    if (q->g_tag == tag) return;
    q->g_tag = tag;
    find_sources(q, kernel_row);
    q->g_first = ups_max(0, q->w0 * w->s + t * w->d - w->pad);
    q->g_last = ups_min(y->size[2], (q->w0 + q->width - 1) * w->s + (end - 1) * w->d - w->pad + 1);
    int64_t pixels = ups_max(0, q->g_last - q->g_first);
    for (int64_t i = 0; pixels && i < q->sources; i++) {
        const float *row = q->source[i].row + q->g_first * y->stride[2];
        float *to = q->g + i * pixels * stride;
        if (q->columns < stride) memset(to, 0, (size_t)(pixels * stride) * sizeof *to);
        if (ups_is_first(q->plan)) q->k->transpose.run(row, q->columns, pixels, y->c_stride, to, stride);
        for (int64_t p = 0; !ups_is_first(q->plan) && p < pixels; p++)
            memcpy(to + p * stride, row + p * y->stride[2], (size_t)q->columns * sizeof *to);
    }
}

/* Adds the box's products for tap t along W to the unit's sums; those of the first box, none too, are the sums so far. */
static void add_tap(struct product *q, int64_t t, float *sums)
{
    const struct division *v = q->v;
    const struct ups_deconv_axis *w = &v->deconv.axis[2];
    int64_t stride = ups_round_up(q->columns, q->k->lanes), shift = t * w->d - w->pad;
    int64_t lo = ups_max(q->w0, ups_ceil_div(-shift, w->s));
    int64_t hi = ups_min(q->w0 + q->width, ups_ceil_div(q->plan->y.size[2] - shift, w->s));
    struct ups_gemm tile = {.columns = q->columns,
                            .taps = q->sources,
                            .depth = hi - lo,
                            .a = q->a,
                            .b = q->b,
                            .a_stride = v->x_stride,
                            .b_stride = w->s * stride,
                            .add = q->line || q->w0,
                            .c_stride = q->rows * w->k * stride};
    if (lo >= hi) tile.taps = 0;
    if (!tile.taps && tile.add) return;
    for (int64_t i = 0; i < tile.taps; i++)
        q->b[i] = q->g + (i * (q->g_last - q->g_first) + lo * w->s + shift - q->g_first) * stride;
    int64_t height = ups_tile_height(q->k, tile.columns);
    for (int64_t c = 0; c < q->channels; c += tile.rows) {
        tile.rows = ups_tile_rows(q->channels - c, height);
        tile.c = sums + c * tile.c_stride;
        for (int64_t i = 0; i < tile.taps; i++)
            q->a[i] = q->x + (q->first + c) * v->x_stride + q->source[i].line * q->width + lo - q->w0;
        q->k->gemm.run(&tile);
    }
}

/* What the box adds to the unit. */
static void add_box(struct product *q, float *sums)
{
    const struct division *v = q->v;
    int64_t k = v->deconv.axis[2].k, stride = ups_round_up(q->columns, q->k->lanes);
    pack_x(q);
    for (int64_t r = 0; r < q->rows; r++)
        for (int64_t t = 0; t < k; t++, sums += stride) {
            int64_t begin = t - t % v->together;
            pack_g(q, q->row + r, begin, begin + v->together);
            add_tap(q, t, sums);
        }
}

/* A channel's sums to where taps lie side by side. The kernel computes whole squares of lanes: it is no help for few taps. */
static void store_taps(const struct product *q, const float *sums, int64_t taps, int64_t stride, float *to, int64_t out)
{
    if (2 * taps >= q->k->lanes) {
        q->k->transpose.run(sums, taps, q->columns, stride, to, out);
        return;
    }
    for (int64_t j = 0; j < q->columns; j++)
        for (int64_t t = 0; t < taps; t++) to[j * out + t] = sums[t * stride + j];
}

/* The unit's sums to their places: the layouts differ in what lies side by side, output channels, taps or input channels. */
static void store(const struct product *q, const float *sums)
{
    const struct ups_deconv *d = &q->v->deconv;
    int64_t taps = q->rows * d->axis[2].k, stride = ups_round_up(q->columns, q->k->lanes);
    float *to = q->dst + q->group * d->w.group + q->first * d->w.in + q->column * d->w.out +
                q->row * d->axis[2].k * d->w.tap[2];
    if (d->w.out == 1)
        for (int64_t i = 0; i < taps * q->channels; i++)
            memcpy(to + i % taps * d->w.tap[2] + i / taps * d->w.in, sums + i * stride,
                   (size_t)q->columns * sizeof *to);
    else if (d->w.tap[2] == 1)
        for (int64_t c = 0; c < q->channels; c++)
            store_taps(q, sums + c * taps * stride, taps, stride, to + c * d->w.in, d->w.out);
    else
        for (int64_t t = 0; t < taps; t++)
            q->k->transpose.run(sums + t * stride, q->channels, q->columns, taps * stride, to + t * d->w.tap[2],
                                d->w.out);
}

/* Units [first, last), their sums side by side, over all boxes. */
static void run_units(struct product *q, int64_t first, int64_t last, float *sums)
{
    const struct division *v = q->v;
    const struct ups_view *x = &q->plan->x;
    int64_t all = x->n * x->size[0] * x->size[1];
    if (!all) memset(sums, 0, (size_t)(last - first) * v->sums * sizeof *sums);
    for (q->line = 0; q->line < all; q->line += v->lines)
        for (q->w0 = 0; q->w0 < x->size[2]; q->w0 += v->width) {
            q->lines = ups_min(v->lines, all - q->line);
            q->width = ups_min(v->width, x->size[2] - q->w0);
            for (int64_t i = 0; i < v->chunks; i++) q->x_group[i] = -1;
            q->g_tag = -1;
            for (int64_t u = first; u < last; u++) {
                take_unit(q, u);
                add_box(q, sums + (size_t)(u - first) * v->sums);
            }
        }
    for (int64_t u = first; u < last; u++) {
        take_unit(q, u);
        store(q, sums + (size_t)(u - first) * v->sums);
    }
}

static void run_grad_weights(const ups_plan *plan, ups_buffers *b, void *work, int64_t first, int64_t last)
{
    const struct division *v = plan->state;
    struct product q = {.plan = plan, .v = v, .k = plan->op->kernels, .src = b->src, .grad = b->grad, .dst = b->dst};
    char *at = work;
    float *sums = ups_take(&at, v->sums * (size_t)v->at_once * sizeof *sums);
    q.x = ups_take(&at, (size_t)(v->deconv.in * v->x_stride) * sizeof *q.x);
    q.g = ups_take(&at, (size_t)(v->lines * v->reach * q.k->nr) * sizeof *q.g);
    q.x_group = ups_take(&at, (size_t)v->chunks * sizeof *q.x_group);
    q.a = ups_take(&at, (size_t)v->lines * sizeof *q.a);
    q.b = ups_take(&at, (size_t)v->lines * sizeof *q.b);
    q.source = ups_take(&at, (size_t)v->lines * sizeof *q.source);
    for (; first < last; first += v->at_once) run_units(&q, first, ups_min(last, first + v->at_once), sums);
}

static void describe_grad_weights(const ups_plan *plan, struct ups_report *r)
{
    const struct division *v = plan->state;
    ups_report_numbers(r, "grad", plan->grad.dims, plan->grad.rank + 2);
    ups_grad_describe(plan, r, "the only one: a matrix product over the pixels for each tap",
                      ups_deconv_macs(&v->deconv, plan->x.n, plan->x.size, plan->y.size));
}

const struct ups_family ups_grad_weights_family = {ups_deconv_make_geometry, ups_deconv_unmake, plan_grad_weights,
                                                   run_grad_weights, describe_grad_weights};
