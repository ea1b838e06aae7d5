/* SPDX-License-Identifier: MIT
 *
 * Which tiers exist, and which this machine may run. The only interface that knows about CPUs.
 */
#ifndef UPS_CPU_H
#define UPS_CPU_H

#include "kernels.h"

/* The i-th tier compiled in, lowest first (scalar is 0); NULL past the last. */
const struct ups_kernels *ups_tier(int i);

/* NULL if this CPU and its system run the i-th tier, else the reason why not. Thread-safe, lazy. */
const char *ups_tier_refusal(int i);

/* The best tier this machine runs that is not above `cap` (a tier name, NULL for none) nor above UPSAMPLE_MAX_ISA.
 * NULL after setting the thread's error: an unknown word. */
const struct ups_kernels *ups_best_tier(const char *cap);

/* Bytes of level-1 data, level-2 and level-3 cache; a default where the system does not tell. Takes microseconds, more on a
 * virtual machine: an op asks, its plans do not. */
int64_t ups_cache_bytes(int level);

/* Asks the system for large pages behind a block of several of them, where it knows such and waits to be asked. */
void ups_ask_large_pages(void *block, size_t bytes);

#endif
