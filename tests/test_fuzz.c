/* SPDX-License-Identifier: MIT
 *
 * Descriptors that nobody would write: random bytes, boundary values, legal fields in senseless company, under every preset.
 * Whatever they say, every entry point returns a status with a sentence, or runs. Memory is exactly as large as the interface
 * says, for the sanitizers; what would need more than CAP elements or BYTES of memory is not run.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "call.h"
#include "fields.h"
#include "naive.h"

enum { CAP = 1 << 15, BYTES = 1 << 24 };

static int64_t ran, refused;

/* ---- statuses ---- */

/* Another sentence than this one must follow a failure. */
static void forget(void)
{
    assert_int_equal(ups_shape(NULL, NULL, NULL, NULL, NULL), UPS_INVALID);
}

static bool good(const char *what, int32_t status)
{
    if (status == UPS_OK || status == UPS_BAD_INDEX) return true;
    if (status < 0 || status > UPS_BAD_INDEX) fail_msg("%s: status %d", what, status);
    if (strlen(ups_last_error()) < 8 || strstr(ups_last_error(), "desc = NULL"))
        fail_msg("%s: status %d without a sentence", what, status);
    refused++;
    return false;
}

/* ---- descriptors ---- */

static int64_t strange(void)
{
    static const int64_t values[] = {0,         1,         2,          3,         5,       -1,          -2,
                                     INT32_MAX, INT32_MIN, 2147483648, INT64_MAX, 46341,   INT64_MIN,   65536,
                                     1 << 30,   1000,      2147483646, 1LL << 62, 1 << 20, -2147483649, 255};
    return values[check_between(0, (int64_t)(sizeof values / sizeof *values) - 1)];
}

static double strange_real(void)
{
    static const double values[] = {NAN,    INFINITY, -INFINITY, 0,  -0.0,  1e308, -1e308, 1e-308,
                                    5e-324, 0.5,      2,         -1, -1e30, 1e18,  3};
    return values[check_between(0, (int64_t)(sizeof values / sizeof *values) - 1)];
}

/* One field overwritten, or a part of it. */
static void poke(union desc *desc, size_t size)
{
    size_t at = (size_t)check_between(4, (int64_t)size / 4 - 1) * 4;
    int64_t value = strange();
    double real = strange_real();
    int32_t small = call_chance(70) ? (int32_t)value : (int32_t)check_random();
    if (at % 8 || at < sizeof(ups_desc_head) || call_chance(30))
        memcpy((char *)desc + at, &small, sizeof small);
    else
        memcpy((char *)desc + at, call_chance(60) ? (void *)&value : (void *)&real, sizeof value);
}

static double some_real(void)
{
    return (double)check_between(-20, 40) / 10;
}

static void legal_axes(const struct ups_field *f, int64_t *to, int count)
{
    bool by_preset = f->by_preset && call_chance(30);
    for (int i = 0; i < count; i++)
        to[i] = by_preset ? UPS_BY_PRESET : f->low + check_between(0, call_chance(50) ? 1 : 4);
}

/* A field with a value that is legal by itself. */
static void legal_field(const struct ups_field *f, union desc *desc)
{
    void *at = (char *)desc + f->offset;
    double *real = at;
    int count = 0;
    switch (f->kind) {
    case UPS_KIND_NUMBER: *(int32_t *)at = (int32_t)check_between(f->low, f->high); break;
    case UPS_KIND_LENGTH: legal_axes(f, at, 1); break;
    case UPS_KIND_AXES: legal_axes(f, at, 3); break;
    case UPS_KIND_PADS: legal_axes(f, at, 6); break;
    case UPS_KIND_SUBSET: *(int32_t *)at = (int32_t)check_between(1, 7); break;
    case UPS_KIND_REAL: *real = some_real(); break;
    case UPS_KIND_SCALES:
        for (int i = 0; i < 3; i++) real[i] = fabs(some_real()) + 0.1;
        break;
    case UPS_KIND_ROI:
        for (int i = 0; i < 6; i++) real[i] = some_real();
        break;
    case UPS_KIND_WORD:
    case UPS_KIND_ACTIVATION:
        while (f->words[count].text) count++;
        *(int32_t *)at = f->words[check_between(0, count - 1)].value;
        break;
    }
}

