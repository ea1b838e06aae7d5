/* SPDX-License-Identifier: MIT
 *
 * upsample enlarge: the network against ncnn's own result, tiles that must not show, files that must be refused.
 *
 * UPS_MODEL_DIR names the folder that tools/fetch-model filled; without it this test fails. Pictures are made in a new
 * folder in the working directory, which is removed at the end.
 */
#define _XOPEN_SOURCE 700
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <png.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>

#include "../tools/enlarge.h"
#include "../tools/picture.h"
#include "../tools/waifu2x.h"

int command_enlarge(int argc, char **argv); /* command.h itself would collide with cmocka's macro `fail` */

#define GOLDEN_PICTURE UPS_GOLDEN_DIR "/enlarge.png"
#define GOLDEN_RESULT UPS_GOLDEN_DIR "/enlarge.npy"
#define TOLERANCE 2e-5 /* of ncnn's result, on the scale from 0 to 1 */

static const char *model_directory;
static char work[] = "enlarge.XXXXXX"; /* becomes the folder's name */

/* ---- files ---- */

struct bytes {
    unsigned char *data;
    size_t size;
};

/* The path of a file in the folder; good until three more are asked for. */
static const char *in_work(const char *name)
{
    static char paths[4][300];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", work, name);
    return path;
}

static struct bytes read_file(const char *path)
{
    struct bytes bytes = {NULL, 0};
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s cannot be opened", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    bytes.size = (size_t)ftell(file);
    rewind(file);
    bytes.data = malloc(bytes.size + 1);
    assert_non_null(bytes.data);
    assert_int_equal(fread(bytes.data, 1, bytes.size, file), bytes.size);
    bytes.data[bytes.size] = 0;
    fclose(file);
    return bytes;
}

static void write_file(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int count_files(void)
{
    int count = 0;
    DIR *directory = opendir(work);
    assert_non_null(directory);
    while (readdir(directory)) count++;
    closedir(directory);
    return count;
}

static void remove_files(void)
{
    DIR *directory = opendir(work);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) unlink(in_work(entry->d_name)); /* not "." and ".." */
    closedir(directory);
}

/* ---- pictures ---- */

enum { INTERLACED = 1, SAYS_SRGB = 2, TRANSPARENT_COLOUR = 4 };

/* Waves and noise, the same on every machine: smooth, sharp and flat parts. */
static void fill_row(uint8_t *row, size_t bytes, int64_t y)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned x = (unsigned)(i / 3), v = (unsigned)y, c = (unsigned)(i % 3);
        unsigned noise = (x * 2654435761u ^ v * 2246822519u ^ c * 3266489917u) >> 13;
        row[i] = (uint8_t)((x * (3 + c) + v * 5 + (x / 8 + v / 8) % 2 * 90 + noise % 24) % 256);
    }
}

/* Writes a picture of any kind that libpng knows; whatever its kind, the bytes of the rows are those of fill_row. */
static void make_png(const char *path, int width, int height, int depth, int type, int how)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    if (setjmp(png_jmpbuf(png))) fail_msg("%s cannot be made", path);
    png_init_io(png, file);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, depth, type,
                 how & INTERLACED ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (how & SAYS_SRGB) png_set_sRGB(png, info, PNG_sRGB_INTENT_PERCEPTUAL);
    if (how & TRANSPARENT_COLOUR) png_set_tRNS(png, info, NULL, 0, &(png_color_16){.red = 1});
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, (png_color[256]){{1, 2, 3}}, 256);
    png_write_info(png, info);
    int passes = png_set_interlace_handling(png);
    size_t bytes = png_get_rowbytes(png, info);
    uint8_t *row = calloc(1, bytes);
    assert_non_null(row);
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < height; y++) {
            fill_row(row, bytes, y);
            png_write_row(png, row);
        }
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    free(row);
    assert_int_equal(fclose(file), 0);
}

/* A JPEG of waves; colours as libjpeg names them, of `channels` channels. */
static void make_jpeg(const char *path, int width, int height, J_COLOR_SPACE colours, int channels, bool progressive)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = channels;
    jpeg.in_color_space = colours;
    jpeg_set_defaults(&jpeg);
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg.restart_interval = 3;
    jpeg_start_compress(&jpeg, TRUE);
    uint8_t row[4 * 64];
    assert_true(width <= 64);
    for (int y = 0; y < height; y++) {
        for (int i = 0; i < width * channels; i++)
            row[i] = (uint8_t)(128 + 90 * sin(0.2 * (i / channels) + 0.1 * y + 0.5 * (i % channels)));
        JSAMPROW rows[] = {row};
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    assert_int_equal(fclose(file), 0);
}

struct picture {
    int64_t height, width;
    int channels, bits;
    float *pixels;
};

