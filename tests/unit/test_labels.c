/* SPDX-License-Identifier: MIT
 *
 * Sets of labels and the labels of threads: what a set is after each change, that equal sets have
 * one number, that threads, their children and forked processes have the labels they should, also
 * when many begin and end at once, and that too much of anything is left out and counted. Run under
 * TSan, too. */
#include "runtime/labels.h"
#include "runtime/runtime.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static struct labeltab *table;

static int make(void **state)
{
    (void)state;
    table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return table == MAP_FAILED;
}

static int drop(void **state)
{
    (void)state;
    return munmap(table, sizeof *table);
}

/* A set as "a=1 b=2". */
static const char *show(const char *set, size_t size)
{
    static __thread char text[2048];
    struct label_text l;
    size_t at = 0, len = 0;
    text[0] = 0;
    while (labelset_next(set, size, &at, &l))
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s=%s", len ? " " : "", l.key,
                                l.value);
    return text;
}

static const char *show_mine(void)
{
    size_t size = 0;
    const char *set = labels_text(labels_here(), &size);
    return set ? show(set, size) : "";
}

/* ---- sets ---- */

static void labels_are_kept_by_key(void **state)
{
    (void)state;
    char a[LIMIT_LABELS_BYTES], b[LIMIT_LABELS_BYTES];
    int n = labelset_with(a, "", 0, "m", "1");
    n = labelset_with(b, a, (size_t)n, "z", "2");
    n = labelset_with(a, b, (size_t)n, "a", "");
    assert_string_equal(show(a, (size_t)n), "a= m=1 z=2");
    assert_true(labelset_check(a, (size_t)n));
    n = labelset_with(b, a, (size_t)n, "m", "other");
    assert_string_equal(show(b, (size_t)n), "a= m=other z=2");
    n = labelset_with(a, b, (size_t)n, "a", NULL);
    assert_string_equal(show(a, (size_t)n), "m=other z=2");
    n = labelset_with(b, a, (size_t)n, "none", NULL);
    assert_string_equal(show(b, (size_t)n), "m=other z=2");
    n = labelset_with(a, b, (size_t)n, "m", NULL);
    n = labelset_with(b, a, (size_t)n, "z", NULL);
    assert_int_equal(n, 0);
}

static void long_values_are_cut_between_characters(void **state)
{
    (void)state;
    char out[LIMIT_LABELS_BYTES], value[1000];
    memset(value, 'x', sizeof value);
    value[999] = 0;
    assert_int_equal(labelset_with(out, "", 0, "k", value), 2 + LIMIT_LABEL_VALUE + 1);
    memcpy(value + LIMIT_LABEL_VALUE - 1, "\xe2\x82\xac", 3); /* the euro sign, across the limit */
    assert_int_equal(labelset_with(out, "", 0, "k", value), 2 + LIMIT_LABEL_VALUE - 1 + 1);
    assert_int_equal(out[strlen("k") + strlen(out + 2)], 'x');
}

static void too_much_is_refused(void **state)
{
    (void)state;
    char sets[2][LIMIT_LABELS_BYTES], key[LIMIT_LABELS_BYTES + 2], value[300];
    int size = 0, count = 0, next;
    for (;; count++, size = next) {
        snprintf(key, sizeof key, "%03d", count);
        next = labelset_with(sets[~count & 1], sets[count & 1], (size_t)size, key, "v");
        if (next < 0)
            break;
        assert_true(labelset_check(sets[~count & 1], (size_t)next));
    }
    assert_int_equal(count, LIMIT_LABELS);
    memset(value, 'y', sizeof value);
    value[299] = 0;
    for (count = size = 0;; count++, size = next) {
        snprintf(key, sizeof key, "%03d", count);
        next = labelset_with(sets[~count & 1], sets[count & 1], (size_t)size, key, value);
        if (next < 0)
            break;
    }
    assert_int_equal(count, LIMIT_LABELS_BYTES / (4 + LIMIT_LABEL_VALUE + 1));
    memset(key, 'k', sizeof key);
    key[sizeof key - 1] = 0;
    assert_int_equal(labelset_with(sets[0], "", 0, key, "v"), -1);
}

