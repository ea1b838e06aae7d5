/* SPDX-License-Identifier: MIT
 *
 * Max pooling with switches, lanes = outputs (channels first) or channels (channels last).
 *
 * Torch's rule, lane by lane: a later tap replaces the best so far if it is greater or NaN. The rule is associative
 * (first of the greatest, or else last NaN), so partial results in scan order combine by it too.
 */
STEP vm pool_takes(vf best, vf later)
{
    return vm_or(vf_less(best, later), vf_is_nan(later));
}

/* Best of four, a and b from the upper row, c and d below, and its index: a's is `at`. */
STEP void pool_2x2s2_step(const float *row0, const float *row1, int64_t lanes, vi at, vi width, int64_t i, float *y,
                          void *index, const enum form form)
{
    const struct vf_pair ab = vf_unzip(vf_load_pair(row0 + 2 * i, lanes));
    const struct vf_pair cd = vf_unzip(vf_load_pair(row1 + 2 * i, lanes));
    const vi right = vi_set(1), below = vi_add(at, width);

    const vm upper = pool_takes(ab.low, ab.high);
    const vf v0 = vf_select(upper, ab.high, ab.low);
    const vm lower = pool_takes(cd.low, cd.high);
    const vf v1 = vf_select(lower, cd.high, cd.low);
    const vm last = pool_takes(v0, v1);
    vf_store(y + i, lanes, vf_select(last, v1, v0));

    const vi at0 = vi_select(upper, vi_add(at, right), at);
    const vi at1 = vi_select(lower, vi_add(below, right), below);
    index_store(index, form, i, lanes, vi_select(last, at1, at0), vi_set(0));
}

STEP void pool_2x2s2(const float *row0, const float *row1, int64_t n, int64_t base, int64_t width, float *y,
                     void *index, const enum form form)
{
    const vi w = vi_set((int32_t)width);
    vi at = vi_add(vi_set((int32_t)base), vi_add(vi_iota(), vi_iota()));
    int64_t i = 0;

    for (; i + VF_LANES <= n; i += VF_LANES) {
        pool_2x2s2_step(row0, row1, VF_LANES, at, w, i, y, index, form);
        at = vi_add(at, vi_set(2 * VF_LANES));
    }
    if (i < n) pool_2x2s2_step(row0, row1, n - i, at, w, i, y, index, form);
}

static void ISA(pool_2x2s2)(const float *row0, const float *row1, int64_t n, int64_t base, int64_t width, float *y,
                            void *index)
{
    pool_2x2s2(row0, row1, n, base, width, y, index, VALUES);
}

static void ISA(pool_2x2s2_i32)(const float *row0, const float *row1, int64_t n, int64_t base, int64_t width, float *y,
                                void *index)
{
    pool_2x2s2(row0, row1, n, base, width, y, index, I32);
}

static void ISA(pool_2x2s2_i64)(const float *row0, const float *row1, int64_t n, int64_t base, int64_t width, float *y,
                                void *index)
{
    pool_2x2s2(row0, row1, n, base, width, y, index, I64);
}

/* Positions of the i64 form may need all 64 bits: their halves are selected side by side. */
STEP void pool_pixel_step(const float *const *tap, const int64_t *position, int64_t count, int64_t lanes, int64_t i,
                          float *y, void *index, const enum form form)
{
    vf best = vf_load(tap[0] + i, lanes);
    vi low = vi_set((int32_t)position[0]), high = vi_set((int32_t)(position[0] >> 32));

    for (int64_t t = 1; t < count; t++) {
        const vf v = vf_load(tap[t] + i, lanes);
        const vm m = pool_takes(best, v);
        best = vf_select(m, v, best);
        low = vi_select(m, vi_set((int32_t)position[t]), low);
        if (form == I64) high = vi_select(m, vi_set((int32_t)(position[t] >> 32)), high);
    }
    vf_store(y + i, lanes, best);
    index_store(index, form, i, lanes, low, high);
}

STEP void pool_nothing_step(int64_t lanes, int64_t i, float *y, void *index, const enum form form)
{
    vf_store(y + i, lanes, vf_set(-__builtin_inff()));
    index_store(index, form, i, lanes, vi_set(-1), vi_set(-1));
}

STEP void pool_pixel(const float *const *tap, const int64_t *position, int64_t count, int64_t n, float *y, void *index,
                     const enum form form)
{
    int64_t i = 0;

    if (count == 0) {
        for (; i < n; i += VF_LANES) pool_nothing_step(n - i < VF_LANES ? n - i : VF_LANES, i, y, index, form);
        return;
    }
    for (; i + VF_LANES <= n; i += VF_LANES) pool_pixel_step(tap, position, count, VF_LANES, i, y, index, form);
    if (i < n) pool_pixel_step(tap, position, count, n - i, i, y, index, form);
}

static void ISA(pool_pixel)(const float *const *tap, const int64_t *position, int64_t count, int64_t n, float *y,
                            void *index)
{
    pool_pixel(tap, position, count, n, y, index, VALUES);
}

static void ISA(pool_pixel_i32)(const float *const *tap, const int64_t *position, int64_t count, int64_t n, float *y,
                                void *index)
{
    pool_pixel(tap, position, count, n, y, index, I32);
}

static void ISA(pool_pixel_i64)(const float *const *tap, const int64_t *position, int64_t count, int64_t n, float *y,
                                void *index)
{
    pool_pixel(tap, position, count, n, y, index, I64);
}
