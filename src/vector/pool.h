/* SPDX-License-Identifier: MIT
 *
 * Max pooling with switches, and average pooling. Each line is treated in vectors of outputs; the last one of a line laps
 * over the one before, so that only lines shorter than a vector need masks.
 *
 * Lane by lane a later tap replaces the best so far if it is greater, or (last) NaN. Where no tap is NaN the rules are one,
 * and a maximum and one comparison per tap do: pool_fast, for the usual windows, works so and asks after each vector
 * whether there was a NaN (or, for skip, a maximum that is not above the lowest float). Such a vector is done again by
 * pool_any, which obeys every rule and serves every other window.
 *
 * Indices are int32 relative to the line's base until they are stored.
 */
#define POOL_LOWEST (-__FLT_MAX__)

struct pool_best {
    vf value;
    vi at;
};

/* Lane i's share of the index. */
STEP vi pool_lanes(const struct ups_pool_window *w)
{
    int32_t share[VF_LANES];

    for (int64_t i = 0; i < VF_LANES; i++) share[i] = (int32_t)(i * w->lane_step);
    return vi_load(share, VF_LANES);
}

STEP vi pool_code(const struct ups_pool_window *w, int64_t r, int64_t t)
{
    return vi_set((int32_t)(w->code[r] + t * w->tap_step));
}

STEP void pool_store(const struct ups_pool_window *w, struct pool_best best, vi share, int64_t l, int64_t i,
                     int64_t lanes, float *y, void *index, const enum form form)
{
    const int64_t base = w->base + l * w->line_step, first = i * w->lane_step, to = l * w->index_stride + i;

    vf_store(y + l * w->y_stride + i, lanes, best.value);
    best.at = vi_add(best.at, vi_add(share, vi_set((int32_t)(form == I64 ? first : base + first))));
    if (form == U8) vi_store_u8((uint8_t *)index + to, lanes, best.at);
    if (form == I32) vi_store((int32_t *)index + to, lanes, best.at);
    if (form == I64) vi_store_i64((int64_t *)index + to, lanes, best.at, base);
}

/* Where skip took nothing, at is -1 and so is the index. */
STEP void pool_store_nothing(const struct ups_pool_window *w, vi at, int64_t l, int64_t i, int64_t lanes, void *index,
                             const enum form form)
{
    int32_t each[VF_LANES];
    const int64_t to = l * w->index_stride + i;

    vi_store(each, VF_LANES, at);
    for (int64_t lane = 0; lane < lanes; lane++) {
        if (each[lane] != -1) continue;
        if (form == U8) ((uint8_t *)index)[to + lane] = 255;
        if (form == I32) ((int32_t *)index)[to + lane] = -1;
        if (form == I64) ((int64_t *)index)[to + lane] = -1;
    }
}

/* ---- any window ---- */

/* p[lane*stride]. Of a pair at stride 2 the last element is read only where a further output is there to need it. */
STEP vf pool_load(const float *p, int64_t lanes, int more, const int64_t stride, const int32_t *offset)
{
    if (stride == 1) return vf_load(p, lanes);
    if (stride != 2) return vf_gather(p, offset, lanes);
    const int64_t elements = more ? 2 * lanes : 2 * lanes - 1, half = elements < VF_LANES ? elements : VF_LANES;
    return vf_evens(vf_load(p, half), vf_load(p + half, elements - half));
}

/* But for skip the search begins with the first tap; meeting it once more changes nothing. */
STEP void pool_any_step(const struct ups_pool_window *w, vi share, int64_t l, int64_t i, int64_t lanes, int more,
                        const int64_t stride, const int32_t *offset, float *y, void *index, const enum form form)
{
    const int column = w->scan == UPS_SCAN_COLUMN_MAJOR, skip = w->nan == UPS_NAN_SKIP;
    const int64_t slow = column ? w->taps : w->count, fast = column ? w->count : w->taps;
    const int64_t at = l * w->x_stride + i * w->stride;
    const vm last = vi_equal(vi_set(w->nan), vi_set(UPS_NAN_LAST));
    struct pool_best best = {vf_set(POOL_LOWEST), vi_set(-1)};

    if (!skip) best = (struct pool_best){pool_load(w->rows[0] + at, lanes, more, stride, offset), pool_code(w, 0, 0)};
    for (int64_t s = 0; s < slow; s++)
        for (int64_t f = 0; f < fast; f++) {
            const int64_t r = column ? f : s, t = column ? s : f;
            const vf v = pool_load(w->rows[r] + at + t * w->dilation, lanes, more, stride, offset);
            const vm taken = vm_or(vf_less(best.value, v), vm_and(vf_is_nan(v), last));
            best.value = vf_select(taken, v, best.value);
            if (form != VALUES) best.at = vi_select(taken, pool_code(w, r, t), best.at);
        }
    pool_store(w, best, share, l, i, lanes, y, index, form);
    if (skip && form != VALUES && vm_any(vi_equal(best.at, vi_set(-1))))
        pool_store_nothing(w, best.at, l, i, lanes, index, form);
}

