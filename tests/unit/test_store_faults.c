/* SPDX-License-Identifier: MIT
 *
 * The store when things go wrong: the writer is killed, the disk is full, the file is damaged,
 * newer than we are, another program's or in use. STORE_KILLS says how often a writer is killed;
 * the usual test does it a few times; STORE_PAGES has every page of a file damaged in turn. */
#include "store/block.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#define SECOND 1000000000ll
#define T0     (1700000400ll * SECOND)

static char dir[64], path[96];
static struct err e;

static int set_up(void **state)
{
    (void)state;
    strcpy(dir, "/tmp/strobe-faults-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/strobe.db", dir);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static int try_open(struct store **s)
{
    struct store_options o;
    store_options_default(&o);
    o.no_background = true;
    o.retain_ns = o.downsample_ns = -1;
    o.holder = "the test";
    return store_open(s, path, &o, &e);
}

static struct store *open_store(void)
{
    struct store *s;
    if (try_open(&s) != 0)
        fail_msg("%s", e.msg);
    return s;
}

/* One sample, in a function of its own for each `i` so that there are always new symbols. */
static void make(struct profile *p, int64_t i)
{
    char name[200];
    profile_init(p);
    memset(name, 'x', sizeof name);
    snprintf(name, sizeof name, "function_%lld", (long long)i);
    name[strlen(name)] = '_';
    struct arena *a = &p->arena;
    p->sample_types = arena_zarray(a, 1, sizeof *p->sample_types);
    p->sample_types[p->sample_type_count++].type = profile_intern_cstr(p, "samples");
    p->functions = arena_zarray(a, 1, sizeof *p->functions);
    p->functions[p->function_count++] =
        (struct profile_function){.id = 1, .name = profile_intern(p, name, sizeof name)};
    p->lines = arena_zarray(a, 1, sizeof *p->lines);
    p->line_count = 1;
    p->locations = arena_zarray(a, 1, sizeof *p->locations);
    p->locations[p->location_count++] =
        (struct profile_location){.id = 1, .mapping = PROFILE_NONE, .line_count = 1};
    p->loc_refs = arena_zarray(a, 1, sizeof *p->loc_refs);
    p->loc_ref_count = 1;
    p->values = arena_array(a, 1, sizeof *p->values);
    p->values[0] = i + 1;
    p->sample_loc_end = arena_array(a, 1, sizeof *p->sample_loc_end);
    p->sample_label_end = arena_zarray(a, 1, sizeof *p->sample_label_end);
    p->sample_loc_end[0] = p->sample_count = 1;
}

static int put(struct store *s, int64_t i)
{
    struct profile p;
    make(&p, i);
    struct store_append a = {.service_name = "w",
                             .kind = "cpu",
                             .profile = &p,
                             .time_ns = T0 + i * SECOND,
                             .lost_samples = -1};
    int rc = store_append(s, &a, NULL, &e);
    profile_free(&p);
    return rc;
}

static void stored(void *arg, int rc, const struct store_profile_id *id, const struct err *why)
{
    (void)arg, (void)id, (void)why;
    assert_int_equal(rc, 0);
}

/* Many at once: each need not wait for the disk. */
static void put_many(struct store *s, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        struct profile p;
        make(&p, i);
        struct store_append a = {.service_name = "w",
                                 .kind = "cpu",
                                 .profile = &p,
                                 .time_ns = T0 + i * SECOND,
                                 .lost_samples = -1};
        assert_int_equal(store_append_start(s, &a, stored, NULL, &e), 0);
        profile_free(&p);
    }
    assert_int_equal(store_put_setting(s, "flushed", "1", &e), 0);
}

static int merge(struct store *s, struct profile *p, struct store_merge_info *info)
{
    struct store_query q = {.kind = "cpu", .from_ns = 0, .until_ns = STORE_TIME_MAX};
    return store_merge(s, &q, NULL, p, info, &e);
}

/* ---- kill -9 ---- */

