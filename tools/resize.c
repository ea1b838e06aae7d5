/* SPDX-License-Identifier: MIT
 *
 * `upsample resize`: a picture through the library's resize, as one interleaved image of floats from 0 to 255.
 */
#include "command.h"
#include "output.h"
#include "picture.h"

#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: upsample resize IN OUT --scale S | --size WxH [--filter NAME] [key=value …] [option …]\n"
    "\n"
    "Makes a picture another size by the library's resize, by the rules of the framework that the preset names.\n"
    "Keys are those of `upsample explain --keys resize`: antialias=1, coordinate_transformation_mode=align_corners, …\n"
    "It is computed in floats; then values are rounded to the nearest level, ties to even, and cut off at black and\n"
    "white, once: 8-bit Pillow does so between its passes too. Transparency is filtered as colours are, and does not\n"
    "weigh them.\n"
    "\n" PICTURE_HELP "\n"
    "  --scale S        output over input, such as 2 or 0.5; S,T: of the height, of the width. Enters the coordinates\n"
    "                   as it does in torch, onnx, ort, opencv, openvino, ncnn; gives the size alone for the others\n"
    "  --size WxH       output width and height in pixels\n"
    "  --filter NAME    nearest, linear (bilinear), cubic (bicubic), area, lanczos, box, hamming; without it the\n"
    "                   framework's own default: nearest for torch, cubic for pillow\n"
    "  --preset NAME    whose meaning; torch without it. A key overrides its own field\n"
    "  --quality N      of a JPEG, 1 to 100 (default 95); from 90 on, colours are stored as finely as brightness\n"
    "  --threads N      default: as many as there are processors\n"
    "  --isa NAME       no instruction set above this one: see upsample info\n"
    "  --max-pixels N   refuse pictures with more pixels, in or out (default 268435456)\n";

/* Everything one call holds. Starts as zeros; released by release_call, however far it came. */
struct call {
    const char *source, *target, *scale, *size, *filter;
    int64_t threads, quality, max_pixels;
    struct request request;
    char own_keys[2][64], **keys; /* mode and size, in front of those on the command line */
    union descriptor desc;
    struct picture_reader reader;
    struct picture_writer writer;
    struct output output;
    ups_op *op;
    ups_plan *plan;
    ups_tensor dst;
    ups_threads *pool;
    float *x, *y;
    void *workspace;
    size_t workspace_bytes;
};

/* ---- the command line ---- */

static int read_arguments(int argc, char **argv, struct call *call)
{
    call->quality = PICTURE_QUALITY;
    call->max_pixels = PICTURE_MAX_PIXELS;
    call->request = (struct request){.op = UPS_RESIZE, .layout = UPS_CHANNELS_LAST, .word = "resize"};
    ups_options_init(&call->request.options, sizeof call->request.options);
    const struct command_option options[] = {
        {.name = "--scale", .text = &call->scale},
        {.name = "--size", .text = &call->size},
        {.name = "--filter", .text = &call->filter},
        {.name = "--preset", .text = &call->request.preset},
        {.name = "--isa", .text = &call->request.options.max_isa},
        {.name = "--quality", .count = &call->quality, .low = 1, .high = 100},
        {.name = "--threads", .count = &call->threads, .low = 1, .high = 1024},
        {.name = "--max-pixels", .count = &call->max_pixels, .low = 1, .high = INT64_C(1) << 40},
        {.name = NULL},
    };
    int code = take_options(&argc, argv, options);
    if (code) return code;
    if (argc < 3) return fail_usage("resize: which picture, and where to? see upsample resize --help");
    call->source = argv[1];
    call->target = argv[2];
    for (int i = 3; i < argc; i++)
        if (!strchr(argv[i], '=')) return fail_usage("%s: expected key=value", argv[i]);
    call->request.keys = argv + 3;
    call->request.key_count = argc - 3;
    return picture_judge_name(call->target);
}

/* "mode=cubic". */
static int filter_key(const char *filter, char *key, size_t capacity)
{
    static const char *const filters[][2] = {{"nearest", "nearest"}, {"linear", "linear"}, {"bilinear", "linear"},
                                             {"cubic", "cubic"},     {"bicubic", "cubic"}, {"area", "area"},
                                             {"lanczos", "lanczos"}, {"box", "box"},       {"hamming", "hamming"}};
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (!strcmp(filter, filters[i][0])) {
            snprintf(key, capacity, "mode=%s", filters[i][1]);
            return 0;
        }
    return fail_usage("--filter=%s: must be one of nearest, linear, cubic, area, lanczos, box, hamming", filter);
}

