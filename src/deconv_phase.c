/* SPDX-License-Identifier: MIT
 *
 * Algorithm phase: an implicit matrix product per group of phases, output-driven. No zero is inserted, no column matrix is
 * built, no output is touched twice.
 *
 * Rows of the product are cells along W, its depth is (tap, input channel), its columns are (phase, output channel). Where
 * the output channels alone fill the tile's columns badly, phases are merged into the columns, innermost axis first: then
 * cells at the border of a box compute phases that fall outside it, and few channels still use full vectors.
 *
 * Each output is one chain over taps in row-major order and input channels inside, from 0, the bias last: the reference of
 * the accuracy contract. Taps that meet only padding for a whole tile are left out; a product with a zero of the padding
 * does not change a chain.
 */
#include <string.h>

#include "deconv.h"

/* ---- phases ---- */

/* The runs of phases along one axis that may share a product. */
struct kind {
    int64_t t0, phases, taps;
};

/* The i-th run, or false past the last: each phase alone, or merged with all others of as many taps. */
static bool kind_of(const struct ups_deconv_axis *a, bool merged, int64_t i, struct kind *kind)
{
    int64_t longer = a->k % a->step_t; /* phases below this have one tap more */
    if (!merged) {
        *kind = (struct kind){i, 1, a->k / a->step_t + (i < longer)};
        return i < a->phases;
    }
    if (longer && i == 0) {
        *kind = (struct kind){0, longer, a->k / a->step_t + 1};
        return true;
    }
    *kind = (struct kind){longer, a->phases - longer, a->k / a->step_t};
    return i == (longer > 0) && kind->phases > 0;
}

/* Multiply-adds per cell and input channel with the axes from `merged` on merged, padding of the columns counted. Phases of
 * as many taps cost the same, so each kind is counted once with its number. */
static double columns_times_taps(const struct ups_deconv *d, int merged, int64_t nr, int axis, int64_t phases,
                                 double taps)
{
    struct kind kind;
    double sum = 0;
    if (axis == 3) return taps * (double)ups_round_up(phases * d->out, nr);
    for (int64_t i = 0; kind_of(&d->axis[axis], true, i, &kind); i++) {
        bool merge = axis >= merged;
        double part = columns_times_taps(d, merged, nr, axis + 1, merge ? phases * kind.phases : phases,
                                         taps * (double)kind.taps);
        sum += merge ? part : part * (double)kind.phases;
    }
    return sum;
}

/* Cells of merged phases reach over the spread of the phases' outputs; where a dilation makes that far more than a stride most of
 * them would have no output. */
static bool spreads(const struct ups_deconv_axis *a)
{
    return (a->phases - 1) * a->d > 64 * a->s;
}

/* The first merged axis: as few as reach the least padding. */
static int best_merge(const struct ups_deconv *d, int64_t nr)
{
    int best = 3;
    for (int merged = 2; merged >= 0 && !spreads(&d->axis[merged]); merged--)
        if (columns_times_taps(d, merged, nr, 0, 1, 1) < columns_times_taps(d, best, nr, 0, 1, 1)) best = merged;
    return best;
}

static double work(const struct ups_deconv *d, const struct ups_kernels *kernels)
{
    return (double)d->in * columns_times_taps(d, best_merge(d, kernels->nr), kernels->nr, 0, 1, 1);
}

static int64_t group_depth(const struct ups_phase_group *p)
{
    return p->taps[0] * p->taps[1] * p->taps[2];
}

static int64_t kinds(const struct ups_deconv_axis *a, bool merged)
{
    int64_t longer = a->k % a->step_t;
    return merged ? (longer > 0) + (longer < a->phases) : a->phases;
}

static int32_t layout(const struct ups_op *op, struct ups_deconv *d)
{
    int64_t nr = op->kernels->nr, count = 1;
    int merged = best_merge(d, nr);
    for (int a = 0; a < 3; a++) count *= kinds(&d->axis[a], a >= merged);
    d->phase_group = ups_allocate(&op->memory, (size_t)count * sizeof *d->phase_group);
    if (!d->phase_group) return UPS_NO_MEMORY;
    size_t at = ups_bias_floats(d);
    struct kind kd, kh, kw;
    for (int64_t i = 0; kind_of(&d->axis[0], 0 >= merged, i, &kd); i++)
        for (int64_t j = 0; kind_of(&d->axis[1], 1 >= merged, j, &kh); j++)
            for (int64_t k = 0; kind_of(&d->axis[2], 2 >= merged, k, &kw); k++) {
                struct ups_phase_group *p = &d->phase_group[d->phase_groups++];
                *p = (struct ups_phase_group){.t0 = {kd.t0, kh.t0, kw.t0},
                                              .phases = {kd.phases, kh.phases, kw.phases},
                                              .taps = {kd.taps, kh.taps, kw.taps}};
                p->columns = kd.phases * kh.phases * kw.phases * d->out;
                size_t padded = (size_t)ups_round_up(p->columns, nr);
                p->bias = at;
                p->weights = at + padded;
                at += padded + padded * (size_t)(group_depth(p) * d->in);
            }
    d->packed_floats = (size_t)ups_round_up((int64_t)at, 16);
    return UPS_OK;
}