/* Fields without a default first, then any; in a third of them something that is not legal at all. */
static void random_desc(union desc *desc)
{
    int32_t op = call_ops[check_between(0, CALL_OPS - 1)];
    size_t size = ups_desc_size(op);
    while (ups_desc_init(desc, size, op, ups_preset((int32_t)check_between(0, 19))) != UPS_OK) continue;
    bool tame = call_chance(30);
    for (const struct ups_field *f = ups_find_operation(op)->fields; f->name; f++)
        if (f->low == 1 || call_chance(tame ? 10 : 40)) legal_field(f, desc);
    if (ups_forward_op(op) == UPS_CONV_TRANSPOSE && call_chance(90)) {
        desc->conv.in_channels *= desc->conv.group;
        desc->conv.out_channels *= desc->conv.group;
    }
    if (op != UPS_CONV_TRANSPOSE && ups_forward_op(op) == UPS_CONV_TRANSPOSE && call_chance(90))
        desc->conv.activation = UPS_NO_ACTIVATION;
    if (call_chance(85)) desc->head.strict = 0;
    for (int i = 0; i < 4 && call_chance(25); i++) poke(desc, size);
    if (call_chance(2))
        for (size_t i = sizeof(ups_desc_head); i < size; i++)
            ((unsigned char *)desc)[i] = (unsigned char)check_random();
    if (call_chance(3)) poke(desc, sizeof(ups_desc_head));
}

/* ---- asking ---- */

static void ask(const union desc *desc, const union desc *other)
{
    char text[64], json[256];
    union desc copy = *desc;
    int32_t op = desc->head.op;
    for (int i = 0; ups_desc_field(op, i); i++) {
        const char *name = ups_desc_field(op, i);
        int64_t length = ups_desc_get(desc, name, text, sizeof text);
        if (length >= 0 && length < (int64_t)sizeof text && call_chance(20)) {
            forget();
            good(name, ups_desc_set(&copy, name, text));
        }
        if (call_chance(2)) assert_true(ups_desc_explain(op, name, UPS_JSON, json, sizeof json) > 0);
    }
    forget();
    if (ups_desc_difference(desc, other, text, sizeof text) < 0) good("difference", UPS_INVALID);
}

static int64_t capped_product(const int64_t *v, int n)
{
    int64_t p = 1;
    for (int i = 0; i < n; i++) {
        if (v[i] < 0 || v[i] > CAP) return CAP + 1;
        p = p * v[i] > CAP ? CAP + 1 : p * v[i];
    }
    return p;
}

/* Values of the weights, CAP + 1 for too many. */
static int64_t weights_of(const union desc *desc)
{
    const ups_conv_transpose_desc *d = &desc->conv;
    int64_t rank = d->rank >= 1 && d->rank <= 3 ? d->rank : 3;
    const int64_t v[] = {d->in_channels, d->out_channels, capped_product(d->kernel_shape, (int)rank)};
    return ups_forward_op(d->op) == UPS_CONV_TRANSPOSE ? capped_product(v, 3) : 0;
}

static void ask_sizes(const union desc *desc, const int64_t *in)
{
    int64_t low[3], standard[3], high[3], pads[6], more[3], want[3];
    forget();
    if (!good("shape", ups_shape(desc, in, low, standard, high))) return;
    for (int a = 0; a < desc->head.rank; a++) {
        assert_true(low[a] >= 1 && low[a] <= high[a]);
        want[a] = call_chance(80) && high[a] > 0 ? check_between(low[a], high[a] < low[a] + 9 ? high[a] : low[a] + 9)
                                                 : strange();
    }
    forget();
    good("solve_pads", ups_solve_pads(desc, in, call_chance(50) ? want : NULL, pads, more));
}

static void fill_weights(const union desc *desc)
{
    int64_t count = weights_of(desc);
    if (count > CAP) return;
    float *w = malloc((size_t)count * sizeof *w + 1);
    forget();
    good("fill_weights", ups_fill_weights(desc, (int32_t)check_between(0, 4), w));
    free(w);
}

