// SPDX-License-Identifier: MIT
//
// bench_ops: whole operations through the public API, on the layers of layers.json. A row is a layer in one layout by one
// algorithm on one tier with some threads, and its name says so everywhere:
//
//     conv_transpose/unet2/f32/first/phase/avx2/t1       op / layer / dtype / layout / algorithm / tier / threads
//     conv_transpose/unet2@14x14/…/scalar/t1             the same on a smaller source: the scalar tier's rate shows there too
//
//     plan/unet2/…                                       200 plans of that op, for as many lengths of its first axis; of
//                                                        conv_transpose and resize, which compute tables, on the best tier
//
//     make/unet2/…, make_hinted/unet2/…                  the op alone, without and with a hint of the layer's sizes; where
//                                                        winograd may be packed besides. held_bytes is what it takes
//
// Operations with one algorithm call it direct. Weights are packed, and the result compared with the same computed another
// way, before anything is timed; a wrong one stops its row. Counters:
//
//     gflops                  useful multiply-adds twice (products with padding do not count)
//     gbps                    every operand once
//     fma_percent             of the tier's multiply-add peak, measured in this run
//     roof_percent            of what the slower of the two roofs allows: those multiply-adds, those bytes
//     macs, read_bytes, written_bytes, workspace_bytes, packed_bytes
//     chosen                  1: what the library takes when it is not told
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "machine.h"
#include "problem.h"
#include "program.h"

