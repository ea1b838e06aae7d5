/* SPDX-License-Identifier: MIT
 *
 * upsample enlarge: a picture twice as large.
 *
 * The picture is worked off in tiles, row of tiles by row of tiles, so that neither the picture nor its result is ever
 * in memory as a whole, only the rows that the tiles of one row see and make.
 *
 *     +---------------------+
 *     | halo                |
 *     |   +-------------+   |
 *     |   |    tile     |   |
 *     |   +-------------+   |
 *     |                     |
 *     +---------------------+
 *
 * A tile of t pixels is computed from t + 2*halo, and the network makes exactly scale*t of them. Where the halo reaches
 * beyond the picture, the pixels of its edge are repeated. So each pixel of the result is computed from the same pixels
 * whatever the tiles; and as the policy is "reproducible", each layer adds them in the same order whatever the size of
 * its map. Tiles do not show, not even in the last bit.
 *
 * The network sees R, G and B. A grey picture is three equal ones, and the brightness of what comes out. Transparency is
 * enlarged linearly, from the same pixels of the tile; sums of fourths of levels are exact, so no tile shows there either.
 */
#include "enlarge.h"
#include "command.h"
#include "output.h"
#include "picture.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RGB = 3,
    LAYOUT = UPS_CHANNELS_LAST, /* of all maps; channels first was 5 to 10 % slower in this network */
    DEFAULT_TILE = 128,         /* maps of up to 17 MB; 64 was 6 % slower, 256 was 2 % faster (EPYC with AVX-512) */
    LARGEST_TILE = 1 << 14
};

/* ---- the network: ops ---- */

static int make_op(struct network_layer *layer, struct waifu2x_layer *model, const char *max_isa)
{
    ups_options options;
    ups_options_init(&options, sizeof options);
    options.max_isa = max_isa;
    options.policy = UPS_POLICY_REPRODUCIBLE;
    model->desc.layout = LAYOUT;
    layer->name = model->name;
    int32_t status = ups_op_create(&model->desc, model->weights, model->bias, &options, &layer->op);
    return status ? fail_library(model->name, status) : 0;
}

int network_open(struct network *network, struct waifu2x *model, const char *max_isa, int64_t threads)
{
    memset(network, 0, sizeof *network);
    network->layers = calloc((size_t)model->count, sizeof *network->layers);
    if (!network->layers) return fail("not enough memory for %d layers", model->count);
    network->count = model->count;
    int code = open_threads(threads, &network->threads);
    for (int i = 0; !code && i < model->count; i++) code = make_op(&network->layers[i], &model->layers[i], max_isa);
    return code;
}

static void free_size(struct network *network, struct network_size *size)
{
    for (int i = 0; size->plans && i < network->count; i++) ups_plan_destroy(size->plans[i]);
    free(size->plans);
    free(size->macs);
    free(size);
}

void network_close(struct network *network)
{
    for (struct network_size *size = network->sizes, *next; size; size = next) {
        next = size->next;
        free_size(network, size);
    }
    for (int i = 0; i < network->count; i++) ups_op_destroy(network->layers[i].op);
    ups_threads_destroy(network->threads);
    free(network->layers);
    free(network->values[0].bytes);
    free(network->values[1].bytes);
    free(network->workspace.bytes);
    memset(network, 0, sizeof *network);
}

/* ---- the network: plans ---- */

/* "gemm_6x16_avx2", or several joined by "+". */
static void join_kernels(const cJSON *kernels, char *text, size_t capacity)
{
    size_t used = 0;
    text[0] = 0;
    for (const cJSON *kernel = kernels ? kernels->child : NULL; kernel; kernel = kernel->next)
        if (cJSON_IsString(kernel) && used < capacity)
            used += (size_t)snprintf(text + used, capacity - used, "%s%s", used ? "+" : "", kernel->valuestring);
}