/* Switches of a small pooling, most of them nonsense. */
static void convert_indices(const union desc *desc, const int64_t *dims)
{
    int64_t out[5] = {dims[0], dims[1]}, bad, first;
    int32_t rank = desc->head.rank;
    if (desc->head.op != UPS_MAX_POOL || ups_shape(desc, dims + 2, NULL, out + 2, NULL) != UPS_OK) return;
    int64_t n = capped_product(out, rank + 2);
    if (n > CAP) return;
    int64_t *from = malloc((size_t)n * 8 + 1), *to = malloc((size_t)n * 8 + 1);
    for (int64_t i = 0; i < n; i++) from[i] = call_chance(80) ? check_between(0, 20) : strange();
    static const int32_t types[] = {UPS_I64, UPS_I32, UPS_U8, UPS_F32, 0};
    forget();
    good("convert_indices", ups_convert_indices(desc, dims, from, (int32_t)check_between(0, 9),
                                                types[check_between(0, 4)], to, &bad, &first));
    free(from);
    free(to);
}

/* ---- running ---- */

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    return bytes > BYTES ? NULL : malloc(bytes);
}

static void release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

/* Bytes from the first element to behind the last; 0 for an empty tensor, more than CAP elements for too many. */
static size_t span(const ups_tensor *t, size_t element)
{
    int64_t elements = 1;
    for (int a = 0; a < t->rank + 2; a++) {
        if (t->dims[a] == 0) return 0;
        if (t->dims[a] > 1 && (t->strides[a] > CAP || t->dims[a] > CAP)) return (CAP + 1) * element;
        if (t->dims[a] > 1) elements += (t->dims[a] - 1) * t->strides[a];
    }
    return (size_t)(elements > CAP ? CAP + 1 : elements) * element;
}

static size_t element_of(int32_t dtype)
{
    return dtype == UPS_I64 ? 8 : dtype == UPS_U8 || dtype == UPS_S8 ? 1 : 4;
}

static void *filled(size_t bytes)
{
    unsigned char *memory = malloc(bytes + 1);
    for (size_t i = 0; i < bytes; i++) memory[i] = (unsigned char)(call_chance(70) ? 0 : check_random());
    return memory;
}

static void run_plan(const ups_plan *plan, const union desc *desc, bool at_run)
{
    ups_tensor src = {.size = sizeof src}, dst = src, indices = src, grad = src;
    ups_buffers b;
    char text[256];
    int32_t op = desc->head.op, parts = (int32_t)check_between(1, 4);
    bool reads = op == UPS_MAX_UNPOOL || op == UPS_MAX_POOL_GRAD || op == UPS_MAX_UNPOOL_GRAD;
    bool has_indices = op == UPS_MAX_POOL || reads;
    assert_int_equal(ups_plan_tensor(plan, UPS_ROLE_SRC, &src), UPS_OK);
    assert_int_equal(ups_plan_tensor(plan, UPS_ROLE_DST, &dst), UPS_OK);
    if (has_indices && ups_plan_tensor(plan, UPS_ROLE_INDICES, &indices) != UPS_OK) {
        assert_int_equal(op, UPS_MAX_POOL); /* whose index type may be too small: values alone then */
        has_indices = false;
    }
    assert_true(ups_plan_describe(plan, UPS_JSON, text, sizeof text) > 0);
    if (op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS) assert_int_equal(ups_plan_tensor(plan, UPS_ROLE_GRAD, &grad), UPS_OK);
    if (span(&grad, 4) > 4 * CAP) return;
    size_t work = ups_plan_workspace(plan, parts),
           index_bytes = has_indices ? span(&indices, element_of(indices.dtype)) : 0;
    const size_t each = element_of(src.dtype);
    if (span(&src, 4) > 4 * CAP || span(&dst, 4) > 4 * CAP || index_bytes > 8 * CAP || work > BYTES) return;
    if (weights_of(desc) > CAP) return; /* each run would need them */
    ups_buffers_init(&b, sizeof b);
    void *x = filled(span(&src, each)), *y = malloc(span(&dst, each) + 1), *index = filled(index_bytes),
         *workspace = malloc(work + 1);
    float *w = calloc((size_t)weights_of(desc) + 1, sizeof *w);
    void *g = filled(span(&grad, 4));
    b.src = x;
    b.dst = y;
    if (op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS) b.grad = g;
    if (op == UPS_MAX_POOL && has_indices && call_chance(80)) b.indices_out = index;
    if (reads) b.indices_in = index;
    if (at_run) b.weights = w;
    for (int32_t part = 0; part < parts; part++) {
        forget();
        good("run", ups_run_part(plan, &b, workspace, work, part, parts));
    }
    ran++;
    free(x);
    free(y);
    free(g);
    free(index);
    free(workspace);
    free(w);
}

