/* SPDX-License-Identifier: MIT
 *
 * Packing around the matrix tile.
 */
#include "deconv.h"

/* A panel holds nr columns side by side, one row of nr per step of depth, columns beyond the last as zeros. Reading runs
 * along the columns: their places in the caller's weights differ by layout, phase and channel, and come as a list. */
void ups_pack_panel(float *to, int64_t nr, int64_t columns, const float *from, const int64_t *column, int64_t depth,
                    int64_t step, int64_t to_step)
{
    for (int64_t k = 0; k < depth; k++) {
        const float *row = from + k * step;
        float *out = to + k * to_step;
        for (int64_t j = 0; j < columns; j++) out[j] = row[column[j]];
        for (int64_t j = columns; j < nr; j++) out[j] = 0;
    }
}
