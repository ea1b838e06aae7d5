/* SPDX-License-Identifier: MIT
 *
 * Pictures in PNG files, row by row, so that only the rows in use are in memory: three bytes a pixel, R G B.
 *
 * Functions that can fail return 0, or an exit code after a line on stderr (see command.h).
 */
#ifndef UPSAMPLE_PNG_H
#define UPSAMPLE_PNG_H

#include <stdint.h>
#include <stdio.h>

struct picture_reader {
    const char *path; /* for the sentences; the caller keeps it */
    FILE *file;
    struct png_struct_def *png;
    struct png_info_def *info;
    int64_t width, height;
    int64_t next;        /* the row that picture_read gives next */
    uint8_t *whole;      /* an interlaced picture can only be read as a whole; otherwise NULL */
    const char *problem; /* libpng's words on what went wrong */
    char words[160];
};

/* Opens a file, reads its header, and judges it before memory is taken for a single row: a PNG of 8-bit RGB, no more
 * than max_pixels. Then decodes it once for nothing, because a large picture takes minutes to enlarge and a file that
 * ends early should be known by then (a pipe can be read only once, and is not checked). */
int picture_open(struct picture_reader *reader, const char *path, int64_t max_pixels);

/* The next row, 3 * width bytes. */
int picture_read(struct picture_reader *reader, uint8_t *row);

/* After the last row: reads what follows it, so that damage there is noticed too. */
int picture_read_end(struct picture_reader *reader);

/* Also after a failed open, and twice. */
void picture_close(struct picture_reader *reader);

struct picture_writer {
    const char *path;
    struct png_struct_def *png;
    struct png_info_def *info;
    const char *problem;
    char words[160];
};

/* Starts a picture in an open file. What `like` says about the meaning of its colours (profile, gamma, primaries) is
 * said of this one too. path is for the sentences. */
int picture_create(struct picture_writer *writer, FILE *file, const char *path, int64_t width, int64_t height,
                   const struct picture_reader *like);
int picture_write(struct picture_writer *writer, const uint8_t *row);
int picture_write_end(struct picture_writer *writer);

/* Frees the writer, not the file; also after a failed create, and twice. */
void picture_writer_free(struct picture_writer *writer);

#endif
