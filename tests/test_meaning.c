/* SPDX-License-Identifier: MIT
 *
 * The meaning of every preset against the frameworks themselves: calls with the values the real framework gave, recorded in
 * tests/golden/meaning by tests/oracles, repeated here by words alone on every tier this machine runs.
 *
 *     {"framework": "PyTorch 2.15.0",
 *      "cases": [{"name": …, "what": the framework's own call,
 *                 "op": "resize", "preset": "torch", "layout": "first", "rank": 2, "keys": {"mode": "linear", …},
 *                 "x": {"dims": [N, C, spatial…], "data": […]}, "weights", "bias", "indices": {"data": […]},
 *                 "y": {"dims": …, "data": …}, "switches": […], "bound": 0}]}
 *
 * Arrays are in N, C, spatial order whatever the layout, weights in the weights' layout. Numbers that JSON lacks are the
 * words "nan", "inf", "-inf". Within bound of the recorded value; bound 0: the same bits, and a NaN equals every NaN.
 *
 * All cases run, and then the test fails if any was wrong: a disagreement is easier to understand among its neighbours.
 */
#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "call.h"

enum { PRESETS = 32, OPERATIONS = 32, SHOWN = 3 /* of each preset and operation */ };

static const char *tiers[8];
static int tier_count;
static int counted[PRESETS][OPERATIONS], wrong[PRESETS][OPERATIONS], files;

/* Presets without a framework that the recorder could ask: Caffe's meaning is from its source, the other two have no package
 * that runs one operation. */
static const char *const unrecorded[] = {"caffe", "onednn", "xnnpack"};

/* ---- what is read ---- */

struct numbers {
    double *data;
    int64_t count;
};

struct recorded {
    const char *name, *what, *op, *preset, *framework;
    char words[1024];
    int64_t dims[5], y_dims[5];
    int rank;
    struct numbers x, y, weights, bias, indices, switches;
    double bound;
};

static double number(const cJSON *item)
{
    if (cJSON_IsNumber(item)) return item->valuedouble;
    const char *word = cJSON_GetStringValue(item);
    if (word && !strcmp(word, "nan")) return NAN;
    if (word && !strcmp(word, "inf")) return INFINITY;
    if (word && !strcmp(word, "-inf")) return -INFINITY;
    fail_msg("\"%s\" is no number", word ? word : "?");
    return 0;
}

static struct numbers numbers(const cJSON *array)
{
    struct numbers n = {NULL, array ? cJSON_GetArraySize(array) : 0};
    if (!array) return n;
    n.data = malloc((size_t)(n.count ? n.count : 1) * sizeof *n.data);
    assert_non_null(n.data);
    const cJSON *item;
    int64_t i = 0;
    cJSON_ArrayForEach(item, array) n.data[i++] = number(item);
    return n;
}

static struct numbers data_of(const cJSON *object, const char *name)
{
    return numbers(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, name), "data"));
}

static const char *text_of(const cJSON *object, const char *name)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));
    if (!text) fail_msg("a case without \"%s\"", name);
    return text;
}

static int64_t dims_of(const cJSON *object, const char *name, int rank, int64_t dims[5])
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(object, name), "dims");
    int64_t count = 1;
    if (cJSON_GetArraySize(array) != rank + 2) fail_msg("%s: not %d dims", name, rank + 2);
    for (int i = 0; i < rank + 2; i++) count *= dims[i] = (int64_t)cJSON_GetArrayItem(array, i)->valuedouble;
    return count;
}

static void add_words(struct recorded *r, const char *field, const char *value)
{
    size_t used = strlen(r->words);
    snprintf(r->words + used, sizeof r->words - used, " %s=%s", field, value);
    assert_true(strlen(r->words) < sizeof r->words - 1);
}

