/* SPDX-License-Identifier: MIT
 *
 * Algorithm scatter: the definition, a row at a time. For each tap and pair of channels a source row, times one weight, is
 * added to the output row it reaches. Lanes run along W, so it needs no matrix and no padding to lanes: it wins where the
 * channels of a group are few.
 *
 * The outputs of a line are kept apart by phase, (o + pad) mod s, so that the row a tap reaches is contiguous:
 *
 *     line[channel][phase][cell]      o = s*cell + phase - pad        tap t: phase (t*d) mod s, cell = input + (t*d)/s
 *
 * Taps in row-major order, input channels inside, from 0, bias last: the same chain as algorithm phase.
 */
#include <string.h>

#include "deconv.h"

/* An update loads twice, multiplies once and stores: about a quarter of the tile's rate, and lanes at the ends of rows are
 * lost. */
static double work(const struct ups_deconv *d, const struct ups_kernels *kernels)
{
    const double update = 4;
    (void)kernels;
    double taps = (double)(d->axis[0].k * d->axis[1].k * d->axis[2].k);
    /* every output of the line is cleared and stored, also where the stride leaves most of them empty */
    return update *
           (taps * (double)d->in * (double)d->out + (double)d->out * (double)ups_max(0, d->axis[2].s - d->axis[2].k));
}

static int32_t layout(const struct ups_op *op, struct ups_deconv *d)
{
    (void)op;
    d->blocks = 1;
    d->packed_floats =
        ups_bias_floats(d) + (size_t)ups_round_up(d->axis[0].k * d->axis[1].k * d->axis[2].k * d->out * d->in, 16);
    return UPS_OK;
}

/* [tap][output channel][input channel] */
static void pack(const struct ups_deconv *d, const struct ups_kernels *kernels, const float *weights, float *to)
{
    const struct ups_deconv_axis *a = d->axis;
    (void)kernels;
    to += ups_bias_floats(d);
    for (int64_t t = 0; t < a[0].k * a[1].k * a[2].k; t++) {
        int64_t tw = t % a[2].k, th = t / a[2].k % a[1].k, td = t / a[2].k / a[1].k;
        const float *from = weights + td * d->w.tap[0] + th * d->w.tap[1] + tw * d->w.tap[2];
        for (int64_t co = 0; co < d->out; co++)
            for (int64_t ci = 0; ci < d->in; ci++) *to++ = from[co * d->w.out + ci * d->w.in];
    }
}

/* The line that is being computed. */
struct line {
    const struct ups_deconv_run *run;
    int64_t cell, cells; /* the first, and how many */
    float *sums;         /* [channel][phase][cell] */
    int64_t first, last; /* the pixels of a source row that reach it */
    float *planar;       /* channels last: these of a source row as [channel][pixel] */
};

static int64_t most_cells(const struct ups_deconv *d, int64_t width)
{
    return ups_ceil_div(width, d->axis[2].s) + 1;
}

static size_t workspace(const ups_plan *plan, const struct ups_deconv *d, int64_t width)
{
    size_t sums = ups_bytes(d->out, d->axis[2].s, most_cells(d, width), sizeof(float));
    int64_t inputs = ups_min(plan->x.size[2], ups_most_inputs(d, width));
    size_t planar = ups_is_first(plan) ? 0 : ups_bytes(d->in, inputs, 1, sizeof(float));
    return ups_taken(sums) + ups_taken(planar);
}

/* Pixel l->first of the source row (d, h), as one contiguous row per channel; *stride between them. Channels first: in place. */
static const float *planar_row(const struct line *l, int64_t n, int64_t g, int64_t d, int64_t h, int64_t *stride)
{
    const struct ups_view *x = &l->run->plan->x;
    int64_t channels = l->run->d->in, width = l->last - l->first;
    const float *row = l->run->src + ups_row_offset(x, n, g * channels, d, h) + l->first * x->stride[2];
    *stride = x->c_stride;
    if (ups_is_first(l->run->plan)) return row;
    *stride = width;
    l->run->kernels->transpose.run(row, width, channels, x->stride[2], l->planar, width);
    return l->planar;
}

