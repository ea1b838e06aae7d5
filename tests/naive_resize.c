/* SPDX-License-Identifier: MIT
 *
 * See naive_resize.h. Weights are dense: w[i] for every pixel i of an axis, most of them 0.
 */
#include "naive_resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- an axis ---- */

struct axis {
    const ups_resize_desc *d; /* NULL: an axis that the rank lacks */
    int64_t n, m;
    double scale, r0, r1;
    bool given; /* the scale */
    bool copy;
};

static bool listed(const ups_resize_desc *d, int a)
{
    return d->axes >> a & 1;
}

/* The scale of a policy that keeps the picture's shape. */
static double one_scale(const ups_resize_desc *d, const int64_t *in)
{
    bool least = d->keep_aspect_ratio_policy == UPS_NOT_LARGER;
    double scale = least ? INFINITY : 0;
    for (int a = 0; a < d->rank; a++) {
        double own = (double)d->sizes[a] / (double)in[a];
        if (listed(d, a)) scale = least ? fmin(scale, own) : fmax(scale, own);
    }
    return scale;
}

bool naive_resize_sizes(const ups_resize_desc *d, const int64_t *in, const int64_t *asked, int64_t *out)
{
    bool legal = true;
    for (int a = 0; a < d->rank; a++) {
        int64_t size = asked                           ? asked[a]
                       : d->sizes[a] != UPS_BY_PRESET  ? d->sizes[a]
                       : d->scales[a] != UPS_BY_PRESET ? (int64_t)floor((double)in[a] * d->scales[a])
                                                       : 0;
        if (d->keep_aspect_ratio_policy != UPS_STRETCH) size = (int64_t)floor(one_scale(d, in) * (double)in[a] + 0.5);
        out[a] = listed(d, a) ? size : in[a];
        legal = legal && out[a] >= 1;
    }
    return legal;
}

static bool is_torch_nearest(const ups_resize_desc *d)
{
    return d->mode == UPS_MODE_NEAREST && d->rank == 2 && d->coordinate_transformation_mode == UPS_ASYMMETRIC &&
           d->nearest_mode == UPS_NEAREST_FLOOR;
}

/* An axis of equal lengths that a framework copies without looking at the scale. */
static bool copied(const ups_resize_desc *d, const struct axis *a, bool nothing_changes)
{
    bool crop = d->coordinate_transformation_mode == UPS_TF_CROP_AND_RESIZE;
    bool filter = d->mode != UPS_MODE_NEAREST && d->mode != UPS_MODE_AREA;
    if (a->n != a->m) return false;
    switch (d->coordinate_arithmetic) {
    case UPS_COORDINATES_F64: return false;
    case UPS_COORDINATES_TORCH: return d->mode == UPS_MODE_LINEAR || (d->antialias && filter) || is_torch_nearest(d);
    case UPS_COORDINATES_ORT: return nothing_changes || (d->antialias && filter) || (float)a->scale == 1;
    case UPS_COORDINATES_F32: return !crop;
    default: return nothing_changes && !crop;
    }
}

static void axes_of(const ups_resize_desc *d, const int64_t *in, const int64_t *out, struct axis axes[3])
{
    int missing = 3 - d->rank;
    bool same = true;
    for (int a = 0; a < d->rank; a++) same = same && in[a] == out[a];
    for (int i = 0; i < 3; i++) {
        int a = i - missing;
        axes[i] = (struct axis){.n = 1, .m = 1, .copy = true};
        if (a < 0) continue;
        struct axis x = {.d = d, .n = in[a], .m = out[a], .r0 = d->roi[a], .r1 = d->roi[3 + a]};
        bool keeps = d->keep_aspect_ratio_policy != UPS_STRETCH;
        bool opencv = d->mode == UPS_MODE_AREA && d->area_rule == UPS_AREA_OVERLAP_OR_LINEAR;
        x.given = (keeps || d->scales[a] != UPS_BY_PRESET) && (opencv || d->mode != UPS_MODE_AREA);
        x.scale = !x.given ? (double)x.m / (double)x.n : keeps ? one_scale(d, in) : d->scales[a];
        x.copy = !listed(d, a) || copied(d, &x, same);
        axes[i] = x;
    }
}

