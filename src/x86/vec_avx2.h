/* SPDX-License-Identifier: MIT
 *
 * The words of the vector texts, spoken in AVX2 with FMA: vf is 8 floats, vi 8 int32, vm a mask of 8 lanes.
 * A word means the same bits on every tier. `lanes` is 0 to VF_LANES: nothing beyond p[lanes - 1] is touched, lanes
 * not loaded are 0. With the constant VF_LANES the plain instruction remains.
 */
#ifndef UPS_VEC_AVX2_H
#define UPS_VEC_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#define VF_LANES 8
#define ISA(kernel) ups_##kernel##_avx2

/* 12 accumulators, 2 vectors of b, 1 of a: one of the 16 registers stays free, and no compiler spills. */
#define GEMM_ROWS 6
#define GEMM_NARROW_ROWS 12 /* with fewer vectors of columns */
#define GEMM_VECTORS 2
#define GEMM_TILES ROWS_TO_12(1) ROWS_TO_6(2)
#define GEMM_KERNEL gemm_6x16

typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;

#define VB_LANES 32
typedef __m256i vb;
typedef __m256i vbm;

/* clang-format off */
#define WORD(type) static inline type

WORD(vf) vf_set(float a) { return _mm256_set1_ps(a); }
WORD(vi) vi_set(int32_t a) { return _mm256_set1_epi32(a); }
WORD(vi) vi_iota(void) { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }

/* Memory. */
WORD(vi) vi_first(int64_t lanes) { return _mm256_cmpgt_epi32(vi_set((int32_t)lanes), vi_iota()); }
WORD(vf) vf_load(const float *p, int64_t lanes)
{ return lanes == VF_LANES ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, vi_first(lanes)); }
WORD(vi) vi_load(const int32_t *p, int64_t lanes)
{ return lanes == VF_LANES ? _mm256_loadu_si256((const void *)p) : _mm256_maskload_epi32(p, vi_first(lanes)); }
/* Halves and halves of those: masked stores take 1.4 to 1.8 times as long on Zen 4, over whole short rows. */
WORD(void) vf_store(float *p, int64_t lanes, vf a)
{
    __m128 half = _mm256_castps256_ps128(a);
    if (lanes == VF_LANES) { _mm256_storeu_ps(p, a); return; }
    if (lanes & 4) { _mm_storeu_ps(p, half); p += 4; half = _mm256_extractf128_ps(a, 1); }
    if (lanes & 2) { _mm_storel_pi((void *)p, half); p += 2; half = _mm_movehl_ps(half, half); }
    if (lanes & 1) _mm_store_ss(p, half);
}
WORD(void) vi_store(int32_t *p, int64_t lanes, vi a) { vf_store((void *)p, lanes, _mm256_castsi256_ps(a)); }
WORD(vi) vi_load_u8(const uint8_t *p, int64_t lanes)
{
    if (lanes == VF_LANES) return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p));
    uint64_t all = 0;
    for (int64_t i = lanes; i-- > 0;) all = all << 8 | p[i];
    return _mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)all));
}
/* The low bytes; base + a in 64 bits. */
WORD(void) vi_store_u8(uint8_t *p, int64_t lanes, vi a)
{
    const __m256i bytes = _mm256_shuffle_epi8(a, _mm256_set1_epi32(0x0c080400));
    const __m128i all = _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    if (lanes == VF_LANES) { _mm_storel_epi64((void *)p, all); return; }
    uint64_t rest = (uint64_t)_mm_cvtsi128_si64(all);
    for (int64_t i = 0; i < lanes; i++, rest >>= 8) p[i] = (uint8_t)rest;
}
WORD(void) vi_store_i64(int64_t *p, int64_t lanes, vi a, int64_t base)
{
    const __m256i low = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(a)), _mm256_set1_epi64x(base));
    const __m256i high = _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_extracti128_si256(a, 1)), _mm256_set1_epi64x(base));
    const int64_t half = lanes < 4 ? lanes : 4;
    vf_store((float *)p, 2 * half, _mm256_castsi256_ps(low));
    vf_store((float *)(p + half), 2 * (lanes - half), _mm256_castsi256_ps(high));
}
/* Past the caches, to multiples of 64 bytes; stream_end before anyone else may look. */
WORD(void) vf_stream(float *p, vf a) { _mm256_stream_ps(p, a); }
WORD(void) vi_stream_i64(int64_t *p, vi a, int64_t base)
{
    const __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(a)), high = _mm256_cvtepi32_epi64(_mm256_extracti128_si256(a, 1));
    _mm256_stream_si256((void *)p, _mm256_add_epi64(low, _mm256_set1_epi64x(base)));
    _mm256_stream_si256((void *)(p + 4), _mm256_add_epi64(high, _mm256_set1_epi64x(base)));
}
WORD(void) stream_end(void) { _mm_sfence(); }
WORD(vf) vf_broadcast(const float *p) { return _mm256_broadcast_ss(p); }
/* a, in a register from here on; emits nothing. A compiler would rather load it again for each use, as an operand of the
 * arithmetic, and a load across two cache lines costs as much as two. */
