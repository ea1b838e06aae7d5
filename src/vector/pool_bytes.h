/* SPDX-License-Identifier: MIT
 *
 * Max pooling of bytes, with and without switches, VB_LANES outputs at a time. Bytes have no NaN and every one is some window's
 * lowest value, so the first tap is taken and then each greater one. Signed bytes are unsigned ones under x ^ 0x80 (flip), which
 * keeps their order.
 *
 * Beside the maximum each lane keeps a byte that tells the tap: the low byte of its index for u8 switches, which are no more than
 * that; else the tap's place in the scan, a table of which gives what it adds to the index. That is looked up after each vector,
 * while the bytes are in the nearest cache.
 */
enum { BYTES_TAPS = 256 }; /* that a byte tells apart */

struct bytes_best {
    vb value, tap;
};

/* What the tap's place in the scan, or its code, adds to the index; and each lane of a vi. */
struct bytes_table {
    int32_t code[BYTES_TAPS + VF_LANES];
    int64_t count;
    vi share;
};

static void bytes_tabulate(const struct ups_pool_window *w, struct bytes_table *table)
{
    const int column = w->scan == UPS_SCAN_COLUMN_MAJOR;
    const int64_t slow = column ? w->taps : w->count, fast = column ? w->count : w->taps;

    table->count = w->count * w->taps;
    table->share = pool_lanes(w);
    for (int64_t s = 0, k = 0; s < slow; s++)
        for (int64_t f = 0; f < fast; f++)
            table->code[k++] = (int32_t)(w->code[column ? f : s] + (column ? s : f) * w->tap_step);
    for (int64_t k = table->count; k < VF_LANES; k++) table->code[k] = 0;
}

/* What tells tap k. */
STEP vb bytes_tap(const struct bytes_table *table, int64_t k, const enum form form)
{
    return vb_set((uint8_t)(form == U8 ? table->code[k] : k));
}

/* The greater of two, the earlier one of equals. */
STEP struct bytes_best bytes_later(struct bytes_best best, struct bytes_best later, const enum form form)
{
    const vb value = vb_max(best.value, later.value);

    if (form == VALUES) return (struct bytes_best){value, best.tap};
    return (struct bytes_best){value, vb_select(vb_equal(value, best.value), best.tap, later.tap)};
}

/* VF_LANES indices of i32 or i64 at place `to`, whose taps are tap[0 … lanes - 1]; first: of their lanes. */
STEP void bytes_spell(const struct ups_pool_window *w, const struct bytes_table *table, const uint8_t *tap, int64_t l,
                      int64_t first, int64_t lanes, int stream, void *index, const enum form form)
{
    const int64_t base = w->base + l * w->line_step, to = l * w->index_stride + first;
    const vi place = vi_load_u8(tap, lanes);
    vi at;

    if (table->count <= VF_LANES) {
        at = vf_as_vi(vf_permute(vi_as_vf(vi_load(table->code, VF_LANES)), place));
    } else {
        int32_t places[VF_LANES];
        vi_store(places, VF_LANES, place);
        for (int64_t i = 0; i < VF_LANES; i++) places[i] = table->code[places[i]];
        at = vi_load(places, VF_LANES);
    }
    const int64_t step = first * w->lane_step;
    at = vi_add(at, vi_add(table->share, vi_set((int32_t)(form == I64 ? step : base + step))));
    if (form == I32 && stream)
        vf_stream((float *)index + to, vi_as_vf(at));
    else if (form == I32)
        vi_store((int32_t *)index + to, lanes, at);
    else if (stream)
        vi_stream_i64((int64_t *)index + to, at, base);
    else
        vi_store_i64((int64_t *)index + to, lanes, at, base);
}

STEP void bytes_store(const struct ups_pool_window *w, const struct bytes_table *table, struct bytes_best best,
                      int64_t l, int64_t i, int64_t lanes, int stream, uint8_t *y, void *index, const enum form form)
{
    const vb value = vb_xor(best.value, vb_set((uint8_t)w->flip));
    uint8_t tap[VB_LANES];

    if (stream && w->beyond > 1)
        vb_stream(y + l * w->y_stride + i, value);
    else
        vb_store(y + l * w->y_stride + i, lanes, value);
    if (form == U8)
        vb_store((uint8_t *)index + l * w->index_stride + i, lanes, vb_add(best.tap, vb_set((uint8_t)w->base)));
    if (form != I32 && form != I64) return;
    vb_store(tap, VB_LANES, best.tap);
    if (lanes == VB_LANES) {
        UNROLL for (int64_t k = 0; k < VB_LANES; k += VF_LANES)
            bytes_spell(w, table, tap + k, l, i + k, VF_LANES, stream, index, form);
        return;
    }
    for (int64_t k = 0; k < lanes; k += VF_LANES)
        bytes_spell(w, table, tap + k, l, i + k, lanes - k < VF_LANES ? lanes - k : VF_LANES, 0, index, form);
}

