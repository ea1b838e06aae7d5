/* SPDX-License-Identifier: MIT */
#include "codec.h"
#include "command.h"

#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h> /* wants stdio.h before it */
#include <jerror.h>

/* Of a progressive file each scan costs a pass over the whole picture; no encoder makes more than a few dozen. */
enum { MOST_SCANS = 500 };

/* From this quality on colours are stored as finely as brightness; below, half as finely along both axes. */
enum { FINE_COLOURS = 90 };

static const uint8_t exif_name[6] = "Exif\0";

/* What libjpeg is called with, reading or writing; its structs point back at it by client_data. */
struct jpeg_state {
    union {
        struct jpeg_common_struct common;
        struct jpeg_decompress_struct decoder;
        struct jpeg_compress_struct encoder;
    } jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf jump;
    struct picture_reader *reader; /* one of these */
    struct picture_writer *writer;
    bool started;        /* decoding */
    const char *verdict; /* "damaged", "cannot be read", "cannot be written" */
    char words[JMSG_LENGTH_MAX];
    JOCTET bytes[4096];
};

/* ---- what libjpeg calls ---- */

/* Leaves libjpeg. Its own words, unless there are better ones. */
static void give_up(struct jpeg_state *state, const char *verdict, const char *words)
{
    state->verdict = verdict;
    if (words)
        snprintf(state->words, sizeof state->words, "%s", words);
    else
        state->errors.format_message(&state->jpeg.common, state->words);
    longjmp(state->jump, 1);
}

static void jpeg_fails(j_common_ptr jpeg)
{
    struct jpeg_state *state = jpeg->client_data;
    switch (state->errors.msg_code) {
    case JERR_BAD_PRECISION:
    case JERR_SOF_UNSUPPORTED:
    case JERR_ARITH_NOTIMPL: give_up(state, "cannot be read", NULL); break;
    case JERR_FILE_WRITE: give_up(state, "cannot be written", strerror(errno)); break;
    default: give_up(state, state->reader ? "damaged" : "cannot be written", NULL);
    }
}

/* libjpeg warns and guesses where data is damaged; a guess is no picture. Odd markers do no harm. */
static void jpeg_warns(j_common_ptr jpeg, int level)
{
    struct jpeg_state *state = jpeg->client_data;
    if (level >= 0) return; /* a trace, not a warning */
    switch (state->errors.msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_BOGUS_PROGRESSION: give_up(state, "damaged", NULL);
    }
}

static void print_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void source_does_nothing(j_decompress_ptr jpeg)
{
    (void)jpeg;
}

static boolean fill_source(j_decompress_ptr jpeg)
{
    struct jpeg_state *state = jpeg->client_data;
    size_t count = picture_bytes(state->reader, state->bytes, sizeof state->bytes);
    if (!count && ferror(state->reader->file)) give_up(state, "cannot be read", strerror(errno));
    if (!count) give_up(state, "damaged", "the file ends in the middle of the picture");
    jpeg->src->next_input_byte = state->bytes;
    jpeg->src->bytes_in_buffer = count;
    return TRUE;
}

static void skip_source(j_decompress_ptr jpeg, long count)
{
    while (count > (long)jpeg->src->bytes_in_buffer) {
        count -= (long)jpeg->src->bytes_in_buffer;
        fill_source(jpeg);
    }
    if (count <= 0) return;
    jpeg->src->next_input_byte += count;
    jpeg->src->bytes_in_buffer -= (size_t)count;
}

static void count_scans(j_common_ptr jpeg)
{
    struct jpeg_state *state = jpeg->client_data;
    if (state->jpeg.decoder.input_scan_number > MOST_SCANS) give_up(state, "damaged", "it has too many scans");
}

/* ---- both ---- */

static struct jpeg_state *make_state(const char *path)
{
    struct jpeg_state *state = calloc(1, sizeof *state);
    if (!state) {
        fail("%s: not enough memory", path);
        return NULL;
    }
    state->jpeg.common.err = jpeg_std_error(&state->errors);
    state->jpeg.common.client_data = state;
    state->errors.error_exit = jpeg_fails;
    state->errors.emit_message = jpeg_warns;
    state->errors.output_message = print_nothing;
    return state;
}

static int failed(const struct jpeg_state *state)
{
    return fail("%s: %s: %s", state->reader ? state->reader->path : state->writer->path, state->verdict, state->words);
}

/* What libjpeg's destroy functions do not need to be told: nothing has been made before jpeg_create_. */
static void free_state(struct jpeg_state *state)
{
    if (state) jpeg_destroy(&state->jpeg.common);
    free(state);
}

/* ---- reading ---- */

static int judge_colours(const struct jpeg_decompress_struct *jpeg, const char *path)
{
    switch (jpeg->jpeg_color_space) {
    case JCS_GRAYSCALE:
    case JCS_YCbCr:
    case JCS_RGB: return 0;
    case JCS_CMYK:
    case JCS_YCCK: return fail("%s: its colours are CMYK, for printing; convert it to RGB first", path);
    default: return fail("%s: %d channels of unknown meaning; grey and RGB can be read", path, jpeg->num_components);
    }
}

