/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "upsample/upsample.h"

static void put(struct ups_report *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct ups_report *r, const char *format, ...)
{
    size_t used = (size_t)r->length < r->capacity ? (size_t)r->length : r->capacity;
    va_list arguments;
    va_start(arguments, format);
    r->length += vsnprintf(r->capacity ? r->text + used : NULL, r->capacity - used, format, arguments);
    va_end(arguments);
}

void ups_report_begin(struct ups_report *r, int32_t format, char *text, size_t capacity)
{
    *r = (struct ups_report){format, text, text ? capacity : 0, 0, 0};
    if (format == UPS_JSON)
        put(r, "{");
}

int64_t ups_report_end(struct ups_report *r)
{
    if (r->format == UPS_JSON)
        put(r, "}");
    return r->length;
}

static void key(struct ups_report *r, const char *name)
{
    if (r->format == UPS_JSON)
        put(r, "%s\"%s\": ", r->items++ ? ", " : "", name);
    else
        put(r, "%s: ", name);
}

static void line_end(struct ups_report *r)
{
    if (r->format != UPS_JSON)
        put(r, "\n");
}

void ups_report_string(struct ups_report *r, const char *name, const char *value)
{
    if (!value && r->format != UPS_JSON)
        return;
    key(r, name);
    if (!value)
        put(r, "null");
    else
        put(r, r->format == UPS_JSON ? "\"%s\"" : "%s", value);
    line_end(r);
}

void ups_report_number(struct ups_report *r, const char *name, int64_t value)
{
    key(r, name);
    put(r, "%" PRId64, value);
    line_end(r);
}

void ups_report_numbers(struct ups_report *r, const char *name, const int64_t *values, int count)
{
    const char *separator = r->format == UPS_JSON ? ", " : " x ";
    key(r, name);
    put(r, "%s", r->format == UPS_JSON ? "[" : "");
    for (int i = 0; i < count; i++)
        put(r, "%s%" PRId64, i ? separator : "", values[i]);
    put(r, "%s", r->format == UPS_JSON ? "]" : "\n");
}

void ups_report_open(struct ups_report *r, const char *name)
{
    key(r, name);
    if (r->format == UPS_JSON)
        put(r, "[");
    r->items = 0;
}

void ups_report_add(struct ups_report *r, const char *value)
{
    put(r, r->format == UPS_JSON ? "%s\"%s\"" : "%s%s", r->items++ ? ", " : "", value);
}

void ups_report_pair(struct ups_report *r, const char *key1, const char *value1, const char *key2, const char *value2)
{
    if (r->format == UPS_JSON)
        put(r, "%s{\"%s\": \"%s\", \"%s\": \"%s\"}", r->items++ ? ", " : "", key1, value1, key2, value2);
    else
        put(r, "%s%s (%s)", r->items++ ? "; " : "", value1, value2);
}

void ups_report_close(struct ups_report *r)
{
    if (r->format == UPS_JSON)
        put(r, "]");
    r->items = 1;
    line_end(r);
}

void ups_report_direct(struct ups_report *r, const char *reason, const char *const *kernels, int count)
{
    ups_report_string(r, "algorithm", "direct");
    ups_report_string(r, "reason", reason);
    ups_report_open(r, "refused");
    ups_report_close(r);
    ups_report_open(r, "kernels");
    for (int i = 0; i < count; i++)
        ups_report_add(r, kernels[i]);
    ups_report_close(r);
    ups_report_string(r, "tile", NULL);
    ups_report_number(r, "macs", 0);
    ups_report_number(r, "packed_bytes", 0);
}
