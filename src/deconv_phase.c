/* SPDX-License-Identifier: MIT
 *
 * Algorithm phase: an implicit matrix product per group of phases, output-driven. No zero is inserted, no column matrix is
 * built, no output is touched twice.
 *
 * Rows of the product are cells along W, its depth is (tap, input channel), its columns are (phase, output channel). Where
 * the output channels alone fill whole vectors badly, phases are merged into the columns, innermost axis first: then cells
 * at the border of a box compute phases that fall outside it, and few channels still use full vectors.
 *
 * The product knows one layout, channels last. Input pixels are broadcast from where they lie, or from a ring of packed rows:
 * near the border, where zeros must surround the image, and channels first, where a row is transposed when it enters.
 * Outputs go from the tile's registers to their place; channels first to a strip of lines, transposed when it leaves.
 *
 * A block is what shares its output lines: the groups that differ along W alone, and of those one panel of columns (all
 * panels where phases are merged). For a strip of lines it runs panel by panel, so that a panel of weights is fetched once
 * for a strip and waits in cache for its lines.
 *
 * Each output is one chain over taps in row-major order and input channels inside, from 0, the bias last: the reference of
 * the accuracy contract. Taps that meet only padding for a whole tile are left out; a product with a zero of the padding
 * does not change a chain.
 */
#include <string.h>

#include "deconv_phases.h"

/* ---- phases ---- */

/* Multiply-adds per cell and input channel with the axes from `merged` on merged, padding of the columns counted. Phases of
 * as many taps cost the same, so each kind is counted once with its number. */
static double columns_times_taps(const struct ups_deconv *d, int64_t merged, int64_t lanes, int axis, int64_t phases,
                                 double taps)
{
    struct kind kind;
    double sum = 0;
    if (axis == 3) return taps * (double)ups_round_up(phases * d->out, lanes);
    for (int64_t i = 0; kind_of(&d->axis[axis], true, i, &kind); i++) {
        bool merge = axis >= merged;
        double part = columns_times_taps(d, merged, lanes, axis + 1, merge ? phases * kind.phases : phases,
                                         taps * (double)kind.taps);
        sum += merge ? part : part * (double)kind.phases;
    }
    return sum;
}

/* The first merged axis: as few as reach the least padding. */
static int64_t best_merge(const struct ups_deconv *d, int64_t lanes)
{
    int64_t best = 3;
    for (int64_t merged = 2; merged >= 0 && close_together(&d->axis[merged]); merged--)
        if (columns_times_taps(d, merged, lanes, 0, 1, 1) < columns_times_taps(d, best, lanes, 0, 1, 1)) best = merged;
    return best;
}

static double work(const struct ups_deconv *d, const struct ups_kernels *kernels)
{
    int64_t lanes = kernels->lanes;
    return ups_entry(d) + (double)d->in * columns_times_taps(d, best_merge(d, lanes), lanes, 0, 1, 1);
}

/* Columns in packed panels: the last one is as many vectors wide as it needs. */
static int64_t padded_columns(const struct ups_phase_group *p, const struct ups_kernels *kernels)
{
    return ups_round_up(p->columns, kernels->lanes);
}

/* Offsets of the groups that differ along W alone, from *at on. Not merged, they have the same columns, and panel i of all of
 * them stands together: a block. Merged, each has its panels in a row. */
static void place_weights(const struct ups_deconv *d, const struct ups_kernels *kernels, struct ups_phase_group *row,
                          size_t *at)
{
    int64_t together = 0;
    for (int64_t i = 0; i < d->row_groups; i++) {
        struct ups_phase_group *p = &row[i];
        p->bias = *at;
        *at += (size_t)padded_columns(p, kernels);
        p->before = together;
        together += group_taps(p);
    }
    for (int64_t i = 0; i < d->row_groups; i++) {
        struct ups_phase_group *p = &row[i];
        if (d->merged < 3) p->before = 0;
        p->together = d->merged < 3 ? group_taps(p) : together;
        p->weights = *at;
        if (d->merged < 3 || i == d->row_groups - 1) *at += (size_t)(padded_columns(p, kernels) * p->together * d->in);
    }
}

