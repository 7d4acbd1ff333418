/* SPDX-License-Identifier: MIT
 *
 * From a report to where it is wanted (google/pprof internal/driver, generateReport, commands.go
 * and tempfile.go). Text goes out while it is made; what dot, a viewer or a file of its own needs
 * is made in memory first. */
#include "pprof/output.h"

#include "base/gotext.h"
#include "pprof/external.h"
#include "pprof/pprof_internal.h"
#include "pprof/svg.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { NUMBERED_MAX = 10000, VIEWERS_MAX = 8, WORDS_MAX = 16 };

/* Files to remove at the end. */
struct temporary {
    struct temporary *next;
    char path[];
};
static struct temporary *temporaries;

static void remove_later(const char *path)
{
    size_t size = strlen(path) + 1;
    struct temporary *t = malloc(sizeof *t + size);
    if (!t)
        return; /* one file too many in the temporary folder is all the harm */
    memcpy(t->path, path, size);
    t->next = temporaries;
    temporaries = t;
}

void output_clean(void)
{
    while (temporaries) {
        struct temporary *t = temporaries;
        temporaries = t->next;
        unlink(t->path);
        free(t);
    }
}

void output_give(int pipe)
{
    for (struct temporary *t = temporaries; t; t = t->next)
        if (write(pipe, t->path, strlen(t->path) + 1) < 0)
            return; /* the reader is gone, and with it who would remove them */
    close(pipe);
}

