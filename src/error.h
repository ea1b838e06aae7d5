/* SPDX-License-Identifier: MIT
 *
 * The one sentence that explains the last failure on this thread.
 */
#ifndef UPS_ERROR_H
#define UPS_ERROR_H

#include <stdint.h>

#include "upsample/upsample.h"

/* Sets the sentence and returns the status, so that a check is one line: if (bad) return ups_error(UPS_INVALID, "…"). */
int32_t ups_error(int32_t status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
