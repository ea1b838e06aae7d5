/* SPDX-License-Identifier: MIT
 *
 * Max unpooling. A unit is a whole output plane (channels first) or a block of channels of one image (channels last). A
 * part writes to its own units only and does so in the order of the source elements, so nothing depends on the division.
 *
 * Which sources write into a unit is the question. Indices of the conventions plane, window and window_column stay in
 * their element's own plane; those of a pooling do so in the others too, but may say anything. So a part first looks for
 * strays: indices that lead from one plane into another, out of its units or into them. Without any, it treats its units
 * one by one. With one, it goes through all sources that may reach it, in N, C, spatial order.
 *
 * A unit of 2x2 windows at stride 2 first tries the driven-by-output kernel, which writes every output once. It counts the
 * indices that lie in their own window, where none meets another; if one of a plane does not, the plane is done again by
 * the scatter.
 */
#include <limits.h>
#include <string.h>

#include "error.h"
#include "index.h"
#include "plan.h"
#include "shape.h"
#include "size.h"

enum { CHANNEL_BLOCK = 16 }; /* channels last: a cache line of floats */

enum reach { PLANE, IMAGE, TENSOR }; /* where an element's index may lead */

struct unpool {
    struct ups_index_space space; /* what indices address */
    struct ups_index_steps steps;
    enum reach reach;
    bool window;
    bool whole;       /* the space is the output */
    bool rows;        /* besides, its planes are numbered row by row */
    int64_t elements; /* of an output plane */
    int64_t kernel[3], stride[3], dilation[3];
    int64_t block;               /* channels of a unit */
    int64_t x_run, y_run;        /* strides of flat positions where planes are one regular run, else 0 */
    ups_unpool_2x2s2_fn *gather; /* 2x2 at stride 2, or NULL */
};

/* One run of one part. */
struct part {
    const ups_plan *plan;
    ups_buffers *b;
    uint64_t *taken; /* a bit for each place of the reach; NULL: the last of several stays */
    int64_t first, last;
};

/* ---- planning ---- */

static enum reach reach_of(int32_t convention)
{
    switch (convention) {
    case UPS_INDEX_TENSOR:
    case UPS_INDEX_TENSOR_COLUMN:
    case UPS_INDEX_NHWC_BATCH: return TENSOR;
    case UPS_INDEX_CHANNEL:
    case UPS_INDEX_NHWC: return IMAGE;
    default: return PLANE;
    }
}

/* The stride of flat positions where the plane is one regular run, else 0. */
static int64_t dense_stride(const struct ups_view *v)
{
    int64_t stride = v->size[2] > 1 ? v->stride[2] : v->size[1] > 1 ? v->stride[1] : v->size[0] > 1 ? v->stride[0] : 1;
    bool rows = v->size[1] == 1 || v->stride[1] == stride * v->size[2];
    bool planes = v->size[0] == 1 || v->stride[0] == stride * v->size[2] * v->size[1];
    return rows && planes ? stride : 0;
}

/* Every index of the space must be a number. */
static int32_t plan_space(const ups_plan *plan, struct unpool *u)
{
    const ups_unpool_desc *d = &plan->op->desc.unpool;
    int64_t derived[3], elements = ups_max(plan->x.n, 1) * plan->x.c;
    bool fits = true;
    u->space = (struct ups_index_space){d->index, plan->x.n, plan->x.c, {0}};
    for (int i = 0; i < d->rank; i++)
        derived[i] = d->index_space == UPS_SPACE_INFERRED ? ups_max(ups_unpool_derived(d, i, plan->src.dims[2 + i]), 0)
                                                          : plan->dst.dims[2 + i];
    ups_axes3(u->space.size, derived, d->rank, 1);
    for (int a = 0; a < 3; a++) fits = fits && ups_multiply(&elements, u->space.size[a]);
    if (!fits)
        return ups_error(UPS_INVALID, "the derived shape that index_space = inferred addresses has too many elements");
    u->steps = ups_index_steps(&u->space, u->space.size);
    u->elements = ups_volume(plan->y.size);
    u->whole = memcmp(u->space.size, plan->y.size, sizeof u->space.size) == 0;
    u->rows =
        u->whole && (d->index == UPS_INDEX_PLANE || d->index == UPS_INDEX_TENSOR || d->index == UPS_INDEX_CHANNEL);
    return UPS_OK;
}

