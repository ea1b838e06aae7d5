/* SPDX-License-Identifier: MIT
 *
 * See call.h.
 */
#include "call.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- random numbers ---- */

bool call_chance(int percent)
{
    return check_between(0, 99) < percent;
}

/* Twelve uniform numbers: near enough to a gaussian, and free of libm. */
float call_gaussian(void)
{
    int64_t sum = 0;
    for (int i = 0; i < 6; i++) {
        uint32_t bits = check_random();
        sum += (bits & 0xffff) + (bits >> 16);
    }
    return (float)ldexp((double)(sum - 6 * 65535), -16);
}

/* ---- memory ---- */

enum { PATTERN = 0xFF }; /* NaN as a float: what is read there by mistake is seen in the results */

/* Rooms that blocks gave back: check_place keeps what it mapped. */
static struct check_memory spare[16];
static int spares;

static void *take(size_t bytes)
{
    void *memory = malloc(bytes ? bytes : 1);
    assert_non_null(memory);
    return memory;
}

void block_make(struct block *block, size_t bytes, size_t element, enum check_place place)
{
    struct check_memory none = {0};
    block->memory = spares ? spare[--spares] : none;
    block->copy = NULL;
    block->data = check_place(&block->memory, bytes, element, place);
    block->bytes = bytes;
    memset(block->data, PATTERN, bytes);
}

void block_keep(struct block *block)
{
    block->copy = take(block->bytes);
    memcpy(block->copy, block->data, block->bytes);
}

void block_free(struct block *block)
{
    if (!block->data) return;
    if (!check_margins(&block->memory)) fail_msg("written outside a block");
    if (block->copy && memcmp(block->copy, block->data, block->bytes) != 0) fail_msg("an input was changed");
    free(block->copy);
    assert_true(spares < 16);
    spare[spares++] = block->memory;
    *block = (struct block){0};
}

static bool patterned(const unsigned char *from, const unsigned char *to)
{
    return from == to || (*from == PATTERN && memcmp(from, from + 1, (size_t)(to - from) - 1) == 0);
}

/* ---- tensors ---- */

/* The axes from the innermost to the outermost. */
static void axes_inner_first(int32_t rank, int32_t layout, int axes[5])
{
    int at = 0;
    if (layout == UPS_CHANNELS_LAST) axes[at++] = 1;
    for (int a = rank + 1; a >= 2; a--) axes[at++] = a;
    if (layout == UPS_CHANNELS_FIRST) axes[at++] = 1;
    axes[at] = 0;
}

static void tensor_shape(ups_tensor *t, int32_t dtype, int32_t rank, int32_t layout, const int64_t *dims,
                         int32_t margin)
{
    int axes[5];
    *t = (ups_tensor){.size = sizeof *t, .dtype = dtype, .rank = rank};
    axes_inner_first(rank, layout, axes);
    int64_t stride = 1;
    for (int i = 0; i < rank + 2; i++) {
        t->dims[axes[i]] = dims[axes[i]];
        t->strides[axes[i]] = stride;
        stride *= dims[axes[i]] + margin;
    }
}

/* From the first element to the last. */
static size_t tensor_span(const ups_tensor *t)
{
    int64_t span = 1;
    for (int a = 0; a < t->rank + 2; a++) {
        if (t->dims[a] == 0) return 0;
        span += (t->dims[a] - 1) * t->strides[a];
    }
    return (size_t)span;
}

static int64_t tensor_count(const ups_tensor *t)
{
    int64_t n = 1;
    for (int a = 0; a < t->rank + 2; a++) n *= t->dims[a];
    return n;
}

/* A walk over a tensor in dense order: where[] is the position, offset its element. Tensors may be large and are walked
 * often, so it counts instead of dividing. */
struct walk {
    const ups_tensor *tensor;
    int64_t where[5], offset;
};

static void walk_on(struct walk *w)
{
    const ups_tensor *t = w->tensor;
    for (int a = t->rank + 1; a >= 0; a--) {
        w->offset += t->strides[a];
        if (++w->where[a] < t->dims[a]) return;
        w->offset -= t->dims[a] * t->strides[a];
        w->where[a] = 0;
    }
}

static size_t element_bytes(const ups_tensor *t)
{
    return t->dtype == UPS_F32 ? sizeof(float) : 1;
}