void output_take(int pipe)
{
    char text[PATH_MAX * 2];
    size_t len = 0;
    for (;;) {
        ssize_t n = read(pipe, text + len, sizeof text - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        len += (size_t)n;
        for (char *end; (end = memchr(text, 0, len));
             len -= (size_t)(end + 1 - text), memmove(text, end + 1, len))
            remove_later(text);
        if (len == sizeof text)
            len = 0; /* no path is that long */
    }
}

/* Opens the first PREFIX001.SUFFIX, PREFIX002.SUFFIX … that is free; a descriptor or an error. */
static int open_numbered(char path[PATH_MAX], const char *prefix, const char *suffix, struct err *e)
{
    for (int i = 1; i < NUMBERED_MAX; i++) {
        snprintf(path, PATH_MAX, "%s%03d.%s", prefix, i, suffix);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            return err_set(e, -errno, "open %s: %s", path, gotext_errno(errno));
    }
    const char *name = strrchr(prefix, '/');
    return err_set(e, -EEXIST, "could not create file of the form %s%03d.%s",
                   name ? name + 1 : prefix, 1, suffix);
}

/* ---- writing ---- */

static int open_named(void *context)
{
    const char *path = context;
    ui_errorf("Generating report in %s", path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd < 0 ? -errno : fd;
}

/* A failed open has left no descriptor. */
static int finish(struct out *out, const char *path, struct err *e)
{
    int rc = out_finish(out);
    bool opened = out->fd >= 0;
    if (opened && out->fd != STDOUT_FILENO && close(out->fd) && !rc)
        rc = -errno;
    return rc ? err_set(e, rc, "%s %s: %s", opened ? "write" : "open", path, gotext_errno(-rc)) : 0;
}

static int write_all(int fd, const struct buf *bytes, const char *path, struct err *e)
{
    static struct out out;
    out_init(&out, fd);
    out_write(&out, bytes->data, bytes->len);
    return finish(&out, path, e);
}

static int write_named(const struct buf *bytes, const char *path, struct err *e)
{
    static struct out out;
    out_init_late(&out, open_named, (void *)path);
    out_write(&out, bytes->data, bytes->len);
    return finish(&out, path, e);
}

/* ---- pictures ---- */

static int draw(struct buf *picture, const struct buf *dot, const char *format, struct err *e)
{
    bool massaged = !strcmp(format, "massaged");
    char option[16];
    snprintf(option, sizeof option, "-T%s", massaged ? "svg" : format);
    struct buf drawn;
    buf_init(&drawn, picture->arena);
    int rc = external_filter((char *[]){"dot", option, NULL}, dot, &drawn, e);
    if (rc)
        return err_prefix(e, "failed to execute dot. Is Graphviz installed? Error");
    if (massaged)
        svg_massage(picture, drawn.data, drawn.len);
    else
        *picture = drawn;
    return 0;
}

/* ---- viewers ---- */

/* Browsers stand before xdg-open, which might open a viewer of pictures: the script in the picture
 * wants a browser. */
static size_t list_viewers(const char *viewer, const char *list[VIEWERS_MAX])
{
    static const char *const browsers[] = {"chrome", "google-chrome", "chromium", "firefox",
                                           "sensible-browser"};
    size_t n = 0;
    if (strcmp(viewer, "web")) {
        list[n++] = viewer;
        return n;
    }
    const char *own = getenv("BROWSER"), *display = getenv("DISPLAY");
    if (own && *own)
        list[n++] = own;
    for (size_t i = 0; i < sizeof browsers / sizeof *browsers; i++)
        list[n++] = browsers[i];
    if (display && *display)
        list[n++] = "xdg-open";
    return n;
}

/* A viewer gets a second to open the file, even one that only tells a running one to. */
static void wait_a_second(const struct timespec *since)
{
    struct timespec until = {since->tv_sec + 1, since->tv_nsec};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

/* Words of a command line, parted by single blanks as pprof does it. */
static void split_words(char *text, char *words[WORDS_MAX], const char *file)
{
    size_t n = 0;
    for (char *at = text; at && n < WORDS_MAX - 2;) {
        char *blank = strchr(at, ' ');
        if (blank)
            *blank++ = 0;
        words[n++] = at;
        at = blank;
    }
    words[n++] = (char *)file;
    words[n] = NULL;
}

/* Starts the first viewer that there is. */
static int start_viewer(const char *viewer, const char *what, pid_t *pid, struct err *e)
{
    const char *viewers[VIEWERS_MAX];
    size_t count = list_viewers(viewer, viewers);
    int rc = 0;
    for (size_t i = 0; i < count; i++) {
        char text[PATH_MAX], *words[WORDS_MAX];
        snprintf(text, sizeof text, "%s", viewers[i]);
        split_words(text, words, what);
        rc = external_start(words, -1, -1, pid, e);
        if (!rc)
            break;
    }
    return rc;
}

static int show_file(const char *viewer, const char *path, bool in_shell, struct err *e)
{
    struct timespec start;
    pid_t pid;
    if (in_shell)
        setpgid(0, 0); /* Ctrl-C in the shell is not for viewers */
    int rc = start_viewer(viewer, path, &pid, e);
    if (rc)
        return rc;
    clock_gettime(CLOCK_MONOTONIC, &start);
    rc = in_shell ? 0 : external_wait(pid, e);
    wait_a_second(&start);
    return rc;
}

int output_browse(const char *url, struct err *e)
{
    pid_t pid;
    return start_viewer("web", url, &pid, e);
}

static int view(const struct buf *bytes, const struct command *c, bool in_shell, struct err *e)
{
    char prefix[PATH_MAX - 32], path[PATH_MAX];
    const char *folder = getenv("TMPDIR");
    snprintf(prefix, sizeof prefix, "%s/pprof", folder && *folder ? folder : "/tmp");
    int fd = open_numbered(path, prefix, c->suffix, e);
    if (fd < 0)
        return fd;
    remove_later(path);
    int rc = write_all(fd, bytes, path, e);
    return rc ? rc : show_file(c->viewer, path, in_shell, e);
}

/* ---- the whole ---- */

/* What a terminal could not show goes to a file. */
static int save_numbered(const struct buf *bytes, const char *suffix, struct err *e)
{
    char path[PATH_MAX];
    int fd = open_numbered(path, "profile", suffix, e);
    if (fd < 0)
        return fd;
    ui_errorf("Generating report in %s", path);
    return write_all(fd, bytes, path, e);
}

static int print_text(struct report *r, const struct report_kind *kind, const char *path,
                      struct err *e)
{
    static struct out out;
    if (*path)
        out_init_late(&out, open_named, (void *)path);
    else
        out_init(&out, STDOUT_FILENO);
    int rc = kind->print(r, &out, e);
    return rc ? rc : finish(&out, *path ? path : "/dev/stdout", e);
}

int output_report(struct report *r, const struct command *c, const struct output *o, struct err *e)
{
    const struct report_kind *kind = report_find(c->report);
    if (!kind)
        return err_set(e, -ENOTSUP, "the report -%s is not in this version", c->name);
    if (!c->suffix)
        return print_text(r, kind, o->path, e);
    struct buf bytes, drawn, *result = &bytes;
    static struct out out;
    buf_init(&bytes, &r->arena);
    buf_init(&drawn, &r->arena);
    out_init_text(&out, &bytes);
    int rc = kind->print(r, &out, e);
    if (rc)
        return rc;
    out_finish(&out);
    if (c->dot) {
        rc = draw(&drawn, &bytes, c->dot, e);
        result = &drawn;
    }
    if (rc)
        return rc;
    if (*o->path)
        return write_named(result, o->path, e);
    if (c->viewer)
        return view(result, c, o->in_shell, e);
    if (isatty(STDOUT_FILENO) || o->in_shell)
        return save_numbered(result, c->suffix, e);
    return write_all(STDOUT_FILENO, result, "/dev/stdout", e);
}
