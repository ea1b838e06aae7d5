/* SPDX-License-Identifier: MIT
 *
 * `upsample`: the table of subcommands, and what they share (command.h).
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime, sysconf */
#include "command.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct subcommand {
    const char *name;
    int (*function)(int argc, char **argv);
    const char *summary;
} subcommands[] = {
    {"info", command_info, "this machine, this build, and a self-test"},
    {"run", command_run, "any operation on .npy files"},
    {"explain", command_explain, "what an operation would do at given sizes, and why"},
    {"difference", command_difference, "where two frameworks mean different things by an operation"},
    {"resize", command_resize, "a picture at another size, by any of the filters"},
    {"enlarge", command_enlarge, "a picture twice as large, by waifu2x's network"},
    {"bench", command_bench, "how fast, beside what this machine can do at most"},
};
enum { SUBCOMMAND_COUNT = sizeof subcommands / sizeof subcommands[0] };

/* ---- failing ---- */

static void complain(const char *format, va_list arguments)
{
    fputs("upsample: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    return EXIT_FAILED;
}

int fail_usage(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    return EXIT_USAGE;
}

int fail_library(const char *what, int32_t status)
{
    const char *sentence = ups_last_error();
    return fail("%s: %s", what, *sentence ? sentence : ups_status_string(status));
}

int print_help(const char *text)
{
    fputs(text, stdout);
    return finish_stdout();
}

bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) return true;
    return false;
}

/* Columns of a UTF-8 text of `bytes` bytes. */
static int columns(const char *text, size_t bytes)
{
    int count = 0;
    for (size_t i = 0; i < bytes; i++) count += (text[i] & 0xc0) != 0x80;
    return count;
}

void print_wrapped(const char *start, int indent, const char *words)
{
    enum { WIDTH = 100 };
    int at = columns(start, strlen(start));
    bool fresh = true;
    fputs(start, stdout);
    for (const char *word = words; *word;) {
        size_t length = strcspn(word, " ");
        int width = columns(word, length);
        if (!fresh && at + 1 + width > WIDTH) {
            printf("\n%*s", indent, "");
            at = indent;
        } else if (!fresh) {
            putchar(' ');
            at++;
        }
        printf("%.*s", (int)length, word);
        at += width;
        fresh = false;
        word += length + (word[length] == ' ');
    }
    putchar('\n');
}

int finish_stdout(void)
{
    if (!fflush(stdout) && !ferror(stdout)) return 0;
    return fail("stdout: cannot be written: %s", strerror(errno));
}

/* ---- reading a command line ---- */

bool read_count(const char *text, int64_t low, int64_t high, int64_t *value)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno || end == text || *end || number < low || number > high) return false;
    *value = number;
    return true;
}

int read_out_sizes(const char *text, int32_t rank, int64_t sizes[3])
{
    const char *rest = text;
    bool good = true;
    for (int32_t i = 0; good && i < rank; i++) {
        char number[32];
        size_t length = strcspn(rest, ",");
        snprintf(number, sizeof number, "%.*s", (int)length, rest);
        good = length < sizeof number && read_count(number, 1, INT32_MAX, &sizes[i]) &&
               (rest[length] == ',') == (i < rank - 1);
        rest += length + (i < rank - 1);
    }
    return good ? 0 : fail_usage("--sizes=%s: must be %d numbers from 1, separated by commas", text, (int)rank);
}

static int set_option(const struct command_option *option, char *value)
{
    struct command_list *list = option->list;
    if (list && list->count == list->most)
        return fail_usage("%s %s: at most %d of them", option->name, value, list->most);
    if (list)
        list->texts[list->count++] = value;
    else if (option->text)
        *option->text = value;
    else if (!read_count(value, option->low, option->high, option->count))
        return fail_usage("%s=%s: must be an integer from %lld to %lld", option->name, value, (long long)option->low,
                          (long long)option->high);
    return 0;
}

/* Whether an argument is this option, alone or with "=value" behind it. */
static bool is_option(const char *argument, const struct command_option *option)
{
    size_t length = strlen(option->name);
    return !strncmp(argument, option->name, length) && (!argument[length] || argument[length] == '=');
}

/* The option at argv[*i]; moves *i to the last argument that belongs to it. */
static int take_option(char **argv, int *i, const struct command_option *options)
{
    char *argument = argv[*i], *equals = strchr(argument, '=');
    const struct command_option *option = options;
    while (option->name && !is_option(argument, option)) option++;
    if (!option->name) return fail_usage("unknown option %s; see upsample %s --help", argument, argv[0]);
    if (option->flag) {
        *option->flag = true;
        return equals ? fail_usage("%s takes no value", option->name) : 0;
    }
    char *value = equals ? equals + 1 : argv[++*i];
    return value ? set_option(option, value) : fail_usage("%s: a value is missing", option->name);
}