static void write_and_tell(int fd, int64_t from)
{
    struct store *s;
    if (try_open(&s) != 0)
        _exit(2);
    for (int64_t i = from;; i++) {
        if (put(s, i) < 0)
            _exit(3);
        if (write(fd, &i, sizeof i) != sizeof i)
            _exit(4);
        if (i % 64 == 63 && store_maintain(s, T0 + 10000000 * SECOND, &e) != 0)
            _exit(5);
    }
}

/* Starts a writer, kills it after a while, and returns the last profile it heard was stored. */
static int64_t kill_a_writer(int64_t from, unsigned after_us)
{
    int fds[2], status;
    int64_t i, last = from - 1;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        close(fds[0]);
        write_and_tell(fds[1], from);
    }
    close(fds[1]);
    usleep(after_us);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    while (read(fds[0], &i, sizeof i) == sizeof i)
        last = i;
    close(fds[0]);
    return last;
}

static void what_was_acknowledged_survives_kill_9(void **state)
{
    (void)state;
    const char *kills = getenv("STORE_KILLS");
    int rounds = kills ? atoi(kills) : 6;
    int64_t next = 0;
    for (int k = 0; k < rounds; k++) {
        struct profile p;
        struct store_merge_info info;
        int64_t last = kill_a_writer(next, 20000 + (unsigned)k * 7919 % 60000);
        struct store *s = open_store();
        if (merge(s, &p, &info) != 0)
            fail_msg("%s", e.msg);
        assert_int_equal(info.damaged, 0);
        assert_true(info.profiles >= (uint64_t)(last + 1)); /* one may have come in unheard */
        assert_true(info.profiles <= (uint64_t)(last + 2));
        assert_int_equal(p.sample_count, info.profiles);
        next = (int64_t)info.profiles;
        int64_t sum = 0;
        for (uint32_t i = 0; i < p.sample_count; i++)
            sum += p.values[i];
        assert_int_equal(sum, next * (next + 1) / 2);
        profile_free(&p);
        store_close(&s);
    }
    assert_true(next > 0);
}

/* ---- full disk ---- */

static void a_full_disk_is_reported_and_costs_nothing_stored(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct rlimit before, small;
    struct profile p;
    struct store_merge_info info;
    int64_t stored = 0, failed = 0;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 4000000;
    setrlimit(RLIMIT_FSIZE, &small);
    for (int64_t i = 0; i < 2000 && failed < 5; i++) {
        if (put(s, i) == 0)
            stored++;
        else {
            assert_int_equal(e.code, -ENOSPC);
            failed++;
        }
    }
    assert_int_equal(failed, 5);
    assert_true(stored > 10);
    assert_int_equal(merge(s, &p, &info), 0);
    assert_int_equal(info.profiles, stored);
    assert_int_equal(p.sample_count, stored);
    profile_free(&p);
    setrlimit(RLIMIT_FSIZE, &before);
    for (int64_t i = 1000; i < 1010; i++)
        assert_int_equal(put(s, i), 0);
    store_close(&s);
    s = open_store();
    assert_int_equal(merge(s, &p, &info), 0);
    assert_int_equal(info.profiles, stored + 10);
    assert_int_equal(info.damaged, 0);
    profile_free(&p);
    store_close(&s);
}

/* A full disk while profiles become blocks: it is said, nothing is lost, and it goes on later. */
static void a_full_disk_stops_compaction_and_no_more(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct rlimit before, small;
    struct profile p;
    struct store_merge_info info;
    struct store_stats stats;
    put_many(s, 300);
    store_close(&s); /* the log is empty now */
    s = open_store();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 20000;
    setrlimit(RLIMIT_FSIZE, &small);
    assert_int_equal(store_maintain(s, T0 + 10000000 * SECOND, &e), -ENOSPC);
    assert_non_null(strstr(e.msg, "disk"));
    assert_int_equal(merge(s, &p, &info), 0);
    assert_int_equal(info.profiles, 300);
    assert_int_equal(info.damaged, 0);
    profile_free(&p);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(store_maintain(s, T0 + 10000000 * SECOND, &e), 0);
    assert_int_equal(store_stats(s, &stats, &e), 0);
    assert_int_equal(stats.fresh_profiles, 0);
    assert_int_equal(merge(s, &p, &info), 0);
    assert_int_equal(info.profiles, 300);
    profile_free(&p);
    store_close(&s);
}