/* What a plan says of itself: its multiply-adds, and, if nothing is known yet, algorithm and kernels. */
static int ask_plan(const ups_plan *plan, struct network_layer *layer, double *macs)
{
    cJSON *plan_says = plan_json(plan);
    if (!plan_says) return EXIT_FAILED;
    const cJSON *number = cJSON_GetObjectItem(plan_says, "macs"), *word = cJSON_GetObjectItem(plan_says, "algorithm");
    *macs = cJSON_IsNumber(number) ? number->valuedouble : 0;
    if (!layer->algorithm[0] && cJSON_IsString(word)) {
        snprintf(layer->algorithm, sizeof layer->algorithm, "%s", word->valuestring);
        join_kernels(cJSON_GetObjectItem(plan_says, "kernels"), layer->kernels, sizeof layer->kernels);
    }
    cJSON_Delete(plan_says);
    return 0;
}

static int reserve(struct network_memory *memory, size_t bytes, const char *what)
{
    if (bytes <= memory->size) return 0;
    free(memory->bytes);
    memory->size = 0;
    memory->bytes = allocate_bytes(bytes, what);
    if (!memory->bytes) return EXIT_FAILED;
    memory->size = bytes;
    return 0;
}

/* Bytes of a dense tensor whose op has been planned, so that they fit the address space. */
static size_t tensor_bytes(const ups_tensor *tensor)
{
    size_t bytes = sizeof(float);
    for (int i = 0; i < tensor->rank + 2; i++) bytes *= (size_t)tensor->dims[i];
    return bytes;
}

static int32_t workspace_parts(const struct network *network)
{
    return network->threads ? ups_threads_parallel(network->threads)->parts : 1;
}

/* Plans layer i for `tensor`, the output of the layer before; it becomes this layer's output. Makes room for both. */
static int plan_layer(struct network *network, struct network_size *size, int i, ups_tensor *tensor)
{
    struct network_layer *layer = &network->layers[i];
    ups_plan **plan = &size->plans[i];
    int32_t status = ups_plan_create(layer->op, tensor, NULL, NULL, plan);
    if (status) return fail_library(layer->name, status);
    int code = reserve(&network->values[i % 2], tensor_bytes(tensor), layer->name);
    status = ups_plan_tensor(*plan, UPS_ROLE_DST, tensor);
    if (!code && status) code = fail_library(layer->name, status);
    if (!code) code = reserve(&network->values[(i + 1) % 2], tensor_bytes(tensor), layer->name);
    if (!code) code = reserve(&network->workspace, ups_plan_workspace(*plan, workspace_parts(network)), layer->name);
    return code ? code : ask_plan(*plan, layer, &size->macs[i]);
}

static int plan_size(struct network *network, struct network_size *size)
{
    size->plans = calloc((size_t)network->count, sizeof *size->plans);
    size->macs = calloc((size_t)network->count, sizeof *size->macs);
    if (!size->plans || !size->macs) return fail("not enough memory for %d plans", network->count);
    const int64_t dims[4] = {1, RGB, size->height, size->width};
    ups_tensor tensor;
    int32_t status = ups_tensor_init(&tensor, sizeof tensor, UPS_F32, 2, LAYOUT, dims);
    if (status) return fail_library("tile", status);
    for (int i = 0, code; i < network->count; i++)
        if ((code = plan_layer(network, size, i, &tensor))) return code;
    return 0;
}

/* The tiles of a picture have four sizes at most; the one in use is kept in front. */
static struct network_size *find_size(struct network *network, int64_t height, int64_t width)
{
    struct network_size **link = &network->sizes, *size;
    while (*link && ((*link)->height != height || (*link)->width != width)) link = &(*link)->next;
    if ((size = *link)) {
        *link = size->next;
    } else {
        if (!(size = calloc(1, sizeof *size))) return NULL;
        size->height = height;
        size->width = width;
        if (plan_size(network, size)) {
            free_size(network, size);
            return NULL;
        }
    }
    size->next = network->sizes;
    return network->sizes = size;
}

float *network_input(struct network *network, int64_t height, int64_t width)
{
    return find_size(network, height, width) ? network->values[0].bytes : NULL;
}

/* ---- the network: runs ---- */

