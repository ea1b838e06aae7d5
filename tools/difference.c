/* SPDX-License-Identifier: MIT
 *
 * `upsample difference`: in which fields two frameworks, or two settings, of an operation differ.
 */
#include "command.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help_text[] =
    "usage: upsample difference OP --preset A --preset B [key=value …] [option …]\n"
    "\n"
    "Prints the fields in which the operation means different things under two presets: both values, what they mean,\n"
    "and what the field decides. Keys are those of `upsample explain --keys OP`, and set on both sides.\n"
    "\n"
    "  --a KEY=VALUE, --b KEY=VALUE\n"
    "                   set on one side; with them one preset, or none (torch), will do for both\n"
    "  --json           one JSON object instead of text\n";

enum { A, B, SIDES, MOST_KEYS = 64 };

/* What is compared. */
struct comparison {
    struct request request; /* the preset of its own is not used */
    char *presets[SIDES], *sided[SIDES][MOST_KEYS];
    struct command_list preset_list, sided_lists[SIDES];
    bool json;
    union descriptor descs[SIDES];
};

static int read_arguments(int argc, char **argv, struct comparison *c)
{
    c->preset_list = (struct command_list){c->presets, 0, SIDES};
    for (int s = 0; s < SIDES; s++) c->sided_lists[s] = (struct command_list){c->sided[s], 0, MOST_KEYS};
    const struct command_option options[] = {
        {.name = "--preset", .list = &c->preset_list},
        {.name = "--a", .list = &c->sided_lists[A]},
        {.name = "--b", .list = &c->sided_lists[B]},
        {.name = "--json", .flag = &c->json},
        {.name = NULL},
    };
    int code = take_options(&argc, argv, options);
    if (!code) code = read_operation(argc, argv, &c->request);
    for (int s = 0; !code && s < SIDES; s++)
        for (int i = 0; i < c->sided_lists[s].count; i++)
            if (!strchr(c->sided[s][i], '=')) return fail_usage("%s: expected key=value", c->sided[s][i]);
    if (!code && c->preset_list.count < SIDES && !c->sided_lists[A].count && !c->sided_lists[B].count)
        return fail_usage("difference between what? --preset A --preset B; see upsample difference --help");
    return code;
}

static int describe_side(struct comparison *c, int side)
{
    struct request request = c->request;
    struct command_list own = c->sided_lists[side];
    request.layout = UPS_CHANNELS_FIRST;
    request.preset = c->presets[side];
    request.key_count += own.count;
    request.keys = malloc((size_t)(request.key_count + 1) * sizeof *request.keys);
    if (!request.keys) return fail("no memory");
    for (int i = 0; i < c->request.key_count; i++) request.keys[i] = c->request.keys[i];
    for (int i = 0; i < own.count; i++) request.keys[c->request.key_count + i] = own.texts[i];
    int code = start_descriptor(&request, 2, &c->descs[side]);
    free(request.keys);
    return code;
}

/* NULL after a line on stderr. */
static char *find_difference(struct comparison *c)
{
    int64_t length = ups_desc_difference(&c->descs[A], &c->descs[B], NULL, 0);
    char *text = length < 0 ? NULL : calloc((size_t)length + 1, 1);
    if (!text)
        fail("%s: %s", c->request.word, length < 0 ? ups_last_error() : "no memory");
    else
        ups_desc_difference(&c->descs[A], &c->descs[B], text, (size_t)length + 1);
    return text;
}

/* ---- what is printed of a field ---- */

static void field_value(const struct comparison *c, int side, const char *name, char *text, size_t capacity)
{
    if (ups_desc_get(&c->descs[side], name, text, capacity) < 0) *text = 0;
}

static void print_side(const struct comparison *c, int side, const cJSON *field)
{
    char value[256], text[1024];
    field_value(c, side, json_text(field, "name"), value, sizeof value);
    const char *meaning = word_meaning(field, value);
    snprintf(text, sizeof text, "%s%s%s", value, *meaning ? ": " : "", meaning);
    print_wrapped(side == A ? "    A  " : "    B  ", 7, text);
}

static void print_field(const struct comparison *c, const cJSON *field)
{
    char start[80];
    snprintf(start, sizeof start, "\n%s: ", json_text(field, "name"));
    print_wrapped(start, 4, json_text(field, "meaning"));
    print_side(c, A, field);
    print_side(c, B, field);
}

static void add_field(const struct comparison *c, const cJSON *field, cJSON *list)
{
    cJSON *entry = cJSON_CreateObject();
    cJSON_AddStringToObject(entry, "field", json_text(field, "name"));
    cJSON_AddStringToObject(entry, "decides", json_text(field, "meaning"));
    for (int s = 0; s < SIDES; s++) {
        char value[256];
        cJSON *side = cJSON_AddObjectToObject(entry, s == A ? "a" : "b");
        field_value(c, s, json_text(field, "name"), value, sizeof value);
        cJSON_AddStringToObject(side, "value", value);
        cJSON_AddStringToObject(side, "meaning", word_meaning(field, value));
    }
    cJSON_AddItemToArray(list, entry);
}

/* Each line of the library's begins with the name of a field and a colon. Without a list: as text. */
static int tell_fields(const struct comparison *c, const char *lines, cJSON *list)
{
    for (const char *line = lines; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char name[64];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(line, ":"), line);
        cJSON *field = field_json(c->request.op, name);
        if (!field) return EXIT_FAILED;
        if (list)
            add_field(c, field, list);
        else
            print_field(c, field);
        cJSON_Delete(field);
    }
    return 0;
}

/* ---- all of it ---- */

static void print_title(const struct comparison *c, int side)
{
    printf("%s  %s", side == A ? "A" : "B", c->presets[side]);
    for (int i = 0; i < c->sided_lists[side].count; i++) printf(" %s", c->sided[side][i]);
    putchar('\n');
}

static int tell_text(const struct comparison *c, const char *lines)
{
    printf("%s", c->request.word);
    for (int i = 0; i < c->request.key_count; i++) printf(" %s", c->request.keys[i]);
    putchar('\n');
    print_title(c, A);
    print_title(c, B);
    if (!*lines) printf("\nNo difference: both compute the same.\n");
    int code = tell_fields(c, lines, NULL);
    return code ? code : finish_stdout();
}

static int tell_json(const struct comparison *c, const char *lines)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "op", c->request.word);
    cJSON_AddStringToObject(object, "a", c->presets[A]);
    cJSON_AddStringToObject(object, "b", c->presets[B]);
    int code = tell_fields(c, lines, cJSON_AddArrayToObject(object, "differences"));
    if (!code) return print_json(object);
    cJSON_Delete(object);
    return code;
}

int command_difference(int argc, char **argv)
{
    static char torch[] = "torch";
    struct comparison c = {.json = false};
    char *lines = NULL;
    if (wants_help(argc, argv)) return print_help(help_text);
    int code = read_arguments(argc, argv, &c);
    if (c.preset_list.count == 0) c.presets[A] = torch;
    if (c.preset_list.count < SIDES) c.presets[B] = c.presets[A];
    if (!code) code = describe_side(&c, A);
    if (!code) code = describe_side(&c, B);
    if (!code && !(lines = find_difference(&c))) code = EXIT_FAILED;
    if (!code) code = c.json ? tell_json(&c, lines) : tell_text(&c, lines);
    free(lines);
    return code;
}
