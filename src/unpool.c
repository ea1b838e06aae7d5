/* SPDX-License-Identifier: MIT
 *
 * Max unpooling. A part writes to its own units only and does so in the order of the source elements, so nothing depends
 * on the division.
 *
 * Which sources write into a unit is the question. Indices of the conventions plane, window and window_column stay in
 * their element's own plane; those of a pooling do so in the others too, but may say anything.
 *
 * Windows side by side, each output in one of them at most, are gathered: a kernel asks for each output whether the index
 * of its window names it, and counts those that do. A unit is the outputs of a slab: of a row of windows, or of a plane of
 * them in a volume, in one plane (channels first) or one image (channels last). Where every index of a part names an output
 * of its own window, no two meet and no order matters. Indices of other parts must not lead into this one; that they lead
 * into their own slabs is looked up where the reach of the convention is more than the part. If one of the two fails, the
 * part is done again in order.
 *
 * Otherwise a unit is a whole output plane (channels first) or a block of channels of one image (channels last). A part
 * first looks for strays: indices that lead from one plane into another, out of its units or into them. Without any, it
 * treats its units one by one. With one, it goes through all sources that may reach it, in N, C, spatial order.
 *
 * Of these planes too, where the last of several inputs stays and few windows lie over an output, each output is written once:
 * a kernel asks the windows over it in their order. Counted as above; planes that fail are done again in order.
 */
#include <limits.h>
#include <string.h>

#include "error.h"
#include "index.h"
#include "plan.h"
#include "shape.h"
#include "size.h"

enum { CHANNEL_BLOCK = 16 }; /* channels last: a cache line of floats */

/* Elements of source and output together beyond which the rows (channels last: pixels) of a window are written one after the
 * other. Side by side, channels first, took 2.4 ms against 1.4 for 128x90x120 by 2, but 0.23 against 0.32 for 512x23x30 (Zen 4). */
enum { APART = 4 << 20 };

enum reach { PLANE, IMAGE, TENSOR }; /* where an element's index may lead */

