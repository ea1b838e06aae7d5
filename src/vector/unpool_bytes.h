/* SPDX-License-Identifier: MIT
 *
 * Max unpooling of bytes, of windows side by side, driven by the outputs as in unpool.h. Switches of four or eight bytes are first
 * told, a block at a time, by a byte of their own: the number of the output within the window that they name, or NOBODY. From
 * there on u8 codes and others are treated alike, VB_LANES at a time.
 */
enum { UNPOOL_BLOCK = 512, NOBODY = 255 }; /* inputs of a block: whole vectors */

/* The outputs p of rows r, r < rows, that inputs i … i + count - 1 name, as r*factor + p. name: of the first output. */
STEP void unpool_tell(const struct ups_unpool_window *w, const void *index, int64_t at, int64_t count, int64_t rows,
                      int64_t name, uint8_t *told, const enum form form)
{
    const vi upper = vi_set((int32_t)(w->base >> 32)), no = vi_set((int32_t)(w->base - 1));
    const int64_t factor = w->spread.factor;
    int32_t share[VF_LANES];

    for (int64_t i = 0; i < VF_LANES; i++) share[i] = (int32_t)(i * factor * w->step);
    for (int64_t k = 0; k < count; k += VF_LANES) {
        const int64_t lanes = count - k < VF_LANES ? count - k : VF_LANES;
        const vi says = lanes == VF_LANES ? unpool_switches(index, at + k, VF_LANES, upper, no, form)
                                          : unpool_switches(index, at + k, lanes, upper, no, form);
        const vi names = vi_add(vi_load(share, VF_LANES), vi_set((int32_t)(name + k * factor * w->step)));
        vi number = vi_set(NOBODY);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t p = 0; p < factor; p++) {
                const vi own = vi_add(names, vi_set((int32_t)(r * w->row_step + p * (w->step + w->tap_step))));
                number = vi_select(vi_equal(says, own), vi_set((int32_t)(r * factor + p)), number);
            }
        if (lanes == VF_LANES)
            vi_store_u8(told + k, VF_LANES, number);
        else
            vi_store_u8(told + k, lanes, number);
    }
}

/* One vector of inputs and its outputs in one row, which want the bytes want[0 … factor - 1]. */
STEP int64_t unpool_bytes_step(const uint8_t *x, const uint8_t *told, const uint8_t *want, int64_t lanes, int stream,
                               uint8_t *y, const int64_t factor)
{
    const vb v = vb_load(x, lanes), said = vb_load(told, lanes);
    vb part[4];
    int64_t found = 0;

    UNROLL for (int64_t p = 0; p < factor; p++)
    {
        vbm own = vb_equal(said, vb_set(want[p]));
        if (lanes < VB_LANES) own = vbm_and_first(own, lanes);
        part[p] = vb_select(own, v, vb_set(0));
        found += vbm_count(own);
    }
    if (factor > 1) {
        const vb even = part[0], odd = part[factor / 2];
        part[0] = vb_zip_low(even, odd);
        part[factor / 2] = vb_zip_high(even, odd);
    }
    if (factor == 4) { /* outputs 0 and 2 are zipped, and so are 1 and 3; then those with one another */
        const vb low = part[1], high = part[3], a = part[0], b = part[2];
        const vb c = vb_zip_low(low, high), d = vb_zip_high(low, high);
        part[0] = vb_zip_low(a, c);
        part[1] = vb_zip_high(a, c);
        part[2] = vb_zip_low(b, d);
        part[3] = vb_zip_high(b, d);
    }
    UNROLL for (int64_t p = 0; p < factor; p++)
    {
        const int64_t rest = lanes * factor - p * VB_LANES;
        if (lanes == VB_LANES && stream)
            vb_stream(y + p * VB_LANES, part[p]);
        else if (lanes == VB_LANES)
            vb_store(y + p * VB_LANES, VB_LANES, part[p]);
        else if (rest > 0)
            vb_store(y + p * VB_LANES, rest < VB_LANES ? rest : VB_LANES, part[p]);
    }
    return found;
}

