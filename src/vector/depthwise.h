/* SPDX-License-Identifier: MIT
 *
 * Depthwise transposed convolution: one input channel, one output channel, so every product is used once and nothing but
 * loads limits the arithmetic. A tile is 8 vectors of sums in registers, enough chains to hide the latency of a fused
 * multiply-add; what its products share, the weight or the source, is loaded once per tap.
 */
enum { DEPTHWISE_SUMS = 8 };

/* The sums are done: bias, then the activation, which most layers do not have. */
STEP vf depthwise_finish(vf sum, vf bias, int active, struct activation act)
{
    sum = vf_add(sum, bias);
    return active ? activated(sum, act) : sum;
}

/* ---- channels first, 1, 2 or 4 outputs to a cell: lanes are cells ----
 *
 *     sum of phase 0:  y0 y2 y4 y6 …
 *     sum of phase 1:  y1 y3 y5 y7 …      zipped when stored
 */

/* Outputs of `lanes` cells from the sums of their phases, in the order of memory. With 4: a0 b0 c0 d0 a1 … is (a zip c)
 * zip (b zip d). */
STEP void interleave(const int64_t s, vf *p)
{
    if (s == 2) {
        const struct vf_pair ab = vf_zip(p[0], p[1]);
        p[0] = ab.low, p[1] = ab.high;
    }
    if (s == 4) {
        const struct vf_pair ac = vf_zip(p[0], p[2]), bd = vf_zip(p[1], p[3]);
        const struct vf_pair low = vf_zip(ac.low, bd.low), high = vf_zip(ac.high, bd.high);
        p[0] = low.low, p[1] = low.high, p[2] = high.low, p[3] = high.high;
    }
}

/* Cells at … of one row: `vectors` of them with `lanes` cells, `left` outputs in all, no more than these cells have. */
STEP void depthwise_cells(const struct ups_depthwise *d, const int64_t s, const int64_t vectors, const int64_t lanes,
                          int64_t at, struct activation act, float *y, int64_t left)
{
    const int active = d->activation->kind != UPS_NO_ACTIVATION;
    const vf bias = vf_set(d->bias);
    vf sum[DEPTHWISE_SUMS][4];

    /* clang-format off */
    UNROLL for (int64_t v = 0; v < vectors; v++)
        UNROLL for (int64_t p = 0; p < s; p++) sum[v][p] = vf_set(0);

    for (const struct ups_depthwise_tap *t = d->tap, *end = t + d->taps; t < end; t++) {
        vf x[DEPTHWISE_SUMS];
        UNROLL for (int64_t v = 0; v < vectors; v++) x[v] = vf_load(t->x + at + v * VF_LANES, lanes);
        UNROLL for (int64_t p = 0; p < s; p++)
            if (s == 1 || (t->first <= p && p < t->last)) {
                const vf w = vf_broadcast(t->w + (s == 1 ? 0 : p - t->first));
                UNROLL for (int64_t v = 0; v < vectors; v++) sum[v][p] = vf_fma(w, x[v], sum[v][p]);
            }
    }

    UNROLL for (int64_t v = 0; v < vectors; v++) {
        interleave(s, sum[v]);
        UNROLL for (int64_t p = 0; p < s; p++) {
            const int64_t o = (v * s + p) * VF_LANES;
            const vf result = depthwise_finish(sum[v][p], bias, active, act);
            if (lanes == VF_LANES && left == vectors * s * VF_LANES)
                vf_store(y + o, VF_LANES, result);
            else if (o < left)
                vf_store(y + o, left - o < VF_LANES ? left - o : VF_LANES, result);
        }
    }
    /* clang-format on */
}

STEP void depthwise_row(const struct ups_depthwise *d, const int64_t s, int64_t at, struct activation act, float *y)
{
    const int64_t tile = DEPTHWISE_SUMS * VF_LANES, vector = s * VF_LANES;
    int64_t o = 0;

    for (; o + tile <= d->n; o += tile)
        depthwise_cells(d, s, DEPTHWISE_SUMS / s, VF_LANES, at + o / s, act, y + o, tile);
    for (; o + vector <= d->n; o += vector) depthwise_cells(d, s, 1, VF_LANES, at + o / s, act, y + o, vector);
    if (o < d->n) depthwise_cells(d, s, 1, (d->n - o + s - 1) / s, at + o / s, act, y + o, d->n - o);
}

