/* SPDX-License-Identifier: MIT
 *
 * The gradient of a transposed convolution with respect to its input: the plain strided convolution
 *
 *     dx[i, ci] = sum over taps t, output channels co of g[s*i + t*d - pad, co] * w[ci, co, t]
 *
 * as an implicit matrix product over the tile. Rows are pixels of dx along W, depth is (tap, output channel), lanes are input
 * channels. From row to row a tap steps s pixels of g: broadcast from where they lie, or from a ring of packed rows, near the
 * border, where zeros must surround the image, and channels first, where a row is transposed when it enters. Results go from
 * registers to their place; channels first to a line that is transposed when it leaves.
 *
 * Each result is one chain over taps in row-major order and output channels inside, from 0. Taps that meet only padding for a
 * whole tile are left out; a product with a zero of the padding does not change a chain.
 *
 * Here the machinery of transposed convolution reads backwards: in and out of struct ups_deconv are the channels of g and dx.
 */
#include <inttypes.h>
#include <stdio.h>

#include "deconv.h"

enum { ENOUGH_UNITS = 64, PIECE = 56, MOST_LINES = 128 };

/* ---- packing: [panel][tap][channel of g][channel of dx] ---- */

static void pack_panel(const struct ups_deconv *d, const float *weights, int64_t first, int64_t columns, int64_t width,
                       float *panel)
{
    int64_t column[UPS_MAX_NR], k = d->axis[2].k;
    for (int64_t j = 0; j < columns; j++) column[j] = (first + j) * d->w.out;
    /* channels outermost: the taps of one weight share cache lines in most layouts */
    for (int64_t c = 0; c < d->in; c++) {
        float *out = panel + c * width;
        for (int64_t td = 0; td < d->axis[0].k; td++)
            for (int64_t th = 0; th < d->axis[1].k; th++, out += k * d->in * width)
                ups_pack_panel(out, width, columns, weights + c * d->w.in + td * d->w.tap[0] + th * d->w.tap[1], column,
                               k, d->w.tap[2], d->in * width);
    }
}

static int64_t taps_of(const struct ups_deconv *d)
{
    return d->axis[0].k * d->axis[1].k * d->axis[2].k;
}

static void pack(const struct ups_deconv *d, const struct ups_kernels *k, const float *weights, float *to)
{
    for (int64_t g = 0; g < d->groups; g++, to += d->packed_floats)
        for (int64_t first = 0; first < d->out; first += k->nr) {
            int64_t columns = ups_min(k->nr, d->out - first);
            pack_panel(d, weights + g * d->w.group, first, columns, ups_round_up(columns, k->lanes),
                       to + first * taps_of(d) * d->in);
        }
}

static int32_t make_grad_input(struct ups_op *op, const float *weights, const float *bias, const ups_options *options)
{
    int32_t status = ups_deconv_make_geometry(op, weights, bias, options);
    struct ups_deconv *d = op->deconv;
    if (status) return status;
    int64_t in = d->in, w_in = d->w.in;
    d->in = d->out, d->out = in;
    d->w.in = d->w.out, d->w.out = w_in;
    d->packed_floats = (size_t)(ups_round_up(d->out, op->kernels->lanes) * d->in * taps_of(d));
    if (!weights) return UPS_OK;
    d->packed = ups_allocate(&op->memory, ups_packed_bytes(d));
    if (!d->packed) return UPS_NO_MEMORY;
    pack(d, op->kernels, weights, d->packed);
    return UPS_OK;
}

/* ---- plan ---- */

/* A unit is a piece of a line of dx, of all channels or, where there are few such pieces, of one panel of channels. Units are
 * counted by h, piece, d, n, panel, group, the first fastest: the units of a part are lines one under the other. */
struct division {
    struct ups_deconv deconv;
    int64_t piece, pieces; /* pixels of a piece, pieces of a line */
    int64_t panels;        /* of a convolution group */
    bool by_panel;
    int64_t lines; /* that are computed together, so that a panel of weights is fetched once for them */
    struct ups_rows rows;
};

/* Pixels of g along an axis that `n` pixels of dx reach. */
static int64_t reach(const struct ups_deconv_axis *a, int64_t n)
{
    return (n - 1) * a->s + ups_extent(a->k, a->d);
}

/* Slots for the rows of g that a strip reads: as many as lie side by side, unless a dilation or stride spreads them; then one
 * for each tap of a line. */
