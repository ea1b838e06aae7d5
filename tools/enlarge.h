/* SPDX-License-Identifier: MIT
 *
 * A network of transposed convolutions, run through libupsample one tile of a picture at a time.
 */
#ifndef UPSAMPLE_ENLARGE_H
#define UPSAMPLE_ENLARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <upsample/upsample.h>

#include "waifu2x.h"

/* One layer: its op, and what the runs so far have cost. */
struct network_layer {
    const char *name; /* the model's */
    ups_op *op;
    char algorithm[32], kernels[96]; /* as the first plan says */
    double ms, macs;
};

/* The plans of one tile size, one a layer. */
struct network_size {
    int64_t height, width; /* of the input */
    ups_plan **plans;
    double *macs;
    struct network_size *next;
};

/* Memory that grows to what the largest tile has needed. */
struct network_memory {
    void *bytes;
    size_t size;
};

struct network {
    int count;
    struct network_layer *layers;
    struct network_size *sizes;
    struct network_memory values[2]; /* a layer reads one and writes the other */
    struct network_memory workspace;
    ups_threads *threads; /* NULL: the calling thread alone */
};

/* Makes an op of every layer. The model must outlive the network. threads 0: as many as the machine has. */
int network_open(struct network *network, struct waifu2x *model, const char *max_isa, int64_t threads);

/* Where a tile's input goes: height x width pixels, 3 values each, R G B. NULL after a line on stderr. The plans for
 * the size are made now, or found again. */
float *network_input(struct network *network, int64_t height, int64_t width);

/* Runs all layers on what was put there. Returns the output, laid out in the same way, valid until the next call; NULL
 * after a line on stderr. */
const float *network_run(struct network *network);

/* Also after a failed open, and twice. */
void network_close(struct network *network);

#endif
