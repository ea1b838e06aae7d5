/* SPDX-License-Identifier: MIT
 *
 * A .npy file is the 6 bytes "\x93NUMPY", two bytes of version, the header's length (2 bytes in version 1, 4 later,
 * little-endian), the header, the data. The header is a Python dictionary literal with exactly three keys:
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 8, 8), }
 */
#define _POSIX_C_SOURCE 200809L /* fileno */
#include "npy.h"
#include "command.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* NumPy itself refuses longer headers by default (10 000); ours need less than 300. */
enum { MAGIC_BYTES = 8, HEADER_LIMIT = 65535 };

static const struct {
    const char *name, *descr;
    size_t bytes;
} types[] = {
    [NPY_F32] = {"f4", "<f4", 4},
    [NPY_I32] = {"i4", "<i4", 4},
    [NPY_I64] = {"i8", "<i8", 8},
    [NPY_U8] = {"u1", "|u1", 1},
    [NPY_S8] = {"i1", "|i1", 1},
};
enum { TYPE_COUNT = sizeof types / sizeof types[0] };

const char *npy_type_name(enum npy_type type) { return types[type].name; }

size_t npy_type_bytes(enum npy_type type) { return types[type].bytes; }

int npy_measure(struct npy *array, const char *what)
{
    /* Zeros are left out of the product, as NumPy does: no order of the factors may overflow. */
    int64_t product = 1;
    bool empty = false, fits = true;
    for (int i = 0; i < array->rank; i++) {
        if (array->dims[i] == 0) empty = true;
        else fits = fits && !__builtin_mul_overflow(product, array->dims[i], &product);
    }
    int64_t bytes;
    fits = fits && !__builtin_mul_overflow(product, (int64_t)types[array->type].bytes, &bytes);
    if (!fits) {
        char shape[NPY_SHAPE_CAPACITY];
        return fail("%s: shape %s is larger than the address space", what, npy_shape_text(array, shape));
    }
    array->count = empty ? 0 : product;
    array->bytes = empty ? 0 : (size_t)bytes;
    return 0;
}

/* ---- the header ---- */

/* A place in the header's text. Whatever is read from it first skips white space. */
struct scanner {
    const char *at;
};

static bool take(struct scanner *s, char wanted)
{
    while (isspace((unsigned char)*s->at)) s->at++;
    if (*s->at != wanted) return false;
    s->at++;
    return true;
}

static bool take_word(struct scanner *s, const char *word)
{
    while (isspace((unsigned char)*s->at)) s->at++;
    size_t length = strlen(word);
    if (strncmp(s->at, word, length)) return false;
    s->at += length;
    return true;
}

/* A Python string without escapes, in either kind of quotes. */
static bool take_string(struct scanner *s, char *text, size_t capacity)
{
    char quote = take(s, '\'') ? '\'' : take(s, '"') ? '"' : 0;
    const char *end = quote ? strchr(s->at, quote) : NULL;
    if (!end || (size_t)(end - s->at) >= capacity) return false;
    memcpy(text, s->at, (size_t)(end - s->at));
    text[end - s->at] = 0;
    s->at = end + 1;
    return true;
}

/* "(1, 3, 8, 8)", "(5,)" or "()". */
static bool take_shape(struct scanner *s, struct npy *array)
{
    if (!take(s, '(')) return false;
    array->rank = 0;
    while (!take(s, ')')) {
        char *end;
        errno = 0;
        while (isspace((unsigned char)*s->at)) s->at++;
        if (!isdigit((unsigned char)*s->at) || array->rank == NPY_MAX_RANK) return false;
        array->dims[array->rank++] = strtoll(s->at, &end, 10);
        if (errno) return false;
        s->at = end;
        if (!take(s, ',') && *s->at != ')') return false;
    }
    return true;
}

static int take_descr(struct scanner *s, const char *path, struct npy *array)
{
    char descr[64];
    if (!take_string(s, descr, sizeof descr))
        return fail("%s: its dtype is not a plain number; f4, i4, i8, u1 and i1 are read", path);
    for (int i = 0; i < TYPE_COUNT; i++)
        if (!strcmp(descr, types[i].descr)) {
            array->type = (enum npy_type)i;
            return 0;
        }
    return fail("%s: dtype '%s' is not read; it must be '<f4', '<i4', '<i8', '|u1' or '|i1'", path, descr);
}

static int take_order(struct scanner *s, const char *path)
{
    if (take_word(s, "False")) return 0;
    if (take_word(s, "True"))
        return fail("%s: is in Fortran order; save numpy.ascontiguousarray(x) instead", path);
    return fail("%s: fortran_order in its header is neither True nor False", path);
}

/* One entry of the dictionary; *seen collects which of the three there have been. */
static int take_entry(struct scanner *s, const char *path, struct npy *array, int *seen)
{
    char key[32];
    if (!take_string(s, key, sizeof key) || !take(s, ':')) return fail("%s: its .npy header cannot be read", path);
    if (!strcmp(key, "descr")) {
        *seen |= 1;
        return take_descr(s, path, array);
    }
    if (!strcmp(key, "fortran_order")) {
        *seen |= 2;
        return take_order(s, path);
    }
    if (strcmp(key, "shape")) return fail("%s: unknown key '%s' in its .npy header", path, key);
    *seen |= 4;
    if (take_shape(s, array)) return 0;
    return fail("%s: its shape must be up to %d integers from 0 to 2^63 - 1", path, NPY_MAX_RANK);
}

