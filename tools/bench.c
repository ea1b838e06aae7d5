/* SPDX-License-Identifier: MIT
 *
 * `upsample bench`: runs the bench programs that were built with the library, and makes a table of the lines they write
 * (bench/program.h says which). Everything is measured there; here it is only found, watched, shown and filed.
 */
#define _GNU_SOURCE /* dladdr, getline, posix_spawnp, readlink, sigaction */
#include "command.h"
#include "output.h"

#include <cjson/cJSON.h>
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* From the directory of this program to the bench programs, installed; CMake knows better where directories are moved. */
#ifndef UPSAMPLE_LIBEXEC_FROM_BIN
#    define UPSAMPLE_LIBEXEC_FROM_BIN "../libexec/upsample"
#endif

static const char help_text[] =
    "usage: upsample bench [OP …] [option …]\n"
    "\n"
    "Times the library on layers of known networks, beside what this machine can do at most, which is measured first.\n"
    "Without arguments about a minute: the layers marked quick by every algorithm on every tier of this machine. A "
    "row's\n"
    "result is compared with the same computed another way before it is timed; a wrong one is shown and not timed.\n"
    "\n"
    "  OP                of max_pool, avg_pool, max_unpool, replicate, bed_of_nails, pixel_shuffle, resize,\n"
    "                    conv_transpose …: these alone\n"
    "  --isa NAME        all (each tier this machine runs; the default), best, scalar, avx2, avx512, neon\n"
    "  --algorithm NAME  all (the default), auto (what the library chooses), or one: phase, planar, gemm …\n"
    "  --layout NAME     first (the default), last, all\n"
    "  --threads N       1 without it\n"
    "  --filter RE       only rows whose name, like conv_transpose/unet2/f32/first/phase/avx2/t1, has a match of this\n"
    "                    extended regular expression\n"
    "  --all             every layer, not only the quick ones\n"
    "  --kernels         after them each kernel alone, in level 1, level 2 and beyond the caches\n"
    "  --peers           after them the libraries people use today on the same layers, in both layouts, against what "
    "the\n"
    "                    library chooses by itself: PyTorch, ONNX Runtime, OpenVINO, ncnn …, those that are installed\n"
    "                    for the Python; of the operations' rows then only what the library chooses, without --isa\n"
    "                    and --algorithm\n"
    "  --python FILE     the Python that has them; python3 without it. peers/setup, beside the programs, makes one\n"
    "  --list            the names of the rows that would be timed\n"
    "  --json FILE       all of it in the format of Google Benchmark: context, benchmarks\n"
    "\n"
    "  ms, GFLOP/s, GB/s   of one call: useful multiply-adds twice; every operand once\n"
    "  fma %, roof %       of the tier's multiply-add peak; of what multiply-adds and bytes together allow\n"
    "  *                   the algorithm that the library takes by itself\n"
    "  plan                200 plans of a layer's operation, for as many lengths of its first axis\n"
    "  unet2@14x14         the layer on a smaller source: the scalar tier's rate shows there too;\n"
    "                      its * is the whole layer's\n"
    "\n"
    "The programs are in ../libexec/upsample beside this one's directory; UPSAMPLE_LIBEXEC names another.\n";

enum { WIDTH = 100 }; /* of the table */

struct bench {
    /* the command line */
    const char *isa, *algorithm, *layout, *filter, *json_path, *python;
    int64_t threads;
    bool all, kernels, peers, list;
    int op_count;
    char **ops;
    /* what came */
    cJSON *context, *rows; /* for the file */
    int64_t expected, done, failed;
    int64_t begun_at; /* done when the program that runs began */
    double start_ms;
    char family[256];     /* of the last row: a new one gets a heading */
    bool progress, shown; /* stderr is a terminal; its line is not empty */
    struct output file;
};

/* ---- the child ---- */

static volatile pid_t child;
static volatile sig_atomic_t caught;

static void end_child(int signal)
{
    caught = signal;
    if (child > 0) kill(child, SIGTERM);
}

