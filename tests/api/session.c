/* SPDX-License-Identifier: MIT
 *
 * Uses strobe_start, profiles by name, counters, spans, errors and the mounted routes, in the ways
 * that session.sh asks for: session WAY [PATH]. */
#include <strobe/strobe.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            printf("%s:%d: %s (%s)\n", __FILE__, __LINE__, #x, strobe_last_error());               \
            failures++;                                                                            \
        }                                                                                          \
    } while (0)

static int failures;
static volatile unsigned sink;

__attribute__((noinline)) static void burn(int ms)
{
    struct timespec now, from;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
    do {
        for (int i = 0; i < 10000; i++)
            sink += (unsigned)i;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    } while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 < ms);
}

static void *volatile kept;

__attribute__((noinline)) static void keep(size_t n)
{
    kept = malloc(n);
}

static struct strobe_options defaults(const char *path)
{
    struct strobe_options o;
    strobe_options_default(&o);
    o.path = path;
    return o;
}

/* ---- sessions ---- */

static void use_nothing(const char *path)
{
    (void)path;
    CHECK(strobe_start(NULL) == 0);
    burn(50);
    CHECK(strobe_stop() == 0);
    printf("%s\n", strobe_path("cpu"));
}

static void use_path(const char *path)
{
    struct strobe_options o = defaults(path);
    CHECK(strobe_start(&o) == 0);
    CHECK(strobe_start(&o) == -EALREADY && strstr(strobe_last_error(), "already called"));
    CHECK(strobe_cpu_start("/dev/null") == -EALREADY);
    burn(200);
    CHECK(strobe_cpu_stop() == -EINVAL); /* it is the session's */
    CHECK(strobe_stop() == 0 && strobe_stop() == 0);
    CHECK(strobe_start(&o) == 0); /* sessions may follow one another */
    burn(200);
    CHECK(strobe_stop() == 0);
}

static void use_several(const char *path)
{
    struct strobe_options o = defaults(path);
    o.kinds = "cpu,mem,threadcreation,goroutine";
    o.heap_rate = 1;
    for (int i = 0; i < 2; i++) {
        CHECK(strobe_start(&o) == 0);
        for (int n = 0; n < 100; n++)
            keep(1000);
        burn(100);
        CHECK(strobe_stop() == 0);
    }
}

static void use_out(const char *path)
{
    struct strobe_options o = defaults(NULL);
    char pattern[512];
    snprintf(pattern, sizeof pattern, "%s/x.%%k.gz", path);
    o.kinds = "cpu,heap";
    o.out = path;
    CHECK(strobe_start(&o) == -EINVAL && strstr(strobe_last_error(), "%k"));
    o.out = pattern;
    o.hz = 500;
    CHECK(strobe_start(&o) == 0);
    burn(100);
    CHECK(strobe_stop() == 0);
}

static void use_quiet(const char *path)
{
    struct strobe_options o = defaults(path);
    o.kinds = "cpu,heap";
    o.quiet = 1;
    CHECK(strobe_start(&o) == 0);
    CHECK(strobe_stop() == 0);
}

static void use_badly(const char *path)
{
    struct strobe_options o = defaults("/dev/null/x");
    CHECK(strobe_start(&o) == -ENOTDIR && strstr(strobe_last_error(), "/dev/null/x"));
    o = defaults(path);
    o.kinds = "cpu,nosuch";
    CHECK(strobe_start(&o) == -EINVAL && strstr(strobe_last_error(), "nosuch"));
    o = defaults(path);
    o.hz = 0;
    CHECK(strobe_start(&o) == -EINVAL);
    o = defaults(path);
    o.backend = "sundial";
    CHECK(strobe_start(&o) == -EINVAL && strstr(strobe_last_error(), "sundial"));
    o = defaults(path);
    o.max_cost = "much";
    CHECK(strobe_start(&o) == -EINVAL && strstr(strobe_last_error(), "much"));
    o = defaults(path);
    o.http = "nowhere:1:2";
    CHECK(strobe_start(&o) < 0 && strstr(strobe_last_error(), "nowhere"));
    o = defaults(path); /* nothing of all that is left over */
    CHECK(strobe_start(&o) == 0 && strobe_stop() == 0);
}

static void use_end(const char *path)
{
    struct strobe_options o = defaults(path);
    o.kinds = "cpu,goroutine";
    CHECK(strobe_start(&o) == 0);
    burn(100);
    exit(7);
}

static void use_interrupt(const char *path)
{
    struct strobe_options o = defaults(path);
    CHECK(strobe_start(&o) == 0);
    burn(100);
    raise(SIGINT);
    exit(8);
}

