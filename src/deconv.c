/* SPDX-License-Identifier: MIT
 *
 * Transposed convolution: geometry, choice of the algorithm, packing, the division into boxes; and the rows that go in and
 * out.
 */
#include "deconv.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

/* In the order in which ties are decided. The first is the reference: eligible under every policy and on every tier. */
static const struct ups_deconv_algorithm *const algorithms[] = {&ups_deconv_phase,     &ups_deconv_planar,
                                                                &ups_deconv_gemm,      &ups_deconv_scatter,
                                                                &ups_deconv_depthwise, &ups_deconv_winograd};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms, WINOGRAD = ALGORITHMS - 1 };

/* ---- geometry ---- */

static struct ups_deconv_axis axis_of(int64_t k, int64_t s, int64_t d)
{
    int64_t g = ups_gcd(s, d);
    struct ups_deconv_axis a = {.k = k, .s = s, .d = d, .step_t = s / g, .step_i = d / g};
    a.phases = ups_min(k, a.step_t);
    a.taps = ups_ceil_div(k, a.step_t);
    return a;
}

/* Element strides of the weights, dense in the order their layout names. */
static void weight_strides(struct ups_deconv *d, const ups_conv_transpose_desc *c)
{
    int64_t taps = d->axis[0].k * d->axis[1].k * d->axis[2].k;
    int64_t tap = 1; /* stride of the innermost kernel axis */
    int64_t in_all = c->in_channels, out_all = c->out_channels;
    switch (c->weights_layout) {
    case UPS_IOHW: d->w.out = taps, d->w.in = d->out * taps, d->w.group = d->in * d->w.in; break;
    case UPS_OIHW: d->w.in = taps, d->w.out = d->in * taps, d->w.group = d->out * d->w.out; break;
    case UPS_OHWI: d->w.in = 1, tap = d->in, d->w.out = taps * d->in, d->w.group = d->out * d->w.out; break;
    case UPS_HWOI: d->w.in = 1, d->w.out = d->in, tap = out_all * d->in, d->w.group = d->out * d->w.out; break;
    default: d->w.out = 1, d->w.in = d->out, tap = in_all * d->out, d->w.group = d->in * d->w.in; break;
    }
    d->w.tap[2] = tap;
    d->w.tap[1] = tap * d->axis[2].k;
    d->w.tap[0] = d->w.tap[1] * d->axis[1].k;
}

int32_t ups_deconv_geometry(struct ups_deconv *d, const ups_conv_transpose_desc *c)
{
    int64_t k[3], s[3], dilation[3], elements = c->in_channels;
    ups_axes3(k, c->kernel_shape, c->rank, 1);
    ups_axes3(s, c->strides, c->rank, 1);
    ups_axes3(dilation, c->dilations, c->rank, 1);
    for (int a = 0; a < 3; a++) d->axis[a] = axis_of(k[a], s[a], dilation[a]);
    d->groups = c->group;
    d->layout = c->layout;
    d->in = c->in_channels / c->group;
    d->out = c->out_channels / c->group;
    d->activation = (struct ups_activation){c->activation, (float)c->activation_alpha, (float)c->activation_beta};
    /* packing pads columns to full panels: room for that too */
    if (!ups_multiply(&elements, d->out + UPS_MAX_NR) || !ups_multiply(&elements, k[0]) ||
        !ups_multiply(&elements, k[1]) || !ups_multiply(&elements, k[2]) || !ups_multiply(&elements, UPS_MAX_NR) ||
        elements > PTRDIFF_MAX / 16)
        return ups_error(UPS_INVALID,
                         "in_channels * out_channels/group * kernel_shape = %" PRId64 " * %" PRId64 " * %" PRId64
                         " * %" PRId64 " * %" PRId64 " overflows; legal: fewer weights than the address space holds",
                         c->in_channels, d->out, k[0], k[1], k[2]);
    weight_strides(d, c);
    return UPS_OK;
}

