/* SPDX-License-Identifier: MIT
 *
 * Resize: separable passes over tables of taps (taps.h). The unit is an output row: of one channel (channels first) or of all.
 * Where there are more rows than before, source rows are filtered along W once, into a cache, and those combined along H and D
 * into each output row. Where there are not, source rows are combined first, and the result is filtered along W: fewer rows
 * pass through the gathers of that pass.
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
    bool copies;     /* every output is one pixel, or lies outside the image */
    bool rows_first; /* H and D before W */
    bool ring;       /* a row's place in the cache follows from its position, else from its turn */
    int64_t slots;   /* rows in the cache; with rows_first one, for what they come to */
    int64_t floats;  /* of a row there */
    float outside;   /* the extrapolation value */
    struct ups_taps axis[3];
};

/* ---- plan ---- */

/* Floats from a pixel to the next, and of one. */
static int64_t pixel_step(const ups_plan *plan, const struct ups_view *v)
{
    return ups_is_first(plan) ? 1 : v->stride[2];
}

static int64_t pixel_floats(const ups_plan *plan)
{
    return ups_is_first(plan) ? 1 : plan->y.c;
}

/* Slots, two rows for what groups leave to the next one, tags of the slots. */
static void place_cache(ups_plan *plan, struct resize *z)
{
    const struct ups_taps *ad = &z->axis[0], *ah = &z->axis[1], *aw = &z->axis[2];
    int64_t rows = ad->span * ah->span;
    z->rows_first = aw->identity || rows == 1 || ad->m * ah->m < ad->n * ah->n;
    z->floats = (z->rows_first ? aw->n : aw->m) * pixel_floats(plan);
    z->ring = rows <= GROUP || ups_bytes(rows, z->floats, 1, sizeof(float)) <= CACHE_BYTES;
    z->slots = z->rows_first ? 1 : z->ring ? rows : GROUP;
    if (!z->copies)
        plan->part_workspace = ups_taken(ups_bytes(z->slots + 2, z->floats, 1, sizeof(float)) +
                                         ups_bytes(z->slots + 1, 1, 1, sizeof(int64_t)));
}