static int32_t layout(const struct ups_op *op, struct ups_deconv *d)
{
    int64_t rows = 1;
    d->merged = best_merge(d, op->kernels->lanes);
    for (int a = 0; a < 2; a++) rows *= kinds(&d->axis[a], a >= d->merged);
    d->row_groups = kinds(&d->axis[2], 2 >= d->merged);
    d->phase_group = ups_allocate(&op->memory, (size_t)(rows * d->row_groups) * sizeof *d->phase_group);
    if (!d->phase_group) return UPS_NO_MEMORY;
    size_t at = ups_bias_floats(d);
    struct kind kd, kh, kw;
    for (int64_t i = 0; kind_of(&d->axis[0], 0 >= d->merged, i, &kd); i++)
        for (int64_t j = 0; kind_of(&d->axis[1], 1 >= d->merged, j, &kh); j++) {
            struct ups_phase_group *row = &d->phase_group[d->phase_groups];
            for (int64_t k = 0; kind_of(&d->axis[2], 2 >= d->merged, k, &kw); k++)
                d->phase_group[d->phase_groups++] =
                    (struct ups_phase_group){.t0 = {kd.t0, kh.t0, kw.t0},
                                             .phases = {kd.phases, kh.phases, kw.phases},
                                             .taps = {kd.taps, kh.taps, kw.taps},
                                             .columns = kd.phases * kh.phases * kw.phases * d->out};
            place_weights(d, op->kernels, row, &at);
        }
    /* Channels first, the rows of all phases leave together: in the output they are neighbours. */
    bool first = op->desc.head.layout == UPS_CHANNELS_FIRST;
    d->rows_together = first && d->axis[0].d == 1 && d->axis[1].d == 1 ? rows : 1;
    d->blocks = rows / d->rows_together * (d->merged < 3 ? 1 : ups_ceil_div(d->out, op->kernels->nr));
    d->packed_floats = (size_t)ups_round_up((int64_t)at, 16);
    for (int64_t i = 0; first && i < d->phase_groups; i++) {
        const int64_t *phases = d->phase_group[i].phases;
        int64_t kept = d->rows_together > 1 ? d->axis[0].phases * d->axis[1].phases : phases[0] * phases[1];
        d->kept = ups_max(d->kept, kept * (d->merged < 3 ? d->out : ups_min(d->out, op->kernels->nr)));
    }
    return UPS_OK;
}

/* The panel of a group that begins at column `first`, `width` columns wide: [tap][input channel][column]. */
static size_t panel_at(const struct ups_deconv *d, const struct ups_phase_group *p, int64_t first, int64_t width)
{
    return p->weights + (size_t)((first * p->together + width * p->before) * d->in);
}

/* ---- packing ---- */

static void pack_group(const struct ups_deconv *d, const struct ups_phase_group *p, const struct ups_kernels *kernels,
                       const float *weights, float *to)
{
    int64_t column[UPS_MAX_NR], t0[3], channel;
    for (int64_t first = 0; first < p->columns; first += kernels->nr) {
        int64_t columns = ups_min(kernels->nr, p->columns - first), width = ups_round_up(columns, kernels->lanes);
        float *panel = to + panel_at(d, p, first, width);
        for (int64_t j = 0; j < columns; j++) {
            column_of(p, d->out, first + j, t0, &channel);
            column[j] = channel * d->w.out + t0[0] * d->w.tap[0] + t0[1] * d->w.tap[1] + t0[2] * d->w.tap[2];
            to[p->bias + (size_t)(first + j)] = to[channel];
        }
        for (int64_t j = columns; j < width; j++) to[p->bias + (size_t)(first + j)] = 0;
        /* input channels outermost: the taps of one weight share cache lines in most layouts */
        for (int64_t ci = 0; ci < d->in; ci++) {
            float *out = panel + ci * width;
            for (int64_t jd = 0; jd < p->taps[0]; jd++)
                for (int64_t jh = 0; jh < p->taps[1]; jh++, out += p->taps[2] * d->in * width) {
                    const float *from = weights + ci * d->w.in + jd * d->axis[0].step_t * d->w.tap[0] +
                                        jh * d->axis[1].step_t * d->w.tap[1];
                    ups_pack_panel(out, width, columns, from, column, p->taps[2], d->axis[2].step_t * d->w.tap[2],
                                   d->in * width);
                }
        }
    }
}