struct unpool {
    ups_unpool_desc desc;         /* of the unpooling that is done, or whose gradient is */
    int64_t in[3], out[3];        /* sizes of its planes */
    bool sparse;                  /* -1 is no index: what pooling records where it takes nothing */
    struct ups_index_space space; /* what indices address */
    struct ups_index_steps steps;
    enum reach reach;
    bool window;
    bool whole;       /* the space is the output */
    bool rows;        /* besides, its planes are numbered row by row */
    int64_t elements; /* of an output plane */
    int64_t kernel[3], stride[3], dilation[3];
    int64_t block;         /* channels that are scattered together */
    int64_t x_run, y_run;  /* strides of flat positions where planes are one regular run, else 0 */
    ups_unpool_fn *gather; /* NULL: windows may overlap, or so */
    const char *gather_name;
    bool overlaps;
    int axis;                               /* of the slabs */
    int64_t slabs;                          /* per plane or image */
    int64_t channel_step, position_step[3]; /* of the names of outputs; those of taps are steps.axis */
    int64_t span;                           /* from the first name of a plane or image to the last */
    bool apart, beyond; /* rows are written one after the other; past the caches: 2.9 ms against 4.2, 64x180x240 by 2 */
    int32_t quotient[16 * UPS_MOST_FACTOR], remainder[16 * UPS_MOST_FACTOR];
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

/* The gradient of max pooling is unpooling, in which windows that overlap add up. */
static ups_unpool_desc unpool_of(const union ups_desc *desc)
{
    const ups_pool_desc *p = &desc->pool;
    if (p->op != UPS_MAX_POOL_GRAD) return desc->unpool;
    ups_unpool_desc d = {.op = p->op, .rank = p->rank, .index = p->index, .index_type = p->index_type};
    d.index_space = UPS_SPACE_OUTPUT;
    d.overlap = UPS_OVERLAP_SUM;
    memcpy(d.kernel_shape, p->kernel_shape, sizeof d.kernel_shape);
    memcpy(d.strides, p->strides, sizeof d.strides);
    memcpy(d.dilations, p->dilations, sizeof d.dilations);
    return d;
}

/* Every index of the space must be a number. */
static int32_t plan_space(const ups_plan *plan, struct unpool *u)
{
    const ups_unpool_desc *d = &u->desc;
    int64_t derived[3], elements = ups_max(plan->x.n, 1) * plan->x.c;
    bool fits = true;
    u->space = (struct ups_index_space){d->index, plan->x.n, plan->x.c, {0}};
    for (int i = 0, a = 3 - d->rank; i < d->rank; i++, a++)
        derived[i] = d->index_space == UPS_SPACE_INFERRED ? ups_max(ups_unpool_derived(d, i, u->in[a]), 0) : u->out[a];
    ups_axes3(u->space.size, derived, d->rank, 1);
    for (int a = 0; a < 3; a++) fits = fits && ups_multiply(&elements, u->space.size[a]);
    if (!fits)
        return ups_error(UPS_INVALID, "the derived shape that index_space = inferred addresses has too many elements");
    u->steps = ups_index_steps(&u->space, u->space.size);
    u->elements = ups_volume(u->out);
    u->whole = memcmp(u->space.size, u->out, sizeof u->space.size) == 0;
    u->rows =
        u->whole && (d->index == UPS_INDEX_PLANE || d->index == UPS_INDEX_TENSOR || d->index == UPS_INDEX_CHANNEL);
    return UPS_OK;
}

/* Whether windows stand side by side, and the index of an output is a sum of steps from the first of its slab on. */
static bool gathers(const ups_plan *plan, const struct unpool *u)
{
    const ups_unpool_desc *d = &u->desc;
    const bool nhwc = d->index == UPS_INDEX_NHWC || d->index == UPS_INDEX_NHWC_BATCH;
    for (int a = 0; a < 3; a++)
        if (u->kernel[a] != u->stride[a] || (u->dilation[a] != 1 && u->kernel[a] != 1) || plan->pad[a] < 0 ||
            plan->pad[a] >= u->kernel[a])
            return false;
    if (ups_is_first(plan) && (u->kernel[2] > UPS_MOST_FACTOR || plan->pad[2])) return false;
    if (d->index_type == UPS_U8) return u->whole && ups_volume(u->kernel) < 256;
    return u->whole && d->index_type != UPS_F32 && u->span < INT32_MAX &&
           (u->window || u->rows || (nhwc && !ups_is_first(plan)));
}

static void choose_gather(struct unpool *u, const struct ups_kernels *k, int32_t type, bool bytes)
{
    const bool u8 = type == UPS_U8, i32 = type == UPS_I32;
    if (bytes) {
        u->gather = u8 ? k->unpool_bytes_u8.run : i32 ? k->unpool_bytes_i32.run : k->unpool_bytes_i64.run;
        u->gather_name = u8 ? k->unpool_bytes_u8.name : i32 ? k->unpool_bytes_i32.name : k->unpool_bytes_i64.name;
    } else {
        u->gather = u8 ? k->unpool_u8.run : i32 ? k->unpool_i32.run : k->unpool_i64.run;
        u->gather_name = u8 ? k->unpool_u8.name : i32 ? k->unpool_i32.name : k->unpool_i64.name;
    }
}

static void plan_gather(ups_plan *plan, struct unpool *u)
{
    const struct ups_kernels *k = plan->op->kernels;
    const int64_t *step = u->steps.axis;
    const int32_t type = u->desc.index_type;
    const bool first = ups_is_first(plan);
    if (u->window) {
        u->steps = ups_index_steps(&u->space, u->kernel);
        u->steps.n = u->steps.c = 0;
    }
    for (int a = 0; a < 3 && !u->window; a++) u->position_step[a] = step[a];
    u->channel_step = first ? 0 : u->steps.c;
    u->span = (plan->x.c - 1) * u->channel_step;
    for (int a = 0; a < 3; a++) u->span += ((u->window ? u->kernel[a] : plan->y.size[a]) - 1) * step[a];
    if (!gathers(plan, u)) return;
    choose_gather(u, k, type, plan->element == 1);
    u->axis = plan->x.size[0] == 1 && plan->y.size[0] == 1;
    u->slabs = plan->x.size[u->axis];
    const double from = (double)(plan->x.n * plan->x.c * ups_volume(plan->x.size)),
                 to = (double)(plan->x.n * plan->x.c * u->elements);
    u->apart = from + to > APART;
    u->beyond =
        ups_beyond_caches(plan, from * (double)(plan->element + ups_type_bytes(type)) + to * (double)plan->element);
    for (int64_t p = 0; p < 16 * u->kernel[2] && first; p++) {
        u->quotient[p] = (int32_t)(p / u->kernel[2]);
        u->remainder[p] = (int32_t)(p % u->kernel[2]);
    }
    plan->units = plan->y.n * (first ? plan->y.c : 1) * u->slabs;
}

/* Windows over one output, along all axes; and sources of one call of the kernel. */
enum { OVERLAPS = 9, SOURCES = 2 * OVERLAPS };

/* Whether codes lead into windows few of which lie over each output. Other indices take twice the work to look through, and are
 * scattered as fast. */
static bool overlaps(const ups_plan *plan, const struct unpool *u)
{
    int64_t over = 1;
    for (int a = 0; a < 3; a++) {
        if ((u->dilation[a] != 1 && u->kernel[a] != 1) || plan->pad[a] < 0) return false;
        over *= ups_min(ups_ceil_div(u->kernel[a], u->stride[a]), OVERLAPS + 1);
    }
    if (over > OVERLAPS || (ups_is_first(plan) && u->stride[2] > 2)) return false;
    return !u->gather && u->desc.overlap == UPS_OVERLAP_LAST && u->desc.index_type == UPS_U8 && u->whole &&
           plan->op->desc.head.dtype == UPS_F32 && ups_volume(u->kernel) < 256;
}

/* What both directions need: the unpooling, from in to out, and what its indices say. */
static int32_t plan_indices(ups_plan *plan, const struct ups_view *in, const struct ups_view *out)
{
    struct unpool *u = plan->state = ups_allocate(&plan->op->memory, sizeof *u);
    if (!u) return UPS_NO_MEMORY;
    const ups_unpool_desc *d = &u->desc;
    u->desc = unpool_of(&plan->op->desc);
    memcpy(u->in, in->size, sizeof u->in);
    memcpy(u->out, out->size, sizeof u->out);
    u->sparse = d->op == UPS_MAX_POOL_GRAD;
    u->window = ups_index_is_window(d->index);
    u->reach = reach_of(d->index);
    ups_axes3(u->kernel, d->kernel_shape, d->rank, 1);
    ups_axes3(u->stride, d->strides, d->rank, 1);
    ups_axes3(u->dilation, d->dilations, d->rank, 1);
    u->x_run = dense_stride(&plan->x);
    u->y_run = dense_stride(&plan->y);
    return plan_space(plan, u);
}

static int32_t plan_unpool(ups_plan *plan)
{
    const struct ups_view *y = &plan->y;
    int32_t status = plan_indices(plan, &plan->x, y);
    if (status) return status;
    struct unpool *u = plan->state;
    u->block = ups_is_first(plan) ? 1 : CHANNEL_BLOCK;
    plan->units = y->n * ups_ceil_div(y->c, u->block);
    plan_gather(plan, u);
    u->overlaps = overlaps(plan, u);
    if (u->desc.overlap == UPS_OVERLAP_LAST) return UPS_OK;
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
    const int64_t *size = u->out;
    int64_t tap[3], at[3];
    if (!ups_index_tap(u->space.convention, u->kernel, index, tap)) return false;
    at_position(u->in, i, at);
    for (int a = 0; a < 3; a++) at[a] = at[a] * u->stride[a] - plan->pad[a] + tap[a] * u->dilation[a];
    if (!inside(at, size) || !inside(at, u->space.size)) return false;
    to->position = (at[0] * size[1] + at[1]) * size[2] + at[2];
    return true;
}

/* Where the index of source element i of plane (to->n, to->c) leads; false: outside of the output. The usual index is
 * a plane's own position, found without division. */
static inline bool locate(const ups_plan *plan, int64_t i, int64_t index, struct place *to)
{
    const struct unpool *u = plan->state;
    const int64_t *size = u->out;
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

static int64_t units_per_image(const ups_plan *plan)
{
    return plan->units / plan->y.n;
}

/* The slab of a position. */
static int64_t slab_of(const ups_plan *plan, int64_t position)
{
    const struct unpool *u = plan->state;
    int64_t at[3];
    at_position(plan->y.size, position, at);
    return ups_min((at[u->axis] + plan->pad[u->axis]) / u->kernel[u->axis], u->slabs - 1);
}

/* Whether the unit of plane (n, c) and, where there are slabs, of this one is the part's. */
static bool owns_slab(const struct part *p, int64_t n, int64_t c, int64_t slab)
{
    const struct unpool *u = p->plan->state;
    int64_t unit = n * units_per_image(p->plan);
    if (u->gather)
        unit += (ups_is_first(p->plan) ? c * u->slabs : 0) + slab;
    else
        unit += c / u->block;
    return unit >= p->first && unit < p->last;
}

static bool owns(const struct part *p, const struct place *at)
{
    const struct unpool *u = p->plan->state;
    return owns_slab(p, at->n, at->c, u->gather ? slab_of(p->plan, at->position) : 0);
}

/* Whether source element i of plane (n, c) is the part's to report. */
static bool owns_source(const struct part *p, int64_t n, int64_t c, int64_t i)
{
    const struct unpool *u = p->plan->state;
    int64_t at[3];
    at_position(p->plan->x.size, i, at);
    return owns_slab(p, n, c, at[u->axis]);
}

/* Place of source element i of (n, c) in the index tensor. */
static int64_t index_place(const ups_plan *plan, int64_t n, int64_t c, int64_t i)
{
    const struct unpool *u = plan->state;
    int64_t elements = ups_volume(u->in);
    return ups_is_first(plan) ? (n * plan->x.c + c) * elements + i : (n * elements + i) * plan->x.c + c;
}

/* ---- writing ---- */

static void bad_index(ups_buffers *b, int64_t position)
{
    if (!b->bad_count++ || position < b->bad_first) b->bad_first = position;
}

/* Outputs lo … hi - 1 along each axis, of channels [c0, c1) of one image. */
struct box {
    int64_t n, c0, c1, lo[3], hi[3];
};

/* `count` blocks of `length` bytes, a stride apart. */
static void clear_blocks(char *to, int64_t count, int64_t length, int64_t stride)
{
    if (length == stride) {
        length *= count;
        count = 1;
    }
    for (int64_t i = 0; i < count; i++) memset(to + i * stride, 0, (size_t)length);
}

static void clear(const ups_plan *plan, void *dst, const struct box *b)
{
    const struct ups_view *y = &plan->y;
    const int64_t columns = b->hi[2] - b->lo[2], rows = b->hi[1] - b->lo[1], channels = b->c1 - b->c0;
    const int64_t each = (int64_t)plan->element, row_step = y->stride[1] * each;
    if (columns <= 0 || rows <= 0) return;
    for (int64_t d = b->lo[0]; d < b->hi[0]; d++) {
        char *to = (char *)dst + (ups_row_offset(y, b->n, b->c0, d, b->lo[1]) + b->lo[2] * y->stride[2]) * each;
        if (ups_is_first(plan))
            for (int64_t c = 0; c < channels; c++)
                clear_blocks(to + c * y->c_stride * each, rows, columns * each, row_step);
        else if (channels == y->stride[2])
            clear_blocks(to, rows, columns * channels * each, row_step);
        else
            for (int64_t h = 0; h < rows; h++)
                clear_blocks(to + h * row_step, columns, channels * each, y->stride[2] * each);
    }
}

static struct box whole_box(const ups_plan *plan, int64_t n, int64_t c0, int64_t c1)
{
    struct box b = {n, c0, c1, {0, 0, 0}, {plan->y.size[0], plan->y.size[1], plan->y.size[2]}};
    return b;
}

/* Where the slabs from s on begin; the last one goes to the end. */
static int64_t slab_begin(const ups_plan *plan, int64_t s)
{
    const struct unpool *u = plan->state;
    if (s == 0 || s == u->slabs) return s ? plan->y.size[u->axis] : 0;
    return ups_min(s * u->kernel[u->axis] - plan->pad[u->axis], plan->y.size[u->axis]);
}

static struct box slab_box(const ups_plan *plan, int64_t n, int64_t c0, int64_t c1, int64_t first, int64_t last)
{
    const struct unpool *u = plan->state;
    struct box b = whole_box(plan, n, c0, c1);
    b.lo[u->axis] = slab_begin(plan, first);
    b.hi[u->axis] = slab_begin(plan, last);
    return b;
}

static struct box unit_box(const ups_plan *plan, int64_t unit)
{
    const struct unpool *u = plan->state;
    const int64_t units = units_per_image(plan), n = unit / units, c = plan->y.c;
    if (!u->gather) return whole_box(plan, n, unit % units * u->block, ups_min((unit % units + 1) * u->block, c));
    const int64_t s = unit % u->slabs, plane = unit % units / u->slabs;
    return ups_is_first(plan) ? slab_box(plan, n, plane, plane + 1, s, s + 1) : slab_box(plan, n, 0, c, s, s + 1);
}

static void clear_taken(const struct part *p, int64_t planes)
{
    const struct unpool *u = p->plan->state;
    if (p->taken) memset(p->taken, 0, (size_t)(planes * u->elements / 64 + 1) * sizeof *p->taken);
}

/* Writes *from, the source element at `position`, to its place, whose plane is the `plane`th of those that `taken` was
 * cleared for. */
static inline void put(const struct part *p, const void *from, int64_t position, const struct place *to, int64_t plane)
{
    const struct unpool *u = p->plan->state;
    const struct ups_view *y = &p->plan->y;
    int32_t overlap = u->desc.overlap;
    const int64_t offset = to->n * y->n_stride + to->c * y->c_stride + plane_offset(y, to->position, u->y_run);
    float *into = p->b->dst;
    if (p->taken) {
        int64_t bit = plane * u->elements + to->position;
        uint64_t *word = &p->taken[bit / 64], mask = UINT64_C(1) << bit % 64;
        bool taken = *word & mask;
        *word |= mask;
        if (taken && overlap == UPS_OVERLAP_SUM) into[offset] += *(const float *)from;
        if (taken && overlap == UPS_OVERLAP_ERROR) bad_index(p->b, position);
        if (taken) return;
    }
    if (p->plan->element == 1)
        ((uint8_t *)p->b->dst)[offset] = *(const uint8_t *)from;
    else
        into[offset] = *(const float *)from;
}

/* ---- planes by themselves ---- */

/* Of the outputs of [c0, c1) those before line `cleared` along an axis, H or in volumes D, are 0 or written. Lines are cleared shortly
 * before indices lead there, so that they are still in the nearest cache. */
struct tide {
    struct box box;
    int axis;
    int64_t cleared, step; /* lines; the least that is cleared at once */
};

/* Bytes: that are cleared at once; of planes, channels first, that are cleared as a whole. */
enum { RISE = 16 << 10, SMALL = 128 << 10 };

static struct tide tide_of(const ups_plan *plan, int64_t n, int64_t c0, int64_t c1)
{
    struct tide t = {whole_box(plan, n, c0, c1), plan->x.size[0] == 1 && plan->y.size[0] == 1, 0, 0};
    const int64_t line = ups_max(1, ups_volume(plan->y.size) / ups_max(1, plan->y.size[t.axis]) * (c1 - c0));
    t.step = ups_ceil_div(RISE / (int64_t)sizeof(float), line);
    return t;
}

static void rise(const struct part *p, struct tide *t, int64_t line)
{
    const int64_t size = p->plan->y.size[t->axis];
    if (line <= t->cleared) return;
    t->box.lo[t->axis] = t->cleared;
    t->box.hi[t->axis] = t->cleared = ups_min(size, ups_max(line, t->cleared + t->step));
    clear(p->plan, p->b->dst, &t->box);
}

/* Lets it rise above the windows of source line i. */
static void rise_above(const struct part *p, struct tide *t, int64_t i)
{
    const struct unpool *u = p->plan->state;
    const int64_t end =
        i * u->stride[t->axis] - p->plan->pad[t->axis] + ups_extent(u->kernel[t->axis], u->dilation[t->axis]);
    rise(p, t, ups_min(end, p->plan->y.size[t->axis]));
}

/* Elements one after the other along W (channels first) or C, of planes numbered row by row. */
struct line {
    const void *indices;
    int64_t count, place; /* of the first, in the index tensor */
    const float *from;
    float *into;
    int64_t x_step, y_step, y_run; /* where the planes of the output are no regular run: 0 */
    uint64_t base, base_step;      /* of the indices of the first element's plane, and what each further element adds */
};

/* Elements from k on, until one whose place in its plane is not below `level`; returns which. A loop with its variables in
 * registers: where they were reloaded from the stack after each store it took three times as long. */
static inline __attribute__((always_inline)) int64_t scatter_line(const struct line *line, int64_t k, uint64_t level,
                                                                  const struct ups_view *y, int32_t type, bool run,
                                                                  bool plane)
{
    struct line l = *line;
    if (plane) l.y_step = 0, l.base_step = 0, l.y_run = 1;
    for (; k < l.count; k++) {
        uint64_t own = (uint64_t)ups_index_load(l.indices, type, l.place + k) - (l.base + (uint64_t)k * l.base_step);
        if (own >= level) break; /* a negative one: very large */
        l.into[k * l.y_step + (run ? (int64_t)own * l.y_run : plane_offset(y, (int64_t)own, 0))] = l.from[k * l.x_step];
    }
    return k;
}

static __attribute__((noinline)) int64_t scatter_line_i64(const struct line *l, int64_t k, uint64_t level)
{
    return scatter_line(l, k, level, NULL, UPS_I64, true, false);
}

static __attribute__((noinline)) int64_t scatter_line_i32(const struct line *l, int64_t k, uint64_t level)
{
    return scatter_line(l, k, level, NULL, UPS_I32, true, false);
}

/* Channels first, dense. */
static __attribute__((noinline)) int64_t scatter_plane_i64(const struct line *l, int64_t k, uint64_t level)
{
    return scatter_line(l, k, level, NULL, UPS_I64, true, true);
}

static __attribute__((noinline)) int64_t scatter_line_any(const struct line *l, int64_t k, uint64_t level,
                                                          const ups_plan *plan)
{
    return scatter_line(l, k, level, &plan->y, plan->indices.dtype, false, false);
}

/* The usual case of scatter below: planes are numbered row by row and the last of several stays, which needs neither
 * division nor bits. */
static void scatter_plain(const struct part *p, int64_t n, int64_t c0, int64_t channels)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    const bool first = ups_is_first(plan), plane = first && u->y_run == 1;
    const int32_t type = plan->indices.dtype;
    const int64_t elements = ups_volume(x->size), position = (n * x->c + c0) * elements;
    const uint64_t limit = (uint64_t)u->elements;
    struct tide tide = tide_of(plan, n, c0, c0 + channels);
    const int64_t size = y->size[tide.axis];
    struct line line = {.indices = p->b->indices_in,
                        .count = first ? x->size[2] : channels,
                        .into = (float *)p->b->dst + n * y->n_stride + c0 * y->c_stride,
                        .x_step = first ? x->stride[2] : x->c_stride,
                        .y_step = first ? 0 : y->c_stride,
                        .y_run = u->y_run,
                        .base = (uint64_t)(n * u->steps.n + c0 * u->steps.c),
                        .base_step = first ? 0 : (uint64_t)u->steps.c};
    if (first && u->x_run && limit * sizeof(float) <= SMALL) {
        line.count = elements; /* all lines are one */
        line.x_step = u->x_run;
        rise(p, &tide, size);
    }
    for (int64_t i = 0; i < elements; i += first ? line.count : 1) {
        const int64_t w = i % x->size[2], row = i / x->size[2], d = row / x->size[1], h = row % x->size[1];
        rise_above(p, &tide, tide.axis ? h : d);
        uint64_t level = limit / (uint64_t)ups_max(size, 1) * (uint64_t)tide.cleared;
        line.place = index_place(plan, n, c0, i);
        line.from = (const float *)p->b->src + ups_row_offset(x, n, c0, d, h) + w * x->stride[2];
        for (int64_t k = 0;; k++) {
            k = !u->y_run                  ? scatter_line_any(&line, k, level, plan)
                : plane && type == UPS_I64 ? scatter_plane_i64(&line, k, level)
                : type == UPS_I64          ? scatter_line_i64(&line, k, level)
                : type == UPS_I32          ? scatter_line_i32(&line, k, level)
                                           : scatter_line_any(&line, k, level, plan);
            if (k == line.count) break;
            uint64_t own = (uint64_t)ups_index_load(line.indices, type, line.place + k) -
                           (line.base + (uint64_t)k * line.base_step);
            if (own >= limit) {
                bad_index(p->b, position + (first ? i + k : k * elements + i));
                continue;
            }
            rise(p, &tide, size);
            level = limit;
            k--;
        }
    }
    rise(p, &tide, size);
}

enum { TAPS = 256 }; /* of the windows whose places scatter_windows tabulates */

/* Where the taps of a window lie from its first on: along each axis, and in memory. */
struct tap_table {
    int64_t at[3][TAPS], place[TAPS];
};

static void tabulate_taps(const ups_plan *plan, struct tap_table *t)
{
    const struct unpool *u = plan->state;
    int64_t tap[3];
    for (int64_t i = 0; i < ups_volume(u->kernel); i++) {
        ups_index_tap(u->space.convention, u->kernel, i, tap);
        t->place[i] = 0;
        for (int a = 0; a < 3; a++) {
            t->at[a][i] = tap[a] * u->dilation[a];
            t->place[i] += t->at[a][i] * plan->y.stride[a];
        }
    }
}

/* The windows o with lo <= o < hi lie inside the output along an axis. */
static void whole_windows(const ups_plan *plan, int axis, int64_t *lo, int64_t *hi)
{
    const struct unpool *u = plan->state;
    const int64_t room = plan->y.size[axis] + plan->pad[axis] - ups_extent(u->kernel[axis], u->dilation[axis]);
    *lo = ups_max(0, ups_ceil_div(plan->pad[axis], u->stride[axis]));
    *hi = ups_min(plan->x.size[axis], ups_floor_div(room, u->stride[axis]) + 1);
}

/* Elements one after the other, whose windows begin at start[], and `shift` further along W with each; into: the first's first tap. */
struct taps_run {
    int64_t count, index, position; /* of the first, in the index tensor and in N, C, spatial order */
    const float *from;
    float *into;
    int64_t x_step, y_step, position_step;
    int64_t start[3], shift;
    bool cut; /* windows may lie partly outside of the output */
};

static inline __attribute__((always_inline)) void scatter_run(const struct part *p, const struct taps_run *r,
                                                              const struct tap_table *t, int64_t taps, int32_t type,
                                                              bool cut)
{
    struct taps_run run = *r;
    run.cut = run.cut && cut;
    const int64_t *size = p->plan->y.size;
    const void *indices = p->b->indices_in;
    for (int64_t k = 0; k < run.count; k++) {
        const int64_t index = ups_index_load(indices, type, run.index + k);
        bool good = index >= 0 && index < taps;
        if (good && run.cut) {
            const int64_t at[3] = {run.start[0] + t->at[0][index], run.start[1] + t->at[1][index],
                                   run.start[2] + k * run.shift + t->at[2][index]};
            good = inside(at, size);
        }
        if (good)
            run.into[k * run.y_step + t->place[index]] = run.from[k * run.x_step];
        else
            bad_index(p->b, run.position + k * run.position_step);
    }
}

/* u8 codes of whole windows. */
static __attribute__((noinline)) void scatter_run_u8(const struct part *p, const struct taps_run *run,
                                                     const struct tap_table *t, int64_t taps)
{
    scatter_run(p, run, t, taps, UPS_U8, false);
}

static __attribute__((noinline)) void scatter_run_any(const struct part *p, const struct taps_run *run,
                                                      const struct tap_table *t, int64_t taps)
{
    scatter_run(p, run, t, taps, p->plan->indices.dtype, true);
}

/* The same for windows of up to TAPS taps, whose places are looked up. Runs go along W (channels first) or C. */
static void scatter_windows(const struct part *p, int64_t n, int64_t c0, int64_t c1)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    const bool first = ups_is_first(plan);
    const int64_t elements = ups_volume(x->size), taps = ups_volume(u->kernel);
    struct tide tide = tide_of(plan, n, c0, c1);
    struct tap_table table;
    int64_t lo[3], hi[3];
    tabulate_taps(plan, &table);
    for (int a = 0; a < 3; a++) whole_windows(plan, a, &lo[a], &hi[a]);
    struct taps_run run = {.x_step = first ? x->stride[2] : x->c_stride,
                           .y_step = first ? u->stride[2] * y->stride[2] : y->c_stride,
                           .position_step = first ? 1 : elements,
                           .shift = first ? u->stride[2] : 0};
    for (int64_t row = 0; row < x->size[0] * x->size[1]; row++) {
        const int64_t o[2] = {row / x->size[1], row % x->size[1]};
        const bool cut = o[0] < lo[0] || o[0] >= hi[0] || o[1] < lo[1] || o[1] >= hi[1];
        const float *from = (const float *)p->b->src + ups_row_offset(x, n, c0, o[0], o[1]);
        float *into = (float *)p->b->dst + n * y->n_stride + c0 * y->c_stride;
        for (int a = 0; a < 2; a++) {
            run.start[a] = o[a] * u->stride[a] - plan->pad[a];
            into += run.start[a] * y->stride[a];
        }
        rise_above(p, &tide, o[tide.axis]);
        for (int64_t w = 0, width; w < x->size[2]; w += width) {
            const bool whole = w >= lo[2] && w < hi[2];
            width = first && whole ? hi[2] - w : 1;
            run.count = first ? width : c1 - c0;
            run.index = index_place(plan, n, c0, row * x->size[2] + w);
            run.position = (n * x->c + c0) * elements + row * x->size[2] + w;
            run.from = from + w * x->stride[2];
            run.start[2] = w * u->stride[2] - plan->pad[2];
            run.into = into + run.start[2] * y->stride[2];
            run.cut = cut || !whole;
            if (plan->indices.dtype == UPS_U8 && !run.cut)
                scatter_run_u8(p, &run, &table, taps);
            else
                scatter_run_any(p, &run, &table, taps);
        }
    }
    rise(p, &tide, y->size[tide.axis]);
}

