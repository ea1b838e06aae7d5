/* SPDX-License-Identifier: MIT
 *
 * The words of the vector texts, spoken in AArch64 NEON: vf is 4 floats, vi 4 int32, vm a mask of 4 lanes.
 * A word means the same bits on every tier. `lanes` is 0 to VF_LANES: nothing beyond p[lanes - 1] is touched, lanes
 * not loaded are 0. With the constant VF_LANES the plain instruction remains.
 */
#ifndef UPS_VEC_NEON_H
#define UPS_VEC_NEON_H

#include <arm_neon.h>
#include <stdint.h>

#define VF_LANES 4
#define ISA(kernel) ups_##kernel##_neon

/* 24 accumulators, 3 vectors of b, 1 of a, of 32 registers. */
#define GEMM_ROWS 8
#define GEMM_NARROW_ROWS 12 /* with fewer vectors of columns */
#define GEMM_VECTORS 3
#define GEMM_TILES ROWS_TO_12(1) ROWS_TO_12(2) ROWS_TO_8(3)
#define GEMM_KERNEL gemm_8x12

typedef float32x4_t vf;
typedef int32x4_t vi;
typedef uint32x4_t vm;

#define VB_LANES 16
typedef uint8x16_t vb;
typedef uint8x16_t vbm;

/* clang-format off */
#define WORD(type) static inline type

WORD(vf) vf_set(float a) { return vdupq_n_f32(a); }
WORD(vi) vi_set(int32_t a) { return vdupq_n_s32(a); }
WORD(vi) vi_iota(void) { return (vi){0, 1, 2, 3}; }

/* Memory. NEON has no masked access: lane by lane. */
WORD(vf) vf_load(const float *p, int64_t lanes)
{
    if (lanes == VF_LANES) return vld1q_f32(p);
    vf a = vf_set(0);
    if (lanes > 0) a = vld1q_lane_f32(p, a, 0);
    if (lanes > 1) a = vld1q_lane_f32(p + 1, a, 1);
    if (lanes > 2) a = vld1q_lane_f32(p + 2, a, 2);
    return a;
}
WORD(void) vf_store(float *p, int64_t lanes, vf a)
{
    if (lanes > 3) { vst1q_f32(p, a); return; }
    if (lanes > 0) vst1q_lane_f32(p, a, 0);
    if (lanes > 1) vst1q_lane_f32(p + 1, a, 1);
    if (lanes > 2) vst1q_lane_f32(p + 2, a, 2);
}
WORD(vf) vi_as_vf(vi a) { return vreinterpretq_f32_s32(a); }
WORD(vi) vf_as_vi(vf a) { return vreinterpretq_s32_f32(a); }
WORD(vi) vi_load(const int32_t *p, int64_t lanes)
{
    if (lanes == VF_LANES) return vld1q_s32(p);
    vi a = vi_set(0);
    if (lanes > 0) a = vld1q_lane_s32(p, a, 0);
    if (lanes > 1) a = vld1q_lane_s32(p + 1, a, 1);
    if (lanes > 2) a = vld1q_lane_s32(p + 2, a, 2);
    return a;
}
WORD(void) vi_store(int32_t *p, int64_t lanes, vi a)
{
    if (lanes > 3) { vst1q_s32(p, a); return; }
    if (lanes > 0) vst1q_lane_s32(p, a, 0);
    if (lanes > 1) vst1q_lane_s32(p + 1, a, 1);
    if (lanes > 2) vst1q_lane_s32(p + 2, a, 2);
}
WORD(vi) vi_load_u8(const uint8_t *p, int64_t lanes)
{
    uint32_t all = 0;
    for (int64_t i = lanes; i-- > 0;) all = all << 8 | p[i];
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(all)))));
}
/* The low bytes; base + a in 64 bits. */
WORD(void) vi_store_u8(uint8_t *p, int64_t lanes, vi a)
{
    uint8_t bytes[VF_LANES];
    const int16x4_t half = vmovn_s32(a);
    const uint32_t all = vget_lane_u32(vreinterpret_u32_s8(vmovn_s16(vcombine_s16(half, half))), 0);
    __builtin_memcpy(bytes, &all, sizeof bytes);
    for (int64_t i = 0; i < lanes; i++) p[i] = bytes[i];
}
WORD(void) vi_store_i64(int64_t *p, int64_t lanes, vi a, int64_t base)
{
    const int64x2_t low = vaddw_s32(vdupq_n_s64(base), vget_low_s32(a)), high = vaddw_high_s32(vdupq_n_s64(base), a);
    if (lanes > 1) vst1q_s64(p, low); else if (lanes) vst1q_lane_s64(p, low, 0);
    if (lanes > 3) vst1q_s64(p + 2, high); else if (lanes > 2) vst1q_lane_s64(p + 2, high, 0);
}
/* Past the caches on other tiers. */
WORD(void) vf_stream(float *p, vf a) { vst1q_f32(p, a); }
WORD(void) vi_stream_i64(int64_t *p, vi a, int64_t base)
{ vi_store_i64(p, VF_LANES, a, base); }
WORD(void) stream_end(void) { (void)0; }
/* The asm emits nothing; it keeps a row of loads where they stand. gcc 12 would lift all eight of the gemm tile to the top
 * of its loop and spill accumulators for them. */
