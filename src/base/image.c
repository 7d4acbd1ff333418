/* SPDX-License-Identifier: MIT
 *
 * A library that is preloaded into a program it does not fit keeps that program from starting:
 * musl's dynamic linker does not find glibc's symbols, and gcc's sanitizers refuse to run where
 * another library stands before theirs. So each program is looked at before it is executed, by the
 * recorder and by the program that starts it: its class and machine, its interpreter (PT_INTERP),
 * and the libraries that it names itself (DT_NEEDED; generic ABI, chapters 4 and 5).
 *
 * What does not look like a program is left to execve. */
#include "base/image.h"

#include "base/sigsafe.h"

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { SEGMENTS_MAX = 64, ENTRIES_MAX = 4096, ENTRIES_AT_ONCE = 16, NAME_BYTES = 64 };

#if defined(__x86_64__)
enum { OUR_MACHINE = EM_X86_64 };
#else
enum { OUR_MACHINE = EM_AARCH64 };
#endif

struct program {
    int fd;
    unsigned segments;
    Elf64_Phdr segment[SEGMENTS_MAX];
};

static bool read_at(const struct program *p, void *to, size_t bytes, uint64_t at)
{
    return sigsafe_syscall4(SYS_pread64, p->fd, to, bytes, at) == (long)bytes;
}

/* A name of which only the beginning counts; it ends where the file does. */
static void read_name(const struct program *p, char to[NAME_BYTES], uint64_t at)
{
    long n = sigsafe_syscall4(SYS_pread64, p->fd, to, NAME_BYTES - 1, at);
    to[n > 0 ? n : 0] = 0;
}

static const Elf64_Phdr *find_segment(const struct program *p, uint32_t type)
{
    for (unsigned i = 0; i < p->segments; i++)
        if (p->segment[i].p_type == type)
            return &p->segment[i];
    return NULL;
}

/* Where in the file an address is; 0: nowhere. */
static uint64_t offset_of(const struct program *p, uint64_t address)
{
    for (unsigned i = 0; i < p->segments; i++) {
        const Elf64_Phdr *s = &p->segment[i];
        if (s->p_type == PT_LOAD && address - s->p_vaddr < s->p_filesz)
            return s->p_offset + (address - s->p_vaddr);
    }
    return 0;
}

/* glibc's dynamic linker is ld-linux-x86-64.so.2, ld-linux-aarch64.so.1, wherever it is. */
static bool is_glibcs(const struct program *p, const Elf64_Phdr *interpreter)
{
    char path[512];
    size_t n = interpreter->p_filesz < sizeof path ? interpreter->p_filesz : sizeof path;
    if (!n || !read_at(p, path, n, interpreter->p_offset))
        return true;
    path[n - 1] = 0;
    const char *slash = strrchr(path, '/');
    return strncmp(slash ? slash + 1 : path, "ld-linux", 8) == 0;
}

static bool is_sanitizers(const char *name)
{
    static const char *const runtimes[] = {"libasan.so",       "libtsan.so",
                                           "libhwasan.so",     "libclang_rt.asan",
                                           "libclang_rt.tsan", "libclang_rt.hwasan"};
    for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++)
        if (strncmp(name, runtimes[i], strlen(runtimes[i])) == 0)
            return true;
    return false;
}

/* The dynamic section's entry `i`, read a few at a time: this may run on a small stack. False at
 * its end. */
static bool read_entry(const struct program *p, const Elf64_Phdr *dynamic,
                       Elf64_Dyn few[ENTRIES_AT_ONCE], size_t i)
{
    size_t n = dynamic->p_filesz / sizeof *few;
    if (i >= n || i >= ENTRIES_MAX)
        return false;
    if (i % ENTRIES_AT_ONCE == 0) {
        size_t left = n - i < ENTRIES_AT_ONCE ? n - i : ENTRIES_AT_ONCE;
        if (!read_at(p, few, left * sizeof *few, dynamic->p_offset + i * sizeof *few))
            return false;
    }
    return few[i % ENTRIES_AT_ONCE].d_tag != DT_NULL;
}

static bool needs_sanitizer(const struct program *p, const Elf64_Phdr *dynamic)
{
    Elf64_Dyn few[ENTRIES_AT_ONCE];
    uint64_t names = 0;
    for (size_t i = 0; read_entry(p, dynamic, few, i); i++)
        if (few[i % ENTRIES_AT_ONCE].d_tag == DT_STRTAB)
            names = offset_of(p, few[i % ENTRIES_AT_ONCE].d_un.d_ptr);
    for (size_t i = 0; names && read_entry(p, dynamic, few, i); i++) {
        char name[NAME_BYTES];
        if (few[i % ENTRIES_AT_ONCE].d_tag != DT_NEEDED)
            continue;
        read_name(p, name, names + few[i % ENTRIES_AT_ONCE].d_un.d_val);
        if (is_sanitizers(name))
            return true;
    }
    return false;
}

enum image_kind image_of_fd(int fd)
{
    Elf64_Ehdr head;
    struct program p = {.fd = fd};
    if (!read_at(&p, &head, sizeof head, 0) || memcmp(&head, ELFMAG, SELFMAG) != 0)
        return IMAGE_LOADS; /* a script: its interpreter does as a rule; or who knows */
    if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_machine != OUR_MACHINE)
        return IMAGE_FOREIGN;
    p.segments = head.e_phnum;
    if (head.e_phentsize != sizeof *p.segment || head.e_phnum > SEGMENTS_MAX ||
        !read_at(&p, p.segment, head.e_phnum * sizeof *p.segment, head.e_phoff))
        return IMAGE_LOADS;
    const Elf64_Phdr *interpreter = find_segment(&p, PT_INTERP);
    const Elf64_Phdr *dynamic = find_segment(&p, PT_DYNAMIC);
    if (!interpreter)
        return IMAGE_STATIC;
    if (!is_glibcs(&p, interpreter))
        return IMAGE_OTHER_LIBC;
    return dynamic && needs_sanitizer(&p, dynamic) ? IMAGE_SANITIZED : IMAGE_LOADS;
}
