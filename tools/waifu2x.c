/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L /* strtok_r */
#include "waifu2x.h"
#include "command.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RGB = 3,
    MAX_LAYERS = 256,
    MAX_CHANNELS = 4096,
    MAX_KERNEL = 15,
    MAX_FILE_BYTES = 256 << 20,
    HALF_WEIGHTS = 0x01306B47, /* "what follows is f16", before the weights of a layer */
    PARAM_MAGIC = 7767517      /* the first line of a .param file */
};

/* ---- files ---- */

/* A file in memory, read from front to back, with a NUL behind its last byte. */
struct contents {
    char path[4096];
    char *bytes;
    size_t size, at;
};

static int load_open_file(struct contents *contents, FILE *file)
{
    long size = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
    if (size < 0) return fail("%s: cannot be read: %s", contents->path, strerror(errno));
    if (size > MAX_FILE_BYTES)
        return fail("%s: %ld bytes, too large for a model (at most %d)", contents->path, size, MAX_FILE_BYTES);
    rewind(file);
    contents->bytes = allocate_bytes((size_t)size + 1, contents->path);
    if (!contents->bytes) return EXIT_FAILED;
    contents->size = fread(contents->bytes, 1, (size_t)size, file);
    contents->bytes[contents->size] = 0;
    return ferror(file) ? fail("%s: cannot be read: %s", contents->path, strerror(errno)) : 0;
}

static int load(struct contents *contents, const char *directory, const char *name)
{
    memset(contents, 0, sizeof *contents);
    int length = snprintf(contents->path, sizeof contents->path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof contents->path) return fail("%s: the name is too long", directory);
    FILE *file = fopen(contents->path, "rb");
    if (!file) return fail("%s: cannot be read: %s", contents->path, strerror(errno));
    int code = load_open_file(contents, file);
    fclose(file);
    return code;
}

/* The next bytes of the file, NULL if it holds fewer. */
static const uint8_t *take_bytes(struct contents *contents, size_t count)
{
    if (count > contents->size - contents->at) return NULL;
    contents->at += count;
    return (const uint8_t *)contents->bytes + contents->at - count;
}

/* The next line that is not empty, its end cut off; NULL after the last. */
static char *take_line(struct contents *contents)
{
    while (contents->at < contents->size) {
        char *line = contents->bytes + contents->at;
        size_t length = strcspn(line, "\r\n");
        contents->at += length + 1;
        line[length] = 0;
        if (length) return line;
    }
    return NULL;
}

static uint32_t little_endian(const uint8_t *bytes, int count)
{
    uint32_t value = 0;
    for (int i = 0; i < count; i++) value |= (uint32_t)bytes[i] << 8 * i;
    return value;
}

/* ---- weights ---- */

/* 1 sign bit, 5 bits of exponent with bias 15, 10 bits of fraction. Exponent 0: no leading 1, denormal. */
float half_to_float(uint16_t half)
{
    int exponent = half >> 10 & 31, fraction = half & 1023;
    float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                 : exponent     ? ldexpf((float)(1024 + fraction), exponent - 25)
                                : ldexpf((float)fraction, -24);
    return half & 0x8000 ? -size : size;
}

static float single_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Where the i-th tap of a kernel of `taps` taps goes: for a convolution to the mirrored place on both axes, that is,
 * counted from the end. */
static size_t tap_place(size_t i, size_t taps, bool mirror)
{
    return mirror ? i / taps * taps + (taps - 1 - i % taps) : i;
}

/* A tag of four bytes, [O][I][kh][kw] in f16, filled up to a multiple of four bytes, O biases in f32. All of it is
 * known to be in the file before memory is taken. */
