/* SPDX-License-Identifier: MIT
 *
 * Transposed convolution: what the algorithms share.
 *
 * Scatter form, per axis: input i reaches output o = s*i + t*d - pad through tap t. With g = gcd(s, d), the taps t and
 * t + s/g reach the same outputs from inputs d/g apart. So the taps fall into phases: phase t0 in [0, min(k, s/g)) holds
 * the taps t0 + j*(s/g), and its outputs
 *
 *     y[s*c + t0*d - pad] = sum over j of w[t0 + j*step_t] * x[c - j*step_i]        step_t = s/g, step_i = d/g
 *
 * one for every cell c, are a plain correlation. An axis has one or two kinds of phases, k/step_t taps or one more. The
 * outputs of no phase (k < s, say) are the bias alone.
 */
#ifndef UPS_DECONV_H
#define UPS_DECONV_H

#include "plan.h"
#include "size.h"

struct ups_deconv_axis {
    int64_t k, s, d;
    int64_t pad;            /* at the begin; negative: zeros in front. 0 in the op: a plan's copy holds its own */
    int64_t step_t, step_i; /* from tap to tap of a phase: in the kernel, in the input (backwards) */
    int64_t phases;         /* that have taps: min(k, step_t) */
    int64_t taps;           /* of the longest phase */
};

/* Phases that are computed together, as columns of one matrix product: a run of `phases` t0 on each axis, all with the same
 * number of taps. Columns are (phase on D, H, W, output channel). */
struct ups_phase_group {
    int64_t t0[3], phases[3], taps[3];
    int64_t columns;
    /* Offsets in a convolution group's packed floats: the columns' bias, and where the panels of the group's block begin. */
    size_t bias, weights;
    int64_t before, together;      /* taps per column of the groups in front of it in a block, and of the whole block */
    struct ups_winograd_tile tile; /* algorithm winograd */
};

enum { UPS_DECONV_ALGORITHMS = 8 }; /* at most */

struct ups_deconv {
    struct ups_deconv_axis axis[3];
    int64_t groups, in, out; /* convolution groups; channels of one */
    int32_t layout;          /* of the tensors */
    bool diagonal; /* the caller's layer has one group: each of its channels was found to come from itself alone */
    struct ups_activation activation;
    struct {
        int64_t group, in, out, tap[3];
    } w; /* element strides of the caller's weights */
    const struct ups_deconv_algorithm *algorithm;
    const char *verdict[UPS_DECONV_ALGORITHMS]; /* per algorithm in their order: why it was taken or not */
    double work[UPS_DECONV_ALGORITHMS];
    float *packed; /* `packed_floats` for each convolution group; NULL with UPS_WEIGHTS_AT_RUN */
    size_t packed_floats;
    int64_t
        blocks; /* what the algorithm can compute apart of one part of the output, with weights of their own; >= 1 */
    struct ups_phase_group *phase_group; /* algorithms phase and planar */
    int64_t phase_groups, row_groups;    /* all; those that differ along W alone and stand together */
    int64_t rows_together;               /* algorithm phase: row groups' rows that a block computes, 1 or all */
    int64_t kept;     /* floats of outputs that are kept apart, for each output along W of a line of cells */
    int64_t merged;   /* the first axis whose phases are merged, 3 for none */
    int64_t strip;    /* a plan's: lines of cells that are computed together */
    int64_t cache[3]; /* floats that levels 1 to 3 hold */
    int64_t
        band[3]; /* algorithm winograd: cells of a unit, whole tiles of every phase, counted from output 0; else 0 */
    struct {
        bool large[2];        /* along H, W: the forms that save more */
        int64_t chain, tiles; /* input channels of a partial sum; tiles of a block */
    } winograd;
    struct ups_deconv *other;       /* packed besides, for plans whose sizes suit it; NULL for none */
    int64_t channel_step, tap_step; /* algorithm depthwise: of the packed weights */
};

/* A part of the output of one image: [lo, hi) on each axis, and of what can be computed apart the blocks [first, last). */
struct ups_box {
    int64_t n, lo[3], hi[3], first, last;
};

/* One run, as the algorithms see it. */
struct ups_deconv_run {
    const ups_plan *plan;
    const struct ups_deconv *d;
    const struct ups_kernels *kernels;
    const float *src;
    float *dst;
    const float *packed;
    char *workspace;
};