static struct picture read_picture(const char *path)
{
    struct picture_reader reader;
    assert_int_equal(picture_open(&reader, path, 1 << 28), 0);
    struct picture picture = {reader.height, reader.width, reader.channels, reader.bits, NULL};
    int64_t length = reader.width * reader.channels;
    picture.pixels = malloc((size_t)(reader.height * length) * sizeof *picture.pixels);
    assert_non_null(picture.pixels);
    for (int64_t y = 0; y < reader.height; y++)
        assert_int_equal(picture_read(&reader, picture.pixels + y * length), 0);
    assert_int_equal(picture_read_end(&reader), 0);
    picture_close(&reader);
    return picture;
}

/* ---- the command ---- */

/* Runs `upsample enlarge source target --model … more…`; more ends with NULL. */
static int enlarge_with(const char *source, const char *target, const char *model, ...)
{
    char *argv[16] = {(char *)"enlarge", (char *)source, (char *)target, (char *)"--model", (char *)model};
    int argc = 5;
    va_list more;
    va_start(more, model);
    while ((argv[argc] = va_arg(more, char *))) argc++;
    va_end(more);
    return command_enlarge(argc, argv);
}

#define enlarge(source, target, ...) enlarge_with(source, target, model_directory, __VA_ARGS__, NULL)

/* Runs the command, which must refuse: an exit code, one sentence on stderr with these words in it, the old file under
 * the target's name untouched and no file more than before. */
static void must_refuse(const char *what, const char *source, const char *model, const char *words)
{
    const char *target = in_work("old.png"), *log = in_work("log");
    write_file(target, "old", 3);
    write_file(log, "", 0);
    int before = count_files(), own = dup(STDERR_FILENO);
    assert_non_null(freopen(log, "w", stderr));
    int code = enlarge_with(source, target, model, "--threads", "1", NULL);
    fflush(stderr);
    assert_true(dup2(own, STDERR_FILENO) >= 0);
    close(own);
    struct bytes said = read_file(log), old = read_file(target);
    const char *text = (const char *)said.data;
    if (code <= 0 || !strstr(text, words) || strchr(text, '\n') != text + said.size - 1)
        fail_msg("%s: exit code %d, said \"%s\", expected \"…%s…\"", what, code, text, words);
    if (count_files() != before || old.size != 3 || memcmp(old.data, "old", 3))
        fail_msg("%s: a file was left behind, or the old one was touched", what);
    free(said.data);
    free(old.data);
}

/* ---- half precision ---- */