static bool shape_rows(const struct ups_deconv *d, int64_t lines, struct ups_rows *rows)
{
    bool close = true;
    for (int i = 0; i < 2; i++) {
        const struct ups_deconv_axis *a = &d->axis[i];
        int64_t together = i ? lines : 1, range = reach(a, together);
        bool dense = range <= 4 * (a->k + together);
        rows->count[i] = dense ? range : a->k;
        rows->divisor[i] = dense ? 1 : a->d;
        close = close && (dense || together == 1);
    }
    return close;
}

static size_t workspace(const ups_plan *plan, const struct division *v)
{
    const struct ups_deconv *d = &v->deconv;
    size_t rows = ups_bytes(d->axis[0].k, d->axis[1].k, 1, sizeof(float *));
    size_t taps = ups_bytes(taps_of(d), 1, 1, sizeof(float *));
    size_t line = ups_is_first(plan) ? ups_bytes(v->piece, plan->op->kernels->nr, 1, sizeof(float)) : 0;
    size_t bytes = 2 * ups_taken(rows) + 2 * ups_taken(taps) + ups_taken(line) +
                   ups_rows_bytes(&v->rows, d, reach(&d->axis[2], v->piece));
    return bytes + (d->packed ? 0 : ups_taken(ups_packed_bytes(d)));
}

static int32_t plan_grad_input(ups_plan *plan)
{
    struct division *v = plan->state = ups_allocate(&plan->op->memory, sizeof *v);
    if (!v) return UPS_NO_MEMORY;
    v->deconv = *plan->op->deconv;
    struct ups_deconv *d = &v->deconv;
    for (int a = 0; a < 3; a++) d->axis[a].pad = plan->pad[a];
    const struct ups_deconv_axis *w = &d->axis[2];
    const struct ups_view *y = &plan->y;
    int64_t lines = y->n * y->size[0] * y->size[1], width = y->size[2];
    int64_t l2 = plan->op->cache[1] / (int64_t)sizeof(float) / 2;
    /* the rows of g that a line reads stay in L2 */
    int64_t pixels = l2 / (d->axis[0].k * d->axis[1].k) / d->in - ups_extent(w->k, w->d);
    int64_t most = ups_min(width, ups_max(PIECE, pixels / w->s));
    if (lines < ENOUGH_UNITS) most = ups_min(most, PIECE);
    v->piece = ups_ceil_div(width, ups_ceil_div(width, most));
    v->pieces = ups_ceil_div(width, v->piece);
    v->panels = ups_ceil_div(d->out, plan->op->kernels->nr);
    v->by_panel = lines * v->pieces < ENOUGH_UNITS;
    plan->units = lines * v->pieces * (v->by_panel ? d->groups * v->panels : 1);
    /* and those of a strip */
    pixels = ups_min(reach(w, v->piece), plan->x.size[2]) * d->in;
    int64_t rows = l2 / ups_max(1, pixels) / d->axis[0].k - ups_extent(d->axis[1].k, d->axis[1].d);
    v->lines = ups_min(y->size[1], ups_max(1, ups_min(MOST_LINES, rows / d->axis[1].s + 1)));
    if (!shape_rows(d, v->lines, &v->rows)) shape_rows(d, v->lines = 1, &v->rows);
    plan->part_workspace = ups_taken(workspace(plan, v));
    return UPS_OK;
}

/* ---- run ---- */

/* Lines h0 … h0 + lines - 1 of dx, pixels w0 … w0 + width - 1, of one image and convolution group. */
struct product {
    struct ups_deconv_run run;
    const struct division *v;
    struct ups_rows rows;
    bool in_place; /* pixels are broadcast from the source where a tile meets no border */
    int64_t g, n, d, h0, lines, w0, width;
    const float **plain, **ring; /* by (tap on D, tap on H): the row of g, NULL outside the image; and packed */
    bool packed_line;            /* ring holds the current line's rows */
    const float **a, **b;        /* the tile's taps */
    float *line;                 /* channels first: [w][channel] of a panel; else NULL, results go in place */
};

