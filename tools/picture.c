/* SPDX-License-Identifier: MIT */
#include "picture.h"
#include "codec.h"
#include "command.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- reading ---- */

size_t picture_bytes(struct picture_reader *reader, void *bytes, size_t count)
{
    size_t kept = reader->head_bytes - reader->head_taken;
    if (kept > count) kept = count;
    memcpy(bytes, reader->head + reader->head_taken, kept);
    reader->head_taken += kept;
    return kept + (count > kept ? fread((uint8_t *)bytes + kept, 1, count - kept, reader->file) : 0);
}

/* The format by the first bytes, whatever the name; they are given to the decoder afterwards. */
static int find_codec(struct picture_reader *reader)
{
    reader->head_taken = 0;
    reader->head_bytes = fread(reader->head, 1, sizeof reader->head, reader->file);
    if (ferror(reader->file)) return fail("%s: cannot be read: %s", reader->path, strerror(errno));
    if (!reader->head_bytes) return fail("%s: the file is empty", reader->path);
    if (!memcmp(reader->head, "\x89PNG\r\n\x1a\n", 8))
        reader->codec = &png_codec;
    else if (!memcmp(reader->head, "\xff\xd8\xff", 3))
        reader->codec = &jpeg_codec;
    else
        return fail("%s: not a PNG or JPEG file", reader->path);
    return 0;
}

static size_t row_bytes(int64_t width, int channels, int bits)
{
    return (size_t)width * (size_t)channels * (size_t)bits / 8;
}

static int open_decoder(struct picture_reader *reader, int64_t max_pixels)
{
    reader->meaning = (struct picture_meaning){.srgb_intent = -1};
    int code = find_codec(reader);
    if (!code) code = reader->codec->open(reader);
    if (code) return code;
    if (reader->width > max_pixels / reader->height)
        return fail("%s: %lld x %lld pixels, more than --max-pixels %lld", reader->path, (long long)reader->width,
                    (long long)reader->height, (long long)max_pixels);
    reader->row = allocate_bytes(row_bytes(reader->width, reader->channels, reader->bits), reader->path);
    return reader->row ? 0 : EXIT_FAILED;
}

static void close_decoder(struct picture_reader *reader)
{
    if (reader->codec) reader->codec->close(reader);
    free(reader->row);
    free(reader->meaning.profile);
    reader->codec = NULL;
    reader->row = NULL;
    reader->meaning.profile = NULL;
}

int picture_open(struct picture_reader *reader, const char *path, int64_t max_pixels)
{
    memset(reader, 0, sizeof *reader);
    reader->path = path;
    if (!(reader->file = fopen(path, "rb"))) return fail("%s: cannot be read: %s", path, strerror(errno));
    return open_decoder(reader, max_pixels);
}

int picture_check(struct picture_reader *reader, int64_t max_pixels)
{
    int code = 0;
    if (fseek(reader->file, 0, SEEK_CUR)) return 0; /* a pipe has no position */
    for (int64_t y = 0; !code && y < reader->height; y++) code = reader->codec->read(reader, reader->row);
    if (!code) code = reader->codec->read_end(reader);
    if (code) return code;
    close_decoder(reader);
    rewind(reader->file);
    return open_decoder(reader, max_pixels);
}

int picture_read(struct picture_reader *reader, float *row)
{
    int code = reader->codec->read(reader, reader->row);
    if (code) return code;
    size_t count = (size_t)reader->width * (size_t)reader->channels;
    const uint16_t *wide = (const uint16_t *)(const void *)reader->row;
    for (size_t i = 0; i < count; i++) row[i] = reader->bits == 16 ? (float)wide[i] / 257 : (float)reader->row[i];
    return 0;
}

int picture_read_end(struct picture_reader *reader)
{
    return reader->codec->read_end(reader);
}

void picture_close(struct picture_reader *reader)
{
    close_decoder(reader);
    if (reader->file) fclose(reader->file);
    reader->file = NULL;
}

/* ---- writing ---- */

/* NULL: the ending is another. */
static const struct picture_codec *codec_of_name(const char *path)
{
    const char *slash = strrchr(path, '/'), *ending = strrchr(slash ? slash : path, '.');
    if (!ending || !strcasecmp(ending, ".png")) return &png_codec;
    return strcasecmp(ending, ".jpg") && strcasecmp(ending, ".jpeg") ? NULL : &jpeg_codec;
}

