/* SPDX-License-Identifier: MIT
 *
 * Algorithm planar: the products of algorithm phase with the tile turned around, for few output channels. Rows of the tile are
 * (phase, output channel) and their weights are broadcast; lanes are cells along W, whatever their number, so that no lane is
 * lost to channels that are not there.
 *
 *     sums[phase, channel][cell] = sum over taps and input channels of  w[tap][phase, channel][input] * x[input][cell - tap]
 *
 * The product reads pixels planar, [input channel][row][pixel], from a window of the source rows under a strip of cells. Rows
 * lie in it end to end with the zeros of the padding between them, and the cells of a strip are computed as one line: a tap is
 * an offset, the same for all of them. Cells that fall between rows are computed for nothing, as many as there are taps left of
 * a cell; for that no lane is lost at the end of each row.
 *
 *     window   x0 x1 x2 x3  0  x4 x5 x6 x7  0          tap (jh, jw): jh rows and jw pixels back
 *     cells    c0 c1 c2 c3 c4  c5 c6 c7 c8 c9
 *
 * The next strip keeps the rows it shares with this one. Both layouts enter here: channels first are copied, last transposed.
 *
 * Each output is the same chain as in algorithm phase: taps in row-major order and input channels inside, from 0, bias last.
 */
#include <string.h>

#include "deconv_phases.h"

/* ---- the groups of phases ---- */

/* Rows of a tile. Two vectors of cells go with each, and it takes 8 accumulators to keep the machine busy. */
static double tile_work(const struct ups_kernels *kernels, int64_t rows)
{
    double work = 0;
    for (int64_t height; rows; rows -= height) {
        height = ups_tile_rows(rows, ups_tile_height(kernels, kernels->nr));
        work += (double)ups_max(4, height);
    }
    return work;
}

/* An input is copied or transposed into the window and an output takes a detour: as measured at 64 to 256 channels for inputs, at 21
 * for outputs. */
static double work(const struct ups_deconv *d, const struct ups_kernels *kernels)
{
    const struct ups_deconv_axis *a = d->axis;
    const double copy = d->layout == UPS_CHANNELS_FIRST ? 8 : 12, store = 20;
    double sum = copy * (double)d->in + store * (double)(a[0].phases * a[1].phases * a[2].phases * d->out);
    struct kind kd, kh, kw;
    for (int64_t i = 0; kind_of(&a[0], close_together(&a[0]), i, &kd); i++)
        for (int64_t j = 0; kind_of(&a[1], close_together(&a[1]), j, &kh); j++)
            for (int64_t k = 0; kind_of(&a[2], close_together(&a[2]), k, &kw); k++)
                sum += (double)d->in * (double)(kd.taps * kh.taps * kw.taps) *
                       tile_work(kernels, kd.phases * kh.phases * kw.phases * d->out);
    return sum;
}

static int32_t layout(const struct ups_op *op, struct ups_deconv *d)
{
    const struct ups_deconv_axis *a = d->axis;
    int64_t groups = 1, at = (int64_t)ups_bias_floats(d);
    struct kind kd, kh, kw;
    for (int i = 0; i < 3; i++) groups *= kinds(&a[i], close_together(&a[i]));
    d->phase_group = ups_allocate(&op->memory, (size_t)groups * sizeof *d->phase_group);
    if (!d->phase_group) return UPS_NO_MEMORY;
    for (int64_t i = 0; kind_of(&a[0], close_together(&a[0]), i, &kd); i++)
        for (int64_t j = 0; kind_of(&a[1], close_together(&a[1]), j, &kh); j++)
            for (int64_t k = 0; kind_of(&a[2], close_together(&a[2]), k, &kw); k++) {
                struct ups_phase_group *p = &d->phase_group[d->phase_groups++];
                *p = (struct ups_phase_group){.t0 = {kd.t0, kh.t0, kw.t0},
                                              .phases = {kd.phases, kh.phases, kw.phases},
                                              .taps = {kd.taps, kh.taps, kw.taps},
                                              .columns = kd.phases * kh.phases * kw.phases * d->out};
                p->bias = (size_t)at;
                at += ups_round_up(p->columns, 16);
                p->weights = (size_t)at;
                at += ups_round_up(group_taps(p) * p->columns * d->in, 16);
                d->kept = ups_max(d->kept, ups_ceil_div(p->columns, a[2].s));
            }
    d->blocks = 1;
    d->packed_floats = (size_t)at;
    return UPS_OK;
}

