/* SPDX-License-Identifier: MIT
 *
 * y[i] = a*x[i] + y[i].
 */
STEP void axpy_step(int64_t lanes, float a, const float *x, float *y)
{
    vf_store(y, lanes, vf_fma(vf_set(a), vf_load(x, lanes), vf_load(y, lanes)));
}

static void ISA(axpy)(int64_t n, float a, const float *x, float *y)
{
    int64_t i = 0;

    for (; i + VF_LANES <= n; i += VF_LANES) axpy_step(VF_LANES, a, x + i, y + i);
    if (i < n) axpy_step(n - i, a, x + i, y + i);
}
