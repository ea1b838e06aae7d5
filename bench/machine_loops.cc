// SPDX-License-Identifier: MIT
//
// See machine_loops.h. LOOPS_TIER names the tier this compilation is for.
#include "machine_loops.h"

#if defined(__x86_64__)
#    include <immintrin.h>
#endif

namespace bench
{
namespace
{

#if defined(__AVX512F__)
typedef float Vector __attribute__((vector_size(64)));
enum { chains = 24 }; // of 32 registers
void stream(char *to, Vector v)
{
    _mm512_stream_ps(reinterpret_cast<float *>(to), v);
}
#elif defined(__AVX2__)
typedef float Vector __attribute__((vector_size(32)));
enum { chains = 12 }; // of 16 registers: 4 cycles of latency at 2 a cycle need 8
void stream(char *to, Vector v)
{
    _mm256_stream_ps(reinterpret_cast<float *>(to), v);
}
#elif defined(__x86_64__)
typedef float Vector __attribute__((vector_size(16)));
enum { chains = 12 };
void stream(char *to, Vector v)
{
    _mm_stream_ps(reinterpret_cast<float *>(to), v);
}
#else
typedef float Vector __attribute__((vector_size(16)));
enum { chains = 24 };
void stream(char *to, Vector v)
{
    *reinterpret_cast<Vector *>(to) = v;
}
#endif

enum { lanes = sizeof(Vector) / sizeof(float), step = 4 * sizeof(Vector) };

// The compiler may not know v from here on, and must have it.
inline void opaque(Vector &v)
{
#if defined(__x86_64__)
    asm volatile("" : "+x"(v));
#else
    asm volatile("" : "+w"(v));
#endif
}

// Keeps loops from being replaced by calls of memcpy and memset, and stores from being dropped.
inline void barrier()
{
    asm volatile("" ::: "memory");
}

inline void streamed()
{
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

// One chain for each element of a; recursion, because every index must be a constant for a to live in registers.
template <int n> inline __attribute__((always_inline)) void advance(Vector *a, const Vector &x, const Vector &y)
{
    advance<n - 1>(a, x, y);
    a[n - 1] = a[n - 1] * x + y;
}
template <> inline __attribute__((always_inline)) void advance<0>(Vector *, const Vector &, const Vector &) {}

void fma(int64_t steps)
{
    Vector a[chains], x = Vector{} + 0.999f, y = Vector{} + 0.001f;
    for (int i = 0; i < chains; i++) a[i] = y;
    opaque(x);
    opaque(y);
    for (int64_t i = 0; i < steps; i++) advance<chains>(a, x, y);
    for (int i = 0; i < chains; i++) opaque(a[i]);
}

inline Vector load(const char *from)
{
    return *reinterpret_cast<const Vector *>(from);
}
inline void put(char *to, Vector v)
{
    *reinterpret_cast<Vector *>(to) = v;
}

void copy(char *to, const char *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += step) {
        Vector v[4];
        for (int k = 0; k < 4; k++) v[k] = load(from + i + k * sizeof(Vector));
        for (int k = 0; k < 4; k++) put(to + i + k * sizeof(Vector), v[k]);
        barrier();
    }
}

void copy_nt(char *to, const char *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += step) {
        Vector v[4];
        for (int k = 0; k < 4; k++) v[k] = load(from + i + k * sizeof(Vector));
        for (int k = 0; k < 4; k++) stream(to + i + k * sizeof(Vector), v[k]);
        barrier();
    }
    streamed();
}

void store(char *to, const char *, size_t bytes)
{
    Vector v = Vector{} + 1;
    for (size_t i = 0; i < bytes; i += step) {
        for (int k = 0; k < 4; k++) put(to + i + k * sizeof(Vector), v);
        barrier();
    }
}

void store_nt(char *to, const char *, size_t bytes)
{
    Vector v = Vector{} + 1;
    for (size_t i = 0; i < bytes; i += step) {
        for (int k = 0; k < 4; k++) stream(to + i + k * sizeof(Vector), v);
        barrier();
    }
    streamed();
}

void read(char *, const char *from, size_t bytes)
{
    Vector sum[4] = {};
    for (size_t i = 0; i < bytes; i += step)
        for (int k = 0; k < 4; k++) sum[k] += load(from + i + k * sizeof(Vector));
    for (int k = 0; k < 4; k++) opaque(sum[k]);
}

} // namespace

#define JOIN(a, b) a##b
#define LOOPS(tier) JOIN(loops_, tier)
#define TEXT(tier) #tier
#define NAME(tier) TEXT(tier)
const Loops LOOPS(LOOPS_TIER) = {
    NAME(LOOPS_TIER), int64_t{2} * chains *lanes, fma, copy, copy_nt, store, store_nt, read};

} // namespace bench
