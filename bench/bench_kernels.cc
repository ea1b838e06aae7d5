// SPDX-License-Identifier: MIT
//
// bench_kernels: every kernel of every tier this machine runs, at working sets in level 1, level 2 and beyond the last cache:
//
//     gemm_14x32/avx512/L1      kernel / tier / where the operands lie
//
// The rows come from the tables by UPS_KERNEL_LIST. A new kernel of a known function type appears by itself; a new type needs
// one adapter below, time_<type>, and does not compile without; its calls go through time_calls, so that what they compute is
// compared with scalar.c before anything is timed. A kernel that a tier borrows is timed in the tier whose
// name it bears. Counters: tiles give gflops and fma_percent, what moves data gbps (each operand once) and copy_percent, of
// the copy rate of this run for the same place.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <vector>

#include "machine.h"
#include "program.h"

extern "C" {
#include "cpu.h"
#include "kernels.h"
}

namespace bench
{
namespace
{

const char help[] =
    "usage: bench_kernels [--isa WORD] [option …]\n"
    "\n"
    "Times every kernel of the library's tables. A row is a kernel on a tier with its operands in a cache or beyond\n"
    "the last one, gemm_14x32/avx512/L1.\n"
    "\n"
    "  --isa WORD          all (the default), best, or a tier\n";

// One call instead of the timing: what it leaves in memory.
struct Rehearsal {
    bool definition; // of scalar.c's kernel, not the row's
    std::vector<char> memory;
};

// One row: which kernel, and where its operands lie.
struct Setting {
    const ups_kernels *table;
    std::string member; // "pool_i32"
    Place place;
    const Machine *machine;
    Rehearsal *rehearsal; // NULL: it is timed
};

// The operands of a kernel lie one behind the other in a block, which fits a quarter of level 1; a row goes through as many
// blocks as make its working set.
class Blocks
{
  public:
    // fill(floats, count): any values do. `bytes_each`: what one call's operands take.
    Blocks(const Setting &setting, int64_t bytes_each)
        : stride_((bytes_each + 63) / 64 * 64), count_(std::max<int64_t>(working_set(setting.place) / stride_, 1)),
          memory_(static_cast<char *>(
              std::aligned_alloc(4096, static_cast<size_t>((stride_ * count_ + 4095) / 4096 * 4096))))
    {
        if (!memory_) throw std::bad_alloc();
        float *x = reinterpret_cast<float *>(memory_.get());
        uint32_t state = 1;
        for (int64_t i = 0; i < stride_ * count_ / 4; i++) {
            state = state * 1664525u + 1013904223u;
            x[i] = static_cast<float>(static_cast<int32_t>(state)) * 0x1p-31f;
        }
    }
    int64_t count() const { return count_; }
    char *at(int64_t i) const { return memory_.get() + i * stride_; }
    int64_t stride() const { return stride_; }

