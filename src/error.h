/* SPDX-License-Identifier: MIT
 *
 * The one sentence that explains the last failure on this thread.
 */
#ifndef UPS_ERROR_H
#define UPS_ERROR_H

#include <stddef.h>
#include <stdint.h>

#include "upsample/upsample.h"

/* Sets the sentence and returns the status, so that a check is one line: if (bad) return ups_error(UPS_INVALID, "…"). */
int32_t ups_error(int32_t status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A struct that is larger than the `known` bytes of this library: what is behind them must be 0. */
int32_t ups_check_tail(const char *name, const void *caller, uint32_t size, size_t known);

#endif
