/* SPDX-License-Identifier: MIT
 *
 * Pictures in PNG and JPEG files, row by row, so that only the rows in use are in memory. A row is width * channels
 * floats from 0 to 255, interleaved. A file of 16 bits a channel keeps its precision: 65535 is 255.
 *
 * Functions that can fail return 0, or an exit code after a line on stderr (see command.h).
 */
#ifndef UPSAMPLE_PICTURE_H
#define UPSAMPLE_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct picture_codec;

/* What a file says about the meaning of its numbers. A copy of the picture says the same, as far as its format can. */
struct picture_meaning {
    uint8_t *profile; /* ICC; NULL: none */
    uint32_t profile_bytes;
    int srgb_intent; /* PNG's sRGB; -1: not said */
    double gamma;    /* PNG's gAMA; 0: not said */
    bool has_primaries;
    double primaries[8]; /* PNG's cHRM: x and y of white, red, green, blue */
    int orientation;     /* Exif's, 1 to 8: how a viewer turns the picture; 0: not said */
};

struct picture_reader {
    const char *path; /* for the sentences; the caller keeps it */
    FILE *file;
    int64_t width, height;
    int channels; /* 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha */
    int bits;     /* of a channel in the file, 8 or 16; fewer have become 8 */
    struct picture_meaning meaning;
    const struct picture_codec *codec;
    void *decoder;
    uint8_t head[8]; /* the first bytes of the file, which tell its format */
    size_t head_bytes, head_taken;
    uint8_t *row; /* one of the file */
};

/* Opens a file, PNG or JPEG by its first bytes, reads its header, and judges it before memory is taken for a single
 * row: no more than max_pixels. */
int picture_open(struct picture_reader *reader, const char *path, int64_t max_pixels);

/* Right after opening: decodes the picture once for nothing and opens it anew, for those who work long on it: a file
 * that ends early should be known by then. A pipe can be read only once, and is not checked. */
int picture_check(struct picture_reader *reader, int64_t max_pixels);

/* The next row. */
int picture_read(struct picture_reader *reader, float *row);

/* After the last row: reads what follows it, so that damage there is noticed too. */
int picture_read_end(struct picture_reader *reader);

/* Also after a failed open, and twice. */
void picture_close(struct picture_reader *reader);

static inline bool picture_has_alpha(int channels)
{
    return channels % 2 == 0;
}

struct picture_writer {
    const char *path; /* for the sentences; the caller keeps it */
    FILE *file;
    int64_t width, height;
    int channels, bits, quality;
    const struct picture_meaning *meaning;
    const struct picture_codec *codec;
    void *encoder;
    uint8_t *row;
};

/* Whether the ending of a target's name tells a format: .png, .jpg, .jpeg; none at all is PNG. */
int picture_judge_name(const char *path);

/* Starts a picture in an open file. Channels, bits and the meaning of the numbers are those of `like`, which stays open
 * until the last row is written. quality: 1 to 100, of a JPEG. path is for the sentences, and tells the format. */
int picture_create(struct picture_writer *writer, FILE *file, const char *path, int64_t width, int64_t height,
                   int quality, const struct picture_reader *like);

/* Values are rounded to the nearest level, ties to even, those beyond 0 and 255 to these; NaN is 0. */
int picture_write(struct picture_writer *writer, const float *row);
int picture_write_end(struct picture_writer *writer);

/* Frees the writer, not the file; also after a failed create, and twice. */
void picture_writer_free(struct picture_writer *writer);

/* What the subcommands that work on pictures have in common. */
enum { PICTURE_MAX_PIXELS = 1 << 28, PICTURE_QUALITY = 95 }; /* defaults */
#define PICTURE_HELP                                                                                                 \
    "IN is a PNG or JPEG file, known by its contents: grey or RGB, in a PNG also with transparency. OUT is written " \
    "in\n"                                                                                                           \
    "the format its name ends in, .png, .jpg or .jpeg. 16 bits a channel stay 16 from PNG to PNG. The colour "       \
    "profile\n"                                                                                                      \
    "and the orientation that a camera noted are passed on; the pixels are not turned by it.\n"

#endif
