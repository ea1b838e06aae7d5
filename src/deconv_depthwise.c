/* SPDX-License-Identifier: MIT
 *
 * Algorithm depthwise, for groups of one input and one output channel: every output is computed where it stands, from the few
 * taps of its phase, and stored once. There is no product to share between outputs, hence no matrix, and the memory is the
 * limit.
 *
 * Channels last, lanes are channels. The weights of a tap are a row of all channels; a call takes the pixels of one phase
 * along W that meet the same taps, so nothing is padded.
 *
 * Channels first, an output row is cut into cells of s outputs from the begin of the box on:
 *
 *     o = w0 + s*i + p, p < s       tap t meets it where s divides p + w0 + pad - t*d, through input i + ahead,
 *                                                                             ahead = (p + w0 + pad - t*d)/s
 *
 * With d = 1 the taps of one `ahead` are neighbours and go to neighbouring p, so one entry of the list stands for them: the
 * kernel loads x[i + ahead] once for all. Rows of one phase along H differ by a source row and share the list, so a call takes
 * as many as have their source rows in a band, a copy with zeros outside the image that stays in level 1. A product with such a
 * zero does not change a chain.
 *
 * Taps in row-major order, from 0, bias last: the same chain as algorithm phase.
 */
#include <math.h>
#include <string.h>

#include "deconv.h"

/* One product per tap, as little as any algorithm has. That nothing is packed, padded to a tile or turned round does not show
 * in their estimates: the factor decides the tie. */
static double work(const struct ups_deconv *d, const struct ups_kernels *kernels)
{
    const double least = 0.5;
    (void)kernels;
    if (d->in != 1 || d->out != 1) return INFINITY;
    return least * (double)d->axis[0].k * (double)d->axis[1].k * (double)d->axis[2].k;
}

/* ---- packing ---- */

/* From here on all groups are one, of so many channels. */
static int32_t layout(const struct ups_op *op, struct ups_deconv *d)
{
    int64_t taps = d->axis[0].k * d->axis[1].k * d->axis[2].k;
    bool first = op->desc.head.layout == UPS_CHANNELS_FIRST;
    d->out = d->groups;
    d->groups = 1;
    d->blocks = 1;
    d->w.out = d->w.group;
    d->channel_step = first ? taps : 1;
    d->tap_step = first ? 1 : d->out;
    d->packed_floats = ups_bias_floats(d) + (size_t)ups_round_up(taps * d->out, 16);
    return UPS_OK;
}

static void pack(const struct ups_deconv *d, const struct ups_kernels *kernels, const float *weights, float *to)
{
    const struct ups_deconv_axis *a = d->axis;
    (void)kernels;
    to += ups_bias_floats(d);
    for (int64_t t = 0; t < a[0].k * a[1].k * a[2].k; t++, to += d->tap_step) {
        int64_t tw = t % a[2].k, th = t / a[2].k % a[1].k, td = t / a[2].k / a[1].k;
        const float *from = weights + td * d->w.tap[0] + th * d->w.tap[1] + tw * d->w.tap[2];
        for (int64_t c = 0; c < d->out; c++) to[c * d->channel_step] = from[c * d->w.out];
    }
}

/* ---- taps ---- */

/* The first tap that reaches output o of an axis, and through which input, which may lie outside; further taps are step_t and
 * inputs step_i apart. Taps of the phase; 0: the output is in none. */
struct chain {
    int64_t tap, input, taps;
};

static struct chain chain_of(const struct ups_deconv_axis *a, int64_t o)
{
    struct chain c = {0};
    if (a->d == 1)
        c.tap = ups_floor_mod(o + a->pad, a->s);
    else
        while (c.tap < a->phases && ups_floor_mod(o + a->pad - c.tap * a->d, a->s)) c.tap++;
    if (c.tap >= a->phases) return (struct chain){0};
    c.input = ups_floor_div(o + a->pad - c.tap * a->d, a->s);
    c.taps = ups_ceil_div(a->k - c.tap, a->step_t);
    return c;
}

