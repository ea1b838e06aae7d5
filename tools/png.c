/* SPDX-License-Identifier: MIT
 *
 * libpng reports an error by a long jump that must not return into it. So each function here that calls libpng sets the
 * place to jump to first, and keeps what it needs afterwards in the reader or writer, not in local variables.
 */
#include "png.h"
#include "command.h"

#include <errno.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* zlib's. 4 takes a third of the time of its default, 6, for files 6 % larger (a photo of 48 million pixels). */
enum { COMPRESSION_LEVEL = 4 };

/* The longest side that the format, and libpng's integers, can express. */
#define LONGEST_SIDE ((int64_t)PNG_UINT_31_MAX)

/* ---- what libpng calls ---- */

static void reader_error(png_structp png, png_const_charp words)
{
    struct picture_reader *reader = png_get_error_ptr(png);
    snprintf(reader->words, sizeof reader->words, "%s", words);
    reader->problem = reader->words;
    png_longjmp(png, 1);
}

static void writer_error(png_structp png, png_const_charp words)
{
    struct picture_writer *writer = png_get_error_ptr(png);
    snprintf(writer->words, sizeof writer->words, "%s", words);
    writer->problem = writer->words;
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
    const struct picture_reader *reader = png_get_io_ptr(png);
    if (fread(bytes, 1, count, reader->file) == count) return;
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

/* ---- reading ---- */

static int damaged(const struct picture_reader *reader)
{
    return fail("%s: damaged: %s", reader->path, reader->problem ? reader->problem : "cannot be read");
}

/* Consumes the eight bytes every PNG begins with. */
static int read_signature(struct picture_reader *reader)
{
    uint8_t signature[8];
    size_t count = fread(signature, 1, sizeof signature, reader->file);
    if (ferror(reader->file)) return fail("%s: cannot be read: %s", reader->path, strerror(errno));
    if (count == 0) return fail("%s: the file is empty", reader->path);
    if (count < sizeof signature || png_sig_cmp(signature, 0, sizeof signature))
        return fail("%s: not a PNG file", reader->path);
    return 0;
}

/* Makes a decoder and reads everything before the pixels. */
static int read_header(struct picture_reader *reader)
{
    int code = read_signature(reader);
    if (code) return code;
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, reader, reader_error, ignore_warning);
    if (reader->png) reader->info = png_create_info_struct(reader->png);
    if (!reader->info) return fail("%s: not enough memory to read it", reader->path);
    if (setjmp(png_jmpbuf(reader->png))) return damaged(reader);
    png_set_user_limits(reader->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_read_fn(reader->png, reader, read_bytes);
    png_set_sig_bytes(reader->png, 8);
    png_read_info(reader->png, reader->info);
    reader->width = png_get_image_width(reader->png, reader->info);
    reader->height = png_get_image_height(reader->png, reader->info);
    png_set_interlace_handling(reader->png);
    return 0;
}

static const char *colour_words(int colour_type)
{
    switch (colour_type) {
    case PNG_COLOR_TYPE_GRAY: return "grey";
    case PNG_COLOR_TYPE_GRAY_ALPHA: return "grey with transparency";
    case PNG_COLOR_TYPE_PALETTE: return "colours of a palette";
    case PNG_COLOR_TYPE_RGB_ALPHA: return "RGB with transparency";
    default: return "RGB";
    }
}

static int judge_header(const struct picture_reader *reader, int64_t max_pixels)
{
    int type = png_get_color_type(reader->png, reader->info);
    int depth = png_get_bit_depth(reader->png, reader->info);
    if (reader->width > max_pixels / reader->height)
        return fail("%s: %lld x %lld pixels, more than --max-pixels %lld", reader->path, (long long)reader->width,
                    (long long)reader->height, (long long)max_pixels);
    if (type != PNG_COLOR_TYPE_RGB || depth != 8)
        return fail("%s: %s, %d bits a channel; only RGB of 8 bits can be read so far", reader->path,
                    colour_words(type), depth);
    if (png_get_valid(reader->png, reader->info, PNG_INFO_tRNS))
        return fail("%s: RGB with a transparent colour; only RGB without can be read so far", reader->path);
    return 0;
}

static void free_decoder(struct picture_reader *reader)
{
    png_destroy_read_struct(&reader->png, &reader->info, NULL);
    free(reader->whole);
    reader->whole = NULL;
    reader->next = 0;
}

static bool is_interlaced(const struct picture_reader *reader)
{
    return png_get_interlace_type(reader->png, reader->info) != PNG_INTERLACE_NONE;
}

/* Interlaced: seven passes over all rows, each of which adds to what the earlier ones left there. */
static int read_whole(struct picture_reader *reader)
{
    size_t row_bytes = (size_t)reader->width * 3;
    reader->whole = allocate_bytes(row_bytes * (size_t)reader->height, reader->path);
    if (!reader->whole) return EXIT_FAILED;
    if (setjmp(png_jmpbuf(reader->png))) return damaged(reader);
    for (int pass = 0; pass < PNG_INTERLACE_ADAM7_PASSES; pass++)
        for (int64_t y = 0; y < reader->height; y++)
            png_read_row(reader->png, reader->whole + (size_t)y * row_bytes, NULL);
    return 0;
}

int picture_read(struct picture_reader *reader, uint8_t *row)
{
    size_t row_bytes = (size_t)reader->width * 3;
    if (is_interlaced(reader)) {
        int code = reader->whole ? 0 : read_whole(reader);
        if (code) return code;
        memcpy(row, reader->whole + (size_t)reader->next * row_bytes, row_bytes);
    } else {
        if (setjmp(png_jmpbuf(reader->png))) return damaged(reader);
        png_read_row(reader->png, row, NULL);
    }
    reader->next++;
    return 0;
}

int picture_read_end(struct picture_reader *reader)
{
    if (setjmp(png_jmpbuf(reader->png))) return damaged(reader);
    png_read_end(reader->png, NULL);
    return 0;
}

/* Decodes the picture into one row over and over. The interlaced are not exempt: their passes too go through one row,
 * whose contents nobody looks at. */
static int decode_for_nothing(struct picture_reader *reader, uint8_t *row)
{
    int passes = is_interlaced(reader) ? PNG_INTERLACE_ADAM7_PASSES : 1;
    if (setjmp(png_jmpbuf(reader->png))) return damaged(reader);
    for (int pass = 0; pass < passes; pass++)
        for (int64_t y = 0; y < reader->height; y++) png_read_row(reader->png, row, NULL);
    return picture_read_end(reader);
}

static int check_whole(struct picture_reader *reader)
{
    uint8_t *row = allocate_bytes((size_t)reader->width * 3, reader->path);
    if (!row) return EXIT_FAILED;
    int code = decode_for_nothing(reader, row);
    free(row);
    return code;
}

static int open_decoder(struct picture_reader *reader, int64_t max_pixels)
{
    int code = read_header(reader);
    return code ? code : judge_header(reader, max_pixels);
}

int picture_open(struct picture_reader *reader, const char *path, int64_t max_pixels)
{
    memset(reader, 0, sizeof *reader);
    reader->path = path;
    if (!(reader->file = fopen(path, "rb"))) return fail("%s: cannot be read: %s", path, strerror(errno));
    int code = open_decoder(reader, max_pixels);
    if (code || fseek(reader->file, 0, SEEK_CUR)) return code; /* a pipe has no position */
    if ((code = check_whole(reader))) return code;
    free_decoder(reader);
    rewind(reader->file);
    return open_decoder(reader, max_pixels);
}

void picture_close(struct picture_reader *reader)
{
    free_decoder(reader);
    if (reader->file) fclose(reader->file);
    reader->file = NULL;
}

/* ---- writing ---- */

static int unwritten(const struct picture_writer *writer)
{
    return fail("%s: cannot be written: %s", writer->path, writer->problem ? writer->problem : "unknown reason");
}

/* The bytes mean the same colours as before, so they keep the words that say which. libpng doubts some profiles that
 * are everywhere (an old sRGB of Hewlett-Packard); that is no reason not to pass them on. */
static void copy_colours(struct picture_writer *writer, const struct picture_reader *like)
{
    png_charp name;
    png_bytep profile;
    png_uint_32 length;
    int number;
    double gamma, x[8];
    png_set_benign_errors(writer->png, 1);
    png_set_option(writer->png, PNG_SKIP_sRGB_CHECK_PROFILE, PNG_OPTION_ON);
    if (png_get_iCCP(like->png, like->info, &name, &number, &profile, &length)) {
        png_set_iCCP(writer->png, writer->info, name, number, profile, length);
    } else if (png_get_sRGB(like->png, like->info, &number)) {
        png_set_sRGB(writer->png, writer->info, number);
    } else {
        if (png_get_gAMA(like->png, like->info, &gamma)) png_set_gAMA(writer->png, writer->info, gamma);
        if (png_get_cHRM(like->png, like->info, x, x + 1, x + 2, x + 3, x + 4, x + 5, x + 6, x + 7))
            png_set_cHRM(writer->png, writer->info, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]);
    }
}

