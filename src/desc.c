/* SPDX-License-Identifier: MIT
 *
 * The field table. One row per field of a descriptor drives setting from text, getting as text, the range checks and
 * their sentences; nothing else in the library knows the names of fields.
 */
#include "desc.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "size.h"
#include "text.h"

struct word {
    const char *text;
    int32_t value;
};

enum kind {
    NUMBER,     /* int32_t */
    LENGTH,     /* int64_t */
    WORD,       /* int32_t with names */
    AXES,       /* int64_t[3], one value per axis */
    PADS,       /* two int64_t[3], all begins, then all ends */
    SCALES,     /* double[3] */
    ACTIVATION, /* int32_t with names, followed by its two double parameters */
};

struct field {
    const char *name;
    enum kind kind;
    size_t offset;
    int64_t low, high;
    bool by_preset; /* UPS_BY_PRESET is a legal value */
    const struct word *words;
};

static const struct word dtype_words[] = {{"f32", UPS_F32}, {NULL, 0}};
static const struct word layout_words[] = {{"first", UPS_CHANNELS_FIRST}, {"last", UPS_CHANNELS_LAST}, {NULL, 0}};
static const struct word index_words[] = {{"plane", UPS_INDEX_PLANE}, {NULL, 0}};
static const struct word index_type_words[] = {{"i64", UPS_I64}, {"i32", UPS_I32}, {NULL, 0}};
static const struct word mode_words[] = {{"nearest", UPS_MODE_NEAREST}, {"linear", UPS_MODE_LINEAR}, {NULL, 0}};
static const struct word coordinate_words[] = {
    {"half_pixel", UPS_HALF_PIXEL}, {"align_corners", UPS_ALIGN_CORNERS}, {"asymmetric", UPS_ASYMMETRIC}, {NULL, 0}};
static const struct word nearest_words[] = {{"floor", UPS_NEAREST_FLOOR},
                                            {"ceil", UPS_NEAREST_CEIL},
                                            {"round_prefer_floor", UPS_ROUND_PREFER_FLOOR},
                                            {"round_prefer_ceil", UPS_ROUND_PREFER_CEIL},
                                            {NULL, 0}};
static const struct word arithmetic_words[] = {
    {"f64", UPS_COORDINATES_F64}, {"torch", UPS_COORDINATES_TORCH}, {NULL, 0}};
static const struct word weights_words[] = {{"IOHW", UPS_IOHW}, {"OIHW", UPS_OIHW}, {"HWOI", UPS_HWOI},
                                            {"OHWI", UPS_OHWI}, {"HWIO", UPS_HWIO}, {NULL, 0}};
static const struct word activation_words[] = {
    {"none", UPS_NO_ACTIVATION}, {"relu", UPS_RELU}, {"leaky_relu", UPS_LEAKY_RELU}, {"clip", UPS_CLIP}, {NULL, 0}};

#define HEAD_FIELDS                                                                \
    {"dtype", WORD, offsetof(ups_desc_head, dtype), 0, 0, false, dtype_words},     \
        {"rank", NUMBER, offsetof(ups_desc_head, rank), 1, 3, false, NULL},        \
    {                                                                              \
        "layout", WORD, offsetof(ups_desc_head, layout), 0, 0, false, layout_words \
    }
#define AXES_OF(type, name, low, by_preset) {#name, AXES, offsetof(type, name), low, UPS_MAX_LENGTH, by_preset, NULL}
#define PADS_OF(type) {"pads", PADS, offsetof(type, pads_begin), 0, UPS_MAX_LENGTH, false, NULL}
#define WORD_OF(type, name, words, by_preset) {#name, WORD, offsetof(type, name), 0, 0, by_preset, words}
#define LENGTH_OF(type, name) {#name, LENGTH, offsetof(type, name), 1, UPS_MAX_LENGTH, false, NULL}
#define END {NULL, NUMBER, 0, 0, 0, false, NULL}

static const struct field pool_fields[] = {
    HEAD_FIELDS,
    AXES_OF(ups_pool_desc, kernel_shape, 1, false),
    AXES_OF(ups_pool_desc, strides, 1, true),
    AXES_OF(ups_pool_desc, dilations, 1, false),
    PADS_OF(ups_pool_desc),
    {"ceil_mode", NUMBER, offsetof(ups_pool_desc, ceil_mode), 0, 1, false, NULL},
    WORD_OF(ups_pool_desc, index, index_words, false),
    WORD_OF(ups_pool_desc, index_type, index_type_words, false),
    END,
};

