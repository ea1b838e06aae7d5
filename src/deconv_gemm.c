/* SPDX-License-Identifier: MIT
 *
 * Algorithm gemm: the matrix way. Columns = weights transposed times input, then col2im: each column entry is added to the
 * output it belongs to. Done for a strip of output lines at a time, so that the columns stay in cache: for each line the input
 * rows that reach it, through the kernel rows (td, th) that bring them there, in row-major order. A panel of weights is fetched
 * once for all lines of a strip; with a line at a time small maps of many channels would wait for their weights.
 *
 * An output is a sum of chains over the input channels, one per tap: more exact than one long chain.
 */
#include <string.h>

#include "deconv.h"

static int64_t columns_of(const struct ups_deconv *d)
{
    return d->axis[2].k * d->out;
}

/* Columns in packed panels: the last one is as many vectors wide as it needs. */
static int64_t pitch_of(const struct ups_deconv *d, const struct ups_kernels *kernels)
{
    return ups_round_up(columns_of(d), kernels->lanes);
}

/* The addition of a column entry loads, adds and stores: as dear as several multiply-adds of the tile; and each pixel takes a
 * call for each kernel row. */
static double work(const struct ups_deconv *d, const struct ups_kernels *kernels)
{
    const double addition = 8, call = 128;
    double rows = (double)(d->axis[0].k * d->axis[1].k), columns = (double)columns_of(d);
    return ups_entry(d) + rows * ((double)d->in * (double)pitch_of(d, kernels) + addition * columns + call);
}

static int32_t layout(const struct ups_op *op, struct ups_deconv *d)
{
    size_t kernel_row = (size_t)(pitch_of(d, op->kernels) * d->in);
    d->blocks = 1;
    /* What bounds the columns of a line, counted a quarter: in the next cache they are cheaper than weights fetched again. */
    d->kept = ups_ceil_div(pitch_of(d, op->kernels), 4 * d->axis[2].s);
    d->packed_floats = ups_bias_floats(d) + (size_t)(d->axis[0].k * d->axis[1].k) * kernel_row;
    return UPS_OK;
}

/* Per kernel row (td, th): panels of the columns (tw, output channel). */
static void pack(const struct ups_deconv *d, const struct ups_kernels *kernels, const float *weights, float *to)
{
    int64_t nr = kernels->nr, columns = columns_of(d), column[UPS_MAX_NR];
    to += ups_bias_floats(d);
    for (int64_t row = 0; row < d->axis[0].k * d->axis[1].k; row++) {
        const float *from = weights + row / d->axis[1].k * d->w.tap[0] + row % d->axis[1].k * d->w.tap[1];
        for (int64_t first = 0; first < columns; first += nr) {
            int64_t count = ups_min(nr, columns - first), width = ups_round_up(count, kernels->lanes);
            for (int64_t j = 0; j < count; j++)
                column[j] = (first + j) / d->out * d->w.tap[2] + (first + j) % d->out * d->w.out;
            ups_pack_panel(to, width, count, from, column, d->in, d->w.in, width);
            to += d->in * width;
        }
    }
}

/* A strip is so many lines of cells, s output lines each: what a kernel row brings to it are then as many input rows. */
static int64_t strip_of(const ups_plan *plan, const struct ups_deconv *d)
{
    size_t line = ups_bytes(plan->x.size[2], pitch_of(d, plan->op->kernels), 1, sizeof(float)) +
                  ups_bytes(d->axis[1].s, plan->y.size[2], d->out, sizeof(float));
    return ups_max(1, ups_min(d->strip, 2 * d->cache[1] * (int64_t)sizeof(float) / (int64_t)line));
}

/* One line of cells is no strip: then each of its output lines is computed alone. */
static int64_t lines_of(const struct ups_deconv *d, int64_t strip)
{
    return strip == 1 ? 1 : strip * d->axis[1].s;
}

/* An input row and the line of the strip that it reaches. */
struct source {
    const float *pixels;
    int64_t line;
};

static size_t workspace(const ups_plan *plan, const struct ups_deconv *d, int64_t width)
{
    int64_t inputs = ups_min(plan->x.size[2], ups_most_inputs(d, width)), strip = strip_of(plan, d);
    size_t matrix = ups_bytes(strip, inputs, pitch_of(d, plan->op->kernels), sizeof(float));
    size_t lines = ups_bytes(lines_of(d, strip), width, d->out, sizeof(float));
    struct ups_rows rows;
    ups_rows_shape(&rows, d, strip);
    return ups_rows_bytes(&rows, d, inputs) + ups_taken(matrix) + ups_taken(lines) +
           ups_taken((size_t)strip * sizeof(struct source));
}

/* One strip of a box. */
struct strip {
    const struct ups_deconv_run *run;
    struct ups_box box;
    int64_t g, first, inputs, pitch; /* the pixels along W that reach it, and columns of each */
    struct ups_rows rows;
    struct source *source;
    int64_t sources;        /* of one kernel row */
    float *columns, *lines; /* [source][pixel][column], [line][w][channel] */
};

/* columns = pixels x weights of one kernel row. */
static void multiply(const struct strip *q, const float *weights)
{
    const struct ups_kernels *k = q->run->kernels;
    const float *a, *b = weights;
    struct ups_gemm tile = {
        .taps = 1, .depth = q->run->d->in, .a = &a, .a_stride = q->run->d->in, .b = &b, .c_stride = q->pitch};
    for (int64_t first = 0; first < q->pitch; first += k->nr, b += tile.depth * tile.columns) {
        tile.columns = tile.b_stride = ups_min(k->nr, q->pitch - first);
        int64_t height = ups_tile_height(k, tile.columns);
        for (int64_t j = 0; j < q->sources; j++)
            for (int64_t i = 0; i < q->inputs; i += tile.rows) {
                tile.rows = ups_tile_rows(q->inputs - i, height);
                tile.c = q->columns + (j * q->inputs + i) * q->pitch + first;
                a = q->source[j].pixels + i * tile.depth;
                k->gemm.run(&tile);
            }
    }
}

