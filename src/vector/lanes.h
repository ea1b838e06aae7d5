/* SPDX-License-Identifier: MIT
 *
 * What the vector texts share beyond the words of vec_<isa>.h.
 *
 * Every text is a step that treats `lanes` elements, and a loop that calls it with the constant VF_LANES as long as so
 * many are left, then once with the rest. Steps are always inlined: in the loop the constant folds, and what remains is
 * whole vectors; the last call is the masked tail.
 */
#define STEP static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Two vectors side by side in memory, 2*lanes elements in all. */
struct vf_pair {
    vf low, high;
};
struct vi_pair {
    vi low, high;
};

STEP int64_t first_half(int64_t lanes)
{
    return 2 * lanes < VF_LANES ? 2 * lanes : VF_LANES;
}

STEP struct vf_pair vf_load_pair(const float *p, int64_t lanes)
{
    const int64_t half = first_half(lanes);
    return (struct vf_pair){vf_load(p, half), vf_load(p + half, 2 * lanes - half)};
}

STEP struct vi_pair vi_load_pair(const int32_t *p, int64_t lanes)
{
    const int64_t half = first_half(lanes);
    return (struct vi_pair){vi_load(p, half), vi_load(p + half, 2 * lanes - half)};
}

STEP void vf_store_pair(float *p, int64_t lanes, struct vf_pair a)
{
    const int64_t half = first_half(lanes);
    vf_store(p, half, a.low);
    vf_store(p + half, 2 * lanes - half, a.high);
}

STEP void vi_store_pair(int32_t *p, int64_t lanes, struct vi_pair a)
{
    const int64_t half = first_half(lanes);
    vi_store(p, half, a.low);
    vi_store(p + half, 2 * lanes - half, a.high);
}

/* a0 b0 a1 b1 … */
STEP struct vf_pair vf_zip(vf a, vf b)
{
    return (struct vf_pair){vf_zip_low(a, b), vf_zip_high(a, b)};
}

STEP struct vi_pair vi_zip(vi a, vi b)
{
    const struct vf_pair z = vf_zip(vi_as_vf(a), vi_as_vf(b));
    return (struct vi_pair){vf_as_vi(z.low), vf_as_vi(z.high)};
}

/* The other way: elements 0, 2, 4 … of the two, and 1, 3, 5 … */
STEP struct vf_pair vf_unzip(struct vf_pair a)
{
    return (struct vf_pair){vf_evens(a.low, a.high), vf_odds(a.low, a.high)};
}

STEP struct vi_pair vi_unzip(struct vi_pair a)
{
    const struct vf_pair u = vf_unzip((struct vf_pair){vi_as_vf(a.low), vi_as_vf(a.high)});
    return (struct vi_pair){vf_as_vi(u.low), vf_as_vi(u.high)};
}

/* The switches of a kernel: none, or of a type. */
enum form { VALUES, U8, I32, I64 };

/* Whether rows from p on, `stride` elements apart, begin with cache lines. */
STEP int is_aligned(const void *p, int64_t stride, int64_t element_bytes)
{
    return (uintptr_t)p % 64 == 0 && stride * element_bytes % 64 == 0;
}
