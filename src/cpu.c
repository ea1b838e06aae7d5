/* SPDX-License-Identifier: MIT
 *
 * The only file that knows which CPU it runs on.
 *
 * A tier is used only if cpuinfo and the compiler's own check agree. cpuinfo's accessors are inline functions over an
 * exported struct, so in a process that carries another copy of it (a framework's) the wrong struct may answer; and in
 * sandboxes without /proc it fails altogether. Then the compiler's check, which also asks the operating system's XCR0,
 * decides alone. Nothing of cpuinfo but that struct is used: its other accessors abort when they believe that it was not
 * initialised.
 */
#define _GNU_SOURCE
#include "cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"

#if defined(__x86_64__)
#    include <cpuid.h>
#endif
#if UPS_HAVE_CPUINFO
#    include <cpuinfo.h>
#else
#    define cpuinfo_initialize() 0
#endif

#if defined(__x86_64__)

static const char *refuse_avx2(void)
{
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
        return "the CPU or its system lacks AVX2 or FMA";
#    if UPS_HAVE_CPUINFO
    if (cpuinfo_initialize() && !(cpuinfo_has_x86_avx2() && cpuinfo_has_x86_fma3() && cpuinfo_has_x86_f16c()))
        return "cpuinfo does not report AVX2, FMA3 and F16C";
#    endif
    return NULL;
}

static const char *refuse_avx512(void)
{
    const char *refusal = refuse_avx2();
    if (refusal) return refusal;
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
        return "the CPU or its system lacks AVX-512 F, BW, DQ or VL";
#    if UPS_HAVE_CPUINFO
    if (cpuinfo_initialize() && !(cpuinfo_has_x86_avx512f() && cpuinfo_has_x86_avx512bw() &&
                                  cpuinfo_has_x86_avx512dq() && cpuinfo_has_x86_avx512vl()))
        return "cpuinfo does not report AVX-512 F, BW, DQ and VL";
#    endif
    return NULL;
}

#elif defined(__aarch64__)

/* Advanced SIMD with f32 is part of the AArch64 baseline; nothing to ask yet. */
static const char *refuse_neon(void)
{
    return NULL;
}

#endif

static const char *refuse_none(void)
{
    return NULL;
}

static const struct {
    const struct ups_kernels *kernels;
    const char *(*refusal)(void);
} tiers[] = {
    {&ups_kernels_scalar, refuse_none},
#if defined(__x86_64__)
    {&ups_kernels_avx2, refuse_avx2},
    {&ups_kernels_avx512, refuse_avx512},
#elif defined(__aarch64__)
    {&ups_kernels_neon, refuse_neon},
#endif
};

enum { TIERS = sizeof tiers / sizeof *tiers };

const struct ups_kernels *ups_tier(int i)
{
    return i >= 0 && i < TIERS ? tiers[i].kernels : NULL;
}

const char *ups_tier_refusal(int i)
{
    return tiers[i].refusal();
}

/* The place of a tier's name in the list, or -1 after setting the error. `source` says where the word stood. */
static int tier_of_word(const char *word, const char *source)
{
    for (int i = 0; i < TIERS; i++)
        if (!strcmp(tiers[i].kernels->isa, word)) return i;
    ups_error(UPS_INVALID, "%s = \"%.40s\" is not a tier of this build; legal: %s", source, word,
              TIERS == 3   ? "scalar, avx2, avx512"
              : TIERS == 2 ? "scalar, neon"
                           : "scalar");
    return -1;
}

const struct ups_kernels *ups_best_tier(const char *cap)
{
    const char *words[] = {cap, secure_getenv("UPSAMPLE_MAX_ISA")};
    const char *sources[] = {"options.max_isa", "environment variable UPSAMPLE_MAX_ISA"};
    int best = TIERS - 1;
    for (int k = 0; k < 2; k++) {
        if (!words[k] || (k == 1 && !*words[k])) continue;
        int i = tier_of_word(words[k], sources[k]);
        if (i < 0) return NULL;
        if (i < best) best = i;
    }
    while (tiers[best].refusal()) best--;
    return tiers[best].kernels;
}

/* Level 3 as a core sees it, 0 if nothing tells. The C library's answer may be the whole processor's or its host's: 320 MiB on a
 * guest of a Zen 4 whose cores share 32 MiB by eight. */
static int64_t ask_last_cache(void)
{
#if defined(__x86_64__)
    const uint32_t leaf = __builtin_cpu_is("amd") ? 0x8000001d : 4; /* the same answer by either name */
    uint32_t a, b, c, d;
    for (uint32_t i = 0; i < 8 && __get_cpuid_count(leaf, i, &a, &b, &c, &d) && (a & 31); i++)
        if ((a >> 5 & 7) == 3)
            return (int64_t)((b >> 22) + 1) * ((b >> 12 & 1023) + 1) * ((b & 4095) + 1) * ((int64_t)c + 1);
#endif
    return 0;
}

int64_t ups_cache_bytes(int level)
{
    /* Emulators and some containers report 0; then the smallest cache of a current core. */
    int64_t bytes = level == 3 ? ask_last_cache() : 0;
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    if (bytes <= 0)
        bytes = sysconf(level == 1   ? _SC_LEVEL1_DCACHE_SIZE
                        : level == 2 ? _SC_LEVEL2_CACHE_SIZE
                                     : _SC_LEVEL3_CACHE_SIZE);
#endif
    if (bytes > 0) return bytes;
    return level == 1 ? 32 * 1024 : level == 2 ? 512 * 1024 : 8 * 1024 * 1024;
}

/* On small pages each 4 KiB of the packed weights are a fault when they are packed, and a miss of the translation in every
 * run. Nobody hears of a system that has no large ones. */
void ups_ask_large_pages(void *block, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = ((uintptr_t)block + page - 1) / page * page;
    int before = errno;
    if (bytes >= 4 << 20) madvise((void *)first, ((uintptr_t)block + bytes - first) / page * page, MADV_HUGEPAGE);
    errno = before;
#else
    (void)block, (void)bytes;
#endif
}