struct ups_deconv_algorithm {
    const char *name;
    bool one_chain; /* every output one chain in the reference order: what policy reproducible demands */
    /* Estimated cost per input pixel, in multiply-adds of the tile; lanes that padding wastes are counted. Infinite for a layer
     * that it does not take. */
    double (*work)(const struct ups_deconv *d, const struct ups_kernels *kernels);
    /* Lays out the packed floats of one convolution group: sets packed_floats, blocks and what else it needs. */
    int32_t (*layout)(const struct ups_op *op, struct ups_deconv *d);
    /* Packs the weights of one convolution group behind its plain bias, which stands there already. */
    void (*pack)(const struct ups_deconv *d, const struct ups_kernels *kernels, const float *weights, float *to);
    /* Bytes for boxes of at most `width` outputs along W, on top of nothing. */
    size_t (*workspace)(const ups_plan *plan, const struct ups_deconv *d, int64_t width);
    void (*run)(const struct ups_deconv_run *run, const struct ups_box *box);
};

extern const struct ups_deconv_algorithm ups_deconv_phase, ups_deconv_planar, ups_deconv_gemm, ups_deconv_scatter,
    ups_deconv_depthwise, ups_deconv_winograd;

/* deconv_winograd.c. Why the algorithm cannot do a layer under a policy; NULL if it can, and its forms are chosen. */
const char *ups_winograd_refusal(struct ups_deconv *d, int32_t policy);
/* Its largest form, in words. */
void ups_winograd_describe(const struct ups_deconv *d, char *text, size_t size);
/* What a plan's sizes take, in multiply-adds of the tile. */
double ups_winograd_cost(const ups_plan *plan, const struct ups_deconv *d);
/* Weights that no near cache holds arrive about as fast as so many multiply-adds for each take. */
double ups_deconv_fetch(const struct ups_deconv *d);

/* deconv_planar.c: cells of a strip, at most, where a line has `width` outputs. */
int64_t ups_planar_cells(const ups_plan *plan, const struct ups_deconv *d, int64_t width);

/* Whether algorithm depthwise takes rows of one channel, lanes along W, or pixels with all their channels. */
bool ups_depthwise_planar(const ups_plan *plan);

/* Axes, channels and the strides of the weights, of a checked descriptor, into a zeroed struct. */
int32_t ups_deconv_geometry(struct ups_deconv *d, const ups_conv_transpose_desc *desc);

/* Makes an op's geometry: all that is held where no weights are packed. */
int32_t ups_deconv_make_geometry(struct ups_op *op, const float *weights, const float *bias,
                                 const ups_options *options);
/* Releases what an op of transposed convolution or of a gradient holds. */
void ups_deconv_unmake(struct ups_op *op);

/* Multiply-adds of so many images whose product lands in the output; the most there can be if they are more. */
int64_t ups_deconv_macs(const struct ups_deconv *d, int64_t images, const int64_t in[3], const int64_t out[3]);

/* What the gradients say of themselves, all computed by one algorithm over the tile: why, and how many multiply-adds. */
void ups_grad_describe(const ups_plan *plan, struct ups_report *r, const char *reason, int64_t macs);

/* ---- what more than one algorithm needs (deconv.c, gemm.c) ---- */

/* The input of n that tap t brings to output o along one axis, or -1. */
static inline int64_t ups_source_of(const struct ups_deconv_axis *a, int64_t o, int64_t t, int64_t n)
{
    int64_t from = o + a->pad - t * a->d;
    return from >= 0 && from % a->s == 0 && from / a->s < n ? from / a->s : -1;
}

/* Some outputs lie in no phase: they are act(bias). */
bool ups_deconv_has_gaps(const struct ups_deconv *d);

/* act(bias) to all outputs of a box, where some are in no phase; `one` takes the channels of an output. */
void ups_fill_gaps(const struct ups_deconv_run *run, const struct ups_box *box, int64_t g, float *one);

/* Where a strip of `lines` lines of cells ends that begins with output row lo: with the outputs of its last line, at most at hi. */
static inline int64_t ups_strip_end(const struct ups_deconv_axis *h, int64_t lines, int64_t lo, int64_t hi)
{
    return ups_min(hi, (ups_floor_div(lo + h->pad, h->s) + lines) * h->s - h->pad);
}