static void tensor_make(struct tensor *tensor, const struct call *call, const int64_t *dims, int32_t margin)
{
    tensor_shape(&tensor->shape, call->desc.head.dtype, call->desc.head.rank, call->desc.head.layout, dims, margin);
    const size_t each = element_bytes(&tensor->shape);
    block_make(&tensor->memory, tensor_span(&tensor->shape) * each, each, call->place);
}

/* Dense values are floats, of bytes too. */
static void tensor_put(struct tensor *tensor, const float *dense)
{
    unsigned char *to = tensor->memory.data;
    struct walk at = {.tensor = &tensor->shape};
    for (int64_t i = 0, n = tensor_count(&tensor->shape); i < n; i++, walk_on(&at))
        if (tensor->shape.dtype == UPS_F32)
            memcpy(to + at.offset * (int64_t)sizeof *dense, &dense[i], sizeof *dense);
        else
            to[at.offset] = (unsigned char)(int)dense[i];
}

/* Fetches the slice and checks that all between its elements is still the pattern. */
static void tensor_get(const struct tensor *tensor, float *dense)
{
    const unsigned char *from = tensor->memory.data;
    const int64_t each = (int64_t)element_bytes(&tensor->shape);
    unsigned char *rest = take(tensor->memory.bytes);
    memcpy(rest, tensor->memory.data, tensor->memory.bytes);
    struct walk at = {.tensor = &tensor->shape};
    for (int64_t i = 0, n = tensor_count(&tensor->shape); i < n; i++, walk_on(&at)) {
        if (tensor->shape.dtype == UPS_F32)
            memcpy(&dense[i], from + at.offset * each, sizeof *dense);
        else
            dense[i] = tensor->shape.dtype == UPS_S8 ? (float)(signed char)from[at.offset] : (float)from[at.offset];
        memset(rest + at.offset * each, PATTERN, (size_t)each);
    }
    if (!patterned(rest, rest + tensor->memory.bytes)) fail_msg("written between the elements of a slice");
    free(rest);
}

/* ---- indices: dense in the op's layout ---- */

static int32_t index_type(const struct call *call)
{
    const int32_t op = call->desc.head.op;
    return op == UPS_MAX_POOL || op == UPS_MAX_POOL_GRAD ? call->desc.pool.index_type : call->desc.unpool.index_type;
}

static size_t index_bytes(const struct call *call)
{
    int32_t type = index_type(call);
    return type == UPS_I64 ? 8 : type == UPS_U8 ? 1 : 4;
}

void call_put_index(int32_t type, void *to, int64_t at, int64_t index)
{
    int32_t i32 = (int32_t)index;
    float f32 = (float)index;
    unsigned char u8 = (unsigned char)(index < 0 ? 255 : index);
    switch (type) {
    case UPS_U8: memcpy((unsigned char *)to + at, &u8, 1); break;
    case UPS_I32: memcpy((int32_t *)to + at, &i32, 4); break;
    case UPS_F32: memcpy((float *)to + at, &f32, 4); break;
    default: memcpy((int64_t *)to + at, &index, 8); break;
    }
}

int64_t call_get_index(int32_t type, const void *from, int64_t at)
{
    switch (type) {
    case UPS_U8: return ((const unsigned char *)from)[at] == 255 ? -1 : ((const unsigned char *)from)[at];
    case UPS_I32: return ((const int32_t *)from)[at];
    case UPS_F32: return (int64_t)((const float *)from)[at];
    default: return ((const int64_t *)from)[at];
    }
}

static bool reads_indices(const struct call *call)
{
    const int32_t op = call->desc.head.op;
    return op == UPS_MAX_UNPOOL || op == UPS_MAX_POOL_GRAD || op == UPS_MAX_UNPOOL_GRAD;
}

/* The tensor whose shape that of the indices is. */
static const int64_t *index_dims(const struct call *call)
{
    const int32_t op = call->desc.head.op;
    return op == UPS_MAX_POOL || op == UPS_MAX_UNPOOL_GRAD ? call->out_dims : call->dims;
}

static void index_put(struct call *call, const int64_t *dense)
{
    ups_tensor t;
    tensor_shape(&t, UPS_F32, call->desc.head.rank, call->desc.head.layout, index_dims(call), 0);
    struct walk at = {.tensor = &t};
    for (int64_t i = 0, n = tensor_count(&t); i < n; i++, walk_on(&at))
        call_put_index(index_type(call), call->indices.data, at.offset, dense[i]);
}