/* Kernel and conditions of the fast path. */
static ups_unpool_2x2s2_fn *gather_of(const ups_plan *plan, const struct unpool *u)
{
    const struct ups_kernels *k = plan->op->kernels;
    const ups_unpool_desc *d = &plan->op->desc.unpool;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    bool fits = ups_is_first(plan) && d->rank == 2 && d->kernel_shape[0] == 2 && d->kernel_shape[1] == 2 &&
                d->strides[0] == 2 && d->strides[1] == 2 && y->size[1] / 2 == x->size[1] &&
                y->size[2] / 2 == x->size[2] && u->rows;
    if (!fits || (d->index_type != UPS_I32 && d->index_type != UPS_I64)) return NULL;
    return d->index_type == UPS_I64 ? k->unpool_2x2s2_i64.run : k->unpool_2x2s2_i32.run;
}

static int32_t plan_unpool(ups_plan *plan)
{
    const ups_unpool_desc *d = &plan->op->desc.unpool;
    const struct ups_view *y = &plan->y;
    struct unpool *u = plan->state = ups_allocate(&plan->op->memory, sizeof *u);
    if (!u) return UPS_NO_MEMORY;
    u->window = ups_index_is_window(d->index);
    u->reach = reach_of(d->index);
    ups_axes3(u->kernel, d->kernel_shape, d->rank, 1);
    ups_axes3(u->stride, d->strides, d->rank, 1);
    ups_axes3(u->dilation, d->dilations, d->rank, 1);
    int32_t status = plan_space(plan, u);
    if (status) return status;
    u->block = ups_is_first(plan) ? 1 : CHANNEL_BLOCK;
    u->x_run = dense_stride(&plan->x);
    u->y_run = dense_stride(y);
    u->gather = gather_of(plan, u);
    plan->units = y->n * ups_ceil_div(y->c, u->block);
    if (d->overlap == UPS_OVERLAP_LAST) return UPS_OK;
    int64_t planes = u->reach == PLANE ? u->block : u->reach == IMAGE ? y->c : y->n * y->c;
    plan->part_workspace = ups_taken(ups_bytes(planes * u->elements / 64 + 1, 1, 1, sizeof(uint64_t)));
    return UPS_OK;
}

/* ---- places ---- */

/* Where an element goes: the plane (n, c), and its row-major position there. */
struct place {
    int64_t n, c, position;
};

static int64_t plane_offset(const struct ups_view *v, int64_t position, int64_t run)
{
    if (run) return position * run;
    int64_t w = position % v->size[2], line = position / v->size[2];
    return line / v->size[1] * v->stride[0] + line % v->size[1] * v->stride[1] + w * v->stride[2];
}

static void at_position(const int64_t size[3], int64_t position, int64_t at[3])
{
    at[2] = position % size[2];
    at[1] = position / size[2] % size[1];
    at[0] = position / size[2] / size[1];
}

static bool inside(const int64_t at[3], const int64_t size[3])
{
    for (int a = 0; a < 3; a++)
        if (at[a] < 0 || at[a] >= size[a]) return false;
    return true;
}

/* The place of a tap of source element i's window. */
static bool locate_tap(const ups_plan *plan, int64_t i, int64_t index, struct place *to)
{
    const struct unpool *u = plan->state;
    const int64_t *size = plan->y.size;
    int64_t tap[3], at[3];
    if (!ups_index_tap(u->space.convention, u->kernel, index, tap)) return false;
    at_position(plan->x.size, i, at);
    for (int a = 0; a < 3; a++) at[a] = at[a] * u->stride[a] - plan->pad[a] + tap[a] * u->dilation[a];
    to->position = (at[0] * size[1] + at[1]) * size[2] + at[2];
    return inside(at, size) && inside(at, u->space.size);
}

/* Where the index of source element i of plane (to->n, to->c) leads; false: outside of the output. The usual index is
 * a plane's own position, found without division. */
