/* SPDX-License-Identifier: MIT
 *
 * Has perf.data converted: its format is perf's own and changes with it. */
#include "pprof/perf_data.h"

#include "base/gotext.h"
#include "pprof/external.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool perf_data_is(const char *path)
{
    static const char magic[] = "PERFILE2";
    char head[sizeof magic - 1];
    FILE *f = fopen(path, "rbe");
    bool is =
        f && fread(head, 1, sizeof head, f) == sizeof head && !memcmp(head, magic, sizeof head);
    if (f)
        fclose(f);
    return is;
}

static int make_file(struct arena *a, const char **path)
{
    const char *tmp = getenv("TMPDIR");
    for (int i = 1; i < 10000; i++) {
        *path = arena_printf(a, "%s/pprof_%03d.pb.gz", tmp && *tmp ? tmp : "/tmp", i);
        int fd = open(*path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0)
            close(fd);
        if (fd >= 0 || errno != EEXIST)
            return fd < 0 ? -errno : 0;
    }
    return -EEXIST;
}

static int convert(struct profile *p, const char *path, struct arena *a, struct err *e)
{
    const char *made;
    pid_t pid;
    ui_errorf("Converting %s to a profile.proto... (May take a few minutes)", path);
    int rc = make_file(a, &made);
    if (rc)
        return err_set(e, rc, "%s: open %s: %s", path, made, gotext_errno(-rc));
    char *argv[] = {"perf_to_profile", "-i", (char *)path, "-o", (char *)made, "-f", NULL};
    rc = external_start(argv, STDIN_FILENO, STDOUT_FILENO, &pid, e);
    if (!rc)
        rc = external_wait(pid, e);
    if (rc) {
        err_prefix(e,
                   "%s: failed to convert perf.data file. Try "
                   "github.com/google/perf_data_converter",
                   path);
    } else {
        rc = profile_read_file(p, made, e);
        if (rc)
            err_prefix(e, "%s", path);
    }
    unlink(made);
    return rc;
}

static int print_and_read(struct profile *p, const char *path, struct arena *a, struct err *e)
{
    struct buf none, text;
    buf_init(&none, a);
    buf_init(&text, a);
    char *argv[] = {"perf", "script", "--no-inline", "-i", (char *)path, NULL};
    int rc = external_filter(argv, &none, &text, e);
    if (rc)
        return err_prefix(e, "%s: only perf can read its recordings (package linux-perf)", path);
    rc = profile_decode(p, text.data, text.len, false, e);
    return rc ? err_prefix(e, "%s: %s", path, profile_stage(rc)) : 0;
}

int perf_data_read(struct profile *p, const struct source *s, const char *path, struct err *e)
{
    struct arena arena = {0};
    int rc = s->exact ? convert(p, path, &arena, e) : print_and_read(p, path, &arena, e);
    arena_free(&arena);
    return rc;
}