/* ---- indices that name a place of their own plane by a sum or by a short table, which needs no division ---- */

static bool is_plain(const struct unpool *u)
{
    return u->rows || (u->window && u->whole && ups_volume(u->kernel) <= TAPS);
}

/* Where the indices of a row of elements, of one or of all channels of (d, h), lead in their own plane: base, of channel 0, is
 * taken off; or element w's first tap is at start + w*step, for first <= w < last, and tap i of it taps[i] behind. */
struct naming {
    int64_t base, c_step, start, step, first, last, count;
    int64_t taps[TAPS];
};

static void begin_names(const struct unpool *u, struct naming *line)
{
    int64_t tap[3];
    line->c_step = u->window ? 0 : u->steps.c;
    line->count = u->window ? ups_volume(u->kernel) : 0;
    for (int a = 0; a < 3; a++)
        if (ups_extent(u->kernel[a], u->dilation[a]) > u->out[a]) line->count = 0; /* no window is whole */
    for (int64_t i = 0; i < line->count; i++) {
        ups_index_tap(u->space.convention, u->kernel, i, tap);
        for (int a = 0; a < 3; a++) tap[a] *= u->dilation[a];
        line->taps[i] = (tap[0] * u->out[1] + tap[1]) * u->out[2] + tap[2];
    }
}

