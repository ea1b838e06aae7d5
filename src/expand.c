/* SPDX-License-Identifier: MIT
 *
 * Replication and bed of nails. The unit is an output row: of one channel (channels first) or of all (channels last). Rows
 * are built one after the other from the source row, which is in L1 from the second on.
 */
#include <string.h>

#include "plan.h"

/* factor and offset on three axes. */
struct expand {
    int64_t factor[3], offset[3];
    bool nails;
    const struct ups_kernels *kernels;
    struct ups_spread spread; /* along W */
    int32_t quotient[16 * UPS_MOST_FACTOR], remainder[16 * UPS_MOST_FACTOR];
};

static int32_t plan_expand(ups_plan *plan)
{
    const ups_expand_desc *d = &plan->op->desc.expand;
    struct expand *e = plan->state = ups_allocate(&plan->op->memory, sizeof *e);
    if (!e) return UPS_NO_MEMORY;
    ups_axes3(e->factor, d->factor, d->rank, 1);
    ups_axes3(e->offset, d->offset, d->rank, 0);
    e->nails = d->op == UPS_BED_OF_NAILS;
    e->spread = (struct ups_spread){e->factor[2], e->quotient, e->remainder};
    e->kernels =
        e->factor[2] <= UPS_MOST_FACTOR ? plan->op->kernels : &ups_kernels_scalar; /* long runs: no vectors needed */
    for (int64_t p = 0; p < 16 * e->factor[2] && e->factor[2] <= UPS_MOST_FACTOR; p++) {
        e->quotient[p] = (int32_t)(p / e->factor[2]);
        e->remainder[p] = (int32_t)(p % e->factor[2]);
    }
    plan->units = plan->y.n * (ups_is_first(plan) ? plan->y.c : 1) * plan->y.size[0] * plan->y.size[1];
    return UPS_OK;
}

/* One row of one channel. src NULL: a row of the bed without nails. */
static void row_first(const ups_plan *plan, const float *src, float *dst)
{
    const struct expand *e = plan->state;
    const struct ups_kernels *k = e->kernels;
    int64_t n = plan->x.size[2], factor = e->factor[2];
    if (!src)
        memset(dst, 0, (size_t)(n * factor) * sizeof *dst);
    else if (factor == 1)
        memcpy(dst, src, (size_t)n * sizeof *dst);
    else if (e->nails)
        k->nails.run(src, n, &e->spread, e->offset[2], dst);
    else if (factor == 2)
        k->replicate_x2.run(src, n, dst);
    else
        k->replicate.run(src, n, &e->spread, dst);
}

/* One row of pixels. */
static void row_last(const ups_plan *plan, const float *src, float *dst)
{
    const struct expand *e = plan->state;
    int64_t factor = e->factor[2], step = plan->y.stride[2];
    size_t bytes = (size_t)plan->y.c * sizeof *dst;
    for (int64_t w = 0; w < plan->y.size[2]; w++) {
        if (src && (!e->nails || w % factor == e->offset[2]))
            memcpy(dst + w * step, src + w / factor * plan->x.stride[2], bytes);
        else
            memset(dst + w * step, 0, bytes);
    }
}

static void run_expand(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct expand *e = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    bool channels_first = ups_is_first(plan);
    (void)workspace;
    for (int64_t u = first; u < last; u++) {
        struct ups_row r = ups_row_of(y, channels_first, u);
        bool empty = e->nails && (r.h % e->factor[1] != e->offset[1] || r.d % e->factor[0] != e->offset[0]);
        const float *src =
            empty ? NULL : (const float *)b->src + ups_row_offset(x, r.n, r.c, r.d / e->factor[0], r.h / e->factor[1]);
        (channels_first ? row_first : row_last)(plan, src, (float *)b->dst + ups_row_offset(y, r.n, r.c, r.d, r.h));
    }
}

static void describe_expand(const ups_plan *plan, struct ups_report *r)
{
    const struct expand *e = plan->state;
    const struct ups_kernels *k = e->kernels;
    const char *kernel = e->nails ? k->nails.name : e->factor[2] == 2 ? k->replicate_x2.name : k->replicate.name;
    ups_report_direct(r, "the only one; each output row is built once from its source row", &kernel,
                      ups_is_first(plan) && e->factor[2] > 1);
}

const struct ups_family ups_expand_family = {NULL, NULL, plan_expand, run_expand, describe_expand};
