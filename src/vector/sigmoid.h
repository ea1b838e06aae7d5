/* SPDX-License-Identifier: MIT
 *
 * The two curved activations, by the scheme and with the constants of kernels.h. Products and sums are not fused: every tier
 * gives scalar.c's bits. min and max give their second operand for NaN, and comparisons are false.
 */

/* a + b*x and so on: the polynomial's next step. */
STEP vf horner(vf sum, vf x, float coefficient)
{
    return vf_add(vf_mul(sum, x), vf_set(coefficient));
}

/* 1 + e^t for t in [-20, 104], in units of UPS_EXP_UNIT. */
STEP vf one_plus_exp(vf t)
{
    const vf shifted = vf_sub(vf_mul(t, vf_set(UPS_EXP_LOG2E)), vf_set(UPS_EXP_SHIFT));
    const vf rounded = vf_add(shifted, vf_set(UPS_EXP_ROUND)), n = vf_sub(rounded, vf_set(UPS_EXP_ROUND));
    const vf high = vf_sub(t, vf_mul(n, vf_set(UPS_EXP_LN2_HIGH))), low = vf_mul(n, vf_set(UPS_EXP_LN2_LOW));
    const vf r = vf_sub(high, low);
    vf q = horner(vf_set(UPS_EXP_C6), r, UPS_EXP_C5);
    q = horner(q, r, UPS_EXP_C4);
    q = horner(q, r, UPS_EXP_C3);
    q = horner(q, r, UPS_EXP_C2);
    const vf part = vf_add(vf_sub(vf_mul(vf_mul(r, r), q), low), high);
    const vf power = vi_as_vf(vi_shift_left(vf_as_vi(rounded), 23));
    const vf unit = vf_set(UPS_EXP_UNIT), sum = vf_add(power, unit), lost = vf_sub(unit, vf_sub(sum, power));
    return vf_add(vf_add(vf_mul(power, part), lost), sum);
}

STEP vf vf_sigmoid(vf v)
{
    const vf t = vf_min(vf_set(104), vf_max(vf_set(-20), vf_sub(vf_set(0), v)));
    return vf_div(vf_set(UPS_EXP_UNIT), one_plus_exp(t));
}

/* Both ways for every lane, within [-10, 10] so that neither overflows. */
STEP vf vf_tanh(vf v)
{
    v = vf_min(vf_set(10), vf_max(vf_set(-10), v));
    const vf size = vf_max(v, vf_sub(vf_set(0), v)), u = vf_mul(v, v);
    vf q = horner(vf_set(UPS_TANH_C4), u, UPS_TANH_C3);
    q = horner(q, u, UPS_TANH_C2);
    q = horner(q, u, UPS_TANH_C1);
    q = horner(q, u, UPS_TANH_C0);
    q = horner(q, u, 0); /* never -0, so that a zero keeps its sign */
    const vf small = vf_add(vf_mul(q, v), v);
    const vf part = vf_div(vf_set(2 * UPS_EXP_UNIT), one_plus_exp(vf_mul(vf_set(2), size)));
    const vf large = vf_select(vf_less(v, vf_set(0)), vf_sub(part, vf_set(1)), vf_sub(vf_set(1), part));
    return vf_select(vf_less(vf_set(UPS_TANH_SMALL), size), large, small);
}