int32_t ups_deconv_make_geometry(struct ups_op *op, const float *weights, const float *bias, const ups_options *options)
{
    (void)weights, (void)bias, (void)options;
    op->deconv = ups_allocate(&op->memory, sizeof *op->deconv);
    return op->deconv ? ups_deconv_geometry(op->deconv, &op->desc.conv_transpose) : UPS_NO_MEMORY;
}

/* ---- choice ---- */

static bool is_automatic(const char *name)
{
    return !name || !strcmp(name, "auto");
}

static int find_algorithm(const char *name)
{
    for (int i = 0; i < ALGORITHMS; i++)
        if (!strcmp(algorithms[i]->name, name)) return i;
    return -1;
}

static bool excluded(int32_t policy, int i)
{
    return policy == UPS_POLICY_REPRODUCIBLE && !algorithms[i]->one_chain;
}

/* gemm rounds a tap's sum over the channels, and once more where it is added: with one or two channels oftener than one chain
 * does (tests/test_accuracy measures 1.2 of its error). Who asks for it by name has it. */
static bool coarse(const struct ups_deconv *d, int32_t policy, int i)
{
    return policy == UPS_POLICY_ACCURATE && algorithms[i] == &ups_deconv_gemm && d->in < 3;
}

/* The least estimated work among what the policy allows. */
static int cheapest(const struct ups_deconv *d, int32_t policy)
{
    int best = 0;
    for (int i = 1; i < ALGORITHMS; i++)
        if (!excluded(policy, i) && !coarse(d, policy, i) && d->work[i] < d->work[best]) best = i;
    return best;
}

double ups_deconv_fetch(const struct ups_deconv *d)
{
    int64_t floats = (int64_t)d->packed_floats;
    return floats <= d->cache[1] / 2 ? 1 : floats <= d->cache[2] / 2 ? 6 : 8;
}

static int32_t choose(struct ups_deconv *d, const struct ups_op *op, const char *name)
{
    bool automatic = is_automatic(name);
    for (int i = 0; i < ALGORITHMS; i++) d->work[i] = algorithms[i]->work(d, op->kernels);
    int chosen = automatic ? cheapest(d, op->policy) : find_algorithm(name);
    if (chosen < 0)
        return ups_error(UPS_INVALID,
                         "options.algorithm = \"%.40s\"; legal for conv_transpose: auto, phase, planar, gemm, scatter, "
                         "depthwise, winograd",
                         name);
    if (excluded(op->policy, chosen))
        return ups_error(UPS_UNSUPPORTED,
                         "options.algorithm = \"%s\" under policy reproducible; legal: phase, planar, scatter, "
                         "depthwise, whose outputs are one chain each",
                         name);
    if (chosen != WINOGRAD && isinf(d->work[chosen]))
        return ups_error(UPS_UNSUPPORTED,
                         "options.algorithm = \"%s\" with %" PRId64 " input and %" PRId64
                         " output channels in a group; legal for it: 1 and 1; for any: phase, planar, gemm, scatter",
                         name, d->in, d->out);
    d->algorithm = algorithms[chosen];
    for (int i = 0; i < ALGORITHMS; i++)
        d->verdict[i] = i == chosen                ? automatic ? "least estimated work" : "asked for by name"
                        : excluded(op->policy, i)  ? "excluded by policy reproducible: not one chain per output"
                        : !automatic               ? "another was asked for by name"
                        : coarse(d, op->policy, i) ? "less accurate than one chain: 1 or 2 input channels in a group"
                        : i == WINOGRAD            ? "the weights come with each run"
                        : isinf(d->work[i])        ? "not one input and one output channel in a group"
                                                   : "more estimated work";
    return UPS_OK;
}

/* ---- packing ---- */

static void pack(const struct ups_deconv *d, const struct ups_kernels *kernels, const float *weights, const float *bias,
                 float *to)
{
    for (int64_t g = 0; g < d->groups; g++, to += d->packed_floats) {
        for (int64_t i = 0; i < d->out; i++) to[i] = bias ? bias[g * d->out + i] : 0;
        d->algorithm->pack(d, kernels, weights + g * d->w.group, to);
    }
}

