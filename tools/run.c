/* SPDX-License-Identifier: MIT
 *
 * `upsample run`: an operation on .npy files, and how long it took.
 */
#include "command.h"
#include "npy.h"
#include "output.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: upsample run OP key=value … --src x.npy --dst y.npy [option …]\n"
    "\n"
    "OP is max_pool, avg_pool, max_unpool, replicate, bed_of_nails, pixel_shuffle, pixel_unshuffle, resize or\n"
    "conv_transpose, or one of the first seven with _grad, conv_transpose with _grad_input, _grad_weights or\n"
    "_grad_bias: its gradient. Keys have ONNX's names and orders, spatial axes only, outermost first:\n"
    "kernel_shape=4,4 strides=2,2 pads=1,1,1,1 mode=nearest sizes=64,64 … `upsample explain --keys OP` lists them;\n"
    "N and C come from the files.\n"
    "\n"
    "  --src, --dst FILE       input and output, float32; max_pool, max_unpool: or uint8, int8; of a gradient, the\n"
    "                          output's and the input's\n"
    "  --grad FILE             conv_transpose_grad_weights: the output's gradient; --src is the input, --dst has the\n"
    "                          weights' axes\n"
    "  --weights, --bias FILE  conv_transpose, _grad_input (no bias); the weights' axes as weights_layout says\n"
    "  --indices FILE          max_unpool, max_unpool_grad, max_pool_grad: the switches, int64, int32, uint8 or "
    "float32\n"
    "  --indices-out FILE      max_pool: record the switches (index_type=i64|i32|u8|f32)\n"
    "  --sizes N,N             spatial sizes of the output, where the operation leaves a choice: gradients\n"
    "  --layout first|last     order of the axes in the files: N, C, spatial (first) or N, spatial, C\n"
    "  --preset NAME           whose meaning; torch without it. A key overrides its own field\n"
    "  --isa NAME              no tier above scalar, avx2, avx512, neon\n"
    "  --algorithm NAME        conv_transpose: phase, planar, gemm, scatter, depthwise, winograd\n"
    "  --policy NAME           accurate, fast, reproducible\n"
    "  --threads N             1 without it\n"
    "  --repeat N              warm up, then time N runs\n"
    "  --json                  the report as one JSON object on stdout\n"
    "\n"
    "Exit code 3: the outputs are written, but some indices were outside the output plane and were skipped.\n";

/* Everything one call holds. Starts as zeros; released by release_call, however far it came. */
struct call {
    struct request request;
    const char *src_path, *dst_path, *weights_path, *bias_path, *indices_path, *switches_path, *grad_path, *sizes;
    int64_t repeat; /* 0: not asked for */
    union descriptor desc;
    struct npy src, weights, bias, indices, grad; /* inputs */
    struct npy dst, switches;                     /* outputs */
    struct output dst_file, switches_file;
    ups_op *op;
    ups_plan *plan;
    ups_tensor dst_tensor;
    ups_threads *threads;
    ups_buffers buffers;
    void *workspace;
    size_t workspace_bytes;
    double create_ms, plan_us, min_ms, median_ms;
};

/* ---- the command line ---- */

static int read_arguments(int argc, char **argv, struct call *call)
{
    const struct command_option besides[] = {
        {.name = "--src", .text = &call->src_path},
        {.name = "--dst", .text = &call->dst_path},
        {.name = "--weights", .text = &call->weights_path},
        {.name = "--bias", .text = &call->bias_path},
        {.name = "--indices", .text = &call->indices_path},
        {.name = "--indices-out", .text = &call->switches_path},
        {.name = "--grad", .text = &call->grad_path},
        {.name = "--sizes", .text = &call->sizes},
        {.name = "--repeat", .count = &call->repeat, .low = 1, .high = 1000000},
        {.name = NULL},
    };
    return read_request(argc, argv, besides, &call->request);
}

