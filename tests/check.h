/* SPDX-License-Identifier: MIT
 *
 * What the tests share: repeatable random numbers, values that find mistakes, memory with guard pages, comparison.
 */
#ifndef UPS_CHECK_H
#define UPS_CHECK_H

#include <stddef.h>
#include <stdint.h>

/* ---- random numbers ----
 * One stream per process. Its seed is UPS_TEST_SEED, else the clock; the first number drawn prints it. */

uint32_t check_random(void);
int64_t check_between(int64_t low, int64_t high); /* low and high included */

/* UPS_TEST_QUICK=1: fewer cases, for emulators. */
int check_quick(void);

/* ---- values ---- */

enum check_fill {
    CHECK_PLAIN,   /* all 24 bits of the mantissa, within +-2 */
    CHECK_TIES,    /* -1, -0, +0, 1, 2: many equal neighbours */
    CHECK_SPECIAL, /* half of them NaN of several payloads, infinities, denormals, both zeros, huge and tiny numbers */
    CHECK_FILLS
};

void check_fill(float *p, int64_t n, enum check_fill fill);

/* ---- memory ----
 *
 *     | no access | canaries | data | canaries | no access |
 *
 * The data stands flush against the inaccessible page at one of its ends, so that a read beyond it faults, or in the
 * middle on an odd multiple of its element. Start with {0}; it is reused by every check_place and never freed. */

enum check_place { CHECK_AT_END, CHECK_AT_START, CHECK_IN_MIDDLE, CHECK_PLACES };

struct check_memory {
    unsigned char *room; /* between the two guards */
    size_t room_bytes;
    unsigned char *data;
    size_t bytes;
};

/* `bytes` (0 is fine) of canaries, a multiple of `element`. */
void *check_place(struct check_memory *memory, size_t bytes, size_t element, enum check_place place);

/* 1 if the canaries around the data are intact: looks at 128 bytes on each side. */
int check_margins(const struct check_memory *memory);

/* ---- comparison ---- */

/* First i with other bits in got than in want, or -1. With any_nan a NaN equals every NaN, whatever its payload. */
int64_t check_first_difference(const float *got, const float *want, int64_t n, int any_nan);

/* Largest |got[i] - want[i]|, its place in *where (NULL: not wanted); infinite if one is NaN and the other not, or if
 * infinities differ. */
double check_max_error(const float *got, const double *want, int64_t n, int64_t *where);

/* The bits of a float, for messages and exact comparison. */
uint32_t check_bits(float v);

#endif
