/* SPDX-License-Identifier: MIT
 *
 * Algorithm winograd: fewer multiplications. A phase is a plain correlation (deconv.h), and with 2 or 3 taps along an axis a
 * minimal algorithm F(m, r) computes m of its outputs from m + r - 1 products instead of m*r (winograd.h). In two dimensions
 * F(4x4,3x3) needs 36 products instead of 144, F(4x4,2x2) 25 instead of 64; where a phase has one tap along an axis (k3 s2) that
 * axis stays as it is; with one along both it is a plain product.
 *
 * A tile is what one form computes: m_h x m_w outputs of one phase, from n_h x n_w pixels. For a block of tiles
 *
 *     V[point][tile][input channel]      the pixels, transformed
 *     M[point][tile][output channel]     one matrix product per point, with U[point][input channel][output channel]
 *     outputs                            M transformed back, bias, activation, stored at the phase's stride
 *
 * V of a block stays in level 2; U streams through it, once per block. Layout is channels last throughout, as in algorithm
 * phase: channels first enters by a ring of transposed rows and leaves by a strip of lines.
 *
 * A dilation d at stride 1 is d interleaved problems along the axis: tiles then step by d pixels.
 *
 * Accuracy. The rounding error of a form grows with the length of its chains, so the chain over the input channels is broken
 * every `chain` of them: partial sums are added. Forms are eligible by the factor of the contract, see the table below.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "deconv_phases.h"
#include "error.h"

/* ---- accuracy ---- */

/* The factor (rms error over that of one chain in the order of the reference) of an axis, with one chain over many channels; two
 * axes multiply. Measured by tests/test_winograd, the larger of gaussian and non-negative inputs. */
static const double factor_of_form[UPS_MINIMAL_FORMS] = {
    [UPS_F_1_1] = 1, [UPS_F_2_3] = 0.81, [UPS_F_4_3] = 1.3, [UPS_F_3_2] = 0.95, [UPS_F_4_2] = 1.28};

/* The error of a sum grows with its chain. The transforms' roundings do not shrink with it: they count as 20 more channels, 8
 * where one axis is transformed. A phase of one tap is the chain itself. */
static double factor_of_tile(struct ups_winograd_tile tile, int64_t channels, int64_t chain)
{
    if (tile.h == UPS_F_1_1 && tile.w == UPS_F_1_1) return 1;
    double transforms = tile.h == UPS_F_1_1 || tile.w == UPS_F_1_1 ? 8 : 20;
    double share = ((double)ups_min(chain, channels) + transforms) / (double)channels;
    return factor_of_form[tile.h] * factor_of_form[tile.w] * sqrt(share);
}

/* ---- choice of forms ---- */

/* The forms for r taps along an axis: large saves more products, small more accuracy. */
static enum ups_minimal_form form_of(int64_t taps, bool large)
{
    if (taps == 1) return UPS_F_1_1;
    if (taps == 2) return large ? UPS_F_4_2 : UPS_F_3_2;
    return large ? UPS_F_4_3 : UPS_F_2_3;
}

static int64_t taps_of(const struct ups_deconv_axis *a, int64_t t0)
{
    struct kind kind;
    kind_of(a, false, t0, &kind);
    return kind.taps;
}

static struct ups_winograd_tile tile_of(const struct ups_deconv *d, const bool large[2], int64_t t0_h, int64_t t0_w)
{
    return (struct ups_winograd_tile){form_of(taps_of(&d->axis[1], t0_h), large[0]),
                                      form_of(taps_of(&d->axis[2], t0_w), large[1])};
}

/* Least common multiple of the outputs of an axis' forms: where tiles of all phases begin. */
static int64_t tile_cells(const struct ups_deconv_axis *a, bool large)
{
    int64_t multiple = 1;
    for (int64_t t0 = 0; t0 < a->phases; t0++) {
        int64_t m = ups_minimal[form_of(taps_of(a, t0), large)].m;
        multiple *= m / ups_gcd(m, multiple);
    }
    return multiple;
}