static void what_is_no_set_is_told(void **state)
{
    (void)state;
    assert_true(labelset_check("", 0));
    assert_true(labelset_check("a\0b", 4));
    assert_true(labelset_check("a\0", 3));
    assert_true(labelset_check("a\0b\0c\0d", 8));
    assert_false(labelset_check("a\0b", 3));       /* the end is missing */
    assert_false(labelset_check("a", 2));          /* so is the value */
    assert_false(labelset_check("\0b", 3));        /* no key */
    assert_false(labelset_check("a\0b\0a\0c", 8)); /* twice */
    assert_false(labelset_check("b\0b\0a\0c", 8)); /* out of order */
    assert_false(labelset_check("a\0b\0c", 6));
    char many[LIMIT_LABELS_BYTES] = {0};
    for (int i = 0; i <= LIMIT_LABELS; i++)
        many[i * 3] = (char)('0' + i);
    assert_true(labelset_check(many, 3 * LIMIT_LABELS));
    assert_false(labelset_check(many, 3 * (LIMIT_LABELS + 1)));
}

/* ---- the table ---- */

static void equal_sets_have_one_number(void **state)
{
    (void)state;
    size_t size;
    uint32_t a = labeltab_add(table, "a\0b", 4), b = labeltab_add(table, "a\0c", 4);
    assert_true(a && b && a != b);
    assert_int_equal(labeltab_add(table, "a\0b", 4), a);
    assert_string_equal(show(labeltab_get(table, b, &size), 4), "a=c");
    assert_int_equal(size, 4);
    assert_int_equal(labeltab_add(table, "", 0), 0);
    assert_null(labeltab_get(table, 0, &size));
    assert_null(labeltab_get(table, LABELTAB_SETS + 1, &size));
    assert_null(labeltab_get(table, UINT32_MAX, &size));
}

static void a_full_table_loses_and_keeps(void **state)
{
    (void)state;
    char set[64];
    uint64_t kept = 0, lost = atomic_load(&table->lost);
    for (uint32_t i = 0; i < LABELTAB_SETS + 1000; i++) {
        int n = snprintf(set, sizeof set, "key%cvalue %u", 0, i) + 1;
        kept += labeltab_add(table, set, (size_t)n) != 0;
    }
    assert_true(kept > LABELTAB_SETS / 2);
    assert_int_equal(atomic_load(&table->lost) - lost, LABELTAB_SETS + 1000 - kept);
    assert_true(kept < LABELTAB_SETS);
    memcpy(set, "key\0value 0", 12);
    size_t size;
    assert_string_equal(show(labeltab_get(table, labeltab_add(table, set, 12), &size), 12),
                        "key=value 0");
}

static void *add_many(void *seed)
{
    unsigned x = (unsigned)(uintptr_t)seed;
    for (int i = 0; i < 20000; i++) {
        char set[32];
        int n = snprintf(set, sizeof set, "k%c%u", 0, (x = x * 1103515245u + 12345u) >> 16 & 255);
        size_t size = 0;
        const char *got = labeltab_get(table, labeltab_add(table, set, (size_t)n + 1), &size);
        if (!got || size != (size_t)n + 1 || memcmp(got, set, size))
            return "another set than was added";
    }
    return NULL;
}

static void threads_add_at_once(void **state)
{
    (void)state;
    pthread_t t[4];
    void *wrong;
    for (uintptr_t i = 0; i < 4; i++)
        pthread_create(&t[i], NULL, add_many, (void *)(i * 77));
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], &wrong);
        assert_null(wrong);
    }
}

/* ---- threads ---- */

static void labels_nest(void **state)
{
    (void)state;
    assert_null(strobe_label("a"));
    unsigned none = strobe_label_push("a", "1"), one = strobe_label_push("b", "2");
    assert_int_equal(none, 0);
    unsigned two = strobe_label_push("a", "3");
    assert_string_equal(show_mine(), "a=3 b=2");
    assert_int_equal(labels_of(runtime_tid()), labels_here());
    assert_string_equal(strobe_label("a"), "3");
    strobe_label_pop(two);
    assert_string_equal(show_mine(), "a=1 b=2");
    unsigned without = strobe_label_push("a", NULL);
    assert_string_equal(show_mine(), "b=2");
    assert_null(strobe_label("a"));
    strobe_label_pop(without);
    strobe_label_pop(one);
    assert_string_equal(show_mine(), "a=1");
    {
        STROBE_LABEL("c", "9");
        STROBE_LABEL("d", "8");
        assert_string_equal(show_mine(), "a=1 c=9 d=8");
    }
    assert_string_equal(show_mine(), "a=1");
    strobe_label_pop(none);
    assert_string_equal(show_mine(), "");
    assert_int_equal(labels_of(runtime_tid()), 0);
    strobe_labels_set(12345); /* nobody's */
    strobe_labels_set(UINT32_MAX);
    assert_int_equal(strobe_labels_get(), 0);
    assert_int_equal(strobe_label_push(NULL, "x"), 0);
    assert_int_equal(strobe_label_push("", "x"), 0);
    assert_int_equal(strobe_label_push("x", NULL), 0);
    assert_int_equal(strobe_labels_get(), 0);
}

