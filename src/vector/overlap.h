/* SPDX-License-Identifier: MIT
 *
 * Max unpooling where windows overlap, driven by the outputs: each asks the windows over it one after the other, in the order of
 * the inputs, whether their codes name it, and the last that does stays. With windows of 3 by 2 the outputs of phase 0 lie in one
 * window of a row and those of phase 1 in two, whose inputs are neighbours:
 *
 *     inputs        0       1       2            phase 0 asks input p
 *     outputs     . 0   1   0   1   0   1        phase 1 asks inputs p, p + 1
 *
 * Channels last, and with a stride of 1, there is one phase.
 */

/* Codes and inputs from i on, where part of a vector lies outside the line: those codes are -1. */
STEP vf overlap_edge(const float *x, const uint8_t *code, int64_t i, int64_t n, vi *says)
{
    const int64_t begin = i < 0 ? 0 : i, left = n - begin, below = begin - i;
    const int64_t lanes = left < 0 ? 0 : left < VF_LANES ? left : VF_LANES;
    const vi none = vi_set(-1);

    *says = none;
    if (lanes == 0 || below >= VF_LANES) return vf_set(0);
    const vf v = vf_load(x + begin, lanes);
    *says = vi_select(vm_first(lanes), vi_load_u8(code + begin, lanes), none);
    if (below == 0) return v;
    const vi order = vi_add(vi_iota(), vi_set((int32_t)-below));
    *says = vi_select(vm_first(below), none, vf_as_vi(vf_permute(vi_as_vf(*says), order)));
    return vf_permute(v, order);
}

/* Where a step lies: inside all lines; over the end of some; or over the beginning too. */
enum overlap_part { INSIDE, TO_THE_END, ANYWHERE };

/* Lanes p … of one source into *v, `lanes` of which are wanted. */
STEP void overlap_source(const struct ups_overlap *o, const struct ups_overlap_source *s, int64_t l, int64_t p,
                         int64_t lanes, const enum overlap_part part, vf *v, vi *found)
{
    const int64_t i = p + s->shift;
    const float *x = s->x + l * o->x_stride;
    const uint8_t *code = s->code + l * o->code_stride;
    vf from;
    vi says;

    if (part == TO_THE_END) {
        const int64_t left = o->n - i < lanes ? o->n - i : lanes;
        lanes = left < 0 ? 0 : left;
    }
    if (part == ANYWHERE) {
        from = overlap_edge(x, code, i, o->n, &says);
    } else {
        from = vf_load(x + i, lanes);
        says = vi_load_u8(code + i, lanes);
    }
    vm own = vi_equal(says, vi_set((int32_t)s->name));
    if (part != INSIDE) own = vm_and(own, vm_first(lanes));
    *v = vf_select(own, from, *v);
    *found = vi_select(own, vi_add(*found, vi_set(1)), *found);
}

/* few: count is a constant. */
STEP vf overlap_phase(const struct ups_overlap *o, const struct ups_overlap_source *s, const int64_t count, int64_t l,
                      int64_t p, int64_t lanes, const enum overlap_part part, const int few, vi *found)
{
    vf v = vf_set(0);

    if (few)
        UNROLL for (int64_t t = 0; t < count; t++) overlap_source(o, s + t, l, p, lanes, part, &v, found);
    else
        for (int64_t t = 0; t < count; t++) overlap_source(o, s + t, l, p, lanes, part, &v, found);
    return v;
}

/* `elements` outputs, up to factor vectors, from p*factor on. */
STEP void overlap_step(const struct ups_overlap *o, const struct ups_overlap_source *s, int64_t l, int64_t p,
                       int64_t elements, const enum overlap_part part, const int64_t factor, const int64_t even,
                       const int64_t odd, const int few, float *y, vi *found)
{
    const vf v = overlap_phase(o, s, even, l, p, (elements + factor - 1) / factor, part, few, found);

    if (factor == 1) {
        vf_store(y, elements, v);
        return;
    }
    const struct vf_pair pair = vf_zip(v, overlap_phase(o, s + even, odd, l, p, elements / 2, part, few, found));
    const int64_t low = elements < VF_LANES ? elements : VF_LANES;
    vf_store(y, low, pair.low);
    vf_store(y + low, elements - low, pair.high);
}

STEP int64_t overlap_lines(const struct ups_overlap *overlap, const int64_t factor, const int64_t even,
                           const int64_t odd, const int few, float *y)
{
    const struct ups_overlap o = *overlap;
    const struct ups_overlap_source *s = o.source;
    int64_t least = 0, most = 0, total = 0;
    int32_t each[VF_LANES];
    struct ups_overlap_source own[6];

    for (int64_t t = 0; t < even + odd; t++) {
        least = s[t].shift < least ? s[t].shift : least;
        most = s[t].shift > most ? s[t].shift : most;
    }
    if (few) {
        UNROLL for (int64_t t = 0; t < even + odd; t++) own[t] = s[t];
        s = own;
    }
    vi found = vi_set(0);
    for (int64_t l = 0; l < o.lines; l++, y += o.y_stride) {
        const int64_t line = few ? 0 : l;
        for (int64_t q = 0, p = 0; q < o.width; q += factor * VF_LANES, p += VF_LANES) {
            const int64_t left = o.width - q, elements = left < factor * VF_LANES ? left : factor * VF_LANES;
            if (left >= factor * VF_LANES && p + least >= 0 && p + most + VF_LANES <= o.n)
                overlap_step(&o, s, line, p, factor * VF_LANES, INSIDE, factor, even, odd, few, y + q, &found);
            else if (p + least >= 0)
                overlap_step(&o, s, line, p, elements, TO_THE_END, factor, even, odd, few, y + q, &found);
            else
                overlap_step(&o, s, line, p, elements, ANYWHERE, factor, even, odd, few, y + q, &found);
        }
        if (few) UNROLL for (int64_t t = 0; t < even + odd; t++)
            {
                own[t].x += o.x_stride;
                own[t].code += o.code_stride;
            }
    }
    vi_store(each, VF_LANES, found);
    for (int64_t i = 0; i < VF_LANES; i++) total += each[i];
    return total;
}

/* Windows of 3 by 2, and any pair of axes each output of which has one or two. */
static int64_t ISA(overlap_u8)(const struct ups_overlap *o, float *y)
{
    const int64_t even = o->count[0], odd = o->count[1];

    if (o->factor == 2 && even == 1 && odd == 2) return overlap_lines(o, 2, 1, 2, 1, y);
    if (o->factor == 2 && even == 2 && odd == 4) return overlap_lines(o, 2, 2, 4, 1, y);
    if (o->factor == 2) return overlap_lines(o, 2, even, odd, 0, y);
    if (even == 1) return overlap_lines(o, 1, 1, 0, 1, y);
    if (even == 2) return overlap_lines(o, 1, 2, 0, 1, y);
    if (even == 4) return overlap_lines(o, 1, 4, 0, 1, y);
    return overlap_lines(o, 1, even, 0, 0, y);
}
