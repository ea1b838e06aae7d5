/* SPDX-License-Identifier: MIT
 *
 * Running a plan, and the questions that need no op.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cpu.h"
#include "error.h"
#include "index.h"
#include "plan.h"
#include "size.h"
#if defined(__x86_64__)
#    include <cpuid.h>
#endif

/* ---- running ---- */

int32_t ups_buffers_init(ups_buffers *buffers, size_t size)
{
    ups_buffers own = {.size = (uint32_t)size, .bad_first = -1};
    if (!buffers) return ups_error(UPS_INVALID, "buffers = NULL");
    if (size < sizeof own || size > UINT32_MAX)
        return ups_error(UPS_INVALID, "size = %zu; legal: sizeof(ups_buffers) = %zu", size, sizeof own);
    memset(buffers, 0, size);
    *buffers = own;
    return UPS_OK;
}

/* A stretch of memory that a run reads or writes. */
struct span {
    const char *name;
    const void *pointer;
    size_t bytes, alignment;
    bool needed, written;
};

static size_t tensor_bytes(const ups_tensor *t)
{
    int64_t last = 0;
    for (int i = 0; i < t->rank + 2; i++) last += (t->dims[i] - 1) * t->strides[i];
    return (size_t)(last + 1) * ups_type_bytes(t->dtype);
}

enum { SPANS = 8 };

static void list_spans(const ups_plan *p, const ups_buffers *b, const void *workspace, size_t workspace_bytes,
                       struct span s[SPANS])
{
    const union ups_desc *desc = &p->op->desc;
    bool reads = ups_reads_indices(desc->head.op), pool = desc->head.op == UPS_MAX_POOL;
    bool at_run = p->op->flags & UPS_WEIGHTS_AT_RUN;
    size_t index_bytes = p->indices.size ? tensor_bytes(&p->indices) : 0;
    size_t element = p->element;
    size_t index_alignment = ups_type_bytes(p->indices.dtype);
    const ups_conv_transpose_desc *c = &desc->conv_transpose;
    /* a sum over the batch has a result without an image: then there is no src and no grad */
    bool filled = p->src.dims[0] > 0, grad = p->grad.size > 0;
    size_t bias_bytes = at_run && desc->head.op == UPS_CONV_TRANSPOSE ? (size_t)c->out_channels * 4 : 0;
    size_t weight_bytes = at_run ? (size_t)(c->in_channels * (c->out_channels / c->group)) * 4 : 0;
    for (int i = 0; at_run && i < desc->head.rank; i++) weight_bytes *= (size_t)c->kernel_shape[i];
    struct span list[SPANS] = {
        {"src", filled ? b->src : NULL, filled ? tensor_bytes(&p->src) : 0, element, filled, false},
        {"grad", filled || !grad ? b->grad : NULL, filled && grad ? tensor_bytes(&p->grad) : 0, 4, filled && grad,
         false},
        {"indices_in", b->indices_in, reads ? index_bytes : 0, index_alignment, reads, false},
        {"weights", b->weights, weight_bytes, 4, at_run, false},
        {"bias", b->bias, bias_bytes, 4, false, false},
        {"dst", b->dst, tensor_bytes(&p->dst), element, true, true},
        {"indices_out", b->indices_out, pool ? index_bytes : 0, index_alignment, false, true},
        {"workspace", workspace, workspace ? workspace_bytes : 0, 1, false, true},
    };
    memcpy(s, list, sizeof list);
}

static bool overlap(const struct span *a, const struct span *b)
{
    uintptr_t x = (uintptr_t)a->pointer, y = (uintptr_t)b->pointer;
    return a->pointer && b->pointer && a->bytes && b->bytes && x < y + b->bytes && y < x + a->bytes;
}

static int32_t check_spans(const ups_plan *p, const struct span s[SPANS])
{
    for (int i = 0; i < SPANS; i++) {
        if (s[i].needed && !s[i].pointer)
            return ups_error(UPS_INVALID, "buffers.%s = NULL; legal for %s: %zu bytes", s[i].name,
                             ups_op_word(p->op->desc.head.op), s[i].bytes);
        if (s[i].pointer && !s[i].bytes && strcmp(s[i].name, "workspace"))
            return ups_error(UPS_INVALID, "buffers.%s is given, but this op takes none; legal: NULL", s[i].name);
        if ((uintptr_t)s[i].pointer % s[i].alignment)
            return ups_error(UPS_INVALID, "buffers.%s = %p is misaligned; legal: a multiple of %zu", s[i].name,
                             s[i].pointer, s[i].alignment);
    }
    for (int i = 0; i < SPANS; i++)
        for (int j = 0; j < i; j++)
            if ((s[i].written || s[j].written) && overlap(&s[i], &s[j]))
                return ups_error(UPS_INVALID,
                                 "%s at %p and %s at %p overlap; legal: separate memory (%zu and %zu bytes)", s[j].name,
                                 s[j].pointer, s[i].name, s[i].pointer, s[j].bytes, s[i].bytes);
    return UPS_OK;
}

