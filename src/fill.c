/* SPDX-License-Identifier: MIT
 *
 * Weights with which a transposed convolution is upsampling.
 */
#include "error.h"

int32_t ups_fill_weights(const void *desc, int32_t kind, float *weights)
{
    (void)desc, (void)kind, (void)weights;
    return ups_error(UPS_UNSUPPORTED, "ups_fill_weights is not built yet");
}
