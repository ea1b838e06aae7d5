/* SPDX-License-Identifier: MIT
 *
 * One call of the library, from a descriptor and dense arrays to dense arrays: what the operation tests share.
 *
 * Dense means N, C, spatial, and floats, of bytes too. call_run makes the op and the plan, lays every tensor out as the descriptor's layout and the
 * margins ask, runs, checks that nothing was touched but the outputs, and returns the outputs dense again. Every block of
 * memory lies between canaries, or ends or begins at a page that must not be touched (check.h).
 */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "upsample/upsample.h"

/* ---- random numbers: check.h's, and these ---- */

bool call_chance(int percent);
float call_gaussian(void);

/* ---- memory: check.h's, taken and given back ---- */

struct block {
    unsigned char *data;
    size_t bytes;
    unsigned char *copy; /* what block_keep saw */
    struct check_memory memory;
};

void block_make(struct block *block, size_t bytes, size_t element, enum check_place place); /* filled with a pattern */
void block_keep(struct block *block); /* from now on it must not change */
void block_free(struct block *block); /* checks the canaries around it and block_keep's promise */

/* ---- a call ---- */

union desc {
    ups_desc_head head;
    ups_pool_desc pool;
    ups_unpool_desc unpool;
    ups_expand_desc expand;
    ups_shuffle_desc shuffle;
    ups_resize_desc resize;
    ups_conv_transpose_desc conv;
};

/* A tensor of the library in memory of its own. */
struct tensor {
    ups_tensor shape;
    struct block memory;
};

struct call {
    /* What to compute. Arrays belong to the caller; those an operation does not use stay NULL. */
    union desc desc;
    int64_t dims[5]; /* N, C, spatial of the source */
    const int64_t *sizes;
    const float *x, *w, *bias;
    const int64_t *index;
    const float *grad; /* conv_transpose_grad_weights */
    /* How. */
    const char *isa, *algorithm;
    int32_t policy; /* 0: the default */
    const int64_t *size_hint;
    bool weights_at_run;
    bool values_only; /* max_pool without switches */
    int32_t src_margin,
        dst_margin; /* the tensor is a slice of one that is larger by this in each axis but the outermost */
    enum check_place place;
    const int32_t *order; /* the order of parts, NULL: 0, 1, … */
    int32_t parts;        /* 0: ups_run */
    /* What came of it: owned, dense; freed by call_close. */
    int64_t out_dims[5], grad_dims[5];
    float *y; /* conv_transpose_grad_weights: in weights_layout */
    int64_t *switches;
    int64_t bad_count, bad_first;
    char described[4096]; /* the plan, as JSON */
    /* While open. */
    ups_op *op;
    ups_plan *plan;
    struct tensor src, dst, gradient;
    struct block indices, weights, bias_memory, workspace;
    void *work; /* what ups_run takes */
    size_t work_bytes;
};

/* Every operation, transposed convolution and its gradients last. */
enum { CALL_OPS = 19 };
extern const int32_t call_ops[CALL_OPS];

/* Starts a call: descriptor of the torch preset with that rank; everything else 0. */
void call_init(struct call *call, int32_t op, int32_t rank);

/* Starts a call in words, as ups_desc_set takes them: "resize", "tf", "rank=1 mode=cubic sizes=6". */
int32_t call_say(struct call *call, const char *op, const char *preset, const char *words);

/* The three steps of call_run, for those who run in ways of their own. call_open returns the status of the step that
 * failed, nothing is open then. call_buffers fills in the pointers. call_read fetches the outputs and checks the margins. */
int32_t call_open(struct call *call);
void call_buffers(struct call *call, ups_buffers *buffers);
void call_read(struct call *call);
void call_shut(struct call *call); /* releases what call_open took; outputs stay until call_close */

int32_t call_run(struct call *call); /* open, run, read, shut */
void call_close(struct call *call);  /* frees the outputs */

int64_t call_out_count(const struct call *call);

/* The descriptor and the way it was called, in one line. */
const char *call_text(const struct call *call);

/* Text of a JSON string field of the plan's description. */
const char *call_word(const struct call *call, const char *field);

/* ---- checks; each names the call and the first difference, and fails the test ---- */

/* Counted, so that a program that compared nothing can say so. */
int64_t call_checked(void);

void call_same(const struct call *call, const char *what, const float *got, const float *want, int64_t n);
void call_same_index(const struct call *call, const char *what, const int64_t *got, const int64_t *want, int64_t n);
/* |got - want| <= bound[i] * factor. */
void call_near(const struct call *call, const float *got, const double *want, const double *bound, double factor,
               int64_t n);
void call_status(const struct call *call, int32_t got, int32_t want);

/* Terms of the longest sum of a transposed convolution, and the factor by which an output may miss its magnitude. */
double call_sum_bound(const ups_conv_transpose_desc *desc);

/* ---- data ---- */

/* New arrays, for free(). */
float *call_floats(int64_t n);               /* gaussian */
float *call_integers(int64_t n, int max);    /* whole numbers in [-max, max] */
float *call_bytes(int64_t n, int32_t dtype); /* whole numbers that UPS_U8 or UPS_S8 holds, often with many ties */
float *call_values(int64_t n);               /* any of check.h's fills: plain, with ties, or with everything special */

/* An index in an array of one of the index types; -1 is 255 in u8. */
void call_put_index(int32_t type, void *to, int64_t at, int64_t index);
int64_t call_get_index(int32_t type, const void *from, int64_t at);

/* The tiers this machine runs, lowest first; how many. Prints those it does not. */
int call_tiers(const char *names[8]);

/* The algorithms of conv_transpose, of a plan's description: the one it takes and those it refuses. */
int call_algorithms(const char *names[8]);
/* Phase, gemm and scatter take every legal call unless the policy is "reproducible"; others may refuse a layer. */
bool call_may_refuse(const struct call *call);

#endif