static bool reads_indices(int32_t op)
{
    return op == UPS_MAX_UNPOOL || op == UPS_MAX_UNPOOL_GRAD || op == UPS_MAX_POOL_GRAD;
}

/* Which operation takes which files. */
static bool takes_weights(int32_t op)
{
    return op == UPS_CONV_TRANSPOSE || op == UPS_CONV_TRANSPOSE_GRAD_INPUT;
}

static bool makes_weights(const struct call *call)
{
    return call->request.op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS;
}

static int check_arguments(struct call *call)
{
    const struct {
        const char *option, *path;
        bool possible, required;
    } files[] = {
        {"--src", call->src_path, true, true},
        {"--dst", call->dst_path, true, true},
        {"--weights", call->weights_path, takes_weights(call->request.op), true},
        {"--bias", call->bias_path, call->request.op == UPS_CONV_TRANSPOSE, false},
        {"--indices", call->indices_path, reads_indices(call->request.op), true},
        {"--indices-out", call->switches_path, call->request.op == UPS_MAX_POOL, false},
        {"--grad", call->grad_path, makes_weights(call), true},
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i].path && !files[i].possible)
            return fail_usage("%s takes no %s", call->request.word, files[i].option);
        if (!files[i].path && files[i].possible && files[i].required)
            return fail_usage("%s needs %s FILE", call->request.word, files[i].option);
    }
    if (call->switches_path && !strcmp(call->dst_path, call->switches_path))
        return fail_usage("--dst and --indices-out are the same file, %s", call->dst_path);
    return 0;
}

/* ---- inputs ---- */

static int read_floats(const char *path, struct npy *array)
{
    if (!path) return 0;
    int code = npy_read(path, array);
    if (code || array->type == NPY_F32) return code;
    return fail("%s: dtype %s; must be f4", path, npy_type_name(array->type));
}

/* Every type that is read is one of switches. */
static int read_indices(const char *path, struct npy *array)
{
    return path ? npy_read(path, array) : 0;
}

/* Floats, or the bytes of a pooling. */
static int read_source(const struct call *call, struct npy *array)
{
    const bool bytes = call->request.op == UPS_MAX_POOL || call->request.op == UPS_MAX_UNPOOL;
    if (!bytes) return read_floats(call->src_path, array);
    int code = npy_read(call->src_path, array);
    if (code || array->type == NPY_F32 || array->type == NPY_U8 || array->type == NPY_S8) return code;
    return fail("%s: dtype %s; must be f4, u1 or i1", call->src_path, npy_type_name(array->type));
}

static int read_inputs(struct call *call)
{
    int code = read_source(call, &call->src);
    if (!code && (call->src.rank < 3 || call->src.rank > 5)) {
        char shape[NPY_SHAPE_CAPACITY];
        return fail("%s: shape %s; must be N, C and one to three spatial axes", call->src_path,
                    npy_shape_text(&call->src, shape));
    }
    if (!code) code = read_floats(call->weights_path, &call->weights);
    if (!code) code = read_floats(call->bias_path, &call->bias);
    if (!code) code = read_floats(call->grad_path, &call->grad);
    if (!code) code = read_indices(call->indices_path, &call->indices);
    return code;
}

/* ---- the descriptor ---- */

/* Types of the library, by those of files. */
static const int32_t library_types[] = {
    [NPY_F32] = UPS_F32, [NPY_I32] = UPS_I32, [NPY_I64] = UPS_I64, [NPY_U8] = UPS_U8, [NPY_S8] = UPS_S8};

static enum npy_type file_type(int32_t library_type)
{
    enum npy_type type = NPY_F32;
    while (type < NPY_S8 && library_types[type] != library_type) type++;
    return type;
}

/* The type of an index input is its file's; a key may say the same. */
static int check_index_type(struct call *call)
{
    bool pool = call->request.op == UPS_MAX_POOL_GRAD;
    int32_t *type = pool ? &call->desc.pool.index_type : &call->desc.unpool.index_type;
    int32_t files = library_types[call->indices.type];
    for (int i = 0; i < call->request.key_count; i++)
        if (!strncmp(call->request.keys[i], "index_type=", 11) && *type != files)
            return fail("%s: dtype %s, but %s was asked for", call->indices_path, npy_type_name(call->indices.type),
                        call->request.keys[i]);
    *type = files;
    return 0;
}

