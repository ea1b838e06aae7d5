// SPDX-License-Identifier: MIT
#include "machine.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <new>
#include <thread>

#include "machine_loops.h"
#include "upsample/upsample.h"

namespace bench
{
namespace
{

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to)
{
    return std::chrono::duration<double>(to - from).count();
}

// Runs work(0) … work(threads - 1) at the same time; the seconds from the first start to the last end.
double time_together(int threads, const std::function<void(int)> &work)
{
    std::vector<Clock::time_point> begin(threads), end(threads);
    std::atomic<int> waiting{threads};
    auto one = [&](int i) {
        waiting.fetch_sub(1);
        while (waiting.load(std::memory_order_acquire) > 0) std::this_thread::yield();
        begin[i] = Clock::now();
        work(i);
        end[i] = Clock::now();
    };
    std::vector<std::thread> others;
    for (int i = 1; i < threads; i++) others.emplace_back(one, i);
    one(0);
    for (std::thread &other : others) other.join();
    return seconds_between(*std::min_element(begin.begin(), begin.end()), *std::max_element(end.begin(), end.end()));
}

// The best of many samples of a millisecond: what disturbs a measurement only makes it slower, and a short sample finds its
// place between two disturbances. repeat(n, i) does the work n times on thread i.
double best_seconds_of_one(int threads, const std::function<void(int64_t, int)> &repeat)
{
    enum { LEAST_SAMPLES = 5 };
    const double enough = 1e-3, enough_in_all = 25e-3;
    int64_t count = 1;
    double best;
    while ((best = time_together(threads, [&](int i) { repeat(count, i); })) < enough) count *= 2;
    double all = best;
    for (int s = 1; s < LEAST_SAMPLES || all < enough_in_all; s++) {
        double seconds = time_together(threads, [&](int i) { repeat(count, i); });
        best = std::min(best, seconds);
        all += seconds;
    }
    return best / static_cast<double>(count);
}

double measure_fma(const Loops &loops, int threads)
{
    const int64_t steps = 1000;
    double seconds = best_seconds_of_one(threads, [&](int64_t n, int) { loops.fma(n * steps); });
    return static_cast<double>(loops.fma_flops * steps * threads) / seconds * 1e-9;
}

struct Free {
    void operator()(char *memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<char, Free>;

Memory allocate(int64_t bytes)
{
    char *memory = static_cast<char *>(std::aligned_alloc(4096, static_cast<size_t>((bytes + 4095) / 4096 * 4096)));
    if (!memory) throw std::bad_alloc();
    std::memset(memory, 0, static_cast<size_t>(bytes));
    return Memory(memory);
}

// Bytes of each thread's source, and of its destination. Levels 1 and 2 are each core's own, what lies behind is shared.
int64_t share_of(Place place, int threads)
{
    int64_t bytes = working_set(place) / 2 / (place == IN_L1 || place == IN_L2 ? 1 : threads);
    return std::max<int64_t>(bytes / 256 * 256, 256);
}

Rates measure_rates(const Loops &loops, Place place, int threads)
{
    // Source and destination start half a page and five lines apart, so that a store never waits for a load 4096 bytes on.
    const int64_t share = share_of(place, threads), apart = share + 2048 + 320,
                  stride = (share + apart + 4095) / 4096 * 4096;
    Memory memory = allocate(stride * threads);
    auto gbps = [&](auto loop, int sides) {
        double seconds = best_seconds_of_one(threads, [&](int64_t n, int i) {
            char *from = memory.get() + i * stride, *to = from + apart;
            for (; n > 0; n--) loop(to, from, static_cast<size_t>(share));
        });
        return static_cast<double>(share * threads * sides) / seconds * 1e-9;
    };
    return {gbps(loops.copy, 2), gbps(loops.copy_nt, 2), gbps(loops.store, 1), gbps(loops.store_nt, 1),
            gbps(loops.read, 1)};
}

const Loops *loops_of(const std::string &tier)
{
#if defined(__x86_64__)
    if (tier == "avx2") return &loops_avx2;
    if (tier == "avx512") return &loops_avx512;
#elif defined(__aarch64__)
    if (tier == "neon") return &loops_neon;
#endif
    return &loops_scalar;
}

std::string cpu_name()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (!line.compare(0, 10, "model name")) return line.substr(line.find(':') + 2);
    return "unknown";
}

std::string text_of(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.1f", value);
    return text;
}

} // namespace

const char *place_name(Place place)
{
    static const char *const names[] = {"L1", "L2", "L3", "memory"};
    return names[place];
}

int64_t cache_bytes(int level)
{
    int64_t bytes = 0;
    for (const benchmark::CPUInfo::CacheInfo &cache : benchmark::CPUInfo::Get().caches)
        if (cache.level == level && cache.type != "Instruction") bytes = std::max<int64_t>(bytes, cache.size);
    if (bytes > 0) return bytes;
    return level == 1 ? 32 << 10 : level == 2 ? 512 << 10 : cache_bytes(2);
}

int64_t working_set(Place place)
{
    switch (place) {
    case IN_L1: return cache_bytes(1) / 2;
    case IN_L2: return cache_bytes(2) / 2;
    case IN_L3: return cache_bytes(3) / 2;
    default: break;
    }
    int64_t most = int64_t{sysconf(_SC_AVPHYS_PAGES)} * sysconf(_SC_PAGESIZE) / 4;
    return std::min({4 * cache_bytes(3), int64_t{1} << 30, std::max(most, int64_t{8} << 20)});
}

Machine::Machine(const std::vector<std::string> &tiers, const std::vector<int> &thread_counts)
{
    for (int threads : thread_counts) {
        for (const std::string &tier : tiers) fma_[{tier, threads}] = measure_fma(*loops_of(tier), threads);
        std::array<Rates, PLACES> &rates = rates_[threads];
        for (int place = 0; place < PLACES; place++)
            rates[place] = measure_rates(*loops_of(tiers.back()), static_cast<Place>(place), threads);
    }
}

Place Machine::place_of(double bytes, int threads) const
{
    if (bytes / threads <= static_cast<double>(cache_bytes(1))) return IN_L1;
    if (bytes / threads <= static_cast<double>(cache_bytes(2))) return IN_L2;
    return bytes <= static_cast<double>(cache_bytes(3)) ? IN_L3 : IN_MEMORY;
}

double Machine::move_seconds(double read_bytes, double written_bytes, int threads) const
{
    const Rates &r = rates(place_of(read_bytes + written_bytes, threads), threads);
    double both = std::min(read_bytes, written_bytes);
    return (2 * both / r.copy() + (read_bytes - both) / r.read + (written_bytes - both) / r.store()) * 1e-9;
}

std::map<std::string, std::string> machine_facts()
{
    std::map<std::string, std::string> facts = {{"cpu", cpu_name()},
                                                {"upsample_version", ups_version()},
                                                {"compiler", BENCH_COMPILER},
                                                {"build_type", BENCH_BUILD_TYPE}};
    for (int level = 1; level <= 3; level++)
        facts["cache_bytes/L" + std::to_string(level)] = std::to_string(cache_bytes(level));
    return facts;
}

void Machine::add_context() const
{
    for (const auto &[fact, value] : machine_facts()) benchmark::AddCustomContext(fact, value);
    for (const auto &[key, gflops] : fma_)
        benchmark::AddCustomContext("fma_gflops/" + key.first + "/t" + std::to_string(key.second), text_of(gflops));
    for (const auto &[threads, rates] : rates_)
        for (int place = 0; place < PLACES; place++) {
            const Rates &r = rates[place];
            const std::pair<const char *, double> kinds[] = {{"copy", r.copy_plain},
                                                             {"copy_nt", r.copy_nt},
                                                             {"store", r.store_plain},
                                                             {"store_nt", r.store_nt},
                                                             {"read", r.read}};
            for (const auto &[kind, gbps] : kinds)
                benchmark::AddCustomContext(std::string(kind) + "_gbps/" + place_name(static_cast<Place>(place)) +
                                                "/t" + std::to_string(threads),
                                            text_of(gbps));
        }
}

} // namespace bench