/* Adds one input pixel's columns to the line of outputs [lo, hi). Without dilation its taps are neighbours: one run. */
static void add_columns(const struct ups_deconv_run *run, const float *columns, int64_t input, int64_t lo, int64_t hi,
                        float *line)
{
    const struct ups_deconv_axis *w = &run->d->axis[2];
    int64_t out = run->d->out, base = input * w->s - w->pad;
    int64_t first = ups_max(0, ups_ceil_div(lo - base, w->d)), last = ups_min(w->k, ups_ceil_div(hi - base, w->d));
    if (w->d == 1 && first < last)
        run->kernels->axpy.run((last - first) * out, 1, columns + first * out, line + (base + first - lo) * out);
    for (int64_t t = first; w->d > 1 && t < last; t++)
        run->kernels->axpy.run(out, 1, columns + t * out, line + (base + t * w->d - lo) * out);
}

/* The inputs [*first, *last) along one axis that some tap brings to outputs [lo, hi); within [0, n). */
static void inputs_of(const struct ups_deconv_axis *a, int64_t n, int64_t lo, int64_t hi, int64_t *first, int64_t *last)
{
    *first = ups_max(0, ups_ceil_div(lo + a->pad - (a->k - 1) * a->d, a->s));
    *last = ups_max(*first, ups_min(n, ups_ceil_div(hi + a->pad, a->s)));
}

/* The input rows that kernel row (td, th) brings to the strip. */
static void find_sources(struct strip *q, int64_t td, int64_t th)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_view *x = &q->run->plan->x;
    int64_t id = ups_source_of(&d->axis[0], q->box.lo[0], td, x->size[0]);
    q->sources = 0;
    for (int64_t oh = q->box.lo[1]; id >= 0 && oh < q->box.hi[1]; oh++) {
        int64_t ih = ups_source_of(&d->axis[1], oh, th, x->size[1]);
        if (ih >= 0)
            q->source[q->sources++] =
                (struct source){ups_rows_get(&q->rows, q->run, q->box.n, q->g, id, ih), oh - q->box.lo[1]};
    }
}

static void run_strip(struct strip *q)
{
    const struct ups_deconv_run *run = q->run;
    const struct ups_deconv *d = run->d;
    const struct ups_box *box = &q->box;
    const float *packed = run->packed + (size_t)q->g * d->packed_floats, *weights = packed + ups_bias_floats(d);
    int64_t width = box->hi[2] - box->lo[2], lines = box->hi[1] - box->lo[1];
    memset(q->lines, 0, (size_t)(lines * width * d->out) * sizeof *q->lines);
    for (int64_t row = 0; row < d->axis[0].k * d->axis[1].k; row++, weights += q->pitch * d->in) {
        find_sources(q, row / d->axis[1].k, row % d->axis[1].k);
        multiply(q, weights);
        for (int64_t j = 0; j < q->sources; j++)
            for (int64_t i = 0; i < q->inputs; i++)
                add_columns(run, q->columns + (j * q->inputs + i) * q->pitch, q->first + i, box->lo[2], box->hi[2],
                            q->lines + q->source[j].line * width * d->out);
    }
    run->kernels->finish.run(q->lines, lines * width, d->out, d->out, packed, 0, 1, &d->activation);
    ups_store_lines(run, q->lines, box, q->g * d->out, d->out, box->lo[0], box->lo[1], lines);
}

static void run_gemm(const struct ups_deconv_run *run, const struct ups_box *box)
{
    const struct ups_deconv *d = run->d;
    const struct ups_deconv_axis *h = &d->axis[1];
    int64_t last, width = box->hi[2] - box->lo[2], strip = strip_of(run->plan, d), pixels = run->plan->x.size[2];
    struct strip q = {.run = run, .box = *box, .pitch = pitch_of(d, run->kernels)};
    inputs_of(&d->axis[2], pixels, box->lo[2], box->hi[2], &q.first, &last);
    q.inputs = last - q.first;
    char *at = run->workspace;
    q.source = ups_take(&at, (size_t)strip * sizeof *q.source);
    q.lines = ups_take(&at, (size_t)(lines_of(d, strip) * width * d->out) * sizeof *q.lines);
    q.columns = ups_take(&at, (size_t)(strip * q.inputs * q.pitch) * sizeof *q.columns);
    ups_rows_shape(&q.rows, d, strip);
    for (q.g = 0; q.g < d->groups; q.g++) {
        char *ring = at;
        ups_rows_place(&q.rows, d, q.first, q.inputs, pixels, &ring);
        for (q.box.lo[0] = box->lo[0]; q.box.lo[0] < box->hi[0]; q.box.lo[0]++)
            for (q.box.lo[1] = box->lo[1]; q.box.lo[1] < box->hi[1]; q.box.lo[1] = q.box.hi[1]) {
                q.box.hi[1] = strip == 1 ? q.box.lo[1] + 1 : ups_strip_end(h, strip, q.box.lo[1], box->hi[1]);
                run_strip(&q);
            }
    }
}

const struct ups_deconv_algorithm ups_deconv_gemm = {"gemm", false, work, layout, pack, workspace, run_gemm};