static void use_no_hook(const char *path)
{
    struct strobe_options o = defaults(path);
    o.no_shutdown_hook = 1;
    CHECK(strobe_start(&o) == 0);
    burn(100);
    raise(SIGINT);
    exit(8);
}

static void use_fork(const char *path)
{
    struct strobe_options o = defaults(path);
    int status;
    CHECK(strobe_start(&o) == 0);
    pid_t child = fork();
    if (child == 0) { /* the session is the parent's */
        CHECK(strobe_stop() == 0);
        exit(failures);
    }
    burn(100);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(strobe_stop() == 0);
}

/* ---- profiles by name ---- */

struct text {
    char bytes[1 << 20];
    size_t size;
};

static int collect(void *to, const void *bytes, size_t size)
{
    struct text *t = to;
    if (size >= sizeof t->bytes - t->size)
        return 1;
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = 0;
    return 0;
}

static int give_up(void *to, const void *bytes, size_t size)
{
    (void)to, (void)bytes, (void)size;
    return 1;
}

static void use_lookup(const char *path)
{
    static struct text t;
    (void)path;
    CHECK(!strobe_lookup("nosuch") && !strobe_lookup(NULL));
    CHECK(strobe_write(NULL, collect, &t, 0) == -EINVAL);
    const struct strobe_profile *heap = strobe_lookup("heap");
    CHECK(heap && !strcmp(strobe_profile_name(heap), "heap"));
    CHECK(strobe_write(heap, collect, &t, 0) == -ENOTSUP && strlen(strobe_last_error()) > 20);
    CHECK(strobe_heap_set_rate((1ull << 40) + 1) == -EINVAL);
    CHECK(strobe_heap_set_rate(0) == 0 && strobe_write(heap, collect, &t, 0) == -ENOTSUP);
    CHECK(strobe_heap_set_rate(1) == 0 && strobe_heap_set_rate(1) == 0);
    keep(12345);
    CHECK(strobe_profile_count(heap) > 0);
    CHECK(strobe_write(heap, give_up, NULL, 1) == -EIO);
    CHECK(strobe_write(heap, collect, &t, 1) == 0);
    CHECK(!strncmp(t.bytes, "heap profile: ", 14) && strstr(t.bytes, "1: 12345 [1: 12345] @"));
    t.size = 0;
    CHECK(strobe_write(heap, collect, &t, 0) == 0 && !memcmp(t.bytes, "\x1f\x8b", 2));
    t.size = 0;
    CHECK(strobe_lookup("threads") == strobe_lookup("goroutine"));
    CHECK(strobe_write(strobe_lookup("goroutine"), collect, &t, 2) == 0);
    CHECK(!strncmp(t.bytes, "goroutine ", 10));
}

/* ---- counters, spans, errors ---- */

__attribute__((noinline)) static void fail_here(const char *message)
{
    errno = 4711;
    strobe_error("timeout", message);
    CHECK(errno == 4711);
}

static void *add_many(void *arg)
{
    for (int i = 0; i < 10000; i++)
        strobe_counter_add("hits", 1);
    return arg;
}

static const char *get(const char *target)
{
    static struct text t;
    struct strobe_http_request request = {.target = target};
    struct strobe_http_response response;
    t.size = 0;
    CHECK(strobe_http_handle(&request, &response) == 0 && response.status == 200);
    collect(&t, response.body, response.body_size);
    strobe_http_free(&response);
    return t.bytes;
}

static void use_vars(const char *path)
{
    pthread_t threads[4];
    (void)path;
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, add_many, NULL) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(strobe_counter_set("level", -3) == 0);
    CHECK(strobe_counter_add("cmdline", 1) == -EINVAL && strobe_counter_add("", 1) == -EINVAL);
    struct strobe_span s = strobe_span_begin("checkout \"x\""), open = strobe_span_begin("open");
    usleep(20000);
    CHECK(strobe_span_end(&s) >= 20000000 && strobe_span_end(&s) == 0);
    fail_here("first");
    fail_here("second");
    strobe_error("EPIPE", NULL);
    const char *vars = get("/debug/vars");
    CHECK(strstr(vars, "\n\"hits\": 40000") && strstr(vars, "\n\"level\": -3"));
    CHECK(strstr(vars, "\"checkout \\\"x\\\"\": {\"count\": 1, \"running\": 0, \"total_ns\": "));
    CHECK(strstr(vars, "\"open\": {\"count\": 0, \"running\": 1, "));
    CHECK(strstr(vars, "\"timeout\": {\"count\": 2, ") && strstr(vars, "\"message\": \"second\"}"));
    puts(vars);
    strobe_span_end(&open);
    const char *errors = get("/debug/pprof/errors?debug=1");
    CHECK(!strncmp(errors, "errors profile: total 3\n", 24));
    CHECK(strstr(errors, "fail_here") && strstr(errors, "# labels: {\"kind\":\"timeout\"}"));
    CHECK(strstr(get("/debug/pprof/"), "<td>3</td><td><a href='errors?debug=1'>errors</a>"));
}