/* [tap][row][input channel] for each group. */
static void pack(const struct ups_deconv *d, const struct ups_kernels *kernels, const float *weights, float *to)
{
    (void)kernels;
    for (const struct ups_phase_group *p = d->phase_group; p < d->phase_group + d->phase_groups; p++) {
        float *out = to + p->weights;
        int64_t step[3], t0[3], channel;
        for (int i = 0; i < 3; i++) step[i] = d->axis[i].step_t * d->w.tap[i];
        for (int64_t t = 0; t < group_taps(p); t++) {
            const float *tap = weights + t / p->taps[2] / p->taps[1] * step[0] + t / p->taps[2] % p->taps[1] * step[1] +
                               t % p->taps[2] * step[2];
            for (int64_t row = 0; row < p->columns; row++) {
                column_of(p, d->out, row, t0, &channel);
                const float *from =
                    tap + channel * d->w.out + t0[0] * d->w.tap[0] + t0[1] * d->w.tap[1] + t0[2] * d->w.tap[2];
                for (int64_t ci = 0; ci < d->in; ci++) *out++ = from[ci * d->w.in];
                to[p->bias + (size_t)row] = to[channel];
            }
        }
    }
}

/* ---- the window ---- */

/* Position i of plane jd holds row ch + (i - taps + 1)*step_i of plane cd - jd*step_i, where ch is the first line of cells: tap jh
 * of line l finds its row in position taps - 1 - jh + l. (With a step the strip is a single line.)
 *
 * Many lines lie end to end, channel by channel. A single line needs no neighbour: then the channels of a row lie together, so that
 * the products run through few pages, and positions are slots of a ring, so that a row stays where it is. */
struct window {
    bool ring;
    int64_t pitch;                      /* pixels of a row, with zeros */
    int64_t slots, row, plane, channel; /* how many, and the steps from one to the next */
    int64_t lo, hi;                     /* pixels that the cells read; may lie outside the image */
    int64_t origin;                     /* the pixel at a row's begin */
    int64_t g, cd, ch, lines;           /* what it holds; lines 0: nothing */
    float *pixels, *memory;             /* the first row, and the zeros in front of it */
};

/* Pixels of a row outside the image are zeros, shared by the right end of a row and the left of the next: so the first of a
 * plane has some in front. */
static int64_t most_pixels(const struct ups_deconv *d, int64_t width)
{
    const struct ups_deconv_axis *w = &d->axis[2];
    return ups_ceil_div(width, w->s) + 1 + (w->taps - 1) * w->step_i;
}

/* An odd number of cache lines, so that the input channels of a tile spread over all sets of the cache. */
static int64_t channel_pitch(int64_t floats)
{
    return ups_ceil_div(floats, 16) / 2 * 32 + 16;
}

struct product {
    const struct ups_deconv_run *run;
    struct ups_box box; /* of the strip */
    const struct ups_phase_group *p;
    const float *packed; /* of the convolution group */
    int64_t g;
    int64_t lo[3], hi[3]; /* cells */
    struct window window;
    int64_t *offset; /* of the taps that meet the image, from cell (lo[1], lo[2]) */
    const float **a, **b, **next;
    float *sums; /* [row][cell] */
    int64_t pitch;
};

/* Rows of sums, and at least an output's channels. */
static int64_t most_rows(const struct ups_deconv *d)
{
    int64_t rows = d->out;
    for (int64_t i = 0; i < d->phase_groups; i++) rows = ups_max(rows, d->phase_group[i].columns);
    return rows;
}