STEP void pool_any_lines(const struct ups_pool_window *w, int64_t l, int64_t lines, int64_t first, int64_t n, float *y,
                         void *index, const int64_t stride, const enum form form)
{
    const vi share = pool_lanes(w);
    int32_t offset[VF_LANES];

    for (int64_t lane = 0; lane < VF_LANES; lane++) offset[lane] = (int32_t)(lane * w->stride);
    for (int64_t end = first + n; lines > 0; lines--, l++) {
        int64_t i = first;
        for (; i + VF_LANES < end; i += VF_LANES)
            pool_any_step(w, share, l, i, VF_LANES, 1, stride, offset, y, index, form);
        if (n >= VF_LANES)
            pool_any_step(w, share, l, end - VF_LANES, VF_LANES, 0, stride, offset, y, index, form);
        else
            pool_any_step(w, share, l, i, n, 0, stride, offset, y, index, form);
    }
}

STEP void pool_nothing(const struct ups_pool_window *w, int64_t l, int64_t n, float *y, void *index,
                       const enum form form)
{
    const float value = w->nan == UPS_NAN_LAST ? -__builtin_inff() : POOL_LOWEST;

    for (int64_t i = 0; i < n; i++) {
        y[l * w->y_stride + i] = value;
        if (form == U8) ((uint8_t *)index)[l * w->index_stride + i] = 255;
        if (form == I32) ((int32_t *)index)[l * w->index_stride + i] = -1;
        if (form == I64) ((int64_t *)index)[l * w->index_stride + i] = -1;
    }
}

STEP void pool_any_form(const struct ups_pool_window *w, int64_t l, int64_t lines, int64_t i, int64_t n, float *y,
                        void *index, const enum form form)
{
    if (w->count == 0 || w->taps == 0)
        for (; lines > 0; lines--, l++) pool_nothing(w, l, n, y, index, form);
    else if (w->stride == 1 || n == 1)
        pool_any_lines(w, l, lines, i, n, y, index, 1, form);
    else if (w->stride == 2)
        pool_any_lines(w, l, lines, i, n, y, index, 2, form);
    else
        pool_any_lines(w, l, lines, i, n, y, index, 0, form);
}

/* Outputs i … i + n - 1 of lines l … l + lines - 1. */
static __attribute__((noinline)) void pool_any(const struct ups_pool_window *w, int64_t l, int64_t lines, int64_t i,
                                               int64_t n, float *y, void *index, enum form form)
{
    switch (form) {
    case VALUES: pool_any_form(w, l, lines, i, n, y, index, VALUES); break;
    case U8: pool_any_form(w, l, lines, i, n, y, index, U8); break;
    case I32: pool_any_form(w, l, lines, i, n, y, index, I32); break;
    case I64: pool_any_form(w, l, lines, i, n, y, index, I64); break;
    }
}

/* ---- the usual windows ---- */

/* The taps of one row, for a whole vector of outputs. */
STEP void pool_load_row(const float *p, int64_t dilation, const int64_t stride, const int64_t taps, vf v[3])
{
    if (stride == 3) {
        vf_load_thirds(p, v);
    } else if (stride == 2) {
        const struct vf_pair pair = vf_unzip(vf_load_pair(p, VF_LANES));
        v[0] = pair.low;
        v[1] = pair.high;
        if (taps == 3) v[2] = vf_shift_in(pair.low, p + 2 * VF_LANES);
    } else {
        UNROLL for (int64_t t = 0; t < taps; t++) v[t] = vf_load(p + t * dilation, VF_LANES);
    }
}

/* One vector of outputs of a window of `taps` rows of as many taps, each row at p[r]. Returns whether it holds: no tap is
 * NaN, and under skip each maximum is above the lowest float. */
STEP int pool_fast_step(const float *const *p, const vi *code, int64_t dilation, const int64_t stride,
                        const int64_t taps, int skip, struct pool_best *best)
{
    vf v[9];
    vm ordered = vm_all();

    UNROLL for (int64_t r = 0; r < taps; r++) pool_load_row(p[r], dilation, stride, taps, v + r * taps);
    *best = (struct pool_best){v[0], code[0]};
    UNROLL for (int64_t t = 1; t < taps * taps; t++)
    {
        best->at = vi_select(vf_less(best->value, v[t]), code[t], best->at);
        best->value = vf_max(v[t], best->value);
    }
    UNROLL for (int64_t t = 0; t < taps * taps; t += 2) ordered =
        vm_and_ordered(ordered, v[t], v[t + (t + 1 < taps * taps)]);
    if (skip) ordered = vm_and(ordered, vf_less(vf_set(POOL_LOWEST), best->value));
    return vm_is_all(ordered);
}