/* What weights_layout says about the axes of the file: where I, O and the kernel stand, and what they count. */
struct weight_axes {
    int input, output, kernel;
    int64_t input_groups, output_groups; /* all channels = the axis times this */
};

/* The word spells the axes, H W standing for however many spatial axes there are. Of I and O the one named first counts
 * all channels, the other those of one group. */
static void find_weight_axes(const ups_conv_transpose_desc *desc, struct weight_axes *axes)
{
    char word[16] = "";
    ups_desc_get(desc, "weights_layout", word, sizeof word);
    int at = 0;
    *axes = (struct weight_axes){0};
    for (const char *c = word; *c; c++) {
        if (*c == 'I') axes->input = at++;
        if (*c == 'O') axes->output = at++;
        if (*c == 'H') {
            axes->kernel = at;
            at += desc->rank;
        }
    }
    axes->input_groups = axes->input < axes->output ? 1 : desc->group;
    axes->output_groups = axes->input < axes->output ? desc->group : 1;
}

static int refuse_weights(const struct call *call, int axis, const char *name, int64_t wanted)
{
    char word[16] = "", shape[NPY_SHAPE_CAPACITY];
    ups_desc_get(&call->desc, "weights_layout", word, sizeof word);
    return fail("%s: shape %s: with weights_layout=%s and group=%lld, axis %d does not agree with %s=%lld",
                call->weights_path, npy_shape_text(&call->weights, shape), word,
                (long long)call->desc.conv_transpose.group, axis, name, (long long)wanted);
}

/* Compares one channel axis of the weights with the number of channels that is known; 0: takes it from the weights. An
 * absurd group must not overflow here; the library refuses it. */
static int settle_channels(const struct call *call, int axis, int64_t groups, const char *name, int64_t *channels)
{
    int64_t from_file;
    if (__builtin_mul_overflow(call->weights.dims[axis], groups, &from_file)) from_file = INT64_MAX;
    if (*channels && *channels != from_file) return refuse_weights(call, axis, name, *channels);
    *channels = from_file;
    return 0;
}

static int64_t channels_of(const struct call *call, const struct npy *array)
{
    return array->dims[call->desc.head.layout == UPS_CHANNELS_LAST ? array->rank - 1 : 1];
}

/* The channels come from the source and the weights; keys may repeat them. */
static int check_weights(struct call *call)
{
    ups_conv_transpose_desc *desc = &call->desc.conv_transpose;
    struct weight_axes axes;
    char shape[NPY_SHAPE_CAPACITY];
    if (call->weights.rank != desc->rank + 2 || !call->weights.count)
        return fail("%s: shape %s; must be %d axes of at least 1: two of channels and those of the kernel",
                    call->weights_path, npy_shape_text(&call->weights, shape), (int)desc->rank + 2);
    find_weight_axes(desc, &axes);
    int64_t *source = desc->op == UPS_CONV_TRANSPOSE ? &desc->in_channels : &desc->out_channels;
    if (!*source) *source = channels_of(call, &call->src);
    int code = settle_channels(call, axes.input, axes.input_groups, "in_channels", &desc->in_channels);
    if (!code) code = settle_channels(call, axes.output, axes.output_groups, "out_channels", &desc->out_channels);
    for (int i = 0; !code && i < desc->rank; i++)
        if (call->weights.dims[axes.kernel + i] != desc->kernel_shape[i])
            code = refuse_weights(call, axes.kernel + i, "kernel_shape", desc->kernel_shape[i]);
    return code;
}