static void release(const struct ups_memory *memory, struct ups_deconv *d)
{
    if (!d) return;
    release(memory, d->other);
    ups_release(memory, d->packed);
    ups_release(memory, d->phase_group);
    ups_release(memory, d);
}

void ups_deconv_unmake(struct ups_op *op)
{
    release(&op->memory, op->deconv);
}

static int32_t pack_now(struct ups_op *op, struct ups_deconv *d, const float *weights, const float *bias)
{
    d->packed = ups_allocate_raw(&op->memory, ups_packed_bytes(d));
    if (!d->packed) return UPS_NO_MEMORY;
    pack(d, op->kernels, weights, bias, d->packed);
    return UPS_OK;
}

/* ---- plan ---- */

/* The op's geometry with the pads of these sizes, and how units map to the output: a unit is one band on D and on H, one
 * piece along W, one block. A band is the outputs of one cell, s of them, fewer at the border. */
struct division {
    struct ups_deconv deconv;
    int64_t bands[2], pieces, blocks;
    int64_t piece; /* outputs along W of a piece */
    bool by_block; /* blocks outermost: weights are the larger side, and every part shall read its own once */
    int64_t width; /* a box is at most so wide, so that its packed rows stay in L2 */
};

enum { ENOUGH_UNITS = 64, PIECE_CELLS = 16, LEAST_CELLS = 64, STRIP_CELLS = 128 };

/* Outputs of a band, and what the first one lacks of that. */
static int64_t band_size(const struct ups_deconv *d, int axis)
{
    return d->axis[axis].s * ups_max(1, d->band[axis]);
}

static int64_t short_by(const struct ups_deconv *d, int axis)
{
    const struct ups_deconv_axis *a = &d->axis[axis];
    return d->band[axis] ? 0 : ups_floor_mod(a->pad, a->s);
}

static int64_t band_begin(const struct ups_deconv *d, int axis, int64_t band, int64_t size)
{
    return ups_min(size, ups_max(0, band * band_size(d, axis) - short_by(d, axis)));
}

/* Some outputs lie in no phase. */
bool ups_deconv_has_gaps(const struct ups_deconv *d)
{
    return d->axis[0].phases < d->axis[0].s || d->axis[1].phases < d->axis[1].s || d->axis[2].phases < d->axis[2].s;
}

/* What algorithm i takes at a plan's sizes, in multiply-adds of the tile; infinite where it is not packed. Every cell costs the
 * same, but few cells wait for their weights. */
static double cost_of(const ups_plan *plan, int i)
{
    const struct ups_deconv *d = plan->op->deconv;
    double cells = (double)plan->y.n;
    if (i == WINOGRAD) {
        if (d->algorithm != &ups_deconv_winograd) d = d->other;
        return d ? ups_winograd_cost(plan, d) : INFINITY;
    }
    for (int a = 0; a < 3; a++) cells *= (double)ups_ceil_div(plan->y.size[a], d->axis[a].s);
    return fmax(cells, ups_deconv_fetch(d)) * d->work[i] * (double)d->groups;
}

/* The op's own algorithm, or the one that is packed besides. */
static const struct ups_deconv *best_for(const ups_plan *plan)
{
    const struct ups_deconv *d = plan->op->deconv;
    if (!d->other) return d;
    return cost_of(plan, WINOGRAD) < cost_of(plan, find_algorithm(d->algorithm->name)) ? d->other : d;
}