static inline bool locate(const ups_plan *plan, int64_t i, int64_t index, struct place *to)
{
    const struct unpool *u = plan->state;
    const int64_t *size = plan->y.size;
    int64_t at[3];
    if (u->rows && index >= 0) {
        to->position = index - (to->n * u->steps.n + to->c * u->steps.c);
        if (to->position >= 0 && to->position < u->elements) return true;
    }
    if (u->window) return locate_tap(plan, i, index, to);
    if (!ups_index_decode(&u->space, index, &to->n, &to->c, &to->position)) return false;
    if (u->whole) return true;
    at_position(u->space.size, to->position, at);
    to->position = (at[0] * size[1] + at[1]) * size[2] + at[2];
    return inside(at, size);
}

static bool owns(const struct part *p, int64_t n, int64_t c)
{
    const struct unpool *u = p->plan->state;
    int64_t unit = n * ups_ceil_div(p->plan->y.c, u->block) + c / u->block;
    return unit >= p->first && unit < p->last;
}

/* Place of source element i of (n, c) in the index tensor. */
static int64_t index_place(const ups_plan *plan, int64_t n, int64_t c, int64_t i)
{
    int64_t elements = ups_volume(plan->x.size);
    return ups_is_first(plan) ? (n * plan->x.c + c) * elements + i : (n * elements + i) * plan->x.c + c;
}

/* ---- writing ---- */

static void bad_index(ups_buffers *b, int64_t position)
{
    if (!b->bad_count++ || position < b->bad_first) b->bad_first = position;
}

/* Zeroes the outputs of channels [c0, c1) of one image. */
static void clear(const struct ups_view *y, float *dst, int64_t n, int64_t c0, int64_t c1, bool first)
{
    for (int64_t d = 0; d < y->size[0]; d++)
        for (int64_t h = 0; h < y->size[1]; h++) {
            if (first)
                for (int64_t c = c0; c < c1; c++)
                    memset(dst + ups_row_offset(y, n, c, d, h), 0, (size_t)y->size[2] * sizeof *dst);
            for (int64_t w = 0; !first && w < y->size[2]; w++)
                memset(dst + ups_row_offset(y, n, c0, d, h) + w * y->stride[2], 0, (size_t)(c1 - c0) * sizeof *dst);
        }
}

static void clear_taken(const struct part *p, int64_t planes)
{
    const struct unpool *u = p->plan->state;
    if (p->taken) memset(p->taken, 0, (size_t)(planes * u->elements / 64 + 1) * sizeof *p->taken);
}

/* Writes *from, the source element at `position`, to its place, whose plane is the `plane`th of those that `taken` was
 * cleared for. */
static inline void put(const struct part *p, const float *from, int64_t position, const struct place *to, int64_t plane)
{
    const struct unpool *u = p->plan->state;
    const struct ups_view *y = &p->plan->y;
    int32_t overlap = p->plan->op->desc.unpool.overlap;
    float *into = p->b->dst + to->n * y->n_stride + to->c * y->c_stride + plane_offset(y, to->position, u->y_run);
    if (p->taken) {
        int64_t bit = plane * u->elements + to->position;
        uint64_t *word = &p->taken[bit / 64], mask = UINT64_C(1) << bit % 64;
        bool taken = *word & mask;
        *word |= mask;
        if (taken && overlap == UPS_OVERLAP_SUM) *into += *from;
        if (taken && overlap == UPS_OVERLAP_ERROR) bad_index(p->b, position);
        if (taken) return;
    }
    *into = *from;
}

/* ---- units by themselves ---- */

/* The usual case of scatter below: planes are numbered row by row and the last of several stays, which needs neither
 * division nor bits. What a loop over few channels needs is taken out of it by hand. */
