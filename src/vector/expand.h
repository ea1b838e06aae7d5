/* SPDX-License-Identifier: MIT
 *
 * Rows in which each element has `factor` places: replication, bed of nails, and unpool.h. A vector of inputs makes `factor`
 * vectors of outputs, and the table `quotient` says which input each lane takes; with 4 lanes and factor 3:
 *
 *     x0 x1 x2 x3      quotient 0 0 0 1 | 1 1 2 2 | 2 3 3 3      x0 x0 x0 x1 | x1 x1 x2 x2 | x2 x3 x3 x3
 */

/* y[p] for p < elements, of the inputs of one vector. */
STEP void replicate_step(vf x, const int32_t *quotient, int64_t elements, float *y)
{
    for (int64_t p = 0; p < elements; p += VF_LANES) {
        const vf v = vf_permute(x, vi_load(quotient + p, VF_LANES));
        if (p + VF_LANES <= elements)
            vf_store(y + p, VF_LANES, v);
        else
            vf_store(y + p, elements - p, v);
    }
}

static void ISA(replicate)(const float *x, int64_t n, const struct ups_spread *spread, float *y)
{
    const int64_t factor = spread->factor;
    const int32_t *quotient = spread->quotient;
    int64_t i = 0;

    for (; i + VF_LANES <= n; i += VF_LANES)
        replicate_step(vf_load(x + i, VF_LANES), quotient, VF_LANES * factor, y + i * factor);
    if (i < n) replicate_step(vf_load(x + i, n - i), quotient, (n - i) * factor, y + i * factor);
}

STEP void nails_step(vf x, const struct ups_spread *spread, vi offset, int64_t elements, float *y)
{
    for (int64_t p = 0; p < elements; p += VF_LANES) {
        const vf v = vf_permute(x, vi_load(spread->quotient + p, VF_LANES));
        const vf row = vf_select(vi_equal(vi_load(spread->remainder + p, VF_LANES), offset), v, vf_set(0));
        if (p + VF_LANES <= elements)
            vf_store(y + p, VF_LANES, row);
        else
            vf_store(y + p, elements - p, row);
    }
}

static void ISA(nails)(const float *x, int64_t n, const struct ups_spread *spread, int64_t offset, float *y)
{
    const struct ups_spread s = *spread;
    const vi o = vi_set((int32_t)offset);
    int64_t i = 0;

    for (; i + VF_LANES <= n; i += VF_LANES)
        nails_step(vf_load(x + i, VF_LANES), &s, o, VF_LANES * s.factor, y + i * s.factor);
    if (i < n) nails_step(vf_load(x + i, n - i), &s, o, (n - i) * s.factor, y + i * s.factor);
}

/* By two: a vector zipped with itself. */
STEP void replicate_x2_step(const float *x, int64_t lanes, float *y)
{
    const vf v = vf_load(x, lanes);
    vf_store_pair(y, lanes, vf_zip(v, v));
}

static void ISA(replicate_x2)(const float *x, int64_t n, float *y)
{
    int64_t i = 0;

    for (; i + VF_LANES <= n; i += VF_LANES) replicate_x2_step(x + i, VF_LANES, y + 2 * i);
    if (i < n) replicate_x2_step(x + i, n - i, y + 2 * i);
}
