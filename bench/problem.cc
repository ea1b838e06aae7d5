// SPDX-License-Identifier: MIT
#include "problem.h"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <iterator>
#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace bench
{

namespace
{

// The scalar tier computes this many multiply-adds in well under a second. Of a larger layer, two corners are compared with it,
// and all of it with a faster way.
const double scalar_macs = 2e8;

int64_t elements(const ups_tensor &t)
{
    int64_t count = 1;
    for (int i = 0; i < t.rank + 2; i++) count *= t.dims[i];
    return count;
}

size_t element_bytes(int32_t dtype)
{
    return dtype == UPS_U8 || dtype == UPS_S8 ? 1 : dtype == UPS_I64 ? 8 : 4;
}

size_t dense_bytes(const ups_tensor &t)
{
    return static_cast<size_t>(elements(t)) * element_bytes(t.dtype);
}

// Values in [-1, 1), the same for the same seed.
void fill(float *x, int64_t count, uint64_t seed)
{
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    for (int64_t i = 0; i < count; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        x[i] = static_cast<float>(static_cast<int32_t>(state >> 32)) * 0x1p-31f;
    }
}

std::unique_ptr<Array> random_array(int64_t count, uint64_t seed)
{
    auto array = std::make_unique<Array>(static_cast<size_t>(count) * sizeof(float));
    fill(array->floats(), count, seed);
    return array;
}

// Of a tensor's elements: floats, or any bytes.
std::unique_ptr<Array> random_elements(const ups_tensor &t, uint64_t seed)
{
    if (element_bytes(t.dtype) > 1) return random_array(elements(t), seed);
    auto array = std::make_unique<Array>(dense_bytes(t));
    auto *to = static_cast<uint8_t *>(array->data());
    uint32_t state = static_cast<uint32_t>(seed);
    for (size_t i = 0; i < array->bytes(); i++) {
        state = state * 1664525u + 1013904223u;
        to[i] = static_cast<uint8_t>(state >> 24);
    }
    return array;
}

int64_t kernel_taps(const ups_conv_transpose_desc &c)
{
    int64_t taps = 1;
    for (int i = 0; i < c.rank; i++) taps *= c.kernel_shape[i];
    return taps;
}

int64_t weight_count(const ups_conv_transpose_desc &c)
{
    return c.in_channels / c.group * c.out_channels * kernel_taps(c);
}

// Weights that the op takes, 0 for none.
int64_t packed_weights(const Descriptor &desc)
{
    bool takes = desc.head.op == UPS_CONV_TRANSPOSE || desc.head.op == UPS_CONV_TRANSPOSE_GRAD_INPUT;
    return takes ? weight_count(desc.conv_transpose) : 0;
}

// A pool of threads, made once and kept; NULL for one thread, which runs without.
const ups_parallel *parallel_of(int threads)
{
    static std::map<int, std::unique_ptr<ups_threads, void (*)(ups_threads *)>> pools;
    if (threads == 1) return nullptr;
    auto found = pools.find(threads);
    if (found == pools.end()) {
        ups_threads *pool;
        check(ups_threads_create(threads, &pool), "threads");
        found = pools.emplace(threads, std::unique_ptr<ups_threads, void (*)(ups_threads *)>(pool, ups_threads_destroy))
                    .first;
    }
    return ups_threads_parallel(found->second.get());
}

Told told_of(const ups_plan *plan)
{
    int64_t length = ups_plan_describe(plan, UPS_JSON, nullptr, 0);
    if (length < 0) throw std::runtime_error(ups_last_error());
    std::string text(static_cast<size_t>(length) + 1, 0);
    ups_plan_describe(plan, UPS_JSON, &text[0], text.size());
    text.pop_back();
    nlohmann::json json = nlohmann::json::parse(text);
    Told told;
    told.isa = json.at("isa");
    told.algorithm = json.at("algorithm");
    told.macs = json.at("macs");
    told.packed_bytes = json.at("packed_bytes");
    for (const nlohmann::json &refused : json.at("refused")) told.others.push_back(refused.at("algorithm"));
    return told;
}

ups_options options_of(const Choice &choice, uint32_t flags, int32_t policy)
{
    ups_options options;
    ups_options_init(&options, sizeof options);
    options.flags = flags;
    options.policy = policy;
    options.max_isa = choice.isa.c_str();
    options.algorithm = choice.algorithm.c_str();
    return options;
}

// Under policy accurate, and if that excludes an algorithm that is asked for by name, under policy fast.
int32_t create_op(const Descriptor &desc, const float *weights, const float *bias, const Choice &choice, uint32_t flags,
                  ups_op **op, bool *fast)
{
    ups_options options = options_of(choice, flags, UPS_POLICY_ACCURATE);
    *fast = false;
    int32_t status = ups_op_create(&desc, weights, bias, &options, op);
    if (status != UPS_UNSUPPORTED || choice.algorithm == "auto") return status;
    options = options_of(choice, flags, UPS_POLICY_FAST);
    *fast = true;
    return ups_op_create(&desc, weights, bias, &options, op);
}

// What says more of an unpooling than a pooling has.
const char *const unpool_only[] = {"output_shape", "size_rule", "overlap", "index_space"};

void remove_fields(Layer &layer, const char *const *begin, const char *const *end)
{
    std::vector<std::pair<std::string, std::string>> kept;
    for (const auto &field : layer.fields)
        if (std::find(begin, end, field.first) == end) kept.push_back(field);
    layer.fields = kept;
}

// Switches as a max_pool records them, each in its window, as in a network: over the unpooled size, or over the size that
// switches address where that is another one.
std::unique_ptr<Array> pooled_switches(const Layer &layer, int32_t layout, const Descriptor &desc)
{
    int64_t in[3], out[3];
    for (int i = 0; i < layer.rank(); i++) in[i] = layer.sizes[i];
    Layer unpool = layer;
    if (desc.unpool.index_space == UPS_SPACE_INFERRED) remove_fields(unpool, unpool_only, unpool_only + 1);
    const Descriptor addressed = unpool.descriptor(layout);
    check(ups_shape(&addressed, in, nullptr, out, nullptr), layer.name);
    Layer pool = layer;
    pool.op = "max_pool";
    pool.sizes.assign(out, out + layer.rank());
    remove_fields(pool, std::begin(unpool_only), std::end(unpool_only));
    for (const char *ceil_mode : {"0", "1"}) {
        Layer rounded = pool;
        rounded.fields.emplace_back("ceil_mode", ceil_mode);
        Descriptor wanted = rounded.descriptor(layout);
        int64_t pooled[3];
        check(ups_shape(&wanted, out, nullptr, pooled, nullptr), layer.name);
        if (!std::equal(in, in + layer.rank(), pooled)) continue;
        Problem problem(rounded, layout);
        Call call(problem, {"scalar", "auto", 1});
        call.run();
        auto switches = std::make_unique<Array>(call.switches()->bytes());
        std::memcpy(switches->data(), call.switches()->data(), switches->bytes());
        return switches;
    }
    throw std::runtime_error(layer.name + ": no pooling gives these sizes");
}

std::string text_of(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    return text;
}

} // namespace

// ---- arrays ----

Array::Array(size_t bytes) : bytes_(bytes)
{
    memory_.reset(std::aligned_alloc(4096, (bytes + 4096) / 4096 * 4096));
    if (!memory_) throw std::bad_alloc();
}

// ---- calls ----

void Call::make_op(const Problem &problem, const Choice &choice)
{
    ups_op *op;
    const float *weights = problem.weights ? problem.weights->floats() : nullptr;
    const float *bias = problem.bias ? problem.bias->floats() : nullptr;
    check(create_op(problem.desc, weights, bias, choice, 0, &op, &fast_policy_), problem.layer.name);
    op_.reset(op);
}

Call::Call(const Problem &problem, const Choice &choice, const ups_tensor *src, int64_t image, const int64_t *from)
{
    make_op(problem, choice);
    const std::string &name = problem.layer.name;
    const ups_tensor &whole = problem.src_tensor, &part = src ? *src : whole;
    ups_plan *plan;
    check(ups_plan_create(op_.get(), &part, nullptr, nullptr, &plan), name);
    plan_.reset(plan);
    told_ = told_of(plan);
    dst_.size = sizeof dst_;
    check(ups_plan_tensor(plan, UPS_ROLE_DST, &dst_), name);

    // What the library forgot to write stays NaN, or -1. It also touches the pages.
    output_ = std::make_unique<Array>(dense_bytes(dst_));
    std::memset(output_->data(), 0xff, output_->bytes());
    check(ups_buffers_init(&buffers_, sizeof buffers_), name);
    int64_t offset = image * whole.strides[0];
    for (int i = 0; from && i < whole.rank; i++) offset += from[i] * whole.strides[2 + i];
    buffers_.src = static_cast<char *>(problem.src->data()) + offset * static_cast<int64_t>(element_bytes(whole.dtype));
    buffers_.dst = output_->floats();
    read_bytes_ = static_cast<double>(dense_bytes(part));
    written_bytes_ = static_cast<double>(output_->bytes());
    for (const Array *operand : {problem.weights.get(), problem.bias.get(), problem.grad.get(), problem.switches.get()})
        if (operand) read_bytes_ += static_cast<double>(operand->bytes());
    if (problem.grad) buffers_.grad = problem.grad->floats();
    if (problem.switches) buffers_.indices_in = problem.switches->data();
    if (problem.desc.head.op == UPS_MAX_POOL) {
        ups_tensor indices;
        indices.size = sizeof indices;
        check(ups_plan_tensor(plan, UPS_ROLE_INDICES, &indices), name);
        switches_ = std::make_unique<Array>(dense_bytes(indices));
        std::memset(switches_->data(), 0xff, switches_->bytes());
        buffers_.indices_out = switches_->data();
        written_bytes_ += static_cast<double>(switches_->bytes());
    }
    parallel_ = parallel_of(choice.threads);
    workspace_ = std::make_unique<Array>(ups_plan_workspace(plan, parallel_ ? parallel_->parts : 1));
    std::memset(workspace_->data(), 0, workspace_->bytes());
}

float Call::output(int64_t i) const
{
    const void *from = output_->data();
    if (dst_.dtype == UPS_U8) return static_cast<const uint8_t *>(from)[i];
    if (dst_.dtype == UPS_S8) return static_cast<const int8_t *>(from)[i];
    return static_cast<const float *>(from)[i];
}

void Call::run()
{
    int32_t status = parallel_
                         ? ups_run_parallel(plan_.get(), &buffers_, workspace_->data(), workspace_->bytes(), parallel_)
                         : ups_run(plan_.get(), &buffers_, workspace_->data(), workspace_->bytes());
    check(status, "run");
}

// ---- problems ----

Problem::Problem(const Layer &layer, int32_t layout)
    : layer(layer), layout(layout), desc(layer.descriptor(layout)), src_tensor(layer.tensor(layout))
{
    src = random_elements(src_tensor, 1);
    if (packed_weights(desc)) weights = random_array(packed_weights(desc), 2);
    if (layer.bilinear) check(ups_fill_weights(&desc, UPS_FILL_BILINEAR, weights->floats()), layer.name);
    if (desc.head.op == UPS_CONV_TRANSPOSE) bias = random_array(desc.conv_transpose.out_channels, 3);
    if (desc.head.op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS) {
        int64_t out[3], count = src_tensor.dims[0] * desc.conv_transpose.out_channels;
        check(ups_shape(&desc, src_tensor.dims + 2, nullptr, out, nullptr), layer.name);
        for (int i = 0; i < src_tensor.rank; i++) count *= out[i];
        grad = random_array(count, 4);
    }
    if (desc.head.op == UPS_MAX_UNPOOL) switches = pooled_switches(layer, layout, desc);
}

// Pooling, unpooling, replication and nearest give the same bits on every tier. Averages and the other modes of resize have
// weights that sum to about 1 and a few roundings. A transposed convolution sums n products of values in [-1, 1], of variance
// 1/9: rounding partial sums of variance k/9 for k = 1 … n leaves an error of rms n 2^-24 / sqrt(54), and under policy fast
// twice that is legal. So 2 (n + 16) 2^-24, which lets short sums round as they like, is more than two right results differ by
// in millions of outputs; for n = 4096 it is a thousandth of what one forgotten product amounts to.
double Problem::tolerance() const
{
    switch (desc.head.op) {
    case UPS_AVG_POOL: return 1e-5;
    case UPS_RESIZE: return desc.resize.mode == UPS_MODE_NEAREST ? 0 : 1e-5;
    case UPS_CONV_TRANSPOSE: {
        const ups_conv_transpose_desc &c = desc.conv_transpose;
        return FLT_EPSILON * static_cast<double>(c.in_channels / c.group * kernel_taps(c) + 16);
    }
    case UPS_CONV_TRANSPOSE_GRAD_INPUT: {
        const ups_conv_transpose_desc &c = desc.conv_transpose;
        return FLT_EPSILON * static_cast<double>(c.out_channels / c.group * kernel_taps(c) + 16);
    }
    case UPS_CONV_TRANSPOSE_GRAD_WEIGHTS:
        return FLT_EPSILON * static_cast<double>(elements(src_tensor) / src_tensor.dims[1] + 16);
    default: return 0;
    }
}

Problem::Corner Problem::whole(const Call &call) const
{
    Corner all = {true, 0, src_tensor.dims[0], {}, {}, {}, {}, {}};
    for (int i = 0; i < src_tensor.rank; i++) {
        all.size[i] = src_tensor.dims[2 + i];
        all.hi[i] = call.dst().dims[2 + i];
    }
    return all;
}

// All of it, or of a transposed convolution that is too large for the scalar tier the begin of the first image and the end of
// the last. Along an axis, inputs [0, n') alone give the outputs below s*n' - pb, and inputs from n - n' those from
// s*(n - n') + E - pb - s on.
std::vector<Problem::Corner> Problem::corners(const Call &call) const
{
    const int rank = src_tensor.rank;
    const Corner all = whole(call);
    double macs = call.told().macs;
    if (desc.head.op != UPS_CONV_TRANSPOSE || macs <= scalar_macs) return {all};

    const ups_conv_transpose_desc &c = desc.conv_transpose;
    Corner first = all;
    macs /= static_cast<double>(all.images);
    first.whole = false;
    first.images = 1;
    while (macs > scalar_macs) {
        int64_t *longest = std::max_element(first.size, first.size + rank);
        if (*longest <= 1) return {all};
        macs *= static_cast<double>(*longest / 2) / static_cast<double>(*longest);
        *longest /= 2;
    }
    Corner last = first;
    last.image = all.images - 1;
    for (int i = 0; i < rank; i++) {
        const int64_t n = all.size[i], part = first.size[i], s = c.strides[i],
                      pb = std::max<int64_t>(c.pads_begin[i], 0);
        const int64_t pe = std::max<int64_t>(c.pads_end[i], 0), extent = c.dilations[i] * (c.kernel_shape[i] - 1) + 1;
        // With a size of another rule than this one, pads are not what they seem.
        if (all.hi[i] != s * (n - 1) + extent - pb - pe + c.output_padding[i]) return {all};
        if (part == n) continue;
        first.hi[i] = std::min(all.hi[i], s * part - pb);
        last.from[i] = n - part;
        last.shift[i] = s * (n - part);
        last.lo[i] = last.shift[i] + std::max<int64_t>(extent - pb - s, 0);
        first.hi[i] = std::min(first.hi[i], all.hi[i] - last.shift[i]); // what the part has at all
        if (first.hi[i] <= 0 || last.lo[i] >= all.hi[i]) return {all};
    }
    return {first, last};
}

const std::vector<Problem::Reference> &Problem::reference(const Choice &choice, const std::vector<Corner> &corners)
{
    std::vector<Reference> &made =
        references_[choice.isa + "/" + choice.algorithm + (corners[0].whole ? "" : "/corners")];
    if (!made.empty()) return made;
    for (const Corner &corner : corners) {
        ups_tensor part = src_tensor;
        part.dims[0] = corner.images;
        for (int i = 0; i < part.rank; i++) part.dims[2 + i] = corner.size[i];
        made.push_back({corner, std::make_unique<Call>(*this, choice, &part, corner.image, corner.from)});
        made.back().call->run();
    }
    return made;
}

namespace
{

// The first element that differs, in N, C, spatial order, and how many do.
struct Difference {
    int64_t count = 0, of = 0, at[5] = {};
    float got = 0, wanted = 0;
};

// Whether two values are farther apart than they may be. No source has a NaN: one is what nobody wrote.
bool differ(float got, float wanted, double tolerance)
{
    if (std::isnan(got)) return true;
    if (tolerance == 0) return std::memcmp(&got, &wanted, sizeof got) != 0;
    return !(std::fabs(static_cast<double>(got) - wanted) <= tolerance);
}

} // namespace

// By the scalar tier; what that computed itself, by its next algorithm, or by the best tier where there is no other.
Choice Problem::another_way(const Told &told) const
{
    if (told.algorithm == "direct" && told.macs > scalar_macs) return {fast_way(told).isa, "auto", 1};
    if (told.isa != "scalar") return {"scalar", desc.head.op == UPS_CONV_TRANSPOSE ? "phase" : "auto", 1};
    if (told.algorithm != "phase" && told.algorithm != "direct") return {"scalar", "phase", 1};
    for (const std::string &other : told.others) try {
            const Choice choice = {"scalar", other, 1};
            describe(layer, layout, choice);
            return choice;
        } catch (const std::runtime_error &) { // not for this shape
        }
    std::string best;
    for (int i = 0; ups_isa_name(i); i++) best = ups_isa_name(i);
    return {best, "auto", 1};
}

// Of a transposed convolution, by another algorithm on another tier than scalar; on the same tier if there is one alone.
Choice Problem::fast_way(const Told &told) const
{
    const char *other = told.algorithm == "gemm" ? "phase" : "gemm";
    std::string isa = told.isa;
    for (int i = 0; const char *name = ups_isa_name(i); i++)
        if (name != told.isa && std::strcmp(name, "scalar") && describe(layer, layout, {name, "auto", 1}).isa == name)
            isa = name;
    return {isa, other, 1};
}

std::string Problem::compare(const Call &call, const Reference &reference) const
{
    const double allowed = tolerance();
    Difference d;
    const Corner &k = reference.corner;
    const ups_tensor &got = call.dst(), &wanted = reference.call->dst();
    const std::string other = reference.call->told().isa + " " + reference.call->told().algorithm;
    int64_t lo[3] = {0, 0, 0}, hi[3] = {1, 1, 1}, shift[3] = {0, 0, 0}, gs[3] = {0, 0, 0}, ws[3] = {0, 0, 0};
    for (int i = 0; i < got.rank; i++) {
        const int a = 3 - got.rank + i;
        lo[a] = k.lo[i], hi[a] = k.hi[i], shift[a] = k.shift[i];
        gs[a] = got.strides[2 + i], ws[a] = wanted.strides[2 + i];
    }
    for (int64_t n = 0; n < (k.whole ? got.dims[0] : k.images); n++) // a gradient's is no batch
        for (int64_t c = 0; c < got.dims[1]; c++)
            for (int64_t z = lo[0]; z < hi[0]; z++)
                for (int64_t y = lo[1]; y < hi[1]; y++) {
                    const int64_t g = (k.image + n) * got.strides[0] + c * got.strides[1] + z * gs[0] + y * gs[1];
                    const int64_t w = n * wanted.strides[0] + c * wanted.strides[1] + (z - shift[0]) * ws[0] +
                                      (y - shift[1]) * ws[1] - shift[2] * ws[2];
                    for (int64_t x = lo[2]; x < hi[2]; x++, d.of++)
                        if (differ(call.output(g + x * gs[2]), reference.call->output(w + x * ws[2]), allowed) &&
                            !d.count++) {
                            const int64_t at[5] = {k.image + n, c, z, y, x};
                            std::copy(at, at + 5, d.at);
                            d.got = call.output(g + x * gs[2]), d.wanted = reference.call->output(w + x * ws[2]);
                        }
                }
    if (!d.count && call.switches() &&
        std::memcmp(call.switches()->data(), reference.call->switches()->data(), call.switches()->bytes()))
        return "wrong: the switches are not those of " + other;
    if (!d.count) return "";
    std::string at;
    for (int i : {0, 1, 2, 3, 4})
        if (i < 2 || i >= 5 - src_tensor.rank) at += (at.empty() ? "" : ",") + std::to_string(d.at[i]);
    return "wrong: output (" + at + ") is " + text_of(d.got) + ", by " + other + " " + text_of(d.wanted) + "; " +
           std::to_string(d.count) + " of " + std::to_string(d.of) + " differ by more than " + text_of(allowed);
}

std::string Problem::verify(Call &call)
{
    call.run();
    const std::vector<Corner> parts = corners(call);
    std::string difference;
    for (const Reference &part : reference(another_way(call.told()), parts))
        if (difference.empty()) difference = compare(call, part);
    if (difference.empty() && !parts[0].whole)
        difference = compare(call, reference(fast_way(call.told()), {whole(call)})[0]);
    return difference;
}

// ---- plans ----

Planner::Planner(const Layer &layer, int32_t layout, const Choice &choice) : op_(nullptr, ups_op_destroy)
{
    const Descriptor desc = layer.descriptor(layout);
    std::vector<float> weights;
    weights.resize(static_cast<size_t>(packed_weights(desc)));
    ups_op *op;
    bool fast;
    check(create_op(desc, weights.empty() ? nullptr : weights.data(), nullptr, choice, 0, &op, &fast), layer.name);
    op_.reset(op);
    Layer longer = layer;
    for (int i = 0; i < lengths; i++, longer.sizes[0]++) sources_.push_back(longer.tensor(layout));
}

void Planner::run()
{
    for (const ups_tensor &source : sources_) {
        ups_plan *plan;
        check(ups_plan_create(op_.get(), &source, nullptr, nullptr, &plan), "plan");
        ups_plan_destroy(plan);
    }
}

// ---- ops ----

void *counted(void *context, size_t bytes)
{
    *static_cast<size_t *>(context) += bytes;
    return std::malloc(bytes);
}

void give_back(void *, void *memory)
{
    std::free(memory);
}

Maker::Maker(const Layer &layer, int32_t layout, const Choice &choice, bool hinted)
    : layer_(layer), choice_{choice.isa, "auto", 1}, hinted_(hinted), desc_(layer.descriptor(layout)),
      src_(layer.tensor(layout))
{
    if (packed_weights(desc_)) weights_ = random_array(packed_weights(desc_), 2);
    run();
}

void Maker::run()
{
    ups_options options = options_of(choice_, 0, UPS_POLICY_ACCURATE);
    options.allocate = counted;
    options.release = give_back;
    options.context = &held_;
    if (hinted_) options.size_hint = src_.dims;
    ups_op *op;
    held_ = 0;
    check(ups_op_create(&desc_, weights_ ? weights_->floats() : nullptr, nullptr, &options, &op), layer_.name);
    ups_op_destroy(op);
}

// ---- what would be done ----

Told describe(const Layer &layer, int32_t layout, const Choice &choice)
{
    Descriptor desc = layer.descriptor(layout);
    ups_tensor src = layer.tensor(layout);
    ups_op *op;
    bool fast;
    // An op packs only when it has weights, and sees which of them are zeros.
    std::vector<float> ones(static_cast<size_t>(packed_weights(desc)), 1);
    if (layer.bilinear) check(ups_fill_weights(&desc, UPS_FILL_BILINEAR, ones.data()), layer.name);
    int32_t status = create_op(desc, ones.empty() ? nullptr : ones.data(), nullptr, choice, 0, &op, &fast);
    check(status, layer.name);
    ups_plan *plan;
    status = ups_plan_create(op, &src, nullptr, nullptr, &plan);
    ups_op_destroy(op);
    check(status, layer.name);
    Told told = told_of(plan);
    ups_plan_destroy(plan);
    return told;
}

} // namespace bench