/* Why the algorithm cannot do a layer, NULL if it can. */
static const char *refusal(const struct ups_deconv *d)
{
    const struct ups_deconv_axis *a = d->axis;
    if (a[0].k > 1 || a[0].s > 1) return "it has no forms along D";
    if (ups_deconv_has_gaps(d)) return "some outputs lie in no phase";
    for (int i = 1; i < 3; i++) {
        if (a[i].taps > 3) return "more than 3 taps of a phase along an axis";
        if (a[i].s > 1 && a[i].d > 1) return "stride and dilation along one axis";
    }
    if (a[1].taps == 1 && a[2].taps == 1) return "one tap per output: nothing to save";
    return NULL;
}

/* Products per cell and pair of channels, over all phases; the largest factor of a phase. */
static double products(const struct ups_deconv *d, const bool large[2], int64_t chain, double *factor)
{
    double sum = 0;
    *factor = 0;
    for (int64_t h = 0; h < d->axis[1].phases; h++)
        for (int64_t w = 0; w < d->axis[2].phases; w++) {
            struct ups_winograd_tile tile = tile_of(d, large, h, w);
            const struct ups_minimal *fh = &ups_minimal[tile.h], *fw = &ups_minimal[tile.w];
            sum += (double)(fh->n * fw->n) / (double)(fh->m * fw->m);
            *factor = fmax(*factor, factor_of_tile(tile, d->in, chain));
        }
    return sum;
}

/* Chooses the cheapest forms and chain within the policy's factor. Adding a partial sum to a tile takes about 1.4 of the time
 * that one input channel takes. Returns why there are none, or NULL. */
const char *ups_winograd_refusal(struct ups_deconv *d, int32_t policy)
{
    static const bool sizes[3][2] = {{true, true}, {false, true}, {false, false}};
    const double limit = policy == UPS_POLICY_FAST ? 2 : 1;
    double least = INFINITY, factor;
    const char *why = refusal(d);
    if (why) return why;
    for (int i = 0; i < 3; i++)
        for (int64_t chain = 128; chain >= 16; chain /= 2) {
            double cost = products(d, sizes[i], chain, &factor) * (1 + 1.4 / (double)ups_min(chain, d->in));
            if (factor > limit || cost >= least) continue;
            least = cost;
            d->winograd.large[0] = sizes[i][0];
            d->winograd.large[1] = sizes[i][1];
            d->winograd.chain = chain;
        }
    return least < INFINITY ? NULL : "no form is accurate enough under this policy";
}

/* ---- layout and packing ---- */

static int64_t points_of(struct ups_winograd_tile tile)
{
    return ups_minimal[tile.h].n * ups_minimal[tile.w].n;
}

static int64_t outputs_of(struct ups_winograd_tile tile)
{
    return ups_minimal[tile.h].m * ups_minimal[tile.w].m;
}

enum { LEAST_TILES = 14, MOST_TILES = 112 };

static int64_t most_points(const struct ups_deconv *d)
{
    int64_t most = 0;
    for (int64_t i = 0; i < d->phase_groups; i++) most = ups_max(most, points_of(d->phase_group[i].tile));
    return most;
}

/* Tiles of a block: V takes half of level 2, but enough rows for the tile of the product. */
static int64_t block_tiles(const struct ups_deconv *d)
{
    int64_t fit = d->cache[1] / 2 / (most_points(d) * d->in);
    return ups_min(MOST_TILES, ups_max(LEAST_TILES * 2, fit / LEAST_TILES * LEAST_TILES));
}

static int32_t layout(const struct ups_op *op, struct ups_deconv *d)
{
    const struct ups_deconv_axis *a = d->axis;
    const char *why = ups_winograd_refusal(d, op->policy);
    if (why) return ups_error(UPS_UNSUPPORTED, "options.algorithm = \"winograd\": %s", why);
    d->phase_groups = a[1].phases * a[2].phases;
    d->phase_group = ups_allocate(&op->memory, (size_t)d->phase_groups * sizeof *d->phase_group);
    if (!d->phase_group) return UPS_NO_MEMORY;
    size_t at = ups_bias_floats(d);
    for (int64_t h = 0; h < a[1].phases; h++)
        for (int64_t w = 0; w < a[2].phases; w++) {
            struct ups_phase_group *p = &d->phase_group[h * a[2].phases + w];
            p->t0[1] = h, p->t0[2] = w;
            p->tile = tile_of(d, d->winograd.large, h, w);
            p->weights = at;
            at += (size_t)(points_of(p->tile) * d->in * ups_round_up(d->out, op->kernels->lanes));
        }
    d->packed_floats = (size_t)ups_round_up((int64_t)at, 16);
    d->blocks = ups_ceil_div(d->out, op->kernels->nr);
    d->winograd.tiles = block_tiles(d);
    d->band[1] = tile_cells(&a[1], d->winograd.large[0]) * a[1].step_i;
    d->band[2] = tile_cells(&a[2], d->winograd.large[1]) * a[2].step_i;
    d->kept = op->desc.head.layout == UPS_CHANNELS_FIRST ? a[1].s * d->out : 0;
    return UPS_OK;
}

