/* SPDX-License-Identifier: MIT
 *
 * Pixel shuffle and unshuffle: one map between a wide tensor and a deep one, whose channels are the wide one's blocks of b
 * pixels on each axis, read in either direction:
 *
 *     wide[c, d*b + i, h*b + j, w*b + k]  ↔  deep[c*channel_step + cell*cell_step, d, h, w]       cell = (i*b + j)*b + k
 *
 * CRD has cell_step 1 and channel_step b^rank, DCR has channel_step 1 and cell_step C'. The unit is a wide row, of one
 * channel (channels first) or of all (channels last): a copy along k, w and, channels last, c. The innermost of these loops is
 * the one over channels where they are many, else the one over pixels: a transposition by the kernel, whose blocks b hardly
 * ever fills, was several times slower (shuffle, channels first, b = 2: 13 times memcpy, against 4).
 */
#include <string.h>

#include "plan.h"

enum { MANY = 16 }; /* channels: a cache line of floats */

/* A loop: how often, and its steps in the source and the destination. */
struct loop {
    int64_t count, from, to;
};

struct shuffle {
    int64_t block[3];
    int64_t channel_step, cell_step; /* in channels of the deep tensor */
    bool widens;                     /* pixel_shuffle: from deep to wide */
    struct loop loop[3];             /* of a unit, outermost first */
};

static int32_t plan_shuffle(ups_plan *plan)
{
    const ups_shuffle_desc *d = &plan->op->desc.shuffle;
    struct shuffle *s = plan->state = ups_allocate(&plan->op->memory, sizeof *s);
    if (!s) return UPS_NO_MEMORY;
    s->widens = ups_runs_as(d->op) == UPS_PIXEL_SHUFFLE;
    const struct ups_view *wide = s->widens ? &plan->y : &plan->x, *deep = s->widens ? &plan->x : &plan->y;
    ups_axes3(s->block, (const int64_t[]){d->blocksize, d->blocksize, d->blocksize}, d->rank, 1);
    s->channel_step = d->shuffle == UPS_CRD ? deep->c / wide->c : 1;
    s->cell_step = d->shuffle == UPS_CRD ? 1 : wide->c;
    plan->units = wide->n * (ups_is_first(plan) ? wide->c : 1) * wide->size[0] * wide->size[1];

    /* from deep to wide */
    int64_t b = s->block[2], channels = ups_is_first(plan) ? 1 : wide->c;
    struct loop cells = {b, s->cell_step * deep->c_stride, wide->stride[2]};
    struct loop pixels = {deep->size[2], deep->stride[2], b * wide->stride[2]};
    struct loop across = {channels, s->channel_step * deep->c_stride, wide->c_stride};
    const struct loop loops[3] = {channels < MANY ? cells : pixels, channels < MANY ? across : cells,
                                  channels < MANY ? pixels : across};
    for (int i = 0; i < 3; i++)
        s->loop[i] = s->widens ? loops[i] : (struct loop){loops[i].count, loops[i].to, loops[i].from};
    return UPS_OK;
}

static void copy(const struct loop loop[3], const float *src, float *dst)
{
    int64_t n = loop[2].count, from = loop[2].from, to = loop[2].to;
    for (int64_t i = 0; i < loop[0].count; i++)
        for (int64_t j = 0; j < loop[1].count; j++) {
            const float *x = src + i * loop[0].from + j * loop[1].from;
            float *y = dst + i * loop[0].to + j * loop[1].to;
            if (from == 1 && to == 1)
                memcpy(y, x, (size_t)n * sizeof *y);
            else if (to == 1)
                for (int64_t k = 0; k < n; k++) y[k] = x[k * from];
            else
                for (int64_t k = 0; k < n; k++) y[k * to] = x[k * from];
        }
}

static void run_shuffle(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct shuffle *s = plan->state;
    const struct ups_view *wide = s->widens ? &plan->y : &plan->x, *deep = s->widens ? &plan->x : &plan->y;
    const float *src = b->src;
    float *dst = b->dst;
    (void)workspace;
    for (int64_t u = first; u < last; u++) {
        struct ups_row r = ups_row_of(wide, ups_is_first(plan), u);
        int64_t cell = (r.d % s->block[0] * s->block[1] + r.h % s->block[1]) * s->block[2];
        int64_t in_wide = ups_row_offset(wide, r.n, r.c, r.d, r.h);
        int64_t in_deep = ups_row_offset(deep, r.n, r.c * s->channel_step + cell * s->cell_step, r.d / s->block[0],
                                         r.h / s->block[1]);
        copy(s->loop, src + (s->widens ? in_deep : in_wide), dst + (s->widens ? in_wide : in_deep));
    }
}

static void describe_shuffle(const ups_plan *plan, struct ups_report *r)
{
    (void)plan;
    ups_report_direct(r, "the only one; rows are copied in strides", NULL, 0);
}

const struct ups_family ups_shuffle_family = {NULL, NULL, plan_shuffle, run_shuffle, describe_shuffle};