/* ---- the clock ---- */

/* The clock steps back by a year, then comes back: what came in stays, is compacted in its time,
 * and is neither young nor old by mistake. */
static void a_clock_that_steps_back_costs_nothing(void **state)
{
    (void)state;
    const int64_t year = 365 * 86400ll * SECOND, day = 86400 * SECOND;
    struct store_options o = {
        .retain_ns = 30 * day, .retain_bytes = -1, .downsample_ns = 7 * day, .no_background = true};
    struct store *s;
    struct profile p;
    struct store_merge_info info;
    assert_int_equal(store_open(&s, path, &o, &e), 0);
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(put(s, i), 0);
    assert_int_equal(store_maintain(s, T0 - year, &e), 0);
    for (int64_t i = 5; i < 10; i++)
        assert_int_equal(put(s, i), 0);
    assert_int_equal(put(s, 3), 1); /* known, whatever the clock says */
    assert_int_equal(store_maintain(s, T0 - year + day, &e), 0);
    assert_int_equal(store_maintain(s, T0 + day / 2, &e), 0);
    assert_int_equal(merge(s, &p, &info), 0);
    assert_int_equal(info.profiles, 10);
    assert_int_equal(info.damaged, 0);
    profile_free(&p);
    store_close(&s);
}

/* ---- damage ---- */

static void fill(int64_t count)
{
    struct store *s = open_store();
    put_many(s, count);
    assert_int_equal(store_maintain(s, T0 + 10000000 * SECOND, &e), 0);
    for (int64_t i = count; i < count + 20; i++)
        assert_int_equal(put(s, i + 100000), 0);
    store_close(&s);
}

/* Asks everything there is to ask; only crashes and hangs are wrong. */
static void ask_everything(struct store *s)
{
    struct arena a;
    struct profile p;
    struct store_merge_info info;
    struct store_query q = {.from_ns = T0, .until_ns = T0 + 400 * SECOND};
    struct store_series_list series;
    struct store_profile_list list;
    struct store_timeline timeline;
    struct store_top top;
    struct store_trend trend;
    struct store_stats stats;
    arena_init(&a);
    store_list_series(s, &q, &a, &series, &e);
    store_list_profiles(s, &q, 0, &a, &list, &e);
    store_timeline(s, &q, &(struct store_timeline_options){.step_ns = SECOND}, &a, &timeline, &e);
    store_top(s, &q, &(struct store_top_options){.step_ns = 10 * SECOND}, &a, &top, &e);
    store_trend(s, &q, &(struct store_trend_options){.function = "x"}, &a, &trend, &e);
    if (merge(s, &p, &info) == 0)
        assert_int_equal(profile_check(&p, &e), 0);
    profile_free(&p);
    put(s, 7777);
    store_maintain(s, T0 + 10000000 * SECOND, &e);
    store_stats(s, &stats, &e);
    arena_free(&a);
}