/* Weights are transformed in blocks of so many input by output channels, all its numbers alike: loops of constant length without
 * branches, and what a block reads and writes stays in level 1. */
enum { PACK_CHANNELS = 8, PACK_COLUMNS = 16, PACK_BLOCK = PACK_CHANNELS * PACK_COLUMNS };
typedef double pack_block[PACK_BLOCK];

/* One tap of a block, zeros for channels that are not there. */
static void gather(const struct ups_deconv *d, const float *from, int64_t channels, int64_t columns, double *to)
{
    if (channels * columns < PACK_BLOCK) memset(to, 0, sizeof(pack_block));
    for (int64_t i = 0; i < channels; i++)
        for (int64_t j = 0; j < columns; j++) to[i * PACK_COLUMNS + j] = (double)from[i * d->w.in + j * d->w.out];
}

/* A row of G times r blocks, to `sum` or rounded; r and which of the two are constants where it is called. */
static inline void weigh(int r, const double *g, const pack_block *x, double *sum, float *rounded)
{
    for (int i = 0; i < PACK_BLOCK; i++) {
        double s = g[0] * x[0][i];
        if (r > 1) s += g[1] * x[1][i];
        if (r > 2) s += g[2] * x[2][i];
        if (sum)
            sum[i] = s;
        else
            rounded[i] = (float)s;
    }
}

static void weigh_taps(int r, const double *g, const pack_block *x, double *sum)
{
    switch (r) {
    case 1: weigh(1, g, x, sum, NULL); break;
    case 2: weigh(2, g, x, sum, NULL); break;
    default: weigh(3, g, x, sum, NULL);
    }
}

static void weigh_and_round(int r, const double *g, const pack_block *x, float *sum)
{
    switch (r) {
    case 1: weigh(1, g, x, NULL, sum); break;
    case 2: weigh(2, g, x, NULL, sum); break;
    default: weigh(3, g, x, NULL, sum);
    }
}

/* U = G w G' of a block, in double, rounded once: [point] `step` apart, [channel] `width`, `stored` columns. `from` is the
 * phase's last tap, which the correlation takes first; taps run backwards from there. */
static void transform_weights(const struct ups_deconv *d, struct ups_winograd_tile tile, const float *from,
                              int64_t channels, int64_t columns, float *u, int64_t step, int64_t width, int64_t stored)
{
    const struct ups_minimal *h = &ups_minimal[tile.h], *w = &ups_minimal[tile.w];
    int64_t down = d->axis[1].step_t * d->w.tap[1], right = d->axis[2].step_t * d->w.tap[2];
    pack_block taps[3], half[UPS_MINIMAL_MOST][3];
    float sum[PACK_BLOCK];
    for (int j = 0; j < w->r; j++) {
        for (int k = 0; k < h->r; k++) gather(d, from - k * down - j * right, channels, columns, taps[k]);
        for (int i = 0; i < h->n; i++) weigh_taps(h->r, h->g[i], taps, half[i][j]);
    }
    for (int i = 0; i < h->n; i++)
        for (int j = 0; j < w->n; j++, u += step) {
            weigh_and_round(w->r, w->g[j], half[i], sum);
            for (int64_t ci = 0; ci < channels; ci++)
                memcpy(u + ci * width, sum + ci * PACK_COLUMNS, (size_t)stored * sizeof *u);
        }
}

/* Per phase: panels of output channels, [point][input channel][column]; columns beyond the last are 0. The phases of a block
 * together: in most layouts their taps share cache lines. */
