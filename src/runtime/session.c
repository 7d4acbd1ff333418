/* SPDX-License-Identifier: MIT
 *
 * strobe_start and strobe_stop: profiling a program from its own main, in the manner of Go's
 * github.com/pkg/profile: the same modes, names of files, messages and shutdown hook; and several
 * kinds at once, as its predecessor davecheney/profile had. What a kind is stands in one table; the
 * CPU's and the heap's files are file.c's, so that they are written however the program ends, the
 * others are written when the session stops. */
#include "runtime/session.h"

#include "base/sigsafe.h"
#include "runtime/debug.h"
#include "runtime/file.h"
#include "runtime/heap.h"
#include "runtime/http.h"
#include "runtime/runtime.h"
#include "runtime/say.h"
#include "runtime/waits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* pkg/profile's rates: of a run that is made for its profile, not of a service. */
enum { HEAP_RATE = 4096 };

struct mode {
    const char *name, *alias; /* in strobe_options.kinds */
    const char *file;         /* pkg/profile's name for it */
    const char *said;         /* in its messages */
    const char *profile;      /* of profiles.c; NULL: the CPU's */
    uint64_t rate;            /* for its set_rate */
};

static const struct mode modes[] = {
    {"cpu", "cpu", "cpu.pprof", "cpu", NULL, 0},
    {"heap", "mem", "mem.pprof", "memory", "heap", HEAP_RATE},
    {"allocs", "allocs", "mem.pprof", "memory", "allocs", HEAP_RATE},
    {"mutex", "mutex", "mutex.pprof", "mutex", "mutex", 1},
    {"block", "block", "block.pprof", "block", "block", 1},
    {"threadcreate", "threadcreation", "threadcreation.pprof", "thread creation", "threadcreate",
     1},
    {"goroutine", "threads", "goroutine.pprof", "goroutine", "goroutine", 0},
    {"wall", "clock", "clock.pprof", "clock", "wall", 1},
};
enum {
    MODES = sizeof modes / sizeof *modes,
    MODE_CPU = 0,
    MODE_HEAP = 1,
    MODE_ALLOCS = 2,
    MODE_MUTEX = 3,
    MODE_BLOCK = 4,
    MODE_WALL = 7
};

static struct {
    _Atomic uint32_t pid; /* whose session it is; 0: none */
    uint32_t kinds;       /* bits by number in modes */
    bool quiet, hook;
    long zone_s; /* seconds east of Greenwich */
    uint64_t heap_rate;
    char path[MODES][RUNTIME_PATH * 2];
} session;

/* ---- messages ---- */

/* Go's log: "2018/06/05 12:00:00 text". Signal-safe: the civil date is computed from days (Howard
 * Hinnant's days_from_civil, turned round). */
static void put_time(struct timespec now, char *to, size_t size)
{
    long s = now.tv_sec + session.zone_s, days = s / 86400, of_day = s % 86400;
    long z = days + 719468, era = z / 146097, doe = z - era * 146097;
    long yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    long doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    long day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
    snprintf(to, size, "%04ld/%02ld/%02ld %02ld:%02ld:%02ld", yoe + era * 400 + (month <= 2), month,
             day, of_day / 3600, of_day / 60 % 60, of_day % 60);
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
    char when[128], text[RUNTIME_PATH * 2 + 200], line[sizeof when + sizeof text + 16];
    struct timespec now;
    va_list ap;
    if (session.quiet)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    put_time(now, when, sizeof when);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    int n = snprintf(line, sizeof line, "%s profile: %s\n", when, text);
    say_text(line, n > 0 ? (size_t)n : 0);
}

static bool has(int mode)
{
    return session.kinds >> mode & 1;
}

static void say_mode(int i, const char *state)
{
    if ((i == MODE_HEAP || i == MODE_ALLOCS) && !strcmp(state, "enabled"))
        say("memory profiling enabled (rate %llu), %s", (unsigned long long)session.heap_rate,
            session.path[i]);
    else
        say("%s profiling %s, %s", modes[i].said, state, session.path[i]);
}

/* ---- options ---- */

void strobe_options_default(struct strobe_options *o)
{
    struct strobe_config c;
    memset(o, 0, sizeof *o);
    bool valid = options_read(&c) == 0;
    const char *backend = environ_get("STROBE_BACKEND"), *cost = environ_get("STROBE_MAX_COST");
    o->kinds = "cpu";
    o->hz = valid ? c.hz : LIMIT_HZ_DEFAULT;
    o->heap_rate = valid && environ_get("STROBE_HEAP_RATE") ? c.heap_rate : HEAP_RATE;
    o->heap_peak = valid && c.heap_peak;
    o->max_cost = cost ? cost : "1";
    o->backend = backend ? backend : "auto";
    o->seed = valid ? c.seed : 0;
    o->block_rate = valid && environ_get("STROBE_BLOCK_RATE") ? c.block_rate : 1;
    o->mutex_fraction = valid && environ_get("STROBE_MUTEX_FRACTION") ? (int)c.mutex_fraction : 1;
    o->block = environ_get("STROBE_BLOCK");
}

