/* SPDX-License-Identifier: MIT
 *
 * See naive_pool.h. Indices are written by the formulas of the header and read by looking them up in a table of all
 * places, so nothing here divides an index.
 */
#include "naive_pool.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "naive.h"

/* ---- three axes ---- */

static void spread(int32_t rank, const int64_t *from, int64_t missing, int64_t to[3])
{
    for (int a = 0; a < 3; a++) to[a] = a < 3 - rank ? missing : from[a - (3 - rank)];
}

static int64_t product(const int64_t v[3])
{
    return v[0] * v[1] * v[2];
}

/* Counts at[] through a box in row-major order, or in column-major; false past the last. Starts with at[] = 0. */
static bool next(int64_t at[3], const int64_t size[3], bool column)
{
    for (int i = 0; i < 3; i++) {
        int a = column ? i : 2 - i;
        if (++at[a] < size[a]) return true;
        at[a] = 0;
    }
    return false;
}

static bool inside(const int64_t at[3], const int64_t size[3])
{
    for (int a = 0; a < 3; a++)
        if (at[a] < 0 || at[a] >= size[a]) return false;
    return true;
}

/* ---- windows ---- */

/* kernel, stride, dilation, pads at begin and end, input and output sizes. */
struct window {
    int64_t k[3], s[3], d[3], pb[3], pe[3], n[3], m[3];
};

static int64_t stride_of(const int64_t *strides, const int64_t *kernel, int a)
{
    return strides[a] == UPS_BY_PRESET ? kernel[a] : strides[a];
}

static int64_t extent(const ups_pool_desc *d, int a)
{
    return d->dilations[a] * (d->kernel_shape[a] - 1) + 1;
}

/* ceil(a/b) and floor(a/b) in doubles: exact for the small sizes of tests. */
static int64_t up(int64_t a, int64_t b)
{
    return (int64_t)ceil((double)a / (double)b);
}

static int64_t down(int64_t a, int64_t b)
{
    return (int64_t)floor((double)a / (double)b);
}

static void pads_of(const ups_pool_desc *d, int a, int64_t n, int64_t *pb, int64_t *pe)
{
    int64_t s = stride_of(d->strides, d->kernel_shape, a), total = (up(n, s) - 1) * s + extent(d, a) - n;
    if (total < 0) total = 0;
    *pb = *pe = 0;
    switch (d->auto_pad) {
    case UPS_SAME_UPPER: *pb = total / 2; break;
    case UPS_SAME_LOWER: *pb = total - total / 2; break;
    case UPS_VALID: return;
    default:
        if (d->pads_begin[a] != UPS_BY_PRESET) *pb = d->pads_begin[a], *pe = d->pads_end[a];
        return;
    }
    *pe = total - *pb;
}

static bool padded(const ups_pool_desc *d)
{
    for (int a = 0; a < d->rank; a++)
        if (d->pads_begin[a] > 0 || d->pads_end[a] > 0) return true;
    return false;
}

int64_t naive_pool_size(const ups_pool_desc *d, int a, int64_t n)
{
    int64_t s = stride_of(d->strides, d->kernel_shape, a), pb, pe;
    int32_t round = d->round == UPS_BY_PRESET ? (d->ceil_mode ? UPS_ROUND_CEIL_CLIP : UPS_ROUND_FLOOR) : d->round;
    pads_of(d, a, n, &pb, &pe);
    int64_t room = n + pb + pe - extent(d, a);
    if (d->auto_pad == UPS_SAME_UPPER || d->auto_pad == UPS_SAME_LOWER) return up(n, s);
    if (d->auto_pad == UPS_VALID || round == UPS_ROUND_FLOOR) return down(room, s) + 1;
    int64_t m = up(room, s) + 1;
    bool clip = round == UPS_ROUND_CEIL_CLIP || (round == UPS_ROUND_CEIL_CAFFE && padded(d));
    return clip && (m - 1) * s >= n + pb ? m - 1 : m;
}