static void begin_naming(const ups_plan *plan, int64_t n, int64_t d, int64_t h, struct naming *line)
{
    const struct unpool *u = plan->state;
    const int64_t o[2] = {d, h}, room = u->out[2] + plan->pad[2] - ups_extent(u->kernel[2], u->dilation[2]);
    bool whole = true;
    line->base = u->window ? 0 : n * u->steps.n;
    line->start = line->last = 0;
    for (int a = 0; a < 2; a++) {
        const int64_t start = o[a] * u->stride[a] - plan->pad[a];
        whole = whole && start >= 0 && start + ups_extent(u->kernel[a], u->dilation[a]) <= u->out[a];
        line->start = whole ? (line->start + start) * u->out[a + 1] : 0; /* which fits only where it lies inside */
    }
    line->start -= plan->pad[2];
    line->step = u->stride[2];
    line->first = ups_ceil_div(ups_max(plan->pad[2], 0), u->stride[2]);
    if (whole) line->last = ups_floor_div(room, u->stride[2]) + 1;
}

/* The position that an index of channel c names in its own plane; -1: none, or it takes a division to tell. */
static inline int64_t named(const struct naming *line, int64_t limit, int64_t w, int64_t c, int64_t index, bool window)
{
    const uint64_t own =
        (uint64_t)index - (uint64_t)(line->base + c * line->c_step); /* of a negative one: very large */
    if (!window) return own < (uint64_t)limit ? (int64_t)own : -1;
    if (w < line->first || w >= line->last || (uint64_t)index >= (uint64_t)line->count) return -1;
    return line->start + w * line->step + line->taps[index];
}

