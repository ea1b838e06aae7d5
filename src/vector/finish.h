/* SPDX-License-Identifier: MIT
 *
 * Bias and activation in one pass over finished outputs.
 *
 * All four activations are one formula, act(v) = min(high, max(low, v < 0 ? v*slope : v)), with the constants below:
 * five cheap instructions per vector instead of a branch. max(low, v) is v unless low is greater, and likewise min, so
 * NaN stays NaN and a zero keeps its sign.
 */
struct activation {
    float slope, low, high;
};

static struct activation activation_constants(const struct ups_activation *activation)
{
    const float inf = __builtin_inff();

    switch (activation->kind) {
    case UPS_RELU: return (struct activation){1, 0, inf};
    case UPS_LEAKY_RELU: return (struct activation){activation->alpha, -inf, inf};
    case UPS_CLIP: return (struct activation){1, activation->alpha, activation->beta};
    default: return (struct activation){1, -inf, inf};
    }
}

STEP vf activated(vf v, struct activation act)
{
    v = vf_select(vf_less(v, vf_set(0)), vf_mul(v, vf_set(act.slope)), v);
    return vf_min(vf_set(act.high), vf_max(vf_set(act.low), v));
}

STEP void finish_step(float *c, int64_t lanes, vf bias, struct activation act)
{
    vf_store(c, lanes, activated(vf_add(vf_load(c, lanes), bias), act));
}

static void ISA(finish)(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias, int64_t bias_row,
                        int64_t bias_column, const struct ups_activation *activation)
{
    const struct activation act = activation_constants(activation);

    for (int64_t i = 0; i < rows; i++, c += c_stride, bias += bias_row) {
        int64_t j = 0;
        if (bias_column) {
            for (; j + VF_LANES <= columns; j += VF_LANES)
                finish_step(c + j, VF_LANES, vf_load(bias + j, VF_LANES), act);
            if (j < columns) finish_step(c + j, columns - j, vf_load(bias + j, columns - j), act);
        } else {
            for (; j + VF_LANES <= columns; j += VF_LANES) finish_step(c + j, VF_LANES, vf_set(*bias), act);
            if (j < columns) finish_step(c + j, columns - j, vf_set(*bias), act);
        }
    }
}
