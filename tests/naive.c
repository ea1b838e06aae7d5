/* SPDX-License-Identifier: MIT
 *
 * Each operation from its formula; see naive.h. Every rank is handled as three axes, the missing outer ones of size 1.
 */
#include "naive.h"
#include "naive_pool.h"

#include <math.h>
#include <string.h>

/* ---- three axes ---- */

/* The last `rank` of three entries come from `from`, the others are `missing`. */
static void spread(int32_t rank, const int64_t *from, int64_t missing, int64_t to[3])
{
    for (int a = 0; a < 3; a++) to[a] = a < 3 - rank ? missing : from[a - (3 - rank)];
}

static int64_t product(const int64_t v[3])
{
    return v[0] * v[1] * v[2];
}

static int64_t flat(const int64_t at[3], const int64_t size[3])
{
    return (at[0] * size[1] + at[1]) * size[2] + at[2];
}

/* The position of the flat index in a box of the given sizes. */
static void unflat(int64_t index, const int64_t size[3], int64_t at[3])
{
    at[2] = index % size[2];
    at[1] = index / size[2] % size[1];
    at[0] = index / size[2] / size[1];
}

static bool inside(const int64_t at[3], const int64_t size[3])
{
    for (int a = 0; a < 3; a++)
        if (at[a] < 0 || at[a] >= size[a]) return false;
    return true;
}

int64_t naive_plane(const int64_t *sizes, int32_t rank)
{
    int64_t n = 1;
    for (int a = 0; a < rank; a++) n *= sizes[a];
    return n;
}

int64_t naive_count(const int64_t *dims, int32_t rank)
{
    return naive_plane(dims, rank + 2);
}

/* ---- sizes ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t resize_size(const ups_resize_desc *d, int a, int64_t n)
{
    if (d->sizes[a] != UPS_BY_PRESET) return d->sizes[a];
    return d->scales[a] == UPS_BY_PRESET ? 0 : (int64_t)floor((double)n * d->scales[a]);
}

/* Pads whose sum is T: the odd element at the begin, or at the end. */
static void split(struct naive_fit *f, int64_t total, bool odd_at_begin)
{
    int64_t less = floor_div(total, 2);
    f->begin = odd_at_begin ? total - less : less;
    f->end = odd_at_begin ? less : total - less;
}

/* TensorFlow: the forward convolution must take m back to n. */
static bool tf_legal(bool same, int64_t n, int64_t m, int64_t s, int64_t extent)
{
    return n == -floor_div(same ? -m : -(m - extent + 1), s) && (same || m >= extent);
}

bool naive_conv_fit(const ups_conv_transpose_desc *d, int a, int64_t n, int64_t wanted, struct naive_fit *f)
{
    int64_t s = d->strides[a], dilation = d->dilations[a], extent = dilation * (d->kernel_shape[a] - 1) + 1;
    int64_t full = (n - 1) * s + extent, op = d->output_padding[a], most = s > dilation ? s : dilation;
    bool upper = d->auto_pad == UPS_SAME_UPPER, same = upper || d->auto_pad == UPS_SAME_LOWER;
    bool given = d->pads_begin[a] != UPS_BY_PRESET, asked = wanted != 0, shaped = d->output_shape[a] != UPS_BY_PRESET;
    struct naive_fit shape;
    if (asked && shaped && !naive_conv_fit(d, a, n, 0, &shape)) return false; /* both must be legal */
    if (!asked && shaped) wanted = d->output_shape[a];
    *f = (struct naive_fit){.begin = given ? d->pads_begin[a] : 0, .end = given ? d->pads_end[a] : 0};
    switch (d->shape_rule) {
    case UPS_SHAPE_TF:
        if (d->auto_pad == UPS_NOTSET) break;
        f->m = wanted ? wanted : same ? n * s : (n - 1) * s + (extent > s ? extent : s);
        if (same) split(f, full + op > f->m ? full + op - f->m : 0, false);
        f->output_padding = f->m - (full - f->begin - f->end);
        return tf_legal(same, n, f->m, s, extent);
    case UPS_SHAPE_TORCH: break;
    case UPS_SHAPE_OPENVINO: /* pads by auto_pad only for a wanted size; else that is cut at the end */
        f->output_padding = op;
        f->m = wanted ? wanted : full - f->begin - f->end + op;
        if (same && wanted) split(f, full + op > wanted ? full + op - wanted : 0, upper);
        f->end = full + op - f->m - f->begin;
        return f->m >= 1;
    default: /* pads from the wanted size; pads that were given fix the size, but for output_shape */
        if (given && !shaped) {
            f->output_padding = op;
            f->m = full - f->begin - f->end + op;
            return f->m >= 1 && (!wanted || wanted == f->m);
        }
        f->m = wanted ? wanted : same ? n * s : full + op;
        if (d->shape_rule == UPS_SHAPE_ORT && !wanted && f->m > full + op) f->m = full + op;
        split(f, full + op - f->m, !upper);
        f->output_padding = op;
        return f->m >= 1 && (d->shape_rule != UPS_SHAPE_ORT || f->m <= full + op);
    }
    /* the pads stay, the size chooses the output padding */
    if (same) split(f, full + op - n * s, !upper);
    int64_t bare = full - f->begin - f->end;
    f->m = wanted ? wanted : bare + op;
    f->output_padding = f->m - bare;
    return f->m >= 1 && f->output_padding >= 0 && f->output_padding < most;
}

