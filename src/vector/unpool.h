/* SPDX-License-Identifier: MIT
 *
 * Max unpooling of 2x2 windows at stride 2, driven by the outputs: every output element asks whether the switch of its
 * window names it, so both rows are written once, zeros included, with no clearing pass before.
 *
 *     x               x0      x1    …          index doubled the same way; row 0 keeps x where the doubled index
 *     doubled      x0 x0   x1 x1    …          equals its own position, row 1 where it equals that plus width
 *
 * A switch names at most one of its four, so the matches counted are the inputs that were placed.
 */

/* The switches as int32; an i64 that does not fit becomes -1, which is no position. */
STEP vi unpool_index(const void *index, const enum form form, int64_t i, int64_t lanes)
{
    if (form == I32) return vi_load((const int32_t *)index + i, lanes);
    const struct vi_pair halves = vi_unzip(vi_load_pair((const int32_t *)index + 2 * i, lanes));
    return vi_select(vi_equal(halves.high, vi_set(0)), halves.low, vi_set(-1));
}

/* One row: positions of its first VF_LANES elements are `at`. A lane beyond the tail has index 0 and a position above
 * it, so it never matches. */
STEP int64_t unpool_row(struct vf_pair x, struct vi_pair index, vi at, int64_t lanes, float *row)
{
    const vm low = vi_equal(index.low, at);
    const vm high = vi_equal(index.high, vi_add(at, vi_set(VF_LANES)));

    x.low = vf_select(low, x.low, vf_set(0));
    x.high = vf_select(high, x.high, vf_set(0));
    vf_store_pair(row, lanes, x);
    return vm_count(low) + vm_count(high);
}

STEP int64_t unpool_2x2s2_step(const float *x, const void *index, const enum form form, int64_t i, int64_t lanes, vi at,
                               vi width, float *row0, float *row1)
{
    const vf v = vf_load(x + i, lanes);
    const vi s = unpool_index(index, form, i, lanes);
    const struct vf_pair vv = vf_zip(v, v);
    const struct vi_pair ss = vi_zip(s, s);

    return unpool_row(vv, ss, at, lanes, row0 + 2 * i) + unpool_row(vv, ss, vi_add(at, width), lanes, row1 + 2 * i);
}

STEP int64_t unpool_2x2s2(const float *x, const void *index, const enum form form, int64_t n, int64_t base,
                          int64_t width, float *row0, float *row1)
{
    const vi w = vi_set((int32_t)width);
    vi at = vi_add(vi_set((int32_t)base), vi_iota());
    int64_t i = 0, found = 0;

    for (; i + VF_LANES <= n; i += VF_LANES) {
        found += unpool_2x2s2_step(x, index, form, i, VF_LANES, at, w, row0, row1);
        at = vi_add(at, vi_set(2 * VF_LANES));
    }
    if (i < n) found += unpool_2x2s2_step(x, index, form, i, n - i, at, w, row0, row1);
    return found;
}

static int64_t ISA(unpool_2x2s2_i32)(const float *x, const void *index, int64_t n, int64_t base, int64_t width,
                                     float *row0, float *row1)
{
    return unpool_2x2s2(x, index, I32, n, base, width, row0, row1);
}

static int64_t ISA(unpool_2x2s2_i64)(const float *x, const void *index, int64_t n, int64_t base, int64_t width,
                                     float *row0, float *row1)
{
    return unpool_2x2s2(x, index, I64, n, base, width, row0, row1);
}