int picture_judge_name(const char *path)
{
    if (codec_of_name(path)) return 0;
    return fail_usage("%s: its ending tells the format, and must be .png, .jpg or .jpeg", path);
}

int picture_create(struct picture_writer *writer, FILE *file, const char *path, int64_t width, int64_t height,
                   int quality, const struct picture_reader *like)
{
    const struct picture_codec *codec = codec_of_name(path);
    memset(writer, 0, sizeof *writer);
    if (!codec) return picture_judge_name(path);
    if (width > codec->longest_side || height > codec->longest_side)
        return fail("%s: %lld x %lld pixels, and a %s file holds at most %lld a side", path, (long long)width,
                    (long long)height, codec->name, (long long)codec->longest_side);
    if (picture_has_alpha(like->channels) && !codec->alpha)
        return fail("%s: a %s file has no transparency, and %s has; write a .png, or remove the transparency first",
                    path, codec->name, like->path);
    *writer = (struct picture_writer){.path = path,
                                      .file = file,
                                      .width = width,
                                      .height = height,
                                      .channels = like->channels,
                                      .bits = like->bits < codec->most_bits ? like->bits : codec->most_bits,
                                      .quality = quality,
                                      .meaning = &like->meaning,
                                      .codec = codec};
    writer->row = allocate_bytes(row_bytes(width, writer->channels, writer->bits), path);
    return writer->row ? codec->create(writer) : EXIT_FAILED;
}

int picture_write(struct picture_writer *writer, const float *row)
{
    size_t count = (size_t)writer->width * (size_t)writer->channels;
    uint16_t *wide = (uint16_t *)(void *)writer->row;
    for (size_t i = 0; i < count; i++) {
        float value = row[i] > 0 ? fminf(row[i], 255) : 0;
        if (writer->bits == 16)
            wide[i] = (uint16_t)lrintf(value * 257);
        else
            writer->row[i] = (uint8_t)lrintf(value);
    }
    return writer->codec->write(writer, writer->row);
}

int picture_write_end(struct picture_writer *writer)
{
    return writer->codec->write_end(writer);
}

void picture_writer_free(struct picture_writer *writer)
{
    if (writer->codec) writer->codec->free(writer);
    free(writer->row);
    memset(writer, 0, sizeof *writer);
}

/* ---- orientation ---- */

/* Exif is a TIFF file: "II" or "MM" for the order of bytes, 42, the place of the first directory; there a count, then
 * entries of twelve bytes: tag, type, number of values, the value or its place. Orientation is tag 0x112, type 3. */
enum { ORIENTATION = 0x112, SHORT = 3 };

static uint32_t take_number(const uint8_t *at, int bytes, bool big)
{
    uint32_t number = 0;
    for (int i = 0; i < bytes; i++) number |= (uint32_t)at[i] << 8 * (big ? bytes - 1 - i : i);
    return number;
}

int exif_orientation(const uint8_t *exif, size_t bytes)
{
    if (bytes < 10 || (memcmp(exif, "II", 2) && memcmp(exif, "MM", 2))) return 0;
    bool big = exif[0] == 'M';
    size_t at = take_number(exif + 4, 4, big);
    if (at > bytes - 2) return 0;
    uint32_t count = take_number(exif + at, 2, big);
    for (at += 2; count-- && at + 12 <= bytes; at += 12) {
        uint32_t value = take_number(exif + at + 8, 2, big);
        if (take_number(exif + at, 2, big) == ORIENTATION && take_number(exif + at + 2, 2, big) == SHORT)
            return value >= 1 && value <= 8 ? (int)value : 0;
    }
    return 0;
}

void exif_say_orientation(int orientation, uint8_t exif[EXIF_BYTES])
{
    const uint8_t block[EXIF_BYTES] = {'I',
                                       'I',
                                       42,
                                       0,
                                       8,
                                       0,
                                       0,
                                       0,
                                       1,
                                       0,
                                       ORIENTATION & 255,
                                       ORIENTATION >> 8,
                                       SHORT,
                                       0,
                                       1,
                                       0,
                                       0,
                                       0,
                                       (uint8_t)orientation};
    memcpy(exif, block, EXIF_BYTES);
}