/* The curves, over finished outputs: rows of one channel, or pixels. */
static void finish(const struct ups_deconv_run *run, const struct ups_box *box)
{
    static const float nothing = -0.0f; /* v + -0 is v */
    const struct ups_deconv *d = run->d;
    const struct ups_view *y = &run->plan->y;
    bool planar = ups_depthwise_planar(run->plan);
    int64_t width = box->hi[2] - box->lo[2], spans = planar ? d->out : width, length = planar ? width : d->out;
    int64_t step = planar ? y->c_stride : y->stride[2];
    for (int64_t od = box->lo[0]; od < box->hi[0]; od++)
        for (int64_t oh = box->lo[1]; oh < box->hi[1]; oh++) {
            float *to = run->dst + ups_row_offset(y, box->n, 0, od, oh) + box->lo[2] * y->stride[2];
            for (int64_t i = 0; i < spans; i++, to += step)
                run->kernels->finish.run(to, 1, length, length, &nothing, 1, 0, &d->activation);
        }
}

/* ---- channels last ---- */

/* One line of the output: the kernel rows that reach it through rows of the image, and the taps of the current pixels. */
struct line {
    const float **row, **weights; /* of `rows` kernel rows: their source row, their first tap */
    const float **x, **w;
    int64_t rows;
};

/* Pixels i … of the phase of w0, `n` of them: the taps inside the image for the first, and how many pixels have the same. */
static int64_t pixels_alike(const struct ups_deconv_run *run, struct line *l, const struct chain *c, int64_t i,
                            int64_t n, int64_t *taps)
{
    const struct ups_deconv_axis *a = &run->d->axis[2];
    const struct ups_view *x = &run->plan->x;
    int64_t first = c->taps, last = 0; /* a run of taps: their inputs descend */
    for (int64_t j = 0; j < c->taps; j++) {
        int64_t from = c->input + i - j * a->step_i; /* from + n - 1 for the last pixel */
        int64_t change = from < 0 ? -from : x->size[2] - from;
        if (change > 0) n = ups_min(n, change);
        if (from < 0 || from >= x->size[2]) continue;
        first = ups_min(first, j);
        last = j + 1;
    }
    *taps = 0;
    for (int64_t r = 0; r < l->rows; r++)
        for (int64_t j = first; j < last; j++) {
            l->x[*taps] = l->row[r] + (c->input + i - j * a->step_i) * x->stride[2];
            l->w[(*taps)++] = l->weights[r] + (c->tap + j * a->step_t) * run->d->tap_step;
        }
    return n;
}

static void run_line(const struct ups_deconv_run *run, struct line *l, float *y, int64_t w0, int64_t w1)
{
    const struct ups_deconv *d = run->d;
    const struct ups_deconv_axis *a = &d->axis[2];
    int64_t step = run->plan->y.stride[2];
    struct ups_depthwise_pixels p = {.x = l->x,
                                     .w = l->w,
                                     .channels = d->out,
                                     .x_stride = run->plan->x.stride[2],
                                     .y_stride = a->s * step,
                                     .bias = run->packed,
                                     .activation = ups_tile_activation(d)};
    for (int64_t w = w0; w < ups_min(w0 + a->s, w1); w++) {
        struct chain c = chain_of(a, w);
        int64_t pixels = ups_ceil_div(w1 - w, a->s);
        for (int64_t i = 0; i < pixels; i += p.n) {
            p.n = pixels_alike(run, l, &c, i, pixels - i, &p.taps);
            run->kernels->depthwise_pixels.run(&p, y + (w + i * a->s) * step);
        }
    }
}

static void find_rows(const struct ups_deconv_run *run, struct line *l, int64_t n, int64_t od, int64_t oh)
{
    const struct ups_deconv *d = run->d;
    const struct ups_deconv_axis *a = d->axis;
    const struct ups_view *x = &run->plan->x;
    struct chain cd = chain_of(&a[0], od), ch = chain_of(&a[1], oh);
    l->rows = 0;
    for (int64_t i = 0; i < cd.taps; i++)
        for (int64_t j = 0; j < ch.taps; j++) {
            int64_t id = cd.input - i * a[0].step_i, ih = ch.input - j * a[1].step_i;
            int64_t kernel_row = (cd.tap + i * a[0].step_t) * a[1].k + ch.tap + j * a[1].step_t;
            if (id < 0 || id >= x->size[0] || ih < 0 || ih >= x->size[1]) continue;
            l->row[l->rows] = run->src + ups_row_offset(x, n, 0, id, ih);
            l->weights[l->rows++] = run->packed + ups_bias_floats(d) + kernel_row * a[2].k * d->tap_step;
        }
}