static struct window window_of(const ups_pool_desc *d, const int64_t *in)
{
    struct window w;
    int64_t s[3], pb[3], pe[3], m[3];
    for (int a = 0; a < d->rank; a++) {
        s[a] = stride_of(d->strides, d->kernel_shape, a);
        pads_of(d, a, in[a], &pb[a], &pe[a]);
        m[a] = naive_pool_size(d, a, in[a]);
    }
    spread(d->rank, d->kernel_shape, 1, w.k);
    spread(d->rank, s, 1, w.s);
    spread(d->rank, d->dilations, 1, w.d);
    spread(d->rank, pb, 0, w.pb);
    spread(d->rank, pe, 0, w.pe);
    spread(d->rank, in, 1, w.n);
    spread(d->rank, m, 1, w.m);
    return w;
}

static void tap_at(const struct window *w, const int64_t o[3], const int64_t t[3], int64_t at[3])
{
    for (int a = 0; a < 3; a++) at[a] = o[a] * w->s[a] - w->pb[a] + t[a] * w->d[a];
}

static int64_t flat(const int64_t at[3], const int64_t size[3])
{
    return (at[0] * size[1] + at[1]) * size[2] + at[2];
}

/* ---- conventions ---- */

static bool of_window(int32_t convention)
{
    return convention == UPS_INDEX_WINDOW || convention == UPS_INDEX_WINDOW_COLUMN;
}

int64_t naive_tap_index(int32_t convention, const int64_t t[3], const int64_t k[3])
{
    return convention == UPS_INDEX_WINDOW ? (t[0] * k[1] + t[1]) * k[2] + t[2]
                                          : t[0] + t[1] * k[0] + t[2] * k[0] * k[1];
}

int64_t naive_index(int32_t convention, int64_t n, int64_t c, int64_t channels, const int64_t at[3],
                    const int64_t size[3])
{
    int64_t D = size[0], H = size[1], W = size[2], d = at[0], h = at[1], w = at[2];
    int64_t plane = (d * H + h) * W + w;
    switch (convention) {
    case UPS_INDEX_TENSOR: return (n * channels + c) * D * H * W + plane;
    case UPS_INDEX_TENSOR_COLUMN: return (n * channels + c) * D * H * W + d + h * D + w * D * H;
    case UPS_INDEX_CHANNEL: return c * D * H * W + plane;
    case UPS_INDEX_NHWC: return plane * channels + c;
    case UPS_INDEX_NHWC_BATCH: return (n * D * H * W + plane) * channels + c;
    default: return plane;
    }
}

/* Where each index leads for the elements of (n, c): -1, or the dense position in a tensor N, C of planes `whole`, in
 * which the planes `size` that indices address stand at the origin. */
struct map {
    int32_t convention;
    int64_t images, channels, size[3], whole[3];
    int64_t n, c; /* whom it was made for; -1 nobody */
    int64_t count, *to;
};

static void map_make(struct map *m, int64_t n, int64_t c)
{
    int32_t v = m->convention;
    bool any_n = v == UPS_INDEX_TENSOR || v == UPS_INDEX_TENSOR_COLUMN || v == UPS_INDEX_NHWC_BATCH;
    bool any_c = v != UPS_INDEX_PLANE;
    if (m->to && (any_n || n == m->n) && (any_c || c == m->c)) return;
    free(m->to);
    m->n = n;
    m->c = c;
    m->count = m->images * m->channels * product(m->size);
    if (m->count < 0 || m->size[0] < 1 || m->size[1] < 1 || m->size[2] < 1) m->count = 0;
    m->to = calloc((size_t)m->count + 1, sizeof *m->to);
    for (int64_t i = 0; i < m->count; i++) m->to[i] = -1;
    for (int64_t i = 0; i < m->images * m->channels && m->count; i++) {
        int64_t at[3] = {0};
        if ((!any_n && i / m->channels != n) || (!any_c && i % m->channels != c)) continue;
        do
            if (inside(at, m->whole))
                m->to[naive_index(v, i / m->channels, i % m->channels, m->channels, at, m->size)] =
                    i * product(m->whole) + flat(at, m->whole);
        while (next(at, m->size, false));
    }
}

static int64_t look_up(struct map *m, int64_t n, int64_t c, int64_t index)
{
    map_make(m, n, c);
    return index >= 0 && index < m->count ? m->to[index] : -1;
}

/* ---- pooling ---- */

