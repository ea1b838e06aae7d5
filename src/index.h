/* SPDX-License-Identifier: MIT
 *
 * Switches: what an index says in each convention, and the types it is stored in.
 */
#ifndef UPS_INDEX_H
#define UPS_INDEX_H

#include <stdbool.h>
#include <stddef.h>

#include "desc.h"

/* The tensor that the indices of a convention address: N, C and three spatial axes, a lower rank with leading axes of 1. */
struct ups_index_space {
    int32_t convention;
    int64_t n, c, size[3];
};

/* Every convention is a sum: position (d, h, w) of (n, c) has index n*steps.n + c*steps.c + d*axis[0] + h*axis[1] +
 * w*axis[2]. For a window convention d, h, w are the tap, and n and c count nothing. */
struct ups_index_steps {
    int64_t n, c, axis[3];
};

static inline bool ups_index_is_window(int32_t convention)
{
    return convention == UPS_INDEX_WINDOW || convention == UPS_INDEX_WINDOW_COLUMN;
}

/* size: of the space, or of the window. */
struct ups_index_steps ups_index_steps(const struct ups_index_space *space, const int64_t size[3]);

/* The inverse, for an element of (*n, *c), which stay what they are where the convention does not name them; *plane is the
 * row-major position. false: no place of the space. Not for the window conventions. */
bool ups_index_decode(const struct ups_index_space *space, int64_t index, int64_t *n, int64_t *c, int64_t *plane);

/* The tap that an index of a window convention names; false: none of the window. */
bool ups_index_tap(int32_t convention, const int64_t kernel[3], int64_t index, int64_t tap[3]);

/* Bytes of one of a type, index or element. */
static inline size_t ups_type_bytes(int32_t type)
{
    return type == UPS_I64 ? 8 : type == UPS_U8 || type == UPS_S8 ? 1 : 4;
}

/* The index at a place of an array: -1 for what is no whole number, and for 255 in u8. */
static inline int64_t ups_index_load(const void *indices, int32_t type, int64_t place)
{
    if (type == UPS_I64) return ((const int64_t *)indices)[place];
    if (type == UPS_I32) return ((const int32_t *)indices)[place];
    if (type == UPS_U8) return ((const uint8_t *)indices)[place] == 255 ? -1 : ((const uint8_t *)indices)[place];
    float value = ((const float *)indices)[place];
    return value >= 0 && value < 0x1p31f && value == (float)(int64_t)value ? (int64_t)value : -1;
}

static inline void ups_index_store(void *indices, int32_t type, int64_t place, int64_t index)
{
    switch (type) {
    case UPS_I64: ((int64_t *)indices)[place] = index; break;
    case UPS_I32: ((int32_t *)indices)[place] = (int32_t)index; break;
    case UPS_U8: ((uint8_t *)indices)[place] = (uint8_t)index; break; /* -1 is 255 */
    default: ((float *)indices)[place] = (float)index; break;
    }
}

/* The largest index that a type holds. */
int64_t ups_index_most(int32_t type);

/* The largest index that a pooling of an input of `dims` (N, C, spatial) may record; INT64_MAX, which no type holds, where
 * it is more than that. */
int64_t ups_index_largest(const ups_pool_desc *desc, const int64_t *dims);

/* Whether the descriptor's index_type holds it. */
int32_t ups_index_check_largest(const ups_pool_desc *desc, const int64_t *dims);

#endif