/* "sizes=600,800" of 800x600. */
static int size_key(const char *size, char *key, size_t capacity)
{
    char width[24];
    int64_t w, h;
    size_t length = strcspn(size, "x");
    snprintf(width, sizeof width, "%.*s", (int)(length < sizeof width ? length : 0), size);
    if (!size[length] || !read_count(width, 1, INT32_MAX, &w) || !read_count(size + length + 1, 1, INT32_MAX, &h))
        return fail_usage("--size=%s: must be width and height, such as 800x600", size);
    snprintf(key, capacity, "sizes=%lld,%lld", (long long)h, (long long)w);
    return 0;
}

static int scale_key(const char *scale, char *key, size_t capacity)
{
    if (strspn(scale, "0123456789.,eE+-") != strlen(scale) || !*scale || strlen(scale) + 8 > capacity)
        return fail_usage("--scale=%.80s: must be a number, or two of them for height and width", scale);
    snprintf(key, capacity, "scales=%s", scale);
    return 0;
}

static bool has_size_key(const struct request *request)
{
    for (int i = 0; i < request->key_count; i++)
        if (!strncmp(request->keys[i], "sizes=", 6) || !strncmp(request->keys[i], "scales=", 7)) return true;
    return false;
}

/* The options that are keys by another name go in front of the keys, so that a key overrides them. */
static int gather_keys(struct call *call)
{
    int own = 0, code = 0;
    if (call->scale && call->size) return fail_usage("--scale and --size: one of them");
    if ((call->scale || call->size) && has_size_key(&call->request))
        return fail_usage("%s beside a key sizes or scales: one of them", call->scale ? "--scale" : "--size");
    if (!call->scale && !call->size && !has_size_key(&call->request))
        return fail_usage("resize: how large? --scale 2, or --size 800x600");
    if (call->filter) code = filter_key(call->filter, call->own_keys[own++], sizeof call->own_keys[0]);
    if (!code && call->size) code = size_key(call->size, call->own_keys[own++], sizeof call->own_keys[0]);
    if (!code && call->scale) code = scale_key(call->scale, call->own_keys[own++], sizeof call->own_keys[0]);
    if (code) return code;
    int count = call->request.key_count;
    if (!(call->keys = malloc((size_t)(own + count + 1) * sizeof *call->keys))) return fail("no memory");
    for (int i = 0; i < own; i++) call->keys[i] = call->own_keys[i];
    for (int i = 0; i < count; i++) call->keys[own + i] = call->request.keys[i];
    call->request.keys = call->keys;
    call->request.key_count = own + count;
    return 0;
}

/* ---- the op ---- */

/* These frameworks know sizes alone: a scale is a way to give them, and has no part in the coordinates. */
static bool knows_scales(const char *preset)
{
    static const char *const sizes_alone[] = {"pillow", "tf", "tf1", "tflite", "xnnpack"};
    for (size_t i = 0; preset && i < sizeof sizes_alone / sizeof *sizes_alone; i++)
        if (!strcmp(preset, sizes_alone[i])) return false;
    return true;
}

static int turn_scales_into_sizes(struct call *call)
{
    ups_resize_desc *desc = &call->desc.resize;
    const int64_t in[2] = {call->reader.height, call->reader.width};
    int64_t sizes[2];
    int32_t status = ups_shape(desc, in, NULL, sizes, NULL);
    if (status) return fail_library("resize", status);
    for (int i = 0; i < 2; i++) desc->sizes[i] = sizes[i] ? sizes[i] : 1, desc->scales[i] = UPS_BY_PRESET;
    return 0;
}

static int make_op(struct call *call)
{
    int code = describe_request(&call->request, 2, "a picture", &call->desc);
    if (!code && call->scale && !knows_scales(call->request.preset)) code = turn_scales_into_sizes(call);
    if (code) return code;
    if (call->desc.head.layout != UPS_CHANNELS_LAST)
        return fail("layout=first: the pixels of a picture are interleaved, layout=last");
    int32_t status = ups_op_create(&call->desc, NULL, NULL, &call->request.options, &call->op);
    return status ? fail_library("resize", status) : 0;
}

