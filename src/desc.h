/* SPDX-License-Identifier: MIT
 *
 * Descriptors inside the library: one union, one field table per operation, presets.
 */
#ifndef UPS_DESC_H
#define UPS_DESC_H

#include "upsample/upsample.h"

union ups_desc {
    ups_desc_head head;
    ups_pool_desc pool;
    ups_unpool_desc unpool;
    ups_expand_desc expand;
    ups_resize_desc resize;
    ups_conv_transpose_desc conv_transpose;
};

/* The word of an enum field's value, "?" if it has none. */
const char *ups_field_word(int32_t op, const char *field, int32_t value);

/* Copies a caller's descriptor of any known or future size, resolves what follows from its preset, and checks every
 * field on its own and with the others. The result is what ops and shapes work on. */
int32_t ups_desc_read(union ups_desc *to, const void *from);

/* preset.c: fills a descriptor of an operation with a preset's meaning; UPS_INVALID for an unknown preset. */
int32_t ups_preset_fill(union ups_desc *desc, int32_t op, const char *preset);
/* Replaces UPS_BY_PRESET wherever the other fields of the descriptor decide it. */
void ups_preset_resolve(union ups_desc *desc);
/* The name of a preset's number, NULL if there is none. */
const char *ups_preset_name(int32_t preset);

#endif
