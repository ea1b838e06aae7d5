// SPDX-License-Identifier: MIT
//
// The loops whose rates are a tier's ceiling. machine_loops.cc is compiled once per tier, with that tier's flags, and holds
// nothing else: its code must not be reached where the tier does not run.
#ifndef UPS_BENCH_MACHINE_LOOPS_H
#define UPS_BENCH_MACHINE_LOOPS_H

#include <stddef.h>
#include <stdint.h>

namespace bench
{

struct Loops {
    const char *isa;
    // steps * fma_flops multiply-adds' flops on registers alone, in enough independent chains to fill every unit. The scalar
    // tier multiplies and adds apart, as scalar.c is compiled to.
    int64_t fma_flops;
    void (*fma)(int64_t steps);
    // All on `bytes`, a multiple of 256, of aligned memory; _nt with stores that pass the caches by.
    void (*copy)(char *to, const char *from, size_t bytes);
    void (*copy_nt)(char *to, const char *from, size_t bytes);
    void (*store)(char *to, const char *from, size_t bytes); // from is not read
    void (*store_nt)(char *to, const char *from, size_t bytes);
    void (*read)(char *to, const char *from, size_t bytes); // to is not written
};

extern const Loops loops_scalar;
#if defined(__x86_64__)
extern const Loops loops_avx2, loops_avx512;
#elif defined(__aarch64__)
extern const Loops loops_neon;
#endif

} // namespace bench
#endif
