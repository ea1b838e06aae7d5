/* SPDX-License-Identifier: MIT
 *
 * Writes what the library says about itself, as text ("key: value" lines) or as one JSON object, into a buffer that may
 * be too short; the length needed is counted all the same. Keys and values hold no quotes or control characters.
 */
#ifndef UPS_REPORT_H
#define UPS_REPORT_H

#include <stdbool.h>

#include "text.h"

struct ups_report {
    int32_t format; /* UPS_TEXT or UPS_JSON */
    struct ups_text to;
    int items; /* so far, in the innermost list or object */
};

void ups_report_begin(struct ups_report *report, int32_t format, char *text, size_t capacity);
int64_t ups_report_end(struct ups_report *report); /* the length needed, without NUL */

void ups_report_string(struct ups_report *report, const char *key,
                       const char *value); /* NULL: JSON null, no text line */
void ups_report_flag(struct ups_report *report, const char *key, bool value); /* JSON true, text yes */
void ups_report_number(struct ups_report *report, const char *key, int64_t value);
void ups_report_numbers(struct ups_report *report, const char *key, const int64_t *values, int count);

/* A list of strings: open, add, close. */
void ups_report_open(struct ups_report *report, const char *key);
void ups_report_add(struct ups_report *report, const char *value);
/* A list of pairs: open, add pairs, close. */
void ups_report_pair(struct ups_report *report, const char *key1, const char *value1, const char *key2,
                     const char *value2);
void ups_report_close(struct ups_report *report);

/* What an operation with a single algorithm, no weights and no multiply-adds says of itself. */
void ups_report_direct(struct ups_report *report, const char *reason, const char *const *kernels, int count);

#endif