WORD(vf) vf_broadcast(const float *p)
{
    float a = *p;
    __asm__ volatile("" : "+w"(a));
    return vf_set(a);
}
/* a, in a register from here on; emits nothing. A compiler would rather load it again for each use, as an operand of the
 * arithmetic, and a load across two cache lines costs as much as two. */
WORD(vf) vf_keep(vf a) { __asm__("" : "+w"(a)); return a; }
/* x[index[i]] */
WORD(vf) vf_gather(const float *x, const int32_t *index, int64_t lanes)
{
    vf a = vf_set(0);
    if (lanes > 0) a = vld1q_lane_f32(x + index[0], a, 0);
    if (lanes > 1) a = vld1q_lane_f32(x + index[1], a, 1);
    if (lanes > 2) a = vld1q_lane_f32(x + index[2], a, 2);
    if (lanes > 3) a = vld1q_lane_f32(x + index[3], a, 3);
    return a;
}

/* Arithmetic. max: a > b ? a : b, and min: a < b ? a : b, so b if either is NaN or both are zero. */
WORD(vf) vf_add(vf a, vf b) { return vaddq_f32(a, b); }
WORD(vf) vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
WORD(vf) vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
WORD(vf) vf_div(vf a, vf b) { return vdivq_f32(a, b); }
WORD(vf) vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); } /* a*b + c */
WORD(vf) vf_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
WORD(vf) vf_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
WORD(vi) vi_add(vi a, vi b) { return vaddq_s32(a, b); }
WORD(vi) vi_shift_left(vi a, int bits) { return vshlq_s32(a, vi_set(bits)); }

/* Masks. select: the lanes of a where m, else those of b. */
WORD(vm) vf_less(vf a, vf b) { return vcltq_f32(a, b); }
WORD(vm) vf_is_nan(vf a) { return vmvnq_u32(vceqq_f32(a, a)); }
WORD(vm) vi_equal(vi a, vi b) { return vceqq_s32(a, b); }
WORD(vm) vm_or(vm a, vm b) { return vorrq_u32(a, b); }
WORD(vm) vm_first(int64_t lanes) { return vcltq_s32(vi_iota(), vi_set((int32_t)lanes)); }
WORD(vm) vm_and(vm a, vm b) { return vandq_u32(a, b); }
WORD(vm) vm_and_ordered(vm m, vf a, vf b) { return vandq_u32(m, vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b))); } /* and neither is NaN */
WORD(vm) vm_all(void) { return vdupq_n_u32(~0u); }
WORD(int) vm_is_all(vm m) { return vminvq_u32(m) != 0; }
WORD(int) vm_any(vm m) { return vmaxvq_u32(m) != 0; }
WORD(int64_t) vm_count(vm m) { return vaddvq_u32(vshrq_n_u32(m, 31)); }
WORD(vf) vf_select(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
WORD(vi) vi_select(vm m, vi a, vi b) { return vbslq_s32(m, a, b); }

/* Of the 8 lanes a, b: the even ones, the odd ones. And a0 b0 a1 b1 …: its first half, its second half. */
WORD(vf) vf_evens(vf a, vf b) { return vuzp1q_f32(a, b); }
WORD(vf) vf_odds(vf a, vf b) { return vuzp2q_f32(a, b); }
WORD(vf) vf_zip_low(vf a, vf b) { return vzip1q_f32(a, b); }
WORD(vf) vf_zip_high(vf a, vf b) { return vzip2q_f32(a, b); }
/* a[order[i]]: bytes 4*order to 4*order + 3. */
WORD(vf) vf_permute(vf a, vi order)
{
    const vi bytes = vaddq_s32(vmulq_n_s32(order, 0x04040404), vi_set(0x03020100));
    return vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(a), vreinterpretq_u8_s32(bytes)));
}
/* Lanes 1, 2, 3 of a, then *p. */
WORD(vf) vf_shift_in(vf a, const float *p) { return vextq_f32(a, vld1q_dup_f32(p), 1); }
/* Every third element from p, p + 1, p + 2 on. */
WORD(void) vf_load_thirds(const float *p, vf v[3])
{
    const float32x4x3_t three = vld3q_f32(p);
    v[0] = three.val[0]; v[1] = three.val[1]; v[2] = three.val[2];
}

