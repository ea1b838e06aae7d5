/* SPDX-License-Identifier: MIT
 *
 * Taps of a resize: along each axis, which input positions an output is made of, and how much each weighs. This is where
 * frameworks differ; everything else of a resize is arithmetic.
 */
#ifndef UPS_TAPS_H
#define UPS_TAPS_H

#include <stdbool.h>

#include "desc.h"

/* What decides the taps of one axis: fields of the descriptor, resolved for its lengths. */
struct ups_sampling {
    int64_t n, m;
    int32_t mode, coordinate, nearest, arithmetic, rank, radius, area;
    bool copies; /* output o is input o, whatever the rest says */
    bool antialias, excludes;
    bool scaled;  /* the scale was given, and is not m/n */
    double scale; /* output / input, as it enters the formulas */
    double a;     /* of the cubic */
    double begin, end;
};

/* One axis. The table is tap-major: index[t*m + o] and weight[t*m + o] for tap t of output o. Positions never fall with t, and
 * no pixel weighs 0: an output with fewer taps than the others takes its last pixel several times, in equal shares, so that
 * no NaN or infinity reaches an output that it has no part in. */
struct ups_taps {
    int64_t n, m, taps;
    int64_t span;     /* most positions from the first tap of an output to its last, both counted */
    int64_t from, to; /* outputs before and from here on lie outside the image, under tf_crop_and_resize */
    int32_t *index;
    float *weight;
    bool identity; /* output o is input o */
    bool twice;    /* output o is input o/2 */
};

/* The three axes, outermost first, of a checked descriptor between these sizes; axes that the rank lacks are copied. */
void ups_sampling_of(const ups_resize_desc *desc, const int64_t n[3], const int64_t m[3], struct ups_sampling axes[3]);

/* An upper bound of the taps of an output. UPS_UNSUPPORTED: the scale is so far from the sizes that a table would not end. */
int32_t ups_taps_bound(const struct ups_sampling *s, int64_t *bound);

/* Fills everything of `to` but the pointers, which have room for bound * m entries. */
void ups_taps_fill(const struct ups_sampling *s, int64_t bound, struct ups_taps *to);

#endif