/* The row of g that each row of the kernel brings to line h. */
static void find_rows(struct product *q, int64_t h)
{
    const struct ups_deconv_axis *a = q->run.d->axis;
    const struct ups_view *x = &q->run.plan->x;
    for (int64_t r = 0; r < a[0].k * a[1].k; r++) {
        int64_t od = q->d * a[0].s + r / a[1].k * a[0].d - a[0].pad, oh = h * a[1].s + r % a[1].k * a[1].d - a[1].pad;
        bool inside = od >= 0 && od < x->size[0] && oh >= 0 && oh < x->size[1];
        q->plain[r] = inside ? q->run.src + ups_row_offset(x, q->n, q->g * q->run.d->in, od, oh) : NULL;
    }
    q->packed_line = false;
}

static void pack_rows(struct product *q, int64_t h)
{
    const struct ups_deconv_axis *a = q->run.d->axis;
    for (int64_t r = 0; r < a[0].k * a[1].k; r++)
        if (q->plain[r])
            q->ring[r] = ups_rows_get(&q->rows, &q->run, q->n, q->g, q->d * a[0].s + r / a[1].k * a[0].d - a[0].pad,
                                      h * a[1].s + r % a[1].k * a[1].d - a[1].pad);
    q->packed_line = true;
}

/* The taps that meet the image for pixels c … c + rows - 1 of line h. */
static void list_taps(struct product *q, struct ups_gemm *tile, const float *panel, int64_t h, int64_t c)
{
    const struct ups_deconv *d = q->run.d;
    const struct ups_view *x = &q->run.plan->x;
    const struct ups_deconv_axis *w = &d->axis[2];
    int64_t base = c * w->s - w->pad, end = base + (tile->rows - 1) * w->s; /* through tap 0 */
    int64_t first = ups_max(0, ups_ceil_div(-end, w->d)), last = ups_min(w->k, ups_ceil_div(x->size[2] - base, w->d));
    bool in_place = q->in_place && base + first * w->d >= 0 && end + (last - 1) * w->d < x->size[2];
    if (!in_place && !q->packed_line) pack_rows(q, h);
    int64_t pixel = in_place ? x->stride[2] : d->in;
    tile->a_stride = w->s * pixel;
    tile->taps = 0;
    for (int64_t r = 0; r < d->axis[0].k * d->axis[1].k; r++) {
        if (!q->plain[r]) continue;
        const float *row = in_place ? q->plain[r] : q->ring[r] - q->rows.first * d->in;
        for (int64_t t = first; t < last; t++) {
            q->a[tile->taps] = row + (base + t * w->d) * pixel;
            q->b[tile->taps++] = panel + (r * w->k + t) * d->in * tile->b_stride;
        }
    }
}

/* All lines of the strip with one panel of weights. */
static void run_panel(struct product *q, int64_t column)
{
    const struct ups_deconv *d = q->run.d;
    const struct ups_kernels *k = q->run.kernels;
    const struct ups_view *y = &q->run.plan->y;
    struct ups_gemm tile = {.columns = ups_min(k->nr, d->out - column), .depth = d->in, .a = q->a, .b = q->b};
    tile.b_stride = ups_round_up(tile.columns, k->lanes);
    tile.ahead = tile.b_stride * d->in * taps_of(d); /* the next panel */
    tile.c_stride = q->line ? tile.columns : y->stride[2];
    const float *panel = q->run.packed + (size_t)q->g * d->packed_floats + column * taps_of(d) * d->in;
    const struct ups_box box = {
        .n = q->n, .lo = {q->d, q->h0, q->w0}, .hi = {q->d + 1, q->h0 + q->lines, q->w0 + q->width}};
    int64_t height = ups_tile_height(k, tile.columns);
    for (int64_t i = 0; i < q->lines; i++) {
        float *line = q->line ? q->line
                              : q->run.dst + ups_row_offset(y, q->n, q->g * d->out + column, q->d, q->h0 + i) +
                                    q->w0 * tile.c_stride;
        find_rows(q, q->h0 + i);
        for (int64_t c = 0; c < q->width; c += tile.rows) {
            tile.rows = ups_tile_rows(q->width - c, height);
            tile.c = line + c * tile.c_stride;
            list_taps(q, &tile, panel, q->h0 + i, q->w0 + c);
            k->gemm.run(&tile);
        }
        if (q->line) ups_store_lines(&q->run, line, &box, q->g * d->out + column, tile.columns, q->d, q->h0 + i, 1);
    }
}

