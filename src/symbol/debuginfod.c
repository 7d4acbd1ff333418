/* SPDX-License-Identifier: MIT
 *
 * A client of debuginfod servers: what it reads from the environment and where it puts files is in
 * debuginfod.h. Not elfutils' library: it would bring a second libcurl into the process, cannot be
 * told to give up early without a callback of ours in its loop, and its words for an error are
 * errno's.
 *
 * A file is written beside its place in the cache and renamed, so that a reader sees all of it or
 * nothing; an empty file remembers that no server had it, for as long as elfutils' client would. */
#include "symbol/debuginfod.h"

#include "base/libcurl.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECT_S = 5,
    TIMEOUT_S = 15,
    MAXTIME_S = 60,
    AWAY_S = 60,     /* a server that failed is left alone for so long */
    MISS_S = 600,    /* elfutils' cache_miss_s */
    AWAY_COUNT = 16, /* servers remembered so */
    PROGRESS_MS = 200,
};

/* ---- servers that failed ---- */

static struct {
    pthread_mutex_t lock;
    struct {
        char url[256];
        time_t until_s; /* on the monotonic clock */
    } away[AWAY_COUNT];
    unsigned next;
} servers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_away(const char *url)
{
    bool away = false;
    pthread_mutex_lock(&servers.lock);
    for (unsigned i = 0; i < AWAY_COUNT; i++)
        away |= !strcmp(servers.away[i].url, url) && servers.away[i].until_s > now_ms() / 1000;
    pthread_mutex_unlock(&servers.lock);
    return away;
}

static void set_away(const char *url)
{
    pthread_mutex_lock(&servers.lock);
    unsigned i = servers.next++ % AWAY_COUNT;
    snprintf(servers.away[i].url, sizeof servers.away[i].url, "%s", url);
    servers.away[i].until_s = now_ms() / 1000 + AWAY_S;
    pthread_mutex_unlock(&servers.lock);
}

/* ---- the cache ---- */

static const char *cache_folder(struct arena *a)
{
    const char *set = secure_getenv("DEBUGINFOD_CACHE_PATH"), *home = secure_getenv("HOME");
    const char *xdg = secure_getenv("XDG_CACHE_HOME");
    struct stat st;
    if (set && *set)
        return set;
    if (home && *home) { /* where it was before 0.178 stays in use where it is */
        const char *old = arena_printf(a, "%s/.debuginfod_client_cache", home);
        if (stat(old, &st) == 0)
            return old;
    }
    if (xdg && *xdg)
        return arena_printf(a, "%s/debuginfod_client", xdg);
    return home && *home ? arena_printf(a, "%s/.cache/debuginfod_client", home) : NULL;
}

static void make_folders(const char *path)
{
    char part[4096];
    size_t n = strlen(path);
    if (n >= sizeof part)
        return;
    for (size_t i = 1; i <= n; i++) {
        if (path[i] && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        mkdir(part, 0700);
    }
}

/* 1: it is there; 0: it is not known; -1: no server had it lately. */
static int look_in_cache(const char *path)
{
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode))
        return 0;
    if (st.st_size)
        return 1;
    if (time(NULL) - st.st_mtime < MISS_S)
        return -1;
    unlink(path);
    return 0;
}

static void remember_miss(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0400);
    if (fd >= 0)
        close(fd);
}

/* ---- a transfer ---- */

struct transfer {
    const struct debuginfod_request *request;
    CURL *curl;
    FILE *out;
    bool shown; /* DEBUGINFOD_PROGRESS */
    bool drawn; /* something was */
    int64_t next_draw_ms;
    char reason[CURL_ERROR_SIZE];
};

static long number_from(const char *name, long otherwise)
{
    const char *text = secure_getenv(name);
    char *end;
    long n = text ? strtol(text, &end, 10) : 0;
    return text && end > text && !*end && n > 0 ? n : otherwise;
}

static void draw(struct transfer *t, uint64_t done, uint64_t total)
{
    const struct debuginfod_request *r = t->request;
    t->drawn = true;
    if (r->progress)
        r->progress(r->progress_ctx, r->name, done, total);
    else if (t->shown)
        fprintf(stderr, "\rDownloading debug information of %s: %.1f of %.1f MB", r->name,
                (double)done / 1e6, (double)total / 1e6);
}

static int take_progress(void *ctx, curl_off_t total, curl_off_t done, curl_off_t up_total,
                         curl_off_t up)
{
    struct transfer *t = ctx;
    if (done > 0 && now_ms() >= t->next_draw_ms) {
        draw(t, (uint64_t)done, total > 0 ? (uint64_t)total : 0);
        t->next_draw_ms = now_ms() + PROGRESS_MS;
    }
    return 0;
}

static void end_drawing(struct transfer *t)
{
    if (t->drawn && t->request->progress)
        t->request->progress(t->request->progress_ctx, t->request->name, 0, 0);
    else if (t->drawn)
        fputc('\n', stderr);
}

/* TIMEOUT is elfutils' rule: 100 KiB in so many seconds. A server that sends nothing at all is met
 * by it as well. */