/* ---- coordinates ---- */

static double in_double(const struct axis *a, double o)
{
    double n = (double)a->n, m = (double)a->m, s = a->scale, L = a->given ? s * n : m;
    switch (a->d->coordinate_transformation_mode) {
    case UPS_HALF_PIXEL: return (o + 0.5) / s - 0.5;
    case UPS_ALIGN_CORNERS: return L == 1 ? 0 : o * (n - 1) / (L - 1);
    case UPS_ASYMMETRIC: return o / s;
    case UPS_PYTORCH_HALF_PIXEL: return a->m == 1 ? 0 : (o + 0.5) / s - 0.5;
    case UPS_HALF_PIXEL_SYMMETRIC: return n / 2 * (1 - m / L) + ((o + 0.5) / s - 0.5);
    case UPS_TF_HALF_PIXEL_FOR_NN: return (o + 0.5) / s;
    default: break;
    }
    return L == 1 ? (a->r0 + a->r1) / 2 * (n - 1) : a->r0 * (n - 1) + o * (a->r1 - a->r0) * (n - 1) / (L - 1);
}

/* The tests are compiled without contraction: every operation is rounded. */
static float as_written(const struct axis *a, float o)
{
    float n = (float)a->n, m = (float)a->m, s = (float)a->scale, r0 = (float)a->r0, r1 = (float)a->r1;
    bool one = a->m == 1, ort = a->d->coordinate_arithmetic == UPS_COORDINATES_ORT;
    switch (a->d->coordinate_transformation_mode) {
    case UPS_HALF_PIXEL: return (o + 0.5f) / s - 0.5f;
    case UPS_ALIGN_CORNERS: return one ? 0 : ort ? o * (n - 1) / (m - 1) : o * ((n - 1) / (m - 1));
    case UPS_ASYMMETRIC: return o / s;
    case UPS_PYTORCH_HALF_PIXEL: return one ? 0 : (o + 0.5f) / s - 0.5f;
    case UPS_HALF_PIXEL_SYMMETRIC: {
        float offset = n / 2 * (1 - m / (s * n));
        return (float)((double)offset + ((double)o + 0.5) / (double)s - 0.5);
    }
    case UPS_TF_HALF_PIXEL_FOR_NN: return (o + 0.5f) / s;
    default: break;
    }
    return one ? (r0 + r1) / 2 * (n - 1) : r0 * (n - 1) + o * (r1 - r0) * (n - 1) / (m - 1);
}

static float ratio(const struct axis *a)
{
    if (a->d->coordinate_transformation_mode == UPS_ALIGN_CORNERS)
        return a->m == 1 ? 0 : (float)(a->n - 1) / (float)(a->m - 1);
    return a->given ? (float)(1 / a->scale) : (float)a->n / (float)a->m;
}

static float ratio_first(const struct axis *a, float o)
{
    const ups_resize_desc *d = a->d;
    float n = (float)a->n, m = (float)a->m, r = ratio(a), r0 = (float)a->r0, r1 = (float)a->r1;
    bool torch = d->coordinate_arithmetic == UPS_COORDINATES_TORCH;
    float half = torch && d->rank == 2 && d->mode == UPS_MODE_LINEAR ? fmaf(o + 0.5f, r, -0.5f) : (o + 0.5f) * r - 0.5f;
    switch (d->coordinate_transformation_mode) {
    case UPS_HALF_PIXEL: return half;
    case UPS_ALIGN_CORNERS: return o * r;
    case UPS_ASYMMETRIC: return o * r;
    case UPS_PYTORCH_HALF_PIXEL: return a->m == 1 && !torch ? 0 : half;
    case UPS_HALF_PIXEL_SYMMETRIC: return n / 2 * (1 - m * r / n) + half;
    case UPS_TF_HALF_PIXEL_FOR_NN: return (o + 0.5f) * r;
    default: break;
    }
    return a->m == 1 ? (r0 + r1) / 2 * (n - 1) : r0 * (n - 1) + o * ((r1 - r0) * (n - 1) / (m - 1));
}

