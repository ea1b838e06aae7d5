/* SPDX-License-Identifier: MIT
 *
 * Resize: separable passes over tables of taps. The plan computes, per axis, the source positions and weights of every
 * output (nearest: one position, weight 1); a run filters each source row along W once into a few cached rows and combines
 * those along H and D into each output row. The unit is an output row: of one channel (channels first) or of all.
 */
#include <math.h>
#include <string.h>

#include "plan.h"
#include "size.h"

struct axis {
    int64_t n, m, taps;
    int32_t *index; /* tap-major: index[t*m + o] */
    float *weight;
    bool identity; /* output o is input o */
    bool twice;    /* output o is input o/2 */
};

struct resize {
    bool nearest;
    struct axis axis[3];
};

/* ---- coordinates ---- */

struct rule {
    int32_t mode, coordinate, nearest, arithmetic, rank;
    double scale; /* output / input, as it enters the formulas; 0: from the sizes */
};

/* x(o) in double. */
static double coordinate_f64(const struct rule *r, int64_t o, int64_t n, int64_t m)
{
    double scale = r->scale > 0 ? r->scale : (double)m / (double)n;
    switch (r->coordinate) {
    case UPS_HALF_PIXEL: return ((double)o + 0.5) / scale - 0.5;
    case UPS_ALIGN_CORNERS: return m == 1 ? 0 : (double)o * (double)(n - 1) / (double)(m - 1);
    default: return (double)o / scale;
    }
}

/* PyTorch's ratio input / output, rounded to f32. */
static float torch_ratio(const struct rule *r, int64_t n, int64_t m)
{
    if (r->coordinate == UPS_ALIGN_CORNERS) return m > 1 ? (float)(n - 1) / (float)(m - 1) : 0;
    return r->scale > 0 ? (float)(1.0 / r->scale) : (float)n / (float)m;
}

/* PyTorch's x(o) in f32. Its 2-D bilinear kernel fuses the half-pixel formula, 1-D and 3-D do not. */
static float coordinate_torch(const struct rule *r, int64_t o, int64_t n, int64_t m)
{
    float ratio = torch_ratio(r, n, m);
    if (r->coordinate != UPS_HALF_PIXEL) return ratio * (float)o;
    if (r->rank == 2 && r->mode == UPS_MODE_LINEAR) return fmaf(ratio, (float)o + 0.5f, -0.5f);
    return ratio * ((float)o + 0.5f) - 0.5f;
}

/* PyTorch copies an axis whose length does not change, whatever the scale: always for linear, for nearest in 2-D only, and
 * there it also replicates an axis that doubles. */
static bool torch_copies(const struct rule *r, int64_t n, int64_t m, int64_t times)
{
    if (r->arithmetic != UPS_COORDINATES_TORCH || m != times * n) return false;
    if (r->mode == UPS_MODE_LINEAR) return times == 1;
    return r->rank == 2 && r->coordinate == UPS_ASYMMETRIC && r->nearest == UPS_NEAREST_FLOOR;
}

static double round_f64(int32_t nearest, double x)
{
    switch (nearest) {
    case UPS_NEAREST_FLOOR: return floor(x);
    case UPS_NEAREST_CEIL: return ceil(x);
    case UPS_ROUND_PREFER_FLOOR: return ceil(x - 0.5);
    default: return floor(x + 0.5);
    }
}

static float round_torch(int32_t nearest, float x)
{
    switch (nearest) {
    case UPS_NEAREST_FLOOR: return floorf(x);
    case UPS_NEAREST_CEIL: return ceilf(x);
    case UPS_ROUND_PREFER_FLOOR: return ceilf(x - 0.5f);
    default: return floorf(x + 0.5f);
    }
}

/* PyTorch's nearest-exact. In 2-D the halves cancel before anything is rounded; in 1-D and 3-D they do not, and the product
 * is fused (PyTorch 2.15.0, recorded: 2 -> 41, o = 20). */
static float nearest_exact(const struct rule *r, int64_t o, int64_t n, int64_t m)
{
    float ratio = torch_ratio(r, n, m), middle = (float)o + 0.5f;
    return floorf(r->rank == 2 ? middle * ratio : fmaf(middle, ratio, -0.5f) + 0.5f);
}

static int64_t nearest_index(const struct rule *r, int64_t o, int64_t n, int64_t m)
{
    double at;
    if (torch_copies(r, n, m, 1)) return o;
    if (torch_copies(r, n, m, 2)) return o / 2;
    if (r->arithmetic == UPS_COORDINATES_F64)
        at = round_f64(r->nearest, coordinate_f64(r, o, n, m));
    else if (r->coordinate == UPS_HALF_PIXEL && r->nearest == UPS_ROUND_PREFER_CEIL)
        at = nearest_exact(r, o, n, m);
    else
        at = round_torch(r->nearest, coordinate_torch(r, o, n, m));
    return (int64_t)fmin(fmax(at, 0), (double)(n - 1));
}