static void pack(const struct ups_deconv *d, const struct ups_kernels *kernels, const float *weights, float *to)
{
    for (int64_t i = 0; i < d->phase_groups; i++) pack_group(d, &d->phase_group[i], kernels, weights, to);
}

/* ---- run ---- */

/* Columns of a panel that lie side by side in the output. */
struct piece {
    int64_t t0[3], channel, first, columns; /* the first of them, as phase and channel and in the panel */
    int64_t w;                              /* its output of cell 0, counted in the strip */
    float *line;                            /* of the current line of cells; NULL outside the strip */
};

/* One block over one strip of a box. */
struct product {
    const struct ups_deconv_run *run;
    struct ups_box box; /* of the strip */
    const struct ups_phase_group *p;
    const float *packed; /* of the convolution group */
    int64_t g;
    struct ups_rows rows;
    bool in_place;               /* pixels are broadcast from the source where a tile meets no border */
    int64_t lo[3], hi[3];        /* cells with an output in the strip */
    const float **plain, **ring; /* by (tap on D, tap on H): the source row, NULL outside the image; and packed */
    bool packed_line;            /* ring holds the current line's rows */
    const float **a, **b;        /* the tile's taps */
    float *tile;
    struct piece piece[UPS_MAX_NR]; /* of the panel */
    int64_t pieces;
    /* Channels first, where the block's outputs go: [cell on D][phase of D][cell on H][phase of H][w][channel]; else NULL, they go
     * in place. */
    float *strip;
    int64_t begin[2], end[2], t0[2], phases[2]; /* of the strip: cells, the first phase, how many */
    int64_t channel;                            /* the block's first */
    int64_t pixel;                              /* from output to output along W */
};

static size_t workspace(const ups_plan *plan, const struct ups_deconv *d, int64_t width)
{
    const struct ups_kernels *k = plan->op->kernels;
    const struct ups_deconv_axis *w = &d->axis[2];
    struct ups_rows rows;
    ups_rows_shape(&rows, d, d->strip);
    size_t lines = ups_bytes(d->axis[0].taps, d->axis[1].taps, 1, sizeof(float *));
    size_t taps = ups_bytes(d->axis[0].taps, d->axis[1].taps, w->taps, sizeof(float *));
    size_t tile = ups_bytes(ups_max(UPS_MAX_MR * k->nr, d->out), 1, 1, sizeof(float));
    return ups_rows_bytes(&rows, d, ups_ceil_div(width + (w->k - 1) * w->d, w->s) + 2) + 2 * ups_taken(lines) +
           2 * ups_taken(taps) + ups_taken(tile) + ups_taken(ups_bytes(d->strip, d->kept, width, sizeof(float)));
}

/* ---- input ---- */

/* The source rows under the cells of line (cd, ch). */
static void find_rows(struct product *q, int64_t cd, int64_t ch)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_view *x = &q->run->plan->x;
    const struct ups_phase_group *p = q->p;
    for (int64_t j = 0; j < p->taps[0] * p->taps[1]; j++) {
        int64_t id = cd - j / p->taps[1] * d->axis[0].step_i, ih = ch - j % p->taps[1] * d->axis[1].step_i;
        bool inside = id >= 0 && id < x->size[0] && ih >= 0 && ih < x->size[1];
        q->plain[j] = inside ? q->run->src + ups_row_offset(x, q->box.n, q->g * d->in, id, ih) : NULL;
    }
    q->packed_line = false;
}