/* which ? a : b, in bits: compilers make a branch of that. */
static inline float choose(bool which, float a, float b)
{
    uint32_t x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    y ^= (x ^ y) & -(uint32_t)which;
    memcpy(&b, &y, sizeof b);
    return b;
}

/* The case of scatter below in which elements for one place add up. The first of them is copied: that it is a first one says
 * its bit, and no branch, for which windows meet nobody can foresee. */
static inline __attribute__((always_inline)) void add_up(const struct part *p, int64_t n, int64_t c0, int64_t c1,
                                                         int32_t type, bool window)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view x = plan->x, y = plan->y;
    const bool first = ups_is_first(plan), sparse = u->sparse;
    const int64_t elements = ups_volume(x.size), limit = u->elements, run = u->y_run;
    const void *indices = p->b->indices_in;
    float *dst = (float *)p->b->dst + n * y.n_stride;
    uint64_t *taken = p->taken;
    struct naming line;
    begin_names(u, &line);
    for (int64_t r = 0; r < x.size[0] * x.size[1]; r++) {
        const int64_t d = r / x.size[1], h = r % x.size[1], i = r * x.size[2], place = index_place(plan, n, c0, i);
        const float *from = (const float *)p->b->src + ups_row_offset(&x, n, 0, d, h);
        begin_naming(plan, n, d, h, &line);
        for (int64_t w = 0; w < x.size[2]; w++)
            for (int64_t c = c0; c < c1; c++) {
                const int64_t at = place + (first ? w + (c - c0) * elements : w * x.c + c - c0);
                const int64_t index = ups_index_load(indices, type, at);
                struct place to = {n, c, named(&line, limit, w, c, index, window)};
                if (to.position < 0 && (!window || !locate_tap(plan, i + w, index, &to))) {
                    if (!sparse || index != -1) bad_index(p->b, (n * x.c + c) * elements + i + w);
                    continue;
                }
                float *into = dst + c * y.c_stride + (run ? to.position * run : plane_offset(&y, to.position, 0));
                const int64_t bit = (c - c0) * limit + to.position;
                const float value = from[w * x.stride[2] + c * x.c_stride], sum = *into + value;
                const uint64_t word = taken[bit / 64], own = UINT64_C(1) << bit % 64;
                taken[bit / 64] = word | own;
                *into = choose(word & own, sum, value);
            }
    }
}