static int64_t conv_size(const ups_conv_transpose_desc *d, int a, int64_t n)
{
    struct naive_fit fit;
    return naive_conv_fit(d, a, n, 0, &fit) ? fit.m : 0;
}

bool naive_sizes(const void *desc, const int64_t *in, int64_t *out)
{
    const ups_desc_head *head = desc;
    bool legal = true;
    for (int a = 0; a < head->rank; a++) {
        switch (head->op) {
        case UPS_MAX_POOL:
        case UPS_AVG_POOL: out[a] = naive_pool_size(desc, a, in[a]); break;
        case UPS_MAX_UNPOOL: out[a] = naive_unpool_size(desc, a, in[a]); break;
        case UPS_RESIZE: out[a] = resize_size(desc, a, in[a]); break;
        case UPS_CONV_TRANSPOSE: out[a] = conv_size(desc, a, in[a]); break;
        default: out[a] = in[a] * ((const ups_expand_desc *)desc)->factor[a]; break;
        }
        legal = legal && out[a] >= 1;
    }
    return legal;
}

/* ---- replication, bed of nails ---- */

/* Where output q, counted over all planes, comes from, or -1; n: sizes of the source. */
static int64_t expand_source(const ups_expand_desc *desc, const int64_t n[3], int64_t q)
{
    int64_t f[3], offset[3], m[3], o[3], at[3];
    bool hit = true;
    spread(desc->rank, desc->factor, 1, f);
    spread(desc->rank, desc->offset, 0, offset);
    for (int a = 0; a < 3; a++) m[a] = n[a] * f[a];
    unflat(q % product(m), m, o);
    for (int a = 0; a < 3; a++) {
        at[a] = o[a] / f[a];
        hit = hit && (desc->op == UPS_REPLICATE || desc->op == UPS_REPLICATE_GRAD || o[a] % f[a] == offset[a]);
    }
    return hit ? q / product(m) * product(n) + flat(at, n) : -1;
}

void naive_expand(const ups_expand_desc *desc, const int64_t *dims, const float *x, float *y)
{
    int64_t n[3];
    spread(desc->rank, dims + 2, 1, n);
    const int64_t outputs = dims[0] * dims[1] * product(n) * naive_plane(desc->factor, desc->rank);
    for (int64_t q = 0; q < outputs; q++) {
        int64_t from = expand_source(desc, n, q);
        y[q] = 0;
        if (from >= 0) memcpy(&y[q], &x[from], sizeof *x);
    }
}

void naive_expand_grad(const ups_expand_desc *desc, const int64_t *dims, const float *gy, float *gx)
{
    int64_t n[3];
    spread(desc->rank, dims + 2, 1, n);
    const int64_t outputs = dims[0] * dims[1] * product(n) * naive_plane(desc->factor, desc->rank);
    for (int64_t i = 0; i < dims[0] * dims[1] * product(n); i++) gx[i] = 0;
    for (int64_t q = 0; q < outputs; q++) {
        int64_t from = expand_source(desc, n, q);
        volatile float sum = from >= 0 ? gx[from] + gy[q] : 0;
        if (from >= 0) gx[from] = sum;
    }
}

/* ---- shuffles ---- */