static void test_half_to_float(void **state)
{
    (void)state;
    static const struct {
        uint16_t half;
        float value;
    } cases[] = {{0x0000, 0},         {0x3c00, 1},        {0xc000, -2},           {0x3555, 0x1.554p-2f},
                 {0x7bff, 65504},     {0x0400, 0x1p-14f}, {0x03ff, 0x1.ff8p-15f}, {0x0001, 0x1p-24f},
                 {0x8001, -0x1p-24f}, {0x7c00, INFINITY}, {0xfc00, -INFINITY}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_true(half_to_float(cases[i].half) == cases[i].value);
    assert_true(signbit(half_to_float(0x8000)) && half_to_float(0x8000) == 0);
    assert_true(isnan(half_to_float(0x7c01)) && isnan(half_to_float(0xffff)));
#ifdef __FLT16_MAX__ /* the compiler's own conversion, of all of them */
    for (unsigned i = 0; i < 65536; i++) {
        uint16_t bits = (uint16_t)i;
        _Float16 half;
        memcpy(&half, &bits, sizeof half);
        float want = (float)half, got = half_to_float(bits);
        if (isnan(want) ? !isnan(got) : memcmp(&want, &got, sizeof want))
            fail_msg("half 0x%04x: %g, not %g", i, got, want);
    }
#endif
}

/* ---- the network ---- */

/* The picture with its edge repeated `halo` times, from 0 to 1. */
static float *pad_picture(const struct picture *picture, int64_t halo)
{
    int64_t height = picture->height + 2 * halo, width = picture->width + 2 * halo;
    float *padded = malloc((size_t)(height * width * 3) * sizeof(float)), *x = padded;
    assert_non_null(padded);
    for (int64_t i = -halo; i < picture->height + halo; i++)
        for (int64_t j = -halo; j < picture->width + halo; j++)
            for (int c = 0; c < 3; c++) {
                int64_t y = i < 0 ? 0 : i < picture->height ? i : picture->height - 1;
                int64_t z = j < 0 ? 0 : j < picture->width ? j : picture->width - 1;
                *x++ = picture->pixels[(y * picture->width + z) * 3 + c] / 255;
            }
    return padded;
}

/* Runs the network on a window of the padded picture; the window is given by what it makes, in pixels of the picture.
 * The caller frees the result. */
static float *run_window(struct network *network, const struct waifu2x *model, const float *padded,
                         int64_t padded_width, int64_t top, int64_t left, int64_t height, int64_t width)
{
    int64_t rows = height + 2 * model->halo, row = (width + 2 * model->halo) * 3;
    float *x = network_input(network, rows, width + 2 * model->halo);
    assert_non_null(x);
    for (int64_t i = 0; i < rows; i++)
        memcpy(x + i * row, padded + ((top + i) * padded_width + left) * 3, (size_t)row * sizeof(float));
    const float *y = network_run(network);
    assert_non_null(y);
    size_t bytes = (size_t)(4 * height * width * 3) * sizeof(float);
    float *copy = malloc(bytes);
    assert_non_null(copy);
    memcpy(copy, y, bytes);
    return copy;
}

/* The numbers in a .npy file of version 1: float32, little endian, known to be [3, height, width]. */
static struct bytes read_golden(int64_t height, int64_t width)
{
    char shape[64];
    snprintf(shape, sizeof shape, "'shape': (3, %d, %d)", (int)height, (int)width);
    struct bytes file = read_file(GOLDEN_RESULT);
    assert_true(file.size > 10 && !memcmp(file.data, "\x93NUMPY\x01", 7));
    size_t header = 10 + file.data[8] + 256u * file.data[9], size = (size_t)(3 * height * width) * sizeof(float);
    assert_int_equal(file.size, header + size);
    file.data[header - 1] = 0;
    assert_non_null(strstr((char *)file.data + 10, "'descr': '<f4'"));
    assert_non_null(strstr((char *)file.data + 10, shape));
    memmove(file.data, file.data + header, size);
    file.size = size;
    return file;
}

static void test_against_ncnn(void **state)
{
    (void)state;
    struct picture picture = read_picture(GOLDEN_PICTURE);
    struct bytes golden = read_golden(2 * picture.height, 2 * picture.width);
    int64_t plane = 4 * picture.height * picture.width;
    for (int tier = 0; ups_isa_name(tier); tier++) {
        struct waifu2x model;
        struct network network;
        assert_int_equal(waifu2x_read(&model, model_directory), 0);
        assert_int_equal(model.halo, 7);
        assert_int_equal(network_open(&network, &model, ups_isa_name(tier), 1), 0);
        float *padded = pad_picture(&picture, model.halo);
        float *y =
            run_window(&network, &model, padded, picture.width + 2 * model.halo, 0, 0, picture.height, picture.width);
        double worst = 0;
        for (int64_t i = 0; i < plane * 3; i++) {
            float want;
            memcpy(&want, golden.data + (size_t)(i % 3 * plane + i / 3) * sizeof want, sizeof want);
            double difference = fabs((double)y[i] - (double)want);
            if (!(difference <= worst)) worst = difference; /* NaN too */
        }
        print_message("up to %s: largest difference to ncnn %.2g\n", ups_isa_name(tier), worst);
        assert_true(worst < TOLERANCE);
        free(y);
        free(padded);
        network_close(&network);
        waifu2x_free(&model);
    }
    free(golden.data);
    free(picture.pixels);
}

/* Before rounding: windows of all kinds of sizes and places, down to one pixel, have the very bits of the whole. */
static void test_windows_are_the_whole(void **state)
{
    (void)state;
    static const int64_t windows[][4] = {{0, 0, 1, 1},   {18, 25, 1, 1}, {3, 5, 7, 11},
                                         {0, 10, 19, 3}, {9, 0, 2, 26},  {1, 1, 17, 24}};
    struct picture picture = read_picture(GOLDEN_PICTURE);
    struct waifu2x model;
    struct network network;
    assert_int_equal(waifu2x_read(&model, model_directory), 0);
    assert_int_equal(network_open(&network, &model, NULL, 2), 0);
    float *padded = pad_picture(&picture, model.halo);
    int64_t padded_width = picture.width + 2 * model.halo;
    float *whole = run_window(&network, &model, padded, padded_width, 0, 0, picture.height, picture.width);
    for (size_t i = 0; i < sizeof windows / sizeof windows[0]; i++) {
        const int64_t *w = windows[i];
        float *part = run_window(&network, &model, padded, padded_width, w[0], w[1], w[2], w[3]);
        for (int64_t y = 0; y < 2 * w[2]; y++)
            if (memcmp(part + y * 2 * w[3] * 3, whole + ((2 * w[0] + y) * 2 * picture.width + 2 * w[1]) * 3,
                       (size_t)(2 * w[3] * 3) * sizeof(float)))
                fail_msg("window %zu differs in its row %d", i, (int)y);
        free(part);
    }
    free(whole);
    free(padded);
    free(picture.pixels);
    network_close(&network);
    waifu2x_free(&model);
}

/* ---- pictures ---- */

/* The file against ncnn's numbers: levels are rounded to the nearest, not cut off. */
static void test_levels_are_rounded(void **state)
{
    (void)state;
    const char *target = in_work("golden.png");
    assert_int_equal(enlarge(GOLDEN_PICTURE, target, "--threads", "1"), 0);
    struct picture picture = read_picture(target);
    struct bytes golden = read_golden(picture.height, picture.width);
    int64_t plane = picture.height * picture.width;
    for (int64_t i = 0; i < plane * 3; i++) {
        float want;
        memcpy(&want, golden.data + (size_t)(i % 3 * plane + i / 3) * sizeof want, sizeof want);
        double exact = fmin(fmax((double)want, 0), 1) * 255;
        assert_true(fabs(picture.pixels[i] - exact) <= 0.5 + TOLERANCE * 255);
    }
    free(golden.data);
    free(picture.pixels);
}

/* Any tile size and any number of threads: the same file, byte for byte. */
static void test_tiles_do_not_show(void **state)
{
    (void)state;
    static const char *const tiles[] = {"16", "32", "1", "7", "1000"};
    static const int sizes[][2] = {{45, 37}, {9, 4}};
    for (int s = 0; s < 2; s++) {
        struct bytes first = {NULL, 0};
        make_png(in_work("in.png"), sizes[s][0], sizes[s][1], 8, PNG_COLOR_TYPE_RGB, 0);
        for (int i = 0; i < 5; i++) {
            if (s == 0 && atoi(tiles[i]) < 16) continue; /* the halo makes small tiles slow */
            assert_int_equal(
                enlarge(in_work("in.png"), in_work("out.png"), "--tile", tiles[i], "--threads", i % 2 ? "2" : "1"), 0);
            struct bytes file = read_file(in_work("out.png"));
            if (!first.data) {
                first = file;
                continue;
            }
            if (file.size != first.size || memcmp(file.data, first.data, file.size))
                fail_msg("--tile %s shows", tiles[i]);
            free(file.data);
        }
        free(first.data);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {300, 2}, {2, 300}, {1, 20}, {17, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        make_png(in_work("in.png"), sizes[i][0], sizes[i][1], 8, PNG_COLOR_TYPE_RGB, 0);
        assert_int_equal(enlarge(in_work("in.png"), in_work("out.png"), "--tile", "64"), 0);
        struct picture picture = read_picture(in_work("out.png"));
        assert_int_equal(picture.width, 2 * sizes[i][0]);
        assert_int_equal(picture.height, 2 * sizes[i][1]);
        free(picture.pixels);
    }
}

static void test_interlaced_is_the_same(void **state)
{
    (void)state;
    make_png(in_work("in.png"), 21, 13, 8, PNG_COLOR_TYPE_RGB, 0);
    make_png(in_work("interlaced.png"), 21, 13, 8, PNG_COLOR_TYPE_RGB, INTERLACED);
    assert_int_equal(enlarge(in_work("in.png"), in_work("a.png"), "--tile", "8"), 0);
    assert_int_equal(enlarge(in_work("interlaced.png"), in_work("b.png"), "--tile", "8"), 0);
    struct bytes a = read_file(in_work("a.png")), b = read_file(in_work("b.png"));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    free(a.data);
    free(b.data);
}

static void test_colours_keep_their_meaning(void **state)
{
    (void)state;
    make_png(in_work("in.png"), 2, 2, 8, PNG_COLOR_TYPE_RGB, SAYS_SRGB);
    assert_int_equal(enlarge(in_work("in.png"), in_work("out.png"), "--threads", "1"), 0);
    struct bytes file = read_file(in_work("out.png"));
    bool found = false;
    for (size_t i = 0; i + 4 <= file.size; i++) found |= !memcmp(file.data + i, "sRGB", 4);
    assert_true(found);
    free(file.data);
}

/* A result may take the place of its source. */
static void test_onto_itself(void **state)
{
    (void)state;
    make_png(in_work("in.png"), 5, 3, 8, PNG_COLOR_TYPE_RGB, 0);
    assert_int_equal(enlarge(in_work("in.png"), in_work("in.png"), "--threads", "1"), 0);
    struct picture picture = read_picture(in_work("in.png"));
    assert_int_equal(picture.width, 10);
    free(picture.pixels);
}

/* ---- what must be refused ---- */

/* CRC-32 of a chunk's type and data, as PNG wants it. */
static uint32_t chunk_crc(const unsigned char *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void store_big_endian(unsigned char *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++) bytes[i] = (unsigned char)(value >> 8 * (3 - i));
}

static void test_broken_pictures(void **state)
{
    (void)state;
    make_png(in_work("good.png"), 40, 30, 8, PNG_COLOR_TYPE_RGB, 0);
    make_png(in_work("interlaced.png"), 40, 30, 8, PNG_COLOR_TYPE_RGB, INTERLACED);
    struct bytes good = read_file(in_work("good.png")), interlaced = read_file(in_work("interlaced.png"));
    write_file(in_work("bad.png"), "", 0);
    must_refuse("nothing", in_work("bad.png"), model_directory, "empty");
    write_file(in_work("bad.png"), "\xff\xd8\xff\xe0\0\x10JFIF\0", 11);
    must_refuse("JPEG", in_work("bad.png"), model_directory, "the file ends in the middle of the picture");
    write_file(in_work("bad.png"), "GIF89a....", 10);
    must_refuse("GIF", in_work("bad.png"), model_directory, "not a PNG or JPEG file");
    write_file(in_work("bad.png"), "\x89PNG\r\n\x1a\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", 48);
    must_refuse("signature alone", in_work("bad.png"), model_directory, "damaged");
    for (size_t cut = 1; cut < good.size; cut = cut * 3 + 1) {
        write_file(in_work("bad.png"), good.data, good.size - cut);
        must_refuse("cut off", in_work("bad.png"), model_directory, "bad.png: ");
        write_file(in_work("bad.png"), interlaced.data, interlaced.size - cut);
        must_refuse("cut off, interlaced", in_work("bad.png"), model_directory, "bad.png: ");
    }
    good.data[good.size / 2] ^= 0x10;
    write_file(in_work("bad.png"), good.data, good.size);
    must_refuse("a bit flipped", in_work("bad.png"), model_directory, "damaged");
    must_refuse("no such file", in_work("none.png"), model_directory, "none.png: cannot be read");
    must_refuse("a folder", work, model_directory, "cannot be read");
    free(good.data);
    free(interlaced.data);
}

/* The same for JPEG. Of a flipped bit nobody can always tell; but whatever the bytes, there is a picture or a sentence. */
static void test_broken_jpegs(void **state)
{
    (void)state;
    make_jpeg(in_work("cmyk.jpg"), 16, 16, JCS_CMYK, 4, false);
    must_refuse("CMYK", in_work("cmyk.jpg"), model_directory, "CMYK");
    make_jpeg(in_work("strange.jpg"), 16, 16, JCS_UNKNOWN, 2, false);
    must_refuse("two channels", in_work("strange.jpg"), model_directory, "2 channels of unknown meaning");
    for (int progressive = 0; progressive < 2; progressive++) {
        make_jpeg(in_work("good.jpg"), 40, 30, JCS_RGB, 3, progressive);
        struct bytes good = read_file(in_work("good.jpg"));
        for (size_t cut = 1; cut < good.size - 3; cut = cut * 3 + 1) {
            write_file(in_work("bad.jpg"), good.data, good.size - cut);
            must_refuse("cut off", in_work("bad.jpg"), model_directory, "the file ends in the middle of the picture");
        }
        int own = dup(STDERR_FILENO), read = 0, refused = 0;
        assert_non_null(freopen("/dev/null", "w", stderr));
        for (size_t i = 0; i < good.size; i++) {
            struct picture_reader reader;
            float row[40 * 3];
            uint8_t kept = good.data[i];
            good.data[i] ^= (unsigned char)(1u << i % 8);
            write_file(in_work("bad.jpg"), good.data, good.size);
            int code = picture_open(&reader, in_work("bad.jpg"), 1 << 20);
            code = code || reader.width != 40 || reader.channels != 3;
            for (int64_t y = 0; !code && y < reader.height; y++) code = picture_read(&reader, row);
            if (!code) code = picture_read_end(&reader);
            picture_close(&reader);
            *(code ? &refused : &read) += 1;
            good.data[i] = kept;
        }
        fflush(stderr);
        assert_true(dup2(own, STDERR_FILENO) >= 0);
        close(own);
        assert_true(read > 0 && refused > 0);
        free(good.data);
    }
}

/* ---- kinds of pictures ---- */

static float at(const struct picture *picture, int64_t y, int64_t x, int channel)
{
    y = y < 0 ? 0 : y < picture->height ? y : picture->height - 1;
    x = x < 0 ? 0 : x < picture->width ? x : picture->width - 1;
    return picture->pixels[(y * picture->width + x) * picture->channels + channel];
}

/* Half-pixel linear by two: 3/4 of the near pixel, 1/4 of the one beyond. */
static double doubled(const struct picture *picture, int64_t y, int64_t x, int channel)
{
    int64_t y0 = y / 2, x0 = x / 2, y1 = y % 2 ? y0 + 1 : y0 - 1, x1 = x % 2 ? x0 + 1 : x0 - 1;
    return 0.5625 * at(picture, y0, x0, channel) + 0.1875 * at(picture, y0, x1, channel) +
           0.1875 * at(picture, y1, x0, channel) + 0.0625 * at(picture, y1, x1, channel);
}

/* Whatever the kind: grey stays grey, transparency is enlarged linearly, 16 bits stay 16, tiles do not show. */
static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        int depth, type, how, channels;
    } cases[] = {{8, PNG_COLOR_TYPE_GRAY, 0, 1},          {1, PNG_COLOR_TYPE_GRAY, 0, 1},
                 {8, PNG_COLOR_TYPE_GRAY_ALPHA, 0, 2},    {8, PNG_COLOR_TYPE_PALETTE, 0, 3},
                 {8, PNG_COLOR_TYPE_RGB_ALPHA, 0, 4},     {8, PNG_COLOR_TYPE_RGB_ALPHA, INTERLACED, 4},
                 {16, PNG_COLOR_TYPE_RGB, 0, 3},          {16, PNG_COLOR_TYPE_GRAY_ALPHA, 0, 2},
                 {8, PNG_COLOR_TYPE_RGB, TRANSPARENT_COLOUR, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_png(in_work("in.png"), 19, 17, cases[i].depth, cases[i].type, cases[i].how);
        assert_int_equal(enlarge(in_work("in.png"), in_work("a.png"), "--tile", "100"), 0);
        assert_int_equal(enlarge(in_work("in.png"), in_work("b.png"), "--tile", "8"), 0);
        struct bytes a = read_file(in_work("a.png")), b = read_file(in_work("b.png"));
        if (a.size != b.size || memcmp(a.data, b.data, a.size)) fail_msg("tiles show in case %zu", i);
        struct picture in = read_picture(in_work("in.png")), out = read_picture(in_work("a.png"));
        assert_int_equal(out.channels, cases[i].channels);
        assert_int_equal(out.bits, cases[i].depth == 16 ? 16 : 8);
        assert_int_equal(out.height, 34);
        assert_int_equal(out.width, 38);
        double half_level = out.bits == 16 ? 0.5 / 257 + 1e-4 : 0.5;
        for (int64_t y = 0; picture_has_alpha(out.channels) && y < out.height; y++)
            for (int64_t x = 0; x < out.width; x++)
                assert_true(fabs(at(&out, y, x, out.channels - 1) - doubled(&in, y, x, in.channels - 1)) <= half_level);
        free(in.pixels);
        free(out.pixels);
        free(a.data);
        free(b.data);
    }
}

/* Writes rows through the library's own writer, as `like` is. */
static void write_picture(const char *path, const struct picture *picture, const struct picture_reader *like)
{
    struct picture_writer writer;
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(picture_create(&writer, file, path, picture->width, picture->height, 95, like), 0);
    for (int64_t y = 0; y < picture->height; y++)
        assert_int_equal(picture_write(&writer, picture->pixels + y * picture->width * picture->channels), 0);
    assert_int_equal(picture_write_end(&writer), 0);
    picture_writer_free(&writer);
    assert_int_equal(fclose(file), 0);
}

/* A grey picture gives the brightness of what the same in RGB gives. */
static void test_grey_is_rgb(void **state)
{
    (void)state;
    make_png(in_work("grey.png"), 23, 9, 8, PNG_COLOR_TYPE_GRAY, 0);
    struct picture grey = read_picture(in_work("grey.png"));
    struct picture rgb = {grey.height, grey.width, 3, 8, malloc((size_t)(grey.height * grey.width * 3) * sizeof(float))};
    assert_non_null(rgb.pixels);
    for (int64_t i = 0; i < grey.height * grey.width * 3; i++) rgb.pixels[i] = grey.pixels[i / 3];
    write_picture(in_work("rgb.png"), &rgb, &(struct picture_reader){.channels = 3, .bits = 8, .meaning.srgb_intent = -1});
    free(grey.pixels);
    free(rgb.pixels);
    assert_int_equal(enlarge(in_work("grey.png"), in_work("a.png"), "--threads", "1"), 0);
    assert_int_equal(enlarge(in_work("rgb.png"), in_work("b.png"), "--threads", "1"), 0);
    grey = read_picture(in_work("a.png"));
    rgb = read_picture(in_work("b.png"));
    for (int64_t y = 0; y < grey.height; y++)
        for (int64_t x = 0; x < grey.width; x++) {
            double want = 0.299 * at(&rgb, y, x, 0) + 0.587 * at(&rgb, y, x, 1) + 0.114 * at(&rgb, y, x, 2);
            if (want > 1 && want < 254) assert_true(fabs(at(&grey, y, x, 0) - want) <= 1.01);
        }
    free(grey.pixels);
    free(rgb.pixels);
}

/* JPEG of every kind that is read, to PNG and to JPEG: the latter within what its rounding loses. */
static void test_jpeg(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        make_jpeg(in_work("in.jpg"), 40, 30, i < 2 ? JCS_RGB : JCS_GRAYSCALE, i < 2 ? 3 : 1, i % 2);
        assert_int_equal(enlarge(in_work("in.jpg"), in_work("a.png"), "--tile", "16"), 0);
        assert_int_equal(enlarge(in_work("in.jpg"), in_work("b.jpg"), "--quality", "100"), 0);
        struct bytes file = read_file(in_work("b.jpg"));
        assert_true(!memcmp(file.data, "\xff\xd8\xff", 3));
        struct picture a = read_picture(in_work("a.png")), b = read_picture(in_work("b.jpg"));
        assert_int_equal(a.channels, i < 2 ? 3 : 1);
        assert_int_equal(b.channels, a.channels);
        assert_int_equal(b.width, 80);
        assert_int_equal(b.height, 60);
        for (int64_t k = 0; k < 80 * 60 * a.channels; k++) assert_true(fabsf(a.pixels[k] - b.pixels[k]) <= 4);
        free(a.pixels);
        free(b.pixels);
        free(file.data);
    }
    make_png(in_work("in.png"), 4, 4, 8, PNG_COLOR_TYPE_RGB_ALPHA, 0);
    assert_int_not_equal(enlarge(in_work("in.png"), in_work("c.jpg"), "--threads", "1"), 0);
    assert_int_not_equal(enlarge(in_work("in.png"), in_work("c.bmp"), "--threads", "1"), 0);
    assert_int_not_equal(access(in_work("c.jpg"), F_OK), 0);
    assert_int_not_equal(access(in_work("c.bmp"), F_OK), 0);
}

