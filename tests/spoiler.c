/* SPDX-License-Identifier: MIT
 *
 * For tests/test_bench: loaded before the library, it spoils the middle output of every run that is not the scalar tier's,
 * by another amount for another tier or algorithm.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <string.h>

#include "upsample/upsample.h"

int32_t ups_run(const ups_plan *plan, ups_buffers *buffers, void *workspace, size_t workspace_bytes)
{
    int32_t (*real)(const ups_plan *, ups_buffers *, void *, size_t);
    char text[65536];
    ups_tensor dst = {.size = sizeof dst};
    int64_t at = 0;

    *(void **)&real = dlsym(RTLD_NEXT, "ups_run");
    int32_t status = real(plan, buffers, workspace, workspace_bytes);
    if (status || ups_plan_describe(plan, UPS_JSON, text, sizeof text) < 0 || strstr(text, "\"scalar\"")) return status;
    if (ups_plan_tensor(plan, UPS_ROLE_DST, &dst)) return status;
    for (int i = 0; i < dst.rank + 2; i++) at += dst.dims[i] / 2 * dst.strides[i];
    unsigned sum = 0;
    for (const char *c = text; *c; c++) sum += (unsigned char)*c;
    ((float *)buffers->dst)[at] += 1 + (float)(sum % 97);
    return status;
}