static int check_bias(const struct call *call)
{
    int64_t channels = call->desc.conv_transpose.out_channels;
    char shape[NPY_SHAPE_CAPACITY];
    if (!call->bias_path || (call->bias.rank == 1 && call->bias.count == channels)) return 0;
    return fail("%s: shape %s; must be (%lld,), one value per output channel", call->bias_path,
                npy_shape_text(&call->bias, shape), (long long)channels);
}

/* The channels of a gradient of weights come from its two inputs; keys may repeat them. */
static int check_grad(struct call *call)
{
    ups_conv_transpose_desc *desc = &call->desc.conv_transpose;
    char shape[NPY_SHAPE_CAPACITY];
    if (call->grad.rank != call->src.rank)
        return fail("%s: shape %s; must have the %d axes of %s", call->grad_path, npy_shape_text(&call->grad, shape),
                    call->src.rank, call->src_path);
    if (!desc->in_channels) desc->in_channels = channels_of(call, &call->src);
    if (!desc->out_channels) desc->out_channels = channels_of(call, &call->grad);
    return 0;
}

/* A gradient of the bias is the same whatever the forward's input was. */
static void settle_bias(struct call *call)
{
    ups_conv_transpose_desc *desc = &call->desc.conv_transpose;
    if (!desc->out_channels) desc->out_channels = channels_of(call, &call->src);
    if (!desc->in_channels) desc->in_channels = desc->out_channels;
}

static int describe(struct call *call)
{
    int code = describe_request(&call->request, call->src.rank - 2, call->src_path, &call->desc);
    if (!code && call->src.type != NPY_F32) call->desc.head.dtype = library_types[call->src.type];
    if (!code && reads_indices(call->request.op)) code = check_index_type(call);
    if (!code && takes_weights(call->request.op)) code = check_weights(call);
    if (!code && makes_weights(call)) code = check_grad(call);
    if (!code && call->request.op == UPS_CONV_TRANSPOSE_GRAD_BIAS) settle_bias(call);
    return code ? code : check_bias(call);
}

/* ---- op and plan ---- */

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the times. */
static double median(double *times, int64_t count)
{
    qsort(times, (size_t)count, sizeof *times, compare_times);
    return count % 2 ? times[count / 2] : (times[count / 2 - 1] + times[count / 2]) / 2;
}

enum { CREATIONS = 7 };

/* Several times when it is timed, keeping the last. */
static int make_op(struct call *call, int creations)
{
    double times[CREATIONS];
    for (int i = 0; i < creations; i++) {
        ups_op_destroy(call->op);
        double start = clock_ms();
        int32_t status =
            ups_op_create(&call->desc, call->weights.data, call->bias.data, &call->request.options, &call->op);
        times[i] = clock_ms() - start;
        if (status) return fail_library(call->request.word, status);
    }
    call->create_ms = median(times, creations);
    return 0;
}

static int make_plan(struct call *call, int creations)
{
    double times[CREATIONS];
    int64_t dims[5], sizes[3];
    int32_t rank = call->desc.head.rank, layout = call->desc.head.layout;
    ups_tensor src, grad;
    dims_from_memory(layout, rank, call->src.dims, dims);
    int code = call->sizes ? read_out_sizes(call->sizes, rank, sizes) : 0;
    if (code) return code;
    int32_t status = ups_tensor_init(&src, sizeof src, library_types[call->src.type], rank, layout, dims);
    if (call->grad_path) dims_from_memory(layout, rank, call->grad.dims, dims);
    if (!status && call->grad_path) status = ups_tensor_init(&grad, sizeof grad, UPS_F32, rank, layout, dims);
    for (int i = 0; !status && i < creations; i++) {
        ups_plan_destroy(call->plan);
        double start = clock_ms();
        status =
            ups_plan_create(call->op, &src, call->grad_path ? &grad : NULL, call->sizes ? sizes : NULL, &call->plan);
        times[i] = clock_ms() - start;
    }
    if (status) return fail_library(call->request.word, status);
    call->plan_us = median(times, creations) * 1e3;
    return 0;
}

