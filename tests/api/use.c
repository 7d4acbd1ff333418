/* SPDX-License-Identifier: MIT
 *
 * A program that is linked with libstrobe and uses its C API in the way that the first argument
 * names; api.sh runs it and reads the profiles. Each way checks what it is told as it goes: the
 * exit status is 0 if all was as <strobe/strobe.h> says. CPU time is burned in functions whose
 * names the profiles must show. */
#include <strobe/strobe.h>

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline, noclone))
#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            printf("line %d: not so: %s (%s)\n", __LINE__, #x, strobe_last_error());               \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static int failures;
static volatile unsigned sink;
static volatile int *volatile nowhere = (volatile int *)8;

/* ---- burning ---- */

static double thread_cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Differing by their salt, or the compiler would make one function of all. */
#define BURNER(name, salt)                                                                         \
    static NOINLINE void name(int ms)                                                              \
    {                                                                                              \
        double end = thread_cpu_s() + ms / 1e3;                                                    \
        do {                                                                                       \
            for (unsigned i = 0; i < 20000; i++)                                                   \
                sink += i * i + salt;                                                              \
        } while (thread_cpu_s() < end);                                                            \
    }

BURNER(burn_one, __LINE__)
BURNER(burn_two, __LINE__)
BURNER(burn_old, __LINE__)
BURNER(burn_new, __LINE__)
BURNER(burn_c11, __LINE__)
BURNER(burn_child, __LINE__)

/* ---- what the kernel sees of this process ---- */

static int count_entries(const char *dir)
{
    DIR *d = opendir(dir);
    int n = -1; /* the folder's own descriptor */
    if (!d)
        return -1;
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static int count_timers(void)
{
    char line[256];
    int n = 0;
    FILE *f = fopen("/proc/self/timers", "r");
    if (!f)
        return -1;
    while (fgets(line, sizeof line, f))
        n += strncmp(line, "ID:", 3) == 0;
    fclose(f);
    return n;
}

static int count_threads(void)
{
    return count_entries("/proc/self/task") + 1;
}

/* ---- the ways ---- */

static void use_file(const char *path)
{
    struct stat st;
    CHECK(strobe_cpu_set_rate(1000) == 0);
    CHECK(strobe_cpu_start(path) == 0);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    burn_one(150);
    burn_two(300);
    CHECK(strobe_cpu_stop() == 0);
}

struct collected {
    unsigned char bytes[1 << 20];
    size_t size;
    int calls;
    pthread_t thread;
};

static int collect(void *ctx, const void *bytes, size_t size)
{
    struct collected *c = ctx;
    if (size > sizeof c->bytes - c->size)
        return -1;
    memcpy(c->bytes + c->size, bytes, size);
    c->size += size;
    c->calls++;
    c->thread = pthread_self();
    return 0;
}

static void use_writer(const char *path)
{
    static struct collected c;
    CHECK(strobe_cpu_set_rate(1000) == 0);
    CHECK(strobe_cpu_start_writer(collect, &c) == 0);
    burn_one(150);
    burn_two(300);
    CHECK(c.calls == 0);
    CHECK(strobe_cpu_stop() == 0);
    CHECK(c.calls > 0 && pthread_equal(c.thread, pthread_self()));
    CHECK(c.size > 2 && c.bytes[0] == 0x1f && c.bytes[1] == 0x8b);
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(c.bytes, 1, c.size, f) == c.size && fclose(f) == 0);
}

static int give_up(void *ctx, const void *bytes, size_t size)
{
    (void)bytes;
    (void)size;
    return *(int *)ctx;
}

static void use_failing_writer(const char *path)
{
    int codes[] = {1, -1, -ENOSPC, 77};
    CHECK(strobe_cpu_start_writer(NULL, NULL) == -EINVAL);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        CHECK(strobe_cpu_start_writer(give_up, &codes[i]) == 0);
        burn_one(20);
        CHECK(strobe_cpu_stop() == -EIO);
        CHECK(strstr(strobe_last_error(), "written"));
        CHECK(strobe_cpu_stop() == -EINVAL);
    }
    CHECK(strobe_cpu_start("/dev/full") == 0);
    burn_one(20);
    CHECK(strobe_cpu_stop() < 0);
    use_file(path); /* and it goes on */
}