/* `count` inputs and all their outputs in one row; factor 0: any. */
STEP int64_t unpool_bytes_row(const struct ups_unpool_window *w, const uint8_t *x, const uint8_t *told,
                              const uint8_t *want, int64_t count, int stream, uint8_t *y, const int64_t factor)
{
    int64_t found = 0, i = 0;

    if (factor == 0) {
        for (; i < count; i++)
            for (int64_t p = 0; p < w->spread.factor; p++) {
                const int own = told[i] == want[p];
                y[i * w->spread.factor + p] = own ? x[i] : 0;
                found += own;
            }
        return found;
    }
    for (; i + VB_LANES <= count; i += VB_LANES)
        found += unpool_bytes_step(x + i, told + i, want, VB_LANES, stream, y + i * factor, factor);
    if (i < count) found += unpool_bytes_step(x + i, told + i, want, count - i, 0, y + i * factor, factor);
    return found;
}

/* Outputs from `first` on in one row, of an input that the end of the row cuts. */
STEP int64_t unpool_bytes_rest(const struct ups_unpool_window *w, const uint8_t *x, uint8_t told, const uint8_t *want,
                               int64_t first, uint8_t *y)
{
    int64_t found = 0;

    for (int64_t p = first; p < w->width; p++) {
        const int own = told == want[p - first];
        y[p] = own ? *x : 0;
        found += own;
    }
    return found;
}

STEP int64_t unpool_bytes_lines(const struct ups_unpool_window *window, const uint8_t *x, const void *index, uint8_t *y,
                                const int64_t factor, const enum form form)
{
    const struct ups_unpool_window w = *window;
    const int64_t f = w.spread.factor, end = w.width / f, inputs = end + (end * f < w.width);
    const int64_t most = NOBODY / f < w.rows ? NOBODY / f : w.rows; /* rows whose outputs have numbers */
    const int stream = w.beyond && is_aligned(y, w.y_stride, 1) && is_aligned(y, w.row_stride, 1);
    uint8_t told[UNPOOL_BLOCK], want[UPS_MOST_FACTOR];
    int64_t found = 0;

    for (int64_t l = 0; l < w.lines; l++)
        for (int64_t i = 0; i < inputs; i += UNPOOL_BLOCK)
            for (int64_t from = 0; from < w.rows; from += most) {
                const int64_t count = inputs - i < UNPOOL_BLOCK ? inputs - i : UNPOOL_BLOCK,
                              at = l * w.index_stride + i;
                const int64_t rows = w.rows - from < most ? w.rows - from : most,
                              whole = end - i < count ? end - i : count;
                const uint8_t *said = told;
                if (form == U8)
                    said = (const uint8_t *)index + at;
                else
                    unpool_tell(&w, index, at, count, rows,
                                w.base + l * w.line_step + from * w.row_step + i * f * w.step, told, form);
                for (int64_t r = 0; r < rows; r++) {
                    const uint8_t *in = x + l * w.x_stride + i;
                    uint8_t *to = y + l * w.y_stride + (from + r) * w.row_stride;
                    for (int64_t p = 0; p < f; p++)
                        want[p] = (uint8_t)(form == U8 ? w.base + (from + r) * w.row_step + p * w.tap_step : r * f + p);
                    found += unpool_bytes_row(&w, in, said, want, whole, stream, to + i * f, factor);
                    if (whole < count) found += unpool_bytes_rest(&w, in + whole, said[whole], want, end * f, to);
                }
            }
    if (stream) stream_end();
    return found;
}

STEP int64_t unpool_bytes(const struct ups_unpool_window *w, const void *x, const void *index, void *y,
                          const enum form form)
{
    if (w->spread.factor == 1) return unpool_bytes_lines(w, x, index, y, 1, form);
    if (w->spread.factor == 2) return unpool_bytes_lines(w, x, index, y, 2, form);
    if (w->spread.factor == 4) return unpool_bytes_lines(w, x, index, y, 4, form);
    return unpool_bytes_lines(w, x, index, y, 0, form);
}

static int64_t ISA(unpool_bytes_u8)(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool_bytes(w, x, index, y, U8);
}

static int64_t ISA(unpool_bytes_i32)(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool_bytes(w, x, index, y, I32);
}

static int64_t ISA(unpool_bytes_i64)(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool_bytes(w, x, index, y, I64);
}
