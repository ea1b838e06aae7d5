/* SPDX-License-Identifier: MIT
 *
 * Max unpooling of windows side by side, driven by the outputs: every output asks whether the switch of its window names it,
 * so each row is written once, zeros included, with no clearing pass before. Inputs and switches are dealt out to the outputs
 * as in expand.h; with factor 1 (channels last) they need not be.
 *
 * A switch names at most one output, so the matches counted are the inputs that were placed.
 */

/* The switches as int32; an i64 whose upper half is not that of the names becomes `no`, which is none of them. */
STEP vi unpool_switches(const void *index, int64_t at, int64_t lanes, vi upper, vi no, const enum form form)
{
    if (form == U8) return vi_load_u8((const uint8_t *)index + at, lanes);
    if (form == I32) return vi_load((const int32_t *)index + at, lanes);
    const struct vi_pair halves = vi_unzip(vi_load_pair((const int32_t *)index + 2 * at, lanes));
    return vi_select(vi_equal(halves.high, upper), halves.low, no);
}

/* One vector of outputs in some rows: those of row r are named name + r*row_step. */
STEP int64_t unpool_store(const struct ups_unpool_window *w, vf x, vi said, vi name, int64_t lanes, int stream,
                          float *y)
{
    const vi down = vi_set((int32_t)w->row_step);
    int64_t found = 0;

    for (int64_t r = 0; r < w->at_once; r++, y += w->row_stride) {
        vm own = vi_equal(said, name);
        if (lanes < VF_LANES) own = vm_and(own, vm_first(lanes));
        if (lanes == VF_LANES && stream)
            vf_stream(y, vf_select(own, x, vf_set(0)));
        else
            vf_store(y, lanes, vf_select(own, x, vf_set(0)));
        found += vm_count(own);
        name = vi_add(name, down);
    }
    return found;
}

/* The first `elements` outputs of one vector of inputs; share: what each adds to `name`. */
STEP int64_t unpool_step(const struct ups_unpool_window *w, vf x, vi said, const int32_t *share, int64_t name,
                         int64_t elements, int stream, float *y, const int64_t factor)
{
    int64_t found = 0;

    for (int64_t p = 0; p < elements; p += VF_LANES) {
        const vi names = vi_add(vi_set((int32_t)name), vi_load(share + p, VF_LANES));
        vf v = x;
        vi s = said;
        if (factor > 1) {
            const vi order = vi_load(w->spread.quotient + p, VF_LANES);
            v = vf_permute(x, order);
            s = vf_as_vi(vf_permute(vi_as_vf(said), order));
        }
        if (p + VF_LANES <= elements)
            found += unpool_store(w, v, s, names, VF_LANES, stream, y + p);
        else
            found += unpool_store(w, v, s, names, elements - p, stream, y + p);
    }
    return found;
}

STEP int64_t unpool_lines(const struct ups_unpool_window *window, const float *x, const void *index, float *y,
                          const int64_t factor, const enum form form)
{
    const struct ups_unpool_window w = *window;
    const int64_t end = w.width / factor; /* of the inputs all of whose outputs are in the row */
    const vi upper = vi_set((int32_t)(w.base >> 32)), no = vi_set((int32_t)(w.base - 1));
    int32_t share[VF_LANES * UPS_MOST_FACTOR];
    const int stream = w.beyond && is_aligned(y, w.y_stride, 4) && is_aligned(y, w.row_stride, 4);
    int64_t found = 0;

    for (int64_t p = 0; p < VF_LANES * factor; p++)
        share[p] = (int32_t)(p * w.step + (factor > 1 ? w.spread.remainder[p] * w.tap_step : 0));
    for (int64_t l = 0; l < w.lines; l++, x += w.x_stride)
        for (int64_t r = 0; r < w.rows; r += w.at_once) {
            const int64_t at = l * w.index_stride, name = w.base + l * w.line_step + r * w.row_step;
            float *to = y + l * w.y_stride + r * w.row_stride;
            int64_t i = 0;
            for (; i + VF_LANES <= end; i += VF_LANES)
                found +=
                    unpool_step(&w, vf_load(x + i, VF_LANES), unpool_switches(index, at + i, VF_LANES, upper, no, form),
                                share, name + i * factor * w.step, VF_LANES * factor, stream, to + i * factor, factor);
            if (i * factor < w.width) {
                const int64_t lanes = w.n - i < VF_LANES ? w.n - i : VF_LANES;
                found += unpool_step(&w, vf_load(x + i, lanes), unpool_switches(index, at + i, lanes, upper, no, form),
                                     share, name + i * factor * w.step, w.width - i * factor, stream, to + i * factor,
                                     factor);
            }
        }
    if (stream) stream_end();
    return found;
}

STEP int64_t unpool(const struct ups_unpool_window *w, const float *x, const void *index, float *y,
                    const enum form form)
{
    if (w->spread.factor == 1) return unpool_lines(w, x, index, y, 1, form);
    if (w->spread.factor == 2) return unpool_lines(w, x, index, y, 2, form);
    return unpool_lines(w, x, index, y, w->spread.factor, form);
}

static int64_t ISA(unpool_u8)(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool(w, x, index, y, U8);
}

static int64_t ISA(unpool_i32)(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool(w, x, index, y, I32);
}

static int64_t ISA(unpool_i64)(const struct ups_unpool_window *w, const void *x, const void *index, void *y)
{
    return unpool(w, x, index, y, I64);
}