static double source(const struct axis *a, int64_t o)
{
    switch (a->d->coordinate_arithmetic) {
    case UPS_COORDINATES_TORCH:
    case UPS_COORDINATES_TF: return ratio_first(a, (float)o);
    case UPS_COORDINATES_ORT:
    case UPS_COORDINATES_F32: return as_written(a, (float)o);
    default: return in_double(a, (double)o);
    }
}

static bool outside(const struct axis *a, int64_t o)
{
    if (a->copy || a->d->coordinate_transformation_mode != UPS_TF_CROP_AND_RESIZE) return false;
    double x = source(a, o);
    return x < 0 || x > (double)(a->n - 1);
}

/* ---- nearest ---- */

static double round_by(const struct axis *a, double x)
{
    switch (a->d->nearest_mode) {
    case UPS_NEAREST_FLOOR: return floor(x);
    case UPS_NEAREST_CEIL: return ceil(x);
    case UPS_ROUND_PREFER_FLOOR: return ceil(x - 0.5);
    case UPS_ROUND_PREFER_CEIL: return floor(x + 0.5);
    default: return a->scale < 1 ? ceil(x) : floor(x);
    }
}

static double nearest_torch(const struct axis *a, int64_t o)
{
    int32_t rule = a->d->coordinate_transformation_mode, to = a->d->nearest_mode;
    float middle = (float)o + 0.5f, x = ratio_first(a, (float)o);
    if (is_torch_nearest(a->d) && a->m == 2 * a->n) return (double)(o / 2);
    if ((rule == UPS_HALF_PIXEL || rule == UPS_PYTORCH_HALF_PIXEL) && to == UPS_ROUND_PREFER_CEIL) {
        float exact = fmaf(middle, ratio(a), -0.5f); /* in 2-D the halves cancel */
        return floorf(a->d->rank == 2 ? middle * ratio(a) : exact + 0.5f);
    }
    if (to == UPS_ROUND_PREFER_CEIL) return floorf(x + 0.5f);
    return to == UPS_ROUND_PREFER_FLOOR ? ceilf(x - 0.5f) : round_by(a, x);
}

static int64_t nearest(const struct axis *a, int64_t o)
{
    if (a->copy) return o;
    double x = source(a, o), at, step = (double)a->n / (double)a->m;
    bool tie = fabs(x - floor(x) - 0.5) < 1e-6;
    switch (a->d->coordinate_arithmetic) {
    case UPS_COORDINATES_TORCH: at = nearest_torch(a, o); break;
    case UPS_COORDINATES_ORT:
        at = tie && a->d->nearest_mode == UPS_ROUND_PREFER_FLOOR  ? floor(x)
             : tie && a->d->nearest_mode == UPS_ROUND_PREFER_CEIL ? ceil(x)
                                                                  : round_by(a, x);
        break;
    case UPS_COORDINATES_ACCUMULATED:
        at = step / 2;
        for (int64_t i = 0; i < o; i++) at += step;
        break;
    case UPS_COORDINATES_OPENCV: at = (double)o * (1 / a->scale); break;
    default: at = round_by(a, x); break;
    }
    return (int64_t)fmin(fmax(floor(at), 0), (double)(a->n - 1));
}

/* ---- filters ---- */

static double sinc(double t)
{
    if (t == rint(t)) return t == 0; /* sin(M_PI) is not 0 */
    return sin(M_PI * t) / (M_PI * t);
}

static double filter(const ups_resize_desc *d, double t)
{
    double u = fabs(t), a = d->cubic_coeff_a, R = d->lanczos_radius;
    switch (d->mode) {
    case UPS_MODE_LINEAR: return fmax(1 - u, 0);
    case UPS_MODE_CUBIC:
        if (u <= 1) return (a + 2) * u * u * u - (a + 3) * u * u + 1;
        return u < 2 ? a * u * u * u - 5 * a * u * u + 8 * a * u - 4 * a : 0;
    case UPS_MODE_LANCZOS: return u < R ? sinc(t) * sinc(t / R) : 0;
    case UPS_MODE_BOX: return -0.5 < t && t <= 0.5;
    default: return u < 1 ? sinc(t) * (0.54 + 0.46 * cos(M_PI * t)) : 0;
    }
}