namespace bench
{
namespace
{

const char help[] =
    "usage: bench_ops [OP …] [option …]\n"
    "\n"
    "Times whole operations (all, or those named) on the layers marked quick. A row is a layer in one layout by one\n"
    "algorithm on one tier, conv_transpose/unet2/f32/first/phase/avx2/t1; the scalar tier gets smaller sources.\n"
    "\n"
    "  --all               every layer\n"
    "  --isa WORD          all (each tier this machine runs; the default), best, or a tier\n"
    "  --algorithm WORD    all (the default), auto (what the library chooses), or an algorithm\n"
    "  --layout WORD       first (the default), last, all\n"
    "  --threads N         1 without it\n"
    "  --serve             rows as stdin asks for them, for bench/report --ab\n";

struct Arguments {
    bool all = false, serve = false;
    std::string isa = "all", algorithm = "all", layout = "first", threads = "1";
};

// One row, and what of it is not yet made when it is registered.
struct Variant {
    Layer layer;
    int32_t layout;
    Choice choice;
    bool chosen;
};

// Above this the scalar tier is timed on a smaller source: some tens of milliseconds.
const double scalar_row_macs = 1.5e8;

const char *layout_word(int32_t layout)
{
    return layout == UPS_CHANNELS_FIRST ? "first" : "last";
}

std::string name_of(const Variant &v, const std::string &op)
{
    std::string dtype = "f32";
    for (const auto &[field, value] : v.layer.fields)
        if (field == "dtype") dtype = value;
    return op + "/" + v.layer.name + "/" + dtype + "/" + layout_word(v.layout) + "/" + v.choice.algorithm + "/" +
           v.choice.isa + "/t" + std::to_string(v.choice.threads);
}

// The problem and the call of the row that ran last: Google Benchmark calls a row's body several times, and neighbours share
// a problem.
struct Cache {
    std::string problem_key, name;
    std::unique_ptr<Problem> problem;
    std::unique_ptr<Call> call;
};

// "" or what is wrong.
std::string prepare(Cache &cache, const Variant &v)
{
    std::string name = name_of(v, v.layer.op), key = v.layer.op + "/" + v.layer.name + "/" + layout_word(v.layout);
    if (cache.name == name) return "";
    cache.call.reset();
    cache.name.clear();
    if (cache.problem_key != key) {
        cache.problem.reset();
        cache.problem_key.clear();
        cache.problem = std::make_unique<Problem>(v.layer, v.layout);
        cache.problem_key = key;
    }
    cache.call = std::make_unique<Call>(*cache.problem, v.choice);
    if (cache.call->told().isa != v.choice.isa) return "ran on tier " + cache.call->told().isa;
    std::string problem = cache.problem->verify(*cache.call);
    if (problem.empty()) cache.name = name;
    return problem;
}

std::string shape_text(const ups_tensor &t)
{
    std::string text;
    for (int i = 0; i < t.rank + 2; i++) text += (i ? "x" : "") + std::to_string(t.dims[i]);
    return text;
}

void report(benchmark::State &state, const Call &call, const Variant &v, const Problem &problem, const Machine &machine)
{
    const double flops = 2 * call.told().macs, bytes = call.read_bytes() + call.written_bytes();
    const double peak = machine.fma_gflops(v.choice.isa, v.choice.threads) * 1e9;
    const double roof =
        std::max(flops / peak, machine.move_seconds(call.read_bytes(), call.written_bytes(), v.choice.threads));
    if (flops > 0) {
        set_rate(state, counter_gflops, flops * 1e-9);
        set_rate(state, counter_fma_percent, 100 * flops / peak);
        state.counters["macs"] = call.told().macs;
    }
    set_rate(state, counter_gbps, bytes * 1e-9);
    set_rate(state, counter_roof_percent, 100 * roof);
    state.counters["read_bytes"] = call.read_bytes();
    state.counters["written_bytes"] = call.written_bytes();
    state.counters["workspace_bytes"] = static_cast<double>(call.workspace_bytes());
    state.counters["packed_bytes"] = call.told().packed_bytes;
    state.counters["chosen"] = v.chosen;
    state.SetLabel(shape_text(problem.src_tensor) + " -> " + shape_text(call.dst()) +
                   (call.fast_policy() ? ", policy fast" : ""));
}

void run_row(benchmark::State &state, const Variant &v, const Machine &machine)
{
    static Cache cache;
    try {
        std::string problem = prepare(cache, v);
        if (!problem.empty()) return Program::fail(state, problem);
        for (auto _ : state) cache.call->run();
        report(state, *cache.call, v, *cache.problem, machine);
    } catch (const std::exception &error) {
        Program::fail(state, error.what());
    }
}

void run_plans(benchmark::State &state, const Variant &v)
{
    try {
        Planner planner(v.layer, v.layout, v.choice);
        for (auto _ : state) planner.run();
        state.counters["plans"] = Planner::lengths;
    } catch (const std::exception &error) {
        Program::fail(state, error.what());
    }
}

void run_maker(benchmark::State &state, const Variant &v, bool hinted)
{
    try {
        Maker maker(v.layer, v.layout, v.choice, hinted);
        for (auto _ : state) maker.run();
        state.counters["held_bytes"] = static_cast<double>(maker.held());
    } catch (const std::exception &error) {
        Program::fail(state, error.what());
    }
}

// ---- which rows ----

// The tiers this machine and UPSAMPLE_MAX_ISA allow, lowest first: a cap below one that runs gives that one.
std::vector<std::string> usable_tiers(const Layer &layer)
{
    std::vector<std::string> tiers;
    for (int i = 0; const char *isa = ups_isa_name(i); i++)
        if (describe(layer, UPS_CHANNELS_FIRST, {isa, "auto", 1}).isa == isa) tiers.push_back(isa);
    return tiers;
}

std::vector<std::string> wanted_tiers(const Program &program, const std::string &word,
                                      const std::vector<std::string> &usable)
{
    if (word == "all") return usable;
    if (word == "best") return {usable.back()};
    if (std::find(usable.begin(), usable.end(), word) == usable.end()) {
        std::string text;
        for (const std::string &isa : usable) text += ", " + isa;
        program.refuse("--isa=" + word + ": this machine runs all, best" + text);
    }
    return {word};
}

std::vector<int32_t> wanted_layouts(const Program &program, const std::string &word)
{
    if (word == "all") return {UPS_CHANNELS_FIRST, UPS_CHANNELS_LAST};
    if (word == "first") return {UPS_CHANNELS_FIRST};
    if (word == "last") return {UPS_CHANNELS_LAST};
    program.refuse("--layout=" + word + ": must be one of first, last, all");
}

int wanted_threads(const Program &program, const std::string &text)
{
    char *end;
    long threads = std::strtol(text.c_str(), &end, 10);
    if (end == text.c_str() || *end || threads < 1 || threads > 1024)
        program.refuse("--threads=" + text + ": must be an integer from 1 to 1024");
    return static_cast<int>(threads);
}

// Those this process may use, which taskset and containers make fewer.
int usable_cpus()
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? static_cast<int>(std::thread::hardware_concurrency())
                                                  : CPU_COUNT(&set);
}

// The layer with its batch, then its longest axes halved until the scalar tier has little enough to do.
Layer smaller(const Layer &layer, double macs)
{
    Layer cropped = layer;
    while (macs > scalar_row_macs) {
        int64_t *most = cropped.n > 1 ? &cropped.n : &*std::max_element(cropped.sizes.begin(), cropped.sizes.end());
        if (*most == 1) break;
        macs *= static_cast<double>(*most / 2) / static_cast<double>(*most);
        *most /= 2;
    }
    if (cropped.n == layer.n && cropped.sizes == layer.sizes) return cropped;
    cropped.name += "@";
    if (cropped.n != layer.n) cropped.name += "n" + std::to_string(cropped.n) + "x";
    for (size_t i = 0; i < cropped.sizes.size(); i++) cropped.name += (i ? "x" : "") + std::to_string(cropped.sizes[i]);
    return cropped;
}

// What to ask for to get what the library takes: weights are looked at only where it may choose.
std::string by_name(const Layer &layer, const Told &chosen)
{
    return layer.bilinear ? "auto" : chosen.algorithm;
}

// Every row of a layer on a tier; NULL machine until it is measured.
void add_rows(Program &program, const Layer &full, int32_t layout, const std::string &isa, const Arguments &arguments,
              const std::unique_ptr<Machine> &machine)
{
    const int threads = wanted_threads(program, arguments.threads);
    const Told chosen = describe(full, layout, {isa, "auto", 1});
    const Layer layer = isa == "scalar" ? smaller(full, chosen.macs) : full;
    std::vector<std::string> algorithms = {by_name(layer, chosen)};
    if (arguments.algorithm != "auto" && !layer.bilinear)
        algorithms.insert(algorithms.end(), chosen.others.begin(), chosen.others.end());
    std::sort(algorithms.begin(), algorithms.end());
    for (const std::string &algorithm : algorithms) {
        if (arguments.algorithm != "auto" && arguments.algorithm != "all" && arguments.algorithm != algorithm) continue;
        Variant v = {layer, layout, {isa, algorithm, threads}, algorithm == by_name(layer, chosen)};
        try { // what the library does not do for this shape is no row
            describe(layer, layout, v.choice);
        } catch (const std::exception &) {
            continue;
        }
        program.add(name_of(v, v.layer.op), benchmark::kMillisecond,
                    [v, &machine](benchmark::State &state) { run_row(state, v, *machine); });
    }
}

// The row of a layer's plans, by what the library takes.
void add_plans(Program &program, const Layer &layer, int32_t layout, const std::string &isa, const Arguments &arguments)
{
    if (layer.op != "conv_transpose" && layer.op != "resize") return;
    const std::string algorithm = by_name(layer, describe(layer, layout, {isa, "auto", 1}));
    if (arguments.algorithm != "auto" && arguments.algorithm != "all" && arguments.algorithm != algorithm) return;
    const Variant v = {layer, layout, {isa, algorithm, 1}, true};
    program.add(name_of(v, "plan"), benchmark::kMillisecond, [v](benchmark::State &state) { run_plans(state, v); });
}

// The rows of a layer's op where it packs for two algorithms.
void add_makers(Program &program, const Layer &layer, int32_t layout, const std::string &isa,
                const Arguments &arguments)
{
    if (layer.op != "conv_transpose" || layer.bilinear || arguments.algorithm == "winograd") return;
    try {
        describe(layer, layout, {isa, "winograd", 1});
    } catch (const std::exception &) {
        return;
    }
    const std::string algorithm = by_name(layer, describe(layer, layout, {isa, "auto", 1}));
    if (arguments.algorithm != "auto" && arguments.algorithm != "all" && arguments.algorithm != algorithm) return;
    const Variant v = {layer, layout, {isa, algorithm, 1}, true};
    for (bool hinted : {false, true})
        program.add(name_of(v, hinted ? "make_hinted" : "make"), benchmark::kMillisecond,
                    [v, hinted](benchmark::State &state) { run_maker(state, v, hinted); });
}

bool named(const Program &program, const std::string &op)
{
    const std::vector<std::string> &ops = program.operands();
    return ops.empty() || std::find(ops.begin(), ops.end(), op) != ops.end();
}

// ---- rows on request, for two builds that take turns by milliseconds ----
//
// The first line on stdout is the context, a JSON object. Then a request is a line on stdin, an answer one on stdout:
//
//     check NAME      {"wrong": ""}, or what is wrong with the row of this name
//     time NAME MS    {"ms"}: the fastest call of those made in MS milliseconds, after one that is not timed

std::vector<std::string> split(const std::string &text, char separator)
{
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
    return parts;
}

// A row that was asked for by name: a call or plans.
class Served
{
  public:
    Served(const std::vector<Layer> &layers, const std::string &name)
    {
        const std::vector<std::string> parts = split(name, '/');
        if (parts.size() != 7) throw std::runtime_error(name + " is no row of bench_ops");
        const bool cropped = parts[1].find('@') != std::string::npos;
        auto layer = std::find_if(layers.begin(), layers.end(),
                                  [&](const Layer &l) { return l.name == parts[1].substr(0, parts[1].find('@')); });
        if (layer == layers.end()) throw std::runtime_error(name + ": no such layer");
        const int32_t layout = parts[3] == "last" ? UPS_CHANNELS_LAST : UPS_CHANNELS_FIRST;
        const Choice choice = {parts[5], parts[4], std::atoi(parts[6].c_str() + 1)};
        if (parts[0] == "plan") {
            planner_ = std::make_unique<Planner>(*layer, layout, choice);
            return;
        }
        if (parts[0] == "make" || parts[0] == "make_hinted") {
            maker_ = std::make_unique<Maker>(*layer, layout, choice, parts[0] == "make_hinted");
            return;
        }
        const double macs = cropped ? describe(*layer, layout, {choice.isa, "auto", 1}).macs : 0;
        variant_ = {cropped ? smaller(*layer, macs) : *layer, layout, choice, false};
        problem_ = std::make_unique<Problem>(variant_.layer, layout);
        call_ = std::make_unique<Call>(*problem_, choice);
    }