static void run_pixels(const struct ups_deconv_run *run, const struct ups_box *box)
{
    const struct ups_deconv_axis *a = run->d->axis;
    size_t rows = (size_t)(a[0].taps * a[1].taps), taps = rows * (size_t)a[2].taps;
    char *at = run->workspace;
    struct line l = {0};
    l.row = ups_take(&at, rows * sizeof *l.row);
    l.weights = ups_take(&at, rows * sizeof *l.weights);
    l.x = ups_take(&at, taps * sizeof *l.x);
    l.w = ups_take(&at, taps * sizeof *l.w);
    for (int64_t od = box->lo[0]; od < box->hi[0]; od++)
        for (int64_t oh = box->lo[1]; oh < box->hi[1]; oh++) {
            find_rows(run, &l, box->n, od, oh);
            run_line(run, &l, run->dst + ups_row_offset(&run->plan->y, box->n, 0, od, oh), box->lo[2], box->hi[2]);
        }
}

/* ---- channels first ---- */

/* An entry of the list along W: taps tap … go to outputs [first, last) of a cell. x counts from the begin of a band's rows. */
struct entry {
    int64_t x, tap, first, last;
};

/* Source rows of one channel that the current output rows need: by plane of the taps along D, then by row. */
struct band {
    const struct ups_deconv_run *run;
    const struct ups_box *box;
    struct entry *entries;
    int64_t entry_count;
    struct ups_depthwise_tap *taps; /* of all phases along H, for one channel */
    int64_t tap_count;
    struct ups_depthwise *phase; /* of H: the call that computes its output rows of the filling */
    float *floats;
    int64_t left, pitch;               /* x[left] would be the first float of a row */
    int64_t height;                    /* output rows that are computed from one filling */
    int64_t top, rows, step;           /* source rows of the filling: top, top + step … */
    int64_t plane, planes, plane_step; /* source planes: plane, plane - plane_step …; planes may lie outside */
};

/* Inputs that one cell meets along an axis: the largest minus the smallest. */
static int64_t spread(const struct ups_deconv_axis *a)
{
    return ups_ceil_div((a->k - 1) * a->d, a->s);
}

/* Floats from row to row of the band: its first pixel of the image stands at the begin of a cache line. */
enum { LINE = UPS_ALIGNMENT / (int)sizeof(float) };

static int64_t pitch_of(const struct ups_deconv_axis *w, int64_t width)
{
    return ups_round_up(ups_ceil_div(width, w->s) + spread(w) + LINE - 1, LINE);
}

/* Output rows per filling: a few cells of the H axis, one row where a dilation leaves source rows out. */
static int64_t height_of(const struct ups_deconv *d, int64_t pitch)
{
    const struct ups_deconv_axis *h = &d->axis[1];
    int64_t room = d->cache[0] / 2 / d->axis[0].taps / pitch;
    return h->step_i > 1 ? 1 : h->s * ups_max(1, room - spread(h));
}

static int64_t rows_of(const struct ups_deconv_axis *h, int64_t height)
{
    return h->step_i > 1 ? h->taps : ups_ceil_div(height, h->s) + spread(h);
}

/* Phases along H that have output rows. */
static int64_t phases_of(const ups_plan *plan, const struct ups_deconv *d)
{
    return ups_min(d->axis[1].s, plan->y.size[1]);
}

/* Channels last with one channel is the same thing as channels first. */
bool ups_depthwise_planar(const ups_plan *plan)
{
    return ups_is_first(plan) || (plan->y.c == 1 && plan->x.stride[2] == 1 && plan->y.stride[2] == 1);
}