static int read_weights(struct waifu2x_layer *layer, struct contents *bin, size_t count, bool mirror)
{
    size_t taps = (size_t)(layer->desc.kernel_shape[0] * layer->desc.kernel_shape[1]);
    size_t outputs = (size_t)layer->desc.out_channels;
    const uint8_t *tag = take_bytes(bin, 4), *halves = take_bytes(bin, (2 * count + 3) / 4 * 4);
    const uint8_t *biases = take_bytes(bin, 4 * outputs);
    if (!tag || !halves || !biases) return fail("%s: the file ends within layer %s", bin->path, layer->name);
    if (little_endian(tag, 4) != HALF_WEIGHTS)
        return fail("%s: layer %s: its weights are of kind 0x%08x; only f16, 0x%08x, can be read", bin->path,
                    layer->name, (unsigned)little_endian(tag, 4), (unsigned)HALF_WEIGHTS);
    layer->weights = allocate_bytes(count * sizeof(float), layer->name);
    layer->bias = allocate_bytes(outputs * sizeof(float), layer->name);
    if (!layer->weights || !layer->bias) return EXIT_FAILED;
    bool finite = true;
    for (size_t i = 0; i < count; i++) {
        float value = half_to_float((uint16_t)little_endian(halves + 2 * i, 2));
        layer->weights[tap_place(i, taps, mirror)] = value;
        finite &= !!isfinite(value);
    }
    for (size_t i = 0; i < outputs; i++) {
        layer->bias[i] = single_from_bits(little_endian(biases + 4 * i, 4));
        finite &= !!isfinite(layer->bias[i]);
    }
    return finite ? 0 : fail("%s: layer %s: a weight is infinite or not a number", bin->path, layer->name);
}

/* ---- a line of the .param file ---- */

/* Where we are in the chain: the files, the name of the value the last layer gave, its channels. */
struct reading {
    struct contents param, bin;
    char value[128];
    int64_t channels;
};

/* "Convolution name 1 1 input output 0=16 1=3 …": what ncnn's numbers mean for the layers we know. */
struct line {
    char type[64], name[64], input[128], output[128];
    int64_t outputs, kernel_w, kernel_h, dilation_w, dilation_h, stride_w, stride_h, pad_w, pad_h, bias, weights;
    int64_t activation;
    double parameters[2]; /* of the activation, or of a ReLU line */
};

static bool read_real(const char *text, const char **end, double *value)
{
    char *after;
    *value = strtod(text, &after);
    *end = after;
    return after != text && isfinite(*value);
}

/* "2,0.5,1.0": a count, then as many numbers. Those we need are one or two. */
static bool read_reals(const char *text, double values[2])
{
    double count;
    if (!read_real(text, &text, &count) || (count != 1 && count != 2)) return false;
    for (int i = 0; i < (int)count; i++)
        if (*text++ != ',' || !read_real(text, &text, &values[i])) return false;
    return !*text;
}

/* Key and value of a Convolution or Deconvolution. A key that is not here changes what the layer means in a way we do
 * not know, and is an error. */
static bool read_convolution_key(struct line *line, int64_t key, const char *value)
{
    const struct {
        int64_t key, *value, *also, low, high;
    } keys[] = {
        {0, &line->outputs, NULL, 1, MAX_CHANNELS},   {1, &line->kernel_w, &line->kernel_h, 1, MAX_KERNEL},
        {11, &line->kernel_h, NULL, 1, MAX_KERNEL},   {2, &line->dilation_w, &line->dilation_h, 1, MAX_KERNEL},
        {12, &line->dilation_h, NULL, 1, MAX_KERNEL}, {3, &line->stride_w, &line->stride_h, 1, MAX_KERNEL},
        {13, &line->stride_h, NULL, 1, MAX_KERNEL},   {4, &line->pad_w, &line->pad_h, 0, MAX_KERNEL},
        {14, &line->pad_h, NULL, 0, MAX_KERNEL},      {5, &line->bias, NULL, 1, 1},
        {6, &line->weights, NULL, 1, MAX_FILE_BYTES}, {9, &line->activation, NULL, 0, 3},
    };
    if (key == -23310) return read_reals(value, line->parameters);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i].key != key) continue;
        if (!read_count(value, keys[i].low, keys[i].high, keys[i].value)) return false;
        if (keys[i].also) *keys[i].also = *keys[i].value;
        return true;
    }
    return false;
}

static bool read_relu_key(struct line *line, int64_t key, const char *value)
{
    const char *end;
    return key == 0 && read_real(value, &end, &line->parameters[0]) && !*end;
}

/* Reads "key=value" after "key=value"; on failure *word is the one that cannot be read. */
static bool read_keys(struct line *line, char *text, const char **word,
                      bool (*read)(struct line *, int64_t, const char *))
{
    char *rest = NULL;
    for (char *token = strtok_r(text, " \t", &rest); token; token = strtok_r(NULL, " \t", &rest)) {
        char *equals = strchr(token, '=');
        int64_t key;
        *word = token;
        if (!equals) return false;
        *equals = 0;
        bool good = read_count(token, INT32_MIN, INT32_MAX, &key) && read(line, key, equals + 1);
        *equals = '=';
        if (!good) return false;
    }
    return true;
}

/* ---- layers ---- */

