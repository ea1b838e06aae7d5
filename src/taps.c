/* SPDX-License-Identifier: MIT
 *
 * Coordinates, filters and the tables made of them. Lengths are below 2^31, so products of two stay inside int64_t.
 */
#include "taps.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "error.h"
#include "shape.h"
#include "size.h"

static const double pi = 3.14159265358979323846;

/* ---- coordinates: x(o), in the arithmetic of each framework ---- */

/* As written, in double. L, the length that the scale makes of the input, may have a fraction. */
static double coordinate_f64(const struct ups_sampling *s, double o)
{
    double n = (double)s->n, m = (double)s->m, length = s->scaled ? s->scale * n : m;
    double half_pixel = (o + 0.5) / s->scale - 0.5;
    switch (s->coordinate) {
    case UPS_ALIGN_CORNERS: return length == 1 ? 0 : o * (n - 1) / (length - 1);
    case UPS_ASYMMETRIC: return o / s->scale;
    case UPS_PYTORCH_HALF_PIXEL: return s->m == 1 ? 0 : half_pixel;
    case UPS_HALF_PIXEL_SYMMETRIC: return n / 2 * (1 - m / length) + half_pixel;
    case UPS_TF_HALF_PIXEL_FOR_NN: return (o + 0.5) / s->scale;
    case UPS_TF_CROP_AND_RESIZE:
        if (length == 1) return (s->begin + s->end) / 2 * (n - 1);
        return s->begin * (n - 1) + o * (s->end - s->begin) * (n - 1) / (length - 1);
    default: return half_pixel;
    }
}

/* As written, in f32, with the output's own length (ONNX Runtime, OpenVINO, oneDNN); OpenVINO divides the lengths first. */
static float coordinate_f32(const struct ups_sampling *s, float o)
{
    float n = (float)s->n, m = (float)s->m, scale = (float)s->scale, begin = (float)s->begin, end = (float)s->end;
    float half_pixel = (o + 0.5f) / scale - 0.5f;
    switch (s->coordinate) {
    case UPS_ALIGN_CORNERS:
        if (s->m == 1) return 0;
        return s->arithmetic == UPS_COORDINATES_ORT ? o * (n - 1) / (m - 1) : o * ((n - 1) / (m - 1));
    case UPS_ASYMMETRIC: return o / scale;
    case UPS_PYTORCH_HALF_PIXEL: return s->m == 1 ? 0 : half_pixel;
    case UPS_HALF_PIXEL_SYMMETRIC:
        /* the offset in f32, the sum in double */
        return (float)((double)(n / 2 * (1 - m / (scale * n))) + ((double)o + 0.5) / (double)scale - 0.5);
    case UPS_TF_HALF_PIXEL_FOR_NN: return (o + 0.5f) / scale;
    case UPS_TF_CROP_AND_RESIZE:
        if (s->m == 1) return (float)(0.5 * (double)(begin + end) * (double)(n - 1));
        return begin * (n - 1) + o * (end - begin) * (n - 1) / (m - 1);
    default: return half_pixel;
    }
}

/* Input over output, rounded to f32 once (PyTorch, TensorFlow). */
static float ratio_f32(const struct ups_sampling *s)
{
    if (s->coordinate == UPS_ALIGN_CORNERS) return s->m > 1 ? (float)(s->n - 1) / (float)(s->m - 1) : 0;
    return s->scaled ? (float)(1.0 / s->scale) : (float)s->n / (float)s->m;
}

/* By that ratio, in f32. PyTorch's 2-D bilinear kernel fuses the half-pixel formula, 1-D and 3-D do not. */
static float coordinate_by_ratio(const struct ups_sampling *s, float o)
{
    float n = (float)s->n, m = (float)s->m, ratio = ratio_f32(s), begin = (float)s->begin, end = (float)s->end;
    bool torch = s->arithmetic == UPS_COORDINATES_TORCH;
    float half_pixel =
        torch && s->rank == 2 && s->mode == UPS_MODE_LINEAR ? fmaf(ratio, o + 0.5f, -0.5f) : ratio * (o + 0.5f) - 0.5f;
    switch (s->coordinate) {
    case UPS_ALIGN_CORNERS:
    case UPS_ASYMMETRIC: return ratio * o;
    case UPS_PYTORCH_HALF_PIXEL: return s->m == 1 && !torch ? 0 : half_pixel;
    case UPS_HALF_PIXEL_SYMMETRIC: return n / 2 * (1 - m * ratio / n) + half_pixel;
    case UPS_TF_HALF_PIXEL_FOR_NN: return ratio * (o + 0.5f);
    case UPS_TF_CROP_AND_RESIZE:
        if (s->m == 1) return 0.5f * (begin + end) * (n - 1);
        return begin * (n - 1) + o * ((end - begin) * (n - 1) / (m - 1));
    default: return half_pixel;
    }
}