static void pack_rows(struct product *q, int64_t cd, int64_t ch)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_phase_group *p = q->p;
    for (int64_t j = 0; j < p->taps[0] * p->taps[1]; j++)
        if (q->plain[j])
            q->ring[j] = ups_rows_get(&q->rows, q->run, q->box.n, q->g, cd - j / p->taps[1] * d->axis[0].step_i,
                                      ch - j % p->taps[1] * d->axis[1].step_i);
    q->packed_line = true;
}

/* The taps that meet the image for cells c … c + rows - 1 of line (cd, ch). */
static void list_taps(struct product *q, struct ups_gemm *tile, const float *panel, int64_t width, int64_t cd,
                      int64_t ch, int64_t c)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_view *x = &q->run->plan->x;
    const struct ups_phase_group *p = q->p;
    int64_t step = d->axis[2].step_i, end = c + tile->rows;
    int64_t first = 0, last = p->taps[2]; /* few tiles meet a border, and pay for the divisions */
    if (c >= x->size[2]) first = ups_min(last, ups_ceil_div(c - x->size[2] + 1, step));
    if (end - 1 - (last - 1) * step < 0) last = ups_max(first, ups_floor_div(end - 1, step) + 1);
    bool in_place = q->in_place && c - (last - 1) * step >= 0 && end - first * step <= x->size[2];
    if (!in_place && !q->packed_line) pack_rows(q, cd, ch);
    tile->a_stride = in_place ? x->stride[2] : d->in;
    tile->taps = 0;
    for (int64_t jdh = 0; jdh < p->taps[0] * p->taps[1]; jdh++) {
        if (!q->plain[jdh]) continue;
        const float *row = in_place ? q->plain[jdh] : q->ring[jdh] - q->rows.first * d->in;
        for (int64_t j = first; j < last; j++) {
            q->a[tile->taps] = row + (c - j * step) * tile->a_stride;
            q->b[tile->taps++] = panel + (jdh * p->taps[2] + j) * d->in * width;
        }
    }
}

/* ---- output ---- */

/* Where outputs (cd, ch) of phases t0 begin: the strip's first output along W, channel 0 of the group; NULL if they lie outside
 * the strip. */
static float *line_at(const struct product *q, const int64_t t0[3], int64_t cd, int64_t ch)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_view *y = &q->run->plan->y;
    const struct ups_box *box = &q->box;
    int64_t od = cd * d->axis[0].s + shift(&d->axis[0], t0[0]), oh = ch * d->axis[1].s + shift(&d->axis[1], t0[1]);
    if (od < box->lo[0] || od >= box->hi[0] || oh < box->lo[1] || oh >= box->hi[1]) return NULL;
    if (!q->strip) return q->run->dst + ups_row_offset(y, box->n, q->g * d->out, od, oh) + box->lo[2] * y->stride[2];
    int64_t plane = (cd - q->begin[0]) * q->phases[0] + t0[0] - q->t0[0];
    int64_t line = (plane * (q->end[1] - q->begin[1]) + ch - q->begin[1]) * q->phases[1] + t0[1] - q->t0[1];
    return q->strip + line * (box->hi[2] - box->lo[2]) * q->pixel - q->channel;
}

/* The pieces of a panel: columns that lie side by side in the output, a phase's channels, or those of all phases of W where pixels
 * touch. */
static void split_panel(struct product *q, int64_t column, int64_t columns)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_deconv_axis *w = &d->axis[2];
    int64_t run = w->d == 1 && q->pixel == d->out ? q->p->phases[2] * d->out : d->out;
    q->pieces = 0;
    for (int64_t j = 0; j < columns; j += q->piece[q->pieces++].columns) {
        struct piece *piece = &q->piece[q->pieces];
        column_of(q->p, d->out, column + j, piece->t0, &piece->channel);
        piece->first = j;
        piece->columns = ups_min(columns - j, run - (column + j) % run);
        piece->w = shift(w, piece->t0[2]) - q->box.lo[2];
    }
}

