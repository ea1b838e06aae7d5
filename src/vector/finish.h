/* SPDX-License-Identifier: MIT
 *
 * Bias and activation in one pass over finished outputs.
 *
 * All activations but the two curves of sigmoid.h are one formula, act(v) = min(high, max(low, v < 0 ? v*slope : v)), with the constants below:
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

/* kind is a constant where this is inlined: each curve has loops of its own, the rest share one. */
STEP void finish_step(float *c, int64_t lanes, vf bias, int32_t kind, struct activation act)
{
    vf v = vf_add(vf_load(c, lanes), bias);
    if (kind == UPS_SIGMOID) {
        v = vf_sigmoid(v);
    } else if (kind == UPS_TANH) {
        v = vf_tanh(v);
    } else {
        v = activated(v, act);
    }
    vf_store(c, lanes, v);
}

STEP void finish_rows(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias, int64_t bias_row,
                      int64_t bias_column, int32_t kind, struct activation act)
{
    for (int64_t i = 0; i < rows; i++, c += c_stride, bias += bias_row) {
        int64_t j = 0;
        if (bias_column) {
            for (; j + VF_LANES <= columns; j += VF_LANES)
                finish_step(c + j, VF_LANES, vf_load(bias + j, VF_LANES), kind, act);
            if (j < columns) finish_step(c + j, columns - j, vf_load(bias + j, columns - j), kind, act);
        } else {
            for (; j + VF_LANES <= columns; j += VF_LANES) finish_step(c + j, VF_LANES, vf_set(*bias), kind, act);
            if (j < columns) finish_step(c + j, columns - j, vf_set(*bias), kind, act);
        }
    }
}

static void ISA(finish)(float *c, int64_t rows, int64_t columns, int64_t c_stride, const float *bias, int64_t bias_row,
                        int64_t bias_column, const struct ups_activation *activation)
{
    const struct activation act = activation_constants(activation);

    switch (activation->kind) {
    case UPS_SIGMOID: finish_rows(c, rows, columns, c_stride, bias, bias_row, bias_column, UPS_SIGMOID, act); break;
    case UPS_TANH: finish_rows(c, rows, columns, c_stride, bias, bias_row, bias_column, UPS_TANH, act); break;
    default: finish_rows(c, rows, columns, c_stride, bias, bias_row, bias_column, UPS_NO_ACTIVATION, act);
    }
}