static void *carry(void *labels)
{
    if (strcmp(show_mine(), "maker=main") || labels_of(runtime_tid()) != labels_here())
        return "a thread begins with other labels than its maker's";
    strobe_labels_set((unsigned)(uintptr_t)labels);
    return strcmp(show_mine(), "job=7 maker=main") ? "not the labels that were handed over" : NULL;
}

static void labels_are_inherited_and_handed_over(void **state)
{
    (void)state;
    pthread_t t;
    void *wrong;
    unsigned before = strobe_label_push("maker", "main");
    unsigned job = strobe_label_push("job", "7"), labels = strobe_labels_get();
    strobe_label_pop(job);
    pthread_create(&t, NULL, carry, (void *)(uintptr_t)labels);
    pthread_join(t, &wrong);
    assert_null(wrong);
    strobe_label_pop(before);
}

static void a_forked_child_keeps_its_labels(void **state)
{
    (void)state;
    unsigned before = strobe_label_push("who", "parent");
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        uint32_t tid = (uint32_t)getpid();
        int wrong = labels_of(tid) != labels_here() || strcmp(show_mine(), "who=parent") != 0;
        unsigned parent = strobe_label_push("who", "child");
        wrong |= labels_of(tid) != labels_here() || strcmp(show_mine(), "who=child") != 0;
        strobe_label_pop(parent);
        wrong |= strcmp(show_mine(), "who=parent") != 0;
        _exit(wrong);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_string_equal(show_mine(), "who=parent");
    strobe_label_pop(before);
}

static void *live_shortly(void *number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", (unsigned)(uintptr_t)number % 100);
    unsigned before = strobe_label_push("n", text);
    bool wrong = labels_of(runtime_tid()) != labels_here() || !labels_here();
    strobe_label_push("m", text); /* and ends with it */
    wrong |= labels_of(runtime_tid()) != labels_here() || labels_here() == before;
    return wrong ? "a thread without its labels" : NULL;
}

static void *churn(void *kind)
{
    for (uintptr_t i = 0; i < 4000; i++) {
        pthread_t t;
        pthread_attr_t a;
        void *wrong = NULL;
        pthread_attr_init(&a);
        pthread_attr_setstacksize(&a, 16384 + (kind ? 1 << 20 : 0)); /* TSan's need more */
        if (pthread_create(&t, &a, live_shortly, (void *)i) == 0)
            pthread_join(t, &wrong);
        pthread_attr_destroy(&a);
        if (wrong)
            return wrong;
    }
    return NULL;
}

/* More than there are slots, so that those that are given back must be taken again. */
static void threads_come_and_go(void **state)
{
    (void)state;
    pthread_t t[5];
    void *wrong, *big = NULL;
#ifdef __SANITIZE_THREAD__
    big = &big;
#endif
    _Static_assert(5 * 4000 > LABEL_SLOTS, "more than there is room for at once");
    for (int i = 0; i < 5; i++)
        pthread_create(&t[i], NULL, churn, big);
    for (int i = 0; i < 5; i++) {
        pthread_join(t[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(labels_lost(), 0);
}

static void labels_that_cannot_be_kept_are_counted(void **state)
{
    (void)state;
    uint64_t lost = labels_lost();
    unsigned before = strobe_labels_get();
    char key[16];
    for (int i = 0; i < LIMIT_LABELS + 5; i++) {
        snprintf(key, sizeof key, "%03d", i);
        strobe_label_push(key, "v");
    }
    assert_int_equal(labels_lost() - lost, 5);
    assert_string_equal(strobe_label("031"), "v");
    assert_null(strobe_label("032"));
    strobe_label_pop(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_kept_by_key),
        cmocka_unit_test(long_values_are_cut_between_characters),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(what_is_no_set_is_told),
        cmocka_unit_test_setup_teardown(equal_sets_have_one_number, make, drop),
        cmocka_unit_test_setup_teardown(a_full_table_loses_and_keeps, make, drop),
        cmocka_unit_test_setup_teardown(threads_add_at_once, make, drop),
        cmocka_unit_test(labels_nest),
        cmocka_unit_test(labels_are_inherited_and_handed_over),
        cmocka_unit_test(a_forked_child_keeps_its_labels),
        cmocka_unit_test(threads_come_and_go),
        cmocka_unit_test(labels_that_cannot_be_kept_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