static double coordinate(const struct ups_sampling *s, int64_t o)
{
    switch (s->arithmetic) {
    case UPS_COORDINATES_TORCH:
    case UPS_COORDINATES_TF: return (double)coordinate_by_ratio(s, (float)o);
    case UPS_COORDINATES_ORT:
    case UPS_COORDINATES_F32: return (double)coordinate_f32(s, (float)o);
    default: return coordinate_f64(s, (double)o);
    }
}

/* ---- nearest ---- */

static double rounded(const struct ups_sampling *s, double x)
{
    switch (s->nearest) {
    case UPS_NEAREST_FLOOR: return floor(x);
    case UPS_NEAREST_CEIL: return ceil(x);
    case UPS_ROUND_PREFER_FLOOR: return ceil(x - 0.5);
    case UPS_ROUND_PREFER_CEIL: return floor(x + 0.5);
    default: return s->scale < 1 ? ceil(x) : floor(x);
    }
}

/* ONNX Runtime takes what is within 1e-6 of a half for one. */
static double rounded_ort(const struct ups_sampling *s, double x)
{
    bool tie = fabs(x - floor(x) - 0.5) < 1e-6;
    if (tie && s->nearest == UPS_ROUND_PREFER_FLOOR) return floor(x);
    if (tie && s->nearest == UPS_ROUND_PREFER_CEIL) return floor(x) + 1;
    return rounded(s, x);
}

/* PyTorch's nearest-exact. In 2-D the halves cancel before anything is rounded; in 1-D and 3-D they do not, and the product
 * is fused (PyTorch 2.15.0, recorded: 2 -> 41, o = 20). */
static float nearest_exact(const struct ups_sampling *s, int64_t o)
{
    float ratio = ratio_f32(s), middle = (float)o + 0.5f;
    return floorf(s->rank == 2 ? middle * ratio : fmaf(middle, ratio, -0.5f) + 0.5f);
}

static double nearest_torch(const struct ups_sampling *s, int64_t o)
{
    float x = coordinate_by_ratio(s, (float)o);
    bool half_pixel = s->coordinate == UPS_HALF_PIXEL || s->coordinate == UPS_PYTORCH_HALF_PIXEL;
    if (half_pixel && s->nearest == UPS_ROUND_PREFER_CEIL) return (double)nearest_exact(s, o);
    if (s->nearest == UPS_ROUND_PREFER_CEIL) return (double)floorf(x + 0.5f);
    if (s->nearest == UPS_ROUND_PREFER_FLOOR) return (double)ceilf(x - 0.5f);
    return rounded(s, (double)x);
}

/* PyTorch's 2-D nearest kernel replicates an axis that doubles, whatever the scale. */
static bool torch_doubles(const struct ups_sampling *s)
{
    return s->arithmetic == UPS_COORDINATES_TORCH && s->rank == 2 && s->coordinate == UPS_ASYMMETRIC &&
           s->nearest == UPS_NEAREST_FLOOR && s->m == 2 * s->n;
}

/* Where output o falls, before it is clamped to the image. */
static double nearest_position(const struct ups_sampling *s, int64_t o)
{
    if (torch_doubles(s)) return (double)(o / 2);
    switch (s->arithmetic) {
    case UPS_COORDINATES_OPENCV: return floor((double)o * (1 / s->scale));
    case UPS_COORDINATES_ORT: return rounded_ort(s, coordinate(s, o));
    case UPS_COORDINATES_TORCH: return nearest_torch(s, o);
    default: return rounded(s, coordinate(s, o));
    }
}

static int64_t clamped(const struct ups_sampling *s, double position)
{
    return (int64_t)fmin(fmax(position, 0), (double)(s->n - 1));
}

/* ---- filters ---- */

static double sinc(double t)
{
    if (t == floor(t)) return t == 0; /* sin(pi t) would not be 0 */
    return sin(pi * t) / (pi * t);
}