/* The middle of the footprint, x + 0.5. */
static double middle_of(const struct axis *a, int64_t o)
{
    const ups_resize_desc *d = a->d;
    int32_t rule = d->coordinate_transformation_mode;
    double x = source(a, o);
    if (d->antialias && d->coordinate_arithmetic == UPS_COORDINATES_TORCH && rule != UPS_TF_CROP_AND_RESIZE)
        return ratio(a) * ((float)o + 0.5f);
    if (d->antialias && d->coordinate_arithmetic == UPS_COORDINATES_ACCUMULATED && rule == UPS_HALF_PIXEL)
        return ((double)o + 0.5) * (a->given ? 1 / a->scale : (double)a->n / (double)a->m);
    if (!d->antialias && d->mode == UPS_MODE_CUBIC && d->coordinate_arithmetic == UPS_COORDINATES_TF)
        x = floor(x) + rint((x - floor(x)) * 1024) / 1024;
    return x + 0.5;
}

static void filter_weights(const struct axis *a, int64_t o, double *w)
{
    const ups_resize_desc *d = a->d;
    double stretch = 1, sum = 0, middle = middle_of(a, o);
    if (d->antialias && d->coordinate_arithmetic == UPS_COORDINATES_TORCH) stretch = fmax(ratio(a), 1);
    if (d->antialias && d->coordinate_arithmetic != UPS_COORDINATES_TORCH)
        stretch = fmax(a->given ? 1 / a->scale : (double)a->n / (double)a->m, 1);
    int64_t reach = (int64_t)(9 * stretch) + 2, at = (int64_t)floor(middle);
    /* Pillow's window, whose rounding decides what lies on the edge of a box */
    int64_t first = (int64_t)floor(middle - 0.5 * stretch + 0.5), end = (int64_t)floor(middle + 0.5 * stretch + 0.5);
    for (int64_t i = at - reach; i <= at + reach; i++) {
        bool inside = i >= 0 && i < a->n;
        double v = filter(d, ((double)i - middle + 0.5) * (1 / stretch));
        if (d->exclude_outside && !inside) continue;
        if (d->mode == UPS_MODE_BOX && (i < first || i >= end)) continue;
        w[i < 0 ? 0 : i < a->n ? i : a->n - 1] += v;
        sum += v;
    }
    for (int64_t i = 0; i < a->n && sum != 0; i++) w[i] /= sum;
    if (sum == 0) w[at < 0 ? 0 : at < a->n ? at : a->n - 1] = 1;
}

static void area_weights(const struct axis *a, int64_t o, bool grows, double *w)
{
    double n = (double)a->n, m = (double)a->m, sum = 0;
    double r = a->given ? 1 / a->scale : n / m, begin = fmin((double)o * r, n - 1), end = fmin(begin + r, n);
    if (a->d->area_rule == UPS_AREA_OVERLAP_OR_LINEAR && grows) {
        int64_t i = (int64_t)fmin(floor((double)o * (1 / a->scale)), n - 1);
        float t = (float)((double)(o + 1) - (double)(i + 1) * a->scale);
        t = t <= 0 ? 0 : t - floorf(t);
        w[i] += 1 - (double)t;
        w[i + 1 < a->n ? i + 1 : i] += (double)t;
        return;
    }
    for (int64_t i = 0; i < a->n; i++) {
        bool in_cell = i >= o * a->n / a->m && i * a->m < (o + 1) * a->n;
        double shared = fmin((double)i + 1, end) - fmax((double)i, begin);
        w[i] = a->d->area_rule == UPS_AREA_CELLS ? in_cell : shared > 1e-9 ? shared : 0;
        sum += w[i];
    }
    for (int64_t i = 0; i < a->n; i++) w[i] /= sum;
}

static void weights_of(const struct axis *a, int64_t o, bool grows, double *w)
{
    memset(w, 0, (size_t)a->n * sizeof *w);
    if (a->copy || a->d->mode == UPS_MODE_NEAREST)
        w[nearest(a, o)] = 1;
    else if (a->d->mode == UPS_MODE_AREA)
        area_weights(a, o, grows, w);
    else
        filter_weights(a, o, w);
}