static int32_t check_run(const ups_plan *plan, const ups_buffers *b, const void *workspace, size_t workspace_bytes,
                         int32_t parts)
{
    struct span spans[SPANS];
    if (!plan || !b) return ups_error(UPS_INVALID, "%s = NULL", plan ? "buffers" : "plan");
    if (b->size < sizeof *b)
        return ups_error(UPS_INVALID, "buffers.size = %" PRIu32 "; legal: sizeof(ups_buffers) = %zu", b->size,
                         sizeof *b);
    int32_t status = ups_check_tail("buffers", b, b->size, sizeof *b);
    if (status) return status;
    if (b->reserved) return ups_error(UPS_INVALID, "buffers.reserved = %" PRIu32 "; legal: 0", b->reserved);
    if (parts < 1) return ups_error(UPS_INVALID, "parts = %" PRId32 "; legal: 1 or more", parts);
    if (!plan->units) return UPS_OK; /* N = 0 */
    size_t needed = ups_plan_workspace(plan, parts);
    if (needed && (!workspace || workspace_bytes < needed))
        return ups_error(UPS_INVALID,
                         "workspace_bytes = %zu; legal: %zu or more for %" PRId32 " parts (ups_plan_workspace)",
                         workspace ? workspace_bytes : 0, needed, parts);
    if (plan->op->desc.head.op == UPS_MAX_POOL && b->indices_out && !plan->indices.size)
        return ups_index_check_largest(&plan->op->desc.pool, plan->src.dims);
    list_spans(plan, b, workspace, workspace_bytes, spans);
    return check_spans(plan, spans);
}

/* The units of one share, on checked arguments. */
static void run_share(const ups_plan *plan, ups_buffers *buffers, void *workspace, int32_t part, int32_t parts)
{
    int64_t share = plan->units / parts, rest = plan->units % parts;
    int64_t first = part * share + ups_min(part, rest);
    int64_t last = first + share + (part < rest);
    char *slice = NULL;
    if (plan->part_workspace) {
        uintptr_t start = ((uintptr_t)workspace + UPS_ALIGNMENT - 1) / UPS_ALIGNMENT * UPS_ALIGNMENT;
        slice = (char *)start + plan->part_workspace * (size_t)part;
    }
    buffers->bad_count = 0;
    buffers->bad_first = -1;
    if (first < last) plan->op->family->run(plan, buffers, slice, first, last);
}

static int32_t outcome(const ups_plan *plan, const ups_buffers *b)
{
    const union ups_desc *desc = &plan->op->desc;
    bool once = desc->head.op == UPS_MAX_UNPOOL && desc->unpool.overlap == UPS_OVERLAP_ERROR;
    if (!b->bad_count) return UPS_OK;
    return ups_error(UPS_BAD_INDEX,
                     "%" PRId64
                     " indices lie outside the %s%s, and were skipped, the first at source position %" PRId64,
                     b->bad_count, desc->head.op == UPS_MAX_UNPOOL_GRAD ? "source" : "output",
                     once ? ", or on a place that is taken" : "", b->bad_first);
}

int32_t ups_run_part(const ups_plan *plan, ups_buffers *buffers, void *workspace, size_t workspace_bytes, int32_t part,
                     int32_t parts)
{
    int32_t status = check_run(plan, buffers, workspace, workspace_bytes, parts);
    if (status) return status;
    if (part < 0 || part >= parts)
        return ups_error(UPS_INVALID, "part = %" PRId32 "; legal: 0 to %" PRId32, part, parts - 1);
    run_share(plan, buffers, workspace, part, parts);
    return outcome(plan, buffers);
}

int32_t ups_run(const ups_plan *plan, ups_buffers *buffers, void *workspace, size_t workspace_bytes)
{
    return ups_run_part(plan, buffers, workspace, workspace_bytes, 0, 1);
}

/* One parallel run, shared by its tasks. */
struct team {
    const ups_plan *plan;
    const ups_buffers *buffers;
    void *workspace;
    int32_t parts;
    _Atomic int64_t bad_count, bad_first;
};

