// SPDX-License-Identifier: MIT
#include "program.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "upsample/upsample.h"

namespace bench
{

const char *const counter_gflops = "gflops", *const counter_gbps = "gbps", *const counter_fma_percent = "fma_percent",
                  *const counter_roof_percent = "roof_percent", *const counter_copy_percent = "copy_percent";

void set_rate(benchmark::State &state, const char *counter, double amount)
{
    state.counters[counter] = benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
}

namespace
{

int failures; // rows of this process that failed; one row may fail in several trials

using Json = nlohmann::ordered_json;

void write_line(const char *member, const Json &value)
{
    std::cout << Json{{member, value}}.dump() << std::endl;
}

// Passes everything on to another reporter, with clean names.
class CleanReporter : public benchmark::BenchmarkReporter
{
  public:
    explicit CleanReporter(std::unique_ptr<benchmark::BenchmarkReporter> inner) : inner_(std::move(inner)) {}

    bool ReportContext(const Context &context) override
    {
        inner_->SetOutputStream(&GetOutputStream());
        inner_->SetErrorStream(&GetErrorStream());
        return inner_->ReportContext(context);
    }
    void ReportRuns(const std::vector<Run> &report) override
    {
        std::vector<Run> runs = report;
        for (Run &run : runs) {
            run.run_name.time_type.clear();
            run.run_name.min_time.clear();
        }
        inner_->ReportRuns(runs);
    }
    void Finalize() override { inner_->Finalize(); }

  private:
    std::unique_ptr<benchmark::BenchmarkReporter> inner_;
};

// Takes what the JSON reporter would write to a file apart into lines.
class LineReporter : public benchmark::BenchmarkReporter
{
  public:
    LineReporter() { inner_.SetOutputStream(&text_); }

    bool ReportContext(const Context &context) override
    {
        inner_.ReportContext(context); // {"context": {…}, "benchmarks": [
        write_line("context", Json::parse(take() + "]}")["context"]);
        return true;
    }
    void ReportRuns(const std::vector<Run> &report) override
    {
        inner_.ReportRuns(report); // {…}, {…} with a comma in front except the first time
        std::string text = take();
        size_t start = text.find('{');
        if (start == std::string::npos) return;
        for (const Json &row : Json::parse("[" + text.substr(start) + "]")) write_line("row", row);
    }

