/* SPDX-License-Identifier: MIT
 *
 * What picture.c asks of a file format: png.c and jpeg.c.
 *
 * Both libraries report an error by a long jump that must not return into them. So each function there that calls its
 * library sets the place to jump to first, and keeps what it needs afterwards in its decoder or encoder, not in local
 * variables.
 */
#ifndef UPSAMPLE_CODEC_H
#define UPSAMPLE_CODEC_H

#include "picture.h"

struct picture_codec {
    const char *name;
    int64_t longest_side; /* that the format, or the library's integers, can express */
    int most_bits;
    bool alpha;

    /* Makes reader->decoder and reads everything before the pixels: sets width, height, channels, bits and meaning. Takes
     * no memory that grows with the picture. */
    int (*open)(struct picture_reader *reader);
    /* The next row: bytes, or 16-bit integers in the machine's order. */
    int (*read)(struct picture_reader *reader, uint8_t *row);
    int (*read_end)(struct picture_reader *reader);
    void (*close)(struct picture_reader *reader); /* frees reader->decoder, unless it is NULL */

    int (*create)(struct picture_writer *writer);
    int (*write)(struct picture_writer *writer, const uint8_t *row);
    int (*write_end)(struct picture_writer *writer);
    void (*free)(struct picture_writer *writer); /* frees writer->encoder, unless it is NULL */
};

extern const struct picture_codec png_codec, jpeg_codec;

/* The next bytes of the file, up to `count`: less only at its end or after an error, which ferror tells. */
size_t picture_bytes(struct picture_reader *reader, void *bytes, size_t count);

/* The orientation in a block of Exif data, which begins with "II" or "MM"; 0 if it does not say. */
int exif_orientation(const uint8_t *exif, size_t bytes);

/* A block that says nothing else. */
enum { EXIF_BYTES = 26 };
void exif_say_orientation(int orientation, uint8_t exif[EXIF_BYTES]);

#endif