static int run_layer(struct network *network, int i)
{
    struct network_layer *layer = &network->layers[i];
    const struct network_size *size = network->sizes;
    ups_buffers buffers;
    ups_buffers_init(&buffers, sizeof buffers);
    buffers.src = network->values[i % 2].bytes;
    buffers.dst = network->values[(i + 1) % 2].bytes;
    void *workspace = network->workspace.bytes;
    double start = clock_ms();
    int32_t status = network->threads ? ups_run_parallel(size->plans[i], &buffers, workspace, network->workspace.size,
                                                         ups_threads_parallel(network->threads))
                                      : ups_run(size->plans[i], &buffers, workspace, network->workspace.size);
    layer->ms += clock_ms() - start;
    layer->macs += size->macs[i];
    return status ? fail_library(layer->name, status) : 0;
}

const float *network_run(struct network *network)
{
    for (int i = 0; i < network->count; i++)
        if (run_layer(network, i)) return NULL;
    return network->values[network->count % 2].bytes;
}

/* ---- tiles ---- */

/* One dimension of the picture in tiles, as even as possible: lengths differ by one at most, so that there are four
 * sizes of tiles and none is mostly halo. */
struct division {
    int64_t length, count;
};

static struct division divide(int64_t length, int64_t tile)
{
    return (struct division){length, (length + tile - 1) / tile};
}

static int64_t tile_start(struct division division, int64_t i)
{
    return division.length / division.count * i + division.length % division.count * i / division.count;
}

static int64_t longest_tile(struct division division)
{
    return (division.length + division.count - 1) / division.count;
}

/* One enlargement under way. */
struct job {
    const char *source, *target;
    struct waifu2x model;
    struct network network;
    struct picture_reader reader;
    struct picture_writer writer;
    struct output output;
    struct division rows, columns; /* the picture in tiles */
    float *seen;                   /* rows first_row to next_row of the picture, what the tiles of one row see */
    int64_t first_row, next_row;
    float *made;      /* the rows that the tiles of one row make */
    ups_op *alpha_op; /* NULL: the picture has no transparency */
    struct network_memory alpha_seen, alpha_made, alpha_workspace;
    double start;
};

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Values in a row of the picture. */
static int64_t row_length(const struct job *job)
{
    return job->reader.width * job->reader.channels;
}

/* Drops the rows above `first` and reads those up to `end`. */
static int see_rows(struct job *job, int64_t first, int64_t end)
{
    int64_t length = row_length(job), kept = job->next_row - first;
    memmove(job->seen, job->seen + (first - job->first_row) * length, (size_t)(kept * length) * sizeof *job->seen);
    job->first_row = first;
    for (; job->next_row < end; job->next_row++) {
        int code = picture_read(&job->reader, job->seen + (job->next_row - first) * length);
        if (code) return code;
    }
    return 0;
}

/* A rectangle of pixels. */
struct window {
    int64_t top, left, height, width;
};

/* A channel of the window of the picture, divided by `unit`, to every step-th place of x. Pixels beyond the picture are
 * those at its edge. */
static void fill_channel(const struct job *job, const struct window *w, int channel, float unit, float *x, int step)
{
    for (int64_t i = w->top; i < w->top + w->height; i++) {
        int64_t y = clamp(i, 0, job->reader.height - 1);
        const float *row = job->seen + (y - job->first_row) * row_length(job) + channel;
        for (int64_t j = w->left; j < w->left + w->width; j++, x += step)
            *x = row[clamp(j, 0, job->reader.width - 1) * job->reader.channels] / unit;
    }
}

/* A pixel of what is being made; the window stands in the row of tiles that is under way. */
static float *made_pixel(const struct job *job, const struct window *w, int64_t i, int64_t j)
{
    return job->made + i * row_length(job) * job->model.scale + (w->left * job->model.scale + j) * job->reader.channels;
}

/* Levels 0 to 1 of the network to 0 to 255; grey by the weights of Rec. 601, which are JPEG's too. The network goes a
 * little below 0 and beyond 1; that is cut off when the picture is written. */
static void place_colours(struct job *job, const struct window *w, const float *y)
{
    for (int64_t i = 0; i < w->height * job->model.scale; i++)
        for (int64_t j = 0; j < w->width * job->model.scale; j++, y += RGB) {
            float *pixel = made_pixel(job, w, i, j);
            if (job->reader.channels < RGB)
                pixel[0] = (0.299f * y[0] + 0.587f * y[1] + 0.114f * y[2]) * 255;
            else
                for (int c = 0; c < RGB; c++) pixel[c] = y[c] * 255;
        }
}