WORD(vf) vf_keep(vf a) { __asm__("" : "+x"(a)); return a; }
/* x[index[i]] */
WORD(vf) vf_gather(const float *x, const int32_t *index, int64_t lanes)
{ return _mm256_mask_i32gather_ps(vf_set(0), x, vi_load(index, lanes), _mm256_castsi256_ps(vi_first(lanes)), 4); }

/* Arithmetic. max: a > b ? a : b, and min: a < b ? a : b, so b if either is NaN or both are zero. */
WORD(vf) vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
WORD(vf) vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
WORD(vf) vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
WORD(vf) vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
WORD(vf) vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); } /* a*b + c */
WORD(vf) vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
WORD(vf) vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
WORD(vi) vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
WORD(vi) vi_shift_left(vi a, int bits) { return _mm256_slli_epi32(a, bits); }

/* Masks. select: the lanes of a where m, else those of b. */
WORD(vm) vf_less(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
WORD(vm) vf_is_nan(vf a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
WORD(vm) vi_equal(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)); }
WORD(vm) vm_or(vm a, vm b) { return _mm256_or_ps(a, b); }
WORD(vm) vm_first(int64_t lanes) { return _mm256_castsi256_ps(vi_first(lanes)); }
WORD(vm) vm_and(vm a, vm b) { return _mm256_and_ps(a, b); }
WORD(vm) vm_and_ordered(vm m, vf a, vf b) { return _mm256_and_ps(m, _mm256_cmp_ps(a, b, _CMP_ORD_Q)); } /* and neither is NaN */
WORD(vm) vm_all(void) { return _mm256_castsi256_ps(vi_set(-1)); }
WORD(int) vm_is_all(vm m) { return _mm256_movemask_ps(m) == 0xff; }
WORD(int) vm_any(vm m) { return _mm256_movemask_ps(m) != 0; }
WORD(int64_t) vm_count(vm m) { return __builtin_popcount((unsigned)_mm256_movemask_ps(m)); }
WORD(vf) vf_select(vm m, vf a, vf b) { return _mm256_blendv_ps(b, a, m); }
WORD(vi) vi_select(vm m, vi a, vi b) { return _mm256_blendv_epi8(b, a, _mm256_castps_si256(m)); }

/* Of the 16 lanes a, b: the even ones, the odd ones. And a0 b0 a1 b1 …: its first half, its second half. */
WORD(vf) vf_join(vf a, vf b, int high) /* half of a, the same half of b */
{ return high ? _mm256_permute2f128_ps(a, b, 0x31) : _mm256_permute2f128_ps(a, b, 0x20); }
WORD(vf) vf_order(vf a) { return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(a), 0xd8)); }
WORD(vf) vf_evens(vf a, vf b) { return vf_order(_mm256_shuffle_ps(a, b, 0x88)); }
WORD(vf) vf_odds(vf a, vf b) { return vf_order(_mm256_shuffle_ps(a, b, 0xdd)); }
WORD(vf) vf_zip_low(vf a, vf b) { return vf_join(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0); }
WORD(vf) vf_zip_high(vf a, vf b) { return vf_join(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 1); }
/* a[order[i]] */
WORD(vf) vf_permute(vf a, vi order) { return _mm256_permutevar8x32_ps(a, order); }
/* Lanes 1, 2, 3 … of a, then *p. */
WORD(vf) vf_shift_in(vf a, const float *p)
{ return _mm256_blend_ps(_mm256_permutevar8x32_ps(a, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0)), vf_broadcast(p), 0x80); }
/* Every third element from p, p + 1, p + 2 on. 8 is 1 less than a multiple of 3, so the lanes of one class differ in the three
 * vectors: two blends collect it, one permutation puts it in order. */
