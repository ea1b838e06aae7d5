/* SPDX-License-Identifier: MIT
 *
 * Resize: separable passes over tables of taps (taps.h). A run filters each source row along W once, into a cache of rows, and
 * combines those along H and D into each output row. The unit is an output row: of one channel (channels first) or of all.
 */
#include <string.h>

#include "plan.h"
#include "size.h"
#include "taps.h"

/* An output row may have thousands of rows under it: so many are combined at a time. */
enum { GROUP = 16 };

/* The cache holds all rows under an output row while they take no more than this, else one group. */
#define CACHE_BYTES ((size_t)4 << 20)

struct resize {
    bool copies;   /* every output is one pixel, or lies outside the image */
    bool direct;   /* W is copied: the rows are the source's own */
    bool ring;     /* a row's place in the cache follows from its position, else from its turn */
    int64_t slots; /* rows in the cache */
    float outside; /* the extrapolation value */
    struct ups_taps axis[3];
};

/* ---- plan ---- */

/* Floats of a filtered row. */
static int64_t row_floats(const ups_plan *plan)
{
    return plan->y.size[2] * (ups_is_first(plan) ? 1 : plan->y.c);
}

static bool is_dense(const ups_plan *plan, const struct ups_view *v)
{
    return ups_is_first(plan) || v->size[2] == 1 || v->stride[2] == v->c;
}

/* Slots, their tags, and two rows for what groups leave to the next one. */
static void place_cache(ups_plan *plan, struct resize *z)
{
    int64_t rows = z->axis[0].span * z->axis[1].span, floats = row_floats(plan);
    z->direct = z->axis[2].identity && is_dense(plan, &plan->x);
    z->ring = rows <= GROUP || ups_bytes(rows, floats, 1, sizeof(float)) <= CACHE_BYTES;
    z->slots = z->direct ? 0 : z->ring ? rows : GROUP;
    if (z->copies) return;
    plan->part_workspace =
        ups_taken(ups_bytes(z->slots, 1, 1, sizeof(int64_t)) + ups_bytes(z->slots + 2, floats, 1, sizeof(float)));
}

static int32_t plan_resize(ups_plan *plan)
{
    const ups_resize_desc *d = &plan->op->desc.resize;
    struct ups_sampling sampling[3];
    int64_t bound[3], entries = 0;
    ups_sampling_of(d, plan->x.size, plan->y.size, sampling);
    for (int i = 0; i < 3; i++) {
        int32_t status = ups_taps_bound(&sampling[i], &bound[i]);
        if (status) return status;
        entries += bound[i] * plan->y.size[i];
    }
    struct resize *z = plan->state =
        ups_allocate(&plan->op->memory, sizeof *z + ups_bytes(entries, 1, 1, sizeof(int32_t) + sizeof(float)));
    if (!z) return UPS_NO_MEMORY;
    int32_t *index = (int32_t *)(z + 1);
    float *weight = (float *)(index + entries);
    z->copies = true;
    z->outside = (float)d->extrapolation_value;
    for (int i = 0; i < 3; i++) {
        z->axis[i].index = index;
        z->axis[i].weight = weight;
        ups_taps_fill(&sampling[i], bound[i], &z->axis[i]);
        index += bound[i] * plan->y.size[i];
        weight += bound[i] * plan->y.size[i];
        z->copies = z->copies && z->axis[i].taps == 1;
    }
    plan->units = plan->y.n * (ups_is_first(plan) ? plan->y.c : 1) * plan->y.size[0] * plan->y.size[1];
    place_cache(plan, z);
    return UPS_OK;
}

/* ---- run: copies ---- */

static void copy_first(const ups_plan *plan, const float *src, float *dst)
{
    const struct ups_kernels *k = plan->op->kernels;
    const struct ups_taps *w = &((const struct resize *)plan->state)->axis[2];
    if (w->identity)
        memcpy(dst, src, (size_t)w->m * sizeof *dst);
    else if (w->twice)
        k->replicate_x2.run(src, w->n, dst);
    else
        k->nearest_row.run(src, w->index, w->m, dst);
}

static void copy_last(const ups_plan *plan, const float *src, float *dst)
{
    const struct ups_taps *w = &((const struct resize *)plan->state)->axis[2];
    size_t bytes = (size_t)plan->y.c * sizeof *dst;
    for (int64_t o = 0; o < w->m; o++)
        memcpy(dst + o * plan->y.stride[2], src + w->index[o] * plan->x.stride[2], bytes);
}

/* ---- run: filters ---- */

/* Source rows filtered along W, kept for the next output rows. */
struct cache {
    int64_t *tags; /* which source row a slot holds, -1 none */
    float *rows, *sums[2];
};

static struct cache cache_of(const ups_plan *plan, void *workspace)
{
    const struct resize *z = plan->state;
    struct cache cache = {.tags = workspace, .rows = (float *)((int64_t *)workspace + z->slots)};
    for (int i = 0; i < 2; i++) cache.sums[i] = cache.rows + (z->slots + i) * row_floats(plan);
    for (int64_t i = 0; i < z->slots; i++) cache.tags[i] = -1;
    return cache;
}

/* Row d, h of a plane, filtered. The rows of one output row are within the spans of the axes, so that in a ring they never
 * meet; else the rows of one group have their turns. */