static void pack(const struct ups_deconv *d, const struct ups_kernels *kernels, const float *weights, float *to)
{
    for (int64_t first = 0; first < d->out; first += kernels->nr) {
        int64_t width = ups_round_up(ups_min(kernels->nr, d->out - first), kernels->lanes);
        for (int64_t ci = 0; ci < d->in; ci += PACK_CHANNELS)
            for (int64_t i = 0; i < d->phase_groups; i++) {
                const struct ups_phase_group *p = &d->phase_group[i];
                int64_t down = p->t0[1] + (ups_minimal[p->tile.h].r - 1) * d->axis[1].step_t;
                int64_t right = p->t0[2] + (ups_minimal[p->tile.w].r - 1) * d->axis[2].step_t;
                const float *from =
                    weights + ci * d->w.in + first * d->w.out + down * d->w.tap[1] + right * d->w.tap[2];
                float *u = to + p->weights + (size_t)(first * points_of(p->tile) * d->in + ci * width);
                for (int64_t c = 0; c < width; c += PACK_COLUMNS)
                    transform_weights(d, p->tile, from + c * d->w.out, ups_min(PACK_CHANNELS, d->in - ci),
                                      ups_min(PACK_COLUMNS, ups_max(0, d->out - first - c)), u + c, d->in * width,
                                      width, ups_min(PACK_COLUMNS, width - c));
            }
    }
}

/* ---- cost ---- */

/* Cells of an axis in whole tiles. */
static double padded_cells(const struct ups_deconv_axis *a, const struct ups_minimal *f, int64_t outputs)
{
    int64_t cells = ups_ceil_div(outputs, a->s);
    return (double)(a->step_i * ups_ceil_div(ups_ceil_div(cells, a->step_i), f->m) * f->m);
}

/* In multiply-adds of the tile. A transform applies a matrix with about 3/5 of its elements set, lanes along channels, and loads
 * and stores what it works on; a pass over a tile takes about `slow` times as long as its operations, measured on small channels
 * (64 to 32 and 64 to 64), where a wrong choice costs most. */
double ups_winograd_cost(const ups_plan *plan, const struct ups_deconv *d)
{
    const double dense = 0.6, traffic = 3, slow = 1.5;
    double sum = ups_entry(d) * (double)(plan->x.n * ups_volume(plan->x.size));
    int64_t lanes = plan->op->kernels->lanes;
    for (int64_t i = 0; i < d->phase_groups; i++) {
        const struct ups_phase_group *p = &d->phase_group[i];
        const struct ups_minimal *h = &ups_minimal[p->tile.h], *w = &ups_minimal[p->tile.w];
        double tiles = padded_cells(&d->axis[1], h, plan->y.size[1]) / h->m *
                       padded_cells(&d->axis[2], w, plan->y.size[2]) / w->m * (double)(plan->y.n * plan->y.size[0]);
        double nh = h->n, nw = w->n, out = (double)ups_round_up(d->out, lanes), in = (double)d->in;
        double in_ops = dense * nh * nw * (nh + nw) + traffic * nh * nw;
        double out_ops = dense * (h->m * nh * nw + w->m * h->m * nw) + traffic * (nh * nw + h->m * w->m);
        sum += fmax(tiles, ups_deconv_fetch(d)) * nh * nw * in * out *
               (1 + 1.4 / (double)ups_min(d->winograd.chain, d->in));
        if (nh * nw > 1) sum += slow * tiles * (in_ops * in + out_ops * out);
    }
    return sum * (double)d->groups;
}

/* Its cost depends on the map: a plan chooses. */
static double work(const struct ups_deconv *d, const struct ups_kernels *kernels)
{
    (void)d;
    (void)kernels;
    return INFINITY;
}

void ups_winograd_describe(const struct ups_deconv *d, char *text, size_t size)
{
    struct ups_winograd_tile tile = {0};
    for (int64_t i = 0; i < d->phase_groups; i++)
        if (points_of(d->phase_group[i].tile) > points_of(tile)) tile = d->phase_group[i].tile;
    const struct ups_minimal *h = &ups_minimal[tile.h], *w = &ups_minimal[tile.w];
    snprintf(text, size, "F(%dx%d,%dx%d), chains of %" PRId64, h->m, w->m, h->r, w->r,
             ups_min(d->winograd.chain, d->in));
}

/* ---- run ---- */

