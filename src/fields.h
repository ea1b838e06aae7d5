/* SPDX-License-Identifier: MIT
 *
 * The field tables: one row per field of a descriptor. They drive setting from text, getting as text, the range checks and
 * their sentences, differences, and what the command and the docs say of a field; nothing else in the library knows the
 * names of fields.
 */
#ifndef UPS_FIELDS_H
#define UPS_FIELDS_H

#include <stdbool.h>

#include "desc.h"

struct ups_word {
    const char *text;
    int32_t value;
    const char *meaning;
};

enum ups_kind {
    UPS_KIND_NUMBER,     /* int32_t */
    UPS_KIND_LENGTH,     /* int64_t */
    UPS_KIND_WORD,       /* int32_t with names */
    UPS_KIND_AXES,       /* int64_t[3], one value per axis */
    UPS_KIND_PADS,       /* two int64_t[3], all begins, then all ends */
    UPS_KIND_SCALES,     /* double[3], more than 0 */
    UPS_KIND_REAL,       /* double, finite */
    UPS_KIND_ROI,        /* double[6], finite: begins from the first, ends from the fourth */
    UPS_KIND_SUBSET,     /* int32_t, bit i for axis i */
    UPS_KIND_ACTIVATION, /* int32_t with names, followed by its two double parameters */
};

struct ups_field {
    const char *name;
    enum ups_kind kind;
    size_t offset;
    int64_t low, high;
    bool by_preset; /* UPS_BY_PRESET is a legal value */
    const struct ups_word *words;
    const char *meaning;  /* what it decides, as half a sentence */
    const char *known_as; /* "framework name; framework name" where the name differs; NULL */
};

struct ups_operation {
    int32_t op;
    const char *word;
    size_t size;
    const struct ups_field *fields; /* the last has no name */
};

/* NULL for an operation, a field that there is not. */
const struct ups_operation *ups_find_operation(int32_t op);
const struct ups_field *ups_find_field(int32_t op, const char *name);

/* The word of a value, NULL if it has none. */
const struct ups_word *ups_find_word(const struct ups_field *field, int32_t value);

/* Writes the words of a field, separated by commas; returns text. */
const char *ups_legal_words(const struct ups_field *field, char *text, size_t capacity);

/* Bytes of the descriptor that a field takes. */
size_t ups_field_bytes(const struct ups_field *field);

/* Whether a field of this descriptor is UPS_BY_PRESET. */
bool ups_is_by_preset(const struct ups_field *field, const union ups_desc *desc);

#endif