/* ---- channels first, any other stride: lanes are the outputs of a cell ----
 * Outputs p … of a cell that meet the same taps. `cells` of them share the weights. */
STEP void depthwise_phases(const struct ups_depthwise *d, const int64_t cells, const int64_t vectors,
                           const int64_t lanes, int64_t at, int64_t p, struct activation act, float *y)
{
    const int active = d->activation->kind != UPS_NO_ACTIVATION;
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
        UNROLL for (int64_t v = 0; v < vectors; v++)
            vf_store(y + i * d->stride + p + v * VF_LANES, lanes, depthwise_finish(sum[i][v], bias, active, act));
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
static int64_t same_taps(const struct ups_depthwise *d, int64_t p)
{
    int64_t end = d->stride;

    for (int64_t t = 0; t < d->taps; t++) {
        if (d->tap[t].first > p && d->tap[t].first < end) end = d->tap[t].first;
        if (d->tap[t].last > p && d->tap[t].last < end) end = d->tap[t].last;
    }
    return end;
}

static void depthwise_any_stride(const struct ups_depthwise *d, struct activation act, float *y)
{
    const int64_t cells = DEPTHWISE_SUMS / 2, full = d->n / d->stride, rest = d->n % d->stride;

    for (int64_t p = 0, end; p < d->stride; p = end) {
        end = same_taps(d, p);
        for (int64_t r = 0; r < d->rows; r++) {
            const int64_t at = r * d->x_stride;
            float *row = y + r * d->y_stride;
            int64_t i = 0;
            for (; i + cells <= full; i += cells)
                depthwise_segment(d, cells, at + i, p, end, act, row + i * d->stride);
            for (; i < full; i++) depthwise_segment(d, 1, at + i, p, end, act, row + i * d->stride);
            if (p < rest) depthwise_segment(d, 1, at + i, p, end < rest ? end : rest, act, row + i * d->stride);
        }
    }
}

static void ISA(depthwise_rows)(const struct ups_depthwise *d, float *y)
{
    const struct activation act = activation_constants(d->activation);

    if (d->stride != 1 && d->stride != 2 && d->stride != 4) {
        depthwise_any_stride(d, act, y);
        return;
    }
    for (int64_t r = 0; r < d->rows; r++, y += d->y_stride) {
        if (d->stride == 1) depthwise_row(d, 1, r * d->x_stride, act, y);
        if (d->stride == 2) depthwise_row(d, 2, r * d->x_stride, act, y);
        if (d->stride == 4) depthwise_row(d, 4, r * d->x_stride, act, y);
    }
}

/* ---- channels last: lanes are channels, a tile is one vector of channels of some pixels ---- */

STEP void depthwise_pixels(const struct ups_depthwise_pixels *d, const int64_t pixels, const int64_t lanes, int64_t at,
                           int64_t c, struct activation act, float *y)
{
    const int active = d->activation->kind != UPS_NO_ACTIVATION;
    const vf bias = vf_load(d->bias + c, lanes);
    vf sum[DEPTHWISE_SUMS];

    /* clang-format off */
    UNROLL for (int64_t o = 0; o < pixels; o++) sum[o] = vf_set(0);
    for (int64_t t = 0; t < d->taps; t++) {
        const vf w = vf_load(d->w[t] + c, lanes);
        const float *x = d->x[t] + at + c;
        UNROLL for (int64_t o = 0; o < pixels; o++) sum[o] = vf_fma(w, vf_load(x + o * d->x_stride, lanes), sum[o]);
    }
    UNROLL for (int64_t o = 0; o < pixels; o++)
        vf_store(y + o * d->y_stride + c, lanes, depthwise_finish(sum[o], bias, active, act));
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

static void ISA(depthwise_pixels)(const struct ups_depthwise_pixels *d, float *y)
{
    const struct activation act = activation_constants(d->activation);
    int64_t o = 0;

    for (; o + 8 <= d->n; o += 8) depthwise_strip(d, 8, o, act, y);
    for (; o + 3 <= d->n; o += 3) depthwise_strip(d, 3, o, act, y);
    for (; o < d->n; o++) depthwise_strip(d, 1, o, act, y);
}
