/* SPDX-License-Identifier: MIT
 *
 * Finds and runs objdump, and reads what it prints (google/pprof internal/binutils/disasm.go). It
 * is started without a shell; what it says on standard error goes nowhere, as in pprof. */
#include "symbol/objdump.h"

#include "base/buf.h"
#include "base/limits.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- finding ---- */

static bool is_program(const char *path)
{
    struct stat st;
    return !stat(path, &st) && !S_ISDIR(st.st_mode) && !access(path, X_OK);
}

static const char *find_in_path(const char *name, struct arena *a)
{
    const char *path = getenv("PATH");
    for (; path && *path; path += *path == ':') {
        size_t n = strcspn(path, ":");
        const char *file = arena_printf(a, "%.*s/%s", (int)n, path, name);
        if (n && is_program(file))
            return file;
        path += n;
    }
    return NULL;
}

/* An entry of -tools is "tool:dir" for one of these, or a directory for all. */
static const char *const tool_names[] = {"llvm-symbolizer", "addr2line", "nm", "objdump"};

static const char *entry_tool(const char *entry, size_t n)
{
    for (size_t i = 0; i < sizeof tool_names / sizeof *tool_names; i++) {
        size_t len = strlen(tool_names[i]);
        if (n > len && entry[len] == ':' && !memcmp(entry, tool_names[i], len))
            return tool_names[i];
    }
    return NULL;
}

/* The first `name` in the directories for `tool` (with `tool` NULL: those for all tools). */
static const char *find_in_entries(const char *config, const char *tool, const char *name,
                                   struct arena *a)
{
    for (const char *at = config;; at++) {
        size_t n = strcspn(at, ",");
        const char *own = entry_tool(at, n);
        size_t skip = own ? strlen(own) + 1 : 0;
        if (own == tool || (own && tool && !strcmp(own, tool))) {
            const char *file = n == skip
                                   ? find_in_path(name, a)
                                   : arena_printf(a, "%.*s/%s", (int)(n - skip), at + skip, name);
            if (file && is_program(file))
                return file;
        }
        at += n;
        if (!*at)
            return NULL;
    }
}

static const char *find(const struct object_tools *t, const char *tool, const char *name,
                        struct arena *a)
{
    const char *file = find_in_entries(t->config, tool, name, a);
    return file ? file : find_in_entries(t->config, NULL, name, a);
}

void object_tools_find(struct object_tools *t, const char *config, struct arena *a)
{
    *t = (struct object_tools){.config = config, .lines = OBJECT_LINES};
    t->names = find(t, "nm", "llvm-nm", a) ? OBJECT_NAMES_LLVM : OBJECT_NAMES_GNU;
    t->symbols = !*config || t->names == OBJECT_NAMES_LLVM || find(t, "nm", "nm", a);
    /* Without -tools lines never depend on what is installed: we need none of the programs. */
    if (*config && !find(t, "llvm-symbolizer", "llvm-symbolizer", a) &&
        !find(t, "addr2line", "addr2line", a))
        t->lines = t->names;
}

/* ---- running ---- */

/* The exit status in *status, -1 if a signal ended it. 0, or a negative errno if it was not
 * started. */
static int run(char *const *argv, struct buf *out, int *status)
{
    extern char **environ;
    int fds[2], rc;
    pid_t pid;
    if (pipe2(fds, O_CLOEXEC))
        return -errno;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    rc = -posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(fds[1]);
    ssize_t n = 0;
    while (!rc && out->len < LIMIT_TOOL_OUTPUT) {
        char *to = buf_reserve(out, 1 << 16);
        n = read(fds[0], to, 1 << 16);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        out->len += n > 0 ? (size_t)n : 0;
    }
    close(fds[0]);
    if (rc)
        return rc;
    int code;
    while (waitpid(pid, &code, 0) < 0)
        if (errno != EINTR)
            return -errno;
    *status = WIFEXITED(code) ? WEXITSTATUS(code) : -1;
    return 0;
}

static bool has_version(const char *text)
{
    /* "LLVM version 14.0.6", or a build "… trunk …" of somebody's own. */
    const char *at = strstr(text, "LLVM version ");
    if (!at)
        return false;
    at += strlen("LLVM version ");
    const char *line_end = at + strcspn(at, "\n");
    int major, minor, patch;
    if (sscanf(at, "%d.%d.%d", &major, &minor, &patch) == 3)
        return major >= 8; /* earlier ones do not know the options */
    const char *trunk = strstr(at, "trunk");
    return trunk && trunk < line_end;
}

static void look_for_objdump(struct object_tools *t, struct arena *a)
{
    static const char *const names[] = {"llvm-objdump", "objdump"};
    if (t->looked)
        return;
    t->looked = true;
    for (size_t i = 0; i < 2 && !t->objdump; i++) {
        const char *file = find(t, "objdump", names[i], a);
        struct buf version;
        int status;
        buf_init(&version, a);
        if (!file || run((char *[]){(char *)file, "--version", NULL}, &version, &status) || status)
            continue;
        const char *text = buf_cstr(&version);
        t->objdump_is_llvm = has_version(text);
        if (t->objdump_is_llvm || strstr(text, "GNU objdump"))
            t->objdump = file;
    }
}

/* ---- reading ---- */

