/* SPDX-License-Identifier: MIT
 *
 * Max pooling with switches, lanes = outputs (channels first) or channels (channels last); each rule for NaN is a form of
 * its own.
 *
 * Lane by lane a later tap replaces the best so far if it is greater, or (last) NaN. The rules last and skip are
 * associative (first of the greatest, or else last NaN), so there partial results in scan order combine too. seed is not:
 * a NaN that seeds the second half would hide what is greater than the first half.
 */
#define POOL_LOWEST (-__FLT_MAX__)

STEP vm pool_takes(vf best, vf later, const int32_t nan)
{
    const vm greater = vf_less(best, later);
    return nan == UPS_NAN_LAST ? vm_or(greater, vf_is_nan(later)) : greater;
}

struct pool_best {
    vf value;
    vi at;
};

STEP struct pool_best pool_better(struct pool_best best, vf later, vi at, const int32_t nan)
{
    const vm m = pool_takes(best.value, later, nan);
    return (struct pool_best){vf_select(m, later, best.value), vi_select(m, at, best.at)};
}

/* Best of four, a and b from the upper row, c and d below, and its index: a's is `at`. */
STEP void pool_2x2s2_step(const float *row0, const float *row1, int64_t lanes, vi at, vi right, vi below, int64_t i,
                          float *y, void *index, const int32_t nan, const enum form form)
{
    const struct vf_pair ab = vf_unzip(vf_load_pair(row0 + 2 * i, lanes));
    const struct vf_pair cd = vf_unzip(vf_load_pair(row1 + 2 * i, lanes));
    const vi at_c = vi_add(at, below);
    struct pool_best best = {ab.low, at};
    vi high = vi_set(0);

    if (nan == UPS_NAN_SKIP) best = pool_better((struct pool_best){vf_set(POOL_LOWEST), vi_set(-1)}, ab.low, at, nan);
    best = pool_better(best, ab.high, vi_add(at, right), nan);
    if (nan == UPS_NAN_LAST) {
        const struct pool_best lower = pool_better((struct pool_best){cd.low, at_c}, cd.high, vi_add(at_c, right), nan);
        best = pool_better(best, lower.value, lower.at, nan);
    } else {
        best = pool_better(best, cd.low, at_c, nan);
        best = pool_better(best, cd.high, vi_add(at_c, right), nan);
    }
    vf_store(y + i, lanes, best.value);
    if (nan == UPS_NAN_SKIP && form == I64) high = vi_select(vi_equal(best.at, vi_set(-1)), vi_set(-1), high);
    index_store(index, form, i, lanes, best.at, high);
}

STEP void pool_2x2s2_rule(const float *row0, const float *row1, int64_t n, const struct ups_pool_quad *quad, float *y,
                          void *index, const int32_t nan, const enum form form)
{
    const vi right = vi_set((int32_t)quad->right), below = vi_set((int32_t)quad->below);
    const vi next = vi_set((int32_t)(quad->step * VF_LANES));
    int32_t first[VF_LANES];
    int64_t i = 0;

    for (int64_t lane = 0; lane < VF_LANES; lane++) first[lane] = (int32_t)(quad->base + lane * quad->step);
    vi at = vi_load(first, VF_LANES);
    for (; i + VF_LANES <= n; i += VF_LANES) {
        pool_2x2s2_step(row0, row1, VF_LANES, at, right, below, i, y, index, nan, form);
        at = vi_add(at, next);
    }
    if (i < n) pool_2x2s2_step(row0, row1, n - i, at, right, below, i, y, index, nan, form);
}

STEP void pool_2x2s2(const float *row0, const float *row1, int64_t n, int32_t nan, const struct ups_pool_quad *quad,
                     float *y, void *index, const enum form form)
{
    switch (nan) {
    case UPS_NAN_SEED: pool_2x2s2_rule(row0, row1, n, quad, y, index, UPS_NAN_SEED, form); break;
    case UPS_NAN_SKIP: pool_2x2s2_rule(row0, row1, n, quad, y, index, UPS_NAN_SKIP, form); break;
    default: pool_2x2s2_rule(row0, row1, n, quad, y, index, UPS_NAN_LAST, form); break;
    }
}

static void ISA(pool_2x2s2)(const float *row0, const float *row1, int64_t n, int32_t nan,
                            const struct ups_pool_quad *quad, float *y, void *index)
{
    pool_2x2s2(row0, row1, n, nan, quad, y, index, VALUES);
}

static void ISA(pool_2x2s2_i32)(const float *row0, const float *row1, int64_t n, int32_t nan,
                                const struct ups_pool_quad *quad, float *y, void *index)
{
    pool_2x2s2(row0, row1, n, nan, quad, y, index, I32);
}

static void ISA(pool_2x2s2_i64)(const float *row0, const float *row1, int64_t n, int32_t nan,
                                const struct ups_pool_quad *quad, float *y, void *index)
{
    pool_2x2s2(row0, row1, n, nan, quad, y, index, I64);
}

/* Indices of the i64 form may need all 64 bits: their halves are selected side by side. But for skip the first tap is
 * where the search begins. */
STEP void pool_pixel_step(const float *const *tap, const int64_t *position, int64_t count, int64_t lanes, int64_t i,
                          float *y, void *index, const int32_t nan, const enum form form)
{
    const int64_t first = nan != UPS_NAN_SKIP;
    vf best = first ? vf_load(tap[0] + i, lanes) : vf_set(POOL_LOWEST);
    vi low = vi_set(first ? (int32_t)position[0] : -1), high = vi_set(first ? (int32_t)(position[0] >> 32) : -1);

    for (int64_t t = first; t < count; t++) {
        const vf v = vf_load(tap[t] + i, lanes);
        const vm m = pool_takes(best, v, nan);
        best = vf_select(m, v, best);
        low = vi_select(m, vi_set((int32_t)position[t]), low);
        if (form == I64) high = vi_select(m, vi_set((int32_t)(position[t] >> 32)), high);
    }
    vf_store(y + i, lanes, best);
    index_store(index, form, i, lanes, low, high);
}

