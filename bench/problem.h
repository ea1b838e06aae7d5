// SPDX-License-Identifier: MIT
//
// One layer in one layout: its arrays, its calls by any tier and algorithm, and whether what a call computes is right.
#ifndef UPS_BENCH_PROBLEM_H
#define UPS_BENCH_PROBLEM_H

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "layers.h"

namespace bench
{

// Memory on a page, so that timings do not depend on luck.
class Array
{
  public:
    explicit Array(size_t bytes);
    void *data() const { return memory_.get(); }
    float *floats() const { return static_cast<float *>(data()); }
    size_t bytes() const { return bytes_; }

  private:
    struct Free {
        void operator()(void *memory) const { std::free(memory); }
    };
    std::unique_ptr<void, Free> memory_;
    size_t bytes_;
};

// How a call is made.
struct Choice {
    std::string isa, algorithm; // algorithm "auto": the library's own choice
    int threads;
};

// What the library says of a plan.
struct Told {
    std::string isa, algorithm;
    std::vector<std::string> others; // algorithms that were not taken
    double macs, packed_bytes;
};

class Problem;

// An op and a plan with what they run on; the outputs are its own, the inputs the problem's.
class Call
{
  public:
    // Throws with the library's sentence. `image` and `from` (rank entries) choose a part of the source, of the sizes of
    // `src`; NULL: all of it.
    Call(const Problem &problem, const Choice &choice, const ups_tensor *src = nullptr, int64_t image = 0,
         const int64_t *from = nullptr);

    void run(); // throws with the library's sentence

    const Told &told() const { return told_; }
    bool fast_policy() const { return fast_policy_; } // the algorithm is not offered under policy accurate
    size_t workspace_bytes() const { return workspace_->bytes(); }
    const ups_tensor &dst() const { return dst_; }
    float output(int64_t i) const;                            // an element
    const Array *switches() const { return switches_.get(); } // max_pool: what it recorded; else NULL
    double read_bytes() const { return read_bytes_; }         // each operand once
    double written_bytes() const { return written_bytes_; }

  private:
    struct Destroy {
        void operator()(ups_op *op) const { ups_op_destroy(op); }
        void operator()(ups_plan *plan) const { ups_plan_destroy(plan); }
    };
    void make_op(const Problem &problem, const Choice &choice);

    std::unique_ptr<ups_op, Destroy> op_;
    std::unique_ptr<ups_plan, Destroy> plan_;
    std::unique_ptr<Array> output_, switches_, workspace_;
    const ups_parallel *parallel_ = nullptr;
    ups_buffers buffers_;
    ups_tensor dst_;
    Told told_;
    bool fast_policy_ = false;
    double read_bytes_, written_bytes_;
};

class Problem
{
  public:
    Problem(const Layer &layer, int32_t layout);

    // Runs the call once, and compares with the same computed another way: by the scalar tier, or if the call is its, by
    // another algorithm or the best tier. What is too large for the scalar tier is compared with it at two corners, and as
    // a whole with another algorithm on another tier. "" if it is right, else a sentence with the first difference.
    std::string verify(Call &call);

    const Layer layer;
    const int32_t layout;
    const Descriptor desc;
    const ups_tensor src_tensor;
    std::unique_ptr<Array> src, weights, bias, grad, switches; // what the operation does not take is NULL

  private:
    // Outputs that a computation on a part of the source gives too: all channels of one image, or all (images), in [lo,
    // hi) of the output; there, output o of the whole is output o - shift of the part.
    struct Corner {
        bool whole;
        int64_t image, images, from[3], size[3], lo[3], hi[3], shift[3];
    };
    struct Reference {
        Corner corner;
        std::unique_ptr<Call> call;
    };
    std::vector<Corner> corners(const Call &call) const;
    Corner whole(const Call &call) const;
    const std::vector<Reference> &reference(const Choice &choice, const std::vector<Corner> &corners);
    double tolerance() const;
    Choice another_way(const Told &told) const;
    Choice fast_way(const Told &told) const;
    std::string compare(const Call &call, const Reference &reference) const;

    std::map<std::string, std::vector<Reference>> references_;
};

// An op and sources of as many lengths of the first axis, from the layer's on: a network whose inputs have all lengths.
class Planner
{
  public:
    static const int lengths = 200;                                    // pytorch/pytorch#133304
    Planner(const Layer &layer, int32_t layout, const Choice &choice); // throws with the library's sentence
    void run();                                                        // a plan for each length, made and destroyed

  private:
    std::unique_ptr<ups_op, void (*)(ups_op *)> op_;
    std::vector<ups_tensor> sources_;
};

// Ops of a layer, made and destroyed; hinted: for a source of the layer's sizes, so that one algorithm's weights are packed.
class Maker
{
  public:
    Maker(const Layer &layer, int32_t layout, const Choice &choice, bool hinted); // throws with the library's sentence
    void run();
    size_t held() const { return held_; } // bytes that an op takes

  private:
    Layer layer_;
    Choice choice_;
    bool hinted_;
    Descriptor desc_;
    ups_tensor src_;
    std::unique_ptr<Array> weights_;
    size_t held_ = 0;
};

// What the library would do, without arrays: throws like Call.
Told describe(const Layer &layer, int32_t layout, const Choice &choice);

} // namespace bench
#endif
