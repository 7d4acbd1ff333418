/* SPDX-License-Identifier: MIT
 *
 * What is to be run: found as a shell finds it, and looked at before anything starts, because a
 * program that libstrobe cannot be loaded into (set-user-id, another architecture) would run for
 * hours and leave an empty profile. Statically linked ones and Go's are sampled from outside. */
#include "record/target.h"

#include "base/image.h"
#include "symbol/elf_file.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int check_file(const char *path, struct err *e)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_set(e, -errno, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return err_set(e, -EACCES, "%s is a directory, not a program", path);
    if (access(path, X_OK) != 0)
        return err_set(e, -EACCES, "%s is not executable: permission denied", path);
    return 0;
}

int target_find(char *out, size_t size, const char *name, struct err *e)
{
    const char *path = getenv("PATH");
    int denied = 0;
    if (!*name)
        return err_set(e, -ENOENT, "the program's name is empty");
    if (strchr(name, '/')) {
        if ((size_t)snprintf(out, size, "%s", name) >= size)
            return err_set(e, -ENAMETOOLONG, "%s: the name is too long", name);
        return check_file(out, e);
    }
    size_t n;
    for (const char *p = path ? path : "/bin:/usr/bin";; p += n + 1) {
        n = strcspn(p, ":");
        int len = snprintf(out, size, "%.*s%s%s", (int)n, p, n ? "/" : "./", name);
        struct stat st;
        if (len > 0 && (size_t)len < size && stat(out, &st) == 0 && S_ISREG(st.st_mode)) {
            if (access(out, X_OK) == 0)
                return 0;
            denied = 1;
        }
        if (!p[n])
            break;
    }
    if (denied)
        return err_set(e, -EACCES, "%s is not executable: permission denied", name);
    return err_set(e, -ENOENT, "%s: not found in PATH", name);
}

bool target_is_go(const char *path)
{
    static const char *const sections[] = {".note.go.buildid", ".go.buildinfo", ".gopclntab",
                                           ".data.rel.ro.gopclntab"};
    struct arena arena = {0};
    struct elf_file f;
    bool go = false;
    if (!elf_file_open(&f, path, &arena)) {
        for (size_t i = 0; i < sizeof sections / sizeof *sections; i++)
            go |= elf_file_section(&f, sections[i]) != NULL;
        elf_file_close(&f);
    }
    arena_free(&arena);
    return go;
}

/* Why libstrobe is not loaded into a program, as far as it can be sampled all the same. */
static const char *const not_loaded_into[] = {
    [IMAGE_LOADS] = NULL,
    [IMAGE_STATIC] = "statically linked",
    [IMAGE_FOREIGN] = NULL, /* refused before */
    [IMAGE_OTHER_LIBC] = "linked with another C library than glibc",
    [IMAGE_SANITIZED] = "linked with a sanitizer that has to be loaded first",
};

static bool has_segments(int fd, const Elf64_Ehdr *eh)
{
    Elf64_Phdr last;
    off_t at = (off_t)(eh->e_phoff + (eh->e_phnum - 1u) * sizeof last);
    return eh->e_phnum && pread(fd, &last, sizeof last, at) == (ssize_t)sizeof last;
}

/* The file at `path` is open as `fd` and begins with ELFMAG. */
static int check_elf(const char *path, int fd, struct target_kind *kind, struct err *e)
{
    unsigned char head[sizeof(Elf64_Ehdr)];
    ssize_t n = pread(fd, head, sizeof head, 0);
    Elf64_Ehdr eh;
    if (n > EI_CLASS && head[EI_CLASS] == ELFCLASS32)
        return err_set(e, -ENOEXEC,
                       "%s is a 32-bit program; libstrobe is built for 64-bit ones here", path);
    if (n < (ssize_t)sizeof eh || head[EI_CLASS] != ELFCLASS64)
        return err_set(e, -ENOEXEC, "%s is a truncated or damaged ELF file", path);
    memcpy(&eh, head, sizeof eh);
#if defined(__x86_64__)
    if (eh.e_machine != EM_X86_64)
        return err_set(e, -ENOEXEC, "%s is not a program for x86-64", path);
#endif
    if (!has_segments(fd, &eh))
        return err_set(e, -ENOEXEC, "%s is a truncated or damaged ELF file", path);
    kind->is_go = target_is_go(path);
    if (kind->is_go)
        kind->why_outside = "a Go program";
    else
        kind->why_outside = not_loaded_into[image_of_fd(fd)];
    return 0;
}