/* ---- packing ---- */

/* Where column j stands: its phase on each axis and its output channel. */
static void column_of(const struct ups_phase_group *p, int64_t out, int64_t j, int64_t t0[3], int64_t *channel)
{
    *channel = j % out;
    j /= out;
    for (int a = 2; a >= 0; a--) {
        t0[a] = p->t0[a] + j % p->phases[a];
        j /= p->phases[a];
    }
}

static void pack_group(const struct ups_deconv *d, const struct ups_phase_group *p, int64_t nr, const float *weights,
                       float *to)
{
    int64_t depth = group_depth(p) * d->in, column[UPS_MAX_NR], t0[3], channel;
    for (int64_t first = 0; first < p->columns; first += nr) {
        float *panel = to + p->weights + (size_t)(first * depth);
        int64_t columns = ups_min(nr, p->columns - first);
        for (int64_t j = 0; j < columns; j++) {
            column_of(p, d->out, first + j, t0, &channel);
            column[j] = channel * d->w.out + t0[0] * d->w.tap[0] + t0[1] * d->w.tap[1] + t0[2] * d->w.tap[2];
            to[p->bias + (size_t)(first + j)] = to[channel];
        }
        for (int64_t j = columns; j < nr; j++) to[p->bias + (size_t)(first + j)] = 0;
        /* input channels outermost: the taps of one weight share cache lines in most layouts */
        for (int64_t ci = 0; ci < d->in; ci++) {
            float *out = panel + ci * nr;
            for (int64_t jd = 0; jd < p->taps[0]; jd++)
                for (int64_t jh = 0; jh < p->taps[1]; jh++, out += p->taps[2] * d->in * nr) {
                    const float *from = weights + ci * d->w.in + jd * d->axis[0].step_t * d->w.tap[0] +
                                        jh * d->axis[1].step_t * d->w.tap[1];
                    ups_pack_panel(out, nr, columns, from, column, p->taps[2], d->axis[2].step_t * d->w.tap[2],
                                   d->in * nr);
                }
        }
    }
}

static void pack(const struct ups_deconv *d, const struct ups_kernels *kernels, const float *weights, float *to)
{
    for (int64_t i = 0; i < d->phase_groups; i++) pack_group(d, &d->phase_group[i], kernels->nr, weights, to);
}

/* ---- run ---- */

/* One group of phases over one box. */
struct product {
    const struct ups_deconv_run *run;
    const struct ups_box *box;
    const struct ups_phase_group *p;
    const float *packed; /* of the convolution group */
    int64_t g;
    struct ups_rows rows;
    int64_t lo[3], hi[3]; /* cells with an output in the box */
    const float **row;    /* by (tap on D, tap on H): the packed source row, NULL outside the image */
    const float **a, **b; /* the tile's taps */
    float *tile;
};

/* Output of cell c and phase t0 on an axis: c*s + shift. */
static int64_t shift(const struct ups_deconv_axis *a, int64_t t0)
{
    return t0 * a->d - a->pad;
}

/* Cells that have an output of phases t0 … t0 + phases - 1 in [lo, hi). */
static void cells(const struct ups_deconv_axis *a, int64_t t0, int64_t phases, int64_t lo, int64_t hi, int64_t *first,
                  int64_t *last)
{
    *first = ups_ceil_div(lo - shift(a, t0 + phases - 1), a->s);
    *last = ups_ceil_div(hi - shift(a, t0), a->s);
}

/* Most cells along W of any group for `width` outputs: phases of a merged group spread over the others' cells. */
static int64_t most_cells(const struct ups_deconv *d, int64_t width)
{
    const struct ups_deconv_axis *w = &d->axis[2];
    int64_t most = 1;
    for (int64_t i = 0; i < d->phase_groups; i++)
        most = ups_max(most, ups_ceil_div(width + (d->phase_group[i].phases[2] - 1) * w->d, w->s) + 1);
    return most;
}

static int64_t window(const struct ups_deconv_axis *w, int64_t count, int64_t taps)
{
    return count + (taps - 1) * w->step_i;
}

