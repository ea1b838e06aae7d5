/* SPDX-License-Identifier: MIT
 *
 * Descriptors as text: setting a field, getting it, explaining it, and telling two descriptors apart.
 */
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fields.h"
#include "report.h"
#include "size.h"
#include "text.h"

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

static int32_t bad_text(const struct ups_field *f, const char *value, const char *legal)
{
    return ups_error(UPS_INVALID, "%s = \"%.60s\"; legal: %s", f->name, value, legal);
}

/* A and B, ASCII letters of either case alike, the first `length` of b. */
static bool same_word(const char *a, const char *b, size_t length)
{
    if (strlen(a) != length) return false;
    for (size_t i = 0; i < length; i++) {
        int x = a[i] >= 'A' && a[i] <= 'Z' ? a[i] + 32 : a[i], y = b[i] >= 'A' && b[i] <= 'Z' ? b[i] + 32 : b[i];
        if (x != y) return false;
    }
    return true;
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

static int32_t parse_axes(const struct ups_field *f, const char *value, int32_t rank, int64_t *axes)
{
    int64_t values[6] = {0};
    char legal[64];
    int count = f->kind == UPS_KIND_PADS ? 2 * rank : rank;
    if (f->by_preset && !strcmp(value, "by_preset")) {
        for (int i = 0; i < (f->kind == UPS_KIND_PADS ? 6 : 3); i++) axes[i] = UPS_BY_PRESET;
        return UPS_OK;
    }
    if (count == 1)
        snprintf(legal, sizeof legal, "one integer, for the only spatial axis");
    else
        snprintf(legal, sizeof legal, "%d integers separated by commas, or one for all", count);
    if (!parse_integers(value, values, count)) return bad_text(f, value, legal);
    for (int i = 0; f->by_preset && i < count; i++)
        if (values[i] == UPS_BY_PRESET) /* it has a word in texts */
            return ups_error(UPS_INVALID, "%s = \"%.60s\"; legal: %" PRId64 " to %" PRId64 ", or by_preset", f->name,
                             value, f->low, f->high);
    for (int i = 0; i < rank; i++) axes[i] = values[i];
    for (int i = 0; f->kind == UPS_KIND_PADS && i < rank; i++) axes[3 + i] = values[rank + i];
    return UPS_OK;
}

/* "a,b,c" or one value for all: count reals. */
static bool parse_reals(const char *text, double *values, int count)
{
    int n = 0;
    while (*text && n < count)
        if (!take_real(&text, &values[n++])) return false;
    for (int i = 1; n == 1 && i < count; i++) values[i] = values[0];
    return !*text && (n == count || n == 1);
}

static int32_t parse_scales(const struct ups_field *f, const char *value, int32_t rank, double *scales)
{
    double values[3] = {0};
    if (!strcmp(value, "by_preset")) {
        for (int i = 0; i < 3; i++) scales[i] = UPS_BY_PRESET;
        return UPS_OK;
    }
    if (!parse_reals(value, values, rank))
        return bad_text(f, value, "one number per axis separated by commas, or one for all");
    for (int i = 0; i < rank; i++)
        if (!(values[i] > 0)) return bad_text(f, value, "more than 0, or by_preset");
    memcpy(scales, values, (size_t)rank * sizeof *scales);
    return UPS_OK;
}

/* One real; the number that stands for by_preset has a word. */
static int32_t parse_real(const struct ups_field *f, const char *value, double *to)
{
    double number;
    if (f->by_preset && !strcmp(value, "by_preset"))
        number = UPS_REAL_BY_PRESET;
    else if (!parse_reals(value, &number, 1) || (f->by_preset && number == UPS_REAL_BY_PRESET))
        return bad_text(f, value, f->by_preset ? "a number, or by_preset" : "a number");
    *to = number;
    return UPS_OK;
}

static int32_t parse_roi(const struct ups_field *f, const char *value, int32_t rank, double *roi)
{
    double values[6] = {0};
    char legal[64];
    snprintf(legal, sizeof legal, "%d begins, then %d ends, separated by commas", (int)rank, (int)rank);
    const char *comma = strchr(value, ',');
    if (!comma || !parse_reals(value, values, 2 * rank)) return bad_text(f, value, legal);
    for (int i = 0; i < rank; i++) roi[i] = values[i], roi[3 + i] = values[rank + i];
    return UPS_OK;
}

/* "0,2": axes from 0, each once. */
static int32_t parse_subset(const struct ups_field *f, const char *value, int32_t rank, int32_t *bits)
{
    const char *text = value;
    int32_t chosen = 0;
    int64_t axis;
    char legal[80];
    snprintf(legal, sizeof legal, "spatial axes of 0 to %d, separated by commas, each once", (int)rank - 1);
    while (*text) {
        if (!take_integer(&text, &axis) || axis < 0 || axis >= rank || chosen & (1 << axis))
            return bad_text(f, value, legal);
        chosen |= 1 << axis;
    }
    if (!chosen) return bad_text(f, value, legal);
    *bits = chosen;
    return UPS_OK;
}

static int32_t parse_word(const struct ups_field *f, const char *value, size_t length, int32_t *to)
{
    char legal[192];
    if (f->by_preset && !strcmp(value, "by_preset")) {
        *to = UPS_BY_PRESET;
        return UPS_OK;
    }
    for (const struct ups_word *w = f->words; w->text; w++)
        if (same_word(w->text, value, length)) {
            *to = w->value;
            return UPS_OK;
        }
    return bad_text(f, value, ups_legal_words(f, legal, sizeof legal));
}

/* "relu", "leaky_relu:0.1", "clip:0,6". */
static int32_t parse_activation(const struct ups_field *f, const char *value, ups_conv_transpose_desc *d)
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
    return ok && !*text ? UPS_OK : bad_text(f, value, "none, relu, leaky_relu:SLOPE, clip:LOW,HIGH, sigmoid, tanh");
}

