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

/* The same for a whole vector whose switches go past the caches (u8 codes, a quarter of a line, do not), and with `values`
 * these too. */
STEP void pool_stream(const struct ups_pool_window *w, struct pool_best best, vi share, int64_t l, int64_t i,
                      int values, float *y, void *index, const enum form form)
{
    const int64_t base = w->base + l * w->line_step, first = i * w->lane_step, to = l * w->index_stride + i;
    float *at = y + l * w->y_stride + i;

    values ? vf_stream(at, best.value) : vf_store(at, VF_LANES, best.value);
    best.at = vi_add(best.at, vi_add(share, vi_set((int32_t)(form == I64 ? first : base + first))));
    if (form == U8) vi_store_u8((uint8_t *)index + to, VF_LANES, best.at);
    if (form == I32) vf_stream((float *)index + to, vi_as_vf(best.at));
    if (form == I64) vi_stream_i64((int64_t *)index + to, best.at, base);
}

STEP int pool_streams(const struct ups_pool_window *w, int64_t n, const float *y, const void *index,
                      const enum form form)
{
    const int64_t bytes = form == I64 ? 8 : form == I32 ? 4 : 0;
    return w->beyond && n % VF_LANES == 0 && (w->beyond < 2 || is_aligned(y, w->y_stride, 4)) &&
           (!bytes || is_aligned(index, w->index_stride, bytes));
}