static void scatter_plain(const struct part *p, int64_t n, int64_t c0, int64_t channels)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    const bool first = ups_is_first(plan);
    const int32_t type = plan->indices.dtype;
    const int64_t elements = ups_volume(x->size), i_step = first ? 1 : x->c, c_step = first ? elements : 1;
    const int64_t start = index_place(plan, n, c0, 0), position = (n * x->c + c0) * elements;
    const uint64_t limit = (uint64_t)u->elements, base = (uint64_t)(n * u->steps.n + c0 * u->steps.c);
    const uint64_t base_step = (uint64_t)u->steps.c;
    const int64_t x_step = x->c_stride, y_step = y->c_stride;
    const void *indices = p->b->indices_in;
    const float *from = p->b->src + n * x->n_stride + c0 * x->c_stride;
    float *into = p->b->dst + n * y->n_stride + c0 * y->c_stride;
    for (int64_t i = 0; i < elements; i++) {
        const float *pixel = from + plane_offset(x, i, u->x_run);
        for (int64_t c = 0; c < channels; c++) {
            uint64_t index = (uint64_t)ups_index_load(indices, type, start + i * i_step + c * c_step);
            uint64_t own = index - (base + (uint64_t)c * base_step); /* of a negative one: very large */
            if (own < limit)
                into[c * y_step + plane_offset(y, (int64_t)own, u->y_run)] = pixel[c * x_step];
            else
                bad_index(p->b, position + c * elements + i);
        }
    }
}

/* y = 0; then y[index] = x in row-major order of the source. All indices lead into their own planes, or nowhere. */
static void scatter(const struct part *p, int64_t n, int64_t c0, int64_t c1)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view *x = &plan->x;
    int64_t elements = ups_volume(x->size);
    clear(&plan->y, p->b->dst, n, c0, c1, ups_is_first(plan));
    if (u->rows && !p->taken) {
        scatter_plain(p, n, c0, c1 - c0);
        return;
    }
    clear_taken(p, c1 - c0);
    for (int64_t i = 0; i < elements; i++) {
        const float *from = p->b->src + n * x->n_stride + plane_offset(x, i, u->x_run);
        for (int64_t c = c0; c < c1; c++) {
            struct place to = {n, c, 0};
            int64_t index = ups_index_load(p->b->indices_in, plan->indices.dtype, index_place(plan, n, c, i));
            int64_t position = (n * x->c + c) * elements + i;
            if (locate(plan, i, index, &to))
                put(p, from + c * x->c_stride, position, &to, c - c0);
            else
                bad_index(p->b, position);
        }
    }
}

/* One plane by the kernel; false if an index lies outside its own window, or the kernel's range. */
static bool gather_2x2s2(const struct part *p, int64_t n, int64_t c)
{
    const struct unpool *u = p->plan->state;
    const struct ups_view *x = &p->plan->x, *y = &p->plan->y;
    int64_t columns = x->size[2], width = y->size[2], base = n * u->steps.n + c * u->steps.c;
    if (!u->gather || base + u->elements > INT32_MAX) return false;
    for (int64_t h = 0; h < x->size[1]; h++) {
        int64_t at = ((n * x->c + c) * x->size[1] + h) * columns;
        float *row0 = p->b->dst + ups_row_offset(y, n, c, 0, 2 * h), *row1 = row0 + y->stride[1];
        const float *from = p->b->src + ups_row_offset(x, n, c, 0, h);
        const void *index = (const char *)p->b->indices_in + at * (int64_t)ups_index_bytes(p->plan->indices.dtype);
        if (u->gather(from, index, columns, base + 2 * h * width, width, row0, row1) != columns) return false;
        if (width > 2 * columns) row0[width - 1] = row1[width - 1] = 0;
    }
    if (y->size[1] > 2 * x->size[1])
        memset(p->b->dst + ups_row_offset(y, n, c, 0, y->size[1] - 1), 0, (size_t)width * sizeof(float));
    return true;
}

/* ---- strays ---- */

/* Whether an index of plane (n, c) leads to another plane, out of this part or into it. */
static bool strays_from(const struct part *p, int64_t n, int64_t c)
{
    const ups_plan *plan = p->plan;
    bool own = owns(p, n, c);
    for (int64_t i = 0; i < ups_volume(plan->x.size); i++) {
        struct place to = {n, c, 0};
        int64_t index = ups_index_load(p->b->indices_in, plan->indices.dtype, index_place(plan, n, c, i));
        if (locate(plan, i, index, &to) && (to.n != n || to.c != c) && (own || owns(p, to.n, to.c))) return true;
    }
    return false;
}