static double cubic(double a, double t)
{
    t = fabs(t);
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

/* F(t), and how far it reaches. */
static double filter(const struct ups_sampling *s, double t)
{
    double u = fabs(t), radius = (double)s->radius;
    switch (s->mode) {
    case UPS_MODE_CUBIC: return cubic(s->a, t);
    case UPS_MODE_LANCZOS: return u < radius ? sinc(t) * sinc(t / radius) : 0;
    case UPS_MODE_BOX: return t > -0.5 && t <= 0.5;
    case UPS_MODE_HAMMING: return u < 1 ? sinc(t) * (0.54 + 0.46 * cos(pi * t)) : 0;
    default: return u < 1 ? 1 - u : 0;
    }
}

static double support(const struct ups_sampling *s)
{
    switch (s->mode) {
    case UPS_MODE_CUBIC: return 2;
    case UPS_MODE_LANCZOS: return (double)s->radius;
    case UPS_MODE_BOX: return 0.5;
    default: return 1;
    }
}

/* Input over output, in double. */
static double ratio_f64(const struct ups_sampling *s)
{
    return s->scaled ? 1 / s->scale : (double)s->n / (double)s->m;
}

/* How far F is stretched: 1/q of F((i - x)*q). */
static double stretch(const struct ups_sampling *s)
{
    if (!s->antialias) return 1;
    return fmax(s->arithmetic == UPS_COORDINATES_TORCH ? (double)ratio_f32(s) : ratio_f64(s), 1);
}

/* x + 0.5. The antialiasing filters of PyTorch and Pillow are centred at (o + 0.5)*ratio, even with aligned corners. */
static double centre(const struct ups_sampling *s, int64_t o)
{
    if (s->antialias && s->arithmetic == UPS_COORDINATES_TORCH && s->coordinate != UPS_TF_CROP_AND_RESIZE)
        return (double)(ratio_f32(s) * ((float)o + 0.5f));
    if (s->antialias && s->arithmetic == UPS_COORDINATES_ACCUMULATED && s->coordinate == UPS_HALF_PIXEL)
        return ((double)o + 0.5) * ratio_f64(s);
    double x = coordinate(s, o);
    if (s->mode == UPS_MODE_CUBIC && s->arithmetic == UPS_COORDINATES_TF && !s->antialias)
        x = floor(x) + rint((x - floor(x)) * 1024) / 1024; /* TensorFlow reads its weights from a table */
    return x + 0.5;
}

/* ---- rows of the table ---- */

/* Writes the taps of output o: weights for the same pixel, which follow one another, are added before they are rounded. */
struct row {
    struct ups_taps *to;
    int64_t o, count, pixel;
    double weight;
};

static void finish_pixel(struct row *r)
{
    float weight = (float)r->weight;
    r->weight = 0;
    if (weight == 0) return;
    r->to->index[r->count * r->to->m + r->o] = (int32_t)r->pixel;
    r->to->weight[r->count * r->to->m + r->o] = weight;
    r->count++;
}

static void add_tap(struct row *r, int64_t pixel, double weight)
{
    if (pixel != r->pixel) finish_pixel(r);
    r->pixel = pixel;
    r->weight += weight;
}

static void finish_row(struct row *r)
{
    struct ups_taps *to = r->to;
    finish_pixel(r);
    if (r->count == 0) { /* nothing of the image has any weight: the nearest pixel */
        r->weight = 1;
        finish_pixel(r);
    }
    to->taps = ups_max(to->taps, r->count);
    to->span = ups_max(to->span, to->index[(r->count - 1) * to->m + r->o] - to->index[r->o] + 1);
}

/* The pixels i around the centre by F, over their sum; those outside the image repeat the border or are left out. Rounded as
 * Pillow does, whose box shows it. */
static void filter_row(const struct ups_sampling *s, struct row *r)
{
    double f = stretch(s), q = 1 / f, reach = support(s) * f, sum = 0;
    /* beyond this distance from the image nothing changes any more */
    double c = fmin(fmax(centre(s, r->o), -reach - 1), (double)s->n + reach + 1);
    int64_t first = (int64_t)floor(c - reach + 0.5), last = (int64_t)floor(c + reach + 0.5) - 1;
    r->pixel = clamped(s, floor(c));
    if (s->excludes) {
        first = ups_max(first, 0);
        last = ups_min(last, s->n - 1);
    }
    for (int64_t i = first; i <= last; i++) sum += filter(s, ((double)i - c + 0.5) * q);
    for (int64_t i = first; i <= last && sum != 0; i++)
        add_tap(r, ups_min(ups_max(i, 0), s->n - 1), filter(s, ((double)i - c + 0.5) * q) / sum);
}

/* Output o covers [o*n/m, (o+1)*n/m): divided once, so that ends that are whole numbers are. */
static void area_row(const struct ups_sampling *s, struct row *r)
{
    double begin = (double)(r->o * s->n) / (double)s->m, end = (double)((r->o + 1) * s->n) / (double)s->m;
    if (s->scaled) {
        begin = fmin((double)r->o * ratio_f64(s), (double)(s->n - 1));
        end = fmin(begin + ratio_f64(s), (double)s->n);
    }
    int64_t first = r->pixel = clamped(s, floor(begin)), last = clamped(s, ceil(end) - 1);
    for (int64_t i = first; i <= last; i++) {
        double covered = s->area == UPS_AREA_CELLS ? 1 : fmin((double)i + 1, end) - fmax((double)i, begin);
        add_tap(r, i, covered / (s->area == UPS_AREA_CELLS ? (double)(last - first + 1) : end - begin));
    }
}

/* OpenCV's INTER_AREA when it grows: linear, but an output takes the second pixel only as far as it reaches into it. */
static void opencv_area_row(const struct ups_sampling *s, struct row *r)
{
    double o = (double)r->o;
    int64_t i = clamped(s, floor(o * (1 / s->scale)));
    float t = (float)(o + 1 - (double)(i + 1) * s->scale);
    t = t <= 0 ? 0 : t - floorf(t);
    add_tap(r, i, 1 - (double)t);
    add_tap(r, ups_min(i + 1, s->n - 1), (double)t);
}

static bool is_one_pixel(const struct ups_sampling *s)
{
    return s->copies || s->mode == UPS_MODE_NEAREST;
}

static void fill_row(const struct ups_sampling *s, struct row *r)
{
    if (is_one_pixel(s))
        add_tap(r, s->copies ? r->o : clamped(s, nearest_position(s, r->o)), 1);
    else if (s->mode != UPS_MODE_AREA)
        filter_row(s, r);
    else if (s->area == UPS_AREA_OVERLAP_OR_LINEAR)
        opencv_area_row(s, r);
    else
        area_row(s, r);
    finish_row(r);
}

/* ---- tables ---- */

/* Pillow and OpenCV's NEAREST_EXACT step through the image; the rounding of the running sum shows. */
static void accumulate(const struct ups_sampling *s, struct ups_taps *to)
{
    double step = (double)s->n / (double)s->m, x = step / 2;
    for (int64_t o = 0; o < to->m; o++, x += step) to->index[o] = (int32_t)clamped(s, floor(x));
}

/* Rows with fewer taps than the longest: their last pixel in equal shares. */
static void level_rows(struct ups_taps *to)
{
    int64_t m = to->m;
    for (int64_t o = 0; o < m; o++) {
        int64_t count = to->taps;
        while (to->index[(count - 1) * m + o] < 0) count--;
        int32_t pixel = to->index[(count - 1) * m + o];
        float share = to->weight[(count - 1) * m + o] / (float)(to->taps - count + 1);
        for (int64_t t = count - 1; t < to->taps; t++) {
            to->index[t * m + o] = pixel;
            to->weight[t * m + o] = share;
        }
    }
}

/* Coordinates never turn back, so the outputs inside the image follow one another. */
static void find_inside(const struct ups_sampling *s, struct ups_taps *to)
{
    to->from = 0;
    to->to = to->m;
    if (s->coordinate != UPS_TF_CROP_AND_RESIZE || s->copies) return;
    to->from = to->m;
    for (int64_t o = 0; o < to->m; o++) {
        double x = coordinate(s, o);
        if (x < 0 || x > (double)(s->n - 1)) continue;
        to->from = ups_min(to->from, o);
        to->to = o + 1;
    }
}

void ups_taps_fill(const struct ups_sampling *s, int64_t bound, struct ups_taps *to)
{
    to->n = s->n;
    to->m = s->m;
    to->taps = to->span = 1;
    memset(to->index, 0xff, (size_t)(bound * s->m) * sizeof *to->index); /* no tap: -1 */
    for (int64_t o = 0; o < s->m; o++) {
        struct row r = {.to = to, .o = o, .pixel = -1};
        fill_row(s, &r);
    }
    if (s->mode == UPS_MODE_NEAREST && s->arithmetic == UPS_COORDINATES_ACCUMULATED && !s->copies) accumulate(s, to);
    if (to->taps > 1) level_rows(to);
    find_inside(s, to);
    to->identity = to->taps == 1 && s->m == s->n;
    to->twice = to->taps == 1 && s->m == 2 * s->n;
    for (int64_t o = 0; o < s->m; o++) {
        to->identity = to->identity && to->index[o] == o;
        to->twice = to->twice && to->index[o] == o / 2;
    }
}

int32_t ups_taps_bound(const struct ups_sampling *s, int64_t *bound)
{
    double most = 1;
    if (s->mode == UPS_MODE_AREA)
        most = floor(ratio_f64(s)) + 2;
    else if (s->mode != UPS_MODE_NEAREST)
        most = floor(2 * support(s) * stretch(s)) + 1;
    if (s->copies) most = 1;
    /* by the sizes' own scale all outputs take at most 17 taps for each element of the longer side */
    double own = (double)s->m / (double)s->n;
    if (most * (double)s->m > 0x1p20 + 64 * ((double)s->n + (double)s->m))
        return ups_error(UPS_UNSUPPORTED,
                         "scale %g from %" PRId64 " to %" PRId64 " takes %g taps for each output; legal: nearer to %g",
                         s->scale, s->n, s->m, most, own);
    *bound = ups_min((int64_t)most, s->n);
    return UPS_OK;
}

/* ---- what the descriptor says of an axis ---- */

/* Frameworks copy an axis that keeps its length, although the scale or the rule may say otherwise. PyTorch: linear and
 * antialiased ones, nearest in 2-D. ONNX Runtime: antialiased ones, and where the scale is 1. OpenVINO: always. */
static bool keeps(const struct ups_sampling *s)
{
    if (s->n != s->m) return false;
    switch (s->arithmetic) {
    case UPS_COORDINATES_TORCH:
        if (s->mode == UPS_MODE_LINEAR || s->antialias) return true;
        return s->mode == UPS_MODE_NEAREST && s->rank == 2 && s->coordinate == UPS_ASYMMETRIC &&
               s->nearest == UPS_NEAREST_FLOOR;
    case UPS_COORDINATES_ORT: return s->antialias || (float)s->scale == 1;
    case UPS_COORDINATES_F32: return s->coordinate != UPS_TF_CROP_AND_RESIZE;
    default: return false;
    }
}

static void sampling_of_axis(const ups_resize_desc *d, int axis, const int64_t *n, struct ups_sampling *s)
{
    bool keeps_aspect = d->keep_aspect_ratio_policy != UPS_STRETCH;
    s->mode = d->mode;
    s->coordinate = d->coordinate_transformation_mode;
    s->nearest = d->nearest_mode;
    s->arithmetic = d->coordinate_arithmetic;
    s->rank = d->rank;
    s->radius = d->lanczos_radius;
    s->area = d->area_rule;
    s->antialias = d->antialias;
    s->excludes = d->exclude_outside;
    s->a = d->cubic_coeff_a;
    s->begin = d->roi[axis];
    s->end = d->roi[3 + axis];
    s->scale = (double)s->m / (double)s->n;
    s->scaled = keeps_aspect || d->scales[axis] != UPS_BY_PRESET;
    if (s->mode == UPS_MODE_AREA && s->area != UPS_AREA_OVERLAP_OR_LINEAR) s->scaled = false; /* by the sizes alone */
    if (s->scaled) s->scale = keeps_aspect ? ups_aspect_scale(d, n) : d->scales[axis];
    s->copies = !(d->axes & (1 << axis)) || keeps(s);
}

/* Most frameworks copy a tensor no length of which changes, without a look at the scales; PyTorch and the text of ONNX do not.
 * Only ONNX Runtime overlooks a region, too. */
static bool keeps_all(const ups_resize_desc *d)
{
    if (d->coordinate_arithmetic == UPS_COORDINATES_ORT) return true;
    return d->coordinate_transformation_mode != UPS_TF_CROP_AND_RESIZE &&
           d->coordinate_arithmetic != UPS_COORDINATES_F64 && d->coordinate_arithmetic != UPS_COORDINATES_TORCH;
}

void ups_sampling_of(const ups_resize_desc *d, const int64_t n[3], const int64_t m[3], struct ups_sampling axes[3])
{
    int missing = 3 - d->rank;
    bool same = true, grows = false;
    for (int i = 0; i < 3; i++) {
        struct ups_sampling *s = &axes[i];
        *s = (struct ups_sampling){.n = n[i], .m = m[i], .copies = true};
        if (i >= missing) sampling_of_axis(d, i - missing, n + missing, s);
        same = same && s->n == s->m;
        grows = grows || (!s->copies && s->scale > 1);
    }
    for (int i = 0; i < 3; i++) {
        axes[i].copies = axes[i].copies || (same && keeps_all(d));
        if (!grows && axes[i].area == UPS_AREA_OVERLAP_OR_LINEAR) axes[i].area = UPS_AREA_OVERLAP;
    }
}