    std::string wrong() { return call_ ? problem_->verify(*call_) : ""; }
    void run() { call_ ? call_->run() : planner_ ? planner_->run() : maker_->run(); }

  private:
    Variant variant_;
    std::unique_ptr<Problem> problem_;
    std::unique_ptr<Call> call_;
    std::unique_ptr<Planner> planner_;
    std::unique_ptr<Maker> maker_;
};

// Of a few calls together where one is too short for the clock.
double least_ms(Served &row, double ms)
{
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    const auto now = [&] { return std::chrono::duration<double, std::milli>(Clock::now() - begin).count(); };
    const double enough = 0.02;
    row.run();
    const int calls = static_cast<int>(std::min(std::max(enough / std::max(now(), 1e-6), 1.0), 1e3));
    const double end = now() + ms;
    double before = now(), after, least = HUGE_VAL;
    do {
        for (int i = 0; i < calls; i++) row.run();
        after = now();
        least = std::min(least, (after - before) / calls);
        before = after;
    } while (after < end);
    return least;
}

int serve(const std::vector<Layer> &layers)
{
    std::map<std::string, std::unique_ptr<Served>> rows;
    nlohmann::json context = machine_facts();
    context["num_cpus"] = benchmark::CPUInfo::Get().num_cpus;
    std::cout << context.dump() << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        std::istringstream words(line);
        std::string request, name;
        double ms = 0;
        words >> request >> name >> ms;
        nlohmann::json answer;
        try {
            std::unique_ptr<Served> &row = rows[name];
            if (!row) row = std::make_unique<Served>(layers, name);
            if (request == "time")
                answer["ms"] = least_ms(*row, ms);
            else
                answer["wrong"] = row->wrong();
        } catch (const std::exception &error) {
            answer = {{"wrong", error.what()}};
        }
        std::cout << answer.dump() << std::endl;
    }
    return 0;
}