WORD(void) vf_load_thirds(const float *p, vf v[3])
{
    const vf a = _mm256_loadu_ps(p), b = _mm256_loadu_ps(p + 8), c = _mm256_loadu_ps(p + 16);
    v[0] = _mm256_blend_ps(_mm256_blend_ps(a, b, 0x92), c, 0x24);
    v[1] = _mm256_blend_ps(_mm256_blend_ps(a, b, 0x24), c, 0x49);
    v[2] = _mm256_blend_ps(_mm256_blend_ps(a, b, 0x49), c, 0x92);
    v[0] = _mm256_permutevar8x32_ps(v[0], _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5));
    v[1] = _mm256_permutevar8x32_ps(v[1], _mm256_setr_epi32(1, 4, 7, 2, 5, 0, 3, 6));
    v[2] = _mm256_permutevar8x32_ps(v[2], _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7));
}
/* The other way: a0 b0 c0 a1 b1 c1 … */
WORD(void) vf_zip_thirds(vf v[3])
{
    const vf a = _mm256_permutevar8x32_ps(v[0], _mm256_setr_epi32(0, 3, 6, 1, 4, 7, 2, 5));
    const vf b = _mm256_permutevar8x32_ps(v[1], _mm256_setr_epi32(5, 0, 3, 6, 1, 4, 7, 2));
    const vf c = _mm256_permutevar8x32_ps(v[2], _mm256_setr_epi32(2, 5, 0, 3, 6, 1, 4, 7));
    v[0] = _mm256_blend_ps(_mm256_blend_ps(a, b, 0x92), c, 0x24);
    v[1] = _mm256_blend_ps(_mm256_blend_ps(a, b, 0x24), c, 0x49);
    v[2] = _mm256_blend_ps(_mm256_blend_ps(a, b, 0x49), c, 0x92);
}
WORD(vf) vi_as_vf(vi a) { return _mm256_castsi256_ps(a); }
WORD(vi) vf_as_vi(vf a) { return _mm256_castps_si256(a); }

/* Bytes: vb is VB_LANES of them, unsigned, vbm a mask of as many. */
WORD(vb) vb_set(uint8_t a) { return _mm256_set1_epi8((char)a); }
/* Fewer than 16, from pieces that overlap. */
WORD(__m128i) vb_load_half(const uint8_t *p, int64_t lanes)
{
    uint64_t low = 0, high = 0;
    uint32_t a = 0, b = 0;
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
    return _mm_set_epi64x((int64_t)high, (int64_t)low);
}
WORD(vb) vb_load(const uint8_t *p, int64_t lanes)
{
    static const int8_t slide[32] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    if (lanes == VB_LANES) return _mm256_loadu_si256((const void *)p);
    if (lanes < 16) return _mm256_zextsi128_si256(vb_load_half(p, lanes));
    const __m128i end = _mm_loadu_si128((const void *)(p + lanes - 16));
    const __m128i high = _mm_shuffle_epi8(end, _mm_loadu_si128((const void *)(slide + 32 - lanes)));
    return _mm256_set_m128i(high, _mm_loadu_si128((const void *)p));
}
WORD(void) vb_store(uint8_t *p, int64_t lanes, vb a)
{
    if (lanes == VB_LANES) { _mm256_storeu_si256((void *)p, a); return; }
    __m128i half = _mm256_castsi256_si128(a);
    if (lanes & 16) { _mm_storeu_si128((void *)p, half); p += 16; half = _mm256_extracti128_si256(a, 1); }
    uint64_t rest = (uint64_t)_mm_cvtsi128_si64(half);
    if (lanes & 8) { _mm_storel_epi64((void *)p, half); p += 8; rest = (uint64_t)_mm_extract_epi64(half, 1); }
    if (lanes & 4) { __builtin_memcpy(p, &rest, 4); p += 4; rest >>= 32; }
    if (lanes & 2) { __builtin_memcpy(p, &rest, 2); p += 2; rest >>= 16; }
    if (lanes & 1) *p = (uint8_t)rest;
}
WORD(void) vb_stream(uint8_t *p, vb a) { _mm256_stream_si256((void *)p, a); }
WORD(vb) vb_add(vb a, vb b) { return _mm256_add_epi8(a, b); }
WORD(vb) vb_xor(vb a, vb b) { return _mm256_xor_si256(a, b); }
WORD(vb) vb_max(vb a, vb b) { return _mm256_max_epu8(a, b); }
WORD(vbm) vb_equal(vb a, vb b) { return _mm256_cmpeq_epi8(a, b); }
WORD(vb) vb_select(vbm m, vb a, vb b) { return _mm256_blendv_epi8(b, a, m); }
WORD(vbm) vbm_and_first(vbm m, int64_t lanes)
{
    static const int8_t slide[64] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    return _mm256_and_si256(m, _mm256_loadu_si256((const void *)(slide + 32 - lanes)));
}
WORD(int64_t) vbm_count(vbm m) { return __builtin_popcount((unsigned)_mm256_movemask_epi8(m)); }
WORD(vb) vb_evens(vb a, vb b)
{
    const __m256i low = _mm256_set1_epi16(255);
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low)), 0xd8);
}
WORD(vb) vb_odds(vb a, vb b)
{ return _mm256_permute4x64_epi64(_mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8)), 0xd8); }
WORD(vb) vb_zip_low(vb a, vb b)
{ return _mm256_permute2x128_si256(_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b), 0x20); }
WORD(vb) vb_zip_high(vb a, vb b)
{ return _mm256_permute2x128_si256(_mm256_unpacklo_epi8(a, b), _mm256_unpackhi_epi8(a, b), 0x31); }

#undef WORD
/* clang-format on */

#endif