static size_t workspace(const ups_plan *plan, const struct ups_deconv *d, int64_t width)
{
    const struct ups_kernels *k = plan->op->kernels;
    int64_t pixels = most_pixels(d, width), rows = d->axis[1].taps + d->strip;
    size_t taps = ups_bytes(d->axis[0].taps, d->axis[1].taps, d->axis[2].taps, sizeof(int64_t));
    return 4 * ups_taken(taps) + ups_taken(ups_bytes(most_rows(d), d->strip, pixels, sizeof(float))) +
           ups_taken(ups_bytes(d->in * d->axis[0].taps, rows, pixels + 32, sizeof(float)) +
                     (size_t)k->nr * sizeof(float));
}

/* Lines end to end lose lanes once for all of them; a line that loses few on its own is a strip, because a ring is faster. */
int64_t ups_planar_cells(const ups_plan *plan, const struct ups_deconv *d, int64_t width)
{
    const struct ups_deconv_axis *w = &d->axis[2];
    int64_t first, last, lanes = plan->op->kernels->lanes;
    cells(w, 0, close_together(w) ? w->phases : 1, 0, width, &first, &last);
    int64_t lost = ups_round_up(last - first, lanes) - (last - first);
    return 20 * lost <= last - first ? 1 : 512;
}

/* A window for pixels lo … hi - 1, empty. */
static void open_window(struct window *v, const struct ups_deconv *d, int64_t width, int64_t lo, int64_t hi)
{
    int64_t left = ups_max(0, ups_min(hi, 0) - lo), right = ups_max(0, hi - ups_max(lo, width));
    v->lo = lo;
    v->hi = hi;
    v->origin = ups_max(lo, ups_min(0, hi));
    v->ring = d->strip == 1;
    v->pitch = hi - lo - left - right + (v->ring ? right : ups_max(left, right));
    v->slots = d->axis[1].taps - 1 + d->strip;
    if (v->ring) {
        v->channel = channel_pitch(left + v->pitch);
        v->row = d->in * v->channel;
        v->plane = v->slots * v->row;
    } else {
        v->row = v->pitch;
        v->plane = left + v->slots * v->row;
        v->channel = channel_pitch(d->axis[0].taps * v->plane);
    }
    v->lines = 0;
    v->pixels = v->memory + left;
    for (int64_t c = 0; c < d->in; c++)
        for (int64_t jd = 0; jd < d->axis[0].taps; jd++)
            for (int64_t i = 0; i < (v->ring ? v->slots : 1); i++)
                memset(v->memory + c * v->channel + jd * v->plane + i * v->row, 0, (size_t)left * sizeof *v->memory);
}

/* Where position i of a plane is. */
static int64_t position(const struct window *v, int64_t i)
{
    return (v->ring ? ups_floor_mod(v->ch + i, v->slots) : i) * v->row;
}

/* Pixels and their channels, some pixels at a time: they are read as they lie. */
static void fill_transposed(const struct product *q, const float *from, int64_t pixels, float *to)
{
    const struct ups_kernels *k = q->run->kernels;
    int64_t step = q->run->plan->x.stride[2];
    for (int64_t i = 0; i < pixels; i += k->lanes)
        k->transpose.run(from + i * step, ups_min(k->lanes, pixels - i), q->run->d->in, step, to + i,
                         q->window.channel);
}