/* ---- any window ---- */

/* p[lane*stride]. Of a pair at stride 2 the last element is read only where a further output is there to need it. */
STEP vb bytes_load(const uint8_t *p, int64_t lanes, int more, int64_t step, const int64_t stride)
{
    uint8_t each[VB_LANES] = {0};

    if (stride == 1) return vb_load(p, lanes);
    if (stride == 2) {
        const int64_t elements = more ? 2 * lanes : 2 * lanes - 1, half = elements < VB_LANES ? elements : VB_LANES;
        return vb_evens(vb_load(p, half), vb_load(p + half, elements - half));
    }
    for (int64_t i = 0; i < lanes; i++) each[i] = p[i * step];
    return vb_load(each, VB_LANES);
}

STEP void bytes_any_step(const struct ups_pool_window *w, const struct bytes_table *table, int64_t l, int64_t i,
                         int64_t lanes, int more, const int64_t stride, uint8_t *y, void *index, const enum form form)
{
    const int column = w->scan == UPS_SCAN_COLUMN_MAJOR;
    const int64_t slow = column ? w->taps : w->count, fast = column ? w->count : w->taps;
    const int64_t at = l * w->x_stride + i * w->stride;
    const vb flip = vb_set((uint8_t)w->flip);
    struct bytes_best best = {vb_set(0), vb_set(0)};

    for (int64_t s = 0, k = 0; s < slow; s++)
        for (int64_t f = 0; f < fast; f++, k++) {
            const uint8_t *p = w->byte_rows[column ? f : s] + at + (column ? s : f) * w->dilation;
            struct bytes_best tap = {vb_xor(bytes_load(p, lanes, more, w->stride, stride), flip), best.tap};
            if (form != VALUES) tap.tap = bytes_tap(table, k, form);
            best = k ? bytes_later(best, tap, form) : tap;
        }
    bytes_store(w, table, best, l, i, lanes, 0, y, index, form);
}

/* stride: 1, 2, or 0 for any. */
STEP void bytes_any_lines(const struct ups_pool_window *w, const struct bytes_table *table, int64_t n, uint8_t *y,
                          void *index, const int64_t stride, const enum form form)
{
    for (int64_t l = 0; l < w->lines; l++) {
        int64_t i = 0;
        for (; i + VB_LANES < n; i += VB_LANES) bytes_any_step(w, table, l, i, VB_LANES, 1, stride, y, index, form);
        if (n >= VB_LANES)
            bytes_any_step(w, table, l, n - VB_LANES, VB_LANES, 0, stride, y, index, form);
        else
            bytes_any_step(w, table, l, 0, n, 0, stride, y, index, form);
    }
}

/* Lines of an output or two, as the border has them; and windows of padding alone. */
STEP void bytes_plain(const struct ups_pool_window *w, const struct bytes_table *table, int64_t n, uint8_t *y,
                      void *index, const enum form form)
{
    const int column = w->scan == UPS_SCAN_COLUMN_MAJOR;
    const int64_t slow = column ? w->taps : w->count, fast = column ? w->count : w->taps;

    for (int64_t l = 0; l < w->lines; l++)
        for (int64_t i = 0; i < n; i++) {
            int64_t best = -1, tap = -1;
            for (int64_t s = 0, k = 0; s < slow; s++)
                for (int64_t f = 0; f < fast; f++, k++) {
                    const uint8_t *p = w->byte_rows[column ? f : s] + (column ? s : f) * w->dilation;
                    const int64_t v = p[l * w->x_stride + i * w->stride] ^ w->flip;
                    tap = v > best ? k : tap;
                    best = v > best ? v : best;
                }
            y[l * w->y_stride + i] = (uint8_t)((best < 0 ? 0 : best) ^ w->flip);
            if (form != VALUES)
                pool_store_index(tap < 0 ? -1 : l * w->line_step + i * w->lane_step + table->code[tap], w->base,
                                 l * w->index_stride + i, index, form);
        }
}

/* ---- the usual windows ---- */

/* The taps of one row, for a whole vector of outputs. */
STEP void bytes_load_row(const uint8_t *p, int64_t dilation, const int64_t stride, const int64_t taps, vb flip, vb v[3])
{
    if (stride == 2) {
        const vb low = vb_xor(vb_load(p, VB_LANES), flip), high = vb_xor(vb_load(p + VB_LANES, VB_LANES), flip);
        v[0] = vb_evens(low, high);
        v[1] = vb_odds(low, high);
        if (taps == 3) /* what lies beyond the last one's is not read */
            v[2] = vb_xor(vb_odds(vb_load(p + 1, VB_LANES), vb_load(p + 1 + VB_LANES, VB_LANES)), flip);
    } else {
        UNROLL for (int64_t t = 0; t < taps; t++) v[t] = vb_xor(vb_load(p + t * dilation, VB_LANES), flip);
    }
}