int picture_create(struct picture_writer *writer, FILE *file, const char *path, int64_t width, int64_t height,
                   const struct picture_reader *like)
{
    memset(writer, 0, sizeof *writer);
    writer->path = path;
    if (width > LONGEST_SIDE || height > LONGEST_SIDE)
        return fail("%s: %lld x %lld pixels, and a PNG file holds at most %lld a side", path, (long long)width,
                    (long long)height, (long long)LONGEST_SIDE);
    writer->png = png_create_write_struct(PNG_LIBPNG_VER_STRING, writer, writer_error, ignore_warning);
    if (writer->png) writer->info = png_create_info_struct(writer->png);
    if (!writer->info) return fail("%s: not enough memory to write it", path);
    if (setjmp(png_jmpbuf(writer->png))) return unwritten(writer);
    png_set_user_limits(writer->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_write_fn(writer->png, file, write_bytes, flush_nothing);
    png_set_IHDR(writer->png, writer->info, (png_uint_32)width, (png_uint_32)height, 8, PNG_COLOR_TYPE_RGB,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(writer->png, COMPRESSION_LEVEL);
    copy_colours(writer, like);
    png_write_info(writer->png, writer->info);
    return 0;
}

int picture_write(struct picture_writer *writer, const uint8_t *row)
{
    if (setjmp(png_jmpbuf(writer->png))) return unwritten(writer);
    png_write_row(writer->png, row);
    return 0;
}

int picture_write_end(struct picture_writer *writer)
{
    if (setjmp(png_jmpbuf(writer->png))) return unwritten(writer);
    png_write_end(writer->png, writer->info);
    return 0;
}

void picture_writer_free(struct picture_writer *writer)
{
    if (writer->png) png_destroy_write_struct(&writer->png, &writer->info);
}
