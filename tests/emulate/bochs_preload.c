// SPDX-License-Identifier: MIT
//
// Preloaded into the Python that runs bochs_user.py. It does two things that the bochscpu-python wheel (0.4.0) does not:
//   - supplies two names that the wheel wants from glibc 2.38, and Debian 12 has 2.36;
//   - lets BOCHS_MODEL choose the emulated CPU. The wheel always builds the one of create_corei3_cnl_cpuid; Bochs has a
//     function of that form for each model, and this file takes the place of the first to call the one we name.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

unsigned long long __isoc23_strtoull(const char *text, char **end, int base);
int __isoc23_sscanf(const char *text, const char *format, ...);
void *_Z23create_corei3_cnl_cpuidP8BX_CPU_C(void *cpu);

unsigned long long __isoc23_strtoull(const char *text, char **end, int base)
{
    return strtoull(text, end, base);
}

int __isoc23_sscanf(const char *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int converted = vsscanf(text, format, arguments);
    va_end(arguments);
    return converted;
}

// Leaves the path of the wheel's own shared object in *path.
static int find_wheel(struct dl_phdr_info *object, size_t size, void *path)
{
    (void)size;
    if (!strstr(object->dlpi_name, "_bochscpu.")) return 0;
    *(const char **)path = object->dlpi_name;
    return 1;
}

void *_Z23create_corei3_cnl_cpuidP8BX_CPU_C(void *cpu)
{
    const char *model = getenv("BOCHS_MODEL");
    const char *path = NULL;
    void *(*create)(void *) = NULL;
    char symbol[128]; // the mangled name of create_MODEL_cpuid(BX_CPU_C *)

    if (!model) model = "";
    snprintf(symbol, sizeof symbol, "_Z%zucreate_%s_cpuidP8BX_CPU_C",
             strlen("create_") + strlen(model) + strlen("_cpuid"), model);
    dl_iterate_phdr(find_wheel, &path);
    void *wheel = path ? dlopen(path, RTLD_NOLOAD | RTLD_LAZY) : NULL;
    if (wheel) *(void **)&create = dlsym(wheel, symbol);
    if (!create) {
        fprintf(stderr, "bochs: no CPU model '%s'\n", model);
        _Exit(2);
    }
    return create(cpu);
}
