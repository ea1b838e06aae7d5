/* SPDX-License-Identifier: MIT
 *
 * Pixel shuffle and unshuffle: one map between a wide tensor and a deep one, whose channels are the wide one's blocks of b
 * pixels on each axis, read in either direction:
 *
 *     wide[c, d*b + i, h*b + j, w*b + k]  ↔  deep[c*channel_step + cell*cell_step, d, h, w]       cell = (i*b + j)*b + k
 *
 * CRD has cell_step 1 and channel_step b^rank, DCR has channel_step 1 and cell_step C'. The unit is a wide row, of one
 * channel (channels first) or of all (channels last). Its b neighbours k lie b cells apart in the deep tensor: channels
 * first transposes b deep rows, channels last b pixels against a deep pixel, or with DCR copies them one by one.
 */
#include <string.h>

#include "plan.h"

struct shuffle {
    int64_t block[3];
    int64_t channel_step, cell_step; /* in channels of the deep tensor */
    bool widens;                     /* pixel_shuffle: from deep to wide */
};

static int32_t plan_shuffle(ups_plan *plan)
{
    const ups_shuffle_desc *d = &plan->op->desc.shuffle;
    struct shuffle *s = plan->state = ups_allocate(&plan->op->memory, sizeof *s);
    if (!s) return UPS_NO_MEMORY;
    s->widens = d->op == UPS_PIXEL_SHUFFLE;
    const struct ups_view *wide = s->widens ? &plan->y : &plan->x, *deep = s->widens ? &plan->x : &plan->y;
    ups_axes3(s->block, (const int64_t[]){d->blocksize, d->blocksize, d->blocksize}, d->rank, 1);
    s->channel_step = d->shuffle == UPS_CRD ? deep->c / wide->c : 1;
    s->cell_step = d->shuffle == UPS_CRD ? 1 : wide->c;
    plan->units = wide->n * (ups_is_first(plan) ? wide->c : 1) * wide->size[0] * wide->size[1];
    return UPS_OK;
}

/* One wide row of one channel against its b deep rows. */
static void row_first(const ups_plan *plan, const float *src, float *dst)
{
    const struct shuffle *s = plan->state;
    ups_transpose_fn *transpose = plan->op->kernels->transpose.run;
    int64_t b = s->block[2];
    if (s->widens)
        transpose(src, b, plan->x.size[2], plan->x.c_stride * s->cell_step, dst, b);
    else
        transpose(src, plan->y.size[2], b, b, dst, plan->y.c_stride * s->cell_step);
}

/* One wide row of pixels. */
static void row_last(const ups_plan *plan, const float *src, float *dst)
{
    const struct shuffle *s = plan->state;
    ups_transpose_fn *transpose = plan->op->kernels->transpose.run;
    int64_t b = s->block[2], channels = s->widens ? plan->y.c : plan->x.c;
    int64_t src_cell = s->widens ? s->cell_step : plan->x.stride[2];
    int64_t dst_cell = s->widens ? plan->y.stride[2] : s->cell_step;
    int64_t src_step = plan->x.stride[2] * (s->widens ? 1 : b), dst_step = plan->y.stride[2] * (s->widens ? b : 1);
    int64_t pixels = s->widens ? plan->x.size[2] : plan->y.size[2];
    for (int64_t w = 0; w < pixels; w++, src += src_step, dst += dst_step) {
        if (s->channel_step == 1)
            for (int64_t k = 0; k < b; k++)
                memcpy(dst + k * dst_cell, src + k * src_cell, (size_t)channels * sizeof *dst);
        else if (s->widens)
            transpose(src, channels, b, s->channel_step, dst, dst_cell);
        else
            transpose(src, b, channels, src_cell, dst, s->channel_step);
    }
}

static void run_shuffle(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct shuffle *s = plan->state;
    const struct ups_view *wide = s->widens ? &plan->y : &plan->x, *deep = s->widens ? &plan->x : &plan->y;
    bool channels_first = ups_is_first(plan);
    int64_t channels = channels_first ? wide->c : 1;
    (void)workspace;
    for (int64_t u = first; u < last; u++) {
        int64_t h = u % wide->size[1], d = u / wide->size[1] % wide->size[0], plane = u / wide->size[1] / wide->size[0];
        int64_t n = plane / channels, c = plane % channels;
        int64_t cell = (d % s->block[0] * s->block[1] + h % s->block[1]) * s->block[2];
        int64_t in_wide = ups_row_offset(wide, n, c, d, h);
        int64_t in_deep =
            ups_row_offset(deep, n, c * s->channel_step + cell * s->cell_step, d / s->block[0], h / s->block[1]);
        (channels_first ? row_first : row_last)(plan, b->src + (s->widens ? in_deep : in_wide),
                                                b->dst + (s->widens ? in_wide : in_deep));
    }
}

static void describe_shuffle(const ups_plan *plan, struct ups_report *r)
{
    const struct shuffle *s = plan->state;
    bool copies = !ups_is_first(plan) && s->channel_step == 1;
    ups_report_direct(r, copies ? "channels of a pixel lie together on both sides: copied" : "rows are transposed",
                      &plan->op->kernels->transpose.name, !copies);
}

const struct ups_family ups_shuffle_family = {NULL, NULL, plan_shuffle, run_shuffle, describe_shuffle};