static int32_t plan_deconv(ups_plan *plan)
{
    struct division *v = plan->state = ups_allocate(&plan->op->memory, sizeof *v);
    if (!v) return UPS_NO_MEMORY;
    v->deconv = *best_for(plan);
    struct ups_deconv *d = &v->deconv;
    for (int a = 0; a < 3; a++) d->axis[a].pad = plan->pad[a];
    const struct ups_deconv_axis *w = &d->axis[2];
    int64_t width = plan->y.size[2], l2 = d->cache[1];
    for (int a = 0; a < 2; a++) v->bands[a] = ups_ceil_div(plan->y.size[a] + short_by(d, a), band_size(d, a));
    v->blocks = ups_deconv_has_gaps(d) ? 1 : d->blocks;
    int64_t bands = plan->y.n * v->bands[0] * v->bands[1], step = band_size(d, 2);
    v->piece = bands * v->blocks >= ENOUGH_UNITS ? width : ups_min(width, ups_round_up(w->s * PIECE_CELLS, step));
    v->pieces = ups_ceil_div(width, v->piece);
    int64_t moved = ups_volume(plan->x.size) * d->in + ups_volume(plan->y.size) * d->out;
    v->by_block = (int64_t)d->packed_floats > moved;
    plan->units = bands * v->pieces * v->blocks;
    /* what one cell along W takes of a row of the ring, and of a line of outputs that is kept apart */
    int64_t row = d->axis[0].taps * d->axis[1].taps * d->in, line = d->kept * w->s;
    v->width = ups_min(width, ups_round_up(w->s * ups_max(LEAST_CELLS, l2 / 2 / ups_max(row, line)), step));
    int64_t cells = ups_ceil_div(v->width, w->s), least = ups_max(1, d->band[1]);
    int64_t most = d->algorithm == &ups_deconv_planar ? ups_planar_cells(plan, d, v->width) : STRIP_CELLS;
    d->strip = ups_max(1, ups_min(most, l2 / 2 / ups_max(row, line)) / cells);
    if (d->axis[1].step_i > 1) d->strip = 1;
    d->strip = ups_max(1, d->strip / least) * least;
    size_t bytes = d->algorithm->workspace(plan, d, v->width);
    if (!d->packed) bytes += ups_taken(ups_packed_bytes(d));
    plan->part_workspace = ups_taken(bytes);
    return UPS_OK;
}

/* ---- making an op ---- */

enum { LEAST_CHANNELS = 8 }; /* below, transforms take more than products */

/* The layout of weights for winograd, if the layer and the policy qualify and the budget allows: which plans use them depends on
 * their sizes. */
static int32_t make_other(struct ups_op *op, uint64_t budget)
{
    struct ups_deconv *own = op->deconv;
    const char **why = &own->verdict[WINOGRAD];
    *why = own->in < LEAST_CHANNELS || own->out < LEAST_CHANNELS ? "few channels"
           : op->kernels == &ups_kernels_scalar ? "without vectors the transforms take more than they save"
                                                : ups_winograd_refusal(own, op->policy);
    if (*why) return UPS_OK;
    struct ups_deconv *d = ups_allocate(&op->memory, sizeof *d);
    if (!d) return UPS_NO_MEMORY;
    *d = *own;
    d->phase_group = NULL, d->phase_groups = 0, d->merged = 0, d->kept = 0;
    d->algorithm = &ups_deconv_winograd;
    own->other = d;
    int32_t status = d->algorithm->layout(op, d);
    if (status) return status;
    if (ups_packed_bytes(d) <= budget) {
        own->verdict[find_algorithm(own->algorithm->name)] = NULL; /* as winograd's: both wait for the sizes */
    } else {
        *why = "its weights would take more than options.pack_budget";
        release(&op->memory, d);
        own->other = NULL;
    }
    return status;
}

/* Of two algorithms the one that a plan for a source of these dims takes stays. */
static int32_t heed_hint(struct ups_op *op, const int64_t *dims)
{
    char why[256];
    struct ups_deconv *own = op->deconv, *other = own->other;
    ups_tensor src;
    ups_plan *plan = NULL;
    int32_t status = ups_tensor_init(&src, sizeof src, UPS_F32, op->desc.head.rank, op->desc.head.layout, dims);
    if (!status) status = ups_plan_create(op, &src, NULL, NULL, &plan);
    if (status) {
        snprintf(why, sizeof why, "%s", ups_last_error());
        return ups_error(status, "options.size_hint as src: %s", why);
    }
    if (other) {
        struct ups_deconv *kept = best_for(plan) == own ? own : other;
        own->other = NULL;
        kept->verdict[find_algorithm(own->algorithm->name)] = kept->verdict[WINOGRAD] =
            "more estimated work at the sizes of options.size_hint";
        kept->verdict[find_algorithm(kept->algorithm->name)] = "least estimated work at the sizes of options.size_hint";
        op->deconv = kept;
        release(&op->memory, kept == own ? other : own);
    }
    ups_plan_destroy(plan);
    return UPS_OK;
}