/* A colour profile goes along, from either format to either. */
static void test_profile_goes_along(void **state)
{
    (void)state;
    static const char *const names[] = {"1.png", "2.jpg", "3.jpg", "4.png"};
    uint8_t profile[600] = {0, 0, 2, 88};
    memcpy(profile + 8, "\4\0\0\0mntrRGB XYZ ", 16);
    memcpy(profile + 36, "acsp", 4);
    memcpy(profile + 68, "\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d", 12); /* D50 */
    fill_row(profile + 132, sizeof profile - 132, 1); /* libpng takes what compresses too well for too short */
    make_png(in_work("in.png"), 3, 2, 8, PNG_COLOR_TYPE_RGB, 0);
    struct picture picture = read_picture(in_work("in.png"));
    struct picture_reader like = {.channels = 3, .bits = 8, .meaning = {profile, sizeof profile, -1, 0, false, {0}, 3}};
    for (int i = 0; i < 4; i++) {
        struct picture_reader reader;
        write_picture(in_work(names[i]), &picture, &like);
        assert_int_equal(picture_open(&reader, in_work(names[i]), 100), 0);
        assert_int_equal(reader.meaning.orientation, 3);
        assert_int_equal(reader.meaning.profile_bytes, sizeof profile);
        assert_memory_equal(reader.meaning.profile, profile, sizeof profile);
        if (i) free(like.meaning.profile);
        like.meaning.profile = reader.meaning.profile;
        reader.meaning.profile = NULL;
        picture_close(&reader);
    }
    free(like.meaning.profile);
    free(picture.pixels);
}

