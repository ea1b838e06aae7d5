/* SPDX-License-Identifier: MIT
 *
 * The gradient of a transposed convolution with respect to its bias: each channel's sum over images and pixels.
 *
 * Up to 512 lines of the gradient are added up in float, place by place along W; then those places in double, in order. No sum
 * depends on another channel, and every tier and division gives the same bits.
 */
#include <string.h>

#include "deconv.h"

/* Channels of a unit, channels last; floats, and lines, that are added up at a time. */
enum { BLOCK = 64, PLACES = 4096, CHAIN = 512 };

struct division {
    int64_t channels, width; /* of a unit; pixels along W at a time */
};

static int32_t plan_grad_bias(ups_plan *plan)
{
    struct division *v = plan->state = ups_allocate(&plan->op->memory, sizeof *v);
    if (!v) return UPS_NO_MEMORY;
    v->channels = ups_is_first(plan) ? 1 : ups_min(BLOCK, plan->x.c);
    v->width = ups_min(plan->x.size[2], PLACES / v->channels);
    plan->units = ups_ceil_div(plan->x.c, v->channels);
    plan->part_workspace = ups_taken((size_t)(v->width * v->channels) * sizeof(float));
    return UPS_OK;
}

/* Adds pixels [w0, w0 + width) of a line, `channels` of each, to their places. */
static void add_line(const ups_plan *plan, const float *row, int64_t w0, int64_t width, int64_t channels, float *places)
{
    int64_t step = plan->x.stride[2];
    row += w0 * step;
    if (ups_is_first(plan) || step == channels)
        plan->op->kernels->axpy.run(width * channels, 1, row, places);
    else
        for (int64_t w = 0; w < width; w++)
            plan->op->kernels->axpy.run(channels, 1, row + w * step, places + w * channels);
}

/* Adds lines [first, last) of `channels` channels from c on, pixels [w0, w0 + width), to the channels' sums. */
static void add_lines(const ups_plan *plan, const float *src, int64_t c, int64_t channels, int64_t w0, int64_t width,
                      int64_t first, int64_t last, float *places, double *sum)
{
    const struct ups_view *x = &plan->x;
    int64_t h = x->size[1], d = x->size[0];
    memset(places, 0, (size_t)(width * channels) * sizeof *places);
    for (int64_t i = first; i < last; i++)
        add_line(plan, src + ups_row_offset(x, i / h / d, c, i / h % d, i % h), w0, width, channels, places);
    for (int64_t i = 0; i < width * channels; i++) sum[i % channels] += (double)places[i];
}

static void run_grad_bias(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct division *v = plan->state;
    const struct ups_view *x = &plan->x;
    float *dst = b->dst;
    int64_t lines = x->n * x->size[0] * x->size[1];
    for (int64_t u = first; u < last; u++) {
        int64_t c = u * v->channels, channels = ups_min(v->channels, x->c - c);
        double sum[BLOCK] = {0};
        for (int64_t w0 = 0; w0 < x->size[2]; w0 += v->width)
            for (int64_t i = 0; i < lines; i += CHAIN)
                add_lines(plan, b->src, c, channels, w0, ups_min(v->width, x->size[2] - w0), i,
                          ups_min(i + CHAIN, lines), workspace, sum);
        for (int64_t i = 0; i < channels; i++) dst[(c + i) * plan->y.c_stride] = (float)sum[i];
    }
}

static void describe_grad_bias(const ups_plan *plan, struct ups_report *r)
{
    const char *kernel = plan->op->kernels->axpy.name;
    ups_report_direct(r, "the only one: lines are added up", &kernel, 1);
}

const struct ups_family ups_grad_bias_family = {ups_deconv_make_geometry, ups_deconv_unmake, plan_grad_bias,
                                                run_grad_bias, describe_grad_bias};