/* Rows of all input channels into positions from … to - 1. */
static void fill_slots(struct product *q, int64_t from, int64_t to)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_deconv_axis *h = &d->axis[1];
    const struct ups_view *x = &q->run->plan->x;
    const struct window *v = &q->window;
    int64_t first = ups_max(v->lo, 0), inside = ups_max(0, ups_min(v->hi, x->size[2]) - first);
    bool planar = ups_is_first(q->run->plan);
    int64_t together = planar ? 1 : d->in; /* channels */
    const int64_t begin = position(v, from), ring = v->ring ? v->slots * v->row : INT64_MAX;
    for (int64_t c = 0; c < d->in; c += together)
        for (int64_t jd = 0; jd < d->axis[0].taps; jd++) {
            int64_t id = v->cd - jd * d->axis[0].step_i, ih = v->ch + (from - h->taps + 1) * h->step_i, at = begin;
            bool inside_d = id >= 0 && id < x->size[0];
            const float *plane = q->run->src + ups_row_offset(x, q->box.n, q->g * d->in + c, inside_d ? id : 0, 0);
            for (int64_t i = from; i < to; i++, ih += h->step_i, at = at + v->row < ring ? at + v->row : 0) {
                float *out = v->pixels + c * v->channel + jd * v->plane + at;
                int64_t n = inside_d && ih >= 0 && ih < x->size[1] ? inside : 0;
                const float *row = plane + (n ? ih * x->stride[1] + first * x->stride[2] : 0);
                if (n && planar)
                    memcpy(out, row, (size_t)n * sizeof *out);
                else if (n)
                    fill_transposed(q, row, n, out);
                for (int64_t k = 0; k < together; k++, out += v->channel)
                    for (int64_t zero = n; zero < v->pitch; zero++) out[zero] = 0; /* few */
            }
        }
}

/* The window under the current cells of plane cd; what it holds of it already moves to its place. */
static void move_window(struct product *q, int64_t cd)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_deconv_axis *h = &d->axis[1], *w = &d->axis[2];
    struct window *v = &q->window;
    int64_t lo = q->lo[2] - (w->taps - 1) * w->step_i, hi = q->hi[2], lines = q->hi[1] - q->lo[1], kept = 0;
    if (!v->slots || lo != v->lo || hi != v->hi) open_window(v, d, q->run->plan->x.size[2], lo, hi);
    if (v->lines && v->g == q->g && v->cd == cd) {
        int64_t by = q->lo[1] - v->ch;
        if (by == 0 && v->lines >= lines) return;
        if (by >= 0 && h->step_i == 1) kept = ups_max(0, h->taps - 1 + v->lines - by);
        for (int64_t i = 0; !v->ring && by && kept && i < d->in * d->axis[0].taps; i++) {
            float *plane = v->pixels + i / d->axis[0].taps * v->channel + i % d->axis[0].taps * v->plane;
            memmove(plane, plane + by * v->pitch, (size_t)(kept * v->pitch) * sizeof *plane);
        }
    }
    v->g = q->g;
    v->cd = cd;
    v->ch = q->lo[1];
    v->lines = lines;
    fill_slots(q, kept, h->taps - 1 + lines);
}

/* ---- the product ---- */

/* The taps that meet the image for any of the cells. */
static int64_t list_taps(struct product *q, int64_t cd)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_deconv_axis *a = d->axis;
    const struct ups_view *x = &q->run->plan->x;
    const struct window *v = &q->window;
    int64_t taps = 0, t = 0;
    for (int64_t jd = 0; jd < q->p->taps[0]; jd++)
        for (int64_t jh = 0; jh < q->p->taps[1]; jh++)
            for (int64_t jw = 0; jw < q->p->taps[2]; jw++, t++) {
                int64_t id = cd - jd * a[0].step_i, ih = jh * a[1].step_i, iw = jw * a[2].step_i;
                if (id < 0 || id >= x->size[0] || q->hi[1] - ih <= 0 || q->lo[1] - ih >= x->size[1] ||
                    q->hi[2] - iw <= 0 || q->lo[2] - iw >= x->size[2])
                    continue;
                q->offset[taps] = jd * v->plane + position(v, a[1].taps - 1 - jh) + q->lo[2] - iw - v->origin;
                q->a[taps++] = q->packed + q->p->weights + t * q->p->columns * d->in;
            }
    return taps;
}

/* The steps of each tap ask for a piece of the rows that the next strip adds: 16 pixels, of which a step takes a cache line.
 * Pieces are spread over the strip's tiles; copying would wait for them longer than a third of the products take. `part` of
 * `parts`: the tile. */