static struct recorded read_case(const cJSON *object)
{
    struct recorded r = {.name = text_of(object, "name"),
                         .what = text_of(object, "what"),
                         .op = text_of(object, "op"),
                         .preset = text_of(object, "preset")};
    char value[32];
    r.rank = (int)number(cJSON_GetObjectItemCaseSensitive(object, "rank"));
    snprintf(value, sizeof value, "%d", r.rank);
    add_words(&r, "rank", value); /* before arrays */
    add_words(&r, "layout", text_of(object, "layout"));
    const cJSON *key;
    cJSON_ArrayForEach(key, cJSON_GetObjectItemCaseSensitive(object, "keys"))
        add_words(&r, key->string, cJSON_GetStringValue(key));
    r.x = data_of(object, "x");
    r.y = data_of(object, "y");
    r.weights = data_of(object, "weights");
    r.bias = data_of(object, "bias");
    r.indices = data_of(object, "indices");
    r.switches = numbers(cJSON_GetObjectItemCaseSensitive(object, "switches"));
    assert_int_equal(dims_of(object, "x", r.rank, r.dims), r.x.count);
    assert_int_equal(dims_of(object, "y", r.rank, r.y_dims), r.y.count);
    r.bound = number(cJSON_GetObjectItemCaseSensitive(object, "bound"));
    return r;
}

static void free_case(struct recorded *r)
{
    free(r->x.data);
    free(r->y.data);
    free(r->weights.data);
    free(r->bias.data);
    free(r->indices.data);
    free(r->switches.data);
}

/* ---- what is computed ---- */

static float *floats(struct numbers n)
{
    if (!n.data) return NULL;
    float *v = malloc((size_t)(n.count ? n.count : 1) * sizeof *v);
    assert_non_null(v);
    for (int64_t i = 0; i < n.count; i++) v[i] = (float)n.data[i];
    return v;
}

static int64_t *integers(struct numbers n)
{
    if (!n.data) return NULL;
    int64_t *v = malloc((size_t)(n.count ? n.count : 1) * sizeof *v);
    assert_non_null(v);
    for (int64_t i = 0; i < n.count; i++) v[i] = (int64_t)n.data[i];
    return v;
}

static int preset_number(const char *name)
{
    for (int i = 0; ups_preset(i); i++)
        if (!strcmp(ups_preset(i), name)) return i;
    fail_msg("\"%s\" is no preset", name);
    return 0;
}

static bool report(const struct recorded *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool report(const struct recorded *r, const char *format, ...)
{
    if (wrong[preset_number(r->preset)][ups_op_code(r->op)]++ >= SHOWN) return false;
    va_list arguments;
    printf("WRONG %s: %s %s%s\n  %s: %s\n  ", r->name, r->preset, r->op, r->words, r->framework, r->what);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    return false;
}

static bool agrees(float got, double want, double bound)
{
    float rounded = (float)want;
    if (isnan(rounded) || isnan(got)) return isnan(rounded) && isnan(got);
    if (bound == 0 || isinf(rounded) || isinf(got)) return check_bits(got) == check_bits(rounded);
    return fabs((double)got - want) <= bound;
}

static bool compare(const struct recorded *r, const struct call *call)
{
    if (memcmp(call->out_dims, r->y_dims, (size_t)(r->rank + 2) * sizeof *r->y_dims)) {
        char got[128] = "";
        for (int i = 0; i < r->rank + 2; i++)
            snprintf(got + strlen(got), sizeof got - strlen(got), " %lld", (long long)call->out_dims[i]);
        return report(r, "tier %s: output of%s", call->isa, got);
    }
    for (int64_t i = 0; i < r->y.count; i++)
        if (!agrees(call->y[i], r->y.data[i], r->bound))
            return report(r, "tier %s: value [%lld of %lld] is %.9g, the framework's %.9g, bound %g", call->isa,
                          (long long)i, (long long)r->y.count, (double)call->y[i], r->y.data[i], r->bound);
    if (r->switches.data && r->switches.count != r->y.count)
        return report(r, "%lld switches", (long long)r->switches.count);
    for (int64_t i = 0; r->switches.data && i < r->switches.count && i < r->y.count; i++)
        if (call->switches[i] != (int64_t)r->switches.data[i])
            return report(r, "tier %s: switch [%lld of %lld] is %lld, the framework's %lld", call->isa, (long long)i,
                          (long long)r->switches.count, (long long)call->switches[i], (long long)r->switches.data[i]);
    return true;
}

static void run_case(const struct recorded *r)
{
    float *x = floats(r->x), *w = floats(r->weights), *bias = floats(r->bias);
    int64_t *index = integers(r->indices);
    bool good = true;
    for (int t = 0; good && t < tier_count; t++) {
        struct call call;
        int32_t status = call_say(&call, r->op, r->preset, r->words);
        memcpy(call.dims, r->dims, sizeof call.dims);
        call.x = x, call.w = w, call.bias = bias, call.index = index;
        call.values_only = !r->switches.data;
        if (strstr(r->op, "_grad")) call.sizes = r->y_dims + 2; /* several inputs may give an output of that size */
        call.isa = tiers[t];
        if (!status) status = call_run(&call);
        good = status ? report(r, "tier %s: %s: %s", tiers[t], ups_status_string(status), ups_last_error())
                      : compare(r, &call);
        call_close(&call);
    }
    free(x);
    free(w);
    free(bias);
    free(index);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s cannot be read", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long bytes = ftell(file);
    rewind(file);
    char *text = malloc((size_t)bytes + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)bytes, file), (size_t)bytes);
    text[bytes] = 0;
    fclose(file);
    return text;
}