/* The kernel drops LD_PRELOAD for programs that gain rights. */
static int check_rights(const char *path, int fd, struct err *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return 0;
    bool gains = ((st.st_mode & S_ISUID) && st.st_uid != geteuid()) ||
                 ((st.st_mode & S_ISGID) && st.st_gid != getegid());
    if (gains)
        return err_set(e, -EPERM,
                       "%s is set-user-id or set-group-id, and the system loads no library into "
                       "such programs: run strobe as that user (sudo -u USER strobe record …), or "
                       "record a copy without that bit",
                       path);
    if (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        return err_set(e, -EPERM,
                       "%s has file capabilities, and the system loads no library into such "
                       "programs: run strobe as root, or record a copy without them",
                       path);
    return 0;
}

int target_check(const char *path, struct target_kind *kind, struct err *e)
{
    char interpreter[PATH_MAX], file[PATH_MAX];
    *kind = (struct target_kind){0};
    snprintf(file, sizeof file, "%s", path);
    for (int depth = 0; depth < 5; depth++) { /* the kernel's limit of nested scripts */
        unsigned char head[512];
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return 0; /* executable but not readable: the kernel will tell */
        ssize_t n = read(fd, head, sizeof head - 1);
        int r = 0;
        if (n >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0) {
            r = check_elf(file, fd, kind, e);
            if (r == 0)
                r = check_rights(file, fd, e);
            close(fd);
            return r;
        }
        close(fd);
        head[n > 0 ? n : 0] = 0;
        if (n < 3 || head[0] != '#' || head[1] != '!')
            return 0; /* a script without #!, or something execve refuses */
        if (sscanf((const char *)head + 2, " %511s", interpreter) != 1)
            return 0;
        snprintf(file, sizeof file, "%s", interpreter);
    }
    return 0;
}

/* ---- the library ---- */

static bool try_library(char *out, size_t size, const char *dir, const char *rest)
{
    char joined[PATH_MAX], real[PATH_MAX];
    if ((size_t)snprintf(joined, sizeof joined, "%s%s", dir, rest) >= sizeof joined ||
        !realpath(joined, real) || access(real, R_OK) != 0 || strlen(real) >= size)
        return false;
    strcpy(out, real);
    return true;
}

int target_library(char *out, size_t size, struct err *e)
{
    static const char *const places[] = {
        "/libstrobe.so", "/../lib/" STROBE_TRIPLET "/libstrobe.so.0", "/../lib/libstrobe.so.0",
        "/../lib64/libstrobe.so.0", "/libstrobe.so.0"};
    const char *set = getenv("STROBE_LIB");
    char self[PATH_MAX];
    if (set && *set) {
        if (try_library(out, size, set, ""))
            return 0;
        return err_set(e, -ENOENT, "STROBE_LIB=%s: %s", set, strerror(errno));
    }
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    const char *name = (const char *)getauxval(AT_EXECFN);
    if (n <= 0 && (!name || !realpath(name, self))) /* no /proc */
        self[0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++)
        if (try_library(out, size, self, places[i]))
            return 0;
    return err_set(
        e, -ENOENT,
        "libstrobe.so was not found beside %s/strobe or in its ../lib: set STROBE_LIB to "
        "its path",
        self);
}

/* ---- descendants ---- */

struct parentage {
    pid_t pid, parent;
};

/* The fourth field of its stat; the second, the name, may hold anything. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    int parent = 0;
    if (f)
        fclose(f);
    text[n] = 0;
    const char *name_end = strrchr(text, ')');
    if (!name_end || sscanf(name_end + 1, " %*c %d", &parent) != 1)
        return 0;
    return parent;
}

static struct parentage *list_processes(size_t *count)
{
    struct parentage *list = NULL;
    size_t room = 0;
    DIR *d = opendir("/proc");
    *count = 0;
    for (struct dirent *x; d && (x = readdir(d));) {
        pid_t pid = (pid_t)strtol(x->d_name, NULL, 10);
        if (pid <= 0 || pid == getpid())
            continue;
        if (*count == room) {
            room = room ? room * 2 : 256;
            struct parentage *grown = realloc(list, room * sizeof *list);
            if (!grown)
                break;
            list = grown;
        }
        list[(*count)++] = (struct parentage){pid, parent_of(pid)};
    }
    if (d)
        closedir(d);
    return list;
}

static bool is_among(const pid_t *pids, uint32_t count, pid_t pid)
{
    for (uint32_t i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

uint32_t target_add_descendants(pid_t *pids, uint32_t count, uint32_t max)
{
    size_t all;
    struct parentage *list = list_processes(&all);
    for (uint32_t i = 0; i < count; i++)
        for (size_t k = 0; k < all && count < max; k++)
            if (list[k].parent == pids[i] && !is_among(pids, count, list[k].pid))
                pids[count++] = list[k].pid;
    free(list);
    return count;
}