/* Where the pieces go from line (cd, ch); false if none has an output in the strip. */
static bool find_lines(struct product *q, int64_t cd, int64_t ch)
{
    bool any = false;
    for (struct piece *piece = q->piece; piece < q->piece + q->pieces; piece++) {
        piece->line = line_at(q, piece->t0, cd, ch);
        any = any || piece->line;
    }
    return any;
}

/* Moves a piece of a tile of cells from c on to its outputs; what lies outside the strip is left. */
static void move(const struct product *q, const struct ups_gemm *tile, const struct piece *piece, int64_t c)
{
    const struct ups_deconv *d = q->run->d;
    int64_t s = d->axis[2].s, end = (q->box.hi[2] - q->box.lo[2]) * d->out, w = c * s + piece->w;
    const float *from = tile->c + piece->first;
    for (int64_t i = 0; piece->line && i < tile->rows; i++, w += s, from += tile->c_stride) {
        int64_t at = w * d->out + piece->channel;
        int64_t first = ups_max(0, -at), last = ups_min(piece->columns, end - at);
        float *to = piece->line + w * q->pixel + piece->channel;
        for (int64_t k = first; k < last; k++) to[k] = from[k];
    }
}

/* ---- the product ---- */

/* Sums, bias and activation. */
static void multiply(const struct product *q, struct ups_gemm *tile, const float *bias)
{
    const struct ups_kernels *k = q->run->kernels;
    bool in_tile = ups_in_tile(tile->activation);
    tile->bias = in_tile ? bias : NULL;
    k->gemm.run(tile);
    if (!in_tile) k->finish.run(tile->c, tile->rows, tile->columns, tile->c_stride, bias, 0, 1, tile->activation);
}

/* The tile stores in place where its columns are one piece and all its outputs lie in the strip. */
static void run_tile(struct product *q, struct ups_gemm *tile, const float *bias, int64_t c)
{
    const struct ups_deconv *d = q->run->d;
    const struct piece *piece = q->piece;
    int64_t s = d->axis[2].s, end = (q->box.hi[2] - q->box.lo[2]) * d->out, w = c * s + piece->w;
    int64_t at = w * d->out + piece->channel;
    if (q->pieces == 1 && at >= 0 && at + (tile->rows - 1) * s * d->out + piece->columns <= end) {
        tile->c = piece->line + w * q->pixel + piece->channel;
        tile->c_stride = s * q->pixel;
        multiply(q, tile, bias);
        return;
    }
    tile->c = q->tile;
    tile->c_stride = tile->columns;
    multiply(q, tile, bias);
    for (; piece < q->piece + q->pieces; piece++) move(q, tile, piece, c);
}

/* Rows of a tile: of n pixels in a row, a tile of r cells meets the n + r - 1 nearest taps, each for all its rows. With more taps
 * than pixels a low tile computes fewer products with padding, but it is slower for each: it takes about 8 accumulators to keep
 * the machine busy. */
static int64_t tile_height(const struct product *q, int64_t columns)
{
    const struct ups_kernels *k = q->run->kernels;
    int64_t most = ups_tile_height(k, columns), vectors = ups_ceil_div(columns, k->lanes), best = most;
    int64_t taps = q->p->taps[2], n = q->run->plan->x.size[2];
    double least = 0;
    for (int64_t r = 1; taps > n && r <= most; r++) {
        double cost = (double)ups_min(taps, n + r - 1) * (double)ups_max(8, r * vectors) / (double)(r * vectors);
        if (r == 1 || cost < least) best = r, least = cost;
    }
    return best;
}