static const float *const *next_lines(struct product *q, int64_t taps, int64_t part, int64_t parts)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_view *x = &q->run->plan->x;
    int64_t lines = ups_ceil_div(x->size[2], 16) + 1, rows = ups_min(d->strip, x->size[1] - q->hi[1]);
    int64_t all = ups_ceil_div(rows * lines, ups_max(taps, 1)), at = part * all / parts;
    if (rows <= 0 || q->hi[1] < 0 || at == (part + 1) * all / parts) return NULL;
    if (q->window.cd < 0 || q->window.cd >= x->size[0]) return NULL;
    const float *from = q->run->src + ups_row_offset(x, q->box.n, q->g * d->in, q->window.cd, q->hi[1]);
    for (int64_t t = 0; t < taps; t++) {
        int64_t line = ups_min(at * taps + t, rows * lines - 1);
        q->next[t] = from + line / lines * x->stride[1] + ups_min(line % lines * 16, x->size[2] - 1) * x->stride[2];
    }
    return q->next;
}

/* Sums of all rows over `count` cells. */
static void multiply(struct product *q, int64_t taps, int64_t count)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_kernels *k = q->run->kernels;
    const struct ups_view *x = &q->run->plan->x;
    struct ups_gemm tile = {.taps = taps,
                            .depth = d->in,
                            .a = q->a,
                            .a_stride = d->in,
                            .b = q->b,
                            .b_stride = q->window.channel,
                            .next_stride = ups_is_first(q->run->plan) ? x->c_stride : 16 * x->stride[2] / d->in,
                            .c_stride = q->pitch,
                            .activation = &d->activation};
    int64_t part = 0, parts = ups_ceil_div(q->p->columns, ups_tile_height(k, k->nr)) * ups_ceil_div(count, k->nr);
    for (int64_t row = 0; row < q->p->columns; row += tile.rows) {
        tile.rows = ups_tile_rows(q->p->columns - row, ups_tile_height(k, k->nr));
        for (int64_t j = 0; j < count; j += tile.columns) {
            tile.columns = ups_min(k->nr, count - j);
            tile.c = q->sums + row * q->pitch + j;
            for (int64_t t = 0; t < taps; t++) q->b[t] = q->window.pixels + q->offset[t] + j;
            tile.next = next_lines(q, taps, part++, parts);
            k->gemm.run(&tile);
        }
        for (int64_t t = 0; t < taps; t++) q->a[t] += tile.rows * d->in;
    }
    k->finish.run(q->sums, q->p->columns, count, q->pitch, q->packed + q->p->bias, 1, 0, &d->activation);
}

/* ---- output ---- */

/* The line of cells at `sums`, whose rows are one phase of D and H, to the output lines (od, oh): where the phases of W fill a line
 * without a gap, cells that have an output of all of them at once. */
static void store_line(const struct product *q, const float *sums, int64_t od, int64_t oh)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_deconv_axis *w = &d->axis[2];
    const struct ups_view *y = &q->run->plan->y;
    const struct ups_phase_group *p = q->p;
    float *line = q->run->dst + ups_row_offset(y, q->box.n, q->g * d->out, od, oh);
    int64_t step = w->s * y->stride[2], lo = INT64_MAX, hi = INT64_MAX; /* the cells stored at once */
    if (w->d == 1 && p->phases[2] == w->s && w->s > 1 && y->stride[2] == 1) {
        int64_t end;
        cells(w, 0, 1, q->box.lo[2], q->box.hi[2], &lo, &end);
        cells(w, w->s - 1, 1, q->box.lo[2], q->box.hi[2], &end, &hi);
        hi = ups_max(lo, hi);
    }
    for (int64_t co = 0; co < d->out && lo < hi; co++)
        q->run->kernels->transpose.run(sums + co * q->pitch + lo - q->lo[2], w->s, hi - lo, d->out * q->pitch,
                                       line + co * y->c_stride + lo * w->s + shift(w, 0), w->s);
    for (int64_t t0 = p->t0[2]; t0 < p->t0[2] + p->phases[2]; t0++) {
        int64_t first, last;
        cells(w, t0, 1, q->box.lo[2], q->box.hi[2], &first, &last);
        for (int64_t co = 0; co < d->out; co++, sums += q->pitch) {
            const float *from = sums - q->lo[2];
            float *to = line + co * y->c_stride + shift(w, t0) * y->stride[2];
            for (int64_t c = first; c < ups_min(lo, last); c++) to[c * step] = from[c];
            for (int64_t c = ups_max(first, hi); c < last; c++) to[c * step] = from[c];
        }
    }
}