static int parse_kinds(const char *v, uint32_t *kinds)
{
    *kinds = 0;
    for (size_t n; *v; v += n + (v[n] == ',')) {
        int i = 0;
        n = strcspn(v, ",");
        while (i < MODES && (strlen(modes[i].name) != n || strncmp(modes[i].name, v, n)) &&
               (strlen(modes[i].alias) != n || strncmp(modes[i].alias, v, n)))
            i++;
        if (i == MODES)
            return api_fail(-EINVAL, "strobe_start: \"%.*s\" is no kind of profile", (int)n, v);
        if (modes[i].profile && !profiles_find(modes[i].profile))
            return api_fail(-ENOTSUP, "strobe_start: this libstrobe takes no %s profiles",
                            modes[i].name);
        *kinds |= 1u << i;
    }
    return *kinds ? 0 : api_fail(-EINVAL, "strobe_start: no kind of profile was given");
}

/* Of waits. What is 0 or NULL was not known to who filled the options. */
static int read_wait_options(const struct strobe_options *o, struct strobe_config *c)
{
    if (o->block_rate > 1ull << 40)
        return api_fail(-EINVAL, "strobe_start: block_rate is not between 1 and 2^40");
    if (o->mutex_fraction < 0 || o->mutex_fraction > 1 << 30)
        return api_fail(-EINVAL, "strobe_start: mutex_fraction is not between 1 and 2^30");
    if (options_parse_block(o->block ? o->block : "sync", &c->block_what) < 0)
        return api_fail(-EINVAL, "strobe_start: block \"%s\" is not sync, io, or both with a comma",
                        o->block);
    c->block_rate = o->block_rate ? o->block_rate : 1;
    c->mutex_fraction = o->mutex_fraction ? (uint32_t)o->mutex_fraction : 1;
    return 0;
}

/* Only what a process of its own prints can begin now; the rest replaces malloc. */
static int read_debug(const struct strobe_options *o, struct debug_switches *d)
{
    char bad[128];
    *d = (struct debug_switches){0};
    if (!o->debug || !*o->debug)
        return 0;
    if (debug_parse(o->debug, d, bad, sizeof bad) < 0)
        return api_fail(-EINVAL, "strobe_start: debug has no switch %s", bad);
    struct debug_switches later = {.schedtrace_ms = d->schedtrace_ms,
                                   .scheddetail = d->scheddetail};
    if (memcmp(&later, d, sizeof later) != 0)
        return api_fail(-ENOTSUP,
                        "strobe_start: debug \"%s\" begins with the program, in "
                        "STROBE_DEBUG; only schedtrace and scheddetail can begin later",
                        o->debug);
    return 0;
}

static int read_options(const struct strobe_options *o, struct strobe_config *c)
{
    int cost = o->max_cost ? taskclock_cost_parse(o->max_cost) : LIMIT_COST_PPM_DEFAULT;
    int backend = o->backend ? taskclock_backend_parse(o->backend) : SHM_BACKEND_AUTO;
    if (options_read(c) != 0)
        return api_fail(-EINVAL, "a STROBE_ variable in the environment is not valid");
    if (o->hz < LIMIT_HZ_MIN || o->hz > LIMIT_HZ_MAX)
        return api_fail(-EINVAL, "strobe_start: a rate of %d Hz is not between %d and %d", o->hz,
                        LIMIT_HZ_MIN, LIMIT_HZ_MAX);
    if (cost < 0)
        return api_fail(-EINVAL, "strobe_start: max_cost \"%s\" is no percentage", o->max_cost);
    if (backend < 0)
        return api_fail(-EINVAL, "strobe_start: there is no back end \"%s\"", o->backend);
    if (!o->heap_rate || o->heap_rate > 1ull << 40)
        return api_fail(-EINVAL, "strobe_start: heap_rate is not between 1 and 2^40");
    c->hz = o->hz;
    c->max_cost_ppm = (uint32_t)cost;
    c->backend = (enum shm_backend)backend;
    c->heap_rate = o->heap_rate;
    c->heap_peak = o->heap_peak;
    c->seed = o->seed;
    int r = read_wait_options(o, c);
    return r < 0 ? r : parse_kinds(o->kinds ? o->kinds : "cpu", &session.kinds);
}

/* ---- files ---- */