static int refuse(const struct reading *reading, const struct line *line, const char *why)
{
    return fail("%s: layer %s (%s): %s", reading->param.path, line->name, line->type, why);
}

/* ncnn: 0 none, 1 ReLU, 2 leaky ReLU with a slope, 3 clip to an interval. */
static void set_activation(ups_conv_transpose_desc *desc, int64_t activation, const double parameters[2])
{
    static const int32_t ours[] = {UPS_NO_ACTIVATION, UPS_RELU, UPS_LEAKY_RELU, UPS_CLIP};
    desc->activation = ours[activation];
    if (activation >= 2) desc->activation_alpha = parameters[0];
    if (activation == 3) desc->activation_beta = parameters[1];
}

/* A convolution of stride 1 is the transposed convolution whose kernel is mirrored: with E = d*(k-1) + 1,
 *
 *     y[q] = sum over t of x[q - p + t*d] * w[t]                                a convolution with padding p
 *          = sum over u of x[q + (E-1-p) - u*d] * w[k-1-u]      with u = k-1-t: a transposed one with pad E-1-p
 *
 * The files keep the weights of both kinds as [outputs][inputs][kh][kw]. */
static int describe_layer(const struct reading *reading, const struct line *line, bool mirror,
                          ups_conv_transpose_desc *desc)
{
    if (ups_desc_init(desc, sizeof *desc, UPS_CONV_TRANSPOSE, NULL)) return refuse(reading, line, ups_last_error());
    desc->in_channels = reading->channels;
    desc->out_channels = line->outputs;
    desc->weights_layout = UPS_OIHW;
    const int64_t kernel[2] = {line->kernel_h, line->kernel_w}, dilation[2] = {line->dilation_h, line->dilation_w};
    const int64_t stride[2] = {line->stride_h, line->stride_w}, pad[2] = {line->pad_h, line->pad_w};
    for (int i = 0; i < 2; i++) {
        int64_t reach = dilation[i] * (kernel[i] - 1);
        if (mirror && stride[i] != 1) return refuse(reading, line, "only convolutions of stride 1 can be computed");
        if (mirror && pad[i] > reach) return refuse(reading, line, "the padding is wider than the kernel");
        desc->kernel_shape[i] = kernel[i];
        desc->dilations[i] = dilation[i];
        desc->strides[i] = stride[i];
        desc->pads_begin[i] = desc->pads_end[i] = mirror ? reach - pad[i] : pad[i];
    }
    set_activation(desc, line->activation, line->parameters);
    return 0;
}

static int read_layer(struct waifu2x *model, struct reading *reading, struct line *line, bool mirror, char *keys)
{
    const char *word = "";
    line->kernel_w = line->kernel_h = line->dilation_w = line->dilation_h = line->stride_w = line->stride_h = 1;
    if (!read_keys(line, keys, &word, read_convolution_key))
        return fail("%s: layer %s (%s): %s cannot be computed", reading->param.path, line->name, line->type, word);
    if (line->weights != line->outputs * reading->channels * line->kernel_w * line->kernel_h || !line->bias)
        return refuse(reading, line,
                      "the number of weights does not fit the channels and the kernel, or the bias is missing");
    struct waifu2x_layer *layer = &model->layers[model->count++];
    memcpy(layer->name, line->name, sizeof layer->name);
    int code = describe_layer(reading, line, mirror, &layer->desc);
    reading->channels = line->outputs;
    return code ? code : read_weights(layer, &reading->bin, (size_t)line->weights, mirror);
}

/* A ReLU on its own line belongs to the layer before it. */
static int read_relu(struct waifu2x *model, struct reading *reading, struct line *line, char *keys)
{
    const char *word = "";
    if (!read_keys(line, keys, &word, read_relu_key))
        return fail("%s: layer %s (%s): %s cannot be computed", reading->param.path, line->name, line->type, word);
    ups_conv_transpose_desc *before = model->count ? &model->layers[model->count - 1].desc : NULL;
    if (!before || before->activation != UPS_NO_ACTIVATION) return refuse(reading, line, "it follows no convolution");
    set_activation(before, line->parameters[0] == 0 ? 1 : 2, line->parameters);
    return 0;
}