static int parse_header(const char *text, const char *path, struct npy *array)
{
    struct scanner s = {text};
    int seen = 0, code = 0;
    bool more = take(&s, '{');
    while (more && !take(&s, '}')) {
        if ((code = take_entry(&s, path, array, &seen))) return code;
        more = take(&s, ',') || *s.at == '}';
    }
    while (isspace((unsigned char)*s.at)) s.at++;
    if (!more || *s.at || seen != 7) return fail("%s: its .npy header cannot be read", path);
    return 0;
}

/* Reads what stands before the data, and leaves the file there. */
static int read_header(FILE *file, const char *path, struct npy *array)
{
    unsigned char start[MAGIC_BYTES + 4] = {0};
    if (fread(start, 1, MAGIC_BYTES, file) != MAGIC_BYTES || memcmp(start, "\x93NUMPY", 6))
        return fail("%s: is not a .npy file", path);
    int version = start[6];
    if (version < 1 || version > 3)
        return fail("%s: .npy version %d.%d is not read; 1 to 3 are", path, version, start[7]);
    size_t width = version == 1 ? 2 : 4;
    if (fread(start + MAGIC_BYTES, 1, width, file) != width) return fail("%s: is truncated", path);
    const unsigned char *b = start + MAGIC_BYTES;
    uint32_t length = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    if (length > HEADER_LIMIT)
        return fail("%s: a header of %lu bytes is not read; at most %d", path, (unsigned long)length,
                    (int)HEADER_LIMIT);
    char *text = calloc(1, (size_t)length + 1);
    if (!text) return fail("%s: no memory", path);
    bool whole = fread(text, 1, length, file) == length;
    int code = whole ? parse_header(text, path, array) : fail("%s: is truncated", path);
    free(text);
    return code;
}

/* ---- files ---- */

/* Compares the length of the file with what the header promises. */
static int check_length(FILE *file, const char *path, const struct npy *array)
{
    struct stat status;
    long start = ftell(file);
    if (start < 0 || fstat(fileno(file), &status)) return fail("%s: cannot be read: %s", path, strerror(errno));
    if ((int64_t)status.st_size - start == (int64_t)array->bytes) return 0;
    char shape[NPY_SHAPE_CAPACITY];
    return fail("%s: holds %lld bytes of data, %s of shape %s needs %zu", path, (long long)status.st_size - start,
                npy_type_name(array->type), npy_shape_text(array, shape), array->bytes);
}

static int read_array(FILE *file, const char *path, struct npy *array)
{
    struct stat status;
    if (fstat(fileno(file), &status)) return fail("%s: cannot be read: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode)) return fail("%s: is not a regular file", path);
    int code = read_header(file, path, array);
    if (!code) code = npy_measure(array, path);
    if (!code) code = check_length(file, path, array);
    if (code) return code;
    if (!(array->data = allocate_bytes(array->bytes, path))) return EXIT_FAILED;
    if (fread(array->data, 1, array->bytes, file) == array->bytes) return 0;
    return fail("%s: cannot be read: %s", path, ferror(file) ? strerror(errno) : "it became shorter meanwhile");
}

int npy_read(const char *path, struct npy *array)
{
    memset(array, 0, sizeof *array);
    FILE *file = fopen(path, "rb");
    if (!file) return fail("%s: cannot be read: %s", path, strerror(errno));
    int code = read_array(file, path, array);
    fclose(file);
    if (code) npy_release(array);
    return code;
}

char *npy_shape_text(const struct npy *array, char text[NPY_SHAPE_CAPACITY])
{
    size_t n = 0;
    text[n++] = '(';
    for (int i = 0; i < array->rank; i++)
        n += (size_t)snprintf(text + n, NPY_SHAPE_CAPACITY - n, "%s%lld", i ? ", " : "", (long long)array->dims[i]);
    snprintf(text + n, NPY_SHAPE_CAPACITY - n, array->rank == 1 ? ",)" : ")");
    return text;
}

void npy_write(FILE *file, const struct npy *array)
{
    /* The data begins at a multiple of 64, as NumPy's own files do: magic, version, length, then text padded by spaces
     * and ended by a newline. */
    char shape[NPY_SHAPE_CAPACITY], text[NPY_SHAPE_CAPACITY + 128];
    int length = snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                          types[array->type].descr, npy_shape_text(array, shape));
    int padded = (MAGIC_BYTES + 2 + length + 1 + 63) / 64 * 64 - (MAGIC_BYTES + 2);
    fwrite("\x93NUMPY\x01\x00", 1, MAGIC_BYTES, file);
    fputc(padded & 255, file);
    fputc(padded >> 8, file);
    fprintf(file, "%-*s\n", padded - 1, text);
    fwrite(array->data, 1, array->bytes, file);
}

void npy_release(struct npy *array)
{
    free(array->data);
    memset(array, 0, sizeof *array);
}
