/* SPDX-License-Identifier: MIT */
#include "codec.h"
#include "command.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* zlib's. 4 takes a third of the time of its default, 6, for files 6 % larger (a photo of 48 million pixels). */
enum { COMPRESSION_LEVEL = 4 };

/* What libpng is called with, reading or writing. */
struct png_state {
    png_structp png;
    png_infop info;
    struct picture_reader *reader; /* one of these */
    struct picture_writer *writer;
    uint8_t *whole; /* an interlaced picture can only be read as a whole; otherwise NULL */
    size_t row_bytes;
    bool started;
    int64_t next;    /* the row of `whole` that is given next */
    char words[160]; /* libpng's, on what went wrong */
};

/* ---- what libpng calls ---- */

static void png_fails(png_structp png, png_const_charp words)
{
    struct png_state *state = png_get_error_ptr(png);
    snprintf(state->words, sizeof state->words, "%s", words);
    png_longjmp(png, 1);
}

/* What is odd but does no harm: unknown chunks, a doubtful colour profile. */
static void ignore_warning(png_structp png, png_const_charp words)
{
    (void)png;
    (void)words;
}

static void read_bytes(png_structp png, png_bytep bytes, size_t count)
{
    struct picture_reader *reader = png_get_io_ptr(png);
    if (picture_bytes(reader, bytes, count) == count) return;
    png_error(png, ferror(reader->file) ? strerror(errno) : "the file ends in the middle of the picture");
}