/* Panels [first, last) of convolution group g, of the pieces [from, to). */
static void run_pieces(struct product *q, int64_t first, int64_t last, int64_t from, int64_t to, char *ring)
{
    const struct division *v = q->v;
    const struct ups_deconv *d = q->run.d;
    const struct ups_view *x = &q->run.plan->x, *y = &q->run.plan->y;
    const struct ups_deconv_axis *w = &d->axis[2];
    int64_t near = (UPS_MAX_MR - 1) * w->s + ups_extent(w->k, w->d);
    for (int64_t u = from; u < to; u += q->lines) {
        int64_t piece = u / y->size[1] % v->pieces, plane = u / y->size[1] / v->pieces;
        q->h0 = u % y->size[1];
        q->d = plane % y->size[0];
        q->n = plane / y->size[0];
        q->lines = ups_min(v->lines, ups_min(to - u, y->size[1] - q->h0));
        q->w0 = piece * v->piece;
        q->width = ups_min(v->piece, y->size[2] - q->w0);
        bool goes_on =
            u > from && (q->h0 || (v->pieces == 1 && q->d)); /* the ring's rows are of this image and piece */
        char *at = ring;
        if (!goes_on)
            ups_rows_place(&q->rows, d, q->w0 * w->s - w->pad, reach(w, v->piece), q->in_place ? near : x->size[2],
                           &at);
        for (int64_t panel = first; panel < last; panel++) run_panel(q, panel * q->run.kernels->nr);
    }
}

static void run_grad_input(const ups_plan *plan, ups_buffers *b, void *work, int64_t first, int64_t last)
{
    const struct division *v = plan->state;
    const struct ups_deconv *d = &v->deconv;
    const struct ups_kernels *k = plan->op->kernels;
    char *at = work;
    struct product q = {
        .run = {plan, d, k, b->src, b->dst, d->packed, NULL}, .v = v, .rows = v->rows, .in_place = !ups_is_first(plan)};
    if (!d->packed) {
        float *own = ups_take(&at, ups_packed_bytes(d));
        pack(d, k, b->weights, own);
        q.run.packed = own;
    }
    size_t rows = (size_t)(d->axis[0].k * d->axis[1].k), taps = (size_t)taps_of(d);
    q.plain = ups_take(&at, rows * sizeof *q.plain);
    q.ring = ups_take(&at, rows * sizeof *q.ring);
    q.a = ups_take(&at, taps * sizeof *q.a);
    q.b = ups_take(&at, taps * sizeof *q.b);
    if (!q.in_place) q.line = ups_take(&at, (size_t)(v->piece * k->nr) * sizeof *q.line);
    int64_t blocks = d->groups * v->panels, pieces = v->by_panel ? plan->units / blocks : plan->units;
    while (first < last) {
        int64_t block = first / pieces, from = first % pieces, to = ups_min(pieces, from + last - first);
        int64_t end = from == 0 && to == pieces ? block + (last - first) / pieces : block + 1;
        first += (end - block) * (to - from);
        if (!v->by_panel) end = blocks;
        for (; block < end; block += v->panels - block % v->panels) {
            q.g = block / v->panels;
            run_pieces(&q, block % v->panels, ups_min(v->panels, end - q.g * v->panels), from, to, at);
        }
    }
}

/* ---- describing ---- */

void ups_grad_describe(const ups_plan *plan, struct ups_report *r, const char *reason, int64_t macs)
{
    const struct ups_kernels *k = plan->op->kernels;
    const struct ups_deconv *d = plan->op->deconv;
    char tile[32];
    snprintf(tile, sizeof tile, "%" PRId64 "x%" PRId32, ups_tile_height(k, k->nr), k->nr);
    ups_report_string(r, "algorithm", "direct");
    ups_report_string(r, "reason", reason);
    ups_report_open(r, "refused");
    ups_report_close(r);
    ups_report_open(r, "kernels");
    ups_report_add(r, k->gemm.name);
    ups_report_add(r, k->transpose.name);
    ups_report_close(r);
    ups_report_string(r, "tile", tile);
    ups_report_number(r, "macs", macs);
    ups_report_number(r, "packed_bytes", d->packed ? (int64_t)ups_packed_bytes(d) : 0);
}

static void describe_grad_input(const ups_plan *plan, struct ups_report *r)
{
    const struct division *v = plan->state;
    ups_grad_describe(plan, r, "the only one: a strided convolution over the tile, one chain per output",
                      ups_deconv_macs(&v->deconv, plan->y.n, plan->y.size, plan->x.size));
}

const struct ups_family ups_grad_input_family = {make_grad_input, ups_deconv_unmake, plan_grad_input, run_grad_input,
                                                 describe_grad_input};
