// SPDX-License-Identifier: MIT
//
// What bench_ops and bench_kernels share: they are ordinary Google Benchmark programs, whose flags work as everywhere, with
// two differences. Names are exactly the schema's, without Google Benchmark's endings ("/real_time"), also for
// --benchmark_filter. And --lines makes them write JSON lines to stdout for `upsample bench`, each object with one member:
//
//     {"begin": {"program", "version", "rows"}}     at once
//     {"note": "sentence"}                          what is not run, and why
//     {"context": {…}}                              when the machine is measured: Google Benchmark's context
//     {"row": {…}}                                  a row as in Google Benchmark's JSON, as soon as it is done
//     {"end": {"failures"}}                         without it the program did not come to its end
#ifndef UPS_BENCH_PROGRAM_H
#define UPS_BENCH_PROGRAM_H

#include <benchmark/benchmark.h>

#include <functional>
#include <string>
#include <vector>

namespace bench
{

// One flag of a program, "--name VALUE" or "--name=VALUE"; without `value` it takes none and sets `present`.
struct Flag {
    const char *name;
    std::string *value;
    bool *present;
};

class Program
{
  public:
    // Reads Google Benchmark's flags, --lines, --list and `flags`; what is left are the operands. Exits with 2 after a
    // sentence when the command line cannot be read, with 0 after --help.
    Program(int argc, char **argv, const char *help, const std::vector<Flag> &flags);

    const std::vector<std::string> &operands() const { return operands_; }

    // Adds a row if the filter takes its name. The body runs several times, with more iterations each.
    void add(const std::string &name, benchmark::TimeUnit unit, std::function<void(benchmark::State &)> body);

    // Says what is not run, and why.
    void note(const std::string &sentence);

    // Runs the rows. `seconds` is what all of them together may take, about, if the caller did not give
    // --benchmark_min_time; no row gets more than `most`. measure is called before the first row and adds to the context.
    // Returns the exit code: 1 if a row failed, or if none was selected (with --lines, the reader of the lines judges that).
    int run(double seconds, double most, const std::function<void()> &measure);

    // Ends the program with a sentence about its command line, and exit code 2.
    [[noreturn]] void refuse(const std::string &sentence) const;

    // Stops a row with a sentence; the exit code becomes 1.
    static void fail(benchmark::State &state, const std::string &sentence);

  private:
    struct Row {
        std::string name;
        benchmark::TimeUnit unit;
        std::function<void(benchmark::State &)> body;
    };
    bool selected(const std::string &name) const;
    int list() const;

    std::string program_;
    std::vector<std::string> operands_;
    std::vector<Row> rows_;
    std::vector<std::string> notes_;
    bool lines_ = false, list_ = false, min_time_given_ = false, file_given_ = false;
};

// A counter's name everywhere.
extern const char *const counter_gflops,
    *const counter_gbps, *const counter_fma_percent, *const counter_roof_percent, *const counter_copy_percent;

// Sets a counter to amount / (seconds of one iteration).
void set_rate(benchmark::State &state, const char *counter, double amount);

} // namespace bench
#endif