/* One window of plane (n, c), scanned in the descriptor's order. */
static void max_window(const ups_pool_desc *d, const struct window *w, const float *plane, int64_t n, int64_t c,
                       int64_t channels, const int64_t o[3], float *value, int64_t *index)
{
    int64_t t[3] = {0}, at[3];
    const bool bytes = d->dtype == UPS_U8 || d->dtype == UPS_S8;
    *value = d->dtype == UPS_U8 ? 0 : d->dtype == UPS_S8 ? -128 : d->nan == UPS_NAN_LAST ? -INFINITY : -FLT_MAX;
    *index = -1;
    do {
        tap_at(w, o, t, at);
        if (!inside(at, w->n)) continue;
        const float *v = plane + flat(at, w->n);
        bool takes = *v > *value;
        if ((bytes || d->nan != UPS_NAN_SKIP) && *index < 0) takes = true;
        if (d->nan == UPS_NAN_LAST && isnan(*v)) takes = true;
        if (!takes) continue;
        memcpy(value, v, sizeof *v);
        *index =
            of_window(d->index) ? naive_tap_index(d->index, t, w->k) : naive_index(d->index, n, c, channels, at, w->n);
    } while (next(t, w->k, d->scan == UPS_SCAN_COLUMN_MAJOR));
}

void naive_max_pool(const ups_pool_desc *desc, const int64_t *dims, const float *x, float *y, int64_t *index)
{
    struct window w = window_of(desc, dims + 2);
    for (int64_t p = 0; p < dims[0] * dims[1]; p++) {
        int64_t o[3] = {0};
        do {
            int64_t q = p * product(w.m) + flat(o, w.m);
            max_window(desc, &w, x + p * product(w.n), p / dims[1], p % dims[1], dims[1], o, &y[q], &index[q]);
        } while (next(o, w.m, false));
    }
}

static float divisor_of(const ups_pool_desc *d, const struct window *w, const int64_t o[3])
{
    int64_t t[3] = {0}, at[3], count = 0;
    do {
        bool within = true;
        tap_at(w, o, t, at);
        for (int a = 0; a < 3; a++) within = within && at[a] < w->n[a] + w->pe[a];
        count += d->count_include_pad == 2 || (d->count_include_pad == 1 ? within : inside(at, w->n));
    } while (next(t, w->k, false));
    return (float)(d->divisor != UPS_BY_PRESET ? d->divisor : count);
}

static float average_window(const ups_pool_desc *d, const struct window *w, const float *plane, const int64_t o[3])
{
    int64_t t[3] = {0}, at[3];
    float divisor = divisor_of(d, w, o);
    volatile float sum = 0;
    do {
        tap_at(w, o, t, at);
        if (inside(at, w->n)) sum = sum + plane[flat(at, w->n)];
    } while (next(t, w->k, false));
    return divisor > 0 ? sum / divisor : 0;
}

void naive_avg_pool(const ups_pool_desc *desc, const int64_t *dims, const float *x, float *y)
{
    struct window w = window_of(desc, dims + 2);
    for (int64_t p = 0; p < dims[0] * dims[1]; p++) {
        int64_t o[3] = {0};
        do y[p * product(w.m) + flat(o, w.m)] = average_window(desc, &w, x + p * product(w.n), o);
        while (next(o, w.m, false));
    }
}

/* ---- their gradients ---- */

/* The first value of a place stands as it is, further ones are added. */
void naive_max_pool_grad(const ups_pool_desc *desc, const int64_t *dims, const float *x, const float *gy, float *gx)
{
    struct window w = window_of(desc, dims + 2);
    ups_pool_desc plain = *desc;
    plain.index = UPS_INDEX_PLANE;
    bool *taken = calloc((size_t)(dims[0] * dims[1] * product(w.n)) + 1, sizeof *taken);
    memset(gx, 0, (size_t)(dims[0] * dims[1] * product(w.n)) * sizeof *gx);
    for (int64_t p = 0; p < dims[0] * dims[1]; p++) {
        int64_t o[3] = {0}, index;
        float value;
        do {
            const float *from = &gy[p * product(w.m) + flat(o, w.m)];
            max_window(&plain, &w, x + p * product(w.n), 0, 0, 1, o, &value, &index);
            if (index < 0) continue;
            int64_t to = p * product(w.n) + index;
            volatile float sum = gx[to] + *from;
            if (taken[to]) gx[to] = sum;
            if (!taken[to]) memcpy(&gx[to], from, sizeof *from);
            taken[to] = true;
        } while (next(o, w.m, false));
    }
    free(taken);
}