static size_t workspace(const ups_plan *plan, int64_t width)
{
    const struct ups_deconv *d = plan->op->deconv;
    const struct ups_kernels *k = plan->op->kernels;
    size_t pointers = ups_bytes(d->axis[0].taps, d->axis[1].taps, 1, sizeof(float *));
    size_t taps = ups_bytes(d->axis[0].taps, d->axis[1].taps, d->axis[2].taps, sizeof(float *));
    size_t tile = ups_bytes(ups_max(k->mr * k->nr, d->out), 1, 1, sizeof(float));
    return ups_rows_bytes(d, window(&d->axis[2], most_cells(d, width), d->axis[2].taps)) + ups_taken(pointers) +
           2 * ups_taken(taps) + ups_taken(tile);
}

/* The taps that meet the image for cells c … c + rows - 1 of the current line. */
static int64_t list_taps(const struct product *q, const float *panel, int64_t c, int64_t rows)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_phase_group *p = q->p;
    int64_t width = q->run->plan->x.size[2], step = d->axis[2].step_i, tap_floats = d->in * q->run->kernels->nr,
            count = 0;
    int64_t first = ups_max(0, ups_ceil_div(c - width + 1, step));             /* c - j*step < width */
    int64_t last = ups_min(p->taps[2], ups_floor_div(c + rows - 1, step) + 1); /* c + rows - 1 - j*step >= 0 */
    for (int64_t jdh = 0; jdh < p->taps[0] * p->taps[1]; jdh++) {
        if (!q->row[jdh]) continue;
        for (int64_t j = first; j < last; j++) {
            q->a[count] = q->row[jdh] + (c - j * step - q->rows.first) * d->in;
            q->b[count++] = panel + (jdh * p->taps[2] + j) * tap_floats;
        }
    }
    return count;
}

/* Moves the part of a tile that belongs to one phase, columns j … j + channels - 1, to its outputs. */
static void store_phase(const struct product *q, const int64_t t0[3], int64_t channel, int64_t j, int64_t channels,
                        int64_t cd, int64_t ch, int64_t c, int64_t rows)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_view *y = &q->run->plan->y;
    const struct ups_box *box = q->box;
    int64_t nr = q->run->kernels->nr, s = d->axis[2].s;
    int64_t od = cd * d->axis[0].s + shift(&d->axis[0], t0[0]), oh = ch * d->axis[1].s + shift(&d->axis[1], t0[1]);
    if (od < box->lo[0] || od >= box->hi[0] || oh < box->lo[1] || oh >= box->hi[1]) return;
    int64_t w_shift = shift(&d->axis[2], t0[2]);
    int64_t first = ups_max(c, ups_ceil_div(box->lo[2] - w_shift, s)),
            last = ups_min(c + rows, ups_ceil_div(box->hi[2] - w_shift, s));
    if (first >= last) return;
    float *out =
        q->run->dst + ups_row_offset(y, box->n, q->g * d->out + channel, od, oh) + (first * s + w_shift) * y->stride[2];
    const float *tile = q->tile + (first - c) * nr + j;
    if (!ups_is_first(q->run->plan)) {
        for (int64_t i = 0; i < last - first; i++)
            memcpy(out + i * s * y->stride[2], tile + i * nr, (size_t)channels * sizeof *out);
    } else if (s == 1) {
        q->run->kernels->transpose.run(tile, last - first, channels, nr, out, y->c_stride);
    } else {
        for (int64_t k = 0; k < channels; k++)
            for (int64_t i = 0; i < last - first; i++) out[k * y->c_stride + i * s] = tile[i * nr + k];
    }
}

static void store_tile(const struct product *q, int64_t panel, int64_t cd, int64_t ch, int64_t c, int64_t rows)
{
    int64_t nr = q->run->kernels->nr, out = q->run->d->out, t0[3], channel;
    int64_t columns = ups_min(nr, q->p->columns - panel * nr);
    for (int64_t j = 0; j < columns;) {
        column_of(q->p, out, panel * nr + j, t0, &channel);
        int64_t channels = ups_min(out - channel, columns - j);
        store_phase(q, t0, channel, j, channels, cd, ch, c, rows);
        j += channels;
    }
}