static void write_bytes(png_structp png, png_bytep bytes, size_t count)
{
    if (fwrite(bytes, 1, count, png_get_io_ptr(png)) != count) png_error(png, strerror(errno));
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

/* libpng's integers come in the order of the network. */
static void use_own_order(png_structp png)
{
    const uint16_t one = 1;
    if (*(const uint8_t *)&one) png_set_swap(png);
}

/* ---- reading ---- */

static int damaged(const struct png_state *state)
{
    return fail("%s: damaged: %s", state->reader->path, *state->words ? state->words : "cannot be read");
}

/* Palettes become RGB, fewer than 8 bits become 8, a transparent colour becomes alpha. */
static void expand_pixels(struct png_state *state)
{
    png_set_expand(state->png);
    use_own_order(state->png);
    png_set_interlace_handling(state->png);
}

static void keep_profile(struct png_state *state)
{
    struct picture_meaning *meaning = &state->reader->meaning;
    png_charp name;
    png_bytep profile;
    png_uint_32 length;
    int compression;
    if (!png_get_iCCP(state->png, state->info, &name, &compression, &profile, &length)) return;
    if (!(meaning->profile = malloc(length))) png_error(state->png, "not enough memory for its colour profile");
    memcpy(meaning->profile, profile, length);
    meaning->profile_bytes = length;
}

static void keep_meaning(struct png_state *state)
{
    struct picture_meaning *meaning = &state->reader->meaning;
    double *xy = meaning->primaries;
    png_uint_32 length;
    png_bytep exif;
    keep_profile(state);
    if (!png_get_sRGB(state->png, state->info, &meaning->srgb_intent)) meaning->srgb_intent = -1;
    if (!png_get_gAMA(state->png, state->info, &meaning->gamma)) meaning->gamma = 0;
    meaning->has_primaries =
        png_get_cHRM(state->png, state->info, xy, xy + 1, xy + 2, xy + 3, xy + 4, xy + 5, xy + 6, xy + 7);
    if (png_get_eXIf_1(state->png, state->info, &length, &exif)) meaning->orientation = exif_orientation(exif, length);
}

static int read_header(struct png_state *state)
{
    struct picture_reader *reader = state->reader;
    if (setjmp(png_jmpbuf(state->png))) return damaged(state);
    png_set_user_limits(state->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_read_fn(state->png, reader, read_bytes);
    png_read_info(state->png, state->info);
    int type = png_get_color_type(state->png, state->info);
    bool alpha = type & PNG_COLOR_MASK_ALPHA || png_get_valid(state->png, state->info, PNG_INFO_tRNS);
    reader->width = png_get_image_width(state->png, state->info);
    reader->height = png_get_image_height(state->png, state->info);
    reader->channels = (type & PNG_COLOR_MASK_COLOR ? 3 : 1) + alpha;
    reader->bits = png_get_bit_depth(state->png, state->info) == 16 ? 16 : 8;
    state->row_bytes = (size_t)reader->width * (size_t)reader->channels * (size_t)reader->bits / 8;
    keep_meaning(state);
    expand_pixels(state);
    return 0;
}

static int open_png(struct picture_reader *reader)
{
    struct png_state *state = reader->decoder = calloc(1, sizeof *state);
    if (state) {
        state->reader = reader;
        state->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, state, png_fails, ignore_warning);
    }
    if (state && state->png) state->info = png_create_info_struct(state->png);
    if (!state || !state->info) return fail("%s: not enough memory to read it", reader->path);
    return read_header(state);
}

/* Decoding starts with the first row, when the size has been judged. Rows are as long as libpng says, or nothing is
 * read. */
static void start_rows(struct png_state *state)
{
    if (state->started) return;
    png_read_update_info(state->png, state->info);
    if (png_get_rowbytes(state->png, state->info) != state->row_bytes) png_error(state->png, "rows of unknown layout");
    state->started = true;
}

/* Interlaced: seven passes over all rows, each of which adds to what the earlier ones left there. */
static int read_whole(struct png_state *state)
{
    int64_t height = state->reader->height;
    size_t bytes;
    if (__builtin_mul_overflow(state->row_bytes, (size_t)height, &bytes)) bytes = SIZE_MAX;
    state->whole = allocate_bytes(bytes, state->reader->path);
    if (!state->whole) return EXIT_FAILED;
    if (setjmp(png_jmpbuf(state->png))) return damaged(state);
    start_rows(state);
    for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
        for (int64_t y = 0; y < height; y++)
            png_read_row(state->png, state->whole + (size_t)y * state->row_bytes, NULL);
    return 0;
}

static int read_png(struct picture_reader *reader, uint8_t *row)
{
    struct png_state *state = reader->decoder;
    if (png_get_interlace_type(state->png, state->info) != PNG_INTERLACE_NONE) {
        int code = state->whole ? 0 : read_whole(state);
        if (code) return code;
        memcpy(row, state->whole + (size_t)state->next++ * state->row_bytes, state->row_bytes);
        return 0;
    }
    if (setjmp(png_jmpbuf(state->png))) return damaged(state);
    start_rows(state);
    png_read_row(state->png, row, NULL);
    return 0;
}

static int end_png(struct picture_reader *reader)
{
    struct png_state *state = reader->decoder;
    if (setjmp(png_jmpbuf(state->png))) return damaged(state);
    png_read_end(state->png, NULL);
    return 0;
}

static void close_png(struct picture_reader *reader)
{
    struct png_state *state = reader->decoder;
    if (!state) return;
    png_destroy_read_struct(&state->png, &state->info, NULL);
    free(state->whole);
    free(state);
    reader->decoder = NULL;
}

/* ---- writing ---- */

static int unwritten(const struct png_state *state)
{
    return fail("%s: cannot be written: %s", state->writer->path, *state->words ? state->words : "unknown reason");
}

/* libpng doubts some profiles that are everywhere (an old sRGB of Hewlett-Packard); that is no reason not to pass them
 * on. */
static void say_meaning(struct png_state *state)
{
    const struct picture_meaning *meaning = state->writer->meaning;
    const double *xy = meaning->primaries;
    uint8_t exif[EXIF_BYTES];
    png_set_benign_errors(state->png, 1);
    png_set_option(state->png, PNG_SKIP_sRGB_CHECK_PROFILE, PNG_OPTION_ON);
    if (meaning->profile) {
        png_set_iCCP(state->png, state->info, "ICC profile", PNG_COMPRESSION_TYPE_BASE, meaning->profile,
                     meaning->profile_bytes);
    } else if (meaning->srgb_intent >= 0) {
        png_set_sRGB(state->png, state->info, meaning->srgb_intent);
    } else {
        if (meaning->gamma > 0) png_set_gAMA(state->png, state->info, meaning->gamma);
        if (meaning->has_primaries)
            png_set_cHRM(state->png, state->info, xy[0], xy[1], xy[2], xy[3], xy[4], xy[5], xy[6], xy[7]);
    }
    if (!meaning->orientation) return;
    exif_say_orientation(meaning->orientation, exif);
    png_set_eXIf_1(state->png, state->info, sizeof exif, exif);
}

static int start_png(struct png_state *state)
{
    static const int types[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                PNG_COLOR_TYPE_RGB_ALPHA};
    const struct picture_writer *writer = state->writer;
    if (setjmp(png_jmpbuf(state->png))) return unwritten(state);
    png_set_user_limits(state->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(state->png, writer->file, write_bytes, flush_nothing);
    png_set_IHDR(state->png, state->info, (png_uint_32)writer->width, (png_uint_32)writer->height, writer->bits,
                 types[writer->channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(state->png, COMPRESSION_LEVEL);
    say_meaning(state);
    png_write_info(state->png, state->info);
    if (writer->bits == 16) use_own_order(state->png);
    return 0;
}

static int create_png(struct picture_writer *writer)
{
    struct png_state *state = writer->encoder = calloc(1, sizeof *state);
    if (state) {
        state->writer = writer;
        state->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, state, png_fails, ignore_warning);
    }
    if (state && state->png) state->info = png_create_info_struct(state->png);
    if (!state || !state->info) return fail("%s: not enough memory to write it", writer->path);
    return start_png(state);
}

static int write_png(struct picture_writer *writer, const uint8_t *row)
{
    struct png_state *state = writer->encoder;
    if (setjmp(png_jmpbuf(state->png))) return unwritten(state);
    png_write_row(state->png, row);
    return 0;
}

static int write_png_end(struct picture_writer *writer)
{
    struct png_state *state = writer->encoder;
    if (setjmp(png_jmpbuf(state->png))) return unwritten(state);
    png_write_end(state->png, state->info);
    return 0;
}

static void free_png(struct picture_writer *writer)
{
    struct png_state *state = writer->encoder;
    if (!state) return;
    if (state->png) png_destroy_write_struct(&state->png, &state->info);
    free(state);
    writer->encoder = NULL;
}

const struct picture_codec png_codec = {
    .name = "PNG",
    .longest_side = PNG_UINT_31_MAX,
    .most_bits = 16,
    .alpha = true,
    .open = open_png,
    .read = read_png,
    .read_end = end_png,
    .close = close_png,
    .create = create_png,
    .write = write_png,
    .write_end = write_png_end,
    .free = free_png,
};
