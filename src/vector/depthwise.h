/* SPDX-License-Identifier: MIT
 *
 * Depthwise transposed convolution: one input channel, one output channel, so every product is used once and nothing but
 * loads limits the arithmetic. A tile is 8 vectors of sums in registers, enough chains to hide the latency of a fused
 * multiply-add; what its products share, the weight or the source, is loaded once per tap.
 */
enum { DEPTHWISE_SUMS = 8 };

/* ---- channels first, up to 8 outputs to a cell: lanes are cells ----
 *
 *     sum of phase 0:  y0 y2 y4 y6 …
 *     sum of phase 1:  y1 y3 y5 y7 …      zipped when stored
 *
 * 5 to 7 phases count as 8. A cell of the zipped sums then ends with rubbish, which the next one overwrites. */

/* The sums of cells, one vector per phase, with what comes after. */
STEP void depthwise_sum(const struct ups_depthwise *d, const int64_t phases, const int64_t vectors, const int64_t lanes,
                        int64_t at, struct activation act, vf sum[DEPTHWISE_SUMS][DEPTHWISE_SUMS])
{
    /* clang-format off */
    UNROLL for (int64_t v = 0; v < vectors; v++)
        UNROLL for (int64_t p = 0; p < phases; p++) sum[v][p] = vf_set(0);

    for (const struct ups_depthwise_tap *t = d->tap, *end = t + d->taps; t < end; t++) {
        vf x[DEPTHWISE_SUMS];
        UNROLL for (int64_t v = 0; v < vectors; v++) x[v] = vf_load(t->x + at + v * VF_LANES, lanes);
        UNROLL for (int64_t p = 0; p < phases; p++)
            if (phases == 1 || (t->first <= p && p < t->last)) {
                const vf w = vf_broadcast(t->w + (phases == 1 ? 0 : p - t->first));
                UNROLL for (int64_t v = 0; v < vectors; v++) sum[v][p] = vf_fma(w, x[v], sum[v][p]);
            }
    }

    UNROLL for (int64_t v = 0; v < vectors; v++)
        UNROLL for (int64_t p = 0; p < phases; p++) sum[v][p] = vf_add(sum[v][p], vf_set(d->bias));
    if (d->activation->kind != UPS_NO_ACTIVATION)
        UNROLL for (int64_t v = 0; v < vectors; v++)
            UNROLL for (int64_t p = 0; p < phases; p++) sum[v][p] = activated(sum[v][p], act);
    UNROLL for (int64_t v = 0; v < vectors; v++) interleave(phases, sum[v]);
    /* clang-format on */
}

/* `vectors` full vectors of cells; all their outputs are wanted. */
STEP void depthwise_cells(const struct ups_depthwise *d, const int64_t phases, const int64_t vectors, int64_t at,
                          struct activation act, float *y)
{
    vf sum[DEPTHWISE_SUMS][DEPTHWISE_SUMS];

    depthwise_sum(d, phases, vectors, VF_LANES, at, act, sum);
    /* clang-format off */
    UNROLL for (int64_t v = 0; v < vectors; v++)
        UNROLL for (int64_t p = 0; p < phases; p++) vf_store(y + (v * phases + p) * VF_LANES, VF_LANES, sum[v][p]);
    /* clang-format on */
}

/* One vector of cells, of which only `left` outputs are wanted. */
STEP void depthwise_some(const struct ups_depthwise *d, const int64_t phases, int64_t at, struct activation act,
                         float *y, int64_t left)
{
    vf sum[DEPTHWISE_SUMS][DEPTHWISE_SUMS];

    depthwise_sum(d, phases, 1, (left + phases - 1) / phases, at, act, sum);
    /* clang-format off */
    UNROLL for (int64_t p = 0; p < phases; p++, left -= VF_LANES, y += VF_LANES)
        if (left > 0) vf_store(y, left < VF_LANES ? left : VF_LANES, sum[0][p]);
    /* clang-format on */
}

/* One vector of cells of fewer outputs than phases, by way of a small array. */
STEP void depthwise_loose(const struct ups_depthwise *d, const int64_t phases, int64_t at, struct activation act,
                          float *y, int64_t left)
{
    const int64_t s = d->stride, cells = (left + s - 1) / s;
    vf sum[DEPTHWISE_SUMS][DEPTHWISE_SUMS];
    float row[DEPTHWISE_SUMS * VF_LANES];

    depthwise_sum(d, phases, 1, cells < VF_LANES ? cells : VF_LANES, at, act, sum);
    /* clang-format off */
    UNROLL for (int64_t p = 0; p < phases; p++) vf_store(row + p * VF_LANES, VF_LANES, sum[0][p]);
    /* clang-format on */
    for (int64_t i = 0; i < VF_LANES && i < cells; i++)
        if (i * s + phases <= left)
            __builtin_memcpy(y + i * s, row + i * phases, (size_t)phases * sizeof *y);
        else
            for (int64_t p = 0; p < s && i * s + p < left; p++) y[i * s + p] = row[i * phases + p];
}