/* What the loop needs of *window stands in variables of its own: stores could change the struct. */
STEP void pool_fast(const struct ups_pool_window *window, int64_t n, float *y, void *index, const int64_t stride,
                    const int64_t taps, const enum form form)
{
    const struct ups_pool_window w = *window;
    const vi share = pool_lanes(&w);
    const float *rows[3], *p[3];
    vi code[9];

    UNROLL for (int64_t r = 0; r < taps; r++) rows[r] = w.rows[r];
    UNROLL for (int64_t t = 0; t < taps * taps; t++) code[t] = pool_code(&w, t / taps, t % taps);
    for (int64_t l = 0; l < w.lines; l++)
        for (int64_t i = 0; i < n; i += VF_LANES) {
            struct pool_best best;
            if (i > n - VF_LANES) i = n - VF_LANES;
            UNROLL for (int64_t r = 0; r < taps; r++) p[r] = rows[r] + l * w.x_stride + i * stride;
            if (pool_fast_step(p, code, w.dilation, stride, taps, w.nan == UPS_NAN_SKIP, &best))
                pool_store(&w, best, share, l, i, VF_LANES, y, index, form);
            else
                pool_any(window, l, 1, i, VF_LANES, y, index, form);
        }
}

STEP void pool(const struct ups_pool_window *w, int64_t n, float *y, void *index, const enum form form)
{
    const int square = w->count == w->taps && w->scan == UPS_SCAN_ROW_MAJOR && n >= VF_LANES;
    const int usual = square && (w->stride == 1 || w->dilation == 1);

    if (usual && w->taps == 2 && w->stride == 2)
        pool_fast(w, n, y, index, 2, 2, form);
    else if (usual && w->taps == 3 && w->stride == 2)
        pool_fast(w, n, y, index, 2, 3, form);
    else if (usual && w->taps == 3 && w->stride == 3)
        pool_fast(w, n, y, index, 3, 3, form);
    else if (usual && w->taps == 2 && w->stride == 1)
        pool_fast(w, n, y, index, 1, 2, form);
    else if (usual && w->taps == 3 && w->stride == 1)
        pool_fast(w, n, y, index, 1, 3, form);
    else
        pool_any(w, 0, w->lines, 0, n, y, index, form);
}

static void ISA(pool)(const struct ups_pool_window *w, int64_t n, float *y, void *index)
{
    pool(w, n, y, index, VALUES);
}

static void ISA(pool_u8)(const struct ups_pool_window *w, int64_t n, float *y, void *index)
{
    pool(w, n, y, index, U8);
}

static void ISA(pool_i32)(const struct ups_pool_window *w, int64_t n, float *y, void *index)
{
    pool(w, n, y, index, I32);
}

static void ISA(pool_i64)(const struct ups_pool_window *w, int64_t n, float *y, void *index)
{
    pool(w, n, y, index, I64);
}

/* ---- average pooling ----
 * Each lane's sum has the scalar order. Of contiguous lanes, `vectors` sums run side by side, whose additions do not wait
 * for one another. */
STEP void avg_step(const struct ups_pool_window *w, int64_t l, int64_t i, int64_t lanes, int more, const int64_t stride,
                   const int64_t vectors, const int32_t *offset, vf divisor, float *y)
{
    const int64_t at = l * w->x_stride + i * w->stride;
    vf sum[4];

    /* clang-format off */
    UNROLL for (int64_t v = 0; v < vectors; v++) sum[v] = vf_set(0);
    for (int64_t r = 0; r < w->count; r++)
        for (int64_t t = 0; t < w->taps; t++) {
            const float *p = w->rows[r] + at + t * w->dilation;
            UNROLL for (int64_t v = 0; v < vectors; v++)
                sum[v] = vf_add(sum[v], pool_load(p + v * VF_LANES, lanes, more, stride, offset));
        }
    UNROLL for (int64_t v = 0; v < vectors; v++)
        vf_store(y + l * w->y_stride + i + v * VF_LANES, lanes, vf_div(sum[v], divisor));
    /* clang-format on */
}

STEP void avg(const struct ups_pool_window *w, int64_t n, float divisor, float *y, const int64_t stride)
{
    const vf d = vf_set(divisor);
    int32_t offset[VF_LANES];

    for (int64_t lane = 0; lane < VF_LANES; lane++) offset[lane] = (int32_t)(lane * w->stride);
    for (int64_t l = 0; l < w->lines; l++) {
        int64_t i = 0;
        for (; stride == 1 && i + 4 * VF_LANES <= n; i += 4 * VF_LANES)
            avg_step(w, l, i, VF_LANES, 1, stride, 4, offset, d, y);
        for (; i + VF_LANES < n; i += VF_LANES) avg_step(w, l, i, VF_LANES, 1, stride, 1, offset, d, y);
        if (i < n && n >= VF_LANES)
            avg_step(w, l, n - VF_LANES, VF_LANES, 0, stride, 1, offset, d, y);
        else if (i < n)
            avg_step(w, l, i, n - i, 0, stride, 1, offset, d, y);
    }
}

static void ISA(avg)(const struct ups_pool_window *w, int64_t n, float divisor, float *y)
{
    if (w->stride == 1 || n == 1)
        avg(w, n, divisor, y, 1);
    else if (w->stride == 2)
        avg(w, n, divisor, y, 2);
    else
        avg(w, n, divisor, y, 0);
}
