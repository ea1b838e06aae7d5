// SPDX-License-Identifier: MIT
//
// A libcpuinfo that claims everything, to be preloaded. In a process that carries another copy of cpuinfo, the inline
// accessors of <cpuinfo.h> may read a cpuinfo_isa that nobody filled for this CPU; the library must survive such answers.
// Caches and cores are those of the real one.
#define _GNU_SOURCE
#include <cpuinfo.h>
#include <dlfcn.h>
#include <string.h>

struct cpuinfo_x86_isa cpuinfo_isa; // takes the place of the library's own

bool cpuinfo_initialize(void)
{
    bool (*real)(void) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "cpuinfo_initialize");
    if (real) real();
    memset(&cpuinfo_isa, 1, sizeof cpuinfo_isa); // bools, all true
    return true;
}
