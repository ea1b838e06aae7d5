/* SPDX-License-Identifier: MIT
 *
 * The passes of a separable resize, lanes = outputs (along W, channels first), elements of a row (along H and D) or
 * channels (along W, channels last). Every sum is one chain: w0*x0, then a fused multiply-add per further tap.
 */
static void ISA(nearest_row)(const float *x, const int32_t *index, int64_t n, float *y)
{
    int64_t o = 0;

    for (; o + VF_LANES <= n; o += VF_LANES) vf_store(y + o, VF_LANES, vf_gather(x, index + o, VF_LANES));
    if (o < n) vf_store(y + o, n - o, vf_gather(x, index + o, n - o));
}

STEP void filter_row_step(const float *x, const int32_t *index, const float *weight, int64_t taps, int64_t n,
                          int64_t lanes, float *y)
{
    vf sum = vf_mul(vf_load(weight, lanes), vf_gather(x, index, lanes));

    for (int64_t t = 1; t < taps; t++)
        sum = vf_fma(vf_load(weight + t * n, lanes), vf_gather(x, index + t * n, lanes), sum);
    vf_store(y, lanes, sum);
}

static void ISA(filter_row)(const float *x, const int32_t *index, const float *weight, int64_t taps, int64_t n,
                            float *y)
{
    int64_t o = 0;

    for (; o + VF_LANES <= n; o += VF_LANES) filter_row_step(x, index + o, weight + o, taps, n, VF_LANES, y + o);
    if (o < n) filter_row_step(x, index + o, weight + o, taps, n, n - o, y + o);
}

STEP void filter_rows_step(const float *const *rows, const float *weight, int64_t taps, int64_t i, int64_t lanes,
                           float *y)
{
    vf sum = vf_mul(vf_set(weight[0]), vf_load(rows[0] + i, lanes));

    for (int64_t t = 1; t < taps; t++) sum = vf_fma(vf_set(weight[t]), vf_load(rows[t] + i, lanes), sum);
    vf_store(y + i, lanes, sum);
}

static void ISA(filter_rows)(const float *const *rows, const float *weight, int64_t taps, int64_t n, float *y)
{
    int64_t i = 0;

    for (; i + VF_LANES <= n; i += VF_LANES) filter_rows_step(rows, weight, taps, i, VF_LANES, y);
    if (i < n) filter_rows_step(rows, weight, taps, i, n - i, y);
}

/* x: channel c of pixel 0; the taps of one output pixel are n apart in index and weight. */
STEP void filter_pixels_step(const float *x, int64_t x_stride, const int32_t *index, const float *weight, int64_t taps,
                             int64_t n, int64_t lanes, float *y)
{
    vf sum = vf_mul(vf_set(weight[0]), vf_load(x + index[0] * x_stride, lanes));

    for (int64_t t = 1; t < taps; t++)
        sum = vf_fma(vf_set(weight[t * n]), vf_load(x + index[t * n] * x_stride, lanes), sum);
    vf_store(y, lanes, sum);
}

static void ISA(filter_pixels)(const float *x, int64_t x_stride, const int32_t *index, const float *weight,
                               int64_t taps, int64_t n, int64_t channels, float *y, int64_t y_stride)
{
    for (int64_t o = 0; o < n; o++, y += y_stride) {
        int64_t c = 0;
        for (; c + VF_LANES <= channels; c += VF_LANES)
            filter_pixels_step(x + c, x_stride, index + o, weight + o, taps, n, VF_LANES, y + c);
        if (c < channels) filter_pixels_step(x + c, x_stride, index + o, weight + o, taps, n, channels - c, y + c);
    }
}
