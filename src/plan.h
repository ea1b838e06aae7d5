/* SPDX-License-Identifier: MIT
 *
 * A plan: an op at concrete sizes. Immutable once made.
 */
#ifndef UPS_PLAN_H
#define UPS_PLAN_H

#include <stdbool.h>

#include "op.h"

/* A tensor as drivers see it: always three spatial axes, outermost first; a rank below 3 has leading axes of size 1.
 * Strides in elements. */
struct ups_view {
    int64_t n, c, size[3];
    int64_t n_stride, c_stride, stride[3];
};

struct ups_plan {
    atomic_int references;
    struct ups_op *op;
    ups_tensor src, dst, indices; /* indices: size 0 when the operation has none */
    ups_tensor grad;              /* conv_transpose_grad_weights: the gradient of the output; size 0 for the others */
    struct ups_view x, y;         /* of src, and of dst or grad */
    int64_t pad[3];               /* at the begin of each axis; negative: zeros in front */
    int64_t units;                /* independent shares of the output, dealt to parts in contiguous runs */
    size_t part_workspace;        /* bytes for one part, a multiple of UPS_ALIGNMENT */
    size_t element;               /* bytes of one of src and dst */
    void *state;                  /* the family's tables, from ups_allocate */
};

/* Three axes from the rank axes of a descriptor; `fill` for those in front. */
static inline void ups_axes3(int64_t to[3], const int64_t *from, int32_t rank, int64_t fill)
{
    for (int i = 0; i < 3; i++) to[i] = i < 3 - rank ? fill : from[i - (3 - rank)];
}

static inline int64_t ups_volume(const int64_t size[3])
{
    return size[0] * size[1] * size[2];
}

/* Where a row of a view begins. */
static inline int64_t ups_row_offset(const struct ups_view *v, int64_t n, int64_t c, int64_t d, int64_t h)
{
    return n * v->n_stride + c * v->c_stride + d * v->stride[0] + h * v->stride[1];
}

/* So many elements behind p. */
static inline const void *ups_behind(const struct ups_plan *plan, const void *p, int64_t elements)
{
    return (const char *)p + elements * (int64_t)plan->element;
}

/* A row of a tensor: of one channel, or with c = 0 of all of them. */
struct ups_row {
    int64_t n, c, d, h;
};

/* Unit u where the units of a plan are the rows of a view, of one channel each or of all. */
static inline struct ups_row ups_row_of(const struct ups_view *v, bool each_channel, int64_t u)
{
    int64_t channels = each_channel ? v->c : 1, plane = u / v->size[1] / v->size[0];
    return (struct ups_row){plane / channels, plane % channels, u / v->size[1] % v->size[0], u % v->size[1]};
}

/* Whether so many bytes, gone through from the first to the last, are not in the last cache any more when they are gone through
 * again. Some of it is always others'. */
static inline bool ups_beyond_caches(const struct ups_plan *plan, double bytes)
{
    return bytes > 0.85 * (double)plan->op->cache[2];
}

static inline bool ups_is_first(const struct ups_plan *plan)
{
    return plan->op->desc.head.layout == UPS_CHANNELS_FIRST;
}

#endif