/* A header that promises more than there is: the sentence is about --max-pixels, not about memory or a damaged file, so
 * it was the header that was judged. */
static void test_gigantic_headers(void **state)
{
    (void)state;
    static const uint32_t sizes[][2] = {{INT32_MAX, INT32_MAX}, {INT32_MAX, 1}, {1, INT32_MAX}, {16384, 16385}};
    make_png(in_work("in.png"), 9, 7, 8, PNG_COLOR_TYPE_RGB, 0);
    struct bytes file = read_file(in_work("in.png"));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        store_big_endian(file.data + 16, sizes[i][0]);
        store_big_endian(file.data + 20, sizes[i][1]);
        store_big_endian(file.data + 29, chunk_crc(file.data + 12, 17));
        write_file(in_work("bad.png"), file.data, file.size);
        must_refuse("gigantic", in_work("bad.png"), model_directory, "more than --max-pixels 268435456");
    }
    free(file.data);
    make_jpeg(in_work("in.jpg"), 40, 30, JCS_RGB, 3, true);
    file = read_file(in_work("in.jpg"));
    for (size_t i = 0; i + 9 < file.size; i++)
        if (file.data[i] == 0xff && file.data[i + 1] == 0xc2) memset(file.data + i + 5, 0xf0, 4); /* height, width */
    write_file(in_work("bad.jpg"), file.data, file.size);
    must_refuse("gigantic", in_work("bad.jpg"), model_directory, "more than --max-pixels 268435456");
    free(file.data);
    make_png(in_work("in.png"), 9, 7, 8, PNG_COLOR_TYPE_RGB, 0);
    assert_int_not_equal(enlarge(in_work("in.png"), in_work("out.png"), "--max-pixels", "62"), 0);
    assert_int_equal(enlarge(in_work("in.png"), in_work("out.png"), "--max-pixels", "63"), 0);
}