static int make_colours(struct job *job, const struct window *tile, const struct window *seen)
{
    float *x = network_input(&job->network, seen->height, seen->width);
    if (!x) return EXIT_FAILED;
    for (int c = 0; c < RGB; c++) fill_channel(job, seen, job->reader.channels < RGB ? 0 : c, 255, x + c, RGB);
    const float *y = network_run(&job->network);
    if (!y) return EXIT_FAILED;
    place_colours(job, tile, y);
    return 0;
}

/* ---- transparency ---- */

static int make_alpha_op(struct job *job, const char *max_isa)
{
    char scale[24];
    ups_resize_desc desc;
    ups_options options;
    snprintf(scale, sizeof scale, "%lld", (long long)job->model.scale);
    ups_options_init(&options, sizeof options);
    options.max_isa = max_isa;
    int32_t status = ups_desc_init(&desc, sizeof desc, UPS_RESIZE, NULL);
    if (!status) status = ups_desc_set(&desc, "mode", "linear");
    if (!status) status = ups_desc_set(&desc, "coordinate_transformation_mode", "half_pixel");
    if (!status) status = ups_desc_set(&desc, "scales", scale);
    if (!status) status = ups_op_create(&desc, NULL, NULL, &options, &job->alpha_op);
    return status ? fail_library("transparency", status) : 0;
}

/* One channel, so either layout is the same. */
static int run_alpha(struct job *job, const ups_plan *plan, size_t bytes)
{
    int64_t scale = job->model.scale;
    size_t workspace = ups_plan_workspace(plan, 1);
    int code = reserve(&job->alpha_made, bytes * (size_t)(scale * scale), "transparency");
    if (!code) code = reserve(&job->alpha_workspace, workspace, "transparency");
    if (code) return code;
    ups_buffers buffers;
    ups_buffers_init(&buffers, sizeof buffers);
    buffers.src = job->alpha_seen.bytes;
    buffers.dst = job->alpha_made.bytes;
    int32_t status = ups_run(plan, &buffers, job->alpha_workspace.bytes, job->alpha_workspace.size);
    return status ? fail_library("transparency", status) : 0;
}

/* Enlarges what the tile sees, and takes its middle. */
static int make_alpha(struct job *job, const struct window *tile, const struct window *seen)
{
    int64_t scale = job->model.scale, halo = job->model.halo, row = seen->width * scale;
    size_t bytes = (size_t)(seen->height * seen->width) * sizeof(float);
    ups_plan *plan = NULL;
    ups_tensor src;
    int code = reserve(&job->alpha_seen, bytes, "transparency");
    if (code) return code;
    fill_channel(job, seen, job->reader.channels - 1, 1, job->alpha_seen.bytes, 1);
    int32_t status =
        ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_FIRST, (int64_t[]){1, 1, seen->height, seen->width});
    if (!status) status = ups_plan_create(job->alpha_op, &src, NULL, NULL, &plan);
    code = status ? fail_library("transparency", status) : run_alpha(job, plan, bytes);
    ups_plan_destroy(plan);
    const float *alpha = job->alpha_made.bytes;
    for (int64_t i = 0; !code && i < tile->height * scale; i++)
        for (int64_t j = 0; j < tile->width * scale; j++)
            made_pixel(job, tile, i, j)[job->reader.channels - 1] = alpha[(halo * scale + i) * row + halo * scale + j];
    return code;
}

/* ---- rows of tiles ---- */

static int make_tile(struct job *job, int64_t row, int64_t column)
{
    int64_t halo = job->model.halo;
    int64_t top = tile_start(job->rows, row), left = tile_start(job->columns, column);
    struct window tile = {top, left, tile_start(job->rows, row + 1) - top, tile_start(job->columns, column + 1) - left};
    struct window seen = {top - halo, left - halo, tile.height + 2 * halo, tile.width + 2 * halo};
    int code = make_colours(job, &tile, &seen);
    return code || !job->alpha_op ? code : make_alpha(job, &tile, &seen);
}