/* ---- tensors ---- */

/* Position q of a plane of the axes' output sizes. */
static void position(const struct axis axes[3], int64_t q, int64_t o[3])
{
    o[2] = q % axes[2].m;
    o[1] = q / axes[2].m % axes[1].m;
    o[0] = q / axes[2].m / axes[1].m;
}

static bool extrapolated(const struct axis axes[3], const int64_t o[3])
{
    return outside(&axes[0], o[0]) || outside(&axes[1], o[1]) || outside(&axes[2], o[2]);
}

void naive_nearest(const ups_resize_desc *desc, const int64_t *dims, const float *x, const int64_t *out, float *y)
{
    struct axis axes[3];
    axes_of(desc, dims + 2, out, axes);
    int64_t m = axes[0].m * axes[1].m * axes[2].m, n = axes[0].n * axes[1].n * axes[2].n;
    for (int64_t q = 0; q < m; q++) {
        int64_t o[3];
        position(axes, q, o);
        int64_t at =
            (nearest(&axes[0], o[0]) * axes[1].n + nearest(&axes[1], o[1])) * axes[2].n + nearest(&axes[2], o[2]);
        float beyond = (float)desc->extrapolation_value;
        for (int64_t plane = 0; plane < dims[0] * dims[1]; plane++)
            memcpy(&y[plane * m + q], extrapolated(axes, o) ? &beyond : &x[plane * n + at], sizeof *x);
    }
}

/* w[a][o*n + i] for each axis; terms: the most weights an output has along it. */
static double *table_of(const struct axis *a, bool grows, double *terms)
{
    double *w = malloc((size_t)(a->m * a->n) * sizeof *w);
    *terms = 1;
    for (int64_t o = 0; w && o < a->m; o++) {
        double count = 0;
        weights_of(a, o, grows, w + o * a->n);
        for (int64_t i = 0; i < a->n; i++) count += w[o * a->n + i] != 0;
        *terms = fmax(*terms, count);
    }
    return w;
}

static void blend(const struct axis axes[3], double *const table[3], const int64_t o[3], const float *x, double *y,
                  double *magnitude)
{
    const double *wd = table[0] + o[0] * axes[0].n, *wh = table[1] + o[1] * axes[1].n,
                 *ww = table[2] + o[2] * axes[2].n;
    *y = *magnitude = 0;
    for (int64_t d = 0; d < axes[0].n; d++)
        for (int64_t h = 0; h < axes[1].n; h++)
            for (int64_t i = 0; i < axes[2].n && wd[d] != 0 && wh[h] != 0; i++) {
                double v = wd[d] * wh[h] * ww[i];
                if (v == 0) continue;
                v *= (double)x[(d * axes[1].n + h) * axes[2].n + i];
                *y += v;
                *magnitude += fabs(v);
            }
}

void naive_resize(const ups_resize_desc *desc, const int64_t *dims, const float *x, const int64_t *out, double *y,
                  double *bound)
{
    struct axis axes[3];
    double *table[3], terms[3];
    bool grows = false;
    axes_of(desc, dims + 2, out, axes);
    for (int i = 0; i < 3; i++) grows = grows || (!axes[i].copy && axes[i].scale > 1);
    for (int i = 0; i < 3; i++) table[i] = table_of(&axes[i], grows, &terms[i]);
    int64_t m = axes[0].m * axes[1].m * axes[2].m, n = axes[0].n * axes[1].n * axes[2].n;
    /* three rounded weights, and the two sums */
    double roundings = ldexp(8 + terms[2] + terms[0] * terms[1], -24);
    for (int64_t q = 0; q < dims[0] * dims[1] * m; q++) {
        int64_t o[3];
        position(axes, q % m, o);
        blend(axes, table, o, x + q / m * n, &y[q], &bound[q]);
        bound[q] *= roundings;
        if (!extrapolated(axes, o)) continue;
        y[q] = (double)(float)desc->extrapolation_value;
        bound[q] = 0;
    }
    for (int i = 0; i < 3; i++) free(table[i]);
}
