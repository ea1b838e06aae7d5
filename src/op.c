/* SPDX-License-Identifier: MIT
 *
 * Making and releasing ops; memory.
 */
#include "op.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "error.h"
#include "size.h"

/* ---- memory ---- */

static void *standard_allocate(void *context, size_t bytes)
{
    (void)context;
    void *block = malloc(bytes);
    if (block) ups_ask_large_pages(block, bytes);
    return block;
}

static void standard_release(void *context, void *block)
{
    (void)context;
    free(block);
}

/* The block begins at the next boundary behind what the allocator returned; that pointer stands just before it. */
void *ups_allocate_raw(const struct ups_memory *memory, size_t bytes)
{
    size_t extra = UPS_ALIGNMENT + sizeof(void *);
    char *base = bytes <= PTRDIFF_MAX - extra ? memory->allocate(memory->context, bytes + extra) : NULL;
    if (!base) {
        ups_error(UPS_NO_MEMORY, "no memory: the allocator did not give %zu bytes", bytes);
        return NULL;
    }
    uintptr_t start = ((uintptr_t)base + extra) / UPS_ALIGNMENT * UPS_ALIGNMENT;
    void **block = (void **)start;
    block[-1] = base;
    return block;
}

void *ups_allocate(const struct ups_memory *memory, size_t bytes)
{
    void *block = ups_allocate_raw(memory, bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

void ups_release(const struct ups_memory *memory, void *block)
{
    if (block) memory->release(memory->context, ((void **)block)[-1]);
}

/* ---- options ---- */

int32_t ups_options_init(ups_options *options, size_t size)
{
    ups_options own = {.size = (uint32_t)size, .policy = UPS_POLICY_ACCURATE, .pack_budget = 64 << 20};
    if (!options) return ups_error(UPS_INVALID, "options = NULL");
    if (size < sizeof own.size || size > UINT32_MAX)
        return ups_error(UPS_INVALID, "size = %zu; legal: sizeof(ups_options) = %zu", size, sizeof own);
    memset(options, 0, size);
    memcpy(options, &own, size < sizeof own ? size : sizeof own);
    return UPS_OK;
}

static int32_t read_options(ups_options *to, const ups_options *from)
{
    ups_options_init(to, sizeof *to);
    if (!from) return UPS_OK;
    if (from->size < sizeof from->size)
        return ups_error(UPS_INVALID, "options.size = %" PRIu32 "; legal: as set by ups_options_init", from->size);
    int32_t status = ups_check_tail("options", from, from->size, sizeof *to);
    if (status) return status;
    memcpy(to, from, from->size < sizeof *to ? from->size : sizeof *to);
    if (to->flags & ~(uint32_t)UPS_WEIGHTS_AT_RUN)
        return ups_error(UPS_INVALID, "options.flags = %#" PRIx32 "; legal: 0 or UPS_WEIGHTS_AT_RUN", to->flags);
    if (to->reserved) return ups_error(UPS_INVALID, "options.reserved = %" PRId32 "; legal: 0", to->reserved);
    if (to->policy < UPS_POLICY_ACCURATE || to->policy > UPS_POLICY_REPRODUCIBLE)
        return ups_error(UPS_INVALID,
                         "options.policy = %" PRId32 "; legal: UPS_POLICY_ACCURATE 1, _FAST 2, _REPRODUCIBLE 3",
                         to->policy);
    if (!to->allocate != !to->release)
        return ups_error(UPS_INVALID, "options.%s = NULL; legal: allocate and release both given, or both NULL",
                         to->allocate ? "release" : "allocate");
    return UPS_OK;
}

/* ---- making ---- */

static const struct ups_family *family_of(int32_t op)
{
    switch (ups_runs_as(op)) {
    case UPS_MAX_POOL:
    case UPS_AVG_POOL:
    case UPS_REPLICATE_GRAD:
    case UPS_BED_OF_NAILS_GRAD: return &ups_pool_family;
    case UPS_AVG_POOL_GRAD: return &ups_avg_grad_family;
    case UPS_MAX_UNPOOL:
    case UPS_MAX_POOL_GRAD: return &ups_unpool_family;
    case UPS_MAX_UNPOOL_GRAD: return &ups_unpool_grad_family;
    case UPS_PIXEL_SHUFFLE:
    case UPS_PIXEL_UNSHUFFLE: return &ups_shuffle_family;
    case UPS_RESIZE: return &ups_resize_family;
    case UPS_CONV_TRANSPOSE: return &ups_deconv_family;
    case UPS_CONV_TRANSPOSE_GRAD_INPUT: return &ups_grad_input_family;
    case UPS_CONV_TRANSPOSE_GRAD_WEIGHTS: return &ups_grad_weights_family;
    case UPS_CONV_TRANSPOSE_GRAD_BIAS: return &ups_grad_bias_family;
    default: return &ups_expand_family;
    }
}

static int32_t check_arrays(const union ups_desc *desc, const float *weights, const float *bias,
                            const ups_options *options)
{
    const char *word = ups_op_word(desc->head.op);
    bool at_run = options->flags & UPS_WEIGHTS_AT_RUN, forward = desc->head.op == UPS_CONV_TRANSPOSE;
    bool takes = forward || desc->head.op == UPS_CONV_TRANSPOSE_GRAD_INPUT; /* weights */
    if ((weights && !takes) || (bias && !forward))
        return ups_error(UPS_INVALID, "%s is given, but %s takes none; legal: NULL",
                         weights && !takes ? "weights" : "bias", word);
    if (at_run && !takes)
        return ups_error(UPS_INVALID, "options.flags has UPS_WEIGHTS_AT_RUN, but %s takes no weights", word);
    if (!forward && options->algorithm && strcmp(options->algorithm, "auto") && strcmp(options->algorithm, "direct"))
        return ups_error(UPS_INVALID, "options.algorithm = \"%.40s\"; legal for %s: auto, direct", options->algorithm,
                         word);
    if (!takes) return UPS_OK;
    if (at_run && (weights || bias))
        return ups_error(UPS_INVALID, "%s is given together with UPS_WEIGHTS_AT_RUN; legal: NULL",
                         weights ? "weights" : "bias");
    if (!at_run && !weights)
        return ups_error(UPS_INVALID,
                         "weights = NULL; legal: an array of in_channels * out_channels/group * kernel values, or the "
                         "flag UPS_WEIGHTS_AT_RUN");
    if ((uintptr_t)weights % sizeof(float) || (uintptr_t)bias % sizeof(float))
        return ups_error(UPS_INVALID, "%s = %p is misaligned; legal: a multiple of 4",
                         (uintptr_t)weights % sizeof(float) ? "weights" : "bias",
                         (uintptr_t)weights % sizeof(float) ? (const void *)weights : (const void *)bias);
    return UPS_OK;
}

static int32_t create(const void *desc, const float *weights, const float *bias, const ups_options *options,
                      ups_op **op)
{
    union ups_desc own;
    struct ups_memory memory = {standard_allocate, standard_release, NULL};
    int32_t status = ups_desc_read(&own, desc);
    if (!status) status = check_arrays(&own, weights, bias, options);
    if (status) return status;
    const struct ups_kernels *kernels = ups_best_tier(options->max_isa);
    if (!kernels) return UPS_INVALID;
    if (options->allocate) memory = (struct ups_memory){options->allocate, options->release, options->context};
    ups_op *o = ups_allocate(&memory, sizeof *o);
    if (!o) return UPS_NO_MEMORY;
    atomic_init(&o->references, 1);
    o->memory = memory;
    o->family = family_of(own.head.op);
    o->kernels = kernels;
    o->desc = own;
    o->policy = options->policy;
    o->flags = options->flags;
    for (int i = 0; i < 3; i++) o->cache[i] = ups_cache_bytes(i + 1);
    status = o->family->make ? o->family->make(o, weights, bias, options) : UPS_OK;
    if (status)
        ups_op_release(o);
    else
        *op = o;
    return status;
}

int32_t ups_op_create(const void *desc, const float *weights, const float *bias, const ups_options *options,
                      ups_op **op)
{
    ups_options own;
    if (!op) return ups_error(UPS_INVALID, "op = NULL; the address of a handle is needed");
    *op = NULL;
    int32_t status = read_options(&own, options);
    if (!status) status = create(desc, weights, bias, &own, op);
    /* also when the options themselves are refused, if they are long enough to hold the buffer */
    bool told =
        options && options->size >= offsetof(ups_options, pack_budget) && options->error && options->error_capacity;
    if (status && told) snprintf(options->error, options->error_capacity, "%s", ups_last_error());
    return status;
}

void ups_op_release(ups_op *op)
{
    if (atomic_fetch_sub_explicit(&op->references, 1, memory_order_acq_rel) > 1) return;
    struct ups_memory memory = op->memory;
    if (op->family->unmake) op->family->unmake(op);
    ups_release(&memory, op);
}

void ups_op_destroy(ups_op *op)
{
    if (op) ups_op_release(op);
}