/* The cells of one line (cd, ch): panels outside, tiles of cells inside, so that a panel is read once per line. */
static void run_line(struct product *q, int64_t cd, int64_t ch)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_kernels *k = q->run->kernels;
    int64_t nr = k->nr, depth = group_depth(q->p) * d->in;
    for (int64_t panel = 0; panel * nr < q->p->columns; panel++) {
        const float *weights = q->packed + q->p->weights + (size_t)(panel * nr * depth);
        const float *bias = q->packed + q->p->bias + panel * nr;
        for (int64_t c = q->lo[2], rows; c < q->hi[2]; c += rows) {
            rows = ups_tile_rows(q->hi[2] - c, k->mr);
            int64_t taps = list_taps(q, weights, c, rows);
            k->gemm.run(rows, taps, d->in, q->a, d->in, q->b, q->tile, nr);
            k->finish.run(q->tile, rows, nr, nr, bias, 0, 1, &d->activation);
            store_tile(q, panel, cd, ch, c, rows);
        }
    }
}

static void run_group(struct product *q)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_view *x = &q->run->plan->x;
    const struct ups_phase_group *p = q->p;
    for (int64_t cd = q->lo[0]; cd < q->hi[0]; cd++)
        for (int64_t ch = q->lo[1]; ch < q->hi[1]; ch++) {
            for (int64_t j = 0; j < p->taps[0] * p->taps[1]; j++) {
                int64_t id = cd - j / p->taps[1] * d->axis[0].step_i, ih = ch - j % p->taps[1] * d->axis[1].step_i;
                bool inside = id >= 0 && id < x->size[0] && ih >= 0 && ih < x->size[1];
                q->row[j] = inside ? ups_rows_get(&q->rows, q->run, q->box->n, q->g, id, ih) : NULL;
            }
            run_line(q, cd, ch);
        }
}

/* Some outputs lie in no phase: act(bias) goes everywhere first. */
static bool has_gaps(const struct ups_deconv *d)
{
    return d->axis[0].phases < d->axis[0].s || d->axis[1].phases < d->axis[1].s || d->axis[2].phases < d->axis[2].s;
}

static void fill_gaps(const struct product *q)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_view *y = &q->run->plan->y;
    const struct ups_box *box = q->box;
    memset(q->tile, 0, (size_t)d->out * sizeof *q->tile);
    q->run->kernels->finish.run(q->tile, 1, d->out, d->out, q->packed, 0, 1, &d->activation);
    bool first = ups_is_first(q->run->plan);
    for (int64_t od = box->lo[0]; od < box->hi[0]; od++)
        for (int64_t oh = box->lo[1]; oh < box->hi[1]; oh++) {
            float *out = q->run->dst + ups_row_offset(y, box->n, q->g * d->out, od, oh);
            for (int64_t k = 0; first && k < d->out; k++)
                for (int64_t w = box->lo[2]; w < box->hi[2]; w++) out[k * y->c_stride + w] = q->tile[k];
            for (int64_t w = box->lo[2]; !first && w < box->hi[2]; w++)
                memcpy(out + w * y->stride[2], q->tile, (size_t)d->out * sizeof *out);
        }
}

static void run_phase(const struct ups_deconv_run *run, const struct ups_box *box)
{
    const struct ups_deconv *d = run->d;
    const struct ups_deconv_axis *a = d->axis;
    struct product q = {.run = run, .box = box};
    char *ring = run->workspace;
    q.row = ups_take(&ring, (size_t)(a[0].taps * a[1].taps) * sizeof *q.row);
    q.a = ups_take(&ring, (size_t)(a[0].taps * a[1].taps * a[2].taps) * sizeof *q.a);
    q.b = ups_take(&ring, (size_t)(a[0].taps * a[1].taps * a[2].taps) * sizeof *q.b);
    q.tile = ups_take(&ring, (size_t)ups_max(run->kernels->mr * run->kernels->nr, d->out) * sizeof *q.tile);
    for (q.g = 0; q.g < d->groups; q.g++) {
        q.packed = run->packed + (size_t)q.g * d->packed_floats;
        if (has_gaps(d)) fill_gaps(&q);
        for (int64_t i = 0; i < d->phase_groups; i++) {
            char *at = ring;
            q.p = &d->phase_group[i];
            for (int axis = 0; axis < 3; axis++)
                cells(&a[axis], q.p->t0[axis], q.p->phases[axis], box->lo[axis], box->hi[axis], &q.lo[axis],
                      &q.hi[axis]);
            if (q.lo[2] >= q.hi[2]) continue;
            ups_rows_place(&q.rows, d, q.lo[2] - (q.p->taps[2] - 1) * a[2].step_i,
                           window(&a[2], q.hi[2] - q.lo[2], q.p->taps[2]), &at);
            run_group(&q);
        }
    }
}

const struct ups_deconv_algorithm ups_deconv_phase = {"phase", true, work, layout, pack, workspace, run_phase};
