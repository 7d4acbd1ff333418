/* SPDX-License-Identifier: MIT
 *
 * Fetches profiles in the background, and saves them. */
#include "pprof/fetch.h"

#include "base/gotext.h"
#include "pprof/url.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void *work(void *context)
{
    struct fetch *f = context;
    struct http_request request = {.url = f->url, .timeout_s = f->timeout_s, .source = f->source};
    f->rc = http_do(&request, &f->response, &f->error);
    if (f->rc && f->rc != -EREMOTEIO)
        err_prefix(&f->error, "http fetch");
    return NULL;
}

void fetch_begin(struct fetch *f, const struct source *s, const char *name)
{
    struct stat st;
    *f = (struct fetch){.source = s, .timeout_s = s->timeout_seconds};
    if ((!s->exact && !strcmp(name, "-")) || !stat(name, &st))
        return;
    f->url = url_of_source(name, s->seconds, &f->timeout_s, &f->arena);
    if (!f->url)
        return;
    buf_init(&f->response.body, &f->arena);
    ui_errorf("Fetching profile over HTTP from %s", f->url);
    if (s->seconds > 0) {
        struct buf text;
        buf_init(&text, &f->arena);
        gotext_duration(&text, s->seconds * 1000000000);
        ui_errorf("Please wait... (%s)", buf_cstr(&text));
    }
    f->running = !pthread_create(&f->thread, NULL, work, f);
    if (!f->running)
        work(f);
}

int fetch_profile(struct fetch *f, struct profile *p, struct err *e)
{
    if (f->running)
        pthread_join(f->thread, NULL);
    f->running = false;
    if (f->rc) {
        *e = f->error;
        return f->rc;
    }
    if (f->response.body_error)
        return err_set(e, -EIO, "%s", f->response.body_error);
    const struct buf *body = &f->response.body;
    int rc = profile_decode(p, body->data, body->len, false, e);
    if (rc)
        err_prefix(e, "%s", profile_stage(rc));
    return rc;
}

void fetch_end(struct fetch *f)
{
    if (f->running)
        pthread_join(f->thread, NULL);
    f->running = false;
    arena_free(&f->arena);
}

/* ---- saving ---- */

/* os.MkdirAll */
static int make_directories(const char *path, struct arena *a)
{
    struct stat st;
    char *part = arena_strdup(a, path);
    for (char *at = part + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        if (mkdir(part, 0755) && errno != EEXIST)
            return -errno;
        *at = '/';
    }
    if (mkdir(part, 0755) && errno != EEXIST)
        return -errno;
    return !stat(part, &st) && S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* $PPROF_TMPDIR, $HOME/pprof, or where temporary files go: the first that is there or can be made.
 */
static const char *find_directory(struct arena *a)
{
    const char *own = getenv("PPROF_TMPDIR"), *home = getenv("HOME"), *tmp = getenv("TMPDIR");
    const char *list[] = {own && *own ? own : NULL,
                          home && *home ? arena_printf(a, "%s/pprof", home) : NULL,
                          tmp && *tmp ? tmp : "/tmp"};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        int rc = list[i] ? make_directories(list[i], a) : -ENOENT;
        if (!rc)
            return list[i];
        if (list[i])
            ui_errorf("Could not use temp dir %s: mkdir %s: %s", list[i], list[i],
                      gotext_errno(-rc));
    }
    return NULL;
}

static const char *file_prefix(const struct profile *p, struct arena *a)
{
    struct buf name;
    buf_init(&name, a);
    buf_puts(&name, "pprof.");
    if (p->mapping_count && p->strings[p->mappings[0].file].len) {
        struct profile_str file = p->strings[p->mappings[0].file];
        size_t n;
        const char *base = gotext_base(file.ptr, file.len, &n);
        buf_append(&name, base, n);
        buf_putc(&name, '.');
    }
    for (uint32_t i = 0; i < p->sample_type_count; i++) {
        struct profile_str type = p->strings[p->sample_types[i].type];
        buf_append(&name, type.ptr, type.len);
        buf_putc(&name, '.');
    }
    return buf_cstr(&name);
}

static int write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);
        if (done < 0 && errno != EINTR)
            return -errno;
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return 0;
}

/* The first name of this form that is free. */
static int create(const char *dir, const char *prefix, struct arena *a, const char **path)
{
    for (int i = 1; i < 10000; i++) {
        struct buf clean;
        const char *joined = arena_printf(a, "%s/%s%03d.pb.gz", dir, prefix, i);
        buf_init(&clean, a);
        gotext_clean(&clean, joined, strlen(joined));
        *path = buf_cstr(&clean);
        int fd = open(*path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd < 0 ? -errno : fd;
    }
    return -EEXIST;
}

void fetch_save(const struct profile *p)
{
    struct arena arena = {0};
    struct buf bytes;
    struct err e = {0};
    const char *path = "", *dir = find_directory(&arena);
    buf_init(&bytes, &arena);
    int fd = dir ? create(dir, file_prefix(p, &arena), &arena, &path) : -ENOENT;
    int rc = fd < 0 ? fd : profile_encode_gzip(p, &bytes, &e);
    if (!rc)
        rc = write_all(fd, bytes.data, bytes.len);
    if (fd >= 0 && close(fd) && !rc)
        rc = -errno;
    if (!rc)
        ui_errorf("Saved profile in %s", path);
    else if (dir)
        ui_errorf("Could not save profile: open %s: %s", path, gotext_errno(-rc));
    arena_free(&arena);
}