static int prepare(struct call *call)
{
    int creations = call->repeat || call->request.json ? CREATIONS : 1;
    int code = make_op(call, creations);
    return code ? code : make_plan(call, creations);
}

/* ---- what the run works on ---- */

static void weights_dims(const ups_conv_transpose_desc *desc, int64_t *dims)
{
    struct weight_axes axes;
    find_weight_axes(desc, &axes);
    dims[axes.input] = desc->in_channels / axes.input_groups;
    dims[axes.output] = desc->out_channels / axes.output_groups;
    for (int i = 0; i < desc->rank; i++) dims[axes.kernel + i] = desc->kernel_shape[i];
}

/* The shape in the file of a tensor of the plan. */
static int plan_shape(const struct call *call, int32_t role, ups_tensor *tensor, struct npy *array)
{
    *tensor = (ups_tensor){.size = sizeof *tensor};
    int32_t status = ups_plan_tensor(call->plan, role, tensor);
    if (status) return fail_library(call->request.word, status);
    array->rank = tensor->rank + 2;
    array->type = file_type(tensor->dtype);
    dims_to_memory(call->desc.head.layout, tensor->rank, tensor->dims, array->dims);
    if (makes_weights(call) && role == UPS_ROLE_DST) weights_dims(&call->desc.conv_transpose, array->dims);
    return npy_measure(array, call->request.word);
}

/* The outputs start as all ones bits, NaN and -1: what the library forgot to write would show. It also touches the
 * pages, so that a single timed run does not pay for them. */
static int allocate_output(const struct call *call, int32_t role, ups_tensor *tensor, struct npy *array)
{
    int code = plan_shape(call, role, tensor, array);
    if (code) return code;
    if (!(array->data = allocate_bytes(array->bytes, call->request.word))) return EXIT_FAILED;
    memset(array->data, 0xff, array->bytes);
    return 0;
}

static int check_indices(const struct call *call)
{
    struct npy wanted = {.rank = 0};
    ups_tensor tensor;
    char has[NPY_SHAPE_CAPACITY], wants[NPY_SHAPE_CAPACITY];
    int code = plan_shape(call, UPS_ROLE_INDICES, &tensor, &wanted);
    if (code) return code;
    if (wanted.rank == call->indices.rank && !memcmp(wanted.dims, call->indices.dims, sizeof wanted.dims)) return 0;
    return fail("%s: shape %s; must be that of the %s, %s", call->indices_path, npy_shape_text(&call->indices, has),
                call->request.op == UPS_MAX_UNPOOL_GRAD ? "output" : "source", npy_shape_text(&wanted, wants));
}

static int allocate(struct call *call)
{
    ups_tensor switches;
    int code = allocate_output(call, UPS_ROLE_DST, &call->dst_tensor, &call->dst);
    if (!code && call->switches_path) code = allocate_output(call, UPS_ROLE_INDICES, &switches, &call->switches);
    if (!code && call->indices_path) code = check_indices(call);
    if (code) return code;
    ups_buffers_init(&call->buffers, sizeof call->buffers);
    call->buffers.src = call->src.data;
    call->buffers.dst = call->dst.data;
    call->buffers.indices_in = call->indices.data;
    call->buffers.indices_out = call->switches.data;
    call->buffers.grad = call->grad.data;
    return 0;
}

/* One thread runs without a pool: ups_run, which makes no system call. */
static int make_threads(struct call *call)
{
    int32_t parts = 1;
    if (call->request.threads > 1) {
        int32_t status = ups_threads_create((int32_t)call->request.threads, &call->threads);
        if (status) return fail_library("--threads", status);
        parts = ups_threads_parallel(call->threads)->parts;
    }
    call->workspace_bytes = ups_plan_workspace(call->plan, parts);
    call->workspace = allocate_bytes(call->workspace_bytes, "workspace");
    return call->workspace ? 0 : EXIT_FAILED;
}

/* Before the run, so that a target that cannot be written is known before the work. */
static int open_outputs(struct call *call)
{
    int code = output_open(&call->dst_file, call->dst_path);
    return code || !call->switches_path ? code : output_open(&call->switches_file, call->switches_path);
}