void naive_avg_pool_grad(const ups_pool_desc *desc, const int64_t *dims, const float *gy, float *gx)
{
    struct window w = window_of(desc, dims + 2);
    memset(gx, 0, (size_t)(dims[0] * dims[1] * product(w.n)) * sizeof *gx);
    for (int64_t p = 0; p < dims[0] * dims[1]; p++) {
        int64_t o[3] = {0}, at[3];
        do {
            int64_t t[3] = {0};
            volatile float share = gy[p * product(w.m) + flat(o, w.m)] / divisor_of(desc, &w, o), sum;
            do {
                tap_at(&w, o, t, at);
                if (!inside(at, w.n)) continue;
                float *to = &gx[p * product(w.n) + flat(at, w.n)];
                sum = *to + share, *to = sum;
            } while (next(t, w.k, false));
        } while (next(o, w.m, false));
    }
}

/* ---- unpooling ---- */

int64_t naive_derived_size(const ups_unpool_desc *d, int a, int64_t n)
{
    int64_t s = stride_of(d->strides, d->kernel_shape, a);
    return (n - 1) * s - d->pads_begin[a] - d->pads_end[a] + d->dilations[a] * (d->kernel_shape[a] - 1) + 1;
}

int64_t naive_unpool_size(const ups_unpool_desc *d, int a, int64_t n)
{
    int64_t s = stride_of(d->strides, d->kernel_shape, a), size = naive_derived_size(d, a, n);
    if (d->size_rule == UPS_UNPOOL_TORCH && size + s - 1 < 1) return 0; /* no size is less than a stride away */
    if (d->output_shape[a] != UPS_BY_PRESET) return d->output_shape[a];
    if (d->size_rule == UPS_UNPOOL_DECONVNET && n * s - d->pads_begin[a] + 1 > size)
        return n * s - d->pads_begin[a] + 1;
    return size;
}

/* The tap whose index it is: false if there is none. */
static bool find_tap(int32_t convention, const int64_t k[3], int64_t index, int64_t t[3])
{
    t[0] = t[1] = t[2] = 0;
    do
        if (naive_tap_index(convention, t, k) == index) return true;
    while (next(t, k, false));
    return false;
}

static struct window unpool_window(const ups_unpool_desc *d, const int64_t *in, const int64_t *out)
{
    struct window w;
    int64_t s[3];
    for (int a = 0; a < d->rank; a++) s[a] = stride_of(d->strides, d->kernel_shape, a);
    spread(d->rank, d->kernel_shape, 1, w.k);
    spread(d->rank, s, 1, w.s);
    spread(d->rank, d->dilations, 1, w.d);
    spread(d->rank, d->pads_begin, 0, w.pb);
    spread(d->rank, d->pads_end, 0, w.pe);
    spread(d->rank, in, 1, w.m); /* the unpooled tensor's windows are the input's elements */
    spread(d->rank, out, 1, w.n);
    return w;
}

static void put(int32_t overlap, float *y, bool *taken, int64_t at, const float *x, int64_t *bad)
{
    volatile float sum;
    if (!*taken || overlap == UPS_OVERLAP_LAST)
        memcpy(&y[at], x, sizeof *x);
    else if (overlap == UPS_OVERLAP_SUM)
        sum = y[at] + *x, y[at] = sum;
    *bad = *taken && overlap == UPS_OVERLAP_ERROR;
    *taken = true;
}

/* Of window o of plane p: the dense position of the output that the index names, -1 if there is none. */
static int64_t place_of(const struct window *w, struct map *m, int64_t p, const int64_t o[3], int64_t index)
{
    int64_t t[3], at[3];
    if (!of_window(m->convention)) return look_up(m, p / m->channels, p % m->channels, index);
    if (!find_tap(m->convention, w->k, index, t)) return -1;
    tap_at(w, o, t, at);
    return inside(at, w->n) && inside(at, m->size) ? p * product(w->n) + flat(at, w->n) : -1;
}

static struct map unpool_map(const ups_unpool_desc *desc, const int64_t *dims, const int64_t *out)
{
    struct map m = {.convention = desc->index, .images = dims[0], .channels = dims[1], .n = -1, .c = -1};
    int64_t derived[3];
    for (int a = 0; a < desc->rank; a++) derived[a] = naive_derived_size(desc, a, dims[2 + a]);
    spread(desc->rank, desc->index_space == UPS_SPACE_INFERRED ? derived : out, 1, m.size);
    spread(desc->rank, out, 1, m.whole);
    return m;
}

