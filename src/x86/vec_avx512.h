/* SPDX-License-Identifier: MIT
 *
 * The words of the vector texts, spoken in AVX-512 F, BW, DQ, VL: vf is 16 floats, vi 16 int32, vm a mask of 16 lanes.
 * A word means the same bits on every tier. `lanes` is 0 to VF_LANES: nothing beyond p[lanes - 1] is touched, lanes
 * not loaded are 0. With the constant VF_LANES the plain instruction remains.
 */
#ifndef UPS_VEC_AVX512_H
#define UPS_VEC_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#define VF_LANES 16
#define ISA(kernel) ups_##kernel##_avx512

/* 28 accumulators, 2 vectors of b, 1 of a, of 32 registers. */
#define GEMM_ROWS 14
#define GEMM_NARROW_ROWS 14 /* with fewer vectors of columns */
#define GEMM_VECTORS 2
#define GEMM_TILES ROWS_TO_14(1) ROWS_TO_14(2)
#define GEMM_KERNEL gemm_14x32

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;

#define VB_LANES 64
typedef __m512i vb;
typedef __mmask64 vbm;

/* clang-format off */
#define WORD(type) static inline type

WORD(vf) vf_set(float a) { return _mm512_set1_ps(a); }
WORD(vi) vi_set(int32_t a) { return _mm512_set1_epi32(a); }
WORD(vi) vi_iota(void) { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }

/* Memory. */
WORD(vm) vm_first(int64_t lanes) { return (vm)((1u << lanes) - 1); }
WORD(vf) vf_load(const float *p, int64_t lanes)
{ return lanes == VF_LANES ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(vm_first(lanes), p); }
WORD(vi) vi_load(const int32_t *p, int64_t lanes)
{ return lanes == VF_LANES ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi32(vm_first(lanes), p); }
WORD(void) vf_store(float *p, int64_t lanes, vf a)
{ if (lanes == VF_LANES) _mm512_storeu_ps(p, a); else _mm512_mask_storeu_ps(p, vm_first(lanes), a); }
WORD(void) vi_store(int32_t *p, int64_t lanes, vi a)
{ if (lanes == VF_LANES) _mm512_storeu_si512(p, a); else _mm512_mask_storeu_epi32(p, vm_first(lanes), a); }
WORD(vi) vi_load_u8(const uint8_t *p, int64_t lanes)
{
    return _mm512_cvtepu8_epi32(lanes == VF_LANES ? _mm_loadu_si128((const void *)p) : _mm_maskz_loadu_epi8(vm_first(lanes), p));
}
/* The low bytes; base + a in 64 bits. */
WORD(void) vi_store_u8(uint8_t *p, int64_t lanes, vi a)
{
    const __m128i bytes = _mm512_cvtepi32_epi8(a);
    if (lanes == VF_LANES) _mm_storeu_si128((void *)p, bytes); else _mm_mask_storeu_epi8(p, vm_first(lanes), bytes);
}
WORD(void) vi_store_i64(int64_t *p, int64_t lanes, vi a, int64_t base)
{
    const __m512i low = _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_castsi512_si256(a)), _mm512_set1_epi64(base));
    const __m512i high = _mm512_add_epi64(_mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(a, 1)), _mm512_set1_epi64(base));
    if (lanes == VF_LANES) { _mm512_storeu_si512(p, low); _mm512_storeu_si512(p + 8, high); return; }
    _mm512_mask_storeu_epi64(p, (__mmask8)vm_first(lanes), low);
    _mm512_mask_storeu_epi64(p + 8, (__mmask8)(vm_first(lanes) >> 8), high);
}
/* Past the caches, to multiples of 64 bytes; stream_end before anyone else may look. */
WORD(void) vf_stream(float *p, vf a) { _mm512_stream_ps(p, a); }
WORD(void) vi_stream_i64(int64_t *p, vi a, int64_t base)
{
    const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(a)), high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(a, 1));
    _mm512_stream_si512((void *)p, _mm512_add_epi64(low, _mm512_set1_epi64(base)));
    _mm512_stream_si512((void *)(p + 8), _mm512_add_epi64(high, _mm512_set1_epi64(base)));
}
WORD(void) stream_end(void) { _mm_sfence(); }
WORD(vf) vf_broadcast(const float *p) { return _mm512_set1_ps(*p); }
/* a, in a register from here on; emits nothing. A compiler would rather load it again for each use, as an operand of the
 * arithmetic, and a load across two cache lines costs as much as two. */