/* ---- the run ---- */

static int32_t run_once(struct call *call, double *ms)
{
    const ups_parallel *threads = call->threads ? ups_threads_parallel(call->threads) : NULL;
    double start = clock_ms();
    int32_t status = threads
                         ? ups_run_parallel(call->plan, &call->buffers, call->workspace, call->workspace_bytes, threads)
                         : ups_run(call->plan, &call->buffers, call->workspace, call->workspace_bytes);
    *ms = clock_ms() - start;
    return status == UPS_BAD_INDEX ? UPS_OK : status;
}

/* With --repeat caches, clock and threads first come to rest: at least two runs and 30 ms, at most 1000 runs. */
static int32_t warm_up(struct call *call)
{
    int32_t status = UPS_OK;
    double total = 0, ms;
    for (int i = 0; !status && i < 1000 && (i < 2 || total < 30); i++) {
        status = run_once(call, &ms);
        total += ms;
    }
    return status;
}

static int run(struct call *call)
{
    int64_t count = call->repeat ? call->repeat : 1;
    double *times = malloc((size_t)count * sizeof *times);
    if (!times) return fail("no memory for the times of %lld runs", (long long)count);
    int32_t status = UPS_OK;
    if (call->repeat) status = warm_up(call);
    for (int64_t i = 0; !status && i < count; i++) status = run_once(call, &times[i]);
    if (!status) {
        call->median_ms = median(times, count);
        call->min_ms = times[0];
    }
    free(times);
    return status ? fail_library(call->request.word, status) : 0;
}

/* Both are written before either gets its name. */
static int save(struct call *call)
{
    npy_write(call->dst_file.file, &call->dst);
    if (call->switches_path) npy_write(call->switches_file.file, &call->switches);
    int code = output_commit(&call->dst_file);
    return code || !call->switches_path ? code : output_commit(&call->switches_file);
}

/* ---- the report ---- */

/* The figures that follow from the times. */
struct rates {
    double macs, gflops, bytes, gbps;
};

/* Two flops a multiply-add; of bytes, every operand once. */
static struct rates compute_rates(const struct call *call, const cJSON *plan)
{
    const cJSON *macs = cJSON_GetObjectItemCaseSensitive(plan, "macs");
    size_t bytes = call->src.bytes + call->weights.bytes + call->bias.bytes + call->indices.bytes + call->grad.bytes +
                   call->dst.bytes + call->switches.bytes;
    double nanoseconds = call->min_ms > 1e-6 ? call->min_ms * 1e6 : 1; /* of the fastest run */
    struct rates rates = {.macs = cJSON_IsNumber(macs) ? macs->valuedouble : 0, .bytes = (double)bytes};
    rates.gflops = 2 * rates.macs / nanoseconds;
    rates.gbps = rates.bytes / nanoseconds;
    return rates;
}

static const char *plan_word(const cJSON *plan, const char *name)
{
    const char *word = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(plan, name));
    return word ? word : "";
}

static int report_json(const struct call *call, const cJSON *plan)
{
    struct rates rates = compute_rates(call, plan);
    cJSON *report = cJSON_CreateObject(), *sizes = cJSON_CreateArray();
    cJSON_AddStringToObject(report, "op", call->request.word);
    for (int i = 0; i < call->dst_tensor.rank + 2; i++)
        cJSON_AddItemToArray(sizes, cJSON_CreateNumber((double)call->dst_tensor.dims[i]));
    cJSON_AddItemToObject(report, "sizes", sizes);
    cJSON_AddStringToObject(report, "isa", plan_word(plan, "isa"));
    cJSON_AddStringToObject(report, "algorithm", plan_word(plan, "algorithm"));
    const cJSON *packed = cJSON_GetObjectItemCaseSensitive(plan, "packed_bytes");
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"threads", (double)call->request.threads},
        {"repeat", (double)(call->repeat ? call->repeat : 1)},
        {"min_ms", call->min_ms},
        {"median_ms", call->median_ms},
        {"macs", rates.macs},
        {"gflops", rates.gflops},
        {"bytes", rates.bytes},
        {"gbps", rates.gbps},
        {"workspace_bytes", (double)call->workspace_bytes},
        {"packed_bytes", cJSON_IsNumber(packed) ? packed->valuedouble : 0},
        {"create_ms", call->create_ms},
        {"plan_us", call->plan_us},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        cJSON_AddNumberToObject(report, numbers[i].name, numbers[i].value);
    return print_json(report);
}