int64_t naive_max_unpool_grad(const ups_unpool_desc *desc, const int64_t *dims, const float *x, const int64_t *index,
                              const int64_t *out, float *y, int64_t *first)
{
    struct window w = unpool_window(desc, dims + 2, out);
    struct map m = unpool_map(desc, dims, out);
    int64_t bad = 0;
    *first = -1;
    for (int64_t p = 0; p < dims[0] * dims[1]; p++) {
        int64_t o[3] = {0};
        do {
            int64_t i = p * product(w.m) + flat(o, w.m), from = place_of(&w, &m, p, o, index[i]);
            y[i] = 0;
            if (from >= 0)
                memcpy(&y[i], &x[from], sizeof *x);
            else if (bad++ == 0)
                *first = i;
        } while (next(o, w.m, false));
    }
    free(m.to);
    return bad;
}

int64_t naive_max_unpool(const ups_unpool_desc *desc, const int64_t *dims, const float *x, const int64_t *index,
                         const int64_t *out, float *y, int64_t *first)
{
    struct window w = unpool_window(desc, dims + 2, out);
    struct map m = unpool_map(desc, dims, out);
    int64_t bad = 0, total = dims[0] * dims[1] * product(w.n);
    bool *taken = calloc((size_t)total + 1, sizeof *taken);
    memset(y, 0, (size_t)total * sizeof *y);
    *first = -1;
    for (int64_t p = 0; p < dims[0] * dims[1]; p++) {
        int64_t o[3] = {0};
        do {
            int64_t i = p * product(w.m) + flat(o, w.m), to = place_of(&w, &m, p, o, index[i]), is_bad = 1;
            if (to >= 0) put(desc->overlap, y, &taken[to], to, &x[i], &is_bad);
            if (is_bad && bad++ == 0) *first = i;
        } while (next(o, w.m, false));
    }
    free(taken);
    free(m.to);
    return bad;
}

/* ---- conversion ---- */

/* The position in its own plane that an index of output o of (n, c) names; false: none. */
static bool position_of(const struct window *w, struct map *m, int64_t n, int64_t c, const int64_t o[3], int64_t index,
                        int64_t at[3])
{
    int64_t t[3];
    if (of_window(m->convention)) {
        if (!find_tap(m->convention, w->k, index, t)) return false;
        tap_at(w, o, t, at);
        return inside(at, w->n);
    }
    int64_t to = look_up(m, n, c, index), own = (n * m->channels + c) * product(w->n);
    at[0] = at[1] = at[2] = 0;
    do
        if (own + flat(at, w->n) == to) return true;
    while (next(at, w->n, false));
    return false;
}

int64_t naive_convert(const ups_pool_desc *desc, const int64_t *dims, const int64_t *index, int32_t to_index,
                      int64_t *converted, int64_t *first)
{
    struct window w = window_of(desc, dims + 2);
    struct map m = {.convention = desc->index, .images = dims[0], .channels = dims[1], .n = -1, .c = -1};
    int64_t bad = 0;
    memcpy(m.size, w.n, sizeof m.size);
    memcpy(m.whole, w.n, sizeof m.whole);
    *first = -1;
    for (int64_t p = 0; p < dims[0] * dims[1]; p++) {
        int64_t o[3] = {0}, n = p / dims[1], c = p % dims[1], at[3], other[3];
        do {
            int64_t i = p * product(w.m) + flat(o, w.m), t[3] = {0};
            converted[i] = -1;
            if (position_of(&w, &m, n, c, o, index[i], at)) {
                if (!of_window(to_index)) converted[i] = naive_index(to_index, n, c, dims[1], at, w.n);
                if (of_window(to_index)) do {
                        tap_at(&w, o, t, other);
                        if (memcmp(at, other, sizeof other) == 0) converted[i] = naive_tap_index(to_index, t, w.k);
                    } while (next(t, w.k, false));
            }
            if (converted[i] < 0 && bad++ == 0) *first = i;
        } while (next(o, w.m, false));
    }
    free(m.to);
    return bad;
}