/* The folder with those above it, as mkdir -p. */
static int make_folder(char *path)
{
    for (char *at = path + 1; *at; at++)
        if (*at == '/') {
            *at = 0;
            int r = mkdir(path, 0777);
            *at = '/';
            if (r != 0 && errno != EEXIST)
                return -errno;
        }
    struct stat st;
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return -errno;
    return stat(path, &st) != 0 ? -errno : S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* $TMPDIR/profileXXXXXX where none is given. */
static int find_folder(const char *given, char *folder, size_t size)
{
    const char *tmp = getenv("TMPDIR");
    int n = given ? snprintf(folder, size, "%s", given)
                  : snprintf(folder, size, "%s/profileXXXXXX", tmp && *tmp ? tmp : "/tmp");
    int r = n >= (int)size            ? -ENAMETOOLONG
            : given                   ? make_folder(folder)
            : mkdtemp(folder) == NULL ? -errno
                                      : 0;
    return r < 0 ? api_fail(r, "could not create initial output directory: %s: %s", folder,
                            strerror(-r))
                 : 0;
}

static int name_files(const struct strobe_options *o)
{
    char folder[RUNTIME_PATH], expanded[RUNTIME_PATH];
    if (o->out && (session.kinds & (session.kinds - 1)) && !strstr(o->out, "%k"))
        return api_fail(-EINVAL, "strobe_start: out needs %%k in it for several kinds: %s", o->out);
    if (has(MODE_HEAP) && has(MODE_ALLOCS) && !o->out)
        return api_fail(-EINVAL, "strobe_start: heap and allocs are one file, %s: choose one",
                        modes[MODE_HEAP].file);
    int r = o->out ? 0 : find_folder(o->path, folder, sizeof folder);
    for (int i = 0; r == 0 && i < MODES; i++) {
        if (!has(i))
            continue;
        char *to = session.path[i];
        int n = 0;
        if (!o->out)
            n = snprintf(to, sizeof session.path[i], "%s/%s", folder, modes[i].file);
        else if (options_expand(expanded, sizeof expanded, o->out, modes[i].name) < 0)
            n = RUNTIME_PATH;
        else
            n = snprintf(to, sizeof session.path[i], "%s", expanded);
        if (n >= RUNTIME_PATH)
            r = api_fail(-ENAMETOOLONG, "strobe_start: the name of the %s profile is too long",
                         modes[i].name);
    }
    return r;
}

static int write_fd(void *ctx, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size) {
        ssize_t n = write(*(int *)ctx, at, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Creates the file; or writes the profile into it. */
static int touch(int i, bool write_it)
{
    int fd = open(session.path[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return api_fail(-errno, "could not create %s profile \"%s\": %s", modes[i].said,
                        session.path[i], strerror(errno));
    struct say_quiet quiet;
    say_quiet_begin(&quiet);
    int r = write_it ? strobe_write(strobe_lookup(modes[i].profile), write_fd, &fd, 0) : 0;
    say_quiet_end(&quiet, r < 0 ? -errno : 0);
    struct stat st;
    if (r < 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        unlink(session.path[i]); /* it is not whole */
    close(fd);
    return r;
}

/* ---- kinds ---- */

static int begin_heap(int i, const struct strobe_config *c)
{
    enum file_kind kind = i == MODE_HEAP ? FILE_HEAP : FILE_ALLOCS;
    int r = heap_is_on() ? 0 : heap_start(c->heap_rate);
    if (r < 0)
        return api_fail(r, "the heap cannot be profiled: %s",
                        r == -ENOTSUP ? "the program brings its own malloc" : strerror(-r));
    session.heap_rate = heap_rate();
    heap.write_peak = c->heap_peak;
    r = file_open(kind, session.path[i]);
    return r < 0 ? api_fail(r, "could not create memory profile \"%s\": %s", session.path[i],
                            strerror(-r))
                 : 0;
}

static int begin_mode(int i, const struct strobe_config *c)
{
    if (i == MODE_CPU)
        return api_cpu_start(c, session.path[i]);
    if (i == MODE_HEAP || i == MODE_ALLOCS)
        return begin_heap(i, c);
    const struct strobe_profile *p = profiles_find(modes[i].profile);
    if (i == MODE_WALL) {
        int r = api_wall_start(c);
        return r < 0 ? r : touch(i, false);
    }
    uint64_t rate = i == MODE_BLOCK   ? c->block_rate
                    : i == MODE_MUTEX ? c->mutex_fraction
                                      : modes[i].rate;
    if (i == MODE_BLOCK)
        waits_set_what(c->block_what);
    int r = p->set_rate && rate ? p->set_rate(rate) : 0;
    if (r < 0)
        return api_fail(r, "%s profiles cannot be taken: %s", modes[i].name, strerror(-r));
    return touch(i, false);
}

static int end_mode(int i)
{
    if (i == MODE_CPU)
        return api_cpu_stop();
    if (i == MODE_HEAP || i == MODE_ALLOCS) {
        heap_self.busy++; /* what is allocated to write it is not the program's */
        int r = file_end(i == MODE_HEAP ? FILE_HEAP : FILE_ALLOCS, false);
        heap_self.busy--;
        return r;
    }
    int r = touch(i, true);
    if (i == MODE_WALL)
        api_wall_stop();
    return r;
}

/* Says once what nobody expects: each profile has the other's work in it. */
static void warn_of_several(void)
{
    static _Atomic int said;
    if ((session.kinds & (session.kinds - 1)) && !atomic_exchange(&said, 1))
        say("several kinds at once: they observe each other, and each has the others' cost in it");
}

static int begin_all(const struct strobe_options *o)
{
    struct strobe_config c;
    struct debug_switches switches;
    int r = read_options(o, &c), i = 0;
    if (r == 0)
        r = read_debug(o, &switches);
    if (r == 0)
        r = name_files(o);
    if (r == 0)
        rt.seed = c.seed;
    for (; r == 0 && i < MODES; i++)
        if (has(i))
            r = begin_mode(i, &c);
    if (r == 0 && o->http) {
        r = http_server_start(o->http);
        if (r < 0)
            api_fail(r, "/debug/pprof/ cannot be served at %s: %s", o->http, strerror(-r));
    }
    if (r == 0)
        debug_trace_start(&switches);
    if (r == 0)
        return 0;
    for (i--; i-- > 0;) /* those that had begun */
        if (has(i) && i == MODE_CPU)
            api_cpu_stop();
        else if (has(i) && i == MODE_WALL)
            api_wall_stop();
        else if (has(i) && (i == MODE_HEAP || i == MODE_ALLOCS))
            file_abandon(i == MODE_HEAP ? FILE_HEAP : FILE_ALLOCS);
    return r;
}

/* ---- the session ---- */

/* Where there is none the kernel is not asked who we are: a sandbox may kill for it. */
static bool is_ours(void)
{
    uint32_t pid = atomic_load(&session.pid);
    return pid && pid == runtime_pid();
}

int strobe_start(const struct strobe_options *options)
{
    struct strobe_options defaults;
    uint32_t before = atomic_load(&session.pid);
    if (before == runtime_pid() ||
        !atomic_compare_exchange_strong(&session.pid, &before, runtime_pid()))
        return api_fail(-EALREADY, "strobe_start() already called: call strobe_stop() first");
    if (!options) {
        strobe_options_default(&defaults);
        options = &defaults;
    }
    time_t now = time(NULL);
    struct tm local = {.tm_gmtoff = 0};
    localtime_r(&now, &local);
    session.zone_s = local.tm_gmtoff;
    session.quiet = options->quiet;
    session.hook = !options->no_shutdown_hook;
    int r = begin_all(options);
    if (r < 0) {
        atomic_store(&session.pid, 0);
        return r;
    }
    signals_save_at_death();
    for (int i = 0; i < MODES; i++)
        if (has(i))
            say_mode(i, "enabled");
    warn_of_several();
    return 0;
}

int strobe_stop(void)
{
    uint32_t pid = runtime_pid();
    int r = 0;
    if (!atomic_compare_exchange_strong(&session.pid, &pid, 0))
        return 0;
    debug_trace_stop();
    for (int i = 0; i < MODES; i++) {
        int one = has(i) ? end_mode(i) : 0;
        if (has(i) && one == 0)
            say_mode(i, "disabled");
        if (one < 0)
            r = api_fail(one, "the %s profile could not be written to %s: %s", modes[i].name,
                         session.path[i], strerror(-one));
    }
    return r;
}

const char *strobe_path(const char *kind)
{
    uint32_t bit;
    if (!kind || parse_kinds(kind, &bit) != 0)
        return NULL;
    for (int i = 0; i < MODES; i++)
        if (bit == 1u << i)
            return session.kinds & bit ? session.path[i] : NULL;
    return NULL;
}

void session_end(void)
{
    if (is_ours() && strobe_stop() < 0)
        say("%s", strobe_last_error());
}

bool session_catch(int sig)
{
    if (sig != SIGINT || !is_ours() || !session.hook)
        return false;
    say("caught interrupt, stopping profiles");
    return true;
}

/* The profiles that can be written in a signal handler are written: the rest are not. */
void session_caught(void)
{
    for (int i = 0; i < MODES; i++)
        if (has(i) && i <= MODE_ALLOCS)
            say_mode(i, "disabled");
    atomic_store(&session.pid, 0);
    sigsafe_syscall1(SYS_exit_group, 0);
}