/* All cells of the strip with one panel of weights. */
static void run_panel(struct product *q, int64_t column, int64_t ahead)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_kernels *k = q->run->kernels;
    struct ups_gemm tile = {.columns = ups_min(k->nr, q->p->columns - column),
                            .depth = d->in,
                            .a = q->a,
                            .b = q->b,
                            .activation = &d->activation};
    tile.b_stride = ups_round_up(tile.columns, k->lanes);
    if (!ahead) ahead = tile.b_stride * d->in * group_taps(q->p); /* the next panel */
    const float *panel = q->packed + panel_at(d, q->p, column, tile.b_stride);
    int64_t count = q->hi[2] - q->lo[2], tiles = ups_ceil_div(count, tile_height(q, tile.columns));
    int64_t height = count / tiles, higher = count % tiles; /* as ups_tile_rows */
    split_panel(q, column, tile.columns);
    for (int64_t cd = q->lo[0]; cd < q->hi[0]; cd++)
        for (int64_t ch = q->lo[1]; ch < q->hi[1]; ch++) {
            if (!find_lines(q, cd, ch)) continue;
            /* The tile asks for a cache line of each row of weights: lines of cells take turns. */
            tile.ahead = ahead + 16 * ups_floor_mod(ch, ups_ceil_div(tile.b_stride, 16));
            find_rows(q, cd, ch);
            for (int64_t i = 0, c = q->lo[2]; i < tiles; i++, c += tile.rows) {
                tile.rows = height + (i < higher);
                list_taps(q, &tile, panel, tile.b_stride, cd, ch, c);
                run_tile(q, &tile, q->packed + q->p->bias + column, c);
            }
        }
}

/* The strip that the block keeps apart, of all phases of its rows. */
static void open_strip(struct product *q, const struct ups_phase_group *row, float *strip)
{
    const struct ups_deconv *d = q->run->d;
    for (int i = 0; i < 2; i++) {
        const struct ups_deconv_axis *a = &d->axis[i];
        q->t0[i] = d->rows_together > 1 ? 0 : row->t0[i];
        q->phases[i] = d->rows_together > 1 ? a->phases : row->phases[i];
        cells(a, q->t0[i], q->phases[i], q->box.lo[i], q->box.hi[i], &q->begin[i], &q->end[i]);
    }
    q->strip = strip;
    if (d->axis[2].phases == d->axis[2].s) return;
    /* Outputs of no phase are act(bias). */
    int64_t outputs = (q->end[0] - q->begin[0]) * q->phases[0] * (q->end[1] - q->begin[1]) * q->phases[1] *
                      (q->box.hi[2] - q->box.lo[2]);
    memset(strip, 0, (size_t)(outputs * q->pixel) * sizeof *strip);
    q->run->kernels->finish.run(strip, outputs, q->pixel, q->pixel, q->packed + q->channel, 0, 1, &d->activation);
}

/* Channels first: the strip's lines to their planes. With all phases of H there, neighbouring lines are neighbours in it. */
static void leave(struct product *q)
{
    const struct ups_deconv_axis *a = q->run->d->axis;
    int64_t lines = a[1].d == 1 && q->phases[1] == a[1].s ? q->box.hi[1] - q->box.lo[1] : 1;
    for (int64_t cd = q->begin[0]; cd < q->end[0]; cd++)
        for (int64_t i = 0; i < q->phases[0]; i++)
            for (int64_t ch = q->begin[1]; ch < q->end[1]; ch++)
                for (int64_t j = 0; j < q->phases[1]; j++) {
                    int64_t t0[3] = {q->t0[0] + i, q->t0[1] + j, 0};
                    int64_t oh = ch * a[1].s + shift(&a[1], t0[1]);
                    const float *line = line_at(q, t0, cd, ch);
                    if (line && (oh - q->box.lo[1]) % lines == 0)
                        ups_store_lines(q->run, line + q->channel, &q->box, q->g * q->run->d->out + q->channel,
                                        q->pixel, cd * a[0].s + shift(&a[0], t0[0]), oh, lines);
                }
}

/* All panels of one row of phases, from `column` on where phases are not merged. */
static void run_row(struct product *q, const struct ups_phase_group *row, int64_t column, int64_t ahead)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_deconv_axis *a = d->axis;
    int64_t nr = q->run->kernels->nr;
    q->p = row;
    for (int i = 0; i < 2; i++)
        cells(&a[i], row->t0[i], row->phases[i], q->box.lo[i], q->box.hi[i], &q->lo[i], &q->hi[i]);
    if (q->lo[0] >= q->hi[0] || q->lo[1] >= q->hi[1]) return;
    for (; q->p < row + d->row_groups; q->p++) {
        cells(&a[2], q->p->t0[2], q->p->phases[2], q->box.lo[2], q->box.hi[2], &q->lo[2], &q->hi[2]);
        if (q->lo[2] >= q->hi[2]) continue;
        if (d->merged == 3)
            run_panel(q, column, q->p == row + d->row_groups - 1 ? ahead : 0);
        else
            for (int64_t first = 0; first < q->p->columns; first += nr) run_panel(q, first, 0);
    }
}

