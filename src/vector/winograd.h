/* SPDX-License-Identifier: MIT
 *
 * The transforms of the minimal algorithms, lanes along channels: a pass along each axis, through a buffer that stays in
 * level 1. A form is a constant where it is used, so the loops over its matrix unroll: a zero costs nothing, a leading one no
 * instruction, and what is left are fused multiply-adds on registers.
 */

/* LOAD(j) is input j < columns of the product, STORE(i, v) takes its output i < rows. */
#define MINIMAL_PRODUCT(matrix, rows, columns, LOAD, STORE)                   \
    do {                                                                      \
        vf in_[UPS_MINIMAL_MOST];                                             \
        UNROLL for (int64_t j_ = 0; j_ < (columns); j_++) in_[j_] = LOAD(j_); \
        UNROLL for (int64_t i_ = 0; i_ < (rows); i_++)                        \
        {                                                                     \
            vf sum_ = vf_set(0);                                              \
            int first_ = 1;                                                   \
            UNROLL for (int64_t j_ = 0; j_ < (columns); j_++)                 \
            {                                                                 \
                const float c_ = (matrix)[i_][j_];                            \
                if (c_ == 0) continue;                                        \
                if (!first_)                                                  \
                    sum_ = vf_fma(vf_set(c_), in_[j_], sum_);                 \
                else                                                          \
                    sum_ = c_ == 1 ? in_[j_] : vf_mul(vf_set(c_), in_[j_]);   \
                first_ = 0;                                                   \
            }                                                                 \
            STORE(i_, sum_);                                                  \
        }                                                                     \
    } while (0)

/* DO(form, …) with the form a constant. */
/* clang-format off */
#define BY_FORM(form, DO, ...) switch (form) { \
    case UPS_F_1_1: DO(UPS_F_1_1, __VA_ARGS__); break; \
    case UPS_F_2_3: DO(UPS_F_2_3, __VA_ARGS__); break; \
    case UPS_F_4_3: DO(UPS_F_4_3, __VA_ARGS__); break; \
    case UPS_F_3_2: DO(UPS_F_3_2, __VA_ARGS__); break; \
    case UPS_F_4_2: DO(UPS_F_4_2, __VA_ARGS__); break; \
    default: __builtin_unreachable(); }
/* clang-format on */

/* `count` products of one of a form's matrices, the k-th by LOAD and STORE as they are defined where this stands. */
#define PRODUCTS(form, count, matrix, rows) \
    for (int64_t k = 0; k < (count); k++)   \
    MINIMAL_PRODUCT(ups_minimal[form].matrix, ups_minimal[form].rows, ups_minimal[form].n, LOAD, STORE)

/* Where one axis stays as it is, a tile is a line of the other one: few points, so the form is chosen outside the loop over
 * tiles. */
static inline int is_line(const struct ups_winograd_tile *t)
{
    return t->h == UPS_F_1_1 || t->w == UPS_F_1_1;
}

static inline enum ups_minimal_form line_of(const struct ups_winograd_tile *t)
{
    return t->h == UPS_F_1_1 ? t->w : t->h;
}

STEP void winograd_in_line_step(const int form, const float *const *x, int64_t c, int64_t lanes, float *v,
                                int64_t v_stride)
{
#define LOAD(j) vf_load(x[j] + c, lanes)
#define STORE(i, a) vf_store(v + (i) * v_stride + c, lanes, a)
    MINIMAL_PRODUCT(ups_minimal[form].bt, ups_minimal[form].n, ups_minimal[form].n, LOAD, STORE);
#undef LOAD
#undef STORE
}

STEP void winograd_in_lines(const int form, int64_t tiles, const float *const *x, int64_t n, float *v, int64_t v_stride)
{
    for (; tiles; tiles--, x += ups_minimal[form].n, v += n) {
        int64_t c = 0;
        for (; c + VF_LANES <= n; c += VF_LANES) winograd_in_line_step(form, x, c, VF_LANES, v, v_stride);
        if (c < n) winograd_in_line_step(form, x, c, n - c, v, v_stride);
    }
}

STEP void winograd_out_line_step(const int form, const float *m, int64_t m_stride, int64_t c, int64_t lanes, vf bias,
                                 struct activation act, float *const *y)
{
#define LOAD(j) vf_load(m + (j) * m_stride + c, lanes)
#define STORE(i, a) \
    if (y[i]) vf_store(y[i] + c, lanes, activated(vf_add(a, bias), act))
    MINIMAL_PRODUCT(ups_minimal[form].at, ups_minimal[form].m, ups_minimal[form].n, LOAD, STORE);
#undef LOAD
#undef STORE
}