/* All taps of one kernel row (td, th), which starts at weights. */
static void add_row(const struct line *l, const float *row, int64_t stride, const float *weights)
{
    const struct ups_deconv *d = l->run->d;
    const struct ups_deconv_axis *w = &d->axis[2];
    for (int64_t t = 0; t < w->k; t++, weights += d->out * d->in) {
        int64_t ahead = t * w->d / w->s, phase = t * w->d % w->s;
        int64_t first = ups_max(0, l->cell - ahead), last = ups_min(l->last, l->cell + l->cells - ahead);
        for (int64_t co = 0; first < last && co < d->out; co++) {
            float *to = l->sums + (co * w->s + phase) * l->cells + (first + ahead - l->cell);
            for (int64_t ci = 0; ci < d->in; ci++)
                l->run->kernels->axpy.run(last - first, weights[co * d->in + ci], row + ci * stride + first - l->first,
                                          to);
        }
    }
}

static void store(const struct line *l, const struct ups_box *box, int64_t g, int64_t od, int64_t oh)
{
    const struct ups_deconv_axis *w = &l->run->d->axis[2];
    const struct ups_view *y = &l->run->plan->y;
    int64_t out = l->run->d->out;
    for (int64_t co = 0; co < out; co++) {
        float *row = l->run->dst + ups_row_offset(y, box->n, g * out + co, od, oh);
        for (int64_t phase = 0; phase < w->s; phase++) {
            const float *sums = l->sums + (co * w->s + phase) * l->cells;
            int64_t o = l->cell * w->s + phase - w->pad;
            for (int64_t i = 0; i < l->cells && o < box->hi[2]; i++, o += w->s)
                if (o >= box->lo[2]) row[o * y->stride[2]] = sums[i];
        }
    }
}

/* One output line of one convolution group. */
static void run_line(struct line *l, const struct ups_box *box, int64_t g, int64_t od, int64_t oh)
{
    const struct ups_deconv *d = l->run->d;
    const struct ups_deconv_axis *a = d->axis;
    const struct ups_view *x = &l->run->plan->x;
    const float *packed = l->run->packed + (size_t)g * d->packed_floats;
    int64_t stride, kernel_row = a[2].k * d->out * d->in;
    memset(l->sums, 0, (size_t)(d->out * a[2].s * l->cells) * sizeof *l->sums);
    for (int64_t td = 0; td < a[0].k; td++)
        for (int64_t th = 0; th < a[1].k; th++) {
            int64_t id = ups_source_of(&a[0], od, td, x->size[0]), ih = ups_source_of(&a[1], oh, th, x->size[1]);
            if (id < 0 || ih < 0) continue;
            const float *row = planar_row(l, box->n, g, id, ih, &stride);
            add_row(l, row, stride, packed + ups_bias_floats(d) + (td * a[1].k + th) * kernel_row);
        }
    int64_t columns = a[2].s * l->cells;
    l->run->kernels->finish.run(l->sums, d->out, columns, columns, packed, 1, 0, &d->activation);
    store(l, box, g, od, oh);
}

static void run_scatter(const struct ups_deconv_run *run, const struct ups_box *box)
{
    const struct ups_deconv *d = run->d;
    const struct ups_deconv_axis *w = &d->axis[2];
    struct line l = {.run = run, .cell = ups_floor_div(box->lo[2] + w->pad, w->s)};
    char *at = run->workspace;
    l.cells = ups_floor_div(box->hi[2] - 1 + w->pad, w->s) - l.cell + 1;
    l.first = ups_max(0, ups_min(l.cell - (w->k - 1) * w->d / w->s, run->plan->x.size[2]));
    l.last = ups_max(l.first, ups_min(l.cell + l.cells, run->plan->x.size[2]));
    l.sums = ups_take(&at, (size_t)(d->out * w->s * l.cells) * sizeof *l.sums);
    l.planar = (float *)at;
    for (int64_t g = 0; g < d->groups; g++)
        for (int64_t od = box->lo[0]; od < box->hi[0]; od++)
            for (int64_t oh = box->lo[1]; oh < box->hi[1]; oh++) run_line(&l, box, g, od, oh);
}

const struct ups_deconv_algorithm ups_deconv_scatter = {"scatter", true, work, layout, pack, workspace, run_scatter};