static void use_twice(const char *path)
{
    struct collected c = {.size = 0};
    CHECK(strobe_cpu_stop() == -EINVAL);
    CHECK(strlen(strobe_last_error()) > 20);
    CHECK(strobe_cpu_start(path) == 0);
    CHECK(strobe_cpu_start(path) == -EALREADY);
    CHECK(strstr(strobe_last_error(), "running already"));
    CHECK(strobe_cpu_start("/nonexistent/x") == -EALREADY);
    CHECK(strobe_cpu_start_writer(collect, &c) == -EALREADY);
    burn_one(50);
    CHECK(strobe_cpu_stop() == 0); /* the first one's file is whole */
    CHECK(strobe_cpu_stop() == -EINVAL);
    CHECK(c.calls == 0);
}

static void use_badly(const char *dir)
{
    char name[8192];
    int fds = count_entries("/proc/self/fd");
    CHECK(strobe_cpu_start(NULL) == -EINVAL);
    CHECK(strobe_cpu_start("") == -EINVAL);
    snprintf(name, sizeof name, "%s/no/such/folder", dir);
    CHECK(strobe_cpu_start(name) == -ENOENT);
    CHECK(strstr(strobe_last_error(), name));
    CHECK(strobe_cpu_start(dir) == -EISDIR);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    CHECK(strobe_cpu_start(name) == -ENAMETOOLONG);
    const int bad[] = {-1, 10001, 1 << 30};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(strobe_cpu_set_rate(bad[i]) == -EINVAL);
        CHECK(strstr(strobe_last_error(), "10000"));
    }
    CHECK(strobe_cpu_set_rate(1) == 0 && strobe_cpu_set_rate(10000) == 0);
    CHECK(strobe_cpu_set_rate(0) == 0);
    CHECK(count_entries("/proc/self/fd") == fds && count_timers() == 0);
    CHECK(strcmp(strobe_version(), STROBE_VERSION) == 0);
}

static atomic_int started;

static void *run_old(void *arg)
{
    while (!atomic_load(&started))
        usleep(1000);
    burn_old(200);
    return arg;
}

static void *run_new(void *arg)
{
    burn_new(200);
    return arg;
}

static int run_c11(void *arg)
{
    (void)arg;
    burn_c11(200);
    return 23;
}

static void use_threads(const char *path)
{
    pthread_t old, new;
    thrd_t c11;
    int result = 0;
    void *value = NULL;
    CHECK(strobe_cpu_set_rate(1000) == 0);
    CHECK(pthread_create(&old, NULL, run_old, NULL) == 0);
    CHECK(strobe_cpu_start(path) == 0);
    atomic_store(&started, 1);
    CHECK(pthread_create(&new, NULL, run_new, &old) == 0);
    CHECK(thrd_create(&c11, run_c11, NULL) == thrd_success);
    CHECK(pthread_join(old, NULL) == 0);
    CHECK(pthread_join(new, &value) == 0 && value == &old);
    CHECK(thrd_join(c11, &result) == thrd_success && result == 23);
    CHECK(strobe_cpu_stop() == 0);
}

static void use_again(const char *path)
{
    int fds = count_entries("/proc/self/fd"), threads = count_threads();
    CHECK(count_timers() == 0);
    for (int i = 0; i < 20; i++) {
        pthread_t t;
        CHECK(strobe_cpu_start(path) == 0);
        CHECK(count_threads() == threads);
        CHECK(pthread_create(&t, NULL, run_new, NULL) == 0);
        CHECK(pthread_join(t, NULL) == 0 || i);
        CHECK(strobe_cpu_stop() == 0);
        CHECK(count_entries("/proc/self/fd") == fds);
        CHECK(count_timers() == 0);
    }
    use_file(path);
    CHECK(count_entries("/proc/self/fd") == fds);
}

static void use_nothing(const char *fds)
{
    burn_one(20);
    CHECK(count_threads() == 1);
    CHECK(count_timers() == 0);
    CHECK(count_entries("/proc/self/fd") == atoi(fds));
    struct sigaction sa;
    for (int sig = 1; sig < SIGRTMIN; sig++)
        CHECK(sigaction(sig, NULL, &sa) != 0 || sa.sa_handler == SIG_DFL ||
              sa.sa_handler == SIG_IGN);
}

static void use_fork(const char *path)
{
    int status;
    CHECK(strobe_cpu_set_rate(1000) == 0);
    CHECK(strobe_cpu_start(path) == 0);
    burn_one(100);
    pid_t pid = fork();
    if (pid == 0) {
        burn_child(200);
        exit(3);
    }
    burn_two(200);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK(strobe_cpu_stop() == 0);
    printf("%d %d\n", (int)getpid(), (int)pid);
}

/* A relative name means the folder that the program is in when it starts the profile, whatever it
 * does to its folder and its descriptors afterwards. */