/* One lane, whose best is `at`; -1: nothing. */
STEP void pool_store_index(int64_t at, int64_t base, int64_t place, void *index, const enum form form)
{
    const int64_t v = at < 0 ? -1 : base + at;

    if (form == U8) ((uint8_t *)index)[place] = (uint8_t)v;
    if (form == I32) ((int32_t *)index)[place] = (int32_t)v;
    if (form == I64) ((int64_t *)index)[place] = v;
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

/* The best of the windows whose first rows begin at rows[r] + at. But for skip the search begins with the first tap;
 * meeting it once more changes nothing. */
STEP struct pool_best pool_any_best(const struct ups_pool_window *w, int64_t at, int64_t lanes, int more,
                                    const int64_t stride, const int32_t *offset, const enum form form)
{
    const int column = w->scan == UPS_SCAN_COLUMN_MAJOR;
    const int64_t slow = column ? w->taps : w->count, fast = column ? w->count : w->taps;
    const vm last = vi_equal(vi_set(w->nan), vi_set(UPS_NAN_LAST));
    struct pool_best best = {vf_set(POOL_LOWEST), vi_set(-1)};

    if (w->nan != UPS_NAN_SKIP)
        best = (struct pool_best){pool_load(w->rows[0] + at, lanes, more, stride, offset), pool_code(w, 0, 0)};
    for (int64_t s = 0; s < slow; s++)
        for (int64_t f = 0; f < fast; f++) {
            const int64_t r = column ? f : s, t = column ? s : f;
            const vf v = pool_load(w->rows[r] + at + t * w->dilation, lanes, more, stride, offset);
            const vm taken = vm_or(vf_less(best.value, v), vm_and(vf_is_nan(v), last));
            best.value = vf_select(taken, v, best.value);
            if (form != VALUES) best.at = vi_select(taken, pool_code(w, r, t), best.at);
        }
    return best;
}

STEP void pool_any_step(const struct ups_pool_window *w, vi share, int64_t l, int64_t i, int64_t lanes, int more,
                        const int64_t stride, const int32_t *offset, float *y, void *index, const enum form form)
{
    const int64_t at = l * w->x_stride + i * w->stride, place = l * w->index_stride + i;
    const struct pool_best best = pool_any_best(w, at, lanes, more, stride, offset, form);
    int32_t each[VF_LANES];

    pool_store(w, best, share, l, i, lanes, y, index, form);
    if (form == VALUES || w->nan != UPS_NAN_SKIP || !vm_any(vi_equal(best.at, vi_set(-1)))) return;
    vi_store(each, VF_LANES, best.at);
    for (int64_t lane = 0; lane < lanes; lane++)
        if (each[lane] < 0) pool_store_index(-1, 0, place + lane, index, form);
}

/* stride: 1, 2, or 0 for any. */
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

/* Many lines of one output, as the border has them: lanes are lines. */
STEP void pool_column(const struct ups_pool_window *w, float *y, void *index, const enum form form)
{
    int32_t offset[VF_LANES], at[VF_LANES];
    float value[VF_LANES];

    for (int64_t lane = 0; lane < VF_LANES; lane++) offset[lane] = (int32_t)(lane * w->x_stride);
    for (int64_t l = 0; l < w->lines; l += VF_LANES) {
        const int64_t lanes = w->lines - l < VF_LANES ? w->lines - l : VF_LANES;
        const struct pool_best best = pool_any_best(w, l * w->x_stride, lanes, 0, 0, offset, form);
        vf_store(value, VF_LANES, best.value);
        vi_store(at, VF_LANES, best.at);
        for (int64_t i = 0; i < lanes; i++) {
            y[(l + i) * w->y_stride] = value[i];
            pool_store_index(at[i], w->base + (l + i) * w->line_step, (l + i) * w->index_stride, index, form);
        }
    }
}

STEP void pool_nothing(const struct ups_pool_window *w, int64_t n, float *y, void *index, const enum form form)
{
    const float value = w->nan == UPS_NAN_LAST ? -__builtin_inff() : POOL_LOWEST;

    for (int64_t l = 0; l < w->lines; l++)
        for (int64_t i = 0; i < n; i++) {
            y[l * w->y_stride + i] = value;
            pool_store_index(-1, 0, l * w->index_stride + i, index, form);
        }
}

/* Gathers count in 32 bits: lines, or outputs, that are too far apart come one by one. */
STEP void pool_any_form(const struct ups_pool_window *w, int64_t l, int64_t lines, int64_t i, int64_t n, float *y,
                        void *index, const enum form form)
{
    const int64_t far = INT32_MAX / VF_LANES;

    if (w->count == 0 || w->taps == 0)
        pool_nothing(w, n, y, index, form);
    else if (n == 1 && lines > 1 && w->x_stride < far)
        pool_column(w, y, index, form);
    else if (w->stride == 1 || n == 1)
        pool_any_lines(w, l, lines, i, n, y, index, 1, form);
    else if (w->stride == 2)
        pool_any_lines(w, l, lines, i, n, y, index, 2, form);
    else if (w->stride < far)
        pool_any_lines(w, l, lines, i, n, y, index, 0, form);
    else
        for (int64_t end = i + n; i < end; i++) pool_any_lines(w, l, lines, i, 1, y, index, 1, form);
}

/* Outputs i … i + n - 1 of lines l … l + lines - 1: all of them, or one vector that pool_fast does not answer for. */
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

/* Channels first the rows under a line of outputs are one block of memory, of stride*stride elements for each output, and
 * the next line's block follows. Read as several streams it came in at 13 GB/s, asked for as one at 24 (Zen 4, beyond the
 * last cache); hints that let the lines live on in the caches gained half of that. */
STEP void pool_prefetch(const float *block, int64_t i, const int64_t stride)
{
    UNROLL for (int64_t k = 0; k < stride * stride * VF_LANES; k += 16)
        __builtin_prefetch((const char *)(block + i * stride * stride + k) + 4096, 0, 0);
}

/* The greater of two, neither of them NaN, and the earlier one of equals. */
STEP struct pool_best pool_later(struct pool_best best, struct pool_best later)
{
    const vm greater = vf_less(best.value, later.value);
    return (struct pool_best){vf_max(later.value, best.value), vi_select(greater, later.at, best.at)};
}

/* Channels last each tap is a stream of its own, which the hardware mostly foresees; not so 128x180x240, which took 1.6 ms
 * without and 0.9 with this. */
STEP void pool_prefetch_taps(const float *p, int64_t dilation, const int64_t taps)
{
    UNROLL for (int64_t t = 0; t < taps; t++) __builtin_prefetch((const char *)(p + t * dilation) + 4096);
}

/* One vector of outputs of a window of `taps` rows of as many taps, each row at p[r]. Returns whether it holds: no tap is
 * NaN, and under skip each maximum is above the lowest float. */
STEP int pool_fast_step(const float *const *p, const vi *code, int64_t dilation, const int64_t stride,
                        const int64_t taps, int skip, struct pool_best *best)
{
    vf v[9];
    vm ordered = vm_all();

    UNROLL for (int64_t r = 0; r < taps; r++) pool_load_row(p[r], dilation, stride, taps, v + r * taps);
    UNROLL for (int64_t r = 0; r < taps; r++)
    {
        struct pool_best row = {v[r * taps], code[r * taps]};
        UNROLL for (int64_t t = r * taps + 1; t < (r + 1) * taps; t++) row =
            pool_later(row, (struct pool_best){v[t], code[t]});
        *best = r == 0 ? row : pool_later(*best, row);
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
    const int stream = pool_streams(&w, n, y, index, form);
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
            if (stride == 1 && w.beyond)
                UNROLL for (int64_t r = 0; r < taps; r++) pool_prefetch_taps(p[r], w.dilation, taps);
            if (stride > 1) pool_prefetch(rows[0] + l * w.x_stride, i, stride);
            if (pool_fast_step(p, code, w.dilation, stride, taps, w.nan == UPS_NAN_SKIP, &best))
                stream ? pool_stream(&w, best, share, l, i, w.beyond > 1, y, index, form)
                       : pool_store(&w, best, share, l, i, VF_LANES, y, index, form);
            else
                pool_any(window, l, 1, i, VF_LANES, y, index, form);
        }
    if (stream) stream_end();
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

static void ISA(pool)(const struct ups_pool_window *w, int64_t n, void *y, void *index)
{
    pool(w, n, y, index, VALUES);
}

static void ISA(pool_u8)(const struct ups_pool_window *w, int64_t n, void *y, void *index)
{
    pool(w, n, y, index, U8);
}

static void ISA(pool_i32)(const struct ups_pool_window *w, int64_t n, void *y, void *index)
{
    pool(w, n, y, index, I32);
}

static void ISA(pool_i64)(const struct ups_pool_window *w, int64_t n, void *y, void *index)
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

STEP void avg(const struct ups_pool_window *w, int64_t first, int64_t n, float divisor, float *y, const int64_t stride)
{
    const vf d = vf_set(divisor);
    const int64_t end = first + n;
    int32_t offset[VF_LANES];

    for (int64_t lane = 0; lane < VF_LANES; lane++) offset[lane] = (int32_t)(lane * w->stride);
    for (int64_t l = 0; l < w->lines; l++) {
        int64_t i = first;
        for (; stride == 1 && i + 4 * VF_LANES <= end; i += 4 * VF_LANES)
            avg_step(w, l, i, VF_LANES, 1, stride, 4, offset, d, y);
        for (; i + VF_LANES < end; i += VF_LANES) avg_step(w, l, i, VF_LANES, 1, stride, 1, offset, d, y);
        if (i < end && n >= VF_LANES)
            avg_step(w, l, end - VF_LANES, VF_LANES, 0, stride, 1, offset, d, y);
        else if (i < end)
            avg_step(w, l, i, end - i, 0, stride, 1, offset, d, y);
    }
}

static void ISA(avg)(const struct ups_pool_window *w, int64_t n, float divisor, float *y)
{
    const int64_t far = INT32_MAX / VF_LANES;

    if (n > 1 && w->stride >= far)
        for (int64_t i = 0; i < n; i++) avg(w, i, 1, divisor, y, 1);
    else if (w->stride == 1 || n == 1)
        avg(w, 0, n, divisor, y, 1);
    else if (w->stride == 2)
        avg(w, 0, n, divisor, y, 2);
    else
        avg(w, 0, n, divisor, y, 0);
}