static void a_damaged_file_is_read_as_far_as_possible(void **state)
{
    (void)state;
    struct stat st;
    char command[512];
    uint64_t seed = 88172645463325252ull;
    int opened = 0;
    fill(300);
    snprintf(command, sizeof command, "cp %s %s/good", path, dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(stat(path, &st), 0);
    for (int round = 0; round < 30; round++) {
        struct store *s;
        snprintf(command, sizeof command, "rm -f %s-wal %s-shm; cp %s/good %s", path, path, dir,
                 path);
        assert_int_equal(system(command), 0);
        int fd = open(path, O_RDWR);
        for (int k = 0; k < 1 + round * 4; k++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            off_t at = (off_t)(seed % (uint64_t)st.st_size);
            if (round >= 5 || at > 8192) /* in the first rounds the file's head is spared */
                assert_int_equal(pwrite(fd, &seed, 1 + seed % 8, at), 1 + seed % 8);
        }
        close(fd);
        if (try_open(&s) != 0) {
            assert_true(e.code < 0 && e.msg[0]);
            continue;
        }
        opened++;
        ask_everything(s);
        store_close(&s);
    }
    assert_true(opened > 0);
}

/* Each page of the file in turn is overwritten by what is no page, or by the page after it. The
 * store opens or says why not; what it gives is valid; and most pages cost a part only. */
static void any_page_may_be_lost(void **state)
{
    (void)state;
    enum { PAGE = 4096 };
    static char page[PAGE];
    char good[128], command[512];
    struct stat st;
    int opened = 0, pages, readable = 0;
    fill(1500); /* packed symbols, three blocks, fresh ones */
    snprintf(good, sizeof good, "%s/good", dir);
    snprintf(command, sizeof command, "cp %s %s", path, good);
    assert_int_equal(system(command), 0);
    assert_int_equal(stat(path, &st), 0);
    pages = (int)(st.st_size / PAGE);
    int step = getenv("STORE_PAGES") ? 1 : pages / 40 + 1;
    for (int i = 0; i < pages; i += step) {
        struct store *s;
        struct profile p;
        struct store_merge_info info;
        snprintf(command, sizeof command, "rm -f %s-wal %s-shm; cp %s %s", path, path, good, path);
        assert_int_equal(system(command), 0);
        int fd = open(path, O_RDWR);
        memset(page, i * 37, sizeof page);
        if (i % 2)
            assert_int_equal(pread(fd, page, PAGE, (off_t)((i + 1) % pages) * PAGE), PAGE);
        assert_int_equal(pwrite(fd, page, PAGE, (off_t)i * PAGE), PAGE);
        close(fd);
        if (try_open(&s) != 0) {
            assert_true(e.code < 0 && e.msg[0]);
            continue;
        }
        opened++;
        if (merge(s, &p, &info) == 0)
            readable += info.profiles > 0;
        profile_free(&p);
        ask_everything(s);
        store_close(&s);
    }
    assert_true(opened > 0 && readable > opened / 2);
}

static void a_damaged_block_is_counted_and_the_rest_is_given(void **state)
{
    (void)state;
    char command[512];
    struct profile p;
    struct store_merge_info info;
    struct store_stats stats;
    fill(1300); /* three blocks */
    snprintf(command, sizeof command,
             "sqlite3 %s \"UPDATE block SET sum = x'0011223344556677' WHERE id ="
             " (SELECT min(id) FROM block)\"",
             path);
    if (system("command -v sqlite3 >/dev/null") != 0 || system(command) != 0) {
        printf("no sqlite3 here: not tested\n");
        skip();
    }
    struct store *s = open_store();
    assert_int_equal(merge(s, &p, &info), 0);
    assert_int_equal(info.damaged, 1);
    assert_int_equal(info.profiles, 1320 - 600);
    assert_int_equal(p.sample_count, 1320 - 600);
    profile_free(&p);
    assert_int_equal(store_stats(s, &stats, &e), 0);
    assert_true(stats.damaged > 0);
    assert_non_null(strstr(stats.last_damage, "cannot be read"));
    store_close(&s);
}

static void overwrite(const char *text, off_t at)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
    close(fd);
}

static void a_file_that_is_not_ours_is_refused(void **state)
{
    (void)state;
    struct store *s;
    overwrite("this is a text and by no means a database, however long it may be read on ....."
              "and on and on and on and on and on and on and on and on and on and on and on .",
              0);
    assert_int_equal(try_open(&s), -EIO);
    assert_non_null(strstr(e.msg, "damaged"));
    assert_null(s);
}

static void a_newer_file_is_refused_with_a_sentence(void **state)
{
    (void)state;
    struct store *s = open_store();
    store_close(&s);
    int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, "\0\0\0\x63", 4, 60), 4); /* user_version, in SQLite's header */
    close(fd);
    assert_int_equal(try_open(&s), -EPROTONOSUPPORT);
    assert_non_null(strstr(e.msg, "newer strobe (layout 99"));
}