static void store(const struct product *q, int64_t cd)
{
    const struct ups_deconv_axis *d = &q->run->d->axis[0], *h = &q->run->d->axis[1];
    const struct ups_phase_group *p = q->p;
    int64_t rows = p->phases[2] * q->run->d->out * q->pitch;
    const float *sums = q->sums;
    for (int64_t td = p->t0[0]; td < p->t0[0] + p->phases[0]; td++)
        for (int64_t th = p->t0[1]; th < p->t0[1] + p->phases[1]; th++, sums += rows) {
            int64_t od = cd * d->s + shift(d, td), oh = q->lo[1] * h->s + shift(h, th);
            if (od < q->box.lo[0] || od >= q->box.hi[0]) continue;
            for (int64_t i = 0; i < q->hi[1] - q->lo[1]; i++, oh += h->s)
                if (oh >= q->box.lo[1] && oh < q->box.hi[1]) store_line(q, sums + i * q->window.pitch, od, oh);
        }
}

/* ---- run ---- */

/* One group of phases over a strip. Where phases lie close together all groups compute the same cells and share the window. */
static void run_group(struct product *q)
{
    const struct ups_deconv *d = q->run->d;
    const struct ups_deconv_axis *a = d->axis;
    for (int i = 0; i < 3; i++) {
        bool together = close_together(&a[i]);
        cells(&a[i], together ? 0 : q->p->t0[i], together ? a[i].phases : 1, q->box.lo[i], q->box.hi[i], &q->lo[i],
              &q->hi[i]);
        if (q->lo[i] >= q->hi[i]) return;
    }
    for (int64_t cd = q->lo[0]; cd < q->hi[0]; cd++) {
        move_window(q, cd);
        int64_t count = (q->hi[1] - q->lo[1] - 1) * q->window.pitch + q->hi[2] - q->lo[2];
        multiply(q, list_taps(q, cd), count);
        store(q, cd);
    }
}

static void run_planar(const struct ups_deconv_run *run, const struct ups_box *box)
{
    const struct ups_deconv *d = run->d;
    const struct ups_deconv_axis *h = &d->axis[1];
    struct product q = {.run = run, .box = *box};
    struct ups_box *part = &q.box;
    char *at = run->workspace;
    int64_t pixels = most_pixels(d, box->hi[2] - box->lo[2]);
    size_t taps = (size_t)(d->axis[0].taps * h->taps * d->axis[2].taps);
    q.offset = ups_take(&at, taps * sizeof *q.offset);
    q.a = ups_take(&at, taps * sizeof *q.a);
    q.b = ups_take(&at, taps * sizeof *q.b);
    q.next = ups_take(&at, taps * sizeof *q.next);
    q.pitch = d->strip * pixels;
    q.sums = ups_take(&at, (size_t)(most_rows(d) * q.pitch) * sizeof *q.sums);
    q.window.memory = (float *)at;
    for (q.g = 0; q.g < d->groups; q.g++) {
        q.packed = run->packed + (size_t)q.g * d->packed_floats;
        for (part->lo[1] = box->lo[1]; part->lo[1] < box->hi[1]; part->lo[1] = part->hi[1]) {
            part->hi[1] = ups_strip_end(h, d->strip, part->lo[1], box->hi[1]);
            if (ups_deconv_has_gaps(d)) ups_fill_gaps(run, &q.box, q.g, q.sums);
            for (q.p = d->phase_group; q.p < d->phase_group + d->phase_groups; q.p++) run_group(&q);
        }
    }
}

const struct ups_deconv_algorithm ups_deconv_planar = {"planar", true, work, layout, pack, workspace, run_planar};