static void index_get(const struct call *call, int64_t *dense)
{
    ups_tensor t;
    tensor_shape(&t, UPS_F32, call->desc.head.rank, call->desc.head.layout, call->out_dims, 0);
    struct walk at = {.tensor = &t};
    for (int64_t i = 0, n = tensor_count(&t); i < n; i++, walk_on(&at))
        dense[i] = call_get_index(index_type(call), call->indices.data, at.offset);
}

/* ---- a call ---- */

const int32_t call_ops[CALL_OPS] = {UPS_MAX_POOL,
                                    UPS_AVG_POOL,
                                    UPS_MAX_UNPOOL,
                                    UPS_REPLICATE,
                                    UPS_BED_OF_NAILS,
                                    UPS_PIXEL_SHUFFLE,
                                    UPS_PIXEL_UNSHUFFLE,
                                    UPS_RESIZE,
                                    UPS_MAX_POOL_GRAD,
                                    UPS_AVG_POOL_GRAD,
                                    UPS_MAX_UNPOOL_GRAD,
                                    UPS_REPLICATE_GRAD,
                                    UPS_BED_OF_NAILS_GRAD,
                                    UPS_PIXEL_SHUFFLE_GRAD,
                                    UPS_PIXEL_UNSHUFFLE_GRAD,
                                    UPS_CONV_TRANSPOSE,
                                    UPS_CONV_TRANSPOSE_GRAD_INPUT,
                                    UPS_CONV_TRANSPOSE_GRAD_WEIGHTS,
                                    UPS_CONV_TRANSPOSE_GRAD_BIAS};

void call_init(struct call *call, int32_t op, int32_t rank)
{
    memset(call, 0, sizeof *call);
    assert_int_equal(ups_desc_init(&call->desc, ups_desc_size(op), op, NULL), UPS_OK);
    call->desc.head.rank = rank;
}

int32_t call_say(struct call *call, const char *op, const char *preset, const char *words)
{
    char pair[256];
    memset(call, 0, sizeof *call);
    int32_t code = ups_op_code(op), status = ups_desc_init(&call->desc, ups_desc_size(code), code, preset);
    while (!status && *(words += strspn(words, " "))) {
        size_t length = strcspn(words, " ");
        assert_true(length < sizeof pair);
        memcpy(pair, words, length);
        pair[length] = 0;
        words += length;
        char *equals = strchr(pair, '=');
        if (!equals) fail_msg("\"%s\" is not field=value", pair);
        *equals = 0;
        status = ups_desc_set(&call->desc, pair, equals + 1);
    }
    return status;
}

static int64_t product(const int64_t *v, int n)
{
    int64_t p = 1;
    for (int i = 0; i < n; i++) p *= v[i];
    return p;
}

int64_t call_out_count(const struct call *call)
{
    return product(call->out_dims, call->desc.head.rank + 2);
}

static int64_t weight_count(const struct call *call)
{
    const ups_conv_transpose_desc *d = &call->desc.conv;
    return d->in_channels / d->group * d->out_channels * product(d->kernel_shape, d->rank);
}

static int32_t make_op(struct call *call)
{
    ups_options options;
    ups_options_init(&options, sizeof options);
    options.max_isa = call->isa;
    options.algorithm = call->algorithm;
    options.size_hint = call->size_hint;
    if (call->policy) options.policy = call->policy;
    if (call->weights_at_run) options.flags |= UPS_WEIGHTS_AT_RUN;
    const float *w = call->weights_at_run ? NULL : (const float *)call->weights.data;
    const float *bias = call->weights_at_run ? NULL : (const float *)call->bias_memory.data;
    return ups_op_create(&call->desc, w, bias, &options, &call->op);
}

/* The sizes of the output are the plan's: asked of a plan without dst. */
static int32_t learn_sizes(struct call *call)
{
    ups_tensor dst = {.size = sizeof dst};
    ups_plan *plan;
    int32_t status = ups_plan_create(call->op, &call->src.shape, NULL, call->sizes, &plan);
    if (status != UPS_OK) return status;
    assert_int_equal(ups_plan_tensor(plan, UPS_ROLE_DST, &dst), UPS_OK);
    memcpy(call->out_dims, dst.dims, sizeof call->out_dims);
    if (call->desc.head.op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS) {
        assert_int_equal(ups_plan_tensor(plan, UPS_ROLE_GRAD, &dst), UPS_OK);
        memcpy(call->grad_dims, dst.dims, sizeof call->grad_dims);
    }
    ups_plan_destroy(plan);
    return UPS_OK;
}