/* Two taps at floor(x) and the next, clamped to the image. */
static void linear_taps(const struct rule *r, const struct axis *a, int64_t o)
{
    int64_t left;
    float t;
    if (r->arithmetic == UPS_COORDINATES_TORCH) {
        float x = fmaxf(coordinate_torch(r, o, a->n, a->m), 0);
        left = (int64_t)fminf(floorf(x), (float)(a->n - 1));
        left = ups_min(left, a->n - 1);
        t = fminf(x - (float)left, 1);
    } else {
        double x = coordinate_f64(r, o, a->n, a->m);
        x = fmin(fmax(x, -1), (double)a->n); /* beyond a pixel outside nothing changes */
        left = (int64_t)floor(x);
        t = (float)(x - floor(x));
    }
    a->index[o] = (int32_t)ups_min(ups_max(left, 0), a->n - 1);
    a->index[a->m + o] = (int32_t)ups_min(ups_max(left + 1, 0), a->n - 1);
    a->weight[o] = 1 - t;
    a->weight[a->m + o] = t;
}

static void fill_axis(const struct rule *r, struct axis *a)
{
    for (int64_t o = 0; o < a->m; o++) {
        if (a->taps == 2)
            linear_taps(r, a, o);
        else {
            a->index[o] = (int32_t)nearest_index(r, o, a->n, a->m);
            a->weight[o] = 1;
        }
    }
    a->twice = a->identity = a->taps == 1;
    for (int64_t o = 0; o < a->m; o++) {
        a->identity = a->identity && a->index[o] == o;
        a->twice = a->twice && a->index[o] == o / 2;
    }
    a->identity = a->identity && a->m == a->n;
    a->twice = a->twice && a->m == 2 * a->n;
}

/* ---- plan ---- */

/* The rule of an axis of the descriptor, n to m elements; of an axis the rank lacks (axis < 0), and of one that linear
 * leaves as it is, a copy: nearest by asymmetric, floor. */
static struct rule rule_of(const ups_resize_desc *d, int axis, int64_t n, int64_t m)
{
    struct rule r = {d->mode, d->coordinate_transformation_mode, d->nearest_mode, d->coordinate_arithmetic, d->rank, 0};
    if (axis >= 0 && d->scales[axis] != UPS_BY_PRESET) r.scale = d->scales[axis];
    bool same = r.scale <= 0 && n == m; /* without a scale every linear rule is then the identity */
    if (axis < 0 || (r.mode == UPS_MODE_LINEAR && (same || torch_copies(&r, n, m, 1))))
        r = (struct rule){UPS_MODE_NEAREST, UPS_ASYMMETRIC, UPS_NEAREST_FLOOR, UPS_COORDINATES_F64, d->rank, 0};
    return r;
}

static size_t row_floats(const ups_plan *plan)
{
    return (size_t)(plan->y.size[2] * (ups_is_first(plan) ? 1 : plan->y.c));
}

static int32_t plan_resize(ups_plan *plan)
{
    const ups_resize_desc *d = &plan->op->desc.resize;
    struct rule rules[3];
    struct axis axes[3];
    size_t entries = 0;
    for (int i = 0; i < 3; i++) {
        struct axis a = {plan->x.size[i], plan->y.size[i], 1, NULL, NULL, false, false};
        rules[i] = rule_of(d, i - (3 - d->rank), a.n, a.m);
        a.taps = rules[i].mode == UPS_MODE_LINEAR ? 2 : 1;
        axes[i] = a;
        entries += (size_t)(a.taps * a.m);
    }
    struct resize *z = plan->state =
        ups_allocate(&plan->op->memory, sizeof *z + entries * (sizeof(int32_t) + sizeof(float)));
    if (!z) return UPS_NO_MEMORY;
    int32_t *index = (int32_t *)(z + 1);
    float *weight = (float *)(index + entries);
    for (int i = 0; i < 3; i++) {
        axes[i].index = index;
        axes[i].weight = weight;
        fill_axis(&rules[i], &axes[i]);
        index += axes[i].taps * axes[i].m;
        weight += axes[i].taps * axes[i].m;
        z->axis[i] = axes[i];
    }
    z->nearest = d->mode == UPS_MODE_NEAREST;
    plan->units = plan->y.n * (ups_is_first(plan) ? plan->y.c : 1) * plan->y.size[0] * plan->y.size[1];
    size_t slots = (size_t)(axes[0].taps * axes[1].taps);
    if (!z->nearest)
        plan->part_workspace = ups_taken(ups_bytes((int64_t)slots, (int64_t)row_floats(plan), 1, sizeof(float)) +
                                         (slots + 1) * sizeof(int64_t));
    return UPS_OK;
}

/* ---- run: nearest ---- */

static void nearest_first(const ups_plan *plan, const float *src, float *dst)
{
    const struct ups_kernels *k = plan->op->kernels;
    const struct axis *w = &((const struct resize *)plan->state)->axis[2];
    if (w->identity)
        memcpy(dst, src, (size_t)w->m * sizeof *dst);
    else if (w->twice)
        k->replicate_x2.run(src, w->n, dst);
    else
        k->nearest_row.run(src, w->index, w->m, dst);
}

