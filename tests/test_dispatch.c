/* SPDX-License-Identifier: MIT
 *
 * Which tier an op takes: the best the machine has, capped by the options and by UPSAMPLE_MAX_ISA.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "cpu.h"

static char variable[64]; /* what UPSAMPLE_MAX_ISA was, "" for unset */

static void set_variable(const char *word)
{
    if (*word)
        setenv("UPSAMPLE_MAX_ISA", word, 1);
    else
        unsetenv("UPSAMPLE_MAX_ISA");
}

static int restore(void **state)
{
    (void)state;
    set_variable(variable);
    return 0;
}

/* The tier of an op made with this cap (NULL: none), from the plan's own description; also its first kernel. */
static int32_t choose(const char *cap, char isa[32], char described[4096])
{
    ups_conv_transpose_desc desc;
    ups_options options;
    ups_tensor src;
    ups_op *op;
    ups_plan *plan;
    float weight[4] = {1, 2, 3, 4};
    ups_desc_init(&desc, sizeof desc, UPS_CONV_TRANSPOSE, NULL);
    ups_desc_set(&desc, "kernel_shape", "2");
    ups_desc_set(&desc, "in_channels", "1");
    ups_desc_set(&desc, "out_channels", "1");
    ups_options_init(&options, sizeof options);
    options.max_isa = cap;
    int32_t status = ups_op_create(&desc, weight, NULL, &options, &op);
    if (status) return status;
    ups_tensor_init(&src, sizeof src, UPS_F32, 2, UPS_CHANNELS_FIRST, (int64_t[]){1, 1, 4, 4});
    assert_int_equal(ups_plan_create(op, &src, NULL, NULL, &plan), UPS_OK);
    assert_true(ups_plan_describe(plan, UPS_JSON, described, 4096) < 4096);
    const char *at = strstr(described, "\"isa\": \"");
    assert_non_null(at);
    assert_int_equal(sscanf(at + 8, "%31[^\"]", isa), 1);
    ups_plan_destroy(plan);
    ups_op_destroy(op);
    return UPS_OK;
}

static void test_names(void **state)
{
    int32_t count = 0;
    (void)state;
    for (; ups_isa_name(count); count++)
        for (int32_t i = 0; i < count; i++) assert_string_not_equal(ups_isa_name(i), ups_isa_name(count));
    assert_true(count >= 1);
    assert_string_equal(ups_isa_name(0), "scalar");
    assert_null(ups_isa_name(-1));
}

/* The best tier by the machine's own account: the last that is not refused, from the bottom. */
static const char *best_here(void)
{
    int best = 0;
    while (ups_tier(best + 1) && !ups_tier_refusal(best + 1)) best++;
    return ups_tier(best)->isa;
}

static void test_default_is_the_best(void **state)
{
    char isa[32], described[4096];
    const char *expected = getenv("EXPECT_ISA");
    (void)state;
    set_variable("");
    assert_int_equal(choose(NULL, isa, described), UPS_OK);
    assert_string_equal(isa, best_here());
    set_variable(variable);
    assert_int_equal(choose(NULL, isa, described), UPS_OK);
    print_message("default tier: %s\n", isa);
    if (expected) assert_string_equal(isa, expected);
}

/* A cap by option and by variable, read at each creation; the kernels are of that tier or borrowed from below. */
static void test_caps(void **state)
{
    char isa[32], described[4096], suffix[40];
    (void)state;
    for (int i = 0; ups_tier(i) && !ups_tier_refusal(i); i++) {
        const char *word = ups_tier(i)->isa;
        snprintf(suffix, sizeof suffix, "_%s\"", word);
        set_variable("");
        assert_int_equal(choose(word, isa, described), UPS_OK);
        assert_string_equal(isa, word);
        assert_non_null(strstr(described, suffix));
        for (int above = i + 1; ups_tier(above); above++) {
            snprintf(suffix, sizeof suffix, "_%s\"", ups_tier(above)->isa);
            assert_null(strstr(described, suffix));
        }
        set_variable(word);
        assert_int_equal(choose(NULL, isa, described), UPS_OK);
        assert_string_equal(isa, word);
        assert_int_equal(choose(ups_tier(0)->isa, isa, described), UPS_OK);
        assert_string_equal(isa, "scalar"); /* the lower of the two */
    }
    set_variable("scalar");
    assert_int_equal(choose(best_here(), isa, described), UPS_OK);
    assert_string_equal(isa, "scalar");
}

static void test_unknown_words(void **state)
{
    char isa[32], described[4096];
    const char *foreign = strcmp(ups_isa_name(1) ? ups_isa_name(1) : "", "neon") ? "neon" : "avx2";
    const char *words[] = {"avx3", "AVX2", "", foreign};
    (void)state;
    for (int i = 0; i < 4; i++) {
        set_variable("");
        assert_int_equal(choose(words[i], isa, described), UPS_INVALID);
        assert_non_null(strstr(ups_last_error(), "max_isa"));
        assert_non_null(strstr(ups_last_error(), "scalar"));
        if (!*words[i]) continue; /* an empty variable is an unset one */
        set_variable(words[i]);
        assert_int_equal(choose(NULL, isa, described), UPS_INVALID);
        assert_non_null(strstr(ups_last_error(), "UPSAMPLE_MAX_ISA"));
        assert_non_null(strstr(ups_last_error(), words[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_names, restore),
        cmocka_unit_test_teardown(test_default_is_the_best, restore),
        cmocka_unit_test_teardown(test_caps, restore),
        cmocka_unit_test_teardown(test_unknown_words, restore),
    };
    if (getenv("UPSAMPLE_MAX_ISA")) snprintf(variable, sizeof variable, "%s", getenv("UPSAMPLE_MAX_ISA"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