static void run_block(struct product *q, int64_t block, float *strip)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_kernels *k = q->run->kernels;
    int64_t panels = d->merged < 3 ? 1 : ups_ceil_div(d->out, k->nr), column = block % panels * k->nr;
    int64_t columns = ups_min(k->nr, d->out - column), width = ups_round_up(columns, k->lanes);
    const struct ups_phase_group *row = &d->phase_group[block / panels * d->row_groups];
    q->channel = d->merged < 3 ? 0 : column;
    q->pixel = !strip ? q->run->plan->y.stride[2] : d->merged < 3 ? d->out : columns;
    q->strip = NULL;
    if (strip) open_strip(q, row, strip);
    for (int64_t i = 1; i <= d->rows_together; i++, row += d->row_groups) {
        int64_t ahead = 0; /* from the row's last panel to the next row's first */
        if (i < d->rows_together && d->merged == 3)
            ahead = (int64_t)panel_at(d, row + d->row_groups, column, width) -
                    (int64_t)panel_at(d, row + d->row_groups - 1, column, width);
        run_row(q, row, column, ahead);
    }
    if (strip) leave(q);
}

/* One convolution group, a strip of lines at a time. */
static void run_strips(struct product *q, const struct ups_box *box, float *strip)
{
    const struct ups_deconv *d = q->run->d;
    q->box = *box;
    for (struct ups_box *part = &q->box; part->lo[1] < box->hi[1]; part->lo[1] = part->hi[1]) {
        part->hi[1] = ups_strip_end(&d->axis[1], d->strip, part->lo[1], box->hi[1]);
        if (ups_deconv_has_gaps(d)) ups_fill_gaps(q->run, &q->box, q->g, q->tile);
        for (int64_t block = box->first; block < box->last; block++) run_block(q, block, strip);
    }
}

static void run_phase(const struct ups_deconv_run *run, const struct ups_box *box)
{
    const struct ups_deconv *d = run->d;
    const struct ups_deconv_axis *a = d->axis;
    struct product q = {.run = run, .in_place = !ups_is_first(run->plan)};
    char *at = run->workspace;
    size_t lines = (size_t)(a[0].taps * a[1].taps), taps = lines * (size_t)a[2].taps;
    int64_t first, last, width = box->hi[2] - box->lo[2], near = UPS_MAX_MR + (a[2].taps - 1) * a[2].step_i;
    pixels(&a[2], box->lo[2], box->hi[2], &first, &last);
    q.plain = ups_take(&at, lines * sizeof *q.plain);
    q.ring = ups_take(&at, lines * sizeof *q.ring);
    q.a = ups_take(&at, taps * sizeof *q.a);
    q.b = ups_take(&at, taps * sizeof *q.b);
    q.tile = ups_take(&at, (size_t)ups_max(UPS_MAX_MR * run->kernels->nr, d->out) * sizeof *q.tile);
    float *strip = q.in_place ? NULL : ups_take(&at, (size_t)(d->strip * d->kept * width) * sizeof *strip);
    ups_rows_shape(&q.rows, d, d->strip);
    for (q.g = 0; q.g < d->groups; q.g++) {
        char *ring = at;
        q.packed = run->packed + (size_t)q.g * d->packed_floats;
        ups_rows_place(&q.rows, d, first, last - first, q.in_place ? near : run->plan->x.size[2], &ring);
        run_strips(&q, box, strip);
    }
}

const struct ups_deconv_algorithm ups_deconv_phase = {"phase", true, work, layout, pack, workspace, run_phase};