struct reader {
    struct arena *a;
    const char *function, *file;
    int64_t line;
    struct object_inst *insts;
    uint32_t count, cap;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

/* "  402576:   cmpq $1, %rdi" */
static bool read_inst(struct reader *r, const char *s, size_t n)
{
    size_t i = 0;
    uint64_t address = 0;
    for (; i < n && isxdigit((unsigned char)s[i]); i++) {
        if (address >> 60)
            return false;
        unsigned char c = (unsigned char)s[i];
        address = address << 4 | (isdigit(c) ? c - (unsigned)'0' : (c | 0x20u) - 'a' + 10u);
    }
    if (!i || i + 1 >= n || s[i] != ':' || !is_blank(s[i + 1]))
        return false;
    for (i++; i < n && is_blank(s[i]); i++)
        ;
    if (r->count == r->cap) {
        uint32_t more = r->cap ? 2 * r->cap : 256;
        r->insts = arena_grow(r->a, r->insts, r->cap * sizeof *r->insts, more * sizeof *r->insts);
        r->cap = more;
    }
    r->insts[r->count++] = (struct object_inst){address, arena_strndup(r->a, s + i, n - i),
                                                r->function, r->file, r->line};
    return true;
}

/* "; /src/shapes.cc:38", up to the last colon with digits behind it. */
static bool read_file_line(struct reader *r, const char *s, size_t n)
{
    size_t colon = n;
    for (size_t i = 0; i + 1 < n; i++)
        if (s[i] == ':' && isdigit((unsigned char)s[i + 1]))
            colon = i;
    if (colon == n)
        return false;
    uint64_t line = 0;
    for (size_t i = colon + 1; i < n && isdigit((unsigned char)s[i]) && line <= UINT32_MAX; i++)
        line = line * 10 + (unsigned)(s[i] - '0');
    size_t first = s[0] == ';' && colon > 0;
    first += first < colon && is_blank(s[first]);
    if (line <= UINT32_MAX) {
        r->file = arena_strndup(r->a, s + first, colon - first);
        r->line = (int64_t)line;
    }
    return true;
}

/* "; collatz(long)():" */
static bool read_function(struct reader *r, const char *s, size_t n)
{
    const char *end = NULL;
    for (size_t i = 0; i + 3 <= n; i++)
        if (!memcmp(s + i, "():", 3))
            end = s + i;
    if (!end)
        return false;
    const char *first = s + (s[0] == ';');
    first += first < end && is_blank(*first);
    if (first < end && is_blank(*first))
        first = s;
    if (first >= end)
        return false;
    r->function = arena_strndup(r->a, first, (size_t)(end - first));
    return true;
}

/* "0000000000402576 <collatz>:" */
static bool read_header(struct reader *r, const char *s, size_t n)
{
    const char *end = memrchr(s, ':', n), *first = s;
    if (!end)
        return false;
    while (first < end && isxdigit((unsigned char)*first))
        first++;
    first += first < end && is_blank(*first);
    r->function = arena_strndup(r->a, first, (size_t)(end - first));
    return true;
}

static void read_line(struct reader *r, const char *s, size_t n)
{
    while (n && isspace((unsigned char)*s))
        s++, n--;
    while (n && isspace((unsigned char)s[n - 1]))
        n--;
    if (n && (read_inst(r, s, n) || read_file_line(r, s, n) || read_function(r, s, n) ||
              read_header(r, s, n)))
        return;
    r->function = r->file = "";
    r->line = 0;
}

/* The command line as Go prints a slice. */
static const char *show_arguments(char *const *argv, struct arena *a)
{
    struct buf out;
    buf_init(&out, a);
    for (size_t i = 0; argv[i]; i++)
        buf_printf(&out, "%s%s", i ? " " : "[", argv[i]);
    buf_putc(&out, ']');
    return buf_cstr(&out);
}

int object_disassemble(struct object_tools *t, const struct object_range *range, struct arena *a,
                       struct object_code *code, struct err *e)
{
    look_for_objdump(t, a);
    if (!t->objdump)
        return err_set(e, -ENOENT, "cannot disasm: no objdump tool available");
    char *argv[12] = {(char *)t->objdump, "--disassemble", "--demangle", "--no-show-raw-insn",
                      "--line-numbers"};
    size_t n = 5;
    argv[n++] = arena_printf(a, "--start-address=0x%llx", (unsigned long long)range->start);
    argv[n++] = arena_printf(a, "--stop-address=0x%llx", (unsigned long long)range->end);
    if (range->intel && t->objdump_is_llvm) {
        argv[n++] = "--x86-asm-syntax=intel";
    } else if (range->intel) {
        argv[n++] = "-M";
        argv[n++] = "intel";
    }
    argv[n++] = (char *)range->file;
    struct buf out;
    int status;
    buf_init(&out, a);
    int rc = run(argv, &out, &status);
    if (rc)
        return err_set(e, rc, "%s: %s", show_arguments(argv, a), strerror(-rc));
    if (status > 0)
        return err_set(e, -EINVAL, "%s: exit status %d", show_arguments(argv, a), status);
    if (status < 0)
        return err_set(e, -EINVAL, "%s: signal", show_arguments(argv, a));
    struct reader r = {.a = a, .function = "", .file = ""};
    for (const char *at = out.data, *end = at + out.len; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        read_line(&r, at, (size_t)(stop - at));
        at = stop + (newline != NULL);
    }
    *code = (struct object_code){r.insts, r.count};
    return 0;
}