/* One line on a terminal, written over and over, and wiped at the end; the cursor waits at its beginning, so that an
 * error can take its place. */
static void show_progress(const struct job *job, int64_t done)
{
    int64_t all = job->rows.count * job->columns.count;
    double seconds = (clock_ms() - job->start) / 1000;
    if (!isatty(STDERR_FILENO)) return;
    fputs("\033[K", stderr);
    if (done < all)
        fprintf(stderr, "%s: %.0f %%, %.0f s to go\r", job->source, 100.0 * (double)done / (double)all,
                seconds * (double)(all - done) / (double)done);
    fflush(stderr);
}

static int make_row_of_tiles(struct job *job, int64_t row)
{
    int64_t halo = job->model.halo, top = tile_start(job->rows, row), bottom = tile_start(job->rows, row + 1);
    int64_t height = job->reader.height;
    int code = see_rows(job, clamp(top - halo, 0, height), clamp(bottom + halo, 0, height));
    for (int64_t i = 0; !code && i < job->columns.count; i++) {
        code = make_tile(job, row, i);
        show_progress(job, row * job->columns.count + i + 1);
    }
    for (int64_t i = 0; !code && i < (bottom - top) * job->model.scale; i++)
        code = picture_write(&job->writer, job->made + i * row_length(job) * job->model.scale);
    return code;
}

/* ---- the command ---- */

static int make_picture(struct job *job, int64_t tile, int quality)
{
    int64_t width = job->reader.width, height = job->reader.height, scale = job->model.scale;
    job->rows = divide(height, tile);
    job->columns = divide(width, tile);
    int64_t tallest = longest_tile(job->rows), seen = clamp(tallest + 2 * job->model.halo, 0, height);
    job->seen = allocate_bytes((size_t)(seen * row_length(job)) * sizeof *job->seen, job->source);
    job->made = allocate_bytes((size_t)(tallest * scale * row_length(job) * scale) * sizeof *job->made, job->target);
    if (!job->seen || !job->made) return EXIT_FAILED;
    int code = output_open(&job->output, job->target);
    if (!code)
        code = picture_create(&job->writer, job->output.file, job->target, width * scale, height * scale, quality,
                              &job->reader);
    for (int64_t i = 0; !code && i < job->rows.count; i++) code = make_row_of_tiles(job, i);
    if (!code) code = picture_read_end(&job->reader);
    if (!code) code = picture_write_end(&job->writer);
    return code ? code : output_commit(&job->output);
}

/* Where the time went. The multiply-adds are those of the tiles, halo included; GFLOP/s counts two for each. */
static int print_table(const struct job *job)
{
    const struct network *network = &job->network;
    int name = 5, algorithm = 9, kernels = 6;
    double ms = 0, macs = 0, seconds = (clock_ms() - job->start) / 1000;
    for (int i = 0; i < network->count; i++) {
        const struct network_layer *layer = &network->layers[i];
        name = (int)fmax(name, (double)strlen(layer->name));
        algorithm = (int)fmax(algorithm, (double)strlen(layer->algorithm));
        kernels = (int)fmax(kernels, (double)strlen(layer->kernels));
        ms += layer->ms;
        macs += layer->macs;
    }
    long long width = job->reader.width, height = job->reader.height, scale = job->model.scale;
    long long tiles = job->rows.count * job->columns.count;
    int threads = workspace_parts(network);
    printf("%s: %lld x %lld to %lld x %lld in %.2f s, %lld tile%s, %d thread%s\n", job->target, width, height,
           width * scale, height * scale, seconds, tiles, tiles == 1 ? "" : "s", threads, threads == 1 ? "" : "s");
    printf("%-*s  %-*s  %-*s  %9s  %7s\n", name, "layer", algorithm, "algorithm", kernels, "kernel", "ms", "GFLOP/s");
    for (int i = 0; i < network->count; i++) {
        const struct network_layer *layer = &network->layers[i];
        printf("%-*s  %-*s  %-*s  %9.1f  %7.1f\n", name, layer->name, algorithm, layer->algorithm, kernels,
               layer->kernels, layer->ms, 2e-6 * layer->macs / fmax(layer->ms, 1e-6));
    }
    printf("%-*s  %-*s  %-*s  %9.1f  %7.1f\n", name, "all", algorithm, "", kernels, "", ms,
           2e-6 * macs / fmax(ms, 1e-6));
    return finish_stdout();
}