static void keep_meaning(struct jpeg_state *state)
{
    struct picture_meaning *meaning = &state->reader->meaning;
    unsigned length;
    if (jpeg_read_icc_profile(&state->jpeg.decoder, &meaning->profile, &length)) meaning->profile_bytes = length;
    for (jpeg_saved_marker_ptr m = state->jpeg.decoder.marker_list; m; m = m->next)
        if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 && !memcmp(m->data, exif_name, 6))
            meaning->orientation = exif_orientation(m->data + 6, m->data_length - 6);
}

static int open_jpeg(struct picture_reader *reader)
{
    struct jpeg_state *state = reader->decoder = make_state(reader->path);
    if (!state) return EXIT_FAILED;
    struct jpeg_decompress_struct *jpeg = &state->jpeg.decoder;
    state->reader = reader;
    if (setjmp(state->jump)) return failed(state);
    jpeg_create_decompress(jpeg);
    state->source = (struct jpeg_source_mgr){.init_source = source_does_nothing,
                                             .fill_input_buffer = fill_source,
                                             .skip_input_data = skip_source,
                                             .resync_to_restart = jpeg_resync_to_restart,
                                             .term_source = source_does_nothing};
    state->progress.progress_monitor = count_scans;
    jpeg->src = &state->source;
    jpeg->progress = &state->progress;
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
    jpeg_save_markers(jpeg, JPEG_APP0 + 2, 0xffff);
    jpeg_read_header(jpeg, TRUE);
    reader->width = jpeg->image_width;
    reader->height = jpeg->image_height;
    reader->channels = jpeg->jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
    reader->bits = 8;
    jpeg->out_color_space = reader->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    keep_meaning(state);
    return judge_colours(jpeg, reader->path);
}

/* Decoding starts with the first row, when the size has been judged. */
static int read_jpeg(struct picture_reader *reader, uint8_t *row)
{
    struct jpeg_state *state = reader->decoder;
    if (setjmp(state->jump)) return failed(state);
    if (!state->started) jpeg_start_decompress(&state->jpeg.decoder);
    state->started = true;
    jpeg_read_scanlines(&state->jpeg.decoder, (JSAMPARRAY)&row, 1);
    return 0;
}

static int end_jpeg(struct picture_reader *reader)
{
    struct jpeg_state *state = reader->decoder;
    if (setjmp(state->jump)) return failed(state);
    jpeg_finish_decompress(&state->jpeg.decoder);
    return 0;
}

static void close_jpeg(struct picture_reader *reader)
{
    free_state(reader->decoder);
    reader->decoder = NULL;
}

/* ---- writing ---- */

static void say_meaning(struct jpeg_state *state)
{
    const struct picture_meaning *meaning = state->writer->meaning;
    uint8_t exif[sizeof exif_name + EXIF_BYTES];
    if (meaning->orientation) {
        memcpy(exif, exif_name, sizeof exif_name);
        exif_say_orientation(meaning->orientation, exif + sizeof exif_name);
        jpeg_write_marker(&state->jpeg.encoder, JPEG_APP0 + 1, exif, sizeof exif);
    }
    if (meaning->profile) jpeg_write_icc_profile(&state->jpeg.encoder, meaning->profile, meaning->profile_bytes);
}

static int create_jpeg(struct picture_writer *writer)
{
    struct jpeg_state *state = writer->encoder = make_state(writer->path);
    if (!state) return EXIT_FAILED;
    struct jpeg_compress_struct *jpeg = &state->jpeg.encoder;
    state->writer = writer;
    if (setjmp(state->jump)) return failed(state);
    jpeg_create_compress(jpeg);
    jpeg_stdio_dest(jpeg, writer->file);
    jpeg->image_width = (JDIMENSION)writer->width;
    jpeg->image_height = (JDIMENSION)writer->height;
    jpeg->input_components = writer->channels;
    jpeg->in_color_space = writer->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(jpeg);
    jpeg_set_quality(jpeg, writer->quality, TRUE);
    for (int i = 0; writer->quality >= FINE_COLOURS && i < jpeg->num_components; i++)
        jpeg->comp_info[i].h_samp_factor = jpeg->comp_info[i].v_samp_factor = 1;
    jpeg_start_compress(jpeg, TRUE);
    say_meaning(state);
    return 0;
}

static int write_jpeg(struct picture_writer *writer, const uint8_t *row)
{
    struct jpeg_state *state = writer->encoder;
    JSAMPROW rows[1] = {(JSAMPROW)(uintptr_t)row};
    if (setjmp(state->jump)) return failed(state);
    jpeg_write_scanlines(&state->jpeg.encoder, rows, 1);
    return 0;
}

static int write_jpeg_end(struct picture_writer *writer)
{
    struct jpeg_state *state = writer->encoder;
    if (setjmp(state->jump)) return failed(state);
    jpeg_finish_compress(&state->jpeg.encoder);
    return 0;
}

static void free_jpeg(struct picture_writer *writer)
{
    free_state(writer->encoder);
    writer->encoder = NULL;
}

const struct picture_codec jpeg_codec = {
    .name = "JPEG",
    .longest_side = JPEG_MAX_DIMENSION,
    .most_bits = 8,
    .alpha = false,
    .open = open_jpeg,
    .read = read_jpeg,
    .read_end = end_jpeg,
    .close = close_jpeg,
    .create = create_jpeg,
    .write = write_jpeg,
    .write_end = write_jpeg_end,
    .free = free_jpeg,
};