/* A signal to this command ends the child, and then this command. Ignored ones stay ignored. */
static void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction old, ours = {.sa_handler = end_child};
        sigemptyset(&ours.sa_mask);
        if (!sigaction(signals[i], NULL, &old) && old.sa_handler == SIG_DFL) sigaction(signals[i], &ours, NULL);
    }
}

/* Ends this command by the signal that was caught, as if there had been no handler. */
static void pass_signal_on(void)
{
    struct sigaction usual = {.sa_handler = SIG_DFL};
    if (!caught) return;
    sigemptyset(&usual.sa_mask);
    sigaction(caught, &usual, NULL);
    raise(caught);
}

/* The directory of this program, without a slash at its end. */
static int own_directory(char *path, size_t capacity)
{
    ssize_t length = readlink("/proc/self/exe", path, capacity - 1);
    if (length < 0) return fail("bench: cannot tell where this program is: %s; set UPSAMPLE_LIBEXEC", strerror(errno));
    path[length] = 0;
    char *slash = strrchr(path, '/');
    if (slash) *slash = 0;
    return 0;
}

/* Where a bench program is: in UPSAMPLE_LIBEXEC; else installed; else in the build tree. */
static int find_program(const char *name, char *path, size_t capacity)
{
    char own[4096];
    const char *given = getenv("UPSAMPLE_LIBEXEC"), *const beside[] = {UPSAMPLE_LIBEXEC_FROM_BIN, "bench"};
    if (given && *given) {
        snprintf(path, capacity, "%s/%s", given, name);
        return access(path, X_OK) ? fail("%s: %s, in the place UPSAMPLE_LIBEXEC names", path, strerror(errno)) : 0;
    }
    int code = own_directory(own, sizeof own);
    for (int i = 0; !code && i < 2; i++) {
        snprintf(path, capacity, "%s/%s/%s", own, beside[i], name);
        if (!access(path, X_OK)) return 0;
    }
    return code ? code
                : fail("the bench is not installed: there is no %s/%s/%s. It is built by default where Google "
                       "Benchmark and "
                       "nlohmann-json are found (tools/deps installs them)",
                       own, UPSAMPLE_LIBEXEC_FROM_BIN, name);
}

/* The file the library's code in this process is from: what the peers are compared with. NULL if nothing tells. */
static const char *library_file(void)
{
    Dl_info info;
    void *symbol = dlsym(RTLD_DEFAULT, "ups_version");
    return symbol && dladdr(symbol, &info) ? info.dli_fname : NULL;
}

/* Starts the program with its stdout in a pipe; the other end, or NULL after the line on stderr, which ends with the hint. */
static FILE *start_program(char **arguments, const char *hint)
{
    extern char **environ;
    int ends[2];
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe(ends)) {
        fail("bench: no pipe: %s", strerror(errno));
        return NULL;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    posix_spawn_file_actions_addclose(&actions, ends[1]);
    int error = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        fail("%s: cannot be run: %s%s", arguments[0], strerror(error), hint);
        return NULL;
    }
    child = pid;
    if (caught) end_child(caught); /* came before there was a child */
    return fdopen(ends[0], "r");
}

/* Waits for the end; its exit code, or EXIT_FAILED after a line on stderr, unless a failure has been told already. */
static int end_program(const char *path, bool told)
{
    int status;
    pid_t pid = child, ended;
    while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR) continue;
    child = 0;
    if (caught || told) return EXIT_FAILED;
    if (ended < 0) return fail("%s: %s", path, strerror(errno));
    if (WIFSIGNALED(status)) return fail("%s: ended by signal %d", path, WTERMSIG(status));
    return WEXITSTATUS(status);
}

/* ---- numbers and words of a line ---- */