static const char help[] =
    "usage: upsample enlarge IN OUT [option…]\n"
    "\n"
    "Makes a picture twice as large with the network waifu2x upconv_7, run as transposed convolutions. Grey stays grey;\n"
    "transparency is enlarged linearly.\n"
    "\n" PICTURE_HELP "\n"
    "  --model DIR      the folder that holds scale2.0x_model.param and scale2.0x_model.bin;\n"
    "                   otherwise upsample/upconv_7_photo in $XDG_DATA_HOME, or in ~/.local/share\n"
    "  --tile N         work in tiles of N x N pixels (default 128): more memory, a little less work; same result\n"
    "  --threads N      default: as many as there are processors\n"
    "  --isa NAME       no instruction set above this one: see upsample info\n"
    "  --quality N      of a JPEG, 1 to 100 (default 95); from 90 on, colours are stored as finely as brightness\n"
    "  --max-pixels N   refuse pictures with more pixels (default 268435456)\n";

/* Where programs of a user look for data (the XDG base directory specification). NULL after a line on stderr. */
static const char *default_model(char *path, size_t capacity)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int length = data && *data == '/'
                     ? snprintf(path, capacity, "%s/upsample/upconv_7_photo", data)
                     : snprintf(path, capacity, "%s/.local/share/upsample/upconv_7_photo", home ? home : "");
    if (length > 0 && (size_t)length < capacity && !access(path, R_OK)) return path;
    fail("no model in %s: name its folder with --model DIR (tools/fetch-model DIR fetches one)", path);
    return NULL;
}

static void close_job(struct job *job)
{
    picture_writer_free(&job->writer);
    output_abandon(&job->output);
    picture_close(&job->reader);
    network_close(&job->network);
    waifu2x_free(&job->model);
    ups_op_destroy(job->alpha_op);
    free(job->alpha_seen.bytes);
    free(job->alpha_made.bytes);
    free(job->alpha_workspace.bytes);
    free(job->seen);
    free(job->made);
}

int command_enlarge(int argc, char **argv)
{
    const char *directory = NULL, *max_isa = NULL;
    int64_t tile = DEFAULT_TILE, threads = 0, max_pixels = PICTURE_MAX_PIXELS, quality = PICTURE_QUALITY;
    char path[4096];
    const struct command_option options[] = {
        {.name = "--model", .text = &directory},
        {.name = "--isa", .text = &max_isa},
        {.name = "--tile", .count = &tile, .low = 1, .high = LARGEST_TILE},
        {.name = "--threads", .count = &threads, .low = 1, .high = 1024},
        {.name = "--quality", .count = &quality, .low = 1, .high = 100},
        {.name = "--max-pixels", .count = &max_pixels, .low = 1, .high = INT64_C(1) << 40},
        {.name = NULL},
    };
    if (wants_help(argc, argv)) return print_help(help);
    int code = take_options(&argc, argv, options);
    if (code) return code;
    if (argc != 3) return fail_usage("enlarge: which picture, and where to? see upsample enlarge --help");
    if ((code = picture_judge_name(argv[2]))) return code;
    struct job job = {.source = argv[1], .target = argv[2], .start = clock_ms()};
    code = picture_open(&job.reader, job.source, max_pixels);
    if (!code) code = picture_check(&job.reader, max_pixels);
    if (!code && !directory && !(directory = default_model(path, sizeof path))) code = EXIT_FAILED;
    if (!code) code = waifu2x_read(&job.model, directory);
    if (!code) code = network_open(&job.network, &job.model, max_isa, threads);
    if (!code && picture_has_alpha(job.reader.channels)) code = make_alpha_op(&job, max_isa);
    if (!code) code = make_picture(&job, tile, (int)quality);
    if (!code) code = print_table(&job);
    close_job(&job);
    return code;
}