static void put_floats(struct block *block, const float *from, int64_t n, enum check_place place)
{
    if (!from) return;
    block_make(block, (size_t)n * sizeof *from, sizeof *from, place);
    memcpy(block->data, from, block->bytes);
    block_keep(block);
}

/* The gradient that is read, laid out as the forward's destination would be; the weights' own as they lie in memory. */
static void make_gradient(struct call *call)
{
    int64_t flat[5] = {product(call->out_dims, call->desc.head.rank + 2), 1, 1, 1, 1};
    tensor_make(&call->gradient, call, call->grad_dims, call->dst_margin);
    tensor_put(&call->gradient, call->grad);
    block_keep(&call->gradient.memory);
    tensor_make(&call->dst, call, flat, 0);
}

static void make_indices(struct call *call)
{
    int32_t op = call->desc.head.op, rank = call->desc.head.rank;
    if (!reads_indices(call) && (op != UPS_MAX_POOL || call->values_only)) return;
    block_make(&call->indices, (size_t)product(index_dims(call), rank + 2) * index_bytes(call), index_bytes(call),
               call->place);
    if (reads_indices(call)) {
        index_put(call, call->index);
        block_keep(&call->indices);
    }
}

/* Any alignment will do: an odd address. */
static void make_workspace(struct call *call)
{
    call->work_bytes = ups_plan_workspace(call->plan, call->parts ? call->parts : 1);
    call->work = NULL;
    if (!call->work_bytes) return;
    block_make(&call->workspace, call->work_bytes + 1, 1, call->place);
    call->work = call->workspace.data + 1;
}

static int32_t open_steps(struct call *call)
{
    int32_t rank = call->desc.head.rank, status;
    if (call->desc.head.op == UPS_CONV_TRANSPOSE || call->desc.head.op == UPS_CONV_TRANSPOSE_GRAD_INPUT) {
        put_floats(&call->weights, call->w, weight_count(call), call->place);
        put_floats(&call->bias_memory, call->bias, call->desc.conv.out_channels, call->place);
    }
    if ((status = make_op(call)) != UPS_OK) return status;
    tensor_make(&call->src, call, call->dims, call->src_margin);
    tensor_put(&call->src, call->x);
    block_keep(&call->src.memory);
    if ((status = learn_sizes(call)) != UPS_OK) return status;
    if (call->desc.head.op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS) {
        make_gradient(call);
    } else {
        assert_int_equal(call->out_dims[0], call->desc.head.op == UPS_CONV_TRANSPOSE_GRAD_BIAS ? 1 : call->dims[0]);
        tensor_make(&call->dst, call, call->out_dims, call->dst_margin);
    }
    const ups_tensor *second = call->grad ? &call->gradient.shape : &call->dst.shape;
    status = ups_plan_create(call->op, &call->src.shape, second, call->sizes, &call->plan);
    if (status != UPS_OK) return status;
    ups_plan_describe(call->plan, UPS_JSON, call->described, sizeof call->described);
    make_indices(call);
    make_workspace(call);
    call->y = take((size_t)product(call->out_dims, rank + 2) * sizeof *call->y);
    return UPS_OK;
}

int32_t call_open(struct call *call)
{
    int32_t status = open_steps(call);
    if (status != UPS_OK) call_shut(call);
    return status;
}

void call_shut(struct call *call)
{
    ups_plan_destroy(call->plan);
    ups_op_destroy(call->op);
    call->plan = NULL;
    call->op = NULL;
    block_free(&call->src.memory);
    block_free(&call->dst.memory);
    block_free(&call->gradient.memory);
    block_free(&call->indices);
    block_free(&call->weights);
    block_free(&call->bias_memory);
    block_free(&call->workspace);
}