static size_t workspace(const ups_plan *plan, const struct ups_deconv *d, int64_t width)
{
    const struct ups_deconv_axis *a = d->axis;
    int64_t pitch = pitch_of(&a[2], width), rows = a[0].taps * a[1].taps;
    if (!ups_depthwise_planar(plan))
        return 2 * ups_taken(ups_bytes(rows, 1, 1, sizeof(float *))) +
               2 * ups_taken(ups_bytes(rows, a[2].taps, 1, sizeof(float *)));
    /* a narrower box has lower rows and may have more of them, as far as the room goes */
    size_t room = (size_t)d->cache[0] / 2 * sizeof(float);
    size_t band = ups_bytes(a[0].taps, rows_of(&a[1], height_of(d, pitch)), pitch, sizeof(float));
    return ups_taken(ups_bytes(a[2].k, 1, 1, sizeof(struct entry))) +
           ups_taken(ups_bytes(a[0].taps, a[1].k, a[2].k, sizeof(struct ups_depthwise_tap))) +
           ups_taken(ups_bytes(phases_of(plan, d), 1, 1, sizeof(struct ups_depthwise))) +
           ups_taken(room > band ? room : band);
}

static void list_entries(struct band *b)
{
    const struct ups_deconv_axis *w = &b->run->d->axis[2];
    int64_t origin = b->box->lo[2] + w->pad;                       /* of output 0 of cell 0 */
    b->left = ups_ceil_div(origin - (w->k - 1) * w->d, w->s);      /* what the last tap brings to cell 0 */
    b->left -= ups_floor_mod(b->left - ups_max(b->left, 0), LINE); /* and zeros, up to a cache line */
    for (int64_t t = 0; t < w->k; t++) {
        int64_t p = ups_floor_mod(t * w->d - origin, w->s), ahead = ups_floor_div(p + origin - t * w->d, w->s);
        struct entry *last = b->entries + b->entry_count - 1;
        if (b->entry_count && last->x == ahead - b->left && last->last == p)
            last->last++;
        else
            b->entries[b->entry_count++] = (struct entry){ahead - b->left, t, p, p + 1};
    }
}

/* Copies the source rows of channel c for output rows oh … oh + height - 1 of plane od, zeros for those outside. */
static void fill_band(struct band *b, int64_t c)
{
    const struct ups_view *x = &b->run->plan->x;
    int64_t from = ups_max(b->left, 0), to = ups_min(b->left + b->pitch, x->size[2]);
    float *row = b->floats;
    for (int64_t i = 0; i < b->planes; i++) {
        int64_t id = b->plane - i * b->plane_step;
        for (int64_t r = 0; r < b->rows; r++, row += b->pitch) {
            int64_t ih = b->top + r * b->step;
            bool inside = id >= 0 && id < x->size[0] && ih >= 0 && ih < x->size[1];
            if (!inside)
                memset(row, 0, (size_t)b->pitch * sizeof *row);
            else if (from < to)
                memcpy(row + from - b->left, b->run->src + ups_row_offset(x, b->box->n, c, id, ih) + from,
                       (size_t)(to - from) * sizeof *row);
        }
    }
}

/* The taps of an output row of channel 0: every entry for each kernel row that reaches it. */
static void list_taps(struct band *b, const struct chain *cd, const struct chain *ch)
{
    const struct ups_deconv *d = b->run->d;
    const struct ups_deconv_axis *a = d->axis;
    for (int64_t i = 0; i < cd->taps; i++)
        for (int64_t j = 0; j < ch->taps; j++) {
            int64_t kernel_row = (cd->tap + i * a[0].step_t) * a[1].k + ch->tap + j * a[1].step_t;
            int64_t row = i * b->rows + (ch->input - j * a[1].step_i - b->top) / b->step;
            const float *x = b->floats + row * b->pitch;
            const float *w = b->run->packed + ups_bias_floats(d) + kernel_row * a[2].k;
            for (const struct entry *e = b->entries; e < b->entries + b->entry_count; e++)
                b->taps[b->tap_count++] = (struct ups_depthwise_tap){x + e->x, w + e->tap, e->first, e->last};
        }
}