static double number(const cJSON *object, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

/* Of the context, where values are texts too. */
static double text_number(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? strtod(text, NULL) : NAN;
}

static const char *word(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "";
}

/* A number in at most `width` columns with three significant digits or more, "" for none. */
static const char *short_number(double value, char *text, size_t capacity)
{
    int decimals = fabs(value) < 9.9995 ? 3 : fabs(value) < 99.995 ? 2 : fabs(value) < 999.95 ? 1 : 0;
    if (isnan(value))
        *text = 0;
    else if (fabs(value) < 1e7)
        snprintf(text, capacity, "%.*f", decimals, value);
    else
        snprintf(text, capacity, "%.3g", value);
    return text;
}

/* One decimal is what a measurement is worth. */
static const char *percent(double value, char *text, size_t capacity)
{
    *text = 0;
    if (!isnan(value)) snprintf(text, capacity, "%.1f", value);
    return text;
}

/* The parts of a name between slashes; the last keeps what is too much. */
static int split(char *name, char **parts, int capacity)
{
    int count = 0;
    while (count < capacity) {
        parts[count++] = name;
        char *slash = count < capacity ? strchr(name, '/') : NULL;
        if (!slash) break;
        *slash = 0;
        name = slash + 1;
    }
    return count;
}

/* ---- the table ---- */

static void clear_progress(struct bench *b)
{
    if (b->shown) fputs("\r\033[K", stderr);
    b->shown = false;
}

static void show_progress(struct bench *b)
{
    if (!b->progress || !b->expected) return;
    int64_t since = b->done - b->begun_at;
    double each = since ? (clock_ms() - b->start_ms) / (double)since : 0;
    fprintf(stderr, "\r\033[K%lld of %lld rows", (long long)b->done, (long long)b->expected);
    if (since) fprintf(stderr, ", about %.0f s left", each * (double)(b->expected - b->done) / 1e3);
    fflush(stderr);
    b->shown = true;
}

/* What this machine is and can, once. */
static void print_context(const cJSON *c, int64_t threads)
{
    char line[512], name[64], number_text[32];
    snprintf(line, sizeof line, "%s, caches %.0f KiB, %.0f KiB, %.0f KiB; built by %s, %s", word(c, "cpu"),
             text_number(c, "cache_bytes/L1") / 1024, text_number(c, "cache_bytes/L2") / 1024,
             text_number(c, "cache_bytes/L3") / 1024, word(c, "compiler"), word(c, "build_type"));
    print_wrapped("", 0, line);
    size_t used =
        (size_t)snprintf(line, sizeof line, "at most, on %lld thread%s:", (long long)threads, threads > 1 ? "s" : "");
    const char *isa, *separator = "";
    for (int32_t i = 0; (isa = ups_isa_name(i)) && used < sizeof line / 2; i++) {
        snprintf(name, sizeof name, "fma_gflops/%s/t%lld", isa, (long long)threads);
        double gflops = text_number(c, name);
        if (isnan(gflops)) continue;
        used += (size_t)snprintf(line + used, sizeof line - used, "%s %s %s", separator, isa,
                                 short_number(gflops, number_text, sizeof number_text));
        separator = ",";
    }
    used += (size_t)snprintf(line + used, sizeof line - used, " GFLOP/s; copying");
    static const char *const places[] = {"L1", "L2", "L3", "memory"};
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "copy_gbps/%s/t%lld", places[i], (long long)threads);
        double plain = text_number(c, name);
        snprintf(name, sizeof name, "copy_nt_gbps/%s/t%lld", places[i], (long long)threads);
        double best = fmax(plain, text_number(c, name));
        used += (size_t)snprintf(line + used, sizeof line - used, "%s %s %s", i ? "," : "", places[i],
                                 short_number(best, number_text, sizeof number_text));
    }
    snprintf(line + used, sizeof line - used, " GB/s");
    print_wrapped("", 0, line);
}

/* A heading when another family begins: the operation, or "kernel". */
static void print_heading(struct bench *b, const char *family, bool operation)
{
    if (!strcmp(b->family, family)) return;
    snprintf(b->family, sizeof b->family, "%s", family);
    if (operation)
        printf("\n%-27s %-6s %-10s %-7s %2s %10s %8s %7s %6s %6s\n", family, "layout", "algorithm", "isa", "t", "ms",
               "GFLOP/s", "GB/s", "fma %", "roof %");
    else
        printf("\n%-27s %-8s %-7s %12s %9s %8s %7s %7s\n", family, "isa", "in", "us", "GFLOP/s", "GB/s", "fma %",
               "copy %");
}