  private:
    std::string take()
    {
        // What has no value (the variation of a constant over repetitions) is NaN there, and null in JSON.
        static const std::regex nan(": -?NaN\\b");
        std::string text = std::regex_replace(text_.str(), nan, ": null");
        text_.str("");
        return text;
    }
    benchmark::JSONReporter inner_;
    std::ostringstream text_;
};

[[noreturn]] void exit_usage(const std::string &program, const std::string &sentence)
{
    std::cerr << program << ": " << sentence << std::endl;
    std::exit(2);
}

// Takes the flag at argv[*i] and its value; false if it is another.
bool take(const Flag &flag, const std::string &program, int argc, char **argv, int *i)
{
    size_t length = std::strlen(flag.name);
    const char *argument = argv[*i];
    if (std::strncmp(argument, flag.name, length) || (argument[length] && argument[length] != '=')) return false;
    if (flag.present) *flag.present = true;
    if (!flag.value) {
        if (argument[length]) exit_usage(program, std::string(flag.name) + " takes no value");
    } else if (argument[length]) {
        *flag.value = argument + length + 1;
    } else if (*i + 1 < argc) {
        *flag.value = argv[++*i];
    } else {
        exit_usage(program, std::string(flag.name) + ": a value is missing");
    }
    return true;
}

const char *help_text;
void print_help()
{
    std::cout << help_text << "  --list              the names of the rows, and nothing else\n"
              << "  --lines             JSON lines, for upsample bench\n\nand every flag of Google Benchmark:\n\n";
    benchmark::PrintDefaultHelp();
}

} // namespace

Program::Program(int argc, char **argv, const char *help, const std::vector<Flag> &flags)
{
    help_text = help;
    const char *slash = std::strrchr(argv[0], '/');
    program_ = slash ? slash + 1 : argv[0];
    for (int i = 1; i < argc; i++) {
        if (!std::strncmp(argv[i], "--benchmark_min_time=", 21)) min_time_given_ = true;
        if (!std::strncmp(argv[i], "--benchmark_out=", 16)) file_given_ = true;
    }
    benchmark::Initialize(&argc, argv, print_help);

    std::vector<Flag> all = flags;
    all.push_back({"--lines", nullptr, &lines_});
    all.push_back({"--list", nullptr, &list_});
    for (int i = 1; i < argc; i++) {
        bool taken = false;
        for (const Flag &flag : all) taken = taken || take(flag, program_, argc, argv, &i);
        if (!taken && argv[i][0] == '-')
            exit_usage(program_, "unknown option " + std::string(argv[i]) + "; --help lists them");
        if (!taken) operands_.push_back(argv[i]);
    }
}

bool Program::selected(const std::string &name) const
{
    std::string filter = benchmark::GetBenchmarkFilter();
    if (filter.empty() || filter == "all") return true;
    bool negative = filter[0] == '-';
    try {
        return std::regex_search(name, std::regex(filter.substr(negative), std::regex::extended)) != negative;
    } catch (const std::regex_error &) {
        exit_usage(program_, "--benchmark_filter=" + filter + " is no extended regular expression");
    }
}

void Program::add(const std::string &name, benchmark::TimeUnit unit, std::function<void(benchmark::State &)> body)
{
    if (selected(name)) rows_.push_back({name, unit, std::move(body)});
}

void Program::refuse(const std::string &sentence) const
{
    exit_usage(program_, sentence);
}

void Program::note(const std::string &sentence)
{
    notes_.push_back(sentence);
}

void Program::fail(benchmark::State &state, const std::string &sentence)
{
    failures++;
    state.SkipWithError(sentence.c_str());
}

int Program::list() const
{
    for (const Row &row : rows_) std::cout << row.name << "\n";
    std::cout.flush();
    return 0;
}

int Program::run(double seconds, double most, const std::function<void()> &measure)
{
    if (list_ && !rows_.empty()) return list();
    for (const std::string &note : notes_)
        if (!lines_) std::cerr << program_ << ": " << note << std::endl;
    if (rows_.empty() && !lines_) {
        std::cerr << program_ << ": no row has such a name, operation, tier or algorithm" << std::endl;
        return 1;
    }
    if (lines_) {
        write_line("begin", {{"program", program_}, {"version", ups_version()}, {"rows", rows_.size()}});
        for (const std::string &note : notes_) write_line("note", note);
    }
    if (rows_.empty()) {
        write_line("end", {{"failures", 0}});
        return 0;
    }
    measure();
    // Google Benchmark finds the number of iterations in trials, which take about as long as what is counted.
    double each = std::max(std::min(seconds / 2 / static_cast<double>(rows_.size()), most), 0.005);
    for (Row &row : rows_) {
        auto *registered = benchmark::RegisterBenchmark(row.name.c_str(), row.body)->UseRealTime()->Unit(row.unit);
        if (!min_time_given_) registered->MinTime(each);
    }
    std::unique_ptr<benchmark::BenchmarkReporter> display(
        lines_ ? static_cast<benchmark::BenchmarkReporter *>(new LineReporter)
               : benchmark::CreateDefaultDisplayReporter());
    CleanReporter shown(std::move(display));
    // Google Benchmark refuses a reporter for a file that is not asked for.
    CleanReporter filed(std::make_unique<benchmark::JSONReporter>());
    benchmark::RunSpecifiedBenchmarks(&shown, file_given_ ? &filed : nullptr, ".");
    benchmark::Shutdown();
    if (lines_) write_line("end", {{"failures", failures}});
    return failures ? 1 : 0;
}

} // namespace bench