static void set_options(struct transfer *t, const char *url)
{
    CURL *c = t->curl;
    long timeout = number_from("DEBUGINFOD_TIMEOUT", TIMEOUT_S);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https,file");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(c, CURLOPT_USERAGENT, "strobe");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, timeout < CONNECT_S ? timeout : CONNECT_S);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, timeout);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 100 * 1024L / timeout);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, number_from("DEBUGINFOD_MAXTIME", MAXTIME_S));
    curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE,
                     (curl_off_t)number_from("DEBUGINFOD_MAXSIZE", (long)LIMIT_ELF_BYTES));
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->reason);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t->out);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, take_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
}

enum outcome { FETCHED, NOT_THERE, FAILED };

/* Whether the server is to blame for all files, not for this one. */
static bool is_servers(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT: return true;
    default: return false;
    }
}

static enum outcome fetch(struct transfer *t, const char *server, const char *url, struct arena *a,
                          const char **why)
{
    set_options(t, url);
    CURLcode code = curl_easy_perform(t->curl);
    long status = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    end_drawing(t);
    if (code == CURLE_OK)
        return FETCHED;
    if (status == 404 || code == CURLE_FILE_COULDNT_READ_FILE)
        return NOT_THERE;
    if (is_servers(code) || status >= 500)
        set_away(server);
    *why = arena_printf(a, "%s: %s", server, t->reason[0] ? t->reason : curl_easy_strerror(code));
    if (code == CURLE_OPERATION_TIMEDOUT)
        *why = arena_printf(a, "%s (DEBUGINFOD_TIMEOUT and DEBUGINFOD_MAXTIME allow more)", *why);
    return FAILED;
}

/* One file that is asked for. */
struct search {
    const struct debuginfod_request *request;
    const char *path;   /* in the cache */
    const char *suffix; /* of the URL */
    struct arena *arena;
    const char **why;
};

/* Fetches the file from one server, by way of a file beside its place. */
static enum outcome fetch_to(const struct search *s, const char *server)
{
    struct arena *a = s->arena;
    const char *path = s->path, **why = s->why;
    const char *slash = server[strlen(server) - 1] == '/' ? "" : "/";
    const char *url = arena_printf(a, "%s%s%s", server, slash, s->suffix);
    char *beside = arena_printf(a, "%s.XXXXXX", path);
    int fd = mkostemp(beside, O_CLOEXEC);
    struct transfer t = {.request = s->request,
                         .shown = secure_getenv("DEBUGINFOD_PROGRESS") != NULL};
    t.out = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!t.out) {
        *why = arena_printf(a, "%s cannot be written: %s", beside, strerror(errno));
        if (fd >= 0)
            close(fd);
        return FAILED;
    }
    t.curl = curl_easy_init();
    enum outcome outcome = t.curl ? fetch(&t, server, url, a, why) : FAILED;
    curl_easy_cleanup(t.curl);
    fchmod(fd, 0400);
    if (fclose(t.out) && outcome == FETCHED) {
        *why = arena_printf(a, "%s cannot be written: %s", path, strerror(errno));
        outcome = FAILED;
    }
    if (outcome == FETCHED && rename(beside, path)) {
        *why = arena_printf(a, "%s cannot be written: %s", path, strerror(errno));
        outcome = FAILED;
    }
    if (outcome != FETCHED)
        unlink(beside);
    return outcome;
}

/* ---- finding ---- */

static const char *hex(const struct debuginfod_request *r, struct arena *a)
{
    static const char digits[] = "0123456789abcdef";
    char *out = arena_zalloc(a, 2 * r->build_id_size + 1);
    for (size_t i = 0; i < r->build_id_size; i++) {
        out[2 * i] = digits[r->build_id[i] >> 4];
        out[2 * i + 1] = digits[r->build_id[i] & 15];
    }
    return out;
}

/* Asks one server after the other. */
static bool ask(const struct search *s, const char *urls)
{
    bool missing = true;
    for (const char *at = urls + strspn(urls, " "); *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        const char *server = arena_strndup(s->arena, at, n);
        at += n;
        if (!strncmp(server, "ima:", 4)) /* says how newer clients check signatures */
            continue;
        enum outcome outcome = is_away(server) ? FAILED : fetch_to(s, server);
        if (outcome == FETCHED) {
            *s->why = NULL; /* whatever other servers said */
            return true;
        }
        missing &= outcome == NOT_THERE;
    }
    if (missing)
        remember_miss(s->path);
    return false;
}

const char *debuginfod_find(const struct debuginfod_request *r, struct arena *a, const char **why)
{
    const char *urls = secure_getenv("DEBUGINFOD_URLS");
    const char *kind = r->kind == DEBUGINFOD_DEBUGINFO ? "debuginfo" : "executable";
    *why = NULL;
    if (!urls || !urls[strspn(urls, " ")] || r->build_id_size < 2 || r->build_id_size > 64)
        return NULL;
    const char *cache = cache_folder(a), *id = hex(r, a);
    if (!cache) {
        *why = "there is no place for a cache: neither DEBUGINFOD_CACHE_PATH nor HOME is set";
        return NULL;
    }
    struct err e;
    const char *folder = arena_printf(a, "%s/%s", cache, id);
    const char *path = arena_printf(a, "%s/%s", folder, kind);
    int known = look_in_cache(path);
    if (known > 0)
        return path;
    if (known < 0)
        return NULL;
    make_folders(folder);
    if (libcurl_load(&e)) {
        *why = arena_strdup(a, e.msg);
        return NULL;
    }
    struct search s = {
        r, path, arena_printf(a, "buildid/%s/%s", id, kind), a, why,
    };
    return ask(&s, urls) ? path : NULL;
}