static void run_file(const char *path)
{
    char *text = read_file(path);
    cJSON *json = cJSON_Parse(text);
    free(text);
    if (!json) fail_msg("%s is not JSON", path);
    const cJSON *object;
    cJSON_ArrayForEach(object, cJSON_GetObjectItemCaseSensitive(json, "cases"))
    {
        struct recorded r = read_case(object);
        r.framework = text_of(json, "framework");
        int32_t op = ups_op_code(r.op);
        if (!op) fail_msg("%s: \"%s\" is no operation", path, r.op);
        counted[preset_number(r.preset)][op]++;
        run_case(&r);
        free_case(&r);
    }
    cJSON_Delete(json);
    files++;
}

static void test_recorded_cases(void **unused)
{
    (void)unused;
    static const char folder[] = UPS_GOLDEN_DIR "/meaning";
    DIR *directory = opendir(folder);
    if (!directory) fail_msg("%s cannot be read", folder);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[1024];
        size_t length = strlen(entry->d_name);
        if (length < 5 || strcmp(entry->d_name + length - 5, ".json")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        run_file(path);
    }
    closedir(directory);
    int sum = 0;
    for (int p = 0; p < PRESETS; p++)
        for (int op = 0; op < OPERATIONS; op++) {
            if (wrong[p][op])
                printf("%s %s: %d of %d cases are wrong\n", ups_preset(p), ups_op_word(op), wrong[p][op],
                       counted[p][op]);
            sum += wrong[p][op];
        }
    assert_int_equal(sum, 0);
}

/* ---- what was there ---- */

/* A preset that nobody recorded, or that was recorded for none of an operation's calls, would pass by saying nothing. */
static void test_every_preset_was_recorded(void **unused)
{
    (void)unused;
    int total = 0, missing = 0;
    printf("%-20s", "cases");
    for (int p = 0; ups_preset(p); p++) printf(" %8s", ups_preset(p));
    printf("\n");
    for (int32_t op = 1; op < OPERATIONS; op++) {
        if (!ups_op_word(op)) continue;
        printf("%-20s", ups_op_word(op));
        for (int p = 0; ups_preset(p); p++) {
            total += counted[p][op];
            printf(" %8d", counted[p][op]);
        }
        printf("\n");
    }
    printf("%d cases in %d files, on %d tiers\n", total, files, tier_count);
    for (int p = 0; ups_preset(p); p++) {
        int cases = 0, excused = 0;
        for (int op = 0; op < OPERATIONS; op++) cases += counted[p][op];
        for (size_t i = 0; i < sizeof unrecorded / sizeof *unrecorded; i++)
            excused |= !strcmp(unrecorded[i], ups_preset(p));
        if (cases || excused) continue;
        printf("preset %s: no recorded case\n", ups_preset(p));
        missing++;
    }
    assert_true(total > 0);
    assert_int_equal(missing, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded_cases),
        cmocka_unit_test(test_every_preset_was_recorded),
    };
    tier_count = call_tiers(tiers);
    return cmocka_run_group_tests_name("meaning", tests, NULL, NULL);
}