static void add_up_typed(const struct part *p, int64_t n, int64_t c0, int64_t c1)
{
    const struct unpool *u = p->plan->state;
    const int32_t type = p->plan->indices.dtype;
    if (u->window && type == UPS_U8)
        add_up(p, n, c0, c1, UPS_U8, true);
    else if (!u->window && type == UPS_I64)
        add_up(p, n, c0, c1, UPS_I64, false);
    else
        add_up(p, n, c0, c1, type, u->window);
}

/* y = 0; then y[index] = x in row-major order of the source. All indices lead into their own planes, or nowhere. */
static void scatter(const struct part *p, int64_t n, int64_t c0, int64_t c1)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view *x = &plan->x;
    const bool floats = plan->element == sizeof(float);
    int64_t elements = ups_volume(x->size);
    if (floats && u->rows && !p->taken) {
        scatter_plain(p, n, c0, c1 - c0);
        return;
    }
    if (floats && u->window && u->whole && !p->taken && ups_volume(u->kernel) <= TAPS) {
        scatter_windows(p, n, c0, c1);
        return;
    }
    const struct box all = whole_box(plan, n, c0, c1);
    clear(plan, p->b->dst, &all);
    clear_taken(p, c1 - c0);
    if (u->desc.overlap == UPS_OVERLAP_SUM && is_plain(u)) {
        add_up_typed(p, n, c0, c1);
        return;
    }
    for (int64_t i = 0; i < elements; i++) {
        const int64_t from = n * x->n_stride + plane_offset(x, i, u->x_run);
        for (int64_t c = c0; c < c1; c++) {
            struct place to = {n, c, 0};
            int64_t index = ups_index_load(p->b->indices_in, plan->indices.dtype, index_place(plan, n, c, i));
            int64_t position = (n * x->c + c) * elements + i;
            if (locate(plan, i, index, &to))
                put(p, ups_behind(plan, p->b->src, from + c * x->c_stride), position, &to, c - c0);
            else if (!u->sparse || index != -1)
                bad_index(p->b, position);
        }
    }
}

/* ---- strays ---- */

/* Whether an index of plane (n, c) leads to another plane, out of this part or into it. */
static bool strays_from(const struct part *p, int64_t n, int64_t c)
{
    const ups_plan *plan = p->plan;
    const struct place here = {n, c, 0};
    bool own = owns(p, &here);
    for (int64_t i = 0; i < ups_volume(plan->x.size); i++) {
        struct place to = {n, c, 0};
        int64_t index = ups_index_load(p->b->indices_in, plan->indices.dtype, index_place(plan, n, c, i));
        if (locate(plan, i, index, &to) && (to.n != n || to.c != c) && (own || owns(p, &to))) return true;
    }
    return false;
}

/* The images whose elements may lead into this part: first <= n < last. */
static void images_in_reach(const struct part *p, int64_t *first, int64_t *last)
{
    const struct unpool *u = p->plan->state;
    int64_t units = units_per_image(p->plan);
    *first = u->reach == TENSOR ? 0 : p->first / units;
    *last = u->reach == TENSOR ? p->plan->y.n : (p->last - 1) / units + 1;
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
    const int64_t from = n * x->n_stride + c * x->c_stride;
    int64_t elements = ups_volume(x->size), position = (n * x->c + c) * elements;
    for (int64_t i = 0; i < elements; i++) {
        struct place to = {n, c, 0};
        int64_t index = ups_index_load(p->b->indices_in, plan->indices.dtype, index_place(plan, n, c, i));
        if (!locate(plan, i, index, &to)) {
            if (owns_source(p, n, c, i) && (!u->sparse || index != -1)) bad_index(p->b, position + i);
        } else if (owns(p, &to)) {
            int64_t plane = u->reach == PLANE ? 0 : (to.n - first_image) * x->c + to.c;
            put(p, ups_behind(plan, p->b->src, from + plane_offset(x, i, u->x_run)), position + i, &to, plane);
        }
    }
}

static void scatter_all(const struct part *p)
{
    const struct unpool *u = p->plan->state;
    const struct ups_view *y = &p->plan->y;
    int64_t n0, n1;
    images_in_reach(p, &n0, &n1);
    for (int64_t unit = p->first; unit < p->last; unit++) {
        const struct box own = unit_box(p->plan, unit);
        clear(p->plan, p->b->dst, &own);
    }
    if (u->reach == TENSOR) clear_taken(p, y->n * y->c);
    for (int64_t n = n0; n < n1; n++) {
        if (u->reach == IMAGE) clear_taken(p, y->c);
        for (int64_t c = 0; c < y->c; c++) {
            if (u->reach == PLANE) clear_taken(p, 1);
            scatter_plane(p, n, c, u->reach == IMAGE ? n : 0);
        }
    }
}

/* ---- gathering ---- */

/* Outputs of windows i … i + lines - 1 along the axis of a kernel's lines, whose inputs begin at x and whose outputs at y; base:
 * of the names, where this axis adds nothing. Returns how many inputs found a place. */
static int64_t gather_lines(const struct part *p, struct ups_unpool_window *w, int axis, int64_t first, int64_t last,
                            int64_t base, const void *x, const char *index, void *y)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const int64_t k = u->kernel[axis], pad = plan->pad[axis], size = plan->y.size[axis];
    const size_t index_bytes = (size_t)w->index_stride * ups_type_bytes(plan->indices.dtype);
    int64_t found = 0;
    for (int64_t i = first; i < last; i += w->lines) {
        const int64_t start = i * k - pad, lo = ups_max(start, 0), hi = ups_min(start + k, size);
        const bool whole = hi - lo == k;
        w->lines = whole ? ups_min(last, (size + pad) / k) - i : 1;
        w->rows = hi - lo;
        w->at_once = u->apart ? 1 : w->rows;
        w->base = base + (u->window ? lo - start : lo) * u->steps.axis[axis];
        if (hi > lo)
            found += u->gather(w, ups_behind(plan, x, i * plan->x.stride[axis]), index + (size_t)i * index_bytes,
                               (void *)ups_behind(plan, y, lo * plan->y.stride[axis]));
    }
    return found;
}

