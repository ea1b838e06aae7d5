/* SPDX-License-Identifier: MIT
 *
 * `upsample info`: this machine, this build, and a self-test: on every tier that may be used here, a few operations
 * against plain loops. It finds a broken build or a miscompiled kernel, not every bug; tools/test is for that.
 */
#include "command.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: upsample info [--json]\n"
    "\n"
    "Prints the CPU, its caches, the tiers compiled, detected and allowed (and why not), the build, and the result of\n"
    "a self-test on every allowed tier. The exit code is not 0 if the self-test fails.\n";

/* ---- one call of the library, and what it is compared with ---- */

enum { N = 2, C = 19, H = 7, W = 37, O = 5, K = 4 }; /* odd against every vector length */

struct trial {
    union descriptor desc;
    const char *isa, *algorithm; /* what is asked for */
    const float *weights, *bias;
    ups_buffers buffers;
    char problem[200]; /* empty: all is well */
    char used[16];     /* the tier that ran */
};

/* Values that a float holds exactly, so that a plain sum of them is exact too; no two neighbours are equal. */
static void fill(float *x, int64_t count, uint32_t seed)
{
    for (int64_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)((int32_t)(seed >> 20) - 2048) / 256;
    }
}

static void start(struct trial *t, int32_t op, const char *isa)
{
    memset(t, 0, sizeof *t);
    t->isa = isa;
    ups_desc_init(&t->desc, ups_desc_size(op), op, NULL);
    ups_buffers_init(&t->buffers, sizeof t->buffers);
}

static void set(struct trial *t, const char *name, const char *value)
{
    if (ups_desc_set(&t->desc, name, value) && !*t->problem)
        snprintf(t->problem, sizeof t->problem, "%s", ups_last_error());
}

static int32_t run_plan(struct trial *t, const ups_plan *plan)
{
    size_t bytes = ups_plan_workspace(plan, 1);
    void *workspace = malloc(bytes + 1);
    int32_t status = workspace ? ups_run(plan, &t->buffers, workspace, bytes) : UPS_NO_MEMORY;
    free(workspace);
    cJSON *told = plan_json(plan);
    const char *isa = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(told, "isa"));
    snprintf(t->used, sizeof t->used, "%s", isa ? isa : "");
    cJSON_Delete(told);
    return status;
}

/* Op, plan, run on a source of N, channels, height, width. */
static void execute(struct trial *t, int64_t channels, int64_t height, int64_t width)
{
    ups_op *op = NULL;
    ups_plan *plan = NULL;
    ups_options options;
    ups_tensor src;
    if (*t->problem) return;
    ups_options_init(&options, sizeof options);
    options.max_isa = t->isa;
    options.algorithm = t->algorithm;
    int32_t status = ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_FIRST,
                                     (int64_t[]){N, channels, height, width});
    if (!status) status = ups_op_create(&t->desc, t->weights, t->bias, &options, &op);
    if (!status) status = ups_plan_create(op, &src, NULL, NULL, &plan);
    if (!status) status = run_plan(t, plan);
    if (status) snprintf(t->problem, sizeof t->problem, "%.180s", ups_last_error());
    ups_plan_destroy(plan);
    ups_op_destroy(op);
}

/* tolerance 0: bit-equal values. */
static void compare(struct trial *t, const float *y, const double *expected, int64_t count, double tolerance)
{
    for (int64_t i = 0; !*t->problem && i < count; i++)
        if (!(fabs(y[i] - expected[i]) <= tolerance))
            snprintf(t->problem, sizeof t->problem, "element %lld is %.9g, not %.9g", (long long)i, y[i], expected[i]);
}

/* Room for every trial below. */
enum { MOST_INPUT = N * C * 2 * H * 2 * W, MOST_OUTPUT = N * C * 4 * H * 4 * W };
struct arrays {
    float x[MOST_INPUT], y[MOST_OUTPUT];
    double expected[MOST_OUTPUT];
    int64_t switches[N * C * H * W];
    float weights[C * O * K * K], bias[O];
};

/* ---- the checks ---- */

/* Largest of each 2x2 window of a 2H x 2W plane and where it is, then back to its place with zeros around it. */
static void expect_round_trip(const struct arrays *a, double *expected)
{
    for (int plane = 0; plane < N * C; plane++)
        for (int i = 0; i < H * W; i++) {
            int corner = i / W * 2 * 2 * W + i % W * 2, best = corner;
            const int window[] = {corner + 1, corner + 2 * W, corner + 2 * W + 1};
            const float *x = a->x + plane * 4 * H * W;
            for (int k = 0; k < 3; k++)
                if (x[window[k]] > x[best]) best = window[k];
            expected[plane * 4 * H * W + best] = x[best];
        }
}

