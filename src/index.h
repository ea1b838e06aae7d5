/* SPDX-License-Identifier: MIT
 *
 * Switches: what an index says in each convention, and the types it is stored in.
 */
#ifndef UPS_INDEX_H
#define UPS_INDEX_H

#include <stdbool.h>

#include "desc.h"

/* The tensor an index addresses: N, C and three spatial axes, a lower rank with leading axes of 1. */
struct ups_index_space {
    int32_t convention;
    int64_t c, size[3];
};

static inline bool ups_index_is_window(int32_t convention)
{
    return convention == UPS_INDEX_WINDOW || convention == UPS_INDEX_WINDOW_COLUMN;
}

/* The index of position `at` of (n, c). Not for the window conventions. */
static inline int64_t ups_index_encode(const struct ups_index_space *s, int64_t n, int64_t c, const int64_t at[3])
{
    int64_t plane = (at[0] * s->size[1] + at[1]) * s->size[2] + at[2], elements = s->size[0] * s->size[1] * s->size[2];
    switch (s->convention) {
    case UPS_INDEX_TENSOR: return (n * s->c + c) * elements + plane;
    case UPS_INDEX_TENSOR_COLUMN: return (n * s->c + c) * elements + at[0] + (at[1] + at[2] * s->size[1]) * s->size[0];
    case UPS_INDEX_CHANNEL: return c * elements + plane;
    case UPS_INDEX_NHWC: return plane * s->c + c;
    case UPS_INDEX_NHWC_BATCH: return (n * elements + plane) * s->c + c;
    default: return plane;
    }
}

/* Bytes of an index of a type, and the index at a place of an array: -1 for what is no whole number, and for 255 in u8. */
size_t ups_index_bytes(int32_t type);
int64_t ups_index_load(const void *indices, int32_t type, int64_t place);
void ups_index_store(void *indices, int32_t type, int64_t place, int64_t index); /* -1 in u8: 255 */

/* The largest index that a type holds. */
int64_t ups_index_most(int32_t type);

/* The largest index that a pooling of an input of `dims` (N, C, spatial) may record. */
int64_t ups_index_largest(const ups_pool_desc *desc, const int64_t *dims);

#endif