/* Whether no weight leads from one channel to another. */
static bool is_diagonal(const struct ups_deconv *d, const float *weights)
{
    const struct ups_deconv_axis *a = d->axis;
    if (d->groups > 1 || d->in == 1 || d->in != d->out) return false;
    int64_t count = d->in * d->out * a[0].k * a[1].k * a[2].k;
    for (int64_t i = 0; i < count; i++)
        if (weights[i] != 0 && i / d->w.in % d->in != i / d->w.out % d->out) return false;
    return true;
}

/* The same layer with a convolution group for each channel. */
static void split_channels(struct ups_deconv *d)
{
    d->diagonal = true;
    d->groups = d->in;
    d->in = d->out = 1;
    d->w.group = d->w.in + d->w.out;
}

static int32_t make_deconv(struct ups_op *op, const float *weights, const float *bias, const ups_options *options)
{
    bool automatic = is_automatic(options->algorithm), at_run = op->flags & UPS_WEIGHTS_AT_RUN;
    int32_t status = ups_deconv_make_geometry(op, weights, bias, options);
    struct ups_deconv *d = op->deconv;
    if (status) return status;
    for (int i = 0; i < 3; i++) d->cache[i] = op->cache[i] / (int64_t)sizeof(float);
    if (automatic && !at_run && op->policy != UPS_POLICY_REPRODUCIBLE && is_diagonal(d, weights)) split_channels(d);
    status = choose(d, op, options->algorithm);
    if (!status) status = d->algorithm->layout(op, d);
    if (!status && automatic && !at_run && !excluded(op->policy, WINOGRAD))
        status = make_other(op, options->pack_budget);
    if (!status && options->size_hint) status = heed_hint(op, options->size_hint);
    for (d = op->deconv; d && !status && !at_run; d = d->other) status = pack_now(op, d, weights, bias);
    return status;
}

/* ---- run ---- */

/* Where a unit lies; blocks are its last coordinate or its first. */
struct place {
    int64_t block, n, band[2], piece;
};

static struct place place_of(const struct division *v, const ups_plan *plan, int64_t unit)
{
    struct place p;
    int64_t places = plan->units / v->blocks;
    p.block = v->by_block ? unit / places : unit % v->blocks;
    unit = v->by_block ? unit % places : unit / v->blocks;
    p.piece = unit % v->pieces;
    unit /= v->pieces;
    p.band[1] = unit % v->bands[1];
    unit /= v->bands[1];
    p.band[0] = unit % v->bands[0];
    p.n = unit / v->bands[0];
    return p;
}

/* How many units from `unit` on, at most `most`, make one box: neighbours along the innermost axis that has more than one,
 * and whole ones along the next. */
static int64_t box_of(const struct division *v, const ups_plan *plan, int64_t unit, int64_t most, struct ups_box *box)
{
    const struct ups_view *y = &plan->y;
    struct place p = place_of(v, plan, unit);
    int64_t inner = v->by_block ? 1 : v->blocks, count = 1, blocks = 1, pieces = 1, bands = 1;
    if (!v->by_block) count = blocks = ups_min(most, v->blocks - p.block);
    if (count == inner) {
        pieces = ups_max(1, ups_min(most / inner, v->pieces - p.piece));
        count = inner * pieces;
        if (pieces == v->pieces) {
            bands = ups_max(1, ups_min(most / count, v->bands[1] - p.band[1]));
            count *= bands;
        }
    }
    box->n = p.n;
    box->first = v->blocks == 1 ? 0 : p.block;
    box->last = v->blocks == 1 ? v->deconv.blocks : p.block + blocks;
    const struct ups_deconv *d = &v->deconv;
    box->lo[0] = band_begin(d, 0, p.band[0], y->size[0]);
    box->hi[0] = band_begin(d, 0, p.band[0] + 1, y->size[0]);
    box->lo[1] = band_begin(d, 1, p.band[1], y->size[1]);
    box->hi[1] = band_begin(d, 1, p.band[1] + bands, y->size[1]);
    box->lo[2] = p.piece * v->piece;
    box->hi[2] = ups_min(y->size[2], (p.piece + pieces) * v->piece);
    return count;
}