/* One strip of a box. */
struct work {
    const struct ups_deconv_run *run;
    const struct ups_box *box;
    const struct ups_phase_group *p;
    const float *packed;
    int64_t g, depth; /* convolution group, output plane */
    struct ups_rows rows;
    const float **x;             /* of a block: [tile][pixel] */
    float **y;                   /* [tile][output], the first column of the current panel */
    float *strip, *zero, *v, *m; /* strip: channels first, [line][w][channel of the box's blocks]; else NULL */
    int64_t channel, channels;   /* of the box's blocks: the first in the group, how many */
    int64_t lo[3], hi[3];        /* cells of the phase with an output in the box */
    int64_t tiles[3];            /* along an axis */
};

/* From point to point in V and M: off a power of two, so that points do not share the sets of a cache. */
static int64_t point_pitch(int64_t floats)
{
    return ups_round_up(floats, 16) + 16;
}

static int64_t row_pixels(const struct ups_deconv *d, int64_t width)
{
    const struct ups_deconv_axis *w = &d->axis[2];
    return ups_ceil_div(width, w->s) + (d->band[2] + w->taps * w->step_i) + 2;
}

static size_t workspace(const ups_plan *plan, const struct ups_deconv *d, int64_t width)
{
    int64_t tiles = d->winograd.tiles, points = most_points(d);
    struct ups_rows rows;
    ups_rows_shape(&rows, d, d->strip + 2 * d->band[1]);
    size_t bytes = ups_taken(ups_bytes(ups_max(d->in, plan->op->kernels->nr), 1, 1, sizeof(float))) +
                   ups_taken(ups_bytes(points, point_pitch(tiles * d->in), 1, sizeof(float))) +
                   ups_taken(ups_bytes(points, point_pitch(tiles * plan->op->kernels->nr), 1, sizeof(float))) +
                   ups_taken(ups_bytes(tiles, points, 1, sizeof(float *))) +
                   ups_taken(ups_bytes(tiles, UPS_MINIMAL_OUTPUTS, UPS_MINIMAL_OUTPUTS, sizeof(float *))) +
                   ups_taken(ups_bytes(d->strip, d->kept, width, sizeof(float)));
    return bytes + (ups_is_first(plan) ? ups_rows_bytes(&rows, d, row_pixels(d, width)) : 0);
}

/* The first output of tile t along axis a, in cells. */
static int64_t tile_begin(const struct ups_deconv_axis *a, const struct ups_minimal *f, int64_t lo, int64_t hi,
                          int64_t t)
{
    int64_t step = a->step_i;
    if (step == 1) return lo + t * f->m;
    for (int64_t r = 0; r < step; r++) {
        int64_t tiles = ups_ceil_div(ups_max(0, ups_ceil_div(hi - lo - r, step)), f->m);
        if (t < tiles) return lo + r + t * f->m * step;
        t -= tiles;
    }
    return hi;
}

static int64_t tile_count(const struct ups_deconv_axis *a, const struct ups_minimal *f, int64_t lo, int64_t hi)
{
    int64_t count = 0;
    for (int64_t r = 0; r < a->step_i; r++)
        count += ups_ceil_div(ups_max(0, ups_ceil_div(hi - lo - r, a->step_i)), f->m);
    return count;
}

/* Where pixel 0 of source row h lies, channels side by side, and *step from pixel to pixel; NULL outside the image. */
static const float *row_at(struct work *k, int64_t h, int64_t *step)
{
    const struct ups_deconv_run *run = k->run;
    const struct ups_view *x = &run->plan->x;
    int64_t d = k->depth + run->plan->pad[0], channels = run->d->in;
    if (d < 0 || d >= x->size[0] || h < 0 || h >= x->size[1]) return NULL;
    *step = k->strip ? channels : x->stride[2];
    if (!k->strip) return run->src + ups_row_offset(x, k->box->n, k->g * channels, d, h);
    return ups_rows_get(&k->rows, run, k->box->n, k->g, d, h) - k->rows.first * channels;
}

/* Where output row h goes, from the box's first output along W and channel k->channel on; NULL outside the box. */
static float *line_at(const struct work *k, int64_t h)
{
    const struct ups_box *box = k->box;
    const struct ups_view *y = &k->run->plan->y;
    if (h < box->lo[1] || h >= box->hi[1]) return NULL;
    if (k->strip) return k->strip + (h - box->lo[1]) * (box->hi[2] - box->lo[2]) * k->channels;
    return k->run->dst + ups_row_offset(y, box->n, k->g * k->run->d->out + k->channel, k->depth, h) +
           box->lo[2] * y->stride[2];
}

