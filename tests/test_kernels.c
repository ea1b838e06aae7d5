/* SPDX-License-Identifier: MIT
 *
 * Every kernel of every tier this machine may run: one test for each, named as in the tables and the benches,
 * pool_i32/avx2. A kernel that a tier borrows is tested in the tier whose name it bears.
 *
 *     UPS_TEST_SEED=n       repeats a run
 *     UPS_TEST_QUICK=1      fewer cases
 *     UPSAMPLE_MAX_ISA=t    tiers above t are not run
 *     UPS_TEST_LOG=file     appends a line "tier kernel ran" or "tier kernel not_run" for each kernel
 */
#include "check_kernels.h"

#include <setjmp.h>
#include <cmocka.h>

#include "cpu.h"

/* The members of the table: name, and a function that checks that member of a table. A member without a check_<member>
 * does not compile. */
#define CHECK_MEMBER(type, member)                                         \
    static const char *check_the_##member(const struct ups_kernels *table) \
    {                                                                      \
        return check_##member(table->member.run, table);                   \
    }                                                                      \
    static const char *name_the_##member(const struct ups_kernels *table)  \
    {                                                                      \
        return table->member.run ? table->member.name : NULL;              \
    }
UPS_KERNEL_LIST(CHECK_MEMBER)

static const struct member {
    const char *word;
    const char *(*check)(const struct ups_kernels *table);
    const char *(*name)(const struct ups_kernels *table);
} members[] = {
#define MEMBER(type, member) {#member, check_the_##member, name_the_##member},
    UPS_KERNEL_LIST(MEMBER)};

enum { MEMBERS = sizeof members / sizeof *members, MAX_TIERS = 8 };

struct test {
    char name[64];
    const struct ups_kernels *table;
    const struct member *member;
    const char *refusal; /* why it is not run, or NULL */
};

static void log_line(const struct test *test, const char *what)
{
    const char *path = getenv("UPS_TEST_LOG");
    FILE *file = path && *path ? fopen(path, "a") : NULL;

    if (path && *path && !file) fail_msg("cannot write UPS_TEST_LOG %s", path);
    if (!file) return;
    fprintf(file, "%s %s %s\n", test->table->isa, test->member->name(test->table), what);
    fclose(file);
}

static void test_kernel(void **state)
{
    const struct test *test = *state;

    if (test->refusal) {
        print_message("not run: %s: %s\n", test->name, test->refusal);
        log_line(test, "not_run");
        skip();
    }
    const char *failure = test->member->check(test->table);
    if (failure) fail_msg("%s: %s", test->name, failure);
    log_line(test, "ran");
}

/* 1 if the name ends in _isa. */
static int bears(const char *name, const char *isa)
{
    const size_t n = strlen(name), m = strlen(isa);
    return n > m && name[n - m - 1] == '_' && strcmp(name + n - m, isa) == 0;
}

/* Tables are complete, their kernels named after the member and after this tier or one below. */
static void test_tables(void **state)
{
    const struct ups_kernels *table;
    (void)state;

    for (int i = 0; (table = ups_tier(i)); i++) {
        assert_int_equal(table->nr % table->lanes, 0);
        assert_in_range(table->nr / table->lanes, 1, UPS_MAX_VECTORS);
        for (int v = 0; v < table->nr / table->lanes; v++) assert_in_range(table->mr[v], 1, UPS_MAX_MR);
        assert_in_range(table->nr, 1, UPS_MAX_NR);
        for (int m = 0; m < MEMBERS; m++) {
            const char *name = members[m].name(table), *word = members[m].word;
            int owned = 0;
            assert_non_null(name);
            assert_int_equal(strncmp(name, word, strlen(word)), 0);
            for (int lower = 0; lower <= i; lower++)
                if (bears(name, ups_tier(lower)->isa)) owned = strcmp(members[m].name(ups_tier(lower)), name) == 0;
            if (!owned) fail_msg("%s: %s is not in the table of the tier it names", table->isa, name);
        }
    }
}

/* Why the i-th tier is not run here, or NULL. */
static const char *refusal_of(int i)
{
    const char *cap = getenv("UPSAMPLE_MAX_ISA");

    if (cap && *cap)
        for (int lower = 0; lower < i; lower++)
            if (strcmp(ups_tier(lower)->isa, cap) == 0) return "above UPSAMPLE_MAX_ISA";
    return ups_tier_refusal(i);
}

int main(void)
{
    static struct test tests[MAX_TIERS * MEMBERS];
    static struct CMUnitTest units[MAX_TIERS * MEMBERS + 1];
    const struct ups_kernels *table;
    size_t n = 0;

    units[0] = (struct CMUnitTest)cmocka_unit_test(test_tables);
    for (int i = 0; (table = ups_tier(i)) && i < MAX_TIERS; i++) {
        const char *refusal = refusal_of(i);
        for (int m = 0; m < MEMBERS; m++) {
            const char *name = members[m].name(table);
            if (!name || !bears(name, table->isa)) continue;
            struct test *test = &tests[n++];
            snprintf(test->name, sizeof test->name, "%s/%s", members[m].word, table->isa);
            test->table = table;
            test->member = &members[m];
            test->refusal = refusal;
            units[n] = (struct CMUnitTest){test->name, test_kernel, NULL, NULL, test};
        }
    }
    return _cmocka_run_group_tests("kernels", units, n + 1, NULL, NULL);
}