static void run_deconv(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct division *v = plan->state;
    const struct ups_deconv *d = &v->deconv;
    struct ups_deconv_run run = {plan, d, plan->op->kernels, b->src, b->dst, d->packed, workspace};
    if (!d->packed) {
        float *own = ups_take(&run.workspace, ups_packed_bytes(d));
        pack(d, run.kernels, b->weights, b->bias, own);
        run.packed = own;
    }
    while (first < last) {
        struct ups_box whole;
        first += box_of(v, plan, first, last - first, &whole);
        for (int64_t w = whole.lo[2]; w < whole.hi[2]; w += v->width) {
            struct ups_box box = whole;
            box.lo[2] = w;
            box.hi[2] = ups_min(w + v->width, whole.hi[2]);
            d->algorithm->run(&run, &box);
        }
    }
}

/* ---- rows ---- */

void *ups_take(char **workspace, size_t bytes)
{
    void *taken = *workspace;
    *workspace += ups_taken(bytes);
    return taken;
}

/* The rows that the cells of a strip read lie close together, unless a dilation spreads them: then a slot for each tap, where
 * neighbouring lines drive each other out. */
void ups_rows_shape(struct ups_rows *rows, const struct ups_deconv *d, int64_t lines)
{
    for (int i = 0; i < 2; i++) {
        const struct ups_deconv_axis *a = &d->axis[i];
        int64_t together = i ? lines : 1, range = (a->taps - 1) * a->step_i + together;
        bool close = range <= 4 * (a->taps + together);
        rows->count[i] = close ? range : a->taps;
        rows->divisor[i] = close ? 1 : a->step_i;
    }
}

size_t ups_rows_bytes(const struct ups_rows *rows, const struct ups_deconv *d, int64_t length)
{
    int64_t slots = rows->count[0] * rows->count[1];
    return ups_taken(ups_bytes(slots, 1, 1, sizeof(int64_t))) +
           ups_taken(ups_bytes(slots, length, d->in, sizeof(float)));
}

void ups_rows_place(struct ups_rows *rows, const struct ups_deconv *d, int64_t first, int64_t length, int64_t edge,
                    char **workspace)
{
    int64_t slots = rows->count[0] * rows->count[1];
    rows->tags = ups_take(workspace, (size_t)slots * sizeof(int64_t));
    rows->slots = ups_take(workspace, (size_t)(slots * length * d->in) * sizeof(float));
    rows->first = first;
    rows->length = length;
    rows->edge = edge;
    for (int64_t i = 0; i < slots; i++) rows->tags[i] = -1;
}

/* Pixels [from, to) of a source row, all inside the image, as [pixel][channel]. */
static void pack_pixels(const struct ups_deconv_run *run, const float *row, int64_t from, int64_t to, float *out)
{
    const struct ups_view *x = &run->plan->x;
    int64_t channels = run->d->in;
    if (ups_is_first(run->plan)) {
        run->kernels->transpose.run(row + from, channels, to - from, x->c_stride, out, channels);
    } else if (x->stride[2] == channels || to - from == 1) {
        memcpy(out, row + from * x->stride[2], (size_t)((to - from) * channels) * sizeof *out);
    } else {
        for (int64_t w = from; w < to; w++, out += channels)
            memcpy(out, row + w * x->stride[2], (size_t)channels * sizeof *out);
    }
}