static void nearest_last(const ups_plan *plan, const float *src, float *dst)
{
    const struct axis *w = &((const struct resize *)plan->state)->axis[2];
    size_t bytes = (size_t)plan->y.c * sizeof *dst;
    for (int64_t o = 0; o < w->m; o++)
        memcpy(dst + o * plan->y.stride[2], src + w->index[o] * plan->x.stride[2], bytes);
}

/* ---- run: filters ---- */

/* Source rows filtered along W, kept for the next output rows. A row's slot follows from its position, so that the rows of
 * one output row never share one: taps are neighbours, or the same row twice. */
struct cache {
    int64_t *tags; /* which source row a slot holds, -1 none */
    float *rows;
};

static const float *cached_row(const ups_plan *plan, const struct cache *cache, const float *src, int64_t plane,
                               int64_t d, int64_t h)
{
    const struct resize *z = plan->state;
    const struct ups_kernels *k = plan->op->kernels;
    const struct axis *w = &z->axis[2];
    int64_t slot = d % z->axis[0].taps * z->axis[1].taps + h % z->axis[1].taps;
    int64_t tag = (plane * plan->x.size[0] + d) * plan->x.size[1] + h;
    float *row = cache->rows + (size_t)slot * row_floats(plan);
    if (cache->tags[slot] == tag) return row;
    cache->tags[slot] = tag;
    if (ups_is_first(plan))
        k->filter_row.run(src, w->index, w->weight, w->taps, w->m, row);
    else
        k->filter_pixels.run(src, plan->x.stride[2], w->index, w->weight, w->taps, w->m, plan->x.c, row);
    return row;
}

/* The combination along H and D; a row of the destination is one run, or a run per pixel. */
static void combine(const ups_plan *plan, const float *rows[4], const float *weights, int64_t count, float *dst)
{
    ups_filter_rows_fn *filter_rows = plan->op->kernels->filter_rows.run;
    const struct ups_view *y = &plan->y;
    if (ups_is_first(plan) || y->size[2] == 1 || y->stride[2] == y->c) {
        filter_rows(rows, weights, count, (int64_t)row_floats(plan), dst);
        return;
    }
    for (int64_t w = 0; w < y->size[2]; w++) {
        filter_rows(rows, weights, count, y->c, dst + w * y->stride[2]);
        for (int64_t t = 0; t < count; t++) rows[t] += y->c;
    }
}

static void filter_line(const ups_plan *plan, const struct cache *cache, const float *src, int64_t n, int64_t c,
                        int64_t od, int64_t oh, float *dst)
{
    const struct resize *z = plan->state;
    const struct axis *ad = &z->axis[0], *ah = &z->axis[1];
    int64_t plane = n * plan->y.c + c, count = 0;
    const float *rows[4];
    float weights[4];
    for (int64_t td = 0; td < ad->taps; td++)
        for (int64_t th = 0; th < ah->taps; th++) {
            int64_t d = ad->index[td * ad->m + od], h = ah->index[th * ah->m + oh];
            weights[count] = ad->weight[td * ad->m + od] * ah->weight[th * ah->m + oh];
            rows[count++] = cached_row(plan, cache, src + ups_row_offset(&plan->x, n, c, d, h), plane, d, h);
        }
    combine(plan, rows, weights, count, dst);
}

static void run_resize(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct resize *z = plan->state;
    const struct ups_view *y = &plan->y;
    bool channels_first = ups_is_first(plan);
    int64_t channels = channels_first ? y->c : 1, slots = z->axis[0].taps * z->axis[1].taps;
    struct cache cache = {NULL, workspace};
    if (!z->nearest) {
        cache.tags = (int64_t *)(cache.rows + ups_round_up(slots * (int64_t)row_floats(plan), 2));
        for (int64_t i = 0; i < slots; i++) cache.tags[i] = -1;
    }
    for (int64_t u = first; u < last; u++) {
        int64_t h = u % y->size[1], d = u / y->size[1] % y->size[0], plane = u / y->size[1] / y->size[0];
        int64_t n = plane / channels, c = plane % channels;
        float *dst = b->dst + ups_row_offset(y, n, c, d, h);
        if (!z->nearest) {
            filter_line(plan, &cache, b->src, n, c, d, h, dst);
            continue;
        }
        const float *src = b->src + ups_row_offset(&plan->x, n, c, z->axis[0].index[d], z->axis[1].index[h]);
        (channels_first ? nearest_first : nearest_last)(plan, src, dst);
    }
}

static void describe_resize(const ups_plan *plan, struct ups_report *r)
{
    const struct resize *z = plan->state;
    const struct ups_kernels *k = plan->op->kernels;
    const struct axis *w = &z->axis[2];
    const char *filters[] = {ups_is_first(plan) ? k->filter_row.name : k->filter_pixels.name, k->filter_rows.name};
    const char *nearest = w->twice ? k->replicate_x2.name : k->nearest_row.name;
    if (z->nearest)
        ups_report_direct(r, "the only one; one table of positions per axis", &nearest,
                          ups_is_first(plan) && !w->identity);
    else
        ups_report_direct(r, "the only one; separable passes over tables of taps, W first", filters, 2);
}

const struct ups_family ups_resize_family = {NULL, NULL, plan_resize, run_resize, describe_resize};