/* ---- mounted ---- */

static void use_mounted(const char *path)
{
    struct strobe_http_request request = {.target = "/mine"};
    struct strobe_http_response r;
    (void)path;
    CHECK(strobe_http_handle(&request, &r) == -ENOENT && !r.state);
    request.target = "mine";
    CHECK(strobe_http_handle(&request, &r) == -EINVAL);
    request.target = "/debug/pprof/profile?seconds=1";
    CHECK(strobe_http_begin(&request, &r) == 0 && r.wait_ms > 900 && r.wait_ms <= 1001);
    struct strobe_http_response second;
    CHECK(strobe_http_handle(&request, &second) == 0 && second.status == 500);
    CHECK(strstr(second.body, "cpu profiling already in use"));
    strobe_http_free(&second);
    CHECK(strobe_cpu_stop() == -EINVAL); /* it is the client's */
    burn(100);
    strobe_http_finish(&r); /* before its time: it is shorter */
    CHECK(r.status == 200 && r.body_size > 100 && !r.wait_ms);
    strobe_http_free(&r);
    CHECK(strobe_http_begin(&request, &r) == 0 && r.wait_ms);
    strobe_http_free(&r); /* given up */
    CHECK(strobe_http_cpu(&request, &r) == 0 && r.status == 200 && r.body_size > 100);
    strobe_http_free(&r);
    request.target = "/anywhere?debug=1";
    CHECK(strobe_http_profile("goroutine", &request, &r) == 0 && r.status == 200);
    CHECK(!strncmp(r.body, "goroutine profile: total ", 25));
    strobe_http_free(&r);
    CHECK(strobe_http_index(&request, &r) == 0 && !strncmp(r.body, "<html>", 6));
    strobe_http_free(&r);
    CHECK(strobe_http_trace(&request, &r) == 0 && r.status == 501);
    strobe_http_free(&r);
    CHECK(strobe_http_profile("nosuch", &request, &r) == 0 && r.status == 404);
    strobe_http_free(&r);
    char symbol[64];
    snprintf(symbol, sizeof symbol, "%p", (void *)use_mounted);
    request = (struct strobe_http_request){"POST", "/x", symbol, strlen(symbol)};
    CHECK(strobe_http_symbol(&request, &r) == 0 && r.status == 200);
    CHECK(strstr(r.body, " use_mounted\n"));
    strobe_http_free(&r);
    CHECK(strobe_http_cmdline(&request, &r) == 0 && r.status == 405);
    strobe_http_free(&r);
}

/* ---- one option each ---- */

static void run_with(const struct strobe_options *o, void (*work)(void))
{
    CHECK(strobe_start(o) == 0);
    work();
    CHECK(strobe_stop() == 0);
}

static void burn_some(void)
{
    burn(300);
}

static void use_backend(const char *path)
{
    struct strobe_options o = defaults(path);
    o.backend = "timer";
    run_with(&o, burn_some);
}

/* Also hz: at 10,000 Hz no machine samples for less than a thousandth of a percent. */
static void use_max_cost(const char *path)
{
    struct strobe_options o = defaults(path);
    o.hz = 10000;
    o.max_cost = "0.001";
    run_with(&o, burn_some);
}

/* What is in use at the end is none of it. */
static void keep_and_free(void)
{
    for (int i = 0; i < 100; i++) {
        keep(100000);
        free(kept);
    }
}

static void use_heap_peak(const char *path)
{
    struct strobe_options o = defaults(path);
    o.kinds = "heap";
    o.heap_rate = 1;
    o.heap_peak = 1;
    run_with(&o, keep_and_free);
}

static void keep_many(void)
{
    for (int i = 0; i < 20000; i++)
        keep(100);
}

/* Without a number: $STROBE_SEED's, which is the default. */
static void use_seed(const char *path)
{
    struct strobe_options o = defaults(path);
    o.kinds = "heap";
    o.seed = o.seed ? o.seed : 5;
    run_with(&o, keep_many);
}

static void use_http(const char *path)
{
    struct strobe_options o = defaults(path);
    char address[512];
    snprintf(address, sizeof address, "unix:%s/socket", path);
    o.http = address;
    CHECK(strobe_start(&o) == 0);
    printf("ready\n");
    fflush(stdout);
    CHECK(getchar() != 'x');
    CHECK(strobe_stop() == 0);
}

