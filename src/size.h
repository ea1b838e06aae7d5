/* SPDX-License-Identifier: MIT
 *
 * Checked size arithmetic and the integer divisions that round the way geometry needs.
 */
#ifndef UPS_SIZE_H
#define UPS_SIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Lengths of axes, kernels, strides: small enough that a product of two never overflows int64_t. */
#define UPS_MAX_LENGTH INT64_C(2147483647)

static inline int64_t ups_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t ups_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* a/b rounded down and up, b > 0. */
static inline int64_t ups_floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}
static inline int64_t ups_ceil_div(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}
/* What ups_floor_div leaves: in [0, b). */
static inline int64_t ups_floor_mod(int64_t a, int64_t b)
{
    return a - ups_floor_div(a, b) * b;
}
static inline int64_t ups_round_up(int64_t a, int64_t b)
{
    return ups_ceil_div(a, b) * b;
}

/* From the first tap of a window to its last, both counted. */
static inline int64_t ups_extent(int64_t kernel, int64_t dilation)
{
    return dilation * (kernel - 1) + 1;
}

static inline int64_t ups_gcd(int64_t a, int64_t b)
{
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* *product *= factor; false when it would leave int64_t. */
static inline bool ups_multiply(int64_t *product, int64_t factor)
{
    return !__builtin_mul_overflow(*product, factor, product);
}

/* Bytes of a*b*c elements, for workspaces; far too many stay far too many instead of wrapping. */
#define UPS_TOO_MANY_BYTES (SIZE_MAX / 64)
static inline size_t ups_bytes(int64_t a, int64_t b, int64_t c, size_t element)
{
    int64_t bytes = (int64_t)element;
    bool fits = ups_multiply(&bytes, a) && ups_multiply(&bytes, b) && ups_multiply(&bytes, c);
    return fits && (size_t)bytes < UPS_TOO_MANY_BYTES ? (size_t)bytes : UPS_TOO_MANY_BYTES;
}

#endif