static void print_dims(const ups_tensor *tensor)
{
    for (int i = 0; i < tensor->rank + 2; i++) printf("%s%lld", i ? "," : "", (long long)tensor->dims[i]);
}

static int report_text(const struct call *call, const cJSON *plan)
{
    struct rates rates = compute_rates(call, plan);
    ups_tensor src = {.size = sizeof src};
    ups_plan_tensor(call->plan, UPS_ROLE_SRC, &src);
    printf("%s  ", call->request.word);
    print_dims(&src);
    printf(" -> ");
    print_dims(&call->dst_tensor);
    printf("  %s %s\n", plan_word(plan, "isa"), plan_word(plan, "algorithm"));
    printf("run     min %.4f ms, median %.4f ms, of %lld on %lld thread%s\n", call->min_ms, call->median_ms,
           (long long)call->repeat, (long long)call->request.threads, call->request.threads > 1 ? "s" : "");
    if (rates.macs > 0) printf("        %.0f multiply-adds, %.2f GFLOP/s\n", rates.macs, rates.gflops);
    printf("        %.0f bytes, %.2f GB/s\n", rates.bytes, rates.gbps);
    printf("op      %.4f ms, plan %.2f us, workspace %zu bytes\n", call->create_ms, call->plan_us,
           call->workspace_bytes);
    return finish_stdout();
}

/* Without --repeat and --json all is well and there is nothing to say. */
static int report(struct call *call)
{
    if (!call->repeat && !call->request.json) return 0;
    cJSON *plan = plan_json(call->plan);
    if (!plan) return EXIT_FAILED;
    int code = call->request.json ? report_json(call, plan) : report_text(call, plan);
    cJSON_Delete(plan);
    return code;
}

static int report_bad_indices(struct call *call)
{
    if (!call->buffers.bad_count) return 0;
    bool taken = call->desc.unpool.overlap == UPS_OVERLAP_ERROR;
    fail("%s: %lld of %lld indices are outside the output plane%s and were skipped, the first at position %lld",
         call->indices_path, (long long)call->buffers.bad_count, (long long)call->indices.count,
         taken ? ", or name a place that is taken," : "", (long long)call->buffers.bad_first);
    return EXIT_BAD_INDEX;
}

/* ---- all of it ---- */

static void release_call(struct call *call)
{
    output_abandon(&call->dst_file);
    output_abandon(&call->switches_file);
    ups_threads_destroy(call->threads);
    ups_plan_destroy(call->plan);
    ups_op_destroy(call->op);
    free(call->workspace);
    npy_release(&call->src);
    npy_release(&call->weights);
    npy_release(&call->bias);
    npy_release(&call->indices);
    npy_release(&call->grad);
    npy_release(&call->dst);
    npy_release(&call->switches);
}

int command_run(int argc, char **argv)
{
    static int (*const steps[])(struct call *) = {
        check_arguments, read_inputs, describe, prepare, allocate,           make_threads,
        open_outputs,    run,         save,     report,  report_bad_indices,
    };
    struct call call;
    memset(&call, 0, sizeof call);
    if (wants_help(argc, argv)) return print_help(help_text);
    int code = read_arguments(argc, argv, &call);
    for (size_t i = 0; !code && i < sizeof steps / sizeof steps[0]; i++) code = steps[i](&call);
    release_call(&call);
    return code;
}