static const struct field unpool_fields[] = {
    HEAD_FIELDS,
    AXES_OF(ups_unpool_desc, kernel_shape, 1, false),
    AXES_OF(ups_unpool_desc, strides, 1, true),
    PADS_OF(ups_unpool_desc),
    AXES_OF(ups_unpool_desc, output_shape, 1, true),
    WORD_OF(ups_unpool_desc, index, index_words, false),
    WORD_OF(ups_unpool_desc, index_type, index_type_words, false),
    END,
};

static const struct field expand_fields[] = {
    HEAD_FIELDS,
    AXES_OF(ups_expand_desc, factor, 1, false),
    AXES_OF(ups_expand_desc, offset, 0, false),
    END,
};

static const struct field resize_fields[] = {
    HEAD_FIELDS,
    WORD_OF(ups_resize_desc, mode, mode_words, false),
    WORD_OF(ups_resize_desc, coordinate_transformation_mode, coordinate_words, true),
    WORD_OF(ups_resize_desc, nearest_mode, nearest_words, true),
    WORD_OF(ups_resize_desc, coordinate_arithmetic, arithmetic_words, false),
    AXES_OF(ups_resize_desc, sizes, 1, true),
    {"scales", SCALES, offsetof(ups_resize_desc, scales), 0, 0, true, NULL},
    END,
};

static const struct field conv_transpose_fields[] = {
    HEAD_FIELDS,
    LENGTH_OF(ups_conv_transpose_desc, in_channels),
    LENGTH_OF(ups_conv_transpose_desc, out_channels),
    LENGTH_OF(ups_conv_transpose_desc, group),
    AXES_OF(ups_conv_transpose_desc, kernel_shape, 1, false),
    AXES_OF(ups_conv_transpose_desc, strides, 1, false),
    AXES_OF(ups_conv_transpose_desc, dilations, 1, false),
    PADS_OF(ups_conv_transpose_desc),
    AXES_OF(ups_conv_transpose_desc, output_padding, 0, false),
    WORD_OF(ups_conv_transpose_desc, weights_layout, weights_words, false),
    {"activation", ACTIVATION, offsetof(ups_conv_transpose_desc, activation), 0, 0, false, activation_words},
    END,
};

