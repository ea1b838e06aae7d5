/* SPDX-License-Identifier: MIT
 *
 * Algorithm gemm: the matrix way. Columns = weights transposed times input, then col2im: each column entry is added to the
 * output it belongs to. Done a line at a time, so that the column matrix is one input row wide and stays in cache: for each
 * output line the input rows that reach it, through the kernel rows (td, th) that bring them there, in row-major order.
 *
 * An output is a sum of chains over the input channels, one per tap: more exact than one long chain.
 */
#include <string.h>

#include "deconv.h"

static int64_t columns_of(const struct ups_deconv *d)
{
    return d->axis[2].k * d->out;
}

/* The addition of a column entry loads, adds and stores: as dear as several multiply-adds of the tile. */
static double work(const struct ups_deconv *d, const struct ups_kernels *kernels)
{
    const double addition = 8;
    double rows = (double)(d->axis[0].k * d->axis[1].k), columns = (double)columns_of(d);
    return rows * ((double)d->in * (double)ups_round_up(columns_of(d), kernels->nr) + addition * columns);
}

static int32_t layout(const struct ups_op *op, struct ups_deconv *d)
{
    size_t kernel_row = (size_t)(ups_round_up(columns_of(d), op->kernels->nr) * d->in);
    d->blocks = 1;
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
        for (int64_t first = 0; first < columns; first += nr, to += d->in * nr) {
            int64_t count = ups_min(nr, columns - first);
            for (int64_t j = 0; j < count; j++)
                column[j] = (first + j) / d->out * d->w.tap[2] + (first + j) % d->out * d->w.out;
            ups_pack_panel(to, nr, count, from, column, d->in, d->w.in, nr);
        }
    }
}

/* Inputs along W that reach `width` outputs, at most. */
static int64_t most_inputs(const struct ups_deconv *d, int64_t width)
{
    const struct ups_deconv_axis *w = &d->axis[2];
    return ups_ceil_div(width + (w->k - 1) * w->d, w->s) + 1;
}

static size_t workspace(const ups_plan *plan, const struct ups_deconv *d, int64_t width)
{
    int64_t inputs = ups_min(plan->x.size[2], most_inputs(d, width));
    size_t matrix = ups_bytes(inputs, ups_round_up(columns_of(d), plan->op->kernels->nr), 1, sizeof(float));
    size_t line = ups_bytes(width, d->out, 1, sizeof(float));
    struct ups_rows rows;
    ups_rows_shape(&rows, d, 1);
    return ups_rows_bytes(&rows, d, inputs) + ups_taken(matrix) + ups_taken(line);
}

/* columns = pixels x weights of one kernel row. */
static void multiply(const struct ups_deconv_run *run, const float *pixels, int64_t count, const float *weights,
                     float *columns, int64_t pitch)
{
    const struct ups_kernels *k = run->kernels;
    const float *a, *b = weights;
    struct ups_gemm tile = {.columns = k->nr,
                            .taps = 1,
                            .depth = run->d->in,
                            .a = &a,
                            .a_stride = run->d->in,
                            .b = &b,
                            .b_stride = k->nr,
                            .c_stride = pitch};
    for (int64_t first = 0; first < pitch; first += k->nr, b += tile.depth * k->nr)
        for (int64_t i = 0; i < count; i += tile.rows) {
            tile.rows = ups_tile_rows(count - i, ups_tile_height(k, k->nr));
            tile.c = columns + i * pitch + first;
            a = pixels + i * tile.depth;
            k->gemm.run(&tile);
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

static void run_gemm(const struct ups_deconv_run *run, const struct ups_box *box)
{
    const struct ups_deconv *d = run->d;
    const struct ups_deconv_axis *a = d->axis;
    const struct ups_view *x = &run->plan->x;
    int64_t first, last, width = box->hi[2] - box->lo[2], pitch = ups_round_up(columns_of(d), run->kernels->nr);
    inputs_of(&a[2], x->size[2], box->lo[2], box->hi[2], &first, &last);
    char *at = run->workspace;
    struct ups_rows rows;
    float *line = ups_take(&at, (size_t)(width * d->out) * sizeof *line);
    float *columns = ups_take(&at, (size_t)((last - first) * pitch) * sizeof *columns);
    for (int64_t g = 0; g < d->groups; g++) {
        const float *packed = run->packed + (size_t)g * d->packed_floats;
        char *ring = at;
        ups_rows_shape(&rows, d, 1);
        ups_rows_place(&rows, d, first, last - first, x->size[2], &ring);
        for (int64_t od = box->lo[0]; od < box->hi[0]; od++)
            for (int64_t oh = box->lo[1]; oh < box->hi[1]; oh++) {
                memset(line, 0, (size_t)(width * d->out) * sizeof *line);
                for (int64_t row = 0; row < a[0].k * a[1].k; row++) {
                    int64_t id = ups_source_of(&a[0], od, row / a[1].k, x->size[0]),
                            ih = ups_source_of(&a[1], oh, row % a[1].k, x->size[1]);
                    if (id < 0 || ih < 0) continue;
                    const float *pixels = ups_rows_get(&rows, run, box->n, g, id, ih);
                    multiply(run, pixels, last - first, packed + ups_bias_floats(d) + (size_t)(row * pitch * d->in),
                             columns, pitch);
                    for (int64_t i = first; i < last; i++)
                        add_columns(run, columns + (i - first) * pitch, i, box->lo[2], box->hi[2], line);
                }
                run->kernels->finish.run(line, width, d->out, d->out, packed, 0, 1, &d->activation);
                ups_store_line(run, line, box->n, g * d->out, d->out, od, oh, box->lo[2], width);
            }
    }
}

const struct ups_deconv_algorithm ups_deconv_gemm = {"gemm", false, work, layout, pack, workspace, run_gemm};