/* The other way: a0 b0 c0 a1 b1 c1 … */
WORD(void) vf_zip_thirds(vf v[3])
{
    const vf ca = vtrn1q_f32(v[2], vextq_f32(v[0], v[0], 1)); /* c0 a1 c2 a3 */
    const vf ab = vzip1q_f32(v[0], v[1]), bc = vzip2q_f32(v[1], v[2]); /* a0 b0 a1 b1, b2 c2 b3 c3 */
    const vf bc1 = vzip1q_f32(v[1], v[2]), ab2 = vzip2q_f32(v[0], v[1]); /* b0 c0 b1 c1, a2 b2 a3 b3 */
    v[0] = vcombine_f32(vget_low_f32(ab), vget_low_f32(ca));
    v[1] = vcombine_f32(vget_high_f32(bc1), vget_low_f32(ab2));
    v[2] = vcombine_f32(vget_high_f32(ca), vget_high_f32(bc));
}

/* Bytes: vb is VB_LANES of them, unsigned, vbm a mask of as many. */
WORD(vb) vb_set(uint8_t a) { return vdupq_n_u8(a); }
/* Fewer than 16 are put together from pieces that overlap. */
WORD(vb) vb_load(const uint8_t *p, int64_t lanes)
{
    uint64_t low = 0, high = 0;
    uint32_t a = 0, b = 0;
    if (lanes == VB_LANES) return vld1q_u8(p);
    if (lanes >= 8) {
        __builtin_memcpy(&low, p, 8);
        __builtin_memcpy(&high, p + lanes - 8, 8);
        high = lanes > 8 ? high >> 8 * (16 - lanes) : 0;
    } else if (lanes >= 4) {
        __builtin_memcpy(&a, p, 4);
        __builtin_memcpy(&b, p + lanes - 4, 4);
        low = a | (uint64_t)b << 8 * (lanes - 4);
    } else if (lanes > 0) {
        low = p[0] | (uint64_t)p[lanes / 2] << 8 * (lanes / 2) | (uint64_t)p[lanes - 1] << 8 * (lanes - 1);
    }
    return vcombine_u8(vcreate_u8(low), vcreate_u8(high));
}
WORD(void) vb_store(uint8_t *p, int64_t lanes, vb a)
{
    if (lanes == VB_LANES) { vst1q_u8(p, a); return; }
    uint64_t rest = vgetq_lane_u64(vreinterpretq_u64_u8(a), 0);
    if (lanes & 8) { __builtin_memcpy(p, &rest, 8); p += 8; rest = vgetq_lane_u64(vreinterpretq_u64_u8(a), 1); }
    if (lanes & 4) { __builtin_memcpy(p, &rest, 4); p += 4; rest >>= 32; }
    if (lanes & 2) { __builtin_memcpy(p, &rest, 2); p += 2; rest >>= 16; }
    if (lanes & 1) *p = (uint8_t)rest;
}
WORD(void) vb_stream(uint8_t *p, vb a) { vst1q_u8(p, a); }
WORD(vb) vb_add(vb a, vb b) { return vaddq_u8(a, b); }
WORD(vb) vb_xor(vb a, vb b) { return veorq_u8(a, b); }
WORD(vb) vb_max(vb a, vb b) { return vmaxq_u8(a, b); }
WORD(vbm) vb_equal(vb a, vb b) { return vceqq_u8(a, b); }
WORD(vb) vb_select(vbm m, vb a, vb b) { return vbslq_u8(m, a, b); }
WORD(vbm) vbm_and_first(vbm m, int64_t lanes)
{
    const vb iota = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return vandq_u8(m, vcltq_u8(iota, vb_set((uint8_t)lanes)));
}
WORD(int64_t) vbm_count(vbm m) { return vaddvq_u8(vshrq_n_u8(m, 7)); }
WORD(vb) vb_evens(vb a, vb b) { return vuzp1q_u8(a, b); }
WORD(vb) vb_odds(vb a, vb b) { return vuzp2q_u8(a, b); }
WORD(vb) vb_zip_low(vb a, vb b) { return vzip1q_u8(a, b); }
WORD(vb) vb_zip_high(vb a, vb b) { return vzip2q_u8(a, b); }

#undef WORD
/* clang-format on */

#endif