/* op/layer/dtype/layout/algorithm/isa/threads */
static void print_operation(struct bench *b, char **parts, const cJSON *row)
{
    char texts[5][32], layer[96], algorithm[64];
    print_heading(b, parts[0], true);
    snprintf(layer, sizeof layer, "%.60s%s%.16s", parts[1], strcmp(parts[2], "f32") ? " " : "",
             strcmp(parts[2], "f32") ? parts[2] : "");
    snprintf(algorithm, sizeof algorithm, "%.40s%s", parts[4], number(row, "chosen") > 0 ? "*" : "");
    printf("%-27.27s %-6s %-10.10s %-7s %2s %10s %8s %7s %6s %6s\n", layer, parts[3], algorithm, parts[5], parts[6] + 1,
           short_number(number(row, "real_time"), texts[0], sizeof texts[0]),
           short_number(number(row, "gflops"), texts[1], sizeof texts[1]),
           short_number(number(row, "gbps"), texts[2], sizeof texts[2]),
           percent(number(row, "fma_percent"), texts[3], sizeof texts[3]),
           percent(number(row, "roof_percent"), texts[4], sizeof texts[4]));
}

/* kernel/isa/place */
static void print_kernel(struct bench *b, char **parts, const cJSON *row)
{
    char texts[5][32];
    print_heading(b, "kernel", false);
    printf("%-27.27s %-8s %-7s %12s %9s %8s %7s %7s\n", parts[0], parts[1], parts[2],
           short_number(number(row, "real_time"), texts[0], sizeof texts[0]),
           short_number(number(row, "gflops"), texts[1], sizeof texts[1]),
           short_number(number(row, "gbps"), texts[2], sizeof texts[2]),
           percent(number(row, "fma_percent"), texts[3], sizeof texts[3]),
           percent(number(row, "copy_percent"), texts[4], sizeof texts[4]));
}

/* Of the peers: their table comes as text, which has said it. */
static bool is_of_peers(const cJSON *row)
{
    return cJSON_HasObjectItem(row, "peer");
}

static void print_row(struct bench *b, const cJSON *row)
{
    char name[256], *parts[7];
    if (is_of_peers(row)) return;
    snprintf(name, sizeof name, "%s", word(row, "name"));
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(row, "error_occurred"))) {
        b->failed++;
        print_wrapped("", 0, name);
        print_wrapped("    ", 4, word(row, "error_message"));
        return;
    }
    int count = split(name, parts, 7);
    if (count == 7)
        print_operation(b, parts, row);
    else if (count == 3)
        print_kernel(b, parts, row);
    else
        print_wrapped("", 0, word(row, "name"));
}

/* ---- the lines ---- */

/* Adds to the rows for the file. */
static void keep(cJSON *array, const cJSON *item)
{
    cJSON_AddItemToArray(array, cJSON_Duplicate(item, true));
}

static void take_context(struct bench *b, const char *program, const cJSON *context)
{
    if (!b->context) {
        b->context = cJSON_Duplicate(context, true);
        print_context(context, b->threads);
    } else { /* of bench_kernels, whose rows refer to what it measured itself; of peers */
        cJSON_AddItemToObject(b->context, program, cJSON_Duplicate(context, true));
    }
}

