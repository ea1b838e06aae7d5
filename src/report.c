/* SPDX-License-Identifier: MIT */
#include "report.h"

#include <inttypes.h>

#include "upsample/upsample.h"

void ups_report_begin(struct ups_report *r, int32_t format, char *text, size_t capacity)
{
    *r = (struct ups_report){format, {text, text ? capacity : 0, 0}, 0};
    if (format == UPS_JSON) ups_put(&r->to, "{");
}

int64_t ups_report_end(struct ups_report *r)
{
    if (r->format == UPS_JSON) ups_put(&r->to, "}");
    return r->to.length;
}

static void key(struct ups_report *r, const char *name)
{
    if (r->format == UPS_JSON)
        ups_put(&r->to, "%s\"%s\": ", r->items++ ? ", " : "", name);
    else
        ups_put(&r->to, "%s: ", name);
}

static void line_end(struct ups_report *r)
{
    if (r->format != UPS_JSON) ups_put(&r->to, "\n");
}

void ups_report_string(struct ups_report *r, const char *name, const char *value)
{
    if (!value && r->format != UPS_JSON) return;
    key(r, name);
    if (!value)
        ups_put(&r->to, "null");
    else
        ups_put(&r->to, r->format == UPS_JSON ? "\"%s\"" : "%s", value);
    line_end(r);
}

void ups_report_flag(struct ups_report *r, const char *name, bool value)
{
    key(r, name);
    ups_put(&r->to, "%s", r->format == UPS_JSON ? value ? "true" : "false" : value ? "yes" : "no");
    line_end(r);
}

void ups_report_number(struct ups_report *r, const char *name, int64_t value)
{
    key(r, name);
    ups_put(&r->to, "%" PRId64, value);
    line_end(r);
}

void ups_report_numbers(struct ups_report *r, const char *name, const int64_t *values, int count)
{
    const char *separator = r->format == UPS_JSON ? ", " : " x ";
    key(r, name);
    ups_put(&r->to, "%s", r->format == UPS_JSON ? "[" : "");
    for (int i = 0; i < count; i++) ups_put(&r->to, "%s%" PRId64, i ? separator : "", values[i]);
    ups_put(&r->to, "%s", r->format == UPS_JSON ? "]" : "\n");
}

void ups_report_open(struct ups_report *r, const char *name)
{
    key(r, name);
    if (r->format == UPS_JSON) ups_put(&r->to, "[");
    r->items = 0;
}

void ups_report_add(struct ups_report *r, const char *value)
{
    ups_put(&r->to, r->format == UPS_JSON ? "%s\"%s\"" : "%s%s", r->items++ ? ", " : "", value);
}

void ups_report_pair(struct ups_report *r, const char *key1, const char *value1, const char *key2, const char *value2)
{
    if (r->format == UPS_JSON)
        ups_put(&r->to, "%s{\"%s\": \"%s\", \"%s\": \"%s\"}", r->items++ ? ", " : "", key1, value1, key2, value2);
    else
        ups_put(&r->to, "%s%s (%s)", r->items++ ? "; " : "", value1, value2);
}

void ups_report_close(struct ups_report *r)
{
    if (r->format == UPS_JSON) ups_put(&r->to, "]");
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
    for (int i = 0; i < count; i++) ups_report_add(r, kernels[i]);
    ups_report_close(r);
    ups_report_string(r, "tile", NULL);
    ups_report_number(r, "macs", 0);
    ups_report_number(r, "packed_bytes", 0);
}
