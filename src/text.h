/* SPDX-License-Identifier: MIT
 *
 * Text into a buffer that may be too short: the length needed is counted all the same, as snprintf does.
 */
#ifndef UPS_TEXT_H
#define UPS_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ups_text {
    char *text; /* NULL only with capacity 0 */
    size_t capacity;
    int64_t length;
};

static inline void ups_put(struct ups_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static inline void ups_put(struct ups_text *t, const char *format, ...)
{
    size_t used = (size_t)t->length < t->capacity ? (size_t)t->length : t->capacity;
    va_list arguments;
    va_start(arguments, format);
    t->length += vsnprintf(t->capacity ? t->text + used : NULL, t->capacity - used, format, arguments);
    va_end(arguments);
}

#endif