int run(int argc, char **argv)
{
    Arguments arguments;
    Program program(argc, argv, help,
                    {{"--all", nullptr, &arguments.all},
                     {"--serve", nullptr, &arguments.serve},
                     {"--isa", &arguments.isa, nullptr},
                     {"--algorithm", &arguments.algorithm, nullptr},
                     {"--layout", &arguments.layout, nullptr},
                     {"--threads", &arguments.threads, nullptr}});
    for (const std::string &op : program.operands())
        if (!ups_op_code(op.c_str())) program.refuse(op + ": no such operation");
    const std::vector<Layer> layers = read_layers();
    if (arguments.serve) return serve(layers);
    const std::vector<std::string> tiers = wanted_tiers(program, arguments.isa, usable_tiers(layers.at(0)));
    const std::vector<int32_t> layouts = wanted_layouts(program, arguments.layout);
    const int threads = wanted_threads(program, arguments.threads), cpus = usable_cpus();
    if (threads > cpus)
        program.note(std::to_string(threads) + " threads on " + std::to_string(cpus) +
                     " CPUs wait for each other, in the rows and in what the machine is measured with: their "
                     "percentages tell nothing");
    std::unique_ptr<Machine> machine;
    for (const Layer &layer : layers) {
        if (!named(program, layer.op) || !(layer.quick || arguments.all)) continue;
        try {
            for (int32_t layout : layouts)
                for (const std::string &isa : tiers) add_rows(program, layer, layout, isa, arguments, machine);
        } catch (const std::exception &error) {
            // With a filter nobody has asked for this layer, or everybody sees that it is not there.
            if (benchmark::GetBenchmarkFilter().empty()) program.note("not run: " + layer.op + "/" + error.what());
        }
    }
    for (const Layer &layer : layers) // behind the others, since they are a family of their own
        if (named(program, layer.op) && (layer.quick || arguments.all))
            for (int32_t layout : layouts) {
                add_plans(program, layer, layout, tiers.back(), arguments);
                add_makers(program, layer, layout, tiers.back(), arguments);
            }
    // A minute for the quick layers, whatever the number of tiers and algorithms; a steadier figure where all are asked for.
    return program.run(arguments.all ? 1e9 : 40, arguments.all ? 0.1 : 0.5, [&] {
        machine = std::make_unique<Machine>(tiers, std::vector<int>{threads});
        machine->add_context();
        benchmark::AddCustomContext("threads", std::to_string(threads));
    });
}

} // namespace
} // namespace bench

int main(int argc, char **argv)
{
    try {
        return bench::run(argc, argv);
    } catch (const std::exception &error) {
        std::cerr << "bench_ops: " << error.what() << std::endl;
        return 1;
    }
}