/* Copies the model into the folder, with the first `from` of the .param file become `to`, the .bin file `longer` bytes
 * longer, and its byte at `place` changed. */
static void change_model(const char *from, const char *to, long longer, size_t place)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/scale2.0x_model.param", model_directory);
    struct bytes param = read_file(path);
    snprintf(path, sizeof path, "%s/scale2.0x_model.bin", model_directory);
    struct bytes bin = read_file(path);
    char *found = from ? strstr((char *)param.data, from) : NULL;
    size_t head = found ? (size_t)(found - (char *)param.data) : param.size;
    FILE *file = fopen(in_work("scale2.0x_model.param"), "wb");
    assert_non_null(file);
    assert_true(!from || found);
    fprintf(file, "%.*s%s%s", (int)head, (char *)param.data, found ? to : "", found ? found + strlen(from) : "");
    assert_int_equal(fclose(file), 0);
    bin.data = realloc(bin.data, bin.size + 16);
    assert_non_null(bin.data);
    memset(bin.data + bin.size, 0, 16);
    if (place) bin.data[place] = 0x7f;
    write_file(in_work("scale2.0x_model.bin"), bin.data, bin.size + (size_t)longer);
    free(param.data);
    free(bin.data);
}

static void test_broken_models(void **state)
{
    (void)state;
    const size_t second_layer = 4 + 2 * 432 + 4 * 16;
    static const struct {
        const char *from, *to, *words;
    } texts[] = {{"7767517", "7767518", "not a .param file"},
                 {"8 8", "9 8", "9 layers announced, 8 found"},
                 {"8 8", "7 8", "bytes too many"},
                 {"8 8", "-8 8", "not a .param file"},
                 {"Convolution ", "Convolutio1 ", "layers of this type"},
                 {"1 1 Input1 ", "one Input1 ", "not a line of a model"},
                 {"1 1 Input1 ", "1 1 Input2 ", "only a chain"},
                 {"1 1 Input1 ", "2 1 Input1 ", "only a chain"},
                 {"0=16 ", "0=17 ", "number of weights"},
                 {"0=16 ", "0=0 ", "0=0 cannot be computed"},
                 {"0=16 ", "0=99999999999999999999 ", "cannot be computed"},
                 {"0=16 ", "0:16 ", "0:16 cannot be computed"},
                 {"1=3 ", "1=3 8=1 ", "8=1 cannot be computed"},
                 {"1=3 ", "1=3 3=2 ", "stride 1"},
                 {"1=3 ", "1=3 4=3 ", "wider than the kernel"},
                 {"1=3 ", "1=3 4=1 ", "pads with zeros"},
                 {"1=3 ", "1=3 12=2 ", "height and width"},
                 {"5=1 ", "5=0 ", "cannot be computed"},
                 {"9=2 ", "9=4 ", "9=4 cannot be computed"},
                 {"1,0.1", "1,nan", "cannot be computed"},
                 {"1,0.1", "3,0.1", "cannot be computed"},
                 {"4=3 ", "4=2 ", "not a model that makes RGB of twice"},
                 {"Deconvolution ", "Convolution ", "stride 1"}};
    make_png(in_work("in.png"), 3, 3, 8, PNG_COLOR_TYPE_RGB, 0);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        change_model(texts[i].from, texts[i].to, 0, 0);
        must_refuse(texts[i].to, in_work("in.png"), work, texts[i].words);
    }
    change_model(NULL, NULL, -1, 0);
    must_refuse(".bin one byte short", in_work("in.png"), work, "ends within layer conv7_layer");
    change_model(NULL, NULL, -1106248, 0);
    must_refuse(".bin empty", in_work("in.png"), work, "ends within layer conv1_layer");
    change_model(NULL, NULL, 4, 0);
    must_refuse(".bin too long", in_work("in.png"), work, "4 bytes too many");
    change_model(NULL, NULL, 0, second_layer);
    must_refuse("a tag", in_work("in.png"), work, "only f16");
    change_model(NULL, NULL, 0, second_layer + 4 + 1);
    must_refuse("an infinite weight", in_work("in.png"), work, "not a number");
    must_refuse("no model", in_work("in.png"), in_work("nowhere"), "cannot be read");
    change_model("9=2 -23310=1,0.100000\nConvolution", "\nReLU r 1 1 conv1_conv1_relu_layer r 0=0.1\nConvolution", 0,
                 0);
    must_refuse("a line too many", in_work("in.png"), work, "only a chain");
}