static const float *cached_row(const ups_plan *plan, const struct cache *cache, const float *src, int64_t plane,
                               int64_t d, int64_t h, int64_t turn)
{
    const struct resize *z = plan->state;
    const struct ups_kernels *k = plan->op->kernels;
    const struct ups_taps *w = &z->axis[2];
    int64_t spot = d % z->axis[0].span * z->axis[1].span + h % z->axis[1].span;
    int64_t slot = z->ring ? spot : turn, tag = (plane * plan->x.size[0] + d) * plan->x.size[1] + h;
    if (z->direct) return src;
    float *row = cache->rows + slot * row_floats(plan);
    if (cache->tags[slot] == tag) return row;
    cache->tags[slot] = tag;
    if (ups_is_first(plan))
        k->filter_row.run(src, w->index, w->weight, w->taps, w->m, row);
    else
        k->filter_pixels.run(src, plan->x.stride[2], w->index, w->weight, w->taps, w->m, plan->x.c, row);
    return row;
}

/* The combination along H and D of count rows; a row of the destination is one run, or a run per pixel. */
static void combine(const ups_plan *plan, const float *rows[GROUP], const float *weights, int64_t count, float *to,
                    bool dense)
{
    ups_filter_rows_fn *filter_rows = plan->op->kernels->filter_rows.run;
    const struct ups_view *y = &plan->y;
    if (dense) {
        filter_rows(rows, weights, count, row_floats(plan), to);
        return;
    }
    for (int64_t w = 0; w < y->size[2]; w++) {
        filter_rows(rows, weights, count, y->c, to + w * y->stride[2]);
        for (int64_t t = 0; t < count; t++) rows[t] += y->c;
    }
}

/* One output row: every pair of taps along D and H. What a group comes to is the first row of the next one, with weight 1:
 * the chain of additions is that of a single group. */
static void filter_line(const ups_plan *plan, const struct cache *cache, const float *src, int64_t n, int64_t c,
                        int64_t od, int64_t oh, float *dst)
{
    const struct resize *z = plan->state;
    const struct ups_taps *ad = &z->axis[0], *ah = &z->axis[1];
    int64_t plane = n * plan->y.c + c, taps = ad->taps * ah->taps, count = 0, groups = 0;
    const float *rows[GROUP];
    float weights[GROUP];
    for (int64_t t = 0; t < taps; t++) {
        int64_t td = t / ah->taps * ad->m + od, th = t % ah->taps * ah->m + oh;
        int64_t d = ad->index[td], h = ah->index[th];
        weights[count] = ad->weight[td] * ah->weight[th];
        rows[count] = cached_row(plan, cache, src + ups_row_offset(&plan->x, n, c, d, h), plane, d, h, count);
        if (++count < GROUP && t + 1 < taps) continue;
        bool last = t + 1 == taps;
        float *to = last ? dst : cache->sums[groups++ % 2];
        combine(plan, rows, weights, count, to, !last || is_dense(plan, &plan->y));
        rows[0] = to;
        weights[0] = 1;
        count = 1;
    }
}

/* ---- run ---- */

/* Outputs first … last - 1 of a row. */
static void extrapolate(const ups_plan *plan, float *dst, int64_t first, int64_t last)
{
    float value = ((const struct resize *)plan->state)->outside;
    int64_t channels = ups_is_first(plan) ? 1 : plan->y.c, stride = ups_is_first(plan) ? 1 : plan->y.stride[2];
    for (int64_t w = first; w < last; w++)
        for (int64_t c = 0; c < channels; c++) dst[w * stride + c] = value;
}

static bool is_inside(const struct ups_taps *a, int64_t o)
{
    return o >= a->from && o < a->to;
}

static void run_line(const ups_plan *plan, const struct cache *cache, ups_buffers *b, int64_t n, int64_t c, int64_t d,
                     int64_t h)
{
    const struct resize *z = plan->state;
    const struct ups_taps *ad = &z->axis[0], *ah = &z->axis[1], *aw = &z->axis[2];
    float *dst = b->dst + ups_row_offset(&plan->y, n, c, d, h);
    if (!is_inside(ad, d) || !is_inside(ah, h) || aw->from == aw->to) {
        extrapolate(plan, dst, 0, aw->m);
        return;
    }
    if (z->copies) {
        const float *src = b->src + ups_row_offset(&plan->x, n, c, ad->index[d], ah->index[h]);
        (ups_is_first(plan) ? copy_first : copy_last)(plan, src, dst);
    } else {
        filter_line(plan, cache, b->src, n, c, d, h, dst);
    }
    extrapolate(plan, dst, 0, aw->from);
    extrapolate(plan, dst, aw->to, aw->m);
}

static void run_resize(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct resize *z = plan->state;
    const struct ups_view *y = &plan->y;
    int64_t channels = ups_is_first(plan) ? y->c : 1;
    struct cache cache = {0};
    if (!z->copies) cache = cache_of(plan, workspace);
    for (int64_t u = first; u < last; u++) {
        int64_t h = u % y->size[1], d = u / y->size[1] % y->size[0], plane = u / y->size[1] / y->size[0];
        run_line(plan, &cache, b, plane / channels, plane % channels, d, h);
    }
}

static void describe_resize(const ups_plan *plan, struct ups_report *r)
{
    const struct resize *z = plan->state;
    const struct ups_kernels *k = plan->op->kernels;
    const struct ups_taps *w = &z->axis[2];
    const char *filters[] = {k->filter_rows.name, ups_is_first(plan) ? k->filter_row.name : k->filter_pixels.name};
    const char *copy = w->twice ? k->replicate_x2.name : k->nearest_row.name;
    if (z->copies)
        ups_report_direct(r, "the only one; one table of positions per axis", &copy,
                          ups_is_first(plan) && !w->identity);
    else
        ups_report_direct(r, "the only one; separable passes over tables of taps, W first", filters, z->direct ? 1 : 2);
}

const struct ups_family ups_resize_family = {NULL, NULL, plan_resize, run_resize, describe_resize};