static void check_round_trip(struct trial *t, const char *isa, const char *algorithm, struct arrays *a)
{
    (void)algorithm;
    start(t, UPS_MAX_POOL, isa);
    set(t, "kernel_shape", "2,2");
    t->buffers.src = a->x;
    t->buffers.dst = a->y;
    t->buffers.indices_out = a->switches;
    execute(t, C, 2 * H, 2 * W);
    if (*t->problem) return;
    float *pooled = a->y, *back = a->y + N * C * H * W;
    start(t, UPS_MAX_UNPOOL, isa);
    set(t, "kernel_shape", "2,2");
    t->buffers.src = pooled;
    t->buffers.dst = back;
    t->buffers.indices_in = a->switches;
    execute(t, C, H, W);
    expect_round_trip(a, a->expected);
    compare(t, back, a->expected, N * C * 4 * H * W, 0);
}

static void check_replicate(struct trial *t, const char *isa, const char *algorithm, struct arrays *a)
{
    (void)algorithm;
    start(t, UPS_REPLICATE, isa);
    set(t, "factor", "2,2");
    t->buffers.src = a->x;
    t->buffers.dst = a->y;
    execute(t, C, H, W);
    for (int i = 0; i < N * C * 4 * H * W; i++) {
        int column = i % (2 * W), row = i / (2 * W); /* rows of all planes: 2H is even, so the planes do not mix */
        a->expected[i] = a->x[row / 2 * W + column / 2];
    }
    compare(t, a->y, a->expected, N * C * 4 * H * W, 0);
}

/* Half-pixel linear interpolation of one axis to twice its length: output o lies at o/2 - 1/4. */
static void linear_taps(int o, int length, int *low, int *high, double *weight)
{
    double at = o / 2.0 - 0.25;
    if (at < 0) at = 0;
    *low = (int)at;
    *high = *low + 1 < length ? *low + 1 : *low;
    *weight = at - *low;
}

static void check_resize(struct trial *t, const char *isa, const char *algorithm, struct arrays *a)
{
    (void)algorithm;
    start(t, UPS_RESIZE, isa);
    set(t, "mode", "linear");
    set(t, "scales", "2,2");
    t->buffers.src = a->x;
    t->buffers.dst = a->y;
    execute(t, C, H, W);
    for (int i = 0; i < N * C * 4 * H * W; i++) {
        int top, bottom, left, right;
        double v, h;
        linear_taps(i / (2 * W) % (2 * H), H, &top, &bottom, &v);
        linear_taps(i % (2 * W), W, &left, &right, &h);
        const float *x = a->x + i / (4 * H * W) * H * W;
        a->expected[i] = (1 - v) * ((1 - h) * x[top * W + left] + h * x[top * W + right]) +
                         v * ((1 - h) * x[bottom * W + left] + h * x[bottom * W + right]);
    }
    compare(t, a->y, a->expected, N * C * 4 * H * W, 1e-5);
}

/* Kernel 4, stride 2, pad 1: the size doubles. y[o*2 + k - 1] += x[o] * w[k]. */
static void expect_conv_transpose(const struct arrays *a, double *expected)
{
    for (int i = 0; i < N * O * 4 * H * W; i++) expected[i] = a->bias[i / (4 * H * W) % O];
    for (int i = 0; i < N * C * H * W; i++)
        for (int j = 0; j < O * K * K; j++) {
            int n = i / (C * H * W), c = i / (H * W) % C, o = j / (K * K);
            int row = i / W % H * 2 + j / K % K - 1, column = i % W * 2 + j % K - 1;
            if (row < 0 || row >= 2 * H || column < 0 || column >= 2 * W) continue;
            expected[((n * O + o) * 2 * H + row) * 2 * W + column] += (double)a->x[i] * a->weights[c * O * K * K + j];
        }
}

static void check_conv_transpose(struct trial *t, const char *isa, const char *algorithm, struct arrays *a)
{
    char channels[16];
    start(t, UPS_CONV_TRANSPOSE, isa);
    snprintf(channels, sizeof channels, "%d", (int)C);
    set(t, "in_channels", channels);
    snprintf(channels, sizeof channels, "%d", (int)O);
    set(t, "out_channels", channels);
    set(t, "kernel_shape", "4,4");
    set(t, "strides", "2,2");
    set(t, "pads", "1,1,1,1");
    t->algorithm = algorithm;
    t->weights = a->weights;
    t->bias = a->bias;
    t->buffers.src = a->x;
    t->buffers.dst = a->y;
    execute(t, C, H, W);
    expect_conv_transpose(a, a->expected);
    compare(t, a->y, a->expected, N * O * 4 * H * W, 1e-2); /* sums of 80 products up to 64 */
}

