/* SPDX-License-Identifier: MIT
 *
 * Transposed convolution: which phases the algorithms compute together, and which cells and pixels belong to them.
 */
#ifndef UPS_DECONV_PHASES_H
#define UPS_DECONV_PHASES_H

#include "deconv.h"

/* The runs of phases along one axis that may share a product. */
struct kind {
    int64_t t0, phases, taps;
};

/* The i-th run, or false past the last: each phase alone, or merged with all others of as many taps. */
static inline bool kind_of(const struct ups_deconv_axis *a, bool merged, int64_t i, struct kind *kind)
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

/* The outputs of a cell's phases lie within one stride: merged, each cell is computed once and most of it is used. A dilation
 * spreads them over other cells. */
static inline bool close_together(const struct ups_deconv_axis *a)
{
    return (a->phases - 1) * a->d < a->s;
}

static inline int64_t group_taps(const struct ups_phase_group *p)
{
    return p->taps[0] * p->taps[1] * p->taps[2];
}

static inline int64_t kinds(const struct ups_deconv_axis *a, bool merged)
{
    int64_t longer = a->k % a->step_t;
    return merged ? (longer > 0) + (longer < a->phases) : a->phases;
}

/* Where column j stands: its phase on each axis and its output channel. */
static inline void column_of(const struct ups_phase_group *p, int64_t out, int64_t j, int64_t t0[3], int64_t *channel)
{
    *channel = j % out;
    j /= out;
    for (int a = 2; a >= 0; a--) {
        t0[a] = p->t0[a] + j % p->phases[a];
        j /= p->phases[a];
    }
}

/* Output of cell c and phase t0 on an axis: c*s + shift. */
static inline int64_t shift(const struct ups_deconv_axis *a, int64_t t0)
{
    return t0 * a->d - a->pad;
}

/* Cells that have an output of phases t0 … t0 + phases - 1 in [lo, hi). */
static inline void cells(const struct ups_deconv_axis *a, int64_t t0, int64_t phases, int64_t lo, int64_t hi,
                         int64_t *first, int64_t *last)
{
    *first = ups_ceil_div(lo - shift(a, t0 + phases - 1), a->s);
    *last = ups_ceil_div(hi - shift(a, t0), a->s);
}

/* The pixels that reach outputs [lo, hi) along W through any tap. */
static inline void pixels(const struct ups_deconv_axis *w, int64_t lo, int64_t hi, int64_t *first, int64_t *last)
{
    *first = ups_floor_div(lo + w->pad - (w->k - 1) * w->d, w->s);
    *last = ups_floor_div(hi - 1 + w->pad, w->s) + 1;
}

#endif
