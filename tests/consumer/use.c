// SPDX-License-Identifier: MIT
//
// A small client of the installed library, valid in C and C++: doubles a 2x2 image and prints how it was done.
#include <stdio.h>
#include <stdlib.h>
#include <upsample/upsample.h>

int main(void)
{
    ups_expand_desc desc;
    ups_tensor image;
    ups_buffers buffers;
    ups_op *op = NULL;
    ups_plan *plan = NULL;
    const int64_t dims[] = {1, 1, 2, 2};
    const float x[4] = {1, 2, 3, 4};
    float y[16] = {0};
    char text[8192];

    if (ups_desc_init(&desc, sizeof desc, UPS_REPLICATE, NULL) || ups_desc_set(&desc, "factor", "2,2") ||
        ups_tensor_init(&image, sizeof image, UPS_F32, 2, UPS_CHANNELS_FIRST, dims) ||
        ups_op_create(&desc, NULL, NULL, NULL, &op) || ups_plan_create(op, &image, NULL, NULL, &plan) ||
        ups_buffers_init(&buffers, sizeof buffers)) {
        fprintf(stderr, "%s\n", ups_last_error());
        return 1;
    }
    size_t bytes = ups_plan_workspace(plan, 1);
    void *workspace = malloc(bytes ? bytes : 1);
    buffers.src = x;
    buffers.dst = y;
    if (ups_run(plan, &buffers, workspace, bytes)) {
        fprintf(stderr, "%s\n", ups_last_error());
        return 1;
    }
    ups_plan_describe(plan, UPS_JSON, text, sizeof text);
    puts(text);
    free(workspace);
    ups_plan_destroy(plan);
    ups_op_destroy(op);
    for (int i = 0; i < 16; i++) {
        if (y[i] != x[i / 8 * 2 + i % 4 / 2]) {
            fprintf(stderr, "y[%d] = %g\n", i, y[i]);
            return 1;
        }
    }
    return 0;
}
