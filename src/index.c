/* SPDX-License-Identifier: MIT */
#include "index.h"

#include <inttypes.h>

#include "error.h"
#include "size.h"

int32_t ups_index_check(const union ups_desc *desc)
{
    bool pool = desc->head.op == UPS_MAX_POOL;
    int32_t index = pool ? desc->pool.index : desc->unpool.index;
    int32_t type = pool ? desc->pool.index_type : desc->unpool.index_type;
    const int64_t *kernel = pool ? desc->pool.kernel_shape : desc->unpool.kernel_shape;
    int64_t taps = 1;
    if (type != UPS_U8) return UPS_OK;
    if (!ups_index_is_window(index))
        return ups_error(UPS_INVALID, "index_type = u8 beside index = %s; legal: window, window_column",
                         ups_field_word(desc->head.op, "index", index));
    for (int i = 0; i < desc->head.rank; i++)
        if (!ups_multiply(&taps, kernel[i]) || taps > 255)
            return ups_error(UPS_INVALID,
                             "index_type = u8 beside a window of more than 255 taps; legal: i32, i64, f32");
    return UPS_OK;
}

size_t ups_index_bytes(int32_t type)
{
    return type == UPS_I64 ? 8 : type == UPS_U8 ? 1 : 4;
}

int64_t ups_index_most(int32_t type)
{
    switch (type) {
    case UPS_U8: return 254;
    case UPS_F32: return (INT64_C(1) << 24) - 1;
    case UPS_I32: return INT32_MAX;
    default: return INT64_MAX;
    }
}

int64_t ups_index_load(const void *indices, int32_t type, int64_t place)
{
    float value;
    switch (type) {
    case UPS_I64: return ((const int64_t *)indices)[place];
    case UPS_I32: return ((const int32_t *)indices)[place];
    case UPS_U8: return ((const uint8_t *)indices)[place] == 255 ? -1 : ((const uint8_t *)indices)[place];
    default:
        value = ((const float *)indices)[place];
        return value >= 0 && value < 0x1p31f && value == (float)(int64_t)value ? (int64_t)value : -1;
    }
}

void ups_index_store(void *indices, int32_t type, int64_t place, int64_t index)
{
    switch (type) {
    case UPS_I64: ((int64_t *)indices)[place] = index; break;
    case UPS_I32: ((int32_t *)indices)[place] = (int32_t)index; break;
    case UPS_U8: ((uint8_t *)indices)[place] = (uint8_t)index; break; /* -1 is 255 */
    default: ((float *)indices)[place] = (float)index; break;
    }
}

int64_t ups_index_largest(const ups_pool_desc *desc, const int64_t *dims)
{
    int64_t plane = 1, taps = 1;
    for (int i = 0; i < desc->rank; i++) {
        plane *= dims[2 + i]; /* fits: the tensor does */
        if (!ups_multiply(&taps, desc->kernel_shape[i])) taps = INT64_MAX;
    }
    switch (desc->index) {
    case UPS_INDEX_PLANE: return plane - 1;
    case UPS_INDEX_CHANNEL:
    case UPS_INDEX_NHWC: return plane * dims[1] - 1;
    case UPS_INDEX_WINDOW:
    case UPS_INDEX_WINDOW_COLUMN: return taps - 1;
    default: return plane * dims[1] * ups_max(dims[0], 1) - 1;
    }
}

int32_t ups_convert_indices(const void *desc, const int64_t *dims, const void *indices, int32_t to_index,
                            int32_t to_index_type, void *converted, int64_t *bad_count, int64_t *bad_first)
{
    (void)desc, (void)dims, (void)indices, (void)to_index, (void)to_index_type, (void)converted, (void)bad_count,
        (void)bad_first;
    return ups_error(UPS_UNSUPPORTED, "ups_convert_indices is not built yet");
}
