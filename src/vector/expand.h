/* SPDX-License-Identifier: MIT
 *
 * Replication by two along a row: a vector zipped with itself.
 */
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