void naive_shuffle_dims(const ups_shuffle_desc *desc, const int64_t *dims, int64_t *out)
{
    int64_t b = desc->blocksize;
    out[0] = dims[0];
    out[1] = dims[1];
    for (int a = 0; a < desc->rank; a++) {
        bool widens = desc->op == UPS_PIXEL_SHUFFLE;
        out[1] = widens ? out[1] / b : out[1] * b;
        out[2 + a] = widens ? dims[2 + a] * b : dims[2 + a] / b;
    }
}

/* An element (c, wide position) of the wide tensor: its flat place in the deep one, as the header's formulas say. */
static int64_t deep_place(const ups_shuffle_desc *desc, int64_t channels, int64_t c, const int64_t at[3],
                          const int64_t deep[3])
{
    int64_t cell = 0, cells = 1, from[3];
    for (int a = 0; a < 3; a++) {
        int64_t b = a < 3 - desc->rank ? 1 : desc->blocksize;
        cell = cell * b + at[a] % b;
        cells *= b;
        from[a] = at[a] / b;
    }
    int64_t channel = desc->shuffle == UPS_CRD ? c * cells + cell : cell * channels + c;
    return channel * product(deep) + flat(from, deep);
}

void naive_shuffle(const ups_shuffle_desc *desc, const int64_t *dims, const float *x, float *y)
{
    bool widens = desc->op == UPS_PIXEL_SHUFFLE;
    int64_t out[5], wide[3], deep[3];
    naive_shuffle_dims(desc, dims, out);
    spread(desc->rank, (widens ? out : dims) + 2, 1, wide);
    spread(desc->rank, (widens ? dims : out) + 2, 1, deep);
    int64_t channels = widens ? out[1] : dims[1], image = channels * product(wide);
    for (int64_t i = 0; i < dims[0] * image; i++) {
        int64_t at[3];
        unflat(i % product(wide), wide, at);
        int64_t other = i / image * image + deep_place(desc, channels, i / product(wide) % channels, at, deep);
        memcpy(&y[widens ? i : other], &x[widens ? other : i], sizeof *x);
    }
}

/* ---- transposed convolution ---- */

/* Each operation rounded on its own, however the compiler would like to contract it. */
static float times(float a, float b)
{
    volatile float p = a * b;
    return p;
}

static float plus(float a, float b)
{
    volatile float s = a + b;
    return s;
}

/* Sizes and steps of one call, on three axes. */
struct deconv {
    int64_t k[3], s[3], d[3], pb[3], n[3], m[3];
    int64_t in_group, out_group; /* channels of one group */
};

static struct deconv deconv_of(const ups_conv_transpose_desc *desc, const int64_t *in, const int64_t *out)
{
    struct deconv c = {.in_group = desc->in_channels / desc->group, .out_group = desc->out_channels / desc->group};
    spread(desc->rank, desc->kernel_shape, 1, c.k);
    spread(desc->rank, desc->strides, 1, c.s);
    spread(desc->rank, desc->dilations, 1, c.d);
    spread(desc->rank, in, 1, c.n);
    spread(desc->rank, out, 1, c.m);
    for (int a = 0; a < desc->rank; a++) {
        struct naive_fit fit = {0};
        naive_conv_fit(desc, a, in[a], out[a], &fit);
        c.pb[a + 3 - desc->rank] = fit.begin;
    }
    return c;
}

int64_t naive_weight_at(const ups_conv_transpose_desc *desc, int64_t i, int64_t o, int64_t t)
{
    int64_t I = desc->in_channels, O = desc->out_channels, G = desc->group;
    int64_t taps = naive_plane(desc->kernel_shape, desc->rank);
    switch (desc->weights_layout) {
    case UPS_OIHW: return (o * (I / G) + i % (I / G)) * taps + t;
    case UPS_HWOI: return (t * O + o) * (I / G) + i % (I / G);
    case UPS_OHWI: return (o * taps + t) * (I / G) + i % (I / G);
    case UPS_HWIO: return (t * I + i) * (O / G) + o % (O / G);
    default: return (i * (O / G) + o % (O / G)) * taps + t;
    }
}

/* The output position that tap t of input position p lands on; false: cropped. */
static bool lands(const struct deconv *c, const int64_t p[3], const int64_t t[3], int64_t q[3])
{
    for (int a = 0; a < 3; a++) q[a] = p[a] * c->s[a] + t[a] * c->d[a] - c->pb[a];
    return inside(q, c->m);
}