static const struct check {
    const char *name;
    void (*run)(struct trial *t, const char *isa, const char *algorithm, struct arrays *a);
    const char *algorithm;
} checks[] = {
    {"max_pool and max_unpool", check_round_trip, NULL},
    {"replicate", check_replicate, NULL},
    {"resize", check_resize, NULL},
    {"conv_transpose", check_conv_transpose, NULL},
    {"conv_transpose by phase", check_conv_transpose, "phase"},
    {"conv_transpose by planar", check_conv_transpose, "planar"},
    {"conv_transpose by gemm", check_conv_transpose, "gemm"},
    {"conv_transpose by scatter", check_conv_transpose, "scatter"},
};
enum { CHECK_COUNT = sizeof checks / sizeof checks[0] };

/* ---- the report ---- */


/* Inputs anew for each check, everything else as ones bits or zeros. */
static void prepare_arrays(struct arrays *a)
{
    memset(a->y, 0xff, sizeof a->y);
    memset(a->switches, 0xff, sizeof a->switches);
    for (int i = 0; i < MOST_OUTPUT; i++) a->expected[i] = 0;
    fill(a->x, MOST_INPUT, 1);
    fill(a->weights, C * O * K * K, 2);
    fill(a->bias, O, 3);
}

static cJSON *failure_of(const char *check, const char *problem)
{
    cJSON *failure = cJSON_CreateObject();
    cJSON_AddStringToObject(failure, "check", check);
    cJSON_AddStringToObject(failure, "problem", problem);
    return failure;
}

/* One tier, into an object {isa, checks, failed: [{check, problem}]}. NULL if this machine or its owner does not allow
 * the tier: then a lower one runs in its place. */
static cJSON *test_tier(const char *isa, struct arrays *a)
{
    cJSON *tier = cJSON_CreateObject(), *failed = cJSON_CreateArray();
    cJSON_AddStringToObject(tier, "isa", isa);
    cJSON_AddNumberToObject(tier, "checks", CHECK_COUNT);
    cJSON_AddItemToObject(tier, "failed", failed);
    for (int i = 0; i < CHECK_COUNT; i++) {
        struct trial t;
        prepare_arrays(a);
        checks[i].run(&t, isa, checks[i].algorithm, a);
        if (*t.used && strcmp(t.used, isa)) {
            cJSON_Delete(tier);
            return NULL;
        }
        if (*t.problem) cJSON_AddItemToArray(failed, failure_of(checks[i].name, t.problem));
    }
    return tier;
}

/* All tiers, into {passed, tiers}. A test that tested nothing has not passed. */
static cJSON *self_test(struct arrays *a, bool *passed)
{
    cJSON *result = cJSON_CreateObject(), *tiers = cJSON_CreateArray();
    *passed = true;
    const char *isa;
    for (int32_t i = 0; (isa = ups_isa_name(i)); i++) {
        cJSON *tier = test_tier(isa, a);
        if (!tier) continue;
        if (cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(tier, "failed"))) *passed = false;
        cJSON_AddItemToArray(tiers, tier);
    }
    if (!cJSON_GetArraySize(tiers)) *passed = false;
    cJSON_AddBoolToObject(result, "passed", *passed);
    cJSON_AddItemToObject(result, "tiers", tiers);
    return result;
}

static void print_failures(const cJSON *tier)
{
    const cJSON *failure;
    cJSON_ArrayForEach(failure, cJSON_GetObjectItemCaseSensitive(tier, "failed"))
        printf("  %s: %s\n", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(failure, "check")),
               cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(failure, "problem")));
}

static int print_text(const cJSON *result)
{
    char *text = cpu_text(UPS_TEXT);
    if (!text) return EXIT_FAILED;
    fputs(text, stdout);
    if (*text && text[strlen(text) - 1] != '\n') putchar('\n');
    free(text);
    const cJSON *tier, *tiers = cJSON_GetObjectItemCaseSensitive(result, "tiers");
    cJSON_ArrayForEach(tier, tiers) {
        int failed = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(tier, "failed"));
        printf("self-test %s: %d of %d passed\n", cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tier, "isa")),
               CHECK_COUNT - failed, CHECK_COUNT);
        print_failures(tier);
    }
    return finish_stdout();
}

static int print_object(const cJSON *result)
{
    cJSON *object = cpu_json();
    if (!object) return EXIT_FAILED;
    cJSON_AddItemToObject(object, "self_test", cJSON_Duplicate(result, true));
    return print_json(object);
}

int command_info(int argc, char **argv)
{
    bool json = false, passed;
    const struct command_option options[] = {{.name = "--json", .flag = &json}, {.name = NULL}};
    if (wants_help(argc, argv)) return print_help(help_text);
    int code = take_options(&argc, argv, options);
    if (code) return code;
    if (argc > 1) return fail_usage("info takes no %s", argv[1]);
    struct arrays *arrays = malloc(sizeof *arrays);
    if (!arrays) return fail("no memory for the self-test");
    cJSON *result = self_test(arrays, &passed);
    code = json ? print_object(result) : print_text(result);
    cJSON_Delete(result);
    free(arrays);
    if (!code && !passed) code = fail("the self-test failed");
    return code;
}