int take_options(int *argc, char **argv, const struct command_option *options)
{
    int left = 1, code;
    for (int i = 1; i < *argc; i++)
        if (argv[i][0] != '-' || !argv[i][1])
            argv[left++] = argv[i];
        else if ((code = take_option(argv, &i, options)))
            return code;
    *argc = left;
    argv[left] = NULL;
    return 0;
}

/* ---- an operation on a command line ---- */

/* One of a few words with a meaning in the header. */
struct word {
    const char *text;
    int32_t value;
};

static const struct word policies[] = {
    {"accurate", UPS_POLICY_ACCURATE}, {"fast", UPS_POLICY_FAST}, {"reproducible", UPS_POLICY_REPRODUCIBLE}, {NULL, 0}};
static const struct word layouts[] = {{"first", UPS_CHANNELS_FIRST}, {"last", UPS_CHANNELS_LAST}, {NULL, 0}};

/* Leaves *value alone when no word was given. */
static int read_word(const char *option, const char *text, const struct word *words, int32_t *value)
{
    if (!text) return 0;
    for (const struct word *w = words; w->text; w++)
        if (!strcmp(text, w->text)) {
            *value = w->value;
            return 0;
        }
    char legal[64] = "";
    for (const struct word *w = words; w->text; w++) {
        size_t used = strlen(legal);
        snprintf(legal + used, sizeof legal - used, "%s%s", w == words ? "" : ", ", w->text);
    }
    return fail_usage("%s=%s: must be one of %s", option, text, legal);
}

int read_operation(int argc, char **argv, struct request *request)
{
    if (argc < 2) return fail_usage("%s: which operation? see upsample %s --help", argv[0], argv[0]);
    request->word = argv[1];
    if (!(request->op = ups_op_code(argv[1])))
        return fail_usage("%s: no such operation; see upsample %s --help", argv[1], argv[0]);
    request->keys = argv + 2;
    request->key_count = argc - 2;
    for (int i = 0; i < request->key_count; i++)
        if (!strchr(request->keys[i], '=')) return fail_usage("%s: expected key=value", request->keys[i]);
    return 0;
}

int read_request(int argc, char **argv, const struct command_option *besides, struct request *request)
{
    const char *policy = NULL, *layout = NULL;
    *request = (struct request){.layout = UPS_CHANNELS_FIRST, .threads = 1};
    ups_options_init(&request->options, sizeof request->options);
    struct command_option options[24] = {
        {.name = "--preset", .text = &request->preset},
        {.name = "--isa", .text = &request->options.max_isa},
        {.name = "--algorithm", .text = &request->options.algorithm},
        {.name = "--policy", .text = &policy},
        {.name = "--layout", .text = &layout},
        {.name = "--threads", .count = &request->threads, .low = 1, .high = 1024},
        {.name = "--json", .flag = &request->json},
    };
    for (int i = 7; besides->name; i++) options[i] = *besides++;
    int code = take_options(&argc, argv, options);
    if (!code) code = read_word("--policy", policy, policies, &request->options.policy);
    if (!code) code = read_word("--layout", layout, layouts, &request->layout);
    return code ? code : read_operation(argc, argv, request);
}

static bool has_field(int32_t op, const char *name)
{
    const char *field;
    for (int32_t i = 0; (field = ups_desc_field(op, i)); i++)
        if (!strcmp(field, name)) return true;
    return false;
}

/* "strides=2,2" into the descriptor. */
static int set_key(union descriptor *desc, const char *key)
{
    const char *word = ups_op_word(desc->head.op);
    char name[64]; /* longer than any; a longer one is cut, and then is none either */
    size_t length = strcspn(key, "=");
    snprintf(name, sizeof name, "%.*s", (int)length, key);
    int32_t status = ups_desc_set(desc, name, key + length + 1);
    if (status && !has_field(desc->head.op, name))
        return fail("%s: %s; upsample explain --keys %s lists them", key, ups_last_error(), word);
    return status ? fail_library(word, status) : 0;
}

int start_descriptor(const struct request *request, int32_t rank, union descriptor *desc)
{
    int32_t status = ups_desc_init(desc, ups_desc_size(request->op), request->op, request->preset);
    if (status) return fail_library(request->word, status);
    desc->head.rank = rank;
    desc->head.layout = request->layout;
    for (int i = 0, code; i < request->key_count; i++)
        if ((code = set_key(desc, request->keys[i]))) return code;
    return 0;
}

int describe_request(const struct request *request, int32_t rank, const char *source, union descriptor *desc)
{
    int code = start_descriptor(request, rank, desc);
    if (!code && desc->head.rank != rank)
        return fail("rank=%d: %s has %d spatial axes", (int)desc->head.rank, source, (int)rank);
    return code;
}