/* As many outputs to a cell as phases. */
STEP void depthwise_row(const struct ups_depthwise *d, const int64_t phases, int64_t at, struct activation act,
                        float *y)
{
    const int64_t tile = DEPTHWISE_SUMS / phases * VF_LANES, cells = d->n / phases;
    int64_t i = 0;

    for (; i + tile <= cells; i += tile)
        depthwise_cells(d, phases, DEPTHWISE_SUMS / phases, at + i, act, y + i * phases);
    for (; phases < 3 && i + tile / 2 <= cells; i += tile / 2)
        depthwise_cells(d, phases, DEPTHWISE_SUMS / 2 / phases, at + i, act, y + i * phases);
    for (; i + VF_LANES <= cells; i += VF_LANES) depthwise_cells(d, phases, 1, at + i, act, y + i * phases);
    if (i * phases < d->n) depthwise_some(d, phases, at + i, act, y + i * phases, d->n - i * phases);
}

/* ---- the same for k4 s2, by far the most frequent: two source rows, of each three neighbours ----
 *
 *     y[2i] = w1*x[i] + w3*x[i-1]       y[2i + 1] = w0*x[i+1] + w2*x[i]
 *
 * The list is then a constant, all loops over it unroll, and the weights stay in registers. A strip of one vector of cells goes
 * down the rows: the upper source row of an output row is the lower one of the output row before, so its three neighbours are
 * there already. Most of these loads cross a cache line, and they cost more than the arithmetic. */
enum { QUAD_TAPS = 6 };

STEP int is_quad(const struct ups_depthwise *d)
{
    if (d->stride != 2 || d->taps != QUAD_TAPS) return 0;
    for (int64_t t = 0; t < QUAD_TAPS; t++) {
        if (d->tap[t].first != (t % 3 == 0) || d->tap[t].last != 2 - (t % 3 == 2)) return 0;
        if (t >= 3 && d->tap[t].x + d->x_stride != d->tap[t - 3].x) return 0;
    }
    return 1;
}

/* `lanes` cells from `at` on in all rows, `left` outputs of each. */
STEP void quad_strip(const struct ups_depthwise *d, const vf *w, int64_t at, int64_t lanes, int64_t left,
                     const int active, struct activation act, float *y)
{
    const vf bias = vf_set(d->bias);
    const float *x[3];
    vf upper[3];

    /* clang-format off */
    UNROLL for (int64_t t = 0; t < 3; t++) x[t] = d->tap[t].x + at, upper[t] = vf_load(d->tap[t + 3].x + at, lanes);
    for (int64_t r = 0; r < d->rows; r++, y += d->y_stride) {
        vf lower[3], even = vf_set(0), odd = vf_set(0);
        UNROLL for (int64_t t = 0; t < 3; t++) lower[t] = vf_keep(vf_load(x[t], lanes)), x[t] += d->x_stride;
        odd = vf_fma(w[0], lower[0], odd);
        even = vf_fma(w[1], lower[1], even);
        odd = vf_fma(w[2], lower[1], odd);
        even = vf_fma(w[3], lower[2], even);
        odd = vf_fma(w[4], upper[0], odd);
        even = vf_fma(w[5], upper[1], even);
        odd = vf_fma(w[6], upper[1], odd);
        even = vf_fma(w[7], upper[2], even);
        UNROLL for (int64_t t = 0; t < 3; t++) upper[t] = lower[t];
        even = vf_add(even, bias);
        odd = vf_add(odd, bias);
        if (active) {
            even = activated(even, act);
            odd = activated(odd, act);
        }
        const struct vf_pair z = vf_zip(even, odd);
        vf_store(y, left < VF_LANES ? left : VF_LANES, z.low);
        if (left > VF_LANES) vf_store(y + VF_LANES, left - VF_LANES, z.high);
    }
    /* clang-format on */
}