static int32_t parse_field(const struct ups_field *f, const char *value, union ups_desc *desc)
{
    void *at = (char *)desc + f->offset;
    int64_t number;
    const char *text = value;
    switch (f->kind) {
    case UPS_KIND_NUMBER:
    case UPS_KIND_LENGTH:
        if (f->by_preset && !strcmp(value, "by_preset"))
            number = UPS_BY_PRESET;
        else if (!take_integer(&text, &number) || *text)
            return bad_text(f, value, "an integer");
        else if (f->by_preset && number == UPS_BY_PRESET)
            return bad_text(f, value, "an integer in range, or by_preset");
        if (f->kind == UPS_KIND_LENGTH)
            *(int64_t *)at = number;
        else if (number != (int32_t)number)
            return ups_error(UPS_INVALID, "%s = %" PRId64 "; legal: %" PRId64 " to %" PRId64, f->name, number, f->low,
                             f->high);
        else
            *(int32_t *)at = (int32_t)number;
        return UPS_OK;
    case UPS_KIND_WORD: return parse_word(f, value, strlen(value), at);
    case UPS_KIND_AXES:
    case UPS_KIND_PADS: return parse_axes(f, value, desc->head.rank, at);
    case UPS_KIND_SCALES: return parse_scales(f, value, desc->head.rank, at);
    case UPS_KIND_REAL: return parse_real(f, value, at);
    case UPS_KIND_ROI: return parse_roi(f, value, desc->head.rank, at);
    case UPS_KIND_SUBSET: return parse_subset(f, value, desc->head.rank, at);
    case UPS_KIND_ACTIVATION: return parse_activation(f, value, &desc->conv_transpose);
    }
    return UPS_OK;
}

/* A field that another framework calls so, NULL if none. Names stand between "framework " or ", " and "," or ";". */
static const struct ups_field *field_known_as(int32_t op, const char *name)
{
    for (const struct ups_field *f = ups_find_operation(op)->fields; f->name; f++)
        for (const char *at = f->known_as ? strstr(f->known_as, name) : NULL; at; at = strstr(at + 1, name)) {
            char next = at[strlen(name)];
            if (at > f->known_as && at[-1] == ' ' && (!next || next == ',' || next == ';')) return f;
        }
    return NULL;
}