const float *ups_rows_get(struct ups_rows *rows, const struct ups_deconv_run *run, int64_t n, int64_t g, int64_t d,
                          int64_t h)
{
    const struct ups_view *x = &run->plan->x;
    int64_t slot = d / rows->divisor[0] % rows->count[0] * rows->count[1] + h / rows->divisor[1] % rows->count[1];
    int64_t channels = run->d->in, tag = d * x->size[1] + h, end = rows->first + rows->length;
    float *out = rows->slots + slot * rows->length * channels;
    if (rows->tags[slot] == tag) return out;
    rows->tags[slot] = tag;
    int64_t from = ups_min(ups_max(rows->first, 0), end), to = ups_max(ups_min(end, x->size[2]), from);
    int64_t left = ups_max(from, ups_min(to, rows->edge)), right = ups_max(left, ups_min(to, x->size[2] - rows->edge));
    const float *row = run->src + ups_row_offset(x, n, g * channels, d, h);
    memset(out, 0, (size_t)((from - rows->first) * channels) * sizeof *out);
    if (from < left) pack_pixels(run, row, from, left, out + (from - rows->first) * channels);
    if (right < to) pack_pixels(run, row, right, to, out + (right - rows->first) * channels);
    memset(out + (to - rows->first) * channels, 0, (size_t)((end - to) * channels) * sizeof *out);
    return out;
}

void ups_store_lines(const struct ups_deconv_run *run, const float *line, const struct ups_box *box, int64_t channel,
                     int64_t channels, int64_t d, int64_t h, int64_t lines)
{
    const struct ups_view *y = &run->plan->y;
    int64_t width = box->hi[2] - box->lo[2];
    if (ups_is_first(run->plan) && width == y->stride[1]) width *= lines, lines = 1; /* rows touch each other */
    for (; lines; lines--, h++, line += width * channels) {
        float *row = run->dst + ups_row_offset(y, box->n, channel, d, h) + box->lo[2] * y->stride[2];
        if (ups_is_first(run->plan)) run->kernels->transpose.run(line, width, channels, channels, row, y->c_stride);
        for (int64_t w = 0; !ups_is_first(run->plan) && w < width; w++)
            memcpy(row + w * y->stride[2], line + w * channels, (size_t)channels * sizeof *row);
    }
}

void ups_fill_gaps(const struct ups_deconv_run *run, const struct ups_box *box, int64_t g, float *one)
{
    const struct ups_deconv *d = run->d;
    const struct ups_view *y = &run->plan->y;
    memset(one, 0, (size_t)d->out * sizeof *one);
    run->kernels->finish.run(one, 1, d->out, d->out, run->packed + (size_t)g * d->packed_floats, 0, 1, &d->activation);
    bool first = ups_is_first(run->plan);
    for (int64_t od = box->lo[0]; od < box->hi[0]; od++)
        for (int64_t oh = box->lo[1]; oh < box->hi[1]; oh++) {
            float *out = run->dst + ups_row_offset(y, box->n, g * d->out, od, oh);
            for (int64_t k = 0; first && k < d->out; k++)
                for (int64_t w = box->lo[2]; w < box->hi[2]; w++) out[k * y->c_stride + w] = one[k];
            for (int64_t w = box->lo[2]; !first && w < box->hi[2]; w++)
                memcpy(out + w * y->stride[2], one, (size_t)d->out * sizeof *out);
        }
}

/* ---- describing ---- */

/* Multiply-adds whose product lands in the output, along one axis: pairs (i, t) with 0 <= s*i + t*d - pad < m. Counted for
 * each of the fewer, inputs or taps. */
static int64_t useful_pairs(const struct ups_deconv_axis *a, int64_t n, int64_t m)
{
    bool by_tap = a->k <= n;
    int64_t few = by_tap ? a->k : n, step = by_tap ? a->d : a->s;
    int64_t many = by_tap ? n : a->k, stride = by_tap ? a->s : a->d, pairs = 0;
    for (int64_t i = 0; i < few; i++) {
        int64_t lo = ups_max(0, ups_ceil_div(a->pad - i * step, stride));
        int64_t hi = ups_min(many, ups_ceil_div(m + a->pad - i * step, stride));
        pairs += ups_max(0, hi - lo);
    }
    return pairs;
}