/* The outputs of slabs first … last - 1 of one plane or image, each once; false if an index lies outside its own window. */
static bool gather_slabs(const struct part *p, int64_t group, int64_t first, int64_t last)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    const bool planes = ups_is_first(plan);
    const int64_t n = planes ? group / y->c : group, c = planes ? group % y->c : 0;
    const int64_t base = n * u->steps.n + (planes ? c * u->steps.c : 0), *pad = plan->pad, *k = u->kernel;
    const int64_t in[2] = {u->axis == 0 ? first : 0, u->axis == 1 ? first : 0};
    const int64_t end[2] = {u->axis == 0 ? last : x->size[0], u->axis == 1 ? last : x->size[1]};
    struct box box = slab_box(plan, n, planes ? c : 0, planes ? c + 1 : y->c, first, last);
    int64_t found = 0, elements = planes ? x->size[2] : y->c;
    if ((base ^ (base + u->span)) >> 32 || (plan->indices.dtype == UPS_I32 && base + u->span > INT32_MAX)) return false;
    for (int a = 0; a < 3; a++) { /* what no window covers */
        struct box rest = box;
        box.hi[a] = ups_min(box.hi[a], x->size[a] * k[a] - pad[a]);
        rest.lo[a] = ups_max(box.lo[a], box.hi[a]);
        clear(plan, p->b->dst, &rest);
    }
    struct ups_unpool_window w = {.n = elements,
                                  .beyond = u->beyond,
                                  .width = planes ? box.hi[2] : y->c,
                                  .spread = {planes ? k[2] : 1, u->quotient, u->remainder},
                                  .x_stride = x->stride[planes ? 1 : 2],
                                  .index_stride = elements,
                                  .y_stride = k[planes ? 1 : 2] * y->stride[planes ? 1 : 2],
                                  .row_stride = y->stride[planes ? 1 : 2],
                                  .line_step = k[planes ? 1 : 2] * u->position_step[planes ? 1 : 2],
                                  .row_step = u->steps.axis[planes ? 1 : 2],
                                  .step = planes ? u->position_step[2] : u->channel_step,
                                  .tap_step = u->window ? u->steps.axis[2] : 0};
    for (int64_t od = box.lo[0]; od < box.hi[0]; od++)
        for (int64_t oh = planes ? 0 : box.lo[1]; oh < (planes ? 1 : box.hi[1]); oh++) {
            const int64_t d = (od + pad[0]) / k[0], h = planes ? 0 : (oh + pad[1]) / k[1];
            const int64_t i = (d * x->size[1] + h) * x->size[2];
            int64_t at[2] = {u->window ? od + pad[0] - d * k[0] : od, planes      ? 0
                                                                      : u->window ? oh + pad[1] - h * k[1]
                                                                                  : oh};
            found += gather_lines(p, &w, planes ? 1 : 2, planes ? in[1] : 0, planes ? end[1] : x->size[2],
                                  base + at[0] * u->steps.axis[0] + at[1] * u->steps.axis[1],
                                  ups_behind(plan, p->b->src, ups_row_offset(x, n, c, d, h)),
                                  (const char *)p->b->indices_in +
                                      index_place(plan, n, c, i) * (int64_t)ups_type_bytes(plan->indices.dtype),
                                  (void *)ups_behind(plan, p->b->dst, ups_row_offset(y, n, c, od, oh)));
        }
    return found == (end[0] - in[0]) * (end[1] - in[1]) * x->size[2] * (planes ? 1 : y->c);
}

/* Whether an index of a unit leads out of its slab. */
static bool strays(const struct part *p, int64_t unit)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const int64_t step = u->steps.axis[u->axis], columns = plan->x.size[2] * (u->axis == 0 ? plan->x.size[1] : 1);
    const struct box box = unit_box(plan, unit);
    const bool nhwc = u->space.convention == UPS_INDEX_NHWC || u->space.convention == UPS_INDEX_NHWC_BATCH;
    const int64_t c_step = nhwc ? 0 : u->steps.c, channels = ups_is_first(plan) ? 1 : plan->y.c;
    const uint64_t length = (uint64_t)((box.hi[u->axis] - box.lo[u->axis]) * step);
    const uint64_t base = (uint64_t)(box.n * u->steps.n + box.c0 * u->steps.c + box.lo[u->axis] * step);
    const int64_t place = index_place(plan, box.n, box.c0, unit % u->slabs * columns);
    const int32_t type = plan->indices.dtype;
    bool any = false;
    for (int64_t i = 0; i < columns; i++)
        for (int64_t c = 0; c < channels; c++) {
            uint64_t index = (uint64_t)ups_index_load(p->b->indices_in, type, place + i * channels + c);
            any |= index - (base + (uint64_t)(c * c_step)) >= length;
        }
    return any;
}

/* The others' indices that may lead here. */
static bool any_strays(const struct part *p)
{
    const struct unpool *u = p->plan->state;
    const int64_t group = u->reach == PLANE ? u->slabs : u->reach == IMAGE ? units_per_image(p->plan) : p->plan->units;
    for (int64_t unit = p->first / group * group; unit < ups_round_up(p->last, group) && !u->window; unit++) {
        if (unit == p->first) unit = p->last;
        if (unit < ups_round_up(p->last, group) && strays(p, unit)) return true;
    }
    return false;
}

static bool gather(const struct part *p)
{
    const struct unpool *u = p->plan->state;
    if (any_strays(p)) return false;
    for (int64_t unit = p->first, slabs; unit < p->last; unit += slabs) {
        const int64_t first = unit % u->slabs;
        slabs = ups_min(u->slabs - first, p->last - unit);
        if (!gather_slabs(p, unit / u->slabs, first, first + slabs)) return false;
    }
    return true;
}

/* ---- gathering where windows overlap ---- */

/* Windows first … last - 1 along an axis lie over output o, as far as there are such. */
static void windows_over(const ups_plan *plan, int axis, int64_t o, int64_t *first, int64_t *last)
{
    const struct unpool *u = plan->state;
    const int64_t reach = o + plan->pad[axis];
    *first = ups_floor_div(reach - u->kernel[axis], u->stride[axis]) + 1;
    *last = reach / u->stride[axis] + 1;
}

/* One plane or image, of channels c0 on. */
struct overlapping {
    const struct part *p;
    int64_t n, c0;
};

/* Lists the window at i[] for the outputs at o[]; shift: of inputs, along W. */
static void add_source(const struct overlapping *g, const int64_t o[3], const int64_t i[3], int64_t shift,
                       struct ups_overlap_source *to)
{
    const ups_plan *plan = g->p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view *x = &plan->x;
    const int64_t at = (i[0] * x->size[1] + i[1]) * x->size[2] + i[2];
    to->x = (const float *)g->p->b->src + ups_row_offset(x, g->n, g->c0, i[0], i[1]) + i[2] * x->stride[2];
    to->code = (const uint8_t *)g->p->b->indices_in + index_place(plan, g->n, g->c0, at);
    to->shift = shift;
    to->name = -shift * u->stride[2] * u->steps.axis[2];
    for (int a = 0; a < 3; a++) to->name += (o[a] + plan->pad[a] - i[a] * u->stride[a]) * u->steps.axis[a];
}

/* Outputs from o[] on: channels first of rows that lie a stride apart, channels last of pixels. */
static int64_t overlap_lines(const struct overlapping *g, struct ups_overlap *w, const int64_t o[3])
{
    const ups_plan *plan = g->p->plan;
    const bool planes = ups_is_first(plan);
    struct ups_overlap_source source[SOURCES];
    int64_t lo[3], hi[3], i[3], all = 0;
    for (int64_t e = 0; e < w->factor; e++) {
        const int64_t at[3] = {o[0], o[1], o[2] + e}, before = all;
        for (int a = 0; a < 3; a++) {
            windows_over(plan, a, at[a], &lo[a], &hi[a]);
            if (planes && a == 2) continue; /* the kernel's lines are along W, and it looks for their ends */
            lo[a] = ups_max(0, lo[a]);
            hi[a] = ups_min(plan->x.size[a], hi[a]);
        }
        for (i[0] = lo[0]; i[0] < hi[0]; i[0]++)
            for (i[1] = lo[1]; i[1] < hi[1]; i[1]++)
                for (int64_t along = lo[2]; along < hi[2]; along++) {
                    i[2] = planes ? 0 : along;
                    add_source(g, at, i, planes ? along : 0, &source[all++]);
                }
        w->count[e] = all - before;
    }
    w->source = source;
    return plan->op->kernels->overlap_u8.run(
        w, (float *)g->p->b->dst + ups_row_offset(&plan->y, g->n, g->c0, o[0], o[1]) + o[2] * plan->y.stride[2]);
}