static const struct {
    int32_t op;
    const char *word;
    size_t size;
    const struct field *fields;
} operations[] = {
    {UPS_MAX_POOL, "max_pool", sizeof(ups_pool_desc), pool_fields},
    {UPS_MAX_UNPOOL, "max_unpool", sizeof(ups_unpool_desc), unpool_fields},
    {UPS_REPLICATE, "replicate", sizeof(ups_expand_desc), expand_fields},
    {UPS_BED_OF_NAILS, "bed_of_nails", sizeof(ups_expand_desc), expand_fields},
    {UPS_RESIZE, "resize", sizeof(ups_resize_desc), resize_fields},
    {UPS_CONV_TRANSPOSE, "conv_transpose", sizeof(ups_conv_transpose_desc), conv_transpose_fields},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static int find_operation(int32_t op)
{
    for (int i = 0; i < OPERATIONS; i++)
        if (operations[i].op == op) return i;
    return -1;
}

int32_t ups_op_code(const char *word)
{
    for (int i = 0; word && i < OPERATIONS; i++)
        if (!strcmp(operations[i].word, word)) return operations[i].op;
    return 0;
}

const char *ups_op_word(int32_t op)
{
    int i = find_operation(op);
    return i < 0 ? NULL : operations[i].word;
}

size_t ups_desc_size(int32_t op)
{
    int i = find_operation(op);
    return i < 0 ? 0 : operations[i].size;
}

const char *ups_desc_field(int32_t op, int32_t i)
{
    int o = find_operation(op);
    for (int32_t k = 0; o >= 0 && operations[o].fields[k].name; k++)
        if (k == i) return operations[o].fields[k].name;
    return NULL;
}

static const struct field *find_field(int32_t op, const char *name)
{
    int o = find_operation(op);
    for (const struct field *f = o < 0 ? NULL : operations[o].fields; f && f->name; f++)
        if (!strcmp(f->name, name)) return f;
    return NULL;
}

static const char *word_of(const struct word *words, int32_t value)
{
    for (; words && words->text; words++)
        if (words->value == value) return words->text;
    return NULL;
}

const char *ups_field_word(int32_t op, const char *field, int32_t value)
{
    const struct field *f = find_field(op, field);
    const char *text = f ? word_of(f->words, value) : NULL;
    return text ? text : "?";
}

static const char *legal_words(const struct field *f, char *text, size_t capacity)
{
    size_t length = 0;
    for (const struct word *w = f->words; w->text && length < capacity; w++)
        length += (size_t)snprintf(text + length, capacity - length, "%s%s", w == f->words ? "" : ", ", w->text);
    return text;
}

/* ---- reading a descriptor of any size ---- */

/* The head of a caller's descriptor, checked far enough to know which operation and how many bytes it is. */
static int32_t check_head(const void *desc)
{
    if (!desc) return ups_error(UPS_INVALID, "desc = NULL; a descriptor started by ups_desc_init is needed");
    const ups_desc_head *head = desc;
    if (head->size < sizeof *head)
        return ups_error(UPS_INVALID, "desc.size = %" PRIu32 "; legal: %zu or more, as set by ups_desc_init",
                         head->size, sizeof *head);
    if (find_operation(head->op) < 0)
        return ups_error(UPS_INVALID, "desc.op = %" PRId32 " is no operation of this library", head->op);
    if (!ups_preset_name(head->preset))
        return ups_error(UPS_INVALID, "desc.preset = %" PRId32 " is no preset; use ups_desc_init", head->preset);
    if (head->rank < 1 || head->rank > 3)
        return ups_error(UPS_INVALID, "rank = %" PRId32 "; legal: 1 to 3", head->rank);
    return UPS_OK;
}

/* A copy in the library's own size: fields the caller lacks get their defaults, unknown bytes must be zero. */
static int32_t copy_in(union ups_desc *to, const void *from)
{
    int32_t status = check_head(from);
    if (status) return status;
    const ups_desc_head *head = from;
    size_t size = ups_desc_size(head->op);
    status = ups_check_tail("desc", from, head->size, size);
    if (!status) status = ups_preset_fill(to, head->op, ups_preset_name(head->preset));
    if (status) return status;
    memcpy(to, from, head->size < size ? head->size : size);
    to->head.size = (uint32_t)size;
    return UPS_OK;
}

/* ---- checks ---- */

static int32_t check_range(const char *name, int axis, int64_t value, const struct field *f)
{
    if ((value >= f->low && value <= f->high) || (f->by_preset && value == UPS_BY_PRESET)) return UPS_OK;
    if (axis < 0)
        return ups_error(UPS_INVALID, "%s = %" PRId64 "; legal: %" PRId64 " to %" PRId64, name, value, f->low, f->high);
    return ups_error(UPS_INVALID, "%s[%d] = %" PRId64 "; legal: %" PRId64 " to %" PRId64, name, axis, value, f->low,
                     f->high);
}

static int32_t check_axes(const char *name, const int64_t *values, int32_t rank, const struct field *f)
{
    int32_t status = UPS_OK;
    for (int i = 0; i < rank && !status; i++) status = check_range(name, i, values[i], f);
    for (int i = 1; f->by_preset && i < rank && !status; i++) /* the word stands for the whole array */
        if ((values[i] == UPS_BY_PRESET) != (values[0] == UPS_BY_PRESET))
            status = ups_error(UPS_INVALID,
                               "%s[%d] = %" PRId64 " beside %s[0] = %" PRId64
                               "; legal: UPS_BY_PRESET (-1) on every axis or on none",
                               name, i, values[i], name, values[0]);
    return status;
}

static int32_t check_scales(const double *values, int32_t rank, const struct field *f)
{
    for (int i = 1; i < rank; i++)
        if ((values[i] == UPS_BY_PRESET) != (values[0] == UPS_BY_PRESET))
            return ups_error(UPS_INVALID,
                             "%s[%d] = %g beside %s[0] = %g; legal: UPS_BY_PRESET (-1) on every axis or on none",
                             f->name, i, values[i], f->name, values[0]);
    for (int i = 0; i < rank; i++)
        if (values[i] != UPS_BY_PRESET && !(values[i] > 0 && isfinite(values[i])))
            return ups_error(UPS_INVALID, "%s[%d] = %g; legal: finite and more than 0", f->name, i, values[i]);
    return UPS_OK;
}

static int32_t check_word(int32_t value, const struct field *f)
{
    char legal[160];
    if (word_of(f->words, value) || (f->by_preset && value == UPS_BY_PRESET)) return UPS_OK;
    return ups_error(UPS_INVALID, "%s = %" PRId32 "; legal: the constants of %s", f->name, value,
                     legal_words(f, legal, sizeof legal));
}

static int32_t check_activation(const int32_t *kind, const struct field *f)
{
    const ups_conv_transpose_desc *d =
        (const void *)((const char *)kind - offsetof(ups_conv_transpose_desc, activation));
    int32_t status = check_word(*kind, f);
    if (!status && *kind == UPS_LEAKY_RELU && !isfinite((float)d->activation_alpha))
        status = ups_error(UPS_INVALID, "activation_alpha = %g; legal: a finite slope", d->activation_alpha);
    if (!status && *kind == UPS_CLIP && !(d->activation_alpha <= d->activation_beta))
        status = ups_error(UPS_INVALID, "activation clip:%g,%g; legal: low <= high", d->activation_alpha,
                           d->activation_beta);
    return status;
}

/* One field on its own: its legal range. */
static int32_t check_field(const union ups_desc *desc, const struct field *f)
{
    const void *at = (const char *)desc + f->offset;
    const int64_t *values = at;
    int32_t rank = desc->head.rank;
    int32_t status;
    switch (f->kind) {
    case NUMBER: return check_range(f->name, -1, *(const int32_t *)at, f);
    case LENGTH: return check_range(f->name, -1, *values, f);
    case WORD: return check_word(*(const int32_t *)at, f);
    case AXES: return check_axes(f->name, values, rank, f);
    case PADS:
        status = check_axes("pads_begin", values, rank, f);
        return status ? status : check_axes("pads_end", values + 3, rank, f);
    case SCALES: return check_scales(at, rank, f);
    case ACTIVATION: return check_activation(at, f);
    }
    return UPS_OK;
}

/* Padding narrower than the window, so that no window lies in the padding alone (but for dilation). */
static int32_t check_pads(int32_t rank, const int64_t *kernel, const int64_t *dilation, const int64_t *begin,
                          const int64_t *end)
{
    for (int i = 0; i < rank; i++) {
        int64_t extent = (dilation ? dilation[i] : 1) * (kernel[i] - 1) + 1;
        if (begin[i] >= extent || end[i] >= extent)
            return ups_error(UPS_INVALID, "%s[%d] = %" PRId64 "; legal: 0 to %" PRId64 ", less than the window",
                             begin[i] >= extent ? "pads_begin" : "pads_end", i, begin[i] >= extent ? begin[i] : end[i],
                             extent - 1);
    }
    return UPS_OK;
}

static int32_t check_expand(const ups_expand_desc *d)
{
    for (int i = 0; i < d->rank; i++) {
        int64_t high = d->op == UPS_REPLICATE ? 0 : d->factor[i] - 1;
        if (d->offset[i] > high)
            return ups_error(UPS_INVALID, "offset[%d] = %" PRId64 "; legal for %s: 0 to %" PRId64, i, d->offset[i],
                             ups_op_word(d->op), high);
    }
    return UPS_OK;
}

static int32_t check_conv_transpose(const ups_conv_transpose_desc *d)
{
    if (d->in_channels % d->group)
        return ups_error(UPS_INVALID, "in_channels = %" PRId64 "; legal: a multiple of group = %" PRId64,
                         d->in_channels, d->group);
    if (d->out_channels % d->group)
        return ups_error(UPS_INVALID, "out_channels = %" PRId64 "; legal: a multiple of group = %" PRId64,
                         d->out_channels, d->group);
    for (int i = 0; i < d->rank; i++) {
        int64_t high = ups_max(d->strides[i], d->dilations[i]) - 1;
        if (d->output_padding[i] > high)
            return ups_error(UPS_INVALID,
                             "output_padding[%d] = %" PRId64 "; legal: 0 to %" PRId64 ", less than stride or dilation",
                             i, d->output_padding[i], high);
    }
    return UPS_OK;
}

/* Fields with one another. */
static int32_t check_together(const union ups_desc *desc)
{
    switch (desc->head.op) {
    case UPS_MAX_POOL:
        return check_pads(desc->head.rank, desc->pool.kernel_shape, desc->pool.dilations, desc->pool.pads_begin,
                          desc->pool.pads_end);
    case UPS_MAX_UNPOOL:
        return check_pads(desc->head.rank, desc->unpool.kernel_shape, NULL, desc->unpool.pads_begin,
                          desc->unpool.pads_end);
    case UPS_REPLICATE:
    case UPS_BED_OF_NAILS: return check_expand(&desc->expand);
    case UPS_CONV_TRANSPOSE: return check_conv_transpose(&desc->conv_transpose);
    default: return UPS_OK;
    }
}

int32_t ups_desc_read(union ups_desc *to, const void *from)
{
    int32_t status = copy_in(to, from);
    if (status) return status;
    ups_preset_resolve(to);
    for (const struct field *f = operations[find_operation(to->head.op)].fields; f->name && !status; f++)
        status = check_field(to, f);
    return status ? status : check_together(to);
}

/* ---- from text ---- */

/* One number of a list; *text moves behind it and its comma. False if there is none. */
static bool take_integer(const char **text, int64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoll(*text, &end, 10);
    if (end == *text || errno || (*end && *end != ',')) return false;
    *text = *end ? end + 1 : end;
    return *end != ',' || **text; /* no comma at the end */
}

/* strtod reads the decimal point of the process's locale; ours is always a full stop. */
static bool take_real(const char **text, double *value)
{
    char own[64], *end;
    size_t length = strcspn(*text, ",");
    if (!length || length >= sizeof own) return false;
    memcpy(own, *text, length);
    own[length] = 0;
    char *point = strchr(own, '.');
    if (point) *point = *localeconv()->decimal_point;
    *value = strtod(own, &end);
    if (*end) return false;
    *text += length + ((*text)[length] == ',');
    return (*text)[-1] != ',' || **text;
}

static int32_t bad_text(const struct field *f, const char *value, const char *legal)
{
    return ups_error(UPS_INVALID, "%s = \"%.60s\"; legal: %s", f->name, value, legal);
}

/* "a,b,c" or one value for all: count integers. */
static bool parse_integers(const char *text, int64_t *values, int count)
{
    int n = 0;
    while (*text && n < count)
        if (!take_integer(&text, &values[n++])) return false;
    for (int i = 1; n == 1 && i < count; i++) values[i] = values[0];
    return !*text && (n == count || n == 1);
}

static int32_t parse_axes(const struct field *f, const char *value, int32_t rank, int64_t *axes)
{
    int64_t values[6] = {0};
    char legal[64];
    int count = f->kind == PADS ? 2 * rank : rank;
    if (f->by_preset && !strcmp(value, "by_preset")) {
        for (int i = 0; i < 3; i++) axes[i] = UPS_BY_PRESET;
        return UPS_OK;
    }
    snprintf(legal, sizeof legal, "%d integers separated by commas, or one for all", count);
    if (!parse_integers(value, values, count)) return bad_text(f, value, legal);
    for (int i = 0; f->by_preset && i < count; i++)
        if (values[i] == UPS_BY_PRESET) /* it has a word in texts */
            return ups_error(UPS_INVALID, "%s = \"%.60s\"; legal: %" PRId64 " to %" PRId64 ", or by_preset", f->name,
                             value, f->low, f->high);
    for (int i = 0; i < rank; i++) axes[i] = values[i];
    for (int i = 0; f->kind == PADS && i < rank; i++) axes[3 + i] = values[rank + i];
    return UPS_OK;
}

static int32_t parse_scales(const struct field *f, const char *value, int32_t rank, double *scales)
{
    double values[3] = {0};
    const char *text = value;
    int n = 0;
    if (!strcmp(value, "by_preset")) {
        for (int i = 0; i < 3; i++) scales[i] = UPS_BY_PRESET;
        return UPS_OK;
    }
    while (*text && n < rank)
        if (!take_real(&text, &values[n++]))
            return bad_text(f, value, "one number per axis separated by commas, or one for all");
    if (*text || (n != rank && n != 1))
        return bad_text(f, value, "one number per axis separated by commas, or one for all");
    for (int i = 0; i < n; i++)
        if (!(values[i] > 0)) return bad_text(f, value, "more than 0, or by_preset");
    for (int i = 0; i < rank; i++) scales[i] = values[n == 1 ? 0 : i];
    return UPS_OK;
}

static int32_t parse_word(const struct field *f, const char *value, size_t length, int32_t *to)
{
    char legal[160];
    if (f->by_preset && !strcmp(value, "by_preset")) {
        *to = UPS_BY_PRESET;
        return UPS_OK;
    }
    for (const struct word *w = f->words; w->text; w++)
        if (strlen(w->text) == length && !strncmp(w->text, value, length)) {
            *to = w->value;
            return UPS_OK;
        }
    return bad_text(f, value, legal_words(f, legal, sizeof legal));
}

/* "relu", "leaky_relu:0.1", "clip:0,6". */
static int32_t parse_activation(const struct field *f, const char *value, ups_conv_transpose_desc *d)
{
    size_t length = strcspn(value, ":");
    const char *text = value[length] ? value + length + 1 : "";
    int32_t status = parse_word(f, value, length, &d->activation);
    if (status) return status;
    bool ok = true;
    if (d->activation == UPS_CLIP)
        ok = take_real(&text, &d->activation_alpha) && take_real(&text, &d->activation_beta);
    else if (d->activation == UPS_LEAKY_RELU && value[length])
        ok = take_real(&text, &d->activation_alpha);
    else if (d->activation == UPS_LEAKY_RELU)
        d->activation_alpha = 0.01;
    else
        ok = !value[length];
    return ok && !*text ? UPS_OK : bad_text(f, value, "none, relu, leaky_relu:SLOPE, clip:LOW,HIGH");
}

static int32_t parse_field(const struct field *f, const char *value, union ups_desc *desc)
{
    void *at = (char *)desc + f->offset;
    int64_t number;
    const char *text = value;
    switch (f->kind) {
    case NUMBER:
    case LENGTH:
        if (!take_integer(&text, &number) || *text) return bad_text(f, value, "an integer");
        if (f->kind == LENGTH)
            *(int64_t *)at = number;
        else if (number != (int32_t)number)
            return check_range(f->name, -1, number, f);
        else
            *(int32_t *)at = (int32_t)number;
        return UPS_OK;
    case WORD: return parse_word(f, value, strlen(value), at);
    case AXES:
    case PADS: return parse_axes(f, value, desc->head.rank, at);
    case SCALES: return parse_scales(f, value, desc->head.rank, at);
    case ACTIVATION: return parse_activation(f, value, &desc->conv_transpose);
    }
    return UPS_OK;
}

int32_t ups_desc_init(void *desc, size_t size, int32_t op, const char *preset)
{
    union ups_desc own;
    size_t known = ups_desc_size(op);
    if (!known) return ups_error(UPS_INVALID, "op = %" PRId32 " is no operation of this library", op);
    if (!desc) return ups_error(UPS_INVALID, "desc = NULL; %zu bytes are needed for %s", known, ups_op_word(op));
    if (size < sizeof(ups_desc_head) || size > UINT32_MAX)
        return ups_error(UPS_INVALID, "size = %zu; legal: %zu (ups_desc_size) for %s", size, known, ups_op_word(op));
    int32_t status = ups_preset_fill(&own, op, preset);
    if (status) return status;
    memset(desc, 0, size);
    memcpy(desc, &own, size < known ? size : known);
    ((ups_desc_head *)desc)->size = (uint32_t)size;
    return UPS_OK;
}

static size_t field_bytes(const struct field *f)
{
    switch (f->kind) {
    case LENGTH: return sizeof(int64_t);
    case AXES: return 3 * sizeof(int64_t);
    case PADS: return 6 * sizeof(int64_t);
    case SCALES: return 3 * sizeof(double);
    case ACTIVATION: return sizeof(ups_conv_transpose_desc) - offsetof(ups_conv_transpose_desc, activation);
    default: return sizeof(int32_t);
    }
}

int32_t ups_desc_set(void *desc, const char *name, const char *value)
{
    union ups_desc own;
    int32_t status = copy_in(&own, desc);
    if (status) return status;
    if (!name || !value) return ups_error(UPS_INVALID, "%s = NULL; a text is needed", name ? "value" : "name");
    const struct field *f = find_field(own.head.op, name);
    if (!f) return ups_error(UPS_INVALID, "%s has no field \"%.40s\"", ups_op_word(own.head.op), name);
    if (f->offset + field_bytes(f) > ((const ups_desc_head *)desc)->size)
        return ups_error(UPS_INVALID, "desc.size = %" PRIu32 " does not hold field \"%s\"; legal: %zu (ups_desc_size)",
                         ((const ups_desc_head *)desc)->size, name, ups_desc_size(own.head.op));
    status = parse_field(f, value, &own);
    if (!status) status = check_field(&own, f);
    if (status) return status;
    uint32_t size = ((const ups_desc_head *)desc)->size;
    own.head.size = size;
    memcpy(desc, &own, size < ups_desc_size(own.head.op) ? size : ups_desc_size(own.head.op));
    return UPS_OK;
}

/* ---- to text ---- */

/* As few digits as read back the same. */
static void put_real(struct ups_text *w, double value)
{
    char own[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(own, sizeof own, "%.*g", digits, value);
        if (strtod(own, NULL) == value) break;
    }
    char *point = strchr(own, *localeconv()->decimal_point);
    if (point) *point = '.';
    ups_put(w, "%s", own);
}

static void put_axes(struct ups_text *w, const int64_t *values, int count, bool more)
{
    for (int i = 0; i < count; i++) ups_put(w, "%s%" PRId64, i || more ? "," : "", values[i]);
}

static void put_word(struct ups_text *w, const struct field *f, int32_t value)
{
    const char *text = value == UPS_BY_PRESET ? "by_preset" : word_of(f->words, value);
    if (text)
        ups_put(w, "%s", text);
    else
        ups_put(w, "%" PRId32, value);
}

static void put_activation(struct ups_text *w, const struct field *f, const ups_conv_transpose_desc *d)
{
    put_word(w, f, d->activation);
    if (d->activation == UPS_LEAKY_RELU) ups_put(w, ":"), put_real(w, d->activation_alpha);
    if (d->activation == UPS_CLIP)
        ups_put(w, ":"), put_real(w, d->activation_alpha), ups_put(w, ","), put_real(w, d->activation_beta);
}

int64_t ups_desc_get(const void *desc, const char *name, char *text, size_t capacity)
{
    union ups_desc own;
    struct ups_text w = {text, text ? capacity : 0, 0};
    if (copy_in(&own, desc) || !name) return -1;
    ups_preset_resolve(&own);
    const struct field *f = find_field(own.head.op, name);
    if (!f) {
        ups_error(UPS_INVALID, "%s has no field \"%.40s\"", ups_op_word(own.head.op), name);
        return -1;
    }
    const void *at = (const char *)&own + f->offset;
    int32_t rank = own.head.rank;
    bool by_preset = f->by_preset && (f->kind == AXES ? *(const int64_t *)at == UPS_BY_PRESET
                                                      : f->kind == SCALES && *(const double *)at == UPS_BY_PRESET);
    if (by_preset) {
        ups_put(&w, "by_preset");
        return w.length;
    }
    switch (f->kind) {
    case NUMBER: ups_put(&w, "%" PRId32, *(const int32_t *)at); break;
    case LENGTH: ups_put(&w, "%" PRId64, *(const int64_t *)at); break;
    case WORD: put_word(&w, f, *(const int32_t *)at); break;
    case AXES: put_axes(&w, at, rank, false); break;
    case PADS:
        put_axes(&w, at, rank, false);
        put_axes(&w, (const int64_t *)at + 3, rank, true);
        break;
    case SCALES:
        for (int i = 0; i < rank; i++) ups_put(&w, "%s", i ? "," : ""), put_real(&w, ((const double *)at)[i]);
        break;
    case ACTIVATION: put_activation(&w, f, &own.conv_transpose); break;
    }
    return w.length;
}