int64_t ups_deconv_macs(const struct ups_deconv *d, int64_t images, const int64_t in[3], const int64_t out[3])
{
    int64_t macs = images;
    bool fits = ups_multiply(&macs, d->groups * d->in) && ups_multiply(&macs, d->out);
    for (int a = 0; a < 3; a++) fits = fits && ups_multiply(&macs, useful_pairs(&d->axis[a], in[a], out[a]));
    return fits ? macs : INT64_MAX;
}

/* An algorithm's estimate at these sizes, and what was made of it. */
static const char *reason_of(const ups_plan *plan, int i, char *text, size_t size)
{
    const struct ups_deconv *d = plan->op->deconv, *v = &((const struct division *)plan->state)->deconv;
    double cost = cost_of(plan, i);
    const char *verdict = d->verdict[i];
    if (!verdict)
        verdict = v->algorithm == algorithms[i] ? "least estimated work at these sizes"
                                                : "more estimated work at these sizes";
    if (cost < INFINITY)
        snprintf(text, size, "%s: as long as %.3g multiply-adds of the tile", verdict, cost);
    else
        snprintf(text, size, "%s", verdict);
    return text;
}

static void describe_deconv(const ups_plan *plan, struct ups_report *r)
{
    const struct ups_kernels *k = plan->op->kernels;
    const struct division *v = plan->state;
    const struct ups_deconv *d = &v->deconv;
    char tile[32], reason[160], form[64];
    bool scatter = d->algorithm == &ups_deconv_scatter, winograd = d->algorithm == &ups_deconv_winograd;
    bool depthwise = d->algorithm == &ups_deconv_depthwise;
    snprintf(tile, sizeof tile, "%" PRId64 "x%" PRId32, ups_tile_height(k, k->nr), k->nr);
    for (int i = 0; i < ALGORITHMS; i++)
        if (algorithms[i] == d->algorithm) {
            ups_report_string(r, "algorithm", d->algorithm->name);
            ups_report_string(r, "reason", reason_of(plan, i, reason, sizeof reason));
        }
    if (winograd) ups_winograd_describe(d, form, sizeof form);
    ups_report_string(r, "form", winograd ? form : NULL);
    ups_report_string(r, "structure",
                      d->diagonal ? "no weight leads from one channel to another: a group for each" : NULL);
    ups_report_open(r, "refused");
    for (int i = 0; i < ALGORITHMS; i++)
        if (algorithms[i] != d->algorithm)
            ups_report_pair(r, "algorithm", algorithms[i]->name, "reason", reason_of(plan, i, reason, sizeof reason));
    ups_report_close(r);
    ups_report_open(r, "kernels");
    if (depthwise) {
        ups_report_add(r, ups_depthwise_planar(plan) ? k->depthwise_rows.name : k->depthwise_pixels.name);
    } else {
        ups_report_add(r, scatter ? k->axpy.name : k->gemm.name);
        if (winograd) ups_report_add(r, k->winograd_in.name);
        if (winograd) ups_report_add(r, k->winograd_out.name);
        if (d->algorithm == &ups_deconv_gemm) ups_report_add(r, k->axpy.name);
        ups_report_add(r, k->finish.name);
        if (ups_is_first(plan) != scatter) ups_report_add(r, k->transpose.name);
    }
    ups_report_close(r);
    ups_report_string(r, "tile", scatter || depthwise ? NULL : tile);
    ups_report_number(r, "macs", ups_deconv_macs(d, plan->y.n, plan->x.size, plan->y.size));
    ups_report_number(r, "packed_bytes", (int64_t)(d->packed ? ups_packed_bytes(d) : 0));
}

const struct ups_family ups_deconv_family = {make_deconv, ups_deconv_unmake, plan_deconv, run_deconv, describe_deconv};