static void plan_and_run(ups_op *op, const union desc *desc, const int64_t *dims, bool at_run)
{
    ups_tensor src;
    ups_plan *plan = NULL;
    int64_t sizes[3];
    int32_t layout = desc->head.layout, rank = desc->head.rank;
    for (int a = 0; a < 3; a++) sizes[a] = call_chance(90) ? check_between(1, 12) : strange();
    forget();
    if (!good("tensor", ups_tensor_init(&src, sizeof src, desc->head.dtype, rank, layout, dims))) return;
    if (call_chance(2)) src.dtype = (int32_t)check_between(0, 8);
    if (call_chance(5)) src.strides[check_between(0, 4)] = strange();
    if (call_chance(3)) src.dims[check_between(0, 4)] = strange();
    forget();
    if (good("plan", ups_plan_create(op, &src, NULL, call_chance(25) ? sizes : NULL, &plan)))
        run_plan(plan, desc, at_run);
    else
        assert_null(plan);
    ups_plan_destroy(plan);
}

/* Channels that the operation takes, most of the time. */
static int64_t channels_of(const union desc *desc)
{
    int64_t c = check_between(1, 3), b = desc->shuffle.blocksize;
    bool of_input = desc->head.op == UPS_CONV_TRANSPOSE || desc->head.op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS;
    if (ups_forward_op(desc->head.op) == UPS_CONV_TRANSPOSE && call_chance(95))
        return of_input ? desc->conv.in_channels : desc->conv.out_channels;
    bool shuffle = desc->head.op == UPS_PIXEL_SHUFFLE || desc->head.op == UPS_PIXEL_UNSHUFFLE_GRAD;
    for (int a = 0; shuffle && a < desc->head.rank && b >= 1 && b <= 5; a++) c *= b;
    return c;
}

static void try_all(const union desc *desc, const union desc *other)
{
    int64_t dims[5] = {call_chance(5) ? 0 : check_between(1, 2), channels_of(desc)};
    bool unshuffle =
        desc->head.op == UPS_PIXEL_UNSHUFFLE && desc->shuffle.blocksize >= 1 && desc->shuffle.blocksize < 5;
    for (int a = 0; a < 3; a++) dims[2 + a] = check_between(1, 6) * (unshuffle ? desc->shuffle.blocksize : 1);
    ask(desc, other);
    ask_sizes(desc, dims + 2);
    fill_weights(desc);
    convert_indices(desc, dims);

    static const char *const algorithms[] = {NULL,      "auto",      "phase",    "planar", "gemm",
                                             "scatter", "depthwise", "winograd", "direct"};
    ups_options options;
    ups_op *op = NULL;
    ups_options_init(&options, sizeof options);
    options.policy = (int32_t)check_between(1, 3);
    options.algorithm = call_chance(80) ? NULL : algorithms[check_between(0, 8)];
    options.max_isa = call_chance(30) ? "scalar" : NULL;
    options.allocate = allocate;
    options.release = release;
    options.size_hint = call_chance(20) ? dims : NULL;
    bool conv = desc->head.op == UPS_CONV_TRANSPOSE || desc->head.op == UPS_CONV_TRANSPOSE_GRAD_INPUT,
         at_run = conv && (weights_of(desc) > CAP || call_chance(30));
    if (at_run) options.flags = UPS_WEIGHTS_AT_RUN;
    float *w = conv && !at_run ? calloc((size_t)weights_of(desc) + 1, sizeof *w) : NULL;
    if (w && call_chance(50)) w[check_between(0, weights_of(desc))] = 1;
    forget();
    if (good("op", ups_op_create(desc, w, NULL, &options, &op)))
        plan_and_run(op, desc, dims, at_run);
    else
        assert_null(op);
    ups_op_destroy(op);
    free(w);
}

static void test_any_descriptor(void **unused)
{
    (void)unused;
    int cases = check_quick() ? 3000 : 60000;
    union desc desc, other;
    random_desc(&other);
    for (int i = 0; i < cases; i++) {
        random_desc(&desc);
        try_all(&desc, &other);
        if (call_chance(10)) other = desc;
    }
    printf("%lld runs, %lld refusals\n", (long long)ran, (long long)refused);
    assert_true(ran > cases / 10 && refused > cases / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_descriptor)};
    check_random(); /* prints the seed */
    return cmocka_run_group_tests_name("fuzz", tests, NULL, NULL);
}
