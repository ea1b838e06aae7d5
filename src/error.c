/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char last_error[512];

int32_t ups_error(int32_t status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return status;
}

const char *ups_last_error(void)
{
    return last_error;
}

const char *ups_status_string(int32_t status)
{
    switch (status) {
    case UPS_OK: return "ok";
    case UPS_INVALID: return "invalid argument";
    case UPS_UNSUPPORTED: return "not supported";
    case UPS_NO_MEMORY: return "out of memory";
    case UPS_BAD_INDEX: return "index out of range";
    default: return "unknown status";
    }
}

int32_t ups_check_tail(const char *name, const void *caller, uint32_t size, size_t known)
{
    for (size_t i = known; i < size; i++)
        if (((const char *)caller)[i])
            return ups_error(UPS_INVALID, "%s.size = %" PRIu32 " and byte %zu is not 0; this library knows %zu bytes",
                             name, size, i, known);
    return UPS_OK;
}