/* An activation may also be a layer of its own. */
static void test_relu_line(void **state)
{
    (void)state;
    struct waifu2x model;
    change_model("9=2 -23310=1,0.100000\nConvolution              conv2_layer              1 1 conv1_conv1_relu_layer",
                 "\nReLU r 1 1 conv1_conv1_relu_layer r 0=0.1\nConvolution conv2_layer 1 1 r", 0, 0);
    struct bytes param = read_file(in_work("scale2.0x_model.param"));
    char *lines = strstr((char *)param.data, "8 8");
    assert_non_null(lines);
    lines[0] = '9';
    write_file(in_work("scale2.0x_model.param"), param.data, param.size);
    free(param.data);
    assert_int_equal(waifu2x_read(&model, work), 0);
    assert_int_equal(model.count, 7);
    assert_int_equal(model.layers[0].desc.activation, UPS_LEAKY_RELU);
    assert_true(model.layers[0].desc.activation_alpha == 0.1);
    assert_int_equal(model.layers[6].desc.activation, UPS_NO_ACTIVATION);
    waifu2x_free(&model);
}

/* ---- all of them ---- */

static int begin(void **state)
{
    (void)state;
    model_directory = getenv("UPS_MODEL_DIR");
    if (!model_directory) {
        print_error("UPS_MODEL_DIR must name a folder filled by tools/fetch-model\n");
        return -1;
    }
    return mkdtemp(work) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    remove_files();
    return rmdir(work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_half_to_float),
        cmocka_unit_test(test_against_ncnn),
        cmocka_unit_test(test_windows_are_the_whole),
        cmocka_unit_test(test_levels_are_rounded),
        cmocka_unit_test(test_tiles_do_not_show),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_interlaced_is_the_same),
        cmocka_unit_test(test_colours_keep_their_meaning),
        cmocka_unit_test(test_onto_itself),
        cmocka_unit_test(test_broken_pictures),
        cmocka_unit_test(test_broken_jpegs),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_grey_is_rgb),
        cmocka_unit_test(test_jpeg),
        cmocka_unit_test(test_profile_goes_along),
        cmocka_unit_test(test_gigantic_headers),
        cmocka_unit_test(test_broken_models),
        cmocka_unit_test(test_relu_line),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