void call_buffers(struct call *call, ups_buffers *buffers)
{
    assert_int_equal(ups_buffers_init(buffers, sizeof *buffers), UPS_OK);
    buffers->src = (const float *)call->src.memory.data;
    buffers->dst = (float *)call->dst.memory.data;
    buffers->grad = (const float *)call->gradient.memory.data;
    if (reads_indices(call)) buffers->indices_in = call->indices.data;
    if (call->desc.head.op == UPS_MAX_POOL) buffers->indices_out = call->indices.data;
    if (!call->weights_at_run) return;
    buffers->weights = (const float *)call->weights.data;
    buffers->bias = (const float *)call->bias_memory.data;
}

void call_read(struct call *call)
{
    tensor_get(&call->dst, call->y);
    if (call->desc.head.op != UPS_MAX_POOL || call->values_only) return;
    call->switches = take((size_t)call_out_count(call) * sizeof *call->switches);
    index_get(call, call->switches);
}

/* Runs every part with buffers of its own; counts of bad indices add up. */
static int32_t run_parts(struct call *call)
{
    int32_t worst = UPS_OK;
    call->bad_count = 0;
    call->bad_first = -1;
    for (int32_t i = 0; i < call->parts; i++) {
        ups_buffers buffers;
        call_buffers(call, &buffers);
        int32_t part = call->order ? call->order[i] : i;
        int32_t status = ups_run_part(call->plan, &buffers, call->work, call->work_bytes, part, call->parts);
        if (status != UPS_OK) worst = status;
        call->bad_count += buffers.bad_count;
        if (buffers.bad_first >= 0 && (call->bad_first < 0 || buffers.bad_first < call->bad_first))
            call->bad_first = buffers.bad_first;
    }
    return worst;
}

static int32_t run_whole(struct call *call)
{
    ups_buffers buffers;
    call_buffers(call, &buffers);
    int32_t status = ups_run(call->plan, &buffers, call->work, call->work_bytes);
    call->bad_count = buffers.bad_count;
    call->bad_first = buffers.bad_first;
    return status;
}

int32_t call_run(struct call *call)
{
    int32_t status = call_open(call);
    if (status != UPS_OK) return status;
    status = call->parts ? run_parts(call) : run_whole(call);
    call_read(call);
    call_shut(call);
    return status;
}

void call_close(struct call *call)
{
    free(call->y);
    free(call->switches);
    call->y = NULL;
    call->switches = NULL;
}

/* ---- what a call was ---- */

static void append(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

const char *call_text(const struct call *call)
{
    static char text[2048];
    char value[256];
    int32_t rank = call->desc.head.rank;
    snprintf(text, sizeof text, "%s", ups_op_word(call->desc.head.op));
    for (int i = 0; ups_desc_field(call->desc.head.op, i); i++) {
        const char *field = ups_desc_field(call->desc.head.op, i);
        if (ups_desc_get(&call->desc, field, value, sizeof value) >= 0)
            append(text, sizeof text, " %s=%s", field, value);
    }
    append(text, sizeof text, " in=");
    for (int a = 0; a < rank + 2; a++) append(text, sizeof text, a ? ",%lld" : "%lld", (long long)call->dims[a]);
    if (call->sizes)
        for (int a = 0; a < rank; a++) append(text, sizeof text, a ? ",%lld" : " out=%lld", (long long)call->sizes[a]);
    append(text, sizeof text, " | isa=%s algorithm=%s policy=%d at_run=%d margins=%d,%d place=%d parts=%d", call->isa,
           call->algorithm, call->policy, call->weights_at_run, call->src_margin, call->dst_margin, call->place,
           call->parts);
    return text;
}

const char *call_word(const struct call *call, const char *field)
{
    static char word[64];
    char key[64];
    snprintf(key, sizeof key, "\"%s\":", field);
    const char *at = strstr(call->described, key);
    word[0] = 0;
    if (at) sscanf(at + strlen(key), " \"%63[^\"]\"", word);
    return word;
}

/* ---- checks ---- */

static int64_t checked;

int64_t call_checked(void)
{
    return checked;
}

void call_same(const struct call *call, const char *what, const float *got, const float *want, int64_t n)
{
    checked += n;
    for (int64_t i = 0; i < n; i++)
        if (check_bits(got[i]) != check_bits(want[i]))
            fail_msg("%s [%lld of %lld]: got %.9g (%08x), want %.9g (%08x)\n  %s", what, (long long)i, (long long)n,
                     (double)got[i], check_bits(got[i]), (double)want[i], check_bits(want[i]), call_text(call));
}

void call_same_index(const struct call *call, const char *what, const int64_t *got, const int64_t *want, int64_t n)
{
    checked += n;
    for (int64_t i = 0; i < n; i++)
        if (got[i] != want[i])
            fail_msg("%s [%lld of %lld]: got %lld, want %lld\n  %s", what, (long long)i, (long long)n,
                     (long long)got[i], (long long)want[i], call_text(call));
}

void call_near(const struct call *call, const float *got, const double *want, const double *bound, double factor,
               int64_t n)
{
    checked += n;
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - want[i]) <= bound[i] * factor + 1e-37))
            fail_msg("value [%lld of %lld]: got %.9g, want %.12g, error %.3g, allowed %.3g\n  %s", (long long)i,
                     (long long)n, (double)got[i], want[i], (double)got[i] - want[i], bound[i] * factor,
                     call_text(call));
}