static void use_elsewhere(const char *dir)
{
    CHECK(chdir(dir) == 0);
    CHECK(strobe_cpu_set_rate(1000) == 0);
    CHECK(strobe_cpu_start("relative.pb.gz") == 0);
    CHECK(chdir("/") == 0);
    burn_one(100);
    for (int fd = 3; fd < 2000; fd++)
        close(fd);
    CHECK(strobe_cpu_stop() == 0);
}

static atomic_int done;

static void *come_and_go(void *arg)
{
    while (!atomic_load(&done)) {
        pthread_t t;
        if (pthread_create(&t, NULL, arg, NULL) == 0)
            pthread_join(t, NULL);
    }
    return NULL;
}

static void *live_shortly(void *arg)
{
    for (unsigned i = 0; i < 200000; i++)
        sink += i;
    return arg;
}

static void *live_on(void *arg)
{
    while (!atomic_load(&done))
        sink++;
    return arg;
}

/* Profiles begin and end while threads do, at the highest rate: a signal that comes late must not
 * reach the program, whose default for it is to die. */
static void use_under_load(const char *path)
{
    pthread_t threads[3];
    CHECK(strobe_cpu_set_rate(10000) == 0);
    CHECK(pthread_create(&threads[0], NULL, come_and_go, live_shortly) == 0);
    CHECK(pthread_create(&threads[1], NULL, live_on, NULL) == 0);
    CHECK(pthread_create(&threads[2], NULL, live_on, NULL) == 0);
    for (int i = 0; i < 60; i++) {
        CHECK(strobe_cpu_start(path) == 0);
        burn_one(3);
        CHECK(strobe_cpu_stop() == 0);
    }
    atomic_store(&done, 1);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

/* errno belongs to the program: samples, and calls that succeed, leave it alone. */
static void use_errno(const char *path)
{
    CHECK(strobe_cpu_set_rate(10000) == 0);
    CHECK(strobe_cpu_start(path) == 0);
    double end = thread_cpu_s() + 0.2;
    errno = 4711;
    while (thread_cpu_s() < end)
        for (int i = 0; i < 1000; i++)
            if (errno != 4711) {
                CHECK(!"errno was changed by a sample");
                errno = 4711;
            }
    pthread_t t;
    struct sigaction sa = {.sa_handler = SIG_IGN};
    sigset_t set;
    sigemptyset(&set);
    errno = 4711;
    CHECK(pthread_create(&t, NULL, live_shortly, NULL) == 0 && errno == 4711);
    CHECK(pthread_join(t, NULL) == 0 && errno == 4711);
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0 && errno == 4711);
    CHECK(signal(SIGUSR2, SIG_IGN) != SIG_ERR && errno == 4711);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0 && errno == 4711);
    CHECK(system("true") == 0 && errno == 4711);
    CHECK(strobe_cpu_stop() == 0);
}

static void end_as_told(const char *path, const char *how)
{
    strobe_cpu_set_rate(1000);
    if (strobe_cpu_start(path) != 0)
        exit(99);
    burn_one(100);
    if (strcmp(how, "exit") == 0)
        exit(7);
    if (strcmp(how, "_exit") == 0)
        _exit(7);
    if (strcmp(how, "_Exit") == 0)
        _Exit(7);
    if (strcmp(how, "quick_exit") == 0)
        quick_exit(7);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "segv") == 0)
        *nowhere = 1;
    if (strcmp(how, "term") == 0)
        raise(SIGTERM);
    if (strcmp(how, "alarm") == 0) {
        alarm(1);
        pause();
        pause();
    }
    if (strcmp(how, "reset") == 0) { /* a handler of its own, and back to the default */
        signal(SIGTERM, SIG_IGN);
        raise(SIGTERM);
        signal(SIGTERM, SIG_DFL);
        raise(SIGTERM);
    }
    if (strcmp(how, "system") == 0 && system("true") == 0)
        raise(SIGINT);
    exit(8);
}

static const struct {
    const char *name;
    void (*use)(const char *);
} ways[] = {
    {"file", use_file},           {"writer", use_writer},   {"failing", use_failing_writer},
    {"twice", use_twice},         {"badly", use_badly},     {"threads", use_threads},
    {"again", use_again},         {"nothing", use_nothing}, {"fork", use_fork},
    {"elsewhere", use_elsewhere}, {"load", use_under_load}, {"errno", use_errno},
};

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "end") == 0)
        end_as_told(argv[2], argv[3]);
    for (size_t i = 0; argc == 3 && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(argv[1], ways[i].name) == 0) {
            ways[i].use(argv[2]);
            return failures != 0;
        }
    fprintf(stderr, "usage: use WAY PATH, or use end PATH HOW\n");
    return 2;
}