static void a_store_in_use_names_its_holder(void **state)
{
    (void)state;
    struct store *s = open_store(), *second;
    char who[64];
    struct stat st;
    snprintf(who, sizeof who, "the test (process %d)", (int)getpid());
    assert_int_equal(try_open(&second), -EBUSY);
    assert_non_null(strstr(e.msg, who));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    store_close(&s);
    s = open_store();
    store_close(&s);
}

/* Another program holds SQLite's own lock, as a backup does: we wait, then say so, and go on when
 * it is gone. */
static void a_file_that_is_locked_from_outside_is_waited_for(void **state)
{
    (void)state;
    struct store *s = open_store();
    int ready[2];
    char byte;
    assert_int_equal(put(s, 1), 0);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        char command[256];
        snprintf(command, sizeof command,
                 "(echo 'BEGIN IMMEDIATE;'; echo '.shell echo r >&%d'; echo '.shell sleep 1';"
                 " echo 'COMMIT;') | sqlite3 %s 2>/dev/null",
                 ready[1], path);
        _exit(system(command) != 0);
    }
    close(ready[1]);
    int status, said = read(ready[0], &byte, 1) == 1;
    int rc = put(s, 2);
    close(ready[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(rc, 0);
    struct profile p;
    struct store_merge_info info;
    assert_int_equal(merge(s, &p, &info), 0);
    assert_int_equal(info.profiles, 2);
    profile_free(&p);
    store_close(&s);
    if (!said) {
        printf("no sqlite3 here: not tested\n");
        skip();
    }
}

/* ---- ends of the ranges ---- */

static void any_time_is_a_time(void **state)
{
    (void)state;
    static const int64_t times[] = {1, -1, -SECOND * 1000, INT64_MIN, INT64_MAX - 1, INT64_MIN + 5};
    struct store *s = open_store();
    struct store_query q = {.from_ns = STORE_TIME_MIN, .until_ns = STORE_TIME_MAX};
    for (int round = 0; round < 2; round++) {
        struct profile p;
        struct store_merge_info info;
        for (int i = 0; i < 6; i++) {
            make(&p, i);
            struct store_append a = {.service_name = "w",
                                     .kind = "cpu",
                                     .profile = &p,
                                     .time_ns = times[i],
                                     .lost_samples = -1};
            assert_int_equal(store_append(s, &a, NULL, &e), round);
            profile_free(&p);
        }
        assert_int_equal(store_merge(s, &q, NULL, &p, &info, &e), 0);
        assert_int_equal(info.profiles, 6);
        profile_free(&p);
        assert_int_equal(store_maintain(s, INT64_MAX, &e), 0);
    }
    store_close(&s);
}

static void what_cannot_be_stored_is_refused_with_a_sentence(void **state)
{
    (void)state;
    struct store *s = open_store();
    struct profile p;
    struct store_label twice[] = {{"a", "1"}, {"a", "2"}};
    make(&p, 1);
    struct store_append a = {.service_name = "", .kind = "cpu", .profile = &p};
    assert_int_equal(store_append(s, &a, NULL, &e), -EINVAL);
    a.service_name = "x";
    a.labels = twice;
    a.label_count = 2;
    assert_int_equal(store_append(s, &a, NULL, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "twice"));
    profile_free(&p);
    store_close(&s);
    assert_int_equal(store_open(&s, "oracle:x", NULL, &e), -EINVAL);
    assert_non_null(strstr(e.msg, "sqlite:PATH"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_acknowledged_survives_kill_9),
        TEST(a_full_disk_is_reported_and_costs_nothing_stored),
        TEST(a_full_disk_stops_compaction_and_no_more),
        TEST(a_clock_that_steps_back_costs_nothing),
        TEST(a_damaged_file_is_read_as_far_as_possible),
        TEST(any_page_may_be_lost),
        TEST(a_damaged_block_is_counted_and_the_rest_is_given),
        TEST(a_file_that_is_not_ours_is_refused),
        TEST(a_newer_file_is_refused_with_a_sentence),
        TEST(a_store_in_use_names_its_holder),
        TEST(a_file_that_is_locked_from_outside_is_waited_for),
        TEST(any_time_is_a_time),
        TEST(what_cannot_be_stored_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
