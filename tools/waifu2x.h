/* SPDX-License-Identifier: MIT
 *
 * The model files of waifu2x as ncnn stores them: scale2.0x_model.param, a text that lists the layers, and
 * scale2.0x_model.bin, their weights one after the other. A layer comes out as what libupsample computes, a transposed
 * convolution; the 3x3 convolutions of these networks are ones too, of stride 1 (see read_layer).
 */
#ifndef UPSAMPLE_WAIFU2X_H
#define UPSAMPLE_WAIFU2X_H

#include <stdint.h>
#include <upsample/upsample.h>

struct waifu2x_layer {
    char name[64];
    ups_conv_transpose_desc desc; /* 2-D, weights in OIHW; its layout may be changed before an op is made */
    float *weights, *bias;
};

/* A chain of layers from RGB to RGB, values from 0 to 1. Fed t + 2*halo pixels it gives scale*t, on either axis and
 * for every t: exactly those outputs that depend on nothing beyond the input. Hence the picture can be cut anywhere. */
struct waifu2x {
    int count;
    struct waifu2x_layer *layers;
    int64_t halo, scale;
};

/* Reads the model in a directory. Returns 0, or an exit code after a line on stderr (see command.h). */
int waifu2x_read(struct waifu2x *model, const char *directory);

/* Also after a failed read, and twice. */
void waifu2x_free(struct waifu2x *model);

/* The number that the 16 bits of a half-precision float stand for. */
float half_to_float(uint16_t half);

#endif