/* From output to output along W. */
static int64_t output_step(const struct work *k)
{
    return k->strip ? k->channels : k->run->plan->y.stride[2];
}

/* A row of tiles: where pixel 0 of its source rows lies, NULL outside the image, and output 0 of its lines, NULL outside
 * the box. */
struct tile_row {
    int64_t index; /* -1: none yet */
    const float *row[UPS_MINIMAL_MOST];
    int64_t step; /* from pixel to pixel */
    float *line[UPS_MINIMAL_OUTPUTS];
};

static void find_lines(struct work *k, int64_t index, struct tile_row *r)
{
    const struct ups_deconv_axis *a = &k->run->d->axis[1];
    const struct ups_minimal *f = &ups_minimal[k->p->tile.h];
    int64_t h = tile_begin(a, f, k->lo[1], k->hi[1], index);
    r->index = index;
    for (int i = 0; i < f->n; i++) r->row[i] = row_at(k, h + (i - f->r + 1) * a->step_i, &r->step);
    for (int i = 0; i < f->m; i++) r->line[i] = line_at(k, (h + i * a->step_i) * a->s + shift(a, k->p->t0[1]));
}

/* Where the pixels of a tile lie, zeros for those outside the image; where its outputs go, channel k->channel, NULL for those
 * outside the box. */
static void find_tile(struct work *k, int64_t tile, struct tile_row *r, const float **x, float **y)
{
    const struct ups_deconv_axis *a = &k->run->d->axis[2];
    const struct ups_minimal *fh = &ups_minimal[k->p->tile.h], *f = &ups_minimal[k->p->tile.w];
    int64_t width = k->run->plan->x.size[2], lo = k->box->lo[2], hi = k->box->hi[2], pixel = output_step(k);
    if (tile / k->tiles[2] != r->index) find_lines(k, tile / k->tiles[2], r);
    int64_t w = tile_begin(a, f, k->lo[2], k->hi[2], tile % k->tiles[2]), first = w - (f->r - 1) * a->step_i;
    for (int i = 0; i < fh->n; i++)
        for (int64_t j = 0, at = first; j < f->n; j++, at += a->step_i)
            *x++ = r->row[i] && at >= 0 && at < width ? r->row[i] + at * r->step : k->zero;
    for (int i = 0; i < fh->m; i++)
        for (int64_t j = 0, at = w * a->s + shift(a, k->p->t0[2]); j < f->m; j++, at += a->step_i * a->s)
            *y++ = r->line[i] && at >= lo && at < hi ? r->line[i] + (at - lo) * pixel : NULL;
}

enum { LINE = 16 }; /* floats of a cache line */

/* M of one panel of columns, all points. Meanwhile the next point's weights come nearer: a row of them is up to two
 * cache lines, and a tile asks for one, the first tile for the first. */
static void multiply(const struct work *k, int64_t first, int64_t columns, int64_t tiles, int64_t v_pitch,
                     int64_t m_pitch)
{
    const struct ups_deconv *d = k->run->d;
    const struct ups_kernels *kernels = k->run->kernels;
    int64_t points = points_of(k->p->tile), width = ups_round_up(columns, kernels->lanes);
    const float *u = k->packed + k->p->weights + (size_t)(first * points * d->in), *a, *b, *next;
    struct ups_gemm tile = {.columns = width,
                            .taps = 1,
                            .a = &a,
                            .b = &b,
                            .a_stride = d->in,
                            .b_stride = width,
                            .next = &next,
                            .next_stride = width,
                            .c_stride = width};
    for (int64_t p = 0; p < points; p++)
        for (int64_t i = 0; i < tiles; i += tile.rows) {
            tile.rows = ups_tile_rows(tiles - i, ups_tile_height(kernels, columns));
            tile.c = k->m + p * m_pitch + i * width;
            for (int64_t c = 0; c < d->in; c += d->winograd.chain) {
                tile.depth = ups_min(d->winograd.chain, d->in - c);
                tile.add = c > 0;
                a = k->v + p * v_pitch + i * d->in + c;
                b = u + (p * d->in + c) * width;
                next = b + d->in * width + (i ? LINE : 0);
                kernels->gemm.run(&tile);
            }
        }
}