/* Packed weights of all convolution groups. */
static inline size_t ups_packed_bytes(const struct ups_deconv *d)
{
    return (size_t)d->groups * d->packed_floats * sizeof(float);
}

/* The plain bias, which stands first in a convolution group's packed floats. */
static inline size_t ups_bias_floats(const struct ups_deconv *d)
{
    return (size_t)ups_round_up(d->out, 16);
}

/* Source rows of one convolution group, packed [pixel][channel] with zeros outside the image, in a small ring: slots follow
 * from the row's position, so that the rows of one cell never share one. */
struct ups_rows {
    int64_t count[2], divisor[2]; /* on D and H: row i is in slot i / divisor % count */
    int64_t *tags;                /* which row a slot holds, -1 none */
    float *slots;
    int64_t first, length; /* the pixels of a row: first … first + length - 1, may lie outside the image */
    int64_t edge;          /* so many pixels at either end of the image are there, and what lies outside */
};

/* Sets count and divisor for `lines` lines of cells along H at a time. */
void ups_rows_shape(struct ups_rows *rows, const struct ups_deconv *d, int64_t lines);
size_t ups_rows_bytes(const struct ups_rows *rows, const struct ups_deconv *d, int64_t length);
/* Places a ring that has its shape at *workspace and moves that behind it. */
void ups_rows_place(struct ups_rows *rows, const struct ups_deconv *d, int64_t first, int64_t length, int64_t edge,
                    char **workspace);
/* Row (d, h) of image n, convolution group g: inside the image. */
const float *ups_rows_get(struct ups_rows *rows, const struct ups_deconv_run *run, int64_t n, int64_t g, int64_t d,
                          int64_t h);

/* Writes lines [h][w][channel] of `channels` channels from `channel` on, as wide as the box, to rows h … h + lines - 1 of plane
 * d. */
void ups_store_lines(const struct ups_deconv_run *run, const float *line, const struct ups_box *box, int64_t channel,
                     int64_t channels, int64_t d, int64_t h, int64_t lines);

/* Takes `bytes` from *workspace, aligned. */
void *ups_take(char **workspace, size_t bytes);

/* Inputs along W that reach `width` outputs, at most. */
static inline int64_t ups_most_inputs(const struct ups_deconv *d, int64_t width)
{
    const struct ups_deconv_axis *w = &d->axis[2];
    return ups_ceil_div(width + (w->k - 1) * w->d, w->s) + 1;
}

/* Channels first, an input pixel is transposed on its way to the tile: as long as so many multiply-adds take. */
static inline double ups_entry(const struct ups_deconv *d)
{
    return d->layout == UPS_CHANNELS_FIRST ? 16 * (double)d->in : 0;
}

/* Whether the tile applies the activation itself; else `finish` does, bias and all. */
static inline bool ups_in_tile(const struct ups_activation *activation)
{
    return activation->kind <= UPS_CLIP;
}

/* What other kernels that end with an activation apply, where `finish` may follow. */
static inline const struct ups_activation *ups_tile_activation(const struct ups_deconv *d)
{
    static const struct ups_activation none = {UPS_NO_ACTIVATION, 0, 0};
    return ups_in_tile(&d->activation) ? &d->activation : &none;
}

/* gemm.c: panels. Column j of the panels reads from + column[j] (columns < 0: 0) for each of depth rows `step` apart. */
void ups_pack_panel(float *to, int64_t nr, int64_t columns, const float *from, const int64_t *column, int64_t depth,
                    int64_t step, int64_t to_step);

/* Rows of a tile of so many columns, at most. */
static inline int64_t ups_tile_height(const struct ups_kernels *kernels, int64_t columns)
{
    return kernels->mr[ups_ceil_div(columns, kernels->lanes) - 1];
}

/* Rows of the next tile when `left` rows remain: at most mr, and the last tiles are of about equal height, because short ones
 * waste the machine. */
static inline int64_t ups_tile_rows(int64_t left, int64_t mr)
{
    int64_t tiles = ups_ceil_div(left, mr);
    return tiles ? ups_ceil_div(left, tiles) : 0;
}

#endif
