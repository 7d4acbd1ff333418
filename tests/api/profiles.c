/* SPDX-License-Identifier: MIT
 *
 * A program that keeps profiles of its own, by <strobe/strobe.h>. profiles.sh looks at them over
 * STROBE_HTTP; what can be told from inside is checked here: the exit status is 0 if all was as the
 * header says. Ends with its standard input. */
#include <strobe/strobe.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            printf("line %d: not so: %s\n", __LINE__, #x);                                         \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

enum { MANY = 20000, THREADS = 4 };

static int failures;
static struct strobe_profile *files, *jobs;
static char values[THREADS * MANY];

NOINLINE static void open_file(int i)
{
    CHECK(strobe_profile_add(files, &values[i], 0) == 0);
    __asm__ volatile("");
}

NOINLINE static void add_for_caller(int i)
{
    CHECK(strobe_profile_add(files, &values[i], 1) == 0);
    __asm__ volatile("");
}

NOINLINE static void open_special(int i)
{
    add_for_caller(i);
    __asm__ volatile("");
}

/* One place in the code, whatever the compiler would like to make of the loop. */
NOINLINE static void open_all(void (*open_one)(int), int from, int n)
{
    for (volatile int i = 0; i < n; i++)
        open_one(from + i);
}

static void names(void)
{
    static const char *const bad[] = {"",        "heap", "goroutine", "threads", "cmdline",
                                      "profile", "a b",  "a/b",       "files",   "trace",
                                      "<x>",     "wall", NULL};
    char text[65];
    files = strobe_profile_new("files");
    CHECK(files && !strcmp(strobe_profile_name(files), "files"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!strobe_profile_new(bad[i]));
    memset(text, 'n', sizeof text);
    text[64] = 0;
    CHECK(!strobe_profile_new(text));
    text[63] = 0;
    CHECK(strobe_profile_new(text));
}

static void add_and_remove(void)
{
    CHECK(strobe_profile_count(files) == 0);
    CHECK(strobe_profile_add(files, NULL, 0) == -EINVAL);
    CHECK(strobe_profile_add(NULL, values, 0) == -EINVAL);
    strobe_profile_remove(files, values);
    CHECK(strobe_profile_count(files) == 0);
    open_all(open_file, 0, 5);
    CHECK(strobe_profile_add(files, &values[2], 0) == -EEXIST);
    CHECK(strobe_profile_count(files) == 5);
    strobe_profile_remove(files, &values[2]);
    strobe_profile_remove(files, &values[2]);
    CHECK(strobe_profile_count(files) == 4);
    strobe_profile_remove(files, &values[0]);
    strobe_profile_remove(files, &values[1]);
    open_all(open_file, 0, 3);
    STROBE_LABEL("kind", "special");
    open_all(open_special, 10, 2);
    CHECK(strobe_profile_count(files) == 7);
}

/* ---- by name, and as a whole ---- */

struct text {
    char bytes[1 << 16];
    size_t size;
    size_t most; /* gives up beyond it */
};

static int collect(void *to, const void *bytes, size_t size)
{
    struct text *t = to;
    if (size > t->most - t->size)
        return 1;
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = 0;
    return 0;
}

/* -1: it failed. */
static int written(const char *name, int debug, struct text *t)
{
    t->size = 0;
    t->most = sizeof t->bytes - 1;
    return strobe_write(strobe_lookup(name), collect, t, debug) == 0 ? (int)t->size : -1;
}

/* What stands behind the name is what was made, and what is written is what is in it just now. */
static void look_up_and_write(void)
{
    static struct text t;
    const struct strobe_profile *p = strobe_lookup("files");
    CHECK(p == files && !strcmp(strobe_profile_name(p), "files"));
    CHECK(strobe_profile_count(p) == 7 && !strobe_lookup("File") && !strobe_lookup(""));
    CHECK(written("files", 1, &t) > 0 && !strncmp(t.bytes, "files profile: total 7\n3 @ ", 27));
    CHECK(strstr(t.bytes, "\topen_file+") && strstr(t.bytes, "# labels: {\"kind\":\"special\"}"));
    CHECK(written("files", 0, &t) > 0 && !memcmp(t.bytes, "\x1f\x8b", 2));
    struct strobe_profile *opened = strobe_profile_new("opened");
    CHECK(strobe_profile_add(opened, &values[0], 0) == 0);
    CHECK(strobe_profile_add(opened, &values[1], 0) == 0);
    CHECK(written("opened", 1, &t) > 0 && !strncmp(t.bytes, "opened profile: total 2\n", 24));
    strobe_profile_remove(opened, &values[0]);
    CHECK(written("opened", 1, &t) > 0 && !strncmp(t.bytes, "opened profile: total 1\n1 @ ", 28));
    t.most = t.size = 0;
    CHECK(strobe_write(p, collect, &t, 1) == -EIO && strlen(strobe_last_error()) > 10);
    CHECK(strobe_write(p, NULL, NULL, 1) == -EINVAL);
    strobe_profile_new("empty");
    CHECK(strobe_lookup("empty") && strobe_profile_count(strobe_lookup("empty")) == 0);
    CHECK(written("empty", 1, &t) > 0 && !strcmp(t.bytes, "empty profile: total 0\n"));
    CHECK(written("empty", 0, &t) > 0 && !memcmp(t.bytes, "\x1f\x8b", 2));
}

static void *work(void *from)
{
    char *v = from;
    for (int i = 0; i < MANY; i++) {
        CHECK(strobe_profile_add(jobs, v + i, 0) == 0);
        if (i % 2) /* each other one stays */
            strobe_profile_remove(jobs, v + i);
    }
    for (int i = 0; i < MANY; i += 20)
        strobe_profile_remove(jobs, v + i);
    return NULL;
}

static void many_at_once(void)
{
    pthread_t t[THREADS];
    int status;
    jobs = strobe_profile_new("jobs");
    for (int i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, work, values + (size_t)i * MANY);
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork(); /* in the middle of it all */
        if (pid == 0) {
            char mine;
            int r = strobe_profile_add(jobs, &mine, 0);
            strobe_profile_remove(jobs, &mine);
            _exit(r != 0);
        }
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    CHECK(strobe_profile_count(jobs) == THREADS * (MANY / 2 - MANY / 20));
}

int main(void)
{
    names();
    add_and_remove();
    look_up_and_write();
    many_at_once();
    puts("ready");
    fflush(stdout);
    getchar();
    return failures != 0;
}