static int take_line(struct bench *b, const char *program, const char *path, const char *line, bool *ended)
{
    cJSON *object = cJSON_Parse(line);
    const cJSON *item = object ? object->child : NULL;
    if (!item || !item->string) {
        cJSON_Delete(object);
        return fail("%s: a line that is none of its: %.60s", path, line);
    }
    clear_progress(b);
    if (!strcmp(item->string, "begin")) {
        if (!b->expected && number(item, "rows") > 0)
            printf("upsample %s bench, %.0f rows\n", word(item, "version"), number(item, "rows"));
        b->expected += (int64_t)number(item, "rows");
        b->start_ms = clock_ms();
        b->begun_at = b->done;
    } else if (!strcmp(item->string, "refuse")) {
        int code = fail("bench: %s", cJSON_IsString(item) ? item->valuestring : program);
        cJSON_Delete(object);
        return code;
    } else if (!strcmp(item->string, "text")) {
        printf("%s\n", cJSON_IsString(item) ? item->valuestring : "");
    } else if (!strcmp(item->string, "note")) {
        print_wrapped("", 0, item->valuestring ? item->valuestring : "");
    } else if (!strcmp(item->string, "context")) {
        take_context(b, program, item);
    } else if (!strcmp(item->string, "row")) {
        if (!is_of_peers(item)) b->done++;
        print_row(b, item);
        keep(b->rows, item);
    } else if (!strcmp(item->string, "done")) { /* a layer, of peers */
        b->done++;
    } else if (!strcmp(item->string, "end")) {
        *ended = true;
    }
    cJSON_Delete(object);
    int code = finish_stdout(); /* by line, into a pipe too */
    if (!code) show_progress(b);
    return code;
}

static int read_lines(struct bench *b, const char *program, const char *path, FILE *from, bool *ended)
{
    char *line = NULL;
    size_t capacity = 0;
    int code = 0;
    while (!code && !caught && getline(&line, &capacity, from) > 0) {
        line[strcspn(line, "\n")] = 0;
        if (b->list) {
            puts(line);
            code = finish_stdout();
        } else {
            code = take_line(b, program, path, line, ended);
        }
    }
    free(line);
    clear_progress(b);
    if (code || caught) end_child(caught);
    return code;
}

/* ---- one program ---- */

enum { MOST_ARGUMENTS = 64 };

struct arguments {
    char *list[MOST_ARGUMENTS + 1], text[32][4200];
    int count, texts;
};

static void add(struct arguments *a, const char *argument)
{
    if (a->count < MOST_ARGUMENTS) a->list[a->count++] = (char *)argument;
}

static int add_value(struct arguments *a, const char *name, const char *value)
{
    if (!value) return 0;
    char *text = a->text[a->texts++];
    if (snprintf(text, sizeof a->text[0], "%s=%s", name, value) >= (int)sizeof a->text[0])
        return fail_usage("%s: longer than 4000 bytes", name);
    add(a, text);
    return 0;
}

/* Of bench_ops (operations) and bench_kernels. */
static int collect(const struct bench *b, bool operations, char *path, struct arguments *a)
{
    char threads[24];
    snprintf(threads, sizeof threads, "%lld", (long long)b->threads);
    *a = (struct arguments){.count = 0};
    add(a, path);
    add(a, b->list ? "--list" : "--lines");
    const bool chosen = b->peers && operations && !b->isa && !b->algorithm;
    int code = add_value(a, "--isa", chosen ? "best" : b->isa);
    if (!code) code = add_value(a, "--benchmark_filter", b->filter);
    if (code || !operations) return code;
    if (b->all) add(a, "--all");
    code = add_value(a, "--algorithm", chosen ? "auto" : b->algorithm);
    if (!code) code = add_value(a, "--layout", b->layout);
    if (!code) code = add_value(a, "--threads", threads);
    for (int i = 0; !code && i < b->op_count; i++) add(a, b->ops[i]);
    return code;
}

static int collect_peers(const struct bench *b, char *path, struct arguments *a)
{
    char threads[24];
    snprintf(threads, sizeof threads, "%lld", (long long)b->threads);
    *a = (struct arguments){.count = 0};
    add(a, (char *)b->python);
    add(a, path);
    add(a, "--lines");
    int code = add_value(a, "--python", b->python); /* this one, not the one in build/peers */
    if (!code) code = add_value(a, "--library", library_file());
    if (!code) code = add_value(a, "--threads", threads);
    if (!code) code = add_value(a, "--layers", b->all ? "." : "quick");
    if (!code) code = add_value(a, "--layout", b->layout);
    if (!code) code = add_value(a, "--filter", b->filter);
    for (int i = 0; !code && i < b->op_count; i++) code = add_value(a, "--op", b->ops[i]);
    return code;
}