STEP void winograd_out_lines(const int form, int64_t tiles, const float *m, int64_t m_stride, int64_t m_step, int64_t n,
                             const float *bias, struct activation act, float *const *y)
{
    for (; tiles; tiles--, m += m_step, y += ups_minimal[form].m) {
        int64_t c = 0;
        for (; c + VF_LANES <= n; c += VF_LANES)
            winograd_out_line_step(form, m, m_stride, c, VF_LANES, vf_load(bias + c, VF_LANES), act, y);
        if (c < n) winograd_out_line_step(form, m, m_stride, c, n - c, vf_load(bias + c, n - c), act, y);
    }
}

/* One tile: rows along W into half[i*n_w + q]; then columns along H. */
STEP void winograd_in_step(const struct ups_winograd_tile *t, const float *const *x, int64_t c, int64_t lanes, float *v,
                           int64_t v_stride)
{
    vf half[UPS_MINIMAL_MOST * UPS_MINIMAL_MOST];
    const int64_t nh = ups_minimal[t->h].n, nw = ups_minimal[t->w].n;

#define LOAD(j) vf_load(x[k * nw + (j)] + c, lanes)
#define STORE(i, a) half[k * nw + (i)] = (a)
    BY_FORM(t->w, PRODUCTS, nh, bt, n)
#undef LOAD
#undef STORE
#define LOAD(j) half[(j) * nw + k]
#define STORE(i, a) vf_store(v + ((i) * nw + k) * v_stride + c, lanes, a)
    BY_FORM(t->h, PRODUCTS, nw, bt, n)
#undef LOAD
#undef STORE
}

static void ISA(winograd_in)(const struct ups_winograd_tile *t, int64_t tiles, const float *const *x, int64_t n,
                             float *v, int64_t v_stride)
{
    const int64_t pixels = ups_minimal[t->h].n * ups_minimal[t->w].n;
    if (is_line(t)) {
        BY_FORM(line_of(t), winograd_in_lines, tiles, x, n, v, v_stride)
        return;
    }
    for (; tiles; tiles--, x += pixels, v += n) {
        int64_t c = 0;
        for (; c + VF_LANES <= n; c += VF_LANES) winograd_in_step(t, x, c, VF_LANES, v, v_stride);
        if (c < n) winograd_in_step(t, x, c, n - c, v, v_stride);
    }
}

/* One tile: columns along H into half[i*n_w + q]; then rows along W. */
STEP void winograd_out_step(const struct ups_winograd_tile *t, const float *m, int64_t m_stride, int64_t c,
                            int64_t lanes, vf bias, struct activation act, float *const *y)
{
    vf half[UPS_MINIMAL_MOST * UPS_MINIMAL_MOST];
    const int64_t nw = ups_minimal[t->w].n, mh = ups_minimal[t->h].m, mw = ups_minimal[t->w].m;

#define LOAD(j) vf_load(m + ((j) * nw + k) * m_stride + c, lanes)
#define STORE(i, a) half[(i) * nw + k] = (a)
    BY_FORM(t->h, PRODUCTS, nw, at, m)
#undef LOAD
#undef STORE
#define LOAD(j) half[k * nw + (j)]
#define STORE(i, a) \
    if (y[k * mw + (i)]) vf_store(y[k * mw + (i)] + c, lanes, activated(vf_add(a, bias), act))
    BY_FORM(t->w, PRODUCTS, mh, at, m)
#undef LOAD
#undef STORE
}

static void ISA(winograd_out)(const struct ups_winograd_tile *t, int64_t tiles, const float *m, int64_t m_stride,
                              int64_t m_step, int64_t n, const float *bias, const struct ups_activation *activation,
                              float *const *y)
{
    const struct activation act = activation_constants(activation);
    const int64_t outputs = ups_minimal[t->h].m * ups_minimal[t->w].m;
    if (is_line(t)) {
        BY_FORM(line_of(t), winograd_out_lines, tiles, m, m_stride, m_step, n, bias, act, y)
        return;
    }
    for (; tiles; tiles--, m += m_step, y += outputs) {
        int64_t c = 0;
        for (; c + VF_LANES <= n; c += VF_LANES)
            winograd_out_step(t, m, m_stride, c, VF_LANES, vf_load(bias + c, VF_LANES), act, y);
        if (c < n) winograd_out_step(t, m, m_stride, c, n - c, vf_load(bias + c, n - c), act, y);
    }
}
#undef PRODUCTS
#undef BY_FORM
#undef MINIMAL_PRODUCT