static void team_task(void *context, int32_t part)
{
    struct team *team = context;
    ups_buffers own = *team->buffers;
    run_share(team->plan, &own, team->workspace, part, team->parts);
    if (!own.bad_count) return;
    atomic_fetch_add(&team->bad_count, own.bad_count);
    int64_t first = atomic_load(&team->bad_first);
    while (own.bad_first < first && !atomic_compare_exchange_weak(&team->bad_first, &first, own.bad_first));
}

int32_t ups_run_parallel(const ups_plan *plan, ups_buffers *buffers, void *workspace, size_t workspace_bytes,
                         const ups_parallel *parallel)
{
    if (!parallel || !parallel->parallel_for)
        return ups_error(UPS_INVALID, "%s = NULL", parallel ? "parallel.parallel_for" : "parallel");
    if (parallel->size < sizeof *parallel)
        return ups_error(UPS_INVALID, "parallel.size = %" PRIu32 "; legal: sizeof(ups_parallel) = %zu", parallel->size,
                         sizeof *parallel);
    int32_t status = ups_check_tail("parallel", parallel, parallel->size, sizeof *parallel);
    if (status) return status;
    if (parallel->parts < 1 || parallel->parts > 1024)
        return ups_error(UPS_INVALID, "parallel.parts = %" PRId32 "; legal: 1 to 1024", parallel->parts);
    status = check_run(plan, buffers, workspace, workspace_bytes, parallel->parts);
    if (status) return status;
    struct team team = {.plan = plan, .buffers = buffers, .workspace = workspace, .parts = parallel->parts};
    atomic_init(&team.bad_count, 0);
    atomic_init(&team.bad_first, INT64_MAX);
    parallel->parallel_for(parallel->context, parallel->parts, team_task, &team);
    buffers->bad_count = atomic_load(&team.bad_count);
    buffers->bad_first = buffers->bad_count ? atomic_load(&team.bad_first) : -1;
    return outcome(plan, buffers);
}

/* ---- the library and the machine ---- */

const char *ups_version(void)
{
    return UPS_VERSION;
}

const char *ups_isa_name(int32_t i)
{
    const struct ups_kernels *kernels = ups_tier(i);
    return kernels ? kernels->isa : NULL;
}

/* The processor's name as it gives it itself; "?" where it does not. */
static void cpu_name(char name[49])
{
    strcpy(name, "?");
#if defined(__x86_64__)
    unsigned r[12];
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &r[4 * i], &r[4 * i + 1], &r[4 * i + 2], &r[4 * i + 3])) return;
    memcpy(name, r, 48);
    name[48] = 0;
    for (char *c = name; *c; c++)
        if (*c < ' ' || *c == '"' || *c == '\\') *c = ' ';
#elif defined(__aarch64__)
    strcpy(name, "aarch64");
#endif
}

int64_t ups_cpu_info(int32_t format, char *text, size_t capacity)
{
    struct ups_report r;
    char name[49];
    if (format != UPS_TEXT && format != UPS_JSON) {
        ups_error(UPS_INVALID, "format = %" PRId32 "; legal: UPS_TEXT 1, UPS_JSON 2", format);
        return -1;
    }
    cpu_name(name);
    const struct ups_kernels *best = ups_best_tier(NULL);
    ups_report_begin(&r, format, text, capacity);
    ups_report_string(&r, "version", UPS_VERSION);
    ups_report_string(&r, "cpu", name);
    ups_report_number(&r, "l1d_bytes", ups_cache_bytes(1));
    ups_report_number(&r, "l2_bytes", ups_cache_bytes(2));
    ups_report_open(&r, "compiled");
    for (int i = 0; ups_tier(i); i++) ups_report_add(&r, ups_tier(i)->isa);
    ups_report_close(&r);
    ups_report_open(&r, "detected");
    for (int i = 0; ups_tier(i); i++)
        if (!ups_tier_refusal(i)) ups_report_add(&r, ups_tier(i)->isa);
    ups_report_close(&r);
    ups_report_open(&r, "not_allowed");
    bool above = false;
    for (int i = 0; ups_tier(i); i++) {
        const char *refusal = ups_tier_refusal(i);
        if (refusal || above)
            ups_report_pair(&r, "isa", ups_tier(i)->isa, "reason", refusal ? refusal : "above UPSAMPLE_MAX_ISA");
        above = above || ups_tier(i) == best;
    }
    ups_report_close(&r);
    ups_report_string(&r, "isa", best ? best->isa : "none: UPSAMPLE_MAX_ISA is not a tier of this build");
    ups_report_string(&r, "compiler", __VERSION__);
    ups_report_string(&r, "cpuinfo", UPS_HAVE_CPUINFO ? "yes" : "no");
    ups_report_string(&r, "pthreadpool", UPS_HAVE_PTHREADPOOL ? "yes" : "no");
    return ups_report_end(&r);
}