void call_status(const struct call *call, int32_t got, int32_t want)
{
    if (got != want)
        fail_msg("status %d (%s), want %d: \"%s\"\n  %s", got, ups_status_string(got), want, ups_last_error(),
                 call_text(call));
}

/* Rounding errors of K terms behave like a random walk: u*sqrt(K) of the sum of magnitudes is already generous, since
 * each partial sum is at most that. A term dropped or taken twice is about 1/K of it, far above. */
double call_sum_bound(const ups_conv_transpose_desc *desc)
{
    double terms = (double)(desc->in_channels / desc->group * product(desc->kernel_shape, desc->rank));
    return ldexp(4 + 3 * sqrt(terms), -24);
}

/* ---- data ---- */

float *call_floats(int64_t n)
{
    float *v = take((size_t)n * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = call_gaussian();
    return v;
}

float *call_integers(int64_t n, int max)
{
    float *v = take((size_t)n * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = (float)check_between(-max, max);
    return v;
}

float *call_bytes(int64_t n, int32_t dtype)
{
    const int64_t low = dtype == UPS_S8 ? -128 : 0, span = call_chance(40) ? 255 : check_between(0, 3);
    const int64_t first = low + check_between(0, 255 - span);
    float *v = take((size_t)n * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = (float)check_between(first, first + span);
    return v;
}

float *call_values(int64_t n)
{
    float *v = take((size_t)n * sizeof *v);
    check_fill(v, n, (enum check_fill)check_between(0, CHECK_FILLS - 1));
    return v;
}

/* ---- tiers ---- */

int call_tiers(const char *names[8])
{
    int count = 0;
    for (int i = 0; ups_isa_name(i) && count < 8; i++) {
        struct call call;
        float x = 1;
        call_init(&call, UPS_REPLICATE, 1);
        call.desc.expand.factor[0] = 2;
        call.dims[0] = call.dims[1] = call.dims[2] = 1;
        call.x = &x;
        call.isa = ups_isa_name(i);
        call_status(&call, call_run(&call), UPS_OK);
        if (strcmp(call_word(&call, "isa"), call.isa) == 0)
            names[count++] = call.isa;
        else
            printf("tier %s: not run here (the machine or UPSAMPLE_MAX_ISA gives %s)\n", call.isa,
                   call_word(&call, "isa"));
        call_close(&call);
    }
    return count;
}

int call_algorithms(const char *names[8])
{
    static char found[8][16];
    struct call call;
    int count = 0;
    const float one = 1;
    call_init(&call, UPS_CONV_TRANSPOSE, 1);
    call.desc.conv.in_channels = call.desc.conv.out_channels = call.desc.conv.kernel_shape[0] = 1;
    memcpy(call.dims, (int64_t[]){1, 1, 1}, 3 * sizeof *call.dims);
    call.x = call.w = &one;
    call_status(&call, call_run(&call), UPS_OK);
    for (const char *at = call.described; (at = strstr(at, "\"algorithm\":")); at++, count++) {
        assert_true(count < 8);
        assert_int_equal(sscanf(at, "\"algorithm\": \"%15[^\"]\"", found[count]), 1);
        names[count] = found[count];
    }
    call_close(&call);
    return count;
}

bool call_may_refuse(const struct call *call)
{
    static const char *const all[] = {"auto", "phase", "planar", "gemm", "scatter"};
    for (int i = 0; i < 5; i++)
        if (!call->algorithm || strcmp(call->algorithm, all[i]) == 0) return false;
    return true;
}
