/* SPDX-License-Identifier: MIT
 *
 * Arrays in NumPy's .npy files: format versions 1 to 3, little-endian f4, i4, i8, u1 and i1, C order.
 */
#ifndef UPSAMPLE_NPY_H
#define UPSAMPLE_NPY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum npy_type { NPY_F32, NPY_I32, NPY_I64, NPY_U8, NPY_S8 };
enum { NPY_MAX_RANK = 8 };

/* Starts as {0}. */
struct npy {
    enum npy_type type;
    int rank;
    int64_t dims[NPY_MAX_RANK];
    int64_t count; /* elements */
    size_t bytes;
    void *data; /* freed by npy_release */
};

/* "f4", "i4", "i8", "u1", "i1". */
const char *npy_type_name(enum npy_type type);
size_t npy_type_bytes(enum npy_type type);

/* Sets count and bytes from type, rank and dims; 0, or an exit code after a line on stderr that begins with `what`. */
int npy_measure(struct npy *array, const char *what);

/* Reads a file. Nothing is allocated for the data before the file is known to hold all of it. */
int npy_read(const char *path, struct npy *array);

/* Writes header and data to an open file, whose ferror tells of failures. */
void npy_write(FILE *file, const struct npy *array);

void npy_release(struct npy *array);

/* The shape as Python writes it, "(1, 3, 8, 8)". Returns text. */
enum { NPY_SHAPE_CAPACITY = NPY_MAX_RANK * 22 + 4 };
char *npy_shape_text(const struct npy *array, char text[NPY_SHAPE_CAPACITY]);

#endif