/* name: bench_ops, bench_kernels, or peers, a Python program in a directory of its own. */
static int run_program(struct bench *b, const char *name)
{
    char path[4200];
    const bool peers = !strcmp(name, "peers");
    struct arguments arguments;
    int code = find_program(peers ? "peers/run" : name, path, sizeof path);
    if (!code)
        code = peers ? collect_peers(b, path, &arguments) : collect(b, !strcmp(name, "bench_ops"), path, &arguments);
    FILE *lines = code ? NULL : start_program(arguments.list, peers ? "; --python names another Python" : "");
    if (!lines) return code ? code : EXIT_FAILED;
    bool ended = b->list;
    code = read_lines(b, name, path, lines, &ended);
    fclose(lines);
    int exit_code = end_program(path, code);
    if (!code && !exit_code && !ended) return fail("%s: did not come to its end", path);
    return code ? code : exit_code;
}

/* ---- all of it ---- */

static int write_file(struct bench *b)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddItemToObject(object, "context", b->context ? b->context : cJSON_CreateObject());
    cJSON_AddItemToObject(object, "benchmarks", b->rows);
    b->context = b->rows = NULL;
    char *text = cJSON_Print(object);
    cJSON_Delete(object);
    if (!text) return fail("no memory");
    fprintf(b->file.file, "%s\n", text);
    free(text);
    return output_commit(&b->file);
}

static int read_arguments(int argc, char **argv, struct bench *b)
{
    const struct command_option options[] = {
        {.name = "--isa", .text = &b->isa},        {.name = "--algorithm", .text = &b->algorithm},
        {.name = "--layout", .text = &b->layout},  {.name = "--filter", .text = &b->filter},
        {.name = "--json", .text = &b->json_path}, {.name = "--threads", .count = &b->threads, .low = 1, .high = 1024},
        {.name = "--all", .flag = &b->all},        {.name = "--kernels", .flag = &b->kernels},
        {.name = "--list", .flag = &b->list},      {.name = "--peers", .flag = &b->peers},
        {.name = "--python", .text = &b->python},  {.name = NULL},
    };
    int code = take_options(&argc, argv, options);
    if (code) return code;
    b->ops = argv + 1;
    b->op_count = argc - 1;
    if (b->op_count > 16) return fail_usage("bench: more operations than there are");
    for (int i = 0; i < b->op_count; i++)
        if (!ups_op_code(b->ops[i])) return fail_usage("%s: no such operation; see upsample bench --help", b->ops[i]);
    return 0;
}

/* The codes of both programs count; rows of neither are a failure. */
static int run_programs(struct bench *b)
{
    const char *const more[] = {b->kernels ? "bench_kernels" : NULL, b->peers && !b->list ? "peers" : NULL};
    int code = run_program(b, "bench_ops");
    for (int i = 0; i < 2; i++) {
        if (!more[i] || caught || code == EXIT_USAGE) continue;
        int other = run_program(b, more[i]);
        if (!code) code = other;
    }
    if (caught || b->list) return code;
    if (!code && !b->done)
        return fail("bench: no row has such a name, operation, tier or algorithm; --all takes every layer");
    if (b->failed) code = fail("bench: %lld of %lld rows failed", (long long)b->failed, (long long)b->done);
    return code;
}

int command_bench(int argc, char **argv)
{
    struct bench b = {.threads = 1, .python = "python3", .progress = isatty(2)};
    if (wants_help(argc, argv)) return print_help(help_text);
    int code = read_arguments(argc, argv, &b);
    if (code) return code;
    catch_signals(); /* first: output.c leaves signals alone that are caught */
    if (b.json_path && !b.list) code = output_open(&b.file, b.json_path);
    b.rows = cJSON_CreateArray();
    if (!code) code = run_programs(&b);
    if (b.file.file && !caught && b.done) {
        int written = write_file(&b);
        if (!code) code = written;
    }
    output_abandon(&b.file);
    cJSON_Delete(b.context);
    cJSON_Delete(b.rows);
    pass_signal_on();
    return code;
}