/* Output rows oh … oh + height - 1 of plane od: what is the same for all channels. */
static void begin_band(struct band *b, int64_t od, int64_t oh)
{
    const struct ups_deconv *d = b->run->d;
    const struct ups_deconv_axis *a = d->axis;
    struct chain cd = chain_of(&a[0], od), ch = chain_of(&a[1], oh);
    b->plane = cd.input;
    b->planes = cd.taps;
    b->plane_step = a[0].step_i;
    if (a[1].step_i > 1) {
        b->step = a[1].step_i;
        b->rows = ch.taps;
        b->top = ch.input - (ch.taps - 1) * b->step;
    } else {
        b->step = 1;
        b->top = ups_ceil_div(oh + a[1].pad - (a[1].k - 1) * a[1].d, a[1].s);
        b->rows = ups_floor_div(oh + b->height - 1 + a[1].pad, a[1].s) - b->top + 1;
    }
    b->tap_count = 0;
    for (int64_t q = 0; q < ups_min(a[1].s, b->height); q++) {
        const struct ups_depthwise_tap *first = b->taps + b->tap_count;
        ch = chain_of(&a[1], oh + q);
        list_taps(b, &cd, &ch);
        b->phase[q] = (struct ups_depthwise){.tap = first,
                                             .taps = b->taps + b->tap_count - first,
                                             .stride = a[2].s,
                                             .rows = ups_ceil_div(b->height - q, a[1].s),
                                             .n = b->box->hi[2] - b->box->lo[2],
                                             .x_stride = b->pitch,
                                             .y_stride = a[1].s * b->run->plan->y.stride[1],
                                             .activation = ups_tile_activation(d)};
    }
}

static void run_band(struct band *b, int64_t od, int64_t oh)
{
    const struct ups_deconv *d = b->run->d;
    const struct ups_view *y = &b->run->plan->y;
    float *out = b->run->dst + ups_row_offset(y, b->box->n, 0, od, oh) + b->box->lo[2];
    begin_band(b, od, oh);
    for (int64_t c = 0; c < d->out; c++, out += y->c_stride) {
        fill_band(b, c);
        for (int64_t q = 0; q < ups_min(d->axis[1].s, b->height); q++) {
            b->phase[q].bias = b->run->packed[c];
            b->run->kernels->depthwise_rows.run(&b->phase[q], out + q * y->stride[1]);
        }
        for (int64_t t = 0; t < b->tap_count && c + 1 < d->out; t++) b->taps[t].w += d->channel_step;
    }
}

static void run_planar(const struct ups_deconv_run *run, const struct ups_box *box)
{
    const struct ups_deconv *d = run->d;
    const struct ups_deconv_axis *a = d->axis;
    struct band b = {.run = run, .box = box, .pitch = pitch_of(&a[2], box->hi[2] - box->lo[2])};
    char *at = run->workspace;
    b.entries = ups_take(&at, (size_t)a[2].k * sizeof *b.entries);
    b.taps = ups_take(&at, (size_t)(a[0].taps * a[1].k * a[2].k) * sizeof *b.taps);
    b.phase = ups_take(&at, (size_t)phases_of(run->plan, d) * sizeof *b.phase);
    b.floats = (float *)at;
    int64_t height = ups_min(height_of(d, b.pitch), box->hi[1] - box->lo[1]);
    list_entries(&b);
    /* the margins of the rows stay zero */
    memset(b.floats, 0, (size_t)(a[0].taps * rows_of(&a[1], height) * b.pitch) * sizeof *b.floats);
    for (int64_t od = box->lo[0]; od < box->hi[0]; od++)
        for (int64_t oh = box->lo[1]; oh < box->hi[1]; oh += height) {
            b.height = ups_min(height, box->hi[1] - oh);
            run_band(&b, od, oh);
        }
}

static void run_depthwise(const struct ups_deconv_run *run, const struct ups_box *box)
{
    (ups_depthwise_planar(run->plan) ? run_planar : run_pixels)(run, box);
    if (!ups_in_tile(&run->d->activation)) finish(run, box);
}

const struct ups_deconv_algorithm ups_deconv_depthwise = {"depthwise", true,      work,         layout,
                                                          pack,        workspace, run_depthwise};