STEP void quad_strips(const struct ups_depthwise *d, const int active, struct activation act, float *y)
{
    const int64_t cells = d->n / 2 / VF_LANES * VF_LANES;
    vf w[8];

    /* clang-format off */
    UNROLL for (int64_t t = 0; t < 8; t++) w[t] = vf_set(d->tap[t / 4 * 3 + (t % 4 + 1) / 2].w[t % 4 == 2]);
    /* clang-format on */
    for (int64_t i = 0; i < cells; i += VF_LANES) quad_strip(d, w, i, VF_LANES, 2 * VF_LANES, active, act, y + 2 * i);
    const int64_t left = d->n - 2 * cells;
    if (left > 0) quad_strip(d, w, cells, (left + 1) / 2, left, active, act, y + 2 * cells);
}

STEP void depthwise_quad(const struct ups_depthwise *d, struct activation act, float *y)
{
    if (d->activation->kind != UPS_NO_ACTIVATION)
        quad_strips(d, 1, act, y);
    else
        quad_strips(d, 0, act, y);
}

/* ---- channels first, any greater stride: lanes are the outputs of a cell ----
 * Outputs p … of a cell that meet the same taps. `cells` of them share the weights. */
STEP void depthwise_phases(const struct ups_depthwise *d, const int64_t cells, const int64_t vectors,
                           const int64_t lanes, int64_t at, int64_t p, struct activation act, float *y)
{
    const vf bias = vf_set(d->bias);
    vf sum[DEPTHWISE_SUMS / 2][2];

    /* clang-format off */
    UNROLL for (int64_t i = 0; i < cells; i++)
        UNROLL for (int64_t v = 0; v < vectors; v++) sum[i][v] = vf_set(0);

    for (const struct ups_depthwise_tap *t = d->tap, *end = t + d->taps; t < end; t++) {
        if (p < t->first || p >= t->last) continue;
        vf w[2];
        UNROLL for (int64_t v = 0; v < vectors; v++) w[v] = vf_load(t->w + p - t->first + v * VF_LANES, lanes);
        UNROLL for (int64_t i = 0; i < cells; i++) {
            const vf x = vf_broadcast(t->x + at + i);
            UNROLL for (int64_t v = 0; v < vectors; v++) sum[i][v] = vf_fma(w[v], x, sum[i][v]);
        }
    }

    UNROLL for (int64_t i = 0; i < cells; i++)
        UNROLL for (int64_t v = 0; v < vectors; v++) sum[i][v] = vf_add(sum[i][v], bias);
    if (d->activation->kind != UPS_NO_ACTIVATION)
        UNROLL for (int64_t i = 0; i < cells; i++)
            UNROLL for (int64_t v = 0; v < vectors; v++) sum[i][v] = activated(sum[i][v], act);
    UNROLL for (int64_t i = 0; i < cells; i++)
        UNROLL for (int64_t v = 0; v < vectors; v++) vf_store(y + i * d->stride + p + v * VF_LANES, lanes, sum[i][v]);
    /* clang-format on */
}

/* Outputs [p, end) of cells at …, y being that of output 0 of the first. */
STEP void depthwise_segment(const struct ups_depthwise *d, const int64_t cells, int64_t at, int64_t p, int64_t end,
                            struct activation act, float *y)
{
    for (; p + 2 * VF_LANES <= end; p += 2 * VF_LANES) depthwise_phases(d, cells, 2, VF_LANES, at, p, act, y);
    if (p + VF_LANES <= end) {
        depthwise_phases(d, cells, 1, VF_LANES, at, p, act, y);
        p += VF_LANES;
    }
    if (p < end) depthwise_phases(d, cells, 1, end - p, at, p, act, y);
}

/* The end of the outputs from p on that meet the same taps. */
STEP int64_t same_taps(const struct ups_depthwise *d, int64_t p)
{
    int64_t end = d->stride;

    for (int64_t t = 0; t < d->taps; t++) {
        if (d->tap[t].first > p && d->tap[t].first < end) end = d->tap[t].first;
        if (d->tap[t].last > p && d->tap[t].last < end) end = d->tap[t].last;
    }
    return end;
}

STEP void depthwise_by_phase(const struct ups_depthwise *d, struct activation act, float *y)
{
    const int64_t cells = DEPTHWISE_SUMS / 2, full = d->n / d->stride, rest = d->n % d->stride;

    for (int64_t p = 0, end; p < d->stride; p = end) {
        end = same_taps(d, p);
        for (int64_t r = 0; r < d->rows; r++) {
            const int64_t at = r * d->x_stride;
            float *row = y + r * d->y_stride;
            int64_t i = 0;
            for (; i + cells <= full; i += cells) depthwise_segment(d, cells, at + i, p, end, act, row + i * d->stride);
            for (; i < full; i++) depthwise_segment(d, 1, at + i, p, end, act, row + i * d->stride);
            if (p < rest) depthwise_segment(d, 1, at + i, p, end < rest ? end : rest, act, row + i * d->stride);
        }
    }
}