/* Adds one input channel's plane, seen through one kernel, to one output channel's plane. */
static void scatter(const ups_conv_transpose_desc *desc, const struct deconv *c, int64_t i, int64_t o, const float *x,
                    const float *w, double *y, double *magnitude)
{
    for (int64_t at = 0; at < product(c->n); at++)
        for (int64_t tap = 0; tap < product(c->k); tap++) {
            int64_t p[3], t[3], q[3];
            unflat(at, c->n, p);
            unflat(tap, c->k, t);
            if (!lands(c, p, t, q)) continue;
            double v = (double)x[at] * (double)w[naive_weight_at(desc, i, o, tap)];
            y[flat(q, c->m)] += v;
            magnitude[flat(q, c->m)] += fabs(v);
        }
}

static double activated(const ups_conv_transpose_desc *desc, double v)
{
    switch (desc->activation) {
    case UPS_RELU: return v < 0 ? 0 : v;
    case UPS_LEAKY_RELU: return v > 0 ? v : v * (double)(float)desc->activation_alpha;
    case UPS_CLIP: return fmin(fmax(v, (float)desc->activation_alpha), (float)desc->activation_beta);
    case UPS_SIGMOID: return 1 / (1 + exp(-v));
    case UPS_TANH: return tanh(v);
    default: return v;
    }
}

void naive_conv_transpose(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *w,
                          const float *bias, const int64_t *out, double *y, double *magnitude)
{
    struct deconv c = deconv_of(desc, dims + 2, out);
    int64_t n = product(c.n), m = product(c.m), I = desc->in_channels, O = desc->out_channels;
    for (int64_t plane = 0; plane < dims[0] * O; plane++) {
        int64_t b = plane / O, o = plane % O, g = o / c.out_group;
        double *to = y + plane * m, *size = magnitude + plane * m;
        for (int64_t q = 0; q < m; q++) {
            to[q] = bias ? bias[o] : 0;
            size[q] = fabs(to[q]);
        }
        for (int64_t i = g * c.in_group; i < (g + 1) * c.in_group; i++)
            scatter(desc, &c, i, o, x + (b * I + i) * n, w, to, size);
        for (int64_t q = 0; q < m; q++) {
            to[q] = activated(desc, to[q]);
            if (desc->activation == UPS_SIGMOID || desc->activation == UPS_TANH) size[q] += fabs(to[q]);
        }
    }
}

/* The input position under tap t of output position q, which may lie outside the image; false: none. */
static bool under(const struct deconv *c, const int64_t q[3], const int64_t t[3], int64_t p[3])
{
    bool whole = true;
    for (int a = 0; a < 3; a++) {
        int64_t full = q[a] + c->pb[a] - t[a] * c->d[a];
        p[a] = full / c->s[a];
        if (full < 0) p[a] = -1;
        whole &= full % c->s[a] == 0;
    }
    return whole;
}

static bool source(const struct deconv *c, const int64_t q[3], const int64_t t[3], int64_t p[3])
{
    return under(c, q, t, p) && inside(p, c->n);
}

bool naive_whole_at(const ups_conv_transpose_desc *desc, const int64_t *dims, const int64_t *out, int64_t q)
{
    struct deconv c = deconv_of(desc, dims + 2, out);
    int64_t at[3], t[3], p[3];
    unflat(q, c.m, at);
    for (int64_t tap = 0; tap < product(c.k); tap++) {
        unflat(tap, c.k, t);
        if (under(&c, at, t, p) && !inside(p, c.n)) return false;
    }
    return true;
}

double naive_conv_transpose_at(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *w,
                               const float *bias, const int64_t *out, int64_t b, int64_t o, int64_t q,
                               double *magnitude)
{
    struct deconv c = deconv_of(desc, dims + 2, out);
    int64_t at[3], t[3], p[3], g = o / c.out_group;
    double sum = bias ? bias[o] : 0;
    *magnitude = fabs(sum);
    unflat(q, c.m, at);
    for (int64_t tap = 0; tap < product(c.k); tap++) {
        unflat(tap, c.k, t);
        if (!source(&c, at, t, p)) continue;
        for (int64_t i = g * c.in_group; i < (g + 1) * c.in_group; i++) {
            double v = (double)x[(b * desc->in_channels + i) * product(c.n) + flat(p, c.n)] *
                       (double)w[naive_weight_at(desc, i, o, tap)];
            sum += v;
            *magnitude += fabs(v);
        }
    }
    return sum;
}

