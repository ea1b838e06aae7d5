/* SPDX-License-Identifier: MIT
 *
 * `upsample explain`: the plan of an operation at given sizes, and the keys an operation has.
 */
#include "command.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: upsample explain OP key=value … in=N,C,H,W [option …]\n"
    "       upsample explain --keys OP [--preset NAME] [--json]\n"
    "\n"
    "Prints what `upsample run` would do for a source of this size: output sizes, the algorithm and why, the ISA,\n"
    "the kernels, workspace, packed bytes. `in` is N, C, then the spatial axes, whatever the layout.\n"
    "conv_transpose needs out_channels=…, its gradient of the input in_channels=…; its weights are taken as ones.\n"
    "\n"
    "With --keys: the keys of the operation, each with its value under the preset, what it decides, its legal values,\n"
    "and what frameworks call it.\n"
    "\n"
    "  --preset NAME, --isa NAME, --algorithm NAME, --policy accurate|fast|reproducible, --layout first|last\n"
    "                   as for `upsample run`\n"
    "  --sizes N,N      spatial sizes of the output, where the operation leaves a choice: gradients\n"
    "  --threads N      tell the workspace for N threads\n"
    "  --json           one JSON object instead of text\n";

/* Takes "in=1,3,8,8" out of the keys: it is not a field of the descriptor. */
static const char *take_sizes(struct request *request)
{
    const char *sizes = NULL;
    int left = 0;
    for (int i = 0; i < request->key_count; i++)
        if (!strncmp(request->keys[i], "in=", 3))
            sizes = request->keys[i] + 3;
        else
            request->keys[left++] = request->keys[i];
    request->key_count = left;
    return sizes;
}

/* One integer, up to a comma or the end; *at moves there. */
static bool take_size(const char **at, int64_t *size)
{
    char number[24];
    size_t length = strcspn(*at, ",");
    if (length >= sizeof number) return false;
    memcpy(number, *at, length);
    number[length] = 0;
    *at += length;
    return read_count(number, 0, INT64_MAX, size);
}

/* N, C and one to three spatial sizes. */
static int read_sizes(const char *text, int64_t dims[5], int32_t *rank)
{
    if (!text) return fail_usage("in=N,C,H,W is missing; see upsample explain --help");
    const char *at = text;
    int count = 0;
    bool sound = take_size(&at, &dims[count++]);
    while (sound && *at++ == ',') sound = count < 5 && take_size(&at, &dims[count++]);
    if (!sound || count < 3)
        return fail_usage("in=%s: must be N,C and one to three spatial sizes, integers from 0", text);
    *rank = count - 2;
    return 0;
}

/* Where the op packs weights as many ones as the descriptor wants, since zeros would look like a layer diagonal over channels;
 * *weights stays NULL for the other operations. */
static int make_weights(const union descriptor *desc, float **weights)
{
    const ups_conv_transpose_desc *d = &desc->conv_transpose;
    if (desc->head.op != UPS_CONV_TRANSPOSE && desc->head.op != UPS_CONV_TRANSPOSE_GRAD_INPUT) return 0;
    if (d->group < 1) return 0;
    int64_t count = d->out_channels / d->group;
    bool fits = !__builtin_mul_overflow(count, d->in_channels, &count);
    for (int i = 0; i < d->rank; i++) fits = fits && !__builtin_mul_overflow(count, d->kernel_shape[i], &count);
    if (fits && count <= 0) return 0; /* the library says which field is wrong */
    *weights = fits ? calloc((size_t)count, sizeof **weights) : NULL;
    if (!*weights) return fail("no memory for the weights");
    for (int64_t i = 0; i < count; i++) (*weights)[i] = 1;
    return 0;
}

static int make_plan(const struct request *request, const union descriptor *desc, const int64_t *dims,
                     const int64_t *sizes, ups_plan **plan)
{
    ups_op *op = NULL;
    float *weights = NULL;
    ups_tensor src;
    int code = make_weights(desc, &weights);
    if (code) return code;
    int32_t status = ups_op_create(desc, weights, NULL, &request->options, &op);
    if (!status) status = ups_tensor_init(&src, sizeof src, desc->head.dtype, desc->head.rank, desc->head.layout, dims);
    if (!status) status = ups_plan_create(op, &src, NULL, sizes, plan);
    if (status) code = fail_library(request->word, status);
    ups_op_destroy(op);
    free(weights);
    return code;
}

static int print_plan(const struct request *request, const ups_plan *plan)
{
    size_t workspace = ups_plan_workspace(plan, (int32_t)request->threads);
    if (request->json) {
        cJSON *object = plan_json(plan);
        if (!object) return EXIT_FAILED;
        cJSON_AddNumberToObject(object, "threads", (double)request->threads);
        cJSON_ReplaceItemInObjectCaseSensitive(object, "workspace_bytes", cJSON_CreateNumber((double)workspace));
        return print_json(object);
    }
    char *text = plan_text(plan, UPS_TEXT);
    if (!text) return EXIT_FAILED;
    fputs(text, stdout);
    if (*text && text[strlen(text) - 1] != '\n') putchar('\n');
    free(text);
    if (request->threads > 1) printf("on %d threads: %zu bytes of workspace\n", (int)request->threads, workspace);
    return finish_stdout();
}