/* A copy of *given, so that the compiler need not look again after each store whether it has changed. */
static void ISA(depthwise_rows)(const struct ups_depthwise *given, float *y)
{
    const struct ups_depthwise d = *given;
    const struct activation act = activation_constants(d.activation);

    if (is_quad(&d)) {
        depthwise_quad(&d, act, y);
        return;
    }
    if (d.stride > 8) {
        depthwise_by_phase(&d, act, y);
        return;
    }
    for (int64_t r = 0; r < d.rows; r++, y += d.y_stride) {
        const int64_t at = r * d.x_stride;
        if (d.stride == 1) depthwise_row(&d, 1, at, act, y);
        if (d.stride == 2) depthwise_row(&d, 2, at, act, y);
        if (d.stride == 3) depthwise_row(&d, 3, at, act, y);
        if (d.stride == 4) depthwise_row(&d, 4, at, act, y);
        if (d.stride == 8) depthwise_row(&d, 8, at, act, y);
        if (d.stride > 4 && d.stride < 8)
            for (int64_t o = 0; o < d.n; o += VF_LANES * d.stride)
                depthwise_loose(&d, 8, at + o / d.stride, act, y + o, d.n - o);
    }
}

/* ---- channels last: lanes are channels, a tile is one vector of channels of some pixels ---- */

STEP void depthwise_pixels(const struct ups_depthwise_pixels *d, const int64_t pixels, const int64_t lanes, int64_t at,
                           int64_t c, struct activation act, float *y)
{
    const vf bias = vf_load(d->bias + c, lanes);
    vf sum[DEPTHWISE_SUMS];

    /* clang-format off */
    UNROLL for (int64_t o = 0; o < pixels; o++) sum[o] = vf_set(0);
    for (int64_t t = 0; t < d->taps; t++) {
        const vf w = vf_load(d->w[t] + c, lanes);
        const float *x = d->x[t] + at + c;
        if (t + 1 < d->taps && d->x[t + 1] + d->x_stride == d->x[t]) {
            const vf v = vf_load(d->w[++t] + c, lanes);
            x = d->x[t] + at + c;
            vf before = vf_load(x, lanes);
            UNROLL for (int64_t o = 0; o < pixels; o++) {
                const vf here = vf_keep(vf_load(x + (o + 1) * d->x_stride, lanes));
                sum[o] = vf_fma(v, before, vf_fma(w, here, sum[o]));
                before = here;
            }
            continue;
        }
        UNROLL for (int64_t o = 0; o < pixels; o++) sum[o] = vf_fma(w, vf_load(x + o * d->x_stride, lanes), sum[o]);
    }
    UNROLL for (int64_t o = 0; o < pixels; o++) sum[o] = vf_add(sum[o], bias);
    if (d->activation->kind != UPS_NO_ACTIVATION)
        UNROLL for (int64_t o = 0; o < pixels; o++) sum[o] = activated(sum[o], act);
    UNROLL for (int64_t o = 0; o < pixels; o++) vf_store(y + o * d->y_stride + c, lanes, sum[o]);
    /* clang-format on */
}

STEP void depthwise_strip(const struct ups_depthwise_pixels *d, const int64_t pixels, int64_t o, struct activation act,
                          float *y)
{
    const int64_t at = o * d->x_stride;
    int64_t c = 0;

    y += o * d->y_stride;
    for (; c + VF_LANES <= d->channels; c += VF_LANES) depthwise_pixels(d, pixels, VF_LANES, at, c, act, y);
    if (c < d->channels) depthwise_pixels(d, pixels, d->channels - c, at, c, act, y);
}

static void ISA(depthwise_pixels)(const struct ups_depthwise_pixels *given, float *y)
{
    const struct ups_depthwise_pixels d = *given;
    const struct activation act = activation_constants(d.activation);
    int64_t o = 0;

    for (; o + 8 <= d.n; o += 8) depthwise_strip(&d, 8, o, act, y);
    if (o > 0 && o < d.n) { /* some of them again: cheaper than as many short strips */
        depthwise_strip(&d, 8, d.n - 8, act, y);
        return;
    }
    for (; o + 3 <= d.n; o += 3) depthwise_strip(&d, 3, o, act, y);
    for (; o < d.n; o++) depthwise_strip(&d, 1, o, act, y);
}