STEP int bytes_streams(const struct ups_pool_window *w, int64_t n, const uint8_t *y, const void *index,
                       const enum form form)
{
    const int64_t bytes = form == I64 ? 8 : form == I32 ? 4 : 0;
    return w->beyond && n % VB_LANES == 0 && (w->beyond < 2 || is_aligned(y, w->y_stride, 1)) &&
           (!bytes || is_aligned(index, w->index_stride, bytes));
}

/* See pool_prefetch. */
STEP void bytes_prefetch(const uint8_t *block, int64_t i, const int64_t stride)
{
    UNROLL for (int64_t k = 0; k < stride * stride * VB_LANES; k += 64)
        __builtin_prefetch(block + i * stride * stride + k + 4096, 0, 0);
}

STEP void bytes_fast(const struct ups_pool_window *window, const struct bytes_table *table, int64_t n, uint8_t *y,
                     void *index, const int64_t stride, const int64_t taps, const enum form form)
{
    const struct ups_pool_window w = *window;
    const int stream = bytes_streams(&w, n, y, index, form);
    const vb flip = vb_set((uint8_t)w.flip);
    const uint8_t *rows[3];
    vb told[9];

    UNROLL for (int64_t r = 0; r < taps; r++) rows[r] = w.byte_rows[r];
    UNROLL for (int64_t k = 0; k < taps * taps; k++) told[k] = form == VALUES ? vb_set(0) : bytes_tap(table, k, form);
    for (int64_t l = 0; l < w.lines; l++)
        for (int64_t i = 0; i < n; i += VB_LANES) {
            struct bytes_best best = {vb_set(0), vb_set(0)};
            if (i > n - VB_LANES) i = n - VB_LANES;
            if (stride > 1) bytes_prefetch(rows[0] + l * w.x_stride, i, stride);
            UNROLL for (int64_t r = 0; r < taps; r++)
            {
                vb v[3];
                bytes_load_row(rows[r] + l * w.x_stride + i * stride, w.dilation, stride, taps, flip, v);
                UNROLL for (int64_t t = 0; t < taps; t++)
                {
                    const struct bytes_best tap = {v[t], told[r * taps + t]};
                    best = r + t ? bytes_later(best, tap, form) : tap;
                }
            }
            bytes_store(&w, table, best, l, i, VB_LANES, stream, y, index, form);
        }
    if (stream) stream_end();
}

STEP void bytes_pool(const struct ups_pool_window *w, int64_t n, uint8_t *y, void *index, const enum form form)
{
    const int square = w->count == w->taps && w->scan == UPS_SCAN_ROW_MAJOR && n >= VB_LANES;
    const int usual = square && (w->stride == 1 || w->dilation == 1);
    struct bytes_table table;

    if (form != VALUES) bytes_tabulate(w, &table);
    if (w->count == 0 || w->taps == 0 || n < 3)
        bytes_plain(w, &table, n, y, index, form);
    else if (usual && w->taps == 2 && w->stride == 2)
        bytes_fast(w, &table, n, y, index, 2, 2, form);
    else if (usual && w->taps == 3 && w->stride == 2)
        bytes_fast(w, &table, n, y, index, 2, 3, form);
    else if (usual && w->taps == 2 && w->stride == 1)
        bytes_fast(w, &table, n, y, index, 1, 2, form);
    else if (usual && w->taps == 3 && w->stride == 1)
        bytes_fast(w, &table, n, y, index, 1, 3, form);
    else if (w->stride == 1)
        bytes_any_lines(w, &table, n, y, index, 1, form);
    else if (w->stride == 2)
        bytes_any_lines(w, &table, n, y, index, 2, form);
    else
        bytes_any_lines(w, &table, n, y, index, 0, form);
}

static void ISA(pool_bytes)(const struct ups_pool_window *w, int64_t n, void *y, void *index)
{
    bytes_pool(w, n, y, index, VALUES);
}

static void ISA(pool_bytes_u8)(const struct ups_pool_window *w, int64_t n, void *y, void *index)
{
    bytes_pool(w, n, y, index, U8);
}

static void ISA(pool_bytes_i32)(const struct ups_pool_window *w, int64_t n, void *y, void *index)
{
    bytes_pool(w, n, y, index, I32);
}

static void ISA(pool_bytes_i64)(const struct ups_pool_window *w, int64_t n, void *y, void *index)
{
    bytes_pool(w, n, y, index, I64);
}
