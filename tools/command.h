/* SPDX-License-Identifier: MIT
 *
 * What the subcommands of `upsample` share. The command is a client of the public header alone, like any program that
 * links the library.
 *
 * Every failure is one line on stderr, "upsample: …", and one of these exit codes. Functions here that can fail
 * return the exit code, 0 for none, and have printed the line when it is not 0.
 */
#ifndef UPSAMPLE_COMMAND_H
#define UPSAMPLE_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <upsample/upsample.h>

struct cJSON;

enum {
    EXIT_FAILED = 1,   /* a file, a value, or what the library refused */
    EXIT_USAGE = 2,    /* the command line cannot be read */
    EXIT_BAD_INDEX = 3 /* outputs are written, but switches pointed outside the output plane and were skipped */
};

/* The subcommands. argv[0] is the subcommand's own name, argv[argc] is NULL; the result is the exit code. */
int command_info(int argc, char **argv);
int command_run(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_difference(int argc, char **argv);
int command_resize(int argc, char **argv);
int command_enlarge(int argc, char **argv);
int command_bench(int argc, char **argv);

/* ---- failing ---- */

/* Print "upsample: " and the sentence. fail returns EXIT_FAILED, fail_usage EXIT_USAGE. */
int fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int fail_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* fail with the library's own sentence after "upsample: what: ". */
int fail_library(const char *what, int32_t status);

/* Prints a help text on stdout and returns 0. */
int print_help(const char *text);

/* True if -h or --help is among the arguments. */
bool wants_help(int argc, char **argv);

/* Prints a line that begins with `start`, its words continued on lines indented by `indent`, none longer than 100
 * columns if the words allow it. */
void print_wrapped(const char *start, int indent, const char *words);

/* Flushes stdout; fails if what was printed did not get there. */
int finish_stdout(void);

/* ---- reading a command line ---- */

/* The values of an option that may be repeated, in the order given; texts has room for `most`. */
struct command_list {
    char **texts;
    int count, most;
};

/* One option; of text, count, flag and list one is not NULL and receives the value. count lies in [low, high]. */
struct command_option {
    const char *name; /* "--dst" */
    const char **text;
    int64_t *count, low, high;
    bool *flag;
    struct command_list *list;
};

/* Takes the options, "--name value" or "--name=value", out of argv, wherever they stand. What remains, argv[1] up to
 * argv[*argc - 1], are the positional arguments. The table ends with a NULL name; an unknown option is a failure. */
int take_options(int *argc, char **argv, const struct command_option *options);

/* Reads a decimal integer, all of the text, in [low, high]. */
bool read_count(const char *text, int64_t low, int64_t high, int64_t *value);

/* --sizes, a number for each spatial axis, separated by commas. */
int read_out_sizes(const char *text, int32_t rank, int64_t sizes[3]);

/* ---- an operation on a command line: OP key=value … and the options that run and explain share ---- */

/* Any descriptor; head says which. */
union descriptor {
    ups_desc_head head;
    ups_pool_desc pool;
    ups_unpool_desc unpool;
    ups_expand_desc expand;
    ups_shuffle_desc shuffle;
    ups_resize_desc resize;
    ups_conv_transpose_desc conv_transpose;
};

struct request {
    int32_t op, layout;
    const char *word;   /* the op's word */
    const char *preset; /* NULL: the library's default */
    char **keys;        /* key_count texts "key=value", in the order given */
    int key_count;
    ups_options options; /* policy, max_isa, algorithm */
    int64_t threads;
    bool json;
};

/* Reads the command line of run or explain: the word of the operation, keys, the options above, and those that the
 * subcommand has besides. */
int read_request(int argc, char **argv, const struct command_option *besides, struct request *request);

/* The word of the operation and the keys, once the options are gone. */
int read_operation(int argc, char **argv, struct request *request);

/* Starts the descriptor the request asks for: preset, rank, layout, then the keys in their order. */
int start_descriptor(const struct request *request, int32_t rank, union descriptor *desc);

/* The same for a source of that rank, which no key may contradict; `source` names it, for the sentences. */
int describe_request(const struct request *request, int32_t rank, const char *source, union descriptor *desc);

/* Moves the channels of a shape between the order of an array in memory and N, C, spatial. */
void dims_from_memory(int32_t layout, int32_t rank, const int64_t *memory, int64_t *dims);
void dims_to_memory(int32_t layout, int32_t rank, const int64_t *dims, int64_t *memory);

/* ---- asking the library ---- */

/* ups_plan_describe and ups_cpu_info as a string, or as JSON; NULL, after the line on stderr, on failure. The caller
 * frees the string, or deletes the object. */
char *plan_text(const ups_plan *plan, int32_t format);
struct cJSON *plan_json(const ups_plan *plan);
char *cpu_text(int32_t format);
struct cJSON *cpu_json(void);

/* ups_desc_explain's object. NULL after the line on stderr. */
struct cJSON *field_json(int32_t op, const char *name);

/* The string in an object; "" if there is none. */
const char *json_text(const struct cJSON *object, const char *name);

/* What a field's value means if it is a word; "" if it is none. `field` is field_json's. */
const char *word_meaning(const struct cJSON *field, const char *value);

/* Prints a JSON object and a newline on stdout, and deletes it. */
int print_json(struct cJSON *object);

/* Milliseconds on a steady clock. */
double clock_ms(void);

/* A pool of `count` threads, 0: as many as there are processors; NULL for one thread, and where the library was built
 * without a pool. */
int open_threads(int64_t count, ups_threads **threads);

/* Memory on a cache line, so that timings do not depend on luck; any size, 0 too. NULL after the line on stderr. */
void *allocate_bytes(size_t bytes, const char *what);

#endif