WORD(vf) vf_keep(vf a) { __asm__("" : "+v"(a)); return a; }
/* x[index[i]] */
WORD(vf) vf_gather(const float *x, const int32_t *index, int64_t lanes)
{ return _mm512_mask_i32gather_ps(vf_set(0), vm_first(lanes), vi_load(index, lanes), x, 4); }

/* Arithmetic. max: a > b ? a : b, and min: a < b ? a : b, so b if either is NaN or both are zero. */
WORD(vf) vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
WORD(vf) vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
WORD(vf) vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
WORD(vf) vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
WORD(vf) vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); } /* a*b + c */
WORD(vf) vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
WORD(vf) vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
WORD(vi) vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
WORD(vi) vi_shift_left(vi a, int bits) { return _mm512_slli_epi32(a, (unsigned)bits); }

/* Masks. select: the lanes of a where m, else those of b. */
WORD(vm) vf_less(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
WORD(vm) vf_is_nan(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
WORD(vm) vi_equal(vi a, vi b) { return _mm512_cmpeq_epi32_mask(a, b); }
WORD(vm) vm_or(vm a, vm b) { return _kor_mask16(a, b); }
WORD(vm) vm_and(vm a, vm b) { return _kand_mask16(a, b); }
WORD(vm) vm_and_ordered(vm m, vf a, vf b) { return _mm512_mask_cmp_ps_mask(m, a, b, _CMP_ORD_Q); } /* and neither is NaN */
WORD(vm) vm_all(void) { return 0xffff; }
WORD(int) vm_is_all(vm m) { return m == 0xffff; }
WORD(int) vm_any(vm m) { return m != 0; }
WORD(int64_t) vm_count(vm m) { return __builtin_popcount(m); }
WORD(vf) vf_select(vm m, vf a, vf b) { return _mm512_mask_blend_ps(m, b, a); }
WORD(vi) vi_select(vm m, vi a, vi b) { return _mm512_mask_blend_epi32(m, b, a); }

/* Of the 32 lanes a, b: the even ones, the odd ones. And a0 b0 a1 b1 …: its first half, its second half. */
WORD(vi) vi_evens_of_32(void) { return _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30); }
WORD(vi) vi_zip_of_32(void) { return _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23); }
WORD(vf) vf_evens(vf a, vf b) { return _mm512_permutex2var_ps(a, vi_evens_of_32(), b); }
WORD(vf) vf_odds(vf a, vf b) { return _mm512_permutex2var_ps(a, vi_add(vi_evens_of_32(), vi_set(1)), b); }
WORD(vf) vf_zip_low(vf a, vf b) { return _mm512_permutex2var_ps(a, vi_zip_of_32(), b); }
WORD(vf) vf_zip_high(vf a, vf b) { return _mm512_permutex2var_ps(a, vi_add(vi_zip_of_32(), vi_set(8)), b); }
/* a[order[i]] */
WORD(vf) vf_permute(vf a, vi order) { return _mm512_permutexvar_ps(order, a); }
/* Lanes 1, 2, 3 … of a, then *p. */
WORD(vf) vf_shift_in(vf a, const float *p)
{ return _mm512_castsi512_ps(_mm512_alignr_epi32(_mm512_castps_si512(vf_broadcast(p)), _mm512_castps_si512(a), 1)); }
/* Every third element from p, p + 1, p + 2 on. 16 is 1 more than a multiple of 3, so the lanes of one class differ in the three
 * vectors: two blends collect it, one permutation puts it in order. */