/* All outputs along the axis of the kernel's lines. Those that meet the border come one by one; the others in blocks that stay
 * near, for each place in a window by themselves. */
static int64_t overlap_axis(const struct overlapping *g, struct ups_overlap *w, int axis, int64_t o[3])
{
    const ups_plan *plan = g->p->plan;
    const struct unpool *u = plan->state;
    const int64_t size = plan->y.size[axis], pad = plan->pad[axis], s = u->stride[axis];
    const int64_t end = ups_min(plan->x.size[axis], (size + pad) / s), reach = ups_ceil_div(u->kernel[axis], s);
    const int64_t begin = ups_max(reach - 1, ups_ceil_div(pad, s));
    const int64_t block = ups_max(1, RISE / (int64_t)sizeof(float) / (w->width * s));
    int64_t found = 0;
    for (int64_t q = 0, some; q * s - pad < size; q += some) {
        some = q >= begin && q < end ? ups_min(block, end - q) : 1;
        w->lines = some;
        for (int64_t r = 0; r < s; r++) {
            o[axis] = q * s - pad + r;
            if (o[axis] >= 0 && o[axis] < size) found += overlap_lines(g, w, o);
        }
    }
    return found;
}

/* The outputs of channels c0 … c1 - 1 of one image, each once; false if an index lies outside its own window. */
static bool gather_overlap(const struct part *p, int64_t n, int64_t c0, int64_t c1)
{
    const ups_plan *plan = p->plan;
    const struct unpool *u = plan->state;
    const struct ups_view *x = &plan->x, *y = &plan->y;
    const bool planes = ups_is_first(plan);
    const int line = planes ? 1 : 2;
    const int64_t s = u->stride[line];
    const struct overlapping g = {p, n, c0};
    struct ups_overlap w = {.factor = planes ? u->stride[2] : 1,
                            .n = planes ? x->size[2] : c1 - c0,
                            .width = planes ? y->size[2] : c1 - c0,
                            .x_stride = x->stride[line],
                            .code_stride = planes ? x->size[2] : x->c,
                            .y_stride = s * y->stride[line]};
    int64_t o[3] = {0, 0, 0}, found = 0;
    for (o[0] = 0; o[0] < y->size[0]; o[0]++)
        for (int64_t h = 0; h < (planes ? 1 : y->size[1]); h++) {
            o[1] = h;
            found += overlap_axis(&g, &w, line, o);
        }
    return found == ups_volume(x->size) * (c1 - c0);
}

/* ---- running ---- */

static void run_unpool(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct unpool *u = plan->state;
    const struct part p = {plan, b, workspace, first, last};
    int64_t blocks = ups_ceil_div(plan->y.c, u->block);
    if (u->gather && gather(&p)) return;
    if (u->gather || any_stray(&p)) {
        scatter_all(&p);
        return;
    }
    for (int64_t unit = first, some; unit < last; unit += some) {
        int64_t n = unit / blocks, block = unit % blocks;
        some = p.taken || ups_is_first(plan) ? 1 : ups_min(blocks - block, last - unit); /* bits are there for one */
        const int64_t c0 = block * u->block, c1 = ups_min((block + some) * u->block, plan->y.c);
        if (!u->overlaps || !gather_overlap(&p, n, c0, c1)) scatter(&p, n, c0, c1);
    }
}

static void describe_unpool(const ups_plan *plan, struct ups_report *r)
{
    const struct unpool *u = plan->state;
    if (u->gather)
        ups_report_direct(
            r, "windows side by side: every output once; an ordered scatter where indices leave their windows",
            &u->gather_name, 1);
    else if (u->overlaps)
        ups_report_direct(
            r, "windows in their order: every output once; an ordered scatter where indices leave their windows",
            &plan->op->kernels->overlap_u8.name, 1);
    else
        ups_report_direct(r, "zero, then an ordered scatter with every index checked", NULL, 0);
}

const struct ups_family ups_unpool_family = {NULL, NULL, plan_unpool, run_unpool, describe_unpool};

/* ---- the gradient of unpooling: y = x[index], an element whose index is bad 0 ----
 * The unit is a row of the input's gradient, of one channel (channels first) or of all. */

static int32_t plan_grad(ups_plan *plan)
{
    const struct ups_view *y = &plan->y;
    plan->units = y->n * (ups_is_first(plan) ? y->c : 1) * y->size[0] * y->size[1];
    return plan_indices(plan, y, &plan->x);
}

/* plain: the indices have lines. */
static inline __attribute__((always_inline)) void fetch(const ups_plan *plan, ups_buffers *b, int64_t unit,
                                                        struct naming *line, int32_t type, bool plain, bool window)
{
    const struct unpool *u = plan->state;
    const struct ups_view x = plan->x, y = plan->y;
    const struct ups_row r = ups_row_of(&y, ups_is_first(plan), unit);
    const int64_t row = (r.d * y.size[1] + r.h) * y.size[2], lanes = ups_is_first(plan) ? 1 : y.c;
    const int64_t limit = u->elements, run = u->x_run, place = index_place(plan, r.n, r.c, row);
    const void *indices = b->indices_in;
    const float *src = b->src;
    float *dst = (float *)b->dst + ups_row_offset(&y, r.n, r.c, r.d, r.h);
    if (plain) begin_naming(plan, r.n, r.d, r.h, line);
    for (int64_t w = 0; w < y.size[2]; w++)
        for (int64_t c = 0; c < lanes; c++) {
            const int64_t index = ups_index_load(indices, type, place + w * lanes + c);
            struct place at = {r.n, r.c + c, plain ? named(line, limit, w, r.c + c, index, window) : -1};
            float *to = dst + w * y.stride[2] + c * y.c_stride;
            if (at.position >= 0 || locate(plan, row + w, index, &at)) {
                const int64_t offset = run ? at.position * run : plane_offset(&x, at.position, 0);
                *to = src[at.n * x.n_stride + at.c * x.c_stride + offset];
            } else {
                *to = 0;
                bad_index(b, (r.n * y.c + r.c + c) * ups_volume(y.size) + row + w);
            }
        }
}

static void run_grad(const ups_plan *plan, ups_buffers *b, void *workspace, int64_t first, int64_t last)
{
    const struct unpool *u = plan->state;
    const int32_t type = plan->indices.dtype;
    const bool plain = is_plain(u);
    struct naming line;
    (void)workspace;
    if (plain) begin_names(u, &line);
    for (int64_t unit = first; unit < last; unit++)
        if (plain && u->window && type == UPS_U8)
            fetch(plan, b, unit, &line, UPS_U8, true, true);
        else if (plain && !u->window && type == UPS_I64)
            fetch(plan, b, unit, &line, UPS_I64, true, false);
        else
            fetch(plan, b, unit, &line, type, plain, u->window);
}

static void describe_grad(const ups_plan *plan, struct ups_report *r)
{
    (void)plan;
    ups_report_direct(r, "the only one; each element is fetched from where its index points, every index checked", NULL,
                      0);
}

const struct ups_family ups_unpool_grad_family = {NULL, NULL, plan_grad, run_grad, describe_grad};