static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;
static int inside[2];

static void *want_it(void *unused)
{
    CHECK(write(inside[1], "", 1) == 1);
    pthread_mutex_lock(&contended);
    pthread_mutex_unlock(&contended);
    return unused;
}

/* One wait for a lock, and one of poll. */
static void wait_in_two_ways(void)
{
    pthread_t t;
    char c;
    CHECK(pipe(inside) == 0);
    pthread_mutex_lock(&contended);
    CHECK(pthread_create(&t, NULL, want_it, NULL) == 0);
    CHECK(read(inside[0], &c, 1) == 1);
    CHECK(poll(NULL, 0, 200) == 0);
    pthread_mutex_unlock(&contended);
    pthread_join(t, NULL);
}

static void use_waits(const char *path)
{
    struct strobe_options o = defaults(path);
    o.kinds = "block,mutex";
    CHECK(o.block_rate == 1 && o.mutex_fraction == 1 && !o.block && !o.debug);
    run_with(&o, wait_in_two_ways);
}

static void use_block(const char *path)
{
    struct strobe_options o = defaults(path);
    o.kinds = "block";
    o.block = "io";
    run_with(&o, wait_in_two_ways);
}

/* A wait of some 0.2 s is one in ten million, and one contention one in a billion. */
static void use_rates(const char *path)
{
    struct strobe_options o = defaults(path);
    o.kinds = "block,mutex";
    o.block_rate = 1ull << 40;
    o.mutex_fraction = 1 << 30;
    run_with(&o, wait_in_two_ways);
}

/* As who was compiled before these options were there. */
static void use_older(const char *path)
{
    struct strobe_options o = defaults(path);
    o.kinds = "block,mutex";
    o.block_rate = 0;
    o.mutex_fraction = 0;
    o.block = NULL;
    run_with(&o, wait_in_two_ways);
}

static void use_debug(const char *path)
{
    struct strobe_options o = defaults(path);
    o.quiet = 1;
    o.debug = "efence=1";
    CHECK(strobe_start(&o) == -ENOTSUP && strstr(strobe_last_error(), "STROBE_DEBUG"));
    o.debug = "nosuch=1";
    CHECK(strobe_start(&o) == -EINVAL && strstr(strobe_last_error(), "nosuch"));
    o.debug = "schedtrace=20";
    run_with(&o, burn_some);
    fprintf(stderr, "stopped\n");
    burn(100);
}

static void sleep_here(void)
{
    CHECK(poll(NULL, 0, 300) == 0);
    __asm__ volatile("");
}

/* Alone, and beside the CPU time that it has as well; what it was when it is over is no profile. */
static void use_wall(const char *path)
{
    static struct text t;
    struct strobe_options o = defaults(path);
    const struct strobe_profile *wall = strobe_lookup("wall");
    CHECK(strobe_write(wall, collect, &t, 0) == -ENOTSUP && strlen(strobe_last_error()) > 20);
    o.kinds = "wall";
    CHECK(strobe_start(&o) == 0);
    sleep_here();
    CHECK(strobe_write(wall, collect, &t, 0) == 0 && !memcmp(t.bytes, "\x1f\x8b", 2));
    CHECK(strobe_profile_count(wall) > 0);
    burn(300);
    CHECK(strobe_stop() == 0);
    CHECK(strobe_write(wall, collect, &t, 0) == -ENOTSUP);
    o.kinds = "clock,cpu";
    o.out = strcat(strcpy(t.bytes, path), "/both.%k");
    CHECK(strobe_start(&o) == 0);
    burn(300);
    sleep_here();
    CHECK(strobe_stop() == 0);
}

static const struct {
    const char *name;
    void (*use)(const char *);
} ways[] = {
    {"nothing", use_nothing}, {"path", use_path},           {"several", use_several},
    {"out", use_out},         {"quiet", use_quiet},         {"badly", use_badly},
    {"end", use_end},         {"interrupt", use_interrupt}, {"no_hook", use_no_hook},
    {"fork", use_fork},       {"lookup", use_lookup},       {"vars", use_vars},
    {"mounted", use_mounted}, {"backend", use_backend},     {"max_cost", use_max_cost},
    {"seed", use_seed},       {"heap_peak", use_heap_peak}, {"http", use_http},
    {"waits", use_waits},     {"block", use_block},         {"rates", use_rates},
    {"older", use_older},     {"debug", use_debug},         {"wall", use_wall},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof *ways; i++)
        if (strcmp(argv[1], ways[i].name) == 0) {
            ways[i].use(argc > 2 ? argv[2] : "");
            return failures != 0;
        }
    fprintf(stderr, "usage: session WAY [PATH]\n");
    return 2;
}