/* Of transposed convolution: `in` has the channels of its input, or of its output where that one's gradient is the source. */
static void settle_channels(const struct request *request, union descriptor *desc, int64_t channels)
{
    ups_conv_transpose_desc *d = &desc->conv_transpose;
    bool forth = request->op == UPS_CONV_TRANSPOSE || request->op == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS;
    bool back = request->op == UPS_CONV_TRANSPOSE_GRAD_INPUT || request->op == UPS_CONV_TRANSPOSE_GRAD_BIAS;
    if (forth && !d->in_channels) d->in_channels = channels;
    if (back && !d->out_channels) d->out_channels = channels;
}

static int explain(struct request *request, const char *out_sizes)
{
    union descriptor desc;
    int64_t dims[5], out[3];
    int32_t rank = 0;
    ups_plan *plan = NULL;
    int code = read_sizes(take_sizes(request), dims, &rank);
    if (!code && out_sizes) code = read_out_sizes(out_sizes, rank, out);
    if (!code) code = describe_request(request, rank, "in", &desc);
    if (code) return code;
    settle_channels(request, &desc, dims[1]);
    code = make_plan(request, &desc, dims, out_sizes ? out : NULL, &plan);
    if (!code) code = print_plan(request, plan);
    ups_plan_destroy(plan);
    return code;
}

/* ---- the keys of an operation ---- */

/* The value a field has in a fresh descriptor. What the field itself does not take is no default: then it follows from
 * other fields, or must be given: NULL. */
static const char *default_value(union descriptor *desc, const char *name, char *text, size_t capacity)
{
    if (ups_desc_get(desc, name, text, capacity) < 0) return NULL;
    if (!ups_desc_set(desc, name, text)) return text;
    return ups_desc_set(desc, name, "by_preset") ? NULL : "by_preset";
}

/* "known as: torch kernel_size; tf ksize". */
static void print_names(const cJSON *field)
{
    char names[1024] = "";
    const cJSON *known;
    cJSON_ArrayForEach(known, cJSON_GetObjectItemCaseSensitive(field, "known_as"))
    {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s %s", used ? "; " : "", json_text(known, "framework"),
                 json_text(known, "name"));
    }
    if (*names) print_wrapped("    known as: ", 14, names);
}

/* A line for each word, their meanings below one another; without words the legal values. */
static void print_legal(const cJSON *field)
{
    const cJSON *words = cJSON_GetObjectItemCaseSensitive(field, "words"), *word;
    int width = 0;
    cJSON_ArrayForEach(word, words)
    {
        int length = (int)strlen(json_text(word, "word"));
        if (length > width) width = length;
    }
    if (!width) print_wrapped("    ", 4, json_text(field, "legal"));
    cJSON_ArrayForEach(word, words)
    {
        char start[64];
        snprintf(start, sizeof start, "    %-*s  ", width, json_text(word, "word"));
        print_wrapped(start, width + 6, json_text(word, "meaning"));
    }
    if (width && strstr(json_text(field, "legal"), "by_preset"))
        printf("    %-*s  as the preset's framework does it\n", width, "by_preset");
}

static void print_key(const cJSON *field, const char *value)
{
    printf("%s = %s\n", json_text(field, "name"), value ? value : "(must be given)");
    print_wrapped("    ", 4, json_text(field, "meaning"));
    print_legal(field);
    print_names(field);
    putchar('\n');
}

/* The field table of an operation, as text or into a list. */
static int print_fields(const struct request *request, union descriptor *desc, cJSON *list)
{
    const char *name;
    for (int32_t i = 0; (name = ups_desc_field(request->op, i)); i++) {
        char text[256];
        cJSON *field = field_json(request->op, name);
        if (!field) return EXIT_FAILED;
        const char *value = default_value(desc, name, text, sizeof text);
        if (list) {
            cJSON_AddItemToObject(field, "default", value ? cJSON_CreateString(value) : cJSON_CreateNull());
            cJSON_AddItemToArray(list, field);
        } else {
            print_key(field, value);
            cJSON_Delete(field);
        }
    }
    return 0;
}

static int explain_keys(const struct request *request)
{
    union descriptor desc;
    const char *preset = request->preset ? request->preset : "torch";
    int code = start_descriptor(request, 2, &desc);
    if (code) return code;
    if (!request->json) {
        printf("%s under preset %s, two spatial axes\n\n", request->word, preset);
        code = print_fields(request, &desc, NULL);
        return code ? code : finish_stdout();
    }
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "op", request->word);
    cJSON_AddStringToObject(object, "preset", preset);
    code = print_fields(request, &desc, cJSON_AddArrayToObject(object, "fields"));
    if (!code) return print_json(object);
    cJSON_Delete(object);
    return code;
}

int command_explain(int argc, char **argv)
{
    struct request request;
    bool keys = false;
    const char *sizes = NULL;
    if (wants_help(argc, argv)) return print_help(help_text);
    const struct command_option besides[] = {
        {.name = "--keys", .flag = &keys}, {.name = "--sizes", .text = &sizes}, {.name = NULL}};
    int code = read_request(argc, argv, besides, &request);
    if (code) return code;
    if (keys && request.key_count) return fail_usage("%s: --keys takes the operation alone", request.keys[0]);
    return keys ? explain_keys(&request) : explain(&request, sizes);
}