  private:
    struct Free {
        void operator()(char *memory) const { std::free(memory); }
    };
    int64_t stride_, count_;
    std::unique_ptr<char, Free> memory_;
};

// Elements of a row whose operands take `bytes_each` for one: a quarter of level 1, a multiple of every vector's length.
int64_t length_of(int64_t bytes_each)
{
    return std::max<int64_t>(cache_bytes(1) / 4 / bytes_each / 64 * 64, 64);
}

void report_flops(benchmark::State &state, const Setting &setting, double flops)
{
    set_rate(state, counter_gflops, flops * 1e-9);
    set_rate(state, counter_fma_percent, 100 * flops / (setting.machine->fma_gflops(setting.table->isa, 1) * 1e9));
}

void report_bytes(benchmark::State &state, const Setting &setting, double bytes)
{
    set_rate(state, counter_gbps, bytes * 1e-9);
    set_rate(state, counter_copy_percent, 100 * bytes / (setting.machine->rates(setting.place, 1).copy() * 1e9));
}

// Times passes over all blocks, or rehearses a call on the first; false then, and nothing is to be reported. `result`: what a
// call writes outside its block.
template <class Call>
bool time_calls(benchmark::State &state, const Setting &setting, const Blocks &blocks, const Call &call,
                const std::vector<float> *result = nullptr)
{
    if (setting.rehearsal) {
        call(blocks.at(0));
        const char *from = result ? reinterpret_cast<const char *>(result->data()) : blocks.at(0);
        const size_t bytes = result ? result->size() * sizeof(float) : static_cast<size_t>(blocks.stride());
        setting.rehearsal->memory.assign(from, from + bytes);
        return false;
    }
    for (auto _ : state)
        for (int64_t i = 0; i < blocks.count(); i++) call(blocks.at(i));
    return true;
}

// The same for calls that move `bytes` each.
template <class Call> void time_moves(benchmark::State &state, const Setting &setting, int64_t bytes, const Call &call)
{
    Blocks blocks(setting, bytes);
    if (time_calls(state, setting, blocks, call))
        report_bytes(state, setting, static_cast<double>(bytes * blocks.count()));
}

// The operands of one call, taken from its block in turn.
struct Operands {
    char *at;
    float *floats(int64_t count) { return static_cast<float *>(bytes(count * 4)); }
    void *bytes(int64_t count)
    {
        void *taken = at;
        at += count;
        return taken;
    }
};

// 1, 4 or 8 by the ending of the member's name, 0 without: the switches a pooling kernel writes.
int64_t index_bytes(const Setting &setting)
{
    const std::string type = setting.member.substr(setting.member.rfind('_') + 1);
    return type == "u8" ? 1 : type == "i32" ? 4 : type == "i64" ? 8 : 0;
}

// ---- one adapter for each function type of kernels.h ----

// A tile's panel of b streams from the row's place; a stays, as in the drivers' loops.
void time_ups_gemm_fn(benchmark::State &state, ups_gemm_fn *run, const Setting &setting)
{
    const int64_t nr = setting.table->nr, mr = setting.table->mr[nr / setting.table->lanes - 1];
    const int64_t depth = std::max<int64_t>(cache_bytes(1) / 2 / 4 / (mr + nr) / 8 * 8, 8);
    Blocks blocks(setting, depth * nr * 4);
    std::vector<float> a(static_cast<size_t>(mr * depth)), c(static_cast<size_t>(mr * nr));
    for (size_t i = 0; i < a.size(); i++) a[i] = static_cast<float>(i * 7 % 13) / 13 - 0.5f;
    const float *taps_a[] = {a.data()}, *taps_b[] = {nullptr};
    ups_gemm g = {};
    g.rows = mr, g.columns = nr, g.taps = 1, g.depth = depth;
    g.a = taps_a, g.b = taps_b, g.a_stride = depth, g.b_stride = nr, g.c = c.data(), g.c_stride = nr;
    auto call = [&](char *block) {
        const float *b = taps_b[0] = reinterpret_cast<const float *>(block);
        if (!setting.rehearsal || !setting.rehearsal->definition) return run(&g);
        for (int64_t i = 0; i < mr * nr; i++) // scalar.c's tile is another: its contract instead
            for (int64_t k = 0; k < depth; k++)
                c[static_cast<size_t>(i)] += a[static_cast<size_t>(i / nr * depth + k)] * b[k * nr + i % nr];
    };
    if (!time_calls(state, setting, blocks, call, &c)) return;
    report_flops(state, setting, 2.0 * static_cast<double>(mr * nr * depth * blocks.count()));
}

// A tile of F(4x4, 3x3): what it reads and writes counts once.
void time_ups_winograd_in_fn(benchmark::State &state, ups_winograd_in_fn *run, const Setting &setting)
{
    const int64_t points = 36, n = std::max<int64_t>(length_of(8 * points) / 16 * 16, 16);
    const ups_winograd_tile tile = {UPS_F_4_3, UPS_F_4_3};
    time_moves(state, setting, 8 * points * n, [&](char *block) {
        Operands o = {block};
        const float *x[36];
        for (const float *&pixel : x) pixel = o.floats(n);
        run(&tile, 1, x, n, o.floats(points * n), n);
    });
}

void time_ups_winograd_out_fn(benchmark::State &state, ups_winograd_out_fn *run, const Setting &setting)
{
    const int64_t points = 36, outputs = 16, n = std::max<int64_t>(length_of(4 * (points + outputs)) / 16 * 16, 16);
    const ups_winograd_tile tile = {UPS_F_4_3, UPS_F_4_3};
    const ups_activation activation = {UPS_RELU, 0, 0};
    const std::vector<float> bias(static_cast<size_t>(n), 0.25f);
    time_moves(state, setting, 4 * (points + outputs) * n, [&](char *block) {
        Operands o = {block};
        const float *m = o.floats(points * n);
        float *y[16];
        for (float *&output : y) output = o.floats(n);
        run(&tile, 1, m, n, n, n, bias.data(), &activation, y);
    });
}

void time_ups_finish_fn(benchmark::State &state, ups_finish_fn *run, const Setting &setting)
{
    const int64_t columns = length_of(8);
    const ups_activation activation = {UPS_RELU, 0, 0};
    std::vector<float> bias(static_cast<size_t>(columns), 0.25f);
    Blocks blocks(setting, 8 * columns);
    auto call = [&](char *c) {
        run(reinterpret_cast<float *>(c), 2, columns, columns, bias.data(), 0, 1, &activation);
    };
    if (time_calls(state, setting, blocks, call)) // c is read and written
        report_bytes(state, setting, static_cast<double>(16 * columns * blocks.count()));
}

void time_ups_axpy_fn(benchmark::State &state, ups_axpy_fn *run, const Setting &setting)
{
    const int64_t n = length_of(8);
    Blocks blocks(setting, 8 * n);
    const float a = setting.rehearsal ? 0.5f : 1e-9f; // small, so that y stays what it is over millions of calls
    auto call = [&](char *block) {
        Operands o = {block};
        const float *x = o.floats(n);
        run(n, a, x, o.floats(n));
    };
    if (time_calls(state, setting, blocks, call)) // y is read and written
        report_bytes(state, setting, static_cast<double>(12 * n * blocks.count()));
}

// What a driver turns: the pixels of a strip, with as many channels.
void time_ups_transpose_fn(benchmark::State &state, ups_transpose_fn *run, const Setting &setting)
{
    const int64_t columns = 32, rows = length_of(8) / columns;
    time_moves(state, setting, 8 * rows * columns, [&](char *block) {
        Operands o = {block};
        const float *x = o.floats(rows * columns);
        run(x, rows, columns, columns, o.floats(rows * columns), rows);
    });
}

// k4 s2 with a pad, as bilinear enlargement by two has it: output rows of one phase along H, each from two source rows.
void time_ups_depthwise_rows_fn(benchmark::State &state, ups_depthwise_rows_fn *run, const Setting &setting)
{
    const int64_t cells = 64, pitch = cells + 2, rows = std::max<int64_t>(length_of(12) / cells, 1);
    const float w[] = {0.1f, 0.2f, 0.3f, 0.4f};
    const ups_activation none = {UPS_NO_ACTIVATION, 0, 0};
    time_moves(state, setting, 4 * ((rows + 1) * pitch + rows * 2 * cells), [&](char *block) {
        Operands o = {block};
        const float *x0 = o.floats((rows + 1) * pitch), *x1 = x0 + pitch;
        const ups_depthwise_tap taps[] = {{x1 + 2, w, 1, 2}, {x1 + 1, w + 1, 0, 2}, {x1, w + 3, 0, 1},
                                          {x0 + 2, w, 1, 2}, {x0 + 1, w + 1, 0, 2}, {x0, w + 3, 0, 1}};
        const ups_depthwise d = {taps, 6, 2, rows, 2 * cells, pitch, 2 * cells, 0, &none};
        run(&d, o.floats(rows * 2 * cells));
    });
}

// The same channels last: the pixels of one phase, 64 channels, from two source rows.
void time_ups_depthwise_pixels_fn(benchmark::State &state, ups_depthwise_pixels_fn *run, const Setting &setting)
{
    const int64_t channels = 64, n = std::max<int64_t>(length_of(12) / channels, 2);
    const std::vector<float> w(static_cast<size_t>(4 * channels), 0.25f), bias(static_cast<size_t>(channels));
    const float *weights[] = {w.data(), w.data() + channels, w.data() + 2 * channels, w.data() + 3 * channels};
    const ups_activation none = {UPS_NO_ACTIVATION, 0, 0};
    time_moves(state, setting, 4 * channels * (2 * (n + 1) + n), [&](char *block) {
        Operands o = {block};
        const float *x0 = o.floats((n + 1) * channels), *x1 = o.floats((n + 1) * channels);
        const float *x[] = {x1 + channels, x1, x0 + channels, x0};
        const ups_depthwise_pixels d = {x, weights, 4, n, channels, channels, channels, bias.data(), &none};
        run(&d, o.floats(n * channels));
    });
}

// A row of windows at stride 2, of `taps` rows of as many taps.
struct Windows {
    Windows(Operands &o, int64_t taps, int64_t n)
    {
        const int64_t width = 2 * n + taps - 2;
        for (int64_t r = 0; r < taps; r++) {
            rows[r] = o.floats(width);
            code[r] = r * width;
        }
        window.rows = rows, window.code = code;
        window.count = window.taps = taps, window.stride = 2, window.dilation = window.lines = 1;
        window.lane_step = 2, window.tap_step = 1; // a switch is a position in the plane
        window.nan = UPS_NAN_LAST, window.scan = UPS_SCAN_ROW_MAJOR;
    }
    const float *rows[3];
    int64_t code[3];
    ups_pool_window window = {};
};

bool is_of_bytes(const Setting &setting)
{
    return setting.member.find("_bytes") != std::string::npos;
}

// The same 3x3 windows of bytes.
void time_byte_pool(benchmark::State &state, ups_pool_fn *run, const Setting &setting)
{
    const int64_t index = index_bytes(setting), n = length_of(3 * 2 + 1 + index);
    time_moves(state, setting, (3 * 2 + 1 + index) * n + 64, [&](char *block) {
        Operands o = {block};
        const int64_t code[] = {0, 2 * n + 1, 2 * (2 * n + 1)};
        void *switches = index ? o.bytes(index * n) : nullptr, *y = o.bytes(n);
        const uint8_t *rows[3];
        for (const uint8_t *&row : rows) row = static_cast<const uint8_t *>(o.bytes(2 * n + 1));
        ups_pool_window w = {};
        w.byte_rows = rows, w.code = code, w.count = w.taps = 3, w.stride = 2, w.dilation = w.lines = 1;
        w.lane_step = index > 1 ? 2 : 0, w.tap_step = 1, w.scan = UPS_SCAN_ROW_MAJOR;
        run(&w, n, y, switches);
    });
}

// 3x3: ResNet's first pooling.
void time_ups_pool_fn(benchmark::State &state, ups_pool_fn *run, const Setting &setting)
{
    if (is_of_bytes(setting)) return time_byte_pool(state, run, setting);
    const int64_t index = index_bytes(setting), n = length_of(3 * 8 + 4 + index);
    time_moves(state, setting, (3 * 8 + 4 + index) * n + 3 * 4, [&](char *block) {
        Operands o = {block};
        float *y = o.floats(n);
        const Windows w(o, 3, n);
        run(&w.window, n, y, index ? o.bytes(index * n) : nullptr);
    });
}

// 2x2, as ResNet-D's shortcut has it.
void time_ups_avg_fn(benchmark::State &state, ups_avg_fn *run, const Setting &setting)
{
    const int64_t n = length_of(16 + 4);
    time_moves(state, setting, (16 + 4) * n, [&](char *block) {
        Operands o = {block};
        const Windows w(o, 2, n);
        run(&w.window, n, 4, o.floats(n));
    });
}

// The tables that deal a row's inputs out.
struct Dealt {
    explicit Dealt(int64_t factor)
    {
        for (int64_t p = 0; p < 16 * factor; p++) {
            quotient.push_back(static_cast<int32_t>(p / factor));
            remainder.push_back(static_cast<int32_t>(p % factor));
        }
        spread = {factor, quotient.data(), remainder.data()};
    }
    std::vector<int32_t> quotient, remainder;
    ups_spread spread;
};

// 2x2 windows, switches as pooling leaves them: codes for u8, else positions.
void time_ups_unpool_fn(benchmark::State &state, ups_unpool_fn *run, const Setting &setting)
{
    const int64_t index = index_bytes(setting), each = is_of_bytes(setting) ? 1 : 4;
    const int64_t n = length_of(5 * each + index);
    const Dealt dealt(2);
    Blocks blocks(setting, (5 * each + index) * n);
    auto index_of = [&](int64_t i) { return blocks.at(i) + each * n; };
    ups_unpool_window w = {};
    w.lines = 1, w.rows = w.at_once = 2, w.width = 2 * n, w.n = n, w.spread = dealt.spread, w.row_stride = 2 * n;
    w.row_step = index == 1 ? 2 : 2 * n, w.step = index > 1, w.tap_step = index == 1;
    for (int64_t i = 0; i < blocks.count(); i++)
        for (int64_t o = 0; o < n; o++) {
            const int64_t right = (o * 7 + i) % 2, below = (o * 5 + i) / 2 % 2;
            const int64_t at = right + below * w.row_step + 2 * o * w.step;
            std::memcpy(index_of(i) + o * index, &at, static_cast<size_t>(index)); // the low bytes come first
        }
    auto call = [&](char *block) {
        Operands o = {block};
        const void *x = o.bytes(each * n);
        const void *switches = o.bytes(index * n);
        benchmark::DoNotOptimize(run(&w, x, switches, o.bytes(4 * each * n)));
    };
    if (time_calls(state, setting, blocks, call))
        report_bytes(state, setting, static_cast<double>((5 * each + index) * n * blocks.count()));
}

// One row of windows of 3 by 2.
void time_ups_overlap_fn(benchmark::State &state, ups_overlap_fn *run, const Setting &setting)
{
    const int64_t n = length_of(8 + 4 + 1);
    Blocks blocks(setting, (8 + 4 + 1) * n);
    ups_overlap w = {};
    w.lines = 1, w.factor = 2, w.n = n, w.width = 2 * n, w.count[0] = 1, w.count[1] = 2;
    for (int64_t i = 0; i < blocks.count(); i++)
        for (int64_t o = 0; o < n; o++) blocks.at(i)[4 * n + o] = static_cast<char>((o * 7 + i) % 3);
    auto call = [&](char *block) {
        Operands o = {block};
        const float *x = o.floats(n);
        const auto *code = static_cast<const uint8_t *>(static_cast<const void *>(o.bytes(n)));
        const ups_overlap_source source[3] = {{x, code, 0, 1}, {x, code, 0, 2}, {x, code, 1, 0}};
        ups_overlap own = w;
        own.source = source;
        benchmark::DoNotOptimize(run(&own, o.floats(2 * n)));
    };
    if (time_calls(state, setting, blocks, call))
        report_bytes(state, setting, static_cast<double>((8 + 4 + 1) * n * blocks.count()));
}

void time_ups_replicate_fn(benchmark::State &state, ups_replicate_fn *run, const Setting &setting)
{
    const int64_t n = length_of(16);
    const Dealt dealt(3);
    time_moves(state, setting, 16 * n, [&](char *block) {
        Operands o = {block};
        const float *x = o.floats(n);
        run(x, n, &dealt.spread, o.floats(3 * n));
    });
}

void time_ups_replicate_x2_fn(benchmark::State &state, ups_replicate_x2_fn *run, const Setting &setting)
{
    const int64_t n = length_of(12);
    time_moves(state, setting, 12 * n, [&](char *block) {
        Operands o = {block};
        const float *x = o.floats(n);
        run(x, n, o.floats(2 * n));
    });
}

void time_ups_nails_fn(benchmark::State &state, ups_nails_fn *run, const Setting &setting)
{
    const int64_t n = length_of(12);
    const Dealt dealt(2);
    time_moves(state, setting, 12 * n, [&](char *block) {
        Operands o = {block};
        const float *x = o.floats(n);
        run(x, n, &dealt.spread, 0, o.floats(2 * n));
    });
}

// Tables of a resize to twice the width, which stay in level 1 as they do from row to row.
struct Taps {
    Taps(int64_t taps, int64_t n)
        : index(static_cast<size_t>(taps * n)), weight(index.size(), 1.0f / static_cast<float>(taps))
    {
        for (int64_t t = 0; t < taps; t++)
            for (int64_t o = 0; o < n; o++)
                index[static_cast<size_t>(t * n + o)] = static_cast<int32_t>(std::min(o / 2 + t, n / 2 - 1));
    }
    std::vector<int32_t> index;
    std::vector<float> weight;
};

void time_ups_nearest_row_fn(benchmark::State &state, ups_nearest_row_fn *run, const Setting &setting)
{
    const int64_t n = length_of(12);
    const Taps taps(1, n);
    time_moves(state, setting, 6 * n, [&](char *block) {
        Operands o = {block};
        const float *x = o.floats(n / 2);
        run(x, taps.index.data(), n, o.floats(n));
    });
}

void time_ups_filter_row_fn(benchmark::State &state, ups_filter_row_fn *run, const Setting &setting)
{
    const int64_t n = length_of(24);
    const Taps taps(2, n);
    time_moves(state, setting, 6 * n, [&](char *block) {
        Operands o = {block};
        const float *x = o.floats(n / 2);
        run(x, taps.index.data(), taps.weight.data(), 2, n, o.floats(n));
    });
}

void time_ups_filter_rows_fn(benchmark::State &state, ups_filter_rows_fn *run, const Setting &setting)
{
    const int64_t n = length_of(12);
    const float weight[] = {0.25f, 0.75f};
    time_moves(state, setting, 12 * n, [&](char *block) {
        Operands o = {block};
        const float *rows[] = {o.floats(n), o.floats(n)};
        run(rows, weight, 2, n, o.floats(n));
    });
}

void time_ups_filter_pixels_fn(benchmark::State &state, ups_filter_pixels_fn *run, const Setting &setting)
{
    const int64_t channels = 64, n = std::max<int64_t>(length_of(6) / channels / 2 * 2, 2);
    const Taps taps(2, n);
    time_moves(state, setting, 6 * n * channels, [&](char *block) {
        Operands o = {block};
        const float *x = o.floats(n / 2 * channels);
        run(x, channels, taps.index.data(), taps.weight.data(), 2, n, channels, o.floats(n * channels), channels);
    });
}

// ---- the rows ----

// Whether a rehearsal of the row's kernel leaves what one of scalar.c's does, values in [-1, 1) and sums of some hundred of
// their products; else the difference.
std::string compared(const Setting &setting, const std::vector<char> &got, const std::vector<char> &wanted)
{
    const double allowed = index_bytes(setting) ? 0 : 1e-4; // switches are no floats: the same bits
    for (size_t i = 0; i + sizeof(float) <= got.size(); i += sizeof(float)) {
        float g, w;
        std::memcpy(&g, &got[i], sizeof g);
        std::memcpy(&w, &wanted[i], sizeof w);
        if (!std::memcmp(&g, &w, sizeof g) || (allowed > 0 && std::fabs(g - w) <= allowed)) continue;
        char text[128];
        snprintf(text, sizeof text, "wrong: element %zu of its block is %.9g, by scalar.c %.9g", i / sizeof g, g, w);
        return text;
    }
    return "";
}

struct Member {
    const char *word;
    const char *(*name)(const ups_kernels *table);
    void (*time)(benchmark::State &state, const Setting &setting);
};

// An error here names the function type without an adapter.
#define MEMBER(type, member)                                                                        \
    {#member, [](const ups_kernels *table) -> const char * { return table->member.name; },          \
     [](benchmark::State &state, const Setting &setting) {                                          \
         time_##type(state,                                                                         \
                     setting.rehearsal &&setting.rehearsal->definition ? ups_tier(0)->member.run    \
                                                                       : setting.table->member.run, \
                     setting);                                                                      \
     }},
const Member members[] = {UPS_KERNEL_LIST(MEMBER)};

// Compares, then times.
void run_row(benchmark::State &state, const Member &member, Setting setting)
{
    Rehearsal own = {false, {}}, definition = {true, {}};
    setting.rehearsal = &own;
    member.time(state, setting);
    setting.rehearsal = &definition;
    if (!own.memory.empty()) member.time(state, setting);
    const std::string difference =
        own.memory.empty() ? "its adapter does not call time_calls" : compared(setting, own.memory, definition.memory);
    if (!difference.empty()) return Program::fail(state, difference);
    setting.rehearsal = nullptr;
    member.time(state, setting);
}

// The kernel's own name, gemm_14x32 of gemm_14x32_avx512; "" if it is another tier's.
std::string own_name(const std::string &name, const std::string &isa)
{
    const std::string ending = "_" + isa;
    bool own = name.size() > ending.size() && !name.compare(name.size() - ending.size(), ending.size(), ending);
    return own ? name.substr(0, name.size() - ending.size()) : "";
}

// Why the i-th tier is not run here, or NULL.
const char *refusal_of(int i)
{
    const ups_kernels *best = ups_best_tier(nullptr); // below UPSAMPLE_MAX_ISA
    if (!best) throw std::runtime_error(ups_last_error());
    if (const char *refusal = ups_tier_refusal(i)) return refusal;
    for (int lower = 0; lower < i; lower++)
        if (ups_tier(lower) == best) return "above UPSAMPLE_MAX_ISA";
    return nullptr;
}

std::vector<const ups_kernels *> wanted_tables(Program &program, const std::string &word)
{
    std::vector<const ups_kernels *> tables;
    std::string legal = "all, best";
    for (int i = 0; const ups_kernels *table = ups_tier(i); i++) {
        const char *refusal = refusal_of(i);
        if (refusal && (word == "all" || word == table->isa))
            program.note(std::string("not run: ") + table->isa + ": " + refusal);
        if (refusal) continue;
        if (word == "best") tables.clear();
        if (word == "all" || word == "best" || word == table->isa) tables.push_back(table);
        legal += std::string(", ") + table->isa;
    }
    if (tables.empty()) program.refuse("--isa=" + word + ": this machine runs " + legal);
    return tables;
}

int run(int argc, char **argv)
{
    std::string isa = "all";
    Program program(argc, argv, help, {{"--isa", &isa, nullptr}});
    if (!program.operands().empty()) program.refuse(program.operands()[0] + ": bench_kernels takes no operands");
    const std::vector<const ups_kernels *> tables = wanted_tables(program, isa);
    std::unique_ptr<Machine> machine;
    std::vector<std::string> tiers;
    for (const ups_kernels *table : tables) {
        tiers.push_back(table->isa);
        for (const Member &member : members) {
            const std::string name = own_name(member.name(table), table->isa);
            if (name.empty()) continue;
            for (Place place : {IN_L1, IN_L2, IN_MEMORY})
                program.add(name + "/" + table->isa + "/" + place_name(place), benchmark::kMicrosecond,
                            [table, &member, place, &machine](benchmark::State &state) {
                                run_row(state, member, {table, member.word, place, machine.get(), nullptr});
                            });
        }
    }
    return program.run(40, 0.2, [&] {
        machine = std::make_unique<Machine>(tiers, std::vector<int>{1});
        machine->add_context();
        benchmark::AddCustomContext("threads", "1");
    });
}

} // namespace
} // namespace bench

int main(int argc, char **argv)
{
    try {
        return bench::run(argc, argv);
    } catch (const std::exception &error) {
        std::cerr << "bench_kernels: " << error.what() << std::endl;
        return 1;
    }
}