static int open_source(struct call *call)
{
    return picture_open(&call->reader, call->source, call->max_pixels);
}

/* The size of the result is judged before memory is taken for it. */
static int make_plan(struct call *call)
{
    const struct picture_reader *reader = &call->reader;
    const int64_t dims[4] = {1, reader->channels, reader->height, reader->width};
    ups_tensor src;
    int32_t status = ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_LAST, dims);
    if (!status) status = ups_plan_create(call->op, &src, NULL, NULL, &call->plan);
    call->dst.size = sizeof call->dst;
    if (!status) status = ups_plan_tensor(call->plan, UPS_ROLE_DST, &call->dst);
    if (status) return fail_library("resize", status);
    int64_t height = call->dst.dims[2], width = call->dst.dims[3];
    if (width > call->max_pixels / height)
        return fail("%s: %lld x %lld pixels, more than --max-pixels %lld", call->target, (long long)width,
                    (long long)height, (long long)call->max_pixels);
    return 0;
}

/* ---- the picture ---- */

/* Before the work, so that a target that cannot be written is known by then. */
static int open_target(struct call *call)
{
    int code = output_open(&call->output, call->target);
    return code ? code
                : picture_create(&call->writer, call->output.file, call->target, call->dst.dims[3], call->dst.dims[2],
                                 (int)call->quality, &call->reader);
}

static int allocate(struct call *call)
{
    const struct picture_reader *reader = &call->reader;
    size_t channels = (size_t)reader->channels;
    int code = open_threads(call->threads, &call->pool);
    if (code) return code;
    call->workspace_bytes = ups_plan_workspace(call->plan, call->pool ? ups_threads_parallel(call->pool)->parts : 1);
    call->x = allocate_bytes((size_t)reader->height * (size_t)reader->width * channels * sizeof *call->x, call->source);
    if (call->x)
        call->y = allocate_bytes((size_t)call->dst.dims[2] * (size_t)call->dst.dims[3] * channels * sizeof *call->y,
                                 call->target);
    if (call->y) call->workspace = allocate_bytes(call->workspace_bytes, "workspace");
    return call->workspace ? 0 : EXIT_FAILED;
}

static int read_source(struct call *call)
{
    int64_t length = call->reader.width * call->reader.channels;
    int code = 0;
    for (int64_t y = 0; !code && y < call->reader.height; y++) code = picture_read(&call->reader, call->x + y * length);
    return code ? code : picture_read_end(&call->reader);
}

static int run(struct call *call)
{
    ups_buffers buffers;
    ups_buffers_init(&buffers, sizeof buffers);
    buffers.src = call->x;
    buffers.dst = call->y;
    int32_t status = call->pool ? ups_run_parallel(call->plan, &buffers, call->workspace, call->workspace_bytes,
                                                   ups_threads_parallel(call->pool))
                                : ups_run(call->plan, &buffers, call->workspace, call->workspace_bytes);
    return status ? fail_library("resize", status) : 0;
}

static int write_target(struct call *call)
{
    int64_t length = call->dst.dims[3] * call->reader.channels;
    int code = 0;
    for (int64_t y = 0; !code && y < call->dst.dims[2]; y++) code = picture_write(&call->writer, call->y + y * length);
    if (!code) code = picture_write_end(&call->writer);
    return code ? code : output_commit(&call->output);
}

/* ---- all of it ---- */

static void release_call(struct call *call)
{
    picture_writer_free(&call->writer);
    output_abandon(&call->output);
    picture_close(&call->reader);
    ups_threads_destroy(call->pool);
    ups_plan_destroy(call->plan);
    ups_op_destroy(call->op);
    free(call->x);
    free(call->y);
    free(call->workspace);
    free(call->keys);
}

int command_resize(int argc, char **argv)
{
    static int (*const steps[])(struct call *) = {
        gather_keys, open_source, make_op, make_plan, open_target, allocate, read_source, run, write_target,
    };
    struct call call;
    memset(&call, 0, sizeof call);
    if (wants_help(argc, argv)) return print_help(help_text);
    int code = read_arguments(argc, argv, &call);
    for (size_t i = 0; !code && i < sizeof steps / sizeof steps[0]; i++) code = steps[i](&call);
    release_call(&call);
    return code;
}