/* One panel of columns of all tiles of a block. */
static void leave(const struct work *k, int64_t tiles, int64_t pitch, int64_t first, int64_t columns)
{
    const struct ups_deconv *d = k->run->d;
    const struct ups_kernels *kernels = k->run->kernels;
    bool in_tile = ups_in_tile(&d->activation);
    kernels->winograd_out.run(&k->p->tile, tiles, k->m, pitch, ups_round_up(columns, kernels->lanes), columns,
                              in_tile ? k->packed + first : k->zero, ups_tile_activation(d), k->y);
    int64_t outputs = tiles * outputs_of(k->p->tile);
    for (int64_t i = 0; !in_tile && i < outputs; i++)
        if (k->y[i]) kernels->finish.run(k->y[i], 1, columns, columns, k->packed + first, 0, 1, &d->activation);
    for (int64_t i = 0; i < outputs; i++)
        if (k->y[i]) k->y[i] += columns;
}

/* One phase of the box, a block of tiles at a time. */
static void run_group(struct work *k)
{
    const struct ups_deconv *d = k->run->d;
    int64_t nr = k->run->kernels->nr, most = d->winograd.tiles, all = k->tiles[1] * k->tiles[2];
    int64_t outputs = outputs_of(k->p->tile), points = points_of(k->p->tile);
    struct tile_row row = {.index = -1};
    for (int64_t tile = 0, tiles; tile < all; tile += tiles) {
        tiles = ups_tile_rows(all - tile, most);
        int64_t v_pitch = point_pitch(tiles * d->in);
        for (int64_t i = 0; i < tiles; i++) find_tile(k, tile + i, &row, k->x + i * points, k->y + i * outputs);
        k->run->kernels->winograd_in.run(&k->p->tile, tiles, k->x, d->in, k->v, v_pitch);
        for (int64_t first = k->channel; first < k->channel + k->channels; first += nr) {
            int64_t columns = ups_min(nr, d->out - first), width = ups_round_up(columns, k->run->kernels->lanes);
            int64_t m_pitch = point_pitch(tiles * width);
            multiply(k, first, columns, tiles, v_pitch, m_pitch);
            leave(k, tiles, m_pitch, first, columns);
        }
    }
}

/* Cells of a line of a phase with one tap: their pixels, `step` apart, times the weights. */
static void multiply_pixels(const struct work *k, int64_t cells, const float *x, int64_t step, float *y, int64_t y_step)
{
    const struct ups_deconv *d = k->run->d;
    const struct ups_kernels *kernels = k->run->kernels;
    bool in_tile = ups_in_tile(&d->activation);
    for (int64_t first = k->channel, columns; first < k->channel + k->channels; first += columns, y += columns) {
        columns = ups_min(kernels->nr, d->out - first);
        const float *a, *b = k->packed + k->p->weights + (size_t)(first * d->in);
        int64_t width = ups_round_up(columns, kernels->lanes), most = ups_tile_height(kernels, columns);
        struct ups_gemm tile = {.columns = columns,
                                .taps = 1,
                                .depth = d->in,
                                .a = &a,
                                .b = &b,
                                .a_stride = step,
                                .b_stride = width,
                                .ahead = d->in * width,
                                .c_stride = y_step,
                                .bias = in_tile ? k->packed + first : NULL,
                                .activation = &d->activation};
        for (int64_t i = 0; i < cells; i += tile.rows) {
            tile.rows = ups_tile_rows(cells - i, most);
            tile.c = y + i * y_step;
            a = x + i * step;
            kernels->gemm.run(&tile);
        }
        if (!in_tile) kernels->finish.run(y, cells, columns, y_step, k->packed + first, 0, 1, &d->activation);
    }
}