WORD(vf) vf_third(vf a, vf b, vf c, vm from_b, vm from_c, vi order)
{ return _mm512_permutexvar_ps(order, _mm512_mask_blend_ps(from_c, _mm512_mask_blend_ps(from_b, a, b), c)); }
WORD(void) vf_load_thirds(const float *p, vf v[3])
{
    const vf a = _mm512_loadu_ps(p), b = _mm512_loadu_ps(p + 16), c = _mm512_loadu_ps(p + 32);
    const vi order = _mm512_setr_epi32(0, 3, 6, 9, 12, 15, 2, 5, 8, 11, 14, 1, 4, 7, 10, 13), one = vi_set(1);
    v[0] = vf_third(a, b, c, 0x4924, 0x2492, order);
    v[1] = vf_third(a, b, c, 0x9249, 0x4924, _mm512_add_epi32(order, one));
    v[2] = vf_third(a, b, c, 0x2492, 0x9249, _mm512_add_epi32(order, vi_set(2)));
}
/* The other way: a0 b0 c0 a1 b1 c1 … */
WORD(void) vf_zip_thirds(vf v[3])
{
    const vi order = _mm512_setr_epi32(0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10, 5);
    const vf a = _mm512_permutexvar_ps(order, v[0]);
    const vf b = _mm512_permutexvar_ps(_mm512_setr_epi32(5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10), v[1]);
    const vf c = _mm512_permutexvar_ps(_mm512_setr_epi32(10, 5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15), v[2]);
    v[0] = _mm512_mask_blend_ps(0x4924, _mm512_mask_blend_ps(0x2492, a, b), c);
    v[1] = _mm512_mask_blend_ps(0x2492, _mm512_mask_blend_ps(0x9249, a, b), c);
    v[2] = _mm512_mask_blend_ps(0x9249, _mm512_mask_blend_ps(0x4924, a, b), c);
}
WORD(vf) vi_as_vf(vi a) { return _mm512_castsi512_ps(a); }
WORD(vi) vf_as_vi(vf a) { return _mm512_castps_si512(a); }

/* Bytes: vb is VB_LANES of them, unsigned, vbm a mask of as many. */
WORD(vb) vb_set(uint8_t a) { return _mm512_set1_epi8((char)a); }
WORD(vbm) vbm_first(int64_t lanes) { return lanes >= VB_LANES ? ~UINT64_C(0) : (UINT64_C(1) << lanes) - 1; }
WORD(vb) vb_load(const uint8_t *p, int64_t lanes)
{ return lanes == VB_LANES ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi8(vbm_first(lanes), p); }
WORD(void) vb_store(uint8_t *p, int64_t lanes, vb a)
{ if (lanes == VB_LANES) _mm512_storeu_si512(p, a); else _mm512_mask_storeu_epi8(p, vbm_first(lanes), a); }
WORD(void) vb_stream(uint8_t *p, vb a) { _mm512_stream_si512((void *)p, a); }
WORD(vb) vb_add(vb a, vb b) { return _mm512_add_epi8(a, b); }
WORD(vb) vb_xor(vb a, vb b) { return _mm512_xor_si512(a, b); }
WORD(vb) vb_max(vb a, vb b) { return _mm512_max_epu8(a, b); }
WORD(vbm) vb_equal(vb a, vb b) { return _mm512_cmpeq_epi8_mask(a, b); }
WORD(vb) vb_select(vbm m, vb a, vb b) { return _mm512_mask_blend_epi8(m, b, a); }
WORD(vbm) vbm_and_first(vbm m, int64_t lanes) { return m & vbm_first(lanes); }
WORD(int64_t) vbm_count(vbm m) { return __builtin_popcountll(m); }
WORD(vb) vb_order(vb a) { return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), a); }
WORD(vb) vb_evens(vb a, vb b)
{
    const __m512i low = _mm512_set1_epi16(255);
    return vb_order(_mm512_packus_epi16(_mm512_and_si512(a, low), _mm512_and_si512(b, low)));
}
WORD(vb) vb_odds(vb a, vb b) { return vb_order(_mm512_packus_epi16(_mm512_srli_epi16(a, 8), _mm512_srli_epi16(b, 8))); }
WORD(vb) vb_zip_low(vb a, vb b)
{
    const __m512i order = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    return _mm512_permutex2var_epi64(_mm512_unpacklo_epi8(a, b), order, _mm512_unpackhi_epi8(a, b));
}
WORD(vb) vb_zip_high(vb a, vb b)
{
    const __m512i order = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    return _mm512_permutex2var_epi64(_mm512_unpacklo_epi8(a, b), order, _mm512_unpackhi_epi8(a, b));
}

#undef WORD
/* clang-format on */

#endif