static int32_t plan_resize(ups_plan *plan)
{
    const ups_resize_desc *d = &plan->op->desc.resize;
    struct ups_sampling sampling[3];
    int64_t bound[3], room[3], entries = 0;
    ups_sampling_of(d, plan->x.size, plan->y.size, sampling);
    for (int i = 0; i < 3; i++) {
        int32_t status = ups_taps_bound(&sampling[i], &bound[i]);
        if (status) return status;
        room[i] = ups_round_up(bound[i] * plan->y.size[i], UPS_ALIGNMENT / (int64_t)sizeof(float));
        entries += room[i];
    }
    struct resize *z = plan->state = ups_allocate(
        &plan->op->memory, ups_taken(sizeof *z) + ups_bytes(entries, 1, 1, sizeof(int32_t) + sizeof(float)));
    if (!z) return UPS_NO_MEMORY;
    int32_t *index = (int32_t *)((char *)z + ups_taken(sizeof *z));
    float *weight = (float *)(index + entries);
    z->copies = true;
    z->outside = (float)d->extrapolation_value;
    for (int i = 0; i < 3; i++) {
        z->axis[i].index = index;
        z->axis[i].weight = weight;
        ups_taps_fill(&sampling[i], bound[i], &z->axis[i]);
        index += room[i];
        weight += room[i];
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
    struct cache cache = {.rows = workspace};
    for (int i = 0; i < 2; i++) cache.sums[i] = cache.rows + (z->slots + i) * z->floats;
    cache.tags = (int64_t *)(cache.rows + ups_round_up((z->slots + 2) * z->floats, 2));
    for (int64_t i = 0; i < z->slots; i++) cache.tags[i] = -1;
    return cache;
}

/* The pass along W; steps are from pixel to pixel. */
static void filter_w(const ups_plan *plan, const float *from, int64_t step, float *to, int64_t to_step)
{
    const struct ups_kernels *k = plan->op->kernels;
    const struct ups_taps *w = &((const struct resize *)plan->state)->axis[2];
    if (ups_is_first(plan))
        k->filter_row.run(from, w->index, w->weight, w->taps, w->m, to);
    else
        k->filter_pixels.run(from, step, w->index, w->weight, w->taps, w->m, plan->y.c, to, to_step);
}

/* Row d, h of a plane, filtered. The rows of one output row are within the spans of the axes, so that in a ring they never
 * meet; else the rows of one group have their turns. */
static const float *cached_row(const ups_plan *plan, const struct cache *cache, const float *src, int64_t plane,
                               int64_t d, int64_t h, int64_t turn)
{
    const struct resize *z = plan->state;
    int64_t spot = d % z->axis[0].span * z->axis[1].span + h % z->axis[1].span;
    int64_t slot = z->ring ? spot : turn, tag = (plane * plan->x.size[0] + d) * plan->x.size[1] + h;
    float *row = cache->rows + slot * z->floats;
    if (cache->tags[slot] == tag) return row;
    cache->tags[slot] = tag;
    filter_w(plan, src, pixel_step(plan, &plan->x), row, pixel_floats(plan));
    return row;
}

/* Rows that are combined: the first may be an earlier sum, whose pixels lie closer. */
struct strip {
    const float *rows[GROUP];
    float weights[GROUP];
    int64_t count, pixels, first_step, step;
};

/* Their weighted sum, in one run where pixels follow one another in all of them, else pixel by pixel. */
static void combine(const ups_plan *plan, struct strip *s, float *to, int64_t to_step)
{
    ups_filter_rows_fn *filter_rows = plan->op->kernels->filter_rows.run;
    int64_t floats = pixel_floats(plan), runs = s->pixels, length = floats;
    if (s->first_step == floats && s->step == floats && to_step == floats) {
        length *= runs;
        runs = 1;
    }
    for (int64_t i = 0; i < runs; i++, to += to_step) {
        filter_rows(s->rows, s->weights, s->count, length, to);
        for (int64_t t = 0; t < s->count; t++) s->rows[t] += t ? s->step : s->first_step;
    }
}

/* Every pair of taps of output row od, oh along D and H. What a group comes to is the first row of the next one, with weight 1:
 * the chain of additions is that of a single group. */
static void combine_rows(const ups_plan *plan, const struct cache *cache, const float *src, int64_t n, int64_t c,
                         int64_t od, int64_t oh, float *to, int64_t to_step)
{
    const struct resize *z = plan->state;
    const struct ups_taps *ad = &z->axis[0], *ah = &z->axis[1], *aw = &z->axis[2];
    int64_t plane = n * plan->y.c + c, taps = ad->taps * ah->taps, groups = 0, floats = pixel_floats(plan);
    struct strip s;
    s.count = 0;
    s.pixels = z->rows_first ? aw->n : aw->m;
    s.step = s.first_step = z->rows_first ? pixel_step(plan, &plan->x) : floats;
    for (int64_t td = 0; td < ad->taps; td++)
        for (int64_t th = 0; th < ah->taps; th++) {
            int64_t d = ad->index[td * ad->m + od], h = ah->index[th * ah->m + oh];
            const float *row = src + ups_row_offset(&plan->x, n, c, d, h);
            s.weights[s.count] = ad->weight[td * ad->m + od] * ah->weight[th * ah->m + oh];
            s.rows[s.count] = z->rows_first ? row : cached_row(plan, cache, row, plane, d, h, s.count);
            s.count++;
            taps--;
            if (taps && s.count < GROUP) continue;
            float *sum = taps ? cache->sums[groups++ % 2] : to;
            combine(plan, &s, sum, taps ? floats : to_step);
            s.rows[0] = sum;
            s.weights[0] = 1;
            s.first_step = floats;
            s.count = 1;
        }
}

static void filter_line(const ups_plan *plan, const struct cache *cache, const float *src, int64_t n, int64_t c,
                        int64_t od, int64_t oh, float *dst)
{
    const struct resize *z = plan->state;
    const struct ups_taps *ad = &z->axis[0], *ah = &z->axis[1];
    int64_t step = pixel_step(plan, &plan->y), floats = pixel_floats(plan);
    if (!z->rows_first || z->axis[2].identity) {
        combine_rows(plan, cache, src, n, c, od, oh, dst, step);
    } else if (ad->taps * ah->taps == 1) {
        src += ups_row_offset(&plan->x, n, c, ad->index[od], ah->index[oh]);
        filter_w(plan, src, pixel_step(plan, &plan->x), dst, step);
    } else {
        combine_rows(plan, cache, src, n, c, od, oh, cache->rows, floats);
        filter_w(plan, cache->rows, floats, dst, step);
    }
}

/* ---- run ---- */

/* Outputs first … last - 1 of a row. */
static void extrapolate(const ups_plan *plan, float *dst, int64_t first, int64_t last)
{
    float value = ((const struct resize *)plan->state)->outside;
    int64_t step = pixel_step(plan, &plan->y), floats = pixel_floats(plan);
    for (int64_t w = first; w < last; w++)
        for (int64_t c = 0; c < floats; c++) dst[w * step + c] = value;
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
    float *dst = (float *)b->dst + ups_row_offset(&plan->y, n, c, d, h);
    if (!is_inside(ad, d) || !is_inside(ah, h) || aw->from == aw->to) {
        extrapolate(plan, dst, 0, aw->m);
        return;
    }
    if (z->copies) {
        const float *src = (const float *)b->src + ups_row_offset(&plan->x, n, c, ad->index[d], ah->index[h]);
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
    struct cache cache = {0};
    if (!z->copies) cache = cache_of(plan, workspace);
    for (int64_t u = first; u < last; u++) {
        struct ups_row r = ups_row_of(&plan->y, ups_is_first(plan), u);
        run_line(plan, &cache, b, r.n, r.c, r.d, r.h);
    }
}

static void describe_resize(const ups_plan *plan, struct ups_report *r)
{
    const struct resize *z = plan->state;
    const struct ups_kernels *k = plan->op->kernels;
    const struct ups_taps *ad = &z->axis[0], *ah = &z->axis[1], *aw = &z->axis[2];
    const char *along_w = ups_is_first(plan) ? k->filter_row.name : k->filter_pixels.name, *rows = k->filter_rows.name;
    const char *copy = aw->twice ? k->replicate_x2.name : k->nearest_row.name;
    if (z->copies)
        ups_report_direct(r, "the only one; one table of positions per axis", &copy,
                          ups_is_first(plan) && !aw->identity);
    else if (aw->identity)
        ups_report_direct(r, "the only one; passes over tables of taps, W is copied", &rows, 1);
    else if (ad->taps * ah->taps == 1)
        ups_report_direct(r, "the only one; passes over tables of taps, W alone", &along_w, 1);
    else if (z->rows_first)
        ups_report_direct(r, "the only one; passes over tables of taps, W last: there are fewer rows then",
                          (const char *[]){rows, along_w}, 2);
    else
        ups_report_direct(r, "the only one; passes over tables of taps, W first", (const char *[]){along_w, rows}, 2);
}

const struct ups_family ups_resize_family = {NULL, NULL, plan_resize, run_resize, describe_resize};