STEP void pool_nothing_step(int64_t lanes, int64_t i, float *y, void *index, int32_t nan, const enum form form)
{
    vf_store(y + i, lanes, vf_set(nan == UPS_NAN_LAST ? -__builtin_inff() : POOL_LOWEST));
    index_store(index, form, i, lanes, vi_set(-1), vi_set(-1));
}

STEP void pool_pixel_rule(const float *const *tap, const int64_t *position, int64_t count, int64_t n, float *y,
                          void *index, const int32_t nan, const enum form form)
{
    int64_t i = 0;

    for (; i + VF_LANES <= n; i += VF_LANES) pool_pixel_step(tap, position, count, VF_LANES, i, y, index, nan, form);
    if (i < n) pool_pixel_step(tap, position, count, n - i, i, y, index, nan, form);
}

STEP void pool_pixel(const float *const *tap, const int64_t *position, int64_t count, int64_t n, int32_t nan, float *y,
                     void *index, const enum form form)
{
    if (count == 0) {
        for (int64_t i = 0; i < n; i += VF_LANES)
            pool_nothing_step(n - i < VF_LANES ? n - i : VF_LANES, i, y, index, nan, form);
        return;
    }
    switch (nan) {
    case UPS_NAN_SEED: pool_pixel_rule(tap, position, count, n, y, index, UPS_NAN_SEED, form); break;
    case UPS_NAN_SKIP: pool_pixel_rule(tap, position, count, n, y, index, UPS_NAN_SKIP, form); break;
    default: pool_pixel_rule(tap, position, count, n, y, index, UPS_NAN_LAST, form); break;
    }
}

static void ISA(pool_pixel)(const float *const *tap, const int64_t *position, int64_t count, int64_t n, int32_t nan,
                            float *y, void *index)
{
    pool_pixel(tap, position, count, n, nan, y, index, VALUES);
}

static void ISA(pool_pixel_i32)(const float *const *tap, const int64_t *position, int64_t count, int64_t n, int32_t nan,
                                float *y, void *index)
{
    pool_pixel(tap, position, count, n, nan, y, index, I32);
}

static void ISA(pool_pixel_i64)(const float *const *tap, const int64_t *position, int64_t count, int64_t n, int32_t nan,
                                float *y, void *index)
{
    pool_pixel(tap, position, count, n, nan, y, index, I64);
}

/* ---- average pooling ----
 * Lanes = outputs or channels, so each sum has the scalar order. */

/* p[lane*stride]. Of a pair at stride 2 the last element is read only where a further output is there to need it. */
STEP vf avg_load(const float *p, int64_t lanes, int more, const int64_t stride, const int32_t *offset)
{
    if (stride == 1) return vf_load(p, lanes);
    if (stride != 2) return vf_gather(p, offset, lanes);
    const int64_t elements = more ? 2 * lanes : 2 * lanes - 1, half = elements < VF_LANES ? elements : VF_LANES;
    return vf_evens(vf_load(p, half), vf_load(p + half, elements - half));
}

STEP void avg_row_step(const struct ups_avg_window *w, int64_t lanes, int more, int64_t i, const int64_t stride,
                       const int32_t *offset, vf divisor, float *y)
{
    const int64_t start = w->start + i * w->stride;
    vf sum = vf_set(0);

    for (int64_t r = 0; r < w->count; r++)
        for (int64_t t = 0; t < w->taps; t++)
            sum = vf_add(sum, avg_load(w->rows[r] + start + t * w->dilation, lanes, more, stride, offset));
    vf_store(y + i, lanes, vf_div(sum, divisor));
}

/* stride: 1, 2, or 0 for any. The last outputs, a whole vector at most, are the masked tail. */
STEP void avg_row_stride(const struct ups_avg_window *w, int64_t n, float divisor, float *y, const int64_t stride)
{
    int32_t offset[VF_LANES];
    int64_t i = 0;

    for (int64_t lane = 0; lane < VF_LANES; lane++) offset[lane] = (int32_t)(lane * w->stride);
    for (; i + VF_LANES < n; i += VF_LANES) avg_row_step(w, VF_LANES, 1, i, stride, offset, vf_set(divisor), y);
    if (i < n) avg_row_step(w, n - i, 0, i, stride, offset, vf_set(divisor), y);
}

static void ISA(avg_row)(const struct ups_avg_window *w, int64_t n, float divisor, float *y)
{
    if (w->stride == 1)
        avg_row_stride(w, n, divisor, y, 1);
    else if (w->stride == 2)
        avg_row_stride(w, n, divisor, y, 2);
    else
        avg_row_stride(w, n, divisor, y, 0);
}

STEP void avg_pixel_step(const float *const *tap, int64_t count, int64_t lanes, int64_t i, vf divisor, float *y)
{
    vf sum = vf_set(0);

    for (int64_t t = 0; t < count; t++) sum = vf_add(sum, vf_load(tap[t] + i, lanes));
    vf_store(y + i, lanes, vf_div(sum, divisor));
}

static void ISA(avg_pixel)(const float *const *tap, int64_t count, int64_t n, float divisor, float *y)
{
    int64_t i = 0;

    for (; i + VF_LANES <= n; i += VF_LANES) avg_pixel_step(tap, count, VF_LANES, i, vf_set(divisor), y);
    if (i < n) avg_pixel_step(tap, count, n - i, i, vf_set(divisor), y);
}
