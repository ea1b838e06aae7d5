/* SPDX-License-Identifier: MIT
 *
 * An op: a checked descriptor, one kernel table, what its family packed. Immutable once made.
 */
#ifndef UPS_OP_H
#define UPS_OP_H

#include <stdatomic.h>
#include <stddef.h>

#include "desc.h"
#include "kernels.h"
#include "report.h"

struct ups_plan;
struct ups_deconv;

/* The caller's allocator, or malloc and free. */
struct ups_memory {
    void *(*allocate)(void *context, size_t bytes);
    void (*release)(void *context, void *memory);
    void *context;
};

#define UPS_ALIGNMENT 64 /* of packed weights and workspace slices: a cache line, a full vector */
static inline size_t ups_taken(size_t bytes)
{
    return (bytes + UPS_ALIGNMENT - 1) / UPS_ALIGNMENT * UPS_ALIGNMENT;
}

/* Zeroed memory aligned to UPS_ALIGNMENT; NULL after setting the error. release takes NULL. */
void *ups_allocate(const struct ups_memory *memory, size_t bytes);
/* The same with whatever stands there. */
void *ups_allocate_raw(const struct ups_memory *memory, size_t bytes);
void ups_release(const struct ups_memory *memory, void *block);

/* What a family of operations must do; everything else is common. Members that a family does not need are NULL. */
struct ups_family {
    /* Chooses an algorithm and packs. */
    int32_t (*make)(struct ups_op *op, const float *weights, const float *bias, const ups_options *options);
    void (*unmake)(struct ups_op *op);
    /* Sizes and views stand in the plan: sets units, part_workspace, and tables in state. */
    int32_t (*plan)(struct ups_plan *plan);
    /* Units first … last - 1. Every unit owns its outputs; workspace is this part's own slice. */
    void (*run)(const struct ups_plan *plan, ups_buffers *buffers, void *workspace, int64_t first, int64_t last);
    /* Adds algorithm, reason, refused, kernels, tile, macs, packed_bytes. */
    void (*describe)(const struct ups_plan *plan, struct ups_report *report);
};

extern const struct ups_family ups_pool_family, ups_unpool_family, ups_expand_family, ups_shuffle_family,
    ups_resize_family, ups_deconv_family, ups_grad_input_family, ups_grad_weights_family, ups_grad_bias_family,
    ups_avg_grad_family, ups_unpool_grad_family;

struct ups_op {
    atomic_int references;
    struct ups_memory memory;
    const struct ups_family *family;
    const struct ups_kernels *kernels;
    union ups_desc desc;
    int32_t policy;
    uint32_t flags;
    int64_t cache[3];          /* bytes of levels 1 to 3 */
    struct ups_deconv *deconv; /* conv_transpose and its gradients: geometry, algorithm, packed weights */
};

void ups_op_release(struct ups_op *op); /* drops one reference */

#endif