void dims_from_memory(int32_t layout, int32_t rank, const int64_t *memory, int64_t *dims)
{
    bool last = layout == UPS_CHANNELS_LAST;
    dims[0] = memory[0];
    dims[1] = memory[last ? rank + 1 : 1];
    for (int i = 0; i < rank; i++) dims[2 + i] = memory[(last ? 1 : 2) + i];
}

void dims_to_memory(int32_t layout, int32_t rank, const int64_t *dims, int64_t *memory)
{
    bool last = layout == UPS_CHANNELS_LAST;
    memory[0] = dims[0];
    memory[last ? rank + 1 : 1] = dims[1];
    for (int i = 0; i < rank; i++) memory[(last ? 1 : 2) + i] = dims[2 + i];
}

/* ---- asking the library ---- */

/* ups_cpu_info has no plan; plan NULL asks it. */
static int64_t ask(const ups_plan *plan, int32_t format, char *text, size_t capacity)
{
    return plan ? ups_plan_describe(plan, format, text, capacity) : ups_cpu_info(format, text, capacity);
}

static char *answer(const ups_plan *plan, int32_t format)
{
    int64_t length = ask(plan, format, NULL, 0);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (!text) {
        fail("%s", length < 0 ? ups_last_error() : "no memory");
        return NULL;
    }
    ask(plan, format, text, (size_t)length + 1);
    return text;
}

static cJSON *parsed(char *text)
{
    cJSON *object = text ? cJSON_Parse(text) : NULL;
    if (text && !object) fail("the library's JSON cannot be read");
    free(text);
    return object;
}

char *plan_text(const ups_plan *plan, int32_t format)
{
    return answer(plan, format);
}

cJSON *plan_json(const ups_plan *plan)
{
    return parsed(answer(plan, UPS_JSON));
}

char *cpu_text(int32_t format)
{
    return answer(NULL, format);
}

cJSON *cpu_json(void)
{
    return parsed(answer(NULL, UPS_JSON));
}

cJSON *field_json(int32_t op, const char *name)
{
    int64_t length = ups_desc_explain(op, name, UPS_JSON, NULL, 0);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (!text) {
        fail("%s", length < 0 ? ups_last_error() : "no memory");
        return NULL;
    }
    ups_desc_explain(op, name, UPS_JSON, text, (size_t)length + 1);
    return parsed(text);
}

const char *json_text(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    return text ? text : "";
}

/* The word of "leaky_relu:0.1" ends at the colon. */
const char *word_meaning(const cJSON *field, const char *value)
{
    const cJSON *word;
    size_t length = strcspn(value, ":");
    cJSON_ArrayForEach(word, cJSON_GetObjectItemCaseSensitive(field, "words"))
    {
        const char *text = json_text(word, "word");
        if (strlen(text) == length && !strncmp(text, value, length)) return json_text(word, "meaning");
    }
    return "";
}

int print_json(cJSON *object)
{
    char *text = cJSON_Print(object);
    cJSON_Delete(object);
    if (!text) return fail("no memory");
    puts(text);
    free(text);
    return finish_stdout();
}

double clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

int open_threads(int64_t count, ups_threads **threads)
{
    *threads = NULL;
    if (count == 0) count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count <= 1) return 0;
    int32_t status = ups_threads_create((int32_t)(count < 1024 ? count : 1024), threads);
    if (status == UPS_UNSUPPORTED) return 0;
    return status ? fail_library("--threads", status) : 0;
}

void *allocate_bytes(size_t bytes, const char *what)
{
    size_t rounded = bytes / 64 * 64 + 64;
    void *memory = rounded > bytes ? aligned_alloc(64, rounded) : NULL;
    if (!memory) fail("%s: no memory for %zu bytes", what, bytes);
    return memory;
}

/* ---- the command ---- */

static void print_usage(FILE *file)
{
    fputs("usage: upsample COMMAND …\n\n", file);
    for (int i = 0; i < SUBCOMMAND_COUNT; i++)
        fprintf(file, "  %-12s%s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\nupsample COMMAND --help tells more, upsample --version the version.\n", file);
}

static int run_subcommand(int argc, char **argv)
{
    for (int i = 0; i < SUBCOMMAND_COUNT; i++)
        if (!strcmp(argv[0], subcommands[i].name)) return subcommands[i].function(argc, argv);
    return fail_usage("%s: no such command; see upsample --help", argv[0]);
}

/* `upsample help COMMAND` is `upsample COMMAND --help`. */
static int help(int argc, char **argv)
{
    static char flag[] = "--help";
    if (argc > 2) return run_subcommand(2, (char *[]){argv[2], flag, NULL});
    print_usage(stdout);
    return finish_stdout();
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    const char *word = argv[1];
    if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h")) return help(argc, argv);
    if (strcmp(word, "--version")) return run_subcommand(argc - 1, argv + 1);
    printf("upsample %s\n", ups_version());
    return finish_stdout();
}