/* A phase of one tap is a plain product: no transform, one chain. */
static void run_plain(struct work *k)
{
    const struct ups_deconv_axis *h = &k->run->d->axis[1], *w = &k->run->d->axis[2];
    int64_t width = k->run->plan->x.size[2], pixel = output_step(k), step = 0;
    int64_t left = ups_min(k->hi[2], ups_max(k->lo[2], 0)), right = ups_max(left, ups_min(k->hi[2], width));
    int64_t edge[] = {k->lo[2], left, right, k->hi[2]};
    for (int64_t c = k->lo[1]; c < k->hi[1]; c++) {
        const float *row = row_at(k, c, &step);
        float *line = line_at(k, c * h->s + shift(h, k->p->t0[1]));
        for (int i = 0; i < 3; i++) {
            int64_t at = edge[i] * w->s + shift(w, k->p->t0[2]) - k->box->lo[2];
            bool inside = row && i == 1;
            if (edge[i] < edge[i + 1])
                multiply_pixels(k, edge[i + 1] - edge[i], inside ? row + left * step : k->zero, inside ? step : 0,
                                line + at * pixel, w->s * pixel);
        }
    }
}

static void run_strip(struct work *k)
{
    const struct ups_deconv *d = k->run->d;
    for (int64_t i = 0; i < d->phase_groups; i++) {
        k->p = &d->phase_group[i];
        const struct ups_minimal *f[3] = {NULL, &ups_minimal[k->p->tile.h], &ups_minimal[k->p->tile.w]};
        for (int a = 1; a < 3; a++) {
            cells(&d->axis[a], k->p->t0[a], 1, k->box->lo[a], k->box->hi[a], &k->lo[a], &k->hi[a]);
            k->tiles[a] = tile_count(&d->axis[a], f[a], k->lo[a], k->hi[a]);
        }
        if (points_of(k->p->tile) == 1)
            run_plain(k);
        else
            run_group(k);
    }
    if (k->strip)
        ups_store_lines(k->run, k->strip, k->box, k->g * d->out + k->channel, k->channels, k->depth, k->box->lo[1],
                        k->box->hi[1] - k->box->lo[1]);
}

static void run_winograd(const struct ups_deconv_run *run, const struct ups_box *box)
{
    const struct ups_deconv *d = run->d;
    int64_t tiles = d->winograd.tiles, points = most_points(d), nr = run->kernels->nr;
    int64_t width = box->hi[2] - box->lo[2], lines = d->strip * d->axis[1].s, pixel, end;
    pixels(&d->axis[2], box->lo[2], box->hi[2], &pixel, &end);
    struct ups_box part = *box;
    struct work k = {.run = run, .box = &part, .channel = box->first * nr};
    k.channels = ups_min(d->out, box->last * nr) - k.channel;
    char *at = run->workspace;
    k.zero = ups_take(&at, (size_t)ups_max(d->in, nr) * sizeof *k.zero);
    memset(k.zero, 0, (size_t)ups_max(d->in, nr) * sizeof *k.zero);
    k.v = ups_take(&at, (size_t)(points * point_pitch(tiles * d->in)) * sizeof *k.v);
    k.m = ups_take(&at, (size_t)(points * point_pitch(tiles * nr)) * sizeof *k.m);
    k.x = ups_take(&at, (size_t)(tiles * points) * sizeof *k.x);
    k.y = ups_take(&at, (size_t)(tiles * UPS_MINIMAL_OUTPUTS * UPS_MINIMAL_OUTPUTS) * sizeof *k.y);
    if (ups_is_first(run->plan)) k.strip = ups_take(&at, (size_t)(d->strip * d->kept * width) * sizeof *k.strip);
    for (k.g = 0; k.g < d->groups; k.g++) {
        k.packed = run->packed + (size_t)k.g * d->packed_floats;
        if (k.strip) {
            char *ring = at;
            ups_rows_shape(&k.rows, d, d->strip + 2 * d->band[1]);
            ups_rows_place(&k.rows, d, pixel, row_pixels(d, width), run->plan->x.size[2], &ring);
        }
        for (k.depth = box->lo[0]; k.depth < box->hi[0]; k.depth++)
            for (part.lo[1] = box->lo[1]; part.lo[1] < box->hi[1]; part.lo[1] = part.hi[1]) {
                part.hi[1] = ups_min(box->hi[1], (part.lo[1] / lines + 1) * lines);
                run_strip(&k);
            }
    }
}

const struct ups_deconv_algorithm ups_deconv_winograd = {"winograd", false,     work,        layout,
                                                         pack,       workspace, run_winograd};