static int read_line(struct waifu2x *model, struct reading *reading, char *text)
{
    struct line line = {0};
    int inputs, outputs, used = 0;
    if (sscanf(text, "%63s %63s %d %d %n", line.type, line.name, &inputs, &outputs, &used) != 4 || !used)
        return fail("%s: not a line of a model: %.60s", reading->param.path, text);
    text += used;
    if (!strcmp(line.type, "Input"))
        return sscanf(text, "%127s", reading->value) == 1 ? 0 : refuse(reading, &line, "it has no name");
    used = 0;
    if (inputs != 1 || outputs != 1 || sscanf(text, "%127s %127s %n", line.input, line.output, &used) != 2 || !used ||
        strcmp(line.input, reading->value))
        return refuse(reading, &line, "only a chain of layers, each fed by the one before, can be computed");
    memcpy(reading->value, line.output, sizeof reading->value);
    text += used;
    if (!strcmp(line.type, "Convolution")) return read_layer(model, reading, &line, true, text);
    if (!strcmp(line.type, "Deconvolution")) return read_layer(model, reading, &line, false, text);
    if (!strcmp(line.type, "ReLU")) return read_relu(model, reading, &line, text);
    return refuse(reading, &line, "layers of this type cannot be computed");
}

/* ---- the whole ---- */

/* From n pixels a chain of layers makes scale*n + offset; each layer turns scale and offset into
 * s*scale and s*(offset - 1) + E - pb - pe. That is scale*t for n = t + 2*halo when halo = -offset / (2*scale).
 *
 * An output that some taps would reach only from beyond the input must not exist: every layer crops at least E - s on
 * either side, where the first sums are incomplete. */
static int measure(struct waifu2x *model, const struct reading *reading)
{
    int64_t scale = 1, offset = 0;
    for (int i = 0; i < model->count; i++) {
        const ups_conv_transpose_desc *d = &model->layers[i].desc;
        int64_t s = d->strides[0], extent = d->dilations[0] * (d->kernel_shape[0] - 1) + 1, pad = d->pads_begin[0];
        if (d->strides[1] != s || d->dilations[1] * (d->kernel_shape[1] - 1) + 1 != extent || d->pads_begin[1] != pad)
            return fail("%s: layer %s: height and width are treated differently", reading->param.path,
                        model->layers[i].name);
        if (pad < extent - s)
            return fail("%s: layer %s: it pads with zeros, so the picture could not be cut into tiles",
                        reading->param.path, model->layers[i].name);
        offset = s * (offset - 1) + extent - 2 * pad;
        scale *= s;
        if (scale > 64) break;
    }
    if (model->count == 0 || reading->channels != RGB || scale != 2 || offset > 0 || offset % (2 * scale))
        return fail("%s: not a model that makes RGB of twice the size from RGB", reading->param.path);
    model->scale = scale;
    model->halo = -offset / (2 * scale);
    return 0;
}

static int read_lines(struct waifu2x *model, struct reading *reading)
{
    char *line = take_line(&reading->param);
    int magic, lines;
    if (!line || sscanf(line, "%9d", &magic) != 1 || magic != PARAM_MAGIC || !(line = take_line(&reading->param)) ||
        sscanf(line, "%6d", &lines) != 1 || lines < 1 || lines > MAX_LAYERS)
        return fail("%s: not a .param file of ncnn with 1 to %d layers", reading->param.path, MAX_LAYERS);
    model->layers = calloc((size_t)lines, sizeof *model->layers);
    if (!model->layers) return fail("%s: not enough memory", reading->param.path);
    for (int i = 0; i < lines; i++) {
        if (!(line = take_line(&reading->param)))
            return fail("%s: %d layers announced, %d found", reading->param.path, lines, i);
        int code = read_line(model, reading, line);
        if (code) return code;
    }
    if (reading->bin.at != reading->bin.size)
        return fail("%s: %zu bytes too many for the layers of the .param file", reading->bin.path,
                    reading->bin.size - reading->bin.at);
    return measure(model, reading);
}

int waifu2x_read(struct waifu2x *model, const char *directory)
{
    struct reading reading = {.channels = RGB};
    memset(model, 0, sizeof *model);
    int code = load(&reading.param, directory, "scale2.0x_model.param");
    if (!code) code = load(&reading.bin, directory, "scale2.0x_model.bin");
    if (!code) code = read_lines(model, &reading);
    free(reading.param.bytes);
    free(reading.bin.bytes);
    if (code) waifu2x_free(model);
    return code;
}

void waifu2x_free(struct waifu2x *model)
{
    for (int i = 0; i < model->count; i++) {
        free(model->layers[i].weights);
        free(model->layers[i].bias);
    }
    free(model->layers);
    memset(model, 0, sizeof *model);
}