static float step(float x, float w, float sum, bool fused)
{
    return fused ? fmaf(x, w, sum) : plus(times(x, w), sum);
}

/* One output position as one chain; x: the image's first channel. */
static float chain(const ups_conv_transpose_desc *desc, const struct deconv *c, int64_t o, const int64_t q[3],
                   const float *x, const float *w, bool fused)
{
    float sum = 0;
    int64_t g = o / c->out_group;
    for (int64_t tap = 0; tap < product(c->k); tap++) {
        int64_t t[3], p[3];
        unflat(tap, c->k, t);
        if (!source(c, q, t, p)) continue;
        for (int64_t i = g * c->in_group; i < (g + 1) * c->in_group; i++)
            sum = step(x[i * product(c->n) + flat(p, c->n)], w[naive_weight_at(desc, i, o, tap)], sum, fused);
    }
    return sum;
}

float naive_chain_at(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *w,
                     const int64_t *out, int64_t b, int64_t o, int64_t q)
{
    struct deconv c = deconv_of(desc, dims + 2, out);
    int64_t at[3];
    unflat(q, c.m, at);
    return chain(desc, &c, o, at, x + b * desc->in_channels * product(c.n), w, true);
}

static float activated_f32(const ups_conv_transpose_desc *desc, float v)
{
    float alpha = (float)desc->activation_alpha, beta = (float)desc->activation_beta;
    switch (desc->activation) {
    case UPS_RELU: return v < 0 ? 0 : v;
    case UPS_LEAKY_RELU: return v < 0 ? times(v, alpha) : v;
    case UPS_CLIP: return v < alpha ? alpha : v > beta ? beta : v;
    default: return v;
    }
}

void naive_chain(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *w,
                 const float *bias, const int64_t *out, bool fused, float *y)
{
    struct deconv c = deconv_of(desc, dims + 2, out);
    int64_t n = product(c.n), m = product(c.m), I = desc->in_channels, O = desc->out_channels;
    for (int64_t plane = 0; plane < dims[0] * O; plane++)
        for (int64_t at = 0; at < m; at++) {
            int64_t q[3], o = plane % O;
            unflat(at, c.m, q);
            float sum = chain(desc, &c, o, q, x + plane / O * I * n, w, fused);
            y[plane * m + at] = activated_f32(desc, plus(sum, bias ? bias[o] : 0));
        }
}

void naive_grad_weights(const ups_conv_transpose_desc *desc, const int64_t *dims, const float *x, const float *g,
                        const int64_t *out, double *w)
{
    struct deconv c = deconv_of(desc, dims + 2, out);
    int64_t n = product(c.n), m = product(c.m), I = desc->in_channels, O = desc->out_channels;
    for (int64_t i = 0; i < I; i++)
        for (int64_t o = i / c.in_group * c.out_group; o < (i / c.in_group + 1) * c.out_group; o++)
            for (int64_t tap = 0; tap < product(c.k); tap++) {
                int64_t p[3], t[3], q[3];
                double sum = 0;
                unflat(tap, c.k, t);
                for (int64_t at = 0; at < n; at++) {
                    unflat(at, c.n, p);
                    for (int64_t b = 0; lands(&c, p, t, q) && b < dims[0]; b++)
                        sum += (double)x[(b * I + i) * n + at] * (double)g[(b * O + o) * m + flat(q, c.m)];
                }
                w[naive_weight_at(desc, i, o, tap)] = sum;
            }
}

void naive_conv(const ups_conv_transpose_desc *desc, const int64_t *dims, const double *y, const float *w,
                const int64_t *out, double *x)
{
    struct deconv c = deconv_of(desc, dims + 2, out);
    int64_t n = product(c.n), m = product(c.m), I = desc->in_channels, O = desc->out_channels;
    for (int64_t at = 0; at < dims[0] * I * n; at++) {
        int64_t p[3], t[3], q[3], i = at / n % I, b = at / n / I, g = i / c.in_group;
        unflat(at % n, c.n, p);
        x[at] = 0;
        for (int64_t o = g * c.out_group; o < (g + 1) * c.out_group; o++)
            for (int64_t tap = 0; tap < product(c.k); tap++) {
                unflat(tap, c.k, t);
                if (lands(&c, p, t, q))
                    x[at] += y[(b * O + o) * m + flat(q, c.m)] * w[naive_weight_at(desc, i, o, tap)];
            }
    }
}