static int32_t no_field(int32_t op, const char *name)
{
    const struct ups_field *f = *name ? field_known_as(op, name) : NULL;
    if (!f) return ups_error(UPS_INVALID, "%s has no field \"%.40s\"", ups_op_word(op), name);
    return ups_error(UPS_INVALID, "%s has no field \"%.40s\": it is %s here, %s", ups_op_word(op), name, f->name,
                     f->meaning);
}

int32_t ups_desc_set(void *desc, const char *name, const char *value)
{
    union ups_desc own;
    int32_t status = ups_desc_copy(&own, desc);
    if (status) return status;
    if (!name || !value) return ups_error(UPS_INVALID, "%s = NULL; a text is needed", name ? "value" : "name");
    const struct ups_field *f = ups_find_field(own.head.op, name);
    if (!f) return no_field(own.head.op, name);
    if (f->offset + ups_field_bytes(f) > ((const ups_desc_head *)desc)->size)
        return ups_error(UPS_INVALID, "desc.size = %" PRIu32 " does not hold field \"%s\"; legal: %zu (ups_desc_size)",
                         ((const ups_desc_head *)desc)->size, name, ups_desc_size(own.head.op));
    status = parse_field(f, value, &own);
    if (!status) status = ups_desc_check_field(&own, f);
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

static void put_word(struct ups_text *w, const struct ups_field *f, int32_t value)
{
    const struct ups_word *word = ups_find_word(f, value);
    if (word)
        ups_put(w, "%s", word->text);
    else
        ups_put(w, "%" PRId32, value);
}

static void put_activation(struct ups_text *w, const struct ups_field *f, const ups_conv_transpose_desc *d)
{
    put_word(w, f, d->activation);
    if (d->activation == UPS_LEAKY_RELU) ups_put(w, ":"), put_real(w, d->activation_alpha);
    if (d->activation == UPS_CLIP)
        ups_put(w, ":"), put_real(w, d->activation_alpha), ups_put(w, ","), put_real(w, d->activation_beta);
}

static void put_subset(struct ups_text *w, int32_t bits, int32_t rank)
{
    bool more = false;
    for (int i = 0; i < rank; i++)
        if (bits & (1 << i)) ups_put(w, "%s%d", more ? "," : "", i), more = true;
}

static void put_reals(struct ups_text *w, const double *values, int count, bool more)
{
    for (int i = 0; i < count; i++) ups_put(w, "%s", i || more ? "," : ""), put_real(w, values[i]);
}

/* A field of a resolved descriptor, as ups_desc_set takes it. */
static void put_field(struct ups_text *w, const struct ups_field *f, const union ups_desc *desc)
{
    const void *at = (const char *)desc + f->offset;
    int32_t rank = desc->head.rank;
    if (ups_is_by_preset(f, desc)) {
        ups_put(w, "by_preset");
        return;
    }
    switch (f->kind) {
    case UPS_KIND_NUMBER: ups_put(w, "%" PRId32, *(const int32_t *)at); break;
    case UPS_KIND_LENGTH: ups_put(w, "%" PRId64, *(const int64_t *)at); break;
    case UPS_KIND_WORD: put_word(w, f, *(const int32_t *)at); break;
    case UPS_KIND_AXES: put_axes(w, at, rank, false); break;
    case UPS_KIND_PADS:
        put_axes(w, at, rank, false);
        put_axes(w, (const int64_t *)at + 3, rank, true);
        break;
    case UPS_KIND_SCALES: put_reals(w, at, rank, false); break;
    case UPS_KIND_REAL: put_reals(w, at, 1, false); break;
    case UPS_KIND_ROI:
        put_reals(w, at, rank, false);
        put_reals(w, (const double *)at + 3, rank, true);
        break;
    case UPS_KIND_SUBSET: put_subset(w, *(const int32_t *)at, rank); break;
    case UPS_KIND_ACTIVATION: put_activation(w, f, &desc->conv_transpose); break;
    }
}

int64_t ups_desc_get(const void *desc, const char *name, char *text, size_t capacity)
{
    union ups_desc own;
    struct ups_text w = {text, text ? capacity : 0, 0};
    if (ups_desc_copy(&own, desc) || !name) return -1;
    ups_preset_resolve(&own);
    const struct ups_field *f = ups_find_field(own.head.op, name);
    if (!f) {
        ups_error(UPS_INVALID, "%s has no field \"%.40s\"", ups_op_word(own.head.op), name);
        return -1;
    }
    if (w.capacity) *text = 0; /* a subset may be of axes that the rank lacks */
    put_field(&w, f, &own);
    return w.length;
}

/* ---- telling two descriptors apart ---- */

/* The value of a field, and what it means if it is a word. */
static void put_meaning(struct ups_text *w, const struct ups_field *f, const union ups_desc *desc)
{
    const void *at = (const char *)desc + f->offset;
    const struct ups_word *word =
        f->words && !ups_is_by_preset(f, desc) ? ups_find_word(f, *(const int32_t *)at) : NULL;
    put_field(w, f, desc);
    if (word) ups_put(w, " (%s)", word->meaning);
}

static bool same_field(const struct ups_field *f, const union ups_desc *a, const union ups_desc *b)
{
    char x[256] = "", y[256] = "";
    struct ups_text wx = {x, sizeof x, 0}, wy = {y, sizeof y, 0};
    put_field(&wx, f, a);
    put_field(&wy, f, b);
    return !strcmp(x, y);
}

static bool matters_for_pool(const char *name, const ups_pool_desc *d)
{
    if (!strcmp(name, "ceil_mode")) return false; /* it has spoken through round */
    if (d->op == UPS_MAX_POOL_GRAD && (!strcmp(name, "nan") || !strcmp(name, "scan")))
        return false; /* they have, through the switches */
    if (!strcmp(name, "round")) return d->auto_pad == UPS_NOTSET;
    return strcmp(name, "count_include_pad") != 0 || d->divisor == UPS_BY_PRESET;
}

static bool matters_for_resize(const char *name, const ups_resize_desc *d)
{
    static const struct {
        const char *field;
        int32_t mode;
    } one_mode[] = {{"nearest_mode", UPS_MODE_NEAREST},
                    {"cubic_coeff_a", UPS_MODE_CUBIC},
                    {"lanczos_radius", UPS_MODE_LANCZOS},
                    {"area_rule", UPS_MODE_AREA}};
    bool nearest = d->mode == UPS_MODE_NEAREST;
    bool stepped = nearest && (d->coordinate_arithmetic == UPS_COORDINATES_ACCUMULATED ||
                               d->coordinate_arithmetic == UPS_COORDINATES_OPENCV); /* by formulas of their own */
    for (size_t i = 0; i < sizeof one_mode / sizeof *one_mode; i++)
        if (!strcmp(name, one_mode[i].field)) return d->mode == one_mode[i].mode && !stepped;
    if (!strcmp(name, "antialias") || !strcmp(name, "exclude_outside")) return ups_mode_filters(d->mode);
    if (!strcmp(name, "coordinate_transformation_mode")) return d->mode != UPS_MODE_AREA && !stepped;
    if (!strcmp(name, "size_rounding")) return d->sizes[0] == UPS_BY_PRESET;
    if (!strcmp(name, "roi") || !strcmp(name, "extrapolation_value"))
        return d->coordinate_transformation_mode == UPS_TF_CROP_AND_RESIZE;
    return true;
}

/* Whether a field has a say in what this descriptor computes. */
static bool matters(const struct ups_field *f, const union ups_desc *desc)
{
    switch (ups_forward_op(desc->head.op)) {
    case UPS_MAX_POOL:
    case UPS_AVG_POOL: return matters_for_pool(f->name, &desc->pool);
    case UPS_RESIZE: return matters_for_resize(f->name, &desc->resize);
    default: return true;
    }
}

int64_t ups_desc_difference(const void *a, const void *b, char *text, size_t capacity)
{
    union ups_desc x, y;
    struct ups_text w = {text, text ? capacity : 0, 0};
    if (ups_desc_copy(&x, a) || ups_desc_copy(&y, b)) return -1;
    if (x.head.op != y.head.op || x.head.rank != y.head.rank) {
        ups_error(UPS_INVALID,
                  "the descriptors are of %s rank %" PRId32 " and %s rank %" PRId32 "; legal: one operation, one rank",
                  ups_op_word(x.head.op), x.head.rank, ups_op_word(y.head.op), y.head.rank);
        return -1;
    }
    ups_preset_resolve(&x);
    ups_preset_resolve(&y);
    if (w.capacity) *text = 0;
    for (const struct ups_field *f = ups_find_operation(x.head.op)->fields; f->name; f++) {
        if (same_field(f, &x, &y) || (!matters(f, &x) && !matters(f, &y))) continue;
        ups_put(&w, "%s: ", f->name);
        put_meaning(&w, f, &x);
        ups_put(&w, " | ");
        put_meaning(&w, f, &y);
        ups_put(&w, ": %s\n", f->meaning);
    }
    return w.length;
}

/* ---- explaining a field ---- */

static void put_legal(struct ups_text *w, const struct ups_field *f)
{
    char words[192];
    switch (f->kind) {
    case UPS_KIND_WORD: ups_put(w, "%s", ups_legal_words(f, words, sizeof words)); break;
    case UPS_KIND_NUMBER:
    case UPS_KIND_LENGTH: ups_put(w, "%" PRId64 " to %" PRId64, f->low, f->high); break;
    case UPS_KIND_AXES: ups_put(w, "%" PRId64 " to %" PRId64 ", one per axis or one for all", f->low, f->high); break;
    case UPS_KIND_PADS: ups_put(w, "0 or more: all begins, then all ends, or one for all"); break;
    case UPS_KIND_SCALES: ups_put(w, "more than 0, one per axis or one for all"); break;
    case UPS_KIND_REAL: ups_put(w, "a finite number"); break;
    case UPS_KIND_ROI: ups_put(w, "finite numbers: all begins, then all ends"); break;
    case UPS_KIND_SUBSET: ups_put(w, "axes from 0, each once"); break;
    case UPS_KIND_ACTIVATION: ups_put(w, "none, relu, leaky_relu:SLOPE, clip:LOW,HIGH, sigmoid, tanh"); break;
    }
    if (f->by_preset) ups_put(w, ", by_preset");
}

/* "torch stride; caffe stride" as a list of pairs. */
static void report_names(struct ups_report *r, const char *known_as)
{
    ups_report_open(r, "known_as");
    for (const char *next = known_as; next; next = strstr(next, "; ") ? strstr(next, "; ") + 2 : NULL) {
        char framework[24], name[128];
        size_t whole = strstr(next, "; ") ? (size_t)(strstr(next, "; ") - next) : strlen(next),
               first = strcspn(next, " ");
        snprintf(framework, sizeof framework, "%.*s", (int)first, next);
        snprintf(name, sizeof name, "%.*s", (int)(whole - first - 1), next + first + 1);
        ups_report_pair(r, "framework", framework, "name", name);
    }
    ups_report_close(r);
}

int64_t ups_desc_explain(int32_t op, const char *name, int32_t format, char *text, size_t capacity)
{
    struct ups_report r;
    char legal[256];
    struct ups_text w = {legal, sizeof legal, 0};
    const struct ups_field *f = name ? ups_find_field(op, name) : NULL;
    if (!f || (format != UPS_TEXT && format != UPS_JSON)) {
        if (f)
            ups_error(UPS_INVALID, "format = %" PRId32 "; legal: UPS_TEXT 1, UPS_JSON 2", format);
        else if (!ups_op_word(op))
            ups_error(UPS_INVALID, "op = %" PRId32 " is no operation of this library", op);
        else
            ups_error(UPS_INVALID, "%s has no field \"%.40s\"", ups_op_word(op), name ? name : "");
        return -1;
    }
    put_legal(&w, f);
    ups_report_begin(&r, format, text, capacity);
    ups_report_string(&r, "name", f->name);
    ups_report_string(&r, "legal", legal);
    ups_report_string(&r, "meaning", f->meaning);
    ups_report_flag(&r, "by_preset", f->by_preset);
    report_names(&r, f->known_as);
    ups_report_open(&r, "words");
    for (const struct ups_word *word = f->words; word && word->text; word++)
        ups_report_pair(&r, "word", word->text, "meaning", word->meaning);
    ups_report_close(&r);
    return ups_report_end(&r);
}