/* The images whose elements may lead into this part: first <= n < last. */
static void images_in_reach(const struct part *p, int64_t *first, int64_t *last)
{
    const struct unpool *u = p->plan->state;
    int64_t blocks = ups_ceil_div(p->plan->y.c, u->block);
    *first = u->reach == TENSOR ? 0 : p->first / blocks;
    *last = u->reach == TENSOR ? p->plan->y.n : (p->last - 1) / blocks + 1;
}

static bool any_stray(const struct part *p)
{
    const struct unpool *u = p->plan->state;
    int64_t n0, n1;
    images_in_reach(p, &n0, &n1);
    for (int64_t n = n0; n < n1 && u->reach != PLANE; n++)
        for (int64_t c = 0; c < p->plan->y.c; c++)
            if (strays_from(p, n, c)) return true;
    return false;
}

/* The elements of one plane, of which this part takes what is its own: bad indices by their source, the others by their
 * place. */
static void scatter_plane(const struct part *p, int64_t n, int64_t c, int64_t first_image)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view *x = &plan->x;
    const float *from = p->b->src + n * x->n_stride + c * x->c_stride;
    int64_t elements = ups_volume(x->size), position = (n * x->c + c) * elements;
    for (int64_t i = 0; i < elements; i++) {
        struct place to = {n, c, 0};
        int64_t index = ups_index_load(p->b->indices_in, plan->indices.dtype, index_place(plan, n, c, i));
        if (!locate(plan, i, index, &to)) {
            if (owns(p, n, c)) bad_index(p->b, position + i);
        } else if (owns(p, to.n, to.c)) {
            put(p, from + plane_offset(x, i, u->x_run), position + i, &to, (to.n - first_image) * x->c + to.c);
        }
    }
}

static void scatter_all(const struct part *p)
{
    const struct unpool *u = p->plan->state;
    const struct ups_view *y = &p->plan->y;
    int64_t n0, n1, blocks = ups_ceil_div(y->c, u->block);
    images_in_reach(p, &n0, &n1);
    for (int64_t unit = p->first; unit < p->last; unit++) {
        int64_t c = unit % blocks * u->block;
        clear(y, p->b->dst, unit / blocks, c, ups_min(c + u->block, y->c), ups_is_first(p->plan));
    }
    if (u->reach == TENSOR) clear_taken(p, y->n * y->c);
    for (int64_t n = n0; n < n1; n++) {
        if (u->reach == IMAGE) clear_taken(p, y->c);
        for (int64_t c = 0; c < y->c; c++) scatter_plane(p, n, c, u->reach == IMAGE ? n : 0);
    }
}

/* ---- running ---- */

static void run_unpool(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct unpool *u = plan->state;
    const struct part p = {plan, b, workspace, first, last};
    int64_t blocks = ups_ceil_div(plan->y.c, u->block);
    if (any_stray(&p)) {
        scatter_all(&p);
        return;
    }
    for (int64_t unit = first; unit < last; unit++) {
        int64_t n = unit / blocks, c = unit % blocks * u->block;
        if (!gather_2x2s2(&p, n, c)) scatter(&p, n, c, ups_min(c + u->block, plan->y.c));
    }
}

static void describe_unpool(const ups_plan *plan, struct ups_report *r)
{
    const struct unpool *u = plan->state;
    const struct ups_kernels *k = plan->op->kernels;
    const char *kernel = plan->indices.dtype == UPS_I64 ? k->unpool_2x2s2_i64.name : k->unpool_2x2s2_i32.name;
    if (u->gather)
        ups_report_direct(
            r, "2x2 windows at stride 2: every output once; scatter for planes whose indices leave their windows",
            &kernel, 1);
    else
        ups_report_direct(r, "zero, then an ordered scatter with every index checked", NULL, 0);
}

const struct ups_family ups_unpool_family = {NULL, NULL, plan_unpool, run_unpool, describe_unpool};
